package sigv4

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestAnswers is the table of how each refusal reads in each dialect.
func TestAnswers(t *testing.T) {
	for _, tt := range []struct {
		kind        Kind
		s3          string
		s3Status    int
		query, json string
		status      int
	}{
		{Unsigned, "AccessDenied", 403, "MissingAuthenticationToken", "MissingAuthenticationTokenException", 403},
		{TwoMechanisms, "InvalidArgument", 400, "IncompleteSignature", "IncompleteSignatureException", 400},
		{Retired, "InvalidRequest", 400, "IncompleteSignature", "IncompleteSignatureException", 400},
		{UnknownScheme, "InvalidArgument", 400, "IncompleteSignature", "IncompleteSignatureException", 400},
		{Malformed, "AuthorizationHeaderMalformed", 400, "IncompleteSignature", "IncompleteSignatureException", 400},
		{MissingDate, "AccessDenied", 403, "IncompleteSignature", "IncompleteSignatureException", 400},
		{TooSkewed, "RequestTimeTooSkewed", 403, "SignatureDoesNotMatch", "InvalidSignatureException", 403},
		{Expired, "AccessDenied", 403, "RequestExpired", "RequestExpired", 400},
		{WrongRegion, "AuthorizationHeaderMalformed", 400, "SignatureDoesNotMatch", "InvalidSignatureException", 403},
		{UnknownKey, "InvalidAccessKeyId", 403, "InvalidClientTokenId", "UnrecognizedClientException", 403},
		{InvalidToken, "InvalidToken", 400, "InvalidClientTokenId", "UnrecognizedClientException", 403},
		{ExpiredToken, "ExpiredToken", 400, "ExpiredToken", "ExpiredTokenException", 403},
		{Mismatch, "SignatureDoesNotMatch", 403, "SignatureDoesNotMatch", "InvalidSignatureException", 403},
		{UnsignedHeaders, "AccessDenied", 403, "SignatureDoesNotMatch", "InvalidSignatureException", 403},
		{PayloadMismatch, "XAmzContentSHA256Mismatch", 400, "SignatureDoesNotMatch", "InvalidSignatureException", 403},
		{IncompleteBody, "IncompleteBody", 400, "IncompleteBody", "IncompleteBody", 400},
		{BadDigest, "BadDigest", 400, "BadDigest", "BadDigest", 400},
	} {
		e := &Error{Kind: tt.kind, Form: Header}
		got := []string{e.Answer(S3).Code, e.Answer(QueryAPI).Code, e.Answer(JSONAPI).Code, fmt.Sprint(e.Answer(S3).Status, e.Answer(QueryAPI).Status, e.Answer(JSONAPI).Status)}
		want := []string{tt.s3, tt.query, tt.json, fmt.Sprint(tt.s3Status, tt.status, tt.status)}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("kind %d (-want +got):\n%s", tt.kind, d)
		}
	}
}

func TestEveryKindHasAnAnswer(t *testing.T) {
	for kind := Unsigned; kind <= PolicyRefused; kind++ {
		for _, d := range []Dialect{S3, QueryAPI, JSONAPI} {
			if a := (&Error{Kind: kind}).Answer(d); a.Code == "" || a.Status < 400 || a.Status > 499 {
				t.Errorf("kind %d in dialect %d: %+v", kind, d, a)
			}
		}
	}
}

