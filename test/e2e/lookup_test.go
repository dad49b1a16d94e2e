package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3control/types"
)

// looked is an answer of lookup-events.
type looked struct {
	Events    []lookedEvent
	NextToken string
}

// lookedEvent is an event of it. EventTime has seconds since 1970, CloudTrailEvent is the record, as text.
type lookedEvent struct {
	EventID         string `json:"EventId"`
	EventName       string
	ReadOnly        string
	AccessKeyID     string `json:"AccessKeyId"`
	EventTime       float64
	EventSource     string
	Username        string
	Resources       []struct{ ResourceType, ResourceName string }
	CloudTrailEvent string
}

// time is when it happened, later by some time.
func (e *lookedEvent) time(later time.Duration) string {
	return time.Unix(int64(e.EventTime), 0).Add(later).UTC().Format(time.RFC3339)
}

func (e *lookedEvent) attribute(t *testing.T, key string) []string {
	t.Helper()
	resources := func(of func(i int) string) (all []string) {
		for i := range e.Resources {
			all = append(all, of(i))
		}
		return all
	}
	switch key {
	case "EventId":
		return []string{e.EventID}
	case "EventName":
		return []string{e.EventName}
	case "ReadOnly":
		return []string{e.ReadOnly}
	case "Username":
		return []string{e.Username}
	case "AccessKeyId":
		return []string{e.AccessKeyID}
	case "EventSource":
		return []string{e.EventSource}
	case "ResourceType":
		return resources(func(i int) string { return e.Resources[i].ResourceType })
	case "ResourceName":
		return resources(func(i int) string { return e.Resources[i].ResourceName })
	default:
		t.Fatalf("no attribute %s", key)
		return nil
	}
}

