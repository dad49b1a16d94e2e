package trail

import (
	"context"
	"errors"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"
)

// receiver is a follower that keeps the numbers of the records that it takes. fail, which may be nil, makes attempts fail.
type receiver struct {
	mu    sync.Mutex
	got   []int64
	gaps  []Gap
	fail  func(lines []Line) error
	taken chan struct{} // gets a value for each delivery
}

func newReceiver() *receiver { return &receiver{taken: make(chan struct{}, 10_000)} }

func (r *receiver) follower(name string) Follower {
	return Follower{Name: name, Most: 7, Deliver: r.deliver, Gap: func(_ context.Context, g Gap) error {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.gaps = append(r.gaps, g)
		return nil
	}}
}

func (r *receiver) deliver(_ context.Context, lines []Line) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fail != nil {
		if err := r.fail(lines); err != nil {
			return err
		}
	}
	for _, l := range lines {
		n, err := strconv.ParseInt(eventID(l.Record), 10, 64)
		if err != nil || string(l.Record) != string(numbered(n)) {
			return errors.New("not the record that was appended")
		}
		r.got = append(r.got, n)
	}
	r.taken <- struct{}{}
	return nil
}

func (r *receiver) numbers() []int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

// follow follows a log until stop is called, which returns why it ended.
func follow(t *testing.T, l *Log, f Follower) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- l.Follow(ctx, f) }()
	return func() error { cancel(); return <-ended }
}

// wait returns when the receiver has taken a number.
func (r *receiver) wait(t *testing.T, n int64) {
	t.Helper()
	for !slices.Contains(r.numbers(), n) {
		select {
		case <-r.taken:
		case <-t.Context().Done():
			t.Fatalf("record %d does not come", n)
		}
	}
}

func upTo(n int64) (all []int64) {
	for i := int64(1); i <= n; i++ {
		all = append(all, i)
	}
	return all
}

// TestFollowerGetsEachRecordInOrder over segments, compression, new records, refusals, and a restart.
func TestFollowerGetsEachRecordInOrder(t *testing.T) {
	dir := t.TempDir()
	cfg := LogConfig{Dir: dir, SegmentSize: 1 << 10}
	l := openLog(t, cfg)
	appendNumbered(t, l, upTo(30)...)
	if err := errors.Join(l.Flush(), l.seal()); err != nil {
		t.Fatal(err)
	}
	r := newReceiver()
	refused := 0
	r.fail = func([]Line) error {
		if refused < 2 {
			refused++
			return errors.New("not now")
		}
		return nil
	}
	stop := follow(t, l, r.follower("sink"))
	r.wait(t, 30)
	appendNumbered(t, l, 31, 32)
	if err := l.Flush(); err != nil {
		t.Fatal(err)
	}
	r.wait(t, 32)
	if err := l.Follow(t.Context(), r.follower("sink")); err == nil {
		t.Error("one name was followed twice at once")
	}
	if err := l.Forget("sink"); err == nil {
		t.Error("a follower at work was forgotten")
	}
	for len(l.Followers()) == 1 && l.Followers()[0].Behind > 0 {
		time.Sleep(time.Millisecond)
	}
	status := l.Followers()
	if len(status) != 1 || status[0].Delivered != 32 || status[0].Behind != 0 || status[0].Failures != 2 || status[0].Failure != "" {
		t.Errorf("status %+v", status)
	}
	if err := stop(); !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
	appendNumbered(t, l, 33)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = openLog(t, cfg)
	stop = follow(t, l, r.follower("sink"))
	r.wait(t, 33)
	_ = stop()
	if got := r.numbers(); !slices.Equal(got, upTo(33)) {
		t.Errorf("got %v", got)
	}
}

