package ldap

import (
	"fmt"
	"maps"
	"slices"
	"time"

	goldap "github.com/go-ldap/ldap/v3"
)

// inChain is LDAP_MATCHING_RULE_IN_CHAIN ([MS-ADTS] §3.1.1.3.4.4.3): it follows a name through groups in groups.
const inChain = "1.2.840.113556.1.4.1941"

// read reads everything that the source has. It returns a snapshot only when it is whole.
func (c *connection) read(now time.Time) (*Snapshot, error) {
	s := &Snapshot{}
	if err := c.readPeople(s, now); err != nil {
		return nil, err
	}
	groups, err := c.readGroups(s)
	if err != nil {
		return nil, err
	}
	if c.cfg.Nested != nestedChain {
		if err := c.cfg.resolve(c.ctx, s.People, groups); err != nil {
			return nil, err
		}
	}
	for _, g := range groups {
		s.Groups = append(s.Groups, g.Group)
	}
	return s, nil
}

func (c *connection) readPeople(s *Snapshot, now time.Time) error {
	u := &c.cfg.Users
	wanted := wantedAttributes(u.Attributes, u.Disabled.Attribute, u.Expires)
	at := map[string]int{}
	return c.search(u.Base, u.Filter, wanted, func(e *goldap.Entry) error {
		p, problems, err := c.cfg.personOf(e, now)
		s.Problems = append(s.Problems, problems...)
		if err != nil {
			s.Problems = append(s.Problems, problem(e.DN, "is left out: "+err.Error()))
			return nil
		}
		if i, twice := at[p.ID]; twice {
			// Whoever can write the attribute could pass for somebody else, so neither counts.
			s.Problems = append(s.Problems, problem(e.DN, fmt.Sprintf("has the id %s of %s; the person counts as disabled", p.ID, s.People[i].DN)))
			s.People[i].Enabled, s.People[i].UserName = false, ""
			return nil
		}
		at[p.ID] = len(s.People)
		s.People = append(s.People, p)
		return nil
	})
}

func (c *connection) readGroups(s *Snapshot) ([]foundGroup, error) {
	g := &c.cfg.Groups
	if g.Base == "" {
		return nil, nil
	}
	attributes := maps.Clone(g.Attributes)
	if c.cfg.Nested == nestedChain {
		delete(attributes, attributeMember)
	}
	var found []foundGroup
	at := map[string]int{}
	var entries []*goldap.Entry
	err := c.search(g.Base, g.Filter, wantedAttributes(attributes), func(e *goldap.Entry) error {
		x, problems, err := c.cfg.groupOf(e)
		s.Problems = append(s.Problems, problems...)
		if err != nil {
			s.Problems = append(s.Problems, problem(e.DN, "is left out: "+err.Error()))
			return nil
		}
		if i, twice := at[x.ID]; twice {
			s.Problems = append(s.Problems, problem(e.DN, fmt.Sprintf("has the id %s of %s; the group counts as empty", x.ID, found[i].DN)))
			found[i].Name, entries[i] = "", nil
			return nil
		}
		at[x.ID] = len(found)
		found, entries = append(found, foundGroup{Group: x}), append(entries, e)
		return nil
	})
	if err != nil {
		return nil, err
	}
	// The rest of large groups is asked for after the search: a page of it may be outdated by another request.
	for i, e := range entries {
		switch {
		case e == nil:
		case c.cfg.Nested == nestedChain:
			found[i].Members, err = c.chain(e.DN)
		default:
			found[i].values, err = c.values(e, g.Attributes[attributeMember])
		}
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// chain asks Active Directory who is in a group, directly or through groups in it.
func (c *connection) chain(group string) ([]string, error) {
	u := &c.cfg.Users
	members := map[string]bool{}
	filter := "(&" + u.Filter + "(memberOf:" + inChain + ":=" + goldap.EscapeFilter(group) + "))"
	err := c.search(u.Base, filter, []string{u.Attributes[attributeID]}, func(e *goldap.Entry) error {
		if id, err := c.cfg.idOf(e, u.Attributes[attributeID]); err == nil {
			members[id] = true
		}
		return nil
	})
	return slices.Sorted(maps.Keys(members)), err
}

// wantedAttributes are the attributes to ask for, each once.
func wantedAttributes(mapping map[string]string, more ...string) []string {
	wanted := map[string]bool{}
	for _, a := range mapping {
		wanted[a] = true
	}
	for _, a := range more {
		if a != "" {
			wanted[a] = true
		}
	}
	return slices.Sorted(maps.Keys(wanted))
}
