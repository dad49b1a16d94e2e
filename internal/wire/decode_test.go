package wire

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	form = "Action=Echo&Version=2020-01-01&"
	xml1 = `<EchoRequest xmlns="https://rx.example/">`
	xml2 = `</EchoRequest>`
)

func TestEveryKindOfMemberIsReadInEveryProtocol(t *testing.T) {
	want := &thing{
		Name: "né", Count: new(3), Big: new(int64(1 << 40)), On: new(true), Ratio: new(-1.5), At: new(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)),
		Color: new("RED"), Secret: new("pssst"), Data: []byte("abc"), Tags: []tag{{Key: "a", Value: new("b")}, {Key: "c"}}, Words: []string{"x y", ""},
		Labels: map[string]string{"k": "v", "l": ""}, Choice: &choice{Right: &tag{Key: "r"}},
		Inner: &thing{Name: "in", Required: []string{"z"}}, Required: []string{},
	}
	bodies := map[Protocol]string{
		JSON: `{"Name":"n\u00e9","Count":3,"Big":1099511627776,"On":true,"Ratio":-1.5,"At":1767323045,"Color":"RED","Secret":"pssst","Data":"YWJj",
			"Tags":[{"Key":"a","Value":"b"},{"Key":"c","Value":null}],"Words":["x y",""],"Labels":{"k":"v","l":""},"Choice":{"Right":{"Key":"r"},"Left":null},
			"Inner":{"Name":"in","Required":["z"]},"Required":[],"Unknown":{"is":"ignored"}}`,
		Query: form + `Name=n%C3%A9&Count=3&Big=1099511627776&On=true&Ratio=-1.5&At=2026-01-02T03%3A04%3A05Z&Color=RED&Secret=pssst&Data=YWJj` +
			`&Tags.Tag.2.Key=c&Tags.Tag.1.Key=a&Tags.Tag.1.Value=b&Words.member.1=x+y&Words.member.7=&Labels.entry.1.key=k&Labels.entry.1.value=v` +
			`&Labels.entry.2.key=l&Labels.entry.2.value=&Choice.Right.Key=r&Inner.Name=in&Inner.Required.member.1=z&Required=&Unknown.is=ignored`,
		RestXML: xml1 + `<Name>né</Name><Count> 3 </Count><Big>1099511627776</Big><On>true</On><Ratio>-1.5</Ratio><At>2026-01-02T03:04:05.000Z</At>
			<Color>R<!-- a comment -->ED</Color><Secret><![CDATA[pssst]]></Secret><Data>YWJj</Data>
			<Tags><Tag><Key>a</Key><Value>b</Value></Tag><Tag><Key>c</Key></Tag></Tags><Words><member>x y</member><member/></Words>
			<Labels><entry><key>k</key><value>v</value></entry><entry><key>l</key><value></value></entry></Labels>
			<Choice><Right><Key>r</Key></Right></Choice><Inner><Name>in</Name><Required><member>z</member></Required></Inner><Required/><Unknown/>` + xml2,
	}
	bodies[RestJSON] = bodies[JSON]
	for protocol, body := range bodies {
		got, err := decode(t, protocol, body)
		if err != nil {
			t.Errorf("protocol %d: %v", protocol, err)
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("protocol %d (-want +got):\n%s", protocol, diff)
		}
	}
}

