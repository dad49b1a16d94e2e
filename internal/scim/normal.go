package scim

import (
	"maps"
	"slices"
	"strings"
)

// The normal form of a resource: names as the schemas spell them, texts, booleans, objects and lists as the schemas say,
// nothing that is unknown, read-only, null or empty.

// normalResource brings the body of a POST or PUT into the normal form.
func normalResource(t *resourceType, body tree) (tree, error) {
	out := tree{}
	for _, name := range slices.Sorted(maps.Keys(body)) {
		v := body[name]
		if x := t.extension(name); x != nil {
			n, err := normalObject(x.attributes, x.urn, v, false)
			if err != nil {
				return nil, err
			}
			if err := put(out, x.urn, n); err != nil {
				return nil, err
			}
			continue
		}
		a := find(common, name)
		if a == nil {
			a = find(t.core.attributes, name)
		}
		if a == nil || a.readOnly || a == members {
			continue // members are read apart (members.go)
		}
		n, err := normal(a, v)
		if err != nil {
			return nil, err
		}
		if err := put(out, a.name, n); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// put sets a name once: two spellings of one name in an object contradict each other.
func put(m tree, name string, v any) error {
	if _, twice := m[name]; twice {
		return bad(invalidSyntax, "The attribute %s stands twice.", name)
	}
	if v != nil {
		m[name] = v
	}
	return nil
}

// maxItems bounds the items of an attribute while a request is worked in; the directory keeps fewer. Items are compared
// with each other, so that many of them would take long.
const maxItems = 100

// normal brings the value of an attribute into the normal form; nil is for nothing.
func normal(a *attribute, v any) (any, error) {
	if !a.multi {
		return normalOne(a, v)
	}
	list, ok := v.([]any)
	if !ok && v != nil {
		list = []any{v}
	}
	if len(list) > maxItems {
		return nil, bad(invalidValue, "The attribute %s may have %d items.", a.name, maxItems)
	}
	var out []any
	for _, x := range list {
		n, err := normalOne(a, x)
		if err != nil {
			return nil, err
		}
		if m, ok := n.(tree); ok && isHollow(m) {
			continue
		}
		if n != nil {
			out = append(out, n)
		}
	}
	if len(out) == 0 {
		return nil, nil
	}
	return out, nil
}

// isHollow says that an item has a label and no content, as providers leave behind when they clear its value.
func isHollow(item tree) bool {
	for name := range item {
		if name != "type" && name != "primary" && name != "display" {
			return false
		}
	}
	return true
}

func normalOne(a *attribute, v any) (any, error) {
	switch a.kind {
	case complexed:
		return normalComplex(a, v, false)
	case boolean:
		switch v := v.(type) {
		case nil:
			return nil, nil
		case bool:
			return v, nil
		case string:
			if b, ok := booleanOf(v); ok {
				return b, nil
			}
		}
		return nil, bad(invalidValue, "The value of %s must be true or false.", a.name)
	default:
		switch v := v.(type) {
		case nil:
			return nil, nil
		case string:
			if v == "" {
				return nil, nil
			}
			return v, nil
		}
		return nil, bad(invalidValue, "The value of %s must be a string.", a.name)
	}
}

// booleanOf reads a boolean that was written as a text, as Entra does.
func booleanOf(s string) (b, ok bool) {
	switch strings.ToLower(s) {
	case "true":
		return true, true
	case "false":
		return false, true
	}
	return false, false
}

// normalComplex reads an object. Where the attribute has a value, a bare text stands for an object with it (a manager, or
// an email, that some providers write so), and a list of one for its item. With keepNull, parts that are null stay in it
// as nil, for a change that removes them.
func normalComplex(a *attribute, v any, keepNull bool) (any, error) {
	if list, ok := v.([]any); ok && !a.multi {
		switch len(list) {
		case 0:
			return nil, nil
		case 1:
			v = list[0]
		default:
			return nil, bad(invalidValue, "The attribute %s has one value only.", a.name)
		}
	}
	if s, ok := v.(string); ok && a.sub("value") != nil {
		v = tree{"value": s}
	}
	return normalObject(a.subs, a.name, v, keepNull)
}

func normalObject(attributes []*attribute, name string, v any, keepNull bool) (any, error) {
	if v == nil {
		return nil, nil
	}
	m, ok := v.(tree)
	if !ok {
		return nil, bad(invalidValue, "The value of %s must be an object.", name)
	}
	out := tree{}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		a := find(attributes, k)
		if a == nil || a.readOnly {
			continue
		}
		if _, twice := out[a.name]; twice {
			return nil, bad(invalidSyntax, "The attribute %s.%s stands twice.", name, a.name)
		}
		n, err := normal(a, m[k])
		if err != nil {
			return nil, err
		}
		if n != nil || keepNull {
			out[a.name] = n
		}
	}
	if len(out) == 0 && !keepNull {
		return nil, nil
	}
	return out, nil
}
