package trail

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/trail/index"
	"github.com/lakegate/lakegate/internal/wire"
)

// crowd records what several people do with several things, so that every filter finds some and not all.
func crowd(t testing.TB, h *house, events int, seed uint64) {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // a test's
	keys := []string{"red/a.csv", "red/b.csv", "red/deep/er/c.csv", "blue/a.csv", "re", "red", "red2/x", "new\nline/ü\u202e.csv", `q"uote\`}
	for i := range events {
		c := *vended()
		s := *c.Session
		person := random.IntN(5)
		who := *c.OnBehalf
		who.UserID = fmt.Sprintf("94482488-3041-7026-1a1e-%012d", person)
		who.ApplicationARN = fmt.Sprintf("arn:aws:sso::%s:application/ssoins-0/apl-%d", centerAccount, random.IntN(2))
		c.OnBehalf, c.Session, c.AccessKeyID = &who, &s, fmt.Sprintf("ASIA%016d", person)
		if random.IntN(10) == 0 {
			c.Account = centerAccount
		}
		op := Operation{Source: "s3.amazonaws.com", Name: []string{"GetObject", "PutObject", "ListObjectsV2"}[random.IntN(3)], Data: true, ReadOnly: true}
		if random.IntN(5) == 0 {
			op = Operation{Source: "iam.amazonaws.com", Name: "CreateUser"}
		}
		made := random.IntN(4)
		h.pass(time.Duration(random.IntN(1500)) * time.Millisecond)
		ctx := caller.WithRequest(context.Background(), &caller.Request{ID: fmt.Sprintf("request-%d", i), SourceIP: fmt.Sprintf("192.0.2.%d", random.IntN(3)), Region: "us-east-1", Time: h.now()})
		ctx, e := h.Begin(ctx, op)
		e.Caller(&c)
		key := keys[random.IntN(len(keys))]
		if op.Data {
			e.Asked("bucketName", "data")
			e.Resource("AWS::S3::Bucket", "arn:aws:s3:::data", dataAccount)
			if op.Name == "ListObjectsV2" {
				e.Asked("prefix", key)
			} else {
				e.Asked("key", key)
				e.Resource("AWS::S3::Object", "arn:aws:s3:::data/"+key, dataAccount)
			}
		}
		e.AddText(KeyPersonName, fmt.Sprintf("Person%d@example.com", person))
		if !op.Data && made > 0 {
			e.Add(KeyGrants, []any{map[string]any{KeyGrantID: "first"}, map[string]any{KeyGrantID: fmt.Sprintf("made-%d", made)}})
		}
		var failure error
		if random.IntN(4) == 0 {
			failure = wire.AccessDenied("no")
		}
		h.finish(t, ctx, e, failure)
	}
}

// anyFilter makes filters of all kinds.
func anyFilter(h *house) *rapid.Generator[*Filter] {
	return rapid.Custom(func(t *rapid.T) *Filter {
		f := &Filter{Accounts: rapid.SampledFrom([][]string{{dataAccount}, {centerAccount}, {dataAccount, ""}, nil}).Draw(t, "accounts")}
		some := func(name string, to *string, values ...string) {
			if rapid.IntRange(0, 4).Draw(t, name+"?") == 0 {
				*to = rapid.SampledFrom(values).Draw(t, name)
			}
		}
		person := ""
		some("person", &person, "person1@example.com", "PERSON2@EXAMPLE.COM", "94482488-3041-7026-1a1e-000000000003", "nobody")
		if person != "" {
			f.Persons = []string{person}
		}
		some("own", &f.Own, "94482488-3041-7026-1a1e-000000000000", "94482488-3041-7026-1a1e-000000000004")
		some("principal", &f.Principal, "LocationRole", "locationrole", "arn:aws:iam::"+dataAccount+":role/LocationRole", "Nobody")
		some("key", &f.AccessKey, "ASIA0000000000000001")
		some("application", &f.Application, "arn:aws:sso::"+centerAccount+":application/ssoins-0/apl-1")
		some("grant", &f.Grant, "5c1f0b6e-0000-4000-8000-000000000001", "made-2", "other")
		some("event", &f.Event, "GetObject", "createuser")
		some("source", &f.Source, "s3.amazonaws.com")
		some("decision", &f.Decision, DecisionAllowed, DecisionRefused)
		some("request", &f.Request, "request-7", "request-70")
		some("address", &f.Address, "192.0.2.1")
		some("kind", &f.Kind, "data", "management")
		if rapid.IntRange(0, 2).Draw(t, "object?") == 0 {
			f.Bucket, f.Below = rapid.SampledFrom([]string{"data", "data2"}).Draw(t, "bucket"), rapid.Bool().Draw(t, "below")
			f.Key = rapid.SampledFrom([]string{"", "red/", "red/a.csv", "re", "red", "red/deep/", "red/de", "blue/", "new\nline/", `q"uote\`}).Draw(t, "object")
		}
		if rapid.IntRange(0, 3).Draw(t, "time?") == 0 {
			f.From = start.Add(time.Duration(rapid.IntRange(-10, 400).Draw(t, "from")) * time.Second)
			f.To = f.From.Add(time.Duration(rapid.IntRange(0, 300).Draw(t, "long")) * time.Second)
		}
		return f
	})
}

