// Package storage keeps the bytes: buckets, objects, their versions and the uploads in progress.
//
// It stands below everything that knows about people and permissions. It is asked with typed values (a bucket, a key, a
// version, a range), never with a client's path, query or headers, and it checks those values again, because a mistake
// above must not become a way out of the folder that it guards. Who owns a bucket, its policy and its tags, and who may read
// it, is not its matter.
//
// There is one back end in this package, Embedded, which keeps each object as a file of the same name:
//
//	objects/<bucket>/<key>                      the current version of an object
//	objects/<bucket>/.sgwtmp/…                  uploads in progress
//	versions/<bucket>/<hash of key>/<version>   versions that are no longer current
//	attributes/…                                metadata that is too long for the file system's extended attributes
//
// Staging, digests, multipart assembly and publication of a write are versitygw's POSIX back end, called as a Go library
// with no second HTTP hop. What decides which file a request reaches (names, reads, listings, versions, deletion) is this
// package's own, since there the promises below are made.
//
// What Embedded promises:
//
//   - An object appears whole or not at all. A body that ends early, is too long, fails while it is read, or does not
//     match a digest that came with it never becomes an object or a part, and leaves what was there before untouched.
//   - An object's bytes, tags, retention and metadata are published in one step. A reader sees those of one version. (On
//     a file system without extended attributes metadata is kept beside the object and this does not hold for the
//     instant of an overwrite; versioning is refused there. The log says so at start.)
//   - Writers of one key are ordered: a delete never swallows a concurrent put that was acknowledged after it.
//   - Acknowledged is on the disk: neither the end of the process nor a power cut loses it. Contents are forced there before
//     they get their names, and names and attributes before the answer. (Unforced leaves that to the operating system; then
//     killing the process loses nothing, and a power cut what was answered in the last seconds.)
//   - Nothing outside its folder is read or written. Symbolic links and special files inside it are never followed.
//   - Memory is bounded: bodies are streamed, a listing holds one page and one batch of a folder's names. (A listing of
//     uploads holds what is known of all uploads with the prefix, one of versions all versions of one key.)
//
// What a file system cannot hold is refused rather than renamed: keys with an empty, "." or ".." segment, a segment longer
// than 227 bytes, and an object "a" beside an object "a/b". An object whose key ends with a slash is the folder itself: it
// has no content and no versions.
package storage

import "context"

// Backend is the storage behind the gateway. Every error that a client may see is an *Error.
type Backend interface {
	Buckets
	Objects
	Uploads
	Locks
	Close() error
}

// Buckets are the containers of objects and their few settings.
type Buckets interface {
	CreateBucket(ctx context.Context, in CreateBucketInput) error
	// DeleteBucket removes a bucket that holds no object and no version. Uploads in progress go with it.
	DeleteBucket(ctx context.Context, bucket string) error
	HeadBucket(ctx context.Context, bucket string) error
	// ListBuckets names all buckets in order, whoever owns them.
	ListBuckets(ctx context.Context) ([]BucketInfo, error)

	GetBucketVersioning(ctx context.Context, bucket string) (Versioning, error)
	PutBucketVersioning(ctx context.Context, bucket string, status Versioning) error
}

// Objects are written, read, listed and deleted. Inputs name one object each.
type Objects interface {
	PutObject(ctx context.Context, in *PutObjectInput) (*PutObjectOutput, error)
	// GetObject opens an object. The caller closes the body.
	GetObject(ctx context.Context, in *GetObjectInput) (*Object, error)
	// HeadObject answers as GetObject would, without the body.
	HeadObject(ctx context.Context, in *GetObjectInput) (*ObjectInfo, error)
	// GetObjectAttributes describes an object with its checksum and the sizes of its parts.
	GetObjectAttributes(ctx context.Context, ref ObjectRef) (*ObjectInfo, error)
	// DeleteObject succeeds when the object does not exist.
	DeleteObject(ctx context.Context, in *DeleteObjectInput) (*DeleteObjectOutput, error)
	CopyObject(ctx context.Context, in *CopyObjectInput) (*CopyObjectOutput, error)

	ListObjects(ctx context.Context, in *ListObjectsInput) (*ListObjectsOutput, error)
	ListObjectsV2(ctx context.Context, in *ListObjectsV2Input) (*ListObjectsV2Output, error)
	ListObjectVersions(ctx context.Context, in *ListObjectVersionsInput) (*ListObjectVersionsOutput, error)

	GetObjectTagging(ctx context.Context, ref ObjectRef) (*TaggingOutput, error)
	// PutObjectTagging replaces all tags; none removes them. It returns the version that was tagged.
	PutObjectTagging(ctx context.Context, ref ObjectRef, tags map[string]string) (versionID string, err error)
}

// Uploads are objects that arrive in parts.
type Uploads interface {
	CreateMultipartUpload(ctx context.Context, in *CreateMultipartUploadInput) (*CreateMultipartUploadOutput, error)
	UploadPart(ctx context.Context, in *UploadPartInput) (*UploadPartOutput, error)
	UploadPartCopy(ctx context.Context, in *UploadPartCopyInput) (*UploadPartCopyOutput, error)
	CompleteMultipartUpload(ctx context.Context, in *CompleteMultipartUploadInput) (*PutObjectOutput, error)
	AbortMultipartUpload(ctx context.Context, ref UploadRef) error
	ListParts(ctx context.Context, in *ListPartsInput) (*ListPartsOutput, error)
	ListMultipartUploads(ctx context.Context, in *ListMultipartUploadsInput) (*ListMultipartUploadsOutput, error)
}

// Locks keep versions of objects from being deleted (S3 Object Lock).
type Locks interface {
	GetObjectLockConfiguration(ctx context.Context, bucket string) (*LockConfiguration, error)
	PutObjectLockConfiguration(ctx context.Context, bucket string, cfg LockConfiguration) error
	GetObjectRetention(ctx context.Context, ref ObjectRef) (*Retention, error)
	PutObjectRetention(ctx context.Context, in *PutRetentionInput) error
	GetObjectLegalHold(ctx context.Context, ref ObjectRef) (bool, error)
	PutObjectLegalHold(ctx context.Context, ref ObjectRef, on bool) error
}

var _ Backend = (*Embedded)(nil)
