package session

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/lakegate/lakegate/internal/api/lakegate"
	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/authz"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/store"
)

// Managers tells which account manages the organization; account provides it.
type Managers interface {
	IsManagement(account string) bool
}

// RevocationService is the part of lakegate's own operations that ends sessions before their time. The management account
// ends anybody's; another account those of its own roles.
type RevocationService struct {
	Revocations *Revocations
	Accounts    Managers
	Authorizer  *authz.Authorizer
}

// The bounds of the list, which is in memory: of the management account, and of each other one. They are counted apart, so
// that no account uses up what the management account may need in an emergency.
const (
	maxRevocations        = 10_000
	maxAccountRevocations = 1000
)

// CreateRevocation ends sessions: the next request of each is refused.
func (s *RevocationService) CreateRevocation(ctx context.Context, in *lakegate.CreateRevocationInput) (*lakegate.CreateRevocationOutput, error) {
	if err := s.enter(ctx, "CreateRevocation"); err != nil {
		return nil, err
	}
	c, now := caller.From(ctx), s.Revocations.db.Now()
	r := &Revocation{ID: "rev-" + uuid.NewString(), Kind: RevocationKind(in.Kind), Before: now, Created: now, By: c.ARN}
	if in.Value != nil {
		r.Value = *in.Value
	}
	if in.Reason != nil {
		r.Reason = *in.Reason
	}
	if in.IssuedBefore != nil {
		if r.Before = *in.IssuedBefore; r.Before.After(now) {
			return nil, lakegate.ValidationException("IssuedBefore is in the future: sessions that are yet to come cannot be revoked. Take the permission away instead.")
		}
	}
	if problem := r.problem(); problem != "" {
		return nil, lakegate.ValidationException(problem)
	}
	if !s.Accounts.IsManagement(c.Account) {
		if r.Account = c.Account; !r.within(c.Account) {
			return nil, lakegate.AccessDeniedException("The account " + c.Account + " may revoke the sessions of its own roles. Those of people, applications and other accounts are for the management account.")
		}
	}
	most := maxRevocations
	if r.Account != "" {
		most = maxAccountRevocations
	}
	if s.Revocations.held(r.Account) >= most {
		return nil, lakegate.ServiceQuotaExceededException(fmt.Sprintf("There are %d revocations. Delete old ones, or revoke a role, a person or all.", most))
	}
	if err := s.Revocations.db.Update(ctx, func(tx *store.Tx) error { return insertRevocation(ctx, tx, r) }); err != nil {
		return nil, fmt.Errorf("store revocation: %w", err)
	}
	return &lakegate.CreateRevocationOutput{RevocationId: r.ID, IssuedBefore: r.Before}, nil
}

// problem holds what a revocation names against the form of its kind, and is empty when there is none.
func (r *Revocation) problem() string {
	name, err := arn.Parse(r.Value)
	switch r.Kind {
	case RevokeAll:
		if r.Value != "" {
			return "Value must be left out for the kind ALL"
		}
		return ""
	case RevokeAccessKey:
		if _, ok := accountOf(r.Value); !ok {
			return "Value must be a temporary access key id (ASIA…). A long-term key is disabled with iam UpdateAccessKey"
		}
		return ""
	case RevokePerson:
		if r.Value == "" || strings.ContainsAny(r.Value, ":@/ ") {
			return "Value must be the user id of a person"
		}
		return ""
	case RevokeSession:
		if err != nil || name.Service != "sts" || !strings.HasPrefix(name.Resource, "assumed-role/") {
			return "Value must be the ARN of a session (arn:aws:sts::<account>:assumed-role/<role>/<session>)"
		}
	case RevokeRole:
		if err != nil || name.Service != "iam" || !strings.HasPrefix(name.Resource, "role/") {
			return "Value must be the ARN of a role"
		}
	case RevokeApplication:
		if err != nil || name.Service != "sso" || !strings.HasPrefix(name.Resource, "application/") {
			return "Value must be the ARN of an application"
		}
	default:
		return fmt.Sprintf("the kind %q is not known", r.Kind)
	}
	return ""
}

// within reports whether all that a revocation names is an account's own.
func (r *Revocation) within(account string) bool {
	switch r.Kind {
	case RevokeAll:
		return true
	case RevokeAccessKey:
		of, _ := accountOf(r.Value)
		return of == account
	case RevokeSession, RevokeRole:
		name, err := arn.Parse(r.Value)
		return err == nil && name.Account == account
	}
	return false
}

// enter authorises an operation.
func (s *RevocationService) enter(ctx context.Context, operation string) error {
	return s.Authorizer.Authorize(ctx, authz.Request{Action: "lakegate:" + operation, Resource: "*"})
}

// seen is the account whose revocations a caller sees; all is set for those of every account.
func (s *RevocationService) seen(ctx context.Context) (account string, all bool) {
	account = caller.From(ctx).Account
	return account, s.Accounts.IsManagement(account)
}

// defaultPage is how many revocations are listed at once.
const defaultPage = 100

// ListRevocations lists the account's revocations, for the management account everybody's, newest first.
func (s *RevocationService) ListRevocations(ctx context.Context, in *lakegate.ListRevocationsInput) (*lakegate.ListRevocationsOutput, error) {
	if err := s.enter(ctx, "ListRevocations"); err != nil {
		return nil, err
	}
	account, all := s.seen(ctx)
	var rows []*Revocation
	for _, r := range s.Revocations.rows.Each() {
		if all || r.Account == account {
			rows = append(rows, r)
		}
	}
	slices.SortFunc(rows, func(a, b *Revocation) int {
		return cmp.Or(b.Created.Compare(a.Created), strings.Compare(a.ID, b.ID))
	})
	if in.NextToken != nil {
		// A page goes on behind the last one that was seen; when that one is gone, the list begins anew.
		at := slices.IndexFunc(rows, func(r *Revocation) bool { return r.ID == *in.NextToken })
		rows = rows[at+1:]
	}
	size := defaultPage
	if in.MaxResults != nil {
		size = *in.MaxResults
	}
	out := &lakegate.ListRevocationsOutput{Revocations: []lakegate.Revocation{}}
	for i, r := range rows {
		if i == size {
			out.NextToken = &rows[i-1].ID
			break
		}
		out.Revocations = append(out.Revocations, lakegate.Revocation{
			RevocationId: r.ID, Kind: lakegate.RevocationKind(r.Kind), Value: known(r.Value), Account: known(r.Account), IssuedBefore: r.Before,
			Reason: known(r.Reason), CreatedAt: r.Created, CreatedBy: r.By,
		})
	}
	return out, nil
}

// DeleteRevocation takes a revocation back: what it ended and has not expired works again.
func (s *RevocationService) DeleteRevocation(ctx context.Context, in *lakegate.DeleteRevocationInput) (*lakegate.DeleteRevocationOutput, error) {
	if err := s.enter(ctx, "DeleteRevocation"); err != nil {
		return nil, err
	}
	account, all := s.seen(ctx)
	r, ok := s.Revocations.rows.Get(in.RevocationId)
	if !ok || !all && r.Account != account {
		return nil, lakegate.ResourceNotFoundException("The revocation " + in.RevocationId + " was not found.")
	}
	if err := s.Revocations.db.Update(ctx, func(tx *store.Tx) error { return deleteRevocation(ctx, tx, r.ID) }); err != nil {
		return nil, fmt.Errorf("delete revocation: %w", err)
	}
	return &lakegate.DeleteRevocationOutput{}, nil
}

func known(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
