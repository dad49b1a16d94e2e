package sink

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lakegate/lakegate/internal/trail"
)

func mustAbs(t testing.TB, path string) string {
	t.Helper()
	abs, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return abs
}

// contents are the eventIDs in a file, all of whose lines have to be whole.
func contents(t testing.TB, path string) (ids []string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(text) > 0 && text[len(text)-1] != '\n' {
		t.Errorf("%s ends in half a line", path)
	}
	for line := range bytes.Lines(text) {
		ids = append(ids, idOf(t, line))
	}
	return ids
}

// has reports whether a file has the line of a record, to its end; what comes after may be on its way.
func has(t testing.TB, path, id string) func() bool {
	return func() bool {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		_, after, found := bytes.Cut(text, []byte(`"eventID":"`+id+`"`))
		return found && bytes.Contains(after, []byte("\n"))
	}
}

func openFile(t testing.TB, c *File) *fileSink {
	t.Helper()
	f, err := newFile(c, Env{AuditDir: t.TempDir(), Now: func() time.Time { return start }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func deliver(t testing.TB, r receiver, numbers ...int) {
	t.Helper()
	if err := r.Deliver(t.Context(), lines(numbers...)); err != nil {
		t.Fatal(err)
	}
}

// TestFileFollowsTheLog over a restart of the server: each record once, in order.
func TestFileFollowsTheLog(t *testing.T) {
	b := newBench(t)
	path := filepath.Join(b.dir, "out.jsonl")
	b.add(numbers(1, 40)...)
	c := Config{Name: "archive", Records: 7, File: &File{Path: path, Mode: "0640"}}
	b.begin(c)
	until(t, has(t, path, "40"))
	b.settle()
	b.end()
	b.openLog()
	b.add(numbers(41, 60)...)
	b.begin(c)
	b.add(61)
	until(t, has(t, path, "61"))
	if ids := contents(t, path); !slices.Equal(ids, texts(numbers(1, 61))) {
		t.Errorf("got %v", ids)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o640 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func until(t *testing.T, there func() bool) {
	t.Helper()
	for ; !there(); time.Sleep(time.Millisecond) {
		if t.Context().Err() != nil {
			t.Fatal("it does not come")
		}
	}
}

// TestFileBeginsNow: a sink that wants nothing of before gets nothing of before.
func TestFileBeginsNow(t *testing.T) {
	b := newBench(t)
	path := filepath.Join(b.dir, "out.jsonl")
	b.add(1, 2)
	b.begin(Config{Name: "archive", From: fromNow, File: &File{Path: path}})
	b.add(3)
	until(t, has(t, path, "3"))
	if ids := contents(t, path); !slices.Equal(ids, []string{"3"}) {
		t.Errorf("got %v", ids)
	}
}

func TestFileRotates(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.jsonl")
	stranger := path + ".keep-me"
	if err := os.WriteFile(stranger, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f := openFile(t, &File{Path: path, RotateBytes: 1000, Keep: 2})
	var all []string
	for n := 1; n <= 20; n++ {
		deliver(t, f, n)
		if info, err := os.Stat(path); err != nil || info.Size() > 1000 {
			t.Fatalf("%v, %v", info.Size(), err)
		}
	}
	old, err := filepath.Glob(path + ".2*")
	if err != nil || len(old) != 2 {
		t.Fatalf("kept %v, %v", old, err)
	}
	for _, name := range append(old, path) {
		all = append(all, contents(t, name)...)
	}
	if want := texts(numbers(1, 20)); !slices.Equal(all, want[len(want)-len(all):]) {
		t.Errorf("got %v", all)
	}
	if _, err := os.Stat(stranger); err != nil {
		t.Errorf("a file of others is gone: %v", err)
	}
}

// TestFileOfOthersHands: what others may do to the file between two deliveries.
func TestFileOfOthersHands(t *testing.T) {
	for name, c := range map[string]struct {
		meddle func(path string) error
		want   []string // in the file of that name, after records 1 and 2, the meddling, and record 3
	}{
		"renamed, as logrotate does":         {func(p string) error { return os.Rename(p, p+".1") }, []string{"3"}},
		"removed":                            {os.Remove, []string{"3"}},
		"truncated, as copytruncate does":    {func(p string) error { return os.Truncate(p, 0) }, []string{"3"}},
		"half of its last line is cut off":   {func(p string) error { return os.Truncate(p, int64(len(record(1))+1+20)) }, []string{"1", "3"}},
		"a crash left nine bytes of a line":  {func(p string) error { return appendTo(p, `{"eventVe`) }, []string{"1", "2", "3"}},
		"a crash left most of a long record": {func(p string) error { return appendTo(p, string(record(9)[:90])) }, []string{"1", "2", "3"}},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "out.jsonl")
			f := openFile(t, &File{Path: path})
			deliver(t, f, 1, 2)
			if err := c.meddle(path); err != nil {
				t.Fatal(err)
			}
			deliver(t, f, 3)
			if got := contents(t, path); !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
	t.Run("somebody else writes into it", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "out.jsonl")
		f := openFile(t, &File{Path: path})
		deliver(t, f, 1)
		if err := appendTo(path, "a line without an end"); err != nil {
			t.Fatal(err)
		}
		before, _ := os.ReadFile(path)
		if err := f.Deliver(t.Context(), lines(2)); err == nil {
			t.Error("it was taken for one of ours")
		}
		if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
			t.Error("it was altered")
		}
	})
}

func appendTo(path, text string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// FuzzWholeLines: what is kept of any file is whole lines or nothing is touched.
func FuzzWholeLines(f *testing.F) {
	f.Add([]byte("{\"eventVersion\":\"1.11\"}\n{\"eventVersion\":"))
	f.Add([]byte("x"))
	f.Add([]byte("{\n{"))
	f.Fuzz(func(t *testing.T, text []byte) {
		n, err := wholeLines(bytes.NewReader(text), int64(len(text)))
		if err != nil {
			return
		}
		torn := string(text[n:])
		if strings.Contains(torn, "\n") || n > 0 && text[n-1] != '\n' {
			t.Errorf("cut at %d of %q", n, text)
		}
		if !strings.HasPrefix(torn, string(recordStart)) && !strings.HasPrefix(string(recordStart), torn) {
			t.Errorf("cut off %q, which is not ours", torn)
		}
	})
}

var _ receiver = (*fileSink)(nil)

// TestMissingRecordsAreToldInTheirPlace: the record of a gap has the form of others, and the same id whenever it is told.
func TestMissingRecordsAreToldInTheirPlace(t *testing.T) {
	g := trail.Gap{From: trail.Position{Node: "n", Segment: 1, Offset: 7}, To: trail.Position{Node: "n", Segment: 9}, Entries: 12}
	one, two := trail.MissingRecord(g, "n", "eu-central-1", start), trail.MissingRecord(g, "n", "eu-central-1", start.Add(time.Hour))
	if idOf(t, one) == "" || idOf(t, one) != idOf(t, two) {
		t.Errorf("ids %s and %s", idOf(t, one), idOf(t, two))
	}
	want := `{"eventVersion":"1.11","userIdentity":{"invokedBy":"lakegate.amazonaws.com","type":"AWSService"},"eventTime":"2026-11-02T10:00:05Z",` +
		`"eventSource":"lakegate.amazonaws.com","eventName":"AuditRecordsMissing","awsRegion":"eu-central-1","sourceIPAddress":"lakegate.amazonaws.com",` +
		`"userAgent":"lakegate.amazonaws.com","requestParameters":null,"responseElements":null,"eventID":"` + idOf(t, one) + `","readOnly":true,` +
		`"eventType":"AwsServiceEvent","managementEvent":true,"serviceEventDetails":{"entriesAtMost":12,"from":"n/1/7","node":"n","to":"n/9/0"},"eventCategory":"Management"}`
	if string(one) != want {
		t.Errorf("got %s\nwant %s", one, want)
	}
	g.To.Segment++
	if idOf(t, trail.MissingRecord(g, "n", "eu-central-1", start)) == idOf(t, one) {
		t.Error("another gap has the same id")
	}
}

// TestSinkThatCameTooLate gets the record of the gap, and then what there is.
func TestSinkThatCameTooLate(t *testing.T) {
	b := newBench(t)
	path := filepath.Join(b.dir, "out.jsonl")
	b.add(1, 2)
	// A place in a segment that is gone: here, of another log.
	if err := os.MkdirAll(filepath.Join(b.cfg.Dir, "followers"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(b.cfg.Dir, "followers", "sink.archive"), []byte("00000000000000ff/7/10 5\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b.begin(Config{Name: "archive", File: &File{Path: path}})
	until(t, has(t, path, "2"))
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if first, _, _ := strings.Cut(string(text), "\n"); !strings.Contains(first, `"AuditRecordsMissing"`) {
		t.Errorf("the first line is %s", first)
	}
	if ids := contents(t, path); len(ids) != 3 || !slices.Equal(ids[1:], []string{"1", "2"}) {
		t.Errorf("got %v", ids)
	}
}

// TestSinkThatWasTakenOut holds nothing any more.
func TestSinkThatWasTakenOut(t *testing.T) {
	b := newBench(t)
	path := filepath.Join(b.dir, "out.jsonl")
	c := Config{Name: "archive", File: &File{Path: path}}
	b.add(1)
	b.begin(c)
	until(t, has(t, path, "1"))
	if err := b.audit.SetPlace("trail.other", trail.Position{}); err != nil {
		t.Fatal(err)
	}
	b.settle()
	b.end()
	b.openLog()
	b.begin()
	if known, err := b.audit.Known(); err != nil || !slices.Equal(known, []string{"trail.other"}) {
		t.Errorf("the log holds records for %v, %v", known, err)
	}
	if !strings.Contains(b.said.String(), "no longer in the configuration") {
		t.Error("nobody was told")
	}
}
