package trail

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/lakegate/lakegate/internal/store"
)

// row is a record on its way to the database.
type row struct {
	id, account, name, source, user, accessKey, request string

	at             time.Time
	data, readOnly bool
	delivered      bool
	// stranger: nobody proved who made the request, whichever accounts it concerns.
	stranger  bool
	resources []Resource
	record    []byte
	steps     string
}

func number(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// column makes a text that every engine stores: PostgreSQL refuses zero bytes and what is not UTF-8. The record itself is
// JSON and has them escaped.
func column(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(scrub(s), "\uFFFD"), "\x00", "\uFFFD")
}

// put writes the row; a second time it replaces the record of the outbox with the final one.
func (r *row) put(ctx context.Context, tx *store.Tx) error {
	_, err := tx.Exec(ctx, `INSERT INTO events (id, account, time, name, source, data, read_only, user_name, access_key, request_id, delivered, record, steps)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET time = excluded.time, delivered = excluded.delivered, record = excluded.record, steps = excluded.steps`,
		r.id, column(r.account), store.Millis(r.at), column(r.name), column(r.source), number(r.data), number(r.readOnly), column(r.user), column(r.accessKey),
		column(r.request), number(r.delivered), string(r.record), r.steps)
	if err != nil {
		return err
	}
	for _, x := range r.resources {
		if _, err := tx.Exec(ctx, `INSERT INTO event_resources (event, type, name) VALUES (?, ?, ?) ON CONFLICT (event, type, name) DO NOTHING`,
			r.id, column(x.Type), column(x.ARN)); err != nil {
			return err
		}
	}
	return nil
}

func (t *Trail) store(ctx context.Context, rows []*row) error {
	return t.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		for _, r := range rows {
			if err := r.put(ctx, tx); err != nil {
				return err
			}
		}
		return nil
	})
}

// undelivered are the ids of the outbox.
func (t *Trail) undelivered(ctx context.Context) (map[string]bool, error) {
	ids := map[string]bool{}
	err := t.cfg.DB.View(ctx, func(q store.Querier) error {
		return store.Each(ctx, q, store.Text, func(id string) error { ids[id] = true; return nil }, `SELECT id FROM events WHERE delivered = 0`)
	})
	return ids, err
}

// deliver appends the outbox to the log, as far as it is older than before; what is logged already is only noted.
func (t *Trail) deliver(ctx context.Context, before time.Time, logged map[string]bool) (n int, err error) {
	type pending struct{ id, record string }
	for {
		var rows []pending
		err := t.cfg.DB.View(ctx, func(q store.Querier) (err error) {
			rows, err = store.All(ctx, q, func(s store.Scanner) (p pending, err error) { return p, s.Scan(&p.id, &p.record) },
				`SELECT id, record FROM events WHERE delivered = 0 AND time <= ? ORDER BY time, id LIMIT ?`, store.Millis(before), batchSize)
			return err
		})
		if err != nil || len(rows) == 0 {
			return n, err
		}
		var records [][]byte
		for _, p := range rows {
			if !logged[p.id] {
				records = append(records, []byte(p.record))
			}
		}
		if len(records) > 0 {
			if err := t.log.Append(true, records...); err != nil {
				return n, err
			}
			n += len(records)
		}
		err = t.cfg.DB.Update(ctx, func(tx *store.Tx) error {
			for _, p := range rows {
				if _, err := tx.Exec(ctx, `UPDATE events SET delivered = 1 WHERE id = ?`, p.id); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return n, err
		}
	}
}

// The database keeps refused data events for a week and requests of nobody's account for a day: they answer Why, and
// whoever causes them pays nothing. The log has them for as long as it is kept.
const (
	keepRefused   = 7 * 24 * time.Hour
	keepStrangers = 24 * time.Hour
)

// remove deletes a bounded number of rows that are past their time, and returns how many.
func (t *Trail) remove(ctx context.Context) (n int, err error) {
	now := t.cfg.DB.Now()
	before := func(d time.Duration) int64 { return store.Millis(now.Add(-min(d, t.cfg.Retention))) }
	err = t.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		n = 0
		for _, old := range []struct {
			where  string
			before int64
		}{
			{`data = 0 AND time < ? AND delivered = 1`, before(t.cfg.Retention)},
			{`data = 1 AND time < ? AND delivered = 1`, before(keepRefused)},
			{`account = '' AND data IN (0, 1) AND time < ? AND delivered = 1`, before(keepStrangers)},
		} {
			ids, err := store.All(ctx, tx, store.Text, `SELECT id FROM events WHERE `+old.where+` LIMIT ?`, old.before, batchSize)
			if err != nil {
				return err
			}
			for _, id := range ids {
				if _, err := tx.Exec(ctx, `DELETE FROM event_resources WHERE event = ?`, id); err != nil {
					return err
				}
				if _, err := tx.Exec(ctx, `DELETE FROM events WHERE id = ?`, id); err != nil {
					return err
				}
			}
			n += len(ids)
		}
		return nil
	})
	return n, err
}

