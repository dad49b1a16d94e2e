package devidp

import (
	"fmt"
	"net/url"
	"testing"

	"pgregory.net/rapid"
)

func TestRedirectAllowed(t *testing.T) {
	registered := []string{"https://app.example/cb?x=1", "http://127.0.0.1:9423/callback", "http://[::1]/callback", "http://localhost/"}
	for uri, want := range map[string]bool{
		"https://app.example/cb?x=1":         true,
		"https://app.example/cb":             false,
		"https://app.example:443/cb?x=1":     false, // https is compared to the letter
		"https://app.example/cb?x=1&y=2":     false,
		"http://127.0.0.1:9423/callback":     true,
		"http://127.0.0.1:1/callback":        true,
		"http://127.0.0.1/callback":          true,
		"http://127.0.0.1/callback?":         false,
		"http://127.0.0.1/callback/":         false,
		"http://127.0.0.1/%63allback":        false,
		"http://127.0.0.1/a/../callback":     false,
		"http://127.0.0.2/callback":          false,
		"http://localhost:9423/callback":     false, // registered with another path
		"http://localhost:9423/":             true,
		"http://[::1]:7/callback":            true,
		"https://127.0.0.1:9423/callback":    false,
		"http://u@127.0.0.1:9423/callback":   false,
		"http://127.0.0.1:9423/callback#f":   false,
		"http://127.0.0.1.example/callback":  false,
		"http://127.0.0.1:9423\\@x/callback": false,
		"":                                   false,
	} {
		if got := redirectAllowed(registered, uri); got != want {
			t.Errorf("%s: %v", uri, got)
		}
	}
}

// Whatever is put together of the parts that addresses are attacked with, an answer goes to the registered host, path
// and scheme, or nowhere.
func TestRedirectAllowedOnlyToTheRegisteredPlace(t *testing.T) {
	const registered = "http://127.0.0.1:9423/callback"
	rapid.Check(t, func(t *rapid.T) {
		uri := fmt.Sprintf("%s%s%s%s%s",
			rapid.SampledFrom([]string{"http://", "https://", "HTTP://", "//", "http:/", "http:///", "javascript:", "http://evil.example@"}).Draw(t, "scheme"),
			rapid.SampledFrom([]string{"127.0.0.1", "localhost", "evil.example", "127.0.0.1.evil.example", "[::1]", "127.1", "0x7f.1", ""}).Draw(t, "host"),
			rapid.SampledFrom([]string{"", ":9423", ":1", ":0", ":99999999", ":x", "@evil.example", ":80@evil.example", "\\evil", "%2f"}).Draw(t, "port"),
			rapid.SampledFrom([]string{"/callback", "", "/", "/callback/", "//callback", "/%63allback", "/callback/..", "/evil"}).Draw(t, "path"),
			rapid.SampledFrom([]string{"", "?", "?x", "#", "#x", " ", "\n"}).Draw(t, "rest"))
		if !redirectAllowed([]string{registered}, uri) {
			return
		}
		u, err := url.Parse(uri)
		if err != nil || u.Scheme != "http" || u.Hostname() != "127.0.0.1" || u.EscapedPath() != "/callback" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			t.Fatalf("allowed %q", uri)
		}
	})
}

func FuzzRedirectAllowed(f *testing.F) {
	const registered = "http://127.0.0.1:9423/callback"
	for _, s := range []string{registered, "http://127.0.0.1:1/callback", "http://127.0.0.1@x/callback", "http://[::ffff:127.0.0.1]/callback"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		if !redirectAllowed([]string{registered}, uri) {
			return
		}
		u, err := url.Parse(uri)
		if err != nil || u.Scheme != "http" || u.Hostname() != "127.0.0.1" || u.Path != "/callback" || u.User != nil {
			t.Errorf("allowed %q", uri)
		}
	})
}
