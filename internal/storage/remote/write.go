package remote

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/lakegate/lakegate/internal/storage"
)

// content gives a call a client's content. sum is what its checksum is known to be once it was sent.
//
// A whole object that comes without any digest gets one that is computed on the way: there are services that make an
// object of an upload that broke off, unless a digest proves it incomplete. A part needs none, since what completes the
// upload names each part by its entity tag.
func (m *Mount) content(c *call, b storage.Body, whole bool) (sum func() storage.Checksum, err error) {
	verifier, err := storage.NewVerifier(b)
	if err != nil {
		return nil, err
	}
	if b.Reader == nil {
		b.Reader = bytes.NewReader(nil)
	}
	if b.ContentMD5 != nil {
		c.set("Content-Md5", base64.StdEncoding.EncodeToString(b.ContentMD5))
	}
	asked, here := b.Checksum.Algorithm, m.endpoint.cfg.VerifyHere
	known := func(value func() (string, error)) func() storage.Checksum {
		return func() storage.Checksum {
			v, err := value()
			if asked == "" || err != nil {
				return storage.Checksum{}
			}
			return storage.Checksum{Algorithm: asked, Type: storage.FullObject, Value: v}
		}
	}
	computed := func() (string, error) { return verifier.Checksum(), nil }
	if b.Checksum.Value != "" && b.Trailer == nil {
		c.set(headerOf(asked), b.Checksum.Value)
		source := io.Reader(verifier)
		if !here {
			source = b.Reader
		}
		c.body, err = plain(source, b.Size)
		return known(func() (string, error) { return b.Checksum.Value, nil }), err
	}
	bare := asked == "" && (!whole || b.ContentMD5 != nil)
	if m.endpoint.cfg.NoTrailers || bare {
		source := io.Reader(verifier)
		if asked == "" && !here {
			source = b.Reader
		}
		c.body, err = plain(source, b.Size)
		return known(computed), err
	}
	// The checksum follows the content: the client's, or one that is computed on the way.
	if b.Trailer != nil && b.Checksum.Value == "" && !here {
		return known(b.Trailer), m.trailer(c, b.Reader, b.Size, asked, b.Trailer)
	}
	algorithm := asked
	if asked == "" {
		algorithm = storage.CRC32
		b.Checksum.Algorithm = algorithm
		if verifier, err = storage.NewVerifier(b); err != nil {
			return nil, err
		}
	}
	return known(computed), m.trailer(c, verifier, b.Size, algorithm, func() (string, error) { return verifier.Checksum(), nil })
}

// answered is the checksum that the answer to an upload tells: the one that the client asked for, or else what the service
// keeps.
func answered(h http.Header, asked storage.ChecksumAlgorithm, sum func() storage.Checksum) storage.Checksum {
	c := checksumIn(h)
	if asked == "" || c.Algorithm == asked {
		return c
	}
	return sum()
}

// trailer sends a content with its checksum after it.
func (m *Mount) trailer(c *call, source io.Reader, size int64, algorithm storage.ChecksumAlgorithm, value func() (string, error)) error {
	name := strings.ToLower(headerOf(algorithm))
	length := base64.StdEncoding.EncodedLen(algorithm.Size())
	c.set("X-Amz-Trailer", name)
	c.set("X-Amz-Sdk-Checksum-Algorithm", string(algorithm))
	c.set("X-Amz-Decoded-Content-Length", strconv.FormatInt(size, 10))
	encoding := "aws-chunked"
	if kept := c.header.Get("Content-Encoding"); kept != "" {
		encoding = kept + "," + encoding
	}
	c.set("Content-Encoding", encoding)
	checked := func() (string, error) {
		v, err := value()
		if err != nil {
			return "", err
		}
		if raw, err := base64.StdEncoding.Strict().DecodeString(v); err != nil || len(raw) != algorithm.Size() {
			return "", fault("InvalidRequest").because(errors.New("the checksum in the trailer has not the length of its kind"))
		}
		return v, nil
	}
	c.body = &outgoing{
		r: &trailed{r: source, left: size, name: name, value: checked}, size: trailedSize(size, name, length), hash: unsignedTrailer,
	}
	return nil
}

