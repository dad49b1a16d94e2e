// Package scope is the prefixes of S3 storage that locations, grants and requests name, and which of them covers which.
//
//	s3://                     everything that the account owns; a location alone can have it
//	s3://bucket               a whole bucket
//	s3://bucket/red/*         the keys that begin with red/
//	s3://bucket/red/          the same: a scope that ends in a slash, or names a bucket alone, is a prefix
//	s3://bucket/red*          the keys that begin with red, also redder/…
//	s3://bucket/red/a.csv     one key
//
// A star has a meaning at the end alone, and matching is by characters, not by path segments. Keys are opaque: they are
// never decoded, cleaned or compared without regard to case. A bucket's name is compared whole, so that s3://data never
// covers s3://data2.
//
// The package is pure.
package scope

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

const scheme = "s3://"

// MaxLength is the longest scope or target, in characters (s3control, S3Prefix).
const MaxLength = 2000

// Scope is a set of keys of one bucket: all that begin with Prefix, or the one that is Prefix.
type Scope struct {
	Bucket, Prefix string
	// One is set when the scope is a single key.
	One bool
}

// ErrMalformed is in the chain of every error of this package.
var ErrMalformed = errors.New("malformed scope")

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}

// normal checks what all forms share and writes the scheme in lower case.
func normal(text string) (string, error) {
	if utf8.RuneCountInString(text) > MaxLength || !utf8.ValidString(text) {
		return "", malformed("it must have at most %d characters", MaxLength)
	}
	if strings.ContainsFunc(text, unicode.IsControl) {
		return "", malformed("it must not have control characters")
	}
	if len(text) < len(scheme) || !strings.EqualFold(text[:len(scheme)], scheme) {
		return "", malformed("it must begin with %s", scheme)
	}
	return scheme + text[len(scheme):], nil
}

// Location is the scope of a location, as written. Everything is set for s3://.
type Location struct {
	Text       string
	Everything bool
	Scope      Scope
}

// ParseLocation reads the scope of a location.
func ParseLocation(text string) (Location, error) {
	text, err := normal(text)
	if err != nil {
		return Location{}, err
	}
	if text == scheme {
		return Location{Text: text, Everything: true}, nil
	}
	if strings.Contains(text, "${") {
		return Location{}, malformed("variables have no meaning in it")
	}
	s, err := parse(text, false)
	// A location is where grants hang, so it is a prefix with or without a star.
	s.One = false
	return Location{Text: text, Scope: s}, err
}

// Join is the text of a grant's scope: the location's with the sub-prefix behind it, as AWS concatenates them. A slash is
// put between them where the location is a bare bucket. s3://b/* and * make s3://b/**.
func (l Location) Join(subPrefix string) string {
	if subPrefix == "" {
		return l.Text
	}
	if !l.Everything && !strings.Contains(l.Text[len(scheme):], "/") {
		return l.Text + "/" + subPrefix
	}
	return l.Text + subPrefix
}

// ParseGrant reads the scope of a grant. object says that the text names one key, in which a star is a star.
func ParseGrant(text string, object bool) (Scope, error) {
	text, err := normal(text)
	if err != nil {
		return Scope{}, err
	}
	if strings.Contains(text, "${") {
		return Scope{}, malformed("variables have no meaning in it")
	}
	return parse(text, object)
}

// parse splits a text at the bucket. A run of stars at the end is one star.
func parse(text string, object bool) (Scope, error) {
	bucket, key, slash := strings.Cut(text[len(scheme):], "/")
	if err := CheckBucket(bucket); err != nil {
		return Scope{}, err
	}
	if object {
		if key == "" {
			return Scope{}, malformed("it must name an object")
		}
		return Scope{Bucket: bucket, Prefix: key, One: true}, nil
	}
	trimmed := strings.TrimRight(key, "*")
	wild := !slash || len(trimmed) < len(key) || key == "" || strings.HasSuffix(key, "/")
	return Scope{Bucket: bucket, Prefix: trimmed, One: !wild}, nil
}

// CheckBucket refuses what cannot be a bucket's name, above all one with a star in it.
func CheckBucket(name string) error {
	if len(name) < 3 || len(name) > 63 {
		return malformed("a bucket name has 3 to 63 characters")
	}
	for i := range len(name) {
		c := name[i]
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '.') {
			return malformed("%q is not the name of a bucket", name)
		}
	}
	edges := "-."
	if strings.ContainsAny(name[:1]+name[len(name)-1:], edges) || strings.Contains(name, "..") || address.MatchString(name) {
		return malformed("%q is not the name of a bucket", name)
	}
	return nil
}

var address = regexp.MustCompile(`^\d+\.\d+\.\d+\.\d+$`)

// String writes the scope in its shortest form.
func (s Scope) String() string {
	if s.One {
		return scheme + s.Bucket + "/" + s.Prefix
	}
	return scheme + s.Bucket + "/" + s.Prefix + "*"
}

// Read is the inverse of String, for scopes that were checked before they were written. The bound on the length is that of
// what people write, and String may add a star to it.
func Read(text string, one bool) (Scope, error) {
	if !strings.HasPrefix(text, scheme) {
		return Scope{}, malformed("it must begin with %s", scheme)
	}
	return parse(text, one)
}

// CoversKey reports whether a key is in the scope.
func (s Scope) CoversKey(bucket, key string) bool {
	if s.Bucket != bucket {
		return false
	}
	if s.One {
		return s.Prefix == key
	}
	return strings.HasPrefix(key, s.Prefix)
}

// CoversPrefix reports whether every key that begins with the prefix is in the scope.
func (s Scope) CoversPrefix(bucket, prefix string) bool {
	return s.Bucket == bucket && !s.One && strings.HasPrefix(prefix, s.Prefix)
}

// CoversScope reports whether every key of the other scope is in this one.
func (s Scope) CoversScope(o Scope) bool {
	if o.One {
		return s.CoversKey(o.Bucket, o.Prefix)
	}
	return s.CoversPrefix(o.Bucket, o.Prefix)
}

// Covers reports whether a target lies wholly in the scope.
func (s Scope) Covers(t Target) bool {
	switch {
	case t.Wild:
		return s.CoversPrefix(t.Bucket, t.Key)
	case t.Key == "": // a bucket alone, as clients ask for before they list it
		return s.CoversPrefix(t.Bucket, "")
	default:
		return s.CoversKey(t.Bucket, t.Key)
	}
}

// Target is what a caller asks to reach: a prefix when Wild, a bucket when the key is empty, else one text that is matched
// as it is. Whether anything exists there is never asked: clients name the common beginning of several keys too.
type Target struct {
	Text, Bucket, Key string
	Wild              bool
}

// ParseTarget reads a target. Only a star at the end has a meaning; object takes that one away too.
func ParseTarget(text string, object bool) (Target, error) {
	plain, err := normal(text)
	if err != nil {
		return Target{}, err
	}
	bucket, key, _ := strings.Cut(plain[len(scheme):], "/")
	if err := CheckBucket(bucket); err != nil {
		return Target{}, err
	}
	if object && key == "" {
		return Target{}, malformed("it must name an object")
	}
	t := Target{Text: text, Bucket: bucket, Key: key}
	if !object && strings.HasSuffix(key, "*") {
		t.Key, t.Wild = strings.TrimRight(key, "*"), true
	}
	return t, nil
}

// Scope is the target as a scope: the least that credentials for it have to reach.
func (t Target) Scope() Scope {
	return Scope{Bucket: t.Bucket, Prefix: t.Key, One: !t.Wild && t.Key != ""}
}
