package request_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lakegate/lakegate/internal/api/lakegate"
	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/authz"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/grants"
	"github.com/lakegate/lakegate/internal/hook"
	"github.com/lakegate/lakegate/internal/policy"
	"github.com/lakegate/lakegate/internal/request"
	"github.com/lakegate/lakegate/internal/scope"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/store/storetest"
	"github.com/lakegate/lakegate/internal/wire"
)

const (
	account = "111111111111"
	storeID = "d-1234567890"
)

// desk is the room with everybody it needs: grants that can be had on s3://lake/, owned by Ana or by the group of stewards.
type desk struct {
	*request.Service
	t      *testing.T
	clock  atomic.Int64
	issued []string
	ends   []time.Time
	// owners of s3://lake/ and those who are stewards.
	owners, stewards []string
}

func (d *desk) now() time.Time { return time.UnixMilli(d.clock.Load()).UTC() }

func (d *desk) pass(by time.Duration) { d.clock.Add(by.Milliseconds()) }

func (d *desk) Draft(_ context.Context, p grants.Proposal) (*grants.Drafted, error) {
	sc, err := scope.ParseGrant(p.Text, false)
	if err != nil || sc.Bucket != "lake" {
		return nil, wire.NewError("InvalidAccessGrant", 400, "The grant scope is in no location of the account")
	}
	out := &grants.Drafted{Scope: sc, Owners: d.owners}
	if strings.HasPrefix(sc.Prefix, "nobodys/") {
		out.Owners = nil
	}
	return out, nil
}

func (d *desk) Issue(_ context.Context, _ *store.Tx, g *grants.Drafted, end time.Time, reason string) (string, error) {
	if reason == "fail" {
		return "", errors.New("the disk is full")
	}
	d.issued = append(d.issued, g.Scope.String())
	d.ends = append(d.ends, end)
	return fmt.Sprintf("grant-%d", len(d.issued)), nil
}

func (d *desk) UserName(_, user string) (string, bool) { return user + "@example.com", true }

func (d *desk) GroupsOf(_, user string) []string {
	if slices.Contains(d.stewards, user) {
		return []string{"stewards"}
	}
	return nil
}

// everything lets sessions of people call the operations, and administrators do all, but for grants without an end.
type everything struct{}

func (everything) PoliciesOf(_ context.Context, c *caller.Caller) (policy.Policies, error) {
	actions := `"lakegate:*"`
	if strings.Contains(c.ARN, "admin") {
		actions = `"*"`
	}
	if strings.Contains(c.ARN, "briefly") {
		doc, err := policy.Parse([]byte(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},
			{"Effect":"Deny","Action":"s3:CreateAccessGrant","Resource":"*","Condition":{"DateGreaterThan":{"aws:RequestTag/lakegate:NotAfter":"2026-11-02T09:30:00Z"}}}]}`), policy.Identity)
		return policy.Policies{Identity: []policy.Named{{Name: "p", Document: doc}}}, err
	}
	if strings.Contains(c.ARN, "powerless") {
		actions = `"s3:GetDataAccess"`
	}
	doc, err := policy.Parse([]byte(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":[`+actions+`],"Resource":"*"},
		{"Effect":"Deny","Action":"s3:CreateAccessGrant","Resource":"*","Condition":{"Null":{"aws:RequestTag/lakegate:NotAfter":"true"}}}]}`), policy.Identity)
	return policy.Policies{Identity: []policy.Named{{Name: "p", Document: doc}}}, err
}

// onBothEngines runs a test with a database whose clock is the desk's.
func onBothEngines(t *testing.T, test func(t *testing.T, d *desk)) {
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			d := &desk{t: t, owners: []string{"arn:aws:identitystore:::user/ana", "arn:aws:identitystore:::group/stewards"}, stewards: []string{"wang"}}
			d.clock.Store(time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC).UnixMilli())
			keys, err := store.ParseKeys(storetest.Key)
			if err != nil {
				t.Fatal(err)
			}
			db, err := store.Open(context.Background(), store.Config{URL: storetest.URL(t, engine), Keys: keys, Now: d.now})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = db.Close() })
			d.Service = &request.Service{
				DB: db, Grants: d, People: d, Authorizer: &authz.Authorizer{Policies: everything{}},
				InstanceARN: func(a string) string { return arn.AccessGrantsInstance("us-east-1", a) },
				Limits:      request.Limits{Open: 2},
			}
			test(t, d)
		})
	}
}

