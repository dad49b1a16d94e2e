package wire

import (
	"encoding/json"
	"reflect"
	"strings"
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
	member    string // in the model, for messages and the trail
	shape     string
	location  string // "", header, uri, querystring, statusCode
	required  bool
	flat      bool
	sensitive bool
}

var (
	timeType = reflect.TypeFor[time.Time]()
	rawType  = reflect.TypeFor[json.RawMessage]()
	blobType = reflect.TypeFor[[]byte]()
)

// planOf reads the tags of a struct type: `aws:"wireName,shape[,required][,header|uri|querystring][,flat][,sensitive][,member=Name]"`.
func (m *ServiceModel) planOf(t reflect.Type) *plan {
	if p, ok := m.plans.Load(t); ok {
		return p.(*plan)
	}
	p := &plan{}
	for i := range t.NumField() {
		tag, ok := t.Field(i).Tag.Lookup("aws")
		if !ok {
			continue
		}
		parts := strings.Split(tag, ",")
		f := field{index: i, name: parts[0], member: parts[0], shape: parts[1]}
		for _, option := range parts[2:] {
			switch option {
			case "required":
				f.required = true
			case "flat":
				f.flat = true
			case "sensitive":
				f.sensitive = true
			case "union":
				p.union = true
			case "header", "uri", "querystring", "statusCode", "headers":
				f.location = option
			default:
				if name, ok := strings.CutPrefix(option, "member="); ok {
					f.member = name
				}
			}
		}
		p.fields = append(p.fields, f)
	}
	actual, _ := m.plans.LoadOrStore(t, p)
	return actual.(*plan)
}

// itemName is how a list's items are called in XML and query.
func (s *Shape) itemName() string {
	if s == nil || s.ItemName == "" {
		return "member"
	}
	return s.ItemName
}

func isStruct(t reflect.Type) bool { return t.Kind() == reflect.Struct && t != timeType }
