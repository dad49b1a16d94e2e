package policy

import "iter"

// Request is what is asked for: who does what to what, and under which circumstances.
type Request struct {
	Principal Principal
	// Action is such as "s3:GetObject".
	Action string
	// Resource is the ARN that the action is about. An action about no single resource names the widest ARN that
	// policies for it are written with, such as "arn:aws:s3:::*" for s3:ListAllMyBuckets; "*" matches only "*".
	Resource string
	// ResourceAccount owns the resource; for an action about no resource it is the caller's own account. Empty means
	// somebody else's: both sides must allow.
	ResourceAccount string
	// Context is the condition keys of the request. Evaluate adds none of its own, not even aws:PrincipalArn.
	Context Values
}

// Named is a policy with the name that reasons give it.
type Named struct {
	Name string
	// Document is the policy. Without one it counts as a policy that denies everything: what cannot be read may hold a
	// Deny.
	Document *Document
}

// Policies are all policies that apply to a request. A nil list of Boundary, Session or ServiceControl means that there
// is no such limit; an empty one is a limit that allows nothing.
type Policies struct {
	// Identity policies of the user and its groups, or of the session's role.
	Identity []Named
	// Boundary is the permissions boundary of the user or role.
	Boundary []Named
	// Session holds groups of which each must allow: the session policies given to AssumeRole, the limit of vended
	// credentials, ….
	Session [][]Named
	// Resource is the resource's own policy: bucket policy, trust policy, access grants instance policy, actor policy.
	Resource *Named
	// ResourceMustAllow asks for the resource's Allow within the same account too, as trust and actor policies do.
	ResourceMustAllow bool
	// Guardrail policies can only deny.
	Guardrail []Named
	// ServiceControl holds the service control policies of each level from the root to the account, each of which must
	// allow.
	ServiceControl [][]Named
}

// Evaluate decides a request against every policy that applies.
//
//  1. A Deny statement that applies, in whichever policy, refuses.
//  2. Service control policies must allow at each level.
//  3. The resource's policy is asked how directly it allows the principal.
//     Within one account, an Allow to the user or the very session is enough. An Allow to the session's role or to
//     everyone spares the identity policies but not the boundary and session policies. An Allow to the account leaves
//     it to the identity policies, as no Allow does; but where the resource must allow, no Allow refuses.
//     Across accounts the resource must allow, in any of these ways, and so must everything on the principal's side.
//  4. Identity policies must allow, then the boundary, then each group of session policies.
//
// In trust and actor policies "*" is anyone who has permission: it counts as an Allow to the account. The account's
// root user needs no identity policy and knows no boundary. Services, federated users and anonymous requests have no
// account, so the resource's policy alone can allow them.
func Evaluate(r *Request, p *Policies) Decision {
	e := newEvaluation(r, p)
	for layer, group := range e.layers() {
		if hit, ok := e.denied(group); ok {
			return e.refuse(layer, hit)
		}
	}
	return e.allow()
}

// evaluation is a request prepared for being asked often.
type evaluation struct {
	r        *Request
	p        *Policies
	action   string // in lower case
	resource name
}

func newEvaluation(r *Request, p *Policies) *evaluation {
	return &evaluation{r: r, p: p, action: lower(r.Action), resource: newName(r.Resource)}
}

// layers yields the groups of policies that apply, in the order in which a Deny is looked for.
func (e *evaluation) layers() iter.Seq2[Layer, []Named] {
	return func(yield func(Layer, []Named) bool) {
		for _, level := range e.p.ServiceControl {
			if !yield(LayerServiceControl, level) {
				return
			}
		}
		if len(e.p.Guardrail) > 0 && !yield(LayerGuardrail, e.p.Guardrail) {
			return
		}
		if e.p.Resource != nil && !yield(e.resourceLayer(), []Named{*e.p.Resource}) {
			return
		}
		if !yield(LayerIdentity, e.p.Identity) || e.p.Boundary != nil && !yield(LayerBoundary, e.p.Boundary) {
			return
		}
		for _, group := range e.p.Session {
			if !yield(LayerSession, group) {
				return
			}
		}
	}
}

func (e *evaluation) resourceLayer() Layer {
	if e.p.Resource != nil && e.p.Resource.Document != nil && e.p.Resource.Document.kind == Trust {
		return LayerTrust
	}
	return LayerResource
}

