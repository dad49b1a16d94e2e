package scim

import (
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"
)

// The language of filters (RFC 7644 §3.4.2.2), with two forms more that providers send: a comparison behind a value path
// and values without quotes. Keywords and names stand in any letter case.
//
//	filter     = and *("or" and)
//	and        = term *("and" term)
//	term       = "not" "(" filter ")" / "(" filter ")" / comparison
//	comparison = path "pr" / path op value / path "[" filter "]" ["." name ("pr" / op value)]
//
//	userName eq "mateo" and not (title pr)
//	emails[type eq "work" and value co "@example.com"]
//	emails[type eq "work"].value eq "mateo@example.com"

// The bounds of a filter.
const (
	maxFilter = 4096 // bytes
	maxNested = 16
	maxTerms  = 64
)

// filter is a parsed filter.
type filter interface {
	match(s subject) bool
}

type (
	and struct{ a, b filter }
	or  struct{ a, b filter }
	not struct{ a filter }
	// compare is an attribute against a value. pr has no value.
	compare struct {
		ref   ref
		op    string
		value literal
	}
	// valuePath is a filter over the items of an attribute, and a comparison of those that it selects, if there is one.
	valuePath struct {
		ref   ref
		items filter
		then  *compare
	}
)

// ref is a resolved attribute: of an extension or not, and a part of it or the whole.
type ref struct {
	extension *schema
	attr, sub *attribute
}

// end is the attribute whose values are compared.
func (r ref) end() *attribute {
	if r.sub != nil {
		return r.sub
	}
	return r.attr
}

// literal is a value in a filter: as it is compared, as it was written, and for a date the instant.
type literal struct {
	text   string
	raw    string
	isNull bool
	at     time.Time
}

// parser reads filters and paths. attributes is where names are looked up: a resource type's, or inside of brackets those
// of one attribute.
type parser struct {
	text   string
	pos    int
	depth  int
	terms  int
	scope  *resourceType
	inside *attribute
	// others are the types that are searched together with scope: their names are known, and nothing in scope has them.
	others []*resourceType
	// fail is the scimType of refusals.
	fail string
}

// absent is an attribute of another type, which no resource of this one has (RFC 7644 §3.4.2.1).
var absent = &attribute{kind: text}

// isAbsent reports whether a name that the scope does not have is one of another type.
func (p *parser) isAbsent(name string) bool {
	if p.inside == absent {
		return true
	}
	for _, t := range p.others {
		q := &parser{text: name, scope: t, fail: p.fail}
		if r, err := q.name(); err == nil && r.attr != nil {
			return true
		}
	}
	return false
}

// parseFilter reads a filter over the resources of a type, which may be searched together with others.
func parseFilter(t *resourceType, s string, others ...*resourceType) (filter, error) {
	if len(s) > maxFilter {
		return nil, bad(tooMany, "The filter is longer than %d bytes.", maxFilter)
	}
	if !utf8.ValidString(s) {
		return nil, bad(invalidFilter, "The filter is not UTF-8.")
	}
	p := &parser{text: s, scope: t, others: others, fail: invalidFilter}
	f, err := p.or()
	if err != nil {
		return nil, err
	}
	if p.space(); p.pos < len(p.text) {
		return nil, p.refuse("there is something after its end")
	}
	return f, nil
}

func (p *parser) refuse(why string) error {
	what := map[string]string{invalidFilter: "filter", invalidPath: "path"}[p.fail]
	return bad(p.fail, "The %s is not valid: %s (at character %d).", what, why, utf8.RuneCountInString(p.text[:p.pos])+1)
}

func (p *parser) space() {
	for p.pos < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.pos]) >= 0 {
		p.pos++
	}
}

// accept takes a character, after blanks.
func (p *parser) accept(c byte) bool {
	p.space()
	if p.pos < len(p.text) && p.text[p.pos] == c {
		p.pos++
		return true
	}
	return false
}

