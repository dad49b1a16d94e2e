package account

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/lakegate/lakegate/internal/api/iam"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/store"
)

func writeGroup(e *Entity) iam.Group {
	return iam.Group{Path: e.Path, GroupName: e.Name, GroupId: e.ID, Arn: e.ARN(), CreateDate: e.Created}
}

// CreateGroup makes a group of users.
func (s *IAM) CreateGroup(ctx context.Context, in *iam.CreateGroupInput) (*iam.CreateGroupOutput, error) {
	e := &Entity{
		Kind: GroupKind, ID: newID(idPrefixes[GroupKind]), Account: caller.From(ctx).Account, Path: pathOf(in.Path), Name: in.GroupName,
		Created: s.Registry.now(),
	}
	if err := s.permitNew(ctx, "CreateGroup", e, nil); err != nil {
		return nil, err
	}
	if err := s.create(ctx, e, maxGroups, "GroupsPerAccount"); err != nil {
		return nil, err
	}
	return &iam.CreateGroupOutput{Group: new(writeGroup(e))}, nil
}

// GetGroup shows a group and its users.
func (s *IAM) GetGroup(ctx context.Context, in *iam.GetGroupInput) (*iam.GetGroupOutput, error) {
	e, err := s.find(ctx, "GetGroup", GroupKind, in.GroupName, nil)
	if err != nil {
		return nil, err
	}
	var members []*Entity
	for _, u := range s.Registry.entitiesOf(e.Account, UserKind) {
		if slices.Contains(u.Groups, e.ID) {
			members = append(members, u)
		}
	}
	shown, truncated, next, err := page(members, entityKey, in.Marker, in.MaxItems)
	out := &iam.GetGroupOutput{Group: new(writeGroup(e)), Users: []iam.User{}, IsTruncated: truncated, Marker: next}
	for _, u := range shown {
		out.Users = append(out.Users, listedUser(u))
	}
	return out, err
}

// ListGroups lists the groups of the account.
func (s *IAM) ListGroups(ctx context.Context, in *iam.ListGroupsInput) (*iam.ListGroupsOutput, error) {
	c := caller.From(ctx)
	if err := s.permit(ctx, "ListGroups", entityARN(GroupKind, c.Account, cmp.Or(deref(in.PathPrefix), "/"), ""), nil); err != nil {
		return nil, err
	}
	shown, truncated, next, err := page(underPath(s.Registry.entitiesOf(c.Account, GroupKind), in.PathPrefix), entityKey, in.Marker, in.MaxItems)
	out := &iam.ListGroupsOutput{Groups: []iam.Group{}, IsTruncated: truncated, Marker: next}
	for _, e := range shown {
		out.Groups = append(out.Groups, writeGroup(e))
	}
	return out, err
}

// ListGroupsForUser lists the groups that a user is in.
func (s *IAM) ListGroupsForUser(ctx context.Context, in *iam.ListGroupsForUserInput) (*iam.ListGroupsForUserOutput, error) {
	u, err := s.find(ctx, "ListGroupsForUser", UserKind, in.UserName, nil)
	if err != nil {
		return nil, err
	}
	var groups []*Entity
	for _, g := range s.Registry.entitiesOf(u.Account, GroupKind) {
		if slices.Contains(u.Groups, g.ID) {
			groups = append(groups, g)
		}
	}
	shown, truncated, next, err := page(groups, entityKey, in.Marker, in.MaxItems)
	out := &iam.ListGroupsForUserOutput{Groups: []iam.Group{}, IsTruncated: truncated, Marker: next}
	for _, e := range shown {
		out.Groups = append(out.Groups, writeGroup(e))
	}
	return out, err
}

// AddUserToGroup gives a user the policies of a group.
func (s *IAM) AddUserToGroup(ctx context.Context, in *iam.AddUserToGroupInput) (*iam.AddUserToGroupOutput, error) {
	g, u, err := s.findMember(ctx, "AddUserToGroup", in.GroupName, in.UserName)
	if err != nil {
		return nil, err
	}
	return &iam.AddUserToGroupOutput{}, s.change(ctx, u, func(tx *store.Tx, now *Entity) error {
		if _, err := readEntity(ctx, tx, g.ID); err != nil {
			return cmp.Or(onlyMissing(err, noEntity(GroupKind, g.Name)), err)
		}
		if !slices.Contains(now.Groups, g.ID) && len(now.Groups) >= maxGroupsPerUser {
			return iam.LimitExceededException(fmt.Sprintf("Cannot exceed quota for GroupsPerUser: %d", maxGroupsPerUser))
		}
		return addMember(ctx, tx, g.ID, now.ID)
	})
}

// RemoveUserFromGroup takes the policies of a group from a user.
func (s *IAM) RemoveUserFromGroup(ctx context.Context, in *iam.RemoveUserFromGroupInput) (*iam.RemoveUserFromGroupOutput, error) {
	g, u, err := s.findMember(ctx, "RemoveUserFromGroup", in.GroupName, in.UserName)
	if err != nil {
		return nil, err
	}
	return &iam.RemoveUserFromGroupOutput{}, s.change(ctx, u, func(tx *store.Tx, now *Entity) error {
		return removeMember(ctx, tx, g.ID, now.ID)
	})
}

// findMember authorises an operation on a group, as IAM does, and finds the group and the user.
func (s *IAM) findMember(ctx context.Context, operation, group, user string) (g, u *Entity, err error) {
	if g, err = s.find(ctx, operation, GroupKind, group, nil); err != nil {
		return nil, nil, err
	}
	u, ok := s.Registry.entity(g.Account, UserKind, user)
	if !ok {
		return nil, nil, noEntity(UserKind, user)
	}
	return g, u, nil
}

// DeleteGroup deletes a group on which nothing hangs any more.
func (s *IAM) DeleteGroup(ctx context.Context, in *iam.DeleteGroupInput) (*iam.DeleteGroupOutput, error) {
	e, err := s.find(ctx, "DeleteGroup", GroupKind, in.GroupName, nil)
	if err != nil {
		return nil, err
	}
	return &iam.DeleteGroupOutput{}, s.remove(ctx, e)
}
