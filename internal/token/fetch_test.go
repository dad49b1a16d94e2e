package token

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestCheckURL(t *testing.T) {
	for url, want := range map[string]struct{ plain, development bool }{
		"https://login.example.com/v2.0":    {true, true},
		"https://login.example.com:8443/x":  {true, true},
		"http://login.example.com":          {false, false},
		"http://127.0.0.1:9422":             {false, true},
		"http://[::1]:9422":                 {false, true},
		"http://localhost:9422":             {false, true},
		"http://idp.localhost:9422":         {false, true},
		"http://127.0.0.1.example.com":      {false, false},
		"http://localhost.example.com":      {false, false},
		"http://10.0.0.1":                   {false, false},
		"file:///etc/passwd":                {false, false},
		"gopher://login.example.com":        {false, false},
		"https://user:word@login.example":   {false, false},
		"https://login.example.com/#x":      {false, false},
		"https:login.example.com":           {false, false},
		"//login.example.com":               {false, false},
		"":                                  {false, false},
		"https://":                          {false, false},
		"https://login.example.com\r\nX: y": {false, false},
	} {
		for development, want := range map[bool]bool{false: want.plain, true: want.development} {
			f := newFetcher(development, false, nil)
			if _, err := f.checkURL(url); (err == nil) != want {
				t.Errorf("%q, development %t: %v", url, development, err)
			}
		}
	}
}

func TestAddresses(t *testing.T) {
	for address, public := range map[string]bool{
		"1.1.1.1": true, "20.190.128.1": true, "2606:4700::1111": true,
		"127.0.0.1": false, "127.8.9.1": false, "::1": false, "0.0.0.0": false, "::": false, "0.1.2.3": false,
		"10.0.0.1": false, "172.16.0.1": false, "172.31.255.255": false, "192.168.1.1": false, "fd00::1": false, "fc00::1": false,
		"169.254.169.254": false, "fe80::1": false, "fd00:ec2::254": false, "100.64.0.1": false, "100.100.100.200": false,
		"192.0.2.1": false, "198.18.0.1": false, "203.0.113.9": false, "224.0.0.1": false, "ff02::1": false, "240.0.0.1": false, "255.255.255.255": false,
		"::ffff:127.0.0.1": false, "::ffff:10.0.0.1": false, "::ffff:1.1.1.1": true, "::7f00:1": false,
		"64:ff9b::7f00:1": false, "64:ff9b::a9fe:a9fe": false, "2002:7f00:1::": false, "2001:db8::1": false, "fec0::1": false,
	} {
		a := netip.MustParseAddr(address)
		f := newFetcher(false, false, nil)
		err := f.admit(t.Context(), "tcp", netip.AddrPortFrom(a, 443).String(), nil)
		if (err == nil) != public {
			t.Errorf("%s: %v", address, err)
		}
		open := newFetcher(false, true, nil)
		never := a.Unmap().IsUnspecified() || a.IsMulticast()
		if err := open.admit(t.Context(), "tcp", netip.AddrPortFrom(a, 443).String(), nil); (err == nil) == never {
			t.Errorf("%s with private addresses allowed: %v", address, err)
		}
		development := newFetcher(true, false, nil)
		if err := development.admit(t.Context(), "tcp", netip.AddrPortFrom(a, 443).String(), nil); (err == nil) != (public || a.Unmap().IsLoopback()) {
			t.Errorf("%s in development: %v", address, err)
		}
		plain := context.WithValue(t.Context(), plainKey{}, true)
		if err := open.admit(plain, "tcp", netip.AddrPortFrom(a, 80).String(), nil); (err == nil) != a.Unmap().IsLoopback() {
			t.Errorf("%s by http: %v", address, err)
		}
	}
}

// site is a server with a certificate of its own that the fetcher trusts.
func site(t *testing.T, h http.HandlerFunc) (*httptest.Server, *tls.Config, *atomic.Int64) {
	t.Helper()
	var visits atomic.Int64
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		visits.Add(1)
		h(w, r)
	}))
	t.Cleanup(s.Close)
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return s, &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, &visits
}

const oneKey = `{"keys":[{"kty":"EC","crv":"P-256","kid":"one","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}`

