package center_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lakegate/lakegate/internal/api/ssoadmin"
	"github.com/lakegate/lakegate/internal/authz"
	"github.com/lakegate/lakegate/internal/center"
	"github.com/lakegate/lakegate/internal/center/centertest"
)

func TestGrants(t *testing.T) {
	h := centertest.New(t)
	ctx := h.As(t.Context(), member, "Admin")
	issuer, app := createIssuer(t, h, "https://login.example.com"), createApplication(t, h, member, "App")
	all := map[string]*ssoadmin.Grant{
		center.GrantAuthorizationCode: {AuthorizationCode: &ssoadmin.AuthorizationCodeGrant{RedirectUris: []string{"https://app.example.com/callback"}}},
		center.GrantRefreshToken:      {RefreshToken: &ssoadmin.RefreshTokenGrant{}},
		center.GrantTokenExchange:     {TokenExchange: &ssoadmin.TokenExchangeGrant{}},
		center.GrantJWTBearer:         jwtBearer(issuer, "one", "two"),
	}
	for kind, g := range all {
		for other, x := range all {
			if kind != other {
				wantCode(t, putGrant(ctx, h, app, kind, x), "ValidationException")
			}
		}
		wantCode(t, putGrant(ctx, h, app, kind, g), "")
		got := must[*ssoadmin.GetApplicationGrantOutput](t)(h.Service.GetApplicationGrant(ctx, &ssoadmin.GetApplicationGrantInput{ApplicationArn: app, GrantType: ssoadmin.GrantType(kind)}))
		if diff := cmp.Diff(g, got.Grant); diff != "" {
			t.Errorf("%s (-want +got):\n%s", kind, diff)
		}
	}
	list := must[*ssoadmin.ListApplicationGrantsOutput](t)(h.Service.ListApplicationGrants(ctx, &ssoadmin.ListApplicationGrantsInput{ApplicationArn: app}))
	if len(list.Grants) != 4 || list.NextToken != nil {
		t.Errorf("grants %+v", list)
	}

	gone := strings.Replace(issuer, "/tti-", "/tti-0", 1)
	wantCode(t, putGrant(ctx, h, app, center.GrantJWTBearer, jwtBearer(gone, "aud")), "ResourceNotFoundException")
	wantCode(t, putGrant(ctx, h, app, center.GrantJWTBearer, &ssoadmin.Grant{JwtBearer: &ssoadmin.JwtBearerGrant{AuthorizedTokenIssuers: []ssoadmin.AuthorizedTokenIssuer{{}}}}), "ValidationException")
	own := must[*ssoadmin.CreateInstanceOutput](t)(h.Service.CreateInstance(ctx, &ssoadmin.CreateInstanceInput{}))
	foreign := must[*ssoadmin.CreateTrustedTokenIssuerOutput](t)(h.Service.CreateTrustedTokenIssuer(ctx, issuerInput(*own.InstanceArn, "https://login.example.com")))
	wantCode(t, putGrant(ctx, h, app, center.GrantJWTBearer, jwtBearer(*foreign.TrustedTokenIssuerArn, "aud")), "ValidationException")
	a, _ := h.Center.Application(app)
	if got := a.Grants[center.GrantJWTBearer].Issuers; len(got) != 1 || got[0].ARN != issuer {
		t.Errorf("a refused change was done: %+v", got)
	}
}

func TestScopes(t *testing.T) {
	h := centertest.WithQuotas(t, center.Quotas{Scopes: 12})
	ctx := h.As(t.Context(), member, "Admin")
	app := createApplication(t, h, member, "App")
	wantCode(t, putScope(ctx, h, app, "a:limited", app, h.Instance.ARN), "")
	wantCode(t, putScope(ctx, h, app, "a:x", strings.Replace(app, "/apl-", "/apl-x", 1)), "ResourceNotFoundException")
	wantCode(t, putScope(ctx, h, app, "a:x", "arn:aws:sso:::instance/ssoins-0000000000000000"), "ValidationException")
	want := []string{"a:limited"}
	for i := range 11 {
		name := fmt.Sprintf("s:%02d", i)
		want = append(want, name)
		wantCode(t, putScope(ctx, h, app, name), "")
	}
	wantCode(t, putScope(ctx, h, app, "s:99"), "ValidationException")
	wantCode(t, putScope(ctx, h, app, "s:00", app), "") // what is there can change
	got := must[*ssoadmin.GetApplicationAccessScopeOutput](t)(h.Service.GetApplicationAccessScope(ctx, &ssoadmin.GetApplicationAccessScopeInput{ApplicationArn: app, Scope: "a:limited"}))
	if diff := cmp.Diff([]string{app, h.Instance.ARN}, got.AuthorizedTargets); diff != "" {
		t.Error(diff)
	}
	var names []string
	var pages int
	for token := (*string)(nil); pages == 0 || token != nil; pages++ {
		out := must[*ssoadmin.ListApplicationAccessScopesOutput](t)(h.Service.ListApplicationAccessScopes(ctx, &ssoadmin.ListApplicationAccessScopesInput{ApplicationArn: app, NextToken: token}))
		if len(out.Scopes) > 10 {
			t.Fatalf("a page of %d", len(out.Scopes))
		}
		for _, s := range out.Scopes {
			names = append(names, s.Scope)
		}
		token = out.NextToken
	}
	if diff := cmp.Diff(want, names); diff != "" || pages != 2 {
		t.Errorf("%d pages: %s", pages, diff)
	}
}

