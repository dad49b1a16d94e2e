package account_test

import (
	"testing"

	"github.com/lakegate/lakegate/internal/api/iam"
	"github.com/lakegate/lakegate/internal/caller"
)

// TestSessionPolicies: what is handed over with AssumeRole bounds the session and cannot widen it.
func TestSessionPolicies(t *testing.T) {
	h := house1(t)
	ctx := h.admin(member)
	role := h.role("r", allow("s3:*", "*"))
	own := *must(h.iam.CreatePolicy(ctx, &iam.CreatePolicyInput{PolicyName: "p", PolicyDocument: allow("s3:PutObject", "*")})).Policy.Arn
	for name, c := range map[string]struct {
		policy           string
		arns             []string
		get, put, create bool
	}{
		"none":                        {get: true, put: true},
		"inline":                      {policy: allow("s3:GetObject", "*"), get: true},
		"managed":                     {arns: []string{own}, put: true},
		"both together are one limit": {policy: allow("s3:GetObject", "*"), arns: []string{own}, get: true, put: true},
		"wider than the role":         {policy: allow("*", "*"), get: true, put: true},
		"unreadable":                  {policy: `{"Version":"2012-10-17"}`},
		"managed and gone":            {policy: allow("*", "*"), arns: []string{"arn:aws:iam::111111111111:policy/none"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := session(role, member)
			s.Session.Policy, s.Session.PolicyARNs = c.policy, c.arns
			for range 2 { // the second time from memory
				if get, put, create := h.may(s, "s3:GetObject", object), h.may(s, "s3:PutObject", object), h.may(s, "iam:CreateUser", "*"); get != c.get || put != c.put || create {
					t.Errorf("get %v, put %v, create user %v", get, put, create)
				}
			}
		})
	}
}

// TestThePersonsSessionIsGuarded: a session that acts for a person may ask for access and nothing else, unless it is the
// vended one.
func TestThePersonsSessionIsGuarded(t *testing.T) {
	h := house1(t)
	role := h.role("r", allow("*", "*"))
	c := session(role, member)
	c.OnBehalf = &caller.Identity{UserID: "u"}
	for action, want := range map[string]bool{
		"s3:GetDataAccess": true, "s3:ListCallerAccessGrants": true, "s3:GetAccessGrantsInstanceForPrefix": true, "sts:SetContext": true,
		"s3:GetObject": false, "s3:ListAccessGrants": false, "sts:AssumeRole": false, "iam:GetRole": false,
	} {
		if got := h.may(c, action, "*"); got != want {
			t.Errorf("%s: %v, want %v", action, got, want)
		}
	}
	c.Session.Vended = &caller.Vended{}
	if !h.may(c, "s3:GetObject", object) {
		t.Error("a vended session is guarded")
	}
}
