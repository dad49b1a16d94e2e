package trail

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/lakegate/lakegate/internal/api/cloudtrail"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/wire"
)

func allow(context.Context, string, string) error { return nil }

// lookup asks as an account.
func (h *house) lookup(account string, in *cloudtrail.LookupEventsInput) (*cloudtrail.LookupEventsOutput, error) {
	ctx := caller.With(context.Background(), user(account, "auditor"))
	return NewService(h.Trail, AuthorizerFunc(allow)).LookupEvents(ctx, in)
}

func attribute(key cloudtrail.LookupAttributeKey, value string) []cloudtrail.LookupAttribute {
	return []cloudtrail.LookupAttribute{{AttributeKey: key, AttributeValue: value}}
}

func TestLookupEventsShowsWhatJustHappened(t *testing.T) {
	onEngines(t, func(t *testing.T, h *house) {
		c := session(dataAccount, "AppRole", "mateo")
		ctx, e := h.request(c, writeOp)
		e.Resource("AWS::IAM::User", "arn:aws:iam::"+dataAccount+":user/new", dataAccount)
		h.change(t, ctx, "v")
		h.finish(t, ctx, e, nil)
		h.pass(1500 * time.Millisecond)
		h.do(t, c, readOp, nil)
		h.do(t, c, getOp, wire.AccessDenied("no"))
		out, err := h.lookup(dataAccount, &cloudtrail.LookupEventsInput{})
		if err != nil {
			t.Fatal(err)
		}
		lines := h.lines(t)
		want := &cloudtrail.LookupEventsOutput{Events: []cloudtrail.Event{
			{
				EventId: new(decode(t, lines[1]).EventID), EventName: new("GetCallerIdentity"), ReadOnly: new("true"), AccessKeyId: new("ASIAEXAMPLEAppRole"),
				EventTime: new(start.Add(time.Second)), EventSource: new("sts.amazonaws.com"), Username: new("mateo"), CloudTrailEvent: &lines[1],
			},
			{
				EventId: new(decode(t, lines[0]).EventID), EventName: new("CreateUser"), ReadOnly: new("false"), AccessKeyId: new("ASIAEXAMPLEAppRole"),
				EventTime: new(start), EventSource: new("iam.amazonaws.com"), Username: new("mateo"), CloudTrailEvent: &lines[0],
				Resources: []cloudtrail.Resource{{ResourceType: new("AWS::IAM::User"), ResourceName: new("arn:aws:iam::" + dataAccount + ":user/new")}},
			},
		}}
		if diff := cmp.Diff(want, out); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestLookupEventsRefuses(t *testing.T) {
	h := openHouse(t, "sqlite", Config{})
	for range 3 {
		h.do(t, user(dataAccount, "anna"), readOp, nil)
	}
	byName := attribute(cloudtrail.LookupAttributeKeyEventName, readOp.Name)
	first, err := h.lookup(dataAccount, &cloudtrail.LookupEventsInput{LookupAttributes: byName, MaxResults: new(1)})
	if err != nil || first.NextToken == nil {
		t.Fatalf("%v, %v", first, err)
	}
	token := *first.NextToken
	text, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name    string
		account string
		in      cloudtrail.LookupEventsInput
		want    string
	}{
		{"two attributes", dataAccount, cloudtrail.LookupEventsInput{LookupAttributes: append(byName, byName...)}, "InvalidLookupAttributesException"},
		{"an unknown attribute", dataAccount, cloudtrail.LookupEventsInput{LookupAttributes: attribute("Shoe", "x")}, "InvalidLookupAttributesException"},
		{"ReadOnly is not a truth", dataAccount, cloudtrail.LookupEventsInput{LookupAttributes: attribute(cloudtrail.LookupAttributeKeyReadOnly, "1")}, "InvalidLookupAttributesException"},
		{"ReadOnly in capitals", dataAccount, cloudtrail.LookupEventsInput{LookupAttributes: attribute(cloudtrail.LookupAttributeKeyReadOnly, "TRUE")}, "InvalidLookupAttributesException"},
		{"start after end", dataAccount, cloudtrail.LookupEventsInput{StartTime: new(start), EndTime: new(start.Add(-time.Second))}, "InvalidTimeRangeException"},
		{"no results", dataAccount, cloudtrail.LookupEventsInput{MaxResults: new(0)}, "InvalidMaxResultsException"},
		{"too many results", dataAccount, cloudtrail.LookupEventsInput{MaxResults: new(51)}, "InvalidMaxResultsException"},
		{"another category", dataAccount, cloudtrail.LookupEventsInput{EventCategory: new(cloudtrail.EventCategory("data"))}, "InvalidEventCategoryException"},
		{"no token", dataAccount, cloudtrail.LookupEventsInput{NextToken: new("")}, "InvalidNextTokenException"},
		{"a made-up token", dataAccount, cloudtrail.LookupEventsInput{NextToken: new("bWFkZS11cA")}, "InvalidNextTokenException"},
		{"a long token", dataAccount, cloudtrail.LookupEventsInput{NextToken: new(strings.Repeat("A", 1<<20))}, "InvalidNextTokenException"},
		{"a token of other attributes", dataAccount, cloudtrail.LookupEventsInput{NextToken: &token}, "InvalidNextTokenException"},
		{"a token of other times", dataAccount, cloudtrail.LookupEventsInput{NextToken: &token, LookupAttributes: byName, EndTime: new(start)}, "InvalidNextTokenException"},
		{"a token of another account", centerAccount, cloudtrail.LookupEventsInput{NextToken: &token, LookupAttributes: byName}, "InvalidNextTokenException"},
		{"a token with a hostile place", dataAccount, cloudtrail.LookupEventsInput{NextToken: new(base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(text), `"i":"`, `"i":"\u0000`, 1)))), LookupAttributes: byName}, "InvalidNextTokenException"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := h.lookup(test.account, &test.in)
			if e, ok := errors.AsType[*wire.Error](err); !ok || e.Code != test.want || e.Status != 400 {
				t.Errorf("answers %v, want %s", err, test.want)
			}
		})
	}
	// The size of a page may change from page to page.
	if out, err := h.lookup(dataAccount, &cloudtrail.LookupEventsInput{NextToken: &token, LookupAttributes: byName, MaxResults: new(50)}); err != nil || len(out.Events) != 2 || out.NextToken != nil {
		t.Errorf("the rest is %v, %v", out, err)
	}
	if out, err := h.lookup(dataAccount, &cloudtrail.LookupEventsInput{EventCategory: new(cloudtrail.EventCategoryInsight)}); err != nil || len(out.Events) != 0 {
		t.Errorf("insights are %v, %v", out, err)
	}
}

