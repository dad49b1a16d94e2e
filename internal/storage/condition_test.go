package storage_test

import (
	"crypto/md5"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/lakegate/lakegate/internal/storage"
)

func TestConditionalReads(t *testing.T) {
	b := newBucket(t)
	out := put(t, b, "k", "content")
	bare := strings.Trim(out.ETag, `"`)
	before, after := out.LastModified.Add(-time.Hour), out.LastModified.Add(time.Hour)
	tests := []struct {
		name string
		c    storage.Conditions
		want string
	}{
		{"none", storage.Conditions{}, ""},
		{"match", storage.Conditions{IfMatch: out.ETag}, ""},
		{"match without quotes", storage.Conditions{IfMatch: bare}, ""},
		{"match any", storage.Conditions{IfMatch: "*"}, ""},
		{"match in a list", storage.Conditions{IfMatch: `"x", ` + out.ETag}, ""},
		{"no match", storage.Conditions{IfMatch: `"x"`}, "PreconditionFailed"},
		{"none match", storage.Conditions{IfNoneMatch: out.ETag}, "NotModified"},
		{"none match other", storage.Conditions{IfNoneMatch: `"x"`}, ""},
		{"modified since before", storage.Conditions{IfModifiedSince: before}, ""},
		{"modified since after", storage.Conditions{IfModifiedSince: after}, "NotModified"},
		{"modified since its own second", storage.Conditions{IfModifiedSince: out.LastModified.Truncate(time.Second)}, "NotModified"},
		{"unmodified since after", storage.Conditions{IfUnmodifiedSince: after}, ""},
		{"unmodified since its own second", storage.Conditions{IfUnmodifiedSince: out.LastModified.Truncate(time.Second)}, ""},
		{"unmodified since before", storage.Conditions{IfUnmodifiedSince: before}, "PreconditionFailed"},
		{"match beats unmodified since", storage.Conditions{IfMatch: out.ETag, IfUnmodifiedSince: before}, ""},
		{"none match beats modified since", storage.Conditions{IfNoneMatch: out.ETag, IfModifiedSince: before}, "NotModified"},
		{"none match other beats modified since", storage.Conditions{IfNoneMatch: `"x"`, IfModifiedSince: after}, ""},
	}
	for _, tt := range tests {
		_, err := shared.HeadObject(t.Context(), &storage.GetObjectInput{ObjectRef: current(b, "k"), Conditions: tt.c})
		wantCode(t, tt.name, err, tt.want)
		// A copy has no "not modified": what does not hold fails.
		want := tt.want
		if want == "NotModified" {
			want = "PreconditionFailed"
		}
		_, err = shared.CopyObject(t.Context(), &storage.CopyObjectInput{Source: current(b, "k"), SourceConditions: tt.c, Bucket: b, Key: "copy"})
		wantCode(t, "copy: "+tt.name, err, want)
	}
}

func TestConditionalWrites(t *testing.T) {
	b := newBucket(t)
	try := func(key, content, match, noneMatch string) error {
		_, err := shared.PutObject(t.Context(), &storage.PutObjectInput{Bucket: b, Key: key, Body: body(content), IfMatch: match, IfNoneMatch: noneMatch})
		return err
	}
	wantCode(t, "match of nothing", try("k", "0", "*", ""), "NoSuchKey")
	wantCode(t, "first", try("k", "1", "", "*"), "")
	wantCode(t, "second", try("k", "2", "", "*"), "PreconditionFailed")
	wantCode(t, "other tag", try("k", "3", `"x"`, ""), "PreconditionFailed")
	sum := md5.Sum([]byte("1"))
	wantCode(t, "right tag", try("k", "4", `"`+hex.EncodeToString(sum[:])+`"`, ""), "")
	wantCode(t, "tag in If-None-Match", try("k", "5", "", `"x"`), "NotImplemented")
	wantCode(t, "both", try("k", "6", "*", "*"), "NotImplemented")
	if got := content(t, current(b, "k")); got != "4" {
		t.Errorf("content = %q, want that of the last write that was let through", got)
	}
}

func TestOneOfManyFirstWritersWins(t *testing.T) {
	b := newBucket(t)
	won := make(chan string, 32)
	done := make(chan struct{})
	for i := range 32 {
		go func() {
			defer func() { done <- struct{}{} }()
			s := strings.Repeat("x", i+1)
			_, err := shared.PutObject(t.Context(), &storage.PutObjectInput{Bucket: b, Key: "k", Body: body(s), IfNoneMatch: "*"})
			if err == nil {
				won <- s
			} else if code(err) != "PreconditionFailed" {
				t.Error(err)
			}
		}()
	}
	for range 32 {
		<-done
	}
	if len(won) != 1 {
		t.Fatalf("%d writers were told that they were first", len(won))
	}
	if got, want := content(t, current(b, "k")), <-won; got != want {
		t.Errorf("the winner wrote %d bytes, the object has %d", len(want), len(got))
	}
}
