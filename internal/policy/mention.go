package policy

import (
	"slices"
	"strings"
)

// Mention reports whether any of the policies, in a condition or a variable, names a key that begins so (in lower case,
// such as "s3:existingobjecttag/"). What costs something to find out need not be found out for policies that do not.
func (p *Policies) Mention(prefix string) bool {
	mentioned := func(n Named) bool { return n.Document != nil && n.Document.mentions(prefix) }
	for _, group := range p.Session {
		if slices.ContainsFunc(group, mentioned) {
			return true
		}
	}
	for _, level := range p.ServiceControl {
		if slices.ContainsFunc(level, mentioned) {
			return true
		}
	}
	return p.Resource != nil && mentioned(*p.Resource) ||
		slices.ContainsFunc(p.Identity, mentioned) || slices.ContainsFunc(p.Boundary, mentioned) || slices.ContainsFunc(p.Guardrail, mentioned)
}

func (d *Document) mentions(prefix string) bool {
	for _, rules := range [][]*rule{d.denies, d.allows} {
		for _, r := range rules {
			if slices.ContainsFunc(r.conditions, func(c condition) bool { return strings.HasPrefix(c.key, prefix) }) ||
				slices.ContainsFunc(r.variables, func(v piece) bool { return strings.HasPrefix(v.text, prefix) }) {
				return true
			}
		}
	}
	return false
}
