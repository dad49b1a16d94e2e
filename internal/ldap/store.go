package ldap

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/lakegate/lakegate/internal/store"
)

// The history of runs. It is nothing that decisions follow, so its changes have no revision; what a run changes in the
// directory has.

const selectRun = `SELECT id, store, source, state, cause, started_by, dry_run, forced, started, ended, report FROM directory_syncs`

func scanRun(s store.Scanner) (Run, error) {
	var (
		r                           Run
		dry, forced, started, ended int64
		report                      string
	)
	if err := s.Scan(&r.ID, &r.StoreID, &r.Source, &r.State, &r.Cause, &r.StartedBy, &dry, &forced, &started, &ended, &report); err != nil {
		return Run{}, err
	}
	r.DryRun, r.Force, r.Started, r.Ended = dry != 0, forced != 0, store.Time(started), store.Time(ended)
	if err := json.Unmarshal([]byte(report), &r.Report); err != nil {
		return Run{}, fmt.Errorf("read the report of %s: %w", r.ID, err)
	}
	return r, nil
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// insertRun writes a run that begins, and takes away those beyond the newest hundred of its source.
func insertRun(ctx context.Context, tx *store.Tx, r *Run) error {
	report, err := json.Marshal(r.Report)
	if err != nil {
		return fmt.Errorf("encode report: %w", err)
	}
	_, err = tx.Exec(ctx, `INSERT INTO directory_syncs (id, store, source, state, cause, started_by, dry_run, forced, started, ended, report) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		r.ID, r.StoreID, r.Source, string(r.State), r.Cause, r.StartedBy, flag(r.DryRun), flag(r.Force), store.Millis(r.Started), store.Millis(r.Ended), string(report))
	if err != nil {
		return err
	}
	// The newest run that did something for good is kept however old it is: metrics tell its time after a restart.
	_, err = tx.Exec(ctx, `DELETE FROM directory_syncs WHERE source = ? AND id NOT IN (SELECT id FROM directory_syncs WHERE source = ? ORDER BY started DESC, id DESC LIMIT ?)
		AND id NOT IN (SELECT id FROM directory_syncs WHERE source = ? AND state = ? AND dry_run = 0 ORDER BY started DESC, id DESC LIMIT 1)`,
		r.Source, r.Source, maxRuns, r.Source, string(Succeeded))
	return err
}

func updateRun(ctx context.Context, tx *store.Tx, r *Run) error {
	report, err := json.Marshal(r.Report)
	if err != nil {
		return fmt.Errorf("encode report: %w", err)
	}
	return tx.MustExec(ctx, `UPDATE directory_syncs SET state = ?, ended = ?, report = ? WHERE id = ?`, string(r.State), store.Millis(r.Ended), string(report), r.ID)
}

func readRun(ctx context.Context, q store.Querier, source, id string) (Run, error) {
	return store.One(ctx, q, scanRun, selectRun+` WHERE source = ? AND id = ?`, source, id)
}

func listRuns(ctx context.Context, q store.Querier, source string, limit int) ([]Run, error) {
	return store.All(ctx, q, scanRun, selectRun+` WHERE source = ? ORDER BY started DESC, id DESC LIMIT ?`, source, limit)
}

// lastSuccess is when the newest run that changed what there was to change ended; zero for none.
func lastSuccess(ctx context.Context, q store.Querier, source string) (time.Time, error) {
	ends, err := store.All(ctx, q, store.Int, `SELECT ended FROM directory_syncs WHERE source = ? AND state = ? AND dry_run = 0 ORDER BY started DESC, id DESC LIMIT 1`, source, string(Succeeded))
	if err != nil || len(ends) == 0 {
		return time.Time{}, err
	}
	return store.Time(ends[0]), nil
}

// unfinished are the runs that a server left behind when it died.
func unfinished(ctx context.Context, q store.Querier, source string) ([]Run, error) {
	return store.All(ctx, q, scanRun, selectRun+` WHERE source = ? AND state = ?`, source, string(Running))
}
