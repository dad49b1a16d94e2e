package gateway

import (
	"context"

	"github.com/lakegate/lakegate/internal/storage"
)

func (x *exchange) listObjects(ctx context.Context) (*answer, error) {
	out, err := x.Storage.ListObjects(ctx, &storage.ListObjectsInput{Bucket: x.Bucket, Prefix: x.Prefix, Delimiter: x.Delimiter, Marker: x.Marker, MaxKeys: x.MaxKeys})
	if err != nil {
		return nil, err
	}
	tell := hideObjects(x.hides(ctx), out)
	return xmlAnswer(objectList(x.Request, out, x.bucket.Account, tell)), nil
}

func (x *exchange) listObjectsV2(ctx context.Context) (*answer, error) {
	out, err := x.Storage.ListObjectsV2(ctx, &storage.ListObjectsV2Input{
		Bucket: x.Bucket, Prefix: x.Prefix, Delimiter: x.Delimiter, StartAfter: x.StartAfter, ContinuationToken: x.ContinuationToken, MaxKeys: x.MaxKeys,
	})
	if err != nil {
		return nil, err
	}
	hideObjects(x.hides(ctx), &out.ListObjectsOutput)
	return xmlAnswer(objectListV2(x.Request, out, x.bucket.Account)), nil
}

func (x *exchange) listVersions(ctx context.Context) (*answer, error) {
	out, err := x.Storage.ListObjectVersions(ctx, &storage.ListObjectVersionsInput{
		Bucket: x.Bucket, Prefix: x.Prefix, Delimiter: x.Delimiter, KeyMarker: x.KeyMarker, VersionIDMarker: x.VersionIDMarker, MaxKeys: x.MaxKeys,
	})
	if err != nil {
		return nil, err
	}
	x.hideVersions(ctx, out)
	return xmlAnswer(versionList(x.Request, out, x.bucket.Account)), nil
}

func (x *exchange) listUploads(ctx context.Context) (*answer, error) {
	out, err := x.Storage.ListMultipartUploads(ctx, &storage.ListMultipartUploadsInput{
		Bucket: x.Bucket, Prefix: x.Prefix, Delimiter: x.Delimiter, KeyMarker: x.KeyMarker, UploadIDMarker: x.UploadIDMarker, MaxUploads: x.MaxKeys,
	})
	if err != nil {
		return nil, err
	}
	x.hideUploads(ctx, out)
	return xmlAnswer(uploadList(x.Request, out, x.bucket.Account)), nil
}

func (x *exchange) listParts(ctx context.Context) (*answer, error) {
	out, err := x.Storage.ListParts(ctx, &storage.ListPartsInput{UploadRef: x.upload(), PartNumberMarker: x.PartNumberMarker, MaxParts: x.MaxKeys})
	if err != nil {
		return nil, err
	}
	return xmlAnswer(partList(x.Request, out, x.bucket.Account)), nil
}
