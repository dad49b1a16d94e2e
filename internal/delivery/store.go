package delivery

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/lakegate/lakegate/internal/store"
)

const selectTrail = `SELECT account, name, bucket, prefix, global_events, multi_region, validation, selection, tags, logging, started, stopped, delivered, attempted, digested, failure, digest_failure, digest_from FROM trails`

func scanTrail(s store.Scanner) (*Trail, error) {
	var t Trail
	var global, multi, validation, logging, started, stopped, delivered, attempted, digested, from int64
	var selection, tags string
	err := s.Scan(&t.Account, &t.Name, &t.Bucket, &t.Prefix, &global, &multi, &validation, &selection, &tags, &logging, &started, &stopped, &delivered, &attempted, &digested, &t.Failure, &t.DigestFailure, &from)
	if err != nil {
		return nil, err
	}
	t.GlobalEvents, t.MultiRegion, t.Validation, t.Logging = global != 0, multi != 0, validation != 0, logging != 0
	t.Started, t.Stopped, t.Delivered, t.Attempted, t.Digested, t.DigestFrom = store.Time(started), store.Time(stopped), store.Time(delivered), store.Time(attempted), store.Time(digested), store.Time(from)
	if err := json.Unmarshal([]byte(selection), &t.Selection); err != nil {
		return nil, fmt.Errorf("selection of trail %s: %w", t.Name, err)
	}
	if err := json.Unmarshal([]byte(tags), &t.Tags); err != nil {
		return nil, fmt.Errorf("tags of trail %s: %w", t.Name, err)
	}
	return &t, nil
}

func readTrail(ctx context.Context, q store.Querier, account, name string) (*Trail, error) {
	return store.One(ctx, q, scanTrail, selectTrail+` WHERE account = ? AND name = ?`, account, name)
}

func readTrails(ctx context.Context, q store.Querier, account string) ([]*Trail, error) {
	return store.All(ctx, q, scanTrail, selectTrail+` WHERE account = ? ORDER BY name`, account)
}

func readAllTrails(ctx context.Context, q store.Querier) ([]*Trail, error) {
	return store.All(ctx, q, scanTrail, selectTrail+` ORDER BY account, name`)
}

