package session

import (
	"context"

	"github.com/lakegate/lakegate/internal/store"
)

const selectRevocations = `SELECT id, account, kind, value, before_at, reason, created, created_by FROM revocations`

func scanRevocation(s store.Scanner) (*Revocation, error) {
	r := &Revocation{}
	var before, created int64
	if err := s.Scan(&r.ID, &r.Account, &r.Kind, &r.Value, &before, &r.Reason, &created, &r.By); err != nil {
		return nil, err
	}
	r.Before, r.Created = store.Time(before), store.Time(created)
	return r, nil
}

func readRevocation(ctx context.Context, q store.Querier, id string) (*Revocation, error) {
	return store.One(ctx, q, scanRevocation, selectRevocations+` WHERE id = ?`, id)
}

func eachRevocation(ctx context.Context, q store.Querier, do func(string, *Revocation) error) error {
	return store.Each(ctx, q, scanRevocation, func(r *Revocation) error { return do(r.ID, r) }, selectRevocations)
}

func insertRevocation(ctx context.Context, tx *store.Tx, r *Revocation) error {
	tx.Changed(kindRevocation, r.ID)
	_, err := tx.Exec(ctx, `INSERT INTO revocations (id, account, kind, value, before_at, reason, created, created_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		r.ID, r.Account, string(r.Kind), r.Value, store.Millis(r.Before), r.Reason, store.Millis(r.Created), r.By)
	return err
}

func deleteRevocation(ctx context.Context, tx *store.Tx, id string) error {
	tx.Changed(kindRevocation, id)
	_, err := tx.Exec(ctx, `DELETE FROM revocations WHERE id = ?`, id)
	return err
}
