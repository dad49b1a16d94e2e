package account

import (
	"context"

	"github.com/lakegate/lakegate/internal/api/iam"
	"github.com/lakegate/lakegate/internal/caller"
)

// GetAccountSummary counts what the account has, and tells its quotas.
func (s *IAM) GetAccountSummary(ctx context.Context, _ *iam.GetAccountSummaryInput) (*iam.GetAccountSummaryOutput, error) {
	if err := s.permit(ctx, "GetAccountSummary", "*", nil); err != nil {
		return nil, err
	}
	account := caller.From(ctx).Account
	policies, versions := s.Registry.policiesOf(account), 0
	for _, p := range policies {
		versions += len(p.Versions)
	}
	summary := map[iam.SummaryKeyType]int{
		iam.SummaryKeyTypeUsers: len(s.Registry.entitiesOf(account, UserKind)), iam.SummaryKeyTypeUsersQuota: maxUsers,
		iam.SummaryKeyTypeGroups: len(s.Registry.entitiesOf(account, GroupKind)), iam.SummaryKeyTypeGroupsQuota: maxGroups,
		iam.SummaryKeyTypeRoles: len(s.Registry.entitiesOf(account, RoleKind)), iam.SummaryKeyTypeRolesQuota: maxRoles,
		iam.SummaryKeyTypePolicies: len(policies), iam.SummaryKeyTypePoliciesQuota: maxPolicies, iam.SummaryKeyTypePolicyVersionsInUse: versions,
		iam.SummaryKeyTypeVersionsPerPolicyQuota: maxVersions, iam.SummaryKeyTypePolicySizeQuota: maxManagedPolicy,
		iam.SummaryKeyTypeUserPolicySizeQuota: maxInline[UserKind], iam.SummaryKeyTypeGroupPolicySizeQuota: maxInline[GroupKind],
		iam.SummaryKeyTypeRolePolicySizeQuota: maxInline[RoleKind], iam.SummaryKeyTypeAssumeRolePolicySizeQuota: maxTrustPolicy,
		iam.SummaryKeyTypeAttachedPoliciesPerUserQuota: maxAttached, iam.SummaryKeyTypeAttachedPoliciesPerGroupQuota: maxAttached,
		iam.SummaryKeyTypeAttachedPoliciesPerRoleQuota: maxAttached, iam.SummaryKeyTypeGroupsPerUserQuota: maxGroupsPerUser,
		iam.SummaryKeyTypeAccessKeysPerUserQuota: maxKeysPerUser, iam.SummaryKeyTypeAccountMFAEnabled: 0, iam.SummaryKeyTypeAccountAccessKeysPresent: 0,
		iam.SummaryKeyTypeMFADevices: 0, iam.SummaryKeyTypeMFADevicesInUse: 0, iam.SummaryKeyTypeProviders: 0, iam.SummaryKeyTypeInstanceProfiles: 0,
	}
	out := &iam.GetAccountSummaryOutput{SummaryMap: make(map[string]int, len(summary))}
	for k, n := range summary {
		out.SummaryMap[string(k)] = n
	}
	return out, nil
}

// ListAccountAliases lists none: accounts have no aliases here.
func (s *IAM) ListAccountAliases(ctx context.Context, _ *iam.ListAccountAliasesInput) (*iam.ListAccountAliasesOutput, error) {
	if err := s.permit(ctx, "ListAccountAliases", "*", nil); err != nil {
		return nil, err
	}
	return &iam.ListAccountAliasesOutput{AccountAliases: []string{}, IsTruncated: new(false)}, nil
}
