package storage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/uuid"
	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/s3response"
)

// completing is what the library appends to the name of an upload while it assembles the object.
const completing = ".inprogress"

// uploadsOf is the folder of a key's uploads in its bucket.
func uploadsOf(key string) string {
	sum := sha256.Sum256([]byte(key))
	return filepath.Join(posix.MetaTmpMultipartDir, hex.EncodeToString(sum[:]))
}

// checkUploadID refuses anything but the library's own form, as the id is part of a path.
func checkUploadID(id string) error {
	u, err := uuid.Parse(id)
	if err != nil || u.String() != id {
		return noSuchUpload(id)
	}
	return nil
}

// uploadAt checks the names and that there is such an upload, and returns its folder in the bucket.
func (e *Embedded) uploadAt(ref UploadRef) (string, error) {
	if _, err := e.locate(ref.Bucket, ref.Key); err != nil {
		return "", err
	}
	if err := checkUploadID(ref.UploadID); err != nil {
		return "", err
	}
	dir := filepath.Join(uploadsOf(ref.Key), ref.UploadID)
	st, err := os.Lstat(filepath.Join(e.objects, ref.Bucket, dir))
	if absent(err) || err == nil && !st.IsDir() {
		return "", noSuchUpload(ref.UploadID)
	}
	return dir, modelled(err)
}

// CreateMultipartUpload begins an upload in parts.
func (e *Embedded) CreateMultipartUpload(ctx context.Context, in *CreateMultipartUploadInput) (*CreateMultipartUploadOutput, error) {
	out, err := e.createUpload(ctx, in)
	return out, modelled(err)
}

func (e *Embedded) createUpload(ctx context.Context, in *CreateMultipartUploadInput) (*CreateMultipartUploadOutput, error) {
	checksum, err := uploadChecksum(in.Checksum)
	if err != nil {
		return nil, err
	}
	release, err := e.change(in.Bucket, in.Key)
	if err != nil {
		return nil, err
	}
	defer release()
	if strings.HasSuffix(in.Key, "/") {
		return nil, invalidArgument("key", in.Key, "This storage keeps no content under a key that ends with a slash.")
	}
	if err := errors.Join(in.Headers.check(), CheckTags(in.Tags, MaxObjectTags), e.checkLocks(in.Bucket, in.Retention, in.LegalHold)); err != nil {
		return nil, err
	}
	set := map[string][]byte{attrInitiated: []byte(e.now().UTC().Format(time.RFC3339Nano))}
	if len(in.Tags) > 0 {
		if set[attrTags], err = json.Marshal(in.Tags); err != nil {
			return nil, fmt.Errorf("encode tags: %w", err)
		}
	}
	if in.Retention != nil {
		if set[attrRetention], err = json.Marshal(in.Retention); err != nil {
			return nil, fmt.Errorf("encode retention: %w", err)
		}
	}
	if in.LegalHold {
		set[attrLegalHold] = []byte{1}
	}
	h := in.Headers
	res, err := e.library.CreateMultipartUpload(ctx, s3response.CreateMultipartUploadInput{
		Bucket: &in.Bucket, Key: &in.Key, ContentType: &h.ContentType, ContentEncoding: &h.ContentEncoding, ContentLanguage: &h.ContentLanguage,
		ContentDisposition: &h.ContentDisposition, CacheControl: &h.CacheControl, Expires: &h.Expires, WebsiteRedirectLocation: &h.WebsiteRedirectLocation,
		Metadata: h.Metadata, ChecksumAlgorithm: types.ChecksumAlgorithm(checksum.Algorithm), ChecksumType: types.ChecksumType(checksum.Type),
	})
	if err != nil {
		return nil, err
	}
	for name, value := range set {
		if err := e.attrs.StoreAttribute(nil, in.Bucket, filepath.Join(uploadsOf(in.Key), res.UploadId), name, value); err != nil {
			return nil, errors.Join(err, e.abort(ctx, UploadRef{in.Bucket, in.Key, res.UploadId}))
		}
	}
	if err := e.written(in.Bucket, filepath.Join(uploadsOf(in.Key), res.UploadId)); err != nil {
		return nil, err
	}
	return &CreateMultipartUploadOutput{UploadID: res.UploadId, Checksum: checksum}, nil
}

