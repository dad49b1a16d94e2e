package e2e

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"
)

var updateGolden = flag.Bool("update", false, "write the golden records anew")

// gold is a story whose requests are marked, so that what a real server records of each can be held against a file.
type gold struct {
	*story
	theme string
	next  http.RoundTripper
	mark  atomic.Value // the name of the case
	taken map[string]bool
}

func newGold(t *testing.T, theme string, args ...string) *gold {
	t.Helper()
	g := &gold{story: newStory(t, args...), theme: theme, taken: map[string]bool{}}
	g.mark.Store("before")
	g.next = g.door().Transport
	for _, cfg := range []*aws.Config{&g.center, &g.data, &g.app} {
		cfg.HTTPClient = &http.Client{Transport: g}
	}
	return g
}

// RoundTrip implements http.RoundTripper: the user agent says which case a request belongs to.
func (g *gold) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("User-Agent", g.agent())
	return g.next.RoundTrip(r)
}

func (g *gold) agent() string { return "golden/" + g.mark.Load().(string) }

// take makes a case's requests and holds what they left in the log, at least so many records, against the case's file.
func (g *gold) take(t *testing.T, name string, records int, do func(t *testing.T)) {
	t.Helper()
	agent := "golden/" + name
	g.takeWhere(t, name, records, func(all []string) []string { return marked(all, agent) }, do)
}

// takeWhere is take of records that are found otherwise than by who made the request.
func (g *gold) takeWhere(t *testing.T, name string, records int, of func(all []string) []string, do func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		if g.taken[name] {
			t.Fatal("two cases have this name")
		}
		g.taken[name] = true
		g.mark.Store(name)
		defer g.mark.Store("between")
		do(t)
		var lines []string
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			if lines = of(strings.Split(g.trail(), "\n")); len(lines) >= records {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%d records came, want %d", len(lines), records)
			}
		}
		g.hold(t, name, lines)
	})
}

// marked are the records of the requests with a user agent, and those that were made in their course.
func marked(all []string, agent string) (lines []string) {
	requests := map[string]bool{}
	for _, line := range all {
		var r struct{ UserAgent, RequestID string }
		if json.Unmarshal([]byte(line), &r) == nil && r.UserAgent == agent {
			requests[r.RequestID] = true
		}
	}
	for _, line := range all {
		var r struct{ RequestID string }
		if json.Unmarshal([]byte(line), &r) == nil && requests[r.RequestID] {
			lines = append(lines, line)
		}
	}
	return lines
}

// hold compares records with their file, after what differs from run to run has been named.
func (g *gold) hold(t *testing.T, name string, lines []string) {
	t.Helper()
	var got bytes.Buffer
	names := placeholders{}
	for _, line := range lines {
		for _, fault := range faults([]byte(line), len(lines)) {
			t.Errorf("%s\n%s", fault, line)
		}
		if err := json.Indent(&got, []byte(names.normal(line)), "", "  "); err != nil {
			t.Fatalf("%v\n%s", err, line)
		}
		got.WriteByte('\n')
	}
	path := filepath.Join("testdata", "golden", g.theme, name+".json")
	if *updateGolden {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("the record is another (-want +got):\n%s", diff)
	}
}

// whole fails the test when there is a file that no case stands for.
func (g *gold) whole(t *testing.T) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "golden", g.theme, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if name := strings.TrimSuffix(filepath.Base(file), ".json"); !g.taken[name] {
			t.Errorf("%s belongs to no case", file)
		}
	}
}

// placeholders name what differs from run to run by the order in which it comes, so that what is the same in two places
// of a case is seen to be.
type placeholders map[string]string

var (
	varying = regexp.MustCompile(strings.Join([]string{
		`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`,
		`(?:AKIA|ASIA|AROA|AIDA|AGPA|ANPA)[A-Z0-9]{12,17}\b`,
		`\b(?:ssoins|apl|tti|ps|req|arn-)-[0-9a-f]{16}\b`,
		`\bd-[0-9a-f]{10}\b`,
		`\b20[2-9][0-9]-[01][0-9]-[0-3][0-9]T[0-9:.]+Z`,
		`127\.0\.0\.1(?::|%3A)[0-9]+`,
		`AWSReservedSSO_[A-Za-z]+_[0-9a-f]{16}`,
		`\b[0-9A-HJKMNP-TV-Z]{26}\b`,
		`\b[0-9a-f]{32}\b`,
		`\b[0-9a-f]{64}\b`,
		`[A-Za-z0-9_-]{80,}`,
	}, "|"))
	counted = regexp.MustCompile(`"(durationMicros|revision|clientIdIssuedAt)":[0-9]+`)
	hashed  = regexp.MustCompile(`,"chain":"[0-9a-f]{64}"}$`)
	kinds   = []struct {
		kind string
		is   *regexp.Regexp
	}{
		{"uuid", regexp.MustCompile(`^[0-9a-f]{8}-`)}, {"time", regexp.MustCompile(`^20[0-9]+.*Z$`)},
		{"door", regexp.MustCompile(`^127`)}, {"version", regexp.MustCompile(`^[0-9A-HJKMNP-TV-Z]{26}$`)}, {"hex", regexp.MustCompile(`^[0-9a-f]{32,}$`)},
		{"sealed", regexp.MustCompile(`^.{80,}$`)},
	}
)

