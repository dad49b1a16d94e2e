package signin_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lakegate/lakegate/internal/api/ssooidc"
	"github.com/lakegate/lakegate/internal/authz"
)

func TestRegisterClient(t *testing.T) {
	h := newHouse(t)
	ok := func() *ssooidc.RegisterClientInput {
		return &ssooidc.RegisterClientInput{
			ClientName: "cli", ClientType: "public", Scopes: []string{"sso:account:access"}, GrantTypes: []string{"authorization_code", "refresh_token"},
			RedirectUris: []string{"http://127.0.0.1/oauth/callback"}, IssuerUrl: &h.start,
		}
	}
	for name, x := range map[string]struct {
		change func(in *ssooidc.RegisterClientInput)
		want   string
	}{
		"as the CLI does": {func(*ssooidc.RegisterClientInput) {}, ""},
		"with the name alone": {func(in *ssooidc.RegisterClientInput) {
			*in = ssooidc.RegisterClientInput{ClientName: "x", ClientType: "public"}
		}, ""},
		"confidential":            {func(in *ssooidc.RegisterClientInput) { in.ClientType = "confidential" }, "InvalidClientMetadataException"},
		"without a name":          {func(in *ssooidc.RegisterClientInput) { in.ClientName = "" }, "InvalidClientMetadataException"},
		"a long name":             {func(in *ssooidc.RegisterClientInput) { in.ClientName = strings.Repeat("x", 129) }, "InvalidClientMetadataException"},
		"a name of two lines":     {func(in *ssooidc.RegisterClientInput) { in.ClientName = "a\nb" }, "InvalidClientMetadataException"},
		"a name that turns round": {func(in *ssooidc.RegisterClientInput) { in.ClientName = "a\u202eb" }, "InvalidClientMetadataException"},
		"another scope":           {func(in *ssooidc.RegisterClientInput) { in.Scopes = []string{"sts:identity_context"} }, "InvalidScopeException"},
		"another grant":           {func(in *ssooidc.RegisterClientInput) { in.GrantTypes = []string{"password"} }, "UnsupportedGrantTypeException"},
		"an application's grant": {func(in *ssooidc.RegisterClientInput) {
			in.GrantTypes = []string{"urn:ietf:params:oauth:grant-type:jwt-bearer"}
		}, "UnsupportedGrantTypeException"},
		"no redirect URI": {func(in *ssooidc.RegisterClientInput) { in.RedirectUris = nil }, "InvalidRedirectUriException"},
		"a foreign one":   {func(in *ssooidc.RegisterClientInput) { in.RedirectUris = []string{"https://evil.example.com/"} }, "InvalidRedirectUriException"},
		"one of them foreign": {func(in *ssooidc.RegisterClientInput) {
			in.RedirectUris = append(in.RedirectUris, "http://127.0.0.1.evil.com/")
		}, "InvalidRedirectUriException"},
		"many":                {func(in *ssooidc.RegisterClientInput) { in.RedirectUris = redirects(6) }, "InvalidRedirectUriException"},
		"a foreign start URL": {func(in *ssooidc.RegisterClientInput) { in.IssuerUrl = new("https://evil.example.com/start") }, "InvalidRequestException"},
		"an entitled application": {func(in *ssooidc.RegisterClientInput) {
			in.EntitledApplicationArn = new("arn:aws:sso::111111111111:application/x/y")
		}, "InvalidRequestException"},
	} {
		in := ok()
		x.change(in)
		out, err := h.svc.RegisterClient(t.Context(), in)
		if got := codeOf(t, err); got != x.want {
			t.Errorf("%s: %q, want %q", name, got, x.want)
		}
		if err == nil && len(*out.ClientId) > 512 {
			t.Errorf("%s: the client id has %d characters", name, len(*out.ClientId))
		}
		if err == nil && *out.ClientSecretExpiresAt-*out.ClientIdIssuedAt != 90*24*3600 {
			t.Errorf("%s: the registration lasts %ds", name, *out.ClientSecretExpiresAt-*out.ClientIdIssuedAt)
		}
	}
}

func redirects(n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf("http://127.0.0.1/%d", i))
	}
	return all
}

func TestRegistrationsAreLimited(t *testing.T) {
	h := newHouse(t)
	in := &ssooidc.RegisterClientInput{ClientName: "x", ClientType: "public"}
	from := func(source string) string {
		_, err := h.svc.RegisterClient(h.from(source), in)
		return codeOf(t, err)
	}
	for i := range 60 {
		// Addresses of one /64 are one source.
		if got := from(fmt.Sprintf("2001:db8:1:2::%x", i)); got != "" {
			t.Fatalf("registration %d: %s", i, got)
		}
	}
	if got := from("2001:db8:1:2:ffff::1"); got != "SlowDownException" {
		t.Errorf("the same source: %q", got)
	}
	if got := from("2001:db8:1:3::1"); got != "" {
		t.Errorf("another source: %q", got)
	}
	h.Pass(time.Minute)
	if got := from("2001:db8:1:2::1"); got != "" {
		t.Errorf("a minute later: %q", got)
	}
	// One source that asks without end stops itself alone.
	for range 4000 {
		from("192.0.2.66")
	}
	if got := from("192.0.2.67"); got != "" {
		t.Errorf("while another source floods: %q", got)
	}
	// Everybody together.
	var got string
	for i := 0; i < 4000 && got == ""; i++ {
		got = from(fmt.Sprintf("10.1.%d.%d", i/250, i%250))
	}
	if got != "SlowDownException" {
		t.Error("many sources together are not limited")
	}
}

