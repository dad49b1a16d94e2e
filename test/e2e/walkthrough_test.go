package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// The accounts of the walkthrough.
const (
	centerAccount = "222222222222"
	dataAccount   = "111111111111"
	mateo         = "mateo@example.com"
	jwtBearer     = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	contexts      = "arn:aws:iam::aws:contextProvider/IdentityCenter"
)

// world is a server with two accounts, a directory and an identity provider, on which a test configures the chain.
type world struct {
	*process
	t            *testing.T
	center, data *shell
	instance     string
	store        string
	issuer       string // the URL of the identity provider
	client       string // the application's client id there
	people       people
	issuerARN    string
	application  string
	role         string
}

// newWorld starts `demo --empty` and pushes the provider's people by SCIM.
func newWorld(t *testing.T) *world {
	t.Helper()
	p := start(t, append([]string{"demo", "--empty", "--no-browser"}, anyPorts(true)...)...)
	w := &world{process: p, t: t, center: p.as(centerAccount), data: p.as(dataAccount)}
	type instances struct {
		Instances []struct{ InstanceArn, IdentityStoreId, OwnerAccountId string }
	}
	list := get[instances](w.center, "sso-admin", "list-instances")
	if len(list.Instances) != 1 || list.Instances[0].OwnerAccountId != centerAccount {
		t.Fatalf("instances = %+v, want the one of %s", list, centerAccount)
	}
	w.instance, w.store = list.Instances[0].InstanceArn, list.Instances[0].IdentityStoreId
	if seen := get[instances](w.data, "sso-admin", "list-instances"); len(seen.Instances) != 1 || seen.Instances[0].InstanceArn != w.instance {
		t.Fatalf("a member of the organization sees %+v, want the organization's instance", seen)
	}
	w.discover()
	w.provision()
	return w
}

// people is the development provider's directory, as far as the tests read it.
type people struct {
	Tenant string `yaml:"tenant"`
	Users  []struct {
		OID         string `yaml:"oid"`
		UserName    string `yaml:"userName"`
		GivenName   string `yaml:"givenName"`
		FamilyName  string `yaml:"familyName"`
		DisplayName string `yaml:"displayName"`
	} `yaml:"users"`
	Groups []struct {
		OID         string   `yaml:"oid"`
		DisplayName string   `yaml:"displayName"`
		Members     []string `yaml:"members"`
	} `yaml:"groups"`
	Clients []struct {
		ID string `yaml:"id"`
	} `yaml:"clients"`
}

// discover reads who is at the development provider, and its issuer.
func (w *world) discover() {
	w.t.Helper()
	if err := yaml.Unmarshal(w.dev("GET", "/dev/directory", nil), &w.people); err != nil {
		w.t.Fatal(err)
	}
	w.issuer, w.client = "http://"+w.IDP+"/"+w.people.Tenant+"/v2.0", w.people.Clients[0].ID
}

// dev calls an endpoint that the development provider has for scripts.
func (w *world) dev(method, path string, in any) []byte {
	w.t.Helper()
	return w.call(method, "http://"+w.IDP+path, in, http.Header{"X-Lakegate-Development": {"yes"}})
}

// call makes a request with a JSON body that must succeed.
func (w *world) call(method, url string, in any, header http.Header) []byte {
	w.t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		w.t.Fatal(err)
	}
	req, err := http.NewRequest(method, url, bytes.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header = header.Clone()
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	if resp.StatusCode >= 300 {
		w.t.Fatalf("%s %s: %s: %s", method, url, resp.Status, text)
	}
	return text
}

// token signs a person in at the provider; claims change what the token says.
func (w *world) token(user string, claims ...map[string]any) string {
	w.t.Helper()
	in := map[string]any{"user": user, "client_id": w.client}
	if len(claims) > 0 {
		in["claims"] = claims[0]
	}
	var t struct {
		IDToken string `json:"id_token"`
	}
	if err := json.Unmarshal(w.dev("POST", "/dev/token", in), &t); err != nil {
		w.t.Fatal(err)
	}
	return t.IDToken
}

