package trail

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lakegate/lakegate/internal/store"
)

// LogConfig says where a log is and what it promises.
type LogConfig struct {
	Dir string
	// Now stamps segments and tells when their time is over.
	Now func() time.Time
	// Keep is how long sealed segments are kept, from their last record; zero or less is for ever.
	Keep time.Duration
	// Hold is how many bytes of sealed segments are kept beyond their time for followers that have not had them; zero
	// takes 10 GiB.
	Hold int64
	// SegmentSize is where a new segment begins, in bytes; zero takes 64 MiB. A new day, in UTC, begins one as well.
	SegmentSize int64
	// Failed, which may be nil, is told of records that the disk may have lost after Append returned.
	Failed func(error)
	Log    *slog.Logger
}

const (
	segmentSize = 64 << 20
	holdSize    = 10 << 30
)

// window is how long a record that Append did not force to the disk may wait for it.
const window = 200 * time.Millisecond

// Log is an append-only folder of segments, whose lines are chained by their hashes. Records that arrive together are
// written together and forced to the disk together, by whichever of them came first, so that a crowd of requests waits
// for one answer of the disk and not for one each.
type Log struct {
	cfg  LogConfig
	node string

	// gathering is the batch that the next write takes, until its first record has got hold of writing.
	gate      sync.Mutex
	gathering *batch
	closed    bool

	// writing guards what follows: the end of the log as it is written. file and end.segment change only while forcing is
	// held as well.
	writing sync.Mutex
	file    *os.File
	chain   *chain
	end     mark
	oldest  uint64    // segment
	until   time.Time // when the segment's day is over
	torn    bool      // a write came through in part and could not be taken back
	buf     []byte

	// forcing is held while the disk is waited for. syncing is the round that the next waiters join, suspect says that
	// the disk has refused what the file holds, so that nothing more is to be added to it.
	forcing sync.Mutex
	suspect atomic.Bool
	broken  atomic.Bool

	// marks guards what of the log is written and what is on the disk.
	marks   sync.Mutex
	syncing *round
	written mark
	forced  mark
	lost    span
	more    chan struct{}

	followers followers
	tail      tail
	indexes   indexes

	tending sync.Mutex // held while segments are compressed or removed
	stop    chan struct{}
	sealing chan struct{}
	done    sync.WaitGroup
	closing sync.Once
	last    error
}

// mark is an end of the log: a segment, the bytes in it, and the head of the chain there.
type mark struct {
	segment uint64
	offset  int64
	entry   uint64
	head    Hash
}

// span are the entries that the disk refused, from and to; the last such.
type span struct{ from, to uint64 }

// batch is what one write takes to the file; round is what one sync takes to the disk. done is there when somebody waits
// for the batch besides who writes it.
type batch struct {
	records [][]byte
	done    chan struct{}
	last    uint64 // entry
	err     error
}

type round struct {
	done chan struct{}
	err  error
}

// ErrClosed says that the log takes no more records.
var ErrClosed = errors.New("the audit log is closed")

// OpenLog opens the log in a folder, which it creates, and mends what a crash left. What it found is told besides.
func OpenLog(cfg LogConfig) (*Log, Recovery, error) {
	if cfg.SegmentSize <= 0 {
		cfg.SegmentSize = segmentSize
	}
	if cfg.Hold <= 0 {
		cfg.Hold = holdSize
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, Recovery{}, fmt.Errorf("create audit log: %w", err)
	}
	l := &Log{cfg: cfg, gathering: new(batch), stop: make(chan struct{}), sealing: make(chan struct{}, 1)}
	found, err := l.mend()
	if err != nil {
		return nil, found, fmt.Errorf("mend audit log: %w", err)
	}
	if err := l.begin(found); err != nil {
		return nil, found, errors.Join(fmt.Errorf("open audit log: %w", err), l.closeFile())
	}
	l.done.Add(2)
	go l.keepForcing()
	go l.keepSealing()
	return l, found, nil
}

// begin goes on in the last segment, or begins a new one, and notes what was found.
func (l *Log) begin(found Recovery) error {
	if l.file == nil {
		if err := l.roll(); err != nil {
			return err
		}
	}
	if found.Cut > 0 {
		if err := l.note(noteCut, fmt.Sprintf("%d bytes", found.Cut)); err != nil {
			return err
		}
	}
	if b := found.Damage; b != nil {
		if err := l.note(noteDamage, b.String()); err != nil {
			return err
		}
	}
	l.wake()
	return l.force()
}

// wait is where to wait for the batch. The gate is held.
func (b *batch) wait() <-chan struct{} {
	if b.done == nil {
		b.done = make(chan struct{})
	}
	return b.done
}

// Node is the log's own id, which was made up when it began.
func (l *Log) Node() string { return l.node }

