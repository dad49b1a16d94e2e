package trail

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/store"
)

// Config is what a trail needs.
type Config struct {
	DB *store.DB
	// Dir is the folder of the log.
	Dir string
	// Required makes Finish fail when the log cannot take a record.
	Required bool
	// Sync says which records are on the disk, and not only with the operating system, before Finish returns; "" is
	// SyncAlways with Required, else SyncBatched.
	Sync Sync
	// KeepLog is how long segments of the log are kept; zero or less is for ever.
	KeepLog time.Duration
	// HoldLog is how many bytes of segments are kept beyond that for followers that have not had them; zero takes 10 GiB.
	HoldLog int64
	// Retention is how long LookupEvents and Why remember; zero or less is DefaultRetention.
	Retention time.Duration
	Log       *slog.Logger
	// NewID makes event ids; nil takes random UUIDs.
	NewID func() string
}

// Sync is when records are forced to the disk.
type Sync string

const (
	// SyncAlways forces each record to the disk before Finish returns.
	SyncAlways Sync = "always"
	// SyncBatched forces those of API calls that succeeded, whose answers may be credentials, and leaves those of data
	// events and of failures a fifth of a second, which a loss of power can lose.
	SyncBatched Sync = "batched"
)

// DefaultRetention is CloudTrail's.
const DefaultRetention = 90 * 24 * time.Hour

// Trail records requests. It is safe for concurrent use.
type Trail struct {
	cfg   Config
	log   *Log
	names func(*caller.Identity) string

	// recent are records on their way to the database, which a background task writes in batches.
	recent  chan *row
	flush   chan chan struct{}
	stop    chan struct{}
	stopped chan struct{}
	closing sync.Once

	// strangers, visitors and refused bound what the database takes of requests that cost whoever makes them nothing and
	// change nothing: those of nobody's account, those of nobody that concern an account, such as its sign-in pages, and
	// refused ones for data.
	strangers, visitors, refused budget

	// drafts are for records that nobody keeps.
	drafts sync.Pool

	failures atomic.Int64
	dropped  atomic.Int64
	tampered atomic.Bool
	noted    mark // the background task's, and Open's and Close's
}

// Open opens the log, delivers to it what a crash left in the outbox, and starts the background task.
func Open(ctx context.Context, cfg Config) (*Trail, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.NewID == nil {
		cfg.NewID = new(eventIDs).next
	}
	if cfg.Retention <= 0 {
		cfg.Retention = DefaultRetention
	}
	t := &Trail{
		cfg: cfg, recent: make(chan *row, 4096), flush: make(chan chan struct{}), stop: make(chan struct{}), stopped: make(chan struct{}),
		strangers: budget{perSecond: 10, most: 1000, now: cfg.DB.Now}, refused: budget{perSecond: 100, most: 5000, now: cfg.DB.Now},
		visitors: budget{perSecond: 10, most: 1000, now: cfg.DB.Now},
	}
	if cfg.Sync == "" {
		t.cfg.Sync = SyncBatched
		if cfg.Required {
			t.cfg.Sync = SyncAlways
		}
	}
	t.drafts.New = func() any { return &draft{text: make([]byte, 0, usualSize)} }
	log, found, err := OpenLog(LogConfig{Dir: cfg.Dir, Now: cfg.DB.Now, Keep: cfg.KeepLog, Hold: cfg.HoldLog, Failed: t.failed, Log: cfg.Log})
	if err != nil {
		return nil, err
	}
	t.log = log
	t.tell(ctx, found)
	if err := t.checkHead(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("check the head of the audit log: %w", err), log.Close())
	}
	if err := t.recover(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("deliver outbox: %w", err), log.Close())
	}
	go t.run()
	return t, nil
}

// NamePeople tells how to find a person's user name, for records of sessions that carry an id alone. It is called once,
// before the first request. An empty name is left out.
func (t *Trail) NamePeople(names func(*caller.Identity) string) { t.names = names }

// Close writes what waits and closes the log.
func (t *Trail) Close() error {
	t.closing.Do(func() { close(t.stop) })
	<-t.stopped
	err := t.log.Close()
	t.noteHead(context.Background())
	return err
}

// tell tells the operator what the start has found of the log.
func (t *Trail) tell(ctx context.Context, found Recovery) {
	if found.Cut > 0 {
		t.cfg.Log.WarnContext(ctx, "cut off the end of the audit log: no write had completed it", slog.Int64("bytes", found.Cut), slog.String("kept", found.CutTo))
	}
	if found.Damage != nil {
		t.tampered.Store(true)
		t.cfg.Log.ErrorContext(ctx, "the audit log is damaged; it goes on in a new segment", slog.String("damage", found.Damage.String()))
	}
}

// Log is the log, for those who deliver or search what it has.
func (t *Trail) Log() *Log { return t.log }

// Tampered reports whether the start found that the log was altered or that its end is missing.
func (t *Trail) Tampered() bool { return t.tampered.Load() }

// Failures counts records that the log did not take, and writes that the disk may have lost.
func (t *Trail) Failures() int64 { return t.failures.Load() }

// Dropped counts records that the log has and LookupEvents and Why lack, because they came faster than the database takes
// them.
func (t *Trail) Dropped() int64 { return t.dropped.Load() }

// Ready returns an error when records are required and the log did not take the last one: a request whose effect cannot
// be taken back, such as the bytes of an object, is then refused before it begins. The record of the refusal is the next
// attempt.
func (t *Trail) Ready() error {
	if t.cfg.Required && t.log.Broken() {
		return errors.New("the audit log takes no records")
	}
	return nil
}

