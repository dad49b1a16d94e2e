package gateway

import (
	"strconv"
	"time"
	"unicode/utf8"
)

// document appends an S3 answer: elements by hand, since encoding/xml costs a listing more than all the rest.
type document struct{ b []byte }

const namespace = "http://s3.amazonaws.com/doc/2006-03-01/"

// newDocument begins a document with its root element.
func newDocument(root string) *document {
	d := &document{b: make([]byte, 0, 1024)}
	d.b = append(d.b, `<?xml version="1.0" encoding="UTF-8"?>`+"\n<"...)
	d.b = append(d.b, root...)
	d.b = append(d.b, ` xmlns="`+namespace+`">`...)
	return d
}

// end closes the root and returns the document.
func (d *document) end(root string) []byte {
	d.close(root)
	return d.b
}

func (d *document) open(name string) {
	d.b = append(d.b, '<')
	d.b = append(d.b, name...)
	d.b = append(d.b, '>')
}

func (d *document) close(name string) {
	d.b = append(d.b, '<', '/')
	d.b = append(d.b, name...)
	d.b = append(d.b, '>')
}

// text appends an element with a text.
func (d *document) text(name, value string) {
	d.open(name)
	d.b = appendEscaped(d.b, value)
	d.close(name)
}

// optional is text for a value that is left out when it is empty.
func (d *document) optional(name, value string) {
	if value != "" {
		d.text(name, value)
	}
}

func (d *document) number(name string, n int64) {
	d.open(name)
	d.b = strconv.AppendInt(d.b, n, 10)
	d.close(name)
}

func (d *document) boolean(name string, v bool) {
	d.open(name)
	d.b = strconv.AppendBool(d.b, v)
	d.close(name)
}

func (d *document) time(name string, t time.Time) {
	d.open(name)
	d.b = t.UTC().AppendFormat(d.b, "2006-01-02T15:04:05.000Z")
	d.close(name)
}

// inside appends an element around what do appends.
func (d *document) inside(name string, do func()) {
	d.open(name)
	do()
	d.close(name)
}

// appendEscaped writes a text so that it comes out of a parser as it went in. What XML 1.0 cannot hold at all becomes the
// replacement character; clients that have such keys ask for encoding-type=url.
func appendEscaped(b []byte, s string) []byte {
	for _, r := range s {
		switch {
		case r == '&':
			b = append(b, "&amp;"...)
		case r == '<':
			b = append(b, "&lt;"...)
		case r == '>':
			b = append(b, "&gt;"...)
		case r == '"':
			b = append(b, "&quot;"...)
		case r == '\r', r == '\n', r == '\t':
			b = append(b, "&#"...)
			b = strconv.AppendInt(b, int64(r), 10)
			b = append(b, ';')
		case r >= 0x20 && r != 0xFFFE && r != 0xFFFF:
			b = utf8.AppendRune(b, r)
		default:
			b = append(b, "\uFFFD"...)
		}
	}
	return b
}

// encodeKey writes a key as encoding-type=url asks: unreserved characters and slashes as they are.
func encodeKey(s string) string {
	const hex = "0123456789ABCDEF"
	plain := true
	for i := range len(s) {
		if !isPlain(s[i]) {
			plain = false
			break
		}
	}
	if plain {
		return s
	}
	b := make([]byte, 0, 3*len(s))
	for i := range len(s) {
		if c := s[i]; isPlain(c) {
			b = append(b, c)
		} else {
			b = append(b, '%', hex[c>>4], hex[c&15])
		}
	}
	return string(b)
}

func isPlain(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~' || c == '/' || c == '*'
}
