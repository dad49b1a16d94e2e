package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdkcloudtrail "github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	cloudtrailtypes "github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	sdkidentitystore "github.com/aws/aws-sdk-go-v2/service/identitystore"
	"github.com/aws/aws-sdk-go-v2/service/identitystore/document"
	identitystoretypes "github.com/aws/aws-sdk-go-v2/service/identitystore/types"
	sdkorganizations "github.com/aws/aws-sdk-go-v2/service/organizations"
	organizationstypes "github.com/aws/aws-sdk-go-v2/service/organizations/types"
	sdkssoadmin "github.com/aws/aws-sdk-go-v2/service/ssoadmin"
	ssoadmindocument "github.com/aws/aws-sdk-go-v2/service/ssoadmin/document"
	ssoadmintypes "github.com/aws/aws-sdk-go-v2/service/ssoadmin/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/lakegate/lakegate/internal/api/cloudtrail"
	"github.com/lakegate/lakegate/internal/api/identitystore"
	"github.com/lakegate/lakegate/internal/api/organizations"
	"github.com/lakegate/lakegate/internal/api/ssoadmin"
)

const (
	instanceARN    = "arn:aws:sso:::instance/ssoins-1111111111111111"
	providerARN    = "arn:aws:sso::aws:applicationProvider/custom"
	applicationARN = "arn:aws:sso::222222222222:application/ssoins-1111111111111111/apl-2222222222222222"
	storeID        = "d-1234567890"
	personID       = "11111111-2222-3333-4444-555555555555"
)

var (
	ctx     = context.Background()
	instant = time.Date(2026, 11, 23, 1, 2, 3, 456_000_000, time.UTC)
)

// refusedAs checks what a client makes of an error that it has no type for.
func refusedAs(t *testing.T, err error, code, message string) {
	t.Helper()
	e, ok := errors.AsType[smithy.APIError](err)
	if !ok || e.ErrorCode() != code || !strings.Contains(e.ErrorMessage(), message) {
		t.Errorf("%v, want %s with %q", err, code, message)
	}
}

type admin struct{ t *testing.T }

func (a admin) CreateApplication(_ context.Context, in *ssoadmin.CreateApplicationInput) (*ssoadmin.CreateApplicationOutput, error) {
	if in.Name == "Taken" {
		return nil, ssoadmin.ConflictException("An application of that name exists.")
	}
	want := &ssoadmin.CreateApplicationInput{
		InstanceArn: instanceARN, ApplicationProviderArn: providerARN, Name: "My <Data> Application ❤", Description: new(`quotes " and \ and 	tabs`),
		PortalOptions: &ssoadmin.PortalOptions{Visibility: new(ssoadmin.ApplicationVisibilityENABLED), SignInOptions: &ssoadmin.SignInOptions{Origin: ssoadmin.SignInOriginAPPLICATION, ApplicationUrl: new("https://app.example")}},
		Tags:          []ssoadmin.Tag{{Key: "team", Value: "red"}, {Key: "empty", Value: ""}}, Status: new(ssoadmin.ApplicationStatusENABLED), ClientToken: new("token-1"),
	}
	if diff := cmp.Diff(want, in); diff != "" {
		a.t.Errorf("input (-want +got):\n%s", diff)
	}
	return &ssoadmin.CreateApplicationOutput{ApplicationArn: new(applicationARN)}, nil
}

func (admin) ListApplications(context.Context, *ssoadmin.ListApplicationsInput) (*ssoadmin.ListApplicationsOutput, error) {
	return &ssoadmin.ListApplicationsOutput{Applications: []ssoadmin.Application{{ApplicationArn: new(applicationARN), CreatedDate: &instant}, {}}}, nil
}

func (a admin) PutApplicationAuthenticationMethod(_ context.Context, in *ssoadmin.PutApplicationAuthenticationMethodInput) (*ssoadmin.PutApplicationAuthenticationMethodOutput, error) {
	var policy map[string]any
	if err := json.Unmarshal(in.AuthenticationMethod.Iam.ActorPolicy, &policy); err != nil || policy["Version"] != "2012-10-17" {
		a.t.Errorf("policy %s: %v", in.AuthenticationMethod.Iam.ActorPolicy, err)
	}
	return &ssoadmin.PutApplicationAuthenticationMethodOutput{}, nil
}

