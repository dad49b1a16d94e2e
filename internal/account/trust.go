package account

import (
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
	resolved, err := t.rewrite(func(name string) string {
		if id, ok := ids[name]; ok {
			return id
		}
		return name
	})
	if err != nil {
		return t
	}
	t.Document, _ = policy.Parse([]byte(resolved), policy.Trust)
	return t
}

// Show is the policy as people read it: as written, but with the id in place of the ARN of a principal that is gone or
// was made again.
func (t *Trust) Show(idOf func(arn string) (string, bool)) string {
	gone := map[string]string{}
	for name, id := range t.IDs {
		if now, ok := idOf(name); !ok || now != id {
			gone[name] = id
		}
	}
	if len(gone) == 0 {
		return t.Text
	}
	text, err := t.rewrite(func(name string) string {
		if id, ok := gone[name]; ok {
			return id
		}
		return name
	})
	if err != nil {
		return t.Text
	}
	return text
}

// rewrite renames the AWS principals of every statement. Nothing else changes but white space and the order of elements.
func (t *Trust) rewrite(name func(string) string) (string, error) {
	if len(t.IDs) == 0 {
		return t.Text, nil
	}
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
		switch names := principal["AWS"].(type) {
		case string:
			principal["AWS"] = name(names)
		case []any:
			for i := range names {
				if text, ok := names[i].(string); ok {
					names[i] = name(text)
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
// be: a user or role that does not exist. Whole accounts may be any twelve digits, known here or not; ids stay as they
// are, since a policy that was saved before its principal was deleted shows them.
func (r *Registry) ResolvePrincipals(d *policy.Document) (ids map[string]string, invalid string) {
	ids = map[string]string{}
	for _, name := range principals(d) {
		a, err := arn.Parse(name)
		if err != nil || a.Service != "iam" && a.Service != "sts" || a.Resource == "root" {
			continue
		}
		if a.Service == "sts" {
			if !r.sessionRoleExists(a) {
				return nil, name
			}
			continue
		}
		id, ok := r.PrincipalID(name)
		if !ok {
			return nil, name
		}
		ids[name] = id
	}
	return ids, ""
}
