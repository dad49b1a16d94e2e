package signin_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/lakegate/lakegate/internal/api/ssoadmin"
	"github.com/lakegate/lakegate/internal/api/ssooidc"
	"github.com/lakegate/lakegate/internal/center"
	"github.com/lakegate/lakegate/internal/signin"
)

// query is the query of where a browser was sent.
func (b *browser) query() url.Values {
	b.h.t.Helper()
	u, err := url.Parse(b.left)
	if err != nil {
		b.h.t.Fatal(err)
	}
	return u.Query()
}

func (c *public) redeem(code, redirect, proof string) (*ssooidc.CreateTokenOutput, string) {
	c.t.Helper()
	return c.token(&ssooidc.CreateTokenInput{GrantType: "authorization_code", Code: &code, RedirectUri: &redirect, CodeVerifier: &proof})
}

// What `aws sso login` of version 2 does.
func TestAuthorizePublicClient(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		c, b := newClient(h), newBrowser(h)
		page := b.get(h.authorizeURL(c.id))
		if page.title() != "Allow access?" || !strings.Contains(page.text, "the client") || !strings.Contains(page.text, "mateo") || b.left != "" {
			t.Fatalf("the question: %d %q, sent to %q", page.status, page.title(), b.left)
		}
		csp := page.header.Get("Content-Security-Policy")
		if !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "frame-ancestors 'none'") || !strings.HasSuffix(csp, "form-action 'self' http://127.0.0.1:53123") {
			t.Errorf("the policy: %s", csp)
		}
		b.post("/authorize", url.Values{"ticket": {page.ticket()}, "answer": {"allow"}})
		q := b.query()
		if !strings.HasPrefix(b.left, callback+"?") || q.Get("state") != "the state" || q.Get("code") == "" {
			t.Fatalf("sent to %q", b.left)
		}
		code := q.Get("code")
		out, got := c.redeem(code, callback, verifier)
		if got != "" || out.RefreshToken == nil {
			t.Fatalf("redeeming: %q", got)
		}
		a, err := h.tokens.OpenAccess(t.Context(), *out.AccessToken)
		if err != nil || a.Person.UserID != h.person || a.Client != c.id {
			t.Fatalf("access: %+v, %v", a, err)
		}
		// A second use ends what came from the first.
		if _, got := c.redeem(code, callback, verifier); got != "InvalidGrantException" {
			t.Errorf("a second time: %q", got)
		}
		if _, err := h.tokens.OpenAccess(t.Context(), *out.AccessToken); err == nil {
			t.Error("the access token works after its code was used twice")
		}
		if _, got := c.token(&ssooidc.CreateTokenInput{GrantType: "refresh_token", RefreshToken: out.RefreshToken}); got == "" {
			t.Error("the refresh token works after its code was used twice")
		}
	})
}

// A code is of use to nobody but the client that asked for it.
func TestStolenCode(t *testing.T) {
	h := newHouse(t)
	c, b := newClient(h), signedIn(h)
	other := newClient(h)
	fresh := func() string {
		t.Helper()
		b.post("/authorize", url.Values{"ticket": {b.get(h.authorizeURL(c.id)).ticket()}, "answer": {"allow"}})
		return b.query().Get("code")
	}
	for name, try := range map[string]func(code string) string{
		"another verifier": func(code string) string { _, got := c.redeem(code, callback, strings.Repeat("x", 43)); return got },
		"the challenge":    func(code string) string { _, got := c.redeem(code, callback, challenge()); return got },
		"another port": func(code string) string {
			_, got := c.redeem(code, strings.Replace(callback, "53123", "53124", 1), verifier)
			return got
		},
		"another client": func(code string) string { _, got := other.redeem(code, callback, verifier); return got },
	} {
		if got := try(fresh()); got != "InvalidGrantException" {
			t.Errorf("%s: %q", name, got)
		}
	}
	code := fresh()
	h.Pass(time.Minute)
	if _, got := c.redeem(code, callback, verifier); got != "ExpiredTokenException" {
		t.Errorf("a minute later: %q", got)
	}
	code = fresh()
	h.disable()
	if _, got := c.redeem(code, callback, verifier); got != "AccessDeniedException" {
		t.Errorf("a disabled person: %q", got)
	}
}

// altered is a text with another letter at a place.
func altered(text string, at int) string {
	letter := "A"
	if text[at] == 'A' {
		letter = "B"
	}
	return text[:at] + letter + text[at+1:]
}

