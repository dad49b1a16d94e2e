package storage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/versity/versitygw/s3response"
)

// PutObject writes an object.
func (e *Embedded) PutObject(ctx context.Context, in *PutObjectInput) (*PutObjectOutput, error) {
	out, err := e.put(ctx, in)
	return out, modelled(err)
}

func (e *Embedded) put(ctx context.Context, in *PutObjectInput) (*PutObjectOutput, error) {
	if _, err := e.locate(in.Bucket, in.Key); err != nil {
		return nil, err
	}
	if err := errors.Join(in.Headers.check(), CheckTags(in.Tags, MaxObjectTags), checkWrite(in.IfMatch, in.IfNoneMatch), e.checkLocks(in.Bucket, in.Retention, in.LegalHold)); err != nil {
		return nil, err
	}
	u, err := newUpload(in.Body)
	if err != nil {
		return nil, err
	}
	// A write that will be refused need not be read. The answer that counts is the one under the lock.
	if err := e.permitWrite(in.Bucket, in.Key, in.IfMatch, in.IfNoneMatch); err != nil {
		return nil, err
	}
	if strings.HasSuffix(in.Key, "/") {
		return e.putFolder(ctx, in, u)
	}
	return e.putFile(ctx, in, u)
}

func (e *Embedded) putFile(ctx context.Context, in *PutObjectInput, u *upload) (*PutObjectOutput, error) {
	p := publication{e: e, bucket: in.Bucket, key: in.Key, ifMatch: in.IfMatch, ifNoneMatch: in.IfNoneMatch, tags: in.Tags, retention: in.Retention, legalHold: in.LegalHold}
	defer p.end()
	res, err := e.library.PutObjectWithPostFunc(ctx, putInput(in, u), func(f *os.File) error {
		if !u.verified {
			return errors.New("the body was not read to its end")
		}
		return p.begin(f)
	})
	if err != nil {
		return nil, err
	}
	return p.finish(res)
}

func putInput(in *PutObjectInput, u *upload) s3response.PutObjectInput {
	h := in.Headers
	return s3response.PutObjectInput{
		Bucket: &in.Bucket, Key: &in.Key, Body: u, ContentLength: &in.Body.Size,
		ContentType: &h.ContentType, ContentEncoding: &h.ContentEncoding, ContentLanguage: &h.ContentLanguage,
		ContentDisposition: &h.ContentDisposition, CacheControl: &h.CacheControl, Expires: &h.Expires,
		WebsiteRedirectLocation: &h.WebsiteRedirectLocation, Metadata: h.Metadata,
	}
}

// publication is the last step of a write: the new file is complete but has no name yet.
type publication struct {
	e                    *Embedded
	bucket, key          string
	ifMatch, ifNoneMatch string
	tags                 map[string]string
	retention            *Retention
	legalHold            bool

	release   func()
	made      *succession
	published bool
}

// begin locks the key, decides the conditions for good, keeps the version that is being replaced and gives the new file
// everything that must appear together with it.
func (p *publication) begin(f *os.File) error {
	release, err := p.e.change(p.bucket, p.key)
	if err != nil {
		return err
	}
	p.release = release
	if err := p.e.permitWrite(p.bucket, p.key, p.ifMatch, p.ifNoneMatch); err != nil {
		return err
	}
	if p.made, err = p.e.succeed(p.bucket, p.key, filepath.Join(p.e.objects, p.bucket, p.key)); err != nil {
		return err
	}
	if p.retention == nil {
		if p.retention, err = p.e.defaultRetention(p.bucket); err != nil {
			return err
		}
	}
	set := map[string][]byte{}
	maps.Copy(set, p.made.set)
	if len(p.tags) > 0 {
		if set[attrTags], err = json.Marshal(p.tags); err != nil {
			return fmt.Errorf("encode tags: %w", err)
		}
	}
	if p.retention != nil {
		if set[attrRetention], err = json.Marshal(p.retention); err != nil {
			return fmt.Errorf("encode retention: %w", err)
		}
	}
	if p.legalHold {
		set[attrLegalHold] = []byte{1}
	}
	for name, value := range set {
		if err := p.e.attrs.StoreAttribute(f, p.bucket, p.key, name, value); err != nil {
			return err
		}
	}
	return p.e.disk.file(f)
}

