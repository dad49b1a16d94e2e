package directory

import (
	"context"
	"strings"

	"github.com/lakegate/lakegate/internal/api/identitystore"
)

// CreateUser adds a person. What AWS asks for beyond its model, this asks for too: a user name, a display name, and both
// parts of the name.
func (s *Service) CreateUser(ctx context.Context, in *identitystore.CreateUserInput) (*identitystore.CreateUserOutput, error) {
	if err := s.enter(ctx, "CreateUser", in.IdentityStoreId, writer); err != nil {
		return nil, err
	}
	u, err := userOfInput(in)
	if err != nil {
		return nil, spell(ctx, err)
	}
	for _, required := range []struct{ value, message string }{
		{u.UserName, "userName is a required attribute"},
		{u.Profile.DisplayName, "displayname: The attribute displayname is required"},
		{u.Profile.Name.GivenName, "givenname: The attribute givenname is required"},
		{u.Profile.Name.FamilyName, "familyname: The attribute familyname is required"},
	} {
		if required.value == "" {
			return nil, invalid(ctx, required.message)
		}
	}
	if u, err = s.Directory.CreateUser(ctx, actor(ctx), u); err != nil {
		return nil, spell(ctx, err)
	}
	return &identitystore.CreateUserOutput{IdentityStoreId: u.StoreID, UserId: u.ID}, nil
}

// DescribeUser reads a person.
func (s *Service) DescribeUser(ctx context.Context, in *identitystore.DescribeUserInput) (*identitystore.DescribeUserOutput, error) {
	if err := s.enter(ctx, "DescribeUser", in.IdentityStoreId, reader, userARN(in.UserId)); err != nil {
		return nil, err
	}
	u, err := s.Directory.ReadUser(ctx, in.IdentityStoreId, in.UserId)
	if err != nil {
		return nil, spell(ctx, err)
	}
	out, err := outputOfUser(&u, in.Extensions)
	if err != nil {
		return nil, spell(ctx, err)
	}
	return (*identitystore.DescribeUserOutput)(out), nil
}

// ListUsers lists people, all of them or the one with a user name.
func (s *Service) ListUsers(ctx context.Context, in *identitystore.ListUsersInput) (*identitystore.ListUsersOutput, error) {
	if err := s.enter(ctx, "ListUsers", in.IdentityStoreId, reader, everyUser); err != nil {
		return nil, err
	}
	name, err := filterOf(ctx, in.Filters, "username")
	if err != nil {
		return nil, err
	}
	l := list{"ListUsers", in.IdentityStoreId, name}
	p, err := l.page(ctx, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	users, err := s.Directory.ListUsers(ctx, in.IdentityStoreId, UserFilter{UserName: name}, p.more())
	if err != nil {
		return nil, spell(ctx, err)
	}
	out := &identitystore.ListUsersOutput{Users: []identitystore.User{}}
	users, out.NextToken = cut(l, users, p.Limit, func(u User) string { return u.ID })
	for i := range users {
		u, err := outputOfUser(&users[i], in.Extensions)
		if err != nil {
			return nil, spell(ctx, err)
		}
		out.Users = append(out.Users, *u)
	}
	return out, nil
}

// filterOf reads the one filter that a list takes: an attribute that has a value.
func filterOf(ctx context.Context, filters []identitystore.Filter, path string) (string, error) {
	if len(filters) == 0 {
		return "", nil
	}
	if !strings.EqualFold(filters[0].AttributePath, path) {
		return "", invalid(ctx, "The attribute path "+filters[0].AttributePath+" cannot be used in a filter.")
	}
	return filters[0].AttributeValue, nil
}

// UpdateUser works operations on attributes in, all of them or none.
func (s *Service) UpdateUser(ctx context.Context, in *identitystore.UpdateUserInput) (*identitystore.UpdateUserOutput, error) {
	if err := s.enter(ctx, "UpdateUser", in.IdentityStoreId, writer, userARN(in.UserId)); err != nil {
		return nil, err
	}
	_, err := s.Directory.ChangeUser(ctx, actor(ctx), in.IdentityStoreId, in.UserId, func(u *User) error {
		for _, op := range in.Operations {
			if err := setUserAttribute(u, op.AttributePath, op.AttributeValue); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, spell(ctx, err)
	}
	return &identitystore.UpdateUserOutput{}, nil
}

// DeleteUser removes a person. Nobody of that id is a success too.
func (s *Service) DeleteUser(ctx context.Context, in *identitystore.DeleteUserInput) (*identitystore.DeleteUserOutput, error) {
	if err := s.enter(ctx, "DeleteUser", in.IdentityStoreId, writer, userARN(in.UserId)); err != nil {
		return nil, err
	}
	if err := s.Directory.DeleteUser(ctx, in.IdentityStoreId, in.UserId); err != nil && !isGone(err) {
		return nil, spell(ctx, err)
	}
	return &identitystore.DeleteUserOutput{}, nil
}

// GetUserId finds a person by an external id or by a unique attribute.
func (s *Service) GetUserId(ctx context.Context, in *identitystore.GetUserIdInput) (*identitystore.GetUserIdOutput, error) { //nolint:revive // AWS's name
	if err := s.enter(ctx, "GetUserId", in.IdentityStoreId, reader, everyUser); err != nil {
		return nil, err
	}
	id, err := s.find(ctx, in.IdentityStoreId, in.AlternateIdentifier, KindOfUser)
	if err != nil {
		return nil, err
	}
	return &identitystore.GetUserIdOutput{IdentityStoreId: in.IdentityStoreId, UserId: id}, nil
}

// find answers GetUserId and GetGroupId. The paths of unique attributes are compared without regard to case.
func (s *Service) find(ctx context.Context, storeID string, by *identitystore.AlternateIdentifier, kind string) (string, error) {
	resource := map[string]string{KindOfUser: ResourceUser, KindOfGroup: ResourceGroup}[kind]
	var (
		ids []string
		err error
	)
	switch {
	case by == nil:
		return "", invalid(ctx, "alternateIdentifier is required")
	case by.ExternalId != nil:
		ids, err = s.Directory.FindByExternalID(ctx, storeID, kind, by.ExternalId.Issuer, by.ExternalId.Id)
	case by.UniqueAttribute != nil:
		path := strings.ToLower(by.UniqueAttribute.AttributePath)
		text, bad := textOf(path, by.UniqueAttribute.AttributeValue)
		switch {
		case bad != nil:
			return "", spell(ctx, bad)
		case path == "externalid":
			ids, err = s.Directory.FindByExternalID(ctx, storeID, kind, "", text)
		case kind == KindOfUser && (path == "username" || path == "emails.value"):
			ids = s.Directory.FindUsers(storeID, path, text)
		case kind == KindOfGroup && path == "displayname":
			var g Group
			if g, err = s.Directory.FindGroup(ctx, storeID, text); err == nil {
				ids = []string{g.ID}
			}
		default:
			return "", invalid(ctx, by.UniqueAttribute.AttributePath+" is not a unique attribute")
		}
	default:
		return "", invalid(ctx, "alternateIdentifier must have exactly one member")
	}
	switch {
	case err != nil:
		return "", spell(ctx, err)
	case len(ids) == 0:
		return "", spell(ctx, NotFound(resource, ""))
	case len(ids) > 1:
		return "", invalid(ctx, "The identifier is not unique.")
	}
	return ids[0], nil
}
