package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/s3control/types"
)

// TestAuditAnalytics: the queries of docs/audit-analytics.md, run by DuckDB over what a trail delivered, tell who touched
// what, by which grant, and which grants nobody used.
func TestAuditAnalytics(t *testing.T) {
	node, npm := need(t, "node"), need(t, "npm")
	s := newStory(t, "--config", settings(t, "audit:\n  delivery_seconds: 1\n"))
	ctx, admin := t.Context(), s.as(dataAccount)
	admin.run("s3api", "create-bucket", "--bucket", auditBucket)
	admin.run("s3api", "put-bucket-policy", "--bucket", auditBucket, "--policy", strings.ReplaceAll(trailPolicy, "/security/AWSLogs", "/AWSLogs"))
	admin.run("cloudtrail", "create-trail", "--name", "everything", "--s3-bucket-name", auditBucket)
	admin.run("cloudtrail", "put-event-selectors", "--trail-name", "everything", "--event-selectors",
		`[{"ReadWriteType":"All","IncludeManagementEvents":true,"DataResources":[{"Type":"AWS::S3::Object","Values":["arn:aws:s3"]}]}]`)
	admin.run("cloudtrail", "start-logging", "--name", "everything")

	used := s.grant(mateo, "home/mateo/*", types.PermissionReadwrite)
	unused := s.grant(mateo, "home/attic/*", types.PermissionRead)
	vended, _, err := vend(ctx, s.person(mateo), "s3://"+storyLake+"/home/mateo/*", types.PermissionReadwrite)
	if err != nil {
		t.Fatal(err)
	}
	home := storage(vended)
	hostile := "home/mateo/=cmd()\n\u202e\"',;--x"
	for _, key := range []string{"home/mateo/a", hostile} {
		if err := put(ctx, home, key); err != nil {
			t.Fatal(err)
		}
	}
	if err := read(ctx, home, "home/mateo/a"); err != nil {
		t.Fatal(err)
	}
	if err := put(ctx, home, "blue/stolen"); err == nil {
		t.Fatal("the blue prefix is open")
	}
	if _, err := home.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: aws.String(storyLake), Delete: &s3types.Delete{
		Objects: []s3types.ObjectIdentifier{{Key: aws.String("home/mateo/a")}, {Key: &hostile}},
	}}); err != nil {
		t.Fatal(err)
	}
	admin.run("iam", "create-user", "--user-name", "last")

	// The files, as the page fetches them, until the last event is in one.
	dir := t.TempDir()
	admin.dir = dir
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Second) {
		admin.run("s3", "sync", "--only-show-errors", "s3://"+auditBucket+"/AWSLogs/", "audit-records/AWSLogs/", "--exclude", "*/CloudTrail-Digest/*")
		files, err := filepath.Glob(filepath.Join(dir, "audit-records/AWSLogs/*/CloudTrail/*/*/*/*/*.json.gz"))
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, name := range files {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			found = found || bytes.Contains(unpack(t, text), []byte(`"userName":"last"`))
		}
		if found {
			// Some file comes twice, as after a crash.
			text, err := os.ReadFile(files[0])
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(strings.TrimSuffix(files[0], ".json.gz")+"again.json.gz", text, 0o600); err != nil {
				t.Fatal(err)
			}
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the last event does not come: %s", admin.run("cloudtrail", "get-trail-status", "--name", "everything"))
		}
	}
	admin.file("grants.json", admin.run("s3control", "list-access-grants", "--account-id", dataAccount, "--output", "json"))

	for _, name := range []string{"package.json", "queries.mjs"} {
		text, err := os.ReadFile(filepath.Join("testdata", "duckdb", name))
		if err != nil {
			t.Fatal(err)
		}
		admin.file(name, string(text))
	}
	tool{t: t, path: npm, dir: dir, env: os.Environ()}.run("install", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline")
	names, statements := queriesOf(t, filepath.Join("..", "..", "docs", "audit-analytics.md"), time.Now().UTC())
	in, err := json.Marshal(statements)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, node, "queries.mjs")
	var errs bytes.Buffer
	cmd.Dir, cmd.Stdin, cmd.Stderr = dir, bytes.NewReader(in), &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("DuckDB: %v\n%s", err, errs.String())
	}
	var rows [][]map[string]any
	if err := json.Unmarshal(out, &rows); err != nil || len(rows) != len(names) {
		t.Fatalf("%d answers of %d queries, %v", len(rows), len(names), err)
	}
	answers := map[string][]map[string]any{}
	for i, name := range names {
		answers[name] = rows[i]
	}
	// column is one column of an answer.
	column := func(query, name string) (values []any) {
		t.Helper()
		if answers[query] == nil {
			t.Fatalf("no query %q", query)
		}
		for _, row := range answers[query] {
			values = append(values, row[name])
		}
		return values
	}
	same := func(what string, got []any, want ...any) {
		t.Helper()
		a, _ := json.Marshal(got)
		b, _ := json.Marshal(want)
		if !bytes.Equal(a, b) {
			t.Errorf("%s: %s, want %s", what, a, b)
		}
	}
	touched := answers["who touched these objects"]
	count := map[string]int{}
	for _, row := range touched {
		count[row["event"].(string)+" "+row["key"].(string)]++
		if row["person"] != mateo || row["access_grant"] != used || row["decision"] != "allowed" || row["application"] != s.application {
			t.Errorf("touched by %v", row)
		}
	}
	if len(touched) != 3 || count["PutObject home/mateo/a"] != 1 || count["PutObject "+hostile] != 1 || count["GetObject home/mateo/a"] != 1 {
		t.Errorf("touched: %v", touched)
	}
	refused := false
	for _, row := range answers["what a person did, and was refused"] {
		refused = refused || row["decision"] == "refused" && row["folder"] == "blue/" && row["event"] == "PutObject" && row["times"] == "1" && row["reason"] != nil
	}
	if !refused {
		t.Errorf("the refusal is not in %v", answers["what a person did, and was refused"])
	}
	same("deleted in batches", column("which objects were deleted in batches", "key"), hostile, "home/mateo/a")
	same("uses of credentials", column("what became of vended credentials", "uses"), "5")
	same("their grant", column("what became of vended credentials", "access_grant"), used)
	idle := column("which grants were not used", "access_grant")
	found := false
	for _, id := range idle {
		found = found || id == unused
		if id == used {
			t.Errorf("the grant %s was used", used)
		}
	}
	if !found {
		t.Errorf("the grant %s is not among the idle ones %v", unused, idle)
	}
	requests := false
	for _, row := range answers["reads and writes of each month"] {
		requests = requests || row["application"] == s.application && row["requests"] == "5"
	}
	if !requests {
		t.Errorf("the months are %v", answers["reads and writes of each month"])
	}
}

// queriesOf are the names and statements of a page's queries. The days that they name as examples become those around now.
func queriesOf(t *testing.T, page string, now time.Time) (names, statements []string) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	days := strings.NewReplacer("2026-11-01", now.AddDate(0, 0, -1).Format(time.DateOnly), "2026-12-01", now.AddDate(0, 0, 2).Format(time.DateOnly))
	for i, part := range strings.Split(string(text), "```") {
		if i%2 == 0 {
			continue
		}
		sql, ok := strings.CutPrefix(part, "sql\n-- ")
		if !ok {
			t.Fatalf("a block without a name: %.80s", part)
		}
		name, sql, _ := strings.Cut(sql, "\n")
		names, statements = append(names, name), append(statements, days.Replace(sql))
	}
	if len(names) < 8 {
		t.Fatalf("%s has the queries %q", page, names)
	}
	return names, statements
}
