package ldap_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/lakegate/lakegate/internal/directory"
	"github.com/lakegate/lakegate/internal/ldap"
)

const issuer = "urn:lakegate:ldap:test"

// model is a directory without a database: it keeps its rules, and a change that breaks one fails the test.
type model struct {
	users  map[string]directory.User
	groups map[string]ldap.PresentGroup
	next   int
}

func (m *model) id() string {
	m.next++
	return fmt.Sprintf("id-%03d", m.next)
}

func (m *model) present() *ldap.Present {
	p := &ldap.Present{}
	for _, id := range slices.Sorted(maps.Keys(m.users)) {
		p.Users = append(p.Users, m.users[id])
	}
	for _, id := range slices.Sorted(maps.Keys(m.groups)) {
		g := m.groups[id]
		g.Members = slices.Clone(g.Members)
		p.Groups = append(p.Groups, g)
	}
	return p
}

func (m *model) putUser(u directory.User) error {
	for id, o := range m.users {
		if id == u.ID {
			continue
		}
		if strings.EqualFold(o.UserName, u.UserName) {
			return fmt.Errorf("user name %s is taken", u.UserName)
		}
		if e := u.Profile.PrimaryEmail(); e != "" && strings.EqualFold(o.Profile.PrimaryEmail(), e) {
			return fmt.Errorf("email %s is taken", e)
		}
	}
	m.users[u.ID] = u
	return u.Check()
}

func (m *model) putGroup(g ldap.PresentGroup) error {
	for id, o := range m.groups {
		if id != g.ID && strings.EqualFold(o.DisplayName, g.DisplayName) {
			return fmt.Errorf("group name %s is taken", g.DisplayName)
		}
	}
	m.groups[g.ID] = g
	return nil
}

// mark is the id of an entry in the source.
func mark(ids []directory.ExternalID) string {
	for _, x := range ids {
		if x.Issuer == issuer {
			return x.ID
		}
	}
	return ""
}

func (m *model) apply(c ldap.Change) error {
	external := []directory.ExternalID{{Issuer: issuer, ID: c.Source}}
	switch c.Action {
	case ldap.DisableUser, ldap.UpdateUser:
		u, ok := m.users[c.ID]
		if !ok || mark(u.ExternalIDs) != c.Source {
			return fmt.Errorf("%s is not the source's", c.ID)
		}
		switch {
		case c.Action == ldap.DisableUser:
			u.Enabled = false
		case c.Parked:
			u.UserName, u.Profile.Emails = ldap.ParkedName(c.ID), nil
		default:
			c.Person.Put(&u)
		}
		return m.putUser(u)
	case ldap.DeleteUser:
		if mark(m.users[c.ID].ExternalIDs) != c.Source {
			return fmt.Errorf("%s is not the source's", c.ID)
		}
		delete(m.users, c.ID)
		for id, g := range m.groups {
			g.Members = slices.DeleteFunc(slices.Clone(g.Members), func(u string) bool { return u == c.ID })
			m.groups[id] = g
		}
		return nil
	case ldap.CreateUser:
		u := directory.User{ID: m.id(), ExternalIDs: external}
		c.Person.Put(&u)
		return m.putUser(u)
	case ldap.CreateGroup:
		return m.putGroup(ldap.PresentGroup{Group: directory.Group{ID: m.id(), DisplayName: c.Group.Name, Description: c.Group.Description, ExternalIDs: external}})
	}
	g, err := m.groupOf(c)
	if err != nil {
		return err
	}
	switch c.Action {
	case ldap.UpdateGroup:
		if g.DisplayName, g.Description = c.Group.Name, c.Group.Description; c.Parked {
			g.DisplayName = ldap.ParkedName(c.ID)
		}
	case ldap.DeleteGroup:
		delete(m.groups, g.ID)
		return nil
	case ldap.Leave:
		for _, id := range c.Members {
			if !slices.Contains(g.Members, id) {
				return fmt.Errorf("%s is no member", id)
			}
		}
		g.Members = slices.DeleteFunc(slices.Clone(g.Members), func(u string) bool { return slices.Contains(c.Members, u) })
	case ldap.Join:
		g.Members = slices.Clone(g.Members)
		for _, source := range c.Members {
			for id, u := range m.users {
				if mark(u.ExternalIDs) == source {
					g.Members = append(g.Members, id)
				}
			}
		}
	}
	return m.putGroup(g)
}

