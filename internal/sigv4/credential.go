package sigv4

import (
	"strings"
	"time"
)

// Names and layouts of the protocol.
const (
	Algorithm  = "AWS4-HMAC-SHA256"
	terminator = "aws4_request"

	// TimeLayout is the form of X-Amz-Date, the basic format of ISO 8601.
	TimeLayout = "20060102T150405Z"
	dateLayout = "20060102"
)

// Bounds of what a client may ask for.
const (
	// MaxSkew is how far the clocks of client and server may be apart.
	MaxSkew = 15 * time.Minute
	// MaxExpires is the longest life of a presigned URL.
	MaxExpires = 7 * 24 * time.Hour

	maxAuthorization = 8 << 10
	maxSignedHeaders = 100
	maxAccessKeyID   = 128
)

// Form is where a request carries its signature.
type Form int

// The forms of a signature.
const (
	Header   Form = iota + 1 // the Authorization header
	Query                    // the query of a presigned URL
	PostForm                 // the fields of an HTML form
)

// String spells the form as CloudTrail's AuthenticationMethod does.
func (f Form) String() string {
	switch f {
	case Header:
		return "AuthHeader"
	case Query:
		return "QueryString"
	case PostForm:
		return "HtmlForm"
	default:
		return ""
	}
}

// Credential is an access key id and the scope in which its derived key is good.
type Credential struct {
	AccessKeyID string
	// Date is the day, as yyyymmdd.
	Date            string
	Region, Service string
	terminator      string
}

// Scope is the credential without its key, as it stands in the string to sign.
func (c Credential) Scope() string {
	return c.Date + "/" + c.Region + "/" + c.Service + "/" + c.terminator
}

// parseCredential splits <key id>/<date>/<region>/<service>/aws4_request. It checks the shape alone; Check does the rest.
func parseCredential(s string) (Credential, bool) {
	f := strings.Split(s, "/")
	if len(f) != 5 || f[0] == "" || len(f[0]) > maxAccessKeyID {
		return Credential{}, false
	}
	for _, part := range f {
		for i := range len(part) {
			if part[i] <= ' ' || part[i] > '~' {
				return Credential{}, false
			}
		}
	}
	return Credential{AccessKeyID: f[0], Date: f[1], Region: f[2], Service: f[3], terminator: f[4]}, true
}
