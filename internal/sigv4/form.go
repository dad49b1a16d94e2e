package sigv4

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxPolicy bounds the policy of a form, decoded.
const maxPolicy = 20 << 10

// FormFields are the fields of an HTML form that uploads to a bucket, by name in lower case, without the file itself. The
// caller adds the bucket that the URL names as the field "bucket", over one that the form may have.
type FormFields map[string]string

// FormSignature is what a form claims. It is proved by Verify.
type FormSignature struct {
	Signature
	policy string // as signed: base64
	fields FormFields
}

// LengthRange bounds the size of the file that a form uploads. Max −1 is no bound.
type LengthRange struct{ Min, Max int64 }

// ParseForm reads the signature of a form. It answers ErrUnsigned when there is none.
func ParseForm(fields FormFields) (*FormSignature, error) {
	if fields["signature"] != "" || fields["awsaccesskeyid"] != "" {
		return nil, retiredError(PostForm)
	}
	if fields["x-amz-signature"] == "" && fields["policy"] == "" {
		return nil, ErrUnsigned
	}
	for _, name := range []string{"policy", "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature"} {
		if fields[name] == "" {
			return nil, malformed(PostForm, "Bucket POST must contain a field named '"+name+"'.")
		}
	}
	if strings.HasPrefix(fields["x-amz-algorithm"], "AWS4-ECDSA") {
		return nil, &Error{Kind: Asymmetric, Form: PostForm}
	}
	if fields["x-amz-algorithm"] != Algorithm {
		return nil, malformed(PostForm, `X-Amz-Algorithm only supports "AWS4-HMAC-SHA256"`)
	}
	f := &FormSignature{policy: fields["policy"], fields: fields}
	f.Form, f.value, f.token = PostForm, fields["x-amz-signature"], fields["x-amz-security-token"]
	var ok bool
	if f.Credential, ok = parseCredential(fields["x-amz-credential"]); !ok {
		return nil, malformed(PostForm, `Error parsing the X-Amz-Credential parameter; the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".`)
	}
	var err error
	if f.Time, err = parseTime(fields["x-amz-date"]); err != nil {
		return nil, malformed(PostForm, `X-Amz-Date must be in the ISO8601 Long Format "yyyyMMdd'T'HHmmss'Z'"`)
	}
	f.date = f.Time.Format(TimeLayout)
	return f, nil
}

// Verify proves that the holder of the secret signed the policy, and that the form keeps to it. The size of the file is
// not known yet: the caller has to hold it against the range that is returned.
func (f *FormSignature) Verify(secret string, o Options) (LengthRange, error) {
	if err := f.Check(o); err != nil {
		return LengthRange{}, err
	}
	p := &Proof{Signature: &f.Signature, key: o.Keys.key(secret, &f.Credential)}
	if !p.matches(f.policy, f.value) {
		return LengthRange{}, &Error{Kind: Mismatch, Form: PostForm, Fields: map[string]string{
			"AWSAccessKeyId": f.Credential.AccessKeyID, "StringToSign": f.policy, "StringToSignBytes": spaced(f.policy), "SignatureProvided": bounded(f.value),
		}}
	}
	policy, err := decodePolicy(f.policy)
	if err != nil {
		return LengthRange{}, &Error{Kind: MalformedPolicy, Form: PostForm, Detail: err.Error() + "."}
	}
	return policy.check(f.fields, o.Now)
}

// formPolicy is the document that a form carries:
//
//	{"expiration": "2026-11-22T12:00:00.000Z", "conditions": [
//	    {"bucket": "red"}, ["starts-with", "$key", "in/"], ["content-length-range", 1, 1048576]]}
type formPolicy struct {
	expires    time.Time
	conditions []formCondition
	length     LengthRange
}

type formCondition struct {
	prefix      bool
	name, value string
	text        string // as a client wrote it, for the refusal
}

func decodePolicy(encoded string) (*formPolicy, error) {
	if len(encoded) > base64.StdEncoding.EncodedLen(maxPolicy) {
		return nil, errors.New("it is too large")
	}
	text, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, errors.New("it is not base64")
	}
	var doc struct {
		Expiration string            `json:"expiration"`
		Conditions []json.RawMessage `json:"conditions"`
	}
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(&doc); err != nil {
		return nil, errors.New("it is not a JSON object with expiration and conditions alone")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows it")
	}
	p := &formPolicy{length: LengthRange{Max: -1}}
	if p.expires, err = time.Parse(time.RFC3339, doc.Expiration); err != nil {
		return nil, errors.New("its expiration is no time")
	}
	for _, raw := range doc.Conditions {
		if err := p.add(raw); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (p *formPolicy) add(raw json.RawMessage) error {
	var equal map[string]string
	if json.Unmarshal(raw, &equal) == nil && len(equal) > 0 {
		for name, value := range equal {
			p.conditions = append(p.conditions, formCondition{name: strings.ToLower(name), value: value, text: string(raw)})
		}
		return nil
	}
	var list []any
	if json.Unmarshal(raw, &list) != nil || len(list) != 3 {
		return fmt.Errorf("a condition is neither an object nor a list of three: %s", bounded(string(raw)))
	}
	operator, _ := list[0].(string)
	operator = strings.ToLower(operator)
	if operator == "content-length-range" {
		least, ok := wholeNumber(list[1])
		most, ok2 := wholeNumber(list[2])
		if !ok || !ok2 {
			return errors.New("a content-length-range needs two numbers")
		}
		// Of several ranges all must hold.
		p.length.Min = max(p.length.Min, least)
		if p.length.Max < 0 || most < p.length.Max {
			p.length.Max = most
		}
		return nil
	}
	name, ok := list[1].(string)
	value, ok2 := list[2].(string)
	field, ok3 := strings.CutPrefix(name, "$")
	if !ok || !ok2 || !ok3 || operator != "eq" && operator != "starts-with" {
		return fmt.Errorf("a condition is not understood: %s", bounded(string(raw)))
	}
	p.conditions = append(p.conditions, formCondition{prefix: operator == "starts-with", name: strings.ToLower(field), value: value, text: string(raw)})
	return nil
}

func wholeNumber(v any) (int64, bool) {
	switch n := v.(type) {
	case float64:
		return int64(n), n >= 0 && n <= 1<<53 && n == float64(int64(n))
	case string:
		i, err := strconv.ParseInt(n, 10, 64)
		return i, err == nil && i >= 0
	default:
		return 0, false
	}
}

// uncovered fields need no condition. The bucket does, else a policy would be good for every bucket of its signer.
var uncovered = []string{"policy", "x-amz-signature", "file"}

func (p *formPolicy) check(fields FormFields, now time.Time) (LengthRange, error) {
	refuse := func(detail string) (LengthRange, error) {
		return LengthRange{}, &Error{Kind: PolicyRefused, Form: PostForm, Detail: detail}
	}
	if !now.Before(p.expires) {
		return refuse("Policy expired.")
	}
	covered := make(map[string]bool, len(p.conditions))
	for _, c := range p.conditions {
		covered[c.name] = true
		v, given := fields[c.name]
		if ok := v == c.value || c.prefix && strings.HasPrefix(v, c.value); !ok || !given && c.value != "" {
			return refuse("Policy Condition failed: " + c.text)
		}
	}
	var extra []string
	for name := range fields {
		if !covered[name] && !slices.Contains(uncovered, name) && !strings.HasPrefix(name, "x-ignore-") {
			extra = append(extra, name)
		}
	}
	if extra != nil {
		slices.Sort(extra)
		return refuse("Extra input fields: " + strings.Join(extra, ", "))
	}
	return p.length, nil
}
