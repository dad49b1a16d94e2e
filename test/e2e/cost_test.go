package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// still is a backend that costs next to nothing: objects of the size that their name says, and uploads that go nowhere.
func still(t testing.TB) string {
	content := bytes.Repeat([]byte("0123456789abcdef"), 1<<22) // 64 MiB
	return serving(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
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
	}))
}

// serving is the endpoint of a server in this process, as long as the test.
func serving(t testing.TB, handler http.Handler) (endpoint string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // loopback
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: handler}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	return "http://" + l.Addr().String()
}

// ticks is the CPU time that a process has used.
func (p *process) ticks() time.Duration { return ticksOf(p.t, p.cmd.Process.Pid) }

func ticksOf(t testing.TB, pid int) time.Duration {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+2:]))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

// presigned is a URL for an object of the bucket lake.
func presigned(t testing.TB, sign *s3.PresignClient, method, key string) string {
	t.Helper()
	bucket := aws.String("lake")
	var r *v4.PresignedHTTPRequest
	var err error
	switch method {
	case http.MethodGet:
		r, err = sign.PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: bucket, Key: &key})
	case http.MethodHead:
		r, err = sign.PresignHeadObject(t.Context(), &s3.HeadObjectInput{Bucket: bucket, Key: &key})
	case http.MethodPut:
		r, err = sign.PresignPutObject(t.Context(), &s3.PutObjectInput{Bucket: bucket, Key: &key})
	}
	if err != nil {
		t.Fatal(err)
	}
	return r.URL
}

// ask makes n requests by as many clients as there are signed URLs, and is how long they took.
func ask(t *testing.T, client *http.Client, method string, urls []string, content []byte, n int) time.Duration {
	t.Helper()
	begun := time.Now()
	var all sync.WaitGroup
	for _, url := range urls {
		all.Go(func() {
			for range n / len(urls) {
				var body io.Reader
				if method == http.MethodPut {
					body = bytes.NewReader(content)
				}
				r, err := http.NewRequestWithContext(t.Context(), method, url, body)
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
					t.Errorf("%s: %s, %v", method, res.Status, err)
					return
				}
			}
		})
	}
	all.Wait()
	return time.Since(begun)
}

// TestBackendCost measures what the gate costs before a backend that costs nothing, with credentials of a grant: signature,
// session, grant, policies and trail. LAKEGATE_BENCH=1 runs it; docs/benchmarks.md has its figures.
func TestBackendCost(t *testing.T) {
	if os.Getenv("LAKEGATE_BENCH") == "" {
		t.Skip("a measurement: LAKEGATE_BENCH=1 runs it")
	}
	gate := start(t, append([]string{"serve", "--management-account", tenantsAccount, "--log-level", "warn"}, anyPorts(false)...)...)
	gate.backend("still", still(t), "AKID", "secretsecret")
	gate.lakegate("bucket", "attach", "lake", "--dir", gate.dir, "--backend", "still")
	sign := s3.NewPresignClient(storageAt("http://"+gate.API, granted(gate, "lake")))
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, WriteBufferSize: 256 << 10, ReadBufferSize: 256 << 10}}
	body := bytes.Repeat([]byte("0123456789abcdef"), 1<<22)
	for _, m := range []struct {
		method     string
		size, n, c int
	}{{"GET", 4096, 20000, 16}, {"GET", 4096, 5000, 1}, {"HEAD", 4096, 10000, 16}, {"PUT", 4096, 10000, 16}, {"PUT", 4096, 3000, 1}, {"GET", 1 << 20, 500, 4}, {"GET", 64 << 20, 30, 1}, {"PUT", 64 << 20, 10, 1}} {
		t.Run(fmt.Sprintf("%s/%d/%d", m.method, m.size, m.c), func(t *testing.T) {
			urls := slices.Repeat([]string{presigned(t, sign, m.method, "red/"+strconv.Itoa(m.size))}, m.c)
			ask(t, client, m.method, urls, body[:m.size], m.c*20/(1+m.size>>20))
			if t.Failed() {
				return
			}
			before := gate.ticks()
			took := ask(t, client, m.method, urls, body[:m.size], m.n)
			used := gate.ticks() - before
			t.Logf("%-4s %9d B  c=%-2d  %8.0f/s  %7.3f ms CPU of the gate each", m.method, m.size, m.c, float64(m.n)/took.Seconds(), float64(used.Microseconds())/1000/float64(m.n))
		})
	}
}
