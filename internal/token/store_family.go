package token

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lakegate/lakegate/internal/store"
)

// kindEnded is the kind of change of a family that ended, or of which nothing is left to refuse.
const kindEnded = "token-family-ended"

const selectFamily = `SELECT id, parent, client, application, instance, user_id, grant_type, issuer, scopes, signed_in, expires, ended FROM token_families`

func scanFamily(s store.Scanner) (*family, error) {
	f := &family{}
	var (
		scopes                   string
		signedIn, expires, ended int64
	)
	err := s.Scan(&f.id, &f.parent, &f.client, &f.application, &f.instance, &f.user, &f.grantType, &f.issuer, &scopes, &signedIn, &expires, &ended)
	f.scopes, f.signedIn, f.expires, f.ended = strings.Fields(scopes), store.Time(signedIn), store.Time(expires), store.Time(ended)
	return f, err
}

func readFamily(ctx context.Context, q store.Querier, id string) (*family, error) {
	return store.One(ctx, q, scanFamily, selectFamily+` WHERE id = ?`, id)
}

// insertFamily begins a family. One whose parent ended meanwhile, or that was ended before it began, is ErrEnded.
func insertFamily(ctx context.Context, tx *store.Tx, f *family) error {
	if f.parent != "" {
		p, err := readFamily(ctx, tx, f.parent)
		if errors.Is(err, store.ErrNotFound) || err == nil && !p.ended.IsZero() {
			return ErrEnded
		}
		if err != nil {
			return err
		}
	}
	// Read first: a statement that a constraint refuses spoils the transaction on PostgreSQL.
	switch _, err := readFamily(ctx, tx, f.id); {
	case err == nil:
		return ErrEnded
	case !errors.Is(err, store.ErrNotFound):
		return err
	}
	return writeFamily(ctx, tx, f)
}

// storeFamily begins a family, with its first refresh token when there is one.
func storeFamily(ctx context.Context, tx *store.Tx, f *family, refresh []byte) error {
	if err := insertFamily(ctx, tx, f); err != nil || refresh == nil {
		return err
	}
	return insertRefresh(ctx, tx, refresh, f.id)
}

