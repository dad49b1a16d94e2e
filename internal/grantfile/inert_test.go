package grantfile_test

import (
	"testing"

	"github.com/lakegate/lakegate/internal/grantfile"
)

// Names are other people's, and none is a formula in a spreadsheet.
func TestInert(t *testing.T) {
	for in, want := range map[string]string{
		"=HYPERLINK(1)": "'=HYPERLINK(1)", "+1": "'+1", "-1": "'-1", "@x": "'@x", "|calc": "'|calc", "%x": "'%x",
		" =1": "' =1", "\u00a0=1": "'\u00a0=1", "\u3000=1": "'\u3000=1", "\t=1": "'\t=1", "\n=1": "'\n=1", "\r=1": "'\r=1",
		"＝1": "'＝1", "＋1": "'＋1", "－1": "'－1", "＠x": "'＠x",
		// A written apostrophe is told from one that was put in front.
		"'=1": "''=1", "''=1": "'''=1", "'": "'", "'ana": "'ana",
		"ana@example.com": "ana@example.com", "": "", " ": " ", "a=b": "a=b", "\xff=1": "\xff=1",
	} {
		if got := grantfile.Inert(in); got != want {
			t.Errorf("Inert(%q) = %q, want %q", in, got, want)
		}
	}
}
