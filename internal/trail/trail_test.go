package trail

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/wire"
)

// names are the operations of records in their order, with what failed.
func names(records []Record) (all []string) {
	for _, r := range records {
		all = append(all, strings.TrimSuffix(r.EventName+" "+r.ErrorCode, " "))
	}
	return all
}

// TestWhereRecordsAre: every record is in the log; the database has the management events and the refusals.
func TestWhereRecordsAre(t *testing.T) {
	onEngines(t, func(t *testing.T, h *house) {
		c := user(dataAccount, "anna")
		h.do(t, c, readOp, nil)
		h.do(t, c, getOp, nil)
		h.do(t, c, getOp, wire.AccessDenied("no"))
		h.do(t, c, readOp, wire.Invalid("bad"))
		h.do(t, nil, readOp, wire.NewError("InvalidClientTokenId", 403, "no"))
		ctx, e := h.request(c, writeOp)
		h.change(t, ctx, "v")
		h.finish(t, ctx, e, nil)
		want := []string{"GetCallerIdentity", "GetObject", "GetObject AccessDenied", "GetCallerIdentity ValidationError", "GetCallerIdentity InvalidClientTokenId", "CreateUser"}
		if diff := cmp.Diff(want, names(h.records(t))); diff != "" {
			t.Errorf("log (-want +got):\n%s", diff)
		}
		var stored []Record
		for _, f := range h.stored(t) {
			stored = append(stored, decode(t, f.record))
		}
		// The first one was an allowed read of data.
		seen := map[string]bool{}
		for _, n := range names(stored) {
			seen[n] = true
		}
		if len(stored) != 5 || seen["GetObject"] {
			t.Errorf("the database has %v", names(stored))
		}
		if ids, err := h.undelivered(t.Context()); err != nil || len(ids) != 0 {
			t.Errorf("the outbox still holds %v, %v", ids, err)
		}
	})
}

// TestChangeAndRecordCommitTogether: a change that does not commit leaves no record, and one that does has its record in
// the same transaction, before anything is finished.
func TestChangeAndRecordCommitTogether(t *testing.T) {
	onEngines(t, func(t *testing.T, h *house) {
		ctx, e := h.request(user(dataAccount, "anna"), writeOp)
		stop := errors.New("stop")
		err := h.db.Update(ctx, func(tx *store.Tx) error {
			tx.Changed("test", "x")
			if err := tx.SetSetting(ctx, "test", []byte("x")); err != nil {
				return err
			}
			return stop
		})
		if !errors.Is(err, stop) {
			t.Fatal(err)
		}
		if got := h.stored(t); len(got) != 0 {
			t.Errorf("a change that was taken back has a record: %v", got)
		}
		h.change(t, ctx, "y")
		got := h.stored(t)
		if len(got) != 1 || decode(t, got[0].record).AdditionalEventData[KeyRevision] != float64(h.db.Revision()) {
			t.Fatalf("a committed change has the records %v", got)
		}
		h.pass(time.Second)
		h.finish(t, ctx, e, nil)
		after, logged := h.stored(t), h.records(t)
		if len(after) != 1 || len(logged) != 1 || after[0].id != got[0].id || logged[0].EventID != got[0].id {
			t.Errorf("the final record is another one: %v, %v", after, logged)
		}
		if want := "2026-11-02T10:00:06Z"; logged[0].EventTime != want || decode(t, after[0].record).EventTime != want {
			t.Errorf("the outbox's record was not replaced: %v", after[0].record)
		}
		if err := h.Finish(ctx, e, nil); err != nil || len(h.lines(t)) != 1 {
			t.Errorf("an entry was finished twice: %v", err)
		}
		// What goes on after the answer is recorded for itself.
		h.change(t, ctx, "z")
		if all := h.stored(t); len(all) != 2 {
			t.Errorf("a change after the end has the records %v", all)
		}
	})
}

