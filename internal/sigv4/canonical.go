package sigv4

import (
	"bytes"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// PathStyle says how a service canonicalises the path.
type PathStyle int

const (
	// Literal is the style of S3 and S3 Control: the path is decoded and encoded once, and "//" and "/./" stay, since they
	// are part of a key.
	Literal PathStyle = iota
	// Normal is the style of all other services: the path as sent loses its dot segments and is encoded once more.
	Normal
)

// canonical holds what the canonical request is made of, apart from the request itself.
type canonical struct {
	style   PathStyle
	host    string
	signed  []string // names, sorted
	list    string   // the same, joined
	payload string
}

func (c *canonical) appendTo(b []byte, r *http.Request) []byte {
	method := r.Method
	if method == "" {
		method = http.MethodGet
	}
	b = append(b, method...)
	b = append(b, '\n')
	if c.style == Literal {
		b = appendPath(b, r.URL.Path)
	} else {
		b = appendEscaped(b, normalise(rawPath(r)), true)
	}
	b = append(b, '\n')
	b = appendQuery(b, r.URL.RawQuery)
	b = append(b, '\n')
	for _, name := range c.signed {
		b = append(b, name...)
		b = append(b, ':')
		b = c.appendHeader(b, r, name)
		b = append(b, '\n')
	}
	b = append(b, '\n')
	b = append(b, c.list...)
	b = append(b, '\n')
	return append(b, c.payload...)
}

func appendPath(b []byte, path string) []byte {
	if path == "" {
		return append(b, '/')
	}
	return appendEscaped(b, path, true)
}

// rawPath is the path as it was sent. A request that was received has it in RequestURI, which net/http leaves alone, while
// URL.EscapedPath spells some characters anew.
func rawPath(r *http.Request) string {
	raw := r.RequestURI
	if raw == "" || raw == "*" {
		return r.URL.EscapedPath()
	}
	raw, _, _ = strings.Cut(raw, "?")
	if i := strings.Index(raw, "://"); i >= 0 && raw[0] != '/' {
		raw = raw[i+3:]
		if slash := strings.IndexByte(raw, '/'); slash >= 0 {
			return raw[slash:]
		}
		return ""
	}
	return raw
}

// normalise removes empty and dot segments, as RFC 3986 §5.2.4 and the rule for services other than S3 say.
func normalise(path string) string {
	if !strings.Contains(path, "//") && !strings.Contains(path, "/.") && path != "" {
		return path
	}
	segments := strings.Split(path, "/")
	out := make([]string, 0, len(segments))
	for _, s := range segments {
		switch s {
		case "", ".":
		case "..":
			out = out[:max(0, len(out)-1)]
		default:
			out = append(out, s)
		}
	}
	last := segments[len(segments)-1]
	if len(out) > 0 && (last == "" || last == "." || last == "..") {
		out = append(out, "")
	}
	return "/" + strings.Join(out, "/")
}

const upperHex = "0123456789ABCDEF"

func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}

// appendEscaped encodes all but the unreserved characters of RFC 3986 §2.3.
func appendEscaped(b []byte, s string, keepSlash bool) []byte {
	for i := range len(s) {
		c := s[i]
		if unreserved(c) || c == '/' && keepSlash {
			b = append(b, c)
		} else {
			b = append(b, '%', upperHex[c>>4], upperHex[c&15])
		}
	}
	return b
}

// span is a parameter in the scratch text: name and value, both encoded.
type span struct{ start, mid, end int }

// appendQuery writes the parameters encoded anew and sorted by their encoded names, then values. The signature of a
// presigned URL is left out, as it cannot cover itself.
func appendQuery(b []byte, raw string) []byte {
	if raw == "" {
		return b
	}
	var spanBuf [24]span
	spans := spanBuf[:0]
	scratch := make([]byte, 0, len(raw)+len(raw)/4+16)
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		p := span{start: len(scratch)}
		scratch = appendEscaped(scratch, unescape(name), false)
		p.mid = len(scratch)
		if string(scratch[p.start:p.mid]) == paramSignature {
			scratch = scratch[:p.start]
			continue
		}
		scratch = appendEscaped(scratch, unescape(value), false)
		p.end = len(scratch)
		spans = append(spans, p)
	}
	slices.SortFunc(spans, func(x, y span) int {
		if c := bytes.Compare(scratch[x.start:x.mid], scratch[y.start:y.mid]); c != 0 {
			return c
		}
		return bytes.Compare(scratch[x.mid:x.end], scratch[y.mid:y.end])
	})
	for i, p := range spans {
		if i > 0 {
			b = append(b, '&')
		}
		b = append(b, scratch[p.start:p.mid]...)
		b = append(b, '=')
		b = append(b, scratch[p.mid:p.end]...)
	}
	return b
}

// appendHeader writes a header's values. net/http moves some headers out of the map; they are put back as they were sent.
func (c *canonical) appendHeader(b []byte, r *http.Request, name string) []byte {
	switch name {
	case "host":
		return appendTrimmed(b, c.host)
	case "content-length":
		if r.Header["Content-Length"] == nil && r.ContentLength >= 0 {
			return strconv.AppendInt(b, r.ContentLength, 10)
		}
	case "transfer-encoding":
		return append(b, strings.Join(r.TransferEncoding, ",")...)
	}
	for i, v := range headerValues(r.Header, name) {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendTrimmed(b, v)
	}
	return b
}

// headerValues looks a lower-case name up. The key is made on the stack, since every signed header is looked up for every
// request.
func headerValues(h http.Header, name string) []string {
	var buf [64]byte
	if len(name) > len(buf) {
		return h.Values(name)
	}
	return h[string(appendKey(buf[:0], name))]
}

// appendKey writes a lower-case name as http.Header spells it.
func appendKey(b []byte, name string) []byte {
	upper := true
	for i := range len(name) {
		c := name[i]
		if upper && 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		b = append(b, c)
		upper = c == '-'
	}
	return b
}

// appendTrimmed drops spaces around a value and makes one of each run of them inside.
func appendTrimmed(b []byte, v string) []byte {
	v = strings.Trim(v, " \t")
	if !strings.Contains(v, "  ") {
		return append(b, v...)
	}
	for i := range len(v) {
		if v[i] != ' ' || v[i-1] != ' ' {
			b = append(b, v[i])
		}
	}
	return b
}

// hosts are the spellings of the host that a client may have signed: the one that was received and, where that names the
// default port, the one without, which clients sign when they send an absolute URL to a proxy.
func hosts(host string) []string {
	for _, port := range []string{":80", ":443"} {
		if bare, ok := strings.CutSuffix(host, port); ok {
			return []string{host, bare}
		}
	}
	return []string{host}
}
