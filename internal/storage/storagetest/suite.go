// Package storagetest is the contract of a storage as a test: every back end runs it, the embedded one and S3 services
// elsewhere. What a service is known to lack is named by its Lacks, so that a test that is not run is told.
package storagetest

import (
	"crypto/md5" //nolint:gosec // Content-MD5 is what S3 clients send
	"encoding/base64"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lakegate/lakegate/internal/storage"
)

// Keeper is a storage with one bucket.
type Keeper interface {
	storage.Objects
	storage.Uploads
	storage.Locks
}

// Want is what a new bucket is to have.
type Want struct{ Versions, Locks bool }

// Lack is something that a storage does not have.
type Lack string

// What services are known to lack.
const (
	Versions       Lack = "versions"
	VersionPages   Lack = "pages within the versions of a key"
	Locks          Lack = "locks"
	Tags           Lack = "tags"
	Checksums      Lack = "checksums that are kept and told"
	Headers        Lack = "content headers other than the type"
	Conditions     Lack = "conditional writes"
	CopyConditions Lack = "conditional copies"
	CopyDates      Lack = "dates of less than a second in conditional copies"
	Directives     Lack = "copies with other headers or tags"
	CopyRanges     Lack = "parts that are copied"
	PartReads      Lack = "reads of a part by its number"
	PartChecks     Lack = "rules for parts"
	PartTags       Lack = "entity tags that say the number of parts"
	UploadLists    Lack = "listings of uploads and parts"
	UploadPages    Lack = "pages of uploads"
	Paging         Lack = "listings after a key"
	LongSuffixes   Lack = "suffix ranges longer than the object"
	Multipart      Lack = "uploads in parts"
)

// Subject is a storage under test.
type Subject struct {
	// New makes an empty bucket.
	New func(t *testing.T, w Want) (k Keeper, bucket string)
	// Lacks is what it does not have.
	Lacks []Lack
}

// Run holds a storage to the contract.
func Run(t *testing.T, s Subject) {
	for name, test := range map[string]func(*suite){
		"Objects": (*suite).objects, "Ranges": (*suite).ranges, "Conditions": (*suite).conditions, "Broken": (*suite).broken, "Checksums": (*suite).checksums,
		"Keys": (*suite).keys, "Lists": (*suite).lists, "Pages": (*suite).pages, "Tags": (*suite).tags, "Copies": (*suite).copies, "Batch": (*suite).batch, "Parts": (*suite).parts,
		"PartRules": (*suite).partRules, "PartCopies": (*suite).partCopies, "UploadList": (*suite).uploadList, "Versions": (*suite).versions, "Locks": (*suite).locks, "Missing": (*suite).missing,
	} {
		t.Run(name, func(t *testing.T) { test(&suite{T: t, Subject: s}) })
	}
}

type suite struct {
	*testing.T
	Subject
	k      Keeper
	bucket string
}

func (s *suite) open(w Want, needs ...Lack) {
	s.Helper()
	for _, n := range needs {
		if s.lacks(n) {
			s.Skipf("this storage has no %s", n)
		}
	}
	s.k, s.bucket = s.New(s.T, w)
}

func (s *suite) lacks(l Lack) bool { return slices.Contains(s.Lacks, l) }

// Body is a content as a client sends it.
func Body(text string) storage.Body {
	return storage.Body{Reader: strings.NewReader(text), Size: int64(len(text))}
}

// Code is the code of an error, "" for none.
func Code(err error) string {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*storage.Error](err); ok {
		return e.Code
	}
	return "unmodelled: " + err.Error()
}

func (s *suite) want(what string, err error, codes ...string) {
	s.Helper()
	if got := Code(err); !slices.Contains(codes, got) {
		s.Errorf("%s: %q, want %q (%v)", what, got, codes, err)
	}
}

func (s *suite) ok(what string, err error) {
	s.Helper()
	if err != nil {
		s.Fatalf("%s: %v", what, err)
	}
}

