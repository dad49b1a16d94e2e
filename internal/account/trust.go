package account

import (
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
	resolved, err := policy.RenamePrincipals(text, ids)
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
	text, err := policy.RenamePrincipals(t.Text, renamed)
	if err != nil {
		return t.Text
	}
	return text
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
