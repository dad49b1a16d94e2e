package gateway

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lakegate/lakegate/internal/policy"
)

// wanted is a need in short: the action and what it is on.
func wanted(needs []Need) []string {
	var out []string
	for _, n := range needs {
		text := strings.TrimPrefix(n.Action, "s3:") + " " + strings.TrimPrefix(n.Resource, "arn:aws:s3:::")
		if n.DenyOnly {
			text += " (deny only)"
		}
		out = append(out, text)
	}
	return out
}

// TestNeeds is the table of which request needs what.
func TestNeeds(t *testing.T) {
	type headers = []string
	const source = "X-Amz-Copy-Source"
	for _, tt := range []struct {
		method, target string
		headers        headers
		op             Operation
		want           []string
	}{
		// Objects.
		{"GET", "/red/k", nil, "GetObject", []string{"GetObject red/k"}},
		{"GET", "/red/k?versionId=v", nil, "GetObject", []string{"GetObjectVersion red/k"}},
		{"GET", "/red/k?versionId=null", nil, "GetObject", []string{"GetObjectVersion red/k"}},
		{"GET", "/red/k?partNumber=2", nil, "GetObject", []string{"GetObject red/k"}},
		{"HEAD", "/red/k", nil, "HeadObject", []string{"GetObject red/k"}},
		{"HEAD", "/red/k?versionId=v", nil, "HeadObject", []string{"GetObjectVersion red/k"}},
		{"GET", "/red/k?attributes", headers{"X-Amz-Object-Attributes", "ETag"}, "GetObjectAttributes", []string{"GetObject red/k", "GetObjectAttributes red/k (deny only)"}},
		{"GET", "/red/k?attributes&versionId=v", headers{"X-Amz-Object-Attributes", "ETag"}, "GetObjectAttributes", []string{"GetObjectVersion red/k", "GetObjectVersionAttributes red/k (deny only)"}},
		{"GET", "/red/k?acl", nil, "GetObjectAcl", []string{"GetObjectAcl red/k"}},
		{"GET", "/red/k?acl&versionId=v", nil, "GetObjectAcl", []string{"GetObjectVersionAcl red/k"}},
		{"GET", "/red/k?tagging", nil, "GetObjectTagging", []string{"GetObjectTagging red/k"}},
		{"GET", "/red/k?tagging&versionId=v", nil, "GetObjectTagging", []string{"GetObjectVersionTagging red/k"}},
		{"GET", "/red/k?retention", nil, "GetObjectRetention", []string{"GetObjectRetention red/k"}},
		{"GET", "/red/k?legal-hold", nil, "GetObjectLegalHold", []string{"GetObjectLegalHold red/k"}},
		{"GET", "/red/k?torrent", nil, "GetObjectTorrent", []string{"GetObject red/k"}},
		{"GET", "/red/k?uploadId=u", nil, "ListParts", []string{"ListMultipartUploadParts red/k"}},
		{"POST", "/red/k?select&select-type=2", nil, "SelectObjectContent", []string{"GetObject red/k"}},
		{"POST", "/red/k?restore", nil, "RestoreObject", []string{"RestoreObject red/k"}},
		{"PUT", "/red/k", nil, "PutObject", []string{"PutObject red/k"}},
		{"PUT", "/red/k", headers{"X-Amz-Acl", "private"}, "PutObject", []string{"PutObject red/k", "PutObjectAcl red/k"}},
		{"PUT", "/red/k", headers{"X-Amz-Grant-Read", "id=a"}, "PutObject", []string{"PutObject red/k", "PutObjectAcl red/k"}},
		{"PUT", "/red/k", headers{"X-Amz-Tagging", "a=b"}, "PutObject", []string{"PutObject red/k", "PutObjectTagging red/k"}},
		{"PUT", "/red/k", headers{"X-Amz-Tagging", ""}, "PutObject", []string{"PutObject red/k", "PutObjectTagging red/k"}},
		{"PUT", "/red/k", headers{"X-Amz-Object-Lock-Mode", "GOVERNANCE", "X-Amz-Object-Lock-Retain-Until-Date", "2027-01-01T00:00:00Z"}, "PutObject", []string{"PutObject red/k", "PutObjectRetention red/k"}},
		{"PUT", "/red/k", headers{"X-Amz-Object-Lock-Legal-Hold", "OFF"}, "PutObject", []string{"PutObject red/k", "PutObjectLegalHold red/k"}},
		{"PUT", "/red/k?x-amz-acl=public-read", nil, "PutObject", []string{"PutObject red/k", "PutObjectAcl red/k"}}, // as some SDKs presign
		{"PUT", "/red/k", headers{source, "blue/s"}, "CopyObject", []string{"GetObject blue/s", "PutObject red/k"}},
		{"PUT", "/red/k", headers{source, "/blue/s?versionId=v"}, "CopyObject", []string{"GetObjectVersion blue/s", "PutObject red/k"}},
		{"PUT", "/red/k", headers{source, "blue/s", "X-Amz-Tagging", "a=b", "X-Amz-Tagging-Directive", "REPLACE", "X-Amz-Acl", "private"}, "CopyObject",
			[]string{"GetObject blue/s", "PutObject red/k", "PutObjectAcl red/k", "PutObjectTagging red/k"}},
		{"PUT", "/red/k?x-amz-copy-source=blue%2Fs", nil, "CopyObject", []string{"GetObject blue/s", "PutObject red/k"}},
		{"POST", "/red/k?uploads", nil, "CreateMultipartUpload", []string{"PutObject red/k"}},
		{"POST", "/red/k?uploads", headers{"X-Amz-Acl", "private", "X-Amz-Tagging", "a=b"}, "CreateMultipartUpload", []string{"PutObject red/k", "PutObjectAcl red/k", "PutObjectTagging red/k"}},
		{"PUT", "/red/k?partNumber=1&uploadId=u", nil, "UploadPart", []string{"PutObject red/k"}},
		{"PUT", "/red/k?partNumber=1&uploadId=u", headers{source, "blue/s?versionId=v"}, "UploadPartCopy", []string{"GetObjectVersion blue/s", "PutObject red/k"}},
		{"POST", "/red/k?uploadId=u", nil, "CompleteMultipartUpload", []string{"PutObject red/k"}},
		{"DELETE", "/red/k?uploadId=u", nil, "AbortMultipartUpload", []string{"AbortMultipartUpload red/k"}},
		{"DELETE", "/red/k", nil, "DeleteObject", []string{"DeleteObject red/k"}},
		{"DELETE", "/red/k?versionId=v", nil, "DeleteObject", []string{"DeleteObjectVersion red/k"}},
		{"DELETE", "/red/k?versionId=v", headers{"X-Amz-Bypass-Governance-Retention", "true"}, "DeleteObject", []string{"DeleteObjectVersion red/k", "BypassGovernanceRetention red/k"}},
		{"DELETE", "/red/k", headers{"X-Amz-Bypass-Governance-Retention", "false"}, "DeleteObject", []string{"DeleteObject red/k"}},
		{"POST", "/red?delete", nil, "DeleteObjects", nil},
		{"PUT", "/red/k?tagging", nil, "PutObjectTagging", []string{"PutObjectTagging red/k"}},
		{"PUT", "/red/k?tagging&versionId=v", nil, "PutObjectTagging", []string{"PutObjectVersionTagging red/k"}},
		{"DELETE", "/red/k?tagging", nil, "DeleteObjectTagging", []string{"DeleteObjectTagging red/k"}},
		{"DELETE", "/red/k?tagging&versionId=v", nil, "DeleteObjectTagging", []string{"DeleteObjectVersionTagging red/k"}},
		{"PUT", "/red/k?acl", nil, "PutObjectAcl", []string{"PutObjectAcl red/k"}},
		{"PUT", "/red/k?acl&versionId=v", nil, "PutObjectAcl", []string{"PutObjectVersionAcl red/k"}},
		{"PUT", "/red/k?retention", nil, "PutObjectRetention", []string{"PutObjectRetention red/k"}},
		{"PUT", "/red/k?retention", headers{"X-Amz-Bypass-Governance-Retention", "true"}, "PutObjectRetention", []string{"PutObjectRetention red/k", "BypassGovernanceRetention red/k"}},
		{"PUT", "/red/k?legal-hold", nil, "PutObjectLegalHold", []string{"PutObjectLegalHold red/k"}},
		{"PUT", "/red/k?encryption", nil, "UpdateObjectEncryption", []string{"UpdateObjectEncryption red/k", "PutObject red/k"}},
		{"GET", "/red/a%20b/%2A+%3F", nil, "GetObject", []string{"GetObject red/a b/*+?"}},
		{"GET", "/red/folder/", nil, "GetObject", []string{"GetObject red/folder/"}},

		// Buckets.
		{"GET", "/", nil, "ListBuckets", []string{"ListAllMyBuckets *"}},
		{"PUT", "/red", nil, "CreateBucket", []string{"CreateBucket red"}},
		{"PUT", "/red/", nil, "CreateBucket", []string{"CreateBucket red"}},
		{"PUT", "/red", headers{"X-Amz-Acl", "private", "X-Amz-Bucket-Object-Lock-Enabled", "true", "X-Amz-Object-Ownership", "BucketOwnerEnforced"}, "CreateBucket",
			[]string{"CreateBucket red", "PutBucketAcl red", "PutBucketObjectLockConfiguration red", "PutBucketVersioning red", "PutBucketOwnershipControls red"}},
		{"DELETE", "/red", nil, "DeleteBucket", []string{"DeleteBucket red"}},
		{"HEAD", "/red", nil, "HeadBucket", []string{"ListBucket red"}},
		{"GET", "/red", nil, "ListObjects", []string{"ListBucket red"}},
		{"GET", "/red?list-type=2&prefix=a%2F", nil, "ListObjectsV2", []string{"ListBucket red"}},
		{"GET", "/red?versions", nil, "ListObjectVersions", []string{"ListBucketVersions red"}},
		{"GET", "/red?uploads", nil, "ListMultipartUploads", []string{"ListBucketMultipartUploads red"}},
		{"GET", "/red?location", nil, "GetBucketLocation", []string{"GetBucketLocation red"}},
		{"GET", "/red?versioning", nil, "GetBucketVersioning", []string{"GetBucketVersioning red"}},
		{"PUT", "/red?versioning", nil, "PutBucketVersioning", []string{"PutBucketVersioning red"}},
		{"GET", "/red?policy", nil, "GetBucketPolicy", []string{"GetBucketPolicy red"}},
		{"PUT", "/red?policy", nil, "PutBucketPolicy", []string{"PutBucketPolicy red"}},
		{"DELETE", "/red?policy", nil, "DeleteBucketPolicy", []string{"DeleteBucketPolicy red"}},
		{"GET", "/red?policyStatus", nil, "GetBucketPolicyStatus", []string{"GetBucketPolicyStatus red"}},
		{"GET", "/red?acl", nil, "GetBucketAcl", []string{"GetBucketAcl red"}},
		{"PUT", "/red?acl", nil, "PutBucketAcl", []string{"PutBucketAcl red"}},
		{"GET", "/red?cors", nil, "GetBucketCors", []string{"GetBucketCORS red"}},
		{"PUT", "/red?cors", nil, "PutBucketCors", []string{"PutBucketCORS red"}},
		{"DELETE", "/red?cors", nil, "DeleteBucketCors", []string{"PutBucketCORS red"}},
		{"GET", "/red?lifecycle", nil, "GetBucketLifecycleConfiguration", []string{"GetLifecycleConfiguration red"}},
		{"PUT", "/red?lifecycle", nil, "PutBucketLifecycleConfiguration", []string{"PutLifecycleConfiguration red"}},
		{"DELETE", "/red?lifecycle", nil, "DeleteBucketLifecycle", []string{"PutLifecycleConfiguration red"}},
		{"GET", "/red?encryption", nil, "GetBucketEncryption", []string{"GetEncryptionConfiguration red"}},
		{"PUT", "/red?encryption", nil, "PutBucketEncryption", []string{"PutEncryptionConfiguration red"}},
		{"DELETE", "/red?encryption", nil, "DeleteBucketEncryption", []string{"PutEncryptionConfiguration red"}},
		{"GET", "/red?tagging", nil, "GetBucketTagging", []string{"GetBucketTagging red"}},
		{"PUT", "/red?tagging", nil, "PutBucketTagging", []string{"PutBucketTagging red"}},
		{"DELETE", "/red?tagging", nil, "DeleteBucketTagging", []string{"PutBucketTagging red"}},
		{"GET", "/red?website", nil, "GetBucketWebsite", []string{"GetBucketWebsite red"}},
		{"PUT", "/red?website", nil, "PutBucketWebsite", []string{"PutBucketWebsite red"}},
		{"DELETE", "/red?website", nil, "DeleteBucketWebsite", []string{"DeleteBucketWebsite red"}},
		{"GET", "/red?replication", nil, "GetBucketReplication", []string{"GetReplicationConfiguration red"}},
		{"PUT", "/red?replication", nil, "PutBucketReplication", []string{"PutReplicationConfiguration red"}},
		{"DELETE", "/red?replication", nil, "DeleteBucketReplication", []string{"PutReplicationConfiguration red"}},
		{"GET", "/red?notification", nil, "GetBucketNotificationConfiguration", []string{"GetBucketNotification red"}},
		{"PUT", "/red?notification", nil, "PutBucketNotificationConfiguration", []string{"PutBucketNotification red"}},
		{"GET", "/red?logging", nil, "GetBucketLogging", []string{"GetBucketLogging red"}},
		{"PUT", "/red?logging", nil, "PutBucketLogging", []string{"PutBucketLogging red"}},
		{"GET", "/red?requestPayment", nil, "GetBucketRequestPayment", []string{"GetBucketRequestPayment red"}},
		{"PUT", "/red?requestPayment", nil, "PutBucketRequestPayment", []string{"PutBucketRequestPayment red"}},
		{"GET", "/red?accelerate", nil, "GetBucketAccelerateConfiguration", []string{"GetAccelerateConfiguration red"}},
		{"PUT", "/red?accelerate", nil, "PutBucketAccelerateConfiguration", []string{"PutAccelerateConfiguration red"}},
		{"GET", "/red?ownershipControls", nil, "GetBucketOwnershipControls", []string{"GetBucketOwnershipControls red"}},
		{"PUT", "/red?ownershipControls", nil, "PutBucketOwnershipControls", []string{"PutBucketOwnershipControls red"}},
		{"DELETE", "/red?ownershipControls", nil, "DeleteBucketOwnershipControls", []string{"PutBucketOwnershipControls red"}},
		{"GET", "/red?publicAccessBlock", nil, "GetPublicAccessBlock", []string{"GetBucketPublicAccessBlock red"}},
		{"PUT", "/red?publicAccessBlock", nil, "PutPublicAccessBlock", []string{"PutBucketPublicAccessBlock red"}},
		{"DELETE", "/red?publicAccessBlock", nil, "DeletePublicAccessBlock", []string{"PutBucketPublicAccessBlock red"}},
		{"GET", "/red?object-lock", nil, "GetObjectLockConfiguration", []string{"GetBucketObjectLockConfiguration red"}},
		{"PUT", "/red?object-lock", nil, "PutObjectLockConfiguration", []string{"PutBucketObjectLockConfiguration red"}},
		{"GET", "/red?abac", nil, "GetBucketAbac", []string{"GetBucketAbac red"}},
		{"PUT", "/red?abac", nil, "PutBucketAbac", []string{"PutBucketAbac red"}},
		{"GET", "/red?analytics&id=i", nil, "GetBucketAnalyticsConfiguration", []string{"GetAnalyticsConfiguration red"}},
		{"GET", "/red?analytics", nil, "ListBucketAnalyticsConfigurations", []string{"GetAnalyticsConfiguration red"}},
		{"PUT", "/red?analytics&id=i", nil, "PutBucketAnalyticsConfiguration", []string{"PutAnalyticsConfiguration red"}},
		{"DELETE", "/red?analytics&id=i", nil, "DeleteBucketAnalyticsConfiguration", []string{"PutAnalyticsConfiguration red"}},
		{"GET", "/red?inventory", nil, "ListBucketInventoryConfigurations", []string{"GetInventoryConfiguration red"}},
		{"DELETE", "/red?inventory&id=i", nil, "DeleteBucketInventoryConfiguration", []string{"PutInventoryConfiguration red"}},
		{"GET", "/red?metrics&id=i", nil, "GetBucketMetricsConfiguration", []string{"GetMetricsConfiguration red"}},
		{"PUT", "/red?metrics&id=i", nil, "PutBucketMetricsConfiguration", []string{"PutMetricsConfiguration red"}},
		{"GET", "/red?intelligent-tiering&id=i", nil, "GetBucketIntelligentTieringConfiguration", []string{"GetIntelligentTieringConfiguration red"}},
		{"PUT", "/red?intelligent-tiering&id=i", nil, "PutBucketIntelligentTieringConfiguration", []string{"PutIntelligentTieringConfiguration red"}},
		{"POST", "/red?metadataTable", nil, "CreateBucketMetadataTableConfiguration", []string{"CreateBucketMetadataTableConfiguration red"}},
		{"GET", "/red?metadataConfiguration", nil, "GetBucketMetadataConfiguration", []string{"GetBucketMetadataTableConfiguration red"}},
		{"DELETE", "/red?metadataTable", nil, "DeleteBucketMetadataTableConfiguration", []string{"DeleteBucketMetadataTableConfiguration red"}},
	} {
		t.Run(tt.method+" "+tt.target, func(t *testing.T) {
			q, err := Parse(received(t, tt.method, tt.target, tt.headers...), HostRules{})
			if err != nil {
				t.Fatal(err)
			}
			if q.Operation != tt.op {
				t.Errorf("named %s, want %s", q.Operation, tt.op)
			}
			if d := cmp.Diff(tt.want, wanted(q.Needs())); d != "" {
				t.Errorf("needs (-want +got):\n%s", d)
			}
		})
	}
}

