package sink

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	common "go.opentelemetry.io/proto/otlp/common/v1"
	logs "go.opentelemetry.io/proto/otlp/logs/v1"
	"google.golang.org/protobuf/proto"

	"github.com/lakegate/lakegate/internal/trail"
)

func texted(all []*common.KeyValue) map[string]string {
	m := map[string]string{}
	for _, a := range all {
		m[a.Key] = a.Value.GetStringValue()
	}
	return m
}

// gathering reads an export with the protocol's own library, gives its records to take, and answers what that returns.
// LogsData is on the wire what ExportLogsServiceRequest is, whose package would bring all of gRPC.
func gathering(t *testing.T, take func(about map[string]string, all []*logs.LogRecord) []byte) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var export logs.LogsData
		if err := proto.Unmarshal(unpacked(t, r), &export); err != nil {
			t.Errorf("not an export of logs: %v", err)
		}
		if r.URL.Path != "/v1/logs" || r.Header.Get("Content-Type") != "application/x-protobuf" {
			t.Errorf("%s %v", r.URL, r.Header)
		}
		if len(export.ResourceLogs) != 1 || len(export.ResourceLogs[0].ScopeLogs) != 1 || len(export.ProtoReflect().GetUnknown()) > 0 {
			t.Fatalf("export %v", &export)
		}
		scope := export.ResourceLogs[0].ScopeLogs[0]
		if scope.Scope.GetName() != instrumentationScope {
			t.Errorf("scope %v", scope.Scope)
		}
		_, _ = w.Write(take(texted(export.ResourceLogs[0].Resource.GetAttributes()), scope.LogRecords))
	}))
	t.Cleanup(s.Close)
	return s
}

// TestCollector of OpenTelemetry gets each record, which the protocol's own library can read.
func TestCollector(t *testing.T) {
	b := newBench(t)
	var got inbox
	s := gathering(t, func(about map[string]string, all []*logs.LogRecord) []byte {
		if about["service.name"] != "lakegate" || about["service.instance.id"] != b.audit.Node() || about["cloud.region"] != "eu-central-1" || about["deployment.environment"] != "test" {
			t.Errorf("resource %v", about)
		}
		for _, r := range all {
			id := idOf(t, []byte(r.Body.GetStringValue()))
			if a := texted(r.Attributes); a["aws.event.id"] != id || a["rpc.service"] != "s3" || a["rpc.method"] != "GetObject" {
				t.Errorf("attributes %v", a)
			}
			got.put(id)
		}
		return nil
	})
	b.add(numbers(1, 30)...)
	b.begin(Config{Name: "collector", Records: 9, OTLP: &OTLP{HTTP: HTTP{URL: s.URL + "/v1/logs", Compress: true}, Resource: map[string]string{"deployment.environment": "test"}}})
	got.wait(t, "30")
	if !slices.Equal(got.all(), texts(numbers(1, 30))) {
		t.Errorf("got %v", got.all())
	}
}

func newTestOTLP(t *testing.T, url string, rejected func(int64, string)) *otlp {
	t.Helper()
	o, err := newOTLP(&OTLP{HTTP: HTTP{URL: url}}, "n", Env{Now: func() time.Time { return start }}, rejected)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = o.Close() })
	return o
}

