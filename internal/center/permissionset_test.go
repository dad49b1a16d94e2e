package center_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lakegate/lakegate/internal/api/iam"
	"github.com/lakegate/lakegate/internal/api/organizations"
	"github.com/lakegate/lakegate/internal/api/ssoadmin"
	"github.com/lakegate/lakegate/internal/center"
	"github.com/lakegate/lakegate/internal/center/centertest"
)

const (
	readOnly  = "arn:aws:iam::aws:policy/ReadOnlyAccess"
	allowList = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:ListAllMyBuckets","Resource":"*"}]}`
)

// room is a house with the operations of permission sets as one account's.
type room struct {
	*centertest.House
	t   *testing.T
	ctx context.Context
}

func as(t *testing.T, h *centertest.House, account string) *room {
	return &room{h, t, h.As(t.Context(), account, "Admin")}
}

func (r *room) create(name string) string {
	r.t.Helper()
	out := must[*ssoadmin.CreatePermissionSetOutput](r.t)(r.Service.CreatePermissionSet(r.ctx, &ssoadmin.CreatePermissionSetInput{InstanceArn: r.Instance.ARN, Name: name}))
	return *out.PermissionSet.PermissionSetArn
}

func (r *room) inline(set, text string) error {
	_, err := r.Service.PutInlinePolicyToPermissionSet(r.ctx, &ssoadmin.PutInlinePolicyToPermissionSetInput{InstanceArn: r.Instance.ARN, PermissionSetArn: set, InlinePolicy: text})
	return err
}

func (r *room) attach(set, arn string) error {
	_, err := r.Service.AttachManagedPolicyToPermissionSet(r.ctx, &ssoadmin.AttachManagedPolicyToPermissionSetInput{InstanceArn: r.Instance.ARN, PermissionSetArn: set, ManagedPolicyArn: arn})
	return err
}

func (r *room) attachOwn(set, name string) error {
	_, err := r.Service.AttachCustomerManagedPolicyReferenceToPermissionSet(r.ctx, &ssoadmin.AttachCustomerManagedPolicyReferenceToPermissionSetInput{
		InstanceArn: r.Instance.ARN, PermissionSetArn: set, CustomerManagedPolicyReference: &ssoadmin.CustomerManagedPolicyReference{Name: name},
	})
	return err
}

func (r *room) bound(set string, b ssoadmin.PermissionsBoundary) error {
	_, err := r.Service.PutPermissionsBoundaryToPermissionSet(r.ctx, &ssoadmin.PutPermissionsBoundaryToPermissionSetInput{InstanceArn: r.Instance.ARN, PermissionSetArn: set, PermissionsBoundary: &b})
	return err
}

func (r *room) update(set, duration string) error {
	_, err := r.Service.UpdatePermissionSet(r.ctx, &ssoadmin.UpdatePermissionSetInput{InstanceArn: r.Instance.ARN, PermissionSetArn: set, SessionDuration: &duration})
	return err
}

func (r *room) delete(set string) error {
	_, err := r.Service.DeletePermissionSet(r.ctx, &ssoadmin.DeletePermissionSetInput{InstanceArn: r.Instance.ARN, PermissionSetArn: set})
	return err
}

// tryAssign asks for an assignment and returns what became of it: an error, or the reason of the failure.
func (r *room) tryAssign(set, account, kind, principal string) (failure string, err error) {
	r.t.Helper()
	out, err := r.Service.CreateAccountAssignment(r.ctx, &ssoadmin.CreateAccountAssignmentInput{
		InstanceArn: r.Instance.ARN, PermissionSetArn: set, TargetId: account, TargetType: "AWS_ACCOUNT", PrincipalType: ssoadmin.PrincipalType(kind), PrincipalId: principal,
	})
	if err != nil {
		return "", err
	}
	begun := out.AccountAssignmentCreationStatus
	if *begun.Status != "IN_PROGRESS" || begun.FailureReason != nil {
		r.t.Errorf("the answer is %s", *begun.Status)
	}
	d := must[*ssoadmin.DescribeAccountAssignmentCreationStatusOutput](r.t)(r.Service.DescribeAccountAssignmentCreationStatus(r.ctx, &ssoadmin.DescribeAccountAssignmentCreationStatusInput{
		InstanceArn: r.Instance.ARN, AccountAssignmentCreationRequestId: *begun.RequestId,
	})).AccountAssignmentCreationStatus
	if (*d.Status == "FAILED") != (d.FailureReason != nil) || *d.TargetId != account || *d.PrincipalId != principal {
		r.t.Errorf("status %+v", d)
	}
	if d.FailureReason != nil {
		return *d.FailureReason, nil
	}
	if *d.Status != "SUCCEEDED" {
		r.t.Errorf("status %s", *d.Status)
	}
	return "", nil
}

