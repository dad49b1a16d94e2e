package account

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/lakegate/lakegate/internal/api/organizations"
	"github.com/lakegate/lakegate/internal/policy"
	"github.com/lakegate/lakegate/internal/store"
)

// delegationsOf lists delegations, of one account or service when one is given, in order of account and service.
func (r *Registry) delegationsOf(account, service string) []*Delegation {
	var out []*Delegation
	for _, d := range r.delegations.Each() {
		if (account == "" || d.Account == account) && (service == "" || d.Service == service) {
			out = append(out, d)
		}
	}
	slices.SortFunc(out, func(a, b *Delegation) int {
		return strings.Compare(delegationKey(a.Account, a.Service), delegationKey(b.Account, b.Service))
	})
	return out
}

// EnableAWSServiceAccess lets a service act in the whole organization.
func (s *Organizations) EnableAWSServiceAccess(ctx context.Context, in *organizations.EnableAWSServiceAccessInput) (*organizations.EnableAWSServiceAccessOutput, error) {
	if _, err := s.enter(ctx, "EnableAWSServiceAccess", "*", asManagement, servicePrincipalValues(in.ServicePrincipal)); err != nil {
		return nil, err
	}
	if err := checkService(in.ServicePrincipal); err != nil {
		return nil, err
	}
	err := s.Registry.db.Update(ctx, func(tx *store.Tx) error { return insertServiceAccess(ctx, tx, in.ServicePrincipal, s.Registry.now()) })
	if err != nil {
		return nil, fmt.Errorf("enable access of %s: %w", in.ServicePrincipal, err)
	}
	return &organizations.EnableAWSServiceAccessOutput{}, nil
}

// DisableAWSServiceAccess takes it back. Nobody may administer the service for the organization any more by then.
func (s *Organizations) DisableAWSServiceAccess(ctx context.Context, in *organizations.DisableAWSServiceAccessInput) (*organizations.DisableAWSServiceAccessOutput, error) {
	if _, err := s.enter(ctx, "DisableAWSServiceAccess", "*", asManagement, servicePrincipalValues(in.ServicePrincipal)); err != nil {
		return nil, err
	}
	if err := checkService(in.ServicePrincipal); err != nil {
		return nil, err
	}
	if len(s.Registry.delegationsOf("", in.ServicePrincipal)) > 0 {
		return nil, constraint("DELEGATED_ADMINISTRATOR_EXISTS_FOR_THIS_SERVICE", "A delegated administrator is registered for this service. Deregister it first.")
	}
	err := s.Registry.db.Update(ctx, func(tx *store.Tx) error { return deleteServiceAccess(ctx, tx, in.ServicePrincipal) })
	if err != nil {
		return nil, fmt.Errorf("disable access of %s: %w", in.ServicePrincipal, err)
	}
	return &organizations.DisableAWSServiceAccessOutput{}, nil
}

func servicePrincipalValues(service string) policy.Values {
	v := policy.Values{}
	if service != "" {
		v.Set("organizations:ServicePrincipal", service)
	}
	return v
}

// RegisterDelegatedAdministrator lets a member account administer a service for the organization.
func (s *Organizations) RegisterDelegatedAdministrator(ctx context.Context, in *organizations.RegisterDelegatedAdministratorInput) (*organizations.RegisterDelegatedAdministratorOutput, error) {
	o, err := s.enter(ctx, "RegisterDelegatedAdministrator", s.accountResource(in.AccountId), asManagement, servicePrincipalValues(in.ServicePrincipal))
	if err != nil {
		return nil, err
	}
	a, err := s.lookUp(ctx, in.AccountId)
	if err != nil {
		return nil, err
	}
	if err := checkService(in.ServicePrincipal); err != nil {
		return nil, err
	}
	switch {
	case a.ID == o.Management:
		return nil, constraint("CANNOT_REGISTER_MASTER_AS_DELEGATED_ADMINISTRATOR", "You cannot register the management account as a delegated administrator.")
	case a.Status != Active:
		return nil, constraint("CANNOT_REGISTER_SUSPENDED_ACCOUNT_AS_DELEGATED_ADMINISTRATOR", "You cannot register a suspended account as a delegated administrator.")
	}
	err = s.Registry.db.Update(ctx, func(tx *store.Tx) error {
		// Both are looked at inside the transaction, so that two registrations cannot pass each other.
		if enabled, err := serviceEnabled(ctx, tx, in.ServicePrincipal); err != nil {
			return err
		} else if !enabled {
			return constraint("SERVICE_ACCESS_NOT_ENABLED", "You must enable service access for "+in.ServicePrincipal+" first.")
		}
		others, err := store.All(ctx, tx, scanDelegation, delegationColumns+` WHERE service = ?`, in.ServicePrincipal)
		if err != nil {
			return err
		}
		for _, d := range others {
			if d.Account != a.ID {
				return constraint("MAX_DELEGATED_ADMINISTRATORS_FOR_SERVICE_LIMIT_EXCEEDED", "The service has as many delegated administrators as it can have.")
			}
		}
		return insertDelegation(ctx, tx, &Delegation{Account: a.ID, Service: in.ServicePrincipal, Enabled: s.Registry.now()})
	})
	if errors.Is(err, store.ErrConflict) {
		return nil, organizations.AccountAlreadyRegisteredException("The specified account is already a delegated administrator for this AWS service.")
	}
	if err != nil {
		return nil, fmt.Errorf("register delegated administrator %s: %w", a.ID, err)
	}
	return &organizations.RegisterDelegatedAdministratorOutput{}, nil
}

