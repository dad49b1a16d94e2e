package center

import (
	"cmp"
	"context"

	"github.com/lakegate/lakegate/internal/api/ssoadmin"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/trail"
)

// organization authorises an operation on permission sets or account assignments and finds the instance. Only the
// organization's instance has any, and only its owner and a delegated administrator see them. tags are those that the
// request brings.
func (s *Service) organization(ctx context.Context, op, arn string, tags map[string]string) (*Instance, error) {
	i, known := s.Center.Instance(arn)
	q := question{op: op, resources: []string{arn}, request: tags}
	if known {
		q.tags = i.Tags
	}
	if err := s.authorize(ctx, q); err != nil {
		return nil, err
	}
	if !known {
		return nil, denied(ctx, op, arn, "there is no such instance")
	}
	if err := s.within(ctx, op, arn, i, delegate); err != nil {
		return nil, err
	}
	if !i.Organization || s.Center.roles == nil {
		return nil, ssoadmin.ValidationException("The operation is not supported for this instance. Permission sets and account assignments need an organization instance of IAM Identity Center.")
	}
	return i, nil
}

// permissionSet authorises an operation on a permission set and finds it.
func (s *Service) permissionSet(ctx context.Context, op, instance, arn string) (*Instance, *PermissionSet, error) {
	i, err := s.organization(ctx, op, instance, nil)
	if err != nil {
		return nil, nil, err
	}
	p, known := s.Center.PermissionSet(arn)
	q := question{op: op, resources: []string{arn}}
	if known {
		q.tags = p.Tags
	}
	if err := s.authorize(ctx, q); err != nil {
		return nil, nil, err
	}
	if !known || p.Instance != i.ARN {
		return nil, nil, noPermissionSet(arn)
	}
	trail.From(ctx).Resource("AWS::SSO::PermissionSet", arn, i.Account)
	return i, p, nil
}

func noPermissionSet(arn string) error {
	return ssoadmin.ResourceNotFoundException("Could not find PermissionSet with ARN " + arn)
}

// changePermissionSet runs do on a permission set as it is inside a transaction. do reports whether it changed something
// that roles have to be brought up to date with; the set then has a next version, and its roles are the old one's until it
// is provisioned again.
func (s *Service) changePermissionSet(ctx context.Context, op string, i *Instance, arn string, do func(tx *store.Tx, now *PermissionSet) (bool, error)) error {
	return s.change(ctx, "PermissionSet with ARN "+arn, func(tx *store.Tx) error {
		now, err := readPermissionSet(ctx, tx, arn)
		if err != nil {
			return err
		}
		if err := s.mayChange(ctx, tx, op, i, arn); err != nil {
			return err
		}
		changed, err := do(tx, now)
		if err != nil || !changed {
			return err
		}
		return updatePermissionSet(ctx, tx, now)
	})
}

// mayChange keeps a delegated administrator from the permission sets that are provisioned in the management account: who
// could write their policies would get into it.
func (s *Service) mayChange(ctx context.Context, q store.Querier, op string, i *Instance, arn string) error {
	if caller.From(ctx).Account == i.Account {
		return nil
	}
	_, err := readProvision(ctx, q, Provision{Set: arn, Account: i.Account}.key())
	switch {
	case err == nil:
		return denied(ctx, op, arn, "only the management account changes permission sets that are provisioned in the management account")
	case isNotFound(err):
		return nil
	}
	return err
}

// mayReachInto keeps a delegated administrator from the management account itself.
func (s *Service) mayReachInto(ctx context.Context, op string, i *Instance, account string) error {
	if account == i.Account && caller.From(ctx).Account != i.Account {
		return denied(ctx, op, accountARN(account), "only the management account assigns access to the management account")
	}
	return nil
}

func (p *PermissionSet) write() *ssoadmin.PermissionSet {
	return &ssoadmin.PermissionSet{
		PermissionSetArn: &p.ARN, Name: &p.Name, Description: optional(p.Description), SessionDuration: &p.Duration, RelayState: optional(p.RelayState), CreatedDate: &p.Created,
	}
}

