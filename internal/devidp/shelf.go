package devidp

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"sync"
	"time"
)

// shelf holds a bounded number of short-lived things under secret names, in memory. It keeps the hash of a name, never
// the name, so that a lookup compares no secret. When it is full, the thing that would expire first gives way.
type shelf[V any] struct {
	now   func() time.Time
	limit int

	mu    sync.Mutex
	items map[string]shelved[V]
}

type shelved[V any] struct {
	value V
	until time.Time
}

func newShelf[V any](limit int, now func() time.Time) *shelf[V] {
	return &shelf[V]{now: now, limit: limit, items: make(map[string]shelved[V])}
}

func (s *shelf[V]) put(name string, v V, life time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.items) >= s.limit {
		s.makeRoom()
	}
	s.items[digest(name)] = shelved[V]{v, s.now().Add(life)}
}

// makeRoom drops what has expired, or else the one that will expire first.
func (s *shelf[V]) makeRoom() {
	now, before, first := s.now(), len(s.items), ""
	for k, it := range s.items {
		if !now.Before(it.until) {
			delete(s.items, k)
		} else if first == "" || it.until.Before(s.items[first].until) {
			first = k
		}
	}
	if len(s.items) == before {
		delete(s.items, first)
	}
}

func (s *shelf[V]) get(name string) (V, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	it, ok := s.items[digest(name)]
	if !ok || !s.now().Before(it.until) {
		var none V
		return none, false
	}
	return it.value, true
}

// take is get and removal in one step, so that of two who present the same name one gets the thing.
func (s *shelf[V]) take(name string) (V, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := digest(name)
	it, ok := s.items[k]
	delete(s.items, k)
	if !ok || !s.now().Before(it.until) {
		var none V
		return none, false
	}
	return it.value, true
}

// drop removes everything that the function says.
func (s *shelf[V]) drop(gone func(V) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, it := range s.items {
		if gone(it.value) {
			delete(s.items, k)
		}
	}
}

// secret returns a new unguessable name of n random bytes.
func secret(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

// digest is the name under which a secret is kept.
func digest(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
