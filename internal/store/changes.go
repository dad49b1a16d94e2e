package store

import (
	"context"
	"database/sql"
	"errors"
)

// errGap says that the feed does not tell how the database came from one state to another.
var errGap = errors.New("the change feed does not go back as far")

// plain runs statements outside of any transaction.
type plain struct{ db *DB }

func (p plain) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return p.db.read.QueryContext(ctx, p.db.engine.rebind(query), args...)
}

func scanHead(s Scanner) (h head, err error) {
	return h, s.Scan(&h.revision, &h.at, &h.first.Kind, &h.first.Key)
}

func headOf(ctx context.Context, q Querier) (head, error) {
	return One(ctx, q, scanHead,
		`SELECT r.value, COALESCE(c.at, 0), COALESCE(c.kind, ''), COALESCE(c.key, '') FROM revision r
		LEFT JOIN changes c ON c.revision = r.value AND c.position = 0 WHERE r.id = 1`)
}

// changesBetween reads what was touched after one head and up to another, each thing once. errGap says that the feed has not
// all of it, that it is too much, or that the first head is none of its past.
func changesBetween(ctx context.Context, q Querier, from, to head) ([]Change, error) {
	if from.revision < 0 || to.revision <= from.revision {
		return nil, errGap
	}
	var (
		changes []Change
		seen    = map[Change]bool{}
		last    = from.revision
		begins  = from.revision == 0
	)
	err := Each(ctx, q, scanHead, func(h head) error {
		switch {
		case h.revision == from.revision:
			begins = begins || h == from
			return nil
		case !begins || h.revision > last+1 || len(changes) == longestGap:
			return errGap
		}
		last = h.revision
		if !seen[h.first] {
			seen[h.first] = true
			changes = append(changes, h.first)
		}
		return nil
	}, `SELECT revision, at, kind, key FROM changes WHERE revision >= ? ORDER BY revision, position`, from.revision)
	if err == nil && last != to.revision {
		err = errGap
	}
	return changes, err
}
