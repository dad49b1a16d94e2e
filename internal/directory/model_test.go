package directory_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/lakegate/lakegate/internal/directory"
	"github.com/lakegate/lakegate/internal/store"
)

// model is a directory as anybody would write it down: who there is, and who is in what.
type model struct {
	users  map[string]*person // by id
	groups map[string]string  // id to name
	in     map[[2]string]bool // group, user
}

type person struct {
	name, email, external string
	enabled               bool
}

// Whatever is done in whatever order, the index answers as the model does, and refuses what the model refuses.
func TestTheIndexAgreesWithAModel(t *testing.T) {
	h := open(t, sqlite(t))
	made := 0
	rapid.Check(t, func(t *rapid.T) {
		made++
		storeID := fmt.Sprintf("d-%010x", made)
		err := h.db.Update(context.Background(), func(tx *store.Tx) error {
			return h.dir.CreateStore(context.Background(), tx, storeID, management)
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx := context.Background()
		m := &model{users: map[string]*person{}, groups: map[string]string{}, in: map[[2]string]bool{}}
		names := rapid.SampledFrom([]string{"ana", "Ana", "bob", "cy", "dee"})
		maybe := rapid.SampledFrom([]string{"", "x@a", "X@a", "y@a"})
		pick := func(ids []string, what string) string {
			if len(ids) == 0 {
				return "nobody"
			}
			slices.Sort(ids)
			return rapid.SampledFrom(ids).Draw(t, what)
		}
		user := func() string { return pick(slices.Collect(maps.Keys(m.users)), "user") }
		group := func() string { return pick(slices.Collect(maps.Keys(m.groups)), "group") }
		taken := func(but string, p person) bool {
			for id, o := range m.users {
				if id != but && (strings.EqualFold(o.name, p.name) || p.email != "" && strings.EqualFold(o.email, p.email) || p.external != "" && o.external == p.external) {
					return true
				}
			}
			return false
		}
		apply := func(u *directory.User, p person) {
			u.UserName, u.Enabled, u.Profile.Emails, u.ExternalIDs = p.name, p.enabled, nil, nil
			if p.email != "" {
				u.Profile.Emails = []directory.Item{{Value: p.email}}
			}
			if p.external != "" {
				u.ExternalIDs = []directory.ExternalID{{Issuer: "i", ID: p.external}}
			}
		}
		draw := func() person {
			return person{names.Draw(t, "name"), maybe.Draw(t, "email"), maybe.Draw(t, "external"), rapid.Bool().Draw(t, "enabled")}
		}
		expect := func(err error, refused bool) {
			if (err != nil) != refused {
				t.Fatalf("got %v, want refused: %v", err, refused)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"create user": func(*rapid.T) {
				p := draw()
				u := directory.User{StoreID: storeID}
				apply(&u, p)
				u, err := h.dir.CreateUser(ctx, "test", u)
				expect(err, taken("", p))
				if err == nil {
					m.users[u.ID] = &p
				}
			},
			"change user": func(*rapid.T) {
				id, p := user(), draw()
				_, err := h.dir.ChangeUser(ctx, "test", storeID, id, func(u *directory.User) error { apply(u, p); return nil })
				expect(err, m.users[id] == nil || taken(id, p))
				if err == nil {
					m.users[id] = &p
				}
			},
			"delete user": func(*rapid.T) {
				id := user()
				expect(h.dir.DeleteUser(ctx, storeID, id), m.users[id] == nil)
				delete(m.users, id)
				maps.DeleteFunc(m.in, func(k [2]string, _ bool) bool { return k[1] == id })
			},
			"create group": func(*rapid.T) {
				name := names.Draw(t, "group name")
				used := false
				for _, n := range m.groups {
					used = used || strings.EqualFold(n, name)
				}
				g, err := h.dir.CreateGroup(ctx, "test", directory.Group{StoreID: storeID, DisplayName: name})
				expect(err, used)
				if err == nil {
					m.groups[g.ID] = name
				}
			},
			"delete group": func(*rapid.T) {
				id := group()
				_, ok := m.groups[id]
				expect(h.dir.DeleteGroup(ctx, storeID, id), !ok)
				delete(m.groups, id)
				maps.DeleteFunc(m.in, func(k [2]string, _ bool) bool { return k[0] == id })
			},
			"change members": func(*rapid.T) {
				id, add, remove, all := group(), user(), user(), rapid.Bool().Draw(t, "replace")
				_, there := m.groups[id]
				_, err := h.dir.ChangeGroup(ctx, "test", storeID, id, func(_ *directory.Group, to *directory.Members) error {
					*to = directory.Members{Add: []string{add}, Replace: all}
					if !all && add != remove {
						to.Remove = []string{remove}
					}
					return nil
				})
				expect(err, !there || m.users[add] == nil)
				if err != nil {
					return
				}
				if all {
					maps.DeleteFunc(m.in, func(k [2]string, _ bool) bool { return k[0] == id })
				} else if add != remove {
					delete(m.in, [2]string{id, remove})
				}
				m.in[[2]string{id, add}] = true
			},
			"": func(*rapid.T) {
				if h.dir.Users(storeID) != len(m.users) || h.dir.Groups(storeID) != len(m.groups) {
					t.Fatalf("%d users and %d groups, want %d and %d", h.dir.Users(storeID), h.dir.Groups(storeID), len(m.users), len(m.groups))
				}
				for id, p := range m.users {
					got, ok := h.dir.User(storeID, id)
					if !ok || got.Enabled != p.enabled || got.UserName != p.name {
						t.Fatalf("user %s is %+v, %v, want %+v", id, got, ok, p)
					}
					var want []string
					for g := range m.groups {
						if m.in[[2]string{g, id}] {
							want = append(want, g)
						}
					}
					slices.Sort(want)
					if got := h.dir.GroupsOf(storeID, id); !slices.Equal(got, want) {
						t.Fatalf("groups of %s are %v, want %v", id, got, want)
					}
				}
				for _, v := range []string{"x@a", "X@A", "y@a", "ana", "DEE", ""} {
					for attribute, of := range map[string]func(*person) bool{
						"userName":     func(p *person) bool { return strings.EqualFold(p.name, v) },
						"emails.value": func(p *person) bool { return p.email != "" && strings.EqualFold(p.email, v) },
						"externalId":   func(p *person) bool { return p.external != "" && p.external == v },
					} {
						var want []string
						for id, p := range m.users {
							if of(p) {
								want = append(want, id)
							}
						}
						got := h.dir.FindUsers(storeID, attribute, v)
						slices.Sort(got)
						slices.Sort(want)
						if !slices.Equal(got, want) {
							t.Fatalf("%s %q finds %v, want %v", attribute, v, got, want)
						}
					}
				}
			},
		})
	})
}
