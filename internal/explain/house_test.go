package explain_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"

	"github.com/lakegate/lakegate/internal/account"
	"github.com/lakegate/lakegate/internal/api/iam"
	"github.com/lakegate/lakegate/internal/api/lakegate"
	"github.com/lakegate/lakegate/internal/api/organizations"
	"github.com/lakegate/lakegate/internal/api/s3control"
	"github.com/lakegate/lakegate/internal/api/ssoadmin"
	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/authz"
	"github.com/lakegate/lakegate/internal/bucket"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/center"
	"github.com/lakegate/lakegate/internal/directory"
	"github.com/lakegate/lakegate/internal/explain"
	"github.com/lakegate/lakegate/internal/grants"
	issuers "github.com/lakegate/lakegate/internal/issuer"
	"github.com/lakegate/lakegate/internal/policy"
	"github.com/lakegate/lakegate/internal/session"
	"github.com/lakegate/lakegate/internal/storage"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/store/storetest"
	"github.com/lakegate/lakegate/internal/token"
	"github.com/lakegate/lakegate/internal/visit"
)

const (
	management = "222222222222"
	owner      = "111111111111"
	outsider   = "333333333333"
	region     = "us-east-1"
	audience   = "data-app"

	actorRole    = "arn:aws:iam::" + owner + ":role/Application"
	personRole   = "arn:aws:iam::" + owner + ":role/Person"
	grantsOwner  = "arn:aws:s3:" + region + ":" + owner + ":access-grants/default"
	target       = "s3://lake/red/*"
	trustOwner   = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + owner + `"},"Action":"sts:AssumeRole"}]}`
	trustActor   = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + actorRole + `"},"Action":["sts:AssumeRole","sts:SetContext"]}]}`
	trustService = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"access-grants.s3.amazonaws.com"},"Action":["sts:AssumeRole","sts:SetContext"],
		"Condition":{"StringEquals":{"aws:SourceAccount":"` + owner + `","aws:SourceArn":"` + grantsOwner + `"}}}]}`
	actorPolicy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + actorRole + `"},"Action":"sso-oauth:CreateTokenWithIAM","Resource":"*"}]}`
)

func may(actions string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":[` + actions + `],"Resource":"*"}]}`
}

// house is a chain in which every link holds: an issuer, an application, a person in a group, the roles, and a grant.
type house struct {
	t          *testing.T
	db         *store.DB
	accounts   *account.Registry
	iam        *account.IAM
	directory  *directory.Directory
	center     *center.Center
	admin      *center.Service
	grants     *grants.Service
	buckets    *bucket.Registry
	doctor     *explain.Doctor
	instance   *center.Instance
	app, tti   string
	user       string
	team       string
	grant      string
	issuer     *httptest.Server
	key        *ecdsa.PrivateKey
	mu         sync.Mutex
	documents  map[string]any
	management context.Context
	data       context.Context
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, key: must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))}
	h.issuer = httptest.NewServer(h)
	t.Cleanup(h.issuer.Close)
	h.documents = map[string]any{
		"/.well-known/openid-configuration": map[string]string{"issuer": h.issuer.URL, "jwks_uri": h.issuer.URL + "/keys"},
		"/keys":                             jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: h.key.Public(), KeyID: "one", Algorithm: "ES256", Use: "sig"}}},
	}
	h.open()
	h.build()
	return h
}

// ServeHTTP is the issuer.
func (h *house) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	d, ok := h.documents[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	_ = json.NewEncoder(w).Encode(d)
}

func (h *house) publish(path string, document any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.documents[path] = document
}

func now() time.Time { return time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC) }

