package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lakegate/lakegate/internal/storage/storagetest"
)

// backend makes a backend of a running server from what `lakegate backend create` takes.
func (p *process) backend(name, endpoint, keyID, secret string, more ...string) {
	p.t.Helper()
	path := filepath.Join(p.t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(secret+"\n"), 0o600); err != nil {
		p.t.Fatal(err)
	}
	p.lakegate(append([]string{"backend", "create", name, "--dir", p.dir, "--endpoint", endpoint, "--access-key-id", keyID, "--secret-access-key", "file:" + path}, more...)...)
}

// TestBackends keeps buckets at a versitygw through the AWS CLI, which knows nothing of it.
func TestBackends(t *testing.T) {
	peer := storagetest.VersityGW(t)
	gate := start(t, append([]string{"serve", "--management-account", "111111111111"}, anyPorts(false)...)...)
	gate.backend("store", peer.Endpoint, peer.AccessKeyID, peer.SecretAccessKey)
	if out := gate.lakegate("backend", "test", "store", "--dir", gate.dir); !strings.Contains(out, "is reached") {
		t.Errorf("test said %s", out)
	}
	aws := gate.as("111111111111")
	aws.run("s3api", "create-bucket", "--bucket", "sales", "--create-bucket-configuration", "LocationConstraint=store")
	if out := gate.lakegate("bucket", "list", "--dir", gate.dir); !strings.Contains(out, "sales") || !strings.Contains(out, "store") {
		t.Errorf("list said %s", out)
	}
	big := strings.Repeat("0123456789abcdef", 1<<20) // 16 MiB: the CLI uploads it in parts
	aws.file("big", big)
	aws.file("small", "one,two\n")
	aws.run("s3", "cp", "big", "s3://sales/2026/big.bin", "--no-progress")
	aws.run("s3", "cp", "small", "s3://sales/2026/small.csv", "--no-progress")
	aws.run("s3", "cp", "s3://sales/2026/big.bin", "back", "--no-progress")
	if got, err := os.ReadFile(filepath.Join(aws.dir, "back")); err != nil || string(got) != big {
		t.Errorf("%d bytes came back, %v", len(got), err)
	}
	aws.run("s3", "cp", "s3://sales/2026/small.csv", "s3://sales/2026/copy.csv", "--no-progress")
	if out := aws.run("s3", "ls", "--recursive", "s3://sales"); strings.Count(out, "\n") != 3 {
		t.Errorf("listed %s", out)
	}
	if _, errs, err := aws.exec("s3", "rb", "s3://sales"); err == nil || !strings.Contains(errs, "BucketNotEmpty") {
		t.Errorf("a bucket with objects was removed: %s", errs)
	}
	aws.run("s3", "rm", "--recursive", "s3://sales", "--quiet")
	aws.run("s3", "rb", "s3://sales")
	gate.lakegate("backend", "delete", "store", "--dir", gate.dir)
	gate.noSecrets(peer.SecretAccessKey)
}

