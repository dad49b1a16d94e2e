package account_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lakegate/lakegate/internal/account"
	"github.com/lakegate/lakegate/internal/api/iam"
	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/store/storetest"
)

const s3ReadOnly = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"

func TestUsers(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db *store.DB) {
		h := newHouse(t, db)
		ctx := h.admin(member)
		made := must(h.iam.CreateUser(ctx, &iam.CreateUserInput{
			UserName: "Mateo", Path: new("/team/"), PermissionsBoundary: new(s3ReadOnly), Tags: []iam.Tag{{Key: "team", Value: "red"}},
		})).User
		want := &iam.User{
			Path: "/team/", UserName: "Mateo", UserId: made.UserId, Arn: "arn:aws:iam::111111111111:user/team/Mateo", CreateDate: made.CreateDate,
			PermissionsBoundary: &iam.AttachedPermissionsBoundary{
				PermissionsBoundaryType: new(iam.PermissionsBoundaryAttachmentTypePermissionsBoundaryPolicy), PermissionsBoundaryArn: new(s3ReadOnly),
			},
			Tags: []iam.Tag{{Key: "team", Value: "red"}},
		}
		if diff := cmp.Diff(want, made); diff != "" || !strings.HasPrefix(made.UserId, "AIDA") || len(made.UserId) != 21 {
			t.Errorf("created (-want +got):\n%s", diff)
		}
		got := must(h.iam.GetUser(ctx, &iam.GetUserInput{UserName: new("Mateo")})).User
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("GetUser (-want +got):\n%s", diff)
		}
		_, err := h.iam.CreateUser(ctx, &iam.CreateUserInput{UserName: "mateo"})
		wantCode(t, err, "EntityAlreadyExists")
		_, err = h.iam.GetUser(ctx, &iam.GetUserInput{UserName: new("mateo")})
		wantCode(t, err, "NoSuchEntity")

		must(h.iam.UpdateUser(ctx, &iam.UpdateUserInput{UserName: "Mateo", NewUserName: new("MateoJ"), NewPath: new("/people/")}))
		got = must(h.iam.GetUser(ctx, &iam.GetUserInput{UserName: new("MateoJ")})).User
		if got.Arn != "arn:aws:iam::111111111111:user/people/MateoJ" || got.UserId != made.UserId {
			t.Errorf("renamed to %s, id %s", got.Arn, got.UserId)
		}
		_, err = h.iam.UpdateUser(ctx, &iam.UpdateUserInput{UserName: "MateoJ", NewUserName: new(account.Administrator)})
		wantCode(t, err, "EntityAlreadyExists")

		list := must(h.iam.ListUsers(ctx, &iam.ListUsersInput{PathPrefix: new("/people/")})).Users
		want.Path, want.UserName, want.Arn, want.PermissionsBoundary, want.Tags = "/people/", "MateoJ", got.Arn, nil, nil
		if diff := cmp.Diff([]iam.User{*want}, list); diff != "" {
			t.Errorf("ListUsers (-want +got):\n%s", diff)
		}
		must(h.iam.DeleteUser(ctx, &iam.DeleteUserInput{UserName: "MateoJ"}))
		_, err = h.iam.GetUser(ctx, &iam.GetUserInput{UserName: new("MateoJ")})
		wantCode(t, err, "NoSuchEntity")
	})
}

func TestGetUserOfTheCaller(t *testing.T) {
	h := house1(t)
	mateo := h.user("mateo", allow("iam:GetUser", "arn:aws:iam::*:user/${aws:username}"))
	if got := must(h.iam.GetUser(mateo, &iam.GetUserInput{})).User.UserName; got != "mateo" {
		t.Errorf("the caller is %s", got)
	}
	_, err := h.iam.GetUser(mateo, &iam.GetUserInput{UserName: new(account.Administrator)})
	wantCode(t, err, "AccessDenied")
}

