package portal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lakegate/lakegate/internal/api/sso"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/center"
	"github.com/lakegate/lakegate/internal/session"
	"github.com/lakegate/lakegate/internal/trail"
)

// GetRoleCredentials opens a session of a permission set's role for the bearer. Its expiration is in milliseconds since 1970.
func (s *Service) GetRoleCredentials(ctx context.Context, in *sso.GetRoleCredentialsInput) (*sso.GetRoleCredentialsOutput, error) {
	b, err := s.open(ctx, in.AccessToken)
	if err != nil {
		return nil, err
	}
	e := trail.From(ctx)
	roles := s.roles(b)
	i := slices.IndexFunc(roles, func(r center.AccountRole) bool {
		return r.Account == in.AccountId && r.PermissionSetName == in.RoleName
	})
	if i < 0 {
		return nil, noAccess(e, fmt.Sprintf("no permission set %.64q is assigned to the person in the account", in.RoleName))
	}
	role := roles[i]
	e.Step("assignment", trail.Pass, role.PermissionSetARN)
	e.Resource("AWS::IAM::Role", role.RoleARN, role.Account)
	opened, err := s.newSession(ctx, &b.Person, &role)
	if err != nil {
		return nil, err
	}
	creds, err := s.Vault.Issue(opened)
	if errors.Is(err, session.ErrTokenTooLarge) {
		e.Step("session", trail.Fail, "the attributes for access control are too large for a session")
		return nil, sso.InvalidRequestException("The session tags are too large.").Because(err)
	}
	if err != nil {
		return nil, fmt.Errorf("issue session of %s: %w", role.RoleARN, err)
	}
	e.Add(trail.KeyVendedKey, creds.AccessKeyID)
	return &sso.GetRoleCredentialsOutput{RoleCredentials: &sso.RoleCredentials{
		AccessKeyId: &creds.AccessKeyID, SecretAccessKey: &creds.SecretAccessKey, SessionToken: &creds.SessionToken,
		Expiration: new(creds.Expires.UnixMilli()),
	}}, nil
}

func (s *Service) newSession(ctx context.Context, id *caller.Identity, role *center.AccountRole) (*caller.Caller, error) {
	person, err := s.Directory.ReadUser(ctx, id.IdentityStoreID, id.UserID)
	if err != nil {
		return nil, fmt.Errorf("read the person of the session: %w", err)
	}
	// Tokens keep whole seconds: what is answered is what is sealed.
	now := s.Now().Truncate(time.Second)
	c := &caller.Caller{
		Type: caller.AssumedRole, Account: role.Account,
		Session: &caller.Session{
			RoleARN: role.RoleARN, RoleID: role.RoleID, RoleName: role.RoleARN[strings.LastIndexByte(role.RoleARN, '/')+1:],
			Name: sessionName(person.UserName, person.ID), Issued: now, Expires: now.Add(role.SessionDuration), Tags: s.Center.SessionTags(id.InstanceARN, &person),
			Portal: &caller.Portal{PermissionSet: role.PermissionSetARN, Account: role.Account},
		},
	}
	if s.Strict {
		c.Session.Audit = id
	} else {
		c.OnBehalf = id
	}
	return c, nil
}
