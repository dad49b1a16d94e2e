package directory

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/lakegate/lakegate/internal/store"
)

// Token is what is kept of the bearer token of a provisioning client. The token itself is shown once and never kept.
type Token struct {
	ID, StoreID, Description string
	Created, Expires, Used   time.Time
}

// tokenEntry is what the index holds of a token.
type tokenEntry struct {
	storeID string
	hash    [sha256.Size]byte
	expires time.Time
}

// Rules of SCIM tokens, those of AWS: two at a time, so that one can be replaced while the other is in use.
const (
	liveTokens    = 2
	tokenPrefix   = "lgscim_"
	tokenLifetime = 365 * 24 * time.Hour
	// useInterval is how long a use is not written down again.
	useInterval = time.Minute
)

// CreateToken makes a token and returns its text, which nobody can read again. A third token of a store retires the
// oldest. A zero lifetime is a year.
func (d *Directory) CreateToken(ctx context.Context, storeID, description string, lifetime time.Duration) (t Token, secret, retired string, err error) {
	if lifetime == 0 {
		lifetime = tokenLifetime
	}
	now := d.db.Now()
	t = Token{ID: uuid.NewString(), StoreID: storeID, Description: description, Created: now, Expires: now.Add(lifetime)}
	secret = newSecret(t.ID)
	err = d.db.Update(ctx, func(tx *store.Tx) error {
		if err := inStore(ctx, tx, storeID); err != nil {
			return err
		}
		retired = ""
		have, err := listTokens(ctx, tx, storeID)
		if err != nil {
			return err
		}
		live := 0
		for _, old := range have { // the newest first
			if now.Before(old.Expires) {
				if live++; live < liveTokens {
					continue
				}
				retired = old.ID
			}
			if err := deleteToken(ctx, tx, storeID, old.ID); err != nil {
				return err
			}
		}
		return insertToken(ctx, tx, &t, sha256.Sum256([]byte(secret)))
	})
	if err != nil {
		return Token{}, "", "", err
	}
	return t, secret, retired, nil
}

func newSecret(id string) string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	return tokenPrefix + id + "_" + base64.RawURLEncoding.EncodeToString(b[:])
}

// Tokens lists the tokens of a store, the newest first.
func (d *Directory) Tokens(ctx context.Context, storeID string) (all []Token, err error) {
	err = d.db.View(ctx, func(q store.Querier) error {
		all, err = listTokens(ctx, q, storeID)
		return err
	})
	return all, err
}

// TokenStore finds the identity store that a token is for.
func (d *Directory) TokenStore(id string) (storeID string, ok bool) {
	t, ok := d.tokens.Get(id)
	return t.storeID, ok
}

// DeleteToken ends a token at once.
func (d *Directory) DeleteToken(ctx context.Context, storeID, id string) error {
	err := d.db.Update(ctx, func(tx *store.Tx) error { return deleteToken(ctx, tx, storeID, id) })
	return missing(err, ResourceToken, id)
}

// ErrToken is wrapped by the reason why a bearer token is refused. The reason is for the log: who presents a token learns
// only that it is not good.
var ErrToken = errors.New("the bearer token is not good")

// Provisioner checks the bearer token of a provisioning client and returns the token's id. Whether the token is unknown,
// for another store or expired, the same work is done.
func (d *Directory) Provisioner(ctx context.Context, storeID, bearer string) (tokenID string, err error) {
	id := idOf(bearer)
	t, known := d.tokens.Get(id)
	given, asked, owned := sha256.Sum256([]byte(bearer)), sha256.Sum256([]byte(storeID)), sha256.Sum256([]byte(t.storeID))
	secretOK := subtle.ConstantTimeCompare(given[:], t.hash[:]) == 1
	storeOK := subtle.ConstantTimeCompare(asked[:], owned[:]) == 1
	now := d.db.Now()
	fresh := now.Before(t.expires)
	switch {
	case !known:
		return "", refuse("there is no such token")
	case !secretOK:
		return "", refuse("the secret of token " + id + " differs")
	case !storeOK:
		return "", refuse("token " + id + " is for another identity store")
	case !fresh:
		return "", refuse("token " + id + " has expired")
	}
	return id, d.noteUse(ctx, storeID, id, now)
}

func refuse(why string) error { return &tokenError{why} }

type tokenError struct{ why string }

func (e *tokenError) Error() string { return e.why }
func (e *tokenError) Unwrap() error { return ErrToken }

// idOf cuts the id, a UUID of 36 characters, out of a token's text.
func idOf(bearer string) string {
	rest, ok := strings.CutPrefix(bearer, tokenPrefix)
	if !ok || len(rest) < 37 || rest[36] != '_' {
		return ""
	}
	return rest[:36]
}

// noteUse writes down that a token was used, once a minute at most. It is no change that anybody follows.
func (d *Directory) noteUse(ctx context.Context, storeID, id string, now time.Time) error {
	d.used.Lock()
	recent := now.Sub(d.used.at[id]) < useInterval
	if !recent {
		d.used.at[id] = now
	}
	d.used.Unlock()
	if recent {
		return nil
	}
	return d.db.Update(ctx, func(tx *store.Tx) error { return useToken(ctx, tx, storeID, id, now) })
}
