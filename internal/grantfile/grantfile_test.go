package grantfile_test

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/lakegate/lakegate/internal/grantfile"
)

// all reads a file: its grants, and what is wrong with its lines.
func all(text, format string) (records []*grantfile.Record, wrong []string, err error) {
	r, err := grantfile.NewReader(strings.NewReader(text), format)
	if err != nil {
		return nil, nil, err
	}
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			return records, wrong, nil
		}
		if e, ok := errors.AsType[*grantfile.LineError](err); ok {
			wrong = append(wrong, e.Error())
			continue
		}
		if err != nil {
			return records, wrong, err
		}
		records = append(records, record)
	}
}

const head = "grantee_type,grantee,scope,permission,tags\n"

func TestRead(t *testing.T) {
	red := &grantfile.Record{Line: 2, GranteeType: "DIRECTORY_GROUP", Grantee: "Red, Group", Scope: "s3://lake/red/*", Permission: "READ", Tags: map[string]string{"a b": "c&d"}}
	for name, tt := range map[string]struct {
		text, format string
		want         []*grantfile.Record
	}{
		"CSV":                 {head + `DIRECTORY_GROUP,"Red, Group",s3://lake/red/*,READ,a+b=c%26d`, "", []*grantfile.Record{red}},
		"with CR":             {strings.ReplaceAll(head, "\n", "\r\n") + "DIRECTORY_GROUP,\"Red, Group\",s3://lake/red/*,READ,a+b=c%26d\r\n", "csv", []*grantfile.Record{red}},
		"with a mark":         {"\xef\xbb\xbf" + head + `DIRECTORY_GROUP,"Red, Group",s3://lake/red/*,READ,a+b=c%26d`, "", []*grantfile.Record{red}},
		"a guarded name":      {"grantee,grantee_type,permission,scope\n'=cmd(),IAM,READ,s3://l/x*\n", "", []*grantfile.Record{{Line: 2, GranteeType: "IAM", Grantee: "=cmd()", Scope: "s3://l/x*", Permission: "READ"}}},
		"JSON":                {"\n" + `{"grantee_type":"DIRECTORY_GROUP","grantee":"Red, Group","scope":"s3://lake/red/*","permission":"READ","tags":{"a b":"c&d"}}` + "\n\n", "json", []*grantfile.Record{red}},
		"nothing in JSON":     {"", "json", nil},
		"nothing but columns": {head, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, wrong, err := all(tt.text, tt.format)
			if d := cmp.Diff(tt.want, got); d != "" || wrong != nil || err != nil {
				t.Errorf("%v, %v (-want +got):\n%s", wrong, err, d)
			}
		})
	}
}

