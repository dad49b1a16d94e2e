package ldap

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/directory"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/trail"
	"github.com/lakegate/lakegate/internal/wire"
)

// Parts are what a source works with.
type Parts struct {
	// Settings are complete.
	Settings  *Config
	DB        *store.DB
	Directory *directory.Directory
	Trail     *trail.Trail
	Region    string
	// Store names the identity store when Settings do not; "" while there is none.
	Store func() string
	// Getenv is the environment, from which the password may come.
	Getenv func(string) string
	Log    *slog.Logger
}

// Source is a source at work: it runs by its schedule and on request, one run at a time. It is safe for concurrent use.
type Source struct {
	Parts

	ctx  context.Context
	stop context.CancelCauseFunc
	work sync.WaitGroup

	mu      sync.Mutex
	running bool
	closed  bool

	succeeded, failures, problems atomic.Int64
}

// errStopped is the cause of what a stop cuts off.
var errStopped = errors.New("the server stopped during the run; the next run does the rest")

// Open makes a source. Runs that a server left behind are marked as failed.
func Open(ctx context.Context, parts Parts) (*Source, error) {
	s := &Source{Parts: parts}
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	s.ctx, s.stop = context.WithCancelCause(context.WithoutCancel(ctx))
	err := s.DB.Update(ctx, func(tx *store.Tx) error {
		left, err := unfinished(ctx, tx, s.Settings.Name)
		if err != nil {
			return err
		}
		for _, r := range left {
			r.State, r.Ended, r.Report.Message = Failed, s.DB.Now(), errStopped.Error()
			if err := updateRun(ctx, tx, &r); err != nil {
				return err
			}
		}
		at, err := lastSuccess(ctx, tx, s.Settings.Name)
		if !at.IsZero() {
			s.succeeded.Store(at.Unix())
		}
		return err
	})
	if err != nil {
		s.stop(errStopped)
		return nil, fmt.Errorf("open LDAP source %s: %w", s.Settings.Name, err)
	}
	return s, nil
}

// Schedule begins the runs that nobody has to ask for, the first one at once.
func (s *Source) Schedule() {
	if s.Settings.OnDemand {
		return
	}
	s.work.Go(func() {
		timer := time.NewTimer(0)
		defer timer.Stop()
		for {
			select {
			case <-s.ctx.Done():
				return
			case <-timer.C:
			}
			done, err := s.begin(s.ctx, Run{Cause: bySchedule})
			if err == nil {
				<-done
			} else if !errors.Is(err, ErrBusy) && s.ctx.Err() == nil {
				s.failures.Add(1)
				s.Log.ErrorContext(s.ctx, "cannot begin a directory synchronisation", slog.String("source", s.Settings.Name), slog.Any("error", err))
			}
			timer.Reset(time.Duration(s.Settings.IntervalMinutes) * time.Minute)
		}
	})
}

// Close cuts a run off and waits for its end.
func (s *Source) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.stop(errStopped)
	s.work.Wait()
	return nil
}

// Succeeded is when the last run that changed what there was to change ended; zero for none.
func (s *Source) Succeeded() time.Time {
	if at := s.succeeded.Load(); at != 0 {
		return time.Unix(at, 0)
	}
	return time.Time{}
}

// Failures counts runs that failed or were refused since the start; Problems are those of the last run.
func (s *Source) Failures() int64 { return s.failures.Load() }

// Problems counts the entries that the last run could not take in whole.
func (s *Source) Problems() int64 { return s.problems.Load() }

// StoreID is the identity store that the source fills, "" for none.
func (s *Source) StoreID() string {
	if s.Settings.IdentityStore != "" {
		return s.Settings.IdentityStore
	}
	return s.Store()
}

// The refusals to begin a run.
var (
	ErrBusy    = errors.New("a run of this source is going on")
	ErrNoStore = errors.New("there is no identity store to fill")
)

// Start begins a run in the background and returns its id. by is the ARN of who asked.
func (s *Source) Start(ctx context.Context, by string, dryRun, force bool) (string, error) {
	r := Run{ID: uuid.NewString(), Cause: byRequest, StartedBy: by, DryRun: dryRun, Force: force}
	_, err := s.begin(ctx, r)
	return r.ID, err
}

