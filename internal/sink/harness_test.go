package sink

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lakegate/lakegate/internal/trail"
)

var start = time.Date(2026, 11, 2, 10, 0, 5, 0, time.UTC)

// bench is an audit log, and sinks that follow it.
type bench struct {
	t     *testing.T
	dir   string
	cfg   trail.LogConfig
	audit *trail.Log
	sinks *Sinks
	said  *buffer
	refer map[string]string
}

type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func newBench(t *testing.T) *bench {
	b := &bench{t: t, dir: t.TempDir(), said: &buffer{}, refer: map[string]string{}}
	b.cfg = trail.LogConfig{Dir: filepath.Join(b.dir, "audit"), Now: func() time.Time { return start }, Log: slog.New(slog.NewTextHandler(b.said, nil))}
	b.openLog()
	t.Cleanup(func() { b.end() })
	return b
}

func (b *bench) openLog() {
	b.t.Helper()
	var err error
	if b.audit, _, err = trail.OpenLog(b.cfg); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) env() Env {
	return Env{
		Audit: b.audit, Region: "eu-central-1", AuditDir: b.cfg.Dir, Now: b.cfg.Now, Log: b.cfg.Log,
		Refer: func(ref string) (string, error) {
			if v, ok := b.refer[ref]; ok {
				return v, nil
			}
			return "", errors.New("want file:PATH or env:NAME")
		},
	}
}

func (b *bench) begin(all ...Config) {
	b.t.Helper()
	for i := range all {
		all[i].GatherMilliseconds = 1
	}
	var err error
	if b.sinks, err = Open(all, b.env()); err != nil {
		b.t.Fatal(err)
	}
	b.sinks.Start()
}

// settle returns when each sink has kept its place behind all that there is.
func (b *bench) settle() {
	b.t.Helper()
	until(b.t, func() bool {
		behind := int64(0)
		for _, f := range b.audit.Followers() {
			behind += f.Behind
		}
		return behind == 0
	})
}

// end stops the sinks and closes the log.
func (b *bench) end() {
	b.t.Helper()
	if err := errors.Join(b.sinks.Close(), b.audit.Close()); err != nil {
		b.t.Error(err)
	}
	b.sinks = nil
}

// add appends records with numbers.
func (b *bench) add(numbers ...int) {
	b.t.Helper()
	for _, n := range numbers {
		if err := b.audit.Append(true, record(n)); err != nil {
			b.t.Fatal(err)
		}
	}
}

func record(n int) []byte {
	return fmt.Appendf(nil, `{"eventVersion":"1.11","eventTime":"2026-11-02T10:00:05Z","eventSource":"s3.amazonaws.com","eventName":"GetObject","eventID":"%d","fill":%q}`, n, strings.Repeat("x", n*131%300))
}

func lines(numbers ...int) (all []trail.Line) {
	for _, n := range numbers {
		all = append(all, trail.Line{Record: record(n)})
	}
	return all
}

// idOf is the eventID of a record, which has to be whole.
func idOf(t testing.TB, text []byte) string {
	t.Helper()
	var r struct{ EventID string }
	if err := json.Unmarshal(text, &r); err != nil {
		t.Errorf("%.200q: %v", text, err)
	}
	return r.EventID
}

// inbox keeps the eventIDs that a receiver got, in the order in which they came.
type inbox struct {
	mu  sync.Mutex
	ids []string
}

func (i *inbox) put(ids ...string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.ids = append(i.ids, ids...)
}

func (i *inbox) all() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Clone(i.ids)
}

// wait returns when an id has come.
func (i *inbox) wait(t *testing.T, id string) {
	t.Helper()
	for ; !slices.Contains(i.all(), id); time.Sleep(time.Millisecond) {
		if t.Context().Err() != nil {
			t.Fatalf("record %s does not come", id)
		}
	}
}

func numbers(from, to int) (all []int) {
	for n := from; n <= to; n++ {
		all = append(all, n)
	}
	return all
}

func texts(numbers []int) (all []string) {
	for _, n := range numbers {
		all = append(all, fmt.Sprint(n))
	}
	return all
}
