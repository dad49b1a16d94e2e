package center

import (
	"context"
	"fmt"

	"github.com/lakegate/lakegate/internal/api/ssoadmin"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/store"
)

// ScopeAccountAccess lets an application reach accounts in the name of a person, through the access portal's operations:
// far more than the account that created the application may give. Who administers the organization's instance gives it.
const ScopeAccountAccess = "sso:account:access"

// ImpliedScopes are those that every application has without their being put.
func ImpliedScopes() []string { return []string{"openid", "aws", "sts:identity_context"} }

// ScopeAccessGrants lets people use their access grants through an application.
const ScopeAccessGrants = "s3:access_grants:read_write"

// PutApplicationAccessScope lets an application ask for a scope, for the given targets or for all.
func (s *Service) PutApplicationAccessScope(ctx context.Context, in *ssoadmin.PutApplicationAccessScopeInput) (*ssoadmin.PutApplicationAccessScopeOutput, error) {
	a, err := s.customApplication(ctx, "PutApplicationAccessScope", in.ApplicationArn)
	if err != nil {
		return nil, err
	}
	if in.Scope == ScopeAccountAccess {
		i, ok := s.Center.Instance(a.Instance)
		if !ok || s.reach(ctx, caller.From(ctx).Account, i) < delegate {
			return nil, denied(ctx, "PutApplicationAccessScope", a.ARN, "the scope "+in.Scope+" is given by who administers the instance")
		}
		if !i.Organization {
			return nil, ssoadmin.ValidationException("The scope " + in.Scope + " is supported for applications of an organization's instance only.")
		}
	}
	for _, target := range in.AuthorizedTargets {
		if instance, _ := instanceOf(target); instance != a.Instance {
			return nil, ssoadmin.ValidationException("The target " + target + " belongs to another instance.")
		}
		if _, ok := s.Center.Application(target); !ok && target != a.Instance {
			return nil, ssoadmin.ResourceNotFoundException("Could not find application with ARN " + target)
		}
	}
	most := s.Center.quotas.Scopes
	err = s.changeParts(ctx, a.ARN, "application with ARN "+a.ARN, func(tx *store.Tx, a *Application) error {
		if _, have := a.Scopes[in.Scope]; !have && len(a.Scopes) >= most {
			// The model has no quota error for this operation.
			return ssoadmin.ValidationException(fmt.Sprintf("An application can have at most %d access scopes.", most))
		}
		return putScope(ctx, tx, a.ARN, in.Scope, in.AuthorizedTargets)
	})
	return &ssoadmin.PutApplicationAccessScopeOutput{}, err
}

func scopeOf(application, scope string) string {
	return "access scope " + scope + " of application with ARN " + application
}

// GetApplicationAccessScope reads a scope with its targets.
func (s *Service) GetApplicationAccessScope(ctx context.Context, in *ssoadmin.GetApplicationAccessScopeInput) (*ssoadmin.GetApplicationAccessScopeOutput, error) {
	a, err := s.application(ctx, "GetApplicationAccessScope", in.ApplicationArn)
	if err != nil {
		return nil, err
	}
	targets, ok := a.Scopes[in.Scope]
	if !ok {
		return nil, ssoadmin.ResourceNotFoundException("Could not find " + scopeOf(a.ARN, in.Scope))
	}
	return &ssoadmin.GetApplicationAccessScopeOutput{Scope: in.Scope, AuthorizedTargets: targets}, nil
}

// maxScopes is the longest list of scopes that the model admits: fewer than an application can have.
const maxScopes = 10

// ListApplicationAccessScopes lists the scopes of an application.
func (s *Service) ListApplicationAccessScopes(ctx context.Context, in *ssoadmin.ListApplicationAccessScopesInput) (*ssoadmin.ListApplicationAccessScopesOutput, error) {
	a, err := s.application(ctx, "ListApplicationAccessScopes", in.ApplicationArn)
	if err != nil {
		return nil, err
	}
	names, next, err := page("scopes "+a.ARN, a.ScopeNames(), func(n string) string { return n }, in.MaxResults, maxScopes, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &ssoadmin.ListApplicationAccessScopesOutput{Scopes: []ssoadmin.ScopeDetails{}, NextToken: next}
	for _, n := range names {
		out.Scopes = append(out.Scopes, ssoadmin.ScopeDetails{Scope: n, AuthorizedTargets: a.Scopes[n]})
	}
	return out, nil
}

// DeleteApplicationAccessScope takes a scope away.
func (s *Service) DeleteApplicationAccessScope(ctx context.Context, in *ssoadmin.DeleteApplicationAccessScopeInput) (*ssoadmin.DeleteApplicationAccessScopeOutput, error) {
	a, err := s.customApplication(ctx, "DeleteApplicationAccessScope", in.ApplicationArn)
	if err != nil {
		return nil, err
	}
	err = s.change(ctx, scopeOf(a.ARN, in.Scope), func(tx *store.Tx) error { return deleteScope(ctx, tx, a.ARN, in.Scope) })
	return &ssoadmin.DeleteApplicationAccessScopeOutput{}, err
}
