package e2e

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3control/types"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

func TestAttacks(t *testing.T) {
	s := newStory(t)
	t.Run("tokens", s.attackTokens)
	t.Run("replay", s.attackReplay)
	t.Run("disabled person", s.attackDisabled)
	t.Run("signatures", s.attackSignatures)
	t.Run("requests", s.attackRequests)
	t.Run("hosts", s.attackHosts)
	t.Run("malformed", s.attackBodies)
	t.Run("not implemented", s.attackUnimplemented)
	s.attackLog(t)
}

// attackLog looks for what came with requests, accepted and refused, in what the server wrote down.
func (s *story) attackLog(t *testing.T) {
	accepted, refused := s.token(mateo), s.token(mateo, map[string]any{"aud": "another-application"})
	identity, err := s.swap(t.Context(), accepted)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.swap(t.Context(), refused); err == nil {
		t.Fatal("a token for another application was accepted")
	}
	secrets := []string{identity}
	for _, token := range []string{accepted, refused} {
		parts := strings.Split(token, ".")
		secrets = append(secrets, parts[1], parts[2])
	}
	for _, cfg := range []aws.Config{s.data, s.app} {
		key, err := cfg.Credentials.Retrieve(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		secrets = append(secrets, key.SecretAccessKey, key.SessionToken)
	}
	if s.records(func(r record) bool { return r.EventName == "CreateTokenWithIAM" && r.ErrorCode != "" }) == nil {
		t.Error("the refused exchange is not in the trail")
	}
	s.noSecrets(secrets...)
}

// part is a part of a JWT with other members; nil takes one away.
func part(t *testing.T, text string, change map[string]any) string {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]any{}
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	for k, v := range change {
		if m[k] = v; v == nil {
			delete(m, k)
		}
	}
	if raw, err = json.Marshal(m); err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

// A token that is wrong in one thing is refused with the one error that tells a stranger nothing, and the operator sees
// which step it failed.
func (s *story) attackTokens(t *testing.T) {
	parts := func() []string { return strings.Split(s.token(mateo), ".") }
	now := time.Now().Unix()
	for _, a := range []struct {
		name, step string
		token      func() string
	}{
		{"wrong audience", "audience", func() string { return s.token(mateo, map[string]any{"aud": "another-application"}) }},
		{"wrong issuer", "issuer", func() string { return s.token(mateo, map[string]any{"iss": "http://127.0.0.1:1/other/v2.0"}) }},
		{"issuer with a slash more", "issuer", func() string { return s.token(mateo, map[string]any{"iss": s.issuer + "/"}) }},
		{"expired", "time", func() string { return s.token(mateo, map[string]any{"iat": now - 7200, "exp": now - 3600}) }},
		{"not valid yet", "time", func() string { return s.token(mateo, map[string]any{"nbf": now + 3600}) }},
		{"unmapped person", "person", func() string { return s.token(mateo, map[string]any{"oid": "00000000-0000-4000-8000-000000000000"}) }},
		{"without the claim", "person", func() string { return s.token(mateo, map[string]any{"oid": nil}) }},
		{"alg none", "assertion", func() string {
			p := parts()
			return part(t, p[0], map[string]any{"alg": "none"}) + "." + p[1] + "."
		}},
		{"alg none with a signature", "assertion", func() string {
			p := parts()
			return part(t, p[0], map[string]any{"alg": "None"}) + "." + p[1] + "." + p[2]
		}},
		{"alg HS256", "assertion", func() string {
			p := parts()
			return part(t, p[0], map[string]any{"alg": "HS256"}) + "." + p[1] + "." + p[2]
		}},
		{"another person under the same signature", "signature", func() string {
			p := parts()
			return p[0] + "." + part(t, p[1], map[string]any{"oid": "someone"}) + "." + p[2]
		}},
		{"a key that is not the issuer's", "signature", func() string {
			p := parts()
			return part(t, p[0], map[string]any{"kid": "nosuch"}) + "." + p[1] + "." + p[2]
		}},
		{"no token at all", "assertion", func() string { return "not.a.token" }},
	} {
		t.Run(a.name, func(t *testing.T) {
			_, err := s.swap(t.Context(), a.token())
			if codeOf(err) != "InvalidGrantException" {
				t.Fatalf("error = %v, want InvalidGrantException", err)
			}
			s.whyFailed(t, dataAccount, idOf(t, err), "CreateTokenWithIAM", a.step)
		})
	}
	t.Run("a good one", func(t *testing.T) {
		if _, err := s.swap(t.Context(), s.token(mateo)); err != nil {
			t.Error(err)
		}
	})
}

// whyFailed holds what `lakegate why` tells of a refused request: the operation, and the one step that failed.
func (s *story) whyFailed(t *testing.T, account, id, operation, step string) {
	t.Helper()
	var got struct {
		Operation, Outcome string
		Steps              []struct{ Step, Outcome string }
	}
	if err := json.Unmarshal([]byte(s.lakegate("why", id, "--dir", s.dir, "--account", account, "--json")), &got); err != nil {
		t.Fatal(err)
	}
	var failed []string
	for _, x := range got.Steps {
		if x.Outcome == "fail" {
			failed = append(failed, x.Step)
		}
	}
	if got.Operation != operation || len(failed) != 1 || failed[0] != step {
		t.Errorf("why: %s of outcome %s failed at %q, want %s at %q", got.Operation, got.Outcome, failed, operation, step)
	}
}

// Of many requests with one token at the same moment, one succeeds.
func (s *story) attackReplay(t *testing.T) {
	const tries = 12
	token := s.token(mateo)
	codes := make([]string, tries)
	ids := make([]string, tries)
	var wg sync.WaitGroup
	begin := make(chan struct{})
	for i := range tries {
		wg.Go(func() {
			<-begin
			_, err := s.swap(context.Background(), token)
			if codes[i] = codeOf(err); err != nil {
				ids[i] = idOf(t, err)
			}
		})
	}
	close(begin)
	wg.Wait()
	won, lost := 0, ""
	for i, c := range codes {
		switch c {
		case "":
			won++
		case "InvalidGrantException":
			lost = ids[i]
		default:
			t.Errorf("a replay was answered %q", c)
		}
	}
	if won != 1 {
		t.Errorf("%d of %d exchanges of one token succeeded, want 1", won, tries)
	}
	s.whyFailed(t, dataAccount, lost, "CreateTokenWithIAM", "first use")
}

// Who is disabled in the directory is nobody, with every credential that is out, at the next request.
func (s *story) attackDisabled(t *testing.T) {
	person := s.person(ana)
	vended, _, err := vend(t.Context(), person, storyBlue, types.PermissionRead)
	if err != nil {
		t.Fatal(err)
	}
	list := func() error {
		_, err := storage(vended).ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(storyLake), Prefix: aws.String("blue/")})
		return err
	}
	if err := list(); err != nil {
		t.Fatal(err)
	}
	before := s.token(ana)
	s.setActive(ana, false)
	if err := list(); codeOf(err) != "AccessDenied" {
		t.Errorf("vended credentials of a disabled person: %v", err)
	}
	if _, _, err := vend(t.Context(), person, storyBlue, types.PermissionRead); codeOf(err) != "AccessDenied" {
		t.Errorf("session of a disabled person: %v", err)
	}
	_, err = s.swap(t.Context(), before)
	if codeOf(err) != "InvalidGrantException" {
		t.Fatalf("token of a disabled person: %v", err)
	}
	s.whyFailed(t, dataAccount, idOf(t, err), "CreateTokenWithIAM", "person")
	s.setActive(ana, true)
	if err := list(); err != nil {
		t.Errorf("enabled again: %v", err)
	}
}

