package ldap

import (
	"context"
	"fmt"

	"github.com/lakegate/lakegate/internal/directory"
)

// pageOfDirectory is how many rows are read of the directory at once.
const pageOfDirectory = 1000

// readPresent reads what the identity store has: everybody, and the members of the groups that are the source's.
func readPresent(ctx context.Context, d *directory.Directory, storeID, issuer string) (*Present, error) {
	have := &Present{}
	for after := ""; ; {
		users, err := d.ListUsers(ctx, storeID, directory.UserFilter{}, directory.Page{After: after, Limit: pageOfDirectory})
		if err != nil {
			return nil, fmt.Errorf("read the directory's users: %w", err)
		}
		have.Users = append(have.Users, users...)
		if len(users) < pageOfDirectory {
			break
		}
		after = users[len(users)-1].ID
	}
	for after := ""; ; {
		groups, err := d.ListGroups(ctx, storeID, directory.GroupFilter{}, directory.Page{After: after, Limit: pageOfDirectory})
		if err != nil {
			return nil, fmt.Errorf("read the directory's groups: %w", err)
		}
		for _, g := range groups {
			x := PresentGroup{Group: g}
			if owned(g.ExternalIDs, issuer) != "" {
				if x.Members, err = readMembers(ctx, d, storeID, g.ID); err != nil {
					return nil, err
				}
			}
			have.Groups = append(have.Groups, x)
		}
		if len(groups) < pageOfDirectory {
			return have, nil
		}
		after = groups[len(groups)-1].ID
	}
}

func readMembers(ctx context.Context, d *directory.Directory, storeID, groupID string) (ids []string, err error) {
	for after := ""; ; {
		page, err := d.MembersOfGroup(ctx, storeID, groupID, directory.Page{After: after, Limit: pageOfDirectory})
		if err != nil {
			return nil, fmt.Errorf("read the members of %s: %w", groupID, err)
		}
		for _, m := range page {
			ids = append(ids, m.UserID)
		}
		if len(page) < pageOfDirectory {
			return ids, nil
		}
		after = page[len(page)-1].UserID
	}
}
