package directory

import (
	"context"
	"slices"
	"sync"

	"github.com/lakegate/lakegate/internal/store"
)

// belonging is who belongs to what, in memory: the direct groups of each person and of each group, as the rows say, and
// nothing that follows from them. A question walks up from the direct groups, which are few, so a group of a hundred
// thousand people that is put into another changes one entry, and there is no closure that could disagree with the rows.
//
// One lock covers both kinds of entry: the changes of a transaction are seen all at once. It is a store.Follower, and
// safe for concurrent use.
type belonging struct {
	// shared returns the index's own text of a user's and of a group's id: a large directory names each very often.
	sharedUser, sharedGroup func(storeID, id string) string

	mu     sync.RWMutex
	stores map[string]*storeMembers
}

// storeMembers is what belonging holds of one store. The lists are sorted and never changed, only replaced.
type storeMembers struct {
	of     map[string][]string // user to direct groups
	nested lattice             // group to direct groups
}

// Load implements store.Follower.
func (b *belonging) Load(ctx context.Context, q store.Querier) error {
	l := loading{belonging: b, all: map[string]*storeMembers{}}
	if err := eachPair(ctx, q, l.user, `SELECT store || '/' || user_id, group_id FROM memberships`); err != nil {
		return err
	}
	if err := eachPair(ctx, q, l.group, `SELECT store || '/' || member_id, group_id FROM nested_groups`); err != nil {
		return err
	}
	l.done()
	return nil
}

// loading gathers rows in any order.
type loading struct {
	*belonging
	all map[string]*storeMembers
}

func (l *loading) user(k, group string) error {
	storeID, id := splitKey(k)
	l.add(membersIn(l.all, storeID).of, l.sharedUser, storeID, id, group)
	return nil
}

func (l *loading) group(k, group string) error {
	storeID, id := splitKey(k)
	l.add(membersIn(l.all, storeID).nested, l.sharedGroup, storeID, id, group)
	return nil
}

func (l *loading) add(to map[string][]string, shared func(storeID, id string) string, storeID, id, group string) {
	groups, ok := to[id]
	if !ok {
		id = shared(storeID, id)
	}
	to[id] = append(groups, l.sharedGroup(storeID, group))
}

