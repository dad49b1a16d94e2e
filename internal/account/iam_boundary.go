package account

import (
	"context"
	"errors"

	"github.com/lakegate/lakegate/internal/api/iam"
	"github.com/lakegate/lakegate/internal/policy"
	"github.com/lakegate/lakegate/internal/store"
)

func writeBoundary(e *Entity) *iam.AttachedPermissionsBoundary {
	if e.Boundary == "" {
		return nil
	}
	return &iam.AttachedPermissionsBoundary{
		PermissionsBoundaryType: new(iam.PermissionsBoundaryAttachmentTypePermissionsBoundaryPolicy), PermissionsBoundaryArn: new(e.Boundary),
	}
}

// checkBoundary sees, inside the transaction that sets it, that a boundary is a managed policy of the account or of AWS.
func (s *IAM) checkBoundary(ctx context.Context, q store.Querier, account, name string) error {
	if name == "" {
		return nil
	}
	err := s.Registry.checkManaged(ctx, q, account, name)
	if errors.Is(err, store.ErrNotFound) {
		return iam.NoSuchEntityException("Scope ARN: " + name + " does not exist or is not attachable.")
	}
	return err
}

// putBoundary sets the boundary of a user or role. iam:PermissionsBoundary is the boundary asked for.
func (s *IAM) putBoundary(ctx context.Context, operation string, kind Kind, name, boundary string) error {
	v := policy.Values{}
	v.Set("iam:PermissionsBoundary", boundary)
	e, err := s.find(ctx, operation, kind, name, v)
	if err != nil {
		return err
	}
	return s.change(ctx, e, func(tx *store.Tx, now *Entity) error {
		if err := s.checkBoundary(ctx, tx, now.Account, boundary); err != nil {
			return err
		}
		now.Boundary = boundary
		return updateEntity(ctx, tx, now)
	})
}

// deleteBoundary frees a user or role of its boundary. iam:PermissionsBoundary is the one that it has.
func (s *IAM) deleteBoundary(ctx context.Context, operation string, kind Kind, name string) error {
	e, err := s.find(ctx, operation, kind, name, nil)
	if err != nil {
		return err
	}
	return s.change(ctx, e, func(tx *store.Tx, now *Entity) error {
		if now.Boundary == "" {
			return iam.NoSuchEntityException("The permissions boundary of " + string(kind) + " " + name + " cannot be found.")
		}
		now.Boundary = ""
		return updateEntity(ctx, tx, now)
	})
}

// PutRolePermissionsBoundary bounds what a role's policies can allow.
func (s *IAM) PutRolePermissionsBoundary(ctx context.Context, in *iam.PutRolePermissionsBoundaryInput) (*iam.PutRolePermissionsBoundaryOutput, error) {
	return &iam.PutRolePermissionsBoundaryOutput{}, s.putBoundary(ctx, "PutRolePermissionsBoundary", RoleKind, in.RoleName, in.PermissionsBoundary)
}

// DeleteRolePermissionsBoundary frees a role of its boundary.
func (s *IAM) DeleteRolePermissionsBoundary(ctx context.Context, in *iam.DeleteRolePermissionsBoundaryInput) (*iam.DeleteRolePermissionsBoundaryOutput, error) {
	return &iam.DeleteRolePermissionsBoundaryOutput{}, s.deleteBoundary(ctx, "DeleteRolePermissionsBoundary", RoleKind, in.RoleName)
}

// PutUserPermissionsBoundary bounds what a user's policies can allow.
func (s *IAM) PutUserPermissionsBoundary(ctx context.Context, in *iam.PutUserPermissionsBoundaryInput) (*iam.PutUserPermissionsBoundaryOutput, error) {
	return &iam.PutUserPermissionsBoundaryOutput{}, s.putBoundary(ctx, "PutUserPermissionsBoundary", UserKind, in.UserName, in.PermissionsBoundary)
}

// DeleteUserPermissionsBoundary frees a user of its boundary.
func (s *IAM) DeleteUserPermissionsBoundary(ctx context.Context, in *iam.DeleteUserPermissionsBoundaryInput) (*iam.DeleteUserPermissionsBoundaryOutput, error) {
	return &iam.DeleteUserPermissionsBoundaryOutput{}, s.deleteBoundary(ctx, "DeleteUserPermissionsBoundary", UserKind, in.UserName)
}