// bruteForce reads the whole log.
func bruteForce(t interface{ Fatal(...any) }, l *Log, f *Filter) (found []string) {
	err := l.Read(context.Background(), Position{}, func(_ Position, record []byte) error {
		if f.matches(record) {
			found = append(found, string(record))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// paged searches page by page.
func paged(t interface{ Fatal(...any) }, l *Log, f *Filter, d Direction, size int) (found []string) {
	var at Position
	for {
		n := 0
		next, more, err := l.Search(context.Background(), f, at, d, func(h Hit) bool {
			found = append(found, string(h.Record))
			n++
			return n < size
		})
		if err != nil {
			t.Fatal(err)
		}
		if !more {
			return found
		}
		at = next
	}
}

// TestSearchFindsWhatReadingFinds holds the index to reading everything, over sealed segments, the one that grows, those
// without an index, in both directions and in pages of any size.
func TestSearchFindsWhatReadingFinds(t *testing.T) {
	h := openHouse(t, "sqlite", Config{})
	h.log.cfg.SegmentSize = 64 << 10
	crowd(t, h, 250, 7)
	if err := errors.Join(h.log.Flush(), h.log.seal()); err != nil {
		t.Fatal(err)
	}
	all, err := segmentsIn(h.cfg.Dir)
	if err != nil || len(all) < 4 {
		t.Fatalf("%d segments, %v", len(all), err)
	}
	// One index is gone, one damaged, one that of another segment, one a former version's.
	if err := os.Remove(segmentPath(h.cfg.Dir, 1, indexEnd)); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(segmentPath(h.cfg.Dir, 2, indexEnd))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(segmentPath(h.cfg.Dir, 3, indexEnd), text, 0o600); err != nil {
		t.Fatal(err)
	}
	text[len(text)/2] ^= 1
	if err := os.WriteFile(segmentPath(h.cfg.Dir, 2, indexEnd), text, 0o600); err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		f := anyFilter(h).Draw(t, "filter")
		want := bruteForce(t, h.log, f)
		size := rapid.IntRange(1, 50).Draw(t, "page")
		if got := paged(t, h.log, f, Forward, size); !slices.Equal(want, got) {
			t.Fatalf("forward found %d of %d for %+v", len(got), len(want), f)
		}
		got := paged(t, h.log, f, Backward, size)
		slices.Reverse(got)
		if !slices.Equal(want, got) {
			t.Fatalf("backward found %d of %d for %+v", len(got), len(want), f)
		}
	})
	if v, err := Verify(t.Context(), h.cfg.Dir, nil); err != nil || v.Broken != nil {
		t.Errorf("the chain: %+v, %v", v, err)
	}
}

// TestSearchTakesNoIndexOfAnotherSegment: not even one that fits, block by block, and would hide everything.
func TestSearchTakesNoIndexOfAnotherSegment(t *testing.T) {
	h := openHouse(t, "sqlite", Config{})
	h.log.cfg.SegmentSize = 16 << 10
	crowd(t, h, 60, 7)
	if err := errors.Join(h.log.Flush(), h.log.seal()); err != nil {
		t.Fatal(err)
	}
	f := &Filter{Accounts: []string{dataAccount}, Event: "GetObject"}
	want := bruteForce(t, h.log, f)
	if got := paged(t, h.log, f, Forward, 50); len(want) == 0 || !slices.Equal(want, got) {
		t.Fatalf("found %d of %d", len(got), len(want))
	}
	own, err := h.log.openSealed(1)
	if err != nil {
		t.Fatal(err)
	}
	defer own.close()
	foreign := index.NewBuilder()
	for _, block := range own.Blocks() {
		if err := foreign.End(block); err != nil {
			t.Fatal(err)
		}
	}
	of, err := h.log.markOf(2, own.file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(segmentPath(h.cfg.Dir, 1, indexEnd), foreign.Append(nil, of), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := paged(t, h.log, f, Forward, 50); !slices.Equal(want, got) {
		t.Errorf("with another segment's index it found %d of %d", len(got), len(want))
	}
}

// TestSearchWhileItGrows: whoever asks again and again from where it stopped misses nothing and gets nothing twice.
func TestSearchWhileItGrows(t *testing.T) {
	l := openLog(t, LogConfig{Dir: t.TempDir(), SegmentSize: 8 << 10})
	const events = 400
	record := func(n int) []byte {
		return fmt.Appendf(nil, `{"eventTime":"2026-11-02T10:00:05Z","eventName":"E%d","recipientAccountId":"1","eventID":"%d","fill":%q}`, n%3, n, strings.Repeat("x", n%200))
	}
	var readers sync.WaitGroup
	for reader := range 3 {
		readers.Go(func() {
			f := &Filter{Accounts: []string{"1"}, Event: fmt.Sprintf("E%d", reader)}
			var at Position
			seen := 0
			for want := reader; want < events; {
				more := l.Appended()
				next, _, err := l.Search(context.Background(), f, at, Forward, func(h Hit) bool {
					if eventID(h.Record) != fmt.Sprint(want) {
						t.Errorf("reader %d got %s, want %d", reader, h.Record, want)
					}
					want += 3
					seen++
					return seen%5 != 0
				})
				if err != nil {
					t.Error(err)
					return
				}
				if next == at {
					<-more
				}
				at = next
			}
		})
	}
	for n := range events {
		if err := l.Append(n%7 == 0, record(n)); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Flush(); err != nil {
		t.Fatal(err)
	}
	readers.Wait()
}

// TestSearchIsBounded: one that finds nothing gives up in between, and goes on from there.
func TestSearchIsBounded(t *testing.T) {
	h := openHouse(t, "sqlite", Config{})
	crowd(t, h, 50, 3)
	if err := h.log.Flush(); err != nil {
		t.Fatal(err)
	}
	f := &Filter{Accounts: []string{dataAccount}, Kind: "nothing"}
	s := &searching{log: h.log, filter: f, end: h.log.Position(), visit: func(Hit) bool { return true }}
	for _, d := range []Direction{Forward, Backward} {
		if next, more, err := s.segment(t.Context(), 1, 0, 1<<40, d); err != nil || !more || next.Segment != 1 {
			t.Errorf("%v, %v, %v", next, more, err)
		}
	}
	for _, p := range []Position{{Node: "0000000000000000", Segment: 1}, {Node: h.log.Node(), Segment: 9}, {Node: h.log.Node(), Segment: 1, Offset: 1 << 40}} {
		if _, _, err := h.log.Search(t.Context(), f, p, Backward, nil); !errors.Is(err, ErrPositionUnknown) {
			t.Errorf("from %v: %v", p, err)
		}
	}
}

// FuzzTerms: of any record, everything that a filter compares is a term.
func FuzzTerms(f *testing.F) {
	f.Add("mateo@example.com", "red/a.csv", "AppRole", "GetObject")
	f.Add("\\\"\u202e\xff", "/a//b/\n", "a/b/c", "")
	f.Add("eyJhbGciOi", strings.Repeat("d/", 40), "\x00", "Ü")
	f.Fuzz(func(t *testing.T, person, key, role, event string) {
		e := &Entry{trail: &Trail{}, source: "s3.amazonaws.com", name: event, data: true, caller: &caller.Caller{Type: caller.User, Account: dataAccount, UserName: role, ARN: "arn:aws:iam::" + dataAccount + ":user/" + role}}
		e.Asked("bucketName", "data")
		e.Asked("key", key)
		e.AddText(KeyPersonName, person)
		r := e.record(&caller.Request{ID: "request"}, start, wire.AccessDenied("no"), nil)
		r.EventID, r.RecipientAccountID = "event", dataAccount
		line := encoded(&r)
		terms := map[index.Term]bool{}
		gather(line, func(x index.Term) { terms[x] = true })
		var back seen
		if err := json.Unmarshal(line, &back); err != nil {
			t.Fatal(err)
		}
		for _, filter := range []*Filter{
			{Persons: []string{back.Additional.Person}}, {Principal: back.UserIdentity.UserName}, {Principal: back.UserIdentity.ARN}, {Event: back.EventName}, {Request: "event"},
			{Decision: DecisionRefused, Persons: []string{back.Additional.Person}},
			{Bucket: "data", Below: true}, {Bucket: "data", Key: key}, {Bucket: "data", Key: key[:len(key)/2], Below: true},
		} {
			filter.Accounts = []string{dataAccount}
			if !filter.matches(line) {
				continue
			}
			for _, list := range filter.terms() {
				if !slices.ContainsFunc(list, func(x index.Term) bool { return terms[x] }) {
					t.Errorf("%+v matches %s and is not found", filter, line)
				}
			}
		}
	})
}
