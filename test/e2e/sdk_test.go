package e2e

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	tmtypes "github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager/types"
	"github.com/aws/aws-sdk-go-v2/service/identitystore"
	iddocument "github.com/aws/aws-sdk-go-v2/service/identitystore/document"
	idtypes "github.com/aws/aws-sdk-go-v2/service/identitystore/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3control"
	"github.com/aws/aws-sdk-go-v2/service/s3control/types"
	"github.com/aws/aws-sdk-go-v2/service/ssooidc"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"
)

// chainVariable makes this test binary a program that walks the chain, with the SDK's settings in its environment and
// nowhere else, and prints what it found.
const chainVariable = "LAKEGATE_E2E_CHAIN"

// chainAsk is what the program is told.
type chainAsk struct{ Application, Role, Token, Account, Target, Bucket, Prefix string }

// chainAnswer is what it found.
type chainAnswer struct {
	Identity, Matched, GranteeType string
	Keys                           []string
	FirstLine                      string
	// OutsideCode is the answer to a list of the whole bucket with the vended credentials.
	OutsideCode string
}

// runChain is the program.
func runChain(ask string) int {
	var in chainAsk
	err := json.Unmarshal([]byte(ask), &in)
	if err == nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		var out chainAnswer
		if out, err = walkChain(ctx, in); err == nil {
			err = json.NewEncoder(os.Stdout).Encode(out)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func walkChain(ctx context.Context, in chainAsk) (out chainAnswer, err error) {
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return out, err
	}
	token, err := ssooidc.NewFromConfig(cfg).CreateTokenWithIAM(ctx, &ssooidc.CreateTokenWithIAMInput{ClientId: &in.Application, GrantType: aws.String(jwtBearer), Assertion: &in.Token})
	if err != nil {
		return out, err
	}
	session, err := sts.NewFromConfig(cfg).AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: &in.Role, RoleSessionName: aws.String("person"),
		ProvidedContexts: []ststypes.ProvidedContext{{ProviderArn: aws.String(contexts), ContextAssertion: token.AwsAdditionalDetails.IdentityContext}}})
	if err != nil {
		return out, err
	}
	out.Identity = aws.ToString(session.AssumedRoleUser.Arn)
	person := with(cfg, credentials{*session.Credentials.AccessKeyId, *session.Credentials.SecretAccessKey, *session.Credentials.SessionToken})
	access, err := s3control.NewFromConfig(person).GetDataAccess(ctx, &s3control.GetDataAccessInput{AccountId: &in.Account, Target: &in.Target, Permission: types.PermissionRead})
	if err != nil {
		return out, err
	}
	out.Matched, out.GranteeType = aws.ToString(access.MatchedGrantTarget), string(access.Grantee.GranteeType)
	reader := s3.NewFromConfig(with(cfg, credentials{*access.Credentials.AccessKeyId, *access.Credentials.SecretAccessKey, *access.Credentials.SessionToken}))
	list, err := reader.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &in.Bucket, Prefix: &in.Prefix})
	if err != nil {
		return out, err
	}
	for _, o := range list.Contents {
		out.Keys = append(out.Keys, *o.Key)
	}
	if len(out.Keys) == 0 {
		return out, errors.New("the listing is empty")
	}
	object, err := reader.GetObject(ctx, &s3.GetObjectInput{Bucket: &in.Bucket, Key: &out.Keys[0]})
	if err != nil {
		return out, err
	}
	defer func() { _ = object.Body.Close() }()
	text, err := io.ReadAll(object.Body)
	out.FirstLine, _, _ = strings.Cut(string(text), "\n")
	_, outside := reader.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &in.Bucket})
	out.OutsideCode = codeOf(outside)
	return out, err
}

