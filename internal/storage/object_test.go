package storage_test

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"io"
	"net"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/lakegate/lakegate/internal/storage"
)

func TestPutAndGet(t *testing.T) {
	b := newBucket(t)
	long := strings.Repeat("m", 1500)
	in := &storage.PutObjectInput{
		Bucket: b, Key: "red/2026/report.csv", Body: body("tomatoes,3\n"),
		Headers: storage.Headers{
			ContentType: "text/csv", ContentEncoding: "identity", ContentLanguage: "en", ContentDisposition: `attachment; filename="r.csv"`,
			CacheControl: "no-cache", Expires: "Wed, 21 Oct 2026 07:28:00 GMT", Metadata: map[string]string{"team": "red", "long": long},
		},
		Tags: map[string]string{"project": "red", "stage": strings.Repeat("ä", 200)},
	}
	out, err := shared.PutObject(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	sum := md5.Sum([]byte("tomatoes,3\n"))
	if want := `"` + hex.EncodeToString(sum[:]) + `"`; out.ETag != want {
		t.Errorf("ETag = %s, want %s", out.ETag, want)
	}
	if out.VersionID != "" {
		t.Errorf("VersionID = %q in a bucket without versioning", out.VersionID)
	}
	info, err := shared.HeadObject(t.Context(), &storage.GetObjectInput{ObjectRef: current(b, in.Key), ChecksumMode: true})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(in.Headers, info.Headers); diff != "" {
		t.Errorf("headers (-put +got):\n%s", diff)
	}
	if info.ETag != out.ETag || info.Size != 11 || info.TagCount != 2 || info.Checksum != out.Checksum || info.Checksum.Algorithm != storage.CRC64NVME {
		t.Errorf("HeadObject = %+v after %+v", info, out)
	}
	tags, err := shared.GetObjectTagging(t.Context(), current(b, in.Key))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(in.Tags, tags.Tags); diff != "" {
		t.Errorf("tags (-put +got):\n%s", diff)
	}
	if got := content(t, current(b, in.Key)); got != "tomatoes,3\n" {
		t.Errorf("content = %q", got)
	}
}

func TestOverwriteInheritsNothing(t *testing.T) {
	for _, key := range []string{"a", "folder/"} {
		b := newBucket(t)
		first := &storage.PutObjectInput{Bucket: b, Key: key, Headers: storage.Headers{Metadata: map[string]string{"m": strings.Repeat("x", 500)}, WebsiteRedirectLocation: "/x"}, Tags: map[string]string{"team": "red"}}
		if _, err := shared.PutObject(t.Context(), first); err != nil {
			t.Fatal(err)
		}
		put(t, b, key, "")
		info, err := shared.HeadObject(t.Context(), &storage.GetObjectInput{ObjectRef: current(b, key)})
		if err != nil {
			t.Fatal(err)
		}
		if info.TagCount != 0 || info.Headers.Metadata != nil || info.Headers.WebsiteRedirectLocation != "" {
			t.Errorf("%q kept something of the object that it replaced: %+v", key, info)
		}
	}
}

func TestBrokenUploadNeverBecomesAnObject(t *testing.T) {
	crc := func(s string) string {
		h := crc32.NewIEEE()
		_, _ = h.Write([]byte(s))
		return base64.StdEncoding.EncodeToString(h.Sum(nil))
	}
	big := string(pattern(3 << 20))
	ownError := &storage.Error{Code: "SignatureDoesNotMatch", Status: 403}
	tests := []struct {
		name string
		body func() storage.Body
		want string
	}{
		{"ends early", func() storage.Body { return storage.Body{Reader: strings.NewReader("shor"), Size: 5} }, "IncompleteBody"},
		{"ends early with the reader's own word for it", func() storage.Body {
			return storage.Body{Reader: io.MultiReader(strings.NewReader("shor"), iotest.ErrReader(io.ErrUnexpectedEOF)), Size: 5}
		}, "IncompleteBody"},
		{"ends early after megabytes", func() storage.Body {
			return storage.Body{Reader: strings.NewReader(big[:len(big)-1]), Size: int64(len(big))}
		}, "IncompleteBody"},
		{"goes on", func() storage.Body { return storage.Body{Reader: strings.NewReader("longer"), Size: 5} }, "IncompleteBody"},
		{"fails in the middle", func() storage.Body {
			return storage.Body{Reader: io.MultiReader(strings.NewReader("abc"), iotest.ErrReader(errors.New("reset"))), Size: 5}
		}, "IncompleteBody"},
		{"fails after the last byte", func() storage.Body {
			return storage.Body{Reader: io.MultiReader(strings.NewReader("abcde"), iotest.ErrReader(ownError)), Size: 5}
		}, "SignatureDoesNotMatch"},
		{"times out", func() storage.Body {
			return storage.Body{Reader: iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader("abcde"))), Size: 5}
		}, "IncompleteBody"},
		{"is not what Content-MD5 says", func() storage.Body {
			return storage.Body{Reader: strings.NewReader("abcde"), Size: 5, ContentMD5: make([]byte, 16)}
		}, "BadDigest"},
		{"has an MD5 that is none", func() storage.Body {
			return storage.Body{Reader: strings.NewReader("abcde"), Size: 5, ContentMD5: []byte("short")}
		}, "InvalidDigest"},
		{"is not what the checksum says", func() storage.Body {
			return storage.Body{Reader: strings.NewReader("abcde"), Size: 5, Checksum: storage.Checksum{Algorithm: storage.CRC32, Value: crc("abcdf")}}
		}, "BadDigest"},
		{"has a checksum that is none", func() storage.Body {
			return storage.Body{Reader: strings.NewReader("abcde"), Size: 5, Checksum: storage.Checksum{Algorithm: storage.SHA256, Value: crc("abcde")}}
		}, "InvalidRequest"},
		{"has a checksum of no algorithm", func() storage.Body {
			return storage.Body{Reader: strings.NewReader("abcde"), Size: 5, Checksum: storage.Checksum{Algorithm: "CRC16"}}
		}, "InvalidRequest"},
		{"is not what the trailer says", func() storage.Body {
			return storage.Body{Reader: strings.NewReader("abcde"), Size: 5, Checksum: storage.Checksum{Algorithm: storage.CRC32}, Trailer: func() (string, error) { return crc("abcdf"), nil }}
		}, "BadDigest"},
		{"has a trailer that fails", func() storage.Body {
			return storage.Body{Reader: strings.NewReader("abcde"), Size: 5, Checksum: storage.Checksum{Algorithm: storage.CRC32}, Trailer: func() (string, error) { return "", ownError }}
		}, "SignatureDoesNotMatch"},
		{"has no length", func() storage.Body { return storage.Body{Reader: strings.NewReader("abcde"), Size: -1} }, "MissingContentLength"},
		{"is too large", func() storage.Body {
			return storage.Body{Reader: strings.NewReader("abcde"), Size: storage.MaxObjectSize + 1}
		}, "EntityTooLarge"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBucket(t)
			put(t, b, "there", "before")
			upload, err := shared.CreateMultipartUpload(t.Context(), &storage.CreateMultipartUploadInput{Bucket: b, Key: "parts"})
			if err != nil {
				t.Fatal(err)
			}
			_, err = shared.PutObject(t.Context(), &storage.PutObjectInput{Bucket: b, Key: "there", Body: tt.body()})
			wantCode(t, "PutObject", err, tt.want)
			_, err = shared.PutObject(t.Context(), &storage.PutObjectInput{Bucket: b, Key: "deep/down/new", Body: tt.body()})
			wantCode(t, "PutObject of a new key", err, tt.want)
			_, err = shared.UploadPart(t.Context(), &storage.UploadPartInput{UploadRef: storage.UploadRef{Bucket: b, Key: "parts", UploadID: upload.UploadID}, PartNumber: 1, Body: tt.body()})
			wantCode(t, "UploadPart", err, tt.want)
			if got := content(t, current(b, "there")); got != "before" {
				t.Errorf("the object holds %q", got)
			}
			list, err := shared.ListObjects(t.Context(), &storage.ListObjectsInput{Bucket: b, Delimiter: "/", MaxKeys: 10})
			if err != nil || len(list.Objects) != 1 || len(list.CommonPrefixes) != 0 {
				t.Errorf("listing = %+v, %v", list, err)
			}
			parts, err := shared.ListParts(t.Context(), &storage.ListPartsInput{UploadRef: storage.UploadRef{Bucket: b, Key: "parts", UploadID: upload.UploadID}, MaxParts: 10})
			if err != nil || len(parts.Parts) != 0 {
				t.Errorf("parts = %+v, %v", parts, err)
			}
		})
	}
}

