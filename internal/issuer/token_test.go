package issuer

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

func TestClaimPaths(t *testing.T) {
	c := Claims{}
	if err := json.Unmarshal([]byte(`{"oid":"1","preferred_username":"2","a":{"b":{"c":"3"},"d":4},"a.x":"5","n":null,"l":["6"],"e":""}`), &c.All); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"oid": "1", "preferred_username": "2", "a.b.c": "3", "a.x": "5",
		"a": "", "a.b": "", "a.d": "", "a.b.x": "", "oid.x": "", "x.y": "", "n": "", "l": "", "e": "", "OID": "", "preferred.username": "",
	} {
		got, err := c.Claim(path)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v", path, got, err)
		}
	}
}

// Whatever a client sends as an assertion, the parser answers; and what it lets through holds what the exchange relies on.
func FuzzParseAssertion(f *testing.F) {
	b := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	payload := b(`{"iss":"https://x","sub":"s","aud":["a"],"exp":1760000000.5,"nbf":1,"oid":"o"}`)
	for _, header := range []string{`{"alg":"RS256"}`, `{"alg":"none"}`, `{"alg":"ES256","kid":"k","typ":"JWT"}`, `{"alg":"RS256","alg":"ES256"}`, `{"alg":"RS256","crit":[]}`, `[]`, `null`} {
		f.Add(b(header) + "." + payload + "." + b("signature"))
	}
	f.Add(".." + payload)
	f.Fuzz(func(t *testing.T, text string) {
		a, err := Parse(text, Extended)
		if err != nil {
			return
		}
		if !slices.Contains(Extended, a.Algorithm) || a.Claims.Issuer == "" || a.Claims.Subject == "" || len(a.Claims.Audiences) == 0 || a.Claims.Expires.IsZero() {
			t.Errorf("%q is let through: %+v", text, a.Claims)
		}
		if !strings.HasPrefix(text, a.Signed+".") || a.jws.Signatures[0].Header.Algorithm != string(a.Algorithm) || a.jws.Signatures[0].Header.KeyID != a.KeyID {
			t.Errorf("%q reads as another token to the verifier", text)
		}
		var theirs map[string]any
		if err := json.Unmarshal(a.jws.UnsafePayloadWithoutVerification(), &theirs); err != nil || theirs["sub"] != a.Claims.Subject {
			t.Errorf("%q: the verifier sees other claims", text)
		}
	})
}

// What an issuer publishes never breaks the reader, and gives only keys that can verify.
func FuzzParseKeySet(f *testing.F) {
	f.Add([]byte(oneKey))
	f.Add([]byte(`{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB","use":"sig"},{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"oct","k":"AAAA"},null,[],{}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		set, err := parseKeySet(text)
		if err != nil {
			return
		}
		for _, k := range set {
			if !slices.ContainsFunc(Extended, func(a jose.SignatureAlgorithm) bool { return fits(k.key, a) }) {
				t.Errorf("%q gives a key that fits nothing: %T", text, k.key)
			}
		}
	})
}
