package token_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/ssooidc"
	"github.com/aws/aws-sdk-go-v2/service/ssooidc/types"

	"github.com/lakegate/lakegate/internal/api/ssooidc"
	"github.com/lakegate/lakegate/internal/center"
	"github.com/lakegate/lakegate/internal/wire"
)

// door serves the house's sso-oidc to the real client, as ApplicationRole. texts are what went over the wire and what the
// trail wrote down.
type door struct {
	*sdk.Client
	mu            sync.Mutex
	bodies, trail []string
}

func (h *house) door(t *testing.T) *door {
	t.Helper()
	d := &door{}
	mux := &wire.Mux{}
	mux.Mount(ssooidc.Model, ssooidc.Operations(h.tokens))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
			return
		}
		call, ok := mux.Name(r, body, "sso-oauth")
		if !ok {
			t.Errorf("%s %s is for nobody", r.Method, r.URL)
			return
		}
		ctx, entry, _ := h.Request(r.Context(), member, "ApplicationRole")
		in, err := call.Decode(r, body)
		var out any
		if err == nil {
			entry.Parameters(wire.Parameters(in))
			out, err = call.Invoke(ctx, in)
		}
		answer := httptest.NewRecorder()
		if err != nil {
			call.WriteError(answer, "request", err)
		} else {
			entry.Response(wire.Parameters(out))
			err = call.WriteOutput(answer, "request", out)
		}
		d.mu.Lock()
		d.bodies = append(d.bodies, answer.Body.String())
		d.trail = append(d.trail, h.Record(t, ctx, entry, err, member).Text)
		d.mu.Unlock()
		for name, v := range answer.Header() {
			w.Header()[name] = v
		}
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	}))
	t.Cleanup(server.Close)
	d.Client = sdk.New(sdk.Options{
		Region: "us-east-1", BaseEndpoint: &server.URL, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("AKIAIOSFODNN7EXAMPLE", "not-a-secret", ""),
	})
	return d
}

// Each grant type through the SDK, one after the other, as an application and the one behind it use them.
func TestGrantTypesOverTheWire(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		c := newChain(t, h)
		h.grantRefresh(t)
		h.grantCodes(t, callback)
		d := h.door(t)
		assertion, code := h.good(t), h.applicationCode(t, h.Now())
		secrets := []string{assertion, code, verifier}
		ask := func(in *sdk.CreateTokenWithIAMInput) *sdk.CreateTokenWithIAMOutput {
			t.Helper()
			if in.ClientId == nil {
				in.ClientId = &h.app
			}
			out, err := d.CreateTokenWithIAM(t.Context(), in)
			if err != nil {
				t.Fatal(err)
			}
			if *out.TokenType != "Bearer" || out.ExpiresIn != 3600 || len(out.Scope) != 4 || *out.AwsAdditionalDetails.IdentityContext != readClaims(t, *out.IdToken)["sts:identity_context"] {
				t.Errorf("%s: %+v", *in.GrantType, out)
			}
			if id, err := h.ring.OpenContext(*out.AwsAdditionalDetails.IdentityContext); err != nil || id.UserID != h.person || id.ApplicationARN != *in.ClientId {
				t.Errorf("%s: identity context of %+v, %v", *in.GrantType, id, err)
			}
			secrets = append(secrets, *out.AccessToken, *out.IdToken, *out.AwsAdditionalDetails.IdentityContext)
			if out.RefreshToken != nil {
				secrets = append(secrets, *out.RefreshToken)
			}
			return out
		}
		first := ask(&sdk.CreateTokenWithIAMInput{GrantType: aws.String(center.GrantJWTBearer), Assertion: &assertion})
		next := ask(&sdk.CreateTokenWithIAMInput{GrantType: aws.String(center.GrantRefreshToken), RefreshToken: first.RefreshToken})
		ask(&sdk.CreateTokenWithIAMInput{GrantType: aws.String(center.GrantAuthorizationCode), Code: &code, RedirectUri: aws.String(callback), CodeVerifier: aws.String(verifier)})
		back := ask(&sdk.CreateTokenWithIAMInput{
			ClientId: &c.back, GrantType: aws.String(center.GrantTokenExchange), SubjectToken: next.AccessToken, SubjectTokenType: aws.String(typeAccess), RequestedTokenType: aws.String(typeAccess),
		})
		if *first.IssuedTokenType != typeRefresh || *back.IssuedTokenType != typeAccess || back.RefreshToken != nil {
			t.Errorf("issued %s and %s", *first.IssuedTokenType, *back.IssuedTokenType)
		}
		for _, record := range d.trail {
			for i, secret := range secrets {
				if strings.Contains(record, secret) {
					t.Errorf("secret %d is in the trail: %s", i, record)
				}
			}
		}
	})
}

