package e2e

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3control"
)

// raw is a request by hand, signed by the administrator of the data's account unless the service is empty.
type raw struct {
	service, method, path string
	header                map[string]string
	body                  string
}

type reply struct {
	status int
	header http.Header
	body   string
}

func (s *story) send(t *testing.T, r raw) reply {
	t.Helper()
	if r.method == "" {
		r.method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(t.Context(), r.method, "http://"+s.API+r.path, strings.NewReader(r.body))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range r.header {
		req.Header.Set(k, v)
	}
	if r.service != "" {
		key, err := s.data.Credentials.Retrieve(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256([]byte(r.body))
		hash := hex.EncodeToString(sum[:])
		req.Header.Set("X-Amz-Content-Sha256", hash)
		err = v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = r.service == "s3" }).SignHTTP(t.Context(), key, req, hash, r.service, s.data.Region, time.Now())
		if err != nil {
			t.Fatal(err)
		}
	}
	resp, err := s.door().Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", r.method, r.path, err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header, string(text)}
}

// oversize is a little more than the door takes of a body. It reads a mebibyte more and throws it away; of one that is larger
// still, a client that does not read while it writes may see the connection break instead of the answer.
const oversize = 2<<20 + 32<<10

// Headers of each protocol.
func target(operation string) map[string]string {
	return map[string]string{"X-Amz-Target": operation, "Content-Type": "application/x-amz-json-1.1"}
}

var (
	form    = map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
	asJSON  = map[string]string{"Content-Type": "application/json"}
	account = map[string]string{"X-Amz-Account-Id": dataAccount, "Content-Type": "application/xml"}
)

// attackRequests are well signed, and ask for what is not to be had.
func (s *story) attackRequests(t *testing.T) {
	lake := "/" + storyLake
	for _, a := range []struct {
		name   string
		raw    raw
		status int
		want   string
	}{
		{"unknown sub-resource", raw{"s3", "GET", lake + "?nosuch", nil, ""}, 501, "<Code>NotImplemented</Code>"},
		{"two sub-resources", raw{"s3", "GET", lake + "?acl=&policy=", nil, ""}, 400, "<Code>InvalidArgument</Code>"},
		{"prefix twice", raw{"s3", "GET", lake + "?list-type=2&prefix=red%2F&prefix=blue%2F", nil, ""}, 400, "<Code>InvalidArgument</Code>"},
		{"a key with a parent in it", raw{"s3", "GET", lake + "/red/../blue/a", nil, ""}, 400, "<Code>InvalidArgument</Code>"},
		{"a bucket named as a folder", raw{"s3", "PUT", "/..", nil, ""}, 400, "<Code>InvalidBucketName</Code>"},
		{"unknown method", raw{"s3", "PATCH", lake + "/red/a", nil, ""}, 405, "<Code>MethodNotAllowed</Code>"},
		{"unknown header", raw{"s3", "PUT", lake + "/red/a", map[string]string{"X-Amz-Nosuch": "1"}, "x"}, 501, "<Code>NotImplemented</Code>"},
		{"oversize form", raw{"sts", "POST", "/", form, "Action=GetCallerIdentity&Version=2011-06-15&Pad=" + strings.Repeat("x", oversize)}, 413, "<Code>RequestEntityTooLarge</Code>"},
		{"oversize JSON", raw{"sso", "POST", "/", target("SWBExternalService.ListInstances"), `{"NextToken":"` + strings.Repeat("x", oversize) + `"}`}, 413, "RequestEntityTooLargeException"},
		{"oversize XML", raw{"s3", "POST", "/v20180820/accessgrantsinstance", account, "<A>" + strings.Repeat("x", oversize) + "</A>"}, 413, "<Code>MaxMessageLengthExceeded</Code>"},
		{"deep JSON", raw{"sso", "POST", "/", target("SWBExternalService.ListInstances"), strings.Repeat(`{"a":`, 20000) + "1" + strings.Repeat("}", 20000)}, 400, "SerializationException"},
		{"deep XML", raw{"s3", "POST", "/v20180820/accessgrantsinstance", account, strings.Repeat("<a>", 20000) + strings.Repeat("</a>", 20000)}, 400, "<Code>MalformedXML</Code>"},
		{"deep XML of S3", raw{"s3", "POST", lake + "?delete=", nil, strings.Repeat("<a>", 20000) + strings.Repeat("</a>", 20000)}, 400, "<Error><Code>MalformedXML</Code>"},
		{"entities", raw{"s3", "POST", "/v20180820/accessgrantsinstance", account, `<!DOCTYPE a [<!ENTITY b "c">]><CreateAccessGrantsInstanceRequest>&b;</CreateAccessGrantsInstanceRequest>`}, 400, "<Code>MalformedXML</Code>"},
	} {
		t.Run(a.name, func(t *testing.T) {
			got := s.send(t, a.raw)
			if got.status != a.status || !strings.Contains(got.body, a.want) {
				t.Errorf("%d %.400s, want %d with %s", got.status, got.body, a.status, a.want)
			}
		})
	}
}

