package wire

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"
)

// plan is what the struct tags of a type say, read once.
type plan struct {
	fields []field
	union  bool
}

type field struct {
	index     int
	name      string // on the wire
	label     string // in messages: the model's name of the member, its first letter lowered
	parameter string // in the trail
	shape     string
	location  string // "", header, uri or querystring
	required  bool
	flat      bool
	sensitive bool
	union     bool
}

var (
	timeType = reflect.TypeFor[time.Time]()
	rawType  = reflect.TypeFor[json.RawMessage]()
	blobType = reflect.TypeFor[[]byte]()
)

// plans remembers what is a pure function of a type, as encoding/json does: reflect.Type → *plan.
var plans sync.Map

// planOf reads the tags of a struct type: `aws:"wireName,shape[,required][,header|uri|querystring][,flat][,sensitive][,member=Name][,union]"`.
func planOf(t reflect.Type) *plan {
	if p, ok := plans.Load(t); ok {
		return p.(*plan)
	}
	p := &plan{}
	for i := range t.NumField() {
		tag, ok := t.Field(i).Tag.Lookup("aws")
		if !ok {
			continue
		}
		parts := strings.Split(tag, ",")
		f := field{index: i, name: parts[0], label: lowerFirst(parts[0]), parameter: lowerFirst(t.Field(i).Name), shape: parts[1]}
		for _, option := range parts[2:] {
			switch option {
			case "required":
				f.required = true
			case "flat":
				f.flat = true
			case "sensitive":
				f.sensitive = true
			case "union":
				f.union, p.union = true, true
			case "header", "uri", "querystring":
				f.location = option
			default:
				if name, ok := strings.CutPrefix(option, "member="); ok {
					f.label = lowerFirst(name)
				}
			}
		}
		p.fields = append(p.fields, f)
	}
	actual, _ := plans.LoadOrStore(t, p)
	return actual.(*plan)
}

// answersInBody reports whether an output has members that stand in the body: all but headers do.
func (p *plan) answersInBody() bool {
	return slices.ContainsFunc(p.fields, func(f field) bool { return f.location != "header" })
}

// itemName is how a list's items, or a map's values, are called in XML and query.
func (s *Shape) itemName(otherwise string) string {
	if s.ItemName == "" {
		return otherwise
	}
	return s.ItemName
}

func (s *Shape) keyName() string {
	if s.KeyName == "" {
		return "key"
	}
	return s.KeyName
}

// shape finds the constraints of a name. Structures have none.
func (m *ServiceModel) shape(name string) *Shape {
	if s := m.Shapes[name]; s != nil {
		return s
	}
	return &Shape{}
}

func isStruct(t reflect.Type) bool { return t.Kind() == reflect.Struct && t != timeType }

func isList(t reflect.Type) bool { return t.Kind() == reflect.Slice && t != blobType && t != rawType }

// isScalar reports whether the zero value of a type cannot be told from none.
func isScalar(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		return false
	}
	return !isStruct(t)
}

// isAbsent reports whether a member was not given. Required scalars have no such value: the binder notes their absence.
func isAbsent(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		return v.IsNil()
	}
	return false
}

func lowerFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}
