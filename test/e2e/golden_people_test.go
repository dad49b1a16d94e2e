package e2e

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sso"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin/document"
	ssotypes "github.com/aws/aws-sdk-go-v2/service/ssoadmin/types"
	"github.com/aws/aws-sdk-go-v2/service/ssooidc"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/lakegate/lakegate/internal/ldap/slapdtest"
)

// TestGoldenRecordsOfPeople holds the records of signing in, of the portal, and of what corporate directories bring.
func TestGoldenRecordsOfPeople(t *testing.T) {
	g := newGold(t, "people")
	t.Run("scim", g.goldenSCIM)
	t.Run("sign-in", g.goldenSignIn)
	t.Run("ldap", g.goldenLDAP)
	if !t.Failed() && g.taken["ldap-sync"] {
		g.whole(t)
	}
}

func (g *gold) goldenSCIM(t *testing.T) {
	env := map[string]string{}
	for _, v := range exports(g.lakegate("scim", "token", "--dir", g.dir, "--env")) {
		name, value, _ := strings.Cut(v, "=")
		env[name] = value
	}
	send := func(t *testing.T, method, path, token string, in any, status int) (out struct{ ID string }) {
		t.Helper()
		body, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequestWithContext(t.Context(), method, env["SCIM_ENDPOINT"]+path, strings.NewReader(string(body)))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/scim+json")
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := g.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		text, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != status {
			t.Fatalf("%s %s: %s, want %d: %s, %v", method, path, resp.Status, status, text, err)
		}
		if len(text) > 0 {
			if err := json.Unmarshal(text, &out); err != nil {
				t.Fatal(err)
			}
		}
		return out
	}
	token := env["SCIM_TOKEN"]
	person := map[string]any{"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:User"}, "userName": "noor@example.com", "externalId": "noor", "active": true, "displayName": "Noor Haddad",
		"name": map[string]any{"givenName": "Noor", "familyName": "Haddad"}, "emails": []any{map[string]any{"value": "noor@example.com", "type": "work", "primary": true}}}
	change := func(value any) map[string]any {
		return map[string]any{"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:PatchOp"}, "Operations": []any{value}}
	}
	var user, group string
	g.take(t, "scim-create-user", 1, func(t *testing.T) { user = send(t, "POST", "/Users", token, person, 201).ID })
	g.take(t, "scim-create-user-twice", 1, func(t *testing.T) { send(t, "POST", "/Users", token, person, 409) })
	g.take(t, "scim-wrong-token", 1, func(t *testing.T) { send(t, "POST", "/Users", "another", person, 401) })
	g.take(t, "scim-list-users", 1, func(t *testing.T) { send(t, "GET", "/Users?count=1", token, nil, 200) })
	g.take(t, "scim-create-group", 1, func(t *testing.T) {
		group = send(t, "POST", "/Groups", token, map[string]any{"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:Group"}, "displayName": "Green"}, 201).ID
	})
	g.take(t, "scim-add-member", 1, func(t *testing.T) {
		send(t, "PATCH", "/Groups/"+group, token, change(map[string]any{"op": "add", "path": "members", "value": []any{map[string]any{"value": user}}}), 204)
	})
	g.take(t, "scim-disable-user", 1, func(t *testing.T) {
		send(t, "PATCH", "/Users/"+user, token, change(map[string]any{"op": "replace", "path": "active", "value": false}), 200)
	})
	g.take(t, "scim-wrong-patch", 1, func(t *testing.T) {
		send(t, "PATCH", "/Users/"+user, token, change(map[string]any{"op": "replace", "path": "emails[", "value": 1}), 400)
	})
	g.take(t, "scim-delete-user", 1, func(t *testing.T) { send(t, "DELETE", "/Users/"+user, token, nil, 204) })
}

// guest is a browser without a screen, which keeps cookies and presses the buttons of forms.
type guest struct {
	t      *testing.T
	client *http.Client
}

var (
	formsAction = regexp.MustCompile(`<form[^>]* action="([^"]*)"`)
	onward      = regexp.MustCompile(`http-equiv="refresh" content="0;url=([^"]+)"`)
	hiddenField = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)"`)
)

