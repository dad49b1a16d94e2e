package trail

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"
)

// TestClockThatStepsBack: records have the times that the clock told, the log has them in the order in which they happened,
// and a question for a time finds all that have it, on whichever side of the step they were written.
func TestClockThatStepsBack(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, LogConfig{Dir: dir, SegmentSize: 4 << 10, Now: func() time.Time { return start }})
	// An hour forth, two back, and forth again; a record a minute.
	var minutes []int
	for m := range 60 {
		minutes = append(minutes, m)
	}
	for m := -60; m < 60; m++ {
		minutes = append(minutes, m)
	}
	for i, m := range minutes {
		at := start.Add(time.Duration(m) * time.Minute).Format(timeFormat)
		if err := l.Append(true, fmt.Appendf(nil, `{"eventTime":%q,"eventName":"Tick","recipientAccountId":%q,"eventID":"%d"}`, at, dataAccount, i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.seal(); err != nil {
		t.Fatal(err)
	}
	all, err := segmentsIn(dir)
	if err != nil || len(all) < 4 {
		t.Fatalf("%d segments, %v", len(all), err)
	}
	between := func(from, to int) (want []string) {
		for i, m := range minutes {
			if m >= from && m < to {
				want = append(want, fmt.Sprint(i))
			}
		}
		return want
	}
	for _, span := range [][2]int{{-60, 60}, {-30, -20}, {-1, 1}, {0, 10}, {50, 60}, {59, 60}, {60, 70}} {
		f := &Filter{Accounts: []string{dataAccount}, From: start.Add(time.Duration(span[0]) * time.Minute), To: start.Add(time.Duration(span[1]) * time.Minute)}
		for _, d := range []Direction{Forward, Backward} {
			var got []string
			if _, more, err := l.Search(context.Background(), f, Position{}, d, func(h Hit) bool { got = append(got, eventID(h.Record)); return true }); err != nil || more {
				t.Fatalf("%v, %v", more, err)
			}
			if d == Backward {
				slices.Reverse(got)
			}
			if want := between(span[0], span[1]); !slices.Equal(got, want) {
				t.Errorf("between %d and %d: %v, want %v", span[0], span[1], got, want)
			}
		}
	}
	v, err := Verify(t.Context(), dir, nil)
	if err != nil || v.Broken != nil || int(v.Records) != len(minutes) {
		t.Errorf("verify says %+v, %v", v, err)
	}
}
