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
	Object      bool   `help:"The scope is the name of one object."`
	Begins      string `help:"When it begins, such as 2026-12-01T00:00:00Z." placeholder:"TIME"`
	Ends        string `help:"When it ends, such as 2026-12-31T17:00:00Z." placeholder:"TIME"`
	Actions     string `help:"The only actions, such as 's3:GetObject s3:ListBucket'."`
	Owner       string `help:"Whose the scope would be: user/ID or group/ID."`
	Deny        bool   `help:"It takes access away instead of giving it."`
}

func (c *diffCreateCommand) Run(ctx context.Context, s *streams) error {
	kind, grantee := "DIRECTORY_USER", c.Grantee
	if name, ok := strings.CutPrefix(grantee, "group:"); ok {
		kind, grantee = "DIRECTORY_GROUP", name
	} else if strings.HasPrefix(grantee, "arn:") {
		kind = "IAM"
	}
	in := filled(map[string]string{"GranteeType": kind, "Grantee": grantee, "Scope": c.Scope, "Permission": c.Permission, "Application": c.Application})
	if c.Object {
		in["S3PrefixType"] = "Object"
	}
	effect := ""
	if c.Deny {
		effect = "Deny"
	}
	var tags []map[string]string
	for _, t := range [][2]string{{"NotBefore", c.Begins}, {"NotAfter", c.Ends}, {"Actions", c.Actions}, {"Owner", c.Owner}, {"Effect", effect}} {
		if t[1] != "" {
			tags = append(tags, map[string]string{"Key": "lakegate:" + t[0], "Value": t[1]})
		}
	}
	if tags != nil {
		in["Tags"] = tags
	}
	return c.print(ctx, s, in)
}

type diffDeleteCommand struct {
	differing
	ID string `arg:"" help:"The grant."`
}

func (c *diffDeleteCommand) Run(ctx context.Context, s *streams) error {
	return c.print(ctx, s, map[string]any{"AccessGrantId": c.ID})
}

func (c *differing) print(ctx context.Context, s *streams, in map[string]any) error {
	server, err := c.client(ctx)
	if err != nil {
		return err
	}
	if c.Grants != "" {
		in["AccountId"] = c.Grants
	}
	header := []string{"CHANGE", "TYPE", "PRINCIPAL", "NAME", "PERMISSION", "SCOPE", "APPLICATIONS", "ACTIONS", "BEGINS", "ENDS", "WHY"}
	return server.pages(ctx, "DiffGrant", in, "Changes", &listing{out: s.out, format: c.Format, header: header}, c.row)
}

// row leaves out for whom nothing changes, but not a part in which nothing does of what changes around it.
func (c *differing) row(raw json.RawMessage) ([]string, error) {
	var d struct {
		PrincipalType                        string
		PrincipalID                          string `json:"PrincipalId"`
		Name, Change, Scope, Permission, Why string
		Partial, Owner                       bool
		Applications, Actions                []string
		NotBefore, NotAfter                  float64
	}
	if err := json.Unmarshal(raw, &d); err != nil || d.Change == "UNCHANGED" && !d.Partial && !c.All {
		return nil, err
	}
	if d.Owner {
		d.Permission = "owner"
	}
	if d.Partial {
		d.Scope += " (part)"
	}
	when := func(at float64) string {
		if at == 0 {
			return ""
		}
		return instantOf(at)
	}
	return []string{d.Change, d.PrincipalType, d.PrincipalID, d.Name, d.Permission, d.Scope, strings.Join(d.Applications, ", "), strings.Join(d.Actions, " "), when(d.NotBefore), when(d.NotAfter), d.Why}, nil
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
