// Package visit fetches from servers that others than the operator chose: the discovery documents and keys of trusted token
// issuers, and the sign-in providers of instances.
//
// Whom the server visits is chosen by whoever configures an issuer, and then by that issuer. So a visit is bounded in time
// and size, goes by https, follows no redirect to another host, takes no proxy from the environment, and the address is
// judged when it is dialled: a name that resolves to an inside address the second time gains nothing.
package visit

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Bounds of a visit.
const (
	// Time is how long a visit may take.
	Time = 5 * time.Second
	// MaxDocument is how many bytes an answer may have.
	MaxDocument  = 64 << 10
	maxRedirects = 3
)

// Config says where visits may go.
type Config struct {
	// Development admits http on loopback.
	Development bool
	// AllowPrivate admits addresses that are not on the public internet.
	AllowPrivate bool
	// TLS may name the roots of certificates; nil takes the system's.
	TLS *tls.Config
	// Time bounds a visit; zero takes Time.
	Time time.Duration
}

// Visitor makes visits. It is safe for concurrent use.
type Visitor struct {
	client                    *http.Client
	development, allowPrivate bool
}

// New returns a visitor.
func New(cfg Config) *Visitor {
	if cfg.Time == 0 {
		cfg.Time = Time
	}
	v := &Visitor{development: cfg.Development, allowPrivate: cfg.AllowPrivate}
	dialer := &net.Dialer{Timeout: cfg.Time, ControlContext: v.admit}
	v.client = &http.Client{
		Timeout: cfg.Time,
		Transport: &gate{v, &http.Transport{
			DialContext: dialer.DialContext, TLSClientConfig: cfg.TLS, ForceAttemptHTTP2: true,
			TLSHandshakeTimeout: cfg.Time, ResponseHeaderTimeout: cfg.Time, MaxResponseHeaderBytes: 16 << 10,
			MaxIdleConns: 32, MaxIdleConnsPerHost: 1, MaxConnsPerHost: 4, IdleConnTimeout: 30 * time.Second,
			DisableCompression: true,
		}},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			first := via[0].URL
			if len(via) > maxRedirects || r.URL.Scheme != first.Scheme || r.URL.Host != first.Host {
				return fmt.Errorf("redirected to %s://%s, where it must not go", r.URL.Scheme, r.URL.Host)
			}
			return nil
		},
	}
	return v
}

// Client is an HTTP client for libraries that make the visits themselves. Every request of it is held to the same bounds.
func (v *Visitor) Client() *http.Client { return v.client }

// gate judges each request before it is sent and bounds what is read of its answer.
type gate struct {
	visitor   *Visitor
	transport *http.Transport
}

// RoundTrip implements http.RoundTripper.
func (g *gate) RoundTrip(r *http.Request) (*http.Response, error) {
	u, err := g.visitor.checkURL(r.URL.String())
	if err != nil {
		if r.Body != nil {
			err = errors.Join(err, r.Body.Close())
		}
		return nil, err
	}
	res, err := g.transport.RoundTrip(r.WithContext(context.WithValue(r.Context(), plainKey{}, u.Scheme == "http")))
	if err != nil {
		return nil, err
	}
	res.Body = &bounded{ReadCloser: res.Body, host: u.Host, left: MaxDocument}
	return res, nil
}

// bounded is a body that fails, rather than ends, when it is too large: half a document is none.
type bounded struct {
	io.ReadCloser
	host string
	left int
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left+1)])
	if n > b.left {
		return 0, fmt.Errorf("%s answered more than %d bytes", b.host, MaxDocument)
	}
	b.left -= n
	return n, err
}

// ErrAddress says that an issuer is where it must not be.
var ErrAddress = errors.New("the address is not on the public internet (set issuers.allow_private to admit it)")

// plainKey marks, in the context of a dial, a visit by plain http.
type plainKey struct{}

// admit judges each address right before it is dialled, after its name was resolved.
func (v *Visitor) admit(ctx context.Context, _, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("dial %s: %w", address, err)
	}
	a := ap.Addr().Unmap().WithZone("")
	if plain, _ := ctx.Value(plainKey{}).(bool); plain && !a.IsLoopback() {
		return fmt.Errorf("dial %s: http is for loopback alone", a)
	}
	switch {
	case a.IsUnspecified() || a.IsMulticast():
		return fmt.Errorf("dial %s: %w", a, ErrAddress)
	case v.allowPrivate || v.development && a.IsLoopback() || isPublic(a):
		return nil
	}
	return fmt.Errorf("dial %s: %w", a, ErrAddress)
}

// special are the networks of the IANA special-purpose registries that netip has no question for, and those that wrap an
// IPv4 address, behind which anything may be.
var special = func() (out []netip.Prefix) {
	for _, p := range []string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "fec0::/10", "5f00::/16",
	} {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}()

func isPublic(a netip.Addr) bool {
	if !a.IsGlobalUnicast() || a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() {
		return false
	}
	for _, p := range special {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

var errURL = errors.New("the URL is not usable")

// checkURL judges where a document is before anything is resolved.
func (v *Visitor) checkURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" || u.Opaque != "" {
		return nil, errURL
	}
	switch {
	case u.Scheme == "https":
	case u.Scheme == "http" && v.development && isLoopbackName(u.Hostname()):
	default:
		return nil, errors.New("the URL must be https (http is for loopback in development mode alone)")
	}
	return u, nil
}

func isLoopbackName(host string) bool {
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback() || host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// Get reads a document. The error says which bound it broke, for the log.
func (v *Visitor) Get(ctx context.Context, address string) ([]byte, http.Header, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, nil, errURL
	}
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", "lakegate")
	res, err := v.client.Do(r)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return nil, nil, fmt.Errorf("%s answered %d", r.URL.Host, res.StatusCode)
	}
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, nil, err
	}
	return text, res.Header, nil
}

// CheckURL says why a document cannot be where a text says, or nil. Nothing is resolved.
func (v *Visitor) CheckURL(text string) error {
	_, err := v.checkURL(text)
	return err
}

// MaxAge reads Cache-Control (RFC 9111 §5.2.2). What may not be stored at all gets the shortest time that there is.
func MaxAge(h http.Header) time.Duration {
	for _, d := range strings.Split(strings.Join(h.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.ToLower(strings.TrimSpace(d)), "=")
		switch name {
		case "no-store", "no-cache":
			return 0
		case "max-age":
			if n, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31); err == nil {
				return time.Duration(n) * time.Second
			}
		}
	}
	return 0
}
