package policy

import (
	"encoding/base64"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Values is the context of a request: condition keys with their values. A key without values counts as absent, which
// is not the same as one whose only value is empty.
type Values map[string][]string

// Set replaces the values of a key, in any case. Without values it removes the key.
func (v Values) Set(key string, values ...string) {
	if len(values) == 0 {
		delete(v, lower(key))
		return
	}
	v[lower(key)] = values
}

// Add adds values to a key, in any case.
func (v Values) Add(key string, values ...string) {
	key = lower(key)
	v[key] = append(slices.Clip(v[key]), values...)
}

// Get returns the values of a key, in any case.
func (v Values) Get(key string) []string { return v.get(lower(key)) }

// get looks for a key in lower case. A key that was put into the map in another case is found the slow way: were it
// taken for absent, StringNotEquals and its kin would hold.
func (v Values) get(key string) []string {
	if values, ok := v[key]; ok {
		return values
	}
	for k, values := range v {
		if len(k) == len(key) && lower(k) == key {
			return values
		}
	}
	return nil
}

// checkKey says what is wrong with a condition key. Service prefixes may be those of OIDC providers.
func checkKey(key string) string {
	service, name, found := strings.Cut(key, ":")
	switch {
	case !found || service == "" || name == "":
		return "a condition key has the form service:name"
	case !onlyASCII(service, "-._/"):
		return "the service of a condition key has characters that none has"
	case len(key) > 512:
		return "a condition key has at most 512 characters"
	}
	return ""
}

type quantifier int

const (
	single quantifier = iota
	forAllValues
	forAnyValue
)

// condition is one operator and key with its values.
type condition struct {
	label    string // "Condition.StringLike.s3:prefix"
	key      string
	set      quantifier
	negated  bool
	ifExists bool
	null     []bool  // of Null: the values
	values   matcher // of all others
}

// matcher reports whether one value of the request matches any value of the policy, before negation.
type matcher interface {
	match(value string, ctx Values, widen bool) bool
}

// holds reports whether the condition is met. With widen, variables that the request does not resolve are taken so
// that it is (see the package comment); it is set for Deny statements.
func (c *condition) holds(ctx Values, widen bool) bool {
	values := ctx.get(c.key)
	if c.values == nil {
		return slices.Contains(c.null, len(values) == 0)
	}
	if len(values) == 0 {
		switch {
		case c.ifExists, c.set == forAllValues:
			return true
		case c.set == forAnyValue:
			return false
		}
		return c.negated // what is absent equals nothing
	}
	// Without a quantifier a positive operator needs one match and a negated one needs none.
	all := c.set == forAllValues || c.set == single && c.negated
	for _, v := range values {
		if (c.values.match(v, ctx, widen && !c.negated) != c.negated) != all {
			return !all
		}
	}
	return all
}

type family int

const (
	stringFamily family = iota
	numericFamily
	dateFamily
	boolFamily
	binaryFamily
	addressFamily
	arnFamily
	nullFamily
)

type operator struct {
	family     family
	negated    bool
	wildcards  bool       // StringLike
	ignoreCase bool       // StringEqualsIgnoreCase
	order      comparison // Numeric… and Date…
}

// comparison is the set of outcomes of a comparison that satisfy an operator.
type comparison struct{ less, equal, greater bool }

func (c comparison) holds(outcome int) bool {
	return outcome < 0 && c.less || outcome == 0 && c.equal || outcome > 0 && c.greater
}

// findOperator resolves an operator by its name in lower case, without quantifier and IfExists.
func findOperator(name string) (operator, bool) {
	switch name {
	case "stringequals":
		return operator{family: stringFamily}, true
	case "stringnotequals":
		return operator{family: stringFamily, negated: true}, true
	case "stringequalsignorecase":
		return operator{family: stringFamily, ignoreCase: true}, true
	case "stringnotequalsignorecase":
		return operator{family: stringFamily, ignoreCase: true, negated: true}, true
	case "stringlike":
		return operator{family: stringFamily, wildcards: true}, true
	case "stringnotlike":
		return operator{family: stringFamily, wildcards: true, negated: true}, true
	case "bool":
		return operator{family: boolFamily, ignoreCase: true}, true
	case "binaryequals":
		return operator{family: binaryFamily}, true
	case "ipaddress":
		return operator{family: addressFamily}, true
	case "notipaddress":
		return operator{family: addressFamily, negated: true}, true
	case "arnequals", "arnlike": // AWS gives both the same meaning
		return operator{family: arnFamily}, true
	case "arnnotequals", "arnnotlike":
		return operator{family: arnFamily, negated: true}, true
	case "null":
		return operator{family: nullFamily}, true
	}
	if rest, ok := strings.CutPrefix(name, "numeric"); ok {
		return findOrder(numericFamily, rest)
	}
	if rest, ok := strings.CutPrefix(name, "date"); ok {
		return findOrder(dateFamily, rest)
	}
	return operator{}, false
}

func findOrder(f family, name string) (operator, bool) {
	switch name {
	case "equals":
		return operator{family: f, order: comparison{equal: true}}, true
	case "notequals":
		return operator{family: f, order: comparison{equal: true}, negated: true}, true
	case "lessthan":
		return operator{family: f, order: comparison{less: true}}, true
	case "lessthanequals":
		return operator{family: f, order: comparison{less: true, equal: true}}, true
	case "greaterthan":
		return operator{family: f, order: comparison{greater: true}}, true
	case "greaterthanequals":
		return operator{family: f, order: comparison{greater: true, equal: true}}, true
	}
	return operator{}, false
}

func (d *Document) compileCondition(place string, c Condition, r *rule) (condition, error) {
	out := condition{label: "Condition." + c.Operator + "." + c.Key, key: lower(c.Key)}
	at := place + "." + c.Operator
	name := lower(c.Operator)
	if rest, ok := strings.CutPrefix(name, "forallvalues:"); ok {
		name, out.set = rest, forAllValues
	} else if rest, ok := strings.CutPrefix(name, "foranyvalue:"); ok {
		name, out.set = rest, forAnyValue
	}
	name, out.ifExists = strings.CutSuffix(name, "ifexists")
	op, ok := findOperator(name)
	switch {
	case !ok:
		return out, bad(at, "unknown condition operator")
	case op.family == nullFamily && (out.ifExists || out.set != single):
		return out, bad(at, "Null takes neither a quantifier nor IfExists")
	}
	out.negated = op.negated
	at += "." + c.Key
	if problem := checkKey(out.key); problem != "" {
		return out, bad(at, "%s", problem)
	}
	if op.family == nullFamily {
		for _, v := range c.Values {
			if v = lower(v); v != "true" && v != "false" {
				return out, bad(at, "%q is not true or false", v)
			}
			out.null = append(out.null, v == "true")
		}
		return out, nil
	}
	var err error
	out.values, err = d.compileValues(at, op, c.Values, r)
	return out, err
}

func (d *Document) compileValues(place string, op operator, values []string, r *rule) (matcher, error) {
	switch op.family {
	case numericFamily:
		list, bad := each(place, "a decimal number", values, parseDecimal)
		return ordered[decimal]{op.order, list, parseDecimal, decimal.compare}, bad
	case dateFamily:
		list, bad := each(place, "a date", values, parseDate)
		return ordered[time.Time]{op.order, list, parseDate, time.Time.Compare}, bad
	case binaryFamily:
		list, bad := each(place, "base64", values, decodeBase64)
		return binaries(list), bad
	case addressFamily:
		list, bad := each(place, "an IP address or range", values, parsePrefix)
		return addresses(list), bad
	case arnFamily:
		return d.compileARNs(place, values, r)
	}
	out := stringValues{ignoreCase: op.ignoreCase}
	for _, v := range values {
		ps, err := d.template(place, v, op.wildcards, r)
		if err != nil {
			return nil, err
		}
		p := newPattern(ps)
		if op.family == boolFamily && !p.variable && lower(v) != "true" && lower(v) != "false" {
			return nil, bad(place, "%q is not true or false", v)
		}
		out.patterns = append(out.patterns, p)
	}
	return out, nil
}

// each parses all values, or says which is not one of its kind. Variables have no meaning in these operators.
func each[T any](place, kind string, values []string, parse func(string) (T, bool)) ([]T, error) {
	out := make([]T, 0, len(values))
	for _, v := range values {
		t, ok := parse(v)
		if !ok {
			return nil, bad(place, "%q is not %s", v, kind)
		}
		out = append(out, t)
	}
	return out, nil
}

func (d *Document) compileARNs(place string, values []string, r *rule) (matcher, error) {
	var out arnValues
	for _, v := range values {
		ps, err := d.template(place, v, true, r)
		if err != nil {
			return nil, err
		}
		p, ok := newARNPattern(ps)
		if !ok {
			return nil, bad(place, `%q is neither "*" nor an ARN of six fields`, v)
		}
		out = append(out, p)
	}
	return out, nil
}

type stringValues struct {
	patterns   []pattern
	ignoreCase bool
}

func (s stringValues) match(value string, ctx Values, widen bool) bool {
	for i := range s.patterns {
		if s.ignoreCase {
			text, ok := s.patterns[i].text(ctx)
			if ok && equalFold(text, value) || !ok && widen {
				return true
			}
		} else if s.patterns[i].match(value, ctx, widen) {
			return true
		}
	}
	return false
}

type arnValues []arnPattern

func (a arnValues) match(value string, ctx Values, widen bool) bool {
	n := newName(value)
	for i := range a {
		if a[i].match(&n, ctx, widen) {
			return true
		}
	}
	return false
}

// ordered is a list of numbers or dates. A value of the request that is none matches nothing.
type ordered[T any] struct {
	order   comparison
	list    []T
	parse   func(string) (T, bool)
	compare func(T, T) int
}

func (o ordered[T]) match(value string, _ Values, _ bool) bool {
	v, ok := o.parse(value)
	return ok && slices.ContainsFunc(o.list, func(t T) bool { return o.order.holds(o.compare(v, t)) })
}

type binaries []string

func (b binaries) match(value string, _ Values, _ bool) bool {
	v, ok := decodeBase64(value)
	return ok && slices.Contains(b, v)
}

func decodeBase64(s string) (string, bool) {
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	return string(b), err == nil
}

type addresses []netip.Prefix

func (a addresses) match(value string, _ Values, _ bool) bool {
	addr, err := netip.ParseAddr(value)
	if err != nil {
		return false
	}
	addr = addr.WithZone("").Unmap() // 10.0.0.1 may arrive as ::ffff:10.0.0.1
	return slices.ContainsFunc(a, func(p netip.Prefix) bool { return p.Contains(addr) })
}