// provision puts the provider's people into the directory by SCIM, externalId being the provider's oid.
func (w *world) provision() {
	w.t.Helper()
	env := map[string]string{}
	for _, v := range exports(w.lakegate("scim", "token", "--dir", w.dir, "--env")) {
		name, value, _ := strings.Cut(v, "=")
		env[name] = value
	}
	create := func(kind string, in map[string]any) string {
		var out struct{ ID string }
		if err := json.Unmarshal(w.call("POST", env["SCIM_ENDPOINT"]+"/"+kind, in, http.Header{"Authorization": {"Bearer " + env["SCIM_TOKEN"]}}), &out); err != nil {
			w.t.Fatal(err)
		}
		return out.ID
	}
	ids := map[string]string{}
	for _, u := range w.people.Users {
		ids[u.UserName] = create("Users", map[string]any{
			"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:User"}, "userName": u.UserName, "externalId": u.OID, "active": true, "displayName": u.DisplayName,
			"name": map[string]any{"givenName": u.GivenName, "familyName": u.FamilyName}, "emails": []any{map[string]any{"value": u.UserName, "type": "work", "primary": true}},
		})
	}
	for _, g := range w.people.Groups {
		members := []any{}
		for _, m := range g.Members {
			members = append(members, map[string]any{"value": ids[m]})
		}
		create("Groups", map[string]any{"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:Group"}, "displayName": g.DisplayName, "externalId": g.OID, "members": members})
	}
}

func (w *world) groupID(name string) string {
	w.t.Helper()
	return get[struct{ GroupId string }](w.center, "identitystore", "get-group-id", "--identity-store-id", w.store,
		"--alternate-identifier", `{"UniqueAttribute":{"AttributePath":"displayName","AttributeValue":"`+name+`"}}`).GroupId
}

func (w *world) userID(name string) string {
	w.t.Helper()
	return get[struct{ UserId string }](w.center, "identitystore", "get-user-id", "--identity-store-id", w.store,
		"--alternate-identifier", `{"UniqueAttribute":{"AttributePath":"userName","AttributeValue":"`+name+`"}}`).UserId
}

// configureCenter makes the issuer (as the instance's owner) and the application (as a member of the organization).
func (w *world) configureCenter() {
	w.t.Helper()
	issuer := []string{"sso-admin", "create-trusted-token-issuer", "--instance-arn", w.instance, "--name", "Provider", "--trusted-token-issuer-type", "OIDC_JWT",
		"--trusted-token-issuer-configuration", `{"OidcJwtConfiguration":{"IssuerUrl":"` + w.issuer + `","ClaimAttributePath":"oid","IdentityStoreAttributePath":"externalId","JwksRetrievalOption":"OPEN_ID_DISCOVERY"}}`}
	w.data.refused("AccessDeniedException", issuer...)
	w.issuerARN = get[struct{ TrustedTokenIssuerArn string }](w.center, issuer...).TrustedTokenIssuerArn
	w.application = w.newApplication("MyDataApplication")
	if !strings.Contains(w.application, "::"+centerAccount+":application/") {
		w.t.Errorf("application ARN %s is not of the instance's account", w.application)
	}
}

func (w *world) newApplication(name string) string {
	w.t.Helper()
	arn := get[struct{ ApplicationArn string }](w.data, "sso-admin", "create-application", "--instance-arn", w.instance,
		"--application-provider-arn", "arn:aws:sso::aws:applicationProvider/custom", "--name", name).ApplicationArn
	w.data.run("sso-admin", "put-application-assignment-configuration", "--application-arn", arn, "--no-assignment-required")
	grant := w.data.file("grant.json", `{"JwtBearer":{"AuthorizedTokenIssuers":[{"TrustedTokenIssuerArn":"`+w.issuerARN+`","AuthorizedAudiences":["`+w.client+`"]}]}}`)
	w.data.run("sso-admin", "put-application-grant", "--application-arn", arn, "--grant-type", jwtBearer, "--grant", grant)
	w.data.run("sso-admin", "put-application-access-scope", "--application-arn", arn, "--scope", "s3:access_grants:read_write")
	return arn
}

func (w *world) roleARN(name string) string { return "arn:aws:iam::" + dataAccount + ":role/" + name }

// createRole makes a role in the data account.
func (w *world) createRole(name, trust, permissions string) {
	w.t.Helper()
	w.data.run("iam", "create-role", "--role-name", name, "--assume-role-policy-document", w.data.file(name+"-trust.json", trust))
	w.data.run("iam", "put-role-policy", "--role-name", name, "--policy-name", "permissions", "--policy-document", w.data.file(name+".json", permissions))
}

