package wire

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
)

// FuzzDecodeJSON: whatever is accepted is JSON, and whatever is JSON is accepted unless it is beyond the bounds or has a
// key twice.
func FuzzDecodeJSON(f *testing.F) {
	for _, seed := range []string{`{}`, `{"a":[1,-2.5e3,"x",true,null,{"b":{}}]}`, `[1,]`, `{"a":1,"a":2}`, "\xff", `"\ud800"`, ` 1 `, `{"a":1}}`, `01`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		n, err := parseJSON(body)
		switch valid := json.Valid(body); {
		case err == nil && !valid && len(strings.TrimSpace(string(body))) > 0:
			t.Fatalf("accepted what is no JSON")
		case err == nil && valid && !json.Valid(n.source):
			t.Fatalf("kept %q of it", n.source)
		case err != nil && valid && !strings.Contains(err.Error(), "twice") && !strings.Contains(err.Error(), "too") && !strings.Contains(err.Error(), "UTF-8"):
			t.Fatalf("refused JSON: %v", err)
		}
		decodeAny(t, JSON, string(body))
		decodeAny(t, RestJSON, string(body))
	})
}

// FuzzDecodeXML: no body brings the decoder down, and what is wrong is the client's fault.
func FuzzDecodeXML(f *testing.F) {
	for _, seed := range []string{
		xml1 + `<Name>a</Name><Required/>` + xml2, `<a:EchoRequest xmlns:a="x"><a:Name>b</a:Name></a:EchoRequest>`, `<!DOCTYPE x>`, `<EchoRequest><Tags><Tag/></Tags></EchoRequest>`,
		`<?xml version="1.0"?><EchoRequest/>`, `<EchoRequest><![CDATA[x]]></EchoRequest>`, `<EchoRequest>&#0;</EchoRequest>`, ``,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) { decodeAny(t, RestXML, body) })
}

// FuzzDecodeForm does the same for forms.
func FuzzDecodeForm(f *testing.F) {
	for _, seed := range []string{"Name=a&Required=", "Tags.Tag.1.Key=a", "Labels.entry.1.key=a&Labels.entry.1.value=b", "a.b.c.d=%41", "&&==", "%", "Name=a;b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) { decodeAny(t, Query, form+body) })
}

// FuzzName: no path, query or target brings the naming of a request down, and labels and parameters neither.
func FuzzName(f *testing.F) {
	for _, seed := range []string{"/rx/locate/a%2Fb?tagKeys=a&maxResults=1", "/rj/echo", "/rx/locate/%ff", "/?Action=Echo&Version=2020-01-01", "/rx//locate", "/%2Frx/locate/a"} {
		f.Add(seed, "Jay.V1.Echo", "111111111111")
	}
	f.Fuzz(func(t *testing.T, target, name, account string) {
		for _, method := range []string{"GET", "PUT", "POST"} {
			r := httptest.NewRequest(method, "/", nil)
			u, err := r.URL.Parse("http://host" + target)
			if err != nil {
				return
			}
			r.URL = u
			for _, header := range []string{"", name} {
				r.Header.Set("X-Amz-Target", header)
				r.Header.Set("X-Amz-Account-Id", account)
				if call, ok := testMux().Name(r, nil, ""); ok && call.Operation != nil {
					checkDecode(t, call, call.Operation.Name, func() (any, error) { return call.Decode(r, nil) })
				}
			}
		}
	})
}

func decodeAny(t *testing.T, protocol Protocol, body string) {
	r := request(protocol, "Echo", body)
	call, ok := testMux().Name(r, []byte(body), "")
	if !ok || call.Operation == nil {
		t.Fatalf("protocol %d: not named", protocol)
	}
	checkDecode(t, call, body, func() (any, error) { return call.Decode(r, []byte(body)) })
}

// checkDecode holds what is always true of Decode: an input that keeps the constraints, or an error of the client's.
func checkDecode(t *testing.T, call *Call, body string, decode func() (any, error)) {
	in, err := decode()
	if err != nil {
		if e := AsError(call.Spell(err)); e.Status < 400 || e.Status >= 500 || len(e.Message) > 8<<10 {
			t.Fatalf("%q: %d %v", body, e.Status, err)
		}
		return
	}
	if got, ok := in.(*thing); ok && (len(got.Name) < 1 || len(got.Name) > 16 || got.Required == nil || len(got.Words) > 3) {
		t.Fatalf("%q was read as %+v", body, got)
	}
	if got, ok := in.(*located); ok && (got.ID == "" || len(got.Account) != 12) {
		t.Fatalf("%q was read as %+v", body, got)
	}
	Parameters(in)
	if err := call.WriteOutput(httptest.NewRecorder(), "request-1", in); err != nil {
		t.Fatal(err)
	}
}
