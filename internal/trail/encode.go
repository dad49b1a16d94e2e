package trail

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// Records are encoded by hand: a data event is one record per request for an object, and reflection over its maps cost
// more than everything else that is done for it. Secrets are hidden and bounds are held in the same pass.

// maxDepth bounds how deep a value may nest.
const maxDepth = 32

// omitted stands for a member that made its part of the record too large.
const omitted = "(omitted: too large)"

// members writes the members of an object, and of those that it opens.
type members struct {
	b    []byte
	some bool
}

// name begins a member. The names of a record's own members need no escaping.
func (m *members) name(name string) {
	if m.some {
		m.b = append(m.b, ',')
	}
	m.some = true
	m.b = append(append(append(m.b, '"'), name...), '"', ':')
}

func (m *members) text(name, value string) {
	m.name(name)
	m.b = appendText(m.b, value)
}

// known leaves out an empty text.
func (m *members) known(name, value string) {
	if value != "" {
		m.text(name, value)
	}
}

// plain writes a text that is our own: it has nothing to escape or to hide.
func (m *members) plain(name, value string) {
	m.name(name)
	m.b = append(append(append(m.b, '"'), value...), '"')
}

func (m *members) flag(name string, value bool) {
	m.name(name)
	m.b = strconv.AppendBool(m.b, value)
}

// open begins a member that is an object; its members follow, up to close.
func (m *members) open(name string) {
	m.name(name)
	m.b, m.some = append(m.b, '{'), false
}

func (m *members) close() { m.b, m.some = append(m.b, '}'), true }

// part writes a free part of a record, of at most limit bytes.
func (m *members) part(name string, value map[string]any, limit int) {
	m.name(name)
	if value == nil {
		m.b = append(m.b, "null"...)
		return
	}
	start := len(m.b)
	if m.b = appendObject(m.b, value, 0); len(m.b)-start > limit {
		m.b = appendObject(m.b[:start], shortened(value, limit), 0)
	}
}

// shortened takes from the largest members until the rest fits: a list loses its end, and anything else is replaced.
func shortened(value map[string]any, limit int) map[string]any {
	type member struct {
		name string
		size int
	}
	sizeOf := func(name string, v any) int { return len(appendObject(nil, map[string]any{name: v}, 0)) }
	all, total := make([]member, 0, len(value)), 0
	for name, v := range value {
		one := member{name, sizeOf(name, v)}
		all, total = append(all, one), total+one.size
	}
	slices.SortFunc(all, func(a, b member) int { return b.size - a.size })
	short := maps.Clone(value)
	for _, one := range all {
		if total <= limit {
			return short
		}
		total -= one.size
		short[one.name] = beginning(value[one.name], limit-total-len(one.name))
		total += sizeOf(one.name, short[one.name])
	}
	if total <= limit {
		return short
	}
	return map[string]any{"omitted": "too large", "members": len(value)}
}

// beginning is as much of a list as fits, with a note of how much there was; of other values it is only that note.
func beginning(v any, room int) any {
	text := appendValue(nil, v, 0)
	var list []any
	if json.Unmarshal(text, &list) != nil {
		return omitted
	}
	room -= 2*len(omitted) + 16
	for i, item := range list {
		if room -= len(appendValue(nil, item, 0)) + 1; room < 0 {
			return append(list[:i:i], fmt.Sprintf("(%d more omitted: too large)", len(list)-i))
		}
	}
	return list
}

func appendObject(b []byte, m map[string]any, depth int) []byte {
	b = append(b, '{')
	var few [16]string
	names := few[:0]
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	for i, name := range names {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendText(b, name), ':')
		if v := m[name]; v != nil && !isHarmless(name) && isSecret(name) {
			b = appendText(b, hidden)
		} else {
			b = appendValue(b, v, depth+1)
		}
	}
	return append(b, '}')
}

