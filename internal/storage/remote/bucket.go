package remote

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/lakegate/lakegate/internal/storage"
)

// Create makes the bucket there. One that is there already is somebody's, even if it belongs to the same credentials:
// whoever creates a bucket here must not find another's objects in it.
func (m *Mount) Create(ctx context.Context, objectLock bool) error {
	err := m.Head(ctx)
	if err == nil {
		return fault("BucketAlreadyExists").with("BucketName", m.name).because(errors.New("the storage has a bucket of this name: attach it instead"))
	}
	if e, ok := errors.AsType[*storage.Error](err); !ok || e.Code != "NoSuchBucket" {
		return err
	}
	c := m.bucket(http.MethodPut)
	if objectLock {
		c.set("X-Amz-Bucket-Object-Lock-Enabled", "true")
	}
	if region := m.endpoint.cfg.Region; region != "us-east-1" {
		w := newWriter("CreateBucketConfiguration")
		w.text("LocationConstraint", region)
		c.document(w.end("CreateBucketConfiguration"))
	}
	return m.done(ctx, c, of{})
}

// Delete removes the bucket there, which must be empty.
func (m *Mount) Delete(ctx context.Context) error {
	return m.done(ctx, m.bucket(http.MethodDelete), of{})
}

// Empty refuses a place that holds an object or a version.
func (m *Mount) Empty(ctx context.Context) error {
	versions, err := m.ListObjectVersions(ctx, &storage.ListObjectVersionsInput{MaxKeys: 1})
	if e, ok := errors.AsType[*storage.Error](err); ok && e.Code != "NoSuchBucket" && e.Status < http.StatusServiceUnavailable {
		// It may keep no versions. What it has then are objects.
		objects, err := m.ListObjectsV2(ctx, &storage.ListObjectsV2Input{MaxKeys: 1})
		if err != nil {
			return err
		}
		versions = &storage.ListObjectVersionsOutput{Versions: make([]storage.ListedVersion, len(objects.Objects)), Truncated: objects.Truncated}
	} else if err != nil {
		return err
	}
	if len(versions.Versions) > 0 || versions.Truncated {
		return fault("BucketNotEmpty").with("BucketName", m.name).Error
	}
	return nil
}

// Head says whether the bucket is there.
func (m *Mount) Head(ctx context.Context) error {
	return m.done(ctx, m.bucket(http.MethodHead), of{})
}

// GetBucketVersioning tells whether versions are kept.
func (m *Mount) GetBucketVersioning(ctx context.Context) (storage.Versioning, error) {
	c := m.bucket(http.MethodGet)
	c.query.flag("versioning")
	d, _, err := m.page(ctx, c, of{})
	if err != nil {
		return storage.Unversioned, err
	}
	status := storage.Unversioned
	err = d.root(func(name string) error {
		if name != "Status" {
			return d.skip()
		}
		text, err := d.text()
		status = storage.Versioning(text)
		return err
	}, "VersioningConfiguration")
	if err == nil && status != storage.Unversioned && status != storage.Enabled && status != storage.Suspended {
		err = errors.New("a state of versioning that is none")
	}
	if err != nil {
		return storage.Unversioned, m.endpoint.broken(ctx, err)
	}
	return status, nil
}

// shared refuses to change what concerns the whole bucket there, of which this one is a part.
func (m *Mount) shared() error {
	if m.place.Prefix == "" {
		return nil
	}
	return fault("InvalidBucketState").because(errors.New("the bucket is a prefix of another: this is set at its storage"))
}

// PutBucketVersioning turns the keeping of versions on, or suspends it.
func (m *Mount) PutBucketVersioning(ctx context.Context, status storage.Versioning) error {
	if status != storage.Enabled && status != storage.Suspended {
		return fault("MalformedXML").Error
	}
	if err := m.shared(); err != nil {
		return err
	}
	c := m.bucket(http.MethodPut)
	c.query.flag("versioning")
	w := newWriter("VersioningConfiguration")
	w.text("Status", string(status))
	c.document(w.end("VersioningConfiguration"))
	return m.done(ctx, c, of{})
}

// GetObjectLockConfiguration tells whether the bucket locks objects, and the default.
func (m *Mount) GetObjectLockConfiguration(ctx context.Context, _ string) (*storage.LockConfiguration, error) {
	c := m.bucket(http.MethodGet)
	c.query.flag("object-lock")
	d, _, err := m.page(ctx, c, of{})
	if err != nil {
		return nil, err
	}
	out := &storage.LockConfiguration{}
	enabled := false
	var read func(name string) error
	read = func(name string) (err error) {
		var text string
		switch name {
		case "Rule", "DefaultRetention":
			return d.each(read)
		case "ObjectLockEnabled":
			text, err = d.text()
			enabled = text == "Enabled"
		case "Mode":
			text, err = d.text()
			out.Mode = storage.Mode(text)
		case "Days":
			if text, err = d.text(); err == nil {
				out.Days, err = strconv.Atoi(text)
			}
		case "Years":
			if text, err = d.text(); err == nil {
				out.Years, err = strconv.Atoi(text)
			}
		default:
			err = d.skip()
		}
		return err
	}
	if err := d.root(read, "ObjectLockConfiguration"); err != nil {
		return nil, m.endpoint.broken(ctx, err)
	}
	if !enabled {
		return nil, fault("ObjectLockConfigurationNotFoundError").with("BucketName", m.name).Error
	}
	return out, nil
}