// finish tells what was published, still under the lock.
func (p *publication) finish(res s3response.PutObjectOutput) (*PutObjectOutput, error) {
	p.published = true
	if err := p.e.written(p.bucket, p.key); err != nil {
		return nil, err
	}
	out := &PutObjectOutput{ETag: res.ETag, Checksum: writtenChecksum(res)}
	if p.made != nil {
		out.VersionID = p.made.id
		if out.VersionID == "" {
			if v, err := p.e.versioning(p.bucket); err == nil && v == Suspended {
				out.VersionID = NullVersion
			}
		}
	}
	st, err := os.Lstat(filepath.Join(p.e.objects, p.bucket, p.key))
	if err != nil {
		return nil, fmt.Errorf("look at published object: %w", err)
	}
	out.LastModified = st.ModTime()
	if !st.IsDir() {
		out.Size = st.Size()
	}
	return out, nil
}

// end undoes what begin did when nothing was published, and lets others at the key.
func (p *publication) end() {
	if p.made != nil {
		if p.published {
			p.made.done()
		} else {
			p.made.undo()
		}
	}
	if !p.published {
		// The library may have made folders on the way already.
		p.e.removeParents(p.bucket, p.key)
	}
	if p.release != nil {
		p.release()
	}
}

// putFolder writes an object whose key ends in a slash. It is the folder itself and has no content and no versions.
func (e *Embedded) putFolder(ctx context.Context, in *PutObjectInput, u *upload) (*PutObjectOutput, error) {
	switch {
	case in.Body.Size != 0:
		return nil, invalidArgument("key", in.Key, "This storage keeps no content under a key that ends with a slash.")
	case in.Retention != nil || in.LegalHold:
		return nil, invalidRequest("This storage cannot lock an object whose key ends with a slash.")
	}
	if err := u.drain(); err != nil {
		return nil, err
	}
	release, err := e.change(in.Bucket, in.Key)
	if err != nil {
		return nil, err
	}
	defer release()
	if err := e.permitWrite(in.Bucket, in.Key, in.IfMatch, in.IfNoneMatch); err != nil {
		return nil, err
	}
	if st, err := os.Lstat(filepath.Join(e.objects, in.Bucket, in.Key)); err == nil && !st.IsDir() || errors.Is(err, syscall.ENOTDIR) {
		return nil, inTheWay() // or else the attributes of that object would be cleared
	}
	for _, name := range []string{attrMetadata, attrTags, attrRedirect} {
		if err := e.attrs.DeleteAttribute(in.Bucket, in.Key, name); err != nil && !errors.Is(err, errNoAttribute) && !absent(err) {
			return nil, fmt.Errorf("clear attributes: %w", err)
		}
	}
	res, err := e.library.PutObject(ctx, putInput(in, u))
	if err != nil {
		return nil, err
	}
	if len(in.Tags) > 0 {
		if err := e.storeTags(in.Bucket, in.Key, in.Tags); err != nil {
			return nil, err
		}
	}
	p := publication{e: e, bucket: in.Bucket, key: in.Key}
	return p.finish(res)
}

// permitWrite decides the conditions of a write against the object as it is.
func (e *Embedded) permitWrite(bucket, key, ifMatch, ifNoneMatch string) error {
	if ifMatch == "" && ifNoneMatch == "" {
		return nil
	}
	etag := ""
	o, err := e.visible(ObjectRef{Bucket: bucket, Key: key})
	if err == nil {
		etag = string(o.attrs[attrETag])
		_ = o.file.Close()
	} else if e, ok := errors.AsType[*Error](err); !ok || e.Code != "NoSuchKey" {
		return err
	}
	return evaluateWrite(ifMatch, ifNoneMatch, key, etag)
}

