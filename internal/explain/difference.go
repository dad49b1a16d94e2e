package explain

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/lakegate/lakegate/internal/api/lakegate"
	"github.com/lakegate/lakegate/internal/grants"
	"github.com/lakegate/lakegate/internal/scope"
)

// diff is one page of what a grant makes of a difference. For everybody whose grant it is, its scope falls into parts: at the
// scopes of their other grants within it, and nowhere else, their rights change. Of each part is decided which rights they
// have with the grant and without it. A part is told where that is not as in the part around it; and so, of all that is
// told of an application, the narrowest scope counts.
type diff struct {
	*Questions
	*viewer
	grant   *grants.Grant
	made    bool // it is not there and would be made; else it would be deleted
	size    int
	changes []lakegate.AccessChange
	// parts is how many were gone through.
	parts int
	// holders are those who have grants within the scope, if few says that all of them are there.
	holders map[grants.Grantee]bool
	few     bool
}

// span is from when until when, both zero for no bound, some rights are gained or lost.
type span struct {
	from, until time.Time
	rights      grants.Rights
}

// one is somebody whose grant it is.
type one struct {
	kind         lakegate.AccessPrincipalType
	id, name     string
	asker        grants.Asker
	applications []string // through which the grant can be used
}

// run fills the page and returns where the next one begins: behind somebody, or, after a line feed, behind a part of theirs.
func (x *diff) run(ctx context.Context, after string) (next string, err error) {
	if after == "" {
		if err := x.owner(ctx); err != nil {
			return "", err
		}
	}
	if x.holders, x.few, err = x.Holders.HoldersBelow(ctx, x.account, scope.Scope{Bucket: x.grant.Scope.Bucket, Prefix: x.grant.Scope.Literal()}, maxParts); err != nil {
		return "", err
	}
	last, part, amidst := strings.Cut(after, "\n")
	if to := x.grant.Grantee; to.Type == grants.IAM {
		part, err := x.compare(ctx, &one{kind: lakegate.AccessPrincipalTypeIAM, id: to.ID, asker: grants.Asker{Principal: to.ID}, applications: []string{""}}, part)
		return join(to.ID, part), err
	}
	if x.instance == nil {
		return "", nil
	}
	if amidst {
		if part, err = x.person(ctx, last, part); err != nil || part != "" {
			return join(last, part), err
		}
	}
	c, err := x.membersOf(ctx, x.viewer, x.grant.Grantee)
	if err != nil {
		return "", err
	}
	var failed error
	last, done, err := c.each(ctx, last, func(id string) bool {
		part, failed = x.person(ctx, id, "")
		return failed == nil && part == "" && !x.full()
	})
	switch err = cmp.Or(failed, err); {
	case err != nil || done:
		return "", err
	case part != "":
		return join(last, part), nil
	}
	return last, nil
}

// join is where a page ends amidst of somebody; empty for not.
func join(who, part string) string {
	if part == "" {
		return ""
	}
	return who + "\n" + part
}

func (x *diff) full() bool { return len(x.changes) >= x.size || x.parts >= maxParts }

// owner tells of an owner that the grant makes or unmakes.
func (x *diff) owner(ctx context.Context) error {
	t := x.grant.Terms
	if t == nil || t.Owner == "" || t.Deny || x.instance == nil || x.grant.HasVariables() || !t.NotAfter.IsZero() && !x.Doctor.Now().Before(t.NotAfter) {
		return nil
	}
	owners, err := x.Holders.OwnersOf(ctx, x.account, x.grant.Scope, x.grant.ID)
	if err != nil || slices.Contains(owners, t.Owner) {
		return err
	}
	kind, id, _ := strings.Cut(t.Owner[strings.LastIndexByte(t.Owner, ':')+1:], "/")
	c := lakegate.AccessChange{PrincipalType: lakegate.AccessPrincipalTypePERSON, PrincipalId: id, Change: x.kind(), Scope: x.grant.Text, Owner: new(true)}
	if kind == "group" {
		c.PrincipalType = lakegate.AccessPrincipalTypeGROUP
		name, _ := x.Everybody.GroupName(x.instance.StoreID, id)
		c.Name = known(name)
	} else if p, ok := x.Everybody.User(x.instance.StoreID, id); ok {
		c.Name = known(p.UserName)
	}
	bound(&c, t.NotBefore, t.NotAfter)
	x.changes = append(x.changes, c)
	return nil
}

