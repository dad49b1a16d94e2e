package storage_test

import (
	"bytes"
	"io"
	"net"
	"testing"

	"github.com/lakegate/lakegate/internal/storage"
)

func BenchmarkPut4KiB(b *testing.B) {
	bucket, content := newBucket(b), pattern(4<<10)
	b.SetBytes(int64(len(content)))
	for b.Loop() {
		_, err := shared.PutObject(b.Context(), &storage.PutObjectInput{Bucket: bucket, Key: "d/k", Body: storage.Body{Reader: bytes.NewReader(content), Size: int64(len(content))}})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// toConnection reads an object into a connection of the loopback interface, as a server would.
func toConnection(b *testing.B, size int) {
	bucket := newBucket(b)
	put(b, bucket, "d/k", string(pattern(size)))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	go func() {
		if c, err := l.Accept(); err == nil {
			_, _ = io.Copy(struct{ io.Writer }{io.Discard}, c)
		}
	}()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	b.SetBytes(int64(size))
	for b.Loop() {
		o, err := shared.GetObject(b.Context(), &storage.GetObjectInput{ObjectRef: current(bucket, "d/k")})
		if err != nil {
			b.Fatal(err)
		}
		if n, err := io.Copy(c, o.Body); err != nil || n != int64(size) {
			b.Fatal(n, err)
		}
		_ = o.Body.Close()
	}
}

func BenchmarkGet4KiB(b *testing.B)  { toConnection(b, 4<<10) }
func BenchmarkGet64MiB(b *testing.B) { toConnection(b, 64<<20) }

func BenchmarkHead(b *testing.B) {
	bucket := newBucket(b)
	put(b, bucket, "d/k", "x")
	for b.Loop() {
		if _, err := shared.HeadObject(b.Context(), &storage.GetObjectInput{ObjectRef: current(bucket, "d/k")}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPut64MiB(b *testing.B) {
	bucket, content := newBucket(b), pattern(64<<20)
	b.SetBytes(int64(len(content)))
	for b.Loop() {
		_, err := shared.PutObject(b.Context(), &storage.PutObjectInput{Bucket: bucket, Key: "d/k", Body: storage.Body{Reader: bytes.NewReader(content), Size: int64(len(content))}})
		if err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkList1000(b *testing.B) {
	bucket := newBucket(b)
	for i := range 1000 {
		put(b, bucket, "d/"+string(rune('a'+i%26))+"/"+string(rune('a'+i/26%26))+string(rune('a'+i/676)), "")
	}
	for b.Loop() {
		out, err := shared.ListObjects(b.Context(), &storage.ListObjectsInput{Bucket: bucket, MaxKeys: 1000})
		if err != nil || len(out.Objects) != 1000 {
			b.Fatal(len(out.Objects), err)
		}
	}
}
