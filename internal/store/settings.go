package store

import (
	"context"
	"errors"
)

// Setting reads a fact about the installation, or ErrNotFound.
func (db *DB) Setting(ctx context.Context, name string) (value []byte, err error) {
	err = db.View(ctx, func(q Querier) error {
		value, err = One(ctx, q, func(s Scanner) (v []byte, err error) { return v, s.Scan(&v) }, `SELECT value FROM settings WHERE name = ?`, name)
		return err
	})
	return value, err
}

// SetSetting writes a fact about the installation.
func (db *DB) SetSetting(ctx context.Context, name string, value []byte) error {
	return db.Update(ctx, func(tx *Tx) error { return tx.SetSetting(ctx, name, value) })
}

// SetSetting writes a fact about the installation as part of a change.
func (tx *Tx) SetSetting(ctx context.Context, name string, value []byte) error {
	_, err := tx.Exec(ctx, `INSERT INTO settings (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value`, name, value)
	return err
}

func isNotFound(err error) bool { return errors.Is(err, ErrNotFound) }
