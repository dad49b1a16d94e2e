package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"
)

type revokeCommand struct {
	Create revokeCreateCommand `cmd:"" default:"withargs" help:"End sessions before their time (the default)."`
	List   revokeListCommand   `cmd:"" help:"List the revocations that are kept."`
	Undo   revokeUndoCommand   `cmd:"" help:"Take a revocation back: what it ended and has not expired works again."`
}

type revokeCreateCommand struct {
	Dir          string    `required:"" help:"The directory of the running server."`
	Account      string    `help:"The account in whose name to ask; the management account by default."`
	Person       string    `xor:"what" help:"Everything of a person: the user id, or the user name."`
	Application  string    `xor:"what" help:"Everything that people do through an application: its ARN."`
	Role         string    `xor:"what" help:"The sessions of a role: its ARN."`
	Session      string    `xor:"what" help:"One session of a role, with the credentials of grants that it got: its ARN."`
	AccessKey    string    `xor:"what" help:"One temporary access key (ASIA…)."`
	All          bool      `xor:"what" help:"Every session; with --account those of that account's roles."`
	IssuedBefore time.Time `help:"Only what was issued at or before this moment (RFC 3339); now by default." format:"2006-01-02T15:04:05Z07:00"`
	Reason       string    `help:"Why, for those who read the list."`
}

func (c *revokeCreateCommand) Run(ctx context.Context, s *streams) error {
	server, err := clientOf(c.Dir, c.Account)
	if err != nil {
		return err
	}
	in := map[string]any{}
	for kind, value := range map[string]string{"PERSON": c.Person, "APPLICATION": c.Application, "ROLE": c.Role, "SESSION": c.Session, "ACCESS_KEY": c.AccessKey} {
		if value != "" {
			in["Kind"], in["Value"] = kind, value
		}
	}
	if c.All {
		in["Kind"] = "ALL"
	}
	switch {
	case len(in) == 0:
		return errors.New("say what to revoke: --person, --application, --role, --session, --access-key or --all")
	case strings.Contains(c.Person, "@") || c.Person != "" && strings.Count(c.Person, "-") < 4:
		if in["Value"], err = server.userID(ctx, c.Person); err != nil {
			return err
		}
	}
	if !c.IssuedBefore.IsZero() {
		in["IssuedBefore"] = float64(c.IssuedBefore.UnixMilli()) / 1000
	}
	if c.Reason != "" {
		in["Reason"] = c.Reason
	}
	var out struct {
		RevocationID string `json:"RevocationId"`
	}
	if err := server.call(ctx, "CreateRevocation", in, &out); err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "%s: every session that it names is refused from now on\n", out.RevocationID)
	return err
}

// userID finds a person of the organization's identity store by user name.
func (c *client) userID(ctx context.Context, name string) (string, error) {
	var instances struct {
		Instances []struct {
			IdentityStoreID string `json:"IdentityStoreId"`
		}
	}
	if err := c.callService(ctx, "sso", "SWBExternalService.ListInstances", map[string]any{}, &instances); err != nil {
		return "", err
	}
	for _, i := range instances.Instances {
		var found struct {
			UserID string `json:"UserId"`
		}
		unique := map[string]any{"UniqueAttribute": map[string]any{"AttributePath": "userName", "AttributeValue": name}}
		err := c.callService(ctx, "identitystore", "AWSIdentityStore.GetUserId", map[string]any{"IdentityStoreId": i.IdentityStoreID, "AlternateIdentifier": unique}, &found)
		if err == nil {
			return found.UserID, nil
		}
	}
	return "", fmt.Errorf("nobody has the user name %s", name)
}

type revokeListCommand struct {
	Dir     string `required:"" help:"The directory of the running server."`
	Account string `help:"The account whose revocations to list; the management account by default, which sees all."`
	JSON    bool   `help:"Print the answers as they are, a line each."`
}

func (c *revokeListCommand) Run(ctx context.Context, s *streams) error {
	server, err := clientOf(c.Dir, c.Account)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	if !c.JSON {
		_, _ = fmt.Fprintln(w, "REVOCATION\tWHAT\tISSUED BEFORE\tACCOUNT\tBY\tREASON")
	}
	in := map[string]any{}
	for {
		var page struct {
			Revocations []json.RawMessage
			NextToken   string
		}
		if err := server.call(ctx, "ListRevocations", in, &page); err != nil {
			return err
		}
		for _, raw := range page.Revocations {
			if c.JSON {
				_, _ = fmt.Fprintf(s.out, "%s\n", raw)
				continue
			}
			var r struct {
				RevocationID                 string `json:"RevocationId"`
				Kind, Value, Account, Reason string
				CreatedBy                    string
				IssuedBefore                 float64
			}
			if err := json.Unmarshal(raw, &r); err != nil {
				return fmt.Errorf("read revocation: %w", err)
			}
			what := strings.TrimSpace(r.Kind + " " + r.Value)
			if r.Account == "" {
				r.Account = "every"
			}
			_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%q\n", r.RevocationID, plain(what), time.UnixMilli(int64(r.IssuedBefore*1000)).UTC().Format(time.RFC3339), r.Account, plain(r.CreatedBy), r.Reason)
		}
		if page.NextToken == "" {
			return w.Flush()
		}
		in["NextToken"] = page.NextToken
	}
}

type revokeUndoCommand struct {
	ID      string `arg:"" help:"The revocation, as revoke list shows it."`
	Dir     string `required:"" help:"The directory of the running server."`
	Account string `help:"The account in whose name to ask; the management account by default."`
}

func (c *revokeUndoCommand) Run(ctx context.Context, _ *streams) error {
	server, err := clientOf(c.Dir, c.Account)
	if err != nil {
		return err
	}
	return server.call(ctx, "DeleteRevocation", map[string]any{"RevocationId": c.ID}, &struct{}{})
}
