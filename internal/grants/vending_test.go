package grants_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lakegate/lakegate/internal/api/s3control"
	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/policy"
	"github.com/lakegate/lakegate/internal/storage/remote"
	"github.com/lakegate/lakegate/internal/wire"
)

// remoteSTS is the STS of the storage of lake, and remembers what it was asked. Over a real one it is tested in test/e2e.
type remoteSTS struct {
	asked []remote.AssumeRole
	now   func() time.Time
	fails error
}

func (s *remoteSTS) Vends(bucket string) error {
	if bucket != "lake" {
		return errors.New("the bucket " + bucket + " is on no backend")
	}
	return nil
}

func (s *remoteSTS) Vend(_ context.Context, _ string, in remote.AssumeRole) (*remote.TemporaryCredentials, error) {
	if s.asked = append(s.asked, in); s.fails != nil {
		return nil, s.fails
	}
	return &remote.TemporaryCredentials{AccessKeyID: "ASIAREMOTE", SecretAccessKey: "there", SessionToken: "token", Expires: s.now().Add(in.Duration)}, nil
}

func codeOf(err error) string {
	if err == nil {
		return ""
	}
	return wire.AsError(err).Code
}

const roleThere = "arn:aws:iam::444444444444:role/lake-reader"

func (h *house) vending(scope string, pairs ...string) (id string, err error) {
	out, err := h.CreateAccessGrantsLocation(h.admin(owner), &s3control.CreateAccessGrantsLocationInput{
		AccountId: owner, LocationScope: scope, IAMRoleArn: arn.Role(owner, "/", "Location"), Tags: tagsOf(pairs...),
	})
	if err != nil {
		return "", err
	}
	return *out.AccessGrantsLocationId, nil
}

func TestVendingIsValidated(t *testing.T) {
	h := founded(t, "sqlite")
	h.Vendor = &remoteSTS{now: h.Now}
	for _, tt := range []struct{ scope, how, role, why string }{
		{"s3://lake/x/", "lakegate:Vending=proxied", "lakegate:VendingRole=" + roleThere, "must be direct"},
		{"s3://lake/x/", "lakegate:Vending=", "lakegate:VendingRole=" + roleThere, "must be direct"},
		{"s3://lake/x/", "lakegate:Vending=direct", "team=red", "ARN of a role"},
		{"s3://lake/x/", "team=red", "lakegate:VendingRole=" + roleThere, "must be direct"},
		{"s3://lake/x/", "lakegate:Vending=direct", "lakegate:VendingRole=arn:aws:iam::444444444444:user/u", "ARN of a role"},
		{"s3://lake/x/", "lakegate:Vending=direct", "lakegate:VendingRole=arn:aws:iam::444444444444:role/a b", "ARN of a role"},
		{"s3://lake/x/", "lakegate:Vending=direct", "lakegate:VendingRole=role/x&Policy=", "ARN of a role"},
		{"s3://lake2/", "lakegate:Vending=direct", "lakegate:VendingRole=" + roleThere, "is on no backend"},
	} {
		if _, err := h.vending(tt.scope, tt.how, tt.role); err == nil || !strings.Contains(err.Error(), tt.why) {
			t.Errorf("%s %s %s: %v", tt.scope, tt.how, tt.role, err)
		}
	}
	h.Strict = true
	if _, err := h.vending("s3://lake/x/", "lakegate:Vending=direct", "lakegate:VendingRole="+roleThere); err == nil || !strings.Contains(err.Error(), "strict") {
		t.Errorf("strict: %v", err)
	}
	h.Strict, h.Vendor = false, nil
	if _, err := h.vending("s3://lake/x/", "lakegate:Vending=direct", "lakegate:VendingRole="+roleThere); err == nil {
		t.Error("without backends a location vends directly")
	}
}

// Nobody turns direct vending on, off or to another role after the location was made.
func TestVendingCannotChange(t *testing.T) {
	h := founded(t, "sqlite")
	h.Vendor = &remoteSTS{now: h.Now}
	id := must(h.vending("s3://lake/x/", "lakegate:Vending=direct", "lakegate:VendingRole="+roleThere))
	plain := must(h.vending("s3://lake/y/"))
	for _, l := range []string{id, plain} {
		resource := instanceARN + "/location/" + l
		for _, tag := range []string{"lakegate:Vending=direct", "lakegate:Vending=", "lakegate:VendingRole=arn:aws:iam::444444444444:role/admin"} {
			if l == id && tag == "lakegate:Vending=direct" {
				continue // it is what it has
			}
			if _, err := h.TagResource(h.admin(owner), &s3control.TagResourceInput{AccountId: owner, ResourceArn: resource, Tags: tagsOf(tag)}); err == nil {
				t.Errorf("%s was put on %s", tag, l)
			}
		}
	}
	if _, err := h.UntagResource(h.admin(owner), &s3control.UntagResourceInput{AccountId: owner, ResourceArn: instanceARN + "/location/" + id, TagKeys: []string{"lakegate:Vending"}}); err == nil {
		t.Error("direct vending was taken away")
	}
}

