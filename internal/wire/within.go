package wire

import (
	"fmt"
	"reflect"
)

// Find returns a call of an operation for who calls it from within the process, without a request. It reports false for a
// service or an operation that is not mounted.
func (m *Mux) Find(service *ServiceModel, operation string) (*Call, bool) {
	for _, s := range m.services {
		if s.model == service {
			o, ok := s.byName[operation]
			return &Call{Service: s.model, Operation: o}, ok
		}
	}
	return nil, false
}

// Check holds an input that was made within the process against the constraints that Decode holds requests against. The
// input is a pointer to the operation's input type.
func (c *Call) Check(in any) error {
	v := reflect.ValueOf(in)
	if c.Operation == nil || v.Kind() != reflect.Pointer || v.IsNil() || v.Type().Elem() != c.Operation.input {
		return Internal(fmt.Errorf("%T is not the input of the operation", in))
	}
	check := &validator{m: c.Service}
	check.structure(v.Elem(), nil)
	return check.err()
}
