package storage_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lakegate/lakegate/internal/storage"
)

// The test binary runs itself as another process, since a process has one storage: to be killed, to look at what is left,
// or to run tests on a storage that keeps attributes beside the objects.
const (
	roleVariable = "STORAGE_TEST_ROLE"
	dirVariable  = "STORAGE_TEST_DIR"
)

func again(t *testing.T, role, dir string, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe, args...) //nolint:gosec // this test binary
	cmd.Env = append(os.Environ(), roleVariable+"="+role, dirVariable+"="+dir)
	cmd.Stderr = os.Stderr
	return cmd
}

// play is a process in a role; ok is false in the ordinary test process.
func play() (status int, ok bool) {
	ctx, dir := context.Background(), os.Getenv(dirVariable)
	var err error
	switch os.Getenv(roleVariable) {
	case "writer":
		err = write(ctx, dir)
	case "reader":
		err = check(ctx, dir)
	case "cut short":
		err = cutShort(ctx, dir)
	default:
		return 0, false
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1, true
	}
	return 0, true
}

func generation(i, n int) string { return strings.Repeat(fmt.Sprintf("%d.%d ", i, n), 20000) }

// write overwrites a few versioned objects without end, by put and in parts, and tells each version that was acknowledged.
func write(ctx context.Context, dir string) error {
	s, err := storage.OpenEmbedded(ctx, dir, nil)
	if err != nil {
		return err
	}
	if err := s.CreateBucket(ctx, storage.CreateBucketInput{Bucket: "bucket"}); err != nil && code(err) != "BucketAlreadyExists" {
		return err
	}
	if err := s.PutBucketVersioning(ctx, "bucket", storage.Enabled); err != nil {
		return err
	}
	for n := 0; ; n++ {
		for i := range 4 {
			key, text := fmt.Sprintf("d/%d", i), generation(i, n)
			var out *storage.PutObjectOutput
			if i%2 == 0 {
				out, err = s.PutObject(ctx, &storage.PutObjectInput{Bucket: "bucket", Key: key, Body: body(text), Tags: map[string]string{"n": fmt.Sprint(n)}, Headers: storage.Headers{Metadata: map[string]string{"long": strings.Repeat("x", 1000)}}})
			} else {
				out, err = writeParts(ctx, s, key, text, n)
			}
			if err != nil {
				return err
			}
			fmt.Printf("%s %s %d %d\n", key, out.VersionID, i, n)
		}
	}
}

func writeParts(ctx context.Context, s *storage.Embedded, key, text string, n int) (*storage.PutObjectOutput, error) {
	up, err := s.CreateMultipartUpload(ctx, &storage.CreateMultipartUploadInput{Bucket: "bucket", Key: key, Tags: map[string]string{"n": fmt.Sprint(n)}})
	if err != nil {
		return nil, err
	}
	ref := storage.UploadRef{Bucket: "bucket", Key: key, UploadID: up.UploadID}
	p, err := s.UploadPart(ctx, &storage.UploadPartInput{UploadRef: ref, PartNumber: 1, Body: body(text)})
	if err != nil {
		return nil, err
	}
	return s.CompleteMultipartUpload(ctx, &storage.CompleteMultipartUploadInput{UploadRef: ref, Parts: []storage.CompletedPart{{PartNumber: 1, ETag: p.ETag}}})
}

// check reads the acknowledged versions from its input and everything else from the storage.
func check(ctx context.Context, dir string) error {
	s, err := storage.OpenEmbedded(ctx, dir, nil)
	if err != nil {
		return err
	}
	acknowledged := 0
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		var key, version string
		var i, n int
		if _, err := fmt.Sscan(in.Text(), &key, &version, &i, &n); err != nil {
			break // the last line, cut
		}
		if err := whole(ctx, s, storage.ObjectRef{Bucket: "bucket", Key: key, VersionID: version}, generation(i, n), fmt.Sprint(n)); err != nil {
			return err
		}
		acknowledged++
	}
	// What was not acknowledged is there whole or not at all.
	all, err := s.ListObjectVersions(ctx, &storage.ListObjectVersionsInput{Bucket: "bucket", MaxKeys: storage.MaxPage})
	if err != nil {
		return err
	}
	for _, v := range all.Versions {
		ref := storage.ObjectRef{Bucket: "bucket", Key: v.Key, VersionID: v.VersionID}
		tags, err := s.GetObjectTagging(ctx, ref)
		if err != nil {
			return err
		}
		var i, n int
		if _, err := fmt.Sscanf(v.Key+" "+tags.Tags["n"], "d/%d %d", &i, &n); err != nil {
			return fmt.Errorf("version %v has the tags %v: %w", ref, tags.Tags, err)
		}
		if err := whole(ctx, s, ref, generation(i, n), fmt.Sprint(n)); err != nil {
			return err
		}
	}
	// Uploads that were cut short can be thrown away, and then the bucket can be emptied and deleted.
	ups, err := s.ListMultipartUploads(ctx, &storage.ListMultipartUploadsInput{Bucket: "bucket", MaxUploads: storage.MaxPage})
	if err != nil {
		return err
	}
	for _, u := range ups.Uploads {
		if err := s.AbortMultipartUpload(ctx, storage.UploadRef{Bucket: "bucket", Key: u.Key, UploadID: u.UploadID}); err != nil {
			return err
		}
	}
	fmt.Println(acknowledged)
	return s.Close()
}

