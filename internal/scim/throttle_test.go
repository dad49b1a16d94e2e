package scim

import (
	"fmt"
	"testing"
	"time"
)

func TestTheThrottle(t *testing.T) {
	var th throttle
	now := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	burst := func(source string) (n int) {
		for {
			if wait, ok := th.failed(source, now); !ok {
				if wait <= 0 || wait > failInterval {
					t.Fatalf("%s waits %v", source, wait)
				}
				return n
			}
			n++
		}
	}
	for _, source := range []string{"192.0.2.1", "192.0.2.2", "2001:db8::/64"} {
		if n := burst(source); n != failBurst {
			t.Errorf("%s: %d were let through, want %d", source, n, failBurst)
		}
	}
	if n := burst("192.0.2.1"); n != 0 {
		t.Errorf("%d more were let through at once", n)
	}
	now = now.Add(failInterval)
	if n := burst("192.0.2.1"); n != 1 {
		t.Errorf("after one interval %d were let through, want 1", n)
	}
	now = now.Add(time.Hour)
	if n := burst("192.0.2.1"); n != failBurst {
		t.Errorf("after an hour %d were let through, want %d", n, failBurst)
	}
}

// Who comes from very many sources fills no memory, and does not get a burst for each.
func TestTheThrottleIsBounded(t *testing.T) {
	var th throttle
	now := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	let := 0
	for i := range 3 * maxSources {
		if _, ok := th.failed(fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255), now); ok {
			let++
		}
	}
	if len(th.full) > maxSources+1 || let != maxSources+failBurst {
		t.Errorf("%d sources are remembered, %d failures were let through", len(th.full), let)
	}
	if _, ok := th.failed("192.0.2.1", now.Add(time.Hour)); !ok || len(th.full) != 1 {
		t.Errorf("an hour later %d sources are remembered", len(th.full))
	}
}
