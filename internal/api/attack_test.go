package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lakegate/lakegate/internal/api/s3control"
	"github.com/lakegate/lakegate/internal/api/sso"
	"github.com/lakegate/lakegate/internal/api/ssooidc"
	"github.com/lakegate/lakegate/internal/wire"
)

// recorder keeps the input that reached it.
type recorder struct {
	access *s3control.GetDataAccessInput
	policy *s3control.PutAccessGrantsInstanceResourcePolicyInput
	grant  *s3control.CreateAccessGrantInput
	tags   *s3control.ListTagsForResourceInput
	role   *sso.GetRoleCredentialsInput
	token  *ssooidc.CreateTokenWithIAMInput
}

func (r *recorder) GetDataAccess(_ context.Context, in *s3control.GetDataAccessInput) (*s3control.GetDataAccessOutput, error) {
	r.access = in
	return &s3control.GetDataAccessOutput{}, nil
}

func (r *recorder) PutAccessGrantsInstanceResourcePolicy(_ context.Context, in *s3control.PutAccessGrantsInstanceResourcePolicyInput) (*s3control.PutAccessGrantsInstanceResourcePolicyOutput, error) {
	r.policy = in
	return &s3control.PutAccessGrantsInstanceResourcePolicyOutput{}, nil
}

func (r *recorder) CreateAccessGrant(_ context.Context, in *s3control.CreateAccessGrantInput) (*s3control.CreateAccessGrantOutput, error) {
	r.grant = in
	return &s3control.CreateAccessGrantOutput{}, nil
}

func (r *recorder) ListTagsForResource(_ context.Context, in *s3control.ListTagsForResourceInput) (*s3control.ListTagsForResourceOutput, error) {
	r.tags = in
	return &s3control.ListTagsForResourceOutput{}, nil
}

func (r *recorder) GetRoleCredentials(_ context.Context, in *sso.GetRoleCredentialsInput) (*sso.GetRoleCredentialsOutput, error) {
	r.role = in
	return &sso.GetRoleCredentialsOutput{}, nil
}

func (r *recorder) CreateTokenWithIAM(_ context.Context, in *ssooidc.CreateTokenWithIAMInput) (*ssooidc.CreateTokenWithIAMOutput, error) {
	r.token = in
	return &ssooidc.CreateTokenWithIAMOutput{}, nil
}

// ask makes a request with the headers "name: value" and returns the answer.
func ask(mux *wire.Mux, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	serve(mux, w, r)
	return w
}

const accessPath = "/v20180820/accessgrantsinstance/dataaccess"

// TestAMemberCountsInItsPlaceAlone: what is bound to a header, the path or the query and given in another place is not
// given. Else what a proxy or a log saw of a request would not be what was decided on.
func TestAMemberCountsInItsPlaceAlone(t *testing.T) {
	const account = "x-amz-account-id: 111111111111"
	for name, test := range map[string]struct {
		method, target, body string
		headers              []string
		missing              string
	}{
		"the account in the body":  {"GET", accessPath + "?target=s3://b/*&permission=READ", `<r><x-amz-account-id>111111111111</x-amz-account-id><AccountId>111111111111</AccountId></r>`, nil, "accountId"},
		"the account in the query": {"GET", accessPath + "?target=s3://b/*&permission=READ&x-amz-account-id=111111111111&AccountId=111111111111", "", nil, "accountId"},
		"the target in the body":   {"GET", accessPath + "?permission=READ", `<r><target>s3://b/*</target><Target>s3://b/*</Target></r>`, []string{account}, "target"},
		"the target in a header":   {"GET", accessPath + "?permission=READ", "", []string{account, "target: s3://b/*"}, "target"},
		"the policy in the query":  {"PUT", "/v20180820/accessgrantsinstance/resourcepolicy?Policy=%7B%7D", "", []string{account}, "policy"},
		"the policy in a header":   {"PUT", "/v20180820/accessgrantsinstance/resourcepolicy", "", []string{account, "Policy: {}"}, "policy"},
		"a bearer in the query":    {"GET", "/federation/credentials?account_id=111111111111&role_name=r&x-amz-sso_bearer_token=b&accessToken=b", "", nil, "accessToken"},
		"a bearer in the body":     {"GET", "/federation/credentials?account_id=111111111111&role_name=r", `{"x-amz-sso_bearer_token":"b","accessToken":"b"}`, nil, "accessToken"},
		"a client in the query":    {"POST", "/token?aws_iam=t&clientId=c&grantType=g", `{}`, nil, "clientId"},
		"a client of another case": {"POST", "/token?aws_iam=t", `{"ClientId":"c","CLIENTID":"c","grantType":"g"}`, nil, "clientId"},
	} {
		got := &recorder{}
		w := ask(implementations{s3control: got, sso: got, ssooidc: got}.mux(), test.method, test.target, test.body, test.headers...)
		if w.Code != 400 || !strings.Contains(strings.ReplaceAll(w.Body.String(), "&#39;", "'"), "Value null at '"+test.missing+"'") {
			t.Errorf("%s: %d %s, want %s to be missing", name, w.Code, w.Body, test.missing)
		}
		if *got != (recorder{}) {
			t.Errorf("%s: it was called", name)
		}
	}
}

