package account

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/policy"
)

// Trust is a role's trust policy: the text as it was written, the ids that the users and roles named in it had when it
// was saved, and the policy as it is compared, in which ids stand for those ARNs.
type Trust struct {
	Text     string
	IDs      map[string]string // ARN → id
	Document *policy.Document
}

// newTrust compiles a trust policy with ids in place of ARNs. A text that cannot be read has no Document: nobody is
// trusted by it.
func newTrust(text string, ids map[string]string) Trust {
	t := Trust{Text: text, IDs: ids}
	resolved, err := t.rewrite(ids)
	if err != nil {
		return t
	}
	t.Document, _ = policy.Parse([]byte(resolved), policy.Trust)
	return t
}

// Show is the policy as people read it: as written, but with today's ARN of a user that was renamed, and with the id in
// place of the ARN of a principal that is gone, even if another one has its name now.
func (t *Trust) Show(arnOf func(id string) (string, bool)) string {
	renamed := map[string]string{}
	for name, id := range t.IDs {
		now, ok := arnOf(id)
		if !ok {
			now = id
		}
		if now != name {
			renamed[name] = now
		}
	}
	if len(renamed) == 0 {
		return t.Text
	}
	text, err := t.rewrite(renamed)
	if err != nil {
		return t.Text
	}
	return text
}

// rewrite renames the AWS principals of every statement. Nothing else changes but white space and the order of elements.
func (t *Trust) rewrite(names map[string]string) (string, error) {
	if len(names) == 0 {
		return t.Text, nil
	}
	name := func(old string) string { return cmp.Or(names[old], old) }
	var root map[string]any
	read := json.NewDecoder(strings.NewReader(t.Text))
	read.UseNumber() // a condition's number keeps its digits
	if err := read.Decode(&root); err != nil {
		return "", fmt.Errorf("read trust policy: %w", err)
	}
	statements, ok := root["Statement"].([]any)
	if !ok {
		statements = []any{root["Statement"]}
	}
	for _, s := range statements {
		statement, _ := s.(map[string]any)
		principal, _ := statement["Principal"].(map[string]any)
		switch named := principal["AWS"].(type) {
		case string:
			principal["AWS"] = name(named)
		case []any:
			for i := range named {
				if text, ok := named[i].(string); ok {
					named[i] = name(text)
				}
			}
		}
	}
	text, err := json.Marshal(root)
	return string(text), err
}

// principals lists the AWS principals that a policy's statements name.
func principals(d *policy.Document) []string {
	var out []string
	for _, s := range d.Statements() {
		for _, p := range s.Principals {
			if p.Type == "AWS" && p.Value != "*" {
				out = append(out, p.Value)
			}
		}
	}
	return out
}

// ResolvePrincipals finds the id of each user and role that a policy names by ARN. It returns the first name that cannot
// be: a user or role that does not exist, by ARN or by id. Whole accounts may be any twelve digits, known here or not.
func (r *Registry) ResolvePrincipals(d *policy.Document) (ids map[string]string, invalid string) {
	ids = map[string]string{}
	for _, name := range principals(d) {
		a, err := arn.Parse(name)
		switch {
		case arn.IsAccountID(name) || err == nil && a.Service == "iam" && a.Resource == "root":
		case err != nil: // an id, as a policy shows it whose principal is gone
			if _, ok := r.entities.Get(name); !ok {
				return nil, name
			}
		case a.Service == "sts":
			if !r.sessionRoleExists(a) {
				return nil, name
			}
		default:
			id, ok := r.PrincipalID(name)
			if !ok {
				return nil, name
			}
			ids[name] = id
		}
	}
	return ids, ""
}

// arnOf is the ARN that an id has today.
func (r *Registry) arnOf(id string) (string, bool) {
	e, ok := r.entities.Get(id)
	if !ok {
		return "", false
	}
	return e.ARN(), true
}
