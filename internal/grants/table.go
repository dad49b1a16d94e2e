package grants

// table finds numbers by a hash, many of them by one hash if need be. It has no pointers but those to its parts, which grow
// each on its own, by an eighth: no change waits for more than a part to be laid out anew. The zero number is none.
type table struct {
	parts [256]part
}

// part is an open-addressed part of a table. A place is 0, or the lower half of a hash above a number.
type part struct {
	places []uint64
	n      int
}

// manyPlaces of a part are those of a table of 2 MiB.
const manyPlaces = 1024

func (t *table) find(h uint64, is func(uint32) bool) uint32 {
	return t.parts[h>>56].find(uint32(h), is)
}

// glance is what lies where a hash belongs: 0 if it is not there. It reads one place and decides nothing by it.
func (t *table) glance(h uint64) uint64 {
	p := &t.parts[h>>56]
	if len(p.places) == 0 {
		return 0
	}
	return p.places[p.home(uint32(h))]
}
func (t *table) add(h uint64, v uint32)    { t.parts[h>>56].add(uint32(h), v) }
func (t *table) remove(h uint64, v uint32) { t.parts[h>>56].remove(uint32(h), v) }

// home is where a hash belongs: places are in the order of their hashes, as far as there is room.
func (p *part) home(h uint32) int { return int(uint64(h) * uint64(len(p.places)) >> 32) }

func (p *part) find(h uint32, is func(uint32) bool) uint32 {
	if p.n == 0 {
		return 0
	}
	for i := p.home(h); ; {
		at := p.places[i]
		if at == 0 {
			return 0
		}
		if uint32(at>>32) == h && is(uint32(at)) {
			return uint32(at)
		}
		if i++; i == len(p.places) {
			i = 0
		}
	}
}

func (p *part) add(h, v uint32) {
	if p.n*5 >= len(p.places)*4 {
		old := p.places
		p.places = spacious[uint64](len(old)+len(old)/8+8, len(old) >= manyPlaces)
		for _, at := range old {
			if at != 0 {
				p.put(at)
			}
		}
	}
	p.put(uint64(h)<<32 | uint64(v))
	p.n++
}

func (p *part) put(at uint64) {
	i := p.home(uint32(at >> 32))
	for p.places[i] != 0 {
		if i++; i == len(p.places) {
			i = 0
		}
	}
	p.places[i] = at
}

func (p *part) remove(h, v uint32) bool {
	if p.n == 0 {
		return false
	}
	size := len(p.places)
	i := p.home(h)
	for p.places[i] != uint64(h)<<32|uint64(v) {
		if p.places[i] == 0 {
			return false
		}
		if i++; i == size {
			i = 0
		}
	}
	p.n--
	// What follows moves up, unless it would come before where it belongs.
	for j := i; ; {
		if j++; j == size {
			j = 0
		}
		at := p.places[j]
		if at == 0 {
			break
		}
		if (j-p.home(uint32(at>>32))+size)%size >= (j-i+size)%size {
			p.places[i], i = at, j
		}
	}
	p.places[i] = 0
	switch {
	case p.n == 0:
		p.places = nil
	case p.n*4 < size && size > 64:
		old := p.places
		p.places = make([]uint64, p.n+p.n/2+8)
		for _, at := range old {
			if at != 0 {
				p.put(at)
			}
		}
	}
	return true
}

// count adds to the number of a hash, which is there once; what comes to 0 goes.
func (p *part) count(h uint32, by int) {
	for i := p.home(h); p.n > 0 && p.places[i] != 0; {
		if at := p.places[i]; uint32(at>>32) == h {
			if n := int(uint32(at)) + by; n > 0 {
				p.places[i] = uint64(h)<<32 | uint64(n)
			} else {
				p.remove(h, uint32(at))
			}
			return
		}
		if i++; i == len(p.places) {
			i = 0
		}
	}
	p.add(h, uint32(by))
}
