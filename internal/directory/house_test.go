package directory_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/authz"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/directory"
	"github.com/lakegate/lakegate/internal/policy"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/store/storetest"
)

// The accounts: an organization of three, and one that is in none.
const (
	management = "222222222222"
	memberAcct = "111111111111"
	delegate   = "333333333333"
	outsider   = "999999999999"
)

// The identity stores: the organization's, and one of a member's own.
const (
	shared  = "d-0123456789"
	private = "d-aaaaaaaaaa"
)

// house is a directory with both services, whose clock the test moves.
type house struct {
	db       *store.DB
	dir      *directory.Directory
	service  *directory.Service
	tokens   *directory.TokenService
	policies policies
	clock    *atomic.Int64
}

func run(t *testing.T, test func(t *testing.T, h *house)) {
	t.Helper()
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) { test(t, open(t, storetest.URL(t, engine))) })
	}
}

func open(t testing.TB, url string) *house {
	t.Helper()
	keys, err := store.ParseKeys(storetest.Key)
	if err != nil {
		t.Fatal(err)
	}
	h := &house{clock: &atomic.Int64{}, policies: policies{}}
	h.clock.Store(time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC).UnixNano())
	ctx := context.Background()
	h.db, err = store.Open(ctx, store.Config{URL: url, Keys: keys, Now: func() time.Time { return time.Unix(0, h.clock.Load()).UTC() }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.db.Close() })
	if h.dir, err = directory.Open(ctx, h.db); err != nil {
		t.Fatal(err)
	}
	authorizer := &authz.Authorizer{Policies: h.policies}
	h.service = &directory.Service{Directory: h.dir, Accounts: accounts{}, Authorizer: authorizer}
	h.tokens = &directory.TokenService{Directory: h.dir, Accounts: accounts{}, Authorizer: authorizer, WebURL: "http://127.0.0.1:9421"}
	for id, account := range map[string]string{shared: management, private: memberAcct} {
		if _, ok := h.dir.StoreAccount(id); !ok {
			h.createStore(t, id, account)
		}
	}
	return h
}

func (h *house) createStore(t testing.TB, id, account string) {
	t.Helper()
	err := h.db.Update(context.Background(), func(tx *store.Tx) error { return h.dir.CreateStore(context.Background(), tx, id, account) })
	if err != nil {
		t.Fatal(err)
	}
}

func (h *house) pass(d time.Duration) { h.clock.Add(int64(d)) }

func (h *house) user(t testing.TB, name string) directory.User {
	t.Helper()
	u, err := h.dir.CreateUser(t.Context(), "test", directory.User{StoreID: shared, UserName: name, Enabled: true})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func (h *house) group(t testing.TB, name string, members ...string) directory.Group {
	t.Helper()
	g, err := h.dir.CreateGroup(t.Context(), "test", directory.Group{StoreID: shared, DisplayName: name}, members...)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// as is the context of a request by a role of an account, which may do everything unless a policy says otherwise.
func (h *house) as(t testing.TB, account string, policyText ...string) context.Context {
	t.Helper()
	text := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`
	if len(policyText) > 0 {
		text = policyText[0]
	}
	d, err := policy.Parse([]byte(text), policy.Identity)
	if err != nil {
		t.Fatal(err)
	}
	role := arn.Role(account, "/", "tester")
	h.policies[role] = policy.Policies{Identity: []policy.Named{{Name: "test", Document: d}}}
	ctx := caller.With(t.Context(), &caller.Caller{
		Type: caller.AssumedRole, Account: account, PrincipalARN: role, ARN: arn.AssumedRole(account, "tester", "s"), UserID: "AROATESTER:s",
	})
	return caller.WithRequest(ctx, &caller.Request{ID: "11111111-2222-3333-4444-555555555555", Region: "us-east-1"})
}

type policies map[string]policy.Policies

func (p policies) PoliciesOf(_ context.Context, c *caller.Caller) (policy.Policies, error) {
	return p[c.PrincipalARN], nil
}

type accounts struct{}

func (accounts) OrganizationOf(_ context.Context, account string) string {
	if account == outsider {
		return ""
	}
	return "o-test"
}

func (accounts) IsManagement(account string) bool { return account == management }

func (accounts) IsDelegated(account, service string) bool {
	return account == delegate && service == "sso.amazonaws.com"
}
