package grants_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/lakegate/lakegate/internal/account"
	"github.com/lakegate/lakegate/internal/api/iam"
	"github.com/lakegate/lakegate/internal/api/organizations"
	"github.com/lakegate/lakegate/internal/api/s3control"
	"github.com/lakegate/lakegate/internal/api/ssoadmin"
	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/authz"
	"github.com/lakegate/lakegate/internal/bucket"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/center"
	"github.com/lakegate/lakegate/internal/directory"
	"github.com/lakegate/lakegate/internal/grants"
	"github.com/lakegate/lakegate/internal/policy"
	"github.com/lakegate/lakegate/internal/session"
	"github.com/lakegate/lakegate/internal/storage"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/store/storetest"
	"github.com/lakegate/lakegate/internal/wire"
)

// The accounts of the organization: where the identity center is, whose data it is, and a third.
const (
	management = "222222222222"
	owner      = "111111111111"
	other      = "333333333333"
	region     = "us-east-1"
)

const instanceARN = "arn:aws:s3:" + region + ":" + owner + ":access-grants/default"

// house is an organization with its directory and identity center, an account with the buckets lake and lake2, and the
// service on top. Roles and people are made as tests need them.
type house struct {
	*grants.Service
	t           testing.TB
	db          *store.DB
	iam         *account.IAM
	accounts    *account.Registry
	directory   *directory.Directory
	center      *center.Center
	centerAdmin *center.Service
	identity    *center.Instance
	ring        *session.Ring
	authorizer  *authz.Authorizer
	clock       atomic.Int64
}

func onBothEngines(t *testing.T, test func(t *testing.T, h *house)) {
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) { test(t, open(t, engine)) })
	}
}

func open(t testing.TB, engine string) *house {
	t.Helper()
	h := &house{t: t}
	h.clock.Store(time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC).UnixNano())
	now := func() time.Time { return time.Unix(0, h.clock.Load()).UTC() }
	keys := must(store.ParseKeys(storetest.Key))
	ctx := t.Context()
	h.db = must(store.Open(context.Background(), store.Config{URL: storetest.URL(t, engine), Keys: keys, Now: now}))
	t.Cleanup(func() { _ = h.db.Close() })
	h.accounts = must(account.Open(ctx, account.Config{DB: h.db}))
	h.directory = must(directory.Open(ctx, h.db))
	h.center = must(center.Open(ctx, center.Config{DB: h.db, Directory: h.directory, Region: region}))
	h.ring = must(session.OpenRing(ctx, h.db))
	objects := must(storage.OpenEmbedded(ctx, t.TempDir(), nil))
	t.Cleanup(func() { _ = objects.Close() })
	buckets := must(bucket.Open(ctx, bucket.Config{DB: h.db, Storage: objects, Principals: h.accounts, Region: region}))
	h.authorizer = &authz.Authorizer{Policies: h.accounts, Tags: h.accounts, Organizations: h.accounts, Revision: h.db.Revision}
	h.iam = &account.IAM{Registry: h.accounts, Authorizer: h.authorizer}
	h.centerAdmin = &center.Service{Center: h.center, Accounts: h.accounts, Authorizer: h.authorizer}
	h.Service = &grants.Service{
		Registry: must(grants.Open(ctx, h.db, region)), Directory: people{h.directory}, People: h, Center: centers{h.center}, Accounts: principals{h.accounts},
		Buckets: buckets, Vault: vault{h.ring}, Authorizer: h.authorizer, Region: region, Now: now,
	}
	h.authorizer.Limits = h.Service
	must(h.accounts.Bootstrap(ctx, management))
	h.identity = must(h.center.Bootstrap(ctx, management))
	org := &account.Organizations{Registry: h.accounts, Authorizer: h.authorizer}
	for _, id := range []string{owner, other} {
		must(org.CreateAccount(h.admin(management), &organizations.CreateAccountInput{
			AccountName: "account " + id, Email: id + "@example.com", Tags: []organizations.Tag{{Key: account.AccountIDTag, Value: id}},
		}))
	}
	for name, id := range map[string]string{"lake": owner, "lake2": owner, "foreign": other} {
		must(buckets.Create(ctx, bucket.CreateInput{Name: name, Account: id}))
	}
	return h
}

// founded is a house with an instance that knows the people, and a location for everything with a role that may do all.
func founded(t testing.TB, engine string) *house {
	t.Helper()
	h := open(t, engine)
	h.found()
	return h
}

func (h *house) found() {
	h.t.Helper()
	ctx := h.admin(owner)
	must(h.CreateAccessGrantsInstance(ctx, &s3control.CreateAccessGrantsInstanceInput{AccountId: owner, IdentityCenterArn: &h.identity.ARN}))
	h.locationRole("Location")
	h.location("s3://", "Location")
}

