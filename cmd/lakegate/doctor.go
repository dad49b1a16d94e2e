package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
)

type doctorCommand struct {
	Dir        string `required:"" help:"The directory of the running server."`
	Account    string `help:"The account to ask as; the management account by default."`
	Instance   string `help:"The identity center instance, by ARN; by default the organization's."`
	App        string `help:"The application, by ARN, id or name. Without it and without anything else the whole instance is looked at."`
	TokenFile  string `help:"A file with a sample token of the application's identity provider, - for standard input. The token is not used up." placeholder:"FILE"`
	Person     string `help:"A person instead of a token: user name, email, external id or id."`
	Actor      string `help:"The role that runs the application, by ARN." placeholder:"ROLE"`
	Role       string `help:"The role that the application assumes for a person, by ARN." placeholder:"ROLE"`
	Target     string `help:"What the person wants to reach, such as s3://lake/red/*."`
	Permission string `help:"READ, WRITE or READWRITE." default:"READ" enum:"READ,WRITE,READWRITE"`
	Grants     string `help:"The account whose access grants count; that of the role, else of the application, by default." placeholder:"ACCOUNT"`
	JSON       bool   `help:"Print the answer as it is."`
}

// maxSample bounds what is read of a sample token: what a token may have, and the end of the line.
const maxSample = 16<<10 + 2

type diagnosis struct {
	InstanceArn string
	Healthy     bool
	Findings    []struct{ Subject, Step, Outcome, Detail, Remedy string }
}

func (c *doctorCommand) Run(ctx context.Context, s *streams) error {
	in, err := c.input()
	if err != nil {
		return err
	}
	server, err := clientOf(c.Dir, c.Account)
	if err != nil {
		return err
	}
	var raw json.RawMessage
	if err := server.call(ctx, "Diagnose", in, &raw); err != nil {
		return err
	}
	var d diagnosis
	if err := json.Unmarshal(raw, &d); err != nil {
		return fmt.Errorf("read answer to Diagnose: %w", err)
	}
	if c.JSON {
		_, err = fmt.Fprintf(s.out, "%s\n", raw)
	} else {
		err = d.print(s.out)
	}
	if err == nil && !d.Healthy {
		return fmt.Errorf("%d of %d steps fail", d.failures(), len(d.Findings))
	}
	return err
}

// input is the request. The token is read from a file, so that it shows in no list of processes and no history.
func (c *doctorCommand) input() (map[string]string, error) {
	in := map[string]string{}
	for name, v := range map[string]string{
		"InstanceArn": c.Instance, "Application": c.App, "Person": c.Person, "ActorRoleArn": c.Actor, "RoleArn": c.Role, "Target": c.Target, "GrantsAccountId": c.Grants,
	} {
		if v != "" {
			in[name] = v
		}
	}
	if c.Target != "" {
		in["Permission"] = c.Permission
	}
	if c.TokenFile == "" {
		return in, nil
	}
	f := os.Stdin
	if c.TokenFile != "-" {
		var err error
		if f, err = os.Open(c.TokenFile); err != nil {
			return nil, fmt.Errorf("read token: %w", err)
		}
		defer func() { _ = f.Close() }()
	}
	text, err := io.ReadAll(io.LimitReader(f, maxSample+1))
	if err != nil {
		return nil, fmt.Errorf("read token: %w", err)
	}
	if len(text) > maxSample {
		return nil, fmt.Errorf("read token: %s has more than a token can have", c.TokenFile)
	}
	text = bytes.TrimSpace(text)
	if len(text) == 0 {
		return nil, fmt.Errorf("read token: %s is empty", c.TokenFile)
	}
	in["Token"] = string(text)
	return in, nil
}

func (d *diagnosis) failures() (n int) {
	for _, f := range d.Findings {
		if f.Outcome == "fail" {
			n++
		}
	}
	return n
}

// print writes the findings, under what they are about, with what mends those that fail.
func (d *diagnosis) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	subject := ""
	for n, f := range d.Findings {
		if f.Subject != subject || n == 0 {
			if n > 0 {
				_, _ = fmt.Fprintln(w)
			}
			subject = f.Subject
			_, _ = fmt.Fprintln(w, plain(subject))
		}
		outcome := f.Outcome
		if outcome == "fail" {
			outcome = "FAIL"
		}
		_, _ = fmt.Fprintf(w, "  %s\t%s\t%s\n", outcome, f.Step, plain(f.Detail))
		if f.Remedy != "" && f.Outcome == "fail" {
			_, _ = fmt.Fprintf(w, "  \t\tremedy: %s\n", plain(f.Remedy))
		} else if f.Remedy != "" {
			_, _ = fmt.Fprintf(w, "  \t\tadvice: %s\n", plain(f.Remedy))
		}
	}
	if d.Healthy {
		_, _ = fmt.Fprintln(w, "\nNo step fails.")
	}
	return w.Flush()
}