// configureRoles makes the application's role, the role that is assumed for a person, and the location's role.
func (w *world) configureRoles() {
	w.t.Helper()
	admin := "arn:aws:iam::" + dataAccount + ":user/administrator"
	w.role = w.roleARN("ApplicationRole")
	for _, name := range []string{"ApplicationRole", "OtherRole"} {
		w.createRole(name, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"`+admin+`"},"Action":"sts:AssumeRole"}]}`,
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["sso-oauth:CreateTokenWithIAM","sts:AssumeRole","sts:SetContext"],"Resource":"*"}]}`)
	}
	instance := "arn:aws:s3:us-east-1:" + dataAccount + ":access-grants/default"
	w.createRole("BearerRole", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"`+w.role+`"},"Action":["sts:AssumeRole","sts:SetContext"]}]}`,
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:GetDataAccess","s3:ListCallerAccessGrants","s3:GetAccessGrantsInstanceForPrefix"],"Resource":"*"},{"Effect":"Allow","Action":["s3:GetObject","s3:ListBucket"],"Resource":"*"}]}`)
	w.createRole("LocationRole", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"access-grants.s3.amazonaws.com"},"Action":["sts:AssumeRole","sts:SetSourceIdentity","sts:SetContext"],"Condition":{"StringEquals":{"aws:SourceAccount":"`+dataAccount+`","aws:SourceArn":"`+instance+`"}}}]}`,
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`)
}

// authenticate lets the application's role, and no other, exchange tokens for the application.
func (w *world) authenticate(application string) {
	w.t.Helper()
	method := w.data.file("method.json", `{"Iam":{"ActorPolicy":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"`+dataAccount+`"},"Action":"sso-oauth:CreateTokenWithIAM","Resource":"`+application+`","Condition":{"ArnEquals":{"aws:PrincipalArn":"`+w.role+`"}}}]}}}`)
	w.data.run("sso-admin", "put-application-authentication-method", "--application-arn", application, "--authentication-method", method, "--authentication-method-type", "IAM")
}

// configureData makes the bucket with a red and a blue object, and the grant of red/* to the red group.
func (w *world) configureData() {
	w.t.Helper()
	w.data.run("s3api", "create-bucket", "--bucket", "lake")
	for _, key := range []string{"red/tomatoes.csv", "blue/plums.csv"} {
		w.data.file("object", "date,product\n"+key+"\n")
		w.data.run("s3", "cp", "object", "s3://lake/"+key)
	}
	w.data.run("s3control", "create-access-grants-instance", "--account-id", dataAccount, "--identity-center-arn", w.instance)
	location := get[struct{ AccessGrantsLocationId string }](w.data, "s3control", "create-access-grants-location", "--account-id", dataAccount,
		"--location-scope", "s3://lake", "--iam-role-arn", w.roleARN("LocationRole")).AccessGrantsLocationId
	w.data.run("s3control", "create-access-grant", "--account-id", dataAccount, "--access-grants-location-id", location,
		"--access-grants-location-configuration", "S3SubPrefix=red/*", "--permission", "READ",
		"--grantee", "GranteeType=DIRECTORY_GROUP,GranteeIdentifier="+w.groupID("Red Project Group"))
}

type stsAnswer struct{ Credentials credentials }

// assume is the shell of a role of the data account.
func (w *world) assume(role string) *shell {
	w.t.Helper()
	return w.data.with(get[stsAnswer](w.data, "sts", "assume-role", "--role-arn", w.roleARN(role), "--role-session-name", "app").Credentials)
}

// exchange exchanges a person's token, as the shell, and returns the identity context.
func (w *world) exchange(s *shell, application, token string) string {
	w.t.Helper()
	answer := get[struct {
		AwsAdditionalDetails struct{ IdentityContext string }
	}](s, "sso-oidc", "create-token-with-iam", "--client-id", application, "--grant-type", jwtBearer, "--assertion", token)
	if answer.AwsAdditionalDetails.IdentityContext == "" {
		w.t.Fatal("the exchange answered without an identity context")
	}
	return answer.AwsAdditionalDetails.IdentityContext
}

// actFor is the shell of the role that is assumed with a person's identity context.
func (w *world) actFor(app *shell, context string) *shell {
	w.t.Helper()
	return app.with(get[stsAnswer](app, "sts", "assume-role", "--role-arn", w.roleARN("BearerRole"), "--role-session-name", "mateo",
		"--provided-contexts", `[{"ProviderArn":"`+contexts+`","ContextAssertion":"`+context+`"}]`).Credentials)
}

type dataAccess struct {
	Credentials        credentials
	MatchedGrantTarget string
	Grantee            struct{ GranteeType, GranteeIdentifier string }
}

func getDataAccess(s *shell, target, permission string) dataAccess {
	s.t.Helper()
	return get[dataAccess](s, "s3control", "get-data-access", "--account-id", dataAccount, "--target", target, "--permission", permission)
}

