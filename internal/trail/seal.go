package trail

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/trail/index"
)

// sweepSegments is how often the log looks for segments whose time is over.
const sweepSegments = time.Hour

// wake has segments that take no more lines compressed.
func (l *Log) wake() {
	select {
	case l.sealing <- struct{}{}:
	default:
	}
}

// keepSealing compresses segments and removes those whose time is over.
func (l *Log) keepSealing() {
	defer l.done.Done()
	sweep := time.NewTicker(sweepSegments)
	defer sweep.Stop()
	for {
		select {
		case <-l.sealing:
		case <-sweep.C:
		case <-l.stop:
			return
		}
		if err := l.seal(); err != nil && !errors.Is(err, ErrClosed) {
			l.cfg.Log.Error("cannot seal a segment of the audit log", slog.Any("error", err))
		}
		if err := l.expire(); err != nil {
			l.cfg.Log.Error("cannot remove old segments of the audit log", slog.Any("error", err))
		}
	}
}

// seal compresses the segments before the last one.
func (l *Log) seal() error {
	l.tending.Lock()
	defer l.tending.Unlock()
	all, err := segmentsIn(l.cfg.Dir)
	if err != nil {
		return err
	}
	for _, s := range all[:max(0, len(all)-1)] {
		if !s.plain {
			continue
		}
		if err := l.compress(s.number); err != nil {
			return fmt.Errorf("segment %d: %w", s.number, err)
		}
	}
	return nil
}

// compress replaces a segment by its compressed form, and its index. The original goes when both are on the disk.
func (l *Log) compress(n uint64) (err error) {
	in, err := os.Open(segmentPath(l.cfg.Dir, n, plainEnd))
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	var found *index.Builder
	err = l.replace(segmentPath(l.cfg.Dir, n, sealedEnd), info.ModTime(), func(out io.Writer) (err error) {
		found, err = l.pack(out, in)
		return err
	})
	if err != nil {
		return err
	}
	if err := l.writeIndex(n, info.ModTime(), found); err != nil {
		return err
	}
	return os.Remove(segmentPath(l.cfg.Dir, n, plainEnd))
}

// replace writes a file that is whole as soon as it has its name. Whoever looks at its age sees that of the segment's last
// line.
func (l *Log) replace(path string, at time.Time, write func(io.Writer) error) error {
	temporary := path + ".tmp"
	out, err := os.OpenFile(temporary, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600) //nolint:gosec // a file of the log
	if err != nil {
		return err
	}
	err = errors.Join(write(out), out.Sync(), out.Close())
	if err == nil {
		err = os.Chtimes(temporary, at, at)
	}
	if err == nil {
		err = os.Rename(temporary, path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temporary))
	}
	return store.SyncDir(l.cfg.Dir)
}

// expire removes the oldest segments when the time of their last record is over and every follower has had them, or they
// are more than the log holds for followers. The log first says so itself, so that segments that somebody else removed are
// told from them.
func (l *Log) expire() error {
	l.tending.Lock()
	defer l.tending.Unlock()
	if l.cfg.Keep <= 0 {
		return nil
	}
	all, err := segmentsIn(l.cfg.Dir)
	if err != nil {
		return err
	}
	old, err := l.overdue(all)
	if err != nil || len(old) == 0 {
		return err
	}
	gone, err := l.released(old)
	if err != nil || gone == 0 {
		return err
	}
	if err := l.noteRemoved(all[gone].number); err != nil {
		return err
	}
	for _, s := range all[:gone] {
		if err := os.Remove(segmentPath(l.cfg.Dir, s.number, sealedEnd)); err != nil {
			return err
		}
		if err := os.Remove(segmentPath(l.cfg.Dir, s.number, indexEnd)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		l.cfg.Log.Info("removed a segment of the audit log: its time is over", slog.Uint64("segment", s.number))
	}
	return store.SyncDir(l.cfg.Dir)
}

// sized is a segment and the size of its file.
type sized struct {
	segment
	bytes int64
}

// overdue are the oldest segments, as far as their time is over.
func (l *Log) overdue(all []segment) (old []sized, err error) {
	before := l.cfg.Now().Add(-l.cfg.Keep)
	for len(old) < len(all)-1 && !all[len(old)].plain {
		s := all[len(old)]
		info, err := os.Stat(segmentPath(l.cfg.Dir, s.number, sealedEnd))
		if err != nil {
			return nil, err
		}
		if !info.ModTime().Before(before) {
			break
		}
		old = append(old, sized{s, info.Size()})
	}
	return old, nil
}

// released is how many of the oldest segments may go: those that no follower needs, and of the others the oldest, so that
// no more stays than the log holds.
func (l *Log) released(old []sized) (gone int, err error) {
	first, held, err := l.held()
	if err != nil {
		return 0, err
	}
	if !held {
		return len(old), nil
	}
	for gone < len(old) && old[gone].number < first {
		gone++
	}
	var kept int64
	for _, s := range old[gone:] {
		kept += s.bytes
	}
	for ; gone < len(old) && kept > l.cfg.Hold; gone++ {
		kept -= old[gone].bytes
		l.cfg.Log.Error("the audit log holds more for its followers than it may; a segment goes that not all of them have had", slog.Uint64("segment", old[gone].number))
	}
	return gone, nil
}

func (l *Log) noteRemoved(oldest uint64) error {
	l.writing.Lock()
	before := l.oldest
	l.oldest = oldest
	err := l.note(noteRemoved, "")
	if err != nil {
		l.oldest = before
	}
	l.writing.Unlock()
	if err != nil {
		return err
	}
	return l.force()
}