// uploadChecksum fills in the type that S3 takes for an algorithm, and refuses pairs that it has not.
func uploadChecksum(c Checksum) (Checksum, error) {
	switch c.Algorithm {
	case "":
		if c.Type != "" {
			return c, invalidRequest("The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.")
		}
		return Checksum{}, nil
	case CRC64NVME:
		if c.Type == "" {
			c.Type = FullObject
		}
		if c.Type != FullObject {
			return c, unsupportedPair(c)
		}
	case CRC32, CRC32C:
		if c.Type == "" {
			c.Type = Composite
		}
		if c.Type != FullObject && c.Type != Composite {
			return c, unsupportedPair(c)
		}
	case SHA1, SHA256, SHA512, MD5, XXHASH64, XXHASH3, XXHASH128:
		if c.Type == "" {
			c.Type = Composite
		}
		if c.Type != Composite {
			return c, unsupportedPair(c)
		}
	default:
		return c, invalidRequest("Checksum algorithm provided is unsupported.")
	}
	c.Value = ""
	return c, nil
}

func unsupportedPair(c Checksum) error {
	return invalidRequest(fmt.Sprintf("The %s checksum type cannot be used with the %s checksum algorithm.", c.Type, lower(c.Algorithm)))
}

// AbortMultipartUpload throws an upload away.
func (e *Embedded) AbortMultipartUpload(ctx context.Context, ref UploadRef) error {
	release, err := e.change(ref.Bucket, ref.Key)
	if err != nil {
		return err
	}
	defer release()
	if _, err := e.uploadAt(ref); err != nil {
		return err
	}
	return modelled(e.abort(ctx, ref))
}

func (e *Embedded) abort(ctx context.Context, ref UploadRef) error {
	forget := e.attrs.discard(ref.Bucket, filepath.Join(uploadsOf(ref.Key), ref.UploadID))
	err := e.library.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &ref.Bucket, Key: &ref.Key, UploadId: &ref.UploadID})
	if err == nil {
		forget()
	}
	return err
}

// CompleteMultipartUpload makes the object of its parts.
func (e *Embedded) CompleteMultipartUpload(ctx context.Context, in *CompleteMultipartUploadInput) (*PutObjectOutput, error) {
	out, err := e.complete(ctx, in)
	return out, modelled(err)
}

func (e *Embedded) complete(ctx context.Context, in *CompleteMultipartUploadInput) (*PutObjectOutput, error) {
	if err := checkWrite(in.IfMatch, in.IfNoneMatch); err != nil {
		return nil, err
	}
	if err := checkParts(in.Parts); err != nil {
		return nil, err
	}
	dir, err := e.uploadAt(in.UploadRef)
	if refusal, ok := errors.AsType[*Error](err); ok && refusal.Code == "NoSuchUpload" {
		return e.completed(in, refusal)
	}
	if err != nil {
		return nil, err
	}
	request, err := e.completion(in, dir)
	if absent(err) {
		return e.completed(in, noSuchUpload(in.UploadID))
	}
	if err != nil {
		return nil, err
	}
	forget := e.attrs.discard(in.Bucket, dir)
	// The library does not pass on what its callback for the last part says, but it does ask its context before it
	// publishes.
	ctx, refuseToPublish := context.WithCancelCause(ctx)
	defer refuseToPublish(nil)
	p := publication{e: e, bucket: in.Bucket, key: in.Key, ifMatch: in.IfMatch, ifNoneMatch: in.IfNoneMatch}
	defer p.end()
	left := len(in.Parts)
	var final *os.File
	res, _, err := e.library.CompleteMultipartUploadWithCopy(ctx, request, func(from, to *os.File) (bool, error) {
		if _, err := io.Copy(to, from); err != nil {
			refuseToPublish(fmt.Errorf("assemble object: %w", err))
			return true, nil
		}
		if left--; left == 0 {
			final = to
			if err := p.begin(final); err != nil {
				refuseToPublish(err)
			}
		}
		return true, nil
	})
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return nil, cause
		}
		return nil, err
	}
	if final == nil {
		return e.completed(in, noSuchUpload(in.UploadID)) // somebody else was quicker
	}
	forget()
	return p.finish(s3response.PutObjectOutput{
		ETag: *res.ETag, ChecksumType: *res.ChecksumType, ChecksumCRC32: res.ChecksumCRC32, ChecksumCRC32C: res.ChecksumCRC32C, ChecksumCRC64NVME: res.ChecksumCRC64NVME,
		ChecksumSHA1: res.ChecksumSHA1, ChecksumSHA256: res.ChecksumSHA256, ChecksumSHA512: res.ChecksumSHA512, ChecksumMD5: res.ChecksumMD5,
		ChecksumXXHASH64: res.ChecksumXXHASH64, ChecksumXXHASH3: res.ChecksumXXHASH3, ChecksumXXHASH128: res.ChecksumXXHASH128,
	})
}

