package sigv4

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// seen is an upload as a server saw it.
type seen struct {
	payload Payload
	trailer string
	content string
}

// uploads is a server that verifies what it gets as a service does, and remembers it.
type uploads struct {
	mu   sync.Mutex
	last seen
	err  error
}

func (u *uploads) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.last, u.err = receiveUpload(r)
	if u.err != nil {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	w.Header().Set("ETag", `"e"`)
}

func receiveUpload(r *http.Request) (seen, error) {
	sig, err := Parse(r)
	if err != nil {
		return seen{}, err
	}
	p, err := sig.Verify(r, testSecret, Options{Now: time.Now(), Region: "us-east-1", Services: []string{"s3"}, Keys: &KeyCache{}})
	if err != nil {
		return seen{}, err
	}
	b, err := NewBody(r, p, BodyOptions{})
	if err != nil {
		return seen{}, err
	}
	content, err := io.ReadAll(b)
	return seen{sig.Payload, b.Trailer(), string(content)}, err
}

// TestUploadsOfTheSDK has the SDK upload in all the ways that it chooses by itself, over real connections.
func TestUploadsOfTheSDK(t *testing.T) {
	content := strings.Repeat("red tomatoes;", 9000)
	server := &uploads{}
	plain, secure := httptest.NewServer(server), httptest.NewTLSServer(server)
	defer plain.Close()
	defer secure.Close()
	for name, tt := range map[string]struct {
		srv  *httptest.Server
		do   func(ctx context.Context, c *s3.Client) error
		want string // the beginning of the payload
	}{
		"over HTTP": {plain, func(ctx context.Context, c *s3.Client) error {
			_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: new("red"), Key: new("a b/ü+(1).csv"), Body: strings.NewReader(content), Metadata: map[string]string{"colour": "red  and   more"}})
			return err
		}, ""},
		"over HTTPS": {secure, func(ctx context.Context, c *s3.Client) error {
			_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: new("red"), Key: new("k"), Body: strings.NewReader(content), ContentEncoding: new("gzip")})
			return err
		}, StreamingUnsignedTrailer},
		"over HTTPS, CRC64NVME": {secure, func(ctx context.Context, c *s3.Client) error {
			_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: new("red"), Key: new("k"), Body: strings.NewReader(content), ChecksumAlgorithm: types.ChecksumAlgorithmCrc64nvme})
			return err
		}, StreamingUnsignedTrailer},
		"over HTTPS, from a pipe": {secure, func(ctx context.Context, c *s3.Client) error {
			body := io.MultiReader(strings.NewReader(content))
			_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: new("red"), Key: new("k"), Body: body, ContentLength: new(int64(len(content)))})
			return err
		}, StreamingUnsignedTrailer},
		"a part": {secure, func(ctx context.Context, c *s3.Client) error {
			_, err := c.UploadPart(ctx, &s3.UploadPartInput{Bucket: new("red"), Key: new("k"), UploadId: new("u/=+"), PartNumber: new(int32(1)), Body: strings.NewReader(content), ChecksumAlgorithm: types.ChecksumAlgorithmSha256})
			return err
		}, StreamingUnsignedTrailer},
		"presigned": {plain, func(ctx context.Context, c *s3.Client) error {
			u, err := s3.NewPresignClient(c).PresignPutObject(ctx, &s3.PutObjectInput{Bucket: new("red"), Key: new("a b"), ContentType: new("text/csv")})
			if err != nil {
				return err
			}
			r, err := http.NewRequestWithContext(ctx, u.Method, u.URL, strings.NewReader(content))
			if err != nil {
				return err
			}
			r.Header = u.SignedHeader
			r.Header.Del("Host")
			resp, err := plain.Client().Do(r)
			if err != nil {
				return err
			}
			defer func() { _ = resp.Body.Close() }()
			if resp.StatusCode != http.StatusOK {
				return errors.New(resp.Status)
			}
			return nil
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			client := s3.New(s3.Options{
				Region: "us-east-1", BaseEndpoint: &tt.srv.URL, UsePathStyle: true, HTTPClient: tt.srv.Client(), RetryMaxAttempts: 1,
				RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported,
				Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
					return aws.Credentials{AccessKeyID: testKey, SecretAccessKey: testSecret, SessionToken: "FwoGZXIvYXdzE//+/=="}, nil
				}),
			})
			if err := tt.do(t.Context(), client); err != nil {
				t.Fatal(errors.Join(server.err, err))
			}
			if server.last.content != content {
				t.Errorf("%d bytes arrived", len(server.last.content))
			}
			if !strings.HasPrefix(string(server.last.payload), tt.want) || server.last.payload.Trailing() != (server.last.trailer != "") {
				t.Errorf("payload %q, trailer %q", server.last.payload, server.last.trailer)
			}
		})
	}
}

// TestSignedRequestsArrive signs with the Signer and sends over a connection, as the gateway does to a back end.
func TestSignedRequestsArrive(t *testing.T) {
	server := &uploads{}
	srv := httptest.NewServer(server)
	defer srv.Close()
	content := []byte("red tomatoes")
	for name, payload := range map[string]string{"unsigned": UnsignedPayload, "empty hash": EmptyPayload} {
		t.Run(name, func(t *testing.T) {
			body := content
			if payload == EmptyPayload {
				body = nil
			}
			r, err := http.NewRequestWithContext(t.Context(), "PUT", srv.URL+"/red/a%20b%2F+?partNumber=1&uploadId=a%2Bb", bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("X-Amz-Meta-Colour", "dark  red")
			if _, err := s3Signer().Sign(r, payload, time.Now()); err != nil {
				t.Fatal(err)
			}
			resp, err := srv.Client().Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if server.err != nil || server.last.content != string(body) {
				t.Errorf("arrived %q: %v", server.last.content, server.err)
			}
		})
	}
}
