package token_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/lakegate/lakegate/internal/api/lakegate"
	"github.com/lakegate/lakegate/internal/api/ssoadmin"
	issuers "github.com/lakegate/lakegate/internal/issuer"
	"github.com/lakegate/lakegate/internal/token"
	"github.com/lakegate/lakegate/internal/visit"
)

func get(t testing.TB, h http.Handler, method, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, path, nil))
	return w
}

// published is the ids of the keys that an instance shows.
func published(t testing.TB, h *house) map[string]jose.JSONWebKey {
	t.Helper()
	w := get(t, h.tokens.Publisher(), http.MethodGet, "/"+h.Instance.ID()+"/keys")
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(w.Body.Bytes(), &set); err != nil {
		t.Fatal(err)
	}
	ids := map[string]jose.JSONWebKey{}
	for _, k := range set.Keys {
		if !k.IsPublic() || k.Use != "sig" {
			t.Fatalf("a key that must not be shown: %s", k.KeyID)
		}
		ids[k.KeyID] = k
	}
	return ids
}

// signingKey is the id of the key that signs now; its token verifies with what is published.
func signingKey(t testing.TB, h *house) (kid, idToken string) {
	t.Helper()
	out, err := h.exchange(t.Context(), h.good(t))
	if err != nil {
		t.Fatal(err)
	}
	jws, err := jose.ParseSignedCompact(*out.IdToken, []jose.SignatureAlgorithm{jose.ES256, jose.RS256})
	if err != nil {
		t.Fatal(err)
	}
	kid = jws.Signatures[0].Header.KeyID
	if !verifies(t, h, *out.IdToken) {
		t.Errorf("a fresh token does not verify with the published keys")
	}
	return kid, *out.IdToken
}

func verifies(t testing.TB, h *house, idToken string) bool {
	t.Helper()
	jws, err := jose.ParseSignedCompact(idToken, []jose.SignatureAlgorithm{jose.ES256, jose.RS256})
	if err != nil {
		t.Fatal(err)
	}
	k, ok := published(t, h)[jws.Signatures[0].Header.KeyID]
	if !ok {
		return false
	}
	_, err = jws.Verify(k)
	return err == nil
}

// Through the life of a key: announced before it signs, published until its last token has expired.
func TestKeyRotation(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		tend := func() {
			if err := h.tokens.Tend(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		first, _ := signingKey(t, h)
		h.Pass(80 * 24 * time.Hour)
		tend()
		if n := len(published(t, h)); n != 1 {
			t.Errorf("%d keys after 80 days", n)
		}
		h.Pass(9*24*time.Hour + time.Minute)
		tend()
		tend() // once is enough
		if n := len(published(t, h)); n != 2 {
			t.Errorf("%d keys after 89 days, want the next one announced", n)
		}
		if kid, _ := signingKey(t, h); kid != first {
			t.Error("the next key signs before anybody could have seen it")
		}
		h.Pass(24 * time.Hour)
		second, last := signingKey(t, h)
		if second == first {
			t.Error("the first key signs for longer than 90 days")
		}
		h.Pass(time.Hour)
		tend()
		if len(published(t, h)) != 2 || !verifies(t, h, last) {
			t.Error("the former key is gone before its tokens are")
		}
		h.Pass(24 * time.Hour)
		tend()
		if n := len(published(t, h)); n != 1 {
			t.Errorf("%d keys at the end", n)
		}

		_, before := signingKey(t, h)
		if _, err := h.keys.Rotate(t.Context(), h.Instance.ARN, false); err != nil {
			t.Fatal(err)
		}
		third, _ := signingKey(t, h)
		if third == second || !verifies(t, h, before) {
			t.Error("a rotation by hand did not take, or broke the tokens before it")
		}
	})
}

// Another node, or the next start, signs with the same key; and with another algorithm after a change.
func TestKeysAreKept(t *testing.T) {
	h := newHouse(t)
	first, _ := signingKey(t, h)
	if kid, _ := signingKey(t, h.again(t, "ES256")); kid != first {
		t.Error("the second start made another key")
	}
	other := h.again(t, "RS256")
	kid, idToken := signingKey(t, other)
	if kid == first || len(published(t, other)) != 2 || !verifies(t, other, idToken) {
		t.Error("the change of the algorithm did not take, or took the former key away")
	}
	// And back again: the key that signs stays, although a younger one was there for long.
	h.Pass(25 * time.Hour)
	if err := h.tokens.Tend(t.Context()); err != nil {
		t.Fatal(err)
	}
	if kid, _ := signingKey(t, h); kid != first {
		t.Error("the key that signs was removed")
	}
	if _, err := token.OpenKeyring(t.Context(), h.DB, "HS256"); err == nil {
		t.Error("a keyring with a shared secret")
	}
}

// again is the house with a service that was started anew on its database.
func (h *house) again(t testing.TB, algorithm string) *house {
	t.Helper()
	keys, err := token.OpenKeyring(t.Context(), h.DB, algorithm)
	if err != nil {
		t.Fatal(err)
	}
	next := *h
	next.keys = keys
	next.tokens, err = token.Open(t.Context(), token.Config{
		DB: h.DB, Center: h.Center, Directory: h.Directory, Contexts: h.ring, Authorizer: h.Authorizer, Keys: keys, WebURL: webURL, Issuers: issuers.NewKeys(visit.New(visit.Config{Development: true}), h.DB.Now),
	})
	if err != nil {
		t.Fatal(err)
	}
	return &next
}

