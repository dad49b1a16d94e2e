package remote_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/lakegate/lakegate/internal/storage"
	"github.com/lakegate/lakegate/internal/storage/remote"
	"github.com/lakegate/lakegate/internal/storage/storagetest"
)

func key(name string) storage.GetObjectInput {
	return storage.GetObjectInput{ObjectRef: storage.ObjectRef{Key: name}}
}

// Reads are repeated, writes are not.
func TestOnlyReadsAreRepeated(t *testing.T) {
	var n atomic.Int64
	m, s := hostile(t, "", func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1)%3 != 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		object(w, "content")
	})
	ctx := t.Context()
	if text, err := get(m, key("k")); text != "content" || err != nil || len(s.requests()) != 3 {
		t.Errorf("read: %q, %v, asked %d times", text, err, len(s.requests()))
	}
	for name, write := range map[string]func() error{
		"put": func() error {
			_, err := m.PutObject(ctx, &storage.PutObjectInput{Key: "k", Body: storagetest.Body("x")})
			return err
		},
		"delete": func() error {
			_, err := m.DeleteObject(ctx, &storage.DeleteObjectInput{ObjectRef: storage.ObjectRef{Key: "k"}})
			return err
		},
		"begin": func() error {
			_, err := m.CreateMultipartUpload(ctx, &storage.CreateMultipartUploadInput{Key: "k"})
			return err
		},
		"copy": func() error {
			_, err := m.CopyObject(ctx, &storage.CopyObjectInput{Key: "k", Source: storage.ObjectRef{Key: "j"}})
			return err
		},
		"complete": func() error {
			_, err := m.CompleteMultipartUpload(ctx, &storage.CompleteMultipartUploadInput{UploadRef: storage.UploadRef{Key: "k", UploadID: "u"}, Parts: []storage.CompletedPart{{PartNumber: 1, ETag: "x"}}})
			return err
		},
		"tag": func() error {
			_, err := m.PutObjectTagging(ctx, storage.ObjectRef{Key: "k"}, map[string]string{"a": "b"})
			return err
		},
	} {
		n.Store(0)
		before := len(s.requests())
		wantCode(t, name, write(), "SlowDown")
		if got := len(s.requests()) - before; got != 1 {
			t.Errorf("%s was sent %d times", name, got)
		}
	}
}

// A service that stalls costs its own request a bounded time, whichever way it stalls.
func TestStallsEnd(t *testing.T) {
	quick := func(c *remote.Config) { c.AnswerTimeout, c.StallTimeout = 100*time.Millisecond, 100*time.Millisecond }
	held := make(chan struct{})
	m, _ := hostile(t, "", func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodGet:
			w.Header().Set("Content-Length", "100")
			object(w, "begun")
			w.(http.Flusher).Flush()
		case http.MethodPut:
			_, _ = io.ReadFull(r.Body, make([]byte, 10))
		}
		select {
		case <-held:
		case <-r.Context().Done():
		}
	}, quick)
	t.Cleanup(func() { close(held) }) // before the service waits for its handlers
	text, err := get(m, key("k"))
	if text != "begun" || err == nil {
		t.Errorf("a content that stalls: %q, %v", text, err)
	}
	_, err = m.HeadObject(t.Context(), new(key("k")))
	wantCode(t, "no answer", err, "ServiceUnavailable")
	_, err = m.PutObject(t.Context(), &storage.PutObjectInput{Key: "k", Body: storage.Body{Reader: io.LimitReader(zeros{}, 64<<20), Size: 64 << 20}})
	wantCode(t, "nothing is taken", err, "ServiceUnavailable")
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// A client that is slow, gives up, or sends what is wrong says nothing of the service: it stays in use.
func TestClientsDoNotOpenTheBreaker(t *testing.T) {
	m, _ := hostile(t, "", func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			_, _ = io.Copy(io.Discard, r.Body)
		}
		object(w, "")
	})
	for range 20 {
		_, err := m.PutObject(t.Context(), &storage.PutObjectInput{Key: "k", Body: storage.Body{Reader: io.MultiReader(strings.NewReader("x"), iotest.ErrReader(errors.New("reset"))), Size: 10}})
		if err == nil {
			t.Fatal("a broken upload succeeded")
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = m.HeadObject(ctx, new(key("k")))
		wantCode(t, "given up", err, "RequestTimeout")
	}
	if _, err := m.HeadObject(t.Context(), new(key("k"))); err != nil {
		t.Errorf("the service is not used any more: %v", err)
	}
	if h := m.Endpoint().Health(); !h.Up {
		t.Errorf("health %+v", h)
	}
}

