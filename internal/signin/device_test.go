package signin_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/lakegate/lakegate/internal/api/ssooidc"
)

// The answers to a device that asks, one after the other (RFC 8628 §3.5).
func TestDeviceSignIn(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		c := newClient(h)
		d := c.begin()
		if *d.ExpiresIn != 600 || *d.Interval != 1 || *d.VerificationUri != h.web.URL+"/device" || !strings.HasPrefix(*d.VerificationUriComplete, *d.VerificationUri+"?user_code=") {
			t.Errorf("started: %+v", d)
		}
		expect := func(want string) *ssooidc.CreateTokenOutput {
			t.Helper()
			out, got := c.poll(*d.DeviceCode)
			if got != want {
				t.Errorf("the device is answered %q, want %q", got, want)
			}
			return out
		}
		expect("AuthorizationPendingException")
		expect("SlowDownException") // at once: 6 seconds from now on
		h.Pass(5 * time.Second)
		expect("SlowDownException") // 11 seconds
		h.Pass(7 * time.Second)
		expect("AuthorizationPendingException")
		if _, got := newClient(h).poll(*d.DeviceCode); got != "InvalidGrantException" {
			t.Errorf("another client is answered %q", got)
		}
		b := newBrowser(h)
		page := b.get(*d.VerificationUriComplete)
		for _, want := range []string{"the client", *d.UserCode, "mateo", "192.0.2.7"} {
			if !strings.Contains(page.text, want) {
				t.Errorf("the page does not name %q", want)
			}
		}
		h.Pass(11 * time.Second)
		expect("AuthorizationPendingException") // the page alone decides nothing
		if s := b.post("/device/decision", url.Values{"ticket": {page.ticket()}, "answer": {"allow"}}); s.title() != "Signed in" {
			t.Fatalf("allowing it: %d %q", s.status, s.title())
		}
		out := expect("")
		if *out.TokenType != "Bearer" || *out.ExpiresIn != 3600 || out.RefreshToken == nil || out.IdToken != nil {
			t.Errorf("tokens: %+v", out)
		}
		a, err := h.tokens.OpenAccess(t.Context(), *out.AccessToken)
		if err != nil || a.Person.UserID != h.person || a.Client != c.id || a.Person.InstanceARN != h.Instance.ARN || fmt.Sprint(a.Scopes) != "[sso:account:access]" {
			t.Errorf("access: %+v, %v", a, err)
		}
		expect("InvalidGrantException") // once
		next, got := c.token(&ssooidc.CreateTokenInput{GrantType: "refresh_token", RefreshToken: out.RefreshToken})
		if got != "" || *next.AccessToken == *out.AccessToken || *next.RefreshToken == *out.RefreshToken {
			t.Errorf("refreshing: %q", got)
		}
		if _, got := newClient(h).token(&ssooidc.CreateTokenInput{GrantType: "refresh_token", RefreshToken: next.RefreshToken}); got != "InvalidGrantException" {
			t.Errorf("another client refreshes with it: %q", got)
		}
	})
}

func TestDeviceSignInThatIsRefused(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		c, b := newClient(h), signedIn(h)
		d := c.begin()
		page := b.get(*d.VerificationUriComplete)
		// What is not a yes is a no.
		if s := b.post("/device/decision", url.Values{"ticket": {page.ticket()}}); s.title() != "Not allowed" {
			t.Errorf("refusing: %d %q", s.status, s.title())
		}
		if _, got := c.poll(*d.DeviceCode); got != "AccessDeniedException" {
			t.Errorf("the device is answered %q", got)
		}
		if s := b.post("/device/decision", url.Values{"ticket": {page.ticket()}, "answer": {"allow"}}); s.status != http.StatusBadRequest {
			t.Errorf("changing one's mind: %d %q", s.status, s.title())
		}
		if _, got := c.poll(*d.DeviceCode); got != "AccessDeniedException" {
			t.Errorf("after that the device is answered %q", got)
		}
	})
}

