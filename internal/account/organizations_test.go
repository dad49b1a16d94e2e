package account_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lakegate/lakegate/internal/account"
	"github.com/lakegate/lakegate/internal/api/iam"
	"github.com/lakegate/lakegate/internal/api/organizations"
	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/store/storetest"
)

func TestCreateAccount(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db *store.DB) {
		var told []account.Profile
		h := newHouse(t, db)
		h.registry = open(t, db, func(_ context.Context, p account.Profile) { told = append(told, p) })
		h.org.Registry = h.registry
		ctx := h.admin(management)

		done := must(h.org.CreateAccount(ctx, &organizations.CreateAccountInput{
			AccountName: "Sales", Email: "sales@example.com", RoleName: new("Reach"),
			Tags: []organizations.Tag{{Key: account.AccountIDTag, Value: "444444444444"}, {Key: "team", Value: "sales"}},
		})).CreateAccountStatus
		if *done.State != organizations.CreateAccountStateSUCCEEDED || *done.AccountId != "444444444444" || !strings.HasPrefix(*done.Id, "car-") {
			t.Errorf("status %+v", done)
		}
		again := must(h.org.DescribeCreateAccountStatus(ctx, &organizations.DescribeCreateAccountStatusInput{CreateAccountRequestId: *done.Id})).CreateAccountStatus
		if diff := cmp.Diff(done, again); diff != "" {
			t.Errorf("DescribeCreateAccountStatus (-want +got):\n%s", diff)
		}
		o, _ := h.registry.Organization()
		got := must(h.org.DescribeAccount(ctx, &organizations.DescribeAccountInput{AccountId: "444444444444"})).Account
		want := &organizations.Account{
			Id: new("444444444444"), Arn: new("arn:aws:organizations::222222222222:account/" + o.ID + "/444444444444"), Email: new("sales@example.com"), Name: new("Sales"),
			Status: new(organizations.AccountStatusACTIVE), State: new(organizations.AccountStateACTIVE), Paths: []string{o.ID + "/" + o.Root + "/444444444444/"},
			JoinedMethod: new(organizations.AccountJoinedMethodCREATED), JoinedTimestamp: done.RequestedTimestamp,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("DescribeAccount (-want +got):\n%s", diff)
		}
		tags := must(h.org.ListTagsForResource(ctx, &organizations.ListTagsForResourceInput{ResourceId: "444444444444"})).Tags
		if diff := cmp.Diff([]organizations.Tag{{Key: account.AccountIDTag, Value: "444444444444"}, {Key: "team", Value: "sales"}}, tags); diff != "" {
			t.Errorf("tags (-want +got):\n%s", diff)
		}
		if len(told) != 1 || told[0].Account != "444444444444" || told[0].AccountName != "Sales" || told[0].Management {
			t.Fatalf("told of %+v", told)
		}
		if c := caller.From(h.key(told[0].AccessKeyID)); c.ARN != arn.User("444444444444", "/", account.Administrator) {
			t.Errorf("the key is of %s", c.ARN)
		}
		role, ok := h.registry.RoleByARN("arn:aws:iam::444444444444:role/Reach")
		if !ok || role.Trust.Document == nil {
			t.Fatalf("the management account has no way in: %+v", role)
		}
		shown := must((&account.IAM{Registry: h.registry, Authorizer: h.authorizer}).GetRole(h.key(told[0].AccessKeyID), &iam.GetRoleInput{RoleName: "Reach"})).Role
		if !strings.Contains(*shown.AssumeRolePolicyDocument, "222222222222%3Aroot") {
			t.Errorf("the role trusts %s", *shown.AssumeRolePolicyDocument)
		}
	})
}