func (admin) GetApplicationAuthenticationMethod(context.Context, *ssoadmin.GetApplicationAuthenticationMethodInput) (*ssoadmin.GetApplicationAuthenticationMethodOutput, error) {
	return &ssoadmin.GetApplicationAuthenticationMethodOutput{AuthenticationMethod: &ssoadmin.AuthenticationMethod{
		Iam: &ssoadmin.IamAuthenticationMethod{ActorPolicy: json.RawMessage(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","n":1.5}]}`)},
	}}, nil
}

func (a admin) PutApplicationGrant(_ context.Context, in *ssoadmin.PutApplicationGrantInput) (*ssoadmin.PutApplicationGrantOutput, error) {
	want := &ssoadmin.PutApplicationGrantInput{ApplicationArn: applicationARN, GrantType: ssoadmin.GrantTypeUrnIetfParamsOauthGrantTypeJwtBearer, Grant: &ssoadmin.Grant{
		JwtBearer: &ssoadmin.JwtBearerGrant{AuthorizedTokenIssuers: []ssoadmin.AuthorizedTokenIssuer{{AuthorizedAudiences: []string{"a", "b"}}}},
	}}
	if diff := cmp.Diff(want, in); diff != "" {
		a.t.Errorf("input (-want +got):\n%s", diff)
	}
	return &ssoadmin.PutApplicationGrantOutput{}, nil
}

func TestIdentityCenterByItsClient(t *testing.T) {
	cfg, _ := client(t, implementations{ssoadmin: admin{t}})
	c := sdkssoadmin.NewFromConfig(cfg)

	create := &sdkssoadmin.CreateApplicationInput{
		InstanceArn: aws.String(instanceARN), ApplicationProviderArn: aws.String(providerARN), Name: aws.String("My <Data> Application ❤"), Description: aws.String(`quotes " and \ and 	tabs`),
		PortalOptions: &ssoadmintypes.PortalOptions{Visibility: ssoadmintypes.ApplicationVisibilityEnabled, SignInOptions: &ssoadmintypes.SignInOptions{Origin: ssoadmintypes.SignInOriginApplication, ApplicationUrl: aws.String("https://app.example")}},
		Tags:          []ssoadmintypes.Tag{{Key: aws.String("team"), Value: aws.String("red")}, {Key: aws.String("empty"), Value: aws.String("")}},
		Status:        ssoadmintypes.ApplicationStatusEnabled, ClientToken: aws.String("token-1"),
	}
	out, err := c.CreateApplication(ctx, create)
	if err != nil || aws.ToString(out.ApplicationArn) != applicationARN {
		t.Errorf("create: %+v, %v", out, err)
	}

	list, err := c.ListApplications(ctx, &sdkssoadmin.ListApplicationsInput{InstanceArn: aws.String(instanceARN)})
	if err != nil || len(list.Applications) != 2 || !aws.ToTime(list.Applications[0].CreatedDate).Equal(instant) || list.Applications[1].CreatedDate != nil {
		t.Errorf("list: %+v, %v", list, err)
	}

	policy := map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{"Effect": "Allow"}}}
	_, err = c.PutApplicationAuthenticationMethod(ctx, &sdkssoadmin.PutApplicationAuthenticationMethodInput{
		ApplicationArn: aws.String(applicationARN), AuthenticationMethodType: ssoadmintypes.AuthenticationMethodTypeIam,
		AuthenticationMethod: &ssoadmintypes.AuthenticationMethodMemberIam{Value: ssoadmintypes.IamAuthenticationMethod{ActorPolicy: ssoadmindocument.NewLazyDocument(policy)}},
	})
	if err != nil {
		t.Errorf("a document: %v", err)
	}
	method, err := c.GetApplicationAuthenticationMethod(ctx, &sdkssoadmin.GetApplicationAuthenticationMethodInput{
		ApplicationArn: aws.String(applicationARN), AuthenticationMethodType: ssoadmintypes.AuthenticationMethodTypeIam,
	})
	if err != nil {
		t.Fatal(err)
	}
	text, err := method.AuthenticationMethod.(*ssoadmintypes.AuthenticationMethodMemberIam).Value.ActorPolicy.MarshalSmithyDocument()
	if err != nil || !json.Valid(text) || !strings.Contains(string(text), "2012-10-17") {
		t.Errorf("a document back: %s, %v", text, err)
	}

	_, err = c.PutApplicationGrant(ctx, &sdkssoadmin.PutApplicationGrantInput{
		ApplicationArn: aws.String(applicationARN), GrantType: ssoadmintypes.GrantTypeJwtBearer,
		Grant: &ssoadmintypes.GrantMemberJwtBearer{Value: ssoadmintypes.JwtBearerGrant{AuthorizedTokenIssuers: []ssoadmintypes.AuthorizedTokenIssuer{{AuthorizedAudiences: []string{"a", "b"}}}}},
	})
	if err != nil {
		t.Errorf("a union and an output without members: %v", err)
	}

	create.Name = aws.String("Taken")
	_, err = c.CreateApplication(ctx, create)
	if e, ok := errors.AsType[*ssoadmintypes.ConflictException](err); !ok || e.ErrorMessage() != "An application of that name exists." {
		t.Errorf("a modelled error: %v", err)
	}
	create.Name = aws.String(strings.Repeat("n", 101))
	_, err = c.CreateApplication(ctx, create)
	if e, ok := errors.AsType[*ssoadmintypes.ValidationException](err); !ok || !strings.Contains(e.ErrorMessage(), "at 'name' failed to satisfy constraint: Member must have length less than or equal to 100") {
		t.Errorf("a broken constraint: %v", err)
	}
	_, err = c.DescribeApplication(ctx, &sdkssoadmin.DescribeApplicationInput{ApplicationArn: aws.String(applicationARN)})
	refusedAs(t, err, "UnknownOperationException", "not implemented")
}