// TestCrashLosesNoChange: whatever the moment of the crash, after the next start the log has the record of every committed
// change, once.
func TestCrashLosesNoChange(t *testing.T) {
	for _, engine := range []string{"sqlite", "postgres"} {
		for _, moment := range []string{"after the commit", "after the log"} {
			t.Run(engine+"/"+moment, func(t *testing.T) {
				h := openHouse(t, engine, Config{})
				ctx, e := h.request(user(dataAccount, "anna"), writeOp)
				e.Resource("AWS::IAM::User", "arn:aws:iam::"+centerAccount+":user/x", centerAccount)
				h.change(t, ctx, "v")
				if moment == "after the log" {
					if err := h.log.Append(false, []byte(`{"eventName":"other","eventID":"x"}`)); err != nil {
						t.Fatal(err)
					}
					// Only the log hears of the end: the note that it has the record is what the crash takes.
					for _, r := range e.rows(ctx, nil, new(draft), nil) {
						if err := h.log.Append(false, r.record); err != nil {
							t.Fatal(err)
						}
					}
				}
				h.crash(t)
				h.open(t)
				count := map[string]int{}
				for _, line := range h.lines(t) {
					if r := decode(t, line); r.EventName == "CreateUser" {
						count[r.RecipientAccountID]++
					}
				}
				if diff := cmp.Diff(map[string]int{dataAccount: 1, centerAccount: 1}, count); diff != "" {
					t.Errorf("lines by account (-want +got):\n%s", diff)
				}
				if ids, err := h.undelivered(t.Context()); err != nil || len(ids) != 0 {
					t.Errorf("the outbox still holds %v, %v", ids, err)
				}
				before := len(h.lines(t))
				h.crash(t)
				h.open(t)
				if after := len(h.lines(t)); after != before {
					t.Errorf("a further start wrote %d lines", after-before)
				}
			})
		}
	}
}

// TestOutboxIsDeliveredWhileRunning: a request that never ends, because its handler crashed, has its record in the log
// soon.
func TestOutboxIsDeliveredWhileRunning(t *testing.T) {
	h := openHouse(t, "sqlite", Config{})
	ctx, _ := h.request(user(dataAccount, "anna"), writeOp)
	h.change(t, ctx, "v")
	for _, after := range []struct {
		wait time.Duration
		want int
	}{{time.Second, 0}, {overdue, 1}, {overdue, 1}} {
		h.pass(after.wait)
		if _, err := h.deliver(t.Context(), h.now().Add(-overdue), nil); err != nil {
			t.Fatal(err)
		}
		if got := len(h.lines(t)); got != after.want {
			t.Errorf("%d lines, want %d", got, after.want)
		}
	}
}

// block puts a folder in the place of the log's next segment, and moves the clock to where it begins.
func (h *house) block(t *testing.T) (unblock func()) {
	t.Helper()
	h.pass(24 * time.Hour)
	path := segmentPath(h.cfg.Dir, h.log.forcedMark().segment+1, plainEnd)
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLogOutOfOrder: with a log that takes nothing, requests are refused where records are required, and go on where they
// are not. Management events reach the log later; what is lost is counted.
func TestLogOutOfOrder(t *testing.T) {
	for _, required := range []bool{false, true} {
		t.Run(fmt.Sprintf("required %v", required), func(t *testing.T) {
			h := openHouse(t, "sqlite", Config{Required: required})
			c := user(dataAccount, "anna")
			if err := h.Ready(); err != nil {
				t.Fatal(err)
			}
			unblock := h.block(t)
			ctx, e := h.request(c, writeOp)
			h.change(t, ctx, "v")
			if err := h.Finish(ctx, e, nil); (err != nil) != required {
				t.Errorf("a change ends with %v", err)
			}
			for _, op := range []Operation{getOp, readOp, putOp} {
				ctx, e := h.request(c, op)
				if err := h.Finish(ctx, e, nil); (err != nil) != required {
					t.Errorf("%s ends with %v", op.Name, err)
				}
			}
			if h.Failures() != 4 {
				t.Errorf("counted %d failures", h.Failures())
			}
			if err := h.Ready(); (err != nil) != required {
				t.Errorf("ready: %v", err)
			}
			unblock()
			h.do(t, c, readOp, wire.Unavailable("The request cannot be recorded."))
			if err := h.Ready(); err != nil {
				t.Errorf("not ready again: %v", err)
			}
			h.Flush(t.Context())
			h.pass(2 * overdue)
			if _, err := h.deliver(t.Context(), h.now().Add(-overdue), nil); err != nil {
				t.Fatal(err)
			}
			want := []string{"GetCallerIdentity ServiceUnavailable", "CreateUser", "GetCallerIdentity"}
			if required {
				// The object is stored, though its client was not told so.
				want = append(want, "PutObject")
			}
			if diff := cmp.Diff(want, names(h.records(t)), cmp.Transformer("sort", func(in []string) map[string]int {
				out := map[string]int{}
				for _, s := range in {
					out[s]++
				}
				return out
			})); diff != "" {
				t.Errorf("log (-want +got):\n%s", diff)
			}
		})
	}
}

// TestCopies: each account that has a part gets one copy with an id of its own, all with one shared id.
func TestCopies(t *testing.T) {
	for _, test := range []struct {
		name    string
		caller  *caller.Caller
		touches []string
		want    []string
	}{
		{"own resource", user(dataAccount, "anna"), []string{dataAccount}, []string{dataAccount}},
		{"another's resource", user(dataAccount, "anna"), []string{centerAccount, dataAccount, centerAccount}, []string{dataAccount, centerAccount}},
		{"three accounts", user(dataAccount, "anna"), []string{centerAccount, "333333333333"}, []string{dataAccount, centerAccount, "333333333333"}},
		{"anonymous", &caller.Caller{Type: caller.Anonymous}, []string{centerAccount}, []string{centerAccount}},
		{"anonymous, two accounts", &caller.Caller{Type: caller.Anonymous}, []string{centerAccount, dataAccount}, []string{centerAccount, dataAccount}},
		{"not authenticated", nil, nil, []string{""}},
		{"no account known", user(dataAccount, "anna"), []string{""}, []string{dataAccount}},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := openHouse(t, "sqlite", Config{})
			ctx, e := h.request(test.caller, getOp)
			for _, account := range test.touches {
				e.Concerns(account)
			}
			h.finish(t, ctx, e, wire.AccessDenied("no"))
			records := h.records(t)
			var got []string
			ids, shared := map[string]bool{}, map[string]bool{}
			for _, r := range records {
				got = append(got, r.RecipientAccountID)
				ids[r.EventID], shared[r.SharedEventID] = true, true
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("recipients (-want +got):\n%s", diff)
			}
			if len(ids) != len(records) || len(shared) != 1 || shared[""] != (len(records) == 1) {
				t.Errorf("ids %v, shared ids %v", ids, shared)
			}
		})
	}
}

