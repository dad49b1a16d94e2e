package trail

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"slices"

	"github.com/klauspost/compress/zstd"

	"github.com/lakegate/lakegate/internal/trail/index"
)

// Hit is a record that was found, and where it stands.
type Hit struct {
	// At is the position before the record, Next the one behind it.
	At, Next Position
	Record   []byte
}

// Direction is the order in which records are found.
type Direction bool

// The directions.
const (
	Forward  Direction = false // the oldest first, from a position on
	Backward Direction = true  // the newest first, before a position
)

// maxLooked bounds what one search reads, in bytes of uncompressed log.
const maxLooked = 64 << 20

// Search calls visit with the records that a filter looks for, from a position in a direction; the zero Position is the end
// of the log that comes first. It ends when visit returns false, at the log's other end, or after it has read as much as one
// search may; then more is true, and next is where another one goes on. The record is visit's until it returns.
func (l *Log) Search(ctx context.Context, f *Filter, from Position, d Direction, visit func(Hit) bool) (next Position, more bool, err error) {
	end := l.Position()
	if from != (Position{}) && (from.Node != l.node || from.Segment > end.Segment || from.Segment == end.Segment && from.Offset > end.Offset) {
		return from, false, fmt.Errorf("search audit log from %s: %w", from, ErrPositionUnknown)
	}
	all, err := segmentsIn(l.cfg.Dir)
	if err != nil {
		return from, false, fmt.Errorf("search audit log: %w", err)
	}
	s := &searching{log: l, filter: f, terms: f.terms(), traces: f.traces(), end: end, visit: visit, left: maxLooked}
	defer s.memory.close()
	if from == (Position{}) && d == Backward {
		from = end
	}
	start, found := find(all, from.Segment)
	if d == Forward {
		for _, x := range all[start:] {
			begin := int64(0)
			if x.number == from.Segment {
				begin = from.Offset
			}
			if x.number > end.Segment {
				break
			}
			next, more, err := s.segment(ctx, x.number, begin, math.MaxInt64, d)
			if err != nil || more {
				return next, more, err
			}
		}
		return end, false, nil
	}
	if !found {
		start--
	}
	for ; start >= 0; start-- {
		limit := int64(math.MaxInt64)
		if all[start].number == from.Segment {
			limit = from.Offset
		}
		next, more, err := s.segment(ctx, all[start].number, 0, limit, d)
		if err != nil || more {
			return next, more, err
		}
	}
	return Position{}, false, nil
}

// searching is one search.
type searching struct {
	log    *Log
	filter *Filter
	terms  [][]index.Term
	traces [][][]byte
	end    Position
	visit  func(Hit) bool
	left   int64
	lines  []int  // beginnings of the lines of a block
	small  []byte // the block in small letters
	memory unpacking
}

// promising reports whether a line has a trace of everything that is looked for.
func (s *searching) promising(line []byte) bool {
	for _, list := range s.traces {
		if !slices.ContainsFunc(list, func(trace []byte) bool { return bytes.Contains(line, trace) }) {
			return false
		}
	}
	return true
}

// segment searches one segment between two offsets.
func (s *searching) segment(ctx context.Context, n uint64, from, to int64, d Direction) (next Position, more bool, err error) {
	at := func(offset int64) Position { return Position{Node: s.log.node, Segment: n, Offset: offset} }
	if n == s.end.Segment {
		to = min(to, s.end.Offset)
	}
	open, err := s.log.openBlocks(n, s.end)
	if errors.Is(err, fs.ErrNotExist) {
		return next, false, nil // its time was over in between
	}
	if err != nil {
		return next, false, s.unreadable(err, fmt.Sprintf("segment %d of the audit log of node %s", n, s.log.node))
	}
	defer open.close()
	blocks := open.Blocks()
	if len(blocks) == 0 && n < s.end.Segment {
		return next, false, s.unreadable(errEmpty, fmt.Sprintf("segment %d of the audit log of node %s", n, s.log.node))
	}
	numbers := s.candidates(open, blocks)
	for i := range numbers {
		k := blocks[numbers[i]]
		if d == Backward {
			k = blocks[numbers[len(numbers)-1-i]]
		}
		if int64(k.Start) >= to || int64(k.Start)+int64(k.Size) <= from {
			continue
		}
		if err := ctx.Err(); err != nil {
			return next, false, err
		}
		if s.left <= 0 {
			if d == Backward {
				return at(int64(k.Start) + int64(k.Size)), true, nil
			}
			return at(max(from, int64(k.Start))), true, nil
		}
		s.left -= int64(k.Size)
		text, err := open.read(k, &s.memory)
		if err != nil {
			if err := s.unreadable(err, fmt.Sprintf("segment %d of the audit log of node %s between %d and %d", n, s.log.node, k.Start, int64(k.Start)+int64(k.Size))); err != nil {
				return next, false, err
			}
			continue
		}
		if stop, going := s.block(text, k, from, to, d, at); !going {
			return stop, true, nil
		}
	}
	return next, false, nil
}

