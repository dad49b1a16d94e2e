package trail

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/google/uuid"
)

// MissingRecord is what a follower gets in the stead of records that it came too late for. It has the shape of the others,
// so that no receiver needs to know a second one, and the same eventID whenever it is told of the same gap.
func MissingRecord(g Gap, node, region string, now time.Time) []byte {
	details := map[string]any{"node": node, "from": g.From.String(), "to": g.To.String()}
	if g.Entries > 0 {
		details["entriesAtMost"] = g.Entries
	}
	return own("AuditRecordsMissing", node+" "+g.From.String()+" "+g.To.String(), region, now, details)
}

// DamagedRecord is what a follower gets in the stead of what is no record, since somebody has altered the log. It tells
// where and what, by its hash: what stands there is not believed.
func DamagedRecord(l Line, region string, now time.Time) []byte {
	sum := sha256.Sum256(l.Record)
	digest := hex.EncodeToString(sum[:])
	damage := l.Damage
	if damage == "" {
		damage = NoJSON
	}
	return own("AuditRecordDamaged", l.Next.String()+" "+digest, region, now, map[string]any{
		"node": l.Next.Node, "before": l.Next.String(), "damage": damage, "bytes": len(l.Record), "sha256": digest,
	})
}

// NoJSON is the damage of a line that is in the log's form and yet no record.
const NoJSON = "a line is no JSON"

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
