package directory

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/trail"
)

// Actor is who changes the directory: the ARN of a principal, or the name of a provisioning client. Operations on
// Directory take it as already authorised.
type Actor string

// Quotas bound what an identity store holds. The zero value of each takes AWS's.
type Quotas struct {
	// Users and Groups of a store: 200,000 and 100,000.
	Users, Groups int
	// GroupsPerUser is how many groups one person may be a direct member of: 1,000.
	GroupsPerUser int
	// NestingDepth is how many groups a chain of groups within groups may have, and GroupsAbove how many groups one group
	// may belong to, directly or not: 10 and 100. AWS has no such groups. Together with GroupsPerUser they bound what
	// it takes to find somebody's groups.
	NestingDepth, GroupsAbove int
}

func orElse(v, otherwise int) int {
	if v == 0 {
		return otherwise
	}
	return v
}

func (q Quotas) users() int         { return orElse(q.Users, 200_000) }
func (q Quotas) groups() int        { return orElse(q.Groups, 100_000) }
func (q Quotas) groupsPerUser() int { return orElse(q.GroupsPerUser, 1000) }
func (q Quotas) nestingDepth() int  { return orElse(q.NestingDepth, 10) }
func (q Quotas) groupsAbove() int   { return orElse(q.GroupsAbove, 100) }

// Directory is every identity store of the server. It is safe for concurrent use; each operation is one transaction.
type Directory struct {
	*Index
	// Quotas are set before the first request.
	Quotas Quotas

	db *store.DB
	// used is when each SCIM token was last written down as used.
	used struct {
		sync.Mutex
		at map[string]time.Time
	}
}

// Open loads the index and returns the directory.
func Open(ctx context.Context, db *store.DB) (*Directory, error) {
	x, err := newIndex(ctx, db)
	if err != nil {
		return nil, fmt.Errorf("open directory: %w", err)
	}
	d := &Directory{Index: x, db: db}
	d.used.at = map[string]time.Time{}
	return d, nil
}

// Now is the clock that the directory stamps with.
func (d *Directory) Now() time.Time { return d.db.Now() }

// CreateStore makes an identity store as part of the change that makes its instance.
func (d *Directory) CreateStore(ctx context.Context, tx *store.Tx, storeID, account string) error {
	return insertStore(ctx, tx, storeID, account, d.db.Now())
}

// DeleteStore removes an identity store with everybody in it, as part of the change that deletes its instance.
func (d *Directory) DeleteStore(ctx context.Context, tx *store.Tx, storeID string) error {
	return deleteStore(ctx, tx, storeID)
}

// inStore refuses a change to a store that is not there. It asks the database, not the index, so that nobody is added
// to a store that is being deleted.
func inStore(ctx context.Context, q store.Querier, storeID string) error {
	_, err := storeAccount(ctx, q, storeID)
	return missing(err, ResourceStore, storeID)
}

// touch names in the trail what an operation is about, so that the store's account sees it as well.
func (d *Directory) touch(ctx context.Context, storeID, resource, id string) {
	account, _ := d.StoreAccount(storeID)
	e := trail.From(ctx)
	e.Add(trail.KeyIdentityStore, arn.IdentityStore(account, storeID))
	switch resource {
	case ResourceUser:
		e.Resource("AWS::IdentityStore::User", userARN(id), account)
	case ResourceGroup:
		e.Resource("AWS::IdentityStore::Group", groupARN(id), account)
	}
}

func userARN(id string) string  { return arn.New("identitystore", "", "", "user/"+id).String() }
func groupARN(id string) string { return arn.New("identitystore", "", "", "group/"+id).String() }
func membershipARN(id string) string {
	return arn.New("identitystore", "", "", "membership/"+id).String()
}

// FindByExternalID finds the owner of an external id: kind is KindOfUser or KindOfGroup; an empty issuer is
// any. Of several owners it returns two.
func (d *Directory) FindByExternalID(ctx context.Context, storeID, kind, issuer, id string) (owners []string, err error) {
	err = d.db.View(ctx, func(q store.Querier) error {
		owners, err = ownersOf(ctx, q, storeID, kind, issuer, id)
		return err
	})
	return owners, err
}

func missing(err error, resource, id string) error {
	if errors.Is(err, store.ErrNotFound) {
		return NotFound(resource, id)
	}
	return err
}
