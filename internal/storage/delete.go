package storage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// DeleteObject deletes a version, or hides the object behind a delete marker where the bucket is versioned.
func (e *Embedded) DeleteObject(_ context.Context, in *DeleteObjectInput) (*DeleteObjectOutput, error) {
	if err := checkVersionID(in.VersionID); err != nil {
		return nil, err
	}
	release, err := e.change(in.Bucket, in.Key)
	if err != nil {
		return nil, err
	}
	defer release()
	out, err := e.deleteObject(in)
	if err == nil {
		err = e.written(in.Bucket, in.Key)
	}
	if err != nil {
		return nil, modelled(err)
	}
	return out, nil
}

func (e *Embedded) deleteObject(in *DeleteObjectInput) (*DeleteObjectOutput, error) {
	o, err := e.find(in.ObjectRef)
	if refusal, ok := errors.AsType[*Error](err); ok && (refusal.Code == "NoSuchKey" || refusal.Code == "NoSuchVersion") {
		o, err = nil, nil
	}
	if err != nil {
		return nil, err
	}
	if o != nil {
		defer func() { _ = o.file.Close() }()
	}
	if in.IfMatch != "" {
		switch {
		case o == nil || o.isMarker():
			return nil, noSuchKey(in.Key)
		case !matchesETag(in.IfMatch, string(o.attrs[attrETag])):
			return nil, preconditionFailed("If-Match")
		}
	}
	status, err := e.versioning(in.Bucket)
	if err != nil {
		return nil, err
	}
	switch {
	case strings.HasSuffix(in.Key, "/"):
		if o == nil {
			return &DeleteObjectOutput{VersionID: in.VersionID}, nil
		}
		return &DeleteObjectOutput{VersionID: in.VersionID}, e.deleteFolder(in.Bucket, in.Key)
	case in.VersionID != "" && status != Unversioned:
		return e.deleteVersion(in, o)
	case status == Unversioned:
		return &DeleteObjectOutput{VersionID: in.VersionID}, e.deleteFile(in, o)
	}
	return e.hide(in.Bucket, in.Key)
}

// deleteFile deletes an object of a bucket that never had versions.
func (e *Embedded) deleteFile(in *DeleteObjectInput, o *opened) error {
	if o == nil {
		return nil
	}
	if err := e.permitDelete(o, in.BypassGovernance); err != nil {
		return err
	}
	return e.remove(in.Bucket, in.Key)
}

// remove takes the file at a key away, with its attributes and the folders that only led to it.
func (e *Embedded) remove(bucket, key string) error {
	forget := e.attrs.discard(bucket, key)
	if err := os.Remove(filepath.Join(e.objects, bucket, key)); err != nil {
		return fmt.Errorf("delete object: %w", err)
	}
	forget()
	if err := e.attrs.DeleteAttributes(bucket, key); err != nil {
		return fmt.Errorf("delete attributes: %w", err)
	}
	e.removeParents(bucket, key)
	return nil
}

// removeParents removes folders that are empty and were not put as objects. A writer that finds its folder gone makes it
// again.
func (e *Embedded) removeParents(bucket, key string) {
	for dir := filepath.Dir(strings.TrimSuffix(key, "/")); dir != "."; dir = filepath.Dir(dir) {
		if _, err := e.attrs.RetrieveAttribute(nil, bucket, dir, attrETag); !errors.Is(err, errNoAttribute) {
			return
		}
		if err := os.Remove(filepath.Join(e.objects, bucket, dir)); err != nil {
			return
		}
	}
}

// deleteFolder deletes an object whose key ends in a slash: the folder, or if there is something in it, what made it one.
func (e *Embedded) deleteFolder(bucket, key string) error {
	err := e.remove(bucket, key)
	if !errors.Is(err, syscall.ENOTEMPTY) && !errors.Is(err, syscall.EEXIST) {
		return err
	}
	names, err := e.attrs.ListAttributes(bucket, key)
	if err != nil {
		return fmt.Errorf("delete attributes: %w", err)
	}
	for _, name := range names {
		if err := e.attrs.DeleteAttribute(bucket, key, name); err != nil && !errors.Is(err, errNoAttribute) {
			return fmt.Errorf("delete attributes: %w", err)
		}
	}
	return nil
}

