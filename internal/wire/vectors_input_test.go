package wire

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestInputVectors reads what AWS's clients send and expects the parameters that they were given.
func TestInputVectors(t *testing.T) {
	for _, protocol := range []string{"json", "rest-json", "query", "rest-xml"} {
		t.Run(protocol, func(t *testing.T) { eachVector(t, "input", protocol, testInputVector) })
	}
}

func testInputVector(t *testing.T, s *vectorSuite, c *vectorCase) {
	m := s.model()
	in := reflect.TypeFor[struct{}]()
	root := ""
	if c.Given.Input != nil {
		in, root = s.typeOf(m, c.Given.Input.Shape, 0), c.Given.Input.LocationName
		if name := s.Shapes[c.Given.Input.Shape].LocationName; name != "" {
			root = name
		}
	}
	o := Operation{
		OperationModel: OperationModel{Name: c.Given.Name, Method: c.Given.HTTP.Method, URI: c.Given.HTTP.RequestURI, Root: root},
		input:          in, output: reflect.TypeFor[struct{}](),
	}
	body := ""
	if c.Serialized.Body != nil {
		body = *c.Serialized.Body
	}
	method := c.Given.HTTP.Method
	if method == "" {
		method = http.MethodPost
	}
	r := httptest.NewRequest(method, "http://example.com"+c.Serialized.URI, strings.NewReader(body))
	for k, v := range c.Serialized.Headers {
		r.Header.Set(k, v)
	}
	var mux Mux
	m.Version = formValue(body, "Version")
	mux.Mount(m, []Operation{o})
	call, ok := mux.Name(r, []byte(body), "vectors")
	if !ok || call.Operation == nil {
		t.Fatalf("%s %s is for no operation", method, c.Serialized.URI)
	}
	got, err := call.Decode(r, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	var want any = map[string]any{}
	if len(c.Params) > 0 {
		if err := json.Unmarshal(c.Params, &want); err != nil {
			t.Fatal(err)
		}
	}
	plain := any(map[string]any{})
	if c.Given.Input != nil {
		plain = s.plain(reflect.ValueOf(got), c.Given.Input.Shape)
	}
	if diff := cmp.Diff(withoutNulls(want), plain); diff != "" {
		t.Errorf("parameters (-sent +read):\n%s", diff)
	}
}

// withoutNulls leaves out members that are null, which the protocols do not tell from absent ones.
func withoutNulls(x any) any {
	switch x := x.(type) {
	case map[string]any:
		m := map[string]any{}
		for k, v := range x {
			if v != nil {
				m[k] = withoutNulls(v)
			}
		}
		return m
	case []any:
		list := make([]any, len(x))
		for i := range x {
			list[i] = withoutNulls(x[i])
		}
		return list
	}
	return x
}
