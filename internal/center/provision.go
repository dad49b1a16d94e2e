package center

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/lakegate/lakegate/internal/account"
	"github.com/lakegate/lakegate/internal/api/ssoadmin"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/trail"
)

// roleType is what the trail calls the roles. Their accounts get a copy of the record.
const roleType = "AWS::IAM::Role"

// provision makes the role of a permission set in an account, or brings it up to date. failure says what the account
// lacks; then nothing was written, and the transaction can go on.
func (s *Service) provision(ctx context.Context, tx *store.Tx, i *Instance, p *PermissionSet, target string) (failure string, err error) {
	now, err := readProvision(ctx, tx, Provision{Set: p.ARN, Account: target}.key())
	if err != nil && !isNotFound(err) {
		return "", err
	}
	if err == nil && now.Version == p.Version {
		// Nothing is to be written, so that nothing looks at the account.
		if a, ok := s.Center.roles.Account(target); !ok || a.Status != account.Active {
			return "Account " + target + " is suspended.", nil
		}
		return "", nil
	}
	want, err := p.roleIn(i, target, s.Center.region, now.Role)
	if err != nil {
		return "", err
	}
	role, err := s.Center.roles.PutReservedRole(ctx, tx, want)
	if unmet, ok := errors.AsType[*account.UnmetError](err); ok {
		return unmet.Reason, nil
	}
	if err != nil {
		return "", err
	}
	trail.From(ctx).Resource(roleType, role.ARN, target)
	return "", putProvision(ctx, tx, Provision{Set: p.ARN, Account: target, Role: role.ID, Version: p.Version})
}

// withdraw removes the role of a permission set from an account in which it is assigned to nobody any more.
func (s *Service) withdraw(ctx context.Context, tx *store.Tx, set, target string) error {
	n, err := countAccountAssignments(ctx, tx, set, target)
	if err != nil || n > 0 {
		return err
	}
	now, err := readProvision(ctx, tx, Provision{Set: set, Account: target}.key())
	if isNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := deleteProvision(ctx, tx, now); err != nil {
		return err
	}
	if role, ok := s.Center.roles.RoleByID(now.Role); ok {
		trail.From(ctx).Resource(roleType, role.ARN, target)
	}
	return s.Center.roles.DeleteReservedRole(ctx, tx, now.Role)
}

// ProvisionPermissionSet brings the roles of a permission set up to date: in one account, or in all where it is
// provisioned. An account that lacks what the set needs keeps the role as it was, and the request has failed.
func (s *Service) ProvisionPermissionSet(ctx context.Context, in *ssoadmin.ProvisionPermissionSetInput) (*ssoadmin.ProvisionPermissionSetOutput, error) {
	const op = "ProvisionPermissionSet"
	i, p, err := s.permissionSet(ctx, op, in.InstanceArn, in.PermissionSetArn)
	if err != nil {
		return nil, err
	}
	one := in.TargetType == ssoadmin.ProvisionTargetTypeAWSACCOUNT
	if one != (in.TargetId != nil) {
		return nil, ssoadmin.ValidationException("TargetId names the account where TargetType is AWS_ACCOUNT, and is left out where it is ALL_PROVISIONED_ACCOUNTS.")
	}
	target := value(in.TargetId)
	if one {
		if err := s.onAccount(ctx, op, i, target); err != nil {
			return nil, err
		}
	}
	o := s.newOperation(i, kindProvisioning, AccountAssignment{Set: p.ARN, Account: target})
	err = s.change(ctx, "PermissionSet with ARN "+p.ARN, func(tx *store.Tx) error {
		o.status, o.failure = succeeded, ""
		now, err := readPermissionSet(ctx, tx, p.ARN)
		if err != nil {
			return err
		}
		if err := s.mayChange(ctx, tx, op, i, p.ARN); err != nil {
			return err
		}
		all, err := provisionsOf(ctx, tx, p.ARN)
		if err != nil {
			return err
		}
		if one {
			all = slices.DeleteFunc(all, func(x Provision) bool { return x.Account != target })
			if len(all) == 0 {
				return ssoadmin.ResourceNotFoundException("PermissionSet with id " + p.id() + " is not provisioned in account " + target + ".")
			}
		}
		var failures []string
		for _, x := range all {
			failure, err := s.provision(ctx, tx, i, now, x.Account)
			if err != nil {
				return err
			}
			if failure != "" {
				failures = append(failures, x.Account+": "+failure)
			}
		}
		o.fail(strings.Join(failures, " "))
		return insertOperation(ctx, tx, o)
	})
	if err != nil {
		return nil, err
	}
	o.note(ctx)
	return &ssoadmin.ProvisionPermissionSetOutput{PermissionSetProvisioningStatus: o.begun().writeProvisioning()}, nil
}

