package demo

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin/document"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin/types"
)

const issuerName = "DevelopmentIdentityProvider"

// trustIssuer is done by the account that owns the instance: only it may say whose tokens are accepted.
func (s *seeder) trustIssuer(ctx context.Context) error {
	list, err := s.center.center.ListTrustedTokenIssuers(ctx, &ssoadmin.ListTrustedTokenIssuersInput{InstanceArn: &s.InstanceARN})
	if err != nil {
		return err
	}
	for _, i := range list.TrustedTokenIssuers {
		if aws.ToString(i.Name) == issuerName {
			s.issuerARN = aws.ToString(i.TrustedTokenIssuerArn)
			return nil
		}
	}
	out, err := s.center.center.CreateTrustedTokenIssuer(ctx, &ssoadmin.CreateTrustedTokenIssuerInput{
		InstanceArn: &s.InstanceARN, Name: aws.String(issuerName), TrustedTokenIssuerType: types.TrustedTokenIssuerTypeOidcJwt,
		TrustedTokenIssuerConfiguration: &types.TrustedTokenIssuerConfigurationMemberOidcJwtConfiguration{Value: types.OidcJwtConfiguration{
			IssuerUrl: &s.Issuer, ClaimAttributePath: aws.String("oid"), IdentityStoreAttributePath: aws.String("externalId"),
			JwksRetrievalOption: types.JwksRetrievalOptionOpenIdDiscovery,
		}},
	})
	if err != nil {
		return err
	}
	s.issuerARN = aws.ToString(out.TrustedTokenIssuerArn)
	return nil
}

// registerApplication is done by the application's account, as any member of the organization may.
func (s *seeder) registerApplication(ctx context.Context) error {
	list, err := s.data.center.ListApplications(ctx, &ssoadmin.ListApplicationsInput{
		InstanceArn: &s.InstanceARN, Filter: &types.ListApplicationsFilter{ApplicationAccount: aws.String(DataAccount)},
	})
	if err != nil {
		return err
	}
	for _, a := range list.Applications {
		if aws.ToString(a.Name) == ApplicationName {
			s.applicationARN = aws.ToString(a.ApplicationArn)
		}
	}
	if s.applicationARN == "" {
		out, err := s.data.center.CreateApplication(ctx, &ssoadmin.CreateApplicationInput{
			InstanceArn: &s.InstanceARN, Name: aws.String(ApplicationName), Description: aws.String("Sales by product, for project groups"),
			ApplicationProviderArn: aws.String("arn:aws:sso::aws:applicationProvider/custom"),
		})
		if err != nil {
			return err
		}
		s.applicationARN = aws.ToString(out.ApplicationArn)
	}
	return run(ctx, []step{
		{"assignment configuration", func(ctx context.Context) error {
			_, err := s.data.center.PutApplicationAssignmentConfiguration(ctx, &ssoadmin.PutApplicationAssignmentConfigurationInput{ApplicationArn: &s.applicationARN, AssignmentRequired: aws.Bool(false)})
			return err
		}},
		{"grant", func(ctx context.Context) error {
			_, err := s.data.center.PutApplicationGrant(ctx, &ssoadmin.PutApplicationGrantInput{
				ApplicationArn: &s.applicationARN, GrantType: types.GrantTypeJwtBearer,
				Grant: &types.GrantMemberJwtBearer{Value: types.JwtBearerGrant{AuthorizedTokenIssuers: []types.AuthorizedTokenIssuer{
					{TrustedTokenIssuerArn: &s.issuerARN, AuthorizedAudiences: []string{s.Audience}},
				}}},
			})
			return err
		}},
		{"scope", func(ctx context.Context) error {
			_, err := s.data.center.PutApplicationAccessScope(ctx, &ssoadmin.PutApplicationAccessScopeInput{ApplicationArn: &s.applicationARN, Scope: aws.String("s3:access_grants:read_write")})
			return err
		}},
	})
}

// authenticateApplication says which role may exchange tokens for the application.
func (s *seeder) authenticateApplication(ctx context.Context) error {
	actor := map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{
		"Effect": "Allow", "Principal": map[string]any{"AWS": DataAccount}, "Action": "sso-oauth:CreateTokenWithIAM", "Resource": s.applicationARN,
		"Condition": map[string]any{"ArnEquals": map[string]any{"aws:PrincipalArn": s.roleARN(applicationRole)}},
	}}}
	_, err := s.data.center.PutApplicationAuthenticationMethod(ctx, &ssoadmin.PutApplicationAuthenticationMethodInput{
		ApplicationArn: &s.applicationARN, AuthenticationMethodType: types.AuthenticationMethodTypeIam,
		AuthenticationMethod: &types.AuthenticationMethodMemberIam{Value: types.IamAuthenticationMethod{ActorPolicy: document.NewLazyDocument(actor)}},
	})
	return err
}
