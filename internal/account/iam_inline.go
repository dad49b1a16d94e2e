package account

import (
	"context"
	"errors"
	"fmt"

	"github.com/lakegate/lakegate/internal/api/iam"
	"github.com/lakegate/lakegate/internal/store"
)

func noInline(kind Kind, name string) error {
	return iam.NoSuchEntityException(fmt.Sprintf("The %s policy with name %s cannot be found.", kind, name))
}

// putInline writes a policy that belongs to one entity.
func (s *IAM) putInline(ctx context.Context, operation string, kind Kind, name, policyName, text string) error {
	e, err := s.find(ctx, operation, kind, name, nil)
	if err != nil {
		return err
	}
	most := maxInline[kind]
	tooLarge := iam.LimitExceededException(fmt.Sprintf("Maximum policy size of %d bytes exceeded for %s %s", most, kind, name))
	doc, err := parseIdentity(text, most, tooLarge)
	if err != nil {
		return err
	}
	return s.change(ctx, e, func(tx *store.Tx, now *Entity) error {
		size := doc.Size()
		for _, p := range now.Inline {
			if p.Name != policyName && p.Document != nil {
				size += p.Document.Size()
			}
		}
		if size > most {
			return tooLarge
		}
		return putInline(ctx, tx, now.ID, policyName, text)
	})
}

// getInline returns the text of a policy, escaped.
func (s *IAM) getInline(ctx context.Context, operation string, kind Kind, name, policyName string) (string, error) {
	e, err := s.find(ctx, operation, kind, name, nil)
	if err != nil {
		return "", err
	}
	for _, p := range e.Inline {
		if p.Name == policyName {
			return escapeDocument(p.Text), nil
		}
	}
	return "", noInline(kind, policyName)
}

func (s *IAM) listInline(ctx context.Context, operation string, kind Kind, name string, marker *string, asked *int) (names []string, truncated *bool, next *string, err error) {
	e, err := s.find(ctx, operation, kind, name, nil)
	if err != nil {
		return nil, nil, nil, err
	}
	shown, truncated, next, err := page(e.Inline, func(p Inline) string { return p.Name }, marker, asked)
	names = []string{}
	for _, p := range shown {
		names = append(names, p.Name)
	}
	return names, truncated, next, err
}

func (s *IAM) deleteInline(ctx context.Context, operation string, kind Kind, name, policyName string) error {
	e, err := s.find(ctx, operation, kind, name, nil)
	if err != nil {
		return err
	}
	err = s.change(ctx, e, func(tx *store.Tx, now *Entity) error { return deleteInline(ctx, tx, now.ID, policyName) })
	if errors.Is(err, store.ErrNotFound) {
		return noInline(kind, policyName)
	}
	return err
}

// PutRolePolicy writes an inline policy of a role.
func (s *IAM) PutRolePolicy(ctx context.Context, in *iam.PutRolePolicyInput) (*iam.PutRolePolicyOutput, error) {
	return &iam.PutRolePolicyOutput{}, s.putInline(ctx, "PutRolePolicy", RoleKind, in.RoleName, in.PolicyName, in.PolicyDocument)
}

// GetRolePolicy shows an inline policy of a role.
func (s *IAM) GetRolePolicy(ctx context.Context, in *iam.GetRolePolicyInput) (*iam.GetRolePolicyOutput, error) {
	text, err := s.getInline(ctx, "GetRolePolicy", RoleKind, in.RoleName, in.PolicyName)
	return &iam.GetRolePolicyOutput{RoleName: in.RoleName, PolicyName: in.PolicyName, PolicyDocument: text}, err
}

// ListRolePolicies lists the inline policies of a role.
func (s *IAM) ListRolePolicies(ctx context.Context, in *iam.ListRolePoliciesInput) (*iam.ListRolePoliciesOutput, error) {
	names, truncated, next, err := s.listInline(ctx, "ListRolePolicies", RoleKind, in.RoleName, in.Marker, in.MaxItems)
	return &iam.ListRolePoliciesOutput{PolicyNames: names, IsTruncated: truncated, Marker: next}, err
}

