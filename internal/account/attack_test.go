package account_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/lakegate/lakegate/internal/account"
	"github.com/lakegate/lakegate/internal/api/iam"
	"github.com/lakegate/lakegate/internal/api/organizations"
	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/authz"
	"github.com/lakegate/lakegate/internal/caller"
)

const object = "arn:aws:s3:::bucket/key"

// gone sees that a caller has no policies because it is not what it was, and may do nothing.
func (h *house) gone(c *caller.Caller) {
	h.t.Helper()
	if _, err := h.registry.PoliciesOf(h.t.Context(), c); !errors.Is(err, account.ErrGone) {
		h.t.Errorf("policies of %s: %v, want ErrGone", c.ARN, err)
	}
	if h.may(c, "s3:GetObject", object) {
		h.t.Errorf("%s may still read", c.ARN)
	}
	if tags := h.registry.TagsOf(h.t.Context(), c); len(tags) > 0 {
		h.t.Errorf("%s still has the tags %v", c.ARN, tags)
	}
}

func TestASessionEndsWithItsRole(t *testing.T) {
	h := house1(t)
	ctx := h.admin(member)
	role := h.role("r", allow("s3:*", "*"))
	must(h.iam.TagRole(ctx, &iam.TagRoleInput{RoleName: "r", Tags: []iam.Tag{{Key: "k", Value: "v"}}}))
	c := session(role, member)
	if !h.may(c, "s3:GetObject", object) || h.registry.TagsOf(ctx, c)["k"] != "v" {
		t.Fatal("the session may not what its role may")
	}
	must(h.iam.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: "r", PolicyName: "own"}))
	if h.may(c, "s3:GetObject", object) {
		t.Error("the session keeps a policy that the role lost")
	}
	must(h.iam.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: "r"}))
	h.gone(c)

	again := h.role("r", allow("s3:*", "*"))
	if again.RoleId == role.RoleId {
		t.Fatal("an id is used again")
	}
	h.gone(c)
	if !h.may(session(again, member), "s3:GetObject", object) {
		t.Error("the session of the new role may nothing")
	}
}

func TestAForgedSessionHasNoPolicies(t *testing.T) {
	h := house1(t)
	role := h.role("r", allow("s3:*", "*"))
	user := must(h.iam.GetUser(h.admin(member), &iam.GetUserInput{})).User
	for name, alter := range map[string]func(c *caller.Caller){
		"of another account":       func(c *caller.Caller) { c.Account = other },
		"of a user's id":           func(c *caller.Caller) { c.Session.RoleID = user.UserId },
		"of another name":          func(c *caller.Caller) { c.PrincipalARN = arn.Role(member, "/", "x") },
		"without a session":        func(c *caller.Caller) { c.Session = nil },
		"of a person alone":        func(c *caller.Caller) { c.Type = caller.Person },
		"of a user with a role id": func(c *caller.Caller) { c.Type, c.UserID, c.ARN = caller.User, role.RoleId, role.Arn },
	} {
		t.Run(name, func(t *testing.T) {
			c := session(role, member)
			alter(c)
			if p, err := h.registry.PoliciesOf(t.Context(), c); err == nil {
				t.Errorf("policies %+v", p)
			}
		})
	}
}

func TestAUserSessionEndsWithItsUser(t *testing.T) {
	for name, end := range map[string]func(h *house, ctx context.Context){
		"deleted": func(h *house, ctx context.Context) { h.deleteUser(ctx, "mateo") },
		"renamed": func(h *house, ctx context.Context) {
			must(h.iam.UpdateUser(ctx, &iam.UpdateUserInput{UserName: "mateo", NewUserName: new("ana")}))
		},
		"made again": func(h *house, ctx context.Context) {
			h.deleteUser(ctx, "mateo")
			h.user("mateo", allow("s3:*", "*"))
		},
		"account closed": func(h *house, _ context.Context) {
			must(h.org.CloseAccount(h.admin(management), &organizations.CloseAccountInput{AccountId: member}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := house1(t)
			ctx := h.admin(member)
			c := *caller.From(h.user("mateo", allow("s3:*", "*")))
			c.Session = &caller.Session{}
			if !h.may(&c, "s3:GetObject", object) {
				t.Fatal("the session may not what its user may")
			}
			end(h, ctx)
			h.gone(&c)
		})
	}
}

func (h *house) deleteUser(ctx context.Context, name string) {
	h.t.Helper()
	for _, k := range must(h.iam.ListAccessKeys(ctx, &iam.ListAccessKeysInput{UserName: &name})).AccessKeyMetadata {
		must(h.iam.DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{UserName: &name, AccessKeyId: *k.AccessKeyId}))
	}
	must(h.iam.DeleteUserPolicy(ctx, &iam.DeleteUserPolicyInput{UserName: name, PolicyName: "own"}))
	must(h.iam.DeleteUser(ctx, &iam.DeleteUserInput{UserName: name}))
}

