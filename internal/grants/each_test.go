package grants

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lakegate/lakegate/internal/scope"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/store/storetest"
)

// Whoever a grant is for, EachCovering shows it exactly if its scope covers the target.
func TestEachCoveringShowsAllThatCover(t *testing.T) {
	scopes := []string{"s3://lake", "s3://lake/r*", "s3://lake/red*", "s3://lake/red/*", "s3://lake/red/a", "s3://lake/red/a*", "s3://lake2/red/*"}
	targets := []string{"s3://lake", "s3://lake/*", "s3://lake/red", "s3://lake/red/*", "s3://lake/red/a", "s3://lake/red/a*", "s3://lake/blue/x"}
	rapid.Check(t, func(rt *rapid.T) {
		r := &Registry{index: newIndex()}
		var all []*Grant
		for i := range rapid.IntRange(0, 60).Draw(rt, "grants") {
			who := Grantee{DirectoryUser, fmt.Sprint(i % 23)}
			all = append(all, parsed(t, fmt.Sprint(i), rapid.SampledFrom(scopes).Draw(rt, "scope"), false, who, Read))
			r.keep(all[i])
		}
		at := target(t, rapid.SampledFrom(targets).Draw(rt, "target"), false)
		var got, want []string
		r.EachCovering(owner, at, func(g *Grant) bool { got = append(got, g.ID); return true })
		for _, g := range all {
			if g.Scope.Covers(at) {
				want = append(want, g.ID)
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			rt.Errorf("%s is covered by %v, want %v", at.Text, got, want)
		}
		seen := 0
		r.EachCovering(owner, at, func(*Grant) bool { seen++; return false })
		if seen > 1 {
			rt.Errorf("goes on to %d grants after it was told to stop", seen)
		}
	})
}

// A grant with variables may cover what begins like it.
func TestEachCoveringShowsFolders(t *testing.T) {
	r := &Registry{index: newIndex()}
	s, err := scope.ParseTemplate("s3://lake/home/${user.name}/*", false)
	if err != nil {
		t.Fatal(err)
	}
	r.keep(&Grant{Account: owner, ID: "home", Text: "s3://lake/home/${user.name}/*", Scope: s, Grantee: groupG, Permission: Read})
	r.keep(&Grant{Account: owner, ID: "deny", Scope: scope.Scope{Bucket: "lake"}, Grantee: groupG, Permission: Read, Terms: &Terms{Deny: true}})
	for text, want := range map[string]int{"s3://lake/home/ann/*": 1, "s3://lake/red/*": 0, "s3://lake2/home/ann/*": 0} {
		got := 0
		r.EachCovering(owner, target(t, text, false), func(*Grant) bool { got++; return true })
		if got != want {
			t.Errorf("%s: %d, want %d", text, got, want)
		}
	}
}

// Uses are kept in memory until they are saved, are found either way, and go with their grant.
func TestUsesAreNoted(t *testing.T) {
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) { testUses(t, engine) })
	}
}

func testUses(t *testing.T, engine string) {
	ctx := t.Context()
	keys, err := store.ParseKeys(storetest.Key)
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(context.Background(), store.Config{URL: storetest.URL(t, engine), Keys: keys, Now: func() time.Time { return noon }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	r, err := Open(ctx, db, "us-east-1")
	if err != nil {
		t.Fatal(err)
	}
	g := parsed(t, "one", "s3://lake/red/*", false, userU, Read)
	if err := db.Update(ctx, func(tx *store.Tx) error { return insertGrant(ctx, tx, g) }); err != nil {
		t.Fatal(err)
	}
	used := func() map[string]time.Time {
		t.Helper()
		all, err := r.UsesOf(ctx, owner, []string{"one", "gone"})
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	save := func() {
		t.Helper()
		if err := r.SaveUses(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if got := used(); len(got) != 0 {
		t.Errorf("before any use: %v", got)
	}
	r.noteUse(owner, "one", noon)
	r.noteUse(owner, "gone", noon)
	if got := used(); !got["one"].Equal(noon) {
		t.Errorf("before it is saved: %v", got)
	}
	save()
	if got := used(); len(got) != 1 || !got["one"].Equal(noon) {
		t.Errorf("saved: %v", got)
	}
	r.noteUse(owner, "one", noon.Add(-time.Hour)) // another node was later
	if got := used(); !got["one"].Equal(noon) {
		t.Errorf("an earlier use, before it is saved: %v", got)
	}
	save()
	if got := used(); !got["one"].Equal(noon) {
		t.Errorf("an earlier use: %v", got)
	}
	for _, after := range []time.Duration{time.Hour, time.Hour + time.Second, time.Hour - time.Minute} {
		r.noteUse(owner, "one", noon.Add(after)) // within a minute, or out of order, nothing new
	}
	if got := used(); !got["one"].Equal(noon.Add(time.Hour)) {
		t.Errorf("the last of several uses: %v", got)
	}
	save()
	if err := db.Update(ctx, func(tx *store.Tx) error { return deleteGrant(ctx, tx, owner, "one") }); err != nil {
		t.Fatal(err)
	}
	if got := used(); len(got) != 0 {
		t.Errorf("of a grant that is gone: %v", got)
	}
}
