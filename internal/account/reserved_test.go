package account_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lakegate/lakegate/internal/account"
	"github.com/lakegate/lakegate/internal/api/iam"
	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/store/storetest"
)

const (
	awsReadOnly  = "arn:aws:iam::aws:policy/ReadOnlyAccess"
	reservedRole = "AWSReservedSSO_Analyst_0123456789abcdef"
)

// wanted is a role of the identity center with one of everything, in the member account.
func wanted() account.ReservedRole {
	return account.ReservedRole{
		Account: member, Path: "/aws-reserved/sso.amazonaws.com/", Name: reservedRole, Description: "analysts", MaxSession: time.Hour,
		Trust:      `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::111111111111:saml-provider/X"},"Action":"sts:AssumeRoleWithSAML"}]}`,
		InlineName: "AwsSSOInlinePolicy", Inline: allow("s3:GetObject", "*"), Attached: []string{awsReadOnly},
	}
}

func (h *house) put(want account.ReservedRole) (role account.Role, err error) {
	err = h.db.Update(h.t.Context(), func(tx *store.Tx) error {
		role, err = h.registry.PutReservedRole(h.t.Context(), tx, want)
		return err
	})
	return role, err
}

// shown is everything that IAM shows of a role.
func (h *house) shown(name string) any {
	h.t.Helper()
	ctx := h.admin(member)
	return []any{
		must(h.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: name})),
		must(h.iam.ListRolePolicies(ctx, &iam.ListRolePoliciesInput{RoleName: name})),
		must(h.iam.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: name, PolicyName: "AwsSSOInlinePolicy"})),
		must(h.iam.ListAttachedRolePolicies(ctx, &iam.ListAttachedRolePoliciesInput{RoleName: name})),
		must(h.iam.ListRoleTags(ctx, &iam.ListRoleTagsInput{RoleName: name})),
	}
}

// IAM shows a role of the identity center to the administrator of its account, and changes nothing of it, by whatever
// operation and in whatever spelling of its name.
func TestReservedRolesAreUnmodifiable(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db *store.DB) {
		h := newHouse(t, db)
		ctx := h.admin(member)
		own := *must(h.iam.CreatePolicy(ctx, &iam.CreatePolicyInput{PolicyName: "Own", PolicyDocument: allow("*", "*")})).Policy.Arn
		want := wanted()
		want.Boundary = awsReadOnly
		if _, err := h.put(want); err != nil {
			t.Fatal(err)
		}
		before := h.shown(reservedRole)
		for name, want := range map[string]string{reservedRole: "UnmodifiableEntity", strings.ToUpper(reservedRole): "NoSuchEntity"} {
			for op, call := range map[string]func() error{
				"UpdateAssumeRolePolicy": func() error {
					_, err := h.iam.UpdateAssumeRolePolicy(ctx, &iam.UpdateAssumeRolePolicyInput{RoleName: name, PolicyDocument: trusting(arn.Root(member))})
					return err
				},
				"PutRolePolicy": func() error {
					_, err := h.iam.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: name, PolicyName: "more", PolicyDocument: allow("*", "*")})
					return err
				},
				"PutRolePolicy over the center's": func() error {
					_, err := h.iam.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: name, PolicyName: "AwsSSOInlinePolicy", PolicyDocument: allow("*", "*")})
					return err
				},
				"DeleteRolePolicy": func() error {
					_, err := h.iam.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: name, PolicyName: "AwsSSOInlinePolicy"})
					return err
				},
				"AttachRolePolicy": func() error {
					_, err := h.iam.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: name, PolicyArn: own})
					return err
				},
				"DetachRolePolicy": func() error {
					_, err := h.iam.DetachRolePolicy(ctx, &iam.DetachRolePolicyInput{RoleName: name, PolicyArn: awsReadOnly})
					return err
				},
				"PutRolePermissionsBoundary": func() error {
					_, err := h.iam.PutRolePermissionsBoundary(ctx, &iam.PutRolePermissionsBoundaryInput{RoleName: name, PermissionsBoundary: own})
					return err
				},
				"DeleteRolePermissionsBoundary": func() error {
					_, err := h.iam.DeleteRolePermissionsBoundary(ctx, &iam.DeleteRolePermissionsBoundaryInput{RoleName: name})
					return err
				},
				"UpdateRole": func() error {
					_, err := h.iam.UpdateRole(ctx, &iam.UpdateRoleInput{RoleName: name, MaxSessionDuration: new(43200)})
					return err
				},
				"UpdateRoleDescription": func() error {
					_, err := h.iam.UpdateRoleDescription(ctx, &iam.UpdateRoleDescriptionInput{RoleName: name, Description: "mine"})
					return err
				},
				"TagRole": func() error {
					_, err := h.iam.TagRole(ctx, &iam.TagRoleInput{RoleName: name, Tags: []iam.Tag{{Key: "team", Value: "red"}}})
					return err
				},
				"UntagRole": func() error {
					_, err := h.iam.UntagRole(ctx, &iam.UntagRoleInput{RoleName: name, TagKeys: []string{"team"}})
					return err
				},
				"DeleteRole": func() error {
					_, err := h.iam.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: name})
					return err
				},
			} {
				if err := call(); code(err) != want {
					t.Errorf("%s of %s: %v, want %s", op, name, err, want)
				}
			}
		}
		if d := cmp.Diff(before, h.shown(reservedRole)); d != "" {
			t.Errorf("refused, but the role is another (-before +after):\n%s", d)
		}
		// Who may not touch roles at all is told that, not what kind of role it is.
		_, err := h.iam.DeleteRole(h.user("nobody", ""), &iam.DeleteRoleInput{RoleName: reservedRole})
		wantCode(t, err, "AccessDenied")
	})
}

