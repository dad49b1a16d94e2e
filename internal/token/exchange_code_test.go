package token_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lakegate/lakegate/internal/api/ssoadmin"
	"github.com/lakegate/lakegate/internal/api/ssooidc"
	"github.com/lakegate/lakegate/internal/center"
	"github.com/lakegate/lakegate/internal/token"
)

func codeInput(h *house, code string) *ssooidc.CreateTokenWithIAMInput {
	return &ssooidc.CreateTokenWithIAMInput{
		ClientId: h.app, GrantType: center.GrantAuthorizationCode, Code: &code, RedirectUri: new(callback), CodeVerifier: new(verifier),
	}
}

func (h *house) create(t testing.TB, in *ssooidc.CreateTokenWithIAMInput) *ssooidc.CreateTokenWithIAMOutput {
	t.Helper()
	out, err := h.tokens.CreateTokenWithIAM(h.As(t.Context(), member, "ApplicationRole"), in)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// applicationCode is a code for the house's application, of a sign-in at a time.
func (h *house) applicationCode(t testing.TB, signedIn time.Time, scopes ...string) string {
	t.Helper()
	c := h.codeFor(h.app)
	c.Scopes, c.SignedIn = scopes, signedIn
	code, err := h.tokens.IssueCode(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

func TestExchangeCode(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.grantCodes(t, callback)
		h.grantRefresh(t)
		signedIn := h.Now().Add(-2 * time.Hour)
		code := h.applicationCode(t, signedIn)
		out := h.create(t, codeInput(h, code))
		if diff := cmp.Diff([]string{"sts:identity_context", scopeS3, "openid", "aws"}, out.Scope); diff != "" {
			t.Error(diff)
		}
		claims := readClaims(t, *out.IdToken)
		if claims["sub"] != h.person || claims["auth_time"] != signedIn.Format(time.RFC3339) || claims["act"] != nil {
			t.Errorf("claims %v", claims)
		}
		a := h.open(t, *out.AccessToken)
		if a.Client != h.app || a.Person.ApplicationARN != h.app || !a.SignedIn.Equal(signedIn) {
			t.Errorf("access %+v", a)
		}
		if id, err := h.ring.OpenContext(*out.AwsAdditionalDetails.IdentityContext); err != nil || *id != a.Person {
			t.Errorf("identity context %v, %v", id, err)
		}
		next, err := h.refresh(t.Context(), *out.RefreshToken)
		if err != nil {
			t.Fatal(err)
		}

		// The code comes again: what came from it ends, the session that was made from its context included.
		h.refused(t, codeInput(h, code), "InvalidGrantException", "code")
		_, err = h.tokens.OpenAccess(t.Context(), *next.AccessToken)
		wantErr(t, "what came from it", err, token.ErrEnded)
		h.refused(t, refreshInput(h, *next.RefreshToken), "InvalidGrantException", "refresh token")
		if !h.tokens.SignInEnded(&a.Person) {
			t.Error("a session of it goes on")
		}
	})
}

// Each thing that can be wrong, with a code of its own.
func TestExchangeCodeRefuses(t *testing.T) {
	h := newHouse(t)
	h.grantCodes(t, callback)
	admin := h.As(t.Context(), member, "Admin")
	for name, c := range map[string]struct {
		change     func(in *ssooidc.CreateTokenWithIAMInput)
		code, step string
		spent      bool // the right request fails afterwards
	}{
		"no code":                         {func(in *ssooidc.CreateTokenWithIAMInput) { in.Code = nil }, "InvalidRequestException", "code", false},
		"no redirect URI":                 {func(in *ssooidc.CreateTokenWithIAMInput) { in.RedirectUri = nil }, "InvalidRequestException", "code", false},
		"no verifier":                     {func(in *ssooidc.CreateTokenWithIAMInput) { in.CodeVerifier = nil }, "InvalidRequestException", "code", false},
		"empty verifier":                  {func(in *ssooidc.CreateTokenWithIAMInput) { in.CodeVerifier = new("") }, "InvalidRequestException", "code", false},
		"plain verifier":                  {func(in *ssooidc.CreateTokenWithIAMInput) { in.CodeVerifier = new(challengeOf(verifier)) }, "InvalidGrantException", "code", true},
		"another verifier":                {func(in *ssooidc.CreateTokenWithIAMInput) { in.CodeVerifier = new(strings.Repeat("v", 50)) }, "InvalidGrantException", "code", true},
		"another redirect":                {func(in *ssooidc.CreateTokenWithIAMInput) { in.RedirectUri = new(callback + "/") }, "InvalidGrantException", "code", true},
		"made up":                         {func(in *ssooidc.CreateTokenWithIAMInput) { in.Code = new("made-up") }, "InvalidGrantException", "code", false},
		"a scope too many":                {func(in *ssooidc.CreateTokenWithIAMInput) { in.Scope = []string{"redshift:connect"} }, "InvalidScopeException", "scope", true},
		"beyond the sign-in":              {func(in *ssooidc.CreateTokenWithIAMInput) { in.Scope = []string{scopeS3} }, "InvalidScopeException", "scope", true},
		"too late":                        {func(*ssooidc.CreateTokenWithIAMInput) { h.Pass(time.Minute) }, "ExpiredTokenException", "code", true},
		"the person is disabled":          {func(*ssooidc.CreateTokenWithIAMInput) { h.enablePerson(t, false) }, "InvalidGrantException", "person", true},
		"nobody is assigned":              {func(*ssooidc.CreateTokenWithIAMInput) { h.requireAssignment(t, true) }, "AccessDeniedException", "assignment", true},
		"the redirect URI was taken away": {func(*ssooidc.CreateTokenWithIAMInput) { h.grantCodes(t, "https://app.example.com/new") }, "InvalidGrantException", "code", true},
		"the grant was taken away": {func(*ssooidc.CreateTokenWithIAMInput) {
			if _, err := h.Service.DeleteApplicationGrant(admin, &ssoadmin.DeleteApplicationGrantInput{ApplicationArn: h.app, GrantType: center.GrantAuthorizationCode}); err != nil {
				t.Fatal(err)
			}
		}, "UnauthorizedClientException", "grant type", false},
		"the application is disabled": {func(*ssooidc.CreateTokenWithIAMInput) { h.enable(t, h.app, false) }, "UnauthorizedClientException", "application", false},
	} {
		t.Run(name, func(t *testing.T) {
			code := h.applicationCode(t, h.Now(), "openid", "aws")
			in := codeInput(h, code)
			c.change(in)
			h.refused(t, in, c.code, c.step)
			h.enablePerson(t, true)
			h.enable(t, h.app, true)
			h.requireAssignment(t, false)
			h.grantCodes(t, callback)
			if c.spent {
				h.refused(t, codeInput(h, code), "InvalidGrantException", "code")
				return
			}
			if out := h.create(t, codeInput(h, code)); cmp.Diff([]string{"openid", "aws"}, out.Scope) != "" {
				t.Errorf("scopes %v", out.Scope)
			}
		})
	}
	t.Run("of another application", func(t *testing.T) {
		code, other := h.applicationCode(t, h.Now()), h.newApplication(t, "Other")
		h.at(other, func() {
			h.grantCodes(t, callback)
			h.requireAssignment(t, false)
			h.refused(t, codeInput(h, code), "InvalidGrantException", "code")
		})
		h.refused(t, codeInput(h, code), "InvalidGrantException", "code")
	})
	t.Run("of a registered client", func(t *testing.T) {
		h.refused(t, codeInput(h, h.code(t, registered)), "InvalidGrantException", "code")
	})
	t.Run("of a sign-in that is over", func(t *testing.T) {
		h.refused(t, codeInput(h, h.applicationCode(t, h.Now().Add(-8*time.Hour))), "ExpiredTokenException", "code")
	})
}

// A refresh of a sign-in that came by a code asks whether the application may still have codes.
func TestRefreshAfterCode(t *testing.T) {
	h := newHouse(t)
	h.grantCodes(t, callback)
	h.grantRefresh(t)
	out := h.create(t, codeInput(h, h.applicationCode(t, h.Now().Add(-7*time.Hour), "openid")))
	if _, err := h.Service.DeleteApplicationGrant(h.As(t.Context(), member, "Admin"), &ssoadmin.DeleteApplicationGrantInput{ApplicationArn: h.app, GrantType: center.GrantAuthorizationCode}); err != nil {
		t.Fatal(err)
	}
	h.refused(t, refreshInput(h, *out.RefreshToken), "InvalidGrantException", "issuer")
	h.grantCodes(t, callback)
	h.Pass(30 * time.Minute)
	out, err := h.refresh(t.Context(), *out.RefreshToken)
	if err != nil || *out.ExpiresIn != 1800 || len(out.Scope) != 1 { // eight hours after the sign-in all is over
		t.Fatalf("%+v, %v", out, err)
	}
	h.Pass(30 * time.Minute)
	h.refused(t, refreshInput(h, *out.RefreshToken), "ExpiredTokenException", "refresh token")
}
