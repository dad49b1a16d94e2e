// Package centertest opens an identity center for tests: an organization of three accounts with the organization's
// instance, a directory, and an authorizer that asks real policies.
package centertest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/lakegate/lakegate/internal/account"
	"github.com/lakegate/lakegate/internal/api/organizations"
	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/authz"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/center"
	"github.com/lakegate/lakegate/internal/directory"
	"github.com/lakegate/lakegate/internal/policy"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/store/storetest"
	"github.com/lakegate/lakegate/internal/trail"
)

// The accounts of the organization, and one that is in none.
const (
	Management = "222222222222"
	Member     = "111111111111"
	Other      = "333333333333"
	Outsider   = "999999999999"
)

// Region is where the house stands.
const Region = "us-east-1"

// House is everything that a test of the identity center needs.
type House struct {
	DB         *store.DB
	Directory  *directory.Directory
	Center     *center.Center
	Service    *center.Service
	Authorizer *authz.Authorizer
	Accounts   *Accounts
	// Registry is where permission sets are provisioned. It knows the same accounts as Accounts.
	Registry *account.Registry
	Trail    *trail.Trail
	// Instance is the organization's.
	Instance *center.Instance

	clock    *clock
	trailDir string
}

type clock struct{ ns atomic.Int64 }

func (c *clock) now() time.Time { return time.Unix(0, c.ns.Load()).UTC() }

// Start is the time at which a house is opened.
var Start = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)

// Run runs the test once on each engine.
func Run(t *testing.T, test func(t *testing.T, h *House)) {
	t.Helper()
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) { test(t, open(t, storetest.URL(t, engine), center.Quotas{})) })
	}
}

// New opens a house on SQLite.
func New(t testing.TB) *House {
	t.Helper()
	return open(t, storetest.URL(t, "sqlite"), center.Quotas{})
}

// WithQuotas opens a house with small quotas.
func WithQuotas(t testing.TB, q center.Quotas) *House {
	t.Helper()
	return open(t, storetest.URL(t, "sqlite"), q)
}

// At opens a house on a database that may have been used before.
func At(t testing.TB, url string) *House {
	t.Helper()
	return open(t, url, center.Quotas{})
}

func open(t testing.TB, url string, q center.Quotas) *House {
	t.Helper()
	h := &House{clock: &clock{}, Accounts: newAccounts()}
	h.clock.ns.Store(Start.UnixNano())
	keys, err := store.ParseKeys(storetest.Key)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	if h.DB, err = store.Open(ctx, store.Config{URL: url, Keys: keys, Now: h.clock.now}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.DB.Close() })
	h.trailDir = t.TempDir()
	if h.Trail, err = trail.Open(ctx, trail.Config{DB: h.DB, Dir: h.trailDir, Retention: time.Hour}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Trail.Close() })
	if h.Directory, err = directory.Open(ctx, h.DB); err != nil {
		t.Fatal(err)
	}
	h.openRegistry(t)
	h.Center, err = center.Open(ctx, center.Config{DB: h.DB, Directory: h.Directory, Roles: h.Registry, Region: Region, Quotas: q})
	if err != nil {
		t.Fatal(err)
	}
	if h.Instance, err = h.Center.Bootstrap(ctx, Management); err != nil {
		t.Fatal(err)
	}
	h.Authorizer = &authz.Authorizer{Policies: h.Accounts, Revision: h.DB.Revision}
	h.Service = &center.Service{Center: h.Center, Accounts: h.Accounts, Authorizer: h.Authorizer}
	return h
}

