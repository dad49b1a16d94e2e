package server

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lakegate/lakegate/internal/gateway"
)

// countedListener counts what is written to its connections, each time.
type countedListener struct {
	net.Listener
	writes atomic.Int64
	full   atomic.Bool // nothing more can be written
}

type countedConn struct {
	net.Conn
	of *countedListener
}

func (l *countedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return countedConn{c, l}, err
}

func (c countedConn) Write(p []byte) (int, error) {
	if c.of.full.Load() {
		return 0, os.ErrDeadlineExceeded
	}
	c.of.writes.Add(1)
	return c.Conn.Write(p)
}

// TestAnswersAreGathered: a small answer goes out with its head in one piece, and whatever its handler does, an answer is
// what the handler wrote and the next one on the connection is whole.
func TestAnswersAreGathered(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	counted := &countedListener{Listener: l}
	answer := func(w http.ResponseWriter, r *http.Request, _ gateway.Claim) {
		n, _ := strconv.Atoi(r.URL.Query().Get("n"))
		body := bytes.Repeat([]byte("x"), n)
		if r.URL.Path != "/unannounced" {
			w.Header().Set("Content-Length", strconv.Itoa(n))
		}
		w.WriteHeader(http.StatusOK)
		switch r.URL.Path {
		case "/pieces":
			for p := range slices.Chunk(body, 100) {
				_, _ = w.Write(p)
			}
		case "/moved":
			_, _ = io.Copy(w, io.LimitReader(bytes.NewReader(body), int64(n)))
		case "/part":
			_, _ = w.Write(body[:n/2])
			panic(http.ErrAbortHandler)
		case "/panics":
			_, _ = w.Write(body)
			panic("after the answer")
		default:
			_, _ = w.Write(body)
		}
	}
	door := &apiDoor{s3: answer}
	server := &http.Server{ConnContext: withConn, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if p := recover(); p == http.ErrAbortHandler { //nolint:errorlint // the very value that net/http knows
				panic(p)
			}
		}()
		door.store(&statusWriter{ResponseWriter: w, patience: time.Minute}, r, gateway.Claim{})
	})}
	go func() { _ = server.Serve(gatheringListener{counted}) }()
	t.Cleanup(func() { _ = server.Close() })

	for _, c := range []struct {
		name, method, path string
		size               int
		writes             int64 // 0: as many as it takes
		broken             bool
	}{
		{"an object of 4 KiB", "GET", "/", 4096, 1, false},
		{"nothing", "GET", "/", 0, 1, false},
		{"one byte", "GET", "/", 1, 1, false},
		{"what just fits", "GET", "/", mostGathered - 1000, 1, false},
		{"head and content more than fits", "GET", "/", mostGathered - 1, 0, false},
		{"a large one", "GET", "/", 1 << 20, 0, false},
		{"in pieces", "GET", "/pieces", 20_000, 1, false},
		{"moved by the kernel or not", "GET", "/moved", 4096, 0, false},
		{"of a length that was not announced", "GET", "/unannounced", 20_000, 0, false},
		{"a head alone", "HEAD", "/", 4096, 1, false},
		{"a part", "GET", "/part", 4096, 0, true},
		{"a handler that panics with all of it written", "GET", "/panics", 4096, 1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			for range 3 {
				before := counted.writes.Load()
				r, err := http.NewRequestWithContext(t.Context(), c.method, "http://"+l.Addr().String()+c.path+"?n="+strconv.Itoa(c.size), strings.NewReader(""))
				if err != nil {
					t.Fatal(err)
				}
				res, err := http.DefaultClient.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(res.Body)
				_ = res.Body.Close()
				if c.broken {
					if err == nil {
						t.Fatalf("half an object was taken for a whole one")
					}
					continue
				}
				want := c.size
				if c.method == http.MethodHead {
					want = 0
				}
				if err != nil || len(body) != want || res.ContentLength >= 0 && int(res.ContentLength) != c.size {
					t.Fatalf("%d bytes of %d, announced %d: %v", len(body), c.size, res.ContentLength, err)
				}
				if n := counted.writes.Load() - before; c.writes > 0 && n != c.writes {
					t.Errorf("written in %d pieces", n)
				}
			}
		})
	}

	t.Run("a client that takes nothing any more", func(t *testing.T) {
		counted.full.Store(true)
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		if _, err := io.WriteString(c, "GET /?n=4096 HTTP/1.1\r\nHost: here\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(c); err != nil || len(got) > 0 {
			t.Errorf("%d bytes, %v: the connection was not closed", len(got), err)
		}
	})
}
