package devidp

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// In a real browser, with the keyboard alone: the page is styled under its own content policy, the first person is one
// Tab away, Enter signs in, and the policy lets the browser go on to the application, at whatever port it is.
func TestSignInByKeyboard(t *testing.T) {
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("needs chromium")
	}
	r := start(t)
	arrived := make(chan *http.Request, 8)
	app := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		if req.URL.Path == "/callback" {
			arrived <- req
		}
	}))
	t.Cleanup(app.Close)
	q := authorizeQuery()
	q.Set("redirect_uri", app.URL+"/callback")

	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-quic", true))
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

	if err := chromedp.Do(ctx,
		chromedp.Navigate(r.url(authorizePath)+"?"+q.Encode()),
		chromedp.WaitVisible(chromedp.CSS("#people button")),
		chromedp.KeyEvent(kb.Tab),
	); err != nil {
		t.Fatal(err)
	}
	look := func(script string) string {
		t.Helper()
		got, err := chromedp.Run(ctx, chromedp.Evaluate[string](script))
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := look(`document.activeElement.dataset.testid || ""`); got != "person-mateo@example.com" {
		t.Errorf("focus on %q", got)
	}
	if got := look(`getComputedStyle(document.activeElement).outlineStyle`); got != "solid" {
		t.Errorf("the focus is shown by an outline that is %q", got)
	}
	if got := look(`getComputedStyle(document.querySelector(".banner")).backgroundColor`); got == "rgba(0, 0, 0, 0)" {
		t.Error("the style sheet did not load")
	}
	if err := chromedp.Do(ctx, chromedp.KeyEvent(kb.Enter)); err != nil {
		t.Fatal(err)
	}
	select {
	case req := <-arrived:
		form := exchangeForm(req.URL.Query().Get("code"))
		form.Set("redirect_uri", app.URL+"/callback")
		if got := r.token(form); got.IDToken == "" || claimsOf(t, got.IDToken)["oid"] != MateoOID {
			t.Errorf("tokens: %+v", got)
		}
	case <-time.After(30 * time.Second):
		t.Error("the browser never came to the application")
	}
}
