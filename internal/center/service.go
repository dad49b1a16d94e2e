package center

import (
	"context"
	"errors"
	"fmt"

	"github.com/lakegate/lakegate/internal/api/ssoadmin"
	"github.com/lakegate/lakegate/internal/authz"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/policy"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/trail"
	"github.com/lakegate/lakegate/internal/wire"
)

// Accounts is what the service has to know of accounts and principals; account provides it.
type Accounts interface {
	// OrganizationOf returns the organization of an account, "" for none.
	OrganizationOf(ctx context.Context, account string) string
	IsManagement(account string) bool
	IsDelegated(account, service string) bool
	// ResolvePrincipals finds the ids of the users and roles that a policy names, or the first name that is nobody's.
	ResolvePrincipals(d *policy.Document) (ids map[string]string, invalid string)
}

// Service is sso-admin.
type Service struct {
	Center     *Center
	Accounts   Accounts
	Authorizer *authz.Authorizer
}

// servicePrincipal is what an account is registered for as delegated administrator.
const servicePrincipal = "sso.amazonaws.com"

// reach is how far an account may go with an instance.
type reach int

const (
	// stranger: the account does not see the instance.
	stranger reach = iota
	// member of the organization: reads the instance, and manages the applications that it created.
	member
	// delegate administers the organization's instance, but does not own it.
	delegate
	owner
)

func (s *Service) reach(ctx context.Context, account string, i *Instance) reach {
	switch {
	case account == "":
		return stranger
	case i.Account == account:
		return owner
	case !i.Organization:
		return stranger
	}
	home := s.Accounts.OrganizationOf(ctx, i.Account)
	switch {
	case home == "" || s.Accounts.OrganizationOf(ctx, account) != home:
		return stranger
	case s.Accounts.IsDelegated(account, servicePrincipal):
		return delegate
	}
	return member
}

// Administers reports whether an account administers an instance: it owns it, or is its delegated administrator.
func (s *Service) Administers(ctx context.Context, account string, i *Instance) bool {
	return s.reach(ctx, account, i) >= delegate
}

// question is what is to be authorised: an operation on resources, and what it says about them.
type question struct {
	op        string
	resources []string
	tags      map[string]string // of the resource
	request   map[string]string // tags in the request
	tagKeys   []string          // of the request, where it has keys alone
	creator   string            // the account that created the application
}

// authorize asks the caller's policies for the operation on each resource.
func (s *Service) authorize(ctx context.Context, q question) error {
	v := policy.Values{}
	for k, t := range q.tags {
		v.Set("aws:ResourceTag/"+k, t)
	}
	for k, t := range q.request {
		v.Set("aws:RequestTag/"+k, t)
		v.Add("aws:TagKeys", k)
	}
	for _, k := range q.tagKeys {
		v.Add("aws:TagKeys", k)
	}
	if q.creator != "" {
		v.Set("sso:ApplicationAccount", q.creator)
	}
	v.Set("sso:PrimaryRegion", s.Center.region)
	account := caller.From(ctx).Account
	for _, r := range q.resources {
		// The account is the caller's: between members of an organization the reach decides, not a resource policy.
		if err := s.Authorizer.Authorize(ctx, authz.Request{Action: "sso:" + q.op, Resource: r, Account: account, Context: v}); err != nil {
			return err
		}
	}
	return nil
}

// denied refuses what the caller's policies allow but the account may not.
func denied(ctx context.Context, op, resource, why string) error {
	trail.From(ctx).Step("account", trail.Fail, why)
	return ssoadmin.AccessDeniedException(fmt.Sprintf("User: %s is not authorized to perform: sso:%s on resource: %s", caller.From(ctx).ARN, op, resource)).Because(errors.New(why))
}

// instance authorises an operation on an instance and finds it. An instance out of reach and one that does not exist get
// the same answer.
func (s *Service) instance(ctx context.Context, op, arn string, least reach) (*Instance, error) {
	i, known := s.Center.Instance(arn)
	q := question{op: op, resources: []string{arn}}
	if known {
		q.tags = i.Tags
	}
	if err := s.authorize(ctx, q); err != nil {
		return nil, err
	}
	if !known {
		return nil, denied(ctx, op, arn, "there is no such instance")
	}
	return i, s.within(ctx, op, arn, i, least)
}

