package e2e

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3control/types"
)

// TestJavaScript: an application of a person, with the unmodified AWS SDK for JavaScript, reaches what the person was
// granted in every way that the SDK has, and nothing else.
func TestJavaScript(t *testing.T) {
	s := newStory(t)
	ctx := t.Context()
	node, npm := need(t, "node"), need(t, "npm")
	s.grant(mateo, "home/mateo/*", types.PermissionReadwrite)
	if err := put(ctx, storage(s.data), "blue/secret"); err != nil {
		t.Fatal(err)
	}
	keys, err := s.person(mateo).Credentials.Retrieve(ctx)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, name := range []string{"package.json", "package-lock.json", "client.mjs"} {
		text, err := os.ReadFile(filepath.Join("testdata", "javascript", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tool{t: t, path: npm, dir: dir, env: os.Environ()}.run("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline")
	out := tool{t: t, path: node, env: []string{
		"HOME=" + dir, "PATH=" + os.Getenv("PATH"), "AWS_ACCESS_KEY_ID=" + keys.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + keys.SecretAccessKey, "AWS_SESSION_TOKEN=" + keys.SessionToken,
		"ENDPOINT=http://" + s.API, "ACCOUNT=" + dataAccount, "BUCKET=" + storyLake, "PREFIX=home/mateo/", "REFUSED=blue/secret",
	}}.run(filepath.Join(dir, "client.mjs"))
	if out != "ok\n" {
		t.Errorf("the application says %q", out)
	}
}
