package policy

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// The standard decoder forgives what a policy must not contain: it takes the last of two equal keys, replaces invalid
// UTF-8 and lone surrogates, and matches names in any case. Two readers that disagree on such a text would see two
// policies. This reader refuses all of it, and bounds nesting.

// maxDepth is the nesting of the deepest valid policy (document, Statement, one statement, Condition, operator, values)
// with some room, so that the error for a misplaced value can still name its place.
const maxDepth = 10

type jsonKind int

const (
	jsonNull jsonKind = iota
	jsonBool
	jsonNumber
	jsonString
	jsonArray
	jsonObject
)

var jsonNames = [...]string{"null", "a boolean", "a number", "a string", "a list", "an object"}

// node is one JSON value. Text is the content of a string, and the spelling of a number or boolean.
type node struct {
	kind    jsonKind
	text    string
	items   []node
	members []member
}

type member struct {
	name  string
	value node
}

type jsonReader struct {
	text  string
	pos   int
	depth int
}

func readJSON(text string) (node, error) {
	if !utf8.ValidString(text) {
		return node{}, &Error{Problem: "the policy is not valid UTF-8"}
	}
	r := &jsonReader{text: text}
	n, err := r.value("")
	if err != nil {
		return node{}, err
	}
	if r.space(); r.pos < len(text) {
		return node{}, r.problem("text after the end of the policy")
	}
	return n, nil
}

func (r *jsonReader) problem(format string, args ...any) error {
	line := 1 + strings.Count(r.text[:r.pos], "\n")
	column := r.pos - strings.LastIndexByte(r.text[:r.pos], '\n')
	return &Error{Problem: fmt.Sprintf("invalid JSON at line %d, column %d: ", line, column) + fmt.Sprintf(format, args...)}
}

func (r *jsonReader) space() {
	for r.pos < len(r.text) {
		switch r.text[r.pos] {
		case ' ', '\t', '\n', '\r':
			r.pos++
		default:
			return
		}
	}
}

// next skips white space and takes c if it comes next.
func (r *jsonReader) next(c byte) bool {
	r.space()
	if r.pos < len(r.text) && r.text[r.pos] == c {
		r.pos++
		return true
	}
	return false
}

// value reads the value at place, a path such as "Statement[1].Condition".
func (r *jsonReader) value(place string) (node, error) {
	if r.depth++; r.depth > maxDepth {
		return node{}, r.problem("nested more than %d deep", maxDepth)
	}
	defer func() { r.depth-- }()
	r.space()
	if r.pos == len(r.text) {
		return node{}, r.problem("a value is missing")
	}
	switch c := r.text[r.pos]; {
	case c == '{':
		r.pos++
		return r.object(place)
	case c == '[':
		r.pos++
		return r.array(place)
	case c == '"':
		r.pos++
		s, err := r.str()
		return node{kind: jsonString, text: s}, err
	case c == '-' || c >= '0' && c <= '9':
		return r.number()
	}
	for _, word := range []node{{kind: jsonBool, text: "true"}, {kind: jsonBool, text: "false"}, {kind: jsonNull, text: "null"}} {
		if strings.HasPrefix(r.text[r.pos:], word.text) {
			r.pos += len(word.text)
			return word, nil
		}
	}
	return node{}, r.problem("a value is missing")
}

func (r *jsonReader) object(place string) (node, error) {
	n := node{kind: jsonObject}
	if r.next('}') {
		return n, nil
	}
	seen := map[string]bool{}
	for {
		if !r.next('"') {
			return node{}, r.problem("a key is missing")
		}
		name, err := r.str()
		if err != nil {
			return node{}, err
		}
		at := strings.TrimPrefix(place+"."+name, ".")
		if seen[name] {
			return node{}, bad(at, "given twice")
		}
		seen[name] = true
		if !r.next(':') {
			return node{}, r.problem("a colon is missing")
		}
		v, err := r.value(at)
		if err != nil {
			return node{}, err
		}
		n.members = append(n.members, member{name, v})
		if r.next('}') {
			return n, nil
		}
		if !r.next(',') {
			return node{}, r.problem("a comma or a closing brace is missing")
		}
	}
}

