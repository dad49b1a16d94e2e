package grants

import (
	"context"
	"fmt"
	"slices"

	"github.com/lakegate/lakegate/internal/store"
)

// follower keeps the grants in memory up to date.
type follower struct{ *Registry }

// Load implements store.Follower. Questions are answered from what there was until all is read.
func (f follower) Load(ctx context.Context, q store.Querier) error {
	fresh := &Registry{index: loading()}
	if err := loadGrants(ctx, q, fresh.load); err != nil {
		return fmt.Errorf("load grants: %w", err)
	}
	f.denials.become(&fresh.denials)
	f.homes.become(&fresh.homes)
	f.index.become(fresh.index)
	f.bounded.Store(fresh.bounded.Load())
	return nil
}

// readAtOnce is how many grants one statement reads.
const readAtOnce = 100

// Prepare implements store.Follower.
func (f follower) Prepare(ctx context.Context, tx *store.Tx, changes []store.Change) (func(), error) {
	var keys, unknown []string
	after := map[string]*Grant{}
	for _, c := range changes {
		if c.Kind != kindGrant {
			continue
		}
		keys = append(keys, c.Key)
		if g, ok := tx.Written(c).(*Grant); ok {
			after[c.Key] = g
		} else {
			unknown = append(unknown, c.Key)
		}
	}
	for some := range slices.Chunk(unknown, readAtOnce) {
		err := manyGrants(ctx, tx, some, func(g *Grant) { after[key(g.Account, g.ID)] = g })
		if err != nil {
			return nil, fmt.Errorf("read grants: %w", err)
		}
	}
	return func() {
		for _, k := range keys {
			f.take(k, after[k])
		}
	}, nil
}

// take notes what became of a grant, nil if it is gone. No question finds a grant missing that only changes.
func (r *Registry) take(k string, after *Grant) {
	account, id := split(k)
	before, had := r.grant(account, id)
	if after != nil {
		r.keep(after)
	}
	switch {
	case !had:
	case after == nil || before.special() || after.special():
		r.drop(before)
	case before.bounded():
		r.bounded.Add(-1) // the index has put one in the place of the other
	}
}
