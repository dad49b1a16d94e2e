package grants_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/lakegate/lakegate/internal/api/s3control"
	"github.com/lakegate/lakegate/internal/grants"
	"github.com/lakegate/lakegate/internal/scope"
	"github.com/lakegate/lakegate/internal/store"
)

// The scopes of somebody's grants within another are found in the order of bytes, each once, whatever the size of the pages;
// those beside it, of others and of buckets with a longer name are not.
func TestBelow(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		h.found()
		user, other := h.person("mateo"), h.person("ana")
		group := h.group("Red", user)
		asker := grants.Asker{StoreID: h.identity.StoreID, User: user}
		mine := func(kind s3control.GranteeType, id, sub string, object bool) {
			in := grantInput(kind, id, sub, s3control.PermissionREAD)
			if object {
				in.S3PrefixType = new(s3control.S3PrefixTypeObject)
			}
			h.grant(in)
		}
		for _, sub := range []string{"lake/*", "lake/red/*", "lake/red/**", "lake/red", "lake/red*", "lake/red!*", "lake/red/\u00e9/*", "lake/red/z", "lake/red/z*", "lake/red/z/", "lake/red/\U0010FFFF*", "lake/ree*", "lake/red/${user.name}/*", "lake/RED/*"} {
			mine(s3control.GranteeTypeDIRECTORYUSER, user, sub, false)
		}
		mine(s3control.GranteeTypeDIRECTORYUSER, user, "lake/red/z*", true)
		mine(s3control.GranteeTypeDIRECTORYGROUP, group, "lake/red/z", false)
		mine(s3control.GranteeTypeDIRECTORYGROUP, group, "lake/red/of/the/group/*", false)
		mine(s3control.GranteeTypeDIRECTORYUSER, other, "lake/red/of/ana/*", false)
		one := func(prefix string) scope.Scope { return scope.Scope{Bucket: "lake", Prefix: prefix, One: true} }
		all := func(prefix string) scope.Scope { return scope.Scope{Bucket: "lake", Prefix: prefix} }
		red := []scope.Scope{all("red/mateo/"), all("red/of/the/group/"), all("red/z"), one("red/z"), one("red/z*"), all("red/z/"), all("red/\u00e9/"), all("red/\U0010FFFF")}
		whole := slices.Concat([]scope.Scope{all("RED/"), all("red"), one("red"), all("red!"), all("red/")}, red, []scope.Scope{all("ree")})
		for within, want := range map[scope.Scope][]scope.Scope{
			all(""): whole, all("red/"): red, all("red"): whole[2 : len(whole)-1], all("red/z"): {one("red/z"), one("red/z*"), all("red/z/")}, one("red"): nil, all("blue/"): nil, all("red/\U0010FFFF"): nil,
			{Bucket: "lak"}: nil,
		} {
			for _, size := range []int{1, 2, 3, 100} {
				var got []scope.Scope
				for after := (scope.Scope{}); ; {
					some := must(h.Below(t.Context(), owner, asker, within, after, size))
					got = append(got, some...)
					if len(some) < size {
						break
					}
					after = some[len(some)-1]
				}
				if !slices.Equal(got, want) {
					t.Errorf("within %v, %d at a time:\n%v\nwant\n%v", within, size, got, want)
				}
			}
		}
		for limit, want := range map[int]bool{3: false, 20: true} {
			of, complete, err := h.Service.HoldersBelow(t.Context(), owner, all("red/"), limit)
			if err != nil || complete != want || complete && len(of) != 3 {
				t.Errorf("at most %d: %s, %t, %v", limit, fmt.Sprint(of), complete, err)
			}
		}
	})
}

// here is this directory: the embedded storage changes the working directory.
var here = must(os.Getwd())