func TestDirectVending(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		h.found()
		sts := &remoteSTS{now: h.Now}
		h.Vendor = sts
		id := must(h.vending("s3://lake/direct/", "lakegate:Vending=direct", "lakegate:VendingRole="+roleThere))
		user, application := h.person("mateo/jäckson"), h.application("App")
		in := toUser(user, "red/*", s3control.PermissionREAD)
		in.AccessGrantsLocationId = id
		h.grant(in)
		c := h.enhanced(h.role(owner, "App", allow(app, "*")), user, application)
		out, err := h.ask(c, "s3://lake/direct/red/*", s3control.PermissionREAD)
		if err != nil {
			t.Fatal(err)
		}
		if *out.Credentials.AccessKeyId != "ASIAREMOTE" || *out.Credentials.SessionToken != "token" || *out.MatchedGrantTarget != "s3://lake/direct/red/*" || !out.Credentials.Expiration.Equal(h.Now().Add(time.Hour)) {
			t.Errorf("%+v", out)
		}
		got := sts.asked[0]
		if got.RoleARN != roleThere || got.SessionName != "mateo-j-ckson" || got.Duration != time.Hour {
			t.Errorf("asked for %+v", got)
		}
		// The session policy says what the grant says and nothing else.
		if _, err := policy.Parse([]byte(got.Policy), policy.Session); err != nil {
			t.Fatalf("%s: %v", got.Policy, err)
		}
		if strings.Contains(got.Policy, "PutObject") || !strings.Contains(got.Policy, `"arn:aws:s3:::lake/direct/red/*"`) || strings.Contains(got.Policy, "\"arn:aws:s3:::lake/*\"") {
			t.Errorf("policy %s", got.Policy)
		}
		// Asking for less gives less.
		must(h.ask(c, "s3://lake/direct/red/2026/*", s3control.PermissionREAD, minimal))
		if got := sts.asked[1]; !strings.Contains(got.Policy, "direct/red/2026/*") {
			t.Errorf("minimal: %s", got.Policy)
		}
		// A person who has lost the grant's ground gets nothing, and nobody is asked.
		n := len(sts.asked)
		if _, err := h.ask(c, "s3://lake/direct/blue/*", s3control.PermissionREAD); err == nil || len(sts.asked) != n {
			t.Errorf("another prefix: %v", err)
		}
		if _, err := h.ask(c, "s3://lake/direct/red/*", s3control.PermissionWRITE); err == nil || len(sts.asked) != n {
			t.Errorf("another permission: %v", err)
		}
		// Where the storage refuses, its words go no further.
		sts.fails = errors.New("STS of backend minio: status 403 AccessDenied for key AKIDGATE")
		_, err = h.ask(c, "s3://lake/direct/red/*", s3control.PermissionREAD)
		if codeOf(err) != "StsNotAuthorizedError" || strings.Contains(wire.AsError(err).Message, "AKIDGATE") {
			t.Errorf("refused there: %v", err)
		}
	})
}

// Direct credentials cannot be taken back, so they never outlive what they were given for.
func TestDirectCredentialsEndWithTheGrant(t *testing.T) {
	h := founded(t, "sqlite")
	sts := &remoteSTS{now: h.Now}
	h.Vendor = sts
	id := must(h.vending("s3://lake/direct/", "lakegate:Vending=direct", "lakegate:VendingRole="+roleThere))
	user, application := h.person("mateo"), h.application("App")
	c := h.enhanced(h.role(owner, "App", allow(app, "*")), user, application)
	in := with(toUser(user, "red/*", s3control.PermissionREAD), "lakegate:NotAfter="+h.in(30*time.Minute))
	in.AccessGrantsLocationId = id
	h.grant(in)
	must(h.ask(c, "s3://lake/direct/red/*", s3control.PermissionREAD))
	if got := sts.asked[0].Duration; got != 30*time.Minute {
		t.Errorf("credentials for %v of a grant that ends in half an hour", got)
	}
	h.later(16 * time.Minute)
	if _, err := h.ask(c, "s3://lake/direct/red/*", s3control.PermissionREAD); codeOf(err) != "StsValidationError" || len(sts.asked) != 1 {
		t.Errorf("with 14 minutes left: %v", err)
	}
}

// A session policy that no STS takes is not cut short: without its denials the session would reach more.
func TestSessionPolicyTooLongForAnSTS(t *testing.T) {
	h := founded(t, "sqlite")
	sts := &remoteSTS{now: h.Now}
	h.Vendor = sts
	id := must(h.vending("s3://lake/direct/", "lakegate:Vending=direct", "lakegate:VendingRole="+roleThere))
	user, application := h.person("mateo"), h.application("App")
	c := h.enhanced(h.role(owner, "App", allow(app, "*")), user, application)
	in := toUser(user, "red/*", s3control.PermissionREADWRITE)
	in.AccessGrantsLocationId = id
	h.grant(in)
	must(h.ask(c, "s3://lake/direct/red/*", s3control.PermissionREADWRITE))
	for i := range 4 {
		deny := with(toUser(user, fmt.Sprintf("red/secret-%d/%s/*", i, strings.Repeat("x", 100)), s3control.PermissionREADWRITE), "lakegate:Effect=Deny")
		deny.AccessGrantsLocationId = id
		h.grant(deny)
	}
	if _, err := h.ask(c, "s3://lake/direct/red/*", s3control.PermissionREADWRITE); codeOf(err) != "StsPackedPolicyTooLargeError" || len(sts.asked) != 1 {
		t.Errorf("%v, asked %d times", err, len(sts.asked))
	}
}
