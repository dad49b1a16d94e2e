package token

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/lakegate/lakegate/internal/api/ssooidc"
	"github.com/lakegate/lakegate/internal/center"
	"github.com/lakegate/lakegate/internal/issuer"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/trail"
)

// exchangeAssertion is the grant jwt-bearer.
func (s *Service) exchangeAssertion(ctx context.Context, x *exchange) (*ssooidc.CreateTokenWithIAMOutput, error) {
	if x.in.Assertion == nil || *x.in.Assertion == "" {
		return nil, x.refuse("assertion", invalidRequest(), errors.New("the request has no assertion"))
	}
	a, err := issuer.Parse(*x.in.Assertion, s.algorithms)
	if err != nil {
		return nil, x.refuse("assertion", invalidGrant(), err)
	}
	x.pass("assertion", "a JWT signed with "+string(a.Algorithm))
	if err := s.believe(ctx, x, a); err != nil {
		return nil, err
	}
	if err := s.findPerson(x, &a.Claims); err != nil {
		return nil, err
	}
	if err := s.admit(x, nil); err != nil {
		return nil, err
	}
	f := s.newFamily(x)
	f.issuer = x.issuer.ARN
	// An issuer whose clock is ahead must not put the sign-in behind a revocation that is yet to come.
	if !a.Claims.Issued.IsZero() && a.Claims.Issued.Before(x.now) {
		f.signedIn = a.Claims.Issued
	}
	// A token that was taken before the revocation would otherwise give an identity context of after it.
	if err := s.checkRevoked(f); err != nil {
		return nil, x.refuseToken("assertion", err)
	}
	out, refresh, err := s.issue(ctx, x, f)
	if err != nil {
		return nil, err
	}
	// Last, so that a token is not used up by a request that was refused.
	id := tokenID(x.instance.ARN, a)
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		if err := useToken(ctx, tx, id, a.Claims.Expires.Add(clockSkew)); err != nil {
			return err
		}
		return storeFamily(ctx, tx, f, refresh)
	})
	if errors.Is(err, errReplayed) {
		return nil, x.refuse("first use", invalidGrant(), err)
	}
	if err != nil {
		return nil, fmt.Errorf("mark token as used: %w", err)
	}
	x.pass("first use", "")
	return out, nil
}

// newFamily makes the family of an exchange that begins one: of what it found, for as long as a sign-in lasts from now.
func (s *Service) newFamily(x *exchange) *family {
	return &family{
		id: uuid.NewString(), client: x.app.ARN, application: x.app.ARN, instance: x.instance.ARN, user: x.person.ID,
		grantType: x.in.GrantType, scopes: x.scopes, signedIn: x.now, expires: s.endOf(x.instance.ARN, x.now),
	}
}

// tokenID is what tells an assertion from every other: its jti, unique for an issuer, or else what was signed. The
// signature is left out, since there can be many for the same text.
func tokenID(instance string, a *issuer.Token) []byte {
	kind, id := "jti", a.Claims.ID
	if id == "" {
		kind, id = "jws", a.Signed
	}
	h := sha256.New()
	for _, part := range []string{instance, a.Claims.Issuer, kind, id} {
		_, _ = fmt.Fprintf(h, "%d:%s", len(part), part) // lengths, so that parts cannot run into each other
	}
	return h.Sum(nil)
}

// candidate is an issuer that an application's grant trusts, with the audiences that it authorises.
type candidate struct {
	issuer    *center.Issuer
	audiences []string
}

// meant reports whether a token is for one of the audiences.
func (c candidate) meant(t *issuer.Claims) bool {
	return slices.ContainsFunc(t.Audiences, func(aud string) bool { return slices.Contains(c.audiences, aud) })
}

// issuersOf are the trusted token issuers of an application's grant that have the URL.
func (s *Service) issuersOf(app *center.Application, url string) (out []candidate) {
	for _, authorized := range app.Grants[center.GrantJWTBearer].Issuers {
		i, ok := s.center.Issuer(authorized.ARN)
		if ok && i.URL == url && i.Instance == app.Instance {
			out = append(out, candidate{i, authorized.Audiences})
		}
	}
	return out
}

