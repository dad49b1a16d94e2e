package trail

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/lakegate/lakegate/internal/store"
)

// A follower's place is kept beside the log, and not in the database: it means something with this log alone, goes where
// the log goes, and has to be there before the log removes anything.

// places is the folder of them, in the log's.
const places = "followers"

// mileage is how far a follower has come: a position, and the number of the first entry of its segment; zero when that is
// not known.
type mileage struct {
	position Position
	entry    uint64
}

// to is the place after a step.
func (m mileage) to(p Position, l *Log) mileage {
	if p.Node == m.position.Node && p.Segment == m.position.Segment && m.entry > 0 {
		return mileage{p, m.entry}
	}
	if p.Segment == 0 {
		return mileage{position: p}
	}
	h, err := headerOf(l.cfg.Dir, p.Segment)
	if err != nil {
		return mileage{position: p}
	}
	return mileage{p, h.Entry}
}

// isFollower reports whether a text can be the name of a follower, and so of a file.
func isFollower(name string) bool {
	if name == "" || len(name) > 200 || strings.HasSuffix(name, ".tmp") {
		return false
	}
	for i, c := range []byte(name) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && (i == 0 || c != '-' && c != '_' && c != '.') {
			return false
		}
	}
	return true
}

func placePath(dir, name string) string { return filepath.Join(dir, places, name) }

// readPlace reads a follower's place; known is false when it has none.
func readPlace(dir, name string) (m mileage, known bool, err error) {
	text, err := os.ReadFile(placePath(dir, name)) //nolint:gosec // the name was checked
	if errors.Is(err, fs.ErrNotExist) {
		return m, false, nil
	}
	if err != nil {
		return m, false, err
	}
	position, entry, _ := strings.Cut(strings.TrimSuffix(string(text), "\n"), " ")
	if m.position, err = ParsePosition(position); err == nil {
		m.entry, err = strconv.ParseUint(entry, 10, 63)
	}
	if err != nil {
		return mileage{}, false, fmt.Errorf("%s: %w", placePath(dir, name), err)
	}
	return m, true, nil
}

// writePlace puts a follower's place on the disk, in the stead of the one before.
func writePlace(dir, name string, m mileage) error {
	path := placePath(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return store.WriteFile(path, fmt.Appendf(nil, "%s %d\n", m.position, m.entry), 0o600)
}

// Place is where somebody stands who reads at a pace of its own, by Read, and for whom the log holds what comes after.
func (l *Log) Place(name string) (p Position, known bool, err error) {
	if !isFollower(name) {
		return p, false, fmt.Errorf("%.100q is no name of a reader of the audit log", name)
	}
	m, known, err := readPlace(l.cfg.Dir, name)
	if err != nil {
		return p, false, fmt.Errorf("read place in the audit log: %w", err)
	}
	return m.position, known, nil
}

// SetPlace says that somebody has all that is before a position. It is on the disk when SetPlace returns.
func (l *Log) SetPlace(name string, p Position) error {
	if !isFollower(name) {
		return fmt.Errorf("%.100q is no name of a reader of the audit log", name)
	}
	if err := writePlace(l.cfg.Dir, name, mileage{}.to(p, l)); err != nil {
		return fmt.Errorf("keep place in the audit log: %w", err)
	}
	return nil
}

// Forget ends that the log holds records for a follower who does not follow any more.
func (l *Log) Forget(name string) error {
	if !isFollower(name) {
		return fmt.Errorf("forget a follower of the audit log: %.100q is no name of one", name)
	}
	l.followers.mu.Lock()
	defer l.followers.mu.Unlock()
	if l.followers.at[name] != nil {
		return fmt.Errorf("forget %s: it follows the audit log at this moment", name)
	}
	if err := os.Remove(placePath(l.cfg.Dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forget a follower of the audit log: %w", err)
	}
	return nil
}

// Known are the names of those for whom the log holds records, whether they follow at this moment or not.
func (l *Log) Known() ([]string, error) {
	files, err := os.ReadDir(filepath.Join(l.cfg.Dir, places))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list followers of the audit log: %w", err)
	}
	var names []string
	for _, f := range files {
		if isFollower(f.Name()) {
			names = append(names, f.Name())
		}
	}
	return names, nil
}

// held is the first segment that a follower still needs; false when none needs any.
func (l *Log) held() (first uint64, held bool, err error) {
	names, err := l.Known()
	if err != nil {
		return 0, false, err
	}
	for _, name := range names {
		m, known, err := readPlace(l.cfg.Dir, name)
		if err != nil {
			return 0, false, err
		}
		if !known || m.position.Node != "" && m.position.Node != l.node {
			continue // forgotten in between, or of another log
		}
		if !held || m.position.Segment < first {
			first, held = m.position.Segment, true
		}
	}
	return first, held, nil
}
