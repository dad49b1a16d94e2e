package sigv4

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/smithy-go/encoding/httpbinding"
	"pgregory.net/rapid"
)

const (
	testSecret = "c2VjcmV0IG9mIGEgdGVzdCBrZXkgaGVyZS4uLi4u"
	testKey    = "AKIAEXAMPLE000000001"
)

func testTime() time.Time { return time.Date(2026, 11, 22, 10, 15, 0, 0, time.UTC) }

func s3Options() Options {
	return Options{Now: testTime(), Region: "us-east-1", Services: []string{"s3"}}
}

func s3Signer() *Signer {
	return &Signer{AccessKeyID: testKey, SecretAccessKey: testSecret, Region: "us-east-1", Service: "s3"}
}

// arrive makes what a server sees of a client's request.
func arrive(t testing.TB, r *http.Request) *http.Request {
	t.Helper()
	var text strings.Builder
	if err := r.Write(&text); err != nil {
		t.Fatal(err)
	}
	in, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text.String())))
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func newRequest(t testing.TB, method, target string, headers ...string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

// signed is a request of S3 as a server receives it.
func signed(t testing.TB, method, target string, headers ...string) *http.Request {
	t.Helper()
	r := newRequest(t, method, target, headers...)
	if _, err := s3Signer().Sign(r, UnsignedPayload, testTime()); err != nil {
		t.Fatal(err)
	}
	return arrive(t, r)
}

func presigned(t testing.TB, method, target string, expires time.Duration, headers ...string) *http.Request {
	t.Helper()
	r := newRequest(t, method, target, headers...)
	u, err := s3Signer().Presign(r, UnsignedPayload, testTime(), expires)
	if err != nil {
		t.Fatal(err)
	}
	r.URL = u
	return arrive(t, r)
}

func verify(r *http.Request, o Options) error {
	sig, err := Parse(r)
	if err != nil {
		return err
	}
	_, err = sig.Verify(r, testSecret, o)
	return err
}

// TestVerifyWhatTheSDKSigns takes the AWS SDK as the oracle: whatever it signs is verified, with paths, queries and headers
// of any text.
func TestVerifyWhatTheSDKSigns(t *testing.T) {
	creds := aws.Credentials{AccessKeyID: testKey, SecretAccessKey: testSecret, SessionToken: "FwoGZXIvYXdzE//+/=="}
	text := rapid.StringMatching(`[ -~éሴ😀]{0,12}`)
	rapid.Check(t, func(t *rapid.T) {
		literal := rapid.Bool().Draw(t, "S3")
		path := "/" + text.Draw(t, "path")
		if !literal {
			// The SDK leaves dot segments to the service, which removes them.
			path = "/" + rapid.StringMatching(`[a-zA-Z0-9 %+é]{0,12}`).Draw(t, "plain path")
		}
		u := &url.URL{Scheme: "http", Host: "lakegate.internal:9420", Path: path}
		u.RawPath = httpbinding.EscapePath(path, false)
		query := url.Values{}
		for range rapid.IntRange(0, 4).Draw(t, "parameters") {
			query.Add(rapid.StringMatching(`[a-zA-Z=&%é-]{1,6}`).Draw(t, "name"), text.Draw(t, "value"))
		}
		u.RawQuery = strings.ReplaceAll(query.Encode(), "+", "%20")
		r := &http.Request{Method: rapid.SampledFrom([]string{"GET", "PUT", "DELETE"}).Draw(t, "method"), URL: u, Host: u.Host, Header: http.Header{}}
		for range rapid.IntRange(0, 3).Draw(t, "headers") {
			r.Header.Add("X-Amz-Meta-"+rapid.StringMatching(`[A-Z][a-z]{0,3}`).Draw(t, "header"), rapid.StringMatching(`[!-~]( {0,3}[!-~]){0,5}`).Draw(t, "content"))
		}
		service, style := "sts", Normal
		if literal {
			service, style = "s3", Literal
			r.Header.Set("X-Amz-Content-Sha256", EmptyPayload)
		}
		options := func(o *sdk.SignerOptions) { o.DisableURIPathEscaping = literal }
		if rapid.Bool().Draw(t, "presigned") {
			q := r.URL.Query()
			q.Set("X-Amz-Expires", "60")
			r.URL.RawQuery = strings.ReplaceAll(q.Encode(), "+", "%20")
			to, headers, err := sdk.NewSigner().PresignHTTP(context.Background(), creds, r, EmptyPayload, service, "us-east-1", testTime(), options)
			if err != nil {
				t.Fatal(err)
			}
			r.Header = headers
			if r.URL, err = url.Parse(to); err != nil {
				t.Fatal(err)
			}
			if literal {
				r.Header.Set("X-Amz-Content-Sha256", EmptyPayload)
			}
		} else if err := sdk.NewSigner().SignHTTP(context.Background(), creds, r, EmptyPayload, service, "us-east-1", testTime(), options); err != nil {
			t.Fatal(err)
		}
		var wire strings.Builder
		if err := r.Write(&wire); err != nil {
			t.Fatal(err)
		}
		in, err := http.ReadRequest(bufio.NewReader(strings.NewReader(wire.String())))
		if err != nil {
			t.Fatal(err)
		}
		sig, err := Parse(in)
		if err != nil {
			t.Fatalf("%v\n%s", err, wire.String())
		}
		o := Options{Now: testTime(), Region: "us-east-1", Services: []string{service}, Style: style, PayloadHash: EmptyPayload, Keys: &KeyCache{}}
		if _, err := sig.Verify(in, testSecret, o); err != nil {
			e, _ := errors.AsType[*Error](err)
			t.Fatalf("%v\n%s\n%s", err, wire.String(), e.Fields["CanonicalRequest"])
		}
		if sig.SessionToken() != creds.SessionToken {
			t.Fatalf("session token %q", sig.SessionToken())
		}
		if _, err := sig.Verify(in, testSecret+"x", o); !errors.Is(err, &Error{Kind: Mismatch}) {
			t.Fatalf("another secret: %v", err)
		}
	})
}

func TestOneMechanism(t *testing.T) {
	const target = "http://lakegate.internal/red/key"
	v4 := func() *http.Request { return signed(t, "GET", target) }
	url4 := func() *http.Request { return presigned(t, "GET", target, time.Hour) }
	with := func(r *http.Request, change func(r *http.Request)) *http.Request {
		change(r)
		return r
	}
	auth := func(v ...string) *http.Request {
		return with(v4(), func(r *http.Request) { r.Header["Authorization"] = v })
	}
	tests := map[string]struct {
		r    *http.Request
		want Kind
	}{
		"none":                                  {newRequest(t, "GET", target), Unsigned},
		"none, with other parameters":           {newRequest(t, "GET", target+"?prefix=%2F&x-id=GetObject"), Unsigned},
		"header":                                {v4(), 0},
		"presigned":                             {url4(), 0},
		"header and presigned":                  {with(url4(), func(r *http.Request) { r.Header = v4().Header }), TwoMechanisms},
		"header and a part of presigned":        {with(v4(), func(r *http.Request) { r.URL.RawQuery = "X-Amz-Credential=a" }), TwoMechanisms},
		"header and a hidden part of presigned": {with(v4(), func(r *http.Request) { r.URL.RawQuery = "%58-Amz-Signature=a" }), TwoMechanisms},
		"two headers":                           {auth("AWS4-HMAC-SHA256 a", "AWS4-HMAC-SHA256 b"), TwoMechanisms},
		"version 2":                             {auth("AWS AKIAEXAMPLE:c2ln"), Retired},
		"version 2 in the query":                {newRequest(t, "GET", target+"?AWSAccessKeyId=a&Signature=b&Expires=1"), Retired},
		"version 2 beside 4":                    {with(url4(), func(r *http.Request) { r.URL.RawQuery += "&AWSAccessKeyId=a" }), TwoMechanisms},
		"version 4A":                            {auth("AWS4-ECDSA-P256-SHA256 Credential=a/20261122/s3/aws4_request, SignedHeaders=host, Signature=00"), Asymmetric},
		"version 4A in the query":               {newRequest(t, "GET", target+"?X-Amz-Algorithm=AWS4-ECDSA-P256-SHA256&X-Amz-Signature=0"), Asymmetric},
		"basic":                                 {auth("Basic dXNlcjpwYXNz"), UnknownScheme},
		"empty":                                 {auth(""), UnknownScheme},
		"another case":                          {auth("aws4-hmac-sha256 Credential=a"), UnknownScheme},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) { checkKind(t, verify(tt.r, s3Options()), tt.want) })
	}
}

