package sigv4

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Options say what a service accepts.
type Options struct {
	// Now is the server's time.
	Now time.Time
	// Region and Services are what the scope must name. A service that is not listed is refused.
	Region   string
	Services []string
	Style    PathStyle
	// PayloadHash is the SHA-256, in hex, of a content that the caller has read already. With the style Normal it is
	// needed, as those services sign the content and rarely say so in a header. With Literal it is compared with
	// x-amz-content-sha256; left empty, NewBody makes the comparison while the content is read.
	PayloadHash string
	// Keys may be nil.
	Keys *KeyCache
}

// Proof is a signature that was verified, and what is needed to verify the chunks of a content that follows it.
type Proof struct {
	*Signature
	key signingKey
}

// String names the signature without its key.
func (p Proof) String() string { return p.Signature.String() }

// GoString is String.
func (p Proof) GoString() string { return p.String() }

// Check refuses what can be refused without the secret: a wrong clock and a wrong scope. Services do it before they look
// the key up, so that a client learns of a wrong Region whoever it is.
func (s *Signature) Check(o Options) error {
	if err := s.checkTime(o.Now.UTC()); err != nil {
		return err
	}
	c := &s.Credential
	wrong := func(kind Kind, header, query, plain string) error {
		e := &Error{Kind: kind, Form: s.Form, Detail: header, Plain: plain}
		if s.Form != Header {
			e.Detail = "Error parsing the X-Amz-Credential parameter; " + query
		}
		return e
	}
	day := s.date[:len(dateLayout)]
	if c.Date != day && !isDate(c.Date) {
		text := fmt.Sprintf("incorrect date format %q. This date in the credential must be in the format \"yyyyMMdd\".", bounded(c.Date))
		return wrong(WrongDate, text, text, "Date in Credential scope must be in the format YYYYMMDD.")
	}
	if !slices.Contains(o.Services, c.Service) {
		text := fmt.Sprintf("incorrect service %q. This endpoint belongs to %q.", bounded(c.Service), strings.Join(o.Services, ", "))
		return wrong(WrongService, text, text, "Credential should be scoped to correct service: '"+strings.Join(o.Services, "', '")+"'. ")
	}
	if c.terminator != terminator {
		text := fmt.Sprintf("incorrect terminal %q. This endpoint uses \"aws4_request\".", bounded(c.terminator))
		return wrong(WrongTerminator, text, text, fmt.Sprintf("Credential should be scoped with a valid terminator: 'aws4_request', not '%s'.", bounded(c.terminator)))
	}
	if c.Region != o.Region {
		text := fmt.Sprintf("the region '%s' is wrong; expecting '%s'", bounded(c.Region), o.Region)
		e := wrong(WrongRegion, text, text, "Credential should be scoped to a valid region. ").(*Error)
		e.Fields = map[string]string{"Region": o.Region}
		return e
	}
	if c.Date != day {
		text := fmt.Sprintf("Invalid credential date %q. This date is not the same as X-Amz-Date: %q.", c.Date, day)
		return wrong(WrongDate, text, text, fmt.Sprintf("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '%s' != '%s', from '%s'.", c.Date, day, s.date))
	}
	return nil
}

func isDate(s string) bool {
	_, err := time.Parse(dateLayout, s)
	return err == nil
}

// checkTime compares clocks. A form has no clock of its own: its policy says how long it is good.
func (s *Signature) checkTime(now time.Time) error {
	skewed := func(kind Kind) *Error {
		return &Error{Kind: kind, Form: s.Form, Fields: map[string]string{
			"RequestTime": s.date, "ServerTime": now.Format(time.RFC3339), "MaxAllowedSkewMilliseconds": strconv.FormatInt(MaxSkew.Milliseconds(), 10),
		}}
	}
	switch {
	case s.Form == Header && now.Sub(s.Time) > MaxSkew:
		e := skewed(TooSkewed)
		e.Plain = fmt.Sprintf("Signature expired: %s is now earlier than %s (%s - 15 min.)", s.date, now.Add(-MaxSkew).Format(TimeLayout), now.Format(TimeLayout))
		return e
	case s.Form == Header && s.Time.Sub(now) > MaxSkew:
		e := skewed(TooSkewed)
		e.Plain = notYet(s.date, now)
		return e
	case s.Form == Query && s.Time.Sub(now) > MaxSkew:
		return &Error{Kind: NotYetValid, Form: Query, Plain: notYet(s.date, now), Fields: map[string]string{
			"RequestTime": s.date, "ServerTime": now.Format(time.RFC3339),
		}}
	case s.Form == Query && now.Sub(s.Time) > s.Expires:
		return &Error{Kind: Expired, Form: Query, Fields: map[string]string{
			"X-Amz-Expires": strconv.FormatInt(int64(s.Expires/time.Second), 10),
			"Expires":       s.Time.Add(s.Expires).Format(time.RFC3339), "ServerTime": now.Format(time.RFC3339),
		}}
	}
	return nil
}

