package delivery

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/lakegate/lakegate/internal/storage"
	"github.com/lakegate/lakegate/internal/store"
)

// maxDigested is how many files one digest names; more are named by the next one.
const maxDigested = 10_000

// A digest as CloudTrail writes it. Members that point to the digest before are null in the first.
type digestFile struct {
	Account               string      `json:"awsAccountId"`
	Start                 string      `json:"digestStartTime"`
	End                   string      `json:"digestEndTime"`
	Bucket                string      `json:"digestS3Bucket"`
	Object                string      `json:"digestS3Object"`
	Fingerprint           string      `json:"digestPublicKeyFingerprint"`
	Algorithm             string      `json:"digestSignatureAlgorithm"`
	Newest                *string     `json:"newestEventTime"`
	Oldest                *string     `json:"oldestEventTime"`
	PreviousBucket        *string     `json:"previousDigestS3Bucket"`
	PreviousObject        *string     `json:"previousDigestS3Object"`
	PreviousHash          *string     `json:"previousDigestHashValue"`
	PreviousHashAlgorithm *string     `json:"previousDigestHashAlgorithm"`
	PreviousSignature     *string     `json:"previousDigestSignature"`
	Files                 []digestLog `json:"logFiles"`
}

type digestLog struct {
	Bucket    string `json:"s3Bucket"`
	Object    string `json:"s3Object"`
	Hash      string `json:"hashValue"`
	Algorithm string `json:"hashAlgorithm"`
	Newest    string `json:"newestEventTime"`
	Oldest    string `json:"oldestEventTime"`
}

const (
	signatureAlgorithm = "SHA256withRSA"
	hashAlgorithm      = "SHA-256"
)

// tendDigests plans the digest whose time is over, and writes what is planned.
func (d *Deliverer) tendDigests(ctx context.Context, t *Trail) error {
	if err := d.planDigest(ctx, t); err != nil {
		return fmt.Errorf("plan digest of trail %s of %s: %w", t.Name, t.Account, err)
	}
	var planned []*digest
	if err := d.DB.View(ctx, func(q store.Querier) (err error) { planned, err = unwrittenDigests(ctx, q, t); return err }); err != nil {
		return err
	}
	for _, g := range planned {
		if err := d.writeDigest(ctx, t, g); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if g.bucket != t.Bucket {
				// The trail has left that bucket. What follows names a digest that is not there, which is the truth.
				d.Log.ErrorContext(ctx, "a digest for a bucket that a trail has left is given up", slog.String("trail", t.ARN(d.Region)), slog.String("bucket", g.bucket), slog.Any("error", err))
				if err := d.DB.Update(ctx, func(tx *store.Tx) error { return g.done(ctx, tx, d.DB.Now()) }); err != nil {
					return err
				}
				continue
			}
			if t.DigestFailure == "" {
				d.Log.WarnContext(ctx, "cannot deliver a digest", slog.String("trail", t.ARN(d.Region)), slog.Any("error", err))
			}
			return d.DB.Update(ctx, func(tx *store.Tx) error { return t.noteDigest(ctx, tx, d.DB.Now(), failure(err)) })
		}
	}
	return nil
}

// planDigest signs the digest of the time that is over, if any. Its end is a whole number of intervals since midnight, so
// that after a pause of the server one digest stands for all that were missed. What has no digest yet when a trail stops
// comes into a last one.
func (d *Deliverer) planDigest(ctx context.Context, t *Trail) error {
	if !t.Validation || t.DigestFrom.IsZero() {
		return nil
	}
	now := d.DB.Now()
	ends := now.Truncate(d.digests())
	if !ends.After(t.DigestFrom) {
		return nil
	}
	k, err := d.keyAt(ctx, now)
	if err != nil {
		return err
	}
	return d.DB.Update(ctx, func(tx *store.Tx) error {
		// As it is now: another node may have been first.
		fresh, err := readTrail(ctx, tx, t.Account, t.Name)
		if errors.Is(err, store.ErrNotFound) || err == nil && !fresh.DigestFrom.Equal(t.DigestFrom) {
			return nil
		}
		if err != nil {
			return err
		}
		files, err := undigested(ctx, tx, t)
		if err != nil {
			return err
		}
		if !fresh.Logging && len(files) == 0 {
			return endDigests(ctx, tx, fresh)
		}
		before, err := lastDigest(ctx, tx, t, t.DigestFrom)
		if errors.Is(err, store.ErrNotFound) {
			before = nil
		} else if err != nil {
			return err
		}
		g, err := d.makeDigest(fresh, k, ends, files, before)
		if err != nil {
			return err
		}
		return g.plan(ctx, tx, files)
	})
}

// endDigests ends the chain of a trail that was stopped. The next start begins another.
func endDigests(ctx context.Context, tx *store.Tx, t *Trail) error {
	return tx.MustExec(ctx, `UPDATE trails SET digest_from = 0 WHERE account = ? AND name = ?`, t.Account, t.Name)
}

func (d *Deliverer) makeDigest(t *Trail, k *key, ends time.Time, files []*file, before *digest) (*digest, error) {
	g := &digest{account: t.Account, trail: t.Name, begins: t.DigestFrom, ends: ends, bucket: t.Bucket, key: t.digestKey(d.Region, ends)}
	out := digestFile{
		Account: t.Account, Start: g.begins.UTC().Format(timeFormat), End: ends.UTC().Format(timeFormat), Bucket: g.bucket, Object: g.key,
		Fingerprint: k.fingerprint, Algorithm: signatureAlgorithm, Files: []digestLog{},
	}
	previous := "null"
	if before != nil {
		out.PreviousBucket, out.PreviousObject, out.PreviousHash, out.PreviousHashAlgorithm, out.PreviousSignature = &before.bucket, &before.key, &before.sums, new(hashAlgorithm), &before.signature
		previous = before.signature
	}
	for _, f := range files {
		out.Files = append(out.Files, digestLog{Bucket: f.bucket, Object: f.key, Hash: f.sums, Algorithm: hashAlgorithm, Newest: f.newest, Oldest: f.oldest})
		if out.Newest == nil {
			out.Newest, out.Oldest = &f.newest, &f.oldest
		}
		out.Newest, out.Oldest = new(max(*out.Newest, f.newest)), new(min(*out.Oldest, f.oldest))
	}
	var err error
	if g.content, err = json.Marshal(out); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(g.content)
	g.sums = hex.EncodeToString(sum[:])
	g.signature, err = k.sign(d.DB, []byte(out.End+"\n"+g.bucket+"/"+g.key+"\n"+g.sums+"\n"+previous))
	return g, err
}

func (d *Deliverer) writeDigest(ctx context.Context, t *Trail, g *digest) error {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(g.content); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	err := d.write(ctx, t, &storage.PutObjectInput{
		Bucket: g.bucket, Key: g.key, Body: storage.Body{Reader: &packed, Size: int64(packed.Len())},
		Headers: storage.Headers{
			ContentType: "application/json", ContentEncoding: "gzip",
			Metadata: map[string]string{"signature": g.signature, "signature-algorithm": signatureAlgorithm},
		},
	})
	if err != nil {
		return err
	}
	now := d.DB.Now()
	return d.DB.Update(ctx, func(tx *store.Tx) error {
		if err := g.done(ctx, tx, now); err != nil {
			return err
		}
		return t.noteDigest(ctx, tx, now, "")
	})
}
