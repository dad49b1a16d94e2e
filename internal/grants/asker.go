package grants

import (
	"math/bits"
	"slices"
	"sync"
	"unsafe"
)

// asker is who asks, by the numbers of grantees. Identities for which there is no grant have none.
type asker struct {
	ids []uint32 // sorted
	// bits has one set for each id, among sixteen for each: most of who is not the asker is told by it.
	bits  []uint64
	shift uint8
	// generation is that of the numbers.
	generation uint64
	// groups keeps the slice by which the asker was known from being used for another.
	groups []string
}

func newAsker(ids []uint32) *asker {
	slices.Sort(ids)
	size := max(64, 1<<bits.Len(uint(16*len(ids)-1)))
	a := &asker{ids: ids, bits: make([]uint64, size/64), shift: uint8(33 - bits.Len(uint(size)))}
	for _, id := range ids {
		h := spread(id) >> a.shift
		a.bits[h/64] |= 1 << (h % 64)
	}
	return a
}

func (a *asker) has(id uint32) bool {
	h := spread(id) >> a.shift
	if a.bits[h/64]>>(h%64)&1 == 0 {
		return false
	}
	_, ok := slices.BinarySearch(a.ids, id)
	return ok
}

// permits tells whether an entry is the asker's, with the permission asked for or READWRITE.
func (a *asker) permits(e, asked uint32) bool {
	p := e >> permitsShift
	return (p == asked || p == 2) && a.has(e&granteeMask)
}

// askers remembers who asked: the numbers of a thousand groups are looked up once, not for each question. Groups are known
// by their slice, which is never changed and which the directory hands out again as long as the groups stay the same; while
// it is remembered, its memory is nobody else's. It forgets everything when it is full.
type askers struct {
	mu   sync.RWMutex
	all  map[askerKey]*asker
	size int
}

type askerKey struct {
	user, principal string
	groups          *string
	n               int
}

// maxAsked is how many ids are remembered, of 6 bytes each.
const maxAsked = 1 << 20

func keyOf(q *Question) askerKey {
	k := askerKey{user: q.User, principal: q.Principal}
	if q.User != "" && len(q.Groups) > 0 {
		k.groups, k.n = unsafe.SliceData(q.Groups), len(q.Groups)
	}
	return k
}

func (s *askers) get(k askerKey, generation uint64) *asker {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if a := s.all[k]; a != nil && a.generation == generation {
		return a
	}
	return nil
}

func (s *askers) put(k askerKey, a *asker) {
	size := len(a.ids) + 64 // what it costs beside
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil || s.size+size > maxAsked {
		s.all, s.size = map[askerKey]*asker{}, 0
	}
	if old := s.all[k]; old != nil {
		s.size -= len(old.ids) + 64
	}
	s.all[k] = a
	s.size += size
}

// asker finds the numbers of who asks.
func (c *compact) asker(q *Question) *asker {
	k := keyOf(q)
	if a := c.askers.get(k, c.generation); a != nil {
		return a
	}
	var ids []uint32
	for who := range q.identities {
		if id, ok := c.granteeOf(who); ok {
			ids = append(ids, id)
		}
	}
	a := newAsker(slices.Compact(ids))
	a.generation, a.groups = c.generation, q.Groups
	c.askers.put(k, a)
	return a
}
