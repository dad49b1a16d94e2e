package trail

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
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

// child prints the number of each record that was acknowledged, and "no N" for one that was refused.
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
	l, _, err := OpenLog(LogConfig{Dir: dir, Now: func() time.Time { return start }, SegmentSize: 64 << 10})
	if err != nil {
		panic(err)
	}
	var next atomic.Int64
	var tell sync.Mutex
	for range 8 {
		go func() {
			for {
				n := next.Add(1)
				err := l.Append(n%5 == 0, numbered(n))
				tell.Lock()
				if err != nil {
					fmt.Print("no ")
				}
				fmt.Println(n)
				tell.Unlock()
				if err != nil && role == "full" && n > 4000 {
					// Ended in the middle of a write, it would leave the torn line of a crash.
					_ = l.Close()
					tell.Lock()
					fmt.Println("end")
					os.Exit(0)
				}
			}
		}()
	}
	select {}
}

// numbered is a record of some length that tells whether it is whole.
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

// whole reads the records of a log, each of which has to be whole, and counts how often each number is there.
func whole(t *testing.T, dir string) map[int64]int {
	t.Helper()
	seen := map[int64]int{}
	for _, record := range recordsIn(t, dir) {
		n, err := strconv.ParseInt(eventID([]byte(record)), 10, 64)
		if err != nil || record != string(numbered(n)) {
			t.Fatalf("a torn record: %q", record)
		}
		seen[n]++
	}
	return seen
}