func TestMalformedHeader(t *testing.T) {
	const (
		credential = "Credential=AKIAEXAMPLE000000001/20261122/us-east-1/s3/aws4_request"
		names      = "SignedHeaders=host;x-amz-content-sha256;x-amz-date"
	)
	signature := "Signature=" + strings.Repeat("0", 64)
	for name, tt := range map[string]struct {
		value string
		want  Kind
		text  string
	}{
		"well-formed":          {credential + ", " + names + ", " + signature, Mismatch, ""},
		"without spaces":       {credential + "," + names + "," + signature, Mismatch, ""},
		"no credential":        {names + ", " + signature, Malformed, "missing Credential"},
		"no signed headers":    {credential + ", " + signature, Malformed, "missing SignedHeaders"},
		"no signature":         {credential + ", " + names, Malformed, "missing Signature"},
		"a part twice":         {credential + ", " + names + ", " + signature + ", " + signature, Malformed, "not expected"},
		"an unknown part":      {credential + ", " + names + ", " + signature + ", Region=x", Malformed, "not expected"},
		"short credential":     {"Credential=AKIA/20261122/us-east-1/s3, " + names + ", " + signature, Malformed, "Credential is mal-formed"},
		"long credential":      {"Credential=AKIA/x/20261122/us-east-1/s3/aws4_request, " + names + ", " + signature, Malformed, "Credential is mal-formed"},
		"no key id":            {"Credential=/20261122/us-east-1/s3/aws4_request, " + names + ", " + signature, Malformed, "Credential is mal-formed"},
		"host not signed":      {credential + ", SignedHeaders=x-amz-content-sha256;x-amz-date, " + signature, UnsignedHeaders, ""},
		"names in upper case":  {credential + ", SignedHeaders=Host;x-amz-content-sha256;x-amz-date, " + signature, Malformed, "lower case"},
		"names not sorted":     {credential + ", SignedHeaders=x-amz-date;host;x-amz-content-sha256, " + signature, Malformed, "sorted"},
		"a name twice":         {credential + ", SignedHeaders=host;host;x-amz-content-sha256;x-amz-date, " + signature, Malformed, "each once"},
		"an empty name":        {credential + ", SignedHeaders=;host;x-amz-content-sha256;x-amz-date, " + signature, Malformed, "lower case"},
		"a name with newline":  {credential + ", SignedHeaders=a\nb;host;x-amz-content-sha256;x-amz-date, " + signature, Malformed, "lower case"},
		"too long":             {credential + ", " + names + ", Signature=" + strings.Repeat("0", maxAuthorization), Malformed, "too long"},
		"too many names":       {credential + ", SignedHeaders=" + manyNames() + ", " + signature, Malformed, "too many"},
		"an upper-case result": {credential + ", " + names + ", Signature=" + strings.Repeat("A", 64), Mismatch, ""},
		"wrong region":         {strings.Replace(credential, "us-east-1", "eu-west-1", 1) + ", " + names + ", " + signature, WrongRegion, "the region 'eu-west-1' is wrong; expecting 'us-east-1'"},
		"wrong service":        {strings.Replace(credential, "/s3/", "/sts/", 1) + ", " + names + ", " + signature, WrongService, `incorrect service "sts"`},
		"wrong end":            {strings.Replace(credential, "aws4_request", "aws4", 1) + ", " + names + ", " + signature, WrongTerminator, `incorrect terminal "aws4"`},
		"wrong day":            {strings.Replace(credential, "20261122", "20261121", 1) + ", " + names + ", " + signature, WrongDate, "Invalid credential date"},
		"no day":               {strings.Replace(credential, "20261122", "22112026", 1) + ", " + names + ", " + signature, WrongDate, "incorrect date format"},
	} {
		t.Run(name, func(t *testing.T) {
			r := signed(t, "GET", "http://lakegate.internal/red/key")
			r.Header.Set("Authorization", Algorithm+" "+tt.value)
			err := verify(r, s3Options())
			checkKind(t, err, tt.want)
			if err != nil && !strings.Contains(err.Error(), tt.text) {
				t.Errorf("%v does not say %q", err, tt.text)
			}
		})
	}
}

