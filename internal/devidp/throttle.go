package devidp

import (
	"sync"
	"time"
)

// How many failed sign-ins are let through in a window, for one userName and for one address. One click on a person is
// not bounded by it: there is nothing to guess.
const (
	guessWindow     = 5 * time.Minute
	guessesPerName  = 5
	guessesPerAddr  = 30
	maxGuessEntries = 4096
)

// throttle counts attempts to guess a password. An attempt is counted before the password is looked at and given back
// when it was right, so that many at once gain nothing.
type throttle struct {
	now func() time.Time

	mu      sync.Mutex
	windows map[string]guessCount
}

type guessCount struct {
	count int
	until time.Time
}

func newThrottle(now func() time.Time) *throttle {
	return &throttle{now: now, windows: make(map[string]guessCount)}
}

// take counts an attempt under a key. When the limit is reached it returns how long to wait instead.
func (t *throttle) take(key string, limit int) (wait time.Duration, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	w, found := t.windows[key]
	if !now.Before(w.until) {
		w = guessCount{until: now.Add(guessWindow)}
	}
	if w.count >= limit {
		return w.until.Sub(now), false
	}
	if !found && len(t.windows) >= maxGuessEntries {
		t.sweep(now)
		// Full of live windows: somebody tries many names. Until they end, names without a window are refused, which
		// costs a developer a click on the list instead of a password.
		if len(t.windows) >= maxGuessEntries {
			return guessWindow, false
		}
	}
	w.count++
	t.windows[key] = w
	return 0, true
}

func (t *throttle) sweep(now time.Time) {
	for k, w := range t.windows {
		if !now.Before(w.until) {
			delete(t.windows, k)
		}
	}
}

// giveBack takes an attempt that was right out of the count.
func (t *throttle) giveBack(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if w, ok := t.windows[key]; ok && w.count > 0 {
		w.count--
		t.windows[key] = w
	}
}
