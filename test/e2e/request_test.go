package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3control/types"
)

// command runs lakegate with the credentials of a session in its environment, as a person's terminal has them.
func (s *story) command(cfg aws.Config, args ...string) (string, error) {
	s.t.Helper()
	keys, err := cfg.Credentials.Retrieve(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.Command(binary, args...)
	cmd.Env = append(s.environment(dataAccount), "AWS_ACCESS_KEY_ID="+keys.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+keys.SecretAccessKey, "AWS_SESSION_TOKEN="+keys.SessionToken)
	text, err := cmd.CombinedOutput()
	return string(text), err
}

// TestAccessRequest: a person asks for what they may not read, an owner gives it for a while, the person reads it, and it
// ends; all of it under their names.
func TestAccessRequest(t *testing.T) {
	notices := make(chan string, 10)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var n struct{ Event string }
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = json.Unmarshal(body, &n)
		}
		if err != nil {
			n.Event = err.Error()
		}
		notices <- n.Event
	}))
	defer hook.Close()
	t.Setenv("HOOK_SECRET", "a secret of the operator")
	s := newStory(t, "--config", settings(t, "requests:\n  webhook:\n    url: "+hook.URL+"\n    secret: env:HOOK_SECRET\n"))
	ctx := t.Context()
	if err := put(ctx, storage(s.data), "blue/plan"); err != nil {
		t.Fatal(err)
	}
	// Ana owns the blue prefix: a grant that covers it says so.
	s.grant(ana, "blue/*", types.PermissionReadwrite, s.ownedBy(ana))
	mateoSession, anaSession := s.person(mateo), s.person(ana)
	if got := codeOf(read(ctx, storage(mateoSession), "blue/plan")); got != "AccessDenied" {
		t.Fatalf("before: %q", got)
	}
	create := []string{"request", "create", "--data-account", dataAccount, "--scope", storyBlue, "--permission", "READ", "--for", "1h", "--reason", "compare the tomatoes"}
	out, err := s.command(mateoSession, create...)
	id := regexp.MustCompile(`req-[0-9a-f-]+`).FindString(out)
	if err != nil || id == "" || !strings.Contains(out, "PENDING") {
		t.Fatalf("asked: %v\n%s", err, out)
	}
	refused := func(cfg aws.Config, want string, args ...string) {
		t.Helper()
		if out, err := s.command(cfg, args...); err == nil || !strings.Contains(out, want) {
			t.Errorf("%v: %v\n%s", args, err, out)
		}
	}
	refused(mateoSession, "AccessDeniedException: Nobody decides about a request of their own", "request", "approve", id)
	refused(s.person("wang@example.com"), "ResourceNotFoundException", "request", "approve", id)
	for scope, want := range map[string]string{
		"s3://other-bucket/x/*": "no location", "s3://" + storyLake + "/re*d/": "in the middle", "s3://" + storyLake + "/red/../blue/": "dots", "s3://" + storyLake + "/${user.name}/*": "variables",
		"s3://" + storyLake + "2/*": "no location", "s3:///": "bucket", "s3://" + storyLake + "/%2e%2e/x": "encodings",
	} {
		args := slices.Clone(create)
		args[slices.Index(args, storyBlue)] = scope
		refused(mateoSession, want, args...)
	}
	sibling := slices.Clone(create)
	sibling[slices.Index(sibling, storyBlue)] = "s3://" + storyLake + "/green*"
	if out, err := s.command(mateoSession, sibling...); err != nil || !strings.Contains(out, "does not end in a slash") {
		t.Errorf("a prefix without a slash: %v\n%s", err, out)
	}
	if out, err := s.command(anaSession, "request", "list", "--view", "to-decide"); err != nil || !strings.Contains(out, id) || strings.Contains(out, "green") {
		t.Errorf("what Ana may decide: %v\n%s", err, out)
	}
	out, err = s.command(anaSession, "request", "approve", id, "--for", "30m", "--comment", "this month alone")
	if err != nil || !strings.Contains(out, "APPROVED") || !strings.Contains(out, "for 30m0s") {
		t.Fatalf("approved: %v\n%s", err, out)
	}
	if err := read(ctx, storage(mateoSession), "blue/plan"); err != nil {
		t.Errorf("after the approval: %v", err)
	}
	if got := codeOf(put(ctx, storage(mateoSession), "blue/plan")); got != "AccessDenied" {
		t.Errorf("writing was not asked for: %q", got)
	}
	_, vended, err := vend(ctx, mateoSession, storyBlue, types.PermissionRead)
	if err != nil || time.Until(*vended.Credentials.Expiration) > 30*time.Minute {
		t.Errorf("credentials for longer than the grant: %v, %v", vended, err)
	}
	found := s.records(func(r record) bool { return r.EventName == "ApproveAccessRequest" && r.ErrorCode == "" })
	if len(found) != 1 || found[0].Additional["personUserName"] != ana || found[0].Additional["accessGrantId"] == nil {
		t.Errorf("recorded %+v", found)
	}
	want := []string{"access-request.created", "access-request.created", "access-request.approved"}
	for i := range want {
		if got := <-notices; !slices.Contains(want, got) {
			t.Errorf("notice %d: %s", i, got)
		}
	}
}