func (s *suite) put(key, text string) *storage.PutObjectOutput {
	s.Helper()
	out, err := s.k.PutObject(s.Context(), &storage.PutObjectInput{Bucket: s.bucket, Key: key, Body: Body(text)})
	s.ok("put "+key, err)
	return out
}

func (s *suite) ref(key string) storage.ObjectRef {
	return storage.ObjectRef{Bucket: s.bucket, Key: key}
}

// read is the content of an object, or the code of the error.
func (s *suite) read(in storage.GetObjectInput) string {
	s.Helper()
	in.Bucket = s.bucket
	o, err := s.k.GetObject(s.Context(), &in)
	if err != nil {
		return Code(err)
	}
	defer func() { _ = o.Body.Close() }()
	text, err := io.ReadAll(o.Body)
	if err != nil {
		return err.Error()
	}
	if int64(len(text)) != o.Length() {
		s.Errorf("%d bytes of %s, announced %d", len(text), in.Key, o.Length())
	}
	return string(text)
}

func (s *suite) content(key string) string {
	s.Helper()
	return s.read(storage.GetObjectInput{ObjectRef: s.ref(key)})
}

func (s *suite) objects() {
	s.open(Want{})
	h := storage.Headers{ContentType: "text/csv", Metadata: map[string]string{"team": "red", "with-spaces": "a b"}}
	if !s.lacks(Headers) {
		h.ContentEncoding, h.ContentLanguage, h.ContentDisposition, h.CacheControl = "gzip", "de", `attachment; filename="x.csv"`, "no-cache"
	}
	out, err := s.k.PutObject(s.Context(), &storage.PutObjectInput{Bucket: s.bucket, Key: "a/b.csv", Body: Body("one,two\n"), Headers: h})
	s.ok("put", err)
	sum := md5.Sum([]byte("one,two\n")) //nolint:gosec // see import
	if want := fmt.Sprintf(`"%x"`, sum); out.ETag != want {
		s.Errorf("etag %s, want %s", out.ETag, want)
	}
	o, err := s.k.GetObject(s.Context(), &storage.GetObjectInput{ObjectRef: s.ref("a/b.csv")})
	s.ok("get", err)
	text, err := io.ReadAll(o.Body)
	s.ok("read", errors.Join(err, o.Body.Close()))
	if string(text) != "one,two\n" || o.ETag != out.ETag || o.Size != 8 || o.Length() != 8 || o.Range != nil || time.Since(o.LastModified).Abs() > time.Hour {
		s.Errorf("got %q, %+v", text, o.ObjectInfo)
	}
	if diff := cmp.Diff(h, o.Headers); diff != "" {
		s.Errorf("headers (-put +got):\n%s", diff)
	}
	info, err := s.k.HeadObject(s.Context(), &storage.GetObjectInput{ObjectRef: s.ref("a/b.csv")})
	s.ok("head", err)
	if info.ETag != o.ETag || info.Size != o.Size || info.Key != "a/b.csv" {
		s.Errorf("head %+v", info)
	}
	s.put("a/b.csv", "")
	if got := s.content("a/b.csv"); got != "" {
		s.Errorf("after an empty overwrite: %q", got)
	}
	_, err = s.k.DeleteObject(s.Context(), &storage.DeleteObjectInput{ObjectRef: s.ref("a/b.csv")})
	s.ok("delete", err)
	_, err = s.k.DeleteObject(s.Context(), &storage.DeleteObjectInput{ObjectRef: s.ref("a/b.csv")})
	s.ok("delete again", err)
	if got := s.content("a/b.csv"); got != "NoSuchKey" {
		s.Errorf("after its deletion: %q", got)
	}
}

