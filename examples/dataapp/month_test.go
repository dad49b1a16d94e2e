package dataapp

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestMonthOfKey(t *testing.T) {
	tests := []struct{ key, want string }{
		{"red/sales-2026-11.csv", "2026-11"}, {"2026-11.csv", "2026-11"}, {"red/eu/sales_2026-01.csv", "2026-01"}, {"a.2026-12.csv", "2026-12"},
		{"sales-2026-13.csv", ""}, {"sales-2026-00.csv", ""}, {"sales-0000-01.csv", ""}, {"sales2026-11.csv", ""}, {"12026-11.csv", ""},
		{"sales-2026-11.CSV", ""}, {"sales-2026-11.csv.gz", ""}, {"sales.csv", ""}, {"2026-11.csv/x", ""}, {"", ""}, {"sales-2026-1.csv", ""},
	}
	for _, tt := range tests {
		t.Run(tt.key, func(t *testing.T) {
			got := ""
			if m, ok := monthOfKey(tt.key); ok {
				got = m.Value()
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestMonthChoice(t *testing.T) {
	three := []object{{Key: "sales-2026-09.csv"}, {Key: "sales-2026-11.csv"}, {Key: "eu/sales-2026-11.csv"}, {Key: "sales-2026-12.csv"}, {Key: "x.txt"}}
	today := time.Date(2026, 11, 30, 23, 59, 0, 0, time.UTC)
	type choice struct {
		Month          string
		Known, OK      bool
		Earlier, Later string
	}
	tests := []struct {
		name    string
		objects []object
		asked   string
		today   time.Time
		want    choice
	}{
		{"nothing asked: the current month", three, "", today, choice{"2026-11", true, true, "2026-09", "2026-12"}},
		{"nothing asked, no current month: the latest", three, "", today.AddDate(1, 0, 0), choice{"2026-12", true, true, "2026-11", ""}},
		{"asked", three, "2026-09", today, choice{"2026-09", true, true, "", "2026-11"}},
		{"asked for one without sales: the current, and say so", three, "2026-10", today, choice{"2026-11", false, true, "2026-09", "2026-12"}},
		{"asked for nonsense: the current, and say so", three, "next", today, choice{"2026-11", false, true, "2026-09", "2026-12"}},
		{"no sales at all", []object{{Key: "x.txt"}}, "", today, choice{"", true, false, "", ""}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newCalendar(tt.objects)
			m, known, ok := c.choose(tt.asked, tt.today)
			got := choice{Known: known, OK: ok}
			if ok {
				got.Month = m.Value()
				earlier, later := c.around(m)
				if earlier != nil {
					got.Earlier = earlier.Value()
				}
				if later != nil {
					got.Later = later.Value()
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("choice (-want +got):\n%s", diff)
			}
		})
	}
	if got := len(newCalendar(three).keys[month{2026, time.November}]); got != 2 {
		t.Errorf("%d files for November, want 2", got)
	}
}
