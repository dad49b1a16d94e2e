package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// mirrorVariable names a folder with the AWS provider for Terraform, laid out as a filesystem mirror: the tests download
// nothing.
const mirrorVariable = "LAKEGATE_TERRAFORM_MIRROR"

// Terraform makes the set-up of the chain, finds nothing to change in what it made, and takes it away again.
func TestTerraform(t *testing.T) {
	terraform := need(t, "terraform")
	mirror := os.Getenv(mirrorVariable)
	if mirror == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal(mirrorVariable + " does not name a mirror with the AWS provider")
		}
		t.Skip("not run: " + mirrorVariable + " does not name a mirror with the AWS provider")
	}
	p := start(t, append([]string{"demo", "--empty", "--no-browser"}, anyPorts(true)...)...)
	w := &world{process: p, t: t}
	w.discover()

	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/terraform")); err != nil {
		t.Fatal(err)
	}
	settings := fmt.Sprintf("disable_checkpoint = true\nprovider_installation {\n  filesystem_mirror {\n    path = %q\n  }\n}\n", mirror)
	if err := os.WriteFile(filepath.Join(dir, "settings.tfrc"), []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	env := append(p.environment(centerAccount), "TF_CLI_CONFIG_FILE="+filepath.Join(dir, "settings.tfrc"), "TF_IN_AUTOMATION=1", "CHECKPOINT_DISABLE=1",
		"TF_VAR_endpoint=http://"+p.API, "TF_VAR_control=http://lakegate.internal", "TF_VAR_issuer="+w.issuer)
	run := func(args ...string) (string, int) {
		cmd := exec.Command(terraform, append(args, "-no-color", "-input=false")...)
		cmd.Dir, cmd.Env = dir, env
		out, err := cmd.CombinedOutput()
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			return string(out), exit.ExitCode()
		}
		if err != nil {
			t.Fatal(err)
		}
		return string(out), 0
	}
	if out, code := run("init"); code != 0 {
		t.Fatalf("init: %s", out)
	}
	if out, code := run("apply", "-auto-approve"); code != 0 {
		t.Fatalf("apply: %s", out)
	}
	if out, code := run("plan", "-detailed-exitcode"); code != 0 {
		t.Errorf("plan after apply wants to change something (%d): %s", code, out)
	}
	out, code := run("destroy", "-auto-approve")
	if code != 0 {
		t.Fatalf("destroy: %s", out)
	}
	if !strings.Contains(out, "30 destroyed") {
		t.Errorf("destroy took away less than was made: %s", out)
	}
}
