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
	"time"
)

// CreateBucket makes the folder of a bucket. It is there with all its settings, or not at all.
func (e *Embedded) CreateBucket(ctx context.Context, in CreateBucketInput) error {
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
	if refusal, ok := errors.AsType[*Error](err); err != nil && (!ok || refusal.Code != "NoSuchBucket") {
		return err
	}
	if err == nil {
		return bucketExists(in.Bucket)
	}
	return modelled(e.makeBucket(ctx, in))
}

func bucketExists(bucket string) *Error {
	return refuse("BucketAlreadyExists", http.StatusConflict, "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again.").with("BucketName", bucket)
}

// makeBucket prepares the folder where nobody looks and then gives it its name.
func (e *Embedded) makeBucket(ctx context.Context, in CreateBucketInput) error {
	if err := e.clear(ctx, in.Bucket); err != nil {
		return err
	}
	draft := filepath.Join(e.trash, "create-"+rand.Text())
	defer func() { _ = os.RemoveAll(draft) }()
	if err := os.MkdirAll(filepath.Join(draft, stagingName), 0o700); err != nil {
		return fmt.Errorf("make bucket: %w", err)
	}
	set := map[string]string{attrCreated: e.now().UTC().Format(time.RFC3339Nano)}
	if in.ObjectLock {
		set[attrVersioning], set[attrLock] = string(Enabled), "{}"
	}
	where := draft
	if e.beside {
		where = in.Bucket // attributes are found by path, so they are laid where the folder is going to be
	}
	for name, value := range set {
		if err := e.attrs.StoreAttribute(nil, where, "", name, []byte(value)); err != nil {
			return fmt.Errorf("make bucket: %w", err)
		}
	}
	if err := os.Rename(draft, filepath.Join(e.objects, in.Bucket)); err != nil {
		return fmt.Errorf("make bucket: %w", err)
	}
	return upTo(e.disk, filepath.Join(e.objects, in.Bucket), e.objects)
}

// clear removes what may be left of an earlier bucket of the name. Folders that were laid there with files in them are
// somebody's, and stay.
func (e *Embedded) clear(ctx context.Context, bucket string) error {
	path := filepath.Join(e.objects, bucket)
	st, err := os.Lstat(path)
	if err == nil && !st.IsDir() {
		return bucketExists(bucket).because(fmt.Errorf("%s is a %v", path, st.Mode().Type()))
	}
	if err == nil {
		files, err := e.occupied(ctx, bucket, "", func(string, fs.DirEntry) (bool, error) { return true, nil })
		if err != nil {
			return err
		}
		if files {
			return bucketExists(bucket).because(fmt.Errorf("%s has files and was not made as a bucket", path))
		}
		if err := e.discardFolder(path); err != nil {
			return err
		}
	}
	if err := e.attrs.DeleteAttributes(bucket, ""); err != nil {
		return fmt.Errorf("clear attributes: %w", err)
	}
	return os.RemoveAll(filepath.Join(e.versions, bucket))
}

// discardFolder takes a folder away in one step and then removes what it holds.
func (e *Embedded) discardFolder(path string) error {
	gone := filepath.Join(e.trash, "delete-"+rand.Text())
	if err := os.Rename(path, gone); err != nil {
		return fmt.Errorf("remove folder: %w", err)
	}
	return os.RemoveAll(gone)
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
	return modelled(errors.Join(
		e.discardFolder(filepath.Join(e.objects, bucket)),
		e.attrs.DeleteAttributes(bucket, ""),
		os.RemoveAll(filepath.Join(e.versions, bucket)),
		e.disk.at(e.objects)))
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
		raw, err := e.attrs.RetrieveAttribute(nil, entry.Name(), "", attrCreated)
		if errors.Is(err, errNoAttribute) || absent(err) {
			continue
		}
		if err != nil {
			return nil, modelled(fmt.Errorf("list buckets: %w", err))
		}
		created, err := time.Parse(time.RFC3339Nano, string(raw))
		if err != nil {
			return nil, modelled(fmt.Errorf("list buckets: %w", err))
		}
		buckets = append(buckets, BucketInfo{Name: entry.Name(), Created: created})
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
