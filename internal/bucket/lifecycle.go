package bucket

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/lakegate/lakegate/internal/storage"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/wire"
)

// legacyRegion is where S3 answers with success when an account creates a bucket that it has already.
const legacyRegion = "us-east-1"

// CreateInput asks for a bucket.
type CreateInput struct {
	Name, Account string
	// ObjectLock turns object lock and versioning on for good.
	ObjectLock bool
	Tags       map[string]string
	// Backend is where it goes; empty is the default one.
	Backend string
}

// Create makes a bucket, with all public access blocked as S3 does.
func (r *Registry) Create(ctx context.Context, in CreateInput) (*Bucket, error) {
	if err := errors.Join(CheckName(in.Name), storage.CheckTags(in.Tags, MaxTags)); err != nil {
		return nil, modelled(in.Name, err)
	}
	b := &Bucket{Name: in.Name, Account: in.Account, Region: r.region, Created: stamp(r.db.Now()), PublicAccessBlock: everythingBlocked(), Tags: in.Tags, state: creating}
	if err := r.route(b, in.Backend); err != nil {
		return nil, modelled(in.Name, err)
	}
	var there *Bucket
	err := r.db.Update(ctx, func(tx *store.Tx) (err error) {
		if there, err = readRow(ctx, tx, in.Name); !errors.Is(err, store.ErrNotFound) {
			return err
		}
		there = nil
		n, err := countOf(ctx, tx, in.Account)
		if err != nil {
			return err
		}
		if n >= MaxBuckets {
			return wire.NewError("TooManyBuckets", http.StatusBadRequest, "You have attempted to create more buckets than allowed")
		}
		if err := r.takePlace(ctx, tx, b); err != nil {
			return err
		}
		return insert(ctx, tx, b)
	})
	if err != nil {
		return nil, fmt.Errorf("reserve name %s: %w", in.Name, modelled(in.Name, err))
	}
	if there != nil {
		return r.taken(there, in.Account)
	}
	if err := r.makeBucket(ctx, b, in.ObjectLock); err != nil {
		// What is in the storage under this name is not ours to take away.
		r.giveUp(ctx, in.Name)
		return nil, fmt.Errorf("create bucket in storage: %w", modelled(in.Name, err))
	}
	err = r.db.Update(ctx, func(tx *store.Tx) error {
		tx.Changed(change, in.Name)
		return move(ctx, tx, in.Name, creating, active)
	})
	if err != nil {
		// The answer of the commit may have been lost: only what is certainly not there for others is taken back.
		r.takeBack(ctx, in.Name)
		return nil, fmt.Errorf("create bucket: %w", err)
	}
	return r.Get(in.Name)
}

// taken answers who asks for a name that is in use.
func (r *Registry) taken(there *Bucket, account string) (*Bucket, error) {
	switch {
	case there.state != active:
		return nil, busy()
	case there.Account != account:
		return nil, wire.NewError("BucketAlreadyExists", http.StatusConflict, "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again.").With("BucketName", there.Name)
	case r.region == legacyRegion:
		return there, nil
	}
	return nil, wire.NewError("BucketAlreadyOwnedByYou", http.StatusConflict, "Your previous request to create the named bucket succeeded and you already own it.").With("BucketName", there.Name)
}

// giveUp frees a name. If that fails, the next start does it.
func (r *Registry) giveUp(ctx context.Context, name string) {
	ctx = context.WithoutCancel(ctx)
	err := r.db.Update(ctx, func(tx *store.Tx) error { return remove(ctx, tx, name, creating) })
	if err != nil {
		r.log.ErrorContext(ctx, "free the name of a bucket that was not created; it stays reserved until the next start", slog.String("bucket", name), slog.Any("error", err))
	}
}

// takeBack undoes a creation whose last step failed.
func (r *Registry) takeBack(ctx context.Context, name string) {
	ctx = context.WithoutCancel(ctx)
	var b *Bucket
	err := r.db.View(ctx, func(q store.Querier) (err error) { b, err = readRow(ctx, q, name); return err })
	if err != nil || b.state != creating {
		return
	}
	if err := r.removeBucket(ctx, b); err != nil {
		r.log.ErrorContext(ctx, "take back a bucket; its name stays reserved until the next start", slog.String("bucket", name), slog.Any("error", err))
		return
	}
	r.giveUp(ctx, name)
}

