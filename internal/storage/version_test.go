package storage_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/lakegate/lakegate/internal/storage"
)

func remove(t testing.TB, bucket, key, version string) *storage.DeleteObjectOutput {
	t.Helper()
	out, err := shared.DeleteObject(t.Context(), &storage.DeleteObjectInput{ObjectRef: storage.ObjectRef{Bucket: bucket, Key: key, VersionID: version}})
	if err != nil {
		t.Fatalf("delete %q %s: %v", key, version, err)
	}
	return out
}

func TestVersionsAreKept(t *testing.T) {
	b := newBucket(t)
	put(t, b, "k", "null")
	if err := shared.PutBucketVersioning(t.Context(), b, storage.Enabled); err != nil {
		t.Fatal(err)
	}
	first := put(t, b, "k", "first")
	second := put(t, b, "k", "second")
	if first.VersionID == "" || first.VersionID == second.VersionID {
		t.Fatalf("versions %q and %q", first.VersionID, second.VersionID)
	}
	marker := remove(t, b, "k", "")
	if !marker.DeleteMarker || marker.VersionID == "" {
		t.Fatalf("delete = %+v", marker)
	}
	for version, want := range map[string]string{
		"": "NoSuchKey", storage.NullVersion: "null", first.VersionID: "first", second.VersionID: "second", marker.VersionID: "MethodNotAllowed",
		"01ARZ3NDEKTSV4RRFFQ69G5FAV": "NoSuchVersion",
	} {
		if got := content(t, storage.ObjectRef{Bucket: b, Key: "k", VersionID: version}); got != want {
			t.Errorf("version %q = %q, want %q", version, got, want)
		}
	}
	_, err := shared.GetObject(t.Context(), &storage.GetObjectInput{ObjectRef: current(b, "k")})
	if e, ok := err.(*storage.Error); !ok || !e.DeleteMarker || e.VersionID != marker.VersionID {
		t.Errorf("the refusal does not name the delete marker: %+v", err)
	}
	if err := shared.DeleteBucket(t.Context(), b); code(err) != "BucketNotEmpty" {
		t.Errorf("a bucket with versions was deleted: %v", err)
	}
	// Without the marker the newest comes back, and so on down to the oldest, although "null" sorts after all of them.
	for _, step := range []struct{ drop, then string }{{marker.VersionID, "second"}, {second.VersionID, "first"}, {first.VersionID, "null"}, {storage.NullVersion, "NoSuchKey"}} {
		if got := remove(t, b, "k", step.drop); got.VersionID != step.drop || got.DeleteMarker != (step.drop == marker.VersionID) {
			t.Errorf("delete %s = %+v", step.drop, got)
		}
		if got := content(t, current(b, "k")); got != step.then {
			t.Errorf("after deleting %s the object holds %q, want %q", step.drop, got, step.then)
		}
	}
	if err := shared.DeleteBucket(t.Context(), b); err != nil {
		t.Errorf("delete of the emptied bucket: %v", err)
	}
}

func TestVersionsHaveTheirOwnTags(t *testing.T) {
	b := versionedBucket(t)
	first, second := put(t, b, "k", "1"), put(t, b, "k", "2")
	for _, v := range []string{first.VersionID, second.VersionID} {
		got, err := shared.PutObjectTagging(t.Context(), storage.ObjectRef{Bucket: b, Key: "k", VersionID: v}, map[string]string{"v": v})
		if err != nil || got != v {
			t.Fatalf("PutObjectTagging = %q, %v", got, err)
		}
	}
	for _, v := range []string{first.VersionID, second.VersionID} {
		out, err := shared.GetObjectTagging(t.Context(), storage.ObjectRef{Bucket: b, Key: "k", VersionID: v})
		if err != nil || out.Tags["v"] != v || out.VersionID != v {
			t.Errorf("tags of %s = %+v, %v", v, out, err)
		}
	}
}

func TestSuspendedBucketHasOneNullVersion(t *testing.T) {
	b := versionedBucket(t)
	v := put(t, b, "k", "kept").VersionID
	if err := shared.PutBucketVersioning(t.Context(), b, storage.Suspended); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if got := put(t, b, "k", fmt.Sprint(i)).VersionID; got != storage.NullVersion {
			t.Errorf("version = %q", got)
		}
	}
	if got := remove(t, b, "k", ""); got.VersionID != storage.NullVersion || !got.DeleteMarker {
		t.Errorf("delete = %+v", got)
	}
	if got, want := versionsOf(t, b), "k null marker latest, k "+v; got != want {
		t.Errorf("versions = %s, want %s", got, want)
	}
	if got := content(t, storage.ObjectRef{Bucket: b, Key: "k", VersionID: v}); got != "kept" {
		t.Errorf("the version from before holds %q", got)
	}
}

