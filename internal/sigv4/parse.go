package sigv4

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Signature is what a request claims. Nothing of it is proved before Verify.
type Signature struct {
	Form       Form
	Credential Credential
	// SignedHeaders are the names that the signature covers, in lower case and sorted.
	SignedHeaders []string
	// Time is when the client says that it signed. Expires is how long a presigned URL is good from then.
	Time    time.Time
	Expires time.Duration
	// Payload is what the signature says about the content.
	Payload Payload

	value  string // the signature itself, in hex
	signed string // SignedHeaders as received
	date   string // Time as it stands in the string to sign
	token  string
}

// SessionToken is the token that came with temporary credentials, or "".
func (s *Signature) SessionToken() string { return s.token }

// String names the signature without the token.
func (s Signature) String() string {
	return fmt.Sprintf("%s by %s in %s", s.Form, s.Credential.AccessKeyID, s.Credential.Scope())
}

// GoString is String: the token must not show under any verb.
func (s Signature) GoString() string { return s.String() }

// The parameters of a presigned URL, which are case-sensitive.
const (
	paramAlgorithm     = "X-Amz-Algorithm"
	paramCredential    = "X-Amz-Credential"
	paramDate          = "X-Amz-Date"
	paramExpires       = "X-Amz-Expires"
	paramSignedHeaders = "X-Amz-SignedHeaders"
	paramSignature     = "X-Amz-Signature"
	paramToken         = "X-Amz-Security-Token" //nolint:gosec // a name, not a token
	paramPayload       = "X-Amz-Content-Sha256"
)

// Parse reads the signature of a request, wherever it is. It answers ErrUnsigned when there is none of any kind.
func Parse(r *http.Request) (*Signature, error) {
	params, err := signingParams(r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	_, hasHeader := r.Header["Authorization"]
	inQuery := params[paramAlgorithm] != nil || params[paramSignature] != nil || params[paramCredential] != nil
	retired := params["AWSAccessKeyId"] != nil
	switch {
	case hasHeader && (inQuery || retired), inQuery && retired:
		return nil, &Error{Kind: TwoMechanisms, Fields: map[string]string{"ArgumentName": "Authorization"}}
	case retired:
		return nil, retiredError(Query)
	case inQuery:
		return parseQuery(r, params)
	case hasHeader:
		return parseHeader(r)
	default:
		return nil, ErrUnsigned
	}
}

func retiredError(f Form) *Error {
	return &Error{
		Kind: Retired, Form: f,
		Detail: " The request is signed with version 2; configure the client to sign with version 4 (signature_version = s3v4).",
	}
}

// signingParams collects the parameters that make a URL presigned. In almost all requests there is none to be found, and
// the query is only looked at.
func signingParams(raw string) (map[string][]string, error) {
	if !strings.Contains(raw, "X-Amz-") && !strings.Contains(raw, "AWSAccessKeyId") && !strings.Contains(raw, "%") {
		return nil, nil
	}
	var params map[string][]string
	for pair := range strings.SplitSeq(raw, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name = unescape(name)
		if !strings.HasPrefix(name, "X-Amz-") && name != "AWSAccessKeyId" {
			continue
		}
		if params == nil {
			params = make(map[string][]string, 8)
		}
		params[name] = append(params[name], unescape(value))
	}
	for name, values := range params {
		if len(values) > 1 {
			return nil, malformed(Query, name+" must not be given twice.")
		}
	}
	return params, nil
}

// unescape decodes percent-encoding once and leaves "+" alone: clients of this protocol write a space as %20. What is not
// valid encoding stays as it is, here and in the canonical query.
func unescape(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	if u, err := url.PathUnescape(s); err == nil {
		return u
	}
	return s
}

func malformed(f Form, detail string) *Error {
	return &Error{Kind: Malformed, Form: f, Detail: detail, Plain: "The request signature does not conform to AWS standards: " + detail}
}

func parseHeader(r *http.Request) (*Signature, error) {
	values := r.Header["Authorization"]
	if len(values) != 1 {
		return nil, &Error{Kind: TwoMechanisms, Form: Header, Fields: map[string]string{"ArgumentName": "Authorization"}}
	}
	if len(values[0]) > maxAuthorization {
		return nil, malformed(Header, "it is too long.")
	}
	scheme, rest, _ := strings.Cut(values[0], " ")
	switch {
	case scheme == Algorithm:
	case scheme == "AWS":
		return nil, retiredError(Header)
	case strings.HasPrefix(scheme, "AWS4-ECDSA"):
		return nil, &Error{Kind: Asymmetric, Form: Header}
	default:
		return nil, &Error{Kind: UnknownScheme, Form: Header, Fields: map[string]string{"ArgumentName": "Authorization"}}
	}
	s := &Signature{Form: Header}
	var credential string
	for part := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.Trim(part, " "), "=")
		var target *string
		switch name {
		case "Credential":
			target = &credential
		case "SignedHeaders":
			target = &s.signed
		case "Signature":
			target = &s.value
		}
		if target == nil || *target != "" {
			return nil, malformed(Header, fmt.Sprintf("%q is not expected in it.", bounded(name)))
		}
		*target = value
	}
	switch {
	case credential == "":
		return nil, malformed(Header, "missing Credential.")
	case s.signed == "":
		return nil, malformed(Header, "missing SignedHeaders.")
	case s.value == "":
		return nil, malformed(Header, "missing Signature.")
	}
	if err := s.parseScope(credential, `the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".`); err != nil {
		return nil, err
	}
	for _, name := range []string{"X-Amz-Date", "X-Amz-Security-Token", "X-Amz-Content-Sha256"} {
		if len(r.Header[name]) > 1 {
			return nil, malformed(Header, "the header "+strings.ToLower(name)+" must not be given twice.")
		}
	}
	var err error
	if s.Time, err = requestTime(r.Header); err != nil {
		return nil, &Error{Kind: MissingDate, Form: Header, Err: err}
	}
	s.date = s.Time.Format(TimeLayout)
	s.token = r.Header.Get("X-Amz-Security-Token")
	s.Payload, err = parsePayload(r.Header.Get("X-Amz-Content-Sha256"))
	if err != nil {
		return nil, err
	}
	return s, nil
}

