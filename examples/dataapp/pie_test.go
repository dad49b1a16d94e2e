package dataapp

import (
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "write the golden files anew")

func products(revenues ...int64) []productTotal {
	var all []productTotal
	for i, r := range revenues {
		all = append(all, productTotal{Product: string(rune('A' + i)), Quantity: 1, Revenue: r})
	}
	return all
}

func TestPie(t *testing.T) {
	tests := []struct {
		name     string
		products []productTotal
	}{
		{"quarters", products(25, 25, 25, 25)},
		{"one product is the whole", products(100)},
		{"more than half takes the long way round", products(75, 25)},
		{"a thin slice has no percentage", products(970, 30)},
		{"a crumb", products(1_000_000, 1)},
		{"returns have no slice", products(60, 40, 0, -10)},
		{"eight products fit", products(8, 7, 6, 5, 4, 3, 2, 1)},
		{"more than eight share the last", products(10, 9, 8, 7, 6, 5, 4, 3, 2, 1)},
		{"nothing to draw", products(0, -1)},
		{"no products", nil},
	}
	var got strings.Builder
	for _, tt := range tests {
		p := drawPie(tt.name, tt.products)
		fmt.Fprintf(&got, "%s\n  %s\n", p.Title, p.Description)
		for _, s := range p.Slices {
			fmt.Fprintf(&got, "  c%d %-16s %6s whole=%-5v label=%-5v at %s,%s  %s\n", s.Colour, s.Label, s.Percent(), s.Whole, s.Labelled, s.LabelX, s.LabelY, s.Path)
		}
	}
	file := filepath.Join("testdata", "pie.golden")
	if *update {
		if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("geometry (-want +got):\n%s", diff)
	}
}

// Each slice begins where the one before it ends, and together they go round once.
func TestPieGoesRoundOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		revenues := rapid.SliceOfN(rapid.Int64Range(1, 1_000_000), 1, 20).Draw(t, "revenues")
		var sums totals
		sums.byProduct = map[string]*productTotal{}
		for i, r := range revenues {
			name := fmt.Sprint(i)
			sums.byProduct[name] = &productTotal{Product: name, Revenue: r}
		}
		drawn := drawPie("t", sums.products())
		var share float64
		end := "0.00 -150.00"
		for _, s := range drawn.Slices {
			start := strings.TrimPrefix(s.Path[:strings.Index(s.Path, "A")], "M0 0L")
			if start != end {
				t.Fatalf("a slice begins at %s, the one before it ends at %s", start, end)
			}
			arc := strings.Fields(strings.TrimSuffix(s.Path, "Z"))
			end = strings.Join(arc[len(arc)-2:], " ")
			if long := arc[len(arc)-4] == "1"; long != (s.Share > 0.5) {
				t.Fatalf("share %v, long way round %v", s.Share, long)
			}
			share += s.Share
		}
		if end != "0.00 -150.00" || math.Abs(share-1) > 1e-9 || len(drawn.Slices) > maxSlices {
			t.Fatalf("ends at %s with %v in %d slices", end, share, len(drawn.Slices))
		}
	})
}
