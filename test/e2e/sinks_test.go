package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	logs "go.opentelemetry.io/proto/otlp/logs/v1"
	"google.golang.org/protobuf/proto"

	"github.com/lakegate/lakegate/internal/hook"
	"github.com/lakegate/lakegate/internal/trail"
)

// received are records as a sink got them.
type received struct {
	mu      sync.Mutex
	records [][]byte
}

func (r *received) put(record []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.records = append(r.records, bytes.Clone(record))
}

// once are the records without those that came again.
func (r *received) once() (all []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	seen := map[string]bool{}
	for _, record := range r.records {
		var of struct{ EventID string }
		if err := json.Unmarshal(record, &of); err != nil || of.EventID == "" {
			return append(all, fmt.Sprintf("%.100q: %v", record, err))
		}
		if !seen[of.EventID] {
			seen[of.EventID] = true
			all = append(all, string(record))
		}
	}
	return all
}

// TestSinks: whatever happens to the server and to those that it brings its records to, each of them has every record in
// the end, in the order of the log.
func TestSinks(t *testing.T) {
	const secret = "for the eyes of the SIEM"
	var away atomic.Bool
	siem, collector := &received{}, &received{}
	webhook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the server was killed in between
		}
		if away.Load() {
			http.Error(w, "come back later", http.StatusServiceUnavailable)
			return
		}
		stamp, _, _ := strings.Cut(strings.TrimPrefix(r.Header.Get(hook.SignatureHeader), "t="), ",")
		at, _ := strconv.ParseInt(stamp, 10, 64)
		if r.Header.Get(hook.SignatureHeader) != hook.Sign(secret, time.Unix(at, 0), body) {
			t.Errorf("a delivery is not signed: %v", r.Header)
		}
		var all struct{ Records []json.RawMessage }
		if err := json.Unmarshal(body, &all); err != nil {
			t.Errorf("%.200q: %v", body, err)
		}
		for _, record := range all.Records {
			siem.put(record)
		}
	}))
	t.Cleanup(webhook.Close)
	otlp := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		var export logs.LogsData // on the wire, ExportLogsServiceRequest
		if err := proto.Unmarshal(body, &export); err != nil {
			t.Error(err)
		}
		for _, record := range export.ResourceLogs[0].ScopeLogs[0].LogRecords {
			collector.put([]byte(record.Body.GetStringValue()))
		}
	}))
	t.Cleanup(otlp.Close)
	brokers, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(3, "audit"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(brokers.Close)
	dir := t.TempDir()
	path, key := filepath.Join(dir, "audit.jsonl"), filepath.Join(dir, "secret")
	if err := os.WriteFile(key, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	config := settings(t, fmt.Sprintf(`audit:
  sinks:
    - {name: siem, gather_milliseconds: 5, records: 50, webhook: {url: "%s/in", secret: "file:%s"}}
    - {name: archive, gather_milliseconds: 5, file: {path: "%s"}}
    - {name: collector, gather_milliseconds: 5, otlp: {url: "%s/v1/logs"}}
    - {name: bus, gather_milliseconds: 5, kafka: {brokers: ["%s"], topic: audit, plaintext: true}}
`, webhook.URL, key, path, otlp.URL, brokers.ListenAddrs()[0]))

	p := start(t, append([]string{"serve", "--config", config, "--management-account", dataAccount}, anyPorts(false)...)...)
	metrics := func() string {
		_, text := fetch(t, "http://"+p.Web+"/metrics")
		return text
	}
	put := func(key string) {
		t.Helper()
		client := storage((&story{world: &world{process: p, t: t}}).administrator(dataAccount))
		if _, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("lake"), Key: aws.String(key)}); err != nil {
			t.Fatal(err)
		}
	}
	admin := p.as(dataAccount)
	admin.run("s3api", "create-bucket", "--bucket", "lake")
	for n := range 100 {
		put(fmt.Sprintf("first/%d\n\"\u2028", n))
	}
	// One receiver is away, and the server is killed while it is.
	away.Store(true)
	for n := range 100 {
		put(fmt.Sprint("second/", n))
	}
	p.kill()
	p.launch()
	put("third")
	if !strings.Contains(metrics(), `lakegate_audit_follower_failing{follower="sink.siem"}`) {
		t.Error("the metrics do not tell of the sink")
	}
	for deadline := time.Now().Add(time.Minute); !strings.Contains(p.lakegate("audit", "sinks", "--dir", p.dir), "failing: it answered 503 Service Unavailable: \"come back later"); {
		if time.Now().After(deadline) {
			t.Fatalf("nobody says that the sink fails:\n%s", p.lakegate("audit", "sinks", "--dir", p.dir))
		}
	}
	// What the server runs with is not for the administrators of its other accounts.
	made := get[struct {
		CreateAccountStatus struct {
			AccountID string `json:"AccountId"`
		}
	}](p.as(dataAccount), "organizations", "create-account", "--email", "branch@example.com", "--account-name", "branch")
	out, err := exec.CommandContext(t.Context(), binary, "audit", "sinks", "--dir", p.dir, "--account", made.CreateAccountStatus.AccountID).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "AccessDenied") || strings.Contains(string(out), "sink.siem") {
		t.Errorf("another account sees the sinks: %v\n%s", err, out)
	}
	away.Store(false)
	// A stop in order, in the middle of deliveries, and what somebody else does with the file.
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	for n := range 100 {
		put(fmt.Sprint("fourth/", n))
	}
	p.stop()
	p.launch()
	put("last")

	consumer, err := kgo.NewClient(kgo.SeedBrokers(brokers.ListenAddrs()...), kgo.ConsumeTopics("audit"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(consumer.Close)
	bus := &received{}
	go func() {
		for {
			fetched := consumer.PollFetches(t.Context())
			if fetched.IsClientClosed() || t.Context().Err() != nil {
				return
			}
			fetched.EachRecord(func(r *kgo.Record) { bus.put(r.Value) })
		}
	}()
	archive := func() *received {
		all := &received{}
		for _, name := range []string{path + ".1", path} {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for line := range bytes.Lines(text) {
				if line, whole := bytes.CutSuffix(line, []byte("\n")); whole {
					all.put(line)
				}
			}
		}
		return all
	}
	for name, got := range map[string]func() []string{
		"siem": siem.once, "collector": collector.once, "bus": bus.once, "archive": func() []string { return archive().once() },
	} {
		var have, want []string
		for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
			written := &received{}
			if err := trail.ReadDir(t.Context(), filepath.Join(p.dir, "audit"), trail.Position{}, func(_ trail.Position, record []byte) error {
				written.put(record)
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			if have, want = got(), written.once(); len(have) >= len(want) && len(want) > 300 {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s has %d of %d records\n%s", name, len(have), len(want), metrics())
			}
		}
		if !slices.Equal(have, want) {
			t.Errorf("%s has other records than the log, or in another order: %d of %d", name, len(have), len(want))
		}
	}
}

// TestSinksThatCannotBe keep the server from starting, and say why.
func TestSinksThatCannotBe(t *testing.T) {
	for setting, want := range map[string]string{
		`{name: siem, webhook: {url: "http://siem.example.com/"}}`:                     "audit.sinks: siem: webhook.url: want https",
		`{name: siem, webhook: {url: "https://h/", secret: a secret that is here}}`:    "audit.sinks: siem: webhook.secret: want file:PATH or env:NAME",
		`{name: archive, file: {path: /nowhere/at/all}}`:                               "audit.sinks: archive: file.path",
		`{name: both, file: {path: /a}, otlp: {url: "https://h/"}}`:                    "audit.sinks: both: want one of",
		`{name: siem, select: [{decision: {equals: [denied]}}], file: {path: /tmp/a}}`: `audit.sinks: siem: select: decision is never "denied"`,
		`{name: siem, select: [{event: {equals: [x]}}], file: {path: /tmp/a}}`:         `audit.sinks: siem: select: there is no field "event"`,
		`{name: bus, kafka: {broker: k, topic: t}}`:                                    "broker",
	} {
		config := settings(t, "audit:\n  sinks:\n    - "+setting+"\n")
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		text, err := exec.CommandContext(ctx, binary, append([]string{"serve", "--config", config, "--dir", t.TempDir()}, anyPorts(false)...)...).CombinedOutput()
		cancel()
		out := string(text)
		if err == nil || !strings.Contains(out, want) || strings.Contains(out, "a secret that is here") {
			t.Errorf("%s: %v\n%s", setting, err, out)
		}
	}
}
