package token

import (
	"context"
	"crypto/tls"
	"encoding/json"
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

// Whom the server visits is chosen by whoever creates a trusted token issuer, and then by that issuer. So a visit is
// bounded in time and size, goes by https, follows no redirect to another host, takes no proxy from the environment, and
// the address is judged when it is dialled: a name that resolves to an inside address the second time gains nothing.

const (
	fetchTime     = 5 * time.Second
	maxDocument   = 64 << 10
	maxRedirects  = 3
	discoveryPath = "/.well-known/openid-configuration"
)

// fetcher reads discovery documents and key sets.
type fetcher struct {
	client *http.Client
	// development admits http on loopback.
	development bool
	// allowPrivate admits addresses that are not on the public internet.
	allowPrivate bool
}

func newFetcher(development, allowPrivate bool, roots *tls.Config) *fetcher {
	f := &fetcher{development: development, allowPrivate: allowPrivate}
	dialer := &net.Dialer{Timeout: fetchTime, ControlContext: f.admit}
	f.client = &http.Client{
		Timeout: fetchTime,
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSClientConfig: roots, ForceAttemptHTTP2: true,
			TLSHandshakeTimeout: fetchTime, ResponseHeaderTimeout: fetchTime, MaxResponseHeaderBytes: 16 << 10,
			MaxIdleConns: 32, MaxIdleConnsPerHost: 1, MaxConnsPerHost: 4, IdleConnTimeout: 30 * time.Second,
			DisableCompression: true,
		},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			first := via[0].URL
			if len(via) > maxRedirects || r.URL.Scheme != first.Scheme || r.URL.Host != first.Host {
				return fmt.Errorf("redirected to %s://%s, where it must not go", r.URL.Scheme, r.URL.Host)
			}
			return nil
		},
	}
	return f
}

// errAddress says that an issuer is where it must not be.
var errAddress = errors.New("the address is not on the public internet (set issuers.allow_private to admit it)")

// plainKey marks, in the context of a dial, a visit by plain http.
type plainKey struct{}

// admit judges each address right before it is dialled, after its name was resolved.
func (f *fetcher) admit(ctx context.Context, _, address string, _ syscall.RawConn) error {
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
		return fmt.Errorf("dial %s: %w", a, errAddress)
	case f.allowPrivate || f.development && a.IsLoopback() || isPublic(a):
		return nil
	}
	return fmt.Errorf("dial %s: %w", a, errAddress)
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

// checkURL judges where a document is before anything is resolved.
func (f *fetcher) checkURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" || u.Opaque != "" {
		return nil, errors.New("the URL is not usable")
	}
	switch {
	case u.Scheme == "https":
	case u.Scheme == "http" && f.development && isLoopbackName(u.Hostname()):
	default:
		return nil, errors.New("the URL must be https (http is for loopback in development mode alone)")
	}
	return u, nil
}

func isLoopbackName(host string) bool {
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback() || host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// keys reads the keys of an issuer: its discovery document, which must name the issuer exactly, and the key set that it
// points to. It returns for how long the set may be kept, as the issuer says; 0 when it does not.
func (f *fetcher) keys(ctx context.Context, issuer string) (keySet, time.Duration, error) {
	text, _, err := f.get(ctx, strings.TrimSuffix(issuer, "/")+discoveryPath)
	if err != nil {
		return nil, 0, fmt.Errorf("read discovery document: %w", err)
	}
	var doc struct {
		Issuer  string `json:"issuer"`
		JWKSURI string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		return nil, 0, errors.New("read discovery document: not a JSON object")
	}
	if doc.Issuer != issuer {
		return nil, 0, fmt.Errorf("read discovery document: it names the issuer %.512q, not %q", doc.Issuer, issuer)
	}
	text, header, err := f.get(ctx, doc.JWKSURI)
	if err != nil {
		return nil, 0, fmt.Errorf("read key set: %w", err)
	}
	set, err := parseKeySet(text)
	return set, maxAge(header), err
}

func (f *fetcher) get(ctx context.Context, address string) ([]byte, http.Header, error) {
	u, err := f.checkURL(address)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, plainKey{}, u.Scheme == "http"), fetchTime)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, nil, err
	}
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", "lakegate")
	res, err := f.client.Do(r)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return nil, nil, fmt.Errorf("%s answered %d", u.Host, res.StatusCode)
	}
	text, err := io.ReadAll(io.LimitReader(res.Body, maxDocument+1))
	if err != nil {
		return nil, nil, err
	}
	if len(text) > maxDocument {
		return nil, nil, fmt.Errorf("%s answered more than %d bytes", u.Host, maxDocument)
	}
	return text, res.Header, nil
}

// maxAge reads Cache-Control (RFC 9111 §5.2.2). What may not be stored at all gets the shortest time that there is.
func maxAge(h http.Header) time.Duration {
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
