package sink

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"github.com/lakegate/lakegate/internal/trail"
)

// missing is the record that a sink gets in the stead of those that it came too late for. It has the shape of the others,
// so that no receiver needs to know a second one, and the same eventID whenever it is told of the same gap.
func missing(g trail.Gap, node, region string, now time.Time) []byte {
	details := map[string]any{"node": node, "from": g.From.String(), "to": g.To.String()}
	if g.Entries > 0 {
		details["entriesAtMost"] = g.Entries
	}
	return own("AuditRecordsMissing", node+" "+g.From.String()+" "+g.To.String(), region, now, details)
}

// damaged is the record that a sink gets in the stead of a line of the log that is none.
func damaged(l trail.Line, region string, now time.Time) []byte {
	sum := sha256.Sum256(l.Record)
	digest := hex.EncodeToString(sum[:])
	return own("AuditRecordDamaged", digest, region, now, map[string]any{"node": l.Next.Node, "before": l.Next.String(), "bytes": len(l.Record), "sha256": digest})
}

// own is a record of the log's own, whose eventID comes from what it is about.
func own(name, about, region string, now time.Time, details map[string]any) []byte {
	record, err := json.Marshal(struct {
		EventVersion        string            `json:"eventVersion"`
		UserIdentity        map[string]string `json:"userIdentity"`
		EventTime           string            `json:"eventTime"`
		EventSource         string            `json:"eventSource"`
		EventName           string            `json:"eventName"`
		AWSRegion           string            `json:"awsRegion"`
		SourceIPAddress     string            `json:"sourceIPAddress"`
		UserAgent           string            `json:"userAgent"`
		RequestParameters   any               `json:"requestParameters"`
		ResponseElements    any               `json:"responseElements"`
		EventID             string            `json:"eventID"`
		ReadOnly            bool              `json:"readOnly"`
		EventType           string            `json:"eventType"`
		ManagementEvent     bool              `json:"managementEvent"`
		ServiceEventDetails map[string]any    `json:"serviceEventDetails"`
		EventCategory       string            `json:"eventCategory"`
	}{
		"1.11", map[string]string{"type": "AWSService", "invokedBy": source}, now.UTC().Format(time.RFC3339), source, name, region, source, source, nil, nil,
		uuid.NewSHA1(uuid.NameSpaceOID, []byte("lakegate "+name+" "+about)).String(), true, "AwsServiceEvent", true, details, "Management",
	})
	if err != nil {
		panic(err) // nothing in it can fail
	}
	return record
}

// source is that of events of the server's own.
const source = "lakegate.amazonaws.com"
