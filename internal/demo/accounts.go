package demo

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/organizations/types"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin"
)

// The accounts of the story.
const (
	CenterAccount = "222222222222"
	DataAccount   = "111111111111"
)

// accountIDTag chooses the id of a new account.
const accountIDTag = "lakegate:AccountId"

// Accounts makes the member account of the story, whose administrator's key the server then writes to its credentials
// file, and returns the ARN of the organization's identity center instance and the id of its identity store.
func Accounts(ctx context.Context, endpoint, region string, management Key) (instanceARN, storeID string, err error) {
	center, err := newAccount(CenterAccount, endpoint, region, management)
	if err != nil {
		return "", "", err
	}
	exists := false
	pages := organizations.NewListAccountsPaginator(center.org, &organizations.ListAccountsInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return "", "", fmt.Errorf("list accounts: %w", err)
		}
		for _, a := range page.Accounts {
			exists = exists || aws.ToString(a.Id) == DataAccount
		}
	}
	if !exists {
		_, err := center.org.CreateAccount(ctx, &organizations.CreateAccountInput{
			AccountName: aws.String("Sales data"), Email: aws.String("sales-data@example.com"),
			Tags: []types.Tag{{Key: aws.String(accountIDTag), Value: aws.String(DataAccount)}},
		})
		if err != nil {
			return "", "", fmt.Errorf("create account %s: %w", DataAccount, err)
		}
	}
	list, err := center.center.ListInstances(ctx, &ssoadmin.ListInstancesInput{})
	if err != nil {
		return "", "", fmt.Errorf("list identity center instances: %w", err)
	}
	for _, i := range list.Instances {
		if aws.ToString(i.OwnerAccountId) == CenterAccount {
			return aws.ToString(i.InstanceArn), aws.ToString(i.IdentityStoreId), nil
		}
	}
	return "", "", fmt.Errorf("account %s has no identity center instance", CenterAccount)
}
