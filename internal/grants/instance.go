package grants

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/lakegate/lakegate/internal/api/s3control"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/center"
	"github.com/lakegate/lakegate/internal/scope"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/wire"
)

const instanceID = "default"

// CreateAccessGrantsInstance makes the account's one instance, associated with an identity center instance if one is named.
func (s *Service) CreateAccessGrantsInstance(ctx context.Context, in *s3control.CreateAccessGrantsInstanceInput) (*s3control.CreateAccessGrantsInstanceOutput, error) {
	if err := s.own(ctx, "CreateAccessGrantsInstance", in.AccountId, tagValues(in.Tags, nil)); err != nil {
		return nil, err
	}
	tags, err := s.newTags(in.Tags, nil)
	if err != nil {
		return nil, err
	}
	if _, ok := s.Registry.instances.Get(in.AccountId); ok {
		return nil, instanceExists()
	}
	i := &Instance{Account: in.AccountId, Tags: tags, Created: s.stamp()}
	if in.IdentityCenterArn != nil {
		if err := s.also(ctx, "sso:DescribeInstance", *in.IdentityCenterArn, nil); err != nil {
			return nil, err
		}
		if err := s.associate(ctx, i, *in.IdentityCenterArn); err != nil {
			return nil, err
		}
	}
	err = s.Registry.db.Update(ctx, func(tx *store.Tx) error {
		if _, err := readInstance(ctx, tx, i.Account); !errors.Is(err, store.ErrNotFound) {
			if err == nil {
				return instanceExists()
			}
			return err
		}
		return putInstance(ctx, tx, i)
	})
	if err != nil {
		if i.Application != "" {
			err = errors.Join(err, s.Center.DeleteServiceApplication(context.WithoutCancel(ctx), i.Application))
		}
		return nil, err
	}
	e := s.entry(i)
	return &s3control.CreateAccessGrantsInstanceOutput{
		CreatedAt: e.CreatedAt, AccessGrantsInstanceId: e.AccessGrantsInstanceId, AccessGrantsInstanceArn: e.AccessGrantsInstanceArn,
		IdentityCenterArn: e.IdentityCenterArn, IdentityCenterInstanceArn: e.IdentityCenterInstanceArn, IdentityCenterApplicationArn: e.IdentityCenterApplicationArn,
	}, nil
}

func instanceExists() *wire.Error {
	return wire.NewError("AccessGrantsInstanceAlreadyExists", http.StatusConflict, "Access Grants Instance already exists")
}

// associate makes the application that stands for the instance in the identity center. The identity center must be the
// account's own, or that of its organization.
func (s *Service) associate(ctx context.Context, i *Instance, identityCenter string) error {
	for _, action := range []string{"sso:CreateApplication", "sso:PutApplicationGrant", "sso:PutApplicationAuthenticationMethod"} {
		if err := s.also(ctx, action, identityCenter, nil); err != nil {
			return err
		}
	}
	account, _, organization, ok := s.Center.InstanceOf(identityCenter)
	home := s.Accounts.OrganizationOf(ctx, i.Account)
	same := organization && home != "" && home == s.Accounts.OrganizationOf(ctx, account)
	if !ok || (account != i.Account && !same) {
		return wire.NewError("InvalidIdentityCenterInstance", http.StatusBadRequest, "The specified identity center instance is invalid")
	}
	application, err := s.Center.CreateServiceApplication(ctx, identityCenter, i.Account, "S3AccessGrants-"+i.Account)
	if err != nil {
		return fmt.Errorf("associate identity center: %w", err)
	}
	i.IdentityCenter, i.Application = identityCenter, application
	return nil
}

// entry is an instance as all operations show it. The deprecated IdentityCenterArn carries the application's ARN.
func (s *Service) entry(i *Instance) s3control.ListAccessGrantsInstanceEntry {
	return s3control.ListAccessGrantsInstanceEntry{
		AccessGrantsInstanceId: new(instanceID), AccessGrantsInstanceArn: new(s.instanceARN(i.Account)), CreatedAt: new(i.Created),
		IdentityCenterArn: optional(i.Application), IdentityCenterInstanceArn: optional(i.IdentityCenter), IdentityCenterApplicationArn: optional(i.Application),
	}
}