// byEnvironment walks the chain for a person in a process of its own, configured by environment alone: what `lakegate env`
// prints, with the application's credentials instead of the administrator's.
func (s *story) byEnvironment(user string) {
	s.t.Helper()
	app, err := s.app.Credentials.Retrieve(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	ask, err := json.Marshal(chainAsk{Application: s.application, Role: bearerRole, Token: s.token(user), Account: dataAccount, Target: storyRed, Bucket: storyLake, Prefix: "red/"})
	if err != nil {
		s.t.Fatal(err)
	}
	var out, errs bytes.Buffer
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(s.environment(dataAccount), "AWS_ACCESS_KEY_ID="+app.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+app.SecretAccessKey, "AWS_SESSION_TOKEN="+app.SessionToken, chainVariable+"="+string(ask))
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		s.t.Fatalf("the chain by environment: %v\n%s", err, errs.String())
	}
	var got chainAnswer
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		s.t.Fatalf("%v\n%s", err, out.String())
	}
	if got.Identity != "arn:aws:sts::111111111111:assumed-role/IdentityBearerRole/person" || got.Matched != storyRed || got.GranteeType != "DIRECTORY_GROUP" ||
		len(got.Keys) != 3 || got.FirstLine != "date,product,region,quantity,revenue" || got.OutsideCode != "AccessDenied" {
		s.t.Errorf("the chain by environment: %+v", got)
	}
}

func TestSDKForGo(t *testing.T) {
	s := newStory(t)
	t.Run("the whole chain by environment alone", func(*testing.T) { s.byEnvironment(mateo) })

	t.Run("a presigned URL lives as long as its grant", func(t *testing.T) {
		// A grant of Mateo's own, so that the others stay as they are.
		user := s.userByName(mateo)
		client := control(s.data)
		locations, err := client.ListAccessGrantsLocations(t.Context(), &s3control.ListAccessGrantsLocationsInput{AccountId: aws.String(dataAccount)})
		if err != nil {
			t.Fatal(err)
		}
		grant, err := client.CreateAccessGrant(t.Context(), &s3control.CreateAccessGrantInput{
			AccountId: aws.String(dataAccount), AccessGrantsLocationId: locations.AccessGrantsLocationsList[0].AccessGrantsLocationId, Permission: types.PermissionRead,
			AccessGrantsLocationConfiguration: &types.AccessGrantsLocationConfiguration{S3SubPrefix: aws.String("mine/*")},
			Grantee:                           &types.Grantee{GranteeType: types.GranteeTypeDirectoryUser, GranteeIdentifier: &user},
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := storage(s.data).PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(storyLake), Key: aws.String("mine/a b+c.txt"), Body: strings.NewReader("mine")}); err != nil {
			t.Fatal(err)
		}
		vended, _, err := vend(t.Context(), s.person(mateo), "s3://"+storyLake+"/mine/*", types.PermissionRead)
		if err != nil {
			t.Fatal(err)
		}
		signed, err := s3.NewPresignClient(storage(vended)).PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(storyLake), Key: aws.String("mine/a b+c.txt")}, s3.WithPresignExpires(time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		if status, body := fetch(t, signed.URL); status != http.StatusOK || body != "mine" {
			t.Fatalf("presigned: %d %s", status, body)
		}
		if status, body := fetch(t, strings.Replace(signed.URL, "mine/", "red/", 1)); status != http.StatusForbidden || !strings.Contains(body, "<Code>SignatureDoesNotMatch</Code>") {
			t.Errorf("presigned for another object: %d %s", status, body)
		}
		if _, err := client.DeleteAccessGrant(t.Context(), &s3control.DeleteAccessGrantInput{AccountId: aws.String(dataAccount), AccessGrantId: grant.AccessGrantId}); err != nil {
			t.Fatal(err)
		}
		if status, body := fetch(t, signed.URL); status != http.StatusForbidden || !strings.Contains(body, "<Code>AccessDenied</Code>") {
			t.Errorf("presigned, after the grant was deleted: %d %s", status, body)
		}
	})

	t.Run("an upload in parts", func(t *testing.T) {
		content := bytes.Repeat([]byte("0123456789abcdef"), (11<<20)/16) // two parts and a rest
		admin := s.person("wang@example.com")
		vended, _, err := vend(t.Context(), admin, "s3://"+storyLake+"/*", types.PermissionReadwrite)
		if err != nil {
			t.Fatal(err)
		}
		key := aws.String("parts/large.bin")
		_, err = transfermanager.New(storage(vended), func(o *transfermanager.Options) {
			o.PartSizeBytes, o.MultipartUploadThreshold, o.ChecksumAlgorithm = 5<<20, 5<<20, tmtypes.ChecksumAlgorithmCrc32
		}).UploadObject(t.Context(), &transfermanager.UploadObjectInput{Bucket: aws.String(storyLake), Key: key, Body: bytes.NewReader(content)})
		if err != nil {
			t.Fatal(err)
		}
		got, err := storage(vended).GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(storyLake), Key: key})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = got.Body.Close() }()
		if text, err := io.ReadAll(got.Body); err != nil || !bytes.Equal(text, content) {
			t.Errorf("%d bytes came back, %v; want the %d that were sent", len(text), err, len(content))
		}
		if !strings.HasSuffix(strings.Trim(aws.ToString(got.ETag), `"`), "-3") {
			t.Errorf("ETag = %s, want one of three parts", aws.ToString(got.ETag))
		}
		// Who may read may not begin an upload, and none is left behind.
		reader, _, err := vend(t.Context(), s.person(mateo), storyRed, types.PermissionRead)
		if err != nil {
			t.Fatal(err)
		}
		_, err = storage(reader).CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: aws.String(storyLake), Key: aws.String("red/x")})
		if codeOf(err) != "AccessDenied" {
			t.Errorf("a reader begins an upload: %v", err)
		}
		uploads, err := storage(s.data).ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: aws.String(storyLake)})
		if err != nil || len(uploads.Uploads) != 0 {
			t.Errorf("uploads = %v, %v", uploads, err)
		}
	})

	t.Run("the SDK for Python", func(t *testing.T) { s.python(t) })
}