func (m *model) groupOf(c ldap.Change) (ldap.PresentGroup, error) {
	for _, g := range m.groups {
		if mark(g.ExternalIDs) == c.Source {
			return g, nil
		}
	}
	return ldap.PresentGroup{}, fmt.Errorf("no group of the source is %s", c.Source)
}

var (
	someNames  = rapid.SampledFrom([]string{"alice", "Alice", "bob", "BOB", "carol", "dave", "erin"})
	someEmails = rapid.SampledFrom([]string{"", "a@x", "A@X", "b@x", "c@x"})
	someIDs    = rapid.SampledFrom([]string{"s0", "s1", "s2", "s3", "s4", "s5"})
	someGroups = rapid.SampledFrom([]string{"g0", "g1", "g2"})
	someTitles = rapid.SampledFrom([]string{"readers", "Readers", "writers", "all"})
)

func emailsOf(e string) []directory.Item {
	if e == "" {
		return nil
	}
	return []directory.Item{{Value: e, Type: "work", Primary: true}}
}

// drawModel draws a directory with people and groups of the source and of others.
func drawModel(t *rapid.T) *model {
	m := &model{users: map[string]directory.User{}, groups: map[string]ldap.PresentGroup{}}
	seen := map[string]bool{}
	for i := range rapid.IntRange(0, 7).Draw(t, "users") {
		u := directory.User{ID: m.id(), UserName: someNames.Draw(t, "name"), Enabled: rapid.Bool().Draw(t, "enabled")}
		u.Profile.Emails = emailsOf(someEmails.Draw(t, "email"))
		u.Profile.Timezone = "Europe/Vienna" // which the source has no say in
		if source := someIDs.Draw(t, "source"); i%3 != 0 && !seen[source] {
			seen[source] = true
			u.ExternalIDs = []directory.ExternalID{{Issuer: issuer, ID: source}}
		}
		if m.putUser(u) != nil {
			delete(m.users, u.ID)
		}
	}
	for i := range rapid.IntRange(0, 4).Draw(t, "groups") {
		g := ldap.PresentGroup{Group: directory.Group{ID: m.id(), DisplayName: someTitles.Draw(t, "title")}}
		if source := someGroups.Draw(t, "source"); i%3 != 0 && !seen[source] {
			seen[source] = true
			g.ExternalIDs = []directory.ExternalID{{Issuer: issuer, ID: source}}
		}
		for _, id := range slices.Sorted(maps.Keys(m.users)) {
			if rapid.Bool().Draw(t, "member") {
				g.Members = append(g.Members, id)
			}
		}
		if m.putGroup(g) != nil {
			delete(m.groups, g.ID)
		}
	}
	return m
}

func drawSnapshot(t *rapid.T) *ldap.Snapshot {
	s := &ldap.Snapshot{}
	ids := rapid.SliceOfNDistinct(someIDs, 0, 6, rapid.ID[string]).Draw(t, "ids")
	for _, id := range ids {
		p := ldap.Person{ID: id, DN: "uid=" + id, UserName: someNames.Draw(t, "wanted name"), Enabled: rapid.Bool().Draw(t, "wanted enabled"), Values: map[string]string{}}
		if rapid.IntRange(0, 9).Draw(t, "nameless") == 0 {
			p.UserName = ""
		}
		p.Values["email"] = someEmails.Draw(t, "wanted email")
		p.Values["title"] = rapid.SampledFrom([]string{"", "Chief"}).Draw(t, "wanted title")
		s.People = append(s.People, p)
	}
	for _, id := range rapid.SliceOfNDistinct(someGroups, 0, 3, rapid.ID[string]).Draw(t, "group ids") {
		g := ldap.Group{ID: id, DN: "cn=" + id, Name: someTitles.Draw(t, "wanted title of group")}
		for _, p := range ids {
			if rapid.Bool().Draw(t, "wanted member") {
				g.Members = append(g.Members, p)
			}
		}
		slices.Sort(g.Members)
		s.Groups = append(s.Groups, g)
	}
	return s
}