func TestActorPolicies(t *testing.T) {
	h := centertest.New(t)
	ctx := h.As(t.Context(), member, "Admin")
	app := createApplication(t, h, member, "App")
	h.Accounts.Role(member, "ApplicationRole", "")
	for name, text := range map[string]string{
		"not a policy":        `{}`,
		"a text":              `"policy"`,
		"no principal":        `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sso-oauth:CreateTokenWithIAM","Resource":"*"}}`,
		"no resource":         `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":"sso-oauth:CreateTokenWithIAM"}}`,
		"old version":         `{"Version":"2008-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":"sso-oauth:CreateTokenWithIAM","Resource":"*"}}`,
		"foreign action":      `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":"s3:GetObject","Resource":"*"}}`,
		"nobody's role":       `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:role/Nobody"},"Action":"sso-oauth:CreateTokenWithIAM","Resource":"*"}}`,
		"duplicate":           `{"Version":"2012-10-17","Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":"sso-oauth:CreateTokenWithIAM","Resource":"*"}}`,
		"unknown element":     `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":"sso-oauth:CreateTokenWithIAM","Resource":"*","X":1}}`,
		"condition not there": `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":"sso-oauth:CreateTokenWithIAM","Resource":"*","Condition":{"Nearly":{"a":"b"}}}}`,
	} {
		err := putMethod(ctx, h, app, text)
		wantCode(t, err, "ValidationException")
		if !strings.HasPrefix(message(err), "Invalid actor policy provided") {
			t.Errorf("%s: %q", name, message(err))
		}
	}
	for _, text := range []string{actorPolicy, namingRole} {
		wantCode(t, putMethod(ctx, h, app, text), "")
		got := must[*ssoadmin.GetApplicationAuthenticationMethodOutput](t)(h.Service.GetApplicationAuthenticationMethod(ctx, &ssoadmin.GetApplicationAuthenticationMethodInput{ApplicationArn: app, AuthenticationMethodType: "IAM"}))
		if diff := cmp.Diff(text, string(got.AuthenticationMethod.Iam.ActorPolicy)); diff != "" {
			t.Error(diff)
		}
		list := must[*ssoadmin.ListApplicationAuthenticationMethodsOutput](t)(h.Service.ListApplicationAuthenticationMethods(ctx, &ssoadmin.ListApplicationAuthenticationMethodsInput{ApplicationArn: app}))
		if len(list.AuthenticationMethods) != 1 || string(list.AuthenticationMethods[0].AuthenticationMethod.Iam.ActorPolicy) != text {
			t.Errorf("methods %+v", list)
		}
	}
}

const namingRole = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["arn:aws:iam::111111111111:role/ApplicationRole"]},
"Action":"sso-oauth:*","Resource":"*","Condition":{"NumericLessThan":{"aws:EpochTime":99999999999999999999}}}]}`

// Somebody who makes a role anew under the name in an actor policy is not the role that was meant.
func TestRoleMadeAgainIsAnother(t *testing.T) {
	h := centertest.New(t)
	admin := h.As(t.Context(), member, "Admin")
	app := createApplication(t, h, member, "App")
	h.Accounts.Role(member, "ApplicationRole", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`)
	wantCode(t, putMethod(admin, h, app, namingRole), "")
	may := func() bool {
		a, _ := h.Center.Application(app)
		return h.Authorizer.Authorize(h.As(t.Context(), member, "ApplicationRole"), authz.Request{
			Action: "sso-oauth:CreateTokenWithIAM", Resource: app, Account: a.Owner, ResourcePolicy: a.ActorPolicy(), MustAllow: true,
		}) == nil
	}
	if !may() {
		t.Fatal("the role itself may not")
	}
	h.Accounts.Remove(member, "ApplicationRole")
	if h.As(t.Context(), member, "ApplicationRole"); may() {
		t.Error("a role made again under the name may")
	}
	wantCode(t, putMethod(admin, h, app, namingRole), "")
	if !may() {
		t.Error("the new role may not after the policy was saved again")
	}
}