func (d *desk) as(c *caller.Caller) context.Context { return caller.With(d.t.Context(), c) }

func (d *desk) person(user string) context.Context {
	return d.as(&caller.Caller{Type: caller.AssumedRole, Account: account, ARN: "arn:aws:sts::" + account + ":assumed-role/App/" + user,
		OnBehalf: &caller.Identity{IdentityStoreID: storeID, UserID: user, ApplicationARN: "app"}, Session: &caller.Session{}})
}

func (d *desk) admin() context.Context {
	return d.as(&caller.Caller{Type: caller.User, Account: account, ARN: "arn:aws:iam::" + account + ":user/admin"})
}

func (d *desk) ask(user, scope string) string {
	d.t.Helper()
	out, err := d.CreateAccessRequest(d.person(user), ask(scope))
	if err != nil {
		d.t.Fatal(err)
	}
	return out.AccessRequest.AccessRequestId
}

func ask(scope string) *lakegate.CreateAccessRequestInput {
	return &lakegate.CreateAccessRequestInput{AccountId: account, Scope: scope, Permission: "READWRITE", DurationSeconds: 3600, Reason: "tomatoes"}
}

func code(err error) string {
	if e, ok := errors.AsType[*wire.Error](err); ok {
		if e.Kind == wire.KindAccessDenied {
			return "AccessDeniedException"
		}
		return e.Code
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

func TestARequestIsDecidedOnce(t *testing.T) {
	onBothEngines(t, func(t *testing.T, d *desk) {
		id := d.ask("mateo", "s3://lake/blue/*")
		d.pass(time.Minute + 500*time.Millisecond)
		out, err := d.ApproveAccessRequest(d.person("ana"), &lakegate.ApproveAccessRequestInput{AccessRequestId: id, Comment: new("enjoy")})
		if err != nil {
			t.Fatal(err)
		}
		r := out.AccessRequest
		end := d.now().Add(time.Hour).Truncate(time.Second)
		if r.Status != "APPROVED" || *r.AccessGrantId != "grant-1" || !r.GrantEndsAt.Equal(end) || !d.ends[0].Equal(end) || *r.DecidedBy != "ana@example.com" || *r.Comment != "enjoy" {
			t.Errorf("approved: %+v", r)
		}
		for name, err := range map[string]error{
			"approved again": second(d.ApproveAccessRequest(d.person("ana"), &lakegate.ApproveAccessRequestInput{AccessRequestId: id})),
			"refused after":  second(d.RefuseAccessRequest(d.admin(), &lakegate.RefuseAccessRequestInput{AccessRequestId: id, Comment: "no"})),
			"withdrawn":      second(d.WithdrawAccessRequest(d.person("mateo"), &lakegate.WithdrawAccessRequestInput{AccessRequestId: id})),
		} {
			if code(err) != "ConflictException" {
				t.Errorf("%s: %v", name, err)
			}
		}
		if len(d.issued) != 1 {
			t.Errorf("issued %v", d.issued)
		}
	})
}

func second[T any](_ T, err error) error { return err }

// TestManyDecideAtOnce: of many who approve the same request one does, and one grant is made.
func TestManyDecideAtOnce(t *testing.T) {
	onBothEngines(t, func(t *testing.T, d *desk) {
		id := d.ask("mateo", "s3://lake/blue/*")
		var won atomic.Int64
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				_, err := d.RefuseAccessRequest(d.person("ana"), &lakegate.RefuseAccessRequestInput{AccessRequestId: id, Comment: "no"})
				switch code(err) {
				case "":
					won.Add(1)
				case "ConflictException":
				default:
					t.Errorf("%v", err)
				}
			})
		}
		all.Wait()
		if won.Load() != 1 {
			t.Errorf("%d decided", won.Load())
		}
	})
}

