package center_test

import (
	"context"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/lakegate/lakegate/internal/api/ssoadmin"
	"github.com/lakegate/lakegate/internal/center"
	"github.com/lakegate/lakegate/internal/center/centertest"
)

// Which account may do what, when its policies allow everything.
func TestReach(t *testing.T) {
	h := centertest.New(t)
	h.Accounts.Delegate("333333333333")
	issuer := createIssuer(t, h, "https://login.example.com")
	app := createApplication(t, h, member, "App")
	foreign := createApplication(t, h, management, "Foreign")
	const denied, ok = "AccessDeniedException", ""
	s, instance := h.Service, h.Instance.ARN
	type outcomes struct{ management, creator, delegate, outsider string }
	for _, c := range []struct {
		name string
		call func(ctx context.Context) error
		want outcomes
	}{
		{"describe instance", func(ctx context.Context) error {
			_, err := s.DescribeInstance(ctx, &ssoadmin.DescribeInstanceInput{InstanceArn: instance})
			return err
		}, outcomes{ok, ok, ok, denied}},
		{"rename instance", func(ctx context.Context) error {
			_, err := s.UpdateInstance(ctx, &ssoadmin.UpdateInstanceInput{InstanceArn: instance, Name: new("Name")})
			return err
		}, outcomes{ok, denied, ok, denied}},
		{"delete instance", func(ctx context.Context) error {
			_, err := s.DeleteInstance(ctx, &ssoadmin.DeleteInstanceInput{InstanceArn: instance})
			return err
		}, outcomes{"ValidationException", denied, denied, denied}},
		{"create issuer", func(ctx context.Context) error {
			_, err := s.CreateTrustedTokenIssuer(ctx, issuerInput(instance, "https://x.example.com"))
			return err
		}, outcomes{ok, denied, ok, denied}},
		{"update issuer", func(ctx context.Context) error {
			_, err := s.UpdateTrustedTokenIssuer(ctx, &ssoadmin.UpdateTrustedTokenIssuerInput{TrustedTokenIssuerArn: issuer, Name: new("Name")})
			return err
		}, outcomes{ok, denied, ok, denied}},
		{"read issuer", func(ctx context.Context) error {
			_, err := s.DescribeTrustedTokenIssuer(ctx, &ssoadmin.DescribeTrustedTokenIssuerInput{TrustedTokenIssuerArn: issuer})
			return err
		}, outcomes{ok, ok, ok, denied}},
		{"list issuers", func(ctx context.Context) error {
			_, err := s.ListTrustedTokenIssuers(ctx, &ssoadmin.ListTrustedTokenIssuersInput{InstanceArn: instance})
			return err
		}, outcomes{ok, ok, ok, denied}},
		{"create application", func(ctx context.Context) error {
			_, err := s.CreateApplication(ctx, &ssoadmin.CreateApplicationInput{InstanceArn: instance, ApplicationProviderArn: center.ProviderCustom, Name: "X"})
			return err
		}, outcomes{ok, ok, ok, denied}},
		{"change the member's application", func(ctx context.Context) error { return putScope(ctx, h, app, "a:b") }, outcomes{ok, ok, ok, denied}},
		{"change another's application", func(ctx context.Context) error { return putScope(ctx, h, foreign, "a:b") }, outcomes{ok, denied, ok, denied}},
		{"read another's application", func(ctx context.Context) error {
			_, err := s.DescribeApplication(ctx, &ssoadmin.DescribeApplicationInput{ApplicationArn: foreign})
			return err
		}, outcomes{ok, denied, ok, denied}},
		{"list all applications", func(ctx context.Context) error {
			_, err := s.ListApplications(ctx, &ssoadmin.ListApplicationsInput{InstanceArn: instance})
			return err
		}, outcomes{ok, denied, ok, denied}},
		{"list the member's applications", func(ctx context.Context) error {
			_, err := s.ListApplications(ctx, &ssoadmin.ListApplicationsInput{InstanceArn: instance, Filter: &ssoadmin.ListApplicationsFilter{ApplicationAccount: new(member)}})
			return err
		}, outcomes{ok, ok, ok, denied}},
		{"tag another's application", func(ctx context.Context) error {
			_, err := s.TagResource(ctx, &ssoadmin.TagResourceInput{ResourceArn: foreign, Tags: []ssoadmin.Tag{{Key: "a", Value: "b"}}})
			return err
		}, outcomes{ok, denied, ok, denied}},
		{"tag the instance", func(ctx context.Context) error {
			_, err := s.TagResource(ctx, &ssoadmin.TagResourceInput{ResourceArn: instance, Tags: []ssoadmin.Tag{{Key: "a", Value: "b"}}})
			return err
		}, outcomes{ok, denied, ok, denied}},
		{"delete issuer", func(ctx context.Context) error {
			_, err := s.DeleteTrustedTokenIssuer(ctx, &ssoadmin.DeleteTrustedTokenIssuerInput{TrustedTokenIssuerArn: strings.Replace(issuer, "tti-", "tti-0", 1)})
			return err
		}, outcomes{"ResourceNotFoundException", denied, "ResourceNotFoundException", denied}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for account, want := range map[string]string{management: c.want.management, member: c.want.creator, other: c.want.delegate, outsider: c.want.outsider} {
				if got := code(c.call(h.As(t.Context(), account, "Admin"))); got != want {
					t.Errorf("account %s: %q, want %q", account, got, want)
				}
			}
		})
	}
}

