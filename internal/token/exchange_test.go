package token_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/lakegate/lakegate/internal/api/ssoadmin"
	"github.com/lakegate/lakegate/internal/api/ssooidc"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/center"
	"github.com/lakegate/lakegate/internal/token"
)

func TestExchange(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ctx, entry, ledger := h.Request(t.Context(), member, "ApplicationRole")
		assertion := h.good(t)
		out, err := h.tokens.CreateTokenWithIAM(ctx, &ssooidc.CreateTokenWithIAMInput{ClientId: h.app, GrantType: center.GrantJWTBearer, Assertion: &assertion})
		if err != nil {
			t.Fatal(err)
		}
		if !ledger.Asked() {
			t.Error("nobody was asked for authorisation")
		}
		if *out.TokenType != "Bearer" || *out.ExpiresIn != 3600 || *out.IssuedTokenType != "urn:ietf:params:oauth:token-type:access_token" || out.RefreshToken != nil {
			t.Errorf("answer %+v", out)
		}
		if diff := cmp.Diff([]string{"sts:identity_context", scopeS3, "openid", "aws"}, out.Scope); diff != "" {
			t.Error(diff)
		}

		claims := readClaims(t, *out.IdToken)
		credential, _ := claims["aws:credential_id"].(string)
		identity := out.AwsAdditionalDetails.IdentityContext
		want := map[string]any{
			"iss": webURL + "/" + h.Instance.ID(), "sub": h.person, "act": map[string]any{"sub": h.tti}, "auth_time": "2026-11-02T09:00:00Z",
			"iat": float64(h.Now().Unix()), "exp": float64(h.Now().Add(time.Hour).Unix()), "aud": claims["aud"],
			"aws:identity_store_id": h.Instance.StoreID, "aws:identity_store_arn": "arn:aws:identitystore::222222222222:identitystore/" + h.Instance.StoreID,
			"aws:instance_account": management, "aws:instance_arn": h.Instance.ARN, "aws:credential_id": credential,
			"sts:identity_context": *identity, "sts:audit_context": claims["sts:audit_context"],
		}
		if diff := cmp.Diff(want, claims); diff != "" {
			t.Errorf("claims (-want +got):\n%s", diff)
		}
		if aud, _ := claims["aud"].(string); aud == "" || strings.Contains(aud, "arn:") {
			t.Errorf("aud %q", aud)
		}
		person := &caller.Identity{
			UserID: h.person, IdentityStoreID: h.Instance.StoreID, IdentityStoreARN: h.Instance.StoreARN(),
			InstanceARN: h.Instance.ARN, ApplicationARN: h.app, CredentialID: credential, Grants: true,
		}
		if len(*identity) > 2048 {
			t.Errorf("the identity context has %d characters", len(*identity))
		}
		got, err := h.ring.OpenContext(*identity)
		if diff := cmp.Diff(person, got); err != nil || diff != "" {
			t.Errorf("identity context: %v\n%s", err, diff)
		}
		if audit, _ := claims["sts:audit_context"].(string); audit == "" || !refusesContext(h, audit) {
			t.Error("the audit context opens as an identity context")
		}
		access, err := h.tokens.OpenAccess(t.Context(), *out.AccessToken)
		wantAccess := token.Access{Client: h.app, Person: *person, Scopes: out.Scope, SignedIn: h.Now(), Expires: h.Now().Add(time.Hour), Family: access.Family}
		if diff := cmp.Diff(wantAccess, access); err != nil || diff != "" || access.Family == "" {
			t.Errorf("access token: %v\n%s", err, diff)
		}
		if !refusesContext(h, *out.AccessToken) {
			t.Error("the access token opens as an identity context")
		}

		for _, account := range []string{member, management} {
			r := h.Record(t, ctx, entry, nil, account)
			if x := r.Extra; x.Person != h.person || x.PersonName != "mateo" || x.Application != h.app || x.Credential != credential {
				t.Errorf("record of %s: %+v", account, x)
			}
			if len(r.Resources) != 1 || r.Resources[0].Type != "AWS::SSO::Application" || r.Resources[0].ARN != h.app || r.Resources[0].Account != management {
				t.Errorf("resources %+v", r.Resources)
			}
			for name, secret := range map[string]string{"assertion": assertion, "id token": *out.IdToken, "access token": *out.AccessToken, "identity context": *identity} {
				if strings.Contains(r.Text, secret) {
					t.Errorf("the record holds the %s", name)
				}
			}
		}
		h.Pass(time.Hour)
		if _, err := h.tokens.OpenAccess(t.Context(), *out.AccessToken); !errors.Is(err, token.ErrExpired) {
			t.Error("the access token outlives its hour")
		}
	})
}

func refusesContext(h *house, text string) bool {
	_, err := h.ring.OpenContext(text)
	return err != nil
}

func readClaims(t testing.TB, idToken string) map[string]any {
	t.Helper()
	jws, err := jose.ParseSignedCompact(idToken, []jose.SignatureAlgorithm{jose.ES256, jose.RS256})
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(jws.UnsafePayloadWithoutVerification(), &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

// A stock OpenID Connect client finds the issuer of identity tokens, and verifies them with the key that it publishes.
func TestIdentityTokensVerify(t *testing.T) {
	for _, algorithm := range []string{"ES256", "RS256"} {
		t.Run(algorithm, func(t *testing.T) {
			var publisher http.Handler
			web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { publisher.ServeHTTP(w, r) }))
			t.Cleanup(web.Close)
			h := openWith(t, algorithm, func(c *token.Config) { c.WebURL = web.URL })
			publisher = h.tokens.Publisher()
			out, err := h.exchange(t.Context(), h.good(t))
			if err != nil {
				t.Fatal(err)
			}
			provider, err := oidc.NewProvider(t.Context(), web.URL+"/"+h.Instance.ID())
			if err != nil {
				t.Fatal(err)
			}
			aud, _ := readClaims(t, *out.IdToken)["aud"].(string)
			id, err := provider.Verifier(&oidc.Config{ClientID: aud, Now: h.Now}).Verify(t.Context(), *out.IdToken)
			if err != nil || id.Subject != h.person {
				t.Errorf("%v, %v", id, err)
			}
		})
	}
}