// allow looks for what must allow, once nothing denies.
func (e *evaluation) allow() Decision {
	for _, level := range e.p.ServiceControl {
		if _, ok := e.allowed(level); !ok {
			return e.silent(LayerServiceControl)
		}
	}
	resource := e.resourceAllow()
	who := e.r.Principal.Type
	switch who {
	case Root, User, AssumedRole, FederatedUser:
	case Service, Federated, Anonymous:
		if resource.grade < named { // a delegation: nobody is there to take it up
			return e.silent(e.resourceLayer())
		}
		return e.allowBy(e.resourceLayer(), resource)
	default:
		return Decision{Reason: "because no policy can allow a principal of this type"}
	}

	sameAccount := e.r.Principal.Account != "" && e.r.Principal.Account == e.r.ResourceAccount
	resourceRequired := !sameAccount || e.p.ResourceMustAllow
	if sameAccount && resourceRequired && resource.grade == unnamed {
		return e.silent(e.resourceLayer())
	}
	if sameAccount && resource.grade == direct {
		return e.allowBy(e.resourceLayer(), resource)
	}
	decided, by := LayerResource, resource
	if who != Root && (!sameAccount || resource.grade < named) {
		hit, ok := e.allowed(e.p.Identity)
		if !ok {
			return e.silent(LayerIdentity)
		}
		decided, by = LayerIdentity, hit
	}
	if who != Root && e.p.Boundary != nil {
		if _, ok := e.allowed(e.p.Boundary); !ok {
			return e.silent(LayerBoundary)
		}
	}
	for _, group := range e.p.Session {
		if _, ok := e.allowed(group); !ok {
			return e.silent(LayerSession)
		}
	}
	if resourceRequired && resource.grade == unnamed {
		return e.silent(e.resourceLayer())
	}
	if by.rule == nil {
		return Decision{Allowed: true, Reason: "allowed to the root user of the account"}
	}
	if decided == LayerResource {
		decided = e.resourceLayer()
	}
	return e.allowBy(decided, by)
}

func (e *evaluation) allowBy(layer Layer, hit finding) Decision {
	reason := "allowed by a resource-based policy"
	switch layer {
	case LayerIdentity:
		reason = "allowed by an identity-based policy"
	case LayerTrust:
		reason = "allowed by the role trust policy"
	}
	return Decision{Allowed: true, Reason: reason, Layer: layer, Policy: hit.policy, Statement: hit.statement()}
}

// finding is the statement that settled a layer.
type finding struct {
	policy string
	rule   *rule
	grade  grade
}

func (f finding) statement() string {
	if f.rule == nil {
		return ""
	}
	return f.rule.label
}

func (e *evaluation) denied(group []Named) (finding, bool) {
	for i := range group {
		if group[i].Document == nil {
			return finding{policy: group[i].Name}, true
		}
		for _, r := range group[i].Document.denies {
			if _, miss := e.applies(r); miss == "" {
				return finding{policy: group[i].Name, rule: r}, true
			}
		}
	}
	return finding{}, false
}

func (e *evaluation) allowed(group []Named) (finding, bool) {
	for i := range group {
		if group[i].Document == nil {
			continue
		}
		for _, r := range group[i].Document.allows {
			if g, miss := e.applies(r); miss == "" {
				return finding{group[i].Name, r, g}, true
			}
		}
	}
	return finding{}, false
}

// resourceAllow is the Allow of the resource's policy that names the principal most directly. A policy of a kind that
// names no principals cannot allow here: it would allow everybody.
func (e *evaluation) resourceAllow() finding {
	var best finding
	if e.p.Resource == nil || e.p.Resource.Document == nil || !e.p.Resource.Document.kind.hasPrincipal() {
		return best
	}
	for _, r := range e.p.Resource.Document.allows {
		if g, miss := e.applies(r); miss == "" && g > best.grade {
			if best = (finding{e.p.Resource.Name, r, g}); g == direct {
				break
			}
		}
	}
	return best
}

// What a statement may miss, besides a condition or a variable.
const (
	missAction       = "Action"
	missNotAction    = "NotAction"
	missResource     = "Resource"
	missNotResource  = "NotResource"
	missPrincipal    = "Principal"
	missNotPrincipal = "NotPrincipal"
)

// applies reports how directly a statement names the principal, or the element for which it does not apply.
func (e *evaluation) applies(r *rule) (grade, string) {
	deny := r.effect == Deny
	if e.matchesAction(r.action.entries) == r.action.not {
		if r.action.not {
			return unnamed, missNotAction
		}
		return unnamed, missAction
	}
	g := named
	if r.principals != nil {
		if g = r.principals.match(&e.r.Principal, r.delegates); g == unnamed {
			return unnamed, missPrincipal
		}
	}
	if r.exempts != nil {
		if deny && r.exempts.spares(&e.r.Principal) || !deny && r.exempts.excludes(&e.r.Principal) {
			return unnamed, missNotPrincipal
		}
	}
	if !deny {
		for i := range r.variables {
			if _, ok := r.variables[i].value(e.r.Context); !ok {
				return unnamed, "${" + r.variables[i].text + "}"
			}
		}
	}
	if len(r.resource.entries) > 0 {
		widen := deny && !r.resource.not
		if e.matchesResource(r.resource.entries, widen) == r.resource.not {
			if r.resource.not {
				return unnamed, missNotResource
			}
			return unnamed, missResource
		}
	}
	for i := range r.conditions {
		if !r.conditions[i].holds(e.r.Context, deny) {
			return unnamed, r.conditions[i].label
		}
	}
	return g, ""
}

func (e *evaluation) matchesAction(patterns []pattern) bool {
	for i := range patterns {
		if patterns[i].match(e.action, nil, false) {
			return true
		}
	}
	return false
}

func (e *evaluation) matchesResource(patterns []arnPattern, widen bool) bool {
	for i := range patterns {
		if patterns[i].match(&e.resource, e.r.Context, widen) {
			return true
		}
	}
	return false
}
