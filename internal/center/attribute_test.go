package center_test

import (
	"context"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/lakegate/lakegate/internal/api/ssoadmin"
	"github.com/lakegate/lakegate/internal/center"
	"github.com/lakegate/lakegate/internal/center/centertest"
	"github.com/lakegate/lakegate/internal/directory"
)

// attributes is a configuration of keys and sources, in turn.
func attributes(pairs ...string) *ssoadmin.InstanceAccessControlAttributeConfiguration {
	out := &ssoadmin.InstanceAccessControlAttributeConfiguration{AccessControlAttributes: []ssoadmin.AccessControlAttribute{}}
	for i := 0; i < len(pairs); i += 2 {
		out.AccessControlAttributes = append(out.AccessControlAttributes, ssoadmin.AccessControlAttribute{
			Key: pairs[i], Value: &ssoadmin.AccessControlAttributeValue{Source: []string{pairs[i+1]}},
		})
	}
	return out
}

func createAttributes(ctx context.Context, h *centertest.House, instance string, c *ssoadmin.InstanceAccessControlAttributeConfiguration) error {
	_, err := h.Service.CreateInstanceAccessControlAttributeConfiguration(ctx, &ssoadmin.CreateInstanceAccessControlAttributeConfigurationInput{
		InstanceArn: instance, InstanceAccessControlAttributeConfiguration: c,
	})
	return err
}

func updateAttributes(ctx context.Context, h *centertest.House, c *ssoadmin.InstanceAccessControlAttributeConfiguration) error {
	_, err := h.Service.UpdateInstanceAccessControlAttributeConfiguration(ctx, &ssoadmin.UpdateInstanceAccessControlAttributeConfigurationInput{
		InstanceArn: h.Instance.ARN, InstanceAccessControlAttributeConfiguration: c,
	})
	return err
}

func describeAttributes(ctx context.Context, h *centertest.House) (*ssoadmin.DescribeInstanceAccessControlAttributeConfigurationOutput, error) {
	return h.Service.DescribeInstanceAccessControlAttributeConfiguration(ctx, &ssoadmin.DescribeInstanceAccessControlAttributeConfigurationInput{InstanceArn: h.Instance.ARN})
}

func deleteAttributes(ctx context.Context, h *centertest.House) error {
	_, err := h.Service.DeleteInstanceAccessControlAttributeConfiguration(ctx, &ssoadmin.DeleteInstanceAccessControlAttributeConfigurationInput{InstanceArn: h.Instance.ARN})
	return err
}

func TestAccessControlAttributes(t *testing.T) {
	centertest.Run(t, func(t *testing.T, h *centertest.House) {
		ctx := h.As(t.Context(), management, "Admin")
		const missing = "ResourceNotFoundException"
		_, err := describeAttributes(ctx, h)
		wantCode(t, err, missing)
		wantCode(t, updateAttributes(ctx, h, attributes("team", "${path:title}")), missing)
		wantCode(t, deleteAttributes(ctx, h), missing)

		given := attributes("team", "${path:enterprise.department}", "who", "${path:userName}")
		wantCode(t, createAttributes(ctx, h, h.Instance.ARN, given), "")
		wantCode(t, createAttributes(ctx, h, h.Instance.ARN, given), "ConflictException")
		got := must[*ssoadmin.DescribeInstanceAccessControlAttributeConfigurationOutput](t)(describeAttributes(ctx, h))
		if diff := cmp.Diff(given, got.InstanceAccessControlAttributeConfiguration); diff != "" || *got.Status != "ENABLED" {
			t.Errorf("status %s, (-want +got):\n%s", *got.Status, diff)
		}
		person := &directory.User{UserName: "mateo", Profile: directory.Profile{Title: "Analyst", Enterprise: directory.Enterprise{Department: "Sales"}}}
		for _, c := range []struct {
			name   string
			change func() error
			want   map[string]string
		}{
			{"as created", func() error { return nil }, map[string]string{"team": "Sales", "who": "mateo"}},
			{"updated", func() error { return updateAttributes(ctx, h, attributes("team", "${path:title}")) }, map[string]string{"team": "Analyst"}},
			{"emptied", func() error { return updateAttributes(ctx, h, attributes()) }, map[string]string{}},
			{"deleted", func() error { return deleteAttributes(ctx, h) }, map[string]string{}},
		} {
			wantCode(t, c.change(), "")
			if diff := cmp.Diff(c.want, h.Center.SessionTags(h.Instance.ARN, person)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.name, diff)
			}
		}
		_, err = describeAttributes(ctx, h)
		wantCode(t, err, missing)

		// A member account neither reads nor changes what all sessions carry.
		outside := h.As(t.Context(), member, "Admin")
		wantCode(t, createAttributes(outside, h, h.Instance.ARN, given), "AccessDeniedException")
		wantCode(t, updateAttributes(outside, h, given), "AccessDeniedException")
		wantCode(t, deleteAttributes(outside, h), "AccessDeniedException")
		_, err = describeAttributes(outside, h)
		wantCode(t, err, "AccessDeniedException")

		own := must[*ssoadmin.CreateInstanceOutput](t)(h.Service.CreateInstance(outside, &ssoadmin.CreateInstanceInput{}))
		wantCode(t, createAttributes(outside, h, *own.InstanceArn, given), "ValidationException")
	})
}