// An application may ask for less than it has, and gets nothing that it has not.
func TestScopes(t *testing.T) {
	h := newHouse(t)
	h.putScope(t, "sso:account:access")
	for _, c := range []struct {
		ask, want []string
		id, ctx   bool
	}{
		{nil, []string{"sts:identity_context", scopeS3, "sso:account:access", "openid", "aws"}, true, true},
		{[]string{}, []string{"sts:identity_context", scopeS3, "sso:account:access", "openid", "aws"}, true, true},
		{[]string{"openid"}, []string{"openid"}, true, false},
		{[]string{scopeS3, "sts:identity_context", scopeS3}, []string{"sts:identity_context", scopeS3}, true, true},
		{[]string{"sso:account:access"}, []string{"sso:account:access"}, false, false},
	} {
		out, err := h.exchange(t.Context(), h.good(t), c.ask...)
		if err != nil {
			t.Errorf("%v: %v", c.ask, err)
			continue
		}
		if diff := cmp.Diff(c.want, out.Scope); diff != "" {
			t.Errorf("%v: %s", c.ask, diff)
		}
		if (out.IdToken != nil) != c.id || (out.AwsAdditionalDetails != nil) != c.ctx {
			t.Errorf("%v: identity token %t, context %t", c.ask, out.IdToken != nil, out.AwsAdditionalDetails != nil)
		}
		if out.IdToken != nil {
			if _, has := readClaims(t, *out.IdToken)["sts:identity_context"]; has != c.ctx {
				t.Errorf("%v: the identity token has a context: %t", c.ask, has)
			}
		}
	}
	for _, ask := range [][]string{{"redshift:connect"}, {"openid", "x"}, {""}, {"OPENID"}, {"openid aws"}} {
		assertion := h.good(t)
		h.refused(t, &ssooidc.CreateTokenWithIAMInput{ClientId: h.app, GrantType: center.GrantJWTBearer, Assertion: &assertion, Scope: ask}, "InvalidScopeException", "scope")
	}
}

// A token that was refused is not used up: the same one works once the reason is gone.
func TestRefusedTokenIsNotUsedUp(t *testing.T) {
	h := newHouse(t)
	assertion := h.good(t)
	if _, err := h.exchange(t.Context(), assertion, "not:configured"); code(err) != "InvalidScopeException" {
		t.Fatal(err)
	}
	h.requireAssignment(t, true)
	if _, err := h.exchange(t.Context(), assertion); code(err) != "AccessDeniedException" {
		t.Fatal(err)
	}
	group := h.Group(t, "Red", h.person)
	_, err := h.Service.CreateApplicationAssignment(h.As(t.Context(), member, "Admin"), &ssoadmin.CreateApplicationAssignmentInput{ApplicationArn: h.app, PrincipalType: "GROUP", PrincipalId: group})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.exchange(t.Context(), assertion); err != nil {
		t.Error(err)
	}
}

// Two issuers with one URL: the one whose audience the token names maps the person.
func TestIssuersWithTheSameURL(t *testing.T) {
	h := newHouse(t)
	byName := h.trust(t, h.issuer.URL, "preferred_username", "userName")
	h.grant(t, center.GrantJWTBearer, &ssoadmin.Grant{JwtBearer: &ssoadmin.JwtBearerGrant{AuthorizedTokenIssuers: []ssoadmin.AuthorizedTokenIssuer{
		{TrustedTokenIssuerArn: &h.tti, AuthorizedAudiences: []string{audience}}, {TrustedTokenIssuerArn: &byName, AuthorizedAudiences: []string{"by-name"}},
	}}})
	ana := h.Person(t, "Ana", "oid-of-ana")
	for aud, want := range map[string]string{audience: h.person, "by-name": ana} {
		out, err := h.exchange(t.Context(), h.issuer.sign(t, "one", h.claims(map[string]any{"aud": []string{"other", aud}, "preferred_username": "ana"})))
		if err != nil {
			t.Errorf("%s: %v", aud, err)
			continue
		}
		if got := readClaims(t, *out.IdToken)["sub"]; got != want {
			t.Errorf("%s: %v, want %s", aud, got, want)
		}
	}
}

// Every signature that is accepted, and in strict mode only AWS's.
func TestAlgorithms(t *testing.T) {
	for _, strict := range []bool{false, true} {
		h := openWith(t, "ES256", func(c *token.Config) { c.Strict = strict })
		for alg, key := range signers() {
			h.issuer.addKey(string(alg), alg, key)
		}
		for alg := range signers() {
			_, err := h.exchange(t.Context(), h.issuer.sign(t, string(alg), h.claims(nil)))
			if want := !strict || alg == jose.RS256; (err == nil) != want {
				t.Errorf("strict %t, %s: %v", strict, alg, err)
			}
			h.Pass(2 * time.Minute)
		}
	}
}