// TestAttackDecisions: nobody decides who may not, least of all about themself, and nobody gives more than was asked for.
func TestAttackDecisions(t *testing.T) {
	onBothEngines(t, func(t *testing.T, d *desk) {
		id := d.ask("ana", "s3://lake/blue/*")
		approve := func(ctx context.Context, change func(*lakegate.ApproveAccessRequestInput)) error {
			in := &lakegate.ApproveAccessRequestInput{AccessRequestId: id}
			if change != nil {
				change(in)
			}
			return second(d.ApproveAccessRequest(ctx, in))
		}
		ana := &caller.Identity{IdentityStoreID: storeID, UserID: "ana"}
		for name, tt := range map[string]struct {
			err  error
			want string
		}{
			"her own, as its owner":             {approve(d.person("ana"), nil), "AccessDeniedException"},
			"her own, by another application":   {approve(d.as(&caller.Caller{Type: caller.AssumedRole, Account: account, ARN: "other", OnBehalf: ana, Session: &caller.Session{}}), nil), "AccessDeniedException"},
			"her own, as an administrator":      {approve(d.as(&caller.Caller{Type: caller.AssumedRole, Account: account, ARN: "admin", OnBehalf: ana, Session: &caller.Session{}}), nil), "AccessDeniedException"},
			"her own, in a role she went on to": {approve(d.as(&caller.Caller{Type: caller.AssumedRole, Account: account, ARN: "admin", Session: &caller.Session{Audit: ana}}), nil), "AccessDeniedException"},
			"somebody else's":                   {approve(d.person("mateo"), nil), "ResourceNotFoundException"},
			"a namesake of another store":       {approve(d.as(&caller.Caller{Type: caller.AssumedRole, Account: account, ARN: "x", OnBehalf: &caller.Identity{IdentityStoreID: "d-other", UserID: "wang"}, Session: &caller.Session{}}), nil), "ResourceNotFoundException"},
			"with credentials of a grant":       {approve(d.as(&caller.Caller{Type: caller.AssumedRole, Account: account, ARN: "x", OnBehalf: &caller.Identity{IdentityStoreID: storeID, UserID: "wang"}, Session: &caller.Session{Vended: &caller.Vended{}}}), nil), "ResourceNotFoundException"},
			"another account's administrator":   {approve(d.as(&caller.Caller{Type: caller.User, Account: "333333333333", ARN: "admin"}), nil), "ResourceNotFoundException"},
			"a role that may not call it":       {approve(d.as(&caller.Caller{Type: caller.User, Account: account, ARN: "powerless"}), nil), "AccessDeniedException"},
			"a wider scope":                     {approve(d.person("wang"), func(in *lakegate.ApproveAccessRequestInput) { in.Scope = new("s3://lake/*") }), "ValidationException"},
			"a sibling":                         {approve(d.person("wang"), func(in *lakegate.ApproveAccessRequestInput) { in.Scope = new("s3://lake/blue2/*") }), "ValidationException"},
			"a longer time":                     {approve(d.person("wang"), func(in *lakegate.ApproveAccessRequestInput) { in.DurationSeconds = new(3601) }), "ValidationException"},
			"no such request":                   {second(d.ApproveAccessRequest(d.admin(), &lakegate.ApproveAccessRequestInput{AccessRequestId: "req-0"})), "ResourceNotFoundException"},
			"withdrawn by another":              {second(d.WithdrawAccessRequest(d.person("wang"), &lakegate.WithdrawAccessRequestInput{AccessRequestId: id})), "ResourceNotFoundException"},
			"asked for by nobody":               {second(d.CreateAccessRequest(d.admin(), ask("s3://lake/x/*"))), "AccessDeniedException"},
			"asked for in another bucket":       {second(d.CreateAccessRequest(d.person("mateo"), ask("s3://pond/x/*"))), "ValidationException"},
			"asked for a very long time": {second(d.CreateAccessRequest(d.person("mateo"), &lakegate.CreateAccessRequestInput{AccountId: account, Scope: "s3://lake/x/*", Permission: "READ", DurationSeconds: 91 * 86400, Reason: "r"})),
				"ValidationException"},
		} {
			if code(tt.err) != tt.want {
				t.Errorf("%s: %v, want %s", name, tt.err, tt.want)
			}
		}
		if len(d.issued) != 0 {
			t.Fatalf("issued %v", d.issued)
		}
		if err := approve(d.person("wang"), func(in *lakegate.ApproveAccessRequestInput) {
			in.Scope, in.Permission, in.DurationSeconds = new("s3://lake/blue/2026/*"), new(lakegate.AccessRequestPermissionREAD), new(60)
		}); err != nil || d.issued[0] != "s3://lake/blue/2026/*" {
			t.Errorf("less than was asked for, by one of the group that owns it: %v, %v", d.issued, err)
		}
		lone := d.ask("mateo", "s3://lake/nobodys/*")
		if err := second(d.ApproveAccessRequest(d.person("ana"), &lakegate.ApproveAccessRequestInput{AccessRequestId: lone})); code(err) != "ResourceNotFoundException" {
			t.Errorf("the owner of something else: %v", err)
		}
		if _, err := d.ApproveAccessRequest(d.admin(), &lakegate.ApproveAccessRequestInput{AccessRequestId: lone}); err != nil {
			t.Errorf("an administrator: %v", err)
		}
	})
}

