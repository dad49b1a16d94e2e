package grants

import (
	"context"
	"fmt"
	"unicode"

	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/scope"
)

// Grants that deny take from what other grants give to the same person, group or principal: one of them beats every grant
// that allows. They are held to three times: when credentials are asked for, in the policy that bounds each request of
// credentials and of direct use (LimitsOf), and in the names that a list shows (Hidden).

// denial finds a grant that takes all of what is asked, or nil. One whose terms name actions leaves the rest of its
// permission, so it takes an action alone, and no permission.
func (r *Registry) denial(account string, q *Question) *Grant {
	for _, d := range r.denials.of(account, q.Target.Bucket, q) {
		if !d.Scope.Covers(q.Target) {
			continue
		}
		if q.Action == "" && d.Terms.Actions == nil && d.Permission.overlaps(q.Permission) || q.Action != "" && d.takes(q.Action) {
			return d
		}
	}
	return nil
}

// denialsIn lists the asker's grants that deny something in a scope, or all of it.
func (r *Registry) denialsIn(account string, in scope.Scope, q *Question) (all []*Grant) {
	for _, d := range r.denials.of(account, in.Bucket, q) {
		if d.Scope.CoversScope(in) || in.CoversScope(d.Scope) {
			all = append(all, d)
		}
	}
	return all
}

// denied tells a denial in the trail.
func denied(d *Grant, what string) string {
	return fmt.Sprintf("%s denies %s %s %s on %s (%s=Deny)", d.ID, d.Grantee.Type, d.Grantee.ID, what, d.Text, TagEffect)
}

// losing is the question of whether grants deny something to a caller. Unlike those that give, they count for a person even
// where the person's application may not ask for data: what is not known to be allowed is not given back.
func (s *Service) losing(i *Instance, c *caller.Caller) *Question {
	q := &Question{Principal: principalOf(c), Now: s.Now()}
	if c.Session != nil && c.Session.Vended != nil {
		v := c.Session.Vended
		if q.Principal = v.Principal; v.GranteeType == string(IAM) {
			q.Principal = v.Grantee
		}
	}
	if p := c.OnBehalf; p != nil && p.InstanceARN == i.IdentityCenter {
		q.User, q.Application = p.UserID, p.ApplicationARN
		q.Groups = s.Directory.GroupsOf(p.IdentityStoreID, p.UserID)
	}
	return q
}

// denial finds a grant that takes from a caller what a question asks for, or nil.
func (s *Service) denial(i *Instance, c *caller.Caller, q *Question) *Grant {
	if !s.Registry.denials.any(i.Account, q.Target.Bucket) {
		return nil
	}
	l := s.losing(i, c)
	l.Target, l.Permission, l.Action = q.Target, q.Permission, q.Action
	return s.Registry.denial(i.Account, l)
}

// Hidden tells which keys of a bucket a list by grants must not show to a caller, although the caller may list what lies
// above them: those for which a grant denies the action that lists. owner is the account of the bucket. past is a key behind
// all those that the grant hides. It is nil where nothing is hidden.
func (s *Service) Hidden(_ context.Context, c *caller.Caller, action, owner, bucket string) func(key string) (past string, hidden bool) {
	if c.Session != nil && c.Session.Vended != nil {
		owner = c.Session.Vended.GrantAccount
	}
	if !s.Registry.denials.any(owner, bucket) {
		return nil
	}
	i, ok := s.Registry.instances.Get(owner)
	if !ok {
		return func(key string) (string, bool) { return key, true }
	}
	var scopes []scope.Scope
	for _, d := range s.Registry.denials.of(i.Account, bucket, s.losing(i, c)) {
		if d.takes(action) {
			scopes = append(scopes, d.Scope)
		}
	}
	if len(scopes) == 0 {
		return nil
	}
	return func(key string) (past string, hidden bool) {
		for _, d := range scopes {
			if !d.CoversKey(bucket, key) {
				continue
			}
			if d.One {
				return key, true
			}
			return d.Prefix + string(unicode.MaxRune), true
		}
		return "", false
	}
}
