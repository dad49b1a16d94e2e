package center

import (
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
	resolved, err := policy.RenamePrincipals(text, ids)
	if err == nil {
		m.Document, _ = policy.Parse([]byte(resolved), policy.Actor)
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