// TestFollowerGathers: records that come one after the other are not delivered one by one, and all of them are.
func TestFollowerGathers(t *testing.T) {
	l := openLog(t, LogConfig{Dir: t.TempDir()})
	r := newReceiver()
	f := r.follower("sink")
	f.Most, f.Gather = 0, 100*time.Millisecond
	stop := follow(t, l, f)
	for n := range int64(200) {
		if err := l.Append(true, numbered(n)); err != nil {
			t.Fatal(err)
		}
	}
	r.wait(t, 199)
	if deliveries := len(r.taken); deliveries > 100 || len(r.numbers()) != 200 {
		t.Errorf("%d records in %d deliveries", len(r.numbers()), deliveries)
	}
	_ = stop()
	// One that gathers for an hour ends when it is asked to.
	f.Name, f.Gather = "slow", time.Hour
	stop = follow(t, l, f)
	for len(l.Followers()) == 0 || l.Followers()[0].CaughtUp.IsZero() {
		time.Sleep(time.Millisecond)
	}
	if err := l.Append(true, numbered(200)); err != nil {
		t.Fatal(err)
	}
	if err := stop(); !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
}

// TestFollowerThatCrashedBeforeItsPlaceWasKept gets records twice, and none not at all.
func TestFollowerThatCrashedBeforeItsPlaceWasKept(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, LogConfig{Dir: dir})
	appendNumbered(t, l, 1, 2, 3)
	r := newReceiver()
	stop := follow(t, l, r.follower("sink"))
	if err := l.Flush(); err != nil {
		t.Fatal(err)
	}
	r.wait(t, 3)
	_ = stop()
	before, err := os.ReadFile(placePath(dir, "sink"))
	if err != nil {
		t.Fatal(err)
	}
	appendNumbered(t, l, 4, 5)
	stop = follow(t, l, r.follower("sink"))
	if err := l.Flush(); err != nil {
		t.Fatal(err)
	}
	r.wait(t, 5)
	_ = stop()
	if err := os.WriteFile(placePath(dir, "sink"), before, 0o600); err != nil {
		t.Fatal(err)
	}
	appendNumbered(t, l, 6)
	stop = follow(t, l, r.follower("sink"))
	if err := l.Flush(); err != nil {
		t.Fatal(err)
	}
	r.wait(t, 6)
	_ = stop()
	if got := r.numbers(); !slices.Equal(got, []int64{1, 2, 3, 4, 5, 4, 5, 6}) {
		t.Errorf("got %v", got)
	}
}