// CreatePermissionSet makes a permission set without policies.
func (s *Service) CreatePermissionSet(ctx context.Context, in *ssoadmin.CreatePermissionSetInput) (*ssoadmin.CreatePermissionSetOutput, error) {
	const op = "CreatePermissionSet"
	tags, err := readTagList(in.Tags)
	if err != nil {
		return nil, err
	}
	i, err := s.organization(ctx, op, in.InstanceArn, tags)
	if err != nil {
		return nil, err
	}
	p := &PermissionSet{
		ARN: permissionSetARN(i, randomHex(16)), Instance: i.ARN, Name: in.Name, Description: value(in.Description),
		Duration: cmp.Or(value(in.SessionDuration), usualSession), RelayState: value(in.RelayState), Version: 1, Created: s.Center.db.Now(), Tags: tags,
	}
	if _, err := readDuration(p.Duration); err != nil {
		return nil, err
	}
	most := s.Center.quotas.PermissionSets
	err = s.change(ctx, "instance "+i.ARN, func(tx *store.Tx) error {
		switch n, err := countPermissionSetsNamed(ctx, tx, i.ARN, p.Name); {
		case err != nil:
			return err
		case n > 0:
			return ssoadmin.ConflictException("PermissionSet with name " + p.Name + " already exists.")
		}
		if n, err := countPermissionSets(ctx, tx, i.ARN); err != nil || n >= int64(most) {
			return orElse(err, quota("PermissionSet", most))
		}
		return insertPermissionSet(ctx, tx, p)
	})
	if err != nil {
		return nil, err
	}
	trail.From(ctx).Resource("AWS::SSO::PermissionSet", p.ARN, i.Account)
	return &ssoadmin.CreatePermissionSetOutput{PermissionSet: p.write()}, nil
}

// DescribePermissionSet describes a permission set without its policies.
func (s *Service) DescribePermissionSet(ctx context.Context, in *ssoadmin.DescribePermissionSetInput) (*ssoadmin.DescribePermissionSetOutput, error) {
	_, p, err := s.permissionSet(ctx, "DescribePermissionSet", in.InstanceArn, in.PermissionSetArn)
	if err != nil {
		return nil, err
	}
	return &ssoadmin.DescribePermissionSetOutput{PermissionSet: p.write()}, nil
}

// ListPermissionSets lists the ARNs of an instance's permission sets.
func (s *Service) ListPermissionSets(ctx context.Context, in *ssoadmin.ListPermissionSetsInput) (*ssoadmin.ListPermissionSetsOutput, error) {
	i, err := s.organization(ctx, "ListPermissionSets", in.InstanceArn, nil)
	if err != nil {
		return nil, err
	}
	all := []string{}
	for _, p := range sorted(&s.Center.access.sets, func(p *PermissionSet) string { return p.ARN }) {
		if p.Instance == i.ARN {
			all = append(all, p.ARN)
		}
	}
	shown, next, err := page("permission sets "+i.ARN, all, func(arn string) string { return arn }, in.MaxResults, maxPage, in.NextToken)
	return &ssoadmin.ListPermissionSetsOutput{PermissionSets: shown, NextToken: next}, err
}

// UpdatePermissionSet changes a permission set. A relay state that is left out is removed, as AWS does; the rest stays.
func (s *Service) UpdatePermissionSet(ctx context.Context, in *ssoadmin.UpdatePermissionSetInput) (*ssoadmin.UpdatePermissionSetOutput, error) {
	const op = "UpdatePermissionSet"
	i, p, err := s.permissionSet(ctx, op, in.InstanceArn, in.PermissionSetArn)
	if err != nil {
		return nil, err
	}
	if in.SessionDuration != nil {
		if _, err := readDuration(*in.SessionDuration); err != nil {
			return nil, err
		}
	}
	err = s.changePermissionSet(ctx, op, i, p.ARN, func(_ *store.Tx, now *PermissionSet) (bool, error) {
		before := *now
		now.RelayState = value(in.RelayState)
		if in.Description != nil {
			now.Description = *in.Description
		}
		if in.SessionDuration != nil {
			now.Duration = *in.SessionDuration
		}
		return now.RelayState != before.RelayState || now.Description != before.Description || now.Duration != before.Duration, nil
	})
	return &ssoadmin.UpdatePermissionSetOutput{}, err
}

// DeletePermissionSet removes a permission set that is assigned to nobody, and so is provisioned nowhere.
func (s *Service) DeletePermissionSet(ctx context.Context, in *ssoadmin.DeletePermissionSetInput) (*ssoadmin.DeletePermissionSetOutput, error) {
	const op = "DeletePermissionSet"
	i, p, err := s.permissionSet(ctx, op, in.InstanceArn, in.PermissionSetArn)
	if err != nil {
		return nil, err
	}
	err = s.change(ctx, "PermissionSet with ARN "+p.ARN, func(tx *store.Tx) error {
		if err := s.mayChange(ctx, tx, op, i, p.ARN); err != nil {
			return err
		}
		n, err := countAccountAssignments(ctx, tx, p.ARN, "")
		if err != nil {
			return err
		}
		if n > 0 {
			return ssoadmin.ConflictException("PermissionSet with id " + p.id() + " cannot be deleted while it is assigned. Delete its account assignments first.")
		}
		return deletePermissionSet(ctx, tx, p.ARN)
	})
	return &ssoadmin.DeletePermissionSetOutput{}, err
}