func TestMembersOfS3Errors(t *testing.T) {
	late := s3Options()
	late.Now = late.Now.Add(time.Hour)
	region := s3Options()
	region.Region = "eu-central-1"
	tampered := func() *http.Request {
		r := signed(t, "GET", "http://lakegate.internal/red/key")
		r.URL.Path = "/blue/key"
		return r
	}
	unsigned := func() *http.Request {
		r := signed(t, "GET", "http://lakegate.internal/red/key")
		r.Header.Set("X-Amz-Acl", "public-read")
		return r
	}
	for name, tt := range map[string]struct {
		r       *http.Request
		o       Options
		code    string
		message string
		fields  map[string]string // "*" for any value
	}{
		"skew": {signed(t, "GET", "http://lakegate.internal/"), late, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large.",
			map[string]string{"RequestTime": "20261122T101500Z", "ServerTime": "2026-11-22T11:15:00Z", "MaxAllowedSkewMilliseconds": "900000"}},
		"expired": {presigned(t, "GET", "http://lakegate.internal/", time.Minute), late, "AccessDenied", "Request has expired",
			map[string]string{"X-Amz-Expires": "60", "Expires": "2026-11-22T10:16:00Z", "ServerTime": "2026-11-22T11:15:00Z"}},
		"region": {signed(t, "GET", "http://lakegate.internal/"), region, "AuthorizationHeaderMalformed",
			"The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-central-1'", map[string]string{"Region": "eu-central-1"}},
		"region, presigned": {presigned(t, "GET", "http://lakegate.internal/", time.Minute), region, "AuthorizationQueryParametersError",
			"Error parsing the X-Amz-Credential parameter; the region 'us-east-1' is wrong; expecting 'eu-central-1'", map[string]string{"Region": "eu-central-1"}},
		"not signed": {unsigned(), s3Options(), "AccessDenied", "There were headers present in the request which were not signed", map[string]string{"HeadersNotSigned": "x-amz-acl"}},
		"mismatch": {tampered(), s3Options(), "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
			map[string]string{"AWSAccessKeyId": testKey, "StringToSign": "*", "StringToSignBytes": "*", "SignatureProvided": "*", "CanonicalRequest": "*", "CanonicalRequestBytes": "*"}},
	} {
		t.Run(name, func(t *testing.T) {
			e, ok := errors.AsType[*Error](verify(tt.r, tt.o))
			if !ok {
				t.Fatal("not refused")
			}
			a := e.Answer(S3)
			if a.Code != tt.code || a.Message != tt.message {
				t.Errorf("answered %s: %s", a.Code, a.Message)
			}
			for k, v := range a.Fields {
				if tt.fields[k] == "*" && v != "" {
					a.Fields[k] = "*"
				}
			}
			if d := cmp.Diff(tt.fields, a.Fields); d != "" {
				t.Errorf("fields (-want +got):\n%s", d)
			}
		})
	}
}

// TestMismatchHelpsTheClient: the canonical request that the error shows is the one that has to be signed.
func TestMismatchHelpsTheClient(t *testing.T) {
	r := signed(t, "GET", "http://lakegate.internal/red/key?b=2&a=1")
	r.Method = "DELETE"
	e, _ := errors.AsType[*Error](verify(r, s3Options()))
	lines := strings.Split(e.Fields["CanonicalRequest"], "\n")
	if d := cmp.Diff([]string{"DELETE", "/red/key", "a=1&b=2", "host:lakegate.internal"}, lines[:4]); d != "" {
		t.Error(d)
	}
	if got := e.Fields["StringToSignBytes"][:11]; got != "41 57 53 34" {
		t.Errorf("bytes begin with %s", got)
	}
}

func TestSecretsDoNotShow(t *testing.T) {
	const token = "SECRETTOKEN+/=="
	s := s3Signer()
	s.SessionToken = token
	s.Keys = &KeyCache{}
	r := newRequest(t, "GET", "http://lakegate.internal/red/key")
	if _, err := s.Sign(r, UnsignedPayload, testTime()); err != nil {
		t.Fatal(err)
	}
	sig, err := Parse(r)
	if err != nil {
		t.Fatal(err)
	}
	o := s3Options()
	o.Keys = s.Keys
	proof, err := sig.Verify(r, testSecret, o)
	if err != nil {
		t.Fatal(err)
	}
	_, wrong := sig.Verify(r, "another", o)
	u, err := s.Presign(newRequest(t, "GET", "http://lakegate.internal/red/key"), UnsignedPayload, testTime(), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	query := newRequest(t, "PUT", u.String())
	wrongQuery := verify(query, s3Options())
	if wrongQuery == nil {
		t.Fatal("verified another method")
	}
	form, err := ParseForm(formOf(t, s, `{"expiration":"2026-11-22T11:00:00Z","conditions":[]}`, nil))
	if err != nil {
		t.Fatal(err)
	}
	key := deriveKey(testSecret, &sig.Credential)
	for _, v := range []any{s, *s, sig, *sig, proof, *proof, s.Keys, wrong, wrongQuery, form} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			text := fmt.Sprintf(verb, v)
			for _, secret := range []string{token, testSecret, fmt.Sprint(key[:4])[1:10], "SECRETTOKEN"} {
				if strings.Contains(text, secret) {
					t.Errorf("%T shows %q with %s: %s", v, secret, verb, text)
				}
			}
		}
	}
	for _, err := range []error{wrong, wrongQuery} {
		e, _ := errors.AsType[*Error](err)
		for name, v := range e.Fields {
			if strings.Contains(v, "SECRETTOKEN") || strings.Contains(v, "53 45 43 52 45 54 54 4F") {
				t.Errorf("%s shows the token: %s", name, v)
			}
		}
	}
}
