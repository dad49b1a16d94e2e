package grants

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/lakegate/lakegate/internal/policy"
	"github.com/lakegate/lakegate/internal/scope"
	"github.com/lakegate/lakegate/internal/store"
)

// What follows walks over grants, for questions about many of them. It decides nothing and notes nothing.

// EachCovering visits the grants of an account's instance that may give a target to somebody, whoever that is and whatever
// they permit and whenever, until visit has enough. Of a grant with variables only what stands before the first of them is
// compared. Grants that deny are left out.
func (r *Registry) EachCovering(account string, t scope.Target, visit func(*Grant) (more bool)) {
	more := true
	r.index.each(account, t, func(g *Grant) bool {
		more = visit(g)
		return more
	})
	if !more {
		return
	}
	for _, g := range r.homes.on(account, t.Bucket) {
		if strings.HasPrefix(t.Key, g.Scope.Literal()) && !visit(g) {
			return
		}
	}
}

// on lists all that there is on a bucket.
func (h *holdings) on(account, bucket string) (all []*Grant) {
	if h.n.Load() == 0 {
		return nil
	}
	h.mu.RLock()
	defer h.mu.RUnlock()
	for _, grants := range h.at[place{account, bucket}] {
		all = append(all, grants...)
	}
	return all
}

// buckets lists those in which an asker has any.
func (h *holdings) buckets(account string, q *Question) (all []string) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for at, held := range h.at {
		if at.account == account && slices.ContainsFunc(slices.Collect(maps.Keys(held)), q.is) {
			all = append(all, at.bucket)
		}
	}
	return all
}

// GrantsAfter reads grants of an account's instance in the order of their ids, those that deny or have ended too: limit of
// them at most, after the one named.
func (r *Registry) GrantsAfter(ctx context.Context, account, after string, limit int) (all []*Grant, err error) {
	err = r.db.View(ctx, func(q store.Querier) error {
		all, err = store.All(ctx, q, scanGrant, selectGrant+` WHERE account = ? AND id > ? ORDER BY id LIMIT ?`, account, after, limit)
		return err
	})
	return all, err
}

// GrantsWithin reads the grants of an account's instance whose scope begins as a target does, limit of them at most: first
// those with variables, by what stands before the first of them, then in the order of their prefixes. after is the Mark of
// the last one that was read, or empty. Of other grants it reads none.
func (r *Registry) GrantsWithin(ctx context.Context, account string, t scope.Target, after string, limit int) (all []*Grant, err error) {
	id, reach, _ := strings.Cut(after, "\n")
	if reach == "" {
		for _, g := range r.homes.on(account, t.Bucket) {
			if g.ID > id && strings.HasPrefix(g.Scope.Literal(), t.Key) {
				all = append(all, g)
			}
		}
		slices.SortFunc(all, func(a, b *Grant) int { return strings.Compare(a.ID, b.ID) })
		if len(all) >= limit {
			return all[:limit], nil
		}
		id = ""
	}
	within := t.Bucket + "/" + t.Key
	err = r.db.View(ctx, func(q store.Querier) error {
		found, err := store.All(ctx, q, scanGrant, selectGrant+` WHERE account = ? AND reach >= ? AND reach < ? AND (reach, id) > (?, ?) ORDER BY reach, id LIMIT ?`,
			account, within, past(within), reach, id, limit-len(all))
		all = append(all, found...)
		return err
	})
	return all, err
}

// Mark tells where a grant stands in the order of GrantsWithin.
func (g *Grant) Mark() string { return g.ID + "\n" + reachOf(g.Scope) }

// GrantsOf reads the grants of some grantees in the order of their ids, as GrantsAfter does.
func (r *Registry) GrantsOf(ctx context.Context, account string, of []Grantee, after string, limit int) (all []*Grant, err error) {
	byType := map[GranteeType][]string{}
	for _, g := range of {
		byType[g.Type] = append(byType[g.Type], g.ID)
	}
	err = r.db.View(ctx, func(q store.Querier) error {
		for kind, ids := range byType {
			for some := range slices.Chunk(ids, manyGrantees) {
				c := &conditions{}
				c.is("grantee_type", (*string)(&kind))
				c.in("grantee", some)
				found, err := store.All(ctx, q, scanGrant, selectGrant+` WHERE account = ? AND id > ?`+c.text.String()+` ORDER BY id LIMIT ?`,
					append(append([]any{account, after}, c.args...), limit)...)
				if err != nil {
					return err
				}
				all = append(all, found...)
			}
		}
		return nil
	})
	slices.SortFunc(all, func(a, b *Grant) int { return strings.Compare(a.ID, b.ID) })
	return all[:min(len(all), limit)], err
}

// GrantByID finds a grant.
func (r *Registry) GrantByID(ctx context.Context, account, id string) (g *Grant, ok bool, err error) {
	err = r.db.View(ctx, func(q store.Querier) error {
		g, err = readGrant(ctx, q, key(account, id))
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil, false, nil
	}
	return g, err == nil, err
}

// Guard is the policy by which an account lets others at its instance, nil for none. It takes no instance as well.
func (i *Instance) Guard() *policy.Named { return i.named() }
