package center

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/lakegate/lakegate/internal/account"
	"github.com/lakegate/lakegate/internal/store"
)

// Roles makes the roles as which permission sets are provisioned, and knows the accounts; account provides it.
type Roles interface {
	PutReservedRole(ctx context.Context, tx *store.Tx, want account.ReservedRole) (account.Role, error)
	DeleteReservedRole(ctx context.Context, tx *store.Tx, id string) error
	// RoleByID finds a role of an account that is active.
	RoleByID(id string) (account.Role, bool)
	Account(id string) (*account.Account, bool)
	// ManagedPolicyExists reports whether principals of an account can use a managed policy.
	ManagedPolicyExists(account, arn string) bool
}

// AccountAssignment gives a person or a group a permission set in an account.
type AccountAssignment struct {
	// Set is the ARN of the permission set.
	Set, Account string
	// Type is USER or GROUP, Principal the id of the user or group.
	Type, Principal string
}

func (a AccountAssignment) key() string {
	return a.Set + " " + a.Account + " " + a.Type + " " + a.Principal
}

func accountAssignmentOf(key string) AccountAssignment {
	f := strings.SplitN(key, " ", 4)
	return AccountAssignment{f[0], f[1], f[2], f[3]}
}

// Provision says that a permission set is provisioned in an account.
type Provision struct {
	// Set is the ARN of the permission set.
	Set, Account string
	// Role is the id of the role.
	Role string
	// Version is that of the permission set which the role was made from.
	Version int64
}

func (p Provision) key() string { return p.Set + " " + p.Account }

// access is what people get in accounts, in memory.
type access struct {
	sets        store.Mirror[*PermissionSet]
	provisions  store.Mirror[Provision]
	assignments store.Mirror[AccountAssignment]
	// byPrincipal is kept by the mirror of assignments: the id of a user or group to what it is assigned.
	byPrincipal map[string][]AccountAssignment
}

func (x *access) mirror() []store.Follower {
	x.sets.Kind, x.sets.One, x.sets.Every = kindPermissionSet, readPermissionSet, eachPermissionSet
	x.provisions.Kind, x.provisions.One, x.provisions.Every = kindProvision, readProvision, eachProvision
	x.assignments.Kind, x.assignments.One, x.assignments.Every = kindAccountAccess, readAccountAssignment, eachAccountAssignment
	x.assignments.Reset = func() { x.byPrincipal = map[string][]AccountAssignment{} }
	x.assignments.Changed = func(_ string, before, after *AccountAssignment) {
		if before != nil {
			id := before.Principal
			left := slices.DeleteFunc(slices.Clone(x.byPrincipal[id]), func(a AccountAssignment) bool { return a == *before })
			if x.byPrincipal[id] = left; len(left) == 0 {
				delete(x.byPrincipal, id)
			}
		}
		if after != nil {
			x.byPrincipal[after.Principal] = append(slices.Clone(x.byPrincipal[after.Principal]), *after)
		}
	}
	return []store.Follower{&x.sets, &x.provisions, &x.assignments}
}

// of are the assignments of some principals. Ids are never given twice, so that they need no type beside them.
func (x *access) of(ids ...string) []AccountAssignment {
	var out []AccountAssignment
	x.assignments.Read(func(map[string]AccountAssignment) {
		for _, id := range ids {
			out = append(out, x.byPrincipal[id]...)
		}
	})
	return out
}

// PermissionSet finds a permission set.
func (c *Center) PermissionSet(arn string) (*PermissionSet, bool) { return c.access.sets.Get(arn) }

// AccountRole is one way into an account that a person has: a permission set that is assigned to them or to one of their
// groups, and provisioned.
type AccountRole struct {
	Account, PermissionSetARN, PermissionSetName string
	// RoleARN and RoleID name the role. It is in an account that is active.
	RoleARN, RoleID string
	// SessionDuration is the longest session, RelayState where the person is sent to after signing in at a console.
	SessionDuration time.Duration
	RelayState      string
}

// AccountRoles lists the ways into accounts that a person of an instance's directory has, in order of account and name.
// groups are the person's. Somebody who is not in the directory or is disabled has none, and neither has a group that is
// gone.
func (c *Center) AccountRoles(instanceARN, userID string, groups []string) []AccountRole {
	seen := map[Provision]bool{}
	var out []AccountRole
	for _, a := range c.access.of(c.principals(instanceARN, userID, groups)...) {
		if at := (Provision{Set: a.Set, Account: a.Account}); !seen[at] {
			seen[at] = true
			if r, ok := c.accountRole(instanceARN, a.Account, a.Set); ok {
				out = append(out, r)
			}
		}
	}
	slices.SortFunc(out, func(a, b AccountRole) int {
		return cmp.Or(strings.Compare(a.Account, b.Account), strings.Compare(a.PermissionSetName, b.PermissionSetName))
	})
	return out
}

// AccountRole finds one of the ways that AccountRoles lists. What holds a session asks it on each request.
func (c *Center) AccountRole(instanceARN, userID string, groups []string, account, permissionSetARN string) (AccountRole, bool) {
	assigned := false
	ids := c.principals(instanceARN, userID, groups)
	c.access.assignments.Read(func(rows map[string]AccountAssignment) {
		for n, id := range ids {
			kind := groupPrincipal
			if n == 0 {
				kind = userPrincipal
			}
			if _, ok := rows[AccountAssignment{permissionSetARN, account, kind, id}.key()]; ok {
				assigned = true
			}
		}
	})
	if !assigned {
		return AccountRole{}, false
	}
	return c.accountRole(instanceARN, account, permissionSetARN)
}

// principals are the ids of a person and of the groups, as far as they stand; none when the person may not sign in.
func (c *Center) principals(instanceARN, userID string, groups []string) []string {
	i, ok := c.instances.Get(instanceARN)
	if !ok {
		return nil
	}
	if p, ok := c.people.User(i.StoreID, userID); !ok || !p.Enabled {
		return nil
	}
	ids := []string{userID}
	for _, g := range groups {
		if _, ok := c.people.GroupName(i.StoreID, g); ok {
			ids = append(ids, g)
		}
	}
	return ids
}

func (c *Center) accountRole(instance, account, set string) (AccountRole, bool) {
	p, ok := c.access.sets.Get(set)
	if !ok || p.Instance != instance || c.roles == nil {
		return AccountRole{}, false
	}
	at, ok := c.access.provisions.Get(Provision{Set: set, Account: account}.key())
	if !ok {
		return AccountRole{}, false
	}
	r, ok := c.roles.RoleByID(at.Role)
	if !ok || r.Account != account {
		return AccountRole{}, false
	}
	return AccountRole{
		Account: account, PermissionSetARN: set, PermissionSetName: p.Name, RoleARN: r.ARN, RoleID: r.ID,
		SessionDuration: r.MaxDuration, RelayState: p.RelayState,
	}, true
}
