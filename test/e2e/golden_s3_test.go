package e2e

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/s3control/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// shareConcurrent is how many requests at once each principal of TestGoldenRecordsOfS3 has.
const shareConcurrent = 4

// TestGoldenRecordsOfS3 holds the record of each kind of request for objects, as a real server writes it.
func TestGoldenRecordsOfS3(t *testing.T) {
	g := newGold(t, "s3", "--config", settings(t, "limits:\n  principal:\n    concurrent: 4\n"))
	ctx, admin := t.Context(), storage(g.data)
	lake := "locked-" + dataAccount
	mustNot := func(t *testing.T, err error, code string) {
		t.Helper()
		if got := codeOf(err); got != code {
			t.Fatalf("answered %q, want %q: %v", got, code, err)
		}
	}
	g.take(t, "create-bucket", 1, func(t *testing.T) {
		_, err := admin.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &lake, ObjectLockEnabledForBucket: aws.Bool(true)})
		mustNot(t, err, "")
	})
	g.take(t, "list-buckets", 1, func(t *testing.T) {
		_, err := admin.ListBuckets(ctx, &s3.ListBucketsInput{})
		mustNot(t, err, "")
	})

	// Each operation by the administrator, whatever its outcome.
	for _, c := range calls {
		o := &object{bucket: lake, key: "red/" + strings.ReplaceAll(c.name, " ", "-")}
		put, err := admin.PutObject(ctx, &s3.PutObjectInput{Bucket: &o.bucket, Key: &o.key, Body: strings.NewReader("old")})
		mustNot(t, err, "")
		upload, err := admin.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &o.bucket, Key: &o.key})
		mustNot(t, err, "")
		o.version, o.upload = *put.VersionId, *upload.UploadId
		g.take(t, "each-"+strings.ReplaceAll(c.name, " ", "-"), 1, func(t *testing.T) {
			err := c.do(ctx, admin, o)
			if strings.HasSuffix(codeOf(err), "AccessDenied") || codeOf(err) == "NotImplemented" {
				t.Fatal(err)
			}
		})
	}
	for _, r := range []struct{ name, method, path string }{
		{"list-objects-1", "GET", "/" + lake + "?prefix=red%2F&delimiter=%2F&max-keys=2"}, {"head-bucket", "HEAD", "/" + lake},
		{"restore-object", "POST", "/" + lake + "/red/GetObject?restore"}, {"select-object", "POST", "/" + lake + "/red/GetObject?select&select-type=2"},
		{"torrent", "GET", "/" + lake + "/red/GetObject?torrent"}, {"unknown-parameter", "GET", "/" + lake + "/red/GetObject?future=1"},
		{"unknown-operation", "PATCH", "/" + lake + "/red/GetObject"}, {"no-such-bucket", "GET", "/nowhere-" + dataAccount + "/k"}, {"hostile-key", "GET", "/" + lake + "/red/%0a%1b%22,=cmd()%E2%80%AE%FF"},
	} {
		g.take(t, r.name, 1, func(t *testing.T) {
			g.send(t, raw{service: "s3", method: r.method, path: r.path, header: map[string]string{"User-Agent": g.agent()}})
		})
	}

	g.take(t, "multipart", 3, func(t *testing.T) {
		key := aws.String("red/parts")
		upload, err := admin.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &lake, Key: key})
		mustNot(t, err, "")
		part, err := admin.UploadPart(ctx, &s3.UploadPartInput{Bucket: &lake, Key: key, UploadId: upload.UploadId, PartNumber: aws.Int32(1), Body: strings.NewReader("part")})
		mustNot(t, err, "")
		_, err = admin.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: &lake, Key: key, UploadId: upload.UploadId,
			MultipartUpload: &s3types.CompletedMultipartUpload{Parts: []s3types.CompletedPart{{PartNumber: aws.Int32(1), ETag: part.ETag, ChecksumCRC32: part.ChecksumCRC32}}}})
		mustNot(t, err, "")
	})
	g.take(t, "get-range", 1, func(t *testing.T) {
		out, err := admin.GetObject(ctx, &s3.GetObjectInput{Bucket: &lake, Key: aws.String("red/parts"), Range: aws.String("bytes=1-2")})
		mustNot(t, err, "")
		_ = out.Body.Close()
	})
	g.take(t, "get-if-none-match", 1, func(t *testing.T) {
		head, err := admin.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &lake, Key: aws.String("red/parts")})
		mustNot(t, err, "")
		if _, err := admin.GetObject(ctx, &s3.GetObjectInput{Bucket: &lake, Key: aws.String("red/parts"), IfNoneMatch: head.ETag}); err == nil {
			t.Fatal("what the client has is sent again")
		}
	})
	g.take(t, "put-if-match-fails", 1, func(t *testing.T) {
		_, err := admin.PutObject(ctx, &s3.PutObjectInput{Bucket: &lake, Key: aws.String("red/parts"), IfNoneMatch: aws.String("*"), Body: strings.NewReader("x")})
		mustNot(t, err, "PreconditionFailed")
	})
	g.take(t, "get-no-such-key", 1, func(t *testing.T) {
		_, err := admin.GetObject(ctx, &s3.GetObjectInput{Bucket: &lake, Key: aws.String("red/none")})
		mustNot(t, err, "NoSuchKey")
	})

	// What people do with the credentials of a grant.
	g.grant(mateo, "inbox/*", types.PermissionReadwrite)
	person := g.person(mateo)
	vended, _, err := vend(ctx, person, "s3://"+storyLake+"/inbox/*", types.PermissionReadwrite)
	mustNot(t, err, "")
	inbox := storage(vended)
	g.take(t, "vended-put", 1, func(t *testing.T) { mustNot(t, put(ctx, inbox, "inbox/a"), "") })
	g.take(t, "vended-get", 1, func(t *testing.T) { mustNot(t, read(ctx, inbox, "inbox/a"), "") })
	g.take(t, "vended-copy", 1, func(t *testing.T) {
		_, err := inbox.CopyObject(ctx, &s3.CopyObjectInput{Bucket: aws.String(storyLake), Key: aws.String("inbox/b"), CopySource: aws.String(storyLake + "/inbox/a")})
		mustNot(t, err, "")
	})
	g.take(t, "vended-list", 1, func(t *testing.T) { mustNot(t, list(ctx, inbox, "inbox/"), "") })
	g.take(t, "vended-denied", 1, func(t *testing.T) { mustNot(t, read(ctx, inbox, "red/sales-2026-11.csv"), "AccessDenied") })
	g.take(t, "vended-copy-denied", 1, func(t *testing.T) {
		_, err := inbox.CopyObject(ctx, &s3.CopyObjectInput{Bucket: aws.String(storyLake), Key: aws.String("inbox/c"), CopySource: aws.String(storyLake + "/blue/plan")})
		mustNot(t, err, "AccessDenied")
	})
	g.take(t, "vended-delete-objects", 1, func(t *testing.T) {
		out, err := inbox.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: aws.String(storyLake), Delete: &s3types.Delete{
			Objects: []s3types.ObjectIdentifier{{Key: aws.String("inbox/b")}, {Key: aws.String("red/sales-2026-11.csv")}},
		}})
		mustNot(t, err, "")
		if len(out.Deleted) != 1 || len(out.Errors) != 1 {
			t.Fatalf("deleted %d, %d errors", len(out.Deleted), len(out.Errors))
		}
	})
	g.take(t, "vended-presigned", 1, func(t *testing.T) {
		signed, err := s3.NewPresignClient(inbox).PresignGetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(storyLake), Key: aws.String("inbox/a")}, s3.WithPresignExpires(time.Minute))
		mustNot(t, err, "")
		g.get(t, signed.URL, http.StatusOK)
	})
	g.take(t, "vended-presigned-altered", 1, func(t *testing.T) {
		signed, err := s3.NewPresignClient(inbox).PresignGetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(storyLake), Key: aws.String("inbox/a")}, s3.WithPresignExpires(time.Minute))
		mustNot(t, err, "")
		g.get(t, strings.Replace(signed.URL, "inbox/a", "inbox/b", 1), http.StatusForbidden)
	})
	for name, file := range map[string]string{"vended-form": "1,2", "vended-form-too-large": "0123456789abcdef"} {
		g.take(t, name, 1, func(t *testing.T) {
			form, err := s3.NewPresignClient(inbox).PresignPostObject(ctx, &s3.PutObjectInput{Bucket: aws.String(storyLake), Key: aws.String("inbox/${filename}")},
				func(o *s3.PresignPostOptions) {
					o.Conditions = []any{[]any{"starts-with", "$key", "inbox/"}, []any{"content-length-range", 1, 10}}
				})
			mustNot(t, err, "")
			fields := map[string]string{}
			for name, value := range form.Values {
				fields[strings.ToLower(name)] = value
			}
			submitAs(t, g.agent(), form.URL, fields, "form.csv", file)
		})
	}
	g.take(t, "person-direct", 1, func(t *testing.T) { mustNot(t, read(ctx, storage(person), "inbox/a"), "") })
	g.take(t, "person-direct-denied", 1, func(t *testing.T) { mustNot(t, read(ctx, storage(person), "blue/plan"), "AccessDenied") })
	g.take(t, "person-list-what-they-reach", 1, func(t *testing.T) {
		mustNot(t, func() error { _, err := browse(ctx, storage(person), "", 100); return err }(), "")
	})

	// Nobody, and people of other accounts.
	anonymous := g.data.Copy()
	anonymous.Credentials = aws.AnonymousCredentials{}
	g.take(t, "anonymous-denied", 1, func(t *testing.T) { mustNot(t, read(ctx, storage(anonymous), "inbox/a"), "AccessDenied") })
	g.take(t, "wrong-signature", 1, func(t *testing.T) {
		key, err := vended.Credentials.Retrieve(ctx)
		mustNot(t, err, "")
		mustNot(t, read(ctx, storage(with(vended, credentials{key.AccessKeyID, "another", key.SessionToken})), "inbox/a"), "SignatureDoesNotMatch")
	})
	g.take(t, "unknown-key", 1, func(t *testing.T) {
		mustNot(t, read(ctx, storage(with(vended, credentials{AccessKeyId: "AKIA0000000000000000", SecretAccessKey: "x"})), "inbox/a"), "InvalidAccessKeyId")
	})
	g.take(t, "put-public-access-block", 1, func(t *testing.T) {
		_, err := admin.PutPublicAccessBlock(ctx, &s3.PutPublicAccessBlockInput{Bucket: aws.String(storyLake), PublicAccessBlockConfiguration: &s3types.PublicAccessBlockConfiguration{BlockPublicAcls: aws.Bool(true)}})
		mustNot(t, err, "")
	})
	policy := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + centerAccount + `"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::` + storyLake + `/inbox/*"},
		{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::` + storyLake + `/inbox/a"}]}`
	if _, err := admin.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: aws.String(storyLake), Policy: &policy}); err != nil {
		t.Fatal(err)
	}
	g.take(t, "anonymous-allowed", 1, func(t *testing.T) { mustNot(t, read(ctx, storage(anonymous), "inbox/a"), "") })
	g.take(t, "cross-account", 2, func(t *testing.T) { mustNot(t, read(ctx, storage(g.center), "inbox/a"), "") })
	own := "of-" + centerAccount
	if _, err := storage(g.center).CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &own}); err != nil {
		t.Fatal(err)
	}
	g.take(t, "cross-account-copy", 2, func(t *testing.T) {
		_, err := storage(g.center).CopyObject(ctx, &s3.CopyObjectInput{Bucket: &own, Key: aws.String("taken"), CopySource: aws.String(storyLake + "/inbox/a")})
		mustNot(t, err, "")
	})
	g.take(t, "cross-account-denied", 2, func(t *testing.T) { mustNot(t, read(ctx, storage(g.center), "red/sales-2026-11.csv"), "AccessDenied") })

	// Uploads that stand still take a principal's whole share, and end without a body.
	role := g.uploader(t)
	g.mark.Store("aborted-body")
	var breakOff []func()
	for range shareConcurrent {
		breakOff = append(breakOff, g.stalled(t, role))
	}
	g.mark.Store("between")
	// A request that has just been answered may still count: only when none of several gets in have all uploads begun.
	for refused, deadline := 0, time.Now().Add(20*time.Second); refused < 5; time.Sleep(10 * time.Millisecond) {
		if refused++; codeOf(read(ctx, storage(role), "inbox/a")) != "SlowDown" {
			refused = 0
		}
		if time.Now().After(deadline) {
			t.Fatal("four uploads at once leave room for another request")
		}
	}
	g.take(t, "slow-down", 1, func(t *testing.T) { mustNot(t, read(ctx, storage(role), "inbox/a"), "SlowDown") })
	g.take(t, "aborted-body", shareConcurrent, func(*testing.T) {
		for _, end := range breakOff {
			end()
		}
	})
	g.whole(t)
}

