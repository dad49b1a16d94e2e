package remote_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lakegate/lakegate/internal/storage"
	"github.com/lakegate/lakegate/internal/storage/remote"
	"github.com/lakegate/lakegate/internal/storage/storagetest"
)

const (
	keyID  = "AKIDGATE"
	secret = "verysecretverysecret"
)

// service is a backend that answers as a test says, and remembers what it was asked.
type service struct {
	*httptest.Server
	mu    sync.Mutex
	asked []string
	log   bytes.Buffer
}

func (s *service) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

// lockedWriter lets a log be written by several goroutines.
type lockedWriter struct {
	mu *sync.Mutex
	w  io.Writer
}

func (l lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// hostile starts a backend and mounts the bucket "red" at its place "there", under a prefix if one is given.
func hostile(t *testing.T, prefix string, answer http.HandlerFunc, change ...func(*remote.Config)) (*remote.Mount, *service) {
	t.Helper()
	s := &service{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.asked = append(s.asked, r.Method+" "+r.RequestURI)
		s.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	cfg := remote.Config{Name: "hostile", Endpoint: s.URL, AccessKeyID: keyID, SecretAccessKey: secret, HealthInterval: time.Hour}
	for _, c := range change {
		c(&cfg)
	}
	e, err := remote.Open(cfg, slog.New(slog.NewTextHandler(lockedWriter{&s.mu, &s.log}, &slog.HandlerOptions{Level: slog.LevelDebug})), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e.Mount("red", remote.Place{Bucket: "there", Prefix: prefix}), s
}

func wantCode(t *testing.T, what string, err error, want string) {
	t.Helper()
	if got := storagetest.Code(err); got != want {
		t.Errorf("%s: %q, want %q (%v)", what, got, want, err)
	}
}

// shown is what a client sees of an error.
func shown(err error) string {
	e, ok := errors.AsType[*storage.Error](err)
	if !ok {
		return err.Error()
	}
	return fmt.Sprint(e.Code, e.Message, e.Fields, e.VersionID)
}

func object(w http.ResponseWriter, body string) {
	w.Header().Set("ETag", `"0123"`)
	w.Header().Set("Last-Modified", "Mon, 23 Nov 2026 08:00:00 GMT")
	if w.Header().Get("Content-Length") == "" {
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	}
	_, _ = io.WriteString(w, body)
}

func get(m *remote.Mount, in storage.GetObjectInput) (string, error) {
	o, err := m.GetObject(context.Background(), &in)
	if err != nil {
		return "", err
	}
	defer func() { _ = o.Body.Close() }()
	text, err := io.ReadAll(o.Body)
	return string(text), err
}

// A key, a prefix and a marker are re-mapped in everything that is asked, and what would lead away is not asked at all.
func TestPlaceIsKept(t *testing.T) {
	m, s := hostile(t, "teams/red/", func(w http.ResponseWriter, r *http.Request) { http.Error(w, "", http.StatusTeapot) })
	ctx := t.Context()
	for _, key := range []string{"../blue/k", "..", "a/../../blue", "/blue", "a//b", ".", "a/./b", "a\x00", "\xff"} {
		ref := storage.ObjectRef{Key: key}
		_, err := m.GetObject(ctx, &storage.GetObjectInput{ObjectRef: ref})
		wantCode(t, "get "+key, err, "InvalidArgument")
		_, err = m.CopyObject(ctx, &storage.CopyObjectInput{Key: "k", Source: ref})
		wantCode(t, "copy from "+key, err, "InvalidArgument")
		_, err = m.UploadPartCopy(ctx, &storage.UploadPartCopyInput{UploadRef: storage.UploadRef{Key: "k", UploadID: "u"}, PartNumber: 1, Source: ref})
		wantCode(t, "part from "+key, err, "InvalidArgument")
		_, err = m.PutObjectTagging(ctx, ref, map[string]string{"a": "b"})
		wantCode(t, "tag "+key, err, "InvalidArgument")
		_, err = m.CreateMultipartUpload(ctx, &storage.CreateMultipartUploadInput{Key: key})
		wantCode(t, "begin "+key, err, "InvalidArgument")
		wantCode(t, "hold "+key, m.PutObjectLegalHold(ctx, ref, true), "InvalidArgument")
	}
	long := strings.Repeat("k", 1024)
	_, err := m.GetObject(ctx, &storage.GetObjectInput{ObjectRef: storage.ObjectRef{Key: long}})
	wantCode(t, "a key that is too long there", err, "KeyTooLongError")
	for _, prefix := range []string{"../", "../blue/", "a/../../blue/", "/", "a//"} {
		if out, err := m.ListObjectsV2(ctx, &storage.ListObjectsV2Input{Prefix: prefix, MaxKeys: 10}); err != nil || len(out.Objects) != 0 {
			t.Errorf("list %q: %+v, %v", prefix, out, err)
		}
	}
	if asked := s.requests(); len(asked) > 0 {
		t.Fatalf("the backend was asked %q", asked)
	}
	_, _ = m.GetObject(ctx, &storage.GetObjectInput{ObjectRef: storage.ObjectRef{Key: "a%2e%2e/b?versionId=x#y", VersionID: "v&uploads"}})
	_, _ = m.DeleteObject(ctx, &storage.DeleteObjectInput{ObjectRef: storage.ObjectRef{Key: "k?tagging"}})
	_, _ = m.ListObjects(ctx, &storage.ListObjectsInput{Prefix: "p&x=y", Marker: "m", MaxKeys: 10})
	_, _ = m.ListObjectVersions(ctx, &storage.ListObjectVersionsInput{KeyMarker: "m", MaxKeys: 10})
	_, _ = m.AbortMultipartUpload(ctx, storage.UploadRef{Key: "k", UploadID: "u&acl"}), error(nil)
	want := []string{
		"GET /there/teams/red/a%252e%252e/b%3FversionId%3Dx%23y?versionId=v%26uploads",
		"DELETE /there/teams/red/k%3Ftagging",
		"GET /there?encoding-type=url&max-keys=10&prefix=teams%2Fred%2Fp%26x%3Dy&marker=teams%2Fred%2Fm",
		"GET /there?encoding-type=url&max-keys=10&prefix=teams%2Fred%2F&versions=&key-marker=teams%2Fred%2Fm",
		"DELETE /there/teams/red/k?uploadId=u%26acl",
	}
	if got := s.requests(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("asked\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

const page = `<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><IsTruncated>%s</IsTruncated>%s</ListBucketResult>`

func entry(key string) string {
	return `<Contents><Key>` + key + `</Key><LastModified>2026-11-23T08:00:00.000Z</LastModified><ETag>"0"</ETag><Size>1</Size></Contents>`
}

// A listing that names what was not asked for, or cannot be read, is no answer.
func TestListingsThatLie(t *testing.T) {
	for name, body := range map[string]string{
		"outside the mount":     fmt.Sprintf(page, "false", entry("teams/blue/secret")),
		"outside the prefix":    fmt.Sprintf(page, "false", entry("teams/red/b/secret")),
		"common prefix outside": fmt.Sprintf(page, "false", "<CommonPrefixes><Prefix>teams/</Prefix></CommonPrefixes>"),
		"encoded outside":       fmt.Sprintf(page, "false", "<EncodingType>url</EncodingType>"+entry("teams%2Fblue%2Fsecret")),
		"too many":              fmt.Sprintf(page, "false", strings.Repeat(entry("teams/red/a/k"), 11)),
		"goes on at nothing":    fmt.Sprintf(page, "true", ""),
		"not closed":            `<ListBucketResult><Contents><Key>teams/red/a/k`,
		"no listing":            `<html><body>welcome</body></html>`,
		"an entity":             `<!DOCTYPE x [<!ENTITY a "aaaa">]><ListBucketResult><Contents><Key>&a;</Key></Contents></ListBucketResult>`,
		"an unknown entity":     fmt.Sprintf(page, "false", entry("teams/red/a/&lol;")),
		"deep":                  `<ListBucketResult>` + strings.Repeat("<a>", 100000),
		"negative size":         fmt.Sprintf(page, "false", `<Contents><Key>teams/red/a/k</Key><LastModified>2026-11-23T08:00:00.000Z</LastModified><ETag>"0"</ETag><Size>-1</Size></Contents>`),
		"no date":               fmt.Sprintf(page, "false", `<Contents><Key>teams/red/a/k</Key><LastModified>now</LastModified><ETag>"0"</ETag><Size>1</Size></Contents>`),
		"no tag":                fmt.Sprintf(page, "false", `<Contents><Key>teams/red/a/k</Key><LastModified>2026-11-23T08:00:00.000Z</LastModified><Size>1</Size></Contents>`),
		"empty":                 "",
		"success that fails":    `<Error><Code>InternalError</Code></Error>`,
		"huge":                  fmt.Sprintf(page, "false", "<Name>"+strings.Repeat("x", 9<<20)+"</Name>"),
	} {
		m, _ := hostile(t, "teams/red/", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) })
		out, err := m.ListObjectsV2(t.Context(), &storage.ListObjectsV2Input{Prefix: "a/", MaxKeys: 10})
		wantCode(t, name, err, "InternalError")
		if out != nil {
			t.Errorf("%s: %+v", name, out)
		}
		if err != nil && strings.Contains(shown(err), "secret") {
			t.Errorf("%s: the client sees %s", name, shown(err))
		}
	}
}

// The mount's own prefix may be an object there; it has no key here.
func TestPrefixItselfIsNoKey(t *testing.T) {
	m, _ := hostile(t, "teams/red/", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, page, "false", entry("teams/red/")+entry("teams/red/k"))
	})
	out, err := m.ListObjectsV2(t.Context(), &storage.ListObjectsV2Input{MaxKeys: 10})
	if err != nil || len(out.Objects) != 1 || out.Objects[0].Key != "k" {
		t.Errorf("%+v, %v", out, err)
	}
}

// Objects whose answer contradicts itself or the question are not passed on.
func TestObjectsThatLie(t *testing.T) {
	part := func(span, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("ETag", `"0"`)
			w.Header().Set("Last-Modified", "Mon, 23 Nov 2026 08:00:00 GMT")
			w.Header().Set("Content-Range", span)
			w.WriteHeader(http.StatusPartialContent)
			_, _ = io.WriteString(w, body)
		}
	}
	r := &storage.ByteRange{First: 2, Last: 4}
	for name, tt := range map[string]struct {
		answer http.HandlerFunc
		in     storage.GetObjectInput
	}{
		"another part":      {part("bytes 0-2/10", "012"), storage.GetObjectInput{Range: r}},
		"longer than said":  {part("bytes 2-4/10", "2345"), storage.GetObjectInput{Range: r}},
		"no range":          {part("", "234"), storage.GetObjectInput{Range: r}},
		"nonsense":          {part("bytes 4-2/10", "234"), storage.GetObjectInput{Range: r}},
		"beyond its size":   {part("bytes 2-4/3", "234"), storage.GetObjectInput{Range: r}},
		"a part of a whole": {part("bytes 2-4/10", "234"), storage.GetObjectInput{}},
		"another suffix":    {part("bytes 2-4/10", "234"), storage.GetObjectInput{Range: &storage.ByteRange{First: -1, Last: 3}}},
		"no tag": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Last-Modified", "Mon, 23 Nov 2026 08:00:00 GMT")
		}, storage.GetObjectInput{}},
		"no date": {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("ETag", `"0"`) }, storage.GetObjectInput{}},
		"no length": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("ETag", `"0"`)
			w.Header().Set("Last-Modified", "Mon, 23 Nov 2026 08:00:00 GMT")
			w.(http.Flusher).Flush()
			_, _ = io.WriteString(w, "y")
		}, storage.GetObjectInput{}},
		"created": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("ETag", `"0"`)
			w.WriteHeader(http.StatusCreated)
		}, storage.GetObjectInput{}},
		"too many headers": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Amz-Meta-A", strings.Repeat("x", 128<<10))
			object(w, "x")
		}, storage.GetObjectInput{}},
		"tag with a newline": {func(w http.ResponseWriter, _ *http.Request) { object(w, "x"); w.Header().Set("ETag", "\"a b\"") }, storage.GetObjectInput{}},
	} {
		if name == "tag with a newline" {
			tt.answer = func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("ETag", `"a b"`)
				w.Header().Set("Last-Modified", "Mon, 23 Nov 2026 08:00:00 GMT")
				_, _ = io.WriteString(w, "x")
			}
		}
		m, _ := hostile(t, "", tt.answer)
		tt.in.Key = "k"
		text, err := get(m, tt.in)
		if c := storagetest.Code(err); c != "InternalError" && c != "ServiceUnavailable" {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
}

