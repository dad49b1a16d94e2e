package console_test

import (
	"context"
	"encoding/json"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/lakegate/lakegate/internal/account"
	"github.com/lakegate/lakegate/internal/api/lakegate"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/center"
	"github.com/lakegate/lakegate/internal/console"
	"github.com/lakegate/lakegate/internal/grants"
	"github.com/lakegate/lakegate/internal/store/storetest"
	"github.com/lakegate/lakegate/internal/trail"
	"github.com/lakegate/lakegate/internal/wire"
)

const (
	webURL = "https://web.example.com"
	lake   = "111111111111"
	set    = "arn:aws:sso:::permissionSet/ssoins-1/ps-1"
	hour   = time.Hour
)

// asked is an operation that the console called.
type asked struct {
	operation string
	who       *caller.Caller
	in        any
}

// house is a console whose operations note who called them, and answer as a test says.
type house struct {
	*console.Console
	t     *testing.T
	trail *trail.Trail

	mu    sync.Mutex
	now   time.Time
	asked []asked
	// answers are what operations answer; without one it is an empty output.
	answers map[string]any
	// out are the people who are disabled, roleless those whose assignment was taken away.
	out, roleless map[string]bool
	names         map[string]string
}

func open(t *testing.T) *house {
	t.Helper()
	return openAt(t, webURL)
}

// openAt opens a house whose web door has a URL.
func openAt(t *testing.T, webURL string) *house {
	t.Helper()
	h := &house{t: t, now: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC), answers: map[string]any{}, out: map[string]bool{}, roleless: map[string]bool{}, names: map[string]string{}}
	db := storetest.New(t)
	log := slog.New(slog.DiscardHandler)
	var err error
	if h.trail, err = trail.Open(t.Context(), trail.Config{DB: db, Dir: filepath.Join(t.TempDir(), "audit"), Log: log}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.trail.Close() })
	h.Console, err = console.New(console.Config{
		Operations: h, SignIn: h, Portal: h, Lakes: h, Accounts: h, Names: h, Sealer: db, Trail: h.trail, WebURL: webURL, SignOut: "/sign-out", Now: func() time.Time { return h.now },
		Origin: func(*http.Request) *caller.Request {
			return &caller.Request{ID: uuid.NewString(), SourceIP: "192.0.2.7", Region: "us-east-1", Time: h.now}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// Do implements console.Operations.
func (h *house) Do(_ context.Context, who *caller.Caller, service *wire.ServiceModel, operation string, in any) (any, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked = append(h.asked, asked{operation, who, in})
	switch a := h.answers[operation].(type) {
	case *wire.Error:
		return nil, &console.Failure{Reference: "the-reference", Err: a}
	case nil:
		return empty(operation), nil
	default:
		return a, nil
	}
}

func empty(operation string) any {
	switch operation {
	case "WhatCan":
		return &lakegate.WhatCanOutput{}
	case "QueryEvents":
		return &lakegate.QueryEventsOutput{}
	case "WhoCan":
		return &lakegate.WhoCanOutput{}
	case "ListAccessRequests":
		return &lakegate.ListAccessRequestsOutput{}
	case "CreateAccessRequest":
		return &lakegate.CreateAccessRequestOutput{AccessRequest: &lakegate.AccessRequest{AccessRequestId: "req-1"}}
	case "GetAccessRequest":
		return &lakegate.GetAccessRequestOutput{AccessRequest: &lakegate.AccessRequest{AccessRequestId: "req-1", AccountId: lake, UserId: "mateo", Scope: "s3://lake/blue/*", Permission: "READ", DurationSeconds: 3600, Reason: "why", Status: "PENDING"}}
	case "ApproveAccessRequest":
		return &lakegate.ApproveAccessRequestOutput{}
	case "ListRevocations":
		return &lakegate.ListRevocationsOutput{}
	case "CreateRevocation":
		return &lakegate.CreateRevocationOutput{}
	case "ExportAccessGrants":
		return &lakegate.ExportAccessGrantsOutput{}
	case "LintGrants":
		return &lakegate.LintGrantsOutput{}
	}
	return nil
}

// changes are the operations that were called but for those that only read.
func (h *house) changes() (names []string) {
	for _, a := range h.asked {
		if !strings.HasPrefix(a.operation, "List") && !strings.HasPrefix(a.operation, "Get") && !strings.HasPrefix(a.operation, "Wh") && !strings.HasPrefix(a.operation, "Export") {
			names = append(names, a.operation)
		}
	}
	return names
}

// GuestOf implements console.SignIn: the cookie is the name of the browser session, person and a dot before it.
func (h *house) GuestOf(_ context.Context, r *http.Request) (*console.Guest, error) {
	c, err := r.Cookie("session")
	if err != nil {
		return nil, nil
	}
	person, _, _ := strings.Cut(c.Value, ".")
	if h.out[person] {
		return nil, nil
	}
	name := h.names[person]
	if name == "" {
		name = person + "@example.com"
	}
	return &console.Guest{
		Account: "222222222222", UserName: name, Session: []byte(c.Value),
		Identity: caller.Identity{UserID: person, IdentityStoreID: "d-1", InstanceARN: "arn:aws:sso:::instance/ssoins-1"},
	}, nil
}

// SendToProvider implements console.SignIn.
func (h *house) SendToProvider(w http.ResponseWriter, r *http.Request, next string) {
	http.Redirect(w, r, "https://idp.example.com/?next="+url.QueryEscape(next), http.StatusSeeOther)
}

// RolesOf implements console.Portal: Wang has a role.
func (h *house) RolesOf(id *caller.Identity) []center.AccountRole {
	if id.UserID != "wang" || h.roleless["wang"] {
		return nil
	}
	return []center.AccountRole{{Account: lake, PermissionSetARN: set, PermissionSetName: "LakeAdministrator", SessionDuration: hour}}
}

// SessionOf implements console.Portal.
func (h *house) SessionOf(_ context.Context, id *caller.Identity, account, set string, taken time.Time) (*caller.Caller, error) {
	for _, r := range h.RolesOf(id) {
		if r.Account == account && r.PermissionSetARN == set && h.now.Before(taken.Add(hour)) {
			return &caller.Caller{
				Type: caller.AssumedRole, Account: account, ARN: "arn:aws:sts::111111111111:assumed-role/AWSReservedSSO_LakeAdministrator_1/" + id.UserID, PrincipalARN: "arn:aws:iam::111111111111:role/AWSReservedSSO_LakeAdministrator_1",
				Session: &caller.Session{Issued: taken, Expires: taken.Add(hour), Audit: id, Portal: &caller.Portal{PermissionSet: set, Account: account}},
			}, nil
		}
	}
	return nil, console.ErrNoRole
}

func (h *house) Associated(string) []*grants.Instance { return []*grants.Instance{{Account: lake}} }

func (h *house) Account(id string) (*account.Account, bool) {
	return &account.Account{ID: id, Name: "Sales <data>"}, true
}

func (h *house) UserName(_, id string) (string, bool)  { return id + "@example.com", true }
func (h *house) GroupName(_, id string) (string, bool) { return id, true }

// browser is one with its cookies.
type browser struct {
	h       *house
	cookies map[string]string
}

// at is a browser in which a person is signed in.
func (h *house) at(session string) *browser {
	return &browser{h, map[string]string{"session": session}}
}

// seen is what a browser was answered.
type seen struct {
	status int
	header http.Header
	text   string
}

func (b *browser) send(r *http.Request) *seen {
	b.h.t.Helper()
	for name, v := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: v})
	}
	w := httptest.NewRecorder()
	b.h.ServeHTTP(w, r)
	res := w.Result()
	for _, c := range res.Cookies() {
		if b.cookies[c.Name] = c.Value; c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		}
	}
	text, err := io.ReadAll(res.Body)
	if err != nil {
		b.h.t.Fatal(err)
	}
	return &seen{res.StatusCode, res.Header, string(text)}
}

