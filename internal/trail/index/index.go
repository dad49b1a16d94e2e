// Package index finds the parts of a file of records in which something can be. A file is cut into blocks, and the index
// knows for each term, such as the name of a person, the blocks that have it. It may name a block that has not what is
// looked for, never leave one out that has: whoever asks looks into the block.
//
// An index is made with a Builder, which can be asked while it grows, and is read back with Parse, which takes nothing that
// was not written whole.
package index

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
)

// Term stands for a value of one kind. Different values may have the same term.
type Term uint32

// TermOf is the term of a value. Capitals of ASCII count as small letters. It is part of what is on the disk.
func TermOf[T string | []byte](kind byte, value T) Term {
	const prime = 0x9e3779b97f4a7c15
	h := (uint64(kind) + 1) * prime
	mix := func(w uint64) {
		h = (h ^ small(w)) * prime
		h ^= h >> 29
	}
	i := 0
	for ; i+8 <= len(value); i += 8 {
		v := value[i : i+8]
		mix(uint64(v[0]) | uint64(v[1])<<8 | uint64(v[2])<<16 | uint64(v[3])<<24 | uint64(v[4])<<32 | uint64(v[5])<<40 | uint64(v[6])<<48 | uint64(v[7])<<56)
	}
	last := uint64(0)
	for n := range len(value) - i {
		last |= uint64(value[i+n]) << (8 * n)
	}
	mix(last)
	h = (h ^ uint64(len(value))) * prime
	return Term(h >> 32)
}

// small turns the capitals among eight bytes into small letters, all at once.
func small(w uint64) uint64 {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	low := w &^ tops
	fromA, beyondZ := low+(0x80-'A')*ones, low+(0x80-'Z'-1)*ones
	return w | (fromA&^beyondZ&^w&tops)>>2
}

// Block is a part of a file: Size bytes from Start, which in the compressed file are Packed bytes from At. First and Last
// are the earliest and the latest time of its records, in seconds since 1970.
type Block struct {
	Start, Size, At, Packed uint32
	First, Last             int64
}

// Lookup finds blocks.
type Lookup interface {
	// Blocks are all blocks, in their order.
	Blocks() []Block
	// With are the numbers of the blocks that may have a term, in their order.
	With(t Term) []uint16
}

// MaxBlocks is how many blocks an index has at most.
const MaxBlocks = 1 << 16

// Builder makes an index block by block.
type Builder struct {
	blocks []Block
	terms  map[Term][]uint16
	// recent are terms that the next block has already, those of which most records have the same.
	recent [1 << 10]struct {
		term  Term
		block int32
	}
}

// NewBuilder begins an index.
func NewBuilder() *Builder { return &Builder{terms: map[Term][]uint16{}} }

// Add says that the next block has a term.
func (b *Builder) Add(t Term) {
	r := &b.recent[t%Term(len(b.recent))]
	if r.term == t && r.block == int32(len(b.blocks))+1 { //nolint:gosec // bounded by End
		return
	}
	r.term, r.block = t, int32(len(b.blocks))+1 //nolint:gosec // bounded by End
	n := uint16(len(b.blocks))                  //nolint:gosec // bounded by End
	list := b.terms[t]
	if len(list) > 0 && list[len(list)-1] == n {
		return
	}
	b.terms[t] = append(list, n)
}

// End ends a block, with the terms that were added since the one before.
func (b *Builder) End(block Block) error {
	if len(b.blocks) == MaxBlocks {
		return errors.New("an index has no more blocks")
	}
	b.blocks = append(b.blocks, block)
	return nil
}

// Reopen takes the last block back, so that it can end later. What was looked up before stays as it is.
func (b *Builder) Reopen() {
	if n := len(b.blocks); n > 0 {
		b.blocks = slices.Clone(b.blocks[:n-1])
	}
}

// Blocks implements Lookup.
func (b *Builder) Blocks() []Block { return b.blocks }

// With implements Lookup. A term of a block that has not ended is not found.
func (b *Builder) With(t Term) []uint16 {
	list := b.terms[t]
	if n := len(list); n > 0 && int(list[n-1]) >= len(b.blocks) {
		list = list[:n-1]
	}
	return list
}

// The file: magic, what it is of, counts, blocks, terms in order, where each term's list ends, the lists, a checksum. All
// numbers are little-endian; lists are the differences of block numbers as varints.
var magic = [8]byte{'l', 'g', 'i', 'n', 'd', 'e', 'x', '2'}

const (
	headSize  = 8 + 8 + 4 + 4 + 4
	blockSize = 4*4 + 2*8
	tailSize  = 4
)

var table = crc32.MakeTable(crc32.Castagnoli)

// Append writes the index behind to. It says that it is of a file, for which of stands.
func (b *Builder) Append(to []byte, of uint64) []byte {
	start := len(to)
	terms := make([]Term, 0, len(b.terms))
	for t := range b.terms {
		terms = append(terms, t)
	}
	slices.Sort(terms)
	var lists []byte
	ends := make([]uint32, len(terms))
	for i, t := range terms {
		before := uint16(0)
		for _, n := range b.With(t) {
			lists = binary.AppendUvarint(lists, uint64(n-before))
			before = n
		}
		ends[i] = uint32(len(lists)) //nolint:gosec // a segment is far smaller
	}
	le := binary.LittleEndian
	to = append(to, magic[:]...)
	to = le.AppendUint64(to, of)
	to = le.AppendUint32(to, uint32(len(b.blocks))) //nolint:gosec // bounded
	to = le.AppendUint32(to, uint32(len(terms)))    //nolint:gosec // bounded
	to = le.AppendUint32(to, uint32(len(lists)))    //nolint:gosec // bounded
	for _, k := range b.blocks {
		to = le.AppendUint32(le.AppendUint32(le.AppendUint32(le.AppendUint32(to, k.Start), k.Size), k.At), k.Packed)
		to = le.AppendUint64(le.AppendUint64(to, uint64(k.First)), uint64(k.Last)) //nolint:gosec // two's complement
	}
	for _, t := range terms {
		to = le.AppendUint32(to, uint32(t))
	}
	for _, e := range ends {
		to = le.AppendUint32(to, e)
	}
	to = append(to, lists...)
	return le.AppendUint32(to, crc32.Checksum(to[start:], table))
}

