package trail

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/wire"
)

// encoded is a record as it is written.
func encoded(r *Record) []byte {
	for name, value := range r.AdditionalEventData {
		r.additional.set(field{name: name, value: value})
	}
	return scrubbed(r.appendOwn(r.appendShared(nil)))
}

// TestRecordsReadBack holds the encoder to encoding/json: what it writes reads back as what was to be written.
func TestRecordsReadBack(t *testing.T) {
	text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "a\x00b", "line\nbreak\r", `"quoted\"`, "\u2028\u202e\x9b\xff", "日本語", "{}[],:"}))
	var value func(depth int) *rapid.Generator[any]
	value = func(depth int) *rapid.Generator[any] {
		kinds := []*rapid.Generator[any]{rapid.Just[any](nil), text.AsAny(), rapid.Bool().AsAny(), rapid.Int64Range(-1<<52, 1<<52).AsAny(), rapid.Float64Range(-1e300, 1e300).AsAny()}
		if depth > 0 {
			// Names that no rule takes for a secret's.
			kinds = append(kinds, rapid.SliceOfN(value(depth-1), 0, 4).AsAny(), rapid.MapOfN(rapid.StringMatching(`[a-f]{0,4}`), value(depth-1), 0, 4).AsAny())
		}
		return rapid.OneOf(kinds...)
	}
	object := rapid.MapOfN(rapid.StringMatching(`[a-f\n"]{0,6}`), value(3), 0, 6)
	rapid.Check(t, func(t *rapid.T) {
		c := anyCaller(text).Draw(t, "caller")
		r := &Record{
			EventVersion: "1.11", EventTime: "2026-11-02T10:00:05Z", EventSource: "s3.amazonaws.com", EventName: text.Draw(t, "name"), UserAgent: text.Draw(t, "agent"),
			UserIdentity: identityOf(c), caller: c,
			ErrorCode:         text.Draw(t, "code"),
			RequestParameters: object.Draw(t, "parameters"), AdditionalEventData: object.Draw(t, "additional"),
			RequestID: "r", EventID: "e", ReadOnly: rapid.Bool().Draw(t, "read"), RecipientAccountID: dataAccount, EventCategory: "Data",
		}
		for range rapid.IntRange(0, 3).Draw(t, "resources") {
			r.Resources = append(r.Resources, Resource{Type: "AWS::S3::Object", ARN: text.Draw(t, "resource"), Account: text.Draw(t, "owner")})
		}
		maps.DeleteFunc(r.AdditionalEventData, func(_ string, value any) bool { return value == nil }) // Add takes none
		reference, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var want, got any
		if err := json.Unmarshal(reference, &want); err != nil {
			t.Fatal(err)
		}
		line := encoded(r)
		if err := json.Unmarshal(line, &got); err != nil {
			t.Fatalf("%v\n%s", err, line)
		}
		// A part that is empty is there, where encoding/json leaves it out.
		if m := want.(map[string]any); m["additionalEventData"] == nil {
			m["additionalEventData"] = got.(map[string]any)["additionalEventData"]
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
		plain(t, line)
	})
}

// plain fails when a line holds anything that is not a visible character.
func plain(t interface{ Fatalf(string, ...any) }, line []byte) {
	if !utf8.Valid(line) {
		t.Fatalf("not UTF-8: %q", line)
	}
	for _, r := range string(line) {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || unicode.Is(unicode.Bidi_Control, r) {
			t.Fatalf("holds %U: %q", r, line)
		}
	}
}

