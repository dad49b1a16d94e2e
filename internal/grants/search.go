package grants

import (
	"strings"
	"time"

	"github.com/lakegate/lakegate/internal/scope"
)

// walk shows what words the scopes have that cover a target, the narrowest first, until show is satisfied.
func (c *compact) walk(f *floor, t scope.Target, show func(word uint32) (more bool)) {
	key := t.Key
	// One key covers a target that is that very key; a prefix covers all that begins with it.
	if f.keys > 0 && !t.Wild && key != "" {
		if a, ok := c.texts.find(oneKey, f.number, key); ok && !show(c.texts.word(a)) {
			return
		}
	}
	depth := strings.Count(key, "/")
	end := len(key) // how far a partial prefix of the folder reaches at most
	for n := strings.LastIndexByte(key, '/') + 1; ; depth-- {
		if depth < len(f.parents) && f.parents[depth] > 0 {
			if a, ok := c.texts.find(parent, f.number, key[:n]); ok {
				for _, l := range c.tails.all[c.texts.word(a)].lengths {
					if n+l.n > end {
						continue
					}
					if a, ok := c.texts.find(partial, f.number, key[:n+l.n]); ok && !show(c.texts.word(a)) {
						return
					}
				}
			}
		}
		if depth < len(f.depths) && f.depths[depth] > 0 {
			if a, ok := c.texts.find(prefixed, f.number, key[:n]); ok && !show(c.texts.word(a)) {
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
	c.walk(f, q.Target, func(word uint32) bool {
		if i, ok := c.first(word, a, asked, q.Application); ok {
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
func (c *compact) first(word uint32, a *asker, asked uint32, application string) (uint32, bool) {
	if word >= aCrowd {
		return c.firstOf(c.crowds.all[word-aCrowd], a, asked, application)
	}
	var found uint32
	ok := false
	c.eachRow(word, func(e entry, i uint32) bool {
		if p := uint32(e) >> permitsShift; (p == asked || p == 2) && a.has(uint32(e)&granteeMask) && c.through(i, application) {
			found, ok = i, true
		}
		return !ok
	})
	return found, ok
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
	c.walk(f, q.Target, func(word uint32) bool {
		c.held(word, a, func(i uint32) { all = append(all, c.grant(c.rows.at(i))) })
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
	c.walk(f, t, func(word uint32) bool {
		c.eachRow(word, func(_ entry, i uint32) bool {
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

// grant makes of a row what rules see.
func (c *compact) grant(r *row) *Grant {
	k, prefix := c.texts.describe(r.spot)
	f, fl := &c.forms.all[r.form], c.floorOf(r)
	b := make([]byte, 0, 36+len("s3://")+len(fl.bucket)+1+len(prefix)+len(f.stars))
	b = appendID(b, r.id)
	b = append(append(b, "s3://"...), fl.bucket...)
	if !f.bare {
		b = append(b, '/')
	}
	at := len(b)
	text := string(append(append(b, prefix...), f.stars...))
	g := &Grant{
		Account: fl.account, ID: text[:36], LocationID: f.location, Text: text[36:],
		Scope:  scope.Scope{Bucket: fl.bucket, Prefix: text[at : at+len(prefix)], One: k == oneKey},
		Object: f.object, Grantee: c.grantee(r.grantee), Permission: f.permission, Application: f.application,
		Created: time.UnixMilli(r.created()).UTC(),
	}
	if f.sub >= 0 {
		g.SubPrefix = g.Text[f.sub:]
	}
	return g
}
