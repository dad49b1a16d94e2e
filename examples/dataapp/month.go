package dataapp

import (
	"path"
	"slices"
	"strings"
	"time"
)

// A month is a calendar month, written 2026-11.
type month struct {
	year  int
	month time.Month
}

func monthOf(t time.Time) month { return month{t.Year(), t.Month()} }

func parseMonth(s string) (month, bool) {
	t, err := time.Parse("2006-01", s)
	if err != nil || t.Year() < 1 {
		return month{}, false
	}
	return monthOf(t), true
}

func (m month) time() time.Time { return time.Date(m.year, m.month, 1, 0, 0, 0, 0, time.UTC) }

// Value is the month as forms and file names write it.
func (m month) Value() string { return m.time().Format("2006-01") }

// String is the month as people read it.
func (m month) String() string { return m.time().Format("January 2006") }

func (m month) compare(o month) int { return m.time().Compare(o.time()) }

// monthOfKey reads the month out of a key such as red/sales-2026-11.csv or red/2026-11.csv. Other objects have none.
func monthOfKey(key string) (month, bool) {
	name, ok := strings.CutSuffix(path.Base(key), ".csv")
	if !ok || len(name) < len("2006-01") {
		return month{}, false
	}
	before, text := name[:len(name)-len("2006-01")], name[len(name)-len("2006-01"):]
	if before != "" && !strings.ContainsAny(before[len(before)-1:], "-_. ") {
		return month{}, false
	}
	return parseMonth(text)
}

// A calendar is the months that have sales, the latest first, and the keys of each.
type calendar struct {
	months []month
	keys   map[month][]string
}

func newCalendar(objects []object) calendar {
	c := calendar{keys: map[month][]string{}}
	for _, o := range objects {
		m, ok := monthOfKey(o.Key)
		if !ok {
			continue
		}
		if _, known := c.keys[m]; !known {
			c.months = append(c.months, m)
		}
		c.keys[m] = append(c.keys[m], o.Key)
	}
	slices.SortFunc(c.months, func(a, b month) int { return b.compare(a) })
	return c
}

// choose picks the month to show: the one asked for, else the current one, else the latest. It is false when there is none.
// known is false when a month was asked for that has no sales.
func (c calendar) choose(asked string, today time.Time) (chosen month, known, ok bool) {
	if len(c.months) == 0 {
		return month{}, asked == "", false
	}
	if m, valid := parseMonth(asked); valid && c.keys[m] != nil {
		return m, true, true
	}
	if m := monthOf(today); c.keys[m] != nil {
		return m, asked == "", true
	}
	return c.months[0], asked == "", true
}

// around are the neighbours of a month that have sales too.
func (c calendar) around(m month) (earlier, later *month) {
	i := slices.Index(c.months, m)
	if i > 0 {
		later = &c.months[i-1]
	}
	if i >= 0 && i+1 < len(c.months) {
		earlier = &c.months[i+1]
	}
	return earlier, later
}
