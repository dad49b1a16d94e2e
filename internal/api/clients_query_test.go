package api_test

import (
	"context"
	"errors"
	"net/url"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdkiam "github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	sdksts "github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/google/go-cmp/cmp"

	"github.com/lakegate/lakegate/internal/api/iam"
	"github.com/lakegate/lakegate/internal/api/sts"
	"github.com/lakegate/lakegate/internal/wire"
)

const roleARN = "arn:aws:iam::111111111111:role/app"

type sessions struct{ t *testing.T }

func (s sessions) AssumeRole(_ context.Context, in *sts.AssumeRoleInput) (*sts.AssumeRoleOutput, error) {
	if in.Policy != nil {
		return nil, sts.MalformedPolicyDocumentException("Syntax errors in policy.")
	}
	want := &sts.AssumeRoleInput{
		RoleArn: roleARN, RoleSessionName: "app@example.com", DurationSeconds: new(900), Tags: []sts.Tag{{Key: "a b", Value: "c+d=é"}, {Key: "empty", Value: ""}},
		ProvidedContexts: []sts.ProvidedContext{{ProviderArn: new("arn:aws:iam::aws:contextProvider/IdentityCenter"), ContextAssertion: new("asserted")}},
	}
	if diff := cmp.Diff(want, in); diff != "" {
		s.t.Errorf("input (-want +got):\n%s", diff)
	}
	return &sts.AssumeRoleOutput{
		Credentials:     &sts.Credentials{AccessKeyId: "ASIAIOSFODNN7EXAMPLE", SecretAccessKey: "s<&>'\"", SessionToken: "t", Expiration: instant},
		AssumedRoleUser: &sts.AssumedRoleUser{AssumedRoleId: "AROA:app", Arn: roleARN}, PackedPolicySize: new(0),
	}, nil
}

func (sessions) GetCallerIdentity(context.Context, *sts.GetCallerIdentityInput) (*sts.GetCallerIdentityOutput, error) {
	return &sts.GetCallerIdentityOutput{Account: new("111111111111")}, nil
}

func (sessions) GetSessionToken(context.Context, *sts.GetSessionTokenInput) (*sts.GetSessionTokenOutput, error) {
	return nil, wire.AccessDenied("Cannot call GetSessionToken with session credentials")
}

