package remote_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/lakegate/lakegate/internal/storage"
	"github.com/lakegate/lakegate/internal/storage/storagetest"
)

// A connection that the service closed while nobody used it is not used again, for requests that cannot be repeated
// either; one that is good is.
func TestConnectionsAreUsedAgain(t *testing.T) {
	var connections sync.Map
	m, s := hostile(t, "", func(w http.ResponseWriter, r *http.Request) {
		connections.Store(r.RemoteAddr, true)
		_, _ = io.Copy(io.Discard, r.Body)
		object(w, "content")
	})
	put := func() {
		t.Helper()
		if _, err := m.PutObject(t.Context(), &storage.PutObjectInput{Key: "k", Body: storagetest.Body("x")}); err != nil {
			t.Fatal(err)
		}
	}
	for range 5 {
		put()
		if text, err := get(m, key("k")); text != "content" || err != nil {
			t.Fatalf("%q, %v", text, err)
		}
	}
	n := 0
	connections.Range(func(any, any) bool { n++; return true })
	if n != 1 {
		t.Errorf("%d connections for requests one after the other", n)
	}
	for range 5 {
		s.CloseClientConnections()
		put()
	}
}

// What is left of an answer is never taken for the next one.
func TestAnswersAreNotMixedUp(t *testing.T) {
	m, _ := hostile(t, "", func(w http.ResponseWriter, r *http.Request) {
		object(w, strings.Repeat(r.URL.Path[len(r.URL.Path)-1:], 100<<10))
	})
	for i := range 30 {
		name := string(rune('a' + i%26))
		ctx, cancel := context.WithCancel(t.Context())
		o, err := m.GetObject(ctx, &storage.GetObjectInput{ObjectRef: storage.ObjectRef{Key: name}})
		if err != nil {
			t.Fatal(err)
		}
		switch i % 3 {
		case 0:
			_, _ = io.ReadFull(o.Body, make([]byte, 10)) // given up in the middle
		case 1:
			cancel()
		case 2:
			text, err := io.ReadAll(o.Body)
			if err != nil || string(text) != strings.Repeat(name, 100<<10) {
				t.Errorf("%d bytes of %s, %v", len(text), name, err)
			}
		}
		_ = o.Body.Close()
		cancel()
	}
}

// Copied to a socket, a content arrives whole, whatever of it was in a buffer before; and one that breaks off is an error.
func TestContentsAreSpliced(t *testing.T) {
	content := bytes.Repeat([]byte("0123456789abcdef"), 200<<10) // 3.2 MB
	var short atomic.Bool
	m, _ := hostile(t, "", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "3276800")
		if short.Load() {
			object(w, string(content[:1<<20]))
			panic(http.ErrAbortHandler)
		}
		object(w, string(content))
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	for _, broken := range []bool{false, true} {
		short.Store(broken)
		received := make(chan []byte, 1)
		go func() {
			c, err := l.Accept()
			if err != nil {
				received <- nil
				return
			}
			text, _ := io.ReadAll(c)
			received <- text
		}()
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		o, err := m.GetObject(t.Context(), new(key("k")))
		if err != nil {
			t.Fatal(err)
		}
		if _, err = io.ReadFull(o.Body, make([]byte, 100)); err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(c, o.Body)
		_ = c.Close()
		_ = o.Body.Close()
		text := <-received
		if broken {
			if err == nil {
				t.Errorf("a content that broke off was copied without an error: %d bytes", n)
			}
			continue
		}
		if err != nil || !bytes.Equal(text, content[100:]) {
			t.Errorf("%d bytes were copied, %d arrived, %v", n, len(text), err)
		}
	}
}