func (r *room) assign(set, account, kind, principal string) {
	r.t.Helper()
	if failure, err := r.tryAssign(set, account, kind, principal); err != nil || failure != "" {
		r.t.Fatalf("assign: %v %s", err, failure)
	}
}

func (r *room) unassign(set, account, kind, principal string) error {
	_, err := r.Service.DeleteAccountAssignment(r.ctx, &ssoadmin.DeleteAccountAssignmentInput{
		InstanceArn: r.Instance.ARN, PermissionSetArn: set, TargetId: account, TargetType: "AWS_ACCOUNT", PrincipalType: ssoadmin.PrincipalType(kind), PrincipalId: principal,
	})
	return err
}

// provision brings a set up to date in one account, or in all with "", and returns the reason of a failure.
func (r *room) provision(set, account string) (failure string, err error) {
	in := &ssoadmin.ProvisionPermissionSetInput{InstanceArn: r.Instance.ARN, PermissionSetArn: set, TargetType: "ALL_PROVISIONED_ACCOUNTS"}
	if account != "" {
		in.TargetType, in.TargetId = "AWS_ACCOUNT", &account
	}
	out, err := r.Service.ProvisionPermissionSet(r.ctx, in)
	if err != nil {
		return "", err
	}
	d := must[*ssoadmin.DescribePermissionSetProvisioningStatusOutput](r.t)(r.Service.DescribePermissionSetProvisioningStatus(r.ctx, &ssoadmin.DescribePermissionSetProvisioningStatusInput{
		InstanceArn: r.Instance.ARN, ProvisionPermissionSetRequestId: *out.PermissionSetProvisioningStatus.RequestId,
	})).PermissionSetProvisioningStatus
	if d.FailureReason != nil {
		return *d.FailureReason, nil
	}
	return "", nil
}

// accounts lists where a set is provisioned in a state, "" for any.
func (r *room) accounts(set, status string) []string {
	r.t.Helper()
	in := &ssoadmin.ListAccountsForProvisionedPermissionSetInput{InstanceArn: r.Instance.ARN, PermissionSetArn: set}
	if status != "" {
		in.ProvisioningStatus = new(ssoadmin.ProvisioningStatus(status))
	}
	return must[*ssoadmin.ListAccountsForProvisionedPermissionSetOutput](r.t)(r.Service.ListAccountsForProvisionedPermissionSet(r.ctx, in)).AccountIds
}

// roles are the ways that a person has into accounts.
func (r *room) roles(user string) []center.AccountRole {
	return r.Center.AccountRoles(r.Instance.ARN, user, r.Directory.GroupsOf(r.Instance.StoreID, user))
}

// ways are the accounts and names of roles, in order.
func (r *room) ways(user string) []string {
	out := []string{}
	for _, w := range r.roles(user) {
		out = append(out, w.Account+" "+w.PermissionSetName)
	}
	return out
}

// role is what IAM of an account shows of the one role of a way.
func (r *room) role(way center.AccountRole) *iam.Role {
	r.t.Helper()
	name := way.RoleARN[strings.LastIndexByte(way.RoleARN, '/')+1:]
	return must[*iam.GetRoleOutput](r.t)(r.IAM().GetRole(r.Administrator(r.t, way.Account), &iam.GetRoleInput{RoleName: name})).Role
}

const (
	latest   = "LATEST_PERMISSION_SET_PROVISIONED"
	outdated = "LATEST_PERMISSION_SET_NOT_PROVISIONED"
)

