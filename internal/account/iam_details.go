package account

import (
	"context"
	"slices"

	"github.com/lakegate/lakegate/internal/api/iam"
	"github.com/lakegate/lakegate/internal/caller"
)

// detail is one line of the account's details: an entity or a managed policy, under the key that pages are cut by.
type detail struct {
	key    string
	entity *Entity
	policy *ManagedPolicy
}

// detailKinds are the kinds of detail, in the order in which they are listed; a page goes on from one to the next.
var detailKinds = []iam.EntityType{
	iam.EntityTypeUser, iam.EntityTypeGroup, iam.EntityTypeRole, iam.EntityTypeLocalManagedPolicy, iam.EntityTypeAWSManagedPolicy,
}

// GetAccountAuthorizationDetails is everything of IAM that the account has: who there is, and which policies they have. Of
// AWS's policies those are listed that somebody has.
func (s *IAM) GetAccountAuthorizationDetails(ctx context.Context, in *iam.GetAccountAuthorizationDetailsInput) (*iam.GetAccountAuthorizationDetailsOutput, error) {
	if err := s.permit(ctx, "GetAccountAuthorizationDetails", "*", nil); err != nil {
		return nil, err
	}
	account := caller.From(ctx).Account
	attached, bounding := s.Registry.usage(account)
	var all []detail
	for i, kind := range detailKinds {
		if len(in.Filter) > 0 && !slices.Contains(in.Filter, kind) {
			continue
		}
		before := string(rune('0'+i)) + " "
		switch kind {
		case iam.EntityTypeLocalManagedPolicy, iam.EntityTypeAWSManagedPolicy:
			policies := s.Registry.policiesOf(account)
			if kind == iam.EntityTypeAWSManagedPolicy {
				policies = s.Registry.usedOfAWS(attached, bounding)
			}
			slices.SortFunc(policies, comparePolicies)
			for _, p := range policies {
				all = append(all, detail{key: before + policyKey(p), policy: p})
			}
		default:
			for _, e := range s.Registry.entitiesOf(account, entityKinds[kind]) {
				all = append(all, detail{key: before + entityKey(e), entity: e})
			}
		}
	}
	shown, truncated, next, err := page(all, func(d detail) string { return d.key }, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	out := &iam.GetAccountAuthorizationDetailsOutput{
		UserDetailList: []iam.UserDetail{}, GroupDetailList: []iam.GroupDetail{}, RoleDetailList: []iam.RoleDetail{}, Policies: []iam.ManagedPolicyDetail{},
		IsTruncated: truncated, Marker: next,
	}
	for _, d := range shown {
		switch {
		case d.policy != nil:
			out.Policies = append(out.Policies, policyDetail(d.policy, attached[d.policy.ARN], bounding[d.policy.ARN]))
		case d.entity.Kind == UserKind:
			out.UserDetailList = append(out.UserDetailList, s.userDetail(d.entity))
		case d.entity.Kind == GroupKind:
			out.GroupDetailList = append(out.GroupDetailList, s.groupDetail(d.entity))
		default:
			out.RoleDetailList = append(out.RoleDetailList, s.roleDetail(d.entity))
		}
	}
	return out, nil
}

var entityKinds = map[iam.EntityType]Kind{iam.EntityTypeUser: UserKind, iam.EntityTypeGroup: GroupKind, iam.EntityTypeRole: RoleKind}

// usedOfAWS are the managed policies of AWS's that somebody of an account has.
func (r *Registry) usedOfAWS(attached, bounding map[string]int) []*ManagedPolicy {
	var used []*ManagedPolicy
	for name, p := range r.aws {
		if attached[name]+bounding[name] > 0 {
			used = append(used, p)
		}
	}
	return used
}

func (s *IAM) userDetail(e *Entity) iam.UserDetail {
	d := iam.UserDetail{
		Path: &e.Path, UserName: &e.Name, UserId: &e.ID, Arn: new(e.ARN()), CreateDate: &e.Created, GroupList: []string{},
		UserPolicyList: inlineDetails(e), AttachedManagedPolicies: writeAttached(s.Registry.attachedTo(e)), PermissionsBoundary: writeBoundary(e), Tags: someTags(e.Tags),
	}
	for _, id := range e.Groups {
		if g, ok := s.Registry.entities.Get(id); ok {
			d.GroupList = append(d.GroupList, g.Name)
		}
	}
	return d
}

func (s *IAM) groupDetail(e *Entity) iam.GroupDetail {
	return iam.GroupDetail{
		Path: &e.Path, GroupName: &e.Name, GroupId: &e.ID, Arn: new(e.ARN()), CreateDate: &e.Created,
		GroupPolicyList: inlineDetails(e), AttachedManagedPolicies: writeAttached(s.Registry.attachedTo(e)),
	}
}

func (s *IAM) roleDetail(e *Entity) iam.RoleDetail {
	return iam.RoleDetail{
		Path: &e.Path, RoleName: &e.Name, RoleId: &e.ID, Arn: new(e.ARN()), CreateDate: &e.Created,
		AssumeRolePolicyDocument: new(escapeDocument(e.Trust.Show(s.Registry.arnOf))), InstanceProfileList: []iam.InstanceProfile{},
		RolePolicyList: inlineDetails(e), AttachedManagedPolicies: writeAttached(s.Registry.attachedTo(e)), PermissionsBoundary: writeBoundary(e), Tags: someTags(e.Tags),
	}
}

func inlineDetails(e *Entity) []iam.PolicyDetail {
	list := []iam.PolicyDetail{}
	for _, p := range e.Inline {
		list = append(list, iam.PolicyDetail{PolicyName: new(p.Name), PolicyDocument: new(escapeDocument(p.Text))})
	}
	return list
}

func policyDetail(p *ManagedPolicy, attached, bounding int) iam.ManagedPolicyDetail {
	d := iam.ManagedPolicyDetail{
		PolicyName: &p.Name, PolicyId: &p.ID, Arn: &p.ARN, Path: &p.Path, DefaultVersionId: versionName(p.Default), AttachmentCount: &attached,
		PermissionsBoundaryUsageCount: &bounding, IsAttachable: new(true), Description: optional(p.Description), CreateDate: &p.Created, UpdateDate: &p.Updated,
		PolicyVersionList: []iam.PolicyVersion{},
	}
	for _, v := range p.Versions {
		shown := writeVersion(p, v)
		shown.Document = new(escapeDocument(v.Text))
		d.PolicyVersionList = append(d.PolicyVersionList, shown)
	}
	return d
}