// open opens the rooms on a fresh database.
func (h *house) open() {
	t, ctx := h.t, h.t.Context()
	h.db = must(store.Open(context.Background(), store.Config{URL: storetest.URL(t, "sqlite"), Keys: must(store.ParseKeys(storetest.Key)), Now: now}))
	t.Cleanup(func() { _ = h.db.Close() })
	h.accounts = must(account.Open(ctx, account.Config{DB: h.db}))
	h.directory = must(directory.Open(ctx, h.db))
	h.center = must(center.Open(ctx, center.Config{DB: h.db, Directory: h.directory, Region: region}))
	ring := must(session.OpenRing(ctx, h.db))
	objects := must(storage.OpenEmbedded(ctx, t.TempDir(), nil))
	t.Cleanup(func() { _ = objects.Close() })
	buckets := must(bucket.Open(ctx, bucket.Config{DB: h.db, Storage: objects, Principals: h.accounts, Region: region}))
	h.buckets = buckets
	authorizer := &authz.Authorizer{Policies: h.accounts, Tags: h.accounts, Organizations: h.accounts, Revision: h.db.Revision}
	h.iam = &account.IAM{Registry: h.accounts, Authorizer: authorizer}
	h.admin = &center.Service{Center: h.center, Accounts: h.accounts, Authorizer: authorizer}
	h.grants = &grants.Service{
		Registry: must(grants.Open(ctx, h.db, region)), Directory: people{h.directory}, People: h, Center: centers{h.center}, Accounts: principals{h.accounts},
		Buckets: buckets, Authorizer: authorizer, Region: region, Now: now,
	}
	authorizer.Limits = limits{h}
	tokens := must(token.Open(ctx, token.Config{
		DB: h.db, Center: h.center, Directory: h.directory, Contexts: ring, Authorizer: authorizer, Keys: must(token.OpenKeyring(ctx, h.db, "ES256")),
		WebURL: "https://gate.example.com", Issuers: issuers.NewKeys(visit.New(visit.Config{Development: true}), h.db.Now),
	}))
	h.doctor = &explain.Doctor{
		Center: h.center, Administration: h.admin, Tokens: tokens, People: h.directory, Roles: principals{h.accounts},
		Grants: examined{h.grants.Registry, h.grants}, Accounts: h.accounts, Authorizer: authorizer, Now: now,
	}
	must(h.accounts.Bootstrap(ctx, management))
	h.instance = must(h.center.Bootstrap(ctx, management))
	h.management = h.as(management)
	org := &account.Organizations{Registry: h.accounts, Authorizer: authorizer}
	for _, id := range []string{owner, outsider} {
		must(org.CreateAccount(h.management, &organizations.CreateAccountInput{
			AccountName: "account " + id, Email: id + "@example.com", Tags: []organizations.Tag{{Key: account.AccountIDTag, Value: id}},
		}))
	}
	h.data = h.as(owner)
	must(buckets.Create(ctx, bucket.CreateInput{Name: "lake", Account: owner}))
}