// openRegistry opens the accounts of the organization, and makes them in a new database.
func (h *House) openRegistry(t testing.TB) {
	t.Helper()
	ctx := context.Background()
	var err error
	if h.Registry, err = account.Open(ctx, account.Config{DB: h.DB}); err != nil {
		t.Fatal(err)
	}
	first, err := h.Registry.Bootstrap(ctx, Management)
	if err != nil {
		t.Fatal(err)
	}
	if first == nil {
		return
	}
	for _, id := range []string{Member, Other} {
		_, err := h.Organizations().CreateAccount(h.Administrator(t, Management), &organizations.CreateAccountInput{
			AccountName: "account " + id, Email: id + "@example.com", Tags: []organizations.Tag{{Key: account.AccountIDTag, Value: id}},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// registryAuthorizer asks the policies of the registry, not those of Accounts.
func (h *House) registryAuthorizer() *authz.Authorizer {
	return &authz.Authorizer{Policies: h.Registry}
}

// Organizations is the service over the registry, for its administrators.
func (h *House) Organizations() *account.Organizations {
	return &account.Organizations{Registry: h.Registry, Authorizer: h.registryAuthorizer()}
}

// IAM is the service over the registry, for its administrators.
func (h *House) IAM() *account.IAM {
	return &account.IAM{Registry: h.Registry, Authorizer: h.registryAuthorizer()}
}

// Administrator is a request of the user who may do everything in an account of the registry.
func (h *House) Administrator(t testing.TB, id string) context.Context {
	t.Helper()
	profiles, err := h.Registry.Profiles(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range profiles {
		if p.Account == id {
			_, c, err := h.Registry.Lookup(p.AccessKeyID)
			if err != nil {
				t.Fatal(err)
			}
			return caller.With(t.Context(), c)
		}
	}
	t.Fatalf("account %s has no administrator", id)
	return nil
}

// Pass lets time go by.
func (h *House) Pass(d time.Duration) { h.clock.ns.Add(int64(d)) }

// Now is the time in the house.
func (h *House) Now() time.Time { return h.clock.now() }

// As returns the context of a request by a role of an account. The role is made when it is first used, with every
// permission.
func (h *House) As(ctx context.Context, account, role string) context.Context {
	ctx, _, _ = h.Request(ctx, account, role)
	return ctx
}

// Request is As with the entry and the ledger of the request.
func (h *House) Request(ctx context.Context, account, role string) (context.Context, *trail.Entry, *authz.Ledger) {
	name := arn.Role(account, "/", role)
	id := h.Accounts.role(name)
	ctx, entry := h.Trail.Begin(ctx, trail.Operation{Source: "test"})
	ctx, ledger := authz.WithLedger(ctx)
	who := &caller.Caller{
		Type: caller.AssumedRole, Account: account, ARN: arn.AssumedRole(account, role, "session"), PrincipalARN: name, UserID: id + ":session",
		Session: &caller.Session{RoleARN: name, RoleID: id, RoleName: role, Name: "session", Issued: h.Now(), Expires: h.Now().Add(time.Hour)},
	}
	entry.Caller(who)
	ctx = caller.WithRequest(caller.With(ctx, who), &caller.Request{ID: uuid.NewString(), Region: Region, Time: h.Now(), SourceIP: "192.0.2.7"})
	return ctx, entry, ledger
}

// Record ends a request and returns its record as the audit log has it: the copy of the account.
func (h *House) Record(t testing.TB, ctx context.Context, e *trail.Entry, failure error, account string) (r Record) {
	t.Helper()
	if err := h.Trail.Finish(ctx, e, failure); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(h.trailDir, "*.jsonl"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no audit log: %v", err)
	}
	text, err := os.ReadFile(files[len(files)-1])
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var x Record
		if err := json.Unmarshal([]byte(line), &x); err != nil {
			t.Fatal(err)
		}
		if x.RequestID == caller.RequestFrom(ctx).ID && x.Account == account {
			r, r.Text = x, line
		}
	}
	if r.Text == "" {
		t.Fatalf("the request has no record in account %s", account)
	}
	return r
}

// Record is what tests read of a record.
type Record struct {
	RequestID string `json:"requestID"`
	Account   string `json:"recipientAccountId"`
	Extra     struct {
		Reason      string       `json:"reason"`
		Steps       []trail.Step `json:"steps"`
		Person      string       `json:"identitystore:UserId"`
		PersonName  string       `json:"personUserName"`
		Application string       `json:"applicationArn"`
		Credential  string       `json:"identitycenter:CredentialId"`
	} `json:"additionalEventData"`
	Resources []trail.Resource `json:"resources"`
	Text      string           `json:"-"`
}

// Person adds a person to the organization's directory, with an external id, and returns the user's id.
func (h *House) Person(t testing.TB, userName, externalID string) string {
	t.Helper()
	u := directory.User{StoreID: h.Instance.StoreID, UserName: userName, Enabled: true}
	if externalID != "" {
		u.ExternalIDs = []directory.ExternalID{{Issuer: "scim", ID: externalID}}
	}
	u, err := h.Directory.CreateUser(t.Context(), "test", u)
	if err != nil {
		t.Fatal(err)
	}
	return u.ID
}

// Group adds a group with members and returns its id.
func (h *House) Group(t testing.TB, name string, members ...string) string {
	t.Helper()
	g, err := h.Directory.CreateGroup(t.Context(), "test", directory.Group{StoreID: h.Instance.StoreID, DisplayName: name}, members...)
	if err != nil {
		t.Fatal(err)
	}
	return g.ID
}

// Accounts stands for the organization and IAM: which accounts there are, which roles, and what they may.
type Accounts struct {
	mu        sync.Mutex
	delegated map[string]bool
	roles     map[string]string // ARN → id
	policies  map[string]policy.Policies
	made      int
}

const everything = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`

func newAccounts() *Accounts {
	return &Accounts{delegated: map[string]bool{}, roles: map[string]string{}, policies: map[string]policy.Policies{}}
}

func identity(text string) policy.Policies {
	d, err := policy.Parse([]byte(text), policy.Identity)
	if err != nil {
		panic(err)
	}
	return policy.Policies{Identity: []policy.Named{{Name: "test", Document: d}}}
}

func (a *Accounts) role(name string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if id, ok := a.roles[name]; ok {
		return id
	}
	a.made++
	a.roles[name] = fmt.Sprintf("AROA%017d", a.made)
	a.policies[name] = identity(everything)
	return a.roles[name]
}

// Role makes a role with a policy of its own; "" for none.
func (a *Accounts) Role(account, role, text string) (arnOfRole string) {
	name := arn.Role(account, "/", role)
	a.role(name)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.policies[name] = policy.Policies{}
	if text != "" {
		a.policies[name] = identity(text)
	}
	return name
}

// Remove deletes a role.
func (a *Accounts) Remove(account, role string) {
	name := arn.Role(account, "/", role)
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.roles, name)
	delete(a.policies, name)
}

// Delegate makes an account a delegated administrator.
func (a *Accounts) Delegate(account string) { a.delegated[account] = true }

// PoliciesOf implements authz.Policies.
func (a *Accounts) PoliciesOf(_ context.Context, c *caller.Caller) (policy.Policies, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	p, ok := a.policies[c.PrincipalARN]
	if !ok || !strings.HasPrefix(c.UserID, a.roles[c.PrincipalARN]+":") {
		return p, fmt.Errorf("the role %s is gone", c.PrincipalARN)
	}
	return p, nil
}

// OrganizationOf implements center.Accounts.
func (a *Accounts) OrganizationOf(_ context.Context, account string) string {
	if account == Management || account == Member || account == Other {
		return "o-test"
	}
	return ""
}

// IsManagement implements center.Accounts.
func (a *Accounts) IsManagement(account string) bool { return account == Management }

// IsDelegated implements center.Accounts.
func (a *Accounts) IsDelegated(account, service string) bool {
	return a.delegated[account] && service == "sso.amazonaws.com"
}

// ResolvePrincipals implements center.Accounts.
func (a *Accounts) ResolvePrincipals(d *policy.Document) (ids map[string]string, invalid string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	ids = map[string]string{}
	for _, s := range d.Statements() {
		for _, p := range s.Principals {
			if p.Type != "AWS" || !strings.Contains(p.Value, ":role/") {
				continue
			}
			id, ok := a.roles[p.Value]
			if !ok {
				return nil, p.Value
			}
			ids[p.Value] = id
		}
	}
	return ids, ""
}
