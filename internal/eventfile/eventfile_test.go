package eventfile

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"
	"pgregory.net/rapid"
)

// rowsOf reads a Parquet file back.
func rowsOf(t testing.TB, file []byte) (rows []Row, groups int) {
	t.Helper()
	f, err := parquet.OpenFile(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	r := parquet.NewGenericReader[Row](f)
	defer func() { _ = r.Close() }()
	rows = make([]Row, f.NumRows())
	if n, err := r.Read(rows); n != len(rows) || err != nil && !errors.Is(err, io.EOF) {
		t.Fatalf("read %d of %d rows: %v", n, len(rows), err)
	}
	return rows, len(f.RowGroups())
}

func parquetOf(t testing.TB, records ...[]byte) []byte {
	t.Helper()
	var file bytes.Buffer
	w := NewParquet(&file)
	for _, r := range records {
		if err := w.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

// TestGoldenRecordsAsRows: what a real server records of each kind of request becomes a row and comes back.
func TestGoldenRecordsAsRows(t *testing.T) {
	files, err := filepath.Glob("../../test/e2e/testdata/golden/*/*.json")
	if err != nil || len(files) < 100 {
		t.Fatalf("%d golden records, %v", len(files), err)
	}
	var records [][]byte
	for _, name := range files {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for d := json.NewDecoder(bytes.NewReader(bytes.ReplaceAll(content, []byte("<time>"), []byte("2026-11-02T10:00:05Z")))); d.More(); {
			var record json.RawMessage
			if err := d.Decode(&record); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			records = append(records, record)
		}
	}
	rows, _ := rowsOf(t, parquetOf(t, records...))
	if len(rows) != len(records) {
		t.Fatalf("%d rows of %d records", len(rows), len(records))
	}
	people, objects, shared := 0, 0, 0
	for i, row := range rows {
		want, err := RowOf(records[i])
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, row); diff != "" {
			t.Fatalf("row %d (-want +got):\n%s", i, diff)
		}
		if row.JSONRecord != string(records[i]) {
			t.Errorf("row %d has another record", i)
		}
		if row.Person != nil {
			people++
		}
		if row.Key != nil {
			objects++
		}
		if row.CallID != row.EventID {
			shared++
		}
	}
	if people < 20 || objects < 20 || shared < 4 {
		t.Errorf("%d rows name a person, %d an object, %d are copies", people, objects, shared)
	}
}

// TestAnyTextRoundTrips: whatever a client put into a key, an agent or a name comes back as it was.
func TestAnyTextRoundTrips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		hostile := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"=cmd()\n\u202e\"',;--x", "\x00", "a\r\nb", "\u2028", "%", "\ufffd", strings.Repeat("k", 4096), ""}))
		key, agent, person := hostile.Draw(t, "key"), hostile.Draw(t, "agent"), hostile.Draw(t, "person")
		record, err := json.Marshal(map[string]any{
			"eventID": "id", "eventTime": "2026-11-02T10:00:05Z", "eventSource": "s3.amazonaws.com", "eventName": "GetObject", "userAgent": agent,
			"requestParameters": map[string]any{"key": key, "bucketName": "data"}, "additionalEventData": map[string]any{"personUserName": person, "bytesTransferredOut": 1 << 40},
		})
		if err != nil {
			t.Fatal(err)
		}
		var file bytes.Buffer
		w := NewParquet(&file)
		if err := errors.Join(w.Add(record), w.Close()); err != nil {
			t.Fatal(err)
		}
		f, err := parquet.OpenFile(bytes.NewReader(file.Bytes()), int64(file.Len()))
		if err != nil {
			t.Fatal(err)
		}
		rows := make([]Row, 1)
		if n, err := parquet.NewGenericReader[Row](f).Read(rows); n != 1 || err != nil && !errors.Is(err, io.EOF) {
			t.Fatalf("%d rows, %v", n, err)
		}
		r := rows[0]
		if *r.Key != key || *r.UserAgent != agent || *r.Person != person || *r.BytesOut != 1<<40 || r.JSONRecord != string(record) || r.BytesIn != nil || r.Reason != nil {
			t.Fatalf("%q became %+v", record, r)
		}
	})
}