// word looks at the next run of characters that names and keywords are made of.
func (p *parser) word() string {
	p.space()
	end := p.pos
	for end < len(p.text) && isNameByte(p.text[end]) {
		end++
	}
	return p.text[p.pos:end]
}

func isNameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-_.:$", c) >= 0
}

// keyword takes a keyword that stands for itself.
func (p *parser) keyword(k string) bool {
	if w := p.word(); strings.EqualFold(w, k) {
		p.pos += len(w)
		return true
	}
	return false
}

func (p *parser) or() (filter, error) {
	if p.depth++; p.depth > maxNested {
		return nil, bad(tooMany, "The filter is nested too deeply.")
	}
	defer func() { p.depth-- }()
	f, err := p.and()
	for err == nil && p.keyword("or") {
		var g filter
		g, err = p.and()
		f = &or{f, g}
	}
	return f, err
}

func (p *parser) and() (filter, error) {
	f, err := p.term()
	for err == nil && p.keyword("and") {
		var g filter
		g, err = p.term()
		f = &and{f, g}
	}
	return f, err
}

func (p *parser) term() (filter, error) {
	if p.terms++; p.terms > maxTerms {
		return nil, bad(tooMany, "The filter has more than %d terms.", maxTerms)
	}
	if p.accept('(') {
		return p.group()
	}
	start := p.pos
	if p.keyword("not") && p.accept('(') {
		f, err := p.group()
		return &not{f}, err
	}
	p.pos = start
	return p.comparison()
}

// group is a filter up to its closing parenthesis.
func (p *parser) group() (filter, error) {
	f, err := p.or()
	if err == nil && !p.accept(')') {
		err = p.refuse("a parenthesis is missing")
	}
	return f, err
}

func (p *parser) comparison() (filter, error) {
	r, err := p.name()
	if err != nil {
		return nil, err
	}
	if r.attr == nil {
		return nil, p.refuse("a schema is not an attribute")
	}
	if p.pos < len(p.text) && p.text[p.pos] == '[' {
		return p.valuePath(r)
	}
	return p.test(r)
}

// test reads an operator and a value, and sees that they fit the attribute.
func (p *parser) test(r ref) (filter, error) {
	if p.keyword("pr") {
		return &compare{ref: r, op: "pr"}, nil
	}
	w := strings.ToLower(p.word())
	if !strings.Contains(" eq ne co sw ew gt ge lt le ", " "+w+" ") || w == "" {
		return nil, p.refuse("an operator was expected")
	}
	p.pos += len(w)
	if r.attr.kind == complexed && r.sub == nil {
		// A multi-valued attribute, and a manager, are compared by their values (RFC 7644 §3.4.2.2).
		if r.sub = r.attr.sub("value"); r.sub == nil {
			return nil, p.refuse(r.attr.name + " has no value to compare")
		}
	}
	c := &compare{ref: r, op: w}
	return c, p.value(c)
}

func (p *parser) valuePath(r ref) (filter, error) {
	f, err := p.brackets(r)
	if err != nil {
		return nil, err
	}
	if p.pos >= len(p.text) || p.text[p.pos] != '.' {
		// With one comparison inside, this is that comparison of a part. Not so what is true of an item that lacks the part:
		// there has to be such an item.
		if c, ok := f.(*compare); ok && c.op != "ne" && !c.value.isNull {
			return &compare{ref: ref{r.extension, r.attr, c.ref.attr}, op: c.op, value: c.value}, nil
		}
		return &valuePath{ref: r, items: f}, nil
	}
	sub, err := p.subName(r)
	if err != nil {
		return nil, err
	}
	then, err := p.test(ref{attr: sub})
	if err != nil {
		return nil, err
	}
	return &valuePath{ref: r, items: f, then: then.(*compare)}, nil
}

// brackets reads the filter over an attribute's items, from the opening bracket to the closing one.
func (p *parser) brackets(r ref) (filter, error) {
	if p.inside != nil || r.sub != nil || r.attr.kind != complexed && r.attr != absent {
		return nil, p.refuse("brackets stand after an attribute with several parts")
	}
	p.pos++
	p.inside = r.attr
	defer func() { p.inside = nil }()
	f, err := p.or()
	if err == nil && !p.accept(']') {
		err = p.refuse("a bracket is missing")
	}
	return f, err
}