// raw answers each connection with a text and closes it.
func raw(t *testing.T, text string) *remote.Mount {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 64<<10))
			_, _ = io.WriteString(c, text)
			_ = c.Close()
		}
	}()
	e, err := remote.Open(remote.Config{Name: "raw", Endpoint: "http://" + l.Addr().String(), AccessKeyID: keyID, SecretAccessKey: secret, HealthInterval: time.Hour}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e.Mount("red", remote.Place{Bucket: "there"})
}

const head = "HTTP/1.1 200 OK\r\nETag: \"0\"\r\nLast-Modified: Mon, 23 Nov 2026 08:00:00 GMT\r\n"

func TestBrokenProtocol(t *testing.T) {
	m := raw(t, head+"Content-Length: 10\r\n\r\n0123")
	if text, err := get(m, storage.GetObjectInput{ObjectRef: storage.ObjectRef{Key: "k"}}); err == nil {
		t.Errorf("a body that is too short came as %q without an error", text)
	}
	m = raw(t, head+"Content-Length: 4\r\n\r\n0123456789")
	if text, err := get(m, storage.GetObjectInput{ObjectRef: storage.ObjectRef{Key: "k"}}); text != "0123" || err != nil {
		t.Errorf("a body that is too long: %q, %v", text, err)
	}
	for name, text := range map[string]string{
		"nothing": "", "no HTTP": "SSH-2.0-OpenSSH\r\n", "two lengths": head + "Content-Length: 4\r\nContent-Length: 5\r\n\r\n0123",
		"negative length": head + "Content-Length: -4\r\n\r\n0123", "no end of headers": head + strings.Repeat("X: y\r\n", 100),
		"endless headers": head + strings.Repeat("X-Amz-Meta-A: "+strings.Repeat("y", 1000)+"\r\n", 200),
	} {
		_, err := get(raw(t, text), storage.GetObjectInput{ObjectRef: storage.ObjectRef{Key: "k"}})
		wantCode(t, name, err, "ServiceUnavailable")
	}
}

