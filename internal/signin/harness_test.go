package signin_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"html"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"

	"github.com/lakegate/lakegate/internal/api/lakegate"
	"github.com/lakegate/lakegate/internal/api/ssooidc"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/center/centertest"
	"github.com/lakegate/lakegate/internal/directory"
	issuers "github.com/lakegate/lakegate/internal/issuer"
	"github.com/lakegate/lakegate/internal/session"
	"github.com/lakegate/lakegate/internal/signin"
	"github.com/lakegate/lakegate/internal/store/storetest"
	"github.com/lakegate/lakegate/internal/token"
	"github.com/lakegate/lakegate/internal/trail"
	"github.com/lakegate/lakegate/internal/visit"
	"github.com/lakegate/lakegate/internal/wire"
)

const (
	clientID     = "lakegate-at-the-provider"
	clientSecret = "the secret of the client, 7f3a9c"
	grantDevice  = "urn:ietf:params:oauth:grant-type:device_code"
	callback     = "http://127.0.0.1:53123/oauth/callback"
)

// provider is an OpenID Connect provider that signs in whoever comes as one person, and lies where a test wants it to.
type provider struct {
	*httptest.Server
	now func() time.Time
	key *rsa.PrivateKey

	mu      sync.Mutex
	asked   map[string]url.Values // code → authorization request
	subject string
	// issuer is what discovery says, empty for the truth; forge changes the claims of an ID token, and may return another key.
	issuer string
	forge  func(claims map[string]any) *rsa.PrivateKey
	// prompt is that of the last authorization request; visits counts token requests.
	prompt string
	visits int
}

var providerKey = sync.OnceValue(func() *rsa.PrivateKey { return newKey() })

func newKey() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
}

func newProvider(t testing.TB, now func() time.Time) *provider {
	t.Helper()
	p := &provider{now: now, key: providerKey(), asked: map[string]url.Values{}}
	p.Server = httptest.NewServer(p)
	t.Cleanup(p.Close)
	return p
}

