package devidp

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// The files of the state directory. All are private to the user who runs the provider.
const (
	keysFile         = "keys.json"         // signing keys, and the key that makes pairwise subjects
	directoryFile    = "directory.yaml"    // people, groups and clients, passwords as hashes
	generatedFile    = "generated.json"    // passwords and client secrets that were generated, for the developer to read
	sessionsFile     = "sessions.json"     // sign-in sessions and refresh tokens, as hashes
	provisioningFile = "provisioning.json" // what was pushed to which SCIM endpoint
)

// stateDir is the directory that holds the provider's state. A file is replaced as a whole and synced before it takes
// its name, so that a crash leaves the old one or the new one.
type stateDir string

func (d stateDir) create() error {
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return fmt.Errorf("create state directory: %w", err)
	}
	return nil
}

// read returns the content of a file, and nil when there is none. A file that others can read is refused: what it holds
// can no longer be called a secret, and to go on would hide it.
func (d stateDir) read(name string) ([]byte, error) {
	path := filepath.Join(string(d), name)
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("read %s: mode is %#o, others can read it (remedy: remove it to have it made anew, or chmod 600 %s if it was never exposed)", name, mode, path)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return data, nil
}

func (d stateDir) write(name string, data []byte) error {
	f, err := os.CreateTemp(string(d), "."+name+"-*") // mode 0600
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(string(d), name))
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

func (d stateDir) readJSON(name string, v any) (found bool, err error) {
	data, err := d.read(name)
	if err != nil || data == nil {
		return false, err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return false, fmt.Errorf("read %s: %w", name, err)
	}
	return true, nil
}

func (d stateDir) writeJSON(name string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return d.write(name, append(data, '\n'))
}
