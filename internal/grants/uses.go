package grants

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/lakegate/lakegate/internal/store"
)

// uses holds the last use of each grant since it was last written down.
type uses struct {
	mu   sync.Mutex
	last map[string]time.Time
}

// maxUses bounds what is held between two writes. Of more grants in use some seem unused until they are used again.
const maxUses = 1 << 20

// noteUse remembers that a grant won: for credentials, or for one request.
func (r *Registry) noteUse(g *Grant, at time.Time) {
	r.uses.mu.Lock()
	defer r.uses.mu.Unlock()
	if r.uses.last == nil {
		r.uses.last = map[string]time.Time{}
	}
	if k := key(g.Account, g.ID); len(r.uses.last) < maxUses || !r.uses.last[k].IsZero() {
		r.uses.last[k] = at
	}
}

// usesAtOnce is how many uses one transaction writes, since nothing else can be written meanwhile.
const usesAtOnce = 1000

// SaveUses writes down what was remembered: to be called every few minutes and at the end. It makes no revision, since no
// decision depends on it, and what was not written when a server is killed is lost.
func (r *Registry) SaveUses(ctx context.Context) error {
	r.uses.mu.Lock()
	last := r.uses.last
	r.uses.last = nil
	r.uses.mu.Unlock()
	keys := make([]string, 0, len(last))
	for k := range last {
		keys = append(keys, k)
	}
	for some := range slices.Chunk(keys, usesAtOnce) {
		err := r.db.Update(ctx, func(tx *store.Tx) error {
			for _, k := range some {
				if err := saveUse(ctx, tx, k, last[k]); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("save last uses of access grants: %w", err)
		}
	}
	return nil
}

// UsesOf finds when grants of an account's instance were last used, of those that were.
func (r *Registry) UsesOf(ctx context.Context, account string, ids []string) (used map[string]time.Time, err error) {
	used = map[string]time.Time{}
	err = r.db.View(ctx, func(q store.Querier) error {
		for some := range slices.Chunk(ids, manyGrantees) {
			if err := readUses(ctx, q, account, some, used); err != nil {
				return err
			}
		}
		return nil
	})
	r.uses.mu.Lock()
	defer r.uses.mu.Unlock()
	for _, id := range ids {
		if at, ok := r.uses.last[key(account, id)]; ok {
			used[id] = at
		}
	}
	return used, err
}
