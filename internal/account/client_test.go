package account_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdkiam "github.com/aws/aws-sdk-go-v2/service/iam"
	sdkiamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	sdkorg "github.com/aws/aws-sdk-go-v2/service/organizations"
	sdkorgtypes "github.com/aws/aws-sdk-go-v2/service/organizations/types"

	"github.com/lakegate/lakegate/internal/account"
	"github.com/lakegate/lakegate/internal/api/iam"
	"github.com/lakegate/lakegate/internal/api/organizations"
	"github.com/lakegate/lakegate/internal/authz"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/wire"
)

// serve answers for both services over HTTP as the caller of ctx, and fails the test when a handler answers without
// having asked for authorisation.
func (h *house) serve(ctx context.Context) string {
	h.t.Helper()
	mux := &wire.Mux{}
	mux.Mount(iam.Model, iam.Operations(h.iam))
	mux.Mount(organizations.Model, organizations.Operations(h.org))
	c := caller.From(ctx)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			h.t.Error(err)
		}
		call, ok := mux.Name(r, body, "iam")
		if !ok {
			h.t.Errorf("%s %s is no call", r.Method, r.URL)
			return
		}
		in, err := call.Decode(r, body)
		if err != nil {
			call.WriteError(w, "id", err)
			return
		}
		ctx, ledger := authz.WithLedger(caller.With(r.Context(), c))
		out, err := call.Invoke(ctx, in)
		if !ledger.Asked() {
			h.t.Errorf("%s answered without having asked for authorisation", call.Operation.Name)
		}
		if err != nil {
			call.WriteError(w, "id", err)
			return
		}
		if err := call.WriteOutput(w, "id", out); err != nil {
			h.t.Error(err)
		}
	}))
	h.t.Cleanup(s.Close)
	return s.URL
}

var anyCredentials = credentials.NewStaticCredentialsProvider("AKIAAAAAAAAAAAAAAAAA", "secret", "")

func TestTheSDKUnderstandsIAM(t *testing.T) {
	h := house1(t)
	ctx := t.Context()
	c := sdkiam.New(sdkiam.Options{BaseEndpoint: new(h.serve(h.admin(member))), Region: "us-east-1", Credentials: anyCredentials})
	trust := trusting(member)
	made := must(c.CreateRole(ctx, &sdkiam.CreateRoleInput{RoleName: aws.String("r"), AssumeRolePolicyDocument: &trust, Tags: []sdkiamtypes.Tag{{Key: new("k"), Value: new("v")}}}))
	if *made.Role.Arn != "arn:aws:iam::111111111111:role/r" || made.Role.CreateDate == nil {
		t.Errorf("created %+v", made.Role)
	}
	must(c.PutRolePolicy(ctx, &sdkiam.PutRolePolicyInput{RoleName: new("r"), PolicyName: new("p"), PolicyDocument: new(allow("s3:*", "*"))}))
	got := must(c.GetRole(ctx, &sdkiam.GetRoleInput{RoleName: new("r")})).Role
	if text, err := url.QueryUnescape(*got.AssumeRolePolicyDocument); err != nil || text != trust || len(got.Tags) != 1 {
		t.Errorf("got %+v", got)
	}
	if names := must(c.ListRolePolicies(ctx, &sdkiam.ListRolePoliciesInput{RoleName: new("r")})).PolicyNames; len(names) != 1 || names[0] != "p" {
		t.Errorf("names %v", names)
	}
	var roles []string
	for pages := sdkiam.NewListRolesPaginator(c, &sdkiam.ListRolesInput{MaxItems: aws.Int32(1)}); pages.HasMorePages(); {
		for _, r := range must(pages.NextPage(ctx)).Roles {
			roles = append(roles, *r.RoleName)
		}
	}
	if len(roles) != 2 || roles[0] != account.DelegateRole || roles[1] != "r" {
		t.Errorf("roles %v", roles)
	}
	if summary := must(c.GetAccountSummary(ctx, &sdkiam.GetAccountSummaryInput{})).SummaryMap; summary["Roles"] != 2 {
		t.Errorf("summary %v", summary)
	}
	if profiles := must(c.ListInstanceProfilesForRole(ctx, &sdkiam.ListInstanceProfilesForRoleInput{RoleName: new("r")})).InstanceProfiles; len(profiles) != 0 {
		t.Errorf("instance profiles %v", profiles)
	}
	key := must(c.CreateAccessKey(ctx, &sdkiam.CreateAccessKeyInput{})).AccessKey
	if secret, _, err := h.registry.Lookup(*key.AccessKeyId); err != nil || secret != *key.SecretAccessKey {
		t.Errorf("the key is not what was handed out: %v", err)
	}

	_, err := c.DeleteRole(ctx, &sdkiam.DeleteRoleInput{RoleName: new("r")})
	if _, ok := errors.AsType[*sdkiamtypes.DeleteConflictException](err); !ok {
		t.Errorf("a role with a policy: %v", err)
	}
	_, err = c.GetRole(ctx, &sdkiam.GetRoleInput{RoleName: new("none")})
	if _, ok := errors.AsType[*sdkiamtypes.NoSuchEntityException](err); !ok {
		t.Errorf("a role that is not there: %v", err)
	}
	_, err = c.CreateRole(ctx, &sdkiam.CreateRoleInput{RoleName: new("r"), AssumeRolePolicyDocument: new(trusting("arn:aws:iam::111111111111:role/none"))})
	if e, ok := errors.AsType[*sdkiamtypes.MalformedPolicyDocumentException](err); !ok || e.ErrorMessage() != `Invalid principal in policy: "AWS":"arn:aws:iam::111111111111:role/none"` {
		t.Errorf("a principal that is not there: %v", err)
	}
}

func TestTheSDKUnderstandsOrganizations(t *testing.T) {
	h := house1(t)
	ctx := t.Context()
	c := sdkorg.New(sdkorg.Options{BaseEndpoint: new(h.serve(h.admin(management))), Region: "us-east-1", Credentials: anyCredentials})
	status := must(c.CreateAccount(ctx, &sdkorg.CreateAccountInput{AccountName: new("n"), Email: new("n@example.com")})).CreateAccountStatus
	if status.State != sdkorgtypes.CreateAccountStateSucceeded || status.CompletedTimestamp == nil {
		t.Errorf("status %+v", status)
	}
	o := must(c.DescribeOrganization(ctx, &sdkorg.DescribeOrganizationInput{})).Organization
	if *o.MasterAccountId != management || o.FeatureSet != sdkorgtypes.OrganizationFeatureSetAll {
		t.Errorf("organization %+v", o)
	}
	n := 0
	for pages := sdkorg.NewListAccountsPaginator(c, &sdkorg.ListAccountsInput{MaxResults: aws.Int32(3)}); pages.HasMorePages(); {
		n += len(must(pages.NextPage(ctx)).Accounts)
	}
	if n != 4 {
		t.Errorf("%d accounts", n)
	}
	_, err := c.DescribeAccount(ctx, &sdkorg.DescribeAccountInput{AccountId: new("999999999999")})
	if _, ok := errors.AsType[*sdkorgtypes.AccountNotFoundException](err); !ok {
		t.Errorf("an account that is not there: %v", err)
	}
	_, err = c.CloseAccount(ctx, &sdkorg.CloseAccountInput{AccountId: new(management)})
	if e, ok := errors.AsType[*sdkorgtypes.ConstraintViolationException](err); !ok || e.Reason != sdkorgtypes.ConstraintViolationExceptionReasonCannotCloseManagementAccount {
		t.Errorf("the management account: %v", err)
	}
}
