package account

import (
	"slices"
	"strings"

	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/caller"
)

// PrincipalsAfter lists the users and roles of all active accounts, and the roots of those accounts, in the order of their
// ARNs: limit of them at most, after the one named. Each is as a request of its own would show it, without a session of a
// role: who asks about one makes up a session.
func (r *Registry) PrincipalsAfter(after string, limit int) (all []caller.Caller) {
	for _, a := range r.Accounts() {
		if name := arn.Root(a.ID); a.Status == Active && name > after {
			all = append(all, caller.Caller{Type: caller.Root, Account: a.ID, ARN: name, PrincipalARN: name, UserID: a.ID})
		}
	}
	r.entities.Read(func(map[string]*Entity) {
		for name, e := range r.byARN {
			if name <= after || e.Kind == GroupKind || !r.isActive(e.Account) {
				continue
			}
			c := caller.Caller{Type: caller.User, Account: e.Account, ARN: name, PrincipalARN: name, UserID: e.ID, UserName: e.Name}
			if e.Kind == RoleKind {
				c.Type, c.UserName = caller.AssumedRole, ""
			}
			all = append(all, c)
		}
	})
	slices.SortFunc(all, func(a, b caller.Caller) int { return strings.Compare(a.ARN, b.ARN) })
	return all[:min(len(all), limit)]
}
