package gateway

import (
	"slices"
	"strconv"

	"github.com/lakegate/lakegate/internal/bucket"
	"github.com/lakegate/lakegate/internal/storage"
)

const storageClass = "STANDARD"

// key writes a key, encoded when the request asked for it.
func (r *Request) key(s string) string {
	if r.EncodingType == "url" {
		return encodeKey(s)
	}
	return s
}

// owner names the owner of objects, which is always the bucket's account.
func (d *document) owner(name, account string) {
	d.inside(name, func() {
		d.text("ID", account)
		d.text("DisplayName", account)
	})
}

func bucketList(account string, buckets []*bucket.Bucket, token string) []byte {
	d := newDocument("ListAllMyBucketsResult")
	d.owner("Owner", account)
	d.inside("Buckets", func() {
		for _, b := range buckets {
			d.inside("Bucket", func() {
				d.text("Name", b.Name)
				d.time("CreationDate", b.Created)
				d.text("BucketRegion", b.Region)
			})
		}
	})
	d.optional("ContinuationToken", token)
	return d.end("ListAllMyBucketsResult")
}

func (d *document) object(r *Request, o *storage.ListedObject, account string, withOwner bool) {
	d.text("Key", r.key(o.Key))
	d.time("LastModified", o.LastModified)
	d.text("ETag", o.ETag)
	if o.Checksum.Algorithm != "" {
		d.text("ChecksumAlgorithm", string(o.Checksum.Algorithm))
		d.optional("ChecksumType", string(o.Checksum.Type))
	}
	d.number("Size", o.Size)
	if withOwner {
		d.owner("Owner", account)
	}
	d.text("StorageClass", storageClass)
}

func (d *document) prefixes(r *Request, prefixes []string) {
	for _, p := range prefixes {
		d.inside("CommonPrefixes", func() { d.text("Prefix", r.key(p)) })
	}
}

func objectList(r *Request, out *storage.ListObjectsOutput, account string, tellMarker bool) []byte {
	d := newDocument("ListBucketResult")
	d.text("Name", r.Bucket)
	d.text("Prefix", r.key(r.Prefix))
	d.text("Marker", r.key(r.Marker))
	d.number("MaxKeys", int64(r.MaxKeys))
	if r.Delimiter != "" {
		d.text("Delimiter", r.key(r.Delimiter))
	}
	d.boolean("IsTruncated", out.Truncated)
	// S3 tells the next marker only where a delimiter may hide the last key; a grant that denies may hide it too.
	if out.Truncated && (r.Delimiter != "" || tellMarker) {
		d.text("NextMarker", r.key(out.NextMarker))
	}
	for i := range out.Objects {
		d.inside("Contents", func() { d.object(r, &out.Objects[i], account, true) })
	}
	d.prefixes(r, out.CommonPrefixes)
	d.optional("EncodingType", r.EncodingType)
	return d.end("ListBucketResult")
}

func objectListV2(r *Request, out *storage.ListObjectsV2Output, account string) []byte {
	d := newDocument("ListBucketResult")
	d.text("Name", r.Bucket)
	d.text("Prefix", r.key(r.Prefix))
	d.optional("StartAfter", r.key(r.StartAfter))
	d.optional("ContinuationToken", r.ContinuationToken)
	d.optional("NextContinuationToken", out.NextContinuationToken)
	d.number("KeyCount", int64(len(out.Objects)+len(out.CommonPrefixes)))
	d.number("MaxKeys", int64(r.MaxKeys))
	if r.Delimiter != "" {
		d.text("Delimiter", r.key(r.Delimiter))
	}
	d.boolean("IsTruncated", out.Truncated)
	for i := range out.Objects {
		d.inside("Contents", func() { d.object(r, &out.Objects[i], account, r.FetchOwner) })
	}
	d.prefixes(r, out.CommonPrefixes)
	d.optional("EncodingType", r.EncodingType)
	return d.end("ListBucketResult")
}

func versionList(r *Request, out *storage.ListObjectVersionsOutput, account string) []byte {
	d := newDocument("ListVersionsResult")
	d.text("Name", r.Bucket)
	d.text("Prefix", r.key(r.Prefix))
	d.text("KeyMarker", r.key(r.KeyMarker))
	d.text("VersionIdMarker", r.VersionIDMarker)
	if out.Truncated {
		d.text("NextKeyMarker", r.key(out.NextKeyMarker))
		d.optional("NextVersionIdMarker", out.NextVersionIDMarker)
	}
	d.number("MaxKeys", int64(r.MaxKeys))
	if r.Delimiter != "" {
		d.text("Delimiter", r.key(r.Delimiter))
	}
	d.boolean("IsTruncated", out.Truncated)
	for i := range out.Versions {
		v := &out.Versions[i]
		name := "Version"
		if v.DeleteMarker {
			name = "DeleteMarker"
		}
		d.inside(name, func() {
			d.text("Key", r.key(v.Key))
			d.text("VersionId", v.VersionID)
			d.boolean("IsLatest", v.Latest)
			d.time("LastModified", v.LastModified)
			if !v.DeleteMarker {
				d.text("ETag", v.ETag)
				d.number("Size", v.Size)
				d.text("StorageClass", storageClass)
			}
			d.owner("Owner", account)
		})
	}
	d.prefixes(r, out.CommonPrefixes)
	d.optional("EncodingType", r.EncodingType)
	return d.end("ListVersionsResult")
}

