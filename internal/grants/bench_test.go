package grants

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/lakegate/lakegate/internal/scope"
)

// sizes are the numbers of grants that are measured; LAKEGATE_BENCH_LARGE adds ten million, which take some gigabytes.
func sizes() []int {
	n := []int{1e3, 1e4, 1e5, 1e6}
	if os.Getenv("LAKEGATE_BENCH_LARGE") != "" {
		n = append(n, 1e7)
	}
	return n
}

const benchGroups = 10_000

// filled is an index with n grants to groups, on prefixes of two to four levels in a hundred buckets.
func filled(n int) (x *Index, keys []string) { return filledWith(n, nil) }

// filledWith is filled with grants that have terms.
func filledWith(n int, terms *Terms) (x *Index, keys []string) {
	r := rand.New(rand.NewPCG(1, 2))
	x = newIndex()
	names := make([]string, benchGroups)
	for i := range names {
		names[i] = groupName(i)
	}
	for i := range n {
		prefix := fmt.Sprintf("domain-%02d/table-%07d/", i%37, i/7)
		switch i % 7 {
		case 0:
			prefix = fmt.Sprintf("domain-%02d/", i%37)
		case 1:
			prefix += "region=eu/"
		}
		g := &Grant{
			Account: owner, ID: randomID(r), Text: "s3://" + bucketName(i) + "/" + prefix + "*", SubPrefix: prefix + "*", LocationID: "default",
			Scope:   scope.Scope{Bucket: bucketName(i), Prefix: prefix},
			Grantee: Grantee{DirectoryGroup, names[r.IntN(benchGroups)]}, Permission: Read, Created: noon, Terms: terms,
		}
		x.add(g)
		if i%max(1, n/131_072) == 0 {
			keys = append(keys, "s3://"+g.Scope.Bucket+"/"+prefix+"year=2026/part-00001.parquet")
		}
	}
	return x, keys
}

func randomID(r *rand.Rand) string {
	return fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", r.Uint32(), r.IntN(1<<16), r.IntN(1<<12), r.IntN(1<<12), r.Uint64N(1<<48))
}

func groupName(i int) string  { return fmt.Sprintf("976710cc5d-9d976f61-3b89-4b98-88db-%012d", i) }
func bucketName(i int) string { return fmt.Sprintf("lake-%02d", i%100) }

func BenchmarkMatch(b *testing.B) {
	for _, n := range sizes() {
		var x *Index
		var keys []string
		for _, groups := range []int{1, 100, 1000} {
			b.Run(fmt.Sprintf("grants=%d/groups=%d", n, groups), func(b *testing.B) {
				if x == nil {
					x, keys = filled(n)
				}
				q := &Question{User: "u", Principal: roleR.ID, Permission: Read}
				for i := range groups {
					q.Groups = append(q.Groups, groupName(i*(benchGroups/groups)))
				}
				slices.Sort(q.Groups)
				targets := make([]scope.Target, len(keys))
				for i, k := range keys {
					targets[i] = target(b, k, true)
				}
				b.Run("warm", func(b *testing.B) {
					b.ReportAllocs()
					q.Target = targets[0]
					defer processor(b)()
					for b.Loop() {
						x.Match(owner, q)
					}
				})
				b.Run("spread", func(b *testing.B) {
					b.ReportAllocs()
					i := 0
					defer processor(b)()
					for b.Loop() {
						q.Target = targets[i%len(targets)]
						x.Match(owner, q)
						i += 7919
					}
				})
			})
		}
	}
}

// BenchmarkTerms is a question among a million grants that all end one day, spread over their prefixes.
func BenchmarkTerms(b *testing.B) {
	x, keys := filledWith(1e6, &Terms{NotAfter: noon.AddDate(1, 0, 0)})
	for _, groups := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("groups=%d", groups), func(b *testing.B) {
			q := &Question{User: "u", Principal: roleR.ID, Permission: Read, Now: noon}
			for i := range groups {
				q.Groups = append(q.Groups, groupName(i*(benchGroups/groups)))
			}
			slices.Sort(q.Groups)
			targets := make([]scope.Target, len(keys))
			found := 0
			for i, k := range keys {
				targets[i] = target(b, k, true)
				q.Target = targets[i]
				if x.Match(owner, q) != nil {
					found++
				}
			}
			if found == 0 {
				b.Fatal("nothing is found")
			}
			i := 0
			defer processor(b)()
			for b.Loop() {
				q.Target = targets[i%len(targets)]
				x.Match(owner, q)
				i += 7919
			}
		})
	}
}

// BenchmarkRefusal is a question that nothing answers, with the reason for it.
func BenchmarkRefusal(b *testing.B) {
	x, _ := filled(1e5)
	q := &Question{User: "u", Principal: roleR.ID, Permission: Read, Target: target(b, "s3://lake-01/elsewhere/x", true)}
	for i := range 100 {
		q.Groups = append(q.Groups, groupName(i))
	}
	b.ReportAllocs()
	for b.Loop() {
		if x.Match(owner, q) == nil {
			q.miss(x, owner)
		}
	}
}

// BenchmarkMemory tells all that a grant takes in memory.
func BenchmarkMemory(b *testing.B) {
	for _, n := range sizes() {
		b.Run(fmt.Sprintf("grants=%d", n), func(b *testing.B) {
			for b.Loop() {
				before := heap()
				x, _ := filled(n)
				b.ReportMetric(float64(heap()-before)/float64(n), "B/grant")
				runtime.KeepAlive(x)
			}
		})
	}
}

// processor measures the time of the processor, which says more than the clock where others are at work.
func processor(b *testing.B) func() {
	used := func() time.Duration {
		var r syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
			b.Fatal(err)
		}
		return time.Duration(r.Utime.Nano() + r.Stime.Nano())
	}
	before := used()
	return func() { b.ReportMetric(float64((used()-before).Nanoseconds())/float64(b.N), "cpu-ns/op") }
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
