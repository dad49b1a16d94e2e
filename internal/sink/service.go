package sink

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/lakegate/lakegate/internal/api/lakegate"
	"github.com/lakegate/lakegate/internal/authz"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/trail"
	"github.com/lakegate/lakegate/internal/wire"
)

// Accounts tells which account is the organization's management account.
type Accounts interface{ IsManagement(account string) bool }

// Service tells whoever runs the server how far the audit log has been brought.
type Service struct {
	Audit      *trail.Log
	Sinks      *Sinks
	Accounts   Accounts
	Authorizer *authz.Authorizer
}

// ListAuditFollowers describes those that follow the log of this node: sinks, and whatever else does. They are the
// server's, and not an account's, so the management account alone sees them.
func (s *Service) ListAuditFollowers(ctx context.Context, _ *lakegate.ListAuditFollowersInput) (*lakegate.ListAuditFollowersOutput, error) {
	if err := s.Authorizer.Authorize(ctx, authz.Request{Action: "lakegate:ListAuditFollowers", Resource: "*"}); err != nil {
		return nil, err
	}
	if c := caller.From(ctx); !s.Accounts.IsManagement(c.Account) {
		why := "the audit log belongs to the management account"
		trail.From(ctx).Step("audit log", trail.Fail, why)
		return nil, wire.AccessDenied("User: " + c.ARN + " is not authorized to perform: lakegate:ListAuditFollowers: " + why).Because(errors.New(why))
	}
	counts := map[string]Count{}
	for _, c := range s.Sinks.Counts() {
		counts[c.Sink] = c
	}
	out := &lakegate.ListAuditFollowersOutput{Node: s.Audit.Node(), Followers: []lakegate.AuditFollower{}}
	for _, f := range s.Audit.Followers() {
		shown := lakegate.AuditFollower{
			Name: f.Name, BehindBytes: int(f.Behind), WaitingSince: since(f.Waiting), FailingSince: since(f.Failing),
			Delivered: int(f.Delivered), Failures: int(f.Failures), Missing: int(f.Missing),
		}
		if f.Failure != "" {
			shown.Failure = &f.Failure
		}
		if name, ok := strings.CutPrefix(f.Name, prefix); ok {
			shown.SetAside, shown.Rejected = int(counts[name].SetAside), int(counts[name].Rejected)
		}
		out.Followers = append(out.Followers, shown)
	}
	return out, nil
}

func since(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
