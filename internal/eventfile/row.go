package eventfile

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Row is one record as the columns of a Parquet file have it. A nil column is one that the record says nothing of.
type Row struct {
	EventID   string  `parquet:"event_id"`
	CallID    string  `parquet:"call_id"` // the same for all copies of a request: sharedEventID, else EventID
	RequestID *string `parquet:"request_id,optional"`
	Account   *string `parquet:"account,optional,dict"`
	// Time is in UTC and says no zone, like the view's.
	Time        time.Time `parquet:"time,timestamp(microsecond:local)"`
	Source      string    `parquet:"source,dict"`
	Event       string    `parquet:"event,dict"`
	Category    *string   `parquet:"category,optional,dict"`
	ReadOnly    *bool     `parquet:"read_only,optional"`
	Decision    *string   `parquet:"decision,optional,dict"`
	Reason      *string   `parquet:"reason,optional"`
	Error       *string   `parquet:"error,optional,dict"`
	Person      *string   `parquet:"person,optional,dict"`
	PersonID    *string   `parquet:"person_id,optional,dict"`
	Application *string   `parquet:"application,optional,dict"`
	Grant       *string   `parquet:"access_grant,optional,dict"`
	Scope       *string   `parquet:"scope,optional,dict"`
	VendedKey   *string   `parquet:"vended_key,optional"`
	Principal   *string   `parquet:"principal,optional,dict"`
	AccessKey   *string   `parquet:"access_key,optional,dict"`
	Bucket      *string   `parquet:"bucket,optional,dict"`
	Key         *string   `parquet:"key,optional"`
	Address     *string   `parquet:"address,optional,dict"`
	UserAgent   *string   `parquet:"user_agent,optional,dict"`
	BytesIn     *int64    `parquet:"bytes_in,optional"`
	BytesOut    *int64    `parquet:"bytes_out,optional"`
	JSONRecord  string    `parquet:"record,json"`
}

// text is a member that may be absent, null or something else than a text: only a text is told.
type text struct{ s *string }

// UnmarshalJSON implements json.Unmarshaler.
func (t *text) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		t.s = new(string)
		return json.Unmarshal(b, t.s)
	}
	return nil
}

// number is a member that is told when it is a whole number.
type number struct{ n *int64 }

// UnmarshalJSON implements json.Unmarshaler.
func (n *number) UnmarshalJSON(b []byte) error {
	var v int64
	if string(b) != "null" && json.Unmarshal(b, &v) == nil {
		n.n = &v
	}
	return nil
}

// object reads a member that is an object into v; anything else says nothing.
type object[T any] struct{ v T }

// UnmarshalJSON implements json.Unmarshaler.
func (o *object[T]) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '{' {
		return json.Unmarshal(b, &o.v)
	}
	return nil
}

// RowOf reads a record. It needs an eventID and an eventTime; all else may be missing.
func RowOf(record []byte) (Row, error) {
	var r struct {
		EventID, SharedEventID, RequestID, RecipientAccountID, EventTime, EventSource, EventName, EventCategory text
		ErrorCode, SourceIPAddress, UserAgent                                                                   text
		ReadOnly                                                                                                *bool
		UserIdentity                                                                                            object[struct{ ARN, AccessKeyID text }]
		RequestParameters                                                                                       object[struct{ BucketName, Key text }]
		More                                                                                                    object[struct {
			Decision, Reason, PersonUserName, ApplicationARN, AccessGrantID, MatchedGrantScope, VendedAccessKeyID text
			PersonID                                                                                              text `json:"identitystore:UserId"`
			BytesTransferredIn, BytesTransferredOut                                                               number
		}] `json:"additionalEventData"`
	}
	if err := json.Unmarshal(record, &r); err != nil {
		return Row{}, fmt.Errorf("read record: %w", err)
	}
	if r.EventID.s == nil || r.EventTime.s == nil {
		return Row{}, fmt.Errorf("read record: it has no eventID or no eventTime")
	}
	at, err := time.Parse(time.RFC3339, *r.EventTime.s)
	if err != nil {
		return Row{}, fmt.Errorf("read record %s: %w", *r.EventID.s, err)
	}
	said := func(t text) string { return *cmp.Or(t.s, new(string)) }
	u, p, a := &r.UserIdentity.v, &r.RequestParameters.v, &r.More.v
	return Row{
		EventID: *r.EventID.s, CallID: *cmp.Or(r.SharedEventID.s, r.EventID.s), RequestID: r.RequestID.s, Account: r.RecipientAccountID.s, Time: at.UTC(),
		Source: said(r.EventSource), Event: said(r.EventName), Category: r.EventCategory.s, ReadOnly: r.ReadOnly, Decision: a.Decision.s, Reason: a.Reason.s, Error: r.ErrorCode.s,
		Person: a.PersonUserName.s, PersonID: a.PersonID.s, Application: a.ApplicationARN.s, Grant: a.AccessGrantID.s, Scope: a.MatchedGrantScope.s, VendedKey: a.VendedAccessKeyID.s,
		Principal: u.ARN.s, AccessKey: u.AccessKeyID.s, Bucket: p.BucketName.s, Key: p.Key.s, Address: r.SourceIPAddress.s, UserAgent: r.UserAgent.s,
		BytesIn: a.BytesTransferredIn.n, BytesOut: a.BytesTransferredOut.n, JSONRecord: strings.ToValidUTF8(string(record), "\uFFFD"),
	}, nil
}
