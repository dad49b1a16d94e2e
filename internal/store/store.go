// Package store keeps the state of a server in one relational schema on one of two engines: SQLite inside the process,
// or PostgreSQL (and what speaks its protocol). The same SQL texts serve both; migrations are written in SQLite's dialect
// and translated where a type has another name.
//
// What it promises:
//
//   - A change is one transaction: the rows, the next revision, a row in the change feed for each thing touched, and the
//     audit record that the context carries. All of it commits, or nothing does.
//   - Committed is durable: SQLite runs with WAL and synchronous=FULL, PostgreSQL with its own defaults.
//   - Update returns after every index that follows the feed has taken the change in. The next reader sees it.
//   - Transactions are serializable. A function given to Update may run again after a conflict, so it must change nothing
//     but the transaction and variables that it sets anew.
//   - Several processes, the nodes, may share a PostgreSQL database. Each follows the change feed; a change is decided on indexes
//     that are as young as its transaction, and Fresh tells when a node cannot prove that what it answers from is young enough.
//     A SQLite file is one process's, see Claim.
//
// Rooms write their own SQL with ? for parameters and call through Tx (in a change) or DB.View (a read-only snapshot).
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
)

var (
	// ErrNotFound says that no row matched.
	ErrNotFound = errors.New("not found")
	// ErrConflict says that a unique constraint refused a row.
	ErrConflict = errors.New("already exists")
)

// Config says where the state is and how secrets in it are sealed.
type Config struct {
	// URL is a path of a SQLite file, or postgres://… for PostgreSQL.
	URL string
	// Keys seal secrets at rest. They are not in the database.
	Keys *Keys
	// MaxLag is for how long a node of several answers from its indexes without proof that they have every change; zero means
	// five seconds. See Fresh.
	MaxLag time.Duration
	// Now is the clock; nil takes time.Now.
	Now func() time.Time
	Log *slog.Logger
}

// DB is an open database. It is safe for concurrent use.
type DB struct {
	engine engine
	write  *sql.DB
	read   *sql.DB
	keys   *Keys
	now    func() time.Time
	log    *slog.Logger

	// writing orders the changes of this process.
	writing sync.Mutex
	feed
}