func TestAccessKeys(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db *store.DB) {
		h := newHouse(t, db)
		ctx := h.admin(member)
		must(h.iam.CreateUser(ctx, &iam.CreateUserInput{UserName: "mateo"}))
		first := must(h.iam.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: new("mateo")})).AccessKey
		secret, c, err := h.registry.Lookup(first.AccessKeyId)
		if err != nil || secret != first.SecretAccessKey || c.ARN != "arn:aws:iam::111111111111:user/mateo" || c.UserName != "mateo" || c.AccessKeyID != first.AccessKeyId {
			t.Errorf("lookup: %+v, %v", c, err)
		}
		second := must(h.iam.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: new("mateo")})).AccessKey
		_, err = h.iam.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: new("mateo")})
		wantCode(t, err, "LimitExceeded")

		must(h.iam.UpdateAccessKey(ctx, &iam.UpdateAccessKeyInput{UserName: new("mateo"), AccessKeyId: first.AccessKeyId, Status: iam.StatusTypeInactive}))
		if _, _, err := h.registry.Lookup(first.AccessKeyId); !errors.Is(err, account.ErrNoKey) {
			t.Errorf("a disabled key: %v", err)
		}
		list := must(h.iam.ListAccessKeys(ctx, &iam.ListAccessKeysInput{UserName: new("mateo")})).AccessKeyMetadata
		status := map[string]iam.StatusType{}
		for _, k := range list {
			status[*k.AccessKeyId] = *k.Status
		}
		if diff := cmp.Diff(map[string]iam.StatusType{first.AccessKeyId: "Inactive", second.AccessKeyId: "Active"}, status); diff != "" {
			t.Errorf("ListAccessKeys (-want +got):\n%s", diff)
		}
		must(h.iam.UpdateAccessKey(ctx, &iam.UpdateAccessKeyInput{UserName: new("mateo"), AccessKeyId: first.AccessKeyId, Status: iam.StatusTypeActive}))
		if _, _, err := h.registry.Lookup(first.AccessKeyId); err != nil {
			t.Errorf("a key that was enabled again: %v", err)
		}
		must(h.iam.DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{UserName: new("mateo"), AccessKeyId: first.AccessKeyId}))
		if _, _, err := h.registry.Lookup(first.AccessKeyId); !errors.Is(err, account.ErrNoKey) {
			t.Errorf("a deleted key: %v", err)
		}
		_, err = h.iam.DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{UserName: new("mateo"), AccessKeyId: first.AccessKeyId})
		wantCode(t, err, "NoSuchEntity")
		_, err = h.iam.DeleteUser(ctx, &iam.DeleteUserInput{UserName: "mateo"})
		wantCode(t, err, "DeleteConflict")
	})
}

func TestLastUseOfAKey(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db *store.DB) {
		h := newHouse(t, db)
		ctx := h.admin(member)
		k := must(h.iam.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{})).AccessKey
		used := func() *iam.AccessKeyLastUsed {
			return must(h.iam.GetAccessKeyLastUsed(ctx, &iam.GetAccessKeyLastUsedInput{AccessKeyId: k.AccessKeyId})).AccessKeyLastUsed
		}
		if diff := cmp.Diff(&iam.AccessKeyLastUsed{ServiceName: "N/A", Region: "N/A"}, used()); diff != "" {
			t.Errorf("never used (-want +got):\n%s", diff)
		}
		at := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
		h.registry.NoteUse(k.AccessKeyId, account.Use{At: at, Service: "s3", Region: "us-east-1"})
		want := &iam.AccessKeyLastUsed{ServiceName: "s3", Region: "us-east-1", LastUsedDate: &at}
		if diff := cmp.Diff(want, used()); diff != "" {
			t.Errorf("noted (-want +got):\n%s", diff)
		}
		before := db.Revision()
		if err := h.registry.SaveUses(t.Context()); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, used()); diff != "" || db.Revision() != before {
			t.Errorf("saved (-want +got):\n%s; revision %d, was %d", diff, db.Revision(), before)
		}
		_, err := h.iam.GetAccessKeyLastUsed(h.admin(other), &iam.GetAccessKeyLastUsedInput{AccessKeyId: k.AccessKeyId})
		wantCode(t, err, "NoSuchEntity")
	})
}

