package token

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/lakegate/lakegate/internal/center"
	"github.com/lakegate/lakegate/internal/issuer"
)

// The scopes of an answer against the definition: those that were asked for, or all, of what the application has and the
// sign-in gave; asking for anything else is refused.
func TestGrantScopesAgainstModel(t *testing.T) {
	names := []string{scopeOpenID, scopeAWS, scopeContext, "a:b", "c:d", "e:f"}
	some := rapid.SliceOf(rapid.SampledFrom(names))
	rapid.Check(t, func(t *rapid.T) {
		configured, asked := some.Draw(t, "configured"), some.Draw(t, "asked")
		var bounds []string
		if rapid.Bool().Draw(t, "bounded") {
			bounds = append([]string{}, some.Draw(t, "bounds")...)
		}
		has := func(s string) bool {
			implied := s == scopeOpenID || s == scopeAWS || s == scopeContext
			return (implied || slices.Contains(configured, s)) && (bounds == nil || slices.Contains(bounds, s))
		}
		var want []string
		refused := slices.ContainsFunc(asked, func(s string) bool { return !has(s) })
		for _, s := range names {
			if has(s) && (len(asked) == 0 || slices.Contains(asked, s)) {
				want = append(want, s)
			}
		}
		got, err := grantScopes(configured, bounds, asked)
		if (err != nil) != (refused || len(want) == 0) {
			t.Fatalf("%v, want refused %t with %v", err, refused, want)
		}
		if err == nil {
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Fatalf("%v, want %v", got, want)
			}
		}
	})
}

func TestTokenIDs(t *testing.T) {
	seen := map[string]string{}
	for _, x := range []struct{ instance, issuer, jti, signed string }{
		{"i", "u", "j", "s"}, {"i", "u", "", "s"}, {"i", "u", "s", ""}, {"i", "uj", "", "s"}, {"iu", "", "j", "s"}, {"i2", "u", "j", "s"}, {"i", "u2", "j", "s"}, {"i", "u", "j2", "s"}, {"i", "u", "", "s2"},
	} {
		id := string(tokenID(x.instance, &issuer.Token{Signed: x.signed, Claims: issuer.Claims{Issuer: x.issuer, ID: x.jti}}))
		if other, ok := seen[id]; ok {
			t.Errorf("%v and %s are the same", x, other)
		}
		seen[id] = x.instance + " " + x.issuer + " " + x.jti + " " + x.signed
	}
}

// Whatever the first application has and the token holds: nothing is handed on that the token does not hold, nothing that is
// for somebody else, and something is handed on only where a scope of the token is meant for the target.
func TestHandedOnAgainstModel(t *testing.T) {
	const instance, target = "arn:aws:sso:::instance/i", "arn:aws:sso::1:application/i/target"
	names := []string{scopeOpenID, scopeAWS, scopeContext, "a:b", "c:d", "e:f"}
	some := rapid.SliceOf(rapid.SampledFrom(names))
	targets := rapid.SliceOf(rapid.SampledFrom([]string{target, instance, "arn:aws:sso::1:application/i/other"}))
	rapid.Check(t, func(t *rapid.T) {
		source := &center.Application{ARN: "source", Instance: instance, Scopes: map[string][]string{}}
		for _, s := range some.Draw(t, "configured") {
			source.Scopes[s] = targets.Draw(t, "targets")
		}
		to := &center.Application{ARN: target, Instance: instance}
		held, asked := some.Draw(t, "held"), some.Draw(t, "asked")
		meant := func(s string) bool {
			list, ok := source.Scopes[s]
			return ok && (len(list) == 0 || slices.Contains(list, target) || slices.Contains(list, instance))
		}
		bounds := handedOn(source, to, held)
		for _, s := range names {
			implied := s == scopeOpenID || s == scopeAWS || s == scopeContext
			if want := slices.Contains(held, s) && (implied || meant(s)); slices.Contains(bounds, s) != want {
				t.Errorf("%s is handed on: %t, want %t", s, !want, want)
			}
		}
		got, err := grantScopes(some.Draw(t, "of the target"), bounds, asked)
		if err == nil && slices.ContainsFunc(got, func(s string) bool { return !slices.Contains(held, s) }) {
			t.Errorf("%v from a token with %v", got, held)
		}
	})
}

// A verifier verifies the challenge that is made from it, and no other text does.
func TestChallengesAgainstDefinition(t *testing.T) {
	text := rapid.StringOfN(rapid.RuneFrom([]rune(unreserved)), 43, 128, -1)
	rapid.Check(t, func(t *rapid.T) {
		a, b := text.Draw(t, "a"), text.Draw(t, "b")
		sum := sha256.Sum256([]byte(a))
		challenge := base64.RawURLEncoding.EncodeToString(sum[:])
		if !validChallenge(challenge) || !verifies(challenge, a) || verifies(challenge, b) != (a == b) || verifies(a, a) {
			t.Errorf("%q, %q, %q", challenge, a, b)
		}
	})
}

func TestCredentialsNameTheirFamily(t *testing.T) {
	f := &family{id: "0f8fad5b-d9cb-469f-a165-70867728950e"}
	seen := map[string]bool{}
	for range 100 {
		id, err := f.newCredential()
		if err != nil || familyOf(id) != f.id || seen[id] || len(id) > 128 {
			t.Fatalf("%q of %q, %v", id, familyOf(id), err)
		}
		seen[id] = true
	}
	for _, text := range []string{"", "x", "credential-1", strings.Repeat("A", 85), strings.Repeat("A", 87), strings.Repeat("=", 86)} {
		if got := familyOf(text); got != "" {
			t.Errorf("%q is of %q", text, got)
		}
	}
	if _, err := (&family{id: "made up"}).newCredential(); err == nil {
		t.Error("a credential of a family that is none")
	}
}
