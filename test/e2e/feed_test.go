package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
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
	for _, c := range s.takings() {
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

// A node that lost the database refuses what it was asked to serve before, says so where a load balancer looks, and takes up
// again by itself.
func TestNodeWithoutDatabaseRefuses(t *testing.T) {
	database := storetest.URL(t, "postgres")
	way, line := storetest.ByLine(t, database)
	s := newStory(t, "--database", database)
	other := secondNode(t, s.process, way, 3)
	red := firstKey(t, storage(s.data), "red/")
	address, ready := urlAt(t, other, s.person(mateo), red), "http://"+other.Web+"/readyz"
	answers(t, address, http.StatusForbidden, http.StatusOK)
	answers(t, ready, 0, http.StatusNoContent)

	line.Hang(true)
	s.revoke(t, map[string]any{"Kind": "ROLE", "Value": bearerRole})
	answers(t, address, http.StatusOK, http.StatusServiceUnavailable)
	answers(t, ready, http.StatusNoContent, http.StatusServiceUnavailable)
	answers(t, "http://"+other.Web+"/console/", http.StatusOK, http.StatusServiceUnavailable)
	answers(t, "http://"+other.Web+"/livez", 0, http.StatusNoContent)

	logsLine(t, other, "this node refuses requests until it is up to date again")

	line.Hang(false)
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