func TestRoles(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db *store.DB) {
		h := newHouse(t, db)
		ctx := h.admin(member)
		trust := trusting(arn.User(member, "/", account.Administrator))
		made := must(h.iam.CreateRole(ctx, &iam.CreateRoleInput{
			RoleName: "Application", Path: new("/app/"), AssumeRolePolicyDocument: trust, Description: new("An application"), MaxSessionDuration: new(7200),
		})).Role
		got := must(h.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: "Application"})).Role
		want := &iam.Role{
			Path: "/app/", RoleName: "Application", RoleId: made.RoleId, Arn: "arn:aws:iam::111111111111:role/app/Application", CreateDate: made.CreateDate,
			AssumeRolePolicyDocument: new(strings.ReplaceAll(url.QueryEscape(trust), "+", "%20")), Description: new("An application"), MaxSessionDuration: new(7200),
		}
		for name, r := range map[string]*iam.Role{"created": made, "got": got} {
			if diff := cmp.Diff(want, r); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
		must(h.iam.UpdateRole(ctx, &iam.UpdateRoleInput{RoleName: "Application", MaxSessionDuration: new(3600)}))
		must(h.iam.UpdateRoleDescription(ctx, &iam.UpdateRoleDescriptionInput{RoleName: "Application", Description: "Another"}))
		r, ok := h.registry.RoleByARN(want.Arn)
		if !ok || r.MaxDuration != time.Hour || r.ID != made.RoleId || r.Trust.Document == nil {
			t.Errorf("RoleByARN = %+v, %v", r, ok)
		}
		if _, ok := h.registry.RoleByARN("arn:aws:iam::111111111111:role/Application"); ok {
			t.Error("a role is found without its path")
		}
		must(h.iam.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: "Application", PolicyName: "p", PolicyDocument: allow("s3:*", "*")}))
		must(h.iam.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: "Application", PolicyArn: s3ReadOnly}))
		for range 2 {
			_, err := h.iam.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: "Application"})
			wantCode(t, err, "DeleteConflict")
			_, _ = h.iam.DetachRolePolicy(ctx, &iam.DetachRolePolicyInput{RoleName: "Application", PolicyArn: s3ReadOnly})
		}
		must(h.iam.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: "Application", PolicyName: "p"}))
		must(h.iam.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: "Application"}))
		if _, ok := h.registry.RoleByID(made.RoleId); ok {
			t.Error("a deleted role is found by its id")
		}
	})
}

func TestInlinePolicies(t *testing.T) {
	h := house1(t)
	ctx := h.admin(member)
	must(h.iam.CreateGroup(ctx, &iam.CreateGroupInput{GroupName: "g"}))
	document := allow("s3:GetObject", "arn:aws:s3:::a b+c/*")
	for _, name := range []string{"b", "a"} {
		must(h.iam.PutGroupPolicy(ctx, &iam.PutGroupPolicyInput{GroupName: "g", PolicyName: name, PolicyDocument: document}))
	}
	names := must(h.iam.ListGroupPolicies(ctx, &iam.ListGroupPoliciesInput{GroupName: "g"})).PolicyNames
	if diff := cmp.Diff([]string{"a", "b"}, names); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	shown := must(h.iam.GetGroupPolicy(ctx, &iam.GetGroupPolicyInput{GroupName: "g", PolicyName: "a"})).PolicyDocument
	if back, err := url.PathUnescape(shown); err != nil || back != document || strings.ContainsAny(shown, ` +"{`) {
		t.Errorf("the document is not percent-encoded: %s", shown)
	}
	must(h.iam.PutGroupPolicy(ctx, &iam.PutGroupPolicyInput{GroupName: "g", PolicyName: "a", PolicyDocument: allow("s3:*", "*")}))
	must(h.iam.DeleteGroupPolicy(ctx, &iam.DeleteGroupPolicyInput{GroupName: "g", PolicyName: "a"}))
	_, err := h.iam.GetGroupPolicy(ctx, &iam.GetGroupPolicyInput{GroupName: "g", PolicyName: "a"})
	wantCode(t, err, "NoSuchEntity")
	_, err = h.iam.DeleteGroupPolicy(ctx, &iam.DeleteGroupPolicyInput{GroupName: "g", PolicyName: "a"})
	wantCode(t, err, "NoSuchEntity")
}