// TestWhatCannotBeReadIsRefused lists bodies that are refused in each protocol, with the code that its services have for it.
func TestWhatCannotBeReadIsRefused(t *testing.T) {
	deep := strings.Repeat(`{"Inner":`, 100) + "{}" + strings.Repeat("}", 100)
	wide := `{"Words":[` + strings.Repeat(`"",`, maxNodes) + `""]}`
	for _, test := range []struct {
		name     string
		protocol Protocol
		body     string
		code     string
	}{
		{"not JSON", JSON, `{"Name":`, "SerializationException"},
		{"a comma too many", JSON, `{"Name":"a",}`, "SerializationException"},
		{"a number that is none", JSON, `{"Count":01}`, "SerializationException"},
		{"something after", JSON, `{} {}`, "SerializationException"},
		{"a list as the body", JSON, `[]`, "SerializationException"},
		{"null as the body", JSON, `null`, "SerializationException"},
		{"a member twice", JSON, `{"Name":"a","Name":"b"}`, "SerializationException"},
		{"a member twice, spelt twice", JSON, `{"Name":"a","N\u0061me":"b"}`, "SerializationException"},
		{"a member twice in what nobody reads", JSON, `{"Name":"a","Required":[],"X":{"a":1,"a":2}}`, "SerializationException"},
		{"not UTF-8", JSON, "{\"Name\":\"\xff\"}", "SerializationException"},
		{"too deep", JSON, deep, "SerializationException"},
		{"too many parts", JSON, wide, "SerializationException"},
		{"a number for a text", JSON, `{"Name":1}`, "SerializationException"},
		{"a text for a number", JSON, `{"Count":"1"}`, "SerializationException"},
		{"a fraction for an integer", JSON, `{"Count":1.5}`, "SerializationException"},
		{"too large a number", JSON, `{"Big":9223372036854775808}`, "SerializationException"},
		{"a text for a boolean", JSON, `{"On":"true"}`, "SerializationException"},
		{"an object for a list", JSON, `{"Words":{}}`, "SerializationException"},
		{"a list for an object", JSON, `{"Inner":[]}`, "SerializationException"},
		{"a list for a map", JSON, `{"Labels":[]}`, "SerializationException"},
		{"null in a list", JSON, `{"Words":[null]}`, "SerializationException"},
		{"null in a map", JSON, `{"Labels":{"a":null}}`, "SerializationException"},
		{"not base64", JSON, `{"Data":"*"}`, "SerializationException"},
		{"not a time", JSON, `{"At":"tomorrow"}`, "SerializationException"},
		{"a time beyond the years", JSON, `{"At":1e300}`, "SerializationException"},
		{"not JSON", RestJSON, `{`, "InvalidRequestException"},

		{"a bad escape in a name", Query, form + `%zz=1`, "MalformedQueryString"},
		{"a bad escape in a value", Query, form + `Name=%f`, "MalformedQueryString"},
		{"not UTF-8", Query, form + `Name=%FF`, "MalformedQueryString"},
		{"a parameter twice", Query, form + `Name=a&Name=b`, "MalformedQueryString"},
		{"an action twice", Query, form + `Action=Absent`, "MalformedQueryString"},
		{"too deep", Query, form + strings.Repeat("Inner.", 100) + "Name=a", "MalformedQueryString"},
		{"too many parameters", Query, form + strings.Repeat("A=&", maxFields), "MalformedQueryString"},
		{"an item without a number", Query, form + `Words.member.x=a`, "ValidationError"},
		{"an item with a strange number", Query, form + `Words.member.01=a`, "ValidationError"},
		{"an item of number zero", Query, form + `Words.member.0=a`, "ValidationError"},
		{"items of two names", Query, form + `Words.member.1=a&Words.1=b`, "ValidationError"},
		{"a text for a list", Query, form + `Words=a`, "ValidationError"},
		{"a text for a structure", Query, form + `Inner=a`, "ValidationError"},
		{"members for a text", Query, form + `Name.x=a`, "ValidationError"},
		{"not a number", Query, form + `Count=three`, "ValidationError"},
		{"a map key twice", Query, form + `Labels.entry.1.key=a&Labels.entry.1.value=1&Labels.entry.2.key=a&Labels.entry.2.value=2`, "ValidationError"},
		{"a map entry without a key", Query, form + `Labels.entry.1.value=1`, "ValidationError"},

		{"not XML", RestXML, `<EchoRequest>`, "MalformedXML"},
		{"crossed elements", RestXML, `<EchoRequest><a></EchoRequest></a>`, "MalformedXML"},
		{"text alone", RestXML, `hello`, "MalformedXML"},
		{"text after", RestXML, xml1 + xml2 + "x", "MalformedXML"},
		{"two roots", RestXML, xml1 + xml2 + xml1 + xml2, "MalformedXML"},
		{"another root", RestXML, `<DeleteEverything/>`, "MalformedXML"},
		{"a document type", RestXML, `<!DOCTYPE x [<!ENTITY a "b">]>` + xml1 + `<Name>&a;</Name>` + xml2, "MalformedXML"},
		{"an entity", RestXML, xml1 + `<Name>&secret;</Name>` + xml2, "MalformedXML"},
		{"another encoding", RestXML, `<?xml version="1.0" encoding="UTF-7"?>` + xml1 + xml2, "MalformedXML"},
		{"not UTF-8", RestXML, xml1 + "<Name>\xff</Name>" + xml2, "MalformedXML"},
		{"too deep", RestXML, strings.Repeat("<EchoRequest>", 100) + strings.Repeat("</EchoRequest>", 100), "MalformedXML"},
		{"too many parts", RestXML, xml1 + strings.Repeat("<a/>", maxNodes) + xml2, "MalformedXML"},
		{"an element twice", RestXML, xml1 + `<Name>a</Name><Name>b</Name>` + xml2, "MalformedXML"},
		{"elements for a text", RestXML, xml1 + `<Name><b>a</b></Name>` + xml2, "MalformedXML"},
		{"a text for a list", RestXML, xml1 + `<Words>a</Words>` + xml2, "MalformedXML"},
		{"an item of another name", RestXML, xml1 + `<Words><word>a</word></Words>` + xml2, "MalformedXML"},
		{"not a boolean", RestXML, xml1 + `<On>yes</On>` + xml2, "MalformedXML"},
	} {
		_, err := decode(t, test.protocol, test.body)
		if err == nil {
			t.Errorf("protocol %d, %s: read", test.protocol, test.name)
			continue
		}
		if e := AsError(err); e.Code != test.code || e.Status != 400 || e.Kind == KindInternal {
			t.Errorf("protocol %d, %s: %d %s, want 400 %s", test.protocol, test.name, e.Status, e.Code, test.code)
		} else if len(e.Message) > 400 {
			t.Errorf("protocol %d, %s: a message of %d bytes", test.protocol, test.name, len(e.Message))
		}
	}
}