func TestKeysAndRolesOfAClosedAccountEnd(t *testing.T) {
	h := house1(t)
	key := caller.From(h.admin(member)).AccessKeyID
	role := h.role("r", allow("s3:*", "*"))
	must(h.org.CloseAccount(h.admin(management), &organizations.CloseAccountInput{AccountId: member}))
	if _, _, err := h.registry.Lookup(key); !errors.Is(err, account.ErrNoKey) {
		t.Errorf("a key of a closed account: %v", err)
	}
	if _, ok := h.registry.RoleByARN(role.Arn); ok {
		t.Error("a role of a closed account can be assumed")
	}
	h.gone(session(role, member))
	h.gone(&caller.Caller{Type: caller.Root, Account: member, ARN: arn.Root(member)})
}

// TestTrustDoesNotComeBackWithAName: who deletes a trusted principal and makes another of its name is not trusted.
func TestTrustDoesNotComeBackWithAName(t *testing.T) {
	h := house1(t)
	ctx := h.admin(member)
	app := h.role("app", allow("sts:AssumeRole", "*"))
	target := must(h.iam.CreateRole(ctx, &iam.CreateRoleInput{RoleName: "target", AssumeRolePolicyDocument: trusting(app.Arn)})).Role
	may := func(r *iam.Role) bool {
		trust, ok := h.registry.RoleByARN(target.Arn)
		if !ok {
			t.Fatal("the target is gone")
		}
		return h.authorizer.Decide(caller.With(ctx, session(r, member)), authz.Request{
			Action: "sts:AssumeRole", Resource: target.Arn, Account: member, ResourcePolicy: &trust.Trust, MustAllow: true,
		}).Allowed
	}
	shown := func() string {
		return *must(h.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: "target"})).Role.AssumeRolePolicyDocument
	}
	if !may(app) || !strings.Contains(shown(), "role%2Fapp") {
		t.Fatal("a trusted role may not assume the target")
	}
	must(h.iam.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: "app", PolicyName: "own"}))
	must(h.iam.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: "app"}))
	again := h.role("app", allow("sts:AssumeRole", "*"))
	if may(again) {
		t.Error("trust came back with a name")
	}
	if text := shown(); strings.Contains(text, "role%2Fapp") || !strings.Contains(text, app.RoleId) {
		t.Errorf("the policy does not show that its principal is gone: %s", text)
	}
	_, err := h.iam.UpdateAssumeRolePolicy(ctx, &iam.UpdateAssumeRolePolicyInput{RoleName: "target", PolicyDocument: trusting(app.RoleId)})
	wantCode(t, err, "MalformedPolicyDocument")
	must(h.iam.UpdateAssumeRolePolicy(ctx, &iam.UpdateAssumeRolePolicyInput{RoleName: "target", PolicyDocument: trusting(again.Arn)}))
	if !may(again) || may(app) {
		t.Error("a policy that is saved again does not trust the principal of today")
	}
}

func TestPrincipalsOfATrustPolicyMustExist(t *testing.T) {
	h := house1(t)
	role := h.role("app", "")
	for principal, valid := range map[string]bool{
		arn.Root(member):         true,
		arn.Root("999999999999"): true,
		"999999999999":           true,
		"*":                      true,
		role.Arn:                 true,
		role.RoleId:              true,
		arn.User(member, "/", account.Administrator):   true,
		arn.User(other, "/", account.Administrator):    true,
		arn.AssumedRole(member, "app", "s"):            true,
		arn.AssumedRole(member, "none", "s"):           false,
		arn.Role(member, "/", "none"):                  false,
		arn.Role(member, "/path/", "app"):              false,
		arn.User(member, "/", "app"):                   false,
		arn.Role("999999999999", "/", "app"):           false,
		"AROAAAAAAAAAAAAAAAAAA":                        false,
		"arn:aws:sts::111111111111:federated-user/app": false,
	} {
		t.Run(principal, func(t *testing.T) {
			_, err := h.iam.UpdateAssumeRolePolicy(h.admin(member), &iam.UpdateAssumeRolePolicyInput{RoleName: "app", PolicyDocument: trusting(principal)})
			if valid {
				wantCode(t, err, "")
				return
			}
			wantCode(t, err, "MalformedPolicyDocument")
			if err != nil && !strings.Contains(err.Error(), `Invalid principal in policy: "AWS":"`+principal+`"`) {
				t.Errorf("the message is %v", err)
			}
		})
	}
}

