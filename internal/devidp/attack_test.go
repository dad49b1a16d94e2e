package devidp

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
)

func isErr(err, target error) bool { return errors.Is(err, target) }

// Each of these is a way to come by tokens with a code that is not good for it.
func TestCodeIsRefused(t *testing.T) {
	for name, change := range map[string]func(url.Values){
		"wrong verifier":       func(f url.Values) { f.Set("code_verifier", strings.Repeat("x", 43)) },
		"no verifier":          func(f url.Values) { f.Del("code_verifier") },
		"challenge as it is":   func(f url.Values) { f.Set("code_verifier", challengeOf(verifier)) },
		"other client":         func(f url.Values) { f.Set("client_id", DataAppID) },
		"other redirect URI":   func(f url.Values) { f.Set("redirect_uri", "http://127.0.0.1:9998/callback") },
		"part of the code":     func(f url.Values) { f.Set("code", f.Get("code")[1:]) },
		"client with a secret": func(f url.Values) { f.Set("client_id", secretApp); f.Set("client_secret", appSecret) },
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t)
			code := r.code(newBrowser(t), authorizeQuery(), MateoOID)
			form := exchangeForm(code)
			change(form)
			if got := r.token(form); got.IDToken != "" || got.Error != "invalid_grant" && got.Error != "invalid_request" {
				t.Errorf("got %+v", got)
			}
			if form.Get("code") != code {
				return
			}
			// Whoever tried has spent the code: there is no second guess at the verifier.
			if got := r.token(exchangeForm(code)); got.Error != "invalid_grant" {
				t.Errorf("after the attempt, the code still serves: %+v", got)
			}
		})
	}
}

func TestCodeExpires(t *testing.T) {
	r := start(t)
	code := r.code(newBrowser(t), authorizeQuery(), MateoOID)
	r.clock.advance(codeLifetime)
	if got := r.token(exchangeForm(code)); got.Error != "invalid_grant" {
		t.Errorf("got %+v", got)
	}
}

// A code that comes a second time was stolen, before or after the first. What the first got is revoked.
func TestReuseOfACodeRevokesItsTokens(t *testing.T) {
	r := start(t)
	code := r.code(newBrowser(t), authorizeQuery(), MateoOID)
	first := r.token(exchangeForm(code))
	if first.Refresh == "" || r.userinfo(first.AccessToken) != http.StatusOK {
		t.Fatalf("first use: %+v", first)
	}
	if got := r.token(exchangeForm(code)); got.Error != "invalid_grant" || got.IDToken != "" {
		t.Errorf("second use: %+v", got)
	}
	if got := r.token(refreshForm(first.Refresh)); got.Error != "invalid_grant" {
		t.Errorf("refresh token after the second use: %+v", got)
	}
	if got := r.userinfo(first.AccessToken); got != http.StatusUnauthorized {
		t.Errorf("access token after the second use: %d", got)
	}
}

func (r *running) userinfo(token string) int {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, r.url(userinfoPath), nil)
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	return newBrowser(r.t).send(req).status
}

func TestOneOfManyGetsTokensForACode(t *testing.T) {
	r := start(t)
	code := r.code(newBrowser(t), authorizeQuery(), MateoOID)
	var wg sync.WaitGroup
	results := make([]tokens, 8)
	for i := range results {
		wg.Go(func() { results[i] = r.token(exchangeForm(code)) })
	}
	wg.Wait()
	got := 0
	for _, res := range results {
		if res.IDToken != "" {
			got++
		}
	}
	if got != 1 {
		t.Errorf("%d of %d got tokens", got, len(results))
	}
}

func TestReuseOfARefreshTokenRevokesTheFamily(t *testing.T) {
	r := start(t)
	first := r.token(exchangeForm(r.code(newBrowser(t), authorizeQuery(), MateoOID)))
	second := r.token(refreshForm(first.Refresh))
	if second.IDToken == "" {
		t.Fatalf("first use: %+v", second)
	}
	if got := r.token(refreshForm(first.Refresh)); got.Error != "invalid_grant" {
		t.Errorf("second use: %+v", got)
	}
	if got := r.token(refreshForm(second.Refresh)); got.Error != "invalid_grant" {
		t.Errorf("the successor: %+v", got)
	}
	if got := r.userinfo(second.AccessToken); got != http.StatusUnauthorized {
		t.Errorf("the access token: %d", got)
	}
}

