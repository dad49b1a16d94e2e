package bucket

import (
	"context"
	"errors"

	"github.com/lakegate/lakegate/internal/storage/remote"
)

// Vends says whether the storage of a bucket has an STS of its own whose credentials reach the bucket under the name that
// it has here; the error says why not.
func (r *Registry) Vends(name string) error {
	_, err := r.vendor(name)
	return err
}

// Vend asks the STS of a bucket's storage for credentials.
func (r *Registry) Vend(ctx context.Context, name string, in remote.AssumeRole) (*remote.TemporaryCredentials, error) {
	e, err := r.vendor(name)
	if err != nil {
		return nil, err
	}
	return e.AssumeRole(ctx, in)
}

func (r *Registry) vendor(name string) (*remote.Endpoint, error) {
	b, ok := r.buckets.Get(name)
	if !ok || b.Backend == "" {
		return nil, errors.New("the bucket " + name + " is on no backend")
	}
	o, ok := r.backends.get(b.Backend)
	switch {
	case !ok || o.endpoint == nil:
		return nil, errors.New("the backend of the bucket " + name + " cannot be used")
	case !o.endpoint.HasSTS():
		return nil, errors.New("the backend of the bucket " + name + " has no STS endpoint")
	case b.Place != remote.Place{Bucket: name}:
		// What the policy and the client call it must be what the storage calls it.
		return nil, errors.New("the bucket " + name + " has another name, or a prefix, at its backend")
	}
	return o.endpoint, nil
}
