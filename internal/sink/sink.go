package sink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lakegate/lakegate/internal/sink/kafka"
	"github.com/lakegate/lakegate/internal/trail"
)

// receiver is where the records of one sink go. It is used by one goroutine at a time.
type receiver interface {
	// Deliver takes all records, durably, or returns an error, after which it may have taken some. It is then called
	// again with them.
	Deliver(ctx context.Context, lines []trail.Line) error
	Close() error
}

// Env is what sinks need.
type Env struct {
	Audit *trail.Log
	// Refer reads a secret that the configuration refers to, file:PATH or env:NAME.
	Refer func(reference string) (string, error)
	// Region is the server's, AuditDir the folder of the log, into which no sink may write.
	Region, AuditDir string
	Now              func() time.Time
	Log              *slog.Logger
}

// Sinks are the sinks of a server.
type Sinks struct {
	env  Env
	all  []*running
	stop context.CancelFunc
	work sync.WaitGroup
}

// running is a sink at work.
type running struct {
	name      string
	follower  trail.Follower
	receiver  receiver
	log       *slog.Logger
	selection Selection
	// asidePath is the file of records that are too large for the receiver, aside how many there came since the start.
	asidePath string
	// unselected is how many were passed over.
	rejected, aside, unselected, damaged atomic.Int64
	region                               string
	now                                  func() time.Time
}

// prefix is that of the names by which the log knows sinks.
const prefix = "sink."

// Open prepares the sinks, so that what is wrong with their settings shows at the start. It does not ask whether their
// receivers are there. The log holds nothing more for sinks that were taken out of the configuration.
func Open(all []Config, env Env) (s *Sinks, err error) {
	if err := Check(all); err != nil {
		return nil, err
	}
	s = &Sinks{env: env}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
			s = nil
		}
	}()
	names := map[string]bool{}
	for i := range all {
		r, err := s.prepare(&all[i])
		if err != nil {
			return s, fmt.Errorf("audit.sinks: %s: %w", all[i].Name, err)
		}
		s.all = append(s.all, r)
		names[r.follower.Name] = true
	}
	known, err := env.Audit.Known()
	if err != nil {
		return s, err
	}
	for _, name := range known {
		if !strings.HasPrefix(name, prefix) || names[name] {
			continue
		}
		if err := env.Audit.Forget(name); err != nil {
			return s, err
		}
		env.Log.Warn("a sink is no longer in the configuration; the audit log holds nothing more for it", slog.String("sink", strings.TrimPrefix(name, prefix)))
	}
	return s, nil
}

func (s *Sinks) prepare(c *Config) (r *running, err error) {
	r = &running{name: c.Name, selection: c.Select, region: s.env.Region, now: s.env.Now, log: s.env.Log, asidePath: filepath.Join(s.env.AuditDir, asideFolder, c.Name+".jsonl")}
	node := s.env.Audit.Node()
	switch {
	case c.File != nil:
		r.receiver, err = newFile(c.File, s.env)
	case c.Webhook != nil:
		r.receiver, err = newWebhook(c.Webhook, s.env)
	case c.OTLP != nil:
		r.receiver, err = newOTLP(c.OTLP, node, s.env, func(n int64, why string) {
			r.rejected.Add(n)
			s.env.Log.Error("a collector rejected audit records for good", slog.String("sink", c.Name), slog.Int64("records", n), slog.String("because", why))
		})
	case c.Kafka != nil:
		r.receiver, err = kafka.New(c.Kafka, node, s.env.Refer)
	}
	if err != nil {
		return nil, err
	}
	r.follower = trail.Follower{
		Name: prefix + c.Name, Most: c.Records, Bytes: c.Bytes, Gather: c.gather(), Deliver: r.chosen,
		Gap: func(ctx context.Context, g trail.Gap) error {
			return r.deliver(ctx, []trail.Line{{Next: g.To, Record: trail.MissingRecord(g, node, s.env.Region, s.env.Now())}})
		},
	}
	if c.From == fromNow {
		r.follower.From = s.env.Audit.Position()
	}
	return r, nil
}

// Start delivers until Close.
func (s *Sinks) Start() {
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	for _, r := range s.all {
		s.work.Go(func() { s.run(ctx, r) })
	}
}

// chosen delivers what the sink wants of lines that it has not had.
func (r *running) chosen(ctx context.Context, lines []trail.Line) error {
	mended, damage := r.mended(lines)
	wanted := r.selection.of(mended)
	if len(wanted) > 0 {
		if err := r.deliver(ctx, wanted); err != nil {
			return err
		}
	}
	r.unselected.Add(int64(len(lines) - len(wanted)))
	for _, l := range damage {
		r.damaged.Add(1)
		r.log.ErrorContext(ctx, "the audit log has been altered; a sink was told so in the place of what stands there", slog.String("sink", r.name),
			slog.String("before", l.Next.String()), slog.String("damage", l.Damage))
	}
	return nil
}

// mended has a record in the place of each damage. The lines stay as they are: they may have to be delivered again.
func (r *running) mended(lines []trail.Line) (all, damage []trail.Line) {
	all = lines
	for i, l := range lines {
		if l.Damage == "" {
			continue
		}
		if damage == nil {
			all = slices.Clone(lines)
		}
		damage = append(damage, l)
		all[i].Record = trail.DamagedRecord(l, r.region, r.now())
	}
	return all, damage
}

// again is how long a sink waits whose place in the log could not be read or kept at its start.
const again = 10 * time.Second

func (s *Sinks) run(ctx context.Context, r *running) {
	for {
		err := s.env.Audit.Follow(ctx, r.follower)
		if ctx.Err() != nil || errors.Is(err, trail.ErrClosed) {
			return
		}
		s.env.Log.ErrorContext(ctx, "cannot follow the audit log for a sink", slog.String("sink", r.name), slog.Any("error", err))
		select {
		case <-time.After(again):
		case <-ctx.Done():
			return
		}
	}
}

// Close ends the deliveries. What was not delivered is after the next start.
func (s *Sinks) Close() error {
	if s == nil {
		return nil
	}
	if s.stop != nil {
		s.stop()
	}
	s.work.Wait()
	var errs []error
	for _, r := range s.all {
		errs = append(errs, r.receiver.Close())
	}
	return errors.Join(errs...)
}

// Count is what became of records, since the start, that a receiver did not take.
type Count struct {
	Sink string
	// Rejected for good, as collectors of OpenTelemetry may; SetAside because they are too large; Unselected because the
	// sink does not want them. Damaged are places of the log that somebody has altered, of each of which a record tells.
	Rejected, SetAside, Unselected, Damaged int64
}

// Counts are those of all sinks.
func (s *Sinks) Counts() (all []Count) {
	for _, r := range s.all {
		all = append(all, Count{r.name, r.rejected.Load(), r.aside.Load(), r.unselected.Load(), r.damaged.Load()})
	}
	return all
}
