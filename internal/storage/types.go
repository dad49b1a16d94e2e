package storage

import (
	"io"
	"time"
)

// Limits of S3 that every back end keeps.
const (
	MaxObjectSize   = 5 << 30 // of one PutObject, UploadPart or copy
	MaxKeyLength    = 1024
	MaxMetadata     = 2 << 10 // names and values of user metadata together
	MaxParts        = 10000
	MaxPage         = 1000 // keys, versions, uploads or parts in one answer
	MaxObjectTags   = 10
	MaxTagKey       = 128
	MaxTagValue     = 256
	MaxHeaderLength = 4 << 10 // one content header
)

// Versioning is the state of a bucket.
type Versioning string

// A bucket that never had versioning turned on is Unversioned. It cannot go back there.
const (
	Unversioned Versioning = ""
	Enabled     Versioning = "Enabled"
	Suspended   Versioning = "Suspended"
)

// NullVersion is the version of an object that was written while its bucket was not versioned.
const NullVersion = "null"

// CreateBucketInput names a new bucket. ObjectLock turns versioning on for good.
type CreateBucketInput struct {
	Bucket     string
	ObjectLock bool
}

// BucketInfo is a bucket as ListBuckets shows it.
type BucketInfo struct {
	Name    string
	Created time.Time
}

// ObjectRef names an object; an empty VersionID means its current version.
type ObjectRef struct {
	Bucket, Key, VersionID string
}

// Headers are what a writer says about the content and a reader gets back.
type Headers struct {
	ContentType, ContentEncoding, ContentLanguage, ContentDisposition, CacheControl, Expires string
	WebsiteRedirectLocation                                                                  string
	// Metadata is the user's own, by name without "x-amz-meta-".
	Metadata map[string]string
}

// Conditions make a request depend on the object's state, as in RFC 9110 §13. Entity tags may be quoted.
type Conditions struct {
	IfMatch, IfNoneMatch               string
	IfModifiedSince, IfUnmodifiedSince time.Time
}

// ChecksumAlgorithm is one of the algorithms that S3 names.
type ChecksumAlgorithm string

// The checksum algorithms of S3.
const (
	CRC32     ChecksumAlgorithm = "CRC32"
	CRC32C    ChecksumAlgorithm = "CRC32C"
	CRC64NVME ChecksumAlgorithm = "CRC64NVME"
	SHA1      ChecksumAlgorithm = "SHA1"
	SHA256    ChecksumAlgorithm = "SHA256"
	SHA512    ChecksumAlgorithm = "SHA512"
	MD5       ChecksumAlgorithm = "MD5"
	XXHASH64  ChecksumAlgorithm = "XXHASH64"
	XXHASH3   ChecksumAlgorithm = "XXHASH3"
	XXHASH128 ChecksumAlgorithm = "XXHASH128"
)

// ChecksumType says what a checksum of several parts covers.
type ChecksumType string

// A composite checksum is one of the parts' checksums, followed by "-" and their number.
const (
	FullObject ChecksumType = "FULL_OBJECT"
	Composite  ChecksumType = "COMPOSITE"
)

// Checksum is a checksum in base64. The zero value is none.
type Checksum struct {
	Algorithm ChecksumAlgorithm
	Type      ChecksumType
	Value     string
}

// Body is what a client uploads and everything that it said about it beforehand.
type Body struct {
	Reader io.Reader
	// Size is exact. A reader that gives less or more is a broken upload.
	Size int64
	// ContentMD5, when set, is the 16 bytes that the content must have as its MD5.
	ContentMD5 []byte
	// Checksum, when its algorithm is set, is computed and kept. When its value is set, the content must match it.
	Checksum Checksum
	// Trailer, when set, is asked after the last byte for the value of the checksum, which then must match.
	Trailer func() (string, error)
}

// PutObjectInput writes an object.
type PutObjectInput struct {
	Bucket, Key string
	Body        Body
	Headers     Headers
	Tags        map[string]string
	// IfNoneMatch may only be "*": the object must not exist. IfMatch is the entity tag that it must have.
	IfMatch, IfNoneMatch string
	Retention            *Retention
	LegalHold            bool
}

// PutObjectOutput describes what was written. VersionID is empty in a bucket without versioning.
type PutObjectOutput struct {
	ETag         string
	VersionID    string
	Checksum     Checksum
	Size         int64
	LastModified time.Time
}

// ByteRange asks for part of an object. First −1 asks for the Last bytes at its end; Last −1 means to the end.
type ByteRange struct {
	First, Last int64
}

// GetObjectInput reads an object, at most one of Range and PartNumber.
type GetObjectInput struct {
	ObjectRef
	Range      *ByteRange
	PartNumber int
	Conditions Conditions
	// ChecksumMode asks for the checksum; it is only given with the whole object.
	ChecksumMode bool
}

