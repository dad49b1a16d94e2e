package sink

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/lakegate/lakegate/internal/trail"
)

// thousand is a delivery of a thousand records of data events.
func thousand(b *testing.B) (all []trail.Line) {
	record := whole(b, "../trail/testdata/records/get-object.json")[0]
	for range 1000 {
		all = append(all, trail.Line{Record: record})
	}
	return all
}

// perRecord reports the time of one record of a delivery.
func perRecord(b *testing.B, do func()) {
	for b.Loop() {
		do()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/record")
}

// BenchmarkFile writes deliveries of a thousand records to the disk and waits for it.
func BenchmarkFile(b *testing.B) {
	f, err := newFile(&File{Path: filepath.Join(b.TempDir(), "out.jsonl"), Keep: 1}, Env{AuditDir: b.TempDir(), Now: time.Now})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = f.Close() })
	all := thousand(b)
	perRecord(b, func() {
		if err := f.Deliver(b.Context(), all); err != nil {
			b.Fatal(err)
		}
	})
}

// BenchmarkWebhook puts the bodies of a webhook together.
func BenchmarkWebhook(b *testing.B) {
	w, all := &webhook{now: time.Now}, thousand(b)
	perRecord(b, func() { w.body = w.encode(w.body[:0], all) })
}

// BenchmarkOTLP puts the bodies for a collector together.
func BenchmarkOTLP(b *testing.B) {
	o, all := &otlp{now: time.Now}, thousand(b)
	perRecord(b, func() { o.body = o.request(o.body[:0], all) })
}
