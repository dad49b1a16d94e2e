package sigv4

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

// encoder writes aws-chunked content as a client does.
type encoder struct {
	mode    Payload
	seed    *Proof
	trailer string // the checksum's algorithm, or ""
}

func (e *encoder) signature(algorithm, covered string) string {
	toSign := algorithm + "\n" + e.seed.date + "\n" + e.seed.Credential.Scope() + "\n" + e.seed.value + "\n" + covered
	mac := sign(e.seed.key[:], toSign)
	e.seed.value = hex.EncodeToString(mac[:])
	return e.seed.value
}

func (e *encoder) encode(content []byte, sizes ...int) []byte {
	var b bytes.Buffer
	rest := content
	chunk := func(data []byte) {
		fmt.Fprintf(&b, "%x", len(data))
		if e.mode != StreamingUnsignedTrailer {
			digest := sha256.Sum256(data)
			b.WriteString(signaturePart + e.signature(chunkAlgorithm, EmptyPayload+"\n"+hex.EncodeToString(digest[:])))
		}
		b.WriteString("\r\n")
		b.Write(data)
		if len(data) > 0 {
			b.WriteString("\r\n")
		}
	}
	for _, size := range sizes {
		chunk(rest[:size])
		rest = rest[size:]
	}
	if len(rest) > 0 {
		chunk(rest)
	}
	chunk(nil)
	line := ""
	if e.trailer != "" {
		h := NewChecksum(e.trailer)
		h.Write(content)
		line = checksumPrefix + e.trailer + ":" + base64.StdEncoding.EncodeToString(h.Sum(nil))
		b.WriteString(line + "\r\n")
		line += "\n"
	}
	if e.mode == StreamingSignedTrailer {
		digest := sha256.Sum256([]byte(line))
		b.WriteString(trailerSignature + ":" + e.signature(trailerAlgorithm, hex.EncodeToString(digest[:])) + "\r\n")
	}
	b.WriteString("\r\n")
	return b.Bytes()
}

// upload is a verified request with chunked content, and that content.
func upload(t testing.TB, mode Payload, algorithm string, content []byte, sizes ...int) (*http.Request, *Proof, []byte) {
	t.Helper()
	r := newRequest(t, "PUT", "http://lakegate.internal/red/key", "X-Amz-Decoded-Content-Length", fmt.Sprint(len(content)), "Content-Encoding", "aws-chunked")
	if algorithm != "" {
		r.Header.Set("X-Amz-Trailer", checksumPrefix+algorithm)
	}
	seed, err := s3Signer().Sign(r, string(mode), testTime())
	if err != nil {
		t.Fatal(err)
	}
	sig, err := Parse(r)
	if err != nil {
		t.Fatal(err)
	}
	p, err := sig.Verify(r, testSecret, s3Options())
	if err != nil {
		t.Fatal(err)
	}
	e := &encoder{mode: mode, seed: seed, trailer: algorithm}
	return r, p, e.encode(content, sizes...)
}

func readBody(r *http.Request, p *Proof, raw []byte, o BodyOptions) ([]byte, error) {
	r.Body = io.NopCloser(bytes.NewReader(raw))
	b, err := NewBody(r, p, o)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(b)
}

func TestChunkedRoundTrip(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		mode := rapid.SampledFrom([]Payload{StreamingSigned, StreamingSignedTrailer, StreamingUnsignedTrailer}).Draw(rt, "mode")
		algorithm := ""
		if mode.Trailing() {
			algorithm = rapid.SampledFrom([]string{"", "crc32", "crc32c", "crc64nvme", "sha1", "sha256", "sha512", "md5"}).Draw(rt, "algorithm")
		}
		content := bytes.Repeat([]byte(rapid.StringN(1, 40, -1).Draw(rt, "content")), rapid.IntRange(0, 2000).Draw(rt, "times"))
		var sizes []int
		least := 1
		if mode != StreamingUnsignedTrailer {
			least = minChunk
		}
		for rest := len(content); rest > least && len(sizes) < 4; {
			n := rapid.IntRange(least, rest).Draw(rt, "size")
			sizes, rest = append(sizes, n), rest-n
		}
		r, p, raw := upload(t, mode, algorithm, content, sizes...)
		r.Body = io.NopCloser(iotest.OneByteReader(bytes.NewReader(raw)))
		if rapid.Bool().Draw(rt, "whole") {
			r.Body = io.NopCloser(iotest.DataErrReader(bytes.NewReader(raw)))
		}
		b, err := NewBody(r, p, BodyOptions{})
		if err != nil {
			rt.Fatal(err)
		}
		got, err := io.ReadAll(b)
		if err != nil || !bytes.Equal(got, content) {
			rt.Fatalf("read %d of %d bytes: %v", len(got), len(content), err)
		}
		if b.Size() != int64(len(content)) || (b.Trailer() != "") != (algorithm != "") {
			rt.Fatalf("size %d, trailer %q", b.Size(), b.Trailer())
		}
	})
}

