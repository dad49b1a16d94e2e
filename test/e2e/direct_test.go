package e2e

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/s3control"
	"github.com/aws/aws-sdk-go-v2/service/s3control/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"
)

// grant gives a person a prefix.
func (s *story) grant(user, prefix string, permission types.Permission, tags ...types.Tag) (id string) {
	s.t.Helper()
	return s.grantTo(types.GranteeTypeDirectoryUser, s.userByName(user), prefix, permission, tags...)
}

// ownedBy is the tag of a grant whose prefix a person owns.
func (s *story) ownedBy(user string) types.Tag {
	s.t.Helper()
	return types.Tag{Key: aws.String("lakegate:Owner"), Value: aws.String("user/" + s.userByName(user))}
}

// grantTo gives a grantee a prefix at the one location.
func (s *story) grantTo(kind types.GranteeType, grantee, prefix string, permission types.Permission, tags ...types.Tag) (id string) {
	s.t.Helper()
	return s.grantAt(s.location(), kind, grantee, prefix, permission, tags...)
}

// grantAt gives a grantee a prefix at a location.
func (s *story) grantAt(location string, kind types.GranteeType, grantee, prefix string, permission types.Permission, tags ...types.Tag) (id string) {
	s.t.Helper()
	out, err := control(s.data).CreateAccessGrant(s.t.Context(), &s3control.CreateAccessGrantInput{
		AccountId: aws.String(dataAccount), AccessGrantsLocationId: &location, Permission: permission,
		AccessGrantsLocationConfiguration: &types.AccessGrantsLocationConfiguration{S3SubPrefix: &prefix},
		Grantee:                           &types.Grantee{GranteeType: kind, GranteeIdentifier: &grantee},
		Tags:                              tags,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return *out.AccessGrantId
}

func put(ctx context.Context, c *s3.Client, key string) error {
	_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(storyLake), Key: &key, Body: strings.NewReader("text")})
	return err
}

func read(ctx context.Context, c *s3.Client, key string) error {
	out, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(storyLake), Key: &key})
	if err == nil {
		err = out.Body.Close()
	}
	return err
}

func list(ctx context.Context, c *s3.Client, prefix string) error {
	_, err := c.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String(storyLake), Prefix: &prefix})
	return err
}

