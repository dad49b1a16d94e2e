package bucket

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/wire"
)

// MaxCORSRules is how many rules a bucket's CORS configuration has at most, as at S3.
const MaxCORSRules = 100

// CORSRule says which web pages may call the bucket from a browser. The first rule that fits a request counts.
type CORSRule struct {
	ID string `json:",omitempty"`
	// Origins and Headers may have one "*" each, which stands for anything.
	Origins, Methods []string
	Headers, Exposed []string `json:",omitempty"`
	// MaxAge is for how many seconds a browser may remember the answer; nil leaves it to the browser.
	MaxAge *int `json:",omitempty"`
}

// CORSRule finds the rule for a page of an origin that wants to use a method with headers (in any case). Nil is none.
func (b *Bucket) CORSRule(origin, method string, headers []string) *CORSRule {
	for i := range b.CORS {
		if r := &b.CORS[i]; r.fits(origin, method, headers) {
			return r
		}
	}
	return nil
}

func (r *CORSRule) fits(origin, method string, headers []string) bool {
	return slices.Contains(r.Methods, method) && slices.ContainsFunc(r.Origins, func(p string) bool { return fitsStar(p, origin) }) &&
		!slices.ContainsFunc(headers, func(h string) bool {
			return !slices.ContainsFunc(r.Headers, func(p string) bool { return fitsStar(strings.ToLower(p), strings.ToLower(h)) })
		})
}

// AnyOrigin reports whether the rule is for all origins, so that its answer need not name the one that asked.
func (r *CORSRule) AnyOrigin() bool { return slices.Contains(r.Origins, "*") }

// fitsStar matches a text with a pattern that has at most one "*".
func fitsStar(pattern, text string) bool {
	before, after, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == text
	}
	return len(text) >= len(before)+len(after) && strings.HasPrefix(text, before) && strings.HasSuffix(text, after)
}

// corsMethods are those that a rule may allow.
var corsMethods = []string{"GET", "PUT", "HEAD", "POST", "DELETE"}

// check refuses what S3 refuses.
func (r *CORSRule) check() error {
	invalid := func(code, format string, args ...any) error {
		return wire.NewError(code, http.StatusBadRequest, fmt.Sprintf(format, args...))
	}
	if len(r.Origins) == 0 || len(r.Methods) == 0 {
		return invalid("MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema")
	}
	for _, m := range r.Methods {
		if !slices.Contains(corsMethods, m) {
			return invalid("InvalidRequest", "Found unsupported HTTP method in CORS config. Unsupported method is %s", bounded(m))
		}
	}
	for _, o := range r.Origins {
		if strings.Count(o, "*") > 1 {
			return invalid("InvalidRequest", "AllowedOrigin %q can not have more than one wildcard.", bounded(o))
		}
	}
	for _, h := range r.Headers {
		if strings.Count(h, "*") > 1 {
			return invalid("InvalidRequest", "AllowedHeader %q can not have more than one wildcard.", bounded(h))
		}
	}
	for _, h := range r.Exposed {
		if strings.Contains(h, "*") {
			return invalid("InvalidRequest", "ExposeHeader %q contains wildcard. We currently do not support wildcard for ExposeHeader.", bounded(h))
		}
	}
	for _, text := range slices.Concat(r.Origins, r.Headers, r.Exposed, []string{r.ID}) {
		if len(text) > 255 || strings.ContainsFunc(text, func(c rune) bool { return c < ' ' || c > '~' }) {
			return invalid("InvalidRequest", "The CORS configuration has a value that no header can have: %q", bounded(text))
		}
	}
	if r.MaxAge != nil && *r.MaxAge < 0 {
		return invalid("InvalidRequest", "MaxAgeSeconds must not be negative")
	}
	return nil
}

func bounded(s string) string { return s[:min(len(s), 64)] }

// CORSRules are a bucket's rules, or NoSuchCORSConfiguration.
func (r *Registry) CORSRules(name string) ([]CORSRule, error) {
	b, err := r.Get(name)
	if err != nil {
		return nil, err
	}
	if len(b.CORS) == 0 {
		return nil, wire.NewError("NoSuchCORSConfiguration", http.StatusNotFound, "The CORS configuration does not exist").With("BucketName", name)
	}
	return b.CORS, nil
}

// PutCORS replaces all rules; none removes them.
func (r *Registry) PutCORS(ctx context.Context, name string, rules []CORSRule) error {
	if len(rules) > MaxCORSRules {
		return wire.NewError("InvalidRequest", http.StatusBadRequest, "The number of CORS rules should not exceed allowed limit of 100 rules.")
	}
	for i := range rules {
		if err := rules[i].check(); err != nil {
			return err
		}
	}
	err := r.update(ctx, name, func(tx *store.Tx, _ *Bucket) error { return setCORS(ctx, tx, name, rules) })
	if err != nil {
		return fmt.Errorf("put cors of bucket %s: %w", name, err)
	}
	return nil
}
