package directory

import (
	"fmt"
	"testing"
)

// BenchmarkGroupsOf finds the groups of somebody in ten groups, in a directory of 100,000 people and 10,000 groups: where no
// group is in another; where each of the ten is in a group of its own, and these in a hundred, and these in one of all; and at the bounds, in a
// thousand groups with a hundred above.
//
//	go test -run '^$' -bench GroupsOf ./internal/directory
func BenchmarkGroupsOf(b *testing.B) {
	const people, groups, storeID = 100_000, 10_000, "d-0123456789"
	id := func(kind byte, n int) string { return fmt.Sprintf("%08x-0000-4000-8000-%c%011x", n, kind, n) }
	fill := func(each int, in func(l *loading)) *Index {
		x := emptyIndex()
		l := &loading{belonging: x.members, all: map[string]*storeMembers{}}
		for i := range people / (each / 10) {
			for j := range each {
				_ = l.user(key(storeID, id('a', i)), id('b', (i*7+j)%groups)) // never fails
			}
		}
		in(l)
		l.done()
		return x
	}
	nest := func(l *loading, group, in string) { _ = l.group(key(storeID, group), in) } // never fails
	for name, x := range map[string]*Index{
		"flat": fill(10, func(*loading) {}),
		"nested": fill(10, func(l *loading) {
			for i := range groups {
				nest(l, id('b', i), id('c', i))
				nest(l, id('c', i), id('d', i%100))
			}
			for i := range 100 {
				nest(l, id('d', i), id('e', 0))
			}
		}),
		"at the bounds": fill(1000, func(l *loading) {
			for i := range groups {
				nest(l, id('b', i), id('c', i%100))
			}
			for i := range 99 {
				nest(l, id('c', i), id('c', i+1))
			}
		}),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for i := range b.N {
				if len(x.GroupsOf(storeID, id('a', i%1000))) == 0 {
					b.Fatal("no groups")
				}
			}
		})
	}
}
