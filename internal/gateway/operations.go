package gateway

import (
	"context"
	"net/http"
)

// operations are what the gateway does after the decision. An operation that is not here is answered with NotImplemented.
var operations = map[Operation]func(*exchange, context.Context) (*answer, error){
	"ListBuckets":                (*exchange).listBuckets,
	"CreateBucket":               (*exchange).createBucket,
	"HeadBucket":                 (*exchange).headBucket,
	"DeleteBucket":               (*exchange).deleteBucket,
	"GetBucketLocation":          (*exchange).getLocation,
	"GetBucketVersioning":        (*exchange).getVersioning,
	"PutBucketVersioning":        (*exchange).putVersioning,
	"GetBucketPolicy":            (*exchange).getPolicy,
	"PutBucketPolicy":            (*exchange).putPolicy,
	"DeleteBucketPolicy":         (*exchange).deletePolicy,
	"GetBucketPolicyStatus":      (*exchange).getPolicyStatus,
	"GetPublicAccessBlock":       (*exchange).getAccessBlock,
	"PutPublicAccessBlock":       (*exchange).putAccessBlock,
	"DeletePublicAccessBlock":    (*exchange).deleteAccessBlock,
	"GetBucketAcl":               (*exchange).getACL,
	"PutBucketAcl":               (*exchange).putACL,
	"GetBucketOwnershipControls": (*exchange).getOwnership,
	"GetBucketTagging":           (*exchange).getBucketTags,
	"PutBucketTagging":           (*exchange).putBucketTags,
	"DeleteBucketTagging":        (*exchange).deleteBucketTags,
	"GetBucketCors":              (*exchange).getCORS,
	"PutBucketCors":              (*exchange).putCORS,
	"DeleteBucketCors":           (*exchange).deleteCORS,
	"GetObjectLockConfiguration": (*exchange).getLock,
	"PutObjectLockConfiguration": (*exchange).putLock,

	"ListObjects":          (*exchange).listObjects,
	"ListObjectsV2":        (*exchange).listObjectsV2,
	"ListObjectVersions":   (*exchange).listVersions,
	"ListMultipartUploads": (*exchange).listUploads,

	"GetObject":           (*exchange).getObject,
	"HeadObject":          (*exchange).headObject,
	"GetObjectAttributes": (*exchange).getAttributes,
	"PutObject":           (*exchange).putObject,
	"PostObject":          (*exchange).putObject,
	"CopyObject":          (*exchange).copyObject,
	"DeleteObject":        (*exchange).deleteObject,
	"DeleteObjects":       (*exchange).deleteObjects,
	"GetObjectAcl":        (*exchange).getObjectACL,
	"PutObjectAcl":        (*exchange).putObjectACL,
	"GetObjectTagging":    (*exchange).getTags,
	"PutObjectTagging":    (*exchange).putTags,
	"DeleteObjectTagging": (*exchange).deleteTags,
	"GetObjectRetention":  (*exchange).getRetention,
	"PutObjectRetention":  (*exchange).putRetention,
	"GetObjectLegalHold":  (*exchange).getLegalHold,
	"PutObjectLegalHold":  (*exchange).putLegalHold,

	"CreateMultipartUpload":   (*exchange).createUpload,
	"UploadPart":              (*exchange).uploadPart,
	"UploadPartCopy":          (*exchange).uploadPartCopy,
	"CompleteMultipartUpload": (*exchange).completeUpload,
	"AbortMultipartUpload":    (*exchange).abortUpload,
	"ListParts":               (*exchange).listParts,
}

// xmlAnswer is a document with status 200.
func xmlAnswer(body []byte) *answer {
	return &answer{status: http.StatusOK, header: http.Header{"Content-Type": {"application/xml"}}, body: body}
}

// empty is an answer without a document.
func empty(status int) *answer { return &answer{status: status, header: http.Header{}} }

func (a *answer) set(name, value string) *answer {
	if value != "" {
		a.header.Set(name, value)
	}
	return a
}
