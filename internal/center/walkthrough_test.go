package center_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lakegate/lakegate/internal/api/ssoadmin"
	"github.com/lakegate/lakegate/internal/center"
	"github.com/lakegate/lakegate/internal/center/centertest"
	"github.com/lakegate/lakegate/internal/store/storetest"
)

// actorPolicy has white space and an order of elements of its own, which are to come back.
const actorPolicy = `{ "Version":"2012-10-17",
  "Statement": [ {"Resource":"*","Effect":"Allow", "Action":"sso-oauth:CreateTokenWithIAM", "Principal":{"AWS":"111111111111"},
  "Condition":{"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::111111111111:role/ApplicationRole"}} } ] }`

// The set-up of the walkthrough: the issuer by the account of the instance, everything else by a member account.
func TestWalkthrough(t *testing.T) {
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			url := storetest.URL(t, engine)
			h := centertest.At(t, url)
			ctx := h.As(t.Context(), member, "Admin")
			issuer := createIssuer(t, h, "https://login.example.com/v2.0")
			app := createApplication(t, h, member, "MyDataApplication")
			for _, err := range []error{
				requireAssignment(ctx, h, app, false),
				putGrant(ctx, h, app, center.GrantJWTBearer, jwtBearer(issuer, "audience")),
				putGrant(ctx, h, app, center.GrantRefreshToken, &ssoadmin.Grant{RefreshToken: &ssoadmin.RefreshTokenGrant{}}),
				putScope(ctx, h, app, "s3:access_grants:read_write"),
				putMethod(ctx, h, app, actorPolicy),
			} {
				if err != nil {
					t.Fatal(err)
				}
			}
			check := func(t *testing.T, h *centertest.House) {
				got, ok := h.Center.Application(app)
				want := &center.Application{
					ARN: app, Instance: h.Instance.ARN, Provider: center.ProviderCustom, Account: member, Owner: management, Name: "MyDataApplication",
					Enabled: true, Portal: center.Portal{Visibility: "ENABLED"}, Created: centertest.Start, CreatedFrom: centertest.Region, Tags: map[string]string{},
					Grants: map[string]center.Grant{
						center.GrantJWTBearer:    {Issuers: []center.AuthorizedIssuer{{ARN: issuer, Audiences: []string{"audience"}}}},
						center.GrantRefreshToken: {},
					},
					Scopes: map[string][]string{"s3:access_grants:read_write": nil},
				}
				if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(center.Application{}, "Method"), cmpopts.EquateEmpty()); !ok || diff != "" {
					t.Errorf("application (-want +got):\n%s", diff)
				}
				if got.Method == nil || got.Method.Text != actorPolicy || got.ActorPolicy().Document == nil {
					t.Errorf("actor policy %+v", got.Method)
				}
				if i, ok := h.Center.Issuer(issuer); !ok || i.URL != "https://login.example.com/v2.0" || i.Claim != "oid" || i.Attribute != "externalId" {
					t.Errorf("issuer %+v", i)
				}
				if !h.Center.Assigned(app, "anybody", nil) {
					t.Error("nobody has to be assigned, and yet somebody is refused")
				}
			}
			check(t, h)
			again := centertest.At(t, url)
			if again.Instance.ARN != h.Instance.ARN {
				t.Error("a second start made another instance")
			}
			check(t, again)
		})
	}
}

func TestDescribeWhatWasCreated(t *testing.T) {
	h := centertest.New(t)
	ctx := h.As(t.Context(), member, "Admin")
	issuer := createIssuer(t, h, "https://login.example.com")
	app := createApplication(t, h, member, "App")

	described := must[*ssoadmin.DescribeApplicationOutput](t)(h.Service.DescribeApplication(ctx, &ssoadmin.DescribeApplicationInput{ApplicationArn: app}))
	want := &ssoadmin.DescribeApplicationOutput{
		ApplicationArn: &app, ApplicationProviderArn: new(center.ProviderCustom), Name: new("App"), ApplicationAccount: new(member),
		InstanceArn: &h.Instance.ARN, IdentityStoreArn: new("arn:aws:identitystore::222222222222:identitystore/" + h.Instance.StoreID),
		Status: new(ssoadmin.ApplicationStatusENABLED), PortalOptions: &ssoadmin.PortalOptions{Visibility: new(ssoadmin.ApplicationVisibilityENABLED)},
		CreatedDate: new(centertest.Start), CreatedFrom: new(centertest.Region),
	}
	if diff := cmp.Diff(want, described); diff != "" {
		t.Errorf("application (-want +got):\n%s", diff)
	}
	tti := must[*ssoadmin.DescribeTrustedTokenIssuerOutput](t)(h.Service.DescribeTrustedTokenIssuer(ctx, &ssoadmin.DescribeTrustedTokenIssuerInput{TrustedTokenIssuerArn: issuer}))
	if c := tti.TrustedTokenIssuerConfiguration.OidcJwtConfiguration; c.IssuerUrl != "https://login.example.com" || *tti.Name != "Issuer" {
		t.Errorf("issuer %+v", c)
	}
	instance := must[*ssoadmin.DescribeInstanceOutput](t)(h.Service.DescribeInstance(ctx, &ssoadmin.DescribeInstanceInput{InstanceArn: h.Instance.ARN}))
	if *instance.OwnerAccountId != management || *instance.Status != ssoadmin.InstanceStatusACTIVE || *instance.IdentityStoreId != h.Instance.StoreID || instance.Name != nil {
		t.Errorf("instance %+v", instance)
	}
}

