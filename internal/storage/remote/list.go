package remote

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"github.com/lakegate/lakegate/internal/storage"
)

// ListObjects lists a page of current versions.
func (m *Mount) ListObjects(ctx context.Context, in *storage.ListObjectsInput) (*storage.ListObjectsOutput, error) {
	c, limit, err := m.listing(in.Prefix, in.Delimiter, "max-keys", in.MaxKeys)
	if err != nil || c == nil {
		return &storage.ListObjectsOutput{}, err
	}
	if in.Marker != "" {
		c.query.add("marker", m.place.Prefix+in.Marker)
	}
	d, _, err := m.page(ctx, c, of{})
	if err != nil {
		return nil, err
	}
	p := &pageReader{m: m, d: d, prefix: in.Prefix, limit: limit}
	if err := p.read("ListBucketResult"); err != nil {
		return nil, m.endpoint.broken(ctx, err)
	}
	out := p.objects()
	if out.Truncated && out.NextMarker <= in.Marker {
		return nil, m.endpoint.broken(ctx, errStuck)
	}
	return out, nil
}

// ListObjectsV2 lists a page of current versions. The token of the service is wrapped: it may tell where the bucket is.
func (m *Mount) ListObjectsV2(ctx context.Context, in *storage.ListObjectsV2Input) (*storage.ListObjectsV2Output, error) {
	c, limit, err := m.listing(in.Prefix, in.Delimiter, "max-keys", in.MaxKeys)
	if err != nil || c == nil {
		return &storage.ListObjectsV2Output{}, err
	}
	c.query.add("list-type", "2")
	if in.ContinuationToken != "" {
		token, err := m.openToken(in.ContinuationToken)
		if err != nil {
			return nil, err
		}
		c.query.add("continuation-token", token)
	} else if in.StartAfter != "" {
		c.query.add("start-after", m.place.Prefix+in.StartAfter)
	}
	d, _, err := m.page(ctx, c, of{})
	if err != nil {
		return nil, err
	}
	p := &pageReader{m: m, d: d, prefix: in.Prefix, limit: limit}
	if err := p.read("ListBucketResult"); err != nil {
		return nil, m.endpoint.broken(ctx, err)
	}
	out := &storage.ListObjectsV2Output{ListObjectsOutput: *p.objects()}
	if out.Truncated {
		if p.token == "" {
			return nil, m.endpoint.broken(ctx, errors.New("a listing that goes on without a token"))
		}
		out.NextContinuationToken = m.sealToken(p.token)
	}
	return out, nil
}

// ListObjectVersions lists a page of versions and delete markers.
func (m *Mount) ListObjectVersions(ctx context.Context, in *storage.ListObjectVersionsInput) (*storage.ListObjectVersionsOutput, error) {
	if in.VersionIDMarker != "" && in.KeyMarker == "" {
		return nil, fault("InvalidArgument").with("ArgumentName", "version-id-marker").Error
	}
	c, limit, err := m.listing(in.Prefix, in.Delimiter, "max-keys", in.MaxKeys)
	if err != nil || c == nil {
		return &storage.ListObjectVersionsOutput{}, err
	}
	c.query.flag("versions")
	if in.KeyMarker != "" {
		c.query.add("key-marker", m.place.Prefix+in.KeyMarker)
	}
	c.query.given("version-id-marker", in.VersionIDMarker)
	d, _, err := m.page(ctx, c, of{})
	if err != nil {
		return nil, err
	}
	p := &pageReader{m: m, d: d, prefix: in.Prefix, limit: limit}
	if err := p.read("ListVersionsResult", "ListBucketVersionsResult"); err != nil {
		return nil, m.endpoint.broken(ctx, err)
	}
	out := &storage.ListObjectVersionsOutput{Versions: p.versions, CommonPrefixes: p.prefixes, Truncated: p.truncated}
	if out.Truncated {
		if out.NextKeyMarker, out.NextVersionIDMarker = p.nextKey, p.nextVersion; out.NextKeyMarker == "" {
			if n := len(p.versions); n > 0 && p.versions[n-1].Key >= p.last() {
				out.NextKeyMarker, out.NextVersionIDMarker = p.versions[n-1].Key, p.versions[n-1].VersionID
			} else if out.NextKeyMarker = p.last(); out.NextKeyMarker == "" {
				return nil, m.endpoint.broken(ctx, errors.New("a listing that goes on after nothing"))
			}
		}
	}
	if out.Truncated && out.NextKeyMarker == in.KeyMarker && out.NextVersionIDMarker == in.VersionIDMarker {
		return nil, m.endpoint.broken(ctx, errStuck)
	}
	return out, nil
}

// errStuck is a page whose next page is itself: who follows it never comes to an end.
var errStuck = errors.New("a listing that goes on where it began")

