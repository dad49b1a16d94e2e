package center

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/lakegate/lakegate/internal/directory"
	"github.com/lakegate/lakegate/internal/store"
)

// Directory is what the identity center needs of the people: their stores, and who exists.
type Directory interface {
	CreateStore(ctx context.Context, tx *store.Tx, storeID, account string) error
	DeleteStore(ctx context.Context, tx *store.Tx, storeID string) error
	User(storeID, userID string) (directory.Person, bool)
	GroupName(storeID, groupID string) (string, bool)
	GroupsOf(storeID, userID string) []string
}

// Quotas bound what an instance holds. The zero value of each takes AWS's.
type Quotas struct {
	Issuers, Applications, Scopes, Groups int
	// PermissionSets is of an instance, Policies of a permission set: managed policies of both kinds together.
	PermissionSets, Policies int
}

func (q Quotas) complete() Quotas {
	orElse := func(v *int, otherwise int) {
		if *v == 0 {
			*v = otherwise
		}
	}
	orElse(&q.Issuers, 10)
	orElse(&q.Applications, 7000)
	orElse(&q.Scopes, 25)
	orElse(&q.Groups, 100)
	orElse(&q.PermissionSets, 3500)
	orElse(&q.Policies, 20)
	return q
}

// Config says what an identity center works on.
type Config struct {
	DB        *store.DB
	Directory Directory
	// Roles are where permission sets are provisioned. Without it there are none.
	Roles Roles
	// Region is where applications are created from.
	Region string
	Quotas Quotas
}

// Center holds every instance with what hangs on it, in the database and in memory.
type Center struct {
	db     *store.DB
	people Directory
	roles  Roles
	region string
	quotas Quotas
	access access

	instances    store.Mirror[*Instance]
	issuers      store.Mirror[*Issuer]
	applications store.Mirror[*Application]
	assignments  store.Mirror[Assignment]
	// accessControl holds attributes for access control, by instance.
	accessControl store.Mirror[[]AccessControlAttribute]
	// byPrincipal and assigned are kept by the mirror of assignments: the id of a user or group to what it is assigned to,
	// and an application to who is assigned to it.
	byPrincipal map[string][]Assignment
	assigned    map[string]map[string]bool
}

// Open reads everything into memory and follows the changes from then on.
func Open(ctx context.Context, cfg Config) (*Center, error) {
	c := &Center{db: cfg.DB, people: cfg.Directory, roles: cfg.Roles, region: cfg.Region, quotas: cfg.Quotas.complete()}
	c.instances.Kind, c.instances.One, c.instances.Every = kindInstance, readInstance, eachInstance
	c.issuers.Kind, c.issuers.One, c.issuers.Every = kindIssuer, readIssuer, eachIssuer
	c.applications.Kind, c.applications.One, c.applications.Every = kindApplication, readApplication, eachApplication
	c.assignments.Kind, c.assignments.One, c.assignments.Every = kindAssignment, readAssignment, eachAssignment
	c.accessControl.Kind, c.accessControl.One, c.accessControl.Every = kindAccessControl, readAccessControl, eachAccessControl
	c.assignments.Reset = func() { c.byPrincipal, c.assigned = map[string][]Assignment{}, map[string]map[string]bool{} }
	c.assignments.Changed = func(_ string, before, after *Assignment) {
		if before != nil {
			id := before.Principal
			left := slices.DeleteFunc(slices.Clone(c.byPrincipal[id]), func(a Assignment) bool { return a == *before })
			if c.byPrincipal[id] = left; len(left) == 0 {
				delete(c.byPrincipal, id)
			}
			if delete(c.assigned[before.Application], id); len(c.assigned[before.Application]) == 0 {
				delete(c.assigned, before.Application)
			}
		}
		if after != nil {
			if c.assigned[after.Application] == nil {
				c.assigned[after.Application] = map[string]bool{}
			}
			c.assigned[after.Application][after.Principal] = true
			c.byPrincipal[after.Principal] = append(slices.Clone(c.byPrincipal[after.Principal]), *after)
		}
	}
	followers := append([]store.Follower{&c.instances, &c.issuers, &c.applications, &c.assignments, &c.accessControl}, c.access.mirror()...)
	for _, f := range followers {
		if err := c.db.Follow(ctx, f); err != nil {
			return nil, fmt.Errorf("open identity center: %w", err)
		}
	}
	return c, nil
}

// Bootstrap makes the organization's instance in its management account, unless there is one, and returns it.
func (c *Center) Bootstrap(ctx context.Context, account string) (*Instance, error) {
	if i, ok := c.organizationInstance(); ok {
		return i, nil
	}
	i := c.newInstance(account, true)
	err := c.db.Update(ctx, func(tx *store.Tx) error { return c.insertInstance(ctx, tx, i) })
	if err != nil {
		return nil, fmt.Errorf("create identity center of the organization: %w", err)
	}
	return i, nil
}

