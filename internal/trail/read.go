package trail

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"
)

// Position is a place between two records of a log. Its text is a token that stays valid over restarts. The zero
// Position is before the oldest record that is kept.
type Position struct {
	// Node is the log's, and Segment and Offset say where in it the next record is looked for: a segment, and bytes of it
	// before it was compressed.
	Node    string
	Segment uint64
	Offset  int64
}

func (p Position) String() string {
	if p == (Position{}) {
		return ""
	}
	return fmt.Sprintf("%s/%d/%d", p.Node, p.Segment, p.Offset)
}

// ParsePosition reads what String wrote.
func ParsePosition(s string) (p Position, err error) {
	if s == "" {
		return p, nil
	}
	parts := strings.Split(s, "/")
	if len(parts) != 3 || !isNode(parts[0]) {
		return p, fmt.Errorf("%.100q is not a position in an audit log", s)
	}
	segment, err1 := strconv.ParseUint(parts[1], 10, 63)
	offset, err2 := strconv.ParseInt(parts[2], 10, 64)
	if err1 != nil || err2 != nil || segment == 0 || offset < 0 {
		return p, fmt.Errorf("%.100q is not a position in an audit log", s)
	}
	return Position{Node: parts[0], Segment: segment, Offset: offset}, nil
}

var (
	// ErrPositionGone says that the records after a position were removed, since their time was over.
	ErrPositionGone = errors.New("the records after this position are no longer kept")
	// ErrPositionUnknown says that a position is not one of the log: another node's, or beyond its end.
	ErrPositionUnknown = errors.New("the audit log does not have this position")
)

// Read calls visit with each record after a position, in the order of the log, and the position after the record, until
// it has caught up with what is on the disk; what is only on its way there comes with the next call. The record is as it
// was appended, without its hash, and is visit's to keep only until it returns. An error of visit ends the reading and is
// returned as it is. Lines that are no whole records are passed over: Verify tells of them.
func (l *Log) Read(ctx context.Context, from Position, visit func(next Position, record []byte) error) error {
	return l.Lines(ctx, from, undamaged(visit))
}

// undamaged passes over damage.
func undamaged(visit func(next Position, record []byte) error) func(Line) error {
	return func(l Line) error {
		if l.Damage != "" {
			return nil
		}
		return visit(l.Next, l.Record)
	}
}

// Lines is Read that tells of damage as well: whoever is brought the log must not miss what somebody has spoilt.
func (l *Log) Lines(ctx context.Context, from Position, visit func(Line) error) error {
	end := l.Position()
	if from != (Position{}) && (from.Node != l.node || from.Segment > end.Segment || from.Segment == end.Segment && from.Offset > end.Offset) {
		return fmt.Errorf("read audit log from %s: %w", from, ErrPositionUnknown)
	}
	return read(ctx, l.cfg.Dir, l.node, from, end, visit)
}

// Position is the end of what Read has to give.
func (l *Log) Position() Position {
	l.marks.Lock()
	defer l.marks.Unlock()
	return Position{Node: l.node, Segment: l.forced.segment, Offset: l.forced.offset}
}

// Appended returns a channel that is closed as soon as there is more to read than when it was called. Ask first, read
// then, and wait last, so that nothing is missed.
func (l *Log) Appended() <-chan struct{} {
	l.marks.Lock()
	defer l.marks.Unlock()
	if l.more == nil {
		l.more = make(chan struct{})
	}
	return l.more
}

// ReadDir is Read for a log that nobody has open here: a copy, or another process's, of which it reads up to the last
// whole line.
func ReadDir(ctx context.Context, dir string, from Position, visit func(next Position, record []byte) error) error {
	all, err := segmentsIn(dir)
	if err != nil {
		return fmt.Errorf("read audit log: %w", err)
	}
	if len(all) == 0 {
		return nil
	}
	node := from.Node
	for _, s := range all {
		// One with a damaged beginning does not keep the others from being read.
		if h, err := headerOf(dir, s.number); err == nil {
			node = h.Node
			break
		}
	}
	last := all[len(all)-1].number
	if from != (Position{}) && (from.Node != node || from.Segment > last) {
		return fmt.Errorf("read audit log from %s: %w", from, ErrPositionUnknown)
	}
	return read(ctx, dir, node, from, Position{Node: node, Segment: last, Offset: -1}, undamaged(visit))
}

