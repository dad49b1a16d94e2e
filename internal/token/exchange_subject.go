package token

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/lakegate/lakegate/internal/api/ssooidc"
	"github.com/lakegate/lakegate/internal/center"
)

// exchangeSubject is the grant token-exchange: an application that was called with the access token of another one gets
// tokens of its own for the same person (RFC 8693). The other application must have a scope in the token that is meant for
// this one: its AuthorizedTargets name this application or the instance, or nobody. The person must be assigned here too.
//
// An exchange never widens. Its scopes are those that the token holds, that may be handed on to this application, and that
// this application has itself; and what comes from it lasts no longer than the sign-in that it came from, with which it
// ends.
func (s *Service) exchangeSubject(ctx context.Context, x *exchange) (*ssooidc.CreateTokenWithIAMOutput, error) {
	const step = "subject token"
	subject := value(x.in.SubjectToken)
	if subject == "" || value(x.in.SubjectTokenType) != typeAccess {
		return nil, x.refuse(step, invalidRequest(), errors.New("the request needs a subject token of the type access_token"))
	}
	switch value(x.in.RequestedTokenType) {
	case "", typeAccess:
		x.refreshable = false
	case typeRefresh:
		if !x.refreshable {
			return nil, x.refuse("grant type", unauthorizedClient(), fmt.Errorf("the application has no grant %s", center.GrantRefreshToken))
		}
	default:
		return nil, x.refuse(step, invalidRequest(), fmt.Errorf("%.80q cannot be requested", *x.in.RequestedTokenType))
	}
	access, parent, err := s.openAccess(ctx, subject)
	if err != nil {
		return nil, x.refuseToken(step, err)
	}
	source, ok := s.center.Application(parent.application)
	switch {
	case !ok:
		err = errors.New("the token was not issued to an application")
	case source.ARN == x.app.ARN:
		err = errors.New("the token was issued to this application itself")
	case source.Instance != x.instance.ARN:
		err = errors.New("the token is of another instance")
	case !slices.ContainsFunc(access.Scopes, func(scope string) bool { return handsOn(source, x.app, scope) }):
		err = fmt.Errorf("none of the scopes %.512q of %s is for this application", access.Scopes, source.ARN)
	}
	if err != nil {
		return nil, x.refuse(step, invalidGrant(), err)
	}
	x.pass(step, "issued to "+source.ARN)
	if err := s.take(x, parent.user); err != nil {
		return nil, err
	}
	if err := s.admit(x, handedOn(source, x.app, access.Scopes)); err != nil {
		return nil, err
	}
	f := s.newFamily(x)
	f.parent, f.issuer, f.signedIn, f.expires = parent.id, source.ARN, parent.signedIn, parent.expires
	return s.start(ctx, x, f, step)
}

// handsOn reports whether an application may hand on a scope to another one.
func handsOn(source, target *center.Application, scope string) bool {
	targets, ok := source.Scopes[scope]
	return ok && (len(targets) == 0 || slices.Contains(targets, target.ARN) || slices.Contains(targets, target.Instance))
}

// handedOn are the scopes of a token that are handed on with it: those that are meant for the target, and those that every
// application has. It is never nil, so that none stays none.
func handedOn(source, target *center.Application, held []string) []string {
	out := []string{}
	for _, scope := range held {
		if slices.Contains(center.ImpliedScopes(), scope) || handsOn(source, target, scope) {
			out = append(out, scope)
		}
	}
	return out
}

// stillHandedOn asks, for a refresh, whether the application that the person came from still stands and is still meant to
// call this one, and returns the scopes that it may still hand on.
func (s *Service) stillHandedOn(x *exchange, f *family) ([]string, error) {
	source, ok := s.center.Application(f.issuer)
	switch {
	case !ok || !source.Enabled:
		return nil, x.refuse("subject token", invalidGrant(), fmt.Errorf("the application %s is disabled or gone", f.issuer))
	case !slices.ContainsFunc(source.ScopeNames(), func(scope string) bool { return handsOn(source, x.app, scope) }):
		return nil, x.refuse("subject token", invalidGrant(), fmt.Errorf("no scope of %s is for this application", f.issuer))
	}
	return handedOn(source, x.app, f.scopes), nil
}
