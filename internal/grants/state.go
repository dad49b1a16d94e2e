package grants

import (
	"context"
	"fmt"
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
	Tags        map[string]string
	Created     time.Time
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
	grants    store.Mirror[*Grant]
}

// Open reads everything into memory and follows the changes from then on.
func Open(ctx context.Context, db *store.DB, region string) (*Registry, error) {
	r := &Registry{db: db, region: region, index: newIndex()}
	r.instances = store.Mirror[*Instance]{Kind: kindInstance, One: readInstance, Every: eachInstance}
	r.locations = store.Mirror[*Location]{Kind: kindLocation, One: readLocation, Every: eachLocation}
	r.grants = store.Mirror[*Grant]{
		Kind: kindGrant, One: readGrant, Every: eachGrant,
		Reset: r.index.reset,
		Changed: func(_ string, before, after **Grant) {
			if before != nil {
				r.index.remove(*before)
			}
			if after != nil {
				r.index.add(*after)
			}
		},
	}
	for _, f := range []store.Follower{&r.instances, &r.locations, &r.grants} {
		if err := db.Follow(ctx, f); err != nil {
			return nil, fmt.Errorf("open access grants: %w", err)
		}
	}
	return r, nil
}

func key(account, id string) string { return account + "/" + id }

func (r *Registry) location(account, id string) (*Location, bool) {
	return r.locations.Get(key(account, id))
}

func (r *Registry) grant(account, id string) (*Grant, bool) { return r.grants.Get(key(account, id)) }
