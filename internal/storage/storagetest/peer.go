package storagetest

import (
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Peer is an S3 service of somebody else's, running as a process for the length of a test binary.
type Peer struct {
	Endpoint, AccessKeyID, SecretAccessKey string
}

// find looks for a program where test/setup.sh puts it. Where it is not, a test is skipped, and under CI=true fails.
func find(t testing.TB, name string) string {
	t.Helper()
	// What was built for the tests comes before what the machine has, which may be too old.
	if out, err := exec.CommandContext(t.Context(), "go", "env", "GOPATH").Output(); err == nil {
		path := filepath.Join(strings.TrimSpace(string(out)), "bin", name)
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("there is no %s: make setup installs it", name)
	}
	t.Skipf("there is no %s: make setup installs it; what it would have tested was not run", name)
	return ""
}

// FreeAddress is an address on loopback that nobody listens at.
func FreeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// run starts a program and waits until it answers.
func run(t testing.TB, address string, env []string, name string, args ...string) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), env...)
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		_ = cmd.Wait()
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("%s said:\n%.4000s", filepath.Base(name), text)
		}
		_ = log.Close()
	})
	deadline := time.Now().Add(20 * time.Second)
	for {
		res, err := http.Get("http://" + address + "/") //nolint:noctx // loopback, and bounded by the deadline
		if err == nil {
			_ = res.Body.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not answer: %v", filepath.Base(name), err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// VersityGW starts versitygw, which keeps objects as files, with versions and locks.
func VersityGW(t testing.TB) Peer {
	t.Helper()
	program := find(t, "versitygw")
	dir, address := t.TempDir(), FreeAddress(t)
	for _, d := range []string{"data", "versions"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	p := Peer{Endpoint: "http://" + address, AccessKeyID: "versityroot", SecretAccessKey: "versitysecretversitysecret"}
	run(t, address, []string{"ROOT_ACCESS_KEY=" + p.AccessKeyID, "ROOT_SECRET_KEY=" + p.SecretAccessKey},
		program, "--port", address, "--quiet", "--keep-alive", "posix", "--versioning-dir", filepath.Join(dir, "versions"), filepath.Join(dir, "data"))
	return p
}

// Rclone starts rclone serve s3 over a folder. It has no versions, tags, locks or checksums.
func Rclone(t testing.TB) Peer {
	t.Helper()
	program := find(t, "rclone")
	address := FreeAddress(t)
	p := Peer{Endpoint: "http://" + address, AccessKeyID: "rcloneroot", SecretAccessKey: "rclonesecretrclonesecret"}
	run(t, address, []string{"RCLONE_CONFIG=" + filepath.Join(t.TempDir(), "none.conf")},
		program, "serve", "s3", "--addr", address, "--auth-key", p.AccessKeyID+","+p.SecretAccessKey, "--vfs-cache-mode", "off", t.TempDir())
	return p
}
