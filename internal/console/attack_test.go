package console_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/lakegate/lakegate/internal/api/lakegate"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/wire"
)

// pages are all that the console has, with those for administrators at the end.
var (
	personal       = []string{"/console/", "/console/requests", "/console/requests/new", "/console/requests/req-1", "/console/who", "/console/why", "/console/activity", "/console/role"}
	administrative = []string{"/console/grants", "/console/grants/new", "/console/grants/6c9010e2-0000-4000-8000-000000000000", "/console/revocations", "/console/lint"}
	forms          = []string{
		"/console/requests", "/console/requests/req-1/approve", "/console/requests/req-1/refuse", "/console/requests/req-1/withdraw", "/console/grants", "/console/grants/x/delete",
		"/console/revocations", "/console/revocations/rev-1/withdraw", "/console/role", "/console/role/leave",
	}
)

var request = []string{"account", lake, "scope", "s3://lake/blue/*", "permission", "READ", "amount", "8", "unit", "hour", "reason", "why"}

// acting takes the role.
func acting(h *house, session string) *browser {
	h.t.Helper()
	b := h.at(session)
	b.post("/console/role", "token", b.token("/console/requests/new"), "account", lake, "set", set).want(h.t, http.StatusSeeOther)
	b.get("/console/").want(h.t, http.StatusOK, "Acting as")
	h.asked = nil
	return b
}

// TestFormsOfOthers: a change needs a form of this origin, made for this browser session, not long ago.
func TestFormsOfOthers(t *testing.T) {
	h := open(t)
	mateo := h.at("mateo.1")
	token := mateo.token("/console/requests/new")
	for name, send := range map[string]func(r *http.Request) *seen{
		"without a token": func(*http.Request) *seen { return mateo.post("/console/requests", request...) },
		"an empty token":  func(*http.Request) *seen { return mateo.post("/console/requests", append(request, "token", "")...) },
		"a made-up token": func(*http.Request) *seen {
			return mateo.post("/console/requests", append(request, "token", strings.Repeat("A", len(token)))...)
		},
		"an altered token": func(*http.Request) *seen {
			first := "A"
			if token[0] == 'A' {
				first = "B"
			}
			return mateo.post("/console/requests", append(request, "token", first+token[1:])...)
		},
		"that of another person": func(*http.Request) *seen {
			return h.at("ana.1").post("/console/requests", append(request, "token", token)...)
		},
		"that of another sign-in": func(*http.Request) *seen {
			return h.at("mateo.2").post("/console/requests", append(request, "token", token)...)
		},
		"a role's cookie as a token": func(*http.Request) *seen {
			return mateo.post("/console/requests", append(request, "token", acting(h, "wang.1").cookies["__Host-lakegate_console_role"])...)
		},
		"the token in the query": func(*http.Request) *seen { return mateo.post("/console/requests?token="+token, request...) },
		"from another site": func(r *http.Request) *seen {
			r.Header.Set("Sec-Fetch-Site", "cross-site")
			r.Header.Set("Origin", "https://evil.example.com")
			return mateo.send(r)
		},
		"from a neighbour": func(r *http.Request) *seen {
			r.Header.Set("Sec-Fetch-Site", "same-site")
			r.Header.Set("Origin", "https://other.example.com")
			return mateo.send(r)
		},
		"from an old browser": func(r *http.Request) *seen {
			r.Header.Del("Sec-Fetch-Site")
			r.Header.Set("Origin", "https://evil.example.com")
			return mateo.send(r)
		},
		"from nowhere": func(r *http.Request) *seen {
			r.Header.Del("Sec-Fetch-Site")
			r.Header.Set("Origin", "null")
			return mateo.send(r)
		},
		"an origin that ends as ours": func(r *http.Request) *seen {
			r.Header.Del("Sec-Fetch-Site")
			r.Header.Set("Origin", "https://xweb.example.com")
			return mateo.send(r)
		},
		"too large": func(*http.Request) *seen {
			return mateo.post("/console/requests", append(request, "token", token, "more", strings.Repeat("x", 64<<10))...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			h.asked = nil
			send(mateo.form("/console/requests", append(request, "token", token)...)).want(t, http.StatusForbidden, "no longer open")
			if got := h.changes(); len(got) != 0 {
				t.Errorf("it did %v", got)
			}
		})
	}
	t.Run("after twelve hours", func(t *testing.T) {
		h.asked = nil
		h.now = h.now.Add(12 * hour)
		mateo.post("/console/requests", append(request, "token", token)...).want(t, http.StatusForbidden)
		if got := h.changes(); len(got) != 0 {
			t.Errorf("it did %v", got)
		}
	})
	// The form of the person itself.
	mateo.post("/console/requests", append(request, "token", mateo.token("/console/requests/new"))...).want(t, http.StatusSeeOther)
	if got := h.changes(); !slices.Equal(got, []string{"CreateAccessRequest"}) {
		t.Errorf("did %v", got)
	}
}

