package gateway

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/sigv4"
	"github.com/lakegate/lakegate/internal/storage"
	"github.com/lakegate/lakegate/internal/wire"
)

// headers reads headers and keeps the first thing that is wrong with them.
type headers struct {
	h   http.Header
	err error
}

func (h *headers) refuse(err error) {
	if h.err == nil {
		h.err = err
	}
}

// one is the value of a header that must not be there twice.
func (h *headers) one(name string) string {
	values := h.h.Values(name)
	switch len(values) {
	case 0:
		return ""
	case 1:
		if !utf8.ValidString(values[0]) {
			h.refuse(invalidArgument(name, "", "The header is not UTF-8."))
		}
		return values[0]
	default:
		h.refuse(invalidArgument(name, values[1], "The header '"+name+"' must be given once."))
		return ""
	}
}

// list is the value of a header that may be there more than once.
func (h *headers) list(name string) string { return strings.Join(h.h.Values(name), ",") }

func (h *headers) boolean(name string) bool {
	v := h.one(name)
	switch strings.ToLower(v) {
	case "true":
		return true
	case "", "false":
		return false
	}
	h.refuse(invalidArgument(name, v, "The header '"+name+"' must be true or false."))
	return false
}

// among refuses a value that is none of those allowed; "" always is.
func (h *headers) among(name string, allowed ...string) string {
	v := h.one(name)
	if v != "" && !slices.Contains(allowed, v) {
		h.refuse(invalidArgument(name, v, "The value of the header '"+name+"' is not allowed."))
	}
	return v
}

// account is the id of the account that the caller expects to own a bucket.
func (h *headers) account(name string) string {
	v := h.one(name)
	if v != "" && !arn.IsAccountID(v) {
		h.refuse(wire.NewError("InvalidBucketOwnerAWSAccountID", http.StatusBadRequest, "The value of the expected bucket owner parameter must be an AWS account ID.").With("ArgumentName", name))
	}
	return v
}

