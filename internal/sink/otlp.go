package sink

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/lakegate/lakegate/internal/trail"
)

// OTLP is a sink into OpenTelemetry: logs over OTLP/HTTP (OpenTelemetry protocol 1.x), in protocol buffers.
type OTLP struct {
	// URL is the collector's, with its path: https://collector.example.com:4318/v1/logs.
	HTTP `yaml:",inline"`
	// Resource has further attributes of the resource, beside service.name (lakegate), service.instance.id (the log's
	// node) and cloud.region.
	Resource map[string]string `yaml:"resource"`
}

func (c *OTLP) check() error {
	if err := c.HTTP.check(); err != nil {
		return fmt.Errorf("otlp.%w", err)
	}
	if len(c.Resource) > 100 {
		return fmt.Errorf("otlp.resource: want 100 attributes at most")
	}
	return nil
}

// otlp posts ExportLogsServiceRequest. Its messages are few and settled, so they are put together here by hand; a test
// reads them with the protocol's own library.
type otlp struct {
	*poster
	resource []byte // a Resource
	rejected func(n int64, why string)
	now      func() time.Time

	record, logs, body []byte
}

func newOTLP(c *OTLP, node string, env Env, rejected func(int64, string)) (*otlp, error) {
	p, err := newPoster(&c.HTTP, env)
	if err != nil {
		return nil, fmt.Errorf("otlp.%w", err)
	}
	o := &otlp{poster: p, rejected: rejected, now: env.Now}
	about := map[string]string{"service.name": "lakegate", "service.instance.id": node, "cloud.region": env.Region}
	for name, value := range c.Resource {
		about[name] = value
	}
	for _, name := range slices.Sorted(maps.Keys(about)) {
		o.resource = appendAttribute(o.resource, resourceAttributes, name, about[name])
	}
	return o, nil
}

// Numbers of the fields, from opentelemetry/proto/{collector/logs,logs,resource,common}/v1 of version 1.
const (
	requestResourceLogs = 1

	resourceLogsResource = 1
	resourceLogsScope    = 2

	resourceAttributes = 1

	scopeLogsScope   = 1
	scopeLogsRecords = 2
	scopeName        = 1

	recordTime           = 1
	recordSeverity       = 2
	recordSeverityText   = 3
	recordBody           = 5
	recordAttributes     = 6
	recordObservedTime   = 11
	recordEventName      = 12
	keyValueKey          = 1
	keyValueValue        = 2
	anyValueString       = 1
	responsePartial      = 1
	partialRejected      = 1
	partialMessage       = 2
	severityInfo, warn   = 9, 13
	eventNameOfRecords   = "lakegate.audit"
	instrumentationScope = "github.com/lakegate/lakegate/audit"
)

// Deliver implements receiver.
func (o *otlp) Deliver(ctx context.Context, lines []trail.Line) error {
	o.body = o.request(o.body[:0], lines)
	answer, err := o.post(ctx, http.Header{"Content-Type": {"application/x-protobuf"}}, o.body)
	if err != nil {
		return err
	}
	// What a collector rejects in part, it must not be sent again (OTLP, "Partial Success").
	if n, why := partial(answer); n > 0 {
		o.rejected(n, why)
	}
	return nil
}

// Close implements receiver.
func (o *otlp) Close() error { o.close(); return nil }

// request appends an ExportLogsServiceRequest. Each record is put together once and goes from there into the body.
func (o *otlp) request(to []byte, lines []trail.Line) []byte {
	now := o.now()
	o.logs = appendBytes(o.logs[:0], scopeLogsScope, appendText(nil, scopeName, instrumentationScope))
	for _, l := range lines {
		o.record = appendRecord(o.record[:0], l.Record, now)
		o.logs = appendBytes(o.logs, scopeLogsRecords, o.record)
	}
	size := protowire.SizeTag(resourceLogsResource) + protowire.SizeBytes(len(o.resource)) + protowire.SizeTag(resourceLogsScope) + protowire.SizeBytes(len(o.logs))
	to = protowire.AppendVarint(protowire.AppendTag(to, requestResourceLogs, protowire.BytesType), uint64(size)) //nolint:gosec // a length
	return appendBytes(appendBytes(to, resourceLogsResource, o.resource), resourceLogsScope, o.logs)
}

// appendRecord appends the fields of a LogRecord.
func appendRecord(to, record []byte, now time.Time) []byte {
	r := tell(record)
	severity, text := severityInfo, "INFO"
	if r.errorCode != "" {
		severity, text = warn, "WARN"
	}
	if at, err := time.Parse(time.RFC3339, r.eventTime); err == nil {
		to = appendTime(to, recordTime, at)
	}
	to = protowire.AppendTag(to, recordSeverity, protowire.VarintType)
	to = protowire.AppendVarint(to, uint64(severity))
	to = appendText(to, recordSeverityText, text)
	if !utf8.Valid(record) {
		record = bytes.ToValidUTF8(record, []byte("\uFFFD"))
	}
	to = protowire.AppendTag(to, recordBody, protowire.BytesType)
	to = protowire.AppendVarint(to, uint64(protowire.SizeTag(anyValueString)+protowire.SizeBytes(len(record)))) //nolint:gosec // a length
	to = appendBytes(to, anyValueString, record)
	service, _, _ := strings.Cut(r.eventSource, ".")
	for _, a := range [...][2]string{
		{"aws.event.category", r.eventCategory}, {"aws.event.id", r.eventID}, {"aws.request_id", r.requestID}, {"client.address", r.address}, {"cloud.account.id", r.recipient},
		{"error.type", r.errorCode}, {"lakegate.decision", r.decision}, {"rpc.method", r.eventName}, {"rpc.service", service}, {"rpc.system", "aws-api"}, {"user.id", r.userID}, {"user.name", r.person},
	} {
		to = appendAttribute(to, recordAttributes, a[0], a[1])
	}
	to = appendTime(to, recordObservedTime, now)
	return appendText(to, recordEventName, eventNameOfRecords)
}

// partial reads an ExportLogsServiceResponse: how many records were rejected, and why.
func partial(answer []byte) (rejected int64, why string) {
	found, ok := field(answer, responsePartial)
	if !ok {
		return 0, ""
	}
	for len(found) > 0 {
		number, kind, n := protowire.ConsumeTag(found)
		if n < 0 {
			break
		}
		found = found[n:]
		switch {
		case number == partialRejected && kind == protowire.VarintType:
			v, n := protowire.ConsumeVarint(found)
			if n < 0 {
				return rejected, why
			}
			rejected, found = int64(v), found[n:] //nolint:gosec // an int64 on the wire
		case number == partialMessage && kind == protowire.BytesType:
			v, n := protowire.ConsumeBytes(found)
			if n < 0 {
				return rejected, why
			}
			why, found = string(v[:min(len(v), 300)]), found[n:]
		default:
			n := protowire.ConsumeFieldValue(number, kind, found)
			if n < 0 {
				return rejected, why
			}
			found = found[n:]
		}
	}
	return rejected, why
}

// field is the last message with a number.
func field(message []byte, number protowire.Number) (value []byte, found bool) {
	for len(message) > 0 {
		num, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return nil, false
		}
		message = message[n:]
		if num == number && kind == protowire.BytesType {
			v, n := protowire.ConsumeBytes(message)
			if n < 0 {
				return nil, false
			}
			value, found, message = v, true, message[n:]
			continue
		}
		if n = protowire.ConsumeFieldValue(num, kind, message); n < 0 {
			return nil, false
		}
		message = message[n:]
	}
	return value, found
}
