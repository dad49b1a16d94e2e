package remote

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/lakegate/lakegate/internal/storage"
)

// CreateMultipartUpload begins an upload in parts.
func (m *Mount) CreateMultipartUpload(ctx context.Context, in *storage.CreateMultipartUploadInput) (*storage.CreateMultipartUploadOutput, error) {
	sum, err := storage.CheckUploadChecksum(in.Checksum)
	if err != nil {
		return nil, err
	}
	c, err := m.object(http.MethodPost, in.Key)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(c.headers(&in.Headers), c.tags(in.Tags)); err != nil {
		return nil, err
	}
	c.query.flag("uploads")
	c.set("X-Amz-Checksum-Algorithm", string(sum.Algorithm))
	c.set("X-Amz-Checksum-Type", string(sum.Type))
	c.locks(in.Retention, in.LegalHold)
	d, _, err := m.page(ctx, c, of{key: in.Key})
	if err != nil {
		return nil, err
	}
	out := &storage.CreateMultipartUploadOutput{Checksum: sum}
	err = d.root(func(name string) (err error) {
		if name != "UploadId" {
			return d.skip()
		}
		out.UploadID, err = d.text()
		return err
	}, "InitiateMultipartUploadResult", "InitiateMultipartUpload")
	if err == nil && (out.UploadID == "" || len(out.UploadID) > 2*storage.MaxKeyLength) {
		err = errors.New("an upload without an id")
	}
	if err != nil {
		return nil, m.endpoint.broken(ctx, err)
	}
	return out, nil
}

// upload is a call about an upload in progress.
func (m *Mount) upload(method string, ref storage.UploadRef) (*call, of, error) {
	about := of{key: ref.Key, upload: ref.UploadID}
	c, err := m.object(method, ref.Key)
	if err != nil {
		return nil, about, err
	}
	if ref.UploadID == "" {
		// Without an id the same request would write, or list, something else.
		return nil, about, fault("NoSuchUpload").Error
	}
	c.query.add("uploadId", ref.UploadID)
	return c, about, nil
}

func (m *Mount) part(ref storage.UploadRef, number int) (*call, of, error) {
	if number < 1 || number > storage.MaxParts {
		return nil, of{}, fault("InvalidArgument").with("ArgumentName", "partNumber").Error
	}
	c, about, err := m.upload(http.MethodPut, ref)
	if err == nil {
		c.query.add("partNumber", strconv.Itoa(number))
	}
	return c, about, err
}

// UploadPart writes a part.
func (m *Mount) UploadPart(ctx context.Context, in *storage.UploadPartInput) (*storage.UploadPartOutput, error) {
	c, about, err := m.part(in.UploadRef, in.PartNumber)
	if err != nil {
		return nil, err
	}
	sum, err := m.content(c, in.Body, false)
	if err != nil {
		return nil, err
	}
	a, err := m.do(ctx, c, about)
	if err != nil {
		return nil, err
	}
	a.close()
	out := &storage.UploadPartOutput{ETag: etag(a.Header.Get("Etag")), Checksum: answered(a.Header, in.Body.Checksum.Algorithm, sum)}
	if out.ETag == "" {
		return nil, m.endpoint.broken(ctx, errors.New("a part was written without an entity tag"))
	}
	return out, nil
}

// UploadPartCopy makes a part of bytes of an object of the mount.
func (m *Mount) UploadPartCopy(ctx context.Context, in *storage.UploadPartCopyInput) (*storage.UploadPartCopyOutput, error) {
	return m.UploadPartCopyFrom(ctx, m, in)
}

// UploadPartCopyFrom makes a part of bytes of an object of another mount of the same endpoint.
func (m *Mount) UploadPartCopyFrom(ctx context.Context, from *Mount, in *storage.UploadPartCopyInput) (*storage.UploadPartCopyOutput, error) {
	c, _, err := m.part(in.UploadRef, in.PartNumber)
	if err != nil {
		return nil, err
	}
	source, err := from.source(in.Source)
	if err != nil {
		return nil, err
	}
	c.set("X-Amz-Copy-Source", source)
	c.conditions("X-Amz-Copy-Source-", in.SourceConditions)
	if in.Range != nil {
		if in.Range.First < 0 || in.Range.Last < in.Range.First {
			return nil, fault("InvalidArgument").with("ArgumentName", "x-amz-copy-source-range").Error
		}
		c.set("X-Amz-Copy-Source-Range", in.Range.String())
	}
	c.patience = copyPatience
	d, h, err := m.page(ctx, c, of{key: in.Source.Key, version: in.Source.VersionID, upload: ""})
	if err != nil {
		return nil, copyRefusal(err)
	}
	out := &storage.UploadPartCopyOutput{SourceVersionID: h.Get("X-Amz-Copy-Source-Version-Id")}
	if out.ETag, out.LastModified, out.Checksum, err = copied(d); err != nil {
		return nil, m.endpoint.broken(ctx, err)
	}
	return out, nil
}