// unreadable makes of an error one of the search, unless it is told of. What a disk does not give is always an error: it may
// give it later.
func (s *searching) unreadable(err error, what string) error {
	if _, ok := errors.AsType[*spoiltError](spoilt(err, nil, 0)); !ok || s.filter.Damaged == nil {
		return fmt.Errorf("search %s: %w", what, err)
	}
	s.filter.Damaged(what + " cannot be read: " + err.Error())
	return nil
}

// candidates are the numbers of the blocks in which something can be.
func (s *searching) candidates(x index.Lookup, blocks []index.Block) []uint16 {
	var numbers []uint16
	for i, list := range s.terms {
		var with []uint16
		for _, t := range list {
			with = index.Or(with, x.With(t))
		}
		if i == 0 {
			numbers = with
		} else {
			numbers = index.And(numbers, with)
		}
		if len(numbers) == 0 {
			return nil
		}
	}
	if len(s.terms) == 0 {
		for i := range blocks {
			numbers = append(numbers, uint16(i)) //nolint:gosec // bounded
		}
	}
	if s.filter.From.IsZero() && s.filter.To.IsZero() {
		return numbers
	}
	inTime := numbers[:0]
	for _, n := range numbers {
		k := blocks[n]
		if (s.filter.From.IsZero() || k.Last >= s.filter.From.Unix()) && (s.filter.To.IsZero() || k.First <= s.filter.To.Unix()) {
			inTime = append(inTime, n)
		}
	}
	return inTime
}

// block looks at the lines of a block that lie between two offsets. It returns where to go on when visit has enough.
func (s *searching) block(text []byte, k index.Block, from, to int64, d Direction, at func(int64) Position) (stop Position, going bool) {
	s.lines = s.lines[:0]
	for i := 0; i < len(text); {
		s.lines = append(s.lines, i)
		end := bytes.IndexByte(text[i:], '\n')
		if end < 0 {
			break
		}
		i += end + 1
	}
	searchable := text
	if len(s.traces) > 0 {
		s.small = lowered(text, s.small)
		searchable = s.small
	}
	for i := range s.lines {
		n := i
		if d == Backward {
			n = len(s.lines) - 1 - i
		}
		begin, end := s.lines[n], len(text)
		if n+1 < len(s.lines) {
			end = s.lines[n+1]
		}
		first, last := int64(k.Start)+int64(begin), int64(k.Start)+int64(end)
		if first < from || last > to || !s.promising(searchable[begin:end]) {
			continue
		}
		record, ok := entryOf(text[begin:end])
		if !ok || isNote(record) || !s.filter.matches(record) {
			continue
		}
		if !s.visit(Hit{At: at(first), Next: at(last), Record: record}) {
			if d == Backward {
				return at(first), false
			}
			return at(last), false
		}
	}
	return stop, true
}

// opened is a segment whose blocks can be read one by one.
type opened struct {
	index.Lookup
	file  *os.File
	found io.Closer // nil for one that is not sealed
}

// openBlocks opens a segment with its index.
func (l *Log) openBlocks(n uint64, end Position) (*opened, error) {
	f, err := os.Open(segmentPath(l.cfg.Dir, n, plainEnd))
	if err == nil {
		limit := int64(math.MaxInt64)
		if n == end.Segment {
			limit = end.Offset
		}
		x, err := l.tail.of(n, f, limit)
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		return &opened{Lookup: x, file: f}, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return l.openSealed(n)
}

func (o *opened) close() {
	_ = o.file.Close()
	if o.found != nil {
		_ = o.found.Close()
	}
}

// unpacking is the memory in which blocks are read, and what decompresses them.
type unpacking struct {
	z    *zstd.Decoder
	raw  []byte
	text []byte
}

func (u *unpacking) close() {
	if u.z != nil {
		u.z.Close()
	}
}

// read gives a block's text, which is valid until the next call with the same memory.
func (o *opened) read(k index.Block, u *unpacking) (text []byte, err error) {
	if o.found == nil {
		u.text = resized(u.text, int(k.Size))
		_, err := o.file.ReadAt(u.text, int64(k.Start))
		return u.text, err
	}
	if u.z == nil {
		if u.z, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxWindow)); err != nil {
			return nil, err
		}
	}
	u.raw = resized(u.raw, int(k.Packed))
	if _, err := o.file.ReadAt(u.raw, int64(k.At)); err != nil {
		return nil, err
	}
	text, err = u.z.DecodeAll(u.raw, u.text[:0])
	if err == nil && len(text) != int(k.Size) {
		err = errors.New("a block has not the size that the index says")
	}
	u.text = text
	return text, err
}

func resized(b []byte, n int) []byte {
	if cap(b) < n {
		return make([]byte, n)
	}
	return b[:n]
}
