package server

import (
	"context"
	"errors"

	"github.com/lakegate/lakegate/internal/account"
	"github.com/lakegate/lakegate/internal/authn"
	"github.com/lakegate/lakegate/internal/authz"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/center"
	"github.com/lakegate/lakegate/internal/directory"
	"github.com/lakegate/lakegate/internal/explain"
	"github.com/lakegate/lakegate/internal/grants"
	"github.com/lakegate/lakegate/internal/policy"
	"github.com/lakegate/lakegate/internal/portal"
	"github.com/lakegate/lakegate/internal/session"
)

// keys is the registry of accounts as authn asks for it.
type keys struct{ accounts *account.Registry }

// Key implements authn.Keys.
func (k keys) Key(accessKeyID string) (string, *caller.Caller, error) {
	secret, c, err := k.accounts.Lookup(accessKeyID)
	if errors.Is(err, account.ErrNoKey) {
		return "", nil, authn.ErrUnknownKey
	}
	return secret, c, err
}

// principals is the registry of accounts as session asks for it.
type principals struct{ *account.Registry }

// RoleToAssume implements session.Accounts.
func (p principals) RoleToAssume(arn string) (session.Role, bool) {
	r, ok := p.RoleByARN(arn)
	if !ok {
		return session.Role{}, false
	}
	return session.Role{ARN: r.ARN, ID: r.ID, Name: r.Name, Account: r.Account, Trust: r.Trust, MaxDuration: r.MaxDuration, Tags: r.Tags}, true
}

// OIDCProviderOf implements session.Accounts.
func (p principals) OIDCProviderOf(account, issuer string) (session.Provider, bool) {
	o, ok := p.OIDCProvider(account, issuer)
	if !ok {
		return session.Provider{}, false
	}
	return session.Provider{ARN: o.ARN(), Name: o.Name, Clients: o.Clients}, true
}

// LocationRole implements grants.Accounts.
func (p principals) LocationRole(arn string) (grants.Role, bool) {
	r, ok := p.RoleByARN(arn)
	if !ok {
		return grants.Role{}, false
	}
	return grants.Role{ARN: r.ARN, ID: r.ID, Name: r.Name, Account: r.Account, Trust: r.Trust, MaxDuration: r.MaxDuration}, true
}

// RoleOf implements explain.Roles.
func (p principals) RoleOf(arn string) (explain.Role, bool) {
	r, ok := p.RoleByARN(arn)
	return explain.Role{ARN: r.ARN, ID: r.ID, Name: r.Name, Account: r.Account, Trust: r.Trust}, ok
}

// examinedGrants is access grants as explain asks for them.
type examinedGrants struct {
	*grants.Registry
	*grants.Service
}

// people is the directory as grants ask for it.
type people struct{ *directory.Directory }

// UserName implements grants.Directory.
func (p people) UserName(storeID, userID string) (string, bool) {
	u, ok := p.User(storeID, userID)
	return u.UserName, ok
}

// centers is the identity center as grants ask for it.
type centers struct{ *center.Center }

// InstanceOf implements grants.Center.
func (c centers) InstanceOf(arn string) (account, storeID string, organization, ok bool) {
	i, ok := c.Instance(arn)
	if !ok {
		return "", "", false, false
	}
	return i.Account, i.StoreID, i.Organization, true
}

// ApplicationExists implements grants.Center.
func (c centers) ApplicationExists(arn string) bool {
	_, ok := c.Application(arn)
	return ok
}

// GrantsReach implements grants.Center.
func (c centers) GrantsReach(application string, targets ...string) bool {
	a, ok := c.Application(application)
	return ok && a.ScopeReaches(center.ScopeAccessGrants, targets...)
}

// vault is the key ring as grants ask for it.
type vault struct{ ring *session.Ring }

// Vend implements grants.Vault.
func (v vault) Vend(c *caller.Caller) (grants.Credentials, error) {
	creds, err := v.ring.Issue(c)
	return grants.Credentials(creds), err
}

// limits bounds sessions beyond IAM, decided on each request: none that was revoked goes on, the person and the
// application of an identity-enhanced session must stand, so must the assignment of one that began at the portal, and a
// vended one reaches as far as its grant does now.
type limits struct {
	*rooms
	grants *grants.Service
	portal *portal.Service
	// untilExpiry lets sessions live until they expire, as AWS does, unless they are revoked by name.
	untilExpiry bool
}

// LimitsOf implements authz.Limits.
func (l *limits) LimitsOf(ctx context.Context, c *caller.Caller) ([]policy.Named, error) {
	if err := l.revocations.Check(c); err != nil {
		return nil, err
	}
	if l.untilExpiry {
		return l.grants.LimitsOf(ctx, c)
	}
	person := c.OnBehalf
	if c.Session != nil && c.Session.Portal != nil {
		if err := l.portal.Standing(c); err != nil {
			return nil, err
		}
		person = c.Named()
	}
	if person != nil {
		if err := l.PersonActive(ctx, person); err != nil {
			return nil, err
		}
	}
	return l.grants.LimitsOf(ctx, c)
}

// trailAuthorizer is the authorizer as the trail asks it, which knows no requests with resource policies.
type trailAuthorizer struct{ *authz.Authorizer }

// Authorize implements trail.Authorizer.
func (t trailAuthorizer) Authorize(ctx context.Context, action, resource string) error {
	return t.Authorizer.Authorize(ctx, authz.Request{Action: action, Resource: resource})
}

// finder finds people and groups by name.
type finder struct{ *directory.Directory }

// FindUserID implements grants.Finder.
func (f finder) FindUserID(ctx context.Context, storeID, userName string) (string, error) {
	found, err := f.ListUsers(ctx, storeID, directory.UserFilter{UserName: userName}, directory.Page{Limit: 1})
	if err != nil || len(found) == 0 {
		return "", err
	}
	return found[0].ID, nil
}

// FindGroupID implements grants.Finder.
func (f finder) FindGroupID(ctx context.Context, storeID, displayName string) (string, error) {
	found, err := f.ListGroups(ctx, storeID, directory.GroupFilter{DisplayName: displayName}, directory.Page{Limit: 1})
	if err != nil || len(found) == 0 {
		return "", err
	}
	return found[0].ID, nil
}