func TestClientTokens(t *testing.T) {
	centertest.Run(t, func(t *testing.T, h *centertest.House) {
		create := func(account, token, name string) (string, error) {
			in := &ssoadmin.CreateApplicationInput{InstanceArn: h.Instance.ARN, ApplicationProviderArn: center.ProviderCustom, Name: name, ClientToken: &token}
			out, err := h.Service.CreateApplication(h.As(t.Context(), account, "Admin"), in)
			if err != nil {
				return "", err
			}
			if in.ClientToken != &token {
				t.Error("the input was changed")
			}
			return *out.ApplicationArn, nil
		}
		first := must[string](t)(create(member, "token", "App"))
		if again := must[string](t)(create(member, "token", "App")); again != first {
			t.Errorf("the same request made %s and %s", first, again)
		}
		_, err := create(member, "token", "Another")
		wantCode(t, err, "ValidationException")
		if !strings.Contains(message(err), "IdempotentParameterMismatch") {
			t.Errorf("message %q", message(err))
		}
		if x := must[string](t)(create(management, "token", "App")); x == first {
			t.Error("another account's token was taken for the same")
		}
		if x := must[string](t)(create(member, "TOKEN", "App")); x == first {
			t.Error("tokens are compared without regard to case")
		}
		_, err = h.Service.DeleteApplication(h.As(t.Context(), member, "Admin"), &ssoadmin.DeleteApplicationInput{ApplicationArn: first})
		wantCode(t, err, "")
		if x := must[string](t)(create(member, "token", "App")); x == first {
			t.Error("the result of a repeated request is gone")
		}
		h.Pass(25 * 60 * 60 * 1e9)
		if _, err := create(member, "token", "Another"); err != nil {
			t.Errorf("a client token is remembered for ever: %v", err)
		}
	})
}

func TestQuotas(t *testing.T) {
	h := centertest.WithQuotas(t, center.Quotas{Issuers: 2, Applications: 2, Groups: 2})
	ctx := h.As(t.Context(), management, "Admin")
	var app string
	for i := range 3 {
		want := ""
		if i == 2 {
			want = "ServiceQuotaExceededException"
		}
		_, err := h.Service.CreateTrustedTokenIssuer(ctx, issuerInput(h.Instance.ARN, "https://x.example.com"))
		wantCode(t, err, want)
		out, err := h.Service.CreateApplication(ctx, &ssoadmin.CreateApplicationInput{InstanceArn: h.Instance.ARN, ApplicationProviderArn: center.ProviderCustom, Name: "App"})
		wantCode(t, err, want)
		if err == nil {
			app = *out.ApplicationArn
		}
	}
	for i := range 3 {
		want := ""
		if i == 2 {
			want = "ServiceQuotaExceededException"
		}
		group := h.Group(t, fmt.Sprintf("group %d", i))
		wantCode(t, assign(ctx, h, app, "GROUP", group), want)
		wantCode(t, assign(ctx, h, app, "USER", h.Person(t, fmt.Sprintf("user%d", i), "")), "")
	}
}

