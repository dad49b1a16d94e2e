package storage

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"
)

// OpenBeside opens a storage as on a file system without extended attributes.
func OpenBeside(ctx context.Context, dir string, log *slog.Logger, options ...Option) (*Embedded, error) {
	return openEmbedded(ctx, dir, log, func(*os.File) error { return errors.ErrUnsupported }, options...)
}

// On tells note before each time what a storage forces to the disk, a file without a name or a path, and note may fail it.
func On(note func(file *os.File, path string) error) Option {
	return func(e *Embedded) { e.disk = noted(note) }
}

type noted func(file *os.File, path string) error

func (n noted) file(f *os.File) error {
	if err := n(f, ""); err != nil {
		return err
	}
	return forced{}.file(f)
}

func (n noted) at(path string) error {
	if err := n(nil, path); err != nil {
		return err
	}
	return forced{}.at(path)
}

// SetClock sets the clock of a storage.
func (e *Embedded) SetClock(now func() time.Time) { e.now = now }

// Beside says whether attributes are kept beside the objects.
func (e *Embedded) Beside() bool { return e.beside }

// Page is the rule of listings by itself.
func Page(keys []string, prefix, delimiter, marker string, limit int) (shown, prefixes []string, truncated bool, next string) {
	p := &page{prefix: prefix, delimiter: delimiter, marker: marker, max: limit}
	for _, key := range keys {
		switch where, common := p.locate(key); where {
		case alone:
			if !p.take(key) {
				return shown, p.prefixes, true, p.last
			}
			shown = append(shown, key)
		case collected:
			if p.collect(common) != nil {
				return shown, p.prefixes, true, p.last
			}
		}
	}
	return shown, p.prefixes, p.truncated, ""
}