// GetAccessGrantsInstance shows the account's instance.
func (s *Service) GetAccessGrantsInstance(ctx context.Context, in *s3control.GetAccessGrantsInstanceInput) (*s3control.GetAccessGrantsInstanceOutput, error) {
	if err := s.own(ctx, "GetAccessGrantsInstance", in.AccountId, nil); err != nil {
		return nil, err
	}
	i, err := s.instance(in.AccountId)
	if err != nil {
		return nil, err
	}
	e := s.entry(i)
	return &s3control.GetAccessGrantsInstanceOutput{
		AccessGrantsInstanceArn: e.AccessGrantsInstanceArn, AccessGrantsInstanceId: e.AccessGrantsInstanceId, IdentityCenterArn: e.IdentityCenterArn,
		IdentityCenterInstanceArn: e.IdentityCenterInstanceArn, IdentityCenterApplicationArn: e.IdentityCenterApplicationArn, CreatedAt: e.CreatedAt,
	}, nil
}

// DeleteAccessGrantsInstance deletes an instance without locations and without an identity center.
func (s *Service) DeleteAccessGrantsInstance(ctx context.Context, in *s3control.DeleteAccessGrantsInstanceInput) (*s3control.DeleteAccessGrantsInstanceOutput, error) {
	if err := s.own(ctx, "DeleteAccessGrantsInstance", in.AccountId, nil); err != nil {
		return nil, err
	}
	if _, err := s.instance(in.AccountId); err != nil {
		return nil, err
	}
	err := s.Registry.db.Update(ctx, func(tx *store.Tx) error {
		i, err := readInstance(ctx, tx, in.AccountId)
		if err != nil {
			return notFound(err, noInstance())
		}
		n, err := count(ctx, tx, `SELECT COUNT(*) FROM grants_locations WHERE account = ?`, in.AccountId)
		if err != nil {
			return err
		}
		if n > 0 || i.IdentityCenter != "" {
			return wire.NewError("AccessGrantsInstanceNotEmptyError", http.StatusBadRequest, "Please clean up locations before deleting the access grants instance")
		}
		return deleteInstance(ctx, tx, in.AccountId)
	})
	return &s3control.DeleteAccessGrantsInstanceOutput{}, err
}

