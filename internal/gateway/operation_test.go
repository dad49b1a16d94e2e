package gateway

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	s3api "github.com/lakegate/lakegate/internal/api/s3"
)

// received is a request as net/http gives it to a handler. Headers are pairs.
func received(t testing.TB, method, target string, headers ...string) *http.Request {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: 127.0.0.1:9420\r\n", method, target)
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(b.String() + "\r\n")))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		} else {
			r.Header.Add(headers[i], headers[i+1])
		}
	}
	return r
}

// elsewhere are operations of the model that have no row: they belong to directory buckets or to Object Lambda, which are
// not S3's general purpose buckets, or are older names of a row.
var elsewhere = map[string]string{
	"CreateSession":          "directory buckets",
	"ListDirectoryBuckets":   "directory buckets",
	"RenameObject":           "directory buckets",
	"WriteGetObjectResponse": "Object Lambda",
	"GetBucketLifecycle":     "GetBucketLifecycleConfiguration",
	"PutBucketLifecycle":     "PutBucketLifecycleConfiguration",
	"GetBucketNotification":  "GetBucketNotificationConfiguration",
	"PutBucketNotification":  "PutBucketNotificationConfiguration",
}

// TestRulesAreTheModel holds the table against the service model: the same operations, with the same method and selector.
func TestRulesAreTheModel(t *testing.T) {
	rows := map[string]*rule{}
	for i := range rules {
		if rows[string(rules[i].op)] != nil {
			t.Errorf("%s has two rows", rules[i].op)
		}
		rows[string(rules[i].op)] = &rules[i]
	}
	for _, o := range s3api.Operations {
		row := rows[o.Name]
		delete(rows, o.Name)
		if elsewhere[o.Name] != "" {
			if row != nil {
				t.Errorf("%s has a row", o.Name)
			}
			continue
		}
		if row == nil {
			t.Errorf("%s has no row", o.Name)
			continue
		}
		path, query, _ := strings.Cut(o.URI, "?")
		at := map[string]level{"/": onService, "/{Bucket}": onBucket, "/{Bucket}/{Key+}": onObject}[path]
		if row.method != o.Method || row.level != at {
			t.Errorf("%s is %s on level %d, the model has %s %s", o.Name, row.method, row.level, o.Method, o.URI)
		}
		selectors := o.Query
		for pair := range strings.SplitSeq(query, "&") {
			if name, _, _ := strings.Cut(pair, "="); name != "" {
				selectors = append(selectors, name)
			}
		}
		for _, s := range selectors {
			if s != row.sub && s != row.also {
				t.Errorf("%s is named by %q and %q, the model has %q as well", o.Name, row.sub, row.also, s)
			}
		}
		if row.sub != "" && !slices.Contains(selectors, row.sub) {
			t.Errorf("%s is named by %q, the model by %v", o.Name, row.sub, selectors)
		}
		if row.copies != slices.Contains(o.Headers, "x-amz-copy-source") {
			t.Errorf("%s copies: %v, the model has the headers %v", o.Name, row.copies, o.Headers)
		}
	}
	delete(rows, "PostObject") // a form of HTML, which the API's model leaves out
	for name := range rows {
		t.Errorf("the model has no %s", name)
	}
}

func TestEveryRuleHasAnAction(t *testing.T) {
	for i := range rules {
		if r := &rules[i]; r.action == "" && r.op != "DeleteObjects" {
			t.Errorf("%s needs nothing", r.op)
		}
	}
}

// errCaptured ends a call of the SDK once its request is there.
var errCaptured = errors.New("captured")

type capture struct{ r *http.Request }

func (c *capture) Do(r *http.Request) (*http.Response, error) {
	c.r = r
	return nil, errCaptured
}

