package grants

import (
	"cmp"
	"slices"
	"sync"

	"github.com/lakegate/lakegate/internal/scope"
)

// Index finds the grant that wins, in memory. Nearly all grants lie in its compact part, without pointers; the others apart.
// It is safe for concurrent use: questions go on side by side, a change waits for them and is seen whole.
type Index struct {
	mu      sync.RWMutex
	compact *compact
	apart   apart
}

func newIndex() *Index { return &Index{compact: newCompact()} }

// loading makes an index that is filled by one goroutine in any order, until another index becomes it. A grant may come once.
func loading() *Index {
	x := newIndex()
	x.compact.loading = true
	return x
}

// become takes over the grants of another index, which is not used any more.
func (x *Index) become(other *Index) {
	other.compact.settle()
	x.mu.Lock()
	defer x.mu.Unlock()
	x.compact, x.apart = other.compact, other.apart
}

// add keeps a grant, in the place of the one that had its id.
func (x *Index) add(g *Grant) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.forget(g.Account, g.ID)
	if !x.compact.add(g) {
		x.apart.add(g)
	}
}

func (x *Index) remove(g *Grant) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.forget(g.Account, g.ID)
}

func (x *Index) forget(account, id string) {
	if old := x.apart.byID[name{account, id}]; old != nil {
		x.apart.remove(old)
		return
	}
	x.compact.remove(account, id)
}

// get finds a grant by its id. It is without tags, which only the database has.
func (x *Index) get(account, id string) (*Grant, bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if g := x.apart.byID[name{account, id}]; g != nil {
		return g, true
	}
	return x.compact.get(account, id)
}

// len is the number of grants.
func (x *Index) len() int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return int(x.compact.rows.n) + len(x.apart.byID)
}

// Match returns the grant of the account's instance that wins, or nil. The grant is without tags.
func (x *Index) Match(account string, q *Question) (best *Grant) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	best = x.compact.match(account, q)
	if len(x.apart.shelves) == 0 {
		return best
	}
	x.apart.walk(account, q, func(p pile) bool {
		var here *Grant
		p.held(q, func(g *Grant) {
			if q.admits(g) && (here == nil || q.better(g, here) < 0) {
				here = g
			}
		})
		if here != nil && (best == nil || q.better(here, best) < 0) {
			best = here
		}
		return here == nil
	})
	return best
}

// covering lists the asker's grants whose scope covers the target, whatever they permit, the narrowest first.
func (x *Index) covering(account string, q *Question) []*Grant {
	x.mu.RLock()
	defer x.mu.RUnlock()
	all := x.compact.covering(account, q)
	x.apart.walk(account, q, func(p pile) bool {
		p.held(q, func(g *Grant) { all = append(all, g) })
		return true
	})
	slices.SortStableFunc(all, func(a, b *Grant) int {
		return cmp.Or(cmp.Compare(len(b.Scope.Prefix), len(a.Scope.Prefix)), cmp.Compare(single(a), single(b)))
	})
	return all
}

// each visits all grants whose scope covers a target, whoever they are for, until visit has enough. Nothing waits for it:
// what goes in the meantime is left out, and what comes may be.
func (x *Index) each(account string, t scope.Target, visit func(*Grant) (more bool)) {
	x.mu.RLock()
	ids := x.compact.idsCovering(account, t)
	var others []*Grant
	x.apart.walk(account, &Question{Target: t}, func(p pile) bool {
		p.each(func(g *Grant) bool { others = append(others, g); return true })
		return true
	})
	x.mu.RUnlock()
	for _, id := range ids {
		if g, ok := x.get(account, string(appendID(nil, id))); ok && !visit(g) {
			return
		}
	}
	for _, g := range others {
		if !visit(g) {
			return
		}
	}
}

// holds reports whether the asker has any grant on the target's bucket.
func (x *Index) holds(account string, q *Question) bool {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.compact.holds(account, q) || x.apart.holds(account, q)
}
