package delivery

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"log/slog"
	"time"

	"github.com/lakegate/lakegate/internal/storage"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/trail"
)

// The bounds of one file: what it holds is in memory while it is written, compressed.
const (
	maxFileBytes   = 64 << 20
	maxFileRecords = 50_000
)

// deliver writes the next file of a trail, and reports whether there may be more to write at once.
func (d *Deliverer) deliver(ctx context.Context, t *Trail) (more bool, err error) {
	at, _, err := d.Audit.Place(t.place())
	if err != nil {
		return false, err
	}
	end := d.Audit.Position()
	f, err := d.planned(ctx, t, at, end)
	if err != nil || f == nil {
		return false, err
	}
	reached, err := trail.ParsePosition(f.ends)
	if err != nil {
		return false, err
	}
	if f.written.IsZero() {
		if reached, err = d.fill(ctx, t, f, at, reached); errors.Is(err, trail.ErrPositionGone) || errors.Is(err, trail.ErrPositionUnknown) {
			return false, d.skip(ctx, t, f, err)
		} else if err != nil {
			return false, err
		}
	}
	return reached != end, d.Audit.SetPlace(t.place(), reached)
}

// planned is the file that begins where a trail stands: one that an earlier attempt left, or a new one; nil where there is
// nothing to write.
func (d *Deliverer) planned(ctx context.Context, t *Trail, at, end trail.Position) (f *file, err error) {
	err = d.DB.View(ctx, func(q store.Querier) (err error) {
		f, err = fileFrom(ctx, q, t, d.Audit.Node(), at.String())
		return err
	})
	if err == nil || !errors.Is(err, store.ErrNotFound) {
		return f, err
	}
	if at == end {
		return nil, nil //nolint:nilnil // as said
	}
	f = &file{
		account: t.Account, trail: t.Name, node: d.Audit.Node(), begins: at.String(), ends: end.String(), bucket: t.Bucket,
		key: t.fileKey(d.Region, d.DB.Now(), unique()),
	}
	return f, d.DB.Update(ctx, func(tx *store.Tx) error { return f.plan(ctx, tx) })
}

// unique is the end of a file's name: 16 letters and digits.
func unique() string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	var random [16]byte
	_, _ = rand.Read(random[:]) // crypto/rand never fails
	for i, b := range random {
		random[i] = letters[int(b)%len(letters)]
	}
	return string(random[:])
}

// fill writes the records of a planned file, and returns how far it came. A plan without a record that the trail selects
// writes nothing and is forgotten.
func (d *Deliverer) fill(ctx context.Context, t *Trail, f *file, from, to trail.Position) (trail.Position, error) {
	w := newRecords()
	reached := from
	var damage []string
	err := d.Audit.Lines(ctx, from, func(l trail.Line) error {
		if reached == to || w.full() {
			return errEnough
		}
		reached = l.Next
		var e trail.Gist
		if l.Damage == "" {
			if json.Unmarshal(l.Record, &e) == nil {
				if !d.concerns(t, &e) {
					return nil
				}
				return w.add(l.Record, e.EventTime)
			}
			l.Damage = trail.NoJSON
		}
		// Nobody knows whose the record was, nor what it was about: each trail is told, whatever it selects.
		damage = append(damage, l.Damage+", before "+l.Next.String())
		now := d.DB.Now()
		return w.add(trail.DamagedRecord(l, d.Region, now), now.UTC().Format(timeFormat))
	})
	if errors.Is(err, errEnough) {
		err = nil
	} else if err == nil {
		// What comes after the last record and before the end are entries that the log makes for itself.
		reached = to
	}
	if err != nil {
		return from, err
	}
	if w.count == 0 {
		return reached, d.DB.Update(ctx, func(tx *store.Tx) error { return f.drop(ctx, tx) })
	}
	content, sums, err := w.end()
	if err != nil {
		return from, err
	}
	in := &storage.PutObjectInput{
		Bucket: f.bucket, Key: f.key, Body: storage.Body{Reader: bytes.NewReader(content), Size: int64(len(content))},
		Headers: storage.Headers{ContentType: "application/json", ContentEncoding: "gzip"},
	}
	now := d.DB.Now()
	if err := d.write(ctx, t, in); err != nil {
		if ctx.Err() != nil {
			return from, ctx.Err()
		}
		d.Log.WarnContext(ctx, "cannot deliver a trail; its records stay in the audit log", slog.String("trail", t.ARN(d.Region)), slog.Any("error", err))
		t.Failure = failure(err)
		if err := d.DB.Update(ctx, func(tx *store.Tx) error { return t.refused(ctx, tx, f, now) }); err != nil {
			return from, err
		}
		return from, errRefused
	}
	f.ends, f.written, f.sums, f.oldest, f.newest = reached.String(), now, sums, w.oldest, w.newest
	err = d.DB.Update(ctx, func(tx *store.Tx) error {
		if err := f.done(ctx, tx); err != nil {
			return err
		}
		if !t.Validation {
			if err := f.forgetOthers(ctx, tx); err != nil {
				return err
			}
		}
		if err := t.note(ctx, tx, now, ""); err != nil || len(damage) == 0 {
			return err
		}
		return t.note(ctx, tx, now, failure(fmt.Errorf("the audit log has been altered in %d places, in whose stead AuditRecordDamaged is delivered; the first: %s", len(damage), damage[0])))
	})
	if err != nil {
		return from, err
	}
	for _, what := range damage {
		d.damaged.Add(1)
		d.Log.ErrorContext(ctx, "the audit log has been altered; a trail was told so in the place of what stands there", slog.String("trail", t.ARN(d.Region)), slog.String("damage", what))
	}
	return reached, nil
}

