package e2e

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"
)

// login is the command `lakegate login` at work.
type login struct {
	t    *testing.T
	home string
	cmd  *exec.Cmd
	out  bytes.Buffer
	said *bufio.Reader
	read strings.Builder
}

func startLogin(t *testing.T, home string, args ...string) *login {
	t.Helper()
	l := &login{t: t, home: home}
	l.cmd = exec.Command(binary, append([]string{"login", "--no-browser", "--sso-session", "corp"}, args...)...)
	l.cmd.Env = append(os.Environ(), "HOME="+home, "AWS_CONFIG_FILE=")
	l.cmd.Stdout = &l.out
	pipe, err := l.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	l.said = bufio.NewReader(pipe)
	if err := l.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if l.cmd.ProcessState == nil {
			_ = l.cmd.Process.Kill()
		}
	})
	return l
}

// address waits for the address that the person is to open.
func (l *login) address() string {
	l.t.Helper()
	for {
		line, err := l.said.ReadString('\n')
		l.read.WriteString(line)
		if at := strings.TrimSpace(line); strings.HasPrefix(at, "http://") {
			return at
		}
		if err != nil {
			l.t.Fatalf("the command said no address: %v\n%s", err, l.read.String())
		}
	}
}

// ends waits for the command and returns its exit code.
func (l *login) ends() int {
	l.t.Helper()
	rest, err := io.ReadAll(l.said)
	if err != nil {
		l.t.Fatal(err)
	}
	l.read.Write(rest)
	_ = l.cmd.Wait() // the code says it
	return l.cmd.ProcessState.ExitCode()
}

// cached is what the command left for the SDKs.
func (l *login) cached() (path string, token map[string]any) {
	l.t.Helper()
	sum := sha1.Sum([]byte("corp"))
	path = filepath.Join(l.home, ".aws", "sso", "cache", hex.EncodeToString(sum[:])+".json")
	info, err := os.Stat(path)
	if err != nil {
		l.t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		l.t.Errorf("the token can be read by others: %v", info.Mode())
	}
	text, err := os.ReadFile(path)
	if err != nil {
		l.t.Fatal(err)
	}
	if err := json.Unmarshal(text, &token); err != nil {
		l.t.Fatal(err)
	}
	for _, field := range []string{"startUrl", "region", "accessToken", "expiresAt", "clientId", "clientSecret", "registrationExpiresAt", "refreshToken"} {
		if s, _ := token[field].(string); s == "" {
			l.t.Errorf("the token has no %s", field)
		}
	}
	return path, token
}

const loadToken = `
import botocore.session
s = botocore.session.Session(profile="corp")
from botocore.tokens import SSOTokenProvider
print(SSOTokenProvider(s).load_token().get_frozen_token().token)
`

