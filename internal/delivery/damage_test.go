package delivery_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lakegate/lakegate/internal/api/cloudtrail"
	"github.com/lakegate/lakegate/internal/storage"
	"github.com/lakegate/lakegate/internal/trail"
)

// damage alters the log of a node where a text stands.
func (n *node) damage(t *testing.T, dir, text, with string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		before, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(before, []byte(text)) {
			continue
		}
		if err := os.WriteFile(name, bytes.Replace(before, []byte(text), []byte(with), 1), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Fatalf("the log does not have %q in plain", text)
}

// damages are the records in the bucket that tell of damage.
func (h *house) damages() (all []map[string]any) {
	h.t.Helper()
	for _, key := range h.keys("CloudTrail") {
		text, _ := h.read(key)
		var file struct {
			Records []struct {
				EventName, EventID  string
				ServiceEventDetails map[string]any
			}
		}
		if err := json.Unmarshal(text, &file); err != nil {
			h.t.Fatalf("%s is no JSON: %v", key, err)
		}
		for _, r := range file.Records {
			if r.EventName == "AuditRecordDamaged" {
				r.ServiceEventDetails["eventID"] = r.EventID
				all = append(all, r.ServiceEventDetails)
			}
		}
	}
	return all
}

// TestAlteredLinesHoldNothingUp: whoever spoils a line of the log hides neither that they did nor what else happened.
func TestAlteredLinesHoldNothingUp(t *testing.T) {
	for name, with := range map[string][2]string{
		"no JSON": {`"eventName":"Spoilt"`, `"eventName":"Spoi"t"`},
		"no hash": {`"eventName":"Spoilt"`, `"eventName":"Spo` + "\n" + `lt`},
		"a note":  {`{"eventTime":"2026-11-02T09:58:30Z","eventSource":"iam.amazonaws.com","eventName":"Spoilt"`, `{"lakegateLog":1,"kind":"nothing","detail":"012345678901234567890123456789012345678901234"`},
		"zeroes":  {`{"eventTime":"2026-11-02T09:58:30Z","eventSource":"iam.amazonaws.com","eventName":"Spoilt"`, strings.Repeat("\x00", 86)},
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t, "sqlite")
			h.trail()
			n := h.nodes[0]
			n.happen(h, account, "Before", "Spoilt", "After")
			n.damage(t, n.dir, with[0], with[1])
			h.turn()
			if got := h.delivered(); got["Before"] != 1 || got["After"] != 1 || got["Spoilt"] != 0 || got["AuditRecordDamaged"] == 0 {
				t.Fatalf("delivered %v", got)
			}
			told := h.damages()
			if len(told[0]["sha256"].(string)) != 64 || told[0]["damage"] == "" || !strings.HasPrefix(told[0]["before"].(string), n.log.Node()+"/1/") {
				t.Errorf("told %v", told)
			}
			if f := h.failure(); !strings.Contains(f, "has been altered") || !strings.Contains(f, n.log.Node()) {
				t.Errorf("the status is %q", f)
			}
			if n.Damaged() != int64(len(told)) {
				t.Errorf("%d are counted, %d told", n.Damaged(), len(told))
			}
			v, err := trail.Verify(t.Context(), n.dir, nil)
			if err != nil || v.Broken == nil {
				t.Errorf("verify says %+v, %v", v, err)
			}
			// It is over with the next file, and the digests are valid.
			n.happen(h, account, "Later")
			h.pass(time.Hour)
			h.tend()
			if f := h.failure(); f != "" || h.delivered()["Later"] != 1 {
				t.Errorf("afterwards the status is %q: %v", f, h.delivered())
			}
			named := 0
			for _, d := range h.digests() {
				named += len(d.LogFiles)
			}
			if named != len(h.keys("CloudTrail")) {
				t.Errorf("the digests name %d of %d files", named, len(h.keys("CloudTrail")))
			}
		})
	}
}

