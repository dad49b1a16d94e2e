package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/s3control"
	"github.com/aws/aws-sdk-go-v2/service/s3control/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// call is one operation of S3 on a key of its own, with what it needs at S3 and which credentials of a grant have it.
type call struct {
	name    string
	actions string // separated by spaces
	grant   string // the permissions of a grant that have it: "R", "W", "RW" for READ, WRITE and both together alone
	do      func(ctx context.Context, c *s3.Client, o *object) error
}

// object is what a call works on, made anew for each try.
type object struct {
	bucket, key, version, upload string
}

func (o *object) at() (bucket, key *string) { return &o.bucket, &o.key }

var calls = []call{
	{"GetObject", "s3:GetObject", "R", func(ctx context.Context, c *s3.Client, o *object) error {
		out, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: &o.bucket, Key: &o.key})
		if err == nil {
			_ = out.Body.Close()
		}
		return err
	}},
	{"GetObject of a version", "s3:GetObjectVersion", "R", func(ctx context.Context, c *s3.Client, o *object) error {
		out, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: &o.bucket, Key: &o.key, VersionId: &o.version})
		if err == nil {
			_ = out.Body.Close()
		}
		return err
	}},
	{"HeadObject", "s3:GetObject", "R", func(ctx context.Context, c *s3.Client, o *object) error {
		_, err := c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &o.bucket, Key: &o.key})
		return err
	}},
	{"GetObjectAttributes", "s3:GetObject", "R", func(ctx context.Context, c *s3.Client, o *object) error {
		_, err := c.GetObjectAttributes(ctx, &s3.GetObjectAttributesInput{Bucket: &o.bucket, Key: &o.key, ObjectAttributes: []s3types.ObjectAttributes{s3types.ObjectAttributesEtag}})
		return err
	}},
	{"GetObjectAcl", "s3:GetObjectAcl", "R", func(ctx context.Context, c *s3.Client, o *object) error {
		_, err := c.GetObjectAcl(ctx, &s3.GetObjectAclInput{Bucket: &o.bucket, Key: &o.key})
		return err
	}},
	{"GetObjectTagging", "s3:GetObjectTagging", "", func(ctx context.Context, c *s3.Client, o *object) error {
		_, err := c.GetObjectTagging(ctx, &s3.GetObjectTaggingInput{Bucket: &o.bucket, Key: &o.key})
		return err
	}},
	{"GetObjectRetention", "s3:GetObjectRetention", "", func(ctx context.Context, c *s3.Client, o *object) error {
		_, err := c.GetObjectRetention(ctx, &s3.GetObjectRetentionInput{Bucket: &o.bucket, Key: &o.key})
		return err
	}},
	{"GetObjectLegalHold", "s3:GetObjectLegalHold", "", func(ctx context.Context, c *s3.Client, o *object) error {
		_, err := c.GetObjectLegalHold(ctx, &s3.GetObjectLegalHoldInput{Bucket: &o.bucket, Key: &o.key})
		return err
	}},
	{"PutObject", "s3:PutObject", "W", func(ctx context.Context, c *s3.Client, o *object) error {
		_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: &o.bucket, Key: &o.key, Body: strings.NewReader("new")})
		return err
	}},
	{"PutObject with an ACL", "s3:PutObject s3:PutObjectAcl", "W", func(ctx context.Context, c *s3.Client, o *object) error {
		_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: &o.bucket, Key: &o.key, Body: strings.NewReader("new"), ACL: s3types.ObjectCannedACLBucketOwnerFullControl})
		return err
	}},
	{"PutObject with tags", "s3:PutObject s3:PutObjectTagging", "", func(ctx context.Context, c *s3.Client, o *object) error {
		_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: &o.bucket, Key: &o.key, Body: strings.NewReader("new"), Tagging: aws.String("a=b")})
		return err
	}},
	{"PutObject with a legal hold", "s3:PutObject s3:PutObjectLegalHold", "", func(ctx context.Context, c *s3.Client, o *object) error {
		_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: &o.bucket, Key: &o.key, Body: strings.NewReader("new"), ObjectLockLegalHoldStatus: s3types.ObjectLockLegalHoldStatusOff})
		return err
	}},
	{"PutObjectAcl", "s3:PutObjectAcl", "W", func(ctx context.Context, c *s3.Client, o *object) error {
		_, err := c.PutObjectAcl(ctx, &s3.PutObjectAclInput{Bucket: &o.bucket, Key: &o.key, ACL: s3types.ObjectCannedACLBucketOwnerFullControl})
		return err
	}},
	{"PutObjectTagging", "s3:PutObjectTagging", "", func(ctx context.Context, c *s3.Client, o *object) error {
		_, err := c.PutObjectTagging(ctx, &s3.PutObjectTaggingInput{Bucket: &o.bucket, Key: &o.key, Tagging: &s3types.Tagging{TagSet: []s3types.Tag{{Key: aws.String("a"), Value: aws.String("b")}}}})
		return err
	}},
	{"DeleteObjectTagging", "s3:DeleteObjectTagging", "", func(ctx context.Context, c *s3.Client, o *object) error {
		_, err := c.DeleteObjectTagging(ctx, &s3.DeleteObjectTaggingInput{Bucket: &o.bucket, Key: &o.key})
		return err
	}},
	{"PutObjectRetention", "s3:PutObjectRetention", "", func(ctx context.Context, c *s3.Client, o *object) error {
		_, err := c.PutObjectRetention(ctx, &s3.PutObjectRetentionInput{Bucket: &o.bucket, Key: &o.key,
			Retention: &s3types.ObjectLockRetention{Mode: s3types.ObjectLockRetentionModeGovernance, RetainUntilDate: aws.Time(time.Now().Add(time.Minute))}})
		return err
	}},
	{"PutObjectLegalHold", "s3:PutObjectLegalHold", "", func(ctx context.Context, c *s3.Client, o *object) error {
		_, err := c.PutObjectLegalHold(ctx, &s3.PutObjectLegalHoldInput{Bucket: &o.bucket, Key: &o.key, LegalHold: &s3types.ObjectLockLegalHold{Status: s3types.ObjectLockLegalHoldStatusOff}})
		return err
	}},
	{"CopyObject onto itself", "s3:GetObject s3:PutObject", "RW", func(ctx context.Context, c *s3.Client, o *object) error {
		_, err := c.CopyObject(ctx, &s3.CopyObjectInput{Bucket: &o.bucket, Key: aws.String(o.key + ".copy"), CopySource: aws.String(o.bucket + "/" + o.key)})
		return err
	}},
	{"DeleteObject", "s3:DeleteObject", "W", func(ctx context.Context, c *s3.Client, o *object) error {
		_, err := c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &o.bucket, Key: &o.key})
		return err
	}},
	{"DeleteObject of a version", "s3:DeleteObjectVersion", "W", func(ctx context.Context, c *s3.Client, o *object) error {
		_, err := c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &o.bucket, Key: &o.key, VersionId: &o.version})
		return err
	}},
	{"DeleteObjects", "s3:DeleteObject", "W", func(ctx context.Context, c *s3.Client, o *object) error {
		out, err := c.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: &o.bucket, Delete: &s3types.Delete{Objects: []s3types.ObjectIdentifier{{Key: &o.key}}}})
		if err == nil && len(out.Errors) > 0 {
			return refusal(*out.Errors[0].Code)
		}
		return err
	}},
	{"CreateMultipartUpload", "s3:PutObject", "W", func(ctx context.Context, c *s3.Client, o *object) error {
		_, err := c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &o.bucket, Key: &o.key})
		return err
	}},
	{"UploadPart", "s3:PutObject", "W", func(ctx context.Context, c *s3.Client, o *object) error {
		_, err := c.UploadPart(ctx, &s3.UploadPartInput{Bucket: &o.bucket, Key: &o.key, UploadId: &o.upload, PartNumber: aws.Int32(1), Body: strings.NewReader("part")})
		return err
	}},
	{"UploadPartCopy", "s3:GetObject s3:PutObject", "RW", func(ctx context.Context, c *s3.Client, o *object) error {
		_, err := c.UploadPartCopy(ctx, &s3.UploadPartCopyInput{Bucket: &o.bucket, Key: &o.key, UploadId: &o.upload, PartNumber: aws.Int32(1), CopySource: aws.String(o.bucket + "/" + o.key)})
		return err
	}},
	{"ListParts", "s3:ListMultipartUploadParts", "R", func(ctx context.Context, c *s3.Client, o *object) error {
		_, err := c.ListParts(ctx, &s3.ListPartsInput{Bucket: &o.bucket, Key: &o.key, UploadId: &o.upload})
		return err
	}},
	{"AbortMultipartUpload", "s3:AbortMultipartUpload", "W", func(ctx context.Context, c *s3.Client, o *object) error {
		_, err := c.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &o.bucket, Key: &o.key, UploadId: &o.upload})
		return err
	}},
	{"ListObjectsV2", "s3:ListBucket", "R", func(ctx context.Context, c *s3.Client, o *object) error {
		_, err := c.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &o.bucket, Prefix: &o.key})
		return err
	}},
	{"ListObjectVersions", "s3:ListBucketVersions", "R", func(ctx context.Context, c *s3.Client, o *object) error {
		_, err := c.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: &o.bucket, Prefix: &o.key})
		return err
	}},
	{"ListMultipartUploads", "s3:ListBucketMultipartUploads", "R", func(ctx context.Context, c *s3.Client, o *object) error {
		_, err := c.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: &o.bucket, Prefix: &o.key})
		return err
	}},
	{"GetBucketLocation", "s3:GetBucketLocation", "", func(ctx context.Context, c *s3.Client, o *object) error {
		_, err := c.GetBucketLocation(ctx, &s3.GetBucketLocationInput{Bucket: &o.bucket})
		return err
	}},
	{"GetBucketVersioning", "s3:GetBucketVersioning", "", func(ctx context.Context, c *s3.Client, o *object) error {
		_, err := c.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: &o.bucket})
		return err
	}},
	{"PutBucketVersioning", "s3:PutBucketVersioning", "", func(ctx context.Context, c *s3.Client, o *object) error {
		_, err := c.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{Bucket: &o.bucket, VersioningConfiguration: &s3types.VersioningConfiguration{Status: s3types.BucketVersioningStatusEnabled}})
		return err
	}},
	{"GetPublicAccessBlock", "s3:GetBucketPublicAccessBlock", "", func(ctx context.Context, c *s3.Client, o *object) error {
		_, err := c.GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: &o.bucket})
		return err
	}},
	{"GetBucketAcl", "s3:GetBucketAcl", "", func(ctx context.Context, c *s3.Client, o *object) error {
		_, err := c.GetBucketAcl(ctx, &s3.GetBucketAclInput{Bucket: &o.bucket})
		return err
	}},
	{"GetBucketOwnershipControls", "s3:GetBucketOwnershipControls", "", func(ctx context.Context, c *s3.Client, o *object) error {
		_, err := c.GetBucketOwnershipControls(ctx, &s3.GetBucketOwnershipControlsInput{Bucket: &o.bucket})
		return err
	}},
	{"PutBucketTagging", "s3:PutBucketTagging", "", func(ctx context.Context, c *s3.Client, o *object) error {
		_, err := c.PutBucketTagging(ctx, &s3.PutBucketTaggingInput{Bucket: &o.bucket, Tagging: &s3types.Tagging{TagSet: []s3types.Tag{{Key: aws.String("a"), Value: aws.String("b")}}}})
		return err
	}},
	{"GetBucketTagging", "s3:GetBucketTagging", "", func(ctx context.Context, c *s3.Client, o *object) error {
		_, err := c.GetBucketTagging(ctx, &s3.GetBucketTaggingInput{Bucket: &o.bucket})
		return err
	}},
	{"PutBucketCors", "s3:PutBucketCORS", "", func(ctx context.Context, c *s3.Client, o *object) error {
		_, err := c.PutBucketCors(ctx, &s3.PutBucketCorsInput{Bucket: &o.bucket, CORSConfiguration: &s3types.CORSConfiguration{CORSRules: []s3types.CORSRule{{AllowedMethods: []string{"GET"}, AllowedOrigins: []string{"https://a.example"}}}}})
		return err
	}},
	{"GetBucketCors", "s3:GetBucketCORS", "", func(ctx context.Context, c *s3.Client, o *object) error {
		_, err := c.GetBucketCors(ctx, &s3.GetBucketCorsInput{Bucket: &o.bucket})
		return err
	}},
	{"GetObjectLockConfiguration", "s3:GetBucketObjectLockConfiguration", "", func(ctx context.Context, c *s3.Client, o *object) error {
		_, err := c.GetObjectLockConfiguration(ctx, &s3.GetObjectLockConfigurationInput{Bucket: &o.bucket})
		return err
	}},
	{"PutBucketPolicy", "s3:PutBucketPolicy", "", func(ctx context.Context, c *s3.Client, o *object) error {
		policy := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::%s/nobody/*"}]}`, o.bucket)
		_, err := c.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: &o.bucket, Policy: &policy})
		return err
	}},
	{"GetBucketPolicy", "s3:GetBucketPolicy", "", func(ctx context.Context, c *s3.Client, o *object) error {
		_, err := c.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: &o.bucket})
		return err
	}},
	{"HeadObject of a version", "s3:GetObjectVersion", "R", func(ctx context.Context, c *s3.Client, o *object) error {
		_, err := c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &o.bucket, Key: &o.key, VersionId: &o.version})
		return err
	}},
	{"GetObjectAcl of a version", "s3:GetObjectVersionAcl", "R", func(ctx context.Context, c *s3.Client, o *object) error {
		_, err := c.GetObjectAcl(ctx, &s3.GetObjectAclInput{Bucket: &o.bucket, Key: &o.key, VersionId: &o.version})
		return err
	}},
	{"GetObjectTagging of a version", "s3:GetObjectVersionTagging", "", func(ctx context.Context, c *s3.Client, o *object) error {
		_, err := c.GetObjectTagging(ctx, &s3.GetObjectTaggingInput{Bucket: &o.bucket, Key: &o.key, VersionId: &o.version})
		return err
	}},
	{"PutObjectTagging of a version", "s3:PutObjectVersionTagging", "", func(ctx context.Context, c *s3.Client, o *object) error {
		_, err := c.PutObjectTagging(ctx, &s3.PutObjectTaggingInput{Bucket: &o.bucket, Key: &o.key, VersionId: &o.version, Tagging: &s3types.Tagging{TagSet: []s3types.Tag{{Key: aws.String("a"), Value: aws.String("b")}}}})
		return err
	}},
	{"DeleteObjectTagging of a version", "s3:DeleteObjectVersionTagging", "", func(ctx context.Context, c *s3.Client, o *object) error {
		_, err := c.DeleteObjectTagging(ctx, &s3.DeleteObjectTaggingInput{Bucket: &o.bucket, Key: &o.key, VersionId: &o.version})
		return err
	}},
	{"PutObject with a retention", "s3:PutObject s3:PutObjectRetention", "", func(ctx context.Context, c *s3.Client, o *object) error {
		_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: &o.bucket, Key: &o.key, Body: strings.NewReader("new"), ObjectLockMode: s3types.ObjectLockModeGovernance, ObjectLockRetainUntilDate: aws.Time(time.Now().Add(time.Minute))})
		return err
	}},
	{"DeleteObject with a bypass", "s3:DeleteObjectVersion s3:BypassGovernanceRetention", "", func(ctx context.Context, c *s3.Client, o *object) error {
		_, err := c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &o.bucket, Key: &o.key, VersionId: &o.version, BypassGovernanceRetention: aws.Bool(true)})
		return err
	}},
	{"CopyObject of a version", "s3:GetObjectVersion s3:PutObject", "RW", func(ctx context.Context, c *s3.Client, o *object) error {
		_, err := c.CopyObject(ctx, &s3.CopyObjectInput{Bucket: &o.bucket, Key: aws.String(o.key + ".copy"), CopySource: aws.String(o.bucket + "/" + o.key + "?versionId=" + o.version)})
		return err
	}},
	{"CreateMultipartUpload with an ACL and tags", "s3:PutObject s3:PutObjectAcl s3:PutObjectTagging", "", func(ctx context.Context, c *s3.Client, o *object) error {
		_, err := c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &o.bucket, Key: &o.key, ACL: s3types.ObjectCannedACLBucketOwnerFullControl, Tagging: aws.String("a=b")})
		return err
	}},
	{"CompleteMultipartUpload", "s3:PutObject", "W", func(ctx context.Context, c *s3.Client, o *object) error {
		_, err := c.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: &o.bucket, Key: &o.key, UploadId: &o.upload, MultipartUpload: &s3types.CompletedMultipartUpload{
			Parts: []s3types.CompletedPart{{PartNumber: aws.Int32(1), ETag: aws.String(`"00000000000000000000000000000000"`)}}}})
		return err
	}},
	{"ListObjects", "s3:ListBucket", "R", func(ctx context.Context, c *s3.Client, o *object) error {
		_, err := c.ListObjects(ctx, &s3.ListObjectsInput{Bucket: &o.bucket, Prefix: &o.key})
		return err
	}},
	{"HeadBucket", "s3:ListBucket", "", func(ctx context.Context, c *s3.Client, o *object) error {
		_, err := c.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &o.bucket})
		return err
	}},
	{"ListBuckets", "s3:ListAllMyBuckets", "", func(ctx context.Context, c *s3.Client, _ *object) error {
		_, err := c.ListBuckets(ctx, &s3.ListBucketsInput{})
		return err
	}},
	{"CreateBucket", "s3:CreateBucket", "", func(ctx context.Context, c *s3.Client, o *object) error {
		_, err := c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(strings.ToLower(strings.ReplaceAll(o.key, "/", "-")) + "-" + o.bucket)})
		return err
	}},
	{"CreateBucket locked and owned", "s3:CreateBucket s3:PutBucketObjectLockConfiguration s3:PutBucketVersioning s3:PutBucketOwnershipControls", "", func(ctx context.Context, c *s3.Client, o *object) error {
		_, err := c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(strings.ToLower(strings.ReplaceAll(o.key, "/", "-")) + "-" + o.bucket), ObjectLockEnabledForBucket: aws.Bool(true), ObjectOwnership: s3types.ObjectOwnershipBucketOwnerEnforced})
		return err
	}},
	{"DeleteBucket", "s3:DeleteBucket", "", func(ctx context.Context, c *s3.Client, o *object) error {
		_, err := c.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: &o.bucket}) // which is not empty
		return err
	}},
	{"GetBucketPolicyStatus", "s3:GetBucketPolicyStatus", "", func(ctx context.Context, c *s3.Client, o *object) error {
		_, err := c.GetBucketPolicyStatus(ctx, &s3.GetBucketPolicyStatusInput{Bucket: &o.bucket})
		return err
	}},
	{"PutPublicAccessBlock", "s3:PutBucketPublicAccessBlock", "", func(ctx context.Context, c *s3.Client, o *object) error {
		_, err := c.PutPublicAccessBlock(ctx, &s3.PutPublicAccessBlockInput{Bucket: &o.bucket, PublicAccessBlockConfiguration: &s3types.PublicAccessBlockConfiguration{BlockPublicPolicy: aws.Bool(true)}})
		return err
	}},
	{"DeletePublicAccessBlock", "s3:PutBucketPublicAccessBlock", "", func(ctx context.Context, c *s3.Client, o *object) error {
		_, err := c.DeletePublicAccessBlock(ctx, &s3.DeletePublicAccessBlockInput{Bucket: &o.bucket})
		return err
	}},
	{"PutBucketAcl", "s3:PutBucketAcl", "", func(ctx context.Context, c *s3.Client, o *object) error {
		_, err := c.PutBucketAcl(ctx, &s3.PutBucketAclInput{Bucket: &o.bucket, ACL: s3types.BucketCannedACLPrivate})
		return err
	}},
	{"DeleteBucketTagging", "s3:PutBucketTagging", "", func(ctx context.Context, c *s3.Client, o *object) error {
		_, err := c.DeleteBucketTagging(ctx, &s3.DeleteBucketTaggingInput{Bucket: &o.bucket})
		return err
	}},
	{"DeleteBucketCors", "s3:PutBucketCORS", "", func(ctx context.Context, c *s3.Client, o *object) error {
		_, err := c.DeleteBucketCors(ctx, &s3.DeleteBucketCorsInput{Bucket: &o.bucket})
		return err
	}},
	{"PutObjectLockConfiguration", "s3:PutBucketObjectLockConfiguration", "", func(ctx context.Context, c *s3.Client, o *object) error {
		_, err := c.PutObjectLockConfiguration(ctx, &s3.PutObjectLockConfigurationInput{Bucket: &o.bucket, ObjectLockConfiguration: &s3types.ObjectLockConfiguration{ObjectLockEnabled: s3types.ObjectLockEnabledEnabled}})
		return err
	}},
	{"DeleteBucketPolicy", "s3:DeleteBucketPolicy", "", func(ctx context.Context, c *s3.Client, o *object) error {
		_, err := c.DeleteBucketPolicy(ctx, &s3.DeleteBucketPolicyInput{Bucket: &o.bucket})
		return err
	}},
}

// refusal is the code of an answer inside another one.
type refusal string

func (r refusal) Error() string { return string(r) }

func (refusal) ErrorMessage() string { return "" }
func (r refusal) ErrorCode() string  { return string(r) }

// TestConformance: each call of S3 is allowed with exactly the actions that S3 asks for, refused without any one of them,
// and had by the credentials of READ, WRITE and READWRITE grants as AWS has it.
func TestConformance(t *testing.T) {
	s := newStory(t, "--config", settings(t, "compat: strict\n"))
	ctx, admin := t.Context(), storage(s.data)
	lake := "locked-" + dataAccount
	if _, err := admin.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &lake, ObjectLockEnabledForBucket: aws.Bool(true)}); err != nil {
		t.Fatal(err)
	}
	people := iam.NewFromConfig(s.data)
	trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + dataAccount + `:root"},"Action":"sts:AssumeRole"}]}`
	if _, err := people.CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("Tester"), AssumeRolePolicyDocument: &trust}); err != nil {
		t.Fatal(err)
	}
	everything := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`
	if _, err := people.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: aws.String("Tester"), PolicyName: aws.String("all"), PolicyDocument: &everything}); err != nil {
		t.Fatal(err)
	}
	tester := func(policy string) *s3.Client {
		return storage(s.assumed(s.data, &sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::" + dataAccount + ":role/Tester"), RoleSessionName: aws.String("tester"), Policy: &policy}))
	}
	statement := func(effect string, actions []string) string {
		return `{"Effect":"` + effect + `","Action":["` + strings.Join(actions, `","`) + `"],"Resource":"*"}`
	}
	vended := s.vendedOf(t, lake)
	// A bucket at a backend that sees what comes: nothing of what is refused.
	behind := newWitness(t)
	s.backend("witness", behind.endpoint, "AKID", "secretsecret")
	s.lakegate("bucket", "attach", "watched", "--dir", s.dir, "--backend", "witness", "--account", dataAccount)
	watched := &object{bucket: "watched", key: "red/a", version: "v", upload: "u"}
	n := 0
	fresh := func(t *testing.T) *object {
		t.Helper()
		n++
		o := &object{bucket: lake, key: fmt.Sprintf("red/%d", n)}
		bucket, key := o.at()
		put, err := admin.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: key, Body: strings.NewReader("old")})
		if err != nil {
			t.Fatal(err)
		}
		upload, err := admin.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: bucket, Key: key})
		if err != nil {
			t.Fatal(err)
		}
		o.version, o.upload = *put.VersionId, *upload.UploadId
		return o
	}
	for _, c := range calls {
		t.Run(c.name, func(t *testing.T) {
			actions := strings.Fields(c.actions)
			allowed := tester(`{"Version":"2012-10-17","Statement":[` + statement("Allow", actions) + `]}`)
			if err := c.do(ctx, allowed, fresh(t)); codeOf(err) == "AccessDenied" || codeOf(err) == "NotImplemented" || strings.Contains(codeOf(err), "Forbidden") {
				t.Errorf("with %s: %v", c.actions, err)
			}
			for i, action := range actions {
				without := slices.Delete(slices.Clone(actions), i, i+1)
				statements := statement("Allow", append(without, "s3:ListStorageLensConfigurations"))
				if err := c.do(ctx, tester(`{"Version":"2012-10-17","Statement":[`+statements+`]}`), fresh(t)); !isDenied(err) {
					t.Errorf("without %s: %v", action, err)
				}
				denied := statement("Allow", []string{"s3:*"}) + "," + statement("Deny", []string{action})
				refused := tester(`{"Version":"2012-10-17","Statement":[` + denied + `]}`)
				if err := c.do(ctx, refused, fresh(t)); !isDenied(err) {
					t.Errorf("with %s denied: %v", action, err)
				}
				before, _ := behind.seen(t)
				if err := c.do(ctx, refused, watched); !isDenied(err) {
					t.Errorf("with %s denied, at another backend: %v", action, err)
				}
				if after, _ := behind.seen(t); len(after) != len(before) {
					t.Errorf("with %s denied the backend saw %q", action, after[len(before):])
				}
			}
			for permission, credentials := range vended {
				has := c.grant != "" && (permission == types.PermissionReadwrite || c.grant == "R" && permission == types.PermissionRead || c.grant == "W" && permission == types.PermissionWrite)
				if err := c.do(ctx, credentials, fresh(t)); isDenied(err) == has {
					t.Errorf("with credentials of %s: %v", permission, err)
				}
			}
		})
	}
	before, _ := behind.seen(t)
	if err := calls[0].do(ctx, admin, watched); err != nil {
		t.Error(err)
	}
	if after, _ := behind.seen(t); len(after) != len(before)+1 {
		t.Errorf("of what is allowed the backend saw %q: this test shows nothing", after[len(before):])
	}
}

func isDenied(err error) bool {
	code := codeOf(err)
	return code == "AccessDenied" || code == "Forbidden"
}

// vendedOf are the credentials of one grant of each permission on a bucket's red/.
func (s *story) vendedOf(t *testing.T, lake string) map[types.Permission]*s3.Client {
	t.Helper()
	everything := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":["arn:aws:s3:::%[1]s","arn:aws:s3:::%[1]s/*"]}]}`, lake)
	role := aws.String("AccessGrantsLocationRole")
	if _, err := iam.NewFromConfig(s.data).PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{RoleName: role, PolicyName: aws.String("everything"), PolicyDocument: &everything}); err != nil {
		t.Fatal(err)
	}
	location, err := control(s.data).CreateAccessGrantsLocation(t.Context(), &s3control.CreateAccessGrantsLocationInput{
		AccountId: aws.String(dataAccount), LocationScope: aws.String("s3://" + lake + "/"), IAMRoleArn: aws.String("arn:aws:iam::" + dataAccount + ":role/AccessGrantsLocationRole"),
	})
	if err != nil {
		t.Fatal(err)
	}
	out := map[types.Permission]*s3.Client{}
	for _, p := range []types.Permission{types.PermissionRead, types.PermissionWrite, types.PermissionReadwrite} {
		s.grantAt(*location.AccessGrantsLocationId, types.GranteeTypeDirectoryUser, s.userByName(mateo), "red/*", p)
	}
	person := s.person(mateo)
	for _, p := range []types.Permission{types.PermissionRead, types.PermissionWrite, types.PermissionReadwrite} {
		cfg, _, err := vend(t.Context(), person, "s3://"+lake+"/red/*", p)
		if err != nil {
			t.Fatal(err)
		}
		out[p] = storage(cfg)
	}
	return out
}