// TestPersonIsNamed: a session carries an id; the record says who that is, unless a room knew better.
func TestPersonIsNamed(t *testing.T) {
	h := openHouse(t, "sqlite", Config{})
	h.NamePeople(func(id *caller.Identity) string {
		return map[string]string{mateo().UserID: "mateo@example.com"}[id.UserID]
	})
	stranger := vended()
	stranger.OnBehalf.UserID = "gone"
	for _, test := range []struct {
		caller *caller.Caller
		told   string
		want   any
	}{{vended(), "", "mateo@example.com"}, {vended(), "told", "told"}, {stranger, "", nil}, {user(dataAccount, "anna"), "", nil}} {
		ctx, e := h.request(test.caller, getOp)
		e.Add(KeyPersonName, test.told)
		h.finish(t, ctx, e, nil)
		records := h.records(t)
		if got := records[len(records)-1].AdditionalEventData[KeyPersonName]; got != test.want {
			t.Errorf("named %v, want %v", got, test.want)
		}
	}
}

// TestHostileTextsAreStored: texts that an engine refuses in a column cost nobody else's event its place.
func TestHostileTextsAreStored(t *testing.T) {
	onEngines(t, func(t *testing.T, h *house) {
		c := user(dataAccount, "an\x00na\xff")
		c.Account = "1111\x00"
		ctx, e := h.request(c, Operation{Source: "s\x00", Name: "N\xff", ReadOnly: true})
		e.Resource("T\x00", "arn:\x00\xff", centerAccount)
		e.Step("s\x00", Fail, "d\xff")
		h.finish(t, ctx, e, wire.AccessDenied("\x00\xff"))
		h.do(t, user(dataAccount, "bert"), readOp, nil)
		if got := h.stored(t); len(got) != 3 || h.Dropped() != 0 {
			t.Errorf("stored %d events, dropped %d", len(got), h.Dropped())
		}
	})
}

// TestStrangersCannotFillTheTrailOfAnAccount: a sign-in page tells which account it is of, and anybody may open it. What an
// account did itself, and what a stranger's request changed, is kept.
func TestStrangersCannotFillTheTrailOfAnAccount(t *testing.T) {
	h := openHouse(t, "sqlite", Config{})
	visit := func(failure error) {
		t.Helper()
		ctx, e := h.request(nil, Operation{Source: "signin.amazonaws.com", Name: "UserAuthentication"})
		e.Resource("AWS::SSO::Instance", "arn:aws:sso:::instance/ssoins-1", centerAccount)
		h.finish(t, ctx, e, failure)
	}
	const flood = 1500
	for range flood {
		visit(wire.AccessDenied("no"))
		visit(nil)
	}
	h.do(t, user(centerAccount, "anna"), readOp, nil)
	if got := len(h.stored(t)); got != 1001 || h.Dropped() != 2*flood-1000 {
		t.Errorf("%d events, %d dropped", got, h.Dropped())
	}
	if got := len(h.lines(t)); got != 2*flood+1 {
		t.Errorf("the log has %d lines, want all %d", got, 2*flood+1)
	}
}

