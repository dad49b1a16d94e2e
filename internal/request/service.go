package request

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/lakegate/lakegate/internal/api/lakegate"
	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/authz"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/grants"
	"github.com/lakegate/lakegate/internal/scope"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/trail"
	"github.com/lakegate/lakegate/internal/wire"
)

// Grants is what requests ask of access grants.
type Grants interface {
	Draft(ctx context.Context, p grants.Proposal) (*grants.Drafted, error)
	Issue(ctx context.Context, tx *store.Tx, d *grants.Drafted, end time.Time, reason string) (id string, err error)
}

// People names persons and finds their groups.
type People interface {
	UserName(storeID, userID string) (name string, ok bool)
	GroupsOf(storeID, userID string) []string
}

// Service is the part of lakegate's own operations by which people ask for access and owners decide.
type Service struct {
	DB         *store.DB
	Grants     Grants
	People     People
	Authorizer *authz.Authorizer
	// InstanceARN is the access grants instance of an account.
	InstanceARN func(account string) string
	Limits      Limits
	// Strict refuses everything: there are no ends of grants, so there is nothing to approve.
	Strict bool
	// Hook is told what happens; nil for nobody.
	Hook *Webhook
}

// enter authorises an operation. The operations are none of AWS's, so its guard-rail for sessions in a person's name does
// not know them; the policies of the session's role have to allow them.
func (s *Service) enter(ctx context.Context, operation string) error {
	if s.Strict {
		authz.Open(ctx)
		return lakegate.ValidationException("There are no access requests with compat: strict.")
	}
	return s.Authorizer.Authorize(ctx, authz.Request{Action: "lakegate:" + operation, Resource: "*", Unguarded: true})
}

// CreateAccessRequest asks for a permission on a scope, for the person whom the caller acts for.
func (s *Service) CreateAccessRequest(ctx context.Context, in *lakegate.CreateAccessRequestInput) (*lakegate.CreateAccessRequestOutput, error) {
	if err := s.enter(ctx, "CreateAccessRequest"); err != nil {
		return nil, err
	}
	c := caller.From(ctx)
	p := c.OnBehalf
	if p == nil || c.Session != nil && c.Session.Vended != nil {
		return nil, lakegate.AccessDeniedException("A request for access is made in a person's own name: sign in as a person, or use a session with an identity context.")
	}
	duration := time.Duration(in.DurationSeconds) * time.Second
	if most := s.Limits.longest(); duration > most {
		return nil, lakegate.ValidationException(fmt.Sprintf("DurationSeconds: the longest that access can be asked for is %d seconds", int64(most/time.Second)))
	}
	draft, err := s.draft(ctx, in.AccountId, in.Scope, grants.Permission(in.Permission), p.UserID)
	if err != nil {
		return nil, err
	}
	now := store.Time(store.Millis(s.DB.Now()))
	r := &Request{
		ID: "req-" + uuid.Must(uuid.NewV7()).String(), Account: in.AccountId, StoreID: p.IdentityStoreID, UserID: p.UserID, Application: p.ApplicationARN,
		Scope: in.Scope, Permission: grants.Permission(in.Permission), Duration: duration, Reason: in.Reason, Status: Pending, Created: now, Expires: now.Add(s.Limits.patience()),
	}
	touch(ctx, r)
	err = s.DB.Update(ctx, func(tx *store.Tx) error {
		mine, all, err := open(ctx, tx, r)
		if err != nil {
			return err
		}
		if most := s.Limits.open(); mine >= int64(most) || all >= int64(most)*inAccount {
			return lakegate.ServiceQuotaExceededException(fmt.Sprintf("There are %d requests that wait for a decision. Withdraw one, or wait.", min(mine, all)))
		}
		return errors.Join(insert(ctx, tx, r), s.tell(ctx, tx, "created", r))
	})
	if err != nil {
		return nil, fmt.Errorf("store request: %w", err)
	}
	s.Hook.wake()
	out := s.show(r)
	out.Warning = known(draft.Warning)
	return &lakegate.CreateAccessRequestOutput{AccessRequest: out}, nil
}

