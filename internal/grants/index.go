package grants

import (
	"slices"
	"sync"
)

// Index finds the grant that wins, in memory. Grants lie by account and bucket, then by the prefix of their scope, then by
// grantee. A question probes the prefixes of its key at the lengths that occur in the bucket, longest first, so its cost
// does not grow with the number of grants, and where a prefix has fewer grantees than the asker has groups, not with the
// groups either. It is safe for concurrent use.
type Index struct {
	mu      sync.RWMutex
	shelves map[place]*shelf
}

type place struct{ account, bucket string }

// shelf holds the grants of one bucket.
type shelf struct {
	spots map[spot]map[Grantee][]*Grant
	// lengths are those of the prefixes, longest first, with how many spots have each.
	lengths []length
}

type spot struct {
	prefix string
	one    bool
}

type length struct{ n, spots int }

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
		s = &shelf{spots: map[spot]map[Grantee][]*Grant{}}
		x.shelves[at] = s
	}
	k := spot{g.Scope.Prefix, g.Scope.One}
	if s.spots[k] == nil {
		s.spots[k] = map[Grantee][]*Grant{}
		s.count(len(k.prefix), 1)
	}
	s.spots[k][g.Grantee] = append(s.spots[k][g.Grantee], g)
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
	byGrantee := s.spots[k]
	left := slices.DeleteFunc(slices.Clone(byGrantee[g.Grantee]), func(o *Grant) bool { return o.ID == g.ID })
	if len(left) > 0 {
		byGrantee[g.Grantee] = left
		return
	}
	delete(byGrantee, g.Grantee)
	if len(byGrantee) > 0 {
		return
	}
	delete(s.spots, k)
	s.count(len(k.prefix), -1)
	if len(s.spots) == 0 {
		delete(x.shelves, at)
	}
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
func (x *Index) Match(account string, q *Question) *Grant {
	x.mu.RLock()
	defer x.mu.RUnlock()
	s := x.shelves[place{account, q.Target.Bucket}]
	if s == nil {
		return nil
	}
	key := q.Target.Key
	for _, l := range s.lengths {
		if l.n > len(key) {
			continue
		}
		// One key covers a target that is that very key; a prefix covers all that begins with it.
		if l.n == len(key) && !q.Target.Wild && key != "" {
			if g := q.best(s.spots[spot{key, true}]); g != nil {
				return g
			}
		}
		if g := q.best(s.spots[spot{key[:l.n], false}]); g != nil {
			return g
		}
	}
	return nil
}

// best is the winner among the grants at one spot.
func (q *Question) best(at map[Grantee][]*Grant) *Grant {
	var best *Grant
	consider := func(grants []*Grant) {
		for _, g := range grants {
			if q.admits(g) && (best == nil || q.better(g, best) < 0) {
				best = g
			}
		}
	}
	if len(at) <= len(q.Groups) {
		for grantee, grants := range at {
			if q.is(grantee) {
				consider(grants)
			}
		}
		return best
	}
	for _, id := range q.identities() {
		consider(at[id])
	}
	return best
}

// InBucket lists the grants on a bucket.
func (x *Index) InBucket(account, bucket string) []*Grant {
	x.mu.RLock()
	defer x.mu.RUnlock()
	s := x.shelves[place{account, bucket}]
	if s == nil {
		return nil
	}
	var all []*Grant
	for _, byGrantee := range s.spots {
		for _, grants := range byGrantee {
			all = append(all, grants...)
		}
	}
	return all
}

// Of lists the grants of the account's instance that are for one of the identities.
func (x *Index) Of(account string, ids []Grantee) []*Grant {
	x.mu.RLock()
	defer x.mu.RUnlock()
	var all []*Grant
	for at, s := range x.shelves {
		if at.account != account {
			continue
		}
		for _, byGrantee := range s.spots {
			for _, id := range ids {
				all = append(all, byGrantee[id]...)
			}
		}
	}
	return all
}
