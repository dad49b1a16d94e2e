package trail

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// LogConfig says where a log is and what it promises.
type LogConfig struct {
	Dir string
	// Now tells the day, in UTC.
	Now func() time.Time
	// Durable forces lines to the disk before Append returns. Without it that happens once a second.
	Durable bool
	// Failed, which may be nil, is told of lines that the disk may have lost after Append returned.
	Failed func(error)
}

// Log is a folder of files of JSON lines, one file a day. Lines that arrive together are written together, by one
// goroutine with one write, so that a crowd of requests waits for one answer of the disk and not for one each.
type Log struct {
	cfg  LogConfig
	in   chan lines
	stop chan struct{}
	done chan struct{}

	closing sync.Once
	closed  error
	broken  atomic.Bool

	// The rest belongs to the writing goroutine.
	file    *os.File
	day     string
	dirty   bool
	torn    int64 // where whole lines end, when a write came through in part and could not be taken back; else -1
	batch   []byte
	waiting []chan error
}

type lines struct {
	text    []byte
	written chan error
}

// queue bounds how many callers wait for one write; more wait in line. maxBatch bounds its bytes.
const (
	queue    = 1024
	maxBatch = 1 << 20
)

// ErrClosed says that the log takes no more records.
var ErrClosed = errors.New("the audit log is closed")

// OpenLog opens the log in a folder, which it creates. A line that a crash left torn is cut off: nobody was told that it
// had been written. truncated is how many bytes that were.
func OpenLog(cfg LogConfig) (l *Log, truncated int64, err error) {
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, 0, fmt.Errorf("create audit log: %w", err)
	}
	if truncated, err = mend(cfg.Dir); err != nil {
		return nil, 0, fmt.Errorf("mend audit log: %w", err)
	}
	l = &Log{cfg: cfg, in: make(chan lines, queue), stop: make(chan struct{}), done: make(chan struct{}), torn: -1}
	if err := l.roll(); err != nil {
		return nil, 0, fmt.Errorf("open audit log: %w", err)
	}
	go l.write()
	return l, truncated, nil
}

// Append writes one or more lines, without the newline of the last one, and returns when the operating system has them
// all; when it fails, it has none.
func (l *Log) Append(text []byte) error {
	w := lines{text: text, written: make(chan error, 1)}
	select {
	case <-l.stop:
		return ErrClosed
	case l.in <- w:
	}
	select {
	case err := <-w.written:
		return err
	case <-l.done:
		// The writer may have answered just before it ended.
		select {
		case err := <-w.written:
			return err
		default:
			return ErrClosed
		}
	}
}

// Broken reports whether the last attempt to write failed.
func (l *Log) Broken() bool { return l.broken.Load() }

// Close writes what waits and forces it to the disk.
func (l *Log) Close() error {
	l.closing.Do(func() {
		close(l.stop)
		<-l.done
		l.closed = errors.Join(l.file.Sync(), l.file.Close())
	})
	return l.closed
}

func (l *Log) write() {
	defer close(l.done)
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for {
		select {
		case first := <-l.in:
			l.writeBatch(first)
		case <-second.C:
			if err := l.sync(); err != nil && l.cfg.Failed != nil {
				l.cfg.Failed(err)
			}
		case <-l.stop:
			for {
				select {
				case first := <-l.in:
					l.writeBatch(first)
				default:
					return
				}
			}
		}
	}
}

func (l *Log) writeBatch(first lines) {
	l.batch, l.waiting = l.batch[:0], l.waiting[:0]
	l.take(first)
gather:
	for len(l.waiting) < queue && len(l.batch) < maxBatch {
		select {
		case next := <-l.in:
			l.take(next)
		default:
			break gather
		}
	}
	err := l.put()
	l.broken.Store(err != nil)
	for _, w := range l.waiting {
		w <- err
	}
}

func (l *Log) take(w lines) {
	l.batch = append(append(l.batch, w.text...), '\n')
	l.waiting = append(l.waiting, w.written)
}

// put writes whole lines. After a write that came through in part the file is cut back, at once or before the next line,
// so that no torn line stays and none is glued to one.
func (l *Log) put() error {
	if err := l.roll(); err != nil {
		return fmt.Errorf("open audit log: %w", err)
	}
	if l.torn >= 0 {
		if err := l.file.Truncate(l.torn); err != nil {
			return fmt.Errorf("mend audit log: %w", err)
		}
		l.torn = -1
	}
	end, err := l.file.Seek(0, io.SeekEnd)
	if err != nil {
		return fmt.Errorf("append to audit log: %w", err)
	}
	if n, err := l.file.Write(l.batch); err != nil {
		if n > 0 {
			if l.file.Truncate(end) != nil {
				l.torn = end
			}
		}
		return fmt.Errorf("append to audit log: %w", err)
	}
	l.dirty = true
	if l.cfg.Durable {
		return l.sync()
	}
	return nil
}

func (l *Log) sync() error {
	if !l.dirty {
		return nil
	}
	// A second attempt after a failure would report success for pages that the system has dropped.
	l.dirty = false
	if err := l.file.Sync(); err != nil {
		return fmt.Errorf("force audit log to disk: %w", err)
	}
	return nil
}

// roll opens the file of the day.
func (l *Log) roll() error {
	day := l.cfg.Now().UTC().Format(time.DateOnly)
	if l.file != nil && day == l.day {
		return nil
	}
	f, err := os.OpenFile(filepath.Join(l.cfg.Dir, day+".jsonl"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	if err := syncDir(l.cfg.Dir); err != nil {
		return errors.Join(err, f.Close())
	}
	if old := l.file; old != nil {
		err = errors.Join(l.sync(), old.Close())
	}
	l.file, l.day, l.torn = f, day, -1
	return err
}

// syncDir makes the name of a new file as lasting as its content.
func syncDir(dir string) error {
	d, err := os.Open(dir) //nolint:gosec // the log's folder
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
