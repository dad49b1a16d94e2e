package storage

import "net/http"

// AcceptCannedACL lets through the canned ACLs that change nothing where the bucket owner owns every object, which is how
// every bucket here is (Object Ownership: BucketOwnerEnforced). An ACL of grants is never accepted; a read of an ACL shows
// the bucket owner with full control.
func AcceptCannedACL(acl string) error {
	switch acl {
	case "", "private", "bucket-owner-full-control":
		return nil
	}
	return refuse("AccessControlListNotSupported", http.StatusBadRequest, "The bucket does not allow ACLs")
}
