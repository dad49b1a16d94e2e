package grants

import (
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/store/storetest"
)

// BenchmarkLoad is what a start does with the grants in a SQLite database: 100,000 of them, or with LAKEGATE_BENCH_LARGE a
// million.
func BenchmarkLoad(b *testing.B) {
	n := 100_000
	if os.Getenv("LAKEGATE_BENCH_LARGE") != "" {
		n = 1_000_000
	}
	db := storetest.New(b)
	for low := 0; low < n; low += 5000 {
		err := db.Update(b.Context(), func(tx *store.Tx) error {
			for i := low; i < low+5000; i++ {
				g := &Grant{
					Account: "111111111111", ID: fmt.Sprintf("%08x-0000-4000-8000-000000000000", i), LocationID: "5c1f0b6e-0000-4000-8000-000000000001", SubPrefix: fmt.Sprintf("part-%d/table-%d/*", i%1000, i),
					Grantee: Grantee{Type: DirectoryGroup, ID: fmt.Sprintf("94482488-3041-7026-1a1e-%012d", i%5000)}, Permission: Read, Created: db.Now(), Tags: map[string]string{},
				}
				g.Text = "s3://data/" + g.SubPrefix
				if err := insertGrant(b.Context(), tx, g); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	used := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	before := used()
	for b.Loop() {
		r := &Registry{index: newIndex()}
		if err := db.View(b.Context(), func(q store.Querier) error { return follower{r}.Load(b.Context(), q) }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64((used()-before).Nanoseconds())/float64(b.N*n), "cpu-ns/grant")
}