// TestEveryFormIsGuarded: no path takes a change without a token, by whatever method.
func TestEveryFormIsGuarded(t *testing.T) {
	h := open(t)
	b := acting(h, "wang.1")
	for _, path := range forms {
		b.post(path, "sure", "yes").want(t, http.StatusForbidden, "no longer open")
		for _, method := range []string{http.MethodPut, http.MethodDelete, http.MethodPatch} {
			r := b.form(path)
			r.Method = method
			if got := b.send(r); got.status < 400 {
				t.Errorf("%s %s: %d", method, path, got.status)
			}
		}
		if got := b.get(path + "?token=" + b.token("/console/role/x-is-no-page-but-has-a-frame")); got.status == http.StatusSeeOther {
			t.Errorf("GET %s changes something", path)
		}
	}
	if got := h.changes(); len(slices.DeleteFunc(got, func(s string) bool { return s == "LintGrants" })) != 0 {
		t.Errorf("did %v", got)
	}
}

// TestNobodyIsSignedIn: nobody sees a page; a form of who was signed out changes nothing and leads nowhere.
func TestNobodyIsSignedIn(t *testing.T) {
	h := open(t)
	nobody := &browser{h, map[string]string{}}
	for _, path := range append(personal, administrative...) {
		got := nobody.get(path)
		if got.status != http.StatusSeeOther || !strings.HasPrefix(got.header.Get("Location"), "https://idp.example.com/?next=%2Fconsole%2F") {
			t.Errorf("%s: %d %s", path, got.status, got.header.Get("Location"))
		}
	}
	for _, path := range forms {
		nobody.post(path).want(t, http.StatusUnauthorized, "You are signed out")
	}
	if len(h.asked) != 0 {
		t.Errorf("asked %v", h.asked)
	}
}

// TestTheDisabledAreOut: at their next request, whatever they hold.
func TestTheDisabledAreOut(t *testing.T) {
	h := open(t)
	b := acting(h, "wang.1")
	token := b.token("/console/grants/new")
	h.out["wang"], h.asked = true, nil
	b.post("/console/revocations", "token", token, "kind", "ALL", "sure", "yes").want(t, http.StatusUnauthorized)
	if got := b.get("/console/grants"); got.status != http.StatusSeeOther {
		t.Errorf("a page: %d", got.status)
	}
	if len(h.asked) != 0 {
		t.Errorf("asked %v", h.asked)
	}
}

