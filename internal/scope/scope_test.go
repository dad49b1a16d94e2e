package scope_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lakegate/lakegate/internal/scope"
)

func TestScopeOfAGrant(t *testing.T) {
	for _, tt := range []struct {
		text   string
		object bool
		want   scope.Scope
	}{
		{"s3://data", false, scope.Scope{Bucket: "data"}},
		{"s3://data/", false, scope.Scope{Bucket: "data"}},
		{"s3://data/*", false, scope.Scope{Bucket: "data"}},
		{"s3://data/**", false, scope.Scope{Bucket: "data"}},
		{"S3://data/red/*", false, scope.Scope{Bucket: "data", Prefix: "red/"}},
		{"s3://data/red/", false, scope.Scope{Bucket: "data", Prefix: "red/"}},
		{"s3://data/red*", false, scope.Scope{Bucket: "data", Prefix: "red"}},
		{"s3://data/red***", false, scope.Scope{Bucket: "data", Prefix: "red"}},
		{"s3://data/red", false, scope.Scope{Bucket: "data", Prefix: "red", One: true}},
		{"s3://data/a*b", false, scope.Scope{Bucket: "data", Prefix: "a*b", One: true}},
		{"s3://data/*/x*", false, scope.Scope{Bucket: "data", Prefix: "*/x"}},
		{"s3://data//", false, scope.Scope{Bucket: "data", Prefix: "/"}},
		{"s3://data/a/../b/*", false, scope.Scope{Bucket: "data", Prefix: "a/../b/"}},
		{"s3://data/a%2F*", false, scope.Scope{Bucket: "data", Prefix: "a%2F"}},
		{"s3://data/Zoë/*", false, scope.Scope{Bucket: "data", Prefix: "Zoë/"}},
		{"s3://data/red*", true, scope.Scope{Bucket: "data", Prefix: "red*", One: true}},
		{"s3://data/red/", true, scope.Scope{Bucket: "data", Prefix: "red/", One: true}},
		{"s3://data/*", true, scope.Scope{Bucket: "data", Prefix: "*", One: true}},
	} {
		got, err := scope.ParseGrant(tt.text, tt.object)
		if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
			t.Errorf("ParseGrant(%q, %t): %v\n%s", tt.text, tt.object, err, diff)
		}
	}
}

// What is refused for a location, a grant and a target alike.
var refused = []string{
	"", "s3:", "s3:/", "s3:/data/x", "//data/x", "data/x", "https://data/x", "s3a://data/x", " s3://data/x",
	"s3:///", "s3:///x", "s3://*", "s3://**", "s3://data*", "s3://da*ta/x", "s3://*/x", "s3://?ata/x", "s3://data?/x",
	"s3://d", "s3://ab", "s3://" + strings.Repeat("a", 64) + "/x",
	"s3://Data/x", "s3://da_ta/x", "s3://da ta/x", "s3://da%74a/x", "s3://dätä/x", "s3://data:1/x", "s3://u@data/x",
	"s3://-data/x", "s3://data-/x", "s3://.data/x", "s3://data./x", "s3://da..ta/x", "s3://../x", "s3://...", "s3://192.0.2.7/x",
	"s3://data/a\nb", "s3://data/a\rb", "s3://data/a\x00b", "s3://data/a\tb", "s3://data/a\x7fb", "s3://data/a\u0085b", "s3://data/\xff",
	"s3://data/" + strings.Repeat("x", scope.MaxLength-9), "s3://data/" + strings.Repeat("ö", scope.MaxLength-9),
}

func TestRefused(t *testing.T) {
	for _, text := range refused {
		_, location := scope.ParseLocation(text)
		_, grant := scope.ParseGrant(text, false)
		_, object := scope.ParseGrant(text, true)
		_, target := scope.ParseTarget(text, false)
		for what, err := range map[string]error{"location": location, "grant": grant, "grant of an object": object, "target": target} {
			if !errors.Is(err, scope.ErrMalformed) {
				t.Errorf("%s %.40q: got %v", what, text, err)
			}
		}
	}
}

func TestRefusedInSomeForms(t *testing.T) {
	if _, err := scope.ParseGrant("s3://", false); !errors.Is(err, scope.ErrMalformed) {
		t.Errorf("a grant on everything: %v", err)
	}
	if _, err := scope.ParseTarget("s3://", false); !errors.Is(err, scope.ErrMalformed) {
		t.Errorf("a target that is everything: %v", err)
	}
	for _, text := range []string{"s3://data", "s3://data/"} {
		if _, err := scope.ParseGrant(text, true); !errors.Is(err, scope.ErrMalformed) {
			t.Errorf("%s as an object: %v", text, err)
		}
		if _, err := scope.ParseTarget(text, true); !errors.Is(err, scope.ErrMalformed) {
			t.Errorf("%s as the target of an object: %v", text, err)
		}
	}
	// AWS expands variables in policies; in a scope they would look as if they meant something.
	if _, err := scope.ParseGrant("s3://data/${aws:username}/*", false); !errors.Is(err, scope.ErrMalformed) {
		t.Errorf("a grant with a variable: %v", err)
	}
	if _, err := scope.ParseLocation("s3://data/${aws:username}/*"); !errors.Is(err, scope.ErrMalformed) {
		t.Errorf("a location with a variable: %v", err)
	}
	if _, err := scope.ParseTarget("s3://data/${x}", false); err != nil {
		t.Errorf("a key may have any characters: %v", err)
	}
	for _, name := range []string{"abc", "a-b", "a.b", "1ab", strings.Repeat("a", 63), "192.0.2.7.8", "1.2.3"} {
		if err := scope.CheckBucket(name); err != nil {
			t.Error(err)
		}
	}
}

