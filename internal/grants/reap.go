package grants

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/trail"
	"github.com/lakegate/lakegate/internal/wire"
)

// reapAtOnce bounds what one Tend deletes, so that a million grants that ended together hold up nobody for long.
const reapAtOnce = 10_000

// Tend deletes grants that ended longer ago than Retention. Each goes with a record of its own, in the name of the service.
// Nodes may do so at the same time: a grant that another one deleted is passed over.
func (s *Service) Tend(ctx context.Context) error {
	if s.Retention <= 0 {
		return nil
	}
	before := s.Now().Add(-s.Retention)
	var over []*Grant
	err := s.Registry.db.View(ctx, func(q store.Querier) (err error) {
		over, err = endedGrants(ctx, q, before, reapAtOnce)
		return err
	})
	if err != nil {
		return fmt.Errorf("find grants that ended: %w", err)
	}
	for _, g := range over {
		if err := s.reap(ctx, g); err != nil {
			return fmt.Errorf("delete grant %s, which ended: %w", g.ID, err)
		}
	}
	return nil
}

func (s *Service) reap(ctx context.Context, g *Grant) error {
	ctx = caller.WithRequest(ctx, &caller.Request{ID: uuid.NewString(), SourceIP: servicePrincipal, UserAgent: servicePrincipal, Region: s.Region, Time: s.Now()})
	ctx, e := s.Trail.Begin(ctx, trail.Operation{Source: "s3.amazonaws.com", Name: "DeleteAccessGrant"})
	e.Caller(&caller.Caller{Type: caller.Service, Account: g.Account, ServiceName: servicePrincipal})
	e.Parameters(map[string]any{"accountId": g.Account, "accessGrantId": g.ID})
	e.Resource(resourceType, s.instanceARN(g.Account), g.Account)
	e.Add(trail.KeyGrantID, g.ID)
	e.Step("retention", trail.Info, "the grant "+g.Terms.lapse(s.Now())+", more than "+s.Retention.String()+" ago")
	err := s.Registry.db.Update(ctx, func(tx *store.Tx) error { return deleteGrant(ctx, tx, g.Account, g.ID) })
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	var failure error
	if err != nil {
		failure = wire.NewError("InternalError", 500, "The grant could not be deleted because of an internal error.")
	}
	return errors.Join(err, s.Trail.Finish(ctx, e, failure))
}
