package grants

import (
	"bytes"
	"cmp"
	"slices"
)

// The grants of one scope: a row, a list, or a crowd.

func (c *compact) listAt(word uint32) block {
	return c.lists.at(word>>listShift&15, word&(1<<listShift-1))
}

func listWord(class, i uint32) uint32 { return aList | class<<listShift | i }

func (c *compact) entryOf(r *row) entry {
	return entry(permissionCode(c.forms.all[r.form].permission)<<permitsShift | r.grantee)
}

// eachRow visits the rows of a scope, by class and within it the oldest first.
func (c *compact) eachRow(word uint32, visit func(entry, uint32) bool) {
	switch {
	case word < aList:
		visit(c.entryOf(c.rows.at(word)), word)
	case word < aCrowd:
		l := c.listAt(word)
		rows := l.rows()
		for n, e := range l.entries() {
			if !visit(entry(e), rows[n]) {
				return
			}
		}
	default:
		c.crowds.all[word-aCrowd].each(visit)
	}
}

// find is where in a sorted list a row is, or belongs: by class, the oldest first, the least id.
func (c *compact) find(entries, rows []uint32, e entry, r *row) int {
	low, high := 0, len(entries)
	for low < high {
		n := (low + high) / 2
		before := cmp.Compare(entries[n]>>classShift, uint32(e)>>classShift)
		if before == 0 {
			before = older(c.rows.at(rows[n]), r)
		}
		if before < 0 {
			low = n + 1
		} else {
			high = n
		}
	}
	return low
}

// older orders two grants by age and id.
func older(a, b *row) int {
	return cmp.Or(cmp.Compare(a.created(), b.created()), bytes.Compare(a.id[:], b.id[:]))
}

// enlist puts a row among those of its scope.
func (c *compact) enlist(spot address, i uint32) {
	r := c.rows.at(i)
	e := c.entryOf(r)
	word := c.texts.word(spot)
	if word >= aCrowd {
		c.crowds.all[word-aCrowd].enlist(c, e, i)
		return
	}
	if word < aList {
		block := c.lists.make(0)
		c.lists.at(0, block).insert(0, c.entryOf(c.rows.at(word)), word)
		word = listWord(0, block)
	} else if l := c.listAt(word); l.len() == maxListed {
		k := &crowd{}
		c.eachRow(word, func(e entry, i uint32) bool {
			k.insert(len(k.classes[e>>classShift].rows), e, i)
			return true
		})
		c.dropList(word)
		c.texts.setWord(spot, aCrowd+c.crowds.add(k))
		k.enlist(c, e, i)
		return
	} else if l.len() == room(l.class) {
		word = c.relist(word, l.class+1)
	}
	l := c.listAt(word)
	l.insert(c.find(l.entries(), l.rows(), e, r), e, i)
	c.texts.setWord(spot, word)
}

func (k *crowd) enlist(c *compact, e entry, i uint32) {
	class := &k.classes[e>>classShift]
	at := len(class.rows)
	if !c.loading && at > 0 && older(c.rows.at(class.rows[at-1]), c.rows.at(i)) > 0 {
		at = c.find(class.entries, class.rows, e, c.rows.at(i))
	}
	k.insert(at, e, i)
}

// delist takes a row from those of its scope, of which there are others.
func (c *compact) delist(spot address, i uint32) {
	r := c.rows.at(i)
	e := c.entryOf(r)
	word := c.texts.word(spot)
	if word >= aCrowd {
		k := c.crowds.all[word-aCrowd]
		class := &k.classes[e>>classShift]
		k.delete(c.find(class.entries, class.rows, e, r), e, i)
		if k.n > maxListed/2 {
			return
		}
		widest := uint32(len(c.lists.classes) - 1)
		block := c.lists.make(widest)
		l := c.lists.at(widest, block)
		k.each(func(e entry, i uint32) bool {
			l.insert(int(l.len()), e, i)
			return true
		})
		c.crowds.drop(word - aCrowd)
		c.texts.setWord(spot, listWord(widest, block))
		return
	}
	l := c.listAt(word)
	l.delete(c.find(l.entries(), l.rows(), e, r))
	switch n := l.len(); {
	case n == 1:
		left := l.rows()[0]
		c.dropList(word)
		c.texts.setWord(spot, left)
		c.texts.setEntry(spot, c.entryOf(c.rows.at(left)))
	case l.class > 0 && n <= room(l.class)/4:
		c.texts.setWord(spot, c.relist(word, l.class-1))
	}
}

// relist moves a list to a block of another size.
func (c *compact) relist(word, class uint32) uint32 {
	block := c.lists.make(class)
	from, to := c.listAt(word), c.lists.at(class, block)
	to.words[0] = from.len()
	copy(to.entries(), from.entries())
	copy(to.rows(), from.rows())
	c.dropList(word)
	return listWord(class, block)
}

// dropList lets a block go. The scope of the one that takes its number is told.
func (c *compact) dropList(word uint32) {
	class, i := word>>listShift&15, word&(1<<listShift-1)
	if c.lists.drop(class, i) {
		c.texts.setWord(c.rows.at(c.listAt(word).rows()[0]).spot, word)
	}
}

// settle puts crowds in order that came in none.
func (c *compact) settle() {
	c.loading = false
	for _, k := range c.crowds.all {
		if k == nil {
			continue
		}
		for n := range k.classes {
			class := &k.classes[n]
			byAge := func(a, b uint32) int { return older(c.rows.at(a), c.rows.at(b)) }
			if slices.IsSortedFunc(class.rows, byAge) {
				continue
			}
			slices.SortFunc(class.rows, byAge)
			for i, at := range class.rows {
				class.entries[i] = uint32(c.entryOf(c.rows.at(at)))
			}
		}
	}
}
