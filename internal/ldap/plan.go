package ldap

import (
	"fmt"
	"maps"
	"slices"

	"github.com/lakegate/lakegate/internal/directory"
)

// Present is what the directory has: everybody of the identity store, whoever made them.
type Present struct {
	Users  []directory.User
	Groups []PresentGroup
}

// PresentGroup is a group with the ids of its users. Those of groups that are not the source's are not needed.
type PresentGroup struct {
	directory.Group
	Members []string
}

// Rules are what a plan follows.
type Rules struct {
	// Issuer is that of the external ids of the source's entries.
	Issuer string
	// Delete removes who vanished from the source; else people are disabled and groups emptied.
	Delete bool
}

// Action is a kind of change.
type Action string

// The actions, in the order in which a plan has them: what takes access away comes first.
const (
	DisableUser Action = "DisableUser"
	DeleteUser  Action = "DeleteUser"
	Leave       Action = "RemoveMembers"
	DeleteGroup Action = "DeleteGroup"
	UpdateUser  Action = "UpdateUser"
	CreateUser  Action = "CreateUser"
	UpdateGroup Action = "UpdateGroup"
	CreateGroup Action = "CreateGroup"
	Join        Action = "AddMembers"
)

// Change is one step of a plan.
type Change struct {
	Action Action
	// ID is the user or group of the directory; empty for those to be created. Source is its id in the source.
	ID, Source string
	// Name is what it is called, for people to read.
	Name string
	// Person and Group are what a user or group is to become.
	Person *Person
	Group  *Group
	// Parked gives a user or group a name that nobody has, and a user no email address, until the one that it is to get is
	// free.
	Parked bool
	// Members are people: of the directory by their ids (Leave), of the source by theirs (Join).
	Members []string
}

// Plan is what to do, in order.
type Plan struct {
	Changes  []Change
	Problems []Problem
	Losses   Losses
}

// MakePlan compares what the source says with what the directory has. It is a pure function: applying the changes in their
// order makes the directory say what the source says, and the next plan is empty.
func MakePlan(s *Snapshot, have *Present, rules Rules) *Plan {
	p := &planner{rules: rules, have: have, plan: &Plan{Problems: slices.Clone(s.Problems)}, users: map[string]*directory.User{}, groups: map[string]*PresentGroup{}}
	for i := range have.Users {
		if id := owned(have.Users[i].ExternalIDs, rules.Issuer); id != "" {
			p.users[id] = &have.Users[i]
		}
	}
	for i := range have.Groups {
		if id := owned(have.Groups[i].ExternalIDs, rules.Issuer); id != "" {
			p.groups[id] = &have.Groups[i]
		}
	}
	people, groups := p.settlePeople(s.People), p.settleGroups(s.Groups)
	p.removePeople(people)
	p.removeMembers(people, groups)
	p.changePeople(people)
	p.changeGroups(groups)
	p.addMembers(people, groups)
	return p.plan
}

type planner struct {
	rules Rules
	have  *Present
	plan  *Plan
	// users and groups are those of the source that the directory has, by their ids in the source.
	users  map[string]*directory.User
	groups map[string]*PresentGroup
}

func (p *planner) add(c Change) { p.plan.Changes = append(p.plan.Changes, c) }

func (p *planner) report(entry, format string, args ...any) {
	p.plan.Problems = append(p.plan.Problems, problem(entry, fmt.Sprintf(format, args...)))
}

// removePeople takes the access of who vanished or was disabled.
func (p *planner) removePeople(people map[string]*Person) {
	for _, id := range slices.Sorted(maps.Keys(p.users)) {
		u, wanted := p.users[id], people[id]
		c := Change{ID: u.ID, Source: id, Name: u.UserName}
		loses := u.Enabled || p.rules.Delete // whom it deletes loses more than the access
		if loses {
			p.plan.Losses.People.Of++
		}
		switch {
		case wanted == nil && p.rules.Delete:
			c.Action = DeleteUser
		case (wanted == nil || !wanted.Enabled) && u.Enabled:
			c.Action = DisableUser
		default:
			continue
		}
		if loses {
			p.plan.Losses.People.Lost++
		}
		p.add(c)
	}
}

