package token_test

import (
	"crypto/elliptic"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/lakegate/lakegate/internal/token"
)

// failed are the links that an inspection found broken.
func failed(findings []token.Finding) (out []token.Link) {
	for _, f := range findings {
		if f.Err != nil {
			out = append(out, f.Link)
		}
	}
	return out
}

func TestInspectAssertion(t *testing.T) {
	for name, c := range map[string]struct {
		assertion func(h *house) string
		want      []token.Link
	}{
		"good":     {func(h *house) string { return h.good(t) }, nil},
		"no token": {func(*house) string { return "secret-of-somebody" }, []token.Link{token.LinkForm}},
		"no signature": {func(h *house) string {
			return signText(t, jose.HS256, []byte(strings.Repeat("k", 32)), nil, text(t, h.claims(nil)))
		}, []token.Link{token.LinkForm}},
		"another issuer": {func(h *house) string {
			return h.issuer.sign(t, "one", h.claims(map[string]any{"iss": "https://other.example.com"}))
		}, []token.Link{token.LinkTrust}},
		"unknown key": {func(h *house) string {
			return signText(t, jose.ES256, newEC(elliptic.P256()), map[string]any{"kid": "one"}, text(t, h.claims(nil)))
		}, []token.Link{token.LinkSignature}},
		"expired": {func(h *house) string {
			return h.issuer.sign(t, "one", h.claims(map[string]any{"exp": h.Now().Add(-time.Hour).Unix()}))
		}, []token.Link{token.LinkTime}},
		"for others":      {func(h *house) string { return h.issuer.sign(t, "one", h.claims(map[string]any{"aud": "others"})) }, []token.Link{token.LinkAudience}},
		"no mapped claim": {func(h *house) string { return h.issuer.sign(t, "one", h.claims(map[string]any{"oid": nil})) }, []token.Link{token.LinkClaim}},
		"issuer down": {func(h *house) string {
			a := h.good(t)
			h.issuer.Close()
			return a
		}, []token.Link{token.LinkReach}},
		"issuer of another name": {func(h *house) string {
			h.issuer.publish(func() {
				h.issuer.discovery = func(w http.ResponseWriter, _ *http.Request) {
					_ = json.NewEncoder(w).Encode(map[string]string{"issuer": h.issuer.URL + "/", "jwks_uri": h.issuer.URL + "/jwks"})
				}
			})
			return h.good(t)
		}, []token.Link{token.LinkName}},
		"issuer without keys": {func(h *house) string {
			h.issuer.publish(func() {
				h.issuer.jwks = func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"keys":[]}`)) }
			})
			return h.good(t)
		}, []token.Link{token.LinkKeys}},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			assertion := c.assertion(h)
			before := h.DB.Revision()
			app, _ := h.Center.Application(h.app)
			n, err := h.tokens.InspectAssertion(t.Context(), app, assertion)
			if err != nil {
				t.Fatal(err)
			}
			got := failed(n.Findings)
			if len(got) != len(c.want) || len(got) > 0 && got[0] != c.want[0] {
				t.Errorf("broken links %v, want %v: %+v", got, c.want, n.Findings)
			}
			if found := n.Issuer != nil && n.Value == "oid-of-mateo"; found != (c.want == nil) {
				t.Errorf("issuer %v, value %q", n.Issuer, n.Value)
			}
			for _, f := range n.Findings {
				for part := range strings.SplitSeq(assertion, ".") {
					if strings.Contains(f.Detail, part) || f.Err != nil && strings.Contains(f.Err.Error(), part) {
						t.Errorf("%s echoes the token: %+v", f.Link, f)
					}
				}
			}
			if h.DB.Revision() != before {
				t.Error("something was written down")
			}
		})
	}
}

// An inspected token is as good as before; one that was exchanged is told to be, and who it is for all the same.
func TestInspectionUsesNothingUp(t *testing.T) {
	h := newHouse(t)
	assertion := h.good(t)
	app, _ := h.Center.Application(h.app)
	for range 2 {
		n, err := h.tokens.InspectAssertion(t.Context(), app, assertion)
		if err != nil || len(failed(n.Findings)) > 0 {
			t.Fatalf("%+v, %v", n, err)
		}
	}
	if _, err := h.exchange(t.Context(), assertion); err != nil {
		t.Fatal(err)
	}
	n, err := h.tokens.InspectAssertion(t.Context(), app, assertion)
	if got := failed(n.Findings); err != nil || len(got) != 1 || got[0] != token.LinkUse || n.Value != "oid-of-mateo" {
		t.Errorf("after the exchange: %+v, %v", n, err)
	}
}

// What an inspection finds of an issuer is as it is now, not as it is remembered.
func TestInspectIssuerVisits(t *testing.T) {
	h := newHouse(t)
	if _, err := h.exchange(t.Context(), h.good(t)); err != nil {
		t.Fatal(err)
	}
	if got := failed(h.tokens.InspectIssuer(t.Context(), h.issuer.URL)); len(got) > 0 {
		t.Errorf("broken links %v", got)
	}
	h.issuer.Close()
	if got := failed(h.tokens.InspectIssuer(t.Context(), h.issuer.URL)); len(got) != 1 || got[0] != token.LinkReach {
		t.Errorf("of an issuer that is down: broken links %v", got)
	}
	if _, err := h.exchange(t.Context(), h.good(t)); err != nil {
		t.Errorf("an inspection made the keys forgotten: %v", err)
	}
}
