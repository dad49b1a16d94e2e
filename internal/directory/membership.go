package directory

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/trail"
)

// Membership says that a user belongs to a group.
type Membership struct {
	StoreID, ID, GroupID, UserID string
	Created                      time.Time
	CreatedBy                    string
}

// Members is a change to who belongs to a group, by the ids of users and of groups: when Replace is set, Add is the whole
// list. Adding who belongs to the group already, and removing who does not, change nothing.
type Members struct {
	Add, Remove []string
	Replace     bool
}

// changeMembers works a change of members in and returns how many memberships came or went. How many statements it takes
// goes with the number of ids by hundreds.
func (d *Directory) changeMembers(ctx context.Context, tx *store.Tx, by Actor, storeID, groupID string, m Members) (moved int, err error) {
	add := distinct(m.Add)
	users, err := usersPresent(ctx, tx, storeID, add)
	if err != nil {
		return 0, err
	}
	var people, groups []string
	for _, id := range add {
		if users[id] {
			people = append(people, id)
		} else {
			groups = append(groups, id)
		}
	}
	if err := d.areGroups(ctx, tx, storeID, groups); err != nil {
		return 0, err
	}
	joined, err := d.addPeople(ctx, tx, by, storeID, groupID, people)
	if err != nil {
		return 0, err
	}
	nested, err := d.addGroups(ctx, tx, by, storeID, groupID, groups)
	if err != nil {
		return 0, err
	}
	gone := distinct(m.Remove)
	if m.Replace {
		if gone, err = others(ctx, tx, storeID, groupID, add); err != nil {
			return 0, err
		}
	}
	if gone, err = d.present(ctx, tx, storeID, groupID, gone); err != nil {
		return 0, err
	}
	left, err := remove(ctx, tx, storeID, groupID, gone)
	if len(m.Add) > 0 || len(m.Remove) > 0 || m.Replace {
		noteMembers(ctx, slices.Concat(joined, nested), gone)
	}
	return len(joined) + len(nested) + left, err
}

// present are those of the users and groups that belong to a group.
func (d *Directory) present(ctx context.Context, tx *store.Tx, storeID, groupID string, ids []string) ([]string, error) {
	people, err := membersPresent(ctx, tx, storeID, groupID, ids)
	if err != nil {
		return nil, err
	}
	groups, err := nestedPresent(ctx, tx, storeID, groupID, ids)
	return slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return !people[id] && !groups[id] }), err
}

// maxNoted bounds how many members that came or went the record of a change names.
const maxNoted = 400

// noteMembers puts into the record who came and who went: what a group may reach, they may.
func noteMembers(ctx context.Context, came, left []string) {
	noted := func(ids []string) []any {
		list := make([]any, 0, min(len(ids), maxNoted)+1)
		for _, id := range ids[:min(len(ids), maxNoted)] {
			list = append(list, id)
		}
		if more := len(ids) - maxNoted; more > 0 {
			list = append(list, fmt.Sprintf("(%d more)", more))
		}
		return list
	}
	e := trail.From(ctx)
	e.Add("membersAdded", noted(came))
	e.Add("membersRemoved", noted(left))
}

// areGroups refuses what is no member: nobody, or a group where groups have no groups.
func (d *Directory) areGroups(ctx context.Context, tx *store.Tx, storeID string, ids []string) error {
	there := map[string]bool{}
	if !d.Flat {
		var err error
		if there, err = groupsPresent(ctx, tx, storeID, ids); err != nil {
			return err
		}
	}
	for _, id := range ids {
		if !there[id] {
			return NotFound(ResourceUser, id)
		}
	}
	return nil
}

