package account

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/lakegate/lakegate/internal/api/iam"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/store"
)

// userOf finds the user of an operation on access keys: the one named, else the caller.
func (s *IAM) userOf(ctx context.Context, operation string, name *string) (*Entity, error) {
	user, err := userName(ctx, name)
	if err != nil {
		return nil, cmp.Or(s.permit(ctx, operation, "*", nil), err)
	}
	return s.find(ctx, operation, UserKind, user, nil)
}

func noKey(id string) error {
	return iam.NoSuchEntityException("The Access Key with id " + id + " cannot be found.")
}

func statusOf(k *AccessKey) iam.StatusType {
	if k.Enabled {
		return iam.StatusTypeActive
	}
	return iam.StatusTypeInactive
}

// CreateAccessKey makes a key for a user. This answer is the only one that has the secret.
func (s *IAM) CreateAccessKey(ctx context.Context, in *iam.CreateAccessKeyInput) (*iam.CreateAccessKeyOutput, error) {
	e, err := s.userOf(ctx, "CreateAccessKey", in.UserName)
	if err != nil {
		return nil, err
	}
	k, secret := s.Registry.newKey(e)
	err = s.change(ctx, e, func(tx *store.Tx, now *Entity) error {
		_, keys, err := countDependants(ctx, tx, now.ID)
		if err != nil {
			return err
		}
		if keys >= maxKeysPerUser {
			return exceeded("AccessKeysPerUser", maxKeysPerUser)
		}
		return insertKey(ctx, tx, k)
	})
	if err != nil {
		return nil, err
	}
	return &iam.CreateAccessKeyOutput{AccessKey: &iam.AccessKey{
		UserName: e.Name, AccessKeyId: k.ID, Status: iam.StatusTypeActive, SecretAccessKey: secret, CreateDate: new(k.Created),
	}}, nil
}

// ListAccessKeys lists the keys of a user, without their secrets.
func (s *IAM) ListAccessKeys(ctx context.Context, in *iam.ListAccessKeysInput) (*iam.ListAccessKeysOutput, error) {
	e, err := s.userOf(ctx, "ListAccessKeys", in.UserName)
	if err != nil {
		return nil, err
	}
	keys := s.Registry.keysOfUser(e.ID)
	at, places := numbered(keys)
	places, truncated, next, err := page(places, at, in.Marker, in.MaxItems)
	out := &iam.ListAccessKeysOutput{AccessKeyMetadata: []iam.AccessKeyMetadata{}, IsTruncated: truncated, Marker: next}
	for _, p := range places {
		k := keys[p]
		out.AccessKeyMetadata = append(out.AccessKeyMetadata, iam.AccessKeyMetadata{
			UserName: new(e.Name), AccessKeyId: new(k.ID), Status: new(statusOf(k)), CreateDate: new(k.Created),
		})
	}
	return out, err
}

// ownsKey reports whether the key is the user's. Somebody else's key is as good as none: a right over one user's keys is
// not one over another's.
func (s *IAM) ownsKey(e *Entity, id string) bool {
	return slices.ContainsFunc(s.Registry.keysOfUser(e.ID), func(k *AccessKey) bool { return k.ID == id })
}

// UpdateAccessKey enables or disables a key.
func (s *IAM) UpdateAccessKey(ctx context.Context, in *iam.UpdateAccessKeyInput) (*iam.UpdateAccessKeyOutput, error) {
	e, err := s.userOf(ctx, "UpdateAccessKey", in.UserName)
	if err != nil {
		return nil, err
	}
	if in.Status == iam.StatusTypeExpired {
		return nil, iam.InvalidInputException("The status of an access key can be set to Active or Inactive.")
	}
	if !s.ownsKey(e, in.AccessKeyId) {
		return nil, noKey(in.AccessKeyId)
	}
	err = s.change(ctx, e, func(tx *store.Tx, _ *Entity) error {
		return updateKeyStatus(ctx, tx, in.AccessKeyId, string(in.Status))
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil, noKey(in.AccessKeyId)
	}
	return &iam.UpdateAccessKeyOutput{}, err
}

// DeleteAccessKey deletes a key. What it signs is refused from then on.
func (s *IAM) DeleteAccessKey(ctx context.Context, in *iam.DeleteAccessKeyInput) (*iam.DeleteAccessKeyOutput, error) {
	e, err := s.userOf(ctx, "DeleteAccessKey", in.UserName)
	if err != nil {
		return nil, err
	}
	if !s.ownsKey(e, in.AccessKeyId) {
		return nil, noKey(in.AccessKeyId)
	}
	err = s.change(ctx, e, func(tx *store.Tx, _ *Entity) error { return deleteKey(ctx, tx, in.AccessKeyId) })
	if errors.Is(err, store.ErrNotFound) {
		return nil, noKey(in.AccessKeyId)
	}
	return &iam.DeleteAccessKeyOutput{}, err
}

// GetAccessKeyLastUsed tells when a key of the account last signed a request.
func (s *IAM) GetAccessKeyLastUsed(ctx context.Context, in *iam.GetAccessKeyLastUsedInput) (*iam.GetAccessKeyLastUsedOutput, error) {
	account := caller.From(ctx).Account
	k, ok := s.Registry.keys.Get(in.AccessKeyId)
	var e *Entity
	if ok = ok && k.Account == account; ok {
		e, ok = s.Registry.entities.Get(k.User)
	}
	resource := "*"
	if ok {
		resource = e.ARN()
	}
	if err := s.permit(ctx, "GetAccessKeyLastUsed", resource, nil); err != nil {
		return nil, err
	}
	if !ok {
		return nil, noKey(in.AccessKeyId)
	}
	use, err := s.Registry.lastUse(ctx, k.ID)
	if err != nil {
		return nil, err
	}
	last := &iam.AccessKeyLastUsed{ServiceName: cmp.Or(use.Service, "N/A"), Region: cmp.Or(use.Region, "N/A"), LastUsedDate: optional(use.At)}
	return &iam.GetAccessKeyLastUsedOutput{UserName: new(e.Name), AccessKeyLastUsed: last}, nil
}
