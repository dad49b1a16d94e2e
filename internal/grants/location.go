package grants

import (
	"cmp"
	"context"
	"errors"
	"net/http"

	"github.com/google/uuid"

	"github.com/lakegate/lakegate/internal/api/s3control"
	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/authz"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/policy"
	"github.com/lakegate/lakegate/internal/scope"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/wire"
)

const (
	servicePrincipal = "access-grants.s3.amazonaws.com"
	maxLocations     = 1000
	keyLocationScope = "s3:AccessGrantsLocationScope"
)

// CreateAccessGrantsLocation registers a scope with the role that reaches it.
func (s *Service) CreateAccessGrantsLocation(ctx context.Context, in *s3control.CreateAccessGrantsLocationInput) (*s3control.CreateAccessGrantsLocationOutput, error) {
	values := withScope(tagValues(in.Tags, nil), keyLocationScope, in.LocationScope)
	if err := s.ownPart(ctx, "CreateAccessGrantsLocation", in.AccountId, s.locationARN(in.AccountId, "*"), values); err != nil {
		return nil, err
	}
	i, err := s.instance(in.AccountId)
	if err != nil {
		return nil, err
	}
	tags, err := s.newTags(in.Tags, locationTags)
	if err != nil {
		return nil, err
	}
	l := &Location{Account: in.AccountId, ID: uuid.NewString(), Role: in.IAMRoleArn, Tags: tags, Created: s.stamp()}
	if l.Scope, err = s.locationScope(in.AccountId, in.LocationScope); err != nil {
		return nil, err
	}
	if err := s.checkVending(tags, l.Scope); err != nil {
		return nil, err
	}
	if l.Owner, err = s.owner(i, tags, s.seen(ctx)); err != nil {
		return nil, err
	}
	if l.Scope.Everything {
		l.ID = instanceID
	}
	if err := s.checkRole(ctx, in.AccountId, in.IAMRoleArn); err != nil {
		return nil, err
	}
	err = s.Registry.db.Update(ctx, func(tx *store.Tx) error {
		exists, err := count(ctx, tx, `SELECT COUNT(*) FROM grants_locations WHERE account = ? AND scope = ?`, l.Account, l.Scope.Text)
		if err != nil {
			return err
		}
		if exists > 0 {
			return wire.NewError("AccessGrantsLocationAlreadyExistsError", http.StatusConflict, "The specified access grants location already exists")
		}
		n, err := count(ctx, tx, `SELECT COUNT(*) FROM grants_locations WHERE account = ?`, l.Account)
		if err != nil {
			return err
		}
		if n >= int64(cmp.Or(s.Quotas.Locations, maxLocations)) {
			return wire.NewError("AccessGrantsLocationsQuotaExceededError", http.StatusConflict, "The access grants location quota of the instance is exceeded.")
		}
		return putLocation(ctx, tx, l)
	})
	if err != nil {
		return nil, err
	}
	return new(s3control.CreateAccessGrantsLocationOutput(s.locationEntry(l))), nil
}

// locationScope reads the scope of a new location: its bucket must be the account's.
func (s *Service) locationScope(account, text string) (scope.Location, error) {
	invalid := wire.NewError("InvalidAccessGrantsLocation", http.StatusBadRequest, "The specified Access Grants Location is invalid")
	l, err := scope.ParseLocation(text)
	if err != nil {
		return l, invalid.Because(err)
	}
	if l.Everything {
		return l, nil
	}
	if owner, region, ok := s.Buckets.Owner(l.Scope.Bucket); !ok || owner != account || region != s.Region {
		return l, invalid.Because(errors.New("the bucket " + l.Scope.Bucket + " is not one of the account in this Region"))
	}
	return l, nil
}

// checkRole refuses a role that the service could not take on, or that the caller may not hand to it.
func (s *Service) checkRole(ctx context.Context, account, name string) error {
	v := policy.Values{}
	v.Set("iam:PassedToService", servicePrincipal)
	if err := s.also(ctx, "iam:PassRole", name, v); err != nil {
		return err
	}
	invalid := wire.NewError("InvalidIamRole", http.StatusBadRequest, "The specified IAM Role is invalid")
	role, ok := s.Accounts.LocationRole(name)
	if !ok || role.Account != account {
		return invalid.Because(errors.New("the account has no role " + name))
	}
	if d := s.mayAssume(ctx, account, &role, "sts:AssumeRole"); !d.Allowed {
		return invalid.Because(errors.New("the role does not trust " + servicePrincipal + ": " + d.Reason))
	}
	return nil
}

// mayAssume asks the trust policy of a location's role whether the service may take an action on it.
func (s *Service) mayAssume(ctx context.Context, account string, role *Role, action string) policy.Decision {
	v := policy.Values{}
	v.Set("aws:SourceAccount", account)
	v.Set("aws:SourceArn", s.instanceARN(account))
	if action == "sts:SetContext" {
		v.Set("sts:RequestContextProviders", arn.ContextProvider)
	}
	return s.Authorizer.Decide(ctx, authz.Request{
		Action: action, Resource: role.ARN, Account: role.Account, ResourcePolicy: &role.Trust, MustAllow: true, Context: v,
		As: &caller.Caller{Type: caller.Service, ServiceName: servicePrincipal, ARN: servicePrincipal},
	})
}