// TestChunkedTampering cuts, flips and doubles every byte of a signed upload.
func TestChunkedTampering(t *testing.T) {
	content := bytes.Repeat([]byte("tomato;"), 1300) // two chunks
	for _, mode := range []Payload{StreamingSigned, StreamingSignedTrailer} {
		algorithm := ""
		if mode.Trailing() {
			algorithm = "crc32"
		}
		r, p, raw := upload(t, mode, algorithm, content, minChunk)
		if got, err := readBody(r, p, raw, BodyOptions{}); err != nil || !bytes.Equal(got, content) {
			t.Fatalf("%s: the untouched upload: %v", mode, err)
		}
		// The bytes of the content are all alike to the code; some of them and all of the framing are enough.
		for i := range raw {
			if i > 400 && i < len(raw)-1200 && i%97 != 0 && (i < minChunk-20 || i > minChunk+400) {
				continue
			}
			flipped := bytes.Clone(raw)
			flipped[i] ^= 1
			cut := raw[:i]
			doubled := append(bytes.Clone(raw[:i+1]), raw[i:]...)
			for how, tampered := range map[string][]byte{"flipped": flipped, "cut": cut, "doubled": doubled} {
				if how == "doubled" && raw[i] == '0' && bytes.HasPrefix(raw[i:], []byte("0;")) {
					continue // "00" is the same size
				}
				got, err := readBody(r, p, tampered, BodyOptions{})
				if err == nil {
					t.Fatalf("%s: byte %d (%q) %s, and nobody noticed", mode, i, raw[max(0, i-10):min(len(raw), i+10)], how)
				}
				if len(got) > len(content) {
					t.Fatalf("%s: byte %d %s: got more than declared", mode, i, how)
				}
			}
		}
	}
}