// TestRolesAreOnesOwn: a role counts for the browser session that took it, while it is assigned, for as long as it lasts.
func TestRolesAreOnesOwn(t *testing.T) {
	const cookie = "__Host-lakegate_console_role"
	for name, spoil := range map[string]func(h *house, b *browser){
		"that of another person":  func(_ *house, b *browser) { b.cookies["session"] = "mateo.1" },
		"that of another sign-in": func(_ *house, b *browser) { b.cookies["session"] = "wang.2" },
		"altered":                 func(_ *house, b *browser) { b.cookies[cookie] = "A" + b.cookies[cookie][1:] },
		"made up":                 func(_ *house, b *browser) { b.cookies[cookie] = "e30" },
		"a form's token":          func(_ *house, b *browser) { b.cookies[cookie] = b.token("/console/who/") },
		"its time is over":        func(h *house, _ *browser) { h.now = h.now.Add(hour) },
		"no longer assigned":      func(h *house, _ *browser) { h.roleless["wang"] = true },
		"left":                    func(_ *house, b *browser) { b.post("/console/role/leave", "token", b.token("/console/requests/new")) },
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t)
			b := acting(h, "wang.1")
			for _, path := range administrative[:2] {
				b.get(path).want(t, http.StatusOK)
			}
			spoil(h, b)
			h.asked = nil
			for _, path := range administrative {
				b.get(path).want(t, http.StatusForbidden, "for administrators")
			}
			b.get("/console/requests?as=role")
			b.get("/console/requests/req-1?as=role")
			for _, a := range h.asked {
				if a.who.Type != caller.Person {
					t.Errorf("%s was asked as %s", a.operation, a.who.ARN)
				}
			}
		})
	}
}

// TestAPersonWithoutARole: opening an administrator's page, or sending its form, does nothing at all.
func TestAPersonWithoutARole(t *testing.T) {
	h := open(t)
	b := h.at("mateo.1")
	token := b.token("/console/requests/new")
	h.asked = nil
	for _, path := range administrative {
		b.get(path).want(t, http.StatusForbidden, "for administrators")
	}
	for _, path := range []string{"/console/grants", "/console/grants/x/delete", "/console/revocations", "/console/revocations/rev-1/withdraw"} {
		b.post(path, "token", token, "sure", "yes", "kind", "ALL").want(t, http.StatusForbidden, "for administrators")
	}
	if len(h.asked) != 0 {
		t.Errorf("asked %v", h.asked)
	}
	for _, other := range []string{set, "arn:aws:sso:::permissionSet/ssoins-1/ps-2", ""} {
		b.post("/console/role", "token", token, "account", lake, "set", other).want(t, http.StatusForbidden, "not assigned to you")
	}
	if len(b.cookies) != 1 {
		t.Errorf("cookies %v", b.cookies)
	}
}