func TestDeviceSignInThatExpires(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		c, b := newClient(h), signedIn(h)
		d := c.begin()
		page := b.get(*d.VerificationUriComplete)
		h.Pass(10*time.Minute - time.Millisecond)
		if _, got := c.poll(*d.DeviceCode); got != "AuthorizationPendingException" {
			t.Errorf("right before: %q", got)
		}
		h.Pass(time.Millisecond)
		if _, got := c.poll(*d.DeviceCode); got != "ExpiredTokenException" {
			t.Errorf("expired: %q", got)
		}
		if s := b.post("/device/decision", url.Values{"ticket": {page.ticket()}, "answer": {"allow"}}); s.status != http.StatusBadRequest {
			t.Errorf("allowing an expired one: %d", s.status)
		}
		if s := b.get(*d.VerificationUriComplete); s.status != http.StatusBadRequest || s.ticket() != "" {
			t.Errorf("opening an expired one: %d", s.status)
		}
		if err := h.svc.Tend(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, got := c.poll(*d.DeviceCode); got != "ExpiredTokenException" {
			t.Errorf("tended: %q", got)
		}
		h.Pass(time.Hour + time.Minute)
		if err := h.svc.Tend(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, got := c.poll(*d.DeviceCode); got != "InvalidGrantException" {
			t.Errorf("forgotten: %q", got)
		}
	})
}

// Somebody who is not the person at the page does not decide for them.
func TestDeviceAttacks(t *testing.T) {
	h := newHouse(t)
	c := newClient(h)
	victim := signedIn(h)
	d := c.begin()
	still := func(what string) {
		t.Helper()
		h.Pass(2 * time.Minute) // longer than any wait that is asked for
		if _, got := c.poll(*d.DeviceCode); got != "AuthorizationPendingException" && got != "ExpiredTokenException" {
			t.Errorf("%s: the device is answered %q", what, got)
		}
		d = c.begin()
	}

	// Phishing by link: whoever follows it while signed in has decided nothing, however often, by whatever method.
	for range 3 {
		victim.get(*d.VerificationUriComplete)
	}
	victim.get(*d.VerificationUriComplete + "&answer=allow")
	victim.get(h.web.URL + "/device/decision?answer=allow")
	victim.post("/device", url.Values{"user_code": {*d.UserCode}, "answer": {"allow"}})
	still("a link")

	// A form of another site.
	page := victim.get(*d.VerificationUriComplete)
	for name, header := range map[string]http.Header{
		"cross-site": {"Sec-Fetch-Site": {"cross-site"}}, "same-site": {"Sec-Fetch-Site": {"same-site"}},
		"an origin": {"Sec-Fetch-Site": {}, "Origin": {"https://evil.example.com"}},
	} {
		victim.header = header
		if s := victim.post("/device/decision", url.Values{"ticket": {page.ticket()}, "answer": {"allow"}}); s.status != http.StatusForbidden {
			t.Errorf("%s: %d", name, s.status)
		}
		victim.header = http.Header{}
	}
	still("another site's form")

	// The attacker's own ticket, in the victim's browser: the attacker would sign the victim in as themselves, or the other
	// way round.
	h.Person(t, "eve", "oid-of-eve")
	h.idp.set(func() { h.idp.subject = "oid-of-eve" })
	attacker := signedIn(h)
	stolen := attacker.get(*d.VerificationUriComplete)
	for name, form := range map[string]url.Values{
		"of another browser": {"ticket": {stolen.ticket()}, "answer": {"allow"}},
		"none":               {"answer": {"allow"}, "user_code": {*d.UserCode}},
		"altered":            {"ticket": {altered(stolen.ticket(), 40)}, "answer": {"allow"}},
		"of another kind":    {"ticket": {victim.get(h.authorizeURL(c.id)).ticket()}, "answer": {"allow"}},
	} {
		if s := victim.post("/device/decision", form); s.status != http.StatusBadRequest || s.title() != "This page is no longer open" {
			t.Errorf("ticket %s: %d %q", name, s.status, s.title())
		}
	}
	still("a ticket that is not this browser's")

	// A browser in which nobody is signed in.
	page = victim.get(*d.VerificationUriComplete)
	if s := newBrowser(h).post("/device/decision", url.Values{"ticket": {page.ticket()}, "answer": {"allow"}}); s.status != http.StatusBadRequest {
		t.Errorf("nobody: %d", s.status)
	}
	still("nobody")

	// The person is disabled between the page and the answer, or between the answer and the tokens.
	page = victim.get(*d.VerificationUriComplete)
	second := c.begin()
	if s := victim.post("/device/decision", url.Values{"ticket": {victim.get(*second.VerificationUriComplete).ticket()}, "answer": {"allow"}}); s.title() != "Signed in" {
		t.Fatalf("%d %q", s.status, s.title())
	}
	h.disable()
	if s := victim.post("/device/decision", url.Values{"ticket": {page.ticket()}, "answer": {"allow"}}); s.status != http.StatusBadRequest {
		t.Errorf("a disabled person: %d", s.status)
	}
	still("a disabled person")
	if _, got := c.poll(*second.DeviceCode); got != "AccessDeniedException" {
		t.Errorf("a person who was disabled after allowing it: %q", got)
	}
}

