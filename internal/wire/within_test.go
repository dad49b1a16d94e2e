package wire

import (
	"strings"
	"testing"
)

// TestCallsFromWithin are held against the same constraints as those of a client, and find what is mounted alone.
func TestCallsFromWithin(t *testing.T) {
	type input struct {
		Name string  `aws:"Name,Name,required"`
		More *string `aws:"More,Name"`
	}
	model := &ServiceModel{Name: "s", Protocol: JSON, Shapes: map[string]*Shape{"Name": {Min: new(int64(2)), Max: new(int64(4))}}}
	m := &Mux{}
	m.Mount(model, []Operation{Op[input, struct{}](nil, OperationModel{Name: "Do"})})
	call, ok := m.Find(model, "Do")
	if !ok {
		t.Fatal("not found")
	}
	for _, other := range []string{"do", "", "Undo"} {
		if _, ok := m.Find(model, other); ok {
			t.Errorf("%q is found", other)
		}
	}
	if _, ok := m.Find(&ServiceModel{Name: "s"}, "Do"); ok {
		t.Error("a service of the same name is found")
	}
	if err := call.Check(&input{Name: "four"}); err != nil {
		t.Error(err)
	}
	for want, in := range map[string]any{
		"Member must have length greater": &input{Name: "x"}, "Member must have length less": &input{Name: "four", More: new("longer")},
		"is not the input": &struct{ Name string }{"four"}, "<nil> is not": nil, "*wire.input is not the input": (*input)(nil),
	} {
		if err := call.Check(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%#v: %v, want %q", in, err, want)
		}
	}
}
