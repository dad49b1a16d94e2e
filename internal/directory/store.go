package directory

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/lakegate/lakegate/internal/store"
)

// nullable turns an empty text into NULL, which a unique constraint lets stand many times.
func nullable(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

const selectUser = `SELECT store, id, user_name, enabled, profile, created, created_by, updated, updated_by, version FROM users`

func scanUser(s store.Scanner) (User, error) {
	var (
		u                         User
		profile                   string
		enabled, created, updated int64
	)
	if err := s.Scan(&u.StoreID, &u.ID, &u.UserName, &enabled, &profile, &created, &u.Stamps.CreatedBy, &updated, &u.Stamps.UpdatedBy, &u.Stamps.Version); err != nil {
		return User{}, err
	}
	u.Enabled = enabled != 0
	u.Stamps.Created, u.Stamps.Updated = store.Time(created), store.Time(updated)
	if err := json.Unmarshal([]byte(profile), &u.Profile); err != nil {
		return User{}, fmt.Errorf("read profile of %s: %w", u.ID, err)
	}
	return u, nil
}

func readUser(ctx context.Context, q store.Querier, storeID, id string) (User, error) {
	u, err := store.One(ctx, q, scanUser, selectUser+` WHERE store = ? AND id = ?`, storeID, id)
	if err != nil {
		return User{}, err
	}
	u.ExternalIDs, err = readExternalIDs(ctx, q, storeID, "user", id)
	return u, err
}

func insertUser(ctx context.Context, tx *store.Tx, u *User) error {
	profile, err := json.Marshal(u.Profile)
	if err != nil {
		return fmt.Errorf("encode profile: %w", err)
	}
	tx.Changed(kindUser, key(u.StoreID, u.ID))
	_, err = tx.Exec(ctx, `INSERT INTO users (store, id, user_name, name_key, email_key, enabled, profile, created, created_by, updated, updated_by, version) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		u.StoreID, u.ID, u.UserName, strings.ToLower(u.UserName), nullable(strings.ToLower(u.Profile.PrimaryEmail())), flag(u.Enabled), string(profile),
		store.Millis(u.Stamps.Created), u.Stamps.CreatedBy, store.Millis(u.Stamps.Updated), u.Stamps.UpdatedBy, u.Stamps.Version)
	if err != nil {
		return err
	}
	return writeExternalIDs(ctx, tx, u.StoreID, "user", u.ID, u.ExternalIDs)
}

func updateUser(ctx context.Context, tx *store.Tx, u *User) error {
	profile, err := json.Marshal(u.Profile)
	if err != nil {
		return fmt.Errorf("encode profile: %w", err)
	}
	tx.Changed(kindUser, key(u.StoreID, u.ID))
	err = tx.MustExec(ctx, `UPDATE users SET user_name = ?, name_key = ?, email_key = ?, enabled = ?, profile = ?, updated = ?, updated_by = ?, version = ? WHERE store = ? AND id = ?`,
		u.UserName, strings.ToLower(u.UserName), nullable(strings.ToLower(u.Profile.PrimaryEmail())), flag(u.Enabled), string(profile),
		store.Millis(u.Stamps.Updated), u.Stamps.UpdatedBy, u.Stamps.Version, u.StoreID, u.ID)
	if err != nil {
		return err
	}
	return writeExternalIDs(ctx, tx, u.StoreID, "user", u.ID, u.ExternalIDs)
}

func deleteUser(ctx context.Context, tx *store.Tx, storeID, id string) error {
	tx.Changed(kindUser, key(storeID, id))
	tx.Changed(kindMembers, key(storeID, id))
	for _, q := range []string{
		`DELETE FROM memberships WHERE store = ? AND user_id = ?`,
		`DELETE FROM external_ids WHERE store = ? AND kind = 'user' AND owner = ?`,
	} {
		if _, err := tx.Exec(ctx, q, storeID, id); err != nil {
			return err
		}
	}
	return tx.MustExec(ctx, `DELETE FROM users WHERE store = ? AND id = ?`, storeID, id)
}

// Page selects one page of a list ordered by id: what comes after a key, at most Limit entries.
type Page struct {
	After string
	Limit int
}

// UserFilter narrows a list of users; empty fields do not.
type UserFilter struct {
	UserName string
}

func listUsers(ctx context.Context, q store.Querier, storeID string, f UserFilter, p Page) ([]User, error) {
	query, args := selectUser+` WHERE store = ? AND id > ?`, []any{storeID, p.After}
	if f.UserName != "" {
		query, args = query+` AND name_key = ?`, append(args, strings.ToLower(f.UserName))
	}
	users, err := store.All(ctx, q, scanUser, query+` ORDER BY id LIMIT ?`, append(args, p.Limit)...)
	if err != nil {
		return nil, err
	}
	for i := range users {
		if users[i].ExternalIDs, err = readExternalIDs(ctx, q, storeID, "user", users[i].ID); err != nil {
			return nil, err
		}
	}
	return users, nil
}

const selectGroup = `SELECT store, id, display_name, description, created, created_by, updated, updated_by, version FROM directory_groups`

func scanGroup(s store.Scanner) (Group, error) {
	var (
		g                Group
		created, updated int64
	)
	err := s.Scan(&g.StoreID, &g.ID, &g.DisplayName, &g.Description, &created, &g.Stamps.CreatedBy, &updated, &g.Stamps.UpdatedBy, &g.Stamps.Version)
	g.Stamps.Created, g.Stamps.Updated = store.Time(created), store.Time(updated)
	return g, err
}

func readGroup(ctx context.Context, q store.Querier, storeID, id string) (Group, error) {
	g, err := store.One(ctx, q, scanGroup, selectGroup+` WHERE store = ? AND id = ?`, storeID, id)
	if err != nil {
		return Group{}, err
	}
	g.ExternalIDs, err = readExternalIDs(ctx, q, storeID, "group", id)
	return g, err
}

func insertGroup(ctx context.Context, tx *store.Tx, g *Group) error {
	tx.Changed(kindGroup, key(g.StoreID, g.ID))
	_, err := tx.Exec(ctx, `INSERT INTO directory_groups (store, id, display_name, name_key, description, created, created_by, updated, updated_by, version) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		g.StoreID, g.ID, g.DisplayName, strings.ToLower(g.DisplayName), g.Description,
		store.Millis(g.Stamps.Created), g.Stamps.CreatedBy, store.Millis(g.Stamps.Updated), g.Stamps.UpdatedBy, g.Stamps.Version)
	if err != nil {
		return err
	}
	return writeExternalIDs(ctx, tx, g.StoreID, "group", g.ID, g.ExternalIDs)
}

func updateGroup(ctx context.Context, tx *store.Tx, g *Group) error {
	tx.Changed(kindGroup, key(g.StoreID, g.ID))
	err := tx.MustExec(ctx, `UPDATE directory_groups SET display_name = ?, name_key = ?, description = ?, updated = ?, updated_by = ?, version = ? WHERE store = ? AND id = ?`,
		g.DisplayName, strings.ToLower(g.DisplayName), g.Description, store.Millis(g.Stamps.Updated), g.Stamps.UpdatedBy, g.Stamps.Version, g.StoreID, g.ID)
	if err != nil {
		return err
	}
	return writeExternalIDs(ctx, tx, g.StoreID, "group", g.ID, g.ExternalIDs)
}

func deleteGroup(ctx context.Context, tx *store.Tx, storeID, id string) error {
	members, err := store.All(ctx, tx, store.Text, `SELECT user_id FROM memberships WHERE store = ? AND group_id = ?`, storeID, id)
	if err != nil {
		return err
	}
	for _, u := range members {
		tx.Changed(kindMembers, key(storeID, u))
	}
	tx.Changed(kindGroup, key(storeID, id))
	for _, q := range []string{
		`DELETE FROM memberships WHERE store = ? AND group_id = ?`,
		`DELETE FROM external_ids WHERE store = ? AND kind = 'group' AND owner = ?`,
	} {
		if _, err := tx.Exec(ctx, q, storeID, id); err != nil {
			return err
		}
	}
	return tx.MustExec(ctx, `DELETE FROM directory_groups WHERE store = ? AND id = ?`, storeID, id)
}

// GroupFilter narrows a list of groups; empty fields do not.
type GroupFilter struct {
	DisplayName string
}

func listGroups(ctx context.Context, q store.Querier, storeID string, f GroupFilter, p Page) ([]Group, error) {
	query, args := selectGroup+` WHERE store = ? AND id > ?`, []any{storeID, p.After}
	if f.DisplayName != "" {
		query, args = query+` AND name_key = ?`, append(args, strings.ToLower(f.DisplayName))
	}
	groups, err := store.All(ctx, q, scanGroup, query+` ORDER BY id LIMIT ?`, append(args, p.Limit)...)
	if err != nil {
		return nil, err
	}
	for i := range groups {
		if groups[i].ExternalIDs, err = readExternalIDs(ctx, q, storeID, "group", groups[i].ID); err != nil {
			return nil, err
		}
	}
	return groups, nil
}

func readExternalIDs(ctx context.Context, q store.Querier, storeID, kind, owner string) ([]ExternalID, error) {
	return store.All(ctx, q, func(s store.Scanner) (x ExternalID, err error) { return x, s.Scan(&x.Issuer, &x.ID) },
		`SELECT issuer, id FROM external_ids WHERE store = ? AND kind = ? AND owner = ? ORDER BY issuer, id`, storeID, kind, owner)
}

// writeExternalIDs replaces the external ids of an owner, when they differ from those that it has.
func writeExternalIDs(ctx context.Context, tx *store.Tx, storeID, kind, owner string, ids []ExternalID) error {
	ids = slices.Clone(ids)
	slices.SortFunc(ids, compareExternalIDs)
	ids = slices.Compact(ids)
	have, err := readExternalIDs(ctx, tx, storeID, kind, owner)
	if err != nil || slices.Equal(have, ids) {
		return err
	}
	if _, err := tx.Exec(ctx, `DELETE FROM external_ids WHERE store = ? AND kind = ? AND owner = ?`, storeID, kind, owner); err != nil {
		return err
	}
	for _, x := range ids {
		if _, err := tx.Exec(ctx, `INSERT INTO external_ids (store, kind, issuer, id, owner) VALUES (?, ?, ?, ?, ?)`, storeID, kind, x.Issuer, x.ID, owner); err != nil {
			return err
		}
	}
	return nil
}

const selectMembership = `SELECT store, id, group_id, user_id, created, created_by FROM memberships`

func scanMembership(s store.Scanner) (Membership, error) {
	var (
		m       Membership
		created int64
	)
	err := s.Scan(&m.StoreID, &m.ID, &m.GroupID, &m.UserID, &created, &m.CreatedBy)
	m.Created = store.Time(created)
	return m, err
}

func insertMembership(ctx context.Context, tx *store.Tx, m *Membership) error {
	tx.Changed(kindMembers, key(m.StoreID, m.UserID))
	_, err := tx.Exec(ctx, `INSERT INTO memberships (store, id, group_id, user_id, created, created_by) VALUES (?, ?, ?, ?, ?, ?)`,
		m.StoreID, m.ID, m.GroupID, m.UserID, store.Millis(m.Created), m.CreatedBy)
	return err
}

func deleteMembership(ctx context.Context, tx *store.Tx, m *Membership) error {
	tx.Changed(kindMembers, key(m.StoreID, m.UserID))
	return tx.MustExec(ctx, `DELETE FROM memberships WHERE store = ? AND id = ?`, m.StoreID, m.ID)
}

// MembershipFilter narrows a list of memberships to a group or a user.
type MembershipFilter struct {
	GroupID, UserID string
}

func listMemberships(ctx context.Context, q store.Querier, storeID string, f MembershipFilter, p Page) ([]Membership, error) {
	query, args := selectMembership+` WHERE store = ? AND id > ?`, []any{storeID, p.After}
	if f.GroupID != "" {
		query, args = query+` AND group_id = ?`, append(args, f.GroupID)
	}
	if f.UserID != "" {
		query, args = query+` AND user_id = ?`, append(args, f.UserID)
	}
	return store.All(ctx, q, scanMembership, query+` ORDER BY id LIMIT ?`, append(args, p.Limit)...)
}

// What the index reads.

func storeAccount(ctx context.Context, q store.Querier, id string) (string, error) {
	return store.One(ctx, q, store.Text, `SELECT account FROM identity_stores WHERE id = ?`, id)
}

func allStores(ctx context.Context, q store.Querier, do func(string, string) error) error {
	return eachPair(ctx, q, do, `SELECT id, account FROM identity_stores`)
}

func onePerson(ctx context.Context, q store.Querier, k string) (Person, error) {
	u, err := readUser(ctx, q, first(k), second(k))
	return u.person(), err
}

// allPeople reads users and external ids in one pass each, so that a large directory loads in a moment.
func allPeople(ctx context.Context, q store.Querier, do func(string, Person) error) error {
	external := map[string][]string{}
	err := eachPair(ctx, q, func(owner, id string) error { external[owner] = append(external[owner], id); return nil },
		`SELECT store || '/' || owner, id FROM external_ids WHERE kind = 'user'`)
	if err != nil {
		return err
	}
	return store.Each(ctx, q, scanUser, func(u User) error {
		p := u.person()
		p.external = external[key(u.StoreID, u.ID)]
		return do(key(u.StoreID, u.ID), p)
	}, selectUser)
}

func (u *User) person() Person {
	p := Person{StoreID: u.StoreID, ID: u.ID, UserName: u.UserName, DisplayName: u.Profile.DisplayName, Enabled: u.Enabled}
	for _, e := range u.Profile.Emails {
		p.emails = append(p.emails, e.Value)
	}
	for _, x := range u.ExternalIDs {
		p.external = append(p.external, x.ID)
	}
	return p
}

func groupName(ctx context.Context, q store.Querier, k string) (string, error) {
	return store.One(ctx, q, store.Text, `SELECT display_name FROM directory_groups WHERE store = ? AND id = ?`, first(k), second(k))
}

func allGroupNames(ctx context.Context, q store.Querier, do func(string, string) error) error {
	return eachPair(ctx, q, do, `SELECT store || '/' || id, display_name FROM directory_groups`)
}

func groupsOfUser(ctx context.Context, q store.Querier, k string) ([]string, error) {
	ids, err := store.All(ctx, q, store.Text, `SELECT group_id FROM memberships WHERE store = ? AND user_id = ?`, first(k), second(k))
	if err == nil && len(ids) == 0 {
		return nil, store.ErrNotFound
	}
	slices.Sort(ids)
	return ids, err
}

// allMemberships shares one string for each group id, of which a large directory has very many copies.
func allMemberships(ctx context.Context, q store.Querier, do func(string, []string) error) error {
	interned, of := map[string]string{}, map[string][]string{}
	err := eachPair(ctx, q, func(user, group string) error {
		g, ok := interned[group]
		if !ok {
			g, interned[group] = group, group
		}
		of[user] = append(of[user], g)
		return nil
	}, `SELECT store || '/' || user_id, group_id FROM memberships`)
	if err != nil {
		return err
	}
	for user, groups := range of {
		slices.Sort(groups)
		if err := do(user, slices.Clip(groups)); err != nil {
			return err
		}
	}
	return nil
}

func eachPair(ctx context.Context, q store.Querier, do func(a, b string) error, query string) error {
	type pair struct{ a, b string }
	return store.Each(ctx, q, func(s store.Scanner) (p pair, err error) { return p, s.Scan(&p.a, &p.b) }, func(p pair) error { return do(p.a, p.b) }, query)
}

func first(k string) string {
	a, _ := splitKey(k)
	return a
}

func second(k string) string {
	_, b := splitKey(k)
	return b
}