func TestPlacesAreNotMixed(t *testing.T) {
	got := &recorder{}
	mux := implementations{s3control: got, sso: got}.mux()
	const account = "x-amz-account-id: 111111111111"

	w := ask(mux, "GET", accessPath+"?target=s3://b/a+b%2Bc%20d*&permission=READ&Target=s3://other/*", `<r><Target>s3://other/*</Target></r>`, account)
	if w.Code != 200 || got.access == nil || got.access.Target != "s3://b/a+b+c d*" {
		t.Errorf("a plus sign is itself in s3control: %d %s %+v", w.Code, w.Body, got.access)
	}
	w = ask(mux, "GET", "/federation/credentials?account_id=111111111111&role_name=a+b%2Bc", "", "x-amz-sso_bearer_token: b")
	if w.Code != 200 || got.role == nil || got.role.RoleName != "a b+c" {
		t.Errorf("a plus sign is a blank in the portal: %d %s %+v", w.Code, w.Body, got.role)
	}
	for target, want := range map[string]string{
		"/v20180820/tags/arn%3Aaws%3As3%3Aus-east-1%3A111111111111%3Aaccess-grants%2Fdefault":         "arn:aws:s3:us-east-1:111111111111:access-grants/default",
		"/v20180820/tags/arn:aws:s3:us-east-1:111111111111:access-grants/default":                     "arn:aws:s3:us-east-1:111111111111:access-grants/default",
		"/v20180820/tags/arn:aws:s3:us-east-1:111111111111:access-grants/default/grant/a%252Fb":       "arn:aws:s3:us-east-1:111111111111:access-grants/default/grant/a%2Fb",
		"/v20180820/tags/arn:aws:s3:us-east-1:111111111111:access-grants/default/../default/grant/id": "arn:aws:s3:us-east-1:111111111111:access-grants/default/../default/grant/id",
	} {
		got.tags = nil
		w := ask(mux, "GET", target, "", account)
		if w.Code == 400 && strings.ContainsAny(want, "%") {
			continue // the pattern of ARNs may refuse it: what counts is that it is not decoded twice
		}
		if w.Code != 200 || got.tags == nil || got.tags.ResourceArn != want {
			t.Errorf("%s: %d %s %+v, want %s", target, w.Code, w.Body, got.tags, want)
		}
	}
	for _, target := range []string{"/v20180820/tags/", "/v20180820/tags", "/v20180820/tags/%zz"} {
		r := &http.Request{Method: "GET", URL: &url.URL{Path: target, RawPath: target}, Header: http.Header{"X-Amz-Account-Id": {"111111111111"}}, Body: http.NoBody}
		w := httptest.NewRecorder()
		serve(mux, w, r)
		if w.Code < 400 || w.Code == 500 {
			t.Errorf("%s: %d %s", target, w.Code, w.Body)
		}
	}
}