// TestRequestsOfTheSDK has the AWS SDK make a request for every operation that it has, in both styles, and expects each to
// be named after the method that made it.
func TestRequestsOfTheSDK(t *testing.T) {
	for style, host := range map[string]string{"path": "http://127.0.0.1:9420", "virtual host": "http://lakegate.internal:9420"} {
		c := &capture{}
		client := sdk.New(sdk.Options{
			Region: "us-east-1", BaseEndpoint: &host, UsePathStyle: style == "path", HTTPClient: c, RetryMaxAttempts: 1,
			Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				return aws.Credentials{AccessKeyID: "AKIAEXAMPLE", SecretAccessKey: "secret", SessionToken: "token"}, nil
			}),
		})
		called := 0
		for _, o := range s3api.Operations {
			method := reflect.ValueOf(client).MethodByName(o.Name)
			if !method.IsValid() || elsewhere[o.Name] != "" {
				continue
			}
			called++
			t.Run(style+"/"+o.Name, func(t *testing.T) {
				r := call(t, c, method)
				q, err := Parse(r, HostRules{})
				if err != nil {
					t.Fatalf("%s %s: %v", r.Method, r.URL, err)
				}
				if string(q.Operation) != o.Name {
					t.Errorf("%s %s is named %s", r.Method, r.URL, q.Operation)
				}
				if o.Name == "ListBuckets" {
					return
				}
				if q.Bucket != "bucket" || strings.Contains(o.URI, "{Key+}") != (q.Key != "") {
					t.Errorf("%s %s is about %s/%s", r.Method, r.URL, q.Bucket, q.Key)
				}
				if len(q.Needs()) == 0 && o.Name != "DeleteObjects" {
					t.Error("it needs nothing")
				}
			})
		}
		if called < 95 {
			t.Errorf("only %d operations were called", called)
		}
	}
}

// call makes the SDK send a request with everything that it insists on.
func call(t *testing.T, c *capture, method reflect.Value) *http.Request {
	t.Helper()
	in := reflect.New(method.Type().In(1).Elem())
	for range 20 {
		c.r = nil
		out := method.Call([]reflect.Value{reflect.ValueOf(t.Context()), in})
		if c.r != nil {
			if c.r.Host == "" {
				c.r.Host = c.r.URL.Host
			}
			return c.r
		}
		err, _ := out[1].Interface().(error)
		invalid, ok := errors.AsType[smithy.InvalidParamsError](err)
		if !ok {
			if p, ok := errors.AsType[*smithy.InvalidParamsError](err); ok {
				invalid = *p
			} else {
				t.Fatal(err)
			}
		}
		for _, e := range invalid.Errs() {
			param, ok := e.(smithy.InvalidParamError) //nolint:errorlint // a list of plain values
			if !ok {
				t.Fatal(e)
			}
			_, path, _ := strings.Cut(param.Field(), ".")
			field, _, _ := strings.Cut(path, ".")
			field, _, _ = strings.Cut(field, "[")
			fill(in.Elem().FieldByName(field), field, 12)
		}
	}
	t.Fatal("the SDK is never content")
	return nil
}

func fill(v reflect.Value, name string, depth int) {
	if depth == 0 || !v.CanSet() {
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), name, depth)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), v.Type().Field(i).Name, depth-1)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), name, depth-1)
	case reflect.String:
		text := map[string]string{"Bucket": "bucket", "Key": "a b/ü+c.csv", "CopySource": "bucket/other%20key", "ObjectAttributes": "ETag"}[name]
		v.SetString(map[bool]string{true: "x", false: text}[text == ""])
	case reflect.Int32, reflect.Int64:
		v.SetInt(1)
	case reflect.Interface:
		if v.Type() == reflect.TypeFor[types.ObjectEncryption]() {
			v.Set(reflect.ValueOf(&types.ObjectEncryptionMemberSSEKMS{Value: types.SSEKMSEncryption{KMSKeyArn: new("x")}}))
		}
	}
}

