package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
)

type requestCommand struct {
	Create   requestCreateCommand   `cmd:"" help:"Ask for access to a prefix, for a time, as the person who is signed in."`
	List     requestListCommand     `cmd:"" help:"List requests: one's own, or those to decide."`
	Show     requestShowCommand     `cmd:"" help:"Show a request."`
	Approve  requestApproveCommand  `cmd:"" help:"Give what is asked for, or less."`
	Refuse   requestRefuseCommand   `cmd:"" help:"Refuse a request."`
	Withdraw requestWithdrawCommand `cmd:"" help:"Take back a request of one's own."`
}

// asker is who asks: the credentials of the environment and the profiles, as the AWS CLI finds them, or an administrator.
type asker struct {
	Dir     string `help:"Ask as an administrator of the server in this directory. By default the AWS credentials of the environment or the profile are used, and AWS_ENDPOINT_URL."`
	Account string `help:"With --dir: the account whose administrator to be; the management account by default."`
}

func (a *asker) client(ctx context.Context) (*client, error) {
	if a.Dir != "" {
		return clientOf(a.Dir, a.Account)
	}
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("read AWS settings: %w", err)
	}
	endpoint := strings.TrimSuffix(aws.ToString(cfg.BaseEndpoint), "/")
	if endpoint == "" || cfg.Region == "" {
		return nil, errors.New("AWS_ENDPOINT_URL and AWS_REGION, or endpoint_url and region of the profile, must say where the server is; or give --dir")
	}
	keys, err := cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return nil, fmt.Errorf("find AWS credentials: %w", err)
	}
	return &client{endpoint: endpoint, region: cfg.Region, credentials: keys}, nil
}

// accessRequest is a request as the server shows it.
type accessRequest struct {
	AccessRequestID string  `json:"AccessRequestId"`
	AccountID       string  `json:"AccountId"`
	UserName        string  `json:"UserName"`
	UserID          string  `json:"UserId"`
	Scope           string  `json:"Scope"`
	Permission      string  `json:"Permission"`
	DurationSeconds int64   `json:"DurationSeconds"`
	Reason          string  `json:"Reason"`
	Status          string  `json:"Status"`
	CreatedAt       float64 `json:"CreatedAt"`
	ExpiresAt       float64 `json:"ExpiresAt"`
	DecidedBy       string  `json:"DecidedBy"`
	Comment         string  `json:"Comment"`
	AccessGrantID   string  `json:"AccessGrantId"`
	GrantEndsAt     float64 `json:"GrantEndsAt"`
	Warning         string  `json:"Warning"`
}

func instantOf(seconds float64) string {
	return time.UnixMilli(int64(seconds * 1000)).UTC().Format(time.RFC3339)
}

func (r *accessRequest) print(s *streams) error {
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	line := func(name, value string) {
		if value != "" {
			_, _ = fmt.Fprintf(w, "%s\t%s\n", name, plain(value))
		}
	}
	line("Request", r.AccessRequestID)
	line("Status", r.Status)
	line("Person", strings.TrimSpace(r.UserName+" "+r.UserID))
	line("Access", r.Permission+" on "+r.Scope+" for "+(time.Duration(r.DurationSeconds)*time.Second).String())
	line("Reason", r.Reason)
	line("Asked", instantOf(r.CreatedAt))
	if r.Status == "PENDING" {
		line("Lapses", instantOf(r.ExpiresAt))
	}
	line("Decided by", r.DecidedBy)
	line("Comment", r.Comment)
	if r.AccessGrantID != "" {
		line("Grant", r.AccessGrantID+" until "+instantOf(r.GrantEndsAt))
	}
	line("Warning", r.Warning)
	return w.Flush()
}

// askFor calls an operation that answers with one request, and prints it.
func (a *asker) askFor(ctx context.Context, s *streams, operation string, in map[string]any) error {
	c, err := a.client(ctx)
	if err != nil {
		return err
	}
	var out struct{ AccessRequest accessRequest }
	if err := c.call(ctx, operation, in, &out); err != nil {
		return err
	}
	return out.AccessRequest.print(s)
}

