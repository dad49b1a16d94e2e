package e2e

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	trailtypes "github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/identitystore"
	"github.com/aws/aws-sdk-go-v2/service/identitystore/document"
	idtypes "github.com/aws/aws-sdk-go-v2/service/identitystore/types"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/s3control"
	"github.com/aws/aws-sdk-go-v2/service/s3control/types"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin"
	ssotypes "github.com/aws/aws-sdk-go-v2/service/ssoadmin/types"
	"github.com/aws/aws-sdk-go-v2/service/ssooidc"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"
)

// is fails the test unless the answer has the code, "" for success.
func (g *gold) is(t *testing.T, err error, code string) {
	t.Helper()
	if got := codeOf(err); got != code {
		t.Fatalf("answered %q, want %q: %v", got, code, err)
	}
}

// own is a call of Lakegate's own API.
func (g *gold) own(t *testing.T, cfg aws.Config, operation string, in map[string]any) (status int, out map[string]any) {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	header := target("Lakegate." + operation)
	header["User-Agent"] = g.agent()
	before := g.data
	g.data = cfg
	defer func() { g.data = before }()
	answer := g.send(t, raw{service: "lakegate", path: "/", header: header, body: string(body)})
	if err := json.Unmarshal([]byte(answer.body), &out); err != nil {
		t.Fatalf("%s: %d %s", operation, answer.status, answer.body)
	}
	return answer.status, out
}

// TestGoldenRecordsOfAPIs holds the records of each service's calls, done, refused and wrong, and of each kind of caller.
func TestGoldenRecordsOfAPIs(t *testing.T) {
	g := newGold(t, "api")
	t.Run("sts", g.goldenSTS)
	t.Run("tokens", g.goldenTokens)
	t.Run("center", g.goldenCenter)
	t.Run("directory", g.goldenDirectory)
	t.Run("accounts", g.goldenAccounts)
	t.Run("grants", g.goldenGrants)
	t.Run("own", g.goldenOwn)
	g.whole(t)
}

