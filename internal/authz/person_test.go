package authz_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/lakegate/lakegate/internal/authz"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/policy"
)

func mateo() *caller.Caller {
	return &caller.Caller{Type: caller.Person, Account: account, UserID: "mateo", OnBehalf: &caller.Identity{UserID: "mateo"}}
}

// TestAPersonInTheirOwnName: has what is their own and nothing else, whatever policies there are.
func TestAPersonInTheirOwnName(t *testing.T) {
	all := &principals{policies: policy.Policies{Identity: allowing(t, "")}}
	for action, want := range map[string]bool{
		"lakegate:WhatCan": true, "lakegate:WhoCan": true, "lakegate:WhyAs": true, "lakegate:QueryEvents": true, "lakegate:CreateAccessRequest": true, "lakegate:ApproveAccessRequest": true,
		"lakegate:RefuseAccessRequest": true, "lakegate:WithdrawAccessRequest": true, "lakegate:ListAccessRequests": true, "lakegate:GetAccessRequest": true,
		"lakegate:whatcan": false, "lakegate:DiffGrant": false, "lakegate:LintGrants": false, "lakegate:Why": false, "lakegate:ReviewAccess": false, "lakegate:CreateRevocation": false,
		"lakegate:ImportAccessGrants": false, "s3:GetDataAccess": false, "s3:GetObject": false, "s3:CreateAccessGrant": false, "sts:AssumeRole": false, "iam:CreateUser": false, "*": false, "": false,
	} {
		r := authz.Request{Action: action, Resource: "*", Account: foreign}
		err := ask(t, authorizer(all), mateo(), r)
		if (err == nil) != want || authorizer(all).Decide(caller.With(t.Context(), mateo()), r).Allowed != want {
			t.Errorf("%s: %v", action, err)
		}
		if denied := new(authz.Denied); err != nil && (!errors.As(err, &denied) || !strings.Contains(err.Error(), "is not authorized to perform: "+action)) {
			t.Errorf("%s: %v", action, err)
		}
	}
}

// TestWhatEndsAPersonsOwn: whoever is disabled, is nobody, carries a session, or is denied by the resource.
func TestWhatEndsAPersonsOwn(t *testing.T) {
	own := authz.Request{Action: "lakegate:WhatCan", Resource: "*"}
	denying := named(t, policy.Resource, "instance", `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"lakegate:WhatCan","Resource":"*"}]}`)
	nobody, session := mateo(), mateo()
	nobody.OnBehalf, session.Session = nil, &caller.Session{}
	for name, test := range map[string]struct {
		p    *principals
		c    *caller.Caller
		r    authz.Request
		want string
	}{
		"disabled":                {&principals{over: errors.New("the person is disabled")}, mateo(), own, "because the person is disabled"},
		"a limit":                 {&principals{limits: allowing(t, "")}, mateo(), own, "without one"},
		"nobody":                  {&principals{}, nobody, own, "no person"},
		"in a session":            {&principals{}, session, own, "no person"},
		"denied to everybody":     {&principals{}, mateo(), authz.Request{Action: own.Action, Resource: "*", ResourcePolicy: &denying}, "explicit deny"},
		"a policy must allow":     {&principals{}, mateo(), authz.Request{Action: own.Action, Resource: "*", MustAllow: true}, "without a role"},
		"a policy cannot be read": {&principals{}, mateo(), authz.Request{Action: own.Action, Resource: "*", ResourcePolicy: &policy.Named{Name: "torn"}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if err := ask(t, authorizer(test.p), test.c, test.r); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v", err)
			}
		})
	}
}
