package remote

import (
	"sync"
	"time"
)

// breaker refuses requests to a service that does not answer, so that nobody waits for it in vain. After a row of failures
// it is open for a while, twice as long each time; then one request is let through, and its outcome decides.
type breaker struct {
	now func() time.Time

	mu       sync.Mutex
	failures int
	until    time.Time     // refuses until then
	pause    time.Duration // how long it was open last
	trial    bool          // one request is being let through
	cause    string
	since    time.Time // of the present state
}

const (
	failuresToOpen = 5
	firstPause     = time.Second
	longestPause   = 30 * time.Second
)

// allow says whether a request may be made. Each one that may must be reported.
func (b *breaker) allow() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failures < failuresToOpen {
		return true
	}
	if b.trial || b.now().Before(b.until) {
		return false
	}
	b.trial = true
	return true
}

// succeeded closes it.
func (b *breaker) succeeded() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failures >= failuresToOpen || b.since.IsZero() {
		b.since = b.now()
	}
	b.failures, b.pause, b.trial, b.cause = 0, 0, false, ""
}

// failed counts a failure of the service.
func (b *breaker) failed(cause string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.trial = false
	b.cause = cause
	if b.failures++; b.failures < failuresToOpen {
		return
	}
	if b.failures == failuresToOpen {
		b.since = b.now()
	}
	b.pause = min(max(2*b.pause, firstPause), longestPause)
	b.until = b.now().Add(b.pause)
}

// undecided ends a request that says nothing of the service, such as one that its client gave up.
func (b *breaker) undecided() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.trial = false
}

// Health is how a service is doing.
type Health struct {
	// Up is false while requests are refused because the service does not answer.
	Up bool
	// Cause is why the last request failed; empty when it did not.
	Cause string
	// Since is when it came up or went down; zero before the first request.
	Since time.Time
}

func (b *breaker) health() Health {
	b.mu.Lock()
	defer b.mu.Unlock()
	return Health{Up: b.failures < failuresToOpen, Cause: b.cause, Since: b.since}
}
