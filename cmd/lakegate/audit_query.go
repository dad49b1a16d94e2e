package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// eventFilter are the flags that narrow a question about events.
type eventFilter struct {
	Person      string `help:"A person: user name, email, external id or id."`
	Object      string `help:"One object, or with a star at its end all that begin so." placeholder:"s3://BUCKET/KEY"`
	Principal   string `help:"The ARN of the caller or of its role, or the name of a user, role or session."`
	Key         string `name:"access-key" help:"The access key that signed, or that was given out."`
	Application string `help:"The ARN of the application through which a person came." placeholder:"ARN"`
	Grant       string `help:"The id of the access grant that was used." placeholder:"ID"`
	Event       string `help:"The operation, such as GetObject." placeholder:"NAME"`
	Source      string `help:"The service, such as s3.amazonaws.com."`
	Address     string `help:"The source address." placeholder:"IP"`
	Request     string `help:"The id of a request or an event." placeholder:"ID"`
	Denied      bool   `xor:"decision" help:"Only what was refused."`
	Allowed     bool   `xor:"decision" help:"Only what was allowed."`
	Failed      bool   `xor:"decision" help:"Only what could not be done."`
	Data        bool   `xor:"kind" help:"Only requests for objects."`
	Management  bool   `xor:"kind" help:"Only calls of the APIs."`
	Of          string `help:"The account whose events to see; one's own by default." placeholder:"ACCOUNT"`
	Since       string `help:"From when on: 2026-11-01, 2026-11-01T08:00:00Z, or how long ago, such as 90m, 24h or 7d."`
	Until       string `help:"Until before when, in the same forms."`
}

func (f *eventFilter) request(now time.Time) (map[string]any, error) {
	in := filled(map[string]string{
		"Person": f.Person, "Object": f.Object, "Principal": f.Principal, "AccessKeyId": f.Key, "ApplicationArn": f.Application, "AccessGrantId": f.Grant,
		"EventName": f.Event, "EventSource": f.Source, "SourceIpAddress": f.Address, "RequestId": f.Request, "AccountId": f.Of,
	})
	for name, set := range map[string]bool{"refused": f.Denied, "allowed": f.Allowed, "failed": f.Failed} {
		if set {
			in["Decision"] = name
		}
	}
	for name, set := range map[string]bool{"DATA": f.Data, "MANAGEMENT": f.Management} {
		if set {
			in["Category"] = name
		}
	}
	return in, between(in, f.Since, f.Until, now)
}

// between puts two times into a request.
func between(in map[string]any, since, until string, now time.Time) error {
	for name, text := range map[string]string{"From": since, "To": until} {
		if text == "" {
			continue
		}
		at, err := moment(text, now)
		if err != nil {
			return err
		}
		in[name] = at.Unix()
	}
	return nil
}

// moment reads a time, or how long ago it was.
func moment(text string, now time.Time) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateOnly} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		if err == nil {
			return now.Add(-time.Duration(n) * 24 * time.Hour), nil
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return time.Time{}, fmt.Errorf("%q is no time: want 2026-11-01, 2026-11-01T08:00:00Z, or how long ago, such as 90m, 24h or 7d", text)
	}
	return now.Add(-d), nil
}

type auditQuery struct {
	asker
	eventFilter
	Oldest bool   `help:"The oldest first."`
	Limit  int    `default:"100" help:"How many events at most; 0 for all."`
	Format string `enum:"table,csv,json" default:"table" help:"table, csv, or json with one record a line."`
}

func (c *auditQuery) Run(ctx context.Context, s *streams) error {
	server, err := c.client(ctx)
	if err != nil {
		return err
	}
	server.gaps = &gaps{out: s.err}
	in, err := c.request(time.Now())
	if err != nil {
		return err
	}
	if c.Limit < 0 {
		return errors.New("--limit is not negative")
	}
	if c.Oldest {
		in["Order"] = "OLDEST_FIRST"
	}
	return showEvents(ctx, server, in, c.Limit, &listing{out: s.out, format: c.Format, header: eventHeader})
}

type auditTail struct {
	asker
	eventFilter
	Follow bool   `short:"f" help:"Go on with events as they come."`
	Lines  int    `short:"n" default:"10" help:"How many of the newest events to begin with."`
	Format string `enum:"table,csv,json" default:"table" help:"table, csv, or json with one record a line."`
}

