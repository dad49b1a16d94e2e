package sink

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/lakegate/lakegate/internal/trail"
)

func selection(t testing.TB, text string) (s Selection) {
	t.Helper()
	if err := yaml.NewDecoder(strings.NewReader(text), yaml.Strict()).Decode(&s); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return s
}

// happened are records of several kinds, by a name of each.
var happened = map[string]string{
	"read":    `{"eventSource":"s3.amazonaws.com","eventName":"GetObject","readOnly":true,"managementEvent":false,"recipientAccountId":"111111111111","resources":[{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::sales/red/a"},{"type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::sales"}],"additionalEventData":{"decision":"allowed"}}`,
	"write":   `{"eventSource":"s3.amazonaws.com","eventName":"PutObject","readOnly":false,"managementEvent":false,"recipientAccountId":"111111111111","resources":[{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::sales/blue/b"}],"additionalEventData":{"decision":"allowed"}}`,
	"refusal": `{"eventSource":"s3.amazonaws.com","eventName":"GetObject","readOnly":true,"managementEvent":false,"errorCode":"AccessDenied","recipientAccountId":"111111111111","resources":[{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::sales/blue/b"}],"additionalEventData":{"decision":"refused"}}`,
	"listing": `{"eventSource":"s3.amazonaws.com","eventName":"ListObjectsV2","readOnly":true,"managementEvent":false,"recipientAccountId":"222222222222","requestParameters":{"prefix":"red/"},"resources":[{"type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::sales"}],"additionalEventData":{"decision":"allowed"}}`,
	"call":    `{"eventSource":"iam.amazonaws.com","eventName":"CreateUser","readOnly":false,"managementEvent":true,"recipientAccountId":"222222222222","userIdentity":{"arn":"arn:aws:iam::222222222222:user/admin"},"additionalEventData":{"decision":"allowed"}}`,
	"failure": `{"eventSource":"iam.amazonaws.com","eventName":"GetUser","readOnly":true,"managementEvent":true,"errorCode":"NoSuchEntity","additionalEventData":{"decision":"failed"}}`,
	"broken":  `{"eventSource":"iam.amazonaws.com","eventNa`,
	"strange": `{"eventSource":5}`,
}