func TestLongestAllowed(t *testing.T) {
	for _, filling := range []string{"x", "ö", "𝄞"} {
		text := "s3://data/" + strings.Repeat(filling, scope.MaxLength-10)
		if _, err := scope.ParseGrant(text, false); err != nil {
			t.Errorf("a scope of %d times %s: %v", scope.MaxLength, filling, err)
		}
		if target, err := scope.ParseTarget(text, false); err != nil || target.Text != text {
			t.Errorf("a target of %d times %s: %v", scope.MaxLength, filling, err)
		}
	}
}

// AWS concatenates a location and a sub-prefix as they are, with a slash behind a bare bucket.
func TestJoin(t *testing.T) {
	for _, tt := range []struct {
		location, sub, text string
		want                scope.Scope
	}{
		{"s3://", "data/red/*", "s3://data/red/*", scope.Scope{Bucket: "data", Prefix: "red/"}},
		{"s3://", "data", "s3://data", scope.Scope{Bucket: "data"}},
		{"s3://data", "", "s3://data", scope.Scope{Bucket: "data"}},
		{"s3://data", "red/*", "s3://data/red/*", scope.Scope{Bucket: "data", Prefix: "red/"}},
		{"s3://data", "/red", "s3://data//red", scope.Scope{Bucket: "data", Prefix: "/red", One: true}},
		{"s3://data/", "red/*", "s3://data/red/*", scope.Scope{Bucket: "data", Prefix: "red/"}},
		{"s3://data/*", "*", "s3://data/**", scope.Scope{Bucket: "data"}},
		{"s3://data/*", "red/*", "s3://data/*red/*", scope.Scope{Bucket: "data", Prefix: "*red/"}},
		{"s3://data/red", "", "s3://data/red", scope.Scope{Bucket: "data", Prefix: "red", One: true}},
		{"s3://data/red", "der/*", "s3://data/redder/*", scope.Scope{Bucket: "data", Prefix: "redder/"}},
		{"s3://data/red*", "*", "s3://data/red**", scope.Scope{Bucket: "data", Prefix: "red"}},
		{"S3://data", "red", "s3://data/red", scope.Scope{Bucket: "data", Prefix: "red", One: true}},
	} {
		l, err := scope.ParseLocation(tt.location)
		if err != nil {
			t.Errorf("ParseLocation(%q): %v", tt.location, err)
			continue
		}
		if text := l.Join(tt.sub); text != tt.text {
			t.Errorf("%s with %q = %s, want %s", tt.location, tt.sub, text, tt.text)
		}
		got, err := scope.ParseGrant(l.Join(tt.sub), false)
		if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
			t.Errorf("%s with %q: %v\n%s", tt.location, tt.sub, err, diff)
		}
		if !l.Everything && !l.Scope.CoversScope(got) {
			t.Errorf("%s does not cover %s", tt.location, got)
		}
	}
}

// A grant cannot leave its location whatever the sub-prefix: the text begins with the location's. What can be changed by it
// is a bucket's name, and such a location does not cover the grant.
func TestSubPrefixCannotLeaveTheLocation(t *testing.T) {
	for _, location := range []string{"s3://data", "s3://data/", "s3://data/red/", "s3://data/red*", "s3://data/red"} {
		l, err := scope.ParseLocation(location)
		if err != nil {
			t.Fatal(err)
		}
		for _, sub := range []string{"../blue/*", "/../../other/*", "*", "2/*", "-other/*", ".other/x", "%2e%2e/*", "//", "s3://other/*"} {
			if g, err := scope.ParseGrant(l.Join(sub), false); err == nil && !l.Scope.CoversScope(g) {
				t.Errorf("%s with %q reaches %s", location, sub, g)
			}
		}
	}
	everything, err := scope.ParseLocation("s3://")
	if err != nil {
		t.Fatal(err)
	}
	for _, sub := range []string{"*", "/*", "**", "*/x", "data*", "?/x", "/", ""} {
		if g, err := scope.ParseGrant(everything.Join(sub), false); err == nil {
			t.Errorf("everything with %q reaches %s", sub, g)
		}
	}
}

