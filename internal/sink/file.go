package sink

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/trail"
)

// File is a sink into a file of JSON lines, which others read: a log shipper, a tape, an auditor.
type File struct {
	// Path is the file. Others may rename it, as logrotate does; the next delivery makes a new one.
	Path string `yaml:"path"`
	// Mode is that of the files that are made, in octal; default "0600".
	Mode string `yaml:"mode"`
	// RotateBytes is the size at which the file is renamed to PATH.TIME and a new one is made; default 256 MiB, -1 never.
	RotateBytes int64 `yaml:"rotate_bytes"`
	// Keep is how many renamed files are kept; default 0, which is all.
	Keep int `yaml:"keep"`
}

const (
	rotateBytes = 256 << 20
	// rotated is the form of TIME, in UTC.
	rotated = "20060102T150405.000000000Z"
	// maxTorn bounds the half line that a crash may have left: a record is smaller.
	maxTorn = 2 << 20
)

func (c *File) check() error {
	if !filepath.IsAbs(c.Path) {
		return fmt.Errorf("file.path %q: want an absolute path", c.Path)
	}
	if _, err := c.mode(); err != nil {
		return err
	}
	if c.RotateBytes < -1 {
		return fmt.Errorf("file.rotate_bytes %d: want a number of bytes, or -1 for never", c.RotateBytes)
	}
	if c.Keep < 0 {
		return fmt.Errorf("file.keep %d: want a number of files, or 0 for all", c.Keep)
	}
	return nil
}

func (c *File) mode() (fs.FileMode, error) {
	if c.Mode == "" {
		return 0o600, nil
	}
	m, err := strconv.ParseUint(c.Mode, 8, 32)
	if err != nil || m&^0o666 != 0 || m&0o600 != 0o600 {
		return 0, fmt.Errorf("file.mode %q: want an octal mode such as \"0640\"", c.Mode)
	}
	return fs.FileMode(m), nil
}

// fileSink writes into a file. What Deliver has taken is on the disk.
type fileSink struct {
	path  string
	mode  fs.FileMode
	limit int64
	keep  int
	now   func() time.Time

	file *os.File
	size int64
	buf  []byte
}

func newFile(c *File, env Env) (*fileSink, error) {
	mode, err := c.mode()
	if err != nil {
		return nil, err
	}
	f := &fileSink{path: filepath.Clean(c.Path), mode: mode, limit: c.RotateBytes, keep: c.Keep, now: env.Now}
	if f.limit == 0 {
		f.limit = rotateBytes
	}
	folder, err := filepath.EvalSymlinks(filepath.Dir(f.path))
	if err != nil {
		return nil, fmt.Errorf("file.path: %w", err)
	}
	audit, err := filepath.EvalSymlinks(env.AuditDir)
	if err != nil {
		return nil, fmt.Errorf("find the audit log: %w", err)
	}
	if inside, err := filepath.Rel(audit, folder); err == nil && filepath.IsLocal(inside) {
		return nil, errors.New("file.path: the folder of the audit log takes no other files")
	}
	// What is wrong with the file is to show at the start.
	if err := f.open(); err != nil {
		return nil, fmt.Errorf("file.path: %w", err)
	}
	return f, nil
}

// Deliver implements receiver.
func (f *fileSink) Deliver(_ context.Context, lines []trail.Line) error {
	if err := f.ready(); err != nil {
		return err
	}
	f.buf = f.buf[:0]
	for _, l := range lines {
		f.buf = append(append(f.buf, l.Record...), '\n')
	}
	if f.limit > 0 && f.size > 0 && f.size+int64(len(f.buf)) > f.limit {
		if err := f.rotate(); err != nil {
			return fmt.Errorf("rotate %s: %w", f.path, err)
		}
	}
	if _, err := f.file.WriteAt(f.buf, f.size); err != nil {
		// A half line is taken back; if that fails as well, the next opening does it.
		err = errors.Join(err, f.file.Truncate(f.size))
		return errors.Join(err, f.Close())
	}
	if err := f.file.Sync(); err != nil {
		// What the disk has refused once, it may claim to have the next time: the whole delivery is written again.
		return errors.Join(err, f.file.Truncate(f.size), f.Close())
	}
	f.size += int64(len(f.buf))
	return nil
}

