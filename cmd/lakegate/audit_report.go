package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

type auditReport struct {
	AccessReview auditAccessReview `cmd:"" name:"access-review" help:"Of each member of a group: what they hold, who answers for it, and when it was last used."`
	Object       auditObject       `cmd:"" help:"Who can reach an object or a prefix today, and who did between two times."`
}

type auditAccessReview struct {
	asker
	Group  string `required:"" help:"The group: its name or id."`
	Since  string `default:"90d" help:"From when on uses count: 2026-11-01, 2026-11-01T08:00:00Z, or how long ago, such as 24h or 7d."`
	Until  string `help:"Until before when."`
	Grants string `help:"The account whose access grants count; one's own by default." placeholder:"ACCOUNT"`
	Format string `enum:"table,csv,json" default:"table" help:"table, csv, or json with one answer a line."`
}

var reviewHeader = []string{"PERSON", "NAME", "ENABLED", "PERMISSION", "SCOPE", "GRANT", "THROUGH", "ENDS", "OWNERS", "USES", "LAST USE", "REFUSED", "REMARK"}

func (c *auditAccessReview) Run(ctx context.Context, s *streams) error {
	server, err := c.client(ctx)
	if err != nil {
		return err
	}
	server.gaps = &gaps{out: s.err}
	in := filled(map[string]string{"Group": c.Group, "AccountId": c.Grants})
	if err := between(in, c.Since, c.Until, time.Now()); err != nil {
		return err
	}
	return server.pages(ctx, "ReviewAccess", in, "Entries", &listing{out: s.out, format: c.Format, header: reviewHeader}, reviewRow)
}

func reviewRow(raw json.RawMessage) ([]string, error) {
	var e struct {
		PersonID          string `json:"PersonId"`
		Name              string
		Enabled, Complete bool
		Access            *accessEntry
		Owners            []string
		Uses, Refused     int
		LastUse           float64
	}
	if err := json.Unmarshal(raw, &e); err != nil {
		return nil, err
	}
	last, uses := "", strconv.Itoa(e.Uses)
	if e.LastUse != 0 {
		last = time.UnixMilli(int64(e.LastUse * 1000)).UTC().Format(time.RFC3339)
	}
	if !e.Complete {
		uses = "at least " + uses
	}
	row := []string{e.PersonID, e.Name, strconv.FormatBool(e.Enabled)}
	if e.Access == nil {
		return append(row, "", "", "", "without these grants", "", "", uses, last, strconv.Itoa(e.Refused), ""), nil
	}
	access := e.Access.row()
	remark := e.Access.Why
	if e.Uses == 0 && e.Complete && remark == "" {
		remark = "not used: it could go"
	}
	// Of the columns of access: PERMISSION, SCOPE, GRANT, THROUGH, ENDS.
	return append(row, access[3], access[4], access[5], access[6], access[9], strings.Join(e.Owners, ", "), uses, last, "", remark), nil
}

type auditObject struct {
	asker
	Target string `arg:"" help:"One object, or with a star at its end all that begin so." placeholder:"s3://BUCKET/KEY"`
	Since  string `default:"90d" help:"From when on: 2026-11-01, 2026-11-01T08:00:00Z, or how long ago, such as 24h or 7d."`
	Until  string `help:"Until before when."`
	Grants string `help:"The account whose access grants count and whose events are told; the bucket's for the management account, else one's own." placeholder:"ACCOUNT"`
	Format string `enum:"table,csv,json" default:"table" help:"table, csv, or json with one answer a line."`
}

// Run tells both halves, the one after the other.
func (c *auditObject) Run(ctx context.Context, s *streams) error {
	server, err := c.client(ctx)
	if err != nil {
		return err
	}
	server.gaps = &gaps{out: s.err}
	title := func(text string) {
		if c.Format == "table" {
			_, _ = fmt.Fprintln(s.out, text)
		}
	}
	title("Who can, today:")
	can := filled(map[string]string{"Target": c.Target, "AccountId": c.Grants})
	can["IncludePartial"] = true
	if err := server.pages(ctx, "WhoCan", can, "Entries", &listing{out: s.out, format: c.Format, header: accessHeader}, accessRow); err != nil {
		return err
	}
	title("\nWho did:")
	did := filled(map[string]string{"Object": c.Target, "AccountId": c.Grants})
	did["Order"] = "OLDEST_FIRST"
	if err := between(did, c.Since, c.Until, time.Now()); err != nil {
		return err
	}
	if c.Format == "csv" {
		_, _ = fmt.Fprintln(s.out)
	}
	return showEvents(ctx, server, did, 0, &listing{out: s.out, format: c.Format, header: eventHeader})
}
