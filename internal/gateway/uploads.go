package gateway

import (
	"context"
	"net/http"

	"github.com/lakegate/lakegate/internal/storage"
)

func (x *exchange) upload() storage.UploadRef {
	return storage.UploadRef{Bucket: x.Bucket, Key: x.Key, UploadID: x.UploadID}
}

func (x *exchange) createUpload(ctx context.Context) (*answer, error) {
	if err := x.acceptWrite(); err != nil {
		return nil, err
	}
	out, err := x.Storage.CreateMultipartUpload(ctx, &storage.CreateMultipartUploadInput{
		Bucket: x.Bucket, Key: x.Key, Headers: x.Headers, Tags: x.Tags, Checksum: x.Checksum, Retention: x.Retention, LegalHold: x.LegalHold != nil && *x.LegalHold,
	})
	if err != nil {
		return nil, err
	}
	a := xmlAnswer(initiated(x.Request, out.UploadID))
	if out.Checksum.Algorithm != "" {
		a.set("X-Amz-Checksum-Algorithm", string(out.Checksum.Algorithm)).set("X-Amz-Checksum-Type", string(out.Checksum.Type))
	}
	return a, nil
}

func (x *exchange) uploadPart(ctx context.Context) (*answer, error) {
	body, err := x.content()
	if err != nil {
		return nil, err
	}
	out, err := x.Storage.UploadPart(ctx, &storage.UploadPartInput{UploadRef: x.upload(), PartNumber: x.PartNumber, Body: body})
	if err != nil {
		return nil, err
	}
	x.received = body.Size
	a := empty(http.StatusOK).set("ETag", out.ETag)
	x.setChecksum(a, out.Checksum)
	a.header.Del("X-Amz-Checksum-Type")
	return a, nil
}

func (x *exchange) uploadPartCopy(ctx context.Context) (*answer, error) {
	out, err := x.Storage.UploadPartCopy(ctx, &storage.UploadPartCopyInput{
		UploadRef: x.upload(), PartNumber: x.PartNumber, Source: x.source(), Range: x.Source.Range, SourceConditions: x.Source.Conditions,
	})
	if err != nil {
		return nil, x.missingSource(ctx, err)
	}
	body := copied("CopyPartResult", &storage.PutObjectOutput{ETag: out.ETag, LastModified: out.LastModified, Checksum: out.Checksum})
	return xmlAnswer(body).set("X-Amz-Copy-Source-Version-Id", out.SourceVersionID), nil
}

type completedParts struct {
	Part []struct {
		PartNumber        int
		ETag              string
		ChecksumCRC32     string
		ChecksumCRC32C    string
		ChecksumCRC64NVME string
		ChecksumSHA1      string
		ChecksumSHA256    string
		Unknown           []unknown `xml:",any"`
	}
	Unknown []unknown `xml:",any"`
}

// maxCompletion bounds the body of CompleteMultipartUpload: 10,000 parts with their checksums.
const maxCompletion = 4 << 20

func (x *exchange) completeUpload(ctx context.Context) (*answer, error) {
	text, err := x.documentWithout(maxCompletion)
	if err != nil {
		return nil, err
	}
	var d completedParts
	if err := onlyKnown(text, "CompleteMultipartUpload", &d); err != nil {
		return nil, malformedXML(err)
	}
	if err := refuseUnknown(d.Unknown); err != nil {
		return nil, err
	}
	in := &storage.CompleteMultipartUploadInput{
		UploadRef: x.upload(), Checksum: x.Checksum, Size: x.ObjectSize, IfMatch: x.Conditions.IfMatch, IfNoneMatch: x.Conditions.IfNoneMatch,
	}
	for _, p := range d.Part {
		if err := refuseUnknown(p.Unknown); err != nil {
			return nil, err
		}
		part := storage.CompletedPart{PartNumber: p.PartNumber, ETag: p.ETag}
		for algorithm, value := range map[storage.ChecksumAlgorithm]string{
			storage.CRC32: p.ChecksumCRC32, storage.CRC32C: p.ChecksumCRC32C, storage.CRC64NVME: p.ChecksumCRC64NVME, storage.SHA1: p.ChecksumSHA1, storage.SHA256: p.ChecksumSHA256,
		} {
			if value != "" {
				part.Checksum = storage.Checksum{Algorithm: algorithm, Value: value}
			}
		}
		in.Parts = append(in.Parts, part)
	}
	out, err := x.Storage.CompleteMultipartUpload(ctx, in)
	if err != nil {
		return nil, err
	}
	scheme := "http"
	if x.r.TLS != nil {
		scheme = "https"
	}
	return xmlAnswer(completed(x.Request, scheme+"://"+x.r.Host+"/"+x.Bucket+"/"+encodeKey(x.Key), out)).set("X-Amz-Version-Id", out.VersionID), nil
}

func (x *exchange) abortUpload(ctx context.Context) (*answer, error) {
	return empty(http.StatusNoContent), x.Storage.AbortMultipartUpload(ctx, x.upload())
}
