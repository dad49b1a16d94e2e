package wire

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// validator holds an input against the constraints of the model and collects what breaks them.
type validator struct {
	m        *ServiceModel
	missing  map[string]bool
	problems []string
}

// maxProblems bounds the message.
const maxProblems = 10

func (v *validator) add(value, path, constraint string) {
	if len(v.problems) < maxProblems {
		v.problems = append(v.problems, fmt.Sprintf("Value %s at '%s' failed to satisfy constraint: %s", value, path, constraint))
	}
}

// err is AWS's common wording of broken constraints.
func (v *validator) err() error {
	switch n := len(v.problems); n {
	case 0:
		return nil
	case 1:
		return Invalid("1 validation error detected: " + v.problems[0])
	default:
		return Invalid(fmt.Sprintf("%d validation errors detected: %s", n, strings.Join(v.problems, "; ")))
	}
}

func (v *validator) structure(s reflect.Value, path string) {
	p := v.m.planOf(s.Type())
	set := 0
	for i := range p.fields {
		f := &p.fields[i]
		value := s.Field(f.index)
		at := join(path, f.member)
		if isAbsent(value) {
			if f.required {
				v.add("null", at, "Member must not be null")
			}
			continue
		}
		set++
		if v.missing[at] {
			v.add("null", at, "Member must not be null")
			continue
		}
		v.value(value, f.shape, at, f.sensitive)
	}
	if p.union && set != 1 {
		if path == "" {
			path = "request"
		}
		v.add(fmt.Sprintf("with %d members", set), path, "Union must have exactly one member set")
	}
}

// isAbsent reports whether a member was not given. Required scalars have no such value: the binder notes their absence.
func isAbsent(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		return v.IsNil()
	}
	return false
}

func (v *validator) value(x reflect.Value, shapeName, path string, sensitive bool) {
	if x.Kind() == reflect.Pointer {
		x = x.Elem()
	}
	shape := v.m.Shapes[shapeName]
	if shape != nil && shape.Sensitive {
		sensitive = true
	}
	switch t := x.Type(); {
	case t == timeType || t == rawType:
	case isStruct(t):
		v.structure(x, path)
	case t == blobType:
		v.size(shape, int64(x.Len()), "<blob>", path, "length")
	case t.Kind() == reflect.Slice:
		v.size(shape, int64(x.Len()), "<list>", path, "length")
		for i := range x.Len() {
			v.value(x.Index(i), shape.Item, fmt.Sprintf("%s.%d", path, i+1), sensitive)
		}
	case t.Kind() == reflect.Map:
		v.size(shape, int64(x.Len()), "<map>", path, "length")
		for iter := x.MapRange(); iter.Next(); {
			v.text(v.m.Shapes[shape.Key], iter.Key().String(), path+".key", sensitive)
			v.value(iter.Value(), shape.Item, path+".value", sensitive)
		}
	case t.Kind() == reflect.String:
		v.text(shape, x.String(), path, sensitive)
	case x.CanInt():
		if shape != nil {
			v.size(shape, x.Int(), fmt.Sprintf("'%d'", x.Int()), path, "value")
		}
	}
}

func (v *validator) size(shape *Shape, n int64, value, path, what string) {
	if shape == nil {
		return
	}
	if shape.Min != nil && n < *shape.Min {
		v.add(value, path, fmt.Sprintf("Member must have %s greater than or equal to %d", what, *shape.Min))
	}
	if shape.Max != nil && n > *shape.Max {
		v.add(value, path, fmt.Sprintf("Member must have %s less than or equal to %d", what, *shape.Max))
	}
}

func (v *validator) text(shape *Shape, s, path string, sensitive bool) {
	if shape == nil {
		return
	}
	shown := "'" + clip(s) + "'"
	if sensitive {
		shown = "'***'"
	}
	if len(shape.Enum) > 0 {
		if !slices.Contains(shape.Enum, s) {
			v.add(shown, path, "Member must satisfy enum value set: ["+strings.Join(shape.Enum, ", ")+"]")
		}
		return
	}
	v.size(shape, int64(utf8.RuneCountInString(s)), shown, path, "length")
	if shape.Pattern == "" {
		return
	}
	if !shape.matches(s) {
		v.add(shown, path, "Member must satisfy regular expression pattern: "+shape.Pattern)
	}
}

// matches holds a text against the pattern, which the models write without anchors.
func (s *Shape) matches(text string) bool {
	s.once.Do(func() {
		if check, ok := byHand[s.Pattern]; ok {
			s.check = check
			return
		}
		s.pattern = regexp.MustCompile(`^(?:` + unicodeEscapes.ReplaceAllString(s.Pattern, `\x{$1}`) + `)$`)
	})
	if s.check != nil {
		return s.check(text)
	}
	return s.pattern.MatchString(text)
}

var unicodeEscapes = regexp.MustCompile(`\\u([0-9A-Fa-f]{4})`)

// byHand are the patterns that RE2 cannot read: with look-ahead, or with surrogate pairs.
var byHand = map[string]func(string) bool{
	`(-?)P(?=\d|T\d)(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)([DW]))?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?`: func() func(string) bool {
		shape := regexp.MustCompile(`^-?P(?:\d+Y)?(?:\d+M)?(?:\d+[DW])?(?:T(?:\d+H)?(?:\d+M)?(?:\d+(?:\.\d+)?S)?)?$`)
		start := regexp.MustCompile(`^-?P(?:\d|T\d)`)
		return func(s string) bool { return shape.MatchString(s) && start.MatchString(s) }
	}(),
	`^[a-z0-9]([a-z0-9]|-(?!-)){1,61}[a-z0-9]$`: func() func(string) bool {
		shape := regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$`)
		return func(s string) bool { return shape.MatchString(s) && !strings.Contains(s, "--") }
	}(),
	`[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\t]*`:     isXMLText,
	`[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\r\n\t]*`: isXMLTextWithLines,
	`[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\r\n\t]+`: isXMLTextWithLines,
}

func isXMLText(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r != '\t' && (r < 0x20 || r == 0xFFFE || r == 0xFFFF) }) < 0
}

func isXMLTextWithLines(s string) bool {
	return isXMLText(strings.NewReplacer("\r", "", "\n", "").Replace(s))
}
