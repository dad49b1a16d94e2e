package dataapp

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/google/go-cmp/cmp"
)

// house is the application between an identity provider and a cloud, with one browser in front.
type house struct {
	t      *testing.T
	clock  *clock
	issuer *issuer
	cloud  *cloud
	app    *App
	url    string
	log    *bytes.Buffer
	client *http.Client
}

const november = "date,product,region,quantity,revenue\n2026-11-03,Tomatoes,North,120,300.00\n2026-11-04,Cherries,South,10,100.00\n"

func newHouse(t *testing.T) *house {
	t.Helper()
	clock := &clock{t: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)}
	h := &house{t: t, clock: clock, issuer: newIssuer(t, clock), cloud: newCloud(t, clock), log: &bytes.Buffer{}}
	h.cloud.scopes = map[string]map[string]string{
		"mateo": {"s3://red-bucket/red/": "group-of-red"}, "ana": {"s3://blue-bucket/blue/": "group-of-blue"},
	}
	h.cloud.objects = map[string]string{
		"s3://red-bucket/red/sales-2026-11.csv":    november,
		"s3://red-bucket/red/sales-2026-10.csv":    strings.ReplaceAll(november, "2026-11", "2026-10"),
		"s3://red-bucket/red/readme.txt":           "not sales",
		"s3://blue-bucket/blue/blue-2026-11.csv":   november,
		"s3://red-bucket/secret/sales-2026-11.csv": november,
	}
	server := httptest.NewUnstartedServer(nil)
	address := "http://" + server.Listener.Addr().String()
	h.app = h.build(address)
	server.Config.Handler = h.app
	server.Start()
	t.Cleanup(server.Close)
	h.url = address
	h.client = h.browser()
	return h
}

func (h *house) build(address string) *App {
	h.t.Helper()
	cfg, err := FromEnvironment(func(name string) string {
		return map[string]string{
			"DATAAPP_URL": address, "OIDC_ISSUER": h.issuer.URL, "OIDC_CLIENT_ID": clientID,
			"APPLICATION_ARN":   "arn:aws:sso::222222222222:application/ssoins-0123456789abcdef/apl-0123456789abcdef",
			"IDENTITY_ROLE_ARN": "arn:aws:iam::111111111111:role/Identity", "ACCESS_GRANTS_ACCOUNT": "111111111111",
			"DATA_LOCATION": "s3://red-bucket/red/", "OTHER_LOCATIONS": "s3://blue-bucket/blue/",
			"AWS_ENDPOINT_URL": "http://cloud.test",
		}[name]
	})
	if err != nil {
		h.t.Fatal(err)
	}
	// The client of s3control writes the account before the host's name, so the names lead nowhere and the proxy rule brings
	// every request to the cloud.
	proxy, err := url.Parse(h.cloud.URL)
	if err != nil {
		h.t.Fatal(err)
	}
	transport := &http.Transport{Proxy: http.ProxyURL(proxy)}
	h.t.Cleanup(transport.CloseIdleConnections)
	cfg.AWS = aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String("http://cloud.test"), HTTPClient: &http.Client{Transport: transport},
		Credentials:      credentials.NewStaticCredentialsProvider("AKIAEXAMPLE", "secret-of-the-application", ""),
		RetryMaxAttempts: 1,
	}
	cfg.Now, cfg.Log = h.clock.now, slog.New(slog.NewTextHandler(&lockedWriter{w: h.log}, nil))
	app, err := New(cfg)
	if err != nil {
		h.t.Fatal(err)
	}
	return app
}

type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

func (h *house) browser() *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		h.t.Fatal(err)
	}
	return &http.Client{Jar: jar}
}

