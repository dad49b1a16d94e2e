package gateway

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// parameter is one of the query, decoded.
type parameter struct{ name, value string }

// parameters are those that say what is asked for, each once.
type parameters struct {
	all     []parameter
	hoisted http.Header // headers that a presigned URL carries as parameters
	signed  bool        // the query has a signature
}

// maxParameters is more than any operation has.
const maxParameters = 64

// signing are the parameters of a presigned URL, which say who asks and not what for.
var signing = []string{
	"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature", "X-Amz-Security-Token",
	"X-Amz-Content-Sha256",
}

// parseQuery decodes the query once. "+" stands for itself, as it does in the signature: clients write a space as %20.
func parseQuery(raw string) (*parameters, error) {
	p := &parameters{}
	if raw == "" {
		return p, nil
	}
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		rawName, rawValue, _ := strings.Cut(pair, "=")
		name, err := url.PathUnescape(rawName)
		value, err2 := url.PathUnescape(rawValue)
		if err != nil || err2 != nil || !utf8.ValidString(name) || !utf8.ValidString(value) || strings.ContainsRune(value, 0) {
			return nil, invalidURI(pair)
		}
		switch {
		case slices.Contains(signing, name):
			p.signed = true
			continue
		case name == "x-id": // the SDKs' own note of the operation
			continue
		case len(name) > 6 && strings.EqualFold(name[:6], "x-amz-"):
			if err := p.hoist(name, value); err != nil {
				return nil, err
			}
			continue
		}
		if p.has(name) {
			return nil, invalidArgument(name, value, "The parameter '"+clip(name)+"' must be given once.")
		}
		if len(p.all) == maxParameters {
			return nil, invalidArgument(name, value, "There are too many parameters.")
		}
		p.all = append(p.all, parameter{name, value})
	}
	return p, nil
}

// hoist takes a parameter for the header that a client put into a URL to be presigned. One that is about the signature in
// another case than the signature's would be taken for one thing here and for another there.
func (p *parameters) hoist(name, value string) error {
	key := http.CanonicalHeaderKey(name)
	if slices.ContainsFunc(signing, func(s string) bool { return strings.EqualFold(s, key) }) || p.hoisted[key] != nil || len(p.hoisted) == maxParameters {
		return invalidArgument(name, value, "The parameter '"+clip(name)+"' is not allowed here.")
	}
	if strings.ContainsFunc(value, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }) {
		return invalidArgument(name, value, "The parameter '"+clip(name)+"' has a value that no header can have.")
	}
	if p.hoisted == nil {
		p.hoisted = http.Header{}
	}
	p.hoisted[key] = []string{value}
	return nil
}

func (p *parameters) has(name string) bool {
	_, ok := p.get(name)
	return ok
}

func (p *parameters) get(name string) (string, bool) {
	for i := range p.all {
		if p.all[i].name == name {
			return p.all[i].value, true
		}
	}
	return "", false
}

// text is the value of a parameter, "" when it is not there.
func (p *parameters) text(name string) string {
	v, _ := p.get(name)
	return v
}

// given is the value of a parameter that must not be empty when it is there.
func (p *parameters) given(name string) (string, error) {
	v, ok := p.get(name)
	if ok && v == "" {
		return "", invalidArgument(name, v, "The parameter '"+name+"' must not be empty.")
	}
	return v, nil
}

// subresource is the parameter that names the operation. Two of them could be read as one operation here and as another
// behind.
func (p *parameters) subresource(l level) (string, error) {
	sub := ""
	for _, q := range p.all {
		switch {
		case !isSubresource(q.name, l):
		case sub != "":
			return "", invalidArgument("ResourceType", q.name, "Conflicting query string parameters: "+sub+", "+q.name)
		default:
			sub = q.name
		}
	}
	return sub, nil
}

// page is the size of a page: none asks for the largest.
func page(name, value string, given bool, most int) (int, error) {
	if !given {
		return most, nil
	}
	n, err := strconv.ParseInt(value, 10, 32)
	if err != nil || n < 0 || value[0] == '+' {
		return 0, invalidArgument(name, value, "Provided "+name+" not an integer or within integer range")
	}
	return min(int(n), most), nil
}
