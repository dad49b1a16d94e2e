package token_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lakegate/lakegate/internal/api/ssoadmin"
	"github.com/lakegate/lakegate/internal/api/ssooidc"
	"github.com/lakegate/lakegate/internal/center"
)

// signIn exchanges an assertion and returns the refresh token.
func (h *house) signIn(t testing.TB, scopes ...string) string {
	t.Helper()
	out, err := h.exchange(t.Context(), h.good(t), scopes...)
	if err != nil {
		t.Fatal(err)
	}
	if out.RefreshToken == nil || *out.IssuedTokenType != "urn:ietf:params:oauth:token-type:refresh_token" {
		t.Fatalf("no refresh token: %+v", out)
	}
	return *out.RefreshToken
}

func refreshInput(h *house, secret string) *ssooidc.CreateTokenWithIAMInput {
	return &ssooidc.CreateTokenWithIAMInput{ClientId: h.app, GrantType: center.GrantRefreshToken, RefreshToken: &secret}
}

// A refresh token is good once and gives the next. The one that comes back ends them all.
func TestRefresh(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.grantRefresh(t)
		first := h.signIn(t)
		h.Pass(2 * time.Hour)
		out, err := h.refresh(t.Context(), first)
		if err != nil {
			t.Fatal(err)
		}
		second := *out.RefreshToken
		claims := readClaims(t, *out.IdToken)
		if claims["sub"] != h.person || claims["auth_time"] != "2026-11-02T09:00:00Z" || claims["iat"] != float64(h.Now().Unix()) {
			t.Errorf("claims %v", claims)
		}
		if id, err := h.ring.OpenContext(*out.AwsAdditionalDetails.IdentityContext); err != nil || id.UserID != h.person {
			t.Errorf("identity context %v, %v", id, err)
		}
		if first == second {
			t.Error("the refresh token did not change")
		}
		again := refreshInput(h, first)
		again.Scope = []string{"not:configured"} // whatever else is wrong with the request
		h.refused(t, again, "InvalidGrantException", "refresh token")
		h.refused(t, refreshInput(h, second), "InvalidGrantException", "refresh token") // its family ended
	})
}

// Two use one refresh token at the same time: at most one gets an answer, and nothing of the sign-in is left.
func TestRefreshInParallel(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.grantRefresh(t)
		secret := h.signIn(t)
		const n = 8
		next := make([]string, n)
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() {
				if out, err := h.refresh(t.Context(), secret); err == nil {
					next[i] = *out.RefreshToken
				}
			})
		}
		wg.Wait()
		if won := strings.Fields(strings.Join(next, " ")); len(won) > 1 {
			t.Errorf("%d refreshes won", len(won))
		} else if len(won) == 1 {
			h.refused(t, refreshInput(h, won[0]), "InvalidGrantException", "refresh token")
		}
	})
}

func TestRefreshLimits(t *testing.T) {
	h := newHouse(t)
	h.grantRefresh(t)
	h.refused(t, refreshInput(h, "made up"), "InvalidGrantException", "refresh token")
	h.refused(t, refreshInput(h, ""), "InvalidRequestException", "refresh token")

	t.Run("scopes narrow and never widen", func(t *testing.T) {
		secret := h.signIn(t, "openid", "sts:identity_context")
		in := refreshInput(h, secret)
		in.Scope = []string{scopeS3}
		h.refused(t, in, "InvalidScopeException", "scope")
		out, err := h.refresh(t.Context(), secret, "openid") // the refused request did not use it up
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"openid"}, out.Scope); diff != "" {
			t.Error(diff)
		}
		if out, err = h.refresh(t.Context(), *out.RefreshToken); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"sts:identity_context", "openid"}, out.Scope); diff != "" {
			t.Error(diff)
		}
		if id, err := h.ring.OpenContext(*out.AwsAdditionalDetails.IdentityContext); err != nil || id.Grants {
			t.Errorf("a sign-in without the scope is good for access grants: %+v, %v", id, err)
		}
	})
	t.Run("of another application", func(t *testing.T) {
		secret, own := h.signIn(t), h.app
		h.app = h.newApplication(t, "Other")
		h.grantRefresh(t)
		h.refused(t, refreshInput(h, secret), "InvalidGrantException", "refresh token")
		h.app = own
		if _, err := h.refresh(t.Context(), secret); err != nil {
			t.Errorf("its own application: %v", err)
		}
	})
	t.Run("a sign-in ends", func(t *testing.T) {
		secret := h.signIn(t)
		for range 7 {
			h.Pass(time.Hour)
			out, err := h.refresh(t.Context(), secret)
			if err != nil {
				t.Fatal(err)
			}
			secret = *out.RefreshToken
		}
		h.Pass(time.Hour)
		h.refused(t, refreshInput(h, secret), "ExpiredTokenException", "refresh token")
		if err := h.tokens.Tend(t.Context()); err != nil {
			t.Fatal(err)
		}
		h.refused(t, refreshInput(h, secret), "ExpiredTokenException", "refresh token") // other nodes' clocks may be behind
		h.Pass(11 * time.Minute)
		if err := h.tokens.Tend(t.Context()); err != nil {
			t.Fatal(err)
		}
		h.refused(t, refreshInput(h, secret), "InvalidGrantException", "refresh token")
	})
	t.Run("the person is disabled", func(t *testing.T) {
		secret := h.signIn(t)
		h.enablePerson(t, false)
		h.refused(t, refreshInput(h, secret), "InvalidGrantException", "person")
		h.enablePerson(t, true)
	})
	t.Run("the assignment is required now", func(t *testing.T) {
		secret := h.signIn(t)
		h.requireAssignment(t, true)
		h.refused(t, refreshInput(h, secret), "AccessDeniedException", "assignment")
		h.requireAssignment(t, false)
	})
	t.Run("the issuer is trusted no more", func(t *testing.T) {
		secret := h.signIn(t)
		other := h.trust(t, "https://login.example.com", "oid", "externalId")
		h.grantIssuer(t, other, audience)
		h.refused(t, refreshInput(h, secret), "InvalidGrantException", "issuer")
		h.grantIssuer(t, h.tti, audience)
	})
	t.Run("the grant is gone", func(t *testing.T) {
		secret := h.signIn(t)
		if _, err := h.Service.DeleteApplicationGrant(h.As(t.Context(), member, "Admin"), &ssoadmin.DeleteApplicationGrantInput{ApplicationArn: h.app, GrantType: center.GrantRefreshToken}); err != nil {
			t.Fatal(err)
		}
		h.refused(t, refreshInput(h, secret), "UnauthorizedClientException", "grant type")
	})
}
