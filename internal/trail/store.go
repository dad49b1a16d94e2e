package trail

import (
	"context"
	"time"

	"github.com/lakegate/lakegate/internal/store"
)

// row is a record on its way to the database.
type row struct {
	id, account, name, source, user, accessKey, request string

	at             time.Time
	data, readOnly bool
	resources      []Resource
	record         []byte
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// put writes the row; a second time it replaces the record of the outbox with the final one.
func (r *row) put(ctx context.Context, tx *store.Tx, delivered bool) error {
	_, err := tx.Exec(ctx, `INSERT INTO events (id, account, time, name, source, data, read_only, user_name, access_key, request_id, delivered, record)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET time = excluded.time, delivered = excluded.delivered, record = excluded.record`,
		r.id, r.account, store.Millis(r.at), r.name, r.source, flag(r.data), flag(r.readOnly), r.user, r.accessKey, r.request, flag(delivered), string(r.record))
	if err != nil {
		return err
	}
	for _, x := range r.resources {
		if _, err := tx.Exec(ctx, `INSERT INTO event_resources (event, type, name) VALUES (?, ?, ?) ON CONFLICT (event, type, name) DO NOTHING`, r.id, x.Type, x.ARN); err != nil {
			return err
		}
	}
	return nil
}

// deliver appends to the log what was committed and not yet logged.
func (t *Trail) deliver(ctx context.Context) (int, error) {
	type pending struct{ id, record string }
	var rows []pending
	err := t.cfg.DB.View(ctx, func(q store.Querier) (err error) {
		rows, err = store.All(ctx, q, func(s store.Scanner) (p pending, err error) { return p, s.Scan(&p.id, &p.record) },
			`SELECT id, record FROM events WHERE delivered = 0 ORDER BY time, id`)
		return err
	})
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	for _, p := range rows {
		if err := t.log.Append([]byte(p.record)); err != nil {
			return 0, err
		}
	}
	return len(rows), t.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		for _, p := range rows {
			if _, err := tx.Exec(ctx, `UPDATE events SET delivered = 1 WHERE id = ?`, p.id); err != nil {
				return err
			}
		}
		return nil
	})
}

// sweep removes what is older than the retention, a bounded number at a time. The log keeps it.
func (t *Trail) sweep(ctx context.Context) error {
	if t.cfg.Retention <= 0 {
		return nil
	}
	before := store.Millis(t.cfg.DB.Now().Add(-t.cfg.Retention))
	for {
		var n int64
		err := t.cfg.DB.Update(ctx, func(tx *store.Tx) error {
			ids, err := store.All(ctx, tx, store.Text, `SELECT id FROM events WHERE time < ? AND delivered = 1 ORDER BY time LIMIT 500`, before)
			if err != nil {
				return err
			}
			n = int64(len(ids))
			for _, id := range ids {
				if _, err := tx.Exec(ctx, `DELETE FROM event_resources WHERE event = ?`, id); err != nil {
					return err
				}
				if _, err := tx.Exec(ctx, `DELETE FROM events WHERE id = ?`, id); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil || n == 0 {
			return err
		}
	}
}

// found is a stored event.
type found struct {
	id, name, source, user, accessKey, record string
	at                                        int64
	readOnly                                  int64
	resources                                 []Resource
}

func scanFound(s store.Scanner) (f found, err error) {
	return f, s.Scan(&f.id, &f.at, &f.name, &f.source, &f.readOnly, &f.user, &f.accessKey, &f.record)
}

const selectEvents = `SELECT id, time, name, source, read_only, user_name, access_key, record FROM events`

// search is a question of LookupEvents. Before is where the last page ended; its zero value begins at the newest.
type search struct {
	account    string
	from, to   int64
	column     string
	value      any
	resource   string
	kind       string
	beforeTime int64
	beforeID   string
	limit      int
}

func (s *search) run(ctx context.Context, q store.Querier) ([]found, error) {
	query, args := selectEvents+` WHERE account = ? AND data = 0 AND time >= ? AND time <= ? AND (time < ? OR (time = ? AND id < ?))`,
		[]any{s.account, s.from, s.to, s.beforeTime, s.beforeTime, s.beforeID}
	switch {
	case s.column != "":
		query, args = query+` AND `+s.column+` = ?`, append(args, s.value)
	case s.resource != "":
		query, args = query+` AND id IN (SELECT event FROM event_resources WHERE name = ?)`, append(args, s.resource)
	case s.kind != "":
		query, args = query+` AND id IN (SELECT event FROM event_resources WHERE type = ?)`, append(args, s.kind)
	}
	events, err := store.All(ctx, q, scanFound, query+` ORDER BY time DESC, id DESC LIMIT ?`, append(args, s.limit)...)
	if err != nil {
		return nil, err
	}
	for i := range events {
		events[i].resources, err = store.All(ctx, q, func(s store.Scanner) (r Resource, err error) { return r, s.Scan(&r.Type, &r.ARN) },
			`SELECT type, name FROM event_resources WHERE event = ? ORDER BY type, name`, events[i].id)
		if err != nil {
			return nil, err
		}
	}
	return events, nil
}

// byRequest finds an account's copy of the record of a request.
func byRequest(ctx context.Context, q store.Querier, account, requestID string) (found, error) {
	return store.One(ctx, q, scanFound, selectEvents+` WHERE request_id = ? AND account = ? ORDER BY time DESC LIMIT 1`, requestID, account)
}