func TestUpdates(t *testing.T) {
	h := centertest.New(t)
	admin, ctx := h.As(t.Context(), management, "Admin"), h.As(t.Context(), member, "Admin")
	issuer := createIssuer(t, h, "https://login.example.com")
	app := createApplication(t, h, member, "App")

	must[*ssoadmin.UpdateTrustedTokenIssuerOutput](t)(h.Service.UpdateTrustedTokenIssuer(admin, &ssoadmin.UpdateTrustedTokenIssuerInput{
		TrustedTokenIssuerArn: issuer, Name: new("New"),
		TrustedTokenIssuerConfiguration: &ssoadmin.TrustedTokenIssuerUpdateConfiguration{OidcJwtConfiguration: &ssoadmin.OidcJwtUpdateConfiguration{
			ClaimAttributePath: new("email"), IdentityStoreAttributePath: new("emails.value"),
		}},
	}))
	if i, _ := h.Center.Issuer(issuer); i.Name != "New" || i.Claim != "email" || i.Attribute != "emails.value" || i.URL != "https://login.example.com" {
		t.Errorf("issuer %+v", i)
	}
	must[*ssoadmin.UpdateInstanceOutput](t)(h.Service.UpdateInstance(admin, &ssoadmin.UpdateInstanceInput{InstanceArn: h.Instance.ARN, Name: new("Home")}))
	if i, _ := h.Center.Instance(h.Instance.ARN); i.Name != "Home" {
		t.Errorf("instance %+v", i)
	}
	_, err := h.Service.UpdateInstance(admin, &ssoadmin.UpdateInstanceInput{InstanceArn: h.Instance.ARN, EncryptionConfiguration: &ssoadmin.EncryptionConfiguration{KeyType: ssoadmin.KmsKeyTypeCUSTOMERMANAGEDKEY}})
	wantCode(t, err, "ValidationException")

	must[*ssoadmin.UpdateApplicationOutput](t)(h.Service.UpdateApplication(ctx, &ssoadmin.UpdateApplicationInput{
		ApplicationArn: app, Name: new("Renamed"), Description: new("text"), Status: new(ssoadmin.ApplicationStatusDISABLED),
		PortalOptions: &ssoadmin.UpdateApplicationPortalOptions{SignInOptions: &ssoadmin.SignInOptions{Origin: ssoadmin.SignInOriginAPPLICATION, ApplicationUrl: new("https://app.example.com")}},
	}))
	a, _ := h.Center.Application(app)
	if a.Name != "Renamed" || a.Description != "text" || a.Enabled || a.Portal != (center.Portal{Origin: "APPLICATION", URL: "https://app.example.com", Visibility: "ENABLED"}) {
		t.Errorf("application %+v", a)
	}
	if h.Center.ApplicationEnabled(app) {
		t.Error("a disabled application counts as enabled")
	}
	for _, o := range []*ssoadmin.SignInOptions{
		{Origin: ssoadmin.SignInOriginAPPLICATION},
		{Origin: ssoadmin.SignInOriginIDENTITYCENTER, ApplicationUrl: new("https://app.example.com")},
	} {
		_, err := h.Service.UpdateApplication(ctx, &ssoadmin.UpdateApplicationInput{ApplicationArn: app, PortalOptions: &ssoadmin.UpdateApplicationPortalOptions{SignInOptions: o}})
		wantCode(t, err, "ValidationException")
	}
	must[*ssoadmin.PutApplicationSessionConfigurationOutput](t)(h.Service.PutApplicationSessionConfiguration(ctx, &ssoadmin.PutApplicationSessionConfigurationInput{
		ApplicationArn: app, UserBackgroundSessionApplicationStatus: new(ssoadmin.UserBackgroundSessionApplicationStatusENABLED),
	}))
	got := must[*ssoadmin.GetApplicationSessionConfigurationOutput](t)(h.Service.GetApplicationSessionConfiguration(ctx, &ssoadmin.GetApplicationSessionConfigurationInput{ApplicationArn: app}))
	if *got.UserBackgroundSessionApplicationStatus != ssoadmin.UserBackgroundSessionApplicationStatusENABLED {
		t.Errorf("session configuration %+v", got)
	}
}

