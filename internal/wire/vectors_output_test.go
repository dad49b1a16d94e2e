package wire

import (
	"encoding/json"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestOutputVectors writes what AWS's clients read and compares it with what they were given to read. White space, the
// order of members, and in XML the root's name and name spaces do not count, as they do not for the clients.
func TestOutputVectors(t *testing.T) {
	for _, protocol := range []string{"json", "rest-json", "query", "rest-xml"} {
		t.Run(protocol, func(t *testing.T) { eachVector(t, "output", protocol, testOutputVector) })
	}
}

func testOutputVector(t *testing.T, s *vectorSuite, c *vectorCase) {
	m := s.model()
	out, wrapper := reflect.TypeFor[struct{}](), ""
	if c.Given.Output != nil {
		out = s.typeOf(m, c.Given.Output.Shape, 0)
		if out.NumField() > 0 {
			wrapper = c.Given.Name + "Result"
		}
	}
	call := &Call{Service: m, Operation: &Operation{OperationModel: OperationModel{
		Name: c.Given.Name, Status: c.Response.StatusCode, Result: wrapper, NoOutput: c.Given.Output == nil,
	}, output: out}}
	w := httptest.NewRecorder()
	if c.ErrorCode != "" {
		testErrorVector(t, call, c)
		return
	}
	v := reflect.New(out)
	if len(c.Result) > 0 && c.Given.Output != nil {
		var result any
		if err := json.Unmarshal(c.Result, &result); err != nil {
			t.Fatal(err)
		}
		s.fill(v.Elem(), result, c.Given.Output.Shape)
	}
	requestID := c.Response.Headers["X-Amzn-Requestid"]
	if err := call.WriteOutput(w, requestID, v.Interface()); err != nil {
		t.Fatal(err)
	}
	if w.Code != c.Response.StatusCode {
		t.Errorf("status %d, want %d", w.Code, c.Response.StatusCode)
	}
	for k, want := range c.Response.Headers {
		if got := w.Header().Get(k); got != want && k != "Content-Type" && k != "X-Amz-Target" {
			t.Errorf("header %s: %q, want %q", k, got, want)
		}
	}
	got, want := essence(t, m, w.Body.String()), essence(t, m, c.Response.Body)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("body (-read by clients +written):\n%s\n%s", diff, w.Body)
	}
}

// testErrorVector writes an error of the code that a client is to find.
func testErrorVector(t *testing.T, call *Call, c *vectorCase) {
	w := httptest.NewRecorder()
	call.WriteError(w, "request", NewError(c.ErrorCode, c.Response.StatusCode, "Hi"))
	if w.Code != c.Response.StatusCode {
		t.Errorf("status %d, want %d", w.Code, c.Response.StatusCode)
	}
	switch call.Service.Protocol {
	case JSON, RestJSON:
		var body map[string]any
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
			t.Fatal(err)
		}
		if body["__type"] != c.ErrorCode || body["message"] != "Hi" || body["Message"] != "Hi" || w.Header().Get("X-Amzn-Errortype") != c.ErrorCode {
			t.Errorf("%v %v, want the code %s", w.Header(), body, c.ErrorCode)
		}
	case Query, RestXML:
		n, err := parseXML(w.Body.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		e, err := n.member("Error", false)
		if err != nil || e == nil {
			t.Fatalf("no Error in %s: %v", w.Body, err)
		}
		code, _ := e.member("Code", false)
		if text, _ := code.text(stringScalar); text != c.ErrorCode {
			t.Errorf("code %q, want %q", text, c.ErrorCode)
		}
	}
}

// essence takes from a body what does not count.
func essence(t *testing.T, m *ServiceModel, body string) any {
	t.Helper()
	if m.Protocol == JSON || m.Protocol == RestJSON {
		if strings.TrimSpace(body) == "" {
			return map[string]any{}
		}
		var v any
		if err := json.Unmarshal([]byte(body), &v); err != nil {
			t.Fatal(err)
		}
		return v
	}
	n, err := parseXML([]byte(body))
	if err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	if m.Protocol == Query {
		n.children = slices.DeleteFunc(n.children, func(c *xmlNode) bool { return c.name == "ResponseMetadata" })
	}
	keys := map[string]bool{"key": true}
	for _, shape := range m.Shapes {
		keys[shape.keyName()] = true
	}
	return plainXML(n, keys).children
}

type plainNode struct {
	Name, Text string
	children   []plainNode
}

func (a plainNode) Equal(b plainNode) bool {
	return a.Name == b.Name && a.Text == b.Text && slices.EqualFunc(a.children, b.children, plainNode.Equal)
}

// plainXML sorts children by name: members may stand in any order, while items of a list, which have one name, keep theirs.
// Entries of a map, which begin with one of the keys, have no order either.
func plainXML(n *xmlNode, keys map[string]bool) plainNode {
	p := plainNode{Name: n.name, Text: string(n.content)}
	if strings.Contains(p.Text, "\n") && strings.TrimSpace(p.Text) == "" {
		p.Text = ""
	}
	for _, c := range n.children {
		p.Text = ""
		p.children = append(p.children, plainXML(c, keys))
	}
	order := func(n plainNode) string {
		for _, c := range n.children {
			if keys[c.Name] {
				return n.Name + " " + c.Text
			}
		}
		return n.Name
	}
	slices.SortStableFunc(p.children, func(a, b plainNode) int { return strings.Compare(order(a), order(b)) })
	return p
}