// A person signs in for the command line in a real browser, at the development provider, by PKCE and by device code; botocore
// takes the tokens over and refreshes them.
func TestSignInForTheCommandLine(t *testing.T) {
	p := start(t, append([]string{"demo", "--no-browser"}, anyPorts(true)...)...)
	b := newBrowser(t)
	home := t.TempDir()

	t.Run("browser", func(t *testing.T) {
		b.t = t
		l := startLogin(t, home, "--dir", p.dir)
		b.do(chromedp.Navigate(l.address()), chromedp.WaitVisible(chromedp.CSS(`[data-testid="person-mateo@example.com"]`)))
		if at := look[string](b, "location.host"); at != p.IDP {
			t.Fatalf("the sign-in is at %s, want the provider's page at %s", at, p.IDP)
		}
		b.do(chromedp.Click(chromedp.CSS(`[data-testid="person-mateo@example.com"]`)), chromedp.WaitVisible(chromedp.CSS(`button[value="allow"]`)))
		b.shot("sign-in-authorize")
		if at := look[string](b, "location.host"); at != p.Web {
			t.Errorf("the question is asked at %s, want %s", at, p.Web)
		}
		for _, want := range []string{"lakegate login", "Mateo Jackson (mateo@example.com)"} {
			if got := b.text("main"); !strings.Contains(got, want) {
				t.Errorf("the page does not name %q:\n%s", want, got)
			}
		}
		if got := look[string](b, `getComputedStyle(document.querySelector("button.primary")).backgroundColor`); got == "rgba(0, 0, 0, 0)" {
			t.Error("the style sheet did not load")
		}
		if got := look[string](b, `document.cookie`); got != "" {
			t.Errorf("scripts can read the cookies %q", got)
		}
		b.do(chromedp.Click(chromedp.CSS(`button[value="allow"]`)), chromedp.WaitVisible(chromedp.CSS("h1")))
		if code := l.ends(); code != 0 {
			t.Fatalf("the command ended with %d: %s", code, l.read.String())
		}
		if got := b.text("h1"); got != "Signed in" {
			t.Errorf("the browser ends at %q", got)
		}
		path, token := l.cached()

		// The profile that the command printed, with the real botocore: it loads the token, and refreshes one that is about
		// to expire through our CreateToken.
		_, profile, ok := strings.Cut(l.out.String(), "has to have these lines:")
		if !ok {
			t.Fatalf("the command prints no profile:\n%s", l.out.String())
		}
		if err := os.WriteFile(filepath.Join(home, ".aws", "config"), []byte(profile), 0o600); err != nil {
			t.Fatal(err)
		}
		load := func() string {
			t.Helper()
			cmd := exec.Command(need(t, "python3"), "-c", loadToken)
			cmd.Env = append(os.Environ(), "HOME="+home, "AWS_CONFIG_FILE="+filepath.Join(home, ".aws", "config"))
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("botocore: %v\n%s", err, out)
			}
			return strings.TrimSpace(string(out))
		}
		if got := load(); got != token["accessToken"] {
			t.Errorf("botocore loads another token")
		}
		token["expiresAt"] = time.Now().Add(time.Minute).UTC().Format(time.RFC3339)
		text, err := json.Marshal(token)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		fresh := load()
		_, now := l.cached()
		if fresh == token["accessToken"] || fresh != now["accessToken"] || now["refreshToken"] == token["refreshToken"] {
			t.Error("botocore did not refresh the token")
		}
	})

	// The whole way with an unmodified AWS CLI: the profile that the command printed, filled in with an account and a permission
	// set, makes calls as a role of that account in the person's name, for as long as the assignment stands.
	t.Run("profile", func(t *testing.T) {
		admin := p.as("222222222222")
		admin.t = t
		text := func(args ...string) string { return strings.TrimSpace(admin.run(append(args, "--output", "text")...)) }
		instance := text("sso-admin", "list-instances", "--query", "Instances[0].InstanceArn")
		store := text("sso-admin", "list-instances", "--query", "Instances[0].IdentityStoreId")
		mateo := text("identitystore", "list-users", "--identity-store-id", store, "--query", "Users[?UserName=='mateo@example.com'].UserId")
		set := text("sso-admin", "create-permission-set", "--instance-arn", instance, "--name", "Explorer", "--query", "PermissionSet.PermissionSetArn")
		admin.run("sso-admin", "put-inline-policy-to-permission-set", "--instance-arn", instance, "--permission-set-arn", set,
			"--inline-policy", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:ListAllMyBuckets","Resource":"*"}}`)
		assignment := []string{"--instance-arn", instance, "--permission-set-arn", set, "--target-id", "111111111111", "--target-type", "AWS_ACCOUNT", "--principal-type", "USER", "--principal-id", mateo}
		admin.run(append([]string{"sso-admin", "create-account-assignment"}, assignment...)...)

		config := filepath.Join(home, ".aws", "config")
		profile, err := os.ReadFile(config)
		if err != nil {
			t.Fatal(err)
		}
		filled := strings.NewReplacer("<the account>", "111111111111", "<the permission set>", "Explorer").Replace(string(profile))
		if err := os.WriteFile(config, []byte(filled), 0o600); err != nil {
			t.Fatal(err)
		}
		person := &shell{t: t, aws: admin.aws, dir: admin.dir, env: append(os.Environ(),
			"HOME="+home, "AWS_CONFIG_FILE="+config, "AWS_PROFILE=corp", "NO_PROXY=127.0.0.1", "AWS_EC2_METADATA_DISABLED=true")}
		if got := person.run("sts", "get-caller-identity", "--query", "Arn", "--output", "text"); !strings.HasPrefix(got, "arn:aws:sts::111111111111:assumed-role/AWSReservedSSO_Explorer_") || !strings.HasSuffix(strings.TrimSpace(got), "/mateo@example.com") {
			t.Errorf("the person is %s", got)
		}
		if got := person.run("s3", "ls"); !strings.Contains(got, "sales-data-111111111111") {
			t.Errorf("the person sees %q", got)
		}
		admin.run(append([]string{"sso-admin", "delete-account-assignment"}, assignment...)...)
		if out, errs, err := person.exec("s3", "ls"); err == nil {
			t.Errorf("without the assignment the person sees %q %s", out, errs)
		}
	})

	t.Run("device", func(t *testing.T) {
		b.t = t
		l := startLogin(t, home, "--device") // the start URL is in the configuration by now
		complete := l.address()
		_, code, _ := strings.Cut(complete, "user_code=")
		b.do(chromedp.Navigate("http://"+p.Web+"/device"), chromedp.WaitVisible(chromedp.CSS("#user_code")))
		b.shot("sign-in-device-code")
		b.do(chromedp.SendKeys(chromedp.CSS("#user_code"), "BBBB BBBB\r"), chromedp.WaitVisible(chromedp.CSS(`[role="alert"]`)))
		b.do(chromedp.SendKeys(chromedp.CSS("#user_code"), strings.ToLower(code)+"\r"), chromedp.WaitVisible(chromedp.CSS(`button[value="allow"]`)))
		b.shot("sign-in-device-confirm")
		for _, want := range []string{code, "lakegate login", "Mateo Jackson (mateo@example.com)", "127.0.0.1"} {
			if got := b.text("main"); !strings.Contains(got, want) {
				t.Errorf("the page does not name %q:\n%s", want, got)
			}
		}
		b.do(chromedp.Click(chromedp.CSS(`button[value="allow"]`)), chromedp.WaitNotPresent(chromedp.CSS(`button[value="allow"]`)))
		b.shot("sign-in-device-done")
		if code := l.ends(); code != 0 {
			t.Fatalf("the command ended with %d: %s", code, l.read.String())
		}
		l.cached()
	})

	t.Run("refused", func(t *testing.T) {
		b.t = t
		l := startLogin(t, t.TempDir(), "--device", "--dir", p.dir)
		b.do(chromedp.Navigate(l.address()), chromedp.WaitVisible(chromedp.CSS(`button[value="deny"]`)),
			chromedp.Click(chromedp.CSS(`button[value="deny"]`)), chromedp.WaitNotPresent(chromedp.CSS(`button[value="deny"]`)))
		if code := l.ends(); code != 1 || !strings.Contains(l.read.String(), "AccessDeniedException") {
			t.Errorf("the command ended with %d: %s", code, l.read.String())
		}
	})

	var provider struct {
		StartURL string `json:"StartUrl"`
	}
	if err := json.Unmarshal([]byte(p.lakegate("sign-in", "show", "--dir", p.dir, "--json")), &provider); err != nil {
		t.Fatal(err)
	}
	start := provider.StartURL

	t.Run("botocore", func(t *testing.T) {
		cmd := exec.Command(need(t, "python3"), "testdata/sso_login.py", "http://"+p.API, start, "http://"+p.Web)
		cmd.Env = append(os.Environ(), "NO_PROXY=127.0.0.1")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("botocore: %v\n%s", err, out)
		}
		var got map[string]any
		if err := json.Unmarshal(out, &got); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		want := map[string]any{
			"pending": "AuthorizationPendingException", "early": "SlowDownException", "tokenType": "Bearer", "expiresIn": 3600.0, "again": "InvalidGrantException",
			"refreshed": true, "refreshedAgain": "InvalidGrantException", "registration": true, "state": "s-1", "code": true, "codeAgain": "InvalidGrantException",
			"refreshAfterCodeAgain": "InvalidGrantException", "foreign": "InvalidRedirectUriException",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	})

	t.Run("sign-out", func(t *testing.T) {
		b.t = t
		b.do(chromedp.Navigate(start), chromedp.WaitVisible(chromedp.CSS("dl")))
		b.shot("sign-in-start")
		b.do(chromedp.Click(chromedp.CSS(`form.aside button`)), chromedp.WaitNotPresent(chromedp.CSS("dl")))
		b.do(chromedp.Navigate(start), chromedp.WaitVisible(chromedp.CSS("#people")))
	})
}
