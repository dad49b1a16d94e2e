package sigv4

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Signer signs requests as a client does: the gateway towards a back end, and tests.
type Signer struct {
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string
	Region, Service string
	Style           PathStyle
	// Keys may be nil.
	Keys *KeyCache
}

// String names the signer without its secrets.
func (s Signer) String() string {
	return fmt.Sprintf("signer %s for %s in %s", s.AccessKeyID, s.Service, s.Region)
}

// GoString is String.
func (s Signer) GoString() string { return s.String() }

// errOpaque is a programming error: a request without a path cannot be signed.
var errOpaque = errors.New("the URL is opaque")

// unsignable are headers that proxies and transports change on the way.
var unsignable = []string{
	"authorization", "connection", "expect", "keep-alive", "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade", "user-agent", "x-amzn-trace-id",
}

// Sign adds the Authorization header and those that it needs. payloadHash is the SHA-256 of the body in hex or, for S3, one
// of the constants that stand for it.
func (s *Signer) Sign(r *http.Request, payloadHash string, at time.Time) (*Proof, error) {
	if r.URL.Opaque != "" {
		return nil, fmt.Errorf("sign request: %w", errOpaque)
	}
	at = at.UTC()
	r.Header.Del("Authorization")
	r.Header.Set("X-Amz-Date", at.Format(TimeLayout))
	if s.Style == Literal {
		r.Header.Set("X-Amz-Content-Sha256", payloadHash)
	}
	r.Header.Del("X-Amz-Security-Token")
	if s.SessionToken != "" {
		r.Header.Set("X-Amz-Security-Token", s.SessionToken)
	}
	sig := s.signature(Header, at, s.headersToSign(r))
	sig.Payload = Payload(payloadHash)
	p := s.proof(sig)
	sig.value = p.valueFor(r, s.Style, payloadHash)
	r.Header.Set("Authorization", Algorithm+" Credential="+sig.Credential.AccessKeyID+"/"+sig.Credential.Scope()+
		", SignedHeaders="+sig.signed+", Signature="+sig.value)
	return p, nil
}

// Presign returns the URL of the request with a signature in its query, good for a while. Headers of the request that are
// to be sent with it are signed and have to be sent as they are.
func (s *Signer) Presign(r *http.Request, payloadHash string, at time.Time, expires time.Duration) (*url.URL, error) {
	if r.URL.Opaque != "" {
		return nil, fmt.Errorf("presign request: %w", errOpaque)
	}
	at = at.UTC()
	sig := s.signature(Query, at, s.headersToSign(r))
	signed := *r.URL
	add := func(name, value string) {
		if signed.RawQuery != "" {
			signed.RawQuery += "&"
		}
		signed.RawQuery += name + "=" + string(appendEscaped(nil, value, false))
	}
	add(paramAlgorithm, Algorithm)
	add(paramCredential, sig.Credential.AccessKeyID+"/"+sig.Credential.Scope())
	add(paramDate, sig.date)
	add(paramExpires, strconv.FormatInt(int64(expires/time.Second), 10))
	add(paramSignedHeaders, sig.signed)
	if s.SessionToken != "" {
		add(paramToken, s.SessionToken)
	}
	copied := *r
	copied.URL = &signed
	add(paramSignature, s.proof(sig).valueFor(&copied, s.Style, payloadHash))
	return &signed, nil
}

func (s *Signer) signature(f Form, at time.Time, headers []string) *Signature {
	return &Signature{
		Form:          f,
		Credential:    Credential{AccessKeyID: s.AccessKeyID, Date: at.Format(dateLayout), Region: s.Region, Service: s.Service, terminator: terminator},
		SignedHeaders: headers,
		Time:          at.Truncate(time.Second),
		signed:        strings.Join(headers, ";"),
		date:          at.Format(TimeLayout),
		token:         s.SessionToken,
	}
}

func (s *Signer) proof(sig *Signature) *Proof {
	return &Proof{Signature: sig, key: s.Keys.key(s.SecretAccessKey, &sig.Credential)}
}

func (s *Signer) headersToSign(r *http.Request) []string {
	names := []string{"host"}
	for name := range r.Header {
		if lower := strings.ToLower(name); lower != "host" && !slices.Contains(unsignable, lower) {
			names = append(names, lower)
		}
	}
	if r.ContentLength > 0 && r.Header["Content-Length"] == nil {
		names = append(names, "content-length")
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// valueFor computes the signature of a request.
func (p *Proof) valueFor(r *http.Request, style PathStyle, payloadHash string) string {
	host := r.Host
	if host == "" {
		host = r.URL.Host
	}
	c := canonical{style: style, host: host, signed: p.SignedHeaders, list: p.signed, payload: payloadHash}
	mac := sign(p.key[:], p.stringToSign(c.appendTo(make([]byte, 0, 1024), r)))
	return hex.EncodeToString(mac[:])
}
