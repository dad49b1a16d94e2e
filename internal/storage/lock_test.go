package storage_test

import (
	"testing"
	"time"

	"github.com/lakegate/lakegate/internal/storage"
)

func lockedBucket(t *testing.T) string {
	t.Helper()
	b := newBucket(t)
	if err := shared.DeleteBucket(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if err := shared.CreateBucket(t.Context(), storage.CreateBucketInput{Bucket: b, ObjectLock: true}); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRetentionKeepsVersions(t *testing.T) {
	b := lockedBucket(t)
	now := time.Now().Truncate(time.Second)
	clock := now
	shared.SetClock(func() time.Time { return clock })
	t.Cleanup(func() { shared.SetClock(time.Now) })
	until := now.Add(time.Hour)
	write := func(r *storage.Retention, hold bool) storage.ObjectRef {
		out, err := shared.PutObject(t.Context(), &storage.PutObjectInput{Bucket: b, Key: "k", Body: body("x"), Retention: r, LegalHold: hold})
		if err != nil {
			t.Fatal(err)
		}
		return storage.ObjectRef{Bucket: b, Key: "k", VersionID: out.VersionID}
	}
	governed := write(&storage.Retention{Mode: storage.Governance, Until: until}, false)
	compliant := write(&storage.Retention{Mode: storage.Compliance, Until: until}, false)
	held := write(nil, true)
	del := func(ref storage.ObjectRef, bypass bool) error {
		_, err := shared.DeleteObject(t.Context(), &storage.DeleteObjectInput{ObjectRef: ref, BypassGovernance: bypass})
		return err
	}
	retain := func(ref storage.ObjectRef, r *storage.Retention, bypass bool) error {
		return shared.PutObjectRetention(t.Context(), &storage.PutRetentionInput{ObjectRef: ref, Retention: r, BypassGovernance: bypass})
	}
	shorter, longer := &storage.Retention{Mode: storage.Governance, Until: until.Add(-time.Minute)}, &storage.Retention{Mode: storage.Governance, Until: until.Add(time.Minute)}
	wantCode(t, "delete of a governed version", del(governed, false), "AccessDenied")
	wantCode(t, "shortening", retain(governed, shorter, false), "AccessDenied")
	wantCode(t, "removing", retain(governed, nil, false), "AccessDenied")
	wantCode(t, "a date in the past", retain(governed, &storage.Retention{Mode: storage.Governance, Until: now}, true), "InvalidArgument")
	wantCode(t, "a mode that is none", retain(governed, &storage.Retention{Mode: "SOFT", Until: until}, true), "MalformedXML")
	wantCode(t, "lengthening", retain(governed, longer, false), "")
	wantCode(t, "shortening with bypass", retain(governed, shorter, true), "")
	wantCode(t, "delete of a compliant version with bypass", del(compliant, true), "AccessDenied")
	wantCode(t, "removing compliance with bypass", retain(compliant, nil, true), "AccessDenied")
	wantCode(t, "compliance to governance with bypass", retain(compliant, longer, true), "AccessDenied")
	wantCode(t, "delete of a held version with bypass", del(held, true), "AccessDenied")
	// What hides a version deletes none.
	wantCode(t, "delete marker", del(current(b, "k"), false), "")
	wantCode(t, "delete of a governed version with bypass", del(governed, true), "")
	wantCode(t, "release", shared.PutObjectLegalHold(t.Context(), held, false), "")
	wantCode(t, "delete of a released version", del(held, false), "")
	clock = until
	wantCode(t, "delete after the time", del(compliant, false), "")
}

func TestDefaultRetention(t *testing.T) {
	b := lockedBucket(t)
	if err := shared.PutObjectLockConfiguration(t.Context(), b, storage.LockConfiguration{Mode: storage.Governance, Days: 2}); err != nil {
		t.Fatal(err)
	}
	refs := []storage.ObjectRef{{Bucket: b, Key: "k", VersionID: put(t, b, "k", "x").VersionID}}
	up := multipart(t, b, "m", nil, "part")
	refs = append(refs, storage.ObjectRef{Bucket: b, Key: "m", VersionID: up.VersionID})
	for _, ref := range refs {
		r, err := shared.GetObjectRetention(t.Context(), ref)
		if err != nil || r.Mode != storage.Governance || time.Until(r.Until) < 47*time.Hour || time.Until(r.Until) > 49*time.Hour {
			t.Errorf("retention of %s = %+v, %v", ref.Key, r, err)
		}
		_, err = shared.DeleteObject(t.Context(), &storage.DeleteObjectInput{ObjectRef: ref})
		wantCode(t, "delete of "+ref.Key, err, "AccessDenied")
	}
}

func TestLocksNeedTheirBucket(t *testing.T) {
	b := newBucket(t)
	put(t, b, "k", "x")
	soon := &storage.Retention{Mode: storage.Governance, Until: time.Now().Add(time.Hour)}
	_, err := shared.PutObject(t.Context(), &storage.PutObjectInput{Bucket: b, Key: "k", Body: body("y"), Retention: soon})
	wantCode(t, "put", err, "InvalidRequest")
	_, err = shared.CreateMultipartUpload(t.Context(), &storage.CreateMultipartUploadInput{Bucket: b, Key: "k", LegalHold: true})
	wantCode(t, "create upload", err, "InvalidRequest")
	wantCode(t, "retention", shared.PutObjectRetention(t.Context(), &storage.PutRetentionInput{ObjectRef: current(b, "k"), Retention: soon}), "InvalidRequest")
	wantCode(t, "hold", shared.PutObjectLegalHold(t.Context(), current(b, "k"), true), "InvalidRequest")
	wantCode(t, "lock of a bucket without versions", shared.PutObjectLockConfiguration(t.Context(), b, storage.LockConfiguration{}), "InvalidBucketState")
	_, err = shared.GetObjectLockConfiguration(t.Context(), b)
	wantCode(t, "configuration", err, "ObjectLockConfigurationNotFoundError")

	l := lockedBucket(t)
	wantCode(t, "suspend", shared.PutBucketVersioning(t.Context(), l, storage.Suspended), "InvalidBucketState")
	put(t, l, "k", "x")
	_, err = shared.GetObjectRetention(t.Context(), current(l, "k"))
	wantCode(t, "no retention", err, "NoSuchObjectLockConfiguration")
	_, err = shared.GetObjectLegalHold(t.Context(), current(l, "k"))
	wantCode(t, "no hold", err, "NoSuchObjectLockConfiguration")
	for _, cfg := range []storage.LockConfiguration{{Mode: storage.Governance}, {Days: 1}, {Mode: "SOFT", Days: 1}, {Mode: storage.Compliance, Days: 1, Years: 1}, {Mode: storage.Compliance, Days: -1}, {Mode: storage.Compliance, Years: 101}} {
		wantCode(t, "configuration", shared.PutObjectLockConfiguration(t.Context(), l, cfg), "MalformedXML")
	}
}