// Flush waits until LookupEvents and Why see everything that was finished before.
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

// RecordChange implements store.Recorder: the record, as far as it is known, goes into the transaction of the change.
func (e *Entry) RecordChange(ctx context.Context, tx *store.Tx, revision int64) error {
	e.Add(KeyRevision, revision)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.finished {
		// Work that outlives its request has records of its own.
		e.ids, e.shared = nil, ""
	}
	rows := e.rows(ctx, nil, new(draft), nil)
	for i := range rows {
		r := &rows[i]
		if err := r.put(ctx, tx); err != nil {
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
	if e.finished {
		e.mu.Unlock()
		return nil
	}
	// The draft goes back when nobody keeps a record of it.
	d := t.drafts.Get().(*draft) //nolint:forcetypeassert // nothing else is in there
	var one [1]row
	rows := e.rows(ctx, failure, d, one[:0])
	committed := e.committed
	e.finished = true
	e.mu.Unlock()

	var few [2][]byte
	records := few[:0]
	for i := range rows {
		records = append(records, rows[i].record)
	}
	// A change is in the database by now, with its record.
	durable := t.cfg.Sync == SyncAlways || !e.data && !committed && failure == nil
	err := t.log.Append(durable, records...)
	kept := false
	for i := range rows {
		r := &rows[i]
		r.delivered = err == nil
		if t.keeps(r, committed, failure != nil) {
			kept = true
			own := *r
			t.keep(&own, committed)
		}
	}
	if !kept {
		if len(rows) == 1 && cap(rows[0].record) <= maxBuffer {
			d.text = rows[0].record[:0] // it may have grown
		}
		clear(d.additional[:])
		t.drafts.Put(d)
	}
	if err == nil {
		return nil
	}
	t.failures.Add(int64(len(rows)))
	t.cfg.Log.ErrorContext(ctx, "cannot record a request", slog.String("request", caller.RequestFrom(ctx).ID), slog.Any("error", err))
	if t.cfg.Required {
		return fmt.Errorf("record request: %w", err)
	}
	return nil
}

// failed is told by the log that the disk may not have what it took.
func (t *Trail) failed(err error) {
	t.failures.Add(1)
	t.cfg.Log.Error("the audit log may have lost what it took in the last fifth of a second", slog.Any("error", err))
}

// keeps reports whether a record belongs into the database.
func (t *Trail) keeps(r *row, committed, failed bool) bool {
	switch {
	case committed:
		// Its outbox row waits for the final record.
		return true
	case r.data && !failed && (r.delivered || r.readOnly || !t.cfg.Required):
		return false
	case r.account == "" && !t.strangers.spend(), r.account != "" && r.stranger && !r.data && !t.visitors.spend(), r.account != "" && r.data && !t.refused.spend():
		t.dropped.Add(1)
		return false
	}
	return true
}

// keep sends a record on its way to the database.
func (t *Trail) keep(r *row, committed bool) {
	if committed {
		// There are no more of these than the database has committed.
		select {
		case t.recent <- r:
		case <-t.stopped:
		}
		return
	}
	select {
	case t.recent <- r:
	default:
		t.dropped.Add(1)
	}
}

// usualSize is what most records take, in bytes.
const usualSize = 2 << 10

// maxBuffer is the largest buffer that is used again.
const maxBuffer = 64 << 10

// draft is memory in which a record is made.
type draft struct {
	text       []byte
	additional [24]field
}

// rows makes the copies of the record, in a draft, and puts them behind the rows that it is given: one for the caller's
// account, one for each other account that has a part. The entry's lock is held.
func (e *Entry) rows(ctx context.Context, failure error, d *draft, rows []row) []row {
	req := caller.RequestFrom(ctx)
	at := e.trail.cfg.DB.Now()
	record := e.record(req, at, failure, d.additional[:0])
	var few [4]string
	accounts := e.recipients(few[:0])
	if len(accounts) > 1 && e.shared == "" {
		e.shared = e.trail.cfg.NewID()
	}
	accessKey := ""
	if e.caller != nil {
		accessKey = e.caller.AccessKeyID
	}
	steps := ""
	if !e.data || failure != nil {
		// Those of an allowed request for data are nowhere asked for.
		steps = scrub(string(appendSteps(nil, fitting(e.steps, maxStepBytes))))
	}
	text := record.appendShared(d.text[:0])
	shared := len(text)
	for i, account := range accounts {
		start := 0
		if i > 0 {
			start = len(text)
			text = append(text, text[:shared]...)
		}
		id := e.eventID(account)
		record.EventID, record.RecipientAccountID = id, account
		if len(accounts) > 1 {
			record.SharedEventID = e.shared
		}
		text = record.appendOwn(text)
		rows = append(rows, row{
			id: id, account: account, at: at, name: e.name, source: e.source, data: e.data, readOnly: e.readOnly,
			stranger: e.caller == nil || e.caller.Account == "", user: userName(e.caller), accessKey: accessKey, request: req.ID, resources: e.resources, record: scrubbed(text[start:]), steps: steps,
		})
	}
	return rows
}

// recipients are the accounts that get a copy, the caller's first. "" stands for nobody's: a request that was not
// authenticated and touched nothing.
func (e *Entry) recipients(all []string) []string {
	own := ""
	if e.caller != nil {
		own = e.caller.Account
	}
	if own != "" || len(e.accounts) == 0 {
		all = append(all, own)
	}
	for _, a := range e.accounts {
		if a != own {
			all = append(all, a)
		}
	}
	return all
}
