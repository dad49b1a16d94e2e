package signin_test

import (
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lakegate/lakegate/internal/api/ssoadmin"
	"github.com/lakegate/lakegate/internal/signin"
	"github.com/lakegate/lakegate/internal/store/storetest"
)

const neutral = "You could not be signed in"

// withoutReference cuts the request's id out of a page, so that pages can be compared.
func withoutReference(text string) string {
	before, after, _ := strings.Cut(text, "Reference: <code>")
	_, after, _ = strings.Cut(after, "</code>")
	return before + after
}

// Whoever cannot be signed in sees one page, whatever the reason.
func TestWhoCannotBeSignedIn(t *testing.T) {
	var first string
	claim := func(name string, value any) func(*house) {
		return func(h *house) {
			h.idp.forge = func(c map[string]any) *rsa.PrivateKey {
				if c[name] = value; value == nil {
					delete(c, name)
				}
				return nil
			}
		}
	}
	for name, prepare := range map[string]func(*house){
		"unknown person":      func(h *house) { h.idp.subject = "oid-of-nobody" },
		"disabled person":     func(h *house) { h.disable() },
		"another issuer":      claim("iss", "https://evil.example.com"),
		"issuer with a slash": func(h *house) { claim("iss", h.idp.URL+"/")(h) },
		"another audience":    claim("aud", "another-client"),
		"no audience":         claim("aud", nil),
		"another party":       claim("azp", "another-client"),
		"two audiences":       claim("aud", []string{clientID, "another-client"}),
		"another nonce":       claim("nonce", "x"),
		"no nonce":            claim("nonce", nil),
		"expired":             func(h *house) { claim("exp", h.Now().Unix())(h) },
		"no expiry":           claim("exp", nil),
		"from the future":     func(h *house) { claim("iat", h.Now().Add(6*time.Minute).Unix())(h) },
		"another key":         func(h *house) { k := newKey(); h.idp.forge = func(map[string]any) *rsa.PrivateKey { return k } },
		"no claim":            claim("oid", nil),
		"an empty claim":      claim("oid", ""),
		"a claim of a list":   claim("oid", []string{"oid-of-mateo"}),
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.idp.set(func() { prepare(h) })
			b := newBrowser(h)
			page := b.get(h.start)
			if page.status != http.StatusForbidden || page.title() != neutral || slices.Contains(b.cookies(), "lakegate_session") {
				t.Fatalf("%d %q, cookies %q", page.status, page.title(), b.cookies())
			}
			text := withoutReference(page.text)
			text = strings.ReplaceAll(text, h.web.URL, "")
			if first == "" {
				first = text
			}
			if text != first {
				t.Errorf("the page differs from that of another reason:\n%s", text)
			}
		})
	}
}

// The answer of a provider counts in the browser that asked for it, once.
func TestAnswersOfOthers(t *testing.T) {
	h := newHouse(t)
	h.Person(t, "eve", "oid-of-eve")
	// Login CSRF: the attacker signs in, stops before the callback, and has the victim's browser open it.
	h.idp.set(func() { h.idp.subject = "oid-of-eve" })
	attacker := newBrowser(h)
	var stopped string
	attacker.client.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if strings.HasSuffix(r.URL.Path, "/callback") {
			stopped = r.URL.String()
			return http.ErrUseLastResponse
		}
		return nil
	}
	attacker.get(h.start)
	if stopped == "" {
		t.Fatal("the attacker never came to the callback")
	}
	attackers := stopped
	refused := func(what string, b *browser, address string) {
		t.Helper()
		visits := h.idp.visits
		page := b.get(address)
		if page.status != http.StatusBadRequest || page.title() != "This sign-in is no longer open" || h.idp.visits != visits {
			t.Errorf("%s: %d %q, and the provider was asked %d times", what, page.status, page.title(), h.idp.visits-visits)
		}
	}
	refused("in a browser that asked for nothing", newBrowser(h), attackers)
	// In a browser that is in the middle of a sign-in of its own.
	victim := newBrowser(h)
	victim.client.CheckRedirect = attacker.client.CheckRedirect
	victim.get(h.start)
	refused("in a browser that asked for something else", victim, attackers)
	if slices.Contains(victim.cookies(), "lakegate_session") {
		t.Error("the victim is signed in as somebody else")
	}
	here, err := url.Parse(h.web.URL)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(q url.Values){
		"no state":      func(q url.Values) { q.Del("state") },
		"another state": func(q url.Values) { q.Set("state", "x") },
		"two states":    func(q url.Values) { q.Add("state", "x") },
	} {
		b := newBrowser(h)
		b.client.CheckRedirect = attacker.client.CheckRedirect
		b.get(h.start)
		own, _ := url.Parse(stopped)
		q := own.Query()
		change(q)
		own.RawQuery = q.Encode()
		refused(name, b, own.String())
	}

	// The right browser, too late, and a second time.
	h.idp.set(func() { h.idp.subject = "oid-of-mateo" })
	late := newBrowser(h)
	late.client.CheckRedirect = attacker.client.CheckRedirect
	late.get(h.start)
	h.Pass(10 * time.Minute)
	refused("after ten minutes", late, stopped)
	again := newBrowser(h)
	again.client.CheckRedirect = attacker.client.CheckRedirect
	again.get(h.start)
	address := stopped
	jar := again.client.Jar
	saved := jar.Cookies(here)
	if page := again.get(address); page.title() == "" || !slices.Contains(again.cookies(), "lakegate_session") {
		t.Fatalf("the right one: %d %q", page.status, page.title())
	}
	refused("a second time", again, address)
	// With the cookie of before put back, the provider refuses the code.
	fresh, _ := cookiejar.New(nil)
	fresh.SetCookies(here, saved)
	again.client.Jar = fresh
	if page := again.get(address); page.status != http.StatusForbidden || page.title() != neutral {
		t.Errorf("a second time with the cookie put back: %d %q", page.status, page.title())
	}
}

