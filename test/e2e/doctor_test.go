package e2e

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The doctor walks the chain with a real token: it uses it up in nothing, tells when somebody did, and keeps no copy.
func TestDoctor(t *testing.T) {
	w := newWorld(t)
	w.configureCenter()
	w.configureRoles()
	w.authenticate(w.application)
	w.configureData()
	token := w.token(mateo)
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"doctor", "--dir", w.dir, "--token-file", file, "--actor", w.role, "--role", w.roleARN("BearerRole"), "--target", "s3://lake/red/*"}
	said := w.lakegate(args...)
	if !strings.Contains(said, "No step fails.") || strings.Contains(said, "not looked at") {
		t.Errorf("of a chain that holds:\n%s", said)
	}
	w.exchange(w.assume("ApplicationRole"), w.application, token)
	again, err := exec.Command(binary, args...).Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 1 || strings.Count(string(again), "FAIL") != 1 || !strings.Contains(string(again), "exchanged already") {
		t.Errorf("after the exchange: %v\n%s", err, again)
	}
	// Every part of the token is a secret here.
	w.noSecrets(strings.Split(token, ".")...)
	for part := range strings.SplitSeq(token, ".") {
		if strings.Contains(said+string(again), part) {
			t.Error("the doctor echoes the token")
		}
	}
}
