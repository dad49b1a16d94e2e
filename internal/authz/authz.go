// Package authz decides whether a caller may do an action on a resource: it gathers every policy that applies, adds the
// condition keys that each request has, asks the policy language, and keeps the decision with its reasons.
//
// What it promises:
//
//   - Nothing is allowed that no policy allows. A principal that no longer exists has no policies.
//   - Every question and its answer is in the request's Ledger. A server that finds the ledger empty after a handler
//     answered knows that the handler forgot to ask.
//   - A refusal is a *Denied: AWS's words for the client, the decision with its steps for the log and for Why.
//
// Policies come through the interface Policies, so that this room knows no IAM user and no role.
package authz

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/policy"
	"github.com/lakegate/lakegate/internal/trail"
	"github.com/lakegate/lakegate/internal/wire"
)

// Policies finds the policies of a principal as they are now.
type Policies interface {
	// PoliciesOf returns what applies to the caller: identity policies, boundary, session policies and guard-rails. For a
	// principal that was deleted or disabled it returns ErrGone with the reason.
	PoliciesOf(ctx context.Context, c *caller.Caller) (policy.Policies, error)
}

// Limits bounds sessions beyond IAM: the scope and permission of vended credentials.
type Limits interface {
	// LimitsOf returns a group of session policies that must allow as well, or nil for none. When the right behind the
	// session is gone it returns an error whose text says why.
	LimitsOf(ctx context.Context, c *caller.Caller) ([]policy.Named, error)
}

// Tags finds the tags of a principal as they are now: those of the user, or of the session's role.
type Tags interface {
	TagsOf(ctx context.Context, c *caller.Caller) map[string]string
}

// Organizations answers which organization an account is in; "" for none.
type Organizations interface {
	OrganizationOf(ctx context.Context, account string) string
}

// Authorizer decides. Its fields are set once, before the first request.
type Authorizer struct {
	Policies Policies
	// Limits may be nil.
	Limits Limits
	// Tags may be nil.
	Tags Tags
	// Organizations may be nil.
	Organizations Organizations
	// Revision is the number of the last change that decisions see.
	Revision func() int64
	// Messages may be nil: then no refusal has a message for DecodeAuthorizationMessage.
	Messages Messages
}

// Request is a question: may the caller of the context do this?
type Request struct {
	// Action is service:Operation, such as "s3:GetDataAccess"; Resource is an ARN or "*".
	Action, Resource string
	// Account owns the resource; empty means the caller's own.
	Account string
	// ResourcePolicy is the policy that hangs on the resource, if any.
	ResourcePolicy *policy.Named
	// MustAllow says that the resource policy has to allow explicitly, whatever identity policies say (role trust, actor
	// policies). With a nil ResourcePolicy such a request is refused.
	MustAllow bool
	// Context has the condition keys that only the operation knows; they override nothing that the server proves itself.
	Context policy.Values
	// Late are condition keys that cost something to find out; nil for none.
	Late *Late
	// Unguarded leaves the guard-rail of identity-enhanced sessions out: for a request that is decided in another session and
	// asks here whether the caller's own policies deny it, and for actions that AWS, whose rail it is, does not have.
	Unguarded bool
	// As replaces the caller, for a service that acts in the course of a request.
	As *caller.Caller
}

// Late is a family of condition keys that is found out when a policy that applies names one of them. A policy that denies
// by them must see them: what cannot be found out fails the request.
type Late struct {
	// Prefix begins the keys, in lower case.
	Prefix string
	Find   func(ctx context.Context) (policy.Values, error)
}

// unknown says that late condition keys could not be found out.
type unknown struct{ error }

func (u unknown) Unwrap() error { return u.error }

// Denied is the refusal of a request.
type Denied struct {
	Request  Request
	Decision policy.Decision
	err      *wire.Error
}

func (d *Denied) Error() string { return d.err.Error() }

// Unwrap gives the modelled error, so that each protocol spells AccessDenied as it does.
func (d *Denied) Unwrap() error { return d.err }

// Authorize asks whether the caller may, notes the answer in the ledger and the trail, and returns nil or a *Denied.
func (a *Authorizer) Authorize(ctx context.Context, r Request) error {
	c := callerOf(ctx, r)
	if c.Type == caller.Person {
		return a.authorizePerson(ctx, r, c)
	}
	b := a.remembered(ctx, r, c)
	if b == nil {
		_, err := a.authorize(ctx, r)
		return err
	}
	revision := a.Revision()
	asked := question{r.Action, r.Resource, r.Account, c, caller.RequestFrom(ctx)}
	if known, err := b.recall(asked, r.Context, revision); known {
		noted(ctx)
		return err
	}
	p, err := a.authorize(ctx, r)
	if p != nil {
		b.note(asked, r.Context, revision, p, err)
	}
	return err
}

