package grants

import "slices"

// Rights are a set of S3 actions, a bit for each.
type Rights uint32

// everyRight is the actions that a grant can be about, in the order of their bits.
var everyRight = actionsOf(ReadWrite, true)

// rightsOf are the bits of actions that a permission has.
func rightsOf(actions []string) (r Rights) {
	for n, a := range everyRight {
		if slices.Contains(actions, a) {
			r |= 1 << n
		}
	}
	return r
}

// wholly are the rights of each permission, without those on tags, and every one that it can have.
var (
	wholly = map[Permission]Rights{Read: rightsOf(actionsOf(Read, false)), Write: rightsOf(actionsOf(Write, false)), ReadWrite: rightsOf(actionsOf(ReadWrite, false))}
	atMost = map[Permission]Rights{Read: rightsOf(actionsOf(Read, true)), Write: rightsOf(actionsOf(Write, true)), ReadWrite: rightsOf(everyRight)}
)

// Rights are what the grant gives, or takes if it denies, wherever it is in force.
func (g *Grant) Rights() Rights {
	switch {
	case g.bounded():
		return rightsOf(g.Terms.Actions) & atMost[g.Permission]
	case g.Denies():
		return atMost[g.Permission]
	}
	return wholly[g.Permission]
}

// Permission is the narrowest that has all of the rights; whole says that they are what a grant of it gives.
func (r Rights) Permission() (p Permission, whole bool) {
	p = ReadWrite
	switch {
	case r&^atMost[Read] == 0:
		p = Read
	case r&^atMost[Write] == 0:
		p = Write
	}
	return p, r == wholly[p]
}

// Actions are the names of the rights.
func (r Rights) Actions() (all []string) {
	for n, a := range everyRight {
		if r&(1<<n) != 0 {
			all = append(all, a)
		}
	}
	return all
}
