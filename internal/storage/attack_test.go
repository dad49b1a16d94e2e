package storage_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/lakegate/lakegate/internal/storage"
)

// everything tries each operation that takes a key and reports which of them did not refuse.
func everything(t *testing.T, bucket, key string) map[string]error {
	ctx, ref := t.Context(), current(bucket, key)
	upload := storage.UploadRef{Bucket: bucket, Key: key, UploadID: "2d4ab64a-5b35-4d1b-9c0e-5f3bd1b3c0f1"}
	errs := map[string]error{}
	_, errs["get"] = shared.GetObject(ctx, &storage.GetObjectInput{ObjectRef: ref})
	_, errs["head"] = shared.HeadObject(ctx, &storage.GetObjectInput{ObjectRef: ref})
	_, errs["attributes"] = shared.GetObjectAttributes(ctx, ref)
	_, errs["put"] = shared.PutObject(ctx, &storage.PutObjectInput{Bucket: bucket, Key: key, Body: body("evil")})
	_, errs["put if none"] = shared.PutObject(ctx, &storage.PutObjectInput{Bucket: bucket, Key: key, Body: body("evil"), IfNoneMatch: "*"})
	_, errs["delete"] = shared.DeleteObject(ctx, &storage.DeleteObjectInput{ObjectRef: ref})
	_, errs["copy from"] = shared.CopyObject(ctx, &storage.CopyObjectInput{Source: ref, Bucket: bucket, Key: "copied"})
	_, errs["copy to"] = shared.CopyObject(ctx, &storage.CopyObjectInput{Source: current(bucket, "good"), Bucket: bucket, Key: key})
	_, errs["tags"] = shared.GetObjectTagging(ctx, ref)
	_, errs["put tags"] = shared.PutObjectTagging(ctx, ref, map[string]string{"a": "b"})
	_, errs["create upload"] = shared.CreateMultipartUpload(ctx, &storage.CreateMultipartUploadInput{Bucket: bucket, Key: key})
	_, errs["part"] = shared.UploadPart(ctx, &storage.UploadPartInput{UploadRef: upload, PartNumber: 1, Body: body("evil")})
	_, errs["part copy"] = shared.UploadPartCopy(ctx, &storage.UploadPartCopyInput{UploadRef: upload, PartNumber: 1, Source: current(bucket, "good")})
	_, errs["complete"] = shared.CompleteMultipartUpload(ctx, &storage.CompleteMultipartUploadInput{UploadRef: upload, Parts: []storage.CompletedPart{{PartNumber: 1, ETag: strings.Repeat("0", 32)}}})
	errs["abort"] = shared.AbortMultipartUpload(ctx, upload)
	_, errs["parts"] = shared.ListParts(ctx, &storage.ListPartsInput{UploadRef: upload, MaxParts: 1})
	_, errs["retention"] = shared.GetObjectRetention(ctx, ref)
	errs["put retention"] = shared.PutObjectRetention(ctx, &storage.PutRetentionInput{ObjectRef: ref})
	_, errs["hold"] = shared.GetObjectLegalHold(ctx, ref)
	errs["put hold"] = shared.PutObjectLegalHold(ctx, ref, true)
	return errs
}

// snapshot is every path outside of what the bucket may change, with what it holds.
func snapshot(t *testing.T, dir, except string) map[string]string {
	t.Helper()
	seen := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == except {
			if path == except {
				return fs.SkipDir
			}
			return err
		}
		if d.Type().IsRegular() {
			b, err := os.ReadFile(path)
			seen[path] = string(b)
			return err
		}
		seen[path] = d.Type().String()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return seen
}

func sameSnapshot(t *testing.T, what string, before, after map[string]string) {
	t.Helper()
	for p, v := range after {
		if w, ok := before[p]; !ok || w != v {
			t.Errorf("%s: %s was made or changed: %.60q", what, p, v)
		}
	}
	for p := range before {
		if _, ok := after[p]; !ok {
			t.Errorf("%s: %s is gone", what, p)
		}
	}
}

