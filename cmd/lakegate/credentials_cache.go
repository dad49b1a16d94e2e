package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/lakegate/lakegate/internal/store"
)

// kept is a file of the cache of credentials, in ~/.aws/lakegate/cache. It serves only while the access token is there with
// which the credentials were asked for: who signs out, or signs in as somebody else, does not go on with the old ones.
type kept struct {
	// Token is the SHA-256 of the access token.
	Token       string
	Credentials processCredentials
}

// cached returns credentials from the file that belongs to key, or asks for new ones and keeps them, readable by their owner
// alone, until shortly before they expire.
func (c *credentialsCommand) cached(s *streams, key []string, i *signIn, ask func() (*processCredentials, error)) (*processCredentials, error) {
	dir, err := awsFile(s, "", "lakegate", "cache")
	if err != nil {
		return nil, err
	}
	name, err := json.Marshal(append(key, i.token.StartURL, i.token.Region, i.endpoint))
	if err != nil {
		return nil, fmt.Errorf("name cached credentials: %w", err)
	}
	path := filepath.Join(dir, digest(string(name))+".json")
	text, err := os.ReadFile(path) //nolint:gosec // the person's own credentials
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("read cached credentials: %w", err)
	}
	// A file that cannot be read as one of ours is replaced.
	var k kept
	if err == nil && !c.Fresh && json.Unmarshal(text, &k) == nil && k.Token == digest(i.token.AccessToken) && k.Credentials.Version == 1 && time.Until(k.Credentials.Expiration) > earlier {
		return &k.Credentials, nil
	}
	creds, err := ask()
	if err != nil {
		return nil, err
	}
	if text, err = json.Marshal(kept{Token: digest(i.token.AccessToken), Credentials: *creds}); err != nil {
		return nil, fmt.Errorf("encode credentials: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("create credentials cache: %w", err)
	}
	if err := store.WriteFile(path, text, 0o600); err != nil {
		return nil, fmt.Errorf("keep credentials: %w", err)
	}
	return creds, nil
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
