package explain

import (
	"context"
	"slices"

	"github.com/lakegate/lakegate/internal/grants"
	"github.com/lakegate/lakegate/internal/scope"
)

// crowd is the people of whom a question may be: those named, and the members of groups.
type crowd struct {
	s       *Questions
	storeID string
	// all says that there are too many to name: everybody of the store is gone through.
	all    bool
	people []string // sorted
	groups []string
}

// The bounds within which a crowd is named.
const (
	maxNamed  = 1000 // grants looked at
	maxGroups = 64   // groups whose members are put together
	// maxWalk is how many people a page goes through: so one that finds few ends all the same.
	maxWalk = 20_000
	chunk   = 1000
)

// crowdOf names those to whom grants that may cover a target are given.
func (s *Questions) crowdOf(ctx context.Context, v *viewer, t scope.Target) (*crowd, error) {
	var of []grants.Grantee
	n := 0
	s.Holders.EachCovering(v.account, t, func(g *grants.Grant) bool {
		n++
		of = append(of, g.Grantee)
		return n <= maxNamed
	})
	if n > maxNamed {
		return &crowd{s: s, storeID: v.instance.StoreID, all: true}, nil
	}
	return s.membersOf(ctx, v, of...)
}

// membersOf are the people that grantees are, with the members of groups over any number of steps.
func (s *Questions) membersOf(ctx context.Context, v *viewer, of ...grants.Grantee) (c *crowd, err error) {
	c = &crowd{s: s, storeID: v.instance.StoreID}
	for _, g := range of {
		switch g.Type {
		case grants.DirectoryUser:
			c.people = append(c.people, g.ID)
		case grants.DirectoryGroup:
			c.groups = append(c.groups, g.ID)
		}
	}
	slices.Sort(c.people)
	slices.Sort(c.groups)
	c.people, c.groups = slices.Compact(c.people), slices.Compact(c.groups)
	if len(c.groups) > 0 {
		if c.groups, err = s.Everybody.GroupsBelow(ctx, c.storeID, c.groups); err != nil {
			return nil, err
		}
	}
	c.all = len(c.groups) > maxGroups
	return c, nil
}

// after reads the next ids: limit of them at most. None means the end.
func (c *crowd) after(ctx context.Context, last string, limit int) (ids []string, err error) {
	if c.all {
		return c.s.Everybody.PeopleAfter(ctx, c.storeID, last, limit)
	}
	if len(c.groups) > 0 {
		if ids, err = c.s.Everybody.MembersAfter(ctx, c.storeID, c.groups, last, limit); err != nil {
			return nil, err
		}
	}
	from, found := slices.BinarySearch(c.people, last)
	if found {
		from++
	}
	ids = append(ids, c.people[from:min(len(c.people), from+limit)]...)
	slices.Sort(ids)
	ids = slices.Compact(ids)
	return ids[:min(len(ids), limit)], nil
}

// each goes through the crowd until visit has enough or a page has gone far enough; done says that nobody is left. last is
// the person where it stopped.
func (c *crowd) each(ctx context.Context, from string, visit func(id string) (more bool)) (last string, done bool, err error) {
	last = from
	for walked := 0; walked < maxWalk; {
		ids, err := c.after(ctx, last, chunk)
		if err != nil || len(ids) == 0 {
			return last, err == nil, err
		}
		for _, id := range ids {
			last = id
			if !visit(id) {
				return last, false, nil
			}
		}
		walked += len(ids)
	}
	return last, false, ctx.Err()
}