// A permission set from its creation to its end: people have it where it is assigned, as it was when it was provisioned,
// and not a moment longer.
func TestAPermissionSetLives(t *testing.T) {
	centertest.Run(t, func(t *testing.T, h *centertest.House) {
		r := as(t, h, management)
		mateo, ana := h.Person(t, "mateo", ""), h.Person(t, "ana", "")
		red := h.Group(t, "Red", ana)
		set := r.create("Analyst")
		wantCode(t, r.inline(set, allowList), "")
		wantCode(t, r.attach(set, readOnly), "")
		wantCode(t, r.bound(set, ssoadmin.PermissionsBoundary{ManagedPolicyArn: new("arn:aws:iam::aws:policy/AdministratorAccess")}), "")

		if got := r.accounts(set, ""); len(got) != 0 {
			t.Errorf("provisioned in %v before anybody has it", got)
		}
		r.assign(set, member, "USER", mateo)
		r.assign(set, member, "GROUP", red)
		r.assign(set, other, "GROUP", red)
		if d := cmp.Diff([]string{member + " Analyst"}, r.ways(mateo)); d != "" {
			t.Error(d)
		}
		if d := cmp.Diff([]string{member + " Analyst", other + " Analyst"}, r.ways(ana)); d != "" {
			t.Error(d)
		}

		way := r.roles(mateo)[0]
		prefix := "arn:aws:iam::" + member + ":role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Analyst_"
		if suffix, ok := strings.CutPrefix(way.RoleARN, prefix); !ok || len(suffix) != 16 || way.SessionDuration != time.Hour {
			t.Errorf("%+v", way)
		}
		role := r.role(way)
		if *role.MaxSessionDuration != 3600 || *role.PermissionsBoundary.PermissionsBoundaryArn != "arn:aws:iam::aws:policy/AdministratorAccess" {
			t.Errorf("%+v", role)
		}
		if _, ok := h.Center.AccountRole(h.Instance.ARN, mateo, nil, member, set); !ok {
			t.Error("AccountRole does not find what AccountRoles lists")
		}
		if _, ok := h.Center.AccountRole(h.Instance.ARN, mateo, nil, other, set); ok {
			t.Error("AccountRole finds what is assigned to others")
		}

		// A change waits for its provisioning.
		wantCode(t, r.update(set, "PT4H"), "")
		if got := r.accounts(set, outdated); len(got) != 2 {
			t.Errorf("outdated in %v", got)
		}
		if got := r.roles(mateo)[0].SessionDuration; got != time.Hour {
			t.Errorf("the session is %s before the set is provisioned", got)
		}
		if failure, err := r.provision(set, member); failure != "" || err != nil {
			t.Error(failure, err)
		}
		if d := cmp.Diff([]string{member}, r.accounts(set, latest)); d != "" {
			t.Error(d)
		}
		if got := r.roles(mateo)[0]; got.SessionDuration != 4*time.Hour || got.RoleID != way.RoleID {
			t.Errorf("after provisioning %+v", got)
		}
		if failure, err := r.provision(set, ""); failure != "" || err != nil || len(r.accounts(set, latest)) != 2 {
			t.Error(failure, err)
		}

		// The last assignment takes the role along.
		wantCode(t, r.delete(set), "ConflictException")
		wantCode(t, r.unassign(set, member, "GROUP", red), "")
		if d := cmp.Diff([]string{member + " Analyst"}, r.ways(mateo)); d != "" {
			t.Error(d)
		}
		wantCode(t, r.unassign(set, member, "USER", mateo), "")
		wantCode(t, r.unassign(set, member, "USER", mateo), "ResourceNotFoundException")
		if _, ok := h.Registry.RoleByID(way.RoleID); ok || len(r.ways(mateo)) != 0 {
			t.Error("the role outlived its last assignment")
		}
		wantCode(t, r.unassign(set, other, "GROUP", red), "")
		wantCode(t, r.delete(set), "")
		wantCode(t, r.delete(set), "ResourceNotFoundException")

		// A set of the same name is another one.
		if r.create("Analyst") == set {
			t.Error("an id was given twice")
		}
	})
}

