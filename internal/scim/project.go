package scim

import (
	"net/url"
	"strings"
)

// projection says which attributes an answer has (RFC 7644 §3.9): those named, or all but those named. The id and the
// schemas are always there.
type projection struct {
	only   []ref
	asked  bool
	except []ref
}

// parseProjection reads the parameters attributes and excludedAttributes. Names that the schemas do not have ask for
// nothing.
func parseProjection(t *resourceType, q url.Values) projection {
	return projection{only: refs(t, q.Get("attributes")), asked: q.Get("attributes") != "", except: refs(t, q.Get("excludedAttributes"))}
}

func refs(t *resourceType, list string) (all []ref) {
	for name := range strings.SplitSeq(list, ",") {
		if to, err := parsePath(t, strings.TrimSpace(name)); err == nil && to.items == nil {
			all = append(all, to.ref)
		}
	}
	return all
}

// wants reports whether an attribute of the core schema is in the answer, before it is read from the database.
func (p projection) wants(a *attribute) bool {
	if p.asked {
		found := false
		for _, r := range p.only {
			found = found || r.attr == a
		}
		if !found {
			return false
		}
	}
	for _, r := range p.except {
		if r.attr == a && r.sub == nil {
			return false
		}
	}
	return true
}

// apply returns the part of a resource that the answer has.
func (p projection) apply(t tree) tree {
	if p.asked {
		out := tree{"id": t["id"], "schemas": t["schemas"]}
		for _, r := range p.only {
			from, into := t, out
			if r.extension != nil {
				from, _ = t[r.extension.urn].(tree)
				if r.attr == nil {
					setOrDelete(out, r.extension.urn, from)
					continue
				}
				into, _ = out[r.extension.urn].(tree)
				if into == nil {
					into = tree{}
				}
			}
			include(into, from, r)
			if r.extension != nil {
				setOrDelete(out, r.extension.urn, into)
			}
		}
		t = out
	}
	for _, r := range p.except {
		exclude(t, r)
	}
	return t
}

func include(into, from tree, r ref) {
	v := from[r.attr.name]
	if r.sub == nil || v == nil {
		setOrDelete(into, r.attr.name, v)
		return
	}
	old := listOf(into[r.attr.name])
	var parts []any
	for i, item := range listOf(v) {
		m, _ := item.(tree)
		part := tree{}
		if i < len(old) {
			part, _ = old[i].(tree)
		}
		if m[r.sub.name] != nil {
			part[r.sub.name] = m[r.sub.name]
		}
		parts = append(parts, part)
	}
	if r.attr.multi {
		setOrDelete(into, r.attr.name, parts)
	} else if len(parts) == 1 {
		setOrDelete(into, r.attr.name, parts[0])
	}
}

func exclude(t tree, r ref) {
	switch {
	case r.extension != nil && r.attr == nil:
		delete(t, r.extension.urn)
		return
	case r.extension != nil:
		t, _ = t[r.extension.urn].(tree)
	}
	switch {
	case r.attr.name == "id" || r.attr.name == "schemas":
	case r.sub == nil:
		delete(t, r.attr.name)
	default:
		for _, item := range listOf(t[r.attr.name]) {
			if m, ok := item.(tree); ok {
				delete(m, r.sub.name)
			}
		}
	}
}
