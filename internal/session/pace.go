package session

import (
	"regexp"
	"sync"
	"time"
)

// What STS takes in tags and as a source identity (sts model, tagKeyType and sourceIdentityType).
var (
	tagText            = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`)
	sourceIdentityText = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)
)

// The bounds of requests that nobody signed, by network: a verification of a signature costs more than to ask for one.
const (
	unsignedPerSecond = 50
	unsignedAtOnce    = 200
	maxNetworks       = 10_000
)

// pace bounds unsigned requests. Its zero value works. Each node counts for itself.
type pace struct {
	mu       sync.Mutex
	networks map[string]*allowance
}

// allowance is what a network may still ask for, as of a moment.
type allowance struct {
	left float64
	at   time.Time
}

// admit reports whether a network may ask once more. It forgets everybody when it holds too many.
func (p *pace) admit(network string, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.networks[network]
	if a == nil {
		if p.networks == nil || len(p.networks) >= maxNetworks {
			p.networks = map[string]*allowance{}
		}
		a = &allowance{unsignedAtOnce, now}
		p.networks[network] = a
	}
	a.left = min(unsignedAtOnce, a.left+max(0, now.Sub(a.at).Seconds())*unsignedPerSecond)
	a.at = now
	if a.left < 1 {
		return false
	}
	a.left--
	return true
}