// TestContexts is the table of the condition keys that a request knows.
func TestContexts(t *testing.T) {
	hash := "UNSIGNED-PAYLOAD"
	for name, tt := range map[string]struct {
		method, target string
		headers        []string
		action         string
		want           policy.Values
	}{
		"list without anything":   {"GET", "/red", nil, "s3:ListBucket", policy.Values{}},
		"list of an empty prefix": {"GET", "/red?prefix=", nil, "s3:ListBucket", policy.Values{"s3:prefix": {""}}},
		"list of a prefix": {"GET", "/red?list-type=2&prefix=a%20b%2F+&delimiter=%2F&max-keys=5000", nil, "s3:ListBucket",
			policy.Values{"s3:prefix": {"a b/+"}, "s3:delimiter": {"/"}, "s3:max-keys": {"5000"}}},
		"uploads of a prefix": {"GET", "/red?uploads&prefix=a", nil, "s3:ListBucketMultipartUploads", policy.Values{"s3:prefix": {"a"}}},
		"head of a bucket":    {"HEAD", "/red", nil, "s3:ListBucket", policy.Values{}},
		"read":                {"GET", "/red/k", []string{"X-Amz-Content-Sha256", hash}, "s3:GetObject", policy.Values{"s3:x-amz-content-sha256": {hash}}},
		"read of a version":   {"GET", "/red/k?versionId=v", nil, "s3:GetObjectVersion", policy.Values{"s3:versionid": {"v"}}},
		"conditional delete":  {"DELETE", "/red/k", []string{"If-Match", `"e"`}, "s3:DeleteObject", policy.Values{"s3:if-match": {`"e"`}}},
		"write once":          {"PUT", "/red/k", []string{"If-None-Match", "*"}, "s3:PutObject", policy.Values{"s3:if-none-match": {"*"}, "s3:objectcreationoperation": {"true"}}},
		"part":                {"PUT", "/red/k?partNumber=1&uploadId=u", nil, "s3:PutObject", policy.Values{"s3:objectcreationoperation": {"false"}}},
		"complete":            {"POST", "/red/k?uploadId=u", nil, "s3:PutObject", policy.Values{"s3:objectcreationoperation": {"true"}}},
		"write with everything": {"PUT", "/red/k", []string{"X-Amz-Acl", "public-read", "X-Amz-Server-Side-Encryption", "AES256", "X-Amz-Storage-Class", "STANDARD_IA",
			"X-Amz-Tagging", "Team=red&cost=1", "X-Amz-Object-Lock-Mode", "COMPLIANCE", "X-Amz-Object-Lock-Retain-Until-Date", "2026-12-02T10:15:00Z", "X-Amz-Object-Lock-Legal-Hold", "ON",
			"X-Amz-Website-Redirect-Location", "/other"}, "s3:PutObject",
			policy.Values{
				"s3:x-amz-acl": {"public-read"}, "s3:x-amz-server-side-encryption": {"AES256"}, "s3:x-amz-storage-class": {"STANDARD_IA"},
				"s3:requestobjecttag/team": {"red"}, "s3:requestobjecttag/cost": {"1"}, "s3:requestobjecttagkeys": {"Team", "cost"},
				"s3:object-lock-mode": {"COMPLIANCE"}, "s3:object-lock-retain-until-date": {"2026-12-02T10:15:00Z"}, "s3:object-lock-remaining-retention-days": {"10"},
				"s3:object-lock-legal-hold": {"ON"}, "s3:x-amz-website-redirect-location": {"/other"}, "s3:objectcreationoperation": {"true"},
			}},
		"grants": {"PUT", "/red?acl", []string{"X-Amz-Grant-Full-Control", "id=a", "X-Amz-Grant-Read-Acp", "id=b"}, "s3:PutBucketAcl",
			policy.Values{"s3:x-amz-grant-full-control": {"id=a"}, "s3:x-amz-grant-read-acp": {"id=b"}}},
		"copy": {"PUT", "/red/k", []string{"X-Amz-Copy-Source", "/blue/a%20b?versionId=v", "X-Amz-Metadata-Directive", "REPLACE"}, "s3:PutObject",
			policy.Values{"s3:x-amz-copy-source": {"blue/a b"}, "s3:x-amz-metadata-directive": {"REPLACE"}, "s3:objectcreationoperation": {"true"}}},
		"source of a copy": {"PUT", "/red/k", []string{"X-Amz-Copy-Source", "/blue/a%20b?versionId=v"}, "s3:GetObjectVersion", policy.Values{"s3:versionid": {"v"}}},
		"bucket":           {"PUT", "/red", []string{"X-Amz-Object-Ownership", "ObjectWriter"}, "s3:CreateBucket", policy.Values{"s3:x-amz-object-ownership": {"ObjectWriter"}}},
	} {
		t.Run(name, func(t *testing.T) {
			q, err := Parse(received(t, tt.method, tt.target, tt.headers...), HostRules{})
			if err != nil {
				t.Fatal(err)
			}
			q.Time = time.Date(2026, 11, 22, 10, 15, 0, 0, time.UTC)
			for _, n := range q.Needs() {
				if n.Action == tt.action {
					if d := cmp.Diff(tt.want, n.Context); d != "" {
						t.Errorf("context (-want +got):\n%s", d)
					}
					return
				}
			}
			t.Errorf("no need of %s in %v", tt.action, wanted(q.Needs()))
		})
	}
}

