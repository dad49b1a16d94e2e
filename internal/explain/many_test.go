package explain_test

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/lakegate/lakegate/internal/api/lakegate"
	"github.com/lakegate/lakegate/internal/directory"
	"github.com/lakegate/lakegate/internal/store"
)

// A group of many people is listed page by page, each person once, with no more memory than a page takes: whether they are
// in it, in groups of it, or in so many groups of it that everybody is gone through.
//
//	LAKEGATE_MANY=1000000 go test -v -run TestWhoCanAmongMany/7 ./internal/explain
func TestWhoCanAmongMany(t *testing.T) {
	many := 5000
	if text := os.Getenv("LAKEGATE_MANY"); text != "" {
		many = must(strconv.Atoi(text))
	}
	for _, nested := range []int{0, 7, 100} {
		t.Run(fmt.Sprint(nested, " groups in the group"), func(t *testing.T) { testWhoCanAmongMany(t, many, nested) })
	}
}

// maxHeld bounds what listing may hold beside the directory's index, in bytes, however many people there are.
const maxHeld = 8 << 20

func testWhoCanAmongMany(t *testing.T, many, nested int) {
	h := newHouse(t)
	groups := make([]string, nested)
	for n := range groups {
		groups[n] = h.newGroup(fmt.Sprint("Part", n))
	}
	if nested == 0 {
		groups = []string{h.team}
	} else {
		must(h.directory.ChangeGroup(t.Context(), "test", h.instance.StoreID, h.team, func(_ *directory.Group, m *directory.Members) error { m.Add = groups; return nil }))
		h.newUser("stranger") // is in no group, and must not be listed
	}
	// Straight into the tables, since the directory takes people one by one.
	err := h.db.Update(t.Context(), func(tx *store.Tx) error {
		for n := range many {
			id := fmt.Sprintf("%08x-0000-4000-8000-000000000000", n)
			_, err := tx.Exec(t.Context(), `INSERT INTO users (store, id, user_name, name_key, enabled, profile, created, created_by, updated, updated_by, version) VALUES (?, ?, ?, ?, 1, '{}', 0, '', 0, '', 1)`, h.instance.StoreID, id, "p"+id, "p"+id)
			if err != nil {
				return err
			}
			if _, err := tx.Exec(t.Context(), `INSERT INTO memberships (store, id, group_id, user_id, created, created_by) VALUES (?, ?, ?, ?, 0, '')`, h.instance.StoreID, id, groups[n%len(groups)], id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	h.directory = must(directory.Open(t.Context(), h.db))
	h.grants.Directory = people{h.directory}
	h.doctor.People = h.directory
	q := h.questions()

	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	cpu := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			t.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	base, most, pages := heap(), int64(0), 0
	seen, last := 0, ""
	in := &lakegate.WhoCanInput{Target: target}
	began := cpu()
	for {
		out := must(q.WhoCan(h.data, in))
		if len(out.Entries) > 1000 {
			t.Fatalf("a page of %d", len(out.Entries))
		}
		for _, e := range out.Entries {
			if e.PrincipalType != lakegate.AccessPrincipalTypePERSON {
				continue
			}
			if e.PrincipalId <= last {
				t.Fatalf("%s after %s", e.PrincipalId, last)
			}
			last = e.PrincipalId
			seen++
		}
		if pages++; pages < 10 || pages%100 == 0 {
			most = max(most, heap()-base)
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			break
		}
	}
	if seen != many+1 { // and Mateo
		t.Errorf("%d of %d people", seen, many+1)
	}
	if most > maxHeld {
		t.Errorf("%d bytes are held for a list of %d", most, seen)
	}
	t.Logf("%d people in %d pages: %s CPU, %.1f MB held beside the index", seen, pages, (cpu() - began).Round(time.Millisecond), float64(most)/1e6)
}