// The answer to an instance that one may not see is that to an instance which does not exist.
func TestInvisibleIsUnknown(t *testing.T) {
	h := centertest.New(t)
	ctx := h.As(t.Context(), outsider, "Admin")
	unknown := h.Instance.ARN[:len(h.Instance.ARN)-4] + "0000"
	for _, call := range []func(instance string) error{
		func(i string) error {
			_, err := h.Service.DescribeInstance(ctx, &ssoadmin.DescribeInstanceInput{InstanceArn: i})
			return err
		},
		func(i string) error {
			_, err := h.Service.CreateTrustedTokenIssuer(ctx, issuerInput(i, "https://x.example.com"))
			return err
		},
		func(i string) error {
			_, err := h.Service.ListApplications(ctx, &ssoadmin.ListApplicationsInput{InstanceArn: i})
			return err
		},
		func(i string) error {
			_, err := h.Service.CreateApplication(ctx, &ssoadmin.CreateApplicationInput{InstanceArn: i, ApplicationProviderArn: center.ProviderCustom, Name: "X"})
			return err
		},
		func(i string) error {
			_, err := h.Service.ListTagsForResource(ctx, &ssoadmin.ListTagsForResourceInput{ResourceArn: i})
			return err
		},
	} {
		seen, not := call(h.Instance.ARN), call(unknown)
		if code(seen) != "AccessDeniedException" || strings.ReplaceAll(message(seen), h.Instance.ARN, unknown) != message(not) {
			t.Errorf("%q and %q tell them apart", message(seen), message(not))
		}
	}
	list := must[*ssoadmin.ListInstancesOutput](t)(h.Service.ListInstances(ctx, &ssoadmin.ListInstancesInput{}))
	if len(list.Instances) != 0 {
		t.Errorf("an outsider sees %v", list.Instances)
	}
}

// operations calls every operation of the service with the most ordinary input.
func operations(h *centertest.House, fill map[string]any) map[string]func(ctx context.Context) error {
	calls := map[string]func(ctx context.Context) error{}
	v := reflect.ValueOf(h.Service)
	for i := range v.NumMethod() {
		m := v.Type().Method(i)
		if m.Type.NumIn() != 3 {
			continue
		}
		calls[m.Name] = func(ctx context.Context) error {
			in := reflect.New(m.Type.In(2).Elem())
			for name, value := range fill {
				f := in.Elem().FieldByName(name)
				if !f.IsValid() {
					continue
				}
				if x := reflect.ValueOf(value); x.Type().ConvertibleTo(f.Type()) {
					f.Set(x.Convert(f.Type()))
				}
			}
			err, _ := v.Method(i).Call([]reflect.Value{reflect.ValueOf(ctx), in})[1].Interface().(error)
			return err
		}
	}
	return calls
}

