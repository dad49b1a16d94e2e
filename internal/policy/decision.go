package policy

// Layer is a kind of policy in the order of evaluation, as AWS's texts call it.
type Layer string

// The layers.
const (
	LayerServiceControl Layer = "service control policy"
	LayerGuardrail      Layer = "guardrail"
	LayerResource       Layer = "resource-based policy"
	LayerTrust          Layer = "role trust policy"
	LayerIdentity       Layer = "identity-based policy"
	LayerBoundary       Layer = "permissions boundary"
	LayerSession        Layer = "session policy"
)

// Decision is the answer to a request, with its reason.
type Decision struct {
	Allowed bool
	// Explicit is set when a Deny statement decided.
	Explicit bool
	// Reason completes AWS's sentence "User: … is not authorized to perform: … on resource: …", such as "because no
	// identity-based policy allows the s3:GetObject action"; for an allowed request it says what allowed it.
	Reason string
	// Layer is the layer that decided, Policy and Statement the policy and its statement (the Sid, else
	// "Statement[2]"), where there is one.
	Layer             Layer
	Policy, Statement string
	// Steps is every layer that applies, in order; only Explain fills it.
	Steps []Step
}

// Outcome is what a layer says of a request.
type Outcome string

// The outcomes.
const (
	Denies Outcome = "denies"
	Allows Outcome = "allows"
	// Silent: no statement of the layer applies.
	Silent Outcome = "silent"
)

// Step is one layer's part in a decision. Whether its silence refused the request depends on the others: see the
// decision's Layer.
type Step struct {
	Layer             Layer
	Outcome           Outcome
	Policy, Statement string
	// Misses are the statements about this action that did not apply all the same.
	Misses []Miss
}

// Miss is a statement whose action matches but which does not apply.
type Miss struct {
	Policy, Statement string
	Effect            Effect
	// Element is the first part that does not match: "Principal", "Resource", "Condition.StringLike.s3:prefix", or the
	// variable that the request does not resolve, "${aws:username}".
	Element string
}

// Explain decides like Evaluate, and tells of every layer what it says and which statements came near.
func Explain(r *Request, p *Policies) Decision {
	d := Evaluate(r, p)
	e := newEvaluation(r, p)
	for layer, group := range e.layers() {
		d.Steps = append(d.Steps, e.step(layer, group))
	}
	return d
}

func (e *evaluation) step(layer Layer, group []Named) Step {
	s := Step{Layer: layer, Outcome: Silent}
	if hit, ok := e.denied(group); ok {
		s.Outcome, s.Policy, s.Statement = Denies, hit.policy, hit.statement()
	} else if hit, ok := e.allowed(group); ok && layer != LayerGuardrail {
		s.Outcome, s.Policy, s.Statement = Allows, hit.policy, hit.statement()
	}
	for i := range group {
		if group[i].Document == nil {
			continue
		}
		for _, rules := range [][]*rule{group[i].Document.denies, group[i].Document.allows} {
			for _, r := range rules {
				if _, element := e.applies(r); element != "" && element != missAction && element != missNotAction {
					s.Misses = append(s.Misses, Miss{group[i].Name, r.label, r.effect, element})
				}
			}
		}
	}
	return s
}

func (e *evaluation) refuse(layer Layer, hit finding) Decision {
	return Decision{
		Explicit:  true,
		Reason:    explicitReason(layer),
		Layer:     layer,
		Policy:    hit.policy,
		Statement: hit.statement(),
	}
}

func explicitReason(layer Layer) string {
	switch layer {
	case LayerIdentity:
		return "with an explicit deny in an identity-based policy"
	case LayerTrust:
		return "with an explicit deny in the role trust policy"
	case LayerGuardrail: // AWS attaches it as a session policy
		return "with an explicit deny in a session policy"
	}
	return "with an explicit deny in a " + string(layer)
}

func (e *evaluation) silent(layer Layer) Decision {
	return Decision{Reason: "because no " + string(layer) + " allows the " + e.r.Action + " action", Layer: layer}
}
