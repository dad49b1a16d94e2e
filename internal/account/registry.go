package account

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/store"
)

// Config says what a registry works on.
type Config struct {
	DB *store.DB
	// OnAccountCreated, when set, is given the administrator's key of each account right after it was created.
	OnAccountCreated func(ctx context.Context, profile Profile)
	Log              *slog.Logger
}

// Registry holds the organization, its accounts and everything of IAM, in the database and in memory.
type Registry struct {
	db        *store.DB
	log       *slog.Logger
	onCreated func(ctx context.Context, profile Profile)

	organizations store.Mirror[*Organization]
	accounts      store.Mirror[*Account]
	delegations   store.Mirror[*Delegation]
	entities      store.Mirror[*Entity]
	policies      store.Mirror[*ManagedPolicy]
	keys          store.Mirror[*AccessKey]
	oidc          store.Mirror[*OIDCProvider]

	// byName and byARN are over the entities, keysOf over the keys by user id; each is read under its mirror's lock.
	byName map[entityName]*Entity
	byARN  map[string]*Entity
	keysOf map[string][]*AccessKey

	aws      map[string]*ManagedPolicy
	guard    *ManagedPolicy
	sessions sessionPolicies
	uses     uses
}

// entityName is how a name is unique: without regard to case.
type entityName struct {
	account string
	kind    Kind
	key     string
}

func nameKey(name string) string { return strings.ToLower(name) }

// Open reads everything into memory and follows the changes from then on.
func Open(ctx context.Context, cfg Config) (*Registry, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	r := &Registry{db: cfg.DB, log: cfg.Log, onCreated: cfg.OnAccountCreated}
	if err := r.loadAWSManaged(); err != nil {
		return nil, err
	}
	r.mirror()
	for _, f := range []store.Follower{&r.organizations, &r.accounts, &r.delegations, &r.policies, &r.entities, &r.keys, &r.oidc} {
		if err := r.db.Follow(ctx, f); err != nil {
			return nil, fmt.Errorf("open accounts: %w", err)
		}
	}
	return r, nil
}

// The kinds of change, see store.Change.
const (
	organizationChange = "organization"
	accountChange      = "account"
	delegationChange   = "delegation"
	entityChange       = "iam-entity"
	policyChange       = "iam-policy"
	keyChange          = "iam-access-key"
	oidcChange         = "iam-oidc-provider"
)

func (r *Registry) mirror() {
	r.organizations.Kind, r.organizations.One, r.organizations.Every = organizationChange, readOrganization, eachOrganization
	r.accounts.Kind, r.accounts.One, r.accounts.Every = accountChange, readAccount, eachAccount
	r.delegations.Kind, r.delegations.One, r.delegations.Every = delegationChange, readDelegation, eachDelegation
	r.oidc.Kind, r.oidc.One, r.oidc.Every = oidcChange, readOIDC, eachOIDC
	r.policies.Kind, r.policies.One, r.policies.Every = policyChange, readPolicy, eachPolicy

	r.entities.Kind, r.entities.One, r.entities.Every = entityChange, readEntity, eachEntity
	r.entities.Reset = func() {
		r.byName, r.byARN = map[entityName]*Entity{}, map[string]*Entity{}
	}
	r.entities.Changed = func(_ string, before, after **Entity) {
		// A name may have gone to another id in the same change, so that only the own entry is removed.
		if before != nil {
			old := *before
			if r.byARN[old.ARN()] == old {
				delete(r.byARN, old.ARN())
			}
			if n := (entityName{old.Account, old.Kind, nameKey(old.Name)}); r.byName[n] == old {
				delete(r.byName, n)
			}
		}
		if after != nil {
			now := *after
			r.byARN[now.ARN()] = now
			r.byName[entityName{now.Account, now.Kind, nameKey(now.Name)}] = now
		}
	}

	r.keys.Kind, r.keys.One, r.keys.Every = keyChange, readKey, eachKey
	r.keys.Reset = func() { r.keysOf = map[string][]*AccessKey{} }
	r.keys.Changed = func(_ string, before, after **AccessKey) {
		if before != nil {
			old := *before
			r.keysOf[old.User] = slices.DeleteFunc(slices.Clone(r.keysOf[old.User]), func(k *AccessKey) bool { return k.ID == old.ID })
		}
		if after != nil {
			now := *after
			r.keysOf[now.User] = append(slices.Clone(r.keysOf[now.User]), now)
			slices.SortFunc(r.keysOf[now.User], func(a, b *AccessKey) int {
				return cmp.Or(a.Created.Compare(b.Created), strings.Compare(a.ID, b.ID))
			})
		}
	}
}

// Organization returns the organization; there is none before Bootstrap.
func (r *Registry) Organization() (o *Organization, ok bool) {
	r.organizations.Read(func(rows map[string]*Organization) {
		for _, o = range rows {
			ok = true
		}
	})
	return o, ok
}

// Account finds an account of the organization.
func (r *Registry) Account(id string) (*Account, bool) { return r.accounts.Get(id) }

