package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/lakegate/lakegate/internal/eventfile"
)

type auditExport struct {
	asker
	eventFilter
	Format string   `enum:"parquet,jsonl" default:"parquet" help:"parquet, or jsonl with one record a line."`
	Out    string   `required:"" short:"o" help:"The file to write, which must not exist yet." placeholder:"FILE"`
	Files  []string `arg:"" optional:"" help:"Files that trails delivered (.json.gz), in the place of a server's events."`
}

func (c *auditExport) Run(ctx context.Context, s *streams) error {
	if len(c.Files) > 0 && (c.eventFilter != eventFilter{}) {
		return errors.New("flags that narrow a question are for a server; delivered files are exported as a whole")
	}
	n := 0
	err := newFile(c.Out, func(out io.Writer) error {
		var w eventfile.Writer = eventfile.NewLines(out)
		if c.Format == "parquet" {
			w = eventfile.NewParquet(out)
		}
		add := func(record []byte) error {
			n++
			return w.Add(record)
		}
		export := func(ctx context.Context, add func([]byte) error) error { return c.ofServer(ctx, s, add) }
		if len(c.Files) > 0 {
			export = c.ofFiles
		}
		if err := export(ctx, add); err != nil {
			return err
		}
		return w.Close()
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "%s has %d events.\n", plain(c.Out), n)
	return err
}

// ofServer are the events that the caller may see, the oldest first.
func (c *auditExport) ofServer(ctx context.Context, s *streams, add func(record []byte) error) error {
	server, err := c.client(ctx)
	if err != nil {
		return err
	}
	server.gaps = &gaps{out: s.err}
	in, err := c.request(time.Now())
	if err != nil {
		return err
	}
	in["Order"], in["MaxResults"] = "OLDEST_FIRST", 1000
	for {
		page, err := queryEvents(ctx, server, in)
		if err != nil {
			return err
		}
		for _, record := range page.Events {
			if err := add([]byte(record)); err != nil {
				return err
			}
		}
		if page.NextToken == "" {
			return nil
		}
		in["NextToken"] = page.NextToken
	}
}

// ofFiles are the events of delivered files, in the order in which the files are named.
func (c *auditExport) ofFiles(ctx context.Context, add func(record []byte) error) error {
	for _, name := range c.Files {
		if err := ctx.Err(); err != nil {
			return err
		}
		f, err := os.Open(name) //nolint:gosec // whoever runs the command names the file
		if err != nil {
			return err
		}
		err = eventfile.Delivered(bufio.NewReader(f), add)
		_ = f.Close()
		if err != nil {
			return fmt.Errorf("export %s: %w", name, err)
		}
	}
	return nil
}

// newFile writes a file that nobody else may read. It is there once it is whole, or not at all, and takes nobody's place.
func newFile(path string, write func(io.Writer) error) error {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: %w", path, errors.Join(fs.ErrExist, err))
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	b := bufio.NewWriterSize(f, 1<<20)
	if err = write(b); err == nil {
		err = b.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	// A link, unlike a rename, refuses a name that somebody else took meanwhile; not every file system has them.
	if err := os.Link(f.Name(), path); err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	return os.Rename(f.Name(), path)
}