// TestLogRecord holds what becomes of a record, and of what is none.
func TestLogRecord(t *testing.T) {
	refused := `{"eventVersion":"1.11","userIdentity":{"type":"AssumedRole","onBehalfOf":{"userId":"94482488"}},"eventTime":"2026-11-02T10:00:01Z","eventSource":"sso-oauth.amazonaws.com",` +
		`"eventName":"CreateTokenWithIAM","sourceIPAddress":"192.0.2.10","errorCode":"AccessDenied","requestID":"r","eventID":"e","eventCategory":"Management","recipientAccountId":"111111111111",` +
		`"additionalEventData":{"decision":"refused","personUserName":"mateo@example.com"}}`
	var got []*logs.LogRecord
	s := gathering(t, func(_ map[string]string, all []*logs.LogRecord) []byte {
		got = all
		return nil
	})
	o := newTestOTLP(t, s.URL+"/v1/logs", nil)
	broken := "not JSON \xff at all"
	if err := o.Deliver(t.Context(), []trail.Line{{Record: []byte(refused)}, {Record: []byte(broken)}, {Record: record(1)}}); err != nil {
		t.Fatal(err)
	}
	if len(got) != 3 {
		t.Fatalf("got %v", got)
	}
	r := got[0]
	if r.Body.GetStringValue() != refused || r.SeverityNumber != logs.SeverityNumber_SEVERITY_NUMBER_WARN || r.SeverityText != "WARN" || r.EventName != "lakegate.audit" ||
		r.TimeUnixNano != uint64(start.Add(-4*time.Second).UnixNano()) || r.ObservedTimeUnixNano != uint64(start.UnixNano()) {
		t.Errorf("got %v", r)
	}
	want := map[string]string{
		"aws.event.id": "e", "aws.event.category": "Management", "aws.request_id": "r", "cloud.account.id": "111111111111", "client.address": "192.0.2.10", "error.type": "AccessDenied",
		"rpc.system": "aws-api", "rpc.service": "sso-oauth", "rpc.method": "CreateTokenWithIAM", "user.id": "94482488", "user.name": "mateo@example.com", "lakegate.decision": "refused",
	}
	if a := texted(r.Attributes); len(a) != len(want) {
		t.Errorf("attributes %v", a)
	}
	for name, value := range want {
		if texted(r.Attributes)[name] != value {
			t.Errorf("%s is %q, want %q", name, texted(r.Attributes)[name], value)
		}
	}
	if got[1].Body.GetStringValue() != strings.ToValidUTF8(broken, "\uFFFD") || got[1].TimeUnixNano != 0 {
		t.Errorf("got %v", got[1])
	}
	if got[2].SeverityNumber != logs.SeverityNumber_SEVERITY_NUMBER_INFO {
		t.Errorf("got %v", got[2])
	}
}

// TestCollectorThatRejectsSome: the protocol forbids to send them again, so they are counted and told.
func TestCollectorThatRejectsSome(t *testing.T) {
	b := newBench(t)
	var got inbox
	s := gathering(t, func(_ map[string]string, all []*logs.LogRecord) []byte {
		defer got.put("came")
		return []byte("\x0a\x0b\x08\x02\x12\x07too old")
	})
	b.add(1, 2, 3)
	b.begin(Config{Name: "collector", OTLP: &OTLP{HTTP: HTTP{URL: s.URL + "/v1/logs"}}})
	got.wait(t, "came")
	until(t, func() bool { return b.sinks.Counts()[0] == (Count{Sink: "collector", Rejected: 2}) })
	if said := b.said.String(); !strings.Contains(said, "too old") || !strings.Contains(said, "level=ERROR") {
		t.Errorf("said %s", said)
	}
}

func TestPartial(t *testing.T) {
	for answer, want := range map[string]struct {
		rejected int64
		why      string
	}{
		"":                                        {0, ""},
		"\x0a\x00":                                {0, ""},
		"\x0a\x0b\x08\x02\x12\x07too old":         {2, "too old"},
		"\x0a\x0b\x12\x07too old\x08\x02":         {2, "too old"},
		"\x0a\x09\x12\x07warning":                 {0, "warning"},
		"\x10\x05\x0a\x02\x08\x07":                {7, ""},
		"\x0a\x04\x18\x01\x08\x07":                {7, ""},
		"\x0a\xff\x08\x02":                        {0, ""},
		"\x0a\x03\x08\x02\x12":                    {2, ""},
		"<html>200 OK, says somebody else</html>": {0, ""},
	} {
		if n, why := partial([]byte(answer)); n != want.rejected || why != want.why {
			t.Errorf("%q: %d %q, want %v", answer, n, why, want)
		}
	}
}

// FuzzPartial: no answer of a collector does harm.
func FuzzPartial(f *testing.F) {
	f.Add([]byte("\x0a\x0b\x08\x02\x12\x07too old"))
	f.Add([]byte("\x0a\x04\x18\x01\x08\x07"))
	f.Fuzz(func(t *testing.T, answer []byte) {
		if _, why := partial(answer); len(why) > 300 {
			t.Errorf("%d bytes of a message", len(why))
		}
	})
}
