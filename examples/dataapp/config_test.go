package dataapp

import (
	"maps"
	"strings"
	"testing"
)

var complete = map[string]string{
	"OIDC_ISSUER": "https://login.example.com/tenant/v2.0", "OIDC_CLIENT_ID": "client",
	"APPLICATION_ARN":   "arn:aws:sso::222222222222:application/ssoins-0123456789abcdef/apl-0123456789abcdef",
	"IDENTITY_ROLE_ARN": "arn:aws:iam::111111111111:role/Identity", "ACCESS_GRANTS_ACCOUNT": "111111111111",
	"DATA_LOCATION": "s3://red-bucket/red/",
}

func with(changes ...string) func(string) string {
	env := maps.Clone(complete)
	for i := 0; i < len(changes); i += 2 {
		env[changes[i]] = changes[i+1]
	}
	return func(name string) string { return env[name] }
}

func TestEnvironment(t *testing.T) {
	cfg, err := FromEnvironment(with("OTHER_LOCATIONS", "s3://blue-bucket/blue/, s3://red-bucket"))
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Listen != defaultListen || cfg.URL.String() != "http://"+defaultListen || len(cfg.Others) != 2 || cfg.PathStyle {
		t.Errorf("got %+v", cfg)
	}
	for _, name := range []string{"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"} {
		cfg, err := FromEnvironment(with(name, "http://127.0.0.1:9420"))
		if err != nil || !cfg.PathStyle {
			t.Errorf("%s: path style %v, error %v", name, cfg.PathStyle, err)
		}
	}
}

func TestEnvironmentNamesWhatIsWrong(t *testing.T) {
	for name := range complete {
		for _, value := range []string{"", "nonsense"} {
			if name == "OIDC_CLIENT_ID" && value != "" {
				continue
			}
			if _, err := FromEnvironment(with(name, value)); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("%s=%q: error %v", name, value, err)
			}
		}
	}
	for name, value := range map[string]string{"DATAAPP_URL": "https://example.com/path", "OTHER_LOCATIONS": "red-bucket", "DATAAPP_LISTEN": "127.0.0.1:0"} {
		if _, err := FromEnvironment(with(name, value)); err == nil {
			t.Errorf("%s=%q was taken", name, value)
		}
	}
	_, err := FromEnvironment(func(string) string { return "" })
	for name := range complete {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("the error of an empty environment lacks %s: %v", name, err)
		}
	}
	if _, err := New(Config{}); err == nil {
		t.Error("New took an empty configuration")
	}
}