// TestNestedCommentsAreReadInOneGo would take minutes if every piece of a text were put together anew.
func TestNestedCommentsAreReadInOneGo(t *testing.T) {
	body := xml1 + "<X>" + strings.Repeat("a<!---->", 200_000) + "</X><Name>a</Name><Required/>" + xml2
	if _, err := decode(t, RestXML, body); err != nil {
		t.Fatal(err)
	}
}

// What each missing member costs does not depend on how many there are. Memory is what is counted: a clock would judge the
// machine.
func TestManyMissingMembersCostWhatFewDo(t *testing.T) {
	perMember := func(n int) float64 {
		body := `{"Name":"a","Required":[],"Tags":[{}` + strings.Repeat(",{}", n-1) + `]}`
		want := fmt.Sprintf("%d validation errors detected: ", n+1) // each key, and a list that is too long
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := decode(t, JSON, body)
		runtime.ReadMemStats(&after)
		if err == nil || !strings.HasPrefix(AsError(err).Message, want) {
			t.Fatalf("%.100v, want %q", err, want)
		}
		return float64(after.TotalAlloc-before.TotalAlloc) / float64(n)
	}
	few, many := perMember(2_000), perMember(64_000)
	if many > 2*few {
		t.Errorf("a missing member takes %.0f B among 2,000 and %.0f B among 64,000", few, many)
	}
}

// Whether a member is missing is looked up and not searched for: among the tens of thousands that a body may lack, a search
// for each took seconds.
func TestMissingMembersAreASet(t *testing.T) {
	for _, in := range []any{binder{}, validator{}} {
		f, ok := reflect.TypeOf(in).FieldByName("missing")
		if !ok || f.Type.Kind() != reflect.Map {
			t.Errorf("%T keeps what is missing in a %v", in, f.Type)
		}
	}
}

func TestEmptyBodiesHaveNoMembers(t *testing.T) {
	for _, protocol := range []Protocol{JSON, RestJSON, RestXML} {
		_, err := decode(t, protocol, " ")
		if err == nil || !strings.Contains(err.Error(), "2 validation errors detected: Value null at 'name'") {
			t.Errorf("protocol %d: %v, want two missing members", protocol, err)
		}
	}
}

