package center

import (
	"context"

	"github.com/lakegate/lakegate/internal/api/ssoadmin"
)

// providers are where applications come from, in the order of their ARNs.
func providers() []ssoadmin.ApplicationProvider {
	return []ssoadmin.ApplicationProvider{
		{
			ApplicationProviderArn: ProviderCustom, FederationProtocol: new(ssoadmin.FederationProtocolOAUTH),
			DisplayData: &ssoadmin.DisplayData{DisplayName: new("Custom application"), Description: new("An OAuth 2.0 application of your own")},
		},
		{
			ApplicationProviderArn: ProviderAccessGrants, FederationProtocol: new(ssoadmin.FederationProtocolOAUTH),
			DisplayData: &ssoadmin.DisplayData{DisplayName: new("S3 Access Grants"), Description: new("An access grants instance, made when it is associated with an instance")},
			ResourceServerConfig: &ssoadmin.ResourceServerConfig{Scopes: map[string]ssoadmin.ResourceServerScopeDetails{
				"s3:access_grants:read_write": {DetailedTitle: new("Access to objects"), LongDescription: new("Ask for access to objects as the access grants of the person allow")},
			}},
		},
	}
}

// ListApplicationProviders lists the application providers.
func (s *Service) ListApplicationProviders(ctx context.Context, in *ssoadmin.ListApplicationProvidersInput) (*ssoadmin.ListApplicationProvidersOutput, error) {
	if err := s.authorize(ctx, question{op: "ListApplicationProviders", resources: []string{anyResource}}); err != nil {
		return nil, err
	}
	shown, next, err := page("providers", providers(), func(p ssoadmin.ApplicationProvider) string { return p.ApplicationProviderArn }, in.MaxResults, maxPage, in.NextToken)
	if err != nil {
		return nil, err
	}
	return &ssoadmin.ListApplicationProvidersOutput{ApplicationProviders: shown, NextToken: next}, nil
}

// DescribeApplicationProvider describes an application provider.
func (s *Service) DescribeApplicationProvider(ctx context.Context, in *ssoadmin.DescribeApplicationProviderInput) (*ssoadmin.DescribeApplicationProviderOutput, error) {
	if err := s.authorize(ctx, question{op: "DescribeApplicationProvider", resources: []string{in.ApplicationProviderArn}}); err != nil {
		return nil, err
	}
	for _, p := range providers() {
		if p.ApplicationProviderArn == in.ApplicationProviderArn {
			out := ssoadmin.DescribeApplicationProviderOutput(p)
			return &out, nil
		}
	}
	return nil, ssoadmin.ResourceNotFoundException("Could not find application provider with ARN " + in.ApplicationProviderArn)
}
