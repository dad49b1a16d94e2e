package devidp

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"strings"

	"golang.org/x/crypto/argon2"
)

// The cost of a password hash: the second choice of RFC 9106 cut to what OWASP recommends for interactive sign-in
// (19 MiB, two passes). Hashes of any other cost are refused, so that a directory cannot make a sign-in take all memory.
const (
	argonTime    = 2
	argonMemory  = 19 << 10 // KiB
	argonThreads = 1
	argonPrefix  = "$argon2id$v=19$m=19456,t=2,p=1$"
	saltLen      = 16
	hashLen      = 32
)

type passwordHash struct{ salt, sum []byte }

// hashPassword returns the PHC form of the password's hash.
func hashPassword(password string) string {
	salt := make([]byte, saltLen)
	rand.Read(salt)
	sum := argon2.IDKey([]byte(password), salt, argonTime, argonMemory, argonThreads, hashLen)
	return argonPrefix + base64.RawStdEncoding.EncodeToString(salt) + "$" + base64.RawStdEncoding.EncodeToString(sum)
}

func parseHash(s string) (passwordHash, error) {
	rest, ok := strings.CutPrefix(s, argonPrefix)
	salt, sum, two := strings.Cut(rest, "$")
	if !ok || !two {
		return passwordHash{}, errors.New("must start with " + argonPrefix)
	}
	var h passwordHash
	var err1, err2 error
	h.salt, err1 = base64.RawStdEncoding.Strict().DecodeString(salt)
	h.sum, err2 = base64.RawStdEncoding.Strict().DecodeString(sum)
	if err := errors.Join(err1, err2); err != nil || len(h.salt) != saltLen || len(h.sum) != hashLen {
		return passwordHash{}, errors.New("has a damaged salt or sum")
	}
	return h, nil
}

func (h passwordHash) matches(password string) bool {
	sum := argon2.IDKey([]byte(password), h.salt, argonTime, argonMemory, argonThreads, hashLen)
	return subtle.ConstantTimeCompare(sum, h.sum) == 1
}

// checkCredentials returns the person whose userName and password these are. Whether nobody has that name, or the person
// has no password, or is disabled, or the password is wrong, takes the same time and has the same answer.
func (p *Provider) checkCredentials(ctx context.Context, userName, password string) (*User, bool) {
	u := p.book.Load().byName[fold(userName)]
	h := passwordHash{make([]byte, saltLen), make([]byte, hashLen)}
	if u != nil && u.PasswordHash != "" {
		if parsed, err := parseHash(u.PasswordHash); err == nil {
			h = parsed
		}
	}
	select {
	case p.hashing <- struct{}{}:
		defer func() { <-p.hashing }()
	case <-ctx.Done():
		return nil, false
	}
	ok := len(password) <= maxText && h.matches(password)
	if !ok || u == nil || u.PasswordHash == "" || !u.IsActive() {
		return nil, false
	}
	return u, true
}
