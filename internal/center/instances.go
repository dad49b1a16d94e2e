package center

import (
	"context"

	"github.com/lakegate/lakegate/internal/api/ssoadmin"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/store"
)

// CreateInstance makes the instance of an account that has none. The management account has the organization's.
func (s *Service) CreateInstance(ctx context.Context, in *ssoadmin.CreateInstanceInput) (*ssoadmin.CreateInstanceOutput, error) {
	tags, err := readTagList(in.Tags)
	if err != nil {
		return nil, err
	}
	if err := s.authorize(ctx, question{op: "CreateInstance", resources: []string{anyResource}, request: tags}); err != nil {
		return nil, err
	}
	account := caller.From(ctx).Account
	if s.Accounts.IsManagement(account) {
		return nil, ssoadmin.ValidationException("The management account of an organization has the organization's instance and cannot create another.")
	}
	i := s.Center.newInstance(account, false)
	i.Name, i.Tags = value(in.Name), tags
	created := i.ARN
	err = s.change(ctx, "instance", func(tx *store.Tx) error {
		created, err = s.once(ctx, tx, "CreateInstance", in.ClientToken, withoutToken(in, &in.ClientToken), i.ARN, func() error {
			if _, ok := s.Center.InstanceFor(account); ok {
				return ssoadmin.ConflictException("The account has an instance already.")
			}
			return s.Center.insertInstance(ctx, tx, i)
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	return &ssoadmin.CreateInstanceOutput{InstanceArn: &created}, nil
}

// DescribeInstance describes an instance that the account owns or shares.
func (s *Service) DescribeInstance(ctx context.Context, in *ssoadmin.DescribeInstanceInput) (*ssoadmin.DescribeInstanceOutput, error) {
	i, err := s.instance(ctx, "DescribeInstance", in.InstanceArn, member)
	if err != nil {
		return nil, err
	}
	return &ssoadmin.DescribeInstanceOutput{
		InstanceArn: &i.ARN, IdentityStoreId: &i.StoreID, OwnerAccountId: &i.Account, Name: optional(i.Name), CreatedDate: &i.Created,
		Status: new(ssoadmin.InstanceStatusACTIVE),
		EncryptionConfigurationDetails: &ssoadmin.EncryptionConfigurationDetails{
			KeyType: new(ssoadmin.KmsKeyTypeAWSOWNEDKMSKEY), EncryptionStatus: new(ssoadmin.KmsKeyStatusENABLED),
		},
	}, nil
}

// maxInstances is the longest list of instances that the model admits.
const maxInstances = 10

// ListInstances lists the instances that the account owns or shares.
func (s *Service) ListInstances(ctx context.Context, in *ssoadmin.ListInstancesInput) (*ssoadmin.ListInstancesOutput, error) {
	if err := s.authorize(ctx, question{op: "ListInstances", resources: []string{anyResource}}); err != nil {
		return nil, err
	}
	account := caller.From(ctx).Account
	seen := []*Instance{}
	for _, i := range s.Center.Instances() {
		if s.reach(ctx, account, i) > stranger {
			seen = append(seen, i)
		}
	}
	shown, next, err := page("instances", seen, func(i *Instance) string { return i.ARN }, in.MaxResults, maxInstances, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &ssoadmin.ListInstancesOutput{Instances: []ssoadmin.InstanceMetadata{}, NextToken: next}
	for _, i := range shown {
		out.Instances = append(out.Instances, ssoadmin.InstanceMetadata{
			InstanceArn: &i.ARN, IdentityStoreId: &i.StoreID, OwnerAccountId: &i.Account, Name: optional(i.Name),
			CreatedDate: &i.Created, Status: new(ssoadmin.InstanceStatusACTIVE),
		})
	}
	return out, nil
}

// UpdateInstance names an instance. Keys of one's own are not offered: secrets are under the installation's master key.
func (s *Service) UpdateInstance(ctx context.Context, in *ssoadmin.UpdateInstanceInput) (*ssoadmin.UpdateInstanceOutput, error) {
	i, err := s.instance(ctx, "UpdateInstance", in.InstanceArn, delegate)
	if err != nil {
		return nil, err
	}
	if e := in.EncryptionConfiguration; e != nil && (e.KeyType != ssoadmin.KmsKeyTypeAWSOWNEDKMSKEY || e.KmsKeyArn != nil) {
		return nil, ssoadmin.ValidationException("Customer managed keys are not supported. The instance is encrypted under the master key of the installation.")
	}
	if in.Name != nil && *in.Name != i.Name {
		err = s.change(ctx, "instance "+i.ARN, func(tx *store.Tx) error { return renameInstance(ctx, tx, i.ARN, *in.Name) })
	}
	return &ssoadmin.UpdateInstanceOutput{}, err
}

// DeleteInstance removes an account's own instance with its people, applications and issuers. The organization's instance
// stays for as long as the organization does: nothing could bring it back.
func (s *Service) DeleteInstance(ctx context.Context, in *ssoadmin.DeleteInstanceInput) (*ssoadmin.DeleteInstanceOutput, error) {
	i, err := s.instance(ctx, "DeleteInstance", in.InstanceArn, owner)
	if err != nil {
		return nil, err
	}
	if i.Organization {
		return nil, ssoadmin.ValidationException("The instance of the organization cannot be deleted.")
	}
	err = s.change(ctx, "instance "+i.ARN, func(tx *store.Tx) error {
		if err := deleteInstance(ctx, tx, i.ARN); err != nil {
			return err
		}
		return s.Center.people.DeleteStore(ctx, tx, i.StoreID)
	})
	return &ssoadmin.DeleteInstanceOutput{}, err
}
