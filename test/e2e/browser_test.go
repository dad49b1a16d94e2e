package e2e

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"
)

// artifacts is where screenshots are kept for whoever looks at a run afterwards.
const artifacts = "../../artifacts"

// browser is one window of Chromium with a profile of its own.
type browser struct {
	t   *testing.T
	ctx context.Context
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	options := slices.Concat(chromedp.DefaultExecAllocatorOptions[:], []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(need(t, "chromium")), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.WindowSize(1200, 850),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("no-proxy-server", true),
	})
	// From Background: the browser has to outlive the test's own context, so that Cancel can wait for it to end.
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil {
			t.Logf("end browser: %v", err)
		}
	})
	// The first step starts the browser, and its context is the browser's life: it has no deadline.
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(1200, 850)); err != nil {
		t.Fatalf("start browser: %v", err)
	}
	return &browser{t: t, ctx: ctx}
}

// do takes steps that must succeed. What has not come after a while will not come: a screenshot shows what was there.
func (b *browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 30*time.Second)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.shot(strings.ReplaceAll(b.t.Name(), "/", "-") + "-failed")
		b.t.Fatalf("browser: %v", err)
	}
}

// look evaluates an expression in the page.
func look[T any](b *browser, script string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](script))
	if err != nil {
		b.t.Fatalf("browser: %s: %v", script, err)
	}
	return v
}

func (b *browser) text(selector string) string {
	b.t.Helper()
	return look[string](b, `(document.querySelector('`+selector+`') || {innerText: ""}).innerText`)
}

// shot keeps a picture of what the window shows.
func (b *browser) shot(name string) {
	b.t.Helper()
	picture, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.t.Logf("screenshot %s: %v", name, err)
		return
	}
	if err := os.MkdirAll(artifacts, 0o750); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(artifacts, name+".png"), picture, 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// signIn goes from the start page through the provider's page by clicking on a person.
func (b *browser) signIn(p *process, user, prefix string) {
	b.t.Helper()
	b.do(chromedp.Navigate("http://"+p.App+"/"), chromedp.WaitVisible(chromedp.CSS("#sign-in")))
	b.shot(prefix + "-1-welcome")
	b.do(chromedp.Click(chromedp.CSS("#sign-in")), chromedp.WaitVisible(chromedp.CSS(`[data-testid="person-`+user+`"]`)))
	if at := look[string](b, "location.host"); at != p.IDP {
		b.t.Fatalf("the sign-in is at %s, want the provider's page at %s", at, p.IDP)
	}
	b.shot(prefix + "-2-provider")
	b.do(chromedp.Click(chromedp.CSS(`[data-testid="person-`+user+`"]`)), chromedp.WaitVisible(chromedp.CSS("#person")))
	if at := look[string](b, "location.host"); at != p.App {
		b.t.Fatalf("after the sign-in the browser is at %s, want the application at %s", at, p.App)
	}
}

// try asks for a place on the page Try any prefix, and waits for what becomes of it.
func (b *browser) try(p *process, location, outcome string) {
	b.t.Helper()
	b.do(chromedp.Navigate("http://"+p.App+"/try"), chromedp.WaitVisible(chromedp.CSS("#try-form")),
		chromedp.SetValue(chromedp.CSS("#location"), location), chromedp.Click(chromedp.CSS("#try-button")), chromedp.WaitVisible(chromedp.CSS(outcome)))
}

func (b *browser) signOut() {
	b.t.Helper()
	b.do(chromedp.Click(chromedp.CSS("#sign-out")), chromedp.WaitVisible(chromedp.CSS(`[data-testid="signed-out"]`)))
}

