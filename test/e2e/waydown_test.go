package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3control"
	"github.com/aws/aws-sdk-go-v2/service/s3control/types"
)

// browse lists a level of the lake, in pages of a size, as keys and common prefixes in order.
func browse(ctx context.Context, c *s3.Client, prefix string, size int32) (found []string, err error) {
	pages := s3.NewListObjectsV2Paginator(c, &s3.ListObjectsV2Input{Bucket: aws.String(storyLake), Prefix: &prefix, Delimiter: aws.String("/"), MaxKeys: &size})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, o := range page.Contents {
			found = append(found, *o.Key)
		}
		for _, p := range page.CommonPrefixes {
			found = append(found, *p.Prefix)
		}
	}
	slices.Sort(found)
	return found, nil
}

// TestWayDown: who browses from the top finds the way to what they reach, and nothing else.
func TestWayDown(t *testing.T) {
	s := newStory(t)
	ctx := t.Context()
	everything := storage(s.data)
	for _, key := range []string{"home/ana/note", "home/mateo/note", "home/mateo/deep/note", "home/mateo2/note", "inbox/there", "reports-2026.csv", "reports-2025.csv", "reports-2026/a", "secret.txt", "shared/one.txt", "shared/two.txt"} {
		if err := put(ctx, everything, key); err != nil {
			t.Fatal(err)
		}
	}
	other := "other-" + dataAccount
	if _, err := everything.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &other}); err != nil {
		t.Fatal(err)
	}
	s.grant(mateo, "home/mateo/*", types.PermissionReadwrite)
	s.grant(mateo, "inbox/*", types.PermissionWrite)
	s.grant(mateo, "reports-2026*", types.PermissionRead)
	shared := s.grant(mateo, "shared/one.txt", types.PermissionRead)
	person := s.person(mateo)
	own := storage(person)
	levels := func(t *testing.T, c *s3.Client, want map[string][]string) {
		t.Helper()
		for prefix, level := range want {
			for _, size := range []int32{1, 2, 1000} {
				got, err := browse(ctx, c, prefix, size)
				if len(level) == 1 && level[0] == "AccessDenied" {
					if codeOf(err) != "AccessDenied" {
						t.Errorf("%q: %v, %v, want AccessDenied", prefix, got, err)
					}
				} else if err != nil || !slices.Equal(got, level) {
					t.Errorf("%q in pages of %d: %v, %v, want %v", prefix, size, got, err, level)
				}
			}
		}
	}
	refused := []string{"AccessDenied"}

	t.Run("a person's session", func(t *testing.T) {
		levels(t, own, map[string][]string{
			"":             {"home/", "inbox/", "red/", "reports-2026.csv", "reports-2026/", "shared/"},
			"home":         {"home/"},
			"home/":        {"home/mateo/"},
			"home/m":       {"home/mateo/"},
			"home/mateo/":  {"home/mateo/deep/", "home/mateo/note"},
			"reports":      {"reports-2026.csv", "reports-2026/"},
			"shared/":      {"shared/one.txt"},
			"blue/":        refused,
			"home/ana/":    refused,
			"home/mateo2/": refused,
			"inbox/":       refused, // writing is granted, listing is not
			"secret":       refused,
		})
		if _, err := own.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String(storyLake)}); codeOf(err) != "AccessDenied" {
			t.Errorf("everything without a delimiter: %v", err)
		}
		v1, err := own.ListObjects(ctx, &s3.ListObjectsInput{Bucket: aws.String(storyLake), Delimiter: aws.String("/"), Marker: aws.String("home/a"), MaxKeys: aws.Int32(2)})
		if err != nil || len(v1.CommonPrefixes) != 2 || *v1.CommonPrefixes[0].Prefix != "home/" || !*v1.IsTruncated || *v1.NextMarker != "inbox/" {
			t.Errorf("the former listing: %+v, %v", v1, err)
		}
		if _, err := own.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: aws.String(storyLake), Delimiter: aws.String("/")}); codeOf(err) != "AccessDenied" {
			t.Errorf("versions: %v", err)
		}
	})

	t.Run("buckets", func(t *testing.T) {
		out, err := own.ListBuckets(ctx, &s3.ListBucketsInput{})
		if err != nil || len(out.Buckets) != 1 || *out.Buckets[0].Name != storyLake {
			t.Errorf("listed %+v, %v", out, err)
		}
		if _, err := own.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: aws.String(storyLake)}); err != nil {
			t.Errorf("the lake: %v", err)
		}
		if _, err := own.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &other}); err == nil {
			t.Error("a bucket without any grant is found")
		}
	})

	t.Run("credentials of a grant", func(t *testing.T) {
		vended, _, err := vend(ctx, person, "s3://"+storyLake+"/home/mateo/*", types.PermissionRead)
		if err != nil {
			t.Fatal(err)
		}
		levels(t, storage(vended), map[string][]string{"": {"home/"}, "home/": {"home/mateo/"}, "red/": refused, "shared/": refused})
		out, err := storage(vended).ListBuckets(ctx, &s3.ListBucketsInput{})
		if err != nil || len(out.Buckets) != 1 {
			t.Errorf("buckets: %+v, %v", out, err)
		}
	})

	t.Run("the AWS CLI", func(t *testing.T) {
		keys, err := person.Credentials.Retrieve(ctx)
		if err != nil {
			t.Fatal(err)
		}
		cli := s.as(dataAccount).with(credentials{keys.AccessKeyID, keys.SecretAccessKey, keys.SessionToken})
		if out := cli.run("s3", "ls", "s3://"+storyLake+"/"); strings.Contains(out, "blue/") || !strings.Contains(out, "PRE red/") || !strings.Contains(out, "reports-2026.csv") || strings.Contains(out, "2025") {
			t.Errorf("listed\n%s", out)
		}
		if out := cli.run("s3", "ls"); !strings.Contains(out, storyLake) || strings.Contains(out, other) {
			t.Errorf("listed\n%s", out)
		}
	})

	t.Run("more grants than are held at a time", func(t *testing.T) {
		var lines strings.Builder
		lines.WriteString("grantee_type,grantee,scope,permission\n")
		var steps []string
		for n := range 260 {
			steps = append(steps, fmt.Sprintf("many/%03d/", n))
			fmt.Fprintf(&lines, "DIRECTORY_USER,%s,s3://%s/%s*,READ\n", ana, storyLake, steps[n])
		}
		file := filepath.Join(t.TempDir(), "many.csv")
		if err := os.WriteFile(file, []byte(lines.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := s.command(s.data, "grants", "import", "--quiet", "--data-account", dataAccount, file); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		for prefix, want := range map[string][]string{"": {"blue/", "many/"}, "many/": steps, "ma": {"many/"}} {
			for _, size := range []int32{100, 130, 1000} {
				if got, err := browse(ctx, storage(s.person(ana)), prefix, size); err != nil || !slices.Equal(got, want) {
					t.Errorf("%q in pages of %d: %v, %v", prefix, size, got, err)
				}
			}
		}
	})

	t.Run("a grant that goes", func(t *testing.T) {
		if _, err := control(s.data).DeleteAccessGrant(ctx, &s3control.DeleteAccessGrantInput{AccountId: aws.String(dataAccount), AccessGrantId: &shared}); err != nil {
			t.Fatal(err)
		}
		levels(t, own, map[string][]string{"": {"home/", "inbox/", "red/", "reports-2026.csv", "reports-2026/"}, "shared/": refused})
	})

	t.Run("a policy that denies", func(t *testing.T) {
		deny := `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:ListBucket","Resource":"arn:aws:s3:::` + storyLake + `","Condition":{"ArnLike":{"aws:PrincipalArn":"` + bearerRole + `"}}}]}`
		if _, err := everything.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: aws.String(storyLake), Policy: &deny}); err != nil {
			t.Fatal(err)
		}
		levels(t, own, map[string][]string{"": refused, "home/": refused})
	})
}
