package center_test

import (
	"context"
	"strings"
	"testing"

	"github.com/lakegate/lakegate/internal/api/organizations"
	"github.com/lakegate/lakegate/internal/api/ssoadmin"
	"github.com/lakegate/lakegate/internal/center/centertest"
)

// operations are all operations on permission sets and account assignments, each as a request about a set, an account and
// a principal.
func (r *room) operations(instance, set, account, kind, principal string) map[string]func(ctx context.Context) error {
	s := r.Service
	type (
		pKind = ssoadmin.PrincipalType
		own   = ssoadmin.CustomerManagedPolicyReference
	)
	return map[string]func(ctx context.Context) error{
		"CreatePermissionSet": func(ctx context.Context) error {
			_, err := s.CreatePermissionSet(ctx, &ssoadmin.CreatePermissionSetInput{InstanceArn: instance, Name: "Another"})
			return err
		},
		"DescribePermissionSet": func(ctx context.Context) error {
			_, err := s.DescribePermissionSet(ctx, &ssoadmin.DescribePermissionSetInput{InstanceArn: instance, PermissionSetArn: set})
			return err
		},
		"ListPermissionSets": func(ctx context.Context) error {
			_, err := s.ListPermissionSets(ctx, &ssoadmin.ListPermissionSetsInput{InstanceArn: instance})
			return err
		},
		"UpdatePermissionSet": func(ctx context.Context) error {
			_, err := s.UpdatePermissionSet(ctx, &ssoadmin.UpdatePermissionSetInput{InstanceArn: instance, PermissionSetArn: set, SessionDuration: new("PT12H")})
			return err
		},
		"DeletePermissionSet": func(ctx context.Context) error {
			_, err := s.DeletePermissionSet(ctx, &ssoadmin.DeletePermissionSetInput{InstanceArn: instance, PermissionSetArn: set})
			return err
		},
		"PutInlinePolicyToPermissionSet": func(ctx context.Context) error {
			_, err := s.PutInlinePolicyToPermissionSet(ctx, &ssoadmin.PutInlinePolicyToPermissionSetInput{InstanceArn: instance, PermissionSetArn: set, InlinePolicy: allowList})
			return err
		},
		"GetInlinePolicyForPermissionSet": func(ctx context.Context) error {
			_, err := s.GetInlinePolicyForPermissionSet(ctx, &ssoadmin.GetInlinePolicyForPermissionSetInput{InstanceArn: instance, PermissionSetArn: set})
			return err
		},
		"DeleteInlinePolicyFromPermissionSet": func(ctx context.Context) error {
			_, err := s.DeleteInlinePolicyFromPermissionSet(ctx, &ssoadmin.DeleteInlinePolicyFromPermissionSetInput{InstanceArn: instance, PermissionSetArn: set})
			return err
		},
		"AttachManagedPolicyToPermissionSet": func(ctx context.Context) error {
			_, err := s.AttachManagedPolicyToPermissionSet(ctx, &ssoadmin.AttachManagedPolicyToPermissionSetInput{InstanceArn: instance, PermissionSetArn: set, ManagedPolicyArn: "arn:aws:iam::aws:policy/AdministratorAccess"})
			return err
		},
		"DetachManagedPolicyFromPermissionSet": func(ctx context.Context) error {
			_, err := s.DetachManagedPolicyFromPermissionSet(ctx, &ssoadmin.DetachManagedPolicyFromPermissionSetInput{InstanceArn: instance, PermissionSetArn: set, ManagedPolicyArn: readOnly})
			return err
		},
		"ListManagedPoliciesInPermissionSet": func(ctx context.Context) error {
			_, err := s.ListManagedPoliciesInPermissionSet(ctx, &ssoadmin.ListManagedPoliciesInPermissionSetInput{InstanceArn: instance, PermissionSetArn: set})
			return err
		},
		"AttachCustomerManagedPolicyReferenceToPermissionSet": func(ctx context.Context) error {
			_, err := s.AttachCustomerManagedPolicyReferenceToPermissionSet(ctx, &ssoadmin.AttachCustomerManagedPolicyReferenceToPermissionSetInput{InstanceArn: instance, PermissionSetArn: set, CustomerManagedPolicyReference: &own{Name: "X"}})
			return err
		},
		"DetachCustomerManagedPolicyReferenceFromPermissionSet": func(ctx context.Context) error {
			_, err := s.DetachCustomerManagedPolicyReferenceFromPermissionSet(ctx, &ssoadmin.DetachCustomerManagedPolicyReferenceFromPermissionSetInput{InstanceArn: instance, PermissionSetArn: set, CustomerManagedPolicyReference: &own{Name: "X"}})
			return err
		},
		"ListCustomerManagedPolicyReferencesInPermissionSet": func(ctx context.Context) error {
			_, err := s.ListCustomerManagedPolicyReferencesInPermissionSet(ctx, &ssoadmin.ListCustomerManagedPolicyReferencesInPermissionSetInput{InstanceArn: instance, PermissionSetArn: set})
			return err
		},
		"PutPermissionsBoundaryToPermissionSet": func(ctx context.Context) error {
			_, err := s.PutPermissionsBoundaryToPermissionSet(ctx, &ssoadmin.PutPermissionsBoundaryToPermissionSetInput{InstanceArn: instance, PermissionSetArn: set, PermissionsBoundary: &ssoadmin.PermissionsBoundary{ManagedPolicyArn: new(readOnly)}})
			return err
		},
		"GetPermissionsBoundaryForPermissionSet": func(ctx context.Context) error {
			_, err := s.GetPermissionsBoundaryForPermissionSet(ctx, &ssoadmin.GetPermissionsBoundaryForPermissionSetInput{InstanceArn: instance, PermissionSetArn: set})
			return err
		},
		"DeletePermissionsBoundaryFromPermissionSet": func(ctx context.Context) error {
			_, err := s.DeletePermissionsBoundaryFromPermissionSet(ctx, &ssoadmin.DeletePermissionsBoundaryFromPermissionSetInput{InstanceArn: instance, PermissionSetArn: set})
			return err
		},
		"ProvisionPermissionSet": func(ctx context.Context) error {
			_, err := s.ProvisionPermissionSet(ctx, &ssoadmin.ProvisionPermissionSetInput{InstanceArn: instance, PermissionSetArn: set, TargetType: "ALL_PROVISIONED_ACCOUNTS"})
			return err
		},
		"ListAccountsForProvisionedPermissionSet": func(ctx context.Context) error {
			_, err := s.ListAccountsForProvisionedPermissionSet(ctx, &ssoadmin.ListAccountsForProvisionedPermissionSetInput{InstanceArn: instance, PermissionSetArn: set})
			return err
		},
		"ListPermissionSetsProvisionedToAccount": func(ctx context.Context) error {
			_, err := s.ListPermissionSetsProvisionedToAccount(ctx, &ssoadmin.ListPermissionSetsProvisionedToAccountInput{InstanceArn: instance, AccountId: account})
			return err
		},
		"CreateAccountAssignment": func(ctx context.Context) error {
			_, err := s.CreateAccountAssignment(ctx, &ssoadmin.CreateAccountAssignmentInput{InstanceArn: instance, PermissionSetArn: set, TargetId: account, TargetType: "AWS_ACCOUNT", PrincipalType: pKind(kind), PrincipalId: principal})
			return err
		},
		"DeleteAccountAssignment": func(ctx context.Context) error {
			_, err := s.DeleteAccountAssignment(ctx, &ssoadmin.DeleteAccountAssignmentInput{InstanceArn: instance, PermissionSetArn: set, TargetId: account, TargetType: "AWS_ACCOUNT", PrincipalType: pKind(kind), PrincipalId: principal})
			return err
		},
		"ListAccountAssignments": func(ctx context.Context) error {
			_, err := s.ListAccountAssignments(ctx, &ssoadmin.ListAccountAssignmentsInput{InstanceArn: instance, PermissionSetArn: set, AccountId: account})
			return err
		},
		"ListAccountAssignmentsForPrincipal": func(ctx context.Context) error {
			_, err := s.ListAccountAssignmentsForPrincipal(ctx, &ssoadmin.ListAccountAssignmentsForPrincipalInput{InstanceArn: instance, PrincipalType: pKind(kind), PrincipalId: principal})
			return err
		},
		"ListAccountAssignmentCreationStatus": func(ctx context.Context) error {
			_, err := s.ListAccountAssignmentCreationStatus(ctx, &ssoadmin.ListAccountAssignmentCreationStatusInput{InstanceArn: instance})
			return err
		},
		"ListAccountAssignmentDeletionStatus": func(ctx context.Context) error {
			_, err := s.ListAccountAssignmentDeletionStatus(ctx, &ssoadmin.ListAccountAssignmentDeletionStatusInput{InstanceArn: instance})
			return err
		},
		"ListPermissionSetProvisioningStatus": func(ctx context.Context) error {
			_, err := s.ListPermissionSetProvisioningStatus(ctx, &ssoadmin.ListPermissionSetProvisioningStatusInput{InstanceArn: instance})
			return err
		},
		"TagResource": func(ctx context.Context) error {
			_, err := s.TagResource(ctx, &ssoadmin.TagResourceInput{InstanceArn: &instance, ResourceArn: set, Tags: []ssoadmin.Tag{{Key: "k", Value: "v"}}})
			return err
		},
		"UntagResource": func(ctx context.Context) error {
			_, err := s.UntagResource(ctx, &ssoadmin.UntagResourceInput{InstanceArn: &instance, ResourceArn: set, TagKeys: []string{"k"}})
			return err
		},
		"ListTagsForResource": func(ctx context.Context) error {
			_, err := s.ListTagsForResource(ctx, &ssoadmin.ListTagsForResourceInput{InstanceArn: &instance, ResourceArn: set})
			return err
		},
	}
}

