package token

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/lakegate/lakegate/internal/issuer"
	"github.com/lakegate/lakegate/internal/store"
)

// How keys come and go.
const (
	// keyTime is how long a key signs, unless the server says otherwise.
	keyTime = 90 * 24 * time.Hour
	// announceTime is how long a key is published before it signs, so that whoever keeps the key set for as long as its
	// Cache-Control says has seen it by then.
	announceTime = 24 * time.Hour
	// farewellTime is how long a key stays published after it signed for the last time: the life of a token, and ample
	// room for clocks that differ.
	farewellTime = tokenTime + 23*time.Hour
)

// Keyring holds the keys that sign the identity tokens of each instance. A younger key takes over while the older one is
// still published, so that a rotation breaks no verifier.
type Keyring struct {
	// Rotation is how long a key signs before its successor does; zero means 90 days. It is at least two days, so that
	// there is time to announce the successor. It is set before the first use.
	Rotation time.Duration

	db        *store.DB
	algorithm jose.SignatureAlgorithm
	keys      store.Mirror[*signingKey]
	// byInstance is kept by the mirror, oldest first.
	byInstance map[string][]*signingKey
}

type signingKey struct {
	id, instance string
	algorithm    jose.SignatureAlgorithm
	created      time.Time
	signsFrom    time.Time
	private      crypto.Signer
	signer       jose.Signer
}

// OpenKeyring loads the keys. algorithm is ES256 or RS256.
func OpenKeyring(ctx context.Context, db *store.DB, algorithm string) (*Keyring, error) {
	k := &Keyring{db: db, algorithm: jose.SignatureAlgorithm(algorithm)}
	if k.algorithm != jose.ES256 && k.algorithm != jose.RS256 {
		return nil, fmt.Errorf("open signing keys: algorithm %q: want ES256 or RS256", algorithm)
	}
	k.keys.Kind, k.keys.One, k.keys.Every = kindSigningKey, k.readKey, k.eachKey
	k.keys.Reset = func() { k.byInstance = map[string][]*signingKey{} }
	k.keys.Changed = func(_ string, before, after **signingKey) {
		if before != nil {
			old := *before
			k.byInstance[old.instance] = slices.DeleteFunc(slices.Clone(k.byInstance[old.instance]), func(x *signingKey) bool { return x.id == old.id })
		}
		if after != nil {
			list := append(slices.Clone(k.byInstance[(*after).instance]), *after)
			slices.SortFunc(list, func(a, b *signingKey) int {
				if c := a.signsFrom.Compare(b.signsFrom); c != 0 {
					return c
				}
				return strings.Compare(a.id, b.id)
			})
			k.byInstance[(*after).instance] = list
		}
	}
	if err := db.Follow(ctx, &k.keys); err != nil {
		return nil, fmt.Errorf("open signing keys: %w", err)
	}
	return k, nil
}

// of returns the keys of an instance, in the order in which they sign.
func (k *Keyring) of(instance string) (list []*signingKey) {
	k.keys.Read(func(map[string]*signingKey) { list = k.byInstance[instance] })
	return list
}

// current is the key that signs now: the youngest of those that may, and are for the algorithm.
func (k *Keyring) current(instance string) *signingKey {
	now := k.db.Now()
	for _, x := range slices.Backward(k.of(instance)) {
		if x.algorithm == k.algorithm && !x.signsFrom.After(now) {
			return x
		}
	}
	return nil
}

// sign makes a compact JWS of the claims under the key of an instance, which gets its first key when it has none.
func (k *Keyring) sign(ctx context.Context, instance string, claims map[string]any) (string, error) {
	key := k.current(instance)
	if key == nil {
		var err error
		if key, err = k.first(ctx, instance); err != nil {
			return "", err
		}
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("encode claims: %w", err)
	}
	jws, err := key.signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return jws.CompactSerialize()
}

// first makes the key that an instance begins with. Somebody else may be as quick: then theirs is taken.
func (k *Keyring) first(ctx context.Context, instance string) (*signingKey, error) {
	fresh, err := k.newKey(instance, k.db.Now())
	if err != nil {
		return nil, err
	}
	err = k.db.Update(ctx, func(tx *store.Tx) error {
		if x := k.current(instance); x != nil {
			fresh = x
			return nil
		}
		return k.insert(ctx, tx, fresh)
	})
	if err != nil {
		return nil, fmt.Errorf("create signing key: %w", err)
	}
	return fresh, nil
}