// set changes how the provider behaves.
func (p *provider) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	answer := func(v any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v)
	}
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		issuer := p.issuer
		if issuer == "" {
			issuer = p.URL
		}
		answer(map[string]any{"issuer": issuer, "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token", "jwks_uri": p.URL + "/keys"})
	case "/keys":
		answer(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: p.key.Public(), KeyID: "one", Algorithm: "RS256", Use: "sig"}}})
	case "/authorize":
		code := uuid.NewString()
		p.asked[code], p.prompt = r.URL.Query(), r.URL.Query().Get("prompt")
		http.Redirect(w, r, r.URL.Query().Get("redirect_uri")+"?"+url.Values{"code": {code}, "state": {r.URL.Query().Get("state")}}.Encode(), http.StatusFound)
	case "/token":
		p.visits++
		id, secret, _ := r.BasicAuth()
		id, _ = url.QueryUnescape(id)
		secret, _ = url.QueryUnescape(secret)
		code := r.PostFormValue("code")
		asked, ok := p.asked[code]
		delete(p.asked, code)
		sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
		if !ok || id != clientID || secret != clientSecret || asked.Get("code_challenge") != base64.RawURLEncoding.EncodeToString(sum[:]) || asked.Get("code_challenge_method") != "S256" {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"error":"invalid_grant"}`)
			return
		}
		claims := map[string]any{
			"iss": p.URL, "aud": clientID, "sub": "pairwise", "oid": p.subject, "nonce": asked.Get("nonce"),
			"iat": p.now().Unix(), "exp": p.now().Add(time.Hour).Unix(),
		}
		key := p.key
		if p.forge != nil {
			if k := p.forge(claims); k != nil {
				key = k
			}
		}
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: key}, (&jose.SignerOptions{}).WithHeader("kid", "one"))
		if err != nil {
			panic(err)
		}
		payload, _ := json.Marshal(claims)
		jws, err := signer.Sign(payload)
		if err != nil {
			panic(err)
		}
		text, _ := jws.CompactSerialize()
		answer(map[string]any{"access_token": "opaque", "token_type": "Bearer", "expires_in": 3600, "id_token": text})
	default:
		http.NotFound(w, r)
	}
}

// house is an identity center whose people sign in at a provider.
type house struct {
	*centertest.House
	t      testing.TB
	svc    *signin.Service
	tokens *token.Service
	idp    *provider
	web    *httptest.Server
	person string
	start  string
}

func run(t *testing.T, test func(t *testing.T, h *house)) {
	t.Helper()
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) { test(t, open(t, storetest.URL(t, engine), "")) })
	}
}

func newHouse(t testing.TB) *house {
	t.Helper()
	return open(t, storetest.URL(t, "sqlite"), "")
}

// open opens a house. An empty webURL is that of the server of the pages.
func open(t testing.TB, at, webURL string) *house {
	t.Helper()
	h := &house{House: centertest.At(t, at), t: t}
	ring, err := session.OpenRing(t.Context(), h.DB)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := token.OpenKeyring(t.Context(), h.DB, "ES256")
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	h.web = httptest.NewServer(mux)
	t.Cleanup(h.web.Close)
	if webURL == "" {
		webURL = h.web.URL
	}
	h.tokens, err = token.Open(t.Context(), token.Config{
		DB: h.DB, Center: h.Center, Directory: h.Directory, Contexts: ring, Authorizer: h.Authorizer, Keys: keys, WebURL: webURL, Issuers: issuers.NewKeys(visit.New(visit.Config{Development: true}), h.DB.Now),
	})
	if err != nil {
		t.Fatal(err)
	}
	h.svc, err = signin.New(t.Context(), signin.Config{
		DB: h.DB, Center: h.Center, Directory: h.Directory, Tokens: h.tokens, Authorizer: h.Authorizer, Trail: h.Trail,
		Origin: func(r *http.Request) *caller.Request {
			ip := r.Header.Get("X-Test-Source")
			if ip == "" {
				ip = "192.0.2.7"
			}
			return &caller.Request{ID: uuid.NewString(), SourceIP: ip, Time: h.Now()}
		},
		WebURL: webURL, APIURL: "https://api.example.com", Region: centertest.Region, Visitor: visit.New(visit.Config{Development: true}),
	})
	if err != nil {
		t.Fatal(err)
	}
	h.svc.Mount(mux)
	h.idp = newProvider(t, h.Now)
	h.person = h.Person(t, "mateo", "oid-of-mateo")
	h.idp.subject = "oid-of-mateo"
	h.put(h.Instance.ARN, management, h.idp.URL)
	h.start = h.svc.StartURL(h.Instance)
	return h
}

const (
	management = centertest.Management
	member     = centertest.Member
)

// put has the people of an instance sign in at an issuer.
func (h *house) put(instance, account, issuer string) {
	h.t.Helper()
	_, err := h.svc.PutSignInProvider(h.As(h.t.Context(), account, "Admin"), &lakegate.PutSignInProviderInput{
		InstanceArn: &instance, IssuerUrl: issuer, ClientId: clientID, ClientSecret: new(clientSecret), ClaimAttributePath: "oid", IdentityStoreAttributePath: "externalId",
	})
	if err != nil {
		h.t.Fatal(err)
	}
}

// disable disables the person.
func (h *house) disable() {
	h.t.Helper()
	_, err := h.Directory.ChangeUser(h.t.Context(), "test", h.Instance.StoreID, h.person, func(u *directory.User) error {
		u.Enabled = false
		return nil
	})
	if err != nil {
		h.t.Fatal(err)
	}
}

// public is the API door for clients without a signature.
type public struct {
	*house
	id, secret string
}

// from is the context of somebody at an address who has no key.
func (h *house) from(source string) context.Context {
	ctx, _ := h.Trail.Begin(h.t.Context(), trail.Operation{Source: "test"})
	return caller.WithRequest(ctx, &caller.Request{ID: uuid.NewString(), SourceIP: source, Time: h.Now()})
}

func newClient(h *house, change ...func(*ssooidc.RegisterClientInput)) *public {
	h.t.Helper()
	in := &ssooidc.RegisterClientInput{
		ClientName: "the client", ClientType: "public", Scopes: []string{"sso:account:access"},
		GrantTypes: []string{"authorization_code", "refresh_token", grantDevice}, RedirectUris: []string{"http://127.0.0.1/oauth/callback"}, IssuerUrl: &h.start,
	}
	for _, c := range change {
		c(in)
	}
	out, err := h.svc.RegisterClient(h.t.Context(), in)
	if err != nil {
		h.t.Fatal(err)
	}
	return &public{h, *out.ClientId, *out.ClientSecret}
}

// begin starts a device sign-in.
func (c *public) begin() *ssooidc.StartDeviceAuthorizationOutput {
	c.t.Helper()
	out, err := c.svc.StartDeviceAuthorization(c.from("192.0.2.7"), &ssooidc.StartDeviceAuthorizationInput{ClientId: c.id, ClientSecret: c.secret, StartUrl: c.start})
	if err != nil {
		c.t.Fatal(err)
	}
	return out
}

// poll asks for the tokens of a device and returns the error's code.
func (c *public) poll(deviceCode string) (*ssooidc.CreateTokenOutput, string) {
	c.t.Helper()
	return c.token(&ssooidc.CreateTokenInput{GrantType: grantDevice, DeviceCode: &deviceCode})
}

func (c *public) token(in *ssooidc.CreateTokenInput) (*ssooidc.CreateTokenOutput, string) {
	c.t.Helper()
	if in.ClientId == "" {
		in.ClientId, in.ClientSecret = c.id, c.secret
	}
	out, err := c.svc.CreateToken(c.t.Context(), in)
	return out, codeOf(c.t, err)
}

func codeOf(t testing.TB, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	e, ok := errors.AsType[*wire.Error](err)
	if !ok {
		t.Fatalf("not an error of the service: %v", err)
	}
	return e.Code
}

// browser is a browser with its cookies. It follows redirects here and to the provider, and notes where it is sent elsewhere.
type browser struct {
	h      *house
	client *http.Client
	// left is where the browser was sent, away from here.
	left string
	// header is sent along.
	header http.Header
}

func newBrowser(h *house) *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		h.t.Fatal(err)
	}
	b := &browser{h: h, header: http.Header{}}
	b.client = &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if u := r.URL.Scheme + "://" + r.URL.Host; u != h.web.URL && u != h.idp.URL || len(via) > 10 {
			b.left = r.URL.String()
			return http.ErrUseLastResponse
		}
		return nil
	}}
	return b
}

// seen is a page that the browser shows.
type seen struct {
	status int
	at     string
	text   string
	header http.Header
}

var (
	refreshes = regexp.MustCompile(`http-equiv="refresh" content="0;url=([^"]+)"`)
	tickets   = regexp.MustCompile(`name="ticket" value="([^"]+)"`)
	titles    = regexp.MustCompile(`<h1>([^<]*)</h1>`)
)

