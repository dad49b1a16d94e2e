package trail

import (
	"context"
	"encoding/json"
	"syscall"
	"testing"
	"time"

	"github.com/lakegate/lakegate/internal/caller"
)

func dataEvent(ctx context.Context, t *Trail, c *caller.Caller) (context.Context, *Entry) {
	ctx, e := t.Begin(ctx, getOp)
	e.Caller(c)
	e.Parameters(map[string]any{"bucketName": "data", "Host": "lakegate.internal", "key": "red/sales.csv"})
	e.Resource("AWS::S3::Object", "arn:aws:s3:::data/red/sales.csv", "")
	e.Resource("AWS::S3::Bucket", "arn:aws:s3:::data", dataAccount)
	e.Add(KeyPersonName, "mateo@example.com")
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

// BenchmarkDataEvent is what recording an allowed request for an object costs: from Begin to the line in the file.
func BenchmarkDataEvent(b *testing.B) {
	for _, durable := range []bool{false, true} {
		name := map[bool]string{false: "written", true: "durable"}[durable]
		b.Run(name, func(b *testing.B) {
			h := openHouse(b, "sqlite", Config{Required: durable})
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
			b.ReportMetric(float64(b.N)/(cpuTime(b)-before).Seconds(), "events/cpu-s")
		})
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
	r := e.record(caller.RequestFrom(ctx), start, nil)
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
