package directory

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

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

// The kinds of owners of external ids.
const (
	KindOfUser  = "user"
	KindOfGroup = "group"
)

// unique is the form of a text in which two that differ by case alone are the same. A long one becomes its hash, because
// an index row of PostgreSQL holds less than 3 KB.
func unique(s string) string {
	s = strings.ToLower(s)
	if len(s) <= 1024 {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	return "sha256:" + hex.EncodeToString(sum[:])
}

func insertStore(ctx context.Context, tx *store.Tx, storeID, account string, at time.Time) error {
	tx.Changed(kindStore, storeID)
	_, err := tx.Exec(ctx, `INSERT INTO identity_stores (id, account, created) VALUES (?, ?, ?)`, storeID, account, store.Millis(at))
	return err
}

func deleteStore(ctx context.Context, tx *store.Tx, storeID string) error {
	for query, changed := range map[string]func(id string){
		`SELECT id FROM users WHERE store = ?`: func(id string) {
			tx.Changed(kindUser, key(storeID, id))
			tx.Changed(kindMembers, key(storeID, id))
		},
		`SELECT id FROM directory_groups WHERE store = ?`: func(id string) {
			tx.Changed(kindGroup, key(storeID, id))
			tx.Changed(kindNested, key(storeID, id))
		},
		`SELECT id FROM scim_tokens WHERE store = ?`: func(id string) { tx.Changed(kindToken, id) },
	} {
		ids, err := store.All(ctx, tx, store.Text, query, storeID)
		if err != nil {
			return err
		}
		for _, id := range ids {
			changed(id)
		}
	}
	for _, q := range []string{
		`DELETE FROM memberships WHERE store = ?`, `DELETE FROM nested_groups WHERE store = ?`, `DELETE FROM external_ids WHERE store = ?`, `DELETE FROM users WHERE store = ?`,
		`DELETE FROM directory_groups WHERE store = ?`, `DELETE FROM scim_tokens WHERE store = ?`,
	} {
		if _, err := tx.Exec(ctx, q, storeID); err != nil {
			return err
		}
	}
	tx.Changed(kindStore, storeID)
	return tx.MustExec(ctx, `DELETE FROM identity_stores WHERE id = ?`, storeID)
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
	u.ExternalIDs, err = readExternalIDs(ctx, q, storeID, KindOfUser, id)
	return u, err
}

func insertUser(ctx context.Context, tx *store.Tx, u *User) error {
	profile, err := json.Marshal(u.Profile)
	if err != nil {
		return fmt.Errorf("encode profile: %w", err)
	}
	tx.Changed(kindUser, key(u.StoreID, u.ID))
	_, err = tx.Exec(ctx, `INSERT INTO users (store, id, user_name, name_key, email_key, enabled, profile, created, created_by, updated, updated_by, version) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		u.StoreID, u.ID, u.UserName, unique(u.UserName), nullable(unique(u.Profile.PrimaryEmail())), flag(u.Enabled), string(profile),
		store.Millis(u.Stamps.Created), u.Stamps.CreatedBy, store.Millis(u.Stamps.Updated), u.Stamps.UpdatedBy, u.Stamps.Version)
	if err != nil {
		return err
	}
	return writeExternalIDs(ctx, tx, u.StoreID, KindOfUser, u.ID, u.ExternalIDs)
}

func updateUser(ctx context.Context, tx *store.Tx, u *User) error {
	profile, err := json.Marshal(u.Profile)
	if err != nil {
		return fmt.Errorf("encode profile: %w", err)
	}
	tx.Changed(kindUser, key(u.StoreID, u.ID))
	err = tx.MustExec(ctx, `UPDATE users SET user_name = ?, name_key = ?, email_key = ?, enabled = ?, profile = ?, updated = ?, updated_by = ?, version = ? WHERE store = ? AND id = ?`,
		u.UserName, unique(u.UserName), nullable(unique(u.Profile.PrimaryEmail())), flag(u.Enabled), string(profile),
		store.Millis(u.Stamps.Updated), u.Stamps.UpdatedBy, u.Stamps.Version, u.StoreID, u.ID)
	if err != nil {
		return err
	}
	return writeExternalIDs(ctx, tx, u.StoreID, KindOfUser, u.ID, u.ExternalIDs)
}

func deleteUser(ctx context.Context, tx *store.Tx, storeID, id string) error {
	tx.Changed(kindUser, key(storeID, id))
	tx.Changed(kindMembers, key(storeID, id))
	if _, err := tx.Exec(ctx, `UPDATE directory_groups SET version = version + 1 WHERE store = ? AND id IN (SELECT group_id FROM memberships WHERE store = ? AND user_id = ?)`, storeID, storeID, id); err != nil {
		return err
	}
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

// Page selects one page of an ordered list: what comes after a key, at most Limit entries. Offset skips entries, for
// clients that count pages; After is what survives changes between two pages.
type Page struct {
	After         string
	Limit, Offset int
}

// UserFilter narrows a list of users; empty fields do not.
type UserFilter struct {
	UserName string
}

func listUsers(ctx context.Context, q store.Querier, storeID string, f UserFilter, p Page) ([]User, error) {
	query, args := selectUser+` WHERE store = ? AND id > ?`, []any{storeID, p.After}
	if f.UserName != "" {
		query, args = query+` AND name_key = ?`, append(args, unique(f.UserName))
	}
	users, err := store.All(ctx, q, scanUser, query+` ORDER BY id LIMIT ? OFFSET ?`, append(args, p.Limit, p.Offset)...)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(users))
	for i := range users {
		ids[i] = users[i].ID
	}
	external, err := externalIDsOf(ctx, q, storeID, KindOfUser, ids)
	for i := range users {
		users[i].ExternalIDs = external[users[i].ID]
	}
	return users, err
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
	g.ExternalIDs, err = readExternalIDs(ctx, q, storeID, KindOfGroup, id)
	return g, err
}

func insertGroup(ctx context.Context, tx *store.Tx, g *Group) error {
	tx.Changed(kindGroup, key(g.StoreID, g.ID))
	_, err := tx.Exec(ctx, `INSERT INTO directory_groups (store, id, display_name, name_key, description, created, created_by, updated, updated_by, version) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		g.StoreID, g.ID, g.DisplayName, unique(g.DisplayName), g.Description,
		store.Millis(g.Stamps.Created), g.Stamps.CreatedBy, store.Millis(g.Stamps.Updated), g.Stamps.UpdatedBy, g.Stamps.Version)
	if err != nil {
		return err
	}
	return writeExternalIDs(ctx, tx, g.StoreID, KindOfGroup, g.ID, g.ExternalIDs)
}

func updateGroup(ctx context.Context, tx *store.Tx, g *Group) error {
	tx.Changed(kindGroup, key(g.StoreID, g.ID))
	err := tx.MustExec(ctx, `UPDATE directory_groups SET display_name = ?, name_key = ?, description = ?, updated = ?, updated_by = ?, version = ? WHERE store = ? AND id = ?`,
		g.DisplayName, unique(g.DisplayName), g.Description, store.Millis(g.Stamps.Updated), g.Stamps.UpdatedBy, g.Stamps.Version, g.StoreID, g.ID)
	if err != nil {
		return err
	}
	return writeExternalIDs(ctx, tx, g.StoreID, KindOfGroup, g.ID, g.ExternalIDs)
}

// advanceGroup counts a change of a group's members in its version, by which clients know a group that they have read.
func advanceGroup(ctx context.Context, tx *store.Tx, storeID, id string) error {
	_, err := tx.Exec(ctx, `UPDATE directory_groups SET version = version + 1 WHERE store = ? AND id = ?`, storeID, id)
	return err
}

func deleteGroup(ctx context.Context, tx *store.Tx, storeID, id string) error {
	members, err := membersOf(ctx, tx, storeID, id)
	if err != nil {
		return err
	}
	for _, u := range members {
		tx.Changed(kindMember, key(storeID, key(id, u)))
	}
	if err := unnest(ctx, tx, storeID, id); err != nil {
		return err
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
		query, args = query+` AND name_key = ?`, append(args, unique(f.DisplayName))
	}
	groups, err := store.All(ctx, q, scanGroup, query+` ORDER BY id LIMIT ? OFFSET ?`, append(args, p.Limit, p.Offset)...)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(groups))
	for i := range groups {
		ids[i] = groups[i].ID
	}
	external, err := externalIDsOf(ctx, q, storeID, KindOfGroup, ids)
	for i := range groups {
		groups[i].ExternalIDs = external[groups[i].ID]
	}
	return groups, err
}