// checkParts refuses a list of parts that is none. Which parts there are is found out later.
func checkParts(parts []CompletedPart) error {
	if len(parts) == 0 || len(parts) > MaxParts {
		return malformedXML()
	}
	for i, p := range parts {
		switch {
		case p.PartNumber < 1 || p.PartNumber > MaxParts:
			return invalidArgument("PartNumber", strconv.Itoa(p.PartNumber), "PartNumber must be between 1 and 10000")
		case i > 0 && p.PartNumber <= parts[i-1].PartNumber:
			return refuse("InvalidPartOrder", http.StatusBadRequest, "The list of parts was not in ascending order. The parts list must be specified in order by part number.")
		}
	}
	return nil
}

// completed answers a client that asks again because it did not hear the first answer: the object that stands there came
// from this very upload.
func (e *Embedded) completed(in *CompleteMultipartUploadInput, refusal *Error) (*PutObjectOutput, error) {
	if checkUploadID(in.UploadID) != nil {
		return nil, refusal
	}
	uploads, err := os.ReadDir(filepath.Join(e.objects, in.Bucket, uploadsOf(in.Key)))
	if err != nil && !absent(err) {
		return nil, err
	}
	for _, u := range uploads {
		if strings.HasPrefix(u.Name(), in.UploadID+".") && strings.HasSuffix(u.Name(), completing) {
			refusal = refuse("OperationAborted", http.StatusConflict, "A conflicting conditional operation is currently in progress against this resource. Please try again.")
		}
	}
	o, err := e.visible(ObjectRef{Bucket: in.Bucket, Key: in.Key})
	if err != nil {
		return nil, refusal
	}
	defer func() { _ = o.file.Close() }()
	m, err := backend.UnmarshalMpUploadMetadata(o.attrs[attrParts], false)
	if err != nil || m.UploadID != in.UploadID {
		return nil, refusal
	}
	info, err := e.describe(o, in.Key)
	if err != nil {
		return nil, err
	}
	return &PutObjectOutput{ETag: info.ETag, VersionID: info.VersionID, Checksum: info.Checksum, Size: info.Size, LastModified: info.LastModified}, nil
}

// completion is the library's request. Where the checksum is of the whole object, parts need not repeat theirs.
func (e *Embedded) completion(in *CompleteMultipartUploadInput, dir string) (*s3.CompleteMultipartUploadInput, error) {
	upload, err := e.checksumAt(in.Bucket, dir)
	if err != nil {
		return nil, err
	}
	request := &s3.CompleteMultipartUploadInput{
		Bucket: &in.Bucket, Key: &in.Key, UploadId: &in.UploadID, MultipartUpload: &types.CompletedMultipartUpload{}, ChecksumType: types.ChecksumType(in.Checksum.Type),
	}
	if in.IfMatch != "" {
		request.IfMatch = new(strings.Trim(in.IfMatch, `"`))
	}
	if in.IfNoneMatch != "" {
		request.IfNoneMatch = &in.IfNoneMatch
	}
	if in.Size > 0 {
		request.MpuObjectSize = &in.Size
	}
	if in.Checksum.Value != "" {
		if upload.Algorithm != "" && in.Checksum.Algorithm != upload.Algorithm {
			return nil, refuse("BadDigest", http.StatusBadRequest, "The checksum algorithm is not the one that the upload was created with.")
		}
		setChecksum(completeFields(request), in.Checksum)
	}
	for _, part := range in.Parts {
		c := part.Checksum
		if upload.Type == FullObject && c.Value == "" {
			if c, err = e.checksumAt(in.Bucket, filepath.Join(dir, strconv.Itoa(part.PartNumber))); err != nil && !absent(err) {
				return nil, err
			}
		}
		number := int32(part.PartNumber) //nolint:gosec // bounded by checkParts
		p := types.CompletedPart{PartNumber: &number, ETag: &part.ETag}
		setChecksum(partFields(&p), c)
		request.MultipartUpload.Parts = append(request.MultipartUpload.Parts, p)
	}
	return request, nil
}