// build makes the chain.
func (h *house) build() {
	ctx := h.t.Context()
	h.role("Application", trustOwner, may(`"sso-oauth:*","sts:*"`))
	h.role("Person", trustActor, may(`"s3:GetDataAccess"`))
	h.role("Location", trustService, may(`"s3:*"`))
	tti := must(h.admin.CreateTrustedTokenIssuer(h.management, &ssoadmin.CreateTrustedTokenIssuerInput{
		InstanceArn: h.instance.ARN, Name: "Corporate", TrustedTokenIssuerType: "OIDC_JWT",
		TrustedTokenIssuerConfiguration: &ssoadmin.TrustedTokenIssuerConfiguration{OidcJwtConfiguration: &ssoadmin.OidcJwtConfiguration{
			IssuerUrl: h.issuer.URL, ClaimAttributePath: "oid", IdentityStoreAttributePath: "externalId", JwksRetrievalOption: "OPEN_ID_DISCOVERY",
		}},
	}))
	h.tti = *tti.TrustedTokenIssuerArn
	h.app = *must(h.admin.CreateApplication(h.data, &ssoadmin.CreateApplicationInput{InstanceArn: h.instance.ARN, ApplicationProviderArn: center.ProviderCustom, Name: "Data"})).ApplicationArn
	h.trust(h.tti, audience)
	must(h.admin.PutApplicationAccessScope(h.data, &ssoadmin.PutApplicationAccessScopeInput{ApplicationArn: h.app, Scope: "s3:access_grants:read_write"}))
	h.actors(actorPolicy)
	h.user = must(h.directory.CreateUser(ctx, "test", directory.User{
		StoreID: h.instance.StoreID, UserName: "mateo", Enabled: true, ExternalIDs: []directory.ExternalID{{Issuer: "scim", ID: "oid-of-mateo"}},
	})).ID
	h.team = must(h.directory.CreateGroup(ctx, "test", directory.Group{StoreID: h.instance.StoreID, DisplayName: "Red"}, h.user)).ID
	must(h.admin.CreateApplicationAssignment(h.data, &ssoadmin.CreateApplicationAssignmentInput{ApplicationArn: h.app, PrincipalType: "GROUP", PrincipalId: h.team}))
	must(h.grants.CreateAccessGrantsInstance(h.data, &s3control.CreateAccessGrantsInstanceInput{AccountId: owner, IdentityCenterArn: &h.instance.ARN}))
	must(h.grants.CreateAccessGrantsLocation(h.data, &s3control.CreateAccessGrantsLocationInput{AccountId: owner, LocationScope: "s3://", IAMRoleArn: arn.Role(owner, "/", "Location")}))
	h.grant = *must(h.grants.CreateAccessGrant(h.data, &s3control.CreateAccessGrantInput{
		AccountId: owner, AccessGrantsLocationId: "default", Permission: "READ", AccessGrantsLocationConfiguration: &s3control.AccessGrantsLocationConfiguration{S3SubPrefix: new("lake/red/*")},
		Grantee: &s3control.Grantee{GranteeType: new(s3control.GranteeTypeDIRECTORYGROUP), GranteeIdentifier: &h.team},
	})).AccessGrantId
}

// as is a request of the administrator of an account.
func (h *house) as(id string) context.Context {
	for _, p := range must(h.accounts.Profiles(h.t.Context())) {
		if p.Account == id {
			_, c, err := h.accounts.Lookup(p.AccessKeyID)
			return h.request(must(c, err))
		}
	}
	panic("account " + id + " has no administrator")
}

func (h *house) request(c *caller.Caller) context.Context {
	return caller.WithRequest(caller.With(h.t.Context(), c), &caller.Request{ID: uuid.NewString(), Region: region, Time: now(), SourceIP: "192.0.2.7", Secure: true})
}

func (h *house) role(name, trust, permissions string) {
	must(h.iam.CreateRole(h.data, &iam.CreateRoleInput{RoleName: name, AssumeRolePolicyDocument: trust}))
	h.permit(name, permissions)
}

func (h *house) permit(role, permissions string) {
	must(h.iam.PutRolePolicy(h.data, &iam.PutRolePolicyInput{RoleName: role, PolicyName: "own", PolicyDocument: permissions}))
}

func (h *house) retrust(role, trust string) {
	must(h.iam.UpdateAssumeRolePolicy(h.data, &iam.UpdateAssumeRolePolicyInput{RoleName: role, PolicyDocument: trust}))
}

// trust puts the application's grant.
func (h *house) trust(tti string, audiences ...string) {
	must(h.admin.PutApplicationGrant(h.data, &ssoadmin.PutApplicationGrantInput{ApplicationArn: h.app, GrantType: center.GrantJWTBearer, Grant: &ssoadmin.Grant{
		JwtBearer: &ssoadmin.JwtBearerGrant{AuthorizedTokenIssuers: []ssoadmin.AuthorizedTokenIssuer{{TrustedTokenIssuerArn: &tti, AuthorizedAudiences: audiences}}},
	}}))
}

func (h *house) actors(document string) {
	must(h.admin.PutApplicationAuthenticationMethod(h.data, &ssoadmin.PutApplicationAuthenticationMethodInput{
		ApplicationArn: h.app, AuthenticationMethodType: "IAM",
		AuthenticationMethod: &ssoadmin.AuthenticationMethod{Iam: &ssoadmin.IamAuthenticationMethod{ActorPolicy: json.RawMessage(document)}},
	}))
}

func (h *house) changePerson(change func(u *directory.User)) {
	must(h.directory.ChangeUser(h.t.Context(), "test", h.instance.StoreID, h.user, func(u *directory.User) error {
		change(u)
		return nil
	}))
}

