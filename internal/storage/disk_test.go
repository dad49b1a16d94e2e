package storage_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lakegate/lakegate/internal/storage"
)

// platter notes what a storage forces to the disk, and fails from a time on.
type platter struct {
	bucket string
	events []string
	left   int // how often it still works; negative is always
}

var errPlatter = errors.New("the disk is gone")

// turning is the platter of the test that runs, if it has one.
var turning *platter

func onPlatter(file *os.File, path string) error {
	if turning == nil {
		return nil
	}
	return turning.force(file, path)
}

// force notes "content" with the text of a file that has no name yet, or the path below the folder of the storage.
func (p *platter) force(file *os.File, path string) error {
	if p.left == 0 {
		return errPlatter
	}
	p.left--
	if file != nil {
		text, err := io.ReadAll(io.NewSectionReader(file, 0, 1<<20))
		if err != nil {
			return err
		}
		p.events = append(p.events, "content "+string(text))
		return nil
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(sharedDir, "objects", path) // as the library names files
	}
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	rel, err := filepath.Rel(sharedDir, path)
	if err != nil {
		return err
	}
	p.events = append(p.events, strings.ReplaceAll(rel, p.bucket, "bucket"))
	return nil
}

// newPlatter begins a test's platter, with a bucket that has versions.
func newPlatter(t *testing.T) *platter {
	t.Helper()
	if shared.Beside() {
		t.Skip("there are no versions")
	}
	p := &platter{bucket: versionedBucket(t), left: -1}
	turning = p
	t.Cleanup(func() { turning = nil })
	return p
}

// writes are all operations that change something, each after what it needs. forced is what must be on the disk, in this
// order, before the operation answers.
var writes = []struct {
	name   string
	before func(ctx context.Context, bucket string) (storage.UploadRef, error)
	do     func(ctx context.Context, bucket string, ref storage.UploadRef) error
	forced []string
}{
	{"CreateBucket", nil, func(ctx context.Context, bucket string, _ storage.UploadRef) error {
		return shared.CreateBucket(ctx, storage.CreateBucketInput{Bucket: bucket + "-another"})
	}, []string{"objects/bucket-another", "objects"}},
	{"DeleteBucket", func(ctx context.Context, bucket string) (storage.UploadRef, error) {
		return storage.UploadRef{}, shared.CreateBucket(ctx, storage.CreateBucketInput{Bucket: bucket + "-another"})
	}, func(ctx context.Context, bucket string, _ storage.UploadRef) error {
		return shared.DeleteBucket(ctx, bucket+"-another")
	}, []string{"objects"}},
	{"PutObject", nil, putText("new"), []string{"content new", "objects/bucket/a/b/c", "objects/bucket/a/b", "objects/bucket/a", "objects/bucket"}},
	{"PutObject over another", putOld, putText("new"), []string{"content new", "objects/bucket/a/b/c", "objects/bucket/a/b", "objects/bucket", "versions/bucket", "versions"}},
	{"PutObject of a folder", nil, func(ctx context.Context, bucket string, _ storage.UploadRef) error {
		_, err := shared.PutObject(ctx, &storage.PutObjectInput{Bucket: bucket, Key: "a/b/", Body: body("")})
		return err
	}, []string{"objects/bucket/a/b", "objects/bucket/a", "objects/bucket"}},
	{"PutObject with long metadata", nil, func(ctx context.Context, bucket string, _ storage.UploadRef) error {
		_, err := shared.PutObject(ctx, &storage.PutObjectInput{Bucket: bucket, Key: "k", Body: body("new"), Headers: storage.Headers{Metadata: map[string]string{"long": strings.Repeat("x", 1500)}}})
		return err
	}, []string{"content new", "attributes", "objects/bucket/k", "objects/bucket"}},
	{"CopyObject", putOld, func(ctx context.Context, bucket string, _ storage.UploadRef) error {
		_, err := shared.CopyObject(ctx, &storage.CopyObjectInput{Source: storage.ObjectRef{Bucket: bucket, Key: "a/b/c"}, Bucket: bucket, Key: "copy"})
		return err
	}, []string{"content old", "objects/bucket/copy", "objects/bucket"}},
	{"DeleteObject", putOld, func(ctx context.Context, bucket string, _ storage.UploadRef) error {
		_, err := shared.DeleteObject(ctx, &storage.DeleteObjectInput{ObjectRef: storage.ObjectRef{Bucket: bucket, Key: "a/b/c"}})
		return err
	}, []string{"objects/bucket/a/b/c", "objects/bucket/a/b", "objects/bucket", "versions/bucket", "versions"}},
	{"DeleteObject of a version", putOld, func(ctx context.Context, bucket string, _ storage.UploadRef) error {
		o, err := shared.HeadObject(ctx, &storage.GetObjectInput{ObjectRef: storage.ObjectRef{Bucket: bucket, Key: "a/b/c"}})
		if err != nil {
			return err
		}
		_, err = shared.DeleteObject(ctx, &storage.DeleteObjectInput{ObjectRef: storage.ObjectRef{Bucket: bucket, Key: "a/b/c", VersionID: o.VersionID}})
		return err
	}, []string{"objects/bucket"}},
	{"PutObjectTagging", putOld, func(ctx context.Context, bucket string, _ storage.UploadRef) error {
		_, err := shared.PutObjectTagging(ctx, storage.ObjectRef{Bucket: bucket, Key: "a/b/c"}, map[string]string{"a": "b"})
		return err
	}, []string{"objects/bucket/a/b/c"}},
	{"CreateMultipartUpload", nil, func(ctx context.Context, bucket string, _ storage.UploadRef) error {
		_, err := beginUpload(ctx, bucket)
		return err
	}, []string{"objects/bucket/.sgwtmp/multipart/*/*", "objects/bucket/.sgwtmp/multipart/*", "objects/bucket/.sgwtmp/multipart", "objects/bucket/.sgwtmp", "objects/bucket"}},
	{"UploadPart", beginUpload, func(ctx context.Context, bucket string, ref storage.UploadRef) error {
		_, err := shared.UploadPart(ctx, &storage.UploadPartInput{UploadRef: ref, PartNumber: 1, Body: body("part")})
		return err
	}, []string{"content part", "objects/bucket/.sgwtmp/multipart/*/*/1", "objects/bucket/.sgwtmp/multipart/*/*"}},
	{"CompleteMultipartUpload", func(ctx context.Context, bucket string) (storage.UploadRef, error) {
		ref, err := beginUpload(ctx, bucket)
		if err == nil {
			_, err = shared.UploadPart(ctx, &storage.UploadPartInput{UploadRef: ref, PartNumber: 1, Body: body("part")})
		}
		return ref, err
	}, func(ctx context.Context, bucket string, ref storage.UploadRef) error {
		parts, err := shared.ListParts(ctx, &storage.ListPartsInput{UploadRef: ref, MaxParts: 10})
		if err != nil {
			return err
		}
		_, err = shared.CompleteMultipartUpload(ctx, &storage.CompleteMultipartUploadInput{UploadRef: ref, Parts: []storage.CompletedPart{{PartNumber: 1, ETag: parts.Parts[0].ETag}}})
		return err
	}, []string{"content part", "objects/bucket/a/b/c", "objects/bucket/a/b", "objects/bucket/a", "objects/bucket"}},
}

