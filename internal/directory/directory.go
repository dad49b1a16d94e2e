package directory

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/lakegate/lakegate/internal/store"
)

// Actor is who changes the directory: the ARN of a principal, or the name of a provisioning client. Operations on
// Directory take it as already authorised.
type Actor string

// Directory is every identity store of the server.
type Directory struct {
	*Index
	db *store.DB
}

// Open loads the index and returns the directory.
func Open(ctx context.Context, db *store.DB) (*Directory, error) {
	x, err := newIndex(ctx, db)
	if err != nil {
		return nil, fmt.Errorf("open directory: %w", err)
	}
	return &Directory{Index: x, db: db}, nil
}

// CreateStore makes an identity store as part of the change that makes its instance.
func (d *Directory) CreateStore(ctx context.Context, tx *store.Tx, storeID, account string) error {
	tx.Changed(kindStore, storeID)
	_, err := tx.Exec(ctx, `INSERT INTO identity_stores (id, account, created) VALUES (?, ?, ?)`, storeID, account, store.Millis(d.db.Now()))
	return err
}

// DeleteStore removes an identity store with everybody in it, as part of the change that deletes its instance.
func (d *Directory) DeleteStore(ctx context.Context, tx *store.Tx, storeID string) error {
	for table, kind := range map[string]string{"users": kindUser, "directory_groups": kindGroup} {
		ids, err := store.All(ctx, tx, store.Text, `SELECT id FROM `+table+` WHERE store = ?`, storeID)
		if err != nil {
			return err
		}
		for _, id := range ids {
			tx.Changed(kind, key(storeID, id))
			if kind == kindUser {
				tx.Changed(kindMembers, key(storeID, id))
			}
		}
	}
	for _, table := range []string{"memberships", "external_ids", "users", "directory_groups", "scim_tokens"} {
		if _, err := tx.Exec(ctx, `DELETE FROM `+table+` WHERE store = ?`, storeID); err != nil {
			return err
		}
	}
	tx.Changed(kindStore, storeID)
	return tx.MustExec(ctx, `DELETE FROM identity_stores WHERE id = ?`, storeID)
}

func (d *Directory) inStore(storeID string) error {
	if _, ok := d.StoreAccount(storeID); !ok {
		return NotFound(ResourceStore, storeID)
	}
	return nil
}

// CreateUser adds a person. ID and stamps are set anew.
func (d *Directory) CreateUser(ctx context.Context, by Actor, u User) (User, error) {
	if err := errors.Join(d.inStore(u.StoreID), u.check()); err != nil {
		return User{}, firstRefusal(err)
	}
	now := d.db.Now()
	u.ID = uuid.NewString()
	u.Stamps = Stamps{Created: now, Updated: now, CreatedBy: string(by), UpdatedBy: string(by), Version: 1}
	err := d.db.Update(ctx, func(tx *store.Tx) error { return insertUser(ctx, tx, &u) })
	if err != nil {
		return User{}, userConflict(err)
	}
	return u, nil
}

// ReadUser reads a person.
func (d *Directory) ReadUser(ctx context.Context, storeID, id string) (User, error) {
	var u User
	err := d.db.View(ctx, func(q store.Querier) (err error) {
		u, err = readUser(ctx, q, storeID, id)
		return err
	})
	return u, missing(err, ResourceUser, id)
}

// ChangeUser reads a person, lets change work on it, and writes the result. When change returns an error, or leaves the
// person as it was, nothing is written.
func (d *Directory) ChangeUser(ctx context.Context, by Actor, storeID, id string, change func(*User) error) (User, error) {
	var u User
	err := d.db.Update(ctx, func(tx *store.Tx) (err error) {
		if u, err = readUser(ctx, tx, storeID, id); err != nil {
			return missing(err, ResourceUser, id)
		}
		if err := change(&u); err != nil {
			return err
		}
		u.StoreID, u.ID = storeID, id
		if err := u.check(); err != nil {
			return err
		}
		u.Stamps.Updated, u.Stamps.UpdatedBy = d.db.Now(), string(by)
		u.Stamps.Version++
		return updateUser(ctx, tx, &u)
	})
	if err != nil {
		return User{}, userConflict(err)
	}
	return u, nil
}

// DeleteUser removes a person and its memberships.
func (d *Directory) DeleteUser(ctx context.Context, storeID, id string) error {
	err := d.db.Update(ctx, func(tx *store.Tx) error { return deleteUser(ctx, tx, storeID, id) })
	return missing(err, ResourceUser, id)
}