// addPeople makes users that there are members of a group, those who are not yet.
func (d *Directory) addPeople(ctx context.Context, tx *store.Tx, by Actor, storeID, groupID string, users []string) (joined []string, err error) {
	have, err := membersPresent(ctx, tx, storeID, groupID, users)
	if err != nil {
		return nil, err
	}
	var fresh []Membership
	for _, id := range users {
		if have[id] {
			continue
		}
		if len(d.DirectGroupsOf(storeID, id)) >= d.Quotas.groupsPerUser() {
			return nil, quota("groups of one user", d.Quotas.groupsPerUser())
		}
		joined = append(joined, id)
		fresh = append(fresh, Membership{StoreID: storeID, ID: uuid.NewString(), GroupID: groupID, UserID: id, Created: d.db.Now(), CreatedBy: string(by)})
	}
	return joined, insertMemberships(ctx, tx, fresh)
}

// addGroups makes groups that there are members of a group, those that are not yet. What decides whether they may be is
// read in this transaction: of two changes that would make a cycle together, on one node or on two, the later one sees
// the first or is tried again.
func (d *Directory) addGroups(ctx context.Context, tx *store.Tx, by Actor, storeID, groupID string, groups []string) ([]string, error) {
	have, err := nestedPresent(ctx, tx, storeID, groupID, groups)
	if err != nil {
		return nil, err
	}
	groups = slices.DeleteFunc(slices.Clone(groups), func(id string) bool { return have[id] })
	if len(groups) == 0 {
		return nil, nil
	}
	up, err := latticeAbove(ctx, tx, storeID, []string{groupID})
	if err != nil {
		return nil, err
	}
	for _, id := range groups {
		if chain := up.chain(groupID, id); chain != nil {
			return nil, d.cycle(ctx, tx, storeID, chain)
		}
	}
	below, err := groupsBelow(ctx, tx, storeID, groups)
	if err != nil {
		return nil, err
	}
	if up, err = latticeAbove(ctx, tx, storeID, append([]string{groupID}, below...)); err != nil {
		return nil, err
	}
	for _, id := range groups {
		up[id] = append(up[id], groupID)
	}
	if err := d.Quotas.check(up, below); err != nil {
		return nil, err
	}
	return groups, insertNested(ctx, tx, storeID, groupID, groups, by, store.Millis(d.db.Now()))
}

// cycle names the groups of a chain from a group up to the one that was to be its member.
func (d *Directory) cycle(ctx context.Context, q store.Querier, storeID string, chain []string) error {
	names := make([]string, len(chain))
	for i, id := range chain {
		name, err := groupName(ctx, q, key(storeID, id))
		if err != nil {
			return err
		}
		names[i] = name
	}
	return errCycle(names)
}

// others are the members of a group that are not among those to keep. The rows are read to the end before any of them is
// deleted.
func others(ctx context.Context, q store.Querier, storeID, groupID string, keep []string) ([]string, error) {
	people, err := membersOf(ctx, q, storeID, groupID)
	if err != nil {
		return nil, err
	}
	groups, err := nestedIn(ctx, q, storeID, groupID)
	if err != nil {
		return nil, err
	}
	kept := make(map[string]bool, len(keep))
	for _, id := range keep {
		kept[id] = true
	}
	return slices.DeleteFunc(append(people, groups...), func(id string) bool { return kept[id] }), nil
}

// remove ends the memberships of users and groups in a group, of those that are members.
func remove(ctx context.Context, tx *store.Tx, storeID, groupID string, ids []string) (int, error) {
	people, err := membersPresent(ctx, tx, storeID, groupID, ids)
	if err != nil {
		return 0, err
	}
	if err := deleteMemberships(ctx, tx, storeID, groupID, slices.Sorted(maps.Keys(people))); err != nil {
		return 0, err
	}
	groups, err := nestedPresent(ctx, tx, storeID, groupID, ids)
	if err != nil {
		return 0, err
	}
	return len(people) + len(groups), deleteNested(ctx, tx, storeID, groupID, slices.Sorted(maps.Keys(groups)))
}

// distinct are the ids in their order, each once.
func distinct(ids []string) []string {
	seen := make(map[string]bool, len(ids))
	return slices.DeleteFunc(slices.Clone(ids), func(id string) bool {
		again := seen[id]
		seen[id] = true
		return again
	})
}

