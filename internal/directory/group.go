package directory

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/lakegate/lakegate/internal/store"
)

// Group is a group of an identity store.
type Group struct {
	StoreID, ID string
	DisplayName string
	Description string
	ExternalIDs []ExternalID
	Stamps      Stamps
}

// Check holds a group against the rules that every face shares.
func (g *Group) Check() error { return g.check() }

func (g *Group) check() error {
	if g.DisplayName == "" {
		return Invalid("displayName", "displayName is a required attribute")
	}
	for field, s := range map[string]string{"displayName": g.DisplayName, "description": g.Description} {
		if err := checkText(field, s); err != nil {
			return err
		}
	}
	if isReserved(g.DisplayName) {
		return Invalid("displayName", "displayName is a reserved name")
	}
	return checkExternalIDs(g.ExternalIDs)
}

// sameContent reports whether a change left a group as it was.
func (g *Group) sameContent(other *Group) bool {
	sorted := func(ids []ExternalID) []ExternalID { return slices.SortedFunc(slices.Values(ids), compareExternalIDs) }
	return g.DisplayName == other.DisplayName && g.Description == other.Description && slices.Equal(sorted(g.ExternalIDs), sorted(other.ExternalIDs))
}

// CreateGroup adds a group with its first members, users and groups. ID and stamps are set anew.
func (d *Directory) CreateGroup(ctx context.Context, by Actor, g Group, members ...string) (Group, error) {
	if err := g.check(); err != nil {
		return Group{}, err
	}
	now := d.db.Now()
	g.ID = uuid.NewString()
	g.Stamps = Stamps{Created: now, Updated: now, CreatedBy: string(by), UpdatedBy: string(by), Version: 1}
	d.touch(ctx, g.StoreID, ResourceGroup, g.ID)
	err := d.db.Update(ctx, func(tx *store.Tx) error {
		if err := inStore(ctx, tx, g.StoreID); err != nil {
			return err
		}
		if d.Groups(g.StoreID) >= d.Quotas.groups() {
			return quota("groups", d.Quotas.groups())
		}
		if err := insertGroup(ctx, tx, &g); err != nil {
			return err
		}
		_, err := d.changeMembers(ctx, tx, by, g.StoreID, g.ID, Members{Add: members})
		return err
	})
	if err != nil {
		return Group{}, groupConflict(err)
	}
	return g, nil
}

// ReadGroup reads a group.
func (d *Directory) ReadGroup(ctx context.Context, storeID, id string) (g Group, err error) {
	err = d.db.View(ctx, func(q store.Querier) error {
		g, err = readGroup(ctx, q, storeID, id)
		return err
	})
	return g, missing(err, ResourceGroup, id)
}

// ChangeGroup reads a group, lets change work on it and on its members, and writes the result. When nothing differs,
// nothing is written.
func (d *Directory) ChangeGroup(ctx context.Context, by Actor, storeID, id string, change func(*Group, *Members) error) (g Group, err error) {
	d.touch(ctx, storeID, ResourceGroup, id)
	err = d.db.Update(ctx, func(tx *store.Tx) (err error) {
		if g, err = readGroup(ctx, tx, storeID, id); err != nil {
			return missing(err, ResourceGroup, id)
		}
		before := g
		before.ExternalIDs = slices.Clone(g.ExternalIDs)
		var m Members
		if err := change(&g, &m); err != nil {
			return err
		}
		g.StoreID, g.ID = storeID, id
		if err := g.check(); err != nil {
			return err
		}
		moved, err := d.changeMembers(ctx, tx, by, storeID, id, m)
		if err != nil || moved == 0 && g.sameContent(&before) {
			return err
		}
		g.Stamps.Updated, g.Stamps.UpdatedBy = d.db.Now(), string(by)
		g.Stamps.Version++
		return updateGroup(ctx, tx, &g)
	})
	if err != nil {
		return Group{}, groupConflict(err)
	}
	return g, nil
}

// DeleteGroup removes a group and its memberships, those in it and its own in other groups, if none of the conditions
// refuses.
func (d *Directory) DeleteGroup(ctx context.Context, storeID, id string, conditions ...func(*Group) error) error {
	d.touch(ctx, storeID, ResourceGroup, id)
	err := d.db.Update(ctx, func(tx *store.Tx) error {
		for _, refuses := range conditions {
			g, err := readGroup(ctx, tx, storeID, id)
			if err != nil {
				return err
			}
			if err := refuses(&g); err != nil {
				return err
			}
		}
		return deleteGroup(ctx, tx, storeID, id)
	})
	return missing(err, ResourceGroup, id)
}

// ListGroups reads a page of groups in the order of their ids.
func (d *Directory) ListGroups(ctx context.Context, storeID string, f GroupFilter, p Page) (groups []Group, err error) {
	err = d.db.View(ctx, func(q store.Querier) error {
		groups, err = listGroups(ctx, q, storeID, f, p)
		return err
	})
	return groups, err
}

// FindGroup finds the group with a display name, without regard to case.
func (d *Directory) FindGroup(ctx context.Context, storeID, displayName string) (Group, error) {
	groups, err := d.ListGroups(ctx, storeID, GroupFilter{DisplayName: displayName}, Page{Limit: 1})
	if err == nil && len(groups) == 0 {
		err = NotFound(ResourceGroup, "")
	}
	if err != nil {
		return Group{}, err
	}
	return groups[0], nil
}

func groupConflict(err error) error {
	if !errors.Is(err, store.ErrConflict) {
		return err
	}
	if strings.Contains(err.Error(), "external_ids") {
		return Conflict("externalId", "Duplicate ExternalId")
	}
	return Conflict("displayName", "Duplicate GroupDisplayName")
}