func TestTags(t *testing.T) {
	h := centertest.New(t)
	ctx := h.As(t.Context(), management, "Admin")
	issuer, app := createIssuer(t, h, "https://login.example.com"), createApplication(t, h, management, "App")
	s := h.Service
	for _, resource := range []string{h.Instance.ARN, issuer, app} {
		_, err := s.TagResource(ctx, &ssoadmin.TagResourceInput{ResourceArn: resource, InstanceArn: &h.Instance.ARN, Tags: []ssoadmin.Tag{{Key: "b", Value: "2"}, {Key: "a", Value: "1"}}})
		wantCode(t, err, "")
		_, err = s.TagResource(ctx, &ssoadmin.TagResourceInput{ResourceArn: resource, Tags: []ssoadmin.Tag{{Key: "a", Value: "9"}}})
		wantCode(t, err, "")
		_, err = s.UntagResource(ctx, &ssoadmin.UntagResourceInput{ResourceArn: resource, TagKeys: []string{"b", "never"}})
		wantCode(t, err, "")
		list := must[*ssoadmin.ListTagsForResourceOutput](t)(s.ListTagsForResource(ctx, &ssoadmin.ListTagsForResourceInput{ResourceArn: resource}))
		if diff := cmp.Diff([]ssoadmin.Tag{{Key: "a", Value: "9"}}, list.Tags); diff != "" {
			t.Errorf("%s: %s", resource, diff)
		}
	}
	for _, tags := range [][]ssoadmin.Tag{
		{{Key: "x", Value: "1"}, {Key: "x", Value: "2"}}, {{Key: "aws:x", Value: "1"}}, {{Key: "AWS:x", Value: "1"}}, {{Key: "lakegate:x", Value: "1"}},
	} {
		_, err := s.TagResource(ctx, &ssoadmin.TagResourceInput{ResourceArn: app, Tags: tags})
		wantCode(t, err, "ValidationException")
	}
	var many []ssoadmin.Tag
	for i := range 75 {
		many = append(many, ssoadmin.Tag{Key: fmt.Sprint(i)})
	}
	_, err := s.TagResource(ctx, &ssoadmin.TagResourceInput{ResourceArn: app, Tags: many})
	wantCode(t, err, "ServiceQuotaExceededException")
	_, err = s.TagResource(ctx, &ssoadmin.TagResourceInput{ResourceArn: app, InstanceArn: new("arn:aws:sso:::instance/ssoins-0000000000000000"), Tags: many[:1]})
	wantCode(t, err, "ValidationException")
	_, err = s.UntagResource(ctx, &ssoadmin.UntagResourceInput{ResourceArn: app, TagKeys: []string{"lakegate:x"}})
	wantCode(t, err, "ValidationException")
	_, err = s.ListTagsForResource(ctx, &ssoadmin.ListTagsForResourceInput{ResourceArn: app + "0"})
	wantCode(t, err, "ResourceNotFoundException")
}

// An account's own instance is its own alone, one at a time, and takes everything along when it goes.
func TestAccountInstance(t *testing.T) {
	centertest.Run(t, func(t *testing.T, h *centertest.House) {
		ctx := h.As(t.Context(), member, "Admin")
		_, err := h.Service.CreateInstance(h.As(t.Context(), management, "Admin"), &ssoadmin.CreateInstanceInput{})
		wantCode(t, err, "ValidationException")
		own := *must[*ssoadmin.CreateInstanceOutput](t)(h.Service.CreateInstance(ctx, &ssoadmin.CreateInstanceInput{Name: new("Own"), Tags: []ssoadmin.Tag{{Key: "a", Value: "b"}}})).InstanceArn
		_, err = h.Service.CreateInstance(ctx, &ssoadmin.CreateInstanceInput{})
		wantCode(t, err, "ConflictException")
		i, ok := h.Center.InstanceFor(member)
		if !ok || i.ARN != own || i.Organization || i.Name != "Own" || i.Tags["a"] != "b" {
			t.Fatalf("instance %+v", i)
		}
		if account, ok := h.Directory.StoreAccount(i.StoreID); !ok || account != member {
			t.Errorf("the identity store belongs to %q", account)
		}
		_, err = h.Service.DescribeInstance(h.As(t.Context(), management, "Admin"), &ssoadmin.DescribeInstanceInput{InstanceArn: own})
		wantCode(t, err, "AccessDeniedException")
		seen := must[*ssoadmin.ListInstancesOutput](t)(h.Service.ListInstances(ctx, &ssoadmin.ListInstancesInput{MaxResults: new(1)}))
		rest := must[*ssoadmin.ListInstancesOutput](t)(h.Service.ListInstances(ctx, &ssoadmin.ListInstancesInput{NextToken: seen.NextToken}))
		if len(seen.Instances) != 1 || len(rest.Instances) != 1 || rest.NextToken != nil {
			t.Errorf("instances %v, then %v", seen, rest)
		}
		app := must[*ssoadmin.CreateApplicationOutput](t)(h.Service.CreateApplication(ctx, &ssoadmin.CreateApplicationInput{InstanceArn: own, ApplicationProviderArn: center.ProviderCustom, Name: "App"}))
		tti := must[*ssoadmin.CreateTrustedTokenIssuerOutput](t)(h.Service.CreateTrustedTokenIssuer(ctx, issuerInput(own, "https://login.example.com")))
		wantCode(t, putGrant(ctx, h, *app.ApplicationArn, center.GrantJWTBearer, jwtBearer(*tti.TrustedTokenIssuerArn, "aud")), "")
		must[*ssoadmin.DeleteInstanceOutput](t)(h.Service.DeleteInstance(ctx, &ssoadmin.DeleteInstanceInput{InstanceArn: own}))
		_, inside := h.Center.Application(*app.ApplicationArn)
		_, issuer := h.Center.Issuer(*tti.TrustedTokenIssuerArn)
		_, people := h.Directory.StoreAccount(i.StoreID)
		if _, ok := h.Center.Instance(own); ok || inside || issuer || people {
			t.Error("something of the instance is left")
		}
		must[*ssoadmin.CreateInstanceOutput](t)(h.Service.CreateInstance(ctx, &ssoadmin.CreateInstanceInput{}))
	})
}

