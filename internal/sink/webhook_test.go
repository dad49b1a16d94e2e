package sink

import (
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lakegate/lakegate/internal/hook"
	"github.com/lakegate/lakegate/internal/trail"
)

const secret = "a secret of sixteen"

// siem is a web service that takes records; refuse, which may be nil, answers in place of taking them.
type siem struct {
	inbox
	*httptest.Server
	deliveries inbox // the ids of deliveries
	refuse     atomic.Pointer[func(w http.ResponseWriter, r *http.Request, n int) bool]
}

func newSIEM(t *testing.T) *siem {
	s := &siem{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := unpacked(t, r)
		if sign := r.Header.Get(hook.SignatureHeader); sign != "" {
			stamp, _, _ := strings.Cut(strings.TrimPrefix(sign, "t="), ",")
			at, err := strconv.ParseInt(stamp, 10, 64)
			if err != nil || sign != hook.Sign(secret, time.Unix(at, 0), body) {
				t.Errorf("signature %s is not that of the body", sign)
			}
		}
		var ids []string
		switch r.Header.Get("Content-Type") {
		case "application/json":
			var all struct{ Records []json.RawMessage }
			if err := json.Unmarshal(body, &all); err != nil {
				t.Errorf("%.200q: %v", body, err)
			}
			for _, record := range all.Records {
				ids = append(ids, idOf(t, record))
			}
		case "application/x-ndjson":
			for line := range bytes.Lines(body) {
				ids = append(ids, idOf(t, line))
			}
		default:
			t.Errorf("content type %q", r.Header.Get("Content-Type"))
		}
		s.deliveries.put(r.Header.Get(hook.DeliveryHeader))
		if refuse := s.refuse.Load(); refuse != nil && (*refuse)(w, r, len(ids)) {
			return
		}
		s.put(ids...)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *siem) refusing(f func(w http.ResponseWriter, r *http.Request, n int) bool) {
	s.refuse.Store(&f)
}

func unpacked(t testing.TB, r *http.Request) []byte {
	var from io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			t.Error(err)
			return nil
		}
		from = z
	}
	body, err := io.ReadAll(from)
	if err != nil {
		t.Error(err)
	}
	return body
}

// TestWebhookFollowsTheLog in each form: signed, packed, with a header, over an outage and a restart.
func TestWebhookFollowsTheLog(t *testing.T) {
	for name, c := range map[string]Webhook{
		"records": {},
		"lines":   {Format: formatLines},
		"packed":  {HTTP: HTTP{Compress: true}},
	} {
		t.Run(name, func(t *testing.T) {
			b, s := newBench(t), newSIEM(t)
			b.refer["env:SECRET"], b.refer["file:token"] = secret, "Bearer a-token"
			down := true
			s.refusing(func(w http.ResponseWriter, r *http.Request, _ int) bool {
				if r.Header.Get("Authorization") != "Bearer a-token" || r.Header.Get(hook.SignatureHeader) == "" {
					t.Errorf("headers %v", r.Header)
				}
				if down {
					w.WriteHeader(http.StatusBadGateway)
					down = false
					return true
				}
				return false
			})
			c.URL, c.Secret, c.Headers = s.URL, "env:SECRET", map[string]string{"authorization": "file:token"}
			b.add(numbers(1, 20)...)
			b.begin(Config{Name: "siem", Records: 8, Webhook: &c})
			s.wait(t, "20")
			b.settle()
			b.end()
			b.openLog()
			b.add(21)
			b.begin(Config{Name: "siem", Records: 8, Webhook: &c})
			s.wait(t, "21")
			if got := s.all(); !slices.Equal(got, texts(numbers(1, 21))) {
				t.Errorf("got %v", got)
			}
			if d := s.deliveries.all(); d[0] == "" || d[0] != d[1] || d[1] == d[2] {
				t.Errorf("a delivery that came again has another id, or two have one: %v", d)
			}
		})
	}
}