// attackBodies are malformed in each protocol, and answered in its envelope.
func (s *story) attackBodies(t *testing.T) {
	const xmlError = "<ErrorResponse><Error><Code>"
	for _, a := range []struct {
		name string
		raw  raw
		want []string
	}{
		{"JSON that ends early", raw{"sso", "POST", "/", target("SWBExternalService.ListInstances"), `{"MaxResults":`}, []string{`"__type":"SerializationException"`}},
		{"JSON with a key twice", raw{"sso", "POST", "/", target("SWBExternalService.ListInstances"), `{"MaxResults":1,"MaxResults":2}`}, []string{`"__type":"SerializationException"`}},
		{"JSON of another type", raw{"sso", "POST", "/", target("SWBExternalService.ListInstances"), `{"MaxResults":"many"}`}, []string{`"__type":"SerializationException"`}},
		{"JSON beyond a bound", raw{"sso", "POST", "/", target("SWBExternalService.ListInstances"), `{"MaxResults":1000000}`}, []string{`"__type":"ValidationException"`}},
		{"JSON of a REST service", raw{"sso-oauth", "POST", "/token?aws_iam=t", asJSON, `{`}, []string{`"__type":"InvalidRequestException"`, `"error":"invalid_request"`}},
		{"XML that ends early", raw{"s3", "POST", "/v20180820/accessgrantsinstance/grant", account, `<CreateAccessGrantRequest><Permission>`}, []string{xmlError + "MalformedXML"}},
		{"XML of S3 that ends early", raw{"s3", "POST", "/" + storyLake + "?delete=", nil, `<Delete>`}, []string{"?>\n<Error><Code>MalformedXML</Code>"}},
		{"XML of S3 under another checksum", raw{"s3", "POST", "/" + storyLake + "?delete=", map[string]string{"Content-MD5": "AAAAAAAAAAAAAAAAAAAAAA=="}, `<Delete>`}, []string{"?>\n<Error><Code>BadDigest</Code>"}},
		{"form with a bad escape", raw{"sts", "POST", "/", form, `Action=GetCallerIdentity&Version=2011-06-15&A=%zz`}, []string{"<ErrorResponse", "<Type>Sender</Type>", "<Code>MalformedQueryString</Code>"}},
		{"form beyond a bound", raw{"iam", "POST", "/", form, `Action=ListUsers&Version=2010-05-08&MaxItems=0`}, []string{"<ErrorResponse", "<Code>ValidationError</Code>"}},
		{"form without what is required", raw{"sts", "POST", "/", form, `Action=AssumeRole&Version=2011-06-15`}, []string{"<ErrorResponse", "<Code>ValidationError</Code>"}},
	} {
		t.Run(a.name, func(t *testing.T) {
			got := s.send(t, a.raw)
			if got.status != http.StatusBadRequest {
				t.Errorf("status %d, want 400", got.status)
			}
			for _, want := range a.want {
				if !strings.Contains(got.body, want) {
					t.Errorf("%.400s, want %s", got.body, want)
				}
			}
		})
	}
}

// attackUnimplemented asks for everything that the list says is not implemented, and for what nobody has heard of: nothing
// may answer as if it worked.
func (s *story) attackUnimplemented(t *testing.T) {
	type style struct{ prefix, version, signing string }
	styles := map[string]style{
		"sso-admin": {"SWBExternalService", "", "sso"}, "identitystore": {"AWSIdentityStore", "", "identitystore"}, "organizations": {"AWSOrganizationsV20161128", "", "organizations"},
		"cloudtrail": {"com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101", "", "cloudtrail"}, "lakegate": {"Lakegate", "", "lakegate"},
		"iam": {"", "2010-05-08", "iam"}, "sts": {"", "2011-06-15", "sts"},
	}
	asked, service := 0, ""
	ask := func(operation string) {
		st, ok := styles[service]
		if !ok {
			return
		}
		asked++
		r, unknown := raw{st.signing, "POST", "/", target(st.prefix + "." + operation), "{}"}, "UnknownOperationException"
		if st.version != "" {
			r, unknown = raw{st.signing, "POST", "/", form, "Action=" + operation + "&Version=" + st.version}, "InvalidAction"
		}
		got := s.send(t, r)
		if got.status < 400 || got.status >= 500 {
			t.Errorf("%s of %s was answered %d: %.200s", operation, service, got.status, got.body)
		}
		// An operation that has required members says so first; else there is the one answer.
		if !strings.Contains(got.body, unknown) && !strings.Contains(strings.ToLower(got.body), "validation") {
			t.Errorf("%s of %s: %.300s, want %s", operation, service, got.body, unknown)
		}
	}
	for line := range strings.Lines(s.lakegate("operations", "--missing")) {
		if name, ok := strings.CutPrefix(line, "  "); ok {
			ask(strings.Fields(name)[0])
			continue
		}
		service = strings.Fields(line)[0]
	}
	for service = range styles {
		ask("NoSuchOperation")
	}
	if asked < 20 {
		t.Errorf("only %d operations were asked for", asked)
	}
	for _, a := range []struct {
		name   string
		raw    raw
		status int
		want   string
	}{
		{"a path of s3control that is none", raw{"s3", "GET", "/v20180820/nosuch", account, ""}, 501, "<Code>NotImplemented</Code>"},
		{"the portal with a token that is none", raw{"", "GET", "/assignment/accounts", map[string]string{"X-Amz-Sso_bearer_token": "x"}, ""}, 401, "UnauthorizedException"},
		{"a service that is not here", raw{"dynamodb", "POST", "/", target("DynamoDB_20120810.ListTables"), "{}"}, 400, "UnknownOperationException"},
		{"an S3 operation that is not here", raw{"s3", "GET", "/" + storyLake + "?analytics=", nil, ""}, 501, "<Code>NotImplemented</Code>"},
	} {
		t.Run(a.name, func(t *testing.T) {
			if got := s.send(t, a.raw); got.status != a.status || !strings.Contains(got.body, a.want) {
				t.Errorf("%d %.300s, want %d with %s", got.status, got.body, a.status, a.want)
			}
		})
	}
}