// ListAccessGrantsInstances lists the account's instance.
func (s *Service) ListAccessGrantsInstances(ctx context.Context, in *s3control.ListAccessGrantsInstancesInput) (*s3control.ListAccessGrantsInstancesOutput, error) {
	if err := s.ownPart(ctx, "ListAccessGrantsInstances", in.AccountId, "*", nil); err != nil {
		return nil, err
	}
	p, err := newPages("ListAccessGrantsInstances", in.AccountId, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &s3control.ListAccessGrantsInstancesOutput{AccessGrantsInstancesList: []s3control.ListAccessGrantsInstanceEntry{}}
	if i, ok := s.Registry.instances.Get(in.AccountId); ok && p.after == "" {
		out.AccessGrantsInstancesList = append(out.AccessGrantsInstancesList, s.entry(i))
	}
	return out, nil
}

// GetAccessGrantsInstanceForPrefix tells which instance a prefix belongs to: that of the bucket's owner, whichever account
// asks. Clients take the account from the ARN to address GetDataAccess.
func (s *Service) GetAccessGrantsInstanceForPrefix(ctx context.Context, in *s3control.GetAccessGrantsInstanceForPrefixInput) (*s3control.GetAccessGrantsInstanceForPrefixOutput, error) {
	target, err := scope.ParseTarget(in.S3Prefix, false)
	owner := in.AccountId
	if err == nil {
		if account, _, ok := s.Buckets.Owner(target.Bucket); ok {
			owner = account
		}
	}
	if denied := s.authorize(ctx, "GetAccessGrantsInstanceForPrefix", owner, s.instanceARN(owner), nil); denied != nil {
		return nil, denied
	}
	if err != nil {
		return nil, wire.NewError("InvalidRequest", http.StatusBadRequest, "The S3 prefix is not valid.").Because(err)
	}
	if _, err := s.instance(owner); err != nil {
		return nil, err
	}
	return &s3control.GetAccessGrantsInstanceForPrefixOutput{AccessGrantsInstanceArn: new(s.instanceARN(owner)), AccessGrantsInstanceId: new(instanceID)}, nil
}

// AssociateAccessGrantsIdentityCenter lets grants name people of an identity center.
func (s *Service) AssociateAccessGrantsIdentityCenter(ctx context.Context, in *s3control.AssociateAccessGrantsIdentityCenterInput) (*s3control.AssociateAccessGrantsIdentityCenterOutput, error) {
	if err := s.own(ctx, "AssociateAccessGrantsIdentityCenter", in.AccountId, nil); err != nil {
		return nil, err
	}
	i, err := s.instance(in.AccountId)
	if err != nil {
		return nil, err
	}
	if i.IdentityCenter == in.IdentityCenterArn {
		return &s3control.AssociateAccessGrantsIdentityCenterOutput{}, nil
	}
	if i.IdentityCenter != "" {
		return nil, alreadyAssociated()
	}
	changed := *i
	if err := s.associate(ctx, &changed, in.IdentityCenterArn); err != nil {
		return nil, err
	}
	used := false
	err = s.change(ctx, in.AccountId, func(i *Instance) error {
		switch i.IdentityCenter {
		case "":
			i.IdentityCenter, i.Application = changed.IdentityCenter, changed.Application
			used = true
		case in.IdentityCenterArn: // by another request, since the first look
		default:
			return alreadyAssociated()
		}
		return nil
	})
	if err != nil || !used {
		err = errors.Join(err, s.Center.DeleteServiceApplication(context.WithoutCancel(ctx), changed.Application))
	}
	if err != nil {
		return nil, err
	}
	return &s3control.AssociateAccessGrantsIdentityCenterOutput{}, nil
}

func alreadyAssociated() *wire.Error {
	return wire.NewError("InvalidIdentityCenterInstance", http.StatusBadRequest, "The instance is associated with another identity center instance: dissociate it first")
}

// DissociateAccessGrantsIdentityCenter ends the association. Grants to people stay and match nobody.
func (s *Service) DissociateAccessGrantsIdentityCenter(ctx context.Context, in *s3control.DissociateAccessGrantsIdentityCenterInput) (*s3control.DissociateAccessGrantsIdentityCenterOutput, error) {
	if err := s.own(ctx, "DissociateAccessGrantsIdentityCenter", in.AccountId, nil); err != nil {
		return nil, err
	}
	i, err := s.instance(in.AccountId)
	if err != nil {
		return nil, err
	}
	if i.Application == "" {
		return &s3control.DissociateAccessGrantsIdentityCenterOutput{}, nil
	}
	if err := s.also(ctx, "sso:DeleteApplication", i.Application, nil); err != nil {
		return nil, err
	}
	application := ""
	err = s.change(ctx, in.AccountId, func(i *Instance) error {
		application = i.Application
		i.IdentityCenter, i.Application = "", ""
		return nil
	})
	if err != nil {
		return nil, err
	}
	if application == "" { // another request was first
		return &s3control.DissociateAccessGrantsIdentityCenterOutput{}, nil
	}
	if err := s.Center.DeleteServiceApplication(context.WithoutCancel(ctx), application); err != nil {
		return nil, err
	}
	return &s3control.DissociateAccessGrantsIdentityCenterOutput{}, nil
}

// change reads an instance, lets do work on it, and writes it.
func (s *Service) change(ctx context.Context, account string, do func(*Instance) error) error {
	return s.Registry.db.Update(ctx, func(tx *store.Tx) error {
		i, err := readInstance(ctx, tx, account)
		if err != nil {
			return notFound(err, noInstance())
		}
		if err := do(i); err != nil {
			return err
		}
		return putInstance(ctx, tx, i)
	})
}

// identityOf is the person of a caller, if the person's identity center is the instance's, the application through which
// the person came may ask for data, and the person may act.
func (s *Service) identityOf(ctx context.Context, i *Instance, c *caller.Caller) (*caller.Identity, error) {
	p := c.OnBehalf
	switch {
	case p == nil:
		return nil, nil
	case i.IdentityCenter == "":
		return nil, errors.New("the access grants instance is associated with no identity center")
	case p.InstanceARN != i.IdentityCenter:
		return nil, errors.New("the person is of the identity center " + p.InstanceARN + ", the access grants instance is associated with " + i.IdentityCenter)
	}
	if err := s.People.PersonActive(ctx, p); err != nil {
		return nil, err
	}
	if p.ApplicationARN != "" {
		switch {
		case !p.Grants:
			return nil, errors.New("the person signed in for less than the scope " + center.ScopeAccessGrants)
		case !s.Center.GrantsReach(p.ApplicationARN, i.Application, i.IdentityCenter):
			return nil, errors.New("the application " + p.ApplicationARN + " does not have the scope " + center.ScopeAccessGrants + " for this access grants instance")
		}
	}
	return p, nil
}