func TestRecordsThatAreUnlikeOurs(t *testing.T) {
	for name, test := range map[string]struct {
		record string
		ok     bool
	}{
		"least":              {`{"eventID":"a","eventTime":"2026-11-02T10:00:05Z"}`, true},
		"numbers for texts":  {`{"eventID":"a","eventTime":"2026-11-02T10:00:05Z","userAgent":1,"requestParameters":{"key":{"a":1},"bucketName":null}}`, true},
		"texts for objects":  {`{"eventID":"a","eventTime":"2026-11-02T10:00:05Z","userIdentity":"x","requestParameters":null,"additionalEventData":[1]}`, true},
		"texts for numbers":  {`{"eventID":"a","eventTime":"2026-11-02T10:00:05Z","additionalEventData":{"bytesTransferredIn":"1","bytesTransferredOut":1.5}}`, true},
		"no id":              {`{"eventTime":"2026-11-02T10:00:05Z"}`, false},
		"no time":            {`{"eventID":"a"}`, false},
		"another time":       {`{"eventID":"a","eventTime":"yesterday"}`, false},
		"no JSON":            {`{"eventID":`, false},
		"a list":             {`[]`, false},
		"bytes out of UTF-8": {"{\"eventID\":\"a\",\"eventTime\":\"2026-11-02T10:00:05Z\",\"userAgent\":\"\xff\"}", true},
	} {
		t.Run(name, func(t *testing.T) {
			row, err := RowOf([]byte(test.record))
			if (err == nil) != test.ok {
				t.Fatal(err)
			}
			if err != nil {
				return
			}
			rows, _ := rowsOf(t, parquetOf(t, []byte(test.record)))
			if diff := cmp.Diff([]Row{row}, rows); diff != "" || !utf8.ValidString(rows[0].JSONRecord) {
				t.Error(diff)
			}
		})
	}
}

// TestMemoryIsThatOfAGroup: three times as many rows take no more memory, since groups are written as they fill.
func TestMemoryIsThatOfAGroup(t *testing.T) {
	filler := strings.Repeat("x", 2000)
	grown := func(records int) (uint64, int64) {
		w := &counting{}
		p := NewParquet(w)
		var most uint64
		for i := range records {
			record := fmt.Appendf(nil, `{"eventID":"%d","eventTime":"2026-11-02T10:00:05Z","userAgent":"%d%s"}`, i, i, filler)
			if err := p.Add(record); err != nil {
				t.Fatal(err)
			}
			if i%20_000 == 19_999 {
				runtime.GC()
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				most = max(most, m.HeapAlloc)
			}
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		return most, w.n
	}
	few, _ := grown(20_000)
	many, written := grown(60_000)
	if many > 2*few+64<<20 {
		t.Errorf("%d MiB for three times as many rows, %d MiB for the first", many>>20, few>>20)
	}
	if written == 0 {
		t.Error("nothing was written")
	}
}

type counting struct{ n int64 }

func (c *counting) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return len(p), nil
}