func TestAccountsThatCannotBeCreated(t *testing.T) {
	h := house1(t)
	ctx := h.admin(management)
	before := len(h.registry.Accounts())
	for name, c := range map[string]struct {
		tags []organizations.Tag
		want string
	}{
		"id is taken":           {[]organizations.Tag{{Key: account.AccountIDTag, Value: member}}, "DuplicateAccountException"},
		"id of the management":  {[]organizations.Tag{{Key: account.AccountIDTag, Value: management}}, "DuplicateAccountException"},
		"id is none":            {[]organizations.Tag{{Key: account.AccountIDTag, Value: "12345678901"}}, "InvalidInputException"},
		"id of AWS":             {[]organizations.Tag{{Key: account.AccountIDTag, Value: "aws"}}, "InvalidInputException"},
		"other reserved tag":    {[]organizations.Tag{{Key: "lakegate:accountid", Value: "444444444444"}}, "InvalidInputException"},
		"tag of AWS":            {[]organizations.Tag{{Key: "aws:x"}}, "InvalidInputException"},
		"tag twice":             {[]organizations.Tag{{Key: "a"}, {Key: "A"}}, "InvalidInputException"},
		"the id is given twice": {[]organizations.Tag{{Key: account.AccountIDTag, Value: "444444444444"}, {Key: account.AccountIDTag, Value: "555555555555"}}, "InvalidInputException"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := h.org.CreateAccount(ctx, &organizations.CreateAccountInput{AccountName: "n", Email: "n@example.com", Tags: c.tags})
			wantCode(t, err, c.want)
		})
	}
	_, err := h.org.CreateAccount(ctx, &organizations.CreateAccountInput{AccountName: "n", Email: "n@example.com", RoleName: new("awsreservedSSO_Admin_0123456789abcdef")})
	wantCode(t, err, "InvalidInputException") // it would pass for a role of the identity center, and be none
	failed := must(h.org.CreateAccount(ctx, &organizations.CreateAccountInput{AccountName: "n", Email: strings.ToUpper(member + "@example.com")})).CreateAccountStatus
	if *failed.State != organizations.CreateAccountStateFAILED || *failed.FailureReason != organizations.CreateAccountFailureReasonEMAILALREADYEXISTS || failed.AccountId != nil {
		t.Errorf("an address that is taken: %+v", failed)
	}
	if now := len(h.registry.Accounts()); now != before {
		t.Errorf("%d accounts, were %d: something half done remains", now, before)
	}
	list := must(h.org.ListCreateAccountStatus(ctx, &organizations.ListCreateAccountStatusInput{States: []organizations.CreateAccountState{organizations.CreateAccountStateFAILED}}))
	if len(list.CreateAccountStatuses) != 1 || *list.CreateAccountStatuses[0].Id != *failed.Id {
		t.Errorf("failed requests: %+v", list)
	}
	_, err = h.org.DescribeCreateAccountStatus(ctx, &organizations.DescribeCreateAccountStatusInput{CreateAccountRequestId: "car-aaaaaaaaaaaaaaaaaaaa"})
	wantCode(t, err, "CreateAccountStatusNotFoundException")
}

// TestOnlyTheManagementAccountManages: an administrator of a member may do everything in it, and nothing here.
func TestOnlyTheManagementAccountManages(t *testing.T) {
	h := house1(t)
	must(h.org.RegisterDelegatedAdministrator(h.admin(management), &organizations.RegisterDelegatedAdministratorInput{AccountId: other, ServicePrincipal: "sso.amazonaws.com"}))
	outsider := &caller.Caller{Type: caller.Root, Account: "999999999999", ARN: arn.Root("999999999999")}
	const denied, unused = "AccessDeniedException", "AccessDenied"
	for name, c := range map[string]struct {
		call             func(ctx context.Context) error
		member, delegate string
	}{
		"DescribeOrganization": {func(ctx context.Context) error {
			_, err := h.org.DescribeOrganization(ctx, &organizations.DescribeOrganizationInput{})
			return err
		}, "", ""},
		"ListAccounts": {func(ctx context.Context) error {
			_, err := h.org.ListAccounts(ctx, &organizations.ListAccountsInput{})
			return err
		}, denied, ""},
		"ListRoots": {func(ctx context.Context) error {
			_, err := h.org.ListRoots(ctx, &organizations.ListRootsInput{})
			return err
		}, denied, ""},
		"DescribeAccount": {func(ctx context.Context) error {
			_, err := h.org.DescribeAccount(ctx, &organizations.DescribeAccountInput{AccountId: member})
			return err
		}, denied, ""},
		"CreateAccount": {func(ctx context.Context) error {
			_, err := h.org.CreateAccount(ctx, &organizations.CreateAccountInput{AccountName: "n", Email: "n@example.com"})
			return err
		}, denied, denied},
		"CloseAccount": {func(ctx context.Context) error {
			_, err := h.org.CloseAccount(ctx, &organizations.CloseAccountInput{AccountId: member})
			return err
		}, denied, denied},
		"RegisterDelegatedAdministrator": {func(ctx context.Context) error {
			_, err := h.org.RegisterDelegatedAdministrator(ctx, &organizations.RegisterDelegatedAdministratorInput{AccountId: member, ServicePrincipal: "sso.amazonaws.com"})
			return err
		}, denied, denied},
		"TagResource": {func(ctx context.Context) error {
			_, err := h.org.TagResource(ctx, &organizations.TagResourceInput{ResourceId: member, Tags: []organizations.Tag{{Key: "a"}}})
			return err
		}, denied, denied},
		"DisableAWSServiceAccess": {func(ctx context.Context) error {
			_, err := h.org.DisableAWSServiceAccess(ctx, &organizations.DisableAWSServiceAccessInput{ServicePrincipal: "sso.amazonaws.com"})
			return err
		}, denied, denied},
	} {
		t.Run(name, func(t *testing.T) {
			wantCode(t, c.call(h.admin(member)), c.member)
			wantCode(t, c.call(h.admin(other)), c.delegate)
			wantCode(t, c.call(h.user("u"+name, "")), unused)
			wantCode(t, c.call(caller.With(t.Context(), outsider)), unused)
		})
	}
}

