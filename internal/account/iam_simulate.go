package account

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/lakegate/lakegate/internal/api/iam"
	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/policy"
)

// maxSimulated bounds the questions of one simulation: actions times resources.
const maxSimulated = 10_000

// simulation is a set of policies and the questions that are put to them. They are decided by what decides requests, so
// that a simulation says what would happen; session policies, and what hangs on the person of a session, are not in it.
type simulation struct {
	policies  policy.Policies
	sources   map[string]source
	documents map[string]*policy.Document
	request   policy.Request
	actions   []string
	resources []string
}

// source is where a policy comes from, as the answer names it.
type source struct {
	id   string
	kind iam.PolicySourceType
}

// SimulateCustomPolicy tells what policies that are given would allow.
func (s *IAM) SimulateCustomPolicy(ctx context.Context, in *iam.SimulateCustomPolicyInput) (*iam.SimulateCustomPolicyOutput, error) {
	if err := s.permit(ctx, "SimulateCustomPolicy", "*", nil); err != nil {
		return nil, err
	}
	account := caller.From(ctx).Account
	m := newSimulation(policy.Principal{Type: policy.User, Account: account})
	if err := m.given("PolicyInputList", in.PolicyInputList, &m.policies.Identity); err != nil {
		return nil, err
	}
	if err := m.boundary(in.PermissionsBoundaryPolicyInputList); err != nil {
		return nil, err
	}
	if err := m.ask(account, in.ActionNames, in.ResourceArns, in.ResourcePolicy, in.ResourceOwner, in.CallerArn, in.ContextEntries); err != nil {
		return nil, err
	}
	results, truncated, next, err := m.page(in.Marker, in.MaxItems)
	return &iam.SimulateCustomPolicyOutput{EvaluationResults: results, IsTruncated: truncated, Marker: next}, err
}

// SimulatePrincipalPolicy tells what the policies of a user, group or role would allow, as they are now, with further ones
// if they are given.
func (s *IAM) SimulatePrincipalPolicy(ctx context.Context, in *iam.SimulatePrincipalPolicyInput) (*iam.SimulatePrincipalPolicyOutput, error) {
	account := caller.From(ctx).Account
	name, err := arn.Parse(in.PolicySourceArn)
	owner := account
	if err == nil {
		owner = name.Account
	}
	if err := s.permitOf(ctx, "SimulatePrincipalPolicy", in.PolicySourceArn, owner, nil); err != nil {
		return nil, err
	}
	e, ok := s.Registry.entityByARN(in.PolicySourceArn)
	if !ok || e.Account != account {
		return nil, iam.NoSuchEntityException("The principal " + in.PolicySourceArn + " cannot be found.")
	}
	m := newSimulation(principalOfEntity(e))
	m.own(s.Registry, e)
	if err := m.given("PolicyInputList", in.PolicyInputList, &m.policies.Identity); err != nil {
		return nil, err
	}
	if e.Boundary != "" {
		n := s.Registry.managedNamed(e.Account, e.Boundary)
		m.policies.Boundary = []policy.Named{m.note(n, sourceOfManaged(e.Boundary))}
	}
	if err := m.boundary(in.PermissionsBoundaryPolicyInputList); err != nil {
		return nil, err
	}
	if err := m.ask(account, in.ActionNames, in.ResourceArns, in.ResourcePolicy, in.ResourceOwner, in.CallerArn, in.ContextEntries); err != nil {
		return nil, err
	}
	results, truncated, next, err := m.page(in.Marker, in.MaxItems)
	return &iam.SimulatePrincipalPolicyOutput{EvaluationResults: results, IsTruncated: truncated, Marker: next}, err
}

func newSimulation(p policy.Principal) *simulation {
	return &simulation{request: policy.Request{Principal: p, Context: policy.Values{}}, sources: map[string]source{}, documents: map[string]*policy.Document{}}
}