func TestAccessControlSources(t *testing.T) {
	h := centertest.New(t)
	ctx := h.As(t.Context(), management, "Admin")
	wantCode(t, createAttributes(ctx, h, h.Instance.ARN, attributes()), "")
	u := &directory.User{UserName: "mateo", Profile: directory.Profile{
		DisplayName: "Mateo Jackson", Title: "Analyst",
		Name:         directory.Name{GivenName: "Mateo", FamilyName: "Jackson"},
		Emails:       []directory.Item{{Value: "old@example.com"}, {Value: "mateo@example.com", Primary: true}},
		PhoneNumbers: []directory.Item{{Value: "1"}, {Value: "2"}},
		Addresses:    []directory.Address{{Country: "FR"}, {Country: "DE", Primary: true}},
		Enterprise:   directory.Enterprise{CostCenter: "4711", Department: "Sales", Manager: "u-1"},
	}}
	const refused = "\x00"
	for source, want := range map[string]string{
		"${path:userName}":                            "mateo",
		"${path:displayName}":                         "Mateo Jackson",
		"${path:title}":                               "Analyst",
		"${path:nickName}":                            "",
		"${path:name.familyName}":                     "Jackson",
		"${path:name.givenName}":                      "Mateo",
		"${path:emails[primary eq true].value}":       "mateo@example.com",
		"${path:phoneNumbers[primary eq true].value}": "1",
		"${path:roles[primary eq true].value}":        "",
		"${path:addresses[primary eq true].country}":  "DE",
		"${path:enterprise.costCenter}":               "4711",
		"${path:enterprise.department}":               "Sales",
		"${path:enterprise.manager.value}":            "u-1",
		"":                                            refused,
		"Sales":                                       refused,
		"${path:}":                                    refused,
		"${path:password}":                            refused,
		"${path:userName":                             refused,
		"${path:userName}x":                           refused,
		"${path:userName}${path:title}":               refused,
		"${dir:department}":                           refused,
		"${path:emails[type eq work].value}":          refused,
	} {
		err := updateAttributes(ctx, h, attributes("k", source))
		if want == refused {
			wantCode(t, err, "ValidationException")
			continue
		}
		wantCode(t, err, "")
		if got := h.Center.SessionTags(h.Instance.ARN, u)["k"]; got != want {
			t.Errorf("%s: %q, want %q", source, got, want)
		}
	}
	for _, pairs := range [][]string{
		{"k", "${path:title}", "K", "${path:userName}"},
		{"aws:PrincipalTag", "${path:title}"},
		{"Lakegate:role", "${path:title}"},
	} {
		wantCode(t, updateAttributes(ctx, h, attributes(pairs...)), "ValidationException")
	}
}

// Whatever a directory holds, a tag is one that STS takes: the value as it is, or none.
func TestSessionTagsAreBounded(t *testing.T) {
	h := centertest.New(t)
	ctx := h.As(t.Context(), management, "Admin")
	wantCode(t, createAttributes(ctx, h, h.Instance.ARN, attributes("title", "${path:title}")), "")
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-zA-Z0-9 _.:/=+@-]{0,300}`)).Draw(t, "value")
		tags := h.Center.SessionTags(h.Instance.ARN, &directory.User{Profile: directory.Profile{Title: value}})
		got, ok := tags["title"]
		if !ok {
			if plain := strings.Trim(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _.:/=+@-"); plain == "" && value != "" && len(value) <= 256 {
				t.Errorf("no tag for %q", value)
			}
			return
		}
		if got != value || utf8.RuneCountInString(got) > 256 || strings.ContainsAny(got, "\x00\n\"'*?${}<>") {
			t.Errorf("%q became %q", value, got)
		}
	})
	if tags := h.Center.SessionTags("arn:aws:sso:::instance/ssoins-0000000000000000", &directory.User{UserName: "x"}); len(tags) != 0 {
		t.Errorf("tags by no instance: %v", tags)
	}
}

// The creator of an application cannot give it the way into every account.
func TestAccountAccessScope(t *testing.T) {
	h := centertest.New(t)
	app := createApplication(t, h, member, "App")
	asMember, asManagement := h.As(t.Context(), member, "Admin"), h.As(t.Context(), management, "Admin")
	wantCode(t, putScope(asMember, h, app, center.ScopeAccountAccess), "AccessDeniedException")
	if a, _ := h.Center.Application(app); len(a.Scopes) != 0 {
		t.Errorf("scopes %v", a.Scopes)
	}
	wantCode(t, putScope(asManagement, h, app, center.ScopeAccountAccess), "")
	own := *must[*ssoadmin.CreateInstanceOutput](t)(h.Service.CreateInstance(asMember, &ssoadmin.CreateInstanceInput{})).InstanceArn
	inOwn := must[*ssoadmin.CreateApplicationOutput](t)(h.Service.CreateApplication(asMember, &ssoadmin.CreateApplicationInput{InstanceArn: own, ApplicationProviderArn: center.ProviderCustom, Name: "App"}))
	wantCode(t, putScope(asMember, h, *inOwn.ApplicationArn, center.ScopeAccountAccess), "ValidationException")
}
