package explain

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/lakegate/lakegate/internal/api/lakegate"
	"github.com/lakegate/lakegate/internal/authz"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/center"
	"github.com/lakegate/lakegate/internal/grants"
	"github.com/lakegate/lakegate/internal/session"
)

// unusedAfter is how old a grant is before it is said of it that nobody used it.
const unusedAfter = 30 * 24 * time.Hour

// maxLinted is how many grants a page looks at.
const maxLinted = 200

// LintGrants looks for grants that nobody may have meant: wide, redundant, dead, never used, without a slash at their end, or
// no bound for the application because its role reaches the data itself. It goes through the grants in the order of their
// ids; a page may be empty and be followed by another.
func (s *Questions) LintGrants(ctx context.Context, in *lakegate.LintGrantsInput) (*lakegate.LintGrantsOutput, error) {
	v, err := s.enter(ctx, "LintGrants", in.AccountId, "")
	if err != nil {
		return nil, err
	}
	if err := v.administrator(); err != nil {
		return nil, err
	}
	q := questionOf(ctx, v, "LintGrants")
	last, err := q.after(in.NextToken)
	if err != nil {
		return nil, err
	}
	size := min(page(in.MaxResults), maxLinted)
	all, err := s.Holders.GrantsAfter(ctx, v.account, last, size)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(all))
	for n, g := range all {
		ids[n] = g.ID
	}
	x := &lint{Questions: s, viewer: v, now: s.Doctor.Now(), roles: s.bearers(ctx, v)}
	if x.used, err = s.Holders.UsesOf(ctx, v.account, ids); err != nil {
		return nil, err
	}
	for _, g := range all {
		if err := x.look(ctx, g); err != nil {
			return nil, err
		}
	}
	out := &lakegate.LintGrantsOutput{AccountId: v.account, Findings: slices.Concat([]lakegate.GrantFinding{}, x.found)}
	if len(all) == size {
		out.NextToken = q.token(ids[size-1])
	}
	return out, nil
}

// lint is one page.
type lint struct {
	*Questions
	*viewer
	now   time.Time
	used  map[string]time.Time
	roles []*caller.Caller
	found []lakegate.GrantFinding
}

func (x *lint) say(g *grants.Grant, kind lakegate.GrantFindingKind, detail string) {
	f := lakegate.GrantFinding{Kind: kind, AccessGrantId: &g.ID, GrantScope: &g.Text, Grantee: new(x.nameOf(g.Grantee)), Detail: detail}
	if at, ok := x.used[g.ID]; ok {
		f.LastUsedAt = &at
	}
	x.found = append(x.found, f)
}

// nameOf a grantee, for people.
func (x *lint) nameOf(g grants.Grantee) string {
	if x.instance != nil {
		switch g.Type {
		case grants.DirectoryUser:
			if p, ok := x.Everybody.User(x.instance.StoreID, g.ID); ok {
				return p.UserName
			}
		case grants.DirectoryGroup:
			if name, ok := x.Everybody.GroupName(x.instance.StoreID, g.ID); ok {
				return "group " + name
			}
		}
	}
	return string(g.Type) + " " + g.ID
}

func (x *lint) look(ctx context.Context, g *grants.Grant) error {
	why, err := x.dead(ctx, g)
	if err != nil {
		return err
	}
	if why != "" {
		x.say(g, lakegate.GrantFindingKindDEAD, why)
		return nil
	}
	if g.Denies() {
		return nil
	}
	switch {
	case g.Scope.Prefix == "" && !g.Scope.One:
		x.say(g, lakegate.GrantFindingKindWIDE, "it covers the whole bucket "+g.Scope.Bucket)
	case !g.Scope.One && !strings.HasSuffix(g.Scope.Prefix, "/"):
		x.say(g, lakegate.GrantFindingKindSIBLINGS, "it does not end in a slash: "+g.Scope.Prefix+"2 is covered as well as "+g.Scope.Prefix+"/")
	}
	x.redundant(g)
	if at, ok := x.used[g.ID]; !ok && x.now.Sub(g.Created) > unusedAfter {
		x.say(g, lakegate.GrantFindingKindNEVERUSED, "nobody used it since it was made at "+g.Created.UTC().Format(time.RFC3339)+", as far as uses were noted")
	} else if ok && x.now.Sub(at) > 3*unusedAfter {
		x.say(g, lakegate.GrantFindingKindNEVERUSED, "nobody used it since "+at.UTC().Format(time.RFC3339))
	}
	x.leaks(ctx, g)
	return nil
}

