package directory

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/lakegate/lakegate/internal/store"
)

func scanToken(s store.Scanner) (Token, error) {
	var (
		t                      Token
		created, expires, used int64
	)
	err := s.Scan(&t.ID, &t.StoreID, &t.Description, &created, &expires, &used)
	t.Created, t.Expires, t.Used = store.Time(created), store.Time(expires), store.Time(used)
	return t, err
}

func listTokens(ctx context.Context, q store.Querier, storeID string) ([]Token, error) {
	return store.All(ctx, q, scanToken, `SELECT id, store, description, created, expires, last_used FROM scim_tokens WHERE store = ? ORDER BY created DESC, id`, storeID)
}

func insertToken(ctx context.Context, tx *store.Tx, t *Token, hash [sha256.Size]byte) error {
	tx.Changed(kindToken, t.ID)
	_, err := tx.Exec(ctx, `INSERT INTO scim_tokens (id, store, hash, description, created, expires, last_used) VALUES (?, ?, ?, ?, ?, ?, 0)`,
		t.ID, t.StoreID, hash[:], t.Description, store.Millis(t.Created), store.Millis(t.Expires))
	return err
}

func deleteToken(ctx context.Context, tx *store.Tx, storeID, id string) error {
	tx.Changed(kindToken, id)
	return tx.MustExec(ctx, `DELETE FROM scim_tokens WHERE store = ? AND id = ?`, storeID, id)
}

func useToken(ctx context.Context, tx *store.Tx, storeID, id string, at time.Time) error {
	_, err := tx.Exec(ctx, `UPDATE scim_tokens SET last_used = ? WHERE store = ? AND id = ?`, store.Millis(at), storeID, id)
	return err
}

func scanTokenEntry(s store.Scanner) (id string, t tokenEntry, err error) {
	var (
		hash    []byte
		expires int64
	)
	if err := s.Scan(&id, &t.storeID, &hash, &expires); err != nil {
		return "", tokenEntry{}, err
	}
	if len(hash) != sha256.Size {
		return "", tokenEntry{}, fmt.Errorf("read hash of token %s: it has %d bytes", id, len(hash))
	}
	t.hash, t.expires = [sha256.Size]byte(hash), store.Time(expires)
	return id, t, nil
}

const selectTokenEntry = `SELECT id, store, hash, expires FROM scim_tokens`

func oneToken(ctx context.Context, q store.Querier, id string) (tokenEntry, error) {
	return store.One(ctx, q, func(s store.Scanner) (tokenEntry, error) {
		_, t, err := scanTokenEntry(s)
		return t, err
	}, selectTokenEntry+` WHERE id = ?`, id)
}

func allTokens(ctx context.Context, q store.Querier, do func(string, tokenEntry) error) error {
	type row struct {
		id    string
		entry tokenEntry
	}
	return store.Each(ctx, q, func(s store.Scanner) (r row, err error) {
		r.id, r.entry, err = scanTokenEntry(s)
		return r, err
	}, func(r row) error { return do(r.id, r.entry) }, selectTokenEntry)
}
