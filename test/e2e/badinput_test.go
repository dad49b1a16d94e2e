package e2e

import (
	"crypto/md5" //nolint:gosec // Content-MD5
	"crypto/sha256"
	"encoding/base64"
	bigendian "encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// TestBadInputReachesNoBackend asks a gate for what it must not pass on, with good signatures, and holds the answer and that
// nothing reached the backend. The attacker holds a READWRITE grant on lake's red/; blue/ and the bucket other are not theirs.
func TestBadInputReachesNoBackend(t *testing.T) {
	gate, _ := tenants(t, "{}\n")
	w := newWitness(t)
	gate.backend("witness", w.endpoint, "AKID", "secretsecret", "--checksums", "gate") // it verifies nothing itself
	for _, b := range []string{"lake", "other"} {
		gate.lakegate("bucket", "attach", b, "--dir", gate.dir, "--backend", "witness")
	}
	holder := &attacker{t: t, address: gate.API, key: granted(gate, "lake")}
	b := &badInput{gate, w, holder}
	t.Run("control", b.control)
	t.Run("paths", b.paths)
	t.Run("headers", b.headers)
	t.Run("smuggling", b.smuggling)
	t.Run("contents", b.contents)
	t.Run("rights", b.rights)
	t.Run("forms", b.forms)
	t.Run("control again", b.control)
}

type badInput struct {
	gate   *process
	w      *witness
	holder *attacker
}

// answered holds the answer to a request.
func (b *badInput) answered(t *testing.T, text string, hangUp bool, want string) {
	t.Helper()
	a := *b.holder
	a.t = t
	status, code := a.ask(text, hangUp)
	if got := strings.TrimSpace(fmt.Sprint(status, " ", code)); got != want {
		t.Errorf("answered %s, want %s", got, want)
	}
}

// refused holds the answer to a request, and that the backend saw nothing of it.
func (b *badInput) refused(t *testing.T, text string, hangUp bool, want string) {
	t.Helper()
	before, _ := b.w.seen(t)
	b.answered(t, text, hangUp, want)
	if after, _ := b.w.seen(t); len(after) != len(before) {
		t.Errorf("the backend saw %q", after[len(before):])
	}
}

// broken is refused for a request whose content turns out to be bad while it is passed on: the backend never saw all of it.
func (b *badInput) broken(t *testing.T, text string, hangUp bool, want string) {
	t.Helper()
	_, before := b.w.seen(t)
	b.answered(t, text, hangUp, want)
	if lines, after := b.w.seen(t); after != before {
		t.Errorf("the backend has all of %q", lines[len(lines)-1])
	}
}

func (b *badInput) head(method, target string, headers ...string) string {
	text, _ := b.holder.head(method, target, unsignedPayload, headers...)
	return text
}

// control holds that good requests of the same make do reach the backend, and as what: else the others show nothing.
func (b *badInput) control(t *testing.T) {
	for _, c := range []struct{ method, target, headers, want string }{
		{"GET", "/lake/red/a", "", "GET /lake/red/a"},
		{"HEAD", "/lake/red/a", "", "HEAD /lake/red/a"},
		{"DELETE", "/lake/red/a", "", "DELETE /lake/red/a"},
		{"PUT", "/lake/red/a", "Content-Length: 0\r\n", "PUT /lake/red/a"},
		// What looks like a trick and is a key.
		{"GET", "/lake/red/%252e%252e/blue/a", "", "GET /lake/red/%252e%252e/blue/a"},
		{"GET", "/lake/red/..%252fblue", "", "GET /lake/red/..%252fblue"},
		{"GET", "/lake/red%2Fa", "", "GET /lake/red/a"},
		{"GET", "/lake%2Fred/a", "", "GET /lake/red/a"}, // it is decoded once, before the bucket is told from the key
		{"GET", "/lake/red/..%5Cblue", "", "GET /lake/red/..%5Cblue"},
		{"GET", "/lake/red/a%0D%0AX-Amz-Acl%3A%20public-read", "", "GET /lake/red/a%0D%0AX-Amz-Acl%3A%20public-read"},
		{"GET", "/lake/red/a%3Facl", "", "GET /lake/red/a%3Facl"},
		{"GET", "/lake/red/a%23b", "", "GET /lake/red/a%23b"},
		{"GET", "/lake/red/...", "", "GET /lake/red/..."},
		// Headers that some proxies obey mean nothing here, and go nowhere.
		{"GET", "/lake/red/a", "X-HTTP-Method-Override: DELETE\r\nX-Original-URL: /other/a\r\nX-Rewrite-URL: /other/a\r\nForwarded: host=other\r\nX-Forwarded-Host: other\r\n", "GET /lake/red/a"},
		{"GET", "/lake/red/a", "Connection: authorization, x-amz-date, close\r\n", "GET /lake/red/a"},
	} {
		t.Run(c.method+" "+c.target, func(t *testing.T) {
			before, _ := b.w.seen(t)
			a := *b.holder
			a.t = t
			status, code := a.ask(b.head(c.method, c.target)+c.headers+"\r\n", false)
			if status != 200 && status != 204 {
				t.Errorf("answered %d %s", status, code)
			}
			after, _ := b.w.seen(t)
			got := after[len(before):]
			for i := range got {
				got[i], _, _ = strings.Cut(got[i], "?x-id=")
			}
			if !slices.Equal(got, []string{c.want}) {
				t.Errorf("the backend saw %q, want %s", got, c.want)
			}
			for _, name := range []string{"X-Http-Method-Override", "X-Original-Url", "X-Rewrite-Url", "Forwarded", "X-Forwarded-Host", "X-Amz-Security-Token"} {
				if b.w.last.Get(name) != "" {
					t.Errorf("the backend was sent %s", name)
				}
			}
			if strings.Contains(b.w.last.Get("Authorization"), b.holder.key.AccessKeyId) {
				t.Error("the backend was sent the client's authorisation")
			}
		})
	}
}

func (b *badInput) paths(t *testing.T) {
	const argument, uri = "400 InvalidArgument", "400 InvalidURI"
	for target, want := range map[string]string{
		"//lake/red/a":                             "400 InvalidBucketName",
		"/lake//red/a":                             argument,
		"/lake/red//a":                             argument,
		"/lake/red/a//":                            argument,
		"/lake/./red/a":                            argument,
		"/lake/red/./a":                            argument,
		"/lake/red/a/.":                            argument,
		"/./lake/red/a":                            "400 InvalidBucketName",
		"/../lake/red/a":                           "400 InvalidBucketName",
		"/..":                                      "400 InvalidBucketName",
		"/lake/..":                                 argument,
		"/lake/red/..":                             argument,
		"/lake/red/../blue/a":                      argument,
		"/lake/red/../../other/a":                  argument,
		"/lake/red/%2e%2e/blue/a":                  argument,
		"/lake/red/%2E./blue/a":                    argument,
		"/lake/red/.%2e/blue/a":                    argument,
		"/lake/red/..%2Fblue/a":                    argument,
		"/lake/red/%2e%2e%2fblue%2fa":              argument,
		"/lake/red%2F..%2Fblue%2Fa":                argument,
		"/lake%2F..%2Fother/a":                     argument,
		"/lake%00/red/a":                           "400 InvalidBucketName",
		"/LAKE/red/a":                              "400 InvalidBucketName",
		"/lake/red/a%00":                           argument,
		"/lake/red/a%00.csv":                       argument,
		"/lake/red/%ff":                            argument,
		"/lake/red/%c0%ae%c0%ae/blue/a":            argument, // ".." in too many bytes
		"/lake/red/%ed%a0%80":                      argument, // half of a surrogate pair
		"/lake/red/%zz":                            "400",
		"/lake/red/%2":                             "400",
		"/lake/red/" + strings.Repeat("a", 1021):   "400 KeyTooLongError",
		"/lake/red/" + strings.Repeat("a/", 600):   "400 KeyTooLongError",
		"/lake/red/" + strings.Repeat("%61", 1021): "400 KeyTooLongError",
		"/lake/red/" + strings.Repeat("a", 70<<10): "431",
		"/lake/red/a?versionId=%ff":                uri,
		"/lake/red/a?versionId=%00":                uri,
		"/lake/red/a?acl&tagging":                  argument,
		"/lake/red/a?ACL":                          "501 NotImplemented",
		"/lake?prefix=red/&prefix=blue/":           argument,
		"http://other.example/other/a":             "403 SignatureDoesNotMatch",
	} {
		for _, method := range []string{"GET", "PUT", "DELETE"} {
			if strings.Contains(target, "?") && method != "GET" {
				continue
			}
			name := method + " " + target
			t.Run(name[:min(len(name), 60)], func(t *testing.T) {
				b.refused(t, b.head(method, target)+"Content-Length: 0\r\n\r\n", false, want)
			})
		}
	}
	// A source is a path too.
	for source, want := range map[string]string{
		"lake/red/../blue/a": argument, "lake/red/%2e%2e/blue/a": argument, "lake/red%2F..%2Fblue%2Fa": argument, "lake//red/a": argument, "lake/red/%00": argument, "lake/%ff": argument,
		"../lake/red/a": argument, "arn:aws:s3:::lake/red/a": argument, "lake/red/a?versionId=1&versionId=2": argument, "lake/red/a?acl": argument,
		"lake/red/%252e%252e/../../blue": argument,
	} {
		t.Run("copy of "+source, func(t *testing.T) {
			b.refused(t, b.head("PUT", "/lake/red/copy", "X-Amz-Copy-Source: "+source)+"Content-Length: 0\r\n\r\n", false, want)
		})
	}
}

func (b *badInput) headers(t *testing.T) {
	put := func(headers ...string) string {
		return b.head("PUT", "/lake/red/a", headers...) + "Content-Length: 0\r\n"
	}
	get := func(headers ...string) string { return b.head("GET", "/lake/red/a", headers...) }
	other, _ := (&attacker{t: t, address: b.gate.API, key: credentials{AccessKeyId: "AKIAAAAAAAAAAAAAAAAA", SecretAccessKey: "x"}}).head("GET", "/lake/red/a", unsignedPayload)
	_, second, _ := strings.Cut(other, "Authorization: ")
	second, _, _ = strings.Cut(second, "\r\n")
	date := "X-Amz-Date: 20200101T000000Z\r\n"
	const argument = "400 InvalidArgument"
	for name, c := range map[string]struct{ text, want string }{
		"two hosts":                           {get() + "Host: other.localhost\r\n", "400"},
		"a host that is a path":               {strings.Replace(get(), "Host: ", "Host: a/../", 1), "400"},
		"another host than signed":            {strings.Replace(get(), "Host: ", "Host: lake.", 1), "403 SignatureDoesNotMatch"},
		"two authorisations":                  {get() + "Authorization: " + second + "\r\n", argument},
		"a header and a query of signatures":  {strings.Replace(get(), "/lake/red/a HTTP", "/lake/red/a?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=x HTTP", 1), argument},
		"two dates":                           {get() + date, "400 AuthorizationHeaderMalformed"},
		"two payloads":                        {get("X-Amz-Content-Sha256: " + signedChunks), argument},
		"two session tokens":                  {get() + "X-Amz-Security-Token: x\r\n", "400 AuthorizationHeaderMalformed"},
		"a header that is not signed":         {put() + "X-Amz-Acl: public-read\r\n", "403 AccessDenied"},
		"metadata that is not signed":         {put() + "X-Amz-Meta-A: b\r\n", "403 AccessDenied"},
		"a source that is not signed":         {put() + "X-Amz-Copy-Source: lake/red/b\r\n", "403 AccessDenied"},
		"two sources":                         {put("X-Amz-Copy-Source: lake/red/b", "X-Amz-Copy-Source: lake/blue/b"), argument},
		"two ACLs":                            {put("X-Amz-Acl: private", "X-Amz-Acl: public-read"), argument},
		"an ACL and grants":                   {put("X-Amz-Acl: private", "X-Amz-Grant-Read: id=a"), "400 InvalidRequest"},
		"an ACL in the URL and beside":        {b.head("PUT", "/lake/red/a?x-amz-acl=public-read", "X-Amz-Acl: private") + "Content-Length: 0\r\n", argument},
		"two owners":                          {get("X-Amz-Expected-Bucket-Owner: 111111111111", "X-Amz-Expected-Bucket-Owner: 222222222222"), argument},
		"two ranges":                          {get("Range: bytes=0-1", "Range: bytes=2-3"), argument},
		"two kinds of checksum":               {put("X-Amz-Checksum-Crc32: AAAAAA==", "X-Amz-Checksum-Sha1: 2jmj7l5rSw0yVb/vlWAYkK/YBwk="), "400 InvalidRequest"},
		"an unknown header":                   {put("X-Amz-Write-Offset-Bytes: 1"), "501 NotImplemented"},
		"a source for what is no copy":        {get("X-Amz-Copy-Source: other/a"), argument},
		"a line that goes on":                 {put() + "X-Amz-Acl:\r\n public-read\r\n", "403 AccessDenied"},
		"a space before the colon":            {get() + "X-Amz-Acl : public-read\r\n", "400"},
		"a line break that is none":           {get() + "X-Other: a\rX-Amz-Acl: public-read\r\n", "400"},
		"a NUL":                               {get() + "X-Other: a\x00b\r\n", "400"},
		"a name of another alphabet":          {get() + "X-\xc3\xa9: b\r\n", "400"},
		"more headers than fit":               {get() + strings.Repeat("X-Other: "+strings.Repeat("a", 1000)+"\r\n", 80), "431"},
		"an unknown transfer encoding":        {put() + "Transfer-Encoding: gzip\r\n", "501"},
		"an expectation that nobody can meet": {put() + "Expect: 200-ok\r\n", "417"},
		"a date long ago":                     {(&attacker{t: t, address: b.gate.API, key: b.holder.key, at: b.holder.at.AddDate(0, 0, -1)}).text("GET", "/lake/red/a"), "403 RequestTimeTooSkewed"},
	} {
		t.Run(name, func(t *testing.T) { b.refused(t, c.text+"\r\n", false, c.want) })
	}
}

func (a *attacker) text(method, target string, headers ...string) string {
	text, _ := a.head(method, target, unsignedPayload, headers...)
	return text
}

func (b *badInput) smuggling(t *testing.T) {
	put := func() string { return b.head("PUT", "/lake/red/a") }
	// What would be a request of its own if anybody took the ends of the first one for another place. It is well signed.
	hidden := b.head("DELETE", "/lake/blue/a") + "\r\n"
	length := fmt.Sprintf("Content-Length: %d\r\n", len(hidden))
	chunks := "Transfer-Encoding: chunked\r\n"
	for name, c := range map[string]struct{ text, want string }{
		"both lengths":                    {put() + "Content-Length: 6\r\n" + chunks + "\r\n0\r\n\r\n" + hidden, "411 MissingContentLength"},
		"both lengths, the other way":     {put() + chunks + length + "\r\n0\r\n\r\n" + hidden, "411 MissingContentLength"},
		"chunks":                          {put() + chunks + "\r\n5\r\nhello\r\n0\r\n\r\n", "411 MissingContentLength"},
		"chunks of chunks":                {put() + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n" + hidden, "501"},
		"chunks twice":                    {put() + chunks + chunks + "\r\n0\r\n\r\n" + hidden, "501"},
		"chunks, or else":                 {put() + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + hidden, "501"},
		"chunks of another name":          {put() + "Content-Length: 0\r\nTransfer-Encoding: xchunked\r\n\r\n" + hidden, "501"},
		"chunks after a tab":              {put() + "Content-Length: 0\r\nTransfer-Encoding: \x0bchunked\r\n\r\n" + hidden, "400"},
		"chunks of HTTP/1.0":              {strings.Replace(put(), "HTTP/1.1", "HTTP/1.0", 1) + chunks + "\r\n0\r\n\r\n" + hidden, "411 MissingContentLength"},
		"two lengths":                     {put() + "Content-Length: 0\r\n" + length + "\r\n" + hidden, "400"},
		"a list of lengths":               {put() + "Content-Length: 0, 5\r\n\r\nhello", "400"},
		"a length with a sign":            {put() + "Content-Length: +5\r\n\r\nhello", "400"},
		"a negative length":               {put() + "Content-Length: -1\r\n\r\n", "400"},
		"a length of base 16":             {put() + "Content-Length: 0x5\r\n\r\nhello", "400"},
		"a length beyond numbers":         {put() + "Content-Length: 18446744073709551616\r\n\r\n", "400"},
		"no length":                       {put() + "\r\n", "411 MissingContentLength"},
		"a length beyond objects":         {put() + "Content-Length: 5497558138881\r\n\r\n", "400 EntityTooLarge"},
		"a request line of two":           {"GET /lake/red/a HTTP/1.1\r\n" + put() + "\r\n", "400"},
		"a request line with more":        {strings.Replace(put(), " HTTP/1.1", " HTTP/1.1 HTTP/1.1", 1) + "\r\n", "400"},
		"a target with a space":           {strings.Replace(put(), "red/a", "red/a b", 1) + "\r\n", "400"},
		"HTTP/2 in the clear":             {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "400 InvalidURI"},
		"a change of protocol is ignored": {b.head("PATCH", "/lake/red/a") + "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n", "405 MethodNotAllowed"},
	} {
		t.Run(name, func(t *testing.T) { b.refused(t, c.text, false, c.want) })
	}
	// As botocore uploads over TLS: chunks of S3 within chunks of HTTP, whose length S3's header says.
	t.Run("the chunks of S3 within those of HTTP are an upload", func(t *testing.T) {
		text, _ := b.holder.head("PUT", "/lake/red/a", unsignedTrailing, "Content-Encoding: aws-chunked", "X-Amz-Decoded-Content-Length: 5", "X-Amz-Trailer: x-amz-checksum-crc32")
		inner := "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"
		if status, code := b.holder.ask(text+chunks+fmt.Sprintf("\r\n%x\r\n%s\r\n0\r\n\r\n", len(inner), inner), false); status != 200 {
			t.Errorf("answered %d %s", status, code)
		}
	})
	for name, text := range map[string]string{
		"a content of a read": b.head("GET", "/lake/red/a") + length + "\r\n" + hidden,
		// To HTTP/1.0 the encoding says nothing; to a proxy in front it may.
		"chunks of HTTP/1.0 on a connection that is kept": strings.Replace(b.head("GET", "/lake/red/a"), "HTTP/1.1", "HTTP/1.0", 1) + "Connection: keep-alive\r\nContent-Length: 0\r\n" + chunks + "\r\n" + hidden,
	} {
		t.Run(name+" is no request", func(t *testing.T) {
			before, _ := b.w.seen(t)
			w := dial(t, b.gate.API)
			w.say(text)
			first, _ := w.answer()
			_ = w.CloseWrite()
			second, code := w.answer()
			after, _ := b.w.seen(t)
			if first != 200 || second != 0 || len(after)-len(before) != 1 {
				t.Errorf("answered %d, then %d %s; the backend saw %q", first, second, code, after[len(before):])
			}
		})
	}
}

// contents are those whose fault shows before or while they are passed on.
func (b *badInput) contents(t *testing.T) {
	content := strings.Repeat("sixteen bytes of", 1<<10) + "data" // chunks have 8 KiB and more, but for the last
	sum := func(text string) string { h := sha256.Sum256([]byte(text)); return hex.EncodeToString(h[:]) }
	md := func(text string) string { h := md5.Sum([]byte(text)); return base64.StdEncoding.EncodeToString(h[:]) } //nolint:gosec // Content-MD5
	length := func(n int) string { return fmt.Sprintf("Content-Length: %d\r\n\r\n", n) }
	decoded := func(n int) string { return fmt.Sprintf("X-Amz-Decoded-Content-Length: %d", n) }
	with := func(payload, body string, headers ...string) string {
		text, _ := b.holder.head("PUT", "/lake/red/a", payload, headers...)
		return text + length(len(body)) + body
	}
	// signed is an upload in signed chunks; change may make the chunks into something else.
	const half = 8 << 10
	size := len(content)
	signed := func(size int, change func(chunks []string) []string) string {
		head, seed := b.holder.head("PUT", "/lake/red/a", signedChunks, decoded(size))
		var chunks []string
		for _, c := range []string{content[:half], content[half:], ""} {
			var text string
			text, seed = b.holder.chunk(seed, c)
			chunks = append(chunks, text)
		}
		body := strings.Join(change(chunks), "")
		return head + length(len(body)) + body
	}
	same := func(c []string) []string { return c }
	trailing := func(body string, headers ...string) string {
		return with(unsignedTrailing, body, append(headers, decoded(len(content)), "X-Amz-Trailer: x-amz-checksum-crc32")...)
	}
	const crc = "x-amz-checksum-crc32:"
	whole := "4004\r\n" + content + "\r\n0\r\n"
	t.Run("good ones", func(t *testing.T) {
		for name, text := range map[string]string{
			"hashed": with(sum(content), content), "unsigned": with(unsignedPayload, content, "Content-Md5: "+md(content)), "chunks": signed(size, same),
			"trailer": trailing(whole + crc + crcOf(content) + "\r\n\r\n"),
		} {
			_, before := b.w.seen(t)
			status, code := b.holder.ask(text, false)
			if _, after := b.w.seen(t); status != 200 || after != before+1 {
				t.Errorf("%s: answered %d %s, and %d reached the backend: this test shows nothing", name, status, code, after-before)
			}
		}
	})
	long := strings.Repeat(content, 60)
	for name, c := range map[string]struct {
		text   string
		hangUp bool
		want   string
	}{
		"another content than hashed":          {with(sum("other"), content), false, "400 XAmzContentSHA256Mismatch"},
		"another large content than hashed":    {with(sum("other"), long), false, "400 XAmzContentSHA256Mismatch"},
		"another MD5":                          {with(unsignedPayload, content, "Content-Md5: "+md("other")), false, "400 BadDigest"},
		"another MD5 of a large one":           {with(unsignedPayload, long, "Content-Md5: "+md("other")), false, "400 BadDigest"},
		"another CRC32":                        {with(unsignedPayload, content, "X-Amz-Checksum-Crc32: "+crcOf("other")), false, "400 BadDigest"},
		"another SHA256":                       {with(unsignedPayload, content, "X-Amz-Checksum-Sha256: "+base64.StdEncoding.EncodeToString(make([]byte, 32))), false, "400 BadDigest"},
		"a checksum of another length":         {with(unsignedPayload, content, "X-Amz-Checksum-Crc32: AAAA"), false, "400 InvalidRequest"},
		"less than said":                       {strings.TrimSuffix(with(unsignedPayload, content), content[half:]), true, "400 IncompleteBody"},
		"less than hashed":                     {strings.TrimSuffix(with(sum(content), content), content[half:]), true, "400 IncompleteBody"},
		"nothing of what was said":             {strings.TrimSuffix(with(unsignedPayload, content), content), true, "400 IncompleteBody"},
		"all but the last byte of a large one": {strings.TrimSuffix(with(unsignedPayload, long), "a"), true, "400 IncompleteBody"},
		"chunks without the last":              {signed(size, func(c []string) []string { return c[:2] }), false, "400 IncompleteBody"},
		"chunks that end inside of one":        {signed(size, func(c []string) []string { return []string{c[0], c[1][:100]} }), false, "400 IncompleteBody"},
		"chunks in another order":              {signed(size, func(c []string) []string { return []string{c[1], c[0], c[2]} }), false, "403 SignatureDoesNotMatch"},
		"a chunk twice":                        {signed(size, func(c []string) []string { return []string{c[0], c[0], c[2]} }), false, "403 SignatureDoesNotMatch"},
		"a chunk changed":                      {signed(size, func(c []string) []string { return []string{c[0], strings.Replace(c[1], "data", "DATA", 1), c[2]} }), false, "403 SignatureDoesNotMatch"},
		"a chunk without its signature":        {signed(size, func(c []string) []string { return []string{"2000\r\n" + content[:half] + "\r\n", c[1], c[2]} }), false, "400 InvalidRequest"},
		"fewer chunks than said":               {signed(size+8192, same), false, "400 IncompleteBody"},
		"more chunks than said":                {signed(half, same), false, "400 IncompleteBody"},
		"something after the last chunk":       {signed(size, func(c []string) []string { return append(c, "more") }), false, "400 InvalidRequest"},
		"a chunk of a size that is none":       {signed(size, func(c []string) []string { return []string{"-" + c[0], c[1], c[2]} }), false, "400 InvalidRequest"},
		"a chunk of a size beyond numbers":     {signed(size, func(c []string) []string { return []string{"fffffffffffffffff" + c[0], c[1], c[2]} }), false, "400 InvalidRequest"},
		"a trailer of another content":         {trailing(whole + crc + crcOf("other") + "\r\n\r\n"), false, "400 BadDigest"},
		"a trailer that is missing":            {trailing(whole + "\r\n"), false, "400 MalformedTrailerError"},
		"a trailer of another name":            {trailing(whole + "x-amz-checksum-crc32c:AAAAAA==\r\n\r\n"), false, "400 MalformedTrailerError"},
		"a trailer that is a header":           {trailing(whole + crc + crcOf(content) + "\r\nx-amz-acl:public-read\r\n\r\n"), false, "400 MalformedTrailerError"},
		"a trailer that breaks off":            {trailing(whole + crc), false, "400 IncompleteBody"},
	} {
		t.Run(name, func(t *testing.T) { b.broken(t, c.text, c.hangUp, c.want) })
	}
	// These show in the head already.
	for name, c := range map[string]struct{ text, want string }{
		"an MD5 that is none":             {with(unsignedPayload, content, "Content-Md5: ?"), "400 InvalidDigest"},
		"chunks without their size":       {with(signedChunks, "0\r\n\r\n"), "411 MissingContentLength"},
		"chunks of a negative size":       {with(signedChunks, "0\r\n\r\n", "X-Amz-Decoded-Content-Length: -1"), "411 MissingContentLength"},
		"a payload that is unknown":       {with("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", "x", decoded(1)), "400 InvalidRequest"},
		"a payload that is no hash":       {with("zz", "x"), "400 InvalidRequest"},
		"a trailer that is no checksum":   {with(unsignedTrailing, "0\r\n\r\n", decoded(0), "X-Amz-Trailer: x-amz-acl"), "400 InvalidRequest"},
		"a document under another digest": {b.head("POST", "/lake?delete", "Content-Md5: "+md("other")) + length(len(content)) + content, "400 BadDigest"},
	} {
		t.Run(name, func(t *testing.T) { b.refused(t, c.text, false, c.want) })
	}
}

// crcOf is the CRC32 of a text as a header has it.
func crcOf(text string) string {
	return base64.StdEncoding.EncodeToString(bigendian.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(text))))
}

