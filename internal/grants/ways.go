package grants

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/lakegate/lakegate/internal/scope"
	"github.com/lakegate/lakegate/internal/store"
)

// Way is a grant by which somebody could reach a target, and what it comes to.
type Way struct {
	// Grant as it is for the asker: where its scope has variables they are filled in.
	Grant *Grant
	// Permission is what it gives of what is asked; empty for nothing, and Why says why.
	Permission Permission
	Why        string
	// Denied is a grant that takes the target, or a part of the permission, away.
	Denied *Grant
	// Applications are those through which it gives the permission, sorted; a grant to an IAM principal has none.
	Applications []string
}

// Asker is somebody of whom a question is, in place of a caller who asks for themself.
type Asker struct {
	// StoreID and User are a person; Principal is the ARN of an IAM user or role.
	StoreID, User, Principal string
	// Applications are those that the person may use and that may ask for data, sorted.
	Applications []string
}

// asks is the question of an asker. Its application is one of the asker's, as ways goes through them.
func (s *Service) asks(a Asker, t scope.Target, p Permission) *Question {
	q := &Question{User: a.User, Principal: a.Principal, Target: t, Permission: p, Now: s.Now()}
	if a.User == "" {
		return q
	}
	q.Groups = s.Directory.GroupsOf(a.StoreID, a.User)
	name, _ := s.Directory.UserName(a.StoreID, a.User)
	q.Names = Names{User: name, Group: func(id string) (string, bool) { return s.Directory.GroupName(a.StoreID, id) }}
	return q
}

// Ways are the grants of an asker that cover a target, the narrowest first, each with what GetDataAccess would make of it.
// An empty permission asks for whatever they give. A grant that comes to different things through different applications is
// several ways.
//
// Somebody has a way that gives a permission through an application exactly if GetDataAccess finds a grant for it.
func (s *Service) Ways(account string, a Asker, t scope.Target, p Permission) (all []Way) {
	q := s.asks(a, t, p)
	for _, g := range s.Registry.covering(account, q) {
		all = append(all, s.Registry.ways(g, q, a.Applications)...)
	}
	return all
}

// WaysOf are what a grant comes to on all of its scope, for somebody whose grant it is: several where its scope has variables
// or where applications differ, none where it is somebody else's.
func (s *Service) WaysOf(g *Grant, a Asker, p Permission) (all []Way) {
	q := s.asks(a, scope.Target{}, p)
	if !q.is(g.Grantee) || g.Terms.denies() {
		return nil
	}
	for _, form := range q.forms(g, func(*Grant) bool { return true }) {
		own := *q
		own.Target = scope.Target{Text: form.Text, Bucket: form.Scope.Bucket, Key: form.Scope.Prefix, Wild: !form.Scope.One}
		all = append(all, s.Registry.ways(form, &own, a.Applications)...)
	}
	return all
}

// ways is what one grant, which covers the target, comes to.
func (r *Registry) ways(g *Grant, q *Question, applications []string) []Way {
	nothing := func(why string) []Way { return []Way{{Grant: g, Why: why}} }
	switch {
	case g.Grantee.Type == IAM:
		applications = []string{""}
	case len(applications) == 0:
		return nothing("the person can use no application that may ask for data")
	case g.Application != "" && !slices.Contains(applications, g.Application):
		return nothing("it is for the application " + g.Application + ", which the person cannot use or which may not ask for data")
	case g.Application != "":
		applications = []string{g.Application}
	}
	if !g.Terms.InForce(q.Now) {
		return nothing("it " + g.Terms.lapse(q.Now))
	}
	asked := []Permission{q.Permission}
	if q.Permission == "" {
		asked = []Permission{Read, Write}
	}
	through := map[Permission][]string{}
	why, deniedBy := "", (*Grant)(nil)
	for _, application := range applications {
		one := *q
		one.Application, one.partly = application, true
		var left Permission
		for _, one.Permission = range asked {
			switch {
			case !g.Permission.Satisfies(one.Permission):
				if q.Permission != "" {
					why = "it gives " + string(g.Permission) + ", not " + string(one.Permission)
				}
			case !one.admits(g):
				why = "it " + one.lacks(g)
			default:
				if d := r.denial(g.Account, &one); d != nil {
					deniedBy = d
					why = denied(d, string(one.Permission))
					continue
				}
				left = left.with(one.Permission)
			}
		}
		through[left] = append(through[left], application)
	}
	var all []Way
	for _, left := range slices.Sorted(maps.Keys(through)) {
		if left == "" && len(through) > 1 {
			continue // what gives something somewhere is told by where it does
		}
		w := Way{Grant: g, Permission: left, Denied: deniedBy}
		if left == "" {
			w.Why = why
		} else if g.Grantee.Type != IAM {
			w.Applications = through[left]
		}
		all = append(all, w)
	}
	return all
}