// Nobody makes a role that looks like one of the identity center's.
func TestReservedRolesCannotBeImitated(t *testing.T) {
	h := house1(t)
	for _, c := range []struct{ path, name, want string }{
		{"/aws-reserved/", "r1", "InvalidInput"},
		{"/aws-reserved/sso.amazonaws.com/", "r2", "InvalidInput"},
		{"/aws-reserved/sso.amazonaws.com/", reservedRole, "InvalidInput"},
		{"/AWS-Reserved/sso.amazonaws.com/", "r3", "InvalidInput"},
		{"//aws-reserved/", "r4", "InvalidInput"},
		{"///AWS-RESERVED//sso.amazonaws.com/", "r5", "InvalidInput"},
		{"/", reservedRole, "InvalidInput"},
		{"/", "awsreservedsso_analyst", "InvalidInput"},
		{"/team/", "AWSRESERVEDSSO_", "InvalidInput"},
		{"/aws-reserved-not/", "r6", ""},
		{"/team/aws-reserved/", "r7", ""},
		{"/", "AWSReservedSSO", ""},
		{"/", "MyAWSReservedSSO_Analyst", ""},
	} {
		_, err := h.iam.CreateRole(h.admin(member), &iam.CreateRoleInput{Path: &c.path, RoleName: c.name, AssumeRolePolicyDocument: trusting(arn.Root(member))})
		if code(err) != c.want {
			t.Errorf("%s%s: %v, want %q", c.path, c.name, err, c.want)
		}
	}
}

// PutReservedRole and DeleteReservedRole keep to their own roles and to what the account has.
func TestPutReservedRoleStaysWithinItsOwn(t *testing.T) {
	h := house1(t)
	mine := h.role("mine", allow("s3:*", "*"))
	role, err := h.put(wanted())
	if err != nil {
		t.Fatal(err)
	}
	for name, alter := range map[string]func(*account.ReservedRole){
		"a role of the account's own": func(w *account.ReservedRole) { w.ID = mine.RoleId },
		"a role of another account":   func(w *account.ReservedRole) { w.ID, w.Account = role.ID, other },
		"a role that is not there":    func(w *account.ReservedRole) { w.ID = "AROA00000000000000000" },
		"a path of the account's own": func(w *account.ReservedRole) { w.Path = "/team/" },
	} {
		want := wanted()
		alter(&want)
		if _, err := h.put(want); err == nil {
			t.Errorf("%s was changed", name)
		}
	}
	for name, alter := range map[string]func(*account.ReservedRole){
		"no such account":               func(w *account.ReservedRole) { w.Account = "444444444444" },
		"no such policy":                func(w *account.ReservedRole) { w.Attached = []string{"arn:aws:iam::111111111111:policy/None"} },
		"a policy of another account":   func(w *account.ReservedRole) { w.Attached = []string{"arn:aws:iam::333333333333:policy/P"} },
		"a boundary of another account": func(w *account.ReservedRole) { w.Boundary = "arn:aws:iam::333333333333:policy/P" },
		"too many policies": func(w *account.ReservedRole) {
			w.Attached = strings.Split(strings.Repeat(awsReadOnly+" ", 10)+awsReadOnly, " ")
		},
	} {
		if name == "a policy of another account" {
			must(h.iam.CreatePolicy(h.admin(other), &iam.CreatePolicyInput{PolicyName: "P", PolicyDocument: allow("*", "*")}))
		}
		want := wanted()
		want.ID = role.ID
		alter(&want)
		_, err := h.put(want)
		if _, ok := errors.AsType[*account.UnmetError](err); !ok {
			t.Errorf("%s: %v, want an UnmetError", name, err)
		}
	}
	err = h.db.Update(t.Context(), func(tx *store.Tx) error { return h.registry.DeleteReservedRole(t.Context(), tx, mine.RoleId) })
	if err == nil {
		t.Error("a role of the account's own was deleted")
	}
	must(h.iam.GetRole(h.admin(member), &iam.GetRoleInput{RoleName: "mine"}))
}

