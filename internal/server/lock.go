package server

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/lakegate/lakegate/internal/store"
)

// lockDir makes sure that one server at a time works in a directory. The lock ends with the process.
func lockDir(path string) (*os.File, error) {
	f, err := store.LockFile(path)
	switch {
	case errors.Is(err, store.ErrLocked):
		return nil, fmt.Errorf("another server runs in %s", filepath.Dir(path))
	case err != nil:
		return nil, fmt.Errorf("lock directory: %w", err)
	}
	return f, nil
}
