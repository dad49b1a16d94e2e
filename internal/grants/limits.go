package grants

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/policy"
	"github.com/lakegate/lakegate/internal/scope"
)

// LimitsOf bounds the credentials of a grant on each of their requests, by what stands now: the grant, its location and
// role, its grantee, and for a person the account, the membership and the application. Callers without such credentials
// have no limit here. The error says what is gone.
func (s *Service) LimitsOf(ctx context.Context, c *caller.Caller) (limit []policy.Named, err error) {
	if c.Session == nil || c.Session.Vended == nil {
		return nil, nil
	}
	bounds, err := s.bounds(ctx, c)
	if err != nil {
		return nil, err
	}
	for _, b := range bounds {
		document, err := s.limits.of(b.boundary)
		if err != nil {
			return nil, err
		}
		limit = append(limit, policy.Named{Name: b.name, Document: document})
	}
	// A request with the credentials is a use of the grant. A question about such a session, which another caller asks, is none.
	if caller.From(ctx) == c {
		s.Registry.noteUse(c.Session.Vended.GrantAccount, c.Session.Vended.GrantID, s.Now())
	}
	return limit, nil
}

// SessionPolicy is what LimitsOf says of the credentials of a grant at this moment, as one session policy in JSON: for a
// storage with an STS of its own, which asks nobody again. How long it may be is for that STS to say (AWS: 2,048
// characters); without all of its statements the session would reach more than was granted.
func (s *Service) SessionPolicy(ctx context.Context, c *caller.Caller) ([]byte, error) {
	if c.Session == nil || c.Session.Vended == nil {
		return nil, errors.New("the session is not that of a grant")
	}
	bounds, err := s.bounds(ctx, c)
	if err != nil {
		return nil, err
	}
	var all []statement
	for _, b := range bounds {
		all = append(all, b.statements()...)
	}
	return sessionPolicy(all)
}

// bound is what a grant says of a session, under the grant's name.
type bound struct {
	name string
	boundary
}

// bounds are those of the grant behind a session, and of the grants that deny something of it.
func (s *Service) bounds(ctx context.Context, c *caller.Caller) ([]bound, error) {
	v := c.Session.Vended
	if s.UntilExpiry {
		covered, err := scope.Read(v.Target, v.Object)
		if err != nil {
			return nil, fmt.Errorf("the scope of the credentials cannot be read: %w", err)
		}
		own := boundary{covered, Permission(v.Permission), v.Actions, policy.Allow}
		return s.withDenials(c, v.GrantAccount, covered, []bound{{"access grant " + v.GrantID, own}})
	}
	g, ok := s.Registry.grant(v.GrantAccount, v.GrantID)
	if !ok {
		return nil, errors.New("the access grant " + v.GrantID + " was deleted")
	}
	switch now := s.Now(); {
	case string(g.Grantee.Type) != v.GranteeType || g.Grantee.ID != v.Grantee:
		return nil, errors.New("the access grant " + v.GrantID + " is for somebody else")
	case g.Terms.denies():
		return nil, errors.New("the access grant " + v.GrantID + " denies")
	case !g.Terms.InForce(now):
		return nil, errors.New("the access grant " + v.GrantID + " " + g.Terms.lapse(now))
	}
	if err := s.standing(ctx, g, c); err != nil {
		return nil, err
	}
	asked := Permission(v.Permission)
	if !g.Permission.Satisfies(asked) {
		return nil, errors.New("the access grant " + v.GrantID + " no longer gives " + v.Permission)
	}
	covered, err := scope.Read(v.Target, v.Object)
	if err != nil {
		return nil, fmt.Errorf("the scope of the credentials cannot be read: %w", err)
	}
	if !s.covers(g, c, covered) {
		return nil, errors.New("the access grant " + v.GrantID + " no longer covers " + v.Target)
	}
	own := boundary{covered, asked, strings.Join(g.Terms.actions(), " "), policy.Allow}
	return s.withDenials(c, g.Account, covered, []bound{{"access grant " + g.ID, own}})
}

// covers reports whether a grant reaches over a scope, for a caller whom it stands for. One with variables does where its
// person, or a group of the person's, has the name in the scope now.
func (s *Service) covers(g *Grant, c *caller.Caller, covered scope.Scope) bool {
	if !g.HasVariables() {
		return g.Scope.CoversScope(covered)
	}
	p := c.OnBehalf
	if p == nil || g.Scope.Bucket != covered.Bucket || !strings.HasPrefix(covered.Prefix, g.Scope.Literal()) {
		return false
	}
	q := Question{User: p.UserID, Groups: s.Directory.GroupsOf(p.IdentityStoreID, p.UserID), Names: s.namesOf(p)}
	for home := range q.homesAbove(g, covered.Prefix) {
		if home.Scope.CoversScope(covered) {
			return true
		}
	}
	return false
}

// namesOf finds the names of a person and the person's groups.
func (s *Service) namesOf(p *caller.Identity) Names {
	name, _ := s.Directory.UserName(p.IdentityStoreID, p.UserID)
	return Names{User: name, Group: func(id string) (string, bool) { return s.Directory.GroupName(p.IdentityStoreID, id) }}
}

