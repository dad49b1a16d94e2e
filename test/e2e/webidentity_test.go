package e2e

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/go-jose/go-jose/v4"
)

const podRole = "robot"

// pods is an issuer as Kubernetes is one, and the environment of a pod whose service account has a projected token.
type pods struct {
	t    *testing.T
	url  string
	key  *ecdsa.PrivateKey
	file string
}

func newPods(t *testing.T) *pods {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p := &pods{t: t, key: key, file: filepath.Join(t.TempDir(), "token")}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/.well-known/openid-configuration") {
			_ = json.NewEncoder(w).Encode(map[string]string{"issuer": p.url, "jwks_uri": p.url + "/openid/v1/jwks"})
			return
		}
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k", Use: "sig"}}})
	}))
	t.Cleanup(s.Close)
	p.url = s.URL
	return p
}

// project writes the token of a service account where the pod has it.
func (p *pods) project(account string) {
	p.t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: p.key}, (&jose.SignerOptions{}).WithHeader("kid", "k"))
	if err != nil {
		p.t.Fatal(err)
	}
	now := time.Now()
	claims, err := json.Marshal(map[string]any{
		"iss": p.url, "sub": "system:serviceaccount:lake:" + account, "aud": []string{"sts.amazonaws.com"},
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(time.Hour).Unix(),
		"kubernetes.io": map[string]any{"namespace": "lake", "serviceaccount": map[string]string{"name": account, "uid": "1"}},
	})
	if err != nil {
		p.t.Fatal(err)
	}
	jws, err := signer.Sign(claims)
	if err != nil {
		p.t.Fatal(err)
	}
	text, err := jws.CompactSerialize()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(p.file, []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// environment is what is set in the pod: no keys.
func (p *pods) environment(s *process, role string) []string {
	// The SDK for Go asks STS for the role before it has read the endpoint of all services.
	return append(s.clean(), "HOME="+p.t.TempDir(), "AWS_ENDPOINT_URL=http://"+s.API, "AWS_ENDPOINT_URL_STS=http://"+s.API, "AWS_REGION=us-east-1", "AWS_DEFAULT_REGION=us-east-1",
		"AWS_ROLE_ARN="+role, "AWS_WEB_IDENTITY_TOKEN_FILE="+p.file, "AWS_ROLE_SESSION_NAME=pod")
}

// TestWebIdentity: an application in a cluster gets its role by the token of its service account, with unmodified clients
// and without keys; another service account does not.
func TestWebIdentity(t *testing.T) {
	cluster := newPods(t)
	s := start(t, append([]string{"serve", "--config", settings(t, "development: true\nmanagement_account: \"222222222222\"\n")}, anyPorts(false)...)...)
	admin := s.as("222222222222")
	provider := get[struct{ OpenIDConnectProviderArn string }](admin, "iam", "create-open-id-connect-provider", "--url", cluster.url, "--client-id-list", "sts.amazonaws.com").OpenIDConnectProviderArn
	name := strings.TrimPrefix(cluster.url, "http://")
	trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"` + provider + `"},"Action":"sts:AssumeRoleWithWebIdentity",
		"Condition":{"StringEquals":{"` + name + `:sub":"system:serviceaccount:lake:robot","` + name + `:aud":"sts.amazonaws.com"}}}]}`
	role := get[struct{ Role struct{ Arn string } }](admin, "iam", "create-role", "--role-name", podRole, "--assume-role-policy-document", trust).Role.Arn
	admin.run("iam", "put-role-policy", "--role-name", podRole, "--policy-name", "lake", "--policy-document",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:CreateBucket","s3:PutObject","s3:GetObject"],"Resource":"*"}]}`)
	want := "arn:aws:sts::222222222222:assumed-role/" + podRole + "/pod"

	t.Run("the AWS CLI", func(t *testing.T) {
		cluster.project("robot")
		pod := &shell{t: t, aws: need(t, "aws"), env: cluster.environment(s, role), dir: t.TempDir()}
		if got := get[struct{ Arn string }](pod, "sts", "get-caller-identity").Arn; got != want {
			t.Errorf("it is %s, want %s", got, want)
		}
		pod.run("s3api", "create-bucket", "--bucket", "lake")
		pod.file("hello", "hello")
		pod.run("s3api", "put-object", "--bucket", "lake", "--key", "hello", "--body", "hello")
		pod.refused("AccessDenied", "iam", "list-users")
		cluster.project("thief")
		pod.env = cluster.environment(s, role) // the CLI keeps credentials in the home directory
		pod.refused("AccessDenied", "sts", "get-caller-identity")
	})
	t.Run("the SDK for Go", func(t *testing.T) {
		cluster.project("robot")
		for _, v := range cluster.environment(s, role) {
			key, value, _ := strings.Cut(v, "=")
			if strings.HasPrefix(key, "AWS_") {
				t.Setenv(key, value)
			}
		}
		cfg, err := config.LoadDefaultConfig(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		who, err := sts.NewFromConfig(cfg).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
		if err != nil || *who.Arn != want {
			t.Fatalf("%v, %v", who, err)
		}
		out, err := s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true }).GetObject(t.Context(), &s3.GetObjectInput{Bucket: new("lake"), Key: new("hello")})
		if err != nil {
			t.Fatal(err)
		}
		_ = out.Body.Close()
	})
	t.Run("the SDK for Python", func(t *testing.T) {
		cluster.project("robot")
		python := need(t, "python3")
		if err := exec.Command(python, "-c", "import boto3").Run(); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatal("python3 has no boto3")
			}
			t.Skip("not run: python3 has no boto3")
		}
		cmd := exec.Command(python, "-c", `import boto3; print(boto3.client("sts").get_caller_identity()["Arn"])`)
		cmd.Env = cluster.environment(s, role)
		var errs bytes.Buffer
		cmd.Stderr = &errs
		out, err := cmd.Output()
		if err != nil || strings.TrimSpace(string(out)) != want {
			t.Errorf("%s, %v\n%s", out, err, errs.String())
		}
	})
	t.Run("the trail", func(t *testing.T) {
		out := admin.run("cloudtrail", "lookup-events", "--lookup-attributes", "AttributeKey=EventName,AttributeValue=AssumeRoleWithWebIdentity", "--output", "text", "--query", "Events[].CloudTrailEvent")
		for _, text := range []string{`"type":"WebIdentityUser"`, `"identityProvider":"` + provider + `"`, "system:serviceaccount:lake:robot", "system:serviceaccount:lake:thief", `"errorCode":"AccessDenied"`} {
			if !strings.Contains(out, text) {
				t.Errorf("the trail lacks %s:\n%s", text, out)
			}
		}
		if strings.Contains(out, "eyJ") {
			t.Error("the trail has a token")
		}
	})
}