// TestPlanMakesTheDirectorySayWhatTheSourceSays is the contract of a plan, on directories and sources in which names are
// rare and everybody wants the same ones.
func TestPlanMakesTheDirectorySayWhatTheSourceSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, s := drawModel(t), drawSnapshot(t)
		rules := ldap.Rules{Issuer: issuer, Delete: rapid.Bool().Draw(t, "delete")}
		before := m.present()
		plan := ldap.MakePlan(s, before, rules)
		for i, c := range plan.Changes {
			if err := m.apply(c); err != nil {
				t.Fatalf("change %d, %s of %s: %v\nplan: %+v", i, c.Action, c.Source, err, plan.Changes)
			}
		}
		after := m.present()
		if again := ldap.MakePlan(s, after, rules); len(again.Changes) > 0 {
			t.Fatalf("a second run is not empty: %+v\nthe first was: %+v", again.Changes, plan.Changes)
		}
		othersAreUntouched(t, before, after)
		peopleAreAsWanted(t, s, plan, after, rules)
		groupsAreAsWanted(t, s, before, after)
	})
}

func othersAreUntouched(t *rapid.T, before, after *ldap.Present) {
	for _, u := range before.Users {
		if mark(u.ExternalIDs) != "" {
			continue
		}
		i := slices.IndexFunc(after.Users, func(x directory.User) bool { return x.ID == u.ID })
		if i < 0 || after.Users[i].UserName != u.UserName || after.Users[i].Enabled != u.Enabled || after.Users[i].Profile.PrimaryEmail() != u.Profile.PrimaryEmail() {
			t.Fatalf("somebody else's user was touched: %+v", u)
		}
	}
	for _, g := range before.Groups {
		if mark(g.ExternalIDs) != "" {
			continue
		}
		i := slices.IndexFunc(after.Groups, func(x ldap.PresentGroup) bool { return x.ID == g.ID })
		if i < 0 || after.Groups[i].DisplayName != g.DisplayName {
			t.Fatalf("somebody else's group was touched: %+v", g)
		}
	}
}

func peopleAreAsWanted(t *rapid.T, s *ldap.Snapshot, plan *ldap.Plan, after *ldap.Present, rules ldap.Rules) {
	wanted, troubled := map[string]ldap.Person{}, map[string]bool{}
	for _, p := range s.People {
		wanted[p.ID] = p
	}
	for _, p := range plan.Problems {
		troubled[p.Entry] = true
	}
	found := map[string]bool{}
	for _, u := range after.Users {
		source := mark(u.ExternalIDs)
		if source == "" {
			continue
		}
		found[source] = true
		p, ok := wanted[source]
		switch {
		case !ok && rules.Delete:
			t.Fatalf("%s vanished and is there", source)
		case !ok && u.Enabled:
			t.Fatalf("%s vanished and is enabled", source)
		case !ok:
			continue
		case u.Enabled != p.Enabled:
			t.Fatalf("%s is enabled: %t, want %t", source, u.Enabled, p.Enabled)
		case u.Profile.Title != p.Values["title"]:
			t.Fatalf("%s has the title %q", source, u.Profile.Title)
		case !troubled[p.DN] && (p.UserName != "" && u.UserName != p.UserName || u.Profile.PrimaryEmail() != p.Values["email"]):
			t.Fatalf("%s is %s <%s>, want %s <%s>", source, u.UserName, u.Profile.PrimaryEmail(), p.UserName, p.Values["email"])
		case strings.HasPrefix(u.UserName, "moving-"):
			t.Fatalf("%s was left in between: %s", source, u.UserName)
		}
	}
	for _, p := range s.People {
		if !found[p.ID] && p.UserName != "" && !troubled[p.DN] {
			t.Fatalf("%s is missing, and nobody was told", p.ID)
		}
	}
}

