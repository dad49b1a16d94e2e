package main

import (
	"strings"
	"unicode"
)

// plain leaves out of a text what would steer a terminal or begin another line. What others named comes this way:
// applications, people and groups, and the keys that anybody asked for.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

// plainLines is plain for a text that may have several lines, such as an error.
func plainLines(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = plain(strings.ReplaceAll(line, "\t", "    "))
	}
	return strings.Join(lines, "\n")
}
