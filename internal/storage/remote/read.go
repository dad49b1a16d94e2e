package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/lakegate/lakegate/internal/storage"
)

// read reads a whole document, if it is not too large.
func (a *answer) read(most int64) ([]byte, error) {
	if a.ContentLength > most {
		return nil, errors.New("the answer is too large")
	}
	text, err := io.ReadAll(io.LimitReader(a.body, most+1))
	if err != nil {
		return nil, fmt.Errorf("read answer: %s", explain(err))
	}
	if int64(len(text)) > most {
		return nil, errors.New("the answer is too large")
	}
	return text, nil
}

// GetObject opens an object.
func (m *Mount) GetObject(ctx context.Context, in *storage.GetObjectInput) (*storage.Object, error) {
	a, info, err := m.get(ctx, in, http.MethodGet)
	if err != nil {
		return nil, err
	}
	return &storage.Object{ObjectInfo: *info, Body: a.body}, nil
}

// HeadObject answers as GetObject would, without the body.
func (m *Mount) HeadObject(ctx context.Context, in *storage.GetObjectInput) (*storage.ObjectInfo, error) {
	a, info, err := m.get(ctx, in, http.MethodHead)
	if err != nil {
		return nil, err
	}
	a.close()
	return info, nil
}

func (m *Mount) get(ctx context.Context, in *storage.GetObjectInput, method string) (*answer, *storage.ObjectInfo, error) {
	c, err := m.object(method, in.Key)
	if err != nil {
		return nil, nil, err
	}
	c.query.given("versionId", in.VersionID)
	if in.Range != nil && in.PartNumber != 0 {
		return nil, nil, fault("InvalidRequest").because(errors.New("both a range and a part"))
	}
	if in.PartNumber != 0 {
		c.query.add("partNumber", strconv.Itoa(in.PartNumber))
	}
	if in.Range != nil {
		c.set("Range", in.Range.String())
	}
	if in.ChecksumMode {
		c.set("X-Amz-Checksum-Mode", "ENABLED")
	}
	c.conditions("", in.Conditions)
	a, err := m.do(ctx, c, of{key: in.Key, version: in.VersionID})
	if err != nil {
		return nil, nil, err
	}
	info, err := described(a, in)
	if err != nil {
		a.close()
		return nil, nil, m.endpoint.broken(ctx, err)
	}
	// Not every service knows conditions, or the date of an object to less than a second.
	if err := in.Conditions.Check(info.ETag, info.LastModified); err != nil {
		a.close()
		return nil, nil, err
	}
	return a, info, nil
}

// conditions adds the headers of a conditional request, or with a prefix those of the source of a copy.
func (c *call) conditions(prefix string, on storage.Conditions) {
	c.set(prefix+"If-Match", on.IfMatch)
	c.set(prefix+"If-None-Match", on.IfNoneMatch)
	if !on.IfModifiedSince.IsZero() {
		c.set(prefix+"If-Modified-Since", on.IfModifiedSince.UTC().Format(http.TimeFormat))
	}
	if !on.IfUnmodifiedSince.IsZero() {
		c.set(prefix+"If-Unmodified-Since", on.IfUnmodifiedSince.UTC().Format(http.TimeFormat))
	}
}

