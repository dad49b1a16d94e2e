package gateway

import (
	"sync"
	"time"

	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/wire"
)

// Limits bound what one principal may take of the data plane; 0 is no bound. The principal is the person, where the
// request is in one's name, whatever the session and the application; else the role or user, whatever the session; else
// the network that the request comes from.
type Limits struct {
	// RequestsPerSecond may be used up in a burst of ten seconds' worth.
	RequestsPerSecond int
	// BytesPerSecond counts objects' bytes in both directions. What is over is paid back: after a large object, requests
	// are refused until its time has passed.
	BytesPerSecond int64
	// Concurrent requests.
	Concurrent int
}

// Capacity is how much of a thing there is for all principals together; they share it as Shares have it.
type Capacity struct {
	// Requests are the requests that the server takes at once; 0 shares nothing.
	Requests int
	// Connections are those that there may be to a backend, by its name; nil shares nothing.
	Connections func(backend string) int
}

// burst is how many seconds' worth of requests or bytes may be used at once.
const burst = 10

// maxShares bounds how many principals are kept in mind; a principal who has asked for nothing of late costs nothing to
// forget, as its budget is full again.
const maxShares = 10000

// Limiter holds principals to their limits. A nil one has none. It is safe for concurrent use.
type Limiter struct {
	limits   Limits
	capacity Capacity
	requests *Shares // nil where nothing is shared

	mu       sync.Mutex
	shares   map[string]*share  // nil where no principal has a limit
	backends map[string]*Shares // of connections
}

// NewLimiter makes a limiter.
func NewLimiter(l Limits, c Capacity) *Limiter {
	limiter := &Limiter{limits: l, capacity: c, backends: map[string]*Shares{}}
	if l != (Limits{}) {
		limiter.shares = map[string]*share{}
	}
	if c.Requests > 0 {
		limiter.requests = NewShares(c.Requests, false)
	}
	return limiter
}

// share is what a principal has left.
type share struct {
	active          int
	requests, bytes float64
	at              time.Time
}

// enter takes a request in, or refuses it with SlowDown. Each that is taken in has to leave, with the bytes that it moved.
func (l *Limiter) enter(principal string, now time.Time) (leave func(bytes int64, now time.Time), err error) {
	if l == nil {
		return func(int64, time.Time) {}, nil
	}
	if l.requests != nil && !l.requests.Enter(principal) {
		return nil, slowDown()
	}
	own, err := l.take(principal, now)
	if err != nil {
		l.giveBack(principal)
		return nil, err
	}
	return func(bytes int64, now time.Time) {
		if own != nil {
			l.repay(own, bytes, now)
		}
		l.giveBack(principal)
	}, nil
}

func (l *Limiter) giveBack(principal string) {
	if l.requests != nil {
		l.requests.Leave(principal)
	}
}

// take takes a request from a principal's own share, which is nil where principals have no limit.
func (l *Limiter) take(principal string, now time.Time) (*share, error) {
	if l.shares == nil {
		return nil, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.shares[principal]
	if s == nil {
		if len(l.shares) >= maxShares {
			l.forget(now)
		}
		s = &share{requests: burst * float64(l.limits.RequestsPerSecond), bytes: burst * float64(l.limits.BytesPerSecond), at: now}
		l.shares[principal] = s
	}
	l.refill(s, now)
	n := &l.limits
	if n.Concurrent > 0 && s.active >= n.Concurrent || n.RequestsPerSecond > 0 && s.requests < 1 || n.BytesPerSecond > 0 && s.bytes <= 0 {
		return nil, slowDown()
	}
	s.active++
	s.requests--
	return s, nil
}

func (l *Limiter) repay(s *share, bytes int64, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refill(s, now)
	s.active--
	s.bytes -= float64(max(bytes, 0))
}

// enterBackend takes one of the connections to a backend for a principal, or refuses it with SlowDown: who waits for a
// slow backend must not keep its other buckets from everybody.
func (l *Limiter) enterBackend(backend, principal string) (leave func(), err error) {
	if l == nil || l.capacity.Connections == nil {
		return func() {}, nil
	}
	l.mu.Lock()
	s := l.backends[backend]
	if n := l.capacity.Connections(backend); s == nil || s.places != n {
		s = NewShares(n, false) // the former ones, of another number, end with their requests
		l.backends[backend] = s
	}
	l.mu.Unlock()
	if !s.Enter(principal) {
		return nil, slowDown()
	}
	return func() { s.Leave(principal) }, nil
}

func slowDown() error { return wire.Throttled("Please reduce your request rate.") }

// refill gives a share what has come in since it was last looked at. A clock that steps back gives nothing.
func (l *Limiter) refill(s *share, now time.Time) {
	since := now.Sub(s.at).Seconds()
	if since <= 0 {
		return
	}
	s.at = now
	s.requests = min(s.requests+since*float64(l.limits.RequestsPerSecond), burst*float64(l.limits.RequestsPerSecond))
	s.bytes = min(s.bytes+since*float64(l.limits.BytesPerSecond), burst*float64(l.limits.BytesPerSecond))
}

// forget drops the shares that are whole again. Those that are not stay, however many: to forget one would be to give its
// principal a new one.
func (l *Limiter) forget(now time.Time) {
	for principal, s := range l.shares {
		l.refill(s, now)
		if s.active == 0 && s.requests >= burst*float64(l.limits.RequestsPerSecond) && s.bytes >= burst*float64(l.limits.BytesPerSecond) {
			delete(l.shares, principal)
		}
	}
}

// principalOf is whom a request counts for.
func principalOf(c *caller.Caller, r *caller.Request) string {
	switch p := c.Named(); {
	case p != nil:
		return p.IdentityStoreID + "/" + p.UserID
	case c.PrincipalARN != "":
		return c.PrincipalARN
	case c.ARN != "":
		return c.ARN
	}
	return "network " + r.Network()
}
