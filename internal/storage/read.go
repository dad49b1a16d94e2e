package storage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/s3response"
)

// opened is a version of an object with its file. What is known about it was read from that very file.
type opened struct {
	file  *os.File
	stat  os.FileInfo
	attrs map[string][]byte
	// bucket and object are what attributes of this version are stored under.
	bucket, object string
}

func (o *opened) version() string {
	if v := o.attrs[attrVersionID]; len(v) > 0 {
		return string(v)
	}
	return NullVersion
}

func (o *opened) isMarker() bool { _, ok := o.attrs[attrDeleteMarker]; return ok }

// attempts bounds how often a reader starts anew because the version that it looked for moved.
const attempts = 8

// find opens a version, delete marker or not. Nothing there is NoSuchKey or NoSuchVersion.
func (e *Embedded) find(ref ObjectRef) (*opened, error) {
	path, err := e.locate(ref.Bucket, ref.Key)
	if err != nil {
		return nil, err
	}
	if err := checkVersionID(ref.VersionID); err != nil {
		return nil, err
	}
	for range attempts {
		var o *opened
		if o, err = e.findOnce(ref, path); !errors.Is(err, errMoved) {
			return o, modelled(err)
		}
	}
	return nil, refuse("SlowDown", http.StatusServiceUnavailable, "Please reduce your request rate.").because(err)
}

var errMoved = errors.New("version moved while it was looked for")

func (e *Embedded) findOnce(ref ObjectRef, path string) (*opened, error) {
	o, err := e.open(path, ref.Bucket, ref.Key)
	if absent(err) {
		return nil, noSuchKey(ref.Key)
	}
	if err != nil {
		return nil, err
	}
	if o.stat.IsDir() != strings.HasSuffix(ref.Key, "/") || !o.isMarker() && o.attrs[attrETag] == nil {
		// A folder is an object only where it was put as one, and a file that was laid there is none.
		_ = o.file.Close()
		return nil, noSuchKey(ref.Key)
	}
	if ref.VersionID == "" || ref.VersionID == o.version() {
		return o, nil
	}
	_ = o.file.Close()
	dir := e.versionsOf(ref.Bucket, ref.Key)
	v, err := e.open(filepath.Join(dir, ref.VersionID), dir, ref.VersionID)
	if absent(err) {
		// It may have become the current one since.
		if now, err := os.Stat(path); err != nil || !os.SameFile(now, o.stat) {
			return nil, fmt.Errorf("%w: %s", errMoved, ref.VersionID)
		}
		return nil, noSuchVersion(ref.Key, ref.VersionID)
	}
	return v, err
}

func (e *Embedded) open(path, bucket, object string) (*opened, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0) //nolint:gosec // located
	if err != nil {
		return nil, err
	}
	o := &opened{file: f, bucket: bucket, object: object}
	if o.stat, err = f.Stat(); err == nil {
		o.attrs, err = e.attrs.all(f, bucket, object)
	}
	if err == nil && !o.stat.IsDir() && !o.stat.Mode().IsRegular() {
		err = errors.New("not a plain file")
	}
	if errors.Is(err, errOverflowGone) {
		err = errMoved
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("open object: %w", err)
	}
	return o, nil
}

// visible is find for readers, to whom a delete marker is no object.
func (e *Embedded) visible(ref ObjectRef) (*opened, error) {
	o, err := e.find(ref)
	if err != nil || !o.isMarker() {
		return o, err
	}
	_ = o.file.Close()
	refusal := noSuchKey(ref.Key)
	if ref.VersionID != "" {
		refusal = refuse("MethodNotAllowed", http.StatusMethodNotAllowed, "The specified method is not allowed against this resource.")
	}
	refusal.DeleteMarker, refusal.VersionID = true, o.version()
	return nil, refusal
}

// GetObject opens an object.
func (e *Embedded) GetObject(_ context.Context, in *GetObjectInput) (*Object, error) {
	o, info, err := e.read(in)
	if err != nil {
		return nil, err
	}
	first := int64(0)
	if info.Range != nil {
		first = info.Range.First
	}
	body, err := newFileBody(o.file, first, info.Length())
	if err != nil {
		_ = o.file.Close()
		return nil, modelled(fmt.Errorf("read object: %w", err))
	}
	return &Object{ObjectInfo: *info, Body: body}, nil
}

// HeadObject describes an object as GetObject would.
func (e *Embedded) HeadObject(_ context.Context, in *GetObjectInput) (*ObjectInfo, error) {
	o, info, err := e.read(in)
	if err != nil {
		return nil, err
	}
	return info, modelled(o.file.Close())
}

// GetObjectAttributes describes an object with everything that is known.
func (e *Embedded) GetObjectAttributes(ctx context.Context, ref ObjectRef) (*ObjectInfo, error) {
	return e.HeadObject(ctx, &GetObjectInput{ObjectRef: ref, ChecksumMode: true})
}

func (e *Embedded) read(in *GetObjectInput) (*opened, *ObjectInfo, error) {
	o, err := e.visible(in.ObjectRef)
	if err != nil {
		return nil, nil, err
	}
	info, err := e.answer(o, in)
	if err != nil {
		_ = o.file.Close()
		return nil, nil, modelled(err)
	}
	return o, info, nil
}

func (e *Embedded) answer(o *opened, in *GetObjectInput) (*ObjectInfo, error) {
	info, err := e.describe(o, in.Key)
	if err != nil {
		return nil, err
	}
	if err := in.Conditions.evaluate(info.ETag, info.LastModified); err != nil {
		return nil, err
	}
	switch {
	case in.Range != nil && in.PartNumber != 0:
		return nil, invalidRequest("Cannot specify both Range header and partNumber query parameter")
	case in.PartNumber != 0:
		info.Range, err = info.part(in.PartNumber)
	default:
		info.Range, err = in.Range.resolve(info.Size)
	}
	if err != nil {
		return nil, err
	}
	if !in.ChecksumMode || info.Length() != info.Size {
		info.Checksum = Checksum{}
	}
	return info, nil
}

