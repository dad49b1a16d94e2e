package trail

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
)

// writeLog makes a log of sealed segments and a last one, closes it and returns its head.
func writeLog(t *testing.T, dir string) (Head, LogConfig) {
	t.Helper()
	cfg := LogConfig{Dir: dir, SegmentSize: 4 << 10, Now: func() time.Time { return start }}
	l := openLog(t, cfg)
	for n := range int64(40) {
		appendNumbered(t, l, n)
	}
	if err := l.seal(); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return l.Head(), cfg
}

// edit changes the bytes of a segment, in the form that it lies in.
func edit(t *testing.T, dir string, n uint64, change func(text []byte) []byte) {
	t.Helper()
	text := change(unpack(t, dir, n))
	path := segmentPath(dir, n, plainEnd)
	if _, err := os.Stat(path); err != nil {
		path = segmentPath(dir, n, sealedEnd)
		z, err := zstd.NewWriter(nil)
		if err != nil {
			t.Fatal(err)
		}
		text = z.EncodeAll(text, nil)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// rewrite gives the lines of a segment fresh hashes, as whoever knows the format can.
func rewrite(t *testing.T, text []byte) []byte {
	t.Helper()
	var before Hash
	header, err := parseNote(text[:bytes.IndexByte(text, '\n')+1])
	if err != nil || !before.read([]byte(header.Previous)) {
		t.Fatal(err)
	}
	c := newChain(before)
	var out []byte
	for line := range bytes.Lines(text) {
		entry, ok := entryOf(bytes.Clone(line))
		if !ok {
			t.Fatalf("not a line: %q", line)
		}
		out = c.appendLine(out, entry)
	}
	return out
}

// TestVerifyTellsTheFirstBreak attacks a log in each way that files can be attacked.
func TestVerifyTellsTheFirstBreak(t *testing.T) {
	third := func(text []byte) int64 { // the offset of the third line
		first := bytes.IndexByte(text, '\n') + 1
		return int64(first + bytes.IndexByte(text[first:], '\n') + 1)
	}
	for _, test := range []struct {
		name    string
		attack  func(t *testing.T, dir string, last uint64)
		segment uint64 // 0: the last one
		what    string
	}{
		{"a byte of a sealed segment", func(t *testing.T, dir string, _ uint64) {
			edit(t, dir, 2, func(b []byte) []byte { b[third(b)+10] ^= 1; return b })
		}, 2, "does not continue the chain"},
		{"a byte of the last segment", func(t *testing.T, dir string, last uint64) {
			edit(t, dir, last, func(b []byte) []byte { b[len(b)-100] ^= 1; return b })
		}, 0, "does not continue the chain"},
		{"a line is gone", func(t *testing.T, dir string, _ uint64) {
			edit(t, dir, 3, func(b []byte) []byte {
				at := third(b)
				return append(b[:at:at], b[at+int64(bytes.IndexByte(b[at:], '\n'))+1:]...)
			})
		}, 3, "does not continue the chain"},
		{"two lines are exchanged", func(t *testing.T, dir string, _ uint64) {
			edit(t, dir, 2, func(b []byte) []byte {
				lines := bytes.SplitAfter(b, []byte("\n"))
				lines[2], lines[3] = lines[3], lines[2]
				return bytes.Join(lines, nil)
			})
		}, 2, "does not continue the chain"},
		{"a sealed segment is shorter", func(t *testing.T, dir string, _ uint64) {
			edit(t, dir, 2, func(b []byte) []byte { return b[:third(b)] })
		}, 3, "does not continue the segment before"},
		{"a sealed segment ends in a line", func(t *testing.T, dir string, _ uint64) {
			edit(t, dir, 2, func(b []byte) []byte { return b[:third(b)+10] })
		}, 2, "does not end"},
		{"a segment written anew", func(t *testing.T, dir string, _ uint64) {
			edit(t, dir, 2, func(b []byte) []byte { b[third(b)+6] ^= 1; return rewrite(t, b) })
		}, 3, "does not continue the segment before"},
		{"the compressed bytes", func(t *testing.T, dir string, _ uint64) {
			path := segmentPath(dir, 2, sealedEnd)
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			text[len(text)/2] ^= 0xff
			if err := os.WriteFile(path, text, 0o600); err != nil {
				t.Fatal(err)
			}
		}, 2, ""},
		{"a segment is gone", func(t *testing.T, dir string, _ uint64) {
			if err := os.Remove(segmentPath(dir, 2, sealedEnd)); err != nil {
				t.Fatal(err)
			}
		}, 2, "is missing"},
		{"the first segment is gone", func(t *testing.T, dir string, _ uint64) {
			if err := os.Remove(segmentPath(dir, 1, sealedEnd)); err != nil {
				t.Fatal(err)
			}
		}, 1, "is missing"},
		{"the last segment is gone", func(t *testing.T, dir string, last uint64) {
			if err := os.Remove(segmentPath(dir, last, plainEnd)); err != nil {
				t.Fatal(err)
			}
		}, 0, "cut off"},
		{"the last lines are gone", func(t *testing.T, dir string, last uint64) {
			edit(t, dir, last, func(b []byte) []byte { return b[:bytes.LastIndexByte(b[:len(b)-1], '\n')+1] })
		}, 0, "cut off"},
		{"the end is written anew", func(t *testing.T, dir string, last uint64) {
			edit(t, dir, last, func(b []byte) []byte { b[third(b)-5-int64(chainSize)] ^= 1; return rewrite(t, b) })
		}, 0, "written anew"},
		{"a line without an end", func(t *testing.T, dir string, _ uint64) {
			edit(t, dir, 1, func(b []byte) []byte { return append(b, bytes.Repeat([]byte("x"), maxLine+1<<20)...) })
		}, 1, "longer than any"},
		{"everything is gone", func(t *testing.T, dir string, _ uint64) {
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
		}, 0, "cut off"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "audit")
			head, _ := writeLog(t, dir)
			v, err := Verify(t.Context(), dir, []Head{head, {Node: newNode(), Entry: 1 << 40}})
			if err != nil || v.Broken != nil || v.Records != 40 || v.Head != head {
				t.Fatalf("untouched: %+v, %v", v, err)
			}
			all, err := segmentsIn(dir)
			if err != nil || len(all) < 4 {
				t.Fatal(all, err)
			}
			test.attack(t, dir, all[len(all)-1].number)
			v, err = Verify(t.Context(), dir, []Head{head})
			if err != nil || v.Broken == nil {
				t.Fatalf("the attack is not noticed: %+v, %v", v, err)
			}
			if test.segment != 0 && v.Broken.Segment != test.segment || !strings.Contains(v.Broken.What, test.what) {
				t.Errorf("the break is told as %s", v.Broken)
			}
		})
	}
}

