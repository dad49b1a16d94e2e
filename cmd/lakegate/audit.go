package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/trail"
)

type auditCommand struct {
	Query  auditQuery  `cmd:"" help:"Find events: who did what, as whom, through which application and grant."`
	Tail   auditTail   `cmd:"" help:"Show the newest events, and with -f those that come."`
	Export auditExport `cmd:"" help:"Write events into a Parquet file or JSON lines, from a server or from files that trails delivered."`
	Report auditReport `cmd:"" help:"Reports for those who answer for access."`
	Sinks  auditSinks  `cmd:"" help:"Show how far each sink has come, and why one fails."`
	Verify auditVerify `cmd:"" help:"Follow the chain of hashes through the audit log of a node, and tell the first place where it breaks."`
}

type auditVerify struct {
	Dir      string   `required:"" help:"The directory of a server, running or not, or a copy of the folder of its audit log."`
	Head     []string `help:"A head of the log that was printed before and kept elsewhere: the log has to go through it." placeholder:"NODE:ENTRY:HASH"`
	Database string   `help:"The server's database, which knows the heads of all nodes; lakegate.db of the directory by default, if it is there." placeholder:"URL"`
}

func (c *auditVerify) Run(ctx context.Context, s *streams) error {
	var heads []trail.Head
	for _, text := range c.Head {
		h, err := trail.ParseHead(text)
		if err != nil {
			return err
		}
		heads = append(heads, h)
	}
	// The database first: what it knows is in the log by then.
	known, err := c.known(ctx)
	if err != nil {
		return err
	}
	dir := filepath.Join(c.Dir, "audit")
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		dir = c.Dir
	}
	v, err := trail.Verify(ctx, dir, append(heads, known...))
	if err != nil {
		return err
	}
	if v.Segments == 0 && v.Broken == nil {
		return fmt.Errorf("there is no audit log in %s", dir)
	}
	if err := printVerified(s.out, v, len(known) > 0); err != nil {
		return err
	}
	if v.Broken != nil {
		return fmt.Errorf("the audit log is broken: %s", v.Broken)
	}
	return c.checkHeads(v, heads)
}

// checkHeads refuses heads that say nothing of this log, which would otherwise seem to be confirmed.
func (c *auditVerify) checkHeads(v *trail.Verified, heads []trail.Head) error {
	for _, h := range heads {
		switch {
		case h.Node != v.Node:
			return fmt.Errorf("the head %s is of node %s, the log of node %s", h, h.Node, v.Node)
		case h.Entry < v.First:
			return fmt.Errorf("the head %s is older than what the log still keeps, which begins with entry %d", h, v.First)
		}
	}
	return nil
}

// known are the heads in the database, none where there is no database to look at.
func (c *auditVerify) known(ctx context.Context) ([]trail.Head, error) {
	url := c.Database
	if url == "" {
		url = filepath.Join(c.Dir, "lakegate.db")
		if _, err := os.Stat(url); err != nil {
			return nil, nil //nolint:nilerr // a copy of the log alone
		}
	}
	db, err := store.OpenToRead(ctx, url)
	if err != nil {
		return nil, err
	}
	defer func() { _ = db.Close() }()
	return trail.Heads(ctx, db)
}

func printVerified(out io.Writer, v *trail.Verified, database bool) error {
	against := "heads given"
	if database {
		against = "heads given and those in the database"
	}
	lines := fmt.Sprintf("Node      %s\nSegments  %d\nRecords   %d\nEntries   %d to %d\n", plain(v.Node), v.Segments, v.Records, v.First, v.Head.Entry)
	if v.Open > 0 {
		lines += fmt.Sprintf("Open      %d bytes of a line that is not yet written\n", v.Open)
	}
	for _, cut := range v.Cuts {
		lines += fmt.Sprintf("Cut       %s: what no write had completed\n", plain(cut))
	}
	if v.Broken == nil {
		lines += fmt.Sprintf("Head      %s\n\nThe chain holds, and goes through the %s. Keep the head elsewhere to check later that nothing was cut off.\n", v.Head, against)
	}
	_, err := io.WriteString(out, lines)
	return err
}
