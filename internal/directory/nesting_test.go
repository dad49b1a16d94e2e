package directory_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	api "github.com/lakegate/lakegate/internal/api/identitystore"
	"github.com/lakegate/lakegate/internal/directory"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/store/storetest"
)

// change changes the members of a group of the shared store.
func (h *house) change(t testing.TB, group string, m directory.Members) error {
	t.Helper()
	_, err := h.dir.ChangeGroup(t.Context(), "test", shared, group, func(_ *directory.Group, to *directory.Members) error { *to = m; return nil })
	return err
}

func (h *house) put(t testing.TB, group string, members ...string) {
	t.Helper()
	if err := h.change(t, group, directory.Members{Add: members}); err != nil {
		t.Fatal(err)
	}
}

func (h *house) takeOut(t testing.TB, group string, members ...string) {
	t.Helper()
	if err := h.change(t, group, directory.Members{Remove: members}); err != nil {
		t.Fatal(err)
	}
}

// groups fails the test when somebody is in other groups than these.
func (h *house) groups(t testing.TB, when, user string, want ...string) {
	t.Helper()
	want = slices.Sorted(slices.Values(want))
	if got := h.dir.GroupsOf(shared, user); !slices.Equal(got, want) {
		t.Errorf("%s: the groups are %v, want %v", when, got, want)
	}
}

// chain makes groups of which each is in the next, and puts the members into the first.
func (h *house) chain(t testing.TB, n int, members ...string) []string {
	t.Helper()
	var ids []string
	for i := range n {
		g := h.group(t, fmt.Sprintf("%s %d", t.Name(), i), members...)
		ids, members = append(ids, g.ID), []string{g.ID}
	}
	return ids
}

func TestNestedGroupsDecide(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		u := h.user(t, "ana").ID
		c := h.chain(t, 4, u)
		aside := h.group(t, "aside", c[1], u).ID
		h.groups(t, "over four steps", u, c[0], c[1], c[2], c[3], aside)
		if got := h.dir.DirectGroupsOf(shared, u); len(got) != 2 || !h.dir.DirectMember(shared, u, aside) || h.dir.DirectMember(shared, u, c[1]) || !h.dir.DirectMember(shared, c[0], c[1]) {
			t.Errorf("direct groups are %v", got)
		}
		// An index that is read anew from the rows says the same.
		again, err := directory.Open(t.Context(), h.db)
		if err != nil {
			t.Fatal(err)
		}
		if got := again.GroupsOf(shared, u); !slices.Equal(got, h.dir.GroupsOf(shared, u)) {
			t.Errorf("read anew: %v", got)
		}

		is, err := h.service.IsMemberInGroups(h.as(t, management), &api.IsMemberInGroupsInput{IdentityStoreId: shared, MemberId: &api.MemberId{UserId: &u}, GroupIds: []string{c[3]}})
		if err != nil || !*is.Results[0].MembershipExists {
			t.Errorf("IsMemberInGroups answers %+v, %v", is, err)
		}

		h.takeOut(t, c[2], c[1])
		h.groups(t, "after the cut", u, c[0], c[1], aside)
		h.put(t, c[2], c[1])
		if err := h.dir.DeleteGroup(t.Context(), shared, c[1]); err != nil {
			t.Fatal(err)
		}
		h.groups(t, "after a group in the middle is deleted", u, c[0], aside)
		if got := h.dir.DirectGroupsOf(shared, c[0]); len(got) != 0 {
			t.Errorf("the group below is still in %v", got)
		}
		// The chain does not come back with another group of the same name.
		h.group(t, t.Name()+" 1", c[0])
		if h.dir.Member(shared, u, c[2]) {
			t.Error("a group made again revived the chain")
		}

		if _, err := h.dir.ChangeUser(t.Context(), "test", shared, u, func(u *directory.User) error { u.Enabled = false; return nil }); err != nil {
			t.Fatal(err)
		}
		if p, _ := h.dir.User(shared, u); p.Enabled {
			t.Error("a disabled person is enabled")
		}
		if err := h.dir.DeleteUser(t.Context(), shared, u); err != nil {
			t.Fatal(err)
		}
		h.groups(t, "after the person is deleted", u)
	})
}

