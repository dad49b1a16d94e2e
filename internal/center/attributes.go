package center

import (
	"context"

	"github.com/lakegate/lakegate/internal/api/ssoadmin"
	"github.com/lakegate/lakegate/internal/store"
)

// attributesOf names an instance's configuration in errors.
func attributesOf(instance string) string {
	return "access control attribute configuration of instance " + instance
}

// readAttributes reads and checks the configuration of a request.
func readAttributes(in *ssoadmin.InstanceAccessControlAttributeConfiguration) ([]AccessControlAttribute, error) {
	out := []AccessControlAttribute{}
	for _, a := range in.AccessControlAttributes {
		// The model admits one source each, and asks for it.
		if a.Value == nil || len(a.Value.Source) != 1 {
			return nil, ssoadmin.ValidationException("The attribute " + a.Key + " must have exactly one source.")
		}
		out = append(out, AccessControlAttribute{Key: a.Key, Source: a.Value.Source[0]})
	}
	if err := checkAccessControl(out); err != nil {
		return nil, ssoadmin.ValidationException("Invalid attributes for access control: " + err.Error())
	}
	return out, nil
}

// CreateInstanceAccessControlAttributeConfiguration says which attributes of a person become session tags. It is for the
// organization's instance: only permission sets open sessions with them.
func (s *Service) CreateInstanceAccessControlAttributeConfiguration(ctx context.Context, in *ssoadmin.CreateInstanceAccessControlAttributeConfigurationInput) (*ssoadmin.CreateInstanceAccessControlAttributeConfigurationOutput, error) {
	i, err := s.instance(ctx, "CreateInstanceAccessControlAttributeConfiguration", in.InstanceArn, delegate)
	if err != nil {
		return nil, err
	}
	if !i.Organization {
		return nil, ssoadmin.ValidationException("Attributes for access control are supported for the instance of an organization only.")
	}
	attributes, err := readAttributes(in.InstanceAccessControlAttributeConfiguration)
	if err != nil {
		return nil, err
	}
	err = s.change(ctx, "instance "+i.ARN, func(tx *store.Tx) error {
		if _, err := readInstance(ctx, tx, i.ARN); err != nil {
			return err
		}
		if _, err := readAccessControl(ctx, tx, i.ARN); !isNotFound(err) {
			return orElse(err, ssoadmin.ConflictException("The instance has an access control attribute configuration already."))
		}
		return insertAccessControl(ctx, tx, i.ARN, attributes)
	})
	return &ssoadmin.CreateInstanceAccessControlAttributeConfigurationOutput{}, err
}

// DescribeInstanceAccessControlAttributeConfiguration tells which attributes become session tags.
func (s *Service) DescribeInstanceAccessControlAttributeConfiguration(ctx context.Context, in *ssoadmin.DescribeInstanceAccessControlAttributeConfigurationInput) (*ssoadmin.DescribeInstanceAccessControlAttributeConfigurationOutput, error) {
	i, err := s.instance(ctx, "DescribeInstanceAccessControlAttributeConfiguration", in.InstanceArn, delegate)
	if err != nil {
		return nil, err
	}
	attributes, ok := s.Center.accessControl.Get(i.ARN)
	if !ok {
		return nil, ssoadmin.ResourceNotFoundException("Could not find " + attributesOf(i.ARN))
	}
	list := []ssoadmin.AccessControlAttribute{}
	for _, a := range attributes {
		list = append(list, ssoadmin.AccessControlAttribute{Key: a.Key, Value: &ssoadmin.AccessControlAttributeValue{Source: []string{a.Source}}})
	}
	return &ssoadmin.DescribeInstanceAccessControlAttributeConfigurationOutput{
		Status: new(ssoadmin.InstanceAccessControlAttributeConfigurationStatusENABLED),
		InstanceAccessControlAttributeConfiguration: &ssoadmin.InstanceAccessControlAttributeConfiguration{AccessControlAttributes: list},
	}, nil
}

// UpdateInstanceAccessControlAttributeConfiguration replaces the attributes. Sessions that are open keep their tags.
func (s *Service) UpdateInstanceAccessControlAttributeConfiguration(ctx context.Context, in *ssoadmin.UpdateInstanceAccessControlAttributeConfigurationInput) (*ssoadmin.UpdateInstanceAccessControlAttributeConfigurationOutput, error) {
	i, err := s.instance(ctx, "UpdateInstanceAccessControlAttributeConfiguration", in.InstanceArn, delegate)
	if err != nil {
		return nil, err
	}
	attributes, err := readAttributes(in.InstanceAccessControlAttributeConfiguration)
	if err != nil {
		return nil, err
	}
	err = s.change(ctx, attributesOf(i.ARN), func(tx *store.Tx) error { return updateAccessControl(ctx, tx, i.ARN, attributes) })
	return &ssoadmin.UpdateInstanceAccessControlAttributeConfigurationOutput{}, err
}

// DeleteInstanceAccessControlAttributeConfiguration ends the making of session tags.
func (s *Service) DeleteInstanceAccessControlAttributeConfiguration(ctx context.Context, in *ssoadmin.DeleteInstanceAccessControlAttributeConfigurationInput) (*ssoadmin.DeleteInstanceAccessControlAttributeConfigurationOutput, error) {
	i, err := s.instance(ctx, "DeleteInstanceAccessControlAttributeConfiguration", in.InstanceArn, delegate)
	if err != nil {
		return nil, err
	}
	err = s.change(ctx, attributesOf(i.ARN), func(tx *store.Tx) error { return deleteAccessControl(ctx, tx, i.ARN) })
	return &ssoadmin.DeleteInstanceAccessControlAttributeConfigurationOutput{}, err
}