// draft holds what is asked for against what a grant can be. The error names the field.
func (s *Service) draft(ctx context.Context, account, text string, permission grants.Permission, user string) (*grants.Drafted, error) {
	d, err := s.Grants.Draft(ctx, grants.Proposal{Account: account, Text: text, Permission: permission, UserID: user})
	if e, ok := errors.AsType[*wire.Error](err); ok && e.Kind != wire.KindInternal {
		return nil, lakegate.ValidationException("Scope: " + e.Message).Because(err)
	}
	return d, err
}

// GetAccessRequest shows a request to who made it and to who may decide it.
func (s *Service) GetAccessRequest(ctx context.Context, in *lakegate.GetAccessRequestInput) (*lakegate.GetAccessRequestOutput, error) {
	if err := s.enter(ctx, "GetAccessRequest"); err != nil {
		return nil, err
	}
	r, err := s.find(ctx, in.AccessRequestId)
	if err != nil {
		return nil, err
	}
	if !s.mine(ctx, r) && s.mayDecide(ctx, r) != nil {
		return nil, notFound(in.AccessRequestId)
	}
	return &lakegate.GetAccessRequestOutput{AccessRequest: s.show(r)}, nil
}

// ApproveAccessRequest makes the grant that was asked for, or a lesser one.
func (s *Service) ApproveAccessRequest(ctx context.Context, in *lakegate.ApproveAccessRequestInput) (*lakegate.ApproveAccessRequestOutput, error) {
	r, err := s.toDecide(ctx, "ApproveAccessRequest", in.AccessRequestId, func(r *Request) error {
		err := r.lessen(in)
		r.GrantEnds = r.ends(s.DB.Now())
		return err
	})
	if err != nil {
		return nil, err
	}
	draft, err := s.draft(ctx, r.Account, r.Scope, r.Permission, r.UserID)
	if err != nil {
		return nil, err
	}
	if in.Comment != nil {
		r.Comment = *in.Comment
	}
	err = s.decide(ctx, r, Approved, func(tx *store.Tx) (err error) {
		r.GrantID, err = s.Grants.Issue(ctx, tx, draft, r.GrantEnds, r.Reason)
		return err
	})
	if err != nil {
		return nil, err
	}
	trail.From(ctx).Add(trail.KeyGrantID, r.GrantID)
	out := s.show(r)
	out.Warning = known(draft.Warning)
	return &lakegate.ApproveAccessRequestOutput{AccessRequest: out}, nil
}

// lessen takes over what the one who approves gives instead of what was asked for.
func (r *Request) lessen(in *lakegate.ApproveAccessRequestInput) error {
	if in.Scope != nil {
		asked, err := scope.ParseGrant(r.Scope, false)
		given, err2 := scope.ParseGrant(*in.Scope, false)
		if err := errors.Join(err, err2); err != nil {
			return lakegate.ValidationException("Scope: it is not valid").Because(err)
		}
		if !asked.CoversScope(given) {
			return lakegate.ValidationException("Scope: it is not within " + r.Scope + ", which was asked for")
		}
		r.Scope = *in.Scope
	}
	if in.Permission != nil {
		given := grants.Permission(*in.Permission)
		if !r.Permission.Satisfies(given) {
			return lakegate.ValidationException("Permission: " + string(r.Permission) + " was asked for, and no more can be given")
		}
		r.Permission = given
	}
	if in.DurationSeconds != nil {
		given := time.Duration(*in.DurationSeconds) * time.Second
		if given > r.Duration {
			return lakegate.ValidationException(fmt.Sprintf("DurationSeconds: %d were asked for, and no more can be given", int64(r.Duration/time.Second)))
		}
		r.Duration = given
	}
	return nil
}

// RefuseAccessRequest ends a request without a grant.
func (s *Service) RefuseAccessRequest(ctx context.Context, in *lakegate.RefuseAccessRequestInput) (*lakegate.RefuseAccessRequestOutput, error) {
	r, err := s.toDecide(ctx, "RefuseAccessRequest", in.AccessRequestId, nil)
	if err != nil {
		return nil, err
	}
	r.Comment = in.Comment
	if err := s.decide(ctx, r, Refused, nil); err != nil {
		return nil, err
	}
	return &lakegate.RefuseAccessRequestOutput{AccessRequest: s.show(r)}, nil
}

