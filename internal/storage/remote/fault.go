package remote

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"strings"

	"github.com/lakegate/lakegate/internal/storage"
)

// spelling is how S3 spells an error. A service's own words are not passed on: they may name its buckets and hosts.
type spelling struct {
	status  int
	message string
}

// spellings are the errors that say something of the request and not of the service or of this server's rights there.
var spellings = map[string]spelling{
	"AccessDenied":                         {403, "Access Denied"},
	"BadDigest":                            {400, "The Content-MD5 or checksum value that you specified did not match what the server received."},
	"BadRequest":                           {400, "The storage of this bucket does not accept the request."},
	"BucketAlreadyExists":                  {409, "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again."},
	"BucketNotEmpty":                       {409, "The bucket you tried to delete is not empty. You must delete all versions in the bucket."},
	"ConditionalRequestConflict":           {409, "The conditional request cannot succeed due to a conflicting operation against this resource."},
	"EntityTooLarge":                       {400, "Your proposed upload exceeds the maximum allowed size"},
	"EntityTooSmall":                       {400, "Your proposed upload is smaller than the minimum allowed size"},
	"IncompleteBody":                       {400, "The request body terminated unexpectedly"},
	"InsufficientStorage":                  {507, "There is no space left for this object."},
	"InvalidArgument":                      {400, "The storage of this bucket does not accept an argument of the request."},
	"InvalidBucketState":                   {409, "The request is not valid with the current state of the bucket."},
	"InvalidDigest":                        {400, "The Content-MD5 or checksum value that you specified is not valid."},
	"InvalidObjectState":                   {403, "The action is not valid for the current state of the object."},
	"InvalidPart":                          {400, "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag."},
	"InvalidPartNumber":                    {416, "The requested partnumber is not satisfiable"},
	"InvalidPartOrder":                     {400, "The list of parts was not in ascending order. The parts list must be specified in order by part number."},
	"InvalidRange":                         {416, "The requested range is not satisfiable"},
	"InvalidRequest":                       {400, "The storage of this bucket does not accept the request."},
	"InvalidTag":                           {400, "The tag provided was not a valid tag."},
	"KeyTooLongError":                      {400, "Your key is too long"},
	"MalformedXML":                         {400, "The XML you provided was not well-formed or did not validate against our published schema"},
	"MetadataTooLarge":                     {400, "Your metadata headers exceed the maximum allowed metadata size"},
	"MethodNotAllowed":                     {405, "The specified method is not allowed against this resource."},
	"MissingContentLength":                 {411, "You must provide the Content-Length HTTP header."},
	"NoSuchBucket":                         {404, "The specified bucket does not exist"},
	"NoSuchKey":                            {404, "The specified key does not exist."},
	"NoSuchObjectLockConfiguration":        {404, "The specified object does not have a ObjectLock configuration"},
	"NoSuchTagSet":                         {404, "The TagSet does not exist"},
	"NoSuchUpload":                         {404, "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed."},
	"NoSuchVersion":                        {404, "The specified version does not exist."},
	"NotImplemented":                       {501, "A header or parameter that you provided implies functionality that the storage of this bucket does not implement."},
	"NotModified":                          {304, "Not Modified"},
	"ObjectLockConfigurationNotFoundError": {404, "Object Lock configuration does not exist for this bucket"},
	"OperationAborted":                     {409, "A conflicting conditional operation is currently in progress against this resource. Please try again."},
	"PreconditionFailed":                   {412, "At least one of the pre-conditions you specified did not hold"},
	"RequestTimeout":                       {400, "Your socket connection to the server was not read from or written to within the timeout period."},
	"ServiceUnavailable":                   {503, "Service is unable to handle request."},
	"SlowDown":                             {503, "Please reduce your request rate."},
}

