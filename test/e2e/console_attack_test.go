package e2e

import (
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/identitystore"
	iddocument "github.com/aws/aws-sdk-go-v2/service/identitystore/document"
	idtypes "github.com/aws/aws-sdk-go-v2/service/identitystore/types"
	"github.com/aws/aws-sdk-go-v2/service/s3control"
	"github.com/aws/aws-sdk-go-v2/service/s3control/types"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin"
	ssotypes "github.com/aws/aws-sdk-go-v2/service/ssoadmin/types"
)

// tab is somebody at the console, as a program that speaks HTTP like a browser.
type tab struct {
	t      *testing.T
	s      *story
	client *http.Client
}

// shown is a page that a tab was shown.
type shown struct {
	status int
	at     *url.URL
	text   string
}

var (
	formRequest = regexp.MustCompile(`name="request" value="([^"]+)"`)
	formAction  = regexp.MustCompile(`action="([^"]+/sign-in)"`)
	formToken   = regexp.MustCompile(`name="token" value="([^"]+)"`)
	goesOn      = regexp.MustCompile(`http-equiv="refresh" content="0;url=([^"]+)"`)
)

// tabOf signs a person in at the provider's page, and opens a path of the console with it.
func tabOf(t *testing.T, s *story, user, path string) (*tab, *shown) {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := &tab{t, s, &http.Client{Jar: jar}}
	page := b.get(path)
	person := regexp.MustCompile(`name="person" value="([^"]+)" data-testid="person-` + regexp.QuoteMeta(user) + `"`).FindStringSubmatch(page.text)
	request, action := formRequest.FindStringSubmatch(page.text), formAction.FindStringSubmatch(page.text)
	if person == nil || request == nil || action == nil {
		t.Fatalf("%s: %d %s", page.at, page.status, page.text)
	}
	to, err := page.at.Parse(html.UnescapeString(action[1]))
	if err != nil {
		t.Fatal(err)
	}
	page = b.send(http.MethodPost, to.String(), url.Values{"request": {html.UnescapeString(request[1])}, "person": {person[1]}})
	next := goesOn.FindStringSubmatch(page.text)
	if next == nil {
		t.Fatalf("%s: %d %s", page.at, page.status, page.text)
	}
	return b, b.send(http.MethodGet, html.UnescapeString(next[1]), nil)
}

func (b *tab) get(path string) *shown {
	b.t.Helper()
	return b.send(http.MethodGet, "http://"+b.s.Web+path, nil)
}

func (b *tab) post(path string, pairs ...string) *shown {
	b.t.Helper()
	form := url.Values{}
	for p := range slices.Chunk(pairs, 2) {
		form.Set(p[0], p[1])
	}
	return b.send(http.MethodPost, "http://"+b.s.Web+path, form)
}

func (b *tab) send(method, address string, form url.Values) *shown {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, address, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", r.URL.Scheme+"://"+r.URL.Host)
	}
	res, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return &shown{res.StatusCode, res.Request.URL, string(text)}
}

// token is that of the forms of a page.
func (b *tab) token(path string) string {
	b.t.Helper()
	m := formToken.FindStringSubmatch(b.get(path).text)
	if m == nil {
		b.t.Fatalf("%s has no form", path)
	}
	return html.UnescapeString(m[1])
}

func (s *shown) want(t *testing.T, status int, texts ...string) {
	t.Helper()
	if s.status != status {
		t.Errorf("%s: status %d, want %d\n%s", s.at, s.status, status, s.text)
	}
	for _, text := range texts {
		if !strings.Contains(s.text, text) {
			t.Errorf("%s lacks %q\n%s", s.at, text, s.text)
		}
	}
}

