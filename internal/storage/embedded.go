package storage

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pkg/xattr"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
)

// Embedded is the back end that keeps objects as files in a folder. See the package comment for what it promises.
//
// The library works relative to the working directory of the whole process and changes it when it is opened. So one
// Embedded is open at a time in a process, every relative path of the program must have been made absolute before, and
// nothing may change the working directory afterwards; requests fail if something does.
type Embedded struct {
	objects, versions, trash string      // absolute
	root                     os.FileInfo // of objects
	library                  *posix.Posix
	attrs                    attributes
	disk                     disk
	beside                   bool // attributes are beside the objects, so there are no versions
	folds                    bool // the file system takes different names for the same
	log                      *slog.Logger
	now                      func() time.Time
	seed                     maphash.Seed

	// A publication holds its bucket's lock for reading and its key's; whatever makes or removes a bucket holds the
	// bucket's for writing. Always in that order.
	buckets [64]sync.RWMutex
	keys    [256]sync.Mutex
}

// busy is for the process what Embedded is for its working directory: there is one.
var busy atomic.Bool

// OpenEmbedded opens the folder, which it creates, and puts right what a killed process left behind. What it answers with
// success is on the disk, unless Unforced says otherwise.
func OpenEmbedded(ctx context.Context, dir string, log *slog.Logger, options ...Option) (*Embedded, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if !busy.CompareAndSwap(false, true) {
		return nil, errors.New("open storage: another one is open in this process, which has one working directory")
	}
	e, err := openEmbedded(ctx, dir, log, keepsAttributes, options...)
	if err != nil {
		busy.Store(false)
		return nil, fmt.Errorf("open storage: %w", err)
	}
	return e, nil
}

func openEmbedded(ctx context.Context, dir string, log *slog.Logger, keeps func(*os.File) error, options ...Option) (*Embedded, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return nil, err
	}
	e := &Embedded{
		objects: filepath.Join(dir, "objects"), versions: filepath.Join(dir, "versions"), trash: filepath.Join(dir, "trash"),
		log: log, now: time.Now, seed: maphash.MakeSeed(), disk: forced{},
	}
	for _, set := range options {
		set(e)
	}
	for _, d := range []string{e.objects, e.versions, e.trash} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, err
		}
	}
	if e.attrs, err = e.probe(ctx, dir, keeps); err != nil {
		return nil, err
	}
	if e.root, err = os.Stat(e.objects); err != nil {
		return nil, err
	}
	opts := posix.PosixOpts{ForceNoObjLockFile: true, IOBufferSize: 128 << 10, CopyObjectThreshold: MaxObjectSize}
	opts.SetNewDirPerm(0o700)
	opts.SetNewFilePerm(0o600)
	if e.library, err = posix.New(e.objects, e.attrs, opts); err != nil {
		return nil, err
	}
	if err := e.recover(ctx); err != nil {
		e.library.Shutdown()
		return nil, fmt.Errorf("recover: %w", err)
	}
	return e, nil
}

// Close lets another storage be opened. Bodies that are being read stay readable.
func (e *Embedded) Close() error {
	e.library.Shutdown()
	busy.Store(false)
	return nil
}

// probe finds out what the file system can do: extended attributes, and whether it tells letter cases apart.
func (e *Embedded) probe(ctx context.Context, dir string, keeps func(*os.File) error) (attributes, error) {
	f, err := os.CreateTemp(e.trash, "probe-")
	if err != nil {
		return nil, err
	}
	defer func() { _, _ = f.Close(), os.Remove(f.Name()) }()
	if _, err := os.Lstat(filepath.Join(e.trash, strings.ToUpper(filepath.Base(f.Name())))); err == nil {
		e.folds = true
		e.log.WarnContext(ctx, "the file system of the data folder does not tell upper from lower case: keys that differ in nothing else are refused", slog.String("dir", dir))
	}
	if err = keeps(f); err == nil {
		d := filepath.Join(dir, "attributes")
		return extended{dir: d, disk: e.disk}, errors.Join(os.MkdirAll(d, 0o700), e.disk.at(dir))
	}
	e.beside = true
	e.log.WarnContext(ctx, "the file system of the data folder has no extended attributes: metadata is kept in files beside the objects, without versioning, and an overwrite is not one step", slog.String("dir", dir), slog.Any("error", err))
	return besideObjects(filepath.Join(dir, "sidecar"), e.disk)
}

// keepsAttributes tries whether a file takes an attribute of the greatest length that it must.
func keepsAttributes(f *os.File) error {
	return xattr.FSet(f, attrPrefix+"probe", make([]byte, inlineLimit+1))
}

func besideObjects(dir string, d disk) (attributes, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	s, err := meta.NewSideCar(dir)
	return sidecar{SideCar: s, dir: dir, disk: d}, err
}

// recover removes what was being deleted or staged when the process was killed, and gives uploads whose completion was cut
// short back to their clients.
func (e *Embedded) recover(ctx context.Context) error {
	trash, err := os.ReadDir(e.trash)
	if err != nil {
		return err
	}
	for _, t := range trash {
		if err := os.RemoveAll(filepath.Join(e.trash, t.Name())); err != nil {
			return err
		}
	}
	buckets, err := e.ListBuckets(ctx)
	if err != nil {
		return err
	}
	for _, b := range buckets {
		staged, err := os.ReadDir(filepath.Join(e.objects, b.Name, stagingName))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for _, s := range staged {
			if s.Type().IsRegular() {
				if err := os.Remove(filepath.Join(e.objects, b.Name, stagingName, s.Name())); err != nil {
					return err
				}
			}
		}
		if err := e.recoverUploads(b.Name); err != nil {
			return err
		}
	}
	return nil
}

func (e *Embedded) bucketLock(bucket string) *sync.RWMutex {
	return &e.buckets[maphash.String(e.seed, bucket)%uint64(len(e.buckets))]
}

func (e *Embedded) keyLock(bucket, key string) *sync.Mutex {
	return &e.keys[maphash.String(e.seed, bucket+"/"+strings.TrimSuffix(key, "/"))%uint64(len(e.keys))]
}

// change begins a change of a key: nobody else changes it until release is called, and its bucket stays.
func (e *Embedded) change(bucket, key string) (release func(), err error) {
	b, k := e.bucketLock(bucket), e.keyLock(bucket, key)
	b.RLock()
	k.Lock()
	release = func() { k.Unlock(); b.RUnlock() }
	if _, err := e.locate(bucket, key); err != nil {
		release()
		return nil, err
	}
	return release, nil
}
