package signin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lakegate/lakegate/internal/api/ssooidc"
	"github.com/lakegate/lakegate/internal/authz"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/center"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/token"
	"github.com/lakegate/lakegate/internal/trail"
)

// CreateToken gives a public client the tokens of the person who signed in for it: for a device code, an authorization code,
// or a refresh token. The scopes are those of the registration; the member scope is not looked at, as on AWS.
func (s *Service) CreateToken(ctx context.Context, in *ssooidc.CreateTokenInput) (*ssooidc.CreateTokenOutput, error) {
	authz.Open(ctx)
	c, err := s.authenticate(ctx, in.ClientId, in.ClientSecret)
	if err != nil {
		return nil, err
	}
	switch in.GrantType {
	case grantCode, grantDevice, grantRefresh:
		if !c.may(in.GrantType) {
			return nil, unauthorized(ctx, "the client is not registered for "+in.GrantType)
		}
	default:
		trail.From(ctx).Step("grant type", trail.Fail, fmt.Sprintf("%.80q is not offered", in.GrantType))
		return nil, ssooidc.UnsupportedGrantTypeException("Unsupported grant type provided")
	}
	trail.From(ctx).Step("grant type", trail.Pass, in.GrantType)
	var tokens token.Tokens
	switch in.GrantType {
	case grantCode:
		tokens, err = s.forCode(ctx, c, in)
	case grantDevice:
		tokens, err = s.forDevice(ctx, c, in)
	default:
		tokens, err = s.forRefresh(ctx, in)
	}
	if err != nil {
		return nil, err
	}
	out := &ssooidc.CreateTokenOutput{AccessToken: &tokens.AccessToken, TokenType: new("Bearer"), ExpiresIn: new(int(tokens.ExpiresIn.Round(time.Second) / time.Second))}
	if tokens.RefreshToken != "" {
		out.RefreshToken = &tokens.RefreshToken
	}
	return out, nil
}

func (s *Service) forCode(ctx context.Context, c *client, in *ssooidc.CreateTokenInput) (token.Tokens, error) {
	if missing(in.Code) || missing(in.RedirectUri) || missing(in.CodeVerifier) {
		return token.Tokens{}, invalidRequest(ctx, "code, redirectUri and codeVerifier are required")
	}
	code, err := s.tokens.RedeemCode(ctx, in.ClientId, *in.Code, *in.RedirectUri, *in.CodeVerifier)
	if err != nil {
		return token.Tokens{}, spell(ctx, "code", err)
	}
	trail.From(ctx).Step("code", trail.Pass, "")
	return s.issue(ctx, c, token.Access{Client: in.ClientId, Person: code.Person, Scopes: code.Scopes, SignedIn: code.SignedIn, Family: code.Family})
}

func (s *Service) forDevice(ctx context.Context, c *client, in *ssooidc.CreateTokenInput) (token.Tokens, error) {
	if missing(in.DeviceCode) {
		return token.Tokens{}, invalidRequest(ctx, "deviceCode is required")
	}
	d, err := s.pollDevice(ctx, in)
	if err != nil {
		return token.Tokens{}, err
	}
	i, ok := s.center.Instance(d.instance)
	if !ok {
		return token.Tokens{}, spell(ctx, "instance", fmt.Errorf("the instance is gone: %w", token.ErrInactive))
	}
	first := false
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		first, err = spendDevice(ctx, tx, d.hash)
		return err
	})
	if err != nil {
		return token.Tokens{}, fmt.Errorf("spend device code: %w", err)
	}
	if !first {
		return token.Tokens{}, spell(ctx, "device code", fmt.Errorf("tokens were issued for it before: %w", token.ErrEnded))
	}
	return s.issue(ctx, c, token.Access{Client: in.ClientId, Person: identity(i, d.user), Scopes: d.scopes, SignedIn: d.signedIn})
}

func (s *Service) forRefresh(ctx context.Context, in *ssooidc.CreateTokenInput) (token.Tokens, error) {
	if missing(in.RefreshToken) {
		return token.Tokens{}, invalidRequest(ctx, "refreshToken is required")
	}
	tokens, err := s.tokens.RefreshAccess(ctx, in.ClientId, *in.RefreshToken)
	if err != nil {
		return token.Tokens{}, spell(ctx, "refresh token", err)
	}
	s.note(ctx, &tokens.Person)
	return tokens, nil
}

func (s *Service) issue(ctx context.Context, c *client, a token.Access) (token.Tokens, error) {
	s.note(ctx, &a.Person)
	tokens, err := s.tokens.IssueAccess(ctx, a, c.may(grantRefresh))
	if err != nil {
		return token.Tokens{}, spell(ctx, "tokens", err)
	}
	return tokens, nil
}

// note adds the person to the record.
func (s *Service) note(ctx context.Context, id *caller.Identity) {
	e := trail.From(ctx)
	e.Add(trail.KeyPersonID, id.UserID)
	e.Add(trail.KeyIdentityStore, id.IdentityStoreARN)
	if p, ok := s.people.User(id.IdentityStoreID, id.UserID); ok {
		e.Add(trail.KeyPersonName, p.UserName)
	}
	if i, ok := s.center.Instance(id.InstanceARN); ok {
		noteInstance(e, i)
	}
}

func noteInstance(e *trail.Entry, i *center.Instance) {
	e.Resource("AWS::SSO::Instance", i.ARN, i.Account)
}

func missing(s *string) bool { return s == nil || *s == "" }

func invalidRequest(ctx context.Context, why string) error {
	trail.From(ctx).Step("input", trail.Fail, why)
	return ssooidc.InvalidRequestException("Invalid request provided").Because(errors.New(why))
}

// spell turns what is wrong with a code or token into the error of the service. Clients are told no more than the code.
func spell(ctx context.Context, step string, err error) error {
	known := func(is ...error) bool {
		for _, e := range is {
			if errors.Is(err, e) {
				return true
			}
		}
		return false
	}
	if known(token.ErrInvalid, token.ErrEnded, token.ErrInactive, token.ErrExpired, token.ErrScope) {
		trail.From(ctx).Step(step, trail.Fail, err.Error())
	}
	switch {
	case known(token.ErrExpired):
		return ssooidc.ExpiredTokenException("Token has expired").Because(err)
	case known(token.ErrScope):
		return ssooidc.InvalidScopeException("Invalid scope provided").Because(err)
	case known(token.ErrInactive):
		return ssooidc.AccessDeniedException("Access denied").Because(err)
	case known(token.ErrInvalid, token.ErrEnded):
		return invalidGrant(err)
	}
	return err
}
