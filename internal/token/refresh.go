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

var errUnknownRefresh = errors.New("no such refresh token for this application")

// exchangeRefresh is the grant refresh_token. The person, the issuer and the scopes are looked at as they are now.
func (s *Service) exchangeRefresh(ctx context.Context, x *exchange) (*ssooidc.CreateTokenWithIAMOutput, error) {
	if x.in.RefreshToken == nil || *x.in.RefreshToken == "" {
		return nil, x.refuse("refresh token", ssooidc.InvalidRequestException("Invalid request provided"), errors.New("the request has no refresh token"))
	}
	hash := hashOf(*x.in.RefreshToken)
	var old refreshToken
	err := s.db.View(ctx, func(q store.Querier) (err error) {
		old, err = readRefresh(ctx, q, hash)
		return err
	})
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, x.refuse("refresh token", invalidGrant(), errUnknownRefresh)
	case err != nil:
		return nil, fmt.Errorf("read refresh token: %w", err)
	case old.application != x.app.ARN:
		return nil, x.refuse("refresh token", invalidGrant(), errUnknownRefresh)
	case !old.used.IsZero():
		return nil, s.endFamily(ctx, x, old.family)
	case !x.now.Before(old.expires):
		return nil, x.refuse("refresh token", ssooidc.ExpiredTokenException("Token has expired"), errors.New("the sign-in is too long ago"))
	}
	x.pass("refresh token", "")
	if err := s.stillTrusted(x, old.issuer); err != nil {
		return nil, err
	}
	if err := s.take(x, old.user); err != nil {
		return nil, err
	}
	x.signedIn = old.signedIn
	if err := s.admit(x, old.scopes); err != nil {
		return nil, err
	}
	out, next, err := s.issue(ctx, x, old.family)
	if err != nil {
		return nil, err
	}
	next.expires = old.expires
	// A refresh that asks for less does not narrow the sign-in (RFC 6749 §6).
	next.scopes = old.scopes
	spent := false
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		if spent, err = spendRefresh(ctx, tx, hash, x.now); err != nil || !spent {
			return err
		}
		return insertRefresh(ctx, tx, *next)
	})
	if err != nil {
		return nil, fmt.Errorf("spend refresh token: %w", err)
	}
	if !spent {
		return nil, s.endFamily(ctx, x, old.family)
	}
	return out, nil
}

// endFamily answers a refresh token that was used before.
func (s *Service) endFamily(ctx context.Context, x *exchange, family string) error {
	if err := s.db.Update(ctx, func(tx *store.Tx) error { return endFamily(ctx, tx, family) }); err != nil {
		return fmt.Errorf("end family of refresh tokens: %w", err)
	}
	return x.refuse("refresh token", invalidGrant(), errors.New("the refresh token was used before: all that came from this sign-in are revoked"))
}

// stillTrusted asks whether the issuer through which the person signed in is still one of the application's.
func (s *Service) stillTrusted(x *exchange, issuer string) error {
	i, ok := s.center.Issuer(issuer)
	authorized := slices.ContainsFunc(x.app.Grants[center.GrantJWTBearer].Issuers, func(a center.AuthorizedIssuer) bool { return a.ARN == issuer })
	if !ok || !authorized {
		return x.refuse("issuer", invalidGrant(), fmt.Errorf("the application no longer trusts %s", issuer))
	}
	x.issuer = i
	x.pass("issuer", i.URL)
	return nil
}
