package portal

import (
	"sync"
	"time"
)

// How fast one person may ask: a burst, and then one request each interval.
const (
	burst    = 100
	interval = 50 * time.Millisecond
	// maxPeople bounds the people remembered. Those beyond it are not held back, until others have been quiet.
	maxPeople = 8192
)

// pace holds back people, or scripts of theirs, that ask in a loop. Each answer costs a signature key and a record.
type pace struct {
	mu sync.Mutex
	// quiet is when a person will have no request counted any more; each one puts it off by interval.
	quiet map[string]time.Time
}

func (p *pace) allows(person string, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	at, known := p.quiet[person]
	if !known && len(p.quiet) >= maxPeople {
		for who, t := range p.quiet {
			if !now.Before(t) {
				delete(p.quiet, who)
			}
		}
		if len(p.quiet) >= maxPeople {
			return true
		}
	}
	if at.Before(now) {
		at = now
	}
	if at = at.Add(interval); at.Sub(now) > burst*interval {
		return false
	}
	if p.quiet == nil {
		p.quiet = map[string]time.Time{}
	}
	p.quiet[person] = at
	return true
}
