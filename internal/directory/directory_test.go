package directory_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/directory"
	"github.com/lakegate/lakegate/internal/store"
)

func kindOf(err error) directory.ErrorKind {
	e, ok := errors.AsType[*directory.Error](err)
	if !ok {
		return 0
	}
	return e.Kind
}

// full is a user with something in every attribute.
func full() directory.User {
	return directory.User{
		StoreID: shared, UserName: "Mateo", Enabled: true,
		ExternalIDs: []directory.ExternalID{{Issuer: "a", ID: "oid-1"}, {Issuer: "b", ID: "OID-1"}},
		Profile: directory.Profile{
			Name:        directory.Name{Formatted: "Mateo Jackson", FamilyName: "Jackson", GivenName: "Mateo", MiddleName: "M", HonorificPrefix: "Dr", HonorificSuffix: "Jr"},
			DisplayName: "Mateo Jackson", NickName: "matt", ProfileURL: "https://example.com/m", Title: "Analyst", UserType: "Employee",
			Emails:            []directory.Item{{Value: "other@example.com", Type: "home"}, {Value: "Mateo@Example.com", Type: "work", Primary: true}},
			Addresses:         []directory.Address{{Locality: "Lima", Country: "PE", Type: "work", Primary: true}},
			PhoneNumbers:      []directory.Item{{Value: "+1", Type: "work"}},
			PreferredLanguage: "es", Locale: "es_PE", Timezone: "America/Lima", Website: "https://example.com", Birthdate: "1990-01-31",
			Photos:     []directory.Item{{Value: "https://example.com/p", Display: "portrait"}},
			Roles:      []directory.Item{{Value: "reader"}},
			Enterprise: directory.Enterprise{EmployeeNumber: "7", CostCenter: "c", Organization: "o", Division: "d", Department: "Red", Manager: "m"},
		},
	}
}

func TestAUserKeepsEveryAttribute(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		made, err := h.dir.CreateUser(t.Context(), "arn:maker", full())
		if err != nil {
			t.Fatal(err)
		}
		read, err := h.dir.ReadUser(t.Context(), shared, made.ID)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(made, read); diff != "" {
			t.Errorf("created and read differ:\n%s", diff)
		}
		want := full()
		want.ID, want.Stamps = made.ID, made.Stamps
		if diff := cmp.Diff(want, read); diff != "" {
			t.Errorf("given and read differ:\n%s", diff)
		}
		if made.Stamps.CreatedBy != "arn:maker" || made.Stamps.Version != 1 || !made.Stamps.Created.Equal(h.db.Now()) {
			t.Errorf("stamps = %+v", made.Stamps)
		}
	})
}

func TestTheIndexKnowsAChangeWhenItReturns(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ctx := t.Context()
		u, err := h.dir.CreateUser(ctx, "test", full())
		if err != nil {
			t.Fatal(err)
		}
		for attribute, values := range map[string][]string{
			"userName":     {"Mateo", "mateo", "MATEO"},
			"username":     {"mateo"},
			"emails.value": {"mateo@example.com", "OTHER@example.com"},
			"externalId":   {"oid-1", "OID-1"},
		} {
			for _, v := range values {
				if got := h.dir.FindUsers(shared, attribute, v); !slices.Equal(got, []string{u.ID}) {
					t.Errorf("%s %s = %v, want %s", attribute, v, got, u.ID)
				}
			}
		}
		for attribute, v := range map[string]string{"externalId": "Oid-1", "userName": "mat", "title": "Analyst", "": ""} {
			if got := h.dir.FindUsers(shared, attribute, v); len(got) != 0 {
				t.Errorf("%s %q found %v", attribute, v, got)
			}
		}
		if got := h.dir.FindUsers(private, "userName", "mateo"); len(got) != 0 {
			t.Errorf("another store knows %v", got)
		}
		g := h.group(t, "Red", u.ID)
		who := &caller.Identity{IdentityStoreID: shared, UserID: u.ID}
		if err := h.dir.PersonActive(who); err != nil {
			t.Errorf("an enabled person: %v", err)
		}
		if !h.dir.Member(shared, u.ID, g.ID) || h.dir.Member(private, u.ID, g.ID) || h.dir.Users(shared) != 1 || h.dir.Groups(shared) != 1 {
			t.Error("the group of a new member is not known")
		}

		_, err = h.dir.ChangeUser(ctx, "test", shared, u.ID, func(u *directory.User) error {
			u.Enabled, u.UserName, u.Profile.Emails, u.ExternalIDs = false, "mj", nil, nil
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := h.dir.PersonActive(who); err == nil || !strings.Contains(err.Error(), "disabled") {
			t.Errorf("a disabled person: %v", err)
		}
		for attribute, v := range map[string]string{"userName": "mateo", "emails.value": "mateo@example.com", "externalId": "oid-1"} {
			if got := h.dir.FindUsers(shared, attribute, v); len(got) != 0 {
				t.Errorf("the old %s still finds %v", attribute, got)
			}
		}
		if err := h.dir.DeleteUser(ctx, shared, u.ID); err != nil {
			t.Fatal(err)
		}
		if err := h.dir.PersonActive(who); err == nil || !strings.Contains(err.Error(), "no longer") {
			t.Errorf("a deleted person: %v", err)
		}
		if len(h.dir.GroupsOf(shared, u.ID)) != 0 || h.dir.Users(shared) != 0 {
			t.Error("a deleted person still belongs somewhere")
		}
		if list, err := h.dir.MembersOfGroup(ctx, shared, g.ID, directory.Page{Limit: 10}); err != nil || len(list) != 0 {
			t.Errorf("the group still has %v, %v", list, err)
		}
	})
}