func number(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// put writes a trail, with the changed kind "trail" for the feed.
func (t *Trail) put(ctx context.Context, tx *store.Tx) error {
	selection, err := json.Marshal(t.Selection)
	if err != nil {
		return err
	}
	tags, err := json.Marshal(t.Tags)
	if err != nil {
		return err
	}
	tx.Changed("trail", t.Account+"/"+t.Name)
	_, err = tx.Exec(ctx, `INSERT INTO trails (account, name, bucket, prefix, global_events, multi_region, validation, selection, tags, logging, started, stopped, delivered, attempted, digested, failure, digest_failure, digest_from)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0, '', '', ?)
		ON CONFLICT (account, name) DO UPDATE SET bucket = excluded.bucket, prefix = excluded.prefix, global_events = excluded.global_events, multi_region = excluded.multi_region,
			validation = excluded.validation, selection = excluded.selection, tags = excluded.tags, logging = excluded.logging, started = excluded.started, stopped = excluded.stopped,
			digest_from = excluded.digest_from`,
		t.Account, t.Name, t.Bucket, t.Prefix, number(t.GlobalEvents), number(t.MultiRegion), number(t.Validation), string(selection), string(tags), number(t.Logging),
		store.Millis(t.Started), store.Millis(t.Stopped), store.Millis(t.DigestFrom))
	return err
}

// remove takes a trail away with all that is known of its files.
func (t *Trail) remove(ctx context.Context, tx *store.Tx) error {
	tx.Changed("trail", t.Account+"/"+t.Name)
	for _, table := range []string{"trail_files", "trail_digests"} {
		if _, err := tx.Exec(ctx, `DELETE FROM `+table+` WHERE account = ? AND trail = ?`, t.Account, t.Name); err != nil {
			return err
		}
	}
	return tx.MustExec(ctx, `DELETE FROM trails WHERE account = ? AND name = ?`, t.Account, t.Name)
}

// note writes how the last attempt to deliver a file went; the error is empty for well.
func (t *Trail) note(ctx context.Context, tx *store.Tx, at time.Time, failure string) error {
	if failure != "" {
		_, err := tx.Exec(ctx, `UPDATE trails SET attempted = ?, failure = ? WHERE account = ? AND name = ?`, store.Millis(at), failure, t.Account, t.Name)
		return err
	}
	_, err := tx.Exec(ctx, `UPDATE trails SET attempted = ?, delivered = ?, failure = '' WHERE account = ? AND name = ?`, store.Millis(at), store.Millis(at), t.Account, t.Name)
	return err
}

func (t *Trail) noteDigest(ctx context.Context, tx *store.Tx, at time.Time, failure string) error {
	if failure != "" {
		_, err := tx.Exec(ctx, `UPDATE trails SET digest_failure = ? WHERE account = ? AND name = ?`, failure, t.Account, t.Name)
		return err
	}
	_, err := tx.Exec(ctx, `UPDATE trails SET digested = ?, digest_failure = '' WHERE account = ? AND name = ?`, store.Millis(at), t.Account, t.Name)
	return err
}

// file is an object of records, planned or written.
type file struct {
	account, trail, node string
	begins, ends         string // positions
	bucket, key          string
	written              time.Time // zero: planned
	sums, oldest, newest string
}

const selectFile = `SELECT account, trail, node, begins, ends, bucket, object, written, sums, oldest, newest FROM trail_files`

func scanFile(s store.Scanner) (*file, error) {
	var f file
	var written int64
	err := s.Scan(&f.account, &f.trail, &f.node, &f.begins, &f.ends, &f.bucket, &f.key, &written, &f.sums, &f.oldest, &f.newest)
	f.written = store.Time(written)
	return &f, err
}

// fileFrom is the file that begins at a position of a node's log, or store.ErrNotFound.
func fileFrom(ctx context.Context, q store.Querier, t *Trail, node, begins string) (*file, error) {
	return store.One(ctx, q, scanFile, selectFile+` WHERE account = ? AND trail = ? AND node = ? AND begins = ?`, t.Account, t.Name, node, begins)
}

func (f *file) plan(ctx context.Context, tx *store.Tx) error {
	_, err := tx.Exec(ctx, `INSERT INTO trail_files (account, trail, node, begins, ends, bucket, object, written, sums, oldest, newest, digest) VALUES (?, ?, ?, ?, ?, ?, ?, 0, '', '', '', 0)`,
		f.account, f.trail, f.node, f.begins, f.ends, f.bucket, f.key)
	return err
}

func (f *file) done(ctx context.Context, tx *store.Tx) error {
	return tx.MustExec(ctx, `UPDATE trail_files SET ends = ?, written = ?, sums = ?, oldest = ?, newest = ? WHERE account = ? AND trail = ? AND node = ? AND begins = ?`,
		f.ends, store.Millis(f.written), f.sums, f.oldest, f.newest, f.account, f.trail, f.node, f.begins)
}

// forgetOthers forgets the files before this one that no digest will name.
func (f *file) forgetOthers(ctx context.Context, tx *store.Tx) error {
	_, err := tx.Exec(ctx, `DELETE FROM trail_files WHERE account = ? AND trail = ? AND node = ? AND begins <> ? AND written > 0 AND digest = 0`, f.account, f.trail, f.node, f.begins)
	return err
}

func (f *file) drop(ctx context.Context, tx *store.Tx) error {
	_, err := tx.Exec(ctx, `DELETE FROM trail_files WHERE account = ? AND trail = ? AND node = ? AND begins = ?`, f.account, f.trail, f.node, f.begins)
	return err
}

// undigested are written files that no digest names yet, in the order in which they were written.
func undigested(ctx context.Context, q store.Querier, t *Trail) ([]*file, error) {
	return store.All(ctx, q, scanFile, selectFile+` WHERE account = ? AND trail = ? AND written > 0 AND digest = 0 ORDER BY written, node, begins LIMIT ?`, t.Account, t.Name, maxDigested)
}

// digest is a planned or written digest.
type digest struct {
	account, trail string
	begins, ends   time.Time
	bucket, key    string
	content        []byte
	sums           string
	signature      string
	written        time.Time
}

const selectDigest = `SELECT account, trail, begins, ends, bucket, object, content, sums, signature, written FROM trail_digests`

func scanDigest(s store.Scanner) (*digest, error) {
	var d digest
	var begins, ends, written int64
	err := s.Scan(&d.account, &d.trail, &begins, &ends, &d.bucket, &d.key, &d.content, &d.sums, &d.signature, &written)
	d.begins, d.ends, d.written = store.Time(begins), store.Time(ends), store.Time(written)
	return &d, err
}

// lastDigest is the one before that ends exactly where the next begins, or store.ErrNotFound.
func lastDigest(ctx context.Context, q store.Querier, t *Trail, ends time.Time) (*digest, error) {
	return store.One(ctx, q, scanDigest, selectDigest+` WHERE account = ? AND trail = ? AND ends = ?`, t.Account, t.Name, store.Millis(ends))
}

func unwrittenDigests(ctx context.Context, q store.Querier, t *Trail) ([]*digest, error) {
	return store.All(ctx, q, scanDigest, selectDigest+` WHERE account = ? AND trail = ? AND written = 0 ORDER BY ends LIMIT 100`, t.Account, t.Name)
}

// plan keeps the digest, takes the files into it, and moves the beginning of the next one behind it.
func (d *digest) plan(ctx context.Context, tx *store.Tx, files []*file) error {
	_, err := tx.Exec(ctx, `INSERT INTO trail_digests (account, trail, begins, ends, bucket, object, content, sums, signature, written) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0)`,
		d.account, d.trail, store.Millis(d.begins), store.Millis(d.ends), d.bucket, d.key, d.content, d.sums, d.signature)
	if err != nil {
		return err
	}
	for _, f := range files {
		if _, err := tx.Exec(ctx, `UPDATE trail_files SET digest = ? WHERE account = ? AND trail = ? AND node = ? AND begins = ?`, store.Millis(d.ends), f.account, f.trail, f.node, f.begins); err != nil {
			return err
		}
	}
	return tx.MustExec(ctx, `UPDATE trails SET digest_from = ? WHERE account = ? AND name = ? AND digest_from = ?`, store.Millis(d.ends), d.account, d.trail, store.Millis(d.begins))
}

// done forgets what the next digest does not need any more.
func (d *digest) done(ctx context.Context, tx *store.Tx, at time.Time) error {
	if _, err := tx.Exec(ctx, `UPDATE trail_digests SET written = ? WHERE account = ? AND trail = ? AND ends = ?`, store.Millis(at), d.account, d.trail, store.Millis(d.ends)); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `DELETE FROM trail_digests WHERE account = ? AND trail = ? AND written > 0 AND ends < ?`, d.account, d.trail, store.Millis(d.begins)); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `DELETE FROM trail_files WHERE account = ? AND trail = ? AND digest > 0 AND digest < ?`, d.account, d.trail, store.Millis(d.begins))
	return err
}