// A policy of the account that a role of the identity center uses stays the account's: a new version of it is in effect at
// once, as on AWS, but it cannot be deleted from under the role.
func TestPoliciesUnderReservedRoles(t *testing.T) {
	h := house1(t)
	ctx := h.admin(member)
	own := *must(h.iam.CreatePolicy(ctx, &iam.CreatePolicyInput{PolicyName: "Own", PolicyDocument: allow("s3:PutObject", "*")})).Policy.Arn
	fence := *must(h.iam.CreatePolicy(ctx, &iam.CreatePolicyInput{PolicyName: "Fence", PolicyDocument: allow("s3:*", "*")})).Policy.Arn
	want := wanted()
	want.Attached, want.Boundary = []string{own}, fence
	role, err := h.put(want)
	if err != nil {
		t.Fatal(err)
	}
	who := session(&iam.Role{Arn: role.ARN, RoleId: role.ID, RoleName: reservedRole}, member)
	if !h.may(who, "s3:PutObject", object) || h.may(who, "s3:DeleteObject", object) {
		t.Fatal("the policy is not in effect")
	}
	for _, name := range []string{own, fence} {
		_, err := h.iam.DeletePolicy(ctx, &iam.DeletePolicyInput{PolicyArn: name})
		wantCode(t, err, "DeleteConflict")
	}
	version := func(name, text string) {
		must(h.iam.CreatePolicyVersion(ctx, &iam.CreatePolicyVersionInput{PolicyArn: name, PolicyDocument: text, SetAsDefault: new(true)}))
	}
	version(own, allow("*", "*"))
	if !h.may(who, "s3:DeleteObject", object) || h.may(who, "iam:CreateUser", "*") {
		t.Error("a new version of the policy is not in effect, or the boundary does not bound it")
	}
	version(fence, allow("s3:GetObject", "*"))
	if h.may(who, "s3:PutObject", object) {
		t.Error("a new version of the boundary is not in effect")
	}
	err = h.db.Update(t.Context(), func(tx *store.Tx) error { return h.registry.DeleteReservedRole(t.Context(), tx, role.ID) })
	if err != nil {
		t.Fatal(err)
	}
	h.gone(who)
	must(h.iam.DeletePolicyVersion(ctx, &iam.DeletePolicyVersionInput{PolicyArn: own, VersionId: "v1"}))
	_, err = h.iam.DeletePolicy(ctx, &iam.DeletePolicyInput{PolicyArn: own})
	wantCode(t, err, "")
}

// The role of the identity center may be named by others, who trust it as any role; that gives nobody the role itself.
func TestReservedRolesAsPrincipals(t *testing.T) {
	h := house1(t)
	role, err := h.put(wanted())
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.iam.CreateRole(h.admin(other), &iam.CreateRoleInput{RoleName: "lends", AssumeRolePolicyDocument: trusting(role.ARN)})
	wantCode(t, err, "")
	found, ok := h.registry.RoleByARN(role.ARN)
	if !ok || found.Trust.Document == nil {
		t.Fatal("the role is not found by its ARN")
	}
	for _, s := range found.Trust.Document.Statements() {
		for _, p := range s.Principals {
			if p.Type != "Federated" {
				t.Errorf("the role trusts %s %s", p.Type, p.Value)
			}
		}
	}
}
