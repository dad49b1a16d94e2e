package directory

import (
	"context"
	"database/sql"
	"regexp"
	"testing"

	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/store/storetest"
)

// planned is a Querier that looks at how SQLite would answer, and at nothing else of the answer.
type planned struct {
	store.Querier
	t    *testing.T
	seen int
}

// A search that knows no more than the store, or the store and a kind, walks over everything that the store has of it.
var walks = regexp.MustCompile(`^SCAN (users|directory_groups|external_ids|memberships|nested_groups)|\(store=\?\)|\(store=\? AND kind=\?\)`)

func (p *planned) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	p.seen++
	err := store.Each(ctx, p.Querier, func(s store.Scanner) (detail string, err error) {
		var a, b, c int
		return detail, s.Scan(&a, &b, &c, &detail)
	}, func(detail string) error {
		if walks.MatchString(detail) {
			p.t.Errorf("%s\n\tis answered by: %s", query, detail)
		}
		return nil
	}, "EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		p.t.Errorf("%s: %v", query, err)
	}
	return p.Querier.Query(ctx, query, args...)
}

// What a request of a provisioning client reads does not grow with the directory.
func TestNoRequestWalksOverTheDirectory(t *testing.T) {
	db := storetest.New(t)
	ids := []string{"a", "b"}
	err := db.View(t.Context(), func(q store.Querier) error {
		p := &planned{Querier: q, t: t}
		ctx, done := t.Context(), 0
		for what, do := range map[string]func() error{
			"user":          func() error { _, err := readUser(ctx, p, "s", "a"); return err },
			"user's id":     func() error { return userExists(ctx, p, "s", "a") },
			"users by name": func() error { _, err := listUsers(ctx, p, "s", UserFilter{UserName: "a"}, Page{Limit: 1}); return err },
			"page of users": func() error { _, err := listUsers(ctx, p, "s", UserFilter{}, Page{After: "a", Limit: 1}); return err },
			"group":         func() error { _, err := readGroup(ctx, p, "s", "a"); return err },
			"groups by name": func() error {
				_, err := listGroups(ctx, p, "s", GroupFilter{DisplayName: "a"}, Page{Limit: 1})
				return err
			},
			"page of groups":  func() error { _, err := listGroups(ctx, p, "s", GroupFilter{}, Page{After: "a", Limit: 1}); return err },
			"external ids":    func() error { _, err := readExternalIDs(ctx, p, "s", KindOfUser, "a"); return err },
			"many's":          func() error { _, err := externalIDsOf(ctx, p, "s", KindOfUser, ids); return err },
			"owners":          func() error { _, err := ownersOf(ctx, p, "s", KindOfUser, "i", "a"); return err },
			"any owners":      func() error { _, err := ownersOf(ctx, p, "s", KindOfGroup, "", "a"); return err },
			"membership":      func() error { _, err := readMembership(ctx, p, "s", "a"); return err },
			"its id":          func() error { _, err := findMembership(ctx, p, "s", "a", "b"); return err },
			"members":         func() error { _, err := listMembers(ctx, p, "s", "a", Page{Limit: 1}); return err },
			"memberships":     func() error { _, err := listMembershipsOfUser(ctx, p, "s", "a", Page{Limit: 1}); return err },
			"all members":     func() error { _, err := membersOf(ctx, p, "s", "a"); return err },
			"users there":     func() error { _, err := usersPresent(ctx, p, "s", ids); return err },
			"groups there":    func() error { _, err := groupsPresent(ctx, p, "s", ids); return err },
			"members there":   func() error { _, err := membersPresent(ctx, p, "s", "g", ids); return err },
			"nested there":    func() error { _, err := nestedPresent(ctx, p, "s", "g", ids); return err },
			"nested":          func() error { _, err := listNested(ctx, p, "s", "a", Page{Limit: 1}); return err },
			"all nested":      func() error { _, err := nestedIn(ctx, p, "s", "a"); return err },
			"groups above":    func() error { _, err := latticeAbove(ctx, p, "s", ids); return err },
			"groups below":    func() error { _, err := groupsBelow(ctx, p, "s", ids); return err },
			"what was joined": func() error { return new(belonging).read(ctx, p, map[string][]string{}, "s", ids, groupsOfUsers) },
			"what was nested": func() error { return new(belonging).read(ctx, p, map[string][]string{}, "s", ids, groupsOfGroups) },
		} {
			if err := do(); err != nil && err != store.ErrNotFound { //nolint:errorlint // as it is
				t.Errorf("%s: %v", what, err)
			}
			if p.seen == done {
				t.Errorf("%s asked nothing", what)
			}
			done = p.seen
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
