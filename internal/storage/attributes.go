package storage

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/pkg/xattr"
	"github.com/versity/versitygw/backend/meta"
)

// Names of the attributes. Those in the first group are written by the library that stages and publishes; the second
// group is ours alone.
const (
	attrETag               = "etag"
	attrChecksums          = "checksums"
	attrContentType        = "content-type"
	attrContentEncoding    = "content-encoding"
	attrContentLanguage    = "content-language"
	attrContentDisposition = "content-disposition"
	attrCacheControl       = "cache-control"
	attrExpires            = "expires"
	attrRedirect           = "website-redirect-location"
	attrMetadata           = "metadata"
	attrTags               = "X-Amz-Tagging"
	attrVersionID          = "version-id"
	attrParts              = "mp-metadata"
	attrUploadKey          = "objname"
	attrRetention          = "object-retention"
	attrLegalHold          = "object-legal-hold"

	attrCreated      = "lakegate-created"
	attrDeleteMarker = "lakegate-delete-marker"
	attrInitiated    = "lakegate-initiated"
	attrOrder        = "lakegate-order"
	attrVersioning   = "lakegate-versioning"
	attrLock         = "lakegate-lock"
)

// attributes keep what is known about an object beside its bytes. The library stores through the same value, so that
// both sides read one format.
type attributes interface {
	meta.MetadataStorer
	// all reads every attribute. With a file it reads those of that very file, whatever the path names by now.
	all(f *os.File, bucket, object string) (map[string][]byte, error)
	// discard prepares to drop what the attributes of a path occupy outside of the file. It must be called before the
	// file goes; the function it returns, after.
	discard(bucket, object string) func()
}

// errOverflowGone says that a long attribute was dropped while it was read: the file was replaced, read the new one.
var errOverflowGone = errors.New("attribute was dropped meanwhile")

// inlineLimit is what one attribute may take in the file itself. Ext4 gives all attributes of a file 4 KiB together, less
// than S3's user metadata, tags and content headers can need, so longer ones go to a file of their own.
const inlineLimit = 256

const (
	attrPrefix = "user.lakegate."
	markInline = 'v'
	markPlaced = 'p'
)

// extended keeps attributes in the file system's extended attributes, which follow the file through links and renames.
// Each value has one byte before it: 'v' and the value, or 'p' and the name of the file in dir that has it.
//
// An attribute of a file that has its name already is forced to the disk at once; those of a new one are with the file.
type extended struct {
	dir  string
	disk disk
}

// errNoAttribute is what the library expects.
var errNoAttribute = meta.ErrNoSuchKey

func (x extended) RetrieveAttribute(f *os.File, bucket, object, attribute string) ([]byte, error) {
	raw, err := x.raw(f, bucket, object, attribute)
	if err != nil {
		return nil, err
	}
	return x.value(raw)
}

func (x extended) raw(f *os.File, bucket, object, attribute string) (raw []byte, err error) {
	if f != nil {
		raw, err = xattr.FGet(f, attrPrefix+attribute)
	} else {
		raw, err = xattr.LGet(filepath.Join(bucket, object), attrPrefix+attribute)
	}
	if errors.Is(err, xattr.ENOATTR) {
		return nil, errNoAttribute
	}
	return raw, err
}

func (x extended) value(raw []byte) ([]byte, error) {
	switch {
	case len(raw) > 0 && raw[0] == markInline:
		return raw[1:], nil
	case len(raw) > 0 && raw[0] == markPlaced:
		v, err := os.ReadFile(x.place(string(raw[1:])))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, errOverflowGone
		}
		return v, err
	}
	return nil, errors.New("attribute has an unknown form")
}

func (x extended) place(id string) string { return filepath.Join(x.dir, id[:2], id) }

func (x extended) StoreAttribute(f *os.File, bucket, object, attribute string, value []byte) error {
	old, err := x.raw(f, bucket, object, attribute)
	if err != nil && !errors.Is(err, errNoAttribute) {
		return fmt.Errorf("read attribute %s: %w", attribute, err)
	}
	raw := append([]byte{markInline}, value...)
	if len(value) > inlineLimit {
		id, err := x.put(value)
		if err != nil {
			return fmt.Errorf("place attribute %s: %w", attribute, err)
		}
		raw = append([]byte{markPlaced}, id...)
	}
	if f != nil {
		err = xattr.FSet(f, attrPrefix+attribute, raw)
	} else {
		err = xattr.LSet(filepath.Join(bucket, object), attrPrefix+attribute, raw)
	}
	if err != nil {
		x.drop(raw)
		return fmt.Errorf("store attribute %s: %w", attribute, err)
	}
	if f == nil {
		err = x.disk.at(filepath.Join(bucket, object))
	}
	x.drop(old)
	return err
}

