package scim

import (
	"slices"
	"strings"

	"github.com/lakegate/lakegate/internal/directory"
)

// maxMembers bounds the members that one request names.
const maxMembers = 5000

// memberChange gathers what a request does to the members of a group. Later operations stand over earlier ones.
type memberChange struct {
	// all says that the members are those in added and no others.
	all            bool
	added, removed map[string]bool
	// kinds are the types that the request gives to members, where it gives one.
	kinds map[string]string
	named int
}

func newMemberChange() *memberChange {
	return &memberChange{added: map[string]bool{}, removed: map[string]bool{}, kinds: map[string]string{}}
}

// change is the sum of it for the directory.
func (c *memberChange) change() directory.Members {
	keys := func(m map[string]bool) (all []string) {
		for k := range m {
			all = append(all, k)
		}
		slices.Sort(all)
		return all
	}
	return directory.Members{Add: keys(c.added), Remove: keys(c.removed), Replace: c.all}
}

// ids reads a list of members: objects with a value each. An item without one is refused, not left out: a list that
// replaces all members must not empty a group by mistake.
func (c *memberChange) ids(v any) (ids []string, err error) {
	list := listOf(v)
	if c.named += len(list); c.named > maxMembers {
		return nil, bad(tooMany, "A request may name %d members.", maxMembers)
	}
	for _, x := range list {
		n, err := normalComplex(members, x, true)
		if err != nil {
			return nil, err
		}
		item, _ := n.(tree)
		id, ok := item["value"].(string)
		if !ok {
			return nil, bad(invalidValue, "A member needs a value, which is the id of a user or of a group.")
		}
		if kind, ok := item["type"].(string); ok {
			if !strings.EqualFold(kind, userType.name) && !strings.EqualFold(kind, groupType.name) {
				return nil, bad(invalidValue, "The type of a member is User or Group.")
			}
			c.kinds[id] = kind
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func (c *memberChange) set(to target, v any, replace bool) error {
	if to.items != nil || to.sub != nil {
		return bad(invalidPath, "Members are added and replaced with the path members alone.")
	}
	ids, err := c.ids(v)
	if err != nil {
		return err
	}
	if replace {
		c.all = true
		clear(c.added)
		clear(c.removed)
	}
	for _, id := range ids {
		c.added[id] = true
		delete(c.removed, id)
	}
	return nil
}

// remove takes both forms that providers send, members[value eq "…"] and a list as value; with neither, all members go.
func (c *memberChange) remove(to target, v any) error {
	if to.sub != nil {
		return bad(mutability, "A part of a member cannot be removed.")
	}
	ids, err := c.ids(v)
	if err != nil {
		return err
	}
	if to.items != nil {
		chosen, ok := chosenIDs(to.items)
		if !ok {
			return bad(invalidFilter, "Members can be chosen by value eq alone.")
		}
		ids = chosen
	} else if v == nil {
		c.all = true
		clear(c.added)
		clear(c.removed)
		return nil
	}
	for _, id := range ids {
		delete(c.added, id)
		if !c.all {
			c.removed[id] = true
		}
	}
	return nil
}

// check refuses an added member that is something else than its type says. An id is never given twice, so what it is the
// id of does not change; one that is nobody's is left to the directory.
func (c *memberChange) check(d *directory.Directory, storeID string) error {
	for id := range c.added {
		kind := c.kinds[id]
		_, isUser := d.User(storeID, id)
		_, isGroup := d.GroupName(storeID, id)
		if isUser && strings.EqualFold(kind, groupType.name) || isGroup && strings.EqualFold(kind, userType.name) {
			return bad(invalidValue, "The member %s is not a %s.", id, kind)
		}
	}
	return nil
}

// chosenIDs are the values that a filter compares with, if it does nothing else.
func chosenIDs(f filter) (ids []string, ok bool) {
	switch f := f.(type) {
	case *compare:
		if f.op == "eq" && !f.value.isNull && f.ref.attr.name == "value" {
			return []string{f.value.text}, true
		}
	case *or:
		a, okA := chosenIDs(f.a)
		b, okB := chosenIDs(f.b)
		return append(a, b...), okA && okB
	}
	return nil, false
}
