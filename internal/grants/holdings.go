package grants

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// holdings keeps grants by bucket and grantee: those of which there are few, and which a probe of the Index does not find,
// because they have variables, or because they deny and count for what lies above them as well. It is safe for concurrent
// use. Where a bucket has none, asking costs one lookup.
type holdings struct {
	mu   sync.RWMutex
	at   map[place]map[Grantee][]*Grant
	byID map[name]*Grant
	n    atomic.Int64
}

// become takes over what others hold, which are not used any more.
func (h *holdings) become(other *holdings) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.at, h.byID = other.at, other.byID
	h.n.Store(other.n.Load())
}

func (h *holdings) get(account, id string) (*Grant, bool) {
	if h.n.Load() == 0 {
		return nil, false
	}
	h.mu.RLock()
	defer h.mu.RUnlock()
	g := h.byID[name{account, id}]
	return g, g != nil
}

func (h *holdings) add(g *Grant) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.at == nil {
		h.at, h.byID = map[place]map[Grantee][]*Grant{}, map[name]*Grant{}
	}
	h.byID[name{g.Account, g.ID}] = g
	at := place{g.Account, g.Scope.Bucket}
	if h.at[at] == nil {
		h.at[at] = map[Grantee][]*Grant{}
	}
	h.at[at][g.Grantee] = append(h.at[at][g.Grantee], g)
	h.n.Add(1)
}

func (h *holdings) remove(g *Grant) {
	h.mu.Lock()
	defer h.mu.Unlock()
	at := place{g.Account, g.Scope.Bucket}
	held := h.at[at]
	i := slices.IndexFunc(held[g.Grantee], func(o *Grant) bool { return o.ID == g.ID })
	if i < 0 {
		return
	}
	h.n.Add(-1)
	if h.byID[name{g.Account, g.ID}] == held[g.Grantee][i] {
		delete(h.byID, name{g.Account, g.ID})
	}
	if held[g.Grantee] = slices.Delete(held[g.Grantee], i, i+1); len(held[g.Grantee]) > 0 {
		return
	}
	if delete(held, g.Grantee); len(held) == 0 {
		delete(h.at, at)
	}
}

// any reports whether a bucket has any.
func (h *holdings) any(account, bucket string) bool {
	if h.n.Load() == 0 {
		return false
	}
	h.mu.RLock()
	defer h.mu.RUnlock()
	return len(h.at[place{account, bucket}]) > 0
}

// of lists the asker's grants on a bucket that are in force and can be used through the application, the narrowest first.
func (h *holdings) of(account, bucket string, q *Question) []*Grant {
	all := slices.DeleteFunc(h.held(account, bucket, q), func(g *Grant) bool { return !q.through(g) || !g.Terms.InForce(q.Now) })
	slices.SortFunc(all, func(a, b *Grant) int {
		return cmp.Or(cmp.Compare(len(b.Scope.Prefix), len(a.Scope.Prefix)), cmp.Compare(single(a), single(b)), strings.Compare(a.ID, b.ID))
	})
	return all
}

// held lists the asker's grants on a bucket. It goes through the asker's identities or through the grantees, whichever are
// fewer.
func (h *holdings) held(account, bucket string, q *Question) (all []*Grant) {
	if h.n.Load() == 0 {
		return nil
	}
	h.mu.RLock()
	defer h.mu.RUnlock()
	held := h.at[place{account, bucket}]
	if len(held) <= len(q.Groups) {
		for grantee, grants := range held {
			if q.is(grantee) {
				all = append(all, grants...)
			}
		}
	} else {
		for id := range q.identities {
			all = append(all, held[id]...)
		}
	}
	return all
}