func newHook(t *testing.T, url string) *webhook {
	t.Helper()
	w, err := newWebhook(&Webhook{HTTP: HTTP{URL: url, TimeoutSeconds: 5}}, Env{Now: func() time.Time { return start }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	return w
}

// TestWebhookHalvesWhatIsTooLarge until the server takes it; one record alone that is too large is not passed over.
func TestWebhookHalvesWhatIsTooLarge(t *testing.T) {
	s := newSIEM(t)
	s.refusing(func(w http.ResponseWriter, _ *http.Request, n int) bool {
		if n > 3 {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
		}
		return n > 3
	})
	w := newHook(t, s.URL)
	deliver(t, w, numbers(1, 13)...)
	if got := s.all(); !slices.Equal(got, texts(numbers(1, 13))) {
		t.Errorf("got %v", got)
	}
	s.refusing(func(w http.ResponseWriter, _ *http.Request, _ int) bool {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return true
	})
	if err := w.Deliver(t.Context(), lines(14, 15)); err == nil {
		t.Error("records were dropped")
	}
}

// TestWebhookRefused: what is not taken is an error, whatever the server does, and no answer leads anywhere else.
func TestWebhookRefused(t *testing.T) {
	elsewhere := newSIEM(t)
	for name, c := range map[string]struct {
		answer func(w http.ResponseWriter, r *http.Request)
		want   string
		after  time.Duration
	}{
		"refused": {func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "no\x1b[31m such token", http.StatusForbidden)
		}, `403 Forbidden: "no\x1b[31m such token\n"`, 0},
		"redirected": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		}, "307", 0},
		"cut off":          {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "EOF", 0},
		"busy for a while": {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Retry-After", "7"); w.WriteHeader(429) }, "429", 7 * time.Second},
		"busy until a time": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", start.Add(9*time.Second).Format(http.TimeFormat))
			w.WriteHeader(503)
		}, "503", 9 * time.Second},
		"busy since a time": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", start.Add(-time.Hour).Format(http.TimeFormat))
			w.WriteHeader(503)
		}, "503", 0},
		"an endless answer": {func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(500)
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		}, "500", 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(c.answer))
			t.Cleanup(s.Close)
			err := newHook(t, s.URL+"/in?token=hidden").Deliver(t.Context(), lines(1))
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hidden") {
				t.Errorf("%v, want %q", err, c.want)
			}
			var after time.Duration
			if later, ok := errors.AsType[*trail.RetryLater](err); ok {
				after = later.After
			}
			if after != c.after {
				t.Errorf("come back after %s, want %s", after, c.after)
			}
		})
	}
	if got := elsewhere.all(); len(got) > 0 {
		t.Errorf("another server got %v", got)
	}
}

// TestWebhookOverTLS goes to a server whose certificate is trusted, and shows one of its own.
func TestWebhookOverTLS(t *testing.T) {
	var shown atomic.Int32
	var got inbox
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		shown.Store(int32(len(r.TLS.PeerCertificates)))
		got.put("delivered")
	}))
	s.TLS = &tls.Config{ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS12}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	dir := t.TempDir()
	ca, key := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "key.pem")
	raw, err := x509.MarshalPKCS8PrivateKey(s.TLS.Certificates[0].PrivateKey)
	if err := errors.Join(err,
		os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600),
		os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}), 0o600)); err != nil {
		t.Fatal(err)
	}
	if err := newHook(t, s.URL).Deliver(t.Context(), lines(1)); err == nil || len(got.all()) > 0 {
		t.Errorf("delivered to a server that nobody vouches for: %v", err)
	}
	w, err := newWebhook(&Webhook{HTTP: HTTP{URL: s.URL, CAFile: ca, ClientCertificateFile: ca, ClientKeyFile: key}}, Env{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	deliver(t, w, 1)
	if len(got.all()) != 1 || shown.Load() != 1 {
		t.Errorf("%d deliveries, %d certificates shown", len(got.all()), shown.Load())
	}
}

// TestWebhookOfAnAlteredLog: a line that is no JSON does not keep the others from the server, nor is it silent.
func TestWebhookOfAnAlteredLog(t *testing.T) {
	for _, asLines := range []bool{false, true} {
		var got inbox
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body := unpacked(t, r)
			all := bytes.Split(bytes.TrimSpace(body), []byte("\n"))
			if !asLines {
				var records struct{ Records []json.RawMessage }
				if json.Unmarshal(body, &records) != nil {
					w.WriteHeader(http.StatusBadRequest)
					return
				}
				all = nil
				for _, one := range records.Records {
					all = append(all, one)
				}
			}
			for _, one := range all {
				if !json.Valid(one) {
					w.WriteHeader(http.StatusUnprocessableEntity)
					return
				}
			}
			for _, one := range all {
				got.put(idOf(t, one))
			}
		}))
		t.Cleanup(s.Close)
		w := newHook(t, s.URL)
		w.lines = asLines
		all := lines(1, 2, 3)
		all[1].Record = []byte(`{"eventVersion":"1.11","eventID":"2",`)
		if err := w.Deliver(t.Context(), all); err != nil {
			t.Fatal(err)
		}
		if got := got.all(); len(got) != 3 || got[0] != "1" || got[1] != idOf(t, damaged(all[1], "", start)) || got[2] != "3" {
			t.Errorf("got %v", got)
		}
	}
}

// TestStopWhileAReceiverHangs: the end of the server does not wait for a receiver that says nothing, and what it may have
// taken comes again.
func TestStopWhileAReceiverHangs(t *testing.T) {
	b, s := newBench(t), newSIEM(t)
	asked, over := make(chan struct{}, 1), make(chan struct{})
	s.refusing(func(_ http.ResponseWriter, r *http.Request, _ int) bool {
		asked <- struct{}{}
		select {
		case <-r.Context().Done():
		case <-over:
		}
		return true
	})
	t.Cleanup(func() { close(over) })
	c := Config{Name: "siem", Webhook: &Webhook{HTTP: HTTP{URL: s.URL, TimeoutSeconds: 600}}}
	b.add(1, 2)
	b.begin(c)
	<-asked
	b.end()
	b.openLog()
	s.refuse.Store(nil)
	b.begin(c)
	s.wait(t, "2")
	if got := s.all(); !slices.Equal(got, []string{"1", "2"}) {
		t.Errorf("got %v", got)
	}
}
