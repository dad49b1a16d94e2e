package bench

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// BenchmarkImport makes b.N grants from a CSV file, and asks for access a hundred times a second meanwhile, with a pause between
// two answers and no bound on how long one takes.
//
//	LAKEGATE_BINARY=bin/lakegate go test -run '^$' -bench Import -benchtime 1000000x -timeout 60m ./bench
func BenchmarkImport(b *testing.B) {
	s := start(b)
	path := "/v20180820/accessgrantsinstance/dataaccess?permission=READ&target=" + url.QueryEscape("s3://"+bucket+"/red/*")
	ask := func(stop <-chan struct{}) (latencies []time.Duration) {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		signed := time.Now()
		next := s.signed(s.person, path, http.Header{"X-Amz-Account-Id": {dataAccount}})
		for {
			select {
			case <-stop:
				return latencies
			case <-tick.C:
			}
			if time.Since(signed) > time.Minute {
				signed, next = time.Now(), s.signed(s.person, path, http.Header{"X-Amz-Account-Id": {dataAccount}})
			}
			began := time.Now()
			if status := get(b, s.http, next); status != http.StatusOK {
				b.Errorf("GetDataAccess: status %d", status)
			}
			latencies = append(latencies, time.Since(began))
		}
	}
	quiet := make(chan struct{})
	time.AfterFunc(3*time.Second, func() { close(quiet) })
	alone := ask(quiet)

	_, user, _ := s.mateo(context.Background())
	var meanwhile []time.Duration
	before, memory := s.cpu(), s.resident()
	b.ResetTimer()
	stop := make(chan struct{})
	var asking sync.WaitGroup
	asking.Go(func() { meanwhile = ask(stop) })
	s.load(b, user, b.N)
	b.StopTimer()
	close(stop)
	asking.Wait()
	// What the requests meanwhile cost is taken off as what they cost in the rest of the benchmarks: half a millisecond.
	cpu := s.cpu() - before - 0.0005*float64(len(meanwhile))
	b.ReportMetric(cpu/float64(b.N)*1e6, "server-cpu-µs/op")
	b.ReportMetric(float64(s.resident()-memory)/float64(b.N), "resident-B/op")
	for _, l := range []struct {
		name string
		all  []time.Duration
	}{{"alone", alone}, {"meanwhile", meanwhile}} {
		slices.Sort(l.all)
		b.ReportMetric(l.all[len(l.all)/2].Seconds()*1e3, "p50-ms-"+l.name)
		b.ReportMetric(l.all[len(l.all)*99/100].Seconds()*1e3, "p99-ms-"+l.name)
		b.ReportMetric(l.all[len(l.all)-1].Seconds()*1e3, "max-ms-"+l.name)
	}
}

// load imports n grants of a person by the command.
func (s *server) load(b *testing.B, user string, n int) {
	file, err := os.Create(filepath.Join(s.dir, "grants.csv"))
	must(b, err)
	w := bufio.NewWriter(file)
	_, _ = io.WriteString(w, "grantee_type,grantee,scope,permission\n")
	round := loads.next()
	for i := range n {
		_, _ = fmt.Fprintf(w, "DIRECTORY_USER,%s,s3://%s/import-%d/%d/*,READ\n", user, bucket, round, i)
	}
	must(b, w.Flush())
	must(b, file.Close())
	cmd := exec.Command(os.Getenv("LAKEGATE_BINARY"), "grants", "import", "--dir", s.dir, "--account", dataAccount, "--data-account", dataAccount, file.Name()) //nolint:gosec // the developer names the binary
	out, err := cmd.CombinedOutput()
	if err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
}

// loads numbers imports, so that each makes grants of its own.
var loads counter

type counter struct{ n int }

func (c *counter) next() int {
	c.n++
	return c.n
}

// resident is the memory of the server in bytes.
func (s *server) resident() int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	must(s.b, err)
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	var kib int64
	_, err = fmt.Sscan(rest, &kib)
	must(s.b, err)
	return kib << 10
}