const selectKey = `SELECT fingerprint, public, private, begins, ends FROM trail_keys`

func scanKey(s store.Scanner) (*key, error) {
	var k key
	var begins, ends int64
	err := s.Scan(&k.fingerprint, &k.public, &k.sealed, &begins, &ends)
	k.begins, k.ends = store.Time(begins), store.Time(ends)
	return &k, err
}

// signingKey is the newest that signs at a time, or store.ErrNotFound.
func signingKey(ctx context.Context, q store.Querier, at time.Time) (*key, error) {
	return store.One(ctx, q, scanKey, selectKey+` WHERE ends > ? ORDER BY begins DESC, fingerprint LIMIT 1`, store.Millis(at))
}

func keysBetween(ctx context.Context, q store.Querier, from, to time.Time) ([]*key, error) {
	return store.All(ctx, q, scanKey, selectKey+` WHERE begins <= ? AND ends >= ? ORDER BY begins, fingerprint`, store.Millis(to), store.Millis(from))
}

func (k *key) put(ctx context.Context, tx *store.Tx) error {
	_, err := tx.Exec(ctx, `INSERT INTO trail_keys (fingerprint, public, private, begins, ends) VALUES (?, ?, ?, ?, ?)`, k.fingerprint, k.public, k.sealed, store.Millis(k.begins), store.Millis(k.ends))
	return err
}

// forgetKeys takes the private halves of keys away that sign no more.
func forgetKeys(ctx context.Context, tx *store.Tx, now time.Time) error {
	_, err := tx.Exec(ctx, `UPDATE trail_keys SET private = ? WHERE ends <= ?`, []byte{}, store.Millis(now))
	return err
}