// A client of AWS that lists memberships finds each of them by its id, and none that has no id.
func TestNestedGroupsAreNoMemberships(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		u := h.user(t, "ana").ID
		c := h.chain(t, 2, u)
		ctx, member := h.as(t, management), &api.MemberId{UserId: &u}
		in, err := h.service.ListGroupMemberships(ctx, &api.ListGroupMembershipsInput{IdentityStoreId: shared, GroupId: c[1]})
		if err != nil || len(in.GroupMemberships) != 0 {
			t.Errorf("the group above lists %+v, %v", in, err)
		}
		of, err := h.service.ListGroupMembershipsForMember(ctx, &api.ListGroupMembershipsForMemberInput{IdentityStoreId: shared, MemberId: member})
		if err != nil || len(of.GroupMemberships) != 1 || *of.GroupMemberships[0].GroupId != c[0] {
			t.Errorf("the person's memberships are %+v, %v", of, err)
		}
		_, err = h.service.GetGroupMembershipId(ctx, &api.GetGroupMembershipIdInput{IdentityStoreId: shared, GroupId: c[1], MemberId: member})
		fails(t, "a membership by nesting", err, "ResourceNotFoundException", "ResourceType", "GROUP_MEMBERSHIP")
		_, err = h.service.CreateGroupMembership(ctx, &api.CreateGroupMembershipInput{IdentityStoreId: shared, GroupId: c[1], MemberId: &api.MemberId{UserId: &c[0]}})
		fails(t, "a group as a user", err, "ResourceNotFoundException", "ResourceType", "USER")
	})
}

func TestCyclesAreRefused(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		u := h.user(t, "ana").ID
		c := h.chain(t, 3, u)
		name := func(i int) string { return fmt.Sprintf("%q", fmt.Sprintf("%s %d", t.Name(), i)) }
		refused := func(what string, err error, words ...string) {
			t.Helper()
			if kindOf(err) != directory.KindInvalid {
				t.Fatalf("%s: %v", what, err)
			}
			for _, w := range words {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%s: %q does not name %s", what, err, w)
				}
			}
			h.groups(t, what, u, c...)
		}
		refused("a group in itself", h.change(t, c[0], directory.Members{Add: []string{c[0]}}), name(0), "itself")
		refused("around two", h.change(t, c[0], directory.Members{Add: []string{c[1]}}), name(0)+" is in "+name(1))
		refused("around three", h.change(t, c[0], directory.Members{Add: []string{c[2]}}), name(0)+" is in "+name(1)+" is in "+name(2))
		refused("by replacing", h.change(t, c[0], directory.Members{Add: []string{u, c[2]}, Replace: true}), name(2))
		refused("among others", h.change(t, c[0], directory.Members{Add: []string{u, h.group(t, "fine").ID, c[2]}}), name(2))
		refused("while it leaves elsewhere", h.change(t, c[1], directory.Members{Add: []string{c[2]}, Remove: []string{c[0]}}), name(2))

		// The same groups under other names are the same groups.
		_, err := h.dir.ChangeGroup(t.Context(), "test", shared, c[2], func(g *directory.Group, m *directory.Members) error {
			g.DisplayName = "renamed"
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		h.group(t, t.Name()+" 2") // the name is free
		refused("after a new name", h.change(t, c[0], directory.Members{Add: []string{c[2]}}), `"renamed"`)

		// What is no cycle any more is allowed.
		h.takeOut(t, c[1], c[0])
		h.put(t, c[0], c[2])
		h.groups(t, "the other way round", u, c[0])
	})
}

// Whatever two nodes do at the same time, one of them sees the other's change or is refused.
func TestCyclesOfTwoChangesAtOnceAreRefused(t *testing.T) {
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			url := storetest.URL(t, engine)
			h, other := open(t, url), open(t, url)
			for round := range 10 {
				a, b := h.group(t, fmt.Sprint("a", round)).ID, h.group(t, fmt.Sprint("b", round)).ID
				middle := h.group(t, fmt.Sprint("middle", round), a).ID // a is in middle; b goes into a, and middle into b
				var (
					wg   sync.WaitGroup
					errs [2]error
				)
				wg.Go(func() { errs[0] = h.change(t, a, directory.Members{Add: []string{b}}) })
				wg.Go(func() { errs[1] = other.change(t, b, directory.Members{Add: []string{middle}}) })
				wg.Wait()
				if (errs[0] == nil) == (errs[1] == nil) {
					t.Fatalf("round %d: %v and %v, want one refused", round, errs[0], errs[1])
				}
				if err := errors.Join(errs[:]...); !strings.Contains(err.Error(), "cannot be a member of the group") {
					t.Fatalf("round %d: %v", round, err)
				}
			}
		})
	}
}