func (s *Service) within(ctx context.Context, op, resource string, i *Instance, least reach) error {
	account := caller.From(ctx).Account
	if s.reach(ctx, account, i) < least {
		return denied(ctx, op, resource, "account "+account+" may not do this with an instance of account "+i.Account)
	}
	trail.From(ctx).Resource("AWS::SSO::Instance", i.ARN, i.Account)
	return nil
}

// application authorises an operation on an application and finds it.
func (s *Service) application(ctx context.Context, op, arn string) (*Application, error) {
	a, known := s.Center.Application(arn)
	q := question{op: op, resources: []string{arn}}
	if known {
		q.tags, q.creator = a.Tags, a.Account
	}
	if err := s.authorize(ctx, q); err != nil {
		return nil, err
	}
	return s.ownApplication(ctx, op, arn)
}

// ownApplication finds an application that the caller's account administers or created.
func (s *Service) ownApplication(ctx context.Context, op, arn string) (*Application, error) {
	instance, _ := instanceOf(arn)
	i, ok := s.Center.Instance(instance)
	account := caller.From(ctx).Account
	if !ok || s.reach(ctx, account, i) == stranger {
		return nil, denied(ctx, op, arn, "there is no such instance, or it is out of reach")
	}
	a, ok := s.Center.Application(arn)
	if !ok {
		return nil, ssoadmin.ResourceNotFoundException("Could not find application with ARN " + arn)
	}
	if a.Account != account && s.reach(ctx, account, i) < delegate {
		return nil, denied(ctx, op, arn, "account "+a.Account+" created the application")
	}
	trail.From(ctx).Resource("AWS::SSO::Application", a.ARN, i.Account)
	return a, nil
}

// customApplication is application for operations that change it: what a service made for itself only the service changes.
func (s *Service) customApplication(ctx context.Context, op, arn string) (*Application, error) {
	a, err := s.application(ctx, op, arn)
	if err == nil && a.isService() {
		return nil, unsupportedProvider(a.Provider)
	}
	return a, err
}

func unsupportedProvider(provider string) error {
	return ssoadmin.ValidationException("The application provider with arn '" + provider + "' is not supported for this action.")
}

// issuer authorises an operation on a trusted token issuer and finds it.
func (s *Service) issuer(ctx context.Context, op, arn string, least reach) (*Issuer, error) {
	t, known := s.Center.Issuer(arn)
	q := question{op: op, resources: []string{arn}}
	if known {
		q.tags = t.Tags
	}
	if err := s.authorize(ctx, q); err != nil {
		return nil, err
	}
	return s.ownIssuer(ctx, op, arn, least)
}

func (s *Service) ownIssuer(ctx context.Context, op, arn string, least reach) (*Issuer, error) {
	instance, _ := instanceOf(arn)
	i, ok := s.Center.Instance(instance)
	if !ok {
		return nil, denied(ctx, op, arn, "there is no such instance")
	}
	if err := s.within(ctx, op, arn, i, least); err != nil {
		return nil, err
	}
	t, ok := s.Center.Issuer(arn)
	if !ok {
		return nil, ssoadmin.ResourceNotFoundException("Could not find trusted token issuer with ARN " + arn)
	}
	trail.From(ctx).Resource("AWS::SSO::TrustedTokenIssuer", t.ARN, i.Account)
	return t, nil
}

// change runs a change and turns what the store says into the service's errors. what names the thing that may be missing.
func (s *Service) change(ctx context.Context, what string, do func(tx *store.Tx) error) error {
	err := s.Center.db.Update(ctx, do)
	switch {
	case err == nil:
		return nil
	case isNotFound(err):
		return ssoadmin.ResourceNotFoundException("Could not find " + what)
	case errors.Is(err, store.ErrConflict):
		return ssoadmin.ConflictException("The request conflicts with another one. Try again.").Because(err)
	}
	if e, ok := errors.AsType[*wire.Error](err); ok {
		return e
	}
	return fmt.Errorf("change %s: %w", what, err)
}

func quota(what string, most int) error {
	return ssoadmin.ServiceQuotaExceededException(fmt.Sprintf("You have exceeded AWS SSO limits. Cannot create %s more than %d.", what, most))
}

// anyResource is the resource of operations that are about none in particular.
const anyResource = "*"

// optional is nil for an empty text, as answers leave out what was never set.
func optional[T ~string](s T) *T {
	if s == "" {
		return nil
	}
	return &s
}

func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
