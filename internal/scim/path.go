package scim

// target is what a PATCH operation is about (RFC 7644 §3.5.2): an attribute or a part of it; of an attribute with many
// items those that a filter selects; or, with attr nil, a whole extension.
//
//	displayName
//	name.givenName
//	emails[type eq "work"].value
//	urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager
type target struct {
	ref
	items filter
}

// parsePath reads a path. A name that the schemas do not have is an *unknown.
func parsePath(t *resourceType, s string) (target, error) {
	if len(s) > maxFilter {
		return target{}, bad(invalidPath, "The path is longer than %d bytes.", maxFilter)
	}
	p := &parser{text: s, scope: t, fail: invalidPath}
	r, err := p.name()
	if err != nil {
		return target{}, err
	}
	to := target{ref: r}
	if r.attr != nil && p.pos < len(p.text) && p.text[p.pos] == '[' {
		if to.items, err = p.brackets(r); err != nil {
			return target{}, err
		}
		if !r.attr.multi {
			return target{}, p.refuse(r.attr.name + " has no items to choose from")
		}
		if p.pos < len(p.text) && p.text[p.pos] == '.' {
			if to.sub, err = p.subName(r); err != nil {
				return target{}, err
			}
		}
	}
	if p.space(); p.pos < len(p.text) {
		return target{}, p.refuse("there is something after its end")
	}
	return to, nil
}

// isReadOnly reports whether clients may not change the target.
func (t target) isReadOnly() bool {
	return t.attr != nil && (t.attr.readOnly || t.sub != nil && t.sub.readOnly)
}