func putText(text string) func(context.Context, string, storage.UploadRef) error {
	return func(ctx context.Context, bucket string, _ storage.UploadRef) error {
		_, err := shared.PutObject(ctx, &storage.PutObjectInput{Bucket: bucket, Key: "a/b/c", Body: body(text)})
		return err
	}
}

func putOld(ctx context.Context, bucket string) (storage.UploadRef, error) {
	return storage.UploadRef{}, putText("old")(ctx, bucket, storage.UploadRef{})
}

func beginUpload(ctx context.Context, bucket string) (storage.UploadRef, error) {
	up, err := shared.CreateMultipartUpload(ctx, &storage.CreateMultipartUploadInput{Bucket: bucket, Key: "a/b/c"})
	if err != nil {
		return storage.UploadRef{}, err
	}
	return storage.UploadRef{Bucket: bucket, Key: "a/b/c", UploadID: up.UploadID}, nil
}

// TestAnsweredIsOnTheDisk: what an operation wrote is forced to the disk before it answers, contents before names; and where
// the disk fails at any of the times, the operation does.
func TestAnsweredIsOnTheDisk(t *testing.T) {
	for _, w := range writes {
		prepare := func(t *testing.T) (*platter, storage.UploadRef) {
			t.Helper()
			p := newPlatter(t)
			var ref storage.UploadRef
			if w.before != nil {
				var err error
				if ref, err = w.before(t.Context(), p.bucket); err != nil {
					t.Fatal(err)
				}
			}
			p.events = nil
			return p, ref
		}
		times := 0
		t.Run(w.name, func(t *testing.T) {
			p, ref := prepare(t)
			before := p.left
			if err := w.do(t.Context(), p.bucket, ref); err != nil {
				t.Fatal(err)
			}
			if times = before - p.left; times == 0 {
				t.Error("nothing is forced")
			}
			rest := p.events
			for _, want := range w.forced {
				i := slices.IndexFunc(rest, func(event string) bool { ok, _ := filepath.Match(want, event); return ok })
				if i < 0 {
					t.Fatalf("%q is not forced in its turn; forced were %q", want, p.events)
				}
				rest = rest[i+1:]
			}
		})
		for n := range times {
			t.Run(w.name+" on a disk that fails", func(t *testing.T) {
				p, ref := prepare(t)
				p.left = n
				if err := w.do(t.Context(), p.bucket, ref); err == nil {
					t.Errorf("success, although the disk failed at the time %d of %d", n+1, times)
				}
			})
		}
	}
}

// TestAContentThatIsNotOnTheDiskGetsNoName: the object is what it was.
func TestAContentThatIsNotOnTheDiskGetsNoName(t *testing.T) {
	p := newPlatter(t)
	if _, err := putOld(t.Context(), p.bucket); err != nil {
		t.Fatal(err)
	}
	p.left = 0
	if err := putText("new")(t.Context(), p.bucket, storage.UploadRef{}); err == nil {
		t.Fatal("a content that could not be forced was taken")
	}
	p.left = -1
	o, err := shared.GetObject(t.Context(), &storage.GetObjectInput{ObjectRef: storage.ObjectRef{Bucket: p.bucket, Key: "a/b/c"}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = o.Body.Close() }()
	if text, err := io.ReadAll(o.Body); err != nil || string(text) != "old" {
		t.Errorf("read %q, %v", text, err)
	}
}
