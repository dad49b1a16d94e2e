package api_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdks3control "github.com/aws/aws-sdk-go-v2/service/s3control"
	s3controltypes "github.com/aws/aws-sdk-go-v2/service/s3control/types"
	sdksso "github.com/aws/aws-sdk-go-v2/service/sso"
	ssotypes "github.com/aws/aws-sdk-go-v2/service/sso/types"
	sdkssooidc "github.com/aws/aws-sdk-go-v2/service/ssooidc"
	ssooidctypes "github.com/aws/aws-sdk-go-v2/service/ssooidc/types"
	"github.com/google/go-cmp/cmp"

	"github.com/lakegate/lakegate/internal/api/s3control"
	"github.com/lakegate/lakegate/internal/api/sso"
	"github.com/lakegate/lakegate/internal/api/ssooidc"
	"github.com/lakegate/lakegate/internal/wire"
)

type tokens struct{ t *testing.T }

func (s tokens) CreateTokenWithIAM(_ context.Context, in *ssooidc.CreateTokenWithIAMInput) (*ssooidc.CreateTokenWithIAMOutput, error) {
	if *in.Assertion == "expired" {
		return nil, ssooidc.InvalidGrantException("The token is expired.")
	}
	want := &ssooidc.CreateTokenWithIAMInput{
		ClientId: applicationARN, GrantType: "urn:ietf:params:oauth:grant-type:jwt-bearer", Assertion: new("a.b.c"), Scope: []string{"openid", "sts:identity_context"},
	}
	if diff := cmp.Diff(want, in); diff != "" {
		s.t.Errorf("input (-want +got):\n%s", diff)
	}
	return &ssooidc.CreateTokenWithIAMOutput{
		IdToken: new("d.e.f"), TokenType: new("Bearer"), ExpiresIn: new(3600), Scope: []string{}, AwsAdditionalDetails: &ssooidc.AwsAdditionalDetails{IdentityContext: new("context")},
	}, nil
}

// Without a token there is no Authorization header, and the path alone names the operation.
func (tokens) RegisterClient(context.Context, *ssooidc.RegisterClientInput) (*ssooidc.RegisterClientOutput, error) {
	return &ssooidc.RegisterClientOutput{ClientId: new("client"), ClientSecretExpiresAt: new(int64(0))}, nil
}

func TestTokensByTheirClient(t *testing.T) {
	cfg, _ := client(t, implementations{ssooidc: tokens{t}})
	c := sdkssooidc.NewFromConfig(cfg)
	in := &sdkssooidc.CreateTokenWithIAMInput{
		ClientId: aws.String(applicationARN), GrantType: aws.String("urn:ietf:params:oauth:grant-type:jwt-bearer"), Assertion: aws.String("a.b.c"), Scope: []string{"openid", "sts:identity_context"},
	}
	out, err := c.CreateTokenWithIAM(ctx, in)
	if err != nil || aws.ToString(out.IdToken) != "d.e.f" || out.ExpiresIn != 3600 || aws.ToString(out.AwsAdditionalDetails.IdentityContext) != "context" {
		t.Errorf("exchange: %+v, %v", out, err)
	}
	if out, err := c.RegisterClient(ctx, &sdkssooidc.RegisterClientInput{ClientName: aws.String("c"), ClientType: aws.String("public")}); err != nil || aws.ToString(out.ClientId) != "client" {
		t.Errorf("an unsigned request: %+v, %v", out, err)
	}

	in.Assertion = aws.String("expired")
	_, err = c.CreateTokenWithIAM(ctx, in)
	if e, ok := errors.AsType[*ssooidctypes.InvalidGrantException](err); !ok || aws.ToString(e.Error_) != "invalid_grant" || aws.ToString(e.Error_description) != "The token is expired." {
		t.Errorf("a modelled error: %#v", err)
	}
	_, err = c.StartDeviceAuthorization(ctx, &sdkssooidc.StartDeviceAuthorizationInput{ClientId: aws.String("c"), ClientSecret: aws.String("s"), StartUrl: aws.String("https://x")})
	refusedAs(t, err, "UnknownOperationException", "")
}