// Rotate makes a new key that signs from now on, and returns its id. The former keys stay published until their last token
// has expired; withdrawn, they go at once, and their tokens with them as soon as verifiers read the key set anew. Verifiers
// that kept the key set meet a key id that they do not know and read it anew.
func (k *Keyring) Rotate(ctx context.Context, instance string, withdraw bool) (id string, err error) {
	fresh, err := k.newKey(instance, k.db.Now())
	if err != nil {
		return "", err
	}
	err = k.db.Update(ctx, func(tx *store.Tx) error {
		if withdraw {
			for _, x := range k.of(instance) {
				if err := deleteKey(ctx, tx, x.id); err != nil {
					return err
				}
			}
		}
		return k.insert(ctx, tx, fresh)
	})
	if err != nil {
		return "", fmt.Errorf("rotate signing key: %w", err)
	}
	return fresh.id, nil
}

// rotation is how long a key signs.
func (k *Keyring) rotation() time.Duration {
	if k.Rotation == 0 {
		return keyTime
	}
	return max(k.Rotation, 2*announceTime)
}

// Tend announces the successor of each key that has signed long enough, and removes the keys that nothing valid was signed
// with, those of instances that no longer exist included. It is called from time to time.
func (k *Keyring) Tend(ctx context.Context, exists func(instance string) bool) error {
	now := k.db.Now()
	byInstance := map[string][]*signingKey{}
	k.keys.Read(func(map[string]*signingKey) {
		for i, list := range k.byInstance {
			byInstance[i] = list
		}
	})
	for instance, list := range byInstance {
		if len(list) == 0 {
			continue
		}
		gone := k.expired(list, now)
		var fresh *signingKey
		switch youngest := list[len(list)-1]; {
		case !exists(instance):
			gone = list
		case !now.Before(youngest.signsFrom.Add(k.rotation() - announceTime)):
			var err error
			if fresh, err = k.newKey(instance, now.Add(announceTime)); err != nil {
				return err
			}
		}
		if fresh == nil && len(gone) == 0 {
			continue
		}
		err := k.db.Update(ctx, func(tx *store.Tx) error {
			for _, x := range gone {
				if err := deleteKey(ctx, tx, x.id); err != nil {
					return err
				}
			}
			if fresh == nil {
				return nil
			}
			return k.insert(ctx, tx, fresh)
		})
		if err != nil {
			return fmt.Errorf("tend signing keys of %s: %w", instance, err)
		}
	}
	return nil
}

// expired are the keys whose successor has signed for longer than the last token of theirs is valid. The key that signs
// now is not one of them: after a change of the algorithm it may have a younger sibling.
func (k *Keyring) expired(list []*signingKey, now time.Time) (gone []*signingKey) {
	current := k.current(list[0].instance)
	for i, x := range list[:len(list)-1] {
		if x != current && !now.Before(list[i+1].signsFrom.Add(farewellTime)) {
			gone = append(gone, x)
		}
	}
	return gone
}

func (k *Keyring) newKey(instance string, signsFrom time.Time) (*signingKey, error) {
	id := make([]byte, 12)
	_, _ = rand.Read(id)
	x := &signingKey{id: hex.EncodeToString(id), instance: instance, algorithm: k.algorithm, created: k.db.Now(), signsFrom: signsFrom}
	var err error
	if k.algorithm == jose.RS256 {
		x.private, err = rsa.GenerateKey(rand.Reader, issuer.MinRSA)
	} else {
		x.private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		return nil, fmt.Errorf("create signing key: %w", err)
	}
	return x, x.prepare()
}

func (x *signingKey) prepare() (err error) {
	x.signer, err = jose.NewSigner(
		jose.SigningKey{Algorithm: x.algorithm, Key: jose.JSONWebKey{Key: x.private, KeyID: x.id}},
		(&jose.SignerOptions{}).WithType("JWT"))
	return err
}

// public is the key as the key set shows it.
func (x *signingKey) public() jose.JSONWebKey {
	return jose.JSONWebKey{Key: x.private.Public(), KeyID: x.id, Algorithm: string(x.algorithm), Use: "sig"}
}

func (x *signingKey) encode() ([]byte, error) { return x509.MarshalPKCS8PrivateKey(x.private) }

func (x *signingKey) decode(secret []byte) error {
	key, err := x509.ParsePKCS8PrivateKey(secret)
	if err != nil {
		return err
	}
	private, ok := key.(crypto.Signer)
	if !ok {
		return errors.New("not a signing key")
	}
	x.private = private
	return x.prepare()
}
