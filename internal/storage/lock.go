package storage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Object lock keeps versions: a version that is locked cannot be deleted, and what is written over it becomes another
// version. It needs versioning, which therefore cannot be suspended where it is on.

// The longest retentions that S3 knows.
const (
	maxLockDays  = 36500
	maxLockYears = 100
)

// lockOf is the lock configuration of a bucket, or nil.
func (e *Embedded) lockOf(bucket string) (*LockConfiguration, error) {
	raw, err := e.attrs.RetrieveAttribute(nil, bucket, "", attrLock)
	if errors.Is(err, errNoAttribute) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read object lock: %w", err)
	}
	var cfg LockConfiguration
	if err := json.Unmarshal(raw, &cfg); err != nil {
		return nil, fmt.Errorf("read object lock: %w", err)
	}
	return &cfg, nil
}

// GetObjectLockConfiguration tells whether a bucket locks objects, and the default.
func (e *Embedded) GetObjectLockConfiguration(_ context.Context, bucket string) (*LockConfiguration, error) {
	if err := e.bucketAt(bucket); err != nil {
		return nil, err
	}
	cfg, err := e.lockOf(bucket)
	if err == nil && cfg == nil {
		err = refuse("ObjectLockConfigurationNotFoundError", http.StatusNotFound, "Object Lock configuration does not exist for this bucket").with("BucketName", bucket)
	}
	return cfg, modelled(err)
}

// Check refuses a default that is none.
func (c LockConfiguration) Check() error {
	none := c == LockConfiguration{}
	if !none && (!c.Mode.known() || c.Days < 0 || c.Years < 0 || (c.Days > 0) == (c.Years > 0) || c.Days > maxLockDays || c.Years > maxLockYears) {
		return malformedXML()
	}
	return nil
}

// PutObjectLockConfiguration turns object lock on, which is for good, and sets the default for new versions.
func (e *Embedded) PutObjectLockConfiguration(_ context.Context, bucket string, cfg LockConfiguration) error {
	if err := cfg.Check(); err != nil {
		return err
	}
	l := e.bucketLock(bucket)
	l.Lock()
	defer l.Unlock()
	if err := e.bucketAt(bucket); err != nil {
		return err
	}
	status, err := e.versioning(bucket)
	if err != nil {
		return modelled(err)
	}
	if status != Enabled {
		return refuse("InvalidBucketState", http.StatusConflict, "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration")
	}
	raw, err := json.Marshal(cfg)
	if err != nil {
		return modelled(err)
	}
	return modelled(e.attrs.StoreAttribute(nil, bucket, "", attrLock, raw))
}

func (m Mode) known() bool { return m == Governance || m == Compliance }

// defaultRetention is what the bucket gives to a version that says nothing of its own.
func (e *Embedded) defaultRetention(bucket string) (*Retention, error) {
	cfg, err := e.lockOf(bucket)
	if err != nil || cfg == nil || cfg.Mode == "" {
		return nil, err
	}
	return &Retention{Mode: cfg.Mode, Until: e.now().UTC().AddDate(cfg.Years, 0, cfg.Days)}, nil
}

// checkLocks refuses a lock that makes no sense, or in a bucket that has none.
func (e *Embedded) checkLocks(bucket string, r *Retention, hold bool) error {
	if r == nil && !hold {
		return nil
	}
	cfg, err := e.lockOf(bucket)
	if err != nil {
		return err
	}
	if cfg == nil {
		return invalidRequest("Bucket is missing Object Lock Configuration")
	}
	return r.check(e.now())
}

func (r *Retention) check(now time.Time) error {
	switch {
	case r == nil:
		return nil
	case !r.Mode.known():
		return malformedXML()
	case !r.Until.After(now):
		return invalidArgument("x-amz-object-lock-retain-until-date", r.Until.UTC().Format(time.RFC3339), "The retain until date must be in the future!")
	}
	return nil
}

