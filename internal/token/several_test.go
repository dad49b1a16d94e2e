package token_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/lakegate/lakegate/internal/api/ssoadmin"
	"github.com/lakegate/lakegate/internal/center"
)

// Several issuers at once: each speaks for itself, and one that is down takes nobody along.
func TestSeveralIssuers(t *testing.T) {
	h := newHouse(t)
	second := newIssuer(t)
	other := newRSA(2048)
	second.publish(func() { second.keys["one"] = other })
	ana := h.Person(t, "ana", "oid-of-ana")
	byName := h.trust(t, second.URL, "preferred_username", "userName")
	h.grant(t, center.GrantJWTBearer, &ssoadmin.Grant{JwtBearer: &ssoadmin.JwtBearerGrant{AuthorizedTokenIssuers: []ssoadmin.AuthorizedTokenIssuer{
		{TrustedTokenIssuerArn: &h.tti, AuthorizedAudiences: []string{audience}}, {TrustedTokenIssuerArn: &byName, AuthorizedAudiences: []string{"second"}},
	}}})
	ofSecond := func(changes map[string]any) map[string]any {
		c := map[string]any{"iss": second.URL, "aud": "second", "preferred_username": "ana"}
		for k, v := range changes {
			c[k] = v
		}
		return h.claims(c)
	}
	for name, c := range map[string]struct{ token, want string }{
		"the first":  {h.good(t), h.person},
		"the second": {second.sign(t, "one", ofSecond(nil)), ana},
	} {
		out, err := h.exchange(t.Context(), c.token)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := readClaims(t, *out.IdToken)["sub"]; got != c.want {
			t.Errorf("%s speaks for %v, want %s", name, got, c.want)
		}
	}
	// Both have a key of the id one: neither signs in the other's name, nor for the other's audience, nor by its mapping.
	h.refusedAssertion(t, second.sign(t, "one", h.claims(nil)), "signature")
	h.refusedAssertion(t, signText(t, jose.RS256, rsaKey(), map[string]any{"kid": "one"}, text(t, ofSecond(nil))), "signature")
	h.refusedAssertion(t, second.sign(t, "one", ofSecond(map[string]any{"aud": audience})), "audience")
	h.refusedAssertion(t, second.sign(t, "one", ofSecond(map[string]any{"oid": "oid-of-mateo", "preferred_username": nil})), "person")

	// The first goes down for longer than its keys may be used: the second goes on, and the first is back when it is back.
	h.issuer.publish(func() {
		h.issuer.discovery = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }
	})
	h.Pass(2 * time.Hour)
	h.refusedAssertion(t, h.good(t), "signature")
	if _, err := h.exchange(t.Context(), second.sign(t, "one", ofSecond(nil))); err != nil {
		t.Errorf("the second while the first is down: %v", err)
	}
	h.issuer.publish(func() { h.issuer.discovery = nil })
	h.Pass(time.Minute)
	if _, err := h.exchange(t.Context(), h.good(t)); err != nil {
		t.Errorf("the first when it is back: %v", err)
	}
}