type portal struct{ t *testing.T }

func (p portal) GetRoleCredentials(_ context.Context, in *sso.GetRoleCredentialsInput) (*sso.GetRoleCredentialsOutput, error) {
	if in.AccessToken != "bearer" {
		return nil, sso.UnauthorizedException("Session token not found or invalid")
	}
	if in.RoleName != "Read Only+" || in.AccountId != "111111111111" {
		p.t.Errorf("input %+v", in)
	}
	return &sso.GetRoleCredentialsOutput{RoleCredentials: &sso.RoleCredentials{AccessKeyId: new("ASIA"), Expiration: new(instant.UnixMilli())}}, nil
}

func TestPortalByItsClient(t *testing.T) {
	cfg, _ := client(t, implementations{sso: portal{t}})
	c := sdksso.NewFromConfig(cfg)
	in := &sdksso.GetRoleCredentialsInput{AccessToken: aws.String("bearer"), AccountId: aws.String("111111111111"), RoleName: aws.String("Read Only+")}
	out, err := c.GetRoleCredentials(ctx, in)
	if err != nil || aws.ToString(out.RoleCredentials.AccessKeyId) != "ASIA" || out.RoleCredentials.Expiration != instant.UnixMilli() {
		t.Errorf("credentials: %+v, %v", out, err)
	}
	in.AccessToken = aws.String("forged")
	_, err = c.GetRoleCredentials(ctx, in)
	if e, ok := errors.AsType[*ssotypes.UnauthorizedException](err); !ok || e.ErrorMessage() != "Session token not found or invalid" {
		t.Errorf("a modelled error: %#v", err)
	}
	_, err = c.ListAccounts(ctx, &sdksso.ListAccountsInput{AccessToken: aws.String("forged"), MaxResults: aws.Int32(101)})
	if e, ok := errors.AsType[*ssotypes.InvalidRequestException](err); !ok || !strings.Contains(e.ErrorMessage(), "'maxResults'") {
		t.Errorf("a broken constraint: %v", err)
	}
}

const grantARN = "arn:aws:s3:us-east-1:111111111111:access-grants/default/grant/11111111-2222-3333-4444-555555555555"

type lake struct{ t *testing.T }

func (l lake) GetDataAccess(_ context.Context, in *s3control.GetDataAccessInput) (*s3control.GetDataAccessOutput, error) {
	if strings.HasSuffix(in.Target, "blue/*") {
		return nil, wire.AccessDenied("You do not have READ permissions to the requested S3 Prefix: " + in.Target)
	}
	want := &s3control.GetDataAccessInput{
		AccountId: "111111111111", Target: "s3://sales/red tomatoes+é&x=1/*", Permission: s3control.PermissionREAD, DurationSeconds: new(900), Privilege: new(s3control.PrivilegeMinimal),
	}
	if diff := cmp.Diff(want, in); diff != "" {
		l.t.Errorf("input (-want +got):\n%s", diff)
	}
	return &s3control.GetDataAccessOutput{
		Credentials:        &s3control.Credentials{AccessKeyId: new("ASIA"), SecretAccessKey: new("s/+="), SessionToken: new("t"), Expiration: &instant},
		MatchedGrantTarget: &in.Target, Grantee: &s3control.Grantee{GranteeType: new(s3control.GranteeTypeDIRECTORYGROUP), GranteeIdentifier: new(personID)},
	}, nil
}