// done puts what was gathered in the place of what there was.
func (l *loading) done() {
	for _, m := range l.all {
		for _, of := range []map[string][]string{m.of, m.nested} {
			for id, groups := range of {
				slices.Sort(groups)
				of[id] = slices.Clip(slices.Clone(groups)) // no larger than it has to be
			}
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stores = l.all
}

func membersIn(all map[string]*storeMembers, storeID string) *storeMembers {
	m := all[storeID]
	if m == nil {
		m = &storeMembers{of: map[string][]string{}, nested: lattice{}}
		all[storeID] = m
	}
	return m
}

// What a change did to members: statements that end in IN.
const (
	groupsOfUsers  = `SELECT user_id, group_id FROM memberships WHERE store = ? AND user_id IN `
	groupsOfGroups = `SELECT member_id, group_id FROM nested_groups WHERE store = ? AND member_id IN `
)

// moves are what a change did to a store's memberships: the new groups of members that were read whole, and who came into
// a group or went out of it, which does not grow with the groups that they are in beside.
type moves struct {
	storeMembers
	joined []joined
}

type joined struct {
	user, group string
	in          bool
}

// Prepare implements store.Follower.
func (b *belonging) Prepare(ctx context.Context, tx *store.Tx, changes []store.Change) (func(), error) {
	users, groups, joins := map[string][]string{}, map[string][]string{}, map[[2]string][]string{}
	for _, c := range changes {
		storeID, id := splitKey(c.Key)
		switch c.Kind {
		case kindMembers:
			users[storeID] = append(users[storeID], id)
		case kindNested:
			groups[storeID] = append(groups[storeID], id)
		case kindMember:
			group, user := splitKey(id)
			joins[[2]string{storeID, group}] = append(joins[[2]string{storeID, group}], user)
		}
	}
	after := map[string]*moves{}
	in := func(storeID string) *moves {
		if after[storeID] == nil {
			after[storeID] = &moves{storeMembers: storeMembers{of: map[string][]string{}, nested: lattice{}}}
		}
		return after[storeID]
	}
	for storeID, ids := range users {
		if err := b.read(ctx, tx, in(storeID).of, storeID, ids, groupsOfUsers); err != nil {
			return nil, err
		}
	}
	for storeID, ids := range groups {
		if err := b.read(ctx, tx, in(storeID).nested, storeID, ids, groupsOfGroups); err != nil {
			return nil, err
		}
	}
	for k, ids := range joins {
		storeID, group := k[0], b.sharedGroup(k[0], k[1])
		there, err := membersPresent(ctx, tx, storeID, group, ids)
		if err != nil {
			return nil, err
		}
		m := in(storeID)
		for _, id := range ids {
			if _, whole := m.of[id]; !whole {
				m.joined = append(m.joined, joined{id, group, there[id]})
			}
		}
	}
	return func() { b.take(after) }, nil
}

// read fills in the direct groups of the members, those who have none too.
func (b *belonging) read(ctx context.Context, q store.Querier, into map[string][]string, storeID string, members []string, query string) error {
	for part := range slices.Chunk(members, atOnce) {
		for _, id := range part {
			into[id] = nil
		}
		list, args := in(part, storeID)
		err := eachPair(ctx, q, func(member, group string) error {
			into[member] = append(into[member], b.sharedGroup(storeID, group))
			return nil
		}, query+list, args...)
		if err != nil {
			return err
		}
	}
	for id, groups := range into {
		slices.Sort(groups)
		into[id] = slices.Clip(groups)
	}
	return nil
}

func (b *belonging) take(after map[string]*moves) {
	if len(after) == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for storeID, changed := range after {
		m := membersIn(b.stores, storeID)
		for id, groups := range changed.of {
			replace(m.of, id, groups, storeID, b.sharedUser)
		}
		for id, groups := range changed.nested {
			replace(m.nested, id, groups, storeID, b.sharedGroup)
		}
		for _, j := range changed.joined {
			replace(m.of, j.user, j.apply(m.of[j.user]), storeID, b.sharedUser)
		}
		if len(m.of) == 0 && len(m.nested) == 0 {
			delete(b.stores, storeID)
		}
	}
}

// apply returns the groups with the one that was joined, or without the one that was left: a list of its own, no larger
// than it has to be, unless nothing differs.
func (j joined) apply(groups []string) []string {
	at, there := slices.BinarySearch(groups, j.group)
	switch {
	case there == j.in:
		return groups
	case j.in:
		return slices.Concat(groups[:at], []string{j.group}, groups[at:])
	default:
		return slices.Concat(groups[:at], groups[at+1:])
	}
}

func replace(have map[string][]string, id string, groups []string, storeID string, shared func(storeID, id string) string) {
	if len(groups) == 0 {
		delete(have, id)
		return
	}
	if _, ok := have[id]; !ok {
		id = shared(storeID, id)
	}
	have[id] = groups
}

// direct returns the groups that somebody, or a group, is a direct member of. The slice is shared.
func (b *belonging) direct(storeID, member string) []string {
	b.mu.RLock()
	defer b.mu.RUnlock()
	m := b.stores[storeID]
	if m == nil {
		return nil
	}
	if groups, ok := m.of[member]; ok {
		return groups
	}
	return m.nested[member]
}

// all returns the groups that a person belongs to, sorted: the shared slice of the direct ones where none of them is in
// another, as most are not.
func (b *belonging) all(storeID, user string) []string {
	b.mu.RLock()
	defer b.mu.RUnlock()
	m := b.stores[storeID]
	if m == nil {
		return nil
	}
	direct := m.of[user]
	if len(m.nested) == 0 {
		return direct
	}
	groups := m.nested.reach(direct)
	if len(groups) == len(direct) {
		return direct
	}
	slices.Sort(groups)
	return groups
}