// TestChecksumsOfAccessGrants: a body that is not what its checksum says is not acted on.
func TestChecksumsOfAccessGrants(t *testing.T) {
	const path, account = "/v20180820/accessgrantsinstance/resourcepolicy", "x-amz-account-id: 111111111111"
	const body = `<PutAccessGrantsInstanceResourcePolicyRequest><Policy>{}</Policy></PutAccessGrantsInstanceResourcePolicyRequest>`
	for _, header := range []string{"Content-MD5", "x-amz-checksum-crc32", "x-amz-checksum-crc32c", "x-amz-checksum-crc64nvme", "x-amz-checksum-sha1", "x-amz-checksum-sha256"} {
		for _, value := range []string{"AAAAAA==", "", "not base64"} {
			got := &recorder{}
			w := ask(implementations{s3control: got}.mux(), "PUT", path, body, account, header+": "+value)
			if w.Code != 400 || !strings.Contains(w.Body.String(), "<Code>BadDigest</Code>") || got.policy != nil {
				t.Errorf("%s %q: %d %s", header, value, w.Code, w.Body)
			}
		}
	}
	got := &recorder{}
	if w := ask(implementations{s3control: got}.mux(), "PUT", path, body, account); w.Code != 200 || got.policy == nil || got.policy.Policy != "{}" {
		t.Errorf("without checksums: %d %s", w.Code, w.Body)
	}
}

// TestXMLThatReachesOutIsRefused: no entity is looked up, and none grows.
func TestXMLThatReachesOutIsRefused(t *testing.T) {
	var laughs strings.Builder
	laughs.WriteString(`<!DOCTYPE l [<!ENTITY a0 "ha">`)
	for i := range 30 {
		fmt.Fprintf(&laughs, `<!ENTITY a%d "&a%d;&a%d;">`, i+1, i, i)
	}
	laughs.WriteString(`]>`)
	for name, body := range map[string]string{
		"a file":                      `<!DOCTYPE r [<!ENTITY f SYSTEM "file:///etc/passwd">]><r><Policy>&f;</Policy></r>`,
		"an address":                  `<!DOCTYPE r SYSTEM "http://attacker.example/r.dtd"><r><Policy>{}</Policy></r>`,
		"a billion laughs":            laughs.String() + `<r><Policy>&a30;</Policy></r>`,
		"a parameter entity":          `<!DOCTYPE r [<!ENTITY % p "x"> %p;]><r><Policy>{}</Policy></r>`,
		"an undeclared entity":        `<r><Policy>&nbsp;</Policy></r>`,
		"another encoding":            `<?xml version="1.0" encoding="ISO-8859-1"?><r><Policy>{}</Policy></r>`,
		"a document type in the body": `<r><!DOCTYPE x><Policy>{}</Policy></r>`,
	} {
		// Only the root is another than the one that the operation has.
		body = strings.NewReplacer("<r>", "<PutAccessGrantsInstanceResourcePolicyRequest>", "</r>", "</PutAccessGrantsInstanceResourcePolicyRequest>").Replace(body)
		got := &recorder{}
		start := time.Now()
		w := ask(implementations{s3control: got}.mux(), "PUT", "/v20180820/accessgrantsinstance/resourcepolicy", body, "x-amz-account-id: 111111111111")
		if w.Code != 400 || !strings.Contains(w.Body.String(), "<Code>MalformedXML</Code>") || got.policy != nil || strings.Contains(w.Body.String(), "root:") {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%s took %s", name, took)
		}
	}
}

// leaked stands in every member that holds a secret, in a form that breaks most constraints.
var leaked = strings.Repeat("hunter2\x00", 1024)

