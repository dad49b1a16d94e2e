package issuer

import (
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/go-jose/go-jose/v4"
)

// The bounds of a key set.
const (
	maxKeys = 100
	// maxTries bounds the signatures that are verified for a token that does not name its key.
	maxTries = 16
)

// KeySet is the public keys of an issuer that may verify tokens.
type KeySet []publicKey

type publicKey struct {
	id  string
	alg string // empty for any that fits
	key crypto.PublicKey
}

// parseKeySet reads a JSON Web Key Set (RFC 7517 §5). Keys that are for encryption, private, symmetric, weak or unreadable
// are passed over: an issuer may publish keys for others than us.
func parseKeySet(text []byte) (KeySet, error) {
	var doc struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		return nil, errors.New("read key set: not a JSON Web Key Set")
	}
	if len(doc.Keys) > maxKeys {
		return nil, fmt.Errorf("read key set: more than %d keys", maxKeys)
	}
	var set KeySet
	for _, raw := range doc.Keys {
		if k, ok := parseKey(raw); ok {
			set = append(set, k)
		}
	}
	if len(set) == 0 {
		return nil, errors.New("read key set: no key that could verify a signature")
	}
	return set, nil
}

func parseKey(raw json.RawMessage) (publicKey, bool) {
	var use struct {
		Use    string   `json:"use"`
		KeyOps []string `json:"key_ops"`
	}
	if json.Unmarshal(raw, &use) != nil || use.Use != "" && use.Use != "sig" || use.KeyOps != nil && !slices.Contains(use.KeyOps, "verify") {
		return publicKey{}, false
	}
	var k jose.JSONWebKey
	if k.UnmarshalJSON(raw) != nil || !k.IsPublic() || !k.Valid() {
		return publicKey{}, false
	}
	usable := slices.ContainsFunc(Extended, func(a jose.SignatureAlgorithm) bool { return fits(k.Key, a) })
	return publicKey{k.KeyID, k.Algorithm, k.Key}, usable
}

// candidates are the keys that may have signed a token: those of its kid, or all that fit when it names none.
func (s KeySet) candidates(kid string, alg jose.SignatureAlgorithm) KeySet {
	var out KeySet
	for _, k := range s {
		if (kid == "" || k.id == kid) && (k.alg == "" || k.alg == string(alg)) && fits(k.key, alg) && len(out) < maxTries {
			out = append(out, k)
		}
	}
	return out
}

// verify reports whether one of the candidates signed the token.
func (s KeySet) verify(a *Token) bool {
	return slices.ContainsFunc(s, func(k publicKey) bool { return a.verify(k.key) == nil })
}

// Verifies reports whether a key of the set signed the token.
func (s KeySet) Verifies(a *Token) bool { return s.candidates(a.KeyID, a.Algorithm).verify(a) }
