package grants

import "slices"

// entry is a grant in the list of a scope: what decides whether it is the asker's and permits what is asked, without a look
// at its row. From the top: two bits of permission, two of the grantee's type, the grantee's number. Both in the order in
// which they win, so that in a sorted list the first that answers is the winner.
type entry uint32

const (
	classShift   = 28
	granteeMask  = 1<<30 - 1 // number and type
	maxGrantees  = 1<<classShift - 1
	permitsShift = 30
)

// lists are of 2 to 1024 grants, in blocks of a size for each class, without pointers: blocks are numbered without gaps, the
// last one takes the place of one that goes. A block is the number of grants, their entries, their rows.
type lists struct {
	classes [10]blocks
}

type blocks struct {
	pages [][]uint32
	n     uint32
}

const maxListed = 1024

func room(class uint32) uint32  { return 2 << class }
func words(class uint32) uint32 { return 1 + 2*room(class) }

// aPage is how many blocks are made at once: what fills the allocator's pages, and no more than is bearable where there is
// one alone.
func aPage(class uint32) uint32 {
	switch {
	case class < 4:
		return 2048
	case class < 7:
		return 512
	}
	return 64
}

// block is a list where it lies.
type block struct {
	words []uint32
	class uint32
}

func (l *lists) at(class, i uint32) block {
	per, size := aPage(class), words(class)
	return block{l.classes[class].pages[i/per][i%per*size : (i%per+1)*size : (i%per+1)*size], class}
}

func (l block) len() uint32 { return l.words[0] }

func (l block) entries() []uint32 { return l.words[1 : 1+l.words[0]] }

func (l block) rows() []uint32 { return l.words[1+room(l.class):][:l.words[0]] }

// insert puts a grant at a place. There must be room.
func (l block) insert(at int, e entry, row uint32) {
	l.words[0]++
	entries, rows := l.entries(), l.rows()
	copy(entries[at+1:], entries[at:])
	copy(rows[at+1:], rows[at:])
	entries[at], rows[at] = uint32(e), row
}

func (l block) delete(at int) {
	entries, rows := l.entries(), l.rows()
	copy(entries[at:], entries[at+1:])
	copy(rows[at:], rows[at+1:])
	l.words[0]--
}

// make makes an empty list.
func (l *lists) make(class uint32) uint32 {
	b := &l.classes[class]
	if per := aPage(class); b.n == uint32(len(b.pages))*per {
		b.pages = append(b.pages, spacious[uint32](int(per*words(class)), len(b.pages) >= manyPieces))
	}
	b.n++
	l.at(class, b.n-1).words[0] = 0
	return b.n - 1
}

// drop lets a block go, and reports whether the block that was numbered last has its number now.
func (l *lists) drop(class, i uint32) (moved bool) {
	b := &l.classes[class]
	b.n--
	if i != b.n {
		copy(l.at(class, i).words, l.at(class, b.n).words)
		moved = true
	}
	per := aPage(class)
	if used := (b.n + per - 1) / per; int(used)+1 < len(b.pages) || b.n == 0 {
		b.pages[len(b.pages)-1] = nil
		b.pages = b.pages[:len(b.pages)-1]
	}
	return moved
}

// crowd is the grants of a scope that has more than maxListed: in their order by class, and by grantee. There are few such
// scopes.
type crowd struct {
	classes [16]struct{ entries, rows []uint32 }
	by      part // rows and one, by what spread makes of the grantee
	n       int
}

// spread maps the number of a grantee to a hash, each to another.
func spread(grantee uint32) uint32 { return grantee * 0x9e3779b1 }

func (c *crowd) each(visit func(e entry, row uint32) bool) {
	for i := range c.classes {
		for j, e := range c.classes[i].entries {
			if !visit(entry(e), c.classes[i].rows[j]) {
				return
			}
		}
	}
}

func (c *crowd) insert(at int, e entry, row uint32) {
	k := &c.classes[e>>classShift]
	k.entries, k.rows = slices.Insert(k.entries, at, uint32(e)), slices.Insert(k.rows, at, row)
	c.by.add(spread(uint32(e)&granteeMask), row+1)
	c.n++
}

func (c *crowd) delete(at int, e entry, row uint32) {
	k := &c.classes[e>>classShift]
	k.entries, k.rows = slices.Delete(k.entries, at, at+1), slices.Delete(k.rows, at, at+1)
	c.by.remove(spread(uint32(e)&granteeMask), row+1)
	c.n--
}