// Head is the end of the chain on the disk.
func (l *Log) Head() Head {
	l.marks.Lock()
	defer l.marks.Unlock()
	return Head{Node: l.node, Entry: l.forced.entry, Hash: l.forced.head}
}

// Append adds records, which are JSON objects on one line each, one behind the other, and returns when the operating
// system has them all; with durable, when the disk has them. When it fails before that, the log has none of them; when it
// is the disk that fails, the log may have them.
func (l *Log) Append(durable bool, records ...[]byte) error {
	l.gate.Lock()
	if l.closed {
		l.gate.Unlock()
		return ErrClosed
	}
	b := l.gathering
	first := len(b.records) == 0
	b.records = append(b.records, records...)
	var written <-chan struct{}
	if !first {
		written = b.wait()
	}
	l.gate.Unlock()
	if first {
		// Requests that are about to end join this write: a page that several fill costs little more than one that one fills.
		// Where nobody else is running, this is over at once.
		runtime.Gosched()
		l.write(b)
	} else {
		<-written
	}
	if b.err != nil || !durable {
		return b.err
	}
	if err := l.force(); err != nil {
		return err
	}
	l.marks.Lock()
	defer l.marks.Unlock()
	if b.last >= l.lost.from && b.last <= l.lost.to {
		return errSuspect
	}
	return nil
}

// write takes a batch to the file. More records join it while it waits for the write before.
func (l *Log) write(b *batch) {
	l.writing.Lock()
	l.gate.Lock()
	l.gathering = new(batch)
	l.gate.Unlock()
	b.err = l.put(b.records)
	b.last = l.end.entry
	l.broken.Store(b.err != nil)
	l.writing.Unlock()
	if b.done != nil {
		close(b.done)
	}
}

// ready makes the file one that lines can be added to: a new segment where one is due, and without what a write left that
// came through in part. writing is held.
func (l *Log) ready() error {
	if l.suspect.Load() || l.end.offset >= l.cfg.SegmentSize || !l.cfg.Now().Before(l.until) {
		if err := l.roll(); err != nil {
			return fmt.Errorf("begin a segment of the audit log: %w", err)
		}
	}
	if l.torn {
		if err := l.file.Truncate(l.end.offset); err != nil {
			return fmt.Errorf("mend audit log: %w", err)
		}
		l.torn = false
	}
	return nil
}

// put writes whole lines. After a write that came through in part the file is cut back, at once or before the next line,
// so that no torn line stays and none is glued to one. writing is held.
func (l *Log) put(entries [][]byte) error {
	if err := l.ready(); err != nil {
		return err
	}
	before := l.chain.head
	l.buf = l.buf[:0]
	for _, e := range entries {
		l.buf = l.chain.appendLine(l.buf, e)
	}
	if n, err := l.file.WriteAt(l.buf, l.end.offset); err != nil {
		l.chain.head = before
		if n > 0 {
			l.torn = l.file.Truncate(l.end.offset) != nil
		}
		return fmt.Errorf("append to audit log: %w", err)
	}
	l.end.offset += int64(len(l.buf))
	l.end.entry += uint64(len(entries))
	l.end.head = l.chain.head
	if cap(l.buf) > maxLine {
		l.buf = nil
	}
	l.marks.Lock()
	l.written = l.end
	l.marks.Unlock()
	return nil
}

// force returns when the disk has everything that was written before it was called.
func (l *Log) force() error {
	l.marks.Lock()
	r := l.syncing
	first := r == nil
	if first {
		r = &round{done: make(chan struct{})}
		l.syncing = r
	}
	l.marks.Unlock()
	if !first {
		<-r.done
		return r.err
	}
	l.forcing.Lock()
	l.marks.Lock()
	l.syncing = nil
	written, forced := l.written, l.forced
	l.marks.Unlock()
	if written != forced {
		r.err = l.sync(written)
	}
	l.forcing.Unlock()
	close(r.done)
	return r.err
}

// sync forces the file to the disk up to a mark that is written. forcing is held.
func (l *Log) sync(upTo mark) error {
	if l.suspect.Load() {
		return errSuspect
	}
	if err := l.file.Sync(); err != nil {
		// A second attempt would report success for pages that the system has dropped.
		l.suspect.Store(true)
		l.broken.Store(true)
		return fmt.Errorf("force audit log to disk: %w", err)
	}
	l.marks.Lock()
	defer l.marks.Unlock()
	l.forced = upTo
	if l.more != nil {
		close(l.more)
		l.more = nil
	}
	return nil
}

var errSuspect = errors.New("force audit log to disk: it has failed before")

// Broken reports whether the last attempt to write failed.
func (l *Log) Broken() bool { return l.broken.Load() }

// Flush forces to the disk what was appended before.
func (l *Log) Flush() error { return l.force() }

