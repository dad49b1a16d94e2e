package bench

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3control"
	"github.com/aws/aws-sdk-go-v2/service/s3control/types"
	"github.com/aws/aws-sdk-go-v2/service/ssooidc"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"
)

const (
	dataAccount   = "111111111111"
	centerAccount = "222222222222"
	bucket        = "sales-data-111111111111"
	clientID      = "5e2a9c47-8d16-4f3b-a7c0-1b9d6e4f2c21"
	jwtBearer     = "urn:ietf:params:oauth:grant-type:jwt-bearer"
)

// server is a running demonstration with a person's session and a grant's credentials.
type server struct {
	b           testing.TB
	cmd         *exec.Cmd
	dir         string
	api, idp    string
	application string
	app         aws.Credentials // the application's role
	person      aws.Credentials // its session in a person's name
	red         aws.Credentials // the credentials of the red grant
	http        *http.Client
	proxy       *http.Client // by the API door as a proxy
}

func start(b testing.TB) *server {
	b.Helper()
	binary := os.Getenv("LAKEGATE_BINARY")
	if binary == "" {
		b.Skip("not run: LAKEGATE_BINARY names no binary")
	}
	binary, err := filepath.Abs(binary)
	if err != nil {
		b.Fatal(err)
	}
	s := &server{b: b, dir: b.TempDir(), http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
	s.cmd = exec.Command(binary, "demo", "--no-browser", "--dir", s.dir, "--api", "127.0.0.1:0", "--web", "127.0.0.1:0", "--idp", "127.0.0.1:0", "--app", "127.0.0.1:0", "--log-level", "error")
	if err := s.cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = s.cmd.Process.Signal(os.Interrupt)
		_ = s.cmd.Wait()
	})
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if text, err := os.ReadFile(filepath.Join(s.dir, "addresses.json")); err == nil {
			var a map[string]string
			must(b, json.Unmarshal(text, &a))
			s.api, s.idp = a["api"], a["idp"]
			s.proxy = &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: s.api})}}
			break
		}
		if time.Now().After(deadline) {
			b.Fatal("the server was not ready in time")
		}
	}
	s.enter()
	return s
}

func must(b testing.TB, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (s *server) config(c aws.Credentials) aws.Config {
	return aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String("http://" + s.api), HTTPClient: s.http,
		Credentials: credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, c.SessionToken),
	}
}

// enter goes through the chain once, from the application's key to the credentials of the red grant.
func (s *server) enter() {
	ctx := context.Background()
	var story struct{ ApplicationArn, ApplicationRoleArn, IdentityRoleArn string }
	text, err := os.ReadFile(filepath.Join(s.dir, "demo-seeded.json"))
	must(s.b, err)
	must(s.b, json.Unmarshal(text, &story))
	s.application = story.ApplicationArn
	profile, err := os.ReadFile(filepath.Join(s.dir, "dataapp.aws"))
	must(s.b, err)
	var machine aws.Credentials
	for line := range strings.Lines(string(profile)) {
		k, v, _ := strings.Cut(strings.TrimSpace(line), " = ")
		switch k {
		case "aws_access_key_id":
			machine.AccessKeyID = v
		case "aws_secret_access_key":
			machine.SecretAccessKey = v
		}
	}
	role, err := sts.NewFromConfig(s.config(machine)).AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: &story.ApplicationRoleArn, RoleSessionName: aws.String("bench")})
	must(s.b, err)
	s.app = creds(role.Credentials)
	out, err := s.exchange(ctx, s.token())
	must(s.b, err)
	person, err := sts.NewFromConfig(s.config(s.app)).AssumeRole(ctx, &sts.AssumeRoleInput{
		RoleArn: &story.IdentityRoleArn, RoleSessionName: aws.String("mateo"),
		ProvidedContexts: []ststypes.ProvidedContext{{ProviderArn: aws.String("arn:aws:iam::aws:contextProvider/IdentityCenter"), ContextAssertion: out.AwsAdditionalDetails.IdentityContext}},
	})
	must(s.b, err)
	s.person = creds(person.Credentials)
	s.red = s.vend("s3://" + bucket + "/red/*")
}

func creds(c *ststypes.Credentials) aws.Credentials {
	return aws.Credentials{AccessKeyID: *c.AccessKeyId, SecretAccessKey: *c.SecretAccessKey, SessionToken: *c.SessionToken}
}

// token signs Mateo in at the development provider.
func (s *server) token() string {
	req, err := http.NewRequest("POST", "http://"+s.idp+"/dev/token", strings.NewReader(`{"user":"mateo@example.com","client_id":"`+clientID+`"}`))
	must(s.b, err)
	req.Header.Set("X-Lakegate-Development", "yes")
	req.Header.Set("Content-Type", "application/json")
	resp, err := s.http.Do(req)
	must(s.b, err)
	defer func() { _ = resp.Body.Close() }()
	var t struct {
		IDToken string `json:"id_token"`
	}
	must(s.b, json.NewDecoder(resp.Body).Decode(&t))
	return t.IDToken
}

func (s *server) exchange(ctx context.Context, assertion string) (*ssooidc.CreateTokenWithIAMOutput, error) {
	return ssooidc.NewFromConfig(s.config(s.app)).CreateTokenWithIAM(ctx, &ssooidc.CreateTokenWithIAMInput{ClientId: &s.application, GrantType: aws.String(jwtBearer), Assertion: &assertion})
}