// TestInWhoseName: what is a person's own is asked in their own name even in a role, the rest in the role's, which names them.
func TestInWhoseName(t *testing.T) {
	h := open(t)
	b := acting(h, "wang.1")
	b.get("/console/")
	b.get("/console/requests")
	b.get("/console/who?target=s3://lake/x")
	b.get("/console/lint")
	token := b.token("/console/requests/new")
	b.post("/console/requests", append(request, "token", token)...)
	b.post("/console/requests/req-1/approve", "token", token, "as", "role", "scope", "s3://lake/blue/*", "permission", "READ", "amount", "1", "unit", "hour")
	b.post("/console/requests/req-1/approve", "token", token, "scope", "s3://lake/blue/*", "permission", "READ", "amount", "1", "unit", "hour")
	want := []string{
		"WhatCan person", "ListAccessRequests person", "ListAccessRequests person", "ListAccessRequests role", "WhoCan role", "LintGrants role",
		"ListAccessRequests person", "CreateAccessRequest person", "ApproveAccessRequest role", "ApproveAccessRequest person",
	}
	var got []string
	for _, a := range h.asked {
		who := "person"
		if a.who.Type != caller.Person {
			who = "role"
		}
		if n := a.who.Named(); n == nil || n.UserID != "wang" {
			t.Errorf("%s names nobody", a.operation)
		}
		got = append(got, a.operation+" "+who)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// hostile are texts that people may write.
var hostile = []string{
	`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `' onmouseover='alert(1)`, `javascript:alert(1)`, `</title><script>`, "{{.Token}}", "s3://lake/\u202eexe.\u2066cod\u2069/*", "a\u200bb\x00c\u00a0",
}

// TestTextsStayTexts: names, reasons, scopes, messages and what stands in links become no markup, and turn no direction.
func TestTextsStayTexts(t *testing.T) {
	for i, text := range hostile {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			h := open(t)
			h.names["wang"] = text
			b := acting(h, "wang.1")
			r := lakegate.AccessRequest{AccessRequestId: "req-1", UserId: "mateo", UserName: &text, Scope: text, Permission: "READ", DurationSeconds: 60, Reason: text, Status: "PENDING", Comment: &text, DecidedBy: &text, Warning: &text, AccountId: lake}
			e := lakegate.AccessEntry{PrincipalId: text, Name: &text, GrantScope: &text, GroupPath: []string{text}, Applications: []string{text}, Actions: []string{text}, Why: &text, AccessGrantId: &text, Effective: true, Method: "GRANT"}
			refused := e
			refused.Effective = false
			h.answers = map[string]any{
				"ListAccessRequests": &lakegate.ListAccessRequestsOutput{AccessRequests: []lakegate.AccessRequest{r}, NextToken: &text},
				"GetAccessRequest":   &lakegate.GetAccessRequestOutput{AccessRequest: &r},
				"WhatCan":            &lakegate.WhatCanOutput{Entries: []lakegate.AccessEntry{e, refused}, NextToken: &text},
				"WhoCan":             &lakegate.WhoCanOutput{AccountId: lake, Entries: []lakegate.AccessEntry{e, refused}, NextToken: &text},
				"WhyAs":              &lakegate.WhyAsOutput{Findings: []lakegate.Finding{{Subject: text, Step: text, Outcome: "fail", Detail: &text, Remedy: &text}}, Missing: &text, Nearest: &text},
				"Why":                &lakegate.WhyOutput{Operation: text, Person: &text, Outcome: text, Message: &text, ErrorCode: &text, Steps: []lakegate.Step{{Step: text, Outcome: "fail", Detail: &text}}},
				"LintGrants":         &lakegate.LintGrantsOutput{AccountId: lake, Findings: []lakegate.GrantFinding{{Kind: "WIDE", AccessGrantId: &text, GrantScope: &text, Grantee: &text, Detail: text}}, NextToken: &text},
				"ListRevocations":    &lakegate.ListRevocationsOutput{Revocations: []lakegate.Revocation{{RevocationId: "rev-1", Kind: "PERSON", Value: &text, Reason: &text, CreatedBy: text}}},
				"ExportAccessGrants": &lakegate.ExportAccessGrantsOutput{Grants: []lakegate.GrantExport{{AccessGrantId: text, GranteeType: "DIRECTORY_USER", Grantee: text, GranteeName: &text, Scope: text, Permission: "READ", ApplicationArn: &text,
					Tags: []lakegate.GrantTag{{Key: "lakegate:Reason", Value: text}, {Key: "lakegate:Owner", Value: text}, {Key: "lakegate:Actions", Value: text}}}}, NextToken: &text},
				"QueryEvents":         &lakegate.QueryEventsOutput{Events: []string{eventOf(text)}, NextToken: &text},
				"CreateAccessRequest": &wire.Error{Code: "ValidationException", Status: 400, Message: text},
				"CreateRevocation":    &wire.Error{Code: "ValidationException", Status: 400, Message: text},
			}
			q := urlQuery(text)
			pages := []*seen{
				b.get("/console/?all=1"), b.get("/console/requests?all=1"), b.get("/console/requests/req-1?as=role"), b.get("/console/requests/new?scope=" + q + "&account=" + q + "&permission=" + q),
				b.get("/console/who?target=" + q + "&account=" + q + "&permission=" + q), b.get("/console/why?person=" + q + "&target=" + q + "&application=" + q), b.get("/console/why?request=" + q),
				b.get("/console/lint"), b.get("/console/activity?of=account&object=" + q + "&person=" + q), b.get("/console/revocations?value=" + q + "&kind=" + q), b.get("/console/grants"), b.get("/console/grants/new?scope=" + q + "&grantee=" + q), b.get("/console/" + q), b.get("/console/?done=" + q),
			}
			token := b.token("/console/requests/new")
			pages = append(pages, b.post("/console/requests", "token", token, "account", text, "scope", text+"2", "permission", text, "amount", "1", "unit", "day", "reason", text),
				b.post("/console/revocations", "token", token, "kind", "PERSON", "value", "0-0-0-0-0", "reason", text, "before", text, "sure", "yes"),
				b.post("/console/revocations", "token", token, "kind", "ALL", "value", text, "reason", text, "sure", "yes"))
			for i, p := range pages {
				if strings.Contains(p.text, "internal error") || p.status == http.StatusInternalServerError {
					t.Fatalf("page %d: %d %s", i, p.status, p.text)
				}
				for _, bad := range []string{"<script", "<img", " onmouseover='", " onerror=alert(1)>", `href="javascript:`, "\u202e", "\u2066", "\u200b", "\x00", "</title><"} {
					if strings.Contains(outsideFields(p.text), bad) {
						t.Errorf("page %d has %q", i, bad)
					}
				}
				if n := strings.Count(p.text, "</title>"); n != 1 && p.header.Get("Location") == "" {
					t.Errorf("page %d has %d titles", i, n)
				}
			}
		})
	}
}

