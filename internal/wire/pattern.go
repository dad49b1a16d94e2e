package wire

import (
	"regexp"
	"strings"
)

// Matches holds a text against the shape's pattern. The models write patterns without anchors and mean the whole text. A
// pattern that cannot be read is a mistake in the contract and panics.
func (s *Shape) Matches(text string) bool {
	if s.Pattern == "" {
		return true
	}
	s.once.Do(func() { s.match = compile(s.Pattern) })
	return s.match(text)
}

// compile turns a pattern of the models, written for Java, into a check. RE2 reads all of them once \uXXXX is \x{XXXX},
// but for the few with look-ahead or with surrogate pairs, which are written out by hand.
func compile(pattern string) func(string) bool {
	switch pattern {
	// A duration of ISO 8601, which must not be empty.
	case `(-?)P(?=\d|T\d)(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)([DW]))?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?`:
		whole := regexp.MustCompile(`^-?P(?:\d+Y)?(?:\d+M)?(?:\d+[DW])?(?:T(?:\d+H)?(?:\d+M)?(?:\d+(?:\.\d+)?S)?)?$`)
		start := regexp.MustCompile(`^-?P(?:\d|T\d)`)
		return func(s string) bool { return whole.MatchString(s) && start.MatchString(s) }
	// The alias of an account: no two hyphens in a row.
	case `^[a-z0-9]([a-z0-9]|-(?!-)){1,61}[a-z0-9]$`:
		whole := regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$`)
		return func(s string) bool { return whole.MatchString(s) && !strings.Contains(s, "--") }
	// The characters of XML, with and without the ends of lines.
	case `[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\t]*`:
		return func(s string) bool { return isXMLText(s, "\t") }
	case `[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\r\n\t]*`:
		return func(s string) bool { return isXMLText(s, "\r\n\t") }
	case `[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\r\n\t]+`:
		return func(s string) bool { return s != "" && isXMLText(s, "\r\n\t") }
	}
	escaped := regexp.MustCompile(`\\u([0-9A-Fa-f]{4})`).ReplaceAllString(pattern, `\x{$1}`)
	return regexp.MustCompile(`^(?:` + escaped + `)$`).MatchString
}

func isXMLText(s, controls string) bool {
	return strings.IndexFunc(s, func(r rune) bool {
		return r < 0x20 && !strings.ContainsRune(controls, r) || r == 0xFFFE || r == 0xFFFF
	}) < 0
}
