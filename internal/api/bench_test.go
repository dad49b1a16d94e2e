package api_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/lakegate/lakegate/internal/api/s3control"
	"github.com/lakegate/lakegate/internal/api/ssooidc"
	"github.com/lakegate/lakegate/internal/api/sts"
)

// discard is a response whose bytes go nowhere.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}

type benchService struct {
	expires time.Time
}

func (b benchService) GetDataAccess(_ context.Context, in *s3control.GetDataAccessInput) (*s3control.GetDataAccessOutput, error) {
	return &s3control.GetDataAccessOutput{
		Credentials: &s3control.Credentials{
			AccessKeyId: new("ASIAIOSFODNN7EXAMPLE"), SecretAccessKey: new(strings.Repeat("s", 40)), SessionToken: new(strings.Repeat("t", 800)), Expiration: &b.expires,
		},
		MatchedGrantTarget: &in.Target, Grantee: &s3control.Grantee{GranteeType: new(s3control.GranteeTypeDIRECTORYGROUP), GranteeIdentifier: new("group")},
	}, nil
}

func (b benchService) CreateTokenWithIAM(_ context.Context, in *ssooidc.CreateTokenWithIAMInput) (*ssooidc.CreateTokenWithIAMOutput, error) {
	token := strings.Repeat("t", 800)
	return &ssooidc.CreateTokenWithIAMOutput{AccessToken: &token, IdToken: &token, TokenType: new("Bearer"), ExpiresIn: new(3600), Scope: in.Scope}, nil
}

func (b benchService) AssumeRole(_ context.Context, in *sts.AssumeRoleInput) (*sts.AssumeRoleOutput, error) {
	return &sts.AssumeRoleOutput{Credentials: &sts.Credentials{AccessKeyId: "ASIA", SecretAccessKey: "s", SessionToken: strings.Repeat("t", 800), Expiration: b.expires},
		AssumedRoleUser: &sts.AssumedRoleUser{Arn: in.RoleArn, AssumedRoleId: "AROA:session"}}, nil
}

// BenchmarkOperations is the cost of the wire alone: name, decode, validate and answer, without signature and decision.
func BenchmarkOperations(b *testing.B) {
	impl := benchService{expires: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	mux := implementations{s3control: impl, ssooidc: impl, sts: impl}.mux()
	access := httptest.NewRequest("GET", "/v20180820/accessgrantsinstance/dataaccess?target=s3%3A%2F%2Fbucket%2Fred%2F%2A&permission=READ&durationSeconds=900&privilege=Default", nil)
	access.Header.Set("X-Amz-Account-Id", "111111111111")
	for _, bench := range []struct {
		name, signedFor, body string
		r                     *http.Request
	}{
		{"GetDataAccess", "s3", "", access},
		{"CreateTokenWithIAM", "sso-oauth", `{"clientId":"arn:aws:sso::222222222222:application/ssoins-1/apl-1","grantType":"urn:ietf:params:oauth:grant-type:jwt-bearer","scope":["openid"],"assertion":"` +
			strings.Repeat("a", 1000) + `"}`, httptest.NewRequest("POST", "/token?aws_iam=t", nil)},
		{"AssumeRole", "sts", "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A111111111111%3Arole%2FApp&RoleSessionName=session&ProvidedContexts.member.1.ProviderArn=" +
			"arn%3Aaws%3Aiam%3A%3Aaws%3AcontextProvider%2FIdentityCenter&ProvidedContexts.member.1.ContextAssertion=" + strings.Repeat("a", 1000), httptest.NewRequest("POST", "/", nil)},
	} {
		b.Run(bench.name, func(b *testing.B) {
			body := []byte(bench.body)
			b.ReportAllocs()
			for b.Loop() {
				call, _ := mux.Name(bench.r, body, bench.signedFor)
				in, err := call.Decode(bench.r, body)
				if err != nil {
					b.Fatal(err)
				}
				out, err := call.Invoke(b.Context(), in)
				if err != nil {
					b.Fatal(err)
				}
				if err := call.WriteOutput(discard{http.Header{}}, "request-1", out); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
