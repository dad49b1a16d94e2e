package account

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestPagesAreTheList: whatever the size of the pages, they are the list, cut; and an item that comes or goes between two
// pages shifts none of the others.
func TestPagesAreTheList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z0-9+=,.@_-]{1,8}`), 0, 40, rapid.ID[string]).Draw(t, "items")
		slices.Sort(all)
		steady := slices.Clone(all)
		size := rapid.IntRange(1, 12).Draw(t, "size")
		var got []string
		var marker *string
		for {
			shown, truncated, next, err := page(all, func(s string) string { return s }, marker, &size)
			if err != nil {
				t.Fatal(err)
			}
			if len(shown) > size || *truncated != (next != nil) {
				t.Fatalf("a page of %d items, asked for %d; truncated %v, next %v", len(shown), size, *truncated, next)
			}
			got = append(got, shown...)
			if marker = next; marker == nil {
				break
			}
			if len(all) > 0 && rapid.Bool().Draw(t, "remove") {
				i := rapid.IntRange(0, len(all)-1).Draw(t, "which")
				steady = slices.DeleteFunc(steady, func(s string) bool { return s == all[i] })
				all = slices.Delete(slices.Clone(all), i, i+1)
			}
		}
		got = slices.DeleteFunc(got, func(s string) bool { return !slices.Contains(steady, s) })
		if diff := cmp.Diff(steady, got, cmp.Transformer("", func(s []string) string { return fmt.Sprint(s) })); diff != "" {
			t.Fatalf("pages (-want +got):\n%s", diff)
		}
	})
}

func FuzzMarker(f *testing.F) {
	for _, s := range []string{"", "x", "MSBh", "MSBh=", "MiBh", "\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, marker string) {
		shown, _, _, err := page([]string{"a", "b", "c"}, func(s string) string { return s }, &marker, nil)
		if err != nil && len(shown) > 0 || len(shown) > 3 {
			t.Errorf("%q shows %v, %v", marker, shown, err)
		}
	})
}
