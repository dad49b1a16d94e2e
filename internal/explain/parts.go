package explain

import (
	"context"
	"strings"

	"github.com/lakegate/lakegate/internal/api/lakegate"
	"github.com/lakegate/lakegate/internal/directory"
	"github.com/lakegate/lakegate/internal/grants"
	"github.com/lakegate/lakegate/internal/scope"
)

const (
	// partsAtOnce is how many grants are read at a time, maxParts how many one page goes through.
	partsAtOnce = 100
	maxParts    = 2000
)

// parts goes through the grants that lie within the target and do not cover it, in the order of their prefixes, and through
// the people of each: who reaches a part of what was asked about. after is the last person of the grant that the page before
// ended in, a slash, and the mark of the last grant that it was done with.
func (x *whoCan) parts(ctx context.Context, after string) (next string, err error) {
	person, finished, _ := strings.Cut(after, "/")
	for read := 0; read < maxParts; read += partsAtOnce {
		some, err := x.Holders.GrantsWithin(ctx, x.account, x.target, finished, partsAtOnce)
		if err != nil {
			return "", err
		}
		for _, g := range some {
			last, done, err := x.part(ctx, g, person)
			if err != nil || !done {
				return amongParts + last + "/" + finished, err
			}
			finished, person = g.Mark(), ""
			if len(x.found) >= x.size {
				return amongParts + "/" + finished, nil
			}
		}
		if len(some) < partsAtOnce {
			return "", nil
		}
	}
	return amongParts + "/" + finished, nil
}

// part adds those who have one grant, behind a person.
func (x *whoCan) part(ctx context.Context, g *grants.Grant, from string) (last string, done bool, err error) {
	if !within(x.target, g) {
		return "", true, nil
	}
	if g.Grantee.Type == grants.IAM {
		if x.all {
			x.add(g, grants.Asker{Principal: g.Grantee.ID}, directory.Person{})
		}
		return "", true, nil
	}
	if x.instance == nil {
		return "", true, nil
	}
	take := func(id string) {
		if p, ok := x.Everybody.User(x.instance.StoreID, id); ok && (p.Enabled || x.refused) {
			x.add(g, x.asker(x.viewer, p), p)
		}
	}
	if !x.all {
		take(x.self.UserID) // what is somebody else's comes to nothing
		return "", true, nil
	}
	c, err := x.membersOf(ctx, x.viewer, g.Grantee)
	if err != nil {
		return "", false, err
	}
	return c.each(ctx, from, func(id string) bool { take(id); return len(x.found) < x.size })
}

// within reports whether a grant gives a part of the target and not all of it. Of a scope with variables what stands before
// the first of them counts.
func within(t scope.Target, g *grants.Grant) bool {
	if g.Scope.Bucket != t.Bucket {
		return false
	}
	if g.HasVariables() {
		return len(g.Scope.Literal()) >= len(t.Key)
	}
	return !g.Scope.Covers(t)
}

// add tells what a grant comes to on its own scope, for somebody whose it is.
func (x *whoCan) add(g *grants.Grant, a grants.Asker, p directory.Person) {
	for _, w := range x.Holders.WaysOf(g, a, x.permission) {
		if w.Permission == "" && !x.refused {
			continue
		}
		e := x.entry(x.viewer, p, w)
		if a.Principal != "" {
			e.PrincipalType, e.PrincipalId, e.Name = lakegate.AccessPrincipalTypeIAM, a.Principal, nil
		}
		e.Partial = new(true)
		x.found = append(x.found, e)
	}
}