// A redirect is never followed: the request carries a signature, and the answer would be anybody's.
func TestRedirects(t *testing.T) {
	var stolen atomic.Int64
	thief := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { stolen.Add(1); object(w, "evil") }))
	defer thief.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		m, s := hostile(t, "", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", thief.URL+r.URL.Path)
			w.WriteHeader(status)
		})
		_, err := get(m, storage.GetObjectInput{ObjectRef: storage.ObjectRef{Key: "k"}})
		wantCode(t, fmt.Sprint(status), err, "InternalError")
		_, err = m.PutObject(t.Context(), &storage.PutObjectInput{Key: "k", Body: storagetest.Body("x")})
		wantCode(t, fmt.Sprint(status), err, "InternalError")
		if n := len(s.requests()); n != 2 {
			t.Errorf("%d: asked %d times", status, n)
		}
	}
	if stolen.Load() > 0 {
		t.Error("a redirect was followed")
	}
}

// What a service says in an error may quote our key, its bucket and its host. Nothing of that reaches a client, and no
// credential a log.
func TestErrorsLeakNothing(t *testing.T) {
	for _, answered := range []string{"SignatureDoesNotMatch", "InvalidAccessKeyId", "AccessDenied", "NoSuchKey", "NoSuchBucket", "InvalidRequest", "InvalidArgument", "InternalError", "RequestTimeTooSkewed", "Teapot", "<script>"} {
		m, s := hostile(t, "teams/red/", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Amz-Request-Id", "internal-id")
			w.WriteHeader(http.StatusForbidden)
			_, _ = fmt.Fprintf(w, `<Error><Code>%s</Code><Message>key %s secret of there at internal.example %s</Message><AWSAccessKeyId>%s</AWSAccessKeyId><BucketName>there</BucketName><Resource>%s</Resource><StringToSign>x</StringToSign></Error>`,
				answered, keyID, r.Header.Get("Authorization"), keyID, r.URL.Path)
		})
		_, err := get(m, storage.GetObjectInput{ObjectRef: storage.ObjectRef{Key: "k"}})
		if err == nil {
			t.Fatal("no error")
		}
		for _, hidden := range []string{keyID, secret, "there", "teams", "internal", "Signature", "hostile", s.URL} {
			if strings.Contains(shown(err), hidden) && !strings.Contains("We encountered an internal error. Please try again.InternalError", hidden) {
				t.Errorf("%s: the client sees %q in %q", answered, hidden, shown(err))
			}
		}
		s.mu.Lock()
		for _, hidden := range []string{keyID, secret, "StringToSign", "Credential="} {
			if strings.Contains(s.log.String(), hidden) || strings.Contains(err.Error(), hidden) {
				t.Errorf("%s: the log has %q: %s / %v", answered, hidden, s.log.String(), err)
			}
		}
		s.mu.Unlock()
	}
	cfg := remote.Config{Name: "x", Endpoint: "http://h", AccessKeyID: keyID, SecretAccessKey: secret, ClientKey: "PRIVATE", SessionToken: "TOKEN"}
	for _, text := range []string{fmt.Sprint(cfg), fmt.Sprintf("%+v %#v", cfg, cfg), cfg.LogValue().String()} {
		if strings.Contains(text, secret) || strings.Contains(text, "PRIVATE") || strings.Contains(text, "TOKEN") {
			t.Errorf("the configuration prints as %s", text)
		}
	}
}

