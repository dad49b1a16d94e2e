package account

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lakegate/lakegate/internal/store"
)

// What of the organization no decision needs: it is read when it is asked for.

const requestColumns = `SELECT id, name, state, failure, account, requested, completed FROM account_requests`

func scanRequest(s store.Scanner) (*request, error) {
	var r request
	var requested, completed int64
	err := s.Scan(&r.id, &r.name, &r.state, &r.failure, &r.account, &requested, &completed)
	r.requested, r.completed = store.Time(requested), store.Time(completed)
	return &r, err
}

func readRequest(ctx context.Context, q store.Querier, id string) (*request, error) {
	return store.One(ctx, q, scanRequest, requestColumns+` WHERE id = ?`, id)
}

func allRequests(ctx context.Context, q store.Querier) ([]*request, error) {
	all, err := store.All(ctx, q, scanRequest, requestColumns)
	slices.SortFunc(all, func(a, b *request) int { return strings.Compare(a.id, b.id) })
	return all, err
}

func insertRequest(ctx context.Context, tx *store.Tx, r *request) error {
	tx.Changed("account-request", r.id)
	_, err := tx.Exec(ctx, `INSERT INTO account_requests (id, name, state, failure, account, requested, completed) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		r.id, r.name, string(r.state), r.failure, r.account, store.Millis(r.requested), store.Millis(r.completed))
	return err
}

// serviceAccess is a service that may act in the whole organization.
type serviceAccess struct {
	service string
	enabled time.Time
}

// serviceAccess lists the services that may act in the whole organization, in order of their names.
func (r *Registry) serviceAccess(ctx context.Context) (all []serviceAccess, err error) {
	err = r.db.View(ctx, func(q store.Querier) error {
		all, err = store.All(ctx, q, func(s store.Scanner) (a serviceAccess, err error) {
			var enabled int64
			err = s.Scan(&a.service, &enabled)
			a.enabled = store.Time(enabled)
			return a, err
		}, `SELECT service, enabled FROM service_access`)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list service access: %w", err)
	}
	slices.SortFunc(all, func(a, b serviceAccess) int { return strings.Compare(a.service, b.service) })
	return all, nil
}

func serviceEnabled(ctx context.Context, q store.Querier, service string) (bool, error) {
	n, err := store.One(ctx, q, store.Int, `SELECT COUNT(*) FROM service_access WHERE service = ?`, service)
	return n > 0, err
}
