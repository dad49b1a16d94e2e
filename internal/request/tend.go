package request

import (
	"context"
	"errors"
	"fmt"

	"github.com/lakegate/lakegate/internal/store"
)

// tendAtOnce is how many requests lapse in one go.
const tendAtOnce = 1000

// Tend writes down which requests lapsed, for lists and for the webhook; by themselves they lapse at their time.
func (s *Service) Tend(ctx context.Context) error {
	now := s.DB.Now()
	var over []*Request
	err := s.DB.View(ctx, func(q store.Querier) (err error) { over, err = lapsed(ctx, q, now, tendAtOnce); return err })
	if err != nil || len(over) == 0 {
		return err
	}
	err = s.DB.Update(ctx, func(tx *store.Tx) error {
		for _, r := range over {
			r.Status, r.Decided = Expired, r.Expires
			if err := settle(ctx, tx, r); errors.Is(err, store.ErrNotFound) {
				continue // it was decided meanwhile
			} else if err != nil {
				return err
			}
			if err := s.tell(ctx, tx, string(Expired), r); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("let requests lapse: %w", err)
	}
	s.Hook.wake()
	return nil
}