// The token of a service may tell where the bucket is; a client's token may come from another bucket.
func TestTokensOfListings(t *testing.T) {
	var got string
	m, _ := hostile(t, "teams/red/", func(w http.ResponseWriter, r *http.Request) {
		got = r.URL.Query().Get("continuation-token")
		_, _ = fmt.Fprintf(w, page, "true", entry("teams/red/k")+"<NextContinuationToken>teams/red/k in there</NextContinuationToken>")
	})
	out, err := m.ListObjectsV2(t.Context(), &storage.ListObjectsV2Input{MaxKeys: 1})
	if err != nil {
		t.Fatal(err)
	}
	token := out.NextContinuationToken
	if _, err = m.ListObjectsV2(t.Context(), &storage.ListObjectsV2Input{MaxKeys: 1, ContinuationToken: token}); err != nil || got != "teams/red/k in there" {
		t.Errorf("the service got %q, %v", got, err)
	}
	other := m.Endpoint().Mount("blue", remote.Place{Bucket: "there", Prefix: "teams/blue/"})
	_, err = other.ListObjectsV2(t.Context(), &storage.ListObjectsV2Input{MaxKeys: 1, ContinuationToken: token})
	wantCode(t, "a token of another bucket", err, "InvalidArgument")
	_, err = m.ListObjectsV2(t.Context(), &storage.ListObjectsV2Input{MaxKeys: 1, ContinuationToken: "teams/red/k"})
	wantCode(t, "a token of the client's making", err, "InvalidArgument")
	if strings.Contains(token, "teams") || strings.Contains(token, "there") {
		t.Errorf("the token is %s", token)
	}
}

