package main

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// The scripts run the command as a process of its own: this test binary under another name.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"lakegate": main})
}

func TestCommands(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits,
			"ready": ready,
			"gone":  gone,
			"mode":  mode,
			"end":   end,
		},
	})
}

// exits runs a command that must end with a status: exits 2 lakegate nosuch.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits status command [args…]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	err = ts.Exec(args[1], args[2:]...)
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got, err = exit.ExitCode(), nil
	}
	ts.Check(err)
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

// ready waits until the server of a directory says that it is there.
func ready(ts *testscript.TestScript, neg bool, args []string) {
	until(ts, neg, args, true)
}

// gone waits until the server of a directory says that it is not.
func gone(ts *testscript.TestScript, neg bool, args []string) {
	until(ts, neg, args, false)
}

func until(ts *testscript.TestScript, neg bool, args []string, there bool) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: ready|gone directory")
	}
	path := ts.MkAbs(args[0] + "/addresses.json")
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); <-tick.C {
		if _, err := os.Stat(path); (err == nil) == there {
			return
		}
	}
	ts.Fatalf("%s did not change in time", path)
}

// end asks the commands in the background to end as a service manager does, which kill has no word for.
func end(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: end")
	}
	for _, cmd := range ts.BackgroundCmds() {
		ts.Check(cmd.Process.Signal(syscall.SIGTERM))
	}
}

// mode holds a file against its permissions: mode 600 dir/credentials.
func mode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: mode octal file")
	}
	want, err := strconv.ParseUint(args[0], 8, 32)
	ts.Check(err)
	info, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := info.Mode().Perm(); got != os.FileMode(want) {
		ts.Fatalf("%s has mode %o, want %o", args[1], got, want)
	}
}
