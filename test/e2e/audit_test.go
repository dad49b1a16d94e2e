package e2e

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3control/types"
)

// TestAuditQuestions: a security officer learns who touched an object, as whom, through which application and grant; a
// person learns what they did themself; nobody learns more.
func TestAuditQuestions(t *testing.T) {
	s := newStory(t)
	ctx := t.Context()
	began := time.Now().UTC().Add(-time.Minute).Format(time.RFC3339)
	s.grant(mateo, "home/mateo/*", types.PermissionReadwrite)
	vended, _, err := vend(ctx, s.person(mateo), "s3://"+storyLake+"/home/mateo/*", types.PermissionReadwrite)
	if err != nil {
		t.Fatal(err)
	}
	hostile := "home/mateo/=cmd()\n\u202e\",x"
	for _, key := range []string{"home/mateo/a", hostile} {
		if err := put(ctx, storage(vended), key); err != nil {
			t.Fatal(err)
		}
	}
	if err := put(ctx, storage(vended), "blue/stolen"); err == nil {
		t.Fatal("the blue prefix is open")
	}
	officer := func(args ...string) string {
		t.Helper()
		return s.lakegate(append([]string{"audit"}, append(args, "--dir", s.dir, "--account", dataAccount)...)...)
	}
	events := func(text string) (all []heardOf) {
		t.Helper()
		for line := range strings.Lines(text) {
			var r heardOf
			if err := json.Unmarshal([]byte(line), &r); err != nil {
				t.Fatalf("%v: %s", err, line)
			}
			all = append(all, r)
		}
		return all
	}
	query := func(args ...string) []heardOf {
		t.Helper()
		return events(officer(append([]string{"query", "--format", "json", "--since", began}, args...)...))
	}
	mine := query("--person", mateo, "--object", "s3://"+storyLake+"/home/mateo/*", "--data")
	if len(mine) != 2 || mine[0].Parameters.Key != hostile || mine[0].Additional.Grant == "" || mine[0].Additional.Application == "" {
		t.Errorf("in the home: %+v", mine)
	}
	if denied := query("--person", mateo, "--denied"); len(denied) != 1 || denied[0].Parameters.Key != "blue/stolen" || denied[0].Additional.Decision != "refused" {
		t.Errorf("refused: %+v", denied)
	}
	if one := query("--object", "s3://"+storyLake+"/home/mateo/a"); len(one) != 1 || one[0].Name != "PutObject" {
		t.Errorf("one object: %+v", one)
	}
	if grant := query("--grant", mine[0].Additional.Grant, "--event", "PutObject", "--allowed"); len(grant) != 2 {
		t.Errorf("of the grant: %+v", grant)
	}
	if key := query("--access-key", mine[0].Identity.AccessKeyID, "--oldest"); len(key) != 4 || key[0].Name != "GetDataAccess" {
		t.Errorf("of the key, from where it was given out: %+v", key)
	}
	rows, err := csv.NewReader(strings.NewReader(officer("query", "--format", "csv", "--since", began, "--person", mateo, "--data"))).ReadAll()
	if err != nil || len(rows) != 4 || rows[0][0] != "TIME" {
		t.Errorf("CSV: %q, %v", rows, err)
	}
	if table := officer("query", "--since", began, "--person", mateo); strings.ContainsAny(table, "\u202e") || !strings.Contains(table, "blue/stolen") {
		t.Errorf("the table:\n%q", table)
	}
	review := officer("report", "access-review", "--group", "Red Project Group", "--format", "csv")
	if !strings.Contains(review, mateo) || !strings.Contains(review, "not used: it could go") || !strings.Contains(review, ",2,") {
		t.Errorf("the review:\n%s", review)
	}
	if object := officer("report", "object", "s3://"+storyLake+"/home/mateo/a", "--since", began); !strings.Contains(object, "Who can, today:") || !strings.Contains(object, "PutObject") {
		t.Errorf("the report of an object:\n%s", object)
	}

	// Other accounts, and people.
	foreign := strings.TrimSpace(s.lakegate("audit", "query", "--format", "json", "--dir", s.dir, "--account", centerAccount, "--person", mateo, "--data", "--since", began))
	if foreign != "" {
		t.Errorf("the management account of itself sees %s", foreign)
	}
	if asked := s.lakegate("audit", "query", "--format", "json", "--dir", s.dir, "--account", centerAccount, "--of", dataAccount, "--person", mateo, "--data", "--since", began); strings.Count(asked, "\n") != 3 {
		t.Errorf("the management account of another sees %s", asked)
	}
	if out, err := exec.Command(binary, "audit", "query", "--dir", s.dir, "--account", dataAccount, "--of", centerAccount).CombinedOutput(); err == nil || !strings.Contains(string(out), "AccessDenied") {
		t.Errorf("an account asked for another's: %v\n%s", err, out)
	}
	own, err := s.command(s.person(mateo), "audit", "query", "--format", "json", "--since", began, "--limit", "0")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range events(own) {
		if who := s.userByName(mateo); r.Additional.UserID != who && r.Identity.OnBehalfOf.UserID != who {
			t.Errorf("Mateo sees %+v", r)
		}
	}
	if !strings.Contains(own, "blue/stolen") {
		t.Errorf("Mateo does not see what he was refused:\n%s", own)
	}
	for _, args := range [][]string{{"--person", ana}, {"--person", s.userByName(ana)}, {"--of", dataAccount}} {
		if out, err := s.command(s.person(mateo), append([]string{"audit", "query"}, args...)...); err == nil || !strings.Contains(out, "AccessDenied") {
			t.Errorf("Mateo asked with %v: %v\n%s", args, err, out)
		}
	}
	if out, err := s.command(vended, "audit", "query"); err == nil || !strings.Contains(out, "AccessDenied") {
		t.Errorf("credentials of a grant asked: %v\n%s", err, out)
	}

	// Who follows misses nothing and sees nothing twice.
	tail := exec.CommandContext(ctx, binary, "audit", "tail", "-f", "-n", "2", "--format", "json", "--data", "--dir", s.dir, "--account", dataAccount)
	var errs bytes.Buffer
	tail.Stderr = &errs
	out, err := tail.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := tail.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	next := func() (r heardOf) {
		t.Helper()
		if !lines.Scan() {
			t.Fatalf("the tail ended: %s", errs.String())
		}
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		return r
	}
	if a, b := next(), next(); a.Parameters.Key != hostile || b.Parameters.Key != "blue/stolen" {
		t.Errorf("the newest two are %+v and %+v", a, b)
	}
	for range 3 {
		if _, err := storage(vended).HeadObject(ctx, &s3.HeadObjectInput{Bucket: aws.String(storyLake), Key: aws.String("home/mateo/a")}); err != nil {
			t.Fatal(err)
		}
		if r := next(); r.Name != "HeadObject" {
			t.Errorf("followed by %+v", r)
		}
	}
	_ = tail.Process.Kill()
	_ = tail.Wait()
}

// heardOf is what the tests read of an event.
type heardOf struct {
	Name     string `json:"eventName"`
	Identity struct {
		AccessKeyID string `json:"accessKeyId"`
		OnBehalfOf  struct {
			UserID string `json:"userId"`
		} `json:"onBehalfOf"`
	} `json:"userIdentity"`
	Parameters struct {
		Key string `json:"key"`
	} `json:"requestParameters"`
	Additional struct {
		Person      string `json:"personUserName"`
		UserID      string `json:"identitystore:UserId"`
		Grant       string `json:"accessGrantId"`
		Application string `json:"applicationArn"`
		Decision    string `json:"decision"`
	} `json:"additionalEventData"`
}
