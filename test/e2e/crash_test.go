package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/lakegate/lakegate/internal/trail"
)

// crashesVariable says how often the server is killed; by default it is 40 times, and 4 with -short.
const crashesVariable = "LAKEGATE_CRASHES"

// answered remembers the ids of the requests whose answers have come.
type answered struct {
	http.RoundTripper
	mu  sync.Mutex
	ids map[string]string
	n   atomic.Int64
}

func (a *answered) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := a.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	id := res.Header.Get("X-Amz-Request-Id")
	if id == "" {
		id = res.Header.Get("X-Amzn-Requestid")
	}
	if id != "" {
		a.mu.Lock()
		a.ids[id] = r.Method + " " + r.URL.Path + " " + res.Status
		a.mu.Unlock()
		a.n.Add(1)
	}
	return res, nil
}

// TestCrashesLoseNoAnsweredRequest kills the server again and again while clients read, write, are refused and change
// what it administers. Every request that was answered has its record, in one chain over all starts, and what was stored is there.
func TestCrashesLoseNoAnsweredRequest(t *testing.T) {
	crashes := 40
	if testing.Short() {
		crashes = 4
	}
	if v := os.Getenv(crashesVariable); v != "" {
		var err error
		if crashes, err = strconv.Atoi(v); err != nil {
			t.Fatal(err)
		}
	}
	p := &process{t: t, dir: t.TempDir(), args: append([]string{"serve", "--management-account", dataAccount}, anyPorts(false)...)}
	seen := &answered{ids: map[string]string{}}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // moments of a test
	cut := 0
	var kept map[string]bool
	for round := range crashes + 1 {
		p.launch()
		cfg := (&story{world: &world{process: p, t: t}}).administrator(dataAccount)
		seen.RoundTripper = http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // of net/http
		cfg.HTTPClient = &http.Client{Transport: seen, Timeout: 10 * time.Second}
		if round == 0 {
			if _, err := storage(cfg).CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("lake")}); err != nil {
				t.Fatal(err)
			}
		}
		until := seen.n.Load() + 20 + random.Int64N(150)
		ctx, stop := context.WithCancel(t.Context())
		var clients sync.WaitGroup
		for n := range 8 {
			clients.Go(func() { load(ctx, cfg, fmt.Sprintf("%d-%d", round, n)) })
		}
		for deadline := time.Now().Add(time.Minute); seen.n.Load() < until; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("the server does not answer")
			}
		}
		// The last time is an orderly end.
		if round < crashes {
			p.kill()
			stop()
			clients.Wait()
		} else {
			stop()
			clients.Wait()
			kept = keptObjects(t, storage(cfg))
			p.stop()
		}
		cut += strings.Count(p.log.String(), "cut off the end of the audit log")
		if strings.Contains(p.log.String(), "the audit log is damaged") || strings.Contains(p.log.String(), "not what it was") {
			t.Fatalf("start %d takes a crash for an attack:\n%s", round, p.log)
		}
	}

	dir := filepath.Join(p.dir, "audit")
	v, err := trail.Verify(t.Context(), dir, nil)
	if err != nil || v.Broken != nil {
		t.Fatalf("the chain does not hold: %+v, %v", v, err)
	}
	recorded, events := map[string]bool{}, map[string]int{}
	err = trail.ReadDir(t.Context(), dir, trail.Position{}, func(_ trail.Position, record []byte) error {
		text := string(record)
		recorded[member(text, "requestID")] = true
		events[member(text, "eventID")]++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	missing := 0
	for id, what := range seen.ids {
		if !recorded[id] {
			if missing++; missing < 10 {
				t.Errorf("%s was answered and is not in the log: %s", id, what)
			}
		}
	}
	twice := 0
	for _, n := range events {
		if n > 1 {
			twice++
		}
	}
	if len(seen.ids) < 20*crashes {
		t.Errorf("%d answers prove nothing", len(seen.ids))
	}
	t.Logf("%d crashes, %d answers, %d records, %d missing, %d records twice, %d torn ends cut", crashes, len(seen.ids), v.Records, missing, twice, cut)
	lost := 0
	for _, what := range seen.ids {
		if path, ok := strings.CutPrefix(what, "PUT /lake/"); ok && strings.HasPrefix(path, "some/") && strings.HasSuffix(path, " 200 OK") && !kept[strings.TrimSuffix(path, " 200 OK")] {
			if lost++; lost < 10 {
				t.Errorf("%s was answered and is not there", what)
			}
		}
	}
	if out := p.lakegate("audit", "verify", "--dir", p.dir); !strings.Contains(out, "The chain holds") {
		t.Errorf("verify tells\n%s", out)
	}
}

// keptObjects are the keys that the bucket has in the end.
func keptObjects(t *testing.T, c *s3.Client) map[string]bool {
	t.Helper()
	kept := map[string]bool{}
	pages := s3.NewListObjectsV2Paginator(c, &s3.ListObjectsV2Input{Bucket: aws.String("lake"), Prefix: aws.String("some/")})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Contents {
			kept[*o.Key] = true
		}
	}
	return kept
}

// load is what one client does until it is stopped: it does not matter what becomes of a request.
func load(ctx context.Context, cfg aws.Config, name string) {
	objects, users, sessions := storage(cfg), iam.NewFromConfig(cfg), sts.NewFromConfig(cfg)
	nobody := cfg.Copy()
	nobody.Credentials = aws.AnonymousCredentials{}
	stranger, lake, key := storage(nobody), aws.String("lake"), aws.String("some/"+name)
	for n := 0; ctx.Err() == nil; n++ {
		switch n % 10 {
		case 0:
			_, _ = objects.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("lake"), Key: key, Body: strings.NewReader(name)})
		case 1:
			_, _ = objects.HeadObject(ctx, &s3.HeadObjectInput{Bucket: aws.String("lake"), Key: key})
		case 2:
			_, _ = users.CreateUser(ctx, &iam.CreateUserInput{UserName: aws.String(fmt.Sprintf("user-%s-%d", name, n))})
		case 3:
			_, _ = sessions.GetSessionToken(ctx, &sts.GetSessionTokenInput{})
		case 4:
			_, _ = objects.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String("lake")})
		case 5:
			_, _ = sessions.AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::" + dataAccount + ":role/Nothing"), RoleSessionName: aws.String("x"), Tags: []types.Tag{}})
		case 6:
			if out, err := objects.GetObject(ctx, &s3.GetObjectInput{Bucket: lake, Key: key}); err == nil {
				_ = out.Body.Close()
			}
		case 7:
			_, _ = objects.CopyObject(ctx, &s3.CopyObjectInput{Bucket: lake, Key: aws.String("copies/" + name), CopySource: aws.String("lake/" + *key)})
		case 8:
			_, _ = objects.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: lake, Delete: &s3types.Delete{Objects: []s3types.ObjectIdentifier{{Key: aws.String("copies/" + name)}, {Key: aws.String("none")}}}})
		case 9:
			_, _ = stranger.GetObject(ctx, &s3.GetObjectInput{Bucket: lake, Key: key})
		}
	}
}

// member is the last text of a name in a record.
func member(record, name string) string {
	_, rest, _ := strings.Cut(record[strings.LastIndex(record, `"`+name+`":"`)+1:], `:"`)
	value, _, _ := strings.Cut(rest, `"`)
	return value
}
