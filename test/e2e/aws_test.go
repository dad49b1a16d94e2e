package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// need finds a client program. In CI a missing one is a failure; elsewhere the test says what it did not run.
func need(t testing.TB, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err == nil {
		return path
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is not installed", program)
	}
	t.Skipf("not run: %s is not installed", program)
	return ""
}

// shell is the AWS CLI of one principal.
type shell struct {
	t   testing.TB
	aws string
	env []string
	dir string
}

// as is the AWS CLI with the administrator's key of an account.
func (p *process) as(account string) *shell {
	p.t.Helper()
	return &shell{t: p.t, aws: need(p.t, "aws"), env: p.environment(account), dir: p.t.TempDir()}
}

// credentials are what STS and GetDataAccess answer with.
type credentials struct {
	AccessKeyId, SecretAccessKey, SessionToken string
}

// with is the same shell with temporary credentials.
func (s *shell) with(c credentials) *shell {
	env := slices.Clone(s.env)
	env = append(env, "AWS_ACCESS_KEY_ID="+c.AccessKeyId, "AWS_SECRET_ACCESS_KEY="+c.SecretAccessKey, "AWS_SESSION_TOKEN="+c.SessionToken)
	return &shell{t: s.t, aws: s.aws, env: env, dir: s.dir}
}

// file writes a file for a file:// argument.
func (s *shell) file(name, content string) string {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(content), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return "file://" + name
}

func (s *shell) exec(args ...string) (stdout, stderr string, err error) {
	var out, errs bytes.Buffer
	cmd := exec.Command(s.aws, args...)
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = s.env, s.dir, &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}

// run runs a command that must succeed and returns what it printed.
func (s *shell) run(args ...string) string {
	s.t.Helper()
	out, errs, err := s.exec(args...)
	if err != nil {
		s.t.Fatalf("aws %s: %v\n%s", strings.Join(args, " "), err, errs)
	}
	return out
}

// get runs a command that must succeed and reads its JSON answer.
func get[T any](s *shell, args ...string) T {
	s.t.Helper()
	var v T
	out := s.run(append(args, "--output", "json")...)
	if strings.TrimSpace(out) == "" {
		return v
	}
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		s.t.Fatalf("aws %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return v
}

// refused runs a command that must fail with an error of the code, and returns the whole message.
func (s *shell) refused(code string, args ...string) string {
	s.t.Helper()
	out, errs, err := s.exec(args...)
	if err == nil {
		s.t.Fatalf("aws %s succeeded, want %s\n%s", strings.Join(args, " "), code, out)
	}
	if !strings.Contains(errs, "("+code+")") {
		s.t.Fatalf("aws %s: want %s, got\n%s", strings.Join(args, " "), code, errs)
	}
	return errs
}

var requestIDPattern = regexp.MustCompile(`(?i)x-amzn-requestid'?:\s*'?([0-9a-f-]{36})`)

// requestID is the id of the request that a command made, successful or not.
func (s *shell) requestID(args ...string) string {
	s.t.Helper()
	_, errs, _ := s.exec(append(args, "--debug")...)
	m := requestIDPattern.FindAllStringSubmatch(errs, -1)
	if len(m) == 0 {
		s.t.Fatalf("aws %s: no request id in the answer", strings.Join(args, " "))
	}
	return m[len(m)-1][1]
}
