package trail

import "time"

// timeFormat is how records write times.
const timeFormat = "2006-01-02T15:04:05Z"

// stamp writes a time as records have it, in UTC. It does the same as Format with timeFormat, at a fraction of the cost,
// for each record has two of them.
func stamp(t time.Time) string {
	t = t.UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	if year < 0 || year > 9999 {
		return t.Format(timeFormat)
	}
	var b [len(timeFormat)]byte
	copy(b[:], timeFormat)
	two := func(at, n int) { b[at], b[at+1] = byte('0'+n/10), byte('0'+n%10) }
	two(0, year/100)
	two(2, year%100)
	two(5, int(month))
	two(8, day)
	two(11, hour)
	two(14, minute)
	two(17, second)
	return string(b[:])
}
