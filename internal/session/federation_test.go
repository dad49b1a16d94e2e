package session_test

import (
	"context"
	"strings"
	"testing"

	"github.com/lakegate/lakegate/internal/api/iam"
	"github.com/lakegate/lakegate/internal/api/sts"
	"github.com/lakegate/lakegate/internal/authz"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/policy"
)

// may asks whether the caller of a context may do an action, by its own policies and that of the resource, if any.
func (h *house) may(ctx context.Context, action string, resource *policy.Named) bool {
	return h.sts.Authorizer.Authorize(ctx, authz.Request{Action: action, Resource: "arn:aws:s3:::lake/a", ResourcePolicy: resource}) == nil
}

func TestFederatedUsersHaveWhatBothAllow(t *testing.T) {
	h := newHouse(t)
	user := h.user("broker", allow("sts:GetFederationToken", "s3:GetObject", "s3:PutObject", "iam:*", "sts:*"))
	federate := func(p *string) context.Context {
		out := must(h.sts.GetFederationToken(user, &sts.GetFederationTokenInput{Name: "guest", Policy: p}))
		if out.FederatedUser.Arn != "arn:aws:sts::"+management+":federated-user/guest" || out.FederatedUser.FederatedUserId != management+":guest" {
			t.Errorf("%+v", out.FederatedUser)
		}
		return h.within(out.Credentials.AccessKeyId, out.Credentials.SessionToken)
	}
	guest := federate(ptr(document(allow("s3:GetObject", "s3:DeleteObject", "iam:*", "sts:*"))))
	nothing := federate(nil)
	names := func(arn string) *policy.Named {
		text := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + arn + `"},"Action":"s3:*","Resource":"*"}]}`
		return &policy.Named{Name: "bucket policy", Document: must(policy.Parse([]byte(text), policy.Resource))}
	}
	self, parent := names("arn:aws:sts::"+management+":federated-user/guest"), names("arn:aws:iam::"+management+":user/broker")
	for _, c := range []struct {
		who      context.Context
		action   string
		resource *policy.Named
		want     bool
	}{
		{guest, "s3:GetObject", nil, true},
		{guest, "s3:PutObject", nil, false},    // the session policy is silent
		{guest, "s3:DeleteObject", nil, false}, // the user has it not
		{guest, "s3:DeleteObject", parent, true},
		{guest, "s3:PutObject", parent, false},
		{guest, "s3:PutObject", self, true},
		{nothing, "s3:GetObject", nil, false},
		{nothing, "s3:GetObject", parent, false},
		{nothing, "s3:GetObject", self, true},
	} {
		if got := h.may(c.who, c.action, c.resource); got != c.want {
			t.Errorf("%s with %v: %t, want %t", c.action, c.resource, got, c.want)
		}
	}

	who := must(h.sts.GetCallerIdentity(guest, &sts.GetCallerIdentityInput{}))
	if *who.Arn != "arn:aws:sts::"+management+":federated-user/guest" || *who.UserId != management+":guest" {
		t.Errorf("it is %s %s", *who.Arn, *who.UserId)
	}
	// Whatever its policies say: no way from here to lasting or other credentials.
	_, err := h.iam.CreateUser(guest, &iam.CreateUserInput{UserName: "mine"})
	wantCode(t, err, "InvalidClientTokenId")
	role := h.role("open", trust("sts:AssumeRole"))
	_, err = h.sts.AssumeRole(guest, &sts.AssumeRoleInput{RoleArn: role, RoleSessionName: "guest"})
	wantCode(t, err, "AccessDenied")
	_, err = h.sts.GetFederationToken(guest, &sts.GetFederationTokenInput{Name: "again"})
	wantCode(t, err, "AccessDenied")
	_, err = h.sts.GetSessionToken(guest, &sts.GetSessionTokenInput{})
	wantCode(t, err, "AccessDenied")
	_, err = h.sts.GetAccessKeyInfo(guest, &sts.GetAccessKeyInfoInput{AccessKeyId: "ASIAGO6XUA4O2XTR344E"})
	wantCode(t, err, "AccessDenied")

	// The rights are those of today: a boundary of the user bounds, and the user's end is the federated user's.
	must(h.iam.PutUserPermissionsBoundary(h.admin(), &iam.PutUserPermissionsBoundaryInput{UserName: "broker", PermissionsBoundary: "arn:aws:iam::aws:policy/IAMReadOnlyAccess"}))
	if h.may(guest, "s3:GetObject", nil) {
		t.Error("the boundary of the user does not bound")
	}
	for _, k := range must(h.iam.ListAccessKeys(h.admin(), &iam.ListAccessKeysInput{UserName: ptr("broker")})).AccessKeyMetadata {
		must(h.iam.DeleteAccessKey(h.admin(), &iam.DeleteAccessKeyInput{UserName: ptr("broker"), AccessKeyId: *k.AccessKeyId}))
	}
	must(h.iam.DeleteUserPermissionsBoundary(h.admin(), &iam.DeleteUserPermissionsBoundaryInput{UserName: "broker"}))
	must(h.iam.DeleteUserPolicy(h.admin(), &iam.DeleteUserPolicyInput{UserName: "broker", PolicyName: "own"}))
	must(h.iam.DeleteUser(h.admin(), &iam.DeleteUserInput{UserName: "broker"}))
	if h.may(guest, "s3:GetObject", nil) || h.may(nothing, "s3:GetObject", self) {
		t.Error("the federated user of a deleted user goes on")
	}
}

func TestWhoMayFederate(t *testing.T) {
	h := newHouse(t)
	may := h.user("may", allow("sts:GetFederationToken"))
	mayNot := h.user("may-not", allow("s3:*"))
	in := &sts.GetFederationTokenInput{Name: "guest"}
	_, err := h.sts.GetFederationToken(mayNot, in)
	wantCode(t, err, "AccessDenied")
	_, err = h.sts.GetFederationToken(may, &sts.GetFederationTokenInput{Name: "guest", Tags: []sts.Tag{{Key: "team", Value: "lake"}}})
	wantCode(t, err, "AccessDenied") // sts:TagSession is another right
	_, err = h.sts.GetFederationToken(may, &sts.GetFederationTokenInput{Name: "guest", Policy: ptr("{")})
	wantCode(t, err, "MalformedPolicyDocument")
	_, err = h.sts.GetFederationToken(may, &sts.GetFederationTokenInput{Name: "guest", Policy: ptr(document(allow("s3:" + strings.Repeat("x", 2100))))})
	wantCode(t, err, "PackedPolicyTooLarge")
	own := must(h.sts.GetSessionToken(may, &sts.GetSessionTokenInput{}))
	_, err = h.sts.GetFederationToken(h.within(own.Credentials.AccessKeyId, own.Credentials.SessionToken), in)
	wantCode(t, err, "AccessDenied")
	out := must(h.sts.GetFederationToken(may, in))
	c := caller.From(h.within(out.Credentials.AccessKeyId, out.Credentials.SessionToken))
	if got := c.Session.Expires.Sub(c.Session.Issued).Hours(); got != 12 {
		t.Errorf("it lasts %v hours", got)
	}
}