func (c *auditTail) Run(ctx context.Context, s *streams) error {
	server, err := c.client(ctx)
	if err != nil {
		return err
	}
	server.gaps = &gaps{out: s.err}
	in, err := c.request(time.Now())
	if err != nil {
		return err
	}
	if c.Lines < 0 || c.Lines > 1000 {
		return errors.New("-n is 0 to 1000")
	}
	l := &listing{out: s.out, format: c.Format, header: eventHeader}
	position, err := c.newest(ctx, server, in, l)
	if err != nil {
		return err
	}
	in["Order"], in["WaitSeconds"], in["MaxResults"] = "OLDEST_FIRST", 20, 1000
	for c.Follow {
		in["NextToken"] = position
		page, err := queryEvents(ctx, server, in)
		if err != nil {
			return err
		}
		if err := page.show(l); err != nil {
			return err
		}
		position = page.Position
	}
	return nil
}

// newest shows the newest events in their order, and returns where those begin that come after them.
func (c *auditTail) newest(ctx context.Context, server *client, in map[string]any, l *listing) (position string, err error) {
	var all []string
	for {
		in["MaxResults"] = max(1, c.Lines-len(all))
		page, err := queryEvents(ctx, server, in)
		if err != nil {
			return "", err
		}
		all = append(all, page.Events...)
		if position == "" {
			position = page.Position
		}
		if page.NextToken == "" || len(all) >= c.Lines {
			break
		}
		in["NextToken"] = page.NextToken
	}
	delete(in, "NextToken")
	all = all[:min(len(all), c.Lines)]
	slices.Reverse(all)
	return position, (&eventPage{Events: all}).show(l)
}

// eventPage is an answer to QueryEvents.
type eventPage struct {
	Events, Incomplete  []string
	NextToken, Position string
}

func queryEvents(ctx context.Context, server *client, in map[string]any) (*eventPage, error) {
	var page eventPage
	if err := server.call(ctx, "QueryEvents", in, &page); err != nil {
		return nil, err
	}
	server.gaps.tell(page.Incomplete)
	return &page, nil
}

// showEvents shows the events that a request asks for, page by page: limit at most, 0 for all.
func showEvents(ctx context.Context, server *client, in map[string]any, limit int, l *listing) error {
	for left := limit; ; {
		in["MaxResults"] = 1000
		if limit > 0 {
			in["MaxResults"] = min(left, 1000)
		}
		page, err := queryEvents(ctx, server, in)
		if err != nil {
			return err
		}
		if err := page.show(l); err != nil {
			return err
		}
		left -= len(page.Events)
		if page.NextToken == "" || limit > 0 && left <= 0 {
			return nil
		}
		in["NextToken"] = page.NextToken
	}
}

func (p *eventPage) show(l *listing) error {
	raw, rows := make([]json.RawMessage, len(p.Events)), make([][]string, len(p.Events))
	for i, record := range p.Events {
		raw[i] = json.RawMessage(record)
		row, err := eventRow(raw[i])
		if err != nil {
			return err
		}
		rows[i] = row
	}
	return l.show(raw, rows)
}

// eventHeader names the columns of eventRow.
var eventHeader = []string{"TIME", "PERSON", "PRINCIPAL", "EVENT", "OBJECT", "DECISION", "GRANT", "APPLICATION", "ADDRESS", "REQUEST", "WHY"}

// eventRow tells a record in one line.
func eventRow(record json.RawMessage) ([]string, error) {
	var r struct {
		EventTime, EventName, SourceIPAddress, RequestID, ErrorCode, ErrorMessage string
		UserIdentity                                                              struct{ ARN, Type string }
		RequestParameters                                                         struct{ BucketName, Key, Prefix, Target string }
		Additional                                                                struct {
			PersonUserName, Decision, AccessGrantID, ApplicationARN, Reason string
			UserID                                                          string `json:"identitystore:UserId"`
		} `json:"additionalEventData"`
	}
	if err := json.Unmarshal(record, &r); err != nil {
		return nil, fmt.Errorf("read event: %w", err)
	}
	p, a := r.RequestParameters, r.Additional
	object := p.Target
	if p.BucketName != "" {
		object = "s3://" + p.BucketName
		if path := cmp.Or(p.Key, p.Prefix); path != "" {
			object += "/" + path
		}
	}
	return []string{
		r.EventTime, cmp.Or(a.PersonUserName, a.UserID), cmp.Or(r.UserIdentity.ARN, r.UserIdentity.Type), r.EventName, object, a.Decision, a.AccessGrantID, a.ApplicationARN,
		r.SourceIPAddress, r.RequestID, cmp.Or(a.Reason, r.ErrorCode),
	}, nil
}
