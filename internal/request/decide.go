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
// one who made it. lessen makes the request into what the decision is about; nil leaves it as it was asked for. Its error
// is for those who decide. What is returned is a copy to work on.
func (s *Service) toDecide(ctx context.Context, operation, id string, lessen func(*Request) error) (*Request, error) {
	if err := s.enter(ctx, operation); err != nil {
		return nil, err
	}
	r, err := s.find(ctx, id)
	if err != nil {
		return nil, err
	}
	own := *r
	var wrong error
	if lessen != nil {
		wrong = lessen(&own)
	}
	if err := s.mayDecide(ctx, &own); err != nil {
		if s.mine(ctx, r) {
			return nil, err
		}
		return nil, notFound(id)
	}
	return &own, wrong
}

// mine reports whether the request is of the person whom the caller acts for, or in whose name the session began.
func (s *Service) mine(ctx context.Context, r *Request) bool {
	p := caller.From(ctx).Named()
	return p != nil && p.IdentityStoreID == r.StoreID && p.UserID == r.UserID
}

// mayDecide is nil for owners and administrators, unless the request is their own.
func (s *Service) mayDecide(ctx context.Context, r *Request) error {
	if s.mine(ctx, r) {
		return lakegate.AccessDeniedException("Nobody decides about a request of their own.")
	}
	if s.administers(ctx, r.Account, r.Scope, s.tagsOf(r)) || s.owns(ctx, r) {
		return nil
	}
	return lakegate.AccessDeniedException("The request is for the owners of " + r.Scope + " and for administrators to decide.")
}

// tagsOf are those of the grant that a request would make now.
func (s *Service) tagsOf(r *Request) map[string]string {
	end := r.GrantEnds
	if end.IsZero() {
		end = r.ends(s.DB.Now())
	}
	return grants.IssuedTags(end, r.Reason)
}

// administers reports whether the caller could make the grant, with these tags, without any request: what a policy demands
// of CreateAccessGrant it demands here.
func (s *Service) administers(ctx context.Context, account, about string, tags map[string]string) bool {
	c := caller.From(ctx)
	if c.Account != account {
		return false
	}
	values := policy.Values{}
	values.Set("s3:AccessGrantScope", about)
	for k, v := range tags {
		values.Set("aws:RequestTag/"+k, v)
		values.Add("aws:TagKeys", k)
	}
	return s.Authorizer.Decide(ctx, authz.Request{
		Action: "s3:CreateAccessGrant", Resource: s.InstanceARN(account) + "/grant/*", Account: account, Context: values,
	}).Allowed
}

// owns reports whether the caller acts for a person whose the scope is.
func (s *Service) owns(ctx context.Context, r *Request) bool {
	c := caller.From(ctx)
	p := c.OnBehalf
	if p == nil || p.IdentityStoreID != r.StoreID || c.Session != nil && c.Session.Vended != nil {
		return false
	}
	d, err := s.draft(ctx, r.Account, r.Scope, r.Permission, r.UserID)
	if err != nil || len(d.Owners) == 0 {
		return false
	}
	groups := s.People.GroupsOf(p.IdentityStoreID, p.UserID)
	return slices.ContainsFunc(d.Owners, func(owner string) bool { return grants.OwnedBy(owner, p.UserID, groups) })
}