func (e *Embedded) checksumAt(bucket, object string) (Checksum, error) {
	raw, err := e.attrs.RetrieveAttribute(nil, bucket, object, attrChecksums)
	if errors.Is(err, errNoAttribute) {
		return Checksum{}, nil
	}
	if err != nil {
		return Checksum{}, fmt.Errorf("read checksum: %w", err)
	}
	return checksumOf(map[string][]byte{attrChecksums: raw})
}

// setChecksum puts the value into the field of its algorithm.
func setChecksum(fields map[ChecksumAlgorithm]**string, c Checksum) {
	if field := fields[c.Algorithm]; field != nil && c.Value != "" {
		*field = &c.Value
	}
}

func completeFields(r *s3.CompleteMultipartUploadInput) map[ChecksumAlgorithm]**string {
	return map[ChecksumAlgorithm]**string{
		CRC32: &r.ChecksumCRC32, CRC32C: &r.ChecksumCRC32C, CRC64NVME: &r.ChecksumCRC64NVME, SHA1: &r.ChecksumSHA1, SHA256: &r.ChecksumSHA256,
		SHA512: &r.ChecksumSHA512, MD5: &r.ChecksumMD5, XXHASH64: &r.ChecksumXXHASH64, XXHASH3: &r.ChecksumXXHASH3, XXHASH128: &r.ChecksumXXHASH128,
	}
}

func partFields(p *types.CompletedPart) map[ChecksumAlgorithm]**string {
	return map[ChecksumAlgorithm]**string{
		CRC32: &p.ChecksumCRC32, CRC32C: &p.ChecksumCRC32C, CRC64NVME: &p.ChecksumCRC64NVME, SHA1: &p.ChecksumSHA1, SHA256: &p.ChecksumSHA256,
		SHA512: &p.ChecksumSHA512, MD5: &p.ChecksumMD5, XXHASH64: &p.ChecksumXXHASH64, XXHASH3: &p.ChecksumXXHASH3, XXHASH128: &p.ChecksumXXHASH128,
	}
}

// recoverUploads gives uploads whose completion was cut short their name back, so that they can be completed or aborted.
func (e *Embedded) recoverUploads(bucket string) error {
	root := filepath.Join(e.objects, bucket, posix.MetaTmpMultipartDir)
	keys, err := os.ReadDir(root)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, key := range keys {
		uploads, err := os.ReadDir(filepath.Join(root, key.Name()))
		if err != nil {
			return err
		}
		names := make([]string, 0, len(uploads))
		for _, u := range uploads {
			names = append(names, u.Name())
		}
		for _, name := range names {
			id, _, _ := strings.Cut(name, ".")
			if !strings.HasSuffix(name, completing) || checkUploadID(id) != nil || slices.Contains(names, id) {
				continue
			}
			dir := filepath.Join(posix.MetaTmpMultipartDir, key.Name())
			if err := os.Rename(filepath.Join(root, key.Name(), name), filepath.Join(root, key.Name(), id)); err != nil {
				return err
			}
			if err := e.attrs.RenameObject(bucket, filepath.Join(dir, name), filepath.Join(dir, id)); err != nil {
				return err
			}
		}
	}
	return nil
}