func TestWalkthrough(t *testing.T) {
	w := newWorld(t)
	w.configureCenter()
	w.configureRoles()
	app := w.assume("ApplicationRole")

	t.Run("without an authentication method nobody exchanges", func(t *testing.T) {
		w.assume("ApplicationRole").refused("AccessDeniedException", "sso-oidc", "create-token-with-iam", "--client-id", w.application, "--grant-type", jwtBearer, "--assertion", w.token(mateo))
	})
	w.authenticate(w.application)
	w.configureData()

	token := w.token(mateo)
	person := w.actFor(app, w.exchange(app, w.application, token))

	t.Run("a token is exchanged once", func(t *testing.T) {
		app.refused("InvalidGrantException", "sso-oidc", "create-token-with-iam", "--client-id", w.application, "--grant-type", jwtBearer, "--assertion", token)
	})
	t.Run("another role is refused", func(t *testing.T) {
		w.assume("OtherRole").refused("AccessDeniedException", "sso-oidc", "create-token-with-iam", "--client-id", w.application, "--grant-type", jwtBearer, "--assertion", w.token(mateo))
	})

	access := getDataAccess(person, "s3://lake/red/*", "READ")
	if access.MatchedGrantTarget != "s3://lake/red/*" || access.Grantee.GranteeType != "DIRECTORY_GROUP" || access.Grantee.GranteeIdentifier != w.groupID("Red Project Group") {
		t.Errorf("access = %+v", access)
	}
	red := person.with(access.Credentials)

	t.Run("inside the grant", func(t *testing.T) {
		if out := red.run("s3", "ls", "s3://lake/red/"); !strings.Contains(out, "tomatoes.csv") {
			t.Errorf("ls red/ = %q", out)
		}
		red.run("s3", "cp", "s3://lake/red/tomatoes.csv", "copy.csv")
		if text, err := os.ReadFile(filepath.Join(red.dir, "copy.csv")); err != nil || !strings.Contains(string(text), "red/tomatoes.csv") {
			t.Errorf("copy = %q, %v", text, err)
		}
	})
	t.Run("outside the grant", func(t *testing.T) {
		red.refused("AccessDenied", "s3", "ls", "s3://lake/blue/")
		if out := strings.TrimSpace(red.run("s3", "ls", "s3://lake")); out != "PRE red/" {
			t.Errorf("the top of the lake shows %q", out)
		}
		red.refused("AccessDenied", "s3api", "list-objects-v2", "--bucket", "lake")
		red.refused("AccessDenied", "s3api", "get-object", "--bucket", "lake", "--key", "blue/plums.csv", "x")
		red.refused("AccessDenied", "s3api", "put-object", "--bucket", "lake", "--key", "red/new.csv")
		red.refused("AccessDenied", "s3api", "delete-object", "--bucket", "lake", "--key", "red/tomatoes.csv")
		message := person.refused("AccessDenied", "s3control", "get-data-access", "--account-id", dataAccount, "--target", "s3://lake/blue/*", "--permission", "READ")
		if want := "You do not have READ permissions to the requested S3 Prefix: s3://lake/blue/*"; !strings.Contains(message, want) {
			t.Errorf("message = %q, want %q", message, want)
		}
		person.refused("AccessDenied", "s3control", "get-data-access", "--account-id", dataAccount, "--target", "s3://lake/red/*", "--permission", "READWRITE")
	})
	t.Run("the person's session reaches what the grants give and nothing else", func(t *testing.T) {
		person.run("s3api", "get-object", "--bucket", "lake", "--key", "red/tomatoes.csv", "direct.csv")
		person.refused("AccessDenied", "s3api", "get-object", "--bucket", "lake", "--key", "blue/plums.csv", "x")
		person.refused("AccessDenied", "s3api", "put-object", "--bucket", "lake", "--key", "red/new.csv")
	})
	t.Run("the trail shows the person, the application and the grant", func(t *testing.T) {
		records := w.records(func(r record) bool { return r.EventName == "GetObject" && r.ErrorCode == "" })
		if len(records) == 0 {
			t.Fatal("no GetObject in the trail")
		}
		r := records[0]
		if r.UserIdentity.OnBehalfOf.UserId != w.userID(mateo) || r.Additional["personUserName"] != mateo || r.Additional["applicationArn"] != w.application || r.Additional["accessGrantId"] == nil {
			t.Errorf("record = %+v", r)
		}
		w.noSecrets(token, access.Credentials.SecretAccessKey, access.Credentials.SessionToken)
		type events struct {
			Events []struct{ EventName, CloudTrailEvent string }
		}
		found := get[events](w.data, "cloudtrail", "lookup-events", "--lookup-attributes", "AttributeKey=EventName,AttributeValue=GetDataAccess")
		if len(found.Events) == 0 {
			t.Error("LookupEvents shows no GetDataAccess")
		}
	})
	t.Run("why tells which step failed", func(t *testing.T) {
		id := person.requestID("s3control", "get-data-access", "--account-id", dataAccount, "--target", "s3://lake/blue/*", "--permission", "READ")
		out := w.lakegate("why", id, "--dir", w.dir, "--account", dataAccount)
		if !strings.Contains(out, "fail") || !strings.Contains(out, "GetDataAccess") || !strings.Contains(out, mateo) {
			t.Errorf("why = %s", out)
		}
	})
	t.Run("a membership that ends takes access with it at the next request", func(t *testing.T) {
		red.run("s3api", "head-object", "--bucket", "lake", "--key", "red/tomatoes.csv")
		group := w.groupID("Red Project Group")
		membership := get[struct{ MembershipId string }](w.center, "identitystore", "get-group-membership-id", "--identity-store-id", w.store,
			"--group-id", group, "--member-id", "UserId="+w.userID(mateo)).MembershipId
		w.center.run("identitystore", "delete-group-membership", "--identity-store-id", w.store, "--membership-id", membership)
		red.refused("AccessDenied", "s3api", "get-object", "--bucket", "lake", "--key", "red/tomatoes.csv", "x")
		person.refused("AccessDenied", "s3control", "get-data-access", "--account-id", dataAccount, "--target", "s3://lake/red/*", "--permission", "READ")
	})
}