// principalOfEntity is an entity as the one who makes a request: a role as one of its sessions.
func principalOfEntity(e *Entity) policy.Principal {
	p := policy.Principal{Type: policy.User, ARN: e.ARN(), Account: e.Account, UniqueID: e.ID}
	if e.Kind == RoleKind {
		p.Type, p.ARN, p.RoleARN = policy.AssumedRole, arn.AssumedRole(e.Account, e.Name, "simulation"), e.ARN()
	}
	return p
}

// own takes the policies of an entity, and those of its groups.
func (m *simulation) own(r *Registry, e *Entity) {
	entities := []*Entity{e}
	for _, id := range e.Groups {
		if g, ok := r.entities.Get(id); ok {
			entities = append(entities, g)
		}
	}
	for _, e := range entities {
		kind := iam.PolicySourceType(strings.ToLower(string(e.Kind)))
		for _, p := range e.Inline {
			m.policies.Identity = append(m.policies.Identity, m.note(p.named(e), source{string(kind) + "_" + e.Name + "_" + p.Name, kind}))
		}
		for _, name := range e.Attached {
			m.policies.Identity = append(m.policies.Identity, m.note(r.managedNamed(e.Account, name), sourceOfManaged(name)))
		}
	}
}

func sourceOfManaged(name string) source {
	kind := iam.PolicySourceTypeUserManaged
	if a, err := arn.Parse(name); err == nil && a.Account == "aws" {
		kind = iam.PolicySourceTypeAwsManaged
	}
	return source{name[strings.LastIndexByte(name, '/')+1:], kind}
}

// note remembers where a policy comes from.
func (m *simulation) note(n policy.Named, s source) policy.Named {
	m.sources[n.Name], m.documents[n.Name] = s, n.Document
	return n
}

// given parses policies that came with the request.
func (m *simulation) given(list string, texts []string, into *[]policy.Named) error {
	for i, text := range texts {
		d, err := policy.Parse([]byte(text), policy.Identity)
		if err != nil {
			return malformed(err)
		}
		name := fmt.Sprintf("%s.%d", list, i+1)
		*into = append(*into, m.note(policy.Named{Name: name, Document: d}, source{name, iam.PolicySourceTypeNone}))
	}
	return nil
}

// boundary replaces the permissions boundary, where the request gives one.
func (m *simulation) boundary(texts []string) error {
	if len(texts) == 0 {
		return nil
	}
	m.policies.Boundary = []policy.Named{}
	return m.given("PermissionsBoundaryPolicyInputList", texts, &m.policies.Boundary)
}

// ask takes the questions of a request.
func (m *simulation) ask(account string, actions, resources []string, resourcePolicy, owner, callerARN *string, entries []iam.ContextEntry) error {
	if m.resources = resources; len(resources) == 0 {
		m.resources = []string{"*"}
	}
	m.actions = actions
	if len(m.actions)*len(m.resources) > maxSimulated {
		return iam.InvalidInputException(fmt.Sprintf("There are more than %d pairs of an action and a resource.", maxSimulated))
	}
	for _, a := range actions {
		if service, name, ok := strings.Cut(a, ":"); !ok || service == "" || name == "" || strings.ContainsAny(a, "*?") {
			return iam.InvalidInputException("Invalid Action name: " + a + ". It has the form service:Action, without wildcards.")
		}
	}
	m.request.ResourceAccount = account
	if owner != nil {
		if m.request.ResourceAccount = *owner; !arn.IsAccountID(*owner) {
			a, err := arn.Parse(*owner)
			if err != nil || a.Account == "" {
				return iam.InvalidInputException("ResourceOwner must be an account id, or an ARN that has one.")
			}
			m.request.ResourceAccount = a.Account
		}
	}
	if callerARN != nil {
		a, err := arn.Parse(*callerARN)
		if err != nil || a.Service != "iam" || !strings.HasPrefix(a.Resource, "user/") {
			return iam.InvalidInputException("CallerArn must be the ARN of a user.")
		}
		m.request.Principal = policy.Principal{Type: policy.User, ARN: *callerARN, Account: a.Account}
	}
	if resourcePolicy != nil {
		if m.request.Principal.ARN == "" {
			return iam.InvalidInputException("CallerArn is needed with a ResourcePolicy: it says who asks.")
		}
		d, err := policy.Parse([]byte(*resourcePolicy), policy.Resource)
		if err != nil {
			return malformed(err)
		}
		n := m.note(policy.Named{Name: "ResourcePolicy", Document: d}, source{"ResourcePolicy", iam.PolicySourceTypeResource})
		m.policies.Resource = &n
	}
	for _, c := range entries {
		if c.ContextKeyName != nil {
			m.request.Context.Set(*c.ContextKeyName, c.ContextKeyValues...)
		}
	}
	return nil
}

