package account

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lakegate/lakegate/internal/api/iam"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/policy"
	"github.com/lakegate/lakegate/internal/store"
)

// writeRole is a role as one operation shows it; lists leave out the boundary and the tags.
func (s *IAM) writeRole(e *Entity) *iam.Role {
	r := s.listedRole(e)
	r.PermissionsBoundary, r.Tags = writeBoundary(e), someTags(e.Tags)
	return &r
}

func (s *IAM) listedRole(e *Entity) iam.Role {
	return iam.Role{
		Path: e.Path, RoleName: e.Name, RoleId: e.ID, Arn: e.ARN(), CreateDate: e.Created,
		AssumeRolePolicyDocument: new(escapeDocument(e.Trust.Show(s.Registry.arnOf))),
		Description:              optional(e.Description), MaxSessionDuration: new(int(e.MaxSession / time.Second)),
	}
}

// readTrust reads a trust policy and finds the ids of the principals that it names.
func (s *IAM) readTrust(text string) (Trust, error) {
	doc, err := policy.Limits{Characters: maxTrustPolicy}.Parse([]byte(text), policy.Trust)
	if errors.Is(err, policy.ErrTooLarge) {
		return Trust{}, exceeded("ACLSizePerRole", maxTrustPolicy)
	}
	if err != nil {
		return Trust{}, malformed(err)
	}
	ids, invalid := s.Registry.ResolvePrincipals(doc)
	if invalid != "" {
		return Trust{}, iam.MalformedPolicyDocumentException(fmt.Sprintf("Invalid principal in policy: %q:%q", "AWS", invalid))
	}
	return newTrust(text, ids), nil
}

// CreateRole makes a role that its trust policy's principals may assume.
func (s *IAM) CreateRole(ctx context.Context, in *iam.CreateRoleInput) (*iam.CreateRoleOutput, error) {
	e := &Entity{
		Kind: RoleKind, ID: newID(idPrefixes[RoleKind]), Account: caller.From(ctx).Account, Path: pathOf(in.Path), Name: in.RoleName,
		Boundary: deref(in.PermissionsBoundary), Created: s.Registry.now(), Description: deref(in.Description),
		MaxSession: time.Duration(cmp.Or(deref(in.MaxSessionDuration), 3600)) * time.Second,
	}
	if err := s.permitNew(ctx, "CreateRole", e, in.Tags); err != nil {
		return nil, err
	}
	err := checkRoleName(e.Path, e.Name)
	if err != nil {
		return nil, err
	}
	if e.Tags, err = readTags(in.Tags); err != nil {
		return nil, err
	}
	if e.Trust, err = s.readTrust(in.AssumeRolePolicyDocument); err != nil {
		return nil, err
	}
	if err := s.create(ctx, e, maxRoles, "RolesPerAccount"); err != nil {
		return nil, err
	}
	return &iam.CreateRoleOutput{Role: s.writeRole(e)}, nil
}

// GetRole shows a role.
func (s *IAM) GetRole(ctx context.Context, in *iam.GetRoleInput) (*iam.GetRoleOutput, error) {
	e, err := s.find(ctx, "GetRole", RoleKind, in.RoleName, nil)
	if err != nil {
		return nil, err
	}
	return &iam.GetRoleOutput{Role: s.writeRole(e)}, nil
}

// ListRoles lists the roles of the account.
func (s *IAM) ListRoles(ctx context.Context, in *iam.ListRolesInput) (*iam.ListRolesOutput, error) {
	c := caller.From(ctx)
	if err := s.permit(ctx, "ListRoles", entityARN(RoleKind, c.Account, cmp.Or(deref(in.PathPrefix), "/"), ""), nil); err != nil {
		return nil, err
	}
	shown, truncated, next, err := page(underPath(s.Registry.entitiesOf(c.Account, RoleKind), in.PathPrefix), entityKey, in.Marker, in.MaxItems)
	out := &iam.ListRolesOutput{Roles: []iam.Role{}, IsTruncated: truncated, Marker: next}
	for _, e := range shown {
		out.Roles = append(out.Roles, s.listedRole(e))
	}
	return out, err
}

// UpdateRole changes the description and the longest session of a role; what is not given stays.
func (s *IAM) UpdateRole(ctx context.Context, in *iam.UpdateRoleInput) (*iam.UpdateRoleOutput, error) {
	e, err := s.find(ctx, "UpdateRole", RoleKind, in.RoleName, nil)
	if err != nil {
		return nil, err
	}
	return &iam.UpdateRoleOutput{}, s.change(ctx, e, func(tx *store.Tx, now *Entity) error {
		if in.Description != nil {
			now.Description = *in.Description
		}
		if in.MaxSessionDuration != nil {
			now.MaxSession = time.Duration(*in.MaxSessionDuration) * time.Second
		}
		return updateEntity(ctx, tx, now)
	})
}

// UpdateRoleDescription changes the description of a role.
func (s *IAM) UpdateRoleDescription(ctx context.Context, in *iam.UpdateRoleDescriptionInput) (*iam.UpdateRoleDescriptionOutput, error) {
	e, err := s.find(ctx, "UpdateRoleDescription", RoleKind, in.RoleName, nil)
	if err != nil {
		return nil, err
	}
	var changed *Entity
	err = s.change(ctx, e, func(tx *store.Tx, now *Entity) error {
		now.Description, changed = in.Description, now
		return updateEntity(ctx, tx, now)
	})
	if err != nil {
		return nil, err
	}
	return &iam.UpdateRoleDescriptionOutput{Role: s.writeRole(changed)}, nil
}

// UpdateAssumeRolePolicy replaces the trust policy of a role. Its running sessions stay.
func (s *IAM) UpdateAssumeRolePolicy(ctx context.Context, in *iam.UpdateAssumeRolePolicyInput) (*iam.UpdateAssumeRolePolicyOutput, error) {
	e, err := s.find(ctx, "UpdateAssumeRolePolicy", RoleKind, in.RoleName, nil)
	if err != nil {
		return nil, err
	}
	trust, err := s.readTrust(in.PolicyDocument)
	if err != nil {
		return nil, err
	}
	return &iam.UpdateAssumeRolePolicyOutput{}, s.change(ctx, e, func(tx *store.Tx, now *Entity) error {
		now.Trust = trust
		return updateEntity(ctx, tx, now)
	})
}

// DeleteRole deletes a role on which nothing hangs any more. Its sessions are refused from then on.
func (s *IAM) DeleteRole(ctx context.Context, in *iam.DeleteRoleInput) (*iam.DeleteRoleOutput, error) {
	e, err := s.find(ctx, "DeleteRole", RoleKind, in.RoleName, nil)
	if err != nil {
		return nil, err
	}
	return &iam.DeleteRoleOutput{}, s.remove(ctx, e)
}

// ListInstanceProfilesForRole lists none: there are no instances here. Clients ask before they delete a role.
func (s *IAM) ListInstanceProfilesForRole(ctx context.Context, in *iam.ListInstanceProfilesForRoleInput) (*iam.ListInstanceProfilesForRoleOutput, error) {
	if _, err := s.find(ctx, "ListInstanceProfilesForRole", RoleKind, in.RoleName, nil); err != nil {
		return nil, err
	}
	return &iam.ListInstanceProfilesForRoleOutput{InstanceProfiles: []iam.InstanceProfile{}, IsTruncated: new(false)}, nil
}
