package storage_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/lakegate/lakegate/internal/storage"
)

// line shows a page on one line: keys, common prefixes, and "…" with the marker when there is more.
func line(objects []storage.ListedObject, prefixes []string, next string, truncated bool) string {
	var s []string
	for _, o := range objects {
		s = append(s, o.Key)
	}
	for _, p := range prefixes {
		s = append(s, "["+p+"]")
	}
	if truncated {
		s = append(s, "… "+next)
	}
	return strings.Join(s, " ")
}

func TestListObjects(t *testing.T) {
	b := newBucket(t)
	for _, key := range []string{"a/1", "a/2", "a-b", "a.b", "a0", "b", "c/d/e", "c/d/f", "c/g", "d/", "é/ü", "z z/+&"} {
		put(t, b, key, "")
	}
	tests := []struct {
		prefix, delimiter, marker string
		limit                     int
		want                      string
	}{
		{"", "", "", 1000, "a-b a.b a/1 a/2 a0 b c/d/e c/d/f c/g d/ z z/+& é/ü"},
		{"", "/", "", 1000, "a-b a.b a0 b [a/] [c/] [d/] [z z/] [é/]"},
		{"", "/", "", 5, "a-b a.b a0 b [a/] … b"},
		{"", "/", "", 3, "a-b a.b [a/] … a/"},
		{"", "/", "a/", 2, "a0 b … b"},
		{"", "/", "a/1", 2, "a0 b … b"},
		{"", "", "a/1", 2, "a/2 a0 … a0"},
		{"a", "", "", 1000, "a-b a.b a/1 a/2 a0"},
		{"a/", "/", "", 1000, "a/1 a/2"},
		{"a/", "/", "", 1, "a/1 … a/1"},
		{"a/", "/", "", 2, "a/1 a/2"},
		{"c/", "/", "", 1000, "c/g [c/d/]"},
		{"c/d", "/", "", 1000, "[c/d/]"},
		{"c/d/", "/", "", 1000, "c/d/e c/d/f"},
		{"c", "d", "", 1000, "c/g [c/d]"},
		{"", "/d", "", 1000, "a-b a.b a/1 a/2 a0 b c/g d/ z z/+& é/ü [c/d]"},
		{"d/", "", "", 1000, "d/"},
		{"d/", "/", "", 1000, "d/"},
		{"d", "/", "", 1000, "[d/]"},
		{"none", "", "", 1000, ""},
		{"none/", "/", "", 1000, ""},
		{"b/", "", "", 1000, ""},
		{"a//", "", "", 1000, ""},
		{"../", "", "", 1000, ""},
		{"/", "", "", 1000, ""},
		{".sgwtmp/", "", "", 1000, ""},
		{"", "", "zzz", 1000, "é/ü"},
		{"", "", "", 0, ""},
		{"z z/", "/", "", 1000, "z z/+&"},
	}
	for _, tt := range tests {
		out, err := shared.ListObjects(t.Context(), &storage.ListObjectsInput{Bucket: b, Prefix: tt.prefix, Delimiter: tt.delimiter, Marker: tt.marker, MaxKeys: tt.limit})
		if err != nil {
			t.Fatal(err)
		}
		if got := line(out.Objects, out.CommonPrefixes, out.NextMarker, out.Truncated); got != tt.want {
			t.Errorf("prefix %q delimiter %q marker %q limit %d:\n got %s\nwant %s", tt.prefix, tt.delimiter, tt.marker, tt.limit, got, tt.want)
		}
	}
	_, err := shared.ListObjects(t.Context(), &storage.ListObjectsInput{Bucket: b, MaxKeys: -1})
	wantCode(t, "negative", err, "InvalidArgument")
}

func TestListingShowsWhatHeadShows(t *testing.T) {
	b := newBucket(t)
	put(t, b, "k", "content")
	info, err := shared.HeadObject(t.Context(), &storage.GetObjectInput{ObjectRef: current(b, "k"), ChecksumMode: true})
	if err != nil {
		t.Fatal(err)
	}
	out, err := shared.ListObjects(t.Context(), &storage.ListObjectsInput{Bucket: b, MaxKeys: 1})
	if err != nil {
		t.Fatal(err)
	}
	info.Checksum.Value = ""
	want := []storage.ListedObject{{Key: "k", ETag: info.ETag, Size: info.Size, LastModified: info.LastModified, Checksum: info.Checksum}}
	if diff := cmp.Diff(want, out.Objects); diff != "" {
		t.Errorf("(-head +list):\n%s", diff)
	}
}