// Two providers cannot be mixed up (RFC 9700 §4.4): each instance has a callback of its own.
func TestMixUp(t *testing.T) {
	h := newHouse(t)
	out, err := h.Service.CreateInstance(h.As(t.Context(), member, "Admin"), &ssoadmin.CreateInstanceInput{Name: new("second")})
	if err != nil {
		t.Fatal(err)
	}
	evil := newProvider(t, h.Now)
	h.put(*out.InstanceArn, member, evil.URL)
	second, _ := h.Center.Instance(*out.InstanceArn)
	b := newBrowser(h)
	var stopped string
	b.client.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if strings.HasSuffix(r.URL.Path, "/callback") {
			stopped = r.URL.String()
			return http.ErrUseLastResponse
		}
		return nil
	}
	b.get(h.svc.StartURL(second))
	crossed := strings.Replace(stopped, second.ID(), h.Instance.ID(), 1)
	if page := b.get(crossed); page.status != http.StatusBadRequest || h.idp.visits+evil.visits != 0 {
		t.Errorf("an answer at another instance's callback: %d, and a provider was asked", page.status)
	}
	// Also where both have one provider: who somebody is, each instance decides by itself.
	h.put(second.ARN, member, h.idp.URL)
	b.get(h.svc.StartURL(second))
	if page := b.get(strings.Replace(stopped, second.ID(), h.Instance.ID(), 1)); page.status != http.StatusBadRequest || h.idp.visits != 0 {
		t.Errorf("an answer at another instance's callback, of the same provider: %d", page.status)
	}
	// Somebody who is signed in to the second instance is nobody at the first.
	h.idp.set(func() { h.idp.subject = "oid-of-nobody" })
	if page := b.get(h.start); page.status == http.StatusOK && page.title() == "Signed in" {
		t.Error("signed in to another instance")
	}
	// The answer says that it is of another provider (RFC 9207): the code is not sent anywhere.
	h.idp.set(func() { h.idp.subject = "oid-of-mateo" })
	b.get(h.start)
	visits := h.idp.visits
	if page := b.get(stopped + "&iss=" + url.QueryEscape(evil.URL)); page.status != http.StatusForbidden || h.idp.visits != visits {
		t.Errorf("an answer that says it is another provider's: %d", page.status)
	}
	b.get(h.start)
	if page := b.get(stopped + "&iss=" + url.QueryEscape(h.idp.URL)); page.status != http.StatusOK {
		t.Errorf("an answer that says it is the provider's: %d %q", page.status, page.title())
	}
}

// A provider whose discovery document names another issuer is not visited further.
func TestProviderThatNamesAnother(t *testing.T) {
	h := newHouse(t)
	h.idp.set(func() { h.idp.issuer = "https://login.example.com" })
	page := newBrowser(h).get(h.start)
	if page.status != http.StatusBadGateway || h.idp.visits != 0 {
		t.Errorf("%d %q", page.status, page.title())
	}
	// Its failure is remembered for a while, then it may be right again.
	h.idp.set(func() { h.idp.issuer = "" })
	if page := newBrowser(h).get(h.start); page.status != http.StatusBadGateway {
		t.Errorf("at once: %d", page.status)
	}
	h.Pass(10 * time.Second)
	if page := newBrowser(h).get(h.start); page.status != http.StatusOK {
		t.Errorf("later: %d %q", page.status, page.title())
	}
}

