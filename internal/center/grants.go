package center

import (
	"context"
	"maps"
	"slices"

	"github.com/lakegate/lakegate/internal/api/ssoadmin"
	"github.com/lakegate/lakegate/internal/store"
)

// PutApplicationGrant says which tokens an application may exchange. There is at most one grant of a type.
func (s *Service) PutApplicationGrant(ctx context.Context, in *ssoadmin.PutApplicationGrantInput) (*ssoadmin.PutApplicationGrantOutput, error) {
	a, err := s.customApplication(ctx, "PutApplicationGrant", in.ApplicationArn)
	if err != nil {
		return nil, err
	}
	g, err := readGrant(string(in.GrantType), in.Grant)
	if err != nil {
		return nil, err
	}
	for _, i := range g.Issuers {
		t, ok := s.Center.Issuer(i.ARN)
		if !ok {
			return nil, ssoadmin.ResourceNotFoundException("Could not find trusted token issuer with ARN " + i.ARN)
		}
		if t.Instance != a.Instance {
			return nil, ssoadmin.ValidationException("The trusted token issuer " + i.ARN + " belongs to another instance.")
		}
	}
	err = s.changeParts(ctx, a.ARN, "application with ARN "+a.ARN, func(tx *store.Tx, _ *Application) error {
		return putGrant(ctx, tx, a.ARN, string(in.GrantType), g)
	})
	return &ssoadmin.PutApplicationGrantOutput{}, err
}

// changeParts runs a change of what hangs on an application, which has to be there still.
func (s *Service) changeParts(ctx context.Context, arn, what string, do func(tx *store.Tx, a *Application) error) error {
	return s.change(ctx, what, func(tx *store.Tx) error {
		a, err := readApplication(ctx, tx, arn)
		if err != nil {
			return err
		}
		return do(tx, a)
	})
}

// readGrant takes the member of the union that the grant type names.
func readGrant(grantType string, u *ssoadmin.Grant) (Grant, error) {
	var g Grant
	var have bool
	switch grantType {
	case GrantAuthorizationCode:
		if have = u.AuthorizationCode != nil; have {
			g.RedirectURIs = u.AuthorizationCode.RedirectUris
		}
	case GrantRefreshToken:
		have = u.RefreshToken != nil
	case GrantTokenExchange:
		have = u.TokenExchange != nil
	case GrantJWTBearer:
		if have = u.JwtBearer != nil; have {
			for _, i := range u.JwtBearer.AuthorizedTokenIssuers {
				if i.TrustedTokenIssuerArn == nil {
					return g, ssoadmin.ValidationException("Each of AuthorizedTokenIssuers must have a TrustedTokenIssuerArn.")
				}
				g.Issuers = append(g.Issuers, AuthorizedIssuer{*i.TrustedTokenIssuerArn, i.AuthorizedAudiences})
			}
		}
	}
	if !have {
		return g, ssoadmin.ValidationException("The member of Grant does not match the GrantType " + grantType)
	}
	return g, nil
}

func (g Grant) toWire(grantType string) *ssoadmin.Grant {
	switch grantType {
	case GrantAuthorizationCode:
		return &ssoadmin.Grant{AuthorizationCode: &ssoadmin.AuthorizationCodeGrant{RedirectUris: g.RedirectURIs}}
	case GrantRefreshToken:
		return &ssoadmin.Grant{RefreshToken: &ssoadmin.RefreshTokenGrant{}}
	case GrantTokenExchange:
		return &ssoadmin.Grant{TokenExchange: &ssoadmin.TokenExchangeGrant{}}
	}
	out := &ssoadmin.JwtBearerGrant{}
	for _, i := range g.Issuers {
		out.AuthorizedTokenIssuers = append(out.AuthorizedTokenIssuers, ssoadmin.AuthorizedTokenIssuer{TrustedTokenIssuerArn: &i.ARN, AuthorizedAudiences: i.Audiences})
	}
	return &ssoadmin.Grant{JwtBearer: out}
}

// GetApplicationGrant reads the grant of a type.
func (s *Service) GetApplicationGrant(ctx context.Context, in *ssoadmin.GetApplicationGrantInput) (*ssoadmin.GetApplicationGrantOutput, error) {
	a, err := s.application(ctx, "GetApplicationGrant", in.ApplicationArn)
	if err != nil {
		return nil, err
	}
	g, ok := a.Grants[string(in.GrantType)]
	if !ok {
		return nil, ssoadmin.ResourceNotFoundException("Could not find " + grantOf(a.ARN, string(in.GrantType)))
	}
	return &ssoadmin.GetApplicationGrantOutput{Grant: g.toWire(string(in.GrantType))}, nil
}

func grantOf(application, grantType string) string {
	return "grant " + grantType + " of application with ARN " + application
}

// ListApplicationGrants lists the grants of an application.
func (s *Service) ListApplicationGrants(ctx context.Context, in *ssoadmin.ListApplicationGrantsInput) (*ssoadmin.ListApplicationGrantsOutput, error) {
	a, err := s.application(ctx, "ListApplicationGrants", in.ApplicationArn)
	if err != nil {
		return nil, err
	}
	types, next, err := page("grants "+a.ARN, slices.Sorted(maps.Keys(a.Grants)), func(t string) string { return t }, nil, maxPage, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &ssoadmin.ListApplicationGrantsOutput{Grants: []ssoadmin.GrantItem{}, NextToken: next}
	for _, t := range types {
		out.Grants = append(out.Grants, ssoadmin.GrantItem{GrantType: ssoadmin.GrantType(t), Grant: a.Grants[t].toWire(t)})
	}
	return out, nil
}

// DeleteApplicationGrant removes the grant of a type.
func (s *Service) DeleteApplicationGrant(ctx context.Context, in *ssoadmin.DeleteApplicationGrantInput) (*ssoadmin.DeleteApplicationGrantOutput, error) {
	a, err := s.customApplication(ctx, "DeleteApplicationGrant", in.ApplicationArn)
	if err != nil {
		return nil, err
	}
	err = s.change(ctx, grantOf(a.ARN, string(in.GrantType)), func(tx *store.Tx) error {
		return deleteGrant(ctx, tx, a.ARN, string(in.GrantType))
	})
	return &ssoadmin.DeleteApplicationGrantOutput{}, err
}
