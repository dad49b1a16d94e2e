package signin

import (
	"sync"
	"time"
)

// What one source, and everybody together, may ask of this node without having signed in.
const (
	registrations    = 60 // in a minute, of a source
	registrationsAll = 3000
	deviceStarts     = 30 // in a minute, of a source
	// devicesWaiting bounds the device sign-ins that wait at once, on all nodes.
	devicesWaiting = 10_000
	// wrongCodes is how many user codes that are nobody's a source may try in wrongCodesTime. With 20^8 codes, of which at
	// most devicesWaiting are in use, a source that tries without end hits one in five years (RFC 8628 §5.1).
	wrongCodes     = 10
	wrongCodesTime = 10 * time.Minute
	// sources bounds how many sources are told apart; when there are more in a window, they share a count.
	sources = 20_000
)

// limits are the counts of this node.
type limits struct {
	register, registerAll, device, codes *counter
}

func newLimits(now func() time.Time) limits {
	return limits{
		register: newCounter(registrations, time.Minute, now), registerAll: newCounter(registrationsAll, time.Minute, now),
		device: newCounter(deviceStarts, time.Minute, now), codes: newCounter(wrongCodes, wrongCodesTime, now),
	}
}

// counter counts by key in windows of a fixed length.
type counter struct {
	most   int
	window time.Duration
	now    func() time.Time

	mu    sync.Mutex
	began time.Time
	count map[string]int
}

func newCounter(most int, window time.Duration, now func() time.Time) *counter {
	return &counter{most: most, window: window, now: now, count: map[string]int{}}
}

// take counts one more for the key and reports whether it is within the bound.
func (c *counter) take(key string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	key = c.at(key)
	if c.count[key] >= c.most {
		return false
	}
	c.count[key]++
	return true
}

// full reports whether the key has no more to take.
func (c *counter) full(key string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.count[c.at(key)] >= c.most
}

func (c *counter) at(key string) string {
	if now := c.now(); now.Sub(c.began) >= c.window || now.Before(c.began) {
		c.began = now
		clear(c.count)
	}
	if _, known := c.count[key]; !known && len(c.count) >= sources {
		return ""
	}
	return key
}