type accounts struct{}

func (accounts) ListAccounts(context.Context, *organizations.ListAccountsInput) (*organizations.ListAccountsOutput, error) {
	return &organizations.ListAccountsOutput{Accounts: []organizations.Account{{
		Id: new("111111111111"), Name: new("Data"), Email: new("data@example.com"), Status: new(organizations.AccountStatusACTIVE), JoinedTimestamp: &instant,
	}}}, nil
}

func (accounts) DescribeAccount(context.Context, *organizations.DescribeAccountInput) (*organizations.DescribeAccountOutput, error) {
	return nil, organizations.AccountNotFoundException("You specified an account that doesn't exist.")
}

func (accounts) MoveAccount(context.Context, *organizations.MoveAccountInput) (*organizations.MoveAccountOutput, error) {
	return nil, nil
}

func TestOrganizationsByItsClient(t *testing.T) {
	cfg, _ := client(t, implementations{organizations: accounts{}})
	c := sdkorganizations.NewFromConfig(cfg)
	list, err := c.ListAccounts(ctx, nil)
	if err != nil || len(list.Accounts) != 1 || !aws.ToTime(list.Accounts[0].JoinedTimestamp).Equal(instant) || list.Accounts[0].Status != organizationstypes.AccountStatusActive {
		t.Errorf("list: %+v, %v", list, err)
	}
	if _, err := c.MoveAccount(ctx, &sdkorganizations.MoveAccountInput{
		AccountId: aws.String("111111111111"), SourceParentId: aws.String("r-abcd"), DestinationParentId: aws.String("ou-abcd-12345678"),
	}); err != nil {
		t.Errorf("an operation without output: %v", err)
	}
	_, err = c.DescribeAccount(ctx, &sdkorganizations.DescribeAccountInput{AccountId: aws.String("111111111111")})
	if e, ok := errors.AsType[*organizationstypes.AccountNotFoundException](err); !ok || !strings.HasPrefix(e.ErrorMessage(), "You specified") {
		t.Errorf("a modelled error: %v", err)
	}
	_, err = c.DescribeAccount(ctx, &sdkorganizations.DescribeAccountInput{AccountId: aws.String("11111111111")})
	if e, ok := errors.AsType[*organizationstypes.InvalidInputException](err); !ok || !strings.Contains(e.ErrorMessage(), "'accountId'") {
		t.Errorf("a broken constraint: %v", err)
	}
}

type events struct{ t *testing.T }

func (e events) LookupEvents(_ context.Context, in *cloudtrail.LookupEventsInput) (*cloudtrail.LookupEventsOutput, error) {
	if in.StartTime.After(*in.EndTime) {
		return nil, cloudtrail.InvalidTimeRangeException("The start is after the end.")
	}
	if !in.StartTime.Equal(instant.Truncate(time.Second)) || in.LookupAttributes[0].AttributeKey != cloudtrail.LookupAttributeKeyEventName {
		e.t.Errorf("input %+v", in)
	}
	return &cloudtrail.LookupEventsOutput{Events: []cloudtrail.Event{{EventName: new("GetDataAccess"), EventTime: &instant, CloudTrailEvent: new(`{"a":"<b>"}`), Resources: []cloudtrail.Resource{}}}}, nil
}

func TestCloudTrailByItsClient(t *testing.T) {
	cfg, _ := client(t, implementations{cloudtrail: events{t}})
	c := sdkcloudtrail.NewFromConfig(cfg)
	in := &sdkcloudtrail.LookupEventsInput{
		StartTime: aws.Time(instant.Truncate(time.Second)), EndTime: aws.Time(instant.Add(time.Hour)),
		LookupAttributes: []cloudtrailtypes.LookupAttribute{{AttributeKey: cloudtrailtypes.LookupAttributeKeyEventName, AttributeValue: aws.String("GetDataAccess")}},
	}
	out, err := c.LookupEvents(ctx, in)
	if err != nil || len(out.Events) != 1 || aws.ToString(out.Events[0].CloudTrailEvent) != `{"a":"<b>"}` || !aws.ToTime(out.Events[0].EventTime).Equal(instant) {
		t.Errorf("lookup: %+v, %v", out, err)
	}
	in.EndTime = aws.Time(instant.Add(-time.Hour))
	_, err = c.LookupEvents(ctx, in)
	if _, ok := errors.AsType[*cloudtrailtypes.InvalidTimeRangeException](err); !ok {
		t.Errorf("a modelled error: %v", err)
	}
	in.MaxResults = aws.Int32(51)
	_, err = c.LookupEvents(ctx, in)
	refusedAs(t, err, "ValidationException", "Value '51' at 'maxResults'")
}

