package token_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lakegate/lakegate/internal/api/ssoadmin"
	"github.com/lakegate/lakegate/internal/api/ssooidc"
	"github.com/lakegate/lakegate/internal/center"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/token"
)

const (
	typeAccess  = "urn:ietf:params:oauth:token-type:access_token"
	typeRefresh = "urn:ietf:params:oauth:token-type:refresh_token"
)

// chain is a house whose application calls a second one, back, for the scope of access grants.
type chain struct {
	*house
	back string
}

func newChain(t *testing.T, h *house) *chain {
	t.Helper()
	c := &chain{house: h, back: h.newApplication(t, "Back")}
	h.at(c.back, func() {
		h.requireAssignment(t, false)
		h.grant(t, center.GrantTokenExchange, &ssoadmin.Grant{TokenExchange: &ssoadmin.TokenExchangeGrant{}})
		h.putScope(t, scopeS3)
	})
	h.putScope(t, scopeS3, c.back)
	return c
}

func (c *chain) input(subject string) *ssooidc.CreateTokenWithIAMInput {
	return &ssooidc.CreateTokenWithIAMInput{ClientId: c.back, GrantType: center.GrantTokenExchange, SubjectToken: &subject, SubjectTokenType: new(typeAccess)}
}

// subject is an access token of the first application.
func (c *chain) subject(t testing.TB, scopes ...string) string {
	t.Helper()
	out, err := c.exchange(t.Context(), c.good(t), scopes...)
	if err != nil {
		t.Fatal(err)
	}
	return *out.AccessToken
}

func TestExchangeSubject(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		c := newChain(t, h)
		signedIn := h.Now()
		first := c.subject(t)
		h.Pass(30 * time.Minute)
		out := h.create(t, c.input(first))
		if diff := cmp.Diff([]string{"sts:identity_context", scopeS3, "openid", "aws"}, out.Scope); diff != "" || out.RefreshToken != nil || *out.IssuedTokenType != typeAccess || *out.ExpiresIn != 3600 {
			t.Errorf("%+v\n%s", out, diff)
		}
		claims := readClaims(t, *out.IdToken)
		if claims["sub"] != h.person || claims["auth_time"] != signedIn.Format(time.RFC3339) || claims["act"] != nil {
			t.Errorf("claims %v", claims)
		}
		a, b := h.open(t, first), h.open(t, *out.AccessToken)
		if b.Client != c.back || b.Person.ApplicationARN != c.back || b.Family == a.Family || b.Person.CredentialID == a.Person.CredentialID || !b.SignedIn.Equal(signedIn) {
			t.Errorf("access %+v", b)
		}
		if id, err := h.ring.OpenContext(*out.AwsAdditionalDetails.IdentityContext); err != nil || *id != b.Person {
			t.Errorf("identity context %v, %v", id, err)
		}
		h.create(t, c.input(first)) // a subject token is no assertion: it may be exchanged as often as it is presented

		// The sign-in ends, and with it what was made from it at the other application.
		if err := h.tokens.EndSession(t.Context(), a.Family); err != nil {
			t.Fatal(err)
		}
		_, err := h.tokens.OpenAccess(t.Context(), *out.AccessToken)
		wantErr(t, "what was exchanged", err, token.ErrEnded)
		if !h.tokens.SignInEnded(&b.Person) {
			t.Error("a session of the other application goes on")
		}
		h.refused(t, c.input(first), "InvalidGrantException", "subject token")
	})
}

// What ends at the second application leaves the first one alone.
func TestEndOfTheSecondApplication(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		c := newChain(t, h)
		first := c.subject(t)
		out := h.create(t, c.input(first))
		if err := h.tokens.EndSession(t.Context(), h.open(t, *out.AccessToken).Family); err != nil {
			t.Fatal(err)
		}
		h.open(t, first)
	})
}