// CompleteMultipartUpload makes the object of its parts.
func (m *Mount) CompleteMultipartUpload(ctx context.Context, in *storage.CompleteMultipartUploadInput) (*storage.PutObjectOutput, error) {
	if err := errors.Join(storage.CheckWriteConditions(in.IfMatch, in.IfNoneMatch), storage.CheckParts(in.Parts)); err != nil {
		return nil, err
	}
	c, about, err := m.upload(http.MethodPost, in.UploadRef)
	if err != nil {
		return nil, err
	}
	w := newWriter("CompleteMultipartUpload")
	for _, p := range in.Parts {
		w.open("Part")
		w.text("ETag", p.ETag)
		w.text("PartNumber", strconv.Itoa(p.PartNumber))
		if p.Checksum.Value != "" {
			w.text("Checksum"+string(p.Checksum.Algorithm), p.Checksum.Value)
		}
		w.close("Part")
	}
	c.document(w.end("CompleteMultipartUpload"))
	delete(c.header, "Content-Md5") // digests of this request are about the object
	if in.Checksum.Value != "" {
		c.set(headerOf(in.Checksum.Algorithm), in.Checksum.Value)
	}
	c.set("X-Amz-Checksum-Type", string(in.Checksum.Type))
	if in.Size > 0 {
		c.set("X-Amz-Mp-Object-Size", strconv.FormatInt(in.Size, 10))
	}
	c.set("If-Match", in.IfMatch)
	c.set("If-None-Match", in.IfNoneMatch)
	c.patience = copyPatience
	d, h, err := m.page(ctx, c, about)
	if err != nil {
		return nil, err
	}
	out := &storage.PutObjectOutput{VersionID: h.Get("X-Amz-Version-Id"), LastModified: m.endpoint.now()}
	err = d.root(func(name string) error {
		sum, isSum := strings.CutPrefix(name, "Checksum")
		if name != "ETag" && !isSum {
			return d.skip()
		}
		text, err := d.text()
		switch {
		case name == "ETag":
			out.ETag = etag(text)
		case sum == "Type":
			out.Checksum.Type = storage.ChecksumType(text)
		case storage.ChecksumAlgorithm(sum).Size() > 0 && text != "":
			out.Checksum.Algorithm, out.Checksum.Value = storage.ChecksumAlgorithm(sum), text
		}
		return err
	}, "CompleteMultipartUploadResult")
	if err == nil && out.ETag == "" {
		err = errors.New("an upload was completed without an entity tag")
	}
	if err != nil {
		return nil, m.endpoint.broken(ctx, err)
	}
	return out, nil
}

// AbortMultipartUpload throws an upload away.
func (m *Mount) AbortMultipartUpload(ctx context.Context, ref storage.UploadRef) error {
	c, about, err := m.upload(http.MethodDelete, ref)
	if err != nil {
		return err
	}
	return m.done(ctx, c, about)
}

// ListParts lists the parts that have arrived.
func (m *Mount) ListParts(ctx context.Context, in *storage.ListPartsInput) (*storage.ListPartsOutput, error) {
	limit, err := storage.CheckPageSize("max-parts", in.MaxParts)
	if err != nil {
		return nil, err
	}
	c, about, err := m.upload(http.MethodGet, in.UploadRef)
	if err != nil {
		return nil, err
	}
	c.query.add("max-parts", strconv.Itoa(max(1, limit)))
	if in.PartNumberMarker > 0 {
		c.query.add("part-number-marker", strconv.Itoa(in.PartNumberMarker))
	}
	d, _, err := m.page(ctx, c, about)
	if err != nil {
		return nil, err
	}
	out := &storage.ListPartsOutput{}
	err = d.root(func(name string) (err error) {
		var text string
		switch name {
		case "Part":
			p, err := part(d)
			out.Parts = append(out.Parts, p)
			return err
		case "IsTruncated":
			text, err = d.text()
			out.Truncated = text == "true"
		case "NextPartNumberMarker":
			if text, err = d.text(); err == nil && text != "" {
				out.NextPartNumberMarker, err = strconv.Atoi(text)
			}
		case "ChecksumAlgorithm":
			if text, err = d.text(); storage.ChecksumAlgorithm(text).Size() > 0 {
				out.Checksum.Algorithm = storage.ChecksumAlgorithm(text)
			}
		case "ChecksumType":
			text, err = d.text()
			out.Checksum.Type = storage.ChecksumType(text)
		default:
			err = d.skip()
		}
		return err
	}, "ListPartsResult")
	if err == nil && len(out.Parts) > max(1, limit) {
		err = errors.New("the page has more than was asked for")
	}
	if err != nil {
		return nil, m.endpoint.broken(ctx, err)
	}
	if limit == 0 {
		return &storage.ListPartsOutput{Checksum: out.Checksum}, nil
	}
	if n := len(out.Parts); n > 0 && (!out.Truncated || out.NextPartNumberMarker == 0) {
		out.NextPartNumberMarker = out.Parts[n-1].PartNumber
	}
	return out, nil
}

func part(d *document) (storage.Part, error) {
	var p storage.Part
	err := d.each(func(name string) (err error) {
		sum, isSum := strings.CutPrefix(name, "Checksum")
		if !isSum && name != "PartNumber" && name != "ETag" && name != "Size" && name != "LastModified" {
			return d.skip()
		}
		text, err := d.text()
		if err != nil {
			return err
		}
		switch {
		case name == "PartNumber":
			p.PartNumber, err = strconv.Atoi(text)
		case name == "ETag":
			p.ETag = etag(text)
		case name == "Size":
			p.Size, err = strconv.ParseInt(text, 10, 64)
		case name == "LastModified":
			p.LastModified, err = timestamp(text)
		case storage.ChecksumAlgorithm(sum).Size() > 0 && text != "":
			p.Checksum = storage.Checksum{Algorithm: storage.ChecksumAlgorithm(sum), Value: text}
		}
		return err
	})
	if err == nil && (p.PartNumber < 1 || p.PartNumber > storage.MaxParts || p.Size < 0) {
		err = errors.New("a part that is none")
	}
	return p, err
}
