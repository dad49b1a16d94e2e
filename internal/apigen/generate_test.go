package main

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	committedModels = "../../models"
	committedCode   = "../api"
)

// TestGeneratedCodeIsWhatTheModelsSay makes every contract anew and compares it with what is committed.
func TestGeneratedCodeIsWhatTheModelsSay(t *testing.T) {
	files, err := Generate(committedModels)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range sortedKeys(files) {
		committed, err := os.ReadFile(filepath.Join(committedCode, name))
		if err != nil {
			t.Errorf("%v: run go generate ./...", err)
			continue
		}
		if diff := cmp.Diff(string(committed), string(files[name])); diff != "" {
			t.Errorf("%s is stale: run go generate ./... (-committed +generated)\n%.2000s", name, diff)
		}
	}
	packages, err := filepath.Glob(filepath.Join(committedCode, "*", "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range packages {
		name, _ := filepath.Rel(committedCode, path)
		if _, ok := files[name]; !ok && !strings.HasSuffix(name, "_test.go") {
			t.Errorf("%s is made by no model", path)
		}
	}
}

func TestGenerationIsDeterministic(t *testing.T) {
	first, err := Generate(committedModels)
	if err != nil {
		t.Fatal(err)
	}
	second, err := Generate(committedModels)
	if err != nil {
		t.Fatal(err)
	}
	if !maps.EqualFunc(first, second, func(a, b []byte) bool { return string(a) == string(b) }) {
		t.Error("two runs wrote different files")
	}
}

// TestRunWritesWhatIsCommitted is what go generate does, into another folder.
func TestRunWritesWhatIsCommitted(t *testing.T) {
	out := t.TempDir()
	if err := run(committedModels, out); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ssoadmin/api.go", "s3/operations.go"} {
		got, err := os.ReadFile(filepath.Join(out, name))
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(filepath.Join(committedCode, name))
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(want) {
			t.Errorf("%s differs from what is committed", name)
		}
	}
	if err := run(t.TempDir(), out); err == nil || !strings.Contains(err.Error(), "read model") {
		t.Errorf("without models: %v", err)
	}
}

// minimal is a service with one operation, which the cases below spoil.
const minimal = `{
 "metadata": {"apiVersion": "2020-01-01", "protocol": "%PROTOCOL%"},
 "operations": {"Do": {"http": {"method": "POST", "requestUri": "/do"}, "input": {"shape": "DoRequest"}, "output": {"shape": "DoResponse"}}},
 "shapes": {
  "DoRequest": {"type": "structure", "members": {"it": {"shape": "Text"} %MEMBERS%} %INPUT%},
  "DoResponse": {"type": "structure", "members": {}},
  "Oops": {"type": "structure", "members": {}, "exception": true},
  "Hidden": {"type": "string", "sensitive": true},
  "Texts": {"type": "map", "key": {"shape": "Text"}, "value": {"shape": "Text"}},
  "Text": {"type": "string"} %SHAPES%
 }
}`

func minimalModel(t *testing.T, replace ...string) *model {
	t.Helper()
	text := strings.NewReplacer(append(replace, "%PROTOCOL%", "rest-json", "%MEMBERS%", "", "%INPUT%", "", "%SHAPES%", "")...).Replace(minimal)
	var m model
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return &m
}

