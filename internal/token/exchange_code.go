package token

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lakegate/lakegate/internal/api/ssooidc"
	"github.com/lakegate/lakegate/internal/store"
)

// exchangeCode is the grant authorization_code: the person signed in at the instance, and the browser brought the code.
func (s *Service) exchangeCode(ctx context.Context, x *exchange) (*ssooidc.CreateTokenWithIAMOutput, error) {
	const step = "code"
	code, redirect, verifier := value(x.in.Code), value(x.in.RedirectUri), value(x.in.CodeVerifier)
	if code == "" || redirect == "" || verifier == "" {
		return nil, x.refuse(step, invalidRequest(), errors.New("the request needs a code, a redirect URI and a code verifier"))
	}
	c, err := s.RedeemCode(ctx, x.app.ARN, code, redirect, verifier)
	if err == nil {
		err = mayRedirect(x.app, redirect)
	}
	if err != nil {
		return nil, x.refuseToken(step, err)
	}
	x.pass(step, "for "+redirect)
	if err := s.take(x, c.Person.UserID); err != nil {
		return nil, err
	}
	var bounds []string
	if len(c.Scopes) > 0 {
		bounds = c.Scopes
	}
	if err := s.admit(x, bounds); err != nil {
		return nil, err
	}
	f := s.newFamily(x)
	f.id, f.signedIn, f.expires = c.Family, c.SignedIn, s.endOf(x.instance.ARN, c.SignedIn)
	if !x.now.Before(f.expires) {
		return nil, x.refuseToken(step, fmt.Errorf("the person signed in at %s: %w", f.signedIn.Format(time.RFC3339), ErrExpired))
	}
	return s.start(ctx, x, f, step)
}

// start begins the family of an exchange that passed every check and answers with its first tokens.
func (s *Service) start(ctx context.Context, x *exchange, f *family, step string) (*ssooidc.CreateTokenWithIAMOutput, error) {
	out, refresh, err := s.issue(ctx, x, f)
	if err != nil {
		return nil, err
	}
	if err := s.db.Update(ctx, func(tx *store.Tx) error { return storeFamily(ctx, tx, f, refresh) }); err != nil {
		return nil, x.refuseToken(step, fmt.Errorf("begin sign-in: %w", err))
	}
	return out, nil
}

func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