// authorize decides by the policies that it returns, nil for a principal that has none any more.
func (a *Authorizer) authorize(ctx context.Context, r Request) (*policy.Policies, error) {
	q, p, gone := a.question(ctx, r)
	noted(ctx)
	if u, ok := errors.AsType[unknown](gone); ok {
		return nil, u.error
	}
	d := policy.Decision{}
	if gone == nil {
		d = policy.Evaluate(q, p)
	} else {
		d.Reason = "because " + gone.Error()
	}
	e := trail.From(ctx)
	if a.Revision != nil {
		e.Add(trail.KeyRevision, a.Revision())
	}
	if d.Allowed {
		e.Step("authorize "+r.Action, trail.Pass, d.Reason)
		return p, nil
	}
	if gone == nil {
		d = policy.Explain(q, p)
	}
	message := fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %s %s", callerOf(ctx, r).ARN, r.Action, r.Resource, d.Reason)
	e.Step("authorize "+r.Action, trail.Fail, message)
	for _, s := range d.Steps {
		e.Step(string(s.Layer), trail.Info, describe(s))
	}
	if gone == nil {
		message += a.encoded(callerOf(ctx, r), q, p, d)
	}
	return p, &Denied{Request: r, Decision: d, err: wire.AccessDenied(message)}
}

// Decide answers without noting anything: for questions on the way to another one. What cannot be decided counts as denied
// by a policy: who asks whether anything denies must not go on because a condition key could not be found out, or because
// the principal is gone.
func (a *Authorizer) Decide(ctx context.Context, r Request) policy.Decision {
	if c := callerOf(ctx, r); c.Type == caller.Person {
		return a.person(ctx, r, c)
	}
	q, p, gone := a.question(ctx, r)
	if gone != nil {
		return policy.Decision{Explicit: true, Reason: "because " + gone.Error()}
	}
	return policy.Evaluate(q, p)
}

// describe tells a layer's part in a decision.
func describe(s policy.Step) string {
	text := string(s.Outcome)
	if s.Policy != "" {
		text += " by " + s.Policy + " " + s.Statement
	}
	for _, m := range s.Misses {
		text += fmt.Sprintf("; %s %s (%s) does not apply: %s differs", m.Policy, m.Statement, m.Effect, m.Element)
	}
	return text
}