func TestRefusedOperations(t *testing.T) {
	for name, tt := range map[string]struct {
		r    *http.Request
		want string
	}{
		"unknown sub-resource":            {received(t, "PUT", "/red/key?aclx"), "NotImplemented"},
		"sub-resource in other case":      {received(t, "PUT", "/red/key?ACL"), "NotImplemented"},
		"sub-resource encoded":            {received(t, "PUT", "/red/key?%61cl"), ""},
		"sub-resource with a value":       {received(t, "PUT", "/red/key?acl=x"), "InvalidArgument"},
		"two sub-resources":               {received(t, "GET", "/red/key?acl&tagging"), "InvalidArgument"},
		"upload begun and continued":      {received(t, "POST", "/red/key?uploads&uploadId=u"), "InvalidArgument"},
		"sub-resource of buckets":         {received(t, "GET", "/red/key?policy"), "InvalidArgument"},
		"sub-resource of objects":         {received(t, "GET", "/red?uploadId=u"), "InvalidArgument"},
		"session of a directory bucket":   {received(t, "GET", "/red?session"), "NotImplemented"},
		"rename in a directory bucket":    {received(t, "PUT", "/red/key?renameObject", "X-Amz-Rename-Source", "red/other"), "NotImplemented"},
		"list in another case":            {received(t, "GET", "/red?Prefix=red%2F"), "NotImplemented"},
		"list with two prefixes":          {received(t, "GET", "/red?list-type=2&prefix=&prefix=red%2F"), "InvalidArgument"},
		"list with a hidden prefix":       {received(t, "GET", "/red?prefix=red%2F&%70refix="), "InvalidArgument"},
		"list with another list's marker": {received(t, "GET", "/red?list-type=2&marker=a"), "InvalidArgument"},
		"list of type 3":                  {received(t, "GET", "/red?list-type=3"), "InvalidArgument"},
		"list of versions and uploads":    {received(t, "GET", "/red?versions&uploads"), "InvalidArgument"},
		"version of a write":              {received(t, "PUT", "/red/key?versionId=v"), "InvalidArgument"},
		"empty version":                   {received(t, "GET", "/red/key?versionId="), "InvalidArgument"},
		"part without an upload":          {received(t, "PUT", "/red/key?partNumber=1"), "InvalidArgument"},
		"upload without a part":           {received(t, "PUT", "/red/key?uploadId=u"), "InvalidArgument"},
		"empty upload":                    {received(t, "DELETE", "/red/key?uploadId="), "InvalidArgument"},
		"part 0":                          {received(t, "PUT", "/red/key?uploadId=u&partNumber=0"), "InvalidArgument"},
		"part 10001":                      {received(t, "PUT", "/red/key?uploadId=u&partNumber=10001"), "InvalidArgument"},
		"part +1":                         {received(t, "PUT", "/red/key?uploadId=u&partNumber=+1"), "InvalidArgument"},
		"abort a part":                    {received(t, "DELETE", "/red/key?uploadId=u&partNumber=1"), "InvalidArgument"},
		"delete a version of an upload":   {received(t, "DELETE", "/red/key?uploadId=u&versionId=v"), "InvalidArgument"},
		"configuration without its id":    {received(t, "PUT", "/red?analytics"), "InvalidArgument"},
		"select of another type":          {received(t, "POST", "/red/key?select&select-type=1"), "InvalidArgument"},
		"page of -1":                      {received(t, "GET", "/red?max-keys=-1"), "InvalidArgument"},
		"page of nothing":                 {received(t, "GET", "/red?max-keys="), "InvalidArgument"},
		"page of words":                   {received(t, "GET", "/red?max-keys=many"), "InvalidArgument"},
		"page beyond numbers":             {received(t, "GET", "/red?max-keys=99999999999"), "InvalidArgument"},
		"unknown encoding":                {received(t, "GET", "/red?encoding-type=base64"), "InvalidArgument"},
		"bad percent":                     {received(t, "GET", "/red?prefix=%zz"), "InvalidURI"},
		"no UTF-8":                        {received(t, "GET", "/red?prefix=%ff"), "InvalidURI"},
		"a NUL":                           {received(t, "GET", "/red?prefix=%00"), "InvalidURI"},
		"a prefix beyond all keys":        {received(t, "GET", "/red?prefix="+strings.Repeat("a", 1025)), "InvalidArgument"},
		"post to a key":                   {received(t, "POST", "/red/key"), "MethodNotAllowed"},
		"post to a bucket":                {received(t, "POST", "/red"), "PreconditionFailed"},
		"form with a signed header":       {received(t, "POST", "/red", "Content-Type", "multipart/form-data; boundary=x", "Authorization", "AWS4-HMAC-SHA256 x"), "InvalidArgument"},
		"form with a signed URL":          {received(t, "POST", "/red?X-Amz-Signature=x", "Content-Type", "multipart/form-data; boundary=x"), "InvalidArgument"},
		"form to a key":                   {received(t, "POST", "/red/key", "Content-Type", "multipart/form-data; boundary=x"), "MethodNotAllowed"},
		"patch":                           {received(t, "PATCH", "/red/key"), "MethodNotAllowed"},
		"trace":                           {received(t, "TRACE", "/red/key"), "MethodNotAllowed"},
		"preflight":                       {received(t, "OPTIONS", "/red/key"), "MethodNotAllowed"},
		"head of a sub-resource":          {received(t, "HEAD", "/red/key?acl"), "MethodNotAllowed"},
		"head of a list":                  {received(t, "HEAD", "/red?list-type=2"), "MethodNotAllowed"},
		"put to the service":              {received(t, "PUT", "/"), "MethodNotAllowed"},
		"copy to a sub-resource":          {received(t, "PUT", "/red/key?acl", "X-Amz-Copy-Source", "red/a"), "InvalidArgument"},
		"copy by get":                     {received(t, "GET", "/red/key", "X-Amz-Copy-Source", "red/a"), "InvalidArgument"},
		"copy to a bucket":                {received(t, "PUT", "/red", "X-Amz-Copy-Source", "red/a"), "InvalidArgument"},
		"range of a copy alone":           {received(t, "PUT", "/red/key?uploadId=u&partNumber=1", "X-Amz-Copy-Source-Range", "bytes=0-1"), "InvalidArgument"},
		"overrides without a signature":   {received(t, "GET", "/red/key?response-content-type=text%2Fhtml"), "InvalidRequest"},
		"overrides with a line break":     {received(t, "GET", "/red/key?response-content-type=a%0d%0aSet-Cookie:x", "Authorization", "x"), "InvalidArgument"},
		"overrides of a write":            {received(t, "PUT", "/red/key?response-content-type=a", "Authorization", "x"), "InvalidArgument"},
	} {
		t.Run(name, func(t *testing.T) { checkCode(t, tt.r, tt.want) })
	}
}