func TestMembersOutsideOfTheBody(t *testing.T) {
	r := httptest.NewRequest("PUT", "/rx/locate/a%C3%A9?tagKeys=a+b&tagKeys=c%2Fd&maxResults=5", nil)
	r.Header.Set("X-Amz-Account-Id", "111111111111")
	call, ok := testMux().Name(r, nil, "s3")
	if !ok || call.Operation == nil {
		t.Fatal("no operation")
	}
	got, err := call.Decode(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := &located{ID: "aé", Account: "111111111111", Keys: []string{"a+b", "c/d"}, Max: new(5)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	form := httptest.NewRequest("PUT", "/rj/locate/ab?tagKeys=a+b&tagKeys=c%2Bd", nil)
	form.Header.Set("X-Amz-Account-Id", "111111111111")
	call, _ = testMux().Name(form, nil, "")
	got, err = call.Decode(form, nil)
	want = &located{ID: "ab", Account: "111111111111", Keys: []string{"a b", "c+d"}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("restJson: %v (-want +got):\n%s", err, diff)
	}

	for name, change := range map[string]func() (query string, header map[string][]string){
		"a parameter twice":      func() (string, map[string][]string) { return "maxResults=1&maxResults=2", nil },
		"a parameter not UTF-8":  func() (string, map[string][]string) { return "tagKeys=%ff", nil },
		"a parameter no number":  func() (string, map[string][]string) { return "maxResults=ten", nil },
		"a parameter too large":  func() (string, map[string][]string) { return "maxResults=11", nil },
		"a parameter badly sent": func() (string, map[string][]string) { return "maxResults=%1", nil },
		"too many parameters":    func() (string, map[string][]string) { return strings.Repeat("a=&", maxFields+1), nil },
		"a header twice": func() (string, map[string][]string) {
			return "", map[string][]string{"X-Amz-Account-Id": {"111111111111", "222222222222"}}
		},
		"no header": func() (string, map[string][]string) { return "", map[string][]string{} },
		"a header that breaks its pattern": func() (string, map[string][]string) {
			return "", map[string][]string{"X-Amz-Account-Id": {"111111111111, 222222222222"}}
		},
	} {
		query, header := change()
		r := httptest.NewRequest("PUT", "/rx/locate/a?"+query, nil)
		if r.Header.Set("X-Amz-Account-Id", "111111111111"); header != nil {
			r.Header = header
		}
		call, _ := testMux().Name(r, nil, "s3")
		_, err := call.Decode(r, nil)
		if e := AsError(call.Spell(err)); err == nil || e.Code != "InvalidRequest" || e.Status != 400 {
			t.Errorf("%s: %v, want InvalidRequest", name, err)
		}
	}
}

func TestDocumentsAreKeptAsTheyAre(t *testing.T) {
	for _, doc := range []string{`{"b" : [1.50, "<é>", true, null, {}],"a":-0}`, `"text"`, `12e3`, `false`, `[ ]`} {
		body := `{ "Doc" :  ` + doc + ` }`
		r := request(JSON, "Document", body)
		call, _ := testMux().Name(r, []byte(body), "")
		in, err := call.Decode(r, []byte(body))
		if err != nil {
			t.Errorf("%s: %v", doc, err)
			continue
		}
		if got := string(in.(*documented).Doc); got != doc {
			t.Errorf("%s became %s", doc, got)
		}
		w := serve(t, request(JSON, "Document", body), body, "")
		var back struct{ Doc json.RawMessage }
		if err := json.Unmarshal(w.Body.Bytes(), &back); err != nil || string(back.Doc) != doc {
			t.Errorf("%s was answered as %s", doc, w.Body)
		}
	}
}

func TestHeaderLists(t *testing.T) {
	for _, test := range []struct {
		text string
		want []string
	}{
		{"", nil},
		{"a", []string{"a"}},
		{" a , b,c ", []string{"a", "b", "c"}},
		{`"b,c", "\"def\"", a`, []string{"b,c", `"def"`, "a"}},
		{`""`, []string{""}},
	} {
		got, err := splitHeader(test.text, false)
		if err != nil || !cmp.Equal(got, test.want) {
			t.Errorf("%q: %q, %v, want %q", test.text, got, err, test.want)
		}
	}
	for _, text := range []string{`"a`, `"a\`, `"a"b`} {
		if got, err := splitHeader(text, false); err == nil {
			t.Errorf("%q was read as %q", text, got)
		}
	}
}
