package ldap_test

import (
	"context"
	"errors"
	"testing"

	"github.com/lakegate/lakegate/internal/api/lakegate"
	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/authz"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/directory"
	"github.com/lakegate/lakegate/internal/ldap"
	"github.com/lakegate/lakegate/internal/ldap/slapdtest"
	"github.com/lakegate/lakegate/internal/policy"
	"github.com/lakegate/lakegate/internal/wire"
)

const (
	member   = "111111111111"
	stranger = "999999999999"
)

type accounts struct{}

func (accounts) OrganizationOf(_ context.Context, account string) string {
	if account == stranger {
		return ""
	}
	return "o-test"
}
func (accounts) IsManagement(a string) bool { return a == account }
func (accounts) IsDelegated(string, string) bool {
	return false
}

type policies map[string]policy.Policies

func (p policies) PoliciesOf(_ context.Context, c *caller.Caller) (policy.Policies, error) {
	return p[c.PrincipalARN], nil
}

// desk is the service of a house, and who may call it.
type desk struct {
	*ldap.SyncService
	policies policies
}

func newDesk(h *house, source *ldap.Source) *desk {
	d := &desk{policies: policies{}}
	tokens := &directory.TokenService{Directory: h.dir, Accounts: accounts{}, Authorizer: &authz.Authorizer{Policies: d.policies}}
	d.SyncService = &ldap.SyncService{Source: source, Stores: tokens}
	return d
}

// as is the context of a request by a role of an account that may do what an action says.
func (d *desk) as(t *testing.T, account, action string) context.Context {
	t.Helper()
	doc, err := policy.Parse([]byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"`+action+`","Resource":"*"}}`), policy.Identity)
	if err != nil {
		t.Fatal(err)
	}
	role := arn.Role(account, "/", "tester")
	d.policies[role] = policy.Policies{Identity: []policy.Named{{Name: "test", Document: doc}}}
	return caller.With(t.Context(), &caller.Caller{Type: caller.AssumedRole, Account: account, PrincipalARN: role, ARN: arn.AssumedRole(account, "tester", "s"), UserID: "AROATESTER:s"})
}

func codeOf(err error) string {
	if e, ok := errors.AsType[*wire.Error](err); ok {
		if e.Kind == wire.KindAccessDenied {
			return "AccessDenied"
		}
		return e.Code
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

func TestServiceRunsTheSource(t *testing.T) {
	s, h := one(t, nil)
	s.Group("readers", s.Person("alice"))
	d := newDesk(h, h.source)
	ctx := d.as(t, account, "lakegate:*")
	dry := true
	started, err := d.StartDirectorySync(ctx, &lakegate.StartDirectorySyncInput{DryRun: &dry})
	if err != nil {
		t.Fatal(err)
	}
	h.ended(t, h.source, started.SyncId)
	out, err := d.DescribeDirectorySync(ctx, &lakegate.DescribeDirectorySyncInput{SyncId: started.SyncId})
	if err != nil {
		t.Fatal(err)
	}
	if out.Sync.State != "SUCCEEDED" || !out.Sync.DryRun || *out.Sync.ChangeCount != 3 || len(out.Changes) != 3 || out.Counts["CreateUser"] != 1 || out.Sync.EndedAt == nil {
		t.Errorf("the run is told as %+v", out.Sync)
	}
	list, err := d.ListDirectorySyncs(ctx, &lakegate.ListDirectorySyncsInput{})
	if err != nil || len(list.Syncs) != 1 || list.Syncs[0].SyncId != started.SyncId || *list.Syncs[0].StartedBy != arn.AssumedRole(account, "tester", "s") {
		t.Errorf("the list is %+v, %v", list, err)
	}
	if _, err := d.DescribeDirectorySync(ctx, &lakegate.DescribeDirectorySyncInput{SyncId: "no-such-run"}); codeOf(err) != "ResourceNotFoundException" {
		t.Errorf("a run that is not there: %v", err)
	}
}

// TestServiceIsTheOwners: nobody else starts a run or learns of one, and neither does the owner without permission.
func TestServiceIsTheOwners(t *testing.T) {
	s := slapdtest.Start(t)
	s.Person("alice")
	h := open(t, t.TempDir()+"/lakegate.db", onOpenLDAP(s))
	run := h.wantSync(t, 1)
	d := newDesk(h, h.source)
	operations := map[string]func(context.Context) error{
		"StartDirectorySync": func(ctx context.Context) error {
			_, err := d.StartDirectorySync(ctx, &lakegate.StartDirectorySyncInput{})
			return err
		},
		"DescribeDirectorySync": func(ctx context.Context) error {
			_, err := d.DescribeDirectorySync(ctx, &lakegate.DescribeDirectorySyncInput{SyncId: run.ID})
			return err
		},
		"ListDirectorySyncs": func(ctx context.Context) error {
			_, err := d.ListDirectorySyncs(ctx, &lakegate.ListDirectorySyncsInput{})
			return err
		},
	}
	for name, call := range operations {
		for _, c := range []struct{ who, action, code string }{
			{account, "lakegate:Why", "AccessDenied"},
			{member, "*", "AccessDenied"},
			{stranger, "*", "ResourceNotFoundException"},
		} {
			if err := call(d.as(t, c.who, c.action)); codeOf(err) != c.code {
				t.Errorf("%s as %s with %s: %v, want %s", name, c.who, c.action, err, c.code)
			}
		}
		if err := call(d.as(t, account, "lakegate:"+name)); err != nil {
			t.Errorf("%s as the owner: %v", name, err)
		}
	}
	if runs := must(h.source.Runs(t.Context(), 10)); len(runs) != 2 {
		t.Errorf("%d runs, want the first and the owner's", len(runs))
	}
}

func TestServiceWithoutASource(t *testing.T) {
	s := slapdtest.Start(t)
	h := open(t, t.TempDir()+"/lakegate.db", onOpenLDAP(s))
	d := newDesk(h, nil)
	_, err := d.StartDirectorySync(d.as(t, account, "lakegate:*"), &lakegate.StartDirectorySyncInput{})
	if e, ok := errors.AsType[*wire.Error](err); !ok || e.Message != "No LDAP source is configured." {
		t.Errorf("without a source: %v", err)
	}
	if _, err := d.StartDirectorySync(d.as(t, stranger, "*"), &lakegate.StartDirectorySyncInput{}); codeOf(err) != "ResourceNotFoundException" {
		t.Errorf("a stranger without a source: %v", err)
	}
}
