package request

import (
	"context"
	"strings"
	"time"

	"github.com/lakegate/lakegate/internal/store"
)

const selectRequest = `SELECT id, account, identity_store, user_id, application, scope, permission, duration, reason, status, created, expires, decided, decided_by, comment, grant_id, grant_ends FROM access_requests`

func scanRequest(s store.Scanner) (*Request, error) {
	var r Request
	var duration, created, expires, decided, ends int64
	err := s.Scan(&r.ID, &r.Account, &r.StoreID, &r.UserID, &r.Application, &r.Scope, &r.Permission, &duration, &r.Reason, &r.Status, &created, &expires, &decided, &r.DecidedBy, &r.Comment, &r.GrantID, &ends)
	r.Duration = time.Duration(duration) * time.Second
	r.Created, r.Expires, r.Decided, r.GrantEnds = store.Time(created), store.Time(expires), store.Time(decided), store.Time(ends)
	return &r, err
}

func read(ctx context.Context, q store.Querier, id string) (*Request, error) {
	return store.One(ctx, q, scanRequest, selectRequest+` WHERE id = ?`, id)
}

func insert(ctx context.Context, tx *store.Tx, r *Request) error {
	_, err := tx.Exec(ctx, `INSERT INTO access_requests (id, account, identity_store, user_id, application, scope, permission, duration, reason, status, created, expires, decided, decided_by, comment, grant_id, grant_ends)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, '', '', '', 0)`,
		r.ID, r.Account, r.StoreID, r.UserID, r.Application, r.Scope, string(r.Permission), int64(r.Duration/time.Second), r.Reason, string(r.Status), store.Millis(r.Created), store.Millis(r.Expires))
	return err
}

// settle writes how a pending request ended, or gives store.ErrNotFound when it is not pending any more.
func settle(ctx context.Context, tx *store.Tx, r *Request) error {
	return tx.MustExec(ctx, `UPDATE access_requests SET status = ?, scope = ?, permission = ?, duration = ?, decided = ?, decided_by = ?, comment = ?, grant_id = ?, grant_ends = ? WHERE id = ? AND status = ?`,
		string(r.Status), r.Scope, string(r.Permission), int64(r.Duration/time.Second), store.Millis(r.Decided), r.DecidedBy, r.Comment, r.GrantID, store.Millis(r.GrantEnds), r.ID, string(Pending))
}

// open counts pending requests that have not lapsed: of a person, and of an account.
func open(ctx context.Context, q store.Querier, r *Request) (ofPerson, ofAccount int64, err error) {
	ofPerson, err = store.One(ctx, q, store.Int, `SELECT COUNT(*) FROM access_requests WHERE identity_store = ? AND user_id = ? AND status = ? AND expires > ?`,
		r.StoreID, r.UserID, string(Pending), store.Millis(r.Created))
	if err != nil {
		return 0, 0, err
	}
	ofAccount, err = store.One(ctx, q, store.Int, `SELECT COUNT(*) FROM access_requests WHERE account = ? AND status = ? AND expires > ?`,
		r.Account, string(Pending), store.Millis(r.Created))
	return ofPerson, ofAccount, err
}

// filter narrows a list; empty fields do not.
type filter struct {
	account, storeID, userID string
	status                   Status
	now                      time.Time
	// before is the id behind which a page goes on. Ids grow with time, and lists begin with the newest.
	before string
}

// each visits requests, the newest first, until do is done.
func (f filter) each(ctx context.Context, q store.Querier, do func(*Request) error) error {
	var where []string
	var args []any
	is := func(condition string, values ...any) {
		where = append(where, condition)
		args = append(args, values...)
	}
	if f.account != "" {
		is("account = ?", f.account)
	}
	if f.userID != "" {
		is("identity_store = ? AND user_id = ?", f.storeID, f.userID)
	}
	switch f.status {
	case "":
	case Pending:
		is("status = ? AND expires > ?", string(Pending), store.Millis(f.now))
	case Expired:
		is("(status = ? OR status = ? AND expires <= ?)", string(Expired), string(Pending), store.Millis(f.now))
	default:
		is("status = ?", string(f.status))
	}
	if f.before != "" {
		is("id < ?", f.before)
	}
	query := selectRequest
	if len(where) > 0 {
		query += " WHERE " + strings.Join(where, " AND ")
	}
	return store.Each(ctx, q, scanRequest, do, query+" ORDER BY id DESC", args...)
}

// lapsed lists requests that nobody decided in time.
func lapsed(ctx context.Context, q store.Querier, now time.Time, most int) ([]*Request, error) {
	return store.All(ctx, q, scanRequest, selectRequest+` WHERE status = ? AND expires <= ? ORDER BY expires, id LIMIT ?`, string(Pending), store.Millis(now), most)
}

// notice is something that the webhook is to be told.
type notice struct {
	id, body string
	attempts int
	due      time.Time
}

func insertNotice(ctx context.Context, tx *store.Tx, n *notice, created time.Time) error {
	_, err := tx.Exec(ctx, `INSERT INTO access_request_notices (id, body, created, attempts, due) VALUES (?, ?, ?, 0, ?)`, n.id, n.body, store.Millis(created), store.Millis(n.due))
	return err
}

func dueNotices(ctx context.Context, q store.Querier, now time.Time, most int) ([]*notice, error) {
	scan := func(s store.Scanner) (*notice, error) {
		var n notice
		var due int64
		err := s.Scan(&n.id, &n.body, &n.attempts, &due)
		n.due = store.Time(due)
		return &n, err
	}
	return store.All(ctx, q, scan, `SELECT id, body, attempts, due FROM access_request_notices WHERE due <= ? ORDER BY due, id LIMIT ?`, store.Millis(now), most)
}

// claim moves a notice to its next time, or gives store.ErrNotFound when another node was first.
func (n *notice) claim(ctx context.Context, tx *store.Tx, next time.Time) error {
	return tx.MustExec(ctx, `UPDATE access_request_notices SET attempts = attempts + 1, due = ? WHERE id = ? AND attempts = ?`, store.Millis(next), n.id, n.attempts)
}

func (n *notice) remove(ctx context.Context, tx *store.Tx) error {
	_, err := tx.Exec(ctx, `DELETE FROM access_request_notices WHERE id = ?`, n.id)
	return err
}