// TestKeysCannotLeaveTheirBucket aims keys at files that exist outside of the bucket.
func TestKeysCannotLeaveTheirBucket(t *testing.T) {
	b, victim := newBucket(t), newBucket(t)
	put(t, b, "good", "x")
	put(t, b, "dir/good", "x")
	put(t, victim, "secret", "secret")
	upload, err := shared.CreateMultipartUpload(t.Context(), &storage.CreateMultipartUploadInput{Bucket: b, Key: "up", Headers: storage.Headers{ContentType: "secret/type"}})
	if err != nil {
		t.Fatal(err)
	}
	outside := filepath.Join(sharedDir, "outside")
	if err := os.WriteFile(outside, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	before := snapshot(t, sharedDir, filepath.Join(sharedDir, "objects", b, ".sgwtmp"))
	for _, key := range []string{
		"../" + victim + "/secret", "..", ".", "./good", "../../outside", "dir/../../" + victim + "/secret", "dir/../good", "dir/./good", "dir//good", "//good", "/good", "/", "//",
		outside, "dir/..", "dir/.", "dir/../", "good/../../" + victim + "/secret", "\x00", "good\x00", "dir/\x00/good", "a\xff", "", ".sgwtmp", ".sgwtmp/", ".sgwtmp/multipart",
		".sgwtmp/multipart/x/" + upload.UploadID, "dir/.sgwtmp/x", ".SGWTMP/x", ".good.sgwtmp.123", "dir/.good.sgwtmp.1/x", strings.Repeat("k", 1025), strings.Repeat("k", 228), "dir/" + strings.Repeat("k", 228) + "/x",
	} {
		for op, err := range everything(t, b, key) {
			if err == nil {
				t.Errorf("%s of %q was let through", op, key)
			} else if c := code(err); c != "InvalidArgument" && c != "KeyTooLongError" {
				t.Errorf("%s of %q: %v", op, key, err)
			}
		}
	}
	sameSnapshot(t, "keys", before, snapshot(t, sharedDir, filepath.Join(sharedDir, "objects", b, ".sgwtmp")))
}

func TestBucketNamesCannotLeaveTheFolder(t *testing.T) {
	b := newBucket(t)
	put(t, b, "good", "x")
	before := snapshot(t, sharedDir, filepath.Join(sharedDir, "objects", b, ".sgwtmp"))
	for _, name := range []string{"", ".", "..", "../versions", b + "/", b + "/../" + b, "/" + b, sharedDir, "UPPER" + b, "a", "ab", "-abc", "abc-", ".abc", "abc.", "a..b", "a b c", "a\x00bc", strings.Repeat("a", 64), ".vgwlocks", "äöü"} {
		for op, err := range everything(t, name, "good") {
			if code(err) != "InvalidBucketName" {
				t.Errorf("%s in %q: %v", op, name, err)
			}
		}
		ctx := t.Context()
		_, listed := shared.ListObjects(ctx, &storage.ListObjectsInput{Bucket: name, MaxKeys: 1})
		_, versions := shared.ListObjectVersions(ctx, &storage.ListObjectVersionsInput{Bucket: name, MaxKeys: 1})
		_, uploads := shared.ListMultipartUploads(ctx, &storage.ListMultipartUploadsInput{Bucket: name, MaxUploads: 1})
		_, versioning := shared.GetBucketVersioning(ctx, name)
		_, lock := shared.GetObjectLockConfiguration(ctx, name)
		for op, err := range map[string]error{
			"create": shared.CreateBucket(ctx, storage.CreateBucketInput{Bucket: name}), "delete": shared.DeleteBucket(ctx, name), "head": shared.HeadBucket(ctx, name),
			"list": listed, "versions": versions, "uploads": uploads,
			"versioning": versioning, "put versioning": shared.PutBucketVersioning(ctx, name, storage.Enabled), "lock": lock, "put lock": shared.PutObjectLockConfiguration(ctx, name, storage.LockConfiguration{}),
		} {
			if code(err) != "InvalidBucketName" {
				t.Errorf("%s of bucket %q: %v", op, name, err)
			}
		}
	}
	sameSnapshot(t, "bucket names", before, snapshot(t, sharedDir, filepath.Join(sharedDir, "objects", b, ".sgwtmp")))
}

// TestVersionAndUploadIDsAreNoPaths puts paths where ids belong.
func TestVersionAndUploadIDsAreNoPaths(t *testing.T) {
	b := versionedBucket(t)
	put(t, b, "k", "1")
	v := put(t, b, "k", "2").VersionID
	for _, id := range []string{"..", "../..", "../../../outside", "/etc/passwd", v + "/", "./" + v, "\x00", strings.ToLower(v), v + "0", "NULL"} {
		ref := storage.ObjectRef{Bucket: b, Key: "k", VersionID: id}
		_, get := shared.GetObject(t.Context(), &storage.GetObjectInput{ObjectRef: ref})
		_, del := shared.DeleteObject(t.Context(), &storage.DeleteObjectInput{ObjectRef: ref})
		_, tag := shared.PutObjectTagging(t.Context(), ref, nil)
		_, cp := shared.CopyObject(t.Context(), &storage.CopyObjectInput{Source: ref, Bucket: b, Key: "c"})
		_, list := shared.ListObjectVersions(t.Context(), &storage.ListObjectVersionsInput{Bucket: b, KeyMarker: "k", VersionIDMarker: id, MaxKeys: 1})
		for op, err := range map[string]error{"get": get, "delete": del, "tag": tag, "copy": cp, "list": list} {
			wantCode(t, op+" of version "+id, err, "InvalidArgument")
		}
	}
	up, err := shared.CreateMultipartUpload(t.Context(), &storage.CreateMultipartUploadInput{Bucket: b, Key: "up"})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"", ".", "..", "../..", "../../../k", up.UploadID + "/", up.UploadID + "/..", "./" + up.UploadID, strings.ToUpper(up.UploadID), "{" + up.UploadID + "}", "urn:uuid:" + up.UploadID, up.UploadID + ".x.inprogress"} {
		ref := storage.UploadRef{Bucket: b, Key: "up", UploadID: id}
		_, part := shared.UploadPart(t.Context(), &storage.UploadPartInput{UploadRef: ref, PartNumber: 1, Body: body("x")})
		_, parts := shared.ListParts(t.Context(), &storage.ListPartsInput{UploadRef: ref, MaxParts: 1})
		_, done := shared.CompleteMultipartUpload(t.Context(), &storage.CompleteMultipartUploadInput{UploadRef: ref, Parts: []storage.CompletedPart{{PartNumber: 1, ETag: strings.Repeat("0", 32)}}})
		for op, err := range map[string]error{"part": part, "parts": parts, "complete": done, "abort": shared.AbortMultipartUpload(t.Context(), ref)} {
			wantCode(t, op+" of upload "+id, err, "NoSuchUpload")
		}
	}
	// The id of one key's upload is none for another key.
	_, err = shared.UploadPart(t.Context(), &storage.UploadPartInput{UploadRef: storage.UploadRef{Bucket: b, Key: "other", UploadID: up.UploadID}, PartNumber: 1, Body: body("x")})
	wantCode(t, "upload of another key", err, "NoSuchUpload")
}

