package trail

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/lakegate/lakegate/internal/api/cloudtrail"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/store"
)

// Authorizer decides whether the caller of the context may do an action on a resource; authz stands behind it.
type Authorizer interface {
	Authorize(ctx context.Context, action, resource string) error
}

// AuthorizerFunc is a function that authorizes.
type AuthorizerFunc func(ctx context.Context, action, resource string) error

// Authorize implements Authorizer.
func (f AuthorizerFunc) Authorize(ctx context.Context, action, resource string) error {
	return f(ctx, action, resource)
}

// Service is cloudtrail: so far its LookupEvents.
type Service struct {
	trail      *Trail
	authorizer Authorizer
	reach      int
}

// NewService makes the service of a trail.
func NewService(t *Trail, a Authorizer) *Service {
	return &Service{trail: t, authorizer: a, reach: reach}
}

// maxResults is the largest page, and the default.
const maxResults = 50

// reach is how many events a page looks at, for conditions that no index serves.
const reach = 20_000

// LookupEvents finds management events of the caller's account, the newest first. What was finished before is seen. A
// page may have fewer events than there is room for, or none, and yet a token: what it costs is bounded, however rare it is
// what it looks for.
func (s *Service) LookupEvents(ctx context.Context, in *cloudtrail.LookupEventsInput) (*cloudtrail.LookupEventsOutput, error) {
	if err := s.authorizer.Authorize(ctx, "cloudtrail:LookupEvents", "*"); err != nil {
		return nil, err
	}
	account := caller.From(ctx).Account
	q, err := searchOf(account, in)
	if err != nil {
		return nil, err
	}
	if in.EventCategory != nil {
		// There are no insights here, so there are none of them to find.
		return &cloudtrail.LookupEventsOutput{}, nil
	}
	s.trail.Flush(ctx)
	page := q.limit
	q.limit++
	var events []found
	var end *moment
	err = s.trail.cfg.DB.View(ctx, func(r store.Querier) (err error) {
		if q.slow {
			if end, err = q.end(ctx, r, s.reach); err != nil {
				return err
			}
		}
		events, err = q.run(ctx, r, end)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look up events of %s: %w", account, err)
	}
	out := &cloudtrail.LookupEventsOutput{}
	if len(events) > page {
		events = events[:page]
		end = &moment{events[page-1].at, events[page-1].id}
	}
	if end != nil {
		token, err := place{Time: end.at, ID: end.id, Of: fingerprint(account, in)}.token()
		if err != nil {
			return nil, err
		}
		out.NextToken = &token
	}
	for i := range events {
		out.Events = append(out.Events, events[i].event())
	}
	return out, nil
}

// searchOf turns a request into a search, or says what is wrong with it.
func searchOf(account string, in *cloudtrail.LookupEventsInput) (*search, error) {
	q := &search{account: account, to: math.MaxInt64, beforeTime: math.MaxInt64, limit: maxResults}
	if c := in.EventCategory; c != nil && *c != cloudtrail.EventCategoryInsight {
		return nil, cloudtrail.InvalidEventCategoryException("The event category is not valid. Specify insight, or leave it out for management events.")
	}
	if n := in.MaxResults; n != nil {
		if *n < 1 || *n > maxResults {
			return nil, cloudtrail.InvalidMaxResultsException(fmt.Sprintf("Max results must be between 1 and %d.", maxResults))
		}
		q.limit = *n
	}
	if err := q.between(in.StartTime, in.EndTime); err != nil {
		return nil, err
	}
	if len(in.LookupAttributes) > 1 {
		return nil, cloudtrail.InvalidLookupAttributesException("Specify at most one lookup attribute.")
	}
	for _, a := range in.LookupAttributes {
		if err := q.attribute(a); err != nil {
			return nil, err
		}
	}
	if in.NextToken != nil {
		p, ok := placeOf(*in.NextToken)
		if !ok || p.Of != fingerprint(account, in) {
			return nil, cloudtrail.InvalidNextTokenException("The next token is not valid, or belongs to a request with other parameters.")
		}
		q.beforeTime, q.beforeID = p.Time, p.ID
	}
	return q, nil
}

// between takes whole seconds, which is how exact an event's time is: both ends belong to the range.
func (q *search) between(from, to *time.Time) error {
	if from != nil && to != nil && from.After(*to) {
		return cloudtrail.InvalidTimeRangeException("The start time is after the end time.")
	}
	if from != nil {
		q.from = from.Unix() * 1000
	}
	if to != nil {
		q.to = to.Unix()*1000 + 999
	}
	return nil
}

func (q *search) attribute(a cloudtrail.LookupAttribute) error {
	q.value = column(a.AttributeValue)
	switch a.AttributeKey {
	case cloudtrail.LookupAttributeKeyEventId:
		q.where = `id = ?`
	case cloudtrail.LookupAttributeKeyEventName:
		q.where = `name = ?`
	case cloudtrail.LookupAttributeKeyUsername:
		q.where = `user_name = ?`
	case cloudtrail.LookupAttributeKeyEventSource:
		q.where, q.slow = `source = ?`, true
	case cloudtrail.LookupAttributeKeyAccessKeyId:
		// The index of keys leaves out events without one.
		q.where = `access_key <> '' AND access_key = ?`
	case cloudtrail.LookupAttributeKeyResourceName:
		q.where = `id IN (SELECT event FROM event_resources WHERE event_resources.name = ?)`
	case cloudtrail.LookupAttributeKeyResourceType:
		q.where, q.slow = `EXISTS (SELECT 1 FROM event_resources WHERE event = events.id AND type = ?)`, true
	case cloudtrail.LookupAttributeKeyReadOnly:
		b, err := strconv.ParseBool(a.AttributeValue)
		if err != nil || strconv.FormatBool(b) != a.AttributeValue {
			return cloudtrail.InvalidLookupAttributesException("The value of ReadOnly is true or false.")
		}
		q.where, q.value, q.slow = `read_only = ?`, number(b), true
	default:
		return cloudtrail.InvalidLookupAttributesException("The lookup attribute is not valid.")
	}
	return nil
}

// event is what LookupEvents shows of an event.
func (f *found) event() cloudtrail.Event {
	e := cloudtrail.Event{
		EventId: &f.id, EventName: &f.name, ReadOnly: new(strconv.FormatBool(f.readOnly != 0)),
		EventTime: new(store.Time(f.at).Truncate(time.Second)), EventSource: &f.source, CloudTrailEvent: &f.record,
	}
	if f.accessKey != "" {
		e.AccessKeyId = &f.accessKey
	}
	if f.user != "" {
		e.Username = &f.user
	}
	for _, r := range f.resources {
		e.Resources = append(e.Resources, cloudtrail.Resource{ResourceType: new(r.Type), ResourceName: new(r.ARN)})
	}
	return e
}

// place is where a page ended: a token holds it and what it is a page of. It needs no seal, since whatever it says, the
// search stays with the caller's account.
type place struct {
	Time int64  `json:"t"`
	ID   string `json:"i"`
	Of   string `json:"q"`
}

// maxToken bounds a token before it is read.
const maxToken = 512

func (p place) token() (string, error) {
	text, err := json.Marshal(p)
	if err != nil {
		return "", fmt.Errorf("encode next token: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(text), nil
}

func placeOf(token string) (p place, ok bool) {
	if len(token) > maxToken {
		return p, false
	}
	text, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || json.Unmarshal(text, &p) != nil {
		return p, false
	}
	return p, p.Of != "" && p.ID == column(p.ID)
}

// fingerprint names what a page is a page of: all but its size.
func fingerprint(account string, in *cloudtrail.LookupEventsInput) string {
	seconds := func(t *time.Time) int64 {
		if t == nil {
			return -1
		}
		return t.Unix()
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d %d %q", account, seconds(in.StartTime), seconds(in.EndTime), in.LookupAttributes))
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}