func TestCovers(t *testing.T) {
	for _, tt := range []struct {
		scope, target string
		want          bool
	}{
		{"s3://data/bob/*", "s3://data/bob/*", true},
		{"s3://data/bob/*", "s3://data/bob/images/*", true},
		{"s3://data/bob/*", "s3://data/bob/", true},
		{"s3://data/bob/*", "s3://data/bob", false},
		{"s3://data/bob/*", "s3://data/bob*", false},
		{"s3://data/bob/*", "s3://data/*", false},
		{"s3://data/bob/*", "s3://data/bobby/x", false},
		{"s3://data/bob/*", "s3://data/Bob/x", false},
		{"s3://data/bob*", "s3://data/bobby/x", true},
		{"s3://data/bob*", "s3://data/bob", true},
		{"s3://data/bob/", "s3://data/bob/x", true},
		{"s3://data/bob/", "s3://data/bob/*", true},
		{"s3://data/bob", "s3://data/bob", true},
		{"s3://data/bob", "s3://data/bob/", false},
		{"s3://data/bob", "s3://data/bob*", false},
		{"s3://data/bob", "s3://data/bobby", false},

		// The bucket is compared whole.
		{"s3://data", "s3://data2/x", false},
		{"s3://data/*", "s3://data2", false},
		{"s3://data/*", "s3://dat", false},
		{"s3://data", "s3://data.x/y", false},

		// A bare bucket, with or without its slash, is all of it.
		{"s3://data", "s3://data", true},
		{"s3://data/", "s3://data", true},
		{"s3://data/*", "s3://data/", true},
		{"s3://data/**", "s3://data/k", true},
		{"s3://data/bob/*", "s3://data", false},
		{"s3://data/bob/*", "s3://data/", false},
		{"s3://data", "s3://data/*", true},

		// A star has a meaning at the end alone, and a run of them is one.
		{"s3://data/a*b", "s3://data/axb", false},
		{"s3://data/a*b", "s3://data/a*b", true},
		{"s3://data/*/b*", "s3://data/a/b1", false},
		{"s3://data/*/b*", "s3://data/*/b1", true},
		{"s3://data/red/*", "s3://data/red/***", true},
		{"s3://data/red?/*", "s3://data/red1/x", false},

		// Keys are opaque.
		{"s3://data/red/*", "s3://data/red/../blue/x", true},
		{"s3://data/blue/*", "s3://data/red/../blue/x", false},
		{"s3://data/blue/*", "s3://data/./blue/x", false},
		{"s3://data/blue/*", "s3://data//blue/x", false},
		{"s3://data/a b/*", "s3://data/a%20b/x", false},
		{"s3://data/e\u0301/*", "s3://data/\u00e9/x", false},
	} {
		s, err := scope.ParseGrant(tt.scope, false)
		if err != nil {
			t.Fatal(err)
		}
		target, err := scope.ParseTarget(tt.target, false)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Covers(target); got != tt.want {
			t.Errorf("%s covers %s = %t", tt.scope, tt.target, got)
		}
	}
}

func TestOneObject(t *testing.T) {
	star, err := scope.ParseGrant("s3://data/a*", true)
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{"s3://data/a*": true, "s3://data/ab": false, "s3://data/a": false, "s3://data/a**": false} {
		target, err := scope.ParseTarget(text, true)
		if err != nil {
			t.Fatal(err)
		}
		if got := star.Covers(target); got != want {
			t.Errorf("the object a* covers the object %s = %t", text, got)
		}
	}
	prefix, err := scope.ParseTarget("s3://data/a*", false)
	if err != nil {
		t.Fatal(err)
	}
	if star.Covers(prefix) {
		t.Error("the object a* covers all that begins with a")
	}
	bare, err := scope.ParseTarget("s3://data", false)
	if err != nil {
		t.Fatal(err)
	}
	if star.Covers(bare) {
		t.Error("the object a* covers the bucket")
	}
}

func TestTargetAsAScope(t *testing.T) {
	for _, tt := range []struct {
		text   string
		object bool
		want   string
		one    bool
	}{
		{"s3://data/bob/*", false, "s3://data/bob/*", false},
		{"s3://data/bob/", false, "s3://data/bob/", true}, // not the folder: the key of that name
		{"s3://data/bob/x", false, "s3://data/bob/x", true},
		{"s3://data/bob*", true, "s3://data/bob*", true},
		{"s3://data", false, "s3://data/*", false},
		{"s3://data/", false, "s3://data/*", false},
		{"s3://data/x**", false, "s3://data/x*", false},
		{"S3://data/x", false, "s3://data/x", true},
	} {
		target, err := scope.ParseTarget(tt.text, tt.object)
		if err != nil {
			t.Fatal(err)
		}
		if s := target.Scope(); s.String() != tt.want || s.One != tt.one || !s.Covers(target) {
			t.Errorf("%s (object %t) as a scope is %s, one %t", tt.text, tt.object, s, s.One)
		}
	}
}
