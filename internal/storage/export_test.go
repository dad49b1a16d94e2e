package storage

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"
)

// OpenBeside opens a storage as on a file system without extended attributes.
func OpenBeside(ctx context.Context, dir string, log *slog.Logger) (*Embedded, error) {
	return openEmbedded(ctx, dir, log, func(*os.File) error { return errors.ErrUnsupported })
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
