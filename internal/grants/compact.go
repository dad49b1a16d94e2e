package grants

import (
	"hash/maphash"
	"strings"
	"time"

	"github.com/lakegate/lakegate/internal/scope"
)

// compact keeps grants in some eighty bytes each and hardly any pointers, so that the garbage collector has nothing to walk
// over. A grant is a row; the texts of scopes and grantees lie once each in texts.
//
//	bucket, "red/" ─▶ text ─▶ a row with its entry, or a list of entries and rows, or a crowd
//	id ─▶ row ─▶ text of the scope, grantee, form
//
// A question looks up the folders of its key, from the deepest to the top, at those depths at which the bucket has any
// scope. Scopes that end within a name are asked for where a folder is known to have them, at the lengths that it has.
type compact struct {
	texts      texts
	rows       rows
	ids        table // rows and one, by their ids
	lists      lists
	crowds     numbered[*crowd]
	floors     numbered[*floor]
	places     map[place]*floor
	forms      numbered[known]
	formOf     map[form]uint16
	grantees   numbered[grantee]
	tails      numbered[*tails]
	generation uint64 // of the numbers of grantees: another one was given away
	askers     askers
	// loading is set while very many come in any order: settle orders crowds in the end.
	loading bool
}

// numbered gives out numbers, those that came back first.
type numbered[V any] struct {
	all  []V
	free []uint32
}

func (n *numbered[V]) add(v V) uint32 {
	if last := len(n.free) - 1; last >= 0 {
		i := n.free[last]
		n.free = n.free[:last]
		n.all[i] = v
		return i
	}
	n.all = append(n.all, v)
	return uint32(len(n.all) - 1)
}

func (n *numbered[V]) drop(i uint32) {
	var none V
	n.all[i] = none
	if n.free = append(n.free, i); len(n.free) == len(n.all) {
		n.all, n.free = nil, nil
	}
}

// form is what very many grants have in common.
type form struct {
	location, application string
	permission            Permission
	object                bool
	// bare says that the text has no slash behind the bucket, stars is what it has behind the prefix.
	bare  bool
	stars string
	// sub is where in the text the sub-prefix begins, -1 if there is none.
	sub int
}

type known struct {
	form
	uses int
}

type grantee struct {
	text address
	uses uint32
}

// floor is what there is of a bucket.
type floor struct {
	place
	number uint16
	rows   int
	// depths counts the prefixes by the number of their slashes, parents the folders that have tails, keys the single keys.
	depths, parents []uint32
	keys            uint32
	// holders counts the grants of each grantee.
	holders part
}

// tails are the lengths of the partial prefixes of a folder, without the folder's own, longest first.
type tails struct{ lengths []length }

// maxRows leaves room for the class of a list in the word of a text, maxForms is the highest number that a row has room for.
const (
	maxRows  = 1 << 26
	maxForms = 1<<16 - 1
)

// What a scope's word says: a row, a list with its class, or a crowd.
const (
	aList     = 1 << 30
	aCrowd    = 2 << 30
	listShift = 26
)

func newCompact() *compact {
	c := &compact{texts: newTexts(), places: map[place]*floor{}, formOf: map[form]uint16{}}
	c.grantees.add(grantee{}) // 0 is nobody
	c.texts.moved = c.moved
	return c
}

func (c *compact) idHash(id [16]byte) uint64 { return maphash.Bytes(c.texts.seed, id[:]) }

func (c *compact) rowOf(account string, id [16]byte) (uint32, bool) {
	v := c.ids.find(c.idHash(id), func(v uint32) bool {
		r := c.rows.at(v - 1)
		return r.id == id && c.floorOf(r).account == account
	})
	return v - 1, v != 0
}

func (c *compact) floorOf(r *row) *floor { return c.floors.all[c.texts.shelf(r.spot)] }

// compactly tells whether a grant can be written down compactly, and how.
func compactly(g *Grant) (f form, id [16]byte, ok bool) {
	if g.Terms != nil || g.HasVariables() || len(g.Scope.Prefix) > maxText || len(g.Grantee.ID) >= maxText {
		return f, id, false
	}
	if id, ok = parseID(g.ID); !ok {
		return f, id, false
	}
	rest, ok := strings.CutPrefix(g.Text, "s3://"+g.Scope.Bucket)
	if !ok || !strings.HasSuffix(g.Text, g.SubPrefix) {
		return f, id, false
	}
	if f.bare = rest == ""; !f.bare {
		if rest, ok = strings.CutPrefix(rest, "/"+g.Scope.Prefix); !ok {
			return f, id, false
		}
	}
	f.location, f.application, f.permission, f.object, f.stars, f.sub = g.LocationID, g.Application, g.Permission, g.Object, rest, -1
	if g.SubPrefix != "" {
		f.sub = len(g.Text) - len(g.SubPrefix)
	}
	ms := g.Created.UnixMilli()
	known := permissionCode(f.permission) < 3 && typeCode(g.Grantee.Type) < 3
	return f, id, known && len(rest) < 8 && (!f.bare || g.Scope.Prefix == "") && ms > 0 && ms < 1<<48 && time.UnixMilli(ms).UTC() == g.Created
}

