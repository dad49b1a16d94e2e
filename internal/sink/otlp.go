package sink

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

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
	body     []byte
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
	o.resource = appendAttributes(nil, resourceAttributes, about)
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

// request appends an ExportLogsServiceRequest.
func (o *otlp) request(to []byte, lines []trail.Line) []byte {
	now := o.now()
	scope := appendText(nil, scopeName, instrumentationScope)
	logs := appendBytes(nil, scopeLogsScope, scope)
	var record []byte
	for _, l := range lines {
		record = appendRecord(record[:0], l.Record, now)
		logs = appendBytes(logs, scopeLogsRecords, record)
	}
	all := appendBytes(nil, resourceLogsResource, o.resource)
	all = appendBytes(all, resourceLogsScope, logs)
	return appendBytes(to, requestResourceLogs, all)
}

// told is what of a record becomes attributes, so that a collector can choose by it. The whole record is the body.
type told struct {
	EventID         string `json:"eventID"`
	EventTime       string `json:"eventTime"`
	EventSource     string `json:"eventSource"`
	EventName       string `json:"eventName"`
	EventCategory   string `json:"eventCategory"`
	SourceIPAddress string `json:"sourceIPAddress"`
	ErrorCode       string `json:"errorCode"`
	RequestID       string `json:"requestID"`
	Recipient       string `json:"recipientAccountId"`
	Additional      struct {
		Decision string `json:"decision"`
		Person   string `json:"personUserName"`
	} `json:"additionalEventData"`
	Identity struct {
		OnBehalfOf struct {
			UserID string `json:"userId"`
		} `json:"onBehalfOf"`
	} `json:"userIdentity"`
}

// appendRecord appends the fields of a LogRecord.
func appendRecord(to, record []byte, now time.Time) []byte {
	var r told
	// What cannot be read is delivered all the same: its body is what it is.
	_ = json.Unmarshal(record, &r)
	severity, text := severityInfo, "INFO"
	if r.ErrorCode != "" {
		severity, text = warn, "WARN"
	}
	if at, err := time.Parse(time.RFC3339, r.EventTime); err == nil {
		to = appendTime(to, recordTime, at)
	}
	to = protowire.AppendTag(to, recordSeverity, protowire.VarintType)
	to = protowire.AppendVarint(to, uint64(severity))
	to = appendText(to, recordSeverityText, text)
	to = appendBytes(to, recordBody, appendText(nil, anyValueString, strings.ToValidUTF8(string(record), "\uFFFD")))
	service, _, _ := strings.Cut(r.EventSource, ".")
	to = appendAttributes(to, recordAttributes, map[string]string{
		"aws.event.id": r.EventID, "aws.event.category": r.EventCategory, "aws.request_id": r.RequestID, "cloud.account.id": r.Recipient, "client.address": r.SourceIPAddress,
		"error.type": r.ErrorCode, "rpc.system": "aws-api", "rpc.service": service, "rpc.method": r.EventName, "user.id": r.Identity.OnBehalfOf.UserID,
		"user.name": r.Additional.Person, "lakegate.decision": r.Additional.Decision,
	})
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
