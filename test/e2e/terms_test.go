package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/s3control/types"
)

// terms makes grants with reserved tags by the AWS CLI.
type terms struct {
	*story
	cli      *shell
	location string
}

func newTerms(t *testing.T) *terms {
	s := newStory(t)
	w := &terms{story: s, cli: s.as(dataAccount)}
	w.location = get[struct {
		AccessGrantsLocationsList []struct{ AccessGrantsLocationId string }
	}](w.cli, "s3control", "list-access-grants-locations", "--account-id", dataAccount).AccessGrantsLocationsList[0].AccessGrantsLocationId
	return w
}

func (w *terms) command(grantee, prefix, permission string, tags ...string) []string {
	args := []string{
		"s3control", "create-access-grant", "--account-id", dataAccount, "--access-grants-location-id", w.location, "--access-grants-location-configuration", fmt.Sprintf(`{"S3SubPrefix":%q}`, prefix),
		"--permission", permission, "--grantee", grantee,
	}
	if len(tags) > 0 {
		args = append(args, "--tags")
		for _, tag := range tags {
			k, v, _ := strings.Cut(tag, "=")
			args = append(args, fmt.Sprintf(`{"Key":%q,"Value":%q}`, k, v))
		}
	}
	return args
}

func (w *terms) make(grantee, prefix, permission string, tags ...string) (arn string) {
	w.t.Helper()
	return get[struct{ AccessGrantArn string }](w.cli, w.command(grantee, prefix, permission, tags...)...).AccessGrantArn
}

func (w *terms) toMateo() string {
	return "GranteeType=DIRECTORY_USER,GranteeIdentifier=" + w.userByName(mateo)
}

// keysOf lists page by page what a session is shown under a prefix, by a page size.
func keysOf(ctx context.Context, t *testing.T, c *s3.Client, prefix, delimiter string, size int32) (keys []string) {
	t.Helper()
	in := &s3.ListObjectsV2Input{Bucket: aws.String(storyLake), Prefix: &prefix, MaxKeys: &size}
	if delimiter != "" {
		in.Delimiter = &delimiter
	}
	for range 50 {
		out, err := c.ListObjectsV2(ctx, in)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range out.Contents {
			keys = append(keys, *o.Key)
		}
		for _, p := range out.CommonPrefixes {
			keys = append(keys, *p.Prefix)
		}
		if in.ContinuationToken = out.NextContinuationToken; !aws.ToBool(out.IsTruncated) {
			return keys
		}
	}
	t.Fatal("the list has no end")
	return nil
}

