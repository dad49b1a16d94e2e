package sigv4

import (
	"bufio"
	"bytes"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

// FuzzParse: whatever a client sends, Parse gives an *Error or a signature, and without the secret nothing verifies.
func FuzzParse(f *testing.F) {
	f.Add("GET", "/red/key?prefix=a%2Fb", "AWS4-HMAC-SHA256 Credential=a/20261122/us-east-1/s3/aws4_request, SignedHeaders=host;x-amz-date, Signature=00", "20261122T101500Z", UnsignedPayload)
	f.Add("GET", "/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a%2F20261122%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20261122T101500Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=00", "", "", "")
	f.Add("PUT", "/%zz?%58-Amz-Signature", "AWS a:b", "Sun, 22 Nov 2026 10:15:00 GMT", StreamingSigned)
	f.Fuzz(func(t *testing.T, method, target, authorization, date, payload string) {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(method + " " + target + " HTTP/1.1\r\nHost: lakegate.internal\r\n\r\n")))
		if err != nil {
			return
		}
		if authorization != "" {
			r.Header.Set("Authorization", authorization)
		}
		r.Header.Set("X-Amz-Date", date)
		r.Header.Set("X-Amz-Content-Sha256", payload)
		sig, err := Parse(r)
		if err != nil {
			e, ok := errors.AsType[*Error](err)
			if !ok || e.Answer(S3).Code == "" {
				t.Fatalf("refused with %v", err)
			}
			return
		}
		o := s3Options()
		o.Now = sig.Time.Add(time.Second)
		if _, err := sig.Verify(r, testSecret, o); err == nil {
			t.Fatalf("verified %s", authorization)
		}
	})
}

// FuzzCanonicalQuery: order and repetition apart, encoding again changes nothing.
func FuzzCanonicalQuery(f *testing.F) {
	for _, s := range []string{"a=1&b=2", "a=%2F&é=+", "=&==", "X-Amz-Signature=1", "a=%zz&a=%25zz"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		once := appendQuery(nil, raw)
		if twice := appendQuery(nil, string(once)); !bytes.Equal(once, twice) {
			t.Fatalf("%q is %q, and that is %q", raw, once, twice)
		}
	})
}

// FuzzChunks: the reader never gives more than was declared, and of a signed upload it accepts what was signed alone.
func FuzzChunks(f *testing.F) {
	content := []byte("tomato;pepper;chili")
	modes := []Payload{StreamingSigned, StreamingSignedTrailer, StreamingUnsignedTrailer}
	var requests []*http.Request
	var proofs []*Proof
	for i, mode := range modes {
		algorithm := ""
		if mode.Trailing() {
			algorithm = "crc32"
		}
		r, p, raw := upload(f, mode, algorithm, content)
		requests, proofs = append(requests, r), append(proofs, p)
		f.Add(byte(i), raw)
	}
	f.Add(byte(2), []byte("2\r\nto\r\n11\r\nmato;pepper;chili\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"))
	f.Fuzz(func(t *testing.T, which byte, raw []byte) {
		i := int(which) % len(modes)
		r := requests[i].Clone(t.Context())
		got, err := readBody(r, proofs[i], raw, BodyOptions{})
		if len(got) > len(content) {
			t.Fatalf("got %d bytes of %d", len(got), len(content))
		}
		if err == nil && modes[i] != StreamingUnsignedTrailer && !bytes.Equal(got, content) {
			t.Fatal("accepted a content that nobody signed")
		}
		if err == nil && len(got) != len(content) {
			t.Fatalf("ended in peace after %d of %d bytes", len(got), len(content))
		}
	})
}

// FuzzForm: no form without the secret's signature is accepted, and no policy makes the reader panic.
func FuzzForm(f *testing.F) {
	f.Add(`{"expiration":"2026-11-22T11:00:00Z","conditions":[`+formConditions+`,{"bucket":"red"},["starts-with","$key",""]]}`, "a")
	f.Add(`{"expiration":"2026-11-22T11:00:00Z","conditions":[["content-length-range",1e9,-1]]}`, "")
	f.Fuzz(func(t *testing.T, policy, key string) {
		form, err := ParseForm(formOf(t, s3Signer(), policy, FormFields{"bucket": "red", "key": key}))
		if err != nil {
			t.Skip()
		}
		if _, err := form.Verify(testSecret+"x", s3Options()); err == nil {
			t.Fatal("accepted without the secret")
		}
		if _, err := form.Verify(testSecret, s3Options()); err != nil {
			if _, ok := errors.AsType[*Error](err); !ok {
				t.Fatal(err)
			}
		}
	})
}
