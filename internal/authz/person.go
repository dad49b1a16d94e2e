package authz

import (
	"context"

	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/policy"
	"github.com/lakegate/lakegate/internal/trail"
	"github.com/lakegate/lakegate/internal/wire"
)

// personal are the actions that a person has in their own name, with no role at all: to see what is their own, to ask for
// more, and to decide about what is theirs. No policy gives them and none has to: each of these operations shows a person
// themself alone, and asks whose the data is before it lets anybody decide. Nothing else is a person's without a role, least
// of all data.
var personal = map[string]bool{
	"lakegate:WhatCan":               true,
	"lakegate:WhoCan":                true,
	"lakegate:WhyAs":                 true,
	"lakegate:QueryEvents":           true,
	"lakegate:CreateAccessRequest":   true,
	"lakegate:GetAccessRequest":      true,
	"lakegate:ListAccessRequests":    true,
	"lakegate:ApproveAccessRequest":  true,
	"lakegate:RefuseAccessRequest":   true,
	"lakegate:WithdrawAccessRequest": true,
}

// person decides for somebody who signed in to Lakegate itself and acts in no session. The limits of sessions hold: who is
// disabled has nothing. So does a resource's policy that denies: it is asked as for a stranger, whom every Deny meets that
// is for everybody.
func (a *Authorizer) person(ctx context.Context, r Request, c *caller.Caller) policy.Decision {
	switch {
	case c.OnBehalf == nil || c.Session != nil:
		return policy.Decision{Explicit: true, Reason: "because the caller is no person"}
	case !personal[r.Action] || r.MustAllow:
		return policy.Decision{Reason: "because no person has the action without a role"}
	}
	if a.Limits != nil {
		limit, err := a.Limits.LimitsOf(ctx, c)
		if err != nil {
			return policy.Decision{Explicit: true, Reason: "because " + err.Error()}
		}
		if limit != nil {
			return policy.Decision{Explicit: true, Reason: "because a limit of sessions holds for a person without one"}
		}
	}
	if r.ResourcePolicy != nil {
		account := r.Account
		if account == "" {
			account = c.Account
		}
		q := &policy.Request{Principal: policy.Principal{Type: policy.Anonymous}, Action: r.Action, Resource: r.Resource, ResourceAccount: account, Context: a.values(ctx, c, account, r.Context)}
		if d := policy.Evaluate(q, &policy.Policies{Resource: r.ResourcePolicy}); d.Explicit {
			return d
		}
	}
	return policy.Decision{Allowed: true, Reason: "because it is the person's own"}
}

func (a *Authorizer) authorizePerson(ctx context.Context, r Request, c *caller.Caller) error {
	noted(ctx)
	d := a.person(ctx, r, c)
	e := trail.From(ctx)
	if a.Revision != nil {
		e.Add(trail.KeyRevision, a.Revision())
	}
	if d.Allowed {
		e.Step("authorize "+r.Action, trail.Pass, d.Reason)
		return nil
	}
	message := "The person " + c.UserID + " is not authorized to perform: " + r.Action + " on resource: " + r.Resource + " " + d.Reason
	e.Step("authorize "+r.Action, trail.Fail, message)
	return &Denied{Request: r, Decision: d, err: wire.AccessDenied(message)}
}