// TestDenialAtTheGate: what a grant denies is denied however it is asked for, to credentials that were out before as well.
func TestDenialAtTheGate(t *testing.T) {
	w := newTerms(t)
	ctx, lake := t.Context(), aws.String(storyLake)
	everything := storage(w.data)
	for _, key := range []string{"vault/a", "vault/secret/x", "vault/secret/y", "vault/secrets", "vault/z", "desk/note"} {
		if err := put(ctx, everything, key); err != nil {
			t.Fatal(err)
		}
	}
	w.make(w.toMateo(), "vault/*", "READWRITE")
	w.make(w.toMateo(), "desk/*", "READWRITE")
	// A group of the person's is allowed exactly what will be denied to the person, and the person too.
	w.make(w.toMateo(), "vault/secret/*", "READWRITE")
	person := w.person(mateo)
	cfg, _, err := vend(ctx, person, "s3://"+storyLake+"/vault/z", types.PermissionReadwrite)
	if err != nil {
		t.Fatal(err)
	}
	sessions := map[string]*s3.Client{"credentials": storage(cfg), "the person's session": storage(person)}
	uploads, urls := map[string]*string{}, map[string]string{}
	for name, c := range sessions {
		up, err := c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: lake, Key: aws.String("vault/secret/up")})
		if err != nil {
			t.Fatal(err)
		}
		uploads[name] = up.UploadId
		signed, err := s3.NewPresignClient(c).PresignGetObject(ctx, &s3.GetObjectInput{Bucket: lake, Key: aws.String("vault/secret/x")})
		if err != nil {
			t.Fatal(err)
		}
		urls[name] = signed.URL
		if status, _ := fetch(t, signed.URL); status != 200 {
			t.Fatalf("%s: the presigned URL answers %d before", name, status)
		}
	}

	denial := w.make(w.toMateo(), "vault/secret/*", "READWRITE", "lakegate:Effect=Deny", "lakegate:Reason=legal hold 7")

	for name, c := range sessions {
		t.Run(name, func(t *testing.T) {
			copied := func(from, to string) error {
				_, err := c.CopyObject(ctx, &s3.CopyObjectInput{Bucket: lake, Key: &to, CopySource: aws.String(storyLake + "/" + from)})
				return err
			}
			part := func(key string, source *string) error {
				if source != nil {
					_, err := c.UploadPartCopy(ctx, &s3.UploadPartCopyInput{Bucket: lake, Key: &key, UploadId: uploads[name], PartNumber: aws.Int32(1), CopySource: source})
					return err
				}
				_, err := c.UploadPart(ctx, &s3.UploadPartInput{Bucket: lake, Key: &key, UploadId: uploads[name], PartNumber: aws.Int32(1), Body: strings.NewReader("part")})
				return err
			}
			folders := func(prefix string) error {
				_, err := c.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: lake, Prefix: &prefix, Delimiter: aws.String("/")})
				return err
			}
			open, err := c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: lake, Key: aws.String("vault/free")})
			if err != nil {
				t.Fatal(err)
			}
			_, begin := c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: lake, Key: aws.String("vault/secret/new")})
			_, complete := c.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: lake, Key: aws.String("vault/secret/up"), UploadId: uploads[name],
				MultipartUpload: &s3types.CompletedMultipartUpload{Parts: []s3types.CompletedPart{{PartNumber: aws.Int32(1), ETag: aws.String("x")}}}})
			_, partOf := c.UploadPartCopy(ctx, &s3.UploadPartCopyInput{Bucket: lake, Key: aws.String("vault/free"), UploadId: open.UploadId, PartNumber: aws.Int32(1), CopySource: aws.String(storyLake + "/vault/secret/x")})
			_, head := c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: lake, Key: aws.String("vault/secret/x")})
			for _, tt := range []struct {
				what string
				err  error
				want string
			}{
				{"read beside it", read(ctx, c, "vault/a"), ""},
				{"read a name that begins alike", read(ctx, c, "vault/secrets"), ""},
				{"write beside it", put(ctx, c, "vault/mine"), ""},
				{"read", read(ctx, c, "vault/secret/x"), "AccessDenied"},
				{"read what is not there", read(ctx, c, "vault/secret/absent"), "AccessDenied"},
				{"write", put(ctx, c, "vault/secret/x"), "AccessDenied"},
				{"copy out", copied("vault/secret/x", "vault/stolen"), "AccessDenied"},
				{"copy in", copied("vault/a", "vault/secret/planted"), "AccessDenied"},
				{"copy beside it", copied("vault/a", "vault/copied"), ""},
				{"begin an upload in parts", begin, "AccessDenied"},
				{"go on with one", part("vault/secret/up", nil), "AccessDenied"},
				{"go on by a copy", part("vault/secret/up", aws.String(storyLake+"/vault/a")), "AccessDenied"},
				{"complete one", complete, "AccessDenied"},
				{"copy out in parts", partOf, "AccessDenied"},
				{"list", list(ctx, c, "vault/secret/"), "AccessDenied"},
				{"list with folders", folders("vault/secret/"), "AccessDenied"},
				{"list a part", list(ctx, c, "vault/secret/x"), "AccessDenied"},
				{"list beside it", list(ctx, c, "vault/secrets"), ""},
			} {
				if got := codeOf(tt.err); got != tt.want {
					t.Errorf("%s: got %q, want %q", tt.what, got, tt.want)
				}
			}
			if got := codeOf(head); got == "" {
				t.Error("the head of a denied object is told")
			}
			if status, _ := fetch(t, urls[name]); status != 403 {
				t.Errorf("the presigned URL answers %d", status)
			}
			deleted, err := c.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: lake, Delete: &s3types.Delete{Objects: []s3types.ObjectIdentifier{
				{Key: aws.String("vault/copied")}, {Key: aws.String("vault/secret/x")}, {Key: aws.String("vault/secret/y")},
			}}})
			if err != nil || len(deleted.Deleted) != 1 || len(deleted.Errors) != 2 {
				t.Errorf("a batch: %+v, %v", deleted, err)
			}
			if err := read(ctx, everything, "vault/secret/x"); err != nil {
				t.Errorf("what is denied was deleted: %v", err)
			}
			shown := []string{"vault/a", "vault/mine", "vault/secrets", "vault/z"}
			for _, size := range []int32{1, 2, 1000} {
				for prefix, want := range map[string][]string{"vault/": shown, "vault/sec": {"vault/secrets"}, "vault/secret": {"vault/secrets"}} {
					for _, delimiter := range []string{"", "/"} {
						if got := keysOf(ctx, t, c, prefix, delimiter, size); !slices.Equal(got, want) {
							t.Errorf("%s by %d with %q lists %q", prefix, size, delimiter, got)
						}
					}
				}
				var old []string
				in := &s3.ListObjectsInput{Bucket: lake, Prefix: aws.String("vault/"), MaxKeys: aws.Int32(size)}
				for range 50 {
					out, err := c.ListObjects(ctx, in)
					if err != nil {
						t.Fatal(err)
					}
					for _, o := range out.Contents {
						old = append(old, *o.Key)
					}
					if !aws.ToBool(out.IsTruncated) {
						break
					}
					if strings.Contains(aws.ToString(out.NextMarker), "secret/x") || strings.Contains(aws.ToString(out.NextMarker), "secret/y") {
						t.Errorf("a marker tells %s", *out.NextMarker)
					}
					if in.Marker = out.NextMarker; in.Marker == nil {
						in.Marker = out.Contents[len(out.Contents)-1].Key
					}
				}
				if !slices.Equal(old, shown) {
					t.Errorf("the old list by %d: %q", size, old)
				}
			}
			for _, size := range []int32{1, 2, 1000} {
				var versions, uploading []string
				told := func(marker *string) bool {
					return slices.Contains([]string{"vault/secret/x", "vault/secret/y", "vault/secret/up"}, aws.ToString(marker))
				}
				inVersions := &s3.ListObjectVersionsInput{Bucket: lake, Prefix: aws.String("vault/"), MaxKeys: &size}
				for range 50 {
					out, err := c.ListObjectVersions(ctx, inVersions)
					if err != nil {
						t.Fatal(err)
					}
					for _, v := range out.Versions {
						versions = append(versions, *v.Key)
					}
					if !aws.ToBool(out.IsTruncated) {
						break
					}
					if inVersions.KeyMarker, inVersions.VersionIdMarker = out.NextKeyMarker, out.NextVersionIdMarker; told(out.NextKeyMarker) {
						t.Errorf("a marker of versions tells %s", *out.NextKeyMarker)
					}
				}
				inUploads := &s3.ListMultipartUploadsInput{Bucket: lake, Prefix: aws.String("vault/"), MaxUploads: &size}
				for range 50 {
					out, err := c.ListMultipartUploads(ctx, inUploads)
					if err != nil {
						t.Fatal(err)
					}
					for _, u := range out.Uploads {
						uploading = append(uploading, *u.Key)
					}
					if !aws.ToBool(out.IsTruncated) {
						break
					}
					if inUploads.KeyMarker, inUploads.UploadIdMarker = out.NextKeyMarker, out.NextUploadIdMarker; told(out.NextKeyMarker) {
						t.Errorf("a marker of uploads tells %s", *out.NextKeyMarker)
					}
				}
				if !slices.Equal(versions, shown) || !slices.Equal(uploading, []string{"vault/free"}) {
					t.Errorf("by %d: versions of %q, uploads of %q", size, versions, uploading)
				}
			}
			if _, err := c.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: lake, Key: aws.String("vault/free"), UploadId: open.UploadId}); err != nil {
				t.Error(err)
			}
			// Why names the grant and its term.
			why := w.lakegate("why", idOf(t, read(ctx, c, "vault/secret/x")), "--dir", w.dir, "--account", dataAccount)
			if id := denial[strings.LastIndex(denial, "/")+1:]; !strings.Contains(why, id) || !strings.Contains(why, "lakegate:Effect=Deny") {
				t.Errorf("why: %s", why)
			}
		})
	}
	for _, target := range []string{"vault/secret/*", "vault/secret/x"} {
		if _, _, err := vend(ctx, person, "s3://"+storyLake+"/"+target, types.PermissionRead); codeOf(err) != "AccessDenied" {
			t.Errorf("credentials for %s: %v", target, err)
		}
	}
	if err := read(ctx, everything, "vault/secret/y"); err != nil {
		t.Errorf("the administrator: %v", err)
	}
}

