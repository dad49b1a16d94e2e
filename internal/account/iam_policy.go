package account

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/lakegate/lakegate/internal/api/iam"
	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/policy"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/trail"
)

// policyKey orders managed policies: AWS's first, then by name, which is unique in an account.
func policyKey(p *ManagedPolicy) string {
	if p.Account == awsAccount {
		return "0 " + nameKey(p.Name)
	}
	return "1 " + nameKey(p.Name)
}

func comparePolicies(a, b *ManagedPolicy) int { return strings.Compare(policyKey(a), policyKey(b)) }

// usage counts how often each policy is attached, and how often it bounds, in one account.
func (r *Registry) usage(account string) (attached, bounding map[string]int) {
	attached, bounding = map[string]int{}, map[string]int{}
	for _, kind := range []Kind{UserKind, GroupKind, RoleKind} {
		for _, e := range r.entitiesOf(account, kind) {
			for _, name := range e.Attached {
				attached[name]++
			}
			if e.Boundary != "" {
				bounding[e.Boundary]++
			}
		}
	}
	return attached, bounding
}

func versionName(number int) *string { return new(fmt.Sprintf("v%d", number)) }

func writePolicy(p *ManagedPolicy, attached, bounding int) iam.Policy {
	return iam.Policy{
		PolicyName: new(p.Name), PolicyId: new(p.ID), Arn: new(p.ARN), Path: new(p.Path), DefaultVersionId: versionName(p.Default),
		AttachmentCount: new(attached), PermissionsBoundaryUsageCount: new(bounding), IsAttachable: new(true),
		CreateDate: new(p.Created), UpdateDate: new(p.Updated),
	}
}

// writeVersion is a version; lists leave out the document.
func writeVersion(p *ManagedPolicy, v PolicyVersion) iam.PolicyVersion {
	return iam.PolicyVersion{VersionId: versionName(v.Number), IsDefaultVersion: new(v.Number == p.Default), CreateDate: new(v.Created)}
}

// findPolicy authorises an operation on a managed policy and finds it. Reading reaches AWS's policies as well. What
// another account has is refused as if it did not exist.
func (s *IAM) findPolicy(ctx context.Context, operation, name string, reading bool, v policy.Values) (*ManagedPolicy, error) {
	account := caller.From(ctx).Account
	a, err := arn.Parse(name)
	valid := err == nil && a.Service == "iam" && a.Region == "" && strings.HasPrefix(a.Resource, "policy/")
	owner := account
	if valid && a.Account != account && (a.Account != awsAccount || !reading) {
		owner = a.Account
	}
	p, found := s.Registry.managedPolicy(account, name)
	keys := policy.Values{}
	if found {
		setResourceTags(keys, p.Tags)
	}
	for k, values := range v {
		keys.Set(k, values...)
	}
	if err := s.permitOf(ctx, operation, name, owner, keys); err != nil {
		return nil, err
	}
	if !valid {
		return nil, iam.InvalidInputException("ARN " + name + " is not valid.")
	}
	trail.From(ctx).Resource("AWS::IAM::Policy", name, account)
	if !found {
		return nil, noPolicy(name)
	}
	return p, nil
}

func noPolicy(name string) error {
	return iam.NoSuchEntityException("Policy " + name + " was not found.")
}

func noVersion(name, version string) error {
	return iam.NoSuchEntityException(fmt.Sprintf("Policy %s version %s does not exist or is not attachable.", name, version))
}

// changePolicy runs do on a policy as it is inside a transaction.
func (s *IAM) changePolicy(ctx context.Context, name string, do func(tx *store.Tx, now *ManagedPolicy) error) error {
	err := s.Registry.db.Update(ctx, func(tx *store.Tx) error {
		now, err := readPolicy(ctx, tx, name)
		if errors.Is(err, store.ErrNotFound) {
			return noPolicy(name)
		}
		if err != nil {
			return err
		}
		return do(tx, now)
	})
	if err != nil {
		return fmt.Errorf("change policy %s: %w", name, err)
	}
	return nil
}

func parseManaged(text string) (*policy.Document, error) {
	return parseIdentity(text, maxManagedPolicy, exceeded("PolicySize", maxManagedPolicy))
}