// PutObjectLockConfiguration turns object lock on and sets the default for new versions.
func (m *Mount) PutObjectLockConfiguration(ctx context.Context, _ string, cfg storage.LockConfiguration) error {
	if err := cfg.Check(); err != nil {
		return err
	}
	if err := m.shared(); err != nil {
		return err
	}
	c := m.bucket(http.MethodPut)
	c.query.flag("object-lock")
	w := newWriter("ObjectLockConfiguration")
	w.text("ObjectLockEnabled", "Enabled")
	if cfg.Mode != "" {
		w.open("Rule")
		w.open("DefaultRetention")
		w.text("Mode", string(cfg.Mode))
		if cfg.Days > 0 {
			w.text("Days", strconv.Itoa(cfg.Days))
		} else {
			w.text("Years", strconv.Itoa(cfg.Years))
		}
		w.close("DefaultRetention")
		w.close("Rule")
	}
	c.document(w.end("ObjectLockConfiguration"))
	return m.done(ctx, c, of{})
}

func (m *Mount) lock(method, sub string, ref storage.ObjectRef) (*call, of, error) {
	about := of{key: ref.Key, version: ref.VersionID}
	c, err := m.object(method, ref.Key)
	if err == nil {
		c.query.flag(sub).given("versionId", ref.VersionID)
	}
	return c, about, err
}

// GetObjectRetention reads the retention of a version.
func (m *Mount) GetObjectRetention(ctx context.Context, ref storage.ObjectRef) (*storage.Retention, error) {
	c, about, err := m.lock(http.MethodGet, "retention", ref)
	if err != nil {
		return nil, err
	}
	d, _, err := m.page(ctx, c, about)
	if err != nil {
		return nil, err
	}
	r := &storage.Retention{}
	err = d.root(func(name string) (err error) {
		var text string
		switch name {
		case "Mode":
			text, err = d.text()
			r.Mode = storage.Mode(text)
		case "RetainUntilDate":
			if text, err = d.text(); err == nil {
				r.Until, err = timestamp(text)
			}
		default:
			err = d.skip()
		}
		return err
	}, "Retention", "ObjectLockRetention")
	if err == nil && r.Mode != storage.Governance && r.Mode != storage.Compliance {
		return nil, fault("NoSuchObjectLockConfiguration").Error
	}
	if err != nil {
		return nil, m.endpoint.broken(ctx, err)
	}
	return r, nil
}

// PutObjectRetention sets the retention of a version; nil removes it.
func (m *Mount) PutObjectRetention(ctx context.Context, in *storage.PutRetentionInput) error {
	c, about, err := m.lock(http.MethodPut, "retention", in.ObjectRef)
	if err != nil {
		return err
	}
	if in.BypassGovernance {
		c.set("X-Amz-Bypass-Governance-Retention", "true")
	}
	w := newWriter("Retention")
	if r := in.Retention; r != nil {
		w.text("Mode", string(r.Mode))
		w.text("RetainUntilDate", r.Until.UTC().Format(time.RFC3339))
	}
	c.document(w.end("Retention"))
	return m.done(ctx, c, about)
}

// GetObjectLegalHold tells whether a version is held.
func (m *Mount) GetObjectLegalHold(ctx context.Context, ref storage.ObjectRef) (bool, error) {
	c, about, err := m.lock(http.MethodGet, "legal-hold", ref)
	if err != nil {
		return false, err
	}
	d, _, err := m.page(ctx, c, about)
	if err != nil {
		return false, err
	}
	on := false
	err = d.root(func(name string) error {
		if name != "Status" {
			return d.skip()
		}
		text, err := d.text()
		on = text == "ON"
		return err
	}, "LegalHold", "ObjectLockLegalHold")
	if err != nil {
		return false, m.endpoint.broken(ctx, err)
	}
	return on, nil
}

// PutObjectLegalHold holds a version, or lets it go.
func (m *Mount) PutObjectLegalHold(ctx context.Context, ref storage.ObjectRef, on bool) error {
	c, about, err := m.lock(http.MethodPut, "legal-hold", ref)
	if err != nil {
		return err
	}
	w := newWriter("LegalHold")
	if on {
		w.text("Status", "ON")
	} else {
		w.text("Status", "OFF")
	}
	c.document(w.end("LegalHold"))
	return m.done(ctx, c, about)
}
