// Command lakegate is the gate to a data lake: one server that speaks the AWS APIs of IAM Identity Center, STS, IAM and
// S3 Access Grants in front of S3 storage, and the commands around it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

// cli is every command with its flags.
type cli struct {
	Serve       serveCommand       `cmd:"" help:"Run a server."`
	Demo        demoCommand        `cmd:"" help:"Run a server with the development identity provider, the data application and a seeded story."`
	Env         envCommand         `cmd:"" help:"Print export lines that point the AWS CLI and SDKs at the server of a directory."`
	Scim        scimCommand        `cmd:"" help:"Manage provisioning by SCIM."`
	Login       loginCommand       `cmd:"" help:"Sign in as a person, for the AWS CLI and SDKs."`
	Credentials credentialsCommand `cmd:"" help:"Print credentials of a permission set or an access grant for the person who signed in: a credential_process of the AWS CLI and SDKs."`
	SignIn      signInCommand      `cmd:"" help:"Manage where people sign in."`
	Ldap        ldapCommand        `cmd:"" name:"ldap" help:"Take people and groups from LDAP or Active Directory."`
	Backend     backendCommand     `cmd:"" help:"Manage storage elsewhere: the S3 services that keep buckets."`
	Bucket      bucketCommand      `cmd:"" help:"Manage where buckets are kept."`
	Keys        keysCommand        `cmd:"" help:"Manage the keys that sign identity tokens."`
	Grants      grantsCommand      `cmd:"" help:"Import and export access grants."`
	Request     requestCommand     `cmd:"" help:"Ask for access to a prefix for a time; approve or refuse what people ask for."`
	Revoke      revokeCommand      `cmd:"" help:"End sessions before their time: what to end is in the flags of create, which may be left out (lakegate revoke --person …)."`
	WhoCan      whoCanCommand      `cmd:"" name:"who-can" help:"List who reaches a prefix, and by which grant, group and application."`
	WhatCan     whatCanCommand     `cmd:"" name:"what-can" help:"List what a person reaches."`
	Diff        diffCommand        `cmd:"" help:"Tell who would gain or lose what if a grant were made or deleted, without doing it."`
	Lint        lintCommand        `cmd:"" help:"Look for grants that nobody may have meant: wide, redundant, dead, never used, leaking."`
	Why         whyCommand         `cmd:"" help:"Tell, step by step, why a request was answered as it was."`
	Audit       auditCommand       `cmd:"" help:"Examine the audit log."`
	Doctor      doctorCommand      `cmd:"" help:"Walk from an issuer to the data, tell which step fails and what mends it."`
	Operations  operationsCommand  `cmd:"" help:"Print which operations of which service are implemented."`
	Version     versionCommand     `cmd:"" help:"Print the version."`

	DataApp dataAppCommand `cmd:"" hidden:"" name:"dataapp" help:"Run the reference data application alone, configured by environment."`
}

// streams are where a command reads and writes, so that a test can hold them.
type streams struct {
	out, err io.Writer
	getenv   func(string) string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], &streams{out: os.Stdout, err: os.Stderr, getenv: os.Getenv})
	stop()
	os.Exit(code)
}

// The exit codes: a command that failed, and a command line that cannot be understood.
const (
	exitFailed = 1
	exitUsage  = 2
)

func run(ctx context.Context, args []string, s *streams) int {
	var c cli
	exit := -1
	parser, err := kong.New(&c,
		kong.Name("lakegate"),
		kong.Description("The gate to a data lake: people and groups of a directory reach prefixes of S3 storage, through grants, by name."),
		kong.UsageOnError(),
		kong.Writers(s.out, s.err),
		kong.Exit(func(code int) { exit = code }),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(s),
	)
	if err != nil {
		_, _ = fmt.Fprintln(s.err, "lakegate:", plainLines(err.Error()))
		return exitFailed
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	command, err := parser.Parse(args)
	if exit >= 0 {
		return exit
	}
	if err != nil {
		_, _ = fmt.Fprintln(s.err, "lakegate:", plainLines(err.Error()))
		if parse, ok := errors.AsType[*kong.ParseError](err); ok && parse.Context != nil {
			parser.Stdout = s.err
			_ = parse.Context.PrintUsage(true)
		}
		return exitUsage
	}
	if err := command.Run(); err != nil {
		_, _ = fmt.Fprintln(s.err, "lakegate:", plainLines(err.Error()))
		return exitFailed
	}
	return 0
}