type people struct{ t *testing.T }

func (p people) CreateUser(_ context.Context, in *identitystore.CreateUserInput) (*identitystore.CreateUserOutput, error) {
	if in.UserName != nil && *in.UserName == "taken" {
		return nil, identitystore.ConflictException("Duplicate UserName").With("Reason", "UNIQUENESS_CONSTRAINT_VIOLATION")
	}
	var extension map[string]any
	if err := json.Unmarshal(in.Extensions["aws:identitystore:enterprise"], &extension); err != nil || extension["department"] != "Sales" {
		p.t.Errorf("extensions %s: %v", in.Extensions, err)
	}
	return &identitystore.CreateUserOutput{IdentityStoreId: in.IdentityStoreId, UserId: personID}, nil
}

func (people) DescribeUser(context.Context, *identitystore.DescribeUserInput) (*identitystore.DescribeUserOutput, error) {
	return nil, identitystore.ResourceNotFoundException("USER not found.").With("ResourceType", "USER").With("ResourceId", personID)
}

func (people) IsMemberInGroups(_ context.Context, in *identitystore.IsMemberInGroupsInput) (*identitystore.IsMemberInGroupsOutput, error) {
	return &identitystore.IsMemberInGroupsOutput{Results: []identitystore.GroupMembershipExistenceResult{{GroupId: &in.GroupIds[0], MemberId: in.MemberId, MembershipExists: new(false)}}}, nil
}

func TestIdentityStoreByItsClient(t *testing.T) {
	cfg, _ := client(t, implementations{identitystore: people{t}})
	c := sdkidentitystore.NewFromConfig(cfg)
	create := &sdkidentitystore.CreateUserInput{
		IdentityStoreId: aws.String(storeID), UserName: aws.String("mateo"), DisplayName: aws.String("Mateo Jackson"),
		Extensions: map[string]document.Interface{"aws:identitystore:enterprise": document.NewLazyDocument(map[string]any{"department": "Sales"})},
	}
	created, err := c.CreateUser(ctx, create)
	if err != nil || aws.ToString(created.UserId) != personID {
		t.Errorf("create: %+v, %v", created, err)
	}
	member, err := c.IsMemberInGroups(ctx, &sdkidentitystore.IsMemberInGroupsInput{
		IdentityStoreId: aws.String(storeID), MemberId: &identitystoretypes.MemberIdMemberUserId{Value: personID}, GroupIds: []string{personID},
	})
	if err != nil || len(member.Results) != 1 || member.Results[0].MembershipExists {
		t.Errorf("membership: %+v, %v", member, err)
	} else if id, ok := member.Results[0].MemberId.(*identitystoretypes.MemberIdMemberUserId); !ok || id.Value != personID {
		t.Errorf("a union: %+v", member.Results[0].MemberId)
	}

	create.UserName = aws.String("taken")
	_, err = c.CreateUser(ctx, create)
	if e, ok := errors.AsType[*identitystoretypes.ConflictException](err); !ok || e.Reason != identitystoretypes.ConflictExceptionReasonUniquenessConstraintViolation || aws.ToString(e.RequestId) == "" {
		t.Errorf("a modelled error with a reason: %#v", err)
	}
	_, err = c.DescribeUser(ctx, &sdkidentitystore.DescribeUserInput{IdentityStoreId: aws.String(storeID), UserId: aws.String(personID)})
	if e, ok := errors.AsType[*identitystoretypes.ResourceNotFoundException](err); !ok || e.ResourceType != identitystoretypes.ResourceTypeUser || aws.ToString(e.ResourceId) != personID {
		t.Errorf("a modelled error with a resource: %#v", err)
	}
	create.UserName = aws.String(strings.Repeat("secretive", 20))
	_, err = c.CreateUser(ctx, create)
	e, ok := errors.AsType[*identitystoretypes.ValidationException](err)
	if !ok || !strings.Contains(e.ErrorMessage(), "'userName'") || strings.Contains(e.ErrorMessage(), "secretive") {
		t.Errorf("a broken constraint: %v", err)
	}
}
