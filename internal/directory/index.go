package directory

import (
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/store"
)

// The kinds of change. Keys are <store>/<id>, of kindMember <store>/<group>/<user>.
const (
	kindStore   = "identity-store"
	kindUser    = "directory-user"
	kindGroup   = "directory-group"
	kindMember  = "directory-member"
	kindMembers = "directory-groups-of-user"
	kindNested  = "directory-groups-of-group"
	kindToken   = "scim-token"
)

// Person is what decisions know of a user.
type Person struct {
	StoreID, ID, UserName, DisplayName string
	Enabled                            bool
	emails, external                   []string
}

// Index answers from memory who is enabled and who belongs to what.
type Index struct {
	// Flat refuses groups as members of groups, as AWS knows none; such as there are from before count for nothing. It is
	// set before the first request.
	Flat bool

	stores  *store.Mirror[string]
	people  *store.Mirror[Person]
	groups  *store.Mirror[groupEntry]
	members *belonging
	tokens  *store.Mirror[tokenEntry]
	// users and groupsIn count by store; the mirrors of people and groups keep them.
	users, groupsIn map[string]int
	// found is kept by the mirror of people: attribute, store and value to the ids of users.
	found map[attributeKey][]string
}

// groupEntry is what decisions know of a group. Every membership shares the text of its id.
type groupEntry struct{ id, name string }

type attributeKey struct{ attribute, store, value string }

// The attributes that a trusted token issuer can map a claim to.
const (
	AttributeUserName   = "userName"
	AttributeEmail      = "emails.value"
	AttributeExternalID = "externalId"
)

func key(storeID, id string) string { return storeID + "/" + id }

func splitKey(k string) (storeID, id string) {
	storeID, id, _ = strings.Cut(k, "/")
	return storeID, id
}

func newIndex(ctx context.Context, db *store.DB) (*Index, error) {
	x := emptyIndex()
	// People and groups before memberships, which share their ids.
	for _, f := range []store.Follower{x.stores, x.people, x.groups, x.members, x.tokens} {
		if err := db.Follow(ctx, f); err != nil {
			return nil, err
		}
	}
	return x, nil
}

func emptyIndex() *Index {
	x := &Index{found: map[attributeKey][]string{}, users: map[string]int{}, groupsIn: map[string]int{}}
	x.stores = &store.Mirror[string]{Kind: kindStore, One: storeAccount, Every: allStores}
	x.people = &store.Mirror[Person]{
		Kind: kindUser, One: onePerson, Every: allPeople,
		Reset: func() {
			clear(x.found)
			clear(x.users)
		},
		Changed: func(k string, before, after *Person) {
			x.forget(before)
			x.learn(after)
			count(x.users, k, before != nil, after != nil)
		},
	}
	x.groups = &store.Mirror[groupEntry]{
		Kind: kindGroup, One: oneGroup, Every: allGroups,
		Reset:   func() { clear(x.groupsIn) },
		Changed: func(k string, before, after *groupEntry) { count(x.groupsIn, k, before != nil, after != nil) },
	}
	x.members = &belonging{sharedUser: x.sharedUser, sharedGroup: x.sharedGroup, stores: map[string]*storeMembers{}}
	x.tokens = &store.Mirror[tokenEntry]{Kind: kindToken, One: oneToken, Every: allTokens}
	return x
}

// count keeps how many there are in each store.
func count(in map[string]int, k string, before, after bool) {
	storeID, _ := splitKey(k)
	switch {
	case after && !before:
		in[storeID]++
	case before && !after:
		if in[storeID]--; in[storeID] == 0 {
			delete(in, storeID)
		}
	}
}

func (p *Person) keys() []attributeKey {
	keys := []attributeKey{{AttributeUserName, p.StoreID, strings.ToLower(p.UserName)}}
	for _, e := range p.emails {
		keys = append(keys, attributeKey{AttributeEmail, p.StoreID, strings.ToLower(e)})
	}
	for _, e := range p.external {
		keys = append(keys, attributeKey{AttributeExternalID, p.StoreID, e})
	}
	slices.SortFunc(keys, func(a, b attributeKey) int { return strings.Compare(a.attribute+a.value, b.attribute+b.value) })
	return slices.Compact(keys)
}

func (x *Index) learn(p *Person) {
	if p == nil {
		return
	}
	for _, k := range p.keys() {
		x.found[k] = append(x.found[k], p.ID)
	}
}