// record is what the tests read of a line of the trail.
type record struct {
	EventName, EventSource, ErrorCode, RecipientAccountId, SharedEventID string

	UserIdentity struct {
		Arn        string
		OnBehalfOf struct{ UserId, IdentityStoreArn string }
	}
	Additional map[string]any `json:"additionalEventData"`
}

// records reads the trail's files.
func (p *process) records(want func(record) bool) []record {
	p.t.Helper()
	var all []record
	for _, line := range strings.Split(p.trail(), "\n") {
		if line == "" {
			continue
		}
		var r record
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			p.t.Fatalf("a line of the trail is not JSON: %v\n%s", err, line)
		}
		if want(r) {
			all = append(all, r)
		}
	}
	return all
}

func (p *process) trail() string {
	p.t.Helper()
	files, err := filepath.Glob(filepath.Join(p.dir, "audit", "*.jsonl"))
	if err != nil || len(files) == 0 {
		p.t.Fatalf("no audit log: %v", err)
	}
	var b strings.Builder
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			p.t.Fatal(err)
		}
		b.Write(text)
	}
	return b.String()
}

// noSecrets looks for secrets in the trail and in the server's own log.
func (p *process) noSecrets(secrets ...string) {
	p.t.Helper()
	for name, text := range map[string]string{"trail": p.trail(), "log": p.log.String()} {
		for i, s := range secrets {
			if s != "" && strings.Contains(text, s) {
				p.t.Errorf("secret %d is in the %s", i, name)
			}
		}
	}
}

