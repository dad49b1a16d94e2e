package trail

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/store/storetest"
)

const (
	dataAccount   = "111111111111"
	centerAccount = "222222222222"
)

var start = time.Date(2026, 11, 2, 10, 0, 5, 0, time.UTC)

// house is a trail with its database, under a clock that only the test moves.
type house struct {
	*Trail
	db    *store.DB
	url   string
	cfg   Config
	clock atomic.Int64
	ids   atomic.Int64
}

func (h *house) now() time.Time { return time.UnixMilli(h.clock.Load()).UTC() }

func (h *house) pass(d time.Duration) { h.clock.Add(d.Milliseconds()) }

// onEngines runs the test once on each engine.
func onEngines(t *testing.T, test func(t *testing.T, h *house)) {
	t.Helper()
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) { test(t, openHouse(t, engine, Config{})) })
	}
}

func openHouse(t testing.TB, engine string, cfg Config) *house {
	t.Helper()
	h := &house{url: storetest.URL(t, engine), cfg: cfg}
	if h.cfg.Dir == "" {
		h.cfg.Dir = filepath.Join(t.TempDir(), "audit")
	}
	h.clock.Store(start.UnixMilli())
	h.cfg.NewID = func() string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", h.ids.Add(1)) }
	h.open(t)
	t.Cleanup(func() {
		_ = h.Close()
		_ = h.db.Close()
	})
	return h
}

func (h *house) open(t testing.TB) {
	t.Helper()
	keys, err := store.ParseKeys(storetest.Key)
	if err != nil {
		t.Fatal(err)
	}
	if h.db, err = store.Open(context.Background(), store.Config{URL: h.url, Keys: keys, Now: h.now}); err != nil {
		t.Fatal(err)
	}
	h.cfg.DB = h.db
	if h.Trail, err = Open(context.Background(), h.cfg); err != nil {
		t.Fatal(err)
	}
}