func TestCreateTokenRefuses(t *testing.T) {
	h := newHouse(t)
	c := newClient(h)
	onlyDevice := newClient(h, func(in *ssooidc.RegisterClientInput) { in.GrantTypes = []string{grantDevice} })
	for name, x := range map[string]struct {
		in   ssooidc.CreateTokenInput
		want string
	}{
		"an unknown client":   {ssooidc.CreateTokenInput{ClientId: "x", ClientSecret: c.secret, GrantType: grantDevice, DeviceCode: new("x")}, "InvalidClientException"},
		"the secret as id":    {ssooidc.CreateTokenInput{ClientId: c.secret, ClientSecret: c.secret, GrantType: grantDevice, DeviceCode: new("x")}, "InvalidClientException"},
		"the id as secret":    {ssooidc.CreateTokenInput{ClientId: c.id, ClientSecret: c.id, GrantType: grantDevice, DeviceCode: new("x")}, "InvalidClientException"},
		"another's secret":    {ssooidc.CreateTokenInput{ClientId: c.id, ClientSecret: onlyDevice.secret, GrantType: grantDevice, DeviceCode: new("x")}, "InvalidClientException"},
		"an endless id":       {ssooidc.CreateTokenInput{ClientId: strings.Repeat("A", 1<<16), ClientSecret: c.secret, GrantType: grantDevice}, "InvalidClientException"},
		"another grant":       {ssooidc.CreateTokenInput{GrantType: "password"}, "UnsupportedGrantTypeException"},
		"jwt-bearer":          {ssooidc.CreateTokenInput{GrantType: "urn:ietf:params:oauth:grant-type:jwt-bearer"}, "UnsupportedGrantTypeException"},
		"no device code":      {ssooidc.CreateTokenInput{GrantType: grantDevice}, "InvalidRequestException"},
		"an unknown one":      {ssooidc.CreateTokenInput{GrantType: grantDevice, DeviceCode: new("x")}, "InvalidGrantException"},
		"no code":             {ssooidc.CreateTokenInput{GrantType: "authorization_code", RedirectUri: new(callback), CodeVerifier: new(verifier)}, "InvalidRequestException"},
		"no verifier":         {ssooidc.CreateTokenInput{GrantType: "authorization_code", RedirectUri: new(callback), Code: new("x")}, "InvalidRequestException"},
		"no redirect URI":     {ssooidc.CreateTokenInput{GrantType: "authorization_code", Code: new("x"), CodeVerifier: new(verifier)}, "InvalidRequestException"},
		"an unknown code":     {ssooidc.CreateTokenInput{GrantType: "authorization_code", Code: new("x"), RedirectUri: new(callback), CodeVerifier: new(verifier)}, "InvalidGrantException"},
		"no refresh token":    {ssooidc.CreateTokenInput{GrantType: "refresh_token"}, "InvalidRequestException"},
		"an unknown one more": {ssooidc.CreateTokenInput{GrantType: "refresh_token", RefreshToken: new("x")}, "InvalidGrantException"},
		"not its grant":       {ssooidc.CreateTokenInput{ClientId: onlyDevice.id, ClientSecret: onlyDevice.secret, GrantType: "refresh_token", RefreshToken: new("x")}, "UnauthorizedClientException"},
	} {
		if _, got := c.token(&x.in); got != x.want {
			t.Errorf("%s: %q, want %q", name, got, x.want)
		}
	}
	h.Pass(90 * 24 * time.Hour)
	if _, got := c.token(&ssooidc.CreateTokenInput{GrantType: "refresh_token", RefreshToken: new("x")}); got != "InvalidClientException" {
		t.Errorf("an expired registration: %q", got)
	}
}

// Operations for which nobody signs say so; else the server refuses their answers.
func TestOperationsDeclareThemselvesOpen(t *testing.T) {
	h := newHouse(t)
	for name, call := range map[string]func(ctx context.Context){
		"RegisterClient": func(ctx context.Context) { _, _ = h.svc.RegisterClient(ctx, &ssooidc.RegisterClientInput{}) },
		"StartDeviceAuthorization": func(ctx context.Context) {
			_, _ = h.svc.StartDeviceAuthorization(ctx, &ssooidc.StartDeviceAuthorizationInput{})
		},
		"CreateToken": func(ctx context.Context) { _, _ = h.svc.CreateToken(ctx, &ssooidc.CreateTokenInput{}) },
	} {
		ctx, ledger := authz.WithLedger(h.from("192.0.2.1"))
		if call(ctx); !ledger.Asked() {
			t.Errorf("%s does not", name)
		}
	}
}