func (c *Center) newInstance(account string, organization bool) *Instance {
	return &Instance{ARN: instanceARN("ssoins-" + randomHex(16)), Account: account, StoreID: "d-" + randomHex(10), Organization: organization, Created: c.db.Now()}
}

func (c *Center) insertInstance(ctx context.Context, tx *store.Tx, i *Instance) error {
	if err := c.people.CreateStore(ctx, tx, i.StoreID, i.Account); err != nil {
		return err
	}
	return insertInstance(ctx, tx, i)
}

// randomHex makes n hexadecimal digits, n even.
func randomHex(n int) string {
	b := make([]byte, n/2)
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}

func (c *Center) organizationInstance() (*Instance, bool) {
	return c.findInstance(func(i *Instance) bool { return i.Organization })
}

// Instance finds an instance.
func (c *Center) Instance(arn string) (*Instance, bool) { return c.instances.Get(arn) }

// Instances returns every instance, in order of their ARNs.
func (c *Center) Instances() []*Instance {
	return sorted(&c.instances, func(i *Instance) string { return i.ARN })
}

// InstanceFor finds the instance that an account owns.
func (c *Center) InstanceFor(account string) (*Instance, bool) {
	return c.findInstance(func(i *Instance) bool { return i.Account == account })
}

func (c *Center) findInstance(is func(*Instance) bool) (found *Instance, ok bool) {
	c.instances.Read(func(rows map[string]*Instance) {
		for _, i := range rows {
			if is(i) {
				found, ok = i, true
			}
		}
	})
	return found, ok
}

// Issuer finds a trusted token issuer.
func (c *Center) Issuer(arn string) (*Issuer, bool) { return c.issuers.Get(arn) }

// Application finds an application.
func (c *Center) Application(arn string) (*Application, bool) { return c.applications.Get(arn) }

// ApplicationEnabled reports whether an application exists and may be used. What acts for a person through an application
// asks on each request, so that disabling it ends its sessions.
func (c *Center) ApplicationEnabled(arn string) bool {
	a, ok := c.applications.Get(arn)
	return ok && a.Enabled
}

// Assigned reports whether a person may use an application: nobody has to be assigned, or the person is, or one of the
// groups is.
func (c *Center) Assigned(application, userID string, groups []string) bool {
	a, ok := c.applications.Get(application)
	if !ok {
		return false
	}
	if !a.AssignmentRequired {
		return true
	}
	found := false
	c.assignments.Read(func(map[string]Assignment) {
		who := c.assigned[application]
		found = who[userID] || slices.ContainsFunc(groups, func(g string) bool { return who[g] })
	})
	return found
}

// CreateServiceApplication makes the application that stands for a service's own resource, such as an account's access
// grants instance. It shows in lists, and only the service changes it.
func (c *Center) CreateServiceApplication(ctx context.Context, instanceARN, account, name string) (arn string, err error) {
	i, ok := c.instances.Get(instanceARN)
	if !ok {
		return "", store.ErrNotFound
	}
	a := &Application{
		ARN: applicationARN(i, randomHex(16)), Instance: i.ARN, Provider: ProviderAccessGrants, Account: account, Name: name,
		Enabled: true, Portal: Portal{Visibility: disabled}, Created: c.db.Now(), CreatedFrom: c.region,
	}
	err = c.db.Update(ctx, func(tx *store.Tx) error { return insertApplication(ctx, tx, a) })
	if err != nil {
		return "", fmt.Errorf("create application of a service: %w", err)
	}
	return a.ARN, nil
}

// DeleteServiceApplication removes what CreateServiceApplication made. One that is gone already is no error.
func (c *Center) DeleteServiceApplication(ctx context.Context, arn string) error {
	a, ok := c.applications.Get(arn)
	if !ok {
		return nil
	}
	if !a.isService() {
		return fmt.Errorf("delete application %s: it does not belong to a service", arn)
	}
	err := c.db.Update(ctx, func(tx *store.Tx) error { return deleteApplication(ctx, tx, arn) })
	if err != nil && !isNotFound(err) {
		return fmt.Errorf("delete application %s: %w", arn, err)
	}
	return nil
}

// sorted copies the rows of a mirror in the order of a key.
func sorted[V any](m *store.Mirror[V], key func(V) string) []V {
	var out []V
	for _, v := range m.Each() {
		out = append(out, v)
	}
	slices.SortFunc(out, func(a, b V) int { return strings.Compare(key(a), key(b)) })
	return out
}
