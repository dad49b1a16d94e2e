package e2e

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/lakegate/lakegate/internal/storage/storagetest"
)

// contestant is a server whose requests are counted and whose processor time is taken.
type contestant struct {
	name string
	pid  int // 0: it is in this process, and its time is not told
	sign *s3.PresignClient
}

// nginx starts one that passes everything on to a backend, on connections that it keeps; 0 where there is none.
func nginx(t *testing.T, to string) (endpoint string, pid int) {
	t.Helper()
	program := os.Getenv("LAKEGATE_NGINX")
	if program == "" {
		program = "nginx"
	}
	if _, err := exec.LookPath(program); err != nil {
		t.Log("there is no nginx: LAKEGATE_NGINX may name one")
		return "", 0
	}
	dir, address := t.TempDir(), storagetest.FreeAddress(t)
	config := `daemon off; master_process off; pid ` + dir + `/pid; error_log ` + dir + `/log; events {}
http { access_log off; client_max_body_size 0; keepalive_requests 100000000; proxy_buffering off; proxy_request_buffering off;
client_body_temp_path ` + dir + `/1; proxy_temp_path ` + dir + `/2; fastcgi_temp_path ` + dir + `/3; uwsgi_temp_path ` + dir + `/4; scgi_temp_path ` + dir + `/5;
upstream b { server ` + strings.TrimPrefix(to, "http://") + `; keepalive 64; keepalive_requests 100000000; }
server { listen ` + address + `; location / { proxy_pass http://b; proxy_http_version 1.1; proxy_set_header Connection ""; } } }`
	path := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "-c", path, "-e", dir+"/log") //nolint:gosec // the operator names it
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	until(t, "nginx answers", func() bool {
		c, err := net.Dial("tcp", address) //nolint:noctx // loopback
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
	return "http://" + address, cmd.Process.Pid
}

// pidOf is the process that was started with an address among its arguments.
func pidOf(t *testing.T, endpoint string) int {
	t.Helper()
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines {
		text, err := os.ReadFile(line)
		if err == nil && strings.Contains(string(text), "\x00"+strings.TrimPrefix(endpoint, "http://")+"\x00") {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(line)))
			return pid
		}
	}
	t.Fatalf("nobody was started at %s", endpoint)
	return 0
}

// TestComparedCost measures the gate beside others in turns of one run: in front of a backend that costs nothing, beside nginx
// and the backend itself; and with its embedded storage, beside versitygw, which is the same storage as a server of its own.
// LAKEGATE_BENCH=1 runs it, LAKEGATE_NGINX may name the nginx; docs/benchmarks.md has its figures.
func TestComparedCost(t *testing.T) {
	if os.Getenv("LAKEGATE_BENCH") == "" {
		t.Skip("a measurement: LAKEGATE_BENCH=1 runs it")
	}
	serve := func(config string) *process {
		return start(t, append([]string{"serve", "--management-account", tenantsAccount, "--log-level", "warn", "--config", settings(t, config)}, anyPorts(false)...)...)
	}
	backend, nobody := still(t), credentials{AccessKeyId: "AKID", SecretAccessKey: "secretsecret"}
	gate := serve("{}\n")
	gate.backend("still", backend, nobody.AccessKeyId, nobody.SecretAccessKey)
	gate.lakegate("bucket", "attach", "lake", "--dir", gate.dir, "--backend", "still")
	proxied := []contestant{
		{"the backend itself", 0, s3.NewPresignClient(storageAt(backend, nobody))},
		{"gate", gate.cmd.Process.Pid, s3.NewPresignClient(storageAt("http://"+gate.API, granted(gate, "lake")))},
	}
	if endpoint, pid := nginx(t, backend); pid != 0 {
		proxied = append(proxied, contestant{"nginx", pid, s3.NewPresignClient(storageAt(endpoint, nobody))})
	}
	var stored []contestant
	for name, config := range map[string]string{"embedded": "{}\n", "embedded, storage.sync never": "storage: {sync: never}\n"} {
		p := serve(config)
		p.as(tenantsAccount).run("s3api", "create-bucket", "--bucket", "lake")
		stored = append(stored, contestant{name, p.cmd.Process.Pid, s3.NewPresignClient(storageAt("http://"+p.API, granted(p, "lake")))})
	}
	peer := storagetest.VersityGW(t)
	root := credentials{AccessKeyId: peer.AccessKeyID, SecretAccessKey: peer.SecretAccessKey}
	versity := contestant{"versitygw", pidOf(t, peer.Endpoint), s3.NewPresignClient(storageAt(peer.Endpoint, root))}
	if _, err := storageAt(peer.Endpoint, root).CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("lake")}); err != nil {
		t.Fatal(err)
	}
	stored = append(stored, versity)

	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, WriteBufferSize: 256 << 10, ReadBufferSize: 256 << 10}}
	content := bytes.Repeat([]byte("0123456789abcdef"), 1<<22)
	for _, field := range []struct {
		name string
		all  []contestant
	}{{"before a backend", proxied}, {"as a storage", stored}} {
		for _, m := range []struct {
			method     string
			size, n, c int
		}{
			{"PUT", 4 << 10, 3200, 16}, {"PUT", 4 << 10, 800, 1}, {"GET", 4 << 10, 8000, 16}, {"GET", 4 << 10, 3000, 1}, {"HEAD", 4 << 10, 8000, 16},
			{"PUT", 1 << 20, 64, 4}, {"GET", 1 << 20, 400, 4}, {"PUT", 64 << 20, 4, 1}, {"GET", 64 << 20, 16, 1},
		} {
			t.Run(fmt.Sprintf("%s/%s/%d/%d", field.name, m.method, m.size, m.c), func(t *testing.T) {
				type best struct{ rate, cpu float64 }
				found := make([]best, len(field.all))
				for range 3 { // in turns, and the best of each
					for i, who := range field.all {
						urls := make([]string, m.c)
						for j := range urls {
							// Each client has an object of its own.
							urls[j] = presigned(t, who.sign, m.method, fmt.Sprintf("red/%d/%d", j, m.size))
						}
						ask(t, client, m.method, urls, content[:m.size], max(m.c, m.n/20))
						used := func() time.Duration {
							if who.pid == 0 {
								return 0
							}
							return ticksOf(t, who.pid)
						}
						before := used()
						took := ask(t, client, m.method, urls, content[:m.size], m.n)
						cpu := float64((used() - before).Microseconds()) / 1000 / float64(m.n)
						if rate := float64(m.n) / took.Seconds(); rate > found[i].rate {
							found[i].rate = rate
						}
						if found[i].cpu == 0 || cpu < found[i].cpu {
							found[i].cpu = cpu
						}
						if t.Failed() {
							t.Fatal(who.name)
						}
					}
				}
				for i, who := range field.all {
					t.Logf("%-4s %9d B  c=%-2d  %-30s %8.0f/s  %7.3f ms CPU each", m.method, m.size, m.c, who.name, found[i].rate, found[i].cpu)
				}
			})
		}
	}
}
