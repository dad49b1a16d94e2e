package trail

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// childVariable makes the test binary a child process that appends to the log in a folder: "forever DIR", or "full DIR"
// with files that may not grow over some kilobytes.
const childVariable = "LAKEGATE_TRAIL_CHILD"

func TestMain(m *testing.M) {
	if role, dir, ok := strings.Cut(os.Getenv(childVariable), " "); ok {
		child(role, dir)
	}
	os.Exit(m.Run())
}

const fileLimit = 16 << 10

// child prints the number of each line that was acknowledged, and "no N" for one that was refused.
func child(role, dir string) {
	if role == "full" {
		signal.Ignore(syscall.SIGXFSZ)
		var limit syscall.Rlimit
		if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
			panic(err)
		}
		limit.Cur = fileLimit
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
			panic(err)
		}
	}
	l, _, err := OpenLog(LogConfig{Dir: dir, Now: func() time.Time { return start }})
	if err != nil {
		panic(err)
	}
	var next atomic.Int64
	var tell sync.Mutex
	for range 8 {
		go func() {
			for {
				n := next.Add(1)
				err := l.Append(numbered(n))
				tell.Lock()
				if err != nil {
					fmt.Print("no ")
				}
				fmt.Println(n)
				tell.Unlock()
				if err != nil && role == "full" && n > 4000 {
					// Ended in the middle of a write, it would leave the torn line of a crash.
					_ = l.Close()
					fmt.Println("end")
					os.Exit(0)
				}
			}
		}()
	}
	select {}
}

// numbered is a line of some length that tells whether it is whole.
func numbered(n int64) []byte {
	return fmt.Appendf(nil, `{"n":%d,"fill":%q,"eventID":"%d"}`, n, strings.Repeat("x", int(n*7919%400)), n)
}

func startChild(t *testing.T, role, dir string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+role+" "+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewScanner(out)
}

// whole reads the lines of a log, each of which has to be whole, and counts how often each number is there.
func whole(t *testing.T, dir string) map[int64]int {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int64]int{}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			n, err := strconv.ParseInt(eventID([]byte(line)), 10, 64)
			if err != nil || line != string(numbered(n))+"\n" {
				t.Fatalf("a torn line: %q", line)
			}
			seen[n]++
		}
	}
	return seen
}