// TestWhatTheRuntimeDoesNotSpeakIsRefused keeps contracts from being written that internal/wire would not keep.
func TestWhatTheRuntimeDoesNotSpeakIsRefused(t *testing.T) {
	if _, err := newContract("minimal", minimalModel(t), &patch{Package: "minimal"}).file(); err != nil {
		t.Fatalf("the model without anything wrong: %v", err)
	}
	for _, test := range []struct {
		name    string
		replace []string
		want    string
	}{
		{"a member that is the body", []string{"%INPUT%", `, "payload": "it"`}, "payload members"},
		{"an event stream", []string{"%INPUT%", `, "eventstream": true`}, "event streams"},
		{"a member that is a stream", []string{"%MEMBERS%", `, "x": {"shape": "Text", "streaming": true}`}, "streams"},
		{"an XML attribute", []string{"%MEMBERS%", `, "x": {"shape": "Text", "xmlAttribute": true}`}, "XML attributes"},
		{"JSON in a text", []string{"%MEMBERS%", `, "x": {"shape": "Text", "jsonvalue": true}`}, "JSON in texts"},
		{"headers of one prefix", []string{"%MEMBERS%", `, "x": {"shape": "Texts", "location": "headers", "locationName": "x-"}`}, "location headers"},
		{"the status as a member", []string{"%MEMBERS%", `, "x": {"shape": "Text", "location": "statusCode"}`}, "location statusCode"},
		{"a map in the query", []string{"%MEMBERS%", `, "x": {"shape": "Texts", "location": "querystring"}`}, "a map in a querystring"},
		{"a list of maps in the query", []string{"%MEMBERS%", `, "x": {"shape": "Many", "location": "querystring"}`, "%SHAPES%", `, "Many": {"type": "list", "member": {"shape": "Texts"}}`}, "a list of map in a querystring"},
		{"a time's format on a member", []string{"%MEMBERS%", `, "x": {"shape": "Text", "timestampFormat": "iso8601"}`}, "format is supported on its shape"},
		{"a member without a shape", []string{"%MEMBERS%", `, "x": {"shape": "Nowhere"}`}, "no shape Nowhere"},
		{"a document in XML", []string{"%PROTOCOL%", "rest-xml", "%SHAPES%", `, "Any": {"type": "structure", "document": true}`}, "documents are supported in JSON alone"},
		{"two types of one name", []string{"%MEMBERS%", `, "x": {"shape": "DoInput"}`, "%SHAPES%", `, "DoInput": {"type": "structure", "members": {}}`}, "declared twice"},
	} {
		_, err := newContract("minimal", minimalModel(t, test.replace...), &patch{Package: "minimal"}).file()
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}
}

// TestAPatchNamesSomething is about corrections that would correct nothing, as after a model changed.
func TestAPatchNamesSomething(t *testing.T) {
	for _, test := range []struct {
		patch patch
		want  string
	}{
		{patch{ReadOnly: []string{"Undo"}}, "no operation Undo"},
		{patch{Sensitive: []string{"DoRequest.that"}}, "no member DoRequest.that"},
		{patch{Sensitive: []string{"Nobody.it"}}, "no member Nobody.it"},
		{patch{Visible: []string{"Text"}}, "no sensitive shape Text"},
		{patch{OAuth: map[string]string{"DoRequest": "invalid_request"}}, "no exception DoRequest"},
		{patch{Errors: map[string]string{"absurd": "X"}}, "no kind absurd"},
		{patch{ReadOnly: []string{"Do"}, Sensitive: []string{"DoRequest.it"}, Visible: []string{"Hidden"}, OAuth: map[string]string{"Oops": "server_error"},
			Errors: map[string]string{"invalid": "X"}}, ""},
	} {
		err := test.patch.check(minimalModel(t))
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%+v: %v, want %q", test.patch, err, test.want)
		}
	}
}