// withDenials adds what grants deny the caller of what the credentials cover.
func (s *Service) withDenials(c *caller.Caller, account string, covered scope.Scope, all []bound) ([]bound, error) {
	if !s.Registry.denials.any(account, covered.Bucket) {
		return all, nil
	}
	i, ok := s.Registry.instances.Get(account)
	if !ok {
		return nil, errors.New("the access grants instance is gone")
	}
	for _, d := range s.Registry.denialsIn(account, covered, s.losing(i, c)) {
		b := boundary{d.Scope, d.Permission, strings.Join(d.Terms.Actions, " "), policy.Deny}
		if !b.empty() {
			all = append(all, bound{"access grant " + d.ID + " (" + TagEffect + "=Deny)", b})
		}
	}
	return all, nil
}

// standing asks whether what a grant rests on still stands for the one who uses it.
func (s *Service) standing(ctx context.Context, g *Grant, c *caller.Caller) error {
	l, ok := s.Registry.location(g.Account, g.LocationID)
	if !ok {
		return errors.New("the location of the access grant " + g.ID + " was deleted")
	}
	if role, ok := s.Accounts.LocationRole(l.Role); !ok || role.ID != c.Session.RoleID {
		return errors.New("the location of the access grant " + g.ID + " has another role now")
	}
	if g.Grantee.Type == IAM {
		if !s.Accounts.Exists(g.Grantee.ID) {
			return errors.New("the grantee " + g.Grantee.ID + " is gone")
		}
		return nil
	}
	i, ok := s.Registry.instances.Get(g.Account)
	if !ok {
		return errors.New("the access grants instance is gone")
	}
	p, err := s.identityOf(ctx, i, c)
	switch {
	case err != nil:
		return err
	case p == nil:
		return errors.New("the credentials carry no person")
	case g.Application != "" && g.Application != p.ApplicationARN:
		return errors.New("the access grant " + g.ID + " is for another application")
	}
	q := Question{User: p.UserID, Groups: s.Directory.GroupsOf(p.IdentityStoreID, p.UserID)}
	if !q.is(g.Grantee) {
		return errors.New("the person is no longer in the group " + g.Grantee.ID)
	}
	return nil
}

// boundary is what a policy made of a grant says. actions are those that the grant's terms name, joined by spaces.
type boundary struct {
	scope      scope.Scope
	permission Permission
	actions    string
	effect     policy.Effect
}

// limitCache keeps the compiled policies. It forgets everything when it is full.
type limitCache struct {
	mu        sync.RWMutex
	documents map[boundary]*policy.Document
}

const maxLimits = 4096

func (c *limitCache) of(b boundary) (*policy.Document, error) {
	c.mu.RLock()
	d := c.documents[b]
	c.mu.RUnlock()
	if d != nil {
		return d, nil
	}
	text, err := sessionPolicy(b.statements())
	if err != nil {
		return nil, err
	}
	d, err = policy.Parse(text, policy.Session)
	if err != nil {
		return nil, fmt.Errorf("make session policy for %s: %w", b.scope, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.documents == nil || len(c.documents) >= maxLimits {
		c.documents = map[boundary]*policy.Document{}
	}
	c.documents[b] = d
	return d, nil
}

type statement struct {
	Effect    string
	Action    []string
	Resource  string
	Condition map[string]map[string]string `json:",omitempty"`
}

func sessionPolicy(statements []statement) ([]byte, error) {
	return json.Marshal(struct {
		Version   string
		Statement []statement
	}{"2012-10-17", statements})
}

// empty reports whether there is no statement to make: a denial to list one key is none that a policy can name.
func (b boundary) empty() bool {
	if b.effect == policy.Allow || !b.scope.One || b.actions == "" {
		return false
	}
	for a := range strings.FieldsSeq(b.actions) {
		if !slices.Contains(readBucket, a) {
			return false
		}
	}
	return true
}

// statements are about the actions of a permission in a scope and nothing else. Keys are escaped, so that a star in one is
// no wildcard. A whole bucket can also be listed without a prefix; a prefix or a key only with itself before it.
func (b boundary) statements() (all []statement) {
	objects := arn.Object(b.scope.Bucket, policy.Escape(b.scope.Prefix))
	prefix := policy.Escape(b.scope.Prefix)
	if !b.scope.One {
		objects, prefix = objects+"*", prefix+"*"
	}
	some := func(actions []string) (chosen []string) {
		if b.actions == "" {
			return actions
		}
		named := strings.Fields(b.actions)
		return slices.DeleteFunc(slices.Clone(actions), func(a string) bool { return !slices.Contains(named, a) })
	}
	add := func(resource string, condition map[string]map[string]string, actions ...string) {
		if actions = some(actions); len(actions) > 0 {
			all = append(all, statement{Effect: string(b.effect), Action: actions, Resource: resource, Condition: condition})
		}
	}
	// Actions on tags are given where they are named, and taken with all others.
	tags := b.actions != "" || b.effect == policy.Deny
	if b.permission != Write {
		add(objects, nil, readObject...)
		if tags {
			add(objects, nil, readTags...)
		}
		var condition map[string]map[string]string
		if b.scope.Prefix != "" {
			condition = map[string]map[string]string{"StringLike": {"s3:prefix": prefix}}
		}
		// To list with one denied key in front may show others that begin with it; Hidden leaves that one out.
		if b.effect == policy.Allow || !b.scope.One {
			add(arn.Bucket(b.scope.Bucket), condition, readBucket...)
		}
	}
	if b.permission != Read {
		add(objects, nil, writeObject...)
		if tags {
			add(objects, nil, writeTags...)
		}
	}
	return all
}