// described reads the headers of an object's answer and holds them against what was asked for.
func described(a *answer, in *storage.GetObjectInput) (*storage.ObjectInfo, error) {
	h := a.Header
	if a.ContentLength < 0 {
		return nil, errors.New("the object has no length")
	}
	o := &storage.ObjectInfo{Key: in.Key, VersionID: h.Get("X-Amz-Version-Id"), ETag: etag(h.Get("Etag")), Size: a.ContentLength}
	if o.ETag == "" {
		return nil, errors.New("the object has no entity tag")
	}
	var err error
	if o.LastModified, err = http.ParseTime(h.Get("Last-Modified")); err != nil {
		return nil, errors.New("the object has no date")
	}
	if a.StatusCode == http.StatusPartialContent {
		if o.Range, err = contentRange(h.Get("Content-Range"), in, a.ContentLength); err != nil {
			return nil, err
		}
		o.Size = o.Range.Size
	} else if a.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d for an object", a.StatusCode)
	}
	o.Headers = storage.Headers{
		ContentType: h.Get("Content-Type"), ContentEncoding: withoutChunks(h.Get("Content-Encoding")), ContentLanguage: h.Get("Content-Language"),
		ContentDisposition: h.Get("Content-Disposition"), CacheControl: h.Get("Cache-Control"), Expires: h.Get("Expires"),
		WebsiteRedirectLocation: h.Get("X-Amz-Website-Redirect-Location"),
	}
	for name, values := range h {
		if key, ok := strings.CutPrefix(name, "X-Amz-Meta-"); ok && len(values) > 0 && key != "" {
			if o.Headers.Metadata == nil {
				o.Headers.Metadata = map[string]string{}
			}
			o.Headers.Metadata[strings.ToLower(key)] = strings.Join(values, ",")
		}
	}
	if in.ChecksumMode && o.Range == nil {
		o.Checksum = checksumIn(h)
	}
	if n, err := strconv.Atoi(h.Get("X-Amz-Tagging-Count")); err == nil && n > 0 && n <= storage.MaxObjectTags {
		o.TagCount = n
	}
	if n, err := strconv.Atoi(h.Get("X-Amz-Mp-Parts-Count")); err == nil && n > 0 && n <= storage.MaxParts {
		o.Parts = make([]int64, n)
	}
	o.Retention, o.LegalHold = locksIn(h)
	return o, nil
}

// withoutChunks drops the encoding of the transfer, which some services keep as if it were the content's.
func withoutChunks(encoding string) string {
	if !strings.Contains(encoding, "aws-chunked") {
		return encoding
	}
	var kept []string
	for e := range strings.SplitSeq(encoding, ",") {
		if e = strings.TrimSpace(e); e != "" && e != "aws-chunked" {
			kept = append(kept, e)
		}
	}
	return strings.Join(kept, ", ")
}

// etag has its quotes, whether or not the service knows that it must. One that would end a header is none.
func etag(s string) string {
	bare := strings.Trim(s, `"`)
	if bare == "" || len(bare) > 256 || strings.ContainsFunc(bare, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' }) {
		return ""
	}
	return `"` + bare + `"`
}

// contentRange reads where a partial answer lies, and refuses one that is not the part that was asked for.
func contentRange(s string, in *storage.GetObjectInput, length int64) (*storage.ContentRange, error) {
	var r storage.ContentRange
	if n, err := fmt.Sscanf(s, "bytes %d-%d/%d", &r.First, &r.Last, &r.Size); err != nil || n != 3 {
		return nil, errors.New("a partial answer does not say which part it is")
	}
	if r.First < 0 || r.Last < r.First || r.Last >= r.Size || r.Last-r.First+1 != length {
		return nil, errors.New("a partial answer contradicts itself")
	}
	if want := in.Range; want != nil {
		first, last := want.First, want.Last
		switch {
		case first < 0:
			first, last = max(0, r.Size-want.Last), r.Size-1
		case last < 0 || last >= r.Size:
			last = r.Size - 1
		}
		if r.First != first || r.Last != last {
			return nil, errors.New("a partial answer is another part than was asked for")
		}
	} else if in.PartNumber == 0 {
		return nil, errors.New("a part was answered where the whole was asked for")
	}
	return &r, nil
}

// algorithms in the order in which an answer is searched for them.
var algorithms = []storage.ChecksumAlgorithm{
	storage.CRC32, storage.CRC32C, storage.CRC64NVME, storage.SHA1, storage.SHA256, storage.SHA512, storage.MD5, storage.XXHASH64, storage.XXHASH3, storage.XXHASH128,
}

// headerOf is the header of a checksum in its canonical form.
func headerOf(a storage.ChecksumAlgorithm) string {
	name := strings.ToLower(string(a))
	return "X-Amz-Checksum-" + strings.ToUpper(name[:1]) + name[1:]
}

func checksumIn(h http.Header) storage.Checksum {
	for _, a := range algorithms {
		if v := h.Get(headerOf(a)); v != "" {
			c := storage.Checksum{Algorithm: a, Value: v, Type: storage.ChecksumType(h.Get("X-Amz-Checksum-Type"))}
			if c.Type != storage.FullObject && c.Type != storage.Composite {
				c.Type = storage.FullObject
				if strings.Contains(v, "-") {
					c.Type = storage.Composite
				}
			}
			return c
		}
	}
	return storage.Checksum{}
}