// Close implements receiver.
func (f *fileSink) Close() error {
	if f.file == nil {
		return nil
	}
	err := f.file.Close()
	f.file = nil
	return err
}

// ready sees to it that the open file is the one that has the name, and has nobody else's writing at its end.
func (f *fileSink) ready() error {
	if f.file != nil {
		there, err := os.Stat(f.path)
		mine, err2 := f.file.Stat()
		if err == nil && err2 == nil && os.SameFile(there, mine) && mine.Size() == f.size {
			return nil
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	return f.open()
}

// open opens the file, or makes it, and cuts off the half line that a crash left: its record is delivered again.
func (f *fileSink) open() (err error) {
	file, err := os.OpenFile(f.path, os.O_RDWR|os.O_CREATE, f.mode) //nolint:gosec // the operator names the file
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, file.Close())
		}
	}()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", f.path)
	}
	whole, err := wholeLines(file, info.Size())
	if err != nil {
		return err
	}
	if whole < info.Size() {
		if err := file.Truncate(whole); err != nil {
			return err
		}
	}
	if info.Size() == 0 {
		// The mode is as it was asked for, whatever the umask.
		if err := file.Chmod(f.mode); err != nil {
			return err
		}
		if err := store.SyncDir(filepath.Dir(f.path)); err != nil {
			return err
		}
	}
	f.file, f.size = file, whole
	return nil
}

// recordStart is how records begin.
var recordStart = []byte(`{"eventVersion":`)

// wholeLines is where the last whole line of a file ends. A file whose last line is not one of ours in part is left alone.
func wholeLines(file io.ReaderAt, size int64) (int64, error) {
	tail := make([]byte, min(size, maxTorn))
	if _, err := file.ReadAt(tail, size-int64(len(tail))); err != nil {
		return 0, err
	}
	torn := tail[bytes.LastIndexByte(tail, '\n')+1:]
	if len(torn) == 0 {
		return size, nil
	}
	if n := min(len(torn), len(recordStart)); !bytes.Equal(torn[:n], recordStart[:n]) || len(torn) == maxTorn {
		return 0, errors.New("the file ends in a line that is no audit record: it is somebody else's")
	}
	return size - int64(len(torn)), nil
}

// rotate gives the file another name and makes a new one.
func (f *fileSink) rotate() error {
	if err := f.Close(); err != nil {
		return err
	}
	old, err := f.renamed()
	if err != nil {
		return err
	}
	// The order of the names is that of the records, even when the clock has stepped back.
	at := f.now().UTC()
	if len(old) > 0 && !at.After(old[len(old)-1]) {
		at = old[len(old)-1].Add(1)
	}
	if err := os.Rename(f.path, f.name(at)); err != nil {
		return err
	}
	if err := f.open(); err != nil {
		return err
	}
	for old = append(old, at); f.keep > 0 && len(old) > f.keep; old = old[1:] {
		if err := os.Remove(f.name(old[0])); err != nil {
			return err
		}
	}
	return nil
}

func (f *fileSink) name(at time.Time) string { return f.path + "." + at.Format(rotated) }

// renamed are the times in the names of the files that were renamed, the oldest first.
func (f *fileSink) renamed() (all []time.Time, err error) {
	files, err := os.ReadDir(filepath.Dir(f.path))
	if err != nil {
		return nil, err
	}
	for _, e := range files {
		stamp, ours := strings.CutPrefix(e.Name(), filepath.Base(f.path)+".")
		if at, err := time.Parse(rotated, stamp); ours && err == nil && e.Type().IsRegular() {
			all = append(all, at)
		}
	}
	slices.SortFunc(all, time.Time.Compare)
	return all, nil
}