// headers adds what a writer says about the content.
func (c *call) headers(h *storage.Headers) error {
	if err := h.Check(); err != nil {
		return err
	}
	c.set("Content-Type", h.ContentType)
	c.set("Content-Encoding", h.ContentEncoding)
	c.set("Content-Language", h.ContentLanguage)
	c.set("Content-Disposition", h.ContentDisposition)
	c.set("Cache-Control", h.CacheControl)
	c.set("Expires", h.Expires)
	c.set("X-Amz-Website-Redirect-Location", h.WebsiteRedirectLocation)
	for k, v := range h.Metadata {
		name := "X-Amz-Meta-" + k
		if k == "" || strings.ContainsFunc(k, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`()<>@,;:\"/[]?={}`, r) }) {
			return fault("InvalidArgument").with("ArgumentName", "x-amz-meta-").Error
		}
		c.set(textproto.CanonicalMIMEHeaderKey(name), v)
	}
	return nil
}

func (c *call) tags(tags map[string]string) error {
	if err := storage.CheckTags(tags, storage.MaxObjectTags); err != nil {
		return err
	}
	if len(tags) > 0 {
		v := make(url.Values, len(tags))
		for k, t := range tags {
			v.Set(k, t)
		}
		c.set("X-Amz-Tagging", v.Encode())
	}
	return nil
}

func (c *call) locks(r *storage.Retention, hold bool) {
	if r != nil {
		c.set("X-Amz-Object-Lock-Mode", string(r.Mode))
		c.set("X-Amz-Object-Lock-Retain-Until-Date", r.Until.UTC().Format(time.RFC3339))
	}
	if hold {
		c.set("X-Amz-Object-Lock-Legal-Hold", "ON")
	}
}

// PutObject writes an object.
func (m *Mount) PutObject(ctx context.Context, in *storage.PutObjectInput) (*storage.PutObjectOutput, error) {
	c, err := m.object(http.MethodPut, in.Key)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(c.headers(&in.Headers), c.tags(in.Tags), storage.CheckWriteConditions(in.IfMatch, in.IfNoneMatch)); err != nil {
		return nil, err
	}
	c.set("If-Match", in.IfMatch)
	c.set("If-None-Match", in.IfNoneMatch)
	c.locks(in.Retention, in.LegalHold)
	sum, err := m.content(c, in.Body, true)
	if err != nil {
		return nil, err
	}
	a, err := m.do(ctx, c, of{key: in.Key})
	if err != nil {
		return nil, err
	}
	a.close()
	out := &storage.PutObjectOutput{ETag: etag(a.Header.Get("Etag")), VersionID: a.Header.Get("X-Amz-Version-Id"), Checksum: answered(a.Header, in.Body.Checksum.Algorithm, sum), Size: in.Body.Size, LastModified: m.endpoint.now()}
	if out.ETag == "" {
		return nil, m.endpoint.broken(ctx, errors.New("an object was written without an entity tag"))
	}
	return out, nil
}

// DeleteObject deletes a version, or hides the object behind a delete marker where the bucket is versioned.
func (m *Mount) DeleteObject(ctx context.Context, in *storage.DeleteObjectInput) (*storage.DeleteObjectOutput, error) {
	c, err := m.object(http.MethodDelete, in.Key)
	if err != nil {
		return nil, err
	}
	c.query.given("versionId", in.VersionID)
	c.set("If-Match", in.IfMatch)
	if in.BypassGovernance {
		c.set("X-Amz-Bypass-Governance-Retention", "true")
	}
	a, err := m.do(ctx, c, of{key: in.Key, version: in.VersionID})
	if e, ok := errors.AsType[*storage.Error](err); ok && in.IfMatch == "" && (e.Code == "NoSuchKey" || e.Code == "NoSuchVersion") {
		return &storage.DeleteObjectOutput{VersionID: in.VersionID}, nil // not all services know that this succeeds
	}
	if e, ok := errors.AsType[*storage.Error](err); ok && e.Code == "InvalidRequest" && in.VersionID != "" {
		return nil, fault("AccessDenied").because(e.Err) // MinIO says so of what object lock protects
	}
	if err != nil {
		return nil, err
	}
	a.close()
	return &storage.DeleteObjectOutput{VersionID: a.Header.Get("X-Amz-Version-Id"), DeleteMarker: a.Header.Get("X-Amz-Delete-Marker") == "true"}, nil
}

// source is the value of x-amz-copy-source.
func (m *Mount) source(ref storage.ObjectRef) (string, error) {
	there, err := m.key(ref.Key)
	if err != nil {
		return "", err
	}
	s := "/" + m.place.Bucket + "/" + escape(there, true)
	if ref.VersionID != "" {
		s += "?versionId=" + escape(ref.VersionID, false)
	}
	return s, nil
}