// What an issuer may answer, and what it may not.
func TestDiscovery(t *testing.T) {
	var s *httptest.Server
	document := func(format string, args ...any) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, discoveryPath) {
				_, _ = fmt.Fprintf(w, format, args...)
				return
			}
			_, _ = fmt.Fprint(w, oneKey)
		}
	}
	for name, c := range map[string]struct {
		handler func() http.HandlerFunc
		problem string // empty: it works
	}{
		"as it should be":     {func() http.HandlerFunc { return document(`{"issuer":%q,"jwks_uri":%q}`, s.URL, s.URL+"/k") }, ""},
		"another issuer":      {func() http.HandlerFunc { return document(`{"issuer":"https://evil.example.com","jwks_uri":%q}`, s.URL) }, "it names the issuer"},
		"issuer with a slash": {func() http.HandlerFunc { return document(`{"issuer":%q,"jwks_uri":%q}`, s.URL+"/", s.URL) }, "it names the issuer"},
		"no issuer":           {func() http.HandlerFunc { return document(`{"jwks_uri":%q}`, s.URL) }, "it names the issuer"},
		"no key set":          {func() http.HandlerFunc { return document(`{"issuer":%q}`, s.URL) }, "not usable"},
		"key set by http":     {func() http.HandlerFunc { return document(`{"issuer":%q,"jwks_uri":"http://keys.example.com"}`, s.URL) }, "must be https"},
		"key set in a file":   {func() http.HandlerFunc { return document(`{"issuer":%q,"jwks_uri":"file:///etc/passwd"}`, s.URL) }, "not usable"},
		"key set at metadata": {func() http.HandlerFunc {
			return document(`{"issuer":%q,"jwks_uri":"http://169.254.169.254/latest"}`, s.URL)
		}, "must be https"},
		"not JSON":            {func() http.HandlerFunc { return document(`<html>`) }, "not a JSON object"},
		"an error":            {func() http.HandlerFunc { return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) } }, "answered 500"},
		"no content":          {func() http.HandlerFunc { return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) } }, "answered 204"},
		"a huge document":     {func() http.HandlerFunc { return document(`{"issuer":%q,"x":%q}`, s.URL, strings.Repeat("x", 70<<10)) }, "more than 65536 bytes"},
		"an endless document": {func() http.HandlerFunc { return endless }, "more than 65536 bytes"},
		"a redirect to another": {func() http.HandlerFunc {
			return http.RedirectHandler("https://evil.example.com/", http.StatusFound).ServeHTTP
		}, "where it must not go"},
		"a redirect to http": {func() http.HandlerFunc {
			return http.RedirectHandler(strings.Replace(s.URL, "https", "http", 1), http.StatusFound).ServeHTTP
		}, "where it must not go"},
		"a redirect without end": {func() http.HandlerFunc { return http.RedirectHandler("/again", http.StatusFound).ServeHTTP }, "where it must not go"},
	} {
		t.Run(name, func(t *testing.T) {
			var h http.HandlerFunc
			var roots *tls.Config
			s, roots, _ = site(t, func(w http.ResponseWriter, r *http.Request) { h(w, r) })
			h = c.handler()
			f := newFetcher(false, true, roots)
			_, _, err := f.keys(t.Context(), s.URL)
			if c.problem == "" && err != nil || c.problem != "" && (err == nil || !strings.Contains(err.Error(), c.problem)) {
				t.Errorf("%v, want %q", err, c.problem)
			}
		})
	}
}

func endless(w http.ResponseWriter, r *http.Request) {
	for r.Context().Err() == nil {
		if _, err := w.Write(make([]byte, 4096)); err != nil {
			return
		}
	}
}

// A name is judged by what it resolves to when it is dialled: one that leads inside is refused, and nobody is visited.
func TestNamesThatLeadInside(t *testing.T) {
	s, roots, visits := site(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, "{}") })
	roots.InsecureSkipVerify = true //nolint:gosec // nobody is to be reached
	port := s.URL[strings.LastIndexByte(s.URL, ':'):]
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]"} {
		f := newFetcher(false, false, roots)
		if _, _, err := f.keys(t.Context(), "https://"+host+port); !errors.Is(err, errAddress) {
			t.Errorf("%s: %v", host, err)
		}
	}
	if visits.Load() != 0 {
		t.Error("the inside was visited")
	}
	// The same server, once private addresses are allowed: the test above does not fail for another reason.
	if _, _, err := newFetcher(false, true, roots).keys(t.Context(), s.URL); err == nil || visits.Load() == 0 {
		t.Errorf("%v after %d visits", err, visits.Load())
	}
}

// An issuer that answers slowly, or never to the end, holds nobody up for longer than the bound.
func TestSlowIssuers(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"no answer": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"a body that trickles": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(200)
			for tick := time.NewTicker(5 * time.Millisecond); r.Context().Err() == nil; <-tick.C {
				_, _ = w.Write([]byte(" "))
				w.(http.Flusher).Flush()
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, roots, _ := site(t, h)
			f := newFetcher(false, true, roots)
			f.client.Timeout = 100 * time.Millisecond
			begun := time.Now()
			if _, _, err := f.keys(t.Context(), s.URL); err == nil {
				t.Error("an answer")
			}
			if took := time.Since(begun); took > 3*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

// A proxy that the environment names would be dialled in place of the issuer, so that nobody judged its address.
func TestNoProxy(t *testing.T) {
	if tr, ok := newFetcher(false, false, nil).client.Transport.(*http.Transport); !ok || tr.Proxy != nil {
		t.Error("visits go by a proxy")
	}
}

func TestMaxAge(t *testing.T) {
	for header, want := range map[string]time.Duration{
		"":                             0,
		"max-age=600":                  10 * time.Minute,
		"public, Max-Age=\"60\", x":    time.Minute,
		"no-store, max-age=600":        0,
		"max-age=-1":                   0,
		"max-age=99999999999999999999": 0,
		"max-age":                      0,
		"s-maxage=5, max-age=7":        7 * time.Second,
	} {
		if got := maxAge(http.Header{"Cache-Control": {header}}); got != want {
			t.Errorf("%q: %s, want %s", header, got, want)
		}
	}
}
