package account_test

import (
	"context"
	"errors"
	"testing"

	"github.com/lakegate/lakegate/internal/account"
	"github.com/lakegate/lakegate/internal/api/iam"
	"github.com/lakegate/lakegate/internal/api/organizations"
	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/authz"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/store/storetest"
	"github.com/lakegate/lakegate/internal/wire"
)

const (
	management = "222222222222"
	member     = "111111111111"
	other      = "333333333333"
)

func open(t testing.TB, db *store.DB, created func(context.Context, account.Profile)) *account.Registry {
	t.Helper()
	r, err := account.Open(t.Context(), account.Config{DB: db, OnAccountCreated: created})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// house is the registry with the services and the authorizer on it, and three accounts.
type house struct {
	t          *testing.T
	db         *store.DB
	registry   *account.Registry
	iam        *account.IAM
	org        *account.Organizations
	authorizer *authz.Authorizer
}

func newHouse(t *testing.T, db *store.DB) *house {
	t.Helper()
	h := &house{t: t, db: db, registry: open(t, db, nil)}
	h.authorizer = &authz.Authorizer{Policies: h.registry, Tags: h.registry, Organizations: h.registry}
	h.iam = &account.IAM{Registry: h.registry, Authorizer: h.authorizer}
	h.org = &account.Organizations{Registry: h.registry, Authorizer: h.authorizer}
	if _, err := h.registry.Bootstrap(t.Context(), management); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{member, other} {
		must(h.org.CreateAccount(h.admin(management), &organizations.CreateAccountInput{
			AccountName: "account " + id, Email: id + "@example.com", Tags: []organizations.Tag{{Key: account.AccountIDTag, Value: id}},
		}))
	}
	return h
}

func house1(t *testing.T) *house { return newHouse(t, storetest.New(t)) }

// admin is a request of the administrator of an account.
func (h *house) admin(id string) context.Context {
	h.t.Helper()
	profiles, err := h.registry.Profiles(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	for _, p := range profiles {
		if p.Account == id {
			return h.key(p.AccessKeyID)
		}
	}
	h.t.Fatalf("account %s has no administrator", id)
	return nil
}

// key is a request signed with a long-term key.
func (h *house) key(id string) context.Context {
	h.t.Helper()
	_, c, err := h.registry.Lookup(id)
	if err != nil {
		h.t.Fatalf("key %s: %v", id, err)
	}
	return caller.With(h.t.Context(), c)
}

// user makes a user of the member account with one inline policy, "" for none, and returns a request of it.
func (h *house) user(name, policy string) context.Context {
	h.t.Helper()
	ctx := h.admin(member)
	must(h.iam.CreateUser(ctx, &iam.CreateUserInput{UserName: name}))
	if policy != "" {
		must(h.iam.PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: name, PolicyName: "own", PolicyDocument: policy}))
	}
	k := must(h.iam.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: &name}))
	return h.key(k.AccessKey.AccessKeyId)
}

// role makes a role of the member account that trusts the account itself, with one inline policy.
func (h *house) role(name, policy string) *iam.Role {
	h.t.Helper()
	ctx := h.admin(member)
	out := must(h.iam.CreateRole(ctx, &iam.CreateRoleInput{RoleName: name, AssumeRolePolicyDocument: trusting(arn.Root(member))}))
	if policy != "" {
		must(h.iam.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: name, PolicyName: "own", PolicyDocument: policy}))
	}
	return out.Role
}

// session is a caller in a session of a role, as sts makes them.
func session(r *iam.Role, account string) *caller.Caller {
	return &caller.Caller{
		Type: caller.AssumedRole, Account: account, ARN: arn.AssumedRole(account, r.RoleName, "s"), PrincipalARN: r.Arn, UserID: r.RoleId + ":s",
		Session: &caller.Session{RoleARN: r.Arn, RoleID: r.RoleId, RoleName: r.RoleName, Name: "s"},
	}
}

// may asks the authorizer whether a caller may do something to a thing of the member account.
func (h *house) may(c *caller.Caller, action, resource string) bool {
	return h.authorizer.Decide(caller.With(h.t.Context(), c), authz.Request{Action: action, Resource: resource, Account: member}).Allowed
}

func trusting(principal string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + principal + `"},"Action":"sts:AssumeRole"}]}`
}

func allow(action, resource string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"` + action + `","Resource":"` + resource + `"}]}`
}

// must is the result of a call that is to succeed. It panics, since a call with two results leaves no room for the test.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// code is the code of a modelled error, "" for success.
func code(err error) string {
	if err == nil {
		return ""
	}
	e, ok := errors.AsType[*wire.Error](err)
	if !ok {
		return "not modelled: " + err.Error()
	}
	return e.Code
}

func wantCode(t *testing.T, err error, want string) {
	t.Helper()
	if got := code(err); got != want {
		t.Errorf("got %q (%v), want %q", got, err, want)
	}
}
