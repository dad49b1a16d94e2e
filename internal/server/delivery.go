package server

import (
	"time"

	"github.com/lakegate/lakegate/internal/authz"
	"github.com/lakegate/lakegate/internal/delivery"
	"github.com/lakegate/lakegate/internal/store"
)

// openDelivery makes the room that brings the audit log into buckets.
func (r *rooms) openDelivery(cfg *Config, db *store.DB, authorizer *authz.Authorizer) *delivery.Deliverer {
	management := ""
	if o, ok := r.accounts.Organization(); ok {
		management = o.Management
	}
	return &delivery.Deliverer{
		DB: db, Audit: r.trail.Log(), Buckets: r.buckets, Objects: r.buckets.Router(r.storage), Decider: authorizer, Region: cfg.Region, Management: management,
		Every: time.Duration(cfg.Audit.DeliverySeconds) * time.Second, Digests: time.Duration(cfg.Audit.DigestSeconds) * time.Second, Log: r.log,
	}
}