func TestChecksums(t *testing.T) {
	b := newBucket(t)
	for _, a := range []storage.ChecksumAlgorithm{storage.CRC32, storage.CRC32C, storage.CRC64NVME, storage.SHA1, storage.SHA256, storage.SHA512, storage.MD5, storage.XXHASH64, storage.XXHASH3, storage.XXHASH128} {
		t.Run(string(a), func(t *testing.T) {
			in := &storage.PutObjectInput{Bucket: b, Key: string(a), Body: body("hello")}
			in.Body.Checksum.Algorithm = a
			out, err := shared.PutObject(t.Context(), in)
			if err != nil {
				t.Fatal(err)
			}
			if out.Checksum.Algorithm != a || out.Checksum.Type != storage.FullObject {
				t.Fatalf("checksum = %+v", out.Checksum)
			}
			in.Body = body("hello")
			in.Body.Checksum = out.Checksum
			if _, err := shared.PutObject(t.Context(), in); err != nil {
				t.Errorf("its own checksum is refused: %v", err)
			}
			in.Body = body("hallo")
			in.Body.Checksum = out.Checksum
			_, err = shared.PutObject(t.Context(), in)
			wantCode(t, "other content", err, "BadDigest")
		})
	}
	// Known answers, so that both sides are not wrong together.
	for a, want := range map[storage.ChecksumAlgorithm]string{
		storage.CRC32: "NhCmhg==", storage.CRC32C: "mnG7TA==", storage.CRC64NVME: "M3eFcAZSQlc=", storage.SHA1: "qvTGHdzF6KLavt4PO0gs2a6pQ00=",
	} {
		info, err := shared.HeadObject(t.Context(), &storage.GetObjectInput{ObjectRef: current(b, string(a)), ChecksumMode: true})
		if err != nil || info.Checksum.Value != want {
			t.Errorf("%s of hello = %+v, %v, want %s", a, info.Checksum, err, want)
		}
	}
}