func (s *seen) title() string {
	if m := titles.FindStringSubmatch(s.text); m != nil {
		return html.UnescapeString(m[1])
	}
	return ""
}

func (s *seen) ticket() string {
	if m := tickets.FindStringSubmatch(s.text); m != nil {
		return m[1]
	}
	return ""
}

// get opens an address and goes on where the page says so.
func (b *browser) get(address string) *seen {
	b.h.t.Helper()
	r, err := http.NewRequestWithContext(b.h.t.Context(), http.MethodGet, address, nil)
	if err != nil {
		b.h.t.Fatal(err)
	}
	s := b.do(r)
	if m := refreshes.FindStringSubmatch(s.text); m != nil {
		return b.get(html.UnescapeString(m[1]))
	}
	return s
}

// post sends a form of a page of ours.
func (b *browser) post(path string, form url.Values) *seen {
	b.h.t.Helper()
	r, err := http.NewRequestWithContext(b.h.t.Context(), http.MethodPost, b.h.web.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.h.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return b.do(r)
}

func (b *browser) do(r *http.Request) *seen {
	b.h.t.Helper()
	b.left = ""
	maps.Copy(r.Header, b.header)
	res, err := b.client.Do(r)
	if err != nil {
		b.h.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		b.h.t.Fatal(err)
	}
	return &seen{status: res.StatusCode, at: res.Request.URL.String(), text: string(text), header: res.Header}
}

// cookies are the names of what the browser holds for here.
func (b *browser) cookies() (names []string) {
	u, _ := url.Parse(b.h.web.URL)
	for _, c := range b.client.Jar.Cookies(u) {
		names = append(names, c.Name)
	}
	slices.Sort(names)
	return names
}

// signedIn is a browser in which the person signed in.
func signedIn(h *house) *browser {
	h.t.Helper()
	b := newBrowser(h)
	if s := b.get(h.start); s.status != http.StatusOK || s.title() != "Signed in" {
		h.t.Fatalf("signing in ends at %s with %d %q", s.at, s.status, s.title())
	}
	return b
}

const verifier = "a-verifier-of-forty-three-characters-or-more-0123456789"

func challenge() string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// authorizeURL is what the AWS CLI opens, with changes; an empty value leaves a parameter out.
func (h *house) authorizeURL(client string, changes ...string) string {
	q := url.Values{
		"response_type": {"code"}, "client_id": {client}, "redirect_uri": {callback}, "state": {"the state"},
		"code_challenge": {challenge()}, "code_challenge_method": {"S256"}, "scopes": {"sso:account:access"},
	}
	for i := 0; i < len(changes); i += 2 {
		if q.Set(changes[i], changes[i+1]); changes[i+1] == "" {
			q.Del(changes[i])
		}
	}
	return h.web.URL + "/authorize?" + q.Encode()
}
