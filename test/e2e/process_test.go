package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// binary is the program under test: LAKEGATE_BINARY, else one that is built for the run.
var binary string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		if ask := os.Getenv(chainVariable); ask != "" {
			return runChain(ask)
		}
		if binary = os.Getenv("LAKEGATE_BINARY"); binary != "" {
			return m.Run()
		}
		dir, err := os.MkdirTemp("", "lakegate-e2e")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer func() { _ = os.RemoveAll(dir) }()
		binary = filepath.Join(dir, "lakegate")
		build := exec.Command("go", "build", "-o", binary, "../../cmd/lakegate")
		build.Stdout, build.Stderr = os.Stderr, os.Stderr
		if err := build.Run(); err != nil {
			fmt.Fprintln(os.Stderr, "build:", err)
			return 1
		}
		return m.Run()
	}())
}

// process is a running server.
type process struct {
	t    testing.TB
	dir  string
	args []string
	cmd  *exec.Cmd
	log  *lockedBuffer
	// API, Web, IDP and App are host:port, as addresses.json tells them.
	API, Web, IDP, App string
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// start runs the binary with the arguments in a fresh directory and waits until it is ready.
func start(t testing.TB, args ...string) *process {
	t.Helper()
	p := &process{t: t, dir: t.TempDir(), args: args}
	p.launch()
	return p
}

// settings writes a configuration file.
func settings(t testing.TB, text string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "lakegate.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// anyPorts lets every door take a free port.
func anyPorts(demo bool) []string {
	args := []string{"--api", "127.0.0.1:0", "--web", "127.0.0.1:0"}
	if demo {
		args = append(args, "--idp", "127.0.0.1:0", "--app", "127.0.0.1:0")
	}
	return args
}

func (p *process) launch() {
	p.t.Helper()
	p.log = &lockedBuffer{}
	p.cmd = exec.Command(binary, append(p.args, "--dir", p.dir)...)
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	p.cmd.Env = append(os.Environ(), "NO_COLOR=1")
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	exited := make(chan error, 1)
	go func() { exited <- p.cmd.Wait() }()
	p.t.Cleanup(func() {
		if p.cmd.ProcessState == nil {
			_ = p.cmd.Process.Kill()
		}
		if p.t.Failed() {
			p.t.Logf("log of the server:\n%s", p.log)
		}
	})
	path := filepath.Join(p.dir, "addresses.json")
	for deadline := time.Now().Add(30 * time.Second); ; {
		if text, err := os.ReadFile(path); err == nil {
			var a map[string]string
			if err := json.Unmarshal(text, &a); err != nil {
				p.t.Fatalf("addresses.json: %v", err)
			}
			p.API, p.Web, p.IDP, p.App = a["api"], a["web"], a["idp"], a["app"]
			return
		}
		select {
		case err := <-exited:
			p.t.Fatalf("the server ended before it was ready: %v\n%s", err, p.log)
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("the server was not ready in time:\n%s", p.log)
		}
	}
}

// stop asks the server to end and waits for it.
func (p *process) stop() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	p.gone()
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		p.t.Errorf("the server ended with %d\n%s", code, p.log)
	}
}

// kill ends the server as a power cut would.
func (p *process) kill() {
	p.t.Helper()
	_ = p.cmd.Process.Kill()
	p.gone()
}

func (p *process) gone() {
	p.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); p.cmd.ProcessState == nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			p.t.Fatalf("the server did not end:\n%s", p.log)
		}
	}
	_ = os.Remove(filepath.Join(p.dir, "addresses.json"))
}

// lakegate runs another command of the binary and returns what it printed.
func (p *process) lakegate(args ...string) string {
	p.t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.Command(binary, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		p.t.Fatalf("lakegate %s: %v\n%s%s", strings.Join(args, " "), err, out.String(), errs.String())
	}
	return out.String()
}

// exports reads export lines.
func exports(text string) []string {
	var env []string
	for lines := bufio.NewScanner(strings.NewReader(text)); lines.Scan(); {
		if v, ok := strings.CutPrefix(lines.Text(), "export "); ok {
			env = append(env, strings.ReplaceAll(v, "'", ""))
		}
	}
	return env
}

// environment is what `lakegate env` gives a client of the account, and nothing of the caller's own AWS settings.
func (p *process) environment(account string) []string {
	p.t.Helper()
	return append(p.clean(), exports(p.lakegate("env", "--dir", p.dir, "--account", account))...)
}

func (p *process) clean() []string {
	var env []string
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		if !strings.HasPrefix(name, "AWS_") && !strings.HasSuffix(strings.ToLower(name), "_proxy") {
			env = append(env, v)
		}
	}
	return append(env, "AWS_CONFIG_FILE="+filepath.Join(p.dir, "no-config"), "AWS_SHARED_CREDENTIALS_FILE="+filepath.Join(p.dir, "no-credentials"),
		"AWS_EC2_METADATA_DISABLED=true", "AWS_PAGER=", "AWS_MAX_ATTEMPTS=1", "PYTHONWARNINGS=ignore")
}
