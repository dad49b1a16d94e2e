// Package bucket keeps whose each bucket is and what hangs on it: the policy, the public access block and the tags. The
// objects themselves are in package storage, which knows nothing of accounts.
//
// What it promises:
//
//   - A request for data costs no query: everything that a decision needs is in memory, compiled, and a change is there
//     before it is acknowledged.
//   - A name belongs to one bucket of one account. It is taken before anything is made in the storage and free after
//     everything is gone from it, so no bucket is ever reached with another's owner or policy.
//   - Whatever instant the process is killed at, the next start finds each bucket either there or not: Open finishes or
//     takes back what was begun. (A deletion that is finished by Open has no record of its own in the trail.)
//   - Roles and users that a policy names by ARN are held on to by id. One that is deleted and made again under its name
//     is somebody else and gets nothing from the policy.
//   - A policy that cannot be read denies everything.
//
// Creating a bucket:
//
//	row "creating" (the name is taken) ─▶ folder in the storage ─▶ row "active", with its revision and record
//
// and deleting it:
//
//	row "deleting" (still there) ─▶ storage lets go of it, if empty ─▶ row gone, with its revision and record
//
// Nothing here asks whether the caller may: buckets are changed through S3, where the gateway has asked before. Only the
// operations on backends, which are of this room too, ask themselves (BackendService).
//
// A bucket is in the embedded storage, or at a place of a backend: an S3 service elsewhere. Which, is decided when it is
// made and never changes. Two buckets never share a place, nor is one inside the other's: each would be a way around the
// policy of the other. The Router leads each request to the storage of its bucket.
package bucket

import (
	"net/http"
	"time"

	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/policy"
	"github.com/lakegate/lakegate/internal/storage/remote"
	"github.com/lakegate/lakegate/internal/wire"
)

// Bucket is a bucket as it is now. It is shared and immutable.
type Bucket struct {
	Name    string
	Account string
	Region  string
	Created time.Time
	// Policy is nil where there is none.
	Policy *Policy
	// PublicAccessBlock is nil where none is set.
	PublicAccessBlock *PublicAccessBlock
	Tags              map[string]string
	// Backend is where the objects are, at Place; empty is the embedded storage. Attached says that the place was there
	// before the bucket, and stays when it goes.
	Backend  string
	Place    remote.Place
	Attached bool
	// CORS are the rules for pages in a browser, none by default.
	CORS []CORSRule

	state state
}

type state string

const (
	creating state = "creating"
	active   state = "active"
	deleting state = "deleting"
)

// ARN names the bucket.
func (b *Bucket) ARN() string { return arn.Bucket(b.Name) }

// ResourcePolicy is the bucket's policy as a decision takes it, or nil.
func (b *Bucket) ResourcePolicy() *policy.Named {
	if b.Policy == nil {
		return nil
	}
	return &policy.Named{Name: "bucket policy of " + b.Name, Document: b.Policy.Document}
}

// Restricted says that somebody of the account gets nothing from the bucket's policy because it is public and the public
// access block restricts public buckets to their own account. An anonymous caller has no account. AWS services, which
// the restriction spares, are not asked about.
func (b *Bucket) Restricted(account string) bool {
	return b.PublicAccessBlock != nil && b.PublicAccessBlock.RestrictPublicBuckets && b.Policy != nil && b.Policy.Public && account != b.Account
}

// ExpectOwner is the check of x-amz-expected-bucket-owner. An empty expectation is none.
func (b *Bucket) ExpectOwner(account string) error {
	if account == "" || account == b.Account {
		return nil
	}
	if !arn.IsAccountID(account) {
		return wire.NewError("InvalidBucketOwnerAWSAccountID", http.StatusBadRequest, "The value of the expected bucket owner parameter must be an AWS account ID")
	}
	return wire.AccessDenied("Access Denied")
}

// PublicAccessBlock are the four switches of S3 Block Public Access. As every bucket has its owner own all objects, the
// two about ACLs change nothing.
type PublicAccessBlock struct {
	BlockPublicACLs       bool `json:"BlockPublicAcls"`
	IgnorePublicACLs      bool `json:"IgnorePublicAcls"`
	BlockPublicPolicy     bool
	RestrictPublicBuckets bool
}

// everythingBlocked is what a new bucket has.
func everythingBlocked() *PublicAccessBlock {
	return &PublicAccessBlock{BlockPublicACLs: true, IgnorePublicACLs: true, BlockPublicPolicy: true, RestrictPublicBuckets: true}
}
