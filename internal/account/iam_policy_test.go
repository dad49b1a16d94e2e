package account_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lakegate/lakegate/internal/account"
	"github.com/lakegate/lakegate/internal/api/iam"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/store/storetest"
)

func TestManagedPolicies(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db *store.DB) {
		h := newHouse(t, db)
		ctx := h.admin(member)
		name := *must(h.iam.CreatePolicy(ctx, &iam.CreatePolicyInput{
			PolicyName: "Read", PolicyDocument: allow("s3:GetObject", "*"), Description: new("reads"), Tags: []iam.Tag{{Key: "k", Value: "v"}},
		})).Policy.Arn
		if name != "arn:aws:iam::111111111111:policy/Read" {
			t.Errorf("ARN %s", name)
		}
		_, err := h.iam.CreatePolicy(ctx, &iam.CreatePolicyInput{PolicyName: "read", Path: new("/x/"), PolicyDocument: allow("s3:GetObject", "*")})
		wantCode(t, err, "EntityAlreadyExists")

		mateo := h.user("mateo", "")
		c := caller.From(mateo)
		must(h.iam.AttachUserPolicy(ctx, &iam.AttachUserPolicyInput{UserName: "mateo", PolicyArn: name}))
		must(h.iam.AttachUserPolicy(ctx, &iam.AttachUserPolicyInput{UserName: "mateo", PolicyArn: name}))
		if !h.may(c, "s3:GetObject", "arn:aws:s3:::b/k") || h.may(c, "s3:PutObject", "arn:aws:s3:::b/k") {
			t.Error("the first version is not in effect")
		}
		for range 4 {
			must(h.iam.CreatePolicyVersion(ctx, &iam.CreatePolicyVersionInput{PolicyArn: name, PolicyDocument: allow("s3:PutObject", "*")}))
		}
		_, err = h.iam.CreatePolicyVersion(ctx, &iam.CreatePolicyVersionInput{PolicyArn: name, PolicyDocument: allow("s3:PutObject", "*")})
		wantCode(t, err, "LimitExceeded")
		if !h.may(c, "s3:GetObject", "arn:aws:s3:::b/k") {
			t.Error("a version is in effect that nobody put in effect")
		}
		must(h.iam.SetDefaultPolicyVersion(ctx, &iam.SetDefaultPolicyVersionInput{PolicyArn: name, VersionId: "v3"}))
		if h.may(c, "s3:GetObject", "arn:aws:s3:::b/k") || !h.may(c, "s3:PutObject", "arn:aws:s3:::b/k") {
			t.Error("the third version is not in effect")
		}
		got := must(h.iam.GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: name})).Policy
		if *got.AttachmentCount != 1 || *got.DefaultVersionId != "v3" || *got.Description != "reads" || len(got.Tags) != 1 {
			t.Errorf("GetPolicy = %+v", got)
		}
		users := must(h.iam.ListEntitiesForPolicy(ctx, &iam.ListEntitiesForPolicyInput{PolicyArn: name})).PolicyUsers
		if len(users) != 1 || *users[0].UserName != "mateo" {
			t.Errorf("users of the policy: %+v", users)
		}
		for id, want := range map[string]string{"v3": "DeleteConflict", "v9": "NoSuchEntity", "v01": "NoSuchEntity", "v1": ""} {
			_, err := h.iam.DeletePolicyVersion(ctx, &iam.DeletePolicyVersionInput{PolicyArn: name, VersionId: id})
			wantCode(t, err, want)
		}
		next := must(h.iam.CreatePolicyVersion(ctx, &iam.CreatePolicyVersionInput{PolicyArn: name, PolicyDocument: allow("s3:*", "*"), SetAsDefault: new(true)})).PolicyVersion
		if *next.VersionId != "v6" || !*next.IsDefaultVersion {
			t.Errorf("the number of a deleted version is used again: %s", *next.VersionId)
		}
		var ids []string
		for _, v := range must(h.iam.ListPolicyVersions(ctx, &iam.ListPolicyVersionsInput{PolicyArn: name})).Versions {
			ids = append(ids, *v.VersionId)
		}
		if diff := cmp.Diff([]string{"v6", "v5", "v4", "v3", "v2"}, ids); diff != "" {
			t.Errorf("versions (-want +got):\n%s", diff)
		}
		_, err = h.iam.DeletePolicy(ctx, &iam.DeletePolicyInput{PolicyArn: name})
		wantCode(t, err, "DeleteConflict")
		must(h.iam.DetachUserPolicy(ctx, &iam.DetachUserPolicyInput{UserName: "mateo", PolicyArn: name}))
		_, err = h.iam.DetachUserPolicy(ctx, &iam.DetachUserPolicyInput{UserName: "mateo", PolicyArn: name})
		wantCode(t, err, "NoSuchEntity")
		_, err = h.iam.DeletePolicy(ctx, &iam.DeletePolicyInput{PolicyArn: name})
		wantCode(t, err, "DeleteConflict")
		for _, id := range []string{"v2", "v3", "v4", "v5"} {
			must(h.iam.DeletePolicyVersion(ctx, &iam.DeletePolicyVersionInput{PolicyArn: name, VersionId: id}))
		}
		must(h.iam.DeletePolicy(ctx, &iam.DeletePolicyInput{PolicyArn: name}))
		_, err = h.iam.GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: name})
		wantCode(t, err, "NoSuchEntity")
	})
}

func TestAWSManagedPolicies(t *testing.T) {
	h := house1(t)
	ctx := h.admin(member)
	var names []string
	for _, p := range must(h.iam.ListPolicies(ctx, &iam.ListPoliciesInput{Scope: new(iam.PolicyScopeTypeAWS)})).Policies {
		names = append(names, *p.PolicyName)
	}
	want := []string{
		"AdministratorAccess", "AmazonS3FullAccess", "AmazonS3ReadOnlyAccess", "AWSIAMIdentityCenterAllowListForIdentityContext",
		"IAMFullAccess", "IAMReadOnlyAccess", "ReadOnlyAccess",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	if all := must(h.iam.ListPolicies(ctx, &iam.ListPoliciesInput{Scope: new(iam.PolicyScopeTypeLocal)})).Policies; len(all) != 0 {
		t.Errorf("an account begins with the policies %v", all)
	}
	attached := must(h.iam.ListPolicies(ctx, &iam.ListPoliciesInput{OnlyAttached: new(true)})).Policies
	if len(attached) != 1 || *attached[0].PolicyName != "AdministratorAccess" || *attached[0].AttachmentCount != 2 {
		t.Errorf("attached: %+v", attached)
	}
	version := must(h.iam.GetPolicyVersion(ctx, &iam.GetPolicyVersionInput{PolicyArn: account.AdministratorAccess, VersionId: "v1"})).PolicyVersion
	if text, err := url.PathUnescape(*version.Document); err != nil || !strings.Contains(text, `"Action": "*"`) {
		t.Errorf("AdministratorAccess is %s", text)
	}
}
