package sigv4

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"maps"
	"strings"
	"testing"
)

// formOf signs a policy as a web page's server does.
func formOf(t testing.TB, s *Signer, policy string, more FormFields) FormFields {
	t.Helper()
	sig := s.signature(PostForm, testTime(), nil)
	encoded := base64.StdEncoding.EncodeToString([]byte(policy))
	key := deriveKey(s.SecretAccessKey, &sig.Credential)
	mac := sign(key[:], encoded)
	f := FormFields{
		"policy": encoded, "x-amz-algorithm": Algorithm, "x-amz-date": sig.date, "x-amz-signature": hex.EncodeToString(mac[:]),
		"x-amz-credential": sig.Credential.AccessKeyID + "/" + sig.Credential.Scope(),
	}
	if s.SessionToken != "" {
		f["x-amz-security-token"] = s.SessionToken
	}
	maps.Copy(f, more)
	return f
}

const formConditions = `{"x-amz-algorithm":"AWS4-HMAC-SHA256"},["starts-with","$x-amz-credential",""],["starts-with","$x-amz-date",""]`

func TestForm(t *testing.T) {
	const (
		expiration = `{"expiration":"2026-11-22T11:00:00.000Z","conditions":[`
		policy     = expiration + formConditions + `,{"bucket":"red"},["starts-with","$key","in/"],["content-length-range",1,10],{"acl":"private"}]}`
	)
	good := FormFields{"bucket": "red", "key": "in/a.csv", "acl": "private"}
	for name, tt := range map[string]struct {
		policy string
		fields FormFields
		want   Kind
		text   string
	}{
		"kept":                  {policy, good, 0, ""},
		"ignored fields":        {policy, FormFields{"bucket": "red", "key": "in/a", "acl": "private", "x-ignore-me": "x"}, 0, ""},
		"another prefix":        {policy, FormFields{"bucket": "red", "key": "out/a", "acl": "private"}, PolicyRefused, `Policy Condition failed: ["starts-with","$key","in/"]`},
		"another bucket":        {policy, FormFields{"bucket": "blue", "key": "in/a", "acl": "private"}, PolicyRefused, `Policy Condition failed: {"bucket":"red"}`},
		"a field that it wants": {policy, FormFields{"bucket": "red", "key": "in/a"}, PolicyRefused, `Policy Condition failed: {"acl":"private"}`},
		"a field that it lacks": {policy, FormFields{"bucket": "red", "key": "in/a", "acl": "private", "tagging": "x"}, PolicyRefused, "Extra input fields: tagging"},
		"bucket not in it":      {expiration + formConditions + `,["starts-with","$key",""]]}`, FormFields{"bucket": "red", "key": "a"}, PolicyRefused, "Extra input fields: bucket"},
		"expired":               {strings.Replace(policy, "T11:00", "T10:15", 1), good, PolicyRefused, "Policy expired."},
		"no expiration":         {`{"conditions":[]}`, good, MalformedPolicy, "expiration"},
		"no JSON":               {"policy", good, MalformedPolicy, "not a JSON object"},
		"JSON and more":         {policy + "{}", good, MalformedPolicy, "something follows"},
		"unknown operator":      {expiration + `["ends-with","$key","a"]]}`, good, MalformedPolicy, "not understood"},
		"no dollar":             {expiration + `["eq","key","a"]]}`, good, MalformedPolicy, "not understood"},
		"null":                  {expiration + `null]}`, good, MalformedPolicy, "condition"},
		"a range of words":      {expiration + `["content-length-range","a","b"]]}`, good, MalformedPolicy, "two numbers"},
		"too large":             {expiration + `{"key":"` + strings.Repeat("x", maxPolicy) + `"}]}`, good, MalformedPolicy, "too large"},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := ParseForm(formOf(t, s3Signer(), tt.policy, tt.fields))
			if err != nil {
				t.Fatal(err)
			}
			length, err := f.Verify(testSecret, s3Options())
			checkKind(t, err, tt.want)
			if err != nil && !strings.Contains(err.Error(), tt.text) {
				t.Errorf("%v does not say %q", err, tt.text)
			}
			if name == "kept" && length != (LengthRange{1, 10}) {
				t.Errorf("length %v", length)
			}
		})
	}
}

func TestFormTampering(t *testing.T) {
	const policy = `{"expiration":"2026-11-22T11:00:00Z","conditions":[` + formConditions + `,{"bucket":"red"},["starts-with","$key",""]]}`
	for name, tt := range map[string]struct {
		field, value string
		want         Kind
	}{
		"nothing":         {"key", "a", 0},
		"policy":          {"policy", base64.StdEncoding.EncodeToString([]byte(policy + " ")), Mismatch},
		"signature":       {"x-amz-signature", strings.Repeat("0", 64), Mismatch},
		"key id":          {"x-amz-credential", "AKIAOTHER/20261122/us-east-1/s3/aws4_request", 0}, // looked up under another key
		"region":          {"x-amz-credential", testKey + "/20261122/eu-west-1/s3/aws4_request", WrongRegion},
		"day":             {"x-amz-credential", testKey + "/20261121/us-east-1/s3/aws4_request", WrongDate},
		"date":            {"x-amz-date", "20261123T000000Z", WrongDate},
		"date unreadable": {"x-amz-date", "today", Malformed},
		"no policy":       {"policy", "", Malformed},
		"no signature":    {"x-amz-signature", "", Malformed},
		"algorithm":       {"x-amz-algorithm", "AWS4-HMAC-SHA1", Malformed},
		"version 4A":      {"x-amz-algorithm", "AWS4-ECDSA-P256-SHA256", Asymmetric},
		"version 2":       {"signature", "c2ln", Retired},
	} {
		t.Run(name, func(t *testing.T) {
			fields := formOf(t, s3Signer(), policy, FormFields{"bucket": "red", "key": "a"})
			fields[tt.field] = tt.value
			f, err := ParseForm(fields)
			if err == nil {
				_, err = f.Verify(testSecret, s3Options())
			}
			checkKind(t, err, tt.want)
		})
	}
	if _, err := ParseForm(FormFields{"key": "a"}); !errors.Is(err, ErrUnsigned) {
		t.Errorf("a form without a signature: %v", err)
	}
}