// CreatePolicy makes a managed policy with its first version.
func (s *IAM) CreatePolicy(ctx context.Context, in *iam.CreatePolicyInput) (*iam.CreatePolicyOutput, error) {
	account, at, path := caller.From(ctx).Account, s.Registry.now(), pathOf(in.Path)
	p := &ManagedPolicy{
		ARN: policyARN(account, path, in.PolicyName), ID: newID(policyPrefix), Account: account, Path: path, Name: in.PolicyName,
		Description: deref(in.Description), Created: at, Updated: at, Default: 1, Last: 1,
	}
	v := policy.Values{}
	setRequestTags(v, in.Tags)
	if err := s.permit(ctx, "CreatePolicy", p.ARN, v); err != nil {
		return nil, err
	}
	doc, err := parseManaged(in.PolicyDocument)
	if err != nil {
		return nil, err
	}
	if p.Tags, err = readTags(in.Tags); err != nil {
		return nil, err
	}
	err = s.Registry.db.Update(ctx, func(tx *store.Tx) error {
		n, err := countPolicies(ctx, tx, account)
		if err != nil {
			return err
		}
		if n >= maxPolicies {
			return exceeded("PoliciesPerAccount", maxPolicies)
		}
		if err := insertPolicy(ctx, tx, p); err != nil {
			return err
		}
		return insertVersion(ctx, tx, p.ARN, PolicyVersion{Number: 1, Text: in.PolicyDocument, Document: doc, Created: at})
	})
	if errors.Is(err, store.ErrConflict) {
		return nil, iam.EntityAlreadyExistsException("A policy called " + in.PolicyName + " already exists. Duplicate names are not allowed.")
	}
	if err != nil {
		return nil, fmt.Errorf("create policy %s: %w", p.ARN, err)
	}
	trail.From(ctx).Resource("AWS::IAM::Policy", p.ARN, account)
	out := writePolicy(p, 0, 0)
	out.Tags = someTags(p.Tags)
	return &iam.CreatePolicyOutput{Policy: &out}, nil
}

// GetPolicy shows a managed policy without its text.
func (s *IAM) GetPolicy(ctx context.Context, in *iam.GetPolicyInput) (*iam.GetPolicyOutput, error) {
	p, err := s.findPolicy(ctx, "GetPolicy", in.PolicyArn, true, nil)
	if err != nil {
		return nil, err
	}
	attached, bounding := s.Registry.usage(caller.From(ctx).Account)
	out := writePolicy(p, attached[p.ARN], bounding[p.ARN])
	out.Description, out.Tags = optional(p.Description), writeTags(p.Tags)
	return &iam.GetPolicyOutput{Policy: &out}, nil
}

// ListPolicies lists the account's managed policies and AWS's.
func (s *IAM) ListPolicies(ctx context.Context, in *iam.ListPoliciesInput) (*iam.ListPoliciesOutput, error) {
	account := caller.From(ctx).Account
	if err := s.permit(ctx, "ListPolicies", policyARN(account, cmp.Or(deref(in.PathPrefix), "/"), ""), nil); err != nil {
		return nil, err
	}
	var all []*ManagedPolicy
	if scope := deref(in.Scope); scope != iam.PolicyScopeTypeLocal {
		for _, p := range s.Registry.aws {
			all = append(all, p)
		}
	}
	if scope := deref(in.Scope); scope != iam.PolicyScopeTypeAWS {
		all = append(all, s.Registry.policiesOf(account)...)
	}
	attached, bounding := s.Registry.usage(account)
	all = slices.DeleteFunc(all, func(p *ManagedPolicy) bool {
		used := attached[p.ARN] + bounding[p.ARN]
		switch deref(in.PolicyUsageFilter) {
		case iam.PolicyUsageTypePermissionsPolicy:
			used = attached[p.ARN]
		case iam.PolicyUsageTypePermissionsBoundary:
			used = bounding[p.ARN]
		}
		return !strings.HasPrefix(p.Path, deref(in.PathPrefix)) || (deref(in.OnlyAttached) || in.PolicyUsageFilter != nil) && used == 0
	})
	slices.SortFunc(all, comparePolicies)
	shown, truncated, next, err := page(all, policyKey, in.Marker, in.MaxItems)
	out := &iam.ListPoliciesOutput{Policies: []iam.Policy{}, IsTruncated: truncated, Marker: next}
	for _, p := range shown {
		out.Policies = append(out.Policies, writePolicy(p, attached[p.ARN], bounding[p.ARN]))
	}
	return out, err
}