// TestHeaders: no page can be framed, kept, or run a script, errors and the style sheet included.
func TestHeaders(t *testing.T) {
	h := open(t)
	b := acting(h, "wang.1")
	nobody := &browser{h, map[string]string{}}
	for name, got := range map[string]*seen{
		"page": b.get("/console/"), "grants": b.get("/console/grants"), "nothing": b.get("/console/nothing"), "refused form": b.post("/console/grants"), "nobody": nobody.get("/console/"), "nobody's form": nobody.post("/console/grants"),
	} {
		for header, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'",
			"X-Frame-Options":         "DENY", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "Cache-Control": "no-store", "Cross-Origin-Opener-Policy": "same-origin",
		} {
			if got.header.Get(header) != want {
				t.Errorf("%s: %s is %q", name, header, got.header.Get(header))
			}
		}
	}
}

// TestTheRolesCookie: no script reads it, no other site sends it along, no neighbour sets it.
func TestTheRolesCookie(t *testing.T) {
	h := open(t)
	b := h.at("wang.1")
	got := b.post("/console/role", "token", b.token("/console/requests/new"), "account", lake, "set", set)
	cookie := got.header.Get("Set-Cookie")
	for _, part := range []string{"__Host-lakegate_console_role=", "; Path=/;", "; HttpOnly", "; Secure", "; SameSite=Lax", "; Max-Age=43200"} {
		if !strings.Contains(cookie, part) {
			t.Errorf("%q lacks %q", cookie, part)
		}
	}
	if strings.Contains(cookie, "ps-1") || strings.Contains(cookie, lake) {
		t.Errorf("%q can be read", cookie)
	}
}

// TestRedirectsStayHere: whatever a link or form says, the browser goes on at the console.
func TestRedirectsStayHere(t *testing.T) {
	h := open(t)
	b := acting(h, "wang.1")
	token := b.token("/console/requests/new")
	h.answers["ApproveAccessRequest"] = &lakegate.ApproveAccessRequestOutput{}
	for name, got := range map[string]*seen{
		"next":   b.post("/console/role", "token", token, "account", lake, "set", set, "next", "https://evil.example.com", "Location", "https://evil.example.com"),
		"a path": b.post("/console/requests/%2f%2fevil.example.com/approve", "token", token, "scope", "s3://x", "permission", "READ", "amount", "1", "unit", "day", "as", "https://evil.example.com"),
	} {
		if to := got.header.Get("Location"); got.status == http.StatusSeeOther && !strings.HasPrefix(to, webURL+"/console/") {
			t.Errorf("%s leads to %s", name, to)
		}
	}
	for _, path := range []string{"/console//evil.example.com", "/console/%2f%2fevil.example.com", "/console/\\evil.example.com"} {
		if to := (&browser{h, map[string]string{}}).get(path).header.Get("Location"); to != "" && !strings.HasPrefix(to, "https://idp.example.com/?next=%2Fconsole%2F") && !strings.HasPrefix(to, "/console/") {
			t.Errorf("%s leads to %s", path, to)
		}
	}
}