func uploadList(r *Request, out *storage.ListMultipartUploadsOutput, account string) []byte {
	d := newDocument("ListMultipartUploadsResult")
	d.text("Bucket", r.Bucket)
	d.text("KeyMarker", r.key(r.KeyMarker))
	d.text("UploadIdMarker", r.UploadIDMarker)
	if out.Truncated {
		d.text("NextKeyMarker", r.key(out.NextKeyMarker))
		d.text("NextUploadIdMarker", out.NextUploadIDMarker)
	}
	d.text("Prefix", r.key(r.Prefix))
	if r.Delimiter != "" {
		d.text("Delimiter", r.key(r.Delimiter))
	}
	d.number("MaxUploads", int64(r.MaxKeys))
	d.boolean("IsTruncated", out.Truncated)
	for i := range out.Uploads {
		u := &out.Uploads[i]
		d.inside("Upload", func() {
			d.text("Key", r.key(u.Key))
			d.text("UploadId", u.UploadID)
			d.owner("Initiator", account)
			d.owner("Owner", account)
			d.text("StorageClass", storageClass)
			d.time("Initiated", u.Initiated)
			if u.Checksum.Algorithm != "" {
				d.text("ChecksumAlgorithm", string(u.Checksum.Algorithm))
			}
		})
	}
	d.prefixes(r, out.CommonPrefixes)
	d.optional("EncodingType", r.EncodingType)
	return d.end("ListMultipartUploadsResult")
}

func partList(r *Request, out *storage.ListPartsOutput, account string) []byte {
	d := newDocument("ListPartsResult")
	d.text("Bucket", r.Bucket)
	d.text("Key", r.key(r.Key))
	d.text("UploadId", r.UploadID)
	d.owner("Initiator", account)
	d.owner("Owner", account)
	d.text("StorageClass", storageClass)
	d.number("PartNumberMarker", int64(r.PartNumberMarker))
	if out.Truncated {
		d.number("NextPartNumberMarker", int64(out.NextPartNumberMarker))
	}
	d.number("MaxParts", int64(r.MaxKeys))
	d.boolean("IsTruncated", out.Truncated)
	for i := range out.Parts {
		p := &out.Parts[i]
		d.inside("Part", func() {
			d.number("PartNumber", int64(p.PartNumber))
			d.time("LastModified", p.LastModified)
			d.text("ETag", p.ETag)
			d.number("Size", p.Size)
			d.checksum(p.Checksum)
		})
	}
	return d.end("ListPartsResult")
}

// checksum writes a value under the element of its algorithm.
func (d *document) checksum(c storage.Checksum) {
	if c.Algorithm != "" && c.Value != "" {
		d.text("Checksum"+string(c.Algorithm), c.Value)
	}
}

func initiated(r *Request, uploadID string) []byte {
	d := newDocument("InitiateMultipartUploadResult")
	d.text("Bucket", r.Bucket)
	d.text("Key", r.Key)
	d.text("UploadId", uploadID)
	return d.end("InitiateMultipartUploadResult")
}

func completed(r *Request, location string, out *storage.PutObjectOutput) []byte {
	d := newDocument("CompleteMultipartUploadResult")
	d.text("Location", location)
	d.text("Bucket", r.Bucket)
	d.text("Key", r.Key)
	d.text("ETag", out.ETag)
	d.checksum(out.Checksum)
	if out.Checksum.Value != "" {
		d.optional("ChecksumType", string(out.Checksum.Type))
	}
	return d.end("CompleteMultipartUploadResult")
}

func copied(root string, out *storage.PutObjectOutput) []byte {
	d := newDocument(root)
	d.time("LastModified", out.LastModified)
	d.text("ETag", out.ETag)
	d.checksum(out.Checksum)
	return d.end(root)
}

func tagSet(tags map[string]string) []byte {
	d := newDocument("Tagging")
	d.inside("TagSet", func() {
		names := make([]string, 0, len(tags))
		for k := range tags {
			names = append(names, k)
		}
		slices.Sort(names)
		for _, k := range names {
			d.inside("Tag", func() {
				d.text("Key", k)
				d.text("Value", tags[k])
			})
		}
	})
	return d.end("Tagging")
}

