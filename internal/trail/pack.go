package trail

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math"
	"os"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/lakegate/lakegate/internal/trail/index"
)

// A sealed segment is compressed in blocks, one zstd frame each, which together are a zstd file like any other. Its index
// says where each block is and what can be in it.
const (
	indexEnd = ".index"
	// packedBlock is how large a block is before compression, to the end of a line.
	packedBlock = 256 << 10
)

// pack compresses a segment and gives its index.
func (l *Log) pack(out io.Writer, in io.Reader) (*index.Builder, error) {
	z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderCRC(true))
	if err != nil {
		return nil, err
	}
	defer z.Close() //nolint:errcheck // it writes nowhere
	found := index.NewBuilder()
	lines := bufio.NewReaderSize(in, packedBlock)
	var plain, packed []byte
	start, at := 0, 0
	for {
		select {
		case <-l.stop:
			return nil, ErrClosed
		default:
		}
		if plain, err = nextBlock(lines, plain[:0]); err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		if len(plain) == 0 {
			return found, nil
		}
		packed = z.EncodeAll(plain, packed[:0])
		if start+len(plain) > math.MaxUint32 {
			return nil, fmt.Errorf("a segment of more than %d bytes", uint32(math.MaxUint32))
		}
		if err := gatherBlock(found, plain, start, at, len(packed)); err != nil {
			return nil, err
		}
		if _, err := out.Write(packed); err != nil {
			return nil, err
		}
		start, at = start+len(plain), at+len(packed)
	}
}

// nextBlock reads whole lines until there is enough for a block; only the end of a file can be without a newline. With the
// last ones it may return io.EOF.
func nextBlock(lines *bufio.Reader, block []byte) ([]byte, error) {
	for len(block) < packedBlock {
		line, err := lines.ReadSlice('\n')
		block = append(block, line...)
		for errors.Is(err, bufio.ErrBufferFull) && len(block) < packedBlock+maxLine {
			line, err = lines.ReadSlice('\n')
			block = append(block, line...)
		}
		if err != nil {
			return block, err
		}
	}
	return block, nil
}

// gatherBlock takes the terms of a block's records into an index.
func gatherBlock(found *index.Builder, plain []byte, start, at, packed int) error {
	block := index.Block{Start: uint32(start), Size: uint32(len(plain)), At: uint32(at), Packed: uint32(packed), First: math.MaxInt64, Last: math.MinInt64} //nolint:gosec // bounded by who calls
	for len(plain) > 0 {
		line := plain
		if end := bytes.IndexByte(plain, '\n'); end >= 0 {
			line = plain[:end+1]
		}
		plain = plain[len(line):]
		record, _, ok := parseLine(line)
		if !ok || isNote(record) {
			continue
		}
		when := gather(record, found.Add).Unix()
		block.First, block.Last = min(block.First, when), max(block.Last, when)
	}
	return found.End(block)
}

// writeIndex puts the index of a sealed segment beside it.
func (l *Log) writeIndex(n uint64, at time.Time, found *index.Builder) error {
	sealed, err := os.Open(segmentPath(l.cfg.Dir, n, sealedEnd))
	if err != nil {
		return err
	}
	defer func() { _ = sealed.Close() }()
	of, err := l.markOf(n, sealed)
	if err != nil {
		return fmt.Errorf("index segment %d of the audit log: %w", n, err)
	}
	return l.replace(segmentPath(l.cfg.Dir, n, indexEnd), at, func(out io.Writer) error {
		_, err := out.Write(found.Append(nil, of))
		return err
	})
}

// markOf tells a sealed segment from every other: by the log's node, its number, its size, and the checksum of its last
// block, with which it ends. Two segments can well be of one size.
func (l *Log) markOf(n uint64, sealed *os.File) (uint64, error) {
	info, err := sealed.Stat()
	if err != nil {
		return 0, err
	}
	var end [4]byte
	if _, err := sealed.ReadAt(end[:], max(info.Size()-int64(len(end)), 0)); err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	mark := fnv.New64a()
	fmt.Fprintf(mark, "%s %d %d %x", l.node, n, info.Size(), end)
	return mark.Sum64(), nil
}

// indexes remembers which indexes were read whole and found to be what was written, so that the next question reads of
// them only what it needs.
type indexes struct {
	mu    sync.Mutex
	known map[uint64]knownIndex
}

type knownIndex struct {
	found *index.Index
	size  int64
	at    time.Time
}

// openSealed opens a sealed segment with its index. One that is missing, damaged or another segment's is made anew.
func (l *Log) openSealed(n uint64) (*opened, error) {
	if o, err := l.openIndexed(n); err == nil {
		return o, nil
	}
	l.tending.Lock()
	defer l.tending.Unlock()
	if o, err := l.openIndexed(n); err == nil {
		return o, nil // somebody else made it
	}
	if err := l.reindex(n); err != nil {
		return nil, err
	}
	return l.openIndexed(n)
}

// openIndexed opens a sealed segment that has its own index.
func (l *Log) openIndexed(n uint64) (_ *opened, err error) {
	sealed, err := os.Open(segmentPath(l.cfg.Dir, n, sealedEnd))
	if err != nil {
		return nil, err
	}
	found, err := os.Open(segmentPath(l.cfg.Dir, n, indexEnd))
	if err != nil {
		return nil, errors.Join(err, sealed.Close())
	}
	x, err := l.indexIn(n, found, sealed)
	if err != nil {
		return nil, errors.Join(err, found.Close(), sealed.Close())
	}
	return &opened{Lookup: x.In(found), file: sealed, found: found}, nil
}

// indexIn reads the index of a sealed segment, as a whole once.
func (l *Log) indexIn(n uint64, found, sealed *os.File) (*index.Index, error) {
	info, err := found.Stat()
	if err != nil {
		return nil, err
	}
	of, err := l.markOf(n, sealed)
	if err != nil {
		return nil, err
	}
	l.indexes.mu.Lock()
	defer l.indexes.mu.Unlock()
	if k, ok := l.indexes.known[n]; ok && k.size == info.Size() && k.at.Equal(info.ModTime()) && k.found.Of() == of {
		return k.found, nil
	}
	text, err := io.ReadAll(found)
	if err != nil {
		return nil, err
	}
	x, err := index.Parse(text)
	if err == nil && x.Of() != of {
		err = errors.New("the index is another segment's")
	}
	if err != nil {
		return nil, err
	}
	if l.indexes.known == nil {
		l.indexes.known = map[uint64]knownIndex{}
	}
	x = x.In(nil)
	l.indexes.known[n] = knownIndex{found: x, size: info.Size(), at: info.ModTime()}
	return x, nil
}

// reindex makes the index of a sealed segment from its content. One that was compressed as a whole is compressed again in
// blocks. tending is held.
func (l *Log) reindex(n uint64) error {
	info, err := os.Stat(segmentPath(l.cfg.Dir, n, sealedEnd))
	if err != nil {
		return err
	}
	r, err := openSegment(l.cfg.Dir, n, 0)
	if err != nil {
		return err
	}
	defer func() { _ = r.close() }()
	var found *index.Builder
	err = l.replace(segmentPath(l.cfg.Dir, n, sealedEnd), info.ModTime(), func(out io.Writer) (err error) {
		found, err = l.pack(out, r.r)
		return err
	})
	if err != nil {
		return fmt.Errorf("index segment %d of the audit log: %w", n, err)
	}
	return l.writeIndex(n, info.ModTime(), found)
}
