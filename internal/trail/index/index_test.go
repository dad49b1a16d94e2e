package index_test

import (
	"bytes"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/lakegate/lakegate/internal/trail/index"
)

// TestWhatWasAddedIsFound, while the index grows and after it was written and read.
func TestWhatWasAddedIsFound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := index.NewBuilder()
		want := map[index.Term][]uint16{}
		blocks := rapid.IntRange(0, 20).Draw(t, "blocks")
		for n := range blocks {
			for range rapid.IntRange(0, 30).Draw(t, "terms") {
				term := index.Term(rapid.Uint32Range(0, 40).Draw(t, "term"))
				b.Add(term)
				if list := want[term]; len(list) == 0 || list[len(list)-1] != uint16(n) {
					want[term] = append(list, uint16(n))
				}
			}
			if err := b.End(index.Block{Start: uint32(n), Size: 1, At: uint32(2 * n), Packed: 2, First: int64(-n), Last: int64(n)}); err != nil {
				t.Fatal(err)
			}
		}
		b.Add(99) // of a block that has not ended
		of := rapid.Uint64().Draw(t, "of")
		file := b.Append([]byte("before"), of)[len("before"):]
		x, err := index.Parse(file)
		if err != nil {
			t.Fatal(err)
		}
		if x.Of() != of || x.In(bytes.NewReader(file)).Of() != of {
			t.Fatalf("it is of %d, want %d", x.Of(), of)
		}
		for _, l := range []index.Lookup{b, x, x.In(bytes.NewReader(file))} {
			if !slices.Equal(l.Blocks(), b.Blocks()) || len(l.With(99)) > 0 {
				t.Fatalf("blocks %v, the open one has %v", l.Blocks(), l.With(99))
			}
			for term := range index.Term(42) {
				if got := l.With(term); !slices.Equal(got, want[term]) {
					t.Fatalf("%T has %d in %v, want %v", l, term, got, want[term])
				}
			}
		}
		if n := rapid.IntRange(0, len(file)-1).Draw(t, "cut"); n < len(file) {
			if _, err := index.Parse(file[:n]); err == nil {
				t.Fatalf("%d of %d bytes were taken for an index", n, len(file))
			}
		}
		file[rapid.IntRange(0, len(file)-1).Draw(t, "altered")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		if _, err := index.Parse(file); err == nil {
			t.Fatal("an altered index was taken")
		}
	})
}

func TestLists(t *testing.T) {
	for _, test := range []struct{ a, b, and, or []uint16 }{
		{nil, nil, nil, nil}, {[]uint16{1}, nil, nil, []uint16{1}}, {[]uint16{1, 3, 5}, []uint16{0, 3, 5, 9}, []uint16{3, 5}, []uint16{0, 1, 3, 5, 9}},
	} {
		if and, or := index.And(test.a, test.b), index.Or(test.a, test.b); !slices.Equal(and, test.and) || !slices.Equal(or, test.or) {
			t.Errorf("%v and %v: %v, or: %v", test.a, test.b, and, or)
		}
	}
}

// FuzzParse: whatever a file holds, it is refused or can be asked.
func FuzzParse(f *testing.F) {
	b := index.NewBuilder()
	b.Add(1)
	_ = b.End(index.Block{Size: 1})
	f.Add(b.Append(nil, 7))
	f.Add([]byte("lgindex1"))
	f.Fuzz(func(t *testing.T, file []byte) {
		if x, err := index.Parse(file); err == nil {
			_ = x.With(1)
		}
	})
}