// ownersACL is the only access control list there is: every object belongs to the bucket's owner (BucketOwnerEnforced).
func ownersACL(account string) []byte {
	d := newDocument("AccessControlPolicy")
	d.owner("Owner", account)
	d.inside("AccessControlList", func() {
		d.inside("Grant", func() {
			d.b = append(d.b, `<Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser">`...)
			d.text("ID", account)
			d.text("DisplayName", account)
			d.close("Grantee")
			d.text("Permission", "FULL_CONTROL")
		})
	})
	return d.end("AccessControlPolicy")
}

// location is the Region of a bucket; us-east-1 is written as nothing.
func location(region string) []byte {
	d := newDocument("LocationConstraint")
	if region != "us-east-1" {
		d.b = appendEscaped(d.b, region)
	}
	return d.end("LocationConstraint")
}

func versioning(v storage.Versioning) []byte {
	d := newDocument("VersioningConfiguration")
	d.optional("Status", string(v))
	return d.end("VersioningConfiguration")
}

func accessBlock(p bucket.PublicAccessBlock) []byte {
	d := newDocument("PublicAccessBlockConfiguration")
	d.boolean("BlockPublicAcls", p.BlockPublicACLs)
	d.boolean("IgnorePublicAcls", p.IgnorePublicACLs)
	d.boolean("BlockPublicPolicy", p.BlockPublicPolicy)
	d.boolean("RestrictPublicBuckets", p.RestrictPublicBuckets)
	return d.end("PublicAccessBlockConfiguration")
}

func policyStatus(public bool) []byte {
	d := newDocument("PolicyStatus")
	d.boolean("IsPublic", public)
	return d.end("PolicyStatus")
}

func ownership() []byte {
	d := newDocument("OwnershipControls")
	d.inside("Rule", func() { d.text("ObjectOwnership", "BucketOwnerEnforced") })
	return d.end("OwnershipControls")
}

func lockConfiguration(c *storage.LockConfiguration) []byte {
	d := newDocument("ObjectLockConfiguration")
	d.text("ObjectLockEnabled", "Enabled")
	if c.Mode != "" {
		d.inside("Rule", func() {
			d.inside("DefaultRetention", func() {
				d.text("Mode", string(c.Mode))
				if c.Days > 0 {
					d.number("Days", int64(c.Days))
				} else {
					d.number("Years", int64(c.Years))
				}
			})
		})
	}
	return d.end("ObjectLockConfiguration")
}

func retention(r *storage.Retention) []byte {
	d := newDocument("Retention")
	d.text("Mode", string(r.Mode))
	d.time("RetainUntilDate", r.Until)
	return d.end("Retention")
}

func legalHold(on bool) []byte {
	d := newDocument("LegalHold")
	status := "OFF"
	if on {
		status = "ON"
	}
	d.text("Status", status)
	return d.end("LegalHold")
}

// attributes describes an object with what was asked for.
func attributes(wanted []string, o *storage.ObjectInfo) []byte {
	d := newDocument("GetObjectAttributesResponse")
	has := func(name string) bool { return slices.Contains(wanted, name) }
	if has("ETag") {
		if etag, err := strconv.Unquote(o.ETag); err == nil {
			d.text("ETag", etag)
		}
	}
	if has("Checksum") && o.Checksum.Value != "" {
		d.inside("Checksum", func() {
			d.checksum(o.Checksum)
			d.optional("ChecksumType", string(o.Checksum.Type))
		})
	}
	if has("ObjectParts") && len(o.Parts) > 0 {
		d.inside("ObjectParts", func() { d.number("PartsCount", int64(len(o.Parts))) })
	}
	if has("StorageClass") {
		d.text("StorageClass", storageClass)
	}
	if has("ObjectSize") {
		d.number("ObjectSize", o.Size)
	}
	return d.end("GetObjectAttributesResponse")
}

// deletion is the outcome of one key of a batch.
type deletion struct {
	key, version string
	out          *storage.DeleteObjectOutput
	code         string
	message      string
}

func deletions(all []deletion, quiet bool) []byte {
	d := newDocument("DeleteResult")
	for _, x := range all {
		if x.code != "" {
			d.inside("Error", func() {
				d.text("Key", x.key)
				d.optional("VersionId", x.version)
				d.text("Code", x.code)
				d.text("Message", x.message)
			})
			continue
		}
		if quiet {
			continue
		}
		d.inside("Deleted", func() {
			d.text("Key", x.key)
			d.optional("VersionId", x.version)
			if x.out.DeleteMarker {
				d.boolean("DeleteMarker", true)
				d.optional("DeleteMarkerVersionId", x.out.VersionID)
			}
		})
	}
	return d.end("DeleteResult")
}