// TestBadInput: a bad line is told with its number and the next one is read; a bad file is refused.
func TestBadInput(t *testing.T) {
	good := "IAM,arn,s3://l/x*,READ,\n"
	for name, tt := range map[string]struct{ line, want string }{
		"an unknown permission":  {"IAM,arn,s3://l/x*,ALL,", "line 2: permission"},
		"an unknown type":        {"USER,arn,s3://l/x*,READ,", "line 2: grantee_type"},
		"no grantee":             {"IAM,,s3://l/x*,READ,", "line 2: grantee and scope"},
		"no scope":               {"IAM,arn,,READ,", "line 2: grantee and scope"},
		"too few fields":         {"IAM,arn", "line 2: it has"},
		"a line end in a field":  {"IAM,\"a\nb\",s3://l/x*,READ,", "line 2: grantee: it has control"},
		"a NUL":                  {"IAM,a\x00b,s3://l/x*,READ,", "line 2: grantee: it has control"},
		"not UTF-8":              {"IAM,a\xff,s3://l/x*,READ,", "line 2: grantee: it is not UTF-8"},
		"a tag twice":            {"IAM,arn,s3://l/x*,READ,a=1&a=2", "line 2: tags"},
		"tags that are no query": {"IAM,arn,s3://l/x*,READ,a=%zz", "line 2: tags"},
		"a control in a tag":     {"IAM,arn,s3://l/x*,READ,a=%0a", "line 2: tags"},
	} {
		records, wrong, err := all(head+tt.line+"\n"+good, "")
		if err != nil || len(records) != 1 || len(wrong) != 1 || !strings.HasPrefix(wrong[0], tt.want) {
			t.Errorf("%s: %d read, %v, %v", name, len(records), wrong, err)
		}
	}
	for name, line := range map[string]string{"no object": "[]", "an unknown field": `{"grantee":"a","x":1}`, "two objects": "{} {}", "not UTF-8": "{\"grantee\":\"\xff\"}", "null": "null"} {
		if records, wrong, err := all(line+"\n", "json"); len(records) != 0 || len(wrong) != 1 || err != nil {
			t.Errorf("JSON, %s: %v, %v, %v", name, records, wrong, err)
		}
	}
	for name, text := range map[string]string{
		"nothing": "", "an unknown column": "grantee,colour\n", "a column twice": "grantee,grantee\n", "a missing column": "grantee,scope\n",
		"a quote that is never closed": head + `IAM,"` + strings.Repeat("x", 2*grantfile.MaxLine), "a quote in the middle": head + `IAM,a"b,s3://l/x*,READ,`,
	} {
		if _, _, err := all(text, "csv"); err == nil {
			t.Errorf("%s: was read", name)
		}
	}
	if _, _, err := all(`{"grantee":"`+strings.Repeat("x", grantfile.MaxLine)+`"}`, "json"); err == nil {
		t.Error("a giant line was read")
	}
}

// TestWhatIsWrittenIsReadBack, whatever texts there are, and no field begins a formula.
func TestWhatIsWrittenIsReadBack(t *testing.T) {
	text := rapid.StringMatching(`[=+@'\-a-z ,"ä;%&|＝＋－＠　]{1,8}`)
	rapid.Check(t, func(t *rapid.T) {
		var want []*grantfile.Record
		for range rapid.IntRange(0, 3).Draw(t, "records") {
			r := &grantfile.Record{
				GranteeType: "IAM", Grantee: text.Draw(t, "grantee"), Scope: text.Draw(t, "scope"), Permission: "READ", Application: text.Draw(t, "application"), GranteeName: text.Draw(t, "name"),
			}
			if rapid.Bool().Draw(t, "tagged") {
				r.Tags = map[string]string{text.Draw(t, "key"): text.Draw(t, "value")}
			}
			want = append(want, r)
		}
		for _, format := range []string{grantfile.CSV, grantfile.JSON} {
			var b bytes.Buffer
			w, err := grantfile.NewWriter(&b, format)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range want {
				if err := w.Write(r); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
			got, wrong, err := all(b.String(), format)
			if d := cmp.Diff(want, got, cmpopts.IgnoreFields(grantfile.Record{}, "Line")); d != "" || wrong != nil || err != nil {
				t.Fatalf("%s: %v, %v (-want +got):\n%s\n%s", format, wrong, err, d, b.String())
			}
			if format == grantfile.CSV {
				rows, err := csv.NewReader(&b).ReadAll()
				if err != nil {
					t.Fatal(err)
				}
				for _, field := range slices.Concat(rows...) {
					if trimmed := strings.TrimLeft(field, " \u00a0\u3000"); trimmed != "" && strings.ContainsAny(string([]rune(trimmed)[:1]), "=+-@|%＝＋－＠") {
						t.Fatalf("a formula: %q", field)
					}
				}
			}
		}
	})
}

func FuzzRead(f *testing.F) {
	f.Add(head+"IAM,a,s3://l/x*,READ,a=b\n", "csv")
	f.Add(`{"grantee_type":"IAM","grantee":"a","scope":"s","permission":"READ"}`, "json")
	f.Add("\xef\xbb\xbf\"grantee\",\n", "")
	f.Fuzz(func(t *testing.T, text, format string) {
		records, _, err := all(text, format)
		if err != nil {
			return
		}
		for _, r := range records {
			if r.Line < 1 || r.Grantee == "" || strings.ContainsAny(r.Grantee+r.Scope, "\n\x00") {
				t.Fatalf("read %+v", r)
			}
		}
	})
}
