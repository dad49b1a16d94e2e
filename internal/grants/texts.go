package grants

import (
	"encoding/binary"
	"hash/maphash"
)

// texts keeps texts without a pointer to each: they lie one behind the other in chunks, and a table of hashes finds them.
// Each carries a word and an entry that are the owner's to use. Removing a text leaves a hole; a chunk that is mostly holes is emptied
// and used again, so what was removed takes no room for long.
//
//	address ─▶ word 4 B │ entry 4 B │ shelf 2 B │ kind 3 bits, length 13 bits │ text │ up to a multiple of 4
type texts struct {
	seed   maphash.Seed
	chunks []chunk
	free   []uint32 // numbers of chunks without memory
	open   uint32   // the chunk that is being filled
	table  table
	// moved is told of a text that got another address.
	moved func(from, to address)
}

// address is where a text lies: the number of its chunk and the place in it, in units of four bytes. 0 is none.
type address uint32

type chunk struct {
	data       []byte
	used, dead uint32
}

const (
	chunkBytes = 1 << 16
	placeBits  = 14 // of an address, in units of 4 bytes
	header     = 12
	// maxText is the longest text, in bytes, and maxShelf the highest shelf, that a header has room for.
	maxText  = 1<<13 - 1
	maxShelf = 1<<16 - 1
)

// kind is what a text is.
type kind uint16

const (
	gone      kind = iota
	prefixed       // a prefix of keys that is empty or ends in a slash
	partial        // a prefix of keys that ends within a name
	oneKey         // a single key
	parent         // a folder below which there are partial ones
	someone        // a grantee
	kindShift = 13
)

func newTexts() texts { return texts{seed: maphash.MakeSeed()} }

func (t *texts) hash(k kind, shelf uint16, text string) uint64 {
	h := maphash.String(t.seed, text) ^ (uint64(k)<<16|uint64(shelf))*0x9e3779b97f4a7c15
	return (h ^ h>>32) * 0xd6e8feb86659fd93
}

func (t *texts) at(a address) []byte {
	return t.chunks[a>>placeBits].data[(a&(1<<placeBits-1))<<2:]
}

func (t *texts) word(a address) uint32       { return binary.LittleEndian.Uint32(t.at(a)) }
func (t *texts) setWord(a address, w uint32) { binary.LittleEndian.PutUint32(t.at(a), w) }
func (t *texts) entry(a address) entry       { return entry(binary.LittleEndian.Uint32(t.at(a)[4:])) }
func (t *texts) setEntry(a address, e entry) { binary.LittleEndian.PutUint32(t.at(a)[4:], uint32(e)) }
func (t *texts) shelf(a address) uint16      { return binary.LittleEndian.Uint16(t.at(a)[8:]) }

func (t *texts) describe(a address) (k kind, text []byte) {
	b := t.at(a)
	d := binary.LittleEndian.Uint16(b[10:])
	n := int(d & maxText)
	return kind(d >> kindShift), b[header : header+n]
}

// find looks a text up.
func (t *texts) find(k kind, shelf uint16, text string) (address, bool) {
	return t.seek(t.hash(k, shelf, text), k, shelf, text)
}

func (t *texts) seek(h uint64, k kind, shelf uint16, text string) (address, bool) {
	a := t.table.find(h, func(v uint32) bool {
		b := t.at(address(v))
		return binary.LittleEndian.Uint16(b[8:]) == shelf && binary.LittleEndian.Uint16(b[10:]) == uint16(k)<<kindShift|uint16(len(text)) &&
			string(b[header:header+len(text)]) == text
	})
	return address(a), a != 0
}

// add keeps a text that is not there yet, with its word.
func (t *texts) add(k kind, shelf uint16, text string, word uint32) address {
	a := t.room(sizeOf(len(text)))
	b := t.at(a)
	binary.LittleEndian.PutUint32(b, word)
	binary.LittleEndian.PutUint16(b[8:], shelf)
	binary.LittleEndian.PutUint16(b[10:], uint16(k)<<kindShift|uint16(len(text)))
	copy(b[header:], text)
	t.table.add(t.hash(k, shelf, text), uint32(a))
	return a
}

func sizeOf(text int) uint32 { return (header + uint32(text) + 3) &^ 3 }

// room finds place for some bytes.
func (t *texts) room(size uint32) address {
	if len(t.chunks) == 0 || t.chunks[t.open].used+size > chunkBytes {
		fresh := chunk{data: spacious[byte](chunkBytes, len(t.chunks) >= manyPieces)}
		if n := len(t.free); n > 0 {
			t.open, t.free = t.free[n-1], t.free[:n-1]
		} else {
			t.open = uint32(len(t.chunks))
			t.chunks = append(t.chunks, chunk{})
		}
		if t.open == 0 {
			fresh.used = header // address 0 is none
			binary.LittleEndian.PutUint16(fresh.data[10:], 0)
		}
		t.chunks[t.open] = fresh
	}
	c := &t.chunks[t.open]
	a := address(t.open<<placeBits | c.used>>2)
	c.used += size
	return a
}

// remove forgets a text.
func (t *texts) remove(a address) {
	k, text := t.describe(a)
	t.table.remove(t.hash(k, t.shelf(a), string(text)), uint32(a))
	binary.LittleEndian.PutUint16(t.at(a)[10:], uint16(len(text))) // the length stays, so that the chunk can be walked over
	n := uint32(a) >> placeBits
	c := &t.chunks[n]
	c.dead += sizeOf(len(text))
	if n != t.open && c.dead*2 > c.used {
		t.evacuate(n)
	}
}

// evacuate moves what is left in a chunk, and lets go of it.
func (t *texts) evacuate(n uint32) {
	c := t.chunks[n]
	from := uint32(0)
	if n == 0 {
		from = header
	}
	for from < c.used {
		old := address(n<<placeBits | from>>2)
		k, text := t.describe(old)
		size := sizeOf(len(text))
		if k != gone {
			h := t.hash(k, t.shelf(old), string(text))
			to := t.room(size)
			copy(t.at(to), t.at(old)[:size])
			t.table.remove(h, uint32(old))
			t.table.add(h, uint32(to))
			t.moved(old, to)
		}
		from += size
	}
	t.chunks[n] = chunk{}
	t.free = append(t.free, n)
}