// DeregisterDelegatedAdministrator takes it back.
func (s *Organizations) DeregisterDelegatedAdministrator(ctx context.Context, in *organizations.DeregisterDelegatedAdministratorInput) (*organizations.DeregisterDelegatedAdministratorOutput, error) {
	if _, err := s.enter(ctx, "DeregisterDelegatedAdministrator", s.accountResource(in.AccountId), asManagement, servicePrincipalValues(in.ServicePrincipal)); err != nil {
		return nil, err
	}
	a, err := s.lookUp(ctx, in.AccountId)
	if err != nil {
		return nil, err
	}
	if err := checkService(in.ServicePrincipal); err != nil {
		return nil, err
	}
	err = s.Registry.db.Update(ctx, func(tx *store.Tx) error { return deleteDelegation(ctx, tx, a.ID, in.ServicePrincipal) })
	if errors.Is(err, store.ErrNotFound) {
		return nil, notRegistered()
	}
	if err != nil {
		return nil, fmt.Errorf("deregister delegated administrator %s: %w", a.ID, err)
	}
	return &organizations.DeregisterDelegatedAdministratorOutput{}, nil
}

func notRegistered() error {
	return organizations.AccountNotRegisteredException("The specified account is not a delegated administrator for this AWS service.")
}

// ListDelegatedAdministrators lists the accounts that administer a service, or any service, for the organization.
func (s *Organizations) ListDelegatedAdministrators(ctx context.Context, in *organizations.ListDelegatedAdministratorsInput) (*organizations.ListDelegatedAdministratorsOutput, error) {
	o, err := s.enter(ctx, "ListDelegatedAdministrators", "*", asReader, servicePrincipalValues(deref(in.ServicePrincipal)))
	if err != nil {
		return nil, err
	}
	all := s.Registry.delegationsOf("", deref(in.ServicePrincipal))
	all = slices.CompactFunc(all, func(a, b *Delegation) bool { return a.Account == b.Account })
	shown, next, err := list(all, func(d *Delegation) string { return d.Account }, in.NextToken, in.MaxResults)
	out := &organizations.ListDelegatedAdministratorsOutput{DelegatedAdministrators: []organizations.DelegatedAdministrator{}, NextToken: next}
	for _, d := range shown {
		a, ok := s.Registry.Account(d.Account)
		if !ok {
			continue
		}
		w := writeAccount(o, a)
		out.DelegatedAdministrators = append(out.DelegatedAdministrators, organizations.DelegatedAdministrator{
			Id: w.Id, Arn: w.Arn, Email: w.Email, Name: w.Name, Status: w.Status, State: w.State,
			JoinedMethod: w.JoinedMethod, JoinedTimestamp: w.JoinedTimestamp, DelegationEnabledDate: new(d.Enabled),
		})
	}
	return out, err
}

// ListDelegatedServicesForAccount lists the services that an account administers for the organization.
func (s *Organizations) ListDelegatedServicesForAccount(ctx context.Context, in *organizations.ListDelegatedServicesForAccountInput) (*organizations.ListDelegatedServicesForAccountOutput, error) {
	if _, err := s.enter(ctx, "ListDelegatedServicesForAccount", s.accountResource(in.AccountId), asReader, nil); err != nil {
		return nil, err
	}
	a, err := s.lookUp(ctx, in.AccountId)
	if err != nil {
		return nil, err
	}
	all := s.Registry.delegationsOf(a.ID, "")
	if len(all) == 0 {
		return nil, notRegistered()
	}
	shown, next, err := list(all, func(d *Delegation) string { return d.Service }, in.NextToken, in.MaxResults)
	out := &organizations.ListDelegatedServicesForAccountOutput{DelegatedServices: []organizations.DelegatedService{}, NextToken: next}
	for _, d := range shown {
		out.DelegatedServices = append(out.DelegatedServices, organizations.DelegatedService{ServicePrincipal: new(d.Service), DelegationEnabledDate: new(d.Enabled)})
	}
	return out, err
}
