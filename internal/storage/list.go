package storage

import (
	"context"
	"encoding/base64"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// ListObjects lists a page of current versions.
func (e *Embedded) ListObjects(ctx context.Context, in *ListObjectsInput) (*ListObjectsOutput, error) {
	limit, err := pageLimit("max-keys", in.MaxKeys)
	if err != nil {
		return nil, err
	}
	p := &page{prefix: in.Prefix, delimiter: in.Delimiter, marker: in.Marker, max: limit}
	out := &ListObjectsOutput{}
	err = e.list(ctx, in.Bucket, p,
		func(key string, _ fs.DirEntry) (bool, error) { return e.isObject(in.Bucket, key) },
		func(key string, entry fs.DirEntry) error {
			o, err := e.listed(in.Bucket, key, entry)
			if err != nil || o == nil {
				return err
			}
			if !p.take(key) {
				return errEnough
			}
			out.Objects = append(out.Objects, *o)
			return nil
		})
	if err != nil {
		return nil, modelled(err)
	}
	out.CommonPrefixes, out.Truncated = p.prefixes, p.truncated
	if p.truncated {
		out.NextMarker = p.last
	}
	return out, nil
}

// ListObjectsV2 is ListObjects with a token in the place of the marker.
func (e *Embedded) ListObjectsV2(ctx context.Context, in *ListObjectsV2Input) (*ListObjectsV2Output, error) {
	marker := in.StartAfter
	if in.ContinuationToken != "" {
		var err error
		if marker, err = openToken(in.ContinuationToken); err != nil {
			return nil, err
		}
	}
	res, err := e.ListObjects(ctx, &ListObjectsInput{Bucket: in.Bucket, Prefix: in.Prefix, Delimiter: in.Delimiter, Marker: marker, MaxKeys: in.MaxKeys})
	if err != nil {
		return nil, err
	}
	out := &ListObjectsV2Output{ListObjectsOutput: *res}
	if out.Truncated {
		out.NextContinuationToken = sealToken(out.NextMarker)
	}
	return out, nil
}

// A token is the marker in a form that nobody takes for a key. It gives no right, so it needs no protection.
const tokenMark = "after:"

func sealToken(marker string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(tokenMark + marker))
}

func openToken(token string) (string, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	marker, ok := strings.CutPrefix(string(raw), tokenMark)
	if err != nil || !ok {
		return "", invalidArgument("continuation-token", token, "The continuation token provided is incorrect")
	}
	return marker, nil
}

func pageLimit(name string, n int) (int, error) {
	if n < 0 {
		return 0, invalidArgument(name, "", "Argument "+name+" must be an integer between 0 and 2147483647")
	}
	return min(n, MaxPage), nil
}

// list offers the keys of a bucket to a page. lone shows a key by itself; counts says whether there is an object at a key,
// for those that stand behind a common prefix.
func (e *Embedded) list(ctx context.Context, bucket string, p *page,
	counts func(key string, entry fs.DirEntry) (bool, error), lone func(key string, entry fs.DirEntry) error,
) error {
	if err := e.bucketAt(bucket); err != nil {
		return err
	}
	if p.max == 0 {
		return nil
	}
	plain, err := e.plainFolder(bucket, p.start())
	if err != nil || !plain {
		return err
	}
	w := walk{ctx: ctx, bucket: filepath.Join(e.objects, bucket), from: p.from()}
	w.enter = func(folder string) (bool, error) {
		into, common := p.leads(folder)
		if !into || common == "" {
			return into, nil
		}
		occupied, err := e.occupied(ctx, bucket, folder, counts)
		if err != nil || !occupied {
			return false, err
		}
		return false, p.collect(common)
	}
	w.visit = func(key string, entry fs.DirEntry) error {
		switch where, common := p.locate(key); where {
		case alone:
			return lone(key, entry)
		case collected:
			if ok, err := counts(key, entry); err != nil || !ok {
				return err
			}
			return p.collect(common)
		}
		return nil
	}
	return w.run(p.start())
}

// collect puts a common prefix on the page.
func (p *page) collect(common string) error {
	if !p.take(common) {
		return errEnough
	}
	p.prefixes = append(p.prefixes, common)
	return nil
}

// plainFolder says whether a prefix's folder exists and is reached without a link. What no key can be below, has no keys.
func (e *Embedded) plainFolder(bucket, folder string) (bool, error) {
	if folder == "" {
		return true, nil
	}
	if CheckKey(folder) != nil {
		return false, nil
	}
	path, err := e.locate(bucket, folder)
	if refusal, ok := errors.AsType[*Error](err); ok && refusal.Status < 500 {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	st, err := os.Lstat(path)
	if absent(err) {
		return false, nil
	}
	return err == nil && st.IsDir(), err
}

// isObject says whether there is an object at the key of a file or folder that was found. Delete markers, and folders that
// only lead to objects, have no entity tag.
func (e *Embedded) isObject(bucket, key string) (bool, error) { return e.has(bucket, key, attrETag) }

func (e *Embedded) has(bucket, key, attribute string) (bool, error) {
	_, err := e.attrs.RetrieveAttribute(nil, bucket, key, attribute)
	if errors.Is(err, errNoAttribute) || absent(err) {
		return false, nil
	}
	return err == nil, err
}

// listed describes the object at a key as a listing shows it. It is nil when there is none, or none any more. It asks for
// the two attributes that a listing shows and no others, as it is asked a thousand times for a page.
func (e *Embedded) listed(bucket, key string, entry fs.DirEntry) (*ListedObject, error) {
	etag, err := e.attrs.RetrieveAttribute(nil, bucket, key, attrETag)
	if errors.Is(err, errNoAttribute) || absent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	checksums, err := e.attrs.RetrieveAttribute(nil, bucket, key, attrChecksums)
	switch {
	case absent(err):
		return nil, nil
	case err != nil && !errors.Is(err, errNoAttribute) && !errors.Is(err, errOverflowGone):
		return nil, err
	}
	stat := func() (fs.FileInfo, error) { return os.Lstat(filepath.Join(e.objects, bucket, key)) }
	if entry != nil {
		stat = entry.Info
	}
	return listedFrom(key, map[string][]byte{attrETag: etag, attrChecksums: checksums}, stat)
}

func listedFrom(key string, attrs map[string][]byte, stat func() (fs.FileInfo, error)) (*ListedObject, error) {
	st, err := stat()
	if absent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	c, err := checksumOf(attrs)
	if err != nil {
		return nil, err
	}
	c.Value = ""
	o := &ListedObject{Key: key, ETag: string(attrs[attrETag]), LastModified: st.ModTime(), Checksum: c}
	if !st.IsDir() {
		o.Size = st.Size()
	}
	return o, nil
}