func appendValue(b []byte, v any, depth int) []byte {
	if depth > maxDepth {
		return appendText(b, "…")
	}
	switch v := v.(type) {
	case nil:
		return append(b, "null"...)
	case string:
		return appendText(b, v)
	case bool:
		return strconv.AppendBool(b, v)
	case int:
		return strconv.AppendInt(b, int64(v), 10)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case time.Time:
		return appendText(b, stamp(v))
	case map[string]any:
		return appendObject(b, v, depth)
	case []any:
		return appendList(b, v, depth)
	case []string:
		return appendList(b, v, depth)
	case []Step:
		return appendSteps(b, v)
	case float64:
		// encoding/json has the rules for numbers, and refuses those that JSON lacks.
		if text, err := json.Marshal(v); err == nil {
			return append(b, text...)
		}
		return append(b, "null"...)
	default:
		return appendOther(b, v, depth)
	}
}

// appendOther takes a value of any further type through its JSON, so that nothing in it goes around what hides secrets.
func appendOther(b []byte, v any, depth int) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		return appendText(b, "(not representable)")
	}
	var plain any
	if err := json.Unmarshal(text, &plain); err != nil {
		return appendText(b, "(not representable)")
	}
	return appendValue(b, plain, depth+1)
}

func appendList[T any](b []byte, list []T, depth int) []byte {
	b = append(b, '[')
	for i, v := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendValue(b, v, depth+1)
	}
	return append(b, ']')
}

func appendSteps(b []byte, steps []Step) []byte {
	b = append(b, '[')
	for i, s := range steps {
		if i > 0 {
			b = append(b, ',')
		}
		m := members{b: append(b, '{')}
		m.text("step", s.Step)
		m.text("outcome", string(s.Outcome))
		m.known("detail", s.Detail)
		b = append(m.b, '}')
	}
	return append(b, ']')
}

const digits = "0123456789abcdef"

// appendText writes a JSON string. Beyond what JSON asks for, it escapes what would change how a line looks in a
// terminal or a viewer: all control characters, line separators, and marks that turn the direction of text.
func appendText(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		for i+8 <= len(s) && ordinary(s[i:i+8]) {
			i += 8
		}
		if i == len(s) {
			break
		}
		c := s[i]
		if c < utf8.RuneSelf {
			if c >= 0x20 && c != '"' && c != '\\' && c != 0x7f {
				i++
				continue
			}
			b = append(b, s[start:i]...)
			switch c {
			case '"', '\\':
				b = append(b, '\\', c)
			case '\n':
				b = append(b, '\\', 'n')
			case '\r':
				b = append(b, '\\', 'r')
			case '\t':
				b = append(b, '\\', 't')
			default:
				b = append(b, '\\', 'u', '0', '0', digits[c>>4], digits[c&0xf])
			}
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 || misleading(r) {
			b = append(b, s[start:i]...)
			b = append(b, '\\', 'u', digits[r>>12&0xf], digits[r>>8&0xf], digits[r>>4&0xf], digits[r&0xf])
			start = i + size
		}
		i += size
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}

// ordinary reports whether none of eight bytes needs a second look: all are ASCII, and none is a control character, a
// quote or a backslash. It looks at all of them at once.
func ordinary(s string) bool {
	_ = s[7]
	w := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 | uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	// A byte of x that is zero has, without its top bit, a borrow in x - ones.
	zero := func(x uint64) uint64 { return (x - ones) &^ x }
	controls := (w - 0x20*ones) &^ w
	return (w|controls|zero(w^'"'*ones)|zero(w^'\\'*ones)|zero(w^0x7f*ones))&tops == 0
}

// misleading characters are the second block of control characters, line and paragraph separators, marks of direction,
// and the byte order mark.
func misleading(r rune) bool {
	switch {
	case r < 0xa0, r == 0x061c, r == 0xfeff:
		return true
	case r >= 0x200e && r <= 0x200f, r >= 0x2028 && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
		return true
	}
	return false
}

// clip cuts a text to at most n bytes at the beginning of a character.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
