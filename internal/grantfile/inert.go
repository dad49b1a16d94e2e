package grantfile

import (
	"strings"
	"unicode/utf8"
)

// Inert keeps a spreadsheet from taking a text for a formula: names are other people's. With an apostrophe in front it is a
// text there, and unguarded takes the apostrophe away again.
func Inert(s string) string {
	if isFormula(s) {
		return "'" + s
	}
	return s
}

func unguarded(s string) string {
	if rest, ok := strings.CutPrefix(s, "'"); ok && isFormula(rest) {
		return rest
	}
	return s
}

// isFormula reports whether a text begins a formula, behind apostrophes, of which a written one must not be lost, and behind
// spaces, which some spreadsheets pass over. Full-width signs count where the language of the spreadsheet has them; what
// begins with | or % was a command once.
func isFormula(s string) bool {
	s = strings.TrimLeft(s, "' \u00a0\u3000")
	first, size := utf8.DecodeRuneInString(s)
	return size > 0 && strings.ContainsRune("=+-@\t\r\n|%＝＋－＠", first)
}
