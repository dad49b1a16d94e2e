package account

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"github.com/lakegate/lakegate/internal/api/iam"
	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/policy"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/wire"
)

// writeUser is a user as one operation shows it; lists leave out the boundary and the tags.
func writeUser(e *Entity) *iam.User {
	u := listedUser(e)
	u.PermissionsBoundary, u.Tags = writeBoundary(e), someTags(e.Tags)
	return &u
}

func listedUser(e *Entity) iam.User {
	return iam.User{Path: e.Path, UserName: e.Name, UserId: e.ID, Arn: e.ARN(), CreateDate: e.Created}
}

// userName is the name asked for, else that of the calling user.
func userName(ctx context.Context, name *string) (string, error) {
	c := caller.From(ctx)
	switch {
	case name != nil:
		return *name, nil
	case c.Type == caller.User:
		return c.UserName, nil
	}
	return "", wire.Invalid("Must specify userName when calling with non-User credentials")
}

// CreateUser makes a user without any right.
func (s *IAM) CreateUser(ctx context.Context, in *iam.CreateUserInput) (*iam.CreateUserOutput, error) {
	e := &Entity{
		Kind: UserKind, ID: newID(idPrefixes[UserKind]), Account: caller.From(ctx).Account, Path: pathOf(in.Path), Name: in.UserName,
		Boundary: deref(in.PermissionsBoundary), Created: s.Registry.now(),
	}
	if err := s.permitNew(ctx, "CreateUser", e, in.Tags); err != nil {
		return nil, err
	}
	var err error
	if e.Tags, err = readTags(in.Tags); err != nil {
		return nil, err
	}
	if err := s.create(ctx, e, maxUsers, "UsersPerAccount"); err != nil {
		return nil, err
	}
	return &iam.CreateUserOutput{User: writeUser(e)}, nil
}

// permitNew asks for an entity that is about to be made.
func (s *IAM) permitNew(ctx context.Context, operation string, e *Entity, tags []iam.Tag) error {
	v := policy.Values{}
	setRequestTags(v, tags)
	if e.Boundary != "" {
		v.Set("iam:PermissionsBoundary", e.Boundary)
	}
	return s.permit(ctx, operation, e.ARN(), v)
}

// GetUser shows a user, the calling one when none is named.
func (s *IAM) GetUser(ctx context.Context, in *iam.GetUserInput) (*iam.GetUserOutput, error) {
	c := caller.From(ctx)
	if in.UserName == nil && c.Type == caller.Root {
		if err := s.permit(ctx, "GetUser", arn.Root(c.Account), nil); err != nil {
			return nil, err
		}
		a, _ := s.Registry.Account(c.Account)
		return &iam.GetUserOutput{User: &iam.User{Path: "/", UserName: a.Name, UserId: c.Account, Arn: arn.Root(c.Account), CreateDate: a.Joined}}, nil
	}
	name, err := userName(ctx, in.UserName)
	if err != nil {
		return nil, cmp.Or(s.permit(ctx, "GetUser", "*", nil), err)
	}
	e, err := s.find(ctx, "GetUser", UserKind, name, nil)
	if err != nil {
		return nil, err
	}
	return &iam.GetUserOutput{User: writeUser(e)}, nil
}

// ListUsers lists the users of the account.
func (s *IAM) ListUsers(ctx context.Context, in *iam.ListUsersInput) (*iam.ListUsersOutput, error) {
	c := caller.From(ctx)
	if err := s.permit(ctx, "ListUsers", entityARN(UserKind, c.Account, cmp.Or(deref(in.PathPrefix), "/"), ""), nil); err != nil {
		return nil, err
	}
	shown, truncated, next, err := page(underPath(s.Registry.entitiesOf(c.Account, UserKind), in.PathPrefix), entityKey, in.Marker, in.MaxItems)
	out := &iam.ListUsersOutput{Users: []iam.User{}, IsTruncated: truncated, Marker: next}
	for _, e := range shown {
		out.Users = append(out.Users, listedUser(e))
	}
	return out, err
}

// underPath keeps the entities whose path begins with a prefix.
func underPath(all []*Entity, prefix *string) []*Entity {
	var out []*Entity
	for _, e := range all {
		if strings.HasPrefix(e.Path, deref(prefix)) {
			out = append(out, e)
		}
	}
	return out
}

// UpdateUser renames or moves a user, for which the caller needs the right on the old name and on the new one. Sessions of
// the user end; its keys work on.
func (s *IAM) UpdateUser(ctx context.Context, in *iam.UpdateUserInput) (*iam.UpdateUserOutput, error) {
	e, err := s.find(ctx, "UpdateUser", UserKind, in.UserName, nil)
	if err != nil {
		return nil, err
	}
	path, name := cmp.Or(deref(in.NewPath), e.Path), cmp.Or(deref(in.NewUserName), e.Name)
	if err := s.permit(ctx, "UpdateUser", entityARN(UserKind, e.Account, path, name), nil); err != nil {
		return nil, err
	}
	err = s.change(ctx, e, func(tx *store.Tx, now *Entity) error {
		now.Path, now.Name = path, name
		return updateEntity(ctx, tx, now)
	})
	if errors.Is(err, store.ErrConflict) {
		return nil, nameTaken(UserKind, name)
	}
	return &iam.UpdateUserOutput{}, err
}

// DeleteUser deletes a user on which nothing hangs any more.
func (s *IAM) DeleteUser(ctx context.Context, in *iam.DeleteUserInput) (*iam.DeleteUserOutput, error) {
	e, err := s.find(ctx, "DeleteUser", UserKind, in.UserName, nil)
	if err != nil {
		return nil, err
	}
	return &iam.DeleteUserOutput{}, s.remove(ctx, e)
}
