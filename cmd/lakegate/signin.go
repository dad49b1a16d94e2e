package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"
)

type signInCommand struct {
	Set    signInSetCommand    `cmd:"" help:"Say at which OpenID Connect provider the people of an identity center instance sign in."`
	Show   signInShowCommand   `cmd:"" help:"Show where people sign in, and what to register at the provider."`
	Delete signInDeleteCommand `cmd:"" help:"End signing in to an instance, and every browser session with it."`
}

// signInTarget are the flags that say which instance of which server is meant.
type signInTarget struct {
	Dir      string `required:"" help:"The directory of the running server."`
	Account  string `help:"The account that owns the instance; the management account by default."`
	Instance string `help:"The ARN of the instance; the account's own by default."`
}

func (t *signInTarget) request() map[string]any {
	in := map[string]any{}
	if t.Instance != "" {
		in["InstanceArn"] = t.Instance
	}
	return in
}

// signInProvider is the answer to GetSignInProvider.
type signInProvider struct {
	InstanceArn, IssuerUrl, ClientId               string //nolint:revive // the names of the API
	HasClientSecret                                bool
	Scopes                                         []string
	ClaimAttributePath, IdentityStoreAttributePath string
	SessionMinutes                                 int
	StartUrl, RedirectUri                          string //nolint:revive // the names of the API
	UpdatedAt                                      float64
}

type signInSetCommand struct {
	signInTarget
	Issuer     string        `required:"" help:"The provider's issuer URL, exactly as its discovery document has it."`
	ClientID   string        `required:"" help:"The id under which this server is registered at the provider."`
	SecretFile string        `help:"A file with the client secret, or - for the standard input; without it the client is public." placeholder:"FILE"`
	Scope      []string      `help:"Scopes to ask for besides openid." placeholder:"SCOPE"`
	Claim      string        `required:"" help:"The claim of the ID token that says who somebody is, such as oid or email."`
	Attribute  string        `required:"" enum:"userName,emails.value,externalId" help:"The attribute in the directory that the claim is compared with: userName, emails.value or externalId."`
	Session    time.Duration `help:"How long a browser stays signed in, 15m to 2160h (default 8h)."`
}

func (c *signInSetCommand) Run(ctx context.Context, s *streams) error {
	server, err := clientOf(c.Dir, c.Account)
	if err != nil {
		return err
	}
	in := c.request()
	in["IssuerUrl"], in["ClientId"], in["ClaimAttributePath"], in["IdentityStoreAttributePath"] = c.Issuer, c.ClientID, c.Claim, c.Attribute
	if len(c.Scope) > 0 {
		in["Scopes"] = c.Scope
	}
	if c.Session != 0 {
		in["SessionMinutes"] = int(c.Session / time.Minute)
	}
	if c.SecretFile != "" {
		secret, err := readSecret(c.SecretFile)
		if err != nil {
			return err
		}
		in["ClientSecret"] = secret
	}
	var out signInProvider
	if err := server.call(ctx, "PutSignInProvider", in, &out); err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "Start URL     %s\nRedirect URI  %s\n", out.StartUrl, out.RedirectUri)
	return err
}

// maxSecret bounds what is read as a secret.
const maxSecret = 64 << 10

// readSecret reads a secret from a file, so that it does not stand in the list of processes. A line's end is not part of it.
func readSecret(name string) (string, error) {
	in := io.Reader(os.Stdin)
	if name != "-" {
		f, err := os.Open(name) //nolint:gosec // the operator names the file
		if err != nil {
			return "", fmt.Errorf("read client secret: %w", err)
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, maxSecret))
	if err != nil {
		return "", fmt.Errorf("read client secret: %w", err)
	}
	secret := strings.TrimRight(string(text), "\r\n")
	if secret == "" {
		return "", errors.New("read client secret: the file is empty")
	}
	return secret, nil
}

type signInShowCommand struct {
	signInTarget
	JSON bool `help:"Print the answer as it is."`
}

func (c *signInShowCommand) Run(ctx context.Context, s *streams) error {
	server, err := clientOf(c.Dir, c.Account)
	if err != nil {
		return err
	}
	var raw json.RawMessage
	if err := server.call(ctx, "GetSignInProvider", c.request(), &raw); err != nil {
		return err
	}
	if c.JSON {
		_, err := fmt.Fprintf(s.out, "%s\n", raw)
		return err
	}
	var p signInProvider
	if err := json.Unmarshal(raw, &p); err != nil {
		return fmt.Errorf("read answer to GetSignInProvider: %w", err)
	}
	secret := "no (public client)"
	if p.HasClientSecret {
		secret = "yes"
	}
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	for _, line := range [][2]string{
		{"Instance", p.InstanceArn}, {"Start URL", p.StartUrl}, {"Redirect URI", p.RedirectUri}, {"Issuer", p.IssuerUrl}, {"Client id", p.ClientId},
		{"Client secret", secret}, {"Scopes", strings.Join(p.Scopes, " ")}, {"Person", p.ClaimAttributePath + " = " + p.IdentityStoreAttributePath},
		{"Browser session", (time.Duration(p.SessionMinutes) * time.Minute).String()}, {"Updated", time.UnixMilli(int64(p.UpdatedAt * 1000)).UTC().Format(time.RFC3339)},
	} {
		_, _ = fmt.Fprintf(w, "%s\t%s\n", line[0], plain(line[1]))
	}
	return w.Flush()
}

type signInDeleteCommand struct {
	signInTarget
}

func (c *signInDeleteCommand) Run(ctx context.Context, s *streams) error {
	server, err := clientOf(c.Dir, c.Account)
	if err != nil {
		return err
	}
	if err := server.call(ctx, "DeleteSignInProvider", c.request(), &struct{}{}); err != nil {
		return err
	}
	_, err = fmt.Fprintln(s.out, "Nobody can sign in to the instance any more.")
	return err
}
