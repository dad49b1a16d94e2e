package session

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lakegate/lakegate/internal/store"
)

// How long a key seals, and how long it opens. The second covers the longest session (36 hours) sealed at the last moment.
const (
	sealingTime = 24 * time.Hour
	openingTime = sealingTime + 48*time.Hour
)

const (
	tokenVersion = 1
	keyIDSize    = 4
	kindKey      = "session-key"
)

// errUnopened says that a token was not sealed here, was altered, or its key is gone.
var errUnopened = errors.New("the token was not issued here, or was altered")

// Ring is the set of keys that seal tokens.
type Ring struct {
	db   *store.DB
	keys *store.Mirror[*ringKey]
	now  func() time.Time
}

type ringKey struct {
	id      string
	created time.Time
	aead    cipher.AEAD
	mac     []byte
}

// OpenRing loads the ring and makes its first key.
func OpenRing(ctx context.Context, db *store.DB) (*Ring, error) {
	r := &Ring{db: db, now: db.Now}
	r.keys = &store.Mirror[*ringKey]{Kind: kindKey, One: r.loadOne, Every: r.loadAll}
	if err := db.Follow(ctx, r.keys); err != nil {
		return nil, fmt.Errorf("open key ring: %w", err)
	}
	return r, r.Tend(ctx)
}

// Tend makes a new key when the newest one has sealed long enough, and removes keys that nothing valid was sealed with.
// It is called at the start and from time to time.
func (r *Ring) Tend(ctx context.Context) error {
	now := r.now()
	newest := r.newest()
	fresh := newest == nil || now.Sub(newest.created) >= sealingTime
	var stale []string
	for id, k := range r.keys.Each() {
		if now.Sub(k.created) >= openingTime {
			stale = append(stale, id)
		}
	}
	if !fresh && len(stale) == 0 {
		return nil
	}
	err := r.db.Update(ctx, func(tx *store.Tx) error {
		for _, id := range stale {
			tx.Changed(kindKey, id)
			if _, err := tx.Exec(ctx, `DELETE FROM session_keys WHERE id = ?`, id); err != nil {
				return err
			}
		}
		if !fresh {
			return nil
		}
		return r.insert(ctx, tx)
	})
	if err != nil {
		return fmt.Errorf("tend key ring: %w", err)
	}
	return nil
}

// Rotate makes a new sealing key now. Tokens sealed before still open.
func (r *Ring) Rotate(ctx context.Context) error {
	return r.db.Update(ctx, func(tx *store.Tx) error { return r.insert(ctx, tx) })
}

func (r *Ring) insert(ctx context.Context, tx *store.Tx) error {
	secret := make([]byte, 32)
	id := make([]byte, keyIDSize)
	_, _ = rand.Read(secret)
	_, _ = rand.Read(id)
	name := hex.EncodeToString(id)
	tx.Changed(kindKey, name)
	_, err := tx.Exec(ctx, `INSERT INTO session_keys (id, created, secret) VALUES (?, ?, ?)`,
		name, store.Millis(r.now()), r.db.Seal("session-key/"+name, secret))
	return err
}

func (r *Ring) newest() *ringKey {
	var newest *ringKey
	r.keys.Read(func(rows map[string]*ringKey) {
		for _, k := range rows {
			if newest == nil || k.created.After(newest.created) || (k.created.Equal(newest.created) && k.id > newest.id) {
				newest = k
			}
		}
	})
	return newest
}

const selectKeys = `SELECT id, created, secret FROM session_keys`

func (r *Ring) loadOne(ctx context.Context, q store.Querier, id string) (*ringKey, error) {
	return store.One(ctx, q, r.scan, selectKeys+` WHERE id = ?`, id)
}

func (r *Ring) loadAll(ctx context.Context, q store.Querier, do func(string, *ringKey) error) error {
	return store.Each(ctx, q, r.scan, func(k *ringKey) error { return do(k.id, k) }, selectKeys)
}

func (r *Ring) scan(s store.Scanner) (*ringKey, error) {
	var (
		id      string
		created int64
		sealed  []byte
	)
	if err := s.Scan(&id, &created, &sealed); err != nil {
		return nil, err
	}
	secret, err := r.db.Unseal("session-key/"+id, sealed)
	if err != nil {
		return nil, fmt.Errorf("open session key %s: %w", id, err)
	}
	sealing, err := hkdf.Key(sha256.New, secret, nil, "lakegate session token", 32)
	if err != nil {
		return nil, err
	}
	mac, err := hkdf.Key(sha256.New, secret, nil, "lakegate secret access key", 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(sealing)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	return &ringKey{id: id, created: store.Time(created), aead: aead, mac: mac}, nil
}

// seal returns the token that holds the text, bound to a place: an access key id, or the use of a context.
func (r *Ring) seal(place string, text []byte) (token string, key *ringKey, err error) {
	key = r.newest()
	if key == nil {
		return "", nil, errors.New("the key ring is empty")
	}
	id, err := hex.DecodeString(key.id)
	if err != nil {
		return "", nil, err
	}
	out := append([]byte{tokenVersion}, id...)
	out = key.aead.Seal(out, nil, text, []byte(place))
	return base64.RawURLEncoding.EncodeToString(out), key, nil
}

// open is the inverse of seal.
func (r *Ring) open(place, token string) ([]byte, *ringKey, error) {
	// The decoder passes over line ends: a token has one spelling alone.
	if strings.ContainsAny(token, "\r\n") {
		return nil, nil, errUnopened
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) < 1+keyIDSize || raw[0] != tokenVersion {
		return nil, nil, errUnopened
	}
	key, ok := r.keys.Get(hex.EncodeToString(raw[1 : 1+keyIDSize]))
	if !ok {
		return nil, nil, errUnopened
	}
	text, err := key.aead.Open(nil, nil, raw[1+keyIDSize:], []byte(place))
	if err != nil {
		return nil, nil, errUnopened
	}
	return text, key, nil
}

// secretFor derives the secret access key that belongs to a token.
func (k *ringKey) secretFor(accessKeyID, token string) string {
	h := hmac.New(sha256.New, k.mac)
	h.Write([]byte(accessKeyID))
	h.Write([]byte{0})
	h.Write([]byte(token))
	return base64.RawStdEncoding.EncodeToString(h.Sum(nil))[:40]
}

const base32Digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"

// newAccessKeyID makes an id that tells its account.
func newAccessKeyID(account string) string {
	var n uint64
	for i := range len(account) {
		n = n*10 + uint64(account[i]-'0')
	}
	var random [5]byte
	_, _ = rand.Read(random[:])
	b := make([]byte, 0, 20)
	b = append(b, "ASIA"...)
	for shift := 35; shift >= 0; shift -= 5 {
		b = append(b, base32Digits[n>>shift&31])
	}
	var m uint64
	for _, c := range random {
		m = m<<8 | uint64(c)
	}
	for shift := 35; shift >= 0; shift -= 5 {
		b = append(b, base32Digits[m>>shift&31])
	}
	return string(b)
}

// accountOf reads the account from a temporary access key id.
func accountOf(accessKeyID string) (string, bool) {
	digits, ok := strings.CutPrefix(accessKeyID, "ASIA")
	if !ok || len(digits) != 16 {
		return "", false
	}
	var n uint64
	for i := range 8 {
		d := strings.IndexByte(base32Digits, digits[i])
		if d < 0 {
			return "", false
		}
		n = n<<5 | uint64(d)
	}
	if n > 999_999_999_999 {
		return "", false
	}
	return fmt.Sprintf("%012d", n), true
}
