package portal

import (
	"errors"

	"github.com/lakegate/lakegate/internal/caller"
)

// Standing says why a session that began at the portal has lost what it rests on, or nil: the permission set must be
// assigned to its person in the account, directly or through a group, as things are now. Other sessions have nothing here
// to lose. Whether the person may act at all is asked beside it.
func (s *Service) Standing(c *caller.Caller) error {
	if c.Session == nil || c.Session.Portal == nil {
		return nil
	}
	p, id := c.Session.Portal, c.Named()
	if id == nil {
		return errors.New("the session of the portal carries no person")
	}
	groups := s.Directory.GroupsOf(id.IdentityStoreID, id.UserID)
	if _, ok := s.Center.AccountRole(id.InstanceARN, id.UserID, groups, p.Account, p.PermissionSet); !ok {
		return errors.New("the permission set " + p.PermissionSet + " is no longer assigned to the person in the account " + p.Account)
	}
	return nil
}