// TestAttackFormerOwners: whose the prefix is when the decision is made counts, not when the request was.
func TestAttackFormerOwners(t *testing.T) {
	onBothEngines(t, func(t *testing.T, d *desk) {
		id := d.ask("mateo", "s3://lake/blue/*")
		for _, step := range []struct {
			name             string
			owners, stewards []string
			who, want        string
		}{
			{"who left the group", d.owners, nil, "wang", "ResourceNotFoundException"},
			{"whose group lost the prefix", []string{"arn:aws:identitystore:::user/ana"}, []string{"wang"}, "wang", "ResourceNotFoundException"},
			{"whom the prefix was taken from", []string{"arn:aws:identitystore:::user/wang"}, nil, "ana", "ResourceNotFoundException"},
			{"who was given it, and asked for it", []string{"arn:aws:identitystore:::user/mateo"}, nil, "mateo", "AccessDeniedException"},
			{"who joined the group that has it, and asked for it", []string{"arn:aws:identitystore:::group/stewards"}, []string{"mateo"}, "mateo", "AccessDeniedException"},
			{"of a prefix that is nobody's now", nil, []string{"wang"}, "wang", "ResourceNotFoundException"},
		} {
			d.owners, d.stewards = step.owners, step.stewards
			if err := second(d.ApproveAccessRequest(d.person(step.who), &lakegate.ApproveAccessRequestInput{AccessRequestId: id})); code(err) != step.want {
				t.Errorf("%s: %v, want %s", step.name, err, step.want)
			}
		}
		if len(d.issued) != 0 {
			t.Fatalf("issued %v", d.issued)
		}
		d.owners = []string{"arn:aws:identitystore:::user/nora"}
		if _, err := d.ApproveAccessRequest(d.person("nora"), &lakegate.ApproveAccessRequestInput{AccessRequestId: id}); err != nil || len(d.issued) != 1 {
			t.Errorf("the new owner: %v, issued %v", err, d.issued)
		}
	})
}

// TestAttackTermsThatPoliciesDemand: an administrator whose policies bound the end of grants gives none with a later one by
// way of a request.
func TestAttackTermsThatPoliciesDemand(t *testing.T) {
	onBothEngines(t, func(t *testing.T, d *desk) {
		id := d.ask("mateo", "s3://lake/nobodys/*")
		briefly := d.as(&caller.Caller{Type: caller.User, Account: account, ARN: "briefly"})
		for name, tt := range map[string]struct {
			seconds *int
			want    string
		}{"as asked for, an hour": {nil, "ResourceNotFoundException"}, "just too long": {new(1801), "ResourceNotFoundException"}, "more than was asked for": {new(4000), "ResourceNotFoundException"}} {
			if err := second(d.ApproveAccessRequest(briefly, &lakegate.ApproveAccessRequestInput{AccessRequestId: id, DurationSeconds: tt.seconds})); code(err) != tt.want {
				t.Errorf("%s: %v, want %s", name, err, tt.want)
			}
		}
		if len(d.issued) != 0 {
			t.Fatalf("issued %v until %v", d.issued, d.ends)
		}
		if _, err := d.ApproveAccessRequest(briefly, &lakegate.ApproveAccessRequestInput{AccessRequestId: id, DurationSeconds: new(1800)}); err != nil {
			t.Errorf("as long as the policy allows: %v", err)
		}
	})
}

