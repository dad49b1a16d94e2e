package scimprobe_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/lakegate/lakegate/internal/directory"
	"github.com/lakegate/lakegate/internal/scim"
	"github.com/lakegate/lakegate/internal/scimprobe"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/store/storetest"
	"github.com/lakegate/lakegate/internal/trail"
)

const storeID = "d-0123456789"

// endpoint is a real one, over a directory of its own.
type endpoint struct {
	dir     *directory.Directory
	handler http.Handler
	token   string
}

func open(t *testing.T) *endpoint {
	t.Helper()
	ctx := t.Context()
	keys, err := store.ParseKeys(storetest.Key)
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(ctx, store.Config{URL: storetest.URL(t, "sqlite"), Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	tr, err := trail.Open(ctx, trail.Config{DB: db, Dir: t.TempDir(), Retention: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tr.Close() })
	e := &endpoint{}
	if e.dir, err = directory.Open(ctx, db); err != nil {
		t.Fatal(err)
	}
	if err := db.Update(ctx, func(tx *store.Tx) error { return e.dir.CreateStore(ctx, tx, storeID, "222222222222") }); err != nil {
		t.Fatal(err)
	}
	if _, e.token, _, err = e.dir.CreateToken(ctx, storeID, "test", 0); err != nil {
		t.Fatal(err)
	}
	e.handler = scim.New(scim.Config{Directory: e.dir, Trail: tr, WebURL: "http://127.0.0.1:9421"})
	return e
}

// probe runs against the endpoint, with something in front of it that makes it worse.
func (e *endpoint) probe(t *testing.T, cfg scimprobe.Config, in func(http.Handler) http.Handler) (scimprobe.Report, []scimprobe.Step) {
	t.Helper()
	h := e.handler
	if in != nil {
		h = in(h)
	}
	server := httptest.NewServer(h)
	defer server.Close()
	var steps []scimprobe.Step
	cfg.Endpoint, cfg.Done = server.URL+"/scim/v2/"+storeID+cfg.Endpoint, func(s scimprobe.Step) { steps = append(steps, s) }
	if cfg.Token == "" {
		cfg.Token = e.token
	}
	r, err := scimprobe.Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if r.Passed+r.Failed+r.Skipped != len(steps) {
		t.Errorf("reported %+v of %d steps", r, len(steps))
	}
	return r, steps
}

// This server is all right in every dialect, with nothing to remark, and is afterwards as it was.
func TestTheServerPasses(t *testing.T) {
	e := open(t)
	for name, cfg := range map[string]scimprobe.Config{
		"entra": {Dialect: scimprobe.Entra}, "entra with the flag": {Dialect: scimprobe.Entra, Endpoint: "/?aadOptscim062020"},
		"okta": {Dialect: scimprobe.Okta}, "generic": {Dialect: scimprobe.Generic},
	} {
		r, steps := e.probe(t, cfg, nil)
		for _, s := range steps {
			if s.Outcome != scimprobe.Pass || len(s.Notes) > 0 {
				t.Errorf("%s: %s", name, s)
			}
		}
		if r.Passed < 20 || len(r.Left) > 0 || e.dir.Users(storeID) != 0 || e.dir.Groups(storeID) != 0 {
			t.Errorf("%s: %+v; %d users and %d groups are left", name, r, e.dir.Users(storeID), e.dir.Groups(storeID))
		}
	}
	r, _ := e.probe(t, scimprobe.Config{Dialect: scimprobe.Generic, Keep: true}, nil)
	if r.Failed > 0 || len(r.Left) != 3 || e.dir.Users(storeID) != 2 || e.dir.Groups(storeID) != 1 {
		t.Errorf("kept: %+v; there are %d users and %d groups", r, e.dir.Users(storeID), e.dir.Groups(storeID))
	}
}

// What is wrong with an endpoint fails the step that providers would fail in, with the exchange, and never with the token.
func TestWhatIsWrongIsFound(t *testing.T) {
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	// when puts something else in the place of the requests that are chosen.
	when := func(chosen func(r *http.Request, body string) bool, instead http.Handler) func(http.Handler) http.Handler {
		return func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				r.Body = io.NopCloser(bytes.NewReader(body))
				if chosen(r, string(body)) {
					instead.ServeHTTP(w, r)
					return
				}
				h.ServeHTTP(w, r)
			})
		}
	}
	is := func(method, path, body string) func(*http.Request, string) bool {
		return func(r *http.Request, b string) bool {
			return r.Method == method && strings.Contains(r.URL.String(), path) && strings.Contains(b, body)
		}
	}
	text := func(code int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(code)
			_, _ = io.WriteString(w, body)
		}
	}
	for _, c := range []struct {
		name, step string
		in         func(http.Handler) http.Handler
	}{
		{"404 for nobody", "find nobody as an empty list", when(is("GET", "nobody-", ""), status(404))},
		{"a total that is a text", "connect: list people with the token", when(is("GET", "/Users?", ""), text(200, `{"totalResults":"0","Resources":[]}`))},
		{"not JSON", "connect: list people with the token", when(is("GET", "/Users?", ""), text(200, `<html>`))},
		{"a redirect", "connect: list people with the token", func(http.Handler) http.Handler { return http.RedirectHandler("/elsewhere", http.StatusFound) }},
		{"every token is good", "refuse a wrong token", when(func(r *http.Request, _ string) bool { return strings.Contains(r.Header.Get("Authorization"), "not-") }, text(200, `{"totalResults":0}`))},
		{"nobody can be made", "create a person", when(is("POST", "/Users", ""), status(500))},
		{"an id that is a path", "create a person", when(is("POST", "/Users", ""), text(201, `{"id":"../../admin"}`))},
		{"a duplicate is accepted", "refuse to create the person twice", when(is("POST", "/Users", "other"), text(201, `{"id":"x"}`))},
		{"texts for truths are refused", "disable the person", when(is("PATCH", "/Users", `"False"`), status(400))},
		{"disabling does nothing", "disable the person", when(is("PATCH", "/Users", `"False"`), status(204))},
		{"email filters do nothing", "change name, email and department", when(is("PATCH", "/Users", `emails[`), status(204))},
		{"members cannot be removed by value", "remove one member; the other stays", when(is("PATCH", "/Groups", `"Remove"`), status(400))},
		{"any filter is good", "refuse a filter that is none", when(func(r *http.Request, _ string) bool { return r.URL.Query().Get("filter") == "userName eq" }, text(200, `{"totalResults":0}`))},
		{"deletion is not done", "delete the group", when(is("DELETE", "/Groups", ""), status(204))},
	} {
		e := open(t)
		r, steps := e.probe(t, scimprobe.Config{Dialect: scimprobe.Entra}, c.in)
		found := false
		for _, s := range steps {
			shown := s.String()
			if strings.Contains(shown, e.token) || strings.Contains(shown, "Bearer") {
				t.Errorf("%s: the token is shown: %s", c.name, shown)
			}
			if s.Outcome == scimprobe.Fail && s.Name == c.step {
				found = true
				if s.Why == "" || s.Exchange == nil || !strings.Contains(shown, "> "+s.Exchange.Method) || !strings.Contains(shown, "< ") {
					t.Errorf("%s: shown as %s", c.name, shown)
				}
			}
		}
		if !found || r.Failed == 0 {
			t.Errorf("%s: the step %q did not fail: %v", c.name, c.step, steps)
		}
		if n := e.dir.Users(storeID); n != 0 {
			t.Errorf("%s: %d users are left behind", c.name, n)
		}
	}
}