// Close writes what waits and forces it to the disk.
func (l *Log) Close() error {
	l.closing.Do(func() {
		l.gate.Lock()
		l.closed = true
		var written <-chan struct{}
		if len(l.gathering.records) > 0 {
			written = l.gathering.wait()
		}
		l.gate.Unlock()
		if written != nil {
			<-written
		}
		l.settle()
		close(l.stop)
		l.done.Wait()
		l.last = errors.Join(l.force(), l.closeFile())
	})
	return l.last
}

// settle returns when the write that is under way has ended.
func (l *Log) settle() {
	l.writing.Lock()
	defer l.writing.Unlock()
}

func (l *Log) closeFile() error {
	l.writing.Lock()
	defer l.writing.Unlock()
	l.forcing.Lock()
	defer l.forcing.Unlock()
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}

// keepForcing bounds how long what was appended without being forced waits for the disk.
func (l *Log) keepForcing() {
	defer l.done.Done()
	tick := time.NewTicker(window)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if l.suspect.Load() {
				continue // it was told already
			}
			if err := l.force(); err != nil && l.cfg.Failed != nil {
				l.cfg.Failed(err)
			}
		case <-l.stop:
			return
		}
	}
}

// roll begins a new segment: a file that has its whole first line before it has its name. writing is held, or the log is
// not yet open.
func (l *Log) roll() error {
	now := l.cfg.Now().UTC()
	next := l.end.segment + 1
	oldest := l.oldest
	if oldest == 0 {
		oldest = next
	}
	header, err := json.Marshal(note{
		Version: logVersion, Kind: noteSegment, Node: l.node, Segment: next, Entry: l.end.entry + 1, Oldest: oldest,
		Previous: l.end.head.String(), Time: now.Format(timeFormat),
	})
	if err != nil {
		return err
	}
	l.forcing.Lock()
	defer l.forcing.Unlock()
	if l.file != nil && !l.suspect.Load() {
		l.marks.Lock()
		written, forced := l.written, l.forced
		l.marks.Unlock()
		if written != forced {
			if err := l.sync(written); err != nil && l.cfg.Failed != nil {
				// Those who waited for the disk are told by their own attempt.
				l.cfg.Failed(err)
			}
		}
	}
	c := newChain(l.end.head)
	line := c.appendLine(nil, header)
	f, err := create(l.cfg.Dir, next, line)
	if err != nil {
		return err
	}
	if l.file != nil {
		_ = l.file.Close()
	}
	l.file, l.chain, l.oldest, l.torn, l.until = f, c, oldest, false, dayAfter(now)
	l.end = mark{segment: next, offset: int64(len(line)), entry: l.end.entry + 1, head: c.head}
	l.suspect.Store(false)
	l.marks.Lock()
	if l.forced.entry < l.written.entry {
		l.lost = span{from: l.forced.entry + 1, to: l.written.entry}
	}
	l.written, l.forced = l.end, l.end
	if l.more != nil {
		close(l.more)
		l.more = nil
	}
	l.marks.Unlock()
	l.cfg.Log.Info("the audit log begins a segment", slog.Uint64("segment", next), slog.String("head", Head{Node: l.node, Entry: l.end.entry, Hash: l.end.head}.String()))
	l.wake()
	return nil
}

// dayAfter is the beginning of the next day.
func dayAfter(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour).Add(24 * time.Hour) }

// create makes the file of a segment with its first line, on the disk with its name.
func create(dir string, n uint64, line []byte) (f *os.File, err error) {
	path := segmentPath(dir, n, plainEnd)
	if _, err := os.Lstat(path); err == nil {
		return nil, fmt.Errorf("%s is in the way", path)
	}
	temporary := filepath.Join(dir, "next.tmp")
	if f, err = os.OpenFile(temporary, os.O_CREATE|os.O_RDWR|os.O_TRUNC, 0o600); err != nil { //nolint:gosec // a file of the log
		return nil, err
	}
	_, err = f.WriteAt(line, 0)
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = os.Rename(temporary, path)
	}
	if err == nil {
		if err = store.SyncDir(dir); err != nil {
			// It has no right to be there before its name is on the disk; the next attempt makes it anew.
			err = errors.Join(err, os.Remove(path))
		}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// note appends an entry about the log itself. writing is held, or the log is not yet open.
func (l *Log) note(kind, detail string) error {
	if err := l.ready(); err != nil {
		return err
	}
	entry, err := json.Marshal(note{
		Version: logVersion, Kind: kind, Node: l.node, Segment: l.end.segment, Entry: l.end.entry + 1, Oldest: l.oldest,
		Time: l.cfg.Now().UTC().Format(timeFormat), Detail: detail,
	})
	if err != nil {
		return err
	}
	return l.put([][]byte{entry})
}

func newNode() string {
	var id [8]byte
	_, _ = rand.Read(id[:]) // crypto/rand never fails
	return hex.EncodeToString(id[:])
}
