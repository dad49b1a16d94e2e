package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// small is a server with few places, which are soon taken.
const smallServer = "limits: {requests: 16, connections: 128, transfer_seconds: 3}\n"

// drip writes a byte now and then until the server has enough of it, and returns its answer.
func (w *wire) drip() (status int, code string) {
	over := make(chan struct{})
	go func() {
		for w.say("x") {
			select {
			case <-over:
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()
	defer close(over)
	return w.answer()
}

// TestSlowClientsStarveNobody has one client take all the time that there is, in each way that there is, while another one's
// small requests go on.
func TestSlowClientsStarveNobody(t *testing.T) {
	gate, users := tenants(t, smallServer, "alice", "bob")
	alice, bob := users[0], users[1]
	gate.as(tenantsAccount).run("s3api", "create-bucket", "--bucket", "lake")
	large := bytes.Repeat([]byte("0123456789abcdef"), 4<<20) // 64 MiB, more than any socket holds
	alice.put("lake", "large", large)
	bob.goesOn("before", "lake")

	t.Run("heads", func(t *testing.T) {
		for range 200 { // of 128 connections
			dial(t, gate.API).say("GET /lake/small HTTP/1.1\r\nHost: " + gate.API + "\r\nX-")
		}
		for range 5 {
			bob.s3.Options().HTTPClient.(*http.Client).CloseIdleConnections() //nolint:forcetypeassert // tenants made it
			bob.goesOn("200 heads that do not end", "lake")
		}
	})

	// many begins n requests and tells how each ends.
	many := func(t *testing.T, n int, head func(i int) string) (ends func() map[string]int) {
		t.Helper()
		var all sync.WaitGroup
		var mu sync.Mutex
		how := map[string]int{}
		for i := range n {
			w := dial(t, gate.API)
			w.say(head(i))
			all.Go(func() {
				status, code := w.drip()
				mu.Lock()
				defer mu.Unlock()
				how[fmt.Sprint(status, " ", code)]++
			})
		}
		return func() map[string]int { all.Wait(); return how }
	}
	t.Run("uploads", func(t *testing.T) {
		ends := many(t, 40, func(i int) string { return alice.head(http.MethodPut, "lake", fmt.Sprint("slow", i), 64<<20) })
		bob.goesOn("40 uploads of a byte now and then", "lake")
		how := ends()
		if how["503 SlowDown"] < 24 || how["400 RequestTimeout"] == 0 || how["503 SlowDown"]+how["400 RequestTimeout"] != 40 {
			t.Errorf("the uploads ended as %v", how)
		}
		for i := range 40 {
			alice.absent("a slow upload", "lake", fmt.Sprint("slow", i))
		}
		alice.goesOn("afterwards", "lake")
	})
	t.Run("refused uploads", func(t *testing.T) {
		// Each begins when the refusal of the one before is in the log, which is when its place becomes free: all in one moment, they
		// would take every place there is before the first is refused. Refused, they go on, and are more than there are places.
		ends := many(t, 40, func(i int) string {
			for deadline := time.Now().Add(time.Minute); gate.recorded(`"AccessDenied"`) < i; time.Sleep(time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("%d of %d uploads are refused", gate.recorded(`"AccessDenied"`), i)
				}
			}
			return "PUT /lake/x HTTP/1.1\r\nHost: " + gate.API + "\r\nContent-Length: 67108864\r\n\r\n"
		})
		bob.goesOn("40 refused uploads that go on", "lake")
		if how := ends(); how["403 AccessDenied"] != 40 {
			t.Errorf("the uploads ended as %v", how)
		}
	})
	t.Run("documents", func(t *testing.T) {
		ends := many(t, 40, func(int) string {
			return "POST / HTTP/1.1\r\nHost: " + gate.API + "\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100000\r\n\r\nAction="
		})
		bob.goesOn("40 documents of nobody", "lake")
		if how := ends(); how["405 MethodNotAllowed"] > 4 {
			t.Errorf("the documents ended as %v, want a quarter of 16 to be waited for at most", how)
		}
	})
	t.Run("forms", func(t *testing.T) {
		ends := many(t, 40, func(int) string {
			return "POST /lake HTTP/1.1\r\nHost: " + gate.API + "\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 100000\r\n\r\n--b\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\n"
		})
		bob.goesOn("40 forms of nobody", "lake")
		if how := ends(); how["400 MalformedPOSTRequest"] > 4 {
			t.Errorf("the forms ended as %v, want a quarter of 16 to be waited for at most", how)
		}
	})
	t.Run("downloads", func(t *testing.T) {
		var readers []*wire
		served := 0
		for range 40 {
			w := dial(t, gate.API)
			w.say(alice.head(http.MethodGet, "lake", "large", -1))
			line, err := w.r.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(line, "200") {
				served++
				readers = append(readers, w)
			}
		}
		if served < 4 || served > 8 {
			t.Errorf("%d downloads at once are served, want up to half of 16", served)
		}
		bob.goesOn("downloads that nobody reads", "lake")
		// Nobody waits for the readers for ever: their places are free again, although they are still there.
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
			w := dial(t, gate.API)
			w.say(alice.head(http.MethodGet, "lake", "small", -1))
			if status, _ := w.answer(); status == http.StatusOK {
				break
			}
			if time.Now().After(deadline) {
				t.Fatal("the places of readers who stopped are not given back")
			}
		}
		for _, w := range readers {
			if n, _ := io.Copy(io.Discard, w.r); n >= int64(len(large)) {
				t.Error("a reader who stopped has it all")
			}
		}
	})
	t.Run("slowly, but on", func(t *testing.T) {
		w := dial(t, gate.API)
		_ = w.SetReadBuffer(64 << 10)
		w.say(alice.head(http.MethodGet, "lake", "large", -1))
		res, err := http.ReadResponse(w.r, nil)
		if err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(large))
		for n := 0; n < len(got); n += 4 << 20 { // longer than the time for a piece in all
			if _, err := io.ReadFull(res.Body, got[n:n+4<<20]); err != nil {
				t.Fatalf("after %d bytes: %v", n, err)
			}
			time.Sleep(300 * time.Millisecond)
		}
		if !bytes.Equal(got, large) {
			t.Error("what came is not what was written")
		}
		up := dial(t, gate.API)
		up.say(alice.head(http.MethodPut, "lake", "steady", 1<<20))
		for i := range 16 {
			if !up.say(string(large[i<<16 : (i+1)<<16])) {
				break
			}
			time.Sleep(300 * time.Millisecond)
		}
		if status, code := up.answer(); status != http.StatusOK {
			t.Errorf("an upload that is slow and goes on: %d %s", status, code)
		}
	})
}

// recorded counts a text in the audit log.
func (p *process) recorded(text string) (n int) {
	p.t.Helper()
	segments, err := filepath.Glob(filepath.Join(p.dir, "audit", "*.jsonl"))
	if err != nil || len(segments) == 0 {
		p.t.Fatalf("segments of the log: %v, %v", segments, err)
	}
	for _, name := range segments {
		lines, err := os.ReadFile(name)
		if err != nil {
			p.t.Fatal(err)
		}
		n += bytes.Count(lines, []byte(text))
	}
	return n
}
