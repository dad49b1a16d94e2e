package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/chromedp/chromedp"
)

const (
	redObject = "s3://sales-data-111111111111/red/"
)

// desk is a person's machine: a home with the AWS configuration, signed in by lakegate login.
type desk struct {
	t    *testing.T
	p    *process
	home string
}

// signedIn signs a person in, in a real browser, as lakegate login asks.
func signedIn(t *testing.T, p *process, person string) *desk {
	t.Helper()
	d := &desk{t: t, p: p, home: t.TempDir()}
	b := newBrowser(t)
	l := startLogin(t, d.home, "--dir", p.dir)
	b.do(chromedp.Navigate(l.address()), chromedp.WaitVisible(chromedp.CSS(`[data-testid="person-`+person+`"]`)))
	b.do(chromedp.Click(chromedp.CSS(`[data-testid="person-`+person+`"]`)), chromedp.WaitVisible(chromedp.CSS(`button[value="allow"]`)))
	b.do(chromedp.Click(chromedp.CSS(`button[value="allow"]`)), chromedp.WaitVisible(chromedp.CSS("h1")))
	if code := l.ends(); code != 0 {
		t.Fatalf("login ended with %d: %s", code, l.read.String())
	}
	_, profile, ok := strings.Cut(l.out.String(), "has to have these lines:")
	if !ok {
		t.Fatalf("login prints no profile:\n%s", l.out.String())
	}
	profile = strings.NewReplacer("<the account>", dataAccount, "<the permission set>", "Analyst").Replace(profile)
	d.configure(profile)
	return d
}

