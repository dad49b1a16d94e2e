package storage_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/lakegate/lakegate/internal/storage"
)

// One storage for the whole test binary, as there is one working directory. Each test has a bucket of its own.
var (
	shared    *storage.Embedded
	sharedDir string
	buckets   atomic.Int64
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if status, ok := play(); ok {
		return status
	}
	dir, err := os.MkdirTemp("", "storage")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	open := storage.OpenEmbedded
	if os.Getenv(roleVariable) == "beside" {
		open = storage.OpenBeside
	}
	if shared, err = open(context.Background(), dir, slog.New(slog.DiscardHandler), storage.On(onPlatter)); err != nil {
		panic(err)
	}
	defer func() { _ = shared.Close() }()
	sharedDir = dir
	return m.Run()
}

func newBucket(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("bucket-%d", buckets.Add(1))
	if err := shared.CreateBucket(t.Context(), storage.CreateBucketInput{Bucket: name}); err != nil {
		t.Fatal(err)
	}
	return name
}

func versionedBucket(t testing.TB) string {
	t.Helper()
	name := newBucket(t)
	if err := shared.PutBucketVersioning(t.Context(), name, storage.Enabled); err != nil {
		t.Fatal(err)
	}
	return name
}

func body(s string) storage.Body {
	return storage.Body{Reader: strings.NewReader(s), Size: int64(len(s))}
}

func put(t testing.TB, bucket, key, content string) *storage.PutObjectOutput {
	t.Helper()
	out, err := shared.PutObject(t.Context(), &storage.PutObjectInput{Bucket: bucket, Key: key, Body: body(content)})
	if err != nil {
		t.Fatalf("put %q: %v", key, err)
	}
	return out
}

// content is what the object holds, or the code of the error.
func content(t testing.TB, ref storage.ObjectRef) string {
	t.Helper()
	o, err := shared.GetObject(t.Context(), &storage.GetObjectInput{ObjectRef: ref})
	if err != nil {
		return code(err)
	}
	defer func() { _ = o.Body.Close() }()
	b, err := io.ReadAll(o.Body)
	if err != nil {
		t.Fatal(err)
	}
	if int64(len(b)) != o.Length() {
		t.Errorf("body of %v has %d bytes, announced %d", ref, len(b), o.Length())
	}
	return string(b)
}

func current(bucket, key string) storage.ObjectRef {
	return storage.ObjectRef{Bucket: bucket, Key: key}
}

func code(err error) string {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*storage.Error](err); ok {
		return e.Code
	}
	return "unmodelled: " + err.Error()
}

func wantCode(t testing.TB, what string, err error, want string) {
	t.Helper()
	if got := code(err); got != want {
		t.Errorf("%s: %q, want %q (%v)", what, got, want, err)
	}
}

func pattern(n int) []byte { return bytes.Repeat([]byte("0123456789abcdef"), n/16+1)[:n] }