func TestWhoIsMadeAgainIsSomebodyElse(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		before := h.user(t, "mateo")
		g := h.group(t, "Red", before.ID)
		if err := h.dir.DeleteUser(t.Context(), shared, before.ID); err != nil {
			t.Fatal(err)
		}
		after := h.user(t, "mateo")
		if after.ID == before.ID || h.dir.Member(shared, after.ID, g.ID) {
			t.Error("the new person inherits from the deleted one")
		}
	})
}

func TestWhatIsUnique(t *testing.T) {
	email := func(v string) directory.Profile { return directory.Profile{Emails: []directory.Item{{Value: v}}} }
	external := func(issuer, id string) []directory.ExternalID {
		return []directory.ExternalID{{Issuer: issuer, ID: id}}
	}
	run(t, func(t *testing.T, h *house) {
		first := directory.User{StoreID: shared, UserName: "Ana", Profile: email("ana@example.com"), ExternalIDs: external("i", "x")}
		if _, err := h.dir.CreateUser(t.Context(), "test", first); err != nil {
			t.Fatal(err)
		}
		h.group(t, "Red")
		for _, c := range []struct {
			name, field string
			user        directory.User
		}{
			{"user name in another case", "userName", directory.User{StoreID: shared, UserName: "aNA"}},
			{"email in another case", "emails", directory.User{StoreID: shared, UserName: "b", Profile: email("ANA@example.com")}},
			{"external id", "externalId", directory.User{StoreID: shared, UserName: "c", ExternalIDs: external("i", "x")}},
			{"external id of another issuer", "", directory.User{StoreID: shared, UserName: "d", ExternalIDs: external("j", "x")}},
			{"external id in another case", "", directory.User{StoreID: shared, UserName: "e", ExternalIDs: external("i", "X")}},
			{"everything in another store", "", directory.User{StoreID: private, UserName: "ana", Profile: email("ana@example.com"), ExternalIDs: external("i", "x")}},
			{"nobody's email", "", directory.User{StoreID: shared, UserName: "f"}},
		} {
			_, err := h.dir.CreateUser(t.Context(), "test", c.user)
			e, _ := errors.AsType[*directory.Error](err)
			switch {
			case c.field == "" && err != nil:
				t.Errorf("%s: %v", c.name, err)
			case c.field != "" && (kindOf(err) != directory.KindConflict || e.Field != c.field):
				t.Errorf("%s: %v, want a conflict of %s", c.name, err, c.field)
			}
		}
		if _, err := h.dir.CreateGroup(t.Context(), "test", directory.Group{StoreID: shared, DisplayName: "RED"}); kindOf(err) != directory.KindConflict {
			t.Errorf("group name in another case: %v", err)
		}
		long := strings.Repeat("界", 1024)
		h.group(t, long)
		if _, err := h.dir.CreateGroup(t.Context(), "test", directory.Group{StoreID: shared, DisplayName: long}); kindOf(err) != directory.KindConflict {
			t.Errorf("the longest name twice: %v", err)
		}
	})
}

