package storage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/versity/versitygw/backend/posix"
)

// UploadPart writes a part.
func (e *Embedded) UploadPart(ctx context.Context, in *UploadPartInput) (*UploadPartOutput, error) {
	if _, err := e.uploadAt(in.UploadRef); err != nil {
		return nil, err
	}
	out, err := e.uploadPart(ctx, in)
	return out, modelled(err)
}

func (e *Embedded) uploadPart(ctx context.Context, in *UploadPartInput) (*UploadPartOutput, error) {
	if in.PartNumber < 1 || in.PartNumber > MaxParts {
		return nil, invalidArgument("partNumber", strconv.Itoa(in.PartNumber), "Part number must be an integer between 1 and 10000, inclusive")
	}
	u, err := newUpload(in.Body)
	if err != nil {
		return nil, err
	}
	release := func() {}
	defer func() { release() }()
	number := int32(in.PartNumber) //nolint:gosec // bounded above
	res, err := e.library.UploadPartWithPostFunc(ctx, &s3.UploadPartInput{
		Bucket: &in.Bucket, Key: &in.Key, UploadId: &in.UploadID, PartNumber: &number, Body: u, ContentLength: &in.Body.Size,
	}, func(f *os.File) error {
		if !u.verified {
			return errors.New("the body was not read to its end")
		}
		if err := e.disk.file(f); err != nil {
			return err
		}
		unlock, err := e.change(in.Bucket, in.Key)
		if err != nil {
			return err
		}
		release = unlock
		_, err = e.uploadAt(in.UploadRef) // it may have been completed or aborted meanwhile
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := e.written(in.Bucket, filepath.Join(uploadsOf(in.Key), in.UploadID, strconv.Itoa(in.PartNumber))); err != nil {
		return nil, err
	}
	out := &UploadPartOutput{ETag: *res.ETag}
	for algorithm, v := range map[ChecksumAlgorithm]*string{
		CRC32: res.ChecksumCRC32, CRC32C: res.ChecksumCRC32C, CRC64NVME: res.ChecksumCRC64NVME, SHA1: res.ChecksumSHA1, SHA256: res.ChecksumSHA256,
		SHA512: res.ChecksumSHA512, MD5: res.ChecksumMD5, XXHASH64: res.ChecksumXXHASH64, XXHASH3: res.ChecksumXXHASH3, XXHASH128: res.ChecksumXXHASH128,
	} {
		if v != nil {
			out.Checksum = Checksum{Algorithm: algorithm, Value: *v}
		}
	}
	return out, nil
}

// UploadPartCopy makes a part of bytes of an object.
func (e *Embedded) UploadPartCopy(ctx context.Context, in *UploadPartCopyInput) (*UploadPartCopyOutput, error) {
	dir, err := e.uploadAt(in.UploadRef)
	if err != nil {
		return nil, err
	}
	out, err := e.copyPart(ctx, in, dir)
	return out, modelled(err)
}

func (e *Embedded) copyPart(ctx context.Context, in *UploadPartCopyInput, dir string) (*UploadPartCopyOutput, error) {
	src, info, err := e.source(in.Source, in.SourceConditions)
	if err != nil {
		return nil, err
	}
	defer func() { _ = src.file.Close() }()
	first, length := int64(0), info.Size
	if in.Range != nil {
		if in.Range.First < 0 || in.Range.Last < in.Range.First || in.Range.Last >= info.Size {
			return nil, invalidArgument("x-amz-copy-source-range", in.Range.String(), fmt.Sprintf("Range specified is not valid for source object of size: %d", info.Size))
		}
		first, length = in.Range.First, in.Range.Last-in.Range.First+1
	}
	if length > MaxObjectSize {
		return nil, invalidRequest(fmt.Sprintf("The specified copy source is larger than the maximum allowable size for a copy source: %d", int64(MaxObjectSize)))
	}
	part := &UploadPartInput{UploadRef: in.UploadRef, PartNumber: in.PartNumber, Body: Body{Size: length}}
	checksum, err := e.checksumAt(in.Bucket, dir)
	if err != nil {
		return nil, err
	}
	part.Body.Checksum.Algorithm = checksum.Algorithm
	if !src.stat.IsDir() {
		if part.Body.Reader, err = newFileBody(src.file, first, length); err != nil {
			return nil, err
		}
	}
	res, err := e.uploadPart(ctx, part)
	if err != nil {
		return nil, err
	}
	return &UploadPartCopyOutput{UploadPartOutput: *res, LastModified: e.now(), SourceVersionID: info.VersionID}, nil
}

// ListParts lists the parts that have arrived, by number.
func (e *Embedded) ListParts(_ context.Context, in *ListPartsInput) (*ListPartsOutput, error) {
	limit, err := pageLimit("max-parts", in.MaxParts)
	if err != nil {
		return nil, err
	}
	dir, err := e.uploadAt(in.UploadRef)
	if err != nil {
		return nil, err
	}
	out, err := e.listParts(in, dir, limit)
	return out, modelled(err)
}

func (e *Embedded) listParts(in *ListPartsInput, dir string, limit int) (*ListPartsOutput, error) {
	out := &ListPartsOutput{}
	var err error
	if out.Checksum, err = e.checksumAt(in.Bucket, dir); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(filepath.Join(e.objects, in.Bucket, dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, noSuchUpload(in.UploadID)
	}
	if err != nil {
		return nil, fmt.Errorf("list parts: %w", err)
	}
	var numbers []int
	for _, entry := range entries {
		if n, err := strconv.Atoi(entry.Name()); err == nil && n > in.PartNumberMarker && entry.Type().IsRegular() {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	if out.Truncated = limit > 0 && len(numbers) > limit; len(numbers) > limit {
		numbers = numbers[:limit]
	}
	for _, n := range numbers {
		object := filepath.Join(dir, strconv.Itoa(n))
		attrs, err := e.attrs.all(nil, in.Bucket, object)
		if absent(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		st, err := os.Lstat(filepath.Join(e.objects, in.Bucket, object))
		if err != nil {
			return nil, fmt.Errorf("list parts: %w", err)
		}
		c, err := checksumOf(attrs)
		if err != nil {
			return nil, err
		}
		out.Parts = append(out.Parts, Part{PartNumber: n, ETag: string(attrs[attrETag]), Size: st.Size(), LastModified: st.ModTime(), Checksum: c})
		out.NextPartNumberMarker = n
	}
	return out, nil
}

// ListMultipartUploads lists the uploads in progress.
func (e *Embedded) ListMultipartUploads(ctx context.Context, in *ListMultipartUploadsInput) (*ListMultipartUploadsOutput, error) {
	limit, err := pageLimit("max-uploads", in.MaxUploads)
	if err != nil {
		return nil, err
	}
	if err := e.bucketAt(in.Bucket); err != nil {
		return nil, err
	}
	if in.KeyMarker == "" {
		in = new(*in)
		in.UploadIDMarker = "" // S3 ignores it without a key
	}
	all, err := e.uploads(ctx, in)
	if err != nil {
		return nil, modelled(err)
	}
	return uploadPage(all, in, limit), nil
}

// uploads reads all that can be on the page or after it, in order.
func (e *Embedded) uploads(ctx context.Context, in *ListMultipartUploadsInput) ([]Upload, error) {
	root := filepath.Join(e.objects, in.Bucket, posix.MetaTmpMultipartDir)
	keys, err := os.ReadDir(root)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list uploads: %w", err)
	}
	var all []Upload
	for _, k := range keys {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		dir := filepath.Join(posix.MetaTmpMultipartDir, k.Name())
		name, err := e.attrs.RetrieveAttribute(nil, in.Bucket, dir, attrUploadKey)
		if key := string(name); err != nil || !strings.HasPrefix(key, in.Prefix) || key < in.KeyMarker {
			continue
		}
		ids, err := os.ReadDir(filepath.Join(root, k.Name()))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("list uploads: %w", err)
		}
		for _, id := range ids {
			if checkUploadID(id.Name()) != nil {
				continue
			}
			attrs, err := e.attrs.all(nil, in.Bucket, filepath.Join(dir, id.Name()))
			if err != nil {
				continue // completed or aborted meanwhile
			}
			initiated, err := time.Parse(time.RFC3339Nano, string(attrs[attrInitiated]))
			if err != nil {
				continue // not begun yet
			}
			c, err := checksumOf(attrs)
			if err != nil {
				return nil, err
			}
			all = append(all, Upload{Key: string(name), UploadID: id.Name(), Initiated: initiated, Checksum: c})
		}
	}
	slices.SortFunc(all, func(a, b Upload) int {
		return cmp.Or(strings.Compare(a.Key, b.Key), a.Initiated.Compare(b.Initiated), strings.Compare(a.UploadID, b.UploadID))
	})
	return all, nil
}

// uploadPage is the page of uploads after the markers.
func uploadPage(all []Upload, in *ListMultipartUploadsInput, limit int) *ListMultipartUploadsOutput {
	p := &page{prefix: in.Prefix, delimiter: in.Delimiter, marker: in.KeyMarker, resume: in.UploadIDMarker != "", max: limit}
	out := &ListMultipartUploadsOutput{}
	if limit == 0 {
		return out
	}
	skipping := in.UploadIDMarker != ""
	for _, u := range all {
		where, common := p.locate(u.Key)
		switch {
		case where == collected:
			if p.collect(common) == nil {
				continue
			}
		case where == outside:
			continue
		case u.Key == in.KeyMarker && skipping:
			skipping = u.UploadID != in.UploadIDMarker
			continue
		case p.take(u.Key):
			out.Uploads = append(out.Uploads, u)
			continue
		}
		break
	}
	out.CommonPrefixes, out.Truncated = p.prefixes, p.truncated
	if out.Truncated {
		out.NextKeyMarker = p.last
		if n := len(out.Uploads); n > 0 && out.Uploads[n-1].Key == p.last {
			out.NextUploadIDMarker = out.Uploads[n-1].UploadID
		}
	}
	return out
}
