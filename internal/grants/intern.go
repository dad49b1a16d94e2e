package grants

import (
	"slices"
	"strings"
)

// What compact numbers: buckets, grantees, forms, and the folders that have partial prefixes.

// floor finds the floor of a bucket, or makes it; nil if there are too many.
func (c *compact) floor(at place) *floor {
	if f := c.places[at]; f != nil {
		return f
	}
	f := &floor{place: at}
	n := c.floors.add(f)
	if n > maxShelf {
		c.floors.drop(n)
		return nil
	}
	f.number = uint16(n)
	c.places[at] = f
	return f
}

// leaveFloor lets go of a bucket without grants.
func (c *compact) leaveFloor(f *floor) {
	if f.rows == 0 {
		delete(c.places, f.place)
		c.floors.drop(uint32(f.number))
	}
}

func granteeText(g Grantee) string { return string(rune('0'+typeCode(g.Type))) + g.ID }

func (c *compact) granteeOf(g Grantee) (uint32, bool) {
	a, ok := c.texts.find(someone, 0, granteeText(g))
	if !ok {
		return 0, false
	}
	return typeCode(g.Type)<<classShift | c.texts.word(a), true
}

// join counts a grant of a grantee, who gets a number with the first.
func (c *compact) join(g Grantee) (uint32, bool) {
	if who, ok := c.granteeOf(g); ok {
		c.grantees.all[who&maxGrantees].uses++
		return who, true
	}
	n := c.grantees.add(grantee{uses: 1})
	if n > maxGrantees {
		c.grantees.drop(n)
		return 0, false
	}
	c.grantees.all[n].text = c.texts.add(someone, 0, granteeText(g), n)
	c.generation++
	return typeCode(g.Type)<<classShift | n, true
}

// leave takes a grant of a grantee away. Who has none loses the number.
func (c *compact) leave(who uint32) {
	n := who & maxGrantees
	g := &c.grantees.all[n]
	if g.uses--; g.uses == 0 {
		text := g.text
		c.grantees.drop(n)
		c.texts.remove(text)
	}
}

// grantee is the type of a grantee and the text of the id, which is the index's.
func (c *compact) grantee(who uint32) (GranteeType, []byte) {
	_, text := c.texts.describe(c.grantees.all[who&maxGrantees].text)
	return typeOf[who>>classShift], text[1:]
}

// useForm counts a grant of a form, which gets a number with the first.
func (c *compact) useForm(f form) (uint16, bool) {
	n, ok := c.formOf[f]
	if !ok {
		f.location, f.application, f.stars = strings.Clone(f.location), strings.Clone(f.application), strings.Clone(f.stars)
		i := c.forms.add(known{form: f})
		if i > maxForms {
			c.forms.drop(i)
			return 0, false
		}
		n = uint16(i)
		c.formOf[f] = n
	}
	c.forms.all[n].uses++
	return n, true
}

func (c *compact) dropForm(n uint16) {
	k := &c.forms.all[n]
	if k.uses--; k.uses == 0 {
		delete(c.formOf, k.form)
		c.forms.drop(uint32(n))
	}
}

// mark notes in a bucket that a scope came or went.
func (c *compact) mark(f *floor, k kind, prefix string, by int) {
	switch k {
	case oneKey:
		f.keys += uint32(by)
	case prefixed:
		tally(&f.depths, strings.Count(prefix, "/"), by)
	case partial:
		folder := prefix[:strings.LastIndexByte(prefix, '/')+1]
		a, there := c.texts.find(parent, f.number, folder)
		if !there {
			a = c.texts.add(parent, f.number, folder, c.tails.add(&tails{}))
			tally(&f.parents, strings.Count(folder, "/"), 1)
		}
		n := c.texts.word(a)
		t := c.tails.all[n]
		if t.count(len(prefix)-len(folder), by); len(t.lengths) == 0 {
			c.tails.drop(n)
			c.texts.remove(a)
			tally(&f.parents, strings.Count(folder, "/"), -1)
		}
	}
}

// tally counts at a depth.
func tally(depths *[]uint32, at, by int) {
	for len(*depths) <= at {
		*depths = append(*depths, 0)
	}
	(*depths)[at] += uint32(by)
	for n := len(*depths); n > 0 && (*depths)[n-1] == 0; n-- {
		*depths = (*depths)[:n-1]
	}
}

// count keeps the lengths that occur.
func (t *tails) count(n, by int) {
	i, found := slices.BinarySearchFunc(t.lengths, n, func(l length, n int) int { return n - l.n })
	if !found {
		t.lengths = slices.Insert(t.lengths, i, length{n: n})
	}
	if t.lengths[i].spots += by; t.lengths[i].spots == 0 {
		t.lengths = slices.Delete(t.lengths, i, i+1)
	}
}
