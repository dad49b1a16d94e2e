package storagetest

import (
	"fmt"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lakegate/lakegate/internal/storage"
)

func (s *suite) tags() {
	s.open(Want{}, Tags)
	ctx := s.Context()
	want := map[string]string{"team": "red", "with space": "a+b=c/d:e@f", "empty": ""}
	_, err := s.k.PutObject(ctx, &storage.PutObjectInput{Bucket: s.bucket, Key: "k", Body: Body("x"), Tags: want})
	s.ok("put", err)
	check := func(what, key string, want map[string]string) {
		s.Helper()
		out, err := s.k.GetObjectTagging(ctx, s.ref(key))
		s.ok(what, err)
		if diff := cmp.Diff(want, out.Tags); diff != "" && len(want)+len(out.Tags) > 0 {
			s.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	check("tags of a put", "k", want)
	_, err = s.k.PutObjectTagging(ctx, s.ref("k"), map[string]string{"other": "<&>"})
	s.want("signs that no tag has", err, "InvalidTag")
	_, err = s.k.PutObjectTagging(ctx, s.ref("k"), map[string]string{"other": "blue"})
	s.ok("replace", err)
	check("replaced tags", "k", map[string]string{"other": "blue"})
	_, err = s.k.PutObjectTagging(ctx, s.ref("k"), nil)
	s.ok("remove", err)
	check("removed tags", "k", nil)
	s.put("plain", "x")
	check("no tags", "plain", nil)
}

func (s *suite) copies() {
	s.open(Want{})
	ctx := s.Context()
	in := &storage.PutObjectInput{Bucket: s.bucket, Key: "from/a b", Body: Body("content"), Headers: storage.Headers{ContentType: "text/csv", Metadata: map[string]string{"m": "1"}}}
	if !s.lacks(Tags) {
		in.Tags = map[string]string{"team": "red"}
	}
	put, err := s.k.PutObject(ctx, in)
	s.ok("put", err)
	out, err := s.k.CopyObject(ctx, &storage.CopyObjectInput{Bucket: s.bucket, Key: "to/c", Source: s.ref("from/a b")})
	s.ok("copy", err)
	info, err := s.k.HeadObject(ctx, &storage.GetObjectInput{ObjectRef: s.ref("to/c")})
	s.ok("head", err)
	if out.ETag != put.ETag || info.ETag != put.ETag || info.Headers.ContentType != "text/csv" || info.Headers.Metadata["m"] != "1" || s.content("to/c") != "content" {
		s.Errorf("copied %+v, %+v", out, info)
	}
	if !s.lacks(Tags) {
		if tags, err := s.k.GetObjectTagging(ctx, s.ref("to/c")); err != nil || tags.Tags["team"] != "red" {
			s.Errorf("tags of the copy: %+v, %v", tags, err)
		}
	}
	if !s.lacks(Directives) {
		_, err = s.k.CopyObject(ctx, &storage.CopyObjectInput{Bucket: s.bucket, Key: "to/d", Source: s.ref("from/a b"), ReplaceHeaders: true, Headers: storage.Headers{ContentType: "text/plain"}, ReplaceTags: true})
		s.ok("copy with other headers", err)
		info, err = s.k.HeadObject(ctx, &storage.GetObjectInput{ObjectRef: s.ref("to/d")})
		s.ok("head", err)
		if info.Headers.ContentType != "text/plain" || len(info.Headers.Metadata) != 0 || info.TagCount != 0 {
			s.Errorf("copied with other headers: %+v", info)
		}
	}
	_, err = s.k.CopyObject(ctx, &storage.CopyObjectInput{Bucket: s.bucket, Key: "to/c", Source: s.ref("to/c")})
	s.want("copy to itself", err, "InvalidRequest")
	if s.lacks(CopyConditions) {
		return
	}
	source, err := s.k.HeadObject(ctx, &storage.GetObjectInput{ObjectRef: s.ref("from/a b")})
	s.ok("head", err)
	for name, tt := range map[string]struct {
		on   storage.Conditions
		want string
	}{
		"match": {storage.Conditions{IfMatch: put.ETag}, ""}, "no match": {storage.Conditions{IfMatch: `"00000000000000000000000000000000"`}, "PreconditionFailed"},
		"none match": {storage.Conditions{IfNoneMatch: put.ETag}, "PreconditionFailed"}, "modified": {storage.Conditions{IfModifiedSince: source.LastModified}, "PreconditionFailed"},
	} {
		if name == "modified" && s.lacks(CopyDates) {
			continue
		}
		_, err = s.k.CopyObject(ctx, &storage.CopyObjectInput{Bucket: s.bucket, Key: "to/e", Source: s.ref("from/a b"), SourceConditions: tt.on})
		s.want(name, err, tt.want)
	}
}

func (s *suite) batch() {
	s.open(Want{})
	keys := []string{"a", "b c", "d/e&<f>", "ü", "kept"}
	var in []*storage.DeleteObjectInput
	for _, key := range keys {
		s.put(key, key)
		if key != "kept" {
			in = append(in, &storage.DeleteObjectInput{ObjectRef: s.ref(key)})
		}
	}
	in = append(in, &storage.DeleteObjectInput{ObjectRef: s.ref("none")}, &storage.DeleteObjectInput{ObjectRef: s.ref("a")}, &storage.DeleteObjectInput{ObjectRef: s.ref("a/../kept")})
	results := storage.DeleteAll(s.Context(), s.k, in)
	if len(results) != len(in) {
		s.Fatalf("%d results of %d", len(results), len(in))
	}
	for i, r := range results {
		if i == len(in)-1 {
			s.want("a key that is none", r.Err, "InvalidArgument")
		} else if r.Err != nil || r.Output == nil {
			s.Errorf("%q: %+v, %v", in[i].Key, r.Output, r.Err)
		}
	}
	for _, key := range keys {
		if got := s.content(key); (got == "NoSuchKey") == (key == "kept") {
			s.Errorf("%q is %q", key, got)
		}
	}
}

// partSize is the least that every part but the last has.
const partSize = 5 << 20

func (s *suite) begin(key string, sum storage.Checksum) storage.UploadRef {
	s.Helper()
	out, err := s.k.CreateMultipartUpload(s.Context(), &storage.CreateMultipartUploadInput{Bucket: s.bucket, Key: key, Headers: storage.Headers{ContentType: "text/csv", Metadata: map[string]string{"m": "1"}}, Checksum: sum})
	s.ok("begin "+key, err)
	return storage.UploadRef{Bucket: s.bucket, Key: key, UploadID: out.UploadID}
}

func (s *suite) part(ref storage.UploadRef, number int, text string) storage.CompletedPart {
	s.Helper()
	out, err := s.k.UploadPart(s.Context(), &storage.UploadPartInput{UploadRef: ref, PartNumber: number, Body: Body(text)})
	s.ok(fmt.Sprintf("part %d", number), err)
	return storage.CompletedPart{PartNumber: number, ETag: out.ETag}
}

func (s *suite) parts() {
	s.open(Want{}, Multipart)
	ctx := s.Context()
	one, two := strings.Repeat("1", partSize), "two"
	ref := s.begin("dir/k", storage.Checksum{})
	parts := []storage.CompletedPart{{}, s.part(ref, 2, two)}
	parts[0] = s.part(ref, 1, one)
	if got := s.content("dir/k"); got != "NoSuchKey" {
		s.Errorf("an upload in progress is an object: %.20q", got)
	}
	if !s.lacks(UploadLists) {
		list, err := s.k.ListParts(ctx, &storage.ListPartsInput{UploadRef: ref, MaxParts: 1})
		s.ok("list parts", err)
		if len(list.Parts) != 1 || list.Parts[0].PartNumber != 1 || list.Parts[0].Size != partSize || !list.Truncated || list.NextPartNumberMarker != 1 {
			s.Errorf("first page of parts: %+v", list)
		}
		list, err = s.k.ListParts(ctx, &storage.ListPartsInput{UploadRef: ref, MaxParts: 1000, PartNumberMarker: 1})
		s.ok("list parts", err)
		if len(list.Parts) != 1 || list.Parts[0].PartNumber != 2 || list.Parts[0].ETag != parts[1].ETag || list.Truncated {
			s.Errorf("second page of parts: %+v", list)
		}
	}
	out, err := s.k.CompleteMultipartUpload(ctx, &storage.CompleteMultipartUploadInput{UploadRef: ref, Parts: parts})
	s.ok("complete", err)
	info, err := s.k.HeadObject(ctx, &storage.GetObjectInput{ObjectRef: s.ref("dir/k")})
	s.ok("head", err)
	if !s.lacks(PartTags) && (info.ETag != out.ETag || !strings.HasSuffix(out.ETag, `-2"`)) || info.Size != partSize+3 || info.Headers.ContentType != "text/csv" || info.Headers.Metadata["m"] != "1" {
		s.Errorf("object of parts: %+v, %+v", out, info)
	}
	if got := s.content("dir/k"); got != one+two {
		s.Errorf("%d bytes came back, or others", len(got))
	}
	if got := s.read(storage.GetObjectInput{ObjectRef: s.ref("dir/k"), Range: &storage.ByteRange{First: partSize - 1, Last: partSize}}); got != "1t" {
		s.Errorf("over the edge of parts: %q", got)
	}
	if !s.lacks(PartReads) {
		if got := s.read(storage.GetObjectInput{ObjectRef: s.ref("dir/k"), PartNumber: 2}); got != two {
			s.Errorf("part 2 is %.20q", got)
		}
		info, err := s.k.GetObjectAttributes(ctx, s.ref("dir/k"))
		s.ok("attributes", err)
		if len(info.Parts) != 2 {
			s.Errorf("attributes: %+v", info)
		}
	}
	ref = s.begin("aborted", storage.Checksum{})
	s.part(ref, 1, "x")
	s.ok("abort", s.k.AbortMultipartUpload(ctx, ref))
	_, err = s.k.CompleteMultipartUpload(ctx, &storage.CompleteMultipartUploadInput{UploadRef: ref, Parts: []storage.CompletedPart{{PartNumber: 1, ETag: parts[1].ETag}}})
	s.want("complete what was aborted", err, "NoSuchUpload")
}

func (s *suite) partRules() {
	s.open(Want{}, PartChecks)
	ctx := s.Context()
	ref := s.begin("k", storage.Checksum{})
	a, b := s.part(ref, 1, "too small"), s.part(ref, 2, "last")
	complete := func(parts ...storage.CompletedPart) error {
		_, err := s.k.CompleteMultipartUpload(ctx, &storage.CompleteMultipartUploadInput{UploadRef: ref, Parts: parts})
		return err
	}
	s.want("no parts", complete(), "MalformedXML")
	s.want("order", complete(b, a), "InvalidPartOrder")
	s.want("twice", complete(a, a), "InvalidPartOrder")
	s.want("not there", complete(storage.CompletedPart{PartNumber: 3, ETag: a.ETag}), "InvalidPart")
	s.want("another tag", complete(storage.CompletedPart{PartNumber: 1, ETag: b.ETag}), "InvalidPart")
	s.want("too small", complete(a, b), "EntityTooSmall")
	_, err := s.k.UploadPart(ctx, &storage.UploadPartInput{UploadRef: ref, PartNumber: 0, Body: Body("x")})
	s.want("part 0", err, "InvalidArgument")
	_, err = s.k.UploadPart(ctx, &storage.UploadPartInput{UploadRef: ref, PartNumber: 10001, Body: Body("x")})
	s.want("part 10001", err, "InvalidArgument")
	other := ref
	other.Key = "other"
	_, err = s.k.UploadPart(ctx, &storage.UploadPartInput{UploadRef: other, PartNumber: 1, Body: Body("x")})
	s.want("an upload of another key", err, "NoSuchUpload")
	s.want("only the last", complete(b), "")
	if got := s.content("k"); got != "last" {
		s.Errorf("content %q", got)
	}
}

func (s *suite) partCopies() {
	s.open(Want{}, CopyRanges)
	ctx := s.Context()
	s.put("source", "0123456789")
	ref := s.begin("k", storage.Checksum{})
	out, err := s.k.UploadPartCopy(ctx, &storage.UploadPartCopyInput{UploadRef: ref, PartNumber: 1, Source: s.ref("source"), Range: &storage.ByteRange{First: 2, Last: 5}})
	s.ok("copy part", err)
	_, err = s.k.UploadPartCopy(ctx, &storage.UploadPartCopyInput{UploadRef: ref, PartNumber: 2, Source: s.ref("none")})
	s.want("copy part of nothing", err, "NoSuchKey")
	_, err = s.k.CompleteMultipartUpload(ctx, &storage.CompleteMultipartUploadInput{UploadRef: ref, Parts: []storage.CompletedPart{{PartNumber: 1, ETag: out.ETag}}})
	s.ok("complete", err)
	if got := s.content("k"); got != "2345" {
		s.Errorf("content %q", got)
	}
}

func (s *suite) uploadList() {
	s.open(Want{}, UploadLists)
	ctx := s.Context()
	want := []string{}
	for _, key := range []string{"a/1", "a/2", "b", "c d"} {
		s.begin(key, storage.Checksum{})
		want = append(want, key)
	}
	var got []string
	in := &storage.ListMultipartUploadsInput{Bucket: s.bucket, MaxUploads: 2}
	if s.lacks(UploadPages) {
		in.MaxUploads = 1000
	}
	for range 10 {
		out, err := s.k.ListMultipartUploads(ctx, in)
		s.ok("list", err)
		for _, u := range out.Uploads {
			got = append(got, u.Key)
			if u.UploadID == "" {
				s.Errorf("upload without an id: %+v", u)
			}
		}
		if in.KeyMarker, in.UploadIDMarker = out.NextKeyMarker, out.NextUploadIDMarker; !out.Truncated {
			break
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		s.Errorf("uploads (-want +got):\n%s", diff)
	}
	out, err := s.k.ListMultipartUploads(ctx, &storage.ListMultipartUploadsInput{Bucket: s.bucket, Prefix: "a/", MaxUploads: 1000})
	s.ok("list", err)
	if len(out.Uploads) != 2 {
		s.Errorf("uploads under a/: %+v", out)
	}
}

func (s *suite) versions() {
	s.open(Want{Versions: true}, Versions)
	ctx := s.Context()
	one, two := s.put("k", "one"), s.put("k", "two")
	if one.VersionID == "" || one.VersionID == two.VersionID {
		s.Fatalf("versions %q and %q", one.VersionID, two.VersionID)
	}
	at := func(id string) string {
		return s.read(storage.GetObjectInput{ObjectRef: storage.ObjectRef{Key: "k", Bucket: s.bucket, VersionID: id}})
	}
	if s.content("k") != "two" || at(one.VersionID) != "one" || at(two.VersionID) != "two" {
		s.Error("versions are mixed up")
	}
	marker, err := s.k.DeleteObject(ctx, &storage.DeleteObjectInput{ObjectRef: s.ref("k")})
	s.ok("hide", err)
	if !marker.DeleteMarker || marker.VersionID == "" {
		s.Errorf("delete marker: %+v", marker)
	}
	if s.content("k") != "NoSuchKey" || at(one.VersionID) != "one" {
		s.Error("a hidden object is seen, or its version is not")
	}
	list, err := s.k.ListObjectVersions(ctx, &storage.ListObjectVersionsInput{Bucket: s.bucket, MaxKeys: 1000})
	s.ok("list", err)
	var shown []string
	for _, v := range list.Versions {
		shown = append(shown, fmt.Sprintf("%s %s %v %v", v.Key, v.VersionID, v.Latest, v.DeleteMarker))
	}
	want := []string{"k " + marker.VersionID + " true true", "k " + two.VersionID + " false false", "k " + one.VersionID + " false false"}
	if diff := cmp.Diff(want, shown); diff != "" {
		s.Errorf("versions (-want +got):\n%s", diff)
	}
	in := &storage.ListObjectVersionsInput{Bucket: s.bucket, MaxKeys: 1}
	if !s.lacks(VersionPages) {
		shown = nil
	}
	for range 10 {
		if s.lacks(VersionPages) {
			break
		}
		out, err := s.k.ListObjectVersions(ctx, in)
		s.ok("page of versions", err)
		for _, v := range out.Versions {
			shown = append(shown, fmt.Sprintf("%s %s %v %v", v.Key, v.VersionID, v.Latest, v.DeleteMarker))
		}
		if in.KeyMarker, in.VersionIDMarker = out.NextKeyMarker, out.NextVersionIDMarker; !out.Truncated {
			break
		}
	}
	if diff := cmp.Diff(want, shown); diff != "" {
		s.Errorf("pages of one version (-want +got):\n%s", diff)
	}
	_, err = s.k.DeleteObject(ctx, &storage.DeleteObjectInput{ObjectRef: storage.ObjectRef{Bucket: s.bucket, Key: "k", VersionID: marker.VersionID}})
	s.ok("delete the marker", err)
	if got := s.content("k"); got != "two" {
		s.Errorf("after the marker is gone: %q", got)
	}
	_, err = s.k.DeleteObject(ctx, &storage.DeleteObjectInput{ObjectRef: storage.ObjectRef{Bucket: s.bucket, Key: "k", VersionID: one.VersionID}})
	s.ok("delete a version", err)
	if got := at(one.VersionID); got != "NoSuchVersion" {
		s.Errorf("a deleted version: %q", got)
	}
	out, err := s.k.CopyObject(ctx, &storage.CopyObjectInput{Bucket: s.bucket, Key: "copy", Source: storage.ObjectRef{Bucket: s.bucket, Key: "k", VersionID: two.VersionID}})
	s.ok("copy a version", err)
	if s.content("copy") != "two" || out.SourceVersionID != two.VersionID {
		s.Errorf("copy of a version: %+v", out)
	}
}

func (s *suite) locks() {
	s.open(Want{Versions: true, Locks: true}, Locks)
	ctx := s.Context()
	until := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	put, err := s.k.PutObject(ctx, &storage.PutObjectInput{Bucket: s.bucket, Key: "k", Body: Body("x"), Retention: &storage.Retention{Mode: storage.Governance, Until: until}})
	s.ok("put", err)
	ref := storage.ObjectRef{Bucket: s.bucket, Key: "k", VersionID: put.VersionID}
	r, err := s.k.GetObjectRetention(ctx, ref)
	s.ok("retention", err)
	if r.Mode != storage.Governance || !r.Until.Equal(until) {
		s.Errorf("retention %+v", r)
	}
	_, err = s.k.DeleteObject(ctx, &storage.DeleteObjectInput{ObjectRef: ref})
	s.want("delete what is kept", err, "AccessDenied")
	s.ok("hold", s.k.PutObjectLegalHold(ctx, ref, true))
	if on, err := s.k.GetObjectLegalHold(ctx, ref); err != nil || !on {
		s.Errorf("hold %v, %v", on, err)
	}
	_, err = s.k.DeleteObject(ctx, &storage.DeleteObjectInput{ObjectRef: ref, BypassGovernance: true})
	s.want("delete what is held", err, "AccessDenied")
	s.ok("let go", s.k.PutObjectLegalHold(ctx, ref, false))
	_, err = s.k.DeleteObject(ctx, &storage.DeleteObjectInput{ObjectRef: ref, BypassGovernance: true})
	s.ok("delete with the right to", err)
	s.ok("default", s.k.PutObjectLockConfiguration(ctx, s.bucket, storage.LockConfiguration{Mode: storage.Governance, Days: 1}))
	if c, err := s.k.GetObjectLockConfiguration(ctx, s.bucket); err != nil || c.Mode != storage.Governance || c.Days != 1 {
		s.Errorf("default %+v, %v", c, err)
	}
}