// Accounts returns every account, in order of their ids.
func (r *Registry) Accounts() []*Account {
	var out []*Account
	for _, a := range r.accounts.Each() {
		out = append(out, a)
	}
	slices.SortFunc(out, func(a, b *Account) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// OrganizationOf returns the id of the organization that an account is in; "" for none.
func (r *Registry) OrganizationOf(_ context.Context, account string) string {
	o, ok := r.Organization()
	if _, member := r.accounts.Get(account); !ok || !member {
		return ""
	}
	return o.ID
}

// IsManagement reports whether the account manages the organization.
func (r *Registry) IsManagement(account string) bool {
	o, ok := r.Organization()
	return ok && o.Management == account
}

// IsDelegated reports whether a member account administers the service for the organization.
func (r *Registry) IsDelegated(account, service string) bool {
	_, ok := r.delegations.Get(delegationKey(account, service))
	return ok
}

func delegationKey(account, service string) string { return account + "/" + service }

// RoleByARN finds a role by its whole ARN, path included.
func (r *Registry) RoleByARN(name string) (Role, bool) {
	e, ok := r.entityByARN(name)
	if !ok || e.Kind != RoleKind || !r.isActive(e.Account) {
		return Role{}, false
	}
	return e.role(), true
}

// RoleByID finds a role by its id (AROA…).
func (r *Registry) RoleByID(id string) (Role, bool) {
	e, ok := r.entities.Get(id)
	if !ok || e.Kind != RoleKind || !r.isActive(e.Account) {
		return Role{}, false
	}
	return e.role(), true
}

// PrincipalID returns the id of the user or role that an ARN names.
func (r *Registry) PrincipalID(name string) (string, bool) {
	e, ok := r.entityByARN(name)
	if !ok || e.Kind == GroupKind {
		return "", false
	}
	return e.ID, true
}

// Exists reports whether an ARN names a principal: a user, a role, or the root of an account of the organization.
func (r *Registry) Exists(name string) bool {
	if _, ok := r.PrincipalID(name); ok {
		return true
	}
	a, err := arn.Parse(name)
	if err != nil || name != arn.Root(a.Account) {
		return false
	}
	_, ok := r.accounts.Get(a.Account)
	return ok
}

// ManagedPolicyExists reports whether principals of the account can use the managed policy: its own or AWS's.
func (r *Registry) ManagedPolicyExists(account, name string) bool {
	_, ok := r.managedPolicy(account, name)
	return ok
}

// managedPolicy finds a policy of the account, or of AWS.
func (r *Registry) managedPolicy(account, name string) (*ManagedPolicy, bool) {
	if p, ok := r.aws[name]; ok {
		return p, true
	}
	p, ok := r.policies.Get(name)
	if !ok || p.Account != account {
		return nil, false
	}
	return p, true
}

func (r *Registry) isActive(account string) bool {
	a, ok := r.accounts.Get(account)
	return ok && a.Status == Active
}

func (r *Registry) entityByARN(name string) (e *Entity, ok bool) {
	r.entities.Read(func(map[string]*Entity) { e, ok = r.byARN[name] })
	return e, ok
}

// entity finds an entity by name. Names are unique without regard to case, but are found only as they are spelt.
func (r *Registry) entity(account string, kind Kind, name string) (e *Entity, ok bool) {
	r.entities.Read(func(map[string]*Entity) { e, ok = r.byName[entityName{account, kind, nameKey(name)}] })
	return e, ok && e.Name == name
}

// entitiesOf lists an account's entities of a kind, in order of their names.
func (r *Registry) entitiesOf(account string, kind Kind) []*Entity {
	var out []*Entity
	r.entities.Read(func(rows map[string]*Entity) {
		for _, e := range rows {
			if e.Account == account && e.Kind == kind {
				out = append(out, e)
			}
		}
	})
	slices.SortFunc(out, func(a, b *Entity) int { return strings.Compare(nameKey(a.Name), nameKey(b.Name)) })
	return out
}

// policiesOf lists an account's own managed policies, in order of their names.
func (r *Registry) policiesOf(account string) []*ManagedPolicy {
	var out []*ManagedPolicy
	r.policies.Read(func(rows map[string]*ManagedPolicy) {
		for _, p := range rows {
			if p.Account == account {
				out = append(out, p)
			}
		}
	})
	slices.SortFunc(out, func(a, b *ManagedPolicy) int { return strings.Compare(nameKey(a.Name), nameKey(b.Name)) })
	return out
}

// keysOfUser lists the access keys of a user, oldest first.
func (r *Registry) keysOfUser(id string) (keys []*AccessKey) {
	r.keys.Read(func(map[string]*AccessKey) { keys = r.keysOf[id] })
	return keys
}

// sessionRoleExists reports whether the role of arn:aws:sts::<account>:assumed-role/<role>/<session> exists.
func (r *Registry) sessionRoleExists(a arn.ARN) bool {
	kind, rest, _ := strings.Cut(a.Resource, "/")
	role, _, _ := strings.Cut(rest, "/")
	_, ok := r.entity(a.Account, RoleKind, role)
	return ok && kind == "assumed-role"
}
