package scope_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/lakegate/lakegate/internal/scope"
)

// The naive definition: a scope is a set of keys, and one covers another when its set holds all of the other's. Over a
// small alphabet the sets can be written down, up to a length that tells all scopes apart that are drawn.
const (
	alphabet = "ab/*"
	longest  = 5
)

var (
	buckets = []string{"data", "data2", "dat"}
	keys    = words(longest)
)

func words(n int) []string {
	all := []string{""}
	for from := 0; n > 0; n-- {
		to := len(all)
		for _, w := range all[from:to] {
			for _, c := range alphabet {
				all = append(all, w+string(c))
			}
		}
		from = to
	}
	return all[1:] // no key is empty
}

// members is what a text means, by the words of the manual: by characters, a star at the end or a whole folder or bucket is
// a prefix, all else one key.
func members(text string, object bool, bucket string) (set []string) {
	rest := strings.TrimPrefix(text, "s3://")
	name, key, _ := strings.Cut(rest, "/")
	if name != bucket {
		return nil
	}
	for _, k := range keys {
		var in bool
		switch {
		case object:
			in = k == key
		case key == "" || strings.HasSuffix(key, "/"):
			in = strings.HasPrefix(k, key)
		case strings.HasSuffix(key, "*"):
			stem := key
			for strings.HasSuffix(stem, "*") {
				stem = stem[:len(stem)-1]
			}
			in = strings.HasPrefix(k, stem)
		default:
			in = k == key
		}
		if in {
			set = append(set, k)
		}
	}
	return set
}

func anyText(t *rapid.T, label string) (text string, object bool) {
	// Two characters less than the longest key, so that a prefix has always more members than a key.
	key := rapid.StringOfN(rapid.SampledFrom([]rune(alphabet)), 0, longest-2, -1).Draw(t, label+" key")
	text = "s3://" + rapid.SampledFrom(buckets).Draw(t, label+" bucket")
	if key != "" || rapid.Bool().Draw(t, label+" slash") {
		text += "/" + key
	}
	return text, key != "" && rapid.Bool().Draw(t, label+" object")
}

func TestCoversAsSetsOfKeys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		textA, objectA := anyText(t, "a")
		textB, objectB := anyText(t, "b")
		a, err := scope.ParseGrant(textA, objectA)
		if err != nil {
			t.Fatal(err)
		}
		b, err := scope.ParseGrant(textB, objectB)
		if err != nil {
			t.Fatal(err)
		}
		covered := true
		for _, bucket := range buckets {
			inA, inB := members(textA, objectA, bucket), members(textB, objectB, bucket)
			for _, k := range keys {
				if got := a.CoversKey(bucket, k); got != slices.Contains(inA, k) {
					t.Fatalf("%s (object %t) has the key %s of %s: %t", textA, objectA, k, bucket, got)
				}
			}
			for _, k := range inB {
				covered = covered && slices.Contains(inA, k)
			}
		}
		if got := a.CoversScope(b); got != covered {
			t.Fatalf("%s (object %t) covers %s (object %t) = %t", textA, objectA, textB, objectB, got)
		}
		if !b.One {
			if got := a.CoversPrefix(b.Bucket, b.Prefix); got != covered {
				t.Fatalf("%s (object %t) covers the prefix %q = %t", textA, objectA, b.Prefix, got)
			}
		}
	})
}

func TestStringAndBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text, object := anyText(t, "scope")
		s, err := scope.ParseGrant(text, object)
		if err != nil {
			t.Fatal(err)
		}
		again, err := scope.Read(s.String(), s.One)
		if err != nil || again != s {
			t.Fatalf("%s (object %t) is %+v, written %s, read %+v: %v", text, object, s, s, again, err)
		}
	})
}

func check(t *testing.T, text string, s scope.Scope, err error) {
	if err != nil {
		if !errors.Is(err, scope.ErrMalformed) {
			t.Fatalf("%q: an error of no kind: %v", text, err)
		}
		return
	}
	if scope.CheckBucket(s.Bucket) != nil || strings.ContainsAny(s.Bucket, "*?/$") {
		t.Fatalf("%q has the bucket %q", text, s.Bucket)
	}
	if s.One && s.Prefix == "" {
		t.Fatalf("%q is one key without a name", text)
	}
	if !strings.Contains(text, s.Prefix) {
		t.Fatalf("%q has the prefix %q, which is not written there", text, s.Prefix)
	}
	if again, err := scope.Read(s.String(), s.One); err != nil || again != s {
		t.Fatalf("%q is %+v, read again %+v: %v", text, s, again, err)
	}
	if !s.CoversScope(s) {
		t.Fatalf("%s does not cover itself", s)
	}
	if other := s.Bucket + "x"; s.CoversKey(other, s.Prefix) || s.CoversPrefix(other, s.Prefix) {
		t.Fatalf("%s reaches the bucket %s", s, other)
	}
}

func seed(f *testing.F) {
	for _, text := range append(refused, "s3://", "s3://data", "s3://data/**", "S3://data/a*b", "s3://data/red/../blue/*", "s3://data/${*}") {
		f.Add(text, false)
		f.Add(text, true)
	}
}

func FuzzParseGrant(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, text string, object bool) {
		s, err := scope.ParseGrant(text, object)
		check(t, text, s, err)
		if err == nil && object && !s.One {
			t.Fatalf("the object %q is a prefix", text)
		}
	})
}

func FuzzParseTarget(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, text string, object bool) {
		target, err := scope.ParseTarget(text, object)
		check(t, text, target.Scope(), err)
		if err == nil && (!target.Scope().Covers(target) || target.Text != text) {
			t.Fatalf("%q is the target %+v with the scope %s", text, target, target.Scope())
		}
	})
}

func FuzzParseLocation(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, text string, _ bool) {
		l, err := scope.ParseLocation(text)
		if err == nil && l.Everything {
			return
		}
		check(t, text, l.Scope, err)
		if err != nil {
			return
		}
		if l.Scope.One {
			t.Fatalf("the location %q is one key", text)
		}
		if g, err := scope.ParseGrant(l.Join("x/*"), false); err == nil && !l.Scope.CoversScope(g) {
			t.Fatalf("the grant %s leaves its location %q", g, text)
		}
	})
}
