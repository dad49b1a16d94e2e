package storage

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// ListObjectVersions lists a page of versions and delete markers.
func (e *Embedded) ListObjectVersions(ctx context.Context, in *ListObjectVersionsInput) (*ListObjectVersionsOutput, error) {
	limit, err := pageLimit("max-keys", in.MaxKeys)
	if err != nil {
		return nil, err
	}
	if in.VersionIDMarker != "" && in.KeyMarker == "" {
		return nil, invalidArgument("version-id-marker", in.VersionIDMarker, "A version-id marker cannot be specified without a key marker.")
	}
	if err := checkVersionID(in.VersionIDMarker); err != nil {
		return nil, err
	}
	p := &page{prefix: in.Prefix, delimiter: in.Delimiter, marker: in.KeyMarker, resume: in.VersionIDMarker != "", max: limit}
	l := &versionLister{e: e, in: in, page: p, out: &ListObjectVersionsOutput{}}
	err = e.list(ctx, in.Bucket, p,
		func(key string, _ fs.DirEntry) (bool, error) { return l.exists(key) },
		func(key string, _ fs.DirEntry) error { return l.show(key) })
	if err != nil {
		return nil, modelled(err)
	}
	l.out.CommonPrefixes, l.out.Truncated = p.prefixes, p.truncated
	if p.truncated {
		l.out.NextKeyMarker = p.last
		if n := len(l.out.Versions); n > 0 && l.out.Versions[n-1].Key == p.last {
			l.out.NextVersionIDMarker = l.out.Versions[n-1].VersionID
		}
	}
	return l.out, nil
}

// versionLister shows the versions of the keys that the page offers to it.
type versionLister struct {
	e    *Embedded
	in   *ListObjectVersionsInput
	page *page
	out  *ListObjectVersionsOutput
}

// exists says whether a key has any version, be it a delete marker.
func (l *versionLister) exists(key string) (bool, error) {
	if ok, err := l.e.isObject(l.in.Bucket, key); err != nil || ok {
		return ok, err
	}
	return l.e.has(l.in.Bucket, key, attrDeleteMarker)
}

// show puts the versions of a key on the page, newest first. They are read while nobody changes the key, since a version
// changes its place when it stops being the current one.
func (l *versionLister) show(key string) error {
	all, err := l.versions(key)
	if err != nil {
		return err
	}
	if key == l.in.KeyMarker {
		all = after(all, l.in.VersionIDMarker)
	}
	for _, v := range all {
		if !l.page.take(key) {
			return errEnough
		}
		l.out.Versions = append(l.out.Versions, v.ListedVersion)
	}
	return nil
}

// orderedVersion is a version with what says how new it is.
type orderedVersion struct {
	ListedVersion
	order string
}

func (l *versionLister) versions(key string) ([]orderedVersion, error) {
	e, bucket := l.e, l.in.Bucket
	if strings.HasSuffix(key, "/") {
		o, err := e.listed(bucket, key, nil)
		if err != nil || o == nil {
			return nil, err
		}
		return []orderedVersion{{ListedVersion: ListedVersion{ListedObject: *o, VersionID: NullVersion, Latest: true}}}, nil
	}
	lock := e.keyLock(bucket, key)
	lock.Lock()
	defer lock.Unlock()
	current, err := l.describe(bucket, key, filepath.Join(e.objects, bucket, key), key)
	if err != nil || current == nil {
		return nil, err
	}
	current.Latest = true
	all := []orderedVersion{*current}
	older, err := e.noncurrent(bucket, key, current.VersionID)
	if err != nil {
		return nil, err
	}
	dir := e.versionsOf(bucket, key)
	for _, o := range older {
		v, err := l.describe(dir, o.id, filepath.Join(dir, o.id), key)
		if err != nil {
			return nil, err
		}
		if v != nil {
			all = append(all, *v)
		}
	}
	return all, nil
}

func (l *versionLister) describe(bucket, object, path, key string) (*orderedVersion, error) {
	attrs, err := l.e.attrs.all(nil, bucket, object)
	if absent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	_, marker := attrs[attrDeleteMarker]
	if !marker && attrs[attrETag] == nil {
		return nil, nil
	}
	o, err := listedFrom(key, attrs, func() (fs.FileInfo, error) { return os.Lstat(path) })
	if err != nil || o == nil {
		return nil, err
	}
	v := &orderedVersion{ListedVersion{ListedObject: *o, VersionID: string(attrs[attrVersionID]), DeleteMarker: marker}, string(attrs[attrVersionID])}
	if v.VersionID == "" {
		v.VersionID, v.order = NullVersion, string(attrs[attrOrder])
	}
	return v, nil
}

// after are the versions that follow a marker. When the marker's version is gone, those older than it follow.
func after(all []orderedVersion, marker string) []orderedVersion {
	for i, v := range all {
		if v.VersionID == marker {
			return all[i+1:]
		}
	}
	for i, v := range all {
		if marker != NullVersion && v.order < marker {
			return all[i:]
		}
	}
	return nil
}
