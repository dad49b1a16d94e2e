package account_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/lakegate/lakegate/internal/account"
	"github.com/lakegate/lakegate/internal/api/iam"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/store/storetest"
)

// TestMemoryIsWhatARestartReads: after any changes, the memory that followed them decides and shows the same as one that
// reads everything from the database.
func TestMemoryIsWhatARestartReads(t *testing.T) {
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) { followed(t, storetest.URL(t, engine)) })
	}
}

func followed(t *testing.T, url string) {
	h := newHouse(t, storetest.Open(t, url))
	ctx := h.admin(member)
	keys := must(store.ParseKeys(storetest.Key))
	actions := []string{"s3:GetObject", "s3:PutObject", "s3:ListBucket"}
	name := rapid.SampledFrom([]string{"a", "b", "A"})
	action := rapid.SampledFrom(actions)
	attachable := rapid.SampledFrom([]string{"arn:aws:iam::111111111111:policy/a", "arn:aws:iam::111111111111:policy/b", s3ReadOnly})
	rapid.Check(t, func(t *rapid.T) {
		for range rapid.IntRange(1, 12).Draw(t, "changes") {
			n := name.Draw(t, "name")
			// What cannot be done is refused, which is as good a step as any.
			switch rapid.IntRange(0, 13).Draw(t, "change") {
			case 0:
				_, _ = h.iam.CreateUser(ctx, &iam.CreateUserInput{UserName: n})
			case 1:
				_, _ = h.iam.UpdateUser(ctx, &iam.UpdateUserInput{UserName: n, NewUserName: new(name.Draw(t, "new name"))})
			case 2:
				_, _ = h.iam.CreateRole(ctx, &iam.CreateRoleInput{RoleName: n, AssumeRolePolicyDocument: trusting(member)})
			case 3:
				_, _ = h.iam.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: n})
			case 4:
				_, _ = h.iam.PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: n, PolicyName: "p", PolicyDocument: allow(action.Draw(t, "action"), "*")})
			case 5:
				_, _ = h.iam.DeleteUserPolicy(ctx, &iam.DeleteUserPolicyInput{UserName: n, PolicyName: "p"})
			case 6:
				_, _ = h.iam.CreatePolicy(ctx, &iam.CreatePolicyInput{PolicyName: n, PolicyDocument: allow(action.Draw(t, "action"), "*")})
			case 7:
				_, _ = h.iam.CreatePolicyVersion(ctx, &iam.CreatePolicyVersionInput{PolicyArn: attachable.Draw(t, "policy"), PolicyDocument: allow(action.Draw(t, "action"), "*"), SetAsDefault: new(true)})
			case 8:
				_, _ = h.iam.AttachUserPolicy(ctx, &iam.AttachUserPolicyInput{UserName: n, PolicyArn: attachable.Draw(t, "policy")})
			case 9:
				_, _ = h.iam.DetachUserPolicy(ctx, &iam.DetachUserPolicyInput{UserName: n, PolicyArn: attachable.Draw(t, "policy")})
			case 10:
				_, _ = h.iam.CreateGroup(ctx, &iam.CreateGroupInput{GroupName: n})
			case 11:
				_, _ = h.iam.AddUserToGroup(ctx, &iam.AddUserToGroupInput{GroupName: name.Draw(t, "group"), UserName: n})
			case 12:
				_, _ = h.iam.AttachGroupPolicy(ctx, &iam.AttachGroupPolicyInput{GroupName: n, PolicyArn: attachable.Draw(t, "policy")})
			case 13:
				_, _ = h.iam.DeleteUser(ctx, &iam.DeleteUserInput{UserName: n})
			}
		}
		db := must(store.Open(ctx, store.Config{URL: url, Keys: keys}))
		defer func() { _ = db.Close() }()
		again := must(account.Open(ctx, account.Config{DB: db}))
		if diff := cmp.Diff(memory(h, again, actions), memory(h, h.registry, actions)); diff != "" {
			t.Fatalf("memory (-read anew +followed):\n%s", diff)
		}
	})
}

// memory is what a registry shows and decides for the member account.
func memory(h *house, r *account.Registry, actions []string) []string {
	authorizer := *h.authorizer
	authorizer.Policies, authorizer.Tags, authorizer.Organizations = r, r, r
	ctx := h.admin(member)
	service := &account.IAM{Registry: r, Authorizer: &authorizer}
	var out []string
	for _, u := range must(service.ListUsers(ctx, &iam.ListUsersInput{})).Users {
		line := u.Arn + " " + u.UserId
		c := &caller.Caller{Type: caller.User, Account: member, ARN: u.Arn, PrincipalARN: u.Arn, UserID: u.UserId, UserName: u.UserName}
		for _, a := range actions {
			p := *h
			p.authorizer = &authorizer
			line += fmt.Sprintf(" %s:%v", a, p.may(c, a, "arn:aws:s3:::b"))
		}
		out = append(out, line)
	}
	for _, role := range must(service.ListRoles(ctx, &iam.ListRolesInput{})).Roles {
		_, found := r.RoleByARN(role.Arn)
		out = append(out, fmt.Sprintf("%s %s %v", role.Arn, role.RoleId, found))
	}
	for _, p := range must(service.ListPolicies(ctx, &iam.ListPoliciesInput{})).Policies {
		out = append(out, fmt.Sprintf("%s %s %d", *p.Arn, *p.DefaultVersionId, *p.AttachmentCount))
	}
	return out
}