// TestLookupEvents: with the unmodified AWS CLI, an administrator finds the management events of the account by each
// attribute, by time and page by page, and nobody finds another account's.
func TestLookupEvents(t *testing.T) {
	s := newStory(t)
	ctx := t.Context()
	admin, stranger := s.as(dataAccount), s.as(centerAccount)
	s.grant(mateo, "home/mateo/*", types.PermissionReadwrite)
	person := s.person(mateo)
	hostile := "s3://" + storyLake + "/home/mateo/=cmd()\u202e\"',x\u200f"
	vended, _, err := vend(ctx, person, hostile, types.PermissionReadwrite)
	if err != nil {
		t.Fatal(err)
	}
	if err := put(ctx, storage(vended), "home/mateo/a"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := vend(ctx, person, "s3://"+storyLake+"/blue/*", types.PermissionRead); err == nil {
		t.Fatal("the blue prefix is open")
	}
	for i := range 7 {
		admin.run("iam", "create-user", "--user-name", fmt.Sprintf("watched-%d", i))
	}
	lookup := func(s *shell, args ...string) looked {
		t.Helper()
		return get[looked](s, append([]string{"cloudtrail", "lookup-events"}, args...)...)
	}
	by := func(key, value string) []string {
		// As JSON, since the short form gives commas a meaning.
		text, err := json.Marshal([]map[string]string{{"AttributeKey": key, "AttributeValue": value}})
		if err != nil {
			t.Fatal(err)
		}
		return []string{"--lookup-attributes", string(text)}
	}

	// The refusal and the success are both there, the newest first, with what the person asked for to the letter.
	vendings := lookup(admin, by("EventName", "GetDataAccess")...).Events
	if len(vendings) != 2 {
		t.Fatalf("%d events of GetDataAccess", len(vendings))
	}
	var record struct {
		ErrorCode, RecipientAccountID string
		RequestParameters             struct{ Target string }
		Additional                    struct{ PersonUserName, Decision, AccessGrantID string } `json:"additionalEventData"`
	}
	if err := json.Unmarshal([]byte(vendings[0].CloudTrailEvent), &record); err != nil || record.ErrorCode != "AccessDenied" || record.Additional.Decision != "refused" {
		t.Errorf("the refusal is %+v, %v", record, err)
	}
	record.ErrorCode = ""
	if err := json.Unmarshal([]byte(vendings[1].CloudTrailEvent), &record); err != nil || record.RequestParameters.Target != hostile || record.Additional.PersonUserName != mateo || record.Additional.AccessGrantID == "" {
		t.Errorf("the vending is %+v, %v", record, err)
	}
	if strings.ContainsAny(vendings[1].CloudTrailEvent, "\n\t\u202e\u200f") {
		t.Errorf("the record has characters that are not shown: %q", vendings[1].CloudTrailEvent)
	}

	// Each attribute finds that event, and nothing that has another value; another account finds none of it.
	whole := vendings[1]
	for _, key := range []string{"EventId", "EventName", "ReadOnly", "Username", "ResourceType", "ResourceName", "EventSource", "AccessKeyId"} {
		values := whole.attribute(t, key)
		if len(values) == 0 || values[0] == "" {
			t.Errorf("the event has no %s: %+v", key, whole)
			continue
		}
		found := lookup(admin, by(key, values[0])...).Events
		if !slices.ContainsFunc(found, func(e lookedEvent) bool { return e.EventID == whole.EventID }) {
			t.Errorf("%s %s does not find the event", key, values[0])
		}
		for i, e := range found {
			if !slices.Contains(e.attribute(t, key), values[0]) {
				t.Errorf("%s %s finds %+v", key, values[0], e)
			}
			if i > 0 && e.EventTime > found[i-1].EventTime {
				t.Errorf("%s %s: an event of %v comes after one of %v", key, values[0], e.EventTime, found[i-1].EventTime)
			}
		}
	}
	if others := lookup(stranger, by("EventId", whole.EventID)...).Events; len(others) != 0 {
		t.Errorf("another account finds %+v", others)
	}
	for _, value := range []string{"getdataaccess", "GetDataAccess%", "' OR '1'='1", "GetDataAccess\u0000"} {
		if found := lookup(admin, by("EventName", value)...).Events; len(found) != 0 {
			t.Errorf("%q finds %+v", value, found)
		}
	}

	// Everything: each record is this account's, none is a data event, and none comes twice over the pages of the CLI.
	until := vendings[0].time(time.Hour)
	everything := lookup(admin, "--end-time", until).Events
	seen := map[string]bool{}
	for _, e := range everything {
		var r struct {
			RecipientAccountID string
			ManagementEvent    bool
		}
		if err := json.Unmarshal([]byte(e.CloudTrailEvent), &r); err != nil || r.RecipientAccountID != dataAccount || !r.ManagementEvent {
			t.Errorf("shows %s, %v", e.CloudTrailEvent, err)
		}
		if seen[e.EventID] {
			t.Errorf("%s comes twice", e.EventID)
		}
		seen[e.EventID] = true
	}
	if len(everything) < 12 || !seen[whole.EventID] {
		t.Errorf("%d events in all", len(everything))
	}

	// Pages, as the CLI turns them and by hand.
	created := lookup(admin, by("EventName", "CreateUser")...).Events
	if len(created) < 7 {
		t.Fatalf("%d users were made", len(created))
	}
	ids := func(events []lookedEvent) (all []string) {
		for _, e := range events {
			all = append(all, e.EventID)
		}
		return all
	}
	if paged := lookup(admin, append(by("EventName", "CreateUser"), "--page-size", "3")...).Events; !slices.Equal(ids(paged), ids(created)) {
		t.Errorf("in pages of three: %v, want %v", ids(paged), ids(created))
	}
	first := lookup(admin, append(by("EventName", "CreateUser"), "--max-items", "4")...)
	rest := lookup(admin, append(by("EventName", "CreateUser"), "--starting-token", first.NextToken)...)
	if !slices.Equal(ids(append(first.Events, rest.Events...)), ids(created)) {
		t.Errorf("in two parts: %v and %v, want %v", ids(first.Events), ids(rest.Events), ids(created))
	}
	page := lookup(admin, append(by("EventName", "CreateUser"), "--no-paginate", "--max-results", "5")...)
	if len(page.Events) != 5 || page.NextToken == "" {
		t.Fatalf("the page is %+v", page)
	}
	go5 := append(by("EventName", "CreateUser"), "--no-paginate", "--next-token", page.NextToken)
	if next := lookup(admin, go5...); !slices.Equal(ids(append(page.Events, next.Events...)), ids(created)) {
		t.Errorf("after five: %v, want the end of %v", ids(next.Events), ids(created))
	}
	command := func(args ...string) []string { return append([]string{"cloudtrail", "lookup-events"}, args...) }
	stranger.refused("InvalidNextTokenException", command(go5...)...)
	admin.refused("InvalidNextTokenException", command(append(by("EventName", "DeleteUser"), "--no-paginate", "--next-token", page.NextToken)...)...)
	admin.refused("InvalidNextTokenException", command("--no-paginate", "--next-token", page.NextToken)...)
	admin.refused("InvalidNextTokenException", command(append(go5, "--end-time", until)...)...)

	// Times: both ends belong to the range.
	at := whole.time(0)
	if found := lookup(admin, append(by("EventName", "GetDataAccess"), "--start-time", at, "--end-time", at)...).Events; !slices.ContainsFunc(found, func(e lookedEvent) bool { return e.EventID == whole.EventID }) {
		t.Errorf("the second of the event has %+v", found)
	}
	if found := lookup(admin, append(by("EventName", "GetDataAccess"), "--end-time", whole.time(-time.Second))...).Events; len(found) != 0 {
		t.Errorf("before the event there is %+v", found)
	}
	if insights := lookup(admin, "--event-category", "insight").Events; len(insights) != 0 {
		t.Errorf("insights are %+v", insights)
	}
	// What breaks the model of the service is refused before it is asked, as everywhere.
	admin.refused("ValidationException", command("--event-category", "data")...)
	admin.refused("ValidationException", command("--max-results", "51")...)
	admin.refused("InvalidTimeRangeException", command("--start-time", until, "--end-time", at)...)
	admin.refused("InvalidLookupAttributesException", command(by("ReadOnly", "yes")...)...)
	admin.refused("InvalidLookupAttributesException", command("--lookup-attributes", `[{"AttributeKey":"EventName","AttributeValue":"a"},{"AttributeKey":"ReadOnly","AttributeValue":"true"}]`)...)

	// Who may nothing sees nothing, and the attempt is an event itself.
	key := get[struct{ AccessKey credentials }](admin, "iam", "create-access-key", "--user-name", "watched-0").AccessKey
	watched := &shell{t: t, aws: admin.aws, dir: admin.dir, env: append(slices.Clone(admin.env), "AWS_ACCESS_KEY_ID="+key.AccessKeyId, "AWS_SECRET_ACCESS_KEY="+key.SecretAccessKey)}
	watched.refused("AccessDeniedException", command()...)
	attempts := lookup(admin, by("Username", "watched-0")...).Events
	if len(attempts) != 1 || attempts[0].EventName != "LookupEvents" || attempts[0].AccessKeyID != key.AccessKeyId || !strings.Contains(attempts[0].CloudTrailEvent, `"decision":"refused"`) {
		t.Errorf("the attempt is %+v", attempts)
	}
}
