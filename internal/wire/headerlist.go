package wire

import (
	"errors"
	"strings"
)

// splitHeader takes a header apart that is a list. Items with a comma stand in quotes, in which a backslash quotes. Dates
// have a comma of their own: a list of them is cut at every second one.
func splitHeader(s string, dates bool) ([]string, error) {
	var items []string
	for s = strings.TrimSpace(s); s != ""; {
		var item string
		if s[0] == '"' {
			var ok bool
			if item, s, ok = unquote(s[1:]); !ok {
				return nil, errors.New("a quote in a header does not end")
			}
			s = strings.TrimSpace(s)
			if s != "" && s[0] != ',' {
				return nil, errors.New("a quoted item of a header goes on after its quote")
			}
			s = strings.TrimPrefix(s, ",")
		} else {
			item, s, _ = strings.Cut(s, ",")
			if dates && strings.Contains(s, " ") {
				var rest string
				rest, s, _ = strings.Cut(s, ",")
				item += "," + rest
			}
			item = strings.TrimSpace(item)
		}
		items = append(items, item)
		s = strings.TrimSpace(s)
	}
	return items, nil
}

// appendHeaderItem writes an item of such a list.
func appendHeaderItem(b []byte, s string) []byte {
	if !strings.ContainsAny(s, `",`) && s == strings.TrimSpace(s) && s != "" {
		return append(b, s...)
	}
	b = append(b, '"')
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			b = append(b, '\\')
		}
		b = append(b, s[i])
	}
	return append(b, '"')
}

// unquote reads to the end of a quote.
func unquote(s string) (item, rest string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:], true
		case '\\':
			if i++; i == len(s) {
				return "", "", false
			}
		}
		b.WriteByte(s[i])
	}
	return "", "", false
}
