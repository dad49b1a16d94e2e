package store

import (
	"errors"
	"os"
	"path/filepath"
)

// WriteFile replaces a file by rename, so that a reader sees the old content or the new, and it is on the disk when the
// call returns. The name that it has before begins with a dot.
func WriteFile(path string, content []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.Write(content)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(path))
}

// SyncDir makes the names in a folder as lasting as the content of its files: a new file is there after the next crash only
// if its folder is on the disk.
func SyncDir(path string) error {
	dir, err := os.Open(path) //nolint:gosec // the operator names it
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
