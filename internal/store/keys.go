package store

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
)

// MasterKeyVariable is the environment variable that gives the master keys instead of a file.
const MasterKeyVariable = "LAKEGATE_MASTER_KEY"

// Keys seal secrets at rest with AES-256-GCM. The first key seals; all of them open, so that keys can be rotated.
type Keys struct {
	seal string
	aead map[string]cipher.AEAD
}

// ErrSealed says that a secret cannot be opened: it was sealed under another key, for another place, or it was altered.
var ErrSealed = errors.New("sealed under another key, or altered")

const keySize = 32

// ParseKeys reads master keys: one a line, 32 bytes in base64, the sealing one first. Lines that begin with # are skipped.
func ParseKeys(text string) (*Keys, error) {
	k := &Keys{aead: map[string]cipher.AEAD{}}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		raw, err := base64.StdEncoding.DecodeString(line)
		if err != nil || len(raw) != keySize {
			return nil, fmt.Errorf("master key: want %d bytes in base64 a line", keySize)
		}
		block, err := aes.NewCipher(raw)
		if err != nil {
			return nil, fmt.Errorf("master key: %w", err)
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return nil, fmt.Errorf("master key: %w", err)
		}
		sum := sha256.Sum256(append([]byte("lakegate master key id\x00"), raw...))
		id := hex.EncodeToString(sum[:4])
		if k.seal == "" {
			k.seal = id
		}
		k.aead[id] = aead
	}
	if k.seal == "" {
		return nil, errors.New("master key: none given")
	}
	return k, nil
}

// LoadKeys takes the master keys from the environment variable LAKEGATE_MASTER_KEY, else from the file, which it creates
// with a fresh key, readable by its owner alone, when it does not exist.
func LoadKeys(path string, getenv func(string) string) (*Keys, error) {
	if text := getenv(MasterKeyVariable); text != "" {
		return ParseKeys(text)
	}
	text, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if errors.Is(err, os.ErrNotExist) {
		if text, err = createKeyFile(path); err != nil {
			return nil, fmt.Errorf("create master key: %w", err)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("read master key: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read master key: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("master key %s is readable by others (mode %v): run chmod 600 on it", path, info.Mode().Perm())
	}
	return ParseKeys(string(text))
}

func createKeyFile(path string) ([]byte, error) {
	raw := make([]byte, keySize)
	if _, err := rand.Read(raw); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteString("# The master key of this installation. Whoever has it and the database can read every secret in it.\n")
	b.WriteString(base64.StdEncoding.EncodeToString(raw) + "\n")
	return b.Bytes(), WriteFile(path, b.Bytes(), 0o600)
}

// Seal encrypts a secret for one place, such as "access-key/AKIA…". It opens nowhere else.
func (db *DB) Seal(place string, secret []byte) []byte { return db.keys.Seal(place, secret) }

// Unseal opens a secret that was sealed for the place.
func (db *DB) Unseal(place string, sealed []byte) ([]byte, error) {
	return db.keys.Unseal(place, sealed)
}

// Seal encrypts a secret for one place. The result begins with the id of the key.
func (k *Keys) Seal(place string, secret []byte) []byte {
	out := append([]byte(k.seal), 0)
	return k.aead[k.seal].Seal(out, nil, secret, []byte(place))
}

// Unseal opens what Seal made for the same place, under any of the keys.
func (k *Keys) Unseal(place string, sealed []byte) ([]byte, error) {
	id, box, ok := bytes.Cut(sealed, []byte{0})
	aead := k.aead[string(id)]
	if !ok || aead == nil {
		return nil, ErrSealed
	}
	secret, err := aead.Open(nil, nil, box, []byte(place))
	if err != nil {
		return nil, ErrSealed
	}
	return secret, nil
}

// proveKeys refuses to start with keys that cannot open what is in the database.
func (db *DB) proveKeys(ctx context.Context) error {
	const name = "master-key-proof"
	sealed, err := db.Setting(ctx, name)
	if isNotFound(err) {
		return db.SetSetting(ctx, name, db.Seal(name, []byte(name)))
	}
	if err != nil {
		return fmt.Errorf("read master key proof: %w", err)
	}
	if _, err := db.Unseal(name, sealed); err != nil {
		return errors.New("the master key does not belong to this database: restore the key file that was made with it, or set " + MasterKeyVariable)
	}
	return nil
}