// ObjectInfo describes a version of an object. ETag has its quotes.
type ObjectInfo struct {
	Key, VersionID, ETag string
	Size                 int64
	LastModified         time.Time
	Headers              Headers
	Checksum             Checksum
	TagCount             int
	// Part sizes, when the object was uploaded in parts.
	Parts     []int64
	Retention *Retention
	// LegalHold is nil where none was ever set.
	LegalHold *bool
	// Range is the part that was asked for, in a partial answer.
	Range *ContentRange
}

// ContentRange is a resolved range: both ends inclusive, and the size of the whole.
type ContentRange struct {
	First, Last, Size int64
}

// Length is how many bytes the answer has.
func (o *ObjectInfo) Length() int64 {
	if o.Range != nil {
		return o.Range.Last - o.Range.First + 1
	}
	return o.Size
}

// Object is an open object. Body gives exactly Length bytes; where it is a *FileBody the bytes can be sent by the kernel.
type Object struct {
	ObjectInfo
	Body io.ReadCloser
}

// DeleteObjectInput deletes a version, or hides the object behind a delete marker where the bucket is versioned.
type DeleteObjectInput struct {
	ObjectRef
	IfMatch string
	// BypassGovernance removes a version in spite of a retention in governance mode. The caller has been allowed to.
	BypassGovernance bool
}

// DeleteObjectOutput tells what was deleted, or which delete marker was made.
type DeleteObjectOutput struct {
	VersionID    string
	DeleteMarker bool
}

// CopyObjectInput copies a version of an object to another key, or onto itself with other headers.
type CopyObjectInput struct {
	Source           ObjectRef
	SourceConditions Conditions
	Bucket, Key      string
	// ReplaceHeaders takes Headers instead of the source's; ReplaceTags takes Tags.
	ReplaceHeaders bool
	Headers        Headers
	ReplaceTags    bool
	Tags           map[string]string
	Checksum       ChecksumAlgorithm
	// IfMatch and IfNoneMatch are about the destination.
	IfMatch, IfNoneMatch string
	Retention            *Retention
	LegalHold            bool
}

// CopyObjectOutput describes the copy.
type CopyObjectOutput struct {
	PutObjectOutput
	SourceVersionID string
}

// TaggingOutput is the tags of a version.
type TaggingOutput struct {
	VersionID string
	Tags      map[string]string
}

// ListObjectsInput asks for a page of keys after Marker. MaxKeys above 1000 means 1000; 0 gives an empty page.
type ListObjectsInput struct {
	Bucket, Prefix, Delimiter, Marker string
	MaxKeys                           int
}

// ListedObject is an object in a listing.
type ListedObject struct {
	Key, ETag    string
	Size         int64
	LastModified time.Time
	Checksum     Checksum // without its value
}

// ListObjectsOutput is a page: keys in byte order and the common prefixes that stand for the others.
type ListObjectsOutput struct {
	Objects        []ListedObject
	CommonPrefixes []string
	Truncated      bool
	// NextMarker is the last key or common prefix of a truncated page.
	NextMarker string
}

// ListObjectsV2Input asks for a page. ContinuationToken comes from the page before and overrides StartAfter.
type ListObjectsV2Input struct {
	Bucket, Prefix, Delimiter, StartAfter, ContinuationToken string
	MaxKeys                                                  int
}

// ListObjectsV2Output is a page and the token for the next.
type ListObjectsV2Output struct {
	ListObjectsOutput
	NextContinuationToken string
}

// ListObjectVersionsInput asks for a page of versions after a version of a key, or after all versions of a key.
type ListObjectVersionsInput struct {
	Bucket, Prefix, Delimiter, KeyMarker, VersionIDMarker string
	MaxKeys                                               int
}

// ListedVersion is a version, or a delete marker, which has neither size nor entity tag.
type ListedVersion struct {
	ListedObject
	VersionID    string
	Latest       bool
	DeleteMarker bool
}

// ListObjectVersionsOutput is a page of versions, by key and then newest first.
type ListObjectVersionsOutput struct {
	Versions            []ListedVersion
	CommonPrefixes      []string
	Truncated           bool
	NextKeyMarker       string
	NextVersionIDMarker string
}

// Mode of a retention.
type Mode string

// A governance retention can be bypassed by those who are allowed to; a compliance retention by nobody.
const (
	Governance Mode = "GOVERNANCE"
	Compliance Mode = "COMPLIANCE"
)

// Retention keeps a version from being deleted before an instant.
type Retention struct {
	Mode  Mode      `json:"mode"`
	Until time.Time `json:"until"`
}

// LockConfiguration is the object lock of a bucket. With a mode, it is the default for new versions, for Days or Years.
type LockConfiguration struct {
	Mode  Mode `json:"mode,omitempty"`
	Days  int  `json:"days,omitempty"`
	Years int  `json:"years,omitempty"`
}

// PutRetentionInput sets the retention of a version; nil removes it.
type PutRetentionInput struct {
	ObjectRef
	Retention        *Retention
	BypassGovernance bool
}
