package e2e

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// witness is a backend that has every object and remembers what reached it.
type witness struct {
	endpoint string

	mu    sync.Mutex
	lines []string // the request lines, as they came
	whole int      // how many of the requests came with all of their content
	open  int      // how many are being read
	last  http.Header
}

func newWitness(t testing.TB) *witness {
	t.Helper()
	w := &witness{}
	w.endpoint = serving(t, w)
	return w
}

func (w *witness) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if r.RequestURI == "/" {
		return // the gate asks whether it is there
	}
	w.mu.Lock()
	w.lines = append(w.lines, r.Method+" "+r.RequestURI)
	w.last = r.Header.Clone()
	w.open++
	w.mu.Unlock()
	_, err := io.Copy(io.Discard, r.Body)
	w.mu.Lock()
	if w.open--; err == nil {
		w.whole++
	}
	w.mu.Unlock()
	h := rw.Header()
	h.Set("ETag", `"00000000000000000000000000000000"`)
	h.Set("Last-Modified", "Mon, 23 Nov 2026 08:00:00 GMT")
	h.Set("Content-Length", "6")
	switch r.Method {
	case http.MethodGet:
		_, _ = io.WriteString(rw, "secret")
	case http.MethodPut, http.MethodPost, http.MethodDelete:
		h.Set("Content-Length", "0")
	}
}

// seen is what has reached the witness so far, once it is through with all of it.
func (w *witness) seen(t testing.TB) (lines []string, whole int) {
	t.Helper()
	until(t, "the backend is through", func() bool { w.mu.Lock(); defer w.mu.Unlock(); return w.open == 0 })
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.lines), w.whole
}

// granted makes an access grants instance with a READWRITE grant on the bucket's red/, and returns the credentials of the grant.
func granted(gate *process, lake string) credentials {
	gate.t.Helper()
	const here = tenantsAccount
	cli := gate.as(here)
	cli.run("s3control", "create-access-grants-instance", "--account-id", here)
	cli.run("iam", "create-role", "--role-name", "Location", "--assume-role-policy-document", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"access-grants.s3.amazonaws.com"},"Action":["sts:AssumeRole","sts:SetSourceIdentity","sts:SetContext"]}]}`)
	cli.run("iam", "put-role-policy", "--role-name", "Location", "--policy-name", "all", "--policy-document", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`)
	var location struct{ AccessGrantsLocationId string }
	gate.read(cli.run("s3control", "create-access-grants-location", "--account-id", here, "--location-scope", "s3://"+lake+"/red/", "--iam-role-arn", "arn:aws:iam::"+here+":role/Location", "--output", "json"), &location)
	cli.run("iam", "create-user", "--user-name", "holder")
	cli.run("iam", "put-user-policy", "--user-name", "holder", "--policy-name", "ask", "--policy-document", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetDataAccess","Resource":"*"}]}`)
	cli.run("s3control", "create-access-grant", "--account-id", here, "--access-grants-location-id", location.AccessGrantsLocationId, "--permission", "READWRITE",
		"--grantee", "GranteeType=IAM,GranteeIdentifier=arn:aws:iam::"+here+":user/holder", "--access-grants-location-configuration", "S3SubPrefix=*")
	var key struct{ AccessKey credentials }
	gate.read(cli.run("iam", "create-access-key", "--user-name", "holder", "--output", "json"), &key)
	var vended struct{ Credentials credentials }
	gate.read(cli.with(key.AccessKey).run("s3control", "get-data-access", "--account-id", here, "--target", "s3://"+lake+"/red/*", "--permission", "READWRITE", "--output", "json"), &vended)
	return vended.Credentials
}

