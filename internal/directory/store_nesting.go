package directory

import (
	"context"
	"slices"
	"strings"

	"github.com/lakegate/lakegate/internal/store"
)

// atOnce is how many ids or rows one statement names.
const atOnce = 200

// in is the placeholder list of an IN, and the arguments with the ids after those given.
func in(ids []string, args ...any) (list string, all []any) {
	all = args
	for _, id := range ids {
		all = append(all, id)
	}
	return `(?` + strings.Repeat(`, ?`, len(ids)-1) + `)`, all
}

// present are those of the ids for which a query, which ends in IN, has a row.
func present(ctx context.Context, q store.Querier, query string, ids []string, args ...any) (map[string]bool, error) {
	found := map[string]bool{}
	for part := range slices.Chunk(ids, atOnce) {
		list, all := in(part, slices.Clone(args)...)
		err := store.Each(ctx, q, store.Text, func(id string) error { found[id] = true; return nil }, query+list, all...)
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

func usersPresent(ctx context.Context, q store.Querier, storeID string, ids []string) (map[string]bool, error) {
	return present(ctx, q, `SELECT id FROM users WHERE store = ? AND id IN `, ids, storeID)
}

func groupsPresent(ctx context.Context, q store.Querier, storeID string, ids []string) (map[string]bool, error) {
	return present(ctx, q, `SELECT id FROM directory_groups WHERE store = ? AND id IN `, ids, storeID)
}

func membersPresent(ctx context.Context, q store.Querier, storeID, groupID string, users []string) (map[string]bool, error) {
	return present(ctx, q, `SELECT user_id FROM memberships WHERE store = ? AND group_id = ? AND user_id IN `, users, storeID, groupID)
}

func nestedPresent(ctx context.Context, q store.Querier, storeID, groupID string, groups []string) (map[string]bool, error) {
	return present(ctx, q, `SELECT member_id FROM nested_groups WHERE store = ? AND group_id = ? AND member_id IN `, groups, storeID, groupID)
}

// rows writes many rows with few statements. Each row has the same number of values.
func rows(ctx context.Context, tx *store.Tx, insert string, all [][]any) error {
	for part := range slices.Chunk(all, atOnce) {
		one := `(?` + strings.Repeat(`, ?`, len(part[0])-1) + `)`
		if _, err := tx.Exec(ctx, insert+` VALUES `+one+strings.Repeat(`, `+one, len(part)-1), slices.Concat(part...)...); err != nil {
			return err
		}
	}
	return nil
}

func insertNested(ctx context.Context, tx *store.Tx, storeID, groupID string, members []string, by Actor, at int64) error {
	var all [][]any
	for _, m := range members {
		tx.Changed(kindNested, key(storeID, m))
		all = append(all, []any{storeID, groupID, m, at, string(by)})
	}
	return rows(ctx, tx, `INSERT INTO nested_groups (store, group_id, member_id, created, created_by)`, all)
}

func deleteNested(ctx context.Context, tx *store.Tx, storeID, groupID string, members []string) error {
	for part := range slices.Chunk(members, atOnce) {
		for _, m := range part {
			tx.Changed(kindNested, key(storeID, m))
		}
		list, args := in(part, storeID, groupID)
		if _, err := tx.Exec(ctx, `DELETE FROM nested_groups WHERE store = ? AND group_id = ? AND member_id IN `+list, args...); err != nil {
			return err
		}
	}
	return nil
}

// unnest cuts a group that goes out of every chain: what it is in, and what is in it.
func unnest(ctx context.Context, tx *store.Tx, storeID, id string) error {
	members, err := nestedIn(ctx, tx, storeID, id)
	if err != nil {
		return err
	}
	for _, m := range append(members, id) {
		tx.Changed(kindNested, key(storeID, m))
	}
	if _, err := tx.Exec(ctx, `UPDATE directory_groups SET version = version + 1 WHERE store = ? AND id IN (SELECT group_id FROM nested_groups WHERE store = ? AND member_id = ?)`, storeID, storeID, id); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `DELETE FROM nested_groups WHERE store = ? AND (group_id = ? OR member_id = ?)`, storeID, id, id)
	return err
}

// nestedIn are the direct members of a group that are groups.
func nestedIn(ctx context.Context, q store.Querier, storeID, groupID string) ([]string, error) {
	return store.All(ctx, q, store.Text, `SELECT member_id FROM nested_groups WHERE store = ? AND group_id = ?`, storeID, groupID)
}

func listNested(ctx context.Context, q store.Querier, storeID, groupID string, p Page) ([]string, error) {
	return store.All(ctx, q, store.Text, `SELECT member_id FROM nested_groups WHERE store = ? AND group_id = ? AND member_id > ? ORDER BY member_id LIMIT ?`, storeID, groupID, p.After, p.Limit)
}

// latticeAbove reads every step up from the given groups, a statement for each level.
func latticeAbove(ctx context.Context, q store.Querier, storeID string, from []string) (lattice, error) {
	l, level := lattice{}, from
	for len(level) > 0 {
		for _, id := range level {
			l[id] = nil // read once
		}
		var next []string
		seen := map[string]bool{}
		err := eachNested(ctx, q, storeID, "member_id", level, func(group, member string) {
			l[member] = append(l[member], group)
			if _, ok := l[group]; !ok && !seen[group] {
				seen[group] = true
				next = append(next, group)
			}
		})
		if err != nil {
			return nil, err
		}
		level = next
	}
	return l, nil
}

// groupsBelow are the groups in the given ones, over any number of steps, with those given.
func groupsBelow(ctx context.Context, q store.Querier, storeID string, from []string) ([]string, error) {
	seen := map[string]bool{}
	for _, id := range from {
		seen[id] = true
	}
	all := slices.Clone(from)
	for done := 0; done < len(all); {
		level := slices.Clone(all[done:])
		done = len(all)
		err := eachNested(ctx, q, storeID, "group_id", level, func(_, member string) {
			if !seen[member] {
				seen[member] = true
				all = append(all, member)
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// eachNested walks over the steps whose column is one of the ids.
func eachNested(ctx context.Context, q store.Querier, storeID, column string, ids []string, do func(group, member string)) error {
	for part := range slices.Chunk(ids, atOnce) {
		list, args := in(part, storeID)
		err := eachPair(ctx, q, func(group, member string) error { do(group, member); return nil },
			`SELECT group_id, member_id FROM nested_groups WHERE store = ? AND `+column+` IN `+list, args...)
		if err != nil {
			return err
		}
	}
	return nil
}

func scanID(s store.Scanner) (id string, err error) { return id, s.Scan(&id) }

func userIDs(ctx context.Context, q store.Querier, storeID, after string, limit int) ([]string, error) {
	return store.All(ctx, q, scanID, `SELECT id FROM users WHERE store = ? AND id > ? ORDER BY id LIMIT ?`, storeID, after, limit)
}

func memberIDs(ctx context.Context, q store.Querier, storeID, groupID, after string, limit int) ([]string, error) {
	return store.All(ctx, q, scanID, `SELECT user_id FROM memberships WHERE store = ? AND group_id = ? AND user_id > ? ORDER BY user_id LIMIT ?`, storeID, groupID, after, limit)
}