// part is where a part of a multipart object lies. Any other object has one part, itself.
func (o *ObjectInfo) part(number int) (*ContentRange, error) {
	if number < 1 || number > max(1, len(o.Parts)) {
		return nil, refuse("InvalidPartNumber", http.StatusRequestedRangeNotSatisfiable, "The requested partnumber is not satisfiable").
			with("PartNumberRequested", strconv.Itoa(number)).with("ActualPartCount", strconv.Itoa(max(1, len(o.Parts))))
	}
	if o.Size == 0 {
		return nil, nil
	}
	r := ContentRange{Last: o.Size - 1, Size: o.Size}
	if len(o.Parts) > 0 {
		for _, size := range o.Parts[:number-1] {
			r.First += size
		}
		r.Last = r.First + o.Parts[number-1] - 1
	}
	return &r, nil
}

// defaultContentType is what S3 says of an object whose writer said nothing.
const defaultContentType = "binary/octet-stream"

// describe turns a file and its attributes into an object. Multipart objects keep the cumulative sizes of their parts.
func (e *Embedded) describe(o *opened, key string) (*ObjectInfo, error) {
	info := &ObjectInfo{
		Key: key, ETag: string(o.attrs[attrETag]), Size: o.stat.Size(), LastModified: o.stat.ModTime(),
		Headers: headersOf(o.attrs),
	}
	if o.stat.IsDir() {
		info.Size = 0
	}
	if v := o.attrs[attrVersionID]; len(v) > 0 {
		info.VersionID = string(v)
	} else if v, err := e.versioning(bucketOf(e, o)); err != nil {
		return nil, err
	} else if v != Unversioned {
		info.VersionID = NullVersion
	}
	var err error
	if info.Checksum, err = checksumOf(o.attrs); err != nil {
		return nil, err
	}
	tags, err := tagsOf(o.attrs)
	if err != nil {
		return nil, err
	}
	info.TagCount = len(tags)
	if raw, ok := o.attrs[attrParts]; ok {
		m, err := backend.UnmarshalMpUploadMetadata(raw, false)
		if err != nil {
			return nil, err
		}
		before := int64(0)
		for _, sum := range m.Parts {
			info.Parts = append(info.Parts, sum-before)
			before = sum
		}
	}
	if info.Retention, err = retentionOf(o.attrs); err != nil {
		return nil, err
	}
	if raw, ok := o.attrs[attrLegalHold]; ok {
		info.LegalHold = new(len(raw) == 1 && raw[0] == 1)
	}
	return info, nil
}

// bucketOf is the bucket that a version belongs to.
func bucketOf(e *Embedded, o *opened) string {
	if rest, ok := strings.CutPrefix(o.bucket, e.versions+"/"); ok {
		bucket, _, _ := strings.Cut(rest, "/")
		return bucket
	}
	return o.bucket
}

func headersOf(attrs map[string][]byte) Headers {
	h := Headers{
		ContentType: string(attrs[attrContentType]), ContentEncoding: string(attrs[attrContentEncoding]),
		ContentLanguage: string(attrs[attrContentLanguage]), ContentDisposition: string(attrs[attrContentDisposition]),
		CacheControl: string(attrs[attrCacheControl]), Expires: string(attrs[attrExpires]), WebsiteRedirectLocation: string(attrs[attrRedirect]),
	}
	if h.ContentType == "" {
		h.ContentType = defaultContentType
	}
	if raw := attrs[attrMetadata]; len(raw) > 0 {
		_ = json.Unmarshal(raw, &h.Metadata) // the library wrote it; what it cannot have written is no metadata
	}
	return h
}

func checksumOf(attrs map[string][]byte) (Checksum, error) {
	raw := attrs[attrChecksums]
	if len(raw) == 0 {
		return Checksum{}, nil
	}
	var kept s3response.Checksum
	if err := json.Unmarshal(raw, &kept); err != nil {
		return Checksum{}, fmt.Errorf("read checksum: %w", err)
	}
	c := Checksum{Algorithm: ChecksumAlgorithm(kept.Algorithm), Type: ChecksumType(kept.Type)}
	values := checksumFields(&kept)
	if p := values[c.Algorithm]; p != nil && *p != nil {
		c.Value = **p
	}
	return c, nil
}

// checksumFields are the library's fields by algorithm.
func checksumFields(c *s3response.Checksum) map[ChecksumAlgorithm]**string {
	return map[ChecksumAlgorithm]**string{
		CRC32: &c.CRC32, CRC32C: &c.CRC32C, CRC64NVME: &c.CRC64NVME, SHA1: &c.SHA1, SHA256: &c.SHA256, SHA512: &c.SHA512,
		MD5: &c.MD5, XXHASH64: &c.XXHASH64, XXHASH3: &c.XXHASH3, XXHASH128: &c.XXHASH128,
	}
}

func retentionOf(attrs map[string][]byte) (*Retention, error) {
	raw, ok := attrs[attrRetention]
	if !ok {
		return nil, nil
	}
	var r Retention
	if err := json.Unmarshal(raw, &r); err != nil {
		return nil, fmt.Errorf("read retention: %w", err)
	}
	return &r, nil
}

// holds says whether the retention keeps the version from being deleted at the instant.
func (r *Retention) holds(now time.Time) bool { return r != nil && now.Before(r.Until) }