func manyNames() string {
	var names []string
	for i := range maxSignedHeaders + 1 {
		names = append(names, fmt.Sprintf("x%03d", i))
	}
	return strings.Join(names, ";")
}

func TestMalformedQuery(t *testing.T) {
	for name, tt := range map[string]struct {
		old, new string
		want     Kind
		text     string
	}{
		"well-formed":       {"", "", 0, ""},
		"a week":            {"X-Amz-Expires=3600", "X-Amz-Expires=604800", Mismatch, ""},
		"more than a week":  {"X-Amz-Expires=3600", "X-Amz-Expires=604801", Malformed, "less than a week"},
		"no time at all":    {"X-Amz-Expires=3600", "X-Amz-Expires=0", Malformed, "non-negative"},
		"negative":          {"X-Amz-Expires=3600", "X-Amz-Expires=-1", Malformed, "non-negative"},
		"no number":         {"X-Amz-Expires=3600", "X-Amz-Expires=1h", Malformed, "should be a number"},
		"signed number":     {"X-Amz-Expires=3600", "X-Amz-Expires=%2B1", Malformed, "should be a number"},
		"overflow":          {"X-Amz-Expires=3600", "X-Amz-Expires=9223372036854775808", Malformed, "should be a number"},
		"no life":           {"X-Amz-Expires=3600&", "", Malformed, "requires the X-Amz-Algorithm"},
		"no signature":      {"X-Amz-Signature=", "x=", Malformed, "requires the X-Amz-Algorithm"},
		"another algorithm": {"X-Amz-Algorithm=AWS4-HMAC-SHA256", "X-Amz-Algorithm=AWS4-HMAC-SHA1", Malformed, "only supports"},
		"a parameter twice": {"X-Amz-Expires=3600", "X-Amz-Expires=3600&X-Amz-Expires=7200", Malformed, "must not be given twice"},
		"another date":      {"X-Amz-Date=20261122T101500Z", "X-Amz-Date=2026-11-22T10:15:00Z", Malformed, "ISO8601 Long Format"},
		"wrong region":      {"us-east-1", "eu-west-1", WrongRegion, "Error parsing the X-Amz-Credential parameter; the region 'eu-west-1' is wrong"},
		"another payload":   {"X-Amz-Expires=3600", "X-Amz-Expires=3600&X-Amz-Content-Sha256=whatever", BadPayloadHash, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := presigned(t, "GET", "http://lakegate.internal/red/key", time.Hour)
			if !strings.Contains(r.URL.RawQuery, tt.old) {
				t.Fatalf("%q is not in %s", tt.old, r.URL.RawQuery)
			}
			r.URL.RawQuery = strings.Replace(r.URL.RawQuery, tt.old, tt.new, 1)
			err := verify(r, s3Options())
			checkKind(t, err, tt.want)
			if err != nil && !strings.Contains(err.Error(), tt.text) {
				t.Errorf("%v does not say %q", err, tt.text)
			}
		})
	}
}