func (p placeholders) normal(line string) string {
	line = hashed.ReplaceAllString(line, "}")
	line = counted.ReplaceAllString(line, `"$1":1`)
	return varying.ReplaceAllStringFunc(line, func(found string) string {
		if name, ok := p[found]; ok {
			return name
		}
		kind, _, _ := strings.Cut(found, "-")
		kind, _, _ = strings.Cut(kind, "_")
		if strings.HasPrefix(found, "A") && len(found) <= 21 {
			kind = found[:4] // AKIA, ASIA, AROA, …
		}
		for _, k := range kinds {
			if k.is.MatchString(found) {
				kind = k.kind
				break
			}
		}
		if kind == "time" {
			return "<time>" // how they lie to each other depends on the second
		}
		n := 1
		for _, name := range p {
			if strings.HasPrefix(name, "<"+kind+" ") {
				n++
			}
		}
		p[found] = fmt.Sprintf("<%s %d>", kind, n)
		return p[found]
	})
}

// shape is what every record has, whatever it tells.
type shape struct {
	EventVersion string
	UserIdentity *struct {
		Type, Arn, PrincipalID, AccountID, AccessKeyID, InvokedBy, CredentialID string
		SessionContext                                                          *struct {
			SessionIssuer *struct{ Type, PrincipalID, Arn, AccountID, UserName string }
			Attributes    *struct{ CreationDate, MfaAuthenticated string }
		}
		OnBehalfOf *struct{ UserID, IdentityStoreArn string }
	}
	EventTime, EventSource, EventName, AwsRegion, ErrorCode, ErrorMessage string
	ResponseElements                                                      map[string]any
	AdditionalEventData                                                   map[string]any
	RequestID, EventID, EventType, RecipientAccountID, SharedEventID      string
	ReadOnly, ManagementEvent                                             *bool
	EventCategory                                                         string
	Resources                                                             []struct{ Type, ARN, AccountID string }
}

var guid = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

// faults are what a record has otherwise than CloudTrail's record contents say, whatever the case.
func faults(line []byte, copies int) (all []string) {
	say := func(wrong bool, what string) {
		if wrong {
			all = append(all, what)
		}
	}
	var r shape
	if err := json.Unmarshal(line, &r); err != nil {
		return []string{err.Error()}
	}
	if r.UserIdentity == nil || r.ReadOnly == nil || r.ManagementEvent == nil {
		return []string{"userIdentity, readOnly or managementEvent is missing"}
	}
	say(r.EventVersion != "1.11", "eventVersion is "+r.EventVersion)
	_, err := time.Parse("2006-01-02T15:04:05Z", r.EventTime)
	say(err != nil, "eventTime has another form")
	say(!strings.HasSuffix(r.EventSource, ".amazonaws.com"), "eventSource is "+r.EventSource)
	say(r.EventName == "" || r.AwsRegion == "", "eventName or awsRegion is missing")
	say(!guid.MatchString(r.EventID), "eventID is no GUID")
	say(r.RequestID == "", "requestID is missing")
	say(!slices.Contains([]string{"AwsApiCall", "AwsServiceEvent", "AwsConsoleSignIn"}, r.EventType), "eventType is "+r.EventType)
	say(*r.ManagementEvent != (r.EventCategory == "Management") || *r.ManagementEvent == (r.EventCategory == "Data"), "managementEvent and eventCategory do not agree")
	say((r.ErrorCode == "") != (r.ErrorMessage == ""), "errorCode and errorMessage do not agree")
	say(r.ErrorCode != "" && r.ResponseElements != nil, "responseElements of what failed")
	say(*r.ReadOnly && r.ResponseElements != nil && r.EventSource != "sts.amazonaws.com", "responseElements of a read")
	say(!*r.ManagementEvent && r.EventSource != "s3.amazonaws.com", "a data event of "+r.EventSource)
	decision, _ := r.AdditionalEventData["decision"].(string)
	say(!slices.Contains([]string{"allowed", "refused", "failed"}, decision) || (decision == "allowed") != (r.ErrorCode == ""), "decision is "+decision)
	say(r.SharedEventID != "" && copies < 2, "sharedEventID of a record without a copy")
	say(r.SharedEventID != "" && !guid.MatchString(r.SharedEventID), "sharedEventID is no GUID")
	for _, x := range r.Resources {
		say(!strings.HasPrefix(x.ARN, "arn:aws:") || x.Type == "", "a resource without an ARN or a type")
	}
	u := r.UserIdentity
	switch session := u.SessionContext; u.Type {
	case "AssumedRole", "FederatedUser":
		say(u.Arn == "" || u.PrincipalID == "" || u.AccountID == "" || u.AccessKeyID == "", "a session without arn, principalId, accountId or accessKeyId")
		say(session == nil || session.SessionIssuer == nil || session.SessionIssuer.Arn == "" || session.SessionIssuer.PrincipalID == "" || session.SessionIssuer.UserName == "", "a session without its issuer")
		say(session == nil || session.Attributes == nil || session.Attributes.CreationDate == "" || session.Attributes.MfaAuthenticated != "false", "a session without its attributes")
	case "Root", "IAMUser":
		say(u.Arn == "" || u.PrincipalID == "" || u.AccountID == "", "a user without arn, principalId or accountId")
	case "IdentityCenterUser":
		say(u.Arn != "" || u.PrincipalID != "" || u.OnBehalfOf == nil || u.AccountID == "", "a bearer has an arn, or no person")
	case "AWSService":
		say(u.InvokedBy == "", "a service without invokedBy")
	case "AWSAccount", "WebIdentityUser", "Unknown":
	default:
		say(true, "userIdentity.type is "+u.Type)
	}
	say(u.OnBehalfOf != nil && (u.OnBehalfOf.UserID == "" || !strings.HasPrefix(u.OnBehalfOf.IdentityStoreArn, "arn:aws:identitystore::")), "onBehalfOf is not whole")
	say(u.OnBehalfOf != nil && r.AdditionalEventData["identitystore:UserId"] != u.OnBehalfOf.UserID, "the person is not in additionalEventData")
	return all
}
