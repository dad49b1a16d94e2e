package grants

import (
	"slices"
	"sync"
)

// Index finds the grant that wins, in memory. Grants lie by account and bucket, then by the prefix of their scope, then by
// grantee:
//
//	111111111111/lake ─▶ lengths 12, 4 ─▶ "red/" ─▶ a few grants: a list
//	                                      "red/reports/" ─▶ many: a set by grantee
//
// A question probes the beginnings of its key at the lengths that occur in the bucket, the longest first. Its cost grows
// with the number of different lengths, not with that of the grants; with the asker's groups only at a prefix that has
// many grantees. It is safe for concurrent use.
type Index struct {
	mu      sync.RWMutex
	shelves map[place]*shelf
}

type place struct{ account, bucket string }

// shelf holds the grants of one bucket.
type shelf struct {
	spots map[spot]pile
	// lengths are those of the prefixes, longest first, with how many spots have each.
	lengths []length
	// holders counts the grants of each grantee, to tell who has none here from who has others.
	holders map[Grantee]int
}

type spot struct {
	prefix string
	one    bool
}

type length struct{ n, spots int }

// pile is the grants at one spot: a list while they are few, which costs little room, then a set.
type pile struct {
	few  []*Grant
	many map[Grantee][]*Grant
}

// maxFew is how many grants are looked through one by one.
const maxFew = 16

func newIndex() *Index { return &Index{shelves: map[place]*shelf{}} }

func (x *Index) reset() {
	x.mu.Lock()
	defer x.mu.Unlock()
	clear(x.shelves)
}

func (x *Index) add(g *Grant) {
	x.mu.Lock()
	defer x.mu.Unlock()
	at := place{g.Account, g.Scope.Bucket}
	s := x.shelves[at]
	if s == nil {
		s = &shelf{spots: map[spot]pile{}, holders: map[Grantee]int{}}
		x.shelves[at] = s
	}
	k := spot{g.Scope.Prefix, g.Scope.One}
	p, known := s.spots[k]
	if !known {
		s.count(len(k.prefix), 1)
	}
	s.spots[k] = p.with(g)
	s.holders[g.Grantee]++
}

func (x *Index) remove(g *Grant) {
	x.mu.Lock()
	defer x.mu.Unlock()
	at := place{g.Account, g.Scope.Bucket}
	s := x.shelves[at]
	if s == nil {
		return
	}
	k := spot{g.Scope.Prefix, g.Scope.One}
	p, found := s.spots[k].without(g)
	if !found {
		return
	}
	if s.holders[g.Grantee]--; s.holders[g.Grantee] == 0 {
		delete(s.holders, g.Grantee)
	}
	if len(p.few)+len(p.many) > 0 {
		s.spots[k] = p
		return
	}
	delete(s.spots, k)
	s.count(len(k.prefix), -1)
	if len(s.spots) == 0 {
		delete(x.shelves, at)
	}
}

func (p pile) with(g *Grant) pile {
	if p.many == nil && len(p.few) < maxFew {
		p.few = append(p.few, g)
		return p
	}
	if p.many == nil {
		p.many = map[Grantee][]*Grant{}
		for _, o := range p.few {
			p.many[o.Grantee] = append(p.many[o.Grantee], o)
		}
		p.few = nil
	}
	p.many[g.Grantee] = append(p.many[g.Grantee], g)
	return p
}

func (p pile) without(g *Grant) (_ pile, found bool) {
	same := func(o *Grant) bool { return o.ID == g.ID }
	if p.many == nil {
		i := slices.IndexFunc(p.few, same)
		if i < 0 {
			return p, false
		}
		p.few = slices.Delete(p.few, i, i+1)
		return p, true
	}
	list := p.many[g.Grantee]
	i := slices.IndexFunc(list, same)
	if i < 0 {
		return p, false
	}
	if list = slices.Delete(list, i, i+1); len(list) > 0 {
		p.many[g.Grantee] = list
	} else {
		delete(p.many, g.Grantee)
	}
	return p, true
}

// count keeps the lengths that occur.
func (s *shelf) count(n, by int) {
	i, found := slices.BinarySearchFunc(s.lengths, n, func(l length, n int) int { return n - l.n })
	if !found {
		s.lengths = slices.Insert(s.lengths, i, length{n: n})
	}
	if s.lengths[i].spots += by; s.lengths[i].spots == 0 {
		s.lengths = slices.Delete(s.lengths, i, i+1)
	}
}

// Match returns the grant of the account's instance that wins, or nil.
func (x *Index) Match(account string, q *Question) (best *Grant) {
	x.walk(account, q, func(p pile) bool {
		p.held(q, func(g *Grant) {
			if q.admits(g) && (best == nil || q.better(g, best) < 0) {
				best = g
			}
		})
		return best == nil
	})
	return best
}

// covering lists the asker's grants whose scope covers the target, whatever they permit, the narrowest first.
func (x *Index) covering(account string, q *Question) (all []*Grant) {
	x.walk(account, q, func(p pile) bool {
		p.held(q, func(g *Grant) { all = append(all, g) })
		return true
	})
	return all
}

// holds reports whether the asker has any grant on the target's bucket.
func (x *Index) holds(account string, q *Question) bool {
	x.mu.RLock()
	defer x.mu.RUnlock()
	s := x.shelves[place{account, q.Target.Bucket}]
	if s == nil {
		return false
	}
	for id := range q.identities {
		if s.holders[id] > 0 {
			return true
		}
	}
	return false
}

// walk shows the piles that cover the question's target, the narrowest first, until show is satisfied.
func (x *Index) walk(account string, q *Question, show func(pile) (more bool)) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	s := x.shelves[place{account, q.Target.Bucket}]
	if s == nil {
		return
	}
	key := q.Target.Key
	// One key covers a target that is that very key; a prefix covers all that begins with it.
	if !q.Target.Wild && key != "" {
		if p, ok := s.spots[spot{key, true}]; ok && !show(p) {
			return
		}
	}
	from, _ := slices.BinarySearchFunc(s.lengths, len(key), func(l length, n int) int { return n - l.n })
	for _, l := range s.lengths[from:] {
		if p, ok := s.spots[spot{key[:l.n], false}]; ok && !show(p) {
			return
		}
	}
}

// held visits the grants of a pile whose grantee is the asker. It goes through the shorter of the two lists.
func (p pile) held(q *Question, visit func(*Grant)) {
	each := func(grants []*Grant) {
		for _, g := range grants {
			visit(g)
		}
	}
	switch {
	case p.many == nil:
		for _, g := range p.few {
			if q.is(g.Grantee) {
				visit(g)
			}
		}
	case len(p.many) <= len(q.Groups):
		for grantee, grants := range p.many {
			if q.is(grantee) {
				each(grants)
			}
		}
	default:
		for id := range q.identities {
			each(p.many[id])
		}
	}
}
