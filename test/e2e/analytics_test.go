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
	s.exports(t, dir)
	names, statements := queriesOf(t, filepath.Join("..", "..", "docs", "audit-analytics.md"), time.Now().UTC())
	for name, sql := range exported {
		names, statements = append(names, name), append(statements, sql)
	}
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
	for _, none := range []string{"columns of the export", "rows of the export", "records of the export"} {
		if len(answers[none]) > 0 {
			t.Errorf("%s differ: %v", none, answers[none])
		}
	}
	same("keys of the export", column("keys of the export", "key"), hostile)
	same("accounts of the export", column("accounts of the export", "account"), dataAccount)
	same("the person of an export", column("the person of an export", "person"), mateo)
	if n := answers["the same as JSON lines"][0]; n["rows"] != n["lines"] || n["rows"] == "0" {
		t.Errorf("the export and its lines: %v", n)
	}
	most := false
	for _, row := range answers["what was done most, from an export"] {
		most = most || row["person"] == mateo && row["event"] == "PutObject" && row["requests"] == "2"
	}
	if !most {
		t.Errorf("what was done most: %v", answers["what was done most, from an export"])
	}
	requests := false
	for _, row := range answers["reads and writes of each month"] {
		requests = requests || row["application"] == s.application && row["requests"] == "5"
	}
	if !requests {
		t.Errorf("the months are %v", answers["reads and writes of each month"])
	}
}

// exported are questions about the files of exports: each is asked of the view and of the file, and answers with what
// differs.
var exported = map[string]string{
	"columns of the export": `SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM events) EXCEPT SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM read_parquet('delivered.parquet'))
		UNION ALL (SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM read_parquet('delivered.parquet')) EXCEPT SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM events))`,
	"rows of the export": `(SELECT * EXCLUDE (record) FROM events EXCEPT SELECT * EXCLUDE (record) FROM read_parquet('delivered.parquet'))
		UNION ALL (SELECT * EXCLUDE (record) FROM read_parquet('delivered.parquet') EXCEPT SELECT * EXCLUDE (record) FROM events)`,
	"records of the export":   `SELECT record->>'$.eventID' AS id, event_id FROM read_parquet('delivered.parquet') WHERE id IS DISTINCT FROM event_id`,
	"keys of the export":      `SELECT DISTINCT key FROM read_parquet('events.parquet') WHERE event = 'PutObject' AND decision = 'allowed' AND starts_with(key, 'home/mateo/=') ORDER BY key`,
	"accounts of the export":  `SELECT DISTINCT account FROM read_parquet('events.parquet')`,
	"the same as JSON lines":  `SELECT (SELECT count(*) FROM read_parquet('mine.parquet')) AS rows, (SELECT count(*) FROM read_json('mine.jsonl', columns = {eventID: 'VARCHAR'}, format = 'newline_delimited')) AS lines`,
	"the person of an export": `SELECT DISTINCT person FROM read_parquet('mine.parquet')`,
}

// exports writes the files that the questions are about: what the account may see, what the trail delivered, and what
// Mateo did.
func (s *story) exports(t *testing.T, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "audit-records/AWSLogs/*/CloudTrail/*/*/*/*/*.json.gz"))
	if err != nil {
		t.Fatal(err)
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	out := s.lakegate("audit", "export", "--dir", s.dir, "--account", dataAccount, "--out", at("events.parquet"), "--since", "1h")
	if strings.Contains(out, " 0 events") {
		t.Errorf("exported: %s", out)
	}
	s.lakegate(append([]string{"audit", "export", "--out", at("delivered.parquet")}, files...)...)
	s.lakegate("audit", "export", "--dir", s.dir, "--account", dataAccount, "--out", at("mine.parquet"), "--person", mateo, "--object", "s3://"+storyLake+"/home/*", "--data")
	s.lakegate("audit", "export", "--dir", s.dir, "--account", dataAccount, "--out", at("mine.jsonl"), "--format", "jsonl", "--person", mateo, "--object", "s3://"+storyLake+"/home/*", "--data")
	if info, err := os.Stat(at("mine.jsonl")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the export: %v, %v", info, err)
	}
	for name, args := range map[string][]string{
		"a file that there is":   {"--dir", s.dir, "--out", at("mine.jsonl")},
		"what no trail delivers": {"--out", at("none.parquet"), at("grants.json")},
		"flags for files":        {"--out", at("none.parquet"), "--person", mateo, files[0]},
		"another account":        {"--dir", s.dir, "--account", dataAccount, "--of", centerAccount, "--out", at("none.parquet")},
	} {
		if out, err := exec.Command(binary, append([]string{"audit", "export"}, args...)...).CombinedOutput(); err == nil {
			t.Errorf("%s is exported: %s", name, out)
		}
	}
	if left, err := filepath.Glob(at("*none.parquet*")); err != nil || len(left) > 0 {
		t.Errorf("what failed left %v, %v", left, err)
	}
	if left, err := filepath.Glob(at(".*")); err != nil || len(left) > 0 {
		t.Errorf("what failed left %v, %v", left, err)
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