// Nothing is sent to an address that is not the client's, neither a code nor an error.
func TestOpenRedirect(t *testing.T) {
	h := newHouse(t)
	c, b := newClient(h), signedIn(h)
	for _, uri := range []string{
		"", "https://evil.example.com/oauth/callback", "http://evil.example.com/oauth/callback", "http://127.0.0.1.evil.com/oauth/callback",
		"http://127.0.0.1@evil.com/oauth/callback", "http://evil.com#@127.0.0.1/oauth/callback", "http://evil.com\\@127.0.0.1/oauth/callback",
		"http://127.0.0.1:80@evil.com/oauth/callback", "//evil.com/oauth/callback", "http://localhost/oauth/callback", "http://127.0.0.2/oauth/callback",
		"http://2130706433/oauth/callback", "http://0x7f.1/oauth/callback", "http://[::1]/oauth/callback", "https://127.0.0.1/oauth/callback",
		"http://127.0.0.1/oauth/callback/../../x", "http://127.0.0.1/oauth/callback?x=y", "http://127.0.0.1/oauth/callback#x", "http://127.0.0.1/oauth/Callback",
		"http://127.0.0.1/oauth/%63allback", "http://127.0.0.1:99999999/oauth/callback", "http://127.0.0.1:80 /oauth/callback", "javascript:alert(1)", "HTTP://127.0.0.1/oauth/callback",
	} {
		for _, problem := range [][]string{nil, {"response_type", "token"}} {
			page := b.get(h.authorizeURL(c.id, append([]string{"redirect_uri", uri}, problem...)...))
			if page.status != http.StatusBadRequest || b.left != "" || page.ticket() != "" || page.title() != "This link cannot be used" {
				t.Errorf("%q: %d %q, sent to %q", uri, page.status, page.title(), b.left)
			}
		}
	}
	for name, id := range map[string]string{"no client": "", "an unknown one": "x", "an altered one": altered(c.id, 30), "a secret": c.secret} {
		if page := b.get(h.authorizeURL(id)); page.status != http.StatusBadRequest || b.left != "" {
			t.Errorf("%s: %d, sent to %q", name, page.status, b.left)
		}
	}
	// Two of one name: who looks at the first and who looks at the last would disagree.
	if page := b.get(h.authorizeURL(c.id) + "&redirect_uri=https://evil.example.com/"); page.status != http.StatusBadRequest || b.left != "" {
		t.Errorf("two redirect URIs: %d, sent to %q", page.status, b.left)
	}
	// Paths of the web door do not leave it either.
	for _, path := range []string{"//evil.example.com/start", "/\\evil.example.com/start", "/" + h.Instance.ID() + "/callback?state=x&code=y&return=https://evil.example.com"} {
		if b.get(h.web.URL + path); b.left != "" {
			t.Errorf("%s: sent to %q", path, b.left)
		}
	}
}

// What is wrong with a request of a known client, the client is told.
func TestAuthorizeErrors(t *testing.T) {
	h := newHouse(t)
	c, b := newClient(h), signedIn(h)
	for name, x := range map[string]struct {
		changes []string
		want    string
	}{
		"response type":     {[]string{"response_type", "token"}, "unsupported_response_type"},
		"no response type":  {[]string{"response_type", ""}, "unsupported_response_type"},
		"no challenge":      {[]string{"code_challenge", ""}, "invalid_request"},
		"a short challenge": {[]string{"code_challenge", "abc"}, "invalid_request"},
		"method plain":      {[]string{"code_challenge_method", "plain"}, "invalid_request"},
		"no method":         {[]string{"code_challenge_method", ""}, "invalid_request"},
		"another scope":     {[]string{"scopes", "sso:account:access sts:identity_context"}, "invalid_scope"},
		"scope":             {[]string{"scope", "admin"}, "invalid_scope"},
		"a long state":      {[]string{"state", strings.Repeat("x", 1025)}, "invalid_request"},
	} {
		if b.get(h.authorizeURL(c.id, x.changes...)); !strings.HasPrefix(b.left, callback+"?") || b.query().Get("error") != x.want {
			t.Errorf("%s: sent to %.200q, want %s", name, b.left, x.want)
		}
	}
	if b.get(h.authorizeURL(c.id) + "&state=another"); b.query().Get("error") != "" && b.left != "" {
		if got := b.query(); got.Get("error") != "invalid_request" {
			t.Errorf("two states: %v", got)
		}
	} else {
		t.Error("two states are taken")
	}
	b.post("/authorize", url.Values{"ticket": {b.get(h.authorizeURL(c.id)).ticket()}, "answer": {"deny"}})
	if q := b.query(); q.Get("error") != "access_denied" || q.Get("state") != "the state" || q.Get("code") != "" {
		t.Errorf("refusing: %v", q)
	}
	if page := b.post("/authorize", url.Values{"answer": {"allow"}}); page.status != http.StatusBadRequest || b.left != "" {
		t.Errorf("without a ticket: %d, sent to %q", page.status, b.left)
	}
	// A program that opens a browser gets nothing without the person.
	if page := b.get(h.authorizeURL(c.id, "prompt", "none")); page.ticket() == "" || b.left != "" {
		t.Errorf("prompt=none: %d, sent to %q", page.status, b.left)
	}
}

