package grants

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lakegate/lakegate/internal/store"
)

// uses holds the last use of each grant since it was last written down.
type uses struct {
	mu   sync.RWMutex
	last map[useKey]time.Time
}

// useKey names a grant without a text of its own: a use is noted on each request.
type useKey struct{ account, id string }

// maxUses bounds what is held between two writes. Of more grants in use some seem unused until they are used again.
const maxUses = 1 << 20

// useStep is how exactly a use is known: within it a further one changes nothing, and requests do not wait for each other.
const useStep = time.Minute

// noteUse remembers that a grant won, for credentials or for one request, or that a request came with its credentials.
func (r *Registry) noteUse(account, id string, at time.Time) {
	k := useKey{account, id}
	r.uses.mu.RLock()
	last, known := r.uses.last[k]
	r.uses.mu.RUnlock()
	if known && at.Sub(last) < useStep {
		return
	}
	r.uses.mu.Lock()
	defer r.uses.mu.Unlock()
	if r.uses.last == nil {
		r.uses.last = map[useKey]time.Time{}
	}
	switch last, known := r.uses.last[k]; {
	case known && at.After(last):
		r.uses.last[k] = at
	case !known && len(r.uses.last) < maxUses:
		// The texts may be a piece of something larger, such as a token.
		r.uses.last[useKey{strings.Clone(account), strings.Clone(id)}] = at
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
	keys := make([]useKey, 0, len(last))
	for k := range last {
		keys = append(keys, k)
	}
	for some := range slices.Chunk(keys, usesAtOnce) {
		err := r.db.Update(ctx, func(tx *store.Tx) error {
			for _, k := range some {
				if err := saveUse(ctx, tx, k.account, k.id, last[k]); err != nil {
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
	r.uses.mu.RLock()
	defer r.uses.mu.RUnlock()
	for _, id := range ids {
		if at, ok := r.uses.last[useKey{account, id}]; ok && at.After(used[id]) {
			used[id] = at
		}
	}
	return used, err
}