// page answers the questions of one page.
func (m *simulation) page(marker *string, most *int) (results []iam.EvaluationResult, truncated *bool, next *string, err error) {
	questions := make([]place, len(m.actions)*len(m.resources))
	for i := range questions {
		questions[i] = place(i)
	}
	shown, truncated, next, err := page(questions, func(p place) string { return fmt.Sprintf("%05d", int(p)) }, marker, most)
	if err != nil {
		return nil, nil, nil, err
	}
	missing := m.missing()
	results = make([]iam.EvaluationResult, 0, len(shown))
	for _, q := range shown {
		results = append(results, m.evaluate(m.actions[int(q)/len(m.resources)], m.resources[int(q)%len(m.resources)], missing))
	}
	return results, truncated, next, nil
}

// evaluate answers one question.
func (m *simulation) evaluate(action, resource string, missing []string) iam.EvaluationResult {
	m.request.Action, m.request.Resource = action, resource
	d := policy.Evaluate(&m.request, &m.policies)
	out := iam.EvaluationResult{
		EvalActionName: action, EvalResourceName: &resource, EvalDecision: iam.PolicyEvaluationDecisionTypeImplicitDeny,
		MatchedStatements: []iam.Statement{}, MissingContextValues: missing,
	}
	// Statements that allow explain an answer that allows, those that deny one that denies; nothing explains silence.
	counts := policy.Effect("")
	switch {
	case d.Allowed:
		out.EvalDecision, counts = iam.PolicyEvaluationDecisionTypeAllowed, policy.Allow
	case d.Explicit:
		out.EvalDecision, counts = iam.PolicyEvaluationDecisionTypeExplicitDeny, policy.Deny
	}
	bounded := false
	for _, a := range policy.Apply(&m.request, &m.policies) {
		if a.Layer == policy.LayerBoundary && a.Effect == policy.Allow {
			bounded = true
		}
		if a.Effect == counts {
			out.MatchedStatements = append(out.MatchedStatements, m.matched(a))
		}
	}
	if m.policies.Boundary != nil {
		out.PermissionsBoundaryDecisionDetail = &iam.PermissionsBoundaryDecisionDetail{AllowedByPermissionsBoundary: &bounded}
	}
	return out
}

func (m *simulation) matched(a policy.Applied) iam.Statement {
	s := m.sources[a.Policy]
	begin, end := m.documents[a.Policy].Place(a.Index)
	return iam.Statement{
		SourcePolicyId: &s.id, SourcePolicyType: &s.kind,
		StartPosition: &iam.Position{Line: &begin.Line, Column: &begin.Column}, EndPosition: &iam.Position{Line: &end.Line, Column: &end.Column},
	}
}

// missing are the condition keys that the policies name and the request does not give.
func (m *simulation) missing() []string {
	missing := []string{}
	for _, d := range m.documents {
		if d == nil {
			continue
		}
		for _, k := range d.Keys() {
			if m.request.Context.Get(k) == nil && !slices.Contains(missing, k) {
				missing = append(missing, k)
			}
		}
	}
	slices.Sort(missing)
	return missing
}