func (x *Index) forget(p *Person) {
	if p == nil {
		return
	}
	for _, k := range p.keys() {
		left := slices.DeleteFunc(slices.Clone(x.found[k]), func(id string) bool { return id == p.ID })
		if len(left) == 0 {
			delete(x.found, k)
		} else {
			x.found[k] = left
		}
	}
}

// StoreAccount is the account that owns an identity store.
func (x *Index) StoreAccount(storeID string) (account string, ok bool) { return x.stores.Get(storeID) }

// User finds a person.
func (x *Index) User(storeID, userID string) (Person, bool) {
	return x.people.Get(key(storeID, userID))
}

// GroupName finds a group's display name.
func (x *Index) GroupName(storeID, groupID string) (string, bool) {
	g, ok := x.groups.Get(key(storeID, groupID))
	return g.name, ok
}

// Users counts the users of a store.
func (x *Index) Users(storeID string) (n int) {
	x.people.Read(func(map[string]Person) { n = x.users[storeID] })
	return n
}

// Groups counts the groups of a store.
func (x *Index) Groups(storeID string) (n int) {
	x.groups.Read(func(map[string]groupEntry) { n = x.groupsIn[storeID] })
	return n
}

// sharedUser and sharedGroup return an id as the index holds it.
func (x *Index) sharedUser(storeID, id string) string {
	if p, ok := x.people.Get(key(storeID, id)); ok {
		return p.ID
	}
	return id
}

func (x *Index) sharedGroup(storeID, id string) string {
	if g, ok := x.groups.Get(key(storeID, id)); ok {
		return g.id
	}
	return id
}

// Stores walks over the identity stores and their accounts, in the order of their ids.
func (x *Index) Stores() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		all := maps.Collect(x.stores.Each())
		for _, id := range slices.Sorted(maps.Keys(all)) {
			if !yield(id, all[id]) {
				return
			}
		}
	}
}

// GroupsOf returns the ids of the groups that a user belongs to, directly or by groups within groups, sorted. The slice is
// shared: do not change it. Everything that decides asks here or Member.
func (x *Index) GroupsOf(storeID, userID string) []string {
	if x.Flat {
		return x.members.direct(storeID, userID)
	}
	return x.members.all(storeID, userID)
}

// Member reports whether a user belongs to a group, directly or not.
func (x *Index) Member(storeID, userID, groupID string) bool {
	return isIn(x.GroupsOf(storeID, userID), groupID)
}

// DirectGroupsOf returns the ids of the groups of which a user, or a group, is itself a member, sorted. The slice is
// shared: do not change it.
func (x *Index) DirectGroupsOf(storeID, memberID string) []string {
	groups := x.members.direct(storeID, memberID)
	if _, isGroup := x.GroupName(storeID, memberID); isGroup && x.Flat {
		return nil
	}
	return groups
}

// DirectMember reports whether a user, or a group, is itself a member of a group.
func (x *Index) DirectMember(storeID, memberID, groupID string) bool {
	return isIn(x.DirectGroupsOf(storeID, memberID), groupID)
}

func isIn(sorted []string, id string) bool {
	_, ok := slices.BinarySearch(sorted, id)
	return ok
}

// FindUsers returns the users whose attribute has the value: userName and emails.value without regard to case, externalId
// exactly. An attribute that cannot be searched finds nobody.
func (x *Index) FindUsers(storeID, attribute, value string) []string {
	k := attributeKey{store: storeID, value: value}
	switch strings.ToLower(attribute) {
	case "username":
		k.attribute, k.value = AttributeUserName, strings.ToLower(value)
	case "emails.value":
		k.attribute, k.value = AttributeEmail, strings.ToLower(value)
	case "externalid":
		k.attribute = AttributeExternalID
	}
	var ids []string
	x.people.Read(func(map[string]Person) { ids = slices.Clone(x.found[k]) })
	return ids
}

// PersonActive says why the person of an identity can no longer act, or nil.
func (x *Index) PersonActive(id *caller.Identity) error {
	p, ok := x.User(id.IdentityStoreID, id.UserID)
	switch {
	case !ok:
		return errors.New("the person " + id.UserID + " is no longer in the directory")
	case !p.Enabled:
		return errors.New("the person " + p.UserName + " is disabled")
	}
	return nil
}
