package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdkcredentials "github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// tenant is a user of the account who may do everything in S3.
type tenant struct {
	t    testing.TB
	gate *process
	s3   *s3.Client
	sign *s3.PresignClient
}

const tenantsAccount = "111111111111"

// tenants starts a gate with a configuration and users of these names.
func tenants(t testing.TB, config string, names ...string) (*process, []*tenant) {
	t.Helper()
	gate := start(t, append([]string{"serve", "--management-account", tenantsAccount, "--log-level", "warn", "--config", settings(t, config)}, anyPorts(false)...)...)
	cli := gate.as(tenantsAccount)
	var all []*tenant
	for _, name := range names {
		cli.run("iam", "create-user", "--user-name", name)
		cli.run("iam", "put-user-policy", "--user-name", name, "--policy-name", "all", "--policy-document", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`)
		var key struct{ AccessKey credentials }
		if err := json.Unmarshal([]byte(cli.run("iam", "create-access-key", "--user-name", name, "--output", "json")), &key); err != nil {
			t.Fatal(err)
		}
		client := s3.NewFromConfig(aws.Config{
			Region: "us-east-1", BaseEndpoint: aws.String("http://" + gate.API),
			Credentials: sdkcredentials.NewStaticCredentialsProvider(key.AccessKey.AccessKeyId, key.AccessKey.SecretAccessKey, ""),
			HTTPClient:  &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 4}}, RetryMaxAttempts: 1,
		}, func(o *s3.Options) { o.UsePathStyle = true })
		all = append(all, &tenant{t, gate, client, s3.NewPresignClient(client)})
	}
	return gate, all
}

// put writes an object.
func (n *tenant) put(bucket, key string, content []byte) {
	n.t.Helper()
	if err := n.tryPut(bucket, key, content); err != nil {
		n.t.Fatal(err)
	}
}

func (n *tenant) tryPut(bucket, key string, content []byte) error {
	_, err := n.s3.PutObject(context.Background(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: bytes.NewReader(content)})
	return err
}

// get reads an object.
func (n *tenant) get(bucket, key string) ([]byte, error) {
	out, err := n.s3.GetObject(context.Background(), &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return nil, err
	}
	defer func() { _ = out.Body.Close() }()
	return io.ReadAll(out.Body)
}

// goesOn says that a small object is written and read, again and again.
func (n *tenant) goesOn(what, bucket string) {
	n.t.Helper()
	for i := range 20 {
		content := []byte(fmt.Sprintf("%s %d", what, i))
		if err := n.tryPut(bucket, "small", content); err != nil {
			n.t.Fatalf("%s: the write of somebody else is not served: %v", what, err)
		}
		if got, err := n.get(bucket, "small"); err != nil || !bytes.Equal(got, content) {
			n.t.Fatalf("%s: the read of somebody else is not served: %q, %v", what, got, err)
		}
	}
}

// wire is a connection on which a request is written by hand.
type wire struct {
	t testing.TB
	*net.TCPConn
	r *bufio.Reader
}

func dial(t testing.TB, address string) *wire {
	t.Helper()
	c, err := net.Dial("tcp", address) //nolint:noctx // loopback
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return &wire{t, c.(*net.TCPConn), bufio.NewReader(c)}
}

// say writes; what the server has closed by now is not written.
func (w *wire) say(text string) bool {
	_, err := io.WriteString(w, text)
	return err == nil
}

// answer reads the head of the answer; 0 is none: the server closed the connection.
func (w *wire) answer() (status int, code string) { return w.answerTo(http.MethodGet) }

// answerTo reads the head of the answer to a request of a method, since one to HEAD has no content.
func (w *wire) answerTo(method string) (status int, code string) {
	res, err := http.ReadResponse(w.r, &http.Request{Method: method})
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode < 300 {
		return res.StatusCode, ""
	}
	text, _ := io.ReadAll(res.Body)
	_, rest, _ := strings.Cut(string(text), "<Code>")
	code, _, _ = strings.Cut(rest, "</Code>")
	return res.StatusCode, code
}

// head is the head of a request whose URL is signed.
func (n *tenant) head(method, bucket, key string, length int64) string {
	n.t.Helper()
	var signed string
	var err error
	switch method {
	case http.MethodPut:
		r, e := n.sign.PresignPutObject(context.Background(), &s3.PutObjectInput{Bucket: &bucket, Key: &key})
		signed, err = r.URL, e
	default:
		r, e := n.sign.PresignGetObject(context.Background(), &s3.GetObjectInput{Bucket: &bucket, Key: &key})
		signed, err = r.URL, e
	}
	if err != nil {
		n.t.Fatal(err)
	}
	return headOf(n.t, method, signed, length)
}

func headOf(t testing.TB, method, signed string, length int64) string {
	t.Helper()
	u, err := url.Parse(signed)
	if err != nil {
		t.Fatal(err)
	}
	text := method + " " + u.RequestURI() + " HTTP/1.1\r\nHost: " + u.Host + "\r\n"
	if length >= 0 {
		text += fmt.Sprintf("Content-Length: %d\r\n", length)
	}
	return text + "\r\n"
}

// absent says that there is no such object.
func (n *tenant) absent(what, bucket, key string) {
	n.t.Helper()
	if got, err := n.get(bucket, key); err == nil || !strings.Contains(err.Error(), "NoSuchKey") {
		n.t.Errorf("%s: there is an object of %d bytes, %v", what, len(got), err)
	}
}
