package sigv4

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Public test vectors, read when present.
const vectors = "../../../shared/vectors/sigv4"

// The clock, scope and secret of all public vectors.
const (
	vectorSecret  = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
	vectorRegion  = "us-east-1"
	vectorService = "service"
)

func vectorOptions(payloadHash string) Options {
	return Options{
		Now:    time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC),
		Region: vectorRegion, Services: []string{vectorService}, Style: Normal, PayloadHash: payloadHash,
	}
}

// context is what a vector of the aws-c-auth suite says about its request.
type vectorContext struct {
	Normalize   bool `json:"normalize"`
	OmitToken   bool `json:"omit_session_token"`
	Expiration  int  `json:"expiration_in_seconds"`
	SignBody    bool `json:"sign_body"`
	Credentials struct {
		AccessKeyID     string `json:"access_key_id"`
		SecretAccessKey string `json:"secret_access_key"`
		Token           string `json:"token"`
	} `json:"credentials"`
}

// receive reads a request as the server does, and the hash of its body.
func receive(t *testing.T, text string) (*http.Request, string, error) {
	t.Helper()
	head, body, _ := strings.Cut(strings.ReplaceAll(text, "\r\n", "\n"), "\n\n")
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(strings.TrimRight(head, "\n") + "\n\n")))
	digest := sha256.Sum256([]byte(body))
	return r, hex.EncodeToString(digest[:]), err
}

func read(t *testing.T, path ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// unreceivable vectors have a space in the request line, which no HTTP server takes.
func unreceivable(t *testing.T, name string, err error) bool {
	t.Helper()
	if err == nil {
		return false
	}
	if !strings.Contains(name, "get-space") && !strings.Contains(name, "post-vanilla-query-space") {
		t.Fatal(err)
	}
	return true
}

func TestVerifyPublicVectors(t *testing.T) {
	suite := filepath.Join(vectors, "aws-c-auth", "v4")
	entries, err := os.ReadDir(suite)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("the public test vectors are not here")
	}
	verified := 0
	for _, entry := range entries {
		name := entry.Name()
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(suite, name)
			var ctx vectorContext
			if err := json.Unmarshal([]byte(read(t, dir, "context.json")), &ctx); err != nil {
				t.Fatal(err)
			}
			for _, form := range []string{"header", "query"} {
				r, payload, err := receive(t, read(t, dir, form+"-signed-request.txt"))
				if unreceivable(t, name, err) {
					continue
				}
				// Where the vector leaves the body unsigned, the hash is that of nothing.
				want := read(t, dir, form+"-canonical-request.txt")
				payload = payloadLine(t, want, payload)
				sig, err := Parse(r)
				if err != nil {
					t.Fatalf("%s: %v", form, err)
				}
				if sig.value != strings.TrimSpace(read(t, dir, form+"-signature.txt")) {
					t.Errorf("%s: read the signature %s", form, sig.value)
				}
				o := vectorOptions(payload)
				if !ctx.Normalize {
					o.Style = Literal
				}
				if ctx.OmitToken {
					checkOmittedToken(t, form, sig, r, o)
					continue
				}
				c := canonical{style: o.Style, host: r.Host, signed: sig.SignedHeaders, list: sig.signed, payload: payload}
				request := c.appendTo(nil, r)
				if d := cmp.Diff(want, string(request)); d != "" {
					t.Errorf("%s: canonical request (-want +got):\n%s", form, d)
				}
				if d := cmp.Diff(read(t, dir, form+"-string-to-sign.txt"), sig.stringToSign(request)); d != "" {
					t.Errorf("%s: string to sign (-want +got):\n%s", form, d)
				}
				p := &Proof{Signature: sig, key: deriveKey(ctx.Credentials.SecretAccessKey, &sig.Credential)}
				if !p.matches(sig.stringToSign(request), sig.value) {
					t.Errorf("%s: the signature does not match", form)
				}
				if !ctx.Normalize {
					// The unnormalised rows have S3's path but lack the x-amz-content-sha256 that S3 demands.
					continue
				}
				if _, err := sig.Verify(r, ctx.Credentials.SecretAccessKey, o); err != nil {
					t.Errorf("%s: %v", form, err)
				}
				if sig.SessionToken() != ctx.Credentials.Token {
					t.Errorf("%s: session token %q", form, sig.SessionToken())
				}
				verified++
			}
		})
	}
	if verified < 50 {
		t.Errorf("only %d signatures were verified", verified)
	}
}