// TestRefusalsCannotFillTheDatabase: who is refused pays nothing for it, so the database takes a bounded number of such
// events, and loses none of those of others for them.
func TestRefusalsCannotFillTheDatabase(t *testing.T) {
	h := openHouse(t, "sqlite", Config{})
	const flood = 3000
	for range flood {
		h.do(t, nil, readOp, wire.NewError("InvalidClientTokenId", 403, "no"))
	}
	h.do(t, user(dataAccount, "anna"), readOp, wire.AccessDenied("no"))
	h.do(t, user(dataAccount, "anna"), getOp, wire.AccessDenied("no"))
	strangers := 0
	stored := h.stored(t)
	for _, f := range stored {
		if f.account == "" {
			strangers++
		}
	}
	if strangers != 1000 || len(stored) != 1002 || h.Dropped() != flood-1000 {
		t.Errorf("%d strangers of %d events, %d dropped", strangers, len(stored), h.Dropped())
	}
	if got := len(h.lines(t)); got != flood+2 {
		t.Errorf("the log has %d lines, want all %d", got, flood+2)
	}
	h.pass(10 * time.Second)
	for range 200 {
		h.do(t, nil, readOp, wire.NewError("InvalidClientTokenId", 403, "no"))
	}
	if got := len(h.stored(t)); got != 1102 {
		t.Errorf("after ten seconds %d events are stored, want a hundred more", got)
	}
}

// TestOldEventsAreRemoved by their kind; the log keeps them.
func TestOldEventsAreRemoved(t *testing.T) {
	onEngines(t, func(t *testing.T, h *house) {
		day := 24 * time.Hour
		c := user(dataAccount, "anna")
		make := func() {
			h.do(t, c, readOp, nil)
			h.do(t, c, getOp, wire.AccessDenied("no"))
			h.do(t, nil, readOp, wire.AccessDenied("no"))
			h.Flush(t.Context())
		}
		make()
		ctx, _ := h.request(c, writeOp)
		h.change(t, ctx, "never finished")
		for _, step := range []struct {
			pass time.Duration
			want int
		}{{day, 4}, {time.Second, 3}, {6*day - time.Second, 3}, {time.Second, 2}, {83*day - time.Second, 2}, {time.Second, 1}} {
			h.pass(step.pass)
			//lint:ignore SA4000 the second sweep finds what the first left
			if h.sweep(t.Context()) && h.sweep(t.Context()) {
				t.Error("there is always more to remove")
			}
			if got := h.stored(t); len(got) != step.want {
				t.Errorf("%d events after %v, want %d", len(got), h.now().Sub(start), step.want)
			}
		}
		if got := h.stored(t); len(got) == 1 && decode(t, got[0].record).EventName != "CreateUser" {
			t.Errorf("what is not yet in the log was removed before %v", got[0].record)
		}
		if len(h.lines(t)) != 3 {
			t.Error("the log was cut")
		}
		var left int64
		err := h.db.View(t.Context(), func(q store.Querier) (err error) {
			left, err = store.One(t.Context(), q, store.Int, `SELECT COUNT(*) FROM event_resources WHERE event NOT IN (SELECT id FROM events)`)
			return err
		})
		if err != nil || left != 0 {
			t.Errorf("%d resources of removed events are left, %v", left, err)
		}
	})
}

// TestManyAtOnce: entries, changes and questions from many sides, for the race detector and for completeness.
func TestManyAtOnce(t *testing.T) {
	onEngines(t, func(t *testing.T, h *house) {
		const workers, each = 8, 25
		var all sync.WaitGroup
		for w := range workers {
			all.Go(func() {
				for i := range each {
					ctx, e := h.request(user(dataAccount, fmt.Sprintf("u%d", w)), writeOp)
					var tell sync.WaitGroup
					for range 3 {
						tell.Go(func() {
							From(ctx).Step("question", Pass, "yes")
							From(ctx).Add(KeyReason, "r")
							From(ctx).Resource("T", fmt.Sprint(i), centerAccount)
						})
					}
					tell.Wait()
					if i%5 == 0 {
						h.change(t, ctx, fmt.Sprint(w, i))
						h.Flush(ctx)
					}
					h.finish(t, ctx, e, nil)
				}
			})
		}
		all.Wait()
		if got := len(h.lines(t)); got != 2*workers*each {
			t.Errorf("the log has %d lines, want %d", got, 2*workers*each)
		}
		if got := len(h.stored(t)); got != 2*workers*each {
			t.Errorf("the database has %d events, want %d", got, 2*workers*each)
		}
	})
}

func TestNilEntryTakesEverything(t *testing.T) {
	e := From(context.Background())
	e.Caller(nil)
	e.Parameters(nil)
	e.Response(nil)
	e.Resource("a", "b", "c")
	e.Concerns("a")
	e.Add("a", "b")
	e.Step("a", Pass, "b")
	if e != nil {
		t.Error("a context without a request has an entry")
	}
}