// TestKilledProcessLosesNoAcknowledgedLine kills processes that append, again and again on the same log.
func TestKilledProcessLosesNoAcknowledgedLine(t *testing.T) {
	for round := range 5 {
		dir := t.TempDir()
		cmd, out := startChild(t, "forever", dir)
		var acknowledged []int64
		for out.Scan() {
			n, err := strconv.ParseInt(out.Text(), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			if acknowledged = append(acknowledged, n); len(acknowledged) == 200+300*round {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = cmd.Wait()
		l, _, err := OpenLog(LogConfig{Dir: dir, Now: func() time.Time { return start }})
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Append(numbered(0)); err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		seen := whole(t, dir)
		for _, n := range append(acknowledged, 0) {
			if seen[n] != 1 {
				t.Errorf("round %d: line %d is there %d times", round, n, seen[n])
			}
		}
	}
}

// TestFullDisk: when a file can grow no more, writes come through in part. What was acknowledged is there, what was
// refused is not, and no line is torn.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	cmd, out := startChild(t, "full", dir)
	acknowledged, refused := map[int64]int{}, map[int64]bool{}
	for out.Scan() && out.Text() != "end" {
		number, no := strings.CutPrefix(out.Text(), "no ")
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if no {
			refused[n] = true
		} else {
			acknowledged[n] = 1
		}
	}
	_ = cmd.Wait()
	seen := whole(t, dir)
	if len(acknowledged) < 10 || len(refused) < 10 {
		t.Fatalf("%d acknowledged and %d refused lines prove nothing", len(acknowledged), len(refused))
	}
	if diff := cmp.Diff(acknowledged, seen); diff != "" {
		t.Errorf("acknowledged and written lines differ (-acknowledged +written):\n%s", diff)
	}
}

func TestTornLineIsCutOff(t *testing.T) {
	today, yesterday := "2026-11-02.jsonl", "2026-11-01.jsonl"
	for _, test := range []struct {
		name        string
		files, want map[string]string
		truncated   int64
	}{
		{"nothing", nil, map[string]string{today: ""}, 0},
		{"empty", map[string]string{today: ""}, map[string]string{today: ""}, 0},
		{"whole", map[string]string{today: "{}\n{}\n"}, map[string]string{today: "{}\n{}\n"}, 0},
		{"torn", map[string]string{today: "{}\n{\"a\":"}, map[string]string{today: "{}\n"}, 5},
		{"only a torn line", map[string]string{today: "{\"a\":"}, map[string]string{today: ""}, 5},
		{"torn before midnight", map[string]string{yesterday: "{}\n{", today: "{}\n"}, map[string]string{yesterday: "{}\n", today: "{}\n"}, 1},
		{"torn before a day without events", map[string]string{yesterday: "{}\n{"}, map[string]string{yesterday: "{}\n", today: ""}, 1},
		{"a long torn line", map[string]string{today: "{}\n" + strings.Repeat("x", 200<<10)}, map[string]string{today: "{}\n"}, 200 << 10},
		{"other files", map[string]string{"notes.txt": "no newline", today: ""}, map[string]string{"notes.txt": "no newline", today: ""}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range test.files {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			l, truncated, err := OpenLog(LogConfig{Dir: dir, Now: func() time.Time { return start }})
			if err != nil {
				t.Fatal(err)
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			if truncated != test.truncated {
				t.Errorf("cut %d bytes, want %d", truncated, test.truncated)
			}
			got := map[string]string{}
			entries, err := os.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				text, err := os.ReadFile(filepath.Join(dir, e.Name()))
				if err != nil {
					t.Fatal(err)
				}
				got[e.Name()] = string(text)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestEachDayHasItsFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "audit")
	var clock atomic.Int64
	clock.Store(time.Date(2026, 11, 2, 23, 59, 59, 0, time.UTC).Unix())
	l, _, err := OpenLog(LogConfig{Dir: dir, Now: func() time.Time { return time.Unix(clock.Load(), 0).In(time.FixedZone("east", 9*3600)) }})
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"a", "b"} {
		if err := l.Append([]byte(line)); err != nil {
			t.Fatal(err)
		}
		clock.Add(1)
	}
	if err := errors.Join(l.Close(), l.Close()); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"2026-11-02.jsonl": "a\n", "2026-11-03.jsonl": "b\n"} {
		path := filepath.Join(dir, name)
		text, err := os.ReadFile(path)
		if err != nil || string(text) != want {
			t.Errorf("%s holds %q, %v", name, text, err)
		}
		if info, err := os.Stat(path); err == nil && info.Mode().Perm() != 0o600 {
			t.Errorf("%s is readable by others: %v", name, info.Mode())
		}
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder is open to others: %v, %v", info.Mode(), err)
	}
	if err := l.Append([]byte("late")); !errors.Is(err, ErrClosed) {
		t.Errorf("a closed log answers %v", err)
	}
}

// TestLogThatCannotWrite: each attempt says so, and the log works again as soon as the disk does.
func TestLogThatCannotWrite(t *testing.T) {
	dir := t.TempDir()
	var clock atomic.Int64
	clock.Store(start.Unix())
	l, _, err := OpenLog(LogConfig{Dir: dir, Now: func() time.Time { return time.Unix(clock.Load(), 0) }})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	// A folder in the place of tomorrow's file.
	blocked := filepath.Join(dir, "2026-11-03.jsonl")
	if err := os.Mkdir(blocked, 0o700); err != nil {
		t.Fatal(err)
	}
	clock.Add(24 * 3600)
	for range 2 {
		if err := l.Append([]byte("lost")); err == nil || !l.Broken() {
			t.Fatalf("a line that was not written is acknowledged: %v, broken %v", err, l.Broken())
		}
	}
	if err := os.Remove(blocked); err != nil {
		t.Fatal(err)
	}
	if err := l.Append([]byte("kept")); err != nil || l.Broken() {
		t.Fatalf("the log does not recover: %v, broken %v", err, l.Broken())
	}
	if text, err := os.ReadFile(blocked); err != nil || string(text) != "kept\n" {
		t.Errorf("the log holds %q, %v", text, err)
	}
}

func TestImpossibleFolderIsToldAtStart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := OpenLog(LogConfig{Dir: filepath.Join(file, "audit"), Now: time.Now}); err == nil {
		t.Error("a log opens in a folder that cannot be")
	}
}

func TestReadOnlyFolderIsToldAtStart(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil { //nolint:gosec // a folder that one may enter and not write
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		t.Skip("permissions do not stop root")
	}
	if _, _, err := OpenLog(LogConfig{Dir: dir, Now: time.Now}); err == nil {
		t.Error("a log opens in a folder that is read-only")
	}
}

// TestDurableLogSyncs: with Durable a line is on the disk, or its writer is told that it is not. /dev/null takes writes
// and cannot be forced to a disk.
func TestDurableLogSyncs(t *testing.T) {
	for _, durable := range []bool{false, true} {
		dir := t.TempDir()
		l, _, err := OpenLog(LogConfig{Dir: dir, Now: func() time.Time { return start }, Durable: durable})
		if err != nil {
			t.Fatal(err)
		}
		null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if null.Sync() == nil {
			t.Skip("the null device can be synced here")
		}
		_ = l.file.Close()
		l.file = null
		if err := l.Append([]byte("line")); (err != nil) != durable {
			t.Errorf("durable %v: the answer is %v", durable, err)
		}
		_ = l.Close()
	}
}

// FuzzMend: whatever a crash leaves, what stays is what was there up to the last whole line.
func FuzzMend(f *testing.F) {
	f.Add([]byte("{}\n{"))
	f.Add([]byte("\n\n"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, text []byte) {
		path := filepath.Join(t.TempDir(), "2026-11-02.jsonl")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		cut, err := mendFile(path)
		if err != nil {
			t.Fatal(err)
		}
		want := text[:strings.LastIndexByte(string(text), '\n')+1]
		got, err := os.ReadFile(path)
		if err != nil || string(got) != string(want) || cut != int64(len(text)-len(want)) {
			t.Errorf("%q became %q, cut %d, %v", text, got, cut, err)
		}
	})
}