// Delete deletes an empty bucket.
func (r *Registry) Delete(ctx context.Context, name string) error {
	var b *Bucket
	err := r.db.Update(ctx, func(tx *store.Tx) error {
		var err error
		if b, err = readRow(ctx, tx, name); err != nil {
			return err
		}
		switch b.state {
		case creating:
			return noSuchBucket(name)
		case deleting:
			return busy()
		}
		return move(ctx, tx, name, active, deleting)
	})
	if err != nil {
		return fmt.Errorf("delete bucket %s: %w", name, modelled(name, err))
	}
	if err := r.removeBucket(ctx, b); err != nil && !isNoSuchBucket(err) {
		r.keep(ctx, name)
		return fmt.Errorf("delete bucket %s from storage: %w", name, modelled(name, err))
	}
	// From here on it must be finished, whether or not the client still listens.
	ctx = context.WithoutCancel(ctx)
	err = r.db.Update(ctx, func(tx *store.Tx) error {
		tx.Changed(change, name)
		return remove(ctx, tx, name, deleting)
	})
	if err != nil {
		return fmt.Errorf("delete bucket %s: %w", name, err)
	}
	return nil
}

// keep gives a bucket back that the storage did not let go of.
func (r *Registry) keep(ctx context.Context, name string) {
	ctx = context.WithoutCancel(ctx)
	err := r.db.Update(ctx, func(tx *store.Tx) error { return move(ctx, tx, name, deleting, active) })
	if err != nil {
		r.log.ErrorContext(ctx, "give a bucket back that was not deleted; it cannot be deleted until the next start", slog.String("bucket", name), slog.Any("error", err))
	}
}

func isNoSuchBucket(err error) bool {
	e, ok := errors.AsType[*storage.Error](err)
	return ok && e.Code == "NoSuchBucket"
}

// settle finishes or takes back what a killed process had begun. Nothing was ever let into a bucket that was being
// created, so it is empty. If it is not, the name had a folder before, which is left alone.
func (r *Registry) settle(ctx context.Context) error {
	var begun []*Bucket
	err := r.db.View(ctx, func(q store.Querier) (err error) { begun, err = unfinished(ctx, q); return err })
	if err != nil {
		return err
	}
	for _, b := range begun {
		log := r.log.With(slog.String("bucket", b.Name), slog.String("state", string(b.state)))
		if b.state == deleting {
			err := r.look(ctx, b)
			// A backend may be down when this server starts. The bucket is then given back: deleting it again settles it.
			if err == nil || b.Backend != "" && !isNoSuchBucket(err) {
				log.WarnContext(ctx, "give back a bucket whose deletion was cut short")
				err = r.db.Update(ctx, func(tx *store.Tx) error { return move(ctx, tx, b.Name, deleting, active) })
			} else if isNoSuchBucket(err) {
				log.WarnContext(ctx, "finish the deletion of a bucket that was cut short")
				err = r.db.Update(ctx, func(tx *store.Tx) error {
					tx.Changed(change, b.Name)
					return remove(ctx, tx, b.Name, deleting)
				})
			}
			if err != nil {
				return fmt.Errorf("settle bucket %s: %w", b.Name, err)
			}
			continue
		}
		log.WarnContext(ctx, "take back a bucket whose creation was cut short")
		if b.Backend != "" {
			// Whether the bucket there was made by this server or by somebody else in the same instant cannot be known, so it
			// is left alone; an administrator attaches it or removes it.
			log.WarnContext(ctx, "a bucket may be left at the backend", slog.String("backend", b.Backend), slog.String("remote_bucket", b.Place.Bucket))
		} else if err := r.storage.DeleteBucket(ctx, b.Name); err != nil && !isNoSuchBucket(err) {
			if e, ok := errors.AsType[*storage.Error](err); !ok || e.Code != "BucketNotEmpty" {
				return fmt.Errorf("settle bucket %s: %w", b.Name, err)
			}
		}
		if err := r.db.Update(ctx, func(tx *store.Tx) error { return remove(ctx, tx, b.Name, creating) }); err != nil {
			return fmt.Errorf("settle bucket %s: %w", b.Name, err)
		}
	}
	return nil
}