// Only the organization's owner and a delegated administrator have to do with permission sets. To others they do not show,
// whether they exist or not, and neither does an instance.
func TestReachOfPermissionSets(t *testing.T) {
	h := centertest.New(t)
	r := as(t, h, management)
	mateo := h.Person(t, "mateo", "")
	set := r.create("Analyst")
	wantCode(t, r.attach(set, readOnly), "")
	r.assign(set, member, "USER", mateo)
	way := r.roles(mateo)[0]
	unknown := "arn:aws:sso:::instance/ssoins-ffffffffffffffff"
	for _, account := range []string{member, other, outsider} {
		ctx := h.As(t.Context(), account, "Admin")
		for op, call := range r.operations(h.Instance.ARN, set, member, "USER", mateo) {
			if err := call(ctx); code(err) != "AccessDeniedException" {
				t.Errorf("%s by account %s: %v", op, account, err)
			}
		}
		for op, call := range r.operations(unknown, set, member, "USER", mateo) {
			if err := call(ctx); code(err) != "AccessDeniedException" {
				t.Errorf("%s of an unknown instance by account %s: %v", op, account, err)
			}
		}
	}
	// The account itself is no permission: the caller's policies are asked.
	h.Accounts.Role(management, "Nobody", "")
	for op, call := range r.operations(h.Instance.ARN, set, member, "USER", mateo) {
		if err := call(h.As(t.Context(), management, "Nobody")); code(err) != "AccessDeniedException" {
			t.Errorf("%s without a policy: %v", op, err)
		}
	}
	for op, call := range r.operations(unknown, set, member, "USER", mateo) {
		want := "AccessDeniedException"
		if strings.HasSuffix(op, "Resource") && strings.Contains(op, "ag") { // the instance is beside the resource
			want = "ValidationException"
		}
		if err := call(r.ctx); code(err) != want {
			t.Errorf("%s of an unknown instance: %v, want %s", op, err, want)
		}
	}
	if got := r.roles(mateo); len(got) != 1 || got[0] != way {
		t.Errorf("what was refused changed something: %+v", got)
	}
}

