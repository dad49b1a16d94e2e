package demo

import (
	"encoding/csv"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// product is something that is sold, with the price of a unit and how many are sold in a region on a usual day.
type product struct {
	name  string
	price float64
	usual int
}

var (
	redProducts = []product{
		{"Tomatoes", 2.40, 120}, {"Cherry tomatoes", 4.10, 55}, {"Strawberries", 5.20, 38}, {"Red peppers", 3.30, 31}, {"Radishes", 1.60, 22}, {"Raspberries", 7.90, 9},
	}
	blueProducts = []product{
		{"Blueberries", 6.80, 44}, {"Plums", 3.10, 40}, {"Red cabbage", 1.90, 33}, {"Aubergines", 2.70, 25}, {"Black grapes", 4.60, 21},
	}
)

var regions = []string{"North", "East", "South", "West"}

// sales writes a month of sales as CSV: date, product, region, quantity, revenue. The same month always sells the same.
func sales(month time.Time, products []product) string {
	random := rand.New(rand.NewPCG(uint64(month.Year()), uint64(month.Month()))) //nolint:gosec // invented figures
	var b strings.Builder
	w := csv.NewWriter(&b)
	_ = w.Write([]string{"date", "product", "region", "quantity", "revenue"})
	for day := month; day.Month() == month.Month(); day = day.AddDate(0, 0, 1) {
		for _, p := range products {
			region := regions[random.IntN(len(regions))]
			n := p.usual/2 + random.IntN(p.usual+1)
			_ = w.Write([]string{day.Format(time.DateOnly), p.name, region, strconv.Itoa(n), fmt.Sprintf("%.2f", float64(n)*p.price)})
		}
	}
	w.Flush()
	return b.String()
}

// months are the month of the instant and the two before it, oldest first.
func months(now time.Time) []time.Time {
	this := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
	return []time.Time{this.AddDate(0, -2, 0), this.AddDate(0, -1, 0), this}
}