// checkOmittedToken: the row adds the session token after signing, as one AWS service wants it. Here whatever changes the
// request is signed, so the header form is refused; in the query form the token is part of the canonical query and the
// signature does not match.
func checkOmittedToken(t *testing.T, form string, sig *Signature, r *http.Request, o Options) {
	t.Helper()
	want := &Error{Kind: UnsignedHeaders}
	if form == "query" {
		want.Kind = Mismatch
	}
	if _, err := sig.Verify(r, vectorSecret, o); !errors.Is(err, want) {
		t.Errorf("%s with a token that is not signed: %v", form, err)
	}
}

func payloadLine(t *testing.T, request, computed string) string {
	t.Helper()
	line := request[strings.LastIndexByte(request, '\n')+1:]
	if line != computed && line != EmptyPayload {
		t.Fatalf("the vector signs the payload %s, and the body has %s", line, computed)
	}
	return line
}

func TestVerifyPublicVectorsOfTheOlderSuite(t *testing.T) {
	suite := filepath.Join(vectors, "aws4_testsuite")
	if _, err := os.Stat(suite); errors.Is(err, fs.ErrNotExist) {
		t.Skip("the public test vectors are not here")
	}
	// Rows whose signed request cannot be verified, each with the reason.
	odd := map[string]string{
		"get-vanilla-with-session-token": "the recorded signature is a placeholder, not an HMAC",
		"post-sts-header-after":          "the token is added after signing, which is refused here",
	}
	verified := 0
	err := filepath.WalkDir(suite, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".sreq") {
			return err
		}
		base := strings.TrimSuffix(path, ".sreq")
		name := filepath.Base(base)
		t.Run(name, func(t *testing.T) {
			r, payload, err := receive(t, read(t, path))
			if unreceivable(t, name, err) {
				return
			}
			sig, err := Parse(r)
			if err != nil {
				t.Fatal(err)
			}
			want := strings.ReplaceAll(read(t, base+".creq"), "\r\n", "\n")
			payload = payloadLine(t, want, payload)
			_, err = sig.Verify(r, vectorSecret, vectorOptions(payload))
			if reason := odd[name]; reason != "" {
				if err == nil {
					t.Errorf("verified, although %s", reason)
				}
				return
			}
			if err != nil {
				c := canonical{style: Normal, host: r.Host, signed: sig.SignedHeaders, list: sig.signed, payload: payload}
				t.Errorf("%v\n%s", err, cmp.Diff(want, string(c.appendTo(nil, r))))
			}
			verified++
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if verified < 25 {
		t.Errorf("only %d signatures were verified", verified)
	}
}

// TestSignPublicVectors signs the plain requests, as the gateway does towards a back end.
func TestSignPublicVectors(t *testing.T) {
	suite := filepath.Join(vectors, "aws-c-auth", "v4")
	entries, err := os.ReadDir(suite)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("the public test vectors are not here")
	}
	for _, entry := range entries {
		name := entry.Name()
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(suite, name)
			var ctx vectorContext
			if err := json.Unmarshal([]byte(read(t, dir, "context.json")), &ctx); err != nil {
				t.Fatal(err)
			}
			if !ctx.Normalize || ctx.OmitToken || ctx.SignBody {
				return // rows that need a service's own headers or leave some out
			}
			r, _, err := receive(t, read(t, dir, "request.txt"))
			if unreceivable(t, name, err) {
				return
			}
			s := &Signer{
				AccessKeyID: ctx.Credentials.AccessKeyID, SecretAccessKey: ctx.Credentials.SecretAccessKey, SessionToken: ctx.Credentials.Token,
				Region: vectorRegion, Service: vectorService, Style: Normal,
			}
			at := vectorOptions("").Now
			want := strings.TrimSpace(read(t, dir, "query-signature.txt"))
			u, err := s.Presign(r, EmptyPayload, at, time.Duration(ctx.Expiration)*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasSuffix(u.RawQuery, "X-Amz-Signature="+want) {
				t.Errorf("presigned with %s, not %s", u.RawQuery[strings.LastIndexByte(u.RawQuery, '=')+1:], want)
			}
			p, err := s.Sign(r, EmptyPayload, at)
			if err != nil {
				t.Fatal(err)
			}
			if want := strings.TrimSpace(read(t, dir, "header-signature.txt")); p.value != want {
				t.Errorf("signed with %s, not %s", p.value, want)
			}
		})
	}
}

