package session

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/lakegate/lakegate/internal/api/sts"
	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/authn"
	"github.com/lakegate/lakegate/internal/authz"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/policy"
	"github.com/lakegate/lakegate/internal/trail"
	"github.com/lakegate/lakegate/internal/wire"
)

// assumption is an AssumeRole request read and checked, before anybody was asked whether it is allowed.
type assumption struct {
	in             *sts.AssumeRoleInput
	role           Role
	duration       time.Duration
	chained        bool
	tags           map[string]string
	requestTags    map[string]string
	transitive     []string
	sourceIdentity string
	policy         string
	policyARNs     []string
	// person is that of an identity context, audit that of an audit context, or of the calling session.
	person, audit *caller.Identity
	// contextIssued is when that context was made.
	contextIssued time.Time
	// portal is the calling session's, whose person audit is then.
	portal *caller.Portal
	// provider is the ARN of the OpenID Connect provider whose token asks.
	provider string
}

// maxSessionPolicy bounds the inline session policy and the ARNs of managed ones together, in characters.
const maxSessionPolicy = 2048

// newAssumption reads a request before its role is looked for: what is wrong with it is told whether there is such a role or
// not.
func (s *Service) newAssumption(c *caller.Caller, in *sts.AssumeRoleInput) (*assumption, error) {
	a := &assumption{in: in, duration: defaultDuration}
	a.chained = c.Session != nil && c.Session.RoleID != ""
	if in.DurationSeconds != nil {
		a.duration = time.Duration(*in.DurationSeconds) * time.Second
	}
	for _, step := range []func(*caller.Caller) error{a.readTags, a.readSourceIdentity} {
		if err := step(c); err != nil {
			return nil, err
		}
	}
	if err := a.readPolicies(); err != nil {
		return nil, err
	}
	return a, s.readContext(a)
}