// bound tells from when until when a change is one.
func bound(c *lakegate.AccessChange, from, until time.Time) {
	if !from.IsZero() {
		c.NotBefore = &from
	}
	if !until.IsZero() {
		c.NotAfter = &until
	}
}

// kind is what a change is: who is denied less gains.
func (x *diff) kind() lakegate.AccessChangeKind {
	if x.made != x.grant.Denies() {
		return lakegate.AccessChangeKindGAINS
	}
	return lakegate.AccessChangeKindLOSES
}

func (x *diff) person(ctx context.Context, id, from string) (part string, err error) {
	p, ok := x.Everybody.User(x.instance.StoreID, id)
	if !ok {
		return "", nil
	}
	who := &one{kind: lakegate.AccessPrincipalTypePERSON, id: p.ID, name: p.UserName, asker: x.asker(x.viewer, p)}
	for _, a := range who.asker.Applications {
		if x.grant.Through(a) {
			who.applications = append(who.applications, a)
		}
	}
	return x.compare(ctx, who, from)
}

// compare goes through the parts of the grant's scope for somebody, behind one of them, until the page is full: then it says
// behind which to go on.
func (x *diff) compare(ctx context.Context, who *one, from string) (part string, err error) {
	var after scope.Scope
	if from != "" {
		after = scope.Scope{Bucket: x.grant.Scope.Bucket, Prefix: from[1:], One: from[0] == 'o'}
	}
	for _, form := range x.Holders.FormsOf(x.grant, who.asker) {
		if after != (scope.Scope{}) && !form.Scope.CoversScope(after) {
			if after.Prefix > form.Scope.Prefix {
				continue
			}
			after = scope.Scope{}
		}
		if after == (scope.Scope{}) {
			x.part(who, form, form.Scope)
			after = form.Scope
			if x.full() {
				return position(after), nil
			}
		}
		for more := x.divided(who); more; {
			some, err := x.Holders.Below(ctx, x.account, who.asker, form.Scope, after, partsAtOnce)
			if err != nil {
				return "", err
			}
			for _, after = range some {
				x.part(who, form, after)
				if x.full() {
					return position(after), nil
				}
			}
			more = len(some) == partsAtOnce
		}
	}
	return "", nil
}

// position tells a part in a token.
func position(sc scope.Scope) string {
	if sc.One {
		return "o" + sc.Prefix
	}
	return "p" + sc.Prefix
}

// divided reports whether somebody may have a grant within the scope.
func (x *diff) divided(who *one) bool {
	if !x.few || x.holders[grants.Grantee{Type: grants.IAM, ID: who.asker.Principal}] || x.holders[grants.Grantee{Type: grants.DirectoryUser, ID: who.asker.User}] {
		return true
	}
	return who.asker.User != "" && slices.ContainsFunc(x.Everybody.GroupsOf(who.asker.StoreID, who.asker.User), func(g string) bool {
		return x.holders[grants.Grantee{Type: grants.DirectoryGroup, ID: g}]
	})
}

// part tells what somebody gains or loses in a part of the grant's scope, where it is another thing than around it.
func (x *diff) part(who *one, form *grants.Grant, sc scope.Scope) {
	x.parts++
	others := slices.DeleteFunc(x.Holders.Above(x.account, who.asker, sc), func(g *grants.Grant) bool { return g.ID == form.ID })
	whole := sc == form.Scope
	var around []*grants.Grant
	if !whole {
		outer := form.Scope
		for _, g := range others {
			if g.Scope != sc && form.Scope.CoversScope(g.Scope) && len(g.Scope.Prefix) >= len(outer.Prefix) {
				outer = g.Scope
			}
		}
		for _, g := range others {
			if g.Scope.CoversScope(outer) {
				around = append(around, g)
			}
		}
	}
	through := map[span][]string{}
	for _, a := range who.applications {
		here := x.difference(form, others, a)
		if !whole && slices.Equal(here, x.difference(form, around, a)) {
			continue
		}
		if len(here) == 0 {
			through[span{}] = append(through[span{}], a)
		}
		for _, s := range here {
			through[s] = append(through[s], a)
		}
	}
	if whole && len(who.applications) == 0 {
		through[span{}] = nil
	}
	x.tell(who, form, sc, through, others)
}