// configure adds lines to the AWS configuration.
func (d *desk) configure(lines string) {
	d.t.Helper()
	f, err := os.OpenFile(filepath.Join(d.home, ".aws", "config"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = f.WriteString(lines + "\n")
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		d.t.Fatal(err)
	}
}

// run runs a program at the desk.
func (d *desk) run(program string, args ...string) (out, errs string, err error) {
	var o, e bytes.Buffer
	cmd := exec.Command(program, args...)
	cmd.Env = append(slices.DeleteFunc(d.p.clean(), func(v string) bool { return strings.HasPrefix(v, "AWS_CONFIG_FILE=") || strings.HasPrefix(v, "HOME=") }),
		"HOME="+d.home)
	cmd.Stdout, cmd.Stderr = &o, &e
	err = cmd.Run()
	return o.String(), e.String(), err
}

func (d *desk) must(program string, args ...string) string {
	d.t.Helper()
	out, errs, err := d.run(program, args...)
	if err != nil {
		d.t.Fatalf("%s %s: %v\n%s%s", program, strings.Join(args, " "), err, out, errs)
	}
	return out
}

func (d *desk) python(script string, args ...string) (string, string, error) {
	return d.run(need(d.t, "python3"), append([]string{"-c", script}, args...)...)
}

// whoAmI asks STS with a profile's credentials, and the storage for an object that only the person's own grant gives.
const whoAmI = `
import sys, boto3
s = boto3.Session(profile_name=sys.argv[1])
print(s.client("sts").get_caller_identity()["Arn"])
c = s.client("s3")
key = c.list_objects_v2(Bucket="sales-data-111111111111", Prefix="red/")["Contents"][0]["Key"]
print(len(c.get_object(Bucket="sales-data-111111111111", Key=key)["Body"].read()) > 0)
try:
    c.list_objects_v2(Bucket="sales-data-111111111111", Prefix="blue/")
    print("blue")
except Exception as e:
    print(e.response["Error"]["Code"])
`

const analystPolicy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:GetDataAccess","s3:ListCallerAccessGrants"],"Resource":"*"}]}`

// TestThePortal: a person signs in once; botocore's own SSO provider, the AWS CLI, the Go SDK and the credential process get
// sessions from it that are the person's, and lose them with the assignment.
func TestThePortal(t *testing.T) {
	p := start(t, append([]string{"demo", "--no-browser"}, anyPorts(true)...)...)
	admin := p.as(centerAccount)
	instance := get[struct {
		Instances []struct{ InstanceArn, IdentityStoreId string }
	}](admin, "sso-admin", "list-instances").Instances[0]
	users := get[struct {
		Users []struct{ UserId, UserName string }
	}](admin, "identitystore", "list-users", "--identity-store-id", instance.IdentityStoreId).Users
	i := slices.IndexFunc(users, func(u struct{ UserId, UserName string }) bool { return strings.HasPrefix(u.UserName, "mateo") })
	person := users[i]
	set := get[struct {
		PermissionSet struct{ PermissionSetArn string }
	}](admin, "sso-admin", "create-permission-set", "--instance-arn", instance.InstanceArn, "--name", "Analyst").PermissionSet.PermissionSetArn
	admin.run("sso-admin", "put-inline-policy-to-permission-set", "--instance-arn", instance.InstanceArn, "--permission-set-arn", set, "--inline-policy", analystPolicy)
	assignment := []string{"--instance-arn", instance.InstanceArn, "--permission-set-arn", set, "--target-id", dataAccount, "--target-type", "AWS_ACCOUNT",
		"--principal-type", "USER", "--principal-id", person.UserId}
	admin.run(append([]string{"sso-admin", "create-account-assignment"}, assignment...)...)
	d := signedIn(t, p, "mateo@example.com")
	session := "/" + person.UserName
	process := []string{"credentials", "--sso-session", "corp", "--account", dataAccount, "--role", "Analyst"}
	want := func(t *testing.T, out string) {
		t.Helper()
		if lines := strings.Fields(out); len(lines) != 3 || !strings.HasPrefix(lines[0], "arn:aws:sts::"+dataAccount+":assumed-role/AWSReservedSSO_Analyst_") ||
			!strings.HasSuffix(lines[0], session) || lines[1] != "True" || lines[2] != "AccessDenied" {
			t.Errorf("got %q", out)
		}
	}

	t.Run("boto3", func(t *testing.T) {
		out, errs, err := d.python(whoAmI, "corp")
		if err != nil {
			t.Fatalf("%v\n%s", err, errs)
		}
		want(t, out)
	})
	t.Run("aws", func(t *testing.T) {
		if out := d.must(need(t, "aws"), "sts", "get-caller-identity", "--profile", "corp", "--output", "text"); !strings.Contains(out, session) {
			t.Errorf("got %q", out)
		}
	})
	t.Run("the Go SDK", func(t *testing.T) {
		for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "HTTP_PROXY"} {
			t.Setenv(name, "")
		}
		t.Setenv("HOME", d.home)
		// For its own sign-in this SDK does not look at the profile's endpoint_url.
		cfg, err := config.LoadDefaultConfig(t.Context(), config.WithBaseEndpoint("http://"+p.API),
			config.WithSharedConfigFiles([]string{filepath.Join(d.home, ".aws", "config")}), config.WithSharedConfigProfile("corp"))
		if err != nil {
			t.Fatal(err)
		}
		who, err := sts.NewFromConfig(cfg).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
		if err != nil || !strings.HasSuffix(aws.ToString(who.Arn), session) {
			t.Errorf("%v, %v", who, err)
		}
	})
	t.Run("the credential process", func(t *testing.T) {
		d.configure(d.must(binary, append(slices.Clone(process), "--profile-lines", "process")...))
		out, errs, err := d.python(whoAmI, "process")
		if err != nil {
			t.Fatalf("%v\n%s", err, errs)
		}
		want(t, out)
		if out := d.must(need(t, "aws"), "sts", "get-caller-identity", "--profile", "process", "--output", "text"); !strings.Contains(out, session) {
			t.Errorf("got %q", out)
		}
		first, second := d.must(binary, process...), d.must(binary, process...)
		if first != second {
			t.Error("the credentials were not kept")
		}
		files, err := filepath.Glob(filepath.Join(d.home, ".aws", "lakegate", "cache", "*"))
		if err != nil || len(files) == 0 {
			t.Fatalf("nothing was kept: %v", err)
		}
		for _, f := range append(files, filepath.Dir(files[0])) {
			if info, err := os.Stat(f); err != nil || info.Mode().Perm()&0o077 != 0 {
				t.Errorf("%s: %v, %v", f, info.Mode(), err)
			}
		}
	})
	t.Run("credentials of a grant", func(t *testing.T) {
		d.configure(d.must(binary, append(slices.Clone(process), "--grant", redObject+"*", "--profile-lines", "red")...))
		if out := d.must(need(t, "aws"), "s3", "ls", redObject, "--profile", "red"); !strings.Contains(out, ".csv") {
			t.Errorf("got %q", out)
		}
		if _, errs, err := d.run(need(t, "aws"), "s3", "ls", "s3://sales-data-111111111111/blue/", "--profile", "red"); err == nil || !strings.Contains(errs, "AccessDenied") {
			t.Errorf("blue/: %v %s", err, errs)
		}
		if _, errs, err := d.run(binary, append(slices.Clone(process), "--grant", "s3://sales-data-111111111111/blue/*")...); err == nil || !strings.Contains(errs, "AccessDenied") {
			t.Errorf("a grant of others: %v %s", err, errs)
		}
	})
	t.Run("processes that refresh at the same time", func(t *testing.T) {
		path, token := (&login{t: t, home: d.home}).cached()
		token["expiresAt"] = time.Now().Add(time.Minute).UTC().Format(time.RFC3339)
		text, err := json.Marshal(token)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				if _, errs, err := d.run(binary, process...); err != nil {
					t.Errorf("%v: %s", err, errs)
				}
			})
		}
		all.Wait()
		if _, now := (&login{t: t, home: d.home}).cached(); now["refreshToken"] == token["refreshToken"] || now["accessToken"] == token["accessToken"] {
			t.Error("nothing was refreshed")
		}
		d.must(binary, process...)
	})
	t.Run("the trail names the person", func(t *testing.T) {
		type event struct{ CloudTrailEvent string }
		events := get[struct{ Events []event }](admin, "cloudtrail", "lookup-events", "--lookup-attributes", "AttributeKey=EventName,AttributeValue=GetRoleCredentials").Events
		if len(events) == 0 || !strings.Contains(events[0].CloudTrailEvent, `"type":"IdentityCenterUser"`) || !strings.Contains(events[0].CloudTrailEvent, person.UserId) {
			t.Errorf("GetRoleCredentials is recorded as %v", events)
		}
		events = get[struct{ Events []event }](p.as(dataAccount), "cloudtrail", "lookup-events", "--lookup-attributes", "AttributeKey=EventName,AttributeValue=GetDataAccess").Events
		if len(events) == 0 || !slices.ContainsFunc(events, func(e event) bool {
			return strings.Contains(e.CloudTrailEvent, `"onBehalfOf":{"userId":"`+person.UserId)
		}) {
			t.Errorf("GetDataAccess is recorded as %v", events)
		}
	})
	data := p.as(dataAccount)
	held := func(more ...string) *shell {
		t.Helper()
		var c credentials
		if err := json.Unmarshal([]byte(d.must(binary, append(slices.Clone(process), more...)...)), &c); err != nil {
			t.Fatal(err)
		}
		return data.with(c)
	}
	t.Run("a lost assignment", func(t *testing.T) {
		open := []*shell{held(), held("--grant", redObject+"*")}
		for _, s := range open {
			s.run("s3", "ls", redObject)
		}
		admin.run(append([]string{"sso-admin", "delete-account-assignment"}, assignment...)...)
		for _, s := range open {
			s.refused("AccessDenied", "s3", "ls", redObject)
		}
		if _, errs, err := d.python(whoAmI, "corp"); err == nil || !strings.Contains(errs, "ForbiddenException") {
			t.Errorf("%v %s", err, errs)
		}
		if _, errs, err := d.run(binary, "credentials", "--sso-session", "corp", "--account", dataAccount, "--role", "Nothing"); err == nil || !strings.Contains(errs, "is not assigned to you") {
			t.Errorf("%v %s", err, errs)
		}
	})
	t.Run("signed out", func(t *testing.T) {
		admin.run(append([]string{"sso-admin", "create-account-assignment"}, assignment...)...)
		open := held("--fresh")
		open.run("s3", "ls", redObject)
		_, token := (&login{t: t, home: d.home}).cached()
		d.must(need(t, "aws"), "sso", "logout", "--access-token", token["accessToken"].(string), "--profile", "corp")
		open.refused("AccessDenied", "s3", "ls", redObject)
		if _, errs, err := d.run(binary, "credentials", "--sso-session", "corp", "--account", dataAccount, "--role", "Other"); err == nil ||
			strings.TrimSpace(errs) != "lakegate: nobody is signed in, or the sign-in has ended: run lakegate login --sso-session corp" {
			t.Errorf("%v %s", err, errs)
		}
	})
}