// permitDelete refuses to delete a version that is locked.
func (e *Embedded) permitDelete(o *opened, bypass bool) error {
	r, err := retentionOf(o.attrs)
	if err != nil {
		return err
	}
	hold := o.attrs[attrLegalHold]
	if len(hold) == 1 && hold[0] == 1 || r.holds(e.now()) && (r.Mode != Governance || !bypass) {
		return accessDenied("Access Denied because object protected by object lock.")
	}
	return nil
}

// lockable opens a version for a change of its locks. The key is locked.
func (e *Embedded) lockable(ref ObjectRef) (*opened, error) {
	if err := e.checkLocks(ref.Bucket, nil, true); err != nil {
		return nil, err
	}
	if strings.HasSuffix(ref.Key, "/") {
		return nil, invalidRequest("This storage cannot lock an object whose key ends with a slash.")
	}
	return e.visible(ref)
}

// GetObjectRetention reads the retention of a version.
func (e *Embedded) GetObjectRetention(_ context.Context, ref ObjectRef) (*Retention, error) {
	if _, err := e.locate(ref.Bucket, ref.Key); err != nil {
		return nil, err
	}
	o, err := e.lockable(ref)
	if err != nil {
		return nil, modelled(err)
	}
	defer func() { _ = o.file.Close() }()
	r, err := retentionOf(o.attrs)
	if err == nil && r == nil {
		err = noLock()
	}
	return r, modelled(err)
}

func noLock() *Error {
	return refuse("NoSuchObjectLockConfiguration", http.StatusNotFound, "The specified object does not have a ObjectLock configuration")
}

// PutObjectRetention sets the retention of a version. One that is running can only be made longer, except that a
// governance retention yields to who may bypass it.
func (e *Embedded) PutObjectRetention(_ context.Context, in *PutRetentionInput) error {
	release, err := e.change(in.Bucket, in.Key)
	if err != nil {
		return err
	}
	defer release()
	o, err := e.lockable(in.ObjectRef)
	if err != nil {
		return modelled(err)
	}
	defer func() { _ = o.file.Close() }()
	if err := in.Retention.check(e.now()); err != nil {
		return err
	}
	have, err := retentionOf(o.attrs)
	if err != nil {
		return modelled(err)
	}
	longer := in.Retention != nil && have != nil && in.Retention.Mode == have.Mode && !in.Retention.Until.Before(have.Until)
	if have.holds(e.now()) && !longer && (have.Mode != Governance || !in.BypassGovernance) {
		return accessDenied("Access Denied because object protected by object lock.")
	}
	if in.Retention == nil {
		err := e.attrs.DeleteAttribute(o.bucket, o.object, attrRetention)
		if errors.Is(err, errNoAttribute) {
			return nil
		}
		return modelled(err)
	}
	raw, err := json.Marshal(in.Retention)
	if err != nil {
		return modelled(err)
	}
	return modelled(e.attrs.StoreAttribute(nil, o.bucket, o.object, attrRetention, raw))
}

// GetObjectLegalHold tells whether a version is held.
func (e *Embedded) GetObjectLegalHold(_ context.Context, ref ObjectRef) (bool, error) {
	if _, err := e.locate(ref.Bucket, ref.Key); err != nil {
		return false, err
	}
	o, err := e.lockable(ref)
	if err != nil {
		return false, modelled(err)
	}
	defer func() { _ = o.file.Close() }()
	raw, ok := o.attrs[attrLegalHold]
	if !ok {
		return false, noLock()
	}
	return len(raw) == 1 && raw[0] == 1, nil
}

// PutObjectLegalHold holds a version, or lets it go.
func (e *Embedded) PutObjectLegalHold(_ context.Context, ref ObjectRef, on bool) error {
	release, err := e.change(ref.Bucket, ref.Key)
	if err != nil {
		return err
	}
	defer release()
	o, err := e.lockable(ref)
	if err != nil {
		return modelled(err)
	}
	defer func() { _ = o.file.Close() }()
	return modelled(e.attrs.StoreAttribute(nil, o.bucket, o.object, attrLegalHold, []byte{byte(flag(on))}))
}
