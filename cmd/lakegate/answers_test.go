package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// Names are other people's: none is a formula in a spreadsheet, begins a line or steers a terminal.
func TestListingIsInert(t *testing.T) {
	entry := json.RawMessage(`{"PrincipalType":"PERSON","PrincipalId":"u","Name":"=cmd()\n\u001b[2J","Effective":true,"Permission":"READ"}`)
	row, err := accessRow(entry)
	if err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"table", "csv"} {
		var out strings.Builder
		l := &listing{out: &out, format: format, header: accessHeader}
		for range 2 {
			if err := l.show([]json.RawMessage{entry}, [][]string{append([]string{}, row...)}); err != nil {
				t.Fatal(err)
			}
		}
		if strings.Count(out.String(), "PRINCIPAL") != 1 {
			t.Errorf("%s: the header is not there once:\n%s", format, out.String())
		}
		if format == "table" && (strings.Contains(out.String(), "\x1b") || strings.Count(out.String(), "\n") != 3) {
			t.Errorf("a name steers the terminal: %q", out.String())
		}
		if format == "csv" && strings.Contains(out.String(), ",\"=cmd") {
			t.Errorf("a name is a formula: %q", out.String())
		}
	}
}
