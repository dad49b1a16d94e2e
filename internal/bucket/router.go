package bucket

import (
	"context"
	"errors"

	"github.com/lakegate/lakegate/internal/storage"
	"github.com/lakegate/lakegate/internal/storage/remote"
)

// Router is the storage of all buckets: it leads each request to where its bucket is.
type Router struct {
	registry *Registry
	embedded storage.Backend
}

// Router makes the storage of the registry's buckets, of which those on no backend are in the embedded one.
func (r *Registry) Router(embedded storage.Backend) *Router { return &Router{r, embedded} }

// keeper is what a bucket's storage does with objects.
type keeper interface {
	storage.Objects
	storage.Uploads
	storage.Locks
}

// at finds the storage of a bucket. mount is nil where it is the embedded one.
func (r *Router) at(name string) (k keeper, mount *remote.Mount, err error) {
	b, ok := r.registry.Lookup(name)
	if !ok || b.Backend == "" {
		return r.embedded, nil, nil
	}
	if mount, err = r.registry.backends.mount(b); err != nil {
		return nil, nil, err
	}
	return mount, mount, nil
}

// of leads one request to the storage of its bucket.
func of[Out any](r *Router, bucket string, do func(keeper) (Out, error)) (Out, error) {
	k, _, err := r.at(bucket)
	if err != nil {
		var none Out
		return none, err
	}
	return do(k)
}

// errNotHere says that buckets are made and removed by the registry, which alone knows where they go.
var errNotHere = errors.New("buckets are made and removed by their registry")

// CreateBucket is the registry's.
func (r *Router) CreateBucket(context.Context, storage.CreateBucketInput) error { return errNotHere }

// DeleteBucket is the registry's.
func (r *Router) DeleteBucket(context.Context, string) error { return errNotHere }

// ListBuckets is the registry's.
func (r *Router) ListBuckets(context.Context) ([]storage.BucketInfo, error) { return nil, errNotHere }

// HeadBucket says whether the storage has the bucket.
func (r *Router) HeadBucket(ctx context.Context, bucket string) error {
	_, m, err := r.at(bucket)
	if err != nil {
		return err
	}
	if m != nil {
		return m.Head(ctx)
	}
	return r.embedded.HeadBucket(ctx, bucket)
}

// GetBucketVersioning tells whether versions are kept.
func (r *Router) GetBucketVersioning(ctx context.Context, bucket string) (storage.Versioning, error) {
	_, m, err := r.at(bucket)
	if err != nil {
		return storage.Unversioned, err
	}
	if m != nil {
		return m.GetBucketVersioning(ctx)
	}
	return r.embedded.GetBucketVersioning(ctx, bucket)
}

// PutBucketVersioning turns the keeping of versions on, or suspends it.
func (r *Router) PutBucketVersioning(ctx context.Context, bucket string, status storage.Versioning) error {
	_, m, err := r.at(bucket)
	if err != nil {
		return err
	}
	if m != nil {
		return m.PutBucketVersioning(ctx, status)
	}
	return r.embedded.PutBucketVersioning(ctx, bucket, status)
}

// Close closes nothing: the storages are closed by who opened them.
func (r *Router) Close() error { return nil }

// CopyObject copies within one storage there, and from one storage to another through here.
func (r *Router) CopyObject(ctx context.Context, in *storage.CopyObjectInput) (*storage.CopyObjectOutput, error) {
	to, toMount, err := r.at(in.Bucket)
	if err != nil {
		return nil, err
	}
	from, fromMount, err := r.at(in.Source.Bucket)
	switch {
	case err != nil:
		return nil, err
	case toMount == nil && fromMount == nil:
		return to.CopyObject(ctx, in)
	case toMount != nil && fromMount != nil && toMount.Endpoint() == fromMount.Endpoint():
		if in.Source.Bucket == in.Bucket {
			fromMount = toMount
		}
		return toMount.CopyFrom(ctx, fromMount, in)
	}
	return storage.CopyAcross(ctx, to, from, in)
}