func (h *Headers) check() error {
	for _, v := range []string{h.ContentType, h.ContentEncoding, h.ContentLanguage, h.ContentDisposition, h.CacheControl, h.Expires, h.WebsiteRedirectLocation} {
		if len(v) > MaxHeaderLength {
			return refuse("RequestHeaderSectionTooLarge", http.StatusBadRequest, "Your request header section exceeds the maximum allowed size.")
		}
	}
	size := 0
	for k, v := range h.Metadata {
		size += len(k) + len(v)
	}
	if size > MaxMetadata {
		return refuse("MetadataTooLarge", http.StatusBadRequest, "Your metadata headers exceed the maximum allowed metadata size").
			with("Size", fmt.Sprint(size)).with("MaxSizeAllowed", fmt.Sprint(MaxMetadata))
	}
	return nil
}

func writtenChecksum(res s3response.PutObjectOutput) Checksum {
	for algorithm, v := range map[ChecksumAlgorithm]*string{
		CRC32: res.ChecksumCRC32, CRC32C: res.ChecksumCRC32C, CRC64NVME: res.ChecksumCRC64NVME, SHA1: res.ChecksumSHA1, SHA256: res.ChecksumSHA256,
		SHA512: res.ChecksumSHA512, MD5: res.ChecksumMD5, XXHASH64: res.ChecksumXXHASH64, XXHASH3: res.ChecksumXXHASH3, XXHASH128: res.ChecksumXXHASH128,
	} {
		if v != nil {
			return Checksum{Algorithm: algorithm, Type: ChecksumType(res.ChecksumType), Value: *v}
		}
	}
	return Checksum{}
}

// CopyObject reads a version and writes it anew.
func (e *Embedded) CopyObject(ctx context.Context, in *CopyObjectInput) (*CopyObjectOutput, error) {
	out, err := e.copyObject(ctx, in)
	return out, modelled(err)
}

func (e *Embedded) copyObject(ctx context.Context, in *CopyObjectInput) (*CopyObjectOutput, error) {
	if _, err := e.locate(in.Bucket, in.Key); err != nil {
		return nil, err
	}
	if in.Source.Bucket == in.Bucket && in.Source.Key == in.Key && in.Source.VersionID == "" && !in.ReplaceHeaders {
		return nil, CopyToItself()
	}
	src, info, err := e.source(in.Source, in.SourceConditions)
	if err != nil {
		return nil, err
	}
	defer func() { _ = src.file.Close() }()
	if info.Size > MaxObjectSize {
		return nil, invalidRequest(fmt.Sprintf("The specified copy source is larger than the maximum allowable size for a copy source: %d", int64(MaxObjectSize)))
	}
	put := &PutObjectInput{
		Bucket: in.Bucket, Key: in.Key, Headers: in.Headers, Tags: in.Tags, IfMatch: in.IfMatch, IfNoneMatch: in.IfNoneMatch,
		Retention: in.Retention, LegalHold: in.LegalHold,
		Body: Body{Size: info.Size, Checksum: Checksum{Algorithm: in.Checksum}},
	}
	if !in.ReplaceHeaders {
		put.Headers = info.Headers
		put.Headers.WebsiteRedirectLocation = in.Headers.WebsiteRedirectLocation // never copied
	}
	if !in.ReplaceTags {
		if put.Tags, err = tagsOf(src.attrs); err != nil {
			return nil, err
		}
	}
	if in.Checksum == "" && info.Checksum.Type != Composite {
		put.Body.Checksum.Algorithm = info.Checksum.Algorithm
	}
	if !src.stat.IsDir() {
		if put.Body.Reader, err = newFileBody(src.file, 0, info.Size); err != nil {
			return nil, err
		}
	}
	res, err := e.put(ctx, put)
	if err != nil {
		return nil, err
	}
	return &CopyObjectOutput{PutObjectOutput: *res, SourceVersionID: info.VersionID}, nil
}

// source opens what is copied from.
func (e *Embedded) source(ref ObjectRef, c Conditions) (*opened, *ObjectInfo, error) {
	src, err := e.visible(ref)
	if err != nil {
		if refusal, ok := errors.AsType[*Error](err); ok && refusal.Code == "MethodNotAllowed" {
			return nil, nil, invalidRequest("The source of a copy request may not specifically refer to a delete marker by version id.")
		}
		return nil, nil, err
	}
	info, err := e.describe(src, ref.Key)
	if err == nil {
		err = c.evaluateCopy(info.ETag, info.LastModified)
	}
	if err != nil {
		_ = src.file.Close()
		return nil, nil, err
	}
	return src, info, nil
}
