package sigv4

import (
	"bytes"
	"io"
	"testing"
)

func BenchmarkVerify(b *testing.B) {
	r := signed(b, "GET", "http://lakegate.internal:9420/red/2026/11/sales.csv?x-id=GetObject", "Accept-Encoding", "identity", "X-Amz-Checksum-Mode", "ENABLED", "Amz-Sdk-Request", "attempt=1; max=3")
	for name, cache := range map[string]*KeyCache{"cached": {}, "derived": nil} {
		b.Run(name, func(b *testing.B) {
			o := s3Options()
			o.Keys = cache
			b.ReportAllocs()
			for b.Loop() {
				sig, err := Parse(r)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := sig.Verify(r, testSecret, o); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkSign(b *testing.B) {
	s := s3Signer()
	s.Keys = &KeyCache{}
	r := newRequest(b, "GET", "http://lakegate.internal:9420/red/2026/11/sales.csv")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Sign(r, UnsignedPayload, testTime()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkChunks(b *testing.B) {
	content := bytes.Repeat([]byte("x"), 8<<20)
	sizes := make([]int, 127)
	for i := range sizes {
		sizes[i] = 64 << 10
	}
	for _, mode := range []Payload{StreamingSigned, StreamingUnsignedTrailer} {
		b.Run(string(mode), func(b *testing.B) {
			r, p, raw := upload(b, mode, "", content, sizes...)
			b.SetBytes(int64(len(content)))
			b.ReportAllocs()
			for b.Loop() {
				r.Body = io.NopCloser(bytes.NewReader(raw))
				body, err := NewBody(r, p, BodyOptions{})
				if err != nil {
					b.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