// A service that is down is not asked again and again, and is used again once it is up.
func TestBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dials atomic.Int64
		var up atomic.Bool
		e, err := remote.OpenDialed(remote.Config{Name: "b", Endpoint: "http://b", AccessKeyID: keyID, SecretAccessKey: secret, HealthInterval: time.Hour}, func(ctx context.Context, _, _ string) (net.Conn, error) {
			dials.Add(1)
			if !up.Load() {
				return nil, &net.OpError{Op: "dial", Err: errors.New("refused")}
			}
			here, there := net.Pipe()
			go func() {
				buffer := make([]byte, 64<<10)
				for {
					if _, err := there.Read(buffer); err != nil {
						return
					}
					_, _ = io.WriteString(there, head+"Content-Length: 0\r\n\r\n")
				}
			}()
			return here, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		m := e.Mount("red", remote.Place{Bucket: "there"})
		for range 50 {
			_, err := m.HeadObject(t.Context(), new(key("k")))
			wantCode(t, "down", err, "ServiceUnavailable")
		}
		if n := dials.Load(); n != 5 {
			t.Errorf("asked %d times, want 5", n)
		}
		if h := e.Health(); h.Up || h.Cause == "" {
			t.Errorf("health %+v", h)
		}
		time.Sleep(1100 * time.Millisecond) // of the bubble's clock
		_, err = m.HeadObject(t.Context(), new(key("k")))
		wantCode(t, "still down", err, "ServiceUnavailable")
		_, err = m.HeadObject(t.Context(), new(key("k")))
		wantCode(t, "refused again", err, "ServiceUnavailable")
		if n := dials.Load(); n != 6 {
			t.Errorf("asked %d times, want 6", n)
		}
		up.Store(true)
		time.Sleep(3 * time.Second)
		for range 3 {
			if _, err := m.HeadObject(t.Context(), new(key("k"))); err != nil {
				t.Errorf("up again: %v", err)
			}
		}
		if h := e.Health(); !h.Up || h.Cause != "" {
			t.Errorf("health %+v", h)
		}
	})
}

// One service's slow requests take its own connections and no more.
func TestConnectionsAreBounded(t *testing.T) {
	held, entered := make(chan struct{}), make(chan struct{}, 10)
	m, _ := hostile(t, "", func(w http.ResponseWriter, _ *http.Request) {
		entered <- struct{}{}
		<-held
		object(w, "")
	}, func(c *remote.Config) { c.MaxConnections = 2 })
	done := make(chan error, 2)
	for range 2 {
		go func() { _, err := m.HeadObject(t.Context(), new(key("k"))); done <- err }()
		<-entered
	}
	_, err := m.HeadObject(t.Context(), new(key("k")))
	wantCode(t, "a third request", err, "SlowDown")
	close(held)
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if _, err := m.HeadObject(t.Context(), new(key("k"))); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// What is not read of an answer gives its connection back all the same.
func TestUnreadAnswersGiveTheirConnectionBack(t *testing.T) {
	m, _ := hostile(t, "", func(w http.ResponseWriter, _ *http.Request) { object(w, strings.Repeat("x", 1<<20)) }, func(c *remote.Config) { c.MaxConnections = 1 })
	for range 10 {
		o, err := m.GetObject(t.Context(), new(key("k")))
		if err != nil {
			t.Fatal(err)
		}
		_ = o.Body.Close()
		_ = o.Body.Close()
	}
}