// What is not a token that the second application may exchange.
func TestExchangeSubjectRefuses(t *testing.T) {
	h := newHouse(t)
	c := newChain(t, h)
	third := h.newApplication(t, "Third")
	good := c.subject(t)
	in := func(change func(in *ssooidc.CreateTokenWithIAMInput)) *ssooidc.CreateTokenWithIAMInput {
		x := c.input(good)
		change(x)
		return x
	}
	mine := h.create(t, c.input(good)) // a token of the second application itself
	other := newHouse(t)
	issued, err := h.tokens.IssueAccess(t.Context(), h.access(registered, scopeS3), false)
	if err != nil {
		t.Fatal(err)
	}
	idToken, err := h.exchange(t.Context(), h.good(t))
	if err != nil {
		t.Fatal(err)
	}
	for name, x := range map[string]struct {
		in         *ssooidc.CreateTokenWithIAMInput
		code, step string
	}{
		"no subject token":          {in(func(in *ssooidc.CreateTokenWithIAMInput) { in.SubjectToken = nil }), "InvalidRequestException", "subject token"},
		"empty subject token":       {in(func(in *ssooidc.CreateTokenWithIAMInput) { in.SubjectToken = new("") }), "InvalidRequestException", "subject token"},
		"no type":                   {in(func(in *ssooidc.CreateTokenWithIAMInput) { in.SubjectTokenType = nil }), "InvalidRequestException", "subject token"},
		"another type":              {in(func(in *ssooidc.CreateTokenWithIAMInput) { in.SubjectTokenType = new(typeRefresh) }), "InvalidRequestException", "subject token"},
		"another requested type":    {in(func(in *ssooidc.CreateTokenWithIAMInput) { in.RequestedTokenType = new(typeAccess + "2") }), "InvalidRequestException", "subject token"},
		"a refresh token, no grant": {in(func(in *ssooidc.CreateTokenWithIAMInput) { in.RequestedTokenType = new(typeRefresh) }), "UnauthorizedClientException", "grant type"},
		"made up":                   {c.input("made-up"), "InvalidGrantException", "subject token"},
		"an identity token":         {c.input(*idToken.IdToken), "InvalidGrantException", "subject token"},
		"an identity context":       {c.input(*idToken.AwsAdditionalDetails.IdentityContext), "InvalidGrantException", "subject token"},
		"an assertion":              {c.input(h.good(t)), "InvalidGrantException", "subject token"},
		"of the same application":   {c.input(*mine.AccessToken), "InvalidGrantException", "subject token"},
		"of a registered client":    {c.input(issued.AccessToken), "InvalidGrantException", "subject token"},
		"of another server":         {c.input(newChain(t, other).subject(t)), "InvalidGrantException", "subject token"},
		"without a scope for it":    {c.input(c.subject(t, "openid", "aws", "sts:identity_context")), "InvalidGrantException", "subject token"},
		"beyond what the token holds": {in(func(in *ssooidc.CreateTokenWithIAMInput) {
			in.SubjectToken, in.Scope = new(c.subject(t, scopeS3)), []string{"openid"}
		}), "InvalidScopeException", "scope"},
		"not configured": {in(func(in *ssooidc.CreateTokenWithIAMInput) { in.Scope = []string{"redshift:connect"} }), "InvalidScopeException", "scope"},
	} {
		t.Run(name, func(t *testing.T) { h.refused(t, x.in, x.code, x.step) })
	}
	for name, x := range map[string]struct {
		change, undo func()
		code, step   string
	}{
		"the scope is for another application": {func() { h.putScope(t, scopeS3, third) }, func() { h.putScope(t, scopeS3, c.back) }, "InvalidGrantException", "subject token"},
		"the scope is gone": {func() {
			if _, err := h.Service.DeleteApplicationAccessScope(h.As(t.Context(), member, "Admin"), &ssoadmin.DeleteApplicationAccessScopeInput{ApplicationArn: h.app, Scope: scopeS3}); err != nil {
				t.Fatal(err)
			}
		}, func() { h.putScope(t, scopeS3, c.back) }, "InvalidGrantException", "subject token"},
		"the first application is disabled":    {func() { h.enable(t, h.app, false) }, func() { h.enable(t, h.app, true) }, "InvalidGrantException", "subject token"},
		"the second application is disabled":   {func() { h.enable(t, c.back, false) }, func() { h.enable(t, c.back, true) }, "UnauthorizedClientException", "application"},
		"the person is disabled":               {func() { h.enablePerson(t, false) }, func() { h.enablePerson(t, true) }, "InvalidGrantException", "subject token"},
		"not assigned to the first":            {func() { h.requireAssignment(t, true) }, func() { h.requireAssignment(t, false) }, "InvalidGrantException", "subject token"},
		"not assigned to the second":           {func() { h.at(c.back, func() { h.requireAssignment(t, true) }) }, func() { h.at(c.back, func() { h.requireAssignment(t, false) }) }, "AccessDeniedException", "assignment"},
		"the scope is for the whole instance":  {func() { h.putScope(t, scopeS3, h.Instance.ARN) }, func() { h.putScope(t, scopeS3, c.back) }, "", ""},
		"the scope is for all":                 {func() { h.putScope(t, scopeS3) }, func() { h.putScope(t, scopeS3, c.back) }, "", ""},
		"the scope is for it and for another":  {func() { h.putScope(t, scopeS3, third, c.back) }, func() { h.putScope(t, scopeS3, c.back) }, "", ""},
		"the first has background sessions on": {func() { h.background(t, h.app) }, func() {}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			x.change()
			if x.code == "" {
				h.create(t, c.input(good))
			} else {
				h.refused(t, c.input(good), x.code, x.step)
			}
			x.undo()
			h.create(t, c.input(good))
		})
	}
	h.Pass(time.Hour)
	h.refused(t, c.input(good), "ExpiredTokenException", "subject token")
}