func TestWhatIsRefused(t *testing.T) {
	h := open(t, sqlite(t))
	tooMany := make([]directory.Item, 21)
	for _, c := range []struct {
		name   string
		change func(*directory.User)
	}{
		{"no name", func(u *directory.User) { u.UserName = "" }},
		{"long name", func(u *directory.User) { u.UserName = strings.Repeat("x", 129) }},
		{"blank in name", func(u *directory.User) { u.UserName = "a b" }},
		{"wide blank in name", func(u *directory.User) { u.UserName = "a\u00a0b" }},
		{"zero byte", func(u *directory.User) { u.UserName = "a\x00" }},
		{"not UTF-8", func(u *directory.User) { u.Profile.Title = "\xff" }},
		{"direction override", func(u *directory.User) { u.Profile.DisplayName = "a\u202eb" }},
		{"reserved", func(u *directory.User) { u.UserName = "administrator" }},
		{"reserved for AWS", func(u *directory.User) { u.UserName = "AWSAdministrators" }},
		{"long text", func(u *directory.User) { u.Profile.Title = strings.Repeat("x", 1025) }},
		{"long department", func(u *directory.User) { u.Profile.Enterprise.Department = strings.Repeat("x", 1025) }},
		{"many emails", func(u *directory.User) { u.Profile.Emails = tooMany }},
		{"two primaries", func(u *directory.User) { u.Profile.Emails = []directory.Item{{Primary: true}, {Primary: true}} }},
		{"birthdate", func(u *directory.User) { u.Profile.Birthdate = "31.01.1990" }},
		{"blank in external id", func(u *directory.User) { u.ExternalIDs = []directory.ExternalID{{Issuer: "i", ID: "a b"}} }},
		{"empty issuer", func(u *directory.User) { u.ExternalIDs = []directory.ExternalID{{ID: "a"}} }},
		{"eleven external ids", func(u *directory.User) { u.ExternalIDs = make([]directory.ExternalID, 11) }},
	} {
		u := directory.User{StoreID: shared, UserName: "ok"}
		c.change(&u)
		if _, err := h.dir.CreateUser(t.Context(), "test", u); kindOf(err) != directory.KindInvalid {
			t.Errorf("%s: %v, want it refused", c.name, err)
		}
	}
	for _, name := range []string{"", "Administrator", strings.Repeat("x", 1025), "a\x00"} {
		if _, err := h.dir.CreateGroup(t.Context(), "test", directory.Group{StoreID: shared, DisplayName: name}); kindOf(err) != directory.KindInvalid {
			t.Errorf("group %.10q: %v, want it refused", name, err)
		}
	}
	if _, err := h.dir.CreateUser(t.Context(), "test", directory.User{StoreID: "d-ffffffffff", UserName: "ok"}); kindOf(err) != directory.KindNotFound {
		t.Errorf("no such store: %v", err)
	}
	if h.dir.Users(shared) != 0 {
		t.Error("a refused user is there")
	}
}

func TestWhatChangesNothingIsNoChange(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		u, err := h.dir.CreateUser(t.Context(), "test", full())
		if err != nil {
			t.Fatal(err)
		}
		g := h.group(t, "Red", u.ID)
		before := h.db.Revision()
		failed := errors.New("no")
		for name, do := range map[string]func() error{
			"the same user": func() error {
				_, err := h.dir.ChangeUser(t.Context(), "x", shared, u.ID, func(u *directory.User) error { slices.Reverse(u.ExternalIDs); return nil })
				return err
			},
			"the same group": func() error {
				_, err := h.dir.ChangeGroup(t.Context(), "x", shared, g.ID, func(_ *directory.Group, m *directory.Members) error {
					*m = directory.Members{Add: []string{u.ID, u.ID}, Remove: []string{"nobody"}}
					return nil
				})
				return err
			},
			"the same members": func() error {
				_, err := h.dir.ChangeGroup(t.Context(), "x", shared, g.ID, func(_ *directory.Group, m *directory.Members) error {
					*m = directory.Members{Add: []string{u.ID}, Replace: true}
					return nil
				})
				return err
			},
			"a change that failed": func() error {
				_, err := h.dir.ChangeUser(t.Context(), "x", shared, u.ID, func(u *directory.User) error { u.UserName = "other"; return failed })
				if !errors.Is(err, failed) {
					return fmt.Errorf("got %w, want the error of the change", err)
				}
				return nil
			},
		} {
			if err := do(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if got := h.db.Revision(); got != before {
			t.Errorf("the revision went from %d to %d", before, got)
		}
	})
}

