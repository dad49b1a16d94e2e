package gateway

import "sync"

// Shares divide places among those who want them, so that nobody's many slow requests keep the others out: once half of
// the places are taken, nobody gets more than a quarter of all. Whoever is alone has half of them, and so there is
// always room for somebody else. It is safe for concurrent use.
type Shares struct {
	places int
	bound  bool

	mu    sync.Mutex
	taken int
	of    map[string]int
}

// NewShares makes the shares of so many places. Bounded, no more than there are can be taken; else somebody else bounds
// them, and here is only decided who goes without when they become few.
func NewShares(places int, bounded bool) *Shares {
	return &Shares{places: places, bound: bounded, of: map[string]int{}}
}

// Enter takes a place for who, unless it is another's turn. Each that is taken has to be left.
func (s *Shares) Enter(who string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bound && s.taken >= s.places || s.taken >= (s.places+1)/2 && s.of[who] >= max(s.places/4, 1) {
		return false
	}
	s.taken++
	s.of[who]++
	return true
}

// Leave gives a place back.
func (s *Shares) Leave(who string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken--
	if s.of[who]--; s.of[who] == 0 {
		delete(s.of, who)
	}
}