// TestTermsByTheCommandLine: an unmodified AWS CLI makes grants with terms, is told what is wrong with them by their names, and
// cannot take them away.
func TestTermsByTheCommandLine(t *testing.T) {
	w := newTerms(t)
	ctx, mateos := t.Context(), w.toMateo()
	for tag, why := range map[string]string{
		"lakegate:NotAfter=2020-01-01T00:00:00Z": "The tag lakegate:NotAfter is not valid: it is in the past",
		"lakegate:NotAfter=next week":            "The tag lakegate:NotAfter is not valid: it is not a time",
		"lakegate:Actions=s3:PutObject":          "The tag lakegate:Actions is not valid: s3:PutObject is not an action of READ",
		"lakegate:Owner=user/nobody":             "The tag lakegate:Owner is not valid: there is no user nobody",
		"lakegate:Effect=Perhaps":                "The tag lakegate:Effect is not valid",
		"lakegate:Until=2030-01-01T00:00:00Z":    "The tag lakegate:Until is reserved",
	} {
		if message := w.cli.refused("InvalidTag", w.command(mateos, "term/*", "READ", tag)...); !strings.Contains(message, why) {
			t.Errorf("%s: %s", tag, message)
		}
	}
	if message := w.cli.refused("InvalidAccessGrant", w.command(mateos, "term/${user.nickname}/*", "READ")...); !strings.Contains(message, "${user.nickname}") {
		t.Error(message)
	}

	person := w.person(mateo)
	for _, key := range []string{"term/x", "home/" + mateo + "/x", "home/ana@example.com/x"} {
		if err := put(ctx, storage(w.data), key); err != nil {
			t.Fatal(err)
		}
	}
	w.make(mateos, "home/${user.name}/*", "READWRITE")
	for key, want := range map[string]string{"home/" + mateo + "/x": "", "home/ana@example.com/x": "AccessDenied", "home/${user.name}/x": "AccessDenied"} {
		if got := codeOf(read(ctx, storage(person), key)); got != want {
			t.Errorf("%s: got %q, want %q", key, got, want)
		}
	}
	if _, out, err := vend(ctx, person, "s3://"+storyLake+"/home/"+mateo+"/*", types.PermissionReadwrite); err != nil || *out.MatchedGrantTarget != "s3://"+storyLake+"/home/"+mateo+"/*" {
		t.Errorf("the home is handed out as %+v, %v", out, err)
	}

	drop := w.make(mateos, "drop/*", "WRITE", "lakegate:Actions=s3:PutObject", "lakegate:Owner=user/"+w.userByName(mateo))
	if err := put(ctx, storage(person), "drop/x"); err != nil {
		t.Errorf("put: %v", err)
	}
	_, err := storage(person).DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String(storyLake), Key: aws.String("drop/x")})
	if got := codeOf(err); got != "AccessDenied" {
		t.Errorf("delete where only putting is granted: %q", got)
	}
	w.cli.refused("InvalidTag", "s3control", "untag-resource", "--account-id", dataAccount, "--resource-arn", drop, "--tag-keys", "lakegate:Actions")
	w.cli.refused("InvalidTag", "s3control", "tag-resource", "--account-id", dataAccount, "--resource-arn", drop, "--tags", `{"Key":"lakegate:Actions","Value":"s3:PutObject s3:DeleteObject"}`)
	w.cli.refused("InvalidTag", "s3control", "tag-resource", "--account-id", dataAccount, "--resource-arn", drop, "--tags", `{"Key":"lakegate:NotAfter","Value":"2099-01-01T00:00:00Z"}`)
	w.cli.run("s3control", "tag-resource", "--account-id", dataAccount, "--resource-arn", drop, "--tags", `{"Key":"team","Value":"red"}`)

	// A grant ends by itself, also for credentials and URLs that were made for it.
	end := time.Now().Add(8 * time.Second).UTC().Truncate(time.Second)
	w.make(mateos, "term/*", "READ", "lakegate:NotAfter="+end.Format(time.RFC3339))
	cfg, out, err := vend(ctx, person, "s3://"+storyLake+"/term/*", types.PermissionRead)
	if err != nil || out.Credentials.Expiration.After(end) {
		t.Fatalf("credentials until %v, %v", out, err)
	}
	signed, err := s3.NewPresignClient(storage(cfg)).PresignGetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(storyLake), Key: aws.String("term/x")})
	if err != nil {
		t.Fatal(err)
	}
	if status, _ := fetch(t, signed.URL); status != 200 {
		t.Errorf("before its end the URL answers %d", status)
	}
	for time.Now().Before(end) {
		time.Sleep(time.Until(end))
	}
	if status, _ := fetch(t, signed.URL); status != 403 && status != 400 {
		t.Errorf("after its end the URL answers %d", status)
	}
	refused := read(ctx, storage(person), "term/x")
	if got := codeOf(refused); got != "AccessDenied" {
		t.Errorf("after its end: %q", got)
	}
	if why := w.lakegate("why", idOf(t, refused), "--dir", w.dir, "--account", dataAccount); !strings.Contains(why, "ended at "+end.Format(time.RFC3339)) {
		t.Errorf("why: %s", why)
	}
}
