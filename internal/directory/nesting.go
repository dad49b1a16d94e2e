package directory

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// The rules of groups in groups, over plain values. A person belongs to a group directly, or because a group that they
// belong to is a member of it, over any number of steps. Members are named by ids, which are never given twice, so no
// change of a name makes or breaks a chain.

// lattice is a part of a store's nesting: the id of a group to the ids of the groups that it is a direct member of. It
// has no cycles; its walks end all the same if it had.
type lattice map[string][]string

// few is how many ids are sooner looked through than looked up.
const few = 32

// reach are the given groups, each once, and after them those that they are in, over any number of steps: the slice itself
// when they are in none.
func (l lattice) reach(from []string) []string {
	var seen map[string]bool
	all := slices.Clip(from)
	for i := 0; i < len(all); i++ {
		for _, up := range l[all[i]] {
			switch {
			case len(all) <= few:
				if slices.Contains(all, up) {
					continue
				}
			case seen == nil:
				seen = make(map[string]bool, 2*len(all))
				for _, id := range all {
					seen[id] = true
				}
			}
			if len(all) > few {
				if seen[up] {
					continue
				}
				seen[up] = true
			}
			all = append(all, up)
		}
	}
	return all
}

// chain is a shortest way up from one group to another, both included, or nil.
func (l lattice) chain(from, to string) []string {
	came, next := map[string]string{from: ""}, []string{from}
	for i := 0; i < len(next); i++ {
		if next[i] == to {
			var way []string
			for id := to; id != ""; id = came[id] {
				way = append(way, id)
			}
			slices.Reverse(way)
			return way
		}
		for _, up := range l[next[i]] {
			if _, ok := came[up]; !ok {
				came[up] = next[i]
				next = append(next, up)
			}
		}
	}
	return nil
}

// height is how many groups the longest way up from a group has, itself included. known holds what was found before.
func (l lattice) height(id string, known map[string]int) int {
	if h, ok := known[id]; ok {
		return h
	}
	known[id] = 1 // ends a walk around a cycle
	highest := 0
	for _, up := range l[id] {
		highest = max(highest, l.height(up, known))
	}
	known[id] = highest + 1
	return highest + 1
}

// check refuses a lattice in which one of the groups named has too many above it, or stands at the bottom of too long a
// chain.
func (q Quotas) check(l lattice, ids []string) error {
	known := map[string]int{}
	for _, id := range ids {
		if l.height(id, known) > q.nestingDepth() {
			return quota("groups in a chain of groups within groups", q.nestingDepth())
		}
		if len(l.reach([]string{id}))-1 > q.groupsAbove() {
			return quota("groups that one group belongs to, directly or not", q.groupsAbove())
		}
	}
	return nil
}

// errCycle refuses a member that would belong to itself. The names are those of the chain by which the group is in the
// member already: group, …, member.
func errCycle(names []string) *Error {
	for i, n := range names {
		names[i] = fmt.Sprintf("%q", shorten(n))
	}
	group, member := names[0], names[len(names)-1]
	if len(names) == 1 {
		return Invalid("members", "The group "+group+" cannot be a member of itself.")
	}
	return Invalid("members", "The group "+member+" cannot be a member of the group "+group+", which belongs to it: "+strings.Join(names, " is in ")+".")
}

// shorten keeps a name of a thousand characters out of a message that has several.
func shorten(name string) string {
	const most = 64
	if utf8.RuneCountInString(name) <= most {
		return name
	}
	return string([]rune(name)[:most]) + "…"
}
