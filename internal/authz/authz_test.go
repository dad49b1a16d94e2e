package authz_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lakegate/lakegate/internal/authz"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/policy"
	"github.com/lakegate/lakegate/internal/wire"
)

const (
	account = "111111111111"
	foreign = "333333333333"
	bucket  = "arn:aws:s3:::data"
)

// principals answers for everything outside this room that a decision asks: it holds what applies to whoever calls.
type principals struct {
	policies policy.Policies
	gone     error
	limits   []policy.Named
	over     error
	tags     map[string]string
}

func (p *principals) PoliciesOf(context.Context, *caller.Caller) (policy.Policies, error) {
	return p.policies, p.gone
}

func (p *principals) LimitsOf(context.Context, *caller.Caller) ([]policy.Named, error) {
	return p.limits, p.over
}

func (p *principals) TagsOf(context.Context, *caller.Caller) map[string]string { return p.tags }

func (p *principals) OrganizationOf(_ context.Context, id string) string {
	if id == account {
		return "o-example"
	}
	return ""
}

func authorizer(p *principals) *authz.Authorizer {
	return &authz.Authorizer{Policies: p, Limits: p, Tags: p, Organizations: p}
}

func named(t *testing.T, kind policy.Kind, name, text string) policy.Named {
	t.Helper()
	d, err := policy.Parse([]byte(text), kind)
	if err != nil {
		t.Fatal(err)
	}
	return policy.Named{Name: name, Document: d}
}

