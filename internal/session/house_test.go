package session_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/lakegate/lakegate/internal/account"
	"github.com/lakegate/lakegate/internal/api/iam"
	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/authz"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/session"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/store/storetest"
	"github.com/lakegate/lakegate/internal/wire"
)

const management = "222222222222"

// house is sts over real accounts, with a clock that the test holds and people who can be sent away.
type house struct {
	t           *testing.T
	now         time.Time
	db          *store.DB
	registry    *account.Registry
	iam         *account.IAM
	ring        *session.Ring
	sts         *session.Service
	revocations *session.Revocations
	gone        map[string]bool // user ids that may not act
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), gone: map[string]bool{}}
	db := openAt(t, "sqlite", &h.now)
	h.db = db
	var err error
	if h.registry, err = account.Open(t.Context(), account.Config{DB: db}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.registry.Bootstrap(t.Context(), management); err != nil {
		t.Fatal(err)
	}
	if h.ring, err = session.OpenRing(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	authorizer := &authz.Authorizer{Policies: h.registry, Tags: h.registry, Organizations: h.registry}
	h.iam = &account.IAM{Registry: h.registry, Authorizer: authorizer}
	if h.revocations, err = session.OpenRevocations(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	h.sts = &session.Service{Ring: h.ring, Revocations: h.revocations, Accounts: principals{h.registry}, People: h, Authorizer: authorizer, Now: func() time.Time { return h.now }}
	return h
}

// openAt opens an empty database with the clock of the test.
func openAt(t *testing.T, engine string, now *time.Time) *store.DB {
	t.Helper()
	db := must(store.Open(context.Background(), store.Config{
		URL: storetest.URL(t, engine), Keys: must(store.ParseKeys(storetest.Key)), Now: func() time.Time { return *now },
	}))
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// PersonActive implements session.People.
func (h *house) PersonActive(_ context.Context, id *caller.Identity) error {
	if h.gone[id.UserID] {
		return errors.New("the user is disabled")
	}
	return nil
}

// principals is the registry as the server gives it to sts.
type principals struct{ *account.Registry }

func (p principals) RoleToAssume(name string) (session.Role, bool) {
	r, ok := p.RoleByARN(name)
	return session.Role{ARN: r.ARN, ID: r.ID, Name: r.Name, Account: r.Account, Trust: r.Trust, MaxDuration: r.MaxDuration, Tags: r.Tags}, ok
}

func (p principals) OIDCProviderOf(account, issuer string) (session.Provider, bool) {
	o, ok := p.OIDCProvider(account, issuer)
	if !ok {
		return session.Provider{}, false
	}
	return session.Provider{ARN: o.ARN(), Name: o.Name, Clients: o.Clients}, true
}

func (h *house) admin() context.Context {
	h.t.Helper()
	profiles := must(h.registry.Profiles(h.t.Context()))
	_, c, err := h.registry.Lookup(profiles[0].AccessKeyID)
	if err != nil {
		h.t.Fatal(err)
	}
	return caller.With(h.t.Context(), c)
}

// user is a request of a new user with one policy.
func (h *house) user(name string, statements ...statement) context.Context {
	h.t.Helper()
	ctx := h.admin()
	must(h.iam.CreateUser(ctx, &iam.CreateUserInput{UserName: name}))
	must(h.iam.PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: name, PolicyName: "own", PolicyDocument: document(statements...)}))
	key := must(h.iam.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: &name}))
	_, c, err := h.registry.Lookup(key.AccessKey.AccessKeyId)
	if err != nil {
		h.t.Fatal(err)
	}
	return caller.With(h.t.Context(), c)
}

func (h *house) role(name string, trust ...statement) string {
	h.t.Helper()
	out := must(h.iam.CreateRole(h.admin(), &iam.CreateRoleInput{RoleName: name, AssumeRolePolicyDocument: document(trust...)}))
	return out.Role.Arn
}

// within is a request signed with the credentials of a session.
func (h *house) within(accessKeyID, token string) context.Context {
	h.t.Helper()
	_, c, err := h.ring.Open(accessKeyID, token)
	if err != nil {
		h.t.Fatal(err)
	}
	return caller.With(h.t.Context(), c)
}

type statement map[string]any

func document(s ...statement) string {
	return string(must(json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": s})))
}

// trust is a statement of a role's trust policy for the account's own principals.
func trust(actions ...string) statement {
	return statement{"Effect": "Allow", "Principal": map[string]string{"AWS": arn.Root(management)}, "Action": actions}
}

func allow(actions ...string) statement {
	return statement{"Effect": "Allow", "Action": actions, "Resource": "*"}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func code(err error) string {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*wire.Error](err); ok {
		return e.Code
	}
	return "not modelled: " + err.Error()
}

func wantCode(t *testing.T, err error, want string) {
	t.Helper()
	if got := code(err); got != want {
		t.Errorf("got %q (%v), want %q", got, err, want)
	}
}

func ptr[T any](v T) *T { return &v }
