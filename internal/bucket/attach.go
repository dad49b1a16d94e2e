package bucket

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/lakegate/lakegate/internal/api/lakegate"
	"github.com/lakegate/lakegate/internal/storage/remote"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/wire"
)

// route decides where a new bucket goes: to the backend that its creator named, or else to the default one.
func (r *Registry) route(b *Bucket, named string) error {
	if b.Backend = named; named == "" {
		b.Backend = r.otherwise
	}
	if b.Backend == "" {
		return nil
	}
	o, ok := r.backends.get(b.Backend)
	if !ok || !o.admits(b.Account) {
		// Which backends there are, is the administrators' matter.
		return wire.NewError("InvalidLocationConstraint", http.StatusBadRequest, "The specified location-constraint is not valid").With("LocationConstraint", b.Backend)
	}
	var err error
	if b.Place, err = o.placeOf(b.Name); err != nil {
		return wire.NewError("InvalidBucketName", http.StatusBadRequest, "The specified bucket is not valid.").With("BucketName", b.Name).Because(err)
	}
	return nil
}

// IsBackend reports whether an account may create buckets on a backend of that name.
func (r *Registry) IsBackend(name, account string) bool {
	o, ok := r.backends.get(name)
	return ok && o.admits(account)
}

// errPlace says that another bucket has the place, or part of it.
var errPlace = errors.New("the place is in use by another bucket")

// takePlace refuses a place that another bucket has a part of, and a backend that is gone, inside the transaction that
// takes the name.
func (r *Registry) takePlace(ctx context.Context, tx *store.Tx, b *Bucket) error {
	if b.Backend == "" {
		return nil
	}
	o, ok := r.backends.get(b.Backend)
	if !ok {
		return unavailable(b.Backend, "it was deleted meanwhile")
	}
	if !o.FromFile {
		if _, err := readBackend(ctx, tx, r.db, b.Backend); errors.Is(err, store.ErrNotFound) {
			return unavailable(b.Backend, "it was deleted meanwhile")
		} else if err != nil {
			return err
		}
	}
	others, err := placesIn(ctx, tx, b.Place.Bucket)
	if err != nil {
		return err
	}
	for _, p := range others {
		if p.at.Overlaps(b.Place) && r.sameService(p.backend, b.Backend) {
			return wire.NewError("BucketAlreadyExists", http.StatusConflict, "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again.").
				With("BucketName", b.Name).Because(fmt.Errorf("%w: %s", errPlace, p.bucket))
		}
	}
	return nil
}

// sameService says whether two backends may be one service under two names. What cannot be told is taken for the same.
func (r *Registry) sameService(a, b string) bool {
	if a == b {
		return true
	}
	one, ok := r.backends.get(a)
	two, too := r.backends.get(b)
	return !ok || !too || endpointOf(one.Settings.Endpoint) == endpointOf(two.Settings.Endpoint)
}

// endpointOf is an endpoint in the one form that all of its spellings have.
func endpointOf(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return text
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return strings.ToLower(strings.TrimSuffix(u.Hostname(), ".")) + ":" + port
}

// staysApart refuses to point a backend at the service of another one where buckets of both would then share a place.
func (r *Registry) staysApart(ctx context.Context, tx *store.Tx, b *Backend) error {
	mine, err := placesOn(ctx, tx, b.Name)
	if err != nil {
		return err
	}
	for _, p := range mine {
		others, err := placesIn(ctx, tx, p.at.Bucket)
		if err != nil {
			return err
		}
		for _, q := range others {
			if q.backend == b.Name || !q.at.Overlaps(p.at) {
				continue
			}
			if o, ok := r.backends.get(q.backend); !ok || endpointOf(o.Settings.Endpoint) == endpointOf(b.Settings.Endpoint) {
				return lakegate.ConflictException("At that endpoint the bucket " + p.bucket + " would be at the place of the bucket " + q.bucket + ".")
			}
		}
	}
	return nil
}

// AttachInput makes a bucket here of what is at a place of a backend already.
type AttachInput struct {
	Name, Account, Backend string
	Place                  remote.Place
}

// Attach makes a bucket of what is there. All public access to it is blocked, as to a new one.
func (r *Registry) Attach(ctx context.Context, in AttachInput) error {
	if err := CheckName(in.Name); err != nil {
		return err
	}
	if err := in.Place.Check(); err != nil {
		return wire.NewError("InvalidArgument", http.StatusBadRequest, err.Error())
	}
	o, ok := r.backends.get(in.Backend)
	if !ok {
		return errNoBackend
	}
	b := &Bucket{
		Name: in.Name, Account: in.Account, Region: r.region, Created: stamp(r.db.Now()), PublicAccessBlock: everythingBlocked(),
		Backend: in.Backend, Place: in.Place, Attached: true, state: active,
	}
	if o.endpoint == nil {
		return unavailable(in.Backend, o.why)
	}
	if err := o.endpoint.Mount(in.Name, in.Place).Head(ctx); err != nil {
		return err
	}
	return r.db.Update(ctx, func(tx *store.Tx) error {
		if _, err := readRow(ctx, tx, in.Name); err == nil {
			return wire.NewError("BucketAlreadyExists", http.StatusConflict, "The name is in use.").With("BucketName", in.Name)
		} else if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		n, err := countOf(ctx, tx, in.Account)
		if err != nil {
			return err
		}
		if n >= MaxBuckets {
			return wire.NewError("TooManyBuckets", http.StatusBadRequest, "The account has as many buckets as it can.")
		}
		if err := r.takePlace(ctx, tx, b); err != nil {
			return err
		}
		tx.Changed(change, in.Name)
		return insert(ctx, tx, b)
	})
}

// errNoBackend and errNotAttached are refusals of the operations on backends.
var (
	errNoBackend   = errors.New("there is no such backend")
	errNotAttached = errors.New("the bucket is not attached")
)

// Detach forgets a bucket that was attached, with its policy and tags. Its objects stay where they are.
func (r *Registry) Detach(ctx context.Context, name string) error {
	return r.db.Update(ctx, func(tx *store.Tx) error {
		b, err := readRow(ctx, tx, name)
		if err != nil {
			return err
		}
		switch {
		case b.state != active:
			return busy()
		case !b.Attached:
			return errNotAttached
		}
		tx.Changed(change, name)
		return remove(ctx, tx, name, active)
	})
}