// PersonActive implements grants.People as the server does.
func (h *house) PersonActive(_ context.Context, id *caller.Identity) error {
	if err := h.directory.PersonActive(id); err != nil {
		return err
	}
	if id.ApplicationARN != "" && !h.center.ApplicationEnabled(id.ApplicationARN) {
		return errors.New("the application is disabled or gone")
	}
	return nil
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

type vault struct{ ring *session.Ring }

func (v vault) Vend(c *caller.Caller) (grants.Credentials, error) {
	creds, err := v.ring.Issue(c)
	return grants.Credentials(creds), err
}

// as is a request of a caller.
func (h *house) as(c *caller.Caller) context.Context {
	return caller.WithRequest(caller.With(h.t.Context(), c), &caller.Request{ID: uuid.NewString(), Region: region, Time: h.Now(), SourceIP: "192.0.2.7", Secure: true})
}

// admin is a request of the administrator of an account.
func (h *house) admin(id string) context.Context {
	h.t.Helper()
	for _, p := range must(h.accounts.Profiles(h.t.Context())) {
		if p.Account == id {
			_, c, err := h.accounts.Lookup(p.AccessKeyID)
			if err != nil {
				h.t.Fatal(err)
			}
			return h.as(c)
		}
	}
	h.t.Fatalf("account %s has no administrator", id)
	return nil
}

const trustService = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"access-grants.s3.amazonaws.com"},
	"Action":["sts:AssumeRole","sts:SetSourceIdentity","sts:SetContext"],
	"Condition":{"StringEquals":{"aws:SourceAccount":"` + owner + `","aws:SourceArn":"` + instanceARN + `"}}}]}`

const trustAccount = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"ACCOUNT"},"Action":"sts:AssumeRole"}]}`

