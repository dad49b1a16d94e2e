package scim_test

import (
	"fmt"
	"net/http/httptest"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/lakegate/lakegate/internal/devidp"
)

// The development identity provider makes the directory what it is itself, whatever changed in between, and then has
// nothing more to do.
func TestTheDevelopmentProviderPushes(t *testing.T) {
	h := fresh(t)
	server := httptest.NewServer(h.handler)
	t.Cleanup(server.Close)
	p, err := devidp.New(devidp.Config{Listen: "127.0.0.1:1", StateDir: t.TempDir(), Directory: &devidp.Directory{}})
	if err != nil {
		t.Fatal(err)
	}
	endpoint := devidp.Target{Endpoint: server.URL + "/scim/v2/" + storeID, Token: h.token}
	rapid.Check(t, func(rt *rapid.T) {
		push := func(d *devidp.Directory) {
			if _, err := p.Replace(t.Context(), d); err != nil {
				rt.Fatal(err)
			}
			if _, err := p.Push(t.Context(), endpoint); err != nil {
				rt.Fatal(err)
			}
			before := h.db.Revision()
			if again, err := p.Push(t.Context(), endpoint); err != nil || again.Changed() || h.db.Revision() != before {
				rt.Fatalf("a second push changed %+v, %v; revision %d became %d", again, err, before, h.db.Revision())
			}
		}
		push(&devidp.Directory{})
		known := map[string]bool{} // who was active at a push and has been there since: others are not created
		for range rapid.IntRange(1, 3).Draw(rt, "changes") {
			push(drawPeople(rt))
			now, before := p.Directory(), known
			known = map[string]bool{}
			ids, groups := map[string]string{}, map[string][]string{}
			for _, u := range now.Users {
				if !u.IsActive() && !before[u.OID] {
					continue
				}
				known[u.OID] = true
				found := h.dir.FindUsers(storeID, "externalId", u.OID)
				if len(found) != 1 {
					rt.Fatalf("%s is %v", u.UserName, found)
				}
				if got, _ := h.dir.User(storeID, found[0]); got.Enabled != u.IsActive() || got.UserName != u.UserName || got.DisplayName != u.DisplayName {
					rt.Fatalf("got %+v, want %+v", got, u)
				}
				ids[u.UserName] = found[0]
			}
			if h.dir.Users(storeID) != len(known) || h.dir.Groups(storeID) != len(now.Groups) {
				rt.Fatalf("%d users and %d groups, want %d and %d", h.dir.Users(storeID), h.dir.Groups(storeID), len(known), len(now.Groups))
			}
			for _, g := range now.Groups {
				found, err := h.dir.FindGroup(t.Context(), storeID, g.DisplayName)
				if err != nil {
					rt.Fatal(err)
				}
				for _, m := range g.Members {
					groups[ids[m]] = append(groups[ids[m]], found.ID)
				}
			}
			for name, id := range ids {
				slices.Sort(groups[id])
				if got := h.dir.GroupsOf(storeID, id); !slices.Equal(got, groups[id]) {
					rt.Fatalf("%s is in %v, want %v", name, got, groups[id])
				}
			}
		}
	})
}

func drawPeople(t *rapid.T) *devidp.Directory {
	d := &devidp.Directory{}
	for i := range 3 {
		if !rapid.Bool().Draw(t, "there") {
			continue
		}
		u := devidp.User{
			OID: fmt.Sprintf("00000000-0000-4000-8000-00000000000%d", i), UserName: fmt.Sprintf("u%d-%s@example.com", i, rapid.SampledFrom([]string{"a", "b"}).Draw(t, "name")),
			GivenName: "A", FamilyName: rapid.SampledFrom([]string{"F", "G"}).Draw(t, "family name"),
		}
		if !rapid.Bool().Draw(t, "active") {
			u.Active = new(false)
		}
		d.Users = append(d.Users, u)
	}
	for i := range 2 {
		if !rapid.Bool().Draw(t, "group") {
			continue
		}
		g := devidp.Group{OID: fmt.Sprintf("00000000-0000-4000-8000-00000000001%d", i), DisplayName: fmt.Sprintf("G%d-%s", i, rapid.SampledFrom([]string{"a", "b"}).Draw(t, "group name"))}
		for _, u := range d.Users {
			if rapid.Bool().Draw(t, "member") {
				g.Members = append(g.Members, u.UserName)
			}
		}
		d.Groups = append(d.Groups, g)
	}
	return d
}
