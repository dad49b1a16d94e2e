package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/lakegate/lakegate/internal/grantfile"
	"github.com/lakegate/lakegate/internal/grants"
)

type grantsCommand struct {
	Import grantsImportCommand `cmd:"" help:"Make the access grants of a file (CSV or JSON lines)."`
	Export grantsExportCommand `cmd:"" help:"Write all access grants of an account to a file, in the form that import reads."`
}

// importBatch is how many grants are made in one change, and lineRest how many bytes a line takes, at most, beside what is
// sent of it.
const (
	importBatch = 200
	lineRest    = 64
)

type grantsImportCommand struct {
	asker
	File        string `arg:"" help:"The file; - reads standard input."`
	DataAccount string `required:"" help:"The account whose access grants instance gets the grants."`
	Format      string `enum:"csv,json," default:"" help:"csv or json (a JSON object a line); told by the first character by default."`
	Skip        bool   `help:"Pass over bad lines and make the others; by default the first batch with a bad line ends the import."`
	DryRun      bool   `help:"Check every line and make nothing."`
	FromLine    int    `help:"Pass over the lines before this one, to go on with an import that was interrupted."`
	Quiet       bool   `help:"Show no progress."`
}

// tally is how an import stands.
type tally struct{ made, there, bad, line int }

func (t tally) String() string {
	return fmt.Sprintf("line %d: %d made, %d there already, %d bad", t.line, t.made, t.there, t.bad)
}

func (c *grantsImportCommand) Run(ctx context.Context, s *streams) error {
	server, err := c.client(ctx)
	if err != nil {
		return err
	}
	in := io.Reader(os.Stdin)
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	r, err := grantfile.NewReader(in, c.Format)
	if err != nil {
		return err
	}
	im := &importing{grantsImportCommand: c, server: server, s: s}
	if err := im.run(ctx, r); err != nil {
		return fmt.Errorf("%w\n%s; run the import again to go on: lines that are there make nothing new, and --from-line %d passes over them", err, im.tally, im.line+1)
	}
	what := "imported"
	if c.DryRun {
		what = "checked, nothing made"
	}
	if _, err := fmt.Fprintf(s.out, "%s; %s\n", what, im.tally); err != nil {
		return err
	}
	if im.bad > 0 {
		return fmt.Errorf("%d lines are bad", im.bad)
	}
	return nil
}

// importing is an import on its way.
type importing struct {
	*grantsImportCommand
	tally
	server *client
	s      *streams
	shown  time.Time
}

func (im *importing) run(ctx context.Context, r grantfile.Reader) error {
	var batch []map[string]any
	size := 0
	for {
		record, err := r.Read()
		if e, ok := errors.AsType[*grantfile.LineError](err); ok && e.Line >= im.FromLine {
			if err := im.complain(e.Error()); err != nil {
				return err
			}
			continue
		} else if ok {
			continue
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		var line map[string]any
		length := 0
		if record != nil && record.Line >= im.FromLine {
			line = record.Request()
			text, err := json.Marshal(line)
			if err != nil {
				return fmt.Errorf("measure line %d: %w", record.Line, err)
			}
			length = len(text) + lineRest
		}
		if len(batch) > 0 && (record == nil || len(batch) == importBatch || size+length > grants.MaxImport) {
			if err := im.send(ctx, batch); err != nil {
				return err
			}
			batch, size = nil, 0
		}
		if record == nil {
			return nil
		}
		if line != nil {
			batch, size = append(batch, line), size+length
		}
	}
}

// complain tells what is wrong with a line, and ends the import unless bad lines are passed over.
func (im *importing) complain(what string) error {
	im.bad++
	if !im.Skip && !im.DryRun {
		return errors.New(what)
	}
	_, err := fmt.Fprintln(im.s.err, plain(what))
	return err
}

func (im *importing) send(ctx context.Context, lines []map[string]any) error {
	in := map[string]any{"AccountId": im.DataAccount, "Grants": lines, "DryRun": im.DryRun, "OnError": "STOP"}
	if im.Skip {
		in["OnError"] = "SKIP"
	}
	var out struct {
		Results []struct {
			Line               int
			Exists             bool
			ErrorCode, Message string
		}
		Made int
	}
	if err := im.server.call(ctx, "ImportAccessGrants", in, &out); err != nil {
		return err
	}
	var stop error
	last := im.line
	for _, r := range out.Results {
		last = r.Line
		switch {
		case r.ErrorCode != "":
			stop = cmp.Or(stop, im.complain(fmt.Sprintf("line %d: %s: %s", r.Line, r.ErrorCode, r.Message)))
		case r.Exists:
			im.there++
		}
	}
	if stop != nil {
		return stop
	}
	im.made += out.Made
	im.line = last
	if now := time.Now(); !im.Quiet && now.Sub(im.shown) > time.Second {
		im.shown = now
		_, _ = fmt.Fprintln(im.s.err, im.tally)
	}
	return nil
}

type grantsExportCommand struct {
	asker
	DataAccount string `required:"" help:"The account whose access grants are written."`
	Format      string `enum:"csv,json" default:"csv" help:"csv or json (a JSON object a line)."`
	File        string `default:"-" help:"The file, which is made anew; - writes standard output."`
}

func (c *grantsExportCommand) Run(ctx context.Context, s *streams) (err error) {
	server, err := c.client(ctx)
	if err != nil {
		return err
	}
	out := s.out
	if c.File != "-" {
		f, err := os.OpenFile(c.File, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
		if err != nil {
			return err
		}
		defer func() { err = cmp.Or(err, f.Close()) }()
		out = f
	}
	w, err := grantfile.NewWriter(out, c.Format)
	if err != nil {
		return err
	}
	in := map[string]any{"AccountId": c.DataAccount, "MaxResults": 1000}
	for {
		var page struct {
			Grants []struct {
				AccessGrantID string  `json:"AccessGrantId"`
				GranteeType   string  `json:"GranteeType"`
				Grantee       string  `json:"Grantee"`
				GranteeName   string  `json:"GranteeName"`
				Scope         string  `json:"Scope"`
				Permission    string  `json:"Permission"`
				Application   string  `json:"ApplicationArn"`
				PrefixType    string  `json:"S3PrefixType"`
				CreatedAt     float64 `json:"CreatedAt"`
				Tags          []struct{ Key, Value string }
			}
			NextToken string
		}
		if err := server.call(ctx, "ExportAccessGrants", in, &page); err != nil {
			return err
		}
		for _, g := range page.Grants {
			r := &grantfile.Record{
				GranteeType: g.GranteeType, Grantee: g.Grantee, Scope: g.Scope, Permission: g.Permission, Application: g.Application, PrefixType: g.PrefixType,
				AccessGrantID: g.AccessGrantID, GranteeName: g.GranteeName, CreatedAt: instantOf(g.CreatedAt),
			}
			for _, t := range g.Tags {
				if r.Tags == nil {
					r.Tags = map[string]string{}
				}
				r.Tags[t.Key] = t.Value
			}
			if err := w.Write(r); err != nil {
				return err
			}
		}
		if page.NextToken == "" {
			return w.Flush()
		}
		in["NextToken"] = page.NextToken
	}
}
