package grants

import (
	"strings"
	"time"

	"github.com/lakegate/lakegate/internal/scope"
)

// walk shows the scopes that cover a target, the narrowest first, until show is satisfied.
func (c *compact) walk(f *floor, t scope.Target, show func(spot address) (more bool)) {
	key := t.Key
	// One key covers a target that is that very key; a prefix covers all that begins with it.
	if f.keys > 0 && !t.Wild && key != "" {
		if a, ok := c.texts.find(oneKey, f.number, key); ok && !show(a) {
			return
		}
	}
	depth := strings.Count(key, "/")
	ahead := c.lookAhead(f, key)
	end := len(key) // how far a partial prefix of the folder reaches at most
	for n := strings.LastIndexByte(key, '/') + 1; ; depth-- {
		if depth < len(f.parents) && f.parents[depth] > 0 {
			if a, ok := c.texts.find(parent, f.number, key[:n]); ok {
				for _, l := range c.tails.all[c.texts.word(a)].lengths {
					if n+l.n > end {
						continue
					}
					if a, ok := c.texts.find(partial, f.number, key[:n+l.n]); ok && !show(a) {
						return
					}
				}
			}
		}
		if depth < len(f.depths) && f.depths[depth] > 0 {
			if a, ok := c.folder(f, key[:n], depth, &ahead); ok && !show(a) {
				return
			}
		}
		if n == 0 {
			return
		}
		end = n - 1
		n = strings.LastIndexByte(key[:end], '/') + 1
	}
}

// sight is what is known of a folder ahead: its hash, and what lies where it belongs in the table.
type sight struct{ hash, place uint64 }

// seen is how many depths are looked at ahead. Grants on deeper folders are rare.
const seen = 8

// lookAhead reads the places of all folders of a key before any is needed, none waiting for another: among many grants each
// is far away, and the processor fetches them side by side.
func (c *compact) lookAhead(f *floor, key string) (ahead [seen]sight) {
	n := 0
	for depth := range min(len(f.depths), seen) {
		if f.depths[depth] > 0 {
			s := &ahead[depth]
			s.hash = c.texts.hash(prefixed, f.number, key[:n])
			s.place = c.texts.table.glance(s.hash)
		}
		next := strings.IndexByte(key[n:], '/')
		if next < 0 {
			break
		}
		n += next + 1
	}
	return ahead
}

// folder finds a prefix that ends in a slash, at a depth at which the bucket has any.
func (c *compact) folder(f *floor, prefix string, depth int, ahead *[seen]sight) (address, bool) {
	if depth >= seen {
		return c.texts.find(prefixed, f.number, prefix)
	}
	if ahead[depth].place == 0 {
		return 0, false
	}
	return c.texts.seek(ahead[depth].hash, prefixed, f.number, prefix)
}

// match finds the grant that wins, or nil.
func (c *compact) match(account string, q *Question) (won *Grant) {
	f := c.places[place{account, q.Target.Bucket}]
	if f == nil || q.Action != "" && onTags(q.Action) {
		return nil
	}
	a := c.asker(q)
	if len(a.ids) == 0 {
		return nil
	}
	asked := permissionCode(q.Permission)
	c.walk(f, q.Target, func(spot address) bool {
		if i, ok := c.first(spot, a, asked, q.Application); ok {
			won = c.grant(c.rows.at(i))
		}
		return won == nil
	})
	if won != nil && !(q.is(won.Grantee) && q.admits(won) && won.Scope.Covers(q.Target)) {
		return nil // a grant that the rules would not give is not given, whatever the index says
	}
	return won
}

// first finds the row that wins at a scope: of the permission asked for before READWRITE, and in the order of the list.
func (c *compact) first(spot address, a *asker, asked uint32, application string) (uint32, bool) {
	word := c.texts.word(spot)
	if word >= aCrowd {
		return c.firstOf(c.crowds.all[word-aCrowd], a, asked, application)
	}
	if word < aList {
		return word, a.permits(uint32(c.texts.entry(spot)), asked) && c.through(word, application)
	}
	l := c.listAt(word)
	for n, e := range l.entries() {
		if a.permits(e, asked) && c.through(l.rows()[n], application) {
			return l.rows()[n], true
		}
	}
	return 0, false
}

// through reports whether a row's grant can be used with an application.
func (c *compact) through(i uint32, application string) bool {
	r := c.rows.at(i)
	f := &c.forms.all[r.form]
	return f.application == "" || f.application == application || typeOf[r.grantee>>classShift] == IAM
}

// looked is how many of a crowd are gone through in their order before the asker's identities are looked up one by one.
// Where many of them have a grant, one is among the first; where few have, there is little to compare.
const looked = 512

