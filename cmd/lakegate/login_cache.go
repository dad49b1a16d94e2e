package main

import (
	"crypto/sha1" //nolint:gosec // the SDKs name their cache files by it
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/lakegate/lakegate/internal/store"
)

// ssoToken is a sign-in as the AWS CLI and SDKs keep it, in ~/.aws/sso/cache (the AWS SDKs and Tools reference guide, "SSO
// token provider configuration").
type ssoToken struct {
	StartURL              string    `json:"startUrl"`
	Region                string    `json:"region"`
	AccessToken           string    `json:"accessToken"`
	ExpiresAt             time.Time `json:"expiresAt"`
	ClientID              string    `json:"clientId"`
	ClientSecret          string    `json:"clientSecret"`
	RegistrationExpiresAt time.Time `json:"registrationExpiresAt"`
	RefreshToken          string    `json:"refreshToken,omitempty"`
}

// tokenPath is where the AWS CLI and SDKs keep the tokens of an sso-session.
func tokenPath(s *streams, session string) (string, error) {
	sum := sha1.Sum([]byte(session)) //nolint:gosec // a file name
	return awsFile(s, "", "sso", "cache", hex.EncodeToString(sum[:])+".json")
}

// readToken reads the file of a sign-in; nil when there is none.
func readToken(path string) (*ssoToken, error) {
	text, err := os.ReadFile(path) //nolint:gosec // the person's own tokens
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read token cache: %w", err)
	}
	var t ssoToken
	if err := json.Unmarshal(text, &t); err != nil {
		return nil, fmt.Errorf("read token cache %s: %w", path, err)
	}
	if t.AccessToken == "" || t.Region == "" {
		return nil, nil
	}
	return &t, nil
}

// save writes the token to its file, readable by its owner alone, in one step.
func (t *ssoToken) save(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("create token cache: %w", err)
	}
	text, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("encode token: %w", err)
	}
	if err := store.WriteFile(path, text, 0o600); err != nil {
		return fmt.Errorf("write token cache: %w", err)
	}
	return nil
}