// setActive enables or disables a person by SCIM, as a corporate directory does.
func (s *story) setActive(user string, active bool) {
	s.t.Helper()
	s.scim("PATCH", "/Users/"+s.userByName(user), map[string]any{
		"schemas":    []string{"urn:ietf:params:scim:api:messages:2.0:PatchOp"},
		"Operations": []any{map[string]any{"op": "replace", "path": "active", "value": active}},
	})
}

// scim is a request of a provisioning client with a token of its own.
func (s *story) scim(method, path string, in any) []byte {
	s.t.Helper()
	env := map[string]string{}
	for _, v := range exports(s.lakegate("scim", "token", "--dir", s.dir, "--env")) {
		name, value, _ := strings.Cut(v, "=")
		env[name] = value
	}
	return s.call(method, env["SCIM_ENDPOINT"]+path, in, http.Header{"Authorization": {"Bearer " + env["SCIM_TOKEN"]}})
}

func (s *story) attackSignatures(t *testing.T) {
	good, err := s.app.Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	other, err := s.person(mateo).Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	admin, err := s.data.Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	flip := func(text string) string {
		c := byte('A')
		if text[len(text)/2] == c {
			c = 'B'
		}
		return text[:len(text)/2] + string(c) + text[len(text)/2+1:]
	}
	region := func(cfg aws.Config) aws.Config {
		cfg = cfg.Copy()
		cfg.Region = "eu-west-1"
		return cfg
	}
	for _, a := range []struct {
		name string
		cfg  aws.Config
		// The codes of S3, of a query service and of a JSON service.
		s3, query, json string
	}{
		{"wrong secret", with(s.data, credentials{admin.AccessKeyID, flip(admin.SecretAccessKey), ""}), "SignatureDoesNotMatch", "SignatureDoesNotMatch", "InvalidSignatureException"},
		{"unknown key", with(s.data, credentials{"AKIAAAAAAAAAAAAAAAAA", admin.SecretAccessKey, ""}), "InvalidAccessKeyId", "InvalidClientTokenId", "UnrecognizedClientException"},
		{"session token of another key", with(s.data, credentials{good.AccessKeyID, good.SecretAccessKey, other.SessionToken}), "InvalidToken", "InvalidClientTokenId", "UnrecognizedClientException"},
		{"session token changed", with(s.data, credentials{good.AccessKeyID, good.SecretAccessKey, flip(good.SessionToken)}), "InvalidToken", "InvalidClientTokenId", "UnrecognizedClientException"},
		{"session key without its token", with(s.data, credentials{good.AccessKeyID, good.SecretAccessKey, ""}), "InvalidAccessKeyId", "InvalidClientTokenId", "UnrecognizedClientException"},
		{"long-term key with a session token", with(s.data, credentials{admin.AccessKeyID, admin.SecretAccessKey, good.SessionToken}), "InvalidToken", "InvalidClientTokenId", "UnrecognizedClientException"},
		{"wrong Region", region(s.data), "AuthorizationHeaderMalformed", "SignatureDoesNotMatch", "InvalidSignatureException"},
	} {
		t.Run(a.name, func(t *testing.T) {
			_, err := storage(a.cfg).ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(storyLake)})
			if codeOf(err) != a.s3 {
				t.Errorf("S3: %v, want %s", err, a.s3)
			}
			_, err = sts.NewFromConfig(a.cfg).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
			if codeOf(err) != a.query {
				t.Errorf("STS: %v, want %s", err, a.query)
			}
			_, err = ssoadmin.NewFromConfig(a.cfg).ListInstances(t.Context(), &ssoadmin.ListInstancesInput{})
			if codeOf(err) != a.json {
				t.Errorf("SSO Admin: %v, want %s", err, a.json)
			}
		})
	}
	t.Run("a presigned URL of SigV2", func(t *testing.T) {
		status, body := fetch(t, "http://"+s.API+"/"+storyLake+"/red/a?AWSAccessKeyId="+admin.AccessKeyID+"&Expires=4102444800&Signature=c2lnbmF0dXJl")
		if status != http.StatusBadRequest || !strings.Contains(body, "<Code>InvalidRequest</Code>") || !strings.Contains(body, "Please use AWS4-HMAC-SHA256") {
			t.Errorf("%d %s", status, body)
		}
	})
	t.Run("a header of SigV2", func(t *testing.T) {
		got := s.send(t, raw{"", "GET", "/" + storyLake, map[string]string{"Authorization": "AWS " + admin.AccessKeyID + ":c2lnbmF0dXJl"}, ""})
		if got.status != http.StatusBadRequest || !strings.Contains(got.body, "<Code>InvalidRequest</Code>") || !strings.Contains(got.body, "Please use AWS4-HMAC-SHA256") {
			t.Errorf("%d %s", got.status, got.body)
		}
	})
	t.Run("nobody", func(t *testing.T) {
		for name, r := range map[string]raw{
			"MissingAuthenticationTokenException":             {"", "POST", "/", target("SWBExternalService.ListInstances"), "{}"},
			"<Code>MissingAuthenticationToken</Code>":         {"", "POST", "/", form, "Action=ListUsers&Version=2010-05-08"},
			"<ErrorResponse><Error><Code>AccessDenied</Code>": {"", "GET", "/v20180820/accessgrantsinstance", account, ""},
		} {
			if got := s.send(t, r); got.status != http.StatusForbidden || !strings.Contains(got.body, name) {
				t.Errorf("%d %.300s, want %s", got.status, got.body, name)
			}
		}
		for _, path := range []string{"/", "/" + storyLake, "/" + storyLake + "/red/a"} {
			if status, body := fetch(t, "http://"+s.API+path); status != http.StatusForbidden || !strings.Contains(body, "<Code>AccessDenied</Code>") {
				t.Errorf("GET %s: %d %s", path, status, body)
			}
		}
	})
}
