package bucket

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/lakegate/lakegate/internal/storage/remote"
	"github.com/lakegate/lakegate/internal/store"
)

// changeBackend is the kind of change in the feed; its key is the name.
const changeBackend = "backend"

const backendColumns = `SELECT name, settings, secrets, created, updated FROM backends`

func scanBackend(db *store.DB) func(store.Scanner) (*Backend, error) {
	return func(s store.Scanner) (*Backend, error) {
		var b Backend
		var settings string
		var sealed []byte
		var created, updated int64
		if err := s.Scan(&b.Name, &settings, &sealed, &created, &updated); err != nil {
			return nil, err
		}
		b.Created, b.Updated = store.Time(created), store.Time(updated)
		if err := json.Unmarshal([]byte(settings), &b.Settings); err != nil {
			return nil, fmt.Errorf("read settings of backend %s: %w", b.Name, err)
		}
		secret, err := db.Unseal(b.place(), sealed)
		if err != nil {
			return nil, fmt.Errorf("open secrets of backend %s: %w", b.Name, err)
		}
		if err := json.Unmarshal(secret, &b.secrets); err != nil {
			return nil, fmt.Errorf("read secrets of backend %s: they have an unknown form", b.Name) // the cause could quote them
		}
		return &b, nil
	}
}

func readBackend(ctx context.Context, q store.Querier, db *store.DB, name string) (*Backend, error) {
	return store.One(ctx, q, scanBackend(db), backendColumns+` WHERE name = ?`, name)
}

func eachBackend(ctx context.Context, q store.Querier, db *store.DB, do func(string, *Backend) error) error {
	return store.Each(ctx, q, scanBackend(db), func(b *Backend) error { return do(b.Name, b) }, backendColumns)
}

func countBackends(ctx context.Context, q store.Querier) (int64, error) {
	return store.One(ctx, q, store.Int, `SELECT COUNT(*) FROM backends`)
}

func insertBackend(ctx context.Context, tx *store.Tx, db *store.DB, b *Backend) error {
	settings, opened, err := b.encode()
	if err != nil {
		return err
	}
	tx.Changed(changeBackend, b.Name)
	_, err = tx.Exec(ctx, `INSERT INTO backends (name, settings, secrets, created, updated) VALUES (?, ?, ?, ?, ?)`,
		b.Name, settings, db.Seal(b.place(), opened), store.Millis(b.Created), store.Millis(b.Updated))
	return err
}

func updateBackend(ctx context.Context, tx *store.Tx, db *store.DB, b *Backend) error {
	settings, opened, err := b.encode()
	if err != nil {
		return err
	}
	tx.Changed(changeBackend, b.Name)
	return tx.MustExec(ctx, `UPDATE backends SET settings = ?, secrets = ?, updated = ? WHERE name = ?`,
		settings, db.Seal(b.place(), opened), store.Millis(b.Updated), b.Name)
}

func deleteBackend(ctx context.Context, tx *store.Tx, name string) error {
	tx.Changed(changeBackend, name)
	return tx.MustExec(ctx, `DELETE FROM backends WHERE name = ?`, name)
}

// bucketsOn counts the buckets on a backend, those that are being made or deleted too.
func bucketsOn(ctx context.Context, q store.Querier, backend string) (int64, error) {
	return store.One(ctx, q, store.Int, `SELECT COUNT(*) FROM buckets WHERE backend = ?`, backend)
}

// takenPlace is a place in use.
type takenPlace struct {
	bucket, backend string
	at              remote.Place
}

// placesIn are the places in a bucket of that name, at whichever backend.
func placesIn(ctx context.Context, q store.Querier, bucket string) ([]takenPlace, error) {
	return store.All(ctx, q, func(s store.Scanner) (p takenPlace, err error) {
		return p, s.Scan(&p.bucket, &p.backend, &p.at.Bucket, &p.at.Prefix)
	}, `SELECT name, backend, remote_bucket, remote_prefix FROM buckets WHERE backend <> '' AND remote_bucket = ?`, bucket)
}

// placesOn are the places of the buckets on a backend.
func placesOn(ctx context.Context, q store.Querier, backend string) ([]takenPlace, error) {
	return store.All(ctx, q, func(s store.Scanner) (p takenPlace, err error) {
		return p, s.Scan(&p.bucket, &p.backend, &p.at.Bucket, &p.at.Prefix)
	}, `SELECT name, backend, remote_bucket, remote_prefix FROM buckets WHERE backend = ?`, backend)
}