// get fetches an address as a browser would.
func (g *gold) get(t *testing.T, address string, status int) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := g.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != status {
		t.Fatalf("answered %s, want %d", resp.Status, status)
	}
}

// uploader is a session of a role that may write.
func (g *gold) uploader(t *testing.T) aws.Config {
	t.Helper()
	people := iam.NewFromConfig(g.data)
	trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + dataAccount + `:root"},"Action":["sts:AssumeRole","sts:SetSourceIdentity"]}]}`
	if _, err := people.CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: aws.String("Uploader"), AssumeRolePolicyDocument: &trust}); err != nil {
		t.Fatal(err)
	}
	everything := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`
	if _, err := people.PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{RoleName: aws.String("Uploader"), PolicyName: aws.String("all"), PolicyDocument: &everything}); err != nil {
		t.Fatal(err)
	}
	return g.assumed(g.data, &sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::" + dataAccount + ":role/Uploader"), RoleSessionName: aws.String("night"), SourceIdentity: aws.String("batch")})
}

// stalled begins an upload that sends nothing but its headers; end breaks it off.
func (g *gold) stalled(t *testing.T, cfg aws.Config) (end func()) {
	t.Helper()
	signed, err := s3.NewPresignClient(storage(cfg)).PresignPutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(storyLake), Key: aws.String("inbox/half")})
	if err != nil {
		t.Fatal(err)
	}
	body, w := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, signed.URL, body)
	if err != nil {
		t.Fatal(err)
	}
	req.ContentLength = 1 << 20
	done := make(chan struct{})
	go func() {
		defer close(done)
		if resp, err := g.RoundTrip(req); err == nil {
			_ = resp.Body.Close()
		}
	}()
	if _, err := io.WriteString(w, "half"); err != nil {
		t.Fatal(err)
	}
	return func() {
		cancel()
		_ = w.CloseWithError(context.Canceled)
		<-done
	}
}