func TestPublisher(t *testing.T) {
	h := newHouse(t)
	id := h.Instance.ID()
	w := get(t, h.tokens.Publisher(), http.MethodGet, "/"+id+"/.well-known/openid-configuration")
	var doc map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	if doc["issuer"] != webURL+"/"+id || doc["jwks_uri"] != webURL+"/"+id+"/keys" || !strings.Contains(w.Header().Get("Cache-Control"), "max-age=3600") {
		t.Errorf("discovery %v, %v", doc, w.Header())
	}
	if w := get(t, h.tokens.Publisher(), http.MethodGet, "/"+id+"/keys"); strings.TrimSpace(w.Body.String()) != `{"keys":[]}` {
		t.Errorf("keys before the first exchange: %s", w.Body)
	}
	for path, want := range map[string]int{"/ssoins-0000000000000000/keys": 404, "/" + id + "/other": 404, "/" + id: 404, "/": 404, "/" + id + "/keys/../keys": 404} {
		if w := get(t, h.tokens.Publisher(), http.MethodGet, path); w.Code != want {
			t.Errorf("%s: %d, want %d", path, w.Code, want)
		}
	}
	if w := get(t, h.tokens.Publisher(), http.MethodPost, "/"+id+"/keys"); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", w.Code)
	}
}

// The keys of an instance go with it.
func TestKeysOfDeletedInstance(t *testing.T) {
	h := newHouse(t)
	ctx := h.As(t.Context(), member, "Admin")
	own, err := h.Service.CreateInstance(ctx, &ssoadmin.CreateInstanceInput{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.keys.Rotate(t.Context(), *own.InstanceArn, false); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Service.DeleteInstance(ctx, &ssoadmin.DeleteInstanceInput{InstanceArn: *own.InstanceArn}); err != nil {
		t.Fatal(err)
	}
	kid, _ := signingKey(t, h)
	if err := h.tokens.Tend(t.Context()); err != nil {
		t.Fatal(err)
	}
	left := rows(t, h, `SELECT id FROM signing_keys`)
	if len(left) != 1 || left[0] != kid {
		t.Errorf("keys %v, want %s", left, kid)
	}
}

// A server may rotate sooner, and never so soon that a successor could not be announced.
func TestRotationSetting(t *testing.T) {
	for setting, after := range map[time.Duration]time.Duration{
		7 * 24 * time.Hour: 7 * 24 * time.Hour, time.Hour: 48 * time.Hour,
	} {
		h := newHouse(t)
		h.keys.Rotation = setting
		tend := func() {
			if err := h.tokens.Tend(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		first, _ := signingKey(t, h)
		h.Pass(after - 24*time.Hour - time.Minute)
		tend()
		if n := len(published(t, h)); n != 1 {
			t.Errorf("%s: %d keys before the successor is due", setting, n)
		}
		h.Pass(time.Minute)
		tend()
		if n := len(published(t, h)); n != 2 {
			t.Errorf("%s: %d keys when the successor is due", setting, n)
		}
		h.Pass(24*time.Hour - time.Minute)
		if kid, _ := signingKey(t, h); kid != first {
			t.Errorf("%s: the successor signs too early", setting)
		}
		h.Pass(time.Minute)
		if kid, _ := signingKey(t, h); kid == first {
			t.Errorf("%s: the first key signs too long", setting)
		}
	}
}

func TestRotateSigningKey(t *testing.T) {
	h := newHouse(t)
	service := token.KeyService{Center: h.Center, Keys: h.keys, Authorizer: h.Authorizer}
	first, idToken := signingKey(t, h)
	rotate := func(account, role string, in lakegate.RotateSigningKeyInput, want string) string {
		t.Helper()
		h.Pass(time.Second)
		ctx, entry, ledger := h.Request(t.Context(), account, role)
		out, err := service.RotateSigningKey(ctx, &in)
		if got := code(err); got != want {
			t.Fatalf("%q (%v), want %q", got, err, want)
		}
		if !ledger.Asked() {
			t.Error("nobody was asked for authorisation")
		}
		if err != nil {
			return ""
		}
		if r := h.Record(t, ctx, entry, nil, account); len(r.Resources) != 1 || r.Resources[0].ARN != h.Instance.ARN {
			t.Errorf("the record names %+v", r.Resources)
		}
		return out.KeyId
	}
	second := rotate(management, "Admin", lakegate.RotateSigningKeyInput{}, "")
	if kid, _ := signingKey(t, h); kid != second || kid == first || !verifies(t, h, idToken) {
		t.Error("the new key does not sign, or took the former one away")
	}
	third := rotate(management, "Admin", lakegate.RotateSigningKeyInput{InstanceArn: &h.Instance.ARN, Withdraw: new(true)}, "")
	if kid, _ := signingKey(t, h); kid != third || verifies(t, h, idToken) || len(published(t, h)) != 1 {
		t.Error("the former keys were not withdrawn")
	}

	h.Accounts.Role(management, "Reader", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sso:*","Resource":"*"}}`)
	rotate(management, "Reader", lakegate.RotateSigningKeyInput{}, "AccessDeniedException")
	rotate(member, "Admin", lakegate.RotateSigningKeyInput{InstanceArn: &h.Instance.ARN}, "ResourceNotFoundException")
	rotate(member, "Admin", lakegate.RotateSigningKeyInput{}, "ResourceNotFoundException")
	rotate(management, "Admin", lakegate.RotateSigningKeyInput{InstanceArn: new("arn:aws:sso:::instance/ssoins-0000000000000000")}, "ResourceNotFoundException")
	if kid, _ := signingKey(t, h); kid != third {
		t.Error("a refused request rotated the key")
	}
}
