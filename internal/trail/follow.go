package trail

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

// Follower is somebody to whom each record of a log is brought: a sink, or a trail that delivers into a bucket.
type Follower struct {
	// Name is that of the file that keeps how far the follower has come: letters, digits, '-', '_' and '.', the first of
	// them a letter or a digit.
	Name string
	// From is where one begins that has no such file yet. The zero Position is the oldest record that is kept.
	From Position
	// Deliver takes records, in the order of the log. What it has taken without an error is not brought again, unless the
	// process ends before that is noted; each record has an eventID by which to know it. Anything else is brought again
	// until it is taken, with a growing pause in between. The records are Deliver's until it returns.
	Deliver func(ctx context.Context, lines []Line) error
	// Gap, which may be nil, is told of records that the follower will not get, before those behind them. It is called again
	// until it returns no error.
	Gap func(ctx context.Context, gap Gap) error
	// Most and Bytes bound a delivery; zero takes 1,000 lines and 1 MiB. One line is always taken.
	Most, Bytes int
	// Gather is how long to wait for company of a record that comes when there is nothing else to deliver.
	Gather time.Duration
}

// Line is a record and the position behind it. With Damage, which says what is wrong, the log has been altered there, and
// Record is no record: what stands in its place, or nothing.
type Line struct {
	Next   Position
	Record []byte
	Damage string
}

// Gap says that a follower came too late: records were removed, since their time was over and the log may hold only so
// much for its followers; or the log is another one than that which the follower knows.
type Gap struct {
	From, To Position
	// Entries is the most that can be missing; zero when the log does not know.
	Entries uint64
}

// FollowerStatus tells how far a follower has come.
type FollowerStatus struct {
	Name     string
	Position Position
	// Behind is how many bytes of the log, uncompressed as far as they are not sealed, are still to come.
	Behind int64
	// CaughtUp is when the follower last had everything; zero for not since the start. Waiting is since when there are
	// records that it has not had, for this process at least; zero while it has everything.
	CaughtUp, Waiting time.Time
	// Delivered counts records, Failures attempts, and Missing entries in gaps, since the start.
	Delivered, Failures, Missing int64
	// Failing is since when attempts fail, and Failure why; zero and "" while they do not.
	Failing time.Time
	Failure string
}

const (
	defaultMost  = 1000
	defaultBytes = 1 << 20
	// firstPause and longestPause bound the pause after an attempt that failed.
	firstPause   = 250 * time.Millisecond
	longestPause = time.Minute
)

// following is a follower at work.
type following struct {
	Follower
	log *Log

	mu     sync.Mutex
	status FollowerStatus
}

// Follow brings the log's records to a follower until the context is done or the log is closed, and returns why it ended.
// What the follower has not taken stays in the log, within the bound of LogConfig.Hold. A name is followed once at a time.
func (l *Log) Follow(ctx context.Context, f Follower) error {
	if !isFollower(f.Name) {
		return fmt.Errorf("follow audit log: %.100q is no name for a follower", f.Name)
	}
	if f.Most <= 0 {
		f.Most = defaultMost
	}
	if f.Bytes <= 0 {
		f.Bytes = defaultBytes
	}
	at, known, err := readPlace(l.cfg.Dir, f.Name)
	if err != nil {
		return fmt.Errorf("follow audit log as %s: %w", f.Name, err)
	}
	if !known {
		at = mileage{position: f.From}
		if err := writePlace(l.cfg.Dir, f.Name, at); err != nil {
			return fmt.Errorf("follow audit log as %s: %w", f.Name, err)
		}
	}
	w := &following{Follower: f, log: l, status: FollowerStatus{Name: f.Name, Position: at.position, Waiting: l.cfg.Now()}}
	if err := l.followers.join(w); err != nil {
		return err
	}
	defer l.followers.leave(w)
	return w.run(ctx, at)
}

// run reads, delivers, and waits for more.
func (w *following) run(ctx context.Context, at mileage) error {
	for {
		more := w.log.Appended()
		next, err := w.catchUp(ctx, at)
		at = next
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, ErrClosed):
			return err
		case errors.Is(err, ErrPositionGone), errors.Is(err, ErrPositionUnknown):
			if at, err = w.skip(ctx, at); err != nil {
				return err
			}
			continue
		case err != nil:
			// The log cannot be read, or the position not be kept: neither is the follower's fault.
			if err := w.failed(ctx, err, longestPause/6); err != nil {
				return err
			}
			continue
		}
		w.caughtUp()
		select {
		case <-more:
		case <-w.log.stop:
			return ErrClosed
		case <-ctx.Done():
			return ctx.Err()
		}
		w.waits()
		if w.Gather > 0 {
			if err := w.wait(ctx, w.Gather); err != nil {
				return err
			}
		}
	}
}