func TestDeleteMarkerOfNothing(t *testing.T) {
	b := versionedBucket(t)
	out := remove(t, b, "deep/none", "")
	if !out.DeleteMarker {
		t.Errorf("delete = %+v", out)
	}
	if got, want := versionsOf(t, b), "deep/none "+out.VersionID+" marker latest"; got != want {
		t.Errorf("versions = %s, want %s", got, want)
	}
	list, err := shared.ListObjects(t.Context(), &storage.ListObjectsInput{Bucket: b, Delimiter: "/", MaxKeys: 10})
	if err != nil || len(list.CommonPrefixes) != 0 {
		t.Errorf("a prefix of nothing but delete markers is listed: %+v, %v", list, err)
	}
	put(t, b, "deep/none", "again")
	if got := content(t, current(b, "deep/none")); got != "again" {
		t.Errorf("content = %q", got)
	}
}

func versionsOf(t testing.TB, b string) string {
	t.Helper()
	var s []string
	in := &storage.ListObjectVersionsInput{Bucket: b, MaxKeys: 1000}
	out, err := shared.ListObjectVersions(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range out.Versions {
		l := v.Key + " " + v.VersionID
		if v.DeleteMarker {
			l += " marker"
		}
		if v.Latest {
			l += " latest"
		}
		s = append(s, l)
	}
	return strings.Join(s, ", ")
}

// modelVersion is a version in the plainest model of a versioned bucket: a list a key, newest first.
type modelVersion struct {
	id, content string
	marker      bool
}

func TestVersioningEqualsModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		b := newBucket(t)
		model := map[string][]modelVersion{}
		status := storage.Unversioned
		dropNull := func(key string) {
			var kept []modelVersion
			for _, v := range model[key] {
				if v.id != storage.NullVersion {
					kept = append(kept, v)
				}
			}
			model[key] = kept
		}
		keys := rapid.SampledFrom([]string{"a", "b/c", "b/d"})
		n := 0
		rt.Repeat(map[string]func(*rapid.T){
			"put": func(rt *rapid.T) {
				key := keys.Draw(rt, "key")
				n++
				out := put(t, b, key, fmt.Sprint(n))
				id := out.VersionID
				if status != storage.Enabled {
					dropNull(key)
					id = storage.NullVersion
				}
				model[key] = append([]modelVersion{{id: id, content: fmt.Sprint(n)}}, model[key]...)
			},
			"delete": func(rt *rapid.T) {
				key := keys.Draw(rt, "key")
				out := remove(t, b, key, "")
				switch status {
				case storage.Unversioned:
					delete(model, key)
				case storage.Suspended:
					dropNull(key)
					fallthrough
				default:
					model[key] = append([]modelVersion{{id: out.VersionID, marker: true}}, model[key]...)
				}
			},
			"delete version": func(rt *rapid.T) {
				key := keys.Draw(rt, "key")
				if len(model[key]) == 0 {
					rt.Skip()
				}
				i := rapid.IntRange(0, len(model[key])-1).Draw(rt, "version")
				remove(t, b, key, model[key][i].id)
				model[key] = append(append([]modelVersion{}, model[key][:i]...), model[key][i+1:]...)
			},
			"versioning": func(rt *rapid.T) {
				status = rapid.SampledFrom([]storage.Versioning{storage.Enabled, storage.Suspended}).Draw(rt, "status")
				if err := shared.PutBucketVersioning(t.Context(), b, status); err != nil {
					rt.Fatal(err)
				}
			},
			"": func(rt *rapid.T) {
				var want []string
				for _, key := range []string{"a", "b/c", "b/d"} {
					for i, v := range model[key] {
						want = append(want, fmt.Sprint(key, " ", v.id, " ", v.marker, " ", i == 0))
						wantContent := v.content
						if v.marker {
							wantContent = "MethodNotAllowed"
						}
						if got := content(t, storage.ObjectRef{Bucket: b, Key: key, VersionID: v.id}); got != wantContent {
							rt.Fatalf("%s %s holds %q, want %q", key, v.id, got, wantContent)
						}
					}
					wantContent := "NoSuchKey"
					if len(model[key]) > 0 && !model[key][0].marker {
						wantContent = model[key][0].content
					}
					if got := content(t, current(b, key)); got != wantContent {
						rt.Fatalf("%s holds %q, want %q", key, got, wantContent)
					}
				}
				// Pages of every size together are the whole.
				var got []string
				in := &storage.ListObjectVersionsInput{Bucket: b, MaxKeys: rapid.IntRange(1, 5).Draw(rt, "page")}
				for {
					out, err := shared.ListObjectVersions(t.Context(), in)
					if err != nil {
						rt.Fatal(err)
					}
					for _, v := range out.Versions {
						got = append(got, fmt.Sprint(v.Key, " ", v.VersionID, " ", v.DeleteMarker, " ", v.Latest))
					}
					if in.KeyMarker, in.VersionIDMarker = out.NextKeyMarker, out.NextVersionIDMarker; !out.Truncated {
						break
					}
				}
				if diff := cmp.Diff(want, got); diff != "" {
					rt.Fatalf("pages of %d (-want +got):\n%s", in.MaxKeys, diff)
				}
			},
		})
	})
}