// DeleteRolePolicy deletes an inline policy of a role.
func (s *IAM) DeleteRolePolicy(ctx context.Context, in *iam.DeleteRolePolicyInput) (*iam.DeleteRolePolicyOutput, error) {
	return &iam.DeleteRolePolicyOutput{}, s.deleteInline(ctx, "DeleteRolePolicy", RoleKind, in.RoleName, in.PolicyName)
}

// PutUserPolicy writes an inline policy of a user.
func (s *IAM) PutUserPolicy(ctx context.Context, in *iam.PutUserPolicyInput) (*iam.PutUserPolicyOutput, error) {
	return &iam.PutUserPolicyOutput{}, s.putInline(ctx, "PutUserPolicy", UserKind, in.UserName, in.PolicyName, in.PolicyDocument)
}

// GetUserPolicy shows an inline policy of a user.
func (s *IAM) GetUserPolicy(ctx context.Context, in *iam.GetUserPolicyInput) (*iam.GetUserPolicyOutput, error) {
	text, err := s.getInline(ctx, "GetUserPolicy", UserKind, in.UserName, in.PolicyName)
	return &iam.GetUserPolicyOutput{UserName: in.UserName, PolicyName: in.PolicyName, PolicyDocument: text}, err
}

// ListUserPolicies lists the inline policies of a user.
func (s *IAM) ListUserPolicies(ctx context.Context, in *iam.ListUserPoliciesInput) (*iam.ListUserPoliciesOutput, error) {
	names, truncated, next, err := s.listInline(ctx, "ListUserPolicies", UserKind, in.UserName, in.Marker, in.MaxItems)
	return &iam.ListUserPoliciesOutput{PolicyNames: names, IsTruncated: truncated, Marker: next}, err
}

// DeleteUserPolicy deletes an inline policy of a user.
func (s *IAM) DeleteUserPolicy(ctx context.Context, in *iam.DeleteUserPolicyInput) (*iam.DeleteUserPolicyOutput, error) {
	return &iam.DeleteUserPolicyOutput{}, s.deleteInline(ctx, "DeleteUserPolicy", UserKind, in.UserName, in.PolicyName)
}

// PutGroupPolicy writes an inline policy of a group.
func (s *IAM) PutGroupPolicy(ctx context.Context, in *iam.PutGroupPolicyInput) (*iam.PutGroupPolicyOutput, error) {
	return &iam.PutGroupPolicyOutput{}, s.putInline(ctx, "PutGroupPolicy", GroupKind, in.GroupName, in.PolicyName, in.PolicyDocument)
}

// GetGroupPolicy shows an inline policy of a group.
func (s *IAM) GetGroupPolicy(ctx context.Context, in *iam.GetGroupPolicyInput) (*iam.GetGroupPolicyOutput, error) {
	text, err := s.getInline(ctx, "GetGroupPolicy", GroupKind, in.GroupName, in.PolicyName)
	return &iam.GetGroupPolicyOutput{GroupName: in.GroupName, PolicyName: in.PolicyName, PolicyDocument: text}, err
}

// ListGroupPolicies lists the inline policies of a group.
func (s *IAM) ListGroupPolicies(ctx context.Context, in *iam.ListGroupPoliciesInput) (*iam.ListGroupPoliciesOutput, error) {
	names, truncated, next, err := s.listInline(ctx, "ListGroupPolicies", GroupKind, in.GroupName, in.Marker, in.MaxItems)
	return &iam.ListGroupPoliciesOutput{PolicyNames: names, IsTruncated: truncated, Marker: next}, err
}

// DeleteGroupPolicy deletes an inline policy of a group.
func (s *IAM) DeleteGroupPolicy(ctx context.Context, in *iam.DeleteGroupPolicyInput) (*iam.DeleteGroupPolicyOutput, error) {
	return &iam.DeleteGroupPolicyOutput{}, s.deleteInline(ctx, "DeleteGroupPolicy", GroupKind, in.GroupName, in.PolicyName)
}