// A member removed by value must not take the others along, which some servers do that look at the path alone.
func TestAnEmptiedGroupIsFound(t *testing.T) {
	e := open(t)
	in := func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			if bytes.Contains(body, []byte(`"op":"Remove","path":"members"`)) {
				body = []byte(`{"Operations":[{"op":"remove","path":"members"}]}`)
			}
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
			h.ServeHTTP(w, r)
		})
	}
	_, steps := e.probe(t, scimprobe.Config{Dialect: scimprobe.Entra}, in)
	for _, s := range steps {
		if s.Name == "remove one member; the other stays" && s.Outcome == scimprobe.Fail {
			return
		}
	}
	t.Errorf("nothing was found: %v", steps)
}

// Also after an interrupt, what was made is taken away.
func TestAnInterruptLeavesNothing(t *testing.T) {
	e := open(t)
	server := httptest.NewServer(e.handler)
	defer server.Close()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	made := 0
	r, err := scimprobe.Run(ctx, scimprobe.Config{
		Endpoint: server.URL + "/scim/v2/" + storeID, Token: e.token, Dialect: scimprobe.Generic,
		Done: func(s scimprobe.Step) {
			if s.Name == "add two members" {
				made = e.dir.Users(storeID)
				stop()
			}
		},
	})
	if err != nil || made != 2 || r.Failed == 0 || len(r.Left) > 0 || e.dir.Users(storeID) != 0 || e.dir.Groups(storeID) != 0 {
		t.Errorf("%d were made; %+v, %v; %d users are left", made, r, err, e.dir.Users(storeID))
	}
}

func TestABadTokenIsSaid(t *testing.T) {
	e := open(t)
	r, steps := e.probe(t, scimprobe.Config{Dialect: scimprobe.Okta, Token: "wrong"}, nil)
	if r.Failed != 1 || !strings.Contains(steps[0].String(), "the token is not valid") {
		t.Errorf("%+v %v", r, steps)
	}
}

func TestWhatCannotBeProbed(t *testing.T) {
	for _, cfg := range []scimprobe.Config{
		{Endpoint: "x", Token: "t", Dialect: "entra"}, {Endpoint: "ftp://x", Token: "t", Dialect: "entra"}, {Endpoint: "https://u:p@x", Token: "t", Dialect: "entra"},
		{Endpoint: "https://x", Dialect: "entra"}, {Endpoint: "https://x", Token: "t", Dialect: "klingon"}, {Endpoint: "https://x\x00", Token: "t", Dialect: "entra"},
	} {
		if _, err := scimprobe.Run(t.Context(), cfg); err == nil {
			t.Errorf("%+v was probed", cfg)
		}
	}
}

// A terminal is not at the endpoint's mercy.
func TestStepsAreSafeToPrint(t *testing.T) {
	s := scimprobe.Step{Name: "n", Outcome: scimprobe.Fail, Why: "w\x1b[2J", Exchange: &scimprobe.Exchange{Method: "GET", URL: "u", Status: 200, Reply: "a\x1b]0;x\x07\r\nb\u202e" + strings.Repeat("x", 10_000)}}
	if shown := s.String(); strings.ContainsAny(shown, "\x1b\x07\r\u202e") || len(shown) > 6000 {
		t.Errorf("shown as %q", shown)
	}
}
