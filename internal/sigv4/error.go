package sigv4

import (
	"maps"
	"net/http"
)

// Kind says what is wrong with a request.
type Kind int

// The kinds of refusal. UnknownKey, MissingToken, InvalidToken and ExpiredToken are not found out here but by who looks
// up the key; they are in the table so that one place says how each is answered.
const (
	Unsigned Kind = iota + 1
	TwoMechanisms
	Retired         // SigV2
	Asymmetric      // SigV4A
	UnknownScheme   // neither
	Malformed       // a part of the signature is missing or has the wrong shape
	MissingDate     // neither X-Amz-Date nor Date
	TooSkewed       // the header form, outside MaxSkew
	NotYetValid     // presigned, from the future
	Expired         // presigned, too late
	WrongDate       // the scope is for another day
	WrongRegion     // the scope is for another Region
	WrongService    // the scope is for another service
	WrongTerminator // the scope does not end in aws4_request
	UnknownKey
	MissingToken
	InvalidToken
	ExpiredToken
	Mismatch           // the signature is not the right one
	UnsignedHeaders    // sent, but not covered by the signature
	MissingPayloadHash // no x-amz-content-sha256
	BadPayloadHash     // one that is not known or not allowed here
	PayloadMismatch    // the content is not the one that was signed
	MissingLength      // no x-amz-decoded-content-length
	IncompleteBody     // more or less content than declared
	SmallChunk         // a chunk too small to be followed by another
	MalformedChunk     // aws-chunked framing is broken
	MalformedTrailer   // the trailer is not what x-amz-trailer declared
	UnknownTrailer     // x-amz-trailer declares something that is no checksum
	BadDigest          // the content does not have the declared checksum
	InvalidDigest      // the declared checksum has the wrong shape
	MalformedPolicy    // a form's policy cannot be read
	PolicyRefused      // a form breaks its own policy
)

// Dialect is a family of services that spell the same refusal alike.
type Dialect int

// The dialects.
const (
	S3       Dialect = iota // S3 and S3 Control
	QueryAPI                // STS, IAM
	JSONAPI                 // the services that speak JSON
)

// Answer is what a client gets to see.
type Answer struct {
	Code    string
	Status  int
	Message string
	// Fields are the further members of S3's error, by element name.
	Fields map[string]string
}

// Error is a refusal.
type Error struct {
	Kind Kind
	Form Form
	// Detail completes S3's message; Plain is the message of the other services.
	Detail, Plain string
	Fields        map[string]string
	// Err is the cause, for the log.
	Err error
}

// ErrUnsigned says that a request carries no signature of any kind.
var ErrUnsigned = &Error{Kind: Unsigned}

// Refuse makes the refusal of a signed request for a reason that only the caller can know, such as UnknownKey.
func (s *Signature) Refuse(kind Kind) *Error {
	e := &Error{Kind: kind, Form: s.Form}
	switch kind {
	case UnknownKey, MissingToken:
		e.Fields = map[string]string{"AWSAccessKeyId": s.Credential.AccessKeyID}
	}
	return e
}

func (e *Error) Error() string {
	a := e.Answer(S3)
	text := a.Code + ": " + a.Message
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

func (e *Error) Unwrap() error { return e.Err }

// Is makes errors.Is compare kinds.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Kind == e.Kind
}

// Answer spells the refusal as a service of the dialect does.
func (e *Error) Answer(d Dialect) Answer {
	r := answers[e.Kind]
	if d == S3 {
		a := Answer{Code: r.s3, Status: r.s3Status, Message: r.s3Message, Fields: maps.Clone(e.Fields)}
		if a.Code == malformedCode {
			a.Code, a.Message = malformedIn(e.Form)
		}
		a.Message += e.Detail
		return a
	}
	a := Answer{Code: r.query, Status: r.status, Message: r.message}
	if d == JSONAPI {
		a.Code = r.json
	}
	if e.Plain != "" {
		a.Message = e.Plain
	}
	return a
}

// malformedCode stands for a code that depends on the form of the signature.
const malformedCode = "malformed"

func malformedIn(f Form) (code, message string) {
	switch f {
	case Query:
		return "AuthorizationQueryParametersError", ""
	case PostForm:
		return "InvalidArgument", ""
	default:
		return "AuthorizationHeaderMalformed", "The authorization header is malformed; "
	}
}