func TestSelection(t *testing.T) {
	for text, want := range map[string]string{
		"[]": "broken call failure listing strange read refusal write",
		"[{eventCategory: {equals: [Management]}}]":                                                                 "broken call failure strange",
		"[{eventCategory: {equals: [Data]}}]":                                                                       "broken listing strange read refusal write",
		"[{readOnly: {equals: ['false']}}]":                                                                         "broken call strange write",
		"[{decision: {equals: [refused]}}]":                                                                         "broken strange refusal",
		"[{decision: {not_equals: [allowed]}}]":                                                                     "broken failure strange refusal",
		"[{eventName: {equals: [GetObject, CreateUser]}}]":                                                          "broken call strange read refusal",
		"[{eventName: {starts_with: [Get], not_equals: [GetUser]}}]":                                                "broken strange read refusal",
		"[{eventName: {ends_with: [Object]}}]":                                                                      "broken strange read refusal write",
		"[{eventSource: {not_starts_with: [s3.]}}]":                                                                 "broken call failure strange",
		"[{eventSource: {not_ends_with: [.com]}}]":                                                                  "broken strange",
		"[{resources.ARN: {starts_with: ['arn:aws:s3:::sales/red/']}}]":                                             "broken listing strange read",
		"[{resources.type: {equals: ['AWS::S3::Object']}, readOnly: {equals: ['false']}}]":                          "broken strange write",
		"[{recipientAccountId: {equals: ['222222222222']}}]":                                                        "broken call listing strange",
		"[{userIdentity.arn: {ends_with: [user/admin]}}]":                                                           "broken call strange",
		"[{errorCode: {starts_with: [AccessDenied]}}]":                                                              "broken strange refusal",
		"[{eventCategory: {equals: [Management]}, readOnly: {equals: ['false']}}, {decision: {equals: [refused]}}]": "broken call strange refusal",
	} {
		s := selection(t, text)
		if err := s.check(); err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		got := map[string]bool{}
		for name, record := range happened {
			if s.wants([]byte(record)) {
				got[name] = true
			}
		}
		wanted := map[string]bool{}
		for name := range happened {
			if strings.Contains(" "+want+" ", " "+name+" ") {
				wanted[name] = true
			}
		}
		if diff := cmp.Diff(wanted, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}

// TestSlipsOfThePen: a selector that would never select anything is an error at the start, not a sink that stays silent.
func TestSlipsOfThePen(t *testing.T) {
	for text, want := range map[string]string{
		"[{}]":                                                          "needs a field",
		"[{eventcategory: {equals: [Data]}}]":                           `no field "eventcategory"`,
		"[{denied: {equals: ['true']}}]":                                `no field "denied"`,
		"[{eventName: {}}]":                                             "eventName has no value",
		"[{eventName: {equals: []}}]":                                   "eventName has no value",
		"[{eventCategory: {equals: [data]}}]":                           `eventCategory is never "data"`,
		"[{decision: {equals: [denied]}}]":                              `decision is never "denied"`,
		"[{readOnly: {equals: ['no']}}]":                                `readOnly is never "no"`,
		"[{decision: {starts_with: [re]}}]":                             "equals and not_equals alone",
		"[{eventType: {not_equals: [nobody]}}]":                         `eventType is never "nobody"`,
		"[{eventName: {equals: [" + strings.Repeat("x,", 500) + "x]}}]": "500 values",
		"[" + strings.Repeat("{eventName: {equals: [x]}},", 21) + "]":   "20 selectors",
		"[{eventName: {equals: [a]}, nobody: {equals: [x]}}]":           `no field "nobody"`,
	} {
		c := Config{Name: "a", File: &File{Path: "/tmp/a"}, Select: selection(t, text)}
		if err := Check([]Config{c}); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "audit.sinks: a: select: ") {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	var s Selection
	if err := yaml.NewDecoder(strings.NewReader("[{eventName: {equal: [x]}}]"), yaml.Strict()).Decode(&s); err == nil {
		t.Error("a condition of another name is passed over")
	}
}

// TestPlaceMovesOverWhatIsNotSelected: a sink that wants little is not behind, nor gets anything twice after a restart.
func TestPlaceMovesOverWhatIsNotSelected(t *testing.T) {
	b := newBench(t)
	path := filepath.Join(t.TempDir(), "out.jsonl")
	refused := func(n int) {
		text := strings.Replace(string(record(n)), `"fill"`, `"additionalEventData":{"decision":"refused"},"fill"`, 1)
		if err := b.audit.Append(true, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	c := Config{Name: "denied", Records: 7, Select: selection(t, "[{decision: {equals: [refused]}}]"), File: &File{Path: path}}
	b.add(numbers(1, 50)...)
	b.begin(c)
	until(t, func() bool { return b.sinks.Counts()[0].Unselected == 50 })
	if got := contents(t, path); len(got) != 0 {
		t.Errorf("delivered %q", got)
	}
	refused(51)
	b.add(numbers(52, 60)...)
	refused(61)
	until(t, has(t, path, "61"))
	b.settle()
	b.end()
	b.openLog()
	b.begin(c)
	b.add(62)
	refused(63)
	until(t, has(t, path, "63"))
	until(t, func() bool { return b.sinks.Counts()[0].Unselected == 1 })
	if diff := cmp.Diff([]string{"51", "61", "63"}, contents(t, path)); diff != "" {
		t.Error(diff)
	}
}

// TestWhatIsAlteredIsNeverDeselected: who can write the log cannot keep a record from a sink by making it unreadable.
func TestWhatIsAlteredIsNeverDeselected(t *testing.T) {
	s := selection(t, "[{decision: {equals: [refused]}, eventCategory: {equals: [Data]}}]")
	rapid.Check(t, func(t *rapid.T) {
		whole := happened["refusal"]
		cut := rapid.IntRange(0, len(whole)-1).Draw(t, "cut")
		if !s.wants([]byte(whole[:cut])) || !s.wants([]byte(whole)) {
			t.Fatalf("cut at %d it is not wanted", cut)
		}
	})
	all := []trail.Line{{Record: []byte(happened["read"])}, {Record: []byte("nonsense")}, {Record: []byte(happened["refusal"])}}
	if got := s.of(all); len(got) != 2 || string(got[0].Record) != "nonsense" {
		t.Errorf("%d lines: %s", len(got), fmt.Sprint(got))
	}
}

func BenchmarkSelection(b *testing.B) {
	s := selection(b, "[{decision: {equals: [refused]}}]")
	r := []byte(happened["read"])
	b.ReportAllocs()
	for b.Loop() {
		s.wants(r)
	}
}
