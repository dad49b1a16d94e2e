package token

import (
	"context"
	"errors"
	"fmt"
	"strings"
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

// refreshToken is a row of refresh_tokens.
type refreshToken struct {
	hash                              []byte
	family, application, user, issuer string
	scopes                            []string
	signedIn, expires, used           time.Time
}

const selectRefresh = `SELECT hash, family, application, user_id, issuer, scopes, signed_in, expires, used FROM refresh_tokens`

func scanRefresh(s store.Scanner) (r refreshToken, err error) {
	var (
		scopes                  string
		signedIn, expires, used int64
	)
	err = s.Scan(&r.hash, &r.family, &r.application, &r.user, &r.issuer, &scopes, &signedIn, &expires, &used)
	r.scopes, r.signedIn, r.expires, r.used = strings.Fields(scopes), store.Time(signedIn), store.Time(expires), store.Time(used)
	return r, err
}

func readRefresh(ctx context.Context, q store.Querier, hash []byte) (refreshToken, error) {
	return store.One(ctx, q, scanRefresh, selectRefresh+` WHERE hash = ?`, hash)
}

func insertRefresh(ctx context.Context, tx *store.Tx, r refreshToken) error {
	_, err := tx.Exec(ctx, `INSERT INTO refresh_tokens (hash, family, application, user_id, issuer, scopes, signed_in, expires, used) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0)`,
		r.hash, r.family, r.application, r.user, r.issuer, strings.Join(r.scopes, " "), store.Millis(r.signedIn), store.Millis(r.expires))
	return err
}

// spendRefresh marks a refresh token as used and reports whether it was still to be used.
func spendRefresh(ctx context.Context, tx *store.Tx, hash []byte, now time.Time) (bool, error) {
	n, err := tx.Exec(ctx, `UPDATE refresh_tokens SET used = ? WHERE hash = ? AND used = 0`, store.Millis(now), hash)
	return n == 1, err
}

func endFamily(ctx context.Context, tx *store.Tx, family string) error {
	_, err := tx.Exec(ctx, `DELETE FROM refresh_tokens WHERE family = ?`, family)
	return err
}

// sweep forgets what expiry refuses anyway.
func sweep(ctx context.Context, tx *store.Tx, now time.Time) error {
	for _, table := range []string{"used_tokens", "refresh_tokens"} {
		if _, err := tx.Exec(ctx, `DELETE FROM `+table+` WHERE expires < ?`, store.Millis(now)); err != nil {
			return err
		}
	}
	return nil
}