// TestARenamedUserStaysTrusted: the id is what is trusted, and the policy shows the name of today.
func TestARenamedUserStaysTrusted(t *testing.T) {
	h := house1(t)
	ctx := h.admin(member)
	h.user("mateo", "")
	must(h.iam.CreateRole(ctx, &iam.CreateRoleInput{RoleName: "target", AssumeRolePolicyDocument: trusting(arn.User(member, "/", "mateo"))}))
	must(h.iam.UpdateUser(ctx, &iam.UpdateUserInput{UserName: "mateo", NewUserName: new("ana")}))
	if text := *must(h.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: "target"})).Role.AssumeRolePolicyDocument; !strings.Contains(text, "user%2Fana") {
		t.Errorf("the policy shows %s", text)
	}
}

// TestABoundaryHolds: a delegate who may only make roles inside a boundary finds no way around it.
func TestABoundaryHolds(t *testing.T) {
	h := house1(t)
	admin := h.admin(member)
	bound := *must(h.iam.CreatePolicy(admin, &iam.CreatePolicyInput{PolicyName: "bound", PolicyDocument: allow("s3:GetObject", "*")})).Policy.Arn
	delegate := h.user("delegate", strings.NewReplacer("BOUND", bound).Replace(`{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":["iam:CreateRole","iam:PutRolePolicy","iam:AttachRolePolicy","iam:PutRolePermissionsBoundary","iam:DeleteRolePermissionsBoundary"],"Resource":"arn:aws:iam::111111111111:role/*",
		 "Condition":{"StringEquals":{"iam:PermissionsBoundary":"BOUND"}}},
		{"Effect":"Deny","Action":"iam:DeleteRolePermissionsBoundary","Resource":"*"}]}`))

	_, err := h.iam.CreateRole(delegate, &iam.CreateRoleInput{RoleName: "free", AssumeRolePolicyDocument: trusting(member)})
	wantCode(t, err, "AccessDenied")
	_, err = h.iam.CreateRole(delegate, &iam.CreateRoleInput{RoleName: "free", AssumeRolePolicyDocument: trusting(member), PermissionsBoundary: new(account.AdministratorAccess)})
	wantCode(t, err, "AccessDenied")
	role := must(h.iam.CreateRole(delegate, &iam.CreateRoleInput{RoleName: "bound", AssumeRolePolicyDocument: trusting(member), PermissionsBoundary: &bound})).Role
	must(h.iam.AttachRolePolicy(delegate, &iam.AttachRolePolicyInput{RoleName: "bound", PolicyArn: account.AdministratorAccess}))
	_, err = h.iam.DeleteRolePermissionsBoundary(delegate, &iam.DeleteRolePermissionsBoundaryInput{RoleName: "bound"})
	wantCode(t, err, "AccessDenied")
	_, err = h.iam.PutRolePermissionsBoundary(delegate, &iam.PutRolePermissionsBoundaryInput{RoleName: "bound", PermissionsBoundary: account.AdministratorAccess})
	wantCode(t, err, "AccessDenied")
	h.role("unbound", "")
	_, err = h.iam.AttachRolePolicy(delegate, &iam.AttachRolePolicyInput{RoleName: "unbound", PolicyArn: account.AdministratorAccess})
	wantCode(t, err, "AccessDenied")

	c := session(role, member)
	if !h.may(c, "s3:GetObject", object) || h.may(c, "s3:PutObject", object) || h.may(c, "iam:CreateUser", "*") {
		t.Error("the role reaches another way than its boundary lets it")
	}
	_, err = h.iam.DeletePolicy(admin, &iam.DeletePolicyInput{PolicyArn: bound})
	wantCode(t, err, "DeleteConflict")
	must(h.iam.DetachRolePolicy(admin, &iam.DetachRolePolicyInput{RoleName: "bound", PolicyArn: account.AdministratorAccess}))
	if h.may(c, "s3:GetObject", object) {
		t.Error("a boundary allows by itself")
	}
	must(h.iam.DeleteRolePermissionsBoundary(admin, &iam.DeleteRolePermissionsBoundaryInput{RoleName: "bound"}))
	must(h.iam.DeletePolicy(admin, &iam.DeletePolicyInput{PolicyArn: bound}))
}