func (s *Service) locationEntry(l *Location) s3control.ListAccessGrantsLocationsEntry {
	return s3control.ListAccessGrantsLocationsEntry{
		CreatedAt: new(l.Created), AccessGrantsLocationId: new(l.ID), AccessGrantsLocationArn: new(s.locationARN(l.Account, l.ID)),
		LocationScope: new(l.Scope.Text), IAMRoleArn: new(l.Role),
	}
}

// find authorises an operation on a location and finds it. Whether it exists is told only to who may ask.
func (s *Service) findLocation(ctx context.Context, operation, account, id string) (*Location, error) {
	l, ok := s.Registry.location(account, id)
	values := policy.Values{}
	if ok {
		values = withScope(tagValues(nil, l.Tags), keyLocationScope, l.Scope.Text)
	}
	if err := s.ownPart(ctx, operation, account, s.locationARN(account, id), values); err != nil {
		return nil, err
	}
	if _, err := s.instance(account); err != nil {
		return nil, err
	}
	if !ok {
		return nil, noLocation()
	}
	return l, nil
}

func noLocation() *wire.Error {
	return wire.NewError("NoSuchAccessGrantsLocationError", http.StatusNotFound, "The specified access grants location does not exist")
}

// GetAccessGrantsLocation shows a location.
func (s *Service) GetAccessGrantsLocation(ctx context.Context, in *s3control.GetAccessGrantsLocationInput) (*s3control.GetAccessGrantsLocationOutput, error) {
	l, err := s.findLocation(ctx, "GetAccessGrantsLocation", in.AccountId, in.AccessGrantsLocationId)
	if err != nil {
		return nil, err
	}
	return new(s3control.GetAccessGrantsLocationOutput(s.locationEntry(l))), nil
}

// UpdateAccessGrantsLocation gives a location another role; its scope cannot change.
func (s *Service) UpdateAccessGrantsLocation(ctx context.Context, in *s3control.UpdateAccessGrantsLocationInput) (*s3control.UpdateAccessGrantsLocationOutput, error) {
	if _, err := s.findLocation(ctx, "UpdateAccessGrantsLocation", in.AccountId, in.AccessGrantsLocationId); err != nil {
		return nil, err
	}
	if err := s.checkRole(ctx, in.AccountId, in.IAMRoleArn); err != nil {
		return nil, err
	}
	var l *Location
	err := s.Registry.db.Update(ctx, func(tx *store.Tx) (err error) {
		if l, err = readLocation(ctx, tx, key(in.AccountId, in.AccessGrantsLocationId)); err != nil {
			return notFound(err, noLocation())
		}
		l.Role = in.IAMRoleArn
		return putLocation(ctx, tx, l)
	})
	if err != nil {
		return nil, err
	}
	return new(s3control.UpdateAccessGrantsLocationOutput(s.locationEntry(l))), nil
}

// DeleteAccessGrantsLocation deletes a location without grants.
func (s *Service) DeleteAccessGrantsLocation(ctx context.Context, in *s3control.DeleteAccessGrantsLocationInput) (*s3control.DeleteAccessGrantsLocationOutput, error) {
	if _, err := s.findLocation(ctx, "DeleteAccessGrantsLocation", in.AccountId, in.AccessGrantsLocationId); err != nil {
		return nil, err
	}
	err := s.Registry.db.Update(ctx, func(tx *store.Tx) error {
		n, err := count(ctx, tx, `SELECT COUNT(*) FROM access_grants WHERE account = ? AND location = ?`, in.AccountId, in.AccessGrantsLocationId)
		if err != nil {
			return err
		}
		if n > 0 {
			return wire.NewError("AccessGrantsLocationNotEmptyError", http.StatusBadRequest, "Please clean up access grants before deleting access grants location")
		}
		return notFound(deleteLocation(ctx, tx, in.AccountId, in.AccessGrantsLocationId), noLocation())
	})
	return &s3control.DeleteAccessGrantsLocationOutput{}, err
}

// ListAccessGrantsLocations lists locations, those with one scope if a filter names it.
func (s *Service) ListAccessGrantsLocations(ctx context.Context, in *s3control.ListAccessGrantsLocationsInput) (*s3control.ListAccessGrantsLocationsOutput, error) {
	if err := s.authorize(ctx, "ListAccessGrantsLocations", in.AccountId, s.instanceARN(in.AccountId), nil); err != nil {
		return nil, err
	}
	if _, err := s.instance(in.AccountId); err != nil {
		return nil, err
	}
	p, err := newPages("ListAccessGrantsLocations", in.AccountId, in.MaxResults, in.NextToken, in.LocationScope)
	if err != nil {
		return nil, err
	}
	c := &conditions{}
	c.is("scope", in.LocationScope)
	all, err := list(ctx, s, p, scanLocation, selectLocation, in.AccountId, c, nil)
	if err != nil {
		return nil, err
	}
	found, next := cut(p, all, func(l *Location) string { return l.ID })
	out := &s3control.ListAccessGrantsLocationsOutput{NextToken: next, AccessGrantsLocationsList: []s3control.ListAccessGrantsLocationsEntry{}}
	for _, l := range found {
		out.AccessGrantsLocationsList = append(out.AccessGrantsLocationsList, s.locationEntry(l))
	}
	return out, nil
}

func notFound(err error, answer *wire.Error) error {
	if errors.Is(err, store.ErrNotFound) {
		return answer
	}
	return err
}
