package remote_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/lakegate/lakegate/internal/storage/remote"
)

const given = `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><AssumedRoleUser><Arn>x</Arn></AssumedRoleUser><Credentials><AccessKeyId>ASIA1</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>%s</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`

func TestAssumeRole(t *testing.T) {
	var form url.Values
	var answer func(w http.ResponseWriter)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		form, _ = url.ParseQuery(string(text))
		if !strings.Contains(r.Header.Get("Authorization"), "/us-east-1/sts/aws4_request") || r.Method != http.MethodPost || r.URL.Path != "/" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		answer(w)
	}))
	t.Cleanup(server.Close)
	e, err := remote.Open(remote.Config{Name: "s", Endpoint: "http://127.0.0.1:1", STSEndpoint: server.URL, AccessKeyID: keyID, SecretAccessKey: secret, HealthInterval: time.Hour}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	in := remote.AssumeRole{RoleARN: "arn:aws:iam::444444444444:role/r", SessionName: "mateo", Policy: `{"a&b":"c=d"}`, Duration: time.Hour}
	answer = func(w http.ResponseWriter) {
		_, _ = fmt.Fprintf(w, given, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	}
	c, err := e.AssumeRole(t.Context(), in)
	if err != nil || c.AccessKeyID != "ASIA1" || c.SecretAccessKey != "s" || c.SessionToken != "t" {
		t.Fatalf("%+v, %v", c, err)
	}
	if text := fmt.Sprintf("%v %+v %#v", c, *c, *c); strings.Contains(text, "SecretAccessKey") || strings.Contains(text, " s ") {
		t.Errorf("credentials print as %s", text)
	}
	for name, want := range map[string]string{"Action": "AssumeRole", "RoleArn": in.RoleARN, "RoleSessionName": "mateo", "Policy": in.Policy, "DurationSeconds": "3600"} {
		if form.Get(name) != want {
			t.Errorf("%s = %q, want %q", name, form.Get(name), want)
		}
	}
	for name, text := range map[string]string{
		"longer than asked": fmt.Sprintf(given, time.Now().Add(12*time.Hour).UTC().Format(time.RFC3339)),
		"no end":            strings.Replace(given, "<Expiration>%s</Expiration>", "", 1),
		"no token":          strings.Replace(fmt.Sprintf(given, time.Now().UTC().Format(time.RFC3339)), "<SessionToken>t</SessionToken>", "", 1),
		"an error":          `<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>`,
		"nothing":           "",
	} {
		answer = func(w http.ResponseWriter) { _, _ = io.WriteString(w, text) }
		if c, err := e.AssumeRole(t.Context(), in); err == nil {
			t.Errorf("%s: %+v", name, c)
		}
	}
	answer = func(w http.ResponseWriter) {
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `<ErrorResponse><Error><Code>AccessDenied</Code><Message>key `+keyID+`</Message></Error></ErrorResponse>`)
	}
	if _, err := e.AssumeRole(t.Context(), in); err == nil || !strings.Contains(err.Error(), "403 AccessDenied") || strings.Contains(err.Error(), keyID) {
		t.Errorf("%v", err)
	}
	form = nil
	for name, bad := range map[string]func(*remote.AssumeRole){
		"no policy": func(in *remote.AssumeRole) { in.Policy = "" }, "too long": func(in *remote.AssumeRole) { in.Policy = strings.Repeat("x", 2049) },
		"too short": func(in *remote.AssumeRole) { in.Duration = time.Minute },
	} {
		wrong := in
		bad(&wrong)
		if _, err := e.AssumeRole(t.Context(), wrong); err == nil || form != nil {
			t.Errorf("%s: %v, asked with %v", name, err, form)
		}
	}
}
