package devidp

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// keyBits is the size of the signing keys. RS256 is what every client understands, AWS and Entra included.
const keyBits = 2048

// keyRing holds the signing keys. Two are published at all times: the one that signs and a standby, which verifiers have
// seen by the time it starts to sign. After a rotation the former key stays published until its last token has expired.
type keyRing struct {
	state stateDir
	now   func() time.Time
	life  time.Duration // of a token

	mu   sync.RWMutex
	data keyData
}

// keyData is the content of keys.json.
type keyData struct {
	Signing  jose.JSONWebKey `json:"signing"`
	Standby  jose.JSONWebKey `json:"standby"`
	Retired  []retiredKey    `json:"retired,omitempty"`
	Pairwise []byte          `json:"pairwise"`
}

// retiredKey verifies and no longer signs: only its public half is kept.
type retiredKey struct {
	Key   jose.JSONWebKey `json:"key"`
	Until time.Time       `json:"until"`
}

func openKeys(state stateDir, now func() time.Time, life time.Duration) (*keyRing, error) {
	r := &keyRing{state: state, now: now, life: life}
	found, err := state.readJSON(keysFile, &r.data)
	if err != nil {
		return nil, err
	}
	if found {
		if err := r.data.check(); err != nil {
			return nil, fmt.Errorf("read %s: %w", keysFile, err)
		}
		return r, nil
	}
	if r.data.Signing, err = newKey(); err != nil {
		return nil, err
	}
	if r.data.Standby, err = newKey(); err != nil {
		return nil, err
	}
	r.data.Pairwise = make([]byte, 32)
	rand.Read(r.data.Pairwise)
	return r, state.writeJSON(keysFile, r.data)
}

func (d *keyData) check() error {
	for _, k := range []jose.JSONWebKey{d.Signing, d.Standby} {
		if _, ok := k.Key.(*rsa.PrivateKey); !ok || !k.Valid() || k.KeyID == "" {
			return errors.New("not a pair of RSA signing keys (remedy: remove the file to have new ones made)")
		}
	}
	if len(d.Pairwise) < 32 {
		return errors.New("no key for pairwise subjects (remedy: remove the file to have a new one made)")
	}
	return nil
}

func newKey() (jose.JSONWebKey, error) {
	private, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return jose.JSONWebKey{}, fmt.Errorf("generate signing key: %w", err)
	}
	k := jose.JSONWebKey{Key: private, Algorithm: string(jose.RS256), Use: "sig"}
	thumb, err := k.Thumbprint(crypto.SHA256)
	if err != nil {
		return jose.JSONWebKey{}, fmt.Errorf("name signing key: %w", err)
	}
	k.KeyID = base64.RawURLEncoding.EncodeToString(thumb)
	return k, nil
}

// rotate promotes the standby key and returns its id.
func (r *keyRing) rotate() (string, error) {
	fresh, err := newKey() // slow, so before the lock
	if err != nil {
		return "", err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	next := keyData{Signing: r.data.Standby, Standby: fresh, Pairwise: r.data.Pairwise}
	next.Retired = append(r.stillTrusted(), retiredKey{r.data.Signing.Public(), r.now().Add(r.life)})
	if err := r.state.writeJSON(keysFile, next); err != nil {
		return "", err
	}
	r.data = next
	return next.Signing.KeyID, nil
}

func (r *keyRing) stillTrusted() []retiredKey {
	var keep []retiredKey
	for _, k := range r.data.Retired {
		if r.now().Before(k.Until) {
			keep = append(keep, k)
		}
	}
	return keep
}

// published returns the public keys that verify today's tokens.
func (r *keyRing) published() jose.JSONWebKeySet {
	r.mu.RLock()
	defer r.mu.RUnlock()
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{r.data.Signing.Public(), r.data.Standby.Public()}}
	for _, k := range r.stillTrusted() {
		set.Keys = append(set.Keys, k.Key)
	}
	return set
}

// sign returns the claims as a compact JWT.
func (r *keyRing) sign(claims map[string]any) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("encode claims: %w", err)
	}
	r.mu.RLock()
	key := r.data.Signing
	r.mu.RUnlock()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: key}, new(jose.SignerOptions).WithType("JWT"))
	if err != nil {
		return "", fmt.Errorf("open signing key: %w", err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return jws.CompactSerialize()
}

// verify returns the claims of a token that this provider signed. It says nothing about their times.
func (r *keyRing) verify(token string) (map[string]any, error) {
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		return nil, fmt.Errorf("parse token: %w", err)
	}
	set := r.published()
	for _, k := range set.Key(jws.Signatures[0].Header.KeyID) {
		payload, err := jws.Verify(k)
		if err != nil {
			continue
		}
		var claims map[string]any
		if err := json.Unmarshal(payload, &claims); err != nil {
			return nil, fmt.Errorf("parse claims: %w", err)
		}
		return claims, nil
	}
	return nil, errors.New("verify token: no published key signed it")
}

// subject returns the sub of a person for one client. Two clients that compare notes cannot tell that theirs is the same
// person, as with Entra; oid is what is the same everywhere.
func (r *keyRing) subject(oid, client string) string {
	r.mu.RLock()
	key := r.data.Pairwise
	r.mu.RUnlock()
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(client + "\x00" + oid))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}
