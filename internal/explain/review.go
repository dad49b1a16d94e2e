package explain

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/lakegate/lakegate/internal/api/lakegate"
	"github.com/lakegate/lakegate/internal/directory"
	"github.com/lakegate/lakegate/internal/grants"
	"github.com/lakegate/lakegate/internal/trail"
)

const (
	// reviewed is how many members a page of a review has.
	reviewed = 10
	// maxReviewed is how many events of one person a review counts, and maxHeld how many of their grants it names.
	maxReviewed = 20_000
	maxHeld     = 1000
)

// ReviewAccess tells of each member of a group, also by groups in it, what they hold by access grants, who answers for it,
// and how often and when last each of it was used between two times, in the audit log of the node that answers. A grant
// that nobody used is one that could go. An entry without access counts what the person was refused, and what they did
// without a grant. Administrators of the instance may ask.
func (s *Questions) ReviewAccess(ctx context.Context, in *lakegate.ReviewAccessInput) (*lakegate.ReviewAccessOutput, error) {
	v, err := s.enter(ctx, "ReviewAccess", in.AccountId, "")
	if err != nil {
		return nil, err
	}
	if err := v.administrator(); err != nil {
		return nil, err
	}
	if v.instance == nil {
		return nil, lakegate.ResourceNotFoundException("The access grants instance is associated with no identity center: it knows no groups.")
	}
	group, err := s.group(ctx, v, in.Group)
	if err != nil {
		return nil, err
	}
	name, _ := s.Everybody.GroupName(v.instance.StoreID, group)
	q := questionOf(ctx, v, "ReviewAccess", group, in.From, in.To)
	after, err := q.after(in.NextToken)
	if err != nil {
		return nil, err
	}
	groups, err := s.Everybody.GroupsBelow(ctx, v.instance.StoreID, []string{group})
	if err != nil {
		return nil, err
	}
	members, err := s.Everybody.MembersAfter(ctx, v.instance.StoreID, groups, after, reviewed)
	if err != nil {
		return nil, err
	}
	out := &lakegate.ReviewAccessOutput{Node: s.Events.Node(), AccountId: v.account, GroupId: group, GroupName: &name, Entries: []lakegate.AccessReview{}}
	// What somebody did through another node is not counted, so that nothing can be said not to have been used.
	if out.Incomplete, err = s.elsewhere(ctx, in.From); err != nil {
		return nil, err
	}
	for _, id := range members {
		p, ok := s.Everybody.User(v.instance.StoreID, id)
		if !ok {
			continue // gone in between
		}
		if err := s.review(ctx, v, p, in, out); err != nil {
			return nil, err
		}
	}
	if len(members) == reviewed {
		out.NextToken = q.token(members[len(members)-1])
	}
	return out, nil
}

// use is what a person did with one grant.
type use struct {
	times int
	last  time.Time
}

func (u use) told() (times int, last *time.Time) {
	if u.last.IsZero() {
		return u.times, nil
	}
	return u.times, &u.last
}

// review adds what is to be said of one person.
func (s *Questions) review(ctx context.Context, v *viewer, p directory.Person, in *lakegate.ReviewAccessInput, out *lakegate.ReviewAccessOutput) error {
	used, refused, complete, err := s.usesOf(ctx, v, p, in, func(what string) {
		if !slices.Contains(out.Incomplete, what) {
			out.Incomplete = append(out.Incomplete, what)
		}
	})
	if err != nil {
		return err
	}
	complete = complete && len(out.Incomplete) == 0
	of := []grants.Grantee{{Type: grants.DirectoryUser, ID: p.ID}}
	for _, g := range s.Everybody.GroupsOf(p.StoreID, p.ID) {
		of = append(of, grants.Grantee{Type: grants.DirectoryGroup, ID: g})
	}
	held, err := s.Holders.GrantsOf(ctx, v.account, of, "", maxHeld+1)
	if err != nil {
		return err
	}
	if len(held) > maxHeld {
		held, complete = held[:maxHeld], false
	}
	a := s.asker(v, p)
	entry := lakegate.AccessReview{PersonId: p.ID, Name: known(p.UserName), Enabled: p.Enabled, Complete: complete}
	for _, g := range held {
		owners, err := s.Holders.OwnersOf(ctx, v.account, g.Scope, "")
		if err != nil {
			return err
		}
		for _, w := range s.Holders.WaysOf(g, a, "") {
			one := entry
			access := s.entry(v, p, w)
			one.Access, one.Owners = &access, owners
			one.Uses, one.LastUse = used[g.ID].told()
			out.Entries = append(out.Entries, one)
		}
		delete(used, g.ID)
	}
	// What is left was done by grants that are gone, or by none.
	rest := use{}
	for _, u := range used {
		rest.times += u.times
		if u.last.After(rest.last) {
			rest.last = u.last
		}
	}
	entry.Uses, entry.LastUse = rest.told()
	entry.Refused = &refused
	out.Entries = append(out.Entries, entry)
	return nil
}

// usesOf counts what a person did, by grant, and how often they were refused.
func (s *Questions) usesOf(ctx context.Context, v *viewer, p directory.Person, in *lakegate.ReviewAccessInput, damaged func(what string)) (used map[string]use, refused int, complete bool, err error) {
	used = map[string]use{}
	f := &trail.Filter{Accounts: []string{v.account}, Persons: []string{p.ID}, From: value(in.From), To: value(in.To), Damaged: damaged}
	n := 0
	var from trail.Position
	for {
		next, more, err := s.Events.Search(ctx, f, from, trail.Backward, func(h trail.Hit) bool {
			var r struct {
				EventTime  time.Time `json:"eventTime"`
				EventName  string    `json:"eventName"`
				Management bool      `json:"managementEvent"`
				Additional struct {
					Grant    string `json:"accessGrantId"`
					Decision string `json:"decision"`
				} `json:"additionalEventData"`
			}
			if json.Unmarshal(h.Record, &r) != nil {
				return true
			}
			n++
			if r.Additional.Decision != trail.DecisionAllowed {
				refused++
				return n < maxReviewed
			}
			grant := r.Additional.Grant
			if r.Management && r.EventName != "GetDataAccess" {
				grant = "" // who makes or changes a grant does not use it
			}
			u := used[grant]
			u.times++
			if r.EventTime.After(u.last) {
				u.last = r.EventTime
			}
			used[grant] = u
			return n < maxReviewed
		})
		if err != nil || !more {
			return used, refused, true, err
		}
		if n >= maxReviewed {
			return used, refused, false, nil
		}
		from = next
	}
}