// checkCode expects a refusal with the code, or none for "".
func checkCode(t *testing.T, r *http.Request, want string) *Request {
	t.Helper()
	q, err := Parse(r, HostRules{})
	switch {
	case err == nil && want != "":
		t.Errorf("%s %s is named %s", r.Method, r.URL, q.Operation)
	case err != nil && spell(err).Code != want:
		t.Errorf("%s %s: %v", r.Method, r.URL, err)
	case err != nil && (spell(err).Status < 400 || spell(err).Status == 500):
		t.Errorf("%s %s: status %d", r.Method, r.URL, spell(err).Status)
	}
	return q
}

// TestNoParameterIsIgnored adds every parameter that there is to every operation: it is the operation's own, or it makes it
// another one, or it is refused.
func TestNoParameterIsIgnored(t *testing.T) {
	names := map[string]bool{"foo": true}
	for i := range rules {
		for _, n := range append([]string{rules[i].sub, rules[i].also}, rules[i].params...) {
			names[n] = n != ""
		}
	}
	delete(names, "")
	for i := range rules {
		row := &rules[i]
		base := sample(row)
		for _, name := range slices.Sorted(maps.Keys(names)) {
			if row.allows(name) {
				continue
			}
			target := base + map[bool]string{true: "&", false: "?"}[strings.Contains(base, "?")] + name + "=1"
			var headers []string
			if row.copies {
				headers = []string{"X-Amz-Copy-Source", "blue/key"}
			}
			if q, err := Parse(received(t, row.method, target, headers...), HostRules{}); err == nil && q.Operation == row.op {
				t.Errorf("%s %s is still %s", row.method, target, row.op)
			}
		}
	}
}

// sample is a target that a row names.
func sample(r *rule) string {
	target := map[level]string{onService: "/", onBucket: "/red", onObject: "/red/key"}[r.level]
	var query []string
	for _, name := range []string{r.sub, r.also} {
		value := map[string]string{"uploadId": "=u", "partNumber": "=1", "list-type": "=2", "select-type": "=2", "id": "=i"}[name]
		if name != "" {
			query = append(query, name+value)
		}
	}
	if query != nil {
		target += "?" + strings.Join(query, "&")
	}
	return target
}

// TestCoverageIsDocumented: the table for people says of each operation what the code does with it.
func TestCoverageIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/s3-compatibility.md")
	if err != nil {
		t.Fatal(err)
	}
	said := map[Operation]string{}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, "|")
		if len(cells) < 5 || cells[2] != " yes " && cells[2] != " no " {
			continue
		}
		for name := range strings.SplitSeq(cells[1], ",") {
			said[Operation(strings.TrimSpace(name))] = strings.TrimSpace(cells[2])
		}
	}
	for i := range rules {
		does := "no"
		if _, ok := operations[rules[i].op]; ok {
			does = "yes"
		}
		if said[rules[i].op] != does {
			t.Errorf("%s: the table says %q, the code %q", rules[i].op, said[rules[i].op], does)
		}
		delete(said, rules[i].op)
	}
	for name := range said {
		t.Errorf("the table has %s, which is no operation", name)
	}
}
