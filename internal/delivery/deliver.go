package delivery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lakegate/lakegate/internal/authz"
	"github.com/lakegate/lakegate/internal/bucket"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/policy"
	"github.com/lakegate/lakegate/internal/storage"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/trail"
)

// Buckets finds buckets by name.
type Buckets interface {
	Lookup(name string) (*bucket.Bucket, bool)
}

// Objects keeps what is delivered.
type Objects interface {
	PutObject(ctx context.Context, in *storage.PutObjectInput) (*storage.PutObjectOutput, error)
}

// Decider answers whether somebody may; authz stands behind it.
type Decider interface {
	Decide(ctx context.Context, r authz.Request) policy.Decision
}

// Deliverer writes what trails ask for. Its fields are set once, before Start.
type Deliverer struct {
	DB      *store.DB
	Audit   *trail.Log
	Buckets Buckets
	Objects Objects
	Decider Decider
	Region  string
	// Management is the account whose trails have the records that concern nobody's account.
	Management string
	// Every is how often a trail's records are written, Digests the length of a digest; zero takes 5 minutes and an hour.
	Every, Digests time.Duration
	Log            *slog.Logger

	// last is when each trail was last looked after.
	mu   sync.Mutex
	last map[string]time.Time

	damaged atomic.Int64

	stop func()
	done sync.WaitGroup
}

// The service as policies name it.
const service = "cloudtrail.amazonaws.com"

const (
	defaultEvery   = 5 * time.Minute
	defaultDigests = time.Hour
	// pause is how long an attempt that failed is waited after, at most.
	pause = time.Minute
)

func (d *Deliverer) every() time.Duration {
	if d.Every > 0 {
		return d.Every
	}
	return defaultEvery
}

func (d *Deliverer) digests() time.Duration {
	if d.Digests > 0 {
		return d.Digests
	}
	return defaultDigests
}

// Start delivers until Close.
func (d *Deliverer) Start() {
	ctx, stop := context.WithCancel(context.Background())
	d.stop = stop
	d.done.Go(func() { d.run(ctx) })
}

// Close ends what Start began. What was under way is taken up by the next start.
func (d *Deliverer) Close() {
	if d == nil || d.stop == nil {
		return
	}
	d.stop()
	d.done.Wait()
}

func (d *Deliverer) run(ctx context.Context) {
	tick := time.NewTicker(min(max(d.every()/10, 50*time.Millisecond), 5*time.Second))
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if err := d.Tend(ctx); err != nil && ctx.Err() == nil {
				d.Log.ErrorContext(ctx, "cannot look after the trails", slog.Any("error", err))
			}
		case <-ctx.Done():
			return
		}
	}
}

// Tend looks after each trail whose time has come, and forgets those that are no more.
func (d *Deliverer) Tend(ctx context.Context) error {
	var all []*Trail
	if err := d.DB.View(ctx, func(q store.Querier) (err error) { all, err = readAllTrails(ctx, q); return err }); err != nil {
		return fmt.Errorf("read trails: %w", err)
	}
	there := make(map[string]bool, len(all))
	// What goes wrong with one trail keeps no other waiting.
	var errs []error
	for _, t := range all {
		there[t.place()] = true
		if err := d.tend(ctx, t); err != nil {
			errs = append(errs, err)
		}
		if ctx.Err() != nil {
			return errors.Join(errs...)
		}
	}
	known, err := d.Audit.Known()
	if err != nil {
		return errors.Join(append(errs, err)...)
	}
	for _, name := range known {
		if strings.HasPrefix(name, placePrefix) && !there[name] {
			errs = append(errs, d.Audit.Forget(name))
		}
	}
	return errors.Join(errs...)
}

// Damaged counts the places of the audit log that somebody has altered and of which trails were told since the start.
func (d *Deliverer) Damaged() int64 { return d.damaged.Load() }

const placePrefix = "trail-"

// place is the name under which the log holds records for the trail.
func (t *Trail) place() string { return placePrefix + t.Account + "-" + t.Name }

// tend takes one trail's records and digests as far as they are due. What the bucket refuses is noted with the trail and
// keeps no other trail waiting.
func (d *Deliverer) tend(ctx context.Context, t *Trail) error {
	if err := d.tendRecords(ctx, t); err != nil {
		return err
	}
	return d.tendDigests(ctx, t)
}

// tendRecords delivers what a trail has not had. A trail that was stopped is let go when it has had what happened before.
func (d *Deliverer) tendRecords(ctx context.Context, t *Trail) error {
	_, standing, err := d.Audit.Place(t.place())
	if err != nil {
		return err
	}
	if !standing {
		if !t.Logging {
			return nil
		}
		return d.Audit.SetPlace(t.place(), d.Audit.Position())
	}
	if !d.due(t) {
		return nil
	}
	for more := true; more; {
		more, err = d.deliver(ctx, t)
		if errors.Is(err, errRefused) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("deliver trail %s of %s: %w", t.Name, t.Account, err)
		}
	}
	if t.Logging {
		return nil
	}
	return d.Audit.Forget(t.place())
}

// due reports whether a trail is to be looked after, and counts it as looked after. Trails come due at the same times,
// whenever the server was started, as CloudTrail's do. One that was stopped is due at once.
func (d *Deliverer) due(t *Trail) bool {
	now := d.DB.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.last == nil {
		d.last = map[string]time.Time{}
	}
	last, seen := d.last[t.place()]
	wait := d.every()
	if t.Failure != "" {
		wait = min(wait, pause)
	}
	if seen && t.Logging && now.Truncate(wait).Equal(last.Truncate(wait)) {
		return false
	}
	d.last[t.place()] = now
	return seen || !t.Logging
}

// permitted reports why the service may not do something to a bucket for a trail; nil when it may. The keys are those
// that CloudTrail's own requests have, so that policies written for it work.
func (d *Deliverer) permitted(ctx context.Context, t *Trail, b *bucket.Bucket, action, key string) error {
	resource := b.ARN()
	if key != "" {
		resource += "/" + key
	}
	decision := d.Decider.Decide(ctx, authz.Request{
		Action: action, Resource: resource, Account: b.Account, ResourcePolicy: b.ResourcePolicy(), MustAllow: true,
		As:      &caller.Caller{Type: caller.Service, ServiceName: service},
		Context: policy.Values{"aws:sourcearn": {t.ARN(d.Region)}, "aws:sourceaccount": {t.Account}, "s3:x-amz-acl": {"bucket-owner-full-control"}},
	})
	if decision.Allowed {
		return nil
	}
	return fmt.Errorf("%s may not %s on %s: %s", service, action, resource, decision.Reason)
}

// errRefused says that a trail cannot go on for now; why is noted with it.
var errRefused = errors.New("the trail cannot go on")

// write puts an object into the bucket of a trail, if the bucket's policy lets the service.
func (d *Deliverer) write(ctx context.Context, t *Trail, in *storage.PutObjectInput) error {
	b, ok := d.Buckets.Lookup(in.Bucket)
	if !ok {
		return fmt.Errorf("NoSuchBucket: the bucket %s does not exist", in.Bucket)
	}
	if err := d.permitted(ctx, t, b, "s3:PutObject", in.Key); err != nil {
		return fmt.Errorf("AccessDenied: %w", err)
	}
	_, err := d.Objects.PutObject(ctx, in)
	return err
}

// failure is what a trail's status says of an error.
func failure(err error) string {
	const most = 1000
	text := err.Error()
	if len(text) > most {
		text = text[:most]
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}