// TestAttacksOnTheConsole: over the real process, with people who are signed in.
func TestAttacksOnTheConsole(t *testing.T) {
	s := newStory(t)
	ctx := t.Context()
	// Ana owns the blue prefix: a grant that covers it says so.
	s.grant(ana, "blue/*", types.PermissionReadwrite, s.ownedBy(ana))
	grants := func() int {
		t.Helper()
		list, err := control(s.data).ListAccessGrants(ctx, &s3control.ListAccessGrantsInput{AccountId: aws.String(dataAccount)})
		if err != nil {
			t.Fatal(err)
		}
		return len(list.AccessGrantsList)
	}

	// A link to a page leads back to that page, and to no other place.
	mateos, first := tabOf(t, s, mateo, "/console/requests?next=https://evil.example.com//x")
	if first.status != http.StatusOK || first.at.Host != s.Web || first.at.Path != "/console/requests" {
		t.Errorf("after the sign-in: %d %s", first.status, first.at)
	}
	anas, _ := tabOf(t, s, ana, "/console/")
	wangs, _ := tabOf(t, s, "wang@example.com", "/console/")

	// A person without a role.
	own := mateos.token("/console/requests/new")
	for _, path := range []string{"/console/grants", "/console/grants/new", "/console/revocations", "/console/lint"} {
		mateos.get(path).want(t, http.StatusForbidden, "for administrators")
	}
	before := grants()
	mateos.post("/console/grants", "token", own, "type", "DIRECTORY_USER", "grantee", mateo, "scope", storyBlue, "permission", "READWRITE").want(t, http.StatusForbidden)
	mateos.post("/console/revocations", "token", own, "kind", "ALL", "sure", "yes").want(t, http.StatusForbidden)
	roles := regexp.MustCompile(`name="set" value="([^"]+)"`).FindStringSubmatch(wangs.get("/console/role").text)
	if roles == nil {
		t.Fatal("Wang has no role")
	}
	mateos.post("/console/role", "token", own, "account", dataAccount, "set", roles[1]).want(t, http.StatusForbidden, "not assigned to you")
	mateos.get("/console/who?target=" + url.QueryEscape(storyBlue) + "&refused=1")
	if page := mateos.get("/console/why?person=" + ana + "&target=" + url.QueryEscape(storyBlue) + "&permission=READ"); page.status != http.StatusForbidden {
		t.Errorf("Mateo asks about Ana: %d", page.status)
	}
	if grants() != before {
		t.Error("a person without a role made a grant")
	}

	// Somebody else's form, and texts that would be markup.
	ask := []string{"account", dataAccount, "scope", storyBlue, "permission", "READ", "amount", "1", "unit", "hour", "reason", `<script>alert("x")</script>`}
	mateos.post("/console/requests", append(ask, "token", anas.token("/console/requests/new"))...).want(t, http.StatusForbidden, "no longer open")
	mateos.post("/console/requests", ask...).want(t, http.StatusForbidden, "no longer open")
	request := mateos.post("/console/requests", append(ask, "token", own)...)
	request.want(t, http.StatusOK, "&lt;script&gt;alert(")
	id := request.at.Path
	if again := mateos.post("/console/requests", append(ask, "token", own)...); again.at.Path != id {
		t.Errorf("asked twice: %s and %s", id, again.at.Path)
	}
	approve := []string{"scope", storyBlue, "permission", "READ", "amount", "1", "unit", "hour"}
	mateos.post(id+"/approve", append(approve, "token", own)...).want(t, http.StatusForbidden, "Nobody decides about a request of their own")
	wangs.get(id).want(t, http.StatusNotFound)

	// Ana presses the button many times at once: one grant.
	token := anas.token(id)
	anas.post(id+"/approve", append(slices.Clone(approve), "amount", "2", "token", token)...).want(t, http.StatusBadRequest, "no more can be given")
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() { anas.post(id+"/approve", append(slices.Clone(approve), "token", token)...) })
	}
	all.Wait()
	anas.post(id+"/approve", append(slices.Clone(approve), "token", token)...).want(t, http.StatusConflict, "only a pending one can be decided")
	if got := grants(); got != before+1 {
		t.Errorf("%d grants, want %d", got, before+1)
	}

	// The role's cookie is Wang's alone, and is over with the assignment.
	wangs.post("/console/role", "token", wangs.token("/console/requests/new"), "account", dataAccount, "set", roles[1]).want(t, http.StatusOK, "Acting as")
	wangs.get("/console/grants").want(t, http.StatusOK, storyBlue)
	web := &url.URL{Scheme: "http", Host: s.Web}
	for _, c := range wangs.client.Jar.Cookies(web) {
		if strings.Contains(c.Name, "role") {
			mateos.client.Jar.SetCookies(web, []*http.Cookie{c})
		}
	}
	mateos.get("/console/grants").want(t, http.StatusForbidden, "for administrators")
	wangs.get("/console/revocations").want(t, http.StatusOK)
	form := wangs.token("/console/grants/new")
	group, err := identitystore.NewFromConfig(s.center).GetGroupId(ctx, &identitystore.GetGroupIdInput{IdentityStoreId: &s.store, AlternateIdentifier: &idtypes.AlternateIdentifierMemberUniqueAttribute{
		Value: idtypes.UniqueAttribute{AttributePath: aws.String("displayName"), AttributeValue: iddocument.NewLazyDocument("Data Administrators")}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ssoadmin.NewFromConfig(s.center).DeleteAccountAssignment(ctx, &ssoadmin.DeleteAccountAssignmentInput{
		InstanceArn: &s.instance, PermissionSetArn: &roles[1], TargetId: aws.String(dataAccount), TargetType: ssotypes.TargetTypeAwsAccount, PrincipalType: ssotypes.PrincipalTypeGroup, PrincipalId: group.GroupId,
	}); err != nil {
		t.Fatal(err)
	}
	wangs.get("/console/grants").want(t, http.StatusForbidden, "for administrators", "is over")
	wangs.post("/console/grants", "token", form, "type", "DIRECTORY_USER", "grantee", mateo, "scope", storyBlue, "permission", "READWRITE").want(t, http.StatusForbidden)

	// Whoever is disabled is out, with the cookie that they have.
	s.setActive(mateo, false)
	mateos.post("/console/requests", append(ask, "token", own)...).want(t, http.StatusUnauthorized, "You are signed out")
	if page := mateos.get("/console/"); page.at.Host != s.IDP {
		t.Errorf("a disabled person sees %s", page.at)
	}
	s.setActive(mateo, true)
	if page := mateos.get("/console/"); page.at.Host != s.IDP {
		t.Errorf("the session of before goes on at %s", page.at)
	}

	// Signed out is signed out.
	jar := anas.client.Jar.Cookies(web)
	anas.post("/sign-out").want(t, http.StatusOK, "Signed out")
	anas.client.Jar.SetCookies(web, jar)
	if page := anas.get("/console/requests"); page.at.Host != s.IDP {
		t.Errorf("after signing out Ana sees %s", page.at)
	}
	refused := s.records(func(r record) bool { return r.EventName == "ConsoleForm" })
	if len(refused) != 2 || refused[0].Additional["personUserName"] != mateo {
		t.Errorf("refused forms are recorded as %+v", refused)
	}
}