// TestStartAfterACrash: a torn end is cut off, and nothing else is; the log says so itself.
func TestStartAfterACrash(t *testing.T) {
	zeros := strings.Repeat("\x00", 5000)
	for _, test := range []struct {
		name    string
		leave   func(text []byte) []byte
		records int
		cut     int64
		kept    bool
		damage  string
	}{
		{"nothing", func(b []byte) []byte { return b }, 40, 0, false, ""},
		{"a torn line", func(b []byte) []byte { return append(b, `{"n":41,"fi`...) }, 40, 11, false, ""},
		{"a torn hash", func(b []byte) []byte { return b[:len(b)-5] }, 39, -1, false, ""},
		{"a long torn line", func(b []byte) []byte { return append(b, strings.Repeat("x", 300<<10)...) }, 40, 300 << 10, false, ""},
		{"pages that were not written", func(b []byte) []byte { return append(b, zeros...) }, 40, 5000, false, ""},
		{"pages that were not written, and one after them that was", func(b []byte) []byte { return append(append(b, zeros...), "tail\"}\n{}\n"...) }, 40, 5000 + 10, true, ""},
		{"an altered line", func(b []byte) []byte { b[len(b)-100] ^= 1; return b }, 39, 0, false, "does not continue"},
		{"an altered line and one that is torn", func(b []byte) []byte { b[len(b)-100] ^= 1; return append(b, "{"...) }, 39, 0, false, "does not continue"},
		{"an altered beginning", func(b []byte) []byte { b[3] ^= 1; return b }, -1, 0, false, "beginning"},
		{"an empty file", func([]byte) []byte { return nil }, -1, 0, false, "beginning"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			head, cfg := writeLog(t, dir)
			all, _ := segmentsIn(dir)
			last := all[len(all)-1].number
			edit(t, dir, last, test.leave)
			left := unpack(t, dir, last)
			l, found, err := OpenLog(cfg)
			if err != nil {
				t.Fatal(err)
			}
			appendNumbered(t, l, 100)
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			if test.cut >= 0 && found.Cut != test.cut || test.cut < 0 && found.Cut == 0 {
				t.Errorf("cut %d bytes, want %d", found.Cut, test.cut)
			}
			if (found.CutTo != "") != test.kept {
				t.Errorf("what was cut off is in %q", found.CutTo)
			}
			if l.Node() != head.Node {
				t.Error("the log has another node")
			}
			v, err := Verify(t.Context(), dir, nil)
			if err != nil {
				t.Fatal(err)
			}
			if test.damage != "" {
				if found.Damage == nil || !strings.Contains(found.Damage.What, test.damage) || v.Broken == nil || v.Broken.Segment != last {
					t.Errorf("found %+v, verified %+v", found.Damage, v.Broken)
				}
				if !bytes.Equal(left, unpack(t, dir, last)) {
					t.Error("the damaged segment was changed")
				}
				if l.forcedMark().segment != last+1 {
					t.Error("the log goes on in the damaged segment")
				}
				return
			}
			if found.Damage != nil || v.Broken != nil || int(v.Records) != test.records+1 {
				t.Errorf("found %+v, verified %+v", found.Damage, v)
			}
			if (len(v.Cuts) == 1) != (test.cut != 0) {
				t.Errorf("the log tells of the cuts %q", v.Cuts)
			}
		})
	}
}