func (l lake) CreateAccessGrant(_ context.Context, in *s3control.CreateAccessGrantInput) (*s3control.CreateAccessGrantOutput, error) {
	want := &s3control.CreateAccessGrantInput{
		AccountId: "111111111111", AccessGrantsLocationId: "default", AccessGrantsLocationConfiguration: &s3control.AccessGrantsLocationConfiguration{S3SubPrefix: new("red & <blue>/*")},
		Grantee:    &s3control.Grantee{GranteeType: new(s3control.GranteeTypeIAM), GranteeIdentifier: new("arn:aws:iam::111111111111:role/reader")},
		Permission: s3control.PermissionREADWRITE, Tags: []s3control.Tag{{Key: "a", Value: "b"}, {Key: "c", Value: ""}},
	}
	if diff := cmp.Diff(want, in); diff != "" {
		l.t.Errorf("input (-want +got):\n%s", diff)
	}
	return &s3control.CreateAccessGrantOutput{AccessGrantArn: new(grantARN), CreatedAt: &instant}, nil
}

func (lake) CreateAccessGrantsInstance(_ context.Context, in *s3control.CreateAccessGrantsInstanceInput) (*s3control.CreateAccessGrantsInstanceOutput, error) {
	if in.IdentityCenterArn == nil && in.Tags == nil {
		return &s3control.CreateAccessGrantsInstanceOutput{AccessGrantsInstanceId: new("default")}, nil
	}
	return nil, wire.NewError("AccessGrantsInstanceAlreadyExists", 409, "Access Grants Instance already exists")
}

func (lake) ListAccessGrants(_ context.Context, in *s3control.ListAccessGrantsInput) (*s3control.ListAccessGrantsOutput, error) {
	if in.GrantScope != nil {
		return &s3control.ListAccessGrantsOutput{AccessGrantsList: []s3control.ListAccessGrantEntry{}}, nil
	}
	return &s3control.ListAccessGrantsOutput{NextToken: new("n<>&"), AccessGrantsList: []s3control.ListAccessGrantEntry{
		{AccessGrantArn: new(grantARN), CreatedAt: &instant, GrantScope: new("s3://sales/red/*")}, {AccessGrantId: new("second")},
	}}, nil
}

func (l lake) TagResource(_ context.Context, in *s3control.TagResourceInput) (*s3control.TagResourceOutput, error) {
	want := &s3control.TagResourceInput{AccountId: "111111111111", ResourceArn: grantARN, Tags: []s3control.Tag{{Key: "k", Value: "v"}}}
	if diff := cmp.Diff(want, in); diff != "" {
		l.t.Errorf("input (-want +got):\n%s", diff)
	}
	return &s3control.TagResourceOutput{}, nil
}

func (l lake) UntagResource(_ context.Context, in *s3control.UntagResourceInput) (*s3control.UntagResourceOutput, error) {
	want := &s3control.UntagResourceInput{AccountId: "111111111111", ResourceArn: grantARN, TagKeys: []string{"a b+c", "d/é"}}
	if diff := cmp.Diff(want, in); diff != "" {
		l.t.Errorf("input (-want +got):\n%s", diff)
	}
	return nil, nil
}

func (lake) DeleteAccessGrantsInstance(context.Context, *s3control.DeleteAccessGrantsInstanceInput) (*s3control.DeleteAccessGrantsInstanceOutput, error) {
	return nil, errors.New("disk on fire at /var/lib/lakegate")
}

