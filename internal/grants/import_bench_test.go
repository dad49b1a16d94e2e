package grants_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/lakegate/lakegate/internal/api/lakegate"
	"github.com/lakegate/lakegate/internal/grants"
)

// BenchmarkImportAccessGrants is what a grant of an import costs without its way over the wire: b.N of them to one person, on SQLite, in
// batches as the command sends them.
func BenchmarkImportAccessGrants(b *testing.B) {
	const batch = 200
	h := founded(b, "sqlite")
	ana := h.person("ana")
	imports := &grants.ImportService{Service: h.Service, Finder: findsNobody{}}
	ctx := h.admin(owner)
	lines := make([]lakegate.GrantImport, b.N)
	for i := range lines {
		lines[i] = lakegate.GrantImport{Line: i + 1, GranteeType: "DIRECTORY_USER", Grantee: ana, Scope: fmt.Sprintf("s3://lake/import/%d/*", i), Permission: "READ"}
	}
	before := processor(b)
	b.ResetTimer()
	for low := 0; low < b.N; low += batch {
		part := lines[low:min(low+batch, b.N)]
		out, err := imports.ImportAccessGrants(ctx, &lakegate.ImportAccessGrantsInput{AccountId: owner, Grants: part})
		if err != nil || out.Made != len(part) {
			b.Fatal(out, err)
		}
	}
	b.ReportMetric(float64((processor(b)-before).Nanoseconds())/float64(b.N), "cpu-ns/op")
}

// processor is the time of the processor that this process has used so far.
func processor(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
