package main

import (
	"strings"
	"testing"
)

// What others named cannot steer the terminal of whoever asks the doctor.
func TestDoctorPrintsPlainText(t *testing.T) {
	d := diagnosis{}
	d.Findings = append(d.Findings, struct{ Subject, Step, Outcome, Detail, Remedy string }{
		Subject: "application \x1b[2J\nissuer Forged", Step: "assignment", Outcome: "fail", Detail: "through the group \x1b]0;title\x07\tRed", Remedy: "assign\x00 somebody \u202e else",
	})
	var out strings.Builder
	if err := d.print(&out); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	if strings.ContainsAny(text, "\x1b\x07\x00\t\u202e") || strings.Count(text, "\n") != 3 {
		t.Errorf("printed %q", text)
	}
	if !strings.Contains(text, "FAIL") || !strings.Contains(text, "somebody") {
		t.Errorf("printed %q", text)
	}
}
