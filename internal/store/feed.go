package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// ErrStale says that a node cannot prove that its indexes have every change.
var ErrStale = errors.New("this node cannot tell whether it knows every change")

const (
	// defaultLag is the bound of Config.MaxLag.
	defaultLag = 5 * time.Second
	// looksPerLag is how often a node reads the feed within that bound, whether or not it hears of changes.
	looksPerLag = 10
	// longestGap is how many changes a node takes in one by one; with more behind, it reads everything anew.
	longestGap = 50_000
	// keptChanges is how long the feed remembers.
	keptChanges = 7 * 24 * time.Hour
)

// head is the newest change: its revision, and what else tells it from another change that got the same revision after
// the database was put back to an earlier state.
type head struct {
	revision, at int64
	first        Change
}

// feed is how far the indexes of this process have followed the change feed.
type feed struct {
	// node tells this process from others on the database.
	node   string
	maxLag time.Duration

	// taking is held while a change is taken in: between reading where the feed stands, or committing a change of this process,
	// and having it in every index. It is taken after writing.
	taking    sync.Mutex
	followers []Follower
	head      head
	revision  atomic.Int64 // of head, for those who only want to name it

	// proved is a moment of which is known that the indexes have every change committed before it; nil when nothing is
	// known.
	proved atomic.Pointer[time.Time]
	woken  chan struct{}
	stop   context.CancelFunc
	work   sync.WaitGroup
}

// Revision is the number of the last change that the indexes of this process have taken in.
func (db *DB) Revision() int64 { return db.revision.Load() }

// Lag is for how long nothing has proved that the indexes have every change. Where no other process can change anything it
// is zero, unless a change got lost on the way into the indexes.
func (db *DB) Lag() time.Duration {
	at := db.proved.Load()
	switch {
	case at == nil:
		return db.maxLag + time.Second
	case !db.engine.shared():
		return 0
	}
	// The monotonic clock stands still while a machine sleeps, the other one may be put back.
	now := time.Now()
	return max(now.Sub(*at), now.Round(0).Sub(at.Round(0)))
}

// Fresh answers nil when the indexes had every change not longer ago than MaxLag, else ErrStale: nothing may be decided then.
// It asks nobody, so it may be called on every request.
func (db *DB) Fresh() error {
	if lag := db.Lag(); lag > db.maxLag {
		return fmt.Errorf("%w: nothing has proved it for %s", ErrStale, lag.Round(time.Millisecond))
	}
	return nil
}

// Follow loads the follower and keeps it up to date from then on.
func (db *DB) Follow(ctx context.Context, f Follower) error {
	db.writing.Lock()
	defer db.writing.Unlock()
	db.taking.Lock()
	defer db.taking.Unlock()
	return db.snapshot(ctx, func(tx *Tx) error {
		if err := db.takeIn(ctx, tx); err != nil {
			return err
		}
		if err := f.Load(ctx, tx); err != nil {
			return fmt.Errorf("load index: %w", err)
		}
		db.followers = append(db.followers, f)
		return nil
	})
}

// CatchUp returns when the indexes have every change that was committed before it was called. Those who call together ask
// once.
func (db *DB) CatchUp(ctx context.Context) error {
	called := time.Now()
	db.taking.Lock()
	defer db.taking.Unlock()
	at := db.proved.Load()
	if at != nil && (!db.engine.shared() || at.After(called)) {
		return nil
	}
	called = time.Now()
	if err := db.snapshot(ctx, func(tx *Tx) error { return db.takeIn(ctx, tx) }); err != nil {
		return fmt.Errorf("follow the change feed: %w", err)
	}
	db.proved.Store(&called)
	return nil
}

// catchUpIn lets the indexes take in what the snapshot of a change has, so that what is decided in the change by asking them
// is decided on what it changes. Nobody can come between: the changes of all nodes queue.
func (db *DB) catchUpIn(ctx context.Context, tx *Tx) error {
	if err := db.engine.queue(ctx, tx); err != nil {
		return err
	}
	db.taking.Lock()
	defer db.taking.Unlock()
	return db.takeIn(ctx, tx)
}

// takeIn lets the indexes take in what the snapshot of tx has and they have not. The snapshot is younger than the lock on
// taking, which the caller holds.
func (db *DB) takeIn(ctx context.Context, tx *Tx) error {
	now, err := headOf(ctx, tx)
	if err != nil {
		return err
	}
	if now == db.head {
		return nil
	}
	changes, err := changesBetween(ctx, tx, db.head, now)
	switch {
	case errors.Is(err, errGap):
		err = db.loadAnew(ctx, tx, now)
	case err == nil:
		var take func()
		if take, err = db.prepare(ctx, tx, changes); err == nil {
			take()
		}
	}
	if err == nil {
		db.reach(now)
	}
	return err
}

