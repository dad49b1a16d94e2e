package signin

import (
	"context"
	"strings"
	"time"

	"github.com/lakegate/lakegate/internal/store"
)

// The states of a device sign-in.
const (
	statePending  = "pending"
	stateApproved = "approved"
	stateDenied   = "denied"
	stateSpent    = "spent"
)

// deviceRow is a device that waits for a person.
type deviceRow struct {
	hash                    []byte
	userCode                string
	client, name, instance  string
	scopes                  []string
	source                  string
	created, expires, asked time.Time
	wait                    time.Duration
	state, user             string
	signedIn                time.Time
}

const selectDevice = `SELECT hash, user_code, client, name, instance, scopes, source, created, expires, asked, wait, state, user_id, signed_in FROM device_sign_ins`

func scanDevice(s store.Scanner) (d deviceRow, err error) {
	var (
		scopes                                  string
		created, expires, asked, wait, signedIn int64
	)
	err = s.Scan(&d.hash, &d.userCode, &d.client, &d.name, &d.instance, &scopes, &d.source, &created, &expires, &asked, &wait, &d.state, &d.user, &signedIn)
	d.scopes, d.created, d.expires, d.asked = strings.Fields(scopes), store.Time(created), store.Time(expires), store.Time(asked)
	d.wait, d.signedIn = time.Duration(wait)*time.Second, store.Time(signedIn)
	return d, err
}

func insertDevice(ctx context.Context, tx *store.Tx, d *deviceRow) error {
	_, err := tx.Exec(ctx, `INSERT INTO device_sign_ins (hash, user_code, client, name, instance, scopes, source, created, expires, asked, wait, state, user_id, signed_in)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, '', 0)`,
		d.hash, d.userCode, d.client, d.name, d.instance, strings.Join(d.scopes, " "), d.source, store.Millis(d.created), store.Millis(d.expires), int64(d.wait/time.Second), statePending)
	return err
}

func readDevice(ctx context.Context, q store.Querier, hash []byte) (deviceRow, error) {
	return store.One(ctx, q, scanDevice, selectDevice+` WHERE hash = ?`, hash)
}

func readDeviceByUserCode(ctx context.Context, q store.Querier, userCode string) (deviceRow, error) {
	return store.One(ctx, q, scanDevice, selectDevice+` WHERE user_code = ?`, userCode)
}

// countDevices counts the devices that may still be answered.
func countDevices(ctx context.Context, q store.Querier, now time.Time) (int64, error) {
	return store.One(ctx, q, store.Int, `SELECT count(*) FROM device_sign_ins WHERE expires >= ?`, store.Millis(now))
}

func noteAsked(ctx context.Context, tx *store.Tx, hash []byte, asked time.Time, wait time.Duration) error {
	_, err := tx.Exec(ctx, `UPDATE device_sign_ins SET asked = ?, wait = ? WHERE hash = ?`, store.Millis(asked), int64(wait/time.Second), hash)
	return err
}

// decideDevice answers a device that waits, and reports whether it still did.
func decideDevice(ctx context.Context, tx *store.Tx, d *deviceRow, now time.Time, state, user string, signedIn time.Time) (bool, error) {
	n, err := tx.Exec(ctx, `UPDATE device_sign_ins SET state = ?, user_id = ?, signed_in = ? WHERE hash = ? AND state = ? AND expires >= ?`,
		state, user, store.Millis(signedIn), d.hash, statePending, store.Millis(now))
	return n == 1, err
}

// spendDevice marks an approved device as served, and reports whether it still was to be.
func spendDevice(ctx context.Context, tx *store.Tx, hash []byte) (bool, error) {
	n, err := tx.Exec(ctx, `UPDATE device_sign_ins SET state = ? WHERE hash = ? AND state = ?`, stateSpent, hash, stateApproved)
	return n == 1, err
}

// deviceGrace is for how long a device is told that it waited too long, rather than that nobody knows it.
const deviceGrace = time.Hour

func sweepDevices(ctx context.Context, tx *store.Tx, now time.Time) error {
	_, err := tx.Exec(ctx, `DELETE FROM device_sign_ins WHERE expires < ?`, store.Millis(now.Add(-deviceGrace)))
	return err
}