func groupsAreAsWanted(t *rapid.T, s *ldap.Snapshot, before, after *ldap.Present) {
	sourceOf := map[string]string{}
	for _, u := range slices.Concat(before.Users, after.Users) {
		sourceOf[u.ID] = mark(u.ExternalIDs)
	}
	has := map[string]bool{}
	for _, u := range after.Users {
		has[mark(u.ExternalIDs)] = true
	}
	guests := func(g ldap.PresentGroup) (ids []string) {
		for _, id := range g.Members {
			if sourceOf[id] == "" {
				ids = append(ids, id)
			}
		}
		return ids
	}
	for _, g := range after.Groups {
		source := mark(g.ExternalIDs)
		if i := slices.IndexFunc(before.Groups, func(x ldap.PresentGroup) bool { return x.ID == g.ID }); i >= 0 && !slices.Equal(guests(before.Groups[i]), guests(g)) {
			t.Fatalf("the guests of %s changed: %v, then %v", g.DisplayName, guests(before.Groups[i]), guests(g))
		}
		if source == "" {
			continue
		}
		var want, got []string
		if i := slices.IndexFunc(s.Groups, func(x ldap.Group) bool { return x.ID == source }); i >= 0 {
			want = slices.DeleteFunc(slices.Clone(s.Groups[i].Members), func(id string) bool { return !has[id] })
		}
		for _, id := range g.Members {
			if sourceOf[id] != "" {
				got = append(got, sourceOf[id])
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Fatalf("%s has the members %v, want %v", g.DisplayName, got, want)
		}
	}
}

// TestNextRunHealsOneThatWasCutOff: whatever part of a plan was applied, the next one does the rest.
func TestNextRunHealsOneThatWasCutOff(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, s := drawModel(t), drawSnapshot(t)
		rules := ldap.Rules{Issuer: issuer, Delete: rapid.Bool().Draw(t, "delete")}
		before := m.present()
		plan := ldap.MakePlan(s, before, rules)
		for _, c := range plan.Changes[:rapid.IntRange(0, len(plan.Changes)).Draw(t, "applied")] {
			if err := m.apply(c); err != nil {
				t.Fatal(err)
			}
		}
		rest := ldap.MakePlan(s, m.present(), rules)
		for _, c := range rest.Changes {
			if err := m.apply(c); err != nil {
				t.Fatalf("%s of %s: %v\nthe first plan was %+v", c.Action, c.Source, err, plan.Changes)
			}
		}
		after := m.present()
		if again := ldap.MakePlan(s, after, rules); len(again.Changes) > 0 {
			t.Fatalf("after the rest there is more: %+v", again.Changes)
		}
		othersAreUntouched(t, before, after)
		peopleAreAsWanted(t, s, rest, after, rules)
		groupsAreAsWanted(t, s, before, after)
	})
}

// TestAccessGoesFirst holds the order of a plan: whoever cuts it off leaves nobody with access that they lost.
func TestAccessGoesFirst(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, s := drawModel(t), drawSnapshot(t)
		plan := ldap.MakePlan(s, m.present(), ldap.Rules{Issuer: issuer, Delete: rapid.Bool().Draw(t, "delete")})
		order := []ldap.Action{ldap.DisableUser, ldap.DeleteUser, ldap.Leave, ldap.DeleteGroup, ldap.UpdateUser, ldap.CreateUser, ldap.UpdateGroup, ldap.CreateGroup, ldap.Join}
		stage := map[ldap.Action]int{ldap.DisableUser: 0, ldap.DeleteUser: 0, ldap.Leave: 1, ldap.DeleteGroup: 1}
		last := 0
		for _, c := range plan.Changes {
			at, early := stage[c.Action]
			if !early {
				at = slices.Index(order, c.Action)
			}
			if at < last {
				t.Fatalf("%s comes after a later stage in %+v", c.Action, plan.Changes)
			}
			last = at
		}
	})
}