func TestMembers(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ctx := t.Context()
		a, b, c := h.user(t, "a"), h.user(t, "b"), h.user(t, "c")
		g := h.group(t, "Red", a.ID, b.ID, a.ID)
		has := func() (names string) {
			list, err := h.dir.MembersOfGroup(ctx, shared, g.ID, directory.Page{Limit: 10})
			if err != nil {
				t.Fatal(err)
			}
			for _, u := range []directory.User{a, b, c} {
				in := slices.ContainsFunc(list, func(m directory.Membership) bool { return m.UserID == u.ID })
				if in != h.dir.Member(shared, u.ID, g.ID) {
					t.Errorf("the index and the table differ about %s", u.UserName)
				}
				if in {
					names += u.UserName
				}
			}
			return names
		}
		change := func(m directory.Members) error {
			_, err := h.dir.ChangeGroup(ctx, "test", shared, g.ID, func(_ *directory.Group, to *directory.Members) error { *to = m; return nil })
			return err
		}
		for _, step := range []struct {
			do   directory.Members
			want string
		}{
			{directory.Members{}, "ab"},
			{directory.Members{Remove: []string{a.ID}}, "b"},
			{directory.Members{Add: []string{c.ID, b.ID}}, "bc"},
			{directory.Members{Add: []string{a.ID}, Remove: []string{c.ID}}, "ab"},
			{directory.Members{Add: []string{c.ID, a.ID}, Replace: true}, "ac"},
			{directory.Members{Replace: true}, ""},
		} {
			if err := change(step.do); err != nil {
				t.Fatal(err)
			}
			if got := has(); got != step.want {
				t.Errorf("after %+v: %q, want %q", step.do, got, step.want)
			}
		}
		if err := change(directory.Members{Add: []string{a.ID, "nobody"}}); kindOf(err) != directory.KindNotFound {
			t.Errorf("adding nobody: %v", err)
		}
		if got := has(); got != "" {
			t.Errorf("half of a refused change was done: %q", got)
		}
		m, err := h.dir.Join(ctx, "test", shared, g.ID, a.ID)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.dir.Join(ctx, "test", shared, g.ID, a.ID); kindOf(err) != directory.KindConflict {
			t.Errorf("joining twice: %v", err)
		}
		if found, err := h.dir.FindMembership(ctx, shared, g.ID, a.ID); err != nil || found != m {
			t.Errorf("found %+v, %v, want %+v", found, err, m)
		}
		if err := h.dir.Leave(ctx, private, m.ID); kindOf(err) != directory.KindNotFound {
			t.Errorf("leaving through another store: %v", err)
		}
		if err := h.dir.Leave(ctx, shared, m.ID); err != nil || has() != "" {
			t.Errorf("leaving: %v", err)
		}
		if err := change(directory.Members{Add: []string{a.ID, b.ID}}); err != nil {
			t.Fatal(err)
		}
		if err := h.dir.DeleteGroup(ctx, shared, g.ID); err != nil {
			t.Fatal(err)
		}
		if len(h.dir.GroupsOf(shared, a.ID)) != 0 {
			t.Error("a deleted group still has members")
		}
	})
}

func TestAnIndexOfAnOldDatabaseIsTheSame(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		u, err := h.dir.CreateUser(t.Context(), "test", full())
		if err != nil {
			t.Fatal(err)
		}
		red, blue := h.group(t, "Red", u.ID), h.group(t, "Blue", u.ID)
		again, err := directory.Open(t.Context(), h.db)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range []*directory.Directory{h.dir, again} {
			p, ok := d.User(shared, u.ID)
			if !ok || !p.Enabled || p.UserName != "Mateo" || p.DisplayName != "Mateo Jackson" {
				t.Errorf("person = %+v, %v", p, ok)
			}
			want := []string{red.ID, blue.ID}
			slices.Sort(want)
			if got := d.GroupsOf(shared, u.ID); !slices.Equal(got, want) {
				t.Errorf("groups = %v, want %v", got, want)
			}
			if name, ok := d.GroupName(shared, red.ID); !ok || name != "Red" {
				t.Errorf("group = %q, %v", name, ok)
			}
			if got := d.FindUsers(shared, "externalId", "oid-1"); !slices.Equal(got, []string{u.ID}) {
				t.Errorf("found %v", got)
			}
			if account, ok := d.StoreAccount(shared); !ok || account != management || d.Users(shared) != 1 || d.Groups(shared) != 2 {
				t.Errorf("store of %s, %d users, %d groups", account, d.Users(shared), d.Groups(shared))
			}
		}
	})
}

