package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"github.com/lakegate/lakegate/examples/dataapp"
)

// dataAppCommand is the data application as a program of its own, in the same binary: the demo starts it as a child with
// nothing but an environment.
type dataAppCommand struct {
	Attached bool `help:"End when standard input does."`
}

func (c *dataAppCommand) Run(ctx context.Context, s *streams) error {
	if c.Attached {
		var end context.CancelFunc
		ctx, end = context.WithCancel(ctx)
		defer end()
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			end()
		}()
	}
	return dataapp.Run(ctx, s.getenv, s.err)
}

// child is the data application while the demo runs.
type child struct {
	cmd  *exec.Cmd
	done chan error
	// lifeline is the child's standard input. It ends with this process, however that ends, and the child with it: else a
	// child that was left over would keep the port that the next start needs.
	lifeline io.Closer
}

// startChild starts the data application and waits until it answers.
func startChild(ctx context.Context, s *streams, env []string, url string) (*child, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	cmd := exec.Command(path, "dataapp", "--attached") //nolint:gosec // this very program
	cmd.Stdout, cmd.Stderr = s.err, s.err
	cmd.Env = env
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "USERPROFILE", "SystemRoot"} {
		if v, ok := os.LookupEnv(name); ok {
			cmd.Env = append(cmd.Env, name+"="+v)
		}
	}
	lifeline, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start the data application: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the data application: %w", err)
	}
	c := &child{cmd: cmd, done: make(chan error, 1), lifeline: lifeline}
	go func() { c.done <- cmd.Wait() }()
	direct := &http.Client{Timeout: time.Second, Transport: &http.Transport{Proxy: nil}}
	for deadline := time.Now().Add(15 * time.Second); time.Now().Before(deadline); {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/livez", nil)
		if err != nil {
			return nil, fmt.Errorf("ask the data application: %w", err)
		}
		if resp, err := direct.Do(req); err == nil {
			_ = resp.Body.Close()
			return c, nil
		}
		select {
		case err := <-c.done:
			return nil, fmt.Errorf("the data application ended: %w", err)
		case <-ctx.Done():
			c.stop()
			return nil, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	c.stop()
	return nil, fmt.Errorf("the data application does not answer at %s", url)
}

func (c *child) stop() {
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-c.done:
	case <-time.After(5 * time.Second):
		_ = c.cmd.Process.Kill()
	}
}

// openBrowser opens a page, where there is a browser to open; that there is none is no failure.
func openBrowser(ctx context.Context, url string) {
	name, args := "xdg-open", []string{url}
	switch runtime.GOOS {
	case "darwin":
		name = "open"
	case "windows":
		name, args = "rundll32", []string{"url.dll,FileProtocolHandler", url}
	default:
		if os.Getenv("DISPLAY") == "" && os.Getenv("WAYLAND_DISPLAY") == "" {
			return
		}
	}
	cmd := exec.CommandContext(ctx, name, args...) //nolint:gosec // a fixed program and our own URL
	if cmd.Start() == nil {
		go func() { _ = cmd.Wait() }()
	}
}