// firstOf is first for a crowd.
func (c *compact) firstOf(k *crowd, a *asker, asked uint32, application string) (uint32, bool) {
	permissions := []uint32{asked, 2}
	if asked >= 2 {
		permissions = permissions[1:]
	}
	for _, p := range permissions {
		for t := range uint32(len(typeOf)) {
			class := &k.classes[p<<2|t]
			for n, e := range class.entries[:min(len(class.entries), looked)] {
				if a.has(e&granteeMask) && c.through(class.rows[n], application) {
					return class.rows[n], true
				}
			}
			if len(class.entries) <= looked {
				continue
			}
			var best *row
			found := uint32(0)
			for _, id := range a.ids {
				if id>>classShift != t {
					continue
				}
				k.of(id, func(i uint32) {
					r := c.rows.at(i)
					if uint32(c.entryOf(r))>>permitsShift == p && c.through(i, application) && (best == nil || older(r, best) < 0) {
						best, found = r, i
					}
				})
			}
			if best != nil {
				return found, true
			}
		}
	}
	return 0, false
}

// of visits the rows of a grantee.
func (k *crowd) of(id uint32, visit func(row uint32)) {
	k.by.find(spread(id), func(v uint32) bool {
		visit(v - 1)
		return false
	})
}

// held visits the rows of a scope that are the asker's.
func (c *compact) held(word uint32, a *asker, visit func(row uint32)) {
	if word >= aCrowd && c.crowds.all[word-aCrowd].n > 4*len(a.ids) {
		for _, id := range a.ids {
			c.crowds.all[word-aCrowd].of(id, visit)
		}
		return
	}
	c.eachRow(word, func(e entry, i uint32) bool {
		if a.has(uint32(e) & granteeMask) {
			visit(i)
		}
		return true
	})
}

// covering lists the asker's grants whose scope covers the target, the narrowest first.
func (c *compact) covering(account string, q *Question) (all []*Grant) {
	f := c.places[place{account, q.Target.Bucket}]
	if f == nil {
		return nil
	}
	a := c.asker(q)
	c.walk(f, q.Target, func(spot address) bool {
		c.held(c.texts.word(spot), a, func(i uint32) { all = append(all, c.grant(c.rows.at(i))) })
		return true
	})
	return all
}

// idsCovering lists the ids of all grants whose scope covers a target.
func (c *compact) idsCovering(account string, t scope.Target) (all [][16]byte) {
	f := c.places[place{account, t.Bucket}]
	if f == nil {
		return nil
	}
	c.walk(f, t, func(spot address) bool {
		c.eachRow(c.texts.word(spot), func(_ entry, i uint32) bool {
			all = append(all, c.rows.at(i).id)
			return true
		})
		return true
	})
	return all
}

func (c *compact) holds(account string, q *Question) bool {
	f := c.places[place{account, q.Target.Bucket}]
	if f == nil {
		return false
	}
	for _, id := range c.asker(q).ids {
		if f.holders.find(spread(id), func(uint32) bool { return true }) != 0 {
			return true
		}
	}
	return false
}

func (c *compact) get(account, id string) (*Grant, bool) {
	raw, ok := parseID(id)
	if !ok {
		return nil, false
	}
	i, ok := c.rowOf(account, raw)
	if !ok {
		return nil, false
	}
	return c.grant(c.rows.at(i)), true
}

// grant makes of a row what rules see. All its texts lie in one.
func (c *compact) grant(r *row) *Grant {
	k, prefix := c.texts.describe(r.spot)
	f, fl := &c.forms.all[r.form], c.floorOf(r)
	kind, grantee := c.grantee(r.grantee)
	var b strings.Builder
	b.Grow(idText + len("s3://") + len(fl.bucket) + 1 + len(prefix) + len(f.stars) + len(grantee))
	var id [idText]byte
	b.Write(appendID(id[:0], r.id))
	b.WriteString("s3://")
	b.WriteString(fl.bucket)
	if !f.bare {
		b.WriteByte('/')
	}
	at := b.Len()
	b.Write(prefix)
	b.WriteString(f.stars)
	end := b.Len()
	b.Write(grantee)
	text := b.String()
	g := &Grant{
		Account: fl.account, ID: text[:idText], LocationID: f.location, Text: text[idText:end],
		Scope:  scope.Scope{Bucket: fl.bucket, Prefix: text[at : at+len(prefix)], One: k == oneKey},
		Object: f.object, Grantee: Grantee{kind, text[end:]}, Permission: f.permission, Application: f.application,
		Created: time.UnixMilli(r.created()).UTC(),
	}
	if f.sub >= 0 {
		g.SubPrefix = g.Text[f.sub:]
	}
	return g
}