func (s *suite) ranges() {
	s.open(Want{})
	s.put("k", "0123456789")
	for _, tt := range []struct {
		first, last int64
		want        string
	}{{0, 0, "0"}, {2, 4, "234"}, {5, -1, "56789"}, {-1, 3, "789"}, {8, 100, "89"}, {10, -1, "InvalidRange"}, {20, 30, "InvalidRange"}} {
		got := s.read(storage.GetObjectInput{ObjectRef: s.ref("k"), Range: &storage.ByteRange{First: tt.first, Last: tt.last}})
		if got != tt.want {
			s.Errorf("bytes %d to %d: %q, want %q", tt.first, tt.last, got, tt.want)
		}
	}
	if !s.lacks(LongSuffixes) {
		if got := s.read(storage.GetObjectInput{ObjectRef: s.ref("k"), Range: &storage.ByteRange{First: -1, Last: 100}}); got != "0123456789" {
			s.Errorf("the last 100 bytes of 10: %q", got)
		}
	}
	big := strings.Repeat("0123456789abcdef", 1<<16)
	s.put("big", big)
	if s.content("big") != big {
		s.Error("1 MiB came back as something else")
	}
}

func (s *suite) conditions() {
	s.open(Want{})
	out := s.put("k", "content")
	info, err := s.k.HeadObject(s.Context(), &storage.GetObjectInput{ObjectRef: s.ref("k")})
	s.ok("head", err)
	before, later := info.LastModified.Add(-time.Hour), info.LastModified.Add(time.Hour)
	for name, tt := range map[string]struct {
		on   storage.Conditions
		want string
	}{
		"match":          {storage.Conditions{IfMatch: out.ETag}, "content"},
		"no match":       {storage.Conditions{IfMatch: `"00000000000000000000000000000000"`}, "PreconditionFailed"},
		"none match":     {storage.Conditions{IfNoneMatch: out.ETag}, "NotModified"},
		"none matches":   {storage.Conditions{IfNoneMatch: `"00000000000000000000000000000000"`}, "content"},
		"modified":       {storage.Conditions{IfModifiedSince: before}, "content"},
		"not modified":   {storage.Conditions{IfModifiedSince: info.LastModified}, "NotModified"},
		"unmodified":     {storage.Conditions{IfUnmodifiedSince: later}, "content"},
		"not unmodified": {storage.Conditions{IfUnmodifiedSince: before}, "PreconditionFailed"},
	} {
		if got := s.read(storage.GetObjectInput{ObjectRef: s.ref("k"), Conditions: tt.on}); got != tt.want {
			s.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
	if s.lacks(Conditions) {
		return
	}
	write := func(key, match, none string) error {
		_, err := s.k.PutObject(s.Context(), &storage.PutObjectInput{Bucket: s.bucket, Key: key, Body: Body("other"), IfMatch: match, IfNoneMatch: none})
		return err
	}
	s.want("there", write("k", "", "*"), "PreconditionFailed")
	s.want("other tag", write("k", `"00000000000000000000000000000000"`, ""), "PreconditionFailed")
	if got := s.content("k"); got != "content" {
		s.Errorf("a refused write changed the object: %q", got)
	}
	s.want("not there", write("new", "", "*"), "")
	s.want("same tag", write("k", out.ETag, ""), "")
	s.want("both", write("k", out.ETag, "*"), "NotImplemented")
}

// broken is about contents that are not what was announced. None of them becomes an object.
func (s *suite) broken() {
	s.open(Want{})
	s.put("k", "before")
	sum := md5.Sum([]byte("another")) //nolint:gosec // see import
	refusal := &storage.Error{Code: "SignatureDoesNotMatch", Status: 403, Message: "the last chunk's signature is wrong"}
	long := strings.Repeat("x", 1<<20)
	for name, tt := range map[string]struct {
		body storage.Body
		want []string
	}{
		"short":            {storage.Body{Reader: strings.NewReader("conten"), Size: 7}, []string{"IncompleteBody"}},
		"nothing":          {storage.Body{Reader: strings.NewReader(""), Size: 7}, []string{"IncompleteBody"}},
		"long":             {storage.Body{Reader: strings.NewReader("content!"), Size: 7}, []string{"IncompleteBody"}},
		"longer than none": {storage.Body{Reader: strings.NewReader("c"), Size: 0}, []string{"IncompleteBody"}},
		"much too short":   {storage.Body{Reader: strings.NewReader(long), Size: 2 << 20}, []string{"IncompleteBody"}},
		"breaks off":       {storage.Body{Reader: io.MultiReader(strings.NewReader(long), iotest.ErrReader(errors.New("reset"))), Size: 2 << 20}, []string{"IncompleteBody", "unmodelled: reset"}},
		"wrong at its end": {storage.Body{Reader: io.MultiReader(strings.NewReader(long), iotest.ErrReader(refusal)), Size: 1 << 20}, []string{"SignatureDoesNotMatch"}},
		"wrong, and short": {storage.Body{Reader: io.MultiReader(strings.NewReader("x"), iotest.ErrReader(refusal)), Size: 1}, []string{"SignatureDoesNotMatch"}},
		"wrong and empty":  {storage.Body{Reader: iotest.ErrReader(refusal), Size: 0}, []string{"SignatureDoesNotMatch"}},
		"another md5":      {storage.Body{Reader: strings.NewReader("content"), Size: 7, ContentMD5: sum[:]}, []string{"BadDigest"}},
		"no md5":           {storage.Body{Reader: strings.NewReader("content"), Size: 7, ContentMD5: sum[:5]}, []string{"InvalidDigest"}},
		"no length":        {storage.Body{Reader: strings.NewReader("content"), Size: -1}, []string{"MissingContentLength"}},
		"too large":        {storage.Body{Reader: strings.NewReader("content"), Size: storage.MaxObjectSize + 1}, []string{"EntityTooLarge"}},
	} {
		for _, key := range []string{"k", "new"} {
			body := tt.body
			if r, ok := body.Reader.(*strings.Reader); ok {
				_, _ = r.Seek(0, io.SeekStart)
			} else if key == "new" {
				continue // this reader gives its content once
			}
			_, err := s.k.PutObject(s.Context(), &storage.PutObjectInput{Bucket: s.bucket, Key: key, Body: body})
			s.want(name, err, tt.want...)
		}
		if got := s.content("k"); got != "before" {
			s.Fatalf("%s: the object is %.20q now", name, got)
		}
		if got := s.content("new"); got != "NoSuchKey" {
			s.Fatalf("%s: there is an object %.20q", name, got)
		}
	}
}

func crc(text string) string {
	h := crc32.NewIEEE()
	_, _ = h.Write([]byte(text))
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

func (s *suite) checksums() {
	s.open(Want{})
	long := strings.Repeat("0123456789abcdef", 1<<17) // 2 MiB, several chunks
	trailer := func(v string, err error) func() (string, error) { return func() (string, error) { return v, err } }
	for _, text := range []string{"content", "", long} {
		for name, tt := range map[string]struct {
			sum     storage.Checksum
			trailer func() (string, error)
			want    string
		}{
			"right":          {storage.Checksum{Algorithm: storage.CRC32, Value: crc(text)}, nil, ""},
			"wrong":          {storage.Checksum{Algorithm: storage.CRC32, Value: crc(text + "!")}, nil, "BadDigest"},
			"none":           {storage.Checksum{Algorithm: storage.CRC32, Value: "AAA="}, nil, "InvalidRequest"},
			"unknown":        {storage.Checksum{Algorithm: "CRC16", Value: "AAA="}, nil, "InvalidRequest"},
			"to be computed": {storage.Checksum{Algorithm: storage.CRC32}, nil, ""},
			"right trailer":  {storage.Checksum{Algorithm: storage.CRC32}, trailer(crc(text), nil), ""},
			"wrong trailer":  {storage.Checksum{Algorithm: storage.CRC32}, trailer(crc(text+"!"), nil), "BadDigest"},
			"no trailer":     {storage.Checksum{Algorithm: storage.CRC32}, trailer("", nil), "InvalidRequest"},
		} {
			body := Body(text)
			body.Checksum, body.Trailer = tt.sum, tt.trailer
			key := fmt.Sprintf("%d/%s", len(text), name)
			out, err := s.k.PutObject(s.Context(), &storage.PutObjectInput{Bucket: s.bucket, Key: key, Body: body})
			s.want(key, err, tt.want)
			if tt.want != "" {
				if got := s.content(key); got != "NoSuchKey" {
					s.Errorf("%s: a refused content became an object: %.20q", key, got)
				}
				continue
			}
			if err != nil {
				continue
			}
			if out.Checksum.Algorithm != storage.CRC32 || out.Checksum.Value != crc(text) {
				s.Errorf("%s: answered checksum %+v", key, out.Checksum)
			}
			if got := s.content(key); got != text {
				s.Errorf("%s: %d bytes came back, or others", key, len(got))
			}
			if s.lacks(Checksums) {
				continue
			}
			info, err := s.k.HeadObject(s.Context(), &storage.GetObjectInput{ObjectRef: s.ref(key), ChecksumMode: true})
			s.ok("head", err)
			if info.Checksum.Algorithm != storage.CRC32 || info.Checksum.Value != crc(text) || info.Headers.ContentEncoding != "" {
				s.Errorf("%s: kept checksum %+v, encoding %q", key, info.Checksum, info.Headers.ContentEncoding)
			}
		}
	}
}

// keys are names that must come back as they were given, and others that must not come through.
func (s *suite) keys() {
	s.open(Want{})
	good := []string{"plain", "with space", "plus+sign", "per%cent", "per%2Fcent", "a&b<c>d", `quote"s'`, "ünïcödé/日本", "q?uery=1&x", "hash#", "semi;colon", "tilde~", "a=b", "comma,", "back\\slash", "(x)[y]{z}", "*star!", "dots../..x/x..", "a:b@c$d", ".hidden"}
	for _, key := range good {
		s.put(key, key)
	}
	for _, key := range good {
		if got := s.content(key); got != key {
			s.Errorf("%q came back as %q", key, got)
		}
	}
	var listed []string
	out, err := s.k.ListObjectsV2(s.Context(), &storage.ListObjectsV2Input{Bucket: s.bucket, MaxKeys: 1000})
	s.ok("list", err)
	for _, o := range out.Objects {
		listed = append(listed, o.Key)
	}
	slices.Sort(good)
	if diff := cmp.Diff(good, listed); diff != "" {
		s.Errorf("listing (-put +listed):\n%s", diff)
	}
	for _, key := range []string{"", "/", "/a", "a//b", "a/../b", "../a", "..", ".", "a/./b", "a/..", "a\x00b", "a\xffb", strings.Repeat("k", 1025)} {
		_, err := s.k.PutObject(s.Context(), &storage.PutObjectInput{Bucket: s.bucket, Key: key, Body: Body("x")})
		s.want(fmt.Sprintf("put %q", key), err, "InvalidArgument", "KeyTooLongError")
		_, err = s.k.GetObject(s.Context(), &storage.GetObjectInput{ObjectRef: s.ref(key)})
		s.want(fmt.Sprintf("get %q", key), err, "InvalidArgument", "KeyTooLongError")
		_, err = s.k.DeleteObject(s.Context(), &storage.DeleteObjectInput{ObjectRef: s.ref(key)})
		s.want(fmt.Sprintf("delete %q", key), err, "InvalidArgument", "KeyTooLongError")
		_, err = s.k.CopyObject(s.Context(), &storage.CopyObjectInput{Bucket: s.bucket, Key: "copy", Source: s.ref(key)})
		s.want(fmt.Sprintf("copy from %q", key), err, "InvalidArgument", "KeyTooLongError")
	}
}

// line shows a page on one line: keys, common prefixes in brackets, and "…" with the marker where there is more.
func line(o storage.ListObjectsOutput) string {
	var items []string
	for _, x := range o.Objects {
		items = append(items, x.Key)
	}
	for _, p := range o.CommonPrefixes {
		items = append(items, "["+p+"]")
	}
	if o.Truncated {
		items = append(items, "…")
	}
	return strings.Join(items, " ")
}

func (s *suite) lists() {
	s.open(Want{})
	for _, key := range []string{"a/1", "a/2", "a-b", "a.b", "a0", "b", "c/d/e", "c/d/f", "c/g", "é/ü", "z z/+&"} {
		s.put(key, key)
	}
	for _, tt := range []struct {
		prefix, delimiter, after string
		limit                    int
		want                     string
	}{
		{"", "", "", 1000, "a-b a.b a/1 a/2 a0 b c/d/e c/d/f c/g z z/+& é/ü"},
		{"", "/", "", 1000, "a-b a.b a0 b [a/] [c/] [z z/] [é/]"},
		{"", "", "a/1", 2, "a/2 a0 …"},
		{"a", "", "", 1000, "a-b a.b a/1 a/2 a0"},
		{"a/", "/", "", 1000, "a/1 a/2"},
		{"a/", "/", "", 1, "a/1 …"},
		{"c/", "/", "", 1000, "c/g [c/d/]"},
		{"c/d", "/", "", 1000, "[c/d/]"},
		{"none/", "/", "", 1000, ""},
		{"a//", "", "", 1000, ""},
		{"../", "", "", 1000, ""},
		{"a/../", "", "", 1000, ""},
		{"/", "", "", 1000, ""},
		{"", "", "zzz", 1000, "é/ü"},
		{"", "", "", 0, ""},
		{"z z/", "/", "", 1000, "z z/+&"},
	} {
		if tt.after != "" && s.lacks(Paging) {
			continue
		}
		v2, err := s.k.ListObjectsV2(s.Context(), &storage.ListObjectsV2Input{Bucket: s.bucket, Prefix: tt.prefix, Delimiter: tt.delimiter, StartAfter: tt.after, MaxKeys: tt.limit})
		s.ok("list", err)
		if got := line(v2.ListObjectsOutput); got != tt.want {
			s.Errorf("v2 prefix %q delimiter %q after %q limit %d:\n got %s\nwant %s", tt.prefix, tt.delimiter, tt.after, tt.limit, got, tt.want)
		}
		v1, err := s.k.ListObjects(s.Context(), &storage.ListObjectsInput{Bucket: s.bucket, Prefix: tt.prefix, Delimiter: tt.delimiter, Marker: tt.after, MaxKeys: tt.limit})
		s.ok("list", err)
		if got := line(*v1); got != tt.want {
			s.Errorf("v1 prefix %q delimiter %q marker %q limit %d:\n got %s\nwant %s", tt.prefix, tt.delimiter, tt.after, tt.limit, got, tt.want)
		}
	}
	_, err := s.k.ListObjectsV2(s.Context(), &storage.ListObjectsV2Input{Bucket: s.bucket, MaxKeys: -1})
	s.want("negative page", err, "InvalidArgument")
	for _, token := range []string{"x", "!", "a/1"} {
		_, err := s.k.ListObjectsV2(s.Context(), &storage.ListObjectsV2Input{Bucket: s.bucket, ContinuationToken: token, MaxKeys: 1})
		s.want("token "+token, err, "InvalidArgument")
	}
}

// pages are all pages of a listing together, of every size.
func (s *suite) pages() {
	s.open(Want{}, Paging)
	var keys []string
	for _, key := range []string{"a", "b/1", "b/2", "b/3", "c", "d/1", "d/x/1", "e", "f/1"} {
		s.put(key, "")
		keys = append(keys, key)
	}
	whole := map[string][]string{"": keys, "/": {"a", "[b/]", "c", "[d/]", "e", "[f/]"}}
	for delimiter, want := range whole {
		for size := 1; size <= 4; size++ {
			var v2, v1 []string
			collect := func(to *[]string, o storage.ListObjectsOutput) {
				page := []string{}
				for _, x := range o.Objects {
					page = append(page, x.Key)
				}
				for _, p := range o.CommonPrefixes {
					page = append(page, "["+p+"]")
				}
				slices.SortFunc(page, func(a, b string) int { return strings.Compare(strings.Trim(a, "[]"), strings.Trim(b, "[]")) })
				*to = append(*to, page...)
			}
			in2 := &storage.ListObjectsV2Input{Bucket: s.bucket, Delimiter: delimiter, MaxKeys: size}
			for range 50 {
				out, err := s.k.ListObjectsV2(s.Context(), in2)
				s.ok("list", err)
				collect(&v2, out.ListObjectsOutput)
				if in2.ContinuationToken = out.NextContinuationToken; !out.Truncated {
					break
				}
			}
			if diff := cmp.Diff(want, v2); diff != "" {
				s.Errorf("v2 delimiter %q pages of %d (-want +got):\n%s", delimiter, size, diff)
			}
			in1 := &storage.ListObjectsInput{Bucket: s.bucket, Delimiter: delimiter, MaxKeys: size}
			for range 50 {
				out, err := s.k.ListObjects(s.Context(), in1)
				s.ok("list", err)
				collect(&v1, *out)
				if in1.Marker = out.NextMarker; !out.Truncated {
					break
				}
			}
			if diff := cmp.Diff(want, v1); diff != "" {
				s.Errorf("v1 delimiter %q pages of %d (-want +got):\n%s", delimiter, size, diff)
			}
		}
	}
}

func (s *suite) missing() {
	s.open(Want{})
	ctx := s.Context()
	_, err := s.k.HeadObject(ctx, &storage.GetObjectInput{ObjectRef: s.ref("none")})
	s.want("head", err, "NoSuchKey")
	_, err = s.k.CopyObject(ctx, &storage.CopyObjectInput{Bucket: s.bucket, Key: "copy", Source: s.ref("none")})
	s.want("copy", err, "NoSuchKey")
	if !s.lacks(Tags) {
		_, err = s.k.GetObjectTagging(ctx, s.ref("none"))
		s.want("tags", err, "NoSuchKey")
	}
	if s.lacks(Multipart) {
		return
	}
	ref := storage.UploadRef{Bucket: s.bucket, Key: "k", UploadID: "01234567-89ab-cdef-0123-456789abcdef"}
	_, err = s.k.UploadPart(ctx, &storage.UploadPartInput{UploadRef: ref, PartNumber: 1, Body: Body("x")})
	s.want("part", err, "NoSuchUpload")
	_, err = s.k.CompleteMultipartUpload(ctx, &storage.CompleteMultipartUploadInput{UploadRef: ref, Parts: []storage.CompletedPart{{PartNumber: 1, ETag: `"00000000000000000000000000000000"`}}})
	s.want("complete", err, "NoSuchUpload")
	s.want("abort", s.k.AbortMultipartUpload(ctx, ref), "NoSuchUpload", "") // some take it for done
	ref.UploadID = ""
	_, err = s.k.UploadPart(ctx, &storage.UploadPartInput{UploadRef: ref, PartNumber: 1, Body: Body("x")})
	s.want("part of no upload", err, "NoSuchUpload")
	s.want("abort of no upload", s.k.AbortMultipartUpload(ctx, ref), "NoSuchUpload")
	if got := s.content("k"); got != "NoSuchKey" {
		s.Errorf("a request without an upload made an object: %q", got)
	}
}
