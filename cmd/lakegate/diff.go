package main

import (
	"context"
	"encoding/json"
	"strings"
	"time"
)

type diffCommand struct {
	Create diffCreateCommand `cmd:"" help:"Who would gain what if a grant were made."`
	Delete diffDeleteCommand `cmd:"" help:"Who would lose what if a grant were deleted."`
}

// differing is what both have.
type differing struct {
	asker
	Grants string `help:"The account whose access grants count; one's own by default." placeholder:"ACCOUNT"`
	All    bool   `help:"Show as well for whom nothing changes, and why."`
	Format string `enum:"table,csv,json" default:"table" help:"table, csv, or json with one answer a line."`
}

type diffCreateCommand struct {
	differing
	Grantee     string `required:"" help:"A person (user name, email, id), group:NAME, or the ARN of an IAM user or role."`
	Scope       string `required:"" help:"What is granted, such as s3://lake/red/*."`
	Permission  string `required:"" enum:"READ,WRITE,READWRITE" help:"READ, WRITE or READWRITE."`
	Application string `help:"The only application through which: ARN, id or name."`
}

func (c *diffCreateCommand) Run(ctx context.Context, s *streams) error {
	kind, grantee := "DIRECTORY_USER", c.Grantee
	if name, ok := strings.CutPrefix(grantee, "group:"); ok {
		kind, grantee = "DIRECTORY_GROUP", name
	} else if strings.HasPrefix(grantee, "arn:") {
		kind = "IAM"
	}
	return c.print(ctx, s, map[string]string{"GranteeType": kind, "Grantee": grantee, "Scope": c.Scope, "Permission": c.Permission, "Application": c.Application})
}

type diffDeleteCommand struct {
	differing
	ID string `arg:"" help:"The grant."`
}

func (c *diffDeleteCommand) Run(ctx context.Context, s *streams) error {
	return c.print(ctx, s, map[string]string{"AccessGrantId": c.ID})
}

func (c *differing) print(ctx context.Context, s *streams, in map[string]string) error {
	server, err := c.client(ctx)
	if err != nil {
		return err
	}
	in["AccountId"] = c.Grants
	header := []string{"CHANGE", "TYPE", "PRINCIPAL", "NAME", "PERMISSION", "SCOPE", "APPLICATIONS", "WHY"}
	return server.pages(ctx, "DiffGrant", filled(in), "Changes", &listing{out: s.out, format: c.Format, header: header}, func(raw json.RawMessage) ([]string, error) {
		var d struct {
			PrincipalType                        string
			PrincipalID                          string `json:"PrincipalId"`
			Name, Change, Scope, Permission, Why string
			Applications                         []string
		}
		if err := json.Unmarshal(raw, &d); err != nil || d.Change == "UNCHANGED" && !c.All {
			return nil, err
		}
		return []string{d.Change, d.PrincipalType, d.PrincipalID, d.Name, d.Permission, d.Scope, strings.Join(d.Applications, ", "), d.Why}, nil
	})
}

type lintCommand struct {
	asker
	Grants string `help:"The account whose access grants to look at; one's own by default." placeholder:"ACCOUNT"`
	Format string `enum:"table,csv,json" default:"table" help:"table, csv, or json with one answer a line."`
}

func (c *lintCommand) Run(ctx context.Context, s *streams) error {
	server, err := c.client(ctx)
	if err != nil {
		return err
	}
	l := &listing{out: s.out, format: c.Format, header: []string{"FINDING", "GRANT", "SCOPE", "GRANTEE", "LAST USED", "DETAIL"}}
	return server.pages(ctx, "LintGrants", filled(map[string]string{"AccountId": c.Grants}), "Findings", l, func(raw json.RawMessage) ([]string, error) {
		var f struct {
			Kind          string
			AccessGrantID string `json:"AccessGrantId"`
			GrantScope    string
			Grantee       string
			Detail        string
			LastUsedAt    float64
		}
		if err := json.Unmarshal(raw, &f); err != nil {
			return nil, err
		}
		used := "-"
		if f.LastUsedAt != 0 {
			used = time.UnixMilli(int64(f.LastUsedAt * 1000)).UTC().Format(time.RFC3339)
		}
		return []string{f.Kind, f.AccessGrantID, f.GrantScope, f.Grantee, used, f.Detail}, nil
	})
}