// attackHosts: the door answers for every host as itself, and is a way to none.
func (s *story) attackHosts(t *testing.T) {
	var reached atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	t.Cleanup(elsewhere.Close)
	host := strings.TrimPrefix(elsewhere.URL, "http://")

	say := func(t *testing.T, text string) *http.Response {
		t.Helper()
		conn, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(t.Context(), "tcp", s.API)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, text); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		return resp
	}
	t.Run("CONNECT", func(t *testing.T) {
		if resp := say(t, "CONNECT "+host+" HTTP/1.1\r\nHost: "+host+"\r\n\r\n"); resp.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("CONNECT: %s", resp.Status)
		}
	})
	t.Run("absolute form", func(t *testing.T) {
		for _, at := range []string{host, "lakegate.internal", "111111111111.lakegate.internal", "example.com:8080"} {
			resp := say(t, "GET http://"+at+"/ HTTP/1.1\r\nHost: "+at+"\r\n\r\n")
			if resp.StatusCode != http.StatusForbidden || resp.Header.Get("X-Amz-Request-Id") == "" {
				t.Errorf("GET http://%s/: %s, %v; want the door's own refusal", at, resp.Status, resp.Header)
			}
		}
	})
	if n := reached.Load(); n != 0 {
		t.Errorf("%d requests came through", n)
	}

	// A client whose names all lead to the door, as with a wildcard in the DNS.
	everywhere := s.data.Copy()
	everywhere.HTTPClient = &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, s.API)
	}}}
	for _, endpoint := range []string{"http://localhost:9420", "http://lakegate.internal", "http://127.0.0.1:9420", "http://some.name.example"} {
		t.Run("the account before "+endpoint, func(t *testing.T) {
			var sent string
			client := s3control.NewFromConfig(everywhere, func(o *s3control.Options) {
				o.BaseEndpoint = aws.String(endpoint)
				o.HTTPClient = seen(everywhere.HTTPClient, &sent)
			})
			list, err := client.ListAccessGrants(t.Context(), &s3control.ListAccessGrantsInput{AccountId: aws.String(dataAccount)})
			if err != nil || len(list.AccessGrantsList) == 0 {
				t.Errorf("grants = %v, %v", list, err)
			}
			if !strings.HasPrefix(sent, dataAccount+".") {
				t.Errorf("the client sent the host %s: this test shows nothing", sent)
			}
		})
	}
	for _, endpoint := range []string{"http://localhost:9420", "http://lakegate.internal"} {
		t.Run("the bucket before "+endpoint, func(t *testing.T) {
			var sent string
			client := s3.NewFromConfig(everywhere, func(o *s3.Options) {
				o.BaseEndpoint = aws.String(endpoint)
				o.HTTPClient = seen(everywhere.HTTPClient, &sent)
			})
			list, err := client.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(storyLake), Prefix: aws.String("red/")})
			if err != nil || len(list.Contents) == 0 {
				t.Errorf("objects = %v, %v", list, err)
			}
			if !strings.HasPrefix(sent, storyLake+".") {
				t.Errorf("the client sent the host %s: this test shows nothing", sent)
			}
			// What is written and read under a label is what is there in a path.
			key := fmt.Sprintf("hosts/%d", len(endpoint))
			if _, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(storyLake), Key: &key, Body: bytes.NewReader([]byte(endpoint))}); err != nil {
				t.Fatal(err)
			}
			if _, err := storage(s.data).HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String(storyLake), Key: &key}); err != nil {
				t.Error(err)
			}
		})
	}
}

// watcher notes the host of a request.
type watcher struct {
	next aws.HTTPClient
	host *string
}

func seen(next aws.HTTPClient, host *string) watcher { return watcher{next, host} }

func (w watcher) Do(r *http.Request) (*http.Response, error) {
	*w.host = r.URL.Host
	return w.next.Do(r)
}