// otherNames are errors that services spell in their own way.
var otherNames = map[string]string{
	"BucketAlreadyOwnedByYou":       "BucketAlreadyExists",
	"ObjectLocked":                  "AccessDenied",
	"XAmzContentChecksumMismatch":   "BadDigest",
	"InvalidChecksum":               "BadDigest",
	"XAmzContentSHA256Mismatch":     "BadDigest",
	"NoSuchObject":                  "NoSuchKey",
	"QuotaExceeded":                 "InsufficientStorage",
	"XMinioStorageFull":             "InsufficientStorage",
	"XMinioObjectExistsAsDirectory": "InvalidRequest",
	"XMinioParentIsObject":          "InvalidRequest",
	"XMinioInvalidObjectName":       "InvalidArgument",
	"TooManyRequests":               "SlowDown",
	"RequestLimitExceeded":          "SlowDown",
	"NoSuchLifecycleConfiguration":  "InvalidRequest",
}

// refusal is an error of S3's in the making.
type refusal struct{ *storage.Error }

func fault(code string) refusal {
	s, ok := spellings[code]
	if !ok {
		s = spelling{http.StatusInternalServerError, "We encountered an internal error. Please try again."}
		code = "InternalError"
	}
	return refusal{&storage.Error{Code: code, Status: s.status, Message: s.message}}
}

func (r refusal) because(err error) *storage.Error {
	r.Err = err
	return r.Error
}

func (r refusal) with(field, value string) refusal {
	if r.Fields == nil {
		r.Fields = map[string]string{}
	}
	r.Fields[field] = value
	return r
}

// broken is an answer that the service should not have given.
func (e *Endpoint) broken(ctx context.Context, err error) error {
	e.log.ErrorContext(ctx, "the storage gave an answer that cannot be right", slog.Any("error", err))
	return fault("").because(fmt.Errorf("backend %s: %w", e.cfg.Name, err))
}

// unavailable is for a request that got no answer. What was wrong with the content is told as such.
func (e *Endpoint) unavailable(ctx context.Context, c *call, err error) error {
	if c.body != nil {
		if bad := c.body.failed(); bad != nil {
			if known, ok := errors.AsType[*storage.Error](bad); ok {
				return known
			}
			if errors.Is(bad, io.ErrUnexpectedEOF) || errors.Is(bad, io.EOF) {
				return fault("IncompleteBody").because(bad)
			}
			return bad // a signature's own refusal
		}
	}
	if cause := context.Cause(ctx); cause != nil {
		return fault("RequestTimeout").because(cause)
	}
	if errors.Is(err, errNoConnection) {
		return fault("SlowDown").because(fmt.Errorf("backend %s: %w", e.cfg.Name, err))
	}
	return fault("ServiceUnavailable").because(fmt.Errorf("backend %s: %s", e.cfg.Name, explain(err)))
}

var codePattern = regexp.MustCompile(`^[A-Za-z0-9.]{1,64}$`)

// code reads the error that an answer has. An answer to HEAD has no document, so its status must do. Only the code is
// taken: messages of services quote keys and signatures.
func code(a *answer) string {
	fromStatus := func() string {
		switch a.StatusCode {
		case http.StatusNotModified:
			return "NotModified"
		case http.StatusForbidden:
			return "AccessDenied"
		case http.StatusNotFound:
			return "NotFound"
		case http.StatusMethodNotAllowed:
			return "MethodNotAllowed"
		case http.StatusPreconditionFailed:
			return "PreconditionFailed"
		case http.StatusRequestedRangeNotSatisfiable:
			return "InvalidRange"
		case http.StatusBadRequest:
			return "BadRequest"
		case http.StatusNotImplemented:
			return "NotImplemented"
		case http.StatusServiceUnavailable, http.StatusTooManyRequests:
			return "SlowDown"
		case http.StatusInsufficientStorage:
			return "InsufficientStorage"
		}
		return ""
	}
	if a.Request != nil && a.Request.Method == http.MethodHead || a.StatusCode == http.StatusNotModified {
		return fromStatus()
	}
	text, err := io.ReadAll(io.LimitReader(a.body, maxErrorDocument))
	if err != nil {
		return fromStatus()
	}
	if c := errorCode(text); c != "" {
		return c
	}
	return fromStatus()
}

// errorCode reads the code of an error document, "" where there is none.
func errorCode(text []byte) (found string) {
	d := &document{b: text}
	err := d.root(func(name string) error {
		if name != "Code" || found != "" {
			return d.skip()
		}
		var err error
		found, err = d.text()
		return err
	}, "Error")
	if err != nil || !codePattern.MatchString(found) {
		return ""
	}
	return found
}