// readTags joins the tags of the request with those that the calling session passes on, which a request cannot replace.
func (a *assumption) readTags(c *caller.Caller) error {
	a.requestTags = map[string]string{}
	seen := map[string]bool{}
	for _, t := range a.in.Tags {
		if lower := strings.ToLower(t.Key); seen[lower] {
			return wire.NewError("InvalidParameterValue", 400, "Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		} else if strings.HasPrefix(lower, "aws:") {
			return wire.NewError("InvalidParameterValue", 400, "Tag keys beginning with aws: are reserved for system use.")
		} else {
			seen[lower] = true
		}
		a.requestTags[t.Key] = t.Value
	}
	for _, k := range a.in.TransitiveTagKeys {
		if _, ok := a.requestTags[k]; !ok {
			return wire.NewError("InvalidParameterValue", 400, "The specified transitive tag key must be included in the requested tags.")
		}
		a.transitive = append(a.transitive, k)
	}
	a.tags = maps.Clone(a.requestTags)
	if c.Session == nil {
		return nil
	}
	for _, k := range c.Session.TransitiveTags {
		for have := range a.requestTags {
			if strings.EqualFold(have, k) {
				return wire.NewError("InvalidParameterValue", 400, "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.")
			}
		}
		a.tags[k] = c.Session.Tags[k]
		if !slices.Contains(a.transitive, k) {
			a.transitive = append(a.transitive, k)
		}
	}
	if len(a.tags) > maxTags {
		return sts.PackedPolicyTooLargeException(fmt.Sprintf("The session would have %d tags with those that the calling session passes on, the limit is %d.", len(a.tags), maxTags))
	}
	return nil
}

// readSourceIdentity keeps the source identity through a chain of roles: once set it cannot be changed.
func (a *assumption) readSourceIdentity(c *caller.Caller) error {
	if a.in.SourceIdentity != nil {
		a.sourceIdentity = *a.in.SourceIdentity
		if strings.HasPrefix(strings.ToLower(a.sourceIdentity), "aws:") {
			return wire.Invalid("The source identity must not begin with aws:")
		}
	}
	if c.Session == nil || c.Session.SourceIdentity == "" {
		return nil
	}
	if a.sourceIdentity != "" && a.sourceIdentity != c.Session.SourceIdentity {
		return wire.AccessDenied("The source identity of the calling session cannot be changed")
	}
	a.sourceIdentity = c.Session.SourceIdentity
	return nil
}

func (a *assumption) readPolicies() error {
	size := 0
	if a.in.Policy != nil {
		a.policy = *a.in.Policy
		size = utf8.RuneCountInString(a.policy)
		if _, err := policy.Parse([]byte(a.policy), policy.Session); err != nil {
			if errors.Is(err, policy.ErrTooLarge) {
				return sts.PackedPolicyTooLargeException("The session policy is too large.").Because(err)
			}
			return sts.MalformedPolicyDocumentException("Syntax errors in policy. " + err.Error())
		}
	}
	for _, p := range a.in.PolicyArns {
		if p.Arn == nil {
			continue
		}
		a.policyARNs = append(a.policyARNs, *p.Arn)
		size += len(*p.Arn)
	}
	if size > maxSessionPolicy {
		return sts.PackedPolicyTooLargeException(fmt.Sprintf("The session policies have %d characters, the limit is %d.", size, maxSessionPolicy))
	}
	return nil
}

// findPolicies looks for the managed session policies in the account of the role, or of the user who asks for themself. Who may
// not have the session does not learn whether they are there.
func (s *Service) findPolicies(a *assumption) error {
	for _, p := range a.policyARNs {
		if !s.Accounts.ManagedPolicyExists(a.role.Account, p) {
			return sts.MalformedPolicyDocumentException("The managed policy " + p + " cannot be used as a session policy: it does not exist in the role's account.")
		}
	}
	return nil
}

// readContext opens the context that the session is to carry: an identity context or an audit context, not both. Its text
// never reaches the log.
func (s *Service) readContext(a *assumption) error {
	switch len(a.in.ProvidedContexts) {
	case 0:
		return nil
	case 1:
	default:
		return wire.Invalid("Only one provided context is supported: a session carries an identity context or an audit context.")
	}
	p := a.in.ProvidedContexts[0]
	if p.ProviderArn == nil || *p.ProviderArn != arn.ContextProvider {
		return wire.Invalid("The context provider is not valid. Use " + arn.ContextProvider)
	}
	if p.ContextAssertion == nil {
		return wire.Invalid("The provided context has no assertion.")
	}
	person, issued, err := s.Ring.openContext(contextPlace, *p.ContextAssertion)
	to := &a.person
	if errors.Is(err, authn.ErrInvalidToken) {
		person, issued, err = s.Ring.openContext(auditPlace, *p.ContextAssertion)
		to = &a.audit
	}
	switch {
	case errors.Is(err, authn.ErrExpiredToken):
		return sts.ExpiredTokenException("The identity context has expired. Exchange a fresh token.")
	case err != nil:
		return wire.Invalid("The context assertion is not valid.").Because(err)
	}
	*to, a.contextIssued = person, issued
	return nil
}

// authorizeAssumption asks for each action that the request amounts to: the caller's policies and the role's trust policy
// must both know sts:AssumeRole, and sts:TagSession, sts:SetSourceIdentity and sts:SetContext where they are used.
func (s *Service) authorizeAssumption(ctx context.Context, a *assumption) error {
	actions := []string{"sts:AssumeRole"}
	if len(a.requestTags) > 0 {
		actions = append(actions, "sts:TagSession")
	}
	if a.in.SourceIdentity != nil {
		actions = append(actions, "sts:SetSourceIdentity")
	}
	if a.person != nil || a.audit != nil {
		actions = append(actions, "sts:SetContext")
	}
	values := a.values()
	for _, action := range actions {
		err := s.Authorizer.Authorize(ctx, authz.Request{
			Action: action, Resource: a.role.ARN, Account: a.role.Account,
			ResourcePolicy: &a.role.Trust, MustAllow: true, Context: values,
		})
		if err != nil {
			return err
		}
	}
	// A session that lives on after its person went gives no other one: this is asked also where sessions last until they expire.
	if c := caller.From(ctx); c.OnBehalf != nil {
		if err := s.People.PersonActive(ctx, c.OnBehalf); err != nil {
			trail.From(ctx).Step("person of the session", trail.Fail, err.Error())
			return wire.AccessDenied("The person of the session cannot act.").Because(err)
		}
	}
	switch {
	case a.person != nil:
		return s.checkPerson(ctx, a.person, a.contextIssued, "identity context")
	case a.audit != nil:
		return s.checkPerson(ctx, a.audit, a.contextIssued, "audit context")
	}
	return nil
}

// checkPerson writes the person of a context into the trail and asks whether they can act.
func (s *Service) checkPerson(ctx context.Context, p *caller.Identity, issued time.Time, of string) error {
	e := trail.From(ctx)
	e.Person(p)
	err := s.People.PersonActive(ctx, p)
	if err == nil {
		err = s.Revocations.CheckPerson(p.UserID, p.ApplicationARN, issued)
	}
	if err != nil {
		e.Step("person of the "+of, trail.Fail, err.Error())
		return wire.AccessDenied("The person of the " + of + " cannot act.").Because(err)
	}
	e.Step("person of the "+of, trail.Pass, p.UserID)
	return nil
}

func (a *assumption) values() policy.Values {
	v := policy.Values{}
	v.Set("sts:RoleSessionName", a.in.RoleSessionName)
	if a.in.ExternalId != nil {
		v.Set("sts:ExternalId", *a.in.ExternalId)
	}
	if a.sourceIdentity != "" {
		v.Set("sts:SourceIdentity", a.sourceIdentity)
	}
	for k, t := range a.requestTags {
		v.Set("aws:RequestTag/"+k, t)
		v.Add("aws:TagKeys", k)
	}
	v.Set("sts:TransitiveTagKeys", a.transitive...)
	for k, t := range a.role.Tags {
		v.Set("iam:ResourceTag/"+k, t)
		v.Set("aws:ResourceTag/"+k, t)
	}
	// An audit context sets none of these: a policy that asks for a person is to be satisfied by a session which acts for one.
	maps.Copy(v, RequestContext(a.person))
	return v
}

// RequestContext is the condition keys of a request that brings a person's identity context along; nobody has none.
func RequestContext(p *caller.Identity) policy.Values {
	v := policy.Values{}
	if p == nil {
		return v
	}
	v.Set("sts:RequestContextProviders", arn.ContextProvider)
	for key, value := range map[string]string{
		"identitystore:UserId": p.UserID, "identitystore:IdentityStoreArn": p.IdentityStoreARN, "identitycenter:InstanceArn": p.InstanceARN,
		"identitycenter:ApplicationArn": p.ApplicationARN, "identitycenter:CredentialId": p.CredentialID,
	} {
		if value != "" {
			v.Set("sts:RequestContext/"+key, value)
		}
	}
	return v
}

// limit holds the duration against the role's maximum and the limit of chained sessions. It comes after the
// authorisation, so that a role's settings are not told to strangers.
func (a *assumption) limit() error {
	if a.duration > a.role.MaxDuration {
		return wire.Invalid("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	if a.chained && a.duration > chainedDuration {
		return wire.Invalid("The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.")
	}
	return nil
}

// packedSize is how much of the allotted space policies and tags take, in percent.
func (a *assumption) packedSize() int {
	n := len(a.policy)
	for _, p := range a.policyARNs {
		n += len(p)
	}
	for k, t := range a.requestTags {
		n += len(k) + len(t)
	}
	if n == 0 {
		return 0
	}
	return max(1, min(100, n*100/maxToken))
}

// followPerson keeps the person in whose name a session began with the one that follows from it: the trail goes on to name
// who acts, nobody decides about themself by way of another role, and what came in through the portal ends with the
// assignment. As on AWS, it does not act for the person any more. A context of the request stands over it: one that bounds
// the session must not be lifted by where the request comes from.
func (a *assumption) followPerson(c *caller.Caller) {
	if a.person == nil && a.audit == nil && c.Session != nil {
		a.audit, a.portal = c.Named(), c.Session.Portal
	}
}
