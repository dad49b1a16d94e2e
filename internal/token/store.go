package token

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/lakegate/lakegate/internal/store"
)

const kindSigningKey = "signing-key"

const selectKey = `SELECT id, instance, algorithm, created, signs_from, secret FROM signing_keys`

func (k *Keyring) scanKey(s store.Scanner) (*signingKey, error) {
	x := &signingKey{}
	var (
		algorithm          string
		created, signsFrom int64
		sealed             []byte
	)
	if err := s.Scan(&x.id, &x.instance, &algorithm, &created, &signsFrom, &sealed); err != nil {
		return nil, err
	}
	x.algorithm, x.created, x.signsFrom = jose.SignatureAlgorithm(algorithm), store.Time(created), store.Time(signsFrom)
	secret, err := k.db.Unseal("signing-key/"+x.id, sealed)
	if err == nil {
		err = x.decode(secret)
	}
	if err != nil {
		return nil, fmt.Errorf("open signing key %s: %w", x.id, err)
	}
	return x, nil
}

func (k *Keyring) readKey(ctx context.Context, q store.Querier, id string) (*signingKey, error) {
	return store.One(ctx, q, k.scanKey, selectKey+` WHERE id = ?`, id)
}

func (k *Keyring) eachKey(ctx context.Context, q store.Querier, do func(string, *signingKey) error) error {
	return store.Each(ctx, q, k.scanKey, func(x *signingKey) error { return do(x.id, x) }, selectKey)
}

func (k *Keyring) insert(ctx context.Context, tx *store.Tx, x *signingKey) error {
	secret, err := x.encode()
	if err != nil {
		return fmt.Errorf("encode signing key: %w", err)
	}
	tx.Changed(kindSigningKey, x.id)
	_, err = tx.Exec(ctx, `INSERT INTO signing_keys (id, instance, algorithm, created, signs_from, secret) VALUES (?, ?, ?, ?, ?, ?)`,
		x.id, x.instance, string(x.algorithm), store.Millis(x.created), store.Millis(x.signsFrom), k.db.Seal("signing-key/"+x.id, secret))
	return err
}

func deleteKey(ctx context.Context, tx *store.Tx, id string) error {
	tx.Changed(kindSigningKey, id)
	_, err := tx.Exec(ctx, `DELETE FROM signing_keys WHERE id = ?`, id)
	return err
}

// errReplayed says that an assertion was exchanged before.
var errReplayed = errors.New("the token was exchanged before")

// useToken marks an assertion as exchanged. Of those who try at once exactly one succeeds: the others get errReplayed.
func useToken(ctx context.Context, tx *store.Tx, id []byte, expires time.Time) error {
	_, err := tx.Exec(ctx, `INSERT INTO used_tokens (id, expires) VALUES (?, ?)`, id, store.Millis(expires))
	if errors.Is(err, store.ErrConflict) {
		return errReplayed
	}
	return err
}

// tokenUsed reports whether an assertion was exchanged, and is remembered still.
func tokenUsed(ctx context.Context, q store.Querier, id []byte) (bool, error) {
	n, err := store.One(ctx, q, store.Int, `SELECT COUNT(*) FROM used_tokens WHERE id = ?`, id)
	return n > 0, err
}