// of names what an error is about, as the client knows it.
type of struct{ key, version, upload string }

// refused turns an answer that is none into S3's error, and closes it.
func (m *Mount) refused(ctx context.Context, a *answer, about of) error {
	defer a.close()
	return m.named(ctx, a, code(a), about)
}

// named is S3's error for a code that the service gave.
func (m *Mount) named(ctx context.Context, a *answer, given string, about of) error {
	name := given
	if other, ok := otherNames[name]; ok {
		name = other
	}
	if name == "NotFound" {
		switch {
		case about.upload != "":
			name = "NoSuchUpload"
		case about.version != "" && a.Header.Get("X-Amz-Delete-Marker") == "":
			name = "NoSuchVersion"
		case about.key != "":
			name = "NoSuchKey"
		default:
			name = "NoSuchBucket"
		}
	}
	cause := fmt.Errorf("backend %s: status %d %s", m.endpoint.cfg.Name, a.StatusCode, given)
	if _, ok := spellings[name]; !ok {
		// What is left speaks of the service, or of this server's credentials there.
		m.endpoint.log.ErrorContext(ctx, "the storage refuses this server", slog.Int("status", a.StatusCode), slog.String("code", given), slog.String("bucket", m.name))
		return fault("").because(cause)
	}
	r := fault(name)
	switch name {
	case "NoSuchKey":
		r = r.with("Key", about.key)
	case "NoSuchVersion":
		r = r.with("Key", about.key).with("VersionId", about.version)
	case "NoSuchUpload":
		r = r.with("UploadId", about.upload)
	case "NoSuchBucket", "BucketNotEmpty", "BucketAlreadyExists", "ObjectLockConfigurationNotFoundError":
		r = r.with("BucketName", m.name)
	case "AccessDenied":
		m.endpoint.log.WarnContext(ctx, "the storage denies this server", slog.String("bucket", m.name))
	}
	if a.Header.Get("X-Amz-Delete-Marker") == "true" && (a.StatusCode == http.StatusNotFound || a.StatusCode == http.StatusMethodNotAllowed) {
		r.DeleteMarker, r.VersionID = true, a.Header.Get("X-Amz-Version-Id")
	}
	return r.because(cause)
}

// explain says in a few words why a connection failed, without addresses of other systems or anything that was sent.
func explain(err error) string {
	var (
		unknown  x509.UnknownAuthorityError
		wrong    x509.HostnameError
		invalid  x509.CertificateInvalidError
		plain    tls.RecordHeaderError
		name     *net.DNSError
		op       *net.OpError
		alert    tls.AlertError
		verified *tls.CertificateVerificationError
	)
	switch {
	case errors.Is(err, errStalled):
		return "it did not answer in time"
	case errors.Is(err, errOpen), errors.Is(err, errNoConnection):
		return err.Error()
	case errors.As(err, &name):
		return "its host name cannot be resolved"
	case errors.As(err, &unknown):
		return "its certificate is signed by an authority that is not trusted here"
	case errors.As(err, &wrong):
		return "its certificate is for another host name"
	case errors.As(err, &invalid):
		return "its certificate is not valid: " + invalid.Error()
	case errors.As(err, &verified):
		return "its certificate cannot be verified"
	case errors.As(err, &plain):
		return "it does not speak TLS"
	case errors.As(err, &alert):
		return "it ended the TLS handshake: " + alert.Error()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "it closed the connection"
	case errors.As(err, &op) && op.Op == "dial":
		if op.Timeout() {
			return "no connection in time"
		}
		return "nothing listens there, or a firewall refuses the connection"
	case errors.As(err, &op) && op.Op == "remote error":
		return "it ended the TLS handshake; it may want a certificate of ours"
	case errors.As(err, &op):
		return "the connection broke: " + op.Op
	case strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return "it does not speak TLS"
	case errors.Is(err, errHead), strings.Contains(err.Error(), "malformed HTTP"):
		return "it does not speak HTTP, or wants TLS"
	}
	return "the request failed"
}
