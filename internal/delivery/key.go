package delivery

import (
	"context"
	"crypto"
	"crypto/md5" //nolint:gosec // a fingerprint, as CloudTrail has it; nothing rests on it
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/lakegate/lakegate/internal/store"
)

// key signs digests. public is PKCS #1 in DER, which is what ListPublicKeys gives.
type key struct {
	fingerprint    string
	public, sealed []byte
	begins, ends   time.Time
}

const (
	keyBits = 2048
	keyLife = 90 * 24 * time.Hour
)

// place is where a private key is sealed for.
func (k *key) place() string { return "trail key " + k.fingerprint }

// newKey makes a key that signs from a time on.
func newKey(db *store.DB, from time.Time) (*key, error) {
	private, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return nil, fmt.Errorf("make a key for digests: %w", err)
	}
	k := &key{public: x509.MarshalPKCS1PublicKey(&private.PublicKey), begins: from, ends: from.Add(keyLife)}
	sum := md5.Sum(k.public) //nolint:gosec // as above
	k.fingerprint = hex.EncodeToString(sum[:])
	k.sealed = db.Seal(k.place(), x509.MarshalPKCS1PrivateKey(private))
	return k, nil
}

// sign is SHA256withRSA, in hexadecimal.
func (k *key) sign(db *store.DB, text []byte) (string, error) {
	der, err := db.Unseal(k.place(), k.sealed)
	if err != nil {
		return "", fmt.Errorf("open the key of digests: %w", err)
	}
	private, err := x509.ParsePKCS1PrivateKey(der)
	if err != nil {
		return "", fmt.Errorf("read the key of digests: %w", err)
	}
	sum := sha256.Sum256(text)
	signature, err := rsa.SignPKCS1v15(nil, private, crypto.SHA256, sum[:])
	if err != nil {
		return "", fmt.Errorf("sign digest: %w", err)
	}
	return hex.EncodeToString(signature), nil
}

// keyAt is the key that signs at a time. The first use makes it.
func (d *Deliverer) keyAt(ctx context.Context, now time.Time) (*key, error) {
	var k *key
	err := d.DB.View(ctx, func(q store.Querier) (err error) { k, err = signingKey(ctx, q, now); return err })
	if err == nil || !errors.Is(err, store.ErrNotFound) {
		return k, err
	}
	if k, err = newKey(d.DB, now); err != nil {
		return nil, err
	}
	return k, d.DB.Update(ctx, func(tx *store.Tx) error {
		if err := forgetKeys(ctx, tx, now); err != nil {
			return err
		}
		return k.put(ctx, tx)
	})
}
