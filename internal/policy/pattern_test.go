package policy

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestWildcard(t *testing.T) {
	tests := []struct {
		pattern string
		matches []string
		refuses []string
	}{
		{"", []string{""}, []string{"a"}},
		{"*", []string{"", "a", "a/b\nc"}, nil},
		{"?", []string{"a", "é", "😀", "\xff"}, []string{"", "ab"}},
		{"abc", []string{"abc"}, []string{"ABC", "ab", "abcd", ""}},
		{"a*", []string{"a", "ab", "a/b/c"}, []string{"", "ba"}},
		{"*a", []string{"a", "ba", "aa"}, []string{"ab"}},
		{"a*a", []string{"aa", "aba", "aaa"}, []string{"a"}},
		{"a?c*", []string{"abc", "a*cd"}, []string{"ac", "abbc"}},
		{"*/red/*", []string{"/red/", "x/red/y/red/"}, []string{"red/", "/red"}},
		{"**a**", []string{"a", "xax"}, []string{"", "x"}},
		{"*ab?d*ef", []string{"abcdef", "ababcdxefef"}, []string{"abdef", "abcdefg"}},
		{"*?ab", []string{"日ab", "xxab"}, []string{"ab"}},
		{"?*?*?b", []string{"xyzb", "xyz/ab"}, []string{"xyb", "xyzbc"}},
		{"*aab", []string{"aaab", "aabaab"}, []string{"aaba"}},
	}
	for _, tt := range tests {
		w := NewWildcard(tt.pattern)
		for _, s := range tt.matches {
			if !w.Match(s) {
				t.Errorf("%q does not match %q", tt.pattern, s)
			}
		}
		for _, s := range tt.refuses {
			if w.Match(s) {
				t.Errorf("%q matches %q", tt.pattern, s)
			}
		}
	}
}

// naiveMatch is the definition, by recursion over characters.
func naiveMatch(pattern, text []rune) bool {
	switch {
	case len(pattern) == 0:
		return len(text) == 0
	case pattern[0] == '*':
		return naiveMatch(pattern[1:], text) || len(text) > 0 && naiveMatch(pattern, text[1:])
	case len(text) == 0:
		return false
	}
	return (pattern[0] == '?' || pattern[0] == text[0]) && naiveMatch(pattern[1:], text[1:])
}

func TestWildcardIsTheDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pattern := rapid.StringOfN(rapid.SampledFrom([]rune("ab/é**?")), 0, 10, -1).Draw(t, "pattern")
		text := rapid.StringOfN(rapid.SampledFrom([]rune("ab/é")), 0, 12, -1).Draw(t, "text")
		if got, want := NewWildcard(pattern).Match(text), naiveMatch([]rune(pattern), []rune(text)); got != want {
			t.Fatalf("%q on %q is %v, want %v", pattern, text, got, want)
		}
	})
}

func FuzzWildcard(f *testing.F) {
	f.Add("*a?b*", "xxaébyy")
	f.Add("**?*", "")
	f.Add("a*a*a", "aaaa")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if len(pattern) > 12 || len(text) > 40 || !utf8.ValidString(pattern) || !utf8.ValidString(text) {
			return
		}
		if got, want := NewWildcard(pattern).Match(text), naiveMatch([]rune(pattern), []rune(text)); got != want {
			t.Fatalf("%q on %q is %v, want %v", pattern, text, got, want)
		}
	})
}

// An attacker who writes patterns, or names what patterns are held against, must not be able to buy much time. A
// matcher that tries again at every star would not end in the age of the universe.
func TestWildcardResistsBacktracking(t *testing.T) {
	a := strings.Repeat("a", 10_000)
	tests := []struct{ name, pattern, text string }{
		{"many stars", strings.Repeat("a*", 5_000) + "b", a},
		{"many stars and question marks", strings.Repeat("*a?", 3_000) + "b", a},
		{"long literal after a star", "*" + a[:5_000] + "b*", a},
		{"long literal at the end", "*" + a[:5_000] + "b", a},
		{"question marks after a star", "*" + strings.Repeat("?", 5_000) + "b", a},
		{"question marks between letters", "*" + strings.Repeat("a?", 512) + "b", a[:2048]},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			start := time.Now()
			if NewWildcard(tt.pattern).Match(tt.text) {
				t.Error("matches")
			}
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

// Escape is what keeps a key with a star in its name from widening a generated policy.
func TestEscapeStandsForItself(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		alphabet := rapid.SampledFrom([]rune("ab*?$${}'/:é"))
		key := rapid.StringOfN(alphabet, 1, 8, -1).Draw(t, "key")
		other := rapid.StringOfN(alphabet, 1, 8, -1).Draw(t, "other")
		d, err := Parse([]byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::b/`+Escape(key)+`"}}`), Session)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range []string{key, other} {
			r := userRequest()
			r.Resource = "arn:aws:s3:::b/" + k
			if got := Evaluate(r, &Policies{Identity: []Named{{"p", d}}}).Allowed; got != (k == key) {
				t.Fatalf("%q for the key %q: allowed %v", Escape(key), k, got)
			}
		}
	})
}
