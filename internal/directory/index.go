package directory

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/store"
)

// The kinds of change. Keys are <store>/<id>; a membership change is keyed by its user.
const (
	kindStore   = "identity-store"
	kindUser    = "directory-user"
	kindGroup   = "directory-group"
	kindMembers = "directory-groups-of-user"
)

// Person is what decisions know of a user.
type Person struct {
	StoreID, ID, UserName, DisplayName string
	Enabled                            bool
	emails, external                   []string
}

// Index answers from memory who is enabled and who belongs to what.
type Index struct {
	stores  *store.Mirror[string]
	people  *store.Mirror[Person]
	groups  *store.Mirror[string]
	members *store.Mirror[[]string]
	// found is kept by the mirror of people: attribute, store and value to the ids of users.
	found map[attributeKey][]string
}

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
	x := &Index{found: map[attributeKey][]string{}}
	x.stores = &store.Mirror[string]{Kind: kindStore, One: storeAccount, Every: allStores}
	x.people = &store.Mirror[Person]{
		Kind: kindUser, One: onePerson, Every: allPeople,
		Reset: func() { clear(x.found) },
		Changed: func(_ string, before, after *Person) {
			x.forget(before)
			x.learn(after)
		},
	}
	x.groups = &store.Mirror[string]{Kind: kindGroup, One: groupName, Every: allGroupNames}
	x.members = &store.Mirror[[]string]{Kind: kindMembers, One: groupsOfUser, Every: allMemberships}
	return x, errors.Join(db.Follow(ctx, x.stores), db.Follow(ctx, x.people), db.Follow(ctx, x.groups), db.Follow(ctx, x.members))
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
	return x.groups.Get(key(storeID, groupID))
}

// GroupsOf returns the ids of the groups that a user belongs to, sorted. The slice is shared: do not change it.
func (x *Index) GroupsOf(storeID, userID string) []string {
	ids, _ := x.members.Get(key(storeID, userID))
	return ids
}

// Member reports whether a user belongs to a group.
func (x *Index) Member(storeID, userID, groupID string) bool {
	_, ok := slices.BinarySearch(x.GroupsOf(storeID, userID), groupID)
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