func TestGuessingUserCodes(t *testing.T) {
	h := newHouse(t)
	c := newClient(h)
	d := c.begin()
	b := newBrowser(h)
	for i := range 10 {
		if s := b.post("/device", url.Values{"user_code": {fmt.Sprintf("BBBB-BBB%c", "BCDFGHJKLM"[i])}}); s.status != http.StatusBadRequest {
			t.Fatalf("guess %d: %d", i, s.status)
		}
	}
	// Not even the right one, by either way, until the time is over; others are not held up.
	if s := b.post("/device", url.Values{"user_code": {*d.UserCode}}); s.status != http.StatusTooManyRequests {
		t.Errorf("after ten guesses: %d", s.status)
	}
	if s := b.get(*d.VerificationUriComplete); s.status != http.StatusTooManyRequests {
		t.Errorf("after ten guesses, by link: %d", s.status)
	}
	other := newBrowser(h)
	other.header.Set("X-Test-Source", "192.0.2.8")
	if s := other.get(*d.VerificationUriComplete); s.status != http.StatusOK {
		t.Errorf("somebody else: %d", s.status)
	}
	h.Pass(10 * time.Minute)
	d = c.begin()
	if s := b.get(*d.VerificationUriComplete); s.status != http.StatusOK {
		t.Errorf("later: %d", s.status)
	}
}

func TestStartDeviceAuthorizationRefuses(t *testing.T) {
	h := newHouse(t)
	c := newClient(h)
	other := newClient(h)
	noDevice := newClient(h, func(in *ssooidc.RegisterClientInput) { in.GrantTypes = []string{"authorization_code"} })
	for name, x := range map[string]struct {
		id, secret, start, want string
	}{
		"another secret":     {c.id, other.secret, h.start, "InvalidClientException"},
		"no secret":          {c.id, "x", h.start, "InvalidClientException"},
		"an unknown client":  {"x", c.secret, h.start, "InvalidClientException"},
		"not its grant":      {noDevice.id, noDevice.secret, h.start, "UnauthorizedClientException"},
		"another start URL":  {c.id, c.secret, "https://example.awsapps.com/start", "InvalidRequestException"},
		"an unknown one":     {c.id, c.secret, h.web.URL + "/ssoins-0000000000000000/start", "InvalidRequestException"},
		"a longer host":      {c.id, c.secret, strings.Replace(h.start, "127.0.0.1", "127.0.0.1.evil.com", 1), "InvalidRequestException"},
		"with a fragment":    {c.id, c.secret, h.start + "/#/", ""},
		"the bare instance":  {c.id, c.secret, strings.TrimSuffix(h.start, "/start"), ""},
		"just as it is":      {c.id, c.secret, h.start, ""},
		"with a query in it": {c.id, c.secret, h.start + "?x", "InvalidRequestException"},
	} {
		_, err := h.svc.StartDeviceAuthorization(t.Context(), &ssooidc.StartDeviceAuthorizationInput{ClientId: x.id, ClientSecret: x.secret, StartUrl: x.start})
		if got := codeOf(t, err); got != x.want {
			t.Errorf("%s: %q, want %q", name, got, x.want)
		}
	}
	slow := 0
	for range 40 {
		_, err := h.svc.StartDeviceAuthorization(h.from("198.51.100.1"), &ssooidc.StartDeviceAuthorizationInput{ClientId: c.id, ClientSecret: c.secret, StartUrl: h.start})
		if codeOf(t, err) == "SlowDownException" {
			slow++
		}
	}
	if slow != 10 {
		t.Errorf("of 40 at once from one source %d are slowed down, want 10", slow)
	}
}

// Of many who ask at once with one device code, one gets tokens.
func TestDeviceCodeServesOnce(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		c, b := newClient(h), signedIn(h)
		d := c.begin()
		b.post("/device/decision", url.Values{"ticket": {b.get(*d.VerificationUriComplete).ticket()}, "answer": {"allow"}})
		served := make(chan bool)
		const many = 8
		for range many {
			go func() {
				_, err := h.svc.CreateToken(t.Context(), &ssooidc.CreateTokenInput{ClientId: c.id, ClientSecret: c.secret, GrantType: grantDevice, DeviceCode: d.DeviceCode})
				served <- err == nil
			}()
		}
		n := 0
		for range many {
			if <-served {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%d of %d are served", n, many)
		}
	})
}
