package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/lakegate/lakegate/internal/demo"
	"github.com/lakegate/lakegate/internal/devidp"
	"github.com/lakegate/lakegate/internal/server"
)

// signInClient is the server's client id at the development identity provider.
const signInClient = "b1d63a0e-94c7-4c55-8f0a-2e7d9c6b5a44"

// signInAtProvider has the people of the organization's instance sign in at the development identity provider, where the
// server becomes a client. What stands already is left alone.
func signInAtProvider(ctx context.Context, srv *server.Server, provider *devidp.Provider, instance string) error {
	api, err := clientOfServer(srv, demo.CenterAccount)
	if err != nil {
		return err
	}
	in := map[string]any{
		"InstanceArn": instance, "IssuerUrl": provider.Issuer(), "ClientId": signInClient, "Scopes": []string{"openid", "profile", "email"},
		"ClaimAttributePath": "oid", "IdentityStoreAttributePath": "externalId",
	}
	var have signInProvider
	err = api.call(ctx, "GetSignInProvider", map[string]any{"InstanceArn": instance}, &have)
	// The development provider moves with its port; one that somebody else configured stays.
	if err != nil || have.ClientId == signInClient && have.IssuerUrl != provider.Issuer() {
		if err := api.call(ctx, "PutSignInProvider", in, &have); err != nil {
			return fmt.Errorf("configure sign-in: %w", err)
		}
	}
	d := provider.Directory()
	if slices.ContainsFunc(d.Clients, func(c devidp.Client) bool { return c.ID == signInClient }) {
		return nil
	}
	d.Clients = append(d.Clients, devidp.Client{ID: signInClient, Name: "Lakegate", RedirectURIs: []string{have.RedirectUri}})
	if _, err := provider.Replace(ctx, d); err != nil {
		return fmt.Errorf("register at the identity provider: %w", err)
	}
	return nil
}

// clientOfServer is clientOf for a server of this process, which has not announced itself yet.
func clientOfServer(srv *server.Server, account string) (*client, error) {
	key, err := administrator(srv.Dir(), account)
	if err != nil {
		return nil, err
	}
	return &client{endpoint: "http://" + srv.Addresses().API, region: srv.Region(), credentials: key}, nil
}