// UploadPartCopy is CopyObject for a part.
func (r *Router) UploadPartCopy(ctx context.Context, in *storage.UploadPartCopyInput) (*storage.UploadPartCopyOutput, error) {
	to, toMount, err := r.at(in.Bucket)
	if err != nil {
		return nil, err
	}
	from, fromMount, err := r.at(in.Source.Bucket)
	switch {
	case err != nil:
		return nil, err
	case toMount == nil && fromMount == nil:
		return to.UploadPartCopy(ctx, in)
	case toMount != nil && fromMount != nil && toMount.Endpoint() == fromMount.Endpoint():
		return toMount.UploadPartCopyFrom(ctx, fromMount, in)
	}
	return storage.CopyPartAcross(ctx, to, from, in)
}

// The rest leads to the storage of the bucket.

// PutObject writes an object.
func (r *Router) PutObject(ctx context.Context, in *storage.PutObjectInput) (*storage.PutObjectOutput, error) {
	return of(r, in.Bucket, func(k keeper) (*storage.PutObjectOutput, error) { return k.PutObject(ctx, in) })
}

// GetObject opens an object.
func (r *Router) GetObject(ctx context.Context, in *storage.GetObjectInput) (*storage.Object, error) {
	return of(r, in.Bucket, func(k keeper) (*storage.Object, error) { return k.GetObject(ctx, in) })
}

// HeadObject describes an object.
func (r *Router) HeadObject(ctx context.Context, in *storage.GetObjectInput) (*storage.ObjectInfo, error) {
	return of(r, in.Bucket, func(k keeper) (*storage.ObjectInfo, error) { return k.HeadObject(ctx, in) })
}

// GetObjectAttributes describes an object with its checksum and parts.
func (r *Router) GetObjectAttributes(ctx context.Context, ref storage.ObjectRef) (*storage.ObjectInfo, error) {
	return of(r, ref.Bucket, func(k keeper) (*storage.ObjectInfo, error) { return k.GetObjectAttributes(ctx, ref) })
}

// DeleteObject deletes a version or hides an object.
func (r *Router) DeleteObject(ctx context.Context, in *storage.DeleteObjectInput) (*storage.DeleteObjectOutput, error) {
	return of(r, in.Bucket, func(k keeper) (*storage.DeleteObjectOutput, error) { return k.DeleteObject(ctx, in) })
}

// DeleteObjects deletes objects of one bucket.
func (r *Router) DeleteObjects(ctx context.Context, in []*storage.DeleteObjectInput) []storage.DeleteResult {
	if len(in) == 0 {
		return nil
	}
	k, _, err := r.at(in[0].Bucket)
	if err != nil {
		results := make([]storage.DeleteResult, len(in))
		for i := range results {
			results[i].Err = err
		}
		return results
	}
	return storage.DeleteAll(ctx, k, in)
}

// ListObjects lists a page.
func (r *Router) ListObjects(ctx context.Context, in *storage.ListObjectsInput) (*storage.ListObjectsOutput, error) {
	return of(r, in.Bucket, func(k keeper) (*storage.ListObjectsOutput, error) { return k.ListObjects(ctx, in) })
}

// ListObjectsV2 lists a page.
func (r *Router) ListObjectsV2(ctx context.Context, in *storage.ListObjectsV2Input) (*storage.ListObjectsV2Output, error) {
	return of(r, in.Bucket, func(k keeper) (*storage.ListObjectsV2Output, error) { return k.ListObjectsV2(ctx, in) })
}

// ListObjectVersions lists a page of versions.
func (r *Router) ListObjectVersions(ctx context.Context, in *storage.ListObjectVersionsInput) (*storage.ListObjectVersionsOutput, error) {
	return of(r, in.Bucket, func(k keeper) (*storage.ListObjectVersionsOutput, error) { return k.ListObjectVersions(ctx, in) })
}

// GetObjectTagging reads tags.
func (r *Router) GetObjectTagging(ctx context.Context, ref storage.ObjectRef) (*storage.TaggingOutput, error) {
	return of(r, ref.Bucket, func(k keeper) (*storage.TaggingOutput, error) { return k.GetObjectTagging(ctx, ref) })
}

// PutObjectTagging replaces tags.
func (r *Router) PutObjectTagging(ctx context.Context, ref storage.ObjectRef, tags map[string]string) (string, error) {
	return of(r, ref.Bucket, func(k keeper) (string, error) { return k.PutObjectTagging(ctx, ref, tags) })
}

