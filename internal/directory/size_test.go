package directory

import (
	"context"
	"fmt"
	"runtime"
	"testing"

	"github.com/lakegate/lakegate/internal/store"
)

// A directory of 100,000 people with ten groups each is held in memory by every node. What it takes is bounded here.
func TestALargeDirectoryFitsInMemory(t *testing.T) {
	const people, groups, each = 100_000, 5_000, 10
	const limit = 120 << 20
	id := func(kind byte, n int) string { return fmt.Sprintf("%08x-0000-4000-8000-%c%011x", n, kind, n) }
	ctx := context.Background()
	x := emptyIndex()
	x.people.Every = func(_ context.Context, _ store.Querier, do func(string, Person) error) error {
		for i := range people {
			k := key("d-0123456789", id('a', i))
			storeID, userID := splitKey(k)
			name := fmt.Sprintf("person%d@example.com", i)
			p := Person{StoreID: storeID, ID: userID, UserName: name, DisplayName: fmt.Sprintf("Person %d", i), Enabled: true, emails: []string{name}, external: []string{id('e', i)}}
			if err := do(k, p); err != nil {
				return err
			}
		}
		return nil
	}
	x.groups.Every = func(_ context.Context, _ store.Querier, do func(string, groupEntry) error) error {
		for i := range groups {
			k := key("d-0123456789", id('b', i))
			_, groupID := splitKey(k)
			if err := do(k, groupEntry{id: groupID, name: fmt.Sprintf("Group %d", i)}); err != nil {
				return err
			}
		}
		return nil
	}
	before := heap()
	for _, f := range []store.Follower{x.people, x.groups} {
		if err := f.Load(ctx, nil); err != nil {
			t.Fatal(err)
		}
	}
	alone := heap() - before
	l := loading{belonging: x.members, all: map[string]*storeMembers{}}
	for i := range people {
		for j := range each {
			if err := l.user(key("d-0123456789", id('a', i)), id('b', (i*each+j)%groups)); err != nil {
				t.Fatal(err)
			}
		}
	}
	l.done()
	l.all = nil
	used := heap() - before
	t.Logf("%d people with %d memberships: %d MiB; %d B for a person, %d B for a membership", people, people*each, used>>20, alone/people, (used-alone)/(people*each))
	if used > limit {
		t.Errorf("the index takes %d MiB, want at most %d", used>>20, limit>>20)
	}
	if got := x.GroupsOf("d-0123456789", id('a', 7)); len(got) != each {
		t.Errorf("person 7 has %d groups", len(got))
	}
	runtime.KeepAlive(x)
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc) //nolint:gosec // far from the limit
}
