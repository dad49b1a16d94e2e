package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// about is the part of why that asks for somebody, about what has not been asked for.
type about struct {
	As     string `help:"Tell whether this person could: user name, email, external id or id." placeholder:"PERSON"`
	App    string `help:"With --as: through this application, by ARN, id or name. Where there is but one, it is meant."`
	Role   string `help:"With --as: in a session of this role, by ARN." placeholder:"ROLE"`
	Grants string `help:"With --as: the account whose access grants count; the bucket's for the management account, else one's own." placeholder:"ACCOUNT"`
}

func (a *about) ask(ctx context.Context, s *streams, server *client, target, permission string, asJSON bool) error {
	if permission == "" {
		return errors.New("say what for: READ, WRITE or READWRITE, behind the target")
	}
	var raw json.RawMessage
	in := filled(map[string]string{"Person": a.As, "Application": a.App, "RoleArn": a.Role, "AccountId": a.Grants, "Target": target, "Permission": permission})
	if err := server.call(ctx, "WhyAs", in, &raw); err != nil {
		return err
	}
	var d struct {
		diagnosis
		Allowed          bool
		Nearest, Missing string
	}
	if err := json.Unmarshal(raw, &d); err != nil {
		return fmt.Errorf("read answer to WhyAs: %w", err)
	}
	if asJSON {
		_, err := fmt.Fprintf(s.out, "%s\n", raw)
		return err
	}
	if err := d.print(s.out); err != nil {
		return err
	}
	answer := "yes"
	if !d.Allowed {
		answer = "no"
	}
	_, _ = fmt.Fprintf(s.out, "\n%s may have %s on %s: %s\n", plain(a.As), permission, plain(target), answer)
	if d.Nearest != "" {
		_, _ = fmt.Fprintf(s.out, "nearest grant: %s\n", plain(d.Nearest))
	}
	if d.Missing != "" {
		_, _ = fmt.Fprintf(s.out, "missing: %s\n", plain(d.Missing))
	}
	return nil
}