// TestAFailedGrantLeavesTheRequest: the decision and the grant are one change.
func TestAFailedGrantLeavesTheRequest(t *testing.T) {
	onBothEngines(t, func(t *testing.T, d *desk) {
		in := ask("s3://lake/blue/*")
		in.Reason = "fail"
		out, err := d.CreateAccessRequest(d.person("mateo"), in)
		if err != nil {
			t.Fatal(err)
		}
		id := out.AccessRequest.AccessRequestId
		if err := second(d.ApproveAccessRequest(d.person("ana"), &lakegate.ApproveAccessRequestInput{AccessRequestId: id})); err == nil {
			t.Error("approved without a grant")
		}
		got, err := d.GetAccessRequest(d.person("mateo"), &lakegate.GetAccessRequestInput{AccessRequestId: id})
		if err != nil || got.AccessRequest.Status != "PENDING" {
			t.Errorf("afterwards it is %+v, %v", got, err)
		}
	})
}

func TestRequestsAreBoundedAndLapse(t *testing.T) {
	onBothEngines(t, func(t *testing.T, d *desk) {
		first := d.ask("mateo", "s3://lake/a/*")
		d.ask("mateo", "s3://lake/b/*")
		if err := second(d.CreateAccessRequest(d.person("mateo"), ask("s3://lake/c/*"))); code(err) != "ServiceQuotaExceededException" {
			t.Errorf("a third: %v", err)
		}
		d.ask("wang", "s3://lake/a/*")
		d.pass(14*24*time.Hour - time.Millisecond)
		if got, err := d.GetAccessRequest(d.person("mateo"), &lakegate.GetAccessRequestInput{AccessRequestId: first}); err != nil || got.AccessRequest.Status != "PENDING" {
			t.Errorf("shortly before its time: %+v, %v", got, err)
		}
		d.pass(time.Millisecond)
		if err := second(d.ApproveAccessRequest(d.person("ana"), &lakegate.ApproveAccessRequestInput{AccessRequestId: first})); code(err) != "ConflictException" {
			t.Errorf("approved after its time: %v", err)
		}
		d.ask("mateo", "s3://lake/c/*")
		for _, when := range []string{"before", "after"} {
			out, err := d.ListAccessRequests(d.person("mateo"), &lakegate.ListAccessRequestsInput{View: "MINE", Status: new(lakegate.AccessRequestStatusEXPIRED)})
			if err != nil || len(out.AccessRequests) != 2 {
				t.Errorf("lapsed, %s it was written down: %+v, %v", when, out, err)
			}
			if err := d.Tend(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestLists(t *testing.T) {
	onBothEngines(t, func(t *testing.T, d *desk) {
		d.Limits.Open = 100
		var ids []string
		for i := range 5 {
			ids = append(ids, d.ask("mateo", fmt.Sprintf("s3://lake/%d/*", i)))
		}
		ids = append(ids, d.ask("ana", "s3://lake/x/*"), d.ask("mateo", "s3://lake/nobodys/*"))
		list := func(ctx context.Context, in lakegate.ListAccessRequestsInput) (found []string) {
			t.Helper()
			for {
				out, err := d.ListAccessRequests(ctx, &in)
				if err != nil {
					t.Fatal(err)
				}
				for _, r := range out.AccessRequests {
					found = append([]string{r.AccessRequestId}, found...)
				}
				if in.NextToken = out.NextToken; in.NextToken == nil {
					return found
				}
			}
		}
		two := new(2)
		for name, tt := range map[string]struct{ got, want []string }{
			"mine":                    {list(d.person("mateo"), lakegate.ListAccessRequestsInput{View: "MINE", MaxResults: two}), append(append([]string{}, ids[:5]...), ids[6])},
			"hers":                    {list(d.person("ana"), lakegate.ListAccessRequestsInput{View: "MINE"}), ids[5:6]},
			"an owner's, not her own": {list(d.person("ana"), lakegate.ListAccessRequestsInput{View: "TO_DECIDE", MaxResults: two}), ids[:5]},
			"nobody's":                {list(d.person("mateo"), lakegate.ListAccessRequestsInput{View: "TO_DECIDE"}), nil},
			"an administrator's":      {list(d.admin(), lakegate.ListAccessRequestsInput{View: "TO_DECIDE", MaxResults: two}), ids},
			"everybody's":             {list(d.admin(), lakegate.ListAccessRequestsInput{View: "ALL", MaxResults: two}), ids},
			"everybody's that ended":  {list(d.admin(), lakegate.ListAccessRequestsInput{View: "ALL", Status: new(lakegate.AccessRequestStatusAPPROVED)}), nil},
		} {
			if strings.Join(tt.got, " ") != strings.Join(tt.want, " ") {
				t.Errorf("%s: %v, want %v", name, tt.got, tt.want)
			}
		}
		if err := second(d.ListAccessRequests(d.person("mateo"), &lakegate.ListAccessRequestsInput{View: "ALL"})); code(err) != "AccessDeniedException" {
			t.Errorf("everybody's for a person: %v", err)
		}
	})
}

// TestTheWebhookIsTold: each notice arrives at least once, signed, in spite of failures and of a restart, and is not told to
// where a redirect leads.
func TestTheWebhookIsTold(t *testing.T) {
	onBothEngines(t, func(t *testing.T, d *desk) {
		const secret = "0123456789abcdef"
		var mu sync.Mutex
		status := http.StatusInternalServerError
		told := make(chan string, 10)
		elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") }))
		defer elsewhere.Close()
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			stamp, _, _ := strings.Cut(strings.TrimPrefix(r.Header.Get(hook.SignatureHeader), "t="), ",")
			var seconds int64
			_, _ = fmt.Sscan(stamp, &seconds)
			if r.Header.Get(hook.SignatureHeader) != hook.Sign(secret, time.Unix(seconds, 0), body) {
				t.Error("the signature does not hold")
			}
			var n struct {
				ID, Event string
				Request   map[string]any
			}
			if err := json.Unmarshal(body, &n); err != nil || n.ID != r.Header.Get(hook.DeliveryHeader) {
				t.Errorf("%s: %v", body, err)
			}
			mu.Lock()
			defer mu.Unlock()
			w.Header().Set("Location", elsewhere.URL)
			w.WriteHeader(status)
			told <- fmt.Sprint(n.Event, " ", n.Request["reason"], " ", status)
		}))
		defer server.Close()
		open := func() *request.Webhook {
			hook, err := request.NewWebhook(d.DB, server.URL, secret, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			d.Hook = hook
			hook.Start()
			return hook
		}
		hook := open()
		id := d.ask("mateo", "s3://lake/blue/*")
		if got := <-told; got != "access-request.created tomatoes 500" {
			t.Errorf("told %s", got)
		}
		hook.Close()
		d.pass(time.Minute)
		mu.Lock()
		status = http.StatusFound
		mu.Unlock()
		hook = open()
		if got := <-told; got != "access-request.created tomatoes 302" {
			t.Errorf("told %s", got)
		}
		hook.Close()
		d.pass(time.Minute)
		mu.Lock()
		status = http.StatusNoContent
		mu.Unlock()
		hook = open()
		if got := <-told; got != "access-request.created tomatoes 204" {
			t.Errorf("told %s", got)
		}
		if _, err := d.RefuseAccessRequest(d.person("ana"), &lakegate.RefuseAccessRequestInput{AccessRequestId: id, Comment: "no"}); err != nil {
			t.Fatal(err)
		}
		if got := <-told; got != "access-request.refused tomatoes 204" {
			t.Errorf("told %s", got)
		}
		hook.Close()
		d.pass(48 * time.Hour)
		hook = open()
		hook.Close()
		select {
		case got := <-told:
			t.Errorf("told again: %s", got)
		default:
		}
	})
}

func TestWebhookAddresses(t *testing.T) {
	for address, good := range map[string]bool{
		"https://hooks.example/x": true, "http://127.0.0.1:80/x": true, "http://localhost/x": true,
		"http://hooks.example/x": false, "http://127.0.0.1.hooks.example/x": false, "http://[::1]/x": true, "ftp://a/x": false, "https://u:p@a/x": false, "": false, "https://a/#x": false,
	} {
		if _, err := request.NewWebhook(nil, address, "0123456789abcdef", nil); (err == nil) != good {
			t.Errorf("%s: %v", address, err)
		}
	}
	if _, err := request.NewWebhook(nil, "https://a/x", "short", nil); err == nil {
		t.Error("a short secret was accepted")
	}
}