// A browser in which somebody signed in long ago signs in again before a client gets anything.
func TestAuthorizeAsksForAFreshSignIn(t *testing.T) {
	h := newHouse(t)
	c, b := newClient(h), signedIn(h)
	visits := h.idp.visits
	h.Pass(4*time.Hour - time.Second)
	if b.get(h.authorizeURL(c.id)).ticket() == "" || h.idp.visits != visits {
		t.Error("the provider was asked again too early")
	}
	h.Pass(time.Second)
	if b.get(h.authorizeURL(c.id)).ticket() == "" || h.idp.visits != visits+1 {
		t.Error("the provider was not asked again")
	}
}

const appRedirect = "https://app.example.com/callback?tenant=1"

// An application of the identity center with the authorization code grant.
func newApplication(t *testing.T, h *house, account string, assignment bool, redirect ...string) string {
	t.Helper()
	ctx := h.As(t.Context(), account, "Admin")
	out, err := h.Service.CreateApplication(ctx, &ssoadmin.CreateApplicationInput{InstanceArn: h.Instance.ARN, ApplicationProviderArn: center.ProviderCustom, Name: "App"})
	if err != nil {
		t.Fatal(err)
	}
	app := *out.ApplicationArn
	if _, err := h.Service.PutApplicationGrant(ctx, &ssoadmin.PutApplicationGrantInput{ApplicationArn: app, GrantType: center.GrantAuthorizationCode, Grant: &ssoadmin.Grant{AuthorizationCode: &ssoadmin.AuthorizationCodeGrant{RedirectUris: append(redirect, appRedirect)}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Service.PutApplicationAssignmentConfiguration(ctx, &ssoadmin.PutApplicationAssignmentConfigurationInput{ApplicationArn: app, AssignmentRequired: assignment}); err != nil {
		t.Fatal(err)
	}
	return app
}

func TestAuthorizeApplication(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		app, b := newApplication(t, h, h.Instance.Account, false), newBrowser(h)
		b.get(h.authorizeURL(app, "redirect_uri", appRedirect, "scopes", "", "scope", "openid sts:identity_context"))
		if !strings.HasPrefix(b.left, appRedirect+"&") || b.query().Get("tenant") != "1" || b.query().Get("state") != "the state" {
			t.Fatalf("sent to %q", b.left)
		}
		code, err := h.tokens.RedeemCode(t.Context(), app, b.query().Get("code"), appRedirect, verifier)
		if err != nil || code.Person.UserID != h.person || code.Person.ApplicationARN != app || strings.Join(code.Scopes, " ") != "openid sts:identity_context" || !code.SignedIn.Equal(h.Now()) {
			t.Errorf("the code: %+v, %v", code, err)
		}
		for name, uri := range map[string]string{"another": "https://evil.example.com/", "without its query": "https://app.example.com/callback", "with more": appRedirect + "&x=y", "another path": "https://app.example.com/callback/x?tenant=1"} {
			if page := b.get(h.authorizeURL(app, "redirect_uri", uri, "scopes", "")); page.status != http.StatusBadRequest || b.left != "" {
				t.Errorf("%s: %d, sent to %q", name, page.status, b.left)
			}
		}
		if b.get(h.authorizeURL(app, "redirect_uri", appRedirect, "scopes", "s3:access_grants:read_write")); b.query().Get("error") != "invalid_scope" {
			t.Errorf("a scope that it does not have: %q", b.left)
		}
		strict := newApplication(t, h, h.Instance.Account, true)
		if b.get(h.authorizeURL(strict, "redirect_uri", appRedirect, "scopes", "")); b.query().Get("error") != "access_denied" || b.query().Get("code") != "" {
			t.Errorf("somebody who is not assigned: %q", b.left)
		}
		_, err = h.Service.UpdateApplication(h.As(t.Context(), h.Instance.Account, "Admin"), &ssoadmin.UpdateApplicationInput{ApplicationArn: app, Status: new(ssoadmin.ApplicationStatus("DISABLED"))})
		if err != nil {
			t.Fatal(err)
		}
		if page := b.get(h.authorizeURL(app, "redirect_uri", appRedirect, "scopes", "")); page.status != http.StatusBadRequest || b.left != "" {
			t.Errorf("a disabled application: %d, sent to %q", page.status, b.left)
		}
	})
}

// Whoever administers a member account can register an application for everybody, with their own site to return to. A link
// to it must not be enough to act for whoever follows it: the person is asked, and told whose it is and where it leads.
func TestApplicationsOfOtherAccountsAsk(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		const hostile = "https://evil.example.com;script-src*/cb"
		app, b := newApplication(t, h, member, false, hostile), newBrowser(h)
		page := b.get(h.authorizeURL(app, "redirect_uri", appRedirect, "scopes", ""))
		if b.left != "" || page.title() != "Allow access?" || !strings.Contains(page.text, member) || !strings.Contains(page.text, "https://app.example.com/callback") {
			t.Fatalf("sent to %q, shown %q", b.left, page.text)
		}
		if strings.Contains(page.text, "every account") {
			t.Errorf("it asks for more than it gets: %q", page.text)
		}
		if csp := page.header.Get("Content-Security-Policy"); !strings.HasSuffix(csp, "form-action 'self' https://app.example.com") {
			t.Errorf("the policy: %s", csp)
		}
		b.post("/authorize", url.Values{"ticket": {page.ticket()}, "answer": {"deny"}})
		if q := b.query(); q.Get("error") != "access_denied" || q.Get("code") != "" {
			t.Errorf("refused: %q", b.left)
		}
		b.post("/authorize", url.Values{"ticket": {page.ticket()}, "answer": {"allow"}})
		if _, err := h.tokens.RedeemCode(t.Context(), app, b.query().Get("code"), appRedirect, verifier); err != nil {
			t.Errorf("allowed: %q, %v", b.left, err)
		}
		_, err := h.Service.PutApplicationAccessScope(h.As(t.Context(), h.Instance.Account, "Admin"), &ssoadmin.PutApplicationAccessScopeInput{ApplicationArn: app, Scope: center.ScopeAccountAccess})
		if err != nil {
			t.Fatal(err)
		}
		if page = b.get(h.authorizeURL(app, "redirect_uri", appRedirect, "scopes", "")); !strings.Contains(page.text, "every account") {
			t.Errorf("it does not say that accounts come with it: %q", page.text)
		}
		page = b.get(h.authorizeURL(app, "redirect_uri", hostile, "scopes", ""))
		if csp := page.header.Get("Content-Security-Policy"); strings.Contains(csp, "script-src") || page.ticket() == "" {
			t.Errorf("the redirect URI writes into the policy: %s", csp)
		}
	})
}

