package grants

import "slices"

// apart holds the grants that the compact part of the Index does not: those with terms, and the rare ones that it has no form
// for. Grants lie by account and bucket, then by the prefix of their scope, then by grantee. It costs some hundred bytes a
// grant, and a question probes the beginnings of its key at all lengths that occur in the bucket. The Index locks it.
type apart struct {
	shelves map[place]*shelf
	byID    map[name]*Grant
}

// name is what a grant is found by.
type name struct{ account, id string }

type place struct{ account, bucket string }

// shelf holds the grants of one bucket.
type shelf struct {
	spots map[spot]pile
	// lengths are those of the prefixes, longest first, with how many spots have each.
	lengths []length
	// holders counts the grants of each grantee, to tell who has none here from who has others.
	holders map[Grantee]int
}

type spot struct {
	prefix string
	one    bool
}

type length struct{ n, spots int }

// pile is the grants at one spot: a list while they are few, which costs little room, then a set.
type pile struct {
	few  []*Grant
	many map[Grantee][]*Grant
}

// maxFew is how many grants are looked through one by one.
const maxFew = 16

func (a *apart) add(g *Grant) {
	if a.shelves == nil {
		a.shelves, a.byID = map[place]*shelf{}, map[name]*Grant{}
	}
	a.byID[name{g.Account, g.ID}] = g
	at := place{g.Account, g.Scope.Bucket}
	s := a.shelves[at]
	if s == nil {
		s = &shelf{spots: map[spot]pile{}, holders: map[Grantee]int{}}
		a.shelves[at] = s
	}
	k := spot{g.Scope.Prefix, g.Scope.One}
	p, known := s.spots[k]
	if !known {
		s.count(len(k.prefix), 1)
	}
	s.spots[k] = p.with(g)
	s.holders[g.Grantee]++
}

func (a *apart) remove(g *Grant) {
	at := place{g.Account, g.Scope.Bucket}
	s := a.shelves[at]
	if s == nil {
		return
	}
	k := spot{g.Scope.Prefix, g.Scope.One}
	p, found := s.spots[k].without(g)
	if !found {
		return
	}
	delete(a.byID, name{g.Account, g.ID})
	if s.holders[g.Grantee]--; s.holders[g.Grantee] == 0 {
		delete(s.holders, g.Grantee)
	}
	if len(p.few)+len(p.many) > 0 {
		s.spots[k] = p
		return
	}
	delete(s.spots, k)
	s.count(len(k.prefix), -1)
	if len(s.spots) == 0 {
		delete(a.shelves, at)
	}
}

func (p pile) with(g *Grant) pile {
	if p.many == nil && len(p.few) < maxFew {
		p.few = append(p.few, g)
		return p
	}
	if p.many == nil {
		p.many = map[Grantee][]*Grant{}
		for _, o := range p.few {
			p.many[o.Grantee] = append(p.many[o.Grantee], o)
		}
		p.few = nil
	}
	p.many[g.Grantee] = append(p.many[g.Grantee], g)
	return p
}

func (p pile) without(g *Grant) (_ pile, found bool) {
	same := func(o *Grant) bool { return o.ID == g.ID }
	if p.many == nil {
		i := slices.IndexFunc(p.few, same)
		if i < 0 {
			return p, false
		}
		p.few = slices.Delete(p.few, i, i+1)
		return p, true
	}
	list := p.many[g.Grantee]
	i := slices.IndexFunc(list, same)
	if i < 0 {
		return p, false
	}
	if list = slices.Delete(list, i, i+1); len(list) > 0 {
		p.many[g.Grantee] = list
	} else {
		delete(p.many, g.Grantee)
	}
	return p, true
}

// count keeps the lengths that occur.
func (s *shelf) count(n, by int) {
	i, found := slices.BinarySearchFunc(s.lengths, n, func(l length, n int) int { return n - l.n })
	if !found {
		s.lengths = slices.Insert(s.lengths, i, length{n: n})
	}
	if s.lengths[i].spots += by; s.lengths[i].spots == 0 {
		s.lengths = slices.Delete(s.lengths, i, i+1)
	}
}

// walk shows the piles that cover the question's target, the narrowest first, until show is satisfied.
func (a *apart) walk(account string, q *Question, show func(pile) (more bool)) {
	s := a.shelves[place{account, q.Target.Bucket}]
	if s == nil {
		return
	}
	key := q.Target.Key
	// One key covers a target that is that very key; a prefix covers all that begins with it.
	if !q.Target.Wild && key != "" {
		if p, ok := s.spots[spot{key, true}]; ok && !show(p) {
			return
		}
	}
	from, _ := slices.BinarySearchFunc(s.lengths, len(key), func(l length, n int) int { return n - l.n })
	for _, l := range s.lengths[from:] {
		if p, ok := s.spots[spot{key[:l.n], false}]; ok && !show(p) {
			return
		}
	}
}

// held visits the grants of a pile whose grantee is the asker. It goes through the shorter of the two lists.
func (p pile) held(q *Question, visit func(*Grant)) {
	each := func(grants []*Grant) {
		for _, g := range grants {
			visit(g)
		}
	}
	switch {
	case p.many == nil:
		for _, g := range p.few {
			if q.is(g.Grantee) {
				visit(g)
			}
		}
	case len(p.many) <= len(q.Groups):
		for grantee, grants := range p.many {
			if q.is(grantee) {
				each(grants)
			}
		}
	default:
		for id := range q.identities {
			each(p.many[id])
		}
	}
}

// holds reports whether the asker has any of the grants on the target's bucket.
func (a *apart) holds(account string, q *Question) bool {
	s := a.shelves[place{account, q.Target.Bucket}]
	if s == nil {
		return false
	}
	for id := range q.identities {
		if s.holders[id] > 0 {
			return true
		}
	}
	return false
}

// each visits all grants of a pile, until visit has enough.
func (p pile) each(visit func(*Grant) bool) {
	for _, g := range p.few {
		if !visit(g) {
			return
		}
	}
	for _, grants := range p.many {
		for _, g := range grants {
			if !visit(g) {
				return
			}
		}
	}
}