// believe finds the issuer and holds the assertion against what the issuer signed, the clock and the grant.
func (s *Service) believe(ctx context.Context, x *exchange, a *issuer.Token) error {
	candidates := s.issuersOf(x.app, a.Claims.Issuer)
	if len(candidates) == 0 {
		return x.refuse("issuer", invalidGrant(), fmt.Errorf("the grant has no trusted token issuer with the URL %.512q", a.Claims.Issuer))
	}
	x.pass("issuer", a.Claims.Issuer)
	if err := s.issuers.Verify(ctx, a.Claims.Issuer, a); err != nil {
		return x.refuse("signature", invalidGrant(), err)
	}
	x.pass("signature", "by a key of the issuer")
	if err := a.Claims.CheckTimes(x.now, clockSkew, s.longest); err != nil {
		return x.refuse("time", invalidGrant(), err)
	}
	x.pass("time", "")
	// Issuers with the same URL differ in their audiences or mapping: the first that is meant for the token counts.
	for _, c := range candidates {
		if c.meant(&a.Claims) {
			x.issuer = c.issuer
			x.pass("audience", c.issuer.ARN)
			return nil
		}
	}
	return x.refuse("audience", invalidGrant(), fmt.Errorf("the token is for %.512q, which the grant does not authorise", a.Claims.Audiences))
}

// findPerson maps the claim to the one person whom it names.
func (s *Service) findPerson(x *exchange, c *issuer.Claims) error {
	value, err := c.Claim(x.issuer.Claim)
	if err != nil {
		return x.refuse("person", invalidGrant(), err)
	}
	found := s.people.FindUsers(x.instance.StoreID, x.issuer.Attribute, value)
	if len(found) != 1 {
		return x.refuse("person", invalidGrant(), fmt.Errorf("%d people have the %s %.256q that claim %s holds", len(found), x.issuer.Attribute, value, x.issuer.Claim))
	}
	return s.take(x, found[0])
}

// take sets the person, who has to be there and enabled.
func (s *Service) take(x *exchange, userID string) error {
	p, ok := s.people.User(x.instance.StoreID, userID)
	if !ok {
		return x.refuse("person", invalidGrant(), fmt.Errorf("the person %s is no longer in the directory", userID))
	}
	x.person = p
	x.entry.Add(trail.KeyPersonID, p.ID)
	x.entry.Add(trail.KeyPersonName, p.UserName)
	x.entry.Add(trail.KeyIdentityStore, x.instance.StoreARN())
	if !p.Enabled {
		return x.refuse("person", invalidGrant(), fmt.Errorf("the person %s is disabled", p.UserName))
	}
	x.pass("person", p.UserName)
	return nil
}

// admit asks whether the person may use the application, and for which of the scopes. Nil bounds means that the
// application's own are the limit.
func (s *Service) admit(x *exchange, bounds []string) error {
	if !s.center.Assigned(x.app.ARN, x.person.ID, s.people.GroupsOf(x.instance.StoreID, x.person.ID)) {
		return x.refuse("assignment", ssooidc.AccessDeniedException(""), errors.New("the person is not assigned to the application, nor is a group of theirs"))
	}
	x.pass("assignment", "")
	scopes, err := grantScopes(scopesOf(x.app, x.instance), bounds, x.in.Scope)
	if err != nil {
		return x.refuse("scope", ssooidc.InvalidScopeException("Invalid scope provided"), err)
	}
	x.scopes = scopes
	x.pass("scope", strings.Join(scopes, " "))
	return nil
}

// The scopes of center.ImpliedScopes, by which an answer has more or less in it.
const (
	scopeOpenID  = "openid"
	scopeAWS     = "aws"
	scopeContext = "sts:identity_context"
)

// grantScopes answers a request for scopes: none asked for means all there are. bounds, when not nil, are the scopes that
// an earlier answer gave, which a refresh cannot widen.
func grantScopes(configured, bounds, asked []string) ([]string, error) {
	all := append(append([]string{scopeContext}, configured...), scopeOpenID, scopeAWS)
	if bounds != nil {
		all = slices.DeleteFunc(all, func(s string) bool { return !slices.Contains(bounds, s) })
	}
	for _, s := range asked {
		if !slices.Contains(all, s) {
			return nil, fmt.Errorf("scope %.160q is not configured for the application", s)
		}
	}
	if len(asked) > 0 {
		all = slices.DeleteFunc(all, func(s string) bool { return !slices.Contains(asked, s) })
	}
	if len(all) == 0 {
		return nil, errors.New("no scope is left")
	}
	return compact(all), nil
}

// scopesOf are the configured scopes of an application that its instance knows.
func scopesOf(a *center.Application, i *center.Instance) []string {
	return slices.DeleteFunc(a.ScopeNames(), func(s string) bool { return s == scopeAccounts && !i.Organization })
}

// compact removes repetitions and keeps the order; somebody may have configured a scope that is there anyway.
func compact(all []string) []string {
	var out []string
	for _, s := range all {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}
