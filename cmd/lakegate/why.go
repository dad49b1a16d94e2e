package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

type whyCommand struct {
	asker
	about
	RequestID  string `arg:"" help:"The request id that the client was given; with --as the target, such as s3://lake/red/*."`
	Permission string `arg:"" optional:"" default:"" enum:"READ,WRITE,READWRITE," help:"With --as: READ, WRITE or READWRITE."`
	JSON       bool   `help:"Print the answer as it is."`
}

type answer struct {
	RequestID string  `json:"RequestId"`
	Time      float64 `json:"Time"`
	Service   string
	Operation string
	Caller    string
	Person    string
	Outcome   string
	ErrorCode string
	Message   string
	Steps     []struct{ Step, Outcome, Detail string }
}

func (c *whyCommand) Run(ctx context.Context, s *streams) error {
	server, err := c.client(ctx)
	if err != nil {
		return err
	}
	if c.As != "" {
		return c.ask(ctx, s, server, c.RequestID, c.Permission, c.JSON)
	}
	if c.JSON {
		var raw json.RawMessage
		if err := server.call(ctx, "Why", map[string]any{"RequestId": c.RequestID}, &raw); err != nil {
			return err
		}
		_, err := fmt.Fprintf(s.out, "%s\n", raw)
		return err
	}
	var a answer
	if err := server.call(ctx, "Why", map[string]any{"RequestId": c.RequestID}, &a); err != nil {
		return err
	}
	return a.print(s.out)
}

func (a *answer) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line := func(name, value string) {
		if value != "" {
			_, _ = fmt.Fprintf(w, "%s\t%s\n", name, plain(value))
		}
	}
	line("Request", a.RequestID)
	line("Time", time.UnixMilli(int64(a.Time*1000)).UTC().Format(time.RFC3339))
	line("Operation", a.Operation+" of "+a.Service)
	line("Caller", a.Caller)
	line("Person", a.Person)
	line("Outcome", a.Outcome)
	line("Error", a.ErrorCode)
	line("Message", a.Message)
	if len(a.Steps) > 0 {
		_, _ = fmt.Fprintln(w, "\nSteps\t")
	}
	for _, step := range a.Steps {
		_, _ = fmt.Fprintf(w, "  %s\t%s\t%s\n", step.Outcome, plain(step.Step), plain(step.Detail))
	}
	return w.Flush()
}
