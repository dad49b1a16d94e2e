package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3control/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// TestRevocation: what is revoked is refused at the next request, with everything that came from it, and who signs in
// afterwards goes on.
func TestRevocation(t *testing.T) {
	s := newStory(t)
	ctx := t.Context()
	person := s.person(mateo)
	vended, _, err := vend(ctx, person, storyRed, types.PermissionRead)
	if err != nil {
		t.Fatal(err)
	}
	presigned, err := s3.NewPresignClient(storage(vended)).PresignGetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(storyLake), Key: aws.String(firstKey(t, storage(vended), "red/"))})
	if err != nil {
		t.Fatal(err)
	}
	if status, _ := fetch(t, presigned.URL); status != 200 {
		t.Fatalf("the presigned URL answers %d", status)
	}
	ana := s.person("ana@example.com")
	identity, err := s.swap(ctx, s.token(mateo))
	if err != nil {
		t.Fatal(err)
	}

	id, _, _ := strings.Cut(s.lakegate("revoke", "--dir", s.dir, "--person", mateo, "--reason", "lost laptop"), ":")
	for what, err := range map[string]error{
		"the person's session":       list(ctx, storage(person), "red/"),
		"the credentials of a grant": list(ctx, storage(vended), "red/"),
	} {
		if got := codeOf(err); got != "AccessDenied" {
			t.Errorf("%s: got %q", what, got)
		}
	}
	if _, _, err := vend(ctx, person, storyRed, types.PermissionRead); codeOf(err) != "AccessDenied" {
		t.Errorf("asking for another credential: %v", err)
	}
	if status, _ := fetch(t, presigned.URL); status != 403 {
		t.Errorf("the presigned URL answers %d", status)
	}
	_, err = sts.NewFromConfig(s.app).AssumeRole(ctx, withContext(identity))
	if got := codeOf(err); got != "AccessDenied" {
		t.Errorf("an identity context of before: %q", got)
	}
	if err := list(ctx, storage(ana), "blue/"); err != nil {
		t.Errorf("somebody else: %v", err)
	}
	// A session of the same second as the revocation is over too.
	time.Sleep(time.Second)
	if err := list(ctx, storage(s.person(mateo)), "red/"); err != nil {
		t.Errorf("a new sign-in: %v", err)
	}

	if out := s.lakegate("revoke", "list", "--dir", s.dir); !strings.Contains(out, id) || !strings.Contains(out, `"lost laptop"`) {
		t.Errorf("the list: %s", out)
	}
	s.lakegate("revoke", "undo", id, "--dir", s.dir)
	if err := list(ctx, storage(vended), "red/"); err != nil {
		t.Errorf("after it was taken back: %v", err)
	}
}

// firstKey is a key that is there.
func firstKey(t *testing.T, c *s3.Client, prefix string) string {
	t.Helper()
	out, err := c.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(storyLake), Prefix: &prefix})
	if err != nil || len(out.Contents) == 0 {
		t.Fatalf("%s lists %v, %v", prefix, out, err)
	}
	return *out.Contents[0].Key
}
