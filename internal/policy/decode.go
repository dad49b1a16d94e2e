package policy

import (
	"fmt"
	"slices"
	"strconv"
)

// The first half of parsing: from JSON to Statements, each element of the right type and where its kind admits it. What
// the texts inside mean (patterns, principals, operators) is compile.go's.

func bad(place, format string, args ...any) error {
	return &Error{Place: place, Problem: fmt.Sprintf(format, args...)}
}

func (d *Document) decode(root node) error {
	if root.kind != jsonObject {
		return bad("", "a policy is a JSON object, not %s", jsonNames[root.kind])
	}
	var list []node
	version := "2008-10-17" // what a policy without a Version means
	for _, m := range root.members {
		var err error
		switch m.name {
		case "Version":
			version, err = text(m.name, m.value)
		case "Id":
			d.id, err = text(m.name, m.value)
		case "Statement":
			switch m.value.kind {
			case jsonObject:
				list = []node{m.value}
			case jsonArray:
				list = m.value.items
			default:
				err = bad(m.name, "must be an object or a list of objects, not %s", jsonNames[m.value.kind])
			}
		default:
			err = bad(m.name, "unknown element")
		}
		if err != nil {
			return err
		}
	}
	switch {
	case version != "2012-10-17" && version != "2008-10-17":
		return bad("Version", "must be 2012-10-17 or 2008-10-17, not %q", version)
	case d.kind == Actor && version != "2012-10-17":
		return bad("Version", "must be 2012-10-17")
	case len(list) == 0:
		return bad("Statement", "at least one statement is required")
	}
	d.variables = version == "2012-10-17"
	sids := map[string]bool{}
	for i, n := range list {
		place := "Statement[" + strconv.Itoa(i) + "]"
		s, err := d.decodeStatement(place, n)
		if err != nil {
			return err
		}
		if s.Sid != "" && sids[s.Sid] {
			return bad(place+".Sid", "%q is used by another statement", s.Sid)
		}
		sids[s.Sid] = true
		d.statements = append(d.statements, s)
	}
	return nil
}

func (d *Document) decodeStatement(place string, n node) (Statement, error) {
	var s Statement
	if n.kind != jsonObject {
		return s, bad(place, "must be an object, not %s", jsonNames[n.kind])
	}
	seen := map[string]bool{}
	for _, m := range n.members {
		at, err := place+"."+m.name, error(nil)
		seen[m.name] = true
		switch m.name {
		case "Sid":
			if s.Sid, err = text(at, m.value); err == nil {
				err = d.checkSid(at, s.Sid)
			}
		case "Effect":
			var e string
			if e, err = text(at, m.value); err == nil {
				if s.Effect = Effect(e); s.Effect != Allow && s.Effect != Deny {
					err = bad(at, "must be Allow or Deny, not %q", e)
				}
			}
		case "Action":
			s.Actions, err = texts(at, m.value)
		case "NotAction":
			s.NotActions, err = texts(at, m.value)
		case "Resource":
			s.Resources, err = texts(at, m.value)
		case "NotResource":
			s.NotResources, err = texts(at, m.value)
		case "Principal":
			s.Principals, err = decodePrincipals(at, m.value)
		case "NotPrincipal":
			s.NotPrincipals, err = decodePrincipals(at, m.value)
		case "Condition":
			s.Conditions, err = decodeConditions(at, m.value)
		default:
			err = bad(at, "unknown element")
		}
		if err != nil {
			return s, err
		}
	}
	return s, d.checkElements(place, seen)
}

// checkElements holds a statement to the elements that its kind must and must not have.
func (d *Document) checkElements(place string, seen map[string]bool) error {
	either := func(name string, required bool) error {
		has, hasNot := seen[name], seen["Not"+name]
		switch {
		case has && hasNot:
			return bad(place, "%s and Not%s exclude each other", name, name)
		case required && !has && !hasNot:
			return bad(place, "%s is required in %s policies", name, d.kind)
		case !required && has:
			return bad(place+"."+name, "not allowed in %s policies", d.kind)
		case !required && hasNot:
			return bad(place+".Not"+name, "not allowed in %s policies", d.kind)
		}
		return nil
	}
	if !seen["Effect"] {
		return bad(place, "Effect is required")
	}
	if err := either("Action", true); err != nil {
		return err
	}
	if err := either("Resource", d.kind != Trust); err != nil {
		return err
	}
	if err := either("Principal", d.kind.hasPrincipal()); err != nil {
		return err
	}
	switch {
	case d.kind == Trust && seen["NotAction"]:
		return bad(place+".NotAction", "a trust policy names its actions with Action")
	case d.kind != Resource && seen["NotPrincipal"]:
		return bad(place+".NotPrincipal", "not allowed in %s policies", d.kind)
	}
	return nil
}