func TestOnlyGroupsOfTheStoreAreMembers(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		theirs, err := h.dir.CreateGroup(t.Context(), "test", directory.Group{StoreID: private, DisplayName: "theirs"})
		if err != nil {
			t.Fatal(err)
		}
		mine := h.group(t, "mine").ID
		gone := h.group(t, "gone").ID
		if err := h.dir.DeleteGroup(t.Context(), shared, gone); err != nil {
			t.Fatal(err)
		}
		for what, id := range map[string]string{"another store's group": theirs.ID, "a deleted group": gone, "no id": "x", "empty": "", "a path": shared + "/" + mine} {
			if err := h.change(t, mine, directory.Members{Add: []string{id}}); kindOf(err) != directory.KindNotFound {
				t.Errorf("%s: %v", what, err)
			}
			if _, err := h.dir.CreateGroup(t.Context(), "test", directory.Group{StoreID: shared, DisplayName: "new"}, id); kindOf(err) != directory.KindNotFound {
				t.Errorf("%s at creation: %v", what, err)
			}
		}
		if _, err := h.dir.ChangeGroup(t.Context(), "test", private, mine, func(_ *directory.Group, m *directory.Members) error {
			m.Add = []string{theirs.ID}
			return nil
		}); kindOf(err) != directory.KindNotFound {
			t.Errorf("a group of another store was changed: %v", err)
		}
	})
}

func TestChainsAreBounded(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.dir.Quotas.NestingDepth, h.dir.Quotas.GroupsAbove = 3, 4
		low, high := h.chain(t, 2), []string{h.group(t, "h0").ID}
		high = append(high, h.group(t, "h1", high[0]).ID)
		// Two chains of two would be one of four.
		if err := h.change(t, high[0], directory.Members{Add: []string{low[1]}}); kindOf(err) != directory.KindQuota {
			t.Errorf("a chain of four: %v", err)
		}
		h.put(t, high[1], low[1])
		if err := h.change(t, h.group(t, "top").ID, directory.Members{Add: []string{high[1]}}); kindOf(err) != directory.KindQuota {
			t.Errorf("a chain that grows at the top: %v", err)
		}
		if err := h.change(t, low[0], directory.Members{Add: []string{h.group(t, "bottom").ID}}); kindOf(err) != directory.KindQuota {
			t.Errorf("a chain that grows at the bottom: %v", err)
		}

		// low[0] is in two groups, by way of low[1]; that one may be in two more and no third.
		for i := range 3 {
			err := h.change(t, h.group(t, fmt.Sprint("wide", i)).ID, directory.Members{Add: []string{low[1]}})
			if (kindOf(err) == directory.KindQuota) != (i == 2) {
				t.Errorf("above %d groups: %v", i+2, err)
			}
		}
		// Many groups in one are no one's chain.
		var many []string
		for i := range 2 * 200 {
			many = append(many, h.group(t, fmt.Sprint("many", i)).ID)
		}
		all := h.group(t, "all", many...).ID
		if ids, err := h.dir.GroupsInGroup(t.Context(), shared, all, directory.Page{Limit: 1000}); err != nil || len(ids) != len(many) {
			t.Errorf("%d groups, %v", len(ids), err)
		}
	})
}

func TestFlatGroups(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		u := h.user(t, "ana").ID
		c := h.chain(t, 2, u)
		h.dir.Flat = true
		h.groups(t, "flat", u, c[0])
		if h.dir.Member(shared, u, c[1]) || h.dir.DirectMember(shared, c[0], c[1]) {
			t.Error("a group within a group counts")
		}
		if ids, err := h.dir.GroupsInGroup(t.Context(), shared, c[1], directory.Page{Limit: 10}); err != nil || len(ids) != 0 {
			t.Errorf("shows %v, %v", ids, err)
		}
		if err := h.change(t, c[0], directory.Members{Add: []string{h.group(t, "x").ID}}); kindOf(err) != directory.KindNotFound {
			t.Errorf("a group was taken: %v", err)
		}
		// Who replaces the members leaves nothing that would come back.
		if err := h.change(t, c[1], directory.Members{Replace: true}); err != nil {
			t.Fatal(err)
		}
		h.dir.Flat = false
		h.groups(t, "not flat again", u, c[0])
	})
}

func TestADeletedStoreLeavesNoNesting(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		u := h.user(t, "ana").ID
		c := h.chain(t, 3, u)
		if err := h.db.Update(t.Context(), func(tx *store.Tx) error { return h.dir.DeleteStore(t.Context(), tx, shared) }); err != nil {
			t.Fatal(err)
		}
		h.groups(t, "no store", u)
		if got := h.dir.DirectGroupsOf(shared, c[0]); len(got) != 0 {
			t.Errorf("a group is still in %v", got)
		}
	})
}

