package scim

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/lakegate/lakegate/internal/directory"
)

// issuer is the issuer of the external ids that a store's provisioning clients set.
func issuer(storeID string) string { return "urn:lakegate:scim:" + storeID }

func externalID(storeID string, ids []directory.ExternalID) string {
	for _, x := range ids {
		if x.Issuer == issuer(storeID) {
			return x.ID
		}
	}
	return ""
}

// setExternalID sets the external id of this face and leaves those of others.
func setExternalID(storeID string, ids []directory.ExternalID, id string) []directory.ExternalID {
	ids = slices.DeleteFunc(slices.Clone(ids), func(x directory.ExternalID) bool { return x.Issuer == issuer(storeID) })
	if id != "" {
		ids = append(ids, directory.ExternalID{Issuer: issuer(storeID), ID: id})
	}
	return ids
}

// The attributes of a profile that SCIM has no name for. They are neither shown nor lost.
const (
	website   = "website"
	birthdate = "birthdate"
)

// userTree is a user in the normal form. The directory keeps profiles as JSON under SCIM's names, apart from the
// extension.
func userTree(u *directory.User) (tree, error) {
	t := tree{}
	encoded, err := json.Marshal(u.Profile)
	if err == nil {
		err = json.Unmarshal(encoded, &t)
	}
	if err != nil {
		return nil, fmt.Errorf("show user %s: %w", u.ID, err)
	}
	delete(t, website)
	delete(t, birthdate)
	if x, ok := t["enterprise"].(tree); ok {
		delete(t, "enterprise")
		if m, ok := x["manager"].(string); ok {
			x["manager"] = tree{"value": m}
		}
		t[urnEnterprise] = x
	}
	t["userName"], t["active"] = u.UserName, u.Enabled
	describe(t, userType, u.StoreID, u.ID, u.ExternalIDs, u.Stamps)
	if t[urnEnterprise] != nil {
		t["schemas"] = []any{urnUser, urnEnterprise}
	}
	return t, nil
}

// describe sets what every resource has. The location is set when it is shown.
func describe(t tree, of *resourceType, storeID, id string, external []directory.ExternalID, s directory.Stamps) {
	t["schemas"], t["id"] = []any{of.core.urn}, id
	t["meta"] = tree{"resourceType": of.name, "created": stamp(s.Created), "lastModified": stamp(s.Updated)}
	if x := externalID(storeID, external); x != "" {
		t["externalId"] = x
	}
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// updateUser gives a user the attributes of a tree in the normal form.
func updateUser(u *directory.User, t tree) error {
	profile := maps.Clone(t)
	for _, name := range []string{"schemas", "id", "meta", "groups", "externalId", "userName", "active", urnEnterprise} {
		delete(profile, name)
	}
	if x, ok := t[urnEnterprise].(tree); ok {
		x = maps.Clone(x)
		if m, ok := x["manager"].(tree); ok {
			x["manager"], _ = m["value"].(string)
		}
		profile["enterprise"] = x
	}
	encoded, err := json.Marshal(profile)
	if err != nil {
		return fmt.Errorf("read user: %w", err)
	}
	fresh := directory.Profile{Website: u.Profile.Website, Birthdate: u.Profile.Birthdate}
	if err := json.Unmarshal(encoded, &fresh); err != nil {
		return fmt.Errorf("read user: %w", err)
	}
	u.Profile = fresh
	u.UserName, _ = t["userName"].(string)
	if active, ok := t["active"].(bool); ok {
		u.Enabled = active
	}
	id, _ := t["externalId"].(string)
	u.ExternalIDs = setExternalID(u.StoreID, u.ExternalIDs, id)
	return nil
}

// groupTree is a group in the normal form, without its members.
func groupTree(g *directory.Group) tree {
	t := tree{"displayName": g.DisplayName}
	describe(t, groupType, g.StoreID, g.ID, g.ExternalIDs, g.Stamps)
	return t
}

func updateGroup(g *directory.Group, t tree) {
	g.DisplayName, _ = t["displayName"].(string)
	id, _ := t["externalId"].(string)
	g.ExternalIDs = setExternalID(g.StoreID, g.ExternalIDs, id)
}
