package storage_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lakegate/lakegate/internal/storage"
)

func TestCopy(t *testing.T) {
	b, other := newBucket(t), newBucket(t)
	src := &storage.PutObjectInput{
		Bucket: b, Key: "src", Body: body("content"), Headers: storage.Headers{ContentType: "text/plain", WebsiteRedirectLocation: "/x", Metadata: map[string]string{"m": "1"}},
		Tags: map[string]string{"team": "red"},
	}
	src.Body.Checksum.Algorithm = storage.SHA256
	if _, err := shared.PutObject(t.Context(), src); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name     string
		in       storage.CopyObjectInput
		headers  storage.Headers
		tags     map[string]string
		checksum storage.ChecksumAlgorithm
	}{
		{"as it is", storage.CopyObjectInput{}, storage.Headers{ContentType: "text/plain", Metadata: map[string]string{"m": "1"}}, map[string]string{"team": "red"}, storage.SHA256},
		{"other headers", storage.CopyObjectInput{ReplaceHeaders: true, Headers: storage.Headers{ContentType: "text/csv"}}, storage.Headers{ContentType: "text/csv"}, map[string]string{"team": "red"}, storage.SHA256},
		{"other tags", storage.CopyObjectInput{ReplaceTags: true, Tags: map[string]string{"team": "blue"}}, storage.Headers{ContentType: "text/plain", Metadata: map[string]string{"m": "1"}}, map[string]string{"team": "blue"}, storage.SHA256},
		{"no tags, other checksum", storage.CopyObjectInput{ReplaceTags: true, Checksum: storage.CRC32C}, storage.Headers{ContentType: "text/plain", Metadata: map[string]string{"m": "1"}}, nil, storage.CRC32C},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.in.Source, tt.in.Bucket, tt.in.Key = current(b, "src"), other, "dst/"+tt.name
			if _, err := shared.CopyObject(t.Context(), &tt.in); err != nil {
				t.Fatal(err)
			}
			ref := current(other, tt.in.Key)
			info, err := shared.HeadObject(t.Context(), &storage.GetObjectInput{ObjectRef: ref, ChecksumMode: true})
			if err != nil {
				t.Fatal(err)
			}
			tags, err := shared.GetObjectTagging(t.Context(), ref)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.headers, info.Headers); diff != "" {
				t.Errorf("headers (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.tags, tags.Tags); diff != "" {
				t.Errorf("tags (-want +got):\n%s", diff)
			}
			if info.Checksum.Algorithm != tt.checksum {
				t.Errorf("checksum = %+v", info.Checksum)
			}
			if got := content(t, ref); got != "content" {
				t.Errorf("content = %q", got)
			}
		})
	}
	onto := &storage.CopyObjectInput{Source: current(b, "src"), Bucket: b, Key: "src"}
	_, err := shared.CopyObject(t.Context(), onto)
	wantCode(t, "onto itself", err, "InvalidRequest")
	onto.ReplaceHeaders, onto.Headers = true, storage.Headers{ContentType: "text/csv"}
	if _, err := shared.CopyObject(t.Context(), onto); err != nil {
		t.Fatal(err)
	}
	if got := content(t, current(b, "src")); got != "content" {
		t.Errorf("copied onto itself, the object holds %q", got)
	}
	_, err = shared.CopyObject(t.Context(), &storage.CopyObjectInput{Source: current(b, "none"), Bucket: b, Key: "x"})
	wantCode(t, "of nothing", err, "NoSuchKey")
}

func TestTags(t *testing.T) {
	b := newBucket(t)
	put(t, b, "k", "x")
	many := map[string]string{}
	for i := range 11 {
		many[strings.Repeat("k", i+1)] = ""
	}
	for name, tt := range map[string]struct {
		tags map[string]string
		want string
	}{
		"empty key": {map[string]string{"": "v"}, "InvalidTag"}, "long key": {map[string]string{strings.Repeat("k", 129): ""}, "InvalidTag"},
		"long value": {map[string]string{"k": strings.Repeat("v", 257)}, "InvalidTag"}, "sign": {map[string]string{"k": "a*b"}, "InvalidTag"},
		"eleven": {many, "BadRequest"}, "all signs": {map[string]string{"a b_.:/=+-@": "ünïcode 1"}, ""}, "none": {nil, ""},
	} {
		_, err := shared.PutObjectTagging(t.Context(), current(b, "k"), tt.tags)
		wantCode(t, name, err, tt.want)
	}
	for s, want := range map[string]string{"a=1&b=2": "", "a=1&a=2": "InvalidArgument", "a=%zz": "InvalidArgument", "a": "", "a=%2A": "InvalidTag"} {
		_, err := storage.ParseTagging(s)
		wantCode(t, "ParseTagging "+s, err, want)
	}
}
