package issuer

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lakegate/lakegate/internal/visit"
)

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
			if strings.HasSuffix(r.URL.Path, DiscoveryPath) {
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
			f := visit.New(visit.Config{AllowPrivate: true, TLS: roots})
			_, _, err := discover(t.Context(), f, s.URL)
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
		f := visit.New(visit.Config{TLS: roots})
		if _, _, err := discover(t.Context(), f, "https://"+host+port); !errors.Is(err, visit.ErrAddress) {
			t.Errorf("%s: %v", host, err)
		}
	}
	if visits.Load() != 0 {
		t.Error("the inside was visited")
	}
	// The same server, once private addresses are allowed: the test above does not fail for another reason.
	if _, _, err := discover(t.Context(), visit.New(visit.Config{AllowPrivate: true, TLS: roots}), s.URL); err == nil || visits.Load() == 0 {
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
			f := visit.New(visit.Config{AllowPrivate: true, TLS: roots, Time: 100 * time.Millisecond})
			begun := time.Now()
			if _, _, err := discover(t.Context(), f, s.URL); err == nil {
				t.Error("an answer")
			}
			if took := time.Since(begun); took > 3*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}
