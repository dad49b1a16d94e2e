package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/versity/versitygw/backend/posix"
)

// stagingName is the folder in each bucket where writes are staged. It is no key.
const stagingName = posix.MetaTmpDir

// maxSegment leaves room in a file name's 255 bytes for what the library adds while it replaces a file.
const maxSegment = 227

// CheckBucketName refuses what cannot be the name of a bucket, and so of a folder. It is the coarse rule of this room; which
// names are to be had is decided above.
func CheckBucketName(name string) error {
	ok := len(name) >= 3 && len(name) <= 63 && !strings.Contains(name, "..")
	for i := range len(name) {
		c := name[i]
		alnum := 'a' <= c && c <= 'z' || '0' <= c && c <= '9'
		ok = ok && (alnum || (c == '-' || c == '.') && i > 0 && i < len(name)-1)
	}
	if !ok {
		return refuse("InvalidBucketName", http.StatusBadRequest, "The specified bucket is not valid.").with("BucketName", name)
	}
	return nil
}

// CheckKey refuses a key that is no S3 key or that no file can be named after.
func CheckKey(key string) error {
	switch {
	case len(key) > MaxKeyLength:
		return keyTooLong(key)
	case key == "" || !utf8.ValidString(key) || strings.ContainsRune(key, 0):
		return invalidArgument("key", key, "A key is 1 to 1024 bytes of UTF-8 without NUL.")
	}
	for segment := range strings.SplitSeq(strings.TrimSuffix(key, "/"), "/") {
		switch {
		case segment == "" || segment == "." || segment == "..":
			return invalidArgument("key", key, "This storage keeps no keys with an empty, '.' or '..' segment.")
		case len(segment) > maxSegment:
			return keyTooLong(key)
		case reserved(segment):
			return invalidArgument("key", key, "This storage reserves a segment of the key for itself.")
		}
	}
	return nil
}

// reserved says that a name in a bucket is the library's own: where it stages, or the name that it links a file under for
// the instant before it replaces another (".<name>.sgwtmp.<number>").
func reserved(segment string) bool {
	if strings.EqualFold(segment, stagingName) {
		return true
	}
	i := strings.LastIndex(segment, stagingName+".")
	if i < 1 || segment[0] != '.' {
		return false
	}
	number := segment[i+len(stagingName)+1:]
	return number != "" && strings.Trim(number, "0123456789") == ""
}

// locate checks the names and the way to the file that has them, and returns its absolute path. Whether the file exists
// is not its matter; that everything on the way which does exist is a plain folder, and the end a plain file or folder,
// is. Who can plant a symbolic link in the data folder can also read it, so the window between check and use is theirs.
func (e *Embedded) locate(bucket, key string) (string, error) {
	if err := e.bucketAt(bucket); err != nil {
		return "", err
	}
	if err := CheckKey(key); err != nil {
		return "", err
	}
	segments := strings.Split(strings.TrimSuffix(key, "/"), "/")
	if e.beside && containsFold(segments, "meta") {
		return "", invalidArgument("key", key, "On a file system without extended attributes no segment of a key can be 'meta'.")
	}
	path := filepath.Join(e.objects, bucket)
	for i, segment := range segments {
		parent := path
		path += "/" + segment
		st, err := os.Lstat(path)
		if absent(err) {
			break
		}
		if err != nil {
			return "", modelled(fmt.Errorf("look at key: %w", err))
		}
		if !st.IsDir() && !st.Mode().IsRegular() {
			return "", accessDenied("Access Denied").because(fmt.Errorf("%s is a %v, which is never followed", path, st.Mode().Type()))
		}
		if e.folds && !named(parent, segment) {
			return "", invalidArgument("key", key, "A key that differs only in letter case or Unicode form exists, and this file system cannot hold both.")
		}
		if i < len(segments)-1 && !st.IsDir() {
			break
		}
	}
	return filepath.Join(e.objects, bucket, key), nil
}

func containsFold(segments []string, name string) bool {
	for _, s := range segments {
		if strings.EqualFold(s, name) {
			return true
		}
	}
	return false
}

// named says that the folder lists this very name, and not one that the file system takes for the same.
func named(dir, name string) bool {
	f, err := os.Open(dir) //nolint:gosec // built from checked names
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	for {
		names, err := f.Readdirnames(readAhead)
		for _, n := range names {
			if n == name {
				return true
			}
		}
		if err != nil || len(names) == 0 {
			return false
		}
	}
}

// bucketAt checks a bucket's name and that it is a plain folder. It also proves that the process still works where the
// library expects it: were the working directory another, the library would reach for files there.
func (e *Embedded) bucketAt(bucket string) error {
	if err := CheckBucketName(bucket); err != nil {
		return err
	}
	here, err := os.Stat(".")
	if err != nil || !os.SameFile(here, e.root) {
		return internal(errors.Join(errors.New("the working directory was changed while storage is open"), err))
	}
	st, err := os.Lstat(filepath.Join(e.objects, bucket))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return noSuchBucket(bucket)
	case err != nil:
		return modelled(fmt.Errorf("look at bucket: %w", err))
	case !st.IsDir():
		return noSuchBucket(bucket).because(fmt.Errorf("%s is a %v, which is never followed", bucket, st.Mode().Type()))
	}
	// The library makes missing folders on the way to an object, the bucket's own too when it has just been deleted.
	// What was not made as a bucket is none.
	switch _, err := e.attrs.RetrieveAttribute(nil, bucket, "", attrCreated); {
	case errors.Is(err, errNoAttribute), absent(err):
		return noSuchBucket(bucket)
	case err != nil:
		return modelled(fmt.Errorf("look at bucket: %w", err))
	}
	return nil
}
