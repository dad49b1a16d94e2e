package dataapp

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// stay makes the browser stop at redirects.
func (h *house) stay() {
	h.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
}

func (h *house) head(t *testing.T, path string) *http.Response {
	t.Helper()
	answer, err := h.client.Get(path)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	return answer
}

// arrive runs a sign-in up to the address that the identity provider sends the browser back to.
func (h *house) arrive(t *testing.T) *url.URL {
	t.Helper()
	h.stay()
	at := h.head(t, h.url+"/signin").Header.Get("Location")
	back, err := url.Parse(h.head(t, at).Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	return back
}

func TestASignInOfAnotherBrowserIsRefused(t *testing.T) {
	h := newHouse(t)
	back := h.arrive(t)
	h.client = h.browser()
	status, page := h.get(back.RequestURI())
	wantPage(t, status, page, http.StatusBadRequest, "not started in this browser")
	if h.app.sessions.order.Len() != 0 {
		t.Error("a session was opened")
	}
}

func TestAWrongStateIsRefused(t *testing.T) {
	h := newHouse(t)
	for _, state := range []string{"", "guess"} {
		back := h.arrive(t)
		q := back.Query()
		q.Set("state", state)
		status, page := h.get("/callback?" + q.Encode())
		wantPage(t, status, page, http.StatusBadRequest, "not started in this browser")
	}
	if h.app.sessions.order.Len() != 0 {
		t.Error("a session was opened")
	}
}

func TestASignInThatTookTooLongIsRefused(t *testing.T) {
	h := newHouse(t)
	back := h.arrive(t)
	h.clock.move(attemptLife)
	status, page := h.get(back.RequestURI())
	wantPage(t, status, page, http.StatusBadRequest, "took too long")
}

func TestACallbackCannotBeReplayed(t *testing.T) {
	h := newHouse(t)
	back := h.arrive(t)
	if status, _ := h.get(back.RequestURI()); status != http.StatusSeeOther {
		t.Fatalf("first: status %d", status)
	}
	status, page := h.get(back.RequestURI())
	wantPage(t, status, page, http.StatusBadRequest, "Start again")
}

func TestAnIDTokenOfAnotherSignInIsRefused(t *testing.T) {
	h := newHouse(t)
	h.issuer.nonce = "of-another-sign-in"
	status, page := h.get("/signin")
	wantPage(t, status, page, http.StatusBadGateway, "could not be used")
	if h.app.sessions.order.Len() != 0 {
		t.Error("a session was opened")
	}
}

func TestARefusalOfTheProviderIsShownAsText(t *testing.T) {
	h := newHouse(t)
	h.issuer.refused = "access_denied"
	status, page := h.get("/signin")
	wantPage(t, status, page, http.StatusForbidden, `id="refusal"`, "access_denied", "&lt;b&gt;not you&lt;/b&gt;")
}

func TestARefreshCannotBringAnotherPerson(t *testing.T) {
	h := newHouse(t)
	h.get("/signin")
	h.issuer.mu.Lock()
	for _, claims := range h.issuer.refreshes {
		claims["sub"] = "ana"
	}
	h.issuer.mu.Unlock()
	h.clock.move(2 * time.Hour)
	status, page := h.get("/")
	wantPage(t, status, page, http.StatusUnauthorized, "Your sign-in has run out.")
}

func TestAPlantedSessionIDIsNotAdopted(t *testing.T) {
	h := newHouse(t)
	base, _ := url.Parse(h.url)
	h.client.Jar.SetCookies(base, []*http.Cookie{{Name: sessionCookie, Value: "planted"}})
	h.get("/signin")
	if _, ok := h.app.sessions.find("planted"); ok {
		t.Error("the planted id opens the session")
	}
	if h.app.sessions.order.Len() != 1 {
		t.Errorf("%d sessions, want 1", h.app.sessions.order.Len())
	}
}

func TestPostsFromOtherSitesAreRefused(t *testing.T) {
	h := newHouse(t)
	h.get("/signin")
	h.cloud.made()
	for _, headers := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://elsewhere.example"}} {
		for _, path := range []string{"/signout", "/try"} {
			status, page := h.post(path, url.Values{"location": {"s3://red-bucket/red/"}, "permission": {"READ"}}, headers...)
			wantPage(t, status, page, http.StatusForbidden, "came from another site")
		}
	}
	wantCalls(t, h.cloud.made())
	status, page := h.get("/")
	wantPage(t, status, page, http.StatusOK, `id="chart"`)
}

