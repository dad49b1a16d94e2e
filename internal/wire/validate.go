package wire

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// validator holds an input against the constraints of the model and collects what breaks them.
type validator struct {
	m        *ServiceModel
	missing  map[string]bool
	problems []string
	count    int
}

// maxProblems bounds the message: further problems are counted and not told.
const maxProblems = 10

func (v *validator) add(value string, at *path, constraint string) {
	if v.count++; v.count <= maxProblems {
		v.problems = append(v.problems, fmt.Sprintf("Value %s at '%s' failed to satisfy constraint: %s", value, at, constraint))
	}
}

// err is AWS's common wording of broken constraints.
func (v *validator) err() error {
	switch v.count {
	case 0:
		return nil
	case 1:
		return Invalid("1 validation error detected: " + v.problems[0])
	default:
		return Invalid(fmt.Sprintf("%d validation errors detected: %s", v.count, strings.Join(v.problems, "; ")))
	}
}

const notNull = "Member must not be null"

func (v *validator) structure(s reflect.Value, at *path) {
	p := planOf(s.Type())
	var set []string
	for i := range p.fields {
		f := &p.fields[i]
		value := s.Field(f.index)
		place := path{up: at, name: f.label}
		if isAbsent(value) {
			if f.required {
				v.add("null", &place, notNull)
			}
			continue
		}
		if f.required && len(v.missing) > 0 && isScalar(value.Type()) && v.missing[place.String()] {
			v.add("null", &place, notNull)
			continue
		}
		if p.union {
			set = append(set, f.name)
		}
		v.value(value, f.shape, f.sensitive, &place)
	}
	if p.union && len(set) != 1 {
		choices := make([]string, len(p.fields))
		for i := range p.fields {
			choices[i] = p.fields[i].name
		}
		v.add("'["+strings.Join(set, ", ")+"]'", at, "Member must have exactly one of the members ["+strings.Join(choices, ", ")+"]")
	}
}

func (v *validator) value(x reflect.Value, shapeName string, sensitive bool, at *path) {
	if x.Kind() == reflect.Pointer {
		x = x.Elem()
	}
	shape := v.m.shape(shapeName)
	sensitive = sensitive || shape.Sensitive
	switch t := x.Type(); {
	case t == timeType || t == rawType:
	case isStruct(t):
		v.structure(x, at)
	case t == blobType:
		v.size(shape, "<blob>", "length", int64(x.Len()), at)
	case isList(t):
		v.size(shape, "<list>", "length", int64(x.Len()), at)
		for i := range x.Len() {
			v.value(x.Index(i), shape.Item, sensitive, &path{up: at, index: i + 1})
		}
	case t.Kind() == reflect.Map:
		v.size(shape, "<map>", "length", int64(x.Len()), at)
		for _, key := range sortedMapKeys(x) {
			entry := &path{up: at, name: clip(key)}
			v.text(v.m.shape(shape.Key), key, sensitive, &path{up: entry, name: "key"})
			v.value(x.MapIndex(reflect.ValueOf(key)), shape.Item, sensitive, &path{up: entry, name: "value"})
		}
	case t.Kind() == reflect.String:
		v.text(shape, x.String(), sensitive, at)
	case x.CanInt():
		if !shape.fits(x.Int()) {
			v.size(shape, shown(strconv.FormatInt(x.Int(), 10), sensitive), "value", x.Int(), at)
		}
	}
}

// fits reports whether a length or a number is within the shape's bounds.
func (s *Shape) fits(n int64) bool {
	return (s.Min == nil || n >= *s.Min) && (s.Max == nil || n <= *s.Max)
}

func (v *validator) size(shape *Shape, value, what string, n int64, at *path) {
	if shape.Min != nil && n < *shape.Min {
		v.add(value, at, fmt.Sprintf("Member must have %s greater than or equal to %d", what, *shape.Min))
	}
	if shape.Max != nil && n > *shape.Max {
		v.add(value, at, fmt.Sprintf("Member must have %s less than or equal to %d", what, *shape.Max))
	}
}

func (v *validator) text(shape *Shape, s string, sensitive bool, at *path) {
	if len(shape.Enum) > 0 {
		if !slices.Contains(shape.Enum, s) {
			v.add(shown(s, sensitive), at, "Member must satisfy enum value set: ["+strings.Join(shape.Enum, ", ")+"]")
		}
		return
	}
	if n := int64(utf8.RuneCountInString(s)); !shape.fits(n) {
		v.size(shape, shown(s, sensitive), "length", n, at)
	}
	if !shape.Matches(s) {
		v.add(shown(s, sensitive), at, "Member must satisfy regular expression pattern: "+shape.Pattern)
	}
}

// shown is a value in a message: cut, and without its text when it is a secret.
func shown(s string, sensitive bool) string {
	if sensitive {
		return "'***'"
	}
	return "'" + clip(s) + "'"
}