// TestAnotherAccountsNamesReachNothing: whatever names a caller knows, it works on its own account.
func TestAnotherAccountsNamesReachNothing(t *testing.T) {
	h := house1(t)
	victim, thief := h.admin(member), h.admin(other)
	h.role("r", allow("s3:*", "*"))
	secretPolicy := *must(h.iam.CreatePolicy(victim, &iam.CreatePolicyInput{PolicyName: "secret", PolicyDocument: allow("s3:GetObject", "*")})).Policy.Arn
	k := must(h.iam.CreateAccessKey(victim, &iam.CreateAccessKeyInput{})).AccessKey

	_, err := h.iam.GetRole(thief, &iam.GetRoleInput{RoleName: "r"})
	wantCode(t, err, "NoSuchEntity")
	_, err = h.iam.DeleteAccessKey(thief, &iam.DeleteAccessKeyInput{AccessKeyId: k.AccessKeyId})
	wantCode(t, err, "NoSuchEntity")
	_, err = h.iam.UpdateAccessKey(thief, &iam.UpdateAccessKeyInput{AccessKeyId: k.AccessKeyId, Status: iam.StatusTypeInactive})
	wantCode(t, err, "NoSuchEntity")
	if _, _, err := h.registry.Lookup(k.AccessKeyId); err != nil {
		t.Errorf("the key of another account was touched: %v", err)
	}
	must(h.iam.CreateUser(thief, &iam.CreateUserInput{UserName: "t"}))
	_, err = h.iam.AttachUserPolicy(thief, &iam.AttachUserPolicyInput{UserName: "t", PolicyArn: secretPolicy})
	wantCode(t, err, "NoSuchEntity")
	_, err = h.iam.PutUserPermissionsBoundary(thief, &iam.PutUserPermissionsBoundaryInput{UserName: "t", PermissionsBoundary: secretPolicy})
	wantCode(t, err, "NoSuchEntity")

	// What is there and what is not get the same answer.
	for _, name := range []string{secretPolicy, "arn:aws:iam::111111111111:policy/none"} {
		_, err := h.iam.GetPolicy(thief, &iam.GetPolicyInput{PolicyArn: name})
		wantCode(t, err, "AccessDenied")
		_, err = h.iam.CreatePolicyVersion(thief, &iam.CreatePolicyVersionInput{PolicyArn: name, PolicyDocument: allow("*", "*"), SetAsDefault: new(true)})
		wantCode(t, err, "AccessDenied")
		_, err = h.iam.DeletePolicy(thief, &iam.DeletePolicyInput{PolicyArn: name})
		wantCode(t, err, "AccessDenied")
	}
	if entities := must(h.iam.ListEntitiesForPolicy(thief, &iam.ListEntitiesForPolicyInput{PolicyArn: account.AdministratorAccess})); len(entities.PolicyRoles) != 1 || len(entities.PolicyUsers) != 1 {
		t.Errorf("a list tells of other accounts: %+v", entities)
	}
	if h.registry.ManagedPolicyExists(other, secretPolicy) || !h.registry.ManagedPolicyExists(member, secretPolicy) {
		t.Error("a policy of one account can be used in sessions of another")
	}
}

func TestAWSPoliciesCannotBeChanged(t *testing.T) {
	h := house1(t)
	ctx := h.admin(member)
	_, err := h.iam.CreatePolicyVersion(ctx, &iam.CreatePolicyVersionInput{PolicyArn: account.AdministratorAccess, PolicyDocument: allow("*", "*")})
	wantCode(t, err, "AccessDenied")
	_, err = h.iam.SetDefaultPolicyVersion(ctx, &iam.SetDefaultPolicyVersionInput{PolicyArn: account.AdministratorAccess, VersionId: "v1"})
	wantCode(t, err, "AccessDenied")
	_, err = h.iam.DeletePolicy(ctx, &iam.DeletePolicyInput{PolicyArn: account.AdministratorAccess})
	wantCode(t, err, "AccessDenied")
	_, err = h.iam.TagPolicy(ctx, &iam.TagPolicyInput{PolicyArn: account.AdministratorAccess, Tags: []iam.Tag{{Key: "a"}}})
	wantCode(t, err, "AccessDenied")
}

// TestWhoMayNotAskIsNotToldWhatExists compares the answers for a name that exists and one that does not.
func TestWhoMayNotAskIsNotToldWhatExists(t *testing.T) {
	h := house1(t)
	h.role("exists", "")
	nobody := h.user("nobody", "")
	texts := map[string]bool{}
	for _, name := range []string{"exists", "absent"} {
		_, err := h.iam.GetRole(nobody, &iam.GetRoleInput{RoleName: name})
		wantCode(t, err, "AccessDenied")
		_, again := h.iam.UpdateAssumeRolePolicy(nobody, &iam.UpdateAssumeRolePolicyInput{RoleName: name, PolicyDocument: "{"})
		wantCode(t, again, "AccessDenied")
		texts[strings.ReplaceAll(err.Error()+again.Error(), name, "NAME")] = true
	}
	if len(texts) != 1 {
		t.Errorf("the answers differ: %v", texts)
	}
}