// A delegated administrator does everything but what reaches into the management account.
func TestDelegatedAdministratorsStayOutOfManagement(t *testing.T) {
	h := centertest.New(t)
	h.Accounts.Delegate(member)
	r, d := as(t, h, management), as(t, h, member)
	mateo := h.Person(t, "mateo", "")
	open, closed := r.create("Open"), r.create("Closed")
	wantCode(t, r.attach(closed, readOnly), "")
	r.assign(closed, management, "USER", mateo)
	way := r.roles(mateo)[0]

	reads := []string{"Describe", "List", "Get"}
	for op, call := range r.operations(h.Instance.ARN, closed, management, "USER", mateo) {
		isRead := false
		for _, p := range reads {
			isRead = isRead || strings.HasPrefix(op, p)
		}
		switch got := code(call(d.ctx)); {
		case op == "CreatePermissionSet", isRead && op != "GetPermissionsBoundaryForPermissionSet":
			if got != "" {
				t.Errorf("%s by the delegated administrator: %s", op, got)
			}
		case op == "GetPermissionsBoundaryForPermissionSet":
			if got != "ResourceNotFoundException" {
				t.Errorf("%s by the delegated administrator: %s", op, got)
			}
		case got != "AccessDeniedException":
			t.Errorf("%s by the delegated administrator, provisioned in the management account: %q", op, got)
		}
	}
	// Provisioned elsewhere as well, it is the management account's all the same.
	d.assign(closed, other, "USER", mateo)
	_, err := d.provision(closed, other)
	wantCode(t, err, "AccessDeniedException")
	wantCode(t, d.unassign(closed, other, "USER", mateo), "")
	// A set that is not in the management account cannot be brought there.
	wantCode(t, d.inline(open, allowList), "")
	_, err = d.tryAssign(open, management, "USER", mateo)
	wantCode(t, err, "AccessDeniedException")
	d.assign(open, other, "USER", mateo)
	wantCode(t, d.unassign(open, other, "USER", mateo), "")
	wantCode(t, d.delete(open), "")
	if got := r.roles(mateo); len(got) != 1 || got[0] != way || len(r.accounts(closed, outdated)) != 0 {
		t.Errorf("what was refused changed something: %+v", got)
	}
}