func TestContinuationTokens(t *testing.T) {
	b := newBucket(t)
	var want []string
	for i := range 25 {
		key := fmt.Sprintf("k/%02d", i)
		put(t, b, key, "")
		want = append(want, key)
	}
	var got []string
	in := &storage.ListObjectsV2Input{Bucket: b, StartAfter: "k/04", MaxKeys: 4}
	for range 100 {
		out, err := shared.ListObjectsV2(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range out.Objects {
			got = append(got, o.Key)
		}
		if in.ContinuationToken = out.NextContinuationToken; !out.Truncated {
			break
		}
	}
	if diff := cmp.Diff(want[5:], got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, token := range []string{"x", "k/04", "!", "YWZ0ZXI"} {
		_, err := shared.ListObjectsV2(t.Context(), &storage.ListObjectsV2Input{Bucket: b, ContinuationToken: token, MaxKeys: 1})
		wantCode(t, "token "+token, err, "InvalidArgument")
	}
}

// bruteForce is the rule of S3 in its plainest form: all items, in order, after the marker, cut.
func bruteForce(keys []string, prefix, delimiter, marker string, limit int) (items []string, truncated bool) {
	set := map[string]bool{}
	for _, key := range keys {
		rest, ok := strings.CutPrefix(key, prefix)
		if !ok {
			continue
		}
		item := key
		if before, _, found := strings.Cut(rest, delimiter); delimiter != "" && found {
			item = "[" + prefix + before + delimiter
		}
		set[item] = true
	}
	for item := range set {
		if strings.TrimPrefix(item, "[") > marker {
			items = append(items, item)
		}
	}
	slices.SortFunc(items, func(a, b string) int { return strings.Compare(strings.TrimPrefix(a, "["), strings.TrimPrefix(b, "[")) })
	if limit == 0 {
		return nil, false
	}
	if len(items) > limit {
		return items[:limit], true
	}
	return items, false
}

// anyKeys draws keys that a file system can hold together: no key is a folder of another.
func anyKeys(t *rapid.T) []string {
	segment := rapid.StringMatching(`[ab.\-0~é]{1,3}`).Filter(func(s string) bool { return strings.Trim(s, ".") != "" })
	raw := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(segment, 1, 4).Draw(t, "segments"), "/") + rapid.SampledFrom([]string{"", "", "", "/"}).Draw(t, "end")
	}), 0, 20).Draw(t, "keys")
	slices.Sort(raw)
	raw = slices.Compact(raw)
	var keys []string
	for _, key := range raw {
		if !slices.ContainsFunc(raw, func(other string) bool { return strings.HasPrefix(other, key+"/") }) {
			keys = append(keys, key)
		}
	}
	return keys
}

func TestListingEqualsModel(t *testing.T) {
	buckets := map[string]string{}
	rapid.Check(t, func(rt *rapid.T) {
		keys := anyKeys(rt)
		name := strings.Join(keys, "\x00")
		b, ok := buckets[name]
		if !ok {
			b = newBucket(t)
			buckets[name] = b
			for _, key := range keys {
				put(t, b, key, "")
			}
		}
		piece := rapid.StringMatching(`[ab.\-0~é/]{0,4}`)
		prefix, marker := piece.Draw(rt, "prefix"), piece.Draw(rt, "marker")
		delimiter := rapid.SampledFrom([]string{"", "/", "a", "/a", "b/"}).Draw(rt, "delimiter")
		limit := rapid.IntRange(0, 6).Draw(rt, "limit")
		if len(keys) > 0 && rapid.Bool().Draw(rt, "near") {
			key := rapid.SampledFrom(keys).Draw(rt, "key")
			prefix = key[:rapid.IntRange(0, len(key)).Draw(rt, "prefix length")]
			marker = key[:rapid.IntRange(0, len(key)).Draw(rt, "marker length")]
		}
		in := storage.ListObjectsInput{Bucket: b, Prefix: prefix, Delimiter: delimiter, Marker: marker, MaxKeys: limit}
		out, err := shared.ListObjects(t.Context(), &in)
		if err != nil {
			rt.Fatal(err)
		}
		want, truncated := bruteForce(keys, prefix, delimiter, marker, limit)
		if diff := cmp.Diff(want, itemsOf(out)); diff != "" || truncated != out.Truncated {
			rt.Fatalf("%+v of %q: truncated %v, want %v; (-want +got):\n%s", in, keys, out.Truncated, truncated, diff)
		}
		// All pages together are the whole.
		whole, _ := bruteForce(keys, prefix, delimiter, "", 1000)
		var got []string
		for in.Marker, in.MaxKeys = "", max(1, limit); ; {
			out, err := shared.ListObjects(t.Context(), &in)
			if err != nil {
				rt.Fatal(err)
			}
			got = append(got, itemsOf(out)...)
			if in.Marker = out.NextMarker; !out.Truncated {
				break
			}
		}
		if diff := cmp.Diff(whole, got); diff != "" {
			rt.Fatalf("pages of %d of %q (-want +got):\n%s", in.MaxKeys, keys, diff)
		}
	})
}