// refused notes why a file was not taken. A plan for a bucket or a prefix that is not the trail's any more is made anew.
func (t *Trail) refused(ctx context.Context, tx *store.Tx, f *file, at time.Time) error {
	if f.bucket != t.Bucket || !t.owns(f.key) {
		if err := f.drop(ctx, tx); err != nil {
			return err
		}
	}
	return t.note(ctx, tx, at, t.Failure)
}

func (t *Trail) owns(key string) bool {
	prefix := t.folder("CloudTrail", "")
	prefix = prefix[:len(prefix)-1]
	return len(key) > len(prefix) && key[:len(prefix)] == prefix
}

var errEnough = errors.New("enough")

// concerns reports whether a trail wants an event. One that was stopped wants what happened before.
func (d *Deliverer) concerns(t *Trail, e *trail.Gist) bool {
	if account := e.Recipient; account != t.Account && (account != "" || t.Account != d.Management) {
		return false
	}
	if !t.Logging && e.EventTime > t.Stopped.UTC().Format(timeFormat) {
		return false
	}
	return t.Selection.wants(e)
}

// timeFormat is how records and digests write times.
const timeFormat = "2006-01-02T15:04:05Z"

// skip lets a trail that came too late go on with what there is at its next time. Until then its status tells.
func (d *Deliverer) skip(ctx context.Context, t *Trail, f *file, why error) error {
	d.Log.ErrorContext(ctx, "a trail misses records that the audit log no longer has", slog.String("trail", t.ARN(d.Region)), slog.Any("error", why))
	t.Failure = failure(fmt.Errorf("records are missing: %w", why))
	err := d.DB.Update(ctx, func(tx *store.Tx) error {
		if err := f.drop(ctx, tx); err != nil {
			return err
		}
		return t.note(ctx, tx, d.DB.Now(), t.Failure)
	})
	if err != nil {
		return err
	}
	if err := d.Audit.SetPlace(t.place(), trail.Position{}); err != nil {
		return err
	}
	return errRefused
}

// records makes the content of a file.
type records struct {
	packed         bytes.Buffer
	z              *gzip.Writer
	sum            hash.Hash
	both           io.Writer
	count, size    int
	oldest, newest string
}

func newRecords() *records {
	w := &records{sum: sha256.New()}
	w.z = gzip.NewWriter(&w.packed)
	w.both = io.MultiWriter(w.z, w.sum)
	return w
}

func (w *records) full() bool { return w.count >= maxFileRecords || w.size >= maxFileBytes }

func (w *records) add(record []byte, at string) error {
	begin := ","
	if w.count == 0 {
		begin = `{"Records":[`
		w.oldest, w.newest = at, at
	}
	w.count++
	w.size += len(record) + 1
	w.oldest, w.newest = min(w.oldest, at), max(w.newest, at)
	if _, err := io.WriteString(w.both, begin); err != nil {
		return err
	}
	_, err := w.both.Write(record)
	return err
}

// end gives the compressed content, and the hash of what it is the compression of.
func (w *records) end() (content []byte, sums string, err error) {
	if _, err := io.WriteString(w.both, "]}"); err != nil {
		return nil, "", err
	}
	if err := w.z.Close(); err != nil {
		return nil, "", err
	}
	return w.packed.Bytes(), hex.EncodeToString(w.sum.Sum(nil)), nil
}