// open goes to a page and tells where it ended and what it says.
func (v *guest) open(address string) (at *url.URL, page string) {
	v.t.Helper()
	resp, err := v.client.Get(address)
	return v.page(resp, err)
}

func (v *guest) page(resp *http.Response, err error) (at *url.URL, page string) {
	v.t.Helper()
	if err != nil {
		v.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	if next := onward.FindSubmatch(text); next != nil {
		return v.open(html.UnescapeString(string(next[1])))
	}
	return resp.Request.URL, string(text)
}

// press sends the first form of a page by the button of a name and a value.
func (v *guest) press(at *url.URL, page, name, value string) (*url.URL, string) {
	v.t.Helper()
	action := formsAction.FindStringSubmatch(page)
	if action == nil {
		v.t.Fatalf("%s has no form:\n%s", at, page)
	}
	target, err := at.Parse(html.UnescapeString(action[1]))
	if err != nil {
		v.t.Fatal(err)
	}
	fields := url.Values{name: {value}}
	for _, f := range hiddenField.FindAllStringSubmatch(page, -1) {
		fields.Set(f[1], html.UnescapeString(f[2]))
	}
	resp, err := v.client.PostForm(target.String(), fields)
	return v.page(resp, err)
}

// goldenSignIn is a person who signs in for a command line by a code, takes credentials from the portal and leaves.
func (g *gold) goldenSignIn(t *testing.T) {
	ctx := t.Context()
	center := ssoadmin.NewFromConfig(g.center)
	set, err := center.CreatePermissionSet(ctx, &ssoadmin.CreatePermissionSetInput{InstanceArn: &g.instance, Name: aws.String("Analyst")})
	g.is(t, err, "")
	arn := set.PermissionSet.PermissionSetArn
	_, err = center.PutInlinePolicyToPermissionSet(ctx, &ssoadmin.PutInlinePolicyToPermissionSetInput{InstanceArn: &g.instance, PermissionSetArn: arn, InlinePolicy: aws.String(analystPolicy)})
	g.is(t, err, "")
	_, err = center.CreateAccountAssignment(ctx, &ssoadmin.CreateAccountAssignmentInput{InstanceArn: &g.instance, PermissionSetArn: arn, TargetId: aws.String(dataAccount), TargetType: ssotypes.TargetTypeAwsAccount,
		PrincipalType: ssotypes.PrincipalTypeUser, PrincipalId: aws.String(g.userByName(mateo))})
	g.is(t, err, "")

	bare := g.data.Copy()
	bare.Credentials = aws.AnonymousCredentials{}
	tokens, portal := ssooidc.NewFromConfig(bare), sso.NewFromConfig(bare)
	var client *ssooidc.RegisterClientOutput
	g.take(t, "register-client", 1, func(t *testing.T) {
		client, err = tokens.RegisterClient(ctx, &ssooidc.RegisterClientInput{ClientName: aws.String("terminal"), ClientType: aws.String("public"), Scopes: []string{"sso:account:access"}})
		g.is(t, err, "")
	})
	g.take(t, "register-client-wrong", 1, func(t *testing.T) {
		_, err := tokens.RegisterClient(ctx, &ssooidc.RegisterClientInput{ClientName: aws.String("terminal"), ClientType: aws.String("confidential")})
		g.is(t, err, "InvalidClientMetadataException")
	})
	var device *ssooidc.StartDeviceAuthorizationOutput
	g.take(t, "start-device-authorization", 1, func(t *testing.T) {
		device, err = tokens.StartDeviceAuthorization(ctx, &ssooidc.StartDeviceAuthorizationInput{ClientId: client.ClientId, ClientSecret: client.ClientSecret,
			StartUrl: aws.String("http://" + g.Web + "/" + g.instance[strings.LastIndexByte(g.instance, '/')+1:])})
		g.is(t, err, "")
	})
	redeem := &ssooidc.CreateTokenInput{ClientId: client.ClientId, ClientSecret: client.ClientSecret, GrantType: aws.String("urn:ietf:params:oauth:grant-type:device_code"), DeviceCode: device.DeviceCode}
	g.take(t, "create-token-too-early", 1, func(t *testing.T) {
		_, err := tokens.CreateToken(ctx, redeem)
		g.is(t, err, "AuthorizationPendingException")
	})
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &guest{t: t, client: &http.Client{Transport: g, Jar: jar}}
	g.take(t, "sign-in-and-allow-a-device", 3, func(t *testing.T) {
		at, page := browser.open(*device.VerificationUriComplete)
		mateos := regexp.MustCompile(`name="person" value="([^"]+)" data-testid="person-` + regexp.QuoteMeta(mateo)).FindStringSubmatch(page)
		if mateos == nil {
			t.Fatalf("%s does not ask who it is:\n%s", at, page)
		}
		at, page = browser.press(at, page, "person", mateos[1])
		if _, page = browser.press(at, page, "answer", "allow"); strings.Contains(page, "<form method=\"post\" action=\"/device") {
			t.Fatalf("the device is not allowed:\n%s", page)
		}
	})
	g.take(t, "device-code-that-is-wrong", 1, func(*testing.T) { browser.open("http://" + g.Web + "/device?user_code=BBBB-BBBB") })
	var token *ssooidc.CreateTokenOutput
	g.take(t, "create-token-by-device-code", 1, func(t *testing.T) {
		token, err = tokens.CreateToken(ctx, redeem)
		g.is(t, err, "")
	})
	g.take(t, "create-token-by-refresh-token", 1, func(t *testing.T) {
		token, err = tokens.CreateToken(ctx, &ssooidc.CreateTokenInput{ClientId: client.ClientId, ClientSecret: client.ClientSecret, GrantType: aws.String("refresh_token"), RefreshToken: token.RefreshToken})
		g.is(t, err, "")
	})
	g.take(t, "create-token-by-a-code-that-is-wrong", 1, func(t *testing.T) {
		_, err := tokens.CreateToken(ctx, &ssooidc.CreateTokenInput{ClientId: client.ClientId, ClientSecret: client.ClientSecret, GrantType: aws.String("authorization_code"), Code: aws.String("x"),
			CodeVerifier: aws.String(strings.Repeat("v", 43)), RedirectUri: aws.String("http://127.0.0.1/")})
		if err == nil {
			t.Fatal("a wrong code gives a token")
		}
	})
	g.take(t, "portal-list-accounts", 1, func(t *testing.T) {
		_, err := portal.ListAccounts(ctx, &sso.ListAccountsInput{AccessToken: token.AccessToken})
		g.is(t, err, "")
	})
	g.take(t, "portal-list-account-roles", 1, func(t *testing.T) {
		_, err := portal.ListAccountRoles(ctx, &sso.ListAccountRolesInput{AccessToken: token.AccessToken, AccountId: aws.String(dataAccount)})
		g.is(t, err, "")
	})
	var analyst aws.Config
	g.take(t, "portal-get-role-credentials", 1, func(t *testing.T) {
		out, err := portal.GetRoleCredentials(ctx, &sso.GetRoleCredentialsInput{AccessToken: token.AccessToken, AccountId: aws.String(dataAccount), RoleName: aws.String("Analyst")})
		g.is(t, err, "")
		analyst = with(g.data, credentials{*out.RoleCredentials.AccessKeyId, *out.RoleCredentials.SecretAccessKey, *out.RoleCredentials.SessionToken})
	})
	g.take(t, "portal-get-role-credentials-denied", 1, func(t *testing.T) {
		_, err := portal.GetRoleCredentials(ctx, &sso.GetRoleCredentialsInput{AccessToken: token.AccessToken, AccountId: aws.String(centerAccount), RoleName: aws.String("Analyst")})
		if err == nil {
			t.Fatal("a role in another account is given")
		}
	})
	g.take(t, "caller-came-through-the-portal", 1, func(t *testing.T) {
		_, err := sts.NewFromConfig(analyst).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
		g.is(t, err, "")
	})
	g.take(t, "portal-wrong-token", 1, func(t *testing.T) {
		_, err := portal.ListAccounts(ctx, &sso.ListAccountsInput{AccessToken: aws.String("another")})
		g.is(t, err, "UnauthorizedException")
	})
	g.take(t, "portal-logout", 1, func(t *testing.T) {
		_, err := portal.Logout(ctx, &sso.LogoutInput{AccessToken: token.AccessToken})
		g.is(t, err, "")
	})
	t.Run("tokens", func(t *testing.T) { g.goldenGrantTypes(t, browser) })
	g.take(t, "console", 1, func(t *testing.T) {
		if at, page := browser.open("http://" + g.Web + "/console/"); !strings.Contains(page, "Mateo Jackson") {
			t.Fatalf("%s:\n%s", at, page)
		}
	})
}

// goldenGrantTypes are the tokens of applications, one of each grant: a code that the browser brings, the refresh of what came
// of it, and the exchange by another application.
func (g *gold) goldenGrantTypes(t *testing.T, browser *guest) {
	const redirect, scope = "https://app.example/callback", "s3:access_grants:read_write"
	ctx, center, tokens := t.Context(), ssoadmin.NewFromConfig(g.center), ssooidc.NewFromConfig(g.center)
	application := func(name string, kinds map[ssotypes.GrantType]ssotypes.Grant, targets ...string) string {
		t.Helper()
		made, err := center.CreateApplication(ctx, &ssoadmin.CreateApplicationInput{InstanceArn: &g.instance, Name: &name, ApplicationProviderArn: aws.String("arn:aws:sso::aws:applicationProvider/custom")})
		g.is(t, err, "")
		arn := made.ApplicationArn
		_, err = center.PutApplicationAssignmentConfiguration(ctx, &ssoadmin.PutApplicationAssignmentConfigurationInput{ApplicationArn: arn, AssignmentRequired: aws.Bool(false)})
		g.is(t, err, "")
		_, err = center.PutApplicationAccessScope(ctx, &ssoadmin.PutApplicationAccessScopeInput{ApplicationArn: arn, Scope: aws.String(scope), AuthorizedTargets: targets})
		g.is(t, err, "")
		actor := map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{"Effect": "Allow", "Principal": map[string]any{"AWS": centerAccount}, "Action": "sso-oauth:CreateTokenWithIAM", "Resource": "*"}}}
		_, err = center.PutApplicationAuthenticationMethod(ctx, &ssoadmin.PutApplicationAuthenticationMethodInput{ApplicationArn: arn, AuthenticationMethodType: ssotypes.AuthenticationMethodTypeIam,
			AuthenticationMethod: &ssotypes.AuthenticationMethodMemberIam{Value: ssotypes.IamAuthenticationMethod{ActorPolicy: document.NewLazyDocument(actor)}}})
		g.is(t, err, "")
		for kind, grant := range kinds {
			_, err = center.PutApplicationGrant(ctx, &ssoadmin.PutApplicationGrantInput{ApplicationArn: arn, GrantType: kind, Grant: grant})
			g.is(t, err, "")
		}
		return *arn
	}
	back := application("Back", map[ssotypes.GrantType]ssotypes.Grant{ssotypes.GrantTypeTokenExchange: &ssotypes.GrantMemberTokenExchange{}})
	front := application("Front", map[ssotypes.GrantType]ssotypes.Grant{
		ssotypes.GrantTypeAuthorizationCode: &ssotypes.GrantMemberAuthorizationCode{Value: ssotypes.AuthorizationCodeGrant{RedirectUris: []string{redirect}}},
		ssotypes.GrantTypeRefreshToken:      &ssotypes.GrantMemberRefreshToken{},
	}, back)
	verifier := strings.Repeat("v", 43)
	challenge := sha256.Sum256([]byte(verifier))
	var code string
	g.take(t, "authorize-an-application", 1, func(t *testing.T) {
		once := *browser.client
		once.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
			if strings.HasPrefix(r.URL.String(), redirect) {
				return http.ErrUseLastResponse
			}
			return nil
		}
		q := url.Values{"response_type": {"code"}, "client_id": {front}, "redirect_uri": {redirect}, "state": {"s"}, "code_challenge_method": {"S256"}, "code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}}
		resp, err := once.Get("http://" + g.Web + "/authorize?" + q.Encode())
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		to, err := url.Parse(resp.Header.Get("Location"))
		if code = to.Query().Get("code"); err != nil || code == "" {
			t.Fatalf("answered %s, to %v, %v", resp.Status, to, err)
		}
	})
	create := func(t *testing.T, in *ssooidc.CreateTokenWithIAMInput) *ssooidc.CreateTokenWithIAMOutput {
		t.Helper()
		out, err := tokens.CreateTokenWithIAM(ctx, in)
		g.is(t, err, "")
		return out
	}
	var first *ssooidc.CreateTokenWithIAMOutput
	g.take(t, "token-by-authorization-code", 1, func(t *testing.T) {
		first = create(t, &ssooidc.CreateTokenWithIAMInput{ClientId: &front, GrantType: aws.String("authorization_code"), Code: &code, RedirectUri: aws.String(redirect), CodeVerifier: &verifier})
	})
	g.take(t, "token-by-refresh-token", 1, func(t *testing.T) {
		first = create(t, &ssooidc.CreateTokenWithIAMInput{ClientId: &front, GrantType: aws.String("refresh_token"), RefreshToken: first.RefreshToken})
	})
	g.take(t, "token-by-exchange", 1, func(t *testing.T) {
		create(t, &ssooidc.CreateTokenWithIAMInput{ClientId: &back, GrantType: aws.String("urn:ietf:params:oauth:grant-type:token-exchange"), SubjectToken: first.AccessToken,
			SubjectTokenType: aws.String("urn:ietf:params:oauth:token-type:access_token")})
	})
}