func TestChecksumIsOnlyGivenWithTheWhole(t *testing.T) {
	b := newBucket(t)
	put(t, b, "k", "0123456789")
	for _, tt := range []struct {
		mode bool
		r    *storage.ByteRange
		want bool
	}{{true, nil, true}, {false, nil, false}, {true, &storage.ByteRange{First: 0, Last: 4}, false}, {true, &storage.ByteRange{First: 0, Last: 9}, true}} {
		info, err := shared.HeadObject(t.Context(), &storage.GetObjectInput{ObjectRef: current(b, "k"), ChecksumMode: tt.mode, Range: tt.r})
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Checksum.Value != ""; got != tt.want {
			t.Errorf("mode %v range %v: checksum given %v, want %v", tt.mode, tt.r, got, tt.want)
		}
	}
}

func TestRanges(t *testing.T) {
	b := newBucket(t)
	put(t, b, "ten", "0123456789")
	put(t, b, "none", "")
	tests := []struct{ key, header, want string }{
		{"ten", "", "0123456789"},
		{"ten", "bytes=0-0", "0"},
		{"ten", "bytes=2-5", "2345"},
		{"ten", "bytes=5-", "56789"},
		{"ten", "bytes=-3", "789"},
		{"ten", "bytes=-30", "0123456789"},
		{"ten", "bytes=8-100", "89"},
		{"ten", "bytes=10-", "InvalidRange"},
		{"ten", "bytes=10-12", "InvalidRange"},
		{"ten", "bytes=-0", "InvalidRange"},
		{"ten", "bytes=5-2", "0123456789"},
		{"ten", "bytes=0-1,3-4", "0123456789"},
		{"ten", "lines=0-1", "0123456789"},
		{"ten", "bytes=a-b", "0123456789"},
		{"ten", "bytes=-", "0123456789"},
		{"ten", "bytes=+1-2", "0123456789"},
		{"ten", "bytes=0-99999999999999999999", "0123456789"},
		{"none", "bytes=0-0", "InvalidRange"},
		{"none", "bytes=-1", "InvalidRange"},
		{"none", "", ""},
	}
	for _, tt := range tests {
		o, err := shared.GetObject(t.Context(), &storage.GetObjectInput{ObjectRef: current(b, tt.key), Range: storage.ParseByteRange(tt.header)})
		got := code(err)
		if err == nil {
			raw, err := io.ReadAll(o.Body)
			if err != nil {
				t.Fatal(err)
			}
			_ = o.Body.Close()
			if got = string(raw); int64(len(got)) != o.Length() {
				t.Errorf("%s %s: %d bytes, announced %d", tt.key, tt.header, len(got), o.Length())
			}
		}
		if got != tt.want {
			t.Errorf("%s %s = %q, want %q", tt.key, tt.header, got, tt.want)
		}
	}
}

