package grants

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/lakegate/lakegate/internal/policy"
	"github.com/lakegate/lakegate/internal/scope"
	"github.com/lakegate/lakegate/internal/store"
)

// Instance is the access grants instance of an account. It is immutable.
type Instance struct {
	Account string
	// IdentityCenter is the associated identity center instance, Application the one that was made there for this
	// instance; both are empty without an association.
	IdentityCenter, Application string
	Policy                      *ResourcePolicy
	Tags                        map[string]string
	Created                     time.Time
}

// ResourcePolicy lets other accounts use an instance.
type ResourcePolicy struct {
	Text         string
	Document     *policy.Document
	Organization string
	Created      time.Time
}

// named is the policy as decisions take it.
func (i *Instance) named() *policy.Named {
	if i == nil || i.Policy == nil {
		return nil
	}
	return &policy.Named{Name: "resource policy of the access grants instance of " + i.Account, Document: i.Policy.Document}
}

// Location is a scope with the role that reaches it. It is immutable.
type Location struct {
	Account, ID string
	Scope       scope.Location
	Role        string
	// Owner is what the tag lakegate:Owner names, as in Terms; empty for nobody.
	Owner   string
	Tags    map[string]string
	Created time.Time
}

// The kinds of change. Locations and grants are keyed by <account>/<id>.
const (
	kindInstance = "grants-instance"
	kindLocation = "grants-location"
	kindGrant    = "access-grant"
)

// Registry holds instances, locations and grants, in the database and in memory.
type Registry struct {
	db        *store.DB
	region    string
	index     *Index
	instances store.Mirror[*Instance]
	locations store.Mirror[*Location]
	// homes are the grants with variables, denials those that deny. All others are in the index; bounded counts those among
	// them and the homes that have some actions alone.
	homes, denials holdings
	bounded        atomic.Int64
	uses           uses
}

// Open reads everything into memory and follows the changes from then on.
func Open(ctx context.Context, db *store.DB, region string) (*Registry, error) {
	r := &Registry{db: db, region: region, index: newIndex()}
	r.instances = store.Mirror[*Instance]{Kind: kindInstance, One: readInstance, Every: eachInstance}
	r.locations = store.Mirror[*Location]{Kind: kindLocation, One: readLocation, Every: eachLocation}
	for _, f := range []store.Follower{&r.instances, &r.locations, follower{r}} {
		if err := db.Follow(ctx, f); err != nil {
			return nil, fmt.Errorf("open access grants: %w", err)
		}
	}
	return r, nil
}

// keep puts a grant where a question finds it.
func (r *Registry) keep(g *Grant) {
	if g.bounded() {
		r.bounded.Add(1)
	}
	switch {
	case g.Terms.denies():
		r.denials.add(g)
	case g.HasVariables():
		r.homes.add(g)
	default:
		r.index.add(g)
	}
}

func (r *Registry) drop(g *Grant) {
	if g.bounded() {
		r.bounded.Add(-1)
	}
	switch {
	case g.Terms.denies():
		r.denials.remove(g)
	case g.HasVariables():
		r.homes.remove(g)
	default:
		r.index.remove(g)
	}
}

// special grants are not in the index.
func (g *Grant) special() bool { return g.Terms.denies() || g.HasVariables() }

// bounded grants give some actions alone.
func (g *Grant) bounded() bool { return g.Terms.actions() != nil }

// match finds the grant that wins, or nil; denial says whether another takes it away. Grants that are bounded to some
// actions answer the question for a permission only if no other does: so a narrow grant to list shadows no wider one to
// read.
func (r *Registry) match(account string, q *Question) *Grant {
	g := r.best(account, q)
	if g == nil && q.Action == "" && r.bounded.Load() > 0 {
		some := *q
		some.partly = true
		g = r.best(account, &some)
	}
	return g
}

func (r *Registry) best(account string, q *Question) *Grant {
	plain, home := r.index.Match(account, q), r.bestHome(account, q)
	if plain == nil || home != nil && q.better(home, plain) < 0 {
		return home
	}
	return plain
}

// covering lists the asker's grants that cover the target, whatever they permit and whenever, the narrowest first, without
// those that deny.
func (r *Registry) covering(account string, q *Question) []*Grant {
	all := append(r.index.covering(account, q), slices.Collect(r.homesAt(account, q))...)
	slices.SortStableFunc(all, func(a, b *Grant) int { return cmp.Compare(len(b.Scope.Prefix), len(a.Scope.Prefix)) })
	return all
}

// miss says why nothing matched, for the log and for whoever may ask why.
func (r *Registry) miss(account string, q *Question) string {
	for _, g := range r.homes.of(account, q.Target.Bucket, q) {
		if !strings.HasPrefix(q.Target.Key, g.Scope.Literal()) {
			continue
		}
		var why error
		for home := range q.homes(g, func(err error) { why = err }) {
			if home.Scope.Covers(q.Target) {
				return q.missed(home)
			}
		}
		if why != nil {
			return "the grant " + g.ID + " on " + g.Text + " matches nothing for the caller: " + why.Error()
		}
	}
	return q.miss(r.index, account)
}

func key(account, id string) string { return account + "/" + id }

func (r *Registry) location(account, id string) (*Location, bool) {
	return r.locations.Get(key(account, id))
}

// grant finds a grant without its tags, which only the database has.
func (r *Registry) grant(account, id string) (*Grant, bool) {
	for _, h := range []*holdings{&r.homes, &r.denials} {
		if g, ok := h.get(account, id); ok {
			return g, true
		}
	}
	return r.index.get(account, id)
}