func notYet(date string, now time.Time) string {
	return fmt.Sprintf("Signature not yet current: %s is still later than %s (%s + 15 min.)", date, now.Add(MaxSkew).Format(TimeLayout), now.Format(TimeLayout))
}

// Verify proves that the holder of the secret signed this request, for this service, now. The request must be as it was
// received.
func (s *Signature) Verify(r *http.Request, secret string, o Options) (*Proof, error) {
	if err := s.Check(o); err != nil {
		return nil, err
	}
	if missing := s.unsignedHeaders(r.Header); missing != nil {
		return nil, &Error{Kind: UnsignedHeaders, Form: s.Form, Fields: map[string]string{"HeadersNotSigned": strings.Join(missing, ", ")}}
	}
	payload, err := s.payloadHash(o)
	if err != nil {
		return nil, err
	}
	p := &Proof{Signature: s, key: o.Keys.key(secret, &s.Credential)}
	c := canonical{style: o.Style, signed: s.SignedHeaders, list: s.signed, payload: payload}
	var first mismatch
	for i, host := range hosts(r.Host) {
		c.host = host
		request := c.appendTo(make([]byte, 0, 1024), r)
		toSign := s.stringToSign(request)
		if p.matches(toSign, s.value) {
			return p, nil
		}
		if i == 0 {
			first = mismatch{toSign: toSign, request: string(request)}
		}
	}
	return nil, first.error(s)
}

// payloadHash is the last line of the canonical request.
func (s *Signature) payloadHash(o Options) (string, error) {
	declared := string(s.Payload)
	if o.Style == Normal {
		if o.PayloadHash == "" {
			return "", fmt.Errorf("verify signature for %s: the hash of the content is not given", s.Credential.Service)
		}
		if s.Payload.Streaming() {
			return "", &Error{Kind: BadPayloadHash, Form: s.Form}
		}
		return o.PayloadHash, nil
	}
	if declared == "" {
		if s.Form == Header {
			return "", &Error{Kind: MissingPayloadHash, Form: s.Form}
		}
		declared = UnsignedPayload
	}
	if o.PayloadHash != "" && s.Payload.Hashed() && !strings.EqualFold(o.PayloadHash, declared) {
		return "", payloadMismatch(declared, o.PayloadHash)
	}
	return declared, nil
}

func payloadMismatch(declared, computed string) *Error {
	return &Error{Kind: PayloadMismatch, Fields: map[string]string{
		"ClientComputedContentSHA256": declared, "S3ComputedContentSHA256": computed,
	}}
}

func (s *Signature) stringToSign(request []byte) string {
	digest := sha256.Sum256(request)
	b := make([]byte, 0, 192)
	b = append(b, Algorithm...)
	b = append(b, '\n')
	b = append(b, s.date...)
	b = append(b, '\n')
	b = append(b, s.Credential.Scope()...)
	b = append(b, '\n')
	b = hex.AppendEncode(b, digest[:])
	return string(b)
}

// matches compares in constant time.
func (p *Proof) matches(toSign, signature string) bool {
	mac := sign(p.key[:], toSign)
	var want [2 * sha256.Size]byte
	hex.Encode(want[:], mac[:])
	return subtle.ConstantTimeCompare(want[:], []byte(signature)) == 1
}

// mismatch is what a client needs in order to find out where its canonical request differs.
type mismatch struct{ toSign, request string }

func (m mismatch) error(s *Signature) *Error {
	request := m.request
	// The session token is the client's own, but errors get copied into tickets and logs.
	if s.token != "" {
		request = strings.ReplaceAll(request, s.token, "…")
		request = strings.ReplaceAll(request, string(appendEscaped(nil, s.token, false)), "…")
	}
	return &Error{Kind: Mismatch, Form: s.Form, Fields: map[string]string{
		"AWSAccessKeyId":        s.Credential.AccessKeyID,
		"StringToSign":          m.toSign,
		"StringToSignBytes":     spaced(m.toSign),
		"SignatureProvided":     bounded(s.value),
		"CanonicalRequest":      request,
		"CanonicalRequestBytes": spaced(request),
	}}
}

// spaced is S3's spelling of bytes: hex pairs with spaces between.
func spaced(s string) string {
	b := make([]byte, 0, 3*len(s))
	for i := range len(s) {
		if i > 0 {
			b = append(b, ' ')
		}
		b = hex.AppendEncode(b, []byte{s[i]})
	}
	return string(b)
}
