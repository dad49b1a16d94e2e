package demo

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/identitystore/document"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3control"
	"github.com/aws/aws-sdk-go-v2/service/s3control/types"
)

// putData fills the bucket: this month's sales and those of the two months before, under red/ and under blue/.
func (s *seeder) putData(ctx context.Context) error {
	_, err := s.data.s3.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(Bucket)})
	if err != nil && !already(err, "BucketAlreadyOwnedByYou") {
		return fmt.Errorf("create bucket: %w", err)
	}
	for prefix, products := range map[string][]product{"red/": redProducts, "blue/": blueProducts} {
		for _, month := range months(s.Now) {
			key := prefix + "sales-" + month.Format("2006-01") + ".csv"
			_, err := s.data.s3.PutObject(ctx, &s3.PutObjectInput{
				Bucket: aws.String(Bucket), Key: &key, Body: strings.NewReader(sales(month, products)), ContentType: aws.String("text/csv"),
			})
			if err != nil {
				return fmt.Errorf("put %s: %w", key, err)
			}
		}
	}
	return nil
}

// grantAccess makes the access grants instance, its one location, and a grant for each group.
func (s *seeder) grantAccess(ctx context.Context) error {
	control := s.data.control
	_, err := control.CreateAccessGrantsInstance(ctx, &s3control.CreateAccessGrantsInstanceInput{AccountId: aws.String(DataAccount), IdentityCenterArn: &s.InstanceARN})
	if err != nil && !already(err, "AccessGrantsInstanceAlreadyExists") {
		return fmt.Errorf("create instance: %w", err)
	}
	scope := "s3://" + Bucket
	location, err := s.location(ctx, scope)
	if err != nil {
		return err
	}
	for _, g := range []struct {
		group, prefix string
		permission    types.Permission
	}{
		{redGroup, "red/*", types.PermissionRead},
		{blueGroup, "blue/*", types.PermissionRead},
		{adminGroup, "*", types.PermissionReadwrite},
	} {
		id, err := s.groupID(ctx, g.group)
		if err != nil {
			return err
		}
		_, err = control.CreateAccessGrant(ctx, &s3control.CreateAccessGrantInput{
			AccountId: aws.String(DataAccount), AccessGrantsLocationId: &location, Permission: g.permission,
			AccessGrantsLocationConfiguration: &types.AccessGrantsLocationConfiguration{S3SubPrefix: aws.String(g.prefix)},
			Grantee:                           &types.Grantee{GranteeType: types.GranteeTypeDirectoryGroup, GranteeIdentifier: &id},
		})
		if err != nil && !already(err, "AccessGrantAlreadyExists") {
			return fmt.Errorf("grant %s to %s: %w", g.prefix, g.group, err)
		}
	}
	return nil
}

func (s *seeder) location(ctx context.Context, scope string) (id string, err error) {
	list, err := s.data.control.ListAccessGrantsLocations(ctx, &s3control.ListAccessGrantsLocationsInput{AccountId: aws.String(DataAccount), LocationScope: &scope})
	if err != nil {
		return "", fmt.Errorf("list locations: %w", err)
	}
	for _, l := range list.AccessGrantsLocationsList {
		return aws.ToString(l.AccessGrantsLocationId), nil
	}
	out, err := s.data.control.CreateAccessGrantsLocation(ctx, &s3control.CreateAccessGrantsLocationInput{
		AccountId: aws.String(DataAccount), LocationScope: &scope, IAMRoleArn: aws.String(s.roleARN(locationRole)),
	})
	if err != nil {
		return "", fmt.Errorf("register location %s: %w", scope, err)
	}
	return aws.ToString(out.AccessGrantsLocationId), nil
}

// documentOf wraps a value for a member that takes any JSON.
func documentOf(v any) document.Interface { return document.NewLazyDocument(v) }
