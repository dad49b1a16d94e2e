package directory

import (
	"context"

	"github.com/lakegate/lakegate/internal/store"
)

// What the index reads.

func storeAccount(ctx context.Context, q store.Querier, id string) (string, error) {
	return store.One(ctx, q, store.Text, `SELECT account FROM identity_stores WHERE id = ?`, id)
}

func allStores(ctx context.Context, q store.Querier, do func(string, string) error) error {
	return eachPair(ctx, q, do, `SELECT id, account FROM identity_stores`)
}

func onePerson(ctx context.Context, q store.Querier, k string) (Person, error) {
	storeID, id := splitKey(k)
	u, err := readUser(ctx, q, storeID, id)
	return u.person(), err
}

// allPeople reads users and external ids in one pass each, so that a large directory loads in a moment.
func allPeople(ctx context.Context, q store.Querier, do func(string, Person) error) error {
	external := map[string][]string{}
	err := eachPair(ctx, q, func(owner, id string) error { external[owner] = append(external[owner], id); return nil },
		`SELECT store || '/' || owner, id FROM external_ids WHERE kind = 'user'`)
	if err != nil {
		return err
	}
	return store.Each(ctx, q, scanUser, func(u User) error {
		p := u.person()
		p.external = external[key(u.StoreID, u.ID)]
		return do(key(u.StoreID, u.ID), p)
	}, selectUser)
}

func (u *User) person() Person {
	p := Person{StoreID: u.StoreID, ID: u.ID, UserName: u.UserName, DisplayName: u.Profile.DisplayName, Enabled: u.Enabled}
	for _, e := range u.Profile.Emails {
		p.emails = append(p.emails, e.Value)
	}
	for _, x := range u.ExternalIDs {
		p.external = append(p.external, x.ID)
	}
	return p
}

func groupName(ctx context.Context, q store.Querier, k string) (string, error) {
	storeID, id := splitKey(k)
	return store.One(ctx, q, store.Text, `SELECT display_name FROM directory_groups WHERE store = ? AND id = ?`, storeID, id)
}

func oneGroup(ctx context.Context, q store.Querier, k string) (groupEntry, error) {
	name, err := groupName(ctx, q, k)
	_, id := splitKey(k)
	return groupEntry{id: id, name: name}, err
}

func allGroups(ctx context.Context, q store.Querier, do func(string, groupEntry) error) error {
	return eachPair(ctx, q, func(k, name string) error {
		_, id := splitKey(k) // a part of the key's own text
		return do(k, groupEntry{id: id, name: name})
	}, `SELECT store || '/' || id, display_name FROM directory_groups`)
}

func eachPair(ctx context.Context, q store.Querier, do func(a, b string) error, query string, args ...any) error {
	type pair struct{ a, b string }
	return store.Each(ctx, q, func(s store.Scanner) (p pair, err error) { return p, s.Scan(&p.a, &p.b) }, func(p pair) error { return do(p.a, p.b) }, query, args...)
}