// TestGrantsInOneSession: a session in a person's name uses all of the person's grants at the gate, without credentials of
// each, and no more than them.
func TestGrantsInOneSession(t *testing.T) {
	s := newStory(t)
	ctx := t.Context()
	homeGrant := s.grant(mateo, "home/mateo/*", types.PermissionReadwrite)
	s.grant(mateo, "inbox/*", types.PermissionWrite)
	person := s.person(mateo)
	own := storage(person)
	everything := storage(s.data)
	lake := aws.String(storyLake)
	for _, key := range []string{"home/ana/note", "home/mateo2/note", "inbox/there"} {
		if err := put(ctx, everything, key); err != nil {
			t.Fatal(err)
		}
	}
	listed, err := own.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: lake, Prefix: aws.String("red/")})
	if err != nil || len(listed.Contents) == 0 {
		t.Fatalf("red/ lists %v, %v", listed, err)
	}
	tomatoes := *listed.Contents[0].Key

	t.Run("each request by its grant", func(t *testing.T) {
		for _, c := range []struct {
			what string
			err  error
			want string
		}{
			{"read by a grant to the group", read(ctx, own, tomatoes), ""},
			{"write by a grant to read", put(ctx, own, "red/new.csv"), "AccessDenied"},
			{"write by a grant to the person", put(ctx, own, "home/mateo/note"), ""},
			{"read it", read(ctx, own, "home/mateo/note"), ""},
			{"list it", list(ctx, own, "home/mateo/"), ""},
			{"list below it", list(ctx, own, "home/mateo/deep"), ""},
			{"write where only writing is granted", put(ctx, own, "inbox/new"), ""},
			{"read there", read(ctx, own, "inbox/there"), "AccessDenied"},
			{"list there", list(ctx, own, "inbox/"), "AccessDenied"},
			{"the blue prefix", read(ctx, own, strings.Replace(tomatoes, "red/", "blue/", 1)), "AccessDenied"},
			{"somebody else's home", read(ctx, own, "home/ana/note"), "AccessDenied"},
			{"a name that begins alike", read(ctx, own, "home/mateo2/note"), "AccessDenied"},
			{"list above the grants", list(ctx, own, "home/"), "AccessDenied"},
			{"list a shorter beginning", list(ctx, own, "home/mateo"), "AccessDenied"},
			{"list everything", list(ctx, own, ""), "AccessDenied"},
			{"an absent key of the grant", read(ctx, own, "home/mateo/absent"), "NoSuchKey"},
			{"an absent key elsewhere", read(ctx, own, "home/ana/absent"), "AccessDenied"},
		} {
			if got := codeOf(c.err); got != c.want {
				t.Errorf("%s: got %q, want %q", c.what, got, c.want)
			}
		}
		attributes := func(key string) error {
			_, err := own.GetObjectAttributes(ctx, &s3.GetObjectAttributesInput{Bucket: lake, Key: &key, ObjectAttributes: []s3types.ObjectAttributes{s3types.ObjectAttributesObjectSize}})
			return err
		}
		if got := codeOf(attributes("home/mateo/note")); got != "" {
			t.Errorf("attributes of an object: %q", got)
		}
		if got := codeOf(attributes("home/ana/note")); got != "AccessDenied" {
			t.Errorf("attributes of somebody else's object: %q", got)
		}
		_, err := own.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: lake, Policy: aws.String(`{"Version":"2012-10-17","Statement":[]}`)})
		if got := codeOf(err); got != "AccessDenied" {
			t.Errorf("change the bucket: %q", got)
		}
	})

	t.Run("a copy between two grants", func(t *testing.T) {
		copied := func(from, to string) string {
			_, err := own.CopyObject(ctx, &s3.CopyObjectInput{Bucket: lake, Key: &to, CopySource: aws.String(storyLake + "/" + from)})
			return codeOf(err)
		}
		for _, c := range []struct{ from, to, want string }{
			{tomatoes, "home/mateo/tomatoes.csv", ""},
			{"home/ana/note", "home/mateo/stolen", "AccessDenied"},
			{"inbox/there", "home/mateo/stolen", "AccessDenied"},
			{tomatoes, "home/ana/planted", "AccessDenied"},
		} {
			if got := copied(c.from, c.to); got != c.want {
				t.Errorf("from %s to %s: got %q, want %q", c.from, c.to, got, c.want)
			}
		}
	})

	t.Run("each key of a batch", func(t *testing.T) {
		out, err := own.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: lake, Delete: &s3types.Delete{Objects: []s3types.ObjectIdentifier{
			{Key: aws.String("home/mateo/tomatoes.csv")}, {Key: aws.String("home/ana/note")}, {Key: &tomatoes},
		}}})
		if err != nil {
			t.Fatal(err)
		}
		var refused []string
		for _, e := range out.Errors {
			refused = append(refused, *e.Key+" "+*e.Code)
		}
		slices.Sort(refused)
		if want := []string{"home/ana/note AccessDenied", tomatoes + " AccessDenied"}; len(out.Deleted) != 1 || !slices.Equal(refused, want) {
			t.Errorf("deleted %d, refused %q, want %q", len(out.Deleted), refused, want)
		}
		if err := read(ctx, everything, "home/ana/note"); err != nil {
			t.Errorf("what was refused is gone: %v", err)
		}
	})

	t.Run("the trail names the grant", func(t *testing.T) {
		found := s.records(func(r record) bool {
			return r.EventName == "PutObject" && r.Additional["accessGrantId"] == homeGrant
		})
		if len(found) == 0 || found[0].UserIdentity.OnBehalfOf.UserId == "" {
			t.Errorf("no record of the write names grant %s and a person: %+v", homeGrant, found)
		}
	})

	t.Run("the session's own denials win", func(t *testing.T) {
		bounded := func(policy string) *s3.Client {
			identity, err := s.swap(ctx, s.token(mateo))
			if err != nil {
				t.Fatal(err)
			}
			return storage(s.assumed(s.app, &sts.AssumeRoleInput{RoleArn: aws.String(bearerRole), RoleSessionName: aws.String("bounded"), Policy: &policy,
				ProvidedContexts: []ststypes.ProvidedContext{{ProviderArn: aws.String(contexts), ContextAssertion: &identity}}}))
		}
		for policy, want := range map[string]string{
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetDataAccess","Resource":"*"}]}`:                                                                   "",
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}`:                                                                       "AccessDenied",
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"s3:GetObject","Resource":"*"}]}`:                         "AccessDenied",
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"s3:GetObject","Resource":"arn:aws:s3:::*/home/ana/*"}]}`: "",
		} {
			if got := codeOf(read(ctx, bounded(policy), "home/mateo/note")); got != want {
				t.Errorf("under %s: got %q, want %q", policy, got, want)
			}
		}
	})

	t.Run("the role's own rights do not count", func(t *testing.T) {
		roles := iam.NewFromConfig(s.data)
		_, err := roles.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: aws.String("IdentityBearerRole"), PolicyName: aws.String("Wide"),
			PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`)})
		if err != nil {
			t.Fatal(err)
		}
		if got := codeOf(read(ctx, own, "home/ana/note")); got != "AccessDenied" {
			t.Errorf("beyond the grants: %q", got)
		}
	})

	t.Run("what is taken away is gone at once", func(t *testing.T) {
		if _, err := control(s.data).DeleteAccessGrant(ctx, &s3control.DeleteAccessGrantInput{AccountId: aws.String(dataAccount), AccessGrantId: &homeGrant}); err != nil {
			t.Fatal(err)
		}
		if got := codeOf(read(ctx, own, "home/mateo/note")); got != "AccessDenied" {
			t.Errorf("after the grant: %q", got)
		}
		s.setActive(mateo, false)
		if got := codeOf(read(ctx, own, tomatoes)); got != "AccessDenied" {
			t.Errorf("a disabled person: %q", got)
		}
	})
}

// TestStrictSessionsAskForCredentials: with compat: strict a person's session reaches no object itself, as at AWS.
func TestStrictSessionsAskForCredentials(t *testing.T) {
	s := newStory(t, "--config", settings(t, "compat: strict\n"))
	person := s.person(mateo)
	if got := codeOf(list(t.Context(), storage(person), "red/")); got != "AccessDenied" {
		t.Errorf("its own request: %q", got)
	}
	vended, _, err := vend(t.Context(), person, storyRed, types.PermissionRead)
	if err != nil {
		t.Fatal(err)
	}
	if err := list(t.Context(), storage(vended), "red/"); err != nil {
		t.Errorf("with credentials: %v", err)
	}
	for name, c := range map[string]*s3.Client{"the person's session": storage(person), "credentials of a grant": storage(vended)} {
		if _, err := browse(t.Context(), c, "", 1000); codeOf(err) != "AccessDenied" {
			t.Errorf("the way down for %s: %v", name, err)
		}
		if _, err := c.ListBuckets(t.Context(), &s3.ListBucketsInput{}); codeOf(err) != "AccessDenied" {
			t.Errorf("the buckets for %s: %v", name, err)
		}
	}
}
