package bucket

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"github.com/lakegate/lakegate/internal/storage"
	"github.com/lakegate/lakegate/internal/storage/remote"
	"github.com/lakegate/lakegate/internal/store"
)

// backends are all there are, of the database and of the configuration file, each with its connections. A change of one
// takes new connections for what comes after it; transfers that are under way end on the old ones.
type backends struct {
	db    *store.DB
	log   *slog.Logger
	files map[string]*Backend
	rows  store.Mirror[*Backend]

	mu   sync.RWMutex
	open map[string]*opened
}

// opened is a backend in use; endpoint is nil for one that cannot be used, and why says so.
type opened struct {
	*Backend
	endpoint *remote.Endpoint
	why      string
}

func openBackends(ctx context.Context, db *store.DB, log *slog.Logger, files []*Backend) (*backends, error) {
	bs := &backends{db: db, log: log, files: map[string]*Backend{}, open: map[string]*opened{}}
	for _, b := range files {
		if err := b.check(); err != nil {
			return nil, fmt.Errorf("backend %s of the configuration: %w", b.Name, err)
		}
		if bs.files[b.Name] != nil {
			return nil, fmt.Errorf("backend %s is twice in the configuration", b.Name)
		}
		bs.files[b.Name] = b
		bs.use(b.Name, b)
	}
	bs.rows.Kind = changeBackend
	bs.rows.One = func(ctx context.Context, q store.Querier, name string) (*Backend, error) {
		return readBackend(ctx, q, db, name)
	}
	bs.rows.Every = func(ctx context.Context, q store.Querier, do func(string, *Backend) error) error {
		return eachBackend(ctx, q, db, do)
	}
	bs.rows.Changed = func(name string, _, after **Backend) {
		switch {
		case bs.files[name] != nil: // the file's wins; Open refuses to start with both
		case after == nil:
			bs.use(name, nil)
		default:
			bs.use(name, *after)
		}
	}
	if err := db.Follow(ctx, &bs.rows); err != nil {
		bs.close()
		return nil, err
	}
	for name := range bs.files {
		if _, twice := bs.rows.Get(name); twice {
			bs.close()
			return nil, fmt.Errorf("backend %s is in the configuration and was created by the API as well: rename the one in the configuration", name)
		}
	}
	return bs, nil
}

// use takes a backend into use, or with nil out of it.
func (bs *backends) use(name string, b *Backend) {
	var now *opened
	if b != nil {
		now = &opened{Backend: b}
		endpoint, err := remote.Open(b.config(), bs.log, bs.db.Now)
		if err != nil {
			// It was checked when it was made; a certificate may have become unreadable since.
			now.why = "it cannot be used: " + err.Error()
			bs.log.Error("cannot use a backend", slog.String("backend", name), slog.Any("error", err))
		} else {
			now.endpoint = endpoint
		}
	}
	bs.mu.Lock()
	before := bs.open[name]
	if now != nil {
		bs.open[name] = now
	} else {
		delete(bs.open, name)
	}
	bs.mu.Unlock()
	if before != nil && before.endpoint != nil {
		go before.endpoint.Close() // it waits for a look at the service to end
	}
}

func (bs *backends) close() {
	bs.mu.Lock()
	all := bs.open
	bs.open = map[string]*opened{}
	bs.mu.Unlock()
	for _, o := range all {
		if o.endpoint != nil {
			o.endpoint.Close()
		}
	}
}

func (bs *backends) get(name string) (*opened, bool) {
	bs.mu.RLock()
	defer bs.mu.RUnlock()
	o, ok := bs.open[name]
	return o, ok
}

func (bs *backends) all() []*opened {
	bs.mu.RLock()
	defer bs.mu.RUnlock()
	list := make([]*opened, 0, len(bs.open))
	for _, o := range bs.open {
		list = append(list, o)
	}
	slices.SortFunc(list, func(a, b *opened) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return list
}

// mount puts a bucket at its place.
func (bs *backends) mount(b *Bucket) (*remote.Mount, error) {
	o, ok := bs.get(b.Backend)
	switch {
	case !ok:
		return nil, unavailable(b.Backend, "there is no such backend any more; it was in the configuration file when the bucket was made")
	case o.endpoint == nil:
		return nil, unavailable(b.Backend, o.why)
	}
	return o.endpoint.Mount(b.Name, b.Place), nil
}

// Health is how each backend is doing, by name, for the metrics.
func (r *Registry) Health() map[string]remote.Health {
	health := map[string]remote.Health{}
	for _, o := range r.backends.all() {
		h := remote.Health{Cause: o.why}
		if o.endpoint != nil {
			h = o.endpoint.Health()
		}
		health[o.Name] = h
	}
	return health
}

// Close ends the connections to all backends.
func (r *Registry) Close() { r.backends.close() }

// makeBucket makes a bucket in its storage, where nothing may be yet.
func (r *Registry) makeBucket(ctx context.Context, b *Bucket, objectLock bool) error {
	if b.Backend == "" {
		return r.storage.CreateBucket(ctx, storage.CreateBucketInput{Bucket: b.Name, ObjectLock: objectLock})
	}
	m, err := r.backends.mount(b)
	if err != nil {
		return err
	}
	if b.Place.Prefix == "" {
		return m.Create(ctx, objectLock)
	}
	if objectLock {
		return &storage.Error{Code: "InvalidRequest", Status: 400, Message: "Object Lock cannot be turned on for this bucket: its storage keeps it in a part of another one."}
	}
	if err := m.Head(ctx); err != nil {
		return unavailable(b.Backend, "the bucket that all new ones are to be in is not there: "+err.Error())
	}
	err = m.Empty(ctx)
	if e, ok := errors.AsType[*storage.Error](err); ok && e.Code == "BucketNotEmpty" {
		// Whoever creates a bucket must not find another's objects in it.
		return &storage.Error{Code: "BucketAlreadyExists", Status: 409, Message: "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again.", Err: errors.New("there are objects under the prefix of the new bucket: attach it instead")}
	}
	return err
}

// removeBucket lets the storage let go of a bucket that is empty. What was there before the bucket was stays there.
func (r *Registry) removeBucket(ctx context.Context, b *Bucket) error {
	if b.Backend == "" {
		return r.storage.DeleteBucket(ctx, b.Name)
	}
	m, err := r.backends.mount(b)
	if err != nil {
		return err
	}
	if b.Place.Prefix != "" || b.Attached {
		return m.Empty(ctx)
	}
	return m.Delete(ctx)
}

// look says whether the storage still has a bucket.
func (r *Registry) look(ctx context.Context, b *Bucket) error {
	if b.Backend == "" {
		return r.storage.HeadBucket(ctx, b.Name)
	}
	m, err := r.backends.mount(b)
	if err != nil {
		return err
	}
	return m.Head(ctx)
}

// Connections are how many there may be at once to a backend; 0 for one that is not known.
func (r *Registry) Connections(backend string) int {
	o, ok := r.backends.get(backend)
	if !ok || o.endpoint == nil {
		return 0
	}
	return o.Settings.MaxConnections
}