// subName reads what stands after a closing bracket.
func (p *parser) subName(r ref) (*attribute, error) {
	p.pos++
	w := p.word()
	a := r.attr.sub(w)
	if r.attr == absent && w != "" {
		a = absent
	}
	if a == nil || p.text[p.pos-1] != '.' {
		return nil, &unknown{p.refuse(r.attr.name + " has no such part").(*fault)}
	}
	p.pos += len(w)
	return a, nil
}

// unknown is the refusal of a name that the schemas do not have.
type unknown struct{ *fault }

func (u *unknown) Unwrap() error { return u.fault }

// name reads and resolves a name, with a URN before it and a part after it. A URN alone is a whole extension.
func (p *parser) name() (r ref, err error) {
	w := p.word()
	if w == "" {
		return ref{}, p.refuse("an attribute was expected")
	}
	none := func(text string) (ref, error) {
		if p.isAbsent(text) {
			p.pos += len(text)
			return ref{attr: absent}, nil
		}
		return ref{}, &unknown{p.refuse("there is no attribute " + text).(*fault)}
	}
	rest, part := w, ""
	if p.inside != nil {
		if r.attr = p.inside.sub(w); r.attr == nil {
			return none(w)
		}
		p.pos += len(w)
		return r, nil
	}
	x, rest, qualified := p.scope.cutURN(w)
	switch {
	case qualified && rest == "":
		if x == p.scope.core {
			return none(w)
		}
		p.pos += len(w)
		return ref{extension: x}, nil
	case qualified:
		rest, part, _ = strings.Cut(rest, ".")
		r.attr = find(x.attributes, rest)
		if x != p.scope.core {
			r.extension = x
		} else if r.attr == nil {
			r.attr = find(common, rest)
		}
	default:
		rest, part, _ = strings.Cut(rest, ".")
		r.extension, r.attr = p.scope.lookup(rest)
	}
	if r.attr == nil {
		return none(w)
	}
	if strings.HasSuffix(w, ".") {
		return none(w)
	}
	if part != "" {
		if r.sub = r.attr.sub(part); r.sub == nil {
			return none(w)
		}
	}
	p.pos += len(w)
	return r, nil
}

// value reads the value of a comparison.
func (p *parser) value(c *compare) error {
	p.space()
	quoted := p.pos < len(p.text) && p.text[p.pos] == '"'
	var s string
	if quoted {
		d := json.NewDecoder(strings.NewReader(p.text[p.pos:]))
		if err := d.Decode(&s); err != nil {
			return p.refuse("a text is not closed or not valid")
		}
		p.pos += int(d.InputOffset())
	} else {
		end := p.pos
		for end < len(p.text) && strings.IndexByte(" \t\r\n()[]\"", p.text[end]) < 0 {
			end++
		}
		if s = p.text[p.pos:end]; s == "" {
			return p.refuse("a value was expected")
		}
		p.pos = end
	}
	c.value.text, c.value.raw = s, s
	if !quoted && strings.EqualFold(s, "null") {
		c.value.isNull = true
		if c.op != "eq" && c.op != "ne" {
			return p.refuse("null can be compared with eq and ne alone")
		}
		return nil
	}
	switch a := c.ref.end(); a.kind {
	case boolean:
		b, ok := booleanOf(s)
		if !ok || c.op != "eq" && c.op != "ne" {
			return p.refuse(a.name + " can be compared with true or false alone")
		}
		c.value.text = map[bool]string{true: "true", false: "false"}[b]
	case dateTime:
		at, err := time.Parse(time.RFC3339, s)
		if err != nil || strings.Contains("co sw ew", c.op) {
			return p.refuse(a.name + " can be compared with a date and time alone")
		}
		c.value.at = at
	case text, reference, complexed:
		if !a.caseExact {
			c.value.text = strings.ToLower(s)
		}
	}
	return nil
}
