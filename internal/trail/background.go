package trail

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

const (
	// batchTime is how long a record of a read waits for others before it goes to the database.
	batchTime = 50 * time.Millisecond
	batchSize = 512
	// sweepTime is how often old rows are looked for, deliverTime how often the outbox is.
	sweepTime   = time.Hour
	deliverTime = time.Minute
	// overdue is when a row of the outbox counts as left behind: no request takes that long to finish after its change.
	overdue = 2 * time.Minute
)

// run takes records to the database, rows left behind to the log, and old rows away.
func (t *Trail) run() {
	defer close(t.stopped)
	ctx := context.Background()
	tick, sweep, deliver, head := time.NewTicker(batchTime), time.NewTicker(sweepTime), time.NewTicker(deliverTime), time.NewTicker(headTime)
	defer tick.Stop()
	defer head.Stop()
	defer sweep.Stop()
	defer deliver.Stop()
	sweeping := true
	for {
		select {
		case <-tick.C:
			t.writeRecent(ctx)
			// One bounded step at a time, so that Flush never waits for a great cleaning.
			if sweeping {
				sweeping = t.sweep(ctx)
			}
		case done := <-t.flush:
			t.writeRecent(ctx)
			close(done)
		case <-sweep.C:
			sweeping = true
		case <-head.C:
			t.noteHead(ctx)
		case <-deliver.C:
			if _, err := t.deliver(ctx, t.cfg.DB.Now().Add(-overdue), nil); err != nil {
				t.cfg.Log.ErrorContext(ctx, "cannot deliver the outbox to the audit log", slog.Any("error", err))
			}
		case <-t.stop:
			t.writeRecent(ctx)
			return
		}
	}
}

// writeRecent takes what waits to the database.
func (t *Trail) writeRecent(ctx context.Context) {
	for {
		rows := t.nextRecent()
		if len(rows) == 0 {
			return
		}
		if err := t.store(ctx, rows); err != nil {
			t.dropped.Add(int64(len(rows)))
			t.cfg.Log.ErrorContext(ctx, "cannot store recent events", slog.Int("events", len(rows)), slog.Any("error", err))
		}
	}
}

func (t *Trail) nextRecent() (rows []*row) {
	for len(rows) < batchSize {
		select {
		case r := <-t.recent:
			rows = append(rows, r)
		default:
			return rows
		}
	}
	return rows
}

// sweep takes one bounded step of removing old rows and reports whether there may be more.
func (t *Trail) sweep(ctx context.Context) (more bool) {
	n, err := t.remove(ctx)
	if err != nil {
		t.cfg.Log.ErrorContext(ctx, "cannot remove old events", slog.Any("error", err))
	}
	return n > 0 && err == nil
}

// recover delivers to the log what the last run committed and did not log.
func (t *Trail) recover(ctx context.Context) error {
	ids, err := t.undelivered(ctx)
	if err != nil || len(ids) == 0 {
		return err
	}
	logged, err := t.log.loggedAlready(ctx, ids)
	if err != nil {
		return err
	}
	n, err := t.deliver(ctx, t.cfg.DB.Now().Add(overdue), logged)
	if n > 0 {
		t.cfg.Log.InfoContext(ctx, "delivered records that the last run had committed but not logged", slog.Int("records", n))
	}
	return err
}

// budget lets something happen so many times a second, and a number of times at once.
type budget struct {
	perSecond, most float64
	now             func() time.Time

	mu   sync.Mutex
	used float64
	last time.Time
}

func (b *budget) spend() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	if since := now.Sub(b.last).Seconds(); since > 0 {
		b.used, b.last = max(0, b.used-since*b.perSecond), now
	}
	if b.used+1 > b.most {
		return false
	}
	b.used++
	return true
}