func TestClock(t *testing.T) {
	header := func() *http.Request { return signed(t, "GET", "http://lakegate.internal/red/key") }
	minute := func() *http.Request { return presigned(t, "GET", "http://lakegate.internal/red/key", time.Minute) }
	for name, tt := range map[string]struct {
		r     *http.Request
		after time.Duration
		want  Kind
	}{
		"at once":                        {header(), 0, 0},
		"15 minutes later":               {header(), MaxSkew, 0},
		"a little more":                  {header(), MaxSkew + time.Second, TooSkewed},
		"15 minutes before":              {header(), -MaxSkew, 0},
		"a little more before":           {header(), -MaxSkew - time.Second, TooSkewed},
		"presigned at once":              {minute(), 0, 0},
		"presigned, last second":         {minute(), time.Minute, 0},
		"presigned, too late":            {minute(), time.Minute + time.Second, Expired},
		"presigned, slightly ahead":      {minute(), -MaxSkew, 0},
		"presigned, from the far future": {minute(), -MaxSkew - time.Second, NotYetValid},
	} {
		t.Run(name, func(t *testing.T) {
			o := s3Options()
			o.Now = o.Now.Add(tt.after)
			checkKind(t, verify(tt.r, o), tt.want)
		})
	}
}

func TestDate(t *testing.T) {
	for name, tt := range map[string]struct {
		amz, date string
		want      Kind
	}{
		"neither":            {"", "", MissingDate},
		"unreadable":         {"yesterday", "", MissingDate},
		"another format":     {"2026-11-22T10:15:00Z", "", MissingDate},
		"fractions":          {"20261122T101500.5Z", "", MissingDate},
		"x-amz-date wins":    {"yesterday", "Sun, 22 Nov 2026 10:15:00 GMT", MissingDate},
		"date alone":         {"", "Sun, 22 Nov 2026 10:15:00 GMT", Mismatch},
		"date alone in ISO":  {"", "20261122T101500Z", Mismatch},
		"date alone, skewed": {"", "Sun, 22 Nov 2026 11:15:00 GMT", TooSkewed},
	} {
		t.Run(name, func(t *testing.T) {
			r := signed(t, "GET", "http://lakegate.internal/red/key")
			r.Header.Del("X-Amz-Date")
			if tt.amz != "" {
				r.Header.Set("X-Amz-Date", tt.amz)
			}
			if tt.date != "" {
				r.Header.Set("Date", tt.date)
			}
			checkKind(t, verify(r, s3Options()), tt.want)
		})
	}
}

