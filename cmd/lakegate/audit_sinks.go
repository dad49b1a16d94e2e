package main

import (
	"context"
	"encoding/json"
	"fmt"
	"text/tabwriter"
)

type auditSinks struct {
	Dir     string `required:"" help:"The directory of the running server."`
	Account string `help:"The account whose administrator asks; the management account by default, which alone may."`
	JSON    bool   `name:"json" help:"Print JSON."`
}

// auditFollower is what the server says of one that follows its audit log. Times are in seconds since 1970.
type auditFollower struct {
	Name         string   `json:"Name"`
	BehindBytes  int64    `json:"BehindBytes"`
	WaitingSince *float64 `json:"WaitingSince,omitempty"`
	FailingSince *float64 `json:"FailingSince,omitempty"`
	Failure      string   `json:"Failure,omitempty"`
	Delivered    int64    `json:"Delivered"`
	Failures     int64    `json:"Failures"`
	Missing      int64    `json:"Missing"`
	SetAside     int64    `json:"SetAside"`
	Rejected     int64    `json:"Rejected"`
}

func (c *auditSinks) Run(ctx context.Context, s *streams) error {
	server, err := clientOf(c.Dir, c.Account)
	if err != nil {
		return err
	}
	var out struct {
		Node      string
		Followers []auditFollower
	}
	if err := server.call(ctx, "ListAuditFollowers", map[string]any{}, &out); err != nil {
		return err
	}
	if c.JSON {
		encoder := json.NewEncoder(s.out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(out)
	}
	if len(out.Followers) == 0 {
		_, err := fmt.Fprintln(s.out, "Nothing follows the audit log of this node.")
		return err
	}
	w := tabwriter.NewWriter(s.out, 0, 8, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "NAME\tBEHIND\tDELIVERED\tMISSING\tSET ASIDE\tREJECTED\tSTATE")
	for _, f := range out.Followers {
		state := "up to date"
		switch {
		case f.Failure != "":
			// What a receiver says is not for the terminal to obey.
			state = "failing: " + plain(f.Failure)
		case f.WaitingSince != nil:
			state = "catching up"
		}
		_, _ = fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%s\n", f.Name, f.BehindBytes, f.Delivered, f.Missing, f.SetAside, f.Rejected, state)
	}
	return w.Flush()
}