// What was deleted is gone from every list and decision, with all that hung on it.
func TestDelete(t *testing.T) {
	centertest.Run(t, func(t *testing.T, h *centertest.House) {
		ctx := h.As(t.Context(), member, "Admin")
		issuer := createIssuer(t, h, "https://login.example.com")
		app := createApplication(t, h, member, "App")
		user := h.Person(t, "mateo", "")
		for _, err := range []error{
			putGrant(ctx, h, app, center.GrantJWTBearer, jwtBearer(issuer, "aud")), putScope(ctx, h, app, "s3:access_grants:read_write"),
			putMethod(ctx, h, app, actorPolicy), assign(ctx, h, app, ssoadmin.PrincipalTypeUSER, user),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		_, err := h.Service.TagResource(ctx, &ssoadmin.TagResourceInput{ResourceArn: app, Tags: []ssoadmin.Tag{{Key: "a", Value: "b"}}})
		wantCode(t, err, "")
		must[*ssoadmin.DeleteTrustedTokenIssuerOutput](t)(h.Service.DeleteTrustedTokenIssuer(h.As(t.Context(), management, "Admin"), &ssoadmin.DeleteTrustedTokenIssuerInput{TrustedTokenIssuerArn: issuer}))
		if _, ok := h.Center.Issuer(issuer); ok {
			t.Error("the issuer is still there")
		}
		must[*ssoadmin.DeleteApplicationOutput](t)(h.Service.DeleteApplication(ctx, &ssoadmin.DeleteApplicationInput{ApplicationArn: app}))
		if _, ok := h.Center.Application(app); ok || h.Center.Assigned(app, user, nil) || h.Center.ApplicationEnabled(app) {
			t.Error("the application is still there")
		}
		_, err = h.Service.DescribeApplication(ctx, &ssoadmin.DescribeApplicationInput{ApplicationArn: app})
		wantCode(t, err, "ResourceNotFoundException")
		_, err = h.Service.DeleteApplication(ctx, &ssoadmin.DeleteApplicationInput{ApplicationArn: app})
		wantCode(t, err, "ResourceNotFoundException")
		list := must[*ssoadmin.ListApplicationAssignmentsForPrincipalOutput](t)(h.Service.ListApplicationAssignmentsForPrincipal(h.As(t.Context(), management, "Admin"),
			&ssoadmin.ListApplicationAssignmentsForPrincipalInput{InstanceArn: h.Instance.ARN, PrincipalId: user, PrincipalType: ssoadmin.PrincipalTypeUSER}))
		if len(list.ApplicationAssignments) != 0 {
			t.Errorf("assignments %v", list.ApplicationAssignments)
		}
	})
}

// What hangs on an application answers with not found before it is there and after it is gone.
func TestPartsComeAndGo(t *testing.T) {
	h := centertest.New(t)
	ctx := h.As(t.Context(), member, "Admin")
	issuer, app, user := createIssuer(t, h, "https://login.example.com"), createApplication(t, h, member, "App"), h.Person(t, "mateo", "")
	s := h.Service
	for _, p := range []struct {
		name             string
		get, put, delete func() error
	}{
		{"grant", func() error {
			_, err := s.GetApplicationGrant(ctx, &ssoadmin.GetApplicationGrantInput{ApplicationArn: app, GrantType: center.GrantJWTBearer})
			return err
		}, func() error { return putGrant(ctx, h, app, center.GrantJWTBearer, jwtBearer(issuer, "aud")) }, func() error {
			_, err := s.DeleteApplicationGrant(ctx, &ssoadmin.DeleteApplicationGrantInput{ApplicationArn: app, GrantType: center.GrantJWTBearer})
			return err
		}},
		{"scope", func() error {
			_, err := s.GetApplicationAccessScope(ctx, &ssoadmin.GetApplicationAccessScopeInput{ApplicationArn: app, Scope: "a:b"})
			return err
		}, func() error { return putScope(ctx, h, app, "a:b") }, func() error {
			_, err := s.DeleteApplicationAccessScope(ctx, &ssoadmin.DeleteApplicationAccessScopeInput{ApplicationArn: app, Scope: "a:b"})
			return err
		}},
		{"method", func() error {
			_, err := s.GetApplicationAuthenticationMethod(ctx, &ssoadmin.GetApplicationAuthenticationMethodInput{ApplicationArn: app, AuthenticationMethodType: "IAM"})
			return err
		}, func() error { return putMethod(ctx, h, app, actorPolicy) }, func() error {
			_, err := s.DeleteApplicationAuthenticationMethod(ctx, &ssoadmin.DeleteApplicationAuthenticationMethodInput{ApplicationArn: app, AuthenticationMethodType: "IAM"})
			return err
		}},
		{"assignment", func() error {
			_, err := s.DescribeApplicationAssignment(ctx, &ssoadmin.DescribeApplicationAssignmentInput{ApplicationArn: app, PrincipalId: user, PrincipalType: "USER"})
			return err
		}, func() error { return assign(ctx, h, app, "USER", user) }, func() error { return unassign(ctx, h, app, "USER", user) }},
	} {
		t.Run(p.name, func(t *testing.T) {
			wantCode(t, p.get(), "ResourceNotFoundException")
			wantCode(t, p.delete(), "ResourceNotFoundException")
			wantCode(t, p.put(), "")
			wantCode(t, p.put(), "") // a second time changes nothing
			wantCode(t, p.get(), "")
			wantCode(t, p.delete(), "")
			wantCode(t, p.get(), "ResourceNotFoundException")
		})
	}
}
