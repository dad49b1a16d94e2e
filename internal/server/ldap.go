package server

import (
	"context"

	"github.com/lakegate/lakegate/internal/ldap"
	"github.com/lakegate/lakegate/internal/store"
)

// openLDAP opens the source of the configuration, if there is one. It begins to run when the server is announced.
func (r *rooms) openLDAP(ctx context.Context, cfg *Config, db *store.DB) (err error) {
	if cfg.LDAP == nil {
		return nil
	}
	r.ldap, err = ldap.Open(ctx, ldap.Parts{
		Settings: cfg.LDAP, DB: db, Directory: r.directory, Trail: r.trail, Region: cfg.Region, Store: r.organizationStore, Getenv: cfg.getenv, Log: r.log,
	})
	return err
}

// organizationStore is the identity store of the organization's instance, "" for none.
func (r *rooms) organizationStore() string {
	organization, ok := r.accounts.Organization()
	if !ok {
		return ""
	}
	for id, account := range r.directory.Stores() {
		if account == organization.Management {
			return id
		}
	}
	return ""
}
