// Package devidp is the development identity provider: an OpenID Connect issuer with a sign-in page and a SCIM push,
// for people who try Lakegate or write programs against it and have no corporate directory at hand.
//
// It plays the part that Microsoft Entra ID plays in an organisation, close enough that a configuration written for one
// works with the other:
//
//   - The issuer is http://<host>/<tenant>/v2.0 and publishes its discovery document and its keys below that path.
//   - People sign in with the authorization code flow and PKCE (S256, required of public clients). Codes serve once;
//     refresh tokens serve once and are replaced; presenting a spent one ends everything that came of it.
//   - ID tokens have the claims of Entra's v2.0 tokens: sub is different for every client, oid is the same everywhere
//     and needs the scope profile, uti tells tokens apart and there is no jti.
//   - People and groups are pushed by SCIM 2.0 in Entra's dialect, with externalId = oid (see Push).
//
// Who exists is a Directory: people, groups and clients, read from a small YAML file (see ParseDirectory) or built in
// Go. The one given to New is the directory of the first start. From then on the provider owns it: it is kept in the
// state directory with the keys, the sessions and the refresh tokens, and changed by Replace, SetActive, AddMember and
// RemoveMember, so that a second start goes on where the first ended.
//
// It is not an identity provider for production. Everybody in the directory can be chosen on the sign-in page with one
// click, and whoever can open a connection from this machine can have a token for anyone (see dev.go). What it does
// guard is the developer who runs it: it answers to its own host name alone (so that a page which resolves its own name
// to 127.0.0.1 gets nothing), takes no cross-origin writes, never redirects to an address that no client registered,
// stores passwords as Argon2id hashes, bounds guessing and bounds every input.
package devidp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Config says where the provider is reached and where it keeps its state.
type Config struct {
	// Issuer is the full issuer URL, such as http://127.0.0.1:9422/<tenant>/v2.0. It has to be the address that browsers
	// and servers really use: requests for any other host are refused.
	Issuer string
	// Listen is the address the provider is served on, such as 127.0.0.1:9422. It stands in for Issuer, which is then
	// http://<Listen>/<tenant of the directory>/v2.0. Port 0 has to be resolved before: listen first, then pass the
	// listener's address.
	Listen string
	// StateDir keeps keys, directory, sessions and generated passwords; it is created with mode 0700. Required.
	StateDir string
	// Directory is who exists at the first start; nil takes Default. Later starts use what StateDir holds.
	Directory *Directory
	// TokenLifetime is how long an ID token is valid; zero takes one hour.
	TokenLifetime time.Duration
	// Logger receives the provider's log; nil takes slog.Default.
	Logger *slog.Logger
	// Now tells the time; nil takes time.Now.
	Now func() time.Time
}

// Lifetimes and bounds that are not worth a setting.
const (
	requestLifetime = 10 * time.Minute    // from the authorization request to the sign-in
	codeLifetime    = time.Minute         // from the sign-in to the token request
	spentLifetime   = 10 * time.Minute    // how long a spent code is remembered, to notice its second use
	sessionLifetime = 12 * time.Hour      // of the sign-in cookie
	refreshLifetime = 14 * 24 * time.Hour // of a refresh token, counted anew at each use
	maxPending      = 4096                // requests, codes and access tokens held at once, each
	maxForm         = 64 << 10            // bytes of a form or a small JSON document
	maxQuery        = 16 << 10            // bytes of a query
	maxDirectory    = 1 << 20             // bytes of a directory in YAML
)

// Provider is a running development identity provider. Its methods may be called concurrently.
type Provider struct {
	issuer *url.URL
	life   time.Duration
	log    *slog.Logger
	now    func() time.Time
	state  stateDir

	// book is the directory as it is now: replaced as a whole, never changed in place. change is held by whoever
	// replaces it.
	book   atomic.Pointer[book]
	change sync.Mutex

	keys     *keyRing
	sessions *sessions
	guesses  *throttle
	pages    pages
	hashing  chan struct{} // bounds how many passwords are hashed at once

	requests *shelf[request]
	codes    *shelf[grant]
	spent    *shelf[string] // spent code → the refresh grant that came of it
	access   *shelf[grant]

	handler http.Handler

	push     sync.Mutex // one push at a time
	target   atomic.Pointer[Target]
	pause    func(context.Context, time.Duration) error
	pushHTTP *http.Client
}

