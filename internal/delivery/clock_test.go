package delivery_test

import (
	"testing"
	"time"
)

// TestClockThatStepsBack: what happens while the clock is behind is delivered like all else and has its digest once the clock
// has come to where it was; the chain of digests holds, and no time is told twice.
func TestClockThatStepsBack(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		h.trail()
		n := h.nodes[0]
		n.happen(h, account, "Before")
		h.pass(time.Hour)
		h.tend()
		digested := len(h.keys("CloudTrail-Digest"))
		if digested == 0 {
			t.Fatal("there is no digest before the step")
		}
		h.pass(-3 * time.Hour)
		n.happen(h, account, "Behind")
		h.turn()
		h.turn()
		if got := h.delivered(); got["Before"] != 1 || got["Behind"] != 1 {
			t.Errorf("delivered %v", got)
		}
		if n := len(h.keys("CloudTrail-Digest")); n != digested {
			t.Errorf("%d digests while the clock is behind, %d before", n, digested)
		}
		h.pass(4 * time.Hour)
		n.happen(h, account, "Again")
		h.tend()
		h.turn()
		h.pass(time.Hour)
		h.tend()
		if got := h.delivered(); got["Again"] != 1 || got["Behind"] != 1 {
			t.Errorf("delivered %v", got)
		}
		named, end := map[string]int{}, ""
		for _, d := range h.digests() {
			if d.DigestStartTime >= d.DigestEndTime || d.DigestStartTime < end {
				t.Errorf("a digest from %s to %s follows one to %s", d.DigestStartTime, d.DigestEndTime, end)
			}
			end = d.DigestEndTime
			for _, f := range d.LogFiles {
				named[f.S3Object]++
			}
		}
		for _, key := range h.keys("CloudTrail") {
			if named[key] != 1 {
				t.Errorf("%s is in %d digests", key, named[key])
			}
		}
	})
}