// rights are requests that are well made and ask for what is another's, or for more than one has.
func (b *badInput) rights(t *testing.T) {
	const denied = "403 AccessDenied"
	plain := &attacker{t: t, address: b.gate.API, key: limited(b.gate, "plain",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:GetObject","s3:PutObject","s3:DeleteObject","s3:GetObjectTagging","s3:PutObjectTagging","s3:GetObjectAcl"],"Resource":"arn:aws:s3:::lake/red/*"}]}`)}
	const document = "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>a</ETag></Part></CompleteMultipartUpload>"
	const tags = "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>"
	for _, c := range []struct {
		name           string
		by             *attacker
		method, target string
		body           string
		headers        []string
		want           string
	}{
		{"another prefix", b.holder, "GET", "/lake/blue/a", "", nil, denied},
		{"the prefix without its slash", b.holder, "GET", "/lake/red", "", nil, denied},
		{"a prefix that begins like it", b.holder, "GET", "/lake/redder/a", "", nil, denied},
		{"the prefix in capitals", b.holder, "GET", "/lake/RED/a", "", nil, denied},
		{"another bucket", b.holder, "GET", "/other/red/a", "", nil, denied},
		{"a part of another's upload", b.holder, "PUT", "/lake/blue/a?partNumber=1&uploadId=u", "x", nil, denied},
		{"the end of another's upload", b.holder, "POST", "/lake/blue/a?uploadId=u", document, nil, denied},
		{"the abortion of another's upload", b.holder, "DELETE", "/lake/blue/a?uploadId=u", "", nil, denied},
		{"the parts of another's upload", b.holder, "GET", "/lake/blue/a?uploadId=u", "", nil, denied},
		{"another's uploads", b.holder, "GET", "/lake?uploads&prefix=blue/", "", nil, denied},
		{"all uploads", b.holder, "GET", "/lake?uploads", "", nil, denied},
		{"another's versions", b.holder, "GET", "/lake?versions&prefix=blue/", "", nil, denied},
		{"another's list", b.holder, "GET", "/lake?list-type=2&prefix=blue/", "", nil, denied},
		{"a list that climbs", b.holder, "GET", "/lake?list-type=2&prefix=red/../blue/", "", nil, "200"},
		{"a copy of another's object", b.holder, "PUT", "/lake/red/copy", "", []string{"X-Amz-Copy-Source: lake/blue/a"}, denied},
		{"a copy of another's version", b.holder, "PUT", "/lake/red/copy", "", []string{"X-Amz-Copy-Source: lake/blue/a?versionId=v"}, denied},
		{"a copy of another bucket's", b.holder, "PUT", "/lake/red/copy", "", []string{"X-Amz-Copy-Source: /other/red/a"}, denied},
		{"a copy, encoded", b.holder, "PUT", "/lake/red/copy", "", []string{"X-Amz-Copy-Source: %2Flake%2Fblue%2Fa"}, denied},
		{"a copy in the URL", b.holder, "PUT", "/lake/red/copy?x-amz-copy-source=lake%2Fblue%2Fa", "", nil, denied},
		{"a copy to another prefix", b.holder, "PUT", "/lake/blue/copy", "", []string{"X-Amz-Copy-Source: lake/red/a"}, denied},
		{"a part copied from another's", b.holder, "PUT", "/lake/red/copy?partNumber=1&uploadId=u", "", []string{"X-Amz-Copy-Source: lake/blue/a", "X-Amz-Copy-Source-Range: bytes=0-1"}, denied},
		{"a version without the right", plain, "GET", "/lake/red/a?versionId=v", "", nil, denied},
		{"the null version without the right", plain, "GET", "/lake/red/a?versionId=null", "", nil, denied},
		{"a version's head without the right", plain, "HEAD", "/lake/red/a?versionId=v", "", nil, "403"},
		{"the end of a version without the right", plain, "DELETE", "/lake/red/a?versionId=v", "", nil, denied},
		{"a copy of a version without the right", plain, "PUT", "/lake/red/copy", "", []string{"X-Amz-Copy-Source: lake/red/a?versionId=v"}, denied},
		{"a part of a version without the right", plain, "PUT", "/lake/red/copy?partNumber=1&uploadId=u", "", []string{"X-Amz-Copy-Source: lake/red/a?versionId=v"}, denied},
		{"tags of a version without the right", plain, "GET", "/lake/red/a?tagging&versionId=v", "", nil, denied},
		{"tags for a version without the right", plain, "PUT", "/lake/red/a?tagging&versionId=v", tags, nil, denied},
		{"the ACL of a version without the right", plain, "GET", "/lake/red/a?acl&versionId=v", "", nil, denied},
		{"an ACL without the right", plain, "PUT", "/lake/red/a", "", []string{"X-Amz-Acl: public-read"}, denied},
		{"an ACL in the URL without the right", plain, "PUT", "/lake/red/a?x-amz-acl=public-read", "", nil, denied},
		{"a hold without the right", plain, "PUT", "/lake/red/a", "", []string{"X-Amz-Object-Lock-Legal-Hold: ON"}, denied},
		{"a bypass without the right", plain, "DELETE", "/lake/red/a", "", []string{"X-Amz-Bypass-Governance-Retention: true"}, denied},
		{"a bucket's policy", b.holder, "PUT", "/lake?policy", "{}", nil, denied},
		{"another owner than expected", b.holder, "GET", "/lake/red/a", "", []string{"X-Amz-Expected-Bucket-Owner: 222222222222"}, denied},
		{"another owner of the source than expected", b.holder, "PUT", "/lake/red/copy", "", []string{"X-Amz-Copy-Source: lake/red/a", "X-Amz-Source-Expected-Bucket-Owner: 222222222222"}, denied},
	} {
		t.Run(c.name, func(t *testing.T) {
			by := *c.by
			by.t = t
			text := by.text(c.method, c.target, c.headers...) + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(c.body), c.body)
			b.refused(t, text, false, c.want)
		})
	}
	t.Run("another's upload is one's own key's", func(t *testing.T) {
		// A number of an upload is the backend's matter; the gate sees to it that it is asked for about the key that was decided.
		before, _ := b.w.seen(t)
		b.holder.ask(b.head("DELETE", "/lake/red/a?uploadId="+url.QueryEscape("../../blue/a?x&key=/other/a"))+"\r\n", false)
		after, _ := b.w.seen(t)
		for _, line := range after[len(before):] {
			u, err := url.ParseRequestURI(strings.TrimPrefix(line, "DELETE "))
			if err != nil || u.Path != "/lake/red/a" || u.Query().Has("key") {
				t.Errorf("the backend saw %s", line)
			}
		}
	})
	t.Run("others' keys in a list of deletions", func(t *testing.T) {
		const body = "<Delete><Object><Key>blue/a</Key></Object><Object><Key>red/../blue/a</Key></Object><Object><Key>red/b</Key><VersionId>v</VersionId></Object></Delete>"
		sum := md5.Sum([]byte(body)) //nolint:gosec // Content-MD5
		by := *plain
		by.t = t
		before, _ := b.w.seen(t)
		by.ask(by.text("POST", "/lake?delete", "Content-Md5: "+base64.StdEncoding.EncodeToString(sum[:]))+fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body), false)
		if after, _ := b.w.seen(t); len(after) != len(before) {
			t.Errorf("the backend saw %q", after[len(before):])
		}
	})
}

// forms are uploads of browsers that ask for more than their policy says.
func (b *badInput) forms(t *testing.T) {
	sign := func(key string, conditions ...any) map[string]string {
		t.Helper()
		form, err := s3.NewPresignClient(storageAt("http://"+b.gate.API, b.holder.key)).PresignPostObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("lake"), Key: &key},
			func(o *s3.PresignPostOptions) { o.Conditions = conditions })
		if err != nil {
			t.Fatal(err)
		}
		fields := map[string]string{}
		for name, value := range form.Values {
			fields[strings.ToLower(name)] = value
		}
		return fields
	}
	good := sign("red/form", []any{"content-length-range", 1, 10})
	lake := "http://" + b.gate.API + "/lake"
	if status, code, _ := submit(t, lake, good, "a", "1"); status != 204 {
		t.Fatalf("a good form is answered %d %s: this test shows nothing", status, code)
	}
	for name, c := range map[string]struct {
		fields       map[string]string
		url, content string
		want         string
	}{
		"an ACL":                      {map[string]string{"acl": "public-read"}, lake, "1", "403 AccessDenied"},
		"metadata":                    {map[string]string{"x-amz-meta-a": "b"}, lake, "1", "403 AccessDenied"},
		"tags":                        {map[string]string{"tagging": "<Tagging/>"}, lake, "1", "403 AccessDenied"},
		"a type of content":           {map[string]string{"content-type": "text/html"}, lake, "1", "403 AccessDenied"},
		"a redirect":                  {map[string]string{"success_action_redirect": "https://evil.example/"}, lake, "1", "403 AccessDenied"},
		"a source":                    {map[string]string{"x-amz-copy-source": "lake/blue/a"}, lake, "1", "400 InvalidArgument"},
		"another key":                 {map[string]string{"key": "red/other"}, lake, "1", "403 AccessDenied"},
		"another's key":               {map[string]string{"key": "blue/a"}, lake, "1", "403 AccessDenied"},
		"another bucket":              {nil, "http://" + b.gate.API + "/other", "1", "403 AccessDenied"},
		"another policy":              {map[string]string{"policy": base64.StdEncoding.EncodeToString([]byte(`{"expiration":"2099-01-01T00:00:00Z","conditions":[["starts-with","$key",""],{"bucket":"lake"}]}`))}, lake, "1", "403 SignatureDoesNotMatch"},
		"a policy that is none":       {map[string]string{"policy": "e30"}, lake, "1", "403 SignatureDoesNotMatch"},
		"no signature":                {map[string]string{"x-amz-signature": ""}, lake, "1", "400 InvalidArgument"},
		"another's session":           {map[string]string{"x-amz-security-token": "x"}, lake, "1", "400 InvalidToken"},
		"a content beyond the policy": {nil, lake, "12345678901", "400 EntityTooLarge"},
		"no content":                  {nil, lake, "", "400 EntityTooSmall"},
	} {
		t.Run(name, func(t *testing.T) {
			before, _ := b.w.seen(t)
			fields := maps.Clone(good)
			maps.Copy(fields, c.fields)
			status, code, _ := submit(t, c.url, fields, "a", c.content)
			if got := strings.TrimSpace(fmt.Sprint(status, " ", code)); got != c.want {
				t.Errorf("answered %s, want %s", got, c.want)
			}
			if after, _ := b.w.seen(t); len(after) != len(before) {
				t.Errorf("the backend saw %q", after[len(before):])
			}
		})
	}
	t.Run("a policy of another's prefix", func(t *testing.T) {
		before, _ := b.w.seen(t)
		if status, code, _ := submit(t, lake, sign("blue/form"), "a", "1"); status != 403 || code != "AccessDenied" {
			t.Errorf("answered %d %s", status, code)
		}
		if after, _ := b.w.seen(t); len(after) != len(before) {
			t.Errorf("the backend saw %q", after[len(before):])
		}
	})
	var many strings.Builder
	for i := range 100 {
		fmt.Fprintf(&many, "--b\r\nContent-Disposition: form-data; name=\"x-amz-meta-%d\"\r\n\r\n%s\r\n", i, strings.Repeat("a", 500))
	}
	const start = "--b\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nred/a\r\n"
	for name, c := range map[string]struct{ body, want string }{
		"a form that ends early":      {start, "400 MalformedPOSTRequest"},
		"a form with a field twice":   {start + start + "--b--\r\n", "400 InvalidArgument"},
		"a form without a file":       {start + "--b--\r\n", "400 InvalidArgument"},
		"a form of too many fields":   {many.String(), "400 MaxPostPreDataLengthExceeded"},
		"a form of another beginning": {"--c\r\n\r\n", "400 MalformedPOSTRequest"},
	} {
		t.Run(name, func(t *testing.T) {
			b.refused(t, "POST /lake HTTP/1.1\r\nHost: "+b.gate.API+"\r\nContent-Type: multipart/form-data; boundary=b\r\n"+fmt.Sprintf("Content-Length: %d\r\n\r\n", len(c.body))+c.body, false, c.want)
		})
	}
}