func (x extended) put(value []byte) (string, error) {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	id := hex.EncodeToString(b[:])
	err := os.WriteFile(x.place(id), value, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(filepath.Dir(x.place(id)), 0o700); err == nil {
			err = os.WriteFile(x.place(id), value, 0o600)
		}
	}
	if err == nil {
		err = upTo(x.disk, x.place(id), x.dir)
	}
	if err != nil {
		_ = os.Remove(x.place(id))
	}
	return id, err
}

func (x extended) drop(raw []byte) {
	if len(raw) > 2 && raw[0] == markPlaced {
		_ = os.Remove(x.place(string(raw[1:])))
	}
}

func (x extended) DeleteAttribute(bucket, object, attribute string) error {
	old, err := x.raw(nil, bucket, object, attribute)
	if err != nil {
		return err
	}
	if err := xattr.LRemove(filepath.Join(bucket, object), attrPrefix+attribute); err != nil && !errors.Is(err, xattr.ENOATTR) {
		return err
	}
	err = x.disk.at(filepath.Join(bucket, object))
	x.drop(old)
	return err
}

func (x extended) ListAttributes(bucket, object string) ([]string, error) {
	return x.names(nil, bucket, object)
}

func (x extended) names(f *os.File, bucket, object string) (names []string, err error) {
	var full []string
	if f != nil {
		full, err = xattr.FList(f)
	} else {
		full, err = xattr.LList(filepath.Join(bucket, object))
	}
	for _, n := range full {
		if name, ok := strings.CutPrefix(n, attrPrefix); ok {
			names = append(names, name)
		}
	}
	return names, err
}

// DeleteAttributes has nothing to do: they went with the file.
func (extended) DeleteAttributes(string, string) error { return nil }

// RenameObject has nothing to do: they went with the file.
func (extended) RenameObject(string, string, string) error { return nil }

func (x extended) all(f *os.File, bucket, object string) (map[string][]byte, error) {
	names, err := x.names(f, bucket, object)
	if err != nil {
		return nil, err
	}
	all := make(map[string][]byte, len(names))
	for _, name := range names {
		v, err := x.RetrieveAttribute(f, bucket, object, name)
		if errors.Is(err, errNoAttribute) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read attribute %s: %w", name, err)
		}
		all[name] = v
	}
	return all, nil
}

func (x extended) discard(bucket, object string) func() {
	var placed [][]byte
	names, _ := x.names(nil, bucket, object)
	for _, name := range names {
		if raw, err := x.raw(nil, bucket, object, name); err == nil && len(raw) > 0 && raw[0] == markPlaced {
			placed = append(placed, raw)
		}
	}
	return func() {
		for _, raw := range placed {
			x.drop(raw)
		}
	}
}

// sidecar keeps attributes in files beside the objects, by path, for file systems without extended attributes.
type sidecar struct {
	meta.SideCar
	dir  string
	disk disk
}

// attrInode says which file the attributes of a path were written for. The library stores those of a new file before the
// file takes the path, so without it an object would inherit the tags and metadata of the one that it replaces.
const attrInode = "lakegate-inode"

func (s sidecar) StoreAttribute(f *os.File, bucket, object, attribute string, value []byte) error {
	if f != nil {
		st, err := f.Stat()
		if err != nil {
			return err
		}
		inode := fmt.Sprint(st.Sys().(*syscall.Stat_t).Ino)
		have, err := s.SideCar.RetrieveAttribute(nil, bucket, object, attrInode)
		if err != nil && !errors.Is(err, errNoAttribute) {
			return err
		}
		if string(have) != inode {
			if err := s.DeleteAttributes(bucket, object); err != nil {
				return err
			}
			if err := s.SideCar.StoreAttribute(nil, bucket, object, attrInode, []byte(inode)); err != nil {
				return err
			}
		}
	}
	if err := s.SideCar.StoreAttribute(nil, bucket, object, attribute, value); err != nil {
		return err
	}
	return upTo(s.disk, filepath.Join(s.dir, bucket, object, "meta", attribute), s.dir)
}

func (s sidecar) all(_ *os.File, bucket, object string) (map[string][]byte, error) {
	names, err := s.ListAttributes(bucket, object)
	if err != nil {
		return nil, err
	}
	all := make(map[string][]byte, len(names))
	for _, name := range names {
		v, err := s.RetrieveAttribute(nil, bucket, object, name)
		if errors.Is(err, errNoAttribute) {
			continue
		}
		if err != nil {
			return nil, err
		}
		all[name] = v
	}
	return all, nil
}

// discard leaves the attributes of a path to whoever takes the path next.
func (sidecar) discard(string, string) func() { return func() {} }