// CreateMultipartUpload begins an upload.
func (r *Router) CreateMultipartUpload(ctx context.Context, in *storage.CreateMultipartUploadInput) (*storage.CreateMultipartUploadOutput, error) {
	return of(r, in.Bucket, func(k keeper) (*storage.CreateMultipartUploadOutput, error) { return k.CreateMultipartUpload(ctx, in) })
}

// UploadPart writes a part.
func (r *Router) UploadPart(ctx context.Context, in *storage.UploadPartInput) (*storage.UploadPartOutput, error) {
	return of(r, in.Bucket, func(k keeper) (*storage.UploadPartOutput, error) { return k.UploadPart(ctx, in) })
}

// CompleteMultipartUpload makes the object.
func (r *Router) CompleteMultipartUpload(ctx context.Context, in *storage.CompleteMultipartUploadInput) (*storage.PutObjectOutput, error) {
	return of(r, in.Bucket, func(k keeper) (*storage.PutObjectOutput, error) { return k.CompleteMultipartUpload(ctx, in) })
}

// AbortMultipartUpload throws an upload away.
func (r *Router) AbortMultipartUpload(ctx context.Context, ref storage.UploadRef) error {
	_, err := of(r, ref.Bucket, func(k keeper) (struct{}, error) { return struct{}{}, k.AbortMultipartUpload(ctx, ref) })
	return err
}

// ListParts lists parts.
func (r *Router) ListParts(ctx context.Context, in *storage.ListPartsInput) (*storage.ListPartsOutput, error) {
	return of(r, in.Bucket, func(k keeper) (*storage.ListPartsOutput, error) { return k.ListParts(ctx, in) })
}

// ListMultipartUploads lists uploads.
func (r *Router) ListMultipartUploads(ctx context.Context, in *storage.ListMultipartUploadsInput) (*storage.ListMultipartUploadsOutput, error) {
	return of(r, in.Bucket, func(k keeper) (*storage.ListMultipartUploadsOutput, error) { return k.ListMultipartUploads(ctx, in) })
}

// GetObjectLockConfiguration reads a bucket's object lock.
func (r *Router) GetObjectLockConfiguration(ctx context.Context, bucket string) (*storage.LockConfiguration, error) {
	return of(r, bucket, func(k keeper) (*storage.LockConfiguration, error) { return k.GetObjectLockConfiguration(ctx, bucket) })
}

// PutObjectLockConfiguration sets a bucket's object lock.
func (r *Router) PutObjectLockConfiguration(ctx context.Context, bucket string, cfg storage.LockConfiguration) error {
	_, err := of(r, bucket, func(k keeper) (struct{}, error) { return struct{}{}, k.PutObjectLockConfiguration(ctx, bucket, cfg) })
	return err
}

// GetObjectRetention reads a retention.
func (r *Router) GetObjectRetention(ctx context.Context, ref storage.ObjectRef) (*storage.Retention, error) {
	return of(r, ref.Bucket, func(k keeper) (*storage.Retention, error) { return k.GetObjectRetention(ctx, ref) })
}

// PutObjectRetention sets a retention.
func (r *Router) PutObjectRetention(ctx context.Context, in *storage.PutRetentionInput) error {
	_, err := of(r, in.Bucket, func(k keeper) (struct{}, error) { return struct{}{}, k.PutObjectRetention(ctx, in) })
	return err
}

// GetObjectLegalHold reads a legal hold.
func (r *Router) GetObjectLegalHold(ctx context.Context, ref storage.ObjectRef) (bool, error) {
	return of(r, ref.Bucket, func(k keeper) (bool, error) { return k.GetObjectLegalHold(ctx, ref) })
}

// PutObjectLegalHold sets a legal hold.
func (r *Router) PutObjectLegalHold(ctx context.Context, ref storage.ObjectRef, on bool) error {
	_, err := of(r, ref.Bucket, func(k keeper) (struct{}, error) { return struct{}{}, k.PutObjectLegalHold(ctx, ref, on) })
	return err
}

var (
	_ storage.Backend = (*Router)(nil)
	_ storage.Batches = (*Router)(nil)
)
