package storage

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/oklog/ulid/v2"
)

// A version that is no longer current is a hard link: the same file, with its attributes and its time, under another
// name. The current version and the others are on one file system, so making one is a single step that copies nothing.
// The key's own path exists as long as any version of it does.

func checkVersionID(id string) error {
	if id == "" || id == NullVersion {
		return nil
	}
	if u, err := ulid.ParseStrict(id); err != nil || u.String() != id {
		return invalidArgument("versionId", id, "Invalid version id specified")
	}
	return nil
}

func newVersionID() string { return ulid.Make().String() }

// versionsOf is the folder of a key's versions. Keys are hashed, as a key may be longer than a file name.
func (e *Embedded) versionsOf(bucket, key string) string {
	sum := sha256.Sum256([]byte(key))
	name := hex.EncodeToString(sum[:])
	return filepath.Join(e.versions, bucket, name[:2], name)
}

// version is one that is not current.
type version struct{ id, order string }

// noncurrent lists them, newest first. Version ids sort by the time when they were made. A null version that was written
// while versioning was suspended has such an id beside its name; one from before versions were kept is the oldest.
func (e *Embedded) noncurrent(bucket, key, current string) ([]version, error) {
	dir := e.versionsOf(bucket, key)
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list versions: %w", err)
	}
	var all []version
	for _, entry := range entries {
		// A process killed in the middle of a write leaves the current version linked here, too.
		if entry.Name() == current || !entry.Type().IsRegular() || checkVersionID(entry.Name()) != nil {
			continue
		}
		v := version{id: entry.Name(), order: entry.Name()}
		if v.id == NullVersion {
			order, err := e.attrs.RetrieveAttribute(nil, dir, v.id, attrOrder)
			if absent(err) {
				continue
			}
			if err != nil && !errors.Is(err, errNoAttribute) {
				return nil, fmt.Errorf("list versions: %w", err)
			}
			v.order = string(order)
		}
		all = append(all, v)
	}
	slices.SortFunc(all, func(a, b version) int { return strings.Compare(b.order, a.order) })
	return all, nil
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

// succession is what happens to the current version of a key when another takes its place.
type succession struct {
	// id of the one that takes its place; empty makes it the null version.
	id string
	// set is what its file must say of this.
	set map[string][]byte
	// undo puts everything back when the change fails; done ends it when it was made.
	undo, done func()
}

// succeed keeps or gives up the current version, before another is published in its place. The key is locked.
func (e *Embedded) succeed(bucket, key, path string) (*succession, error) {
	status, err := e.versioning(bucket)
	if err != nil {
		return nil, err
	}
	s := &succession{undo: func() {}, done: func() {}}
	switch order := []byte(newVersionID()); status {
	case Enabled:
		s.id, s.set = string(order), map[string][]byte{attrVersionID: order}
	case Suspended:
		s.set = map[string][]byte{attrOrder: order}
	}
	st, err := os.Lstat(path)
	if err != nil && !absent(err) {
		return nil, fmt.Errorf("look at current version: %w", err)
	}
	current := ""
	if err == nil && st.Mode().IsRegular() {
		if current, err = e.versionAt(bucket, key); err != nil {
			return nil, err
		}
	}
	switch {
	case current != "" && (status == Enabled || status == Suspended && current != NullVersion):
		kept := filepath.Join(e.versionsOf(bucket, key), current)
		if err := keep(path, kept); err != nil {
			return nil, fmt.Errorf("keep version: %w", err)
		}
		s.undo = func() {
			// Only while the version is still the current one; else this is where it lives.
			now, err := os.Lstat(path)
			if err == nil && os.SameFile(now, st) {
				_ = os.Remove(kept)
				e.prune(bucket, key)
			}
		}
	case current != "":
		s.done = e.attrs.discard(bucket, key)
	}
	if status == Suspended {
		// There is one null version: the one that is being written.
		dir, drop := e.versionsOf(bucket, key), s.done
		forget := e.attrs.discard(dir, NullVersion)
		s.done = func() {
			drop()
			if os.Remove(filepath.Join(dir, NullVersion)) == nil {
				forget()
			}
			e.prune(bucket, key)
		}
	}
	return s, nil
}

// keep links the current version under the name of its version, over what a killed process may have left there.
func keep(path, kept string) error {
	if err := os.MkdirAll(filepath.Dir(kept), 0o700); err != nil {
		return err
	}
	err := os.Link(path, kept)
	if errors.Is(err, fs.ErrExist) {
		if err = os.Remove(kept); err == nil {
			err = os.Link(path, kept)
		}
	}
	return err
}

// prune removes the folder of a key's versions when it is empty, and leaves it otherwise.
func (e *Embedded) prune(bucket, key string) {
	dir := e.versionsOf(bucket, key)
	if os.Remove(dir) == nil {
		_ = os.Remove(filepath.Dir(dir))
	}
}

// versionAt is the version id of the file at the key.
func (e *Embedded) versionAt(bucket, key string) (string, error) {
	v, err := e.attrs.RetrieveAttribute(nil, bucket, key, attrVersionID)
	if errors.Is(err, errNoAttribute) {
		return NullVersion, nil
	}
	if err != nil {
		return "", fmt.Errorf("read version: %w", err)
	}
	return string(v), nil
}
