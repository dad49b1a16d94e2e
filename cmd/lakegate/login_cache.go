package main

import (
	"crypto/sha1" //nolint:gosec // the SDKs name their cache files by it
	"encoding/hex"
	"encoding/json"
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

// save writes the token where the SDKs look for the one of an sso-session, readable by its owner alone, in one step.
func (t *ssoToken) save(s *streams, session string) (string, error) {
	dir, err := awsFile(s, "", "sso", "cache")
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("create token cache: %w", err)
	}
	text, err := json.Marshal(t)
	if err != nil {
		return "", fmt.Errorf("encode token: %w", err)
	}
	sum := sha1.Sum([]byte(session)) //nolint:gosec // a file name
	path := filepath.Join(dir, hex.EncodeToString(sum[:])+".json")
	if err := store.WriteFile(path, text, 0o600); err != nil {
		return "", fmt.Errorf("write token cache: %w", err)
	}
	return path, nil
}
