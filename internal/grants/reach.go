package grants

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/scope"
	"github.com/lakegate/lakegate/internal/store"
)

// Foothold is a scope that a caller has a grant for, and what the grant gives there. It is a candidate: whether the caller
// may do anything there now is for a decision to say.
type Foothold struct {
	Scope      scope.Scope
	Permission Permission
}

// Footholds lists what the caller has grants for, in the order of buckets and prefixes, each scope once, with the widest
// of its permissions: for credentials of a grant the one scope that they reach, else what the person has in all instances
// of the person's identity center. Only those that lie in the bucket, if one is named, and meet the prefix: above it, at
// it or below it.
//
// It reads the database and costs what the person's grants cost to read.
func (s *Service) Footholds(ctx context.Context, bucket, prefix string) ([]Foothold, error) {
	c := caller.From(ctx)
	if c.Session == nil {
		return nil, nil
	}
	if v := c.Session.Vended; v != nil {
		sc, err := scope.Read(v.Target, v.Object)
		if err != nil {
			return nil, err
		}
		return only([]Foothold{{sc, Permission(v.Permission)}}, bucket, prefix), nil
	}
	if c.OnBehalf == nil {
		return nil, nil
	}
	var all []Foothold
	for _, i := range s.Registry.Associated(c.OnBehalf.InstanceARN) {
		q := s.question(ctx, i, c)
		found, err := s.held(ctx, i.Account, q)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return only(all, bucket, prefix), nil
}

// held are the scopes of the grants that are in force for an asker.
func (s *Service) held(ctx context.Context, account string, q *Question) (all []Foothold, err error) {
	err = s.Registry.db.View(ctx, func(tx store.Querier) error {
		for kind, ids := range q.identitiesByType() {
			for some := range slices.Chunk(ids, manyGrantees) {
				c := &conditions{}
				c.is("grantee_type", (*string)(&kind))
				c.in("grantee", some)
				err := store.Each(ctx, tx, scanGrant, func(g *Grant) error {
					if !q.through(g) || g.Terms.denies() || !g.Terms.InForce(q.Now) {
						return nil
					}
					for _, form := range q.forms(g, func(*Grant) bool { return true }) {
						all = append(all, Foothold{form.Scope, form.Permission})
					}
					return nil
				}, selectGrant+` WHERE account = ?`+c.text.String(), append([]any{account}, c.args...)...)
				if err != nil {
					return err
				}
			}
		}
		return nil
	})
	return all, err
}

// only sorts footholds and keeps those that meet a prefix.
func only(all []Foothold, bucket, prefix string) []Foothold {
	all = slices.DeleteFunc(all, func(f Foothold) bool {
		return bucket != "" && f.Scope.Bucket != bucket || !strings.HasPrefix(f.Scope.Prefix, prefix) && !(strings.HasPrefix(prefix, f.Scope.Prefix) && !f.Scope.One)
	})
	slices.SortFunc(all, func(a, b Foothold) int {
		return cmp.Or(cmp.Compare(a.Scope.Bucket, b.Scope.Bucket), cmp.Compare(a.Scope.Prefix, b.Scope.Prefix), cmp.Compare(oneLast(a), oneLast(b)), cmp.Compare(width[b.Permission], width[a.Permission]))
	})
	return slices.CompactFunc(all, func(a, b Foothold) bool { return a.Scope == b.Scope })
}

// oneLast puts a prefix before the single key of the same text, which it covers.
func oneLast(f Foothold) int {
	if f.Scope.One {
		return 1
	}
	return 0
}

// width orders permissions by what a listing can show of them.
var width = map[Permission]int{Write: 1, Read: 2, ReadWrite: 3}
