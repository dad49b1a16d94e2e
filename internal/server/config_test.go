package server

import (
	"errors"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/lakegate/lakegate/internal/grants"
)

func TestQuotasOfTheConfiguration(t *testing.T) {
	for text, want := range map[string]string{
		"quotas: {users: 10, groups: 5, groups_per_user: 3, issuers: 1, applications: 2, scopes_per_application: 3, groups_per_application: 4}": "",
		"quotas: {users: 0}":                                     "",
		"quotas: {users: -1}":                                    "quotas.users -1",
		"quotas: {applications: -5}":                             "quotas.applications -5",
		"quotas: {access_grants: 7, access_grants_locations: 2}": "",
		"quotas: {access_grants: -1}":                            "quotas.access_grants -1",
		"quotas: {people: 1}":                                    "people",
		"quotas: {users: many}":                                  "many",
	} {
		c := &Config{Dir: t.TempDir()}
		err := yaml.UnmarshalWithOptions([]byte(text), c, yaml.Strict())
		if err == nil {
			err = c.Complete()
		}
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func TestQuotasOfGrants(t *testing.T) {
	for text, want := range map[string]grants.Quotas{
		"compat: extended": {},
		"compat: strict":   {Grants: 100_000},
		"{compat: strict, quotas: {access_grants: 5}}":             {Grants: 5},
		"quotas: {access_grants: 200000}":                          {Grants: 200_000},
		"{compat: strict, quotas: {access_grants_locations: 200}}": {Grants: 100_000, Locations: 200},
	} {
		c := &Config{Dir: t.TempDir()}
		if err := errors.Join(yaml.UnmarshalWithOptions([]byte(text), c, yaml.Strict()), c.Complete()); err != nil {
			t.Fatal(err)
		}
		if got := c.grantQuotas(); got != want {
			t.Errorf("%s: got %+v, want %+v", text, got, want)
		}
	}
}

func TestTokensOfTheConfiguration(t *testing.T) {
	for text, want := range map[string]string{
		"tokens: {rotation_days: 7, algorithm: RS256}":             "",
		"tokens: {rotation_days: 0}":                               "",
		"tokens: {rotation_days: 1}":                               "tokens.rotation_days 1",
		"tokens: {rotation_days: -7}":                              "tokens.rotation_days -7",
		"tokens: {rotation_days: 100000}":                          "tokens.rotation_days 100000",
		"tokens: {algorithm: none}":                                "tokens.algorithm",
		"{compat: strict, tokens: {algorithm: ES256}}":             "tokens.algorithm",
		"{compat: strict, tokens: {rotation_days: 2}}":             "",
		"tokens: {rotation: 7}":                                    "rotation",
		"{tokens: {rotation_days: 3650}, issuers: {other: false}}": "other",
	} {
		c := &Config{Dir: t.TempDir()}
		err := yaml.UnmarshalWithOptions([]byte(text), c, yaml.Strict())
		if err == nil {
			err = c.Complete()
		}
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