// ListEntitiesForPolicy lists the users, groups and roles of the account that have a policy, or are bounded by it.
func (s *IAM) ListEntitiesForPolicy(ctx context.Context, in *iam.ListEntitiesForPolicyInput) (*iam.ListEntitiesForPolicyOutput, error) {
	p, err := s.findPolicy(ctx, "ListEntitiesForPolicy", in.PolicyArn, true, nil)
	if err != nil {
		return nil, err
	}
	kinds := []Kind{GroupKind, RoleKind, UserKind} // in the order of the keys below
	switch deref(in.EntityFilter) {
	case iam.EntityTypeUser:
		kinds = []Kind{UserKind}
	case iam.EntityTypeRole:
		kinds = []Kind{RoleKind}
	case iam.EntityTypeGroup:
		kinds = []Kind{GroupKind}
	}
	var users []*Entity
	for _, kind := range kinds {
		for _, e := range underPath(s.Registry.entitiesOf(caller.From(ctx).Account, kind), in.PathPrefix) {
			attached := slices.Contains(e.Attached, p.ARN) && deref(in.PolicyUsageFilter) != iam.PolicyUsageTypePermissionsBoundary
			bounding := e.Boundary == p.ARN && deref(in.PolicyUsageFilter) != iam.PolicyUsageTypePermissionsPolicy
			if attached || bounding {
				users = append(users, e)
			}
		}
	}
	shown, truncated, next, err := page(users, func(e *Entity) string { return string(e.Kind) + " " + nameKey(e.Name) }, in.Marker, in.MaxItems)
	out := &iam.ListEntitiesForPolicyOutput{
		PolicyGroups: []iam.PolicyGroup{}, PolicyRoles: []iam.PolicyRole{}, PolicyUsers: []iam.PolicyUser{}, IsTruncated: truncated, Marker: next,
	}
	for _, e := range shown {
		switch e.Kind {
		case GroupKind:
			out.PolicyGroups = append(out.PolicyGroups, iam.PolicyGroup{GroupName: new(e.Name), GroupId: new(e.ID)})
		case RoleKind:
			out.PolicyRoles = append(out.PolicyRoles, iam.PolicyRole{RoleName: new(e.Name), RoleId: new(e.ID)})
		case UserKind:
			out.PolicyUsers = append(out.PolicyUsers, iam.PolicyUser{UserName: new(e.Name), UserId: new(e.ID)})
		}
	}
	return out, err
}

// DeletePolicy deletes a policy that is used nowhere and has no version but the one in effect.
func (s *IAM) DeletePolicy(ctx context.Context, in *iam.DeletePolicyInput) (*iam.DeletePolicyOutput, error) {
	p, err := s.findPolicy(ctx, "DeletePolicy", in.PolicyArn, false, nil)
	if err != nil {
		return nil, err
	}
	return &iam.DeletePolicyOutput{}, s.changePolicy(ctx, p.ARN, func(tx *store.Tx, now *ManagedPolicy) error {
		attached, bounding, err := policyUses(ctx, tx, now.ARN)
		switch {
		case err != nil:
			return err
		case attached+bounding > 0:
			return iam.DeleteConflictException("Cannot delete a policy attached to entities.")
		case len(now.Versions) > 1:
			return iam.DeleteConflictException("This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.")
		}
		return deletePolicy(ctx, tx, now.ARN)
	})
}

// TagPolicy puts tags on a managed policy.
func (s *IAM) TagPolicy(ctx context.Context, in *iam.TagPolicyInput) (*iam.TagPolicyOutput, error) {
	v := policy.Values{}
	setRequestTags(v, in.Tags)
	p, err := s.findPolicy(ctx, "TagPolicy", in.PolicyArn, false, v)
	if err != nil {
		return nil, err
	}
	tags, err := readTags(in.Tags)
	if err != nil {
		return nil, err
	}
	return &iam.TagPolicyOutput{}, s.changePolicy(ctx, p.ARN, func(tx *store.Tx, now *ManagedPolicy) error {
		now.Tags = mergeTags(now.Tags, tags)
		if err := checkTagCount(now.Tags); err != nil {
			return err
		}
		return updatePolicy(ctx, tx, now)
	})
}

// UntagPolicy removes tags from a managed policy.
func (s *IAM) UntagPolicy(ctx context.Context, in *iam.UntagPolicyInput) (*iam.UntagPolicyOutput, error) {
	v := policy.Values{}
	setRequestTags(v, nil, in.TagKeys...)
	p, err := s.findPolicy(ctx, "UntagPolicy", in.PolicyArn, false, v)
	if err != nil {
		return nil, err
	}
	return &iam.UntagPolicyOutput{}, s.changePolicy(ctx, p.ARN, func(tx *store.Tx, now *ManagedPolicy) error {
		now.Tags = removeTags(now.Tags, in.TagKeys)
		return updatePolicy(ctx, tx, now)
	})
}

// ListPolicyTags lists the tags of a managed policy.
func (s *IAM) ListPolicyTags(ctx context.Context, in *iam.ListPolicyTagsInput) (*iam.ListPolicyTagsOutput, error) {
	p, err := s.findPolicy(ctx, "ListPolicyTags", in.PolicyArn, true, nil)
	if err != nil {
		return nil, err
	}
	out := &iam.ListPolicyTagsOutput{}
	out.Tags, out.IsTruncated, out.Marker, err = pageOfTags(p.Tags, in.Marker, in.MaxItems)
	return out, err
}
