package scim

import (
	"strings"
	"time"
)

// subject is what a filter is asked about: a resource, or an item of one of its attributes.
type subject interface {
	// get returns the value of an attribute by its name in the schema, of an extension or not; nil is for nothing.
	get(extension *schema, name string) any
}

// memberTester is a subject that knows its members without listing them.
type memberTester interface {
	hasMember(id string) bool
}

// get implements subject for a tree in the normal form.
func get(m tree, extension *schema, name string) any {
	if extension != nil {
		m, _ = m[extension.urn].(tree)
	}
	return m[name]
}

// plainSubject is a tree alone.
type plainSubject tree

func (s plainSubject) get(extension *schema, name string) any { return get(tree(s), extension, name) }

func (f *and) match(s subject) bool { return f.a.match(s) && f.b.match(s) }
func (f *or) match(s subject) bool  { return f.a.match(s) || f.b.match(s) }
func (f *not) match(s subject) bool { return !f.a.match(s) }

func (f *compare) match(s subject) bool {
	if t, ok := s.(memberTester); ok && f.ref.attr == members && f.ref.sub != nil && f.ref.sub.name == "value" && !f.value.isNull {
		switch f.op {
		case "eq":
			return t.hasMember(f.value.text)
		case "ne":
			return !t.hasMember(f.value.text)
		}
	}
	return f.matchValues(valuesOf(s.get(f.ref.extension, f.ref.attr.name), f.ref.sub))
}

// matchValues compares what an attribute has. One value that fits is enough; ne is the opposite of eq, so that all have
// to differ.
func (f *compare) matchValues(values []any) bool {
	if f.op == "ne" {
		eq := *f
		eq.op = "eq"
		return !eq.matchValues(values)
	}
	if f.value.isNull {
		return len(values) == 0
	}
	if f.op == "pr" {
		return len(values) > 0
	}
	a := f.ref.end()
	for _, v := range values {
		if f.matchValue(a, v) {
			return true
		}
	}
	return false
}

func (f *compare) matchValue(a *attribute, v any) bool {
	switch v := v.(type) {
	case bool:
		return v == (f.value.text == "true")
	case string:
		if a.kind == dateTime {
			at, err := time.Parse(time.RFC3339, v)
			return err == nil && ordered(f.op, at.Compare(f.value.at))
		}
		if !a.caseExact {
			v = strings.ToLower(v)
		}
		switch f.op {
		case "co":
			return strings.Contains(v, f.value.text)
		case "sw":
			return strings.HasPrefix(v, f.value.text)
		case "ew":
			return strings.HasSuffix(v, f.value.text)
		}
		return ordered(f.op, strings.Compare(v, f.value.text))
	}
	return false
}

func ordered(op string, order int) bool {
	switch op {
	case "eq":
		return order == 0
	case "gt":
		return order > 0
	case "ge":
		return order >= 0
	case "lt":
		return order < 0
	case "le":
		return order <= 0
	}
	return false
}

// valuesOf lists the values of an attribute, or of a part of it, over all of its items.
func valuesOf(v any, sub *attribute) (values []any) {
	for _, item := range listOf(v) {
		if sub != nil {
			m, _ := item.(tree)
			item = m[sub.name]
		}
		if item != nil {
			values = append(values, item)
		}
	}
	return values
}

// listOf is the items of a value: those of a list, or the value itself.
func listOf(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		return v
	}
	return []any{v}
}

func (f *valuePath) match(s subject) bool {
	var chosen []any
	for _, item := range listOf(s.get(f.ref.extension, f.ref.attr.name)) {
		if m, ok := item.(tree); ok && f.items.match(plainSubject(m)) {
			chosen = append(chosen, m)
		}
	}
	if f.then == nil {
		return len(chosen) > 0
	}
	return f.then.matchValues(valuesOf(chosen, f.then.ref.attr))
}

// conjuncts are the terms that all have to match.
func conjuncts(f filter) []filter {
	if a, ok := f.(*and); ok {
		return append(conjuncts(a.a), conjuncts(a.b)...)
	}
	return []filter{f}
}
