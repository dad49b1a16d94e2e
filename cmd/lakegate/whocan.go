package main

import "context"

type whoCanCommand struct {
	asker
	Target     string `arg:"" help:"What is reached, such as s3://lake/red/* or one key."`
	Permission string `enum:"READ,WRITE,READWRITE," default:"" help:"Only who has this: READ, WRITE or READWRITE."`
	Grants     string `help:"The account whose access grants count; the bucket's for the management account, else one's own." placeholder:"ACCOUNT"`
	Refused    bool   `help:"Show as well whose grants give nothing, and why: denied, ended, disabled, no application."`
	Whole      bool   `help:"Only who reaches all of a prefix; without it, who reaches a part comes last."`
	Format     string `enum:"table,csv,json" default:"table" help:"table, csv, or json with one answer a line."`
}

func (c *whoCanCommand) Run(ctx context.Context, s *streams) error {
	server, err := c.client(ctx)
	if err != nil {
		return err
	}
	in := filled(map[string]string{"Target": c.Target, "Permission": c.Permission, "AccountId": c.Grants})
	in["IncludeRefused"], in["IncludePartial"] = c.Refused, !c.Whole
	return server.pages(ctx, "WhoCan", in, "Entries", &listing{out: s.out, format: c.Format, header: accessHeader}, accessRow)
}

type whatCanCommand struct {
	asker
	Person  string `arg:"" help:"The person: user name, email, external id or id."`
	Grants  string `help:"The account whose access grants count; one's own by default." placeholder:"ACCOUNT"`
	Refused bool   `help:"Show as well the grants that give nothing, and why."`
	Format  string `enum:"table,csv,json" default:"table" help:"table, csv, or json with one answer a line."`
}

func (c *whatCanCommand) Run(ctx context.Context, s *streams) error {
	server, err := c.client(ctx)
	if err != nil {
		return err
	}
	in := filled(map[string]string{"Person": c.Person, "AccountId": c.Grants})
	in["IncludeRefused"] = c.Refused
	return server.pages(ctx, "WhatCan", in, "Entries", &listing{out: s.out, format: c.Format, header: accessHeader}, accessRow)
}
