package ldap

import (
	"context"
	"fmt"
	"maps"
	"slices"
)

// foundGroup is a group with its members as the source writes them.
type foundGroup struct {
	Group
	values [][]byte
}

// maxMemberships bounds what all groups together may have, after groups in groups were resolved.
const maxMemberships = 20_000_000

// book finds people and groups by what a group calls its members.
type book struct {
	// people by canonical name or folded user name; "" for a name that is two people's.
	people map[string]string
	// groups by canonical name to their place.
	groups map[string]int
	// read keeps names that were made canonical already: every member of a group is one of a few.
	read map[string]string
}

func (c *Config) book(people []Person, groups []foundGroup) *book {
	b := &book{people: map[string]string{}, groups: map[string]int{}, read: map[string]string{}}
	for _, p := range people {
		name := fold(p.UserName)
		if c.Groups.MemberIs == memberDN {
			name = b.canonical(p.DN)
		}
		if name == "" {
			continue
		}
		if other, ok := b.people[name]; ok && other != p.ID {
			b.people[name] = ""
			continue
		}
		b.people[name] = p.ID
	}
	if c.Groups.MemberIs == memberDN && c.Nested == nestedObjects {
		for i, g := range groups {
			if name := b.canonical(g.DN); name != "" {
				b.groups[name] = i
			}
		}
	}
	return b
}

// canonical is the canonical form of a name, "" for what is none.
func (b *book) canonical(dn string) string {
	if name, ok := b.read[dn]; ok {
		return name
	}
	name, err := canonical(dn)
	if err != nil {
		name = ""
	}
	b.read[dn] = name
	return name
}

// resolve finds out who belongs to each group, through the groups in it. Members that are neither people nor groups of the
// source are nobody: computers, people outside of the base, names that are gone. Circles end where they began.
func (c *Config) resolve(ctx context.Context, people []Person, groups []foundGroup) error {
	b := c.book(people, groups)
	direct, children := make([][]string, len(groups)), make([][]int, len(groups))
	for i, g := range groups {
		for _, v := range g.values {
			name := string(v)
			if c.Groups.MemberIs == memberDN {
				name = b.canonical(name)
			} else {
				name = fold(name)
			}
			if id := b.people[name]; id != "" {
				direct[i] = append(direct[i], id)
			} else if child, ok := b.groups[name]; ok {
				children[i] = append(children[i], child)
			}
		}
		groups[i].values = nil
	}
	total := 0
	for i := range groups {
		// Groups that hold each other in long chains take long, and nothing here reads from the server.
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		members := map[string]bool{}
		seen, todo := map[int]bool{i: true}, []int{i}
		for len(todo) > 0 {
			at := todo[len(todo)-1]
			todo = todo[:len(todo)-1]
			for _, id := range direct[at] {
				members[id] = true
			}
			for _, child := range children[at] {
				if !seen[child] {
					seen[child] = true
					todo = append(todo, child)
				}
			}
		}
		if total += len(members); total > maxMemberships {
			return fmt.Errorf("there are more than %d memberships", maxMemberships)
		}
		groups[i].Members = slices.Sorted(maps.Keys(members))
	}
	return nil
}