func writeFamily(ctx context.Context, tx *store.Tx, f *family) error {
	_, err := tx.Exec(ctx, `INSERT INTO token_families (id, parent, client, application, instance, user_id, grant_type, issuer, scopes, signed_in, expires, ended)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		f.id, f.parent, f.client, f.application, f.instance, f.user, f.grantType, f.issuer, strings.Join(f.scopes, " "),
		store.Millis(f.signedIn), store.Millis(f.expires), store.Millis(f.ended))
	return err
}

// endFamily ends a family and those that were made from its access tokens. One that ended before stays as it is; one that
// is not there is store.ErrNotFound.
func endFamily(ctx context.Context, tx *store.Tx, id string, now time.Time) error {
	if _, err := readFamily(ctx, tx, id); err != nil {
		return err
	}
	ids, err := store.All(ctx, tx, store.Text, `WITH RECURSIVE below (id) AS (
		SELECT id FROM token_families WHERE id = ? UNION SELECT f.id FROM token_families f JOIN below b ON f.parent = b.id) SELECT id FROM below`, id)
	if err != nil {
		return err
	}
	for _, id := range ids {
		n, err := tx.Exec(ctx, `UPDATE token_families SET ended = ? WHERE id = ? AND ended = 0`, store.Millis(now), id)
		if err != nil {
			return err
		}
		if n > 0 {
			tx.Changed(kindEnded, id)
		}
	}
	return nil
}

// readEnded and eachEnded are the mirror of the families that ended: their ids.
func readEnded(ctx context.Context, q store.Querier, id string) (struct{}, error) {
	_, err := store.One(ctx, q, store.Text, `SELECT id FROM token_families WHERE id = ? AND ended > 0`, id)
	return struct{}{}, err
}

func eachEnded(ctx context.Context, q store.Querier, do func(string, struct{}) error) error {
	return store.Each(ctx, q, store.Text, func(id string) error { return do(id, struct{}{}) }, `SELECT id FROM token_families WHERE ended > 0`)
}

// sweepFamilies forgets families that have expired. One that was ended is remembered for as long as a session that was
// made from it can last, and no longer: a family that is not there is refused as well.
func sweepFamilies(ctx context.Context, tx *store.Tx, now time.Time) error {
	old := []any{store.Millis(now), store.Millis(now.Add(-endedTime))}
	const which = ` WHERE (ended = 0 AND expires < ?) OR (ended > 0 AND ended < ?)`
	ended, err := store.All(ctx, tx, store.Text, `SELECT id FROM token_families WHERE ended > 0 AND ended < ?`, old[1])
	if err != nil {
		return err
	}
	for _, id := range ended {
		tx.Changed(kindEnded, id)
	}
	for _, statement := range []string{
		`DELETE FROM token_refreshes WHERE family IN (SELECT id FROM token_families` + which + `)`,
		`DELETE FROM token_families` + which,
	} {
		if _, err := tx.Exec(ctx, statement, old...); err != nil {
			return err
		}
	}
	return nil
}

// refreshToken is a row of token_refreshes with its family.
type refreshToken struct {
	hash   []byte
	used   time.Time
	family *family
}

func readRefresh(ctx context.Context, q store.Querier, hash []byte) (refreshToken, error) {
	type row struct {
		family string
		used   int64
	}
	x, err := store.One(ctx, q, func(s store.Scanner) (x row, err error) { return x, s.Scan(&x.family, &x.used) },
		`SELECT family, used FROM token_refreshes WHERE hash = ?`, hash)
	if err != nil {
		return refreshToken{}, err
	}
	f, err := readFamily(ctx, q, x.family)
	return refreshToken{hash: hash, used: store.Time(x.used), family: f}, err
}

func insertRefresh(ctx context.Context, tx *store.Tx, hash []byte, family string) error {
	_, err := tx.Exec(ctx, `INSERT INTO token_refreshes (hash, family, used) VALUES (?, ?, 0)`, hash, family)
	return err
}

// spendRefresh marks a refresh token as used and reports whether it was still to be used, in a family that goes on.
func spendRefresh(ctx context.Context, tx *store.Tx, hash []byte, now time.Time) (bool, error) {
	n, err := tx.Exec(ctx, `UPDATE token_refreshes SET used = ? WHERE hash = ? AND used = 0
		AND EXISTS (SELECT 1 FROM token_families f WHERE f.id = token_refreshes.family AND f.ended = 0)`, store.Millis(now), hash)
	return n == 1, err
}

// codeRow is a row of token_codes.
type codeRow struct {
	hash              []byte
	family, challenge string
	client, redirect  string
	instance, user    string
	scopes            []string
	signedIn, expires time.Time
	used              time.Time
}

func readCode(ctx context.Context, q store.Querier, hash []byte) (codeRow, error) {
	return store.One(ctx, q, func(s store.Scanner) (codeRow, error) {
		c := codeRow{hash: hash}
		var (
			scopes                  string
			signedIn, expires, used int64
		)
		err := s.Scan(&c.family, &c.client, &c.redirect, &c.challenge, &c.instance, &c.user, &scopes, &signedIn, &expires, &used)
		c.scopes, c.signedIn, c.expires, c.used = strings.Fields(scopes), store.Time(signedIn), store.Time(expires), store.Time(used)
		return c, err
	}, `SELECT family, client, redirect_uri, challenge, instance, user_id, scopes, signed_in, expires, used FROM token_codes WHERE hash = ?`, hash)
}

func insertCode(ctx context.Context, tx *store.Tx, c codeRow) error {
	_, err := tx.Exec(ctx, `INSERT INTO token_codes (hash, family, client, redirect_uri, challenge, instance, user_id, scopes, signed_in, expires, used)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)`,
		c.hash, c.family, c.client, c.redirect, c.challenge, c.instance, c.user, strings.Join(c.scopes, " "), store.Millis(c.signedIn), store.Millis(c.expires))
	return err
}

// spendCode marks a code as used. Of those who try at once exactly one is told that it was the first.
func spendCode(ctx context.Context, tx *store.Tx, hash []byte, now time.Time) (first bool, err error) {
	n, err := tx.Exec(ctx, `UPDATE token_codes SET used = ? WHERE hash = ? AND used = 0`, store.Millis(now), hash)
	return n == 1, err
}

// sweep forgets what expiry refuses anyway. Nodes whose clocks differ share the database, so that what one of them would
// forget another may still accept: each row is kept for the most that clocks may differ.
func sweep(ctx context.Context, tx *store.Tx, now time.Time) error {
	now = now.Add(-nodeSkew)
	for _, x := range []struct {
		table  string
		before time.Time
	}{{"used_tokens", now}, {"token_codes", now.Add(-endedTime)}} {
		if _, err := tx.Exec(ctx, `DELETE FROM `+x.table+` WHERE expires < ?`, store.Millis(x.before)); err != nil {
			return fmt.Errorf("sweep %s: %w", x.table, err)
		}
	}
	return sweepFamilies(ctx, tx, now)
}
