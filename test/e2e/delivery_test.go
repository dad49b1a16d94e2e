package e2e

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

const (
	auditBucket = "audit-records"
	trailARN    = "arn:aws:cloudtrail:us-east-1:" + dataAccount + ":trail/everything"
)

// trailPolicy is the policy that AWS documents for the bucket of a trail.
const trailPolicy = `{"Version": "2012-10-17", "Statement": [
	{"Sid": "AWSCloudTrailAclCheck", "Effect": "Allow", "Principal": {"Service": "cloudtrail.amazonaws.com"}, "Action": "s3:GetBucketAcl", "Resource": "arn:aws:s3:::` + auditBucket + `",
	 "Condition": {"StringEquals": {"aws:SourceArn": "` + trailARN + `"}}},
	{"Sid": "AWSCloudTrailWrite", "Effect": "Allow", "Principal": {"Service": "cloudtrail.amazonaws.com"}, "Action": "s3:PutObject",
	 "Resource": "arn:aws:s3:::` + auditBucket + `/security/AWSLogs/` + dataAccount + `/*",
	 "Condition": {"StringEquals": {"aws:SourceArn": "` + trailARN + `", "s3:x-amz-acl": "bucket-owner-full-control"}}}]}`

// TestDeliveryOfTrails: a trail delivers what it selects into a bucket, and the unmodified AWS CLI proves from there that
// nothing was altered, and tells what was.
func TestDeliveryOfTrails(t *testing.T) {
	config := settings(t, "audit:\n  delivery_seconds: 1\n  digest_seconds: 1\n")
	p := start(t, append([]string{"serve", "--config", config, "--management-account", dataAccount}, anyPorts(false)...)...)
	admin := p.as(dataAccount)
	began := time.Now().UTC().Add(-time.Minute).Format(time.RFC3339)
	create := []string{"cloudtrail", "create-trail", "--name", "everything", "--s3-bucket-name", auditBucket, "--s3-key-prefix", "security", "--enable-log-file-validation"}
	admin.refused("S3BucketDoesNotExistException", create...)
	admin.run("s3api", "create-bucket", "--bucket", auditBucket)
	admin.refused("InsufficientS3BucketPolicyException", create...)
	admin.run("s3api", "put-bucket-policy", "--bucket", auditBucket, "--policy", strings.ReplaceAll(trailPolicy, "trail/everything", "trail/another"))
	admin.refused("InsufficientS3BucketPolicyException", create...)
	admin.run("s3api", "put-bucket-policy", "--bucket", auditBucket, "--policy", trailPolicy)
	made := get[struct {
		TrailARN                 string
		LogFileValidationEnabled bool
	}](admin, create...)
	if made.TrailARN != trailARN || !made.LogFileValidationEnabled {
		t.Errorf("made %+v", made)
	}
	admin.refused("TrailAlreadyExistsException", create...)
	admin.run("s3api", "create-bucket", "--bucket", "sales")
	admin.run("cloudtrail", "put-event-selectors", "--trail-name", "everything", "--event-selectors",
		`[{"ReadWriteType":"All","IncludeManagementEvents":true,"DataResources":[{"Type":"AWS::S3::Object","Values":["arn:aws:s3:::sales/red/"]}]}]`)
	admin.run("cloudtrail", "start-logging", "--name", "everything")
	for _, key := range []string{"red/a", "blue/b"} {
		admin.run("s3api", "put-object", "--bucket", "sales", "--key", key)
	}
	admin.run("iam", "create-user", "--user-name", "watched")

	// Files come by themselves, and digests that name them.
	client := func() *s3.Client {
		return storage((&story{world: &world{process: p, t: t}}).administrator(dataAccount))
	}
	d := &delivered{t: t, s3: client(), seen: map[string][]byte{}}
	wait := func(what string, there func() bool) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); !there(); time.Sleep(50 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s does not come: %s", what, admin.run("cloudtrail", "get-trail-status", "--name", "everything"))
			}
		}
	}
	wait("the record of the user", func() bool { return slices.Contains(d.events(), "CreateUser") })
	events := d.events()
	if !slices.Contains(events, "PutObject red/a") || slices.Contains(events, "PutObject blue/b") || !slices.Contains(events, "StartLogging") {
		t.Errorf("delivered %v", events)
	}
	file := d.with("red/a")
	wait("a digest of the file", func() bool { return slices.Contains(d.digested(), file) })

	// The server is killed and goes on.
	p.kill()
	p.launch()
	admin, d.s3 = p.as(dataAccount), client()
	admin.run("iam", "create-user", "--user-name", "later")
	wait("the second user", func() bool { return d.users() > 1 })
	wait("its digest", func() bool { return slices.Contains(d.digested(), d.with(`"userName":"later"`)) })
	admin.run("cloudtrail", "stop-logging", "--name", "everything")
	status := get[struct {
		IsLogging           bool
		LatestDeliveryError string
		LatestDeliveryTime  any
	}](admin, "cloudtrail", "get-trail-status", "--name", "everything")
	if status.IsLogging || status.LatestDeliveryError != "" || status.LatestDeliveryTime == nil {
		t.Errorf("status %+v", status)
	}

	validate := func() (out string, ok bool) {
		out, errs, err := admin.exec("cloudtrail", "validate-logs", "--trail-arn", trailARN, "--start-time", began, "--verbose")
		return out + errs, err == nil
	}
	valid := func() {
		t.Helper()
		if out, ok := validate(); !ok || strings.Contains(out, "INVALID") || !strings.Contains(out, file+"\tvalid") || !strings.Contains(out, "log files valid") {
			t.Fatalf("validate-logs: %v\n%s", ok, out)
		}
	}
	invalid := func(what string) {
		t.Helper()
		if out, ok := validate(); ok || !strings.Contains(out, what) {
			t.Errorf("validate-logs does not say %q: %v\n%s", what, ok, out)
		}
	}
	valid()

	// Whoever can write into the bucket can hide nothing.
	original, _ := d.get(file)
	d.put(file, pack(t, bytes.Replace(unpack(t, original), []byte("red/a"), []byte("red/z"), 1)), nil)
	invalid(file + "\tINVALID: hash value doesn't match")
	d.remove(file)
	invalid(file + "\tINVALID: not found")
	d.put(file, original, nil)
	digests := d.keys("CloudTrail-Digest")
	middle := digests[len(digests)/2]
	kept, signature := d.get(middle)
	d.put(middle, pack(t, bytes.Replace(unpack(t, kept), []byte(`"logFiles":[`), []byte(`"logFiles":[ `), 1)), signature)
	invalid(middle + "\tINVALID: signature verification failed")
	d.remove(middle)
	invalid(middle + "\tINVALID: not found")
	d.put(middle, kept, signature)
	valid()

	// A bucket that does not want it any more gets nothing, and the trail says so; afterwards nothing is missing.
	admin.run("cloudtrail", "start-logging", "--name", "everything")
	admin.run("s3api", "delete-bucket-policy", "--bucket", auditBucket)
	before := len(d.keys("CloudTrail"))
	admin.run("iam", "create-user", "--user-name", "unwanted")
	wait("the refusal", func() bool {
		return strings.Contains(admin.run("cloudtrail", "get-trail-status", "--name", "everything"), "AccessDenied: cloudtrail.amazonaws.com may not s3:PutObject")
	})
	if n := len(d.keys("CloudTrail")); n != before {
		t.Errorf("%d files came into a bucket that does not want them", n-before)
	}
	admin.run("s3api", "put-bucket-policy", "--bucket", auditBucket, "--policy", trailPolicy)
	wait("the third user", func() bool { return d.users() > 2 })
	admin.run("cloudtrail", "delete-trail", "--name", "everything")
	admin.refused("TrailNotFoundException", "cloudtrail", "get-trail", "--name", "everything")
}