// listing is a call for a page, or none where the page is empty whatever the service has.
func (m *Mount) listing(prefix, delimiter, size string, most int) (*call, int, error) {
	limit, err := storage.CheckPageSize(size, most)
	if err != nil {
		return nil, 0, err
	}
	if limit == 0 || !storage.CheckListPrefix(prefix) || len(m.place.Prefix)+len(prefix) > storage.MaxKeyLength {
		return nil, 0, nil
	}
	c := m.bucket(http.MethodGet)
	c.query.given("delimiter", delimiter)
	c.query.add("encoding-type", "url")
	c.query.add(size, strconv.Itoa(limit))
	c.query.given("prefix", m.place.Prefix+prefix)
	return c, limit, nil
}

// pageReader reads a page of objects or versions.
type pageReader struct {
	m      *Mount
	d      *document
	prefix string
	limit  int

	encoded   bool
	listed    []storage.ListedObject
	versions  []storage.ListedVersion
	prefixes  []string
	truncated bool
	token     string
	nextKey   string
	// nextVersion goes with nextKey.
	nextVersion string
}

func (p *pageReader) objects() *storage.ListObjectsOutput {
	out := &storage.ListObjectsOutput{Objects: p.listed, CommonPrefixes: p.prefixes, Truncated: p.truncated}
	if p.truncated {
		if out.NextMarker = p.nextKey; out.NextMarker == "" {
			out.NextMarker = p.last()
		}
	}
	return out
}

// last is the last key or common prefix of the page.
func (p *pageReader) last() string {
	last := ""
	if n := len(p.listed); n > 0 {
		last = p.listed[n-1].Key
	}
	if n := len(p.versions); n > 0 {
		last = max(last, p.versions[n-1].Key)
	}
	if n := len(p.prefixes); n > 0 {
		last = max(last, p.prefixes[n-1])
	}
	return last
}

// read reads the page twice where it has to: the element that says how keys are encoded may come last.
func (p *pageReader) read(roots ...string) error {
	start := *p.d
	err := p.d.root(func(name string) error {
		if name != "EncodingType" {
			return p.d.skip()
		}
		text, err := p.d.text()
		p.encoded = text == "url"
		return err
	}, roots...)
	if err != nil {
		return err
	}
	*p.d = start
	if err := p.d.root(p.element, roots...); err != nil {
		return err
	}
	if len(p.listed)+len(p.versions)+len(p.prefixes) > p.limit {
		return errors.New("the page has more than was asked for")
	}
	return nil
}

func (p *pageReader) element(name string) (err error) {
	switch name {
	case "Contents":
		o, err := p.object(name)
		if err == nil && o != nil {
			p.listed = append(p.listed, o.ListedObject)
		}
		return err
	case "Version", "DeleteMarker":
		o, err := p.object(name)
		if err == nil && o != nil {
			p.versions = append(p.versions, *o)
		}
		return err
	case "CommonPrefixes":
		return p.d.each(func(name string) error {
			if name != "Prefix" {
				return p.d.skip()
			}
			key, err := p.key()
			if err == nil && key != "" {
				p.prefixes = append(p.prefixes, key)
			}
			return err
		})
	case "IsTruncated":
		text, err := p.d.text()
		p.truncated = text == "true"
		return err
	case "NextContinuationToken":
		p.token, err = p.d.text()
		return err
	case "NextMarker", "NextKeyMarker":
		text, err := p.text()
		if err != nil || text == "" {
			return err
		}
		// The marker is a key, or begins like one; at the very edge it may be the mount's own prefix.
		p.nextKey, err = p.m.home(text, "")
		return err
	case "NextVersionIdMarker":
		p.nextVersion, err = p.d.text()
		return err
	}
	return p.d.skip()
}

// text reads a text that may be encoded.
func (p *pageReader) text() (string, error) {
	text, err := p.d.text()
	if err != nil || !p.encoded {
		return text, err
	}
	return url.QueryUnescape(text)
}

func (p *pageReader) key() (string, error) {
	there, err := p.text()
	if err != nil {
		return "", err
	}
	return p.m.home(there, p.prefix)
}