func (a *Authorizer) question(ctx context.Context, r Request) (*policy.Request, *policy.Policies, error) {
	c := callerOf(ctx, r)
	p, err := a.policiesOf(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	if r.Unguarded {
		p.Guardrail = nil
	}
	p.Resource, p.ResourceMustAllow = r.ResourcePolicy, r.MustAllow
	if r.MustAllow && r.ResourcePolicy == nil {
		return nil, nil, errNoResourcePolicy
	}
	account := r.Account
	if account == "" {
		account = c.Account
	}
	if r.Late != nil && p.Mention(r.Late.Prefix) {
		late, err := r.Late.Find(ctx)
		if err != nil {
			return nil, nil, unknown{fmt.Errorf("find condition keys %s…: %w", r.Late.Prefix, err)}
		}
		all := maps.Clone(r.Context)
		if all == nil {
			all = policy.Values{}
		}
		maps.Copy(all, late)
		r.Context = all
	}
	return &policy.Request{
		Principal:       Principal(c),
		Action:          r.Action,
		Resource:        r.Resource,
		ResourceAccount: account,
		Context:         a.values(ctx, c, account, r.Context),
	}, &p, nil
}

var errNoResourcePolicy = errors.New("no resource-based policy allows it")

func callerOf(ctx context.Context, r Request) *caller.Caller {
	if r.As != nil {
		return r.As
	}
	return caller.From(ctx)
}

func (a *Authorizer) policiesOf(ctx context.Context, c *caller.Caller) (policy.Policies, error) {
	if c.Type == caller.Anonymous || c.Type == caller.Service || c.Type == caller.WebIdentity {
		return policy.Policies{}, nil
	}
	p, err := a.Policies.PoliciesOf(ctx, c)
	if err != nil || a.Limits == nil {
		return p, err
	}
	limit, err := a.Limits.LimitsOf(ctx, c)
	if err != nil {
		return policy.Policies{}, err
	}
	if limit != nil {
		p.Session = append(slices.Clone(p.Session), limit)
	}
	return p, nil
}

// Principal turns a caller into the principal that policies name.
func Principal(c *caller.Caller) policy.Principal {
	p := policy.Principal{ARN: c.ARN, RoleARN: c.PrincipalARN, Account: c.Account, Service: c.ServiceName}
	p.UniqueID, _, _ = strings.Cut(c.UserID, ":")
	switch c.Type {
	case caller.Root, caller.User, caller.AssumedRole, caller.Service, caller.FederatedUser:
		p.Type = policy.PrincipalType(c.Type)
		if c.Session != nil && c.Session.Federator != nil {
			p.RoleARN, p.UniqueID = c.Session.Federator.ARN, c.Session.Federator.ID
		}
	case caller.WebIdentity:
		p = policy.Principal{Type: policy.Federated, Provider: c.Provider}
	default:
		p.Type = policy.Anonymous
	}
	return p
}

// values are the condition keys of every request, see the IAM user guide's list of global keys and, for the person of an
// identity-enhanced session, Identity Center's.
func (a *Authorizer) values(ctx context.Context, c *caller.Caller, resourceAccount string, extra policy.Values) policy.Values {
	const usual = 24
	v := make(policy.Values, usual+len(extra))
	// One piece of memory for all values: there is a list of one for nearly every key.
	texts := make([]string, 0, usual)
	set := func(key, value string) {
		if value != "" {
			texts = append(texts, value)
			n := len(texts)
			v[key] = texts[n-1 : n : n]
		}
	}
	for k, values := range extra {
		v[strings.ToLower(k)] = values
	}
	req := caller.RequestFrom(ctx)
	at := req.Time
	if at.IsZero() {
		at = time.Now()
	}
	set("aws:currenttime", at.UTC().Format(time.RFC3339))
	set("aws:epochtime", strconv.FormatInt(at.Unix(), 10))
	set("aws:securetransport", strconv.FormatBool(req.Secure))
	set("aws:sourceip", req.SourceIP)
	set("aws:useragent", req.UserAgent)
	set("aws:requestedregion", req.Region)
	set("aws:resourceaccount", resourceAccount)
	if a.Organizations != nil {
		set("aws:principalorgid", a.Organizations.OrganizationOf(ctx, c.Account))
		set("aws:resourceorgid", a.Organizations.OrganizationOf(ctx, resourceAccount))
	}
	switch c.Type {
	case caller.Anonymous:
		set("aws:principaltype", "Anonymous")
		return v
	case caller.Service:
		set("aws:principalisawsservice", "true")
		set("aws:principalservicename", c.ServiceName)
		return v
	case caller.WebIdentity:
		set("aws:federatedprovider", c.Provider)
		return v
	}
	set("aws:principalisawsservice", "false")
	set("aws:viaawsservice", "false")
	set("aws:principalarn", c.PrincipalARN)
	set("aws:principalaccount", c.Account)
	principalType := string(c.Type)
	if c.Type == caller.User {
		principalType = "User"
		set("aws:username", c.UserName)
	} else if c.Type == caller.Root {
		principalType = "Account"
	}
	set("aws:principaltype", principalType)
	set("aws:userid", c.UserID)
	if a.Tags != nil {
		for k, t := range a.Tags.TagsOf(ctx, c) {
			set("aws:principaltag/"+strings.ToLower(k), t)
		}
	}
	// Session tags stand over tags of the role with the same key.
	if s := c.Session; s != nil {
		set("aws:tokenissuetime", s.Issued.UTC().Format(time.RFC3339))
		set("aws:sourceidentity", s.SourceIdentity)
		set("aws:federatedprovider", s.Provider)
		set("aws:multifactorauthpresent", "false")
		for k, t := range s.Tags {
			set("aws:principaltag/"+strings.ToLower(k), t)
		}
		if s.Vended != nil {
			set("s3:accessgrantsinstancearn", "arn:aws:s3:"+req.Region+":"+s.Vended.GrantAccount+":access-grants/default")
		}
	}
	// The person of a vended session is known to the trail, but the session is the location role's, not the person's.
	if p := c.OnBehalf; p != nil {
		set("identitystore:userid", p.UserID)
		set("identitystore:identitystorearn", p.IdentityStoreARN)
		set("identitycenter:instancearn", p.InstanceARN)
		set("identitycenter:applicationarn", p.ApplicationARN)
		set("identitycenter:credentialid", p.CredentialID)
	}
	return v
}