// answer is a row of the table: S3's spelling, then that of the query services and the code that JSON services have for
// the same status and message.
type answer struct {
	s3        string
	s3Status  int
	s3Message string
	query     string
	json      string
	status    int
	message   string
}

const (
	unknownKey    = "The AWS Access Key Id you provided does not exist in our records."
	badToken      = "The security token included in the request is invalid."
	oldToken      = "The security token included in the request is expired"
	noMatch       = "The request signature we calculated does not match the signature you provided. Check your "
	onlyV4        = "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."
	badHash       = "The value of x-amz-content-sha256 header is invalid."
	shortBody     = "You did not provide the number of bytes specified by the Content-Length HTTP header."
	oneMechanism  = "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified"
	refusedPolicy = "Invalid according to Policy: "
)

var answers = [...]answer{
	Unsigned:      {"AccessDenied", http.StatusForbidden, "Access Denied", "MissingAuthenticationToken", "MissingAuthenticationTokenException", http.StatusForbidden, "Request is missing Authentication Token"},
	TwoMechanisms: {"InvalidArgument", http.StatusBadRequest, oneMechanism, "IncompleteSignature", "IncompleteSignatureException", http.StatusBadRequest, oneMechanism},
	Retired:       {"InvalidRequest", http.StatusBadRequest, onlyV4, "IncompleteSignature", "IncompleteSignatureException", http.StatusBadRequest, onlyV4},
	Asymmetric:    {"InvalidRequest", http.StatusBadRequest, onlyV4, "IncompleteSignature", "IncompleteSignatureException", http.StatusBadRequest, onlyV4},
	UnknownScheme: {"InvalidArgument", http.StatusBadRequest, "Unsupported Authorization Type", "IncompleteSignature", "IncompleteSignatureException", http.StatusBadRequest, "Authorization header requires the scheme AWS4-HMAC-SHA256."},

	Malformed:       {malformedCode, http.StatusBadRequest, "", "IncompleteSignature", "IncompleteSignatureException", http.StatusBadRequest, "The request signature does not conform to AWS standards."},
	MissingDate:     {"AccessDenied", http.StatusForbidden, "AWS authentication requires a valid Date or x-amz-date header", "IncompleteSignature", "IncompleteSignatureException", http.StatusBadRequest, "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."},
	TooSkewed:       {"RequestTimeTooSkewed", http.StatusForbidden, "The difference between the request time and the current time is too large.", "SignatureDoesNotMatch", "InvalidSignatureException", http.StatusForbidden, "Signature expired"},
	NotYetValid:     {"AccessDenied", http.StatusForbidden, "Request is not valid yet", "SignatureDoesNotMatch", "InvalidSignatureException", http.StatusForbidden, "Signature not yet current"},
	Expired:         {"AccessDenied", http.StatusForbidden, "Request has expired", "RequestExpired", "RequestExpired", http.StatusBadRequest, "Request has expired."},
	WrongDate:       {malformedCode, http.StatusBadRequest, "", "SignatureDoesNotMatch", "InvalidSignatureException", http.StatusForbidden, ""},
	WrongRegion:     {malformedCode, http.StatusBadRequest, "", "SignatureDoesNotMatch", "InvalidSignatureException", http.StatusForbidden, "Credential should be scoped to a valid region."},
	WrongService:    {malformedCode, http.StatusBadRequest, "", "SignatureDoesNotMatch", "InvalidSignatureException", http.StatusForbidden, "Credential should be scoped to correct service."},
	WrongTerminator: {malformedCode, http.StatusBadRequest, "", "SignatureDoesNotMatch", "InvalidSignatureException", http.StatusForbidden, "Credential should be scoped with a valid terminator: 'aws4_request'."},

	UnknownKey:   {"InvalidAccessKeyId", http.StatusForbidden, unknownKey, "InvalidClientTokenId", "UnrecognizedClientException", http.StatusForbidden, badToken},
	MissingToken: {"InvalidAccessKeyId", http.StatusForbidden, unknownKey, "InvalidClientTokenId", "UnrecognizedClientException", http.StatusForbidden, badToken},
	InvalidToken: {"InvalidToken", http.StatusBadRequest, "The provided token is malformed or otherwise invalid.", "InvalidClientTokenId", "UnrecognizedClientException", http.StatusForbidden, badToken},
	ExpiredToken: {"ExpiredToken", http.StatusBadRequest, "The provided token has expired.", "ExpiredToken", "ExpiredTokenException", http.StatusForbidden, oldToken},

	Mismatch:           {"SignatureDoesNotMatch", http.StatusForbidden, noMatch + "key and signing method.", "SignatureDoesNotMatch", "InvalidSignatureException", http.StatusForbidden, noMatch + "AWS Secret Access Key and signing method. Consult the service documentation for details."},
	UnsignedHeaders:    {"AccessDenied", http.StatusForbidden, "There were headers present in the request which were not signed", "SignatureDoesNotMatch", "InvalidSignatureException", http.StatusForbidden, "Every 'X-Amz-*' header and 'Host' must be a 'SignedHeader' in the AWS Authorization."},
	MissingPayloadHash: {"InvalidRequest", http.StatusBadRequest, "Missing required header for this request: x-amz-content-sha256", "IncompleteSignature", "IncompleteSignatureException", http.StatusBadRequest, "The request signature does not conform to AWS standards."},
	BadPayloadHash:     {"InvalidRequest", http.StatusBadRequest, badHash, "SignatureDoesNotMatch", "InvalidSignatureException", http.StatusForbidden, badHash},
	PayloadMismatch:    {"XAmzContentSHA256Mismatch", http.StatusBadRequest, "The provided 'x-amz-content-sha256' header does not match what was computed.", "SignatureDoesNotMatch", "InvalidSignatureException", http.StatusForbidden, "The provided 'x-amz-content-sha256' header does not match what was computed."},

	MissingLength:    {"MissingContentLength", http.StatusLengthRequired, "You must provide the Content-Length HTTP header.", "MissingContentLength", "MissingContentLength", http.StatusLengthRequired, "You must provide the Content-Length HTTP header."},
	IncompleteBody:   {"IncompleteBody", http.StatusBadRequest, shortBody, "IncompleteBody", "IncompleteBody", http.StatusBadRequest, shortBody},
	SmallChunk:       {"InvalidChunkSizeError", http.StatusForbidden, "Only the last chunk is allowed to have a size less than 8192 bytes", "InvalidChunkSizeError", "InvalidChunkSizeError", http.StatusForbidden, "Only the last chunk is allowed to have a size less than 8192 bytes"},
	MalformedChunk:   {"InvalidRequest", http.StatusBadRequest, "The aws-chunked encoding of the body is malformed", "InvalidRequest", "InvalidRequest", http.StatusBadRequest, "The aws-chunked encoding of the body is malformed"},
	MalformedTrailer: {"MalformedTrailerError", http.StatusBadRequest, "The request contained trailing data that was not well-formed or did not conform to our published schema.", "MalformedTrailerError", "MalformedTrailerError", http.StatusBadRequest, "The request contained trailing data that was not well-formed."},
	UnknownTrailer:   {"InvalidRequest", http.StatusBadRequest, "The value specified in the x-amz-trailer header is not supported", "InvalidRequest", "InvalidRequest", http.StatusBadRequest, "The value specified in the x-amz-trailer header is not supported"},
	BadDigest:        {"BadDigest", http.StatusBadRequest, "The checksum you specified did not match the calculated checksum.", "BadDigest", "BadDigest", http.StatusBadRequest, "The checksum you specified did not match the calculated checksum."},
	InvalidDigest:    {"InvalidRequest", http.StatusBadRequest, "Value for the checksum is invalid.", "InvalidDigest", "InvalidDigest", http.StatusBadRequest, "Value for the checksum is invalid."},

	MalformedPolicy: {"InvalidPolicyDocument", http.StatusBadRequest, "Invalid Policy: ", "InvalidPolicyDocument", "InvalidPolicyDocument", http.StatusBadRequest, "Invalid Policy"},
	PolicyRefused:   {"AccessDenied", http.StatusForbidden, refusedPolicy, "AccessDenied", "AccessDeniedException", http.StatusForbidden, "Invalid according to Policy"},
}