// Join makes a user a member of a group.
func (d *Directory) Join(ctx context.Context, by Actor, storeID, groupID, userID string) (m Membership, err error) {
	d.touch(ctx, storeID, ResourceGroup, groupID)
	d.touch(ctx, storeID, ResourceUser, userID)
	err = d.db.Update(ctx, func(tx *store.Tx) error {
		if _, err := groupName(ctx, tx, key(storeID, groupID)); err != nil {
			return missing(err, ResourceGroup, groupID)
		}
		if m, err = d.join(ctx, tx, by, storeID, groupID, userID); err != nil {
			return err
		}
		return advanceGroup(ctx, tx, storeID, groupID)
	})
	return m, err
}

func (d *Directory) join(ctx context.Context, tx *store.Tx, by Actor, storeID, groupID, userID string) (Membership, error) {
	if err := userExists(ctx, tx, storeID, userID); err != nil {
		return Membership{}, missing(err, ResourceUser, userID)
	}
	joined, err := d.addPeople(ctx, tx, by, storeID, groupID, []string{userID})
	switch {
	case err != nil:
		return Membership{}, err
	case len(joined) == 0:
		return Membership{}, Conflict("members", "Member already belongs to the group")
	}
	return findMembership(ctx, tx, storeID, groupID, userID)
}

// Leave ends a membership.
func (d *Directory) Leave(ctx context.Context, storeID, membershipID string) error {
	err := d.db.Update(ctx, func(tx *store.Tx) error {
		m, err := readMembership(ctx, tx, storeID, membershipID)
		if err != nil {
			return err
		}
		d.touch(ctx, storeID, ResourceGroup, m.GroupID)
		d.touch(ctx, storeID, ResourceUser, m.UserID)
		if err := advanceGroup(ctx, tx, storeID, m.GroupID); err != nil {
			return err
		}
		return deleteMembership(ctx, tx, &m)
	})
	return missing(err, ResourceMembership, membershipID)
}

// ReadMembership reads a membership by its id.
func (d *Directory) ReadMembership(ctx context.Context, storeID, id string) (m Membership, err error) {
	err = d.db.View(ctx, func(q store.Querier) error {
		m, err = readMembership(ctx, q, storeID, id)
		return err
	})
	return m, missing(err, ResourceMembership, id)
}

// FindMembership reads the membership of a user in a group.
func (d *Directory) FindMembership(ctx context.Context, storeID, groupID, userID string) (m Membership, err error) {
	err = d.db.View(ctx, func(q store.Querier) error {
		m, err = findMembership(ctx, q, storeID, groupID, userID)
		return err
	})
	return m, missing(err, ResourceMembership, "")
}

// MembersOfGroup reads a page of a group's direct memberships of users in the order of their ids.
func (d *Directory) MembersOfGroup(ctx context.Context, storeID, groupID string, p Page) (all []Membership, err error) {
	err = d.db.View(ctx, func(q store.Querier) error {
		if _, err := groupName(ctx, q, key(storeID, groupID)); err != nil {
			return missing(err, ResourceGroup, groupID)
		}
		all, err = listMembers(ctx, q, storeID, groupID, p)
		return err
	})
	return all, err
}

// GroupsInGroup reads a page of the ids of the groups that are direct members of a group, in their order.
func (d *Directory) GroupsInGroup(ctx context.Context, storeID, groupID string, p Page) (ids []string, err error) {
	if d.Flat {
		return nil, nil
	}
	err = d.db.View(ctx, func(q store.Querier) error {
		ids, err = listNested(ctx, q, storeID, groupID, p)
		return err
	})
	return ids, err
}

// MembershipsOfUser reads a page of a user's direct memberships in the order of the groups' ids.
func (d *Directory) MembershipsOfUser(ctx context.Context, storeID, userID string, p Page) (all []Membership, err error) {
	err = d.db.View(ctx, func(q store.Querier) error {
		if err := userExists(ctx, q, storeID, userID); err != nil {
			return missing(err, ResourceUser, userID)
		}
		all, err = listMembershipsOfUser(ctx, q, storeID, userID, p)
		return err
	})
	return all, err
}