// reach notes how far the indexes are. The caller holds taking.
func (db *DB) reach(now head) {
	db.head = now
	db.revision.Store(now.revision)
}

// loadAnew reads every index from the start.
func (db *DB) loadAnew(ctx context.Context, tx *Tx, now head) error {
	if len(db.followers) > 0 {
		db.log.WarnContext(ctx, "reads all indexes anew", slog.Int64("had", db.head.revision), slog.Int64("database", now.revision))
	}
	for _, f := range db.followers {
		if err := f.Load(ctx, tx); err != nil {
			return fmt.Errorf("load index: %w", err)
		}
	}
	return nil
}

// prepare reads what changes did; take puts it into the indexes.
func (db *DB) prepare(ctx context.Context, tx *Tx, changes []Change) (take func(), err error) {
	steps := make([]func(), 0, len(db.followers))
	for _, f := range db.followers {
		step, err := f.Prepare(ctx, tx, changes)
		if err != nil {
			return nil, fmt.Errorf("prepare index: %w", err)
		}
		steps = append(steps, step)
	}
	return func() {
		for _, step := range steps {
			step()
		}
	}, nil
}

// arrived notes that the indexes have a change of this process, whose transaction began at a moment. The caller holds taking.
func (db *DB) arrived(now head, began time.Time) {
	db.reach(now)
	db.proved.Store(&began)
}

// lost notes that nobody knows what the indexes lack. The caller holds taking.
func (db *DB) lost() {
	db.head = head{revision: -1}
	db.proved.Store(nil)
	db.wake()
}

func (db *DB) wake() {
	select {
	case db.woken <- struct{}{}:
	default:
	}
}

// keepUp follows the feed until stopKeepingUp.
func (db *DB) keepUp(url string) {
	ctx, stop := context.WithCancel(context.Background())
	db.stop = stop
	db.work.Go(func() { db.engine.listen(ctx, url, db.node, db.wake) })
	db.work.Go(func() {
		tick := time.NewTicker(db.maxLag / looksPerLag)
		defer tick.Stop()
		refusing := false
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			case <-db.woken:
			}
			err := db.look(ctx)
			switch stale := db.Fresh() != nil; {
			case ctx.Err() != nil:
				return
			case stale && !refusing:
				refusing = true
				db.log.ErrorContext(ctx, "this node refuses requests until it is up to date again", slog.Duration("lag", db.Lag()), slog.Any("error", err))
			case !stale && refusing:
				refusing = false
				db.log.InfoContext(ctx, "this node is up to date again", slog.Int64("revision", db.Revision()))
			}
		}
	})
}

func (db *DB) stopKeepingUp() {
	if db.stop != nil {
		db.stop()
		db.work.Wait()
	}
}

// look asks where the feed stands, and takes in what is new. That a database does not answer is known in time; that there is
// much to take in is no reason to stop.
func (db *DB) look(ctx context.Context) error {
	if !db.engine.shared() {
		return db.CatchUp(ctx)
	}
	asked := time.Now()
	soon, cancel := context.WithTimeout(ctx, max(db.maxLag, time.Second))
	defer cancel()
	now, err := headOf(soon, plain{db})
	if err != nil {
		return err
	}
	if db.has(now, asked) {
		return nil
	}
	return db.CatchUp(ctx)
}

// has notes that the indexes have everything, when the feed stood where they are at a moment.
func (db *DB) has(now head, at time.Time) bool {
	db.taking.Lock()
	defer db.taking.Unlock()
	if now != db.head {
		return false
	}
	if before := db.proved.Load(); before == nil || before.Before(at) {
		db.proved.Store(&at)
	}
	return true
}

// trimAtOnce is how many changes are looked at together when old ones are forgotten.
const trimAtOnce = 10_000

// Trim forgets old changes of the feed. A node that lacks them reads its indexes anew.
func (db *DB) Trim(ctx context.Context) error {
	before := Millis(db.now().Add(-keptChanges))
	for {
		var gone int64
		err := db.Update(ctx, func(tx *Tx) (err error) {
			gone, err = tx.Exec(ctx, `DELETE FROM changes WHERE revision < (SELECT value FROM revision WHERE id = 1) AND revision <= (
				SELECT MAX(revision) FROM (SELECT revision, at FROM changes ORDER BY revision LIMIT ?) AS oldest WHERE at < ?)`, trimAtOnce, before)
			return err
		})
		if err != nil {
			return fmt.Errorf("forget old changes: %w", err)
		}
		if gone == 0 {
			return nil
		}
	}
}