// removeMembers ends memberships. Within a group of the source, the memberships of its people are the source's; those of
// other people are left alone.
func (p *planner) removeMembers(people map[string]*Person, groups map[string]*Group) {
	sourceOf := map[string]string{}
	for id, u := range p.users {
		sourceOf[u.ID] = id
	}
	for _, id := range slices.Sorted(maps.Keys(p.groups)) {
		g, wanted := p.groups[id], groups[id]
		p.plan.Losses.Groups.Of++
		if wanted == nil && p.rules.Delete {
			p.plan.Losses.Groups.Lost++
			p.add(Change{Action: DeleteGroup, ID: g.ID, Source: id, Name: g.DisplayName})
			continue
		}
		var gone []string
		for _, userID := range g.Members {
			source, ours := sourceOf[userID]
			if !ours {
				continue
			}
			stays := people[source] != nil && people[source].Enabled
			if stays {
				p.plan.Losses.Memberships.Of++
			}
			if wanted != nil {
				if _, is := slices.BinarySearch(wanted.Members, source); is {
					continue
				}
			}
			if people[source] == nil && p.rules.Delete {
				continue // deleted, and with the person the membership
			}
			if stays {
				p.plan.Losses.Memberships.Lost++
			}
			gone = append(gone, userID)
		}
		if len(gone) == 0 {
			continue
		}
		if wanted == nil {
			p.plan.Losses.Groups.Lost++
		}
		slices.Sort(gone)
		p.add(Change{Action: Leave, ID: g.ID, Source: id, Name: g.DisplayName, Members: gone})
	}
}

// changePeople brings people to what the source says: those whom the directory has, in an order in which no two of them
// have a name at the same time, then the new ones.
func (p *planner) changePeople(people map[string]*Person) {
	var moves []move
	var created []Change
	for _, id := range slices.Sorted(maps.Keys(people)) {
		wanted, u := people[id], p.users[id]
		if u == nil {
			created = append(created, Change{Action: CreateUser, Source: id, Name: wanted.UserName, Person: wanted})
			continue
		}
		after := *u
		wanted.put(&after)
		if sameUser(u, &after) {
			continue
		}
		moves = append(moves, move{
			change: Change{Action: UpdateUser, ID: u.ID, Source: id, Name: after.UserName, Person: wanted},
			has:    uniqueOf(u), wants: uniqueOf(&after),
		})
	}
	for _, c := range inOrder(moves) {
		p.add(c)
	}
	p.plan.Changes = append(p.plan.Changes, created...)
}

// sameUser says that nothing is left to do. Disabling came first, as a change of its own.
func sameUser(before, after *directory.User) bool {
	if before.UserName != after.UserName || after.Enabled && !before.Enabled {
		return false
	}
	x, y := &before.Profile, &after.Profile
	for name := range userAttributes {
		if place := userAttributes[name]; place != nil && *place(x) != *place(y) {
			return false
		}
	}
	return slices.Equal(x.Emails, y.Emails) && slices.Equal(x.PhoneNumbers, y.PhoneNumbers)
}

// uniqueOf are the values of a user that nobody else may have.
func uniqueOf(u *directory.User) []string {
	all := []string{"name " + fold(u.UserName)}
	if e := u.Profile.PrimaryEmail(); e != "" {
		all = append(all, "email "+fold(e))
	}
	return all
}

func (p *planner) changeGroups(groups map[string]*Group) {
	var moves []move
	var created []Change
	for _, id := range slices.Sorted(maps.Keys(groups)) {
		wanted, g := groups[id], p.groups[id]
		switch {
		case g == nil:
			created = append(created, Change{Action: CreateGroup, Source: id, Name: wanted.Name, Group: wanted})
		case g.DisplayName != wanted.Name || g.Description != wanted.Description:
			moves = append(moves, move{
				change: Change{Action: UpdateGroup, ID: g.ID, Source: id, Name: wanted.Name, Group: wanted},
				has:    []string{fold(g.DisplayName)}, wants: []string{fold(wanted.Name)},
			})
		}
	}
	for _, c := range inOrder(moves) {
		p.add(c)
	}
	p.plan.Changes = append(p.plan.Changes, created...)
}

// addMembers makes memberships, last of all. Members that did not get into the directory are left out.
func (p *planner) addMembers(people map[string]*Person, groups map[string]*Group) {
	for _, id := range slices.Sorted(maps.Keys(groups)) {
		wanted := groups[id]
		c := Change{Action: Join, Source: id, Name: wanted.Name}
		is := map[string]bool{}
		if g := p.groups[id]; g != nil {
			c.ID = g.ID
			for _, userID := range g.Members {
				is[userID] = true
			}
		}
		for _, source := range wanted.Members {
			if people[source] == nil {
				continue
			}
			if u := p.users[source]; u == nil || !is[u.ID] {
				c.Members = append(c.Members, source)
			}
		}
		if len(c.Members) > 0 {
			p.add(c)
		}
	}
}