// Instances of accounts have no permission sets, and a set of one instance is none of another's.
func TestPermissionSetsBelongToTheirInstance(t *testing.T) {
	h := centertest.New(t)
	r := as(t, h, management)
	mateo := h.Person(t, "mateo", "")
	set := r.create("Analyst")
	memberCtx := h.As(t.Context(), member, "Admin")
	mine := *must[*ssoadmin.CreateInstanceOutput](t)(h.Service.CreateInstance(memberCtx, &ssoadmin.CreateInstanceInput{})).InstanceArn
	for op, call := range r.operations(mine, set, member, "USER", mateo) {
		want := "ValidationException"
		if op == "TagResource" || op == "UntagResource" || op == "ListTagsForResource" {
			want = "AccessDeniedException" // by the set, which is the organization's
		}
		if err := call(memberCtx); code(err) != want {
			t.Errorf("%s on an instance of an account: %v, want %s", op, err, want)
		}
	}
	forged := strings.Replace(set, h.Instance.ID(), mine[strings.LastIndexByte(mine, '/')+1:], 1)
	for _, arn := range []string{forged, set[:len(set)-1] + "x", h.Instance.ARN, "arn:aws:sso:::permissionSet/" + h.Instance.ID() + "/ps-ffffffffffffffff"} {
		_, err := r.tryAssign(arn, member, "USER", mateo)
		wantCode(t, err, "ResourceNotFoundException")
		wantCode(t, r.inline(arn, allowList), "ResourceNotFoundException")
		wantCode(t, r.delete(arn), "ResourceNotFoundException")
	}
}

// An assignment is for somebody who is there, in an account of the organization that stands.
func TestAssignmentsThatCannotBe(t *testing.T) {
	h := centertest.New(t)
	r := as(t, h, management)
	mateo := h.Person(t, "mateo", "")
	ana := h.Person(t, "ana", "")
	red := h.Group(t, "Red", mateo)
	set := r.create("Analyst")
	for name, c := range map[string]struct{ account, kind, principal string }{
		"a user who is not there":   {member, "USER", "94482488-3041-7075-0000-6a6b1dd40a8d"},
		"a group that is not there": {member, "GROUP", "94482488-3041-7075-0000-6a6b1dd40a8d"},
		"a group as a user":         {member, "USER", red},
		"a user as a group":         {member, "GROUP", mateo},
		"an account of nobody":      {"444444444444", "USER", mateo},
		"an account outside":        {outsider, "USER", mateo},
	} {
		_, err := r.tryAssign(set, c.account, c.kind, c.principal)
		if code(err) != "ResourceNotFoundException" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := r.accounts(set, ""); len(got) != 0 {
		t.Errorf("provisioned in %v", got)
	}
	// Somebody else who is to have what others have already in an account that is suspended.
	r.assign(set, other, "USER", mateo)
	if _, err := h.Organizations().CloseAccount(h.Administrator(t, management), &organizations.CloseAccountInput{AccountId: other}); err != nil {
		t.Fatal(err)
	}
	failure, err := r.tryAssign(set, other, "USER", ana)
	if err != nil || !strings.Contains(failure, "suspended") {
		t.Errorf("assigning in a suspended account: %q, %v", failure, err)
	}
	listed := must[*ssoadmin.ListAccountAssignmentsOutput](t)(h.Service.ListAccountAssignments(r.ctx, &ssoadmin.ListAccountAssignmentsInput{InstanceArn: h.Instance.ARN, PermissionSetArn: set, AccountId: other}))
	if len(listed.AccountAssignments) != 1 {
		t.Errorf("an assignment that failed is listed: %d", len(listed.AccountAssignments))
	}
	if failure, err := r.provision(set, other); err != nil || !strings.Contains(failure, "suspended") {
		t.Errorf("provisioning in a suspended account: %q, %v", failure, err)
	}
}