// dead says why a grant gives nobody anything; empty if it may.
func (x *lint) dead(ctx context.Context, g *grants.Grant) (string, error) {
	switch b, ok := x.Buckets.Lookup(g.Scope.Bucket); {
	case !ok:
		return "the bucket " + g.Scope.Bucket + " is gone", nil
	case b.Account != g.Account:
		return "the bucket " + g.Scope.Bucket + " is another account's", nil
	}
	if t := g.Terms; t != nil && !t.NotAfter.IsZero() && !x.now.Before(t.NotAfter) {
		return "it ended at " + t.NotAfter.Format(time.RFC3339), nil
	}
	l, ok := x.Holders.LocationOf(g)
	if !ok {
		return "its location is gone", nil
	}
	if err := x.Holders.Reaches(ctx, l, g.Grantee.Type != grants.IAM); err != nil {
		return err.Error(), nil
	}
	if g.Grantee.Type == grants.IAM {
		if !x.Principals.Exists(g.Grantee.ID) {
			return "the principal is gone", nil
		}
		return "", nil
	}
	if x.instance == nil {
		return "the access grants instance is associated with no identity center", nil
	}
	if g.Application != "" && !slices.ContainsFunc(x.apps, func(a *center.Application) bool { return a.ARN == g.Application }) {
		return "its application is gone, disabled, or may not ask for data", nil
	}
	if g.Grantee.Type == grants.DirectoryUser {
		switch p, ok := x.Everybody.User(x.instance.StoreID, g.Grantee.ID); {
		case !ok:
			return "the person is gone", nil
		case !p.Enabled:
			return "the person is disabled", nil
		}
		return "", nil
	}
	if _, ok := x.Everybody.GroupName(x.instance.StoreID, g.Grantee.ID); !ok {
		return "the group is gone", nil
	}
	c, err := x.membersOf(ctx, x.viewer, g.Grantee)
	if err != nil {
		return "", err
	}
	some, err := x.Everybody.MembersAfter(ctx, c.storeID, c.groups, "", 1)
	if err == nil && len(some) == 0 {
		return "the group has no members", nil
	}
	return "", err
}

// redundant looks for another grant that gives all of it. Of two that give the same the younger one is redundant.
func (x *lint) redundant(g *grants.Grant) {
	if g.HasVariables() {
		return
	}
	var groups []string
	if x.instance != nil && g.Grantee.Type == grants.DirectoryUser {
		groups = x.Everybody.GroupsOf(x.instance.StoreID, g.Grantee.ID)
	} else if x.instance != nil && g.Grantee.Type == grants.DirectoryGroup {
		groups = x.above(g.Grantee.ID)
	}
	for _, o := range x.Holders.Overlapping(g, groups) {
		groupsOfIt := []string(nil)
		if o.Grantee.Type == grants.DirectoryGroup && x.instance != nil {
			groupsOfIt = x.above(o.Grantee.ID)
		}
		mutual := slices.ContainsFunc(x.Holders.Overlapping(o, groupsOfIt), func(b *grants.Grant) bool { return b.ID == g.ID })
		if mutual && (g.Created.Before(o.Created) || g.Created.Equal(o.Created) && g.ID < o.ID) {
			continue
		}
		x.say(g, lakegate.GrantFindingKindREDUNDANT, "the grant "+o.ID+" gives "+x.nameOf(o.Grantee)+" "+string(o.Permission)+" on "+o.Text)
		return
	}
}

// above are the groups that a group is in, over any number of steps, sorted.
func (x *lint) above(group string) (all []string) {
	seen := map[string]bool{group: true}
	for next := []string{group}; len(next) > 0; {
		var up []string
		for _, id := range next {
			for _, g := range x.Everybody.DirectGroupsOf(x.instance.StoreID, id) {
				if !seen[g] {
					seen[g] = true
					up = append(up, g)
				}
			}
		}
		all, next = append(all, up...), up
	}
	slices.Sort(all)
	return all
}

// maxBearers bounds the roles that are asked about each grant.
const maxBearers = 50

// bearers are sessions of the roles that act for people: those that run an application, and those that they can assume with
// a person's identity context.
func (s *Questions) bearers(ctx context.Context, v *viewer) (all []*caller.Caller) {
	if v.instance == nil {
		return nil
	}
	actors := map[string]bool{}
	for _, a := range v.apps {
		if a.Method != nil {
			for name := range a.Method.IDs {
				actors[name] = true
			}
		}
	}
	var running, others []*caller.Caller
	for after := ""; ; {
		some := s.Principals.PrincipalsAfter(after, maxPrincipals)
		for n := range some {
			c := &some[n]
			switch after = c.ARN; {
			case c.Type != caller.AssumedRole:
			case actors[c.PrincipalARN]:
				running = append(running, s.sessionFor(c))
			default:
				others = append(others, s.sessionFor(c))
			}
		}
		if len(some) < maxPrincipals {
			break
		}
	}
	all = running
	values := session.RequestContext(&caller.Identity{IdentityStoreARN: v.instance.StoreARN(), InstanceARN: v.instance.ARN})
	for _, c := range others {
		if len(all) >= maxBearers {
			break
		}
		r, ok := s.Doctor.Roles.RoleOf(c.PrincipalARN)
		if ok && slices.ContainsFunc(running, func(actor *caller.Caller) bool {
			return s.Doctor.Authorizer.Decide(ctx, authz.Request{Action: "sts:SetContext", Resource: r.ARN, Account: r.Account, ResourcePolicy: &r.Trust, MustAllow: true, Context: values, As: actor}).Allowed
		}) {
			all = append(all, c)
		}
	}
	return all[:min(len(all), maxBearers)]
}

// leaks tells of roles that act for people and reach what is granted themselves: the grant is then no bound.
func (x *lint) leaks(ctx context.Context, g *grants.Grant) {
	b, ok := x.Buckets.Lookup(g.Scope.Bucket)
	if !ok || g.Grantee.Type == grants.IAM {
		return
	}
	var names []string
	for _, c := range x.roles {
		if left := x.directly(ctx, b, c, g.Scope.Literal(), !g.Scope.One); left != "" {
			names = append(names, c.PrincipalARN+" ("+string(left)+")")
		}
	}
	if len(names) > 0 {
		x.say(g, lakegate.GrantFindingKindLEAK, "roles that act for people reach it themselves, without any grant: "+strings.Join(names, ", "))
	}
}