func (h *headers) whole(name string, most int64) int64 {
	v := h.one(name)
	if v == "" {
		return 0
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil || n < 0 || n > most || v[0] == '+' {
		h.refuse(invalidArgument(name, v, "The header '"+name+"' must be a whole number."))
	}
	return n
}

// conditions reads If-Match and its relatives. A date that is none is ignored, as RFC 9110 §13.1.3 asks.
func (h *headers) conditions(prefix string) storage.Conditions {
	date := func(name string) time.Time {
		text := h.one(prefix + name)
		if text == "" {
			return time.Time{}
		}
		t, err := http.ParseTime(text)
		if err != nil {
			return time.Time{}
		}
		return t
	}
	return storage.Conditions{
		IfMatch: h.list(prefix + "If-Match"), IfNoneMatch: h.list(prefix + "If-None-Match"),
		IfModifiedSince: date("If-Modified-Since"), IfUnmodifiedSince: date("If-Unmodified-Since"),
	}
}

const metadataPrefix = "X-Amz-Meta-"

// content reads what a writer says about the content. The encoding aws-chunked is of the transfer and not of the object.
func (h *headers) content() storage.Headers {
	c := storage.Headers{
		ContentType: h.one("Content-Type"), ContentLanguage: h.one("Content-Language"), ContentDisposition: h.one("Content-Disposition"),
		CacheControl: h.one("Cache-Control"), Expires: h.one("Expires"), WebsiteRedirectLocation: h.one("X-Amz-Website-Redirect-Location"),
	}
	var encodings []string
	for e := range strings.SplitSeq(h.list("Content-Encoding"), ",") {
		if e = strings.TrimSpace(e); e != "" && !strings.EqualFold(e, "aws-chunked") {
			encodings = append(encodings, e)
		}
	}
	c.ContentEncoding = strings.Join(encodings, ",")
	for name, values := range h.h {
		key, ok := strings.CutPrefix(name, metadataPrefix)
		if !ok {
			continue
		}
		if c.Metadata == nil {
			c.Metadata = map[string]string{}
		}
		c.Metadata[strings.ToLower(key)] = strings.Join(values, ",")
	}
	return c
}

// algorithms are S3's checksums, by the end of their header.
var algorithms = []storage.ChecksumAlgorithm{
	storage.CRC32, storage.CRC32C, storage.CRC64NVME, storage.SHA1, storage.SHA256, storage.SHA512, storage.MD5, storage.XXHASH64, storage.XXHASH3, storage.XXHASH128,
}

// checksumHeaders are their headers, in the same order.
var checksumHeaders = []string{
	"X-Amz-Checksum-Crc32", "X-Amz-Checksum-Crc32c", "X-Amz-Checksum-Crc64nvme", "X-Amz-Checksum-Sha1", "X-Amz-Checksum-Sha256", "X-Amz-Checksum-Sha512",
	"X-Amz-Checksum-Md5", "X-Amz-Checksum-Xxhash64", "X-Amz-Checksum-Xxhash3", "X-Amz-Checksum-Xxhash128",
}

// checksum reads the checksum of the content: its value in a header, its name in x-amz-trailer when the value follows the
// content, or its name alone. Several that say different things are refused.
func (h *headers) checksum() storage.Checksum {
	var c storage.Checksum
	name := func(v string) {
		a := storage.ChecksumAlgorithm(strings.ToUpper(v))
		switch {
		case v == "":
		case !slices.Contains(algorithms, a):
			h.refuse(invalidRequest("Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256, SHA512, MD5, XXHASH64, XXHASH3, XXHASH128]"))
		case c.Algorithm != "" && c.Algorithm != a:
			h.refuse(invalidRequest("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."))
		default:
			c.Algorithm = a
		}
	}
	for i, a := range algorithms {
		if v := h.one(checksumHeaders[i]); v != "" {
			if c.Value != "" {
				h.refuse(invalidRequest("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."))
			}
			name(string(a))
			c.Value = v
		}
	}
	if trailer := strings.ToLower(strings.TrimSpace(h.list("X-Amz-Trailer"))); trailer != "" {
		v, ok := strings.CutPrefix(trailer, "x-amz-checksum-")
		if !ok || c.Value != "" {
			h.refuse(invalidRequest("The value specified in the x-amz-trailer header is not supported"))
		}
		name(v)
	}
	name(h.one("X-Amz-Sdk-Checksum-Algorithm"))
	name(h.one("X-Amz-Checksum-Algorithm"))
	c.Type = storage.ChecksumType(h.among("X-Amz-Checksum-Type", string(storage.FullObject), string(storage.Composite)))
	return c
}

func (h *headers) md5() []byte {
	v := h.one("Content-Md5")
	if v == "" {
		return nil
	}
	sum, err := base64.StdEncoding.DecodeString(v)
	if err != nil || len(sum) != 16 {
		h.refuse(wire.NewError("InvalidDigest", http.StatusBadRequest, "The Content-MD5 you specified was invalid.").With("Content-MD5", clip(v)))
	}
	return sum
}

// retention reads the object lock of a new object.
func (h *headers) lock() (*storage.Retention, *bool) {
	mode := h.among("X-Amz-Object-Lock-Mode", string(storage.Governance), string(storage.Compliance))
	until := h.one("X-Amz-Object-Lock-Retain-Until-Date")
	var keep *storage.Retention
	if mode != "" || until != "" {
		t, err := time.Parse(time.RFC3339, until)
		if mode == "" || err != nil {
			h.refuse(invalidArgument("x-amz-object-lock-retain-until-date", until, "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied"))
		}
		keep = &storage.Retention{Mode: storage.Mode(mode), Until: t.UTC()}
	}
	switch h.among("X-Amz-Object-Lock-Legal-Hold", "ON", "OFF") {
	case "ON":
		return keep, new(true)
	case "OFF":
		return keep, new(false)
	}
	return keep, nil
}

// grantHeaders give rights to others by ACL.
var grantHeaders = []string{"Read", "Write", "Read-Acp", "Write-Acp", "Full-Control"}

// acl reads the canned ACL and the grants, by the end of their header in lower case.
func (h *headers) acl() (canned string, grants map[string]string) {
	for _, name := range grantHeaders {
		if v := h.list("X-Amz-Grant-" + name); v != "" {
			if grants == nil {
				grants = map[string]string{}
			}
			grants[strings.ToLower(name)] = v
		}
	}
	canned = h.among("X-Amz-Acl", "private", "public-read", "public-read-write", "authenticated-read", "aws-exec-read",
		"bucket-owner-read", "bucket-owner-full-control", "log-delivery-write")
	if canned != "" && grants != nil {
		h.refuse(invalidRequest("Specifying both Canned ACLs and Header Grants is not allowed"))
	}
	return canned, grants
}

// encryption reads how the object is to be encrypted at rest. Keys of the customer's or of a key service are not to be had:
// to store without them what a client wants encrypted with them would break its trust.
func (h *headers) encryption() string {
	for name := range h.h {
		if strings.HasPrefix(name, "X-Amz-Server-Side-Encryption-") || strings.HasPrefix(name, "X-Amz-Copy-Source-Server-Side-Encryption-") {
			h.refuse(notImplemented("header", name))
		}
	}
	v := h.one("X-Amz-Server-Side-Encryption")
	switch v {
	case "", "AES256":
	case "aws:kms", "aws:kms:dsse", "aws:fsx":
		h.refuse(notImplemented("header", "x-amz-server-side-encryption"))
	default:
		h.refuse(invalidArgument("x-amz-server-side-encryption", v, "The encryption method specified is not supported"))
	}
	return v
}

// known are Amazon's headers that mean something here, or nothing anywhere. Any other could change what a request does.
var known = []string{
	"X-Amz-Acl", "X-Amz-Bucket-Object-Lock-Enabled", "X-Amz-Bypass-Governance-Retention", "X-Amz-Checksum-Algorithm", "X-Amz-Checksum-Mode", "X-Amz-Checksum-Type",
	"X-Amz-Confirm-Remove-Self-Bucket-Access", "X-Amz-Content-Sha256", "X-Amz-Copy-Source", "X-Amz-Copy-Source-If-Match", "X-Amz-Copy-Source-If-Modified-Since",
	"X-Amz-Copy-Source-If-None-Match", "X-Amz-Copy-Source-If-Unmodified-Since", "X-Amz-Copy-Source-Range", "X-Amz-Date", "X-Amz-Decoded-Content-Length",
	"X-Amz-Expected-Bucket-Owner", "X-Amz-Max-Parts", "X-Amz-Metadata-Directive", "X-Amz-Mp-Object-Size", "X-Amz-Object-Attributes", "X-Amz-Object-Lock-Legal-Hold",
	"X-Amz-Object-Lock-Mode", "X-Amz-Object-Lock-Retain-Until-Date", "X-Amz-Object-Ownership", "X-Amz-Optional-Object-Attributes", "X-Amz-Part-Number-Marker",
	"X-Amz-Request-Payer", "X-Amz-Sdk-Checksum-Algorithm", "X-Amz-Security-Token", "X-Amz-Server-Side-Encryption", "X-Amz-Source-Expected-Bucket-Owner",
	"X-Amz-Storage-Class", "X-Amz-Tagging", "X-Amz-Tagging-Directive", "X-Amz-Trailer", "X-Amz-User-Agent", "X-Amz-Website-Redirect-Location",
}

// families are those that are known by their beginning.
var families = []string{metadataPrefix, "X-Amz-Grant-", "X-Amz-Checksum-", "X-Amz-Server-Side-Encryption-", "X-Amz-Copy-Source-Server-Side-Encryption-"}

// readHeaders puts the headers of a request and those of its URL together and refuses unknown ones.
func readHeaders(r *http.Request, hoisted http.Header) (*headers, error) {
	h := &headers{h: r.Header}
	if hoisted != nil {
		h.h = r.Header.Clone()
		for name, values := range hoisted {
			if h.h[name] != nil {
				return nil, invalidArgument(name, values[0], "The header '"+clip(name)+"' must not be in the URL as well.")
			}
			h.h[name] = values
		}
	}
	for name := range h.h {
		if len(name) < 6 || !strings.EqualFold(name[:6], "X-Amz-") {
			continue
		}
		if !slices.Contains(known, name) && !slices.ContainsFunc(families, func(f string) bool { return len(name) > len(f) && strings.HasPrefix(name, f) }) {
			return nil, notImplemented("header", name)
		}
	}
	for name := range h.h {
		if end, ok := strings.CutPrefix(name, "X-Amz-Grant-"); ok && !slices.Contains(grantHeaders, end) {
			return nil, notImplemented("header", name)
		}
		if strings.HasPrefix(name, "X-Amz-Checksum-") && !slices.Contains(known, name) && !slices.Contains(checksumHeaders, name) {
			return nil, notImplemented("header", name)
		}
	}
	return h, nil
}

// payload reads how the content comes. Only uploads may come in chunks.
func (h *headers) payload(streams bool) (p sigv4.Payload, decoded int64) {
	p = sigv4.Payload(h.one("X-Amz-Content-Sha256"))
	if !p.Streaming() {
		return p, -1
	}
	if !streams {
		h.refuse(invalidRequest("The value of x-amz-content-sha256 header is invalid."))
	}
	length := h.one("X-Amz-Decoded-Content-Length")
	n, err := strconv.ParseInt(length, 10, 64)
	if err != nil || n < 0 || length[0] == '+' {
		h.refuse(wire.NewError("MissingContentLength", http.StatusLengthRequired, "You must provide the Content-Length HTTP header."))
	}
	return p, n
}