func TestGroupsAreBounded(t *testing.T) {
	var file bytes.Buffer
	p := NewParquet(&file)
	record := fmt.Appendf(nil, `{"eventID":"a","eventTime":"2026-11-02T10:00:05Z","userAgent":"%s"}`, strings.Repeat("x", 1<<20))
	for range 70 {
		if err := p.Add(record); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if rows, groups := rowsOf(t, file.Bytes()); len(rows) != 70 || groups != 3 {
		t.Errorf("%d rows in %d groups", len(rows), groups)
	}
}

func TestLines(t *testing.T) {
	var out bytes.Buffer
	l := NewLines(&out)
	if err := errors.Join(l.Add([]byte(`{"a":1}`)), l.Add([]byte(`{"b":2}`)), l.Close()); err != nil || out.String() != "{\"a\":1}\n{\"b\":2}\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
	if l.Add([]byte("{\n}")) == nil {
		t.Error("two lines are one record")
	}
}

func pack(t testing.TB, text string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestDelivered(t *testing.T) {
	for name, test := range map[string]struct {
		file []byte
		want []string
		ok   bool
	}{
		"records":      {pack(t, `{"Records":[{"a":1}, {"b": "x y"}]}`+"\n"), []string{`{"a":1}`, `{"b":"x y"}`}, true},
		"none":         {pack(t, `{"Records":[]}`), nil, true},
		"a digest":     {pack(t, `{"awsAccountId":"111111111111"}`), nil, false},
		"cut off":      {pack(t, `{"Records":[{"a":1},{"b"`), []string{`{"a":1}`}, false},
		"without end":  {pack(t, `{"Records":[{"a":1}]`), []string{`{"a":1}`}, false},
		"with more":    {pack(t, `{"Records":[{"a":1}]}{}`), []string{`{"a":1}`}, false},
		"no gzip":      {[]byte(`{"Records":[]}`), nil, false},
		"half of gzip": {pack(t, `{"Records":[{"a":1}]}`)[:20], nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			err := Delivered(bytes.NewReader(test.file), func(record []byte) error { got = append(got, string(record)); return nil })
			if (err == nil) != test.ok || test.ok && !cmp.Equal(got, test.want) {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
	stop := errors.New("enough")
	if err := Delivered(bytes.NewReader(pack(t, `{"Records":[{},{}]}`)), func([]byte) error { return stop }); !errors.Is(err, stop) {
		t.Error(err)
	}
}

// TestABombIsRefused: a file that unpacks to more than any trail delivers ends in an error, not in memory.
func TestABombIsRefused(t *testing.T) {
	r, w := io.Pipe()
	go func() {
		z := gzip.NewWriter(w)
		_, err := io.WriteString(z, `{"Records":["`)
		for block := bytes.Repeat([]byte("x"), 1<<20); err == nil; {
			_, err = z.Write(block)
		}
		_ = w.CloseWithError(err)
	}()
	err := Delivered(r, func([]byte) error { return nil })
	_ = r.Close()
	if err == nil || !strings.Contains(err.Error(), "MiB") {
		t.Error(err)
	}
}

func BenchmarkParquet(b *testing.B) {
	record, err := os.ReadFile("../../test/e2e/testdata/golden/s3/vended-get.json")
	if err != nil {
		b.Fatal(err)
	}
	var line bytes.Buffer
	if err := json.Compact(&line, bytes.ReplaceAll(record, []byte("<time>"), []byte("2026-11-02T10:00:05Z"))); err != nil {
		b.Fatal(err)
	}
	w := &counting{}
	p := NewParquet(w)
	b.ReportAllocs()
	for b.Loop() {
		if err := p.Add(line.Bytes()); err != nil {
			b.Fatal(err)
		}
	}
	if err := p.Close(); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(w.n)/float64(b.N), "B/record")
}

func FuzzDelivered(f *testing.F) {
	f.Add(`{"Records":[{"eventID":"a","eventTime":"2026-11-02T10:00:05Z"}]}`)
	f.Add(`{"Records":[[[[`)
	f.Fuzz(func(t *testing.T, text string) {
		_ = Delivered(bytes.NewReader(pack(t, text)), func(record []byte) error {
			if _, err := RowOf(record); err != nil {
				return nil //nolint:nilerr // what is no record is none
			}
			if rows, _ := rowsOf(t, parquetOf(t, record)); len(rows) != 1 || rows[0].Time.Year() > 10000 || rows[0].Time.Before(time.Time{}) {
				t.Errorf("%q became %v", record, rows)
			}
			return nil
		})
	})
}
