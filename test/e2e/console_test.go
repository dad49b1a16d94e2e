package e2e

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

const consoleAdministrator = "wang@example.com"

// visitor is a person at the console, in a browser of their own.
type visitor struct {
	*browser
	p *process
}

// open goes to a page of the console.
func (v *visitor) open(path string) {
	v.t.Helper()
	v.do(chromedp.Navigate("http://"+v.p.Web+"/console/"+path), chromedp.WaitVisible(chromedp.CSS("main h1")))
	if bare := look[[]string](v.browser, unlabelled); len(bare) > 0 {
		v.t.Errorf("%s has fields without a label: %v", path, bare)
	}
}

// at is the console with a person signed in through the provider's page.
func at(t *testing.T, p *process, user string) *visitor {
	t.Helper()
	v := &visitor{browser: newBrowser(t), p: p}
	v.do(chromedp.Navigate("http://"+p.Web+"/console/"), chromedp.WaitVisible(chromedp.CSS(`[data-testid="person-`+user+`"]`)))
	v.do(chromedp.Click(chromedp.CSS(`[data-testid="person-`+user+`"]`)), chromedp.WaitVisible(chromedp.CSS(`[data-testid="person"]`)))
	return v
}

// fill types into fields and presses the button.
func (v *visitor) fill(button string, fields map[string]string) {
	v.t.Helper()
	for id, text := range fields {
		v.do(chromedp.SetValue(chromedp.CSS("#"+id), text))
	}
	v.press(button)
}

// press follows a button or a link, and waits for the next page.
func (v *visitor) press(button string) {
	v.t.Helper()
	look[bool](v.browser, `document.documentElement.dataset.left = "1", true`)
	v.do(chromedp.Click(chromedp.CSS(button)), chromedp.WaitVisible(chromedp.CSS(`html:not([data-left]) main h1`)))
}

// says fails the test unless the page has the texts.
func (v *visitor) says(texts ...string) {
	v.t.Helper()
	page := v.text("body")
	for _, text := range texts {
		if !strings.Contains(page, text) {
			v.t.Errorf("the page does not say %q:\n%s", text, page)
		}
	}
}

// unlabelled are the fields of a page that nobody could name by listening to it.
const unlabelled = `[...document.querySelectorAll("input:not([type=hidden]), select, textarea")].filter(e => !e.labels.length && !e.getAttribute("aria-label")).map(e => e.outerHTML)`