// old makes the sealed segments of a log as old as they can be.
func old(t *testing.T, l *Log) {
	t.Helper()
	if err := l.seal(); err != nil {
		t.Fatal(err)
	}
	all, err := segmentsIn(l.cfg.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all[:len(all)-1] {
		if err := os.Chtimes(segmentPath(l.cfg.Dir, s.number, sealedEnd), start.Add(-48*time.Hour), start.Add(-48*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
}

func oldest(t *testing.T, l *Log) uint64 {
	t.Helper()
	all, err := segmentsIn(l.cfg.Dir)
	if err != nil || len(all) == 0 {
		t.Fatalf("%v, %v", all, err)
	}
	return all[0].number
}

// TestLogHoldsWhatAFollowerHasNotHad beyond its time; without the follower, it goes.
func TestLogHoldsWhatAFollowerHasNotHad(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, LogConfig{Dir: dir, SegmentSize: 1 << 10, Keep: time.Hour})
	r := newReceiver()
	down := errors.New("down for a day")
	r.fail = func([]Line) error { return down }
	stop := follow(t, l, r.follower("sink"))
	appendNumbered(t, l, upTo(40)...)
	if err := l.Flush(); err != nil {
		t.Fatal(err)
	}
	for l.Followers() == nil {
		time.Sleep(time.Millisecond)
	}
	old(t, l)
	if err := l.expire(); err != nil {
		t.Fatal(err)
	}
	if n := oldest(t, l); n != 1 {
		t.Errorf("the oldest segment is %d", n)
	}
	_ = stop()
	// It holds for who is not there at the moment as well: the server is restarted.
	if err := l.expire(); err != nil || oldest(t, l) != 1 {
		t.Errorf("%v, the oldest segment is %d", err, oldest(t, l))
	}
	r.fail = nil
	stop = follow(t, l, r.follower("sink"))
	r.wait(t, 40)
	_ = stop()
	if got := r.numbers(); !slices.Equal(got, upTo(40)) || r.gaps != nil {
		t.Errorf("got %v, gaps %v", got, r.gaps)
	}
	if err := l.expire(); err != nil || oldest(t, l) == 1 {
		t.Errorf("%v, the oldest segment is %d", err, oldest(t, l))
	}
	if names, err := l.Known(); err != nil || !slices.Equal(names, []string{"sink"}) {
		t.Errorf("known %v, %v", names, err)
	}
	if err := l.Forget("sink"); err != nil {
		t.Error(err)
	}
	if names, err := l.Known(); err != nil || names != nil {
		t.Errorf("known %v, %v", names, err)
	}
}

// TestFollowerWhoCameTooLateIsTold how much it misses, and gets the rest.
func TestFollowerWhoCameTooLateIsTold(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, LogConfig{Dir: dir, SegmentSize: 1 << 10, Keep: time.Hour, Hold: 1})
	appendNumbered(t, l, 1)
	if err := l.Flush(); err != nil {
		t.Fatal(err)
	}
	r := newReceiver()
	stop := follow(t, l, r.follower("sink"))
	r.wait(t, 1)
	_ = stop()
	appendNumbered(t, l, upTo(41)[1:]...)
	if err := l.Flush(); err != nil {
		t.Fatal(err)
	}
	old(t, l)
	if err := l.expire(); err != nil {
		t.Fatal(err)
	}
	h, err := headerOf(dir, oldest(t, l))
	if err != nil || h.Segment == 1 {
		t.Fatalf("%+v, %v", h, err)
	}
	stop = follow(t, l, r.follower("sink"))
	r.wait(t, 41)
	_ = stop()
	got := r.numbers()
	if len(r.gaps) != 1 || r.gaps[0].Entries != h.Entry-1 || r.gaps[0].To.Segment != h.Segment {
		t.Errorf("gaps %+v before entry %d", r.gaps, h.Entry)
	}
	if first := got[1]; first <= 2 || !slices.Equal(got[1:], upTo(41)[first-1:]) {
		t.Errorf("got %v", got)
	}
}

// TestFollowerOfAnotherLog gets all of this one, and is told: its place says nothing here.
func TestFollowerOfAnotherLog(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, LogConfig{Dir: dir})
	appendNumbered(t, l, 1, 2)
	if err := errors.Join(l.Flush(), writePlace(dir, "sink", mileage{position: Position{Node: newNode(), Segment: 7, Offset: 9}, entry: 3})); err != nil {
		t.Fatal(err)
	}
	r := newReceiver()
	stop := follow(t, l, r.follower("sink"))
	r.wait(t, 2)
	_ = stop()
	if got := r.numbers(); !slices.Equal(got, []int64{1, 2}) || len(r.gaps) != 1 || r.gaps[0].Entries != 0 {
		t.Errorf("got %v, gaps %+v", got, r.gaps)
	}
}

func TestNamesOfFollowers(t *testing.T) {
	l := openLog(t, LogConfig{Dir: t.TempDir()})
	for _, name := range []string{"", ".", "..", "../up", "a/b", ".hidden", "-flag", "a b", "new\nline", "a.tmp", "é", string(make([]byte, 300))} {
		if err := l.Follow(t.Context(), Follower{Name: name}); err == nil {
			t.Errorf("%q was taken", name)
		}
		if err := l.Forget(name); err == nil {
			t.Errorf("%q was forgotten", name)
		}
	}
}

// TestFollowerEndsWithTheLog even where it waits to try again.
func TestFollowerEndsWithTheLog(t *testing.T) {
	for name, fail := range map[string]error{"caught up": nil, "refusing": &RetryLater{After: time.Hour, Err: errors.New("busy")}} {
		t.Run(name, func(t *testing.T) {
			l := openLog(t, LogConfig{Dir: t.TempDir()})
			appendNumbered(t, l, 1)
			if err := l.Flush(); err != nil {
				t.Fatal(err)
			}
			r := newReceiver()
			attempted := make(chan struct{}, 1)
			r.fail = func([]Line) error { attempted <- struct{}{}; return fail }
			ended := make(chan error, 1)
			go func() { ended <- l.Follow(t.Context(), r.follower("sink")) }()
			<-attempted
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			if err := <-ended; !errors.Is(err, ErrClosed) {
				t.Errorf("ended with %v", err)
			}
		})
	}
}