// A token of another instance, under the same server.
func TestSubjectOfAnotherInstance(t *testing.T) {
	h := newHouse(t)
	c := newChain(t, h)
	admin := h.As(t.Context(), member, "Admin")
	own, err := h.Service.CreateInstance(admin, &ssoadmin.CreateInstanceInput{})
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := h.Service.CreateApplication(admin, &ssoadmin.CreateApplicationInput{InstanceArn: *own.InstanceArn, ApplicationProviderArn: center.ProviderCustom, Name: "Foreign"})
	if err != nil {
		t.Fatal(err)
	}
	h.at(*foreign.ApplicationArn, func() {
		h.putPolicy(t, actorPolicy)
		h.requireAssignment(t, false)
		h.grant(t, center.GrantTokenExchange, &ssoadmin.Grant{TokenExchange: &ssoadmin.TokenExchangeGrant{}})
	})
	if _, err := h.Service.PutApplicationAccessScope(admin, &ssoadmin.PutApplicationAccessScopeInput{ApplicationArn: *foreign.ApplicationArn, Scope: scopeS3}); err != nil {
		t.Fatal(err)
	}
	h.putScope(t, scopeS3) // for all
	in := c.input(c.subject(t))
	in.ClientId = *foreign.ApplicationArn
	h.refused(t, in, "InvalidGrantException", "subject token")
}