func itemsOf(out *storage.ListObjectsOutput) []string {
	var items []string
	for _, o := range out.Objects {
		items = append(items, o.Key)
	}
	for _, p := range out.CommonPrefixes {
		items = append(items, "["+p)
	}
	slices.SortFunc(items, func(a, b string) int { return strings.Compare(strings.TrimPrefix(a, "["), strings.TrimPrefix(b, "[")) })
	return items
}

func TestPageRuleEqualsModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		keys := rapid.SliceOf(rapid.StringMatching(`[ab/]{1,6}`)).Draw(rt, "keys")
		slices.Sort(keys)
		keys = slices.Compact(keys)
		piece := rapid.StringMatching(`[ab/]{0,3}`)
		prefix, delimiter, marker := piece.Draw(rt, "prefix"), piece.Draw(rt, "delimiter"), piece.Draw(rt, "marker")
		limit := rapid.IntRange(1, 5).Draw(rt, "limit")
		shown, prefixes, truncated, _ := storage.Page(keys, prefix, delimiter, marker, limit)
		got := slices.Clone(shown)
		for _, p := range prefixes {
			got = append(got, "["+p)
		}
		slices.SortFunc(got, func(a, b string) int { return strings.Compare(strings.TrimPrefix(a, "["), strings.TrimPrefix(b, "[")) })
		want, wantTruncated := bruteForce(keys, prefix, delimiter, marker, limit)
		if diff := cmp.Diff(want, got); diff != "" || truncated != wantTruncated {
			rt.Fatalf("%q prefix %q delimiter %q marker %q limit %d: truncated %v, want %v; (-want +got):\n%s", keys, prefix, delimiter, marker, limit, truncated, wantTruncated, diff)
		}
	})
}

// A folder with more names than are held at a time is listed whole and in order.
func TestListingOfAHugeFolder(t *testing.T) {
	b := newBucket(t)
	put(t, b, "f/seed", "")
	var want []string
	for i := range 9000 {
		name := fmt.Sprintf("%05d", i*7919%9000)
		want = append(want, "f/"+name)
		// Links to one object are quicker to make than objects, and list just the same.
		if err := os.Link(filepath.Join(sharedDir, "objects", b, "f/seed"), filepath.Join(sharedDir, "objects", b, "f", name)); err != nil {
			t.Skipf("this file system does not allow as many links: %v", err)
		}
	}
	if shared.Beside() {
		t.Skip("links have no attributes beside the objects")
	}
	want = append(want, "f/seed")
	slices.Sort(want)
	var got []string
	in := &storage.ListObjectsInput{Bucket: b, MaxKeys: 1000}
	for {
		out, err := shared.ListObjects(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range out.Objects {
			got = append(got, o.Key)
		}
		if in.Marker = out.NextMarker; !out.Truncated {
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("listed %d keys of %d, or in another order", len(got), len(want))
	}
}

func TestListingStopsWithItsRequest(t *testing.T) {
	b := newBucket(t)
	put(t, b, "k", "")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := shared.ListObjects(ctx, &storage.ListObjectsInput{Bucket: b, MaxKeys: 1})
	wantCode(t, "cancelled", err, "RequestTimeout")
}