// Who is in a group the one way or the other is never seen in neither, while changes go from one to the other.
func TestAChangeIsSeenWhole(t *testing.T) {
	h := open(t, sqlite(t))
	u := h.user(t, "ana").ID
	low := h.group(t, "low", u).ID
	high := h.group(t, "high", u).ID
	done, seen := make(chan struct{}), 0
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			if !h.dir.Member(shared, u, high) {
				t.Error("seen in between")
				return
			}
			seen++
			select {
			case <-done:
				return
			default:
			}
		}
	})
	for range 25 {
		for _, m := range []directory.Members{{Add: []string{low}, Remove: []string{u}}, {Add: []string{u}, Remove: []string{low}}} {
			if err := h.change(t, high, m); err != nil {
				t.Error(err)
			}
		}
	}
	close(done)
	wg.Wait()
	if seen == 0 {
		t.Error("nobody looked")
	}
}

// The transitive groups are those of the plainest closure, whatever comes and goes, and every refusal has its reason.
func TestNestingAgreesWithAClosure(t *testing.T) {
	h := open(t, sqlite(t))
	h.dir.Quotas.NestingDepth, h.dir.Quotas.GroupsAbove = 4, 5
	made := 0
	rapid.Check(t, func(rt *rapid.T) {
		made++
		var users, groups []string
		for i := range 3 {
			users = append(users, h.user(t, fmt.Sprintf("u%d-%d", made, i)).ID)
		}
		for i := range 8 {
			groups = append(groups, h.group(t, fmt.Sprintf("g%d-%d", made, i)).ID)
		}
		in := map[[2]string]bool{} // member, group
		// reach are the groups of a member, by as many steps.
		reach := func(edges map[[2]string]bool, member string) map[string]bool {
			all := map[string]bool{}
			for grown := true; grown; {
				grown = false
				for e := range edges {
					if (e[0] == member || all[e[0]]) && !all[e[1]] {
						all[e[1]], grown = true, true
					}
				}
			}
			return all
		}
		var longest func(edges map[[2]string]bool, group string) int
		longest = func(edges map[[2]string]bool, group string) int {
			n := 0
			for e := range edges {
				if e[0] == group {
					n = max(n, longest(edges, e[1]))
				}
			}
			return n + 1
		}
		allowed := func(edges map[[2]string]bool) bool {
			for _, g := range groups {
				if above := reach(edges, g); above[g] || len(above) > 5 {
					return false
				}
			}
			return !slices.ContainsFunc(groups, func(g string) bool { return longest(edges, g) > 4 })
		}
		rt.Repeat(map[string]func(*rapid.T){
			"change": func(rt *rapid.T) {
				group := rapid.SampledFrom(groups).Draw(rt, "group")
				members := rapid.SliceOfN(rapid.SampledFrom(append(slices.Clone(users), groups...)), 0, 3)
				m := directory.Members{Add: members.Draw(rt, "add"), Remove: members.Draw(rt, "remove"), Replace: rapid.IntRange(0, 4).Draw(rt, "replace") == 0}
				// What is added is held against what there is; what goes makes room for the next change.
				added, after := map[[2]string]bool{}, map[[2]string]bool{}
				for e := range in {
					added[e] = true
					after[e] = !m.Replace || e[1] != group
				}
				for _, x := range m.Add {
					added[[2]string{x, group}] = true
					after[[2]string{x, group}] = true
				}
				for _, x := range m.Remove {
					if !m.Replace {
						delete(after, [2]string{x, group})
					}
				}
				err := h.change(t, group, m)
				if (err == nil) != allowed(added) {
					rt.Fatalf("%v, want allowed %v", err, allowed(added))
				}
				if err == nil {
					clear(in)
					for e, yes := range after {
						if yes {
							in[e] = true
						}
					}
				}
			},
			"delete group": func(rt *rapid.T) {
				i := rapid.IntRange(0, len(groups)-1).Draw(rt, "group")
				if err := h.dir.DeleteGroup(t.Context(), shared, groups[i]); err != nil {
					rt.Fatal(err)
				}
				for e := range in {
					if e[0] == groups[i] || e[1] == groups[i] {
						delete(in, e)
					}
				}
				groups[i] = h.group(t, fmt.Sprintf("g%d-%d", made, i)).ID
			},
			"": func(rt *rapid.T) {
				for _, u := range users {
					want := []string{}
					for g := range reach(in, u) {
						want = append(want, g)
					}
					slices.Sort(want)
					if got := h.dir.GroupsOf(shared, u); !slices.Equal(got, want) {
						rt.Fatalf("groups of %s are %v, want %v", u, got, want)
					}
				}
			},
		})
	})
}
