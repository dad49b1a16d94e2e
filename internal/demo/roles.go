package demo

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
)

// The principals of the data account.
const (
	machineUser     = "dataapp-machine"
	applicationRole = "ApplicationRole"
	identityRole    = "IdentityBearerRole"
	locationRole    = "AccessGrantsLocationRole"
)

const grantsInstance = "arn:aws:s3:%[1]s:111111111111:access-grants/default"

// makeRoles makes the principals: the machine that the application runs on, the role that the application takes on, the
// role that it assumes for a person, and the role by which access grants reach the data.
func (s *seeder) makeRoles(ctx context.Context) error {
	instance := fmt.Sprintf(grantsInstance, s.Region)
	return run(ctx, []step{
		{"user " + machineUser, s.makeMachine},
		{"role " + applicationRole, s.role(applicationRole, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:user/`+machineUser+`"},"Action":"sts:AssumeRole"}]}`,
			`{"Version":"2012-10-17","Statement":[
			{"Sid":"ExchangeTokens","Effect":"Allow","Action":"sso-oauth:CreateTokenWithIAM","Resource":"`+s.applicationARN+`"},
			{"Sid":"ActForPeople","Effect":"Allow","Action":["sts:AssumeRole","sts:SetContext"],"Resource":"`+s.roleARN(identityRole)+`"}]}`)},
		{"role " + identityRole, s.role(identityRole, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"`+s.roleARN(applicationRole)+`"},"Action":["sts:AssumeRole","sts:SetContext"],
			"Condition":{"StringEqualsIfExists":{"sts:RequestContext/identitycenter:ApplicationArn":"`+s.applicationARN+`"}}}]}`,
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:GetDataAccess","s3:ListCallerAccessGrants","s3:GetAccessGrantsInstanceForPrefix"],"Resource":"`+instance+`"},
			{"Effect":"Allow","Action":["lakegate:*AccessRequest*","lakegate:QueryEvents","lakegate:WhatCan"],"Resource":"*"}]}`)},
		{"role " + locationRole, s.role(locationRole, `{"Version":"2012-10-17","Statement":[
			{"Effect":"Allow","Principal":{"Service":"access-grants.s3.amazonaws.com"},"Action":["sts:AssumeRole","sts:SetSourceIdentity"],
			 "Condition":{"StringEquals":{"aws:SourceAccount":"111111111111","aws:SourceArn":"`+instance+`"}}},
			{"Effect":"Allow","Principal":{"Service":"access-grants.s3.amazonaws.com"},"Action":"sts:SetContext",
			 "Condition":{"StringEquals":{"aws:SourceAccount":"111111111111","aws:SourceArn":"`+instance+`"},
			  "ForAllValues:ArnEquals":{"sts:RequestContextProviders":"arn:aws:iam::aws:contextProvider/IdentityCenter"}}}]}`,
			`{"Version":"2012-10-17","Statement":[
			{"Effect":"Allow","Action":["s3:GetObject","s3:GetObjectVersion","s3:GetObjectAcl","s3:GetObjectVersionAcl","s3:ListMultipartUploadParts","s3:PutObject","s3:PutObjectAcl","s3:PutObjectVersionAcl","s3:DeleteObject","s3:DeleteObjectVersion","s3:AbortMultipartUpload"],
			 "Resource":"arn:aws:s3:::`+Bucket+`/*","Condition":{"StringEquals":{"aws:ResourceAccount":"111111111111"}}},
			{"Effect":"Allow","Action":["s3:ListBucket","s3:ListBucketVersions","s3:ListBucketMultipartUploads"],
			 "Resource":"arn:aws:s3:::`+Bucket+`","Condition":{"StringEquals":{"aws:ResourceAccount":"111111111111"}}}]}`)},
	})
}

// makeMachine makes the user that stands for the application's machine. Its key is shown once, so a repeated start gives
// it a new one.
func (s *seeder) makeMachine(ctx context.Context) error {
	_, err := s.data.iam.CreateUser(ctx, &iam.CreateUserInput{UserName: aws.String(machineUser)})
	if err != nil && !already(err, "EntityAlreadyExists") {
		return err
	}
	keys, err := s.data.iam.ListAccessKeys(ctx, &iam.ListAccessKeysInput{UserName: aws.String(machineUser)})
	if err != nil {
		return err
	}
	for _, k := range keys.AccessKeyMetadata {
		if _, err := s.data.iam.DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{UserName: aws.String(machineUser), AccessKeyId: k.AccessKeyId}); err != nil {
			return err
		}
	}
	_, err = s.data.iam.PutUserPolicy(ctx, &iam.PutUserPolicyInput{
		UserName: aws.String(machineUser), PolicyName: aws.String("TakeOnApplicationRole"),
		PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"` + s.roleARN(applicationRole) + `"}]}`),
	})
	if err != nil {
		return err
	}
	key, err := s.data.iam.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: aws.String(machineUser)})
	if err != nil {
		return err
	}
	s.result.ApplicationKey = Key{ID: aws.ToString(key.AccessKey.AccessKeyId), Secret: aws.ToString(key.AccessKey.SecretAccessKey)}
	return nil
}

func (s *seeder) role(name, trust, permissions string) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := s.data.iam.CreateRole(ctx, &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: &trust})
		if already(err, "EntityAlreadyExists") {
			_, err = s.data.iam.UpdateAssumeRolePolicy(ctx, &iam.UpdateAssumeRolePolicyInput{RoleName: &name, PolicyDocument: &trust})
		}
		if err != nil {
			return err
		}
		_, err = s.data.iam.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: &name, PolicyName: aws.String("Permissions"), PolicyDocument: &permissions})
		return err
	}
}
