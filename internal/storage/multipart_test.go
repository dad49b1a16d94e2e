package storage_test

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/lakegate/lakegate/internal/storage"
)

func begin(t testing.TB, bucket, key string) storage.UploadRef {
	t.Helper()
	up, err := shared.CreateMultipartUpload(t.Context(), &storage.CreateMultipartUploadInput{Bucket: bucket, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	return storage.UploadRef{Bucket: bucket, Key: key, UploadID: up.UploadID}
}

func part(t testing.TB, ref storage.UploadRef, number int, content string) storage.CompletedPart {
	t.Helper()
	out, err := shared.UploadPart(t.Context(), &storage.UploadPartInput{UploadRef: ref, PartNumber: number, Body: body(content)})
	if err != nil {
		t.Fatal(err)
	}
	return storage.CompletedPart{PartNumber: number, ETag: out.ETag}
}

// multipart uploads an object in parts.
func multipart(t testing.TB, bucket, key string, tags map[string]string, parts ...string) *storage.PutObjectOutput {
	t.Helper()
	up, err := shared.CreateMultipartUpload(t.Context(), &storage.CreateMultipartUploadInput{Bucket: bucket, Key: key, Tags: tags, Headers: storage.Headers{ContentType: "text/csv", Metadata: map[string]string{"m": "1"}}})
	if err != nil {
		t.Fatal(err)
	}
	in := &storage.CompleteMultipartUploadInput{UploadRef: storage.UploadRef{Bucket: bucket, Key: key, UploadID: up.UploadID}}
	for i, p := range parts {
		in.Parts = append(in.Parts, part(t, in.UploadRef, i+1, p))
	}
	out, err := shared.CompleteMultipartUpload(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

const minPart = 5 << 20

func TestMultipart(t *testing.T) {
	b := newBucket(t)
	first, second := string(pattern(minPart)), "the end"
	out := multipart(t, b, "deep/m", map[string]string{"team": "red"}, first, second)
	s1, s2 := md5.Sum([]byte(first)), md5.Sum([]byte(second))
	whole := md5.Sum(append(s1[:], s2[:]...))
	if want := fmt.Sprintf(`"%s-2"`, hex.EncodeToString(whole[:])); out.ETag != want {
		t.Errorf("ETag = %s, want %s", out.ETag, want)
	}
	if content(t, current(b, "deep/m")) != first+second {
		t.Error("the object is not its parts")
	}
	info, err := shared.GetObjectAttributes(t.Context(), current(b, "deep/m"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int64{minPart, 7}, info.Parts); diff != "" {
		t.Errorf("parts (-want +got):\n%s", diff)
	}
	if info.Headers.ContentType != "text/csv" || info.Headers.Metadata["m"] != "1" || info.TagCount != 1 || info.Checksum != out.Checksum || info.Checksum.Type != storage.FullObject {
		t.Errorf("attributes = %+v after %+v", info, out)
	}
	for number, want := range map[int]string{1: first, 2: second, 3: "InvalidPartNumber", -1: "InvalidPartNumber"} {
		o, err := shared.GetObject(t.Context(), &storage.GetObjectInput{ObjectRef: current(b, "deep/m"), PartNumber: number})
		got := code(err)
		if err == nil {
			raw := new(strings.Builder)
			if _, err := o.Body.(*storage.FileBody).WriteTo(raw); err != nil {
				t.Fatal(err)
			}
			_ = o.Body.Close()
			got = raw.String()
		}
		if got != want {
			t.Errorf("part %d has %d bytes, want %d", number, len(got), len(want))
		}
	}
	uploads, err := shared.ListMultipartUploads(t.Context(), &storage.ListMultipartUploadsInput{Bucket: b, MaxUploads: 10})
	if err != nil || len(uploads.Uploads) != 0 {
		t.Errorf("uploads = %+v, %v", uploads, err)
	}
}

func TestCompleteRefusals(t *testing.T) {
	b := newBucket(t)
	ref := begin(t, b, "k")
	small, also := part(t, ref, 1, "small"), part(t, ref, 2, "also small")
	tests := []struct {
		name  string
		parts []storage.CompletedPart
		want  string
	}{
		{"none", nil, "MalformedXML"},
		{"too small", []storage.CompletedPart{small, also}, "EntityTooSmall"},
		{"order", []storage.CompletedPart{also, small}, "InvalidPartOrder"},
		{"twice", []storage.CompletedPart{small, small}, "InvalidPartOrder"},
		{"missing", []storage.CompletedPart{{PartNumber: 3, ETag: small.ETag}}, "InvalidPart"},
		{"other tag", []storage.CompletedPart{{PartNumber: 1, ETag: also.ETag}}, "InvalidPart"},
		{"no tag", []storage.CompletedPart{{PartNumber: 1, ETag: "../../x"}}, "InvalidPart"},
		{"no number", []storage.CompletedPart{{PartNumber: 0, ETag: small.ETag}}, "InvalidArgument"},
	}
	for _, tt := range tests {
		_, err := shared.CompleteMultipartUpload(t.Context(), &storage.CompleteMultipartUploadInput{UploadRef: ref, Parts: tt.parts})
		wantCode(t, tt.name, err, tt.want)
	}
	if got := content(t, current(b, "k")); got != "NoSuchKey" {
		t.Errorf("a refused completion made an object: %q", got)
	}
	// The upload is still there and can be completed; once that was done, asking again tells the same.
	in := &storage.CompleteMultipartUploadInput{UploadRef: ref, Parts: []storage.CompletedPart{small}}
	once, err := shared.CompleteMultipartUpload(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	again, err := shared.CompleteMultipartUpload(t.Context(), in)
	if err != nil || again.ETag != once.ETag {
		t.Errorf("again = %+v, %v", again, err)
	}
	// But not for an upload that never was, though an object is there.
	in.UploadID = "2d4ab64a-5b35-4d1b-9c0e-5f3bd1b3c0f1"
	_, err = shared.CompleteMultipartUpload(t.Context(), in)
	wantCode(t, "upload that never was", err, "NoSuchUpload")
}

func TestCompleteConditionally(t *testing.T) {
	b := versionedBucket(t)
	ref := begin(t, b, "k")
	in := &storage.CompleteMultipartUploadInput{UploadRef: ref, Parts: []storage.CompletedPart{part(t, ref, 1, "parts")}, IfNoneMatch: "*"}
	v := put(t, b, "k", "there").VersionID
	_, err := shared.CompleteMultipartUpload(t.Context(), in)
	wantCode(t, "object exists", err, "PreconditionFailed")
	if got, want := versionsOf(t, b), "k "+v+" latest"; got != want {
		t.Errorf("versions = %s, want %s", got, want)
	}
	remove(t, b, "k", v)
	out, err := shared.CompleteMultipartUpload(t.Context(), in)
	if err != nil || out.VersionID == "" {
		t.Fatalf("complete = %+v, %v", out, err)
	}
	if got, want := versionsOf(t, b), "k "+out.VersionID+" latest"; got != want {
		t.Errorf("versions = %s, want %s", got, want)
	}
	before := out.VersionID
	out = multipart(t, b, "k", nil, "more parts")
	if got, want := versionsOf(t, b), "k "+out.VersionID+" latest, k "+before; got != want {
		t.Errorf("versions = %s, want %s", got, want)
	}
	if got := content(t, storage.ObjectRef{Bucket: b, Key: "k", VersionID: before}); got != "parts" {
		t.Errorf("the version before holds %q", got)
	}
}

func TestOneOfManyCompletionsPublishes(t *testing.T) {
	b := versionedBucket(t)
	ref := begin(t, b, "k")
	in := &storage.CompleteMultipartUploadInput{UploadRef: ref, Parts: []storage.CompletedPart{part(t, ref, 1, "parts")}}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := shared.CompleteMultipartUpload(t.Context(), in); err != nil && code(err) != "OperationAborted" && code(err) != "NoSuchUpload" {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	out, err := shared.ListObjectVersions(t.Context(), &storage.ListObjectVersionsInput{Bucket: b, MaxKeys: 10})
	if err != nil || len(out.Versions) != 1 {
		t.Errorf("%d versions were made, %v", len(out.Versions), err)
	}
}

func TestMultipartChecksums(t *testing.T) {
	b := newBucket(t)
	for _, tt := range []struct {
		c    storage.Checksum
		want storage.ChecksumType
		code string
	}{
		{storage.Checksum{Algorithm: storage.SHA256}, storage.Composite, ""},
		{storage.Checksum{Algorithm: storage.CRC32}, storage.Composite, ""},
		{storage.Checksum{Algorithm: storage.CRC32, Type: storage.FullObject}, storage.FullObject, ""},
		{storage.Checksum{Algorithm: storage.CRC64NVME}, storage.FullObject, ""},
		{storage.Checksum{Algorithm: storage.CRC64NVME, Type: storage.Composite}, "", "InvalidRequest"},
		{storage.Checksum{Algorithm: storage.SHA1, Type: storage.FullObject}, "", "InvalidRequest"},
		{storage.Checksum{Type: storage.FullObject}, "", "InvalidRequest"},
		{storage.Checksum{Algorithm: "CRC16"}, "", "InvalidRequest"},
	} {
		key := fmt.Sprintf("%s-%s", tt.c.Algorithm, tt.c.Type)
		up, err := shared.CreateMultipartUpload(t.Context(), &storage.CreateMultipartUploadInput{Bucket: b, Key: key, Checksum: tt.c})
		wantCode(t, "create "+key, err, tt.code)
		if err != nil {
			continue
		}
		if up.Checksum.Type != tt.want {
			t.Errorf("%s: type = %s, want %s", key, up.Checksum.Type, tt.want)
		}
		in := &storage.CompleteMultipartUploadInput{UploadRef: storage.UploadRef{Bucket: b, Key: key, UploadID: up.UploadID}}
		for i, s := range []string{string(pattern(minPart)), "end"} {
			p := &storage.UploadPartInput{UploadRef: in.UploadRef, PartNumber: i + 1, Body: body(s)}
			p.Body.Checksum.Algorithm = tt.c.Algorithm
			out, err := shared.UploadPart(t.Context(), p)
			if err != nil {
				t.Fatal(err)
			}
			c := storage.CompletedPart{PartNumber: i + 1, ETag: out.ETag}
			if tt.want == storage.Composite {
				c.Checksum = out.Checksum
			}
			in.Parts = append(in.Parts, c)
		}
		out, err := shared.CompleteMultipartUpload(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		if out.Checksum.Algorithm != tt.c.Algorithm || out.Checksum.Type != tt.want || strings.HasSuffix(out.Checksum.Value, "-2") != (tt.want == storage.Composite) {
			t.Errorf("%s: checksum = %+v", key, out.Checksum)
		}
		if tt.want == storage.FullObject {
			whole := &storage.PutObjectInput{Bucket: b, Key: "whole", Body: body(string(pattern(minPart)) + "end")}
			whole.Body.Checksum = out.Checksum
			if _, err := shared.PutObject(t.Context(), whole); err != nil {
				t.Errorf("%s: the checksum of the parts is not that of the whole: %v", key, err)
			}
		}
	}
}

func TestUploadPartCopy(t *testing.T) {
	b := newBucket(t)
	put(t, b, "src", string(pattern(minPart+10)))
	ref := begin(t, b, "dst")
	in := &storage.UploadPartCopyInput{UploadRef: ref, PartNumber: 1, Source: current(b, "src"), Range: &storage.ByteRange{First: 0, Last: minPart - 1}}
	one, err := shared.UploadPartCopy(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	in.PartNumber, in.Range = 2, &storage.ByteRange{First: minPart, Last: minPart + 9}
	two, err := shared.UploadPartCopy(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []storage.ByteRange{{First: 0, Last: minPart + 10}, {First: 5, Last: 4}, {First: -1, Last: 4}, {First: 3, Last: -1}} {
		in.Range = &r
		_, err := shared.UploadPartCopy(t.Context(), in)
		wantCode(t, r.String(), err, "InvalidArgument")
	}
	in.Range, in.SourceConditions.IfNoneMatch = nil, "*"
	_, err = shared.UploadPartCopy(t.Context(), in)
	wantCode(t, "condition", err, "PreconditionFailed")
	_, err = shared.CompleteMultipartUpload(t.Context(), &storage.CompleteMultipartUploadInput{UploadRef: ref, Parts: []storage.CompletedPart{{PartNumber: 1, ETag: one.ETag}, {PartNumber: 2, ETag: two.ETag}}})
	if err != nil {
		t.Fatal(err)
	}
	if content(t, current(b, "dst")) != content(t, current(b, "src")) {
		t.Error("the copy in parts is not its source")
	}
}

func TestListPartsAndAbort(t *testing.T) {
	b := newBucket(t)
	ref := begin(t, b, "k")
	for _, n := range []int{10000, 2, 1, 10, 9} {
		part(t, ref, n, fmt.Sprint(n))
	}
	part(t, ref, 2, "two") // replaced
	var got []string
	in := &storage.ListPartsInput{UploadRef: ref, MaxParts: 2}
	for {
		out, err := shared.ListParts(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range out.Parts {
			got = append(got, fmt.Sprintf("%d:%d", p.PartNumber, p.Size))
		}
		if in.PartNumberMarker = out.NextPartNumberMarker; !out.Truncated {
			break
		}
	}
	if want := "1:1 2:3 9:1 10:2 10000:5"; strings.Join(got, " ") != want {
		t.Errorf("parts = %v, want %s", got, want)
	}
	for _, n := range []int{0, -1, 10001} {
		_, err := shared.UploadPart(t.Context(), &storage.UploadPartInput{UploadRef: ref, PartNumber: n, Body: body("x")})
		wantCode(t, fmt.Sprint("part ", n), err, "InvalidArgument")
	}
	if err := shared.AbortMultipartUpload(t.Context(), ref); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "abort again", shared.AbortMultipartUpload(t.Context(), ref), "NoSuchUpload")
	_, err := shared.UploadPart(t.Context(), &storage.UploadPartInput{UploadRef: ref, PartNumber: 1, Body: body("x")})
	wantCode(t, "part after abort", err, "NoSuchUpload")
	if err := shared.DeleteBucket(t.Context(), b); err != nil {
		t.Error(err)
	}
}

func TestUploadListingEqualsModel(t *testing.T) {
	b := newBucket(t)
	type item struct{ key, id string }
	var all []item
	for _, key := range []string{"a", "a", "a", "b/1", "b/1", "b/2", "c", "d/e/f", "d"} {
		all = append(all, item{key, begin(t, b, key).UploadID})
	}
	slices.SortStableFunc(all, func(x, y item) int { return strings.Compare(x.key, y.key) })
	rapid.Check(t, func(rt *rapid.T) {
		prefix := rapid.SampledFrom([]string{"", "a", "b", "b/", "d", "d/", "x"}).Draw(rt, "prefix")
		delimiter := rapid.SampledFrom([]string{"", "/", "e"}).Draw(rt, "delimiter")
		var want, got []string
		for _, u := range all {
			rest, ok := strings.CutPrefix(u.key, prefix)
			if !ok {
				continue
			}
			s := u.key + " " + u.id
			if before, _, found := strings.Cut(rest, delimiter); delimiter != "" && found {
				s = "[" + prefix + before + delimiter
			}
			if !slices.Contains(want, s) {
				want = append(want, s)
			}
		}
		in := &storage.ListMultipartUploadsInput{Bucket: b, Prefix: prefix, Delimiter: delimiter, MaxUploads: rapid.IntRange(1, 4).Draw(rt, "page")}
		for range 20 {
			out, err := shared.ListMultipartUploads(t.Context(), in)
			if err != nil {
				rt.Fatal(err)
			}
			if n := len(out.Uploads) + len(out.CommonPrefixes); n > in.MaxUploads {
				rt.Fatalf("%d on a page of %d", n, in.MaxUploads)
			}
			for _, u := range out.Uploads {
				got = append(got, u.Key+" "+u.UploadID)
			}
			for _, p := range out.CommonPrefixes {
				got = append(got, "["+p)
			}
			if in.KeyMarker, in.UploadIDMarker = out.NextKeyMarker, out.NextUploadIDMarker; !out.Truncated {
				break
			}
		}
		slices.Sort(want)
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			rt.Fatalf("prefix %q delimiter %q pages of %d (-want +got):\n%s", prefix, delimiter, in.MaxUploads, diff)
		}
	})
}

// All that S3 allows in headers, metadata and tags at once is more than a file's own attributes hold on ext4.
func TestEverythingThatS3AllowsFits(t *testing.T) {
	b := newBucket(t)
	in := &storage.PutObjectInput{Bucket: b, Key: "k", Body: body("x"), Headers: storage.Headers{
		ContentType: strings.Repeat("t", 250), ContentEncoding: strings.Repeat("e", 1000), ContentLanguage: strings.Repeat("l", 1000), ContentDisposition: strings.Repeat("d", 1000), CacheControl: strings.Repeat("c", 1000),
		Metadata: map[string]string{"m": strings.Repeat("m", storage.MaxMetadata-1)},
	}, Tags: map[string]string{}}
	for i := range storage.MaxObjectTags {
		in.Tags[strings.Repeat("k", 120)+fmt.Sprint(i)] = strings.Repeat("v", storage.MaxTagValue)
	}
	if _, err := shared.PutObject(t.Context(), in); err != nil {
		t.Fatalf("everything that S3 allows at once is refused: %v", err)
	}
	info, err := shared.HeadObject(t.Context(), &storage.GetObjectInput{ObjectRef: current(b, "k")})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(in.Headers, info.Headers); diff != "" {
		t.Errorf("headers (-put +got):\n%s", diff)
	}
	in.Headers.Metadata = map[string]string{"mm": strings.Repeat("m", storage.MaxMetadata-1)}
	in.Body = body("x")
	_, err = shared.PutObject(t.Context(), in)
	wantCode(t, "one byte more", err, "MetadataTooLarge")
}
