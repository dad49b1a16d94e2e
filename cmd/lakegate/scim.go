package main

import (
	"context"
	"fmt"
)

type scimCommand struct {
	Token scimTokenCommand `cmd:"" help:"Make a bearer token for a provisioning client. It is shown once."`
}

type scimTokenCommand struct {
	Dir         string `required:"" help:"The directory of the running server."`
	Account     string `help:"The account whose administrator asks; the management account by default."`
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
}

func (c *scimTokenCommand) Run(ctx context.Context, s *streams) error {
	server, err := clientOf(c.Dir, c.Account)
	if err != nil {
		return err
	}
	t, err := server.newScimToken(ctx, c.Store, c.Description, c.Days)
	if err != nil {
		return err
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