// TestARightOverOneUserIsNotOneOverAnothersKeys: naming oneself with somebody else's key id is of no use.
func TestARightOverOneUserIsNotOneOverAnothersKeys(t *testing.T) {
	h := house1(t)
	mateo := h.user("mateo", allow("iam:*AccessKey*", "arn:aws:iam::*:user/${aws:username}"))
	victim := caller.From(h.user("ana", "")).AccessKeyID
	_, err := h.iam.DeleteAccessKey(mateo, &iam.DeleteAccessKeyInput{UserName: new("mateo"), AccessKeyId: victim})
	wantCode(t, err, "NoSuchEntity")
	_, err = h.iam.DeleteAccessKey(mateo, &iam.DeleteAccessKeyInput{UserName: new("ana"), AccessKeyId: victim})
	wantCode(t, err, "AccessDenied")
	_, err = h.iam.CreateAccessKey(mateo, &iam.CreateAccessKeyInput{UserName: new(account.Administrator)})
	wantCode(t, err, "AccessDenied")
	if _, _, err := h.registry.Lookup(victim); err != nil {
		t.Errorf("the victim's key: %v", err)
	}
}

func TestUserSessionsCannotCallIAM(t *testing.T) {
	h := house1(t)
	c := *caller.From(h.admin(member))
	c.Session = &caller.Session{}
	_, err := h.iam.CreateAccessKey(caller.With(t.Context(), &c), &iam.CreateAccessKeyInput{})
	wantCode(t, err, "InvalidClientTokenId")
}

// TestConditionKeys: what a request brings and what a thing has can be told apart in policies.
func TestConditionKeys(t *testing.T) {
	h := house1(t)
	admin := h.admin(member)
	h.role("red", "")
	h.role("blue", "")
	must(h.iam.TagRole(admin, &iam.TagRoleInput{RoleName: "red", Tags: []iam.Tag{{Key: "team", Value: "red"}}}))
	mateo := h.user("mateo", `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"iam:AttachRolePolicy","Resource":"*","Condition":{"ArnEquals":{"iam:PolicyARN":"`+s3ReadOnly+`"}}},
		{"Effect":"Allow","Action":"iam:TagRole","Resource":"*","Condition":{"ForAllValues:StringEquals":{"aws:TagKeys":["cost"]},"StringEquals":{"aws:RequestTag/cost":"1"}}},
		{"Effect":"Allow","Action":"iam:UpdateRole","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/team":"red"}}}]}`)
	for name, c := range map[string]struct {
		err  func() error
		want string
	}{
		"the policy allowed": {func() error {
			_, err := h.iam.AttachRolePolicy(mateo, &iam.AttachRolePolicyInput{RoleName: "blue", PolicyArn: s3ReadOnly})
			return err
		}, ""},
		"another policy": {func() error {
			_, err := h.iam.AttachRolePolicy(mateo, &iam.AttachRolePolicyInput{RoleName: "blue", PolicyArn: account.AdministratorAccess})
			return err
		}, "AccessDenied"},
		"the tag allowed": {func() error {
			_, err := h.iam.TagRole(mateo, &iam.TagRoleInput{RoleName: "blue", Tags: []iam.Tag{{Key: "cost", Value: "1"}}})
			return err
		}, ""},
		"another tag beside it": {func() error {
			_, err := h.iam.TagRole(mateo, &iam.TagRoleInput{RoleName: "blue", Tags: []iam.Tag{{Key: "cost", Value: "1"}, {Key: "team", Value: "red"}}})
			return err
		}, "AccessDenied"},
		"a role with the tag": {func() error {
			_, err := h.iam.UpdateRole(mateo, &iam.UpdateRoleInput{RoleName: "red"})
			return err
		}, ""},
		"a role without the tag": {func() error {
			_, err := h.iam.UpdateRole(mateo, &iam.UpdateRoleInput{RoleName: "blue"})
			return err
		}, "AccessDenied"},
	} {
		t.Run(name, func(t *testing.T) { wantCode(t, c.err(), c.want) })
	}
}

func TestWhoIsNoPrincipalHasNoPolicies(t *testing.T) {
	h := house1(t)
	for _, c := range []*caller.Caller{{Type: caller.Anonymous}, {Type: caller.Person}, {Type: "Other", Account: member}, {Type: caller.User, Account: member}} {
		h.gone(c)
	}
}