// hide puts a delete marker in the place of the current version.
func (e *Embedded) hide(bucket, key string) (*DeleteObjectOutput, error) {
	path := filepath.Join(e.objects, bucket, key)
	if st, err := os.Lstat(path); err == nil && st.IsDir() {
		return &DeleteObjectOutput{}, nil // nothing of that name can be
	}
	s, err := e.succeed(bucket, key, path)
	if err != nil {
		return nil, err
	}
	if err := e.publishMarker(bucket, path, s.set); err != nil {
		s.undo()
		if errors.Is(err, syscall.ENOTDIR) || errors.Is(err, fs.ErrExist) {
			return &DeleteObjectOutput{}, nil // an object stands where a folder of this key would be
		}
		return nil, fmt.Errorf("make delete marker: %w", err)
	}
	s.done()
	out := &DeleteObjectOutput{VersionID: s.id, DeleteMarker: true}
	if out.VersionID == "" {
		out.VersionID = NullVersion
	}
	return out, nil
}

// publishMarker makes an empty file that is marked and gives it the path in one step.
func (e *Embedded) publishMarker(bucket, path string, set map[string][]byte) error {
	staging := filepath.Join(e.objects, bucket, stagingName)
	if err := os.MkdirAll(staging, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(staging, "marker-")
	if err != nil {
		return err
	}
	defer func() { _, _ = f.Close(), os.Remove(f.Name()) }()
	if err := e.attrs.StoreAttribute(f, "", "", attrDeleteMarker, nil); err != nil {
		return err
	}
	for name, value := range set {
		if err := e.attrs.StoreAttribute(f, "", "", name, value); err != nil {
			return err
		}
	}
	for range attempts {
		if err = os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err = os.Rename(f.Name(), path); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return err
}

// deleteVersion deletes one version for good. When it is the current one, the one before it takes its place.
func (e *Embedded) deleteVersion(in *DeleteObjectInput, o *opened) (*DeleteObjectOutput, error) {
	out := &DeleteObjectOutput{VersionID: in.VersionID}
	if o == nil {
		return out, nil
	}
	if err := e.permitDelete(o, in.BypassGovernance); err != nil {
		return nil, err
	}
	out.DeleteMarker = o.isMarker()
	current, err := e.versionAt(in.Bucket, in.Key)
	if err != nil {
		return nil, err
	}
	dir := e.versionsOf(in.Bucket, in.Key)
	if current == in.VersionID {
		if err := e.promote(in.Bucket, in.Key, current); err != nil {
			return nil, err
		}
	}
	// Not only the version that is not current: a killed process may have left the current one linked here as well.
	forget := e.attrs.discard(dir, in.VersionID)
	err = os.Remove(filepath.Join(dir, in.VersionID))
	if err != nil && !absent(err) {
		return nil, fmt.Errorf("delete version: %w", err)
	}
	if err == nil {
		forget()
	}
	e.prune(in.Bucket, in.Key)
	return out, nil
}

// promote gives the path of a key to the newest version that is not current, or frees it.
func (e *Embedded) promote(bucket, key, current string) error {
	older, err := e.noncurrent(bucket, key, current)
	if err != nil {
		return err
	}
	if len(older) == 0 {
		return e.remove(bucket, key)
	}
	forget := e.attrs.discard(bucket, key)
	err = os.Rename(filepath.Join(e.versionsOf(bucket, key), older[0].id), filepath.Join(e.objects, bucket, key))
	if err != nil {
		return fmt.Errorf("restore version: %w", err)
	}
	forget()
	return nil
}
