package trail

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// A segment is a file of a log: NNNNNNNNNNNN.jsonl while lines are added to it, and after it was sealed the same bytes,
// compressed, as NNNNNNNNNNNN.jsonl.zst. Segments are numbered from 1, whatever the clock says.
const (
	plainEnd  = ".jsonl"
	sealedEnd = ".jsonl.zst"
	nameWidth = 12
)

func segmentPath(dir string, n uint64, end string) string {
	return filepath.Join(dir, fmt.Sprintf("%0*d%s", nameWidth, n, end))
}

// segmentOf reads the number of a segment from the name of its file.
func segmentOf(name string) (n uint64, sealed, ok bool) {
	digits, sealed := strings.CutSuffix(name, sealedEnd)
	if !sealed {
		if digits, ok = strings.CutSuffix(name, plainEnd); !ok {
			return 0, false, false
		}
	}
	if len(digits) != nameWidth {
		return 0, false, false
	}
	n, err := strconv.ParseUint(digits, 10, 63)
	return n, sealed, err == nil && n > 0
}

// segment is one that is in the folder; plain says that its file can still grow or was not yet compressed.
type segment struct {
	number uint64
	plain  bool
}

// segmentsIn lists the segments of a folder in their order. Of one that is there twice, since a crash came between its
// compression and the removal of the original, the original counts.
func segmentsIn(dir string) ([]segment, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var all []segment
	// The names sort by number, and of one number the original before the compressed one.
	for _, f := range files {
		n, sealed, ok := segmentOf(f.Name())
		if !ok || len(all) > 0 && all[len(all)-1].number == n {
			continue
		}
		all = append(all, segment{number: n, plain: !sealed})
	}
	return all, nil
}

// openSegment opens a segment to be read from an offset in its uncompressed bytes.
func openSegment(dir string, n uint64, offset int64) (*lineReader, error) {
	f, err := os.Open(segmentPath(dir, n, plainEnd))
	if err == nil {
		if _, err := f.Seek(offset, io.SeekStart); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		return &lineReader{r: bufio.NewReaderSize(f, readSize), offset: offset, close: f.Close}, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if f, err = os.Open(segmentPath(dir, n, sealedEnd)); err != nil {
		return nil, err
	}
	z, err := zstd.NewReader(f, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxWindow))
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	r := &lineReader{r: bufio.NewReaderSize(z, readSize), offset: offset, close: func() error { z.Close(); return f.Close() }}
	if _, err := io.CopyN(io.Discard, r.r, offset); err != nil {
		return nil, errors.Join(fmt.Errorf("read segment %d up to %d: %w", n, offset, err), r.close())
	}
	return r, nil
}

const (
	readSize = 256 << 10
	// maxWindow bounds what a compressed segment may ask of memory.
	maxWindow = 64 << 20
)

// lineReader reads the lines of a segment.
type lineReader struct {
	r      *bufio.Reader
	long   []byte
	offset int64 // of the next line
	close  func() error
}

// errTorn says that a segment ends in the middle of a line, errLong that a line is longer than any that was written.
var (
	errTorn = errors.New("the line does not end")
	errLong = errors.New("the line is longer than any that is written")
	// errEmpty says that a segment has not even its first line.
	errEmpty = errors.New("there is nothing in it")
)

// next returns the next line with its newline, which is valid until the call after; io.EOF at the end. With errTorn it
// returns what is there.
func (l *lineReader) next() ([]byte, error) {
	line, err := l.r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		l.long = l.long[:0]
		for errors.Is(err, bufio.ErrBufferFull) {
			if l.long = append(l.long, line...); len(l.long) > maxLine {
				return nil, errLong
			}
			line, err = l.r.ReadSlice('\n')
		}
		l.long = append(l.long, line...)
		line = l.long
	}
	if errors.Is(err, io.EOF) && len(line) > 0 {
		return line, errTorn
	}
	if err != nil {
		return nil, err
	}
	l.offset += int64(len(line))
	return line, nil
}

// headerOf reads the first line of a segment.
func headerOf(dir string, n uint64) (note, error) {
	r, err := openSegment(dir, n, 0)
	if err != nil {
		return note{}, err
	}
	defer func() { _ = r.close() }()
	line, err := r.next()
	if err != nil {
		return note{}, fmt.Errorf("read the beginning of segment %d: %w", n, err)
	}
	h, err := parseNote(line)
	if err == nil && (h.Kind != noteSegment || h.Segment != n || h.Entry == 0 || !isNode(h.Node)) {
		err = errors.New("its first line is that of something else")
	}
	if err != nil {
		return note{}, fmt.Errorf("read the beginning of segment %d: %w", n, err)
	}
	return h, nil
}

// find returns a segment of a list.
func find(all []segment, n uint64) (int, bool) {
	return slices.BinarySearchFunc(all, n, func(s segment, n uint64) int {
		switch {
		case s.number < n:
			return -1
		case s.number > n:
			return 1
		}
		return 0
	})
}