// checkSid: IAM takes letters and digits alone, S3 is wider.
func (d *Document) checkSid(place, sid string) error {
	for _, r := range sid {
		alphanumeric := r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !alphanumeric && (d.kind != Resource && d.kind != Actor || r < ' ' || r == 0x7f) {
			return bad(place, "%q has characters other than letters and digits", sid)
		}
	}
	return nil
}

func decodePrincipals(place string, n node) ([]PolicyPrincipal, error) {
	if n.kind == jsonString {
		if n.text != "*" {
			return nil, bad(place, "must be \"*\" or an object, not %q", n.text)
		}
		return []PolicyPrincipal{{"*", "*"}}, nil
	}
	if n.kind != jsonObject {
		return nil, bad(place, "must be \"*\" or an object, not %s", jsonNames[n.kind])
	}
	var out []PolicyPrincipal
	for _, m := range n.members {
		at := place + "." + m.name
		if !slices.Contains([]string{"AWS", "Service", "Federated", "CanonicalUser"}, m.name) {
			return nil, bad(at, "unknown kind of principal")
		}
		names, err := texts(at, m.value)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			out = append(out, PolicyPrincipal{m.name, name})
		}
	}
	if len(out) == 0 {
		return nil, bad(place, "at least one principal is required")
	}
	return out, nil
}

func decodeConditions(place string, n node) ([]Condition, error) {
	if n.kind != jsonObject {
		return nil, bad(place, "must be an object, not %s", jsonNames[n.kind])
	}
	var out []Condition
	seen := map[string]bool{} // operators and keys ignore case, and so must the search for duplicates
	for _, operator := range n.members {
		at := place + "." + operator.name
		if operator.value.kind != jsonObject {
			return nil, bad(at, "must be an object, not %s", jsonNames[operator.value.kind])
		}
		if len(operator.value.members) == 0 {
			return nil, bad(at, "at least one condition key is required")
		}
		for _, key := range operator.value.members {
			at := at + "." + key.name
			values, err := scalars(at, key.value)
			if err != nil {
				return nil, err
			}
			folded := lower(operator.name) + "\x00" + lower(key.name)
			if seen[folded] {
				return nil, bad(at, "given twice, in different case")
			}
			seen[folded] = true
			out = append(out, Condition{operator.name, key.name, values})
		}
	}
	return out, nil
}

func text(place string, n node) (string, error) {
	if n.kind != jsonString {
		return "", bad(place, "must be a string, not %s", jsonNames[n.kind])
	}
	return n.text, nil
}

// texts reads one string or a list of strings; none is empty, and neither is the list.
func texts(place string, n node) ([]string, error) {
	items := n.items
	if n.kind != jsonArray {
		items = []node{n}
	}
	out := make([]string, 0, len(items))
	for i, item := range items {
		at := place
		if n.kind == jsonArray {
			at += "[" + strconv.Itoa(i) + "]"
		}
		s, err := text(at, item)
		if err != nil {
			return nil, err
		}
		if s == "" {
			return nil, bad(at, "must not be empty")
		}
		out = append(out, s)
	}
	if len(out) == 0 {
		return nil, bad(place, "the list must not be empty")
	}
	return out, nil
}

// scalars reads the values of a condition key: strings, which may be empty, numbers and booleans, one or a list.
func scalars(place string, n node) ([]string, error) {
	items := n.items
	if n.kind != jsonArray {
		items = []node{n}
	}
	out := make([]string, 0, len(items))
	for i, item := range items {
		switch item.kind {
		case jsonString, jsonNumber, jsonBool:
			out = append(out, item.text)
		default:
			at := place
			if n.kind == jsonArray {
				at += "[" + strconv.Itoa(i) + "]"
			}
			return nil, bad(at, "must be a string, number or boolean, not %s", jsonNames[item.kind])
		}
	}
	if len(out) == 0 {
		return nil, bad(place, "the list must not be empty")
	}
	return out, nil
}