func (h *house) do(req *http.Request) (int, string) {
	h.t.Helper()
	answer, err := h.client.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

func (h *house) get(path string) (int, string) {
	h.t.Helper()
	req, err := http.NewRequestWithContext(h.t.Context(), http.MethodGet, h.url+path, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	return h.do(req)
}

func (h *house) post(path string, form url.Values, headers ...string) (int, string) {
	h.t.Helper()
	req, err := http.NewRequestWithContext(h.t.Context(), http.MethodPost, h.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return h.do(req)
}

func (h *house) try(location, permission string) (int, string) {
	h.t.Helper()
	return h.post("/try", url.Values{"location": {location}, "permission": {permission}})
}

func wantPage(t *testing.T, status int, page string, wantStatus int, wantTexts ...string) {
	t.Helper()
	if status != wantStatus {
		t.Errorf("status %d, want %d", status, wantStatus)
	}
	for _, want := range wantTexts {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if t.Failed() {
		t.Logf("page:\n%s", page)
	}
}

func wantCalls(t *testing.T, got []string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

var wholeChain = []string{"CreateTokenWithIAM", "AssumeRole", "GetDataAccess", "ListObjectsV2", "GetObject"}

func TestFromSignInToPie(t *testing.T) {
	h := newHouse(t)
	status, page := h.get("/")
	wantPage(t, status, page, http.StatusOK, `id="sign-in"`)

	status, page = h.get("/signin")
	wantPage(t, status, page, http.StatusOK, `<h1 id="person" data-testid="person">Mateo Jackson</h1>`, "mateo@example.com",
		`id="chart"`, `<title id="chart-title">Sales of tomatoes and other red things, November 2026</title>`,
		"Share of revenue by product: Tomatoes 75.0%, Cherries 25.0%.", `class="slice c0"`, "300.00", "400.00",
		`id="grant"`, "a directory group of yours", "DIRECTORY_GROUP", "group-of-red", "s3://red-bucket/red/*", "ASIA00000003",
		`datetime="2026-11-20T13:00:00Z"`, "60 minutes left", `<option value="2026-11" selected>`, `<option value="2026-10">`)
	wantCalls(t, h.cloud.made(), wholeChain...)
	if diff := cmp.Diff([]string{"mateo@example.com"}, h.cloud.names); diff != "" {
		t.Errorf("role session names (-want +got):\n%s", diff)
	}

	status, page = h.get("/?month=2026-10")
	wantPage(t, status, page, http.StatusOK, "October 2026</title>", `<option value="2026-10" selected>`)
	wantCalls(t, h.cloud.made(), "ListObjectsV2", "GetObject")

	status, page = h.get("/?month=1999-01")
	wantPage(t, status, page, http.StatusOK, `data-testid="notice"`, "November 2026</title>")
}

func TestIdentityContextFromTheClaim(t *testing.T) {
	h := newHouse(t)
	h.cloud.inClaim = true
	status, page := h.get("/signin")
	wantPage(t, status, page, http.StatusOK, `id="chart"`)
}

func TestTryAnyPrefix(t *testing.T) {
	h := newHouse(t)
	h.get("/signin")
	status, page := h.get("/try")
	wantPage(t, status, page, http.StatusOK, `id="try-form"`, `value="s3://blue-bucket/blue/"`)

	tests := []struct {
		name, location, permission string
		status                     int
		texts                      []string
	}{
		{"granted", "s3://red-bucket/red/", "READ", 200, []string{`id="allowed"`, "red/readme.txt", "9 B", `id="grant"`}},
		{"one object of a granted prefix", "s3://red-bucket/red/readme.txt", "READ", 200, []string{`id="allowed"`, "red/readme.txt"}},
		{"to write, which writes nothing", "s3://red-bucket/red/", "WRITE", 200, []string{`id="allowed"`, "nothing was written"}},
		{"another person's data", "s3://blue-bucket/blue/", "READ", 403, []string{
			`id="refusal"`, "No access grant gives Mateo Jackson read access to s3://blue-bucket/blue/*.", "AccessDenied",
			"You do not have READ permissions to the requested S3 Prefix: s3://blue-bucket/blue/*", "request-of-the-service"}},
		{"beside the granted prefix", "s3://red-bucket/secret/", "READ", 403, []string{`id="refusal"`}},
		{"above the granted prefix", "s3://red-bucket", "READ", 403, []string{`id="refusal"`, "s3://red-bucket/*"}},
		{"a permission not granted", "s3://red-bucket/red/", "READWRITE", 403, []string{`id="refusal"`, "read and write access"}},
		{"no location", "red-bucket", "READ", 400, []string{`data-testid="wrong"`, "must start with s3://", "aria-invalid"}},
		{"markup", `s3://red-bucket/"><script>x</script>`, "READ", 403, []string{"&lt;script&gt;"}},
		{"an unknown permission", "s3://red-bucket/red/", "OWN", 400, []string{"Choose a permission"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, page := h.try(tt.location, tt.permission)
			wantPage(t, status, page, tt.status, tt.texts...)
			if strings.Contains(page, "<script") {
				t.Error("the page has a script")
			}
		})
	}
}

func TestRenewal(t *testing.T) {
	h := newHouse(t)
	h.get("/signin")
	wantCalls(t, h.cloud.made(), wholeChain...)

	read := wholeChain[3:]
	steps := []struct {
		name   string
		before func()
		calls  []string
	}{
		{"all lives: only the data is read", func() { h.clock.move(30 * time.Minute) }, read},
		{"all has expired: the refresh token brings a new ID token", func() { h.clock.move(40 * time.Minute) }, wholeChain},
		{"storage refuses the vended credentials: they are vended anew", func() { h.drop("vended") },
			append([]string{"ListObjectsV2", "GetDataAccess"}, read...)},
		{"the session is refused too: a new one on the same context", func() { h.drop("vended"); h.drop("session") },
			append([]string{"ListObjectsV2", "GetDataAccess", "AssumeRole", "GetDataAccess"}, read...)},
		{"the context is refused too: a new exchange", func() { h.drop("vended"); h.drop("session"); h.drop("context") },
			append([]string{"ListObjectsV2", "GetDataAccess", "AssumeRole", "CreateTokenWithIAM", "AssumeRole", "GetDataAccess"}, read...)},
	}
	for _, step := range steps {
		t.Run(step.name, func(t *testing.T) {
			step.before()
			status, page := h.get("/")
			wantPage(t, status, page, http.StatusOK, `id="chart"`)
			wantCalls(t, h.cloud.made(), step.calls...)
		})
	}
}

// drop makes the cloud refuse everything of a kind that it has issued so far.
func (h *house) drop(kind string) {
	h.cloud.change(func() {
		for n := range h.cloud.issued + 1 {
			for _, who := range []string{"mateo", "s3://red-bucket/red/"} {
				h.cloud.gone[fmt.Sprintf("%s|%s|%d", kind, who, n)] = true
			}
		}
	})
}

func TestWithoutARefreshTokenThePersonSignsInAgain(t *testing.T) {
	h := newHouse(t)
	h.issuer.noRefresh = true
	h.get("/signin")
	h.clock.move(2 * time.Hour)
	status, page := h.get("/")
	wantPage(t, status, page, http.StatusUnauthorized, "Your sign-in has run out.", `href="/signin?choose"`)
	status, page = h.get("/")
	wantPage(t, status, page, http.StatusOK, `id="sign-in"`)
}

func TestARightThatIsGone(t *testing.T) {
	h := newHouse(t)
	h.get("/signin")
	h.drop("vended")
	h.cloud.change(func() { delete(h.cloud.scopes["mateo"], "s3://red-bucket/red/") })
	status, page := h.get("/")
	wantPage(t, status, page, http.StatusForbidden, `id="refusal"`, "No access grant gives Mateo Jackson read access")
	if strings.Contains(page, "300.00") {
		t.Error("the page still shows figures")
	}
	status, _ = h.get("/")
	wantPage(t, status, page, http.StatusForbidden)
	h.cloud.change(func() { h.cloud.scopes["mateo"]["s3://red-bucket/red/"] = "group-of-red" })
	status, page = h.get("/")
	wantPage(t, status, page, http.StatusOK, `id="chart"`)
}

func TestAPersonWhomIdentityCenterDoesNotKnow(t *testing.T) {
	h := newHouse(t)
	h.issuer.person = map[string]any{"sub": "stranger", "name": "Stranger"}
	status, page := h.get("/signin")
	wantPage(t, status, page, http.StatusForbidden, `id="refusal"`, "not accepted for this application", "InvalidGrantException", "no such user")
}

func TestServicesThatDoNotWork(t *testing.T) {
	h := newHouse(t)
	h.cloud.down = true
	status, page := h.get("/signin")
	wantPage(t, status, page, http.StatusBadGateway, `id="failure"`)
	h.cloud.change(func() { h.cloud.down = false })
	status, page = h.get("/")
	wantPage(t, status, page, http.StatusOK, `id="chart"`)

	h.cloud.change(func() {
		h.cloud.objects["s3://red-bucket/red/sales-2026-11.csv"] = november + "2026-11-05,Plums,East,many,1.00\n"
	})
	status, page = h.get("/")
	wantPage(t, status, page, http.StatusBadGateway, "The file sales-2026-11.csv cannot be used: line 4: &#34;many&#34; is not a quantity.")

	h.issuer.Close()
	h.client = h.browser()
	h.app.provider.known = nil
	status, page = h.get("/signin")
	wantPage(t, status, page, http.StatusBadGateway, "The identity provider does not answer.")
}

func TestNothingAtTheLocation(t *testing.T) {
	h := newHouse(t)
	h.cloud.objects = nil
	status, page := h.get("/signin")
	wantPage(t, status, page, http.StatusOK, `data-testid="empty"`)
}

func TestSignOut(t *testing.T) {
	h := newHouse(t)
	h.get("/signin")
	base, _ := url.Parse(h.url)
	kept := h.client.Jar.Cookies(base)
	status, page := h.post("/signout", nil)
	wantPage(t, status, page, http.StatusOK, `data-testid="signed-out"`, `href="/signin?choose"`)

	h.client.Jar.SetCookies(base, kept)
	status, page = h.get("/")
	wantPage(t, status, page, http.StatusOK, `id="sign-in"`)

	h.get("/signin?choose")
	if diff := cmp.Diff([]string{"", "select_account"}, h.issuer.prompts); diff != "" {
		t.Errorf("prompts (-want +got):\n%s", diff)
	}
}

func TestTwoPeopleDoNotMix(t *testing.T) {
	h := newHouse(t)
	h.get("/signin")
	mateo := h.client
	h.issuer.person = map[string]any{"sub": "ana", "name": "Ana Silva", "email": "ana@example.com"}
	h.client = h.browser()
	status, page := h.get("/signin")
	wantPage(t, status, page, http.StatusForbidden, "Ana Silva", `id="refusal"`)
	status, page = h.try("s3://blue-bucket/blue/", "READ")
	wantPage(t, status, page, http.StatusOK, "blue/blue-2026-11.csv", "group-of-blue")
	h.client = mateo
	status, page = h.try("s3://blue-bucket/blue/", "READ")
	wantPage(t, status, page, http.StatusForbidden, `id="refusal"`)
}

func TestManyRequestsRenewOnce(t *testing.T) {
	h := newHouse(t)
	h.get("/signin")
	h.cloud.made()
	h.clock.move(2 * time.Hour)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			answer, err := h.client.Get(h.url + "/")
			if err != nil {
				t.Error(err)
				return
			}
			answer.Body.Close()
			if answer.StatusCode != http.StatusOK {
				t.Errorf("status %d", answer.StatusCode)
			}
		})
	}
	all.Wait()
	times := map[string]int{}
	for _, call := range h.cloud.made() {
		times[call]++
	}
	want := map[string]int{"CreateTokenWithIAM": 1, "AssumeRole": 1, "GetDataAccess": 1, "ListObjectsV2": 8, "GetObject": 8}
	if diff := cmp.Diff(want, times); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}
