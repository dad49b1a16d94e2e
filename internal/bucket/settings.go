package bucket

import (
	"context"
	"fmt"
	"net/http"

	"github.com/lakegate/lakegate/internal/storage"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/wire"
)

// update changes what hangs on a bucket.
func (r *Registry) update(ctx context.Context, name string, do func(tx *store.Tx, b *Bucket) error) error {
	err := r.db.Update(ctx, func(tx *store.Tx) error {
		b, err := read(ctx, tx, name)
		if err != nil {
			return err
		}
		tx.Changed(change, name)
		return do(tx, b)
	})
	return modelled(name, err)
}

// PutPolicy hangs a policy on a bucket.
func (r *Registry) PutPolicy(ctx context.Context, name string, text []byte) error {
	if _, err := r.Get(name); err != nil {
		return err
	}
	p, err := readPolicy(name, text, r.principals)
	if err != nil {
		return err
	}
	err = r.update(ctx, name, func(tx *store.Tx, b *Bucket) error {
		if p.Public && b.PublicAccessBlock != nil && b.PublicAccessBlock.BlockPublicPolicy {
			return wire.AccessDenied("Access Denied because public policies are prevented by the BlockPublicPolicy setting in S3 Block Public Access.")
		}
		return setPolicy(ctx, tx, name, p)
	})
	if err != nil {
		return fmt.Errorf("put policy of bucket %s: %w", name, err)
	}
	return nil
}

// Policy is a bucket's policy as people read it.
func (r *Registry) Policy(name string) (string, error) {
	p, err := r.policy(name)
	if err != nil {
		return "", err
	}
	return p.Show(r.principals), nil
}

// PolicyIsPublic answers GetBucketPolicyStatus.
func (r *Registry) PolicyIsPublic(name string) (bool, error) {
	p, err := r.policy(name)
	if err != nil {
		return false, err
	}
	return p.Public, nil
}

func (r *Registry) policy(name string) (*Policy, error) {
	b, err := r.Get(name)
	if err != nil {
		return nil, err
	}
	if b.Policy == nil {
		return nil, wire.NewError("NoSuchBucketPolicy", http.StatusNotFound, "The bucket policy does not exist").With("BucketName", name)
	}
	return b.Policy, nil
}

// DeletePolicy takes the policy away, if there is one.
func (r *Registry) DeletePolicy(ctx context.Context, name string) error {
	err := r.update(ctx, name, func(tx *store.Tx, _ *Bucket) error { return setPolicy(ctx, tx, name, nil) })
	if err != nil {
		return fmt.Errorf("delete policy of bucket %s: %w", name, err)
	}
	return nil
}

// PublicAccessBlock is what is set on a bucket, or NoSuchPublicAccessBlockConfiguration.
func (r *Registry) PublicAccessBlock(name string) (PublicAccessBlock, error) {
	b, err := r.Get(name)
	if err != nil {
		return PublicAccessBlock{}, err
	}
	if b.PublicAccessBlock == nil {
		return PublicAccessBlock{}, wire.NewError("NoSuchPublicAccessBlockConfiguration", http.StatusNotFound, "The public access block configuration was not found").With("BucketName", name)
	}
	return *b.PublicAccessBlock, nil
}

// PutPublicAccessBlock sets all four switches.
func (r *Registry) PutPublicAccessBlock(ctx context.Context, name string, p PublicAccessBlock) error {
	err := r.update(ctx, name, func(tx *store.Tx, _ *Bucket) error { return setAccessBlock(ctx, tx, name, &p) })
	if err != nil {
		return fmt.Errorf("put public access block of bucket %s: %w", name, err)
	}
	return nil
}

// DeletePublicAccessBlock leaves public access to the policy.
func (r *Registry) DeletePublicAccessBlock(ctx context.Context, name string) error {
	err := r.update(ctx, name, func(tx *store.Tx, _ *Bucket) error { return setAccessBlock(ctx, tx, name, nil) })
	if err != nil {
		return fmt.Errorf("delete public access block of bucket %s: %w", name, err)
	}
	return nil
}

// Tags are a bucket's tags, or NoSuchTagSet.
func (r *Registry) Tags(name string) (map[string]string, error) {
	b, err := r.Get(name)
	if err != nil {
		return nil, err
	}
	if len(b.Tags) == 0 {
		return nil, wire.NewError("NoSuchTagSet", http.StatusNotFound, "The TagSet does not exist").With("BucketName", name)
	}
	return b.Tags, nil
}

// PutTags replaces all tags; none removes them.
func (r *Registry) PutTags(ctx context.Context, name string, tags map[string]string) error {
	if err := storage.CheckTags(tags, MaxTags); err != nil {
		return modelled(name, err)
	}
	err := r.update(ctx, name, func(tx *store.Tx, _ *Bucket) error { return setTags(ctx, tx, name, tags) })
	if err != nil {
		return fmt.Errorf("put tags of bucket %s: %w", name, err)
	}
	return nil
}
