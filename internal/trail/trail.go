package trail

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/store"
)

// Config is what a trail needs.
type Config struct {
	DB  *store.DB
	Dir string
	// Required makes Finish fail when the log cannot take a record.
	Required  bool
	Retention time.Duration
	Log       *slog.Logger
}

// Trail records requests.
type Trail struct {
	cfg Config
	log *Log

	// recent are records on their way to the database, which a background task writes in batches.
	recent  chan *row
	flush   chan chan struct{}
	stop    chan struct{}
	stopped chan struct{}
	closing sync.Once

	failures atomic.Int64
	dropped  atomic.Int64
}

// Open opens the log, delivers to it what a crash left in the outbox, and starts the background task.
func Open(ctx context.Context, cfg Config) (*Trail, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	log, cut, err := OpenLog(cfg.Dir, cfg.DB.Now)
	if err != nil {
		return nil, err
	}
	if cut > 0 {
		cfg.Log.WarnContext(ctx, "cut a torn line off the audit log", slog.Int64("bytes", cut))
	}
	t := &Trail{cfg: cfg, log: log, recent: make(chan *row, 4096), flush: make(chan chan struct{}), stop: make(chan struct{}), stopped: make(chan struct{})}
	n, err := t.deliver(ctx)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("deliver outbox: %w", err), log.Close())
	}
	if n > 0 {
		cfg.Log.InfoContext(ctx, "delivered records that the last run had committed but not logged", slog.Int("records", n))
	}
	go t.run()
	return t, nil
}

// Close writes what waits and closes the log.
func (t *Trail) Close() error {
	t.closing.Do(func() { close(t.stop) })
	<-t.stopped
	return t.log.Close()
}

// Failures counts records that the log did not take.
func (t *Trail) Failures() int64 { return t.failures.Load() }

// Dropped counts records that the log has and LookupEvents lacks, because they came faster than the database took them.
func (t *Trail) Dropped() int64 { return t.dropped.Load() }

// Flush waits until LookupEvents sees everything that was finished before.
func (t *Trail) Flush(ctx context.Context) {
	done := make(chan struct{})
	select {
	case t.flush <- done:
	case <-t.stopped:
		return
	case <-ctx.Done():
		return
	}
	select {
	case <-done:
	case <-t.stopped:
	case <-ctx.Done():
	}
}

// RecordChange implements store.Recorder: the record goes into the transaction of the change.
func (e *Entry) RecordChange(ctx context.Context, tx *store.Tx, revision int64) error {
	e.Add(KeyRevision, revision)
	e.mu.Lock()
	defer e.mu.Unlock()
	rows, err := e.rows(ctx, nil)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if err := r.put(ctx, tx, false); err != nil {
			return err
		}
	}
	e.committed = true
	return nil
}

// Finish ends the entry: failure is how the request failed, nil for success. The records are in the log when it returns.
// It fails only where the configuration says that there is no access without a record.
func (t *Trail) Finish(ctx context.Context, e *Entry, failure error) error {
	e.mu.Lock()
	rows, err := e.rows(ctx, failure)
	committed := e.committed
	e.mu.Unlock()
	if err != nil {
		return t.failed(ctx, err)
	}
	for _, r := range rows {
		if err := t.log.Append(r.record); err != nil {
			return t.failed(ctx, err)
		}
		if e.data && failure == nil && !committed {
			continue
		}
		select {
		case t.recent <- r:
		default:
			t.dropped.Add(1)
		}
	}
	return nil
}

func (t *Trail) failed(ctx context.Context, err error) error {
	t.failures.Add(1)
	t.cfg.Log.ErrorContext(ctx, "cannot record a request", slog.Any("error", err))
	if t.cfg.Required {
		return fmt.Errorf("record request: %w", err)
	}
	return nil
}

// rows makes the copies of the record: one for the caller's account, one for each other account that has a part.
func (e *Entry) rows(ctx context.Context, failure error) ([]*row, error) {
	req := caller.RequestFrom(ctx)
	at := e.trail.cfg.DB.Now()
	record := e.record(req, at, failure)
	c := e.caller
	if c == nil {
		c = &caller.Caller{}
	}
	accounts := []string{c.Account}
	for _, a := range e.accounts {
		if a != c.Account {
			accounts = append(accounts, a)
		}
	}
	if c.Account == "" && len(accounts) > 1 {
		accounts = accounts[1:]
	}
	if e.ids == nil {
		e.ids, e.shared = map[string]string{}, uuid.NewString()
	}
	rows := make([]*row, 0, len(accounts))
	for _, account := range accounts {
		if e.ids[account] == "" {
			e.ids[account] = uuid.NewString()
		}
		mine := *record
		mine.EventID, mine.RecipientAccountID = e.ids[account], account
		if len(accounts) > 1 {
			mine.SharedEventID = e.shared
		}
		text, err := json.Marshal(&mine)
		if err != nil {
			return nil, fmt.Errorf("encode record: %w", err)
		}
		rows = append(rows, &row{
			id: mine.EventID, account: account, at: at, name: e.name, source: e.source, data: e.data, readOnly: e.readOnly,
			user: userName(c), accessKey: c.AccessKeyID, request: req.ID, resources: e.resources, record: text,
		})
	}
	return rows, nil
}

// batchTime is how long a record of a read waits for others before it goes to the database.
const batchTime = 50 * time.Millisecond

func (t *Trail) run() {
	defer close(t.stopped)
	ctx := context.Background()
	tick := time.NewTicker(batchTime)
	defer tick.Stop()
	sweep := time.NewTicker(time.Hour)
	defer sweep.Stop()
	for {
		select {
		case <-tick.C:
			t.writeRecent(ctx)
		case done := <-t.flush:
			t.writeRecent(ctx)
			close(done)
		case <-sweep.C:
			if err := t.sweep(ctx); err != nil {
				t.cfg.Log.ErrorContext(ctx, "cannot remove old events", slog.Any("error", err))
			}
		case <-t.stop:
			t.writeRecent(ctx)
			return
		}
	}
}

func (t *Trail) writeRecent(ctx context.Context) {
	for {
		var rows []*row
		for len(rows) < 512 {
			select {
			case r := <-t.recent:
				rows = append(rows, r)
				continue
			default:
			}
			break
		}
		if len(rows) == 0 {
			return
		}
		err := t.cfg.DB.Update(ctx, func(tx *store.Tx) error {
			for _, r := range rows {
				if err := r.put(ctx, tx, true); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.dropped.Add(int64(len(rows)))
			t.cfg.Log.ErrorContext(ctx, "cannot store recent events", slog.Any("error", err))
		}
	}
}
