package authz

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/policy"
)

// Messages seals why a request was refused for those of an account who may read it (sts:DecodeAuthorizationMessage);
// session provides it.
type Messages interface {
	SealMessage(account string, text []byte) (string, error)
}

// maxMessage bounds a message in bytes, so that what is sealed fits DecodeAuthorizationMessage's 10,240 characters.
// messageStep is what its length is rounded up to: how long it is must not tell what is in it.
const (
	maxMessage  = 7 << 10
	messageStep = 1 << 10
)

// encoded is the end of a refusal's message where the caller's account can have it decoded, as EC2 writes it: refusals of
// iam, sts and lakegate on what the caller's own account owns. What another account's policies say is not the caller's to
// read.
func (a *Authorizer) encoded(c *caller.Caller, q *policy.Request, p *policy.Policies, d policy.Decision) string {
	service, _, _ := strings.Cut(q.Action, ":")
	if a.Messages == nil || c.Account == "" || q.ResourceAccount != c.Account || !slices.Contains([]string{"iam", "sts", "lakegate"}, service) {
		return ""
	}
	text := message(c, q, p, d)
	if text == nil {
		return ""
	}
	sealed, err := a.Messages.SealMessage(c.Account, text)
	if err != nil {
		return "" // the refusal stands without
	}
	return ". Encoded authorization failure message: " + sealed
}

// items is how the document lists anything.
type items[T any] struct {
	Items []T `json:"items"`
}

func list[T any](all ...T) items[T] {
	if all == nil {
		all = []T{}
	}
	return items[T]{all}
}

type value struct {
	Value string `json:"value"`
}

func values(all []string) items[value] {
	out := list[value]()
	for _, v := range all {
		out.Items = append(out.Items, value{v})
	}
	return out
}

type condition struct {
	Key    string       `json:"key"`
	Values items[value] `json:"values"`
}

type matched struct {
	StatementID     string           `json:"statementId"`
	Effect          string           `json:"effect"`
	Principals      items[value]     `json:"principals"`
	PrincipalGroups items[value]     `json:"principalGroups"`
	Actions         items[value]     `json:"actions"`
	Resources       items[value]     `json:"resources"`
	Conditions      items[condition] `json:"conditions"`
}

type principal struct {
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
	ARN  string `json:"arn"`
}

// failure is the document that DecodeAuthorizationMessage answers with (STS API reference). Of statements it has those that
// deny, as AWS's has.
type failure struct {
	Allowed           bool           `json:"allowed"`
	ExplicitDeny      bool           `json:"explicitDeny"`
	MatchedStatements items[matched] `json:"matchedStatements"`
	Failures          items[value]   `json:"failures"`
	Context           struct {
		Principal  principal        `json:"principal"`
		Action     string           `json:"action"`
		Resource   string           `json:"resource"`
		Conditions items[condition] `json:"conditions"`
	} `json:"context"`
}

// message is the document of a refusal, filled up with spaces; nil when it is too large without its statements and
// conditions.
func message(c *caller.Caller, q *policy.Request, p *policy.Policies, d policy.Decision) []byte {
	f := failure{ExplicitDeny: d.Explicit, MatchedStatements: list[matched](), Failures: list[value]()}
	f.Context.Principal = principal{ID: c.UserID, Name: c.UserName, ARN: c.ARN}
	f.Context.Action, f.Context.Resource, f.Context.Conditions = q.Action, q.Resource, list[condition]()
	for _, key := range slices.Sorted(maps.Keys(q.Context)) {
		f.Context.Conditions.Items = append(f.Context.Conditions.Items, condition{key, values(q.Context[key])})
	}
	if d.Explicit {
		f.MatchedStatements.Items = append(f.MatchedStatements.Items, denying(q, p)...)
	}
	for _, lessen := range []func(){func() {}, func() { f.Context.Conditions.Items = []condition{} }, func() { f.MatchedStatements.Items = []matched{} }} {
		lessen()
		text, err := json.Marshal(f)
		if err == nil && len(text) <= maxMessage {
			return append(text, bytes.Repeat([]byte{' '}, (messageStep-len(text)%messageStep)%messageStep)...)
		}
	}
	return nil
}

// denying are the statements that deny a request, but for those of service control policies, which are another account's.
func denying(q *policy.Request, p *policy.Policies) []matched {
	documents := map[string]*policy.Document{}
	groups := append([][]policy.Named{p.Identity, p.Boundary}, p.Session...)
	if p.Resource != nil {
		groups = append(groups, []policy.Named{*p.Resource})
	}
	for _, group := range groups {
		for _, n := range group {
			documents[n.Name] = n.Document
		}
	}
	var out []matched
	for _, applied := range policy.Apply(q, p) {
		doc := documents[applied.Policy]
		if applied.Effect != policy.Deny || doc == nil || applied.Layer == policy.LayerServiceControl || applied.Layer == policy.LayerGuardrail {
			continue
		}
		s := doc.Statements()[applied.Index]
		m := matched{
			StatementID: s.Sid, Effect: "DENY", Principals: list[value](), PrincipalGroups: list[value](),
			Actions: values(append(slices.Clone(s.Actions), s.NotActions...)), Resources: values(append(slices.Clone(s.Resources), s.NotResources...)),
			Conditions: list[condition](),
		}
		for _, who := range s.Principals {
			m.Principals.Items = append(m.Principals.Items, value{who.Value})
		}
		for _, c := range s.Conditions {
			m.Conditions.Items = append(m.Conditions.Items, condition{c.Key, values(c.Values)})
		}
		out = append(out, m)
	}
	return out
}
