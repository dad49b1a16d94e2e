package portal

import (
	"context"
	"errors"
	"time"

	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/center"
)

// ErrNotAssigned says that a person does not have a permission set, or not any more.
var ErrNotAssigned = errors.New("the permission set is not assigned to the person")

// ErrSessionOver says that a session has lasted as long as its permission set lets it.
var ErrSessionOver = errors.New("the session of the permission set has ended")

// RolesOf lists the permission sets that a person has in accounts, in order of account and name.
func (s *Service) RolesOf(id *caller.Identity) []center.AccountRole {
	if i, ok := s.Center.Instance(id.InstanceARN); !ok || !i.Organization {
		return nil
	}
	return s.Center.AccountRoles(id.InstanceARN, id.UserID, s.Directory.GroupsOf(id.IdentityStoreID, id.UserID))
}

// SessionOf opens the session of a permission set for a person who took it at a moment, in a browser: no credentials are
// made, so that none can leave this process. The trail names the person; the session does not act for them, as none does in
// which somebody administers: what it may is what the permission set says. Its errors are ErrNotAssigned, ErrSessionOver and
// those of reading the directory.
func (s *Service) SessionOf(ctx context.Context, id *caller.Identity, account, permissionSetARN string, taken time.Time) (*caller.Caller, error) {
	groups := s.Directory.GroupsOf(id.IdentityStoreID, id.UserID)
	i, known := s.Center.Instance(id.InstanceARN)
	role, ok := s.Center.AccountRole(id.InstanceARN, id.UserID, groups, account, permissionSetARN)
	if !ok || !known || !i.Organization {
		return nil, ErrNotAssigned
	}
	c, err := s.newSession(ctx, id, &role)
	if err != nil {
		return nil, err
	}
	taken = taken.Truncate(time.Second)
	c.Session.Issued, c.Session.Expires = taken, taken.Add(role.SessionDuration)
	if !s.Now().Before(c.Session.Expires) {
		return nil, ErrSessionOver
	}
	c.OnBehalf, c.Session.Audit = nil, id
	c.ARN = arn.AssumedRole(role.Account, c.Session.RoleName, c.Session.Name)
	c.PrincipalARN, c.UserID = role.RoleARN, role.RoleID+":"+c.Session.Name
	return c, nil
}