// begin writes a run down and lets it work. The channel closes when it has ended.
func (s *Source) begin(ctx context.Context, r Run) (<-chan struct{}, error) {
	if r.ID == "" {
		r.ID = uuid.NewString()
	}
	r.StoreID, r.Source, r.State, r.Started = s.StoreID(), s.Settings.Name, Running, s.DB.Now()
	account, ok := s.Directory.StoreAccount(r.StoreID)
	if !ok {
		return nil, ErrNoStore
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running || s.closed {
		return nil, ErrBusy
	}
	if err := s.DB.Update(ctx, func(tx *store.Tx) error { return insertRun(ctx, tx, &r) }); err != nil {
		return nil, fmt.Errorf("begin run: %w", err)
	}
	s.running = true
	done := make(chan struct{})
	s.work.Go(func() {
		defer close(done)
		s.run(&r, account)
		s.mu.Lock()
		s.running = false
		s.mu.Unlock()
	})
	return done, nil
}

// run does a run and writes down how it ended.
func (s *Source) run(r *Run, account string) {
	limit := time.Duration(s.Settings.MaxMinutes) * time.Minute
	ctx, cancel := context.WithTimeoutCause(s.ctx, limit, fmt.Errorf("the run took longer than %s (max_minutes)", limit))
	defer cancel()
	log := s.Log.With(slog.String("source", r.Source), slog.String("run", r.ID), slog.Bool("dry_run", r.DryRun))
	log.InfoContext(ctx, "directory synchronisation begins", slog.String("cause", r.Cause))
	err := s.sync(ctx, r, account)
	r.Ended = s.DB.Now()
	switch {
	case err == nil:
		r.State = Succeeded
	case errors.Is(err, ErrLimit):
		r.State = Refused
	default:
		r.State = Failed
	}
	if err != nil {
		r.Report.Message = plain(err.Error())
		s.failures.Add(1)
		log.ErrorContext(ctx, "directory synchronisation failed", slog.String("state", string(r.State)), slog.String("error", r.Report.Message))
	} else {
		if !r.DryRun {
			s.succeeded.Store(r.Ended.Unix())
		}
		log.InfoContext(ctx, "directory synchronisation ended", slog.Int("people", r.Report.People), slog.Int("groups", r.Report.Groups),
			slog.Int("changes", r.Report.total()), slog.Int("problems", r.Report.ProblemCount), slog.Duration("took", r.Ended.Sub(r.Started)))
	}
	s.problems.Store(int64(r.Report.ProblemCount))
	// The end is written down and recorded even when the server stops.
	ctx = context.WithoutCancel(ctx)
	if err := s.DB.Update(ctx, func(tx *store.Tx) error { return updateRun(ctx, tx, r) }); err != nil {
		log.ErrorContext(ctx, "cannot write down how a directory synchronisation ended", slog.Any("error", err))
	}
	s.recordEnd(ctx, r, account)
}

// recordEnd puts the end of a run into the trail of the store's account.
func (s *Source) recordEnd(ctx context.Context, r *Run, account string) {
	ctx = caller.WithRequest(ctx, &caller.Request{ID: r.ID, SourceIP: serviceName, UserAgent: serviceName, Region: s.Region, Time: r.Ended})
	ctx, entry := s.Trail.Begin(ctx, trail.Operation{Source: "lakegate.amazonaws.com", Name: "EndDirectorySync"})
	entry.Caller(serviceCaller(account, r.Source))
	entry.Parameters(map[string]any{"syncId": r.ID, "identityStoreId": r.StoreID, "trigger": r.Cause, "dryRun": r.DryRun, "force": r.Force})
	entry.Add(keySync, r.ID)
	entry.Add("startedBy", r.StartedBy)
	changes := map[string]any{}
	for action, n := range r.Report.Changes {
		changes[string(action)] = n
	}
	entry.Response(map[string]any{"state": string(r.State), "people": r.Report.People, "groups": r.Report.Groups, "changes": changes, "problems": r.Report.ProblemCount})
	var failure error
	if r.State != Succeeded {
		entry.Step("directory sync", trail.Fail, r.Report.Message)
		failure = wire.NewError("DirectorySync"+map[State]string{Refused: "Refused", Failed: "Failed"}[r.State], 400, r.Report.Message)
	}
	if err := s.Trail.Finish(ctx, entry, failure); err != nil {
		s.Log.ErrorContext(ctx, "cannot record a directory synchronisation", slog.Any("error", err))
	}
}

// sync is the work of a run: read, plan, apply.
func (s *Source) sync(ctx context.Context, r *Run, account string) error {
	snapshot, err := s.readSource(ctx)
	if err != nil {
		return err
	}
	r.Report.People, r.Report.Groups = len(snapshot.People), len(snapshot.Groups)
	have, err := readPresent(ctx, s.Directory, r.StoreID, s.Settings.Issuer())
	if err != nil {
		return err
	}
	plan := MakePlan(snapshot, have, Rules{Issuer: s.Settings.Issuer(), Delete: s.Settings.Vanished == vanishedDelete})
	r.Report.Losses = plan.Losses
	r.Report.note(plan.Problems...)
	limit := plan.Losses.Within(s.Settings.SafetyLimitPercent)
	if r.DryRun || limit != nil && !r.Force {
		r.Report.show(plan.Changes)
	}
	switch {
	case r.DryRun:
		for _, c := range plan.Changes {
			if !c.Parked {
				r.Report.count(c.Action)
			}
		}
		if limit != nil {
			r.Report.Message = plain("a run that is not forced would be refused: " + limit.Error())
		}
		return nil
	case limit != nil && !r.Force:
		return limit
	}
	return newApplier(s, r, account, have).apply(ctx, plan.Changes)
}

func (s *Source) readSource(ctx context.Context) (*Snapshot, error) {
	c, err := connect(ctx, s.Settings, s.Getenv)
	if err != nil {
		return nil, err
	}
	defer c.close()
	return c.read(s.DB.Now())
}

// Busy says whether a run is going on.
func (s *Source) Busy() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.running
}

// Runs are the newest runs, at most limit.
func (s *Source) Runs(ctx context.Context, limit int) (runs []Run, err error) {
	err = s.DB.View(ctx, func(q store.Querier) error {
		runs, err = listRuns(ctx, q, s.Settings.Name, limit)
		return err
	})
	return runs, err
}

// Run reads one run, or store.ErrNotFound.
func (s *Source) Run(ctx context.Context, id string) (r Run, err error) {
	err = s.DB.View(ctx, func(q store.Querier) error {
		r, err = readRun(ctx, q, s.Settings.Name, id)
		return err
	})
	return r, err
}
