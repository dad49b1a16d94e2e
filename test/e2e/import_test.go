package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3control"
)

// TestImport: grants come in from a file as they would one by one, once however often the file is sent, and go out as they
// came in.
func TestImport(t *testing.T) {
	s := newStory(t)
	dir := t.TempDir()
	file := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	run := func(args ...string) (string, error) { return s.command(s.data, append([]string{"grants"}, args...)...) }
	imports := func(want string, args ...string) {
		t.Helper()
		if out, err := run(append([]string{"import", "--quiet", "--data-account", dataAccount}, args...)...); !strings.Contains(out, want) {
			t.Errorf("import %v: %v, want %q\n%s", args, err, want, out)
		}
	}
	total := func() int {
		t.Helper()
		out, err := run("export", "--data-account", dataAccount)
		if err != nil {
			t.Fatal(out)
		}
		return strings.Count(out, "\n") - 1
	}
	const head = "grantee_type,grantee,scope,permission,tags\n"
	before := total()
	var many strings.Builder
	many.WriteString(head)
	for i := range 600 {
		fmt.Fprintf(&many, "DIRECTORY_USER,%s,s3://%s/imported/%d/*,READ,\n", mateo, storyLake, i)
	}
	many.WriteString("DIRECTORY_GROUP,Red Project Group,s3://" + storyLake + "/homes/${user.name}/*,READWRITE,lakegate:NotAfter=2099-01-01T00:00:00Z&team=red\n")
	big := file("many.csv", many.String())
	imports("checked, nothing made; line 602: 0 made", "--dry-run", big)
	if n := total(); n != before {
		t.Fatalf("a check made %d grants", n-before)
	}
	imports("imported; line 602: 601 made, 0 there already, 0 bad", big)
	imports("imported; line 602: 0 made, 601 there already, 0 bad", big)
	imports("imported; line 602: 0 made, 2 there already, 0 bad", "--from-line", "601", big)
	if n := total(); n != before+601 {
		t.Fatalf("%d grants were made", n-before)
	}
	if err := put(t.Context(), storage(s.person(mateo)), "homes/"+mateo+"/note"); err != nil {
		t.Errorf("a grant that was imported: %v", err)
	}

	t.Run("bad lines", func(t *testing.T) {
		good := "DIRECTORY_USER," + mateo + ",s3://" + storyLake + "/late/*,READ,\n"
		for name, c := range map[string]struct{ line, want string }{
			"nobody":             {"DIRECTORY_USER,nobody@example.com,s3://" + storyLake + "/x/*,READ,", "line 2: InvalidAccessGrant: The grantee does not exist"},
			"another bucket":     {"DIRECTORY_USER," + mateo + ",s3://not-ours/x/*,READ,", "line 2: InvalidAccessGrant"},
			"an unknown tag":     {"DIRECTORY_USER," + mateo + ",s3://" + storyLake + "/x/*,READ,lakegate:Colour=red", "line 2: InvalidTag"},
			"an end in the past": {"DIRECTORY_USER," + mateo + ",s3://" + storyLake + "/x/*,READ,lakegate:NotAfter=2001-01-01T00:00:00Z", "line 2: InvalidTag"},
			"a bad permission":   {"DIRECTORY_USER," + mateo + ",s3://" + storyLake + "/x/*,ALL,", "line 2: permission"},
		} {
			path := file("bad.csv", head+c.line+"\n"+good)
			imports(c.want, path)
			if n := total(); n != before+601 {
				t.Fatalf("%s: %d grants were made beside the bad line", name, n-before-601)
			}
		}
		imports("imported; line 3: 1 made, 0 there already, 1 bad", "--skip", file("bad.csv", head+"DIRECTORY_USER,nobody@example.com,s3://"+storyLake+"/x/*,READ,\n"+good))
	})

	t.Run("what goes out comes in", func(t *testing.T) {
		for _, format := range []string{"csv", "json"} {
			out := filepath.Join(dir, "out."+format)
			if text, err := run("export", "--data-account", dataAccount, "--format", format, "--file", out); err != nil {
				t.Fatal(text)
			}
			imports(fmt.Sprintf(": 0 made, %d there already, 0 bad", before+602), out)
		}
		list, err := control(s.data).ListAccessGrants(t.Context(), &s3control.ListAccessGrantsInput{AccountId: aws.String(dataAccount), GrantScope: aws.String("s3://" + storyLake + "/homes/${user.name}/*")})
		if err != nil || len(list.AccessGrantsList) != 1 {
			t.Fatalf("%+v, %v", list, err)
		}
		tags, err := control(s.data).ListTagsForResource(t.Context(), &s3control.ListTagsForResourceInput{AccountId: aws.String(dataAccount), ResourceArn: list.AccessGrantsList[0].AccessGrantArn})
		if err != nil || len(tags.Tags) != 2 {
			t.Errorf("tags %+v, %v", tags, err)
		}
	})

	t.Run("who may not", func(t *testing.T) {
		line := file("one.csv", head+"DIRECTORY_USER,"+mateo+",s3://"+storyLake+"/blue/*,READ,\n")
		for name, cfg := range map[string]aws.Config{"a person": s.person(mateo), "the application": s.app, "another account": s.center} {
			if out, err := s.command(cfg, "grants", "import", "--quiet", "--data-account", dataAccount, line); err == nil || !strings.Contains(out, "AccessDenied") {
				t.Errorf("%s imports: %v\n%s", name, err, out)
			}
			if out, err := s.command(cfg, "grants", "export", "--data-account", dataAccount); err == nil || !strings.Contains(out, "AccessDenied") {
				t.Errorf("%s exports: %v\n%s", name, err, out)
			}
		}
	})

	t.Run("the trail names each grant", func(t *testing.T) {
		found := s.records(func(r record) bool { return r.EventName == "ImportAccessGrants" && r.ErrorCode == "" })
		if len(found) < 3 {
			t.Errorf("%d records", len(found))
		}
		// The first, one amidst and the last of a batch of two hundred.
		ids := made(t, found)
		if len(ids) < 600 {
			t.Fatalf("%d grants are named", len(ids))
		}
		for _, n := range []int{0, 117, 199, len(ids) - 1} {
			out := s.lakegate("audit", "query", "--format", "json", "--dir", s.dir, "--account", dataAccount, "--grant", ids[n], "--management")
			if !strings.Contains(out, `"eventName":"ImportAccessGrants"`) {
				t.Errorf("the grant %s, number %d, is found by nothing:\n%.300s", ids[n], n, out)
			}
		}
	})
}

// made are the ids of the grants that imports made, as their records name them.
func made(t *testing.T, records []record) (ids []string) {
	t.Helper()
	for _, r := range records {
		list, _ := r.Additional["accessGrants"].([]any)
		for _, one := range list {
			id, ok := one.(map[string]any)["accessGrantId"].(string)
			if !ok {
				t.Fatalf("a grant in a record: %v", one)
			}
			ids = append(ids, id)
		}
	}
	return ids
}