func TestPayloadHash(t *testing.T) {
	other := strings.Repeat("0", 64)
	for name, tt := range map[string]struct {
		style              PathStyle
		declared, computed string
		want               Kind
	}{
		"S3, unsigned":                   {Literal, UnsignedPayload, "", 0},
		"S3, hash":                       {Literal, other, "", 0},
		"S3, hash in upper case":         {Literal, strings.ToUpper(EmptyPayload), EmptyPayload, 0},
		"S3, hash of what was read":      {Literal, EmptyPayload, EmptyPayload, 0},
		"S3, hash of something else":     {Literal, other, EmptyPayload, PayloadMismatch},
		"S3, streaming":                  {Literal, StreamingSigned, "", 0},
		"S3, streaming with SigV4A":      {Literal, "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", "", BadPayloadHash},
		"S3, unknown":                    {Literal, "UNSIGNED", "", BadPayloadHash},
		"S3, missing":                    {Literal, "", "", MissingPayloadHash},
		"others, hash of what was read":  {Normal, EmptyPayload, EmptyPayload, 0},
		"others, hash of something else": {Normal, other, EmptyPayload, Mismatch},
		"others, unsigned":               {Normal, UnsignedPayload, EmptyPayload, Mismatch},
		"others, streaming":              {Normal, StreamingUnsignedTrailer, EmptyPayload, BadPayloadHash},
	} {
		t.Run(name, func(t *testing.T) {
			s := s3Signer()
			s.Style = tt.style
			r := newRequest(t, "POST", "http://lakegate.internal/")
			if tt.style == Normal {
				r.Header.Set("X-Amz-Content-Sha256", tt.declared)
			}
			if _, err := s.Sign(r, tt.declared, testTime()); err != nil {
				t.Fatal(err)
			}
			if tt.declared == "" {
				r.Header.Del("X-Amz-Content-Sha256")
			}
			o := s3Options()
			o.Style, o.PayloadHash = tt.style, tt.computed
			checkKind(t, verify(arrive(t, r), o), tt.want)
		})
	}
}

func TestNormalStyleNeedsTheHash(t *testing.T) {
	o := s3Options()
	o.Style = Normal
	err := verify(signed(t, "GET", "http://lakegate.internal/"), o)
	if err == nil {
		t.Fatal("verified a request whose content nobody looked at")
	}
	if _, ok := errors.AsType[*Error](err); ok {
		t.Errorf("%v blames the client", err)
	}
}