func TestRefreshTokenIsOfItsClientAndScopes(t *testing.T) {
	r := start(t)
	first := r.token(exchangeForm(r.code(newBrowser(t), authorizeQuery(), MateoOID)))
	other := refreshForm(first.Refresh)
	other.Set("client_id", DataAppID)
	if got := r.token(other); got.Error != "invalid_grant" {
		t.Errorf("at another client: %+v", got)
	}
	fewer := refreshForm(first.Refresh)
	fewer.Set("scope", "openid")
	second := r.token(fewer)
	if claims := claimsOf(t, second.IDToken); claims["oid"] != nil {
		t.Errorf("fewer scopes: %v", claims)
	}
	more := refreshForm(second.Refresh)
	more.Set("scope", "openid admin")
	if got := r.token(more); got.Error != "invalid_scope" {
		t.Errorf("more scopes: %+v", got)
	}
}

func TestRevocation(t *testing.T) {
	r := start(t)
	first := r.token(exchangeForm(r.code(newBrowser(t), authorizeQuery(), MateoOID)))
	revoke := func(client string) int {
		resp, err := http.PostForm(r.url(revokePath), url.Values{"client_id": {client}, "token": {first.Refresh}})
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	if got := revoke(DataAppID); got != http.StatusOK || r.userinfo(first.AccessToken) != http.StatusOK {
		t.Errorf("another client's revocation: %d, and it took effect", got)
	}
	if got := revoke(publicApp); got != http.StatusOK || r.userinfo(first.AccessToken) != http.StatusUnauthorized {
		t.Errorf("revocation: %d, or it took no effect", got)
	}
	if got := r.token(refreshForm(first.Refresh)); got.Error != "invalid_grant" {
		t.Errorf("revoked refresh token: %+v", got)
	}
}

// A client's secret is asked for, and one that is public has none to give.
func TestClientAuthentication(t *testing.T) {
	r := start(t)
	for _, tc := range []struct {
		name, client, secret string
	}{
		{"no secret", secretApp, ""}, {"wrong secret", secretApp, appSecret + "x"},
		{"secret of a public client", publicApp, "anything"}, {"unknown client", "no-app", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			form := exchangeForm("some-code")
			form.Set("client_id", tc.client)
			form.Set("client_secret", tc.secret)
			if got := r.token(form); got.Error != "invalid_client" {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// Until the redirect URI is known to be the client's, nothing may be sent to it, not even an error.
func TestForeignRedirectURIGetsNothing(t *testing.T) {
	r, b := start(t), newBrowser(t)
	for _, uri := range []string{
		"https://evil.example/callback", "http://127.0.0.1:9999/callback/../evil", "http://127.0.0.1:9999/callback?x=y",
		"http://127.0.0.1:9999@evil.example/callback", "http://127.0.0.1.evil.example/callback", "http://localhost:9999/callback",
		"https://127.0.0.1:9999/callback", "//evil.example/callback", "http://127.0.0.1:9999/callback#x", "javascript:alert(1)",
		"http://evil.example\\@127.0.0.1:9999/callback", "http://[::1]:9999/callback", "",
	} {
		q := authorizeQuery()
		q.Set("redirect_uri", uri)
		if a := b.get(r.url(authorizePath) + "?" + q.Encode()); a.status != http.StatusBadRequest || a.header.Get("Location") != "" {
			t.Errorf("%q: %d to %q", uri, a.status, a.header.Get("Location"))
		}
	}
	q := authorizeQuery()
	q.Set("client_id", "no-app")
	if a := b.get(r.url(authorizePath) + "?" + q.Encode()); a.status != http.StatusBadRequest || a.header.Get("Location") != "" {
		t.Errorf("unknown client: %d to %q", a.status, a.header.Get("Location"))
	}
}

func TestAnyPortOfThisMachine(t *testing.T) {
	r, b := start(t), newBrowser(t)
	q := authorizeQuery()
	q.Set("redirect_uri", "http://127.0.0.1:54321/callback")
	id := r.open(b, q)
	a := b.post(r.url(signInPath), url.Values{"request": {id}, "person": {MateoOID}})
	if !strings.HasPrefix(a.location().String(), "http://127.0.0.1:54321/callback?code=") {
		t.Errorf("went to %s", a.location())
	}
}

// These requests are the client's own, and it is told what is wrong with them.
func TestAuthorizationRequestIsRefused(t *testing.T) {
	for _, tc := range []struct {
		name, field, value, want string
	}{
		{"no PKCE", "code_challenge", "", "invalid_request"},
		{"plain PKCE", "code_challenge_method", "plain", "invalid_request"},
		{"PKCE without a method", "code_challenge_method", "", "invalid_request"},
		{"short challenge", "code_challenge", "abc", "invalid_request"},
		{"implicit", "response_type", "id_token", "unauthorized_client"},
		{"fragment", "response_mode", "fragment", "invalid_request"},
		{"form post", "response_mode", "form_post", "invalid_request"},
		{"no openid", "scope", "profile", "invalid_scope"},
		{"request object", "request", "e30.e30.", "request_not_supported"},
		{"long nonce", "nonce", strings.Repeat("n", 1025), "invalid_request"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r, b := start(t), newBrowser(t)
			q := authorizeQuery()
			q.Set(tc.field, tc.value)
			got := b.get(r.url(authorizePath) + "?" + q.Encode()).location()
			values := got.Query()
			if got.Fragment != "" {
				values, _ = url.ParseQuery(got.Fragment)
			}
			if !strings.HasPrefix(got.String(), callback) || values.Get("error") != tc.want || values.Get("state") != "the-state" || values.Get("code") != "" {
				t.Errorf("went to %s", got)
			}
		})
	}
}

// A nonce comes back exactly as it was sent, and none comes where none was sent.
func TestNonceIsEchoed(t *testing.T) {
	r, b := start(t), newBrowser(t)
	for _, nonce := range []any{"plain", `with "quotes" & <tags>`, nil} {
		q := authorizeQuery()
		q.Del("nonce")
		if s, ok := nonce.(string); ok {
			q.Set("nonce", s)
		}
		got := r.token(exchangeForm(r.code(b, q, MateoOID)))
		if echoed := claimsOf(t, got.IDToken)["nonce"]; echoed != nonce {
			t.Errorf("sent %v, came back %v", nonce, echoed)
		}
		if renewed := claimsOf(t, r.token(refreshForm(got.Refresh)).IDToken); renewed["nonce"] != nil {
			t.Errorf("a refreshed token carries the nonce %v of a request that it does not answer", renewed["nonce"])
		}
	}
}

func TestSignInExpires(t *testing.T) {
	r, b := start(t), newBrowser(t)
	id := r.open(b, authorizeQuery())
	r.clock.advance(requestLifetime)
	for _, a := range []answer{
		b.get(r.url(signInPath) + "?request=" + id),
		b.post(r.url(signInPath), url.Values{"request": {id}, "person": {MateoOID}}),
	} {
		if a.status != http.StatusBadRequest || a.header.Get("Location") != "" || !strings.Contains(a.text(), "no longer open") {
			t.Errorf("%d to %q: %s", a.status, a.header.Get("Location"), a.text())
		}
	}
}

func TestSignInServesOnce(t *testing.T) {
	r, b := start(t), newBrowser(t)
	form := url.Values{"request": {r.open(b, authorizeQuery())}, "person": {MateoOID}}
	if a := b.post(r.url(signInPath), form); a.status != http.StatusSeeOther {
		t.Fatalf("first: %d", a.status)
	}
	if a := b.post(r.url(signInPath), form); a.status != http.StatusBadRequest {
		t.Errorf("second: %d to %s", a.status, a.location())
	}
}