// What a service made for itself shows in lists, and people cannot change it.
func TestServiceApplications(t *testing.T) {
	h := centertest.New(t)
	ctx := h.As(t.Context(), member, "Admin")
	app, err := h.Center.CreateServiceApplication(t.Context(), h.Instance.ARN, member, "access grants")
	if err != nil {
		t.Fatal(err)
	}
	list := must[*ssoadmin.ListApplicationsOutput](t)(h.Service.ListApplications(ctx, &ssoadmin.ListApplicationsInput{
		InstanceArn: h.Instance.ARN, Filter: &ssoadmin.ListApplicationsFilter{ApplicationAccount: new(member), ApplicationProvider: new(center.ProviderAccessGrants)},
	}))
	if len(list.Applications) != 1 || *list.Applications[0].ApplicationArn != app || !h.Center.ApplicationEnabled(app) {
		t.Errorf("applications %+v", list.Applications)
	}
	_, err = h.Service.DeleteApplication(ctx, &ssoadmin.DeleteApplicationInput{ApplicationArn: app})
	wantCode(t, err, "ValidationException")
	wantCode(t, putMethod(ctx, h, app, actorPolicy), "ValidationException")
	_, err = h.Service.CreateApplication(ctx, &ssoadmin.CreateApplicationInput{InstanceArn: h.Instance.ARN, ApplicationProviderArn: center.ProviderAccessGrants, Name: "x"})
	wantCode(t, err, "ValidationException")
	if want := "The application provider with arn '" + center.ProviderAccessGrants + "' is not supported for this action."; message(err) != want {
		t.Errorf("%q, want %q", message(err), want)
	}
	custom := createApplication(t, h, member, "App")
	if h.Center.DeleteServiceApplication(t.Context(), custom) == nil {
		t.Error("a service deleted somebody's application")
	}
	for range 2 {
		if err := h.Center.DeleteServiceApplication(t.Context(), app); err != nil {
			t.Error(err)
		}
	}
	if _, ok := h.Center.Application(app); ok {
		t.Error("the application is still there")
	}
	if _, err := h.Center.CreateServiceApplication(t.Context(), "arn:aws:sso:::instance/ssoins-0000000000000000", member, "x"); err == nil {
		t.Error("an application of no instance")
	}
}

func TestProviders(t *testing.T) {
	h := centertest.New(t)
	ctx := h.As(t.Context(), member, "Admin")
	list := must[*ssoadmin.ListApplicationProvidersOutput](t)(h.Service.ListApplicationProviders(ctx, &ssoadmin.ListApplicationProvidersInput{}))
	if !slices.IsSortedFunc(list.ApplicationProviders, func(a, b ssoadmin.ApplicationProvider) int {
		return strings.Compare(a.ApplicationProviderArn, b.ApplicationProviderArn)
	}) {
		t.Error("the providers are not in the order that paging needs")
	}
	for _, p := range list.ApplicationProviders {
		got := must[*ssoadmin.DescribeApplicationProviderOutput](t)(h.Service.DescribeApplicationProvider(ctx, &ssoadmin.DescribeApplicationProviderInput{ApplicationProviderArn: p.ApplicationProviderArn}))
		if diff := cmp.Diff(p, ssoadmin.ApplicationProvider(*got)); diff != "" {
			t.Error(diff)
		}
	}
	_, err := h.Service.DescribeApplicationProvider(ctx, &ssoadmin.DescribeApplicationProviderInput{ApplicationProviderArn: center.ProviderCustom + "x"})
	wantCode(t, err, "ResourceNotFoundException")
	_, err = h.Service.CreateTrustedTokenIssuer(h.As(t.Context(), management, "Admin"), func() *ssoadmin.CreateTrustedTokenIssuerInput {
		in := issuerInput(h.Instance.ARN, "https://login.example.com")
		in.TrustedTokenIssuerConfiguration.OidcJwtConfiguration.IdentityStoreAttributePath = "name.familyName"
		return in
	}())
	wantCode(t, err, "ValidationException")
}
