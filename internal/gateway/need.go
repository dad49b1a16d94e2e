package gateway

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/policy"
	"github.com/lakegate/lakegate/internal/storage"
)

// Need is one thing that the caller must be allowed to do. A request is allowed when all of its needs are.
type Need struct {
	// Action is such as "s3:GetObject"; Resource is the ARN of the object or bucket, or "*".
	Action, Resource string
	// Bucket and Key are what the resource names.
	Bucket, Key string
	// Context has the condition keys that the request itself knows, in lower case.
	Context policy.Values
	// DenyOnly marks a need that only an explicit denial fails.
	DenyOnly bool
}

const s3 = "s3:"

// Needs are all the decisions that the request asks for, except those of DeleteObjects, whose keys are in the body.
func (q *Request) Needs() []Need {
	switch q.Operation {
	case "DeleteObjects":
		return nil
	case "ListBuckets":
		return []Need{{Action: s3 + q.rule.action, Resource: "*", Context: q.common()}}
	}
	var needs []Need
	if q.Source != nil {
		needs = append(needs, q.sourceNeed("GetObject", "GetObjectVersion"))
	}
	main := q.need(q.action(q.rule.action, q.rule.version))
	q.describe(main.Context)
	needs = append(needs, main)
	also := func(action string) {
		n := q.need(action)
		n.Context = maps.Clone(main.Context)
		needs = append(needs, n)
	}
	switch q.Operation {
	case "PutObject", "PostObject", "CopyObject", "CreateMultipartUpload":
		if q.ACL != "" || q.Grants != nil {
			also("PutObjectAcl")
		}
		if q.Tags != nil {
			also("PutObjectTagging")
		}
		if q.Retention != nil {
			also("PutObjectRetention")
		}
		if q.LegalHold != nil {
			also("PutObjectLegalHold")
		}
	case "CreateBucket":
		if q.ACL != "" || q.Grants != nil {
			also("PutBucketAcl")
		}
		if q.ObjectLock {
			also("PutBucketObjectLockConfiguration")
			also("PutBucketVersioning")
		}
		if q.ObjectOwnership != "" {
			also("PutBucketOwnershipControls")
		}
	case "DeleteObject", "PutObjectRetention":
		if q.BypassGovernance {
			also("BypassGovernanceRetention")
		}
	case "UpdateObjectEncryption":
		also("PutObject")
	case "GetObjectAttributes":
		// The documents disagree whether the action of that name is needed, and credentials of a grant never have it. A
		// policy that denies it is meant.
		also(q.action("GetObjectAttributes", "GetObjectVersionAttributes"))
		needs[len(needs)-1].DenyOnly = true
	}
	return needs
}

// DeleteNeeds are the decisions about one key of a batch delete.
func (q *Request) DeleteNeeds(o ObjectIdentifier) []Need {
	one := Request{Operation: "DeleteObject", Bucket: q.Bucket, Key: o.Key, VersionID: o.VersionID, Payload: q.Payload, BypassGovernance: q.BypassGovernance}
	one.Conditions.IfMatch = o.ETag
	one.rule = ruleFor("DELETE", onObject, "", &parameters{}, false)
	one.params = &parameters{}
	return one.Needs()
}

// Disclosures are what the answer of a read shows only to those who may: without them the number of tags, the retention and
// the legal hold are left out.
func (q *Request) Disclosures() []Need {
	if q.Operation != "GetObject" && q.Operation != "HeadObject" {
		return nil
	}
	return []Need{
		q.need(q.action("GetObjectTagging", "GetObjectVersionTagging")),
		q.need("GetObjectRetention"),
		q.need("GetObjectLegalHold"),
	}
}

// TagCopyNeeds are what a copy needs besides when its source has tags, which it takes along unless they are replaced.
func (q *Request) TagCopyNeeds() []Need {
	if q.Operation != "CopyObject" || q.ReplaceTags {
		return nil
	}
	return []Need{q.sourceNeed("GetObjectTagging", "GetObjectVersionTagging"), q.need("PutObjectTagging")}
}

// MissingNeed is the decision whether somebody may learn that a key does not exist: who may list the bucket for it.
func (q *Request) MissingNeed() Need {
	n := Need{Action: s3 + "ListBucket", Resource: arn.Bucket(q.Bucket), Bucket: q.Bucket, Context: q.common()}
	n.Context["s3:prefix"] = []string{q.Key}
	return n
}

// action is the plain one or, when the request names a version, the one for versions, if there is one.
func (q *Request) action(plain, version string) string {
	if q.VersionID != "" && version != "" {
		return version
	}
	return plain
}

