package directory

import (
	"context"
	"errors"

	"github.com/lakegate/lakegate/internal/api/identitystore"
)

// CreateGroupMembership makes a user a member of a group.
func (s *Service) CreateGroupMembership(ctx context.Context, in *identitystore.CreateGroupMembershipInput) (*identitystore.CreateGroupMembershipOutput, error) {
	userID := userOf(in.MemberId)
	if err := s.enter(ctx, "CreateGroupMembership", in.IdentityStoreId, writer, groupARN(in.GroupId), userARN(userID), everyMembership); err != nil {
		return nil, err
	}
	m, err := s.Directory.Join(ctx, actor(ctx), in.IdentityStoreId, in.GroupId, userID)
	if e, ok := errors.AsType[*Error](err); ok && e.Kind == KindNotFound {
		// AWS names the missing end of a membership in words of its own.
		e.Message = map[string]string{ResourceUser: "Member does not exist", ResourceGroup: "Group does not exist"}[e.Resource]
	}
	if err != nil {
		return nil, spell(ctx, err)
	}
	return &identitystore.CreateGroupMembershipOutput{MembershipId: m.ID, IdentityStoreId: m.StoreID}, nil
}

// DescribeGroupMembership reads a membership.
func (s *Service) DescribeGroupMembership(ctx context.Context, in *identitystore.DescribeGroupMembershipInput) (*identitystore.DescribeGroupMembershipOutput, error) {
	if err := s.enter(ctx, "DescribeGroupMembership", in.IdentityStoreId, reader, membershipARN(in.MembershipId)); err != nil {
		return nil, err
	}
	m, err := s.Directory.ReadMembership(ctx, in.IdentityStoreId, in.MembershipId)
	if err != nil {
		return nil, spell(ctx, err)
	}
	return &identitystore.DescribeGroupMembershipOutput{
		IdentityStoreId: m.StoreID, MembershipId: m.ID, GroupId: m.GroupID, MemberId: &identitystore.MemberId{UserId: &m.UserID},
		CreatedAt: &m.Created, UpdatedAt: &m.Created, CreatedBy: optional(m.CreatedBy), UpdatedBy: optional(m.CreatedBy),
	}, nil
}

// DeleteGroupMembership ends a membership. None of that id is a success too.
func (s *Service) DeleteGroupMembership(ctx context.Context, in *identitystore.DeleteGroupMembershipInput) (*identitystore.DeleteGroupMembershipOutput, error) {
	if err := s.enter(ctx, "DeleteGroupMembership", in.IdentityStoreId, writer, membershipARN(in.MembershipId)); err != nil {
		return nil, err
	}
	if err := s.Directory.Leave(ctx, in.IdentityStoreId, in.MembershipId); err != nil && !isGone(err) {
		return nil, spell(ctx, err)
	}
	return &identitystore.DeleteGroupMembershipOutput{}, nil
}

// GetGroupMembershipId finds the membership of a user in a group.
func (s *Service) GetGroupMembershipId(ctx context.Context, in *identitystore.GetGroupMembershipIdInput) (*identitystore.GetGroupMembershipIdOutput, error) { //nolint:revive // AWS's name
	userID := userOf(in.MemberId)
	if err := s.enter(ctx, "GetGroupMembershipId", in.IdentityStoreId, reader, groupARN(in.GroupId), userARN(userID), everyMembership); err != nil {
		return nil, err
	}
	m, err := s.Directory.FindMembership(ctx, in.IdentityStoreId, in.GroupId, userID)
	if err != nil {
		return nil, spell(ctx, err)
	}
	return &identitystore.GetGroupMembershipIdOutput{MembershipId: m.ID, IdentityStoreId: m.StoreID}, nil
}

// IsMemberInGroups answers for each of the groups, in the order asked. A group that does not exist has no members.
func (s *Service) IsMemberInGroups(ctx context.Context, in *identitystore.IsMemberInGroupsInput) (*identitystore.IsMemberInGroupsOutput, error) {
	userID := userOf(in.MemberId)
	resources := []string{userARN(userID), everyMembership}
	for _, g := range in.GroupIds {
		resources = append(resources, groupARN(g))
	}
	if err := s.enter(ctx, "IsMemberInGroups", in.IdentityStoreId, reader, resources...); err != nil {
		return nil, err
	}
	if _, ok := s.Directory.User(in.IdentityStoreId, userID); !ok {
		return nil, spell(ctx, NotFound(ResourceUser, userID))
	}
	out := &identitystore.IsMemberInGroupsOutput{}
	for _, g := range in.GroupIds {
		out.Results = append(out.Results, identitystore.GroupMembershipExistenceResult{
			GroupId: new(g), MemberId: &identitystore.MemberId{UserId: &userID}, MembershipExists: new(s.Directory.Member(in.IdentityStoreId, userID, g)),
		})
	}
	return out, nil
}

// ListGroupMemberships lists the members of a group.
func (s *Service) ListGroupMemberships(ctx context.Context, in *identitystore.ListGroupMembershipsInput) (*identitystore.ListGroupMembershipsOutput, error) {
	if err := s.enter(ctx, "ListGroupMemberships", in.IdentityStoreId, reader, groupARN(in.GroupId), everyMembership); err != nil {
		return nil, err
	}
	l := list{"ListGroupMemberships", in.IdentityStoreId, in.GroupId}
	p, err := l.page(ctx, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	all, err := s.Directory.MembersOfGroup(ctx, in.IdentityStoreId, in.GroupId, p.more())
	if err != nil {
		return nil, spell(ctx, err)
	}
	all, next := cut(l, all, p.Limit, func(m Membership) string { return m.UserID })
	return &identitystore.ListGroupMembershipsOutput{GroupMemberships: outputOfMemberships(all), NextToken: next}, nil
}

// ListGroupMembershipsForMember lists the groups of a user.
func (s *Service) ListGroupMembershipsForMember(ctx context.Context, in *identitystore.ListGroupMembershipsForMemberInput) (*identitystore.ListGroupMembershipsForMemberOutput, error) {
	userID := userOf(in.MemberId)
	if err := s.enter(ctx, "ListGroupMembershipsForMember", in.IdentityStoreId, reader, userARN(userID), everyMembership); err != nil {
		return nil, err
	}
	l := list{"ListGroupMembershipsForMember", in.IdentityStoreId, userID}
	p, err := l.page(ctx, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	all, err := s.Directory.MembershipsOfUser(ctx, in.IdentityStoreId, userID, p.more())
	if err != nil {
		return nil, spell(ctx, err)
	}
	all, next := cut(l, all, p.Limit, func(m Membership) string { return m.GroupID })
	return &identitystore.ListGroupMembershipsForMemberOutput{GroupMemberships: outputOfMemberships(all), NextToken: next}, nil
}