// administrator is the administrator of an account.
func (s *server) administrator(account string) aws.Credentials {
	text, err := os.ReadFile(filepath.Join(s.dir, "credentials"))
	must(s.b, err)
	_, section, _ := strings.Cut(string(text), "["+account+"]")
	var admin aws.Credentials
	for line := range strings.Lines(section) {
		k, v, _ := strings.Cut(strings.TrimSpace(line), " = ")
		if k == "aws_access_key_id" && admin.AccessKeyID == "" {
			admin.AccessKeyID = v
		}
		if k == "aws_secret_access_key" && admin.SecretAccessKey == "" {
			admin.SecretAccessKey = v
		}
	}
	return admin
}

// control is a client of s3control, whose requests go to a host that resolves nowhere.
func (s *server) control(c aws.Credentials) *s3control.Client {
	cfg := s.config(c)
	cfg.BaseEndpoint, cfg.HTTPClient = aws.String("http://lakegate.internal"), s.proxy
	return s3control.NewFromConfig(cfg)
}

// vend asks for access in the person's name.
func (s *server) vend(target string) aws.Credentials {
	access, err := s.control(s.person).GetDataAccess(context.Background(), &s3control.GetDataAccessInput{
		AccountId: aws.String(dataAccount), Target: &target, Permission: types.PermissionRead,
	})
	must(s.b, err)
	return aws.Credentials{AccessKeyID: *access.Credentials.AccessKeyId, SecretAccessKey: *access.Credentials.SecretAccessKey, SessionToken: *access.Credentials.SessionToken}
}

// put stores an object as the account's administrator.
func (s *server) put(key string, size int) {
	client := s3.NewFromConfig(s.config(s.administrator(dataAccount)), func(o *s3.Options) { o.UsePathStyle = true })
	_, err := client.PutObject(context.Background(), &s3.PutObjectInput{Bucket: aws.String(bucket), Key: &key, Body: bytes.NewReader(make([]byte, size))})
	must(s.b, err)
}

// cpu is the processor time of the server so far, in seconds.
func (s *server) cpu() float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	must(s.b, err)
	f := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	user, _ := strconv.ParseFloat(f[11], 64)
	system, _ := strconv.ParseFloat(f[12], 64)
	return (user + system) / 100
}

// signed makes a request that is signed once and can be sent many times, as the clock allows.
func (s *server) signed(c aws.Credentials, path string, header http.Header) func() (*http.Request, error) {
	empty := sha256.Sum256(nil)
	hash := hex.EncodeToString(empty[:])
	req, err := http.NewRequest("GET", "http://"+s.api+path, nil)
	must(s.b, err)
	for k, v := range header {
		req.Header[k] = v
	}
	req.Header.Set("X-Amz-Content-Sha256", hash)
	must(s.b, v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }).SignHTTP(context.Background(), c, req, hash, "s3", "us-east-1", time.Now()))
	return func() (*http.Request, error) { return req.Clone(context.Background()), nil }
}

// drive sends requests from so many clients at once and reports the server's processor time for each.
func (s *server) drive(b *testing.B, clients int, next func() (*http.Request, error)) {
	var left atomic.Int64
	left.Store(int64(b.N))
	before := s.cpu()
	b.ResetTimer()
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				req, err := next()
				if err != nil {
					b.Error(err)
					return
				}
				resp, err := s.http.Do(req)
				if err != nil {
					b.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
				if resp.StatusCode/100 != 2 {
					b.Errorf("status %d", resp.StatusCode)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric((s.cpu()-before)/float64(b.N)*1e6, "server-cpu-µs/op")
}

func BenchmarkGetDataAccess(b *testing.B) {
	s := start(b)
	path := "/v20180820/accessgrantsinstance/dataaccess?permission=READ&target=" + url.QueryEscape("s3://"+bucket+"/red/*")
	for _, clients := range []int{1, 16} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			s.drive(b, clients, s.signed(s.person, path, http.Header{"X-Amz-Account-Id": {dataAccount}}))
		})
	}
}

func BenchmarkCreateTokenWithIAM(b *testing.B) {
	s := start(b)
	tokens := make([]string, b.N)
	for i := range tokens {
		tokens[i] = s.token()
	}
	before := s.cpu()
	b.ResetTimer()
	for _, t := range tokens {
		if _, err := s.exchange(b.Context(), t); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric((s.cpu()-before)/float64(b.N)*1e6, "server-cpu-µs/op")
}

func BenchmarkGetObject(b *testing.B) {
	s := start(b)
	for name, size := range map[string]int{"4KiB": 4 << 10, "1MiB": 1 << 20, "64MiB": 64 << 20} {
		s.put("red/"+name, size)
		for _, clients := range []int{1, 16} {
			if size > 1<<20 && clients > 1 {
				continue
			}
			b.Run(fmt.Sprintf("%s/clients=%d", name, clients), func(b *testing.B) {
				b.SetBytes(int64(size))
				s.drive(b, clients, s.signed(s.red, "/"+bucket+"/red/"+name, nil))
			})
		}
	}
}
