package storage

import "time"

// UploadRef names an upload in progress.
type UploadRef struct {
	Bucket, Key, UploadID string
}

// CreateMultipartUploadInput begins an upload in parts. Checksum has no value; its type may be left to the default.
type CreateMultipartUploadInput struct {
	Bucket, Key string
	Headers     Headers
	Tags        map[string]string
	Checksum    Checksum
	Retention   *Retention
	LegalHold   bool
}

// CreateMultipartUploadOutput has the checksum with its type filled in.
type CreateMultipartUploadOutput struct {
	UploadID string
	Checksum Checksum
}

// UploadPartInput writes a part, 1 to 10000. A part of the same number is replaced.
type UploadPartInput struct {
	UploadRef
	PartNumber int
	Body       Body
}

// UploadPartOutput describes a part.
type UploadPartOutput struct {
	ETag     string
	Checksum Checksum
}

// UploadPartCopyInput makes a part of bytes of an object. A range must lie within the source.
type UploadPartCopyInput struct {
	UploadRef
	PartNumber       int
	Source           ObjectRef
	Range            *ByteRange
	SourceConditions Conditions
}

// UploadPartCopyOutput describes the part and which version it came from.
type UploadPartCopyOutput struct {
	UploadPartOutput
	LastModified    time.Time
	SourceVersionID string
}

// CompletedPart names a part as the client knows it.
type CompletedPart struct {
	PartNumber int
	ETag       string
	Checksum   Checksum
}

// CompleteMultipartUploadInput makes the object of the parts that are named, in order. Asking again after success
// succeeds while the object stands. A Size above zero must be the sum of the parts.
type CompleteMultipartUploadInput struct {
	UploadRef
	Parts                []CompletedPart
	Checksum             Checksum
	Size                 int64
	IfMatch, IfNoneMatch string
}

// ListPartsInput asks for a page of the parts after a number.
type ListPartsInput struct {
	UploadRef
	PartNumberMarker, MaxParts int
}

// Part is a part that has arrived.
type Part struct {
	PartNumber   int
	ETag         string
	Size         int64
	LastModified time.Time
	Checksum     Checksum
}

// ListPartsOutput is a page of parts.
type ListPartsOutput struct {
	Parts                []Part
	Truncated            bool
	NextPartNumberMarker int
	Checksum             Checksum
}

// ListMultipartUploadsInput asks for a page of uploads in progress: after all uploads of KeyMarker, or after one of them.
type ListMultipartUploadsInput struct {
	Bucket, Prefix, Delimiter, KeyMarker, UploadIDMarker string
	MaxUploads                                           int
}

// Upload is an upload in progress.
type Upload struct {
	Key, UploadID string
	Initiated     time.Time
	Checksum      Checksum
}

// ListMultipartUploadsOutput is a page of uploads, by key and then oldest first.
type ListMultipartUploadsOutput struct {
	Uploads            []Upload
	CommonPrefixes     []string
	Truncated          bool
	NextKeyMarker      string
	NextUploadIDMarker string
}
