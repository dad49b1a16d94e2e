package wire

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"math"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestAnswersAreReadBack sends what the server wrote to the server: whatever a value holds, both codecs agree on it.
func TestAnswersAreReadBack(t *testing.T) {
	text := rapid.StringMatching(`[a-z"\\<>&'\t\n é😀]{0,8}`)
	tags := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) tag {
		return tag{Key: rapid.StringMatching(`[a-z<&]{1,4}`).Draw(t, "key"), Value: rapid.Ptr(rapid.StringMatching(`[ a-z"]{0,4}`), true).Draw(t, "value")}
	}), 0, 3)
	rapid.Check(t, func(t *rapid.T) {
		in := &thing{
			Name:     rapid.StringMatching(`[a-zé]{1,8}`).Draw(t, "name"),
			Count:    rapid.Ptr(rapid.IntRange(1, 10), true).Draw(t, "count"),
			Big:      rapid.Ptr(rapid.Int64(), true).Draw(t, "big"),
			On:       rapid.Ptr(rapid.Bool(), true).Draw(t, "on"),
			Ratio:    rapid.Ptr(rapid.Float64(), true).Draw(t, "ratio"),
			Color:    rapid.Ptr(rapid.SampledFrom([]string{"RED", "BLUE"}), true).Draw(t, "color"),
			Words:    rapid.SliceOfN(text, 0, 3).Draw(t, "words"),
			Labels:   rapid.MapOfN(rapid.StringMatching(`[a-z"&]{1,4}`), rapid.StringMatching(`[a-z ]{0,4}`), 0, 2).Draw(t, "labels"),
			Tags:     tags.Draw(t, "tags"),
			Data:     rapid.SliceOfN(rapid.Byte(), 0, 4).Draw(t, "data"),
			Required: rapid.SliceOfN(text, 0, 3).Draw(t, "required"),
		}
		if ms := rapid.Int64Range(-60_000_000_000_000, 250_000_000_000_000); rapid.Bool().Draw(t, "timed") {
			in.At = new(time.UnixMilli(ms.Draw(t, "at")).UTC())
		}
		if rapid.Bool().Draw(t, "chosen") {
			in.Choice = &choice{Left: new("left")}
		}
		for _, protocol := range []Protocol{JSON, RestXML} {
			call, _ := testMux().Name(request(protocol, "Echo", ""), nil, "")
			w := httptest.NewRecorder()
			if err := call.WriteOutput(w, "request-1", in); err != nil {
				t.Fatal(err)
			}
			body := strings.ReplaceAll(w.Body.String(), "EchoResult", "EchoRequest")
			r := request(protocol, "Echo", body)
			out, err := call.Decode(r, []byte(body))
			if err != nil {
				t.Fatalf("protocol %d: %v in %s", protocol, err, body)
			}
			if diff := cmp.Diff(in, out, cmp.Comparer(func(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) })); diff != "" {
				t.Fatalf("protocol %d (-written +read):\n%s\n%s", protocol, diff, body)
			}
		}
	})
}

func TestAnswersAreWellFormedWhateverTheTexts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		out := &thing{Words: []string{rapid.String().Draw(t, "a"), string(rapid.SliceOf(rapid.Byte()).Draw(t, "b"))}, Labels: map[string]string{rapid.String().Draw(t, "k"): "v"}}
		failed := NewError("Code", 400, out.Words[1]).With("Reason", out.Words[0])
		for _, protocol := range []Protocol{JSON, RestJSON, Query, RestXML} {
			body := ""
			if protocol == Query {
				body = form
			}
			call, _ := testMux().Name(request(protocol, "Echo", body), []byte(body), "")
			good, bad := httptest.NewRecorder(), httptest.NewRecorder()
			if err := call.WriteOutput(good, out.Words[0], out); err != nil {
				t.Fatal(err)
			}
			call.WriteError(bad, out.Words[0], failed)
			for _, w := range []*httptest.ResponseRecorder{good, bad} {
				var err error
				if protocol == JSON || protocol == RestJSON {
					err = json.Unmarshal(w.Body.Bytes(), new(map[string]any))
				} else {
					err = xml.Unmarshal(w.Body.Bytes(), new(struct{}))
				}
				if err != nil {
					t.Fatalf("protocol %d: %v in %q", protocol, err, w.Body)
				}
			}
		}
	})
}

func TestListsOfAnswers(t *testing.T) {
	for _, test := range []struct {
		protocol Protocol
		out      *thing
		want     string
	}{
		{JSON, &thing{Words: nil, Required: nil}, `{"Name":"","Required":[]}`},
		{JSON, &thing{Words: []string{}, Required: []string{}, Labels: map[string]string{}}, `{"Name":"","Words":[],"Labels":{},"Required":[]}`},
		{RestXML, &thing{Words: nil, Required: nil}, xmlHead + `<EchoResult xmlns="https://rx.example/"><Name></Name><Required></Required></EchoResult>`},
		{RestXML, &thing{Words: []string{}}, xmlHead + `<EchoResult xmlns="https://rx.example/"><Name></Name><Words></Words><Required></Required></EchoResult>`},
	} {
		call, _ := testMux().Name(request(test.protocol, "Echo", ""), nil, "")
		w := httptest.NewRecorder()
		if err := call.WriteOutput(w, "request-1", test.out); err != nil {
			t.Fatal(err)
		}
		if got := w.Body.String(); got != test.want {
			t.Errorf("got  %s\nwant %s", got, test.want)
		}
	}
}

