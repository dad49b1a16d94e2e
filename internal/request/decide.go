package request

import (
	"context"
	"slices"

	"github.com/lakegate/lakegate/internal/api/lakegate"
	"github.com/lakegate/lakegate/internal/authz"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/grants"
	"github.com/lakegate/lakegate/internal/policy"
)

// toDecide finds a request for somebody who decides it, and refuses everybody else: as if it were not there, but for the
// one who made it. narrowed is the part of the scope that the decision is about; nil is all of it. What is returned is a
// copy to work on.
func (s *Service) toDecide(ctx context.Context, operation, id string, narrowed *string) (*Request, error) {
	if err := s.enter(ctx, operation); err != nil {
		return nil, err
	}
	r, err := s.find(ctx, id)
	if err != nil {
		return nil, err
	}
	about := r.Scope
	if narrowed != nil {
		about = *narrowed
	}
	if err := s.mayDecide(ctx, r, about); err != nil {
		if s.mine(ctx, r) {
			return nil, err
		}
		return nil, notFound(id)
	}
	own := *r
	return &own, nil
}

// mine reports whether the request is of the person whom the caller acts for, or in whose name the session began.
func (s *Service) mine(ctx context.Context, r *Request) bool {
	p := caller.From(ctx).Named()
	return p != nil && p.IdentityStoreID == r.StoreID && p.UserID == r.UserID
}

// mayDecide is nil for owners and administrators, unless the request is their own. about is the scope that they decide on.
func (s *Service) mayDecide(ctx context.Context, r *Request, about string) error {
	if s.mine(ctx, r) {
		return lakegate.AccessDeniedException("Nobody decides about a request of their own.")
	}
	if s.administers(ctx, r.Account, about) || s.owns(ctx, r, about) {
		return nil
	}
	return lakegate.AccessDeniedException("The request is for the owners of " + about + " and for administrators to decide.")
}

// administers reports whether the caller could make the grant without any request.
func (s *Service) administers(ctx context.Context, account, about string) bool {
	c := caller.From(ctx)
	if c.Account != account {
		return false
	}
	values := policy.Values{}
	values.Set("s3:AccessGrantScope", about)
	return s.Authorizer.Decide(ctx, authz.Request{
		Action: "s3:CreateAccessGrant", Resource: s.InstanceARN(account) + "/grant/*", Account: account, Context: values,
	}).Allowed
}

// owns reports whether the caller acts for a person whose the scope is.
func (s *Service) owns(ctx context.Context, r *Request, about string) bool {
	c := caller.From(ctx)
	p := c.OnBehalf
	if p == nil || p.IdentityStoreID != r.StoreID || c.Session != nil && c.Session.Vended != nil {
		return false
	}
	d, err := s.draft(ctx, r.Account, about, r.Permission, r.UserID)
	if err != nil || len(d.Owners) == 0 {
		return false
	}
	groups := s.People.GroupsOf(p.IdentityStoreID, p.UserID)
	return slices.ContainsFunc(d.Owners, func(owner string) bool { return grants.OwnedBy(owner, p.UserID, groups) })
}
