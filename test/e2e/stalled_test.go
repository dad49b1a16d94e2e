package e2e

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// stalling is a backend whose objects under "stall/" begin and never end, those under "never/" never begin, and all others
// are there at once. open is how many of the former are held.
func stalling(t testing.TB) (endpoint string, open *atomic.Int64) {
	t.Helper()
	open = new(atomic.Int64)
	over := make(chan struct{})
	endpoint = serving(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("ETag", `"00000000000000000000000000000000"`)
		h.Set("Last-Modified", "Mon, 23 Nov 2026 08:00:00 GMT")
		stalls, never := strings.Contains(r.URL.Path, "/stall/"), strings.Contains(r.URL.Path, "/never/")
		if !stalls && !never {
			_, _ = io.Copy(io.Discard, r.Body)
			h.Set("Content-Length", "5")
			if r.Method == http.MethodGet {
				_, _ = io.WriteString(w, "small")
			}
			return
		}
		open.Add(1)
		defer open.Add(-1)
		if stalls {
			h.Set("Content-Length", "67108864")
			_, _ = io.WriteString(w, "begun")
			w.(http.Flusher).Flush() //nolint:forcetypeassert // net/http's are
		}
		select {
		case <-r.Context().Done():
		case <-over:
		}
	}))
	t.Cleanup(func() { close(over) })
	return endpoint, open
}

// until waits for something that has to come to be.
func until(t testing.TB, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it does not come to be that %s", what)
		}
	}
}

// TestStalledBackendsStarveNobody has one principal wait for a backend that stalls, while another one's requests go on, to
// the same backend too; and has the clients go away, which ends what was asked for them.
func TestStalledBackendsStarveNobody(t *testing.T) {
	gate, users := tenants(t, "limits: {requests: 64}\n", "alice", "bob")
	alice, bob := users[0], users[1]
	gate.as(tenantsAccount).run("s3api", "create-bucket", "--bucket", "here")
	endpoint, open := stalling(t)
	gate.backend("slow", endpoint, "AKID", "secretsecret", "--max-connections", "8")
	gate.lakegate("bucket", "attach", "there", "--dir", gate.dir, "--backend", "slow")
	small := func(what string) {
		t.Helper()
		for range 20 {
			if got, err := bob.get("there", "small"); err != nil || string(got) != "small" {
				t.Fatalf("%s: somebody else is not served by the same backend: %q, %v", what, got, err)
			}
		}
		bob.goesOn(what, "here")
	}
	for _, how := range []string{"stall", "never"} {
		t.Run(how, func(t *testing.T) {
			var waiting []*wire
			for i := range 20 { // of 8 connections
				w := dial(t, gate.API)
				w.say(alice.head(http.MethodGet, "there", fmt.Sprintf("%s/%d", how, i), -1))
				waiting = append(waiting, w)
			}
			until(t, "half of the connections are taken", func() bool { return open.Load() == 4 })
			small("a backend that stalls")
			if n := open.Load(); n != 4 {
				t.Errorf("%d requests are held at the backend, want 4 still", n)
			}
			for _, w := range waiting {
				_ = w.Close()
			}
			until(t, "requests end whose clients are gone", func() bool { return open.Load() == 0 })
			small("afterwards")
		})
	}
}
