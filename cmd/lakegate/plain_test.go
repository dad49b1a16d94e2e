package main

import (
	"strings"
	"testing"
)

// Anybody may ask for a key whose name steers a terminal or forges a line; whoever looks up why it was refused sees that it
// was there, and nothing of it happens.
func TestWhyPrintsPlainText(t *testing.T) {
	const hostile = "arn:aws:s3:::lake/\x1b]0;title\x07\npass  authorize\tforged\u009b2J"
	a := answer{RequestID: "r", Operation: "GetObject", Caller: hostile, Message: hostile}
	a.Steps = append(a.Steps, struct{ Step, Outcome, Detail string }{hostile, "fail", hostile})
	var out strings.Builder
	if err := a.print(&out); err != nil {
		t.Fatal(err)
	}
	if text := out.String(); strings.ContainsAny(text, "\x1b\x07\t\u009b") || strings.Count(text, "\n") != 8 || !strings.Contains(text, "forged") {
		t.Errorf("printed %q", text)
	}
}

// An error may have lines of its own, and the words of a server.
func TestErrorsArePlainText(t *testing.T) {
	if got := plainLines("AccessDenied: \x1b[2J\r\n\tnot you"); strings.ContainsAny(got, "\x1b\r\t") || !strings.HasSuffix(got, "\n    not you") {
		t.Errorf("%q", got)
	}
}
