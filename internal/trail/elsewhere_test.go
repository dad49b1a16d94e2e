package trail

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestElsewhere: nodes that share a database know of each other's logs, those that grew in the time that is asked for.
func TestElsewhere(t *testing.T) {
	onEngines(t, func(t *testing.T, h *house) {
		other := &house{url: h.url, cfg: h.cfg}
		other.cfg.Dir = filepath.Join(t.TempDir(), "audit")
		other.clock.Store(h.clock.Load())
		other.open(t)
		if all, err := h.Elsewhere(t.Context(), time.Time{}); err != nil || len(all) != 0 {
			t.Errorf("before it recorded anything: %v, %v", all, err)
		}
		other.do(t, user(dataAccount, "someone"), getOp, nil)
		if err := other.Close(); err != nil { // an orderly stop notes the head
			t.Fatal(err)
		}
		if err := other.db.Close(); err != nil {
			t.Fatal(err)
		}
		h.do(t, user(dataAccount, "someone"), getOp, nil)
		h.noteHead(t.Context())
		for since, want := range map[time.Time]int{{}: 1, start.Add(-time.Hour): 1, start: 1, start.Add(time.Hour): 0} {
			all, err := h.Elsewhere(t.Context(), since)
			if err != nil || len(all) != want {
				t.Errorf("since %v: %v, %v", since, all, err)
			}
			if want == 1 && (all[0].Node != other.log.Node() || !all[0].Last.Equal(start)) {
				t.Errorf("since %v: %+v", since, all[0])
			}
		}
	})
}

// TestSearchGoesOnBehindDamage: who asks gets what can be read and hears what cannot; nothing is left out without a word.
func TestSearchGoesOnBehindDamage(t *testing.T) {
	for name, spoil := range map[string]func(packed []byte) []byte{
		"flipped": func(packed []byte) []byte {
			for i := len(packed) / 3; i < len(packed)/3+8; i++ {
				packed[i] ^= 0xff
			}
			return packed
		},
		"cut off": func(packed []byte) []byte { return packed[:len(packed)/2] },
		"empty":   func([]byte) []byte { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			_, cfg := writeLog(t, dir)
			path := segmentPath(dir, 2, sealedEnd)
			packed, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			whole := spoilt40(t, dir)
			if err := os.WriteFile(path, spoil(packed), 0o600); err != nil {
				t.Fatal(err)
			}
			l := openLog(t, cfg)
			for _, d := range []Direction{Forward, Backward} {
				if _, _, err := l.Search(context.Background(), &Filter{Anywhere: true}, Position{}, d, func(Hit) bool { return true }); err == nil {
					t.Error("who does not listen for damage gets no error")
				}
				var got, damage []string
				f := &Filter{Anywhere: true, Damaged: func(what string) { damage = append(damage, what) }}
				if _, more, err := l.Search(context.Background(), f, Position{}, d, func(h Hit) bool { got = append(got, eventID(h.Record)); return true }); err != nil || more {
					t.Fatalf("%v, %v", more, err)
				}
				if d == Backward {
					slices.Reverse(got)
				}
				if want := slices.DeleteFunc(slices.Clone(whole[0]), func(id string) bool { return slices.Contains(whole[2], id) }); !slices.Equal(got, want) {
					t.Errorf("found %v, want %v", got, want)
				}
				if len(damage) != 1 || !strings.HasPrefix(damage[0], "segment 2 of the audit log of node "+l.Node()) {
					t.Errorf("told %q", damage)
				}
			}
		})
	}
}

// spoilt40 are the ids of the records of a log, and under 2 those of its second segment.
func spoilt40(t *testing.T, dir string) map[int][]string {
	t.Helper()
	ids := map[int][]string{}
	err := ReadDir(t.Context(), dir, Position{}, func(next Position, record []byte) error {
		ids[0] = append(ids[0], eventID(record))
		if next.Segment == 2 {
			ids[2] = append(ids[2], eventID(record))
		}
		return nil
	})
	if err != nil || len(ids[2]) == 0 || len(ids[2]) == len(ids[0]) {
		t.Fatalf("%v, %v", ids, err)
	}
	return ids
}
