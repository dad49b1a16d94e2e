package scim

import (
	"sync"
	"time"
)

// How many refused tokens of one source are answered and recorded one by one: a burst, and then one each interval.
const (
	failBurst    = 20
	failInterval = 6 * time.Second
	// maxSources bounds the sources remembered. Sources beyond it share one count.
	maxSources = 8192
)

// throttle counts refused bearer tokens by source. A token is looked at before its source is: a good one always passes,
// because a provider's addresses are shared with its other customers, any of whom could otherwise lock a store's
// provisioning out. That costs nothing: a token has 256 random bits, which no number of guesses reaches. What the bound
// protects is the audit log, which a stranger could fill, and the operator, whose misconfigured client is told to wait.
type throttle struct {
	mu sync.Mutex
	// full is when a source will have no failure counted any more; each failure puts it off by failInterval.
	full map[string]time.Time
}

// failed counts a refusal. When the source has too many, it returns how long it should wait.
func (t *throttle) failed(source string, now time.Time) (wait time.Duration, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.full == nil {
		t.full = map[string]time.Time{}
	}
	if _, known := t.full[source]; !known && len(t.full) >= maxSources {
		for s, at := range t.full {
			if !now.Before(at) {
				delete(t.full, s)
			}
		}
		if len(t.full) >= maxSources {
			source = ""
		}
	}
	at := t.full[source]
	if at.Before(now) {
		at = now
	}
	at = at.Add(failInterval)
	if over := at.Sub(now) - failBurst*failInterval; over > 0 {
		return over, false
	}
	t.full[source] = at
	return 0, true
}