func TestBrowserSession(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		in := func(b *browser) bool {
			t.Helper()
			visits := h.idp.visits
			return b.get(h.start).status == http.StatusOK && h.idp.visits == visits
		}
		b := signedIn(h)
		if !in(b) {
			t.Fatal("not signed in")
		}
		h.Pass(8*time.Hour - time.Second)
		if !in(b) {
			t.Error("signed out before eight hours are over")
		}
		h.Pass(time.Second)
		if in(b) {
			t.Error("signed in for more than eight hours")
		}
		// Signing out ends it here, not in the browser alone.
		b = signedIn(h)
		u, _ := url.Parse(h.web.URL)
		kept := b.client.Jar.Cookies(u)
		if page := b.post("/sign-out", nil); page.title() != "Signed out" || slices.Contains(b.cookies(), "lakegate_session") {
			t.Errorf("signing out: %q, cookies %q", page.title(), b.cookies())
		}
		b.client.Jar.SetCookies(u, kept)
		if in(b) {
			t.Error("the cookie of before still works")
		}
		// The provider is told to ask who it is, once.
		if h.idp.prompt != "login" {
			t.Errorf("after signing out the provider is asked with prompt %q", h.idp.prompt)
		}
		h.Pass(8 * time.Hour)
		if b.get(h.start); h.idp.prompt != "" {
			t.Errorf("later the provider is asked with prompt %q", h.idp.prompt)
		}
		// Another site cannot sign anybody out.
		b = signedIn(h)
		b.header = http.Header{"Sec-Fetch-Site": {"cross-site"}}
		if page := b.post("/sign-out", nil); page.status != http.StatusForbidden {
			t.Errorf("another site signs out: %d", page.status)
		}
		b.header = http.Header{}
		if !in(b) {
			t.Error("another site signed somebody out")
		}
		// Another provider's word counts from now on.
		h.put(h.Instance.ARN, management, h.idp.URL)
		if in(b) {
			t.Error("still signed in by the word of the provider of before")
		}
		b = signedIn(h)
		h.disable()
		if page := b.get(h.start); page.status != http.StatusForbidden || page.title() != neutral {
			t.Errorf("a disabled person: %d %q", page.status, page.title())
		}
	})
}

// Under TLS the cookies are locked to the host; they are never there for scripts.
func TestCookies(t *testing.T) {
	for web, prefix := range map[string]string{"": "", "https://gate.example.com": "__Host-"} {
		h := open(t, storetest.URL(t, "sqlite"), web)
		b := newBrowser(h)
		b.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		page := b.get(h.web.URL + "/" + h.Instance.ID() + "/start")
		c, err := http.ParseSetCookie(page.header.Get("Set-Cookie"))
		if err != nil {
			t.Fatal(err)
		}
		if c.Name != prefix+"lakegate_flow" || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || c.Secure != (prefix != "") {
			t.Errorf("web door %q: %s", web, page.header.Get("Set-Cookie"))
		}
	}
}

// A program reads what it needs from the start URL; nothing in it is secret, and it signs nobody in.
func TestStartURLForPrograms(t *testing.T) {
	h := newHouse(t)
	b := newBrowser(h)
	b.header.Set("Accept", "application/json")
	page := b.get(h.start)
	var got map[string]string
	if err := json.Unmarshal([]byte(page.text), &got); err != nil {
		t.Fatalf("%v: %s", err, page.text)
	}
	if got["startUrl"] != h.start || got["region"] != "us-east-1" || got["endpoint"] != "https://api.example.com" || len(got) != 3 || len(b.cookies()) != 0 {
		t.Errorf("%v, cookies %q", got, b.cookies())
	}
	if page := b.get(h.web.URL + "/ssoins-0000000000000000/start"); page.status != http.StatusNotFound {
		t.Errorf("an unknown instance: %d", page.status)
	}
}

// TestGuests: other rooms' pages learn who is signed in, and of nobody else.
func TestGuests(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		b := signedIn(h)
		web, err := url.Parse(h.web.URL)
		if err != nil {
			t.Fatal(err)
		}
		cookies := b.client.Jar.Cookies(web)
		ask := func(cookies ...*http.Cookie) *signin.Guest {
			t.Helper()
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, h.web.URL+"/", nil)
			for _, c := range cookies {
				r.AddCookie(c)
			}
			g, err := h.svc.GuestOf(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			return g
		}
		g := ask(cookies...)
		if g == nil || g.Identity.UserID != h.person || g.Identity.InstanceARN != h.Instance.ARN || g.Person.UserName != "mateo" || len(g.Session) == 0 {
			t.Fatalf("%+v", g)
		}
		for _, c := range cookies {
			if strings.Contains(c.Value, string(g.Session)) {
				t.Error("the name of the session gives it away")
			}
		}
		if g := ask(); g != nil {
			t.Errorf("nobody is %+v", g)
		}
		if g := ask(append(cookies, cookies...)...); g != nil {
			t.Errorf("two cookies of one name are %+v", g)
		}
		w := httptest.NewRecorder()
		h.svc.SendToProvider(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, h.web.URL+"/console/", nil), "/console/")
		if to := w.Header().Get("Location"); w.Code != http.StatusSeeOther || !strings.HasPrefix(to, h.idp.URL+"/authorize?") {
			t.Errorf("%d %s", w.Code, to)
		}
		h.disable()
		if g := ask(cookies...); g != nil {
			t.Errorf("a disabled person is %+v", g)
		}
	})
}