// Open opens the database, applies the migrations that it lacks and proves that the keys open its secrets.
func Open(ctx context.Context, cfg Config) (*DB, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.MaxLag == 0 {
		cfg.MaxLag = defaultLag
	}
	if cfg.Keys == nil {
		return nil, errors.New("open database: no master key")
	}
	e := engineFor(cfg.URL)
	write, read, err := e.open(ctx, cfg.URL)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	db := &DB{engine: e, write: write, read: read, keys: cfg.Keys, now: cfg.Now, log: cfg.Log}
	db.node, db.maxLag, db.woken = uuid.NewString(), cfg.MaxLag, make(chan struct{}, 1)
	if err := db.start(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	db.keepUp(cfg.URL)
	return db, nil
}

// Claim keeps the database for this process until it is closed, where the engine is for one: a SQLite file that another process
// has claimed is refused. A server claims before it opens and closes after the database.
func Claim(url string) (io.Closer, error) {
	claim, err := engineFor(url).claim(url)
	if err != nil {
		return nil, fmt.Errorf("claim database: %w", err)
	}
	return claim, nil
}

// OpenToRead opens a database that is there, for View alone: it changes no schema and opens no secret, so that a command
// can look into the database of a server of another version.
func OpenToRead(ctx context.Context, url string) (*DB, error) {
	e := engineFor(url)
	if _, isFile := e.(lite); isFile {
		if _, err := os.Stat(strings.TrimPrefix(url, "sqlite://")); err != nil {
			return nil, fmt.Errorf("open database: %w", err)
		}
	}
	write, read, err := e.open(ctx, url)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	return &DB{engine: e, write: write, read: read, now: time.Now, log: slog.New(slog.DiscardHandler)}, nil
}

func (db *DB) start(ctx context.Context) error {
	if err := db.migrate(ctx); err != nil {
		return err
	}
	if err := db.proveKeys(ctx); err != nil {
		return err
	}
	return db.CatchUp(ctx)
}

// Close closes both pools. No transaction may be open.
func (db *DB) Close() error {
	db.stopKeepingUp()
	err := db.read.Close()
	if db.read != db.write {
		err = errors.Join(err, db.write.Close())
	}
	return err
}

// Now is the clock that rows are stamped with.
func (db *DB) Now() time.Time { return db.now() }

// Ready answers whether the database can be reached.
func (db *DB) Ready(ctx context.Context) error { return db.read.PingContext(ctx) }

// Querier runs statements: a Tx, or the snapshot of View.
type Querier interface {
	Query(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// View runs read in a read-only snapshot.
func (db *DB) View(ctx context.Context, read func(q Querier) error) error {
	return db.snapshot(ctx, func(tx *Tx) error { return read(tx) })
}

func (db *DB) snapshot(ctx context.Context, read func(tx *Tx) error) error {
	tx, err := db.read.BeginTx(ctx, db.engine.viewOptions())
	if err != nil {
		return fmt.Errorf("begin reading: %w", err)
	}
	defer func() { _ = tx.Rollback() }()
	return read(&Tx{db: db, tx: tx})
}

// Change is one thing that a transaction touched: its kind, such as "role", and its key in that kind.
type Change struct {
	Kind, Key string
}

// Recorder puts the audit record of a change into the transaction that makes it.
type Recorder interface {
	RecordChange(ctx context.Context, tx *Tx, revision int64) error
}

type recorderKey struct{}

// WithRecorder returns a context whose changes commit together with the recorder's record.
func WithRecorder(ctx context.Context, r Recorder) context.Context {
	return context.WithValue(ctx, recorderKey{}, r)
}

// Tx is a change in progress.
type Tx struct {
	db      *DB
	tx      *sql.Tx
	changes []Change // in their order, each once
	changed map[Change]bool
	// written are things as this transaction has left them, of those that Wrote tells of.
	written map[Change]any
	// prepared are the statements of Repeat.
	prepared map[string]*sql.Stmt
}

// Changed adds a row to the change feed of this transaction.
func (tx *Tx) Changed(kind, key string) {
	c := Change{Kind: kind, Key: key}
	delete(tx.written, c)
	if tx.changed[c] {
		return
	}
	tx.changed[c] = true
	tx.changes = append(tx.changes, c)
}

// Wrote is Changed for a thing of which the transaction has written every column, with the thing as a reader would find it: its followers
// need not read it again. Nobody may change it afterwards.
func (tx *Tx) Wrote(kind, key string, thing any) {
	tx.Changed(kind, key)
	if tx.written == nil {
		tx.written = map[Change]any{}
	}
	tx.written[Change{Kind: kind, Key: key}] = thing
}

// Written is what Wrote told last of a change, nil if the change has to be read.
func (tx *Tx) Written(c Change) any { return tx.written[c] }

// Query runs a statement that returns rows.
func (tx *Tx) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	rows, err := tx.tx.QueryContext(ctx, tx.db.engine.rebind(query), args...)
	return rows, tx.db.engine.sentinel(err)
}

// Exec runs a statement and returns how many rows it touched.
func (tx *Tx) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	res, err := tx.tx.ExecContext(ctx, tx.db.engine.rebind(query), args...)
	if err != nil {
		return 0, tx.db.engine.sentinel(err)
	}
	return res.RowsAffected()
}

// Repeat is Exec for a statement that the transaction runs again and again: the engine reads its text once.
func (tx *Tx) Repeat(ctx context.Context, query string, args ...any) (int64, error) {
	st := tx.prepared[query]
	if st == nil {
		var err error
		if st, err = tx.tx.PrepareContext(ctx, tx.db.engine.rebind(query)); err != nil {
			return 0, tx.db.engine.sentinel(err)
		}
		if tx.prepared == nil {
			tx.prepared = map[string]*sql.Stmt{}
		}
		tx.prepared[query] = st // the end of the transaction closes it
	}
	res, err := st.ExecContext(ctx, args...)
	if err != nil {
		return 0, tx.db.engine.sentinel(err)
	}
	return res.RowsAffected()
}

// MustExec is Exec for a statement that has to touch a row: none is ErrNotFound.
func (tx *Tx) MustExec(ctx context.Context, query string, args ...any) error {
	n, err := tx.Exec(ctx, query, args...)
	if err == nil && n == 0 {
		return ErrNotFound
	}
	return err
}

// attempts bounds how often a change is tried when PostgreSQL finds it in conflict with another.
const attempts = 10

// Update runs do in a transaction and commits it with its revision, its feed rows and its audit record; then the indexes
// take the change in; then it returns. A transaction that changed nothing (see Tx.Changed) gets no revision and no record.
func (db *DB) Update(ctx context.Context, do func(tx *Tx) error) error {
	db.writing.Lock()
	defer db.writing.Unlock()
	for try := 1; ; try++ {
		err := db.update(ctx, do)
		if err == nil || !db.engine.retryable(err) || try == attempts || ctx.Err() != nil {
			return err
		}
	}
}

func (db *DB) update(ctx context.Context, do func(tx *Tx) error) error {
	began := time.Now()
	sqlTx, err := db.write.BeginTx(ctx, db.engine.updateOptions())
	if err != nil {
		return fmt.Errorf("begin change: %w", err)
	}
	defer func() { _ = sqlTx.Rollback() }()
	tx := &Tx{db: db, tx: sqlTx, changed: map[Change]bool{}}
	if db.engine.shared() {
		if err := db.catchUpIn(ctx, tx); err != nil {
			return fmt.Errorf("take in the changes of other nodes: %w", err)
		}
	}
	if err := do(tx); err != nil {
		return err
	}
	if len(tx.changes) == 0 {
		db.taking.Lock()
		defer db.taking.Unlock()
		return db.commit(sqlTx)
	}
	now, err := tx.advance(ctx)
	if err != nil {
		return fmt.Errorf("advance revision: %w", err)
	}
	if r, ok := ctx.Value(recorderKey{}).(Recorder); ok {
		if err := r.RecordChange(ctx, tx, now.revision); err != nil {
			return fmt.Errorf("record change: %w", err)
		}
	}
	take, err := db.prepare(ctx, tx, tx.changes)
	if err != nil {
		return err
	}
	// Whoever follows the feed meanwhile waits: else it could take this change in first and a later one after it, and this one again.
	db.taking.Lock()
	defer db.taking.Unlock()
	if err := db.commit(sqlTx); err != nil {
		return err
	}
	take()
	db.arrived(now, began)
	return nil
}

// commitTime bounds reading everything anew after a commit of which nobody knows whether it stands.
const commitTime = 10 * time.Second

// commit ends the transaction. When the answer is lost, nobody knows whether the change stands, so the indexes are read
// anew before anything else is decided.
func (db *DB) commit(tx *sql.Tx) error {
	err := tx.Commit()
	if err == nil {
		return nil
	}
	if !db.engine.retryable(err) {
		ctx, cancel := context.WithTimeout(context.Background(), commitTime)
		defer cancel()
		db.lost()
		if again := db.snapshot(ctx, func(tx *Tx) error { return db.takeIn(ctx, tx) }); again != nil {
			db.log.Error("indexes are stale after a failed commit", slog.Any("error", again))
		}
	}
	return fmt.Errorf("commit change: %w", err)
}

// rowsAtOnce is how many rows one statement writes into the feed.
const rowsAtOnce = 100

// advance gives the change its revision and writes it into the feed.
func (tx *Tx) advance(ctx context.Context) (head, error) {
	rev, err := One(ctx, tx, Int, `UPDATE revision SET value = value + 1 WHERE id = 1 RETURNING value`)
	if err != nil {
		return head{}, err
	}
	at, position := tx.db.now().UnixMilli(), 0
	for part := range slices.Chunk(tx.changes, rowsAtOnce) {
		args := make([]any, 0, 5*len(part))
		for _, c := range part {
			args = append(args, rev, position, c.Kind, c.Key, at)
			position++
		}
		if _, err := tx.Repeat(ctx, `INSERT INTO changes (revision, position, kind, key, at) VALUES (?, ?, ?, ?, ?)`+strings.Repeat(`, (?, ?, ?, ?, ?)`, len(part)-1), args...); err != nil {
			return head{}, err
		}
	}
	return head{revision: rev, at: at, first: tx.changes[0]}, tx.db.engine.announce(ctx, tx)
}

// Scanner is a row to read.
type Scanner interface {
	Scan(dest ...any) error
}

// One reads the first row, or ErrNotFound.
func One[T any](ctx context.Context, q Querier, scan func(Scanner) (T, error), query string, args ...any) (T, error) {
	var zero T
	rows, err := q.Query(ctx, query, args...)
	if err != nil {
		return zero, err
	}
	defer func() { _ = rows.Close() }()
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return zero, err
		}
		return zero, ErrNotFound
	}
	v, err := scan(rows)
	if err != nil {
		return zero, err
	}
	return v, rows.Close()
}

// All reads every row.
func All[T any](ctx context.Context, q Querier, scan func(Scanner) (T, error), query string, args ...any) ([]T, error) {
	var all []T
	err := Each(ctx, q, scan, func(v T) error { all = append(all, v); return nil }, query, args...)
	return all, err
}

// Each reads row by row.
func Each[T any](ctx context.Context, q Querier, scan func(Scanner) (T, error), do func(T) error, query string, args ...any) error {
	rows, err := q.Query(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return err
		}
		if err := do(v); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Text scans a row of one text column.
func Text(s Scanner) (v string, err error) { return v, s.Scan(&v) }

// Int scans a row of one integer column.
func Int(s Scanner) (v int64, err error) { return v, s.Scan(&v) }

// Millis and Time turn instants into the integers that columns hold: milliseconds since 1970, zero for none.
func Millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// Time is the inverse of Millis, in UTC.
func Time(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