// An account has to have what a set needs: else nobody gets anything, and who has it keeps what they have.
func TestWhatAnAccountLacks(t *testing.T) {
	h := centertest.New(t)
	r := as(t, h, management)
	mateo := h.Person(t, "mateo", "")
	set := r.create("Engineer")
	wantCode(t, r.attachOwn(set, "Lake"), "")
	arn := "arn:aws:iam::" + member + ":policy/Lake"
	failure, err := r.tryAssign(set, member, "USER", mateo)
	if err != nil || !strings.Contains(failure, arn) || !strings.Contains(failure, "404") {
		t.Errorf("%q, %v", failure, err)
	}
	if len(r.ways(mateo)) != 0 || len(r.accounts(set, "")) != 0 {
		t.Error("an assignment that failed gave something")
	}
	listed := must[*ssoadmin.ListAccountAssignmentsOutput](t)(h.Service.ListAccountAssignments(r.ctx, &ssoadmin.ListAccountAssignmentsInput{InstanceArn: h.Instance.ARN, PermissionSetArn: set, AccountId: member}))
	if len(listed.AccountAssignments) != 0 {
		t.Error("an assignment that failed is listed")
	}
	must[*iam.CreatePolicyOutput](t)(h.IAM().CreatePolicy(h.Administrator(t, member), &iam.CreatePolicyInput{PolicyName: "Lake", PolicyDocument: allowList}))
	r.assign(set, member, "USER", mateo)

	wantCode(t, r.bound(set, ssoadmin.PermissionsBoundary{CustomerManagedPolicyReference: &ssoadmin.CustomerManagedPolicyReference{Name: "Fence", Path: new("/team/")}}), "")
	failure, err = r.provision(set, "")
	if err != nil || !strings.Contains(failure, "arn:aws:iam::"+member+":policy/team/Fence") {
		t.Errorf("%q, %v", failure, err)
	}
	if d := cmp.Diff([]string{member}, r.accounts(set, outdated)); d != "" || len(r.ways(mateo)) != 1 {
		t.Errorf("a provisioning that failed changed something: %s", d)
	}
	// The policy cannot be taken away from under the role.
	_, err = h.IAM().DeletePolicy(h.Administrator(t, member), &iam.DeletePolicyInput{PolicyArn: arn})
	wantCode(t, err, "DeleteConflict")
}

// Whoever goes takes their access along: a person, a person's place in a group, a group, an account.
func TestWhoGoesHasNothing(t *testing.T) {
	h := centertest.New(t)
	r := as(t, h, management)
	mateo, ana := h.Person(t, "mateo", ""), h.Person(t, "ana", "")
	red := h.Group(t, "Red", ana)
	set := r.create("Analyst")
	r.assign(set, member, "USER", mateo)
	r.assign(set, other, "GROUP", red)

	if err := h.Directory.DeleteUser(t.Context(), h.Instance.StoreID, mateo); err != nil {
		t.Fatal(err)
	}
	if got := r.ways(mateo); len(got) != 0 {
		t.Errorf("a person who is gone has %v", got)
	}
	// What is left of them can be taken away.
	wantCode(t, r.unassign(set, member, "USER", mateo), "")

	if got := r.ways(ana); len(got) != 1 {
		t.Fatalf("ana has %v", got)
	}
	if err := h.Directory.DeleteGroup(t.Context(), h.Instance.StoreID, red); err != nil {
		t.Fatal(err)
	}
	if got := h.Center.AccountRoles(h.Instance.ARN, ana, []string{red}); len(got) != 0 {
		t.Errorf("a group that is gone gives %v", got)
	}

	r.assign(set, other, "USER", ana)
	if _, err := h.Organizations().CloseAccount(h.Administrator(t, management), &organizations.CloseAccountInput{AccountId: other}); err != nil {
		t.Fatal(err)
	}
	if got := r.ways(ana); len(got) != 0 {
		t.Errorf("an account that is closed gives %v", got)
	}
	failure, err := r.tryAssign(r.create("Late"), other, "USER", ana)
	if err != nil || !strings.Contains(failure, "suspended") {
		t.Errorf("%q, %v", failure, err)
	}
	wantCode(t, r.unassign(set, other, "USER", ana), "")
}
