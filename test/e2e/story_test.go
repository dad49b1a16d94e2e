package e2e

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	sdkcredentials "github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3control"
	"github.com/aws/aws-sdk-go-v2/service/s3control/types"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin"
	ssotypes "github.com/aws/aws-sdk-go-v2/service/ssoadmin/types"
	"github.com/aws/aws-sdk-go-v2/service/ssooidc"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/aws/smithy-go"
)

// What the demonstration sets up.
const (
	ana        = "ana@example.com"
	storyLake  = "sales-data-111111111111"
	storyRed   = "s3://sales-data-111111111111/red/*"
	storyBlue  = "s3://sales-data-111111111111/blue/*"
	bearerRole = "arn:aws:iam::111111111111:role/IdentityBearerRole"
	appRole    = "arn:aws:iam::111111111111:role/ApplicationRole"
)

// story is a server with the seeded demonstration: the whole chain is configured, and the tests are its clients.
type story struct {
	*world
	center aws.Config // the administrator of the identity center's account
	data   aws.Config // the administrator of the data's account
	app    aws.Config // the data application's role
}

func newStory(t *testing.T, args ...string) *story {
	t.Helper()
	p := start(t, append(append([]string{"demo", "--no-browser"}, anyPorts(true)...), args...)...)
	s := &story{world: &world{process: p, t: t}}
	s.discover()
	s.center, s.data = s.administrator(centerAccount), s.administrator(dataAccount)
	center := ssoadmin.NewFromConfig(s.data)
	instances, err := center.ListInstances(t.Context(), &ssoadmin.ListInstancesInput{})
	if err != nil || len(instances.Instances) != 1 {
		t.Fatalf("instances = %v, %v", instances, err)
	}
	s.instance, s.store = *instances.Instances[0].InstanceArn, *instances.Instances[0].IdentityStoreId
	list, err := center.ListApplications(t.Context(), &ssoadmin.ListApplicationsInput{InstanceArn: &s.instance, Filter: &ssotypes.ListApplicationsFilter{ApplicationAccount: aws.String(dataAccount)}})
	if err != nil {
		t.Fatal(err)
	}
	// The access grants instance has an application of its own there.
	for _, a := range list.Applications {
		if aws.ToString(a.Name) == "SalesDashboard" {
			s.application = *a.ApplicationArn
		}
	}
	if s.application == "" {
		t.Fatal("the application is not there")
	}
	s.app = s.assumed(s.machine(), &sts.AssumeRoleInput{RoleArn: aws.String(appRole), RoleSessionName: aws.String("dataapp")})
	return s
}

func (s *story) administrator(account string) aws.Config {
	s.t.Helper()
	env := map[string]string{}
	for _, v := range exports(s.lakegate("env", "--dir", s.dir, "--account", account)) {
		name, value, _ := strings.Cut(v, "=")
		env[name] = value
	}
	return aws.Config{
		Region: env["AWS_DEFAULT_REGION"], BaseEndpoint: aws.String(env["AWS_ENDPOINT_URL"]), HTTPClient: s.door(), RetryMaxAttempts: 1,
		Credentials: sdkcredentials.NewStaticCredentialsProvider(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], ""),
	}
}

// machine is the data application's machine, whose key is in the profile that the demonstration writes for it.
func (s *story) machine() aws.Config {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(s.dir, "dataapp.aws"))
	if err != nil {
		s.t.Fatal(err)
	}
	id := regexp.MustCompile(`aws_access_key_id = (\S+)`).FindSubmatch(text)
	secret := regexp.MustCompile(`aws_secret_access_key = (\S+)`).FindSubmatch(text)
	if id == nil || secret == nil {
		s.t.Fatal("the application's profile has no key")
	}
	return with(s.data, credentials{AccessKeyId: string(id[1]), SecretAccessKey: string(secret[1])})
}

// door reaches the API door directly, and every other host through it as a proxy.
func (p *process) door() *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true, Proxy: func(r *http.Request) (*url.URL, error) {
		if host, _, err := net.SplitHostPort(r.URL.Host); err == nil && host == "127.0.0.1" {
			return nil, nil
		}
		return &url.URL{Scheme: "http", Host: p.API}, nil
	}}}
}

// with is a configuration with other credentials.
func with(cfg aws.Config, c credentials) aws.Config {
	cfg = cfg.Copy()
	cfg.Credentials = sdkcredentials.NewStaticCredentialsProvider(c.AccessKeyId, c.SecretAccessKey, c.SessionToken)
	return cfg
}

// assumed is the configuration of a role that is taken on.
func (s *story) assumed(cfg aws.Config, in *sts.AssumeRoleInput) aws.Config {
	s.t.Helper()
	out, err := sts.NewFromConfig(cfg).AssumeRole(s.t.Context(), in)
	if err != nil {
		s.t.Fatal(err)
	}
	return with(cfg, credentials{*out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey, *out.Credentials.SessionToken})
}

// swap exchanges a token for an identity context, as the data application.
func (s *story) swap(ctx context.Context, token string) (string, error) {
	out, err := ssooidc.NewFromConfig(s.app).CreateTokenWithIAM(ctx, &ssooidc.CreateTokenWithIAMInput{
		ClientId: &s.application, GrantType: aws.String(jwtBearer), Assertion: &token,
	})
	if err != nil {
		return "", err
	}
	return aws.ToString(out.AwsAdditionalDetails.IdentityContext), nil
}

// person is the session in a person's name.
func (s *story) person(user string) aws.Config {
	s.t.Helper()
	identity, err := s.swap(s.t.Context(), s.token(user))
	if err != nil {
		s.t.Fatal(err)
	}
	return s.assumed(s.app, withContext(identity))
}

// withContext asks for the role that carries a person.
func withContext(identity string) *sts.AssumeRoleInput {
	return &sts.AssumeRoleInput{RoleArn: aws.String(bearerRole), RoleSessionName: aws.String("person"),
		ProvidedContexts: []ststypes.ProvidedContext{{ProviderArn: aws.String(contexts), ContextAssertion: &identity}}}
}

// control is the client of s3control, on a host that resolves nowhere.
func control(cfg aws.Config) *s3control.Client {
	return s3control.NewFromConfig(cfg, func(o *s3control.Options) { o.BaseEndpoint = aws.String("http://lakegate.internal") })
}

// vend asks for access to a target.
func vend(ctx context.Context, cfg aws.Config, target string, permission types.Permission) (aws.Config, *s3control.GetDataAccessOutput, error) {
	out, err := control(cfg).GetDataAccess(ctx, &s3control.GetDataAccessInput{AccountId: aws.String(dataAccount), Target: &target, Permission: permission})
	if err != nil {
		return aws.Config{}, nil, err
	}
	return with(cfg, credentials{*out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey, *out.Credentials.SessionToken}), out, nil
}

// storage is the client of S3 with buckets in the path.
func storage(cfg aws.Config) *s3.Client {
	return s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true })
}

// storageAt is a client of an endpoint with a key.
func storageAt(endpoint string, key credentials) *s3.Client {
	return storage(with(aws.Config{Region: "us-east-1", BaseEndpoint: &endpoint}, key))
}

// codeOf is the code of an answer, "" for success, and the text of what is no answer.
func codeOf(err error) string {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		return e.ErrorCode()
	}
	return err.Error()
}

// idOf is the request id of an answer that was an error.
func idOf(t *testing.T, err error) string {
	t.Helper()
	e, ok := errors.AsType[*awshttp.ResponseError](err)
	if !ok || e.ServiceRequestID() == "" {
		t.Fatalf("no request id in %v", err)
	}
	return e.ServiceRequestID()
}