// found is a stored event.
type found struct {
	id, account, name, source, user, accessKey, record, steps string

	at        int64
	readOnly  int64
	resources []Resource
}

func scanFound(s store.Scanner) (f found, err error) {
	return f, s.Scan(&f.id, &f.account, &f.at, &f.name, &f.source, &f.readOnly, &f.user, &f.accessKey, &f.record, &f.steps)
}

const selectEvents = `SELECT id, account, time, name, source, read_only, user_name, access_key, record, steps FROM events`

// search is a question of LookupEvents. It finds what is older than the place (beforeTime, beforeID).
type search struct {
	account    string
	from, to   int64
	where      string // a further condition with one parameter, or ""
	value      any
	slow       bool // no index serves the condition
	beforeTime int64
	beforeID   string
	limit      int
}

// moment is a place in the order of events.
type moment struct {
	at int64
	id string
}

// span is the condition on the index of times, and its parameters.
func (s *search) span() (where string, args []any) {
	return ` WHERE account = ? AND data = 0 AND time >= ? AND time <= ? AND (time < ? OR id < ?)`,
		[]any{s.account, s.from, min(s.to, s.beforeTime), s.beforeTime, s.beforeID}
}

// end is the last of the next n events, whether or not they meet the further condition; nil where there are no more than
// n. The index alone answers.
func (s *search) end(ctx context.Context, q store.Querier, n int) (*moment, error) {
	where, args := s.span()
	last, err := store.All(ctx, q, func(s store.Scanner) (m moment, err error) { return m, s.Scan(&m.at, &m.id) },
		`SELECT time, id FROM events`+where+` ORDER BY time DESC, id DESC LIMIT 2 OFFSET ?`, append(args, n-1)...)
	if err != nil || len(last) < 2 {
		return nil, err
	}
	return &last[0], nil
}

// run finds the events, down to the end where there is one.
func (s *search) run(ctx context.Context, q store.Querier, end *moment) ([]found, error) {
	where, args := s.span()
	query := selectEvents + where
	if end != nil {
		query, args = query+` AND time >= ? AND (time > ? OR id >= ?)`, append(args, end.at, end.at, end.id)
	}
	if s.where != "" {
		query, args = query+` AND `+s.where, append(args, s.value)
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

// byRequest finds the copy of a request's record that an account has. Those of nobody's account have "".
func byRequest(ctx context.Context, q store.Querier, account, requestID string) (found, error) {
	return store.One(ctx, q, scanFound, selectEvents+` WHERE request_id = ? AND account = ? ORDER BY time DESC, id DESC LIMIT 1`, requestID, account)
}

// putHead notes how far the log of a node has come. It never goes back.
func putHead(ctx context.Context, tx *store.Tx, node string, at mark, now time.Time) error {
	_, err := tx.Exec(ctx, `INSERT INTO audit_heads (node, segment, position, entry, hash, time) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (node) DO UPDATE SET segment = excluded.segment, position = excluded.position, entry = excluded.entry, hash = excluded.hash, time = excluded.time
		WHERE excluded.segment > audit_heads.segment OR excluded.segment = audit_heads.segment AND excluded.position >= audit_heads.position`,
		node, int64(at.segment), at.offset, int64(at.entry), at.head.String(), store.Millis(now)) //nolint:gosec // neither reaches 2^63
	return err
}

// headsBeside are the logs of nodes other than one that grew since a time.
func headsBeside(ctx context.Context, q store.Querier, node string, since time.Time) ([]Elsewhere, error) {
	least := int64(0)
	if !since.IsZero() {
		least = store.Millis(since)
	}
	scan := func(s store.Scanner) (e Elsewhere, err error) {
		var at int64
		err = s.Scan(&e.Node, &at)
		e.Last = store.Time(at)
		return e, err
	}
	return store.All(ctx, q, scan, `SELECT node, time FROM audit_heads WHERE node <> ? AND time >= ? ORDER BY node`, node, least)
}

// knownHeads are the marks of all nodes.
func knownHeads(ctx context.Context, q store.Querier) (map[string]mark, error) {
	known := map[string]mark{}
	type row struct {
		node string
		at   mark
	}
	scan := func(s store.Scanner) (r row, err error) {
		var segment, entry int64
		var head string
		if err := s.Scan(&r.node, &segment, &r.at.offset, &entry, &head); err != nil {
			return r, err
		}
		r.at.segment, r.at.entry = uint64(max(segment, 0)), uint64(max(entry, 0)) //nolint:gosec // not negative
		if !r.at.head.read([]byte(head)) {
			return r, fmt.Errorf("the head of node %.40q is not a hash", r.node)
		}
		return r, nil
	}
	return known, store.Each(ctx, q, scan, func(r row) error { known[r.node] = r.at; return nil }, `SELECT node, segment, position, entry, hash FROM audit_heads`)
}