// A service that reports success before it has read the content may not have it.
func TestSuccessBeforeTheContent(t *testing.T) {
	m, _ := hostile(t, "", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("ETag", `"0"`)
		w.Header().Set("Connection", "close")
	})
	_, err := m.PutObject(t.Context(), &storage.PutObjectInput{Key: "k", Body: storage.Body{Reader: io.LimitReader(zeros{}, 256<<20), Size: 256 << 20, ContentMD5: make([]byte, 16)}})
	if err == nil {
		t.Error("an upload of which the service has a part is a success")
	}
}

// Headers that would end one header and begin another do not get through.
func TestHeadersAreNotSplit(t *testing.T) {
	m, s := hostile(t, "", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("ETag", `"0"`) })
	for name, h := range map[string]storage.Headers{
		"value":   {ContentType: "a\r\nX-Amz-Acl: public-read"},
		"meta":    {Metadata: map[string]string{"a": "b\nc"}},
		"name":    {Metadata: map[string]string{"a\r\nX-Amz-Acl": "public-read"}},
		"no name": {Metadata: map[string]string{"": "x"}},
		"colon":   {Metadata: map[string]string{"a: b": "x"}},
	} {
		_, err := m.PutObject(t.Context(), &storage.PutObjectInput{Key: "k", Body: storagetest.Body("x"), Headers: h})
		wantCode(t, name, err, "InvalidArgument")
	}
	_, err := m.DeleteObject(t.Context(), &storage.DeleteObjectInput{ObjectRef: storage.ObjectRef{Key: "k"}, IfMatch: "\"a\"\r\nX-Amz-Mfa: 1"})
	wantCode(t, "condition", err, "InvalidArgument")
	if asked := s.requests(); len(asked) > 0 {
		t.Errorf("the service was asked %q", asked)
	}
}

// Through a bucket that is a part of one there, nothing is changed that concerns the others in it.
func TestSharedBuckets(t *testing.T) {
	m, s := hostile(t, "teams/red/", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	wantCode(t, "versioning", m.PutBucketVersioning(t.Context(), storage.Suspended), "InvalidBucketState")
	wantCode(t, "object lock", m.PutObjectLockConfiguration(t.Context(), "red", storage.LockConfiguration{}), "InvalidBucketState")
	if asked := s.requests(); len(asked) > 0 {
		t.Errorf("the service was asked %q", asked)
	}
}