func TestOtherNeeds(t *testing.T) {
	parse := func(method, target string, headers ...string) *Request {
		q, err := Parse(received(t, method, target, headers...), HostRules{})
		if err != nil {
			t.Fatal(err)
		}
		return q
	}
	bypass := parse("POST", "/red?delete", "X-Amz-Bypass-Governance-Retention", "true")
	for name, tt := range map[string]struct {
		got  []Need
		want []string
	}{
		"a key of a batch":      {parse("POST", "/red?delete").DeleteNeeds(ObjectIdentifier{Key: "k"}), []string{"DeleteObject red/k"}},
		"a version of a batch":  {bypass.DeleteNeeds(ObjectIdentifier{Key: "k", VersionID: "v"}), []string{"DeleteObjectVersion red/k", "BypassGovernanceRetention red/k"}},
		"shown by a read":       {parse("GET", "/red/k").Disclosures(), []string{"GetObjectTagging red/k", "GetObjectRetention red/k", "GetObjectLegalHold red/k"}},
		"shown by a version":    {parse("HEAD", "/red/k?versionId=v").Disclosures(), []string{"GetObjectVersionTagging red/k", "GetObjectRetention red/k", "GetObjectLegalHold red/k"}},
		"shown by a write":      {parse("PUT", "/red/k").Disclosures(), nil},
		"copy with its tags":    {parse("PUT", "/red/k", "X-Amz-Copy-Source", "blue/s").TagCopyNeeds(), []string{"GetObjectTagging blue/s", "PutObjectTagging red/k"}},
		"copy without its tags": {parse("PUT", "/red/k", "X-Amz-Copy-Source", "blue/s", "X-Amz-Tagging-Directive", "REPLACE").TagCopyNeeds(), nil},
		"missing key":           {[]Need{parse("GET", "/red/k").MissingNeed()}, []string{"ListBucket red"}},
	} {
		if d := cmp.Diff(tt.want, wanted(tt.got)); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
	if d := cmp.Diff(policy.Values{"s3:prefix": {"k"}}, parse("GET", "/red/k").MissingNeed().Context); d != "" {
		t.Error(d)
	}
}
