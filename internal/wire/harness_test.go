package wire

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// thing has a member of every kind. All four protocols of the tests speak of it.
type thing struct {
	Name     string            `aws:"Name,Name,required"`
	Count    *int              `aws:"Count,Count"`
	Big      *int64            `aws:"Big,Big"`
	On       *bool             `aws:"On,On"`
	Ratio    *float64          `aws:"Ratio,Ratio"`
	At       *time.Time        `aws:"At,At"`
	Color    *string           `aws:"Color,Color"`
	Secret   *string           `aws:"Secret,Secret,sensitive"`
	Data     []byte            `aws:"Data,Data"`
	Tags     []tag             `aws:"Tags,Tags"`
	Words    []string          `aws:"Words,Words"`
	Labels   map[string]string `aws:"Labels,Labels"`
	Choice   *choice           `aws:"Choice,Choice"`
	Inner    *thing            `aws:"Inner,Inner"`
	Required []string          `aws:"Required,Words,required"`
}

type tag struct {
	Key   string  `aws:"Key,TagKey,required"`
	Value *string `aws:"Value,TagValue"`
}

type choice struct {
	Left  *string `aws:"Left,Name,union"`
	Right *tag    `aws:"Right,Tag,union"`
}

type documented struct {
	Doc json.RawMessage `aws:"Doc,Doc"`
}

// located has members in every part of a request.
type located struct {
	ID      string   `aws:"id,Name,required,uri,member=Id"`
	Account string   `aws:"x-amz-account-id,Account,required,header,member=AccountId"`
	Keys    []string `aws:"tagKeys,Words,querystring,member=TagKeys"`
	Max     *int     `aws:"maxResults,Count,querystring,member=MaxResults"`
	Body    *string  `aws:"Body,Name"`
}

func shapesOfThing() map[string]*Shape {
	return map[string]*Shape{
		"Account":  {Max: new(int64(64)), Pattern: `^\d{12}$`},
		"At":       {},
		"Big":      {},
		"Color":    {Enum: []string{"RED", "BLUE"}},
		"Count":    {Min: new(int64(1)), Max: new(int64(10))},
		"Data":     {Max: new(int64(4))},
		"Doc":      {},
		"Labels":   {Key: "TagKey", Item: "TagValue", Max: new(int64(2))},
		"Name":     {Min: new(int64(1)), Max: new(int64(8)), Pattern: `[a-zé]+`},
		"On":       {},
		"Ratio":    {},
		"Secret":   {Min: new(int64(4)), Sensitive: true},
		"TagKey":   {Min: new(int64(1)), Max: new(int64(4))},
		"TagValue": {Max: new(int64(4))},
		"Tags":     {Item: "Tag", ItemName: "Tag", Max: new(int64(3))},
		"Words":    {Item: "Word", Max: new(int64(3))},
		"Word":     {Max: new(int64(8))},
	}
}

// testMux mounts a service of each protocol, with an operation that answers what it got.
func testMux() *Mux {
	var m Mux
	echo := func(name, method, uri string, more func(*OperationModel)) []Operation {
		model := OperationModel{Name: name, Method: method, URI: uri, Result: name + "Result"}
		if more != nil {
			more(&model)
		}
		return []Operation{
			Op[thing, thing](echoes{}, model),
			Op[thing, thing](nil, OperationModel{Name: "Absent", Method: "POST", URI: strings.Replace(uri, "echo", "absent", 1), Result: "AbsentResult"}),
			Op[located, located](echoes{}, OperationModel{Name: "Locate", Method: "PUT", URI: strings.Replace(uri, "echo", "locate/{id}", 1)}),
		}
	}
	m.Mount(&ServiceModel{
		Name: "j", Protocol: JSON, SigningNames: []string{"jay"}, TargetPrefix: "Jay.V1", EventSource: "j.example", Shapes: shapesOfThing(),
	}, append(echo("Echo", "POST", "/", nil), Op[documented, documented](echoes{}, OperationModel{Name: "Document", Method: "POST", URI: "/"})))
	m.Mount(&ServiceModel{
		Name: "rj", Protocol: RestJSON, SigningNames: []string{"arjay"}, OAuth: true, Shapes: shapesOfThing(),
		Codes: map[Kind]string{KindInvalid: "InvalidRequestException", KindMalformed: "InvalidRequestException"},
	}, echo("Echo", "POST", "/rj/echo", nil))
	m.Mount(&ServiceModel{
		Name: "q", Protocol: Query, SigningNames: []string{"cue"}, Version: "2020-01-01", Namespace: "https://q.example/", Shapes: shapesOfThing(),
	}, echo("Echo", "POST", "/", nil))
	m.Mount(&ServiceModel{
		Name: "rx", Protocol: RestXML, SigningNames: []string{"s3"}, Namespace: "https://rx.example/", Shapes: shapesOfThing(),
	}, echo("Echo", "POST", "/rx/echo", func(m *OperationModel) { m.Root = "EchoRequest" }))
	return &m
}

type echoes struct{}

func (echoes) Echo(_ context.Context, in *thing) (*thing, error) {
	if in.Name == "fault" {
		return nil, errors.New("disk on fire at /var/lib")
	}
	return in, nil
}

func (echoes) Locate(_ context.Context, in *located) (*located, error)         { return in, nil }
func (echoes) Document(_ context.Context, in *documented) (*documented, error) { return in, nil }

// request makes the request of a protocol for one of the operations.
func request(protocol Protocol, operation, body string) *http.Request {
	switch protocol {
	case JSON:
		r := httptest.NewRequest("POST", "/", strings.NewReader(body))
		r.Header.Set("X-Amz-Target", "Jay.V1."+operation)
		return r
	case RestJSON:
		return httptest.NewRequest("POST", "/rj/"+strings.ToLower(operation), strings.NewReader(body))
	case RestXML:
		return httptest.NewRequest("POST", "/rx/"+strings.ToLower(operation), strings.NewReader(body))
	default:
		return httptest.NewRequest("POST", "/", strings.NewReader(body))
	}
}

// serve answers a request as a server does.
func serve(t testing.TB, r *http.Request, body, signedFor string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	call, ok := testMux().Name(r, []byte(body), signedFor)
	if !ok {
		t.Fatalf("%s %s is for no service", r.Method, r.URL)
	}
	in, err := call.Decode(r, []byte(body))
	var out any
	if err == nil {
		out, err = call.Invoke(t.Context(), in)
	}
	if err != nil {
		call.WriteError(w, "request-1", err)
		return w
	}
	if err := call.WriteOutput(w, "request-1", out); err != nil {
		t.Fatal(err)
	}
	return w
}

// decode reads a body into a thing.
func decode(t testing.TB, protocol Protocol, body string) (*thing, error) {
	t.Helper()
	r := request(protocol, "Echo", body)
	call, ok := testMux().Name(r, []byte(body), "")
	if !ok {
		t.Fatal("no service")
	}
	in, err := call.Decode(r, []byte(body))
	if err != nil {
		return nil, call.Spell(err)
	}
	return in.(*thing), nil
}
