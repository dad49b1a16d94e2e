package storage

import (
	"context"
	"errors"
	"fmt"
)

// CopyAcross copies from one back end to another: the content is read there and written here, and verified against the
// checksum that it was kept with, where there is one.
func CopyAcross(ctx context.Context, to, from Objects, in *CopyObjectInput) (*CopyObjectOutput, error) {
	src, err := openSource(ctx, from, in.Source, nil, in.SourceConditions)
	if err != nil {
		return nil, err
	}
	defer func() { _ = src.Body.Close() }()
	put := &PutObjectInput{
		Bucket: in.Bucket, Key: in.Key, Headers: in.Headers, Tags: in.Tags, IfMatch: in.IfMatch, IfNoneMatch: in.IfNoneMatch,
		Retention: in.Retention, LegalHold: in.LegalHold,
		Body: Body{Reader: src.Body, Size: src.Size, Checksum: Checksum{Algorithm: in.Checksum}},
	}
	if !in.ReplaceHeaders {
		put.Headers = src.Headers
		put.Headers.WebsiteRedirectLocation = in.Headers.WebsiteRedirectLocation // never copied
	}
	if !in.ReplaceTags {
		ref := in.Source
		if ref.VersionID == "" && src.VersionID != "" {
			ref.VersionID = src.VersionID // the tags of the version that is being read
		}
		tags, err := from.GetObjectTagging(ctx, ref)
		if e, ok := errors.AsType[*Error](err); ok && e.Code == "NotImplemented" {
			tags, err = &TaggingOutput{}, nil // it has none
		}
		if err != nil {
			return nil, err
		}
		put.Tags = tags.Tags
	}
	if c := src.Checksum; c.Value != "" && c.Type != Composite && (in.Checksum == "" || in.Checksum == c.Algorithm) {
		put.Body.Checksum = c
	}
	out, err := to.PutObject(ctx, put)
	if err != nil {
		return nil, err
	}
	return &CopyObjectOutput{PutObjectOutput: *out, SourceVersionID: src.VersionID}, nil
}

// CopyPartAcross is CopyAcross for a part of an upload. to writes the part; its upload decides the checksum.
func CopyPartAcross(ctx context.Context, to Uploads, from Objects, in *UploadPartCopyInput) (*UploadPartCopyOutput, error) {
	src, err := openSource(ctx, from, in.Source, in.Range, in.SourceConditions)
	if err != nil {
		return nil, err
	}
	defer func() { _ = src.Body.Close() }()
	if r := in.Range; r != nil && (src.Range == nil || src.Range.First != r.First || src.Range.Last != r.Last) {
		return nil, invalidArgument("x-amz-copy-source-range", r.String(), fmt.Sprintf("Range specified is not valid for source object of size: %d", src.Size))
	}
	out, err := to.UploadPart(ctx, &UploadPartInput{UploadRef: in.UploadRef, PartNumber: in.PartNumber, Body: Body{Reader: src.Body, Size: src.Length()}})
	if err != nil {
		return nil, err
	}
	return &UploadPartCopyOutput{UploadPartOutput: *out, LastModified: src.LastModified, SourceVersionID: src.VersionID}, nil
}

// openSource opens what is copied from.
func openSource(ctx context.Context, from Objects, ref ObjectRef, r *ByteRange, on Conditions) (*Object, error) {
	src, err := from.GetObject(ctx, &GetObjectInput{ObjectRef: ref, Range: r, Conditions: on, ChecksumMode: true})
	if e, ok := errors.AsType[*Error](err); ok {
		switch {
		case e.Code == "NotModified" && on.IfNoneMatch != "":
			return nil, preconditionFailed("x-amz-copy-source-If-None-Match")
		case e.Code == "NotModified":
			return nil, preconditionFailed("x-amz-copy-source-If-Modified-Since")
		case e.Code == "MethodNotAllowed" && ref.VersionID != "":
			return nil, invalidRequest("The source of a copy request may not specifically refer to a delete marker by version id.")
		}
	}
	if err != nil {
		return nil, err
	}
	if src.Length() > MaxObjectSize {
		_ = src.Body.Close()
		return nil, invalidRequest(fmt.Sprintf("The specified copy source is larger than the maximum allowable size for a copy source: %d", int64(MaxObjectSize)))
	}
	return src, nil
}