// onAccount authorises an operation on an account as a target and sees that it is one of the organization.
func (s *Service) onAccount(ctx context.Context, op string, i *Instance, target string) error {
	if err := s.authorize(ctx, question{op: op, resources: []string{accountARN(target)}}); err != nil {
		return err
	}
	if home := s.Accounts.OrganizationOf(ctx, i.Account); home == "" || s.Accounts.OrganizationOf(ctx, target) != home {
		return ssoadmin.ResourceNotFoundException("Could not find account " + target + " in the organization.")
	}
	return nil
}

// latest reports whether a role was made from the set as it is now.
func (c *Center) latest(p Provision) bool {
	set, ok := c.access.sets.Get(p.Set)
	return ok && set.Version == p.Version
}

// provisions lists what is provisioned, as far as asked for: keys by key, in order.
func (s *Service) provisions(status *ssoadmin.ProvisioningStatus, is func(Provision) bool, key func(Provision) string) []string {
	out := []string{}
	for _, p := range s.Center.access.provisions.Each() {
		wanted := status == nil || (*status == ssoadmin.ProvisioningStatusLATESTPERMISSIONSETPROVISIONED) == s.Center.latest(p)
		if wanted && is(p) {
			out = append(out, key(p))
		}
	}
	slices.Sort(out)
	return out
}

// ListAccountsForProvisionedPermissionSet lists the accounts in which a permission set is provisioned.
func (s *Service) ListAccountsForProvisionedPermissionSet(ctx context.Context, in *ssoadmin.ListAccountsForProvisionedPermissionSetInput) (*ssoadmin.ListAccountsForProvisionedPermissionSetOutput, error) {
	_, p, err := s.permissionSet(ctx, "ListAccountsForProvisionedPermissionSet", in.InstanceArn, in.PermissionSetArn)
	if err != nil {
		return nil, err
	}
	all := s.provisions(in.ProvisioningStatus, func(x Provision) bool { return x.Set == p.ARN }, func(x Provision) string { return x.Account })
	shown, next, err := page("provisioned "+p.ARN, all, func(id string) string { return id }, in.MaxResults, maxPage, in.NextToken)
	return &ssoadmin.ListAccountsForProvisionedPermissionSetOutput{AccountIds: shown, NextToken: next}, err
}

// ListPermissionSetsProvisionedToAccount lists the permission sets that are provisioned in an account.
func (s *Service) ListPermissionSetsProvisionedToAccount(ctx context.Context, in *ssoadmin.ListPermissionSetsProvisionedToAccountInput) (*ssoadmin.ListPermissionSetsProvisionedToAccountOutput, error) {
	const op = "ListPermissionSetsProvisionedToAccount"
	i, err := s.organization(ctx, op, in.InstanceArn, nil)
	if err != nil {
		return nil, err
	}
	if err := s.onAccount(ctx, op, i, in.AccountId); err != nil {
		return nil, err
	}
	all := s.provisions(in.ProvisioningStatus, func(x Provision) bool {
		set, ok := s.Center.PermissionSet(x.Set)
		return ok && set.Instance == i.ARN && x.Account == in.AccountId
	}, func(x Provision) string { return x.Set })
	shown, next, err := page("provisioned "+in.AccountId, all, func(arn string) string { return arn }, in.MaxResults, maxPage, in.NextToken)
	return &ssoadmin.ListPermissionSetsProvisionedToAccountOutput{PermissionSets: shown, NextToken: next}, err
}