// limited makes a user with a policy of its own and returns the user's key.
func limited(gate *process, name, policy string) credentials {
	gate.t.Helper()
	cli := gate.as(tenantsAccount)
	cli.run("iam", "create-user", "--user-name", name)
	cli.run("iam", "put-user-policy", "--user-name", name, "--policy-name", "own", "--policy-document", policy)
	var key struct{ AccessKey credentials }
	gate.read(cli.run("iam", "create-access-key", "--user-name", name, "--output", "json"), &key)
	return key.AccessKey
}

func (p *process) read(text string, into any) {
	p.t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		p.t.Fatal(err)
	}
}

// The payloads that are no hash.
const (
	unsignedPayload  = "UNSIGNED-PAYLOAD"
	signedChunks     = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	unsignedTrailing = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
)

// attacker writes requests by hand and signs them well, so that nothing but what is asked can be the reason of a refusal.
type attacker struct {
	t       testing.TB
	address string
	key     credentials
	at      time.Time
}

// head is the head of a request to a target as it is to be on the wire, signed with every header given ("Name: value"), which
// may come more than once. It ends before the empty line, so that what is not signed can follow. seed is its signature.
func (a *attacker) head(method, target, payload string, headers ...string) (text, seed string) {
	a.t.Helper()
	path, query, _ := strings.Cut(target, "?")
	path = strings.NewReplacer("%2F", "/", "%2f", "/", "http://other.example", "").Replace(path) // as S3 signs a path
	r := &http.Request{
		Method: method, Host: a.address, Header: http.Header{"X-Amz-Content-Sha256": {payload}}, ContentLength: -1,
		URL: &url.URL{Scheme: "http", Host: a.address, Opaque: "//" + a.address + path, RawQuery: query},
	}
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	if a.at.IsZero() {
		a.at = time.Now()
	}
	key := aws.Credentials{AccessKeyID: a.key.AccessKeyId, SecretAccessKey: a.key.SecretAccessKey, SessionToken: a.key.SessionToken}
	if err := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }).SignHTTP(a.t.Context(), key, r, payload, "s3", "us-east-1", a.at); err != nil {
		a.t.Fatal(err)
	}
	text = method + " " + target + " HTTP/1.1\r\nHost: " + a.address + "\r\n"
	for name, values := range r.Header {
		for _, v := range values {
			text += name + ": " + v + "\r\n"
		}
	}
	_, seed, _ = strings.Cut(r.Header.Get("Authorization"), "Signature=")
	return text, seed
}

// chunk is a signed chunk of content after the one with the signature given.
func (a *attacker) chunk(previous, content string) (text, signature string) {
	mac := func(key []byte, text string) []byte {
		h := hmac.New(sha256.New, key)
		_, _ = io.WriteString(h, text)
		return h.Sum(nil)
	}
	day := a.at.UTC().Format("20060102")
	key := []byte("AWS4" + a.key.SecretAccessKey)
	for _, part := range []string{day, "us-east-1", "s3", "aws4_request"} {
		key = mac(key, part)
	}
	empty, sum := sha256.Sum256(nil), sha256.Sum256([]byte(content))
	signature = hex.EncodeToString(mac(key, "AWS4-HMAC-SHA256-PAYLOAD\n"+a.at.UTC().Format("20060102T150405Z")+"\n"+day+"/us-east-1/s3/aws4_request\n"+previous+"\n"+
		hex.EncodeToString(empty[:])+"\n"+hex.EncodeToString(sum[:])))
	return fmt.Sprintf("%x;chunk-signature=%s\r\n%s\r\n", len(content), signature, content), signature
}

// ask sends what is written and tells the first answer; hangUp ends the client's side after it.
func (a *attacker) ask(text string, hangUp bool) (status int, code string) {
	a.t.Helper()
	w := dial(a.t, a.address)
	defer func() { _ = w.Close() }()
	_ = w.SetDeadline(time.Now().Add(10 * time.Second))
	w.say(text)
	if hangUp {
		_ = w.CloseWrite()
	}
	method, _, _ := strings.Cut(text, " ")
	return w.answerTo(method)
}
