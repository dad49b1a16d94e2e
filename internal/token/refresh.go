package token

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/lakegate/lakegate/internal/api/ssooidc"
	"github.com/lakegate/lakegate/internal/center"
	"github.com/lakegate/lakegate/internal/store"
)

// Refresh tokens are random and stored as hashes. Each is used once and gives the next of its family. One that comes a
// second time was stolen from somebody, so the whole family ends (RFC 9700 §4.14.2), and the person signs in again. A
// family ends a fixed time after the sign-in, however often it is refreshed.

// findRefresh reads a refresh token of a client that came to it by IssueAccess or not. ErrInvalid, ErrExpired and ErrEnded
// say why it gives nothing; one that was used before ends its family.
func (s *Service) findRefresh(ctx context.Context, client, secret string, issued bool) (refreshToken, error) {
	now := s.db.Now()
	var old refreshToken
	err := s.db.View(ctx, func(q store.Querier) (err error) {
		old, err = readRefresh(ctx, q, hashOf(secret))
		return err
	})
	switch {
	case errors.Is(err, store.ErrNotFound):
		return old, fmt.Errorf("no such refresh token: %w", ErrInvalid)
	case err != nil:
		return old, fmt.Errorf("read refresh token: %w", err)
	case old.family.client != client || (old.family.grantType == "") != issued:
		return old, fmt.Errorf("the refresh token is of another client: %w", ErrInvalid)
	case !old.family.ended.IsZero():
		return old, ErrEnded
	case !old.used.IsZero():
		return old, s.endReused(ctx, old.family.id)
	case !now.Before(old.family.expires):
		return old, fmt.Errorf("the sign-in is too long ago: %w", ErrExpired)
	}
	if err := s.checkRevoked(old.family); err != nil {
		return old, err
	}
	return old, nil
}

// rotate uses a refresh token up for the next one.
func (s *Service) rotate(ctx context.Context, old refreshToken, next []byte) error {
	spent := false
	err := s.db.Update(ctx, func(tx *store.Tx) (err error) {
		if spent, err = spendRefresh(ctx, tx, old.hash, s.db.Now()); err != nil || !spent || next == nil {
			return err
		}
		return insertRefresh(ctx, tx, next, old.family.id)
	})
	if err != nil {
		return fmt.Errorf("spend refresh token: %w", err)
	}
	if !spent {
		return s.endReused(ctx, old.family.id)
	}
	return nil
}

// endReused ends the family of a refresh token that came twice, and says so.
func (s *Service) endReused(ctx context.Context, family string) error {
	if err := s.EndSession(ctx, family); err != nil {
		return err
	}
	return fmt.Errorf("the refresh token was used before: all that came from this sign-in are revoked: %w", ErrEnded)
}

// RefreshAccess gives the next tokens of a sign-in that IssueAccess began. ErrInvalid, ErrExpired, ErrEnded and
// ErrInactive say why not.
func (s *Service) RefreshAccess(ctx context.Context, client, refreshToken string) (Tokens, error) {
	old, err := s.findRefresh(ctx, client, refreshToken, true)
	if err != nil {
		return Tokens{}, err
	}
	i, err := s.stands(old.family)
	if err != nil {
		return Tokens{}, err
	}
	now := s.db.Now()
	out, _, hash, err := s.tokens(ctx, old.family, old.family.scopes, now, now.Add(tokenTime), true)
	if err != nil {
		return Tokens{}, err
	}
	if err := s.rotate(ctx, old, hash); err != nil {
		return Tokens{}, err
	}
	out.Person = *personOf(i, old.family, "", old.family.scopes)
	return out, nil
}

// exchangeRefresh is the grant refresh_token. The person, the issuer and the scopes are looked at as they are now.
func (s *Service) exchangeRefresh(ctx context.Context, x *exchange) (*ssooidc.CreateTokenWithIAMOutput, error) {
	const step = "refresh token"
	if x.in.RefreshToken == nil || *x.in.RefreshToken == "" {
		return nil, x.refuse(step, invalidRequest(), errors.New("the request has no refresh token"))
	}
	old, err := s.findRefresh(ctx, x.app.ARN, *x.in.RefreshToken, false)
	if err != nil {
		return nil, x.refuseToken(step, err)
	}
	x.pass(step, "")
	bounds, err := s.stillTrusted(x, old.family)
	if err != nil {
		return nil, err
	}
	if err := s.take(x, old.family.user); err != nil {
		return nil, err
	}
	if err := s.admit(x, bounds); err != nil {
		return nil, err
	}
	// A refresh that asks for less does not narrow the sign-in (RFC 6749 §6): the family keeps its scopes.
	out, next, err := s.issue(ctx, x, old.family)
	if err != nil {
		return nil, err
	}
	if err := s.rotate(ctx, old, next); err != nil {
		return nil, x.refuseToken(step, err)
	}
	return out, nil
}

// stillTrusted asks whether the application may still have what it came to the family by, and returns the most that a
// refresh may give now.
func (s *Service) stillTrusted(x *exchange, f *family) (bounds []string, err error) {
	g, ok := x.app.Grants[f.grantType]
	if !ok {
		return nil, x.refuse("issuer", invalidGrant(), fmt.Errorf("the application no longer has the grant %s", f.grantType))
	}
	switch f.grantType {
	case center.GrantTokenExchange:
		return s.stillHandedOn(x, f)
	case center.GrantJWTBearer:
		i, ok := s.center.Issuer(f.issuer)
		if !ok || !slices.ContainsFunc(g.Issuers, func(a center.AuthorizedIssuer) bool { return a.ARN == f.issuer }) {
			return nil, x.refuse("issuer", invalidGrant(), fmt.Errorf("the application no longer trusts %s", f.issuer))
		}
		x.pass("issuer", i.URL)
	}
	return f.scopes, nil
}
