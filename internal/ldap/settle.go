package ldap

import (
	"slices"
)

// Who gets which name. Names are unique in an identity store, and a source may want one that somebody has already, or the
// same one twice. Nobody is renamed to make room, and nobody gets a name because they came first in a list: a name says to
// the rest of the chain who somebody is.

// claim is an entry of the source that wants a name. Names are folded; has is empty for an entry that is new.
type claim struct {
	id, has, wants string
}

// Reasons why a claim is refused.
const (
	heldByOther  = "somebody who is not in this source, or no longer, has it"
	wantedTwice  = "two entries want it"
	keptByHolder = "an entry of the source has it"
)

// settle decides who does not get what they want, and why. taken are the names of those who stay as they are. With keep,
// who is refused keeps the name that it has, so that nobody else can have it; without, it has none.
func settle(claims []claim, taken map[string]string, keep bool) map[string]string {
	refused := map[string]string{}
	by, held := map[string][]claim{}, map[string]string{}
	for name, why := range taken {
		held[name] = why
	}
	var names []string
	for _, c := range claims {
		if by[c.wants] == nil {
			names = append(names, c.wants)
		}
		by[c.wants] = append(by[c.wants], c)
	}
	refuse := func(c claim, why string) {
		refused[c.id] = why
		if keep && c.has != "" && held[c.has] == "" {
			held[c.has] = keptByHolder
			names = append(names, c.has) // decided already, perhaps, for somebody who now cannot have it
		}
	}
	for len(names) > 0 {
		name := names[0]
		names = names[1:]
		live := slices.DeleteFunc(slices.Clone(by[name]), func(c claim) bool { return refused[c.id] != "" })
		if why := held[name]; why != "" {
			for _, c := range live {
				refuse(c, why)
			}
			continue
		}
		if len(live) < 2 {
			continue
		}
		for _, c := range live {
			if c.has != name {
				why := wantedTwice
				if slices.ContainsFunc(live, func(o claim) bool { return o.has == name }) {
					why = keptByHolder
				}
				refuse(c, why)
			}
		}
	}
	return refused
}

// settlePeople decides the names and email addresses of everybody in the source, by id. Who is new and has no name is left
// out.
func (p *planner) settlePeople(all []Person) map[string]*Person {
	people := map[string]*Person{}
	for i := range all {
		x := all[i]
		x.Values = cloned(x.Values)
		people[x.ID] = &x
	}
	names, emails := map[string]string{}, map[string]string{}
	for i := range p.have.Users {
		u := &p.have.Users[i]
		id := owned(u.ExternalIDs, p.rules.Issuer)
		switch {
		case id != "" && people[id] != nil, id != "" && p.rules.Delete:
			continue // decided below, or gone before anybody else gets a name
		}
		names[fold(u.UserName)] = heldByOther
		if e := u.Profile.PrimaryEmail(); e != "" {
			emails[fold(e)] = heldByOther
		}
	}
	var claims []claim
	for _, x := range all {
		u := p.users[x.ID]
		switch {
		case u == nil && x.UserName == "":
			delete(people, x.ID)
		case u == nil:
			claims = append(claims, claim{id: x.ID, wants: fold(x.UserName)})
		case x.UserName == "":
			names[fold(u.UserName)] = keptByHolder
			people[x.ID].UserName = u.UserName
		default:
			claims = append(claims, claim{id: x.ID, has: fold(u.UserName), wants: fold(x.UserName)})
		}
	}
	for id, why := range settle(claims, names, true) {
		x := people[id]
		u := p.users[id]
		if u == nil {
			p.report(x.DN, "the user name %s is not free (%s); the person is left out", x.UserName, why)
			delete(people, id)
			continue
		}
		p.report(x.DN, "the user name %s is not free (%s); the person stays %s", x.UserName, why, u.UserName)
		x.UserName = u.UserName
	}
	p.settleEmails(people, emails)
	slices.SortFunc(p.plan.Problems, compareProblems)
	return people
}

// settleEmails takes an email address that is not free from who wants it: without it a person is still whole.
func (p *planner) settleEmails(people map[string]*Person, taken map[string]string) {
	var claims []claim
	for id, x := range people {
		has := ""
		if u := p.users[id]; u != nil {
			has = fold(u.Profile.PrimaryEmail())
		}
		email, mapped := x.Values[attributeEmail]
		switch {
		case !mapped && has != "":
			taken[has] = keptByHolder
		case email != "":
			claims = append(claims, claim{id: id, has: has, wants: fold(email)})
		}
	}
	for id, why := range settle(claims, taken, false) {
		x := people[id]
		p.report(x.DN, "the email address %s is not free (%s); the person gets none", x.Values[attributeEmail], why)
		x.Values[attributeEmail] = ""
	}
}

// settleGroups decides the names of the groups of the source, by id.
func (p *planner) settleGroups(all []Group) map[string]*Group {
	groups := map[string]*Group{}
	for i := range all {
		x := all[i]
		groups[x.ID] = &x
	}
	names := map[string]string{}
	for i := range p.have.Groups {
		g := &p.have.Groups[i]
		id := owned(g.ExternalIDs, p.rules.Issuer)
		if id == "" || groups[id] == nil && !p.rules.Delete {
			names[fold(g.DisplayName)] = heldByOther
		}
	}
	var claims []claim
	for _, x := range all {
		g := p.groups[x.ID]
		switch {
		case g == nil && x.Name == "":
			delete(groups, x.ID)
		case g == nil:
			claims = append(claims, claim{id: x.ID, wants: fold(x.Name)})
		case x.Name == "":
			names[fold(g.DisplayName)] = keptByHolder
			groups[x.ID].Name = g.DisplayName
		default:
			claims = append(claims, claim{id: x.ID, has: fold(g.DisplayName), wants: fold(x.Name)})
		}
	}
	for id, why := range settle(claims, names, true) {
		x := groups[id]
		g := p.groups[id]
		if g == nil {
			p.report(x.DN, "the group name %s is not free (%s); the group is left out", x.Name, why)
			delete(groups, id)
			continue
		}
		p.report(x.DN, "the group name %s is not free (%s); the group stays %s", x.Name, why, g.DisplayName)
		x.Name = g.DisplayName
	}
	slices.SortFunc(p.plan.Problems, compareProblems)
	return groups
}