func TestDelegatedAdministrators(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db *store.DB) {
		h := newHouse(t, db)
		ctx := h.admin(management)
		register := func(id, service string) error {
			_, err := h.org.RegisterDelegatedAdministrator(ctx, &organizations.RegisterDelegatedAdministratorInput{AccountId: id, ServicePrincipal: service})
			return err
		}
		const sso = "sso.amazonaws.com"
		wantCode(t, register(management, sso), "ConstraintViolationException")
		wantCode(t, register("999999999999", sso), "AccountNotFoundException")
		wantCode(t, register(member, "unknown.amazonaws.com"), "InvalidInputException")
		wantCode(t, register(member, sso), "")
		wantCode(t, register(member, sso), "AccountAlreadyRegisteredException")
		wantCode(t, register(other, sso), "ConstraintViolationException")
		if !h.registry.IsDelegated(member, sso) || h.registry.IsDelegated(other, sso) || h.registry.IsDelegated(member, "other") {
			t.Error("IsDelegated is wrong")
		}
		list := must(h.org.ListDelegatedAdministrators(ctx, &organizations.ListDelegatedAdministratorsInput{ServicePrincipal: new(sso)})).DelegatedAdministrators
		if len(list) != 1 || *list[0].Id != member {
			t.Errorf("delegated administrators %+v", list)
		}
		services := must(h.org.ListDelegatedServicesForAccount(ctx, &organizations.ListDelegatedServicesForAccountInput{AccountId: member})).DelegatedServices
		if len(services) != 1 || *services[0].ServicePrincipal != sso {
			t.Errorf("services %+v", services)
		}
		_, err := h.org.DisableAWSServiceAccess(ctx, &organizations.DisableAWSServiceAccessInput{ServicePrincipal: sso})
		wantCode(t, err, "ConstraintViolationException")
		_, err = h.org.CloseAccount(ctx, &organizations.CloseAccountInput{AccountId: member})
		wantCode(t, err, "ConstraintViolationException")
		must(h.org.DeregisterDelegatedAdministrator(ctx, &organizations.DeregisterDelegatedAdministratorInput{AccountId: member, ServicePrincipal: sso}))
		_, err = h.org.DeregisterDelegatedAdministrator(ctx, &organizations.DeregisterDelegatedAdministratorInput{AccountId: member, ServicePrincipal: sso})
		wantCode(t, err, "AccountNotRegisteredException")
		if h.registry.IsDelegated(member, sso) {
			t.Error("a delegation stays that was taken back")
		}
		enabled := func() int {
			return len(must(h.org.ListAWSServiceAccessForOrganization(ctx, &organizations.ListAWSServiceAccessForOrganizationInput{})).EnabledServicePrincipals)
		}
		if enabled() != 1 {
			t.Error("the identity center has no access at first")
		}
		must(h.org.DisableAWSServiceAccess(ctx, &organizations.DisableAWSServiceAccessInput{ServicePrincipal: sso}))
		wantCode(t, register(member, sso), "ConstraintViolationException")
		if enabled() != 0 {
			t.Error("access stays that was taken back")
		}
		must(h.org.EnableAWSServiceAccess(ctx, &organizations.EnableAWSServiceAccessInput{ServicePrincipal: sso}))
		wantCode(t, register(member, sso), "")
	})
}

