package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// disk forces what was written through the caches of the operating system, so that what is answered with success is there
// after a power cut, and not only after the end of the process.
//
// The order matters as much: the content of a file is forced before the file gets its name, so no name ever leads to half a
// content. Attributes and names are metadata, which journaling file systems write in the order in which they were made; they
// are forced together, once, before the answer.
type disk interface {
	// file forces the content of a file that has no name yet.
	file(f *os.File) error
	// at forces what is at a path: the content and the attributes of a file, the names in a folder. Nothing there is no
	// error: whoever took it away answers for the folder that it was in.
	at(path string) error
}

// forced is a disk that does it.
type forced struct{}

func (forced) file(f *os.File) error {
	if err := f.Sync(); err != nil {
		return fmt.Errorf("force content to the disk: %w", err)
	}
	return nil
}

func (forced) at(path string) error {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0) //nolint:gosec // made of checked names
	if absent(err) {
		return nil
	}
	if err == nil {
		err = errors.Join(f.Sync(), f.Close())
	}
	if err != nil {
		return fmt.Errorf("force to the disk: %w", err)
	}
	return nil
}

// unforced leaves it to the operating system, which takes seconds.
type unforced struct{}

func (unforced) file(*os.File) error { return nil }
func (unforced) at(string) error     { return nil }

// Option changes how an Embedded is opened.
type Option func(*Embedded)

// Unforced answers before what was written is on the disk. A killed process loses nothing all the same; a power cut, or the
// end of the operating system, loses what was answered in the last seconds.
func Unforced(e *Embedded) { e.disk = unforced{} }

// written forces what is at a key, and the names that lead to it: those in each folder above, which another writer may have
// made a moment ago, and those of its versions.
func (e *Embedded) written(bucket, key string) error {
	err := upTo(e.disk, filepath.Join(e.objects, bucket, key), filepath.Join(e.objects, bucket))
	if _, missing := os.Lstat(filepath.Join(e.versions, bucket)); errors.Is(missing, fs.ErrNotExist) {
		return err
	}
	return errors.Join(err, upTo(e.disk, e.versionsOf(bucket, key), e.versions))
}

// upTo forces what is at a path and each folder above it, up to one.
func upTo(d disk, path, folder string) error {
	var errs []error
	for ; len(path) >= len(folder); path = filepath.Dir(path) {
		errs = append(errs, d.at(path))
	}
	return errors.Join(errs...)
}
