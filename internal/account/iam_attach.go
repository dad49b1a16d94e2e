package account

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/lakegate/lakegate/internal/api/iam"
	"github.com/lakegate/lakegate/internal/policy"
	"github.com/lakegate/lakegate/internal/store"
)

func policyValues(arn string) policy.Values {
	v := policy.Values{}
	v.Set("iam:PolicyARN", arn)
	return v
}

// onlyMissing is the error instead of store.ErrNotFound, and nil for any other.
func onlyMissing(err, instead error) error {
	if errors.Is(err, store.ErrNotFound) {
		return instead
	}
	return nil
}

// attach hangs a managed policy on an entity. Doing so again changes nothing.
func (s *IAM) attach(ctx context.Context, operation string, kind Kind, name, arn string) error {
	e, err := s.find(ctx, operation, kind, name, policyValues(arn))
	if err != nil {
		return err
	}
	return s.change(ctx, e, func(tx *store.Tx, now *Entity) error {
		if err := s.Registry.checkManaged(ctx, tx, now.Account, arn); err != nil {
			if errors.Is(err, store.ErrNotFound) {
				return iam.NoSuchEntityException("Policy " + arn + " does not exist or is not attachable.")
			}
			return err
		}
		if slices.Contains(now.Attached, arn) {
			return nil
		}
		if len(now.Attached) >= maxAttached {
			return exceeded("PoliciesPer"+title(kind), maxAttached)
		}
		return attach(ctx, tx, now.ID, arn)
	})
}

func (s *IAM) detach(ctx context.Context, operation string, kind Kind, name, arn string) error {
	e, err := s.find(ctx, operation, kind, name, policyValues(arn))
	if err != nil {
		return err
	}
	err = s.change(ctx, e, func(tx *store.Tx, now *Entity) error { return detach(ctx, tx, now.ID, arn) })
	if errors.Is(err, store.ErrNotFound) {
		return iam.NoSuchEntityException(fmt.Sprintf("Policy %s was not found.", arn))
	}
	return err
}

func (s *IAM) listAttached(ctx context.Context, operation string, kind Kind, name string, prefix, marker *string, asked *int) (list []iam.AttachedPolicy, truncated *bool, next *string, err error) {
	e, err := s.find(ctx, operation, kind, name, nil)
	if err != nil {
		return nil, nil, nil, err
	}
	var attached []*ManagedPolicy
	for _, p := range s.Registry.attachedTo(e) {
		if strings.HasPrefix(p.Path, deref(prefix)) {
			attached = append(attached, p)
		}
	}
	slices.SortFunc(attached, comparePolicies)
	shown, truncated, next, err := page(attached, policyKey, marker, asked)
	return writeAttached(shown), truncated, next, err
}

// attachedTo are the managed policies that are attached to an entity, in the order in which they were.
func (r *Registry) attachedTo(e *Entity) (attached []*ManagedPolicy) {
	for _, name := range e.Attached {
		if p, ok := r.managedPolicy(e.Account, name); ok {
			attached = append(attached, p)
		}
	}
	return attached
}

func writeAttached(policies []*ManagedPolicy) []iam.AttachedPolicy {
	list := []iam.AttachedPolicy{}
	for _, p := range policies {
		list = append(list, iam.AttachedPolicy{PolicyName: new(p.Name), PolicyArn: new(p.ARN)})
	}
	return list
}

// AttachRolePolicy hangs a managed policy on a role.
func (s *IAM) AttachRolePolicy(ctx context.Context, in *iam.AttachRolePolicyInput) (*iam.AttachRolePolicyOutput, error) {
	return &iam.AttachRolePolicyOutput{}, s.attach(ctx, "AttachRolePolicy", RoleKind, in.RoleName, in.PolicyArn)
}

// DetachRolePolicy takes a managed policy from a role.
func (s *IAM) DetachRolePolicy(ctx context.Context, in *iam.DetachRolePolicyInput) (*iam.DetachRolePolicyOutput, error) {
	return &iam.DetachRolePolicyOutput{}, s.detach(ctx, "DetachRolePolicy", RoleKind, in.RoleName, in.PolicyArn)
}

// ListAttachedRolePolicies lists the managed policies of a role.
func (s *IAM) ListAttachedRolePolicies(ctx context.Context, in *iam.ListAttachedRolePoliciesInput) (*iam.ListAttachedRolePoliciesOutput, error) {
	list, truncated, next, err := s.listAttached(ctx, "ListAttachedRolePolicies", RoleKind, in.RoleName, in.PathPrefix, in.Marker, in.MaxItems)
	return &iam.ListAttachedRolePoliciesOutput{AttachedPolicies: list, IsTruncated: truncated, Marker: next}, err
}

// AttachUserPolicy hangs a managed policy on a user.
func (s *IAM) AttachUserPolicy(ctx context.Context, in *iam.AttachUserPolicyInput) (*iam.AttachUserPolicyOutput, error) {
	return &iam.AttachUserPolicyOutput{}, s.attach(ctx, "AttachUserPolicy", UserKind, in.UserName, in.PolicyArn)
}

// DetachUserPolicy takes a managed policy from a user.
func (s *IAM) DetachUserPolicy(ctx context.Context, in *iam.DetachUserPolicyInput) (*iam.DetachUserPolicyOutput, error) {
	return &iam.DetachUserPolicyOutput{}, s.detach(ctx, "DetachUserPolicy", UserKind, in.UserName, in.PolicyArn)
}

// ListAttachedUserPolicies lists the managed policies of a user.
func (s *IAM) ListAttachedUserPolicies(ctx context.Context, in *iam.ListAttachedUserPoliciesInput) (*iam.ListAttachedUserPoliciesOutput, error) {
	list, truncated, next, err := s.listAttached(ctx, "ListAttachedUserPolicies", UserKind, in.UserName, in.PathPrefix, in.Marker, in.MaxItems)
	return &iam.ListAttachedUserPoliciesOutput{AttachedPolicies: list, IsTruncated: truncated, Marker: next}, err
}

// AttachGroupPolicy hangs a managed policy on a group.
func (s *IAM) AttachGroupPolicy(ctx context.Context, in *iam.AttachGroupPolicyInput) (*iam.AttachGroupPolicyOutput, error) {
	return &iam.AttachGroupPolicyOutput{}, s.attach(ctx, "AttachGroupPolicy", GroupKind, in.GroupName, in.PolicyArn)
}

// DetachGroupPolicy takes a managed policy from a group.
func (s *IAM) DetachGroupPolicy(ctx context.Context, in *iam.DetachGroupPolicyInput) (*iam.DetachGroupPolicyOutput, error) {
	return &iam.DetachGroupPolicyOutput{}, s.detach(ctx, "DetachGroupPolicy", GroupKind, in.GroupName, in.PolicyArn)
}

// ListAttachedGroupPolicies lists the managed policies of a group.
func (s *IAM) ListAttachedGroupPolicies(ctx context.Context, in *iam.ListAttachedGroupPoliciesInput) (*iam.ListAttachedGroupPoliciesOutput, error) {
	list, truncated, next, err := s.listAttached(ctx, "ListAttachedGroupPolicies", GroupKind, in.GroupName, in.PathPrefix, in.Marker, in.MaxItems)
	return &iam.ListAttachedGroupPoliciesOutput{AttachedPolicies: list, IsTruncated: truncated, Marker: next}, err
}