// CopyObject copies within the mount.
func (m *Mount) CopyObject(ctx context.Context, in *storage.CopyObjectInput) (*storage.CopyObjectOutput, error) {
	return m.CopyFrom(ctx, m, in)
}

// copyPatience is how long a service may take to copy 5 GiB, or to put 10,000 parts together.
const copyPatience = 15 * time.Minute

// CopyFrom copies from another mount of the same endpoint, without the bytes passing through here.
func (m *Mount) CopyFrom(ctx context.Context, from *Mount, in *storage.CopyObjectInput) (*storage.CopyObjectOutput, error) {
	c, err := m.object(http.MethodPut, in.Key)
	if err != nil {
		return nil, err
	}
	source, err := from.source(in.Source)
	if err != nil {
		return nil, err
	}
	if from == m && in.Source.Key == in.Key && in.Source.VersionID == "" && !in.ReplaceHeaders {
		return nil, storage.CopyToItself()
	}
	c.set("X-Amz-Copy-Source", source)
	c.conditions("X-Amz-Copy-Source-", in.SourceConditions)
	c.set("X-Amz-Metadata-Directive", "COPY")
	if in.ReplaceHeaders {
		c.set("X-Amz-Metadata-Directive", "REPLACE")
		err = c.headers(&in.Headers)
	} else {
		c.set("X-Amz-Website-Redirect-Location", in.Headers.WebsiteRedirectLocation)
	}
	c.set("X-Amz-Tagging-Directive", "COPY")
	if in.ReplaceTags {
		c.set("X-Amz-Tagging-Directive", "REPLACE")
		err = errors.Join(err, c.tags(in.Tags))
	}
	if err := errors.Join(err, storage.CheckWriteConditions(in.IfMatch, in.IfNoneMatch)); err != nil {
		return nil, err
	}
	c.set("X-Amz-Checksum-Algorithm", string(in.Checksum))
	c.set("If-Match", in.IfMatch)
	c.set("If-None-Match", in.IfNoneMatch)
	c.locks(in.Retention, in.LegalHold)
	c.patience = copyPatience
	d, h, err := m.page(ctx, c, of{key: in.Source.Key, version: in.Source.VersionID})
	if err != nil {
		return nil, copyRefusal(err)
	}
	out := &storage.CopyObjectOutput{SourceVersionID: h.Get("X-Amz-Copy-Source-Version-Id")}
	out.VersionID = h.Get("X-Amz-Version-Id")
	if out.ETag, out.LastModified, out.Checksum, err = copied(d); err != nil {
		return nil, m.endpoint.broken(ctx, err)
	}
	return out, nil
}

// copyRefusal is an error of a copy as S3 has it: nothing is "not modified" where it is the source of a copy.
func copyRefusal(err error) error {
	if e, ok := errors.AsType[*storage.Error](err); ok && e.Code == "NotModified" {
		return fault("PreconditionFailed").because(e.Err)
	}
	return err
}

// copied reads the result of a copy of an object or a part.
func copied(d *document) (tag string, at time.Time, sum storage.Checksum, err error) {
	err = d.root(func(name string) error {
		text, isText := "", name == "ETag" || name == "LastModified" || strings.HasPrefix(name, "Checksum")
		if !isText {
			return d.skip()
		}
		var err error
		if text, err = d.text(); err != nil {
			return err
		}
		switch name {
		case "ETag":
			tag = etag(text)
		case "LastModified":
			at, err = timestamp(text)
		case "ChecksumType":
			sum.Type = storage.ChecksumType(text)
		default:
			sum.Algorithm, sum.Value = storage.ChecksumAlgorithm(strings.TrimPrefix(name, "Checksum")), text
		}
		return err
	}, "CopyObjectResult", "CopyPartResult")
	if err == nil && tag == "" {
		err = errors.New("a copy was made without an entity tag")
	}
	if sum.Value == "" || sum.Algorithm.Size() == 0 {
		sum = storage.Checksum{}
	} else if sum.Type == "" {
		sum.Type = storage.FullObject
	}
	return tag, at, sum, err
}

// timestamp reads an instant of a document.
func timestamp(s string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return t, errors.New("a date that is none")
	}
	return t, nil
}