// TestTruncationIsNoticedByTheDatabase: files alone cannot tell that their end is missing.
func TestTruncationIsNoticedByTheDatabase(t *testing.T) {
	onEngines(t, func(t *testing.T, h *house) {
		for range 5 {
			h.do(t, user(dataAccount, "anna"), readOp, nil)
		}
		h.crash(t)
		edit(t, h.cfg.Dir, 1, func(b []byte) []byte { return b[:bytes.LastIndexByte(b[:len(b)-1], '\n')+1] })
		var told bytes.Buffer
		h.cfg.Log = slog.New(slog.NewTextHandler(&told, nil))
		h.open(t)
		if !h.Tampered() || !strings.Contains(told.String(), "not what it was") {
			t.Errorf("tampered %v, told %s", h.Tampered(), told.String())
		}
		if heads, err := Heads(t.Context(), h.db); err != nil || len(heads) != 1 || heads[0].Node != h.log.Node() {
			t.Errorf("heads: %v, %v", heads, err)
		}
		v, err := Verify(t.Context(), h.cfg.Dir, nil)
		if err != nil || v.Broken == nil || !strings.Contains(v.Broken.What, "the database knows entry") {
			t.Errorf("the log does not keep what was found: %+v, %v", v, err)
		}
	})
}

// mountSmall mounts a file system of one megabyte, on which a disk can really be full.
func mountSmall(t *testing.T) (dir string, remount func(flags uintptr, size string)) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("a file system cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir, func(flags uintptr, size string) {
		if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT|flags, size); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFullAndReadOnlyDisk: what was acknowledged is there; nothing is acknowledged that is not; and the log goes on as
// soon as the disk does.
func TestFullAndReadOnlyDisk(t *testing.T) {
	dir, remount := mountSmall(t)
	l, _, err := OpenLog(LogConfig{Dir: filepath.Join(dir, "audit"), Now: func() time.Time { return start }})
	if err != nil {
		t.Fatal(err)
	}
	acknowledged := map[int64]bool{}
	refused := 0
	for n := int64(0); refused < 50; n++ {
		if err := l.Append(n%2 == 0, numbered(n)); err == nil {
			acknowledged[n] = true
		} else if refused++; !l.Broken() {
			t.Fatalf("a full disk goes unnoticed: %v", err)
		}
	}
	check := func() {
		t.Helper()
		seen := whole(t, filepath.Join(dir, "audit"))
		if len(seen) != len(acknowledged) {
			t.Errorf("%d records, %d acknowledged", len(seen), len(acknowledged))
		}
		for n := range acknowledged {
			if seen[n] != 1 {
				t.Fatalf("record %d is there %d times", n, seen[n])
			}
		}
	}
	check()
	remount(0, "size=2m")
	if err := l.Append(true, numbered(1<<40)); err != nil || l.Broken() {
		t.Fatalf("the log does not go on: %v", err)
	}
	acknowledged[1<<40] = true
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	check()
	remount(syscall.MS_RDONLY, "")
	if _, _, err := OpenLog(LogConfig{Dir: filepath.Join(dir, "audit"), Now: time.Now}); err == nil {
		t.Error("a log opens on a read-only disk")
	}
	check()
}

// FuzzVerify: whatever a segment holds, reading, verifying and opening it end, and what could be appended can be read.
func FuzzVerify(f *testing.F) {
	f.Add([]byte("{}\n{"), true)
	f.Add([]byte("\x00\n"), false)
	f.Add([]byte(`{"lakegateLog":1,"kind":"segment","node":"0123456789abcdef","segment":1,"entry":1,"oldest":1}`+"\n"), true)
	f.Fuzz(func(t *testing.T, text []byte, after bool) {
		dir := t.TempDir()
		if after {
			// A whole log, and the text behind it.
			l := openLog(t, LogConfig{Dir: dir})
			appendNumbered(t, l, 1)
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			text = append(unpack(t, dir, 1), text...)
		}
		if err := os.WriteFile(segmentPath(dir, 1, plainEnd), text, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Verify(t.Context(), dir, nil); err != nil {
			t.Fatal(err)
		}
		l := openLog(t, LogConfig{Dir: dir})
		appendNumbered(t, l, 2)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		var got []string
		err := l.Read(t.Context(), Position{}, func(_ Position, record []byte) error { got = append(got, string(record)); return nil })
		if err != nil || len(got) == 0 || got[len(got)-1] != string(numbered(2)) || after && got[0] != string(numbered(1)) {
			t.Errorf("read %q, %v", got, err)
		}
	})
}
