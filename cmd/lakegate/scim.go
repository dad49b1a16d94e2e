package main

import (
	"context"
	"fmt"
	"math"
	"text/tabwriter"
	"time"

	"github.com/lakegate/lakegate/internal/scimprobe"
)

type scimCommand struct {
	Token scimTokenCommand `cmd:"" help:"Manage the bearer tokens of provisioning clients."`
	Test  scimTestCommand  `cmd:"" help:"Ask a SCIM endpoint what an identity provider would ask, with people and a group that are taken away at the end."`
}

type scimTokenCommand struct {
	Create scimTokenCreate `cmd:"" default:"withargs" help:"Make a bearer token. It is shown once; a third one of a store retires the oldest."`
	List   scimTokenList   `cmd:"" help:"List the tokens of an identity store: when they were made and last used, and when they expire."`
	Delete scimTokenDelete `cmd:"" help:"End a token at once."`
}

// scimServer is where the token commands ask.
type scimServer struct {
	Dir     string `required:"" help:"The directory of the running server."`
	Account string `help:"The account whose administrator asks; the management account by default."`
}

type scimTokenCreate struct {
	scimServer
	Store       string `help:"The identity store; that of the organization's instance by default."`
	Description string `help:"What the token is for."`
	Days        int    `default:"365" help:"How long it is valid."`
	Env         bool   `help:"Print export lines for a shell."`
}

type scimToken struct {
	TokenID         string `json:"TokenId"`
	Token           string `json:"Token"`
	Endpoint        string `json:"Endpoint"`
	IdentityStoreID string `json:"IdentityStoreId"`
	RetiredTokenID  string `json:"RetiredTokenId"`
}

func (c *scimTokenCreate) Run(ctx context.Context, s *streams) error {
	server, err := clientOf(c.Dir, c.Account)
	if err != nil {
		return err
	}
	t, err := server.newScimToken(ctx, c.Store, c.Description, c.Days)
	if err != nil {
		return err
	}
	if t.RetiredTokenID != "" {
		// Not on the output, which a shell may be reading.
		_, _ = fmt.Fprintf(s.err, "The store had two tokens; the older one, %s, is no longer valid.\n", t.RetiredTokenID)
	}
	if c.Env {
		return export(s, [][2]string{{"SCIM_ENDPOINT", t.Endpoint}, {"SCIM_TOKEN", t.Token}})
	}
	_, err = fmt.Fprintf(s.out, "Endpoint  %s\nToken     %s\nToken id  %s\n", t.Endpoint, t.Token, t.TokenID)
	return err
}

func (c *client) newScimToken(ctx context.Context, storeID, description string, days int) (scimToken, error) {
	in := map[string]any{"ExpiresInDays": days}
	if storeID != "" {
		in["IdentityStoreId"] = storeID
	}
	if description != "" {
		in["Description"] = description
	}
	var t scimToken
	return t, c.call(ctx, "CreateScimToken", in, &t)
}

type scimTokenList struct {
	scimServer
	Store string `help:"The identity store; that of the organization's instance by default."`
}

func (c *scimTokenList) Run(ctx context.Context, s *streams) error {
	server, err := clientOf(c.Dir, c.Account)
	if err != nil {
		return err
	}
	in := map[string]any{}
	if c.Store != "" {
		in["IdentityStoreId"] = c.Store
	}
	// Times are seconds since 1970, as in AWS's JSON protocol.
	var out struct {
		Tokens []struct {
			TokenID     string   `json:"TokenId"`
			StoreID     string   `json:"IdentityStoreId"`
			Description string   `json:"Description"`
			Created     float64  `json:"CreatedAt"`
			Expires     float64  `json:"ExpiresAt"`
			Used        *float64 `json:"LastUsedAt"`
		} `json:"Tokens"`
	}
	if err := server.call(ctx, "ListScimTokens", in, &out); err != nil {
		return err
	}
	t := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "TOKEN ID\tSTORE\tCREATED\tEXPIRES\tLAST USED\tDESCRIPTION")
	for _, x := range out.Tokens {
		used := "never"
		if x.Used != nil {
			used = instant(*x.Used)
		}
		// %q: a description is another administrator's text, and this is a terminal.
		_, _ = fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%q\n", x.TokenID, x.StoreID, instant(x.Created), instant(x.Expires), used, x.Description)
	}
	return t.Flush()
}

// instant shows a number of seconds since 1970.
func instant(seconds float64) string {
	whole, part := math.Modf(seconds)
	return time.Unix(int64(whole), int64(part*1e9)).UTC().Format(time.RFC3339)
}

type scimTokenDelete struct {
	scimServer
	TokenID string `arg:"" name:"token-id" help:"The id of the token, as scim token list shows it."`
}

func (c *scimTokenDelete) Run(ctx context.Context, s *streams) error {
	server, err := clientOf(c.Dir, c.Account)
	if err != nil {
		return err
	}
	if err := server.call(ctx, "DeleteScimToken", map[string]any{"TokenId": c.TokenID}, &struct{}{}); err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "Token %s is no longer valid.\n", c.TokenID)
	return err
}

type scimTestCommand struct {
	Endpoint string            `required:"" env:"SCIM_ENDPOINT" help:"The base URL of the endpoint, as a provider is given it."`
	Token    string            `required:"" env:"SCIM_TOKEN" help:"The bearer token. Other people of this machine see it in the arguments, but not in the environment."`
	Dialect  scimprobe.Dialect `enum:"entra,okta,generic" default:"generic" help:"How to ask: entra, okta or generic. For entra with its flag, end the endpoint in ?aadOptscim062020."`
	Keep     bool              `help:"Leave the people and the group there."`
}

func (c *scimTestCommand) Run(ctx context.Context, s *streams) error {
	report, err := scimprobe.Run(ctx, scimprobe.Config{
		Endpoint: c.Endpoint, Token: c.Token, Dialect: c.Dialect, Keep: c.Keep,
		Done: func(step scimprobe.Step) { _, _ = fmt.Fprint(s.out, step) },
	})
	if err != nil {
		return err
	}
	for _, path := range report.Left {
		_, _ = fmt.Fprintf(s.out, "left  %s\n", path)
	}
	if report.Failed > 0 {
		return fmt.Errorf("%d steps failed, %d passed, %d were skipped", report.Failed, report.Passed, report.Skipped)
	}
	_, err = fmt.Fprintf(s.out, "All %d steps passed.\n", report.Passed)
	return err
}