func allow(actions string, resource string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["` + strings.ReplaceAll(actions, " ", `","`) + `"],"Resource":"` + resource + `"}]}`
}

// role makes a role with one inline policy, and returns a session of it.
func (h *house) role(id, name, policy string) *caller.Caller {
	h.t.Helper()
	r := h.makeRole(id, name, strings.Replace(trustAccount, "ACCOUNT", id, 1), policy)
	return &caller.Caller{
		Type: caller.AssumedRole, Account: id, ARN: arn.AssumedRole(id, name, "session"), PrincipalARN: r.Arn, UserID: r.RoleId + ":session",
		Session: &caller.Session{RoleARN: r.Arn, RoleID: r.RoleId, RoleName: name, Name: "session", Issued: h.Now(), Expires: h.Now().Add(12 * time.Hour)},
	}
}

func (h *house) makeRole(id, name, trust, policy string) *iam.Role {
	h.t.Helper()
	ctx := h.admin(id)
	out := must(h.iam.CreateRole(ctx, &iam.CreateRoleInput{RoleName: name, AssumeRolePolicyDocument: trust}))
	if policy != "" {
		must(h.iam.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: name, PolicyName: "own", PolicyDocument: policy}))
	}
	return out.Role
}

func (h *house) removeRole(id, name string) {
	h.t.Helper()
	ctx := h.admin(id)
	must(h.iam.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: name, PolicyName: "own"}))
	must(h.iam.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: name}))
}

// locationRole makes a role of the owner that access grants may take on and that may do everything in S3.
func (h *house) locationRole(name string) { h.makeRole(owner, name, trustService, allow("s3:*", "*")) }

func (h *house) location(text, role string) (id string) {
	h.t.Helper()
	out := must(h.CreateAccessGrantsLocation(h.admin(owner), &s3control.CreateAccessGrantsLocationInput{
		AccountId: owner, LocationScope: text, IAMRoleArn: arn.Role(owner, "/", role),
	}))
	return *out.AccessGrantsLocationId
}

// grantInput asks for a grant on the default location.
func grantInput(kind s3control.GranteeType, who, sub string, p s3control.Permission) *s3control.CreateAccessGrantInput {
	in := &s3control.CreateAccessGrantInput{
		AccountId: owner, AccessGrantsLocationId: "default", Permission: p,
		Grantee: &s3control.Grantee{GranteeType: &kind, GranteeIdentifier: &who},
	}
	if sub != "" {
		in.AccessGrantsLocationConfiguration = &s3control.AccessGrantsLocationConfiguration{S3SubPrefix: &sub}
	}
	return in
}

func (h *house) grant(in *s3control.CreateAccessGrantInput) (id string) {
	h.t.Helper()
	return *must(h.CreateAccessGrant(h.admin(owner), in)).AccessGrantId
}

func (h *house) person(name string) string {
	h.t.Helper()
	return must(h.directory.CreateUser(h.t.Context(), "test", directory.User{StoreID: h.identity.StoreID, UserName: name, Enabled: true})).ID
}

func (h *house) group(name string, members ...string) string {
	h.t.Helper()
	return must(h.directory.CreateGroup(h.t.Context(), "test", directory.Group{StoreID: h.identity.StoreID, DisplayName: name}, members...)).ID
}

func (h *house) application(name string) string {
	h.t.Helper()
	out := must(h.centerAdmin.CreateApplication(h.admin(owner), &ssoadmin.CreateApplicationInput{
		InstanceArn: h.identity.ARN, ApplicationProviderArn: center.ProviderCustom, Name: name,
	}))
	must(h.centerAdmin.PutApplicationAccessScope(h.admin(owner), &ssoadmin.PutApplicationAccessScopeInput{ApplicationArn: *out.ApplicationArn, Scope: center.ScopeAccessGrants}))
	return *out.ApplicationArn
}

// enhanced is a session of a role that acts for a person who came through an application.
func (h *house) enhanced(c *caller.Caller, user, application string) *caller.Caller {
	e := *c
	e.OnBehalf = &caller.Identity{
		UserID: user, IdentityStoreID: h.identity.StoreID, IdentityStoreARN: h.identity.StoreARN(), InstanceARN: h.identity.ARN,
		ApplicationARN: application, CredentialID: "credential", Grants: true,
	}
	return &e
}

// ask is GetDataAccess.
func (h *house) ask(c *caller.Caller, target string, p s3control.Permission, more ...func(*s3control.GetDataAccessInput)) (*s3control.GetDataAccessOutput, error) {
	in := &s3control.GetDataAccessInput{AccountId: owner, Target: target, Permission: p}
	for _, m := range more {
		m(in)
	}
	return h.GetDataAccess(h.as(c), in)
}

func minimal(in *s3control.GetDataAccessInput) { in.Privilege = new(s3control.PrivilegeMinimal) }
func object(in *s3control.GetDataAccessInput)  { in.TargetType = new(s3control.S3PrefixTypeObject) }
func lasting(seconds int) func(*s3control.GetDataAccessInput) {
	return func(in *s3control.GetDataAccessInput) { in.DurationSeconds = &seconds }
}

// vended is ask, and the session that the credentials open.
func (h *house) vended(c *caller.Caller, target string, p s3control.Permission, more ...func(*s3control.GetDataAccessInput)) *caller.Caller {
	h.t.Helper()
	out := must(h.ask(c, target, p, more...))
	secret, v, err := h.ring.Open(*out.Credentials.AccessKeyId, *out.Credentials.SessionToken)
	if err != nil || secret != *out.Credentials.SecretAccessKey {
		h.t.Fatalf("open what was vended: %v", err)
	}
	return v
}

// may asks what the gateway asks.
func (h *house) may(c *caller.Caller, action, resource string, prefix ...string) policy.Decision {
	v := policy.Values{}
	if len(prefix) > 0 {
		v.Set("s3:prefix", prefix...)
	}
	return h.authorizer.Decide(h.as(c), authz.Request{Action: action, Resource: resource, Account: owner, Context: v})
}

func (h *house) reads(c *caller.Caller, key string) bool {
	return h.may(c, "s3:GetObject", arn.Object("lake", key)).Allowed
}

// must is the result of a call that is to succeed. It panics, since a call with two results leaves no room for the test.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// wantError compares a modelled error with its code, status and the beginning of its message.
func wantError(t *testing.T, err error, code string, status int, message string) {
	t.Helper()
	e, ok := errors.AsType[*wire.Error](err)
	switch {
	case err == nil:
		t.Errorf("no error, want %s", code)
	case !ok:
		t.Errorf("not modelled: %v, want %s", err, code)
	case e.Code != code || e.Status != status || !strings.HasPrefix(e.Message, message):
		t.Errorf("got %d %s %q, want %d %s %q", e.Status, e.Code, e.Message, status, code, message)
	}
}

// wantDenied is wantError for the refusal that each protocol spells as its own, with the status 403.
func wantDenied(t *testing.T, err error, message string) {
	t.Helper()
	e, ok := errors.AsType[*wire.Error](err)
	if !ok || e.Kind != wire.KindAccessDenied || !strings.HasPrefix(e.Message, message) {
		t.Errorf("got %v, want AccessDenied %q", err, message)
	}
}

// reopen reads the grants anew, as a start does.
func (h *house) reopen() {
	h.t.Helper()
	h.Registry = must(grants.Open(h.t.Context(), h.db, region))
}