// python walks the chain with boto3, by environment alone.
func (s *story) python(t *testing.T) {
	python := need(t, "python3")
	if err := exec.Command(python, "-c", "import boto3").Run(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("python3 has no boto3")
		}
		t.Skip("not run: python3 has no boto3")
	}
	app, err := s.app.Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	script, err := filepath.Abs("testdata/chain.py")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, script, s.application, bearerRole, s.token(mateo))
	cmd.Env = append(s.environment(dataAccount), "AWS_ACCESS_KEY_ID="+app.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+app.SecretAccessKey, "AWS_SESSION_TOKEN="+app.SessionToken)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	text, err := cmd.Output()
	if err != nil {
		t.Fatalf("chain.py: %v\n%s", err, errs.String())
	}
	var got struct {
		Matched, Line, Outside, Blue string
		Keys                         []string
	}
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if got.Matched != storyRed || got.Line != "date,product,region,quantity,revenue" || got.Outside != "AccessDenied" || got.Blue != "AccessDenied" || len(got.Keys) != 3 || !slices.IsSortedFunc(got.Keys, cmp.Compare[string]) {
		t.Errorf("chain.py: %+v", got)
	}
}

// userByName is the id of a person.
func (s *story) userByName(name string) string {
	s.t.Helper()
	out, err := identitystore.NewFromConfig(s.center).GetUserId(s.t.Context(), &identitystore.GetUserIdInput{IdentityStoreId: &s.store,
		AlternateIdentifier: &idtypes.AlternateIdentifierMemberUniqueAttribute{Value: idtypes.UniqueAttribute{
			AttributePath: aws.String("userName"), AttributeValue: iddocument.NewLazyDocument(name)}}})
	if err != nil {
		s.t.Fatal(err)
	}
	return *out.UserId
}

// fetch makes a request without anything but the URL.
func fetch(t *testing.T, address string) (status int, body string) {
	t.Helper()
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}
