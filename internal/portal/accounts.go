package portal

import (
	"context"
	"slices"

	"github.com/lakegate/lakegate/internal/account"
	"github.com/lakegate/lakegate/internal/api/sso"
	"github.com/lakegate/lakegate/internal/center"
	"github.com/lakegate/lakegate/internal/trail"
)

// ListAccounts lists the accounts in which the bearer has something, in order of their ids.
func (s *Service) ListAccounts(ctx context.Context, in *sso.ListAccountsInput) (*sso.ListAccountsOutput, error) {
	b, err := s.open(ctx, in.AccessToken)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, r := range s.roles(b) {
		if len(ids) == 0 || ids[len(ids)-1] != r.Account {
			ids = append(ids, r.Account)
		}
	}
	ids, next, err := page("accounts", ids, func(id string) string { return id }, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &sso.ListAccountsOutput{NextToken: next, AccountList: []sso.AccountInfo{}}
	for _, id := range ids {
		// Closed since the assignments were read: it is no longer shown.
		if a, ok := s.Accounts.Account(id); ok && a.Status == account.Active {
			out.AccountList = append(out.AccountList, sso.AccountInfo{AccountId: &id, AccountName: &a.Name, EmailAddress: &a.Email})
		}
	}
	return out, nil
}

// ListAccountRoles lists the permission sets that the bearer has in an account, in order of their names.
func (s *Service) ListAccountRoles(ctx context.Context, in *sso.ListAccountRolesInput) (*sso.ListAccountRolesOutput, error) {
	b, err := s.open(ctx, in.AccessToken)
	if err != nil {
		return nil, err
	}
	roles := slices.DeleteFunc(s.roles(b), func(r center.AccountRole) bool { return r.Account != in.AccountId })
	if len(roles) == 0 {
		return nil, noAccess(trail.From(ctx), "the person has nothing in the account")
	}
	roles, next, err := page("roles of "+in.AccountId, roles, func(r center.AccountRole) string { return r.PermissionSetName }, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &sso.ListAccountRolesOutput{NextToken: next, RoleList: []sso.RoleInfo{}}
	for _, r := range roles {
		out.RoleList = append(out.RoleList, sso.RoleInfo{RoleName: &r.PermissionSetName, AccountId: &r.Account})
	}
	return out, nil
}