func TestGroups(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db *store.DB) {
		h := newHouse(t, db)
		ctx := h.admin(member)
		must(h.iam.CreateGroup(ctx, &iam.CreateGroupInput{GroupName: "readers"}))
		must(h.iam.AttachGroupPolicy(ctx, &iam.AttachGroupPolicyInput{GroupName: "readers", PolicyArn: s3ReadOnly}))
		c := caller.From(h.user("mateo", ""))
		must(h.iam.AddUserToGroup(ctx, &iam.AddUserToGroupInput{GroupName: "readers", UserName: "mateo"}))
		if !h.may(c, "s3:GetObject", "arn:aws:s3:::b/k") {
			t.Error("the group's policy does not reach its member")
		}
		group := must(h.iam.GetGroup(ctx, &iam.GetGroupInput{GroupName: "readers"}))
		if len(group.Users) != 1 || group.Users[0].UserName != "mateo" || !strings.HasPrefix(group.Group.GroupId, "AGPA") {
			t.Errorf("GetGroup = %+v", group)
		}
		if groups := must(h.iam.ListGroupsForUser(ctx, &iam.ListGroupsForUserInput{UserName: "mateo"})).Groups; len(groups) != 1 || groups[0].GroupName != "readers" {
			t.Errorf("groups of mateo: %+v", groups)
		}
		must(h.iam.DetachGroupPolicy(ctx, &iam.DetachGroupPolicyInput{GroupName: "readers", PolicyArn: s3ReadOnly}))
		if h.may(c, "s3:GetObject", "arn:aws:s3:::b/k") {
			t.Error("a policy reaches on that the group lost")
		}
		_, err := h.iam.DeleteGroup(ctx, &iam.DeleteGroupInput{GroupName: "readers"})
		wantCode(t, err, "DeleteConflict")
		must(h.iam.AttachGroupPolicy(ctx, &iam.AttachGroupPolicyInput{GroupName: "readers", PolicyArn: s3ReadOnly}))
		must(h.iam.RemoveUserFromGroup(ctx, &iam.RemoveUserFromGroupInput{GroupName: "readers", UserName: "mateo"}))
		if h.may(c, "s3:GetObject", "arn:aws:s3:::b/k") {
			t.Error("a policy reaches a user who left the group")
		}
		must(h.iam.DetachGroupPolicy(ctx, &iam.DetachGroupPolicyInput{GroupName: "readers", PolicyArn: s3ReadOnly}))
		must(h.iam.DeleteGroup(ctx, &iam.DeleteGroupInput{GroupName: "readers"}))
		for _, g := range []string{"readers", "none"} {
			_, err := h.iam.AddUserToGroup(ctx, &iam.AddUserToGroupInput{GroupName: g, UserName: "mateo"})
			wantCode(t, err, "NoSuchEntity")
		}
	})
}

