package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3control"
	"github.com/aws/aws-sdk-go-v2/service/s3control/types"

	"github.com/lakegate/lakegate/internal/store/storetest"
)

// secondNode starts one more server on the database of a first, with its master key and its objects.
func secondNode(t *testing.T, first *process, database string, lagSeconds int) *process {
	t.Helper()
	dir := t.TempDir()
	key, err := os.ReadFile(filepath.Join(first.dir, "master.key"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "master.key"), key, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(first.dir, "storage"), filepath.Join(dir, "storage")); err != nil {
		t.Fatal(err)
	}
	config := settings(t, fmt.Sprintf("nodes: {lag_seconds: %d}\n", lagSeconds))
	p := &process{t: t, dir: dir, args: append([]string{"serve", "--config", config, "--database", database}, anyPorts(false)...)}
	p.launch()
	return p
}

// urlAt is the URL by which the holder of a session reads a key from a node.
func urlAt(t *testing.T, node *process, cfg aws.Config, key string) string {
	t.Helper()
	cfg.BaseEndpoint = aws.String("http://" + node.API)
	signed, err := s3.NewPresignClient(storage(cfg)).PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(storyLake), Key: &key}, s3.WithPresignExpires(15*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	return signed.URL
}

// answers waits until a URL is answered with the status and no longer with the one that it had.
func answers(t *testing.T, address string, was, want int) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		status, err := statusOf(http.DefaultClient, address)
		switch {
		case err == nil && status == want:
			return
		case err != nil || status != was:
			t.Fatalf("status %d, %v, want %d", status, err, want)
		case time.Now().After(deadline):
			t.Fatalf("after a minute still %d, want %d", status, want)
		}
		time.Sleep(time.Millisecond)
	}
}

// What is taken away at one node is refused by another, which the taking does not pass through; and what one gives, another takes.
func TestTwoNodes(t *testing.T) {
	database := storetest.URL(t, "postgres")
	s := newStory(t, "--database", database)
	other := secondNode(t, s.process, database, 60)
	own := s.grant(mateo, "own/*", types.PermissionRead)
	if err := put(t.Context(), storage(s.data), "own/key"); err != nil {
		t.Fatal(err)
	}
	const wang = "wang@example.com"
	red, blue := firstKey(t, storage(s.data), "red/"), firstKey(t, storage(s.data), "blue/")
	for _, c := range []struct {
		what, user, key string
		take            func(t *testing.T)
	}{
		{"the grant is deleted", mateo, "own/key", func(t *testing.T) {
			if _, err := control(s.data).DeleteAccessGrant(t.Context(), &s3control.DeleteAccessGrantInput{AccountId: aws.String(dataAccount), AccessGrantId: &own}); err != nil {
				t.Fatal(err)
			}
		}},
		{"the person is disabled", wang, blue, func(*testing.T) { s.setActive(wang, false) }},
		{"the sessions are revoked", mateo, red, func(t *testing.T) { s.revoke(t, map[string]any{"Kind": "ROLE", "Value": bearerRole}) }},
	} {
		t.Run(c.what, func(t *testing.T) {
			session := s.person(c.user)
			vended, _, err := vend(t.Context(), session, "s3://"+storyLake+"/"+c.key, types.PermissionRead)
			if err != nil {
				t.Fatal(err)
			}
			urls := []string{urlAt(t, other, session, c.key), urlAt(t, other, vended, c.key)}
			for _, address := range urls {
				// What was made a moment ago may be on its way to the other node.
				answers(t, address, http.StatusForbidden, http.StatusOK)
			}
			c.take(t)
			taken := time.Now()
			answers(t, urls[0], http.StatusOK, http.StatusForbidden)
			t.Logf("refused by the other node %s after the answer", time.Since(taken).Round(100*time.Microsecond))
			answers(t, urls[1], http.StatusOK, http.StatusForbidden)
		})
	}
}

// gateTo carries connections to the database; while it is shut, there are none.
type gateTo struct {
	address string
	mu      sync.Mutex
	shut    bool
	open    []net.Conn
}

func (g *gateTo) set(shut bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut = shut; shut {
		for _, c := range g.open {
			_ = c.Close()
		}
		g.open = nil
	}
}

func (g *gateTo) serve(l net.Listener) {
	for {
		from, err := l.Accept()
		if err != nil {
			return
		}
		to, err := net.Dial("unix", g.address)
		g.mu.Lock()
		if err != nil || g.shut {
			_ = from.Close()
			if err == nil {
				_ = to.Close()
			}
			g.mu.Unlock()
			continue
		}
		g.open = append(g.open, from, to)
		g.mu.Unlock()
		for _, way := range [][2]net.Conn{{from, to}, {to, from}} {
			go func() { _, _ = io.Copy(way[0], way[1]) }()
		}
	}
}

// A node that lost the database refuses what it was asked to serve before, says so where a load balancer looks, and takes up
// again by itself.
func TestNodeWithoutDatabaseRefuses(t *testing.T) {
	database := storetest.URL(t, "postgres")
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	gate := &gateTo{address: filepath.Join(u.Query().Get("host"), ".s.PGSQL.5432")}
	defer gate.set(true)
	go gate.serve(l)

	s := newStory(t, "--database", database)
	other := secondNode(t, s.process, "postgres://postgres@"+l.Addr().String()+u.Path+"?sslmode=disable", 3)
	red := firstKey(t, storage(s.data), "red/")
	address, ready := urlAt(t, other, s.person(mateo), red), "http://"+other.Web+"/readyz"
	answers(t, address, http.StatusForbidden, http.StatusOK)
	answers(t, ready, 0, http.StatusNoContent)

	gate.set(true)
	s.revoke(t, map[string]any{"Kind": "ROLE", "Value": bearerRole})
	answers(t, address, http.StatusOK, http.StatusServiceUnavailable)
	answers(t, ready, http.StatusNoContent, http.StatusServiceUnavailable)
	answers(t, "http://"+other.Web+"/console/", http.StatusOK, http.StatusServiceUnavailable)
	answers(t, "http://"+other.Web+"/livez", 0, http.StatusNoContent)

	logsLine(t, other, "this node refuses requests until it is up to date again")

	gate.set(false)
	answers(t, address, http.StatusServiceUnavailable, http.StatusForbidden)
	answers(t, ready, http.StatusServiceUnavailable, http.StatusNoContent)
	logsLine(t, other, "this node is up to date again")
}

// logsLine waits until a server has logged a line.
func logsLine(t *testing.T, p *process, line string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !strings.Contains(p.log.String(), line); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("after a minute the log lacks %q", line)
		}
	}
}