func TestAccessGrantsByTheirClient(t *testing.T) {
	cfg, _ := client(t, implementations{s3control: lake{t}})
	c := sdks3control.NewFromConfig(cfg)
	account := aws.String("111111111111")

	in := &sdks3control.GetDataAccessInput{
		AccountId: account, Target: aws.String("s3://sales/red tomatoes+é&x=1/*"), Permission: s3controltypes.PermissionRead, DurationSeconds: aws.Int32(900), Privilege: s3controltypes.PrivilegeMinimal,
	}
	out, err := c.GetDataAccess(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	if got := out.Credentials; aws.ToString(got.SecretAccessKey) != "s/+=" || !aws.ToTime(got.Expiration).Equal(instant) || aws.ToString(out.MatchedGrantTarget) != *in.Target ||
		out.Grantee.GranteeType != s3controltypes.GranteeTypeDirectoryGroup {
		t.Errorf("data access: %+v", out)
	}
	created, err := c.CreateAccessGrant(ctx, &sdks3control.CreateAccessGrantInput{
		AccountId: account, AccessGrantsLocationId: aws.String("default"), AccessGrantsLocationConfiguration: &s3controltypes.AccessGrantsLocationConfiguration{S3SubPrefix: aws.String("red & <blue>/*")},
		Grantee:    &s3controltypes.Grantee{GranteeType: s3controltypes.GranteeTypeIam, GranteeIdentifier: aws.String("arn:aws:iam::111111111111:role/reader")},
		Permission: s3controltypes.PermissionReadwrite, Tags: []s3controltypes.Tag{{Key: aws.String("a"), Value: aws.String("b")}, {Key: aws.String("c"), Value: aws.String("")}},
	})
	if err != nil || aws.ToString(created.AccessGrantArn) != grantARN || !aws.ToTime(created.CreatedAt).Equal(instant) {
		t.Errorf("create: %+v, %v", created, err)
	}
	if instance, err := c.CreateAccessGrantsInstance(ctx, &sdks3control.CreateAccessGrantsInstanceInput{AccountId: account}); err != nil || aws.ToString(instance.AccessGrantsInstanceId) != "default" {
		t.Errorf("a request without members: %+v, %v", instance, err)
	}
	list, err := c.ListAccessGrants(ctx, &sdks3control.ListAccessGrantsInput{AccountId: account})
	if err != nil || len(list.AccessGrantsList) != 2 || aws.ToString(list.NextToken) != "n<>&" || aws.ToString(list.AccessGrantsList[1].AccessGrantId) != "second" {
		t.Errorf("list: %+v, %v", list, err)
	}
	list, err = c.ListAccessGrants(ctx, &sdks3control.ListAccessGrantsInput{AccountId: account, GrantScope: aws.String("s3://none/*")})
	if err != nil || len(list.AccessGrantsList) != 0 {
		t.Errorf("an empty list: %+v, %v", list, err)
	}
	if _, err := c.TagResource(ctx, &sdks3control.TagResourceInput{AccountId: account, ResourceArn: aws.String(grantARN), Tags: []s3controltypes.Tag{{Key: aws.String("k"), Value: aws.String("v")}}}); err != nil {
		t.Errorf("an ARN in the path, no body in the answer: %v", err)
	}
	if _, err := c.UntagResource(ctx, &sdks3control.UntagResourceInput{AccountId: account, ResourceArn: aws.String(grantARN), TagKeys: []string{"a b+c", "d/é"}}); err != nil {
		t.Errorf("a list in the query: %v", err)
	}

	in.Target = aws.String("s3://sales/blue/*")
	_, err = c.GetDataAccess(ctx, in)
	refusedAs(t, err, "AccessDenied", "READ permissions to the requested S3 Prefix: s3://sales/blue/*")
	_, err = c.CreateAccessGrantsInstance(ctx, &sdks3control.CreateAccessGrantsInstanceInput{AccountId: account, IdentityCenterArn: aws.String(instanceARN)})
	refusedAs(t, err, "AccessGrantsInstanceAlreadyExists", "already exists")
	in.Permission = "EVERYTHING"
	_, err = c.GetDataAccess(ctx, in)
	refusedAs(t, err, "InvalidRequest", "at 'permission' failed to satisfy constraint: Member must satisfy enum value set: [READ, WRITE, READWRITE]")
	_, err = c.GetAccessGrant(ctx, &sdks3control.GetAccessGrantInput{AccountId: account, AccessGrantId: aws.String(personID)})
	refusedAs(t, err, "NotImplemented", "GetAccessGrant")
	_, err = c.DeleteAccessGrantsInstance(ctx, &sdks3control.DeleteAccessGrantsInstanceInput{AccountId: account})
	refusedAs(t, err, "InternalError", "")
	if strings.Contains(err.Error(), "/var/lib") {
		t.Errorf("the cause reached the client: %v", err)
	}
}