func TestSessionsByTheirClient(t *testing.T) {
	cfg, _ := client(t, implementations{sts: sessions{t}})
	c := sdksts.NewFromConfig(cfg)
	in := &sdksts.AssumeRoleInput{
		RoleArn: aws.String(roleARN), RoleSessionName: aws.String("app@example.com"), DurationSeconds: aws.Int32(900),
		Tags:             []ststypes.Tag{{Key: aws.String("a b"), Value: aws.String("c+d=é")}, {Key: aws.String("empty"), Value: aws.String("")}},
		ProvidedContexts: []ststypes.ProvidedContext{{ProviderArn: aws.String("arn:aws:iam::aws:contextProvider/IdentityCenter"), ContextAssertion: aws.String("asserted")}},
	}
	out, err := c.AssumeRole(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	if got := out.Credentials; aws.ToString(got.SecretAccessKey) != "s<&>'\"" || !aws.ToTime(got.Expiration).Equal(instant) {
		t.Errorf("credentials: %+v", out)
	}
	if who, err := c.GetCallerIdentity(ctx, nil); err != nil || aws.ToString(who.Account) != "111111111111" || who.Arn != nil {
		t.Errorf("identity: %+v, %v", who, err)
	}

	in.Policy = aws.String("{}")
	_, err = c.AssumeRole(ctx, in)
	if e, ok := errors.AsType[*ststypes.MalformedPolicyDocumentException](err); !ok || e.ErrorMessage() != "Syntax errors in policy." {
		t.Errorf("a modelled error: %#v", err)
	}
	in.RoleSessionName = aws.String("x")
	_, err = c.AssumeRole(ctx, in)
	refusedAs(t, err, "ValidationError", "Value 'x' at 'roleSessionName' failed to satisfy constraint: Member must have length greater than or equal to 2")
	_, err = c.GetSessionToken(ctx, nil)
	refusedAs(t, err, "AccessDenied", "Cannot call")
	_, err = c.GetFederationToken(ctx, &sdksts.GetFederationTokenInput{Name: aws.String("name")})
	refusedAs(t, err, "InvalidAction", "not implemented")
}

type principals struct{}

func (principals) CreateRole(_ context.Context, in *iam.CreateRoleInput) (*iam.CreateRoleOutput, error) {
	if in.RoleName == "taken" {
		return nil, iam.EntityAlreadyExistsException("Role with name taken already exists.")
	}
	return &iam.CreateRoleOutput{Role: &iam.Role{
		Path: "/", RoleName: in.RoleName, RoleId: "AROA", Arn: roleARN, CreateDate: instant, AssumeRolePolicyDocument: new(url.QueryEscape(in.AssumeRolePolicyDocument)), Tags: in.Tags,
	}}, nil
}

func (principals) ListRoles(context.Context, *iam.ListRolesInput) (*iam.ListRolesOutput, error) {
	return &iam.ListRolesOutput{IsTruncated: new(true), Marker: new("next")}, nil
}

func (principals) DeleteRole(context.Context, *iam.DeleteRoleInput) (*iam.DeleteRoleOutput, error) {
	return nil, nil
}

func (principals) GetRole(context.Context, *iam.GetRoleInput) (*iam.GetRoleOutput, error) {
	return nil, iam.NoSuchEntityException("The role cannot be found.")
}

func TestIAMByItsClient(t *testing.T) {
	cfg, _ := client(t, implementations{iam: principals{}})
	c := sdkiam.NewFromConfig(cfg)
	const trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"111111111111"}}]}`
	in := &sdkiam.CreateRoleInput{RoleName: aws.String("app"), AssumeRolePolicyDocument: aws.String(trust), Tags: []iamtypes.Tag{{Key: aws.String("k"), Value: aws.String("v")}}}
	out, err := c.CreateRole(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := url.QueryUnescape(aws.ToString(out.Role.AssumeRolePolicyDocument)); got != trust || !aws.ToTime(out.Role.CreateDate).Equal(instant) || len(out.Role.Tags) != 1 {
		t.Errorf("role: %+v", out.Role)
	}
	if list, err := c.ListRoles(ctx, nil); err != nil || list.Roles == nil || len(list.Roles) != 0 || !list.IsTruncated || aws.ToString(list.Marker) != "next" {
		t.Errorf("a required list that is empty: %+v, %v", list, err)
	}
	if _, err := c.DeleteRole(ctx, &sdkiam.DeleteRoleInput{RoleName: aws.String("app")}); err != nil {
		t.Errorf("an operation without output: %v", err)
	}

	in.RoleName = aws.String("taken")
	_, err = c.CreateRole(ctx, in)
	if e, ok := errors.AsType[*iamtypes.EntityAlreadyExistsException](err); !ok || e.ErrorMessage() != "Role with name taken already exists." {
		t.Errorf("a modelled error: %#v", err)
	}
	_, err = c.GetRole(ctx, &sdkiam.GetRoleInput{RoleName: aws.String("nobody")})
	if _, ok := errors.AsType[*iamtypes.NoSuchEntityException](err); !ok {
		t.Errorf("a modelled error: %#v", err)
	}
	in.RoleName = aws.String("no spaces allowed")
	_, err = c.CreateRole(ctx, in)
	refusedAs(t, err, "ValidationError", "at 'roleName'")
	_, err = c.CreateUser(ctx, &sdkiam.CreateUserInput{UserName: aws.String("u")})
	refusedAs(t, err, "InvalidAction", "CreateUser")
}