// Whoever has no permission gets nothing from any operation, changes nothing, and every operation asks.
func TestEveryOperationAsksForAuthorisation(t *testing.T) {
	h := centertest.New(t)
	issuer := createIssuer(t, h, "https://login.example.com")
	app := createApplication(t, h, management, "App")
	fill := map[string]any{
		"InstanceArn": h.Instance.ARN, "ApplicationArn": app, "TrustedTokenIssuerArn": issuer, "ResourceArn": app, "ApplicationProviderArn": center.ProviderCustom,
		"Name": "Name", "GrantType": "refresh_token", "Grant": &ssoadmin.Grant{RefreshToken: &ssoadmin.RefreshTokenGrant{}}, "Scope": "a:b",
		"PrincipalId": "00000000-0000-0000-0000-000000000000", "PrincipalType": "USER", "AuthenticationMethodType": "IAM",
		"AuthenticationMethod": &ssoadmin.AuthenticationMethod{Iam: &ssoadmin.IamAuthenticationMethod{ActorPolicy: json.RawMessage(actorPolicy)}},
		"RegionName":           centertest.Region, "InstanceAccessControlAttributeConfiguration": attributes("team", "${path:title}"),
		"TrustedTokenIssuerConfiguration": issuerInput("", "https://x.example.com").TrustedTokenIssuerConfiguration,
	}
	calls := operations(h, fill)
	if len(calls) < 39 {
		t.Fatalf("only %d operations", len(calls))
	}
	h.Accounts.Role(management, "Nobody", "")
	before := h.DB.Revision()
	for name, call := range calls {
		ctx, _, ledger := h.Request(t.Context(), management, "Nobody")
		if got := code(call(ctx)); got != "AccessDeniedException" {
			t.Errorf("%s without permission: %q", name, got)
		}
		if !ledger.Asked() {
			t.Errorf("%s did not ask", name)
		}
		// A permission for every other operation is none for this one.
		role := "Not" + name
		h.Accounts.Role(management, role, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","NotAction":"sso:`+name+`","Resource":"*"}}`)
		if got := code(call(h.As(t.Context(), management, role))); got != "AccessDeniedException" {
			t.Errorf("%s with permission for all others: %q", name, got)
		}
	}
	if h.DB.Revision() != before {
		t.Error("a refused operation changed something")
	}
}

// Conditions of a policy see the application and its tags.
func TestConditionKeys(t *testing.T) {
	h := centertest.New(t)
	app := createApplication(t, h, member, "App")
	ctx := h.As(t.Context(), member, "Admin")
	_, err := h.Service.TagResource(ctx, &ssoadmin.TagResourceInput{ResourceArn: app, Tags: []ssoadmin.Tag{{Key: "team", Value: "red"}}})
	wantCode(t, err, "")
	describe := func(ctx context.Context) error {
		_, err := h.Service.DescribeApplication(ctx, &ssoadmin.DescribeApplicationInput{ApplicationArn: app})
		return err
	}
	tag := func(key string) func(ctx context.Context) error {
		return func(ctx context.Context) error {
			_, err := h.Service.TagResource(ctx, &ssoadmin.TagResourceInput{ResourceArn: app, Tags: []ssoadmin.Tag{{Key: key, Value: "x"}}})
			return err
		}
	}
	const denied = "AccessDeniedException"
	for _, c := range []struct {
		condition string
		call      func(ctx context.Context) error
		want      string
	}{
		{`{"StringEquals":{"sso:ApplicationAccount":"111111111111"}}`, describe, ""},
		{`{"StringEquals":{"sso:ApplicationAccount":"222222222222"}}`, describe, denied},
		{`{"StringEquals":{"aws:ResourceTag/team":"red"}}`, describe, ""},
		{`{"StringEquals":{"aws:ResourceTag/team":"blue"}}`, describe, denied},
		{`{"StringEquals":{"sso:PrimaryRegion":"us-east-1"}}`, describe, ""},
		{`{"ForAllValues:StringEquals":{"aws:TagKeys":["cost"]}}`, tag("cost"), ""},
		{`{"ForAllValues:StringEquals":{"aws:TagKeys":["cost"]}}`, tag("team"), denied},
		{`{"StringEquals":{"aws:RequestTag/cost":"x"}}`, tag("cost"), ""},
		{`{"StringEquals":{"aws:RequestTag/cost":"y"}}`, tag("cost"), denied},
	} {
		h.Accounts.Role(member, "Limited", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sso:*","Resource":"*","Condition":`+c.condition+`}}`)
		if got := code(c.call(h.As(t.Context(), member, "Limited"))); got != c.want {
			t.Errorf("%s: %q, want %q", c.condition, got, c.want)
		}
	}
}

// Creating an application asks about the application, its provider and its instance.
func TestCreateApplicationAsksThreeTimes(t *testing.T) {
	h := centertest.New(t)
	all := []string{h.Instance.ARN, center.ProviderCustom, "arn:aws:sso::" + management + ":application/*"}
	for missing := range len(all) + 1 {
		var resources []string
		for i, r := range all {
			if i != missing {
				resources = append(resources, r)
			}
		}
		list, _ := json.Marshal(resources)
		h.Accounts.Role(member, "Limited", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sso:CreateApplication","Resource":`+string(list)+`}}`)
		_, err := h.Service.CreateApplication(h.As(t.Context(), member, "Limited"), &ssoadmin.CreateApplicationInput{
			InstanceArn: h.Instance.ARN, ApplicationProviderArn: center.ProviderCustom, Name: "App",
		})
		want := "AccessDeniedException"
		if missing == len(all) {
			want = ""
		}
		if got := code(err); got != want {
			t.Errorf("with %v: %q, want %q", resources, got, want)
		}
	}
}