func whole(ctx context.Context, s *storage.Embedded, ref storage.ObjectRef, want, tag string) error {
	o, err := s.GetObject(ctx, &storage.GetObjectInput{ObjectRef: ref})
	if err != nil {
		return fmt.Errorf("version %v: %w", ref, err)
	}
	defer func() { _ = o.Body.Close() }()
	got, err := io.ReadAll(o.Body)
	if err != nil {
		return err
	}
	tags, err := s.GetObjectTagging(ctx, ref)
	if err != nil {
		return err
	}
	if string(got) != want || tags.Tags["n"] != tag || o.ETag == "" {
		return fmt.Errorf("version %v: %d bytes of %d, tags %v, ETag %s", ref, len(got), len(want), tags.Tags, o.ETag)
	}
	return nil
}

func TestKilledWriterLosesNothing(t *testing.T) {
	dir := t.TempDir()
	for round := range 4 {
		writer := again(t, "writer", dir)
		out, err := writer.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := writer.Start(); err != nil {
			t.Fatal(err)
		}
		var heard bytes.Buffer
		lines := bufio.NewReader(out)
		for range 20 + 7*round {
			l, err := lines.ReadString('\n')
			if err != nil {
				t.Fatalf("the writer ended by itself: %v", err)
			}
			heard.WriteString(l)
		}
		if err := writer.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		rest, _ := io.ReadAll(lines)
		heard.Write(rest)
		_ = writer.Wait()
		reader := again(t, "reader", dir)
		reader.Stdin = &heard
		if out, err := reader.Output(); err != nil {
			t.Fatalf("after a kill: %v %s", err, out)
		}
	}
}

// cutShort lays what a process leaves that is killed while it assembles an object, while it stages a write and while it
// deletes a bucket, and opens the storage on it.
func cutShort(ctx context.Context, dir string) error {
	s, err := storage.OpenEmbedded(ctx, dir, nil)
	if err != nil {
		return err
	}
	if err := s.CreateBucket(ctx, storage.CreateBucketInput{Bucket: "bucket"}); err != nil {
		return err
	}
	up, err := s.CreateMultipartUpload(ctx, &storage.CreateMultipartUploadInput{Bucket: "bucket", Key: "k", Tags: map[string]string{"a": "b"}})
	if err != nil {
		return err
	}
	ref := storage.UploadRef{Bucket: "bucket", Key: "k", UploadID: up.UploadID}
	p, err := s.UploadPart(ctx, &storage.UploadPartInput{UploadRef: ref, PartNumber: 1, Body: body("content")})
	if err != nil {
		return err
	}
	if err := s.Close(); err != nil {
		return err
	}
	staging := filepath.Join(dir, "objects/bucket/.sgwtmp")
	found, err := filepath.Glob(filepath.Join(staging, "multipart/*", up.UploadID))
	if err != nil || len(found) != 1 {
		return fmt.Errorf("uploads on disk: %v, %w", found, err)
	}
	leftovers := []string{filepath.Join(staging, "staged"), filepath.Join(dir, "trash/delete-x/y")}
	err = errors.Join(os.Rename(found[0], found[0]+".0123-1.inprogress"), os.WriteFile(leftovers[0], nil, 0o600), os.MkdirAll(leftovers[1], 0o700))
	if err != nil {
		return err
	}
	if s, err = storage.OpenEmbedded(ctx, dir, nil); err != nil {
		return err
	}
	for _, l := range leftovers {
		if _, err := os.Lstat(l); err == nil {
			return fmt.Errorf("%s is still there", l)
		}
	}
	if _, err := s.CompleteMultipartUpload(ctx, &storage.CompleteMultipartUploadInput{UploadRef: ref, Parts: []storage.CompletedPart{{PartNumber: 1, ETag: p.ETag}}}); err != nil {
		return err
	}
	info, err := s.HeadObject(ctx, &storage.GetObjectInput{ObjectRef: current("bucket", "k")})
	if err != nil || info.TagCount != 1 || info.Size != 7 {
		return fmt.Errorf("object = %+v, %w", info, err)
	}
	return s.Close()
}

func TestOpeningRepairsWhatAKillLeft(t *testing.T) {
	cmd := again(t, "cut short", t.TempDir())
	cmd.Stderr = nil
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// TestAttributesBesideObjects runs the tests of everything but versions and locks as on a file system without extended
// attributes.
func TestAttributesBesideObjects(t *testing.T) {
	if shared.Beside() {
		t.Skip("this is that run")
	}
	const tests = "^(TestPut|TestOverwrite|TestBroken|TestChecksum|TestRange|TestConditional|TestOneOfManyFirst|TestMissing|TestFolder|TestCopy$|TestTags|TestList|TestContinuation|TestKeys|TestBucketNames|TestLost|TestMultipart|TestCompleteRefusals|TestUpload|TestEverything|TestDeleteBucket|TestBeside)"
	cmd := again(t, "beside", t.TempDir(), "-test.v", "-test.run="+tests, "-rapid.checks=30")
	cmd.Stderr = nil
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if n := bytes.Count(out, []byte("\n--- PASS")); n < 20 {
		t.Errorf("only %d tests ran:\n%s", n, out)
	}
}

// TestBesideRefusesWhatItCannotKeep is for that run alone.
func TestBesideRefusesWhatItCannotKeep(t *testing.T) {
	if !shared.Beside() {
		t.Skip("this file system has extended attributes")
	}
	b := newBucket(t)
	wantCode(t, "versioning", shared.PutBucketVersioning(t.Context(), b, storage.Enabled), "NotImplemented")
	wantCode(t, "object lock", shared.CreateBucket(t.Context(), storage.CreateBucketInput{Bucket: b + "-locked", ObjectLock: true}), "NotImplemented")
	for op, err := range everything(t, b, "x/meta/etag") {
		wantCode(t, op, err, "InvalidArgument")
	}
}