func (r *jsonReader) array(place string) (node, error) {
	n := node{kind: jsonArray}
	if r.next(']') {
		return n, nil
	}
	for {
		v, err := r.value(place + "[" + strconv.Itoa(len(n.items)) + "]")
		if err != nil {
			return node{}, err
		}
		n.items = append(n.items, v)
		if r.next(']') {
			return n, nil
		}
		if !r.next(',') {
			return node{}, r.problem("a comma or a closing bracket is missing")
		}
	}
}

// str reads the rest of a string whose opening quote is taken.
func (r *jsonReader) str() (string, error) {
	start := r.pos
	for r.pos < len(r.text) { // most strings hold no escape and are a slice of the text
		switch c := r.text[r.pos]; {
		case c == '"':
			r.pos++
			return r.text[start : r.pos-1], nil
		case c == '\\':
			return r.escaped(start)
		case c < ' ':
			return "", r.problem("a control character in a string")
		}
		r.pos++
	}
	return "", r.problem("a string has no end")
}

func (r *jsonReader) escaped(start int) (string, error) {
	var b strings.Builder
	b.WriteString(r.text[start:r.pos])
	for r.pos < len(r.text) {
		c := r.text[r.pos]
		switch {
		case c == '"':
			r.pos++
			return b.String(), nil
		case c < ' ':
			return "", r.problem("a control character in a string")
		case c != '\\':
			b.WriteByte(c)
			r.pos++
			continue
		}
		if r.pos+1 >= len(r.text) {
			break
		}
		c = r.text[r.pos+1]
		if c == 'u' {
			u, err := r.unicodeEscape()
			if err != nil {
				return "", err
			}
			b.WriteRune(u)
			continue
		}
		i := strings.IndexByte(`"\/bfnrt`, c)
		if i < 0 {
			return "", r.problem("an unknown escape")
		}
		b.WriteByte("\"\\/\b\f\n\r\t"[i])
		r.pos += 2
	}
	return "", r.problem("a string has no end")
}

func (r *jsonReader) unicodeEscape() (rune, error) {
	u, ok := r.hex4()
	if !ok {
		return 0, r.problem("an invalid \\u escape")
	}
	if !utf16.IsSurrogate(u) {
		return u, nil
	}
	low, ok := r.hex4()
	if pair := utf16.DecodeRune(u, low); ok && pair != utf8.RuneError {
		return pair, nil
	}
	return 0, r.problem("half of a surrogate pair")
}

func (r *jsonReader) hex4() (rune, bool) {
	if !strings.HasPrefix(r.text[r.pos:], `\u`) || len(r.text) < r.pos+6 {
		return 0, false
	}
	v, err := strconv.ParseUint(r.text[r.pos+2:r.pos+6], 16, 16)
	if err != nil {
		return 0, false
	}
	r.pos += 6
	return rune(v), true
}

func (r *jsonReader) number() (node, error) {
	start := r.pos
	digits := func() int {
		from := r.pos
		for r.pos < len(r.text) && r.text[r.pos] >= '0' && r.text[r.pos] <= '9' {
			r.pos++
		}
		return r.pos - from
	}
	one := func(set string) bool {
		if r.pos < len(r.text) && strings.IndexByte(set, r.text[r.pos]) >= 0 {
			r.pos++
			return true
		}
		return false
	}
	one("-")
	first := r.pos
	if n := digits(); n == 0 || n > 1 && r.text[first] == '0' {
		return node{}, r.problem("an invalid number")
	}
	if one(".") && digits() == 0 {
		return node{}, r.problem("an invalid number")
	}
	if one("eE") {
		one("+-")
		if digits() == 0 {
			return node{}, r.problem("an invalid number")
		}
	}
	return node{kind: jsonNumber, text: r.text[start:r.pos]}, nil
}
