package session_test

import (
	"context"
	"testing"
	"time"

	"github.com/lakegate/lakegate/internal/account"
	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/store"
)

// TestNobodyAssumesAReservedRole: only the identity center issues sessions of its roles. Who may do everything in the
// account, the role itself and whoever says to be the provider that it trusts are refused.
func TestNobodyAssumesAReservedRole(t *testing.T) {
	h := newHouse(t)
	provider := "arn:aws:iam::" + management + ":saml-provider/AWSSSO_0123456789abcdef_DO_NOT_DELETE"
	var role account.Role
	err := h.db.Update(t.Context(), func(tx *store.Tx) (err error) {
		role, err = h.registry.PutReservedRole(t.Context(), tx, account.ReservedRole{
			Account: management, Path: "/aws-reserved/sso.amazonaws.com/", Name: "AWSReservedSSO_All_0123456789abcdef", MaxSession: time.Hour,
			Trust: document(statement{"Effect": "Allow", "Principal": map[string]string{"Federated": provider}, "Action": []string{"sts:AssumeRoleWithSAML", "sts:TagSession"}}),
			// What the role may do itself does not help: its trust policy is asked.
			InlineName: "AwsSSOInlinePolicy", Inline: document(allow("*")),
		})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	itself := caller.With(t.Context(), &caller.Caller{
		Type: caller.AssumedRole, Account: management, ARN: arn.AssumedRole(management, role.Name, "mateo"), PrincipalARN: role.ARN, UserID: role.ID + ":mateo",
		Session: &caller.Session{RoleARN: role.ARN, RoleID: role.ID, RoleName: role.Name, Name: "mateo", Issued: h.now, Expires: h.now.Add(time.Hour)},
	})
	borrowed := h.role("borrowed", statement{"Effect": "Allow", "Principal": map[string]string{"AWS": role.ARN}, "Action": "sts:AssumeRole"})
	for name, ctx := range map[string]context.Context{"the administrator": h.admin(), "a user with sts:*": h.user("sts", allow("sts:*")), "the role itself": itself} {
		if out, err := h.sts.AssumeRole(ctx, assume(role.ARN)); out != nil || code(err) != "AccessDenied" {
			t.Errorf("%s: %v, want AccessDenied", name, err)
		}
	}
	// A role of the account may trust the identity center's as it trusts any other.
	_, err = h.sts.AssumeRole(itself, assume(borrowed))
	wantCode(t, err, "")
}
