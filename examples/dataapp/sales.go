package dataapp

import (
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Sales are CSV objects with a header line that names at least these columns, in any order:
//
//	date,product,region,quantity,revenue
//	2026-11-03,Tomatoes,North,120,358.80
//
// Quantities are whole numbers; revenues are decimals and are summed in hundredths. Both may be negative, for returns.
var columns = []string{"date", "product", "region", "quantity", "revenue"}

const (
	maxRows     = 500_000
	maxProducts = 1000
	maxProduct  = 100
	// maxAmount keeps sums of maxRows rows within an int64.
	maxAmount = 1_000_000_000_000
)

// A dataError says in a sentence's end what is wrong with the data. It is for people to read.
type dataError struct{ what string }

func (e *dataError) Error() string { return e.what }

// totals are the sums of sales by product.
type totals struct {
	rows      int
	byProduct map[string]*productTotal
}

type productTotal struct {
	Product  string
	Quantity int64
	// Revenue is in hundredths.
	Revenue int64
}

// add reads one CSV of sales into the totals.
func (t *totals) add(r io.Reader) error {
	if t.byProduct == nil {
		t.byProduct = map[string]*productTotal{}
	}
	in := csv.NewReader(r)
	in.ReuseRecord = true
	header, err := in.Read()
	if errors.Is(err, io.EOF) {
		return &dataError{"it is empty"}
	}
	if err != nil {
		return readError(err)
	}
	place, err := places(header)
	if err != nil {
		return err
	}
	for {
		record, err := in.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return readError(err)
		}
		line, _ := in.FieldPos(0)
		if err := t.row(record, place); err != nil {
			return &dataError{fmt.Sprintf("line %d: %s", line, err)}
		}
	}
}

func places(header []string) (map[string]int, error) {
	found := map[string]int{}
	for i, name := range header {
		// Spreadsheets put a byte order mark before the first name.
		name = strings.ToLower(strings.TrimSpace(strings.TrimPrefix(name, "\ufeff")))
		if _, twice := found[name]; twice && slices.Contains(columns, name) {
			return nil, &dataError{fmt.Sprintf("its header has %s twice", name)}
		}
		found[name] = i
	}
	for _, name := range columns {
		if _, ok := found[name]; !ok {
			return nil, &dataError{fmt.Sprintf("its header has no column %s", name)}
		}
	}
	return found, nil
}

func (t *totals) row(record []string, place map[string]int) error {
	if t.rows++; t.rows > maxRows {
		return fmt.Errorf("there are more than %d rows", maxRows)
	}
	if date := record[place["date"]]; !isDate(date) {
		return fmt.Errorf("%s is not a date", quoteShort(date))
	}
	product := strings.TrimSpace(record[place["product"]])
	if product == "" || utf8.RuneCountInString(product) > maxProduct || !utf8.ValidString(product) {
		return fmt.Errorf("%s is not the name of a product", quoteShort(product))
	}
	quantity, err := strconv.ParseInt(strings.TrimSpace(record[place["quantity"]]), 10, 64)
	if err != nil || quantity > maxAmount || quantity < -maxAmount {
		return fmt.Errorf("%s is not a quantity", quoteShort(record[place["quantity"]]))
	}
	revenue, ok := parseHundredths(strings.TrimSpace(record[place["revenue"]]))
	if !ok {
		return fmt.Errorf("%s is not an amount of money", quoteShort(record[place["revenue"]]))
	}
	sum := t.byProduct[product]
	if sum == nil {
		if len(t.byProduct) == maxProducts {
			return fmt.Errorf("there are more than %d products", maxProducts)
		}
		product = strings.Clone(product) // the record is reused, and a product should not hold its line
		sum = &productTotal{Product: product}
		t.byProduct[product] = sum
	}
	sum.Quantity += quantity
	sum.Revenue += revenue
	return nil
}

func isDate(s string) bool {
	_, err := time.Parse(time.DateOnly, strings.TrimSpace(s))
	return err == nil
}

// parseHundredths reads a decimal with up to two places. It goes without floating point, in which sums of money drift.
func parseHundredths(s string) (int64, bool) {
	s, negative := strings.CutPrefix(s, "-")
	whole, fraction, dotted := strings.Cut(s, ".")
	if len(fraction) > 2 || dotted && fraction == "" || whole == "" || !digits(whole) || !digits(fraction) {
		return 0, false
	}
	n, err := strconv.ParseInt(whole+fraction+"00"[len(fraction):], 10, 64)
	if err != nil || n > maxAmount {
		return 0, false
	}
	if negative {
		n = -n
	}
	return n, true
}

func digits(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
}

func readError(err error) error {
	if wrong, ok := errors.AsType[*csv.ParseError](err); ok {
		return &dataError{fmt.Sprintf("line %d is not CSV: %s", wrong.Line, wrong.Err)}
	}
	return err
}

// products are the totals, those with the most revenue first.
func (t *totals) products() []productTotal {
	all := make([]productTotal, 0, len(t.byProduct))
	for _, p := range t.byProduct {
		all = append(all, *p)
	}
	slices.SortFunc(all, func(a, b productTotal) int {
		return cmp.Or(cmp.Compare(b.Revenue, a.Revenue), strings.Compare(a.Product, b.Product))
	})
	return all
}

// money writes hundredths as people read them: 12,345.60.
func money(hundredths int64) string {
	sign := ""
	if hundredths < 0 {
		sign, hundredths = "−", -hundredths
	}
	return fmt.Sprintf("%s%s.%02d", sign, grouped(hundredths/100), hundredths%100)
}

// count writes a whole number with its thousands apart.
func count(n int64) string {
	if n < 0 {
		return "−" + grouped(-n)
	}
	return grouped(n)
}

func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
