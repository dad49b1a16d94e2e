package session_test

import (
	"testing"
	"time"

	"github.com/lakegate/lakegate/internal/api/iam"
	"github.com/lakegate/lakegate/internal/api/sts"
	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/session"
)

func withContexts(role string, assertions ...string) *sts.AssumeRoleInput {
	in := assume(role)
	for _, a := range assertions {
		in.ProvidedContexts = append(in.ProvidedContexts, sts.ProvidedContext{ProviderArn: ptr(arn.ContextProvider), ContextAssertion: &a})
	}
	return in
}

// TestAuditContextOnlyNames: a session with an audit context names the person and does not act for them, nor does it pass
// for one that does.
func TestAuditContextOnlyNames(t *testing.T) {
	h := newHouse(t)
	application := h.user("application", allow("sts:*"))
	bearer := h.role("bearer", trust("sts:AssumeRole", "sts:SetContext"))
	plain := h.role("plain", trust("sts:AssumeRole"))
	forPeople := trust("sts:AssumeRole", "sts:SetContext")
	forPeople["Condition"] = map[string]any{"StringEquals": map[string]string{"sts:RequestContext/identitystore:UserId": mateo.UserID}}
	people := h.role("people", forPeople)
	audit := must(h.ring.SealAuditContext(mateo, h.now.Add(time.Hour)))
	identity := must(h.ring.SealContext(mateo, h.now.Add(time.Hour)))

	out, err := h.sts.AssumeRole(application, withContexts(bearer, audit))
	if err != nil {
		t.Fatal(err)
	}
	c := caller.From(h.within(out.Credentials.AccessKeyId, out.Credentials.SessionToken))
	if c.OnBehalf != nil || c.Session.Audit == nil || *c.Session.Audit != *mateo || c.Named() != c.Session.Audit {
		t.Errorf("the session acts for %+v and names %+v", c.OnBehalf, c.Session.Audit)
	}
	policies, err := h.registry.PoliciesOf(t.Context(), c)
	if err != nil || policies.Guardrail != nil {
		t.Errorf("it is limited as one that acts for a person: %v, %v", policies.Guardrail, err)
	}
	enhanced := must(h.sts.AssumeRole(application, withContexts(people, identity)))
	if c := caller.From(h.within(enhanced.Credentials.AccessKeyId, enhanced.Credentials.SessionToken)); c.Session.Audit != nil || c.Named() != c.OnBehalf || c.OnBehalf == nil {
		t.Errorf("an identity context names %+v beside %+v", c.Session.Audit, c.OnBehalf)
	}
	if c := (&caller.Caller{}); c.Named() != nil {
		t.Error("somebody is named for a caller without a session")
	}

	for name, c := range map[string]struct {
		in   *sts.AssumeRoleInput
		want string
	}{
		"a role that is for people alone":   {withContexts(people, audit), "AccessDenied"},
		"a role without sts:SetContext":     {withContexts(plain, audit), "AccessDenied"},
		"both contexts":                     {withContexts(bearer, identity, audit), "ValidationError"},
		"both contexts, the other way":      {withContexts(bearer, audit, identity), "ValidationError"},
		"the same one twice":                {withContexts(bearer, audit, audit), "ValidationError"},
		"an altered one":                    {withContexts(bearer, audit[:len(audit)-4]+"AAAA"), "ValidationError"},
		"one of another server":             {withContexts(bearer, must(newHouse(t).ring.SealAuditContext(mateo, h.now.Add(time.Hour)))), "ValidationError"},
		"the role for people, with persons": {withContexts(people, identity), ""},
	} {
		_, err := h.sts.AssumeRole(application, c.in)
		if got := code(err); got != c.want {
			t.Errorf("%s: %q (%v), want %q", name, got, err, c.want)
		}
	}
	if _, err := h.ring.OpenContext(audit); err == nil {
		t.Error("an audit context opens as an identity context")
	}
	if _, err := h.ring.OpenAuditContext(identity); err == nil {
		t.Error("an identity context opens as an audit context")
	}
	if _, err := h.ring.SealAuditContext(&caller.Identity{CredentialID: string(make([]byte, 4096))}, h.now); err != session.ErrTokenTooLarge {
		t.Errorf("a context that AssumeRole would not take: %v", err)
	}

	h.gone[mateo.UserID] = true
	_, err = h.sts.AssumeRole(application, withContexts(bearer, audit))
	wantCode(t, err, "AccessDenied")
	delete(h.gone, mateo.UserID)
	h.now = h.now.Add(time.Hour)
	_, err = h.sts.AssumeRole(application, withContexts(bearer, audit))
	wantCode(t, err, "ExpiredTokenException")
}

// TestAttackRolesDoNotShakeOffThePerson: a session that names a person does so in every role that it goes on to. Else the
// person could decide there about a request of their own.
func TestAttackRolesDoNotShakeOffThePerson(t *testing.T) {
	h := newHouse(t)
	application := h.user("application", allow("sts:*"))
	first := h.role("first", trust("sts:AssumeRole", "sts:SetContext"))
	must(h.iam.PutRolePolicy(h.admin(), &iam.PutRolePolicyInput{RoleName: "first", PolicyName: "own", PolicyDocument: document(allow("sts:*"))}))
	second, third := h.role("second", trust("sts:AssumeRole")), h.role("third", trust("sts:AssumeRole"))
	must(h.iam.PutRolePolicy(h.admin(), &iam.PutRolePolicyInput{RoleName: "second", PolicyName: "own", PolicyDocument: document(allow("sts:*"))}))

	at := must(h.sts.AssumeRole(application, withContexts(first, must(h.ring.SealAuditContext(mateo, h.now.Add(time.Hour))))))
	for _, next := range []string{second, third} {
		at = must(h.sts.AssumeRole(h.within(at.Credentials.AccessKeyId, at.Credentials.SessionToken), assume(next)))
		c := caller.From(h.within(at.Credentials.AccessKeyId, at.Credentials.SessionToken))
		if c.OnBehalf != nil || c.Named() == nil || *c.Named() != *mateo {
			t.Errorf("in %s the session acts for %v and names %v", next, c.OnBehalf, c.Named())
		}
	}
}