func (g *gold) goldenSTS(t *testing.T) {
	ctx, user := t.Context(), sts.NewFromConfig(g.data)
	g.take(t, "caller-is-a-user", 1, func(t *testing.T) {
		_, err := user.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
		g.is(t, err, "")
	})
	g.take(t, "caller-is-a-role", 1, func(t *testing.T) {
		_, err := sts.NewFromConfig(g.app).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
		g.is(t, err, "")
	})
	var temporary, federated aws.Config
	g.take(t, "get-session-token", 1, func(t *testing.T) {
		out, err := user.GetSessionToken(ctx, &sts.GetSessionTokenInput{})
		g.is(t, err, "")
		temporary = with(g.data, credentials{*out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey, *out.Credentials.SessionToken})
	})
	g.take(t, "caller-is-a-user-for-a-while", 1, func(t *testing.T) {
		_, err := sts.NewFromConfig(temporary).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
		g.is(t, err, "")
	})
	g.take(t, "get-federation-token", 1, func(t *testing.T) {
		out, err := user.GetFederationToken(ctx, &sts.GetFederationTokenInput{Name: aws.String("guest"),
			Policy: aws.String(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:ListAllMyBuckets","Resource":"*"}}`), Tags: []ststypes.Tag{{Key: aws.String("team"), Value: aws.String("red")}}})
		g.is(t, err, "")
		federated = with(g.data, credentials{*out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey, *out.Credentials.SessionToken})
	})
	g.take(t, "caller-is-federated", 1, func(t *testing.T) {
		_, err := sts.NewFromConfig(federated).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
		g.is(t, err, "")
	})
	g.take(t, "assume-role", 1, func(t *testing.T) {
		_, err := sts.NewFromConfig(g.machine()).AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: aws.String(appRole), RoleSessionName: aws.String("dataapp"), DurationSeconds: aws.Int32(900),
			Policy: aws.String(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}`)})
		g.is(t, err, "")
	})
	g.take(t, "assume-role-denied", 1, func(t *testing.T) {
		_, err := sts.NewFromConfig(g.machine()).AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: aws.String(bearerRole), RoleSessionName: aws.String("thief")})
		g.is(t, err, "AccessDenied")
	})
	g.take(t, "assume-role-in-another-account", 2, func(t *testing.T) {
		_, err := sts.NewFromConfig(g.center).AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: aws.String(appRole), RoleSessionName: aws.String("neighbour")})
		g.is(t, err, "AccessDenied")
	})
	g.take(t, "assume-role-wrong", 1, func(t *testing.T) {
		_, err := user.AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: aws.String(appRole), RoleSessionName: aws.String("a space")})
		g.is(t, err, "ValidationError")
	})
	g.take(t, "wrong-signature", 1, func(t *testing.T) {
		_, err := sts.NewFromConfig(with(g.data, credentials{g.keyOf(t, g.data), "another", ""})).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
		g.is(t, err, "SignatureDoesNotMatch")
	})
	g.take(t, "unknown-key", 1, func(t *testing.T) {
		_, err := sts.NewFromConfig(with(g.data, credentials{AccessKeyId: "AKIA0000000000000000", SecretAccessKey: "x"})).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
		g.is(t, err, "InvalidClientTokenId")
	})
	g.take(t, "no-such-operation", 1, func(*testing.T) {
		g.send(t, raw{service: "sts", path: "/", header: map[string]string{"Content-Type": "application/x-www-form-urlencoded", "User-Agent": g.agent()}, body: "Action=GetEverything&Version=2011-06-15"})
	})

	// A cluster's service account.
	cluster := newPods(t)
	var provider string
	g.take(t, "create-openid-connect-provider", 1, func(t *testing.T) {
		out, err := iam.NewFromConfig(g.data).CreateOpenIDConnectProvider(ctx, &iam.CreateOpenIDConnectProviderInput{Url: &cluster.url, ClientIDList: []string{"sts.amazonaws.com"}})
		g.is(t, err, "")
		provider = *out.OpenIDConnectProviderArn
	})
	trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"` + provider + `"},"Action":"sts:AssumeRoleWithWebIdentity",
		"Condition":{"StringEquals":{"` + strings.TrimPrefix(cluster.url, "http://") + `:sub":"system:serviceaccount:lake:robot"}}}]}`
	g.take(t, "create-role", 1, func(t *testing.T) {
		_, err := iam.NewFromConfig(g.data).CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String(podRole), AssumeRolePolicyDocument: &trust})
		g.is(t, err, "")
	})
	anonymous := g.data.Copy()
	anonymous.Credentials = aws.AnonymousCredentials{}
	robot := func(t *testing.T, account, code string) (out *sts.AssumeRoleWithWebIdentityOutput) {
		t.Helper()
		cluster.project(account)
		token, err := os.ReadFile(cluster.file)
		if err != nil {
			t.Fatal(err)
		}
		out, err = sts.NewFromConfig(anonymous).AssumeRoleWithWebIdentity(ctx, &sts.AssumeRoleWithWebIdentityInput{
			RoleArn: aws.String("arn:aws:iam::" + dataAccount + ":role/" + podRole), RoleSessionName: aws.String("pod"), WebIdentityToken: aws.String(string(token)),
		})
		g.is(t, err, code)
		return out
	}
	g.take(t, "web-identity-denied", 1, func(t *testing.T) { robot(t, "thief", "AccessDenied") })
	var pod aws.Config
	g.take(t, "web-identity", 1, func(t *testing.T) {
		out := robot(t, "robot", "")
		pod = with(g.data, credentials{*out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey, *out.Credentials.SessionToken})
	})
	g.take(t, "caller-is-a-web-identity", 1, func(t *testing.T) {
		_, err := sts.NewFromConfig(pod).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
		g.is(t, err, "")
	})
}

// keyOf is the id of the key of a configuration.
func (g *gold) keyOf(t *testing.T, cfg aws.Config) string {
	t.Helper()
	key, err := cfg.Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return key.AccessKeyID
}

func (g *gold) goldenTokens(t *testing.T) {
	ctx, app := t.Context(), ssooidc.NewFromConfig(g.app)
	exchange := func(t *testing.T, code string, in *ssooidc.CreateTokenWithIAMInput) *ssooidc.CreateTokenWithIAMOutput {
		t.Helper()
		in.ClientId = &g.application
		out, err := app.CreateTokenWithIAM(ctx, in)
		g.is(t, err, code)
		return out
	}
	var swapped *ssooidc.CreateTokenWithIAMOutput
	g.take(t, "token-jwt-bearer", 1, func(t *testing.T) {
		swapped = exchange(t, "", &ssooidc.CreateTokenWithIAMInput{GrantType: aws.String(jwtBearer), Assertion: aws.String(g.token(mateo))})
	})
	g.take(t, "token-jwt-bearer-of-a-stranger", 1, func(t *testing.T) {
		exchange(t, "InvalidGrantException", &ssooidc.CreateTokenWithIAMInput{GrantType: aws.String(jwtBearer), Assertion: aws.String(g.token(mateo, map[string]any{"aud": "another"}))})
	})
	g.take(t, "token-authorization-code", 1, func(t *testing.T) {
		exchange(t, "UnauthorizedClientException", &ssooidc.CreateTokenWithIAMInput{GrantType: aws.String("authorization_code"), Code: aws.String("a-code"), RedirectUri: aws.String("https://app.example/")})
	})
	g.take(t, "token-exchange", 1, func(t *testing.T) {
		exchange(t, "UnauthorizedClientException", &ssooidc.CreateTokenWithIAMInput{GrantType: aws.String("urn:ietf:params:oauth:grant-type:token-exchange"), SubjectToken: aws.String("a-token"),
			SubjectTokenType: aws.String("urn:ietf:params:oauth:token-type:access_token")})
	})
	g.take(t, "token-refresh", 1, func(t *testing.T) {
		exchange(t, "UnauthorizedClientException", &ssooidc.CreateTokenWithIAMInput{GrantType: aws.String("refresh_token"), RefreshToken: aws.String("a-token")})
	})
	g.take(t, "token-of-an-unknown-grant", 1, func(t *testing.T) {
		exchange(t, "UnsupportedGrantTypeException", &ssooidc.CreateTokenWithIAMInput{GrantType: aws.String("password")})
	})
	g.take(t, "token-by-another-role", 1, func(t *testing.T) {
		_, err := ssooidc.NewFromConfig(g.center).CreateTokenWithIAM(ctx, &ssooidc.CreateTokenWithIAMInput{ClientId: &g.application, GrantType: aws.String(jwtBearer), Assertion: aws.String(g.token(mateo))})
		g.is(t, err, "AccessDeniedException")
	})
	var person aws.Config
	g.take(t, "assume-role-for-a-person", 1, func(t *testing.T) {
		person = g.assumed(g.app, withContext(aws.ToString(swapped.AwsAdditionalDetails.IdentityContext)))
	})
	g.take(t, "caller-is-a-role-for-a-person", 1, func(t *testing.T) {
		_, err := sts.NewFromConfig(person).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
		g.is(t, err, "")
	})
}

func (g *gold) goldenCenter(t *testing.T) {
	ctx, center := t.Context(), ssoadmin.NewFromConfig(g.center)
	g.take(t, "list-instances", 1, func(t *testing.T) {
		_, err := center.ListInstances(ctx, &ssoadmin.ListInstancesInput{})
		g.is(t, err, "")
	})
	var issuer, application string
	g.take(t, "create-trusted-token-issuer", 1, func(t *testing.T) {
		out, err := center.CreateTrustedTokenIssuer(ctx, &ssoadmin.CreateTrustedTokenIssuerInput{InstanceArn: &g.instance, Name: aws.String("corp"), TrustedTokenIssuerType: ssotypes.TrustedTokenIssuerTypeOidcJwt,
			TrustedTokenIssuerConfiguration: &ssotypes.TrustedTokenIssuerConfigurationMemberOidcJwtConfiguration{Value: ssotypes.OidcJwtConfiguration{
				IssuerUrl: aws.String("https://login.example.com"), ClaimAttributePath: aws.String("email"), IdentityStoreAttributePath: aws.String("emails.value"), JwksRetrievalOption: ssotypes.JwksRetrievalOptionOpenIdDiscovery,
			}}})
		g.is(t, err, "")
		issuer = *out.TrustedTokenIssuerArn
	})
	g.take(t, "create-application", 1, func(t *testing.T) {
		out, err := center.CreateApplication(ctx, &ssoadmin.CreateApplicationInput{InstanceArn: &g.instance, Name: aws.String("Reports"),
			ApplicationProviderArn: aws.String("arn:aws:sso::aws:applicationProvider/custom"), ClientToken: aws.String("a-token-of-the-client"), Description: aws.String("quarterly")})
		g.is(t, err, "")
		application = *out.ApplicationArn
	})
	g.take(t, "put-application-grant", 1, func(t *testing.T) {
		_, err := center.PutApplicationGrant(ctx, &ssoadmin.PutApplicationGrantInput{ApplicationArn: &application, GrantType: ssotypes.GrantTypeJwtBearer,
			Grant: &ssotypes.GrantMemberJwtBearer{Value: ssotypes.JwtBearerGrant{AuthorizedTokenIssuers: []ssotypes.AuthorizedTokenIssuer{{TrustedTokenIssuerArn: &issuer, AuthorizedAudiences: []string{"reports"}}}}}})
		g.is(t, err, "")
	})
	g.take(t, "delete-application", 1, func(t *testing.T) {
		_, err := center.DeleteApplication(ctx, &ssoadmin.DeleteApplicationInput{ApplicationArn: &application})
		g.is(t, err, "")
	})
	g.take(t, "describe-application-that-is-gone", 1, func(t *testing.T) {
		_, err := center.DescribeApplication(ctx, &ssoadmin.DescribeApplicationInput{ApplicationArn: &application})
		g.is(t, err, "ResourceNotFoundException")
	})
	g.take(t, "create-application-wrong", 1, func(t *testing.T) {
		_, err := center.CreateApplication(ctx, &ssoadmin.CreateApplicationInput{InstanceArn: aws.String("arn:aws:sso:::instance/none"), Name: aws.String("Reports"), ApplicationProviderArn: aws.String("arn:aws:sso::aws:applicationProvider/custom")})
		g.is(t, err, "ValidationException")
	})
	g.take(t, "create-permission-set-denied", 1, func(t *testing.T) {
		_, err := ssoadmin.NewFromConfig(g.app).CreatePermissionSet(ctx, &ssoadmin.CreatePermissionSetInput{InstanceArn: &g.instance, Name: aws.String("Everything")})
		g.is(t, err, "AccessDeniedException")
	})
}

func (g *gold) goldenDirectory(t *testing.T) {
	ctx, people := t.Context(), identitystore.NewFromConfig(g.center)
	var user string
	create := &identitystore.CreateUserInput{IdentityStoreId: &g.store, UserName: aws.String("noor@example.com"), DisplayName: aws.String("Noor"),
		Name: &idtypes.Name{GivenName: aws.String("Noor"), FamilyName: aws.String("Haddad")}, Emails: []idtypes.Email{{Value: aws.String("noor@example.com"), Primary: true}}}
	g.take(t, "create-person", 1, func(t *testing.T) {
		out, err := people.CreateUser(ctx, create)
		g.is(t, err, "")
		user = *out.UserId
	})
	g.take(t, "create-person-twice", 1, func(t *testing.T) {
		_, err := people.CreateUser(ctx, create)
		g.is(t, err, "ConflictException")
	})
	g.take(t, "list-people", 1, func(t *testing.T) {
		_, err := people.ListUsers(ctx, &identitystore.ListUsersInput{IdentityStoreId: &g.store, MaxResults: aws.Int32(1)})
		g.is(t, err, "")
	})
	g.take(t, "create-membership", 1, func(t *testing.T) {
		_, err := people.CreateGroupMembership(ctx, &identitystore.CreateGroupMembershipInput{IdentityStoreId: &g.store, GroupId: aws.String(g.groupByName(t, "Red Project Group")), MemberId: &idtypes.MemberIdMemberUserId{Value: user}})
		g.is(t, err, "")
	})
	g.take(t, "delete-person", 1, func(t *testing.T) {
		_, err := people.DeleteUser(ctx, &identitystore.DeleteUserInput{IdentityStoreId: &g.store, UserId: &user})
		g.is(t, err, "")
	})
	g.take(t, "list-people-denied", 1, func(t *testing.T) {
		_, err := identitystore.NewFromConfig(g.app).ListUsers(ctx, &identitystore.ListUsersInput{IdentityStoreId: &g.store})
		g.is(t, err, "AccessDeniedException")
	})
}

// groupByName is the id of a group.
func (g *gold) groupByName(t *testing.T, name string) string {
	t.Helper()
	out, err := identitystore.NewFromConfig(g.center).GetGroupId(t.Context(), &identitystore.GetGroupIdInput{IdentityStoreId: &g.store,
		AlternateIdentifier: &idtypes.AlternateIdentifierMemberUniqueAttribute{Value: idtypes.UniqueAttribute{AttributePath: aws.String("displayName"), AttributeValue: document.NewLazyDocument(name)}}})
	if err != nil {
		t.Fatal(err)
	}
	return *out.GroupId
}

func (g *gold) goldenAccounts(t *testing.T) {
	ctx, people := t.Context(), iam.NewFromConfig(g.data)
	name := aws.String("temp")
	g.take(t, "create-user", 1, func(t *testing.T) {
		_, err := people.CreateUser(ctx, &iam.CreateUserInput{UserName: name})
		g.is(t, err, "")
	})
	g.take(t, "create-access-key", 1, func(t *testing.T) {
		_, err := people.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: name})
		g.is(t, err, "")
	})
	g.take(t, "put-user-policy", 1, func(t *testing.T) {
		_, err := people.PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: name, PolicyName: aws.String("all"), PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`)})
		g.is(t, err, "")
	})
	g.take(t, "put-user-policy-wrong", 1, func(t *testing.T) {
		_, err := people.PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: name, PolicyName: aws.String("all"), PolicyDocument: aws.String(`{"Version":`)})
		g.is(t, err, "MalformedPolicyDocument")
	})
	g.take(t, "delete-user-with-keys", 1, func(t *testing.T) {
		_, err := people.DeleteUser(ctx, &iam.DeleteUserInput{UserName: name})
		g.is(t, err, "DeleteConflict")
	})
	g.take(t, "list-users-denied", 1, func(t *testing.T) {
		_, err := iam.NewFromConfig(g.app).ListUsers(ctx, &iam.ListUsersInput{})
		g.is(t, err, "AccessDenied")
	})
	g.take(t, "list-accounts", 1, func(t *testing.T) {
		_, err := organizations.NewFromConfig(g.center).ListAccounts(ctx, &organizations.ListAccountsInput{})
		g.is(t, err, "")
	})
	g.take(t, "list-accounts-denied", 1, func(t *testing.T) {
		_, err := organizations.NewFromConfig(g.app).ListAccounts(ctx, &organizations.ListAccountsInput{})
		g.is(t, err, "AccessDeniedException")
	})
	watch := cloudtrail.NewFromConfig(g.data)
	g.take(t, "lookup-events", 1, func(t *testing.T) {
		_, err := watch.LookupEvents(ctx, &cloudtrail.LookupEventsInput{MaxResults: aws.Int32(1), LookupAttributes: []trailtypes.LookupAttribute{{AttributeKey: trailtypes.LookupAttributeKeyEventName, AttributeValue: aws.String("CreateUser")}}})
		g.is(t, err, "")
	})
	g.take(t, "create-trail-wrong", 1, func(t *testing.T) {
		_, err := watch.CreateTrail(ctx, &cloudtrail.CreateTrailInput{Name: aws.String("everything"), S3BucketName: aws.String("nowhere-" + dataAccount)})
		g.is(t, err, "S3BucketDoesNotExistException")
	})
}

func (g *gold) goldenGrants(t *testing.T) {
	ctx, admin, account := t.Context(), control(g.data), aws.String(dataAccount)
	location := g.location()
	person := g.person(mateo)
	user := g.userByName(mateo)
	create := &s3control.CreateAccessGrantInput{AccountId: account, AccessGrantsLocationId: &location, Permission: types.PermissionRead,
		AccessGrantsLocationConfiguration: &types.AccessGrantsLocationConfiguration{S3SubPrefix: aws.String("plans/*")},
		Grantee:                           &types.Grantee{GranteeType: types.GranteeTypeDirectoryUser, GranteeIdentifier: &user}, Tags: []types.Tag{{Key: aws.String("ticket"), Value: aws.String("42")}}}
	var grant string
	g.take(t, "create-access-grant", 1, func(t *testing.T) {
		out, err := admin.CreateAccessGrant(ctx, create)
		g.is(t, err, "")
		grant = *out.AccessGrantId
	})
	g.take(t, "create-access-grant-twice", 1, func(t *testing.T) {
		_, err := admin.CreateAccessGrant(ctx, create)
		g.is(t, err, "AccessGrantAlreadyExists")
	})
	g.take(t, "create-access-grant-denied", 1, func(t *testing.T) {
		_, err := control(person).CreateAccessGrant(ctx, create)
		g.is(t, err, "AccessDenied")
	})
	g.take(t, "get-data-access", 1, func(t *testing.T) {
		_, err := control(person).GetDataAccess(ctx, &s3control.GetDataAccessInput{AccountId: account, Target: aws.String("s3://" + storyLake + "/plans/*"), Permission: types.PermissionRead,
			DurationSeconds: aws.Int32(900), Privilege: types.PrivilegeDefault, AuditContext: aws.String("chart of October")})
		g.is(t, err, "")
	})
	g.take(t, "get-data-access-of-one-object", 1, func(t *testing.T) {
		_, err := control(person).GetDataAccess(ctx, &s3control.GetDataAccessInput{AccountId: account, Target: aws.String("s3://" + storyLake + "/plans/a"), TargetType: types.S3PrefixTypeObject, Permission: types.PermissionRead})
		g.is(t, err, "")
	})
	g.take(t, "get-data-access-denied", 1, func(t *testing.T) {
		_, err := control(person).GetDataAccess(ctx, &s3control.GetDataAccessInput{AccountId: account, Target: aws.String(storyBlue), Permission: types.PermissionRead})
		g.is(t, err, "AccessDenied")
	})
	g.take(t, "get-data-access-wrong", 1, func(t *testing.T) {
		_, err := control(person).GetDataAccess(ctx, &s3control.GetDataAccessInput{AccountId: account, Target: aws.String("s3://" + storyLake + "/plans/*"), Permission: "EVERYTHING"})
		g.is(t, err, "InvalidRequest")
	})
	g.take(t, "get-data-access-from-another-account", 2, func(t *testing.T) {
		_, err := control(g.center).GetDataAccess(ctx, &s3control.GetDataAccessInput{AccountId: account, Target: aws.String(storyRed), Permission: types.PermissionRead})
		g.is(t, err, "AccessDenied")
	})
	g.take(t, "list-caller-access-grants", 1, func(t *testing.T) {
		_, err := control(person).ListCallerAccessGrants(ctx, &s3control.ListCallerAccessGrantsInput{AccountId: account, AllowedByApplication: true, MaxResults: 100})
		g.is(t, err, "")
	})
	g.take(t, "list-access-grants", 1, func(t *testing.T) {
		_, err := admin.ListAccessGrants(ctx, &s3control.ListAccessGrantsInput{AccountId: account})
		g.is(t, err, "")
	})
	g.take(t, "delete-access-grant", 1, func(t *testing.T) {
		_, err := admin.DeleteAccessGrant(ctx, &s3control.DeleteAccessGrantInput{AccountId: account, AccessGrantId: &grant})
		g.is(t, err, "")
	})
	g.take(t, "delete-access-grant-that-is-gone", 1, func(t *testing.T) {
		_, err := admin.DeleteAccessGrant(ctx, &s3control.DeleteAccessGrantInput{AccountId: account, AccessGrantId: &grant})
		g.is(t, err, "NoSuchAccessGrantError")
	})
}

func (g *gold) goldenOwn(t *testing.T) {
	g.grant(ana, "blue/*", types.PermissionReadwrite, g.ownedBy(ana))
	asking, owner := g.person(mateo), g.person(ana)
	done := func(t *testing.T, cfg aws.Config, operation string, in map[string]any) map[string]any {
		t.Helper()
		status, out := g.own(t, cfg, operation, in)
		if status != http.StatusOK {
			t.Fatalf("%s: %d %v", operation, status, out)
		}
		return out
	}
	failed := func(t *testing.T, cfg aws.Config, operation string, in map[string]any) {
		t.Helper()
		if status, out := g.own(t, cfg, operation, in); status == http.StatusOK {
			t.Fatalf("%s is done: %v", operation, out)
		}
	}
	ask := map[string]any{"AccountId": dataAccount, "Scope": storyBlue, "Permission": "READ", "DurationSeconds": 3600, "Reason": "compare the tomatoes"}
	var id any
	g.take(t, "create-access-request", 1, func(t *testing.T) {
		id = done(t, asking, "CreateAccessRequest", ask)["AccessRequest"].(map[string]any)["AccessRequestId"]
	})
	g.take(t, "create-access-request-wrong", 1, func(t *testing.T) {
		failed(t, asking, "CreateAccessRequest", map[string]any{"AccountId": dataAccount, "Scope": "s3://elsewhere/*", "Permission": "READ", "DurationSeconds": 3600, "Reason": "x"})
	})
	g.take(t, "approve-own-access-request", 1, func(t *testing.T) {
		failed(t, asking, "ApproveAccessRequest", map[string]any{"AccessRequestId": id})
	})
	g.take(t, "approve-access-request", 1, func(t *testing.T) {
		done(t, owner, "ApproveAccessRequest", map[string]any{"AccessRequestId": id, "DurationSeconds": 1800, "Comment": "this month alone"})
	})
	g.take(t, "query-events", 1, func(t *testing.T) {
		done(t, g.data, "QueryEvents", map[string]any{"Person": mateo, "MaxResults": 1})
	})
	g.take(t, "create-revocation", 1, func(t *testing.T) {
		done(t, g.data, "CreateRevocation", map[string]any{"Kind": "SESSION", "Value": "arn:aws:sts::" + dataAccount + ":assumed-role/IdentityBearerRole/person", "Reason": "a lost laptop"})
	})
	g.take(t, "caller-is-revoked", 1, func(t *testing.T) {
		if err := read(t.Context(), storage(asking), "red/sales-2026-11.csv"); err == nil {
			t.Fatal("a session that was revoked is good")
		}
	})
	g.take(t, "create-scim-token", 1, func(t *testing.T) {
		done(t, g.center, "CreateScimToken", map[string]any{"IdentityStoreId": g.store})
	})
	g.take(t, "create-backend-denied", 1, func(t *testing.T) {
		failed(t, g.app, "CreateBackend", map[string]any{"Name": "other", "Endpoint": "https://s3.example.com", "AccessKeyId": "key", "SecretAccessKey": "a secret of a backend"})
	})
}