func TestTheTreeOfAccounts(t *testing.T) {
	h := house1(t)
	ctx := h.admin(management)
	root := *must(h.org.ListRoots(ctx, &organizations.ListRootsInput{})).Roots[0].Id
	if parents := must(h.org.ListParents(ctx, &organizations.ListParentsInput{ChildId: member})).Parents; len(parents) != 1 || *parents[0].Id != root {
		t.Errorf("parents %+v", parents)
	}
	var children, accounts, under []string
	for _, c := range must(h.org.ListChildren(ctx, &organizations.ListChildrenInput{ParentId: root, ChildType: organizations.ChildTypeACCOUNT})).Children {
		children = append(children, *c.Id)
	}
	for _, a := range must(h.org.ListAccountsForParent(ctx, &organizations.ListAccountsForParentInput{ParentId: root})).Accounts {
		under = append(under, *a.Id)
	}
	var token *string
	for {
		page := must(h.org.ListAccounts(ctx, &organizations.ListAccountsInput{MaxResults: new(2), NextToken: token}))
		for _, a := range page.Accounts {
			accounts = append(accounts, *a.Id)
		}
		if token = page.NextToken; token == nil {
			break
		}
	}
	want := []string{member, management, other}
	for name, got := range map[string][]string{"ListChildren": children, "ListAccountsForParent": under, "ListAccounts": accounts} {
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if units := must(h.org.ListChildren(ctx, &organizations.ListChildrenInput{ParentId: root, ChildType: organizations.ChildTypeORGANIZATIONALUNIT})).Children; len(units) != 0 {
		t.Errorf("organizational units %+v", units)
	}
	_, err := h.org.ListChildren(ctx, &organizations.ListChildrenInput{ParentId: "r-none", ChildType: organizations.ChildTypeACCOUNT})
	wantCode(t, err, "ParentNotFoundException")
	_, err = h.org.ListParents(ctx, &organizations.ListParentsInput{ChildId: "999999999999"})
	wantCode(t, err, "ChildNotFoundException")
	_, err = h.org.ListAccounts(ctx, &organizations.ListAccountsInput{NextToken: new("x")})
	wantCode(t, err, "InvalidInputException")
	_, err = h.org.CreateOrganization(ctx, &organizations.CreateOrganizationInput{})
	wantCode(t, err, "AlreadyInOrganizationException")
}

func TestTagsOfAccounts(t *testing.T) {
	h := house1(t)
	ctx := h.admin(management)
	must(h.org.TagResource(ctx, &organizations.TagResourceInput{ResourceId: member, Tags: []organizations.Tag{{Key: "team", Value: "red"}}}))
	must(h.org.UntagResource(ctx, &organizations.UntagResourceInput{ResourceId: member, TagKeys: []string{"team"}}))
	for _, key := range []string{account.AccountIDTag, "LAKEGATE:accountid", "aws:x"} {
		_, err := h.org.TagResource(ctx, &organizations.TagResourceInput{ResourceId: member, Tags: []organizations.Tag{{Key: key, Value: other}}})
		wantCode(t, err, "InvalidInputException")
		_, err = h.org.UntagResource(ctx, &organizations.UntagResourceInput{ResourceId: member, TagKeys: []string{key}})
		wantCode(t, err, "InvalidInputException")
	}
	tags := must(h.org.ListTagsForResource(ctx, &organizations.ListTagsForResourceInput{ResourceId: member})).Tags
	if diff := cmp.Diff([]organizations.Tag{{Key: account.AccountIDTag, Value: member}}, tags); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
	for id, want := range map[string]string{"999999999999": "TargetNotFoundException", "r-root": "InvalidInputException"} {
		_, err := h.org.ListTagsForResource(ctx, &organizations.ListTagsForResourceInput{ResourceId: id})
		wantCode(t, err, want)
	}
}

func TestTheManagementAccountCannotBeClosed(t *testing.T) {
	h := house1(t)
	ctx := h.admin(management)
	_, err := h.org.CloseAccount(ctx, &organizations.CloseAccountInput{AccountId: management})
	wantCode(t, err, "ConstraintViolationException")
	must(h.org.CloseAccount(ctx, &organizations.CloseAccountInput{AccountId: member}))
	_, err = h.org.CloseAccount(ctx, &organizations.CloseAccountInput{AccountId: member})
	wantCode(t, err, "AccountAlreadyClosedException")
	got := must(h.org.DescribeAccount(ctx, &organizations.DescribeAccountInput{AccountId: member})).Account
	if *got.Status != organizations.AccountStatusSUSPENDED || *got.State != organizations.AccountStateCLOSED {
		t.Errorf("a closed account is %s, %s", *got.Status, *got.State)
	}
	for _, p := range must(h.registry.Profiles(ctx)) {
		if p.Account == member {
			t.Error("a closed account has a profile")
		}
	}
}
