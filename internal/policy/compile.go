package policy

import (
	"slices"
	"strconv"
	"strings"
)

// The second half of parsing: from Statements to rules that are quick to ask.

// rule is one compiled statement.
type rule struct {
	label      string // the Sid, else "Statement[2]"
	index      int    // the place among the statements
	effect     Effect
	delegates  bool // of a trust or actor policy: "*" is anyone with permission, not a permission by itself
	action     choice[pattern]
	resource   choice[arnPattern]
	principals *principals // nil in identity and session policies
	exempts    *principals // NotPrincipal
	conditions []condition
	variables  []piece // all of which a request must resolve; a default does not help a key with several values
}

// choice is an element or its Not twin. Without entries it matches everything.
type choice[T any] struct {
	entries []T
	not     bool
}

func (d *Document) compile() error {
	for i := range d.statements {
		s := &d.statements[i]
		place := "Statement[" + strconv.Itoa(i) + "]"
		r := &rule{label: s.Sid, index: i, effect: s.Effect, delegates: d.kind == Trust || d.kind == Actor}
		if r.label == "" {
			r.label = place
		}
		if err := d.compileStatement(place, s, r); err != nil {
			return err
		}
		if s.Effect == Deny {
			d.denies = append(d.denies, r)
		} else {
			d.allows = append(d.allows, r)
		}
	}
	return nil
}

func (d *Document) compileStatement(place string, s *Statement, r *rule) (err error) {
	if r.action.not = s.NotActions != nil; r.action.not {
		r.action.entries, err = d.compileActions(place+".NotAction", s.NotActions)
	} else {
		r.action.entries, err = d.compileActions(place+".Action", s.Actions)
	}
	if err != nil {
		return err
	}
	if r.resource.not = s.NotResources != nil; r.resource.not {
		r.resource.entries, err = d.compileResources(place+".NotResource", s.NotResources, r)
	} else {
		r.resource.entries, err = d.compileResources(place+".Resource", s.Resources, r)
	}
	if err != nil {
		return err
	}
	if s.Principals != nil {
		r.principals, err = compilePrincipals(place+".Principal", s.Principals)
	}
	if err == nil && s.NotPrincipals != nil {
		if r.exempts, err = compilePrincipals(place+".NotPrincipal", s.NotPrincipals); err == nil && r.exempts.everyone {
			err = bad(place+".NotPrincipal", `"*" leaves nobody for the statement`)
		}
	}
	if err != nil {
		return err
	}
	for _, c := range s.Conditions {
		compiled, err := d.compileCondition(place+".Condition", c, r)
		if err != nil {
			return err
		}
		r.conditions = append(r.conditions, compiled)
	}
	return nil
}

func (d *Document) compileActions(place string, actions []string) ([]pattern, error) {
	out := make([]pattern, 0, len(actions))
	for _, a := range actions {
		vendor, name, found := strings.Cut(a, ":")
		switch {
		case d.kind == Trust && lower(vendor) != "sts":
			return nil, bad(place, "%q is not an action of sts, the only ones of a trust policy", a)
		case a == "*":
		case !found || name == "" || vendor == "":
			return nil, bad(place, `%q is neither "*" nor of the form service:Action`, a)
		case vendor != "*" && !onlyASCII(vendor, "-"), !onlyASCII(name, "*?_-"):
			return nil, bad(place, "%q has characters that no action has", a)
		}
		out = append(out, newPattern(split(lower(a))))
	}
	return out, nil
}

// onlyASCII reports whether s consists of ASCII letters, digits and the extra characters.
func onlyASCII(s, extra string) bool {
	for i := range len(s) {
		c := s[i]
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z') && strings.IndexByte(extra, c) < 0 {
			return false
		}
	}
	return true
}

func (d *Document) compileResources(place string, resources []string, r *rule) ([]arnPattern, error) {
	out := make([]arnPattern, 0, len(resources))
	for _, text := range resources {
		ps, err := d.template(place, text, true, r)
		if err != nil {
			return nil, err
		}
		p, ok := newARNPattern(ps)
		if !ok || p.whole != nil {
			return nil, bad(place, `%q is neither "*" nor an ARN of six fields`, text)
		}
		out = append(out, p)
	}
	return out, nil
}

// template cuts a text that may hold variables, and notes them for the rule. Before Version 2012-10-17 a dollar sign is
// a dollar sign.
func (d *Document) template(place, text string, wildcards bool, r *rule) ([]piece, error) {
	if !d.variables {
		if wildcards {
			return split(text), nil
		}
		return appendLiteral(nil, text), nil
	}
	ps, problem := splitTemplate(text, wildcards)
	if problem != "" {
		return nil, bad(place, "%q: %s", text, problem)
	}
	for _, p := range ps {
		if p.kind == variable && !slices.Contains(r.variables, p) {
			r.variables = append(r.variables, p)
		}
	}
	return ps, nil
}

// arnPattern matches ARNs field by field.
type arnPattern struct {
	any    bool
	whole  *pattern // a lone variable, which stands for a whole ARN
	fields [6]pattern
}

// newARNPattern cuts a pattern at its first five literal colons. A colon in a variable's value is never a separator:
// it cannot move what follows it into another field.
func newARNPattern(ps []piece) (arnPattern, bool) {
	if len(ps) == 1 && ps[0].kind == many {
		return arnPattern{any: true}, true
	}
	if len(ps) == 1 && ps[0].kind == variable {
		whole := newPattern(ps)
		return arnPattern{whole: &whole}, true
	}
	var fields [6][]piece
	n := 0
	for _, p := range ps {
		if p.kind != literal {
			fields[n] = append(fields[n], p)
			continue
		}
		text := p.text
		for n < 5 {
			before, after, found := strings.Cut(text, ":")
			if !found {
				break
			}
			fields[n] = appendLiteral(fields[n], before)
			text = after
			n++
		}
		fields[n] = appendLiteral(fields[n], text)
	}
	isARN := n == 5 && len(fields[0]) == 1 && fields[0][0] == piece{kind: literal, text: "arn"}
	if !isARN || len(fields[1]) == 0 || len(fields[2]) == 0 || len(fields[5]) == 0 {
		return arnPattern{}, false
	}
	var a arnPattern
	for i, f := range fields {
		a.fields[i] = newPattern(f)
	}
	return a, true
}

// name is an ARN cut into its fields, or another text.
type name struct {
	text   string
	fields [6]string
	isARN  bool
}

func newName(text string) name {
	n := name{text: text}
	rest := text
	for i := range 5 {
		colon := strings.IndexByte(rest, ':')
		if colon < 0 {
			return n
		}
		n.fields[i], rest = rest[:colon], rest[colon+1:]
	}
	n.fields[5] = rest
	n.isARN = n.fields[0] == "arn"
	return n
}

func (a *arnPattern) match(n *name, ctx Values, widen bool) bool {
	switch {
	case a.any:
		return true
	case a.whole != nil:
		return a.whole.match(n.text, ctx, widen)
	case !n.isARN:
		return false
	}
	// From the back: the resource field tells most patterns apart.
	for i := 5; i > 0; i-- {
		if !a.fields[i].match(n.fields[i], ctx, widen) {
			return false
		}
	}
	return true
}