func TestTags(t *testing.T) {
	h := house1(t)
	ctx := h.admin(member)
	h.role("r", "")
	must(h.iam.TagRole(ctx, &iam.TagRoleInput{RoleName: "r", Tags: []iam.Tag{{Key: "Team", Value: "red"}, {Key: "cost", Value: "1"}}}))
	must(h.iam.TagRole(ctx, &iam.TagRoleInput{RoleName: "r", Tags: []iam.Tag{{Key: "team", Value: "blue"}}}))
	list := func() []iam.Tag {
		return must(h.iam.ListRoleTags(ctx, &iam.ListRoleTagsInput{RoleName: "r"})).Tags
	}
	if diff := cmp.Diff([]iam.Tag{{Key: "cost", Value: "1"}, {Key: "team", Value: "blue"}}, list()); diff != "" {
		t.Errorf("keys ignore case (-want +got):\n%s", diff)
	}
	first := must(h.iam.ListRoleTags(ctx, &iam.ListRoleTagsInput{RoleName: "r", MaxItems: new(1)}))
	second := must(h.iam.ListRoleTags(ctx, &iam.ListRoleTagsInput{RoleName: "r", MaxItems: new(1), Marker: first.Marker}))
	if len(first.Tags) != 1 || first.Tags[0].Key != "cost" || !*first.IsTruncated || len(second.Tags) != 1 || second.Tags[0].Key != "team" || *second.IsTruncated {
		t.Errorf("pages %+v, %+v", first, second)
	}
	must(h.iam.UntagRole(ctx, &iam.UntagRoleInput{RoleName: "r", TagKeys: []string{"TEAM", "none"}}))
	if diff := cmp.Diff([]iam.Tag{{Key: "cost", Value: "1"}}, list()); diff != "" {
		t.Errorf("after UntagRole (-want +got):\n%s", diff)
	}
	for _, tags := range [][]iam.Tag{{{Key: "aws:x"}}, {{Key: "AWS:x"}}, {{Key: "lakegate:AccountId"}}, {{Key: "a"}, {Key: "A"}}} {
		_, err := h.iam.TagRole(ctx, &iam.TagRoleInput{RoleName: "r", Tags: tags})
		wantCode(t, err, "InvalidInput")
	}
	var many []iam.Tag
	for i := range 50 {
		many = append(many, iam.Tag{Key: strings.Repeat("k", i+1)})
	}
	_, err := h.iam.TagRole(ctx, &iam.TagRoleInput{RoleName: "r", Tags: many})
	wantCode(t, err, "LimitExceeded")
}

