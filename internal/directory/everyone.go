package directory

import (
	"context"
	"slices"

	"github.com/lakegate/lakegate/internal/store"
)

// PeopleAfter reads the ids of people of a store, in their order: limit of them at most, after the one named.
func (d *Directory) PeopleAfter(ctx context.Context, storeID, after string, limit int) (ids []string, err error) {
	err = d.db.View(ctx, func(q store.Querier) error {
		ids, err = userIDs(ctx, q, storeID, after, limit)
		return err
	})
	return ids, err
}

// GroupsBelow are the groups that are in the given ones, over any number of steps, with those given.
func (d *Directory) GroupsBelow(ctx context.Context, storeID string, groups []string) (all []string, err error) {
	if d.Flat {
		return groups, nil
	}
	err = d.db.View(ctx, func(q store.Querier) error {
		all, err = groupsBelow(ctx, q, storeID, groups)
		return err
	})
	return all, err
}

// MembersAfter reads the ids of the people who are direct members of one of the groups, each once and in their order: limit
// of them at most, after the one named. It costs a query a group.
func (d *Directory) MembersAfter(ctx context.Context, storeID string, groups []string, after string, limit int) (ids []string, err error) {
	err = d.db.View(ctx, func(q store.Querier) error {
		for _, g := range groups {
			some, err := memberIDs(ctx, q, storeID, g, after, limit)
			if err != nil {
				return err
			}
			ids = append(ids, some...)
			slices.Sort(ids)
			ids = slices.Compact(ids)
			ids = ids[:min(len(ids), limit)]
		}
		return nil
	})
	return ids, err
}

// WayInto is a shortest chain of groups by which a person belongs to a group: the ids, from one of which the person is a
// direct member up to the group itself; nil for none.
func (x *Index) WayInto(storeID, userID, groupID string) []string {
	if x.DirectMember(storeID, userID, groupID) {
		return []string{groupID}
	}
	if x.Flat {
		return nil
	}
	x.members.mu.RLock()
	defer x.members.mu.RUnlock()
	m := x.members.stores[storeID]
	if m == nil {
		return nil
	}
	var best []string
	for _, g := range m.of[userID] {
		if way := m.nested.chain(g, groupID); way != nil && (best == nil || len(way) < len(best)) {
			best = way
		}
	}
	return best
}