// crash ends the house without a word: what waits for the database is gone, the log keeps what it was given.
func (h *house) crash(t testing.TB) {
	t.Helper()
	for len(h.recent) > 0 {
		<-h.recent
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	if err := h.db.Close(); err != nil {
		t.Fatal(err)
	}
}

// lines are all records of the log, as they lie there.
func (h *house) lines(t testing.TB) []string {
	t.Helper()
	return recordsIn(t, h.cfg.Dir)
}

// recordsIn are the records of the log in a folder, whose chain has to hold.
func recordsIn(t testing.TB, dir string) (all []string) {
	t.Helper()
	err := ReadDir(context.Background(), dir, Position{}, func(_ Position, record []byte) error {
		all = append(all, string(record))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	v, err := Verify(context.Background(), dir, nil)
	if err != nil || v.Broken != nil || int(v.Records) != len(all) {
		t.Fatalf("the chain of %d records does not hold: %+v, %v", len(all), v, err)
	}
	return all
}

// records are all records of the log.
func (h *house) records(t testing.TB) []Record {
	t.Helper()
	var all []Record
	for _, line := range h.lines(t) {
		all = append(all, decode(t, line))
	}
	return all
}

func decode(t testing.TB, line string) (r Record) {
	t.Helper()
	if err := json.Unmarshal([]byte(line), &r); err != nil {
		t.Fatalf("not a record: %v\n%s", err, line)
	}
	return r
}

var requests atomic.Int64

// request begins a request by the caller.
func (h *house) request(c *caller.Caller, op Operation) (context.Context, *Entry) {
	ctx := caller.WithRequest(context.Background(), &caller.Request{
		ID: fmt.Sprintf("req-%d", requests.Add(1)), SourceIP: "192.0.2.10", UserAgent: "[aws-cli/2.31]", Host: "lakegate.internal", Region: "us-east-1", Time: h.now(),
	})
	if c != nil {
		ctx = caller.With(ctx, c)
	}
	ctx, e := h.Begin(ctx, op)
	if c != nil {
		e.Caller(c)
	}
	return ctx, e
}

// finish ends a request and returns its id.
func (h *house) finish(t testing.TB, ctx context.Context, e *Entry, failure error) string {
	t.Helper()
	if err := h.Finish(ctx, e, failure); err != nil {
		t.Fatal(err)
	}
	return caller.RequestFrom(ctx).ID
}

// do makes a whole request.
func (h *house) do(t testing.TB, c *caller.Caller, op Operation, failure error) string {
	t.Helper()
	ctx, e := h.request(c, op)
	return h.finish(t, ctx, e, failure)
}

// change makes a change in the database in the course of a request.
func (h *house) change(t testing.TB, ctx context.Context, value string) {
	t.Helper()
	err := h.db.Update(ctx, func(tx *store.Tx) error {
		tx.Changed("test", value)
		return tx.SetSetting(ctx, "test", []byte(value))
	})
	if err != nil {
		t.Fatal(err)
	}
}

func user(account, name string) *caller.Caller {
	arn := "arn:aws:iam::" + account + ":user/" + name
	return &caller.Caller{Type: caller.User, Account: account, ARN: arn, PrincipalARN: arn, UserID: "AIDAEXAMPLE" + name, UserName: name, AccessKeyID: "AKIAEXAMPLE" + name, Auth: "AuthHeader"}
}

func session(account, role, name string) *caller.Caller {
	return &caller.Caller{
		Type: caller.AssumedRole, Account: account, ARN: "arn:aws:sts::" + account + ":assumed-role/" + role + "/" + name,
		PrincipalARN: "arn:aws:iam::" + account + ":role/" + role, UserID: "AROAEXAMPLE" + role + ":" + name, AccessKeyID: "ASIAEXAMPLE" + role, Auth: "AuthHeader",
		Session: &caller.Session{
			RoleARN: "arn:aws:iam::" + account + ":role/" + role, RoleID: "AROAEXAMPLE" + role, RoleName: role, Name: name,
			Issued: start.Add(-time.Minute), Expires: start.Add(time.Hour),
		},
	}
}

// mateo is the person of the walkthrough.
func mateo() *caller.Identity {
	return &caller.Identity{
		UserID: "94482488-3041-7026-1a1e-000000000001", IdentityStoreID: "d-0123456789",
		IdentityStoreARN: "arn:aws:identitystore::" + centerAccount + ":identitystore/d-0123456789",
		InstanceARN:      "arn:aws:sso:::instance/ssoins-0123456789abcdef",
		ApplicationARN:   "arn:aws:sso::" + centerAccount + ":application/ssoins-0123456789abcdef/apl-0123456789abcdef",
		CredentialID:     "b7a7a5e0-0000-4000-8000-0000000000c1",
	}
}

var (
	readOp  = Operation{Source: "sts.amazonaws.com", Name: "GetCallerIdentity", ReadOnly: true}
	writeOp = Operation{Source: "iam.amazonaws.com", Name: "CreateUser"}
	putOp   = Operation{Source: "s3.amazonaws.com", Name: "PutObject", Data: true}
	getOp   = Operation{Source: "s3.amazonaws.com", Name: "GetObject", ReadOnly: true, Data: true}
)

// stored are all events of the database, the oldest first.
func (h *house) stored(t testing.TB) (all []found) {
	t.Helper()
	h.Flush(context.Background())
	err := h.db.View(context.Background(), func(q store.Querier) (err error) {
		if all, err = store.All(context.Background(), q, scanFound, selectEvents+` ORDER BY time, id`); err != nil {
			return err
		}
		for i := range all {
			all[i].resources, err = store.All(context.Background(), q, func(s store.Scanner) (r Resource, err error) { return r, s.Scan(&r.Type, &r.ARN) },
				`SELECT type, name FROM event_resources WHERE event = ?`, all[i].id)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