type requestCreateCommand struct {
	asker
	DataAccount string        `required:"" help:"The account whose data it is."`
	Scope       string        `required:"" help:"The prefix, such as s3://lake/red/*."`
	Permission  string        `required:"" enum:"READ,WRITE,READWRITE" help:"READ, WRITE or READWRITE."`
	For         time.Duration `required:"" help:"For how long, such as 8h."`
	Reason      string        `required:"" help:"What for: whoever decides reads it."`
}

func (c *requestCreateCommand) Run(ctx context.Context, s *streams) error {
	return c.askFor(ctx, s, "CreateAccessRequest", map[string]any{
		"AccountId": c.DataAccount, "Scope": c.Scope, "Permission": c.Permission, "DurationSeconds": int64(c.For / time.Second), "Reason": c.Reason,
	})
}

type requestShowCommand struct {
	asker
	ID string `arg:"" help:"The request."`
}

func (c *requestShowCommand) Run(ctx context.Context, s *streams) error {
	return c.askFor(ctx, s, "GetAccessRequest", map[string]any{"AccessRequestId": c.ID})
}

type requestApproveCommand struct {
	asker
	ID         string        `arg:"" help:"The request."`
	Scope      string        `help:"A part of the prefix that was asked for."`
	Permission string        `enum:"READ,WRITE,READWRITE," default:"" help:"A lesser permission."`
	For        time.Duration `help:"A shorter time."`
	Comment    string        `help:"For whoever asked."`
}

func (c *requestApproveCommand) Run(ctx context.Context, s *streams) error {
	in := map[string]any{"AccessRequestId": c.ID}
	for name, value := range map[string]string{"Scope": c.Scope, "Permission": c.Permission, "Comment": c.Comment} {
		if value != "" {
			in[name] = value
		}
	}
	if c.For != 0 {
		in["DurationSeconds"] = int64(c.For / time.Second)
	}
	return c.askFor(ctx, s, "ApproveAccessRequest", in)
}

type requestRefuseCommand struct {
	asker
	ID      string `arg:"" help:"The request."`
	Comment string `required:"" help:"Why: whoever asked reads it."`
}

func (c *requestRefuseCommand) Run(ctx context.Context, s *streams) error {
	return c.askFor(ctx, s, "RefuseAccessRequest", map[string]any{"AccessRequestId": c.ID, "Comment": c.Comment})
}

type requestWithdrawCommand struct {
	asker
	ID string `arg:"" help:"The request."`
}

func (c *requestWithdrawCommand) Run(ctx context.Context, s *streams) error {
	return c.askFor(ctx, s, "WithdrawAccessRequest", map[string]any{"AccessRequestId": c.ID})
}

type requestListCommand struct {
	asker
	View   string `enum:"mine,to-decide,all" default:"mine" help:"Whose: mine, to-decide, or all of the account for its administrators."`
	Status string `enum:"PENDING,APPROVED,REFUSED,WITHDRAWN,EXPIRED," default:"" help:"Only those that stand so."`
	JSON   bool   `help:"Print the answers as they are, a line each."`
}

func (c *requestListCommand) Run(ctx context.Context, s *streams) error {
	server, err := c.client(ctx)
	if err != nil {
		return err
	}
	in := map[string]any{"View": strings.ToUpper(strings.ReplaceAll(c.View, "-", "_"))}
	if c.Status != "" {
		in["Status"] = c.Status
	}
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	if !c.JSON {
		_, _ = fmt.Fprintln(w, "REQUEST\tSTATUS\tPERSON\tPERMISSION\tSCOPE\tFOR\tREASON")
	}
	for {
		var page struct {
			AccessRequests []json.RawMessage
			NextToken      string
		}
		if err := server.call(ctx, "ListAccessRequests", in, &page); err != nil {
			return err
		}
		for _, raw := range page.AccessRequests {
			if c.JSON {
				_, _ = fmt.Fprintf(s.out, "%s\n", raw)
				continue
			}
			var r accessRequest
			if err := json.Unmarshal(raw, &r); err != nil {
				return fmt.Errorf("read request: %w", err)
			}
			_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%q\n", r.AccessRequestID, r.Status, plain(r.UserName), r.Permission, plain(r.Scope), time.Duration(r.DurationSeconds)*time.Second, r.Reason)
		}
		if page.NextToken == "" {
			return w.Flush()
		}
		in["NextToken"] = page.NextToken
	}
}
