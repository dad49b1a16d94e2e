package wire

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestName(t *testing.T) {
	const version = "Version=2020-01-01"
	for _, test := range []struct {
		name                 string
		method, target, path string
		body, signedFor      string
		want                 string // service/operation, "service/" for an unknown operation, "" for S3
	}{
		{"by target", "POST", "Jay.V1.Echo", "/", "{}", "", "j/Echo"},
		{"by target behind a base path", "POST", "Jay.V1.Echo", "/base/", "{}", "", "j/Echo"},
		{"an unknown operation", "POST", "Jay.V1.Nothing", "/", "{}", "jay", "j/"},
		{"operations are told by case", "POST", "Jay.V1.echo", "/", "{}", "jay", "j/"},
		{"a target is for POST alone", "GET", "Jay.V1.Echo", "/", "", "jay", "j/"},
		{"an unknown prefix, signed for a service", "POST", "Jay.V2.Echo", "/", "{}", "jay", "j/"},
		{"an unknown prefix", "POST", "Elsewhere.Echo", "/", "{}", "elsewhere", "unknown/"},
		{"a target without prefix", "POST", "Echo", "/", "{}", "", "unknown/"},
		{"a target of a service without targets", "POST", ".Echo", "/", "{}", "", "unknown/"},

		{"by path", "POST", "", "/rj/echo", "{}", "", "rj/Echo"},
		{"by path with a slash after", "POST", "", "/rj/echo/", "{}", "", "rj/Echo"},
		{"another method", "GET", "", "/rj/echo", "", "", "rj/"},
		{"another path of the family", "POST", "", "/rj/nothing", "", "", "rj/"},
		{"the family alone", "GET", "", "/rj", "", "", "rj/"},
		{"a path that begins alike", "GET", "", "/rjx/echo", "", "", ""},
		{"a path with two slashes", "POST", "", "//rj/echo", "", "", ""},
		{"a label", "PUT", "", "/rj/locate/7", "", "", "rj/Locate"},
		{"an empty label", "PUT", "", "/rj/locate/", "", "", "rj/"},
		{"a label and more", "PUT", "", "/rj/locate/7/8", "", "", "rj/"},
		{"a label with an encoded slash", "PUT", "", "/rx/locate/7%2F8", "", "s3", "rx/Locate"},

		{"by form", "POST", "", "/", "Action=Echo&" + version, "cue", "q/Echo"},
		{"by form, unsigned", "POST", "", "/", "Action=Echo&" + version, "", "q/Echo"},
		{"by query", "GET", "", "/?Action=Echo&" + version, "", "cue", "q/Echo"},
		{"by query, posted", "POST", "", "/?Action=Echo&" + version, "", "cue", "q/Echo"},
		{"the form before the query", "POST", "", "/?Action=Absent&" + version, "Action=Echo&" + version, "cue", "q/Echo"},
		{"another version", "POST", "", "/", "Action=Echo&Version=2019-01-01", "cue", "q/"},
		{"no action", "POST", "", "/", version, "cue", "q/"},
		{"an unknown action", "POST", "", "/", "Action=Nothing&" + version, "cue", "q/"},
		{"an action deleted", "DELETE", "", "/?Action=Echo&" + version, "", "cue", "q/"},
		{"signed for another service", "POST", "", "/", "Action=Echo&" + version, "s3", ""},
		{"unsigned, another version", "POST", "", "/", "Action=Echo&Version=2019-01-01", "", ""},

		{"signed for a service, but none of its requests", "GET", "", "/bucket/key", "", "jay", "j/"},
		{"an object", "GET", "", "/bucket/key", "", "s3", ""},
		{"an object with a form's parameters", "GET", "", "/bucket/key?Action=Echo&" + version, "", "s3", ""},
		{"the list of buckets", "GET", "", "/", "", "s3", ""},
		{"nothing", "GET", "", "/", "", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := httptest.NewRequest(test.method, test.path, strings.NewReader(test.body))
			if test.target != "" {
				r.Header.Set("X-Amz-Target", test.target)
			}
			call, ok := testMux().Name(r, []byte(test.body), test.signedFor)
			got := ""
			if ok {
				if got = call.Service.Name + "/"; call.Operation != nil {
					got += call.Operation.Name
				}
			}
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// TestParametersSelectAnOperation is about two operations on one path.
func TestParametersSelectAnOperation(t *testing.T) {
	var mux Mux
	mux.Mount(&ServiceModel{Name: "s", Protocol: RestJSON}, []Operation{
		Op[thing, thing](nil, OperationModel{Name: "Plain", Method: "POST", URI: "/token"}),
		Op[thing, thing](nil, OperationModel{Name: "Selected", Method: "POST", URI: "/token?iam=t"}),
		Op[thing, thing](nil, OperationModel{Name: "Greedy", Method: "GET", URI: "/tags/{arn+}"}),
	})
	for target, want := range map[string]string{
		"POST /token": "Plain", "POST /token?iam=t": "Selected", "POST /token?a=b&iam=t": "Selected", "POST /token?iam=x": "Plain", "POST /token?iam=t&iam=x": "Plain",
		"GET /tags/arn%3Aaws%3As3/a/b": "Greedy",
	} {
		method, path, _ := strings.Cut(target, " ")
		call, ok := mux.Name(httptest.NewRequest(method, path, nil), nil, "")
		if !ok || call.Operation == nil || call.Operation.Name != want {
			t.Errorf("%s: %+v, want %s", target, call, want)
		} else if want == "Greedy" && call.uri["arn"] != "arn:aws:s3/a/b" {
			t.Errorf("%s: label %q", target, call.uri["arn"])
		}
	}
}

func TestOwnsPath(t *testing.T) {
	for target, want := range map[string]bool{
		"POST /rj/echo": true, "GET /rx/what/ever": true, "GET /rj": true, "GET /rjx": false, "GET /": false, "PUT /bucket/rj": false, "POST /bucket": false,
	} {
		method, path, _ := strings.Cut(target, " ")
		if got := testMux().OwnsPath(httptest.NewRequest(method, path, nil)); got != want {
			t.Errorf("%s: %t", target, got)
		}
	}
	form := httptest.NewRequest("POST", "/", nil)
	form.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	if !testMux().OwnsPath(form) {
		t.Error("a posted form is not taken for the query protocol")
	}
}

type wrongSignature struct{}

func (wrongSignature) Echo(context.Context, *tag) (*tag, error) { return nil, nil }

func TestAMethodOfAnotherSignatureIsRefusedAtStart(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("mounted")
		}
	}()
	Op[thing, thing](wrongSignature{}, OperationModel{Name: "Echo"})
}

type forgetful struct{}

func (forgetful) Echo(context.Context, *thing) (*thing, error)          { return nil, nil }
func (forgetful) Nothing(context.Context, *thing) (*struct{}, error)    { return nil, nil }
func (forgetful) Document(context.Context, *thing) (*documented, error) { return &documented{}, nil }

func TestAnOperationAnswersSomething(t *testing.T) {
	forgot := Op[thing, thing](forgetful{}, OperationModel{Name: "Echo"})
	if _, err := (&Call{Operation: &forgot}).Invoke(t.Context(), &thing{}); err == nil || AsError(err).Kind != KindInternal {
		t.Errorf("neither output nor error: %v, want an internal error", err)
	}
	nothing := Op[thing, struct{}](forgetful{}, OperationModel{Name: "Nothing"})
	if out, err := (&Call{Operation: &nothing}).Invoke(t.Context(), &thing{}); err != nil || out == nil {
		t.Errorf("an operation without output: %v, %v", out, err)
	}
}

func TestServicesListsOperationsByName(t *testing.T) {
	var got []string
	for _, s := range testMux().Services() {
		for _, o := range s.Operations {
			mark := "-"
			if o.Implemented() {
				mark = "+"
			}
			got = append(got, s.Model.Name+"."+o.Name+mark)
		}
	}
	want := "j.Absent- j.Document+ j.Echo+ j.Locate+ rj.Absent- rj.Echo+ rj.Locate+ q.Absent- q.Echo+ q.Locate+ rx.Absent- rx.Echo+ rx.Locate+"
	if strings.Join(got, " ") != want {
		t.Errorf("got  %v\nwant %s", got, want)
	}
}