func allowing(t *testing.T, condition string) []policy.Named {
	return []policy.Named{named(t, policy.Identity, "own", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"`+condition+`}]}`)}
}

func user() *caller.Caller {
	return &caller.Caller{Type: caller.User, Account: account, ARN: "arn:aws:iam::111111111111:user/u", PrincipalARN: "arn:aws:iam::111111111111:user/u", UserID: "AIDAU", UserName: "u"}
}

func ask(t *testing.T, a *authz.Authorizer, c *caller.Caller, r authz.Request) error {
	t.Helper()
	ctx, ledger := authz.WithLedger(caller.With(t.Context(), c))
	err := a.Authorize(ctx, r)
	if !ledger.Asked() {
		t.Error("the ledger does not know of the question")
	}
	return err
}

var get = authz.Request{Action: "s3:GetObject", Resource: bucket + "/red/a"}

// TestDeniedUnlessAllowed: nothing is allowed by absence.
func TestDeniedUnlessAllowed(t *testing.T) {
	all := allowing(t, "")
	for name, c := range map[string]struct {
		p       principals
		caller  *caller.Caller
		request authz.Request
		allowed bool
	}{
		"a policy allows":                     {principals{policies: policy.Policies{Identity: all}}, user(), get, true},
		"no policy":                           {principals{}, user(), get, false},
		"a principal that is gone":            {principals{policies: policy.Policies{Identity: all}, gone: errors.New("deleted")}, user(), get, false},
		"a right that is gone":                {principals{policies: policy.Policies{Identity: all}, over: errors.New("the grant was deleted")}, user(), get, false},
		"limits that allow nothing":           {principals{policies: policy.Policies{Identity: all}, limits: []policy.Named{}}, user(), get, false},
		"limits that allow":                   {principals{policies: policy.Policies{Identity: all}, limits: all}, user(), get, true},
		"nobody":                              {principals{policies: policy.Policies{Identity: all}}, &caller.Caller{Type: caller.Anonymous}, get, false},
		"a service":                           {principals{policies: policy.Policies{Identity: all}}, &caller.Caller{Type: caller.Service, ServiceName: "s3.amazonaws.com"}, get, false},
		"of another account, without its say": {principals{policies: policy.Policies{Identity: all}}, user(), authz.Request{Action: get.Action, Resource: get.Resource, Account: foreign}, false},
		"a trust policy that is absent":       {principals{policies: policy.Policies{Identity: all}}, user(), authz.Request{Action: "sts:AssumeRole", Resource: "arn:aws:iam::111111111111:role/r", MustAllow: true}, false},
	} {
		t.Run(name, func(t *testing.T) {
			err := ask(t, authorizer(&c.p), c.caller, c.request)
			if (err == nil) != c.allowed {
				t.Fatalf("got %v", err)
			}
			if decided := authorizer(&c.p).Decide(caller.With(t.Context(), c.caller), c.request); decided.Allowed != c.allowed {
				t.Errorf("Decide says %v", decided.Allowed)
			}
			if err == nil {
				return
			}
			denied, ok := errors.AsType[*authz.Denied](err)
			if !ok {
				t.Fatalf("%T is no refusal", err)
			}
			modelled, ok := errors.AsType[*wire.Error](err)
			if !ok || modelled.Code != "AccessDenied" {
				t.Errorf("the client gets %v", err)
			}
			if prefix := fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %s ", c.caller.ARN, c.request.Action, c.request.Resource); !strings.HasPrefix(denied.Error(), "AccessDenied: "+prefix) && !strings.HasPrefix(denied.Error(), prefix) {
				t.Errorf("the refusal reads %q", denied.Error())
			}
		})
	}
}

// TestNoPolicyIsSharedBetweenRequests: limits join a copy of the session policies.
func TestNoPolicyIsSharedBetweenRequests(t *testing.T) {
	shared := make([][]policy.Named, 1, 8)
	shared[0] = allowing(t, "")
	p := &principals{policies: policy.Policies{Identity: allowing(t, ""), Session: shared}, limits: []policy.Named{}}
	_ = ask(t, authorizer(p), user(), get)
	if rest := shared[:2]; rest[1] != nil {
		t.Error("the limits of one request were written into the policies of all")
	}
}

// TestConditionKeys: what the server itself proves is in every request, and the operation's own values do not replace it.
func TestConditionKeys(t *testing.T) {
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	from := &caller.Request{SourceIP: "192.0.2.7", UserAgent: "aws-cli", Region: "us-east-1", Secure: true, Time: at}
	session := &caller.Caller{
		Type: caller.AssumedRole, Account: account, ARN: "arn:aws:sts::111111111111:assumed-role/r/s", PrincipalARN: "arn:aws:iam::111111111111:role/p/r", UserID: "AROAR:s",
		Session:  &caller.Session{RoleID: "AROAR", Issued: at, SourceIdentity: "mateo", Tags: map[string]string{"Team": "session"}},
		OnBehalf: &caller.Identity{UserID: "u-1", IdentityStoreARN: "arn:store", InstanceARN: "arn:instance", ApplicationARN: "arn:application", CredentialID: "c-1"},
	}
	root := &caller.Caller{Type: caller.Root, Account: account, ARN: "arn:aws:iam::111111111111:root", PrincipalARN: "arn:aws:iam::111111111111:root", UserID: account}
	for _, c := range []struct {
		caller     *caller.Caller
		key, value string
	}{
		{user(), "aws:CurrentTime", "2026-03-02T09:00:00Z"},
		{user(), "aws:EpochTime", "1772442000"},
		{user(), "aws:SecureTransport", "true"},
		{user(), "aws:SourceIp", "192.0.2.7"},
		{user(), "aws:UserAgent", "aws-cli"},
		{user(), "aws:RequestedRegion", "us-east-1"},
		{user(), "aws:ResourceAccount", account},
		{user(), "aws:PrincipalOrgID", "o-example"},
		{user(), "aws:ResourceOrgID", "o-example"},
		{user(), "aws:PrincipalType", "User"},
		{user(), "aws:PrincipalAccount", account},
		{user(), "aws:PrincipalArn", "arn:aws:iam::111111111111:user/u"},
		{user(), "aws:username", "u"},
		{user(), "aws:userid", "AIDAU"},
		{user(), "aws:PrincipalTag/Team", "role"},
		{user(), "aws:PrincipalIsAWSService", "false"},
		{root, "aws:PrincipalType", "Account"},
		{session, "aws:PrincipalType", "AssumedRole"},
		{session, "aws:PrincipalArn", "arn:aws:iam::111111111111:role/p/r"},
		{session, "aws:userid", "AROAR:s"},
		{session, "aws:TokenIssueTime", "2026-03-02T09:00:00Z"},
		{session, "aws:SourceIdentity", "mateo"},
		{session, "aws:MultiFactorAuthPresent", "false"},
		{session, "aws:PrincipalTag/Team", "session"},
		{session, "identitystore:UserId", "u-1"},
		{session, "identitystore:IdentityStoreArn", "arn:store"},
		{session, "identitycenter:InstanceArn", "arn:instance"},
		{session, "identitycenter:ApplicationArn", "arn:application"},
		{session, "identitycenter:CredentialId", "c-1"},
	} {
		t.Run(string(c.caller.Type)+" "+c.key, func(t *testing.T) {
			p := &principals{
				policies: policy.Policies{Identity: allowing(t, `,"Condition":{"StringEquals":{"`+c.key+`":"`+c.value+`"}}`)},
				limits:   allowing(t, ""), tags: map[string]string{"team": "role"},
			}
			forged := policy.Values{}
			forged.Set(c.key, "forged")
			ctx := caller.WithRequest(caller.With(t.Context(), c.caller), from)
			if err := authorizer(p).Authorize(ctx, authz.Request{Action: get.Action, Resource: get.Resource, Context: forged}); err != nil {
				t.Errorf("%s is not %s: %v", c.key, c.value, err)
			}
		})
	}
}

// TestTheLedger: it knows whether anybody asked, and each request has its own.
func TestTheLedger(t *testing.T) {
	ctx, first := authz.WithLedger(t.Context())
	_, second := authz.WithLedger(ctx)
	if first.Asked() || second.Asked() {
		t.Error("a fresh ledger says that somebody asked")
	}
	authz.Open(ctx)
	if !first.Asked() || second.Asked() {
		t.Error("an open operation is noted in the ledger of its own request alone")
	}
	// A question on the way to another one is no authorisation.
	ctx, third := authz.WithLedger(t.Context())
	authorizer(&principals{}).Decide(caller.With(ctx, user()), get)
	if third.Asked() {
		t.Error("Decide was noted")
	}
}

// TestLateKeys: they are found out where a policy asks for them, decide there, and fail the request when they cannot be
// found out, since a policy may deny by them.
func TestLateKeys(t *testing.T) {
	const key = "s3:ExistingObjectTag/team"
	plain := allowing(t, "")
	red := allowing(t, `,"Condition":{"StringEquals":{"`+key+`":"red"}}`)
	failure := errors.New("the disk is gone")
	for name, c := range map[string]struct {
		policies []policy.Named
		team     string
		err      error
		found    int
		allowed  bool
	}{
		"not asked for":             {plain, "blue", nil, 0, true},
		"not asked for, unreadable": {plain, "", failure, 0, true},
		"as asked":                  {red, "red", nil, 1, true},
		"another":                   {red, "blue", nil, 1, false},
		"absent":                    {red, "", nil, 1, false},
		"unreadable":                {red, "", failure, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			found := 0
			own := policy.Values{}
			r := authz.Request{Action: get.Action, Resource: get.Resource, Context: own, Late: &authz.Late{Prefix: "s3:existingobjecttag/", Find: func(context.Context) (policy.Values, error) {
				found++
				v := policy.Values{}
				if c.team != "" {
					v.Set(key, c.team)
				}
				return v, c.err
			}}}
			p := &principals{policies: policy.Policies{Identity: c.policies}, limits: plain}
			err := ask(t, authorizer(p), user(), r)
			if (err == nil) != c.allowed || found != c.found {
				t.Errorf("got %v after %d looks, want %v after %d", err, found, c.allowed, c.found)
			}
			if c.err != nil && c.found > 0 && !errors.Is(err, failure) {
				t.Errorf("the failure became %v", err)
			}
			if len(own) != 0 {
				t.Errorf("the question itself was changed: %v", own)
			}
		})
	}
}

// Who asks whether anything denies must not go on where that could not be found out: a policy may deny by a condition key
// that nobody can read just now, and a principal that is gone has nothing to lose.
func TestWhatCannotBeDecidedCountsAsDenied(t *testing.T) {
	failure := errors.New("the disk is gone")
	r := authz.Request{Action: get.Action, Resource: get.Resource, Late: &authz.Late{
		Prefix: "s3:existingobjecttag/", Find: func(context.Context) (policy.Values, error) { return nil, failure },
	}}
	deny := named(t, policy.Identity, "deny", `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"*","Resource":"*"},
		{"Effect":"Deny","Action":"s3:*","Resource":"*","Condition":{"StringEquals":{"s3:ExistingObjectTag/class":"secret"}}}]}`)
	ctx := caller.With(t.Context(), user())
	for name, p := range map[string]*principals{
		"a condition key that cannot be read": {policies: policy.Policies{Identity: []policy.Named{deny}}},
		"a principal that is gone":            {gone: failure},
	} {
		if d := authorizer(p).Decide(ctx, r); d.Allowed || !d.Explicit {
			t.Errorf("%s: %+v", name, d)
		}
	}
}