// TestLinksAreNeverFollowed plants links and special files inside of a bucket, as someone with a shell might.
func TestLinksAreNeverFollowed(t *testing.T) {
	b, victim := newBucket(t), newBucket(t)
	put(t, b, "good", "x")
	put(t, b, "in/secret", "secret of another prefix")
	put(t, victim, "secret", "secret of another bucket")
	objects := filepath.Join(sharedDir, "objects")
	outside := t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "secret"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{
		"file": filepath.Join(outside, "secret"), "dir": outside, "relative": "../" + victim, "sideways": "in", "sidefile": "in/secret", "dangling": filepath.Join(outside, "new"), "loop": "loop", "root": "/",
	} {
		if err := os.Symlink(target, filepath.Join(objects, b, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(objects, b, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(victim, filepath.Join(objects, "linked-bucket")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(filepath.Join(objects, "linked-bucket")) })
	beforeOut, beforeVictim := snapshot(t, outside, ""), snapshot(t, filepath.Join(objects, victim), "")
	for _, key := range []string{"file", "dir/secret", "dir/new", "dir/", "relative/secret", "relative/new", "sideways/secret", "sidefile", "dangling", "loop", "loop/x", "root/etc/passwd", "pipe", "pipe/x", "file/x"} {
		for op, err := range everything(t, b, key) {
			if code(err) != "AccessDenied" {
				t.Errorf("%s of %q: %v", op, key, err)
			}
		}
	}
	for op, err := range everything(t, "linked-bucket", "secret") {
		if code(err) != "NoSuchBucket" {
			t.Errorf("%s in a linked bucket: %v", op, err)
		}
	}
	for _, prefix := range []string{"", "dir/", "dir/s", "relative/", "sideways/", "root/", "root/etc/", "loop/"} {
		for _, delimiter := range []string{"", "/"} {
			out, err := shared.ListObjects(t.Context(), &storage.ListObjectsInput{Bucket: b, Prefix: prefix, Delimiter: delimiter, MaxKeys: 1000})
			if err != nil {
				t.Fatal(err)
			}
			got := line(out.Objects, out.CommonPrefixes, "", false)
			want := ""
			if prefix == "" {
				want = map[string]string{"": "good in/secret", "/": "good [in/]"}[delimiter]
			}
			if got != want {
				t.Errorf("listing of %q with %q = %q, want %q", prefix, delimiter, got, want)
			}
			versions, err := shared.ListObjectVersions(t.Context(), &storage.ListObjectVersionsInput{Bucket: b, Prefix: prefix, MaxKeys: 1000})
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range versions.Versions {
				if v.Key != "good" && v.Key != "in/secret" {
					t.Errorf("versions of %q show %q", prefix, v.Key)
				}
			}
		}
	}
	all, err := shared.ListBuckets(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range all {
		if x.Name == "linked-bucket" {
			t.Error("a linked bucket is listed")
		}
	}
	sameSnapshot(t, "outside", beforeOut, snapshot(t, outside, ""))
	sameSnapshot(t, "the other bucket", beforeVictim, snapshot(t, filepath.Join(objects, victim), ""))
}

// TestLostWorkingDirectory changes what the library relies on. Nothing may be answered from there.
func TestLostWorkingDirectory(t *testing.T) {
	b := newBucket(t)
	put(t, b, "k", "right")
	elsewhere := t.TempDir()
	if err := os.MkdirAll(filepath.Join(elsewhere, b), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(elsewhere, b, "k"), []byte("wrong"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Run("elsewhere", func(t *testing.T) {
		t.Chdir(elsewhere)
		before := snapshot(t, elsewhere, "")
		for op, err := range everything(t, b, "k") {
			if code(err) != "InternalError" {
				t.Errorf("%s: %v", op, err)
			}
		}
		sameSnapshot(t, "elsewhere", before, snapshot(t, elsewhere, ""))
	})
	if got := content(t, current(b, "k")); got != "right" {
		t.Errorf("content = %q", got)
	}
}

func TestOneStorageAProcess(t *testing.T) {
	if s, err := storage.OpenEmbedded(t.Context(), t.TempDir(), nil); err == nil {
		_ = s.Close()
		t.Error("a second storage moved the working directory away from the first")
	}
}

func TestFilesArePrivate(t *testing.T) {
	b := newBucket(t)
	put(t, b, "d/k", "x")
	for path, want := range map[string]fs.FileMode{"": 0o700, "d": 0o700, "d/k": 0o600} {
		st, err := os.Stat(filepath.Join(sharedDir, "objects", b, path))
		if err != nil {
			t.Fatal(err)
		}
		if st.Mode().Perm() != want {
			t.Errorf("mode of %q = %v, want %v", path, st.Mode().Perm(), want)
		}
	}
}

func FuzzKey(f *testing.F) {
	for _, s := range []string{"a", "a/b/", "..", "a/../b", "//", ".sgwtmp/x", "é", "a\x00", strings.Repeat("x", 300)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, key string) {
		if storage.CheckKey(key) != nil {
			return
		}
		const root = "/root/bucket"
		path := filepath.Join(root, key)
		if path == root || !strings.HasPrefix(path, root+"/") || path != root+"/"+strings.TrimSuffix(key, "/") {
			t.Errorf("key %q is the path %q", key, path)
		}
	})
}

func FuzzByteRange(f *testing.F) {
	for _, s := range []string{"bytes=0-1", "bytes=-1", "bytes=5-", "bytes=1-0", "bytes=9223372036854775807-"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r := storage.ParseByteRange(s)
		if r == nil {
			return
		}
		if again := storage.ParseByteRange(r.String()); again == nil || *again != *r {
			t.Errorf("%q reads as %+v, which reads as %+v", s, r, again)
		}
	})
}

func FuzzTagging(f *testing.F) {
	for _, s := range []string{"a=b", "a=b&c=d", "a=b&a=c", "%", "a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		tags, err := storage.ParseTagging(s)
		if err == nil && (len(tags) > storage.MaxObjectTags || tags == nil) {
			t.Errorf("%q gives %v", s, tags)
		}
	})
}