func TestChunksAreChained(t *testing.T) {
	content := bytes.Repeat([]byte("x"), 3*minChunk)
	for i := range content {
		content[i] = byte(i / minChunk)
	}
	r, p, raw := upload(t, StreamingSigned, "", content, minChunk, minChunk)
	frame := len("2000"+signaturePart) + 64 + 2 + minChunk + 2
	one, two, three, end := raw[:frame], raw[frame:2*frame], raw[2*frame:3*frame], raw[3*frame:]
	for name, parts := range map[string][][]byte{
		"swapped":  {two, one, three, end},
		"repeated": {one, one, three, end},
	} {
		if _, err := readBody(r, p, bytes.Join(parts, nil), BodyOptions{}); !errors.Is(err, &Error{Kind: Mismatch}) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := readBody(r, p, bytes.Join([][]byte{one, two, end}, nil), BodyOptions{}); !errors.Is(err, &Error{Kind: IncompleteBody}) {
		t.Errorf("left out: %v", err)
	}
}

func TestChunkedRefusals(t *testing.T) {
	unsigned := func(body string) func(*http.Request) []byte {
		return func(r *http.Request) []byte {
			r.Header.Set("X-Amz-Decoded-Content-Length", "5")
			r.Header.Set("X-Amz-Trailer", "x-amz-checksum-crc32")
			return []byte(body)
		}
	}
	const good = "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"
	header := func(name string, values ...string) func(*http.Request) []byte {
		return func(r *http.Request) []byte {
			body := unsigned(good)(r)
			r.Header[name] = values
			return body
		}
	}
	for name, tt := range map[string]struct {
		prepare func(*http.Request) []byte
		want    Kind
	}{
		"as boto3 sends it":            {unsigned(good), 0},
		"in two chunks":                {unsigned("2\r\nhe\r\n3\r\nllo\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"), 0},
		"trailer with a line feed":     {unsigned("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\n\r\n\r\n"), 0},
		"trailer in other case":        {unsigned("5\r\nhello\r\n0\r\nX-Amz-Checksum-CRC32: NhCmhg==\r\n\r\n"), 0},
		"another content":              {unsigned("5\r\nHello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"), BadDigest},
		"another checksum":             {unsigned("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhA==\r\n\r\n"), BadDigest},
		"no checksum at all":           {unsigned("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:hello\r\n\r\n"), InvalidDigest},
		"checksum of another size":     {unsigned("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCm\r\n\r\n"), InvalidDigest},
		"too little":                   {unsigned("4\r\nhell\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"), IncompleteBody},
		"too much":                     {unsigned("6\r\nhello!\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"), IncompleteBody},
		"nothing":                      {unsigned(""), IncompleteBody},
		"no end":                       {unsigned("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n"), IncompleteBody},
		"something behind":             {unsigned(good + "x"), MalformedChunk},
		"another request behind":       {unsigned(good + "GET / HTTP/1.1\r\n\r\n"), MalformedChunk},
		"chunk longer than its size":   {unsigned("4\r\nhello\r\n0\r\n\r\n"), MalformedChunk},
		"size with sign":               {unsigned("+5\r\nhello\r\n0\r\n\r\n"), MalformedChunk},
		"size with prefix":             {unsigned("0x5\r\nhello\r\n0\r\n\r\n"), MalformedChunk},
		"size with underscore":         {unsigned("0_5\r\nhello\r\n0\r\n\r\n"), MalformedChunk},
		"size with space":              {unsigned(" 5\r\nhello\r\n0\r\n\r\n"), MalformedChunk},
		"size with extension":          {unsigned("5;x=y\r\nhello\r\n0\r\n\r\n"), MalformedChunk},
		"size that overflows":          {unsigned("ffffffffffffffff\r\nhello\r\n0\r\n\r\n"), MalformedChunk},
		"size with many zeros":         {unsigned(strings.Repeat("0", 32) + "5\r\nhello\r\n0\r\n\r\n"), MalformedChunk},
		"empty size":                   {unsigned("\r\nhello\r\n0\r\n\r\n"), MalformedChunk},
		"line feed alone":              {unsigned("5\nhello\n0\n\n"), MalformedChunk},
		"endless line":                 {unsigned(strings.Repeat("0", 1<<20)), MalformedChunk},
		"trailer missing":              {unsigned("5\r\nhello\r\n0\r\n\r\n"), MalformedTrailer},
		"trailer twice":                {unsigned("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"), MalformedTrailer},
		"trailer not declared":         {unsigned("5\r\nhello\r\n0\r\nx-amz-checksum-sha1:qvTGHdzF6KLavt4PO0gs2a6pQ00=\r\n\r\n"), MalformedTrailer},
		"trailer that changes things":  {unsigned("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\nx-amz-acl:public-read\r\n\r\n"), MalformedTrailer},
		"trailer without a name":       {unsigned("5\r\nhello\r\n0\r\n:NhCmhg==\r\n\r\n"), MalformedTrailer},
		"trailer signature unasked":    {unsigned("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\nx-amz-trailer-signature:00\r\n\r\n"), MalformedTrailer},
		"declares something else":      {header("X-Amz-Trailer", "x-amz-acl"), UnknownTrailer},
		"declares two":                 {header("X-Amz-Trailer", "x-amz-checksum-crc32", "x-amz-checksum-sha1"), UnknownTrailer},
		"declares one nobody computes": {header("X-Amz-Trailer", "x-amz-checksum-xxhash64"), UnknownTrailer},
		"no length":                    {header("X-Amz-Decoded-Content-Length"), MissingLength},
		"no number as length":          {header("X-Amz-Decoded-Content-Length", "five"), MissingLength},
		"negative length":              {header("X-Amz-Decoded-Content-Length", "-5"), MissingLength},
		"two lengths":                  {header("X-Amz-Decoded-Content-Length", "5", "6"), MissingLength},
		"length that overflows":        {header("X-Amz-Decoded-Content-Length", "18446744073709551615"), MissingLength},
	} {
		t.Run(name, func(t *testing.T) {
			r, p, _ := upload(t, StreamingUnsignedTrailer, "crc32", []byte("hello"))
			raw := tt.prepare(r)
			got, err := readBody(r, p, raw, BodyOptions{})
			checkKind(t, err, tt.want)
			if tt.want == 0 && string(got) != "hello" || len(got) > 5 {
				t.Errorf("read %q", got)
			}
		})
	}
}

func TestSmallChunks(t *testing.T) {
	content := bytes.Repeat([]byte("x"), 2*minChunk)
	for name, tt := range map[string]struct {
		mode  Payload
		sizes []int
		want  Kind
	}{
		"large enough":         {StreamingSigned, []int{minChunk}, 0},
		"the last may be less": {StreamingSigned, []int{2*minChunk - 1}, 0},
		"one too small":        {StreamingSigned, []int{minChunk - 1}, SmallChunk},
		"unsigned":             {StreamingUnsignedTrailer, []int{1, 1, 1}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			r, p, raw := upload(t, tt.mode, "", content, tt.sizes...)
			_, err := readBody(r, p, raw, BodyOptions{})
			checkKind(t, err, tt.want)
			if e, ok := errors.AsType[*Error](err); ok && (e.Fields["Chunk"] != "1" || e.Fields["BadChunkSize"] != "8191") {
				t.Errorf("fields %v", e.Fields)
			}
		})
	}
}