// What was stored before reach was a column has it as if it were written now.
func TestReachOfWhatWasThere(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		h.found()
		user := h.person("mateo")
		for _, sub := range []string{"lake", "lake/", "lake/*", "lake/red/**", "lake/red", "lake/100%/${user.name}/*", "lake/100%/*", "lake/a*b*"} {
			h.grant(grantInput(s3control.GranteeTypeDIRECTORYUSER, user, sub, s3control.PermissionREAD))
		}
		object := grantInput(s3control.GranteeTypeDIRECTORYUSER, user, "lake/red/**", s3control.PermissionREAD)
		object.S3PrefixType = new(s3control.S3PrefixTypeObject)
		h.grant(object)
		reaches := func() (all []string) {
			err := h.db.View(t.Context(), func(q store.Querier) (err error) {
				all, err = store.All(t.Context(), q, store.Text, `SELECT scope || ' ' || object || ' ' || reach FROM access_grants ORDER BY id`)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return all
		}
		written := reaches()
		migration := string(must(os.ReadFile(filepath.Join(here, "../store/migrations/0029_grant_reach.sql"))))
		err := h.db.Update(t.Context(), func(tx *store.Tx) error {
			if _, err := tx.Exec(t.Context(), `UPDATE access_grants SET reach = ''`); err != nil {
				return err
			}
			for line := range strings.Lines(migration) {
				if strings.HasPrefix(line, "UPDATE ") {
					if _, err := tx.Exec(t.Context(), strings.TrimSuffix(line, ";\n")); err != nil {
						return err
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := reaches(); !slices.Equal(got, written) {
			t.Errorf("migrated:\n%q\nwritten:\n%q", got, written)
		}
	})
}

// In random worlds, what a session may reach is listed at or below any prefix in order, page by page, each scope once: those of
// the person and the person's groups, and not those that grants only deny, of others, or of other buckets.
func TestFootholds(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		h.found()
		user, other := h.person("mateo"), h.person("ana")
		group := h.group("Red", user)
		person := h.as(h.enhanced(h.role(owner, "App", allow("s3:*", "*")), user, h.application("dataapp")))
		subs := []string{"lake/*", "lake/r*", "lake/red/*", "lake/red/**", "lake/red/a", "lake/red/a*", "lake/red!/*", "lake/${user.name}/*", "lake/${group.name}/x/*", "lake/mateo/*", "lake2/red/*", "lake2/${user.name}/*"}
		scopes := map[string]scope.Scope{"lake/${user.name}/*": {Bucket: "lake", Prefix: "mateo/"}, "lake/${group.name}/x/*": {Bucket: "lake", Prefix: "Red/x/"}, "lake2/${user.name}/*": {Bucket: "lake2", Prefix: "mateo/"}}
		for _, sub := range subs {
			if _, ok := scopes[sub]; !ok {
				scopes[sub] = must(scope.ParseGrant("s3://"+sub, false))
			}
		}
		rapid.Check(t, func(rt *rapid.T) {
			var made []string
			defer func() {
				for _, id := range made {
					must(h.DeleteAccessGrant(h.admin(owner), &s3control.DeleteAccessGrantInput{AccountId: owner, AccessGrantId: id}))
				}
			}()
			all, buckets, seen := map[scope.Scope]bool{}, map[string]bool{}, map[string]bool{}
			for range rapid.IntRange(0, 8).Draw(rt, "grants") {
				sub, who := rapid.SampledFrom(subs).Draw(rt, "scope"), rapid.IntRange(0, 2).Draw(rt, "to whom")
				in := grantInput(s3control.GranteeTypeDIRECTORYUSER, []string{user, group, other}[who], sub, s3control.PermissionREAD)
				if who == 1 {
					in = grantInput(s3control.GranteeTypeDIRECTORYGROUP, group, sub, s3control.PermissionREAD)
				}
				denies := rapid.IntRange(0, 3).Draw(rt, "denies") == 0 && !strings.Contains(sub, "$")
				if denies {
					in.Tags = []s3control.Tag{{Key: grants.TagEffect, Value: "Deny"}}
				}
				if k := fmt.Sprint(sub, who, denies); seen[k] {
					continue
				} else {
					seen[k] = true
				}
				made = append(made, h.grant(in))
				if who < 2 {
					buckets[scopes[sub].Bucket] = true // a denial makes a candidate of its bucket, and of nothing in it
				}
				if who < 2 && !denies {
					all[scopes[sub]] = true
				}
			}
			if got := must(h.FootholdBuckets(person)); !slices.Equal(got, slices.Sorted(maps.Keys(buckets))) {
				rt.Errorf("buckets %q, want %v", got, buckets)
			}
			size := rapid.IntRange(1, 4).Draw(rt, "page")
			for _, prefix := range []string{"", "r", "red", "red/", "red/a", "mateo/", "m", "z"} {
				want := map[scope.Scope]bool{}
				for sc := range all {
					if sc.Bucket == "lake" && strings.HasPrefix(sc.Prefix, prefix) {
						want[sc] = true
					}
				}
				got, last := map[scope.Scope]bool{}, ""
				for after := (scope.Scope{}); ; {
					some := must(h.Footholds(person, "lake", prefix, after, size))
					for _, sc := range some {
						if got[sc] || sc.Prefix < last {
							rt.Errorf("%v comes again, or behind %q", sc, last)
						}
						got[sc], last = true, sc.Prefix
					}
					if len(some) < size {
						break
					}
					after = some[len(some)-1]
				}
				if !maps.Equal(got, want) {
					rt.Errorf("below %q: %v, want %v", prefix, got, want)
				}
			}
		})
	})
}