// goldenLDAP is one run over a real directory, with a person who comes and a group that they are in.
func (g *gold) goldenLDAP(t *testing.T) {
	server := slapdtest.Start(t)
	server.Add("uid=lea,"+slapdtest.People, "objectClass=inetOrgPerson", "uid=lea", "cn=Lea Meyer", "sn=Meyer", "givenName=Lea", "mail=lea@corp.example")
	server.Add("cn=readers,"+slapdtest.Groups, "objectClass=groupOfNames", "cn=readers", "member=uid=lea,"+slapdtest.People)
	config := settings(t, "management_account: \""+centerAccount+"\"\nldap:\n  preset: openldap\n  url: "+server.TLSURL+"\n  ca_file: "+server.CAFile+"\n  bind_dn: "+slapdtest.BindDN+
		"\n  bind_password: file:"+server.PasswordFile+"\n  users:\n    base: "+slapdtest.People+"\n  groups:\n    base: "+slapdtest.Groups+"\n")
	p := start(t, append([]string{"serve", "--config", config}, anyPorts(false)...)...)
	synced := &gold{story: &story{world: &world{process: p, t: t}}, theme: g.theme, taken: g.taken}
	// of are the records of runs of one kind, up to the one with which it ended.
	of := func(trigger string) func(all []string) []string {
		return func(all []string) (lines []string) {
			for _, line := range all {
				switch {
				case strings.Contains(line, `"eventName":"StartDirectorySync"`):
					lines = nil
					if trigger == "REQUEST" {
						lines = append(lines, line)
					}
				case strings.Contains(line, `"eventName":"EndDirectorySync"`):
					lines = append(lines, line)
					if strings.Contains(line, `"trigger":"`+trigger+`"`) {
						return lines
					}
				case strings.Contains(line, `"invokedBy":"ldap`):
					lines = append(lines, line)
				}
			}
			return nil
		}
	}
	// The first run is the server's own.
	synced.takeWhere(t, "ldap-sync", 4, of("SCHEDULE"), func(*testing.T) {})
	synced.takeWhere(t, "ldap-sync-by-hand", 2, of("REQUEST"), func(t *testing.T) {
		if out, err := exec.Command(binary, "ldap", "sync", "--dir", p.dir).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	})
}
