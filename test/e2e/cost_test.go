package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdkcredentials "github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// still is a backend that costs next to nothing: objects of the size that their name says, and uploads that go nowhere.
func still(t testing.TB) string {
	content := bytes.Repeat([]byte("0123456789abcdef"), 1<<22) // 64 MiB
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("ETag", `"00000000000000000000000000000000"`)
		h.Set("Last-Modified", "Mon, 23 Nov 2026 08:00:00 GMT")
		size, _ := strconv.Atoi(r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:])
		switch r.Method {
		case http.MethodGet, http.MethodHead:
			h.Set("Content-Length", strconv.Itoa(size))
			if r.Method == http.MethodGet {
				_, _ = w.Write(content[:size])
			}
		default:
			_, _ = io.Copy(io.Discard, r.Body)
		}
	})}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	return "http://" + l.Addr().String()
}

// ticks is the CPU time that a process has used.
func (p *process) ticks() time.Duration {
	p.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+2:]))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

// TestBackendCost measures what the gate costs before a backend that costs nothing, with credentials of a grant: signature,
// session, grant, policies and trail. LAKEGATE_BENCH=1 runs it; docs/benchmarks.md has its figures.
func TestBackendCost(t *testing.T) {
	if os.Getenv("LAKEGATE_BENCH") == "" {
		t.Skip("a measurement: LAKEGATE_BENCH=1 runs it")
	}
	const here = "111111111111"
	gate := start(t, append([]string{"serve", "--management-account", here, "--log-level", "warn"}, anyPorts(false)...)...)
	gate.backend("still", still(t), "AKID", "secretsecret")
	gate.lakegate("bucket", "attach", "lake", "--dir", gate.dir, "--backend", "still")
	cli := gate.as(here)
	cli.run("s3control", "create-access-grants-instance", "--account-id", here)
	cli.run("iam", "create-role", "--role-name", "Location", "--assume-role-policy-document", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"access-grants.s3.amazonaws.com"},"Action":["sts:AssumeRole","sts:SetSourceIdentity","sts:SetContext"]}]}`)
	cli.run("iam", "put-role-policy", "--role-name", "Location", "--policy-name", "all", "--policy-document", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`)
	cli.run("s3control", "create-access-grants-location", "--account-id", here, "--location-scope", "s3://lake/red/", "--iam-role-arn", "arn:aws:iam::"+here+":role/Location")
	locations := struct {
		AccessGrantsLocationsList []struct{ AccessGrantsLocationId string }
	}{}
	if err := json.Unmarshal([]byte(cli.run("s3control", "list-access-grants-locations", "--account-id", here, "--output", "json")), &locations); err != nil {
		t.Fatal(err)
	}
	cli.run("s3control", "create-access-grant", "--account-id", here, "--access-grants-location-id", locations.AccessGrantsLocationsList[0].AccessGrantsLocationId, "--permission", "READWRITE",
		"--grantee", "GranteeType=IAM,GranteeIdentifier=arn:aws:iam::"+here+":role/Location", "--access-grants-location-configuration", "S3SubPrefix=*")
	cli.run("iam", "create-user", "--user-name", "bob")
	cli.run("iam", "put-user-policy", "--user-name", "bob", "--policy-name", "ask", "--policy-document", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetDataAccess","Resource":"*"}]}`)
	cli.run("s3control", "create-access-grant", "--account-id", here, "--access-grants-location-id", locations.AccessGrantsLocationsList[0].AccessGrantsLocationId, "--permission", "READWRITE",
		"--grantee", "GranteeType=IAM,GranteeIdentifier=arn:aws:iam::"+here+":user/bob", "--access-grants-location-configuration", "S3SubPrefix=*")
	var key struct{ AccessKey credentials }
	if err := json.Unmarshal([]byte(cli.run("iam", "create-access-key", "--user-name", "bob", "--output", "json")), &key); err != nil {
		t.Fatal(err)
	}
	var vended struct{ Credentials credentials }
	if err := json.Unmarshal([]byte(cli.with(key.AccessKey).run("s3control", "get-data-access", "--account-id", here, "--target", "s3://lake/red/*", "--permission", "READWRITE", "--output", "json")), &vended); err != nil {
		t.Fatal(err)
	}
	signer := s3.NewPresignClient(s3.NewFromConfig(aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String("http://" + gate.API),
		Credentials: sdkcredentials.NewStaticCredentialsProvider(vended.Credentials.AccessKeyId, vended.Credentials.SecretAccessKey, vended.Credentials.SessionToken),
	}, func(o *s3.Options) { o.UsePathStyle = true }))
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, WriteBufferSize: 256 << 10, ReadBufferSize: 256 << 10}}
	body := bytes.Repeat([]byte("0123456789abcdef"), 1<<22)
	for _, m := range []struct {
		method     string
		size, n, c int
	}{{"GET", 4096, 20000, 16}, {"GET", 4096, 5000, 1}, {"HEAD", 4096, 10000, 16}, {"PUT", 4096, 10000, 16}, {"PUT", 4096, 3000, 1}, {"GET", 1 << 20, 500, 4}, {"GET", 64 << 20, 30, 1}, {"PUT", 64 << 20, 10, 1}} {
		object := aws.String("red/" + strconv.Itoa(m.size))
		url := ""
		switch m.method {
		case "GET":
			r, err := signer.PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("lake"), Key: object})
			if err != nil {
				t.Fatal(err)
			}
			url = r.URL
		case "HEAD":
			r, err := signer.PresignHeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String("lake"), Key: object})
			if err != nil {
				t.Fatal(err)
			}
			url = r.URL
		case "PUT":
			r, err := signer.PresignPutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("lake"), Key: object})
			if err != nil {
				t.Fatal(err)
			}
			url = r.URL
		}
		ask := func(n int) {
			var all sync.WaitGroup
			for range m.c {
				all.Go(func() {
					for range n / m.c {
						var content io.Reader
						if m.method == "PUT" {
							content = bytes.NewReader(body[:m.size])
						}
						r, err := http.NewRequestWithContext(t.Context(), m.method, url, content)
						if err != nil {
							t.Error(err)
							return
						}
						res, err := client.Do(r)
						if err != nil {
							t.Error(err)
							return
						}
						_, err = io.Copy(io.Discard, res.Body)
						_ = res.Body.Close()
						if err != nil || res.StatusCode != http.StatusOK {
							t.Errorf("%s %d: %s, %v", m.method, m.size, res.Status, err)
							return
						}
					}
				})
			}
			all.Wait()
		}
		ask(m.c * 20 / (1 + m.size>>20))
		if t.Failed() {
			return
		}
		before, begun := gate.ticks(), time.Now()
		ask(m.n)
		took, used := time.Since(begun), gate.ticks()-before
		t.Logf("%-4s %9d B  c=%-2d  %8.0f/s  %7.3f ms CPU of the gate each", m.method, m.size, m.c, float64(m.n)/took.Seconds(), float64(used.Microseconds())/1000/float64(m.n))
	}
}