// New opens the state directory, creating what a first start needs, and returns the provider. It logs a warning that
// this is a provider for development.
func New(c Config) (*Provider, error) {
	if c.StateDir == "" {
		return nil, errors.New("open development identity provider: StateDir is required, it keeps the signing keys")
	}
	p := &Provider{
		life:    c.TokenLifetime,
		log:     c.Logger,
		now:     c.Now,
		state:   stateDir(c.StateDir),
		pages:   parsePages(),
		hashing: make(chan struct{}, 2),
		pause:   wait,
		pushHTTP: &http.Client{
			Timeout: 30 * time.Second,
			// A redirect would carry the bearer token to an address that nobody configured.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	if p.life == 0 {
		p.life = time.Hour
	}
	if p.log == nil {
		p.log = slog.Default()
	}
	if p.now == nil {
		p.now = time.Now
	}
	if err := p.state.create(); err != nil {
		return nil, err
	}
	if err := p.openDirectory(c.Directory); err != nil {
		return nil, err
	}
	var err error
	if p.issuer, err = issuerURL(c, p.book.Load().Tenant); err != nil {
		return nil, err
	}
	if p.keys, err = openKeys(p.state, p.now, p.life); err != nil {
		return nil, err
	}
	if p.sessions, err = openSessions(p.state, p.now); err != nil {
		return nil, err
	}
	p.requests = newShelf[request](maxPending, p.now)
	p.codes = newShelf[grant](maxPending, p.now)
	p.spent = newShelf[string](maxPending, p.now)
	p.access = newShelf[grant](maxPending, p.now)
	p.guesses = newThrottle(p.now)
	p.handler = p.routes()

	p.log.LogAttrs(context.Background(), slog.LevelWarn,
		"this identity provider is for development: anyone who reaches it can sign in as anyone in its directory",
		slog.String("issuer", p.Issuer()), slog.Int("people", len(p.book.Load().Users)))
	return p, nil
}

// Issuer returns the issuer URL, which is the iss of every token.
func (p *Provider) Issuer() string { return p.issuer.String() }

// Tenant returns the tenant's id, the tid of every token.
func (p *Provider) Tenant() string { return p.book.Load().Tenant }

// RotateKeys makes the standby key the signing key and publishes a new standby. The key that signed until now stays
// published for as long as a token that it signed may live.
func (p *Provider) RotateKeys(ctx context.Context) error {
	kid, err := p.keys.rotate()
	if err != nil {
		return err
	}
	p.log.LogAttrs(ctx, slog.LevelInfo, "rotated the signing key", slog.String("kid", kid))
	return nil
}

// issuerURL checks the issuer, or makes it from the listening address and the tenant.
func issuerURL(c Config, tenant string) (*url.URL, error) {
	raw := c.Issuer
	if raw == "" {
		if c.Listen == "" {
			return nil, errors.New("open development identity provider: Issuer or Listen is required")
		}
		raw = "http://" + c.Listen + "/" + tenant + "/v2.0"
	}
	u, err := url.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("parse issuer URL: %w", err)
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("issuer %q: scheme must be http or https", raw)
	case u.Host == "" || u.Port() == "0" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("issuer %q: must have a host with its real port, and no user, query or fragment", raw)
	case strings.HasSuffix(u.Path, "/") || u.Path != u.EscapedPath() || strings.ContainsAny(u.Path, "{}"):
		return nil, fmt.Errorf("issuer %q: path must be plain and not end in a slash", raw)
	}
	return u, nil
}

// wait sleeps for d, or until the context ends.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
