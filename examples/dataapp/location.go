package dataapp

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxTarget is the limit of GetDataAccess for its Target, in characters.
const maxTarget = 2000

// A Location is a place in S3 as people write it:
//
//	s3://bucket            the whole bucket
//	s3://bucket/prefix/    everything under the prefix
//	s3://bucket/prefix*    everything that starts so
//	s3://bucket/key        one object, or one place that has exactly this name
type Location struct {
	Bucket string
	// Key is what follows the bucket, without a wildcard at its end.
	Key string
	// Wild says that the location covers everything that starts with Key.
	Wild bool

	text string
}

var bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

// ParseLocation reads a location. Keys are opaque: nothing in them is decoded or tidied.
func ParseLocation(text string) (Location, error) {
	rest, ok := strings.CutPrefix(text, "s3://")
	if !ok {
		return Location{}, fmt.Errorf("%s is not a location: it must start with s3://", quoteShort(text))
	}
	if !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
		return Location{}, errors.New("a location cannot contain control characters")
	}
	bucket, key, _ := strings.Cut(rest, "/")
	if !bucketName.MatchString(bucket) {
		return Location{}, fmt.Errorf("%s is not the name of a bucket", quoteShort(bucket))
	}
	l := Location{Bucket: bucket, Key: key, text: text}
	if key, ok := strings.CutSuffix(key, "*"); ok {
		l.Key, l.Wild = key, true
	} else if key == "" || strings.HasSuffix(key, "/") {
		l.Wild = true
	}
	if utf8.RuneCountInString(l.Target()) > maxTarget {
		return Location{}, fmt.Errorf("a location has at most %d characters", maxTarget)
	}
	return l, nil
}

func quoteShort(s string) string {
	if runes := []rune(s); len(runes) > 60 {
		s = string(runes[:60]) + "…"
	}
	return fmt.Sprintf("%q", s)
}

// String is the location as it was written.
func (l Location) String() string { return l.text }

// Target is the location in the form that GetDataAccess takes.
func (l Location) Target() string {
	target := "s3://" + l.Bucket + "/" + l.Key
	if l.Wild {
		target += "*"
	}
	return target
}
