package sink

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestDamageIsToldToSinks: in the place of a line that somebody has spoilt, a sink gets a record that says so, once, and what
// comes behind follows.
func TestDamageIsToldToSinks(t *testing.T) {
	b := newBench(t)
	path := filepath.Join(t.TempDir(), "out.jsonl")
	b.add(1, 2, 3)
	segment := filepath.Join(b.cfg.Dir, "000000000001.jsonl")
	text, err := os.ReadFile(segment)
	if err != nil {
		t.Fatal(err)
	}
	// Without its hash a line is none, whatever it says.
	at := bytes.Index(text, []byte(`"eventID":"2"`))
	chain := at + bytes.Index(text[at:], []byte(`"chain"`))
	copy(text[chain:], `"shame"`)
	if err := os.WriteFile(segment, text, 0o600); err != nil {
		t.Fatal(err)
	}
	c := Config{Name: "archive", Select: selection(t, "[{eventName: {equals: [GetObject]}}]"), File: &File{Path: path}}
	b.begin(c)
	until(t, has(t, path, "3"))
	b.settle()
	if n := b.sinks.Counts()[0].Damaged; n != 1 {
		t.Errorf("%d are counted", n)
	}
	if !strings.Contains(b.said.String(), "the audit log has been altered") {
		t.Error("the server's log does not say it")
	}
	b.end()
	b.openLog()
	b.begin(c)
	b.add(4)
	until(t, has(t, path, "4"))
	got := contents(t, path)
	if len(got) != 4 || len(got[1]) != 36 {
		t.Fatalf("delivered %q", got)
	}
	if diff := cmp.Diff([]string{"1", got[1], "3", "4"}, got); diff != "" {
		t.Error(diff)
	}
	out, err := os.ReadFile(path)
	if err != nil || bytes.Count(out, []byte("AuditRecordDamaged")) != 1 || bytes.Contains(out, []byte("shame")) {
		t.Errorf("delivered %s, %v", out, err)
	}
}
