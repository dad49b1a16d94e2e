package signin_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/lakegate/lakegate/internal/store"
)

// The trail says who was asked what and how they answered, and holds nothing that somebody could use.
func TestWhatIsRecorded(t *testing.T) {
	h := newHouse(t)
	c, b := newClient(h), signedIn(h)
	page := b.get(h.authorizeURL(c.id))
	b.post("/authorize", url.Values{"ticket": {page.ticket()}, "answer": {"allow"}})
	code := b.query().Get("code")
	d := c.begin()
	asked := b.get(*d.VerificationUriComplete)
	b.post("/device/decision", url.Values{"ticket": {asked.ticket()}, "answer": {"deny"}})
	b.post("/device", url.Values{"user_code": {"BBBB-BBBB"}})
	b.get(h.web.URL + "/device") // an empty form is nothing to record
	h.idp.set(func() { h.idp.subject = "oid-of-nobody" })
	refused := newBrowser(h).get(h.start)
	if refused.status != http.StatusForbidden {
		t.Fatalf("%d", refused.status)
	}
	_, reference, _ := strings.Cut(refused.text, "Reference: <code>")
	reference, _, _ = strings.Cut(reference, "<")

	h.Trail.Flush(t.Context())
	var all []string
	err := h.DB.View(t.Context(), func(q store.Querier) (err error) {
		all, err = store.All(t.Context(), q, func(s store.Scanner) (string, error) {
			var record, steps string
			err := s.Scan(&record, &steps)
			return record + "\n" + steps, err
		}, `SELECT record, steps FROM events ORDER BY time, id`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(all, "\n")
	for _, want := range []string{
		`"eventName":"UserAuthentication"`, `"eventName":"Authorize"`, `"outcome":"asked the person"`, `"outcome":"gave a code"`, `"clientName":"the client"`,
		`"eventName":"AuthorizeDevice"`, `"outcome":"denied"`, `"deviceAddress":"192.0.2.7"`, `"eventName":"FindDevice"`, h.person, `"personUserName":"mateo"`,
		reference, "0 people have the externalId",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the trail lacks %s", want)
		}
	}
	// The link, and the typed code that was nobody's.
	if got := strings.Count(text, `"eventName":"FindDevice"`); got != 2 {
		t.Errorf("%d codes were looked for, want 2", got)
	}
	u, _ := url.Parse(h.web.URL)
	secrets := map[string]string{
		"code": code, "client secret": c.secret, "secret at the provider": clientSecret, "device code": *d.DeviceCode, "user code": *d.UserCode,
		"user code as it is kept": strings.ReplaceAll(*d.UserCode, "-", ""), "ticket": page.ticket(), "device's ticket": asked.ticket(), "state": "the state", "challenge": challenge(),
	}
	for _, cookie := range b.client.Jar.Cookies(u) {
		secrets[cookie.Name] = cookie.Value
	}
	if len(secrets["lakegate_session"]) < 40 {
		t.Fatal("the browser has no session cookie")
	}
	for name, s := range secrets {
		if s == "" || strings.Contains(text, s) {
			t.Errorf("the trail has the %s %q", name, s)
		}
	}
}
