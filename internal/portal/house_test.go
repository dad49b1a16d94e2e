package portal_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/lakegate/lakegate/internal/api/sso"
	"github.com/lakegate/lakegate/internal/api/ssoadmin"
	"github.com/lakegate/lakegate/internal/authz"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/center"
	"github.com/lakegate/lakegate/internal/center/centertest"
	"github.com/lakegate/lakegate/internal/directory"
	"github.com/lakegate/lakegate/internal/policy"
	"github.com/lakegate/lakegate/internal/portal"
	"github.com/lakegate/lakegate/internal/session"
	"github.com/lakegate/lakegate/internal/store/storetest"
	"github.com/lakegate/lakegate/internal/token"
	"github.com/lakegate/lakegate/internal/trail"
	"github.com/lakegate/lakegate/internal/wire"
)

const (
	management = centertest.Management
	member     = centertest.Member
	other      = centertest.Other
	scope      = "sso:account:access"
	everything = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`
)

// house is an organization with a portal, whose policies are those of its real accounts.
type house struct {
	*centertest.House
	t      *testing.T
	ring   *session.Ring
	tokens *token.Service
	portal *portal.Service
	auth   *authz.Authorizer
	mux    wire.Mux
	mateo  string
}

func run(t *testing.T, test func(t *testing.T, h *house)) {
	t.Helper()
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) { test(t, open(t, storetest.URL(t, engine))) })
	}
}

func newHouse(t *testing.T) *house {
	t.Helper()
	return open(t, storetest.URL(t, "sqlite"))
}

func open(t *testing.T, url string) *house {
	t.Helper()
	h := &house{House: centertest.At(t, url), t: t}
	h.ring = must(session.OpenRing(t.Context(), h.DB))
	keys := must(token.OpenKeyring(t.Context(), h.DB, "ES256"))
	h.tokens = must(token.Open(t.Context(), token.Config{
		DB: h.DB, Center: h.Center, Directory: h.Directory, Contexts: h.ring, Authorizer: h.Authorizer, Keys: keys, WebURL: "https://gate.example.com",
	}))
	h.portal = &portal.Service{Tokens: h.tokens, Center: h.Center, Directory: h.Directory, Accounts: h.Registry, Vault: h.ring, Now: h.Now}
	h.auth = &authz.Authorizer{Policies: h.Registry, Limits: standing{h.portal}}
	h.mux.Mount(sso.Model, sso.Operations(h.portal))
	h.mateo = h.Person(t, "mateo", "")
	return h
}

// standing is the portal as authz asks for it.
type standing struct{ *portal.Service }

func (s standing) LimitsOf(_ context.Context, c *caller.Caller) ([]policy.Named, error) {
	return nil, s.Standing(c)
}

// set makes a permission set with every permission.
func (h *house) set(name string) string {
	h.t.Helper()
	ctx := h.As(h.t.Context(), management, "Admin")
	out := must(h.Service.CreatePermissionSet(ctx, &ssoadmin.CreatePermissionSetInput{InstanceArn: h.Instance.ARN, Name: name, SessionDuration: new("PT2H")}))
	arn := *out.PermissionSet.PermissionSetArn
	must(h.Service.PutInlinePolicyToPermissionSet(ctx, &ssoadmin.PutInlinePolicyToPermissionSetInput{InstanceArn: h.Instance.ARN, PermissionSetArn: arn, InlinePolicy: everything}))
	return arn
}

func (h *house) assign(set, account, kind, principal string) {
	h.t.Helper()
	ctx := h.As(h.t.Context(), management, "Admin")
	out := must(h.Service.CreateAccountAssignment(ctx, &ssoadmin.CreateAccountAssignmentInput{
		InstanceArn: h.Instance.ARN, PermissionSetArn: set, TargetId: account, TargetType: "AWS_ACCOUNT", PrincipalType: ssoadmin.PrincipalType(kind), PrincipalId: principal,
	}))
	id := out.AccountAssignmentCreationStatus.RequestId
	s := must(h.Service.DescribeAccountAssignmentCreationStatus(ctx, &ssoadmin.DescribeAccountAssignmentCreationStatusInput{InstanceArn: h.Instance.ARN, AccountAssignmentCreationRequestId: *id}))
	if got := *s.AccountAssignmentCreationStatus.Status; got != "SUCCEEDED" {
		h.t.Fatalf("assign: %s", got)
	}
}

func (h *house) unassign(set, account, kind, principal string) {
	h.t.Helper()
	must(h.Service.DeleteAccountAssignment(h.As(h.t.Context(), management, "Admin"), &ssoadmin.DeleteAccountAssignmentInput{
		InstanceArn: h.Instance.ARN, PermissionSetArn: set, TargetId: account, TargetType: "AWS_ACCOUNT", PrincipalType: ssoadmin.PrincipalType(kind), PrincipalId: principal,
	}))
}

// signIn gives a person of the organization's instance an access token.
func (h *house) signIn(user string, scopes ...string) string {
	h.t.Helper()
	return h.signInAt(h.Instance, user, scopes...)
}

func (h *house) signInAt(i *center.Instance, user string, scopes ...string) string {
	h.t.Helper()
	out := must(h.tokens.IssueAccess(h.t.Context(), token.Access{
		Client: "a-command-line", Scopes: scopes,
		Person: caller.Identity{UserID: user, IdentityStoreID: i.StoreID, IdentityStoreARN: i.StoreARN(), InstanceARN: i.ARN},
	}, true))
	return out.AccessToken
}

// reply is an answer as it is on the wire.
type reply struct {
	status int
	code   string
	header http.Header
	record record
	body   []byte
}

type record struct {
	EventSource, EventName, EventType string
	UserIdentity                      struct {
		Type, AccountID, CredentialID string
		OnBehalfOf                    struct{ UserID, IdentityStoreArn string }
	}
	RequestParameters   map[string]any
	ServiceEventDetails map[string]string
	AdditionalEventData map[string]any
	Resources           []trail.Resource
	Text                string `json:"-"`
}

// ask makes a request as it comes over the wire, and reads its answer and its record.
func (h *house) ask(method, path, bearer string, query ...string) *reply {
	h.t.Helper()
	q := url.Values{}
	for i := 0; i+1 < len(query); i += 2 {
		q.Set(query[i], query[i+1])
	}
	r := httptest.NewRequestWithContext(h.t.Context(), method, path+"?"+q.Encode(), nil)
	if bearer != "" {
		r.Header.Set("X-Amz-Sso_bearer_token", bearer)
	}
	call, ok := h.mux.Name(r, nil, "")
	if !ok {
		h.t.Fatalf("%s %s is for none of the operations", method, path)
	}
	ctx := caller.WithRequest(h.t.Context(), &caller.Request{ID: uuid.NewString(), Region: centertest.Region, Time: h.Now(), SourceIP: "192.0.2.7"})
	ctx, entry := h.Trail.Begin(ctx, trail.Operation{Source: call.Service.EventSource, Name: call.Operation.Name, ReadOnly: call.Operation.ReadOnly})
	ctx, ledger := authz.WithLedger(ctx)
	w := httptest.NewRecorder()
	in, err := call.Decode(r, nil)
	var out any
	if err == nil {
		entry.Parameters(wire.Parameters(in))
		if out, err = call.Invoke(ctx, in); !ledger.Asked() {
			h.t.Errorf("%s asked for no authorisation", call.Operation.Name)
		}
	}
	if err != nil {
		call.WriteError(w, "request", err)
	} else if err := call.WriteOutput(w, "request", out); err != nil {
		h.t.Fatal(err)
	}
	got := &reply{status: w.Code, header: w.Header(), code: w.Header().Get("X-Amzn-Errortype")}
	got.body, _ = io.ReadAll(w.Body)
	account := management
	if got.code == "UnauthorizedException" || got.code == "InvalidRequestException" {
		account = "" // whose it is is not always known
	}
	if account != "" {
		text := h.Record(h.t, ctx, entry, call.Spell(err), account).Text
		if err := json.Unmarshal([]byte(text), &got.record); err != nil {
			h.t.Fatal(err)
		}
		got.record.Text = text
	}
	return got
}

func (r *reply) read(t *testing.T, v any) {
	t.Helper()
	if r.status != http.StatusOK {
		t.Fatalf("status %d: %s", r.status, r.body)
	}
	if err := json.Unmarshal(r.body, v); err != nil {
		t.Fatalf("%v: %s", err, r.body)
	}
}

func (r *reply) want(t *testing.T, status int, code string) {
	t.Helper()
	if r.status != status || r.code != code {
		t.Errorf("got %d %s (%s), want %d %s", r.status, r.code, r.body, status, code)
	}
}

func (h *house) accounts(bearer string) (ids []string) {
	h.t.Helper()
	var out struct {
		AccountList []struct{ AccountID, AccountName, EmailAddress string }
	}
	h.ask("GET", "/assignment/accounts", bearer).read(h.t, &out)
	for _, a := range out.AccountList {
		if a.AccountName == "" || a.EmailAddress == "" {
			h.t.Errorf("an account has no name or address: %+v", a)
		}
		ids = append(ids, a.AccountID)
	}
	return ids
}

func (h *house) roles(bearer, account string) (names []string) {
	h.t.Helper()
	var out struct {
		RoleList []struct{ RoleName, AccountID string }
	}
	h.ask("GET", "/assignment/roles", bearer, "account_id", account).read(h.t, &out)
	for _, r := range out.RoleList {
		names = append(names, r.RoleName)
	}
	return names
}

type credentials struct {
	AccessKeyID, SecretAccessKey, SessionToken string
	Expiration                                 int64
}

func (h *house) credentials(bearer, account, role string) credentials {
	h.t.Helper()
	var out struct{ RoleCredentials credentials }
	h.ask("GET", "/federation/credentials", bearer, "account_id", account, "role_name", role).read(h.t, &out)
	return out.RoleCredentials
}

// within is who requests are made by with the credentials.
func (h *house) within(c credentials) *caller.Caller {
	h.t.Helper()
	secret, who, err := h.ring.Open(c.AccessKeyID, c.SessionToken)
	if err != nil || secret != c.SecretAccessKey {
		h.t.Fatalf("open session: %v", err)
	}
	return who
}

// may reports whether a session may do something, and why not.
func (h *house) may(who *caller.Caller) error {
	return h.auth.Authorize(caller.With(h.t.Context(), who), authz.Request{Action: "s3:ListAllMyBuckets", Resource: "*"})
}

func (h *house) disable(user string) {
	h.t.Helper()
	must(h.Directory.ChangeUser(h.t.Context(), "test", h.Instance.StoreID, user, func(u *directory.User) error { u.Enabled = false; return nil }))
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

const day = 24 * time.Hour
