package trail

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"
)

// Recovery is what a start found that the last run left in the log.
type Recovery struct {
	// Cut is how many bytes were cut off the end: of a write that a crash interrupted, so that nobody had been told that
	// it was done; or, after a loss of power, of what the disk had not yet taken. Where whole lines were among them, they
	// are in the file CutTo.
	Cut   int64
	CutTo string
	// Damage is a line that does not continue the chain and that no crash explains. It stays where it is, with all that
	// follows it, and the log goes on in a new segment.
	Damage *Break
}

// Break is the first place where a log is not what was written.
type Break struct {
	Segment uint64
	// Offset is that of the line, in bytes of the uncompressed segment.
	Offset int64
	What   string
}

func (b *Break) String() string {
	return fmt.Sprintf("segment %d, offset %d: %s", b.Segment, b.Offset, b.What)
}

// mend reads the last segment, which alone a crash can have touched, and opens it to be continued where that is possible.
func (l *Log) mend() (found Recovery, err error) {
	all, err := segmentsIn(l.cfg.Dir)
	if err != nil {
		return found, err
	}
	if len(all) == 0 {
		l.node = newNode()
		return found, nil
	}
	l.oldest = all[0].number
	last := all[len(all)-1]
	damaged := func(offset int64, what string) (Recovery, error) {
		l.end.segment = last.number
		found.Damage = &Break{Segment: last.number, Offset: offset, What: what}
		return found, nil
	}
	at, header, why := lastHeader(l.cfg.Dir, all)
	if l.node = header.Node; l.node == "" {
		// No segment tells which log it is: another one begins here.
		l.node = newNode()
		return damaged(0, why.Error())
	}
	if !l.end.head.read([]byte(header.Previous)) {
		return damaged(0, "its first line has no hash of the entry before")
	}
	w, err := walkSegment(l.cfg.Dir, at.number, l.end.head, header.Entry-1, nil)
	if err != nil {
		return found, err
	}
	l.end = w.end
	switch {
	case at != last:
		return damaged(0, why.Error())
	case w.what != "" && !w.torn:
		return damaged(w.end.offset, w.what)
	case !last.plain:
		return found, nil // it was sealed; a new one begins
	}
	err = l.resume(header, w, &found)
	return found, err
}

// lastHeader finds the last segment whose first line can be read, and says why that is not the last of all.
func lastHeader(dir string, all []segment) (at segment, header note, why error) {
	for _, s := range slices.Backward(all) {
		h, err := headerOf(dir, s.number)
		if err == nil {
			return s, h, why
		}
		if why == nil {
			why = err
		}
	}
	return at, header, why
}

// resume opens the last segment for more lines, after it has cut off what is torn.
func (l *Log) resume(header note, w walked, found *Recovery) (err error) {
	path := segmentPath(l.cfg.Dir, w.end.segment, plainEnd)
	if w.torn {
		if found.CutTo, found.Cut, err = setAside(path, w.end.offset); err != nil {
			return err
		}
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0) //nolint:gosec // a file of the log
	if err != nil {
		return err
	}
	if err := f.Truncate(w.end.offset); err != nil {
		return errors.Join(err, f.Close())
	}
	// Lines that the last run wrote and did not force are about to be built upon.
	if err := f.Sync(); err != nil {
		return errors.Join(err, f.Close())
	}
	began, err := time.Parse(timeFormat, header.Time)
	if err != nil {
		began = l.cfg.Now()
	}
	l.file, l.chain, l.until = f, newChain(w.end.head), dayAfter(began)
	l.written, l.forced = w.end, w.end
	return nil
}

// walked is how far the chain of a segment holds.
type walked struct {
	end  mark
	what string // why it ends there, "" at the end of the file
	torn bool   // a crash explains why
	open int64  // bytes of a line that does not end
}

// walkSegment follows the chain through a segment from the hash before it. visit, which may be nil, is called with each
// line and the mark after it.
func walkSegment(dir string, n uint64, before Hash, entry uint64, visit func(line []byte, at mark)) (w walked, err error) {
	r, err := openSegment(dir, n, 0)
	if err != nil {
		return w, err
	}
	defer func() { _ = r.close() }()
	c := newChain(before)
	w.end = mark{segment: n, entry: entry, head: before}
	for {
		line, err := r.next()
		switch {
		case errors.Is(err, io.EOF):
			return w, nil
		case errors.Is(err, errTorn):
			w.what, w.torn, w.open = err.Error(), true, int64(len(line))
			return w, nil
		case errors.Is(err, errLong):
			w.what = err.Error()
			return w, nil
		case err != nil:
			return w, err
		}
		if !c.follows(line) {
			w.what = "the line does not continue the chain: it was altered, or lines before it are missing"
			if bytes.IndexByte(line, 0) >= 0 {
				// No line has a zero byte: it stands for pages that the disk had not taken when the power went.
				w.what, w.torn = "the line was not written in whole", true
			}
			return w, nil
		}
		w.end.offset, w.end.head = r.offset, c.head
		w.end.entry++
		if visit != nil {
			visit(line, w.end)
		}
	}
}

// setAside copies the end of a file to another one if there are whole lines in it: what only seems to be a torn end is
// not to be lost.
func setAside(path string, from int64) (to string, size int64, err error) {
	f, err := os.Open(path) //nolint:gosec // a file of the log
	if err != nil {
		return "", 0, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return "", 0, err
	}
	size = info.Size() - from
	text := make([]byte, min(size, maxLine))
	if _, err := f.ReadAt(text, from); err != nil && !errors.Is(err, io.EOF) {
		return "", 0, err
	}
	if size <= maxLine && bytes.IndexByte(text, '\n') < 0 {
		return "", size, nil
	}
	to = fmt.Sprintf("%s.%d.cut", path, from)
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600) //nolint:gosec // a file of the log
	if err != nil {
		return "", 0, err
	}
	_, err = io.Copy(out, io.NewSectionReader(f, from, size))
	return to, size, errors.Join(err, out.Sync(), out.Close())
}

// lookBackSegments are how many segments at the end of the log are searched for what the outbox still holds. Between the line and
// the note in the database that it is written there are milliseconds.
const lookBackSegments = 2

// loggedAlready finds which of the events have a line at the end of the log.
func (l *Log) loggedAlready(ctx context.Context, ids map[string]bool) (map[string]bool, error) {
	found := map[string]bool{}
	all, err := segmentsIn(l.cfg.Dir)
	if err != nil {
		return nil, err
	}
	for _, s := range all[max(0, len(all)-lookBackSegments):] {
		err := readSegment(ctx, l.cfg.Dir, Position{Node: l.node, Segment: s.number}, -1, undamaged(func(_ Position, record []byte) error {
			if id := eventID(record); ids[id] {
				found[id] = true
			}
			return nil
		}))
		// What is spoilt is told elsewhere; at the worst an event is there twice, with the same id.
		if _, damaged := errors.AsType[*spoiltError](err); err != nil && !damaged {
			return nil, err
		}
	}
	return found, nil
}

// eventID reads the id from a record. It is the last member of that name: those before it are parameters, in which
// somebody may have written anything.
func eventID(record []byte) string {
	const name = `"eventID":"`
	i := bytes.LastIndex(record, []byte(name))
	if i < 0 {
		return ""
	}
	id, _, ok := bytes.Cut(record[i+len(name):], []byte{'"'})
	if !ok {
		return ""
	}
	return string(id)
}