// requestTime reads X-Amz-Date or, without it, Date. The time is part of what is signed, so neither needs to be a signed
// header for that.
func requestTime(h http.Header) (time.Time, error) {
	if v := h.Get("X-Amz-Date"); v != "" {
		t, err := parseTime(v)
		if err != nil {
			return t, fmt.Errorf("read x-amz-date: %w", err)
		}
		return t, nil
	}
	v := h.Get("Date")
	if t, err := http.ParseTime(v); err == nil {
		return t.UTC(), nil
	}
	t, err := parseTime(v)
	if err != nil {
		return t, fmt.Errorf("read date: %w", err)
	}
	return t, nil
}

// parseTime refuses what time.Parse is lenient about: the text must be the very one that the time is formatted as.
func parseTime(v string) (time.Time, error) {
	t, err := time.Parse(TimeLayout, v)
	if err == nil && t.Format(TimeLayout) != v {
		err = fmt.Errorf("%q is not in the form %s", bounded(v), TimeLayout)
	}
	return t, err
}

func parseQuery(r *http.Request, params map[string][]string) (*Signature, error) {
	get := func(name string) string {
		if v := params[name]; v != nil {
			return v[0]
		}
		return ""
	}
	if algorithm := get(paramAlgorithm); strings.HasPrefix(algorithm, "AWS4-ECDSA") {
		return nil, &Error{Kind: Asymmetric, Form: Query}
	}
	for _, name := range []string{paramAlgorithm, paramCredential, paramSignature, paramDate, paramSignedHeaders, paramExpires} {
		if get(name) == "" {
			return nil, malformed(Query, "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.")
		}
	}
	if get(paramAlgorithm) != Algorithm {
		return nil, malformed(Query, `X-Amz-Algorithm only supports "AWS4-HMAC-SHA256"`)
	}
	s := &Signature{Form: Query, signed: get(paramSignedHeaders), value: get(paramSignature)}
	if err := s.parseScope(get(paramCredential), `Error parsing the X-Amz-Credential parameter; the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".`); err != nil {
		return nil, err
	}
	var err error
	if s.Time, err = parseTime(get(paramDate)); err != nil {
		return nil, malformed(Query, `X-Amz-Date must be in the ISO8601 Long Format "yyyyMMdd'T'HHmmss'Z'"`)
	}
	s.date = s.Time.Format(TimeLayout)
	if s.Expires, err = parseExpires(get(paramExpires)); err != nil {
		return nil, err
	}
	if s.token, err = either(r, params, paramToken); err != nil {
		return nil, err
	}
	payload, err := either(r, params, paramPayload)
	if err != nil {
		return nil, err
	}
	if s.Payload, err = parsePayload(payload); err != nil {
		return nil, err
	}
	// A body in chunks is announced by headers, which whoever decodes it looks for.
	if s.Payload.Streaming() && params[paramPayload] != nil {
		return nil, &Error{Kind: BadPayloadHash, Form: Query}
	}
	return s, nil
}