func TestValuesOfOtherTypesAreHiddenToo(t *testing.T) {
	type inner struct {
		SessionToken string
		Plain        []map[string]string
	}
	got := string(appendObject(nil, map[string]any{
		"struct":  inner{"canary", []map[string]string{{"password": "canary", "name": "seen"}}},
		"strings": map[string]string{"Authorization": "canary"},
		"deep":    []any{[]any{map[string]any{"clientSecret": []string{"canary"}}}},
		"time":    time.Unix(0, 0),
		"broken":  func() {},
		"number":  float64(1.5),
		"list":    []string{"a"},
	}, 0))
	want := `{"broken":"(not representable)","deep":[[{"clientSecret":"` + hidden + `"}]],"list":["a"],"number":1.5,"strings":{"Authorization":"` + hidden +
		`"},"struct":{"Plain":[{"name":"seen","password":"` + hidden + `"}],"SessionToken":"` + hidden + `"},"time":"1970-01-01T00:00:00Z"}`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestNestingIsBounded(t *testing.T) {
	var v any = "core"
	for range 10_000 {
		v = []any{v}
	}
	if got := appendValue(nil, v, 0); len(got) > 200 || !json.Valid(got) {
		t.Errorf("%d bytes: %s", len(got), got)
	}
}

// TestPartsAreBounded: a part that is too large loses its largest members and keeps the others.
func TestPartsAreBounded(t *testing.T) {
	tests := []struct {
		name  string
		value map[string]any
		want  map[string]any
	}{
		{"one great member", map[string]any{"policy": strings.Repeat("x", maxParameters), "name": "kept"}, map[string]any{"policy": omitted, "name": "kept"}},
		{"two great members", map[string]any{"a": strings.Repeat("\x00", maxParameters/6), "b": strings.Repeat("y", maxParameters), "c": int64(1)}, map[string]any{"a": omitted, "b": omitted, "c": 1.0}},
		{"a great list", map[string]any{"list": []string{"a", strings.Repeat("x", maxParameters/2), "b", strings.Repeat("y", maxParameters/2), "c"}, "name": "kept"},
			map[string]any{"list": []any{"a", strings.Repeat("x", maxParameters/2), "b", "(2 more omitted: too large)"}, "name": "kept"}},
		{"a list of great values", map[string]any{"list": []map[string]any{{"k": strings.Repeat("x", maxParameters)}, {"k": "b"}}}, map[string]any{"list": []any{"(2 more omitted: too large)"}}},
		{"at the bound", map[string]any{"a": strings.Repeat("x", maxParameters-len(`{"a":""}`))}, map[string]any{"a": strings.Repeat("x", maxParameters-len(`{"a":""}`))}},
	}
	many := map[string]any{}
	for i := range 20_000 {
		many[strings.Repeat("k", 5)+string(rune('a'+i%26))+time.Duration(i).String()] = "v"
	}
	tests = append(tests, struct {
		name        string
		value, want map[string]any
	}{"too many members", many, map[string]any{"omitted": "too large", "members": 20_000.0}})
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := members{}
			m.part("p", test.value, maxParameters)
			var got map[string]any
			if err := json.Unmarshal(m.b[len(`"p":`):], &got); err != nil {
				t.Fatal(err)
			}
			if size := len(m.b) - len(`"p":`); size > maxParameters {
				t.Errorf("%d bytes", size)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestHostileRequestKeepsWhoAndWhy: however much a request makes the rooms write, person, decision and reason stay.
func TestHostileRequestKeepsWhoAndWhy(t *testing.T) {
	h := openHouse(t, "sqlite", Config{})
	ctx, e := h.request(vended(), getOp)
	hostile := strings.Repeat("\x00\u202e", 5000)
	for range 10 * maxSteps {
		e.Step(hostile, Info, hostile)
	}
	for i := range 10 * maxResources {
		e.Resource("AWS::S3::Object", hostile+string(rune('a'+i%26))+time.Duration(i).String(), "")
	}
	e.Parameters(map[string]any{"key": hostile, "bucketName": "data"})
	for _, key := range []string{KeyApplication, KeyMatchedScope, KeyAuditContext, KeyGrantAccount} {
		e.Add(key, hostile)
	}
	e.Add(KeyPersonName, "mateo@example.com")
	e.Add(KeyReason, "the grant ended")
	h.finish(t, ctx, e, wire.AccessDenied(hostile))
	lines := h.lines(t)
	if len(lines) != 1 || len(lines[0]) > 1<<20 {
		t.Fatalf("%d lines, the first has %d bytes", len(lines), len(lines[0]))
	}
	plain(t, []byte(lines[0]))
	r := decode(t, lines[0])
	for key, want := range map[string]string{KeyPersonName: "mateo@example.com", KeyDecision: DecisionRefused, KeyReason: "the grant ended", KeyGrantID: vended().Session.Vended.GrantID} {
		if got := r.AdditionalEventData[key]; got != want {
			t.Errorf("%s is %v, want %s", key, got, want)
		}
	}
}

// TestEachObjectOfABatchIsRecorded: whoever deletes the greatest batch of the longest keys leaves all of them in the log.
func TestEachObjectOfABatchIsRecorded(t *testing.T) {
	for _, test := range []struct {
		name, fill string
		all        bool
	}{{"ordinary", "a", true}, {"control characters", "\x01", false}} {
		t.Run(test.name, func(t *testing.T) {
			h := openHouse(t, "sqlite", Config{})
			ctx, e := h.request(vended(), Operation{Source: "s3.amazonaws.com", Name: "DeleteObjects", Data: true})
			var objects []map[string]any
			for i := range 1000 {
				key := fmt.Sprintf("%04d", i)
				objects = append(objects, map[string]any{"key": key + strings.Repeat(test.fill, 1024-len(key)), "errorCode": "AccessDenied"})
			}
			e.Add(KeyObjects, objects)
			e.Add(KeyPersonName, "mateo@example.com")
			h.finish(t, ctx, e, nil)
			r := h.records(t)[0]
			list, _ := r.AdditionalEventData[KeyObjects].([]any)
			if (len(list) == 1000) != test.all || len(list) < 150 || r.AdditionalEventData[KeyPersonName] != "mateo@example.com" {
				t.Errorf("recorded %d objects and the person %v", len(list), r.AdditionalEventData[KeyPersonName])
			}
			if note, _ := list[len(list)-1].(string); !test.all && note != fmt.Sprintf("(%d more omitted: too large)", 1000-len(list)+1) {
				t.Errorf("the list ends with %q", note)
			}
		})
	}
}

func TestStepsThatFailedAreTheLastToGo(t *testing.T) {
	var steps []Step
	for i := range 100 {
		steps = append(steps, Step{Step: "policy", Outcome: Info, Detail: strings.Repeat("i", 300)})
		if i%50 == 20 {
			steps = append(steps, Step{Step: "question", Outcome: Pass, Detail: "yes"}, Step{Step: "question", Outcome: Fail, Detail: "no"})
		}
	}
	got := fitting(steps, 4<<10)
	if size := len(appendSteps(nil, got)); size > 4<<10 {
		t.Errorf("%d bytes", size)
	}
	count := map[Outcome]int{}
	for _, s := range got {
		count[s.Outcome]++
	}
	if count[Fail] != 2 || count[Pass] != 2 || count[Info] < 5 {
		t.Errorf("kept %v", count)
	}
	if len(steps) != 104 || steps[103].Outcome != Info {
		t.Error("the entry's own steps were changed")
	}
}

func TestClipCutsBetweenCharacters(t *testing.T) {
	for _, test := range []struct {
		in   string
		n    int
		want string
	}{{"abc", 3, "abc"}, {"abcd", 3, "abc…"}, {"aé", 2, "a…"}, {"日本", 5, "日…"}, {"日本", 2, "…"}, {"\x80\x80\x80", 1, "…"}} {
		if got := clip(test.in, test.n); got != test.want {
			t.Errorf("clip(%q, %d) = %q, want %q", test.in, test.n, got, test.want)
		}
	}
}

func TestDecisions(t *testing.T) {
	for _, test := range []struct {
		failure error
		want    string
	}{
		{nil, DecisionAllowed},
		{wire.AccessDenied("no"), DecisionRefused},
		{wire.NewError("AccessDeniedException", 400, "no"), DecisionRefused},
		{wire.NewError("InvalidGrantException", 400, "no"), DecisionRefused},
		{wire.NewError("SignatureDoesNotMatch", 403, "no"), DecisionRefused},
		{wire.NewError("UnauthorizedException", 401, "no"), DecisionRefused},
		{wire.NewError("NoSuchKey", 404, "none"), DecisionFailed},
		{wire.Invalid("bad"), DecisionFailed},
		{wire.Internal(nil), DecisionFailed},
	} {
		if got := decisionOf(test.failure); got != test.want {
			t.Errorf("%v is %s, want %s", test.failure, got, test.want)
		}
	}
}

// FuzzRecord: whatever a request holds, its record is one line of valid JSON that says what it was about.
func FuzzRecord(f *testing.F) {
	f.Add("GetObject", "key", "red/\xff\x00.csv", "\u2028\u202e", "detail")
	f.Add("", "eventID", `","eventID":"forged`, "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJtYXRlbyJ9.c2ln", "\n{}")
	f.Add("x", "secret", "canary", "\x9b31m", "…")
	f.Fuzz(func(t *testing.T, name, key, value, agent, detail string) {
		e := &Entry{trail: &Trail{}, source: "s3.amazonaws.com", name: name, data: true, caller: vended()}
		e.Parameters(map[string]any{key: value, "list": []any{value, map[string]any{key: value}}})
		e.Step(detail, Fail, detail)
		e.Resource(key, value, "")
		r := e.record(&caller.Request{ID: "req", UserAgent: agent, Host: value, Secure: true}, start, wire.AccessDenied(detail), nil)
		r.EventID = "11111111-0000-4000-8000-000000000001"
		line := encoded(&r)
		plain(t, line)
		var back Record
		if err := json.Unmarshal(line, &back); err != nil {
			t.Fatalf("%v\n%s", err, line)
		}
		if back.EventID != r.EventID || eventID(line) != r.EventID {
			t.Fatalf("the event id reads back as %q and %q", back.EventID, eventID(line))
		}
		if back.UserIdentity.ARN != vended().ARN || back.RequestID != "req" {
			t.Fatalf("reads back as %+v", back)
		}
		if isSecret(key) && back.RequestParameters[key] != nil && back.RequestParameters[key] != hidden {
			t.Fatalf("a secret is shown: %s", line)
		}
	})
}

// FuzzText: any bytes become one line of JSON that reads back as the text, what is not UTF-8 replaced, and that holds
// nothing that a terminal obeys.
func FuzzText(f *testing.F) {
	for _, s := range []string{"", "plain", "eight by", "a\x00b", "seven..\x7f", "\"\\\r\n\t", "\u2028\u202e\x9b\xff", strings.Repeat("x", 15) + "\x1f", "日本語"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		text := appendText(nil, s)
		var got string
		if err := json.Unmarshal(text, &got); err != nil || got != string([]rune(s)) {
			t.Errorf("%q became %s, which reads %q, %v", s, text, got, err)
		}
		for _, r := range string(text) {
			if r < 0x20 || r == 0x7f || misleading(r) && r >= utf8.RuneSelf {
				t.Errorf("%q became %s with %U", s, text, r)
			}
		}
	})
}