func TestThirdAccountOwnsTheData(t *testing.T) {
	w := newWorld(t)
	w.configureCenter()
	w.configureRoles()
	w.authenticate(w.application)
	w.center.run("organizations", "create-account", "--account-name", "Third", "--email", "third@example.com", "--tags", "Key=lakegate:AccountId,Value=333333333333")
	third := w.as("333333333333")
	third.run("s3api", "create-bucket", "--bucket", "third-lake")
	third.file("object", "x")
	third.run("s3", "cp", "object", "s3://third-lake/red/a")
	instance := "arn:aws:s3:us-east-1:333333333333:access-grants/default"
	third.run("iam", "create-role", "--role-name", "LocationRole", "--assume-role-policy-document",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"access-grants.s3.amazonaws.com"},"Action":["sts:AssumeRole","sts:SetSourceIdentity","sts:SetContext"]}]}`)
	third.run("iam", "put-role-policy", "--role-name", "LocationRole", "--policy-name", "p", "--policy-document", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`)
	third.run("s3control", "create-access-grants-instance", "--account-id", "333333333333", "--identity-center-arn", w.instance)
	third.run("s3control", "create-access-grants-location", "--account-id", "333333333333", "--location-scope", "s3://", "--iam-role-arn", "arn:aws:iam::333333333333:role/LocationRole")
	third.run("s3control", "create-access-grant", "--account-id", "333333333333", "--access-grants-location-id", "default", "--access-grants-location-configuration", "S3SubPrefix=third-lake/red/*",
		"--permission", "READ", "--grantee", "GranteeType=DIRECTORY_GROUP,GranteeIdentifier="+w.groupID("Red Project Group"))

	app := w.assume("ApplicationRole")
	person := w.actFor(app, w.exchange(app, w.application, w.token(mateo)))
	ask := []string{"s3control", "get-data-access", "--account-id", "333333333333", "--target", "s3://third-lake/red/*", "--permission", "READ"}
	t.Run("without a resource policy another account asks in vain", func(t *testing.T) { person.refused("AccessDenied", ask...) })
	third.run("s3control", "put-access-grants-instance-resource-policy", "--account-id", "333333333333", "--policy",
		fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"%s"},"Action":["s3:GetDataAccess","s3:ListCallerAccessGrants","s3:GetAccessGrantsInstanceForPrefix"],"Resource":"%s"}]}`, dataAccount, instance))
	access := get[dataAccess](person, ask...)
	if out := person.with(access.Credentials).run("s3", "ls", "s3://third-lake/red/"); !strings.Contains(out, "a") {
		t.Errorf("ls = %q", out)
	}
	shared := w.records(func(r record) bool { return r.EventName == "GetDataAccess" && r.SharedEventID != "" })
	if len(shared) < 2 {
		t.Errorf("a call across accounts left %d copies, want one in each account", len(shared))
	}
}

func TestGrantOfOneApplication(t *testing.T) {
	w := newWorld(t)
	w.configureCenter()
	w.configureRoles()
	w.authenticate(w.application)
	second := w.newApplication("SecondApplication")
	w.authenticate(second)
	w.configureData()
	location := get[struct {
		AccessGrantsLocationsList []struct{ AccessGrantsLocationId string }
	}](w.data, "s3control", "list-access-grants-locations", "--account-id", dataAccount).AccessGrantsLocationsList[0].AccessGrantsLocationId
	w.data.run("s3control", "create-access-grant", "--account-id", dataAccount, "--access-grants-location-id", location,
		"--access-grants-location-configuration", "S3SubPrefix=blue/*", "--permission", "READ", "--application-arn", w.application,
		"--grantee", "GranteeType=DIRECTORY_GROUP,GranteeIdentifier="+w.groupID("Red Project Group"))
	app := w.assume("ApplicationRole")
	first := w.actFor(app, w.exchange(app, w.application, w.token(mateo)))
	other := w.actFor(app, w.exchange(app, second, w.token(mateo)))
	getDataAccess(first, "s3://lake/red/*", "READ")
	getDataAccess(other, "s3://lake/red/*", "READ")
	getDataAccess(first, "s3://lake/blue/*", "READ")
	other.refused("AccessDenied", "s3control", "get-data-access", "--account-id", dataAccount, "--target", "s3://lake/blue/*", "--permission", "READ")
	// The same holds for the sessions themselves.
	first.run("s3api", "list-objects-v2", "--bucket", "lake", "--prefix", "blue/")
	other.run("s3api", "list-objects-v2", "--bucket", "lake", "--prefix", "red/")
	other.refused("AccessDenied", "s3api", "list-objects-v2", "--bucket", "lake", "--prefix", "blue/")
}

func TestStateSurvivesRestartAndKill(t *testing.T) {
	w := newWorld(t)
	w.configureCenter()
	w.configureRoles()
	w.authenticate(w.application)
	w.configureData()
	app := w.assume("ApplicationRole")
	person := w.actFor(app, w.exchange(app, w.application, w.token(mateo)))
	access := getDataAccess(person, "s3://lake/red/*", "READ")
	// The same doors again: a client keeps its endpoint.
	w.args = []string{"demo", "--empty", "--no-browser", "--api", w.API, "--web", w.Web, "--idp", w.IDP, "--app", w.App}
	w.kill()
	w.launch()
	red := person.with(access.Credentials)
	red.run("s3", "cp", "s3://lake/red/tomatoes.csv", "copy.csv")
	getDataAccess(person, "s3://lake/red/*", "READ")
	w.stop()
	w.launch()
	red.run("s3", "cp", "s3://lake/red/tomatoes.csv", "copy.csv")
	w.stop()
}
