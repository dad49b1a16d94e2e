package trail

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/lakegate/lakegate/internal/caller"
)

func dataEvent(ctx context.Context, t *Trail, c *caller.Caller) (context.Context, *Entry) {
	ctx, e := t.Begin(ctx, getOp)
	e.Caller(c)
	e.Asked("Host", "lakegate.internal")
	e.Asked("bucketName", "data")
	e.Asked("key", "red/sales.csv")
	e.Resource("AWS::S3::Object", "arn:aws:s3:::data/red/sales.csv", "")
	e.Resource("AWS::S3::Bucket", "arn:aws:s3:::data", dataAccount)
	e.AddText(KeyPersonName, "mateo@example.com")
	e.Add(KeyRevision, int64(42))
	e.Add(KeyBytesOut, int64(4096))
	e.Step("authorize s3:GetObject", Pass, "the grant allows")
	return ctx, e
}

func benchContext(h *house) context.Context {
	return caller.WithRequest(context.Background(), &caller.Request{ID: "7b4e1a52-0000-4000-8000-000000000001", SourceIP: "192.0.2.10", UserAgent: "[aws-sdk-go-v2/1.39]", Region: "us-east-1", Time: h.now()})
}

// cpuTime is what this process has used of all processors.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkDataEvent is what recording an allowed request for an object costs: from Begin to the line in the file, and
// with "sealed" the compression of the segment and its index as well.
func BenchmarkDataEvent(b *testing.B) {
	for _, way := range []struct {
		name            string
		durable, sealed bool
	}{{"written", false, false}, {"durable", true, false}, {"sealed", false, true}} {
		b.Run(way.name, func(b *testing.B) {
			h := openHouse(b, "sqlite", Config{Required: way.durable})
			if !way.sealed {
				h.log.cfg.SegmentSize = 1 << 40
			}
			base, c := benchContext(h), vended()
			b.ReportAllocs()
			b.SetParallelism(64)
			before := cpuTime(b)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					ctx, e := dataEvent(base, h.Trail, c)
					if err := h.Finish(ctx, e, nil); err != nil {
						b.Error(err)
					}
				}
			})
			b.ReportMetric(float64((cpuTime(b)-before).Nanoseconds())/float64(b.N), "cpu-ns/op")
		})
	}
}

// BenchmarkAppend is what the log itself costs for a record that is ready: its hash, its line, its part of a write, and
// with durable its part of a wait for the disk. Sixteen callers share both.
func BenchmarkAppend(b *testing.B) {
	h := openHouse(b, "sqlite", Config{})
	ctx, e := dataEvent(benchContext(h), h.Trail, vended())
	record := e.rows(ctx, nil, new(draft), nil)[0].record
	for _, durable := range []bool{false, true} {
		b.Run(map[bool]string{false: "written", true: "durable"}[durable], func(b *testing.B) {
			l := openLog(b, LogConfig{Dir: b.TempDir(), SegmentSize: 1 << 40})
			b.SetBytes(int64(len(record)))
			b.ReportAllocs()
			b.SetParallelism(8)
			before := cpuTime(b)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := l.Append(durable, record); err != nil {
						b.Error(err)
					}
				}
			})
			b.ReportMetric(float64(b.N)/(cpuTime(b)-before).Seconds(), "events/cpu-s")
		})
	}
}

// TestSizeOnDisk: a sealed segment of requests of many people for many objects takes at most 250 bytes an event, its index
// included.
func TestSizeOnDisk(t *testing.T) {
	h := openHouse(t, "sqlite", Config{})
	h.cfg.NewID = nil
	h.Trail.cfg.NewID = new(eventIDs).next
	random := rand.New(rand.NewPCG(1, 2))
	const events = 20_000
	for range events {
		c := *vended()
		s := *c.Session
		person := random.IntN(300)
		c.AccessKeyID, s.Name = fmt.Sprintf("ASIA%016X", uint64(person)*0x9e3779b97f4a7c15), "access-grants-"+fmt.Sprintf("%08x", person*7919)
		c.ARN, c.Session = "arn:aws:sts::"+dataAccount+":assumed-role/LocationRole/"+s.Name, &s
		h.pass(time.Duration(random.IntN(20)) * time.Millisecond)
		ctx := caller.WithRequest(context.Background(), &caller.Request{
			ID: h.Trail.cfg.NewID(), SourceIP: fmt.Sprintf("10.0.%d.%d", person/250, person%250), UserAgent: "[aws-sdk-go-v2/1.39]", Region: "us-east-1",
			Time: h.now().Add(-time.Duration(random.IntN(30_000)) * time.Microsecond),
		})
		ctx, e := h.Begin(ctx, getOp)
		key := fmt.Sprintf("red/year=2026/month=%02d/part-%05d-%08x.parquet", random.IntN(12)+1, random.IntN(2000), random.Uint32())
		e.Caller(&c)
		e.Parameters(map[string]any{"bucketName": "data", "Host": "lakegate.internal", "key": key})
		e.Resource("AWS::S3::Bucket", "arn:aws:s3:::data", dataAccount)
		e.Resource("AWS::S3::Object", "arn:aws:s3:::data/"+key, dataAccount)
		e.Add(KeyPersonName, fmt.Sprintf("person%d@example.com", person))
		e.Add(KeyRevision, int64(42))
		e.Add(KeyBytesOut, random.Int64N(64<<20))
		h.finish(t, ctx, e, nil)
	}
	h.log.writing.Lock()
	err := h.log.roll()
	h.log.writing.Unlock()
	if err := errors.Join(err, h.log.seal()); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(segmentPath(h.cfg.Dir, 1, sealedEnd))
	if err != nil {
		t.Fatal(err)
	}
	found, err := os.Stat(segmentPath(h.cfg.Dir, 1, indexEnd))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%.0f of them in the index", float64(found.Size())/events)
	each := float64(info.Size()+found.Size()) / events
	t.Logf("%.0f bytes an event, of %.0f", each, float64(len(unpack(t, h.cfg.Dir, 1)))/events)
	if each > 250 {
		t.Errorf("%.0f bytes an event", each)
	}
}

// BenchmarkManagementEvent has a read in the log and in the database.
func BenchmarkManagementEvent(b *testing.B) {
	h := openHouse(b, "sqlite", Config{})
	base, c := benchContext(h), vended()
	b.ReportAllocs()
	for range b.N {
		ctx, e := h.Begin(base, readOp)
		e.Caller(c)
		if err := h.Finish(ctx, e, nil); err != nil {
			b.Fatal(err)
		}
		if len(h.recent) > cap(h.recent)/2 {
			h.Flush(ctx)
		}
	}
	h.Flush(base)
	if h.Dropped() > 0 {
		b.Errorf("dropped %d", h.Dropped())
	}
}

// BenchmarkEncode compares the encoder with encoding/json, which would neither hide nor bound anything.
func BenchmarkEncode(b *testing.B) {
	h := openHouse(b, "sqlite", Config{})
	ctx, e := dataEvent(benchContext(h), h.Trail, vended())
	r := e.record(caller.RequestFrom(ctx), start, nil, nil)
	r.UserIdentity, r.RequestParameters, r.AdditionalEventData = identityOf(r.caller), r.asked.object(), r.additional.object()
	r.EventID = "7b4e1a52-0000-4000-8000-000000000002"
	b.Run("by hand", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			r.appendOwn(r.appendShared(make([]byte, 0, usualSize)))
		}
	})
	b.Run("encoding-json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := json.Marshal(r); err != nil {
				b.Fatal(err)
			}
		}
	})
}
