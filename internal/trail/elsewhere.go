package trail

import (
	"context"
	"fmt"
	"time"

	"github.com/lakegate/lakegate/internal/store"
)

// Elsewhere is the log of another node, which Search of this one does not see.
type Elsewhere struct {
	Node string
	// Last is when it last grew, as far as the database has heard.
	Last time.Time
}

// Elsewhere tells which other nodes have logs that grew since a time. A node that came in the last ten seconds may be missing.
func (t *Trail) Elsewhere(ctx context.Context, since time.Time) (all []Elsewhere, err error) {
	err = t.cfg.DB.View(ctx, func(q store.Querier) error { all, err = headsBeside(ctx, q, t.log.Node(), since); return err })
	if err != nil {
		return nil, fmt.Errorf("find the logs of other nodes: %w", err)
	}
	return all, nil
}