// WithdrawAccessRequest takes back a request of one's own.
func (s *Service) WithdrawAccessRequest(ctx context.Context, in *lakegate.WithdrawAccessRequestInput) (*lakegate.WithdrawAccessRequestOutput, error) {
	if err := s.enter(ctx, "WithdrawAccessRequest"); err != nil {
		return nil, err
	}
	r, err := s.find(ctx, in.AccessRequestId)
	if err != nil {
		return nil, err
	}
	if !s.mine(ctx, r) {
		return nil, notFound(in.AccessRequestId)
	}
	if err := s.decide(ctx, r, Withdrawn, nil); err != nil {
		return nil, err
	}
	return &lakegate.WithdrawAccessRequestOutput{AccessRequest: s.show(r)}, nil
}

// decide ends a request, together with what comes of it. The request is the caller's copy.
func (s *Service) decide(ctx context.Context, r *Request, to Status, also func(tx *store.Tx) error) error {
	if r.Status != Pending {
		return conflict(r)
	}
	r.Status, r.Decided, r.DecidedBy = to, store.Time(store.Millis(s.DB.Now())), s.nameOf(caller.From(ctx))
	err := s.DB.Update(ctx, func(tx *store.Tx) error {
		if also != nil {
			if err := also(tx); err != nil {
				return err
			}
		}
		return errors.Join(settle(ctx, tx, r), s.tell(ctx, tx, string(to), r))
	})
	if errors.Is(err, store.ErrNotFound) {
		return lakegate.ConflictException("The request " + r.ID + " was decided meanwhile.")
	}
	if err != nil {
		return fmt.Errorf("store decision: %w", err)
	}
	s.Hook.wake()
	return nil
}

func conflict(r *Request) error {
	return lakegate.ConflictException("The request " + r.ID + " is " + string(r.Status) + ", and only a pending one can be decided.")
}

func notFound(id string) error {
	return lakegate.ResourceNotFoundException("The request " + id + " was not found.")
}

// find reads a request as it stands now.
func (s *Service) find(ctx context.Context, id string) (r *Request, err error) {
	err = s.DB.View(ctx, func(q store.Querier) error { r, err = read(ctx, q, id); return err })
	if errors.Is(err, store.ErrNotFound) {
		return nil, notFound(id)
	}
	if err != nil {
		return nil, fmt.Errorf("read request: %w", err)
	}
	touch(ctx, r)
	return r.at(s.DB.Now()), nil
}

// nameOf is how a decision names who made it: the person, else the principal.
func (s *Service) nameOf(c *caller.Caller) string {
	if p := c.Named(); p != nil {
		if name, ok := s.People.UserName(p.IdentityStoreID, p.UserID); ok {
			return name
		}
		return p.UserID
	}
	return c.ARN
}

func (s *Service) show(r *Request) *lakegate.AccessRequest {
	name, _ := s.People.UserName(r.StoreID, r.UserID)
	return &lakegate.AccessRequest{
		AccessRequestId: r.ID, AccountId: r.Account, IdentityStoreId: known(r.StoreID), UserId: r.UserID, UserName: known(name), ApplicationArn: known(r.Application),
		Scope: r.Scope, Permission: lakegate.AccessRequestPermission(r.Permission), DurationSeconds: int(r.Duration / time.Second), Reason: r.Reason, Status: lakegate.AccessRequestStatus(r.Status),
		CreatedAt: r.Created, ExpiresAt: r.Expires, DecidedAt: moment(r.Decided), DecidedBy: known(r.DecidedBy), Comment: known(r.Comment),
		AccessGrantId: known(r.GrantID), GrantEndsAt: moment(r.GrantEnds),
	}
}

func known(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// touch names the request in the record of what is done with it.
func touch(ctx context.Context, r *Request) {
	name := arn.New("lakegate", caller.RequestFrom(ctx).Region, r.Account, "access-request/"+r.ID)
	trail.From(ctx).Resource("Lakegate::AccessRequest", name.String(), r.Account)
}