// catchUp delivers what there is, and returns how far it came.
func (w *following) catchUp(ctx context.Context, at mileage) (mileage, error) {
	var lines []Line
	size := 0
	hand := func() error {
		if len(lines) == 0 {
			return nil
		}
		if err := w.persist(ctx, func() error { return w.Deliver(ctx, lines) }); err != nil {
			return err
		}
		next := at.to(lines[len(lines)-1].Next, w.log)
		if err := writePlace(w.log.cfg.Dir, w.Name, next); err != nil {
			return err
		}
		at = next
		w.took(len(lines), at.position)
		lines, size = lines[:0], 0
		return nil
	}
	err := w.log.Lines(ctx, at.position, func(l Line) error {
		if len(lines) > 0 && (len(lines) >= w.Most || size+len(l.Record) > w.Bytes) {
			if err := hand(); err != nil {
				return err
			}
		}
		// The memory of what was delivered takes what comes.
		var memory []byte
		if len(lines) < cap(lines) {
			memory = lines[:len(lines)+1][len(lines)].Record[:0]
		}
		lines = append(lines, Line{Next: l.Next, Record: append(memory, l.Record...), Damage: l.Damage})
		size += len(l.Record)
		return nil
	})
	if err != nil {
		return at, err
	}
	return at, hand()
}

// skip tells the follower what it will not get, and goes on with the oldest record that there is.
func (w *following) skip(ctx context.Context, at mileage) (mileage, error) {
	next, gap := w.log.gapFrom(at)
	w.log.cfg.Log.ErrorContext(ctx, "a follower of the audit log came too late for records that are no longer kept", slog.String("follower", w.Name), slog.Uint64("entries at most", gap.Entries))
	if w.Gap != nil {
		if err := w.persist(ctx, func() error { return w.Gap(ctx, gap) }); err != nil {
			return at, err
		}
	}
	w.mu.Lock()
	w.status.Missing += int64(gap.Entries)
	w.status.Position = next.position
	w.mu.Unlock()
	for {
		err := writePlace(w.log.cfg.Dir, w.Name, next)
		if err == nil {
			return next, nil
		}
		if err := w.failed(ctx, err, longestPause/6); err != nil {
			return at, err
		}
	}
}

// gapFrom is where a follower goes on that stands where nothing is any more, and what it misses. Of a log that it does not
// know it gets all that there is.
func (l *Log) gapFrom(at mileage) (mileage, Gap) {
	gap := Gap{From: at.position}
	all, err := segmentsIn(l.cfg.Dir)
	if err != nil || len(all) == 0 {
		return mileage{}, gap
	}
	next := mileage{position: Position{Node: l.node, Segment: all[0].number}}
	gap.To = next.position
	if h, err := headerOf(l.cfg.Dir, all[0].number); err == nil {
		next.entry = h.Entry
		if at.position.Node == l.node && at.entry > 0 && h.Entry > at.entry {
			gap.Entries = h.Entry - at.entry
		}
	}
	return next, gap
}

// persist does something until it succeeds, or there is no reason to go on.
func (w *following) persist(ctx context.Context, do func() error) error {
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		err := do()
		if err == nil {
			w.mu.Lock()
			w.status.Failing, w.status.Failure = time.Time{}, ""
			w.mu.Unlock()
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := w.failed(ctx, err, pause); err != nil {
			return err
		}
	}
}

// failed notes a failure and waits for about as long as is said; it fails when there is nothing to wait for.
func (w *following) failed(ctx context.Context, failure error, pause time.Duration) error {
	w.mu.Lock()
	first := w.status.Failing.IsZero()
	if first {
		w.status.Failing = w.log.cfg.Now()
	}
	w.status.Failures++
	w.status.Failure = clip(failure.Error(), maxDetail)
	w.mu.Unlock()
	if first {
		w.log.cfg.Log.WarnContext(ctx, "a follower of the audit log does not take records; they stay in the log", slog.String("follower", w.Name), slog.Any("error", failure))
	}
	// Many followers of one receiver do not come back all at once.
	pause = pause/2 + rand.N(pause/2+1) //nolint:gosec // nothing secret
	if later, ok := errors.AsType[*RetryLater](failure); ok {
		pause = min(max(pause, later.After), longestPause)
	}
	return w.wait(ctx, pause)
}

// wait fails when there is nothing to wait for.
func (w *following) wait(ctx context.Context, pause time.Duration) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-w.log.stop:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// RetryLater is an error of a follower who says when to come back. A minute is the most.
type RetryLater struct {
	After time.Duration
	Err   error
}

func (e *RetryLater) Error() string { return e.Err.Error() }
func (e *RetryLater) Unwrap() error { return e.Err }

func (w *following) took(n int, at Position) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.status.Delivered += int64(n)
	w.status.Position = at
}

func (w *following) caughtUp() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.status.CaughtUp, w.status.Waiting = w.log.cfg.Now(), time.Time{}
	w.status.Failing, w.status.Failure = time.Time{}, ""
}

func (w *following) waits() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.status.Waiting = w.log.cfg.Now()
}