func locksIn(h http.Header) (*storage.Retention, *bool) {
	var r *storage.Retention
	if mode := storage.Mode(h.Get("X-Amz-Object-Lock-Mode")); mode == storage.Governance || mode == storage.Compliance {
		if until, err := time.Parse(time.RFC3339, h.Get("X-Amz-Object-Lock-Retain-Until-Date")); err == nil {
			r = &storage.Retention{Mode: mode, Until: until}
		}
	}
	var hold *bool
	switch h.Get("X-Amz-Object-Lock-Legal-Hold") {
	case "ON":
		hold = new(true)
	case "OFF":
		hold = new(false)
	}
	return r, hold
}

// GetObjectAttributes describes an object with its checksum and how many parts it was uploaded in.
func (m *Mount) GetObjectAttributes(ctx context.Context, ref storage.ObjectRef) (*storage.ObjectInfo, error) {
	o, err := m.HeadObject(ctx, &storage.GetObjectInput{ObjectRef: ref, ChecksumMode: true})
	if err != nil || !strings.Contains(o.ETag, "-") || o.Parts != nil {
		return o, err
	}
	// A multipart object tells its parts when one of them is asked for.
	part, err := m.HeadObject(ctx, &storage.GetObjectInput{ObjectRef: ref, PartNumber: 1, Conditions: storage.Conditions{IfMatch: o.ETag}})
	if err == nil {
		o.Parts = part.Parts
	}
	return o, nil
}

// GetObjectTagging reads the tags of a version.
func (m *Mount) GetObjectTagging(ctx context.Context, ref storage.ObjectRef) (*storage.TaggingOutput, error) {
	c, err := m.object(http.MethodGet, ref.Key)
	if err != nil {
		return nil, err
	}
	c.query.flag("tagging").given("versionId", ref.VersionID)
	d, h, err := m.page(ctx, c, of{key: ref.Key, version: ref.VersionID})
	if e, ok := errors.AsType[*storage.Error](err); ok && e.Code == "NoSuchTagSet" {
		return &storage.TaggingOutput{VersionID: ref.VersionID}, nil
	}
	if err != nil {
		return nil, err
	}
	out := &storage.TaggingOutput{VersionID: h.Get("X-Amz-Version-Id")}
	err = d.root(func(name string) error {
		if name != "TagSet" {
			return d.skip()
		}
		return d.each(func(string) error {
			var k, v string
			err := d.each(func(name string) (err error) {
				switch name {
				case "Key":
					k, err = d.text()
				case "Value":
					v, err = d.text()
				default:
					err = d.skip()
				}
				return err
			})
			if out.Tags == nil {
				out.Tags = map[string]string{}
			}
			out.Tags[k] = v
			return err
		})
	}, "Tagging")
	if err == nil {
		err = storage.CheckTags(out.Tags, storage.MaxObjectTags)
	}
	if err != nil {
		return nil, m.endpoint.broken(ctx, err)
	}
	return out, nil
}

// PutObjectTagging replaces all tags; none removes them.
func (m *Mount) PutObjectTagging(ctx context.Context, ref storage.ObjectRef, tags map[string]string) (string, error) {
	if err := storage.CheckTags(tags, storage.MaxObjectTags); err != nil {
		return "", err
	}
	method := http.MethodPut
	if len(tags) == 0 {
		method = http.MethodDelete
	}
	c, err := m.object(method, ref.Key)
	if err != nil {
		return "", err
	}
	c.query.flag("tagging").given("versionId", ref.VersionID)
	if len(tags) > 0 {
		w := newWriter("Tagging")
		w.open("TagSet")
		for k, v := range tags {
			w.open("Tag")
			w.text("Key", k)
			w.text("Value", v)
			w.close("Tag")
		}
		w.close("TagSet")
		c.document(w.end("Tagging"))
	}
	a, err := m.do(ctx, c, of{key: ref.Key, version: ref.VersionID})
	if err != nil {
		return "", err
	}
	a.close()
	return a.Header.Get("X-Amz-Version-Id"), nil
}
