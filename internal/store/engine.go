package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
)

// engine is what differs between the two databases.
type engine interface {
	open(ctx context.Context, url string) (write, read *sql.DB, err error)
	dialect() goose.Dialect
	translate(ddl string) string
	rebind(query string) string
	sentinel(err error) error
	retryable(err error) bool
	viewOptions() *sql.TxOptions
	updateOptions() *sql.TxOptions
	// claim makes the database this process's, where no two may work on one.
	claim(url string) (io.Closer, error)
	// shared says whether other nodes may work on the database.
	shared() bool
	// queue lets a transaction that has read nothing wait until it is its turn to change something.
	queue(ctx context.Context, tx *Tx) error
	// announce tells other nodes, once the transaction commits, that the feed has grown; listen is how they hear it, until
	// the context ends. A notice may be lost.
	announce(ctx context.Context, tx *Tx) error
	listen(ctx context.Context, url, self string, heard func())
}

func engineFor(url string) engine {
	if strings.HasPrefix(url, "postgres://") || strings.HasPrefix(url, "postgresql://") {
		return postgres{}
	}
	return lite{}
}

// lite is SQLite: one writing connection, several reading ones.
type lite struct{}

// filePath is where the file of a database is.
func filePath(address string) (string, error) {
	return filepath.Abs(strings.TrimPrefix(address, "sqlite://"))
}

func (lite) open(ctx context.Context, address string) (write, read *sql.DB, err error) {
	path, err := filePath(address)
	if err != nil {
		return nil, nil, err
	}
	// The file is made here, so that nobody else can read it; SQLite gives its -wal and -shm files the same mode.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, nil, err
	}
	if err := f.Close(); err != nil {
		return nil, nil, err
	}
	dsn := func(pragmas ...string) string {
		v := url.Values{"_txlock": {"immediate"}, "_pragma": append([]string{"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)"}, pragmas...)}
		return (&url.URL{Scheme: "file", Path: path, RawQuery: v.Encode()}).String()
	}
	// A large directory's rows stand under random keys: with SQLite's 2 MB of cache every change reads and writes pages
	// that the one before had. The memory is taken as it is needed.
	if write, err = sql.Open("sqlite", dsn("cache_size(-65536)")); err != nil {
		return nil, nil, err
	}
	write.SetMaxOpenConns(1)
	if err := write.PingContext(ctx); err != nil {
		return nil, nil, errors.Join(err, write.Close())
	}
	if read, err = sql.Open("sqlite", strings.Replace(dsn("query_only(1)"), "_txlock=immediate", "_txlock=deferred", 1)); err != nil {
		return nil, nil, errors.Join(err, write.Close())
	}
	read.SetMaxOpenConns(max(4, 2*runtime.NumCPU()))
	read.SetMaxIdleConns(max(4, 2*runtime.NumCPU()))
	return write, read, nil
}

func (lite) dialect() goose.Dialect        { return goose.DialectSQLite3 }
func (lite) translate(ddl string) string   { return ddl }
func (lite) rebind(query string) string    { return query }
func (lite) retryable(error) bool          { return false }
func (lite) viewOptions() *sql.TxOptions   { return nil }
func (lite) updateOptions() *sql.TxOptions { return nil }

// The file is one process's, which needs no feed.
func (lite) shared() bool                                   { return false }
func (lite) queue(context.Context, *Tx) error               { return nil }
func (lite) announce(context.Context, *Tx) error            { return nil }
func (lite) listen(context.Context, string, string, func()) {}

// claim locks a file beside the database, not the database: SQLite has locks of its own on that.
func (lite) claim(address string) (io.Closer, error) {
	path, err := filePath(address)
	if err != nil {
		return nil, err
	}
	f, err := LockFile(path + "-lock")
	if errors.Is(err, ErrLocked) {
		return nil, fmt.Errorf("another server uses %s; several nodes need PostgreSQL", path)
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

// SQLite's extended result codes for a refused unique constraint and primary key.
const (
	sqliteUnique     = 2067
	sqlitePrimaryKey = 1555
)

func (lite) sentinel(err error) error {
	if e, ok := errors.AsType[*sqlite.Error](err); ok && (e.Code() == sqliteUnique || e.Code() == sqlitePrimaryKey) {
		return fmt.Errorf("%w: %w", ErrConflict, err)
	}
	return err
}

// postgres is PostgreSQL, or a database that speaks its protocol.
type postgres struct{}

func (postgres) open(ctx context.Context, url string) (write, read *sql.DB, err error) {
	cfg, err := pgConfig(url)
	if err != nil {
		return nil, nil, err
	}
	db := stdlib.OpenDB(*cfg)
	db.SetMaxOpenConns(max(8, 4*runtime.NumCPU()))
	db.SetMaxIdleConns(max(8, 4*runtime.NumCPU()))
	if err := db.PingContext(ctx); err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	return db, db, nil
}

func (postgres) dialect() goose.Dialect { return goose.DialectPostgres }

func (postgres) translate(ddl string) string {
	return strings.NewReplacer(" BLOB", " BYTEA", " COLLATE BINARY", ` COLLATE "C"`, " INTEGER", " BIGINT", ") STRICT;", ");").Replace(ddl)
}

// rebind numbers the parameters. Queries hold no question mark outside of parameters and quoted literals.
func (postgres) rebind(query string) string {
	if !strings.Contains(query, "?") {
		return query
	}
	var b strings.Builder
	n, quoted := 0, false
	for i := range len(query) {
		switch c := query[i]; {
		case c == '\'':
			quoted = !quoted
			b.WriteByte(c)
		case c == '?' && !quoted:
			n++
			b.WriteByte('$')
			b.WriteString(strconv.Itoa(n))
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

func (postgres) sentinel(err error) error {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok && e.Code == "23505" {
		return fmt.Errorf("%w: %w", ErrConflict, err)
	}
	return err
}

// retryable names serialization failures and deadlocks, after which the same transaction may well succeed.
func (postgres) retryable(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (e.Code == "40001" || e.Code == "40P01")
}

func (postgres) viewOptions() *sql.TxOptions {
	return &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}
}

func (postgres) updateOptions() *sql.TxOptions {
	return &sql.TxOptions{Isolation: sql.LevelSerializable}
}

func (db *DB) migrate(ctx context.Context) error {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	p, err := goose.NewProvider(db.engine.dialect(), db.write, translated{sub, db.engine.translate}, goose.WithAllowOutofOrder(true))
	if err != nil {
		return fmt.Errorf("prepare migrations: %w", err)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrate database: %w", err)
	}
	return nil
}
