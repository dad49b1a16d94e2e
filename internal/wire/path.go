package wire

import (
	"strconv"
	"strings"
)

// path is the place of a value in a request, from the inside out. It becomes a text only when something is wrong there.
type path struct {
	up    *path
	name  string
	index int // from 1, for the items of lists; then name is ""
}

// String writes the path as AWS's messages do: a list's item is list.3.member, a map's value is map.key.value.
func (p *path) String() string {
	var parts []string
	for at := p; at != nil; at = at.up {
		if at.index > 0 {
			parts = append(parts, strconv.Itoa(at.index)+".member")
		} else {
			parts = append(parts, at.name)
		}
	}
	var b strings.Builder
	for i := len(parts) - 1; i >= 0; i-- {
		b.WriteString(parts[i])
		if i > 0 {
			b.WriteByte('.')
		}
	}
	return b.String()
}

// clip bounds what a message repeats of the request.
func clip(s string) string {
	const limit = 128
	s = strings.ToValidUTF8(s, "\uFFFD")
	n := 0
	for i := range s {
		if n == limit {
			return s[:i] + "..."
		}
		n++
	}
	return s
}
