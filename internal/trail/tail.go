package trail

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"sync"

	"github.com/lakegate/lakegate/internal/trail/index"
)

// tail is the index of a segment that is not sealed. It grows when somebody asks: the first question after a while reads what
// was written since the one before, at most a segment.
type tail struct {
	mu      sync.Mutex
	segment uint64
	found   *index.Builder
	end     int64
}

// of is the index of a segment up to an offset, in whole lines.
func (t *tail) of(n uint64, f *os.File, limit int64) (index.Lookup, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.found == nil || t.segment != n {
		t.segment, t.found, t.end = n, index.NewBuilder(), 0
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	limit = min(limit, info.Size())
	if blocks := t.found.Blocks(); len(blocks) > 0 && t.end < limit {
		// Many questions in short order must not make many small blocks.
		if last := blocks[len(blocks)-1]; last.Size < packedBlock {
			t.found.Reopen()
			t.end = int64(last.Start)
		}
	}
	lines := bufio.NewReaderSize(io.NewSectionReader(f, t.end, limit-t.end), packedBlock)
	var plain []byte
	for t.end < limit {
		if plain, err = nextBlock(lines, plain[:0]); err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		if len(plain) == 0 {
			break
		}
		if t.end+int64(len(plain)) > math.MaxUint32 {
			return nil, fmt.Errorf("a segment of more than %d bytes", uint32(math.MaxUint32))
		}
		if err := gatherBlock(t.found, plain, int(t.end), int(t.end), len(plain)); err != nil {
			return nil, err
		}
		t.end += int64(len(plain))
	}
	return &growing{mu: &t.mu, found: t.found, blocks: t.found.Blocks()}, nil
}

// growing is an index as it was at one moment, while others let it grow.
type growing struct {
	mu     *sync.Mutex
	found  *index.Builder
	blocks []index.Block
}

// Blocks implements index.Lookup.
func (g *growing) Blocks() []index.Block { return g.blocks }

// With implements index.Lookup.
func (g *growing) With(t index.Term) []uint16 {
	g.mu.Lock()
	defer g.mu.Unlock()
	list := g.found.With(t)
	for len(list) > 0 && int(list[len(list)-1]) >= len(g.blocks) {
		list = list[:len(list)-1]
	}
	return slices.Clone(list)
}