func TestADeletedStoreLeavesNothing(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ctx := t.Context()
		u := h.user(t, "a")
		g := h.group(t, "Red", u.ID)
		_, secret, _, err := h.dir.CreateToken(ctx, shared, "", 0)
		if err != nil {
			t.Fatal(err)
		}
		other, err := h.dir.CreateUser(ctx, "test", directory.User{StoreID: private, UserName: "a"})
		if err != nil {
			t.Fatal(err)
		}
		if err := h.db.Update(ctx, func(tx *store.Tx) error { return h.dir.DeleteStore(ctx, tx, shared) }); err != nil {
			t.Fatal(err)
		}
		if _, ok := h.dir.User(shared, u.ID); ok {
			t.Error("a user is left")
		}
		if _, ok := h.dir.GroupName(shared, g.ID); ok || len(h.dir.GroupsOf(shared, u.ID)) != 0 {
			t.Error("a group is left")
		}
		if _, err := h.dir.Provisioner(ctx, shared, secret); !errors.Is(err, directory.ErrToken) {
			t.Errorf("its token: %v", err)
		}
		if _, err := h.dir.CreateUser(ctx, "test", directory.User{StoreID: shared, UserName: "b"}); kindOf(err) != directory.KindNotFound {
			t.Errorf("a user of a deleted store: %v", err)
		}
		if _, ok := h.dir.User(private, other.ID); !ok {
			t.Error("the user of another store is gone")
		}
		for _, table := range []string{"users", "directory_groups", "memberships", "external_ids", "scim_tokens"} {
			err := h.db.View(ctx, func(q store.Querier) error {
				n, err := store.One(ctx, q, store.Int, `SELECT count(*) FROM `+table+` WHERE store = ?`, shared)
				if n != 0 {
					t.Errorf("%s has %d rows", table, n)
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
		}
	})
}

func TestQuotas(t *testing.T) {
	h := open(t, sqlite(t))
	h.dir.Quotas = directory.Quotas{Users: 2, Groups: 3, GroupsPerUser: 2}
	a := h.user(t, "a")
	h.user(t, "b")
	if _, err := h.dir.CreateUser(t.Context(), "test", directory.User{StoreID: shared, UserName: "c"}); kindOf(err) != directory.KindQuota {
		t.Errorf("a third user: %v", err)
	}
	h.group(t, "1", a.ID)
	h.group(t, "2", a.ID)
	third := h.group(t, "3")
	if _, err := h.dir.Join(t.Context(), "test", shared, third.ID, a.ID); kindOf(err) != directory.KindQuota {
		t.Errorf("a third group of one user: %v", err)
	}
	if _, err := h.dir.CreateGroup(t.Context(), "test", directory.Group{StoreID: shared, DisplayName: "4"}); kindOf(err) != directory.KindQuota {
		t.Errorf("a fourth group: %v", err)
	}
	if err := h.dir.DeleteUser(t.Context(), shared, a.ID); err != nil {
		t.Fatal(err)
	}
	h.user(t, "c")
}

func TestPagesFollowTheKeys(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		var all []string
		for i := range 7 {
			all = append(all, h.user(t, fmt.Sprintf("u%d", i)).ID)
		}
		slices.Sort(all)
		g := h.group(t, "Red", all...)
		for limit := 1; limit <= 8; limit++ {
			var users, members []string
			p := directory.Page{Limit: limit}
			for {
				page, err := h.dir.ListUsers(ctx, shared, directory.UserFilter{}, p)
				if err != nil {
					t.Fatal(err)
				}
				for _, u := range page {
					users = append(users, u.ID)
				}
				if len(page) < limit {
					break
				}
				p.After = page[len(page)-1].ID
			}
			for p := (directory.Page{Limit: limit}); ; {
				page, err := h.dir.MembersOfGroup(ctx, shared, g.ID, p)
				if err != nil {
					t.Fatal(err)
				}
				for _, m := range page {
					members = append(members, m.UserID)
				}
				if len(page) < limit {
					break
				}
				p.After = page[len(page)-1].UserID
			}
			if !slices.Equal(users, all) || !slices.Equal(members, all) {
				t.Errorf("pages of %d: %d users, %d members, want %d", limit, len(users), len(members), len(all))
			}
		}
		if page, err := h.dir.ListUsers(ctx, shared, directory.UserFilter{}, directory.Page{Limit: 2, Offset: 5}); err != nil || len(page) != 2 || page[0].ID != all[5] {
			t.Errorf("the page from the sixth: %v, %v", page, err)
		}
	})
}
