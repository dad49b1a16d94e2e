package center_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/lakegate/lakegate/internal/api/ssoadmin"
	"github.com/lakegate/lakegate/internal/center"
	"github.com/lakegate/lakegate/internal/center/centertest"
	"github.com/lakegate/lakegate/internal/wire"
)

const (
	management = centertest.Management
	member     = centertest.Member
	other      = centertest.Other
	outsider   = centertest.Outsider
)

// code is the code of a modelled error, "" for success.
func code(err error) string {
	if err == nil {
		return ""
	}
	e, ok := errors.AsType[*wire.Error](err)
	if !ok {
		return "not modelled: " + err.Error()
	}
	if e.Kind == wire.KindAccessDenied {
		return "AccessDeniedException"
	}
	return e.Code
}

func wantCode(t *testing.T, err error, want string) {
	t.Helper()
	if got := code(err); got != want {
		t.Errorf("got %q (%v), want %q", got, err, want)
	}
}

// must is the result of a call that is to succeed.
func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func createApplication(t *testing.T, h *centertest.House, account, name string) string {
	t.Helper()
	out, err := h.Service.CreateApplication(h.As(t.Context(), account, "Admin"), &ssoadmin.CreateApplicationInput{
		InstanceArn: h.Instance.ARN, ApplicationProviderArn: center.ProviderCustom, Name: name,
	})
	if err != nil {
		t.Fatal(err)
	}
	return *out.ApplicationArn
}

func createIssuer(t *testing.T, h *centertest.House, url string) string {
	t.Helper()
	out, err := h.Service.CreateTrustedTokenIssuer(h.As(t.Context(), management, "Admin"), issuerInput(h.Instance.ARN, url))
	if err != nil {
		t.Fatal(err)
	}
	return *out.TrustedTokenIssuerArn
}

func issuerInput(instance, url string) *ssoadmin.CreateTrustedTokenIssuerInput {
	return &ssoadmin.CreateTrustedTokenIssuerInput{
		InstanceArn: instance, Name: "Issuer", TrustedTokenIssuerType: ssoadmin.TrustedTokenIssuerTypeOIDCJWT,
		TrustedTokenIssuerConfiguration: &ssoadmin.TrustedTokenIssuerConfiguration{OidcJwtConfiguration: &ssoadmin.OidcJwtConfiguration{
			IssuerUrl: url, ClaimAttributePath: "oid", IdentityStoreAttributePath: "externalId",
			JwksRetrievalOption: ssoadmin.JwksRetrievalOptionOPENIDDISCOVERY,
		}},
	}
}

func jwtBearer(issuer string, audiences ...string) *ssoadmin.Grant {
	return &ssoadmin.Grant{JwtBearer: &ssoadmin.JwtBearerGrant{AuthorizedTokenIssuers: []ssoadmin.AuthorizedTokenIssuer{
		{TrustedTokenIssuerArn: &issuer, AuthorizedAudiences: audiences},
	}}}
}

func putGrant(ctx context.Context, h *centertest.House, application, grantType string, g *ssoadmin.Grant) error {
	_, err := h.Service.PutApplicationGrant(ctx, &ssoadmin.PutApplicationGrantInput{ApplicationArn: application, GrantType: ssoadmin.GrantType(grantType), Grant: g})
	return err
}

func putScope(ctx context.Context, h *centertest.House, application, scope string, targets ...string) error {
	_, err := h.Service.PutApplicationAccessScope(ctx, &ssoadmin.PutApplicationAccessScopeInput{ApplicationArn: application, Scope: scope, AuthorizedTargets: targets})
	return err
}

func putMethod(ctx context.Context, h *centertest.House, application, actorPolicy string) error {
	_, err := h.Service.PutApplicationAuthenticationMethod(ctx, &ssoadmin.PutApplicationAuthenticationMethodInput{
		ApplicationArn: application, AuthenticationMethodType: ssoadmin.AuthenticationMethodTypeIAM,
		AuthenticationMethod: &ssoadmin.AuthenticationMethod{Iam: &ssoadmin.IamAuthenticationMethod{ActorPolicy: json.RawMessage(actorPolicy)}},
	})
	return err
}

func assign(ctx context.Context, h *centertest.House, application string, kind ssoadmin.PrincipalType, id string) error {
	_, err := h.Service.CreateApplicationAssignment(ctx, &ssoadmin.CreateApplicationAssignmentInput{ApplicationArn: application, PrincipalType: kind, PrincipalId: id})
	return err
}

func unassign(ctx context.Context, h *centertest.House, application string, kind ssoadmin.PrincipalType, id string) error {
	_, err := h.Service.DeleteApplicationAssignment(ctx, &ssoadmin.DeleteApplicationAssignmentInput{ApplicationArn: application, PrincipalType: kind, PrincipalId: id})
	return err
}

func requireAssignment(ctx context.Context, h *centertest.House, application string, required bool) error {
	_, err := h.Service.PutApplicationAssignmentConfiguration(ctx, &ssoadmin.PutApplicationAssignmentConfigurationInput{ApplicationArn: application, AssignmentRequired: required})
	return err
}

// message is what a client reads.
func message(err error) string {
	if e, ok := errors.AsType[*wire.Error](err); ok {
		return e.Message
	}
	return ""
}