// The refusals of CreateTokenWithIAM as the SDK tells them apart, and in words that tell a client nothing about the issuer,
// the person or the code.
func TestRefusalsOverTheWire(t *testing.T) {
	h := newHouse(t)
	c := newChain(t, h)
	h.grantCodes(t, callback)
	h.grantRefresh(t)
	d := h.door(t)
	late := h.applicationCode(t, h.Now().Add(-9*60*60*1e9))
	ask := func(in sdk.CreateTokenWithIAMInput) error {
		if in.ClientId == nil {
			in.ClientId = &h.app
		}
		_, err := d.CreateTokenWithIAM(context.Background(), &in)
		return err
	}
	jwt := func(changes map[string]any) sdk.CreateTokenWithIAMInput {
		return sdk.CreateTokenWithIAMInput{GrantType: aws.String(center.GrantJWTBearer), Assertion: aws.String(h.issuer.sign(t, "one", h.claims(changes)))}
	}
	code := func(code string) sdk.CreateTokenWithIAMInput {
		return sdk.CreateTokenWithIAMInput{GrantType: aws.String(center.GrantAuthorizationCode), Code: &code, RedirectUri: aws.String(callback), CodeVerifier: aws.String(verifier)}
	}
	subject := func(token string) sdk.CreateTokenWithIAMInput {
		return sdk.CreateTokenWithIAMInput{ClientId: &c.back, GrantType: aws.String(center.GrantTokenExchange), SubjectToken: &token, SubjectTokenType: aws.String(typeAccess)}
	}
	const same = "invalid_grant: Invalid grant provided"
	for name, x := range map[string]struct {
		in   sdk.CreateTokenWithIAMInput
		want string
	}{
		"an unknown issuer":      {jwt(map[string]any{"iss": "https://login.example.com"}), same},
		"an unknown person":      {jwt(map[string]any{"oid": "nobody"}), same},
		"another audience":       {jwt(map[string]any{"aud": "another"}), same},
		"no exp":                 {jwt(map[string]any{"exp": nil}), same},
		"a made-up code":         {code("made-up"), same},
		"a made-up refresh":      {sdk.CreateTokenWithIAMInput{GrantType: aws.String(center.GrantRefreshToken), RefreshToken: aws.String("made-up")}, same},
		"a made-up subject":      {subject("made-up"), same},
		"an expired sign-in":     {code(late), "expired_token: Token has expired"},
		"a code without itself":  {code(""), "invalid_request: Invalid request provided"},
		"a scope that is not":    {func() sdk.CreateTokenWithIAMInput { in := jwt(nil); in.Scope = []string{"x:y"}; return in }(), "invalid_scope: Invalid scope provided"},
		"a grant that is not":    {sdk.CreateTokenWithIAMInput{GrantType: aws.String("password")}, "unsupported_grant_type: Unsupported grant type provided"},
		"an unknown application": {sdk.CreateTokenWithIAMInput{ClientId: aws.String("nobody"), GrantType: aws.String(center.GrantJWTBearer)}, "invalid_client: Invalid client provided"},
		"a grant it has not":     {sdk.CreateTokenWithIAMInput{ClientId: &c.back, GrantType: aws.String(center.GrantJWTBearer)}, "unauthorized_client: Client is not authorized to perform this operation"},
	} {
		if got := spelt(ask(x.in)); got != x.want {
			t.Errorf("%s: %s, want %s", name, got, x.want)
		}
	}
	h.requireAssignment(t, true)
	if got := spelt(ask(jwt(nil))); got != "access_denied: " {
		t.Errorf("not assigned: %s", got)
	}
	for _, body := range d.bodies {
		for _, told := range []string{"issuer", "person", "mateo", "nobody", "audience", "login.example.com", "made-up"} {
			if strings.Contains(body, told) {
				t.Errorf("%q is told: %s", told, body)
			}
		}
	}
}

// spelt is an error as the SDK modelled it: its error and error_description.
func spelt(err error) string {
	var (
		grant        *types.InvalidGrantException
		expired      *types.ExpiredTokenException
		request      *types.InvalidRequestException
		scope        *types.InvalidScopeException
		unsupported  *types.UnsupportedGrantTypeException
		client       *types.InvalidClientException
		unauthorized *types.UnauthorizedClientException
		denied       *types.AccessDeniedException
		name, text   *string
	)
	switch {
	case errors.As(err, &grant):
		name, text = grant.Error_, grant.Error_description
	case errors.As(err, &expired):
		name, text = expired.Error_, expired.Error_description
	case errors.As(err, &request):
		name, text = request.Error_, request.Error_description
	case errors.As(err, &scope):
		name, text = scope.Error_, scope.Error_description
	case errors.As(err, &unsupported):
		name, text = unsupported.Error_, unsupported.Error_description
	case errors.As(err, &client):
		name, text = client.Error_, client.Error_description
	case errors.As(err, &unauthorized):
		name, text = unauthorized.Error_, unauthorized.Error_description
	case errors.As(err, &denied):
		name, text = denied.Error_, denied.Error_description
	default:
		return fmt.Sprint("not modelled: ", err)
	}
	return aws.ToString(name) + ": " + aws.ToString(text)
}
