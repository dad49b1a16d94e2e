// Package arn parses, formats and matches Amazon Resource Names.
//
// An ARN has six fields separated by colons, of which only the last may hold more colons:
//
//	arn:<partition>:<service>:<region>:<account>:<resource>
//	arn:aws:iam::111111111111:role/ApplicationRole
//	arn:aws:s3:::red-bucket/report.csv
package arn

import (
	"errors"
	"strings"
)

// Partition is the only partition that a server issues names in.
const Partition = "aws"

// ErrMalformed says that a text is not an ARN.
var ErrMalformed = errors.New("malformed ARN")

// ARN is a parsed Amazon Resource Name. Region and Account may be empty.
type ARN struct {
	Partition, Service, Region, Account, Resource string
}

// Parse splits s into its six fields. It checks the shape only: a non-empty partition, service and resource.
func Parse(s string) (ARN, error) {
	f := strings.SplitN(s, ":", 6)
	if len(f) != 6 || f[0] != "arn" || f[1] == "" || f[2] == "" || f[5] == "" {
		return ARN{}, ErrMalformed
	}
	return ARN{Partition: f[1], Service: f[2], Region: f[3], Account: f[4], Resource: f[5]}, nil
}

// New makes an ARN in the server's partition.
func New(service, region, account, resource string) ARN {
	return ARN{Partition: Partition, Service: service, Region: region, Account: account, Resource: resource}
}

// String formats the ARN.
func (a ARN) String() string {
	return "arn:" + a.Partition + ":" + a.Service + ":" + a.Region + ":" + a.Account + ":" + a.Resource
}

// IsAccountID reports whether s is twelve digits.
func IsAccountID(s string) bool {
	if len(s) != 12 {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// Root is the ARN of an account's root principal, which policies use for the account as a whole.
func Root(account string) string { return New("iam", "", account, "root").String() }

// Role is the ARN of an IAM role; path begins and ends with a slash.
func Role(account, path, name string) string {
	return New("iam", "", account, "role"+path+name).String()
}

// User is the ARN of an IAM user; path begins and ends with a slash.
func User(account, path, name string) string {
	return New("iam", "", account, "user"+path+name).String()
}

// AssumedRole is the ARN of a role session, which leaves out the role's path (sts AssumeRole).
func AssumedRole(account, roleName, sessionName string) string {
	return New("sts", "", account, "assumed-role/"+roleName+"/"+sessionName).String()
}

// Bucket is the ARN of an S3 bucket.
func Bucket(name string) string { return "arn:" + Partition + ":s3:::" + name }

// Object is the ARN of an S3 object; the key is taken as it is.
func Object(bucket, key string) string { return "arn:" + Partition + ":s3:::" + bucket + "/" + key }

// AccessGrantsInstance is the ARN of an account's access grants instance in a Region.
func AccessGrantsInstance(region, account string) string {
	return New("s3", region, account, "access-grants/default").String()
}

// IdentityStore is the ARN of an identity store, which the account of its instance owns.
func IdentityStore(account, storeID string) string {
	return New("identitystore", "", account, "identitystore/"+storeID).String()
}

// ContextProvider is the provider that an identity context names in AssumeRole.
const ContextProvider = "arn:aws:iam::aws:contextProvider/IdentityCenter"