func (b *browser) get(path string) *seen {
	b.h.t.Helper()
	return b.send(httptest.NewRequestWithContext(b.h.t.Context(), http.MethodGet, webURL+path, nil))
}

var tokens = regexp.MustCompile(`name="token" value="([^"]+)"`)

// token is that of the forms of a page.
func (b *browser) token(path string) string {
	b.h.t.Helper()
	m := tokens.FindStringSubmatch(b.get(path).text)
	if m == nil {
		b.h.t.Fatalf("%s has no form", path)
	}
	return html.UnescapeString(m[1])
}

// post sends a form as a browser sends one of ours.
func (b *browser) post(path string, fields ...string) *seen {
	b.h.t.Helper()
	return b.send(b.form(path, fields...))
}

func (b *browser) form(path string, fields ...string) *http.Request {
	form := url.Values{}
	for f := range slices.Chunk(fields, 2) {
		form.Set(f[0], f[1])
	}
	r := httptest.NewRequestWithContext(b.h.t.Context(), http.MethodPost, webURL+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Origin", webURL)
	return r
}

func (s *seen) want(t *testing.T, status int, texts ...string) {
	t.Helper()
	if s.status != status {
		t.Errorf("status %d, want %d: %s", s.status, status, s.text)
	}
	for _, text := range texts {
		if !strings.Contains(s.text, text) {
			t.Errorf("the page lacks %q: %s", text, s.text)
		}
	}
}

func urlQuery(text string) string { return url.QueryEscape(text) }

var fields = regexp.MustCompile(`<input[^>]*>`)

// outsideFields is a page without the fields of its forms: what was typed into them stays as it was typed.
func outsideFields(text string) string { return fields.ReplaceAllString(text, "") }

// eventOf is a record that has a text wherever a page shows one.
func eventOf(text string) string {
	b, _ := json.Marshal(map[string]any{
		"eventTime": "2026-11-23T09:00:00Z", "eventName": text, "errorCode": text, "sourceIPAddress": text, "requestID": text, "resources": []map[string]string{{"ARN": text}},
		"userIdentity": map[string]string{"arn": text}, "additionalEventData": map[string]string{"personUserName": text, "reason": text, "applicationArn": text},
	})
	return string(b)
}