func TestDeferredChecksum(t *testing.T) {
	r, p, _ := upload(t, StreamingUnsignedTrailer, "crc32", []byte("hello"))
	r.Header.Set("X-Amz-Trailer", "x-amz-checksum-xxhash64")
	r.Body = io.NopCloser(strings.NewReader("5\r\nhello\r\n0\r\nx-amz-checksum-xxhash64:AAAAAAAAAAA=\r\n\r\n"))
	b, err := NewBody(r, p, BodyOptions{DeferChecksum: true})
	if err != nil {
		t.Fatal(err)
	}
	if b.TrailerName() != "x-amz-checksum-xxhash64" || b.Trailer() != "" {
		t.Errorf("before the end: %q is %q", b.TrailerName(), b.Trailer())
	}
	if _, err := io.ReadAll(b); err != nil || b.Trailer() != "AAAAAAAAAAA=" {
		t.Errorf("trailer %q: %v", b.Trailer(), err)
	}
}

func TestHashedBody(t *testing.T) {
	content := []byte("red tomatoes")
	digest := sha256.Sum256(content)
	for name, tt := range map[string]struct {
		sent string
		want Kind
	}{
		"the same": {"red tomatoes", 0},
		"another":  {"red potatoes", PayloadMismatch},
		"less":     {"red tomatoe", PayloadMismatch},
		"more":     {"red tomatoes!", PayloadMismatch},
		"nothing":  {"", PayloadMismatch},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRequest(t, "PUT", "http://lakegate.internal/red/key")
			if _, err := s3Signer().Sign(r, hex.EncodeToString(digest[:]), testTime()); err != nil {
				t.Fatal(err)
			}
			sig, err := Parse(r)
			if err != nil {
				t.Fatal(err)
			}
			p, err := sig.Verify(r, testSecret, s3Options())
			if err != nil {
				t.Fatal(err)
			}
			_, err = readBody(r, p, []byte(tt.sent), BodyOptions{})
			checkKind(t, err, tt.want)
		})
	}
}

func TestBodyOfAnAnonymousRequest(t *testing.T) {
	for name, tt := range map[string]struct {
		payload, body string
		want          Kind
	}{
		"nothing said":        {"", "hello", 0},
		"unsigned":            {UnsignedPayload, "hello", 0},
		"hash":                {EmptyPayload, "", 0},
		"wrong hash":          {EmptyPayload, "hello", PayloadMismatch},
		"unsigned chunks":     {StreamingUnsignedTrailer, "5\r\nhello\r\n0\r\n\r\n", 0},
		"signed chunks":       {StreamingSigned, "5\r\nhello\r\n0\r\n\r\n", BadPayloadHash},
		"signed with trailer": {StreamingSignedTrailer, "5\r\nhello\r\n0\r\n\r\n", BadPayloadHash},
		"unknown":             {"hello", "hello", BadPayloadHash},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRequest(t, "PUT", "http://lakegate.internal/red/key", "X-Amz-Decoded-Content-Length", "5")
			if tt.payload != "" {
				r.Header.Set("X-Amz-Content-Sha256", tt.payload)
			}
			_, err := readBody(r, nil, []byte(tt.body), BodyOptions{})
			checkKind(t, err, tt.want)
		})
	}
}

// The check values of the algorithms for "123456789", from the catalogue of CRCs and from S3's documentation.
func TestChecksums(t *testing.T) {
	for algorithm, want := range map[string]string{
		"crc32": "cbf43926", "crc32c": "e3069283", "crc64nvme": "ae8b14860a799888",
		"sha1": "f7c3bc1d808e04732adf679965ccc34ca7ae3441", "md5": "25f9e794323b453885f5181f1b624d0b",
		"sha256": "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225",
	} {
		h := NewChecksum(algorithm)
		h.Write([]byte("123456789"))
		if got := hex.EncodeToString(h.Sum(nil)); got != want {
			t.Errorf("%s is %s, want %s", algorithm, got, want)
		}
	}
	if NewChecksum("crc16") != nil {
		t.Error("crc16 is none of S3's")
	}
}
