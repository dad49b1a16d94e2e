package session_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lakegate/lakegate/internal/api/iam"
	"github.com/lakegate/lakegate/internal/caller"
)

// fromThePortal is a session of a role as the portal opens it for mateo.
func (h *house) fromThePortal(name string, statements ...statement) *caller.Caller {
	h.t.Helper()
	role := h.role(name, trust("sts:TagSession"))
	must(h.iam.PutRolePolicy(h.admin(), &iam.PutRolePolicyInput{RoleName: name, PolicyName: "own", PolicyDocument: document(statements...)}))
	id, _ := h.registry.PrincipalID(role)
	person := *mateo
	person.ApplicationARN = ""
	creds := must(h.ring.Issue(&caller.Caller{
		Type: caller.AssumedRole, Account: management, OnBehalf: &person,
		Session: &caller.Session{
			RoleARN: role, RoleID: id, RoleName: name, Name: "mateo", Issued: h.now, Expires: h.now.Add(time.Hour),
			Portal: &caller.Portal{PermissionSet: "arn:aws:sso:::permissionSet/ssoins-0123456789abcdef/ps-0123456789abcdef", Account: management},
		},
	}))
	return caller.From(h.within(creds.AccessKeyID, creds.SessionToken))
}

// TestSessionsOfThePortalFollowThePerson: what a session of the portal rests on goes with it through AssumeRole; the person
// is named there and acted for no more.
func TestSessionsOfThePortalFollowThePerson(t *testing.T) {
	h := newHouse(t)
	first := h.fromThePortal("set", allow("sts:*"))
	if first.OnBehalf == nil || first.Session.Portal == nil || first.Session.Portal.Account != management {
		t.Fatalf("sealed and opened: %+v", first)
	}
	out, err := h.sts.AssumeRole(caller.With(t.Context(), first), assume(h.role("second", trust("sts:AssumeRole"))))
	if err != nil {
		t.Fatal(err)
	}
	second := caller.From(h.within(out.Credentials.AccessKeyId, out.Credentials.SessionToken))
	if second.OnBehalf != nil {
		t.Error("the next role acts for the person")
	}
	if diff := cmp.Diff(first.OnBehalf, second.Named()); diff != "" {
		t.Errorf("the trail names another (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(first.Session.Portal, second.Session.Portal); diff != "" {
		t.Errorf("the session rests on something else (-want +got):\n%s", diff)
	}
}

// TestThePortalLiftsNoGuardrail: a session with an identity context is bounded as one wherever it was asked for, and one of
// the portal is bounded by its role alone.
func TestThePortalLiftsNoGuardrail(t *testing.T) {
	h := newHouse(t)
	first := h.fromThePortal("set", allow("sts:*", "s3:*"))
	if p, err := h.registry.PoliciesOf(t.Context(), first); err != nil || p.Guardrail != nil {
		t.Errorf("a session of the portal is limited as an identity-enhanced one: %v", err)
	}
	bearer := h.role("bearer", trust("sts:AssumeRole", "sts:SetContext"))
	for name, seal := range map[string]func(*caller.Identity, time.Time) (string, error){"identity": h.ring.SealContext, "audit": h.ring.SealAuditContext} {
		context := must(seal(mateo, h.now.Add(time.Hour)))
		out, err := h.sts.AssumeRole(caller.With(t.Context(), first), withContexts(bearer, context))
		if err != nil {
			t.Fatal(err)
		}
		c := caller.From(h.within(out.Credentials.AccessKeyId, out.Credentials.SessionToken))
		if c.Session.Portal != nil || c.Named() == nil || c.Named().ApplicationARN != mateo.ApplicationARN {
			t.Errorf("%s context: portal %v, names %+v", name, c.Session.Portal, c.Named())
		}
		p, err := h.registry.PoliciesOf(t.Context(), c)
		if err != nil || (p.Guardrail != nil) != (name == "identity") {
			t.Errorf("%s context: guard-rail %v, %v", name, p.Guardrail != nil, err)
		}
	}
}