func permissionCode(p Permission) uint32 {
	switch p {
	case Read:
		return 0
	case Write:
		return 1
	case ReadWrite:
		return 2
	}
	return 3
}

func typeCode(t GranteeType) uint32 {
	switch t {
	case DirectoryUser:
		return 0
	case DirectoryGroup:
		return 1
	case IAM:
		return 2
	}
	return 3
}

var typeOf = [...]GranteeType{DirectoryUser, DirectoryGroup, IAM}

func kindOf(s scope.Scope) kind {
	switch {
	case s.One:
		return oneKey
	case s.Prefix == "" || s.Prefix[len(s.Prefix)-1] == '/':
		return prefixed
	}
	return partial
}

// add keeps a grant whose id is not there yet, if there is a form for it.
func (c *compact) add(g *Grant) bool {
	f, id, ok := compactly(g)
	if !ok || c.rows.n >= maxRows {
		return false
	}
	fl := c.floor(place{g.Account, g.Scope.Bucket})
	if fl == nil {
		return false
	}
	who, ok := c.join(g.Grantee)
	if !ok {
		c.leaveFloor(fl)
		return false
	}
	number, ok := c.useForm(f)
	if !ok {
		c.leave(who)
		c.leaveFloor(fl)
		return false
	}
	ms := uint64(g.Created.UnixMilli())
	i := c.rows.add(row{id: id, grantee: who, form: number, createdLow: uint32(ms), createdHigh: uint16(ms >> 32)})
	c.ids.add(c.idHash(id), i+1)
	fl.rows++
	fl.holders.count(spread(who), 1)
	k := kindOf(g.Scope)
	if spot, there := c.texts.find(k, fl.number, g.Scope.Prefix); there {
		c.rows.at(i).spot = spot
		c.enlist(spot, i)
	} else {
		spot = c.texts.add(k, fl.number, g.Scope.Prefix, i)
		c.texts.setEntry(spot, c.entryOf(c.rows.at(i)))
		c.rows.at(i).spot = spot
		c.mark(fl, k, g.Scope.Prefix, 1)
	}
	return true
}

// remove forgets a grant, if it is there.
func (c *compact) remove(account, id string) {
	raw, ok := parseID(id)
	if !ok {
		return
	}
	i, ok := c.rowOf(account, raw)
	if !ok {
		return
	}
	r := *c.rows.at(i)
	fl := c.floorOf(&r)
	if c.texts.word(r.spot) == i {
		k, text := c.texts.describe(r.spot)
		prefix := string(text)
		c.texts.remove(r.spot)
		c.mark(fl, k, prefix, -1)
	} else {
		c.delist(r.spot, i)
	}
	c.ids.remove(c.idHash(raw), i+1)
	c.dropForm(r.form)
	fl.holders.count(spread(r.grantee), -1)
	fl.rows--
	c.leaveFloor(fl)
	c.fill(i)
	c.leave(r.grantee)
}

// fill puts the last row in the place of one that is gone.
func (c *compact) fill(hole uint32) {
	last := c.rows.n - 1
	if hole != last {
		r := *c.rows.at(last)
		h := c.idHash(r.id)
		c.ids.remove(h, last+1)
		switch word := c.texts.word(r.spot); {
		case word == last:
			c.texts.setWord(r.spot, hole)
		case word < aCrowd:
			l := c.listAt(word)
			l.rows()[c.find(l.entries(), l.rows(), c.entryOf(&r), &r)] = hole
		default:
			k := c.crowds.all[word-aCrowd]
			e := c.entryOf(&r)
			class := &k.classes[e>>classShift]
			class.rows[c.find(class.entries, class.rows, e, &r)] = hole
			k.by.remove(spread(r.grantee), last+1)
			k.by.add(spread(r.grantee), hole+1)
		}
		*c.rows.at(hole) = r
		c.ids.add(h, hole+1)
	}
	c.rows.dropLast()
}

// moved follows a text to its new address.
func (c *compact) moved(_, to address) {
	k, _ := c.texts.describe(to)
	word := c.texts.word(to)
	switch k {
	case someone:
		c.grantees.all[word].text = to
	case prefixed, partial, oneKey:
		c.eachRow(word, func(_ entry, i uint32) bool {
			c.rows.at(i).spot = to
			return true
		})
	}
}
