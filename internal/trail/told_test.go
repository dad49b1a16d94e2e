package trail

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestGoldenRecordsOfTheLog holds the records that the log makes of itself for those that it is brought to.
func TestGoldenRecordsOfTheLog(t *testing.T) {
	at := func(segment uint64, offset int64) Position {
		return Position{Node: "4f0e9a510d5d3c1f", Segment: segment, Offset: offset}
	}
	for name, record := range map[string][]byte{
		"audit-records-missing": MissingRecord(Gap{From: at(3, 1000), To: at(7, 0), Entries: 5120}, "4f0e9a510d5d3c1f", "eu-central-1", start),
		"audit-record-damaged":  DamagedRecord(Line{Next: at(3, 1000), Record: []byte("secret, \x00 and no record"), Damage: "a line has no hash"}, "eu-central-1", start),
	} {
		var got bytes.Buffer
		if err := json.Indent(&got, record, "", "  "); err != nil {
			t.Fatal(err)
		}
		got.WriteByte('\n')
		path := filepath.Join("testdata", "records", name+".json")
		if *update {
			if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got.String()); diff != "" {
			t.Errorf("record differs (-want +got):\n%s", diff)
		}
		if bytes.Contains(got.Bytes(), []byte("secret")) {
			t.Errorf("%s repeats what nobody vouches for", name)
		}
	}
	// The same gap and the same damage have the same id, whenever they are told; others have another.
	one := Line{Next: at(3, 1000), Record: []byte("x")}
	two := Line{Next: at(3, 2000), Record: []byte("x")}
	if eventID(DamagedRecord(one, "r", start)) != eventID(DamagedRecord(one, "r", start.Add(time.Hour))) || eventID(DamagedRecord(one, "r", start)) == eventID(DamagedRecord(two, "r", start)) {
		t.Error("damage has no id of its own")
	}
}