// TestTheConsole: Mateo asks, Ana whose data it is gives less, Mateo has it and no more, and an administrator sees it, deletes
// it and revokes; all under their names.
func TestTheConsole(t *testing.T) {
	p := start(t, append([]string{"demo", "--no-browser"}, anyPorts(true)...)...)
	const blue = "s3://sales-data-111111111111/blue/*"
	data := p.as(dataAccount)
	people := get[struct {
		Users []struct{ UserId, UserName string }
	}](p.as(centerAccount), "identitystore", "list-users", "--identity-store-id", get[struct {
		Instances []struct{ IdentityStoreId string }
	}](p.as(centerAccount), "sso-admin", "list-instances").Instances[0].IdentityStoreId).Users
	ids := map[string]string{}
	for _, u := range people {
		ids[u.UserName] = u.UserId
	}
	location := get[struct {
		AccessGrantsLocationsList []struct{ AccessGrantsLocationId string }
	}](data, "s3control", "list-access-grants-locations", "--account-id", dataAccount).AccessGrantsLocationsList[0].AccessGrantsLocationId
	data.run("s3control", "create-access-grant", "--account-id", dataAccount, "--access-grants-location-id", location, "--permission", "READWRITE",
		"--access-grants-location-configuration", "S3SubPrefix=blue/*", "--grantee", "GranteeType=DIRECTORY_USER,GranteeIdentifier="+ids[ana],
		"--tags", "Key=lakegate:Owner,Value=user/"+ids[ana], "Key=lakegate:Reason,Value=the blue sales are hers")

	mateos := at(t, p, mateo)
	mateos.says("Mateo Jackson", "s3://sales-data-111111111111/red/*", "Red Project Group", "SalesDashboard")
	mateos.shot("console-1-access")
	if strings.Contains(mateos.text("header"), "Grants") || look[int](mateos.browser, `document.querySelectorAll("script").length`) != 0 {
		t.Error("a person without a role sees what is for administrators, or a page has a script")
	}
	mateos.open("why?target=" + blue + "&permission=READ")
	mateos.says("No: Read", blue)
	mateos.shot("console-2-why")
	mateos.open("requests/new")
	mateos.fill("main form button.primary", map[string]string{"scope": blue, "permission": "READWRITE", "amount": "3", "unit": "day", "reason": "compare the tomatoes"})
	mateos.says("Your request was made", "Waiting", "3 days", "compare the tomatoes", "Nobody decides about a request of their own")
	mateos.shot("console-3-asked")

	anas := at(t, p, ana)
	anas.open("requests")
	anas.says("Waiting for your decision", blue, mateo)
	anas.shot("console-4-waiting")
	anas.press("tbody th a")
	anas.shot("console-5-decide")
	anas.fill("#do-approve", map[string]string{"permission": "READ", "amount": "2", "unit": "hour", "comment": "reading is enough"})
	anas.says("Approved", "2 hours", "Was given")
	anas.shot("console-6-approved")

	mateos.open("requests")
	mateos.press("tbody th a")
	if got := mateos.text(`[data-testid="permission"]`) + ", " + mateos.text(`[data-testid="duration"]`) + ", " + mateos.text(`[data-testid="comment"]`); got != "Read, 2 hours, reading is enough" {
		t.Errorf("Mateo was given %q", got)
	}
	mateos.open("")
	mateos.says(blue, "granted to you", "until")
	mateos.shot("console-7-has-it")
	mateos.open("who?target=" + blue)
	mateos.says(mateo)
	if strings.Contains(mateos.text(`[data-testid="who"]`), ana) {
		t.Error("Mateo sees who else has the prefix")
	}
	mateos.open("grants")
	mateos.says("This page is for administrators")
	mateos.shot("console-8-refused")

	mateos.open("activity")
	mateos.says("CreateAccessRequest", "WhyAs")
	if strings.Contains(mateos.text("main"), "ApproveAccessRequest") {
		t.Error("Mateo sees what Ana did")
	}
	mateos.shot("console-15-activity")

	wangs := at(t, p, consoleAdministrator)
	wangs.open("role")
	wangs.shot("console-9-roles")
	wangs.press(`[data-testid="act-LakeAdministrator-` + dataAccount + `"]`)
	wangs.says("Acting as LakeAdministrator", "Recorded under your name")
	wangs.open("who?target=" + blue)
	wangs.says(mateo, ana, "Blue Project Group")
	wangs.shot("console-10-who")
	wangs.open("lint")
	wangs.says("wide")
	wangs.shot("console-11-findings")
	wangs.open("grants/new")
	wangs.fill(`button[value="preview"]`, map[string]string{"type": "DIRECTORY_GROUP", "grantee": "Red Project Group", "scope": "s3://sales-data-111111111111/green/*", "permission": "READ"})
	wangs.says("If it were made", "Gains", mateo)
	wangs.shot("console-17-preview")
	wangs.open("grants/new")
	wangs.fill("main form button.primary", map[string]string{"type": "DIRECTORY_GROUP", "grantee": "Red Project Group", "scope": "s3://sales-data-111111111111/blue/plans/*", "permission": "READ", "ends": "2099-12-31T17:00", "reason": "audit"})
	wangs.says("The grant was made", "31 Dec 2099, 17:00 UTC", "audit", mateo)
	wangs.open("grants")
	wangs.says("the blue sales are hers", "compare the tomatoes")
	wangs.shot("console-12-grants")
	wangs.do(chromedp.EmulateViewport(390, 844))
	wangs.shot("console-14-phone")
	if wide := look[int](wangs.browser, `document.documentElement.scrollWidth`); wide > 390 {
		t.Errorf("on a phone the page is %d wide", wide)
	}
	wangs.do(chromedp.EmulateViewport(1200, 850))
	wangs.press(`tbody tr:has([data-label="Reason"] bdi:not(:empty)) th a`)
	wangs.shot("console-13-grant")
	wangs.open("grants?type=DIRECTORY_USER&grantee=" + mateo)
	wangs.press("tbody th a")
	wangs.says("Loses", mateo)
	wangs.do(chromedp.Click(chromedp.CSS("#sure")))
	wangs.press("button.danger")
	wangs.says("The grant was deleted")
	mateos.open("")
	if strings.Contains(mateos.text("main"), blue) {
		t.Error("Mateo still sees the grant")
	}

	wangs.open("role")
	wangs.press(`[data-testid="act-LakeAdministrator-` + centerAccount + `"]`)
	wangs.open("revocations")
	wangs.do(chromedp.Click(chromedp.CSS("#sure")))
	wangs.fill("main form.danger button.danger", map[string]string{"kind": "PERSON", "value": mateo, "reason": "lost laptop"})
	wangs.says("Revoked", "lost laptop", ids[mateo])
	wangs.shot("console-16-revoked")
	mateos.do(chromedp.Navigate("http://"+p.Web+"/console/"), chromedp.WaitVisible(chromedp.CSS(`[data-testid="person-`+mateo+`"]`)))

	for operation, who := range map[string]string{"CreateAccessRequest": mateo, "ApproveAccessRequest": ana, "DeleteAccessGrant": consoleAdministrator, "CreateRevocation": consoleAdministrator, "Federate": consoleAdministrator} {
		account := data
		if operation == "CreateRevocation" || operation == "Federate" {
			account = p.as(centerAccount)
		}
		events := get[struct {
			Events []struct{ CloudTrailEvent string }
		}](account, "cloudtrail", "lookup-events", "--lookup-attributes", "AttributeKey=EventName,AttributeValue="+operation).Events
		found := false
		for _, e := range events {
			var r struct{ AdditionalEventData map[string]any }
			if err := json.Unmarshal([]byte(e.CloudTrailEvent), &r); err != nil {
				t.Fatal(err)
			}
			found = found || r.AdditionalEventData["personUserName"] == who
			if operation == "Federate" && !strings.Contains(e.CloudTrailEvent, `"serviceEventDetails":{"role_name":"LakeAdministrator","account_id":"`) {
				t.Errorf("Federate is recorded as %s", e.CloudTrailEvent)
			}
		}
		if !found {
			t.Errorf("%s is not recorded under %s: %v", operation, who, events)
		}
	}
}
