package signin

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestUserCodes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		code := newUserCode()
		if len(code) != 8 || strings.Trim(code, userCodeLetters) != "" {
			t.Fatalf("code %q", code)
		}
		// However a person types it.
		typed := spellUserCode(code)
		if rapid.Bool().Draw(t, "small") {
			typed = strings.ToLower(typed)
		}
		typed = strings.ReplaceAll(typed, "-", rapid.SampledFrom([]string{"-", "", " ", " - "}).Draw(t, "between"))
		if got, ok := readUserCode(typed); !ok || got != code {
			t.Fatalf("%q is read as %q, %t", typed, got, ok)
		}
	})
	for _, text := range []string{"", "BBBB", "BBBB-BBBBB", "AAAA-AAAA", "BBBB_BBBB", "ＢBBB-BBBB", strings.Repeat("-", 25) + "BBBBBBBB"} {
		if got, ok := readUserCode(text); ok {
			t.Errorf("%q is read as %q", text, got)
		}
	}
}

func FuzzReadUserCode(f *testing.F) {
	f.Add("BBBB-CCCC")
	f.Fuzz(func(t *testing.T, text string) {
		if code, ok := readUserCode(text); ok && (len(code) != 8 || strings.Trim(code, userCodeLetters) != "") {
			t.Errorf("%q is read as %q", text, code)
		}
	})
}

func FuzzLoopback(f *testing.F) {
	for _, s := range []string{"http://127.0.0.1/oauth/callback", "http://[::1]:80/x", "http://127.0.0.1.evil.com/", "http://127.0.0.1@evil.com/", "http://127.0.0.1:80#@x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := loopback(raw)
		if err != nil {
			return
		}
		// Whoever reads it the simplest way comes to the same place.
		rest, ok := strings.CutPrefix(raw, "http://127.0.0.1")
		if !ok {
			rest, ok = strings.CutPrefix(raw, "http://[::1]")
		}
		if !ok || rest != "" && rest[0] != ':' && rest[0] != '/' || strings.ContainsAny(raw, "@?#\\ \t\r\n") {
			t.Errorf("%q passes for an address of this machine", raw)
		}
		again, err := url.Parse(raw)
		if err != nil || again.Host != u.Host {
			t.Errorf("%q: %v", raw, err)
		}
	})
}

func TestLoopback(t *testing.T) {
	c := &client{RedirectURIs: []string{"http://127.0.0.1/oauth/callback", "http://[::1]:1234/x"}}
	for raw, want := range map[string]bool{
		"http://127.0.0.1/oauth/callback": true, "http://127.0.0.1:1/oauth/callback": true, "http://127.0.0.1:65535/oauth/callback": true, "http://[::1]:9/x": true, "http://[::1]/x": true,
		"http://127.0.0.1:65536/oauth/callback": false, "http://127.0.0.1:/oauth/callback": false, "http://127.0.0.1/oauth/callback/": false, "http://127.0.0.1/x": false, "http://[::1]/oauth/callback": false,
		"http://127.0.0.1.evil.com/oauth/callback": false, "http://[::ffff:127.0.0.1]/x": false, "http://[::1%25eth0]/x": false, "http://127.0.0.1": false,
	} {
		if got := c.sends(raw); got != want {
			t.Errorf("%s: %t", raw, got)
		}
	}
}

func TestCounter(t *testing.T) {
	now := time.Unix(0, 0)
	c := newCounter(2, time.Minute, func() time.Time { return now })
	for i, want := range []bool{true, true, false} {
		if c.take("a") != want {
			t.Errorf("take %d of two: %t", i+1, !want)
		}
	}
	if !c.full("a") || c.full("b") || !c.take("b") {
		t.Error("keys share a count")
	}
	now = now.Add(time.Minute)
	if !c.take("a") {
		t.Error("the window does not end")
	}
	for i := range sources + 10 {
		c.take(string(rune(i)))
	}
	if len(c.count) > sources+1 {
		t.Errorf("%d keys are kept", len(c.count))
	}
	now = now.Add(-time.Hour) // a clock that was set back stops nobody
	if !c.take("a") {
		t.Error("the clock was set back, and everybody is stopped")
	}
}

func TestValueOf(t *testing.T) {
	claims := map[string]any{
		"oid": "1", "email": "a@example.com", "n": 5.0, "long": strings.Repeat("x", 1025), "a": map[string]any{"b": map[string]any{"c": "deep"}}, "a.b": "flat",
	}
	for path, want := range map[string]string{"oid": "1", "email": "a@example.com", "a.b.c": "deep", "a.b": "flat", "n": "", "long": "", "a": "", "x": "", "oid.x": "", "a.x.c": ""} {
		if got, _ := valueOf(claims, path); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	for verified, want := range map[any]bool{true: true, "true": true, false: false, "false": false, nil: false, 1.0: false} {
		claims["email_verified"] = verified
		if _, err := valueOf(claims, "email"); (err == nil) != want {
			t.Errorf("email_verified %v: %v", verified, err)
		}
	}
}

// The policy of the page has to let its form lead to the client.
func TestFormTarget(t *testing.T) {
	for redirect, want := range map[string]string{
		"http://127.0.0.1:53123/x": "http://127.0.0.1:53123", "https://app.example.com/callback?x=y": "https://app.example.com", "http://[::1]:80/x": "http:",
	} {
		if got := (&authorization{redirect: redirect}).formTarget(); got != want {
			t.Errorf("%s: %q, want %q", redirect, got, want)
		}
	}
}
