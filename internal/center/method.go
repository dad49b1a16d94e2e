package center

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/lakegate/lakegate/internal/policy"
)

// Method is the authentication method IAM: the actor policy as it was written, the ids that the users and roles named in
// it had when it was saved, and the policy as it is compared, in which ids stand for those ARNs.
type Method struct {
	Text string
	IDs  map[string]string // ARN → id
	// Document is nil for a policy that cannot be read, which admits nobody.
	Document *policy.Document
}

// newMethod compiles a stored actor policy. A role that was deleted and made again has another id, so that the policy
// means it no longer.
func newMethod(text string, ids map[string]string) *Method {
	m := &Method{Text: text, IDs: ids}
	resolved, err := withIDs(text, ids)
	if err == nil {
		m.Document, _ = policy.Parse(resolved, policy.Actor)
	}
	return m
}

// errActorPolicy is what a client is told of a policy that cannot be used.
//
//lint:ignore ST1005 AWS's words for the client
var errActorPolicy = errors.New("Invalid actor policy provided")

// parseActorPolicy checks what somebody wants to save.
func parseActorPolicy(text []byte) (*policy.Document, error) {
	d, err := policy.Parse(text, policy.Actor)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errActorPolicy, err)
	}
	for _, s := range d.Statements() {
		for _, action := range s.Actions {
			if service, _, _ := strings.Cut(action, ":"); action != "*" && !strings.EqualFold(service, "sso-oauth") {
				return nil, fmt.Errorf("%w: %q is not an action of sso-oauth", errActorPolicy, action)
			}
		}
	}
	return d, nil
}

// withIDs puts ids in the place of the ARNs of AWS principals. Nothing else changes but white space and the order of
// elements.
func withIDs(text string, ids map[string]string) ([]byte, error) {
	if len(ids) == 0 {
		return []byte(text), nil
	}
	var root map[string]any
	read := json.NewDecoder(strings.NewReader(text))
	read.UseNumber() // a condition's number keeps its digits
	if err := read.Decode(&root); err != nil {
		return nil, fmt.Errorf("read actor policy: %w", err)
	}
	statements, ok := root["Statement"].([]any)
	if !ok {
		statements = []any{root["Statement"]}
	}
	for _, s := range statements {
		statement, _ := s.(map[string]any)
		principal, _ := statement["Principal"].(map[string]any)
		replaceNames(principal, ids)
	}
	return json.Marshal(root)
}

func replaceNames(principal map[string]any, ids map[string]string) {
	switch names := principal["AWS"].(type) {
	case string:
		if id, ok := ids[names]; ok {
			principal["AWS"] = id
		}
	case []any:
		for i := range names {
			name, _ := names[i].(string)
			if id, ok := ids[name]; ok {
				names[i] = id
			}
		}
	}
}
