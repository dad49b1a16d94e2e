package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3control/types"

	"github.com/lakegate/lakegate/internal/store/storetest"
)

// TestQuestionsToOneOfTwoNodes: a node answers from its own log, and says which other logs it has not asked. What may have
// been used through another node is never called unused.
func TestQuestionsToOneOfTwoNodes(t *testing.T) {
	url := storetest.URL(t, "postgres")
	s := newStory(t, "--database", url)
	s.grant(mateo, "home/mateo/*", types.PermissionReadwrite)
	ask := func(args ...string) (out, told string) {
		t.Helper()
		var o, e bytes.Buffer
		cmd := exec.Command(binary, append(append([]string{"audit"}, args...), "--dir", s.dir, "--account", dataAccount)...)
		cmd.Stdout, cmd.Stderr = &o, &e
		if err := cmd.Run(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, e.String())
		}
		return o.String(), e.String()
	}
	if _, told := ask("query", "--person", mateo); told != "" {
		t.Errorf("alone it says %q", told)
	}
	if review, _ := ask("report", "access-review", "--group", "Red Project Group", "--format", "csv"); !strings.Contains(review, "not used: it could go") {
		t.Errorf("alone it does not say what was not used:\n%s", review)
	}

	second := &process{t: t, dir: t.TempDir(), args: append([]string{"serve", "--database", url, "--config", settings(t, "development: true\n")}, anyPorts(false)...)}
	key, err := os.ReadFile(filepath.Join(s.dir, "master.key"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(second.dir, "master.key"), key, 0o600); err != nil {
		t.Fatal(err)
	}
	second.launch()
	elsewhere := s.person(mateo)
	elsewhere.HTTPClient = second.door()
	if _, _, err := vend(t.Context(), elsewhere, "s3://"+storyLake+"/home/mateo/*", types.PermissionRead); err != nil {
		t.Fatal(err)
	}
	second.stop()

	for name, args := range map[string][]string{
		"query":  {"query", "--person", mateo, "--format", "json", "--limit", "0"},
		"export": {"export", "--person", mateo, "--out", filepath.Join(t.TempDir(), "out.parquet")},
		"object": {"report", "object", "s3://" + storyLake + "/home/mateo/a"},
		"review": {"report", "access-review", "--group", "Red Project Group", "--format", "csv"},
	} {
		out, told := ask(args...)
		if strings.Count(told, "This may be incomplete: node ") != 1 || strings.Contains(out, "incomplete") {
			t.Errorf("%s tells %q beside\n%s", name, told, out)
		}
		if name == "review" && (strings.Contains(out, "not used: it could go") || !strings.Contains(out, "at least 0")) {
			t.Errorf("the review calls unused what another node may know to be used:\n%s", out)
		}
		if name == "query" && strings.Contains(out, "GetDataAccess") {
			t.Errorf("the other node's log was asked: then do not say that it was not\n%s", out)
		}
	}
	if _, told := ask("query", "--since", "2099-01-01"); told != "" {
		t.Errorf("of a time in which no other log grew it says %q", told)
	}
}