// Only the organization's instance opens accounts, also where an application of another one has the scope from a time when
// it could be configured.
func TestAccountAccessIsOfTheOrganization(t *testing.T) {
	h := newHouse(t)
	admin := h.As(t.Context(), member, "Admin")
	own, err := h.Service.CreateInstance(admin, &ssoadmin.CreateInstanceInput{})
	if err != nil {
		t.Fatal(err)
	}
	i, _ := h.Center.Instance(*own.InstanceArn)
	foreign, err := h.Service.CreateApplication(admin, &ssoadmin.CreateApplicationInput{InstanceArn: i.ARN, ApplicationProviderArn: center.ProviderCustom, Name: "Own"})
	if err != nil {
		t.Fatal(err)
	}
	h.app, h.Instance = *foreign.ApplicationArn, i
	h.person = h.Person(t, "ana", "oid-of-ana")
	h.putPolicy(t, actorPolicy)
	h.requireAssignment(t, false)
	h.grantCodes(t, callback)
	err = h.DB.Update(t.Context(), func(tx *store.Tx) error {
		tx.Changed("center-application", h.app)
		_, err := tx.Exec(t.Context(), `INSERT INTO center_scopes (application, scope, targets) VALUES (?, 'sso:account:access', '[]')`, h.app)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if a, _ := h.Center.Application(h.app); len(a.Scopes) != 1 {
		t.Fatalf("scopes %v", a.Scopes)
	}
	if out := h.create(t, codeInput(h, h.applicationCode(t, h.Now()))); cmp.Diff([]string{"sts:identity_context", "openid", "aws"}, out.Scope) != "" {
		t.Errorf("scopes %v", out.Scope)
	}
	in := codeInput(h, h.applicationCode(t, h.Now()))
	in.Scope = []string{"sso:account:access"}
	h.refused(t, in, "InvalidScopeException", "scope")
	_, err = h.tokens.IssueAccess(t.Context(), h.access(registered, "sso:account:access"), false)
	wantErr(t, "a sign-in at the instance", err, token.ErrScope)
}

func (h *house) background(t testing.TB, app string) {
	t.Helper()
	_, err := h.Service.PutApplicationSessionConfiguration(h.As(t.Context(), member, "Admin"), &ssoadmin.PutApplicationSessionConfigurationInput{
		ApplicationArn: app, UserBackgroundSessionApplicationStatus: new(ssoadmin.UserBackgroundSessionApplicationStatusENABLED),
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A refresh token at the second application lasts as long as the sign-in at the first, background sessions or not: those
// are not for applications that customers manage. Each refresh asks whether the chain still stands.
func TestRefreshAfterExchangeSubject(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		c := newChain(t, h)
		h.at(c.back, func() { h.grantRefresh(t) })
		h.background(t, h.app)
		h.background(t, c.back)
		first := c.subject(t)
		h.Pass(30 * time.Minute)
		in := c.input(first)
		if out := h.create(t, in); out.RefreshToken != nil {
			t.Error("a refresh token that nobody requested")
		}
		in.RequestedTokenType = new(typeRefresh)
		out := h.create(t, in)
		if out.RefreshToken == nil || *out.IssuedTokenType != typeRefresh {
			t.Fatalf("answer %+v", out)
		}
		refresh := func() {
			t.Helper()
			next, err := h.tokens.CreateTokenWithIAM(h.As(t.Context(), member, "ApplicationRole"), c.refresh(*out.RefreshToken))
			if err != nil {
				t.Fatal(err)
			}
			out = next
		}
		refresh()
		h.putScope(t, scopeS3, h.newApplication(t, "Third"))
		h.refused(t, c.refresh(*out.RefreshToken), "InvalidGrantException", "subject token")
		h.putScope(t, scopeS3, c.back)
		h.enable(t, h.app, false)
		h.refused(t, c.refresh(*out.RefreshToken), "InvalidGrantException", "subject token")
		h.enable(t, h.app, true)
		refresh()
		h.Pass(7*time.Hour + 29*time.Minute)
		refresh()
		if *out.ExpiresIn != 60 {
			t.Errorf("a minute before the end of the sign-in: %d seconds", *out.ExpiresIn)
		}
		h.Pass(time.Minute)
		h.refused(t, c.refresh(*out.RefreshToken), "ExpiredTokenException", "refresh token")
	})
}

func (c *chain) refresh(secret string) *ssooidc.CreateTokenWithIAMInput {
	return &ssooidc.CreateTokenWithIAMInput{ClientId: c.back, GrantType: center.GrantRefreshToken, RefreshToken: &secret}
}