// token signs a token, changed as a test wants: a nil value takes a claim away.
func (h *house) token(changes map[string]any) string {
	claims := map[string]any{"iss": h.issuer.URL, "sub": "s", "aud": audience, "oid": "oid-of-mateo", "jti": uuid.NewString(), "iat": now().Unix(), "exp": now().Add(time.Hour).Unix()}
	maps.Copy(claims, changes)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	signer := must(jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: h.key, KeyID: "one"}}, nil))
	return must(must(signer.Sign(must(json.Marshal(claims)))).CompactSerialize())
}

// way is the question about the whole chain.
func (h *house) way() *lakegate.DiagnoseInput {
	return &lakegate.DiagnoseInput{
		Application: &h.app, Token: new(h.token(nil)), ActorRoleArn: new(actorRole), RoleArn: new(personRole), Target: new(target), Permission: new(lakegate.PermissionREAD),
	}
}

// PersonActive implements grants.People as the server does.
func (h *house) PersonActive(_ context.Context, id *caller.Identity) error {
	if err := h.directory.PersonActive(id); err != nil {
		return err
	}
	if !h.center.ApplicationEnabled(id.ApplicationARN) {
		return errors.New("the application is disabled or gone")
	}
	return nil
}

// limits bounds sessions as the server does.
type limits struct{ h *house }

func (l limits) LimitsOf(ctx context.Context, c *caller.Caller) ([]policy.Named, error) {
	if c.OnBehalf != nil {
		if err := l.h.PersonActive(ctx, c.OnBehalf); err != nil {
			return nil, err
		}
	}
	return l.h.grants.LimitsOf(ctx, c)
}

type people struct{ *directory.Directory }

func (p people) UserName(storeID, userID string) (string, bool) {
	u, ok := p.User(storeID, userID)
	return u.UserName, ok
}

type centers struct{ *center.Center }

func (c centers) InstanceOf(arn string) (account, storeID string, organization, ok bool) {
	i, ok := c.Instance(arn)
	if !ok {
		return "", "", false, false
	}
	return i.Account, i.StoreID, i.Organization, true
}

func (c centers) ApplicationExists(arn string) bool {
	_, ok := c.Application(arn)
	return ok
}

// GrantsReach implements grants.Center.
func (c centers) GrantsReach(application string, targets ...string) bool {
	a, ok := c.Application(application)
	return ok && a.ScopeReaches(center.ScopeAccessGrants, targets...)
}

type principals struct{ *account.Registry }

func (p principals) LocationRole(arn string) (grants.Role, bool) {
	r, ok := p.RoleByARN(arn)
	return grants.Role{ARN: r.ARN, ID: r.ID, Name: r.Name, Account: r.Account, Trust: r.Trust, MaxDuration: r.MaxDuration}, ok
}

func (p principals) RoleOf(arn string) (explain.Role, bool) {
	r, ok := p.RoleByARN(arn)
	return explain.Role{ARN: r.ARN, ID: r.ID, Name: r.Name, Account: r.Account, Trust: r.Trust}, ok
}

type examined struct {
	*grants.Registry
	*grants.Service
}

// session is a request by a role.
func (h *house) session(id string, r *iam.Role) context.Context {
	return h.request(&caller.Caller{
		Type: caller.AssumedRole, Account: id, ARN: arn.AssumedRole(id, r.RoleName, "s"), PrincipalARN: r.Arn, UserID: r.RoleId + ":s",
		Session: &caller.Session{RoleARN: r.Arn, RoleID: r.RoleId, RoleName: r.RoleName, Name: "s", Issued: now(), Expires: now().Add(time.Hour)},
	})
}

// delegate makes an account administer the organization's instance.
func (h *house) delegate(id string) {
	org := &account.Organizations{Registry: h.accounts, Authorizer: h.doctor.Authorizer}
	must(org.RegisterDelegatedAdministrator(h.management, &organizations.RegisterDelegatedAdministratorInput{AccountId: id, ServicePrincipal: "sso.amazonaws.com"}))
}