// ListUsers reads a page of people in the order of their ids.
func (d *Directory) ListUsers(ctx context.Context, storeID string, f UserFilter, p Page) (users []User, err error) {
	err = d.db.View(ctx, func(q store.Querier) error {
		users, err = listUsers(ctx, q, storeID, f, p)
		return err
	})
	return users, err
}

// CreateGroup adds a group with its first members. ID and stamps are set anew.
func (d *Directory) CreateGroup(ctx context.Context, by Actor, g Group, members ...string) (Group, error) {
	if err := errors.Join(d.inStore(g.StoreID), g.check()); err != nil {
		return Group{}, firstRefusal(err)
	}
	now := d.db.Now()
	g.ID = uuid.NewString()
	g.Stamps = Stamps{Created: now, Updated: now, CreatedBy: string(by), UpdatedBy: string(by), Version: 1}
	err := d.db.Update(ctx, func(tx *store.Tx) error {
		if err := insertGroup(ctx, tx, &g); err != nil {
			return err
		}
		for _, userID := range members {
			if _, err := d.join(ctx, tx, by, g.StoreID, g.ID, userID); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return Group{}, groupConflict(err)
	}
	return g, nil
}

// ReadGroup reads a group.
func (d *Directory) ReadGroup(ctx context.Context, storeID, id string) (g Group, err error) {
	err = d.db.View(ctx, func(q store.Querier) error {
		g, err = readGroup(ctx, q, storeID, id)
		return err
	})
	return g, missing(err, ResourceGroup, id)
}

// Members is a change to who belongs to a group: when Replace is set, Add is the whole list.
type Members struct {
	Add, Remove []string
	Replace     bool
}

// ChangeGroup reads a group, lets change work on it and on its members, and writes the result.
func (d *Directory) ChangeGroup(ctx context.Context, by Actor, storeID, id string, change func(*Group, *Members) error) (Group, error) {
	var g Group
	err := d.db.Update(ctx, func(tx *store.Tx) (err error) {
		if g, err = readGroup(ctx, tx, storeID, id); err != nil {
			return missing(err, ResourceGroup, id)
		}
		var m Members
		if err := change(&g, &m); err != nil {
			return err
		}
		g.StoreID, g.ID = storeID, id
		if err := g.check(); err != nil {
			return err
		}
		g.Stamps.Updated, g.Stamps.UpdatedBy = d.db.Now(), string(by)
		g.Stamps.Version++
		if err := updateGroup(ctx, tx, &g); err != nil {
			return err
		}
		return d.changeMembers(ctx, tx, by, storeID, id, m)
	})
	if err != nil {
		return Group{}, groupConflict(err)
	}
	return g, nil
}

func (d *Directory) changeMembers(ctx context.Context, tx *store.Tx, by Actor, storeID, groupID string, m Members) error {
	have := map[string]Membership{}
	if m.Replace || len(m.Add)+len(m.Remove) > 0 {
		// A group can be large; one query beats one for each member of the change.
		err := store.Each(ctx, tx, scanMembership, func(x Membership) error { have[x.UserID] = x; return nil }, selectMembership+` WHERE store = ? AND group_id = ?`, storeID, groupID)
		if err != nil {
			return err
		}
	}
	want := map[string]bool{}
	for _, userID := range m.Add {
		want[userID] = true
		if _, ok := have[userID]; ok {
			continue
		}
		x, err := d.join(ctx, tx, by, storeID, groupID, userID)
		if err != nil {
			return err
		}
		have[userID] = x
	}
	remove := m.Remove
	if m.Replace {
		remove = nil
		for userID := range have {
			if !want[userID] {
				remove = append(remove, userID)
			}
		}
	}
	for _, userID := range remove {
		if x, ok := have[userID]; ok {
			if err := deleteMembership(ctx, tx, &x); err != nil {
				return err
			}
			delete(have, userID)
		}
	}
	return nil
}

// DeleteGroup removes a group and its memberships.
func (d *Directory) DeleteGroup(ctx context.Context, storeID, id string) error {
	err := d.db.Update(ctx, func(tx *store.Tx) error { return deleteGroup(ctx, tx, storeID, id) })
	return missing(err, ResourceGroup, id)
}

// ListGroups reads a page of groups in the order of their ids.
func (d *Directory) ListGroups(ctx context.Context, storeID string, f GroupFilter, p Page) (groups []Group, err error) {
	err = d.db.View(ctx, func(q store.Querier) error {
		groups, err = listGroups(ctx, q, storeID, f, p)
		return err
	})
	return groups, err
}

// Join makes a user a member of a group.
func (d *Directory) Join(ctx context.Context, by Actor, storeID, groupID, userID string) (m Membership, err error) {
	err = d.db.Update(ctx, func(tx *store.Tx) error {
		if _, err := readGroup(ctx, tx, storeID, groupID); err != nil {
			return missing(err, ResourceGroup, groupID)
		}
		m, err = d.join(ctx, tx, by, storeID, groupID, userID)
		return err
	})
	return m, err
}

func (d *Directory) join(ctx context.Context, tx *store.Tx, by Actor, storeID, groupID, userID string) (Membership, error) {
	if _, err := store.One(ctx, tx, store.Text, `SELECT id FROM users WHERE store = ? AND id = ?`, storeID, userID); err != nil {
		return Membership{}, missing(err, ResourceUser, userID)
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
		m, err := store.One(ctx, tx, scanMembership, selectMembership+` WHERE store = ? AND id = ?`, storeID, membershipID)
		if err != nil {
			return err
		}
		return deleteMembership(ctx, tx, &m)
	})
	return missing(err, ResourceMembership, membershipID)
}

// ReadMembership reads a membership by its id.
func (d *Directory) ReadMembership(ctx context.Context, storeID, id string) (m Membership, err error) {
	err = d.db.View(ctx, func(q store.Querier) error {
		m, err = store.One(ctx, q, scanMembership, selectMembership+` WHERE store = ? AND id = ?`, storeID, id)
		return err
	})
	return m, missing(err, ResourceMembership, id)
}

// FindMembership reads the membership of a user in a group.
func (d *Directory) FindMembership(ctx context.Context, storeID, groupID, userID string) (m Membership, err error) {
	err = d.db.View(ctx, func(q store.Querier) error {
		m, err = store.One(ctx, q, scanMembership, selectMembership+` WHERE store = ? AND group_id = ? AND user_id = ?`, storeID, groupID, userID)
		return err
	})
	return m, missing(err, ResourceMembership, "")
}

// ListMemberships reads a page of memberships in the order of their ids.
func (d *Directory) ListMemberships(ctx context.Context, storeID string, f MembershipFilter, p Page) (all []Membership, err error) {
	err = d.db.View(ctx, func(q store.Querier) error {
		all, err = listMemberships(ctx, q, storeID, f, p)
		return err
	})
	return all, err
}

// FindGroup finds the group with a display name, without regard to case.
func (d *Directory) FindGroup(ctx context.Context, storeID, displayName string) (Group, error) {
	groups, err := d.ListGroups(ctx, storeID, GroupFilter{DisplayName: displayName}, Page{Limit: 1})
	if err == nil && len(groups) == 0 {
		err = NotFound(ResourceGroup, "")
	}
	if err != nil {
		return Group{}, err
	}
	return groups[0], nil
}

// FindByExternalID finds the owner of an external id: kind is "user" or "group"; an empty issuer is any.
func (d *Directory) FindByExternalID(ctx context.Context, storeID, kind, issuer, id string) (owners []string, err error) {
	query, args := `SELECT owner FROM external_ids WHERE store = ? AND kind = ? AND id = ?`, []any{storeID, kind, id}
	if issuer != "" {
		query, args = query+` AND issuer = ?`, append(args, issuer)
	}
	err = d.db.View(ctx, func(q store.Querier) error {
		owners, err = store.All(ctx, q, store.Text, query+` ORDER BY owner LIMIT 2`, args...)
		return err
	})
	return owners, err
}

func missing(err error, resource, id string) error {
	if errors.Is(err, store.ErrNotFound) {
		return NotFound(resource, id)
	}
	return err
}

// firstRefusal unwraps the first of joined errors, so that a face sees one refusal.
func firstRefusal(err error) error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return err
}

// userConflict says which unique value a user shares with another.
func userConflict(err error) error {
	if !errors.Is(err, store.ErrConflict) {
		return err
	}
	switch text := err.Error(); {
	case strings.Contains(text, "external_ids"):
		return Conflict("externalId", "Duplicate ExternalId")
	case strings.Contains(text, "email_key"):
		return Conflict("emails", "Duplicate Email")
	default:
		return Conflict("userName", "Duplicate UserName")
	}
}

func groupConflict(err error) error {
	if !errors.Is(err, store.ErrConflict) {
		return err
	}
	if strings.Contains(err.Error(), "external_ids") {
		return Conflict("externalId", "Duplicate ExternalId")
	}
	return Conflict("displayName", "Duplicate GroupDisplayName")
}
