package demo

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin/types"
)

// LakeAdministrator is the permission set with which the data administrators use the console.
const LakeAdministrator = "LakeAdministrator"

const lakeAdministratorPolicy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Resource":"*","Action":["lakegate:*","s3:*AccessGrant*","s3:ListTagsForResource","s3:TagResource",
	"sso:DescribeInstance","sso:DescribeApplication",
	"identitystore:GetUserId","identitystore:GetGroupId","identitystore:DescribeUser","identitystore:DescribeGroup"]}]}`

// appointAdministrators lets the data administrators look after the grants of the data account, and revoke as the management
// account.
func (s *seeder) appointAdministrators(ctx context.Context) error {
	set, err := s.permissionSet(ctx)
	if err != nil {
		return err
	}
	group, err := s.groupID(ctx, adminGroup)
	if err != nil {
		return err
	}
	for _, account := range []string{DataAccount, CenterAccount} {
		_, err := s.center.center.CreateAccountAssignment(ctx, &ssoadmin.CreateAccountAssignmentInput{
			InstanceArn: &s.InstanceARN, PermissionSetArn: &set, TargetId: &account, TargetType: types.TargetTypeAwsAccount,
			PrincipalType: types.PrincipalTypeGroup, PrincipalId: &group,
		})
		if err != nil && !already(err, "ConflictException") {
			return fmt.Errorf("assign %s in %s: %w", LakeAdministrator, account, err)
		}
	}
	return nil
}

func (s *seeder) permissionSet(ctx context.Context) (arn string, err error) {
	pages := ssoadmin.NewListPermissionSetsPaginator(s.center.center, &ssoadmin.ListPermissionSetsInput{InstanceArn: &s.InstanceARN})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return "", fmt.Errorf("list permission sets: %w", err)
		}
		for _, set := range page.PermissionSets {
			d, err := s.center.center.DescribePermissionSet(ctx, &ssoadmin.DescribePermissionSetInput{InstanceArn: &s.InstanceARN, PermissionSetArn: &set})
			if err != nil {
				return "", fmt.Errorf("describe permission set: %w", err)
			}
			if aws.ToString(d.PermissionSet.Name) == LakeAdministrator {
				return set, nil
			}
		}
	}
	out, err := s.center.center.CreatePermissionSet(ctx, &ssoadmin.CreatePermissionSetInput{
		InstanceArn: &s.InstanceARN, Name: aws.String(LakeAdministrator), Description: aws.String("Looks after access grants and ends sessions"), SessionDuration: aws.String("PT4H"),
	})
	if err != nil {
		return "", fmt.Errorf("create permission set: %w", err)
	}
	arn = aws.ToString(out.PermissionSet.PermissionSetArn)
	_, err = s.center.center.PutInlinePolicyToPermissionSet(ctx, &ssoadmin.PutInlinePolicyToPermissionSetInput{
		InstanceArn: &s.InstanceARN, PermissionSetArn: &arn, InlinePolicy: aws.String(lakeAdministratorPolicy),
	})
	if err != nil {
		return "", fmt.Errorf("put policy of permission set: %w", err)
	}
	return arn, nil
}
