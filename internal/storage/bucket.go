package storage

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
)

// CreateBucket makes the folder of a bucket. It is there with all its settings, or not at all.
func (e *Embedded) CreateBucket(_ context.Context, in CreateBucketInput) error {
	if err := CheckBucketName(in.Bucket); err != nil {
		return err
	}
	if in.ObjectLock && e.beside {
		return versioningImpossible()
	}
	l := e.bucketLock(in.Bucket)
	l.Lock()
	defer l.Unlock()
	err := e.bucketAt(in.Bucket)
	if err == nil {
		return refuse("BucketAlreadyExists", http.StatusConflict, "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again.").with("BucketName", in.Bucket)
	}
	if e, ok := errors.AsType[*Error](err); !ok || e.Code != "NoSuchBucket" || e.Err != nil {
		return err
	}
	return modelled(e.makeBucket(in))
}

// makeBucket prepares the folder where nobody looks and then gives it its name.
func (e *Embedded) makeBucket(in CreateBucketInput) error {
	// What is beside the objects is keyed by path: nothing of an earlier bucket may be taken over.
	if err := e.attrs.DeleteAttributes(in.Bucket, ""); err != nil {
		return fmt.Errorf("clear attributes: %w", err)
	}
	draft := filepath.Join(e.trash, "create-"+rand.Text())
	defer func() { _ = os.RemoveAll(draft) }()
	if err := os.MkdirAll(filepath.Join(draft, stagingName), 0o700); err != nil {
		return fmt.Errorf("make bucket: %w", err)
	}
	if in.ObjectLock {
		err := errors.Join(
			e.attrs.StoreAttribute(nil, draft, "", attrVersioning, []byte(Enabled)),
			e.attrs.StoreAttribute(nil, draft, "", attrLock, []byte("{}")))
		if err != nil {
			return fmt.Errorf("set object lock: %w", err)
		}
	}
	if err := os.Rename(draft, filepath.Join(e.objects, in.Bucket)); err != nil {
		return fmt.Errorf("make bucket: %w", err)
	}
	return nil
}

// DeleteBucket takes the folder away in one step and then removes what it holds.
func (e *Embedded) DeleteBucket(ctx context.Context, bucket string) error {
	l := e.bucketLock(bucket)
	l.Lock()
	defer l.Unlock()
	if err := e.bucketAt(bucket); err != nil {
		return err
	}
	occupied, err := e.occupied(ctx, bucket, "", func(string, fs.DirEntry) (bool, error) { return true, nil })
	if err != nil {
		return modelled(fmt.Errorf("look into bucket: %w", err))
	}
	if occupied {
		return refuse("BucketNotEmpty", http.StatusConflict, "The bucket you tried to delete is not empty. You must delete all versions in the bucket.").with("BucketName", bucket)
	}
	gone := filepath.Join(e.trash, "delete-"+rand.Text())
	if err := os.Rename(filepath.Join(e.objects, bucket), gone); err != nil {
		return modelled(fmt.Errorf("remove bucket: %w", err))
	}
	if err := e.attrs.DeleteAttributes(bucket, ""); err != nil {
		return modelled(fmt.Errorf("remove attributes: %w", err))
	}
	return modelled(errors.Join(os.RemoveAll(gone), os.RemoveAll(filepath.Join(e.versions, bucket))))
}

// HeadBucket says whether there is such a bucket.
func (e *Embedded) HeadBucket(_ context.Context, bucket string) error { return e.bucketAt(bucket) }

// ListBuckets names the buckets in order.
func (e *Embedded) ListBuckets(context.Context) ([]BucketInfo, error) {
	entries, err := os.ReadDir(e.objects)
	if err != nil {
		return nil, modelled(fmt.Errorf("list buckets: %w", err))
	}
	var buckets []BucketInfo
	for _, entry := range entries {
		if !entry.IsDir() || CheckBucketName(entry.Name()) != nil {
			continue
		}
		st, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, modelled(fmt.Errorf("list buckets: %w", err))
		}
		buckets = append(buckets, BucketInfo{Name: entry.Name(), Created: st.ModTime()})
	}
	return buckets, nil
}

// versioning is the state of a bucket whose name has been checked.
func (e *Embedded) versioning(bucket string) (Versioning, error) {
	v, err := e.attrs.RetrieveAttribute(nil, bucket, "", attrVersioning)
	if errors.Is(err, errNoAttribute) {
		return Unversioned, nil
	}
	if err != nil {
		return Unversioned, fmt.Errorf("read versioning: %w", err)
	}
	return Versioning(v), nil
}

// GetBucketVersioning tells whether versions are kept.
func (e *Embedded) GetBucketVersioning(_ context.Context, bucket string) (Versioning, error) {
	if err := e.bucketAt(bucket); err != nil {
		return Unversioned, err
	}
	v, err := e.versioning(bucket)
	return v, modelled(err)
}

func versioningImpossible() *Error {
	return notImplemented("The storage of this server keeps no versions: its file system has no extended attributes.")
}

// PutBucketVersioning turns the keeping of versions on, or suspends it.
func (e *Embedded) PutBucketVersioning(_ context.Context, bucket string, status Versioning) error {
	if status != Enabled && status != Suspended {
		return malformedXML()
	}
	l := e.bucketLock(bucket)
	l.Lock()
	defer l.Unlock()
	if err := e.bucketAt(bucket); err != nil {
		return err
	}
	if e.beside {
		return versioningImpossible()
	}
	lock, err := e.lockOf(bucket)
	if err != nil {
		return modelled(err)
	}
	if status == Suspended && lock != nil {
		return refuse("InvalidBucketState", http.StatusConflict, "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.")
	}
	return modelled(e.attrs.StoreAttribute(nil, bucket, "", attrVersioning, []byte(status)))
}
