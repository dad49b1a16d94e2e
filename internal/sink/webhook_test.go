package sink

import (
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
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

// TestWhatIsTooLarge is delivered in halves; one record that alone is too large is set aside, and those behind it come.
func TestWhatIsTooLarge(t *testing.T) {
	b, s := newBench(t), newSIEM(t)
	s.refusing(func(w http.ResponseWriter, r *http.Request, n int) bool {
		refused := n > 3 || r.ContentLength > 5000
		if refused {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
		}
		return refused
	})
	b.add(numbers(1, 7)...)
	large := bytes.Replace(record(8), []byte(`"fill":"`), append([]byte(`"fill":"`), bytes.Repeat([]byte("x"), 6000)...), 1)
	if err := b.audit.Append(true, large); err != nil {
		t.Fatal(err)
	}
	b.add(numbers(9, 13)...)
	b.begin(Config{Name: "siem", Webhook: &Webhook{HTTP: HTTP{URL: s.URL}}})
	s.wait(t, "13")
	b.settle()
	if got, want := s.all(), append(texts(numbers(1, 7)), texts(numbers(9, 13))...); !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
	aside := filepath.Join(b.cfg.Dir, asideFolder, "siem.jsonl")
	if text, err := os.ReadFile(aside); err != nil || string(text) != string(large)+"\n" {
		t.Errorf("set aside %.100q, %v", text, err)
	}
	if c := b.sinks.Counts(); len(c) != 1 || c[0] != (Count{Sink: "siem", SetAside: 1}) {
		t.Errorf("counted %v", c)
	}
	if said := b.said.String(); !strings.Contains(said, "set aside") || strings.Contains(said, "xxxxx") {
		t.Errorf("said %.1000s", said)
	}
	// What a crash left of a line is cut off, and what cannot be set aside is not passed over.
	if err := os.WriteFile(aside, []byte(`{"eventVers`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := b.sinks.all[0].setAside(lines(1)[0]); err != nil {
		t.Error(err)
	}
	if got := contents(t, aside); !slices.Equal(got, []string{"1"}) {
		t.Errorf("got %v", got)
	}
	if err := errors.Join(os.Remove(aside), os.Mkdir(aside, 0o700)); err != nil {
		t.Fatal(err)
	}
	if err := b.sinks.all[0].setAside(lines(1)[0]); err == nil {
		t.Error("it was set aside into a folder")
	}
}

// TestAnswersThatEcho: a receiver that repeats what it was sent brings no secret into the server's log.
func TestAnswersThatEcho(t *testing.T) {
	b := newBench(t)
	b.refer["env:SECRET"], b.refer["env:TOKEN"], b.refer["env:BASIC"], b.refer["env:SHORT"] = secret, "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJtZSJ9.c2ln", "Basic dXNlcjpodW50ZXIy", "pa55"
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		_ = r.Header.Write(w)
		user, password, _ := r.BasicAuth()
		_, _ = fmt.Fprintf(w, "not allowed: user=%s password=%s secret=%s query=%s other=AKIAIOSFODNN7EXAMPLE12", user, password, secret, r.URL.RawQuery)
	}))
	t.Cleanup(s.Close)
	for _, name := range []string{"env:TOKEN", "env:BASIC"} {
		w, err := newWebhook(&Webhook{Secret: "env:SECRET", HTTP: HTTP{URL: s.URL + "/in?key=q-secret", Headers: map[string]string{"Authorization": name, "X-Key": "env:SHORT"}}}, b.env())
		if err != nil {
			t.Fatal(err)
		}
		err = w.Deliver(t.Context(), lines(1))
		if err == nil || !strings.Contains(err.Error(), "403 Forbidden") {
			t.Fatal(err)
		}
		for _, all := range []string{err.Error(), masked([]byte(fmt.Sprintf("user hunter2 %s q-secret pa55 dXNlcjpodW50ZXIy", secret)), w.secrets)} {
			for _, word := range []string{"eyJ", "dXNlc", "hunter2", secret, "pa55", "q-secret", "AKIA"} {
				if word != "hunter2" && word != "dXNlc" || name == "env:BASIC" {
					if strings.Contains(all, word) {
						t.Errorf("%s tells %q", all, word)
					}
				}
			}
		}
	}
	if got := masked([]byte("field eventTime is missing"), nil); got != "field eventTime is missing" {
		t.Errorf("nothing is left of %q", got)
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
		if got := got.all(); len(got) != 3 || got[0] != "1" || got[1] != idOf(t, trail.DamagedRecord(all[1], "", start)) || got[2] != "3" {
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
