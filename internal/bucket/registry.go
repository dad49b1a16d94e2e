package bucket

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/lakegate/lakegate/internal/storage"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/wire"
)

// Limits of an account and of a page of ListBuckets.
const (
	MaxBuckets = 10000
	MaxTags    = 50
)

// Storage is what is needed of the storage: the bucket as a container. Its errors are *storage.Error.
type Storage interface {
	CreateBucket(ctx context.Context, in storage.CreateBucketInput) error
	// DeleteBucket refuses with BucketNotEmpty.
	DeleteBucket(ctx context.Context, bucket string) error
	HeadBucket(ctx context.Context, bucket string) error
}

// Config says what a registry works on.
type Config struct {
	DB         *store.DB
	Storage    Storage
	Principals Principals
	// Backends are those of the configuration file. DefaultBackend is where a bucket goes whose creator names none; empty
	// is the embedded storage.
	Backends       []*Backend
	DefaultBackend string
	// Region is the server's.
	Region string
	Log    *slog.Logger
}

// Registry holds all buckets, in the database and in memory. It is safe for concurrent use.
type Registry struct {
	db         *store.DB
	storage    Storage
	principals Principals
	region     string
	log        *slog.Logger
	backends   *backends
	otherwise  string // the default backend

	buckets store.Mirror[*Bucket]
	// names are those of each account in order, read under the mirror's lock.
	names map[string][]string
}

// Open settles what a killed process left half-done, reads everything into memory and follows the changes from then on.
func Open(ctx context.Context, cfg Config) (*Registry, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	r := &Registry{db: cfg.DB, storage: cfg.Storage, principals: cfg.Principals, region: cfg.Region, log: cfg.Log, otherwise: cfg.DefaultBackend}
	var err error
	if r.backends, err = openBackends(ctx, cfg.DB, cfg.Log, cfg.Backends); err != nil {
		return nil, fmt.Errorf("open backends: %w", err)
	}
	if _, ok := r.backends.get(r.otherwise); r.otherwise != "" && !ok {
		r.Close()
		return nil, fmt.Errorf("open buckets: the default backend %s does not exist", r.otherwise)
	}
	if err := r.settle(ctx); err != nil {
		return nil, fmt.Errorf("open buckets: %w", err)
	}
	r.buckets.Kind, r.buckets.One, r.buckets.Every = change, read, each
	r.buckets.Reset = func() { r.names = map[string][]string{} }
	r.buckets.Changed = func(name string, before, after **Bucket) {
		if before != nil {
			r.unlist((*before).Account, name)
		}
		if after != nil {
			r.list((*after).Account, name)
		}
	}
	if err := r.db.Follow(ctx, &r.buckets); err != nil {
		return nil, fmt.Errorf("open buckets: %w", err)
	}
	return r, nil
}

func (r *Registry) list(account, name string) {
	if i, found := slices.BinarySearch(r.names[account], name); !found {
		r.names[account] = slices.Insert(r.names[account], i, name)
	}
}

func (r *Registry) unlist(account, name string) {
	if i, found := slices.BinarySearch(r.names[account], name); found {
		r.names[account] = slices.Delete(r.names[account], i, i+1)
	}
}

// Lookup finds a bucket.
func (r *Registry) Lookup(name string) (*Bucket, bool) { return r.buckets.Get(name) }

// Get finds a bucket, or answers NoSuchBucket.
func (r *Registry) Get(name string) (*Bucket, error) {
	b, ok := r.buckets.Get(name)
	if !ok {
		return nil, noSuchBucket(name)
	}
	return b, nil
}

// Owner is the account and Region of a bucket.
func (r *Registry) Owner(name string) (account, region string, ok bool) {
	b, ok := r.buckets.Get(name)
	if !ok {
		return "", "", false
	}
	return b.Account, b.Region, true
}

// List gives up to limit buckets of an account in order: those with the prefix, after a name. more says that there are
// others.
func (r *Registry) List(account, prefix, after string, limit int) (page []*Bucket, more bool) {
	r.buckets.Read(func(rows map[string]*Bucket) {
		names := r.names[account]
		i, _ := slices.BinarySearch(names, max(prefix, after))
		for _, name := range names[i:] {
			switch {
			case name <= after:
				continue
			case !strings.HasPrefix(name, prefix):
				return
			case len(page) == max(limit, 0):
				more = limit > 0
				return
			}
			page = append(page, rows[name])
		}
	})
	return page, more
}

// places gives up to limit buckets of all accounts in order, after a name; with a backend only those on it.
func (r *Registry) places(backend, after string, limit int) (page []*Bucket, more bool) {
	var all []*Bucket
	r.buckets.Read(func(rows map[string]*Bucket) {
		for name, b := range rows {
			if name > after && (backend == "" || b.Backend == backend) {
				all = append(all, b)
			}
		}
	})
	slices.SortFunc(all, func(a, b *Bucket) int { return strings.Compare(a.Name, b.Name) })
	if len(all) > limit {
		return all[:limit], true
	}
	return all, false
}

func noSuchBucket(name string) *wire.Error {
	return wire.NewError("NoSuchBucket", http.StatusNotFound, "The specified bucket does not exist").With("BucketName", name)
}

func busy() *wire.Error {
	return wire.NewError("OperationAborted", http.StatusConflict, "A conflicting conditional operation is currently in progress against this resource. Please try again.")
}

// modelled turns what the storage and the store say into what S3 says.
func modelled(name string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*wire.Error](err); ok {
		return err
	}
	if e, ok := errors.AsType[*storage.Error](err); ok {
		return &wire.Error{Code: e.Code, Status: e.Status, Message: e.Message, Fields: e.Fields, Err: e.Err}
	}
	if errors.Is(err, store.ErrNotFound) {
		return noSuchBucket(name)
	}
	return err
}