// object reads one entry. It is nil for the one that is the mount's own prefix, which has no key here.
func (p *pageReader) object(kind string) (*storage.ListedVersion, error) {
	o := &storage.ListedVersion{DeleteMarker: kind == "DeleteMarker"}
	err := p.d.each(func(name string) (err error) {
		var text string
		switch name {
		case "Key":
			o.Key, err = p.key()
		case "LastModified":
			if text, err = p.d.text(); err == nil {
				o.LastModified, err = timestamp(text)
			}
		case "ETag":
			text, err = p.d.text()
			o.ETag = etag(text)
		case "Size":
			if text, err = p.d.text(); err == nil {
				if o.Size, err = strconv.ParseInt(text, 10, 64); o.Size < 0 {
					err = errors.New("a size below zero")
				}
			}
		case "VersionId":
			o.VersionID, err = p.d.text()
		case "IsLatest":
			text, err = p.d.text()
			o.Latest = text == "true"
		case "ChecksumAlgorithm":
			if text, err = p.d.text(); storage.ChecksumAlgorithm(text).Size() > 0 {
				o.Checksum.Algorithm = storage.ChecksumAlgorithm(text)
			}
		case "ChecksumType":
			if text, err = p.d.text(); text == string(storage.FullObject) || text == string(storage.Composite) {
				o.Checksum.Type = storage.ChecksumType(text)
			}
		default:
			err = p.d.skip()
		}
		return err
	})
	if err != nil || o.Key == "" {
		return nil, err
	}
	if kind == "Contents" && o.ETag == "" {
		return nil, errors.New("an object without an entity tag")
	}
	if o.Checksum.Algorithm == "" {
		o.Checksum.Type = ""
	}
	return o, nil
}

// tokens seals the tokens of listings with a key that only holders of the credentials can make. Rotating the credentials
// ends the listings that are under way.
func (m *Mount) tokens() cipher.AEAD {
	key := sha256.Sum256([]byte("lakegate listing token\x00" + m.endpoint.cfg.SecretAccessKey))
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // the key has the length of a key
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err) // as above
	}
	return aead
}

// where binds a token to its mount.
func (m *Mount) where() []byte {
	return []byte(m.name + "\x00" + m.place.Bucket + "\x00" + m.place.Prefix)
}

func (m *Mount) sealToken(token string) string {
	return base64.RawURLEncoding.EncodeToString(m.tokens().Seal(nil, nil, []byte(token), m.where()))
}

func (m *Mount) openToken(token string) (string, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err == nil {
		raw, err = m.tokens().Open(nil, nil, raw, m.where())
	}
	if err != nil {
		return "", fault("InvalidArgument").with("ArgumentName", "continuation-token").because(errors.New("the continuation token is none of this bucket's"))
	}
	return string(raw), nil
}

// ListMultipartUploads lists the uploads in progress.
func (m *Mount) ListMultipartUploads(ctx context.Context, in *storage.ListMultipartUploadsInput) (*storage.ListMultipartUploadsOutput, error) {
	c, limit, err := m.listing(in.Prefix, in.Delimiter, "max-uploads", in.MaxUploads)
	if err != nil || c == nil {
		return &storage.ListMultipartUploadsOutput{}, err
	}
	c.query.flag("uploads")
	if in.KeyMarker != "" {
		c.query.add("key-marker", m.place.Prefix+in.KeyMarker)
		c.query.given("upload-id-marker", in.UploadIDMarker)
	}
	d, _, err := m.page(ctx, c, of{})
	if err != nil {
		return nil, err
	}
	out := &storage.ListMultipartUploadsOutput{}
	p := &pageReader{m: m, d: d, prefix: in.Prefix}
	start := *d
	if err := d.root(func(name string) error {
		if name != "EncodingType" {
			return d.skip()
		}
		text, err := d.text()
		p.encoded = text == "url"
		return err
	}, "ListMultipartUploadsResult"); err != nil {
		return nil, m.endpoint.broken(ctx, err)
	}
	*d = start
	err = d.root(func(name string) error {
		switch name {
		case "Upload":
			u, err := p.upload()
			if err == nil && u.Key != "" {
				out.Uploads = append(out.Uploads, *u)
			}
			return err
		case "NextUploadIdMarker":
			var err error
			out.NextUploadIDMarker, err = d.text()
			return err
		}
		return p.element(name)
	}, "ListMultipartUploadsResult")
	if err == nil && len(out.Uploads)+len(p.prefixes) > limit {
		err = errors.New("the page has more than was asked for")
	}
	if out.CommonPrefixes, out.Truncated, out.NextKeyMarker = p.prefixes, p.truncated, p.nextKey; !out.Truncated {
		out.NextKeyMarker, out.NextUploadIDMarker = "", ""
	} else if err == nil && out.NextKeyMarker == "" {
		err = errors.New("a listing that goes on after nothing")
	}
	if err != nil {
		return nil, m.endpoint.broken(ctx, err)
	}
	return out, nil
}

func (p *pageReader) upload() (*storage.Upload, error) {
	u := &storage.Upload{}
	return u, p.d.each(func(name string) (err error) {
		var text string
		switch name {
		case "Key":
			u.Key, err = p.key()
		case "UploadId":
			u.UploadID, err = p.d.text()
		case "Initiated":
			if text, err = p.d.text(); err == nil {
				u.Initiated, err = timestamp(text)
			}
		case "ChecksumAlgorithm":
			if text, err = p.d.text(); storage.ChecksumAlgorithm(text).Size() > 0 {
				u.Checksum.Algorithm = storage.ChecksumAlgorithm(text)
			}
		default:
			err = p.d.skip()
		}
		return err
	})
}