// delivered reads what a trail brought into its bucket.
type delivered struct {
	t    testing.TB
	s3   *s3.Client
	seen map[string][]byte
}

func (d *delivered) keys(kind string) (keys []string) {
	d.t.Helper()
	pages := s3.NewListObjectsV2Paginator(d.s3, &s3.ListObjectsV2Input{Bucket: aws.String(auditBucket), Prefix: aws.String("security/AWSLogs/" + dataAccount + "/" + kind + "/us-east-1/")})
	for pages.HasMorePages() {
		page, err := pages.NextPage(d.t.Context())
		if err != nil {
			d.t.Fatal(err)
		}
		for _, c := range page.Contents {
			keys = append(keys, *c.Key)
		}
	}
	return keys
}

func (d *delivered) get(key string) (content []byte, metadata map[string]string) {
	d.t.Helper()
	out, err := d.s3.GetObject(d.t.Context(), &s3.GetObjectInput{Bucket: aws.String(auditBucket), Key: &key})
	if err != nil {
		d.t.Fatal(err)
	}
	defer out.Body.Close() //nolint:errcheck // read to its end
	if content, err = io.ReadAll(out.Body); err != nil {
		d.t.Fatal(err)
	}
	return content, out.Metadata
}

func (d *delivered) put(key string, content []byte, metadata map[string]string) {
	d.t.Helper()
	if _, err := d.s3.PutObject(d.t.Context(), &s3.PutObjectInput{Bucket: aws.String(auditBucket), Key: &key, Body: bytes.NewReader(content), Metadata: metadata}); err != nil {
		d.t.Fatal(err)
	}
}

func (d *delivered) remove(key string) {
	d.t.Helper()
	if _, err := d.s3.DeleteObject(d.t.Context(), &s3.DeleteObjectInput{Bucket: aws.String(auditBucket), Key: &key}); err != nil {
		d.t.Fatal(err)
	}
}

// read is the content of what was written once and for all.
func (d *delivered) read(key string, v any) {
	d.t.Helper()
	if d.seen[key] == nil {
		content, _ := d.get(key)
		d.seen[key] = unpack(d.t, content)
	}
	if err := json.Unmarshal(d.seen[key], v); err != nil {
		d.t.Fatal(err)
	}
}

// events names the delivered records, and the object of those for data.
func (d *delivered) events() (names []string) {
	d.t.Helper()
	for _, key := range d.keys("CloudTrail") {
		var file struct {
			Records []struct {
				EventName         string
				ManagementEvent   bool
				RequestParameters struct{ Key string }
			}
		}
		d.read(key, &file)
		for _, r := range file.Records {
			if !r.ManagementEvent {
				r.EventName += " " + r.RequestParameters.Key
			}
			names = append(names, r.EventName)
		}
	}
	return names
}

// with is a file that has a text.
func (d *delivered) with(text string) string {
	d.t.Helper()
	for key, content := range d.seen {
		if bytes.Contains(content, []byte(text)) {
			return key
		}
	}
	d.t.Fatalf("no file has %s", text)
	return ""
}

func (d *delivered) users() (n int) {
	for _, e := range d.events() {
		if e == "CreateUser" {
			n++
		}
	}
	return n
}

// digested are the files that digests name.
func (d *delivered) digested() (keys []string) {
	d.t.Helper()
	for _, key := range d.keys("CloudTrail-Digest") {
		var file struct{ LogFiles []struct{ S3Object string } }
		d.read(key, &file)
		for _, f := range file.LogFiles {
			keys = append(keys, f.S3Object)
		}
	}
	return keys
}

func unpack(t testing.TB, content []byte) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func pack(t testing.TB, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