// TestCommonErrors is the table of how each protocol spells the errors that every service has.
func TestCommonErrors(t *testing.T) {
	forms := map[Protocol]string{Query: form + "Name=a"}
	for _, test := range []struct {
		err            error
		json, restJSON string
		query, restXML string
	}{
		{AccessDenied("no"), "400 AccessDeniedException", "400 AccessDeniedException", "403 AccessDenied", "403 AccessDenied"},
		{Invalid("no"), "400 ValidationException", "400 InvalidRequestException", "400 ValidationError", "400 InvalidRequest"},
		{Malformed("no"), "400 SerializationException", "400 InvalidRequestException", "400 MalformedQueryString", "400 MalformedXML"},
		{Throttled("no"), "400 ThrottlingException", "400 ThrottlingException", "400 Throttling", "503 SlowDown"},
		{TooLarge("no"), "413 RequestEntityTooLargeException", "413 RequestEntityTooLargeException", "413 RequestEntityTooLarge", "413 MaxMessageLengthExceeded"},
		{Unavailable("no"), "503 ServiceUnavailableException", "503 ServiceUnavailableException", "503 ServiceUnavailable", "503 ServiceUnavailable"},
		{UnknownOperation(), "400 UnknownOperationException", "404 UnknownOperationException", "400 InvalidAction", "501 NotImplemented"},
		{NotImplemented("X"), "400 UnknownOperationException", "404 UnknownOperationException", "400 InvalidAction", "501 NotImplemented"},
		{errors.New("a secret of the server"), "500 InternalServerException", "500 InternalServerException", "500 InternalFailure", "500 InternalError"},
		{fmt.Errorf("look for it: %w", NewError("NoSuchThing", 404, "no")), "404 NoSuchThing", "404 NoSuchThing", "404 NoSuchThing", "404 NoSuchThing"},
		{&Error{Code: "Bare", Message: "no"}, "400 Bare", "400 Bare", "400 Bare", "400 Bare"},
	} {
		for protocol, want := range map[Protocol]string{JSON: test.json, RestJSON: test.restJSON, Query: test.query, RestXML: test.restXML} {
			call, _ := testMux().Name(request(protocol, "Echo", forms[protocol]), []byte(forms[protocol]), "")
			e := AsError(call.Spell(test.err))
			if got := fmt.Sprintf("%d %s", e.Status, e.Code); got != want {
				t.Errorf("%v, protocol %d: %s, want %s", test.err, protocol, got, want)
			}
			w := httptest.NewRecorder()
			call.WriteError(w, "request-1", test.err)
			if w.Code != e.Status || !strings.Contains(w.Body.String(), e.Code) || w.Header().Get("X-Amzn-Requestid") != "request-1" {
				t.Errorf("%v, protocol %d: %d %v %s", test.err, protocol, w.Code, w.Header(), w.Body)
			}
			if strings.Contains(w.Body.String(), "secret") || strings.Contains(w.Body.String(), "look for it") {
				t.Errorf("%v, protocol %d: the answer tells of the inside: %s", test.err, protocol, w.Body)
			}
		}
	}
	if (&Call{Service: &ServiceModel{Protocol: JSON}}).Spell(nil) != nil {
		t.Error("nil became an error")
	}
}

func TestCausesStayInside(t *testing.T) {
	body := `{"Name":"fault","Required":[]}`
	w := serve(t, request(JSON, "Echo", body), body, "")
	if w.Code != 500 || strings.Contains(w.Body.String(), "fire") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// TestAbsentOperationsValidateFirst: success is never claimed, and what is wrong with the request is told before.
func TestAbsentOperationsValidateFirst(t *testing.T) {
	for _, test := range []struct {
		protocol   Protocol
		bad, good  string
		code, want string
	}{
		{JSON, `{}`, `{"Name":"a","Required":[]}`, "ValidationException", "400 UnknownOperationException"},
		{RestJSON, `{}`, `{"Name":"a","Required":[]}`, "InvalidRequestException", "404 UnknownOperationException"},
		{Query, "Action=Absent&Version=2020-01-01", "Action=Absent&Version=2020-01-01&Name=a&Required=", "ValidationError", "400 InvalidAction"},
		{RestXML, `<A/>`, `<A><Name>a</Name><Required/></A>`, "InvalidRequest", "501 NotImplemented"},
	} {
		if w := serve(t, request(test.protocol, "Absent", test.bad), test.bad, ""); w.Code != 400 || !strings.Contains(w.Body.String(), test.code) {
			t.Errorf("protocol %d, bad input: %d %s, want %s", test.protocol, w.Code, w.Body, test.code)
		}
		w := serve(t, request(test.protocol, "Absent", test.good), test.good, "")
		status, code, _ := strings.Cut(test.want, " ")
		if fmt.Sprint(w.Code) != status || !strings.Contains(w.Body.String(), code) {
			t.Errorf("protocol %d: %d %s, want %s", test.protocol, w.Code, w.Body, test.want)
		}
	}
}

func TestTimesOfAnswers(t *testing.T) {
	at := time.Date(2026, 1, 2, 4, 4, 5, 123_999_999, time.FixedZone("", 3600))
	whole := at.Truncate(time.Second)
	for _, test := range []struct {
		at     time.Time
		format string
		want   string
	}{
		{at, epochTime, "1767323045.123"}, {whole, epochTime, "1767323045"}, {time.UnixMilli(-1500), epochTime, "-1.5"},
		{at, isoTime, "2026-01-02T03:04:05.123Z"}, {whole, isoTime, "2026-01-02T03:04:05Z"},
		{at, httpTime, "Fri, 02 Jan 2026 03:04:05 GMT"},
	} {
		if got := string(appendTime(nil, test.at, &Shape{}, test.format)); got != test.want {
			t.Errorf("%s: %s, want %s", test.format, got, test.want)
		}
		if got := string(appendTime(nil, test.at, &Shape{TimeFormat: test.format}, "other")); got != test.want {
			t.Errorf("%s of the shape: %s, want %s", test.format, got, test.want)
		}
	}
}