// TestDamageIsToldToEachTrail, also to one that selects next to nothing, and to another account's: nobody knows whose the
// record was. It tells them nothing but its hash.
func TestDamageIsToldToEachTrail(t *testing.T) {
	h := open(t, "sqlite")
	h.trail()
	n := h.nodes[0]
	if _, err := n.PutEventSelectors(admin(), &cloudtrail.PutEventSelectorsInput{TrailName: "everything", AdvancedEventSelectors: []cloudtrail.AdvancedEventSelector{
		{FieldSelectors: []cloudtrail.AdvancedFieldSelector{{Field: "eventCategory", Equals: []string{"Management"}}, {Field: "eventName", Equals: []string{"Nothing"}}}}}}); err != nil {
		t.Fatal(err)
	}
	n.happen(h, other, "Secret")
	n.damage(t, n.dir, `"eventName":"Secret"`, `"eventName":"Secret`)
	h.turn()
	got := h.delivered()
	if len(got) != 1 || got["AuditRecordDamaged"] != 1 {
		t.Errorf("delivered %v", got)
	}
	for _, key := range h.keys("CloudTrail") {
		if text, _ := h.read(key); strings.Contains(string(text), "Secret") {
			t.Errorf("another account's record is in %s", text)
		}
	}
}

// TestSpoiltSegment: what was written after a segment that cannot be read is delivered.
func TestSpoiltSegment(t *testing.T) {
	h := open(t, "sqlite")
	h.trail()
	n := h.nodes[0]
	for range 60 { // several segments of 4 KiB
		n.happen(h, account, "Early")
	}
	n.happen(h, account, "Late")
	// What takes no more lines is compressed in the background.
	for {
		if _, err := os.Stat(filepath.Join(n.dir, "000000000002.jsonl")); errors.Is(err, fs.ErrNotExist) {
			break
		}
		if t.Context().Err() != nil {
			t.Fatal("the segment is not compressed")
		}
		time.Sleep(time.Millisecond)
	}
	second := filepath.Join(n.dir, "000000000002.jsonl.zst")
	text, err := os.ReadFile(second)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(second, text[:len(text)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	h.turn()
	got := h.delivered()
	if got["Late"] != 1 || got["AuditRecordDamaged"] != 1 || got["Early"] == 0 || got["Early"] >= 60 {
		t.Errorf("delivered %v", got)
	}
	if told := h.damages(); !strings.HasPrefix(told[0]["damage"].(string), "segment 2 cannot be read after ") {
		t.Errorf("told %v", told)
	}
	if err := os.Remove(second); err != nil {
		t.Fatal(err)
	}
	if err := n.log.SetPlace("trail-"+account+"-everything", trail.Position{}); err != nil {
		t.Fatal(err)
	}
	n.happen(h, account, "Last")
	h.turn()
	if told := h.damages(); len(told) != 2 || told[1]["damage"] != "what is between segments 1 and 3 is missing" || h.delivered()["Last"] != 1 {
		t.Errorf("told %v, delivered %v", told, h.delivered())
	}
}

// TestOneTrailHoldsUpNoOther: an internal error of one trail is told, and the others of that tick are looked after.
func TestOneTrailHoldsUpNoOther(t *testing.T) {
	h := open(t, "sqlite")
	h.allowAll()
	h.trail()
	n := h.nodes[0]
	for _, name := range []string{"aaa", "zzz"} {
		if _, err := n.CreateTrail(admin(), &cloudtrail.CreateTrailInput{Name: name, S3BucketName: lake, S3KeyPrefix: new(name)}); err != nil {
			t.Fatal(err)
		}
		if _, err := n.StartLogging(admin(), &cloudtrail.StartLoggingInput{Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	h.tend()
	h.turn()
	// The first trail's place is one that cannot be read.
	place := filepath.Join(n.dir, "followers", "trail-"+account+"-aaa")
	if _, err := os.Stat(place); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(place, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	n.happen(h, account, "Told")
	h.pass(5 * time.Minute)
	if err := n.Tend(t.Context()); err == nil {
		t.Fatal("a place that cannot be read is no error")
	}
	if got := h.delivered(); got["Told"] != 1 {
		t.Errorf("the second trail delivered %v", got)
	}
	out, err := h.objects.ListObjectsV2(t.Context(), &storage.ListObjectsV2Input{Bucket: lake, Prefix: "zzz/", MaxKeys: 10})
	if err != nil || len(out.Objects) == 0 {
		t.Errorf("the last trail delivered %v, %v", out, err)
	}
}