func TestPagesOfAPersonNeedASession(t *testing.T) {
	h := newHouse(t)
	h.stay()
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		req, _ := http.NewRequestWithContext(t.Context(), method, h.url+"/try", nil)
		if status, _ := h.do(req); status != http.StatusSeeOther {
			t.Errorf("%s /try: status %d", method, status)
		}
	}
	wantCalls(t, h.cloud.made())
}

func TestCookiesAndHeaders(t *testing.T) {
	h := newHouse(t)
	secure := h.build("https://data.example.com")
	w := httptest.NewRecorder()
	secure.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/signin", nil))
	cookie := w.Result().Cookies()[0]
	if cookie.Name != "__Host-"+attemptCookie || !cookie.HttpOnly || !cookie.Secure || cookie.SameSite != http.SameSiteLaxMode || cookie.Path != "/" {
		t.Errorf("cookie %v", cookie)
	}
	if strings.Contains(cookie.Value, "verifier") {
		t.Error("the attempt is readable")
	}
	want := map[string]string{
		"Content-Security-Policy":   "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
		"X-Content-Type-Options":    "nosniff",
		"Referrer-Policy":           "no-referrer",
		"Cache-Control":             "no-store",
		"Strict-Transport-Security": "max-age=31536000",
	}
	got := map[string]string{}
	for name := range want {
		got[name] = w.Header().Get(name)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}

	h.get("/signin")
	base, _ := url.Parse(h.url)
	for _, c := range h.client.Jar.Cookies(base) {
		if len(c.Value) < 26 {
			t.Errorf("cookie %s carries fewer than 128 random bits", c.Name)
		}
	}
}

func TestOnlyTheAssetsAreServed(t *testing.T) {
	h := newHouse(t)
	for path, want := range map[string]int{
		"/assets/app.css": 200, "/assets/tomato.svg": 200, "/assets/layout.html": 404, "/assets/..%2fapp.css": 404, "/nothing": 404, "/livez": 204,
	} {
		if status, _ := h.get(path); status != want {
			t.Errorf("%s: status %d, want %d", path, status, want)
		}
	}
}

func TestALargeFormIsRefused(t *testing.T) {
	h := newHouse(t)
	h.get("/signin")
	status, page := h.try("s3://red-bucket/"+strings.Repeat("a", maxForm), "READ")
	wantPage(t, status, page, http.StatusBadRequest, "could not be read")
}

func TestNoSecretReachesTheLogOrThePage(t *testing.T) {
	h := newHouse(t)
	var pages strings.Builder
	for _, path := range []string{"/signin", "/", "/try"} {
		_, page := h.get(path)
		pages.WriteString(page)
	}
	h.drop("vended")
	h.cloud.change(func() { h.cloud.down = true })
	_, page := h.get("/")
	pages.WriteString(page)

	h.cloud.mu.Lock()
	defer h.cloud.mu.Unlock()
	secrets := []string{"secret", "context|", "session|", "vended|", "opaque", "code="}
	for token := range h.cloud.used {
		secrets = append(secrets, token)
	}
	for refresh := range h.issuer.refreshes {
		secrets = append(secrets, refresh)
	}
	for _, secret := range secrets {
		if strings.Contains(h.log.String(), secret) {
			t.Errorf("the log has %q", secret)
		}
		if strings.Contains(pages.String(), secret) {
			t.Errorf("a page has %q", secret)
		}
	}
	if !strings.Contains(h.log.String(), "path=/callback") {
		t.Error("the log lacks the requests")
	}
}

func TestAttemptsAreSealed(t *testing.T) {
	clock := &clock{t: time.Unix(1_800_000_000, 0)}
	one, err1 := newAttempts(clock.now)
	other, err2 := newAttempts(clock.now)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	sealed, err := one.seal(attempt{State: "s", Nonce: "n", Verifier: "v"})
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := one.open(sealed); !ok || got.Verifier != "v" {
		t.Errorf("open: %v %v", got, ok)
	}
	if _, ok := other.open(sealed); ok {
		t.Error("another process opened it")
	}
	for i := range sealed {
		changed := []byte(sealed)
		if changed[i] ^= 1; string(changed) == sealed {
			continue
		}
		if _, ok := one.open(string(changed)); ok && i != len(sealed)-1 {
			t.Errorf("opened although character %d was changed", i)
		}
	}
	clock.move(attemptLife)
	if _, ok := one.open(sealed); ok {
		t.Error("opened after its life")
	}
}
