package trail

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Log is a folder of files of JSON lines, one file a day. Lines that arrive together are written together.
type Log struct {
	dir  string
	now  func() time.Time
	in   chan line
	stop chan struct{}
	done chan struct{}

	closing sync.Once
	file    *os.File
	day     string
	dirty   bool
}

type line struct {
	text    []byte
	written chan error
}

// queue bounds how many records wait to be written; more callers wait in line.
const queue = 1024

// ErrClosed says that the log takes no more records.
var ErrClosed = errors.New("the audit log is closed")

// OpenLog opens the log in a folder, which it creates. A line that a crash left torn at the end of today's file is cut
// off: nobody was told that it had been written. truncated is how many bytes that were.
func OpenLog(dir string, now func() time.Time) (l *Log, truncated int64, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, 0, fmt.Errorf("create audit log: %w", err)
	}
	l = &Log{dir: dir, now: now, in: make(chan line, queue), stop: make(chan struct{}), done: make(chan struct{})}
	truncated, err = mend(l.path(l.today()))
	if err != nil {
		return nil, 0, fmt.Errorf("mend audit log: %w", err)
	}
	if err := l.roll(); err != nil {
		return nil, 0, fmt.Errorf("open audit log: %w", err)
	}
	go l.write()
	return l, truncated, nil
}

func (l *Log) today() string { return l.now().UTC().Format(time.DateOnly) }

func (l *Log) path(day string) string { return filepath.Join(l.dir, day+".jsonl") }

// Append writes a line, which must hold no newline, and returns when the operating system has it.
func (l *Log) Append(text []byte) error {
	w := line{text: text, written: make(chan error, 1)}
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

// Close writes what waits and forces it to the disk.
func (l *Log) Close() error {
	l.closing.Do(func() { close(l.stop) })
	<-l.done
	return errors.Join(l.file.Sync(), l.file.Close())
}

func (l *Log) write() {
	defer close(l.done)
	sync := time.NewTicker(time.Second)
	defer sync.Stop()
	for {
		select {
		case first := <-l.in:
			l.writeBatch(first)
		case <-sync.C:
			if l.dirty && l.file.Sync() == nil {
				l.dirty = false
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

func (l *Log) writeBatch(first line) {
	batch := []line{first}
	var b bytes.Buffer
	b.Write(first.text)
	b.WriteByte('\n')
	for len(batch) < queue {
		select {
		case next := <-l.in:
			batch = append(batch, next)
			b.Write(next.text)
			b.WriteByte('\n')
			continue
		default:
		}
		break
	}
	err := l.put(b.Bytes())
	for _, w := range batch {
		w.written <- err
	}
}

// put writes whole lines. After a write that came through in part, the file is cut back, so that no torn line stays.
func (l *Log) put(text []byte) error {
	if err := l.roll(); err != nil {
		return err
	}
	end, err := l.file.Seek(0, io.SeekEnd)
	if err != nil {
		return fmt.Errorf("append to audit log: %w", err)
	}
	if _, err := l.file.Write(text); err != nil {
		return fmt.Errorf("append to audit log: %w", errors.Join(err, l.file.Truncate(end)))
	}
	l.dirty = true
	return nil
}

// roll opens the file of the day.
func (l *Log) roll() error {
	day := l.today()
	if l.file != nil && day == l.day {
		return nil
	}
	f, err := os.OpenFile(l.path(day), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	if l.file != nil {
		err = errors.Join(l.file.Sync(), l.file.Close())
	}
	l.file, l.day = f, day
	return err
}

// mend cuts a torn line off the end of a file.
func mend(path string) (cut int64, err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0) //nolint:gosec // a file of the log
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, err
	}
	end := size
	for buf := make([]byte, 64<<10); end > 0; {
		n := min(int64(len(buf)), end)
		if _, err := f.ReadAt(buf[:n], end-n); err != nil {
			return 0, err
		}
		if i := bytes.LastIndexByte(buf[:n], '\n'); i >= 0 {
			end += int64(i) + 1 - n
			break
		}
		end -= n
	}
	if end == size {
		return 0, nil
	}
	return size - end, f.Truncate(end)
}
