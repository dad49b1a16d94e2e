package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"strings"
	"sync"
)

// signingKey is good for one secret, day, Region and service.
type signingKey [sha256.Size]byte

func deriveKey(secret string, c *Credential) signingKey {
	k := sign([]byte("AWS4"+secret), c.Date)
	k = sign(k[:], c.Region)
	k = sign(k[:], c.Service)
	return sign(k[:], c.terminator)
}

func sign(key []byte, text string) signingKey {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	var out signingKey
	h.Sum(out[:0])
	return out
}

// KeyCache keeps derived keys, which halves the cost of a signature. It is bounded and safe for concurrent use; the zero
// value is ready. A changed secret never meets the key of the old one, as the secret's digest is part of what a key is
// found by.
type KeyCache struct {
	// Max bounds the keys kept; zero takes a default of some thousands.
	Max int

	mu         sync.Mutex
	young, old map[cacheKey]signingKey
}

type cacheKey struct {
	id, date, region, service string
	secret                    [sha256.Size]byte
}

const defaultKeys = 8192

// key derives the key, or remembers it. A nil cache derives.
func (k *KeyCache) key(secret string, c *Credential) signingKey {
	if k == nil {
		return deriveKey(secret, c)
	}
	ck := cacheKey{id: c.AccessKeyID, date: c.Date, region: c.Region, service: c.Service, secret: sha256.Sum256([]byte(secret))}
	k.mu.Lock()
	key, ok := k.young[ck]
	if !ok {
		if key, ok = k.old[ck]; ok {
			k.keep(ck, key)
		}
	}
	k.mu.Unlock()
	if ok {
		return key
	}
	key = deriveKey(secret, c)
	// What was parsed from a request points into its headers, which are not to be kept alive.
	ck.id, ck.date, ck.region, ck.service = strings.Clone(ck.id), strings.Clone(ck.date), strings.Clone(ck.region), strings.Clone(ck.service)
	k.mu.Lock()
	k.keep(ck, key)
	k.mu.Unlock()
	return key
}

// keep adds a key to the young half. When that is full it becomes the old half and the former old half is dropped: what
// was not asked for during a whole turn is forgotten.
func (k *KeyCache) keep(ck cacheKey, key signingKey) {
	limit := k.Max
	if limit <= 0 {
		limit = defaultKeys
	}
	if k.young == nil || len(k.young) >= max(1, limit/2) {
		k.old, k.young = k.young, make(map[cacheKey]signingKey)
	}
	k.young[ck] = key
}

// Len is how many keys are kept.
func (k *KeyCache) Len() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.young) + len(k.old)
}

// String and GoString hide the keys.
func (k *KeyCache) String() string { return "sigv4.KeyCache" }

// GoString hides the keys.
func (k *KeyCache) GoString() string { return k.String() }
