package remote

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// document reads the small part of XML that S3 services answer with: elements, text, the five named entities and numbered
// ones. Comments, processing instructions and attributes are passed over; a DOCTYPE, and with it every entity of one's
// own, is refused. It is a tenth of the cost of encoding/xml on a page of a thousand keys.
type document struct {
	b     []byte
	pos   int
	depth int
	// closed says that the element that was opened last closed itself: <a/>.
	closed bool
}

// maxDepth is more than any answer of S3 has.
const maxDepth = 16

var errXML = errors.New("the document is not well-formed")

// root reads the element around everything, which must have one of the names.
func (d *document) root(child func(name string) error, names ...string) error {
	name, end, err := d.tag()
	if err != nil {
		return err
	}
	if end || !contains(names, name) {
		return fmt.Errorf("the document is a %.40q", name)
	}
	return d.each(child)
}

func contains(names []string, name string) bool {
	for _, n := range names {
		if n == name {
			return true
		}
	}
	return false
}

// each reads what is in the element that was opened last, up to its end. child has to read each element that it is told of,
// with text, each or skip.
func (d *document) each(child func(name string) error) error {
	if d.closed {
		d.closed = false
		return nil
	}
	if d.depth++; d.depth > maxDepth {
		return errXML
	}
	for {
		name, end, err := d.tag()
		if err != nil {
			return err
		}
		if end {
			d.depth--
			return nil
		}
		if err := child(name); err != nil {
			return err
		}
	}
}

// skip reads over the element that was opened last.
func (d *document) skip() error {
	return d.each(func(string) error { return d.skip() })
}

// text reads the text of the element that was opened last, which has no elements in it.
func (d *document) text() (string, error) {
	if d.closed {
		d.closed = false
		return "", nil
	}
	end := bytes.IndexByte(d.b[d.pos:], '<')
	if end < 0 {
		return "", errXML
	}
	raw := d.b[d.pos : d.pos+end]
	d.pos += end
	if _, ends, err := d.tag(); err != nil || !ends {
		return "", errXML
	}
	return unescapeXML(raw)
}

// tag finds the next tag. The name comes without its namespace.
func (d *document) tag() (name string, end bool, err error) {
	for {
		i := bytes.IndexByte(d.b[d.pos:], '<')
		if i < 0 {
			return "", false, errXML
		}
		d.pos += i + 1
		rest := d.b[d.pos:]
		switch {
		case bytes.HasPrefix(rest, []byte("?")):
			if err := d.past("?>"); err != nil {
				return "", false, err
			}
		case bytes.HasPrefix(rest, []byte("!--")):
			if err := d.past("-->"); err != nil {
				return "", false, err
			}
		case bytes.HasPrefix(rest, []byte("!")):
			return "", false, errors.New("the document has a directive")
		default:
			return d.name()
		}
	}
}

func (d *document) past(mark string) error {
	i := bytes.Index(d.b[d.pos:], []byte(mark))
	if i < 0 {
		return errXML
	}
	d.pos += i + len(mark)
	return nil
}

func (d *document) name() (string, bool, error) {
	i := bytes.IndexByte(d.b[d.pos:], '>')
	if i < 0 {
		return "", false, errXML
	}
	inside := d.b[d.pos : d.pos+i]
	// A '>' in an attribute's value does not end the tag.
	for quoted(inside) {
		j := bytes.IndexByte(d.b[d.pos+i+1:], '>')
		if j < 0 {
			return "", false, errXML
		}
		i += j + 1
		inside = d.b[d.pos : d.pos+i]
	}
	d.pos += i + 1
	end := bytes.HasPrefix(inside, []byte("/"))
	if end {
		inside = inside[1:]
	} else if bytes.HasSuffix(inside, []byte("/")) {
		inside, d.closed = inside[:len(inside)-1], true
	}
	if j := bytes.IndexAny(inside, " \t\r\n"); j >= 0 {
		inside = inside[:j]
	}
	if j := bytes.IndexByte(inside, ':'); j >= 0 {
		inside = inside[j+1:]
	}
	if len(inside) == 0 {
		return "", false, errXML
	}
	return intern(inside), end, nil
}

// quoted says that a tag ends inside of an attribute's value.
func quoted(tag []byte) bool {
	var in byte
	for _, c := range tag {
		switch {
		case in == 0 && (c == '"' || c == '\''):
			in = c
		case c == in:
			in = 0
		}
	}
	return in != 0
}

// intern spares the allocation of the names that come a thousand times in a page.
func intern(name []byte) string {
	switch string(name) {
	case "Contents":
		return "Contents"
	case "Key":
		return "Key"
	case "LastModified":
		return "LastModified"
	case "ETag":
		return "ETag"
	case "Size":
		return "Size"
	case "StorageClass":
		return "StorageClass"
	case "Owner":
		return "Owner"
	case "ID":
		return "ID"
	case "DisplayName":
		return "DisplayName"
	case "CommonPrefixes":
		return "CommonPrefixes"
	case "Prefix":
		return "Prefix"
	case "Version":
		return "Version"
	case "VersionId":
		return "VersionId"
	case "IsLatest":
		return "IsLatest"
	case "ChecksumAlgorithm":
		return "ChecksumAlgorithm"
	case "ChecksumType":
		return "ChecksumType"
	}
	return string(name)
}

func unescapeXML(raw []byte) (string, error) {
	if bytes.IndexByte(raw, '&') < 0 {
		return string(raw), nil
	}
	var b strings.Builder
	b.Grow(len(raw))
	for len(raw) > 0 {
		i := bytes.IndexByte(raw, '&')
		if i < 0 {
			b.Write(raw)
			break
		}
		b.Write(raw[:i])
		end := bytes.IndexByte(raw[i:], ';')
		if end < 0 {
			return "", errXML
		}
		name := string(raw[i+1 : i+end])
		raw = raw[i+end+1:]
		switch name {
		case "amp":
			b.WriteByte('&')
		case "lt":
			b.WriteByte('<')
		case "gt":
			b.WriteByte('>')
		case "quot":
			b.WriteByte('"')
		case "apos":
			b.WriteByte('\'')
		default:
			digits, ok := strings.CutPrefix(name, "#")
			if !ok {
				return "", errXML
			}
			base := 10
			if hex, ok := strings.CutPrefix(digits, "x"); ok {
				digits, base = hex, 16
			}
			n, err := strconv.ParseUint(digits, base, 32)
			if err != nil || n > utf8.MaxRune {
				return "", errXML
			}
			b.WriteRune(rune(n))
		}
	}
	return b.String(), nil
}

// writer makes the small documents that requests have.
type writer struct{ b []byte }

const namespace = "http://s3.amazonaws.com/doc/2006-03-01/"

func newWriter(root string) *writer {
	return &writer{b: append(make([]byte, 0, 512), `<`+root+` xmlns="`+namespace+`">`...)}
}

func (w *writer) open(name string)  { w.b = append(append(append(w.b, '<'), name...), '>') }
func (w *writer) close(name string) { w.b = append(append(append(w.b, "</"...), name...), '>') }

func (w *writer) text(name, value string) {
	w.open(name)
	for i := range len(value) {
		switch c := value[i]; c {
		case '&':
			w.b = append(w.b, "&amp;"...)
		case '<':
			w.b = append(w.b, "&lt;"...)
		case '>':
			w.b = append(w.b, "&gt;"...)
		case '\r':
			w.b = append(w.b, "&#13;"...) // a parser would make a line feed of it
		default:
			w.b = append(w.b, c)
		}
	}
	w.close(name)
}

func (w *writer) end(root string) []byte {
	w.close(root)
	return w.b
}