// tell adds a change for each span, with the applications through which it is one. Those that change nothing are told of
// the whole if nothing else is.
func (x *diff) tell(who *one, form *grants.Grant, sc scope.Scope, through map[span][]string, others []*grants.Grant) {
	whole := sc == form.Scope
	if _, none := through[span{}]; none && whole && len(through) > 1 {
		delete(through, span{})
	}
	for _, s := range sortedSpans(through) {
		c := lakegate.AccessChange{PrincipalType: who.kind, PrincipalId: who.id, Name: known(who.name), Scope: form.Text, Change: x.kind(), Applications: x.names(through[s])}
		if !whole {
			c.Scope, c.Partial = sc.String(), new(true)
		}
		if s.rights == 0 {
			c.Change, c.Why = lakegate.AccessChangeKindUNCHANGED, new(x.why(who, form, others))
			if whole {
				c.Applications = nil
			}
		} else {
			p, all := s.rights.Permission()
			c.Permission = new(lakegate.Permission(p))
			if !all {
				c.Actions = s.rights.Actions()
			}
			bound(&c, s.from, s.until)
		}
		x.changes = append(x.changes, c)
	}
}

func sortedSpans(through map[span][]string) (all []span) {
	for s := range through {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b span) int {
		return cmp.Or(a.from.Compare(b.from), a.until.Compare(b.until), cmp.Compare(a.rights, b.rights))
	})
	return all
}

// names are those of applications, sorted.
func (v *viewer) names(applications []string) (all []string) {
	for _, a := range v.apps {
		if slices.Contains(applications, a.ARN) {
			all = append(all, a.Name)
		}
	}
	slices.Sort(all)
	return all
}

// difference is what a grant gives or takes through an application, where others count as well, for as long as anything is
// to come of it.
func (x *diff) difference(g *grants.Grant, others []*grants.Grant, application string) (all []span) {
	now := x.Doctor.Now()
	begin, end := now, time.Time{}
	if t := g.Terms; t != nil {
		end = t.NotAfter
		if t.NotBefore.After(now) {
			begin = t.NotBefore
		}
	}
	if !end.IsZero() && !begin.Before(end) {
		return nil
	}
	turns := []time.Time{begin}
	for _, o := range others {
		if o.Terms == nil {
			continue
		}
		for _, at := range []time.Time{o.Terms.NotBefore, o.Terms.NotAfter} {
			if at.After(begin) && (end.IsZero() || at.Before(end)) {
				turns = append(turns, at)
			}
		}
	}
	slices.SortFunc(turns, time.Time.Compare)
	turns = slices.CompactFunc(turns, time.Time.Equal)
	with := append(slices.Clip(others), g)
	for n, at := range turns {
		s := span{from: at, until: end, rights: rights(with, application, at) ^ rights(others, application, at)}
		if at.Equal(now) {
			s.from = time.Time{}
		}
		if n+1 < len(turns) {
			s.until = turns[n+1]
		}
		if last := len(all) - 1; last >= 0 && all[last].rights == s.rights && all[last].until.Equal(s.from) {
			all[last].until = s.until
		} else if s.rights != 0 {
			all = append(all, s)
		}
	}
	return all
}

// rights are what grants that cover one place come to at a moment: those given by any, but for those denied by any.
func rights(of []*grants.Grant, application string, at time.Time) grants.Rights {
	var given, denied grants.Rights
	for _, g := range of {
		switch {
		case !g.Through(application) || !g.Terms.InForce(at):
		case g.Denies():
			denied |= g.Rights()
		default:
			given |= g.Rights()
		}
	}
	return given &^ denied
}

// why tells why nothing changes for somebody. Which other grants there are is not told: they may lie above what the asker
// owns.
func (x *diff) why(who *one, g *grants.Grant, others []*grants.Grant) string {
	now := x.Doctor.Now()
	switch {
	case len(who.asker.Applications) == 0 && who.asker.Principal == "":
		return "the person can use no application that may ask for data"
	case len(who.applications) == 0:
		return "it is for the application " + g.Application + ", which the person cannot use or which may not ask for data"
	case g.Terms != nil && !g.Terms.NotAfter.IsZero() && !now.Before(g.Terms.NotAfter):
		return "it ended at " + g.Terms.NotAfter.Format(time.RFC3339)
	case g.Denies():
		return "no other grant gives what it denies, or another one denies it too"
	case slices.ContainsFunc(others, (*grants.Grant).Denies):
		return "other grants give the same, or deny it"
	}
	return "other grants give the same"
}