// TestDirectVending has a second Lakegate play the storage with an STS of its own: the gate hands out credentials of it,
// which reach what was granted and nothing else, and which nothing here can end.
func TestDirectVending(t *testing.T) {
	const here, elsewhere = "111111111111", "444444444444"
	there := start(t, append([]string{"serve", "--management-account", elsewhere}, anyPorts(false)...)...)
	gate := start(t, append([]string{"serve", "--management-account", here}, anyPorts(false)...)...)
	remote := there.as(elsewhere)
	remote.run("s3api", "create-bucket", "--bucket", "lake")
	remote.file("f", "content")
	for _, key := range []string{"red/a", "blue/b"} {
		remote.run("s3api", "put-object", "--bucket", "lake", "--key", key, "--body", "f")
	}
	remote.run("iam", "create-role", "--role-name", "lake", "--assume-role-policy-document", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::`+elsewhere+`:root"},"Action":"sts:AssumeRole"}]}`)
	remote.run("iam", "put-role-policy", "--role-name", "lake", "--policy-name", "all", "--policy-document", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`)

	env := map[string]string{}
	for _, v := range there.environment(elsewhere) {
		name, value, _ := strings.Cut(v, "=")
		env[name] = value
	}
	endpoint := "http://" + there.API
	gate.backend("there", endpoint, env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], "--sts-endpoint", endpoint)
	gate.lakegate("bucket", "attach", "lake", "--dir", gate.dir, "--backend", "there")

	aws := gate.as(here)
	if out := aws.run("s3", "ls", "--recursive", "s3://lake"); strings.Count(out, "\n") != 2 {
		t.Errorf("through the gate: %s", out)
	}
	aws.run("s3control", "create-access-grants-instance", "--account-id", here)
	aws.run("iam", "create-role", "--role-name", "Location", "--assume-role-policy-document", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"access-grants.s3.amazonaws.com"},"Action":["sts:AssumeRole","sts:SetSourceIdentity","sts:SetContext"]}]}`)
	location := func(how ...string) (string, string, error) {
		return aws.exec(append([]string{"s3control", "create-access-grants-location", "--account-id", here, "--location-scope", "s3://lake/red/", "--iam-role-arn", "arn:aws:iam::" + here + ":role/Location", "--output", "json", "--tags"}, how...)...)
	}
	if _, errs, err := location("Key=lakegate:Vending,Value=direct"); err == nil || !strings.Contains(errs, "lakegate:VendingRole") {
		t.Errorf("a location without a role there: %s", errs)
	}
	out, errs, err := location("Key=lakegate:Vending,Value=direct", "Key=lakegate:VendingRole,Value=arn:aws:iam::"+elsewhere+":role/lake")
	if err != nil {
		t.Fatal(errs)
	}
	var l struct{ AccessGrantsLocationId string }
	if err := json.Unmarshal([]byte(out), &l); err != nil {
		t.Fatal(err)
	}
	aws.run("iam", "create-user", "--user-name", "bob")
	aws.run("iam", "put-user-policy", "--user-name", "bob", "--policy-name", "ask", "--policy-document", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetDataAccess","Resource":"*"}]}`)
	var key struct{ AccessKey credentials }
	if err := json.Unmarshal([]byte(aws.run("iam", "create-access-key", "--user-name", "bob", "--output", "json")), &key); err != nil {
		t.Fatal(err)
	}
	var grant struct{ AccessGrantId string }
	if err := json.Unmarshal([]byte(aws.run("s3control", "create-access-grant", "--account-id", here, "--access-grants-location-id", l.AccessGrantsLocationId, "--permission", "READ",
		"--grantee", "GranteeType=IAM,GranteeIdentifier=arn:aws:iam::"+here+":user/bob", "--access-grants-location-configuration", "S3SubPrefix=*", "--output", "json")), &grant); err != nil {
		t.Fatal(err)
	}
	var vended struct{ Credentials credentials }
	bob := aws.with(key.AccessKey)
	if err := json.Unmarshal([]byte(bob.run("s3control", "get-data-access", "--account-id", here, "--target", "s3://lake/red/*", "--permission", "READ", "--output", "json")), &vended); err != nil {
		t.Fatal(err)
	}
	direct := remote.with(vended.Credentials)
	if got := direct.run("sts", "get-caller-identity", "--output", "text", "--query", "Arn"); strings.TrimSpace(got) != "arn:aws:sts::"+elsewhere+":assumed-role/lake/bob" {
		t.Errorf("the storage knows the session as %s", got)
	}
	reads := func(key string) error {
		_, errs, err := direct.exec("s3api", "get-object", "--bucket", "lake", "--key", key, "got")
		if err != nil && !strings.Contains(errs, "AccessDenied") && !strings.Contains(errs, "403") {
			t.Errorf("read %s: %s", key, errs)
		}
		return err
	}
	if err := reads("red/a"); err != nil {
		t.Error("what was granted cannot be read")
	}
	if reads("blue/b") == nil {
		t.Error("what was not granted can be read")
	}
	if _, _, err := direct.exec("s3api", "put-object", "--bucket", "lake", "--key", "red/new", "--body", "f"); err == nil {
		t.Error("READ writes")
	}
	if _, _, err := direct.exec("s3api", "list-objects-v2", "--bucket", "lake"); err == nil {
		t.Error("the whole bucket can be listed")
	}
	// They are the storage's: the gate does not know them, and cannot take them back.
	if _, errs, err := aws.with(vended.Credentials).exec("s3api", "get-object", "--bucket", "lake", "--key", "red/a", "got"); err == nil {
		t.Errorf("the gate takes the storage's credentials: %s", errs)
	}
	aws.run("s3control", "delete-access-grant", "--account-id", here, "--access-grant-id", grant.AccessGrantId)
	if err := reads("red/a"); err != nil {
		t.Error("docs/backends.md says that direct credentials live until they expire")
	}
	if _, _, err := bob.exec("s3control", "get-data-access", "--account-id", here, "--target", "s3://lake/red/*", "--permission", "READ"); err == nil {
		t.Error("without a grant new ones were handed out")
	}
	gate.noSecrets(env["AWS_SECRET_ACCESS_KEY"], vended.Credentials.SecretAccessKey, vended.Credentials.SessionToken)
}
