package devidp

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Somebody else's page cannot sign a person in or out, and cannot frame the sign-in page to have it clicked.
func TestOtherOriginsAreRefused(t *testing.T) {
	r, b := start(t), newBrowser(t)
	id := r.open(b, authorizeQuery())
	for _, path := range []string{signInPath, logoutPath} {
		for header, value := range map[string]string{"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.url(path), strings.NewReader("request="+id+"&person="+MateoOID))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			req.Header.Set(header, value)
			if a := b.send(req); a.status != http.StatusForbidden {
				t.Errorf("%s with %s: %s: %d", path, header, value, a.status)
			}
		}
	}
	h := b.get(r.url(signInPath) + "?request=" + id).header
	csp := h.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "frame-ancestors 'none'", "form-action 'self' http://127.0.0.1:9999"} {
		if !strings.Contains(csp, want) {
			t.Errorf("policy %q lacks %s", csp, want)
		}
	}
	if h.Get("Access-Control-Allow-Origin") != "" || h.Get("X-Frame-Options") != "DENY" {
		t.Errorf("headers %v", h)
	}
}

// A page whose own name resolves to 127.0.0.1 is of one origin with this provider, as the browser sees it. The name gives
// it away.
func TestForeignHostNameGetsNothing(t *testing.T) {
	r := start(t)
	for _, path := range []string{"/", devTokenPath, r.issuer.Path + discoveryPath} {
		req := httptest.NewRequest(http.MethodPost, path, strings.NewReader(`{"user":"mateo@example.com","client_id":"`+publicApp+`"}`))
		req.Host = "evil.example:" + r.issuer.Port()
		req.RemoteAddr = "127.0.0.1:40000"
		req.Header.Set(DevelopmentHeader, "yes")
		req.Header.Set("Origin", "http://"+req.Host)
		w := httptest.NewRecorder()
		r.Handler().ServeHTTP(w, req)
		if w.Code != http.StatusMisdirectedRequest {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

func TestDevelopmentTokenEndpoint(t *testing.T) {
	r := start(t)
	good := `{"user":"mateo@example.com","client_id":"` + publicApp + `"}`
	for _, tc := range []struct {
		name, remote, header, site, body string
		want                             int
	}{
		{"good", "127.0.0.1:4000", "yes", "", good, 200},
		{"good over IPv6", "[::1]:4000", "yes", "", good, 200},
		{"no header", "127.0.0.1:4000", "", "", good, 403},
		{"wrong header", "127.0.0.1:4000", "true", "", good, 403},
		{"another machine", "192.0.2.7:4000", "yes", "", good, 403},
		{"another origin", "127.0.0.1:4000", "yes", "cross-site", good, 403},
		{"nobody", "127.0.0.1:4000", "yes", "", `{"user":"x@example.com","client_id":"` + publicApp + `"}`, 404},
		{"disabled", "127.0.0.1:4000", "yes", "", `{"user":"gone@example.com","client_id":"` + publicApp + `"}`, 400},
		{"no client", "127.0.0.1:4000", "yes", "", `{"user":"mateo@example.com","client_id":"x"}`, 400},
		{"unknown field", "127.0.0.1:4000", "yes", "", `{"user":"mateo@example.com","x":1}`, 400},
		{"no JSON", "127.0.0.1:4000", "yes", "", `user=mateo`, 400},
		{"too large", "127.0.0.1:4000", "yes", "", `{"user":"` + strings.Repeat("x", maxForm) + `"}`, 400},
	} {
		t.Run(tc.name, func(t *testing.T) {
			req := httptest.NewRequest(http.MethodPost, devTokenPath, strings.NewReader(tc.body))
			req.Host, req.RemoteAddr = r.issuer.Host, tc.remote
			req.Header.Set(DevelopmentHeader, tc.header)
			if tc.site != "" {
				req.Header.Set("Sec-Fetch-Site", tc.site)
			}
			w := httptest.NewRecorder()
			r.Handler().ServeHTTP(w, req)
			if w.Code != tc.want || (w.Code == 200) != strings.Contains(w.Body.String(), "id_token") {
				t.Errorf("%d %s, want %d", w.Code, w.Body, tc.want)
			}
		})
	}
}

func TestDevelopmentTokenWithClaimsOfOnesOwn(t *testing.T) {
	r, b := start(t), newBrowser(t)
	a := b.dev(http.MethodPost, originOf(r.Issuer())+devTokenPath,
		`{"user":"mateo@example.com","client_id":"`+publicApp+`","nonce":"n","claims":{"exp":1700000000,"oid":null,"aud":"other"}}`)
	var out struct {
		IDToken string `json:"id_token"`
	}
	a.decode(t, &out)
	claims := claimsOf(t, out.IDToken)
	if claims["exp"] != 1.7e9 || claims["oid"] != nil || claims["aud"] != "other" || claims["nonce"] != "n" {
		t.Errorf("claims %v", claims)
	}
	if !strings.Contains(out.IDToken, ".") || strings.Contains(r.log.String(), out.IDToken) {
		t.Error("the log holds the token")
	}
}

// A disabled person cannot come in by any door, and is put out of those they came in by.
func TestDisabledPersonIsOut(t *testing.T) {
	r, b := start(t), newBrowser(t)
	before := r.token(exchangeForm(r.code(b, authorizeQuery(), MateoOID)))
	pending := r.code(b, authorizeQuery(), MateoOID)
	id := r.open(b, authorizeQuery())
	if _, err := r.SetActive(t.Context(), "mateo@example.com", false); err != nil {
		t.Fatal(err)
	}
	if page := b.get(r.url(signInPath) + "?request=" + id); strings.Contains(page.text(), "Mateo") {
		t.Error("still offered on the sign-in page")
	}
	if a := b.post(r.url(signInPath), url.Values{"request": {id}, "person": {MateoOID}}); a.status != http.StatusForbidden {
		t.Errorf("one click: %d", a.status)
	}
	if a := b.post(r.url(signInPath), url.Values{"request": {id}, "username": {"mateo@example.com"}, "password": {mateosPw}}); a.status != http.StatusUnauthorized {
		t.Errorf("password: %d", a.status)
	}
	if got := r.token(exchangeForm(pending)); got.Error != "invalid_grant" {
		t.Errorf("code: %+v", got)
	}
	if got := r.token(refreshForm(before.Refresh)); got.Error != "invalid_grant" {
		t.Errorf("refresh token: %+v", got)
	}
	if got := r.userinfo(before.AccessToken); got != http.StatusUnauthorized {
		t.Errorf("access token: %d", got)
	}
	q := authorizeQuery()
	q.Set("prompt", "none")
	if got := b.get(r.url(authorizePath) + "?" + q.Encode()).location().Query(); got.Get("error") != "login_required" {
		t.Errorf("session: %v", got)
	}
}

// Who is enabled again signs in again: what they had before does not come back to life.
func TestEnabledPersonStartsAnew(t *testing.T) {
	r, b := start(t), newBrowser(t)
	before := r.token(exchangeForm(r.code(b, authorizeQuery(), MateoOID)))
	pending := r.code(b, authorizeQuery(), MateoOID)
	for _, active := range []bool{false, true} {
		if _, err := r.SetActive(t.Context(), "mateo@example.com", active); err != nil {
			t.Fatal(err)
		}
	}
	if got := r.token(exchangeForm(pending)); got.Error != "invalid_grant" {
		t.Errorf("code: %+v", got)
	}
	if got := r.token(refreshForm(before.Refresh)); got.Error != "invalid_grant" {
		t.Errorf("refresh token: %+v", got)
	}
	if got := r.userinfo(before.AccessToken); got != http.StatusUnauthorized {
		t.Errorf("access token: %d", got)
	}
	if got := r.token(exchangeForm(r.code(b, authorizeQuery(), MateoOID))); got.IDToken == "" {
		t.Errorf("signing in again: %+v", got)
	}
}

// Wrong passwords say the same whoever they are tried on, and end after a few.
func TestGuessingIsBounded(t *testing.T) {
	r, b := start(t), newBrowser(t)
	id := r.open(b, authorizeQuery())
	try := func(user, password string) answer {
		return b.post(r.url(signInPath), url.Values{"request": {id}, "username": {user}, "password": {password}})
	}
	wrong := try("mateo@example.com", "wrong").text()
	for _, user := range []string{"nobody@example.com", "ana@example.com", "gone@example.com"} { // unknown, no password, disabled
		a := try(user, mateosPw)
		if a.status != http.StatusUnauthorized || a.text() != wrong {
			t.Errorf("%s: %d, and the page says something else than for a wrong password", user, a.status)
		}
	}
	for range guessesPerName - 1 {
		try("mateo@example.com", "wrong")
	}
	if a := try("MATEO@example.com", mateosPw); a.status != http.StatusTooManyRequests || a.header.Get("Retry-After") == "" {
		t.Errorf("after %d wrong ones, the right one: %d", guessesPerName, a.status)
	}
	r.clock.advance(guessWindow)
	id = r.open(b, authorizeQuery())
	if a := try("mateo@example.com", mateosPw); a.status != http.StatusSeeOther {
		t.Errorf("after the window: %d", a.status)
	}
}

func TestGuessingOfManyNamesIsBounded(t *testing.T) {
	th := newThrottle(time.Now)
	for i := range guessesPerAddr {
		if _, ok := th.take("addr:192.0.2.7", guessesPerAddr); !ok {
			t.Fatalf("refused attempt %d", i)
		}
	}
	if _, ok := th.take("addr:192.0.2.7", guessesPerAddr); ok {
		t.Error("an address may go on for ever")
	}
	for i := range 2 * maxGuessEntries {
		th.take("name:"+secret(8)+string(rune(i)), guessesPerName)
	}
	if n := len(th.windows); n > maxGuessEntries {
		t.Errorf("%d entries", n)
	}
}

// A session that was planted in a browser before the sign-in is worth nothing after it.
func TestSessionIsNewAfterSignIn(t *testing.T) {
	r, b := start(t), newBrowser(t)
	u, err := url.Parse(r.url("/"))
	if err != nil {
		t.Fatal(err)
	}
	planted := "planted-by-an-attacker"
	b.Jar.SetCookies(u, []*http.Cookie{{Name: sessionCookie, Value: planted, Path: r.issuer.Path + "/"}})
	r.code(b, authorizeQuery(), MateoOID)
	if _, ok := r.sessions.find(planted); ok {
		t.Error("the planted session is Mateo's now")
	}
	first := b.Jar.Cookies(u)[0].Value
	r.code(b, authorizeQuery(), AnaOID)
	if _, ok := r.sessions.find(first); ok {
		t.Error("the former session lives on after another person signed in")
	}
}

// A link on somebody's page can ask for a sign-out; the person decides. And it can send nobody anywhere.
func TestLogoutByALinkAsksFirst(t *testing.T) {
	r, b := start(t), newBrowser(t)
	token := r.token(exchangeForm(r.code(b, authorizeQuery(), MateoOID))).IDToken
	anas, err := r.IssueToken(t.Context(), "ana@example.com", publicApp)
	if err != nil {
		t.Fatal(err)
	}
	for name, q := range map[string]url.Values{
		"no hint":          {"client_id": {publicApp}},
		"somebody else's":  {"id_token_hint": {anas}},
		"forged hint":      {"id_token_hint": {token[:len(token)-8] + "AAAAAAAA"}},
		"another client's": {"id_token_hint": {token}, "client_id": {secretApp}},
	} {
		if a := b.get(r.url(logoutPath) + "?" + q.Encode()); a.status != http.StatusOK || !strings.Contains(a.text(), "Sign out?") {
			t.Errorf("%s: %d %s", name, a.status, a.text())
		}
		if page := b.get(r.url("/")); !strings.Contains(page.text(), "signed in as Mateo") {
			t.Fatalf("%s signed Mateo out", name)
		}
	}
	a := b.get(r.url(logoutPath) + "?" + url.Values{"id_token_hint": {token}, "post_logout_redirect_uri": {"https://evil.example/"}}.Encode())
	if a.header.Get("Location") != "" || !strings.Contains(a.text(), "You are signed out") {
		t.Errorf("foreign address: %d to %q", a.status, a.header.Get("Location"))
	}
}

func TestSecretsStayOutOfURLs(t *testing.T) {
	r, b := start(t), newBrowser(t)
	form := exchangeForm(r.code(b, authorizeQuery(), MateoOID))
	if a := b.get(r.url(tokenPath) + "?" + form.Encode()); a.status != http.StatusMethodNotAllowed {
		t.Errorf("tokens by GET: %d", a.status)
	}
	if a := b.post(r.url(tokenPath)+"?"+form.Encode(), nil); a.status != http.StatusBadRequest {
		t.Errorf("tokens by a query: %d %s", a.status, a.body)
	}
}

func TestStateFilesArePrivate(t *testing.T) {
	r := start(t)
	r.code(newBrowser(t), authorizeQuery(), MateoOID)
	entries, err := os.ReadDir(r.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", e.Name(), info.Mode())
		}
		data, err := os.ReadFile(filepath.Join(r.dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []string{mateosPw, appSecret} {
			if strings.Contains(string(data), s) {
				t.Errorf("%s holds a password or a secret that was given", e.Name())
			}
		}
	}
	if len(entries) < 4 {
		t.Fatalf("only %d files", len(entries))
	}
	if err := os.Chmod(filepath.Join(r.dir, keysFile), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := New(Config{Issuer: r.Issuer(), StateDir: r.dir}); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("keys that others can read: %v", err)
	}
}

func TestBoundedInput(t *testing.T) {
	r, b := start(t), newBrowser(t)
	if a := b.get(r.url(authorizePath) + "?x=" + strings.Repeat("x", maxQuery)); a.status != http.StatusRequestURITooLong {
		t.Errorf("long query: %d", a.status)
	}
	if a := b.post(r.url(tokenPath), url.Values{"x": {strings.Repeat("x", maxForm)}}); a.status != http.StatusBadRequest {
		t.Errorf("long form: %d", a.status)
	}
	if a := b.post(r.url(signInPath), url.Values{"x": {strings.Repeat("x", maxForm)}}); a.status != http.StatusBadRequest {
		t.Errorf("long form: %d", a.status)
	}
}
