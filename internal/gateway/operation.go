package gateway

// Operation is the name of an S3 operation, as the API and CloudTrail spell it.
type Operation string

// level is what an operation is about.
type level int

const (
	onService level = iota
	onBucket
	onObject
)

// rule is a row of the table of operations: what names it in a request, and what it needs.
type rule struct {
	op     Operation
	method string
	level  level
	// sub is the parameter that names the operation, "" for none. also is another that it must have; without is one that
	// makes it another operation.
	sub, also, without string
	// copies says that the operation has the header x-amz-copy-source.
	copies bool
	// params are what the query may have besides.
	params []string
	// action is what the caller must be allowed to do; version takes its place when the request names a version.
	action, version string
	// streams says that the content may come in chunks.
	streams bool
}

// lists of parameters that several operations share.
var (
	versionParam = []string{"versionId"}
	readParams   = []string{
		"versionId", "partNumber", "response-cache-control", "response-content-disposition", "response-content-encoding",
		"response-content-language", "response-content-type", "response-expires",
	}
	pageOfConfigurations = []string{"continuation-token"}
	configurationID      = "id"
)

// rules is the table of all operations of the data plane, object operations first, as they are the most frequent.
var rules = []rule{
	{op: "GetObject", method: "GET", level: onObject, params: readParams, action: "GetObject", version: "GetObjectVersion"},
	{op: "HeadObject", method: "HEAD", level: onObject, params: readParams, action: "GetObject", version: "GetObjectVersion"},
	{op: "PutObject", method: "PUT", level: onObject, action: "PutObject", streams: true},
	{op: "CopyObject", method: "PUT", level: onObject, copies: true, action: "PutObject"},
	{op: "DeleteObject", method: "DELETE", level: onObject, params: versionParam, action: "DeleteObject", version: "DeleteObjectVersion"},

	{op: "CreateMultipartUpload", method: "POST", level: onObject, sub: "uploads", action: "PutObject"},
	{op: "UploadPart", method: "PUT", level: onObject, sub: "uploadId", also: "partNumber", action: "PutObject", streams: true},
	{op: "UploadPartCopy", method: "PUT", level: onObject, sub: "uploadId", also: "partNumber", copies: true, action: "PutObject"},
	{op: "CompleteMultipartUpload", method: "POST", level: onObject, sub: "uploadId", action: "PutObject"},
	{op: "AbortMultipartUpload", method: "DELETE", level: onObject, sub: "uploadId", action: "AbortMultipartUpload"},
	{op: "ListParts", method: "GET", level: onObject, sub: "uploadId", params: []string{"max-parts", "part-number-marker", "encoding-type"}, action: "ListMultipartUploadParts"},

	{op: "GetObjectAttributes", method: "GET", level: onObject, sub: "attributes", params: versionParam, action: "GetObject", version: "GetObjectVersion"},
	{op: "GetObjectAcl", method: "GET", level: onObject, sub: "acl", params: versionParam, action: "GetObjectAcl", version: "GetObjectVersionAcl"},
	{op: "PutObjectAcl", method: "PUT", level: onObject, sub: "acl", params: versionParam, action: "PutObjectAcl", version: "PutObjectVersionAcl"},
	{op: "GetObjectTagging", method: "GET", level: onObject, sub: "tagging", params: versionParam, action: "GetObjectTagging", version: "GetObjectVersionTagging"},
	{op: "PutObjectTagging", method: "PUT", level: onObject, sub: "tagging", params: versionParam, action: "PutObjectTagging", version: "PutObjectVersionTagging"},
	{op: "DeleteObjectTagging", method: "DELETE", level: onObject, sub: "tagging", params: versionParam, action: "DeleteObjectTagging", version: "DeleteObjectVersionTagging"},
	{op: "GetObjectRetention", method: "GET", level: onObject, sub: "retention", params: versionParam, action: "GetObjectRetention"},
	{op: "PutObjectRetention", method: "PUT", level: onObject, sub: "retention", params: versionParam, action: "PutObjectRetention"},
	{op: "GetObjectLegalHold", method: "GET", level: onObject, sub: "legal-hold", params: versionParam, action: "GetObjectLegalHold"},
	{op: "PutObjectLegalHold", method: "PUT", level: onObject, sub: "legal-hold", params: versionParam, action: "PutObjectLegalHold"},
	{op: "GetObjectTorrent", method: "GET", level: onObject, sub: "torrent", action: "GetObject"},
	{op: "RestoreObject", method: "POST", level: onObject, sub: "restore", params: versionParam, action: "RestoreObject"},
	{op: "SelectObjectContent", method: "POST", level: onObject, sub: "select", also: "select-type", action: "GetObject"},
	{op: "UpdateObjectEncryption", method: "PUT", level: onObject, sub: "encryption", params: versionParam, action: "UpdateObjectEncryption"},

	{op: "ListObjects", method: "GET", level: onBucket, params: []string{"delimiter", "encoding-type", "marker", "max-keys", "prefix"}, action: "ListBucket"},
	{op: "ListObjectsV2", method: "GET", level: onBucket, sub: "list-type", params: []string{"delimiter", "encoding-type", "max-keys", "prefix", "continuation-token", "fetch-owner", "start-after"}, action: "ListBucket"},
	{op: "ListObjectVersions", method: "GET", level: onBucket, sub: "versions", params: []string{"delimiter", "encoding-type", "key-marker", "max-keys", "prefix", "version-id-marker"}, action: "ListBucketVersions"},
	{op: "ListMultipartUploads", method: "GET", level: onBucket, sub: "uploads", params: []string{"delimiter", "encoding-type", "key-marker", "max-uploads", "prefix", "upload-id-marker"}, action: "ListBucketMultipartUploads"},
	{op: "HeadBucket", method: "HEAD", level: onBucket, action: "ListBucket"},
	// The needs of a batch are those of its keys, which are in the body.
	{op: "DeleteObjects", method: "POST", level: onBucket, sub: "delete"},
	// What a form uploads, its key included, is in the body.
	{op: "PostObject", method: "POST", level: onBucket, action: "PutObject"},

	{op: "ListBuckets", method: "GET", level: onService, params: []string{"max-buckets", "continuation-token", "prefix", "bucket-region"}, action: "ListAllMyBuckets"},
	{op: "CreateBucket", method: "PUT", level: onBucket, action: "CreateBucket"},
	{op: "DeleteBucket", method: "DELETE", level: onBucket, action: "DeleteBucket"},

	{op: "GetBucketLocation", method: "GET", level: onBucket, sub: "location", action: "GetBucketLocation"},
	{op: "GetBucketVersioning", method: "GET", level: onBucket, sub: "versioning", action: "GetBucketVersioning"},
	{op: "PutBucketVersioning", method: "PUT", level: onBucket, sub: "versioning", action: "PutBucketVersioning"},
	{op: "GetBucketPolicy", method: "GET", level: onBucket, sub: "policy", action: "GetBucketPolicy"},
	{op: "PutBucketPolicy", method: "PUT", level: onBucket, sub: "policy", action: "PutBucketPolicy"},
	{op: "DeleteBucketPolicy", method: "DELETE", level: onBucket, sub: "policy", action: "DeleteBucketPolicy"},
	{op: "GetBucketPolicyStatus", method: "GET", level: onBucket, sub: "policyStatus", action: "GetBucketPolicyStatus"},
	{op: "GetBucketAcl", method: "GET", level: onBucket, sub: "acl", action: "GetBucketAcl"},
	{op: "PutBucketAcl", method: "PUT", level: onBucket, sub: "acl", action: "PutBucketAcl"},
	{op: "GetBucketTagging", method: "GET", level: onBucket, sub: "tagging", action: "GetBucketTagging"},
	{op: "PutBucketTagging", method: "PUT", level: onBucket, sub: "tagging", action: "PutBucketTagging"},
	{op: "GetPublicAccessBlock", method: "GET", level: onBucket, sub: "publicAccessBlock", action: "GetBucketPublicAccessBlock"},
	{op: "PutPublicAccessBlock", method: "PUT", level: onBucket, sub: "publicAccessBlock", action: "PutBucketPublicAccessBlock"},
	{op: "GetBucketOwnershipControls", method: "GET", level: onBucket, sub: "ownershipControls", action: "GetBucketOwnershipControls"},
	{op: "PutBucketOwnershipControls", method: "PUT", level: onBucket, sub: "ownershipControls", action: "PutBucketOwnershipControls"},
	{op: "GetObjectLockConfiguration", method: "GET", level: onBucket, sub: "object-lock", action: "GetBucketObjectLockConfiguration"},
	{op: "PutObjectLockConfiguration", method: "PUT", level: onBucket, sub: "object-lock", action: "PutBucketObjectLockConfiguration"},

	// To delete a configuration is allowed by the action that puts one, but for policies and websites.
	{op: "DeleteBucketTagging", method: "DELETE", level: onBucket, sub: "tagging", action: "PutBucketTagging"},
	{op: "DeletePublicAccessBlock", method: "DELETE", level: onBucket, sub: "publicAccessBlock", action: "PutBucketPublicAccessBlock"},
	{op: "DeleteBucketOwnershipControls", method: "DELETE", level: onBucket, sub: "ownershipControls", action: "PutBucketOwnershipControls"},
	{op: "GetBucketCors", method: "GET", level: onBucket, sub: "cors", action: "GetBucketCORS"},
	{op: "PutBucketCors", method: "PUT", level: onBucket, sub: "cors", action: "PutBucketCORS"},
	{op: "DeleteBucketCors", method: "DELETE", level: onBucket, sub: "cors", action: "PutBucketCORS"},
	{op: "GetBucketLifecycleConfiguration", method: "GET", level: onBucket, sub: "lifecycle", action: "GetLifecycleConfiguration"},
	{op: "PutBucketLifecycleConfiguration", method: "PUT", level: onBucket, sub: "lifecycle", action: "PutLifecycleConfiguration"},
	{op: "DeleteBucketLifecycle", method: "DELETE", level: onBucket, sub: "lifecycle", action: "PutLifecycleConfiguration"},
	{op: "GetBucketEncryption", method: "GET", level: onBucket, sub: "encryption", action: "GetEncryptionConfiguration"},
	{op: "PutBucketEncryption", method: "PUT", level: onBucket, sub: "encryption", action: "PutEncryptionConfiguration"},
	{op: "DeleteBucketEncryption", method: "DELETE", level: onBucket, sub: "encryption", action: "PutEncryptionConfiguration"},
	{op: "GetBucketWebsite", method: "GET", level: onBucket, sub: "website", action: "GetBucketWebsite"},
	{op: "PutBucketWebsite", method: "PUT", level: onBucket, sub: "website", action: "PutBucketWebsite"},
	{op: "DeleteBucketWebsite", method: "DELETE", level: onBucket, sub: "website", action: "DeleteBucketWebsite"},
	{op: "GetBucketReplication", method: "GET", level: onBucket, sub: "replication", action: "GetReplicationConfiguration"},
	{op: "PutBucketReplication", method: "PUT", level: onBucket, sub: "replication", action: "PutReplicationConfiguration"},
	{op: "DeleteBucketReplication", method: "DELETE", level: onBucket, sub: "replication", action: "PutReplicationConfiguration"},
	{op: "GetBucketNotificationConfiguration", method: "GET", level: onBucket, sub: "notification", action: "GetBucketNotification"},
	{op: "PutBucketNotificationConfiguration", method: "PUT", level: onBucket, sub: "notification", action: "PutBucketNotification"},
	{op: "GetBucketLogging", method: "GET", level: onBucket, sub: "logging", action: "GetBucketLogging"},
	{op: "PutBucketLogging", method: "PUT", level: onBucket, sub: "logging", action: "PutBucketLogging"},
	{op: "GetBucketRequestPayment", method: "GET", level: onBucket, sub: "requestPayment", action: "GetBucketRequestPayment"},
	{op: "PutBucketRequestPayment", method: "PUT", level: onBucket, sub: "requestPayment", action: "PutBucketRequestPayment"},
	{op: "GetBucketAccelerateConfiguration", method: "GET", level: onBucket, sub: "accelerate", action: "GetAccelerateConfiguration"},
	{op: "PutBucketAccelerateConfiguration", method: "PUT", level: onBucket, sub: "accelerate", action: "PutAccelerateConfiguration"},
	{op: "GetBucketAbac", method: "GET", level: onBucket, sub: "abac", action: "GetBucketAbac"},
	{op: "PutBucketAbac", method: "PUT", level: onBucket, sub: "abac", action: "PutBucketAbac"},

	{op: "ListBucketAnalyticsConfigurations", method: "GET", level: onBucket, sub: "analytics", without: configurationID, params: pageOfConfigurations, action: "GetAnalyticsConfiguration"},
	{op: "GetBucketAnalyticsConfiguration", method: "GET", level: onBucket, sub: "analytics", also: configurationID, action: "GetAnalyticsConfiguration"},
	{op: "PutBucketAnalyticsConfiguration", method: "PUT", level: onBucket, sub: "analytics", also: configurationID, action: "PutAnalyticsConfiguration"},
	{op: "DeleteBucketAnalyticsConfiguration", method: "DELETE", level: onBucket, sub: "analytics", also: configurationID, action: "PutAnalyticsConfiguration"},
	{op: "ListBucketInventoryConfigurations", method: "GET", level: onBucket, sub: "inventory", without: configurationID, params: pageOfConfigurations, action: "GetInventoryConfiguration"},
	{op: "GetBucketInventoryConfiguration", method: "GET", level: onBucket, sub: "inventory", also: configurationID, action: "GetInventoryConfiguration"},
	{op: "PutBucketInventoryConfiguration", method: "PUT", level: onBucket, sub: "inventory", also: configurationID, action: "PutInventoryConfiguration"},
	{op: "DeleteBucketInventoryConfiguration", method: "DELETE", level: onBucket, sub: "inventory", also: configurationID, action: "PutInventoryConfiguration"},
	{op: "ListBucketMetricsConfigurations", method: "GET", level: onBucket, sub: "metrics", without: configurationID, params: pageOfConfigurations, action: "GetMetricsConfiguration"},
	{op: "GetBucketMetricsConfiguration", method: "GET", level: onBucket, sub: "metrics", also: configurationID, action: "GetMetricsConfiguration"},
	{op: "PutBucketMetricsConfiguration", method: "PUT", level: onBucket, sub: "metrics", also: configurationID, action: "PutMetricsConfiguration"},
	{op: "DeleteBucketMetricsConfiguration", method: "DELETE", level: onBucket, sub: "metrics", also: configurationID, action: "PutMetricsConfiguration"},
	{op: "ListBucketIntelligentTieringConfigurations", method: "GET", level: onBucket, sub: "intelligent-tiering", without: configurationID, params: pageOfConfigurations, action: "GetIntelligentTieringConfiguration"},
	{op: "GetBucketIntelligentTieringConfiguration", method: "GET", level: onBucket, sub: "intelligent-tiering", also: configurationID, action: "GetIntelligentTieringConfiguration"},
	{op: "PutBucketIntelligentTieringConfiguration", method: "PUT", level: onBucket, sub: "intelligent-tiering", also: configurationID, action: "PutIntelligentTieringConfiguration"},
	{op: "DeleteBucketIntelligentTieringConfiguration", method: "DELETE", level: onBucket, sub: "intelligent-tiering", also: configurationID, action: "PutIntelligentTieringConfiguration"},

	{op: "CreateBucketMetadataTableConfiguration", method: "POST", level: onBucket, sub: "metadataTable", action: "CreateBucketMetadataTableConfiguration"},
	{op: "GetBucketMetadataTableConfiguration", method: "GET", level: onBucket, sub: "metadataTable", action: "GetBucketMetadataTableConfiguration"},
	{op: "DeleteBucketMetadataTableConfiguration", method: "DELETE", level: onBucket, sub: "metadataTable", action: "DeleteBucketMetadataTableConfiguration"},
	{op: "CreateBucketMetadataConfiguration", method: "POST", level: onBucket, sub: "metadataConfiguration", action: "CreateBucketMetadataTableConfiguration"},
	{op: "GetBucketMetadataConfiguration", method: "GET", level: onBucket, sub: "metadataConfiguration", action: "GetBucketMetadataTableConfiguration"},
	{op: "DeleteBucketMetadataConfiguration", method: "DELETE", level: onBucket, sub: "metadataConfiguration", action: "DeleteBucketMetadataTableConfiguration"},
	{op: "UpdateBucketMetadataInventoryTableConfiguration", method: "PUT", level: onBucket, sub: "metadataInventoryTable", action: "UpdateBucketMetadataInventoryTableConfiguration"},
	{op: "UpdateBucketMetadataJournalTableConfiguration", method: "PUT", level: onBucket, sub: "metadataJournalTable", action: "UpdateBucketMetadataJournalTableConfiguration"},
}

// ruleFor finds the operation of a request: the first row that fits, as those with a condition on other parameters come
// before those without.
func ruleFor(method string, l level, sub string, params *parameters, copies bool) *rule {
	for i := range rules {
		r := &rules[i]
		if r.method == method && r.level == l && r.sub == sub && r.copies == copies && (r.without == "" || !params.has(r.without)) {
			return r
		}
	}
	return nil
}

// isSubresource reports whether a parameter names an operation of a level.
func isSubresource(name string, l level) bool {
	for i := range rules {
		if rules[i].sub == name && rules[i].level == l {
			return true
		}
	}
	return false
}

// isParameter reports whether any operation has the parameter.
func isParameter(name string) bool {
	for i := range rules {
		if rules[i].allows(name) {
			return true
		}
	}
	return false
}

func (r *rule) allows(name string) bool {
	if name == r.sub || name == r.also {
		return true
	}
	for _, p := range r.params {
		if p == name {
			return true
		}
	}
	return false
}