func TestLookupEventsAsksForAuthorisation(t *testing.T) {
	h := openHouse(t, "sqlite", Config{})
	asked := ""
	denied := wire.AccessDenied("no")
	s := NewService(h.Trail, AuthorizerFunc(func(_ context.Context, action, resource string) error {
		asked = action + " " + resource
		return denied
	}))
	// Even a request that is wrong is refused first.
	out, err := s.LookupEvents(caller.With(t.Context(), user(dataAccount, "anna")), &cloudtrail.LookupEventsInput{MaxResults: new(99)})
	if out != nil || !errors.Is(err, denied) || asked != "cloudtrail:LookupEvents *" {
		t.Errorf("answers %v, %v after asking for %q", out, err, asked)
	}
}

// TestLookupEventsIsTheModel compares answers, page by page, with those of a plain loop over all events.
func TestLookupEventsIsTheModel(t *testing.T) {
	onEngines(t, func(t *testing.T, h *house) {
		accounts := []string{dataAccount, centerAccount}
		type event struct {
			found
			data bool
		}
		// Events at a few instants, with few values each, so that searches find something and times are equal.
		for i := range 150 {
			c := session(accounts[i%2], []string{"A", "B"}[i/2%2], []string{"anna", "bert", "carl"}[i%3])
			ctx, e := h.request(c, Operation{Source: []string{"iam.amazonaws.com", "sts.amazonaws.com"}[i%2], Name: fmt.Sprintf("Op%d", i%4), ReadOnly: i%3 == 0, Data: i%7 == 0})
			if i%5 == 0 {
				e.Resource("T"+fmt.Sprint(i%2), "arn:"+fmt.Sprint(i%3), accounts[i/5%2])
			}
			h.finish(t, ctx, e, wire.Invalid("no"))
			switch {
			case i%40 == 39:
				// The clock is set back: events keep the times that they were given, and are in their order.
				h.pass(-3 * time.Second)
			case i%4 == 0:
				h.pass(700 * time.Millisecond)
			}
		}
		var model []event
		for _, f := range h.stored(t) {
			model = append(model, event{f, decode(t, f.record).EventCategory == "Data"})
		}
		matches := func(e event, in *cloudtrail.LookupEventsInput) bool {
			second := store.Time(e.at).Truncate(time.Second)
			if in.StartTime != nil && second.Before(in.StartTime.Truncate(time.Second)) || in.EndTime != nil && second.After(*in.EndTime) {
				return false
			}
			for _, a := range in.LookupAttributes {
				v := a.AttributeValue
				var hit bool
				switch a.AttributeKey {
				case cloudtrail.LookupAttributeKeyEventId:
					hit = e.id == v
				case cloudtrail.LookupAttributeKeyEventName:
					hit = e.name == v
				case cloudtrail.LookupAttributeKeyEventSource:
					hit = e.source == v
				case cloudtrail.LookupAttributeKeyUsername:
					hit = e.user == v
				case cloudtrail.LookupAttributeKeyAccessKeyId:
					hit = e.accessKey == v
				case cloudtrail.LookupAttributeKeyReadOnly:
					hit = fmt.Sprint(e.readOnly == 1) == v
				case cloudtrail.LookupAttributeKeyResourceName:
					for _, r := range e.resources {
						hit = hit || r.ARN == v
					}
				case cloudtrail.LookupAttributeKeyResourceType:
					for _, r := range e.resources {
						hit = hit || r.Type == v
					}
				}
				if !hit {
					return false
				}
			}
			return true
		}
		values := map[cloudtrail.LookupAttributeKey][]string{
			cloudtrail.LookupAttributeKeyEventId: {model[10].id, model[11].id, "none"}, cloudtrail.LookupAttributeKeyEventName: {"Op0", "Op3", "op0"},
			cloudtrail.LookupAttributeKeyEventSource: {"iam.amazonaws.com"}, cloudtrail.LookupAttributeKeyUsername: {"anna", "carl", "%"},
			cloudtrail.LookupAttributeKeyAccessKeyId: {"ASIAEXAMPLEA", "ASIAEXAMPLEB", "x"}, cloudtrail.LookupAttributeKeyReadOnly: {"true", "false"},
			cloudtrail.LookupAttributeKeyResourceName: {"arn:0", "arn:2"}, cloudtrail.LookupAttributeKeyResourceType: {"T0", "T1", "' OR 1=1 --"},
		}
		var keys []cloudtrail.LookupAttributeKey
		for k := range values {
			keys = append(keys, k)
		}
		rapid.Check(t, func(t *rapid.T) {
			account := rapid.SampledFrom(accounts).Draw(t, "account")
			in := &cloudtrail.LookupEventsInput{}
			if rapid.Bool().Draw(t, "by attribute") {
				k := rapid.SampledFrom(keys).Draw(t, "key")
				in.LookupAttributes = attribute(k, rapid.SampledFrom(values[k]).Draw(t, "value"))
			}
			at := rapid.Int64Range(-2000, 30_000)
			if rapid.Bool().Draw(t, "from") {
				in.StartTime = new(start.Add(time.Duration(at.Draw(t, "start")) * time.Millisecond))
			}
			if rapid.Bool().Draw(t, "to") {
				in.EndTime = new(start.Add(time.Duration(at.Draw(t, "end")) * time.Millisecond))
			}
			if in.StartTime != nil && in.EndTime != nil && in.StartTime.After(*in.EndTime) {
				in.StartTime, in.EndTime = in.EndTime, in.StartTime
			}
			var want []string
			for i := len(model) - 1; i >= 0; i-- {
				if e := model[i]; e.account == account && !e.data && matches(e, in) {
					want = append(want, e.id)
				}
			}
			var got []string
			service := NewService(h.Trail, AuthorizerFunc(allow))
			service.reach = rapid.SampledFrom([]int{1, 7, reach}).Draw(t, "reach")
			ctx := caller.With(context.Background(), &caller.Caller{Account: account})
			for page := 0; ; page++ {
				size := rapid.IntRange(1, 50).Draw(t, "size")
				in.MaxResults = &size
				out, err := service.LookupEvents(ctx, in)
				if err != nil {
					t.Fatal(err)
				}
				if page > len(model) || len(out.Events) > size || len(out.Events) > service.reach && searched(in) {
					t.Fatalf("page %d of %d, with a reach of %d, has %d events", page, size, service.reach, len(out.Events))
				}
				if out.NextToken != nil && len(out.Events) != size && (service.reach == reach || !searched(in)) {
					t.Fatalf("a page of %d has %d events and the token %v", size, len(out.Events), out.NextToken)
				}
				for _, e := range out.Events {
					got = append(got, *e.EventId)
				}
				if in.NextToken = out.NextToken; in.NextToken == nil {
					break
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("(-want +got):\n%s", diff)
			}
		})
	})
}

// searched is whether a request asks for what no index serves.
func searched(in *cloudtrail.LookupEventsInput) bool {
	for _, a := range in.LookupAttributes {
		switch a.AttributeKey {
		case cloudtrail.LookupAttributeKeyEventSource, cloudtrail.LookupAttributeKeyReadOnly, cloudtrail.LookupAttributeKeyResourceType:
			return true
		}
	}
	return false
}

// TestLookupEventsIsBounded: a question for something rare, or for nothing at all, looks at a bounded number of events a
// page, and comes to its end all the same.
func TestLookupEventsIsBounded(t *testing.T) {
	h := openHouse(t, "sqlite", Config{})
	h.do(t, user(dataAccount, "anna"), readOp, nil)
	rare := Operation{Source: "rare.amazonaws.com", Name: "Rare"}
	h.do(t, user(dataAccount, "anna"), rare, nil)
	for range 40 {
		h.do(t, user(dataAccount, "anna"), readOp, nil)
	}
	s := NewService(h.Trail, AuthorizerFunc(allow))
	s.reach = 10
	ctx := caller.With(t.Context(), user(dataAccount, "anna"))
	for _, test := range []struct {
		value string
		pages []int
	}{
		{rare.Source, []int{0, 0, 0, 0, 1}}, {"none.amazonaws.com", []int{0, 0, 0, 0, 0}}, {readOp.Source, []int{10, 10, 10, 10, 1}},
	} {
		in := &cloudtrail.LookupEventsInput{LookupAttributes: attribute(cloudtrail.LookupAttributeKeyEventSource, test.value)}
		var pages []int
		for {
			out, err := s.LookupEvents(ctx, in)
			if err != nil {
				t.Fatal(err)
			}
			pages = append(pages, len(out.Events))
			if in.NextToken = out.NextToken; in.NextToken == nil {
				break
			}
		}
		if diff := cmp.Diff(test.pages, pages); diff != "" {
			t.Errorf("pages for %s (-want +got):\n%s", test.value, diff)
		}
	}
	// What an index serves is found at once, however old it is.
	out, err := s.LookupEvents(ctx, &cloudtrail.LookupEventsInput{LookupAttributes: attribute(cloudtrail.LookupAttributeKeyEventName, rare.Name)})
	if err != nil || len(out.Events) != 1 || out.NextToken != nil {
		t.Errorf("by name there is %v, %v", out, err)
	}
}

// FuzzNextToken: a token that somebody made up is refused or is a place; it never leads to another account.
func FuzzNextToken(f *testing.F) {
	token, err := place{Time: 1, ID: "i", Of: "q"}.token()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(token)
	f.Add("e30")
	f.Fuzz(func(t *testing.T, token string) {
		p, ok := placeOf(token)
		if ok && (p.Of == "" || strings.ContainsRune(p.ID, 0)) {
			t.Errorf("%q is the place %+v", token, p)
		}
	})
}
