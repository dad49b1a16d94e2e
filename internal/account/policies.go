package account

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/policy"
)

// ErrGone says that a caller's principal is no longer what it was when its key or session was made: deleted, renamed,
// made again under the same name, or in an account that is suspended. Who gets it has no policies.
var ErrGone = errors.New("no longer exists")

// PoliciesOf returns every policy that applies to the caller as it is now, apart from those that hang on resources. It
// implements authz.Policies.
func (r *Registry) PoliciesOf(_ context.Context, c *caller.Caller) (policy.Policies, error) {
	if c.Type == caller.Root {
		if !r.isActive(c.Account) {
			return policy.Policies{}, fmt.Errorf("the active account %s %w", c.Account, ErrGone)
		}
		return policy.Policies{}, nil
	}
	e, err := r.principal(c)
	if err != nil {
		return policy.Policies{}, err
	}
	p := policy.Policies{Identity: r.identityPolicies(e)}
	if e.Boundary != "" {
		p.Boundary = []policy.Named{r.managedNamed(e.Account, e.Boundary)}
	}
	if c.Session == nil {
		return p, nil
	}
	// A federated user has what the user and the session policies both allow: without any, nothing.
	if group := r.sessionGroup(e.Account, c.Session); group != nil || c.Type == caller.FederatedUser {
		p.Session = [][]policy.Named{group}
	}
	// Vended credentials carry the person for the record, but are the location role's: their own limits bound them. A session
	// that began at the portal carries the person who opened it, and is bounded by the assignment; only an identity context,
	// which an application presents, makes a session identity-enhanced.
	if c.OnBehalf != nil && c.Session.Vended == nil && c.Session.Portal == nil {
		p.Guardrail = []policy.Named{r.guard.named()}
	}
	return p, nil
}

// TagsOf returns the tags of the caller's user or role as they are now. It implements authz.Tags.
func (r *Registry) TagsOf(_ context.Context, c *caller.Caller) map[string]string {
	e, err := r.principal(c)
	if err != nil {
		return nil
	}
	return tagMap(e.Tags)
}

// principal finds the user or role that a caller is, by id, and refuses it when it is not the one of that name any more.
func (r *Registry) principal(c *caller.Caller) (*Entity, error) {
	id, name, kind := "", c.ARN, UserKind
	switch c.Type {
	case caller.User:
		id = c.UserID
	case caller.FederatedUser:
		if c.Session == nil || c.Session.Federator == nil {
			return nil, fmt.Errorf("the session of %s %w", c.ARN, ErrGone)
		}
		id, name = c.Session.Federator.ID, c.Session.Federator.ARN
	case caller.AssumedRole:
		if c.Session == nil {
			return nil, fmt.Errorf("the session of %s %w", c.ARN, ErrGone)
		}
		id, name, kind = c.Session.RoleID, c.PrincipalARN, RoleKind
	default:
		return nil, fmt.Errorf("an IAM principal behind the caller %s %w", c.Type, ErrGone)
	}
	e, ok := r.entities.Get(id)
	if !ok || e.Kind != kind || e.Account != c.Account || e.ARN() != name {
		return nil, fmt.Errorf("the %s %s with the id %s %w", kind, name, id, ErrGone)
	}
	if !r.isActive(e.Account) {
		return nil, fmt.Errorf("the active account %s %w", e.Account, ErrGone)
	}
	return e, nil
}

func (r *Registry) identityPolicies(e *Entity) []policy.Named {
	named := make([]policy.Named, 0, len(e.Inline)+len(e.Attached))
	named = r.appendPolicies(named, e)
	for _, id := range e.Groups {
		if g, ok := r.entities.Get(id); ok {
			named = r.appendPolicies(named, g)
		}
	}
	return named
}

func (r *Registry) appendPolicies(named []policy.Named, e *Entity) []policy.Named {
	for _, p := range e.Inline {
		named = append(named, p.named(e))
	}
	for _, name := range e.Attached {
		named = append(named, r.managedNamed(e.Account, name))
	}
	return named
}

// named is an inline policy of an entity.
func (p *Inline) named(e *Entity) policy.Named {
	return policy.Named{Name: p.Name + " of " + string(e.Kind) + " " + e.Name, Document: p.Document}
}

// managedNamed is the version in effect of a managed policy. One that is gone denies everything: it may have held a Deny.
func (r *Registry) managedNamed(account, name string) policy.Named {
	if p, ok := r.managedPolicy(account, name); ok {
		return p.named()
	}
	return policy.Named{Name: name}
}

// sessionGroup is what was handed over when the session was made: one inline policy and any number of managed ones, which
// together are one limit. It is nil when nothing was.
func (r *Registry) sessionGroup(account string, s *caller.Session) []policy.Named {
	var group []policy.Named
	if s.Policy != "" {
		group = append(group, policy.Named{Name: "session policy", Document: r.sessions.parse(s.Policy)})
	}
	for _, name := range s.PolicyARNs {
		group = append(group, r.managedNamed(account, name))
	}
	return group
}

// sessionPolicies keeps the parsed policies of sessions. They are part of the session token, so that any number may come:
// it forgets everything when it is full.
type sessionPolicies struct {
	mu     sync.RWMutex
	parsed map[string]*policy.Document
}

const maxSessionPolicies = 4096

// parse returns the document of a session policy, nil when it cannot be read, which denies everything.
func (s *sessionPolicies) parse(text string) *policy.Document {
	s.mu.RLock()
	doc, ok := s.parsed[text]
	s.mu.RUnlock()
	if ok {
		return doc
	}
	doc, _ = policy.Parse([]byte(text), policy.Session)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.parsed == nil || len(s.parsed) >= maxSessionPolicies {
		s.parsed = map[string]*policy.Document{}
	}
	s.parsed[text] = doc
	return doc
}