func (q *Request) need(action string) Need {
	n := Need{Action: s3 + action, Resource: arn.Bucket(q.Bucket), Bucket: q.Bucket, Key: q.Key, Context: q.common()}
	if q.Key != "" {
		n.Resource = arn.Object(q.Bucket, q.Key)
	}
	if q.VersionID != "" {
		n.Context["s3:versionid"] = []string{q.VersionID}
	}
	return n
}

func (q *Request) sourceNeed(plain, version string) Need {
	s := q.Source
	n := Need{Action: s3 + plain, Resource: arn.Object(s.Bucket, s.Key), Bucket: s.Bucket, Key: s.Key, Context: q.common()}
	if s.VersionID != "" {
		n.Action = s3 + version
		n.Context["s3:versionid"] = []string{s.VersionID}
	}
	return n
}

// common are the condition keys of every S3 action, as far as the request knows them.
func (q *Request) common() policy.Values {
	v := policy.Values{}
	if q.Payload != "" {
		v["s3:x-amz-content-sha256"] = []string{string(q.Payload)}
	}
	return v
}

// describe adds the condition keys of the operation's main action.
func (q *Request) describe(v policy.Values) {
	set := func(key, value string) {
		if value != "" {
			v["s3:"+key] = []string{value}
		}
	}
	set("x-amz-acl", q.ACL)
	for right, grantee := range q.Grants {
		set("x-amz-grant-"+right, grantee)
	}
	switch q.Operation {
	case "ListObjects", "ListObjectsV2", "ListObjectVersions", "ListMultipartUploads":
		// AWS has no s3:prefix for uploads, but who may see the names below one prefix alone may not see uploads elsewhere.
		for _, name := range []string{"prefix", "delimiter"} {
			if value, ok := q.params.get(name); ok {
				v["s3:"+name] = []string{value}
			}
		}
		set("max-keys", q.params.text("max-keys"))
	case "PutObject", "PostObject", "CopyObject", "CreateMultipartUpload", "CompleteMultipartUpload", "UploadPart", "UploadPartCopy":
		q.describeWrite(v, set)
	case "DeleteObject":
		set("if-match", q.Conditions.IfMatch)
	case "CreateBucket":
		set("x-amz-object-ownership", q.ObjectOwnership)
	}
}

func (q *Request) describeWrite(v policy.Values, set func(key, value string)) {
	set("x-amz-server-side-encryption", q.Encryption)
	set("x-amz-storage-class", q.StorageClass)
	set("x-amz-website-redirect-location", q.Headers.WebsiteRedirectLocation)
	set("x-amz-metadata-directive", q.metadataDirective)
	set("if-match", q.Conditions.IfMatch)
	set("if-none-match", q.Conditions.IfNoneMatch)
	if q.Source != nil {
		// Clients write the source with and without a slash in front; the decoded form is the one that policies are held to.
		set("x-amz-copy-source", q.Source.Bucket+"/"+q.Source.Key)
	}
	// A part is not an object yet: policies that demand conditional writes are about the requests that make one.
	set("objectcreationoperation", strconv.FormatBool(q.Operation != "UploadPart" && q.Operation != "UploadPartCopy"))
	maps.Copy(v, tagValues(q.Tags))
	if q.Retention != nil {
		maps.Copy(v, retentionValues(q.Retention, q.Time))
	}
	if q.LegalHold != nil {
		set("object-lock-legal-hold", map[bool]string{true: "ON", false: "OFF"}[*q.LegalHold])
	}
}

// tagValues are the condition keys of tags that a request brings, whether in a header or in the body.
func tagValues(tags map[string]string) policy.Values {
	if len(tags) == 0 {
		return nil
	}
	v := policy.Values{"s3:requestobjecttagkeys": slices.Sorted(maps.Keys(tags))}
	for name, value := range tags {
		v["s3:requestobjecttag/"+strings.ToLower(name)] = []string{value}
	}
	return v
}

// retentionValues are the condition keys of a retention that a request brings.
func retentionValues(r *storage.Retention, now time.Time) policy.Values {
	v := policy.Values{
		"s3:object-lock-mode":              {string(r.Mode)},
		"s3:object-lock-retain-until-date": {r.Until.Format(time.RFC3339)},
	}
	if !now.IsZero() {
		days := int64(r.Until.Sub(now) / (24 * time.Hour))
		v["s3:object-lock-remaining-retention-days"] = []string{strconv.FormatInt(days, 10)}
	}
	return v
}