// The examples that AWS publishes for S3: "Signature Calculations for the Authorization Header" and "… for Query Parameters".
func TestPublishedExamplesOfS3(t *testing.T) {
	const secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	o := Options{Now: time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC), Region: "us-east-1", Services: []string{"s3"}}
	const credential = "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders="
	for name, request := range map[string]string{
		"get a range": "GET /test.txt HTTP/1.1\nHost: examplebucket.s3.amazonaws.com\nRange: bytes=0-9\nx-amz-content-sha256: " + EmptyPayload +
			"\nx-amz-date: 20130524T000000Z\nAuthorization: " + credential + "host;range;x-amz-content-sha256;x-amz-date,Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41\n\n",
		"put with a date and a dollar sign": "PUT /test$file.text HTTP/1.1\nHost: examplebucket.s3.amazonaws.com\nDate: Fri, 24 May 2013 00:00:00 GMT\n" +
			"x-amz-date: 20130524T000000Z\nx-amz-storage-class: REDUCED_REDUNDANCY\nx-amz-content-sha256: 44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072\n" +
			"Authorization: " + credential + "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class,Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd\n\n",
		"get the lifecycle": "GET /?lifecycle HTTP/1.1\nHost: examplebucket.s3.amazonaws.com\nx-amz-date: 20130524T000000Z\nx-amz-content-sha256: " + EmptyPayload +
			"\nAuthorization: " + credential + "host;x-amz-content-sha256;x-amz-date,Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543\n\n",
		"list": "GET /?max-keys=2&prefix=J HTTP/1.1\nHost: examplebucket.s3.amazonaws.com\nx-amz-date: 20130524T000000Z\nx-amz-content-sha256: " + EmptyPayload +
			"\nAuthorization: " + credential + "host;x-amz-content-sha256;x-amz-date,Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7\n\n",
		"presigned": "GET /test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400" +
			"&X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404 HTTP/1.1\nHost: examplebucket.s3.amazonaws.com\n\n",
	} {
		t.Run(name, func(t *testing.T) {
			r, _, err := receive(t, request)
			if err != nil {
				t.Fatal(err)
			}
			sig, err := Parse(r)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := sig.Verify(r, secret, o); err != nil {
				t.Error(err)
			}
		})
	}
}

// The two published examples of chunked uploads: 65 KiB of "a" in chunks of 64 KiB, with and without a trailer.
func TestPublishedExamplesOfChunks(t *testing.T) {
	const (
		secret     = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
		credential = "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders="
	)
	o := Options{Now: time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC), Region: "us-east-1", Services: []string{"s3"}}
	tests := map[string]struct {
		headers map[string]string
		chunks  [3]string
		trailer string
	}{
		"without a trailer": {
			headers: map[string]string{
				"Content-Length": "66824", "X-Amz-Content-Sha256": StreamingSigned,
				"Authorization": credential + "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class,Signature=4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
			},
			chunks: [3]string{"ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648", "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497", "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"},
		},
		"with a trailer": {
			headers: map[string]string{
				"X-Amz-Content-Sha256": StreamingSignedTrailer, "X-Amz-Trailer": "x-amz-checksum-crc32c",
				"Authorization": credential + "content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class;x-amz-trailer,Signature=106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
			},
			chunks:  [3]string{"b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2", "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7", "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992"},
			trailer: "x-amz-checksum-crc32c:sOO8/Q==\n\r\nx-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			content := strings.Repeat("a", 65<<10)
			body := "10000" + signaturePart + tt.chunks[0] + "\r\n" + content[:64<<10] + "\r\n" +
				"400" + signaturePart + tt.chunks[1] + "\r\n" + content[64<<10:] + "\r\n" +
				"0" + signaturePart + tt.chunks[2] + "\r\n" + tt.trailer + "\r\n"
			r, err := http.NewRequest(http.MethodPut, "http://s3.amazonaws.com/examplebucket/chunkObject.txt", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			for k, v := range tt.headers {
				r.Header.Set(k, v)
			}
			r.Header.Set("X-Amz-Date", "20130524T000000Z")
			r.Header.Set("Content-Encoding", "aws-chunked")
			r.Header.Set("X-Amz-Storage-Class", "REDUCED_REDUNDANCY")
			r.Header.Set("X-Amz-Decoded-Content-Length", "66560")
			sig, err := Parse(r)
			if err != nil {
				t.Fatal(err)
			}
			p, err := sig.Verify(r, secret, o)
			if err != nil {
				t.Fatal(err)
			}
			b, err := NewBody(r, p, BodyOptions{})
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(b)
			if err != nil || string(got) != content {
				t.Errorf("read %d bytes: %v", len(got), err)
			}
		})
	}
}