// TestWhatAShapeBecomes shows the rules of the contracts on one line each.
func TestWhatAShapeBecomes(t *testing.T) {
	m := minimalModel(t,
		"%MEMBERS%", `, "Count": {"shape": "Number"}, "Must": {"shape": "Number"}, "When": {"shape": "Time"}, "Bytes": {"shape": "Blob"}, "Any": {"shape": "Any"},
			"list": {"shape": "List"}, "keys": {"shape": "Keys", "location": "querystring", "locationName": "k"}, "Inner": {"shape": "inner_shape"}, "Either": {"shape": "Choice"},
			"Color": {"shape": "Color"}, "Pass": {"shape": "Hidden"}, "Passes": {"shape": "Hiddens"}`,
		"%INPUT%", `, "required": ["Must", "keys", "Inner"]`,
		"%SHAPES%", `, "Number": {"type": "integer", "min": 1}, "Time": {"type": "timestamp"}, "Blob": {"type": "blob"}, "Any": {"type": "structure", "document": true},
			"List": {"type": "list", "member": {"shape": "inner_shape", "locationName": "one"}}, "Keys": {"type": "list", "member": {"shape": "Text"}}, "inner_shape": {"type": "structure", "required": ["id"], "members": {"id": {"shape": "Text"}}},
			"Choice": {"type": "structure", "union": true, "members": {"A": {"shape": "Text"}, "B": {"shape": "Number"}}},
			"Color": {"type": "string", "enum": ["dark-red", "dark_red"]}, "Hiddens": {"type": "list", "member": {"shape": "Hidden"}}`)
	code, err := newContract("minimal", m, &patch{Package: "minimal", Name: "minimal"}).file()
	if err != nil {
		t.Fatal(err)
	}
	// gofmt aligns columns, which is not what is looked at here.
	text := strings.Join(strings.Fields(string(code)), " ")
	for _, want := range []string{
		"It *string `aws:\"it,Text\"`",
		"Count *int `aws:\"Count,Number\"`",
		"Must int `aws:\"Must,Number,required\"`",
		"When *time.Time `aws:\"When,Time\"`",
		"Bytes []byte `aws:\"Bytes,Blob\"`",
		"Any json.RawMessage `aws:\"Any,Any\"`",
		"List []Innershape `aws:\"list,List\"`",
		"Keys []string `aws:\"k,Keys,required,querystring,member=keys\"`",
		"Inner *Innershape `aws:\"Inner,inner_shape,required\"`",
		"Id string `aws:\"id,Text,required\"`",
		"type Choice struct { A *string `aws:\"A,Text,union\"` B *int `aws:\"B,Number,union\"` }",
		"type Color string",
		`ColorDarkRed Color = "dark-red" ColorDarkRed_ Color = "dark_red"`,
		"Pass *string `aws:\"Pass,Hidden,sensitive\"`",
		"Passes []string `aws:\"Passes,Hiddens,sensitive\"`",
		`"List": {Item: "inner_shape", ItemName: "one"}`,
		`"Number": {Min: new(int64(1))}`,
		"func Oops(message string) *wire.Error { return wire.NewError(\"Oops\", 400, message) }",
		"Do(ctx context.Context, in *DoInput) (*DoOutput, error)",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("missing: %s", want)
		}
	}
	if t.Failed() {
		t.Log(string(code))
	}
}

// TestTheModelsAreTrimmed keeps sentences and unused shapes out of models/.
func TestTheModelsAreTrimmed(t *testing.T) {
	var p patches
	if err := load(committedModels, "patches", &p); err != nil {
		t.Fatal(err)
	}
	for _, name := range append(sortedKeys(p.Services), "s3") {
		text, err := os.ReadFile(filepath.Join(committedModels, name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), `"documentation"`) {
			t.Errorf("%s has documentation", name)
		}
		var m model
		if err := json.Unmarshal(text, &m); err != nil {
			t.Fatal(err)
		}
		c := newContract(name, &m, p.Services[name])
		used := c.referenced()
		for _, op := range m.Operations {
			for _, r := range []*ref{op.Input, op.Output} {
				if r != nil {
					used[r.Shape] = true
				}
			}
		}
		for _, shape := range sortedKeys(m.Shapes) {
			if !used[shape] && !m.Shapes[shape].Exception && !onlyInErrors(&m, shape) {
				t.Errorf("%s: nothing refers to the shape %s", name, shape)
			}
		}
	}
}

// onlyInErrors reports whether a shape is a member of an exception.
func onlyInErrors(m *model, shape string) bool {
	for _, sh := range m.Shapes {
		if !sh.Exception {
			continue
		}
		for _, r := range sh.Members.refs {
			if r.Shape == shape {
				return true
			}
		}
	}
	return false
}