func TestBodyIsAStretchOfAFile(t *testing.T) {
	b := newBucket(t)
	whole := pattern(1 << 20)
	put(t, b, "k", string(whole))
	o, err := shared.GetObject(t.Context(), &storage.GetObjectInput{ObjectRef: current(b, "k"), Range: &storage.ByteRange{First: 1000, Last: 1 << 19}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = o.Body.Close() }()
	f, ok := o.Body.(*storage.FileBody)
	if !ok {
		t.Fatalf("body is a %T", o.Body)
	}
	if _, n := f.Section(); n != o.Length() {
		t.Errorf("section has %d bytes, announced %d", n, o.Length())
	}
	// Over a real connection, where the kernel takes the file.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	go func() {
		c, err := l.Accept()
		if err == nil {
			_, _ = io.Copy(c, o.Body)
			_ = c.Close()
		}
	}()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(c)
	if err != nil || !bytes.Equal(got, whole[1000:1<<19+1]) {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
}

func TestMissing(t *testing.T) {
	b := newBucket(t)
	put(t, b, "a/b", "x")
	for _, key := range []string{"none", "a", "a/", "a/b/", "a/b/c", "none/none"} {
		if got := content(t, current(b, key)); got != "NoSuchKey" {
			t.Errorf("get %q = %q, want NoSuchKey", key, got)
		}
		if _, err := shared.DeleteObject(t.Context(), &storage.DeleteObjectInput{ObjectRef: current(b, key)}); err != nil {
			t.Errorf("delete %q: %v", key, err)
		}
	}
	if got := content(t, current("no-such-bucket", "k")); got != "NoSuchBucket" {
		t.Errorf("get = %q", got)
	}
	_, err := shared.PutObject(t.Context(), &storage.PutObjectInput{Bucket: "no-such-bucket", Key: "k", Body: body("x")})
	wantCode(t, "put", err, "NoSuchBucket")
	if err := shared.HeadBucket(t.Context(), "no-such-bucket"); code(err) != "NoSuchBucket" {
		t.Errorf("a refused write made the bucket: %v", err)
	}
	if got := content(t, current(b, "a/b")); got != "x" {
		t.Errorf("content = %q", got)
	}
}

func TestFolderObjects(t *testing.T) {
	b := newBucket(t)
	put(t, b, "f/", "")
	put(t, b, "f/x", "1")
	info, err := shared.HeadObject(t.Context(), &storage.GetObjectInput{ObjectRef: current(b, "f/")})
	if err != nil || info.Size != 0 || info.Headers.ContentType != "application/x-directory" {
		t.Errorf("head = %+v, %v", info, err)
	}
	_, err = shared.PutObject(t.Context(), &storage.PutObjectInput{Bucket: b, Key: "g/", Body: body("x")})
	wantCode(t, "content under a slash", err, "InvalidArgument")
	for _, key := range []string{"f/", "f/x"} {
		if _, err := shared.DeleteObject(t.Context(), &storage.DeleteObjectInput{ObjectRef: current(b, key)}); err != nil {
			t.Fatal(err)
		}
		if got := content(t, current(b, key)); got != "NoSuchKey" {
			t.Errorf("%q is still there: %q", key, got)
		}
	}
	if err := shared.DeleteBucket(t.Context(), b); err != nil {
		t.Errorf("an empty bucket cannot be deleted: %v", err)
	}
}

// An object is in the way of keys below it, and the other way round. Whoever may write the one must not harm the other.
func TestKeysInTheWay(t *testing.T) {
	tried := []string{newBucket(t)}
	if !shared.Beside() {
		tried = append(tried, versionedBucket(t))
	}
	for _, b := range tried {
		for _, key := range []string{"a", "d/e"} {
			in := &storage.PutObjectInput{Bucket: b, Key: key, Body: body("content"), Tags: map[string]string{"team": "red"}, Headers: storage.Headers{Metadata: map[string]string{"m": "1"}, WebsiteRedirectLocation: "/x"}}
			if _, err := shared.PutObject(t.Context(), in); err != nil {
				t.Fatal(err)
			}
		}
		for _, key := range []string{"a/", "a/b", "a/b/", "a/b/c", "d/e/", "d/e/f"} {
			_, err := shared.PutObject(t.Context(), &storage.PutObjectInput{Bucket: b, Key: key})
			wantCode(t, "put "+key, err, "InvalidRequest")
			_, err = shared.CopyObject(t.Context(), &storage.CopyObjectInput{Source: current(b, "d/e"), Bucket: b, Key: key, ReplaceTags: true})
			if err == nil {
				t.Errorf("copy to %s was let through", key)
			}
			_, err = shared.PutObjectTagging(t.Context(), current(b, key), nil)
			wantCode(t, "tags of "+key, err, "NoSuchKey")
			if _, err := shared.DeleteObject(t.Context(), &storage.DeleteObjectInput{ObjectRef: current(b, key)}); err != nil {
				t.Errorf("delete %s: %v", key, err)
			}
		}
		_, err := shared.PutObject(t.Context(), &storage.PutObjectInput{Bucket: b, Key: "d", Body: body("x")})
		wantCode(t, "put d", err, "InvalidRequest")
		if _, err := shared.DeleteObject(t.Context(), &storage.DeleteObjectInput{ObjectRef: current(b, "d")}); err != nil {
			t.Errorf("delete d: %v", err)
		}
		for _, key := range []string{"a", "d/e"} {
			info, err := shared.HeadObject(t.Context(), &storage.GetObjectInput{ObjectRef: current(b, key)})
			if err != nil || info.TagCount != 1 || info.Headers.Metadata["m"] != "1" || info.Headers.WebsiteRedirectLocation != "/x" || content(t, current(b, key)) != "content" {
				t.Errorf("%s was harmed: %+v, %v", key, info, err)
			}
		}
	}
}

func TestCannedACLs(t *testing.T) {
	for acl, want := range map[string]string{
		"": "", "private": "", "bucket-owner-full-control": "", "public-read": "AccessControlListNotSupported", "public-read-write": "AccessControlListNotSupported",
		"authenticated-read": "AccessControlListNotSupported", "bucket-owner-read": "AccessControlListNotSupported", "PRIVATE": "AccessControlListNotSupported",
	} {
		wantCode(t, acl, storage.AcceptCannedACL(acl), want)
	}
}
