package signin

import (
	"context"
	"strings"
	"time"

	"github.com/lakegate/lakegate/internal/store"
)

const kindProvider = "sign-in-provider"

const selectProvider = `SELECT instance, issuer, client_id, secret, scopes, claim, attribute, session_seconds, updated FROM sign_in_providers`

func scanProvider(s store.Scanner) (p Provider, err error) {
	var (
		scopes           string
		seconds, updated int64
	)
	err = s.Scan(&p.Instance, &p.Issuer, &p.ClientID, &p.sealed, &scopes, &p.Claim, &p.Attribute, &seconds, &updated)
	if len(p.sealed) == 0 {
		p.sealed = nil
	}
	p.Scopes, p.SessionTime, p.Updated = strings.Fields(scopes), time.Duration(seconds)*time.Second, store.Time(updated)
	return p, err
}

func readProvider(ctx context.Context, q store.Querier, instance string) (Provider, error) {
	return store.One(ctx, q, scanProvider, selectProvider+` WHERE instance = ?`, instance)
}

func eachProvider(ctx context.Context, q store.Querier, do func(string, Provider) error) error {
	return store.Each(ctx, q, scanProvider, func(p Provider) error { return do(p.Instance, p) }, selectProvider)
}

func putProvider(ctx context.Context, tx *store.Tx, p *Provider) error {
	tx.Changed(kindProvider, p.Instance)
	sealed := p.sealed
	if sealed == nil {
		sealed = []byte{}
	}
	_, err := tx.Exec(ctx, `INSERT INTO sign_in_providers (instance, issuer, client_id, secret, scopes, claim, attribute, session_seconds, updated) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (instance) DO UPDATE SET issuer = excluded.issuer, client_id = excluded.client_id, secret = excluded.secret, scopes = excluded.scopes,
		claim = excluded.claim, attribute = excluded.attribute, session_seconds = excluded.session_seconds, updated = excluded.updated`,
		p.Instance, p.Issuer, p.ClientID, sealed, strings.Join(p.Scopes, " "), p.Claim, p.Attribute, int64(p.SessionTime/time.Second), store.Millis(p.Updated))
	return err
}

func deleteProvider(ctx context.Context, tx *store.Tx, instance string) error {
	tx.Changed(kindProvider, instance)
	return tx.MustExec(ctx, `DELETE FROM sign_in_providers WHERE instance = ?`, instance)
}

// sessionRow is a browser in which somebody is signed in.
type sessionRow struct {
	instance, user    string
	signedIn, expires time.Time
}

func insertSession(ctx context.Context, tx *store.Tx, hash []byte, r sessionRow) error {
	_, err := tx.Exec(ctx, `INSERT INTO browser_sessions (hash, instance, user_id, signed_in, expires) VALUES (?, ?, ?, ?, ?)`,
		hash, r.instance, r.user, store.Millis(r.signedIn), store.Millis(r.expires))
	return err
}

func readSession(ctx context.Context, q store.Querier, hash []byte) (sessionRow, error) {
	return store.One(ctx, q, func(s store.Scanner) (r sessionRow, err error) {
		var signedIn, expires int64
		err = s.Scan(&r.instance, &r.user, &signedIn, &expires)
		r.signedIn, r.expires = store.Time(signedIn), store.Time(expires)
		return r, err
	}, `SELECT instance, user_id, signed_in, expires FROM browser_sessions WHERE hash = ?`, hash)
}

func deleteSession(ctx context.Context, tx *store.Tx, hash []byte) error {
	_, err := tx.Exec(ctx, `DELETE FROM browser_sessions WHERE hash = ?`, hash)
	return err
}

func endSessions(ctx context.Context, tx *store.Tx, instance string) error {
	_, err := tx.Exec(ctx, `DELETE FROM browser_sessions WHERE instance = ?`, instance)
	return err
}

// sweep forgets what expiry refuses anyway.
func sweep(ctx context.Context, tx *store.Tx, now time.Time) error {
	if _, err := tx.Exec(ctx, `DELETE FROM browser_sessions WHERE expires < ?`, store.Millis(now)); err != nil {
		return err
	}
	return sweepDevices(ctx, tx, now)
}
