package store

import (
	"context"
	"io"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// notices is the channel on which nodes tell each other that the feed has grown. A notice says who wrote and no more: the feed
// is what counts, and a node that hears nothing reads it all the same.
const notices = "lakegate_changes"

// hearAgain is how long a node waits before it listens again after its connection broke.
const hearAgain = time.Second

// pgConfig reads a URL. Of several hosts, the one that takes changes counts: a replica may lag behind and look up to date.
func pgConfig(url string) (*pgx.ConnConfig, error) {
	cfg, err := pgx.ParseConfig(url)
	if err == nil && len(cfg.Fallbacks) > 0 && cfg.ValidateConnect == nil {
		cfg.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	return cfg, err
}

func (postgres) claim(string) (io.Closer, error) { return io.NopCloser(nil), nil }
func (postgres) shared() bool                    { return true }

// queue waits for a lock that every change takes. Without it two nodes that change things at the same time would do all of
// their work before one of them heard that it was for nothing. The statement takes no snapshot, so that what the transaction
// reads is of after the wait. A node that stands still in the middle of a change is thrown out, since all others wait for it.
func (postgres) queue(ctx context.Context, tx *Tx) error {
	// The simple protocol takes both statements in one go.
	_, err := tx.tx.ExecContext(ctx, `SET LOCAL idle_in_transaction_session_timeout = '15s'; LOCK TABLE revision IN SHARE ROW EXCLUSIVE MODE`, pgx.QueryExecModeSimpleProtocol)
	return err
}

func (postgres) announce(ctx context.Context, tx *Tx) error {
	_, err := tx.Exec(ctx, `SELECT pg_notify(?, ?)`, notices, tx.db.node)
	return err
}

func (postgres) listen(ctx context.Context, url, self string, heard func()) {
	for ctx.Err() == nil {
		hear(ctx, url, self, heard)
		select {
		case <-ctx.Done():
		case <-time.After(hearAgain):
		}
	}
}

// hear tells of notices until the connection breaks or the context ends.
func hear(ctx context.Context, url, self string, heard func()) {
	cfg, err := pgConfig(url)
	if err != nil {
		return
	}
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), hearAgain)
		defer cancel()
		_ = conn.Close(ctx)
	}()
	if _, err := conn.Exec(ctx, `LISTEN `+notices); err != nil {
		return
	}
	heard() // of what came before it listened
	for {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return
		}
		if n.Payload != self {
			heard()
		}
	}
}