// TestNamesOfTheMachine: whoever comes by another name of this machine is led to the web door's, and nobody anywhere else.
func TestNamesOfTheMachine(t *testing.T) {
	h := openAt(t, "http://127.0.0.1:9421")
	for host, want := range map[string]string{
		"localhost:9421": "http://127.0.0.1:9421/console/who?target=x", "[::1]:9421": "http://127.0.0.1:9421/console/who?target=x", "127.0.0.1:9421": "https://idp.example.com/",
		"localhost:8080": "https://idp.example.com/", "localhost": "https://idp.example.com/", "evil.example.com:9421": "https://idp.example.com/", "localhost.evil.example.com:9421": "https://idp.example.com/",
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/console/who?target=x", nil)
		r.Host = host
		got := (&browser{h, map[string]string{}}).send(r)
		if to := got.header.Get("Location"); got.status != http.StatusSeeOther || !strings.HasPrefix(to, want) {
			t.Errorf("%s: %d %s", host, got.status, to)
		}
	}
}

// TestDecidedTwice: who presses the button twice is told, and asking twice makes one request.
func TestDecidedTwice(t *testing.T) {
	h := open(t)
	ana := h.at("ana.1")
	token := ana.token("/console/requests/req-1")
	approve := []string{"token", token, "scope", "s3://lake/blue/*", "permission", "READ", "amount", "1", "unit", "hour"}
	ana.post("/console/requests/req-1/approve", approve...).want(t, http.StatusSeeOther)
	h.answers["ApproveAccessRequest"] = &wire.Error{Code: "ConflictException", Status: 400, Message: "The request req-1 is APPROVED, and only a pending one can be decided."}
	ana.post("/console/requests/req-1/approve", approve...).want(t, http.StatusConflict, "only a pending one can be decided", "the-reference")
	mateo := h.at("mateo.1")
	h.answers["ListAccessRequests"] = &lakegate.ListAccessRequestsOutput{AccessRequests: []lakegate.AccessRequest{{AccessRequestId: "req-7", AccountId: lake, Scope: "s3://lake/blue/*", Permission: "READ"}}}
	h.asked = nil
	got := mateo.post("/console/requests", append(request, "token", mateo.token("/console/requests/new"))...)
	if to := got.header.Get("Location"); to != webURL+"/console/requests/req-7?done=again" || len(h.changes()) != 0 {
		t.Errorf("asked again: %s %v", to, h.changes())
	}
}

// TestRefusalsAreShown: as the kind of error that they are, with the reference by which the trail has them.
func TestRefusalsAreShown(t *testing.T) {
	for code, want := range map[string]int{
		"AccessDeniedException": http.StatusForbidden, "AccessDenied": http.StatusForbidden, "ResourceNotFoundException": http.StatusNotFound, "ConflictException": http.StatusConflict,
		"ValidationException": http.StatusBadRequest, "ServiceUnavailableException": http.StatusServiceUnavailable, "InternalServerException": http.StatusInternalServerError,
	} {
		h := open(t)
		b := acting(h, "wang.1")
		status := http.StatusBadRequest
		if want >= http.StatusInternalServerError {
			status = want
		}
		h.answers["LintGrants"] = &wire.Error{Code: code, Status: status, Message: "The message."}
		b.get("/console/lint").want(t, want, "The message.", "the-reference")
	}
}

// TestDangerIsConfirmed: nothing is deleted or revoked by a form that does not say that somebody is sure.
func TestDangerIsConfirmed(t *testing.T) {
	h := open(t)
	b := acting(h, "wang.1")
	b.post("/console/revocations", "token", b.token("/console/requests/new"), "kind", "ALL").want(t, http.StatusBadRequest, "Say that you are sure")
	if got := h.changes(); len(got) != 0 {
		t.Errorf("did %v", got)
	}
}
