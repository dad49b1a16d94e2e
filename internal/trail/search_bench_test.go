package trail

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/lakegate/lakegate/internal/caller"
)

// eventsVariable says how many events BenchmarkQuery and BenchmarkLookupEvents search.
const eventsVariable = "LAKEGATE_BENCH_EVENTS"

// BenchmarkQuery asks for a page of what one person did, in the log of many people: one who did as much as anybody, one who
// did a hundred things in all, one who did nothing, and what one key had happen to it.
func BenchmarkQuery(b *testing.B) {
	events := 100_000
	if v := os.Getenv(eventsVariable); v != "" {
		var err error
		if events, err = strconv.Atoi(v); err != nil {
			b.Fatal(err)
		}
	}
	h := openHouse(b, "sqlite", Config{})
	h.Trail.cfg.NewID = new(eventIDs).next
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // a benchmark's
	const people = 10_000
	rare := events / 100
	for i := range events {
		person := random.IntN(people)
		if i%rare == rare/2 {
			person = people
		}
		c := *vended()
		s, p := *c.Session, *c.OnBehalf
		c.AccessKeyID, s.Name, p.UserID = fmt.Sprintf("ASIA%016X", uint64(person)*0x9e3779b97f4a7c15), fmt.Sprintf("access-grants-%08x", person*7919), fmt.Sprintf("94482488-3041-7026-1a1e-%012d", person)
		c.ARN, c.Session, c.OnBehalf = "arn:aws:sts::"+dataAccount+":assumed-role/LocationRole/"+s.Name, &s, &p
		if i%200 == 0 {
			h.pass(1_000_000_000)
		}
		ctx := caller.WithRequest(context.Background(), &caller.Request{ID: h.Trail.cfg.NewID(), SourceIP: fmt.Sprintf("10.0.%d.%d", person/250, person%250), UserAgent: "[aws-sdk-go-v2/1.39]", Region: "us-east-1", Time: h.now()})
		ctx, e := h.Begin(ctx, getOp)
		key := fmt.Sprintf("red/year=2026/month=%02d/part-%05d-%08x.parquet", random.IntN(12)+1, random.IntN(2000), random.Uint32())
		if i == events/2 {
			key = "red/the-one"
		}
		e.Caller(&c)
		e.Asked("bucketName", "data")
		e.Asked("Host", "lakegate.internal")
		e.Asked("key", key)
		e.Resource("AWS::S3::Bucket", "arn:aws:s3:::data", dataAccount)
		e.Resource("AWS::S3::Object", "arn:aws:s3:::data/"+key, dataAccount)
		e.AddText(KeyPersonName, fmt.Sprintf("person%d@example.com", person))
		e.Add(KeyBytesOut, random.Int64N(64<<20))
		if err := h.Finish(ctx, e, nil); err != nil {
			b.Fatal(err)
		}
	}
	if err := errors.Join(h.log.Flush(), h.log.seal()); err != nil {
		b.Fatal(err)
	}
	ours := []string{dataAccount}
	for _, q := range []struct {
		name string
		f    Filter
	}{
		{"anybody", Filter{Accounts: ours, Persons: []string{"person7@example.com"}}},
		{"somebody rare", Filter{Accounts: ours, Persons: []string{fmt.Sprintf("person%d@example.com", people)}}},
		{"nobody", Filter{Accounts: ours, Persons: []string{"nobody@example.com"}}},
		{"one object", Filter{Accounts: ours, Bucket: "data", Key: "red/the-one"}},
		{"the newest", Filter{Accounts: ours}},
	} {
		b.Run(q.name, func(b *testing.B) {
			before, found := cpuTime(b), 0
			for b.Loop() {
				found = 0
				var at Position
				for {
					next, more, err := h.log.Search(context.Background(), &q.f, at, Backward, func(Hit) bool { found++; return found < 50 })
					if err != nil {
						b.Fatal(err)
					}
					if !more || found >= 50 {
						break
					}
					at = next
				}
			}
			b.ReportMetric(float64((cpuTime(b)-before).Milliseconds())/float64(b.N), "cpu-ms/op")
			b.ReportMetric(float64(found), "found")
		})
	}
}
