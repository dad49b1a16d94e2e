package storage

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// readAhead is how many names of a folder are read at a time, and batchSize how many of them are kept in order. A folder
// with more is read again for each batch, so memory is bounded and a page of a folder of any size is one pass over it.
const (
	readAhead = 1024
	batchSize = 4096
)

// walk visits the objects of a bucket in the order of their keys, as far as the visitor wants to.
type walk struct {
	ctx    context.Context
	bucket string // absolute path
	// from is a key before which nothing is of interest.
	from string
	// enter says whether to go into a folder, whose key ends in a slash.
	enter func(folder string) (bool, error)
	// visit is told of each file, and of each folder by its key before what is in it.
	visit func(key string, entry fs.DirEntry) error
}

// errEnough ends a walk.
var errEnough = errors.New("enough")

// run walks below a folder, "" or ending in a slash.
func (w *walk) run(folder string) error {
	err := w.folder(folder, nil)
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

func (w *walk) folder(folder string, entry fs.DirEntry) error {
	if folder != "" {
		if err := w.visit(folder, entry); err != nil {
			return err
		}
	}
	// Names before the next segment of from lead to keys before it.
	start, inclusive := "", true
	if rest, ok := strings.CutPrefix(w.from, folder); ok {
		first, _, deeper := strings.Cut(rest, "/")
		if start = first; deeper {
			start += "/"
		}
	}
	for {
		batch, more, err := readBatch(w.ctx, filepath.Join(w.bucket, folder), start, inclusive)
		if err != nil {
			return err
		}
		for _, b := range batch {
			key := folder + b.name
			if !b.entry.IsDir() {
				if err := w.visit(key, b.entry); err != nil {
					return err
				}
				continue
			}
			into, err := w.enter(key)
			if err != nil {
				return err
			}
			if into {
				if err := w.folder(key, b.entry); err != nil {
					return err
				}
			}
		}
		if !more {
			return nil
		}
		start, inclusive = batch[len(batch)-1].name, false
	}
}

// named entry: folders have a slash at the end of their name, which is what puts "a-b" before "a/b".
type nameEntry struct {
	name  string
	entry fs.DirEntry
}

// readBatch reads the first names of a folder from start on, in order. A folder that is gone is empty.
func readBatch(ctx context.Context, dir, start string, inclusive bool) (batch []nameEntry, more bool, err error) {
	compact := func() {
		slices.SortFunc(batch, func(a, b nameEntry) int { return strings.Compare(a.name, b.name) })
		if len(batch) > batchSize {
			batch, more = batch[:batchSize], true
		}
	}
	err = eachEntry(ctx, dir, func(n nameEntry) error {
		if n.name < start || n.name == start && !inclusive {
			return nil
		}
		if batch = append(batch, n); len(batch) >= 2*batchSize {
			compact()
		}
		return nil
	})
	compact()
	return batch, more, err
}

// eachEntry gives the plain files and folders of a folder, in no order. Links and whatever else is there do not exist.
func eachEntry(ctx context.Context, dir string, do func(nameEntry) error) error {
	f, err := os.Open(dir) //nolint:gosec // built from checked names
	if absent(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		entries, err := f.ReadDir(readAhead)
		for _, entry := range entries {
			n := nameEntry{entry.Name(), entry}
			switch {
			case reserved(n.name):
				continue
			case entry.IsDir():
				n.name += "/"
			case !entry.Type().IsRegular():
				continue
			}
			if err := do(n); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) || absent(err) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// occupied says whether anything that counts is below a folder. It need not find the first, so it reads as little as it can.
func (e *Embedded) occupied(ctx context.Context, bucket, folder string, counts func(key string, entry fs.DirEntry) (bool, error)) (bool, error) {
	found := errors.New("found")
	var into func(folder string) error
	look := func(key string, entry fs.DirEntry) error {
		ok, err := counts(key, entry)
		if err == nil && ok {
			err = found
		}
		return err
	}
	into = func(folder string) error {
		return eachEntry(ctx, filepath.Join(e.objects, bucket, folder), func(n nameEntry) error {
			if !n.entry.IsDir() {
				return look(folder+n.name, n.entry)
			}
			if _, err := e.attrs.RetrieveAttribute(nil, bucket, folder+n.name, attrETag); err == nil {
				if err := look(folder+n.name, n.entry); err != nil {
					return err
				}
			}
			return into(folder + n.name)
		})
	}
	if folder != "" {
		if _, err := e.attrs.RetrieveAttribute(nil, bucket, folder, attrETag); err == nil {
			if err := look(folder, nil); err != nil {
				return errors.Is(err, found), ignore(err, found)
			}
		}
	}
	err := into(folder)
	return errors.Is(err, found), ignore(err, found)
}

func ignore(err, target error) error {
	if errors.Is(err, target) {
		return nil
	}
	return err
}
