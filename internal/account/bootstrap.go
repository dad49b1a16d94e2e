package account

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/store"
)

// Administrator is the name of the user that every account begins with.
const Administrator = "administrator"

// DelegateRole is the role by which the management account reaches a member, unless CreateAccount names another.
const DelegateRole = "OrganizationAccountAccessRole"

// identityCenterService is the service principal of the identity center.
const identityCenterService = "sso.amazonaws.com"

// FirstStart is what was made when a database was empty.
type FirstStart struct {
	Organization *Organization
	Account      *Account
	// Profile is the key of the management account's administrator.
	Profile Profile
}

// Bootstrap makes the organization with its management account and an administrator in it, when there is none yet. The
// account's id is managementAccount, or a random one when that is empty. On a database that has its organization it
// returns nil, and an error when managementAccount names another account than the one that manages it.
func (r *Registry) Bootstrap(ctx context.Context, managementAccount string) (*FirstStart, error) {
	if o, ok := r.Organization(); ok {
		if managementAccount != "" && managementAccount != o.Management {
			return nil, fmt.Errorf("the management account of this database is %s, not %s: leave the setting out, or start with another directory", o.Management, managementAccount)
		}
		return nil, nil
	}
	if managementAccount == "" {
		var err error
		if managementAccount, err = newAccountID(); err != nil {
			return nil, err
		}
	}
	if !arn.IsAccountID(managementAccount) {
		return nil, fmt.Errorf("management account %q: an account id has twelve digits", managementAccount)
	}
	first := &FirstStart{
		Organization: &Organization{ID: "o-" + newLowerID(10), Root: "r-" + newLowerID(4), Management: managementAccount, Created: r.now()},
		Account: &Account{
			ID: managementAccount, Name: "management", Email: "management@" + managementAccount + ".lakegate.internal",
			Status: Active, JoinedMethod: "INVITED", Joined: r.now(),
		},
	}
	err := r.db.Update(ctx, func(tx *store.Tx) error {
		if err := insertOrganization(ctx, tx, first.Organization); err != nil {
			return err
		}
		if err := insertServiceAccess(ctx, tx, identityCenterService, r.now()); err != nil {
			return err
		}
		var err error
		first.Profile, err = r.insertAccountWithAdministrator(ctx, tx, first.Account)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("create organization: %w", err)
	}
	first.Profile.Management = true
	r.created(ctx, first.Profile)
	return first, nil
}

// insertAccountWithAdministrator makes an account in which somebody can act.
func (r *Registry) insertAccountWithAdministrator(ctx context.Context, tx *store.Tx, a *Account) (Profile, error) {
	if err := insertAccount(ctx, tx, a); err != nil {
		return Profile{}, err
	}
	u := &Entity{Kind: UserKind, ID: newID(idPrefixes[UserKind]), Account: a.ID, Path: "/", Name: Administrator, Created: r.now()}
	if err := insertEntity(ctx, tx, u); err != nil {
		return Profile{}, err
	}
	if err := attach(ctx, tx, u.ID, AdministratorAccess); err != nil {
		return Profile{}, err
	}
	k, secret := r.newKey(u)
	if err := insertKey(ctx, tx, k); err != nil {
		return Profile{}, err
	}
	return Profile{Account: a.ID, AccountName: a.Name, AccessKeyID: k.ID, SecretAccessKey: secret}, nil
}

// insertDelegateRole makes the role by which the management account reaches a member.
func (r *Registry) insertDelegateRole(ctx context.Context, tx *store.Tx, member, name, management string) error {
	role := &Entity{
		Kind: RoleKind, ID: newID(idPrefixes[RoleKind]), Account: member, Path: "/", Name: name, Created: r.now(), MaxSession: time.Hour,
		Trust: Trust{Text: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + arn.Root(management) + `"},"Action":"sts:AssumeRole"}]}`},
	}
	if err := insertEntity(ctx, tx, role); err != nil {
		return err
	}
	return attach(ctx, tx, role.ID, AdministratorAccess)
}

// created tells whoever keeps the operator's credentials of a new account.
func (r *Registry) created(ctx context.Context, p Profile) {
	if r.onCreated != nil {
		r.onCreated(ctx, p)
	}
}

// Profiles returns the key of every account's administrator, in order of the accounts' ids: the oldest that is enabled.
// Accounts whose administrator was deleted or has no such key are left out, and so are suspended ones.
func (r *Registry) Profiles(_ context.Context) ([]Profile, error) {
	var out []Profile
	for _, a := range r.Accounts() {
		u, ok := r.entity(a.ID, UserKind, Administrator)
		if !ok {
			continue
		}
		for _, k := range r.keysOfUser(u.ID) {
			secret, _, err := r.Lookup(k.ID)
			if errors.Is(err, ErrNoKey) {
				continue
			}
			if err != nil {
				return nil, fmt.Errorf("profile of account %s: %w", a.ID, err)
			}
			out = append(out, Profile{Account: a.ID, AccountName: a.Name, Management: r.IsManagement(a.ID), AccessKeyID: k.ID, SecretAccessKey: secret})
			break
		}
	}
	return out, nil
}

// now is the clock of the database, in the precision that it keeps.
func (r *Registry) now() time.Time { return r.db.Now().UTC().Truncate(time.Millisecond) }