// read goes through the segments up to an end, whose offset may be -1 for the last whole line.
func read(ctx context.Context, dir, node string, from, end Position, visit func(Line) error) error {
	all, err := segmentsIn(dir)
	if err != nil {
		return fmt.Errorf("read audit log: %w", err)
	}
	start, found := find(all, from.Segment)
	if from != (Position{}) && !found {
		return fmt.Errorf("read audit log from %s: %w", from, ErrPositionGone)
	}
	for i, s := range all[start:] {
		if s.number > end.Segment {
			break
		}
		p := Position{Node: node, Segment: s.number}
		if i > 0 {
			if before := all[start+i-1].number; s.number != before+1 {
				if err := visit(Line{Next: p, Damage: fmt.Sprintf("what is between segments %d and %d is missing", before, s.number)}); err != nil {
					return err
				}
			}
		}
		if s.number == from.Segment {
			p.Offset = from.Offset
		}
		limit := int64(-1)
		if s.number == end.Segment {
			limit = end.Offset
		}
		err := readSegment(ctx, dir, p, limit, visit)
		if spoilt, ok := errors.AsType[*spoiltError](err); ok && start+i+1 < len(all) && s.number < end.Segment {
			// What was written later is whole, and is not to wait for what nobody can mend.
			next := Position{Node: node, Segment: all[start+i+1].number}
			err = visit(Line{Next: next, Record: spoilt.rest, Damage: fmt.Sprintf("segment %d cannot be read after %d: %v", s.number, spoilt.offset, spoilt.cause)})
		} else if ok && (errors.Is(err, errTorn) || errors.Is(err, errLong) || errors.Is(err, errEmpty)) {
			err = nil // where the log grows, an end that is not whole is on its way, or found by the next start
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// spoiltError says that the rest of a segment is not what was written. A disk that does not answer is another error: it may
// answer later.
type spoiltError struct {
	cause  error
	rest   []byte
	offset int64
}

func (e *spoiltError) Error() string { return e.cause.Error() }
func (e *spoiltError) Unwrap() error { return e.cause }

// spoilt tells what no disk says from what one does.
func spoilt(err error, rest []byte, offset int64) error {
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		return err
	}
	return &spoiltError{cause: err, rest: rest, offset: offset}
}

// readSegment visits the lines of one segment, up to a limit unless that is negative.
func readSegment(ctx context.Context, dir string, p Position, limit int64, visit func(Line) error) error {
	if limit >= 0 && p.Offset >= limit {
		return nil
	}
	r, err := openSegment(dir, p.Segment, p.Offset)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read audit log from %s: %w", p, ErrPositionGone)
	}
	if err != nil {
		return fmt.Errorf("read audit log from %s: %w", p, spoilt(err, nil, p.Offset))
	}
	defer func() { _ = r.close() }()
	for limit < 0 || r.offset < limit {
		if err := ctx.Err(); err != nil {
			return err
		}
		line, err := r.next()
		if errors.Is(err, io.EOF) && r.offset > 0 {
			return nil
		}
		if errors.Is(err, io.EOF) {
			err = errEmpty
		}
		if err != nil {
			return fmt.Errorf("read audit log from %s: %w", p, spoilt(err, line, p.Offset))
		}
		if limit >= 0 && r.offset > limit {
			return nil
		}
		p.Offset = r.offset
		l := Line{Next: p, Record: line}
		record, ok := entryOf(line)
		switch {
		case !ok:
			l.Damage = "a line has no hash"
		case isNote(record):
			// What only looks like a note would hide a record behind it.
			if n, err := noteIn(record); err == nil && n.Node == p.Node && n.Segment == p.Segment && slices.Contains(noteKinds, n.Kind) {
				continue
			}
			l.Damage = "a line looks like a note of the log and is none"
		default:
			l.Record = record
		}
		if err := visit(l); err != nil {
			return err
		}
	}
	return nil
}