// The AWS CLI leads browsers to the API door, which sends them on. A bucket may have the name all the same.
func TestAuthorizeAtTheAPIDoor(t *testing.T) {
	h := newHouse(t)
	for target, want := range map[string]bool{
		"GET /authorize?response_type=code&client_id=x": true, "GET /authorize": false, "GET /authorize?list-type=2": false, "GET /authorize?client_id=x": false,
		"POST /authorize?response_type=code&client_id=x": false, "GET /authorize/key?response_type=code&client_id=x": false, "GET /?response_type=code&client_id=x": false,
	} {
		method, uri, _ := strings.Cut(target, " ")
		r := httptest.NewRequest(method, uri, nil)
		if signin.OwnsAuthorize(r) != want {
			t.Errorf("%s: %t", target, !want)
		}
		if r.Header.Set("Authorization", "AWS4-HMAC-SHA256 …"); signin.OwnsAuthorize(r) {
			t.Errorf("%s: taken although it is signed", target)
		}
	}
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/authorize?response_type=code&client_id=x&redirect_uri=https://evil.example.com/", nil)
	r.Host = "evil.example.com"
	h.svc.Authorize(w, r)
	if got := w.Header().Get("Location"); w.Code != http.StatusFound || !strings.HasPrefix(got, h.web.URL+"/authorize?response_type=code&") {
		t.Errorf("%d to %q", w.Code, got)
	}
	w = httptest.NewRecorder()
	if h.svc.Authorize(w, httptest.NewRequest("GET", "/authorize?x="+strings.Repeat("x", 5000), nil)); w.Code != http.StatusRequestURITooLong {
		t.Errorf("a long query: %d", w.Code)
	}
}