// TestNoMessageEchoesASecret sends wrong secrets to every operation of every service, as values that break their
// constraints and as values of a wrong type, and looks for them in the answers.
func TestNoMessageEchoesASecret(t *testing.T) {
	mux := implementations{}.mux()
	masked, tried := 0, 0
	for _, s := range mux.Services() {
		service := contracts()[s.Model.Name]
		for _, o := range s.Operations {
			method, _ := service.MethodByName(o.Name)
			in := method.Type.In(1).Elem()
			for _, secrets := range []any{leaked, []any{leaked}, map[string]any{"hunter2": leaked}} {
				tree, headers, query, found := withSecrets(in, secrets, 0)
				if found == 0 {
					continue
				}
				tried++
				r, body := loaded(s.Model, o, tree, headers, query)
				call, ok := mux.Name(r, []byte(body), s.Model.SigningNames[0])
				if !ok || call.Operation == nil {
					t.Fatalf("%s.%s is not named", s.Model.Name, o.Name)
				}
				_, err := call.Decode(r, []byte(body))
				if err == nil {
					continue
				}
				w := httptest.NewRecorder()
				call.WriteError(w, "request-1", err)
				if strings.Contains(w.Body.String(), "hunter2") {
					t.Errorf("%s.%s: %s", s.Model.Name, o.Name, w.Body)
				}
				if strings.Contains(w.Body.String(), "***") {
					masked++
				}
			}
		}
	}
	if tried < 50 || masked < 6 {
		t.Errorf("only %d requests with secrets were made, of which %d were answered with a masked value: the walk is broken", tried, masked)
	}
}

// withSecrets makes a body, headers and parameters of an input's members, in which those that are marked as secrets are the
// given value and others are nearly nothing.
func withSecrets(t reflect.Type, secrets any, depth int) (tree map[string]any, headers map[string]string, query url.Values, found int) {
	tree, headers, query = map[string]any{}, map[string]string{}, url.Values{}
	for i := range t.NumField() {
		f := t.Field(i)
		tag := strings.Split(f.Tag.Get("aws"), ",")
		marked := slices.Contains(tag, "sensitive")
		var value any
		kind := f.Type
		for kind.Kind() == reflect.Pointer {
			kind = kind.Elem()
		}
		switch {
		case marked:
			found++
			value = secrets
			if kind.Kind() == reflect.Slice {
				value = []any{secrets}
			}
		case kind == reflect.TypeFor[time.Time](), kind == reflect.TypeFor[json.RawMessage](), depth > 4:
			continue
		case kind.Kind() == reflect.Struct:
			inner, _, _, n := withSecrets(kind, secrets, depth+1)
			if value = inner; n == 0 {
				continue
			}
			found += n
		case kind.Kind() == reflect.Slice && kind.Elem().Kind() == reflect.Struct:
			inner, _, _, n := withSecrets(kind.Elem(), secrets, depth+1)
			if value = []any{inner}; n == 0 {
				continue
			}
			found += n
		case kind.Kind() == reflect.String:
			value = "plain"
		default:
			continue
		}
		text, isText := value.(string)
		switch {
		case slices.Contains(tag, "header") && isText:
			headers[tag[0]] = text
		case slices.Contains(tag, "querystring") && isText:
			query.Set(tag[0], text)
		case !slices.Contains(tag, "header") && !slices.Contains(tag, "querystring") && !slices.Contains(tag, "uri"):
			tree[tag[0]] = value
		}
	}
	return tree, headers, query, found
}

// loaded makes a request for an operation of what withSecrets made.
func loaded(m *wire.ServiceModel, o *wire.Operation, tree map[string]any, headers map[string]string, query url.Values) (*http.Request, string) {
	r, body := bare(m, o)
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	if values := query.Encode(); values != "" {
		r.URL.RawQuery = strings.TrimPrefix(r.URL.RawQuery+"&"+values, "&")
	}
	switch m.Protocol {
	case wire.JSON, wire.RestJSON:
		text, _ := json.Marshal(tree)
		return r, string(text)
	case wire.Query:
		form := url.Values{}
		flatten(form, "", tree)
		return r, body + "&" + form.Encode()
	default:
		panic("no input of " + m.Name + " holds a secret")
	}
}

func flatten(form url.Values, prefix string, x any) {
	join := func(name string) string { return strings.TrimPrefix(prefix+"."+name, ".") }
	switch x := x.(type) {
	case string:
		form.Set(prefix, x)
	case []any:
		for i, item := range x {
			flatten(form, join(fmt.Sprintf("member.%d", i+1)), item)
		}
	case map[string]any:
		for name, item := range x {
			flatten(form, join(name), item)
		}
	}
}