func readExternalIDs(ctx context.Context, q store.Querier, storeID, kind, owner string) ([]ExternalID, error) {
	return store.All(ctx, q, func(s store.Scanner) (x ExternalID, err error) { return x, s.Scan(&x.Issuer, &x.ID) },
		`SELECT issuer, id FROM external_ids WHERE store = ? AND kind = ? AND owner = ? ORDER BY issuer, id`, storeID, kind, owner)
}

// externalIDsOf reads those of many owners, with few queries.
func externalIDsOf(ctx context.Context, q store.Querier, storeID, kind string, owners []string) (map[string][]ExternalID, error) {
	all := map[string][]ExternalID{}
	type row struct {
		owner string
		id    ExternalID
	}
	for part := range slices.Chunk(owners, 200) {
		args := []any{storeID, kind}
		for _, o := range part {
			args = append(args, o)
		}
		err := store.Each(ctx, q, func(s store.Scanner) (r row, err error) { return r, s.Scan(&r.owner, &r.id.Issuer, &r.id.ID) },
			func(r row) error { all[r.owner] = append(all[r.owner], r.id); return nil },
			`SELECT owner, issuer, id FROM external_ids WHERE store = ? AND kind = ? AND owner IN (?`+strings.Repeat(`, ?`, len(part)-1)+`) ORDER BY owner, issuer, id`, args...)
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

func ownersOf(ctx context.Context, q store.Querier, storeID, kind, issuer, id string) ([]string, error) {
	query, args := `SELECT DISTINCT owner FROM external_ids WHERE store = ? AND kind = ? AND id = ?`, []any{storeID, kind, id}
	if issuer != "" {
		query, args = query+` AND issuer = ?`, append(args, issuer)
	}
	return store.All(ctx, q, store.Text, query+` ORDER BY owner LIMIT 2`, args...)
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

func insertMemberships(ctx context.Context, tx *store.Tx, members []Membership) error {
	var all [][]any
	for _, m := range members {
		tx.Changed(kindMember, key(m.StoreID, key(m.GroupID, m.UserID)))
		all = append(all, []any{m.StoreID, m.ID, m.GroupID, m.UserID, store.Millis(m.Created), m.CreatedBy})
	}
	return rows(ctx, tx, `INSERT INTO memberships (store, id, group_id, user_id, created, created_by)`, all)
}

func deleteMemberships(ctx context.Context, tx *store.Tx, storeID, groupID string, users []string) error {
	for part := range slices.Chunk(users, atOnce) {
		for _, u := range part {
			tx.Changed(kindMember, key(storeID, key(groupID, u)))
		}
		list, args := in(part, storeID, groupID)
		if _, err := tx.Exec(ctx, `DELETE FROM memberships WHERE store = ? AND group_id = ? AND user_id IN `+list, args...); err != nil {
			return err
		}
	}
	return nil
}

func deleteMembership(ctx context.Context, tx *store.Tx, m *Membership) error {
	tx.Changed(kindMember, key(m.StoreID, key(m.GroupID, m.UserID)))
	return tx.MustExec(ctx, `DELETE FROM memberships WHERE store = ? AND id = ?`, m.StoreID, m.ID)
}

func readMembership(ctx context.Context, q store.Querier, storeID, id string) (Membership, error) {
	return store.One(ctx, q, scanMembership, selectMembership+` WHERE store = ? AND id = ?`, storeID, id)
}

func findMembership(ctx context.Context, q store.Querier, storeID, groupID, userID string) (Membership, error) {
	return store.One(ctx, q, scanMembership, selectMembership+` WHERE store = ? AND group_id = ? AND user_id = ?`, storeID, groupID, userID)
}

func membersOf(ctx context.Context, q store.Querier, storeID, groupID string) ([]string, error) {
	return store.All(ctx, q, store.Text, `SELECT user_id FROM memberships WHERE store = ? AND group_id = ?`, storeID, groupID)
}

// The pages of memberships follow the indexes that there are: a group's by user, a user's by group.

func listMembers(ctx context.Context, q store.Querier, storeID, groupID string, p Page) ([]Membership, error) {
	return store.All(ctx, q, scanMembership, selectMembership+` WHERE store = ? AND group_id = ? AND user_id > ? ORDER BY user_id LIMIT ?`, storeID, groupID, p.After, p.Limit)
}

func listMembershipsOfUser(ctx context.Context, q store.Querier, storeID, userID string, p Page) ([]Membership, error) {
	return store.All(ctx, q, scanMembership, selectMembership+` WHERE store = ? AND user_id = ? AND group_id > ? ORDER BY group_id LIMIT ?`, storeID, userID, p.After, p.Limit)
}

func userExists(ctx context.Context, q store.Querier, storeID, id string) error {
	_, err := store.One(ctx, q, store.Text, `SELECT id FROM users WHERE store = ? AND id = ?`, storeID, id)
	return err
}