// Writers, deleters and readers of one key at once: each acknowledged version stays, and a reader never sees a mix.
func TestVersionsUnderConcurrency(t *testing.T) {
	b := versionedBucket(t)
	var mu sync.Mutex
	made := map[string]string{}
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 25 {
				s := fmt.Sprintf("%d-%d", w, i)
				in := &storage.PutObjectInput{Bucket: b, Key: "d/k", Body: body(s), Tags: map[string]string{"c": s}, Headers: storage.Headers{Metadata: map[string]string{"c": s, "long": strings.Repeat("x", 400)}}}
				out, err := shared.PutObject(t.Context(), in)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				made[out.VersionID] = s
				mu.Unlock()
			}
		})
	}
	wg.Go(func() {
		for range 20 {
			if _, err := shared.DeleteObject(t.Context(), &storage.DeleteObjectInput{ObjectRef: current(b, "d/k")}); err != nil {
				t.Error(err)
			}
		}
	})
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				o, err := shared.GetObject(t.Context(), &storage.GetObjectInput{ObjectRef: current(b, "d/k")})
				if err != nil {
					if code(err) != "NoSuchKey" {
						t.Error(err)
					}
					continue
				}
				raw := make([]byte, o.Size)
				_, err = o.Body.Read(raw)
				_ = o.Body.Close()
				if err != nil || o.Headers.Metadata["c"] != string(raw) || o.TagCount != 1 {
					t.Errorf("read %q with the metadata %v and %d tags, %v", raw, o.Headers.Metadata["c"], o.TagCount, err)
				}
			}
		})
	}
	wg.Wait()
	close(stop)
	readers.Wait()
	for id, s := range made {
		if got := content(t, storage.ObjectRef{Bucket: b, Key: "d/k", VersionID: id}); got != s {
			t.Errorf("version %s holds %q, want %q", id, got, s)
		}
	}
	out, err := shared.ListObjectVersions(t.Context(), &storage.ListObjectVersionsInput{Bucket: b, MaxKeys: 1000})
	if err != nil || len(out.Versions) != 120 {
		t.Errorf("%d versions, %v, want 100 objects and 20 delete markers", len(out.Versions), err)
	}
}

// A bucket is deleted while it is written to: either the write is refused or the bucket stays.
func TestDeleteBucketUnderConcurrency(t *testing.T) {
	for range 30 {
		b := newBucket(t)
		var wg sync.WaitGroup
		var putErr, delErr error
		wg.Go(func() {
			_, putErr = shared.PutObject(t.Context(), &storage.PutObjectInput{Bucket: b, Key: "a/b", Body: body("x")})
		})
		wg.Go(func() { delErr = shared.DeleteBucket(t.Context(), b) })
		wg.Wait()
		head := shared.HeadBucket(t.Context(), b)
		switch {
		case putErr == nil && (code(delErr) != "BucketNotEmpty" || content(t, current(b, "a/b")) != "x"):
			t.Fatalf("put was acknowledged, delete said %v", delErr)
		case putErr != nil && (code(putErr) != "NoSuchBucket" || delErr != nil || code(head) != "NoSuchBucket"):
			t.Fatalf("put said %v, delete %v, head %v", putErr, delErr, head)
		}
	}
}
