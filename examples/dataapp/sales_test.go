package dataapp

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

const header = "date,product,region,quantity,revenue\n"

func TestSalesAreSummedByProduct(t *testing.T) {
	tests := []struct {
		name, csv string
		want      []productTotal
	}{
		{"no rows", header, []productTotal{}},
		{"largest revenue first, then by name", header +
			"2026-11-01,Cherries,North,1,5.00\n2026-11-01,Tomatoes,North,2,9.50\n2026-11-02,Apples,South,3,5\n2026-11-03,Tomatoes,South,1,0.25\n",
			[]productTotal{{"Tomatoes", 3, 975}, {"Apples", 3, 500}, {"Cherries", 1, 500}}},
		{"columns in any order, with others between, and a byte order mark",
			"\ufeffRevenue,note,Product,quantity,region,date\n1.5,x,Tomatoes,1,North,2026-11-01\n", []productTotal{{"Tomatoes", 1, 150}}},
		{"quoted, and with the line ends of spreadsheets", "date,product,region,quantity,revenue\r\n2026-11-01,\"Peppers, red\",North,1,1.00\r\n",
			[]productTotal{{"Peppers, red", 1, 100}}},
		{"returns", header + "2026-11-01,Tomatoes,North,-2,-4.05\n2026-11-01,Tomatoes,North,1,4.00\n", []productTotal{{"Tomatoes", -1, -5}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var sums totals
			if err := sums.add(strings.NewReader(tt.csv)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, sums.products()); diff != "" {
				t.Errorf("totals (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSalesThatCannotBeUsed(t *testing.T) {
	row := "2026-11-01,Tomatoes,North,1,1.00\n"
	tests := []struct{ name, csv, want string }{
		{"nothing", "", "it is empty"},
		{"a column is missing", "date,product,region,quantity\n", "its header has no column revenue"},
		{"a column stands twice", "date,product,region,quantity,revenue,Date\n", "its header has date twice"},
		{"a short row", header + row + "2026-11-01,Tomatoes\n", "line 3 is not CSV: wrong number of fields"},
		{"a stray quote", header + "2026-11-01,To\"matoes,North,1,1.00\n", `line 2 is not CSV: bare " in non-quoted-field`},
		{"no date", header + row + "2026-11-31,Tomatoes,North,1,1.00\n", `line 3: "2026-11-31" is not a date`},
		{"no product", header + "2026-11-01, ,North,1,1.00\n", `line 2: "" is not the name of a product`},
		{"half a tomato", header + "2026-11-01,Tomatoes,North,0.5,1.00\n", `line 2: "0.5" is not a quantity`},
		{"too many tomatoes", header + "2026-11-01,Tomatoes,North,1000000000001,1.00\n", `line 2: "1000000000001" is not a quantity`},
		{"money in words", header + "2026-11-01,Tomatoes,North,1,ten\n", `line 2: "ten" is not an amount of money`},
		{"a thousandth", header + "2026-11-01,Tomatoes,North,1,1.001\n", `line 2: "1.001" is not an amount of money`},
		{"not a number that floats know", header + "2026-11-01,Tomatoes,North,1,NaN\n", `line 2: "NaN" is not an amount of money`},
		{"too many products", manyProducts(maxProducts + 1), fmt.Sprintf("line %d: there are more than 1000 products", maxProducts+2)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var sums totals
			err := sums.add(strings.NewReader(tt.csv))
			wrong, ok := errors.AsType[*dataError](err)
			if !ok {
				t.Fatalf("error %v, want one of the data", err)
			}
			if diff := cmp.Diff(tt.want, wrong.what); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

func manyProducts(n int) string {
	var b strings.Builder
	b.WriteString(header)
	for i := range n {
		fmt.Fprintf(&b, "2026-11-01,Product %d,North,1,1.00\n", i)
	}
	return b.String()
}

func TestAnObjectHasABound(t *testing.T) {
	for _, tt := range []struct {
		name  string
		extra int
		fits  bool
	}{{"just fits", 0, true}, {"one byte too long", 1, false}} {
		t.Run(tt.name, func(t *testing.T) {
			var sums totals
			body := header + strings.Repeat("\n", maxObject-len(header)+tt.extra)
			err := sums.add(&limited{from: strings.NewReader(body), left: maxObject + 1})
			if (err == nil) != tt.fits {
				t.Errorf("error %v", err)
			}
		})
	}
}

// Whatever the rows and however they are spread over files, the sums are those of a plain loop.
func TestTotalsAgainstAModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := map[string]productTotal{}
		var sums totals
		for range rapid.IntRange(1, 3).Draw(t, "files") {
			var file bytes.Buffer
			out := csv.NewWriter(&file)
			_ = out.Write(columns)
			for range rapid.IntRange(0, 20).Draw(t, "rows") {
				product := rapid.SampledFrom([]string{"Tomatoes", "Cherries", "Peppers, red", `The "big" one`}).Draw(t, "product")
				quantity, revenue := rapid.Int64Range(-1000, 1000).Draw(t, "quantity"), rapid.Int64Range(-100_000, 100_000).Draw(t, "revenue")
				sum := want[product]
				sum.Product, sum.Quantity, sum.Revenue = product, sum.Quantity+quantity, sum.Revenue+revenue
				want[product] = sum
				sign := ""
				if revenue < 0 {
					sign, revenue = "-", -revenue
				}
				_ = out.Write([]string{"2026-11-01", product, "North", fmt.Sprint(quantity), fmt.Sprintf("%s%d.%02d", sign, revenue/100, revenue%100)})
			}
			out.Flush()
			if err := sums.add(&file); err != nil {
				t.Fatal(err)
			}
		}
		got := map[string]productTotal{}
		for _, p := range sums.products() {
			got[p.Product] = p
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("totals (-want +got):\n%s", diff)
		}
	})
}

func FuzzSales(f *testing.F) {
	f.Add([]byte(november))
	f.Add([]byte(header + "2026-11-01,\"Peppers, red\",North,-1,-0.05\n"))
	f.Add([]byte("\ufeffdate"))
	f.Fuzz(func(t *testing.T, body []byte) {
		var sums totals
		if err := sums.add(bytes.NewReader(body)); err != nil {
			return
		}
		var share float64
		for _, s := range drawPie("t", sums.products()).Slices {
			if s.Share < 0 || s.Share > 1 {
				t.Errorf("share %v", s.Share)
			}
			share += s.Share
		}
		if share > 1.000001 {
			t.Errorf("shares add up to %v", share)
		}
	})
}

func TestMoneyAndCount(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0.00", 5: "0.05", 99: "0.99", 100: "1.00", 123456: "1,234.56", 100000000: "1,000,000.00", -123456: "−1,234.56",
	} {
		if got := money(n); got != want {
			t.Errorf("money(%d) = %s, want %s", n, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", -1234567: "−1,234,567"} {
		if got := count(n); got != want {
			t.Errorf("count(%d) = %s, want %s", n, got, want)
		}
	}
}