// either reads what may be a parameter or a signed header of a presigned request, but not both.
func either(r *http.Request, params map[string][]string, name string) (string, error) {
	values := append(params[name], r.Header[name]...)
	switch len(values) {
	case 0:
		return "", nil
	case 1:
		return values[0], nil
	default:
		return "", malformed(Query, name+" must not be given twice.")
	}
}

func parseExpires(v string) (time.Duration, error) {
	seconds, err := strconv.ParseInt(v, 10, 64)
	switch {
	case err != nil || strings.HasPrefix(v, "+"):
		return 0, malformed(Query, "X-Amz-Expires should be a number")
	case seconds < 1:
		return 0, malformed(Query, "X-Amz-Expires must be non-negative")
	case seconds > int64(MaxExpires/time.Second):
		return 0, malformed(Query, "X-Amz-Expires must be less than a week (in seconds) that is the given X-Amz-Expires must be less than 604800 seconds")
	}
	return time.Duration(seconds) * time.Second, nil
}

// parseScope reads the credential and the list of signed headers, which both forms have.
func (s *Signature) parseScope(credential, complaint string) error {
	var ok bool
	if s.Credential, ok = parseCredential(credential); !ok {
		return malformed(s.Form, complaint)
	}
	s.SignedHeaders = strings.Split(s.signed, ";")
	if len(s.SignedHeaders) > maxSignedHeaders {
		return malformed(s.Form, "there are too many SignedHeaders.")
	}
	// A name that is spelt otherwise than it is looked up could stand in the list without covering the header.
	for i, name := range s.SignedHeaders {
		if !isHeaderName(name) || i > 0 && s.SignedHeaders[i-1] >= name {
			return malformed(s.Form, "the SignedHeaders must be names in lower case, sorted, each once.")
		}
	}
	return nil
}

func isHeaderName(name string) bool {
	if name == "" || name != strings.ToLower(name) {
		return false
	}
	return !strings.ContainsFunc(name, func(c rune) bool { return c <= ' ' || c > '~' || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, c) })
}

func (s *Signature) covers(name string) bool {
	_, found := slices.BinarySearch(s.SignedHeaders, name)
	return found
}

// unsignedHeaders lists, sorted, what the signature had to cover but does not.
func (s *Signature) unsignedHeaders(h http.Header) []string {
	var missing []string
	if !s.covers("host") {
		missing = append(missing, "host")
	}
	for name := range h {
		if len(name) < 6 || !strings.EqualFold(name[:6], "x-amz-") {
			continue
		}
		// Where it is looked up under another spelling than it has, the signature covers nothing.
		var buf [64]byte
		i := slices.IndexFunc(s.SignedHeaders, func(n string) bool { return strings.EqualFold(n, name) })
		if i < 0 || string(appendKey(buf[:0], s.SignedHeaders[i])) != name {
			missing = append(missing, strings.ToLower(name))
		}
	}
	slices.Sort(missing)
	return missing
}

// bounded shortens what a client wrote before it is echoed.
func bounded(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}
