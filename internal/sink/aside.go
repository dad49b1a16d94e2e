package sink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"

	"github.com/lakegate/lakegate/internal/sink/kafka"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/trail"
)

const (
	// asideFolder is that of records that were set aside, in the log's: SINK.jsonl.
	asideFolder = "aside"
	// maxAside bounds one of its files. Beyond it, a sink waits as for any other refusal.
	maxAside = 1 << 30
)

// tooLarge reports whether a receiver has refused a delivery for its size.
func tooLarge(err error) bool {
	r, ok := errors.AsType[*refusal](err)
	return ok && r.code == http.StatusRequestEntityTooLarge || errors.Is(err, kafka.ErrTooLarge)
}

// deliver delivers in halves what is too large for the receiver. One record that alone is too large would hold up those
// behind it for ever: it is set aside, in a file beside the log.
func (r *running) deliver(ctx context.Context, lines []trail.Line) error {
	err := r.receiver.Deliver(ctx, lines)
	switch {
	case !tooLarge(err):
		return err
	case len(lines) > 1:
		half := len(lines) / 2
		if err := r.deliver(ctx, lines[:half]); err != nil {
			return err
		}
		return r.deliver(ctx, lines[half:])
	}
	if failed := r.setAside(lines[0]); failed != nil {
		return errors.Join(err, failed)
	}
	r.aside.Add(1)
	r.log.ErrorContext(ctx, "a record is too large for the receiver of a sink; it is set aside", slog.String("sink", r.name), slog.Int("bytes", len(lines[0].Record)),
		slog.String("file", r.asidePath), slog.Any("error", err))
	return nil
}

// setAside has the record on the disk when it returns. After a crash it may be there twice, with the same eventID.
func (r *running) setAside(l trail.Line) (err error) {
	folder := filepath.Dir(r.asidePath)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("set a record aside: %w", err)
	}
	f, err := os.OpenFile(r.asidePath, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("set a record aside: %w", err)
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			err = fmt.Errorf("set a record aside: %w", err)
		}
	}()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	size := info.Size()
	// Half a line of a crash is ours.
	whole, err := wholeLines(f, size)
	if err != nil {
		return err
	}
	if whole+int64(len(l.Record)) >= maxAside {
		return fmt.Errorf("%s holds %d bytes, which is the most", r.asidePath, whole)
	}
	if err := f.Truncate(whole); err != nil {
		return err
	}
	if _, err := f.Write(append(append([]byte(nil), l.Record...), '\n')); err != nil {
		return errors.Join(err, f.Truncate(whole))
	}
	return errors.Join(f.Sync(), store.SyncDir(folder))
}
