package gateway

import (
	"net/http"
	"strings"
	"time"

	"github.com/lakegate/lakegate/internal/bucket"
	"github.com/lakegate/lakegate/internal/sigv4"
	"github.com/lakegate/lakegate/internal/storage"
	"github.com/lakegate/lakegate/internal/wire"
)

// Request is an S3 request, read once. What the operation does not have is zero.
type Request struct {
	Operation Operation
	// Bucket and Key are what it is about; operations on the service have neither, those on a bucket no key.
	Bucket, Key string
	// VersionID names a version of the key, UploadID and PartNumber an upload and its part, or PartNumber a part to read.
	VersionID, UploadID string
	PartNumber          int
	// ConfigurationID names one of a bucket's analytics, inventory, metrics or tiering configurations.
	ConfigurationID string
	// Source is the object that a copy is made of.
	Source *Source

	// What a listing asks for. MaxKeys bounds the page, whatever is listed.
	Prefix, Delimiter, Marker, StartAfter, ContinuationToken string
	KeyMarker, VersionIDMarker, UploadIDMarker               string
	PartNumberMarker, MaxKeys                                int
	EncodingType                                             string
	FetchOwner                                               bool
	BucketRegion                                             string

	// What a read asks for. Overrides are the headers of the answer that the request wants changed, by name.
	Range        *storage.ByteRange
	Conditions   storage.Conditions
	ChecksumMode bool
	Attributes   []string
	Overrides    map[string]string

	// What a write says about the content.
	Headers           storage.Headers
	ContentMD5        []byte
	Checksum          storage.Checksum
	Payload           sigv4.Payload
	ContentLength     int64 // of the content without its encoding; −1 when it is not said
	ObjectSize        int64 // of all parts together, for CompleteMultipartUpload; 0 when it is not said
	StorageClass      string
	Encryption        string
	ACL               string
	Grants            map[string]string // by right, such as "read-acp"
	Tags              map[string]string // nil when the request has none
	Retention         *storage.Retention
	LegalHold         *bool
	BypassGovernance  bool
	ReplaceHeaders    bool // a copy does not take the source's metadata
	ReplaceTags       bool // a copy does not take the source's tags
	ObjectLock        bool // of a new bucket
	ObjectOwnership   string
	ConfirmRemoveSelf bool
	ExpectedOwner     string
	RequesterPays     bool

	// Time is when the request arrived, set by the caller of Parse; conditions on how long a retention lasts need it.
	Time time.Time

	rule   *rule
	params *parameters
	// directives as they were given, for conditions in policies
	metadataDirective string
}

// Parse reads a request. Its errors are those of S3; the body is not touched.
func Parse(r *http.Request, hosts HostRules) (*Request, error) {
	if r.URL.Opaque != "" || r.URL.Path != "" && r.URL.Path[0] != '/' {
		return nil, invalidURI(r.RequestURI)
	}
	q := &Request{MaxKeys: storage.MaxPage}
	where, err := q.address(r, hosts)
	if err != nil {
		return nil, err
	}
	if q.params, err = parseQuery(r.URL.RawQuery); err != nil {
		return nil, err
	}
	h, err := readHeaders(r, q.params.hoisted)
	if err != nil {
		return nil, err
	}
	if err := q.name(r, where, h); err != nil {
		return nil, err
	}
	if err := q.readParameters(r); err != nil {
		return nil, err
	}
	q.readHeaders(h)
	q.ContentLength = r.ContentLength
	payload, decoded := h.payload(q.rule.streams)
	if q.Payload = payload; payload.Streaming() {
		q.ContentLength = decoded
	}
	if h.err != nil {
		return nil, h.err
	}
	return q, nil
}

// address finds the bucket and the key.
func (q *Request) address(r *http.Request, hosts HostRules) (level, error) {
	path := strings.TrimPrefix(r.URL.Path, "/")
	name, virtual := hosts.bucketOf(r.Host)
	if !virtual {
		if path == "" {
			return onService, nil
		}
		name, path, _ = strings.Cut(path, "/")
	}
	q.Bucket, q.Key = name, path
	if err := bucket.CheckName(name); err != nil {
		return 0, err
	}
	if path == "" {
		return onBucket, nil
	}
	return onObject, storage.CheckKey(path)
}

