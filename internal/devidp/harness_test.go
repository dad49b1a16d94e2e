package devidp

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

const (
	publicApp = "public-app"
	secretApp = "secret-app"
	appSecret = "a secret of the app, long enough"
	mateosPw  = "correct horse battery"
	callback  = "http://127.0.0.1:9999/callback"
	afterward = "http://127.0.0.1:9999/bye"
)

// testDirectory has one person with a password, one without, one who is disabled; a public client and one with a secret.
func testDirectory() *Directory {
	d := Default()
	d.Users[0].Password = mateosPw
	d.Users[1].Password = ""
	d.Users[2].Password = ""
	d.Users = append(d.Users, User{UserName: "gone@example.com", GivenName: "Jorge", FamilyName: "Souza", Active: new(false), Password: mateosPw})
	d.Clients = append(d.Clients,
		Client{ID: publicApp, Name: "Public app", RedirectURIs: []string{callback}, PostLogoutRedirectURIs: []string{afterward}},
		Client{ID: secretApp, Name: "App with a secret", RedirectURIs: []string{callback}, Secret: appSecret})
	return d
}

// testKeys are made once: a pair of RSA keys takes longer than a test.
var testKeys = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "devidp-keys-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if _, err := openKeys(stateDir(dir), time.Now, time.Hour); err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Join(dir, keysFile))
})

func withKeys(t *testing.T, dir string) {
	t.Helper()
	keys, err := testKeys()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, keysFile), keys, 0o600); err != nil {
		t.Fatal(err)
	}
}

// clock runs as the real one does, some time ahead.
type clock struct {
	mu    sync.Mutex
	ahead time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

// running is a provider that is served over real HTTP.
type running struct {
	*Provider
	t      *testing.T
	server *httptest.Server
	clock  *clock
	dir    string
	log    *lockedBuffer
}

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func start(t *testing.T) *running {
	t.Helper()
	dir := t.TempDir()
	withKeys(t, dir)
	return startIn(t, dir, testDirectory())
}

func startIn(t *testing.T, dir string, d *Directory) *running {
	t.Helper()
	r := &running{t: t, clock: new(clock), dir: dir, log: new(lockedBuffer)}
	r.server = httptest.NewUnstartedServer(nil)
	var err error
	r.Provider, err = New(Config{
		Listen: r.server.Listener.Addr().String(), StateDir: dir, Directory: d, Now: r.clock.now,
		Logger: slog.New(slog.NewTextHandler(io.MultiWriter(r.log, t.Output()), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	r.server.Config.Handler = r.Handler()
	r.server.Start()
	t.Cleanup(r.server.Close)
	return r
}

// browser keeps cookies and follows no redirect, so that a test sees each.
type browser struct {
	*http.Client
	t *testing.T
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{&http.Client{
		Jar:           jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, t}
}

type answer struct {
	status int
	header http.Header
	body   string
}

// location is where the answer sends the browser.
func (a answer) location() *url.URL {
	u, err := url.Parse(a.header.Get("Location"))
	if err != nil {
		return new(url.URL)
	}
	return u
}

func (b *browser) send(req *http.Request) answer {
	b.t.Helper()
	resp, err := b.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(body)}
}

func (b *browser) get(u string) answer {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, u, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.send(req)
}

func (b *browser) post(u string, form url.Values) answer {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, u, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", originOf(u))
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	return b.send(req)
}

func originOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "null"
	}
	return u.Scheme + "://" + u.Host
}

const verifier = "a-verifier-of-forty-three-characters-or-more-0123"

func challengeOf(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// authorizeQuery is a good authorization request of the public app.
func authorizeQuery() url.Values {
	return url.Values{
		"client_id": {publicApp}, "redirect_uri": {callback}, "response_type": {"code"},
		"scope": {"openid profile email offline_access"}, "state": {"the-state"}, "nonce": {"the-nonce"},
		"code_challenge": {challengeOf(verifier)}, "code_challenge_method": {"S256"},
	}
}

func (r *running) url(path string) string { return r.Issuer() + path }

// open sends an authorization request and returns the id of the sign-in that it opened.
func (r *running) open(b *browser, q url.Values) string {
	r.t.Helper()
	a := b.get(r.url(authorizePath) + "?" + q.Encode())
	id := a.location().Query().Get("request")
	if a.status != http.StatusFound || id == "" {
		r.t.Fatalf("authorize: %d to %q: %s", a.status, a.header.Get("Location"), a.body)
	}
	return id
}

// code signs a person in with one click and returns the code that the application gets.
func (r *running) code(b *browser, q url.Values, oid string) string {
	r.t.Helper()
	a := b.post(r.url(signInPath), url.Values{"request": {r.open(b, q)}, "person": {oid}})
	code := a.location().Query().Get("code")
	if a.status != http.StatusSeeOther || code == "" {
		r.t.Fatalf("sign in: %d to %q: %s", a.status, a.header.Get("Location"), a.body)
	}
	return code
}

// tokens is the answer of the token endpoint, good or bad.
type tokens struct {
	status      int
	IDToken     string `json:"id_token"`
	AccessToken string `json:"access_token"`
	Refresh     string `json:"refresh_token"`
	Scope       string `json:"scope"`
	Error       string `json:"error"`
	Description string `json:"error_description"`
}

func (r *running) token(form url.Values) tokens {
	r.t.Helper()
	resp, err := http.PostForm(r.url(tokenPath), form)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	out := tokens{status: resp.StatusCode}
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		r.t.Fatal(err)
	}
	return out
}

func exchangeForm(code string) url.Values {
	return url.Values{
		"grant_type": {"authorization_code"}, "client_id": {publicApp}, "code": {code},
		"redirect_uri": {callback}, "code_verifier": {verifier},
	}
}

func refreshForm(token string) url.Values {
	return url.Values{"grant_type": {"refresh_token"}, "client_id": {publicApp}, "refresh_token": {token}}
}

// relyingParty is an application on the libraries that applications use.
func (r *running) relyingParty(ctx context.Context, clientID, secret string, scopes ...string) (*oauth2.Config, *oidc.IDTokenVerifier, *oidc.Provider) {
	r.t.Helper()
	discovered, err := oidc.NewProvider(ctx, r.Issuer())
	if err != nil {
		r.t.Fatal(err)
	}
	return &oauth2.Config{
		ClientID: clientID, ClientSecret: secret, Endpoint: discovered.Endpoint(), RedirectURL: callback, Scopes: scopes,
	}, discovered.Verifier(&oidc.Config{ClientID: clientID, Now: r.clock.now}), discovered
}

var tagPattern = regexp.MustCompile(`<[^>]*>`)

// text is what a page says, without its tags.
func (a answer) text() string {
	return strings.Join(strings.Fields(html.UnescapeString(tagPattern.ReplaceAllString(a.body, " "))), " ")
}

// claimsOf reads the payload of a token without looking at its signature.
func claimsOf(t *testing.T, token string) map[string]any {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("not a token: %q", token)
	}
	data, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(data, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

// dev sends a request to a development endpoint.
func (b *browser) dev(method, u, body string) answer {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, u, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set(DevelopmentHeader, "yes")
	return b.send(req)
}

func (a answer) decode(t *testing.T, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), v); err != nil {
		t.Fatalf("%d %s: %v", a.status, a.body, err)
	}
}
