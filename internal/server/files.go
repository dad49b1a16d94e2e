package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/lakegate/lakegate/internal/store"
)

// Addresses is the content of addresses.json: where a running server can be reached, each as host:port.
type Addresses struct {
	API string `json:"api"`
	Web string `json:"web"`
	IDP string `json:"idp,omitempty"`
	App string `json:"app,omitempty"`
}

// The names of the files in Dir.
const (
	addressesFile   = "addresses.json"
	credentialsFile = "credentials"
	masterKeyFile   = "master.key"
	lockFile        = "lock"
)

// WriteAddresses tells where the server is. It is the last step of a start.
func WriteAddresses(dir string, a Addresses) error {
	text, err := json.MarshalIndent(a, "", "  ")
	if err != nil {
		return fmt.Errorf("encode addresses: %w", err)
	}
	if err := store.WriteFile(filepath.Join(dir, addressesFile), append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("write addresses: %w", err)
	}
	return nil
}

// ReadAddresses finds a running server.
func ReadAddresses(dir string) (Addresses, error) {
	var a Addresses
	text, err := os.ReadFile(filepath.Join(dir, addressesFile)) //nolint:gosec // the operator names the directory
	if errors.Is(err, fs.ErrNotExist) {
		return a, fmt.Errorf("no server is running in %s (it has no %s)", dir, addressesFile)
	}
	if err != nil {
		return a, fmt.Errorf("read addresses: %w", err)
	}
	if err := json.Unmarshal(text, &a); err != nil {
		return a, fmt.Errorf("read %s: %w", addressesFile, err)
	}
	return a, nil
}

// RemoveAddresses says that the server is not, or not yet, there.
func RemoveAddresses(dir string) error {
	err := os.Remove(filepath.Join(dir, addressesFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove addresses: %w", err)
	}
	return nil
}

// Profile is the administrator's key of one account, as the credentials file holds it.
type Profile struct {
	Account, AccessKeyID, SecretAccessKey string
	// Management marks the organization's management account, which is also the profile "default".
	Management bool
}

// WriteCredentials writes the AWS profile file of an installation: a profile for each account, named by its id.
func WriteCredentials(dir string, profiles []Profile) error {
	var b strings.Builder
	b.WriteString("# The administrators of this installation's accounts, for AWS_SHARED_CREDENTIALS_FILE. Keep it secret.\n")
	section := func(name string, p Profile) {
		fmt.Fprintf(&b, "\n[%s]\naws_access_key_id = %s\naws_secret_access_key = %s\n", name, p.AccessKeyID, p.SecretAccessKey)
	}
	for _, p := range profiles {
		if p.Management {
			section("default", p)
		}
	}
	for _, p := range profiles {
		section(p.Account, p)
	}
	if err := store.WriteFile(filepath.Join(dir, credentialsFile), []byte(b.String()), 0o600); err != nil {
		return fmt.Errorf("write credentials: %w", err)
	}
	return nil
}

// ReadCredentials reads a profile of the credentials file: that of the account, or the management account's when empty.
func ReadCredentials(dir, account string) (Profile, error) {
	text, err := os.ReadFile(filepath.Join(dir, credentialsFile)) //nolint:gosec // the operator names the directory
	if errors.Is(err, fs.ErrNotExist) {
		return Profile{}, fmt.Errorf("no installation in %s (it has no %s): start a server there first", dir, credentialsFile)
	}
	if err != nil {
		return Profile{}, fmt.Errorf("read credentials: %w", err)
	}
	want := account
	if want == "" {
		want = "default"
	}
	p, found := Profile{Account: account, Management: account == ""}, false
	section := ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(line, "["); ok {
			section = strings.TrimSuffix(name, "]")
			found = found || section == want
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok || section != want {
			continue
		}
		switch strings.TrimSpace(key) {
		case "aws_access_key_id":
			p.AccessKeyID = strings.TrimSpace(value)
		case "aws_secret_access_key":
			p.SecretAccessKey = strings.TrimSpace(value)
		}
	}
	if !found {
		return Profile{}, fmt.Errorf("no profile %q in %s", want, filepath.Join(dir, credentialsFile))
	}
	return p, nil
}

// Place is what the clients of an installation have to know of it, also while no server runs.
type Place struct {
	Region string `json:"region"`
	API    string `json:"api"`
}

const placeFile = "place.json"

// WritePlace remembers where the API door was opened.
func WritePlace(dir string, p Place) error {
	text, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return fmt.Errorf("encode place: %w", err)
	}
	if err := store.WriteFile(filepath.Join(dir, placeFile), append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("write place: %w", err)
	}
	return nil
}

// ReadPlace reads the Region and the address of the API door of an installation.
func ReadPlace(dir string) (region, api string, err error) {
	text, err := os.ReadFile(filepath.Join(dir, placeFile)) //nolint:gosec // the operator names the directory
	if errors.Is(err, fs.ErrNotExist) {
		return "", "", fmt.Errorf("no installation in %s (it has no %s): start a server there first", dir, placeFile)
	}
	if err != nil {
		return "", "", fmt.Errorf("read place: %w", err)
	}
	var p Place
	if err := json.Unmarshal(text, &p); err != nil {
		return "", "", fmt.Errorf("read %s: %w", placeFile, err)
	}
	return p.Region, p.API, nil
}