// name finds the operation.
func (q *Request) name(r *http.Request, where level, h *headers) error {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPut, http.MethodPost, http.MethodDelete:
	default:
		return methodNotAllowed(r.Method)
	}
	for _, p := range q.params.all {
		if !isParameter(p.name) {
			return notImplemented("query parameter", p.name)
		}
	}
	sub, err := q.params.subresource(where)
	if err != nil {
		return err
	}
	copies := h.h["X-Amz-Copy-Source"] != nil
	if q.rule = ruleFor(r.Method, where, sub, q.params, copies); q.rule == nil {
		if copies {
			return invalidArgument("x-amz-copy-source", "", onlyCopies)
		}
		return methodNotAllowed(r.Method)
	}
	for _, p := range q.params.all {
		if !q.rule.allows(p.name) {
			return invalidArgument(p.name, p.value, "The operation "+string(q.rule.op)+" has no parameter '"+p.name+"'.")
		}
	}
	if also := q.rule.also; also != "" && !q.params.has(also) {
		return invalidArgument(also, "", "The operation "+string(q.rule.op)+" needs the parameter '"+also+"'.")
	}
	if sub != "" && isFlag(sub) && q.params.text(sub) != "" {
		return invalidArgument(sub, q.params.text(sub), "The parameter '"+sub+"' has no value.")
	}
	q.Operation = q.rule.op
	if q.Operation == "PostObject" {
		return q.acceptForm(r)
	}
	return nil
}

// acceptForm refuses a form whose signature could be in two places.
func (q *Request) acceptForm(r *http.Request) error {
	switch {
	case !IsForm(r.Header):
		return wire.NewError("PreconditionFailed", http.StatusPreconditionFailed, "At least one of the pre-conditions you specified did not hold").
			With("Condition", "Bucket POST must be of the enclosure-type multipart/form-data")
	case r.Header.Get("Authorization") != "" || q.params.signed || q.params.hoisted != nil:
		return invalidArgument("Authorization", "", "Only one auth mechanism allowed; a form carries its signature in its fields")
	}
	return nil
}

const onlyCopies = "You can only specify a copy source header for copy requests."

// isFlag reports whether a sub-resource is there or not, and has no value.
func isFlag(sub string) bool { return sub != "uploadId" && sub != "list-type" }

func (q *Request) readHeaders(h *headers) {
	q.ExpectedOwner = h.account("X-Amz-Expected-Bucket-Owner")
	q.RequesterPays = h.among("X-Amz-Request-Payer", "requester") != ""
	q.BypassGovernance = h.boolean("X-Amz-Bypass-Governance-Retention")
	q.ConfirmRemoveSelf = h.boolean("X-Amz-Confirm-Remove-Self-Bucket-Access")
	q.Conditions = h.conditions("")
	q.ContentMD5 = h.md5()
	q.Checksum = h.checksum()
	q.ACL, q.Grants = h.acl()
	q.Encryption = h.encryption()
	switch q.Operation {
	case "GetObject", "HeadObject":
		q.Range = storage.ParseByteRange(h.one("Range"))
		q.ChecksumMode = h.among("X-Amz-Checksum-Mode", "ENABLED", "DISABLED") == "ENABLED"
	case "GetObjectAttributes":
		q.readAttributes(h)
	case "CompleteMultipartUpload":
		q.ObjectSize = h.whole("X-Amz-Mp-Object-Size", storage.MaxParts*storage.MaxObjectSize)
	case "CreateBucket":
		q.ObjectLock = h.boolean("X-Amz-Bucket-Object-Lock-Enabled")
		q.ObjectOwnership = h.among("X-Amz-Object-Ownership", "BucketOwnerPreferred", "ObjectWriter", "BucketOwnerEnforced")
	case "PutObject", "PostObject", "CopyObject", "CreateMultipartUpload":
		q.Headers = h.content()
		q.StorageClass = h.one("X-Amz-Storage-Class")
		q.Retention, q.LegalHold = h.lock()
		if h.h["X-Amz-Tagging"] != nil {
			tags, err := storage.ParseTagging(h.one("X-Amz-Tagging"))
			if err != nil {
				h.refuse(err)
			}
			q.Tags = tags
		}
	}
	if q.rule.copies {
		q.readSource(h)
		return
	}
	for name := range h.h {
		if strings.HasPrefix(name, "X-Amz-Copy-Source") {
			h.refuse(invalidArgument(strings.ToLower(name), "", onlyCopies))
		}
	}
}

func (q *Request) readAttributes(h *headers) {
	for a := range strings.SplitSeq(h.list("X-Amz-Object-Attributes"), ",") {
		switch a = strings.TrimSpace(a); a {
		case "ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize":
			q.Attributes = append(q.Attributes, a)
		default:
			h.refuse(invalidArgument("x-amz-object-attributes", a, "Invalid attribute name specified."))
		}
	}
	if v := h.one("X-Amz-Max-Parts"); v != "" {
		var err error
		if q.MaxKeys, err = page("x-amz-max-parts", v, true, storage.MaxPage); err != nil {
			h.refuse(err)
		}
	}
	q.PartNumberMarker = int(h.whole("X-Amz-Part-Number-Marker", storage.MaxParts))
}
