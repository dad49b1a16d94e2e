package directory

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/lakegate/lakegate/internal/store"
)

// Membership says that a user belongs to a group.
type Membership struct {
	StoreID, ID, GroupID, UserID string
	Created                      time.Time
	CreatedBy                    string
}

// Members is a change to who belongs to a group: when Replace is set, Add is the whole list. Adding somebody who belongs
// to the group already, and removing somebody who does not, change nothing.
type Members struct {
	Add, Remove []string
	Replace     bool
}

// changeMembers works a change of members in and returns how many memberships came or went.
func (d *Directory) changeMembers(ctx context.Context, tx *store.Tx, by Actor, storeID, groupID string, m Members) (moved int, err error) {
	want := map[string]bool{}
	for _, userID := range m.Add {
		if want[userID] {
			continue
		}
		want[userID] = true
		_, err := findMembership(ctx, tx, storeID, groupID, userID)
		if errors.Is(err, store.ErrNotFound) {
			_, err = d.join(ctx, tx, by, storeID, groupID, userID)
			moved++
		}
		if err != nil {
			return 0, err
		}
	}
	gone := m.Remove
	if m.Replace {
		// The rows are read to the end before any of them is deleted.
		have, err := membersOf(ctx, tx, storeID, groupID)
		if err != nil {
			return 0, err
		}
		gone = nil
		for _, userID := range have {
			if !want[userID] {
				gone = append(gone, userID)
			}
		}
	}
	for _, userID := range gone {
		x, err := findMembership(ctx, tx, storeID, groupID, userID)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err == nil {
			err = deleteMembership(ctx, tx, &x)
		}
		if err != nil {
			return 0, err
		}
		moved++
	}
	return moved, nil
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
	if len(d.GroupsOf(storeID, userID)) >= d.Quotas.groupsPerUser() {
		return Membership{}, quota("groups of one user", d.Quotas.groupsPerUser())
	}
	m := Membership{StoreID: storeID, ID: uuid.NewString(), GroupID: groupID, UserID: userID, Created: d.db.Now(), CreatedBy: string(by)}
	err := insertMembership(ctx, tx, &m)
	if errors.Is(err, store.ErrConflict) {
		return Membership{}, Conflict("members", "Member already belongs to the group")
	}
	return m, err
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

// MembersOfGroup reads a page of a group's memberships in the order of the users' ids.
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

// MembershipsOfUser reads a page of a user's memberships in the order of the groups' ids.
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