// TestErrors names the error of each operation that cannot be done.
func TestErrors(t *testing.T) {
	h := house1(t)
	ctx := h.admin(member)
	h.role("r", "")
	h.user("u", "")
	long := func(n int) string { return allow("s3:GetObject", "arn:aws:s3:::b/"+strings.Repeat("x", n)) }
	for name, c := range map[string]struct {
		call func(context.Context) error
		want string
	}{
		"role exists": {func(ctx context.Context) error {
			_, err := h.iam.CreateRole(ctx, &iam.CreateRoleInput{RoleName: "R", AssumeRolePolicyDocument: trusting(member)})
			return err
		}, "EntityAlreadyExists"},
		"trust policy is no policy": {func(ctx context.Context) error {
			_, err := h.iam.CreateRole(ctx, &iam.CreateRoleInput{RoleName: "x", AssumeRolePolicyDocument: "{"})
			return err
		}, "MalformedPolicyDocument"},
		"trust policy is an identity policy": {func(ctx context.Context) error {
			_, err := h.iam.CreateRole(ctx, &iam.CreateRoleInput{RoleName: "x", AssumeRolePolicyDocument: allow("sts:AssumeRole", "*")})
			return err
		}, "MalformedPolicyDocument"},
		"trust policy is too long": {func(ctx context.Context) error {
			_, err := h.iam.CreateRole(ctx, &iam.CreateRoleInput{RoleName: "x", AssumeRolePolicyDocument: trusting(arn.Role(member, "/", strings.Repeat("r", 2048)))})
			return err
		}, "LimitExceeded"},
		"boundary is not there": {func(ctx context.Context) error {
			_, err := h.iam.CreateRole(ctx, &iam.CreateRoleInput{RoleName: "x", AssumeRolePolicyDocument: trusting(member), PermissionsBoundary: new("arn:aws:iam::111111111111:policy/none")})
			return err
		}, "NoSuchEntity"},
		"boundary to delete": {func(ctx context.Context) error {
			_, err := h.iam.DeleteRolePermissionsBoundary(ctx, &iam.DeleteRolePermissionsBoundaryInput{RoleName: "r"})
			return err
		}, "NoSuchEntity"},
		"policy names a principal": {func(ctx context.Context) error {
			_, err := h.iam.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: "r", PolicyName: "p", PolicyDocument: trusting(member)})
			return err
		}, "MalformedPolicyDocument"},
		"inline policies of a user are too long": {func(ctx context.Context) error {
			if _, err := h.iam.PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: "u", PolicyName: "1", PolicyDocument: long(1000)}); err != nil {
				return err
			}
			_, err := h.iam.PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: "u", PolicyName: "2", PolicyDocument: long(1000)})
			return err
		}, "LimitExceeded"},
		"managed policy is too long": {func(ctx context.Context) error {
			_, err := h.iam.CreatePolicy(ctx, &iam.CreatePolicyInput{PolicyName: "p", PolicyDocument: long(6144)})
			return err
		}, "LimitExceeded"},
		"policy to attach is not there": {func(ctx context.Context) error {
			_, err := h.iam.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: "r", PolicyArn: "arn:aws:iam::aws:policy/NoSuchPolicy"})
			return err
		}, "NoSuchEntity"},
		"policy ARN is none": {func(ctx context.Context) error {
			_, err := h.iam.GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: "arn:aws:iam::111111111111:role/r"})
			return err
		}, "InvalidInput"},
		"key of nobody": {func(ctx context.Context) error {
			_, err := h.iam.UpdateAccessKey(ctx, &iam.UpdateAccessKeyInput{UserName: new("u"), AccessKeyId: "AKIAAAAAAAAAAAAAAAAA", Status: iam.StatusTypeActive})
			return err
		}, "NoSuchEntity"},
		"marker is none": {func(ctx context.Context) error {
			_, err := h.iam.ListRoles(ctx, &iam.ListRolesInput{Marker: new("x")})
			return err
		}, "ValidationError"},
	} {
		t.Run(name, func(t *testing.T) { wantCode(t, c.call(ctx), c.want) })
	}
	missing := func(name string, err error) {
		t.Run(name+" of somebody who is not there", func(t *testing.T) { wantCode(t, err, "NoSuchEntity") })
	}
	_, err := h.iam.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: "none"})
	missing("DeleteRole", err)
	_, err = h.iam.UpdateAssumeRolePolicy(ctx, &iam.UpdateAssumeRolePolicyInput{RoleName: "none", PolicyDocument: trusting(member)})
	missing("UpdateAssumeRolePolicy", err)
	_, err = h.iam.ListInstanceProfilesForRole(ctx, &iam.ListInstanceProfilesForRoleInput{RoleName: "none"})
	missing("ListInstanceProfilesForRole", err)
	_, err = h.iam.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: new("none")})
	missing("CreateAccessKey", err)
	_, err = h.iam.ListUserTags(ctx, &iam.ListUserTagsInput{UserName: "none"})
	missing("ListUserTags", err)
}

func TestSummaryAndWhatThereIsNone(t *testing.T) {
	h := house1(t)
	ctx := h.admin(member)
	h.role("r", "")
	got := must(h.iam.GetAccountSummary(ctx, &iam.GetAccountSummaryInput{})).SummaryMap
	for k, want := range map[string]int{"Users": 1, "Roles": 2, "Groups": 0, "Policies": 0, "AccessKeysPerUserQuota": 2, "VersionsPerPolicyQuota": 5} {
		if got[k] != want {
			t.Errorf("%s is %d, want %d", k, got[k], want)
		}
	}
	if got := must(h.iam.ListAccountAliases(ctx, &iam.ListAccountAliasesInput{})).AccountAliases; got == nil || len(got) != 0 {
		t.Errorf("aliases %v", got)
	}
	if got := must(h.iam.ListInstanceProfilesForRole(ctx, &iam.ListInstanceProfilesForRoleInput{RoleName: "r"})).InstanceProfiles; got == nil || len(got) != 0 {
		t.Errorf("instance profiles %v", got)
	}
}