// The story that the demonstration tells, as a newcomer sees it.
func TestDataApplicationInABrowser(t *testing.T) {
	b := newBrowser(t)
	p := start(t, append([]string{"demo", "--no-browser"}, anyPorts(true)...)...)
	const red, blue = "s3://sales-data-111111111111/red/", "s3://sales-data-111111111111/blue/"

	t.Run("Mateo sees the red sales", func(t *testing.T) {
		b := &browser{t: t, ctx: b.ctx}
		b.signIn(p, mateo, "mateo")
		b.do(chromedp.WaitVisible(chromedp.CSS("#chart svg")))
		b.shot("mateo-3-chart")
		if got := b.text("#person"); got != "Mateo Jackson" {
			t.Errorf("signed in as %q", got)
		}
		if n := look[int](b, `document.querySelectorAll("#chart svg .slice").length`); n < 3 {
			t.Errorf("%d slices in the chart", n)
		}
		products := look[[]string](b, `[...document.querySelectorAll("[data-testid=table] tbody th")].map(e => e.innerText.trim())`)
		if !slices.Contains(products, "Tomatoes") || slices.Contains(products, "Plums") {
			t.Errorf("products = %v, want red things", products)
		}
		want := map[string]string{
			"grant-person": "Mateo Jackson", "grantee-type": "DIRECTORY_GROUP", "matched-grant-target": red + "*", "permission": "READ", "location": red,
		}
		got := map[string]string{}
		for id := range want {
			got[id] = b.text(`[data-testid="` + id + `"]`)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("what the page says of the grant (-want +got):\n%s", diff)
		}
		if key := b.text(`[data-testid="access-key-id"]`); !regexp.MustCompile(`^ASIA[A-Z2-7]{16}$`).MatchString(key) {
			t.Errorf("access key = %q, want a temporary one", key)
		}
	})
	t.Run("another month has other figures", func(t *testing.T) {
		b := &browser{t: t, ctx: b.ctx}
		months := look[[]string](b, `[...document.querySelectorAll("#month option")].map(e => e.value)`)
		if len(months) != 3 {
			t.Fatalf("months = %v, want this one and the two before it", months)
		}
		shown, total := look[string](b, `document.querySelector("#month").value`), b.text("[data-testid=table] tfoot")
		other := months[slices.IndexFunc(months, func(m string) bool { return m != shown })]
		b.do(chromedp.SetValue(chromedp.CSS("#month"), other), chromedp.Click(chromedp.CSS(".months button")),
			chromedp.WaitReady(chromedp.CSS(`#month option[value="`+other+`"][selected]`)))
		if again := b.text("[data-testid=table] tfoot"); again == total || again == "" {
			t.Errorf("total of %s = %q, of %s = %q", shown, total, other, again)
		}
	})
	t.Run("Mateo is refused the blue prefix", func(t *testing.T) {
		b := &browser{t: t, ctx: b.ctx}
		b.try(p, blue, "#refusal")
		b.shot("mateo-4-refused")
		if code := b.text(`[data-testid="error-code"]`); code != "AccessDenied" {
			t.Errorf("code = %q", code)
		}
		if m := b.text(`[data-testid="error-message"]`); !strings.Contains(m, "You do not have READ permissions to the requested S3 Prefix: "+blue+"*") {
			t.Errorf("message = %q", m)
		}
		id := b.text(`[data-testid="error-request-id"]`)
		if out := p.lakegate("why", id, "--dir", p.dir, "--account", dataAccount); !strings.Contains(out, "GetDataAccess") || !strings.Contains(out, mateo) || !strings.Contains(out, "fail") {
			t.Errorf("why %s = %s", id, out)
		}
		b.try(p, red, "#allowed")
		b.shot("mateo-5-allowed")
		if rows := b.text(`[data-testid="listing"]`); !strings.Contains(rows, "sales-") {
			t.Errorf("listing = %q", rows)
		}
	})
	t.Run("signed out is signed out", func(t *testing.T) {
		b := &browser{t: t, ctx: b.ctx}
		b.signOut()
		b.shot("mateo-6-signed-out")
		b.do(chromedp.Navigate("http://" + p.App + "/"))
		if text := b.text("body"); strings.Contains(text, "Mateo") {
			t.Errorf("after signing out the page says %q", text)
		}
	})
	t.Run("Ana is refused the red sales and sees the blue", func(t *testing.T) {
		b := &browser{t: t, ctx: b.ctx}
		b.signIn(p, "ana@example.com", "ana")
		b.do(chromedp.WaitVisible(chromedp.CSS("#refusal")))
		b.shot("ana-3-refused")
		if got := b.text("#person"); got != "Ana Silva" {
			t.Errorf("signed in as %q", got)
		}
		if code := b.text(`[data-testid="error-code"]`); code != "AccessDenied" {
			t.Errorf("code = %q", code)
		}
		if look[bool](b, `document.querySelector("#chart") !== null`) {
			t.Error("there is a chart for who is refused the figures")
		}
		b.try(p, blue, "#allowed")
		b.shot("ana-4-allowed")
		if got := b.text(`[data-testid="matched-grant-target"]`); got != blue+"*" {
			t.Errorf("matched grant = %q", got)
		}
		b.try(p, red, "#refusal")
		b.signOut()
	})
	t.Run("the screen names the people whom the provider knows", func(t *testing.T) {
		w := &world{process: p, t: t}
		w.discover()
		screen := p.log.String()
		for _, u := range w.people.Users {
			if !strings.Contains(screen, u.DisplayName) || !strings.Contains(screen, u.UserName+" ") {
				t.Errorf("the screen does not name %s, %s", u.DisplayName, u.UserName)
			}
		}
	})
}
