package gateway

import (
	"net"
	"slices"
	"strings"

	"github.com/lakegate/lakegate/internal/arn"
)

// HostRules say which host names are the server's own. A label in front of one of them is a bucket (virtual-host style),
// except twelve digits, which clients of S3 Control put there for the account. Any other host is path style.
type HostRules struct {
	// Bases are host names without a port. None takes the default ones.
	Bases []string
}

func (h HostRules) bases() []string {
	if len(h.Bases) > 0 {
		return h.Bases
	}
	return []string{"localhost", "127.0.0.1", "::1", "lakegate.internal"}
}

// NamesBucket reports whether a host names a bucket.
func (h HostRules) NamesBucket(host string) bool {
	_, ok := h.bucketOf(host)
	return ok
}

// bucketOf is the bucket that a host names, if it does.
func (h HostRules) bucketOf(host string) (string, bool) {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	bases := h.bases()
	if slices.ContainsFunc(bases, func(b string) bool { return strings.EqualFold(strings.Trim(b, "[]"), host) }) {
		return "", false
	}
	// Of a base and another one below it, the longer one leaves the shorter label.
	label, found := "", false
	for _, b := range bases {
		l, ok := strings.CutSuffix(host, "."+strings.ToLower(strings.Trim(b, "[]")))
		if ok && (!found || len(l) < len(label)) {
			label, found = l, true
		}
	}
	if !found || arn.IsAccountID(label) {
		return "", false
	}
	return label, true
}
