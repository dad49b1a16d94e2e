package directory

import (
	"context"
	"strings"

	"github.com/lakegate/lakegate/internal/api/identitystore"
)

// CreateGroup adds a group without members.
func (s *Service) CreateGroup(ctx context.Context, in *identitystore.CreateGroupInput) (*identitystore.CreateGroupOutput, error) {
	if err := s.enter(ctx, "CreateGroup", in.IdentityStoreId, writer); err != nil {
		return nil, err
	}
	g, err := s.Directory.CreateGroup(ctx, actor(ctx), Group{StoreID: in.IdentityStoreId, DisplayName: value(in.DisplayName), Description: value(in.Description)})
	if err != nil {
		return nil, spell(ctx, err)
	}
	return &identitystore.CreateGroupOutput{GroupId: g.ID, IdentityStoreId: g.StoreID}, nil
}

// DescribeGroup reads a group.
func (s *Service) DescribeGroup(ctx context.Context, in *identitystore.DescribeGroupInput) (*identitystore.DescribeGroupOutput, error) {
	if err := s.enter(ctx, "DescribeGroup", in.IdentityStoreId, reader, groupARN(in.GroupId)); err != nil {
		return nil, err
	}
	g, err := s.Directory.ReadGroup(ctx, in.IdentityStoreId, in.GroupId)
	if err != nil {
		return nil, spell(ctx, err)
	}
	return new(identitystore.DescribeGroupOutput(outputOfGroup(&g))), nil
}

// ListGroups lists groups, all of them or the one with a display name.
func (s *Service) ListGroups(ctx context.Context, in *identitystore.ListGroupsInput) (*identitystore.ListGroupsOutput, error) {
	if err := s.enter(ctx, "ListGroups", in.IdentityStoreId, reader, everyGroup); err != nil {
		return nil, err
	}
	name, err := filterOf(ctx, in.Filters, "displayname")
	if err != nil {
		return nil, err
	}
	l := list{"ListGroups", in.IdentityStoreId, name}
	p, err := l.page(ctx, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	groups, err := s.Directory.ListGroups(ctx, in.IdentityStoreId, GroupFilter{DisplayName: name}, p.more())
	if err != nil {
		return nil, spell(ctx, err)
	}
	out := &identitystore.ListGroupsOutput{Groups: []identitystore.Group{}}
	groups, out.NextToken = cut(l, groups, p.Limit, func(g Group) string { return g.ID })
	for i := range groups {
		out.Groups = append(out.Groups, outputOfGroup(&groups[i]))
	}
	return out, nil
}

// UpdateGroup works operations on attributes in, all of them or none.
func (s *Service) UpdateGroup(ctx context.Context, in *identitystore.UpdateGroupInput) (*identitystore.UpdateGroupOutput, error) {
	if err := s.enter(ctx, "UpdateGroup", in.IdentityStoreId, writer, groupARN(in.GroupId)); err != nil {
		return nil, err
	}
	_, err := s.Directory.ChangeGroup(ctx, actor(ctx), in.IdentityStoreId, in.GroupId, func(g *Group, _ *Members) error {
		for _, op := range in.Operations {
			if err := setGroupAttribute(g, op.AttributePath, op.AttributeValue); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, spell(ctx, err)
	}
	return &identitystore.UpdateGroupOutput{}, nil
}

func setGroupAttribute(g *Group, path string, v []byte) error {
	text, err := textOf(path, v)
	if err != nil {
		return err
	}
	switch strings.ToLower(path) {
	case "displayname":
		g.DisplayName = text
	case "description":
		g.Description = text
	default:
		return Invalid(path, "The attribute path "+path+" is not valid.")
	}
	return nil
}

// DeleteGroup removes a group. None of that id is a success too.
func (s *Service) DeleteGroup(ctx context.Context, in *identitystore.DeleteGroupInput) (*identitystore.DeleteGroupOutput, error) {
	if err := s.enter(ctx, "DeleteGroup", in.IdentityStoreId, writer, groupARN(in.GroupId)); err != nil {
		return nil, err
	}
	if err := s.Directory.DeleteGroup(ctx, in.IdentityStoreId, in.GroupId); err != nil && !isGone(err) {
		return nil, spell(ctx, err)
	}
	return &identitystore.DeleteGroupOutput{}, nil
}

// GetGroupId finds a group by an external id or by its display name.
func (s *Service) GetGroupId(ctx context.Context, in *identitystore.GetGroupIdInput) (*identitystore.GetGroupIdOutput, error) { //nolint:revive // AWS's name
	if err := s.enter(ctx, "GetGroupId", in.IdentityStoreId, reader, everyGroup); err != nil {
		return nil, err
	}
	id, err := s.find(ctx, in.IdentityStoreId, in.AlternateIdentifier, KindOfGroup)
	if err != nil {
		return nil, err
	}
	return &identitystore.GetGroupIdOutput{IdentityStoreId: in.IdentityStoreId, GroupId: id}, nil
}
