package console

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// TestPlain: whatever somebody wrote, what is shown can be seen, and what could be seen before is shown as it was.
func TestPlain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.StringOf(rapid.SampledFrom([]rune("ab/ \u202e\u2066\u200b\u00ad\ufeff\u00a0\n\t\x00\u2028é漢")))).Draw(t, "text")
		got := plain(text)
		if strings.ContainsFunc(got, shapeless) || !utf8.ValidString(got) && utf8.ValidString(text) {
			t.Fatalf("%q is shown as %q", text, got)
		}
		if !strings.ContainsFunc(text, shapeless) && got != text || plain(got) != got {
			t.Fatalf("%q is shown as %q", text, got)
		}
	})
	for text, want := range map[string]string{"s3://lake/\u202e*": `s3://lake/\u{202E}*`, "a\u00a0b": `a\u{00A0}b`, "Ana Sílva 漢": "Ana Sílva 漢", "": ""} {
		if got := plain(text); got != want {
			t.Errorf("%q is shown as %q", text, got)
		}
	}
	if plain((*string)(nil)) != "" || plain(new("x")) != "x" {
		t.Error("pointers are not followed")
	}
}

// TestDurations: what a form is filled in with is what it says, and no form says what cannot be counted.
func TestDurations(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seconds := 60 * rapid.IntRange(1, 5_256_000).Draw(t, "minutes")
		amount, unit := amountOf(seconds)
		if got, ok := secondsOf(amount, unit); !ok || got != seconds {
			t.Fatalf("%d seconds are %s %ss are %d, %t", seconds, amount, unit, got, ok)
		}
	})
	for _, bad := range [][2]string{{"0", "day"}, {"-1", "day"}, {"1.5", "day"}, {"", "day"}, {"1", "week"}, {"1", ""}, {"99999999999", "minute"}, {"2147483647", "day"}, {"1e3", "minute"}} {
		if n, ok := secondsOf(bad[0], bad[1]); ok {
			t.Errorf("%q %q is %d seconds", bad[0], bad[1], n)
		}
	}
	for seconds, want := range map[int]string{60: "1 minute", 3600: "1 hour", 5400: "90 minutes", 172800: "2 days", 61: "1m1s", 3661: "1 hour 1 minute"} {
		if got := span(time.Duration(seconds) * time.Second); got != want {
			t.Errorf("%d seconds are %q, want %q", seconds, got, want)
		}
	}
}

// FuzzInstant: a field for a date and time gives an instant in UTC or nothing.
func FuzzInstant(f *testing.F) {
	for _, seed := range []string{"2026-11-23T09:00", "2026-11-23T09:00:30", "2026-11-23T09:00:30+02:00", "23.11.2026", "", "2026-02-30T00:00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		at, ok := instant(text)
		if ok && at.Location() != time.UTC || !ok && !at.IsZero() {
			t.Errorf("%q is %v, %t", text, at, ok)
		}
	})
}