// Index is one that was written.
type Index struct {
	of           uint64
	blocks       []Block
	terms, lists int // how many terms, and how many bytes of lists
	file         io.ReaderAt
}

// Parse reads an index, of which it keeps the memory. It takes nothing that was altered.
func Parse(file []byte) (*Index, error) {
	if len(file) < headSize+tailSize {
		return nil, errors.New("not an index")
	}
	body := file[:len(file)-tailSize]
	if crc32.Checksum(body, table) != binary.LittleEndian.Uint32(file[len(body):]) {
		return nil, errors.New("the index is damaged")
	}
	return head(bytes.NewReader(file), int64(len(file)))
}

// head reads what an index says of itself, and its blocks.
func head(file io.ReaderAt, size int64) (*Index, error) {
	le := binary.LittleEndian
	var h [headSize]byte
	if _, err := file.ReadAt(h[:], 0); err != nil || [8]byte(h[:8]) != magic {
		return nil, errors.New("not an index")
	}
	blocks := int(le.Uint32(h[16:]))
	x := &Index{of: le.Uint64(h[8:]), terms: int(le.Uint32(h[20:])), lists: int(le.Uint32(h[24:])), file: file}
	if blocks > MaxBlocks || size != int64(headSize)+int64(blocks)*blockSize+int64(x.terms)*8+int64(x.lists)+tailSize {
		return nil, fmt.Errorf("the index has %d bytes, which is not what it says", size)
	}
	at := make([]byte, blocks*blockSize)
	if _, err := file.ReadAt(at, headSize); err != nil {
		return nil, err
	}
	x.blocks = make([]Block, blocks)
	for i := range x.blocks {
		x.blocks[i] = Block{
			Start: le.Uint32(at), Size: le.Uint32(at[4:]), At: le.Uint32(at[8:]), Packed: le.Uint32(at[12:]),
			First: int64(le.Uint64(at[16:])), Last: int64(le.Uint64(at[24:])), //nolint:gosec // two's complement
		}
		at = at[blockSize:]
	}
	return x, nil
}

// In is the same index in another place: of the file that was parsed, it reads what it is asked for and no more.
func (x *Index) In(file io.ReaderAt) *Index {
	return &Index{of: x.of, blocks: x.blocks, terms: x.terms, lists: x.lists, file: file}
}

// Of stands for the file that the index was said to be of.
func (x *Index) Of() uint64 { return x.of }

// Blocks implements Lookup.
func (x *Index) Blocks() []Block { return x.blocks }

// With implements Lookup. What cannot be read could be in every block.
func (x *Index) With(t Term) []uint16 {
	list, err := x.list(t)
	if err != nil {
		list = list[:0]
		for i := range x.blocks {
			list = append(list, uint16(i)) //nolint:gosec // bounded
		}
	}
	return list
}

func (x *Index) list(t Term) (blocks []uint16, err error) {
	terms := int64(headSize + len(x.blocks)*blockSize)
	number := func(at int64) uint32 {
		var b [4]byte
		if _, e := x.file.ReadAt(b[:], at); e != nil {
			err = e
		}
		return binary.LittleEndian.Uint32(b[:])
	}
	i, found := search(x.terms, func(i int) Term { return Term(number(terms + 4*int64(i))) }, t)
	if !found || err != nil {
		return nil, err
	}
	ends := terms + 4*int64(x.terms)
	from := uint32(0)
	if i > 0 {
		from = number(ends + 4*int64(i-1))
	}
	to := number(ends + 4*int64(i))
	if err != nil || from > to || int(to) > x.lists {
		return nil, errors.Join(err, errors.New("the index is damaged"))
	}
	list := make([]byte, to-from)
	if _, err := x.file.ReadAt(list, ends+4*int64(x.terms)+int64(from)); err != nil {
		return nil, err
	}
	before := uint64(0)
	for len(list) > 0 {
		step, size := binary.Uvarint(list)
		if before += step; size <= 0 || before >= uint64(len(x.blocks)) {
			return nil, errors.New("the index is damaged")
		}
		list = list[size:]
		blocks = append(blocks, uint16(before)) //nolint:gosec // bounded
	}
	return blocks, nil
}

// search finds a term among n that are in order.
func search(n int, at func(int) Term, t Term) (int, bool) {
	low, high := 0, n
	for low < high {
		if middle := int(uint(low+high) >> 1); at(middle) < t {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low, low < n && at(low) == t
}

// And are the numbers that are in both lists.
func And(a, b []uint16) []uint16 {
	var both []uint16
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0] < b[0]:
			a = a[1:]
		case a[0] > b[0]:
			b = b[1:]
		default:
			both = append(both, a[0])
			a, b = a[1:], b[1:]
		}
	}
	return both
}

// Or are the numbers that are in either list, once.
func Or(a, b []uint16) []uint16 {
	either := append(slices.Clone(a), b...)
	slices.Sort(either)
	return slices.Compact(either)
}
