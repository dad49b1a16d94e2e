package scim_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lakegate/lakegate/internal/directory"
	"github.com/lakegate/lakegate/internal/scim"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/store/storetest"
	"github.com/lakegate/lakegate/internal/trail"
)

const (
	storeID = "d-0123456789"
	other   = "d-aaaaaaaaaa"
	account = "222222222222"
)

// The names that bodies in tests are short for.
const (
	core       = `"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"]`
	patchOp    = `"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"]`
	enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
)

// house is a SCIM handler over a directory with two stores, and a token of the first.
type house struct {
	db      *store.DB
	dir     *directory.Directory
	handler http.Handler
	token   string
	clock   *atomic.Int64
	trail   *trail.Trail
	logs    string
}

func run(t *testing.T, test func(t *testing.T, h *house)) {
	t.Helper()
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) { test(t, open(t, storetest.URL(t, engine))) })
	}
}

func fresh(t testing.TB) *house {
	t.Helper()
	return open(t, storetest.URL(t, "sqlite"))
}

func open(t testing.TB, url string) *house {
	t.Helper()
	ctx := context.Background()
	keys, err := store.ParseKeys(storetest.Key)
	if err != nil {
		t.Fatal(err)
	}
	h := &house{clock: &atomic.Int64{}, logs: t.TempDir()}
	h.clock.Store(time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC).UnixNano())
	h.db, err = store.Open(ctx, store.Config{URL: url, Keys: keys, Now: func() time.Time { return time.Unix(0, h.clock.Load()).UTC() }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.db.Close() })
	tr, err := trail.Open(ctx, trail.Config{DB: h.db, Dir: h.logs, Retention: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tr.Close() })
	if h.dir, err = directory.Open(ctx, h.db); err != nil {
		t.Fatal(err)
	}
	err = h.db.Update(ctx, func(tx *store.Tx) error {
		if err := h.dir.CreateStore(ctx, tx, storeID, account); err != nil {
			return err
		}
		return h.dir.CreateStore(ctx, tx, other, "111111111111")
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, h.token, _, err = h.dir.CreateToken(ctx, storeID, "test", 0); err != nil {
		t.Fatal(err)
	}
	h.trail = tr
	h.handler = scim.New(scim.Config{Directory: h.dir, Trail: tr, WebURL: "http://127.0.0.1:9421/"})
	return h
}

// reply is what came back.
type reply struct {
	status int
	header http.Header
	body   map[string]any
	text   string
}

// do sends a request for a path below the store's base URL.
func (h *house) do(t testing.TB, method, path, body string) reply {
	t.Helper()
	return h.send(t, method, "/scim/v2/"+storeID+path, body, func(r *http.Request) {})
}

func (h *house) send(t testing.TB, method, path, body string, change func(*http.Request)) reply {
	t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+h.token)
	if body != "" {
		r.Header.Set("Content-Type", "application/scim+json")
	}
	change(r)
	w := httptest.NewRecorder()
	h.handler.ServeHTTP(w, r)
	out := reply{status: w.Code, header: w.Header(), text: w.Body.String()}
	if w.Body.Len() > 0 {
		if err := json.Unmarshal(w.Body.Bytes(), &out.body); err != nil {
			t.Fatalf("%s %s answered %q: %v", method, path, w.Body, err)
		}
	}
	return out
}

// want sends a request and fails the test when the status is another.
func (h *house) want(t testing.TB, status int, method, path, body string) reply {
	t.Helper()
	r := h.do(t, method, path, body)
	if r.status != status {
		t.Fatalf("%s %s %s: %d %s, want %d", method, path, body, r.status, r.text, status)
	}
	return r
}

func (r reply) get(path string) any {
	var v any = r.body
	for name := range strings.SplitSeq(path, "/") {
		switch x := v.(type) {
		case map[string]any:
			v = x[name]
		case []any:
			if len(x) == 0 {
				return nil
			}
			m, _ := x[0].(map[string]any)
			v = m[name]
		default:
			return nil
		}
	}
	return v
}

func (r reply) id() string {
	id, _ := r.body["id"].(string)
	return id
}

// ids are those of the resources of a list.
func (r reply) ids() (ids []string) {
	list, _ := r.body["Resources"].([]any)
	for _, x := range list {
		id, _ := x.(map[string]any)["id"].(string)
		ids = append(ids, id)
	}
	return ids
}

func (h *house) user(t testing.TB, name string, more ...string) string {
	t.Helper()
	body := `{` + core + `,"userName":"` + name + `"`
	for _, m := range more {
		body += "," + m
	}
	return h.want(t, 201, "POST", "/Users", body+"}").id()
}

func (h *house) group(t testing.TB, name string, members ...string) string {
	t.Helper()
	list := []string{}
	for _, m := range members {
		list = append(list, `{"value":"`+m+`"}`)
	}
	return h.want(t, 201, "POST", "/Groups", `{"displayName":"`+name+`","members":[`+strings.Join(list, ",")+`]}`).id()
}

func (h *house) patch(t testing.TB, path string, operations ...string) reply {
	t.Helper()
	return h.do(t, "PATCH", path, `{`+patchOp+`,"Operations":[`+strings.Join(operations, ",")+`]}`)
}

func find(what, filter string) string { return what + "?filter=" + url.QueryEscape(filter) }

// records are the lines of the audit log.
func (h *house) records(t testing.TB) (all []map[string]any, text string) {
	t.Helper()
	err := trail.ReadDir(context.Background(), h.logs, trail.Position{}, func(_ trail.Position, record []byte) error {
		text += string(record) + "\n"
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(text) {
		var r map[string]any
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all, text
}

func userNamed(name string) directory.User {
	return directory.User{StoreID: storeID, UserName: name, Enabled: true}
}