func openLog(t testing.TB, cfg LogConfig) *Log {
	t.Helper()
	if cfg.Now == nil {
		cfg.Now = func() time.Time { return start }
	}
	l, _, err := OpenLog(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func appendNumbered(t testing.TB, l *Log, numbers ...int64) {
	t.Helper()
	for _, n := range numbers {
		if err := l.Append(false, numbered(n)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestKilledProcessLosesNoAcknowledgedRecord kills processes that append, again and again on the same log.
func TestKilledProcessLosesNoAcknowledgedRecord(t *testing.T) {
	dir := t.TempDir()
	for round := range 5 {
		_ = os.RemoveAll(dir)
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
		l, found, err := OpenLog(LogConfig{Dir: dir, Now: func() time.Time { return start }})
		if err != nil || found.Damage != nil {
			t.Fatal(found, err)
		}
		appendNumbered(t, l, 0)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		seen := whole(t, dir)
		for _, n := range append(acknowledged, 0) {
			if seen[n] != 1 {
				t.Errorf("round %d: record %d is there %d times", round, n, seen[n])
			}
		}
	}
}

// TestFileThatCannotGrow: writes come through in part. What was acknowledged is there, what was refused is not, and no
// line is torn.
func TestFileThatCannotGrow(t *testing.T) {
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
		t.Fatalf("%d acknowledged and %d refused records prove nothing", len(acknowledged), len(refused))
	}
	if diff := cmp.Diff(acknowledged, seen); diff != "" {
		t.Errorf("acknowledged and written records differ (-acknowledged +written):\n%s", diff)
	}
}

// TestSegments: sizes and days begin new ones, and what takes no more lines is compressed. The chain goes through all of
// them and over restarts.
func TestSegments(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "audit")
	var clock atomic.Int64
	clock.Store(time.Date(2026, 11, 2, 23, 59, 0, 0, time.UTC).Unix())
	cfg := LogConfig{Dir: dir, SegmentSize: 2 << 10, Now: func() time.Time { return time.Unix(clock.Load(), 0).In(time.FixedZone("east", 9*3600)) }}
	l := openLog(t, cfg)
	node := l.Node()
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder is open to others: %v, %v", info.Mode(), err)
	}
	if info, err := os.Stat(segmentPath(dir, 1, plainEnd)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the segment is open to others: %v, %v", info.Mode(), err)
	}
	appendNumbered(t, l, 1)
	clock.Add(120) // the next day
	appendNumbered(t, l, 2)
	if at := l.forcedMark().segment; at != 2 {
		t.Errorf("a new day is in segment %d", at)
	}
	clock.Add(-86400) // a clock that steps back begins nothing
	appendNumbered(t, l, 3)
	for n := int64(4); n < 40; n++ {
		appendNumbered(t, l, n)
	}
	if err := errors.Join(l.Close(), l.Close()); err != nil {
		t.Fatal(err)
	}
	if err := l.Append(false, numbered(0)); !errors.Is(err, ErrClosed) {
		t.Errorf("a closed log answers %v", err)
	}
	before := l.Head()
	l = openLog(t, cfg)
	if l.Node() != node || l.Head() != before {
		t.Errorf("the next run is at %v, the last one was at %v", l.Head(), before)
	}
	if err := l.seal(); err != nil {
		t.Fatal(err)
	}
	appendNumbered(t, l, 40)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	all, err := segmentsIn(dir)
	if err != nil || len(all) < 4 {
		t.Fatalf("%d segments, %v", len(all), err)
	}
	for i, s := range all {
		if s.plain != (i == len(all)-1) {
			t.Errorf("segment %d is plain: %v", s.number, s.plain)
		}
	}
	seen := whole(t, dir)
	for n := int64(1); n <= 40; n++ {
		if seen[n] != 1 {
			t.Errorf("record %d is there %d times", n, seen[n])
		}
	}
}

// TestCompressionThatACrashInterrupted: the original counts until it is gone.
func TestCompressionThatACrashInterrupted(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, LogConfig{Dir: dir, SegmentSize: 512})
	appendNumbered(t, l, 1, 2, 3, 4, 5, 6)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	// The original is there again, beside what a crash left of its compression.
	plain := unpack(t, dir, 1)
	for _, leftover := range []string{segmentPath(dir, 1, sealedEnd), segmentPath(dir, 1, sealedEnd) + ".tmp", filepath.Join(dir, "next.tmp")} {
		if err := os.WriteFile(leftover, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(segmentPath(dir, 1, plainEnd), plain, 0o600); err != nil {
		t.Fatal(err)
	}
	l = openLog(t, LogConfig{Dir: dir, SegmentSize: 512})
	if err := l.seal(); err != nil {
		t.Fatal(err)
	}
	if seen := whole(t, dir); len(seen) != 6 {
		t.Errorf("%d records of 6", len(seen))
	}
}

// unpack is what a segment holds.
func unpack(t testing.TB, dir string, n uint64) []byte {
	t.Helper()
	r, err := openSegment(dir, n, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.close() }()
	text, err := io.ReadAll(r.r)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestRetention: segments whose time is over go, and the log says so; without a word of the log they are missing.
func TestRetention(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, LogConfig{Dir: dir, SegmentSize: 512, Keep: time.Hour})
	for n := range int64(12) {
		appendNumbered(t, l, n)
	}
	if err := l.seal(); err != nil {
		t.Fatal(err)
	}
	all, _ := segmentsIn(dir)
	for _, s := range all[:3] {
		old := start.Add(-2 * time.Hour)
		if err := os.Chtimes(segmentPath(dir, s.number, sealedEnd), old, old); err != nil {
			t.Fatal(err)
		}
	}
	first := Position{Node: l.Node(), Segment: 1}
	if err := l.expire(); err != nil {
		t.Fatal(err)
	}
	left, _ := segmentsIn(dir)
	if len(left) < 2 || left[0].number != 4 {
		t.Fatalf("left: %v of %v", left, all)
	}
	v, err := Verify(t.Context(), dir, nil)
	if err != nil || v.Broken != nil || v.First == 1 {
		t.Errorf("after the retention: %+v, %v", v, err)
	}
	if err := l.Read(t.Context(), first, func(Position, []byte) error { return nil }); !errors.Is(err, ErrPositionGone) {
		t.Errorf("reading from what is gone: %v", err)
	}
	if err := os.Remove(segmentPath(dir, 4, sealedEnd)); err != nil {
		t.Fatal(err)
	}
	if v, err := Verify(t.Context(), dir, nil); err != nil || v.Broken == nil || v.Broken.Segment != 4 {
		t.Errorf("a segment was removed by hand: %+v, %v", v, err)
	}
}

// TestLogThatCannotWrite: each attempt says so, and the log works again as soon as the disk does.
func TestLogThatCannotWrite(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, LogConfig{Dir: dir, SegmentSize: 512})
	appendNumbered(t, l, 1)
	// A folder in the place of the next segment.
	blocked := segmentPath(dir, 2, plainEnd)
	if err := os.Mkdir(blocked, 0o700); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := l.Append(false, numbered(2)); err == nil || !l.Broken() {
			t.Fatalf("a record that was not written is acknowledged: %v, broken %v", err, l.Broken())
		}
	}
	if err := os.Remove(blocked); err != nil {
		t.Fatal(err)
	}
	if err := l.Append(false, numbered(3)); err != nil || l.Broken() {
		t.Fatalf("the log does not recover: %v, broken %v", err, l.Broken())
	}
	if diff := cmp.Diff(map[int64]int{1: 1, 3: 1}, whole(t, dir)); diff != "" {
		t.Error(diff)
	}
}

// TestDiskThatRefusesWhatItTook: who waits for the disk is told, whoever makes it answer; and the next record is in a
// new segment.
func TestDiskThatRefusesWhatItTook(t *testing.T) {
	var told atomic.Int64
	l := openLog(t, LogConfig{Dir: t.TempDir(), Failed: func(error) { told.Add(1) }})
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if null.Sync() == nil {
		t.Skip("the null device can be synced here")
	}
	l.writing.Lock()
	l.forcing.Lock()
	_ = l.file.Close()
	l.file = null
	l.forcing.Unlock()
	l.writing.Unlock()
	if err := l.Append(true, numbered(1)); err == nil || !l.Broken() {
		t.Errorf("a record that the disk refused is acknowledged: %v, broken %v", err, l.Broken())
	}
	if err := l.Append(true, numbered(2)); err != nil || l.Broken() {
		t.Errorf("the log does not go on: %v, broken %v", err, l.Broken())
	}
	if l.forcedMark().segment != 2 {
		t.Error("a file that the disk refused is added to")
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

// TestRead: from any position the same records follow, in any form that their segment has, over restarts.
func TestRead(t *testing.T) {
	dir := t.TempDir()
	cfg := LogConfig{Dir: dir, SegmentSize: 1 << 10}
	l := openLog(t, cfg)
	for n := range int64(20) {
		appendNumbered(t, l, n)
	}
	if err := l.Flush(); err != nil {
		t.Fatal(err)
	}
	type read struct {
		next   Position
		record string
	}
	from := func(l *Log, p Position) (all []read) {
		t.Helper()
		err := l.Read(t.Context(), p, func(next Position, record []byte) error {
			all = append(all, read{next, string(record)})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	all := from(l, Position{})
	if len(all) != 20 {
		t.Fatalf("%d records of 20", len(all))
	}
	for n, r := range all {
		if r.record != string(numbered(int64(n))) {
			t.Errorf("record %d is %q", n, r.record)
		}
	}
	if err := l.seal(); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = openLog(t, cfg)
	for n, r := range all {
		p, err := ParsePosition(r.next.String())
		if err != nil || p != r.next {
			t.Fatalf("%v became %v, %v", r.next, p, err)
		}
		if diff := cmp.Diff(all[n+1:], from(l, p), cmp.AllowUnexported(read{}), cmp.Transformer("", func(r []read) []read { return slices.Clip(append([]read{}, r...)) })); diff != "" {
			t.Errorf("from %v:\n%s", p, diff)
		}
	}
	stop := errors.New("stop")
	if err := l.Read(t.Context(), Position{}, func(Position, []byte) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("an error of the visit became %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Read(ctx, Position{}, func(Position, []byte) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled reading ends with %v", err)
	}
	for _, p := range []Position{{Node: newNode(), Segment: 1}, {Node: l.Node(), Segment: 99}, {Node: l.Node(), Segment: l.Position().Segment, Offset: 1 << 40}} {
		if err := l.Read(t.Context(), p, func(Position, []byte) error { return nil }); !errors.Is(err, ErrPositionUnknown) {
			t.Errorf("from %v: %v", p, err)
		}
	}
}

// TestAppended follows a log: who asks, reads and waits in that order misses nothing.
func TestAppended(t *testing.T) {
	l := openLog(t, LogConfig{Dir: t.TempDir(), SegmentSize: 4 << 10})
	const all = 200
	go func() {
		for n := range int64(all) {
			_ = l.Append(n%3 == 0, numbered(n))
		}
		_ = l.Flush()
	}()
	var at Position
	var seen []int64
	for len(seen) < all {
		more := l.Appended()
		err := l.Read(t.Context(), at, func(next Position, record []byte) error {
			n, err := strconv.ParseInt(eventID(record), 10, 64)
			seen, at = append(seen, n), next
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(seen) < all {
			<-more
		}
	}
	for n, got := range seen {
		if got != int64(n) {
			t.Fatalf("record %d came as number %d", got, n)
		}
	}
}

func TestTokens(t *testing.T) {
	for _, s := range []string{"x", "0123456789abcdef/0/1", "0123456789abcdef/1/-1", "0123456789ABCDEF/1/1", "0123456789abcdef/1", "0123456789abcdef/1/1/1", "0123456789abcdef/99999999999999999999/1"} {
		if p, err := ParsePosition(s); err == nil {
			t.Errorf("%q is position %v", s, p)
		}
	}
	for _, s := range []string{"", "0123456789abcdef:1:", "0123456789abcdef:0:" + Hash{}.String(), "0123456789abcdef:1:" + Hash{}.String() + "00"} {
		if h, err := ParseHead(s); err == nil {
			t.Errorf("%q is head %v", s, h)
		}
	}
	h := Head{Node: "0123456789abcdef", Entry: 7, Hash: Hash{1, 2, 3}}
	if got, err := ParseHead(h.String()); err != nil || got != h {
		t.Errorf("%v became %v, %v", h, got, err)
	}
}