// with adds up what one grant gives.
func (p Permission) with(other Permission) Permission {
	if p == "" || p == other {
		return other
	}
	return ReadWrite
}

// Denies reports whether the grant takes access instead of giving it.
func (g *Grant) Denies() bool { return g.Terms.denies() }

// OwnersOf finds whose a scope is, besides administrators: the owners of locations and of grants that cover it. The grant
// with the id without, if it is not empty, is passed over.
func (s *Service) OwnersOf(ctx context.Context, account string, sc scope.Scope, without string) (owners []string, err error) {
	for _, l := range s.Registry.LocationsOf(account) {
		if l.Owner != "" && (l.Scope.Everything || l.Scope.Scope.CoversScope(sc)) {
			owners = append(owners, l.Owner)
		}
	}
	return s.grantOwners(ctx, account, sc, without, owners...)
}

// grantOwners adds to owners those of grants in force that cover a scope, but for the one with the id without. They are
// sorted.
func (s *Service) grantOwners(ctx context.Context, account string, sc scope.Scope, without string, owners ...string) ([]string, error) {
	owners = slices.DeleteFunc(owners, func(o string) bool { return o == "" })
	err := s.Registry.db.View(ctx, func(q store.Querier) error {
		return store.Each(ctx, q, scanGrant, func(g *Grant) error {
			if g.Terms != nil && !g.HasVariables() && !g.Terms.Deny && g.Terms.InForce(s.Now()) && g.Scope.CoversScope(sc) {
				owners = append(owners, g.Terms.Owner)
			}
			return nil
		}, selectGrant+` WHERE account = ? AND owner <> '' AND id <> ?`, account, without)
	})
	slices.Sort(owners)
	return slices.Compact(owners), err
}

// Overlapping are the other grants that give all of a grant to everybody who has it, for as long: to its grantee, or to one
// of the groups named, which the grantee is in.
func (s *Service) Overlapping(g *Grant, groups []string) (all []*Grant) {
	q := &Question{Target: scope.Target{Bucket: g.Scope.Bucket, Key: g.Scope.Prefix, Wild: !g.Scope.One}, Now: s.Now()}
	switch g.Grantee.Type {
	case IAM:
		q.Principal = g.Grantee.ID
	case DirectoryUser:
		q.User, q.Groups = g.Grantee.ID, groups
	default:
		q.User, q.Groups = g.Grantee.ID, slices.Sorted(slices.Values(append(slices.Clone(groups), g.Grantee.ID))) // nobody has the id of a group
	}
	for _, o := range s.Registry.index.covering(g.Account, q) {
		if o.ID != g.ID && o.Permission.Satisfies(g.Permission) && (o.Application == "" || o.Application == g.Application) && o.Terms.outlast(g.Terms, q.Now) {
			all = append(all, o)
		}
	}
	return all
}

// outlast reports whether a grant with these terms is in force, and stays so as long as one with the others, for all that
// it gives.
func (t *Terms) outlast(o *Terms, now time.Time) bool {
	switch {
	case t == nil:
		return true
	case t.Deny || !t.InForce(now):
		return false
	case !t.NotAfter.IsZero() && (o == nil || o.NotAfter.IsZero() || o.NotAfter.After(t.NotAfter)):
		return false
	case t.Actions == nil:
		return true
	case o == nil || o.Actions == nil:
		return false
	}
	return !slices.ContainsFunc(o.Actions, func(a string) bool { return !slices.Contains(t.Actions, a) })
}
